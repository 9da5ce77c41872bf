//! A declared model in the primary's place: the structure that both sides are to have.
//!
//! Of each table that the spec selects the model's structure is what the replica is held against; rows are still the
//! primary's. Invariant: where the primary itself is not what the model says, in what the spec looks at, the table is in
//! error and nothing of it is compared or written: rows of another structure may not fit what the replica would become.

use std::collections::HashSet;

use crate::failure::{ErrorKind, Failure};
use crate::sides::Sides;
use crate::spec::{DELETES_DATA, SchemaMode, Spec, TableEntry};
use crate::sql::{Dialect, TableName};

use super::change::SchemaChange;
use super::pairing::{Databases, pair_or_problems};
use super::selection::{Selected, SelectedTables, all_tables};
use super::{Catalog, Table};

/// Differences that one message names.
const DIFFERENCES_MAX: usize = 5;

/// The catalog in the primary's place. `model`: what the file says; `live`: what the primary has.
pub fn declared_catalog(
    spec: &Spec,
    (file, model): (&str, Catalog),
    live: &Catalog,
    dialect: &dyn Dialect,
    now: jiff::Timestamp,
) -> Catalog {
    let mut tables: Vec<Table> = model.tables.iter().cloned().collect();
    for table in &mut tables {
        let Some(there) = live.meant(&table.name) else { continue };
        // What is read, is read there.
        table.name = there.name.clone();
        table.rows_estimate = there.rows_estimate;
        table.hidden_rows.clone_from(&there.hidden_rows);
        table.triggers.clone_from(&there.triggers);
    }
    let declared: HashSet<TableName> = tables.iter().map(|table| table.name.clone()).collect();
    tables.extend(live.tables.iter().filter(|table| !declared.contains(&table.name)).cloned());
    tables.sort_by(|one, other| one.name.cmp(&other.name));
    let catalog = Catalog {
        default_schema: live.default_schema.clone(),
        folding: live.folding,
        tables: tables.into(),
        ..model
    };
    let catalog = as_it_is(spec, catalog, live);
    let plain = plain(spec);
    let all = all_tables(&plain, &catalog);
    let problems = all.iter().filter_map(|selected| {
        let table = selected.table.as_ref().ok()?;
        let entry = entry_of(spec, &plain, selected.entry)?;
        let is_declared = declared.contains(&table.name);
        let what = match (entry.schema, is_declared, live.table(&table.name)) {
            (SchemaMode::Ignore, ..) => None,
            (_, false, _) => Some(format!("the primary's table {} is not declared in {file}", table.name)),
            (_, true, None) => {
                Some(format!("the primary has no table {}, which {file} declares", table.name))
            }
            (_, true, Some(_)) => {
                let against = Against { spec: &plain, catalog: &catalog, live, dialect, now, all: &all };
                against.difference(selected).map(|words| {
                    format!("the primary's table {} is not what {file} says: {words}", table.name)
                })
            }
        };
        let failure = Failure::new(ErrorKind::Type, spec.error_at(entry.table.place, what?).headline());
        Some((
            table.name.clone(),
            failure.hint(format!("change the primary or {file}: both sides are to look like the file")),
        ))
    });
    let problems = problems.collect();
    Catalog { problems, ..catalog.clone() }
}

/// Of entries with `schema: ignore` nobody asks what is declared.
fn as_it_is(spec: &Spec, catalog: Catalog, live: &Catalog) -> Catalog {
    let selected = all_tables(spec, &catalog);
    let ignored = selected.iter().filter(|one| one.entry.schema == SchemaMode::Ignore);
    let names: HashSet<&TableName> = ignored.filter_map(|one| Some(&one.table.as_ref().ok()?.name)).collect();
    let table = |table: &Table| match names.contains(&table.name) {
        true => live.table(&table.name).cloned(),
        false => Some(table.clone()),
    };
    let tables = catalog.tables.iter().filter_map(table).collect();
    Catalog { tables, ..catalog.clone() }
}

/// The spec as it would be between the model and the primary: the same tables by the same names, whose structure is looked
/// at and never written.
fn plain(spec: &Spec) -> Spec {
    let mut plain = spec.clone();
    plain.cast.clear();
    for entry in &mut plain.tables {
        entry.to = None;
        entry.rename.clear();
        entry.cast.clear();
        entry.compare.clear();
        entry.renamed_from = None;
        entry.schema = SchemaMode::Check;
    }
    plain
}

/// The spec's own entry.
fn entry_of<'a>(spec: &'a Spec, plain: &Spec, entry: &TableEntry) -> Option<&'a TableEntry> {
    let place = plain.tables.iter().position(|other| std::ptr::eq(other, entry))?;
    spec.tables.get(place)
}

/// What a table is held against.
struct Against<'a> {
    spec: &'a Spec,
    catalog: &'a Catalog,
    live: &'a Catalog,
    dialect: &'a dyn Dialect,
    now: jiff::Timestamp,
    all: &'a SelectedTables<'a>,
}

impl Against<'_> {
    /// How the primary's table is not what is declared; `None` where it is.
    fn difference(&self, selected: &Selected<'_>) -> Option<String> {
        let databases = Databases {
            dialects: Sides::new(self.dialect, self.dialect),
            replica: self.live,
            primary_default: self.catalog.default_schema.as_deref(),
            primary_enums: &self.catalog.enums,
            primary_extensions: &self.catalog.extensions,
            now: self.now,
            selected: self.all,
            chosen: self.all,
            // What only the primary has is a difference too.
            allowed: &[DELETES_DATA.to_owned()],
        };
        let mut words = self.retyped(selected);
        if words.is_empty() {
            words = match pair_or_problems(self.spec, selected, &databases) {
                Ok(pairing) => {
                    pairing.schema_changes.iter().map(difference_words).chain(pairing.notes).collect()
                }
                Err(problems) => problems.into_iter().map(|problem| problem.message).collect(),
            };
        }
        let more = words.len().saturating_sub(DIFFERENCES_MAX);
        words.truncate(DIFFERENCES_MAX);
        if more > 0 {
            words.push(format!("and {more} more"));
        }
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// Columns of other types than they are declared with: whether their values could be held against each other is not
    /// the question.
    fn retyped(&self, selected: &Selected<'_>) -> Vec<String> {
        let (Ok(table), entry) = (&selected.table, selected.entry) else { return Vec::new() };
        let Some(live) = self.live.table(&table.name) else { return Vec::new() };
        let listed =
            |list: &[crate::spec::Located<String>], name: &str| list.iter().any(|one| one.value == name);
        let in_scope = |name: &str| {
            entry.columns.as_deref().is_none_or(|list| listed(list, name))
                && !listed(&entry.exclude_columns, name)
        };
        let columns = table.columns.iter().filter(|column| in_scope(&column.name));
        let pairs = columns.filter_map(|column| Some((column, live.column(&column.name)?)));
        pairs
            .map(|(column, there)| (&column.name, &column.column_type.declared, &there.column_type.declared))
            .filter(|(_, declared, there)| !declared.eq_ignore_ascii_case(there))
            .map(|(name, declared, there)| format!("column {name} is `{there}`, declared `{declared}`"))
            .collect()
    }
}

/// A change that would make the primary what is declared, as the difference that it is.
fn difference_words(change: &SchemaChange) -> String {
    let object = &change.object;
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => {
            let lines = |text: &str, other: &str| {
                let only = text
                    .lines()
                    .map(|line| line.trim().trim_end_matches(','))
                    .filter(|line| !other.lines().any(|other| other.trim().trim_end_matches(',') == *line));
                match only.collect::<Vec<_>>().join(", ") {
                    nothing if nothing.is_empty() => "nothing of that".to_owned(),
                    some => format!("`{some}`"),
                }
            };
            format!("{object} has {}, declared {}", lines(before, after), lines(after, before))
        }
        (None, Some(after)) => format!("{object} is declared `{after}`, and is not there"),
        (Some(before), None) => format!("{object} is `{before}`, and not declared"),
        (None, None) => format!("{object} is another"),
    }
}
