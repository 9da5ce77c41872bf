//! What one row of a replica needs.

use serde::{Deserialize, Serialize};

use super::ChangeNumber;
use crate::value::Row;

/// One change of one row, as encoded rows of the pair's columns (key first). The key is the prefix of either
/// row, the guard is the digest of `before`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowChange {
    /// The row is missing on the replica.
    Insert {
        /// The row as it will be.
        after: Row,
    },
    /// The row differs.
    Update {
        /// The row as it is on the replica.
        before: Row,
        /// The row as it is on the primary.
        after: Row,
        /// Indexes of the columns that differ and are not excused, ascending; never a key column.
        columns: Vec<u16>,
    },
    /// The row is extra on the replica.
    Delete {
        /// The row as it is on the replica.
        before: Row,
    },
}

impl RowChange {
    /// The row that carries the key.
    pub fn row(&self) -> &Row {
        match self {
            RowChange::Insert { after } => after,
            RowChange::Update { before, .. } | RowChange::Delete { before } => before,
        }
    }
}

/// A row change, and whether the spec withholds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedChange {
    /// The change.
    pub change: RowChange,
    /// Shown, counted as drift, never written.
    pub withheld: bool,
    /// For a delete: the replica's columns out of scope, encoded in the order and the domains of
    /// `TablePair::replica_extra`; none when there are no such columns. For an insert: what those columns get, where
    /// it puts back a row that the replica had; else their defaults do.
    pub extra: Option<Row>,
    /// How the replica spells the values that tell the row from others, of an update or a delete: the columns of
    /// `TablePair::stored_parts`, encoded. None where it cannot spell them in several ways, or was not looked at. For
    /// an insert: the spelling of a row that is put back.
    pub stored: Option<Row>,
    /// Which of several equal changes it is, in a table without a key; none where rows have one.
    pub copy: Option<CopyNumber>,
}

/// One of several equal changes of a table without a key: each inserts or deletes one copy of the same row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyNumber {
    /// Among the changes of rows that are the same also in their spelling and in what they hold out of scope, as far
    /// as the change knows these.
    pub image: CopyCount,
    /// Among all changes of rows that are equal as compared.
    pub row: CopyCount,
}

impl CopyNumber {
    /// The change of the same image that comes so many behind this one.
    pub fn later(self, by: u64) -> Self {
        let later = |count: CopyCount| CopyCount { number: count.number + by, ..count };
        CopyNumber { image: later(self.image), row: later(self.row) }
    }
}

/// A change among those that count as its equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyCount {
    /// Copies on the replica as compared.
    pub there: u64,
    /// Its number among the equal changes, from 0 on.
    pub number: u64,
    /// How many equal changes there are.
    pub of: u64,
}

impl PlannedChange {
    /// Whether another change does the same to another copy of the same row.
    pub fn is_copy_of(&self, other: &Self) -> bool {
        self.copy.is_some()
            && other.copy.is_some()
            && self.withheld == other.withheld
            && self.change == other.change
            && self.extra == other.extra
            && self.stored == other.stored
    }

    /// The values of the row that carries the key, and behind them those of the columns out of scope, where they are
    /// known.
    pub fn fields(&self) -> Vec<Option<&[u8]>> {
        self.change.row().fields().chain(self.extra.iter().flat_map(Row::fields)).collect()
    }

    /// Bytes of all values that it carries.
    pub fn bytes_len(&self) -> usize {
        let length = |row: &Option<Row>| row.as_ref().map_or(0, |row| row.bytes().len());
        self.change.row().bytes().len() + length(&self.extra) + length(&self.stored)
    }
}

/// How many rows to insert, update and delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    /// Rows missing on the replica.
    pub insert: u64,
    /// Rows that differ.
    pub update: u64,
    /// Rows extra on the replica.
    pub delete: u64,
}

impl RowCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.insert + self.update + self.delete
    }

    /// Counts one change.
    pub fn count(&mut self, change: &RowChange) {
        self.count_copies(change, 1);
    }

    /// Counts equal changes.
    pub fn count_copies(&mut self, change: &RowChange, copies: u64) {
        match change {
            RowChange::Insert { .. } => self.insert += copies,
            RowChange::Update { .. } => self.update += copies,
            RowChange::Delete { .. } => self.delete += copies,
        }
    }
}

impl std::ops::AddAssign for RowCounts {
    fn add_assign(&mut self, other: Self) {
        self.insert += other.insert;
        self.update += other.update;
        self.delete += other.delete;
    }
}

impl std::ops::Sub for RowCounts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        RowCounts {
            insert: self.insert - other.insert,
            update: self.update - other.update,
            delete: self.delete - other.delete,
        }
    }
}

/// Values of a unique index of the replica that one planned row gives up and another one takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// The columns whose values are held against each other, by their index in the pair: a row that gives one of them
    /// up gives the value up.
    pub columns: Vec<u16>,
    /// All that the index speaks of, its condition included: whoever changes one of them may give the value up, or
    /// take it.
    #[serde(default)]
    pub watched: Vec<u16>,
    /// Whether rows with NULL in one of them collide with none.
    pub empties: bool,
    /// Who gives up and who takes, by number.
    pub rows: Vec<(ChangeNumber, ChangeNumber)>,
}
