//! Names that the spec says tables and columns of the replica had before: the replica's catalog as if they had the new ones
//! already, and the plan by the old ones until all is read.
//!
//! Invariant: what is read of a replica is asked for by the names that it has at that moment.

use crate::engine::Replica;
use crate::failure::{ErrorKind, Failure};
use crate::plan::ReplicaPlan;
use crate::schema::{self, Catalog, Databases, Pairing, Renaming, Table};
use crate::spec::{SchemaMode, Spec};
use crate::sql::{Dialect, TableName};

/// The renamings of one replica.
#[derive(Debug, Default)]
pub(super) struct Renames {
    /// What gets another name, and whether it does or that is only told.
    all: Vec<(Renaming, SchemaMode)>,
    /// The replica's catalog once they are made.
    pub catalog: Option<Catalog>,
    /// Tables, by their names in output, that cannot get their names.
    failures: Vec<(String, Failure)>,
}

/// What is to get another name. `databases` has the replica's own catalog.
///
/// # Errors
/// Where it cannot be told what they would become.
pub(super) async fn find(
    spec: &Spec,
    replica: &Replica,
    databases: &Databases<'_>,
) -> Result<Renames, Failure> {
    let mut renames = Renames::default();
    for selected in databases.chosen {
        let found = schema::renaming(spec, selected, databases);
        match found {
            Ok(None) => {}
            Ok(Some(renaming)) if renames.all.iter().any(|(other, _)| other.was == renaming.was) => {
                let what = format!("{} becomes another table already", renaming.was);
                let message = spec.error_at(selected.entry.table.place, what).headline();
                renames.failures.push((selected.name.clone(), Failure::new(ErrorKind::Key, message)));
            }
            Ok(Some(renaming)) => renames.all.push((renaming, selected.entry.schema)),
            Err(failure) => renames.failures.push((selected.name.clone(), failure)),
        }
    }
    if !renames.all.is_empty() {
        let catalog = renamed(replica, databases.replica, &renames.renamings()).await?;
        renames.catalog = Some(catalog);
    }
    Ok(renames)
}

/// The replica's catalog as it is once the renamings are made.
///
/// # Errors
/// Where the engine cannot try them, or one of them fails.
pub(super) async fn renamed(
    replica: &Replica,
    catalog: &Catalog,
    renamings: &[Renaming],
) -> Result<Catalog, Failure> {
    let dialect = replica.dialect();
    let mut renamed = schema::renamed_catalog(catalog, renamings, dialect);
    let statements = renamings.iter().flat_map(|renaming| statements(dialect, renaming, catalog));
    let Some(tried) = replica.renamed(&statements.collect::<Vec<_>>()).await? else { return Ok(renamed) };
    let points = |table: &Table| {
        table.foreign_keys.iter().any(|key| renamings.iter().any(|renaming| renaming.is == key.table))
    };
    for table in renamed.tables.iter_mut() {
        let own = renamings.iter().any(|renaming| renaming.is == table.name);
        match tried.table(&table.name) {
            Some(found) if own || points(table) => {
                *table = Table { rows_estimate: table.rows_estimate, ..found.clone() };
            }
            None if own => {
                let message =
                    format!("what becomes of the replica's table {} could not be tried", table.name);
                return Err(Failure::new(ErrorKind::Type, message));
            }
            _ => {}
        }
    }
    Ok(renamed)
}

fn statements(dialect: &dyn Dialect, renaming: &Renaming, catalog: &Catalog) -> Vec<String> {
    let changes = schema::renaming_changes(dialect, renaming, catalog.table(&renaming.was), SchemaMode::Sync);
    changes.into_iter().flat_map(|change| change.sql).collect()
}

impl Renames {
    fn renamings(&self) -> Vec<Renaming> {
        self.all.iter().map(|(renaming, _)| renaming.clone()).collect()
    }

    /// Why a table cannot get its name.
    pub fn failure(&self, table: &str) -> Option<Failure> {
        self.failures.iter().find(|(name, _)| name == table).map(|(_, failure)| failure.clone())
    }

    /// The pairing by the names that are there, with the changes that give the new ones. `catalog`: the replica's own.
    pub fn settle(&self, mut pairing: Pairing, catalog: &Catalog, dialect: &dyn Dialect) -> Pairing {
        let pair = &mut pairing.pair;
        let own = self.all.iter().find(|(renaming, _)| renaming.is == pair.names.replica);
        if let Some((renaming, mode)) = own {
            let table = catalog.table(&renaming.was);
            let mut changes = schema::renaming_changes(dialect, renaming, table, *mode);
            changes.append(&mut pairing.schema_changes);
            pairing.schema_changes = changes;
        }
        let reversed: Vec<Renaming> = self.all.iter().map(|(renaming, _)| renaming.reversed()).collect();
        schema::rename_pair(pair, &reversed, dialect);
        pairing
    }

    /// What a table of this name is called once all is made, and its columns.
    pub fn of(&self, table: &TableName) -> Option<&Renaming> {
        self.all.iter().map(|(renaming, _)| renaming).find(|renaming| renaming.was == *table)
    }

    /// What a column is called now, of its table's name and its own once all is made.
    pub fn now<'n>(&'n self, table: &'n TableName, column: &'n str) -> (&'n TableName, &'n str) {
        let renaming = self.all.iter().map(|(renaming, _)| renaming).find(|renaming| renaming.is == *table);
        let Some(renaming) = renaming else { return (table, column) };
        let was = renaming.columns.iter().find(|(_, is)| is == column);
        (&renaming.was, was.map_or(column, |(was, _)| was))
    }

    /// All has been read: the plan by the names that its statements use.
    pub fn make(&self, plan: &mut ReplicaPlan) {
        let Some(catalog) = &self.catalog else { return };
        let is_written = |renaming: &Renaming| {
            let mut tables = plan.tables.iter();
            tables.any(|table| table.error.is_none() && table.replica_name() == Some(&renaming.was))
        };
        let made = self.all.iter().filter(|(_, mode)| *mode == SchemaMode::Sync);
        let made: Vec<Renaming> = made.map(|(renaming, _)| renaming.clone()).filter(is_written).collect();
        plan.rename(&made);
        for table in plan.tables.iter_mut().filter(|_| !made.is_empty()) {
            let Some(pair) = &table.pair else { continue };
            if table.structure.replica.is_some() {
                table.structure.replica = catalog.table(&pair.names.replica).cloned();
            }
        }
        plan.renamings = made;
    }
}
