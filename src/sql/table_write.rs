//! Rows of one table that are written in one go, as values: each engine's writer has its own best way for them.
//!
//! Owns what is to be written, not how: [`TableWrite::statements`] is the way by text, which every engine has and a
//! script needs. Invariant: a write by any other way stores exactly what those statements would, and matches the
//! same rows.

use super::{Column, CopiesToDelete, Dialect, RowUpdate, SelectColumn, TableName, Unwritable};
use crate::value::Value;

/// Rows of one table to write, all in the same way.
#[derive(Clone, Debug, PartialEq)]
pub struct TableWrite {
    /// The table.
    pub table: TableName,
    /// What happens to which rows.
    pub rows: RowsToWrite,
}

/// What happens to rows.
#[derive(Clone, Debug, PartialEq)]
pub enum RowsToWrite {
    /// New rows.
    Insert {
        /// The columns that are given values.
        columns: Vec<Column>,
        /// A value for each of them.
        rows: Vec<Vec<Value>>,
    },
    /// New values for rows that are there.
    Update {
        /// What finds a row, as [`Dialect::update`] says.
        key: Vec<SelectColumn>,
        /// The columns that are set.
        columns: Vec<Column>,
        /// Columns that would write themselves and are to stay as they are.
        keep: Vec<Column>,
        /// Keys and new values.
        rows: Vec<RowUpdate>,
    },
    /// Rows that go.
    Delete {
        /// What finds a row.
        key: Vec<SelectColumn>,
        /// The keys.
        keys: Vec<Vec<Value>>,
    },
    /// So many copies of whole rows that go.
    DeleteCopies {
        /// See [`CopiesToDelete::columns`].
        columns: Vec<SelectColumn>,
        /// See [`CopiesToDelete::scope`].
        scope: Option<String>,
        /// See [`CopiesToDelete::unique`].
        unique: bool,
        /// See [`CopiesToDelete::rows`].
        rows: Vec<(Vec<Value>, u64)>,
    },
}

impl TableWrite {
    /// How many rows these are; copies are counted by their images.
    pub fn len(&self) -> usize {
        match &self.rows {
            RowsToWrite::Insert { rows, .. } => rows.len(),
            RowsToWrite::Update { rows, .. } => rows.len(),
            RowsToWrite::Delete { keys, .. } => keys.len(),
            RowsToWrite::DeleteCopies { rows, .. } => rows.len(),
        }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first rows and the rest, where there are two and they can be written apart.
    pub fn halves(&self) -> Option<[Self; 2]> {
        fn cut<T: Clone>(rows: &[T]) -> [Vec<T>; 2] {
            let (first, second) = rows.split_at(rows.len() / 2);
            [first.to_vec(), second.to_vec()]
        }
        let of = |rows: RowsToWrite| TableWrite { table: self.table.clone(), rows };
        if self.len() < 2 {
            return None;
        }
        Some(match &self.rows {
            RowsToWrite::Insert { columns, rows } => {
                cut(rows).map(|rows| of(RowsToWrite::Insert { columns: columns.clone(), rows }))
            }
            RowsToWrite::Update { key, columns, keep, rows } => cut(rows).map(|rows| {
                let (key, columns, keep) = (key.clone(), columns.clone(), keep.clone());
                of(RowsToWrite::Update { key, columns, keep, rows })
            }),
            RowsToWrite::Delete { key, keys } => {
                cut(keys).map(|keys| of(RowsToWrite::Delete { key: key.clone(), keys }))
            }
            RowsToWrite::DeleteCopies { .. } => return None,
        })
    }

    /// The same, rows with a NULL in their key apart from the others: no index and no hash finds those.
    pub fn nulls_apart(self) -> Vec<Self> {
        let is_whole = |key: &Vec<Value>| !key.iter().any(Value::is_null);
        let table = self.table;
        let parts = match self.rows {
            RowsToWrite::Update { key, columns, keep, rows } => {
                let (whole, others) = rows.into_iter().partition::<Vec<_>, _>(|row| is_whole(&row.key));
                [whole, others].map(|rows| {
                    let (key, columns, keep) = (key.clone(), columns.clone(), keep.clone());
                    RowsToWrite::Update { key, columns, keep, rows }
                })
            }
            RowsToWrite::Delete { key, keys } => {
                let (whole, others) = keys.into_iter().partition::<Vec<_>, _>(is_whole);
                [whole, others].map(|keys| RowsToWrite::Delete { key: key.clone(), keys })
            }
            rows => return vec![TableWrite { table, rows }],
        };
        let parts = parts.into_iter().map(|rows| TableWrite { table: table.clone(), rows });
        parts.filter(|part| !part.is_empty()).collect()
    }

    /// The same as statements.
    ///
    /// # Errors
    /// A value that its column cannot hold exactly.
    pub fn statements(&self, dialect: &dyn Dialect) -> Result<Vec<String>, Unwritable> {
        match &self.rows {
            RowsToWrite::Insert { columns, rows } => dialect.insert(&self.table, columns, rows),
            RowsToWrite::Update { key, columns, keep, rows } => {
                dialect.update_keeping(&self.table, key, columns, keep, rows)
            }
            RowsToWrite::Delete { key, keys } => dialect.delete(&self.table, key, keys),
            RowsToWrite::DeleteCopies { columns, scope, unique, rows } => {
                dialect.delete_copies(&CopiesToDelete {
                    table: &self.table,
                    columns,
                    scope: scope.as_deref(),
                    unique: *unique,
                    rows,
                })
            }
        }
    }
}
