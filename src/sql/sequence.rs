//! What gives a column its next number: a sequence of its own, or a counter of its table. Nouns, and what each
//! engine's SQL reads and moves of them.
//!
//! Refuses to decide where a sequence should stand: that is the plan's. Invariant: no statement made here sets a
//! sequence back, as far as the engine can be told so in one statement.

use serde::{Deserialize, Serialize};

use super::{Column, TableName};

/// What numbers a column: an identity's, a serial's or a default's sequence (PostgreSQL), AUTO_INCREMENT (the MySQL
/// family), AUTOINCREMENT (SQLite).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// The column of its table.
    pub column: String,
    /// Its name where it is an object of its own and is there already.
    pub name: Option<TableName>,
    /// By how much it goes on, below zero where it descends; never zero.
    pub increment: i64,
    /// The smallest number it gives.
    pub min: i128,
    /// The largest number it gives.
    pub max: i128,
    /// Whether it begins anew at its end.
    pub cycles: bool,
    /// What would let this login read it, where it may not.
    pub hidden: Option<String>,
}

impl Sequence {
    /// A counter of a table: one by one from 1.
    pub fn counter(column: &str, max: i128) -> Self {
        Sequence {
            column: column.to_owned(),
            name: None,
            increment: 1,
            min: 1,
            max,
            cycles: false,
            hidden: None,
        }
    }

    /// Whether it gives smaller and smaller numbers.
    pub fn descends(&self) -> bool {
        self.increment < 0
    }

    /// Whether a saved plan may take the one for the other: what this login may read is no part of it.
    pub fn is_as(&self, other: &Sequence) -> bool {
        Sequence { hidden: None, ..self.clone() } == Sequence { hidden: None, ..other.clone() }
    }
}

/// One engine's SQL about sequences.
pub trait Numbering: std::fmt::Debug {
    /// A read of where a sequence stands: one row of a number and `true` where that was given already (else it is
    /// the next). No row, or NULL: it never gave any.
    fn position(&self, table: &TableName, sequence: &Sequence) -> String;

    /// A read of the largest number in a column (`smallest`: the smallest) of rows in scope, as text.
    fn furthest(&self, table: &TableName, column: &str, smallest: bool, scope: Option<&str>) -> String;

    /// A read of how many rows of a table hold a number in a column that is not below `from` (`smallest`: not above
    /// it).
    fn count_from(&self, table: &TableName, column: &str, smallest: bool, from: i128) -> String;

    /// The statements after which `next` (or, where the sequence has gone on meanwhile, a later one) is the next
    /// number; one beyond the last the sequence gives leaves none to give. Empty where that cannot be done.
    fn set(&self, table: &TableName, sequence: &Sequence, next: i128) -> Vec<String>;

    /// The statements that run one of [`set`](Self::set) only where the sequence does not stand there by now: where it
    /// would set one back that has gone on since. One that minds that itself stays as it is.
    fn unless_reached(&self, _table: &TableName, statement: &str) -> Vec<String> {
        vec![statement.to_owned()]
    }

    /// The sequence of a column that this dialect's own CREATE TABLE or ADD COLUMN makes, if it makes one.
    fn made(&self, column: &Column) -> Option<Sequence>;

    /// Whether a row that is inserted with a number of its own moves the sequence beyond it.
    fn counts_inserted(&self) -> bool;

    /// Whether the next number is beyond every row of the table wherever the sequence stands.
    fn counts_rows(&self) -> bool {
        false
    }
}
