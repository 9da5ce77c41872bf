//! Rights, asked of the catalog with one query for all tables: `has_table_privilege` and its kin, which know of
//! roles, columns and superusers. Nothing is tried.

use sqlx::postgres::PgConnection;

use super::super::{EngineError, Lack, Need, Right};
use super::{DIALECT, rows, text};
use crate::sql::Dialect;

const DOING: &str = "asking for the rights of this login";

/// `$needs` stands for rows of number, schema, table, right and columns. A table that is not there (any more)
/// lacks nothing: that it is missing is told elsewhere.
const QUERY: &str = "SELECT w.number::text, quote_ident(current_user),
        coalesce(has_schema_privilege(n.oid, 'USAGE'), false)::text, quote_ident(pg_get_userbyid(c.relowner))
    FROM (VALUES $needs) AS w(number, schema_name, table_name, asked, columns)
    LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema_name
    LEFT JOIN pg_catalog.pg_class c
           ON c.relnamespace = n.oid AND c.relname = w.table_name AND c.relkind IN ('r', 'p', 'S')
    WHERE NOT CASE w.asked
        WHEN 'CREATE' THEN coalesce(has_schema_privilege(n.oid, 'CREATE'), false)
                       AND coalesce(has_schema_privilege(n.oid, 'USAGE'), false)
        WHEN 'SEQUENCE' THEN c.oid IS NULL OR has_sequence_privilege(c.oid, 'UPDATE')
        WHEN 'ALTER' THEN coalesce(pg_has_role(c.relowner, 'USAGE'), true)
        ELSE c.oid IS NULL OR has_schema_privilege(n.oid, 'USAGE') AND CASE w.asked
            WHEN 'DELETE' THEN has_table_privilege(c.oid, 'DELETE')
            WHEN 'LOCK' THEN has_any_column_privilege(c.oid, 'UPDATE')
            ELSE has_table_privilege(c.oid, w.asked)
              OR (SELECT bool_and(has_column_privilege(c.oid, a.attnum, w.asked))
                  FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname = ANY (w.columns))
            END
        END
    ORDER BY w.number";

/// The needs that this login lacks.
pub(super) async fn lacking(connection: &mut PgConnection, needs: &[Need]) -> Result<Vec<Lack>, EngineError> {
    if needs.is_empty() {
        return Ok(Vec::new());
    }
    let list: Vec<String> = needs.iter().enumerate().map(|(number, need)| row(number, need)).collect();
    let query = QUERY.replace("$needs", &list.join(", "));
    let mut lacks = Vec::new();
    for found in rows(connection, &query, DOING).await? {
        let cell = |index| text(&found, index).map(Option::unwrap_or_default);
        let Some(need) = cell(0)?.parse().ok().and_then(|number: usize| needs.get(number)) else { continue };
        let hint = hint(need, &cell(1)?, cell(2)? == "true", &cell(3)?);
        lacks.push(Lack { right: need.right, table: need.table.clone(), hint });
    }
    Ok(lacks)
}

fn row(number: usize, need: &Need) -> String {
    let asked = match need.right {
        Right::Lock => "LOCK",
        Right::Sequence => "SEQUENCE",
        right => right.as_str(),
    };
    let columns: Vec<String> = need.columns.iter().map(|column| quoted(column)).collect();
    format!(
        "({number}, {}, {}, '{asked}', ARRAY[{}]::text[])",
        quoted(need.table.schema.as_deref().unwrap_or_default()),
        quoted(&need.table.name),
        columns.join(", ")
    )
}

fn quoted(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

fn hint(need: &Need, user: &str, usage: bool, owner: &str) -> String {
    let table = DIALECT.table(&need.table);
    let schema = need.table.schema.as_deref().map(|name| DIALECT.identifier(name)).unwrap_or_default();
    match need.right {
        Right::Create => format!("GRANT USAGE, CREATE ON SCHEMA {schema} TO {user}"),
        Right::Alter => format!("only its owner may: GRANT {owner} TO {user}"),
        _ if !usage => format!("GRANT USAGE ON SCHEMA {schema} TO {user}"),
        Right::Sequence => format!("GRANT UPDATE ON SEQUENCE {table} TO {user}"),
        Right::Lock => format!("GRANT UPDATE ON {table} TO {user}"),
        right => format!("GRANT {} ON {table} TO {user}", right.as_str()),
    }
}
