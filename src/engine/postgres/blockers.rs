//! What keeps parts of tables from being changed, by the server's own record of what depends on what (`pg_depend`): views and
//! rules, computed columns, policies, triggers, routines, publications, foreign keys.
//!
//! Refuses to name what the server takes along or makes anew by itself: indexes, constraints and defaults of the column, what
//! belongs to a sequence. Invariant: what ALTER TABLE without CASCADE would refuse for is named.

use sqlx::postgres::{PgConnection, PgRow};

use super::introspect::text_literal;
use super::{rows, text};
use crate::engine::{Blocker, EngineError, Touch, Touched};
use crate::failure::ErrorKind;
use crate::sql::TableName;

const DOING: &str = "looking what needs parts of tables";

/// `objects`: what is touched; a key is a constraint and its index.
const BLOCKERS: &str = "WITH asked (number, touch, schema, name, part) AS (VALUES $touched),
    tables AS (
        SELECT a.number, a.touch, a.part, c.oid AS relation, c.relnamespace FROM asked a
        JOIN pg_catalog.pg_namespace n ON n.nspname = a.schema
        JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = a.name AND c.relkind IN ('r', 'p')
    ),
    objects (number, touch, relation, class, object, part) AS (
        SELECT t.number, t.touch, t.relation, 'pg_catalog.pg_class'::regclass::oid, t.relation, a.attnum::int
        FROM tables t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.relation AND a.attname = t.part AND NOT a.attisdropped
        WHERE t.touch IN ('retyped', 'dropped')
        UNION ALL
        SELECT t.number, t.touch, t.relation, 'pg_catalog.pg_constraint'::regclass::oid, k.oid, 0
        FROM tables t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.relation AND k.conname = t.part AND k.contype IN ('p', 'u')
        WHERE t.touch = 'key'
        UNION ALL
        SELECT t.number, t.touch, t.relation, 'pg_catalog.pg_class'::regclass::oid, i.indexrelid, 0
        FROM tables t JOIN pg_catalog.pg_index i ON i.indrelid = t.relation
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relname = t.part
        WHERE t.touch = 'key'
        UNION ALL
        SELECT t.number, t.touch, t.relation, 'pg_catalog.pg_class'::regclass::oid, s.oid, 0
        FROM tables t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.relation AND a.attname = t.part
        JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = t.relation
         AND d.refobjsubid = a.attnum AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'a'
        JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
        WHERE t.touch = 'sequence'
    ),
    needing AS (
        SELECT o.number, o.touch, o.relation, o.part, d.classid, d.objid, d.objsubid, d.deptype
        FROM objects o JOIN pg_catalog.pg_depend d
          ON d.refclassid = o.class AND d.refobjid = o.object AND d.refobjsubid = o.part AND d.deptype IN ('n', 'a')
    ),
    computed AS (
        SELECT n.number, n.objid, f.adrelid AS relation, f.adnum AS part, a.attgenerated <> '' AS is_computed,
            n.relation = f.adrelid AND n.part = f.adnum AS own
        FROM needing n JOIN pg_catalog.pg_attrdef f
          ON n.classid = 'pg_catalog.pg_attrdef'::regclass AND f.oid = n.objid
        JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
        WHERE n.touch <> 'sequence' OR f.adrelid <> n.relation
           OR a.attname <> (SELECT t.part FROM tables t WHERE t.number = n.number)
        UNION ALL
        SELECT n.number, n.objid, a.attrelid, a.attnum, TRUE, FALSE FROM needing n JOIN pg_catalog.pg_attribute a
          ON n.classid = 'pg_catalog.pg_class'::regclass AND a.attrelid = n.objid AND a.attnum = n.objsubid AND n.objsubid > 0
         AND a.attgenerated <> ''
    )
    SELECT DISTINCT c.number::text, NULL, NULL, NULL, s.nspname::text, r.relname::text, a.attname::text,
        pg_catalog.pg_describe_object('pg_catalog.pg_class'::regclass, c.relation, c.part)
    FROM computed c JOIN pg_catalog.pg_class r ON r.oid = c.relation JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.relation AND a.attnum = c.part
    JOIN objects o ON o.number = c.number
    WHERE NOT c.own AND (c.is_computed OR o.touch = 'sequence')
    UNION
    SELECT n.number::text, s.nspname::text, r.relname::text, f.conname::text, NULL, NULL, NULL,
        pg_catalog.pg_describe_object(n.classid, n.objid, 0)
    FROM needing n JOIN pg_catalog.pg_constraint f
      ON n.classid = 'pg_catalog.pg_constraint'::regclass AND f.oid = n.objid AND f.contype = 'f' AND f.conparentid = 0
    JOIN pg_catalog.pg_class r ON r.oid = f.conrelid JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace
    WHERE n.touch = 'key' OR n.touch = 'dropped' AND f.confrelid = n.relation AND n.part = ANY (f.confkey)
    UNION
    SELECT n.number::text, NULL, NULL, NULL, NULL, NULL, NULL, coalesce(
        (SELECT pg_catalog.pg_describe_object('pg_catalog.pg_class'::regclass, v.oid, 0)
         FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_class v ON v.oid = w.ev_class AND v.relkind IN ('v', 'm')
         WHERE n.classid = 'pg_catalog.pg_rewrite'::regclass AND w.oid = n.objid),
        pg_catalog.pg_describe_object(n.classid, n.objid, n.objsubid))
    FROM needing n
    WHERE n.classid = ANY (ARRAY['pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_policy'::regclass,
            'pg_catalog.pg_trigger'::regclass, 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_publication_rel'::regclass]::oid[])
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE n.classid = 'pg_catalog.pg_trigger'::regclass
        AND g.oid = n.objid AND g.tgisinternal)
    ORDER BY 1, 8";

/// What keeps these changes from being made.
pub(super) async fn of(
    connection: &mut PgConnection,
    touched: &[Touched],
) -> Result<Vec<Blocker>, EngineError> {
    if touched.is_empty() {
        return Ok(Vec::new());
    }
    let asked = touched.iter().enumerate().map(|(number, one)| {
        let touch = match one.touch {
            Touch::Retyped => "retyped",
            Touch::Dropped => "dropped",
            Touch::Key => "key",
            Touch::Sequence => "sequence",
        };
        let schema = text_literal(one.table.schema.as_deref().unwrap_or_default());
        format!(
            "({number}, '{touch}', {schema}, {}, {})",
            text_literal(&one.table.name),
            text_literal(&one.name)
        )
    });
    let asked: Vec<String> = asked.collect();
    let found = rows(connection, &BLOCKERS.replace("$touched", &asked.join(", ")), DOING).await?;
    found.iter().map(blocker).collect()
}

fn blocker(row: &PgRow) -> Result<Blocker, EngineError> {
    let number = text(row, 0)?.and_then(|number| number.parse().ok());
    let named = |schema, table, part| -> Result<Option<(TableName, String)>, EngineError> {
        let (schema, table, part) = (text(row, schema)?, text(row, table)?, text(row, part)?);
        Ok(match (schema, table, part) {
            (Some(schema), Some(table), Some(part)) => Some((TableName::qualified(schema, table), part)),
            _ => None,
        })
    };
    Ok(Blocker {
        touched: number
            .ok_or_else(|| EngineError::new(ErrorKind::Internal, format!("{DOING}: no number came")))?,
        foreign_key: named(1, 2, 3)?,
        column: named(4, 5, 6)?,
        words: text(row, 7)?.unwrap_or_default(),
    })
}
