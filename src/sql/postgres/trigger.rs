//! Switching the triggers of users off for one transaction, and back to just the state that each had. Only the
//! tables' owner may. Constraints stay: their triggers are the server's own. Partitions keep a state of their own, so
//! each table is altered alone, never with what is below it.

use super::super::{TableName, Unwritable};
use super::literal::quoted;
use super::script::block;
use super::table;

/// Whether the trigger `g` is one that somebody made. Before version 15 the copies that a partition gets of one count
/// as the server's own; since then those of a foreign key's triggers have a parent too.
pub(crate) const MADE_BY_USERS: &str = "(NOT g.tgisinternal OR g.tgparentid <> 0 AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_constraint tc WHERE tc.oid = g.tgconstraint AND tc.contype <> 't'))";

/// A statement that switches the triggers of these tables (and of their partitions) off, and remembers for the
/// transaction's length which there were.
pub(crate) fn suppress(tables: &[TableName]) -> Result<String, Unwritable> {
    let names = tables.iter().map(|name| quoted(&table(name)).map(|name| format!("{name}::regclass")));
    let names = names.collect::<Result<Vec<String>, Unwritable>>()?.join(", ");
    Ok(block(&format!(
        "DECLARE
  _trueup_found jsonb;
  _trueup_one jsonb;
BEGIN
  SELECT coalesce(jsonb_agg(jsonb_build_array(g.tgrelid::bigint, g.tgname, g.tgenabled) ORDER BY p.level, g.tgname), '[]')
    INTO _trueup_found
    FROM unnest(ARRAY[{names}]) AS named (root)
    CROSS JOIN LATERAL (
      SELECT named.root AS relid, 0 AS level
      UNION SELECT t.relid, t.level FROM pg_catalog.pg_partition_tree(named.root) t WHERE t.level > 0
    ) p
    JOIN pg_catalog.pg_trigger g ON g.tgrelid = p.relid AND {MADE_BY_USERS} AND g.tgenabled <> 'D';
  FOR _trueup_one IN SELECT * FROM jsonb_array_elements(_trueup_found) LOOP
    EXECUTE format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', (_trueup_one ->> 0)::oid::regclass, _trueup_one ->> 1);
  END LOOP;
  PERFORM set_config('trueup.triggers', _trueup_found::text, true);
END
"
    )))
}

/// Statements that switch on what [`suppress`] switched off, each as it was. A table whose deferred constraints wait to
/// be checked cannot be altered, so they are checked now.
pub(crate) fn restore() -> [String; 2] {
    let block = block(
        "DECLARE
  _trueup_one jsonb;
BEGIN
  FOR _trueup_one IN SELECT * FROM jsonb_array_elements(
    coalesce(nullif(current_setting('trueup.triggers', true), ''), '[]')::jsonb) LOOP
    EXECUTE format('ALTER TABLE ONLY %s ENABLE %s TRIGGER %I', (_trueup_one ->> 0)::oid::regclass,
      CASE _trueup_one ->> 2 WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END, _trueup_one ->> 1);
  END LOOP;
END
",
    );
    ["SET CONSTRAINTS ALL IMMEDIATE;\n".to_owned(), block]
}
