//! What the structure of one replica's table needs.

use serde::{Deserialize, Serialize};

use crate::sql::TableName;

/// A structural change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaChange {
    /// What kind.
    pub action: SchemaAction,
    /// `table` or `table.column`, by the replica's names.
    pub object: String,
    /// The statements, in order.
    pub sql: Vec<String>,
    /// The definition now (`None`: not there) and as it will be, for people.
    pub before: Option<String>,
    /// See `before`.
    pub after: Option<String>,
    /// Hazards it needs allowed.
    pub hazards: Vec<Hazard>,
    /// Shown and drift, never written (`schema: check`).
    pub withheld: bool,
}

impl SchemaChange {
    /// The column that it is about, by the replica's name; `None` where it is about the table.
    pub fn column(&self, table: &TableName) -> Option<&str> {
        self.object.strip_prefix(table.name.as_str())?.strip_prefix('.')
    }
}

/// Why a change is made only when it is allowed by name (`--allow NAME`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hazard {
    /// Its name, for example [`DELETES_DATA`].
    pub name: String,
    /// What would happen, for people.
    pub message: String,
    /// The rows it is about, where that is known.
    pub rows: Option<u64>,
}

/// The hazard of structural changes that take values with them.
pub const DELETES_DATA: &str = "DELETES_DATA";

/// The kinds of structural change there are so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SchemaAction {
    /// CREATE TABLE.
    CreateTable,
    /// ADD COLUMN.
    AddColumn,
    /// A difference that is reported only.
    AlterColumn,
    /// DROP TABLE.
    DropTable,
    /// DROP COLUMN.
    DropColumn,
    /// The next number of a column.
    SetSequence,
}

impl SchemaAction {
    /// Whether it comes after all row changes: the rows of what is dropped are taken out first, each guarded, and a
    /// sequence goes beyond the rows that were written.
    pub fn comes_last(self) -> bool {
        matches!(self, SchemaAction::DropTable | SchemaAction::DropColumn | SchemaAction::SetSequence)
    }

    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            SchemaAction::CreateTable => "create_table",
            SchemaAction::AddColumn => "add_column",
            SchemaAction::AlterColumn => "alter_column",
            SchemaAction::DropTable => "drop_table",
            SchemaAction::DropColumn => "drop_column",
            SchemaAction::SetSequence => "set_sequence",
        }
    }
}
