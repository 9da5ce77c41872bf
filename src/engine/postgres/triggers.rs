//! How the triggers of a table can be kept from firing: by its owner, or by a login that may act as a replica's.
//!
//! As a replica the server leaves out its own triggers too, which foreign keys are made of: what was written then is
//! checked by query, and nobody else may write the tables at either end meanwhile. Deferrable unique, primary key and
//! exclusion constraints are made of them as well; a table that has one is not written this way. Invariant: a foreign
//! key that was not enforced is checked before the commit.

use std::collections::HashSet;

use sqlx::postgres::PgConnection;

use super::super::{EngineError, Firing};
use super::{DIALECT, rows, run, text};
use crate::failure::ErrorKind;
use crate::sql::postgres::trigger::MADE_BY_USERS;
use crate::sql::{Dialect, TableName};

const DOING: &str = "looking at the triggers of the replica";

/// Since when the right to act as a replica can be given.
const PARAMETER_RIGHTS: u32 = 150_000;

/// `$tables`: number, schema and name. `$may_set`: whether the login may act as a replica. The partitions of a table
/// are its own.
const MEANS: &str = "WITH parts AS (
        SELECT w.number, c.oid AS root, p.relid AS oid
        FROM (VALUES $tables) AS w(number, schema_name, table_name)
        JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema_name
        JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.table_name AND c.relkind IN ('r', 'p')
        CROSS JOIN LATERAL (SELECT c.oid AS relid
            UNION SELECT t.relid::oid FROM pg_catalog.pg_partition_tree(c.oid) t) p),
    fired AS (
        SELECT a.number, g.tgname, g.tgenabled FROM parts a
        JOIN pg_catalog.pg_trigger g ON g.tgrelid = a.oid AND $made AND g.tgenabled <> 'D'),
    beside AS (
        SELECT DISTINCT a.number, e.oid FROM parts a
        JOIN pg_catalog.pg_constraint f ON f.contype = 'f' AND a.oid IN (f.conrelid, f.confrelid)
        CROSS JOIN LATERAL (VALUES (f.conrelid), (f.confrelid)) e(oid))
    SELECT a.number::text,
        EXISTS (SELECT FROM fired x WHERE x.number = a.number)::text,
        bool_and(pg_catalog.pg_has_role(k.relowner, 'USAGE'))::text,
        ($may_set)::text,
        (SELECT string_agg(x.tgname, ', ') FROM fired x WHERE x.number = a.number AND x.tgenabled IN ('A', 'R')),
        (SELECT string_agg(b.oid::regclass::text, ', ') FROM beside b WHERE b.number = a.number
            AND NOT (has_table_privilege(b.oid, 'SELECT') AND has_table_privilege(b.oid, 'UPDATE, DELETE, TRUNCATE'))),
        quote_ident(pg_get_userbyid((array_agg(k.relowner))[1])), quote_ident(current_user),
        (SELECT string_agg(DISTINCT quote_ident(d.conname), ', ') FROM parts b
            JOIN pg_catalog.pg_constraint d ON d.conrelid = b.oid AND d.contype IN ('p', 'u', 'x') AND d.condeferrable
            WHERE b.number = a.number)
    FROM parts a JOIN pg_catalog.pg_class k ON k.oid = a.oid GROUP BY a.number ORDER BY a.number";

/// Reads that each give the rows of one foreign key that point at nothing, and where they lie, of all those with an end
/// among `$oids`.
const CHECKS: &str = "SELECT format('SELECT %L || concat_ws('', '', %s), c.tableoid || '' '' || c.ctid FROM %s%s c WHERE (%s) AND NOT EXISTS \
        (SELECT FROM %s%s p WHERE %s)', f.conrelid::regclass::text || ': ',
        string_agg(format('%L || c.%I::text', a.attname || ' = ', a.attname), ', ' ORDER BY k.place),
        CASE WHEN r.relkind = 'r' THEN 'ONLY ' END, f.conrelid::regclass,
        string_agg(format('c.%I IS NOT NULL', a.attname), CASE f.confmatchtype WHEN 'f' THEN ' OR ' ELSE ' AND ' END),
        CASE WHEN q.relkind = 'r' THEN 'ONLY ' END, f.confrelid::regclass,
        string_agg(format('p.%I = c.%I', b.attname, a.attname), ' AND '))
    FROM pg_catalog.pg_constraint f
    CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY k(own, other, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.own
    JOIN pg_catalog.pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = k.other
    JOIN pg_catalog.pg_class r ON r.oid = f.conrelid JOIN pg_catalog.pg_class q ON q.oid = f.confrelid
    WHERE f.contype = 'f' AND f.conparentid = 0 AND (f.conrelid IN ($oids) OR f.confrelid IN ($oids))
    GROUP BY f.oid, f.conrelid, f.confrelid, f.confmatchtype, r.relkind, q.relkind ORDER BY f.oid";

/// How a table's triggers are kept from firing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// It has none that fire.
    Nothing,
    /// The login owns it, and switches them off.
    Owner,
    /// The login acts as a replica.
    Role,
    /// Not at all.
    None(Firing),
}

/// The means for each of these tables that is there.
pub(super) async fn means(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Vec<(TableName, Means)>, EngineError> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let version = rows(connection, "SELECT current_setting('server_version_num')", DOING).await?;
    let version: u32 = match version.first() {
        Some(row) => text(row, 0)?.and_then(|number| number.parse().ok()).unwrap_or(0),
        None => 0,
    };
    let may_set = match version >= PARAMETER_RIGHTS {
        true => "has_parameter_privilege('session_replication_role', 'SET')",
        false => "(SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)",
    };
    let list: Vec<String> = tables
        .iter()
        .enumerate()
        .map(|(number, table)| {
            let schema = table.schema.as_deref().unwrap_or_default();
            format!("({number}, {}, {})", quoted(schema), quoted(&table.name))
        })
        .collect();
    let query = MEANS.replace("$tables", &list.join(", ")).replace("$may_set", may_set);
    let query = query.replace("$made", MADE_BY_USERS);
    let mut found = Vec::new();
    for row in rows(connection, &query, DOING).await? {
        let cell = |index| text(&row, index);
        let flag = |index| cell(index).map(|value| value.as_deref() == Some("true"));
        let Some(table) = cell(0)?.and_then(|number| tables.get(number.parse::<usize>().ok()?)) else {
            continue;
        };
        let firing = |reason: String, hint: String| {
            Means::None(Firing { table: table.clone(), kind: ErrorKind::Permission, reason, hint })
        };
        let (owner, user) = (cell(6)?.unwrap_or_default(), cell(7)?.unwrap_or_default());
        let deferrable = cell(8)?;
        let owns = format!("its owner may switch them off: GRANT {owner} TO {user}");
        let means = match (flag(1)?, flag(2)?, flag(3)?, cell(4)?, cell(5)?) {
            (false, ..) => Means::Nothing,
            (_, true, ..) => Means::Owner,
            (_, _, true, None, None) if deferrable.is_none() => Means::Role,
            (_, _, true, None, None) => firing(
                format!(
                    "this login does not own the table, and the server does not enforce its deferrable {} for a login \
                     that acts as a replica",
                    deferrable.unwrap_or_default()
                ),
                owns,
            ),
            (_, _, true, Some(always), _) => firing(
                format!("this login does not own the table, and {always} fires for replicas too"),
                owns,
            ),
            (_, _, true, None, Some(beside)) => firing(
                format!("this login does not own the table, and may not lock {beside} to check foreign keys"),
                format!("{owns}; or GRANT SELECT, UPDATE ON {beside} TO {user}"),
            ),
            _ if version >= PARAMETER_RIGHTS => firing(
                "this login neither owns the table nor may set session_replication_role".to_owned(),
                format!("{owns}; or GRANT SET ON PARAMETER session_replication_role TO {user}"),
            ),
            _ => firing("this login does not own the table".to_owned(), owns),
        };
        found.push((table.clone(), means));
    }
    Ok(found)
}

fn quoted(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

fn oids(tables: &[TableName]) -> String {
    let named = |table: &TableName| {
        let name = quoted(&DIALECT.table(table));
        format!(
            "SELECT {name}::regclass::oid UNION SELECT t.relid::oid FROM pg_catalog.pg_partition_tree({name}::regclass) t"
        )
    };
    tables.iter().map(named).collect::<Vec<_>>().join(" UNION ")
}

/// Keeps everybody else from writing these tables and those that foreign keys tie to them.
pub(super) async fn lock(connection: &mut PgConnection, tables: &[TableName]) -> Result<(), EngineError> {
    let query = format!(
        "SELECT DISTINCT e.oid::regclass::text FROM pg_catalog.pg_constraint f \
         CROSS JOIN LATERAL (VALUES (f.conrelid), (f.confrelid)) e(oid) \
         WHERE f.contype = 'f' AND f.conparentid = 0 AND (f.conrelid IN ({0}) OR f.confrelid IN ({0})) ORDER BY 1",
        oids(tables)
    );
    for row in rows(connection, &query, DOING).await? {
        if let Some(name) = text(&row, 0)? {
            run(connection, &format!("LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE"), DOING).await?;
        }
    }
    Ok(())
}

/// Rows that point at nothing, by foreign key: each one's place and its words.
pub(super) type Broken = Vec<Vec<(String, String)>>;

/// So many rows that pointed at nothing before are known again.
const STANDING_MAX: usize = 100_000;

/// So many new ones are shown.
const SHOWN: usize = 20;

/// Rows that break a foreign key with an end in one of these tables before anything is written. Nobody else may write
/// until the commit, so that a row that is neither written by us stays where it lies.
pub(super) async fn standing(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Broken, EngineError> {
    broken(connection, tables, |_| STANDING_MAX).await
}

/// Rows that break a foreign key with an end in one of these tables and that did not before, or were written since,
/// shown by their columns that point.
pub(super) async fn violations(
    connection: &mut PgConnection,
    tables: &[TableName],
    before: &Broken,
) -> Result<Vec<String>, EngineError> {
    let stood = |number: usize| before.get(number).map_or(&[][..], Vec::as_slice);
    let found = broken(connection, tables, |number| stood(number).len() + SHOWN).await?;
    let mut new = Vec::new();
    for (number, rows) in found.into_iter().enumerate() {
        let known: HashSet<&str> = stood(number).iter().map(|(place, _)| place.as_str()).collect();
        let rows = rows.into_iter().filter(|(place, _)| !known.contains(place.as_str()));
        new.extend(rows.map(|(_, words)| format!("{words} points at no row")));
    }
    new.truncate(SHOWN);
    Ok(new)
}

async fn broken(
    connection: &mut PgConnection,
    tables: &[TableName],
    most: impl Fn(usize) -> usize,
) -> Result<Broken, EngineError> {
    let doing = "checking the foreign keys of what was written";
    let checks = rows(connection, &CHECKS.replace("$oids", &oids(tables)), doing).await?;
    let mut broken = Vec::new();
    for (number, check) in checks.iter().enumerate() {
        let mut found = Vec::new();
        if let Some(sql) = text(check, 0)? {
            for row in rows(connection, &format!("{sql} LIMIT {}", most(number)), doing).await? {
                found.push((text(&row, 1)?.unwrap_or_default(), text(&row, 0)?.unwrap_or_default()));
            }
        }
        broken.push(found);
    }
    Ok(broken)
}
