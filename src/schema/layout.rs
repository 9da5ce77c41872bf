//! Partitions and parents: what the replica's table lacks of the primary's.
//!
//! Refuses to make a plain table a partitioned one, or the other way round, and what inherits. Partitions that only the replica
//! has are, as tables that only it has, not looked at.

use crate::failure::{ErrorKind, Failure};
use crate::sql::{Alteration, Layout, Partition, TableName};

use super::alter::altered;
use super::change::SchemaChange;
use super::structure::Structure;

/// Why the layout of a table cannot be made the primary's, for people, and the partitions that come.
pub(super) type Found = Result<Vec<SchemaChange>, (String, String)>;

/// A table that is there. An error is what it is on the replica, and on the primary.
pub(super) fn differences(structure: &Structure<'_>, found: &Layout) -> Found {
    let wanted = on_replica(structure);
    if wanted.words() != found.words() {
        return Err((found.words(), wanted.words()));
    }
    let mut missing = Vec::new();
    for partition in wanted.partitions {
        match found.partitions.iter().find(|other| other.name == partition.name) {
            Some(other) if *other == partition => {}
            Some(other) => {
                let words = |one: &Partition| format!("partition {} {}", one.name, one.bounds);
                return Err((words(other), words(&partition)));
            }
            None => missing.push(partition),
        }
    }
    Ok(missing.into_iter().filter_map(|partition| coming(structure, partition)).collect())
}

/// The partitions of a table that is created.
///
/// # Errors
/// Where it inherits, and where its columns have other names on the replica.
pub(super) fn created(structure: &Structure<'_>) -> Result<Vec<SchemaChange>, Failure> {
    let wanted = on_replica(structure);
    let table = structure.names.primary;
    let refused = |what: String| {
        Failure::new(ErrorKind::Type, what)
            .hint("create the table on the replica by hand, or leave it out of the spec")
    };
    if !wanted.inherits.is_empty() {
        return Err(refused(format!(
            "the table {table} inherits others, and is not created: {}",
            wanted.words()
        )));
    }
    let renamed =
        structure.primary.columns.iter().any(|column| {
            (structure.on_replica.column)(&column.name).is_some_and(|name| name != column.name)
        });
    if wanted.by.is_some() && renamed {
        return Err(refused(format!(
            "the table {table} is partitioned and has columns of other names on the replica, so it is not created"
        )));
    }
    Ok(wanted.partitions.into_iter().filter_map(|partition| coming(structure, partition)).collect())
}

fn coming(structure: &Structure<'_>, partition: Partition) -> Option<SchemaChange> {
    altered(structure.dialects.replica, structure.names.replica, Alteration::Partition(partition, false))
}

/// The primary's layout by the replica's names: what is in the table's own schema goes with it.
fn on_replica(structure: &Structure<'_>) -> Layout {
    let (own, other) = (&structure.names.primary.schema, &structure.names.replica.schema);
    let name = |name: &TableName| match name.schema == *own {
        true => TableName { schema: other.clone(), ..name.clone() },
        false => name.clone(),
    };
    let layout = &structure.primary.layout;
    let partition = |one: &Partition| Partition {
        name: name(&one.name),
        parent: one.parent.as_ref().map(name),
        ..one.clone()
    };
    Layout {
        inherits: layout.inherits.iter().map(name).collect(),
        by: layout.by.clone(),
        partitions: layout.partitions.iter().map(partition).collect(),
    }
}
