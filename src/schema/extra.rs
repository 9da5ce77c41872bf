//! Tables that only the replica has, where a glob says that such are dropped: which those are, and in what order they go.
//!
//! A table goes only where the first glob that would select it on the primary has `drop: true`, and where nothing of the
//! primary is its counterpart, by whatever name. Refuses to drop what another table needs: what points goes before
//! what it points at, and where tables point at each other in a circle their foreign keys go first.

use std::collections::HashSet;

use crate::failure::{ErrorKind, Failure};
use crate::spec::{DELETES_DATA, QualifiedName, SchemaMode, Spec, TableEntry, TablePattern};
use crate::sql::{Alteration, AttachmentKind, Dialect, TableDefinition, TableName};

use super::alter::altered;
use super::change::{Commit, Hazard, SchemaAction, SchemaChange};
use super::pairing::{counterpart, name_on_replica};
use super::{Catalog, Databases, Table};

/// A table of the replica that is to go.
#[derive(Clone, Debug)]
pub struct Extra<'a> {
    /// The glob's entry.
    pub entry: &'a TableEntry,
    /// The table.
    pub table: &'a Table,
    /// What it is called in output.
    pub name: String,
    /// What would be its counterpart on the primary.
    pub on_primary: TableName,
    /// The first of its partitions that another entry has for a counterpart.
    pub taken_part: Option<TableName>,
}

/// The replica's tables that a glob with `drop: true` matches and the primary lacks, by name. `only` (`--table`) keeps
/// those it matches.
pub fn extra_tables<'a>(
    spec: &'a Spec,
    primary: &Catalog,
    databases: &Databases<'a>,
    only: &[TablePattern],
) -> Vec<Extra<'a>> {
    if !spec.tables.iter().any(|entry| entry.drop) {
        return Vec::new();
    }
    let replica = databases.replica;
    let folded = |name: &TableName| TableName {
        schema: name.schema.clone(),
        name: replica.folding.folded(&name.name).into_owned(),
    };
    let counterparts = databases.selected.iter().filter_map(|selected| counterpart(selected, databases));
    let taken: HashSet<TableName> = counterparts.map(|name| folded(&name)).collect();
    let is_taken = |name: &TableName| taken.contains(&folded(name));
    let mut tables: Vec<&Table> = replica.tables.iter().collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    // What is to get another name is nobody's to drop, whether or not this run is about it.
    let renamed = |table: &Table| {
        spec.tables
            .iter()
            .filter_map(|entry| entry.renamed_from.as_ref()?.table.as_ref())
            .any(|old| replica.folding.is_one(&old.value, &table.name.name))
    };
    let free = tables.into_iter().filter(|table| !is_taken(&table.name) && !renamed(table));
    let default = databases.primary_default.unwrap_or_default();
    let is_meant = |extra: &Extra<'_>| {
        let schema = extra.on_primary.schema.as_deref().unwrap_or_default();
        only.is_empty() || only.iter().any(|pattern| pattern.matches(schema, &extra.on_primary.name, default))
    };
    let found = free.filter_map(|table| extra(spec, primary, databases, table)).filter(is_meant);
    let taken_part = |table: &Table| {
        let mut parts = table.layout.partitions.iter().map(|part| &part.name);
        parts.find(|part| is_taken(part)).cloned()
    };
    found.map(|extra| Extra { taken_part: taken_part(extra.table), ..extra }).collect()
}

fn extra<'a>(
    spec: &'a Spec,
    primary: &Catalog,
    databases: &Databases<'a>,
    table: &'a Table,
) -> Option<Extra<'a>> {
    let default = databases.primary_default;
    let default_schema = default.unwrap_or_default();
    let globs = spec.tables.iter().filter(|entry| entry.table.value.is_glob());
    let first = globs.filter_map(|entry| Some((entry, on_primary(entry, table, databases)?))).find(
        |(entry, TableName { schema, name })| {
            let schema = schema.as_deref().unwrap_or_default();
            let skipped =
                spec.skip_tables.iter().any(|skip| skip.value.matches(schema, name, default_schema));
            !skipped && entry.table.value.matches(schema, name, default_schema)
        },
    );
    let (entry, on_primary) = first.filter(|(entry, _)| entry.drop)?;
    let is_there = |other: &Table| {
        let folded = |one: &str, other: &str| {
            primary.folding.is_one(one, other) || databases.replica.folding.is_one(one, other)
        };
        other.name.schema == on_primary.schema && folded(&other.name.name, &on_primary.name)
    };
    if primary.tables.iter().any(is_there) {
        return None;
    }
    let schema = on_primary.schema.clone().filter(|schema| Some(schema.as_str()) != default);
    let name = QualifiedName { schema, name: on_primary.name.clone() }.to_string();
    Some(Extra { entry, table, name, on_primary, taken_part: None })
}

/// The name that the table's counterpart would have, where this entry could select it.
fn on_primary(entry: &TableEntry, table: &Table, databases: &Databases<'_>) -> Option<TableName> {
    let default = || databases.primary_default.map(str::to_owned);
    let schema = entry.table.value.schema.as_ref().and_then(|glob| glob.exact()).or_else(default);
    let name = TableName { schema, name: table.name.name.clone() };
    (name_on_replica(entry, &name, databases).0 == table.name && reaches(entry, databases)).then_some(name)
}

/// Whether the replica has a schema that is the one of the glob. The tables of all others stand in one place on another
/// engine, where it cannot be told whose they are.
fn reaches(entry: &TableEntry, databases: &Databases<'_>) -> bool {
    let schema = entry.table.value.schema.as_ref().and_then(|glob| glob.exact());
    let dialects = databases.dialects;
    schema.is_none_or(|schema| databases.primary_default == Some(&*schema))
        || dialects.primary.same_family(dialects.replica)
}

/// Globs of which it cannot be told what they match on the replica.
pub fn unreached_globs(spec: &Spec, databases: &Databases<'_>) -> Vec<(String, Failure)> {
    let unreached = spec.tables.iter().filter(|entry| entry.drop && !reaches(entry, databases));
    let problem = |entry: &TableEntry| {
        let pattern = entry.table.value.to_string();
        let what = format!("which of the replica's tables {pattern} drops cannot be told");
        let failure = Failure::new(ErrorKind::Type, spec.error_at(entry.table.place, what).headline())
            .hint("between engines `drop: true` stands beside globs of the default schema alone");
        (pattern, failure)
    };
    unreached.map(problem).collect()
}

/// The changes of each table, and the tables in the order in which they go: indexes into `extras`. `first`: which must go
/// before which, besides what foreign keys say.
pub fn drops(
    dialect: &dyn Dialect,
    extras: &[Extra<'_>],
    first: &[(TableName, TableName)],
) -> Vec<(usize, Vec<SchemaChange>)> {
    let mut left: Vec<usize> = (0..extras.len()).collect();
    let mut detached: Vec<usize> = Vec::new();
    let mut order = Vec::new();
    let name = |at: usize| &extras[at].table.name;
    while !left.is_empty() {
        let waits = |at: &usize| {
            left.iter().filter(|other| *other != at).any(|other| {
                let points = points_at(extras[*other].table, name(*at))
                    && !detached.contains(other)
                    && !dialect.drops_rows_first();
                points || first.iter().any(|(one, two)| one == name(*other) && two == name(*at))
            })
        };
        match left.iter().position(|at| !waits(at)) {
            Some(free) => order.push(left.remove(free)),
            None if left.iter().all(|at| detached.contains(at)) => order.push(left.remove(0)),
            None => detached.extend(left.iter().copied()),
        }
    }
    let changes = |at: usize| {
        let Extra { table, entry, .. } = &extras[at];
        let others = || extras.iter().map(|extra| &extra.table.name).filter(|name| **name != table.name);
        let mut changes = Vec::new();
        if detached.contains(&at) {
            let keys = table.attachments.iter().filter(|one| {
                let target = one.target.as_ref();
                one.kind == AttachmentKind::ForeignKey
                    && target.is_some_and(|target| others().any(|other| *other == target.table))
            });
            let detach = |one| altered(dialect, &table.name, Alteration::Detach(one));
            // The table that goes is hazard enough.
            let quiet = |change| SchemaChange { hazards: Vec::new(), ..change };
            changes.extend(keys.cloned().filter_map(detach).map(quiet));
        }
        changes.push(dropped(dialect, table));
        for change in &mut changes {
            change.withheld = entry.schema == SchemaMode::Check || !entry.delete;
        }
        changes
    };
    order.into_iter().map(|at| (at, changes(at))).collect()
}

fn points_at(table: &Table, other: &TableName) -> bool {
    table.foreign_keys.iter().any(|key| key.table == *other)
}

/// The change that drops a table with its rows.
fn dropped(dialect: &dyn Dialect, table: &Table) -> SchemaChange {
    let message = format!("drops the table {} with its rows", table.name);
    SchemaChange {
        action: SchemaAction::DropTable,
        object: table.name.name.clone(),
        sql: dialect.drop_table(&table.name),
        before: Some(definition(dialect, table)),
        after: None,
        hazards: vec![Hazard { name: DELETES_DATA.to_owned(), message, rows: None }],
        withheld: false,
        alteration: None,
        behind_rows: false,
        commit: Commit::Together,
        step_of: None,
    }
}

/// What the table is, for people: its statement where the engine keeps that, else one with its columns.
fn definition(dialect: &dyn Dialect, table: &Table) -> String {
    if let Some(stored) = &table.stored.table {
        return stored.clone();
    }
    let primary_key = table.keys.iter().find(|key| key.primary);
    dialect.create_table(&TableDefinition {
        name: table.name.clone(),
        columns: table.columns.clone(),
        primary_key: primary_key.map(|key| key.columns.clone()).unwrap_or_default(),
        primary_key_name: None,
        options: table.options.clone(),
    })
}
