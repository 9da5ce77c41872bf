//! Which rows a unique index takes for one, where its columns alone do not say so: PostgreSQL itself evaluates the
//! index's expressions and its condition over a list of rows that has the table's names, types and collations.
//!
//! Invariant: two marks are equal exactly where the index would not let both rows be there.

use super::super::{Alike, Column, IndexPart, TableName, UniqueIndex, Unwritable};
use super::literal::literal;
use super::{identifier, table};
use crate::value::Value;

/// See [`Dialect::index_marks`](super::Dialect::index_marks).
pub(super) fn marks(
    name: &TableName,
    index: &UniqueIndex,
    columns: &[Column],
    rows: &[Vec<Value>],
) -> Result<String, Unwritable> {
    let rows = rows.iter().map(|row| literals(columns, row)).collect::<Result<Vec<_>, _>>()?;
    // A text that quotes the marks, so that no two lists of them are one; NULL where any of them is.
    let quote = if index.nulls_are_one { "quote_nullable" } else { "quote_literal" };
    let marks = index.parts.iter().map(|part| format!("pg_catalog.{quote}({})", mark(part)));
    let marks: Vec<String> = marks.collect();
    Ok(format!(
        "SELECT CASE WHEN {} THEN {} END FROM {} WHERE _trueup_row > 0 ORDER BY _trueup_row",
        index.condition.as_deref().map_or("TRUE".to_owned(), |condition| format!("({condition})")),
        marks.join(" || ',' || "),
        listed(name, columns, &rows)
    ))
}

/// The condition of the rows that are one with any of these under the index.
pub(super) fn condition(
    name: &TableName,
    index: &UniqueIndex,
    columns: &[Column],
    rows: &[Vec<Value>],
) -> String {
    let rows: Vec<Vec<String>> = rows.iter().filter_map(|row| literals(columns, row).ok()).collect();
    let under = index.condition.as_ref().map(|condition| format!(" AND ({condition})")).unwrap_or_default();
    let listed = listed(name, columns, &rows);
    let parts: Vec<&str> = index.parts.iter().map(|part| part.sql.as_str()).collect();
    if !index.nulls_are_one {
        let parts = parts.join(", ");
        return format!("({parts}) IN (SELECT {parts} FROM {listed} WHERE _trueup_row > 0{under}){under}");
    }
    let numbered = |(at, part): (usize, &&str)| (format!("_trueup_{at}"), (*part).to_owned());
    let numbered: Vec<(String, String)> = parts.iter().enumerate().map(numbered).collect();
    let values: Vec<String> = numbered.iter().map(|(alias, part)| format!("{part} AS {alias}")).collect();
    let same: Vec<String> =
        numbered.iter().map(|(alias, part)| format!("{part} IS NOT DISTINCT FROM {alias}")).collect();
    format!(
        "EXISTS (SELECT FROM (SELECT {} FROM {listed} WHERE _trueup_row > 0{under}) AS planned WHERE {}){under}",
        values.join(", "),
        same.join(" AND ")
    )
}

fn literals(columns: &[Column], row: &[Value]) -> Result<Vec<String>, Unwritable> {
    let literal = |(column, value): (&Column, &Value)| {
        let literal = literal(value, &column.column_type)?;
        Ok(format!("CAST({literal} AS {})", column.column_type.declared))
    };
    columns.iter().zip(row).map(literal).collect()
}

/// The rows under the names of the table's columns. The first row gives each the column's own collation.
fn listed(name: &TableName, columns: &[Column], rows: &[Vec<String>]) -> String {
    let own =
        |column: &Column| format!("(SELECT {} FROM {} WHERE FALSE)", identifier(&column.name), table(name));
    let own: Vec<String> = columns.iter().map(own).collect();
    let mut list = format!("(0, {})", own.join(", "));
    for (at, row) in rows.iter().enumerate() {
        list.push_str(&format!(", ({}, {})", at + 1, row.join(", ")));
    }
    let names: Vec<String> = columns.iter().map(|column| identifier(&column.name)).collect();
    format!("(VALUES {list}) AS listed (_trueup_row, {})", names.join(", "))
}

/// A text for the values that the index takes for one, NULL for NULL.
fn mark(part: &IndexPart) -> String {
    let sql = &part.sql;
    match part.alike {
        // The hashes by which the server itself groups: equal for all that is equal. 128 bits of them.
        Alike::Text | Alike::Collation(_) => format!(
            "CASE WHEN {sql} IS NOT NULL THEN pg_catalog.hash_array_extended(ARRAY[{sql}], 0) || ' ' || \
             pg_catalog.hash_array_extended(ARRAY[{sql}], 1) END"
        ),
        Alike::Number => format!("pg_catalog.trim_scale({sql})::text"),
        // A sum is never the negative zero.
        Alike::Float => format!("({sql} + 0)::text"),
        Alike::Printed => format!("{sql}::text"),
    }
}
