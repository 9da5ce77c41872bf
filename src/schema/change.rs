//! What the structure of one replica's table needs.

use serde::{Deserialize, Serialize};

use crate::sql::{Alteration, AttachmentKind, Column, Dialect, TableName};

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
    /// What it does to a table that is there, where that is more than a table or a column that comes or goes.
    #[serde(default)]
    pub alteration: Option<Alteration>,
    /// Whether it comes after all row changes although its kind need not: it asks of the rows what they obey by then.
    #[serde(default)]
    pub behind_rows: bool,
    /// How it is committed.
    #[serde(default)]
    pub commit: Commit,
    /// The kind of the change of which it is a step (`online`), whose place it has; `None`: it is one by itself.
    #[serde(default)]
    pub step_of: Option<SchemaAction>,
}

/// How a structural change is committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Commit {
    /// Together with others and with rows, where the engine can.
    #[default]
    Together,
    /// In a transaction of its own, which does not wait long for a lock (`online`).
    Alone,
    /// Statement by statement, outside of transactions; all of it can be run again from the first statement (`online`).
    Outside,
}

impl SchemaChange {
    /// The schema of a table that is created is created first. It is never dropped.
    pub fn of_schema(dialect: &dyn Dialect, name: &str, withheld: bool) -> Option<Self> {
        let sql = dialect.create_schema(name)?;
        Some(SchemaChange {
            action: SchemaAction::CreateSchema,
            object: name.to_owned(),
            after: Some(sql.clone()),
            sql: vec![sql],
            before: None,
            hazards: Vec::new(),
            withheld,
            alteration: None,
            behind_rows: false,
            commit: Commit::Together,
            step_of: None,
        })
    }

    /// Whether it comes after all row changes.
    pub fn comes_last(&self) -> bool {
        self.behind_rows || self.place().comes_last()
    }

    /// See [`SchemaAction::rank`].
    pub fn rank(&self) -> u8 {
        self.place().rank()
    }

    fn place(&self) -> SchemaAction {
        self.step_of.unwrap_or(self.action)
    }

    /// The column that it is about, by the replica's name; `None` where it is about the table.
    pub fn column(&self, table: &TableName) -> Option<&str> {
        use SchemaAction::{Add, Drop, Rename};
        let names = matches!(self.action, Add(_) | Drop(_) | Rename(_)) || self.action.gives_names_first();
        if names || matches!(self.alteration, Some(Alteration::Enum(_) | Alteration::Partition(..))) {
            return None;
        }
        self.object.strip_prefix(table.name.as_str())?.strip_prefix('.')
    }

    /// The columns that a table which is there gets by it.
    pub fn coming_columns<'a>(&'a self, table: &TableName) -> Vec<&'a str> {
        match (&self.alteration, self.action) {
            (Some(Alteration::Rebuild(rebuild)), _) => only(&rebuild.after.columns, &rebuild.before.columns),
            (_, SchemaAction::AddColumn) => self.column(table).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// The columns that a table which stays loses by it.
    pub fn going_columns<'a>(&'a self, table: &TableName) -> Vec<&'a str> {
        match (&self.alteration, self.action) {
            (Some(Alteration::Rebuild(rebuild)), _) => only(&rebuild.before.columns, &rebuild.after.columns),
            (_, SchemaAction::DropColumn) => self.column(table).into_iter().collect(),
            _ => Vec::new(),
        }
    }
}

/// The columns of the first that the second lacks.
fn only<'a>(first: &'a [Column], second: &[Column]) -> Vec<&'a str> {
    let is_only = |column: &&Column| !second.iter().any(|other| other.name == column.name);
    first.iter().filter(is_only).map(|column| column.name.as_str()).collect()
}

/// Why a change is made only when it is allowed by name (`--allow NAME`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hazard {
    /// Its name, for example [`DELETES_DATA`](crate::spec::DELETES_DATA).
    pub name: String,
    /// What would happen, for people.
    pub message: String,
    /// The rows it is about, where that is known.
    pub rows: Option<u64>,
}

/// The kinds of structural change there are so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SchemaAction {
    /// CREATE TABLE.
    CreateTable,
    /// ADD COLUMN.
    AddColumn,
    /// ALTER COLUMN.
    AlterColumn,
    /// What stands behind the columns of a table becomes something else.
    AlterTable,
    /// DROP TABLE.
    DropTable,
    /// DROP COLUMN.
    DropColumn,
    /// The next number of a column.
    SetSequence,
    /// Something comes that a table has besides columns.
    Add(AttachmentKind),
    /// Something goes that a table has besides columns.
    Drop(AttachmentKind),
    /// Something that a table has besides columns gets another name.
    Rename(AttachmentKind),
    /// The table is made anew, with its rows.
    RebuildTable,
    /// CREATE TYPE.
    CreateType,
    /// Words come to an enum type, in their places.
    AddEnumValue,
    /// Words of an enum type change places.
    AlterType,
    /// Words of an enum type go.
    DropEnumValue,
    /// DROP TYPE.
    DropType,
    /// CREATE SCHEMA.
    CreateSchema,
    /// A table gets a partition.
    AddPartition,
    /// A table loses a partition.
    DropPartition,
    /// The table gets another name.
    RenameTable,
    /// A column gets another name.
    RenameColumn,
}

impl SchemaAction {
    /// Whether it comes after all row changes: the rows of what is dropped are taken out first, each guarded, and a
    /// sequence goes beyond the rows that were written.
    pub fn comes_last(self) -> bool {
        use SchemaAction::{
            Add, AlterType, DropColumn, DropEnumValue, DropTable, DropType, Rename, SetSequence,
        };
        match self {
            DropTable | DropColumn | SetSequence | Add(_) | Rename(_) => true,
            // Made anew when everything else is as it will be.
            AlterType | DropEnumValue | DropType | SchemaAction::DropPartition => true,
            SchemaAction::CreateTable
            | SchemaAction::AddColumn
            | SchemaAction::AlterColumn
            | SchemaAction::AlterTable
            | SchemaAction::Drop(_)
            | SchemaAction::RebuildTable
            | SchemaAction::RenameTable
            | SchemaAction::RenameColumn
            | SchemaAction::CreateType
            | SchemaAction::AddPartition
            | SchemaAction::CreateSchema
            | SchemaAction::AddEnumValue => false,
        }
    }

    /// Whether it comes before everything else, committed by itself: what it brings can be used only then.
    pub fn commits_first(self) -> bool {
        self == SchemaAction::AddEnumValue
    }

    /// Whether it gives a name to a table or a column, before all else.
    pub fn gives_names_first(self) -> bool {
        matches!(self, SchemaAction::RenameTable | SchemaAction::RenameColumn)
    }

    /// The rank of tables that only the replica has: behind the foreign keys that go, before all else.
    pub const EXTRA_RANK: u8 = 3;

    /// Its place among the changes before the rows, and among those behind them: what points goes before what it
    /// points at, and comes behind it.
    pub fn rank(self) -> u8 {
        use AttachmentKind::{Check, Comment, ForeignKey, Index, PrimaryKey, Unique};
        match self {
            SchemaAction::RenameTable => 0,
            SchemaAction::RenameColumn => 1,
            SchemaAction::AddEnumValue => 0,
            SchemaAction::Drop(ForeignKey) => 2,
            SchemaAction::CreateSchema => 3,
            SchemaAction::CreateType => 4,
            SchemaAction::CreateTable => 5,
            SchemaAction::Drop(Check | Comment) => 6,
            SchemaAction::Drop(Index | Unique) => 7,
            SchemaAction::Drop(PrimaryKey) => 8,
            SchemaAction::RebuildTable => 9,
            SchemaAction::AlterColumn | SchemaAction::AlterTable => 10,
            SchemaAction::AddColumn | SchemaAction::AddPartition => 11,
            SchemaAction::Rename(_) => 12,
            SchemaAction::Add(PrimaryKey) => 13,
            SchemaAction::Add(Unique) => 14,
            SchemaAction::Add(Index) => 15,
            SchemaAction::Add(Check) => 16,
            SchemaAction::Add(ForeignKey) => 17,
            SchemaAction::Add(Comment) => 18,
            SchemaAction::DropColumn => 19,
            SchemaAction::DropTable | SchemaAction::DropPartition => 20,
            SchemaAction::AlterType | SchemaAction::DropEnumValue => 21,
            SchemaAction::DropType => 22,
            SchemaAction::SetSequence => 23,
        }
    }

    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            SchemaAction::CreateTable => "create_table",
            SchemaAction::AddColumn => "add_column",
            SchemaAction::AlterColumn => "alter_column",
            SchemaAction::AlterTable => "alter_table",
            SchemaAction::DropTable => "drop_table",
            SchemaAction::DropColumn => "drop_column",
            SchemaAction::SetSequence => "set_sequence",
            SchemaAction::RebuildTable => "rebuild_table",
            SchemaAction::CreateType => "create_type",
            SchemaAction::AddEnumValue => "add_enum_value",
            SchemaAction::AlterType => "alter_type",
            SchemaAction::DropEnumValue => "drop_enum_value",
            SchemaAction::DropType => "drop_type",
            SchemaAction::CreateSchema => "create_schema",
            SchemaAction::AddPartition => "add_partition",
            SchemaAction::DropPartition => "drop_partition",
            SchemaAction::RenameTable => "rename_table",
            SchemaAction::RenameColumn => "rename_column",
            SchemaAction::Add(AttachmentKind::PrimaryKey) => "add_primary_key",
            SchemaAction::Add(AttachmentKind::Unique) => "add_unique",
            SchemaAction::Add(AttachmentKind::Index) => "add_index",
            SchemaAction::Add(AttachmentKind::Check) => "add_check",
            SchemaAction::Add(AttachmentKind::ForeignKey) => "add_foreign_key",
            SchemaAction::Add(AttachmentKind::Comment) => "add_comment",
            SchemaAction::Drop(AttachmentKind::PrimaryKey) => "drop_primary_key",
            SchemaAction::Drop(AttachmentKind::Unique) => "drop_unique",
            SchemaAction::Drop(AttachmentKind::Index) => "drop_index",
            SchemaAction::Drop(AttachmentKind::Check) => "drop_check",
            SchemaAction::Drop(AttachmentKind::ForeignKey) => "drop_foreign_key",
            SchemaAction::Drop(AttachmentKind::Comment) => "drop_comment",
            SchemaAction::Rename(AttachmentKind::PrimaryKey) => "rename_primary_key",
            SchemaAction::Rename(AttachmentKind::Unique) => "rename_unique",
            SchemaAction::Rename(AttachmentKind::Check) => "rename_check",
            SchemaAction::Rename(AttachmentKind::ForeignKey) => "rename_foreign_key",
            SchemaAction::Rename(AttachmentKind::Index | AttachmentKind::Comment) => "rename_index",
        }
    }
}
