//! AUTO_INCREMENT: one counter a table. An ALTER TABLE moves it, which commits by itself and rewrites nothing; the
//! server never sets it to or below a number that a row has.

use super::{Family, identifier, literal};
use crate::sql::sequence::{Numbering, Sequence};
use crate::sql::{Column, Dialect, TableName};
use crate::value::Type;

impl Numbering for Family {
    fn position(&self, table: &TableName, _sequence: &Sequence) -> String {
        let schema = match &table.schema {
            Some(schema) => literal::text(schema),
            None => "DATABASE()".to_owned(),
        };
        format!(
            "SELECT CAST(AUTO_INCREMENT AS CHAR), 'false' FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = {schema} AND TABLE_NAME = {}",
            literal::text(&table.name)
        )
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
        vec![format!("ALTER TABLE {} AUTO_INCREMENT = {next}", self.table(table))]
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
