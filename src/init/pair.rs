//! From a table and its counterpart to an entry that works: columns are paired by name, what cannot be compared is left out
//! with the reason, and the entry is tried with the very code that a run uses.
//!
//! Invariant: an entry that is called good parses and pairs.

use crate::schema::{self, Databases, Pairing, Table, UniqueKey, choose_domain};
use crate::sides::Sides;
use crate::spec::{QualifiedName, SchemaMode, Spec};
use crate::sql::Column;

use super::Database;
use super::entry::Entry;
use super::names::match_names;
use super::text::list;

/// What an entry that is only tried is called in messages.
const TRIED: &str = "spec";

/// An entry, and why it cannot be used as it is, if so.
#[derive(Clone, Debug)]
pub(super) struct Drafted {
    pub entry: Entry,
    pub refused: Option<String>,
}

/// Why an entry that was tried cannot be used.
pub(super) struct Refusal {
    pub message: String,
    hint: Option<String>,
}

impl Refusal {
    fn new(message: impl Into<String>) -> Refusal {
        Refusal { message: message.into(), hint: None }
    }

    fn with_hint(self) -> String {
        let hint = self.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
        format!("{}{hint}", self.message)
    }
}

/// Makes entries for the tables of two databases.
pub(super) struct Pairer<'a> {
    pub sides: &'a Sides<Database<'a>>,
}

/// The columns of a table by what becomes of them.
pub(super) struct Columns<'a> {
    /// Primary's and replica's name, where they differ.
    pub rename: Vec<(String, String)>,
    /// Only on the primary.
    pub missing: Vec<&'a Column>,
    /// Only on the replica.
    pub extra: Vec<&'a Column>,
    /// Without an exact domain: the column and the replica's type.
    pub incomparable: Vec<(&'a Column, Option<&'a Column>)>,
    /// Several could be meant.
    pub ambiguous: Vec<Sides<Vec<&'a str>>>,
}

impl Columns<'_> {
    /// The columns to leave out, in the primary's order.
    fn excluded(&self, primary: &Table) -> Vec<String> {
        let out = |name: &str| {
            self.missing.iter().any(|column| column.name == name)
                || self.incomparable.iter().any(|(column, _)| column.name == name)
                || self.ambiguous.iter().any(|group| group.primary.contains(&name))
        };
        primary.columns.iter().map(|column| column.name.clone()).filter(|name| out(name)).collect()
    }
}

/// Whether a pair's structure needs more than what is added without touching what is there.
fn alters(pairing: &Pairing) -> bool {
    pairing.schema_changes.iter().any(|change| change.alteration.is_some())
}

impl Pairer<'_> {
    /// The entry for a table and its counterpart; without one, to have the table created.
    pub fn draft(&self, primary: &Table, replica: Option<&Table>) -> Drafted {
        let columns = self.columns(primary, replica);
        let mut entry = Entry::new(self.primary_name(primary));
        entry.to = replica.and_then(|replica| self.to(primary, replica));
        entry.rename = columns.rename.clone();
        entry.exclude_columns = columns.excluded(primary);
        let modes: &[SchemaMode] = match replica {
            Some(_) => &[SchemaMode::Sync, SchemaMode::Check, SchemaMode::Ignore],
            None => &[SchemaMode::Sync],
        };
        if let Some(why) = self.unreadable(primary, replica) {
            entry.exclude_columns.clear();
            return Drafted { entry, refused: Some(why) };
        }
        let mut refused: Option<String> = None;
        for (rank, key) in keys(primary).into_iter().enumerate() {
            let mut tried = entry.clone();
            tried.key = key.filter(|_| rank > 0).map(|key| key.columns.clone());
            let mut reason = key.and_then(|key| left_out(key, &columns));
            for mode in modes.iter().filter(|_| key.is_none_or(|key| left_out(key, &columns).is_none())) {
                tried.schema = *mode;
                match self.attempt(&tried, primary, replica) {
                    // What is there is changed only where somebody asks for it.
                    Ok(pairing) if *mode == SchemaMode::Sync && alters(&pairing) => {}
                    Ok(pairing) => {
                        tried.notes.key.extend(refused.as_deref().map(other_key));
                        if key.is_none() {
                            let proposed = self.key_of_replica(&tried, primary, replica);
                            tried.notes.key.extend(proposed.map(|key| replica_key(&key)));
                        }
                        self.explain(&mut tried, &pairing, primary, replica, &columns);
                        return Drafted { entry: tried, refused: None };
                    }
                    Err(why) => reason = Some(why.with_hint()),
                }
            }
            refused = refused.or(reason);
        }
        self.refuse(entry, refused.unwrap_or_default())
    }

    /// Why rows could not be read, where rights are missing.
    fn unreadable(&self, primary: &Table, replica: Option<&Table>) -> Option<String> {
        let lacking = |side: &Database<'_>, table: &Table| {
            let lack = side.unreadable.iter().find(|(name, _)| *name == table.name);
            lack.map(|(_, hint)| hint.clone())
        };
        if let Some(hint) = lacking(&self.sides.primary, primary) {
            return Some(format!("this login may not read it on the primary ({hint})"));
        }
        let hint = replica.and_then(|replica| lacking(&self.sides.replica, replica))?;
        Some(format!("this login may not read it on the replica ({hint})"))
    }

    /// As the spec names a table of the primary.
    fn primary_name(&self, table: &Table) -> QualifiedName {
        qualified(table, &self.sides.primary)
    }

    /// `to`, where the table would be looked for elsewhere.
    fn to(&self, primary: &Table, replica: &Table) -> Option<QualifiedName> {
        let default = &self.sides.replica.catalog.default_schema;
        let outside = primary.name.schema != self.sides.primary.catalog.default_schema;
        let dialects = self.sides.as_ref().map(|side| side.dialect);
        let expected = if outside && dialects.primary.same_family(dialects.replica) {
            &primary.name.schema
        } else {
            default
        };
        let found = *expected == replica.name.schema && primary.name.name == replica.name.name;
        (!found).then(|| qualified(replica, &self.sides.replica))
    }

    fn columns<'t>(&self, primary: &'t Table, replica: Option<&'t Table>) -> Columns<'t> {
        let Some(replica) = replica else { return self.columns_to_create(primary) };
        let tables = Sides::new(primary, replica);
        let names = tables.map(|table| table.columns.iter().map(|column| column.name.as_str()).collect());
        let matches = match_names(&names);
        let mut columns = Columns {
            rename: Vec::new(),
            missing: matches.only.primary.iter().map(|at| &primary.columns[*at]).collect(),
            extra: matches.only.replica.iter().map(|at| &replica.columns[*at]).collect(),
            incomparable: Vec::new(),
            ambiguous: Vec::new(),
        };
        for group in matches.ambiguous {
            let of =
                |(names, places): (&Vec<&'t str>, Vec<usize>)| places.iter().map(|at| names[*at]).collect();
            columns.ambiguous.push(names.as_ref().zip(group).map(of));
        }
        for (p, r) in matches.pairs {
            let pair = Sides::new(&primary.columns[p], &replica.columns[r]);
            let types = pair.map(|column| &column.column_type);
            // What the replica generates is never compared.
            let comparable = pair.replica.generated.is_some()
                || choose_domain(types, self.sides.as_ref().map(|side| side.dialect)).is_some();
            if !comparable {
                columns.incomparable.push((pair.primary, Some(pair.replica)));
            } else if pair.primary.name != pair.replica.name {
                columns.rename.push((pair.primary.name.clone(), pair.replica.name.clone()));
            }
        }
        columns
    }

    /// The columns of a table that the replica is to get: those that have a type there.
    fn columns_to_create<'t>(&self, primary: &'t Table) -> Columns<'t> {
        let dialects = self.sides.as_ref().map(|side| side.dialect);
        let key = keys(primary).first().copied().flatten();
        let has_type = |column: &Column| {
            let is_key = key.is_some_and(|key| key.columns.contains(&column.name));
            dialects.primary.same_family(dialects.replica)
                || dialects.replica.type_for(&column.column_type.meaning, is_key).is_some()
        };
        let without = primary.columns.iter().filter(|column| !has_type(column));
        Columns {
            rename: Vec::new(),
            missing: Vec::new(),
            extra: Vec::new(),
            incomparable: without.map(|column| (column, None)).collect(),
            ambiguous: Vec::new(),
        }
    }

    /// Parses and pairs an entry by itself, as a run would.
    ///
    /// # Errors
    /// Why it cannot be used, without a place.
    pub fn attempt(
        &self,
        entry: &Entry,
        primary: &Table,
        replica: Option<&Table>,
    ) -> Result<Pairing, Refusal> {
        let body: String = entry.lines().iter().map(|line| format!("  {line}\n")).collect();
        let text = format!("version: 1\nprimary: sqlite:a\nreplicas: {{ r: \"sqlite:b\" }}\ntables:\n{body}");
        let spec = Spec::parse(&text, TRIED, &|_| None).map_err(|errors| {
            Refusal::new(errors.iter().next().map_or("", |error| error.message.as_str()))
        })?;
        let databases = Databases {
            dialects: self.sides.as_ref().map(|side| side.dialect),
            replica: self.sides.replica.catalog,
            primary_default: self.sides.primary.catalog.default_schema.as_deref(),
            primary_enums: &self.sides.primary.catalog.enums,
            primary_extensions: &self.sides.primary.catalog.extensions,
            now: jiff::Timestamp::UNIX_EPOCH,
            selected: &Default::default(),
            chosen: &Default::default(),
            allowed: &[],
        };
        let selected = schema::select_tables(&spec, self.sides.primary.catalog, &[]);
        let [selected] = &selected[..] else { return Err(Refusal::new("its name means several tables")) };
        let pairing = schema::pair_table(&spec, selected, &databases).map_err(|failure| Refusal {
            hint: failure.hint,
            ..Refusal::new(without_place(&failure.message))
        })?;
        let names = &pairing.pair.names;
        let meant = replica.map_or(&names.replica, |replica| &replica.name);
        if names.primary != primary.name || names.replica != *meant {
            return Err(Refusal::new(format!("the spec would take {} for it", names.replica)));
        }
        Ok(pairing)
    }

    /// Where rows of the primary have no key and those of the replica do: that key, by the primary's names, if it
    /// could be one.
    fn key_of_replica(&self, entry: &Entry, primary: &Table, replica: Option<&Table>) -> Option<Vec<String>> {
        let mut of_replica = keys(replica?).into_iter().flatten();
        let key = of_replica.find_map(|key| primary_columns(key, &entry.rename, primary))?;
        let tried = Entry { key: Some(key.clone()), ..entry.clone() };
        self.attempt(&tried, primary, replica).is_ok().then_some(key)
    }

    /// An entry that cannot be used as it is.
    fn refuse(&self, mut entry: Entry, why: String) -> Drafted {
        // What was left out may be what the key needs.
        entry.exclude_columns.clear();
        Drafted { entry, refused: Some(why) }
    }
}

/// The keys that may identify rows, best first; `None` stands for no key at all.
fn keys(table: &Table) -> Vec<Option<&UniqueKey>> {
    let mut keys: Vec<&UniqueKey> = table.keys.iter().filter(|key| key.total || key.primary).collect();
    keys.sort_by_key(|key| (!key.primary, key.columns.len(), key.name.clone()));
    if keys.is_empty() { vec![None] } else { keys.into_iter().map(Some).collect() }
}

/// Why a key cannot be one: some of its columns have no counterpart.
fn left_out(key: &UniqueKey, columns: &Columns<'_>) -> Option<String> {
    let named = |name: &str| key.columns.iter().any(|column| column == name);
    if let Some(column) = columns.missing.iter().find(|column| named(&column.name)) {
        return Some(format!("the key's column {} is only on the primary", list([column.name.as_str()])));
    }
    if let Some((column, other)) = columns.incomparable.iter().find(|(column, _)| named(&column.name)) {
        let other = other.map_or("of no type there", |other| other.column_type.declared.as_str());
        return Some(format!(
            "the key's column {} is {} on the primary and {other} on the replica, which have no exact common domain",
            list([column.name.as_str()]),
            column.column_type.declared
        ));
    }
    let unclear = columns.ambiguous.iter().flat_map(|group| &group.primary).find(|name| named(name));
    unclear.map(|name| {
        format!("it is not clear which column of the replica the key's column {} is", list([*name]))
    })
}

fn other_key(why: &str) -> String {
    format!("NOTE: another unique key is used, because {why}.")
}

fn replica_key(key: &[String]) -> String {
    format!(
        "NOTE: the replica has a key, {}. Where the same is unique and never NULL on the primary, key: [{}] has rows that \
         differ updated, not replaced.",
        list(key.iter().map(String::as_str)),
        key.join(", ")
    )
}

/// A replica's key by the primary's names, where all its columns are there.
fn primary_columns(key: &UniqueKey, rename: &[(String, String)], primary: &Table) -> Option<Vec<String>> {
    let name = |replica: &String| {
        let renamed = rename.iter().find(|(_, to)| to == replica).map(|(from, _)| from.clone());
        renamed.or_else(|| primary.column(replica).map(|column| column.name.clone()))
    };
    key.columns.iter().map(name).collect()
}

fn qualified(table: &Table, side: &Database<'_>) -> QualifiedName {
    let schema = table.name.schema.clone().filter(|_| table.name.schema != side.catalog.default_schema);
    QualifiedName { schema, name: table.name.name.clone() }
}

/// A message without the place in the spec that was only tried.
fn without_place(message: &str) -> &str {
    let rest = message.strip_prefix(TRIED).and_then(|rest| rest.strip_prefix(':'));
    let Some(rest) = rest else { return message };
    rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':').trim_start()
}
