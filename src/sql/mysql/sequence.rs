//! AUTO_INCREMENT: one counter a table. An ALTER TABLE moves it, which commits by itself and rewrites nothing; the
//! server never sets it to or below a number that a row has. It does set it back to one that a row had once, so the
//! statement is run only where the counter does not stand there yet.

use super::{Family, identifier, literal};
use crate::sql::sequence::{Numbering, Sequence};
use crate::sql::{Column, Dialect, TableName};
use crate::value::Type;

/// What stands between the table and the next number in the statement that moves its counter.
const MOVES: &str = " AUTO_INCREMENT = ";

/// The condition under which a statement of [`Numbering::set`] moves the counter on, not back; `None`: it is another
/// statement.
pub(super) fn moves_on(table: &TableName, statement: &str) -> Option<String> {
    let (_, next) = statement.rsplit_once(MOVES)?;
    let next: u64 = next.parse().ok()?;
    let counter = "COALESCE(MAX(AUTO_INCREMENT), 0)";
    Some(format!("(SELECT {counter} FROM {}) < {next}", catalog(table)))
}

/// Where the catalog tells of a table.
fn catalog(table: &TableName) -> String {
    let schema = match &table.schema {
        Some(schema) => literal::text(schema),
        None => "DATABASE()".to_owned(),
    };
    format!(
        "information_schema.TABLES WHERE TABLE_SCHEMA = {schema} AND TABLE_NAME = {}",
        literal::text(&table.name)
    )
}

impl Numbering for Family {
    fn position(&self, table: &TableName, _sequence: &Sequence) -> String {
        format!("SELECT CAST(AUTO_INCREMENT AS CHAR), 'false' FROM {}", catalog(table))
    }

    fn furthest(&self, table: &TableName, column: &str, smallest: bool, scope: Option<&str>) -> String {
        let scope = scope.map(|scope| format!(" WHERE {scope}")).unwrap_or_default();
        let what = if smallest { "MIN" } else { "MAX" };
        format!("SELECT CAST({what}({}) AS CHAR) FROM {}{scope}", identifier(column), self.table(table))
    }

    fn count_from(&self, table: &TableName, column: &str, smallest: bool, from: i128) -> String {
        let sign = if smallest { "<=" } else { ">=" };
        format!(
            "SELECT CAST(COUNT(*) AS CHAR) FROM {} WHERE {} {sign} {from}",
            self.table(table),
            identifier(column)
        )
    }

    fn set(&self, table: &TableName, sequence: &Sequence, next: i128) -> Vec<String> {
        if next > sequence.max {
            // A counter at its end stays there.
            return Vec::new();
        }
        vec![format!("ALTER TABLE {}{MOVES}{next}", self.table(table))]
    }

    fn unless_reached(&self, table: &TableName, statement: &str) -> Vec<String> {
        let Some(condition) = moves_on(table, statement) else { return vec![statement.to_owned()] };
        vec![
            format!("SET @trueup_do = IF({condition}, {}, 'DO 0')", literal::text(statement)),
            "PREPARE trueup_do FROM @trueup_do".to_owned(),
            "EXECUTE trueup_do".to_owned(),
            "DEALLOCATE PREPARE trueup_do".to_owned(),
        ]
    }

    fn made(&self, column: &Column) -> Option<Sequence> {
        column.identity?;
        Some(Sequence::counter(&column.name, largest(column)?))
    }

    fn counts_inserted(&self) -> bool {
        true
    }
}

/// The largest number that an integer column holds.
pub(crate) fn largest(column: &Column) -> Option<i128> {
    match column.column_type.meaning {
        Type::Integer { bytes, unsigned } => {
            Some((1_i128 << (u32::from(bytes) * 8 - u32::from(!unsigned))) - 1)
        }
        _ => None,
    }
}
