//! Enum types: made, given words in their places, and made anew.
//!
//! Made anew, a type takes all that is of it along: constraints and indexes that speak of its words, and foreign keys over
//! its columns, are dropped and come back as they were; defaults too. What they are is read when it is done, for the plan
//! has altered them by then. Invariant: tables that the plan does not know, and other words than it knows, stop it.

use super::super::{EnumChange, EnumColumn};
use super::literal::quoted;
use super::script::block;
use super::table;

/// A table whose deferred constraints wait to be checked cannot be altered.
const CHECK_NOW: &str = "SET CONSTRAINTS ALL IMMEDIATE";

/// The name that a type has until nothing is of it any more.
const OLD: &str = "_trueup_enum";

pub(super) fn alter(change: &EnumChange) -> Option<Vec<String>> {
    let printed = &change.printed;
    match (&change.before, &change.after) {
        (None, None) => None,
        (None, Some(words)) => Some(vec![format!("CREATE TYPE {printed} AS ENUM ({})", list(words)?)]),
        (Some(_), None) => Some(vec![CHECK_NOW.to_owned(), format!("DROP TYPE {printed} RESTRICT")]),
        (Some(before), Some(after)) => match change.coming() {
            Some(coming) => {
                let add = |(word, next): &(&str, Option<&str>)| {
                    let place = match next {
                        Some(next) => format!(" BEFORE {}", quoted(next).ok()?),
                        None => String::new(),
                    };
                    Some(format!(
                        "ALTER TYPE {printed} ADD VALUE IF NOT EXISTS {}{place}",
                        quoted(word).ok()?
                    ))
                };
                coming.iter().map(add).collect()
            }
            None => Some(vec![CHECK_NOW.to_owned(), anew(change, before, after)?]),
        },
    }
}

fn list(words: &[String]) -> Option<String> {
    let words: Option<Vec<String>> = words.iter().map(|word| quoted(word).ok()).collect();
    Some(words?.join(", "))
}

/// A block that makes the type anew. Names that it prints it prints by the session's search path, by which they are found
/// again. Partitions and tables that inherit go with their parents.
fn anew(change: &EnumChange, before: &[String], after: &[String]) -> Option<String> {
    let printed = quoted(&change.printed).ok()?;
    let tables: Option<Vec<String>> = change
        .tables
        .iter()
        .map(|name| Some(format!("pg_catalog.to_regclass({})::oid", quoted(&table(name)).ok()?)))
        .collect();
    let tables = tables?.join(", ");
    let (before, after) = (list(before)?, quoted(&list(after)?).ok()?);
    let body = format!(
        "DECLARE
  old oid := ({printed})::pg_catalog.regtype;
  home text := (SELECT quote_ident(n.nspname) || '.' FROM pg_catalog.pg_type t
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = old);
  kinds oid[] := ARRAY[old, (SELECT t.typarray FROM pg_catalog.pg_type t WHERE t.oid = old)];
  own text := (SELECT quote_ident(t.typname) FROM pg_catalog.pg_type t WHERE t.oid = old);
  words text[] := (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = old);
  back text[] := ARRAY[]::text[];
  casts text[] := ARRAY[]::text[];
  one record;
BEGIN
  IF words IS DISTINCT FROM ARRAY[{before}]::text[] THEN
    RAISE EXCEPTION USING MESSAGE = 'trueup: the words of ' || {printed} || ' are others than the plan knows';
  END IF;
  SELECT string_agg(DISTINCT a.attrelid::regclass::text, ', ') AS names INTO one
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
  WHERE a.atttypid = ANY (kinds) AND NOT a.attisdropped AND a.attinhcount = 0
    AND a.attrelid <> ALL (array_remove(ARRAY[{tables}]::oid[], NULL));
  IF one.names IS NOT NULL THEN
    RAISE EXCEPTION USING MESSAGE = 'trueup: tables that the plan does not know have columns of ' || {printed} || ': ' || one.names;
  END IF;
  FOR one IN SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', c.conrelid::regclass, c.conname) AS away,
      format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.conrelid::regclass, c.conname, pg_catalog.pg_get_constraintdef(c.oid)) AS back
    FROM pg_catalog.pg_constraint c
    WHERE c.conrelid <> 0 AND c.conparentid = 0 AND c.coninhcount = 0
      AND (EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.refclassid = 'pg_catalog.pg_type'::regclass
             AND d.refobjid = ANY (kinds) AND d.deptype = 'n'
             AND (d.classid = 'pg_catalog.pg_constraint'::regclass AND d.objid = c.oid
               OR d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.conindid AND c.contype = 'x'))
        OR c.contype = 'f' AND EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.atttypid = ANY (kinds)
             AND (a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) OR a.attrelid = c.confrelid AND a.attnum = ANY (c.confkey))))
    ORDER BY c.contype <> 'f', c.oid
  LOOP
    EXECUTE one.away;
    back := one.back || back;
  END LOOP;
  FOR one IN SELECT format('DROP INDEX %s', i.indexrelid::regclass) AS away, 
      replace(pg_catalog.pg_get_indexdef(i.indexrelid), format('INDEX %I ON ONLY ', c.relname), format('INDEX %I ON ', c.relname)) AS back
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND NOT c.relispartition
    WHERE EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass
      AND d.objid = i.indexrelid AND d.deptype = 'n' AND d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid = ANY (kinds))
  LOOP
    EXECUTE one.away;
    back := one.back || back;
  END LOOP;
  FOR one IN SELECT a.attrelid::regclass AS name,
      string_agg(format('ALTER COLUMN %I DROP DEFAULT', a.attname), ', ') FILTER (WHERE d.oid IS NOT NULL) AS away,
      string_agg(format('ALTER COLUMN %I TYPE %s USING %I::text%s::%s', a.attname, pg_catalog.format_type(a.atttypid, -1), a.attname,
        CASE WHEN a.atttypid <> old THEN '[]' ELSE '' END, pg_catalog.format_type(a.atttypid, -1)), ', ') AS casts,
      string_agg(format('ALTER COLUMN %I SET DEFAULT %s', a.attname, pg_catalog.pg_get_expr(d.adbin, d.adrelid)), ', ')
        FILTER (WHERE d.oid IS NOT NULL) AS back
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.atttypid = ANY (kinds) AND NOT a.attisdropped AND a.attinhcount = 0
    GROUP BY a.attrelid
  LOOP
    casts := casts || format('ALTER TABLE %s %s', one.name, concat_ws(', ', one.away, one.casts, one.back));
  END LOOP;
  EXECUTE 'ALTER TYPE ' || home || own || ' RENAME TO {OLD}';
  EXECUTE 'CREATE TYPE ' || home || own || ' AS ENUM (' || {after} || ')';
  FOR one IN
    SELECT 1 AS place, format('COMMENT ON TYPE %s%s IS %L', home, own, pg_catalog.obj_description(old, 'pg_type')) AS said
    WHERE pg_catalog.obj_description(old, 'pg_type') IS NOT NULL
    UNION ALL SELECT 2, format('REVOKE ALL ON TYPE %s%s FROM PUBLIC', home, own)
    FROM pg_catalog.pg_type t WHERE t.oid = old AND t.typacl IS NOT NULL
    UNION ALL SELECT 3, format('GRANT USAGE ON TYPE %s%s TO %s%s', home, own,
      CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END,
      CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM pg_catalog.pg_type t CROSS JOIN LATERAL pg_catalog.aclexplode(t.typacl) a
    LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee WHERE t.oid = old
    UNION ALL SELECT 4, format('ALTER TYPE %s%s OWNER TO %I', home, own, r.rolname)
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_roles r ON r.oid = t.typowner
    WHERE t.oid = old AND r.rolname <> current_user
    ORDER BY 1
  LOOP
    EXECUTE one.said;
  END LOOP;
  FOREACH own IN ARRAY casts || back || ('DROP TYPE ' || home || '{OLD} RESTRICT') LOOP
    EXECUTE own;
  END LOOP;
END
"
    );
    Some(block(&body).trim_end().trim_end_matches(';').to_owned())
}

/// The condition that a column holds words that go.
pub(super) fn holds_going(change: &EnumChange, column: &EnumColumn) -> Option<String> {
    let going: Vec<String> = change.going().into_iter().map(str::to_owned).collect();
    if going.is_empty() {
        return None;
    }
    let (words, name) = (list(&going)?, super::identifier(&column.name));
    Some(match column.array {
        true => format!("{name}::text[] && ARRAY[{words}]::text[]"),
        false => format!("{name}::text IN ({words})"),
    })
}
