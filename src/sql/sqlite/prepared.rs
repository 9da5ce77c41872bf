//! Rows written by one prepared statement, run for each of them with its values bound.
//!
//! Refuses rows that a statement must find by more than their key's plain values (a key with several spellings, of
//! a collation, with NULL) and values that only an expression can say: those go by text. Invariant: a bound value
//! is what its literal would be.

use super::declared::Affinity;
use super::literal::{Stored, judged};
use super::{identifier, table};
use crate::sql::{Column, RowsToWrite, SelectColumn, TableWrite, Unwritable};
use crate::value::Value;

/// A statement, and what is bound to its parameters for each row.
pub(crate) struct Prepared<'a> {
    /// With `?1`, `?2` ….
    pub(crate) sql: String,
    /// The values for each run.
    pub(crate) rows: Vec<Vec<Stored<'a>>>,
}

impl<'a> Prepared<'a> {
    /// `None` where the rows must go by text.
    ///
    /// # Errors
    /// A value that its column would not keep as it is.
    pub(crate) fn new(write: &'a TableWrite) -> Result<Option<Self>, Unwritable> {
        let name = table(&write.table);
        let prepared = match &write.rows {
            RowsToWrite::Insert { columns, rows } => {
                let names: Vec<String> = columns.iter().map(|column| identifier(&column.name)).collect();
                let places: Vec<String> = (1..=columns.len()).map(|place| format!("?{place}")).collect();
                Prepared {
                    // As in `insert` and `update`: the replica's own ON CONFLICT clause has no say.
                    sql: format!(
                        "INSERT OR ABORT INTO {name} ({}) VALUES ({})",
                        names.join(", "),
                        places.join(", ")
                    ),
                    rows: bound(columns, rows.iter().map(|row| row.iter().collect()))?,
                }
            }
            RowsToWrite::Update { key, columns, rows, .. } => {
                if !rows.iter().all(|row| is_plain(key, &row.key)) {
                    return Ok(None);
                }
                let both: Vec<Column> =
                    columns.iter().chain(key.iter().map(|part| &part.column)).cloned().collect();
                let set = (1..).zip(columns);
                let set: Vec<String> =
                    set.map(|(place, column)| format!("{} = ?{place}", identifier(&column.name))).collect();
                let found = found(key, columns.len() + 1);
                Prepared {
                    sql: format!("UPDATE OR ABORT {name} SET {} WHERE {found}", set.join(", ")),
                    rows: bound(&both, rows.iter().map(|row| row.values.iter().chain(&row.key).collect()))?,
                }
            }
            RowsToWrite::Delete { key, keys } => {
                if !keys.iter().all(|values| is_plain(key, values)) {
                    return Ok(None);
                }
                let columns: Vec<Column> = key.iter().map(|part| part.column.clone()).collect();
                Prepared {
                    sql: format!("DELETE FROM {name} WHERE {}", found(key, 1)),
                    rows: bound(&columns, keys.iter().map(|key| key.iter().collect()))?,
                }
            }
            RowsToWrite::DeleteCopies { .. } => return Ok(None),
        };
        let is_bound = |value: &Stored<'_>| !matches!(value, Stored::Expression(_));
        let goes = prepared.rows.iter().flatten().all(is_bound);
        Ok(goes.then_some(prepared))
    }
}

fn bound<'a>(
    columns: &[Column],
    rows: impl Iterator<Item = Vec<&'a Value>>,
) -> Result<Vec<Vec<Stored<'a>>>, Unwritable> {
    let bound = |row: Vec<&'a Value>| {
        columns.iter().zip(row).map(|(column, value)| judged(value, &column.column_type)).collect()
    };
    rows.map(bound).collect()
}

fn found(key: &[SelectColumn], first: usize) -> String {
    let equal = (first..).zip(key);
    let equal: Vec<String> =
        equal.map(|(place, part)| format!("{} = ?{place}", identifier(&part.column.name))).collect();
    equal.join(" AND ")
}

/// Whether a key has one spelling, which an index finds and nothing but it equals.
fn is_plain(key: &[SelectColumn], values: &[Value]) -> bool {
    key.iter().zip(values).all(|(part, value)| {
        let untyped = Affinity::of(&part.column.column_type.declared) == Affinity::Blob;
        match value {
            Value::Boolean(_) | Value::Integer(_) => part.column.collation.is_none() && !untyped,
            Value::Text(_) | Value::Bytes(_) => part.column.collation.is_none(),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::declared::column_type;
    use super::*;
    use crate::sql::{RowUpdate, TableName};
    use crate::value::Domain;

    fn column(name: &str, declared: &str) -> Column {
        Column {
            name: name.to_owned(),
            column_type: column_type(declared),
            nullable: true,
            default: None,
            generated: None,
            identity: None,
            collation: None,
            words: Default::default(),
        }
    }

    fn key(declared: &str) -> Vec<SelectColumn> {
        vec![SelectColumn { column: column("id", declared), domain: Domain::Text }]
    }

    fn write(rows: RowsToWrite) -> TableWrite {
        TableWrite { table: TableName::plain("t"), rows }
    }

    fn deletes(declared: &str, value: Value) -> TableWrite {
        write(RowsToWrite::Delete { key: key(declared), keys: vec![vec![value]] })
    }

    #[test]
    fn values_come_before_the_key() {
        let row = RowUpdate { key: vec![Value::Integer(7)], values: vec![Value::Text("a\0b".to_owned())] };
        let (columns, keep) = (vec![column("v", "TEXT")], Vec::new());
        let write = write(RowsToWrite::Update { key: key("INTEGER"), columns, keep, rows: vec![row] });
        let prepared = Prepared::new(&write).expect("they fit").expect("they are bound");
        assert_eq!(prepared.sql, "UPDATE OR ABORT \"t\" SET \"v\" = ?1 WHERE \"id\" = ?2");
        assert_eq!(prepared.rows, [[Stored::Text("a\0b".into()), Stored::Integer(7)]]);
    }

    #[test]
    fn keys_of_several_spellings_go_by_text() {
        let goes = |declared: &str, value: Value| {
            Prepared::new(&deletes(declared, value)).expect("it fits").is_some()
        };
        assert!(goes("INTEGER", Value::Integer(1)));
        assert!(goes("TEXT", Value::Text("x".to_owned())));
        assert!(!goes("TEXT", Value::Null));
        assert!(!goes("UUID", Value::Uuid([0; 16])));
        // 1 and 1.0 are two in a column without a type.
        assert!(!goes("", Value::Integer(1)));
        let mut folded = deletes("TEXT", Value::Text("x".to_owned()));
        if let RowsToWrite::Delete { key, .. } = &mut folded.rows {
            key[0].column.collation = Some("NOCASE".to_owned());
        }
        assert!(Prepared::new(&folded).expect("it fits").is_none());
    }

    #[test]
    fn what_the_column_would_change_is_refused() {
        let columns = vec![column("v", "TEXT")];
        let rows = RowsToWrite::Insert { columns, rows: vec![vec![Value::Integer(1)]] };
        assert!(Prepared::new(&write(rows)).is_err());
        let columns = vec![column("v", "TEXT")];
        let rows = RowsToWrite::Insert { columns, rows: vec![vec![Value::RawText(vec![0xff])]] };
        assert!(Prepared::new(&write(rows)).expect("it fits").is_none());
    }
}
