//! Where to cut a table: real keys found by descending its index, and the optimizer's own estimate of a range, which
//! comes from a dive into the index and not from the values between.

use async_trait::async_trait;
use sqlx::Connection;

use super::moment::Reader;
use super::scan::read_sql;
use super::{query, run};
use crate::engine::EngineError;
use crate::engine::cuts::{Probe, SAMPLE, cuts};
use crate::failure::ErrorKind;
use crate::sql::{Dialect, EngineName, Select, Selection};
use crate::value::{Key, KeyOrder, KeyRange};

/// Tables below this are not worth cutting: they are read in the time that it takes to find out where.
const ROWS_MIN: f64 = 100_000.0;
/// A halving is six questions and their answers.
const HALVINGS_MAX: usize = 96;

/// See [`Snapshot::split`](crate::engine::Snapshot::split).
pub(super) async fn split(
    reader: &mut Reader,
    dialect: &'static dyn Dialect,
    select: &Select,
    parts: usize,
) -> Result<Vec<Key>, EngineError> {
    let key = &select.columns[..select.key_columns];
    if key.is_empty() || key.iter().any(|part| dialect.order_needs_sort(&part.column, &part.domain)) {
        return Ok(Vec::new());
    }
    let order = KeyOrder::new(key.iter().map(|part| part.domain.clone()).collect::<Vec<_>>());
    // Rows out of scope are counted too: to look for some in scope might take the whole table.
    let rows = Select { scope: None, ordered: true, locked: false, ..select.clone() };
    let mut index = Index { reader, dialect, rows };
    let whole = index.explained(&KeyRange::all()).await?;
    if whole.sorts || whole.rows.is_none_or(|rows| rows < ROWS_MIN) {
        return Ok(Vec::new());
    }
    let found = cuts(&mut index, &order, parts, ROWS_MIN / 2.0, HALVINGS_MAX).await;
    if !matches!(&found, Err(error) if error.kind == ErrorKind::Connect) {
        let connection = &mut index.reader.connection;
        // None of them is asked again; what closing costs, `Kept` says, comes once and not with each of them.
        if connection.clear_cached_statements().await.is_ok() {
            run(connection, "DO 0", "go on").await?;
        }
    }
    found
}

/// The table's keys.
struct Index<'a> {
    reader: &'a mut Reader,
    dialect: &'static dyn Dialect,
    rows: Select,
}

/// What the optimizer says of a read.
struct Explained {
    is_range: bool,
    sorts: bool,
    rows: Option<f64>,
}

impl Index<'_> {
    async fn explained(&mut self, range: &KeyRange) -> Result<Explained, EngineError> {
        let select = Select { selection: Selection::Range(range.clone()), ..self.rows.clone() };
        // MySQL has the column `partitions` more, in the fourth place, and may be set to another format.
        let (explain, more) = match self.dialect.engine() {
            EngineName::Mysql => ("EXPLAIN FORMAT=TRADITIONAL", 1),
            _ => ("EXPLAIN", 0),
        };
        let sql = format!("{explain} {}", self.dialect.select(&select));
        let what = format!("look for cuts in table {}", select.table);
        let steps = query(&mut self.reader.connection, &sql, &what).await?;
        let step = steps.into_iter().next().unwrap_or_default();
        let cell = |at: usize| step.get(at + more).and_then(Option::as_deref).unwrap_or_default();
        let extra = step.last().and_then(Option::as_deref).unwrap_or_default();
        Ok(Explained {
            is_range: cell(3) == "range",
            sorts: extra.contains("filesort"),
            rows: cell(8).parse().ok(),
        })
    }
}

#[async_trait]
impl Probe for Index<'_> {
    async fn keys(&mut self, range: &KeyRange, from_end: bool) -> Result<Vec<Key>, EngineError> {
        let columns = self.rows.columns[..self.rows.key_columns].to_vec();
        let selection = Selection::Range(range.clone());
        let select = Select { columns, selection, ordered: false, ..self.rows.clone() };
        let direction = if from_end { " DESC" } else { "" };
        let names = select.columns.iter().map(|part| self.dialect.identifier(&part.column.name) + direction);
        let names: Vec<String> = names.collect();
        let sql = format!("{} ORDER BY {} LIMIT {SAMPLE}", self.dialect.select(&select), names.join(", "));
        let rows = read_sql(&mut self.reader.connection, sql, true, &select).await?;
        Ok(rows.rows().map(Key::new).collect())
    }

    async fn rows(&mut self, range: &KeyRange) -> Result<Option<f64>, EngineError> {
        if range.from.is_none() && range.to.is_none() {
            return Ok(self.explained(range).await?.rows);
        }
        let explained = self.explained(range).await?;
        Ok(explained.rows.filter(|_| explained.is_range))
    }
}
