//! What the structure of one replica's table needs.

/// A structural change.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// Why a change is made only when it is allowed by name (`--allow NAME`).
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

impl SchemaAction {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            SchemaAction::CreateTable => "create_table",
            SchemaAction::AddColumn => "add_column",
            SchemaAction::AlterColumn => "alter_column",
            SchemaAction::DropTable => "drop_table",
            SchemaAction::DropColumn => "drop_column",
        }
    }
}
