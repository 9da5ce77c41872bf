//! Rights: what a run needs of a table, and what of it a login lacks. Nouns that the engines answer in; nothing
//! here asks a database, and nobody who asks may write.

use crate::failure::ErrorKind;
use crate::sql::TableName;

/// A right that reading or writing a table takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Reading columns.
    Select,
    /// Locking rows that are about to be written, so that they can be compared before.
    Lock,
    /// Inserting rows.
    Insert,
    /// Updating columns.
    Update,
    /// Deleting rows.
    Delete,
    /// Creating the table.
    Create,
    /// Adding columns to the table.
    Alter,
    /// Moving a sequence, which stands in the table's place.
    Sequence,
}

impl Right {
    /// The word in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Right::Select => "SELECT",
            Right::Lock => "UPDATE (to lock rows)",
            Right::Insert => "INSERT",
            Right::Update => "UPDATE",
            Right::Delete => "DELETE",
            Right::Create => "CREATE",
            Right::Alter => "ALTER",
            Right::Sequence => "UPDATE",
        }
    }
}

/// A right that a run needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Which.
    pub right: Right,
    /// On which table.
    pub table: TableName,
    /// Of which columns, where a right can be given for some only; never empty for these.
    pub columns: Vec<String>,
}

/// A table whose triggers cannot be kept from firing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// The table.
    pub table: TableName,
    /// What kind of error that is.
    pub kind: ErrorKind,
    /// Why.
    pub reason: String,
    /// What would do.
    pub hint: String,
}

/// A right that a login lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// Which.
    pub right: Right,
    /// On which table.
    pub table: TableName,
    /// What would give it, `GRANT …`.
    pub hint: String,
}
