//! A table as the statement that makes it, for engines that make a table anew to change it.
//!
//! Owns what a rebuild is from and to. Invariant: `text` says all that `columns`, `attachments` and `options` say, but for
//! indexes that are statements of their own.

use serde::{Deserialize, Serialize};

use super::{Attachment, Column};

/// The statements that made a table, as the engine keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredText {
    /// CREATE TABLE; `None`: the engine keeps no such text.
    pub table: Option<String>,
    /// Its triggers, in the order in which they were made.
    pub triggers: Vec<String>,
    /// Why the text could not be read, so that nobody knows the table's structure whole.
    pub unread: Option<String>,
}

/// A table's structure, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Its columns in order.
    pub columns: Vec<Column>,
    /// What it has besides.
    pub attachments: Vec<Attachment>,
    /// What DDL says of it behind its columns.
    pub options: Option<String>,
    /// CREATE TABLE.
    pub text: String,
}

/// A table that is made anew with its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuild {
    /// As it is now.
    pub before: Shape,
    /// As it will be.
    pub after: Shape,
    /// The statements that make its triggers.
    pub triggers: Vec<String>,
}

/// What a table is to be: some of what one has on another server, some of what it has now.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The table on the other server.
    pub model: &'a Shape,
    /// As it is now; `None`: it is not there.
    pub now: Option<&'a Shape>,
    /// The columns that it takes from there: their names there and here.
    pub columns: &'a [(String, String)],
    /// What it is to have besides columns, by the names here.
    pub attachments: &'a [Attachment],
}
