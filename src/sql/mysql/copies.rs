//! Rows without a key: told apart by all that they hold, counted, and deleted with LIMIT.
//!
//! Neither server has a name for the place of a row. A delete of some copies names the row and how many; rows of
//! which all copies go share a statement. Invariant: equal means the same in the pair's domain, exactly.

use super::literal;
use super::{Family, STATEMENT_BYTES_MAX, hex, identifier};
use super::{condition, document};
use crate::sql::{CopiesToDelete, Dialect, Guard, SelectColumn, Unwritable};
use crate::value::{Domain, Row, Type, Value, decode};

impl Family {
    /// The rows of a select that equal one of these in all of its columns that the server can compare.
    pub(super) fn among(&self, columns: &[SelectColumn], rows: &[Row]) -> String {
        let comparable = |(part, _): &(&SelectColumn, Option<&[u8]>)| !condition::is_incomparable(part);
        let value = |(column, field): (&SelectColumn, Option<&[u8]>)| decode(&column.domain, field);
        let values = |row: &Row| columns.iter().zip(row.fields()).filter(comparable).map(value).collect();
        let rows: Vec<Vec<Value>> = rows.iter().map(values).collect();
        let columns: Vec<SelectColumn> =
            columns.iter().filter(|part| !condition::is_incomparable(part)).cloned().collect();
        if columns.is_empty() {
            return "TRUE".to_owned();
        }
        self.one_of_rows(&columns, &rows.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// Deletes so many copies of each row, whichever the server comes upon first.
    pub(super) fn delete_rows(&self, copies: &CopiesToDelete<'_>) -> Vec<String> {
        let scope = copies.scope.map(|scope| format!(" AND ({scope})")).unwrap_or_default();
        let head = format!("DELETE FROM {} WHERE ", self.table(copies.table));
        if copies.unique {
            let rows: Vec<&[Value]> = copies.rows.iter().map(|(values, _)| values.as_slice()).collect();
            let conditions = self.in_statements(copies.columns, &rows);
            return conditions.into_iter().map(|condition| format!("{head}{condition}{scope}")).collect();
        }
        let each = copies.rows.iter().map(|(values, count)| {
            format!("{head}{}{scope} LIMIT {count}", self.same_row(copies.columns, values))
        });
        each.collect()
    }

    /// How many copies of a row there are, as a query.
    pub(super) fn count_copies(&self, guard: &Guard<'_>, row: &[Value]) -> String {
        let scope = guard.scope.map(|scope| format!(" AND ({scope})")).unwrap_or_default();
        let lock = if guard.locked { " FOR UPDATE" } else { "" };
        let condition = self.same_row(guard.columns, row);
        format!("SELECT COUNT(*) FROM {} WHERE {condition}{scope}{lock}", self.table(guard.table))
    }

    /// How many rows there are that equal one in a spelling that the server can tell, or that is known; and how many
    /// that may equal it at most.
    pub(super) fn count_spellings(
        &self,
        guard: &Guard<'_>,
        row: &[Value],
        known: (&[SelectColumn], &[Vec<Value>]),
    ) -> [String; 2] {
        let scope = guard.scope.map(|scope| format!(" AND ({scope})")).unwrap_or_default();
        let lock = if guard.locked { " FOR UPDATE" } else { "" };
        let told = known.1.iter().map(|spelled| self.same_row(known.0, spelled));
        let told: Vec<String> =
            told.chain([self.same_row(guard.columns, row)]).map(|same| format!("({same})")).collect();
        let columns = guard.columns.iter().zip(row);
        let may_be: Vec<String> = columns.map(|(part, value)| self.may_be(part, value)).collect();
        [told.join(" OR "), may_be.join(" AND ")].map(|condition| {
            format!("SELECT COUNT(*) FROM {} WHERE ({condition}){scope}{lock}", self.table(guard.table))
        })
    }

    /// Never false where the column holds the value, in whatever spelling.
    fn may_be(&self, part: &SelectColumn, value: &Value) -> String {
        let (same, name) = (self.as_compared(part, value), identifier(&part.column.name));
        match (&part.domain, &part.column.column_type.meaning, value) {
            (Domain::Json { canonical: true }, Type::Json, _) => same,
            (Domain::Json { canonical: true }, _, Value::Json(_)) => {
                format!("({same} OR ({name} IS NOT NULL AND {}))", untold_document(&name))
            }
            (Domain::Address, Type::Text { .. }, Value::Native(_)) => format!(
                "({same} OR INET6_ATON(SUBSTRING_INDEX({name}, '/', 1)) IS NULL AND {name} IS NOT NULL \
                 OR SUBSTRING_INDEX({name}, '/', -1) LIKE '0_%' AND LOCATE('/', {name}))"
            ),
            _ => same,
        }
    }

    /// Conditions that together find these rows, each short enough for a statement.
    fn in_statements(&self, columns: &[SelectColumn], rows: &[&[Value]]) -> Vec<String> {
        let whole = self.one_of_rows(columns, rows);
        if whole.len() <= STATEMENT_BYTES_MAX / 2 || rows.len() < 2 {
            return vec![whole];
        }
        let (first, second) = rows.split_at(rows.len() / 2);
        [self.in_statements(columns, first), self.in_statements(columns, second)].concat()
    }

    /// A list of the values of one column keeps the server from holding every row against every condition.
    fn one_of_rows(&self, columns: &[SelectColumn], rows: &[&[Value]]) -> String {
        let each: Vec<String> = rows.iter().map(|row| format!("({})", self.same_row(columns, row))).collect();
        let all = match each.as_slice() {
            [] => return "FALSE".to_owned(),
            [one] => return one.clone(),
            all => format!("({})", all.join("\nOR ")),
        };
        match telling_column(columns, rows) {
            Some((part, values)) => {
                let part = std::slice::from_ref(part);
                format!("{}\nAND {all}", condition::one_of(part, &values))
            }
            None => all,
        }
    }

    fn same_row(&self, columns: &[SelectColumn], row: &[Value]) -> String {
        let columns = columns.iter().zip(row);
        let conditions: Vec<String> = columns.map(|(part, value)| self.as_compared(part, value)).collect();
        conditions.join(" AND ")
    }

    /// Equal in the pair's domain.
    pub(super) fn as_compared(&self, part: &SelectColumn, value: &Value) -> String {
        let name = identifier(&part.column.name);
        match (&part.domain, &part.column.column_type.meaning, value) {
            (Domain::Json { canonical: true }, Type::Json, Value::Json(text)) => {
                format!("{name} = CAST({} AS JSON)", document::literal(text))
            }
            // JSON_EQUALS came with MariaDB 10.7 (before it only the same spelling will do), and takes NULL for equal.
            (Domain::Json { canonical: true }, _, Value::Json(text)) => format!(
                "({} = {} /*M!100700 OR ({name} IS NOT NULL AND JSON_EQUALS({name}, {})) */)",
                condition::by_code_point(&name),
                hex(text.as_bytes()),
                literal::text(text)
            ),
            (Domain::Uuid, Type::Text { .. }, Value::Uuid(bytes)) => {
                format!("LOWER(REPLACE({name}, '-', '')) = '{}'", literal::uuid_text(bytes).replace('-', ""))
            }
            (_, Type::Float64 | Type::Float32, Value::Float32(_) | Value::Float64(_)) => {
                self.same_float(&name, value)
            }
            _ => condition::equals(part, value),
        }
    }

    /// The sign of -0.0, which no comparison sees, shows in its text where the server keeps it.
    fn same_float(&self, name: &str, value: &Value) -> String {
        let number = match value {
            Value::Float32(number) => f64::from(*number),
            Value::Float64(number) => *number,
            _ => 0.0,
        };
        if number == 0.0 && self.limits.negative_zero {
            return condition::zero_of(name, number.is_sign_negative());
        }
        format!("{name} = {}", literal::operand(value).unwrap_or_else(|| "NULL".to_owned()))
    }
}

/// Whether JSON_EQUALS may take a document for another that is equal: where characters are written as escapes or a
/// name stands twice. Not every server has that function; then all may be equal.
fn untold_document(name: &str) -> String {
    let twice = hex(br#"(?s)("[^"]*")[[:space:]]*:.*\1[[:space:]]*:"#);
    format!(
        "(/*M!100700 (NOT JSON_VALID({name}) OR LOCATE(_utf8mb4 {}, {name}) OR LENGTH({name}) > {PLAIN_BYTES_MAX} \
         OR {name} REGEXP _utf8mb4 {twice}) AND */ TRUE)",
        hex(b"\\")
    )
}

/// Longer documents are not looked through for names that stand twice: the server would give up on some and say no.
const PLAIN_BYTES_MAX: usize = 4_000;

/// The column without NULL whose values tell most of these rows apart, with its values.
fn telling_column<'a>(
    columns: &'a [SelectColumn],
    rows: &[&[Value]],
) -> Option<(&'a SelectColumn, Vec<Vec<Value>>)> {
    let listed = |(_, part): &(usize, &SelectColumn)| {
        matches!(
            part.column.column_type.meaning,
            Type::Integer { .. }
                | Type::Text { .. }
                | Type::Bytes { .. }
                | Type::Date
                | Type::DateTime { .. }
        )
    };
    let values = |(index, part): (usize, &'a SelectColumn)| {
        let mut values: Vec<(String, Value)> = Vec::new();
        for row in rows {
            let value = &row[index];
            if value.is_null() {
                return None;
            }
            values.push((condition::equals(part, value), value.clone()));
        }
        values.sort_by(|a, b| a.0.cmp(&b.0));
        values.dedup_by(|a, b| a.0 == b.0);
        Some((part, values.into_iter().map(|(_, value)| vec![value]).collect::<Vec<_>>()))
    };
    let told = columns.iter().enumerate().filter(listed).filter_map(values);
    told.max_by_key(|(_, values)| values.len())
}

/// The deletes, once every value is one that its column can hold.
pub(super) fn delete(family: &Family, copies: &CopiesToDelete<'_>) -> Result<Vec<String>, Unwritable> {
    for (values, _) in copies.rows {
        for (part, value) in copies.columns.iter().zip(values) {
            family.write_literal(value, &part.column)?;
        }
    }
    Ok(family.delete_rows(copies))
}
