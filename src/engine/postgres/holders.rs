//! What needs a table, by the server's own record of what depends on what (`pg_depend`): views, children, columns of its
//! row type, defaults that draw from its sequences.
//!
//! Owns following that record as DROP TABLE without CASCADE does: what goes with a table by itself is not in its way.
//! Foreign keys are the business of [`dependents`](super::introspect::dependents).

use sqlx::postgres::{PgConnection, PgRow};

use super::introspect::text_literal;
use super::{rows, text};
use crate::engine::{EngineError, Holder};
use crate::failure::ErrorKind;
use crate::schema::Folding;
use crate::sql::TableName;

const DOING: &str = "looking what needs tables";

/// `gone`: all that goes with each of the tables.
const HOLDERS: &str = "WITH RECURSIVE asked (number, schema, name) AS (VALUES $tables),
    tables AS (
        SELECT a.number, c.oid FROM asked a JOIN pg_catalog.pg_namespace n ON n.nspname = a.schema
        JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = a.name
    ),
    gone (number, class, object) AS (
        SELECT t.number, 'pg_catalog.pg_class'::regclass::oid, t.oid FROM tables t
        UNION
        SELECT g.number, d.classid, d.objid FROM gone g
        JOIN pg_catalog.pg_depend d ON d.refclassid = g.class AND d.refobjid = g.object
         AND d.deptype IN ('a', 'i', 'P', 'S')
    ),
    holding AS (
        SELECT g.number, d.classid, d.objid, d.objsubid FROM gone g
        JOIN pg_catalog.pg_depend d ON d.refclassid = g.class AND d.refobjid = g.object AND d.deptype = 'n'
        WHERE NOT EXISTS (SELECT FROM gone o
            WHERE o.number = g.number AND o.class = d.classid AND o.object = d.objid)
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint f
            WHERE d.classid = 'pg_catalog.pg_constraint'::regclass AND f.oid = d.objid AND f.contype = 'f')
        UNION
        SELECT t.number, d.refclassid, d.refobjid, 0 FROM tables t
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = t.oid
         AND d.deptype = 'e'
    )
    SELECT DISTINCT h.number::text, o.number::text, coalesce(
        (SELECT pg_catalog.pg_describe_object('pg_catalog.pg_class'::regclass, v.oid, 0)
         FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class v ON v.oid = r.ev_class AND v.relkind IN ('v', 'm')
         WHERE h.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = h.objid),
        pg_catalog.pg_describe_object(h.classid, h.objid, h.objsubid))
    FROM holding h LEFT JOIN gone o ON o.class = h.classid AND o.object = h.objid
    ORDER BY 1, 2, 3";

/// Whether there is a relation of this name, of whatever kind.
pub(super) async fn knows(
    connection: &mut PgConnection,
    table: &TableName,
    folding: Folding,
) -> Result<bool, EngineError> {
    let name = text_literal(&table.name);
    let is_it = match folding {
        Folding::None => format!("c.relname = {name}"),
        Folding::Ascii | Folding::Unicode => format!("lower(c.relname) = lower({name})"),
    };
    let sql = format!(
        "SELECT 'yes' FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = {} AND {is_it} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
        text_literal(table.schema.as_deref().unwrap_or_default()),
    );
    Ok(!rows(connection, &sql, DOING).await?.is_empty())
}

/// What keeps these tables from being dropped together, and what of them must go before others.
pub(super) async fn of(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Vec<Holder>, EngineError> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let name = |(number, table): (usize, &TableName)| {
        let schema = text_literal(table.schema.as_deref().unwrap_or_default());
        format!("({number}, {schema}, {})", text_literal(&table.name))
    };
    let names: Vec<String> = tables.iter().enumerate().map(name).collect();
    let found = rows(connection, &HOLDERS.replace("$tables", &names.join(", ")), DOING).await?;
    let holder = |row: &PgRow| {
        let table = |column: usize| -> Result<Option<TableName>, EngineError> {
            let number = text(row, column)?.and_then(|number| number.parse::<usize>().ok());
            Ok(number.and_then(|number| tables.get(number)).cloned())
        };
        let needed = table(0)?;
        let table_needed = needed
            .ok_or_else(|| EngineError::new(ErrorKind::Internal, format!("{DOING}: no number came")))?;
        Ok(Holder { table: table_needed, of: table(1)?, words: text(row, 2)?.unwrap_or_default() })
    };
    found.iter().map(holder).collect()
}
