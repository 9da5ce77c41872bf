//! Structure, the third step: the nouns of a catalog, the pairing of tables and columns, their domains, and
//! the structural differences. Pure.

mod across;
mod alter;
mod attachments;
mod change;
mod comparable;
mod condition;
mod counterparts;
mod declared;
mod document;
mod domain;
mod extra;
mod layout;
mod online;
mod order;
mod pair;
mod pairing;
mod rebuild;
mod renaming;
mod selection;
mod since;
mod structure;
mod tables;
#[cfg(test)]
mod tests;
mod together;
mod widening;
mod words;

pub use across::Fit;
pub use alter::altered;
pub use attachments::{going, is_foreign_key, without};
pub use change::{Commit, Hazard, SchemaAction, SchemaChange};
pub use counterparts::Counterparts;
pub use declared::declared_catalog;
pub use document::types as types_document;
pub use domain::choose as choose_domain;
pub use extra::{Extra, drops, extra_tables, unreached_globs};
pub use online::{online_changes, without_steps};
pub use pair::{ColumnPair, Dependent, TablePair, Writes};
pub use pairing::{
    Databases, Pairing, dependents, pair_or_problems, pair_table, primary_problems, replica_table_name,
    takes_option,
};
pub use renaming::{Renaming, rename_known, rename_pair, renamed_catalog, renaming, renaming_changes};
pub use selection::{Selected, SelectedTables, all_tables, primary_schemas, replica_schemas, select_tables};
pub use since::{Known, alterations_made, table_difference};
pub use structure::added_column;
pub use tables::Tables;
pub use together::taken_back;
pub use words::{KEYS_MAX, key_text, keys_text, row_text, with_row};

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::sql::{
    Attachment, Column, EnumType, ForeignKey, Layout, Sequence, StoredText, TableName, Trigger, UniqueIndex,
};

/// Base tables of the schemas that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// The schema or database that names without one mean; `None` for SQLite.
    pub default_schema: Option<String>,
    /// The tables, by schema and name.
    pub tables: Tables,
    /// Which names of tables are one.
    pub folding: Folding,
    /// The types that columns can have, as declarations name them; `None` where there are only the engine's own.
    pub types: Option<BTreeSet<String>>,
    /// The enum types that are objects of their own.
    pub enums: Vec<EnumType>,
    /// The types that come from extensions, as declarations name them, and which they come from.
    pub extensions: BTreeMap<String, String>,
    /// Tables that are not what is declared of them, and why.
    pub problems: BTreeMap<TableName, Failure>,
}

impl Catalog {
    /// A table by its name, qualified as the catalog has it.
    pub fn table(&self, name: &TableName) -> Option<&Table> {
        self.tables.of(name)
    }

    /// The table that a statement would mean by this name.
    pub fn meant(&self, name: &TableName) -> Option<&Table> {
        self.tables.meant(name, self.folding)
    }
}

/// Which names of tables are one to a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Folding {
    /// Equal ones alone.
    #[default]
    None,
    /// Those that differ in the case of ASCII letters alone (SQLite).
    Ascii,
    /// Those that differ in the case of any letters (MySQL family, where it is set up so).
    Unicode,
}

impl Folding {
    /// Whether two names are one.
    pub fn is_one(self, one: &str, other: &str) -> bool {
        self.folded(one) == self.folded(other)
    }

    /// What all names that are one have in common.
    pub fn folded(self, name: &str) -> Cow<'_, str> {
        match self {
            Folding::None => Cow::Borrowed(name),
            Folding::Ascii => Cow::Owned(name.to_ascii_lowercase()),
            Folding::Unicode => Cow::Owned(name.to_lowercase()),
        }
    }
}

/// A base table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name, always with the schema where the engine has schemas.
    pub name: TableName,
    /// Its columns in order.
    pub columns: Vec<Column>,
    /// Primary key and unique keys, primary first. Only whole, valid ones over plain columns.
    pub keys: Vec<UniqueKey>,
    /// Its other unique indexes, and those of its keys that compare otherwise than their columns do.
    pub unique_indexes: Vec<UniqueIndex>,
    /// Its foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// What numbers its columns.
    #[serde(default)]
    pub sequences: Vec<Sequence>,
    /// What it has besides, all of it: also what `keys`, `unique_indexes`, `foreign_keys` and `checked` say of the rows.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// What DDL says of it behind its columns: storage engine, character set, STRICT.
    #[serde(default)]
    pub options: Option<String>,
    /// Its partitions, and what it inherits.
    #[serde(default)]
    pub layout: Layout,
    /// The statements that made it.
    #[serde(default)]
    pub stored: StoredText,
    /// Its triggers, as far as the login may see them.
    #[serde(default)]
    pub triggers: Vec<Trigger>,
    /// The columns of which a CHECK constraint speaks, its own or that of its type.
    pub checked: Vec<String>,
    /// The server's estimate of its rows, if it has one.
    pub rows_estimate: Option<u64>,
    /// Why this session would not see all of its rows (row-level security), if so.
    pub hidden_rows: Option<String>,
}

impl Table {
    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// What numbers a column.
    pub fn sequence(&self, column: &str) -> Option<&Sequence> {
        self.sequences.iter().find(|sequence| sequence.column == column)
    }
}

/// Columns that identify a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UniqueKey {
    /// The constraint's or index's name.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<String>,
    /// Whether it is the primary key.
    pub primary: bool,
    /// Whether no row can be missing from it: all columns NOT NULL and no predicate.
    pub total: bool,
    /// Whether a transaction may put it off to its end (DEFERRABLE).
    pub deferrable: bool,
}
