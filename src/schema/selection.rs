//! Which tables the spec selects on the primary, and what each one is called.
//!
//! An explicit entry wins over a glob, a table matched twice is one entry, and what cannot be found becomes a
//! failure of its own entry: one missing table does not keep the others from being looked at.

use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::sync::OnceLock;

use crate::failure::{ErrorKind, Failure};
use crate::spec::{QualifiedName, Spec, TableEntry, TablePattern, did_you_mean};
use crate::sql::TableName;

use super::{Catalog, Table};

/// A table that the spec selects, or an entry that selects none.
#[derive(Clone, Debug)]
pub struct Selected<'a> {
    /// The entry that selects it.
    pub entry: &'a TableEntry,
    /// The name in output.
    pub name: String,
    /// The table, or why there is none.
    pub table: Result<&'a Table, Failure>,
}

/// The tables that a spec selects, in its order.
#[derive(Clone, Debug, Default)]
pub struct SelectedTables<'a> {
    all: Vec<Selected<'a>>,
    /// The first of each name on the primary.
    by_name: HashMap<TableName, usize>,
    /// Those with columns of a type, or of lists of it, by what declarations call the type.
    by_type: OnceLock<HashMap<String, Vec<usize>>>,
    /// How often each name is wished for on another engine (`across::names`).
    pub(super) wished: OnceLock<HashMap<String, usize>>,
}

impl<'a> SelectedTables<'a> {
    /// What is selected of this name on the primary.
    pub fn of(&self, name: &TableName) -> Option<&Selected<'a>> {
        self.by_name.get(name).map(|place| &self.all[*place])
    }

    /// The tables with columns of this type, or of lists of it.
    pub(super) fn with_type(&self, declared: &str) -> impl Iterator<Item = &Selected<'a>> {
        let by_type = self.by_type.get_or_init(|| self.types());
        by_type.get(declared).into_iter().flatten().map(|place| &self.all[*place])
    }

    fn types(&self) -> HashMap<String, Vec<usize>> {
        let mut types: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, selected) in self.all.iter().enumerate() {
            for column in selected.table.iter().flat_map(|table| &table.columns) {
                let declared = &column.column_type.declared;
                let of_type = types.entry(declared.strip_suffix("[]").unwrap_or(declared).to_owned());
                let places = of_type.or_default();
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
        types
    }
}

impl<'a> From<Vec<Selected<'a>>> for SelectedTables<'a> {
    fn from(all: Vec<Selected<'a>>) -> Self {
        let mut by_name = HashMap::new();
        for (place, selected) in all.iter().enumerate() {
            if let Ok(table) = selected.table {
                by_name.entry(table.name.clone()).or_insert(place);
            }
        }
        SelectedTables { all, by_name, by_type: OnceLock::new(), wished: OnceLock::new() }
    }
}

impl<'a> Deref for SelectedTables<'a> {
    type Target = [Selected<'a>];

    fn deref(&self) -> &[Selected<'a>] {
        &self.all
    }
}

impl<'s, 'a> IntoIterator for &'s SelectedTables<'a> {
    type Item = &'s Selected<'a>;
    type IntoIter = std::slice::Iter<'s, Selected<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.iter()
    }
}

/// The selected tables in the spec's order, a glob's by name. `only` (`--table`) keeps those it matches.
pub fn select_tables<'a>(spec: &'a Spec, catalog: &'a Catalog, only: &[TablePattern]) -> SelectedTables<'a> {
    let mut selected = select(spec, catalog, only);
    for one in &mut selected {
        let problem = one.table.as_ref().ok().and_then(|table| catalog.problems.get(&table.name));
        if let Some(problem) = problem {
            one.table = Err(problem.clone());
        }
    }
    selected.into()
}

/// All of them, also those that are not what is declared: others may point at them.
pub fn all_tables<'a>(spec: &'a Spec, catalog: &'a Catalog) -> SelectedTables<'a> {
    select(spec, catalog, &[]).into()
}

fn select<'a>(spec: &'a Spec, catalog: &'a Catalog, only: &[TablePattern]) -> Vec<Selected<'a>> {
    let default = catalog.default_schema.as_deref().unwrap_or_default();
    let explicit: HashSet<_> = spec
        .tables
        .iter()
        .filter_map(|entry| entry.table.value.exact())
        .map(|name| (name.schema.unwrap_or_else(|| default.to_owned()), name.name))
        .collect();
    let mut seen = HashSet::new();
    let mut selected = Vec::new();
    for entry in &spec.tables {
        match entry.table.value.exact() {
            Some(name) => selected.push(select_one(spec, entry, &name, catalog)),
            None => select_glob(spec, entry, catalog, &explicit, &mut seen, &mut selected),
        }
    }
    selected.retain(|selected| {
        only.is_empty() || only.iter().any(|pattern| is_meant(pattern, selected, default))
    });
    selected
}

fn is_meant(pattern: &TablePattern, selected: &Selected<'_>, default: &str) -> bool {
    match &selected.table {
        Ok(table) => pattern.matches(schema_of(table), &table.name.name, default),
        // What could not be found is asked for by the name that the spec has for it.
        Err(_) => match selected.entry.table.value.exact() {
            Some(name) => pattern.matches(name.schema.as_deref().unwrap_or(default), &name.name, default),
            None => false,
        },
    }
}

fn schema_of(table: &Table) -> &str {
    table.name.schema.as_deref().unwrap_or_default()
}

fn select_one<'a>(
    spec: &Spec,
    entry: &'a TableEntry,
    name: &QualifiedName,
    catalog: &'a Catalog,
) -> Selected<'a> {
    let schema = name.schema.as_deref().or(catalog.default_schema.as_deref());
    let found = catalog.table(&TableName { schema: schema.map(str::to_owned), name: name.name.clone() });
    let table = found.ok_or_else(|| missing_table(spec, entry, name, catalog, schema.unwrap_or_default()));
    Selected { entry, name: name.to_string(), table }
}

fn missing_table(
    spec: &Spec,
    entry: &TableEntry,
    name: &QualifiedName,
    catalog: &Catalog,
    schema: &str,
) -> Failure {
    let error = spec.error_at(entry.table.place, format!("the primary has no table {name}"));
    let in_schema = catalog.tables.iter().filter(|table| schema_of(table) == schema);
    let names = in_schema.map(|table| table.name.name.as_str());
    let hint = match did_you_mean(&name.name, names) {
        Some(near) => format!("did you mean {near}?"),
        None => {
            "names are compared exactly, and a table that the user may not see counts as missing".to_owned()
        }
    };
    Failure::new(ErrorKind::Missing, error.headline()).hint(hint)
}

fn select_glob<'a>(
    spec: &'a Spec,
    entry: &'a TableEntry,
    catalog: &'a Catalog,
    explicit: &HashSet<(String, String)>,
    seen: &mut HashSet<(String, String)>,
    selected: &mut Vec<Selected<'a>>,
) {
    let default = catalog.default_schema.as_deref().unwrap_or_default();
    let pattern = &entry.table.value;
    let mut matched = false;
    let mut tables: Vec<&Table> = catalog.tables.iter().collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    for table in tables {
        let (schema, name) = (schema_of(table), table.name.name.as_str());
        let skipped = spec.skip_tables.iter().any(|skip| skip.value.matches(schema, name, default));
        if skipped || !pattern.matches(schema, name, default) {
            continue;
        }
        matched = true;
        let id = (schema.to_owned(), name.to_owned());
        if explicit.contains(&id) || !seen.insert(id) {
            continue;
        }
        let full =
            QualifiedName { schema: (schema != default).then(|| schema.to_owned()), name: name.to_owned() };
        selected.push(Selected { entry, name: full.to_string(), table: Ok(table) });
    }
    // One that drops what the primary lacks may be there for that alone.
    if !matched && !entry.drop {
        let error = spec.error_at(entry.table.place, format!("no table of the primary matches {pattern}"));
        let failure = Failure::new(ErrorKind::Missing, error.headline()).hint(
            "a glob is of base tables, of the default schema where it names none; case counts, and `skip_tables` wins",
        );
        selected.push(Selected { entry, name: pattern.to_string(), table: Err(failure) });
    }
}

/// The schemas that must be read so that every entry can be looked up: `None` is the default one.
pub fn primary_schemas(spec: &Spec) -> Vec<Option<String>> {
    let named =
        spec.tables.iter().map(|entry| entry.table.value.schema.as_ref().and_then(|glob| glob.exact()));
    unique(named.chain([None]))
}

/// The same for a replica, whose tables may be in other schemas.
pub fn replica_schemas(spec: &Spec) -> Vec<Option<String>> {
    let named = spec.tables.iter().filter_map(|entry| entry.to.as_ref()).map(|to| to.value.schema.clone());
    unique(primary_schemas(spec).into_iter().chain(named))
}

fn unique(schemas: impl Iterator<Item = Option<String>>) -> Vec<Option<String>> {
    let mut all: Vec<_> = schemas.collect();
    all.sort();
    all.dedup();
    all
}
