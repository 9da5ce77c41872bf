//! Which rows a unique index takes for one, where its columns alone do not say so (begins of columns, expressions): the
//! server itself evaluates them over a list of rows that has the table's names and collations.
//!
//! Invariant: two marks are equal exactly where the index would not let both rows be there.

use super::{Family, identifier};
use crate::sql::{Alike, Column, Dialect, IndexPart, UniqueIndex, Unwritable};
use crate::value::{Type, Value};

impl Family {
    /// See [`Dialect::index_marks`].
    pub(super) fn marks_of(
        &self,
        index: &UniqueIndex,
        columns: &[Column],
        rows: &[Vec<Value>],
    ) -> Result<String, Unwritable> {
        let rows = rows.iter().map(|row| self.typed(columns, row)).collect::<Result<Vec<_>, _>>()?;
        let marks: Vec<String> = index.parts.iter().map(mark).collect();
        // Each mark is hexadecimal digits, and NULL makes NULL of all.
        Ok(format!(
            "SELECT CONCAT({}) FROM {} ORDER BY _trueup_row",
            marks.join(", ',', "),
            listed(columns, &rows)
        ))
    }

    /// A condition of the rows that are one with any of these under the index, and maybe of some more: parts that
    /// are whole columns are left to the marks, for values of some types compare by their text in a list.
    pub(super) fn alike_under(&self, index: &UniqueIndex, columns: &[Column], rows: &[Vec<Value>]) -> String {
        let rows: Vec<Vec<String>> = rows.iter().filter_map(|row| self.typed(columns, row).ok()).collect();
        if rows.is_empty() {
            return "FALSE".to_owned();
        }
        let whole = |part: &&IndexPart| columns.iter().any(|column| identifier(&column.name) == part.sql);
        let parts: Vec<&str> =
            index.parts.iter().filter(|part| !whole(part)).map(|part| part.sql.as_str()).collect();
        let parts = parts.join(", ");
        format!("({parts}) IN (SELECT {parts} FROM {})", listed(columns, &rows))
    }

    /// Literals with their column's type, as far as an expression could see the difference.
    fn typed(&self, columns: &[Column], row: &[Value]) -> Result<Vec<String>, Unwritable> {
        let typed = |(column, value): (&Column, &Value)| {
            let literal = self.literal(value, &column.column_type)?;
            Ok(match column.column_type.meaning {
                Type::Text { .. } => {
                    let collation = column.collation.as_deref().unwrap_or(self.binary_collation);
                    let charset = collation.split('_').next().unwrap_or("utf8mb4");
                    format!("CONVERT({literal} USING {charset}) COLLATE {collation}")
                }
                Type::Date => format!("CAST({literal} AS DATE)"),
                Type::DateTime { .. } | Type::Instant { .. } => format!("CAST({literal} AS DATETIME(6))"),
                Type::Time { .. } => format!("CAST({literal} AS TIME(6))"),
                Type::Json => format!("CAST({literal} AS JSON)"),
                _ => literal,
            })
        };
        columns.iter().zip(row).map(typed).collect()
    }
}

/// The rows under the names of the table's columns.
fn listed(columns: &[Column], rows: &[Vec<String>]) -> String {
    let row = |(at, row): (usize, &Vec<String>)| {
        let named = columns.iter().zip(row);
        let named: Vec<String> =
            named.map(|(column, literal)| format!("{literal} AS {}", identifier(&column.name))).collect();
        format!("SELECT {} AS _trueup_row, {}", at + 1, named.join(", "))
    };
    let rows: Vec<String> = rows.iter().enumerate().map(row).collect();
    format!("({}) AS listed", rows.join(" UNION ALL "))
}

/// Hexadecimal digits for the values that the index takes for one, NULL for NULL.
fn mark(part: &IndexPart) -> String {
    let sql = &part.sql;
    if part.alike != Alike::Text {
        return format!("HEX(CONCAT('', {sql}))");
    }
    format!(
        "IF(COLLATION({sql}) = 'binary', HEX(CONCAT('', {sql})), IF(COLLATION({sql}) LIKE '%nopad%' OR \
         COLLATION({sql}) LIKE '%\\_0900\\_%', SHA2(WEIGHT_STRING({sql}), 256), \
         SHA2({}, 256)))",
        trimmed_weights(sql)
    )
}

/// What a padding collation compares of a text: its weights without those of spaces at the end. (Weights of the text
/// filled up to a length would not do: MySQL counts characters, not weights, and one character may weigh two.)
pub(super) fn trimmed_weights(text: &str) -> String {
    format!("TRIM(TRAILING WEIGHT_STRING(RIGHT(CONCAT({text}, ' '), 1)) FROM WEIGHT_STRING({text}))")
}
