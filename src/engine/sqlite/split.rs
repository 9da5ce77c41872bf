//! Where to cut a table of a file: keys found by descending its index, never by reading its rows.

use async_trait::async_trait;
use rusqlite::Connection;

use super::scan::read_sql;
use crate::engine::EngineError;
use crate::engine::cuts::{Probe, SAMPLE, cuts};
use crate::sql::sqlite::{Encoding, Sqlite, render_select};
use crate::sql::{Dialect, Select, Selection};
use crate::value::{Key, KeyOrder, KeyRange};

/// Tables below this are not worth cutting.
const ROWS_MIN: f64 = 50_000.0;
/// A halving costs some ten microseconds.
const HALVINGS_MAX: usize = 512;

/// See [`Snapshot::split`](crate::engine::Snapshot::split).
pub(super) fn split(
    connection: &mut Connection,
    select: &Select,
    parts: usize,
    encoding: Encoding,
) -> rusqlite::Result<Result<Vec<Key>, EngineError>> {
    let key = &select.columns[..select.key_columns];
    let sorts = |part: &crate::sql::SelectColumn| Sqlite.order_needs_sort(&part.column, &part.domain);
    // A bound on columns that may be NULL is no range of the index beyond the first: a probe might read a whole group.
    let wide = key.len() > 1 && key.iter().any(|part| part.column.nullable);
    let sorts = key.is_empty() || wide || key.iter().any(sorts);
    if sorts || !is_in_order(connection, &render_select(select, encoding))? {
        return Ok(Ok(Vec::new()));
    }
    // Rows out of scope are counted too: to look for some in scope might take the whole table.
    let of_keys =
        Select { columns: key.to_vec(), scope: None, ordered: false, locked: false, ..select.clone() };
    let order = KeyOrder::new(key.iter().map(|part| part.domain.clone()).collect::<Vec<_>>());
    let mut index = Index { connection, of_keys, encoding };
    let found = cuts(&mut index, &order, parts, ROWS_MIN, HALVINGS_MAX);
    // SQLite answers at once: there is nothing to wait for.
    Ok(futures_util::FutureExt::now_or_never(found).unwrap_or_else(|| Ok(Vec::new())))
}

/// Whether an index gives the order, so that every part is read without sorting.
fn is_in_order(connection: &Connection, sql: &str) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    let steps = statement.query_map([], |row| row.get::<_, String>(3))?;
    let steps = steps.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(!steps.iter().any(|step| step.contains("TEMP B-TREE")))
}

/// The table's keys, as a connection that nobody else uses meanwhile finds them.
struct Index<'a> {
    connection: &'a mut Connection,
    of_keys: Select,
    encoding: Encoding,
}

#[async_trait]
impl Probe for Index<'_> {
    async fn keys(&mut self, range: &KeyRange, from_end: bool) -> Result<Vec<Key>, EngineError> {
        let select = Select { selection: Selection::Range(range.clone()), ..self.of_keys.clone() };
        let direction = if from_end { " DESC" } else { "" };
        let names = select.columns.iter().map(|part| Sqlite.identifier(&part.column.name) + direction);
        let names: Vec<String> = names.collect();
        let sql =
            format!("{} ORDER BY {} LIMIT {SAMPLE}", render_select(&select, self.encoding), names.join(", "));
        let rows = read_sql(self.connection, &sql, &select, self.encoding)?;
        Ok(rows.rows().map(Key::new).collect())
    }

    /// SQLite keeps no statistics that could tell.
    async fn rows(&mut self, _range: &KeyRange) -> Result<Option<f64>, EngineError> {
        Ok(None)
    }
}
