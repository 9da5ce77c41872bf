//! Which rows a unique index takes for one, where its columns alone do not say so: SQLite itself evaluates the index's
//! expressions and its condition over a list of rows that has the table's names, affinities and collations.
//!
//! A value of a class that its column's affinity does not have could not be listed as it is stored: its row is not
//! looked at. Invariant: two marks are equal exactly where the index would not let both rows be there.

use super::declared::Affinity;
use super::identifier;
use super::literal::stored;
use crate::sql::{Alike, Column, IndexPart, UniqueIndex, Unwritable};
use crate::value::Value;

/// See [`Dialect::index_marks`](crate::sql::Dialect::index_marks).
pub(super) fn marks(
    index: &UniqueIndex,
    columns: &[Column],
    rows: &[Vec<Value>],
) -> Result<String, Unwritable> {
    let rows = rows.iter().map(|row| literals(columns, row)).collect::<Result<Vec<_>, _>>()?;
    // Each mark is closed by a comma, and has none of its own.
    let marks: Vec<String> = index.parts.iter().map(mark).collect();
    Ok(format!(
        "SELECT CASE WHEN _trueup_whole{} THEN {} END FROM {} ORDER BY _trueup_row",
        under(index),
        marks.join(" || ',' || "),
        listed(columns, &rows)
    ))
}

/// The condition of the rows that are one with any of these under the index.
pub(super) fn condition(index: &UniqueIndex, columns: &[Column], rows: &[Vec<Value>]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().filter_map(|row| literals(columns, row).ok()).collect();
    if rows.is_empty() {
        return "0".to_owned();
    }
    let parts: Vec<String> = index.parts.iter().map(compared).collect();
    let parts = parts.join(", ");
    let under = under(index);
    let listed = listed(columns, &rows);
    format!("({parts}) IN (SELECT {parts} FROM {listed} WHERE _trueup_whole{under}){under}")
}

fn literals(columns: &[Column], row: &[Value]) -> Result<Vec<String>, Unwritable> {
    columns.iter().zip(row).map(|(column, value)| stored(value, &column.column_type)).collect()
}

fn under(index: &UniqueIndex) -> String {
    index.condition.as_ref().map(|condition| format!(" AND ({condition})")).unwrap_or_default()
}

fn compared(part: &IndexPart) -> String {
    match &part.alike {
        Alike::Collation(name) => format!("{} COLLATE {}", part.sql, identifier(name)),
        _ => part.sql.clone(),
    }
}

/// The rows under the names of the table's columns: a cast gives each the column's affinity.
fn listed(columns: &[Column], rows: &[Vec<String>]) -> String {
    let (mut names, mut whole) = (vec!["column1 AS _trueup_row".to_owned()], vec!["1".to_owned()]);
    for (at, column) in columns.iter().enumerate() {
        let given = format!("column{}", at + 2);
        let with_affinity = match Affinity::of(&column.column_type.declared) {
            Affinity::Blob => format!("+{given}"),
            Affinity::Text => format!("CAST({given} AS TEXT)"),
            Affinity::Real => format!("CAST({given} AS REAL)"),
            // A cast to INTEGER would cut; in all else the two are one.
            Affinity::Integer | Affinity::Numeric => format!("CAST({given} AS NUMERIC)"),
        };
        whole.push(format!("{given} IS {with_affinity}"));
        let collation = column.collation.as_ref().map(|name| format!(" COLLATE {}", identifier(name)));
        names.push(format!(
            "{with_affinity}{} AS {}",
            collation.unwrap_or_default(),
            identifier(&column.name)
        ));
    }
    let rows = rows.iter().enumerate().map(|(at, row)| format!("({}, {})", at + 1, row.join(", ")));
    let rows: Vec<String> = rows.collect();
    format!(
        "(SELECT {}, ({}) AS _trueup_whole FROM (VALUES {}))",
        names.join(", "),
        whole.join(" AND "),
        rows.join(", ")
    )
}

/// A text for the values that the index takes for one, NULL for NULL. Numbers are one by value: 1 and 1.0.
fn mark(part: &IndexPart) -> String {
    let sql = &part.sql;
    let text = match &part.alike {
        // It looks no further than a NUL, but at the lengths.
        Alike::Collation(name) if name.eq_ignore_ascii_case("NOCASE") => format!(
            "hex(lower(CASE WHEN instr({sql}, char(0)) THEN substr({sql}, 1, instr({sql}, char(0)) - 1) ELSE {sql} \
             END)) || ':' || length(CAST({sql} AS BLOB))"
        ),
        Alike::Collation(name) if name.eq_ignore_ascii_case("RTRIM") => format!("hex(rtrim({sql}, ' '))"),
        _ => format!("hex({sql})"),
    };
    format!(
        "CASE typeof({sql}) WHEN 'text' THEN 't' || {text} WHEN 'blob' THEN 'b' || hex({sql}) WHEN 'integer' THEN 'n' \
         || {sql} WHEN 'real' THEN CASE WHEN abs({sql}) < 9e18 AND {sql} = CAST({sql} AS INTEGER) THEN 'n' || \
         CAST({sql} AS INTEGER) ELSE printf('r%!.17g', {sql}) END END"
    )
}
