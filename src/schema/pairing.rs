//! Makes a [`TablePair`] of a primary's table and its counterpart: which columns are in scope, which are the
//! key, what each column is compared as, and what structure the replica lacks.
//!
//! Everything that could make a comparison inexact is refused here, with the spec line that would settle it.

use crate::failure::{ErrorKind, Failure};
use crate::sides::Sides;
use crate::spec::{
    CompareEntry, CompareRule, Located, Place, SchemaMode, Spec, TableEntry, Zone, did_you_mean,
};
use crate::sql::expression::ExpressionError;
use crate::sql::{Column, Dialect, ForeignKeyAction, SelectColumn, TableName};
use crate::value::{ColumnType, Domain, StorageClass, Type};

use super::change::SchemaChange;
use super::condition::check_kinds;
use super::structure::{self, Structure};
use super::{Catalog, ColumnPair, Dependent, Selected, Table, TablePair, UniqueKey, Writes, choose_domain};

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
    /// The start of the run, for `now()` in a `where`.
    pub now: jiff::Timestamp,
}

/// A pair and what its structure needs.
#[derive(Clone, Debug)]
pub struct Pairing {
    /// The pair.
    pub pair: TablePair,
    /// Changes of the replica's structure, in order.
    pub schema_changes: Vec<SchemaChange>,
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

    /// The key: the spec's, else the primary key, else the unique key over NOT NULL columns with the fewest
    /// columns, then by name. None of these: no columns, and rows are told apart by all that they hold.
    fn key(&self) -> Vec<String> {
        match &self.entry.key {
            Some(key) => key.iter().map(|column| column.value.clone()).collect(),
            None => self.own_key(),
        }
    }

    /// Columns that the entry leaves out or excuses although they are part of the key.
    fn columns_against_the_key(&self) -> Vec<Failure> {
        let key = self.key();
        if key.is_empty() {
            return self.excused_without_a_key();
        }
        let excluded = self.entry.exclude_columns.iter().filter(|_| !self.entry.exclude_from_defaults);
        let excluded = excluded
            .map(|column| (column, format!("{} is part of the key and cannot be excluded", column.value)));
        let excused = self.entry.compare.iter().map(|compare| {
            let name = &compare.column.value;
            let message = match compare.from_defaults {
                false => format!("{name} is part of the key, whose differences cannot be excused"),
                true => format!(
                    "{name} is part of the key of the table {}, whose differences cannot be excused; `defaults` \
                     does so for every table",
                    self.primary.name
                ),
            };
            (&compare.column, message)
        });
        excluded
            .chain(excused)
            .filter(|(column, _)| key.contains(&column.value))
            .map(|(column, message)| self.error(ErrorKind::Key, column, message))
            .collect()
    }

    /// Two rows of which nothing says that they are one cannot have differences to be excused.
    fn excused_without_a_key(&self) -> Vec<Failure> {
        let there = |compare: &&CompareEntry| self.primary.column(&compare.column.value).is_some();
        let excused = self.entry.compare.iter().filter(there).map(|compare| {
            let whose = match compare.from_defaults {
                false => "",
                true => "; `defaults` does so for every table",
            };
            let message = format!(
                "the table {} has no key, so that every column identifies its rows, and differences of {} cannot be \
                 excused{whose}",
                self.primary.name, compare.column.value
            );
            self.error(ErrorKind::Key, &compare.column, message).hint(
                "name the columns that identify a row with `key: [...]`, or leave the column out with \
                 `exclude_columns`",
            )
        });
        excused.collect()
    }

    fn own_key(&self) -> Vec<String> {
        // A primary key counts even where the engine lets NULLs into it (SQLite): they would show when read.
        let total = self.primary.keys.iter().filter(|key| key.total || key.primary);
        let best = total.min_by_key(|key| (!key.primary, key.columns.len(), key.name.clone()));
        best.map(|key| key.columns.clone()).unwrap_or_default()
    }

    fn error(&self, kind: ErrorKind, column: &Located<String>, message: String) -> Failure {
        Failure::new(kind, self.spec.error_at(column.place, message).headline())
    }
}

impl Pairer<'_> {
    fn pair(&self, name: &str) -> Result<Pairing, Vec<Failure>> {
        let (mut replica_name, replica_qualified) = self.replica_name();
        let replica = self.databases.replica.meant(&replica_name);
        if let Some(table) = replica {
            replica_name = table.name.clone();
        }
        let mut problems = self.problems();
        problems.extend(replica.and_then(hidden_rows));
        let key = self.key();
        let (columns, of_columns) = self.columns(&key, replica);
        if columns.is_empty() && of_columns.is_empty() {
            problems.push(self.no_columns());
        }
        problems.extend(of_columns);
        let structure = Structure {
            mode: self.entry.schema,
            names: Sides::new(&self.primary.name, &replica_name),
            dialects: self.databases.dialects,
            primary: self.primary,
            replica,
            key: &key,
        };
        let schema_changes = structure::changes(&structure, &columns).unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
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
            foreign_keys: replica.map(|table| table.foreign_keys.clone()).unwrap_or_default(),
            dependents: dependents(self.databases.replica, &replica_name),
            unique_keys: replica.map(|table| other_keys(table, &columns[..key_columns])).unwrap_or_default(),
            schema: self.entry.schema,
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
        Ok(Pairing { pair, schema_changes })
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
        let default = &self.databases.replica.default_schema;
        if let Some(to) = &self.entry.to {
            let named = default.as_ref().and_then(|_| to.value.schema.clone());
            let qualified = named.is_some();
            return (
                TableName { schema: named.or_else(|| default.clone()), name: to.value.name.clone() },
                qualified,
            );
        }
        let dialects = self.databases.dialects;
        let named = self.entry.table.value.schema.is_some()
            && self.primary.name.schema.as_deref() != self.databases.primary_default;
        let qualified = named && dialects.primary.same_family(dialects.replica);
        let schema = if qualified { self.primary.name.schema.clone() } else { default.clone() };
        (TableName { schema, name: self.primary.name.name.clone() }, qualified)
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
        let identifies = |pair: &&ColumnPair| key.is_empty() || key.iter().any(|name| name == pair.name());
        let freely_spelled = pairs.iter().filter(identifies).filter(|pair| is_freely_spelled(pair));
        problems.extend(freely_spelled.map(|pair| self.cannot_identify(pair, key.is_empty())));
        (pairs, problems)
    }

    /// A row that is found again by its values must not hide behind another spelling of one: it would be taken for
    /// gone, or for absent.
    fn cannot_identify(&self, pair: &ColumnPair, keyless: bool) -> Failure {
        let (what, hint) = match keyless {
            true => (
                "a table without a key",
                format!(
                    "name the columns that identify a row with `key: [...]`, or leave it out with \
                     `exclude_columns: [{}]`",
                    pair.name()
                ),
            ),
            false => ("a key", "name other columns that identify a row with `key: [...]`".to_owned()),
        };
        let message = format!(
            "table {}, column {}: not available yet: {what} with {} whose text may be spelled in many ways",
            self.primary.name,
            pair.name(),
            pair.domain.name()
        );
        Failure::new(ErrorKind::Key, self.spec.error_at(self.entry.table.place, message).headline())
            .hint(hint)
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

    /// `None` for a column that is generated on the replica.
    fn column(
        &self,
        column: &Column,
        key: &[String],
        replica: Option<&Table>,
    ) -> Result<Option<ColumnPair>, Failure> {
        let is_key = key.contains(&column.name);
        let name = self.replica_column(&column.name);
        let found = replica.and_then(|table| self.replica_meant(table, name));
        if found.is_some_and(|column| column.generated.is_some()) {
            return if is_key { Err(self.generated_key(name)) } else { Ok(None) };
        }
        let counterpart = match found {
            Some(found) => found.clone(),
            None => self.column_to_create(column, name, key, replica)?,
        };
        let rule = self.entry.compare.iter().find(|compare| compare.column.value == column.name);
        let rule = rule.filter(|_| !is_key);
        let mut sides = Sides::new(column.clone(), counterpart);
        let zone = rule.and_then(|compare| zone(&compare.rule));
        let zoned = zone.is_some_and(|zone| put_into_zone(&mut sides, zone, self.databases.dialects));
        let domain = self.domain(&sides)?;
        let rule = match rule {
            Some(compare) => self.fitting_rule(compare, &domain, zoned)?,
            None => None,
        };
        Ok(Some(ColumnPair { sides, domain, rule, on_replica: found.is_some() }))
    }

    /// A rule that could never excuse anything was meant for something else. From `defaults` it is for those
    /// tables whose column it fits.
    /// `zoned`: the rule's zone has made a moment of the side without one.
    fn fitting_rule(
        &self,
        compare: &CompareEntry,
        domain: &Domain,
        zoned: bool,
    ) -> Result<Option<CompareRule>, Failure> {
        let useless = zone(&compare.rule).filter(|_| !zoned);
        let useless = useless.map(|_| ("zone", "a date-time on one side and a moment on the other"));
        match useless.or_else(|| misfit(&compare.rule, domain)) {
            None => Ok(Some(compare.rule.clone())),
            Some(_) if compare.from_defaults => Ok(None),
            Some((option, wanted)) => {
                let name = &compare.column.value;
                let message = format!(
                    "`{option}` is for {wanted}, and the column {name} of the table {} is compared as {}",
                    self.primary.name,
                    domain.name()
                );
                Err(self.error(ErrorKind::Type, &compare.column, message).hint(format!(
                    "drop `{option}`; `{name}: ignore` would leave the column out of the comparison"
                )))
            }
        }
    }

    fn column_to_create(
        &self,
        column: &Column,
        name: &str,
        key: &[String],
        replica: Option<&Table>,
    ) -> Result<Column, Failure> {
        let is_key = key.contains(&column.name);
        if self.entry.schema == SchemaMode::Ignore {
            let what = match replica {
                Some(table) => format!("the replica's table {} has no column {name}", table.name),
                None => format!("the replica has no table {}", self.replica_name().0),
            };
            let message = self.spec.error_at(self.entry.table.place, what).headline();
            return Err(Failure::new(ErrorKind::Missing, message).hint(
                "`schema: ignore` creates nothing; use `schema: sync`, or leave the column out of scope",
            ));
        }
        let dialects = self.databases.dialects;
        let mut created = column.clone();
        created.name = name.to_owned();
        created.generated = None;
        let made = if dialects.primary.same_family(dialects.replica) {
            self.has_type(column)?;
            dialects.replica.adopted_type(&column.column_type)
        } else {
            created.collation = None;
            let is_key = is_key || (replica.is_none() && self.in_primary_key(&column.name, key));
            let meaning = &column.column_type.meaning;
            let made = dialects.replica.type_for(meaning, is_key);
            if made.is_none() && is_key && dialects.replica.type_for(meaning, false).is_some() {
                return Err(self.no_key_type(column));
            }
            made
        };
        created.column_type =
            made.ok_or_else(|| self.no_domain(column, &format!("no type of {}", dialects.replica.engine())))?;
        Ok(created)
    }

    /// Whether the column is one of the primary key that the replica's table is created with.
    fn in_primary_key(&self, name: &str, key: &[String]) -> bool {
        let primary_key = self.primary.keys.iter().find(|key| key.primary);
        primary_key.is_some_and(|primary| {
            primary.columns.iter().any(|column| column == name)
                && primary.columns.iter().all(|column| self.in_scope(column, key))
        })
    }

    fn no_key_type(&self, column: &Column) -> Failure {
        let engine = self.databases.dialects.replica.engine();
        let message = format!(
            "table {}, column {}: {} is in the primary key, and {engine} has no type for it that a key can be over",
            self.primary.name, column.name, column.column_type.declared
        );
        let error = self.spec.error_at(self.entry.table.place, message);
        Failure::new(ErrorKind::Type, error.headline()).hint(
            "create the replica's table by hand with another primary key, or name other columns with `key: [...]` and \
             leave the column out with `exclude_columns`",
        )
    }

    /// A type of the primary's users is there on the replica too, or nothing can be created with it.
    fn has_type(&self, column: &Column) -> Result<(), Failure> {
        let declared = column.column_type.declared.as_str();
        let Some(types) = self.databases.replica.types.as_ref() else { return Ok(()) };
        let known = |name: &str| types.contains(name);
        if self.entry.schema != SchemaMode::Sync || known(declared) || known(&without_modifier(declared)) {
            return Ok(());
        }
        let message = format!(
            "table {}, column {}: the replica has no type {declared} to create the column with",
            self.primary.name, column.name
        );
        let error = self.spec.error_at(self.entry.table.place, message);
        let hint = match &column.column_type.meaning {
            Type::Enum { members } => {
                let words: Vec<String> =
                    members.iter().map(|word| format!("'{}'", word.replace('\'', "''"))).collect();
                format!("create it there first: CREATE TYPE {declared} AS ENUM ({})", words.join(", "))
            }
            _ => "create the type there first, or the extension it comes from".to_owned(),
        };
        Err(Failure::new(ErrorKind::Type, error.headline()).hint(hint))
    }

    fn domain(&self, sides: &Sides<Column>) -> Result<Domain, Failure> {
        let types = sides.as_ref().map(|column| &column.column_type);
        choose_domain(types, self.databases.dialects).ok_or_else(|| {
            let failure = self.no_domain(&sides.primary, &sides.replica.column_type.declared);
            if !wants_zone(sides) {
                return failure;
            }
            let name = &sides.primary.name;
            let excluded = failure.hint.unwrap_or_default();
            Failure { hint: None, ..failure }.hint(format!(
                "say which zone the side without one means with `compare: {{ {name}: {{ zone: UTC }} }}` (or an \
                 offset such as +02:00), or {excluded}"
            ))
        })
    }

    fn no_domain(&self, column: &Column, other: &str) -> Failure {
        let message = format!(
            "table {}, column {}: {} on the primary and {other} on the replica have no exact common domain",
            self.primary.name, column.name, column.column_type.declared
        );
        let error = self.spec.error_at(self.entry.table.place, message);
        Failure::new(ErrorKind::Type, error.headline())
            .hint(format!("leave the column out with `exclude_columns: [{}]`", column.name))
    }

    /// Rows are inserted by their key, and what is generated cannot be written.
    fn generated_key(&self, column: &str) -> Failure {
        let message = format!(
            "the key column {column} is generated on the replica in the table {}, so that no row can be written by it",
            self.replica_name().0
        );
        let error = self.spec.error_at(self.entry.table.place, message);
        Failure::new(ErrorKind::Key, error.headline())
            .hint("name another unique key with `key: [...]`, of columns that can be written")
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
        let renamed = self.entry.rename.iter().find(|(column, _)| column.value == primary);
        renamed.map_or(primary, |(_, replica)| replica.value.as_str())
    }
}

/// `character varying(40)[]` as `character varying[]`, and an interval of some fields as one.
fn without_modifier(declared: &str) -> String {
    if declared.starts_with("interval") {
        return format!("interval{}", if declared.ends_with("[]") { "[]" } else { "" });
    }
    match (declared.find('('), declared.find(')')) {
        (Some(open), Some(close)) if open < close => {
            format!("{}{}", &declared[..open], &declared[close + 1..])
        }
        _ => declared.to_owned(),
    }
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

/// The option of a rule that a domain has no use for, and what it is for.
fn misfit(rule: &CompareRule, domain: &Domain) -> Option<(&'static str, &'static str)> {
    let CompareRule::Options(options) = rule else { return None };
    let given = [
        (options.tolerance.is_some(), "tolerance", "numbers"),
        (options.precision.is_some(), "precision", "times, date-times and instants"),
        (options.trim, "trim", "text"),
        (options.ignore_case, "case", "text"),
    ];
    let misfit = given.into_iter().find(|(given, option, _)| *given && !takes_option(domain, option));
    misfit.map(|(_, option, wanted)| (option, wanted))
}

/// Whether a `compare` option of this name has a use in a domain.
pub fn takes_option(domain: &Domain, option: &str) -> bool {
    // SQLite keeps numbers, and times as text, in columns of any type.
    let stored = |classes: &[StorageClass]| match domain {
        Domain::Storage { expected } => expected.is_none_or(|class| classes.contains(&class)),
        _ => false,
    };
    match option {
        "tolerance" => {
            stored(&[StorageClass::Integer, StorageClass::Real])
                || matches!(
                    domain,
                    Domain::Integer { .. } | Domain::Decimal { .. } | Domain::Float32 | Domain::Float64
                )
        }
        "precision" => {
            stored(&[StorageClass::Text])
                || matches!(domain, Domain::Time | Domain::DateTime | Domain::Instant)
        }
        "trim" | "case" => stored(&[StorageClass::Text]) || matches!(domain, Domain::Text | Domain::Native),
        _ => false,
    }
}

fn zone(rule: &CompareRule) -> Option<Zone> {
    match rule {
        CompareRule::Options(options) => options.zone,
        CompareRule::Ignore => None,
    }
}

/// Of a date-time beside a moment: makes it one of that zone. Whether there was one.
fn put_into_zone(sides: &mut Sides<Column>, zone: Zone, dialects: Sides<&dyn Dialect>) -> bool {
    if dialects.primary.stores_any_class() && dialects.replica.stores_any_class() {
        return false;
    }
    let Sides { primary, replica } = sides;
    let (local, moment) = match (&primary.column_type.meaning, &replica.column_type.meaning) {
        (Type::DateTime { .. }, _) => (primary, replica),
        _ => (replica, primary),
    };
    let Type::DateTime { digits } = local.column_type.meaning else { return false };
    let beside_a_moment = matches!(moment.column_type.meaning, Type::Instant { .. });
    if beside_a_moment {
        local.column_type.meaning = Type::Zoned { digits, offset_minutes: zone.offset_minutes };
    }
    beside_a_moment
}

/// Whether one is a moment and the other a date and time of no zone.
fn wants_zone(sides: &Sides<Column>) -> bool {
    let meanings = (&sides.primary.column_type.meaning, &sides.replica.column_type.meaning);
    matches!(
        meanings,
        (Type::DateTime { .. }, Type::Instant { .. }) | (Type::Instant { .. }, Type::DateTime { .. })
    )
}

/// Whether one value of the column may be stored as any of many texts, on a side that keeps what was written.
fn is_freely_spelled(pair: &ColumnPair) -> bool {
    let kept_as_text = |meaning: &Type| !matches!(meaning, Type::Json | Type::Address { .. });
    let meanings = [&pair.sides.primary, &pair.sides.replica].map(|column| &column.column_type.meaning);
    matches!(pair.domain, Domain::Json { canonical: true } | Domain::Address)
        && meanings.into_iter().any(kept_as_text)
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

fn dependents(catalog: &Catalog, table: &TableName) -> Vec<Dependent> {
    let pointing =
        catalog.tables.iter().flat_map(|other| other.foreign_keys.iter().map(move |key| (other, key)));
    pointing
        .filter(|(_, key)| key.table == *table && key.on_delete != ForeignKeyAction::Refuse)
        .map(|(other, key)| Dependent { table: other.name.clone(), key: key.clone() })
        .collect()
}

fn other_keys(table: &Table, key: &[ColumnPair]) -> Vec<UniqueKey> {
    let is_key = |unique: &&UniqueKey| {
        unique.columns.len() == key.len()
            && key.iter().all(|column| unique.columns.contains(&column.sides.replica.name))
    };
    table.keys.iter().filter(|unique| !is_key(unique)).cloned().collect()
}
