//! What a run is asked to look at: the replicas and tables that `--replica` and `--table` choose. Pure.
//!
//! Invariant: a choice that matches nothing is an error that names what there is.

use crate::schema::{self, Catalog, SelectedTables};
use crate::spec::{ReplicaSpec, Spec, TablePattern, did_you_mean};
use crate::sql::TableName;

use super::{Options, RunError};

/// Names of tables in a hint.
const TABLES_SHOWN: usize = 12;

pub(super) fn select_wanted<'a>(
    spec: &'a Spec,
    options: &Options,
    catalog: &'a Catalog,
) -> Result<SelectedTables<'a>, RunError> {
    for pattern in &options.tables {
        // Of tables that only a replica has, the replica must be asked.
        if is_unmatched(pattern, spec, catalog) && !spec.tables.iter().any(|entry| entry.drop) {
            return Err(unmatched(pattern, spec, catalog));
        }
    }
    Ok(schema::select_tables(spec, catalog, &options.tables))
}

fn is_unmatched(pattern: &TablePattern, spec: &Spec, catalog: &Catalog) -> bool {
    schema::select_tables(spec, catalog, std::slice::from_ref(pattern)).is_empty()
}

fn unmatched(pattern: &TablePattern, spec: &Spec, catalog: &Catalog) -> RunError {
    let message = format!("--table {pattern} matches no table of the spec");
    RunError::Option { message, hint: tables_hint(pattern, spec, catalog) }
}

/// An error where a choice matches neither a table of the primary nor one that only a replica has. `extra`: these, by the
/// names that they would have on the primary, of all replicas.
pub(super) fn check_choices(
    spec: &Spec,
    options: &Options,
    catalog: &Catalog,
    extra: &[TableName],
) -> Result<(), RunError> {
    let default = catalog.default_schema.as_deref().unwrap_or_default();
    let is_extra = |pattern: &&TablePattern| {
        extra
            .iter()
            .any(|table| pattern.matches(table.schema.as_deref().unwrap_or_default(), &table.name, default))
    };
    let nothing = |pattern: &&TablePattern| is_unmatched(pattern, spec, catalog) && !is_extra(pattern);
    match options.tables.iter().find(nothing) {
        Some(pattern) => Err(unmatched(pattern, spec, catalog)),
        None => Ok(()),
    }
}

/// What there is instead of a `--table` that matches nothing.
fn tables_hint(pattern: &TablePattern, spec: &Spec, catalog: &Catalog) -> Option<String> {
    let selected = schema::select_tables(spec, catalog, &[]);
    let names = || selected.iter().map(|selected| selected.name.as_str());
    if let Some(near) = did_you_mean(&pattern.to_string(), names()) {
        return Some(format!("did you mean {near}?"));
    }
    let shown: Vec<&str> = names().take(TABLES_SHOWN).collect();
    let more = if names().count() > TABLES_SHOWN { ", …" } else { "" };
    (!shown.is_empty()).then(|| format!("there are: {}{more}", shown.join(", ")))
}

pub(super) fn wanted_replicas<'a>(
    spec: &'a Spec,
    names: &[String],
) -> Result<Vec<&'a ReplicaSpec>, RunError> {
    if let Some(unknown) = names.iter().find(|name| spec.replica(name).is_none()) {
        let known: Vec<_> = spec.replicas.iter().map(|replica| replica.name.value.as_str()).collect();
        let message = format!("--replica {unknown} matches no replica of the spec");
        let hint = Some(format!("there are: {}", known.join(", ")));
        return Err(RunError::Option { message, hint });
    }
    let wanted = |replica: &&ReplicaSpec| names.is_empty() || names.contains(&replica.name.value);
    Ok(spec.replicas.iter().filter(wanted).collect())
}
