//! Tables that are kept in parts, and tables that inherit.
//!
//! Owns what makes two partitions one: name, parent and bounds. Refuses to know more of a partition: what it has of its own
//! beside its parent is not compared.

use serde::{Deserialize, Serialize};

use super::TableName;

/// What a table is a part of, or is kept in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The tables whose columns it inherits.
    pub inherits: Vec<TableName>,
    /// How it is cut into partitions, in the engine's SQL.
    pub by: Option<String>,
    /// Its partitions and theirs, parents first.
    pub partitions: Vec<Partition>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Its name.
    pub name: TableName,
    /// The partition that it is a part of; `None`: the table itself.
    pub parent: Option<TableName>,
    /// Which rows it takes, in the engine's SQL.
    pub bounds: String,
    /// How it is cut into partitions itself.
    pub by: Option<String>,
}

impl Layout {
    /// What the table is, but for its partitions, for people.
    pub fn words(&self) -> String {
        let names: Vec<String> = self.inherits.iter().map(ToString::to_string).collect();
        match (&self.by, names.is_empty()) {
            (Some(by), _) => format!("PARTITION BY {by}"),
            (None, false) => format!("INHERITS ({})", names.join(", ")),
            (None, true) => "no partitions, no parents".to_owned(),
        }
    }
}
