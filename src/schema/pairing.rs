//! Makes a [`TablePair`] of a primary's table and its counterpart: which columns are in scope, which rows are, and
//! what structure the replica lacks. What identifies a row is decided in `identity`, what a column is compared as in
//! `column`.
//!
//! Everything that could make a comparison inexact is refused here, with the spec line that would settle it.

mod column;
mod enums;
mod identity;
mod widened;

use std::collections::BTreeMap;

use crate::failure::{ErrorKind, Failure};
use crate::sides::Sides;
use crate::spec::{CompareRule, Located, Place, SchemaMode, Spec, TableEntry, did_you_mean};
use crate::sql::expression::ExpressionError;
use crate::sql::{
    Attachment, AttachmentKind, Column, Dialect, EnumType, ForeignKey, SelectColumn, TableName, Target,
};
use crate::value::{ColumnType, Domain};

use super::across::{self, Across, End, Naming};
use super::attachments::{Names, going, is_foreign_key};
use super::change::SchemaChange;
use super::condition::check_kinds;
use super::structure::{self, Needs, Structure};
use super::{
    Catalog, ColumnPair, Dependent, Selected, SelectedTables, Table, TablePair, Writes, choose_domain,
};
use identity::other_keys;

pub use column::takes_option;

/// Names of columns in a hint.
const COLUMNS_SHOWN: usize = 20;

/// What pairing needs to know of the two databases.
#[derive(Clone, Copy, Debug)]
pub struct Databases<'a> {
    /// Both dialects.
    pub dialects: Sides<&'a dyn Dialect>,
    /// The replica's catalog.
    pub replica: &'a Catalog,
    /// The primary's default schema.
    pub primary_default: Option<&'a str>,
    /// The primary's enum types.
    pub primary_enums: &'a [EnumType],
    /// The primary's types that come from extensions, and which they come from.
    pub primary_extensions: &'a BTreeMap<String, String>,
    /// The start of the run, for `now()` in a `where`.
    pub now: jiff::Timestamp,
    /// All tables that the spec selects: what foreign keys point at has another name on the replica where it says so.
    pub selected: &'a SelectedTables<'a>,
    /// Those of them that this run is about.
    pub chosen: &'a SelectedTables<'a>,
    /// The hazards that are allowed.
    pub allowed: &'a [String],
}

/// A pair and what its structure needs.
#[derive(Clone, Debug)]
pub struct Pairing {
    /// The pair.
    pub pair: TablePair,
    /// Changes of the replica's structure, in order.
    pub schema_changes: Vec<SchemaChange>,
    /// What a person should know of its structure.
    pub notes: Vec<String>,
}

/// Pairs one selected table with its counterpart on the replica.
///
/// # Errors
/// A column or table that is not there, no usable key, two types without an exact domain, a structural
/// difference that cannot be reconciled.
pub fn pair_table(
    spec: &Spec,
    selected: &Selected<'_>,
    databases: &Databases<'_>,
) -> Result<Pairing, Failure> {
    pair_or_problems(spec, selected, databases).map_err(|mut problems| problems.swap_remove(0))
}

/// [`pair_table`] that does not stop at the first problem.
///
/// # Errors
/// All that is wrong, what the primary alone can tell first. Never empty.
pub fn pair_or_problems(
    spec: &Spec,
    selected: &Selected<'_>,
    databases: &Databases<'_>,
) -> Result<Pairing, Vec<Failure>> {
    let primary = selected.table.clone().map_err(|failure| vec![failure])?;
    let own = OnPrimary { spec, entry: selected.entry, primary };
    Pairer { own, databases }.pair(&selected.name)
}

/// What is wrong with a selected table by what the primary alone can tell.
pub fn primary_problems(spec: &Spec, selected: &Selected<'_>) -> Vec<Failure> {
    match &selected.table {
        Ok(primary) => OnPrimary { spec, entry: selected.entry, primary }.problems(),
        Err(failure) => vec![failure.clone()],
    }
}

/// The name the replica's table has in output.
pub fn replica_table_name(selected: &Selected<'_>) -> String {
    match &selected.entry.to {
        Some(to) => to.value.to_string(),
        None => selected.name.clone(),
    }
}

/// The replica's table that a selected one of the primary decides, or would, were it there.
pub(super) fn counterpart(selected: &Selected<'_>, databases: &Databases<'_>) -> Option<TableName> {
    let primary = match &selected.table {
        Ok(table) => table.name.clone(),
        Err(_) => {
            let name = selected.entry.table.value.exact()?;
            let schema = name.schema.or_else(|| databases.primary_default.map(str::to_owned));
            TableName { schema, name: name.name }
        }
    };
    Some(name_on_replica(selected.entry, &primary, databases).0)
}

/// What a table of the primary is called on the replica, and whether the spec says in which schema that is.
pub(super) fn name_on_replica(
    entry: &TableEntry,
    primary: &TableName,
    databases: &Databases<'_>,
) -> (TableName, bool) {
    let default = &databases.replica.default_schema;
    if let Some(to) = &entry.to {
        let named = default.as_ref().and_then(|_| to.value.schema.clone());
        let qualified = named.is_some();
        let schema = named.or_else(|| default.clone());
        return (TableName { schema, name: to.value.name.clone() }, qualified);
    }
    let dialects = databases.dialects;
    let named = entry.table.value.schema.is_some() && primary.schema.as_deref() != databases.primary_default;
    let qualified = named && dialects.primary.same_family(dialects.replica);
    let schema = if qualified { primary.schema.clone() } else { default.clone() };
    (TableName { schema, name: primary.name.clone() }, qualified)
}

/// The replica's name for a column of the primary.
pub(super) fn column_name<'n>(entry: &'n TableEntry, primary: &'n str) -> &'n str {
    let renamed = entry.rename.iter().find(|(column, _)| column.value == primary);
    renamed.map_or(primary, |(_, replica)| replica.value.as_str())
}

/// A selected table on the primary.
#[derive(Clone, Copy)]
struct OnPrimary<'a> {
    spec: &'a Spec,
    entry: &'a TableEntry,
    primary: &'a Table,
}

struct Pairer<'a> {
    own: OnPrimary<'a>,
    databases: &'a Databases<'a>,
}

impl<'a> std::ops::Deref for Pairer<'a> {
    type Target = OnPrimary<'a>;

    fn deref(&self) -> &OnPrimary<'a> {
        &self.own
    }
}

impl OnPrimary<'_> {
    /// All that is wrong by what the primary alone can tell.
    fn problems(&self) -> Vec<Failure> {
        // Of a table that is seen in part only, columns may seem not to be there.
        if let Some(hidden) = hidden_rows(self.primary) {
            return vec![hidden];
        }
        let mut problems = self.unknown_columns();
        problems.extend(self.columns_against_the_key());
        problems
    }

    /// Every column that the entry names must exist on the primary.
    fn unknown_columns(&self) -> Vec<Failure> {
        let entry = self.entry;
        let compared = entry.compare.iter().filter(|compare| !compare.from_defaults).map(|c| &c.column);
        let excluded = entry.exclude_columns.iter().filter(|_| !entry.exclude_from_defaults);
        let mentioned = (entry.key.iter().flatten())
            .chain(entry.columns.iter().flatten())
            .chain(excluded)
            .chain(entry.rename.iter().map(|(primary, _)| primary))
            .chain(entry.cast.iter().map(|(primary, _)| primary))
            .chain(entry.renamed_from.iter().flat_map(|from| &from.columns).map(|(primary, _)| primary))
            .chain(compared)
            .map(|column| (column.value.as_str(), column.place));
        let in_filter = entry
            .filter
            .iter()
            .flat_map(|filter| filter.value.columns().into_iter().map(move |column| (column, filter.place)));
        let unknown = mentioned.chain(in_filter).filter(|(name, _)| self.primary.column(name).is_none());
        unknown.map(|(name, place)| self.no_column(name, place)).collect()
    }

    fn no_column(&self, column: &str, place: Place) -> Failure {
        let message = format!("the primary's table {} has no column {column}", self.primary.name);
        let failure = Failure::new(ErrorKind::Missing, self.spec.error_at(place, message).headline());
        let names = self.primary.columns.iter().map(|column| column.name.as_str());
        match did_you_mean(column, names) {
            Some(near) => failure.hint(format!("did you mean {near}?")),
            None => failure.hint(format!("it has: {}", self.column_names())),
        }
    }

    fn column_names(&self) -> String {
        let names: Vec<&str> = self.primary.columns.iter().map(|column| column.name.as_str()).collect();
        match names.get(..COLUMNS_SHOWN) {
            Some(some) if names.len() > COLUMNS_SHOWN => format!("{}, …", some.join(", ")),
            _ => names.join(", "),
        }
    }

    fn error(&self, kind: ErrorKind, column: &Located<String>, message: String) -> Failure {
        Failure::new(kind, self.spec.error_at(column.place, message).headline())
    }
}

impl<'a> Pairer<'a> {
    fn pair(&self, name: &str) -> Result<Pairing, Vec<Failure>> {
        let (mut replica_name, replica_qualified) = self.replica_name();
        let replica = self.databases.replica.meant(&replica_name);
        if let Some(table) = replica {
            replica_name = table.name.clone();
        }
        let mut problems = self.problems();
        problems.extend(replica.and_then(hidden_rows));
        let key = self.key();
        let (mut columns, of_columns) = self.columns(&key, replica);
        if columns.is_empty() && of_columns.is_empty() {
            problems.push(self.no_columns());
        }
        problems.extend(of_columns);
        let names = Names {
            column: &|name| self.column_on_replica(name, &key, replica),
            target: &|target| self.target_on_replica(target),
        };
        let extra = self.extra(&columns, &key, replica);
        let dependents = dependents(self.databases.replica, &replica_name);
        let pointed_at: Vec<Vec<String>> =
            dependents.iter().map(|dependent| dependent.key.referenced.clone()).collect();
        let enums = self.enums(&key).unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        });
        let structure = Structure {
            mode: self.entry.schema,
            names: Sides::new(&self.primary.name, &replica_name),
            dialects: self.databases.dialects,
            primary: self.primary,
            replica,
            key: &key,
            on_replica: &names,
            has_type: &|column| self.has_type(column),
            extra: &extra,
            allowed: self.databases.allowed,
            pointed_at: &pointed_at,
            enums: &enums,
            names_enums: self.databases.replica.types.is_some(),
            is_across: false,
        };
        let needs = self.needs(&structure, &mut columns).unwrap_or_else(|problem| {
            problems.push(problem);
            Needs::default()
        });
        let key_columns = key.len();
        let columns = in_order(columns, &key, self.entry.schema);
        let compared = columns.iter().filter(|column| column.rule != Some(CompareRule::Ignore)).count();
        let scope = self.scope(replica).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        if !problems.is_empty() {
            return Err(each_once(problems));
        }
        let going = going(&needs.changes);
        let pair = TablePair {
            table: name.to_owned(),
            names: Sides::new(self.primary.name.clone(), replica_name.clone()),
            replica_table: match &self.entry.to {
                Some(to) => to.value.to_string(),
                None => name.to_owned(),
            },
            replica_qualified,
            place: self.entry.table.place,
            key_columns,
            compared_columns: compared,
            scope,
            filter: self.entry.filter_text.clone(),
            columns_out_of_scope: self.columns_out_of_scope(&key),
            replica_missing: replica.is_none(),
            replica_extra: replica
                .map(|table| extra_columns(table, &columns, self.databases.dialects.replica))
                .unwrap_or_default(),
            foreign_keys: match replica {
                Some(table) => staying_keys(table, &going),
                None => needs.foreign_keys.clone(),
            },
            dependents,
            checked: replica.map(|table| table.checked.clone()).unwrap_or_default(),
            unique_keys: replica
                .map(|table| other_keys(table, &columns[..key_columns], &going))
                .unwrap_or_default(),
            schema: self.entry.schema,
            online: self.entry.online,
            triggers: self.entry.triggers,
            writes: Writes {
                insert: self.entry.insert,
                update: self.entry.update,
                delete: self.entry.delete,
            },
            rows_estimate: Sides::new(
                self.primary.rows_estimate,
                replica.map_or(Some(0), |table| table.rows_estimate),
            ),
            columns,
        };
        Ok(Pairing { pair, schema_changes: needs.changes, notes: needs.notes })
    }

    /// What the table needs, be it from its own engine or from another one.
    fn needs(&self, structure: &Structure<'_>, columns: &mut [ColumnPair]) -> Result<Needs, Failure> {
        let databases = self.databases;
        if databases.dialects.primary.same_family(databases.dialects.replica) {
            return structure::needs(structure, columns);
        }
        let naming = Naming {
            dialect: databases.dialects.replica,
            selected: databases.selected,
            replica: databases.replica,
        };
        let across = Across {
            structure,
            end: &|target| self.end(target),
            becomes: &|column, found| self.becomes(column, found, structure.replica?),
            naming: &naming,
            at: &|message| self.spec.error_at(self.entry.table.place, message).headline(),
        };
        across::needs(&across, columns)
    }

    /// The selected table of that name on the primary.
    fn of_primary(&self, name: &TableName) -> Option<Pairer<'a>> {
        let selected = self.databases.selected.of(name)?;
        let own = OnPrimary { entry: selected.entry, primary: selected.table.as_ref().ok()?, ..self.own };
        Some(Pairer { own, databases: self.databases })
    }

    /// What a foreign key of the primary would point at on the replica.
    fn end(&self, target: &Target) -> Option<End> {
        let databases = self.databases;
        let (here, _) = self.target_on_replica(target);
        let found = databases.replica.table(&here.table);
        let (mut columns, mut keys, mut new_keys) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(table) = found {
            columns.extend(table.columns.iter().cloned());
            keys.extend(table.keys.iter().map(|key| key.columns.clone()));
        }
        if let Some(other) =
            self.of_primary(&target.table).filter(|other| other.entry.schema == SchemaMode::Sync)
        {
            let key = other.key();
            let pairs = other.columns(&key, found).0;
            for pair in pairs.iter().filter(|pair| pair.on_replica) {
                let primary = &pair.sides.primary;
                let Some(column) = columns.iter_mut().find(|one| one.name == pair.sides.replica.name) else {
                    continue;
                };
                if let Some(wanted) = found.and_then(|found| other.becomes(primary, column, found)) {
                    column.column_type = wanted;
                }
            }
            let new = pairs.into_iter().map(|pair| pair.sides.replica);
            let new: Vec<Column> =
                new.filter(|new| !columns.iter().any(|column: &Column| column.name == new.name)).collect();
            columns.extend(new);
            let dialects = databases.dialects;
            let coming = |attachment: &Attachment| {
                let kept = dialects.primary.portable(attachment).ok()?.kept;
                let names: Option<Vec<String>> =
                    (kept.columns().iter()).map(|name| other.column_on_replica(name, &key, found)).collect();
                let names = names?;
                let own: Vec<&Column> = (names.iter())
                    .filter_map(|name| columns.iter().find(|column| column.name == *name))
                    .collect();
                let is_key = matches!(kept.kind, AttachmentKind::PrimaryKey | AttachmentKind::Unique);
                // A table that is there gets no key that would take rows for one: that is left out.
                let coarser = found.is_some()
                    && own.iter().zip(kept.columns()).any(|(column, there)| {
                        let is_two = |column: &Column| !dialects.primary.folds(column);
                        dialects.replica.folds(column) && other.primary.column(&there).is_none_or(is_two)
                    });
                (is_key && !coarser && dialects.replica.no_key(&own).is_none()).then_some(names)
            };
            let coming: Vec<Vec<String>> = other.primary.attachments.iter().filter_map(coming).collect();
            new_keys.extend(coming.into_iter().filter(|key| !keys.contains(key)));
        }
        keys.extend(new_keys.iter().cloned());
        // Only where tables are held against the texts of others (SQLite) does a key come too late for what points at it.
        let waits = found.is_some_and(|table| table.stored.table.is_some());
        let comes = if waits { new_keys } else { Vec::new() };
        let column = |name: &String| columns.iter().find(|column| column.name == *name).cloned();
        let columns: Option<Vec<Column>> = here.columns.iter().map(column).collect();
        let selected = self.of_primary(&target.table);
        let partial = selected.is_some_and(|other| {
            let entry = other.entry;
            entry.filter.is_some() || !entry.insert || !entry.update
        });
        Some(End { columns: columns?, keys, comes, partial })
    }

    /// What a column of the primary's table is called on the replica; `None`: it is out of scope.
    fn column_on_replica(&self, name: &str, key: &[String], replica: Option<&Table>) -> Option<String> {
        // MariaDB's keys of tables with history also speak of columns that are nobody's.
        if !self.in_scope(name, key) || self.primary.column(name).is_none() {
            return None;
        }
        let wanted = self.replica_column(name);
        let found = replica.and_then(|table| self.replica_meant(table, wanted));
        Some(found.map_or_else(|| wanted.to_owned(), |column| column.name.clone()))
    }

    /// What a foreign key of the primary points at, by the replica's names, and whether that is there, or will be.
    fn target_on_replica(&self, target: &Target) -> (Target, bool) {
        let databases = self.databases;
        let selected = self.of_primary(&target.table);
        let name = match &selected {
            Some(other) => other.replica_name().0,
            None if target.table.schema.as_deref() == databases.primary_default => {
                TableName { schema: databases.replica.default_schema.clone(), ..target.table.clone() }
            }
            None => target.table.clone(),
        };
        let found = databases.replica.meant(&name);
        let column = |name: &String| match &selected {
            Some(other) => {
                let wanted = other.replica_column(name);
                let found = found.and_then(|table| other.replica_meant(table, wanted));
                found.map_or_else(|| wanted.to_owned(), |column| column.name.clone())
            }
            None => name.clone(),
        };
        let columns: Vec<String> = target.columns.iter().map(column).collect();
        let is_there = match found {
            Some(table) => columns.iter().all(|name| table.column(name).is_some()) || selected.is_some(),
            None => {
                let creates = |other: &Pairer<'_>| other.entry.schema == SchemaMode::Sync;
                selected.as_ref().is_some_and(creates) && databases.chosen.of(&target.table).is_some()
            }
        };
        let table = found.map_or(name, |table| table.name.clone());
        (Target { table, columns }, is_there)
    }

    /// The columns that only the replica has, where the spec speaks of all columns.
    fn extra<'t>(
        &self,
        columns: &[ColumnPair],
        key: &[String],
        replica: Option<&'t Table>,
    ) -> Vec<&'t Column> {
        let Some(replica) = replica.filter(|_| self.entry.columns.is_none()) else { return Vec::new() };
        let ours: Vec<String> = self
            .primary
            .columns
            .iter()
            .map(|column| {
                let in_scope = self.column_on_replica(&column.name, key, Some(replica));
                in_scope.unwrap_or_else(|| self.replica_column(&column.name).to_owned())
            })
            .collect();
        let same = |one: &str, other: &str| self.databases.dialects.replica.same_column_name(one, other);
        let is_extra = |column: &&Column| {
            !ours.iter().any(|name| same(name, &column.name))
                && !columns.iter().any(|pair| pair.sides.replica.name == column.name)
        };
        replica.columns.iter().filter(is_extra).collect()
    }

    /// PostgreSQL has tables without columns; and all may be excluded, or generated on the replica.
    fn no_columns(&self) -> Failure {
        let message = format!("the table {} has no columns that could be compared", self.primary.name);
        let error = self.spec.error_at(self.entry.table.place, message);
        Failure::new(ErrorKind::Missing, error.headline())
            .hint("leave the table out (`skip_tables` takes it out of a glob), or bring a column into scope")
    }

    /// `to`, else the same name: in the same schema where the spec names one and the replica has schemas of
    /// the same kind, else in the replica's default schema. And whether the spec named the schema.
    fn replica_name(&self) -> (TableName, bool) {
        name_on_replica(self.entry, &self.primary.name, self.databases)
    }

    /// Whether a column is in scope: key columns always are.
    fn in_scope(&self, name: &str, key: &[String]) -> bool {
        let listed = |list: &[Located<String>]| list.iter().any(|column| column.value == name);
        key.iter().any(|column| column == name)
            || (self.entry.columns.as_deref().is_none_or(listed) && !listed(&self.entry.exclude_columns))
    }

    fn columns_out_of_scope(&self, key: &[String]) -> usize {
        self.primary.columns.iter().filter(|column| !self.in_scope(&column.name, key)).count()
    }

    /// The column pairs in the primary's order, and what is wrong with the others; columns generated on the
    /// replica are left out.
    fn columns(&self, key: &[String], replica: Option<&Table>) -> (Vec<ColumnPair>, Vec<Failure>) {
        let (mut pairs, mut problems) = (Vec::new(), Vec::new());
        for column in self.primary.columns.iter().filter(|column| self.in_scope(&column.name, key)) {
            match self.column(column, key, replica) {
                Ok(pair) => pairs.extend(pair),
                Err(problem) => problems.push(problem),
            }
        }
        problems.extend(self.shared_columns(&pairs));
        (pairs, problems)
    }

    /// Two columns of the primary that would both be one of the replica: by a `rename`, or because its names have no
    /// case.
    fn shared_columns(&self, pairs: &[ColumnPair]) -> Vec<Failure> {
        let same = |one: &str, other: &str| self.databases.dialects.replica.same_column_name(one, other);
        let is_shared =
            |name: &str| pairs.iter().filter(|pair| same(&pair.sides.replica.name, name)).count() > 1;
        let renamed = |name: &str| self.entry.rename.iter().any(|(_, replica)| same(&replica.value, name));
        let by_case = pairs.iter().map(ColumnPair::name).filter(|name| is_shared(name) && !renamed(name));
        let by_case: Vec<&str> = by_case.collect();
        if let [one, other, ..] = by_case.as_slice() {
            let message = format!(
                "the columns {one} and {other} of the primary's table {} differ in case alone, and are one to the \
                 replica",
                self.primary.name
            );
            let error = self.spec.error_at(self.entry.table.place, message);
            return vec![
                Failure::new(ErrorKind::Type, error.headline())
                    .hint(format!("rename one with `rename: {{ {other}: ... }}`, or exclude it")),
            ];
        }
        let shared = self.entry.rename.iter().filter(|(_, replica)| is_shared(&replica.value));
        shared
            .map(|(column, replica)| {
                let message = format!(
                    "{} is renamed to {}, which another column of the primary's table {} is on the replica",
                    column.value, replica.value, self.primary.name
                );
                let hint = format!("rename or exclude the primary's column {} too", replica.value);
                self.error(ErrorKind::Type, replica, message).hint(hint)
            })
            .collect()
    }

    /// The `where` for each side: the same tree, this side's column names. It may speak of columns that are not
    /// compared, also of those that the replica generates.
    fn scope(&self, replica: Option<&Table>) -> Result<Option<Sides<String>>, Failure> {
        let Some(filter) = &self.entry.filter else { return Ok(None) };
        let Databases { dialects, now, .. } = *self.databases;
        let on_primary = |name: &str| self.primary.column(name).cloned();
        // What the primary lacks has been told by now.
        if filter.value.columns().into_iter().any(|name| on_primary(name).is_none()) {
            return Ok(None);
        }
        let on_replica = |name: &str| {
            replica.and_then(|table| self.replica_meant(table, self.replica_column(name))).cloned()
        };
        let failed = |error: ExpressionError| {
            let message = self.spec.error_at(filter.place, error.to_string()).headline();
            Failure::new(ErrorKind::Type, message)
        };
        let lacking = filter.value.columns().into_iter().find(|name| on_replica(name).is_none());
        if let (Some(table), Some(name)) = (replica, lacking) {
            let what = format!(
                "the replica's table {} has no column {}, so that the scope of its rows cannot be told",
                table.name,
                self.replica_column(name)
            );
            let message = self.spec.error_at(filter.place, what).headline();
            return Err(Failure::new(ErrorKind::Missing, message)
                .hint(format!("add the column on the replica first, or leave {name} out of `where`")));
        }
        check_kinds(&filter.value, &on_primary)
            .and_then(|()| check_kinds(&filter.value, &on_replica))
            .map_err(|message| failed(ExpressionError { message }))?;
        Ok(Some(Sides {
            primary: dialects.primary.scope(&filter.value, &on_primary, now).map_err(failed)?,
            replica: match replica {
                Some(_) => dialects.replica.scope(&filter.value, &on_replica, now).map_err(failed)?,
                None => String::new(),
            },
        }))
    }

    /// The column of the replica's table that a statement would mean by this name.
    fn replica_meant<'t>(&self, table: &'t Table, name: &str) -> Option<&'t Column> {
        let dialect = self.databases.dialects.replica;
        let meant = || table.columns.iter().find(|column| dialect.same_column_name(&column.name, name));
        table.column(name).or_else(meant)
    }

    /// The replica's name for a column of the primary.
    fn replica_column<'n>(&'n self, primary: &'n str) -> &'n str {
        column_name(self.entry, primary)
    }
}

fn staying_keys(table: &Table, going: &[Attachment]) -> Vec<ForeignKey> {
    let goes = |key: &ForeignKey| going.iter().any(|one| is_foreign_key(one, key));
    table.foreign_keys.iter().filter(|key| !goes(key)).cloned().collect()
}

/// Each problem once: one that is about the whole table may have shown with every column.
fn each_once(problems: Vec<Failure>) -> Vec<Failure> {
    let mut once: Vec<Failure> = Vec::new();
    for problem in problems {
        if !once.contains(&problem) {
            once.push(problem);
        }
    }
    once
}

fn hidden_rows(table: &Table) -> Option<Failure> {
    let reason = table.hidden_rows.as_ref()?;
    let message = format!("the table {} would be seen only in part: {reason}", table.name);
    Some(Failure::new(ErrorKind::Permission, message).hint(
        "use a login that sees all of it (the table's owner, BYPASSRLS, SELECT on the whole table), or leave the \
         table out",
    ))
}

/// Key first (in the key's order), then what is compared, then what is ignored. With `schema: check` columns
/// that the replica's table lacks are reported, and the rest is compared without them; of a table that is
/// missing as a whole nothing is compared, and all columns stay to be shown.
fn in_order(columns: Vec<ColumnPair>, key: &[String], mode: SchemaMode) -> Vec<ColumnPair> {
    let table_missing = !columns.iter().any(|column| column.on_replica);
    let compared = |column: &ColumnPair| column.on_replica || table_missing || mode != SchemaMode::Check;
    let mut columns: Vec<ColumnPair> = columns.into_iter().filter(compared).collect();
    columns.sort_by_key(|column| {
        let in_key = key.iter().position(|name| name == column.name()).unwrap_or(usize::MAX);
        (in_key, column.rule == Some(CompareRule::Ignore))
    });
    columns
}

/// The replica's columns that no pair covers, generated ones left out: what a delete also takes away.
fn extra_columns(table: &Table, columns: &[ColumnPair], dialect: &dyn Dialect) -> Vec<SelectColumn> {
    let paired = |name: &str| columns.iter().any(|column| column.sides.replica.name == name);
    table
        .columns
        .iter()
        .filter(|column| column.generated.is_none() && !paired(&column.name))
        .map(|column| SelectColumn {
            column: column.clone(),
            domain: own_domain(&column.column_type, dialect),
        })
        .collect()
}

/// The domain of a column that is only shown and put back, never compared with another engine's: it holds every
/// value that the column can.
fn own_domain(column_type: &ColumnType, dialect: &dyn Dialect) -> Domain {
    choose_domain(Sides::new(column_type, column_type), Sides::new(dialect, dialect))
        .unwrap_or_else(|| super::domain::same_type(&column_type.meaning))
}

/// The foreign keys of the catalog's tables that point at one of them.
pub fn dependents(catalog: &Catalog, table: &TableName) -> Vec<Dependent> {
    catalog.tables.pointing_at(table)
}
