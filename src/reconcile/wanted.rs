//! What a run is asked to look at: the replicas and tables that `--replica` and `--table` choose. Pure.
//!
//! Invariant: a choice that matches nothing is an error that names what there is.

use crate::schema::{self, Catalog, Selected};
use crate::spec::{ReplicaSpec, Spec, TablePattern, did_you_mean};

use super::{Options, RunError};

/// Names of tables in a hint.
const TABLES_SHOWN: usize = 12;

pub(super) fn select_wanted<'a>(
    spec: &'a Spec,
    options: &Options,
    catalog: &'a Catalog,
) -> Result<Vec<Selected<'a>>, RunError> {
    for pattern in &options.tables {
        if schema::select_tables(spec, catalog, std::slice::from_ref(pattern)).is_empty() {
            let message = format!("--table {pattern} matches no table of the spec");
            return Err(RunError::Option { message, hint: tables_hint(pattern, spec, catalog) });
        }
    }
    Ok(schema::select_tables(spec, catalog, &options.tables))
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
