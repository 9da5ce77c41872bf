//! AUTOINCREMENT: what `sqlite_sequence` remembers of a table. Without that mark a table has no position: its next
//! number is one more than the largest it has.

use super::{identifier, literal, table};
use crate::sql::sequence::{Numbering, Sequence};
use crate::sql::{Column, TableName};

/// SQLite's counters.
#[derive(Debug)]
pub(super) struct Counters;

impl Numbering for Counters {
    fn position(&self, table: &TableName, _sequence: &Sequence) -> String {
        let name = literal::text(&table.name);
        format!("SELECT CAST(max(seq) AS TEXT), 'true' FROM main.sqlite_sequence WHERE name = {name}")
    }

    fn furthest(&self, name: &TableName, column: &str, smallest: bool, scope: Option<&str>) -> String {
        let scope = scope.map(|scope| format!(" WHERE {scope}")).unwrap_or_default();
        let what = if smallest { "min" } else { "max" };
        format!("SELECT CAST({what}({}) AS TEXT) FROM {}{scope}", identifier(column), table(name))
    }

    fn count_from(&self, name: &TableName, column: &str, smallest: bool, from: i128) -> String {
        let sign = if smallest { "<=" } else { ">=" };
        format!(
            "SELECT CAST(count(*) AS TEXT) FROM {} WHERE {} {sign} {from}",
            table(name),
            identifier(column)
        )
    }

    fn set(&self, table: &TableName, _sequence: &Sequence, next: i128) -> Vec<String> {
        let (name, last) = (literal::text(&table.name), next - 1);
        vec![
            format!("UPDATE main.sqlite_sequence SET seq = {last} WHERE name = {name} AND seq < {last}"),
            format!(
                "INSERT INTO main.sqlite_sequence (name, seq) SELECT {name}, {last} \
                 WHERE NOT EXISTS (SELECT 1 FROM main.sqlite_sequence WHERE name = {name})"
            ),
        ]
    }

    /// A table that is created here is numbered by its rows alone.
    fn made(&self, _column: &Column) -> Option<Sequence> {
        None
    }

    fn counts_inserted(&self) -> bool {
        true
    }

    fn counts_rows(&self) -> bool {
        true
    }
}
