//! What is said beside an entry that works: what it leaves out and why, and which line would change that. Pure.
//!
//! Invariant: a line is proposed only after the entry with it has been tried.

use crate::report;
use crate::schema::{Pairing, Table, UniqueKey};
use crate::spec::{SchemaMode, did_you_mean};
use crate::sql::Column;
use crate::value::Type;

use super::entry::{Entry, rename_option, zone_option};
use super::pair::{Columns, Pairer};
use super::text::{either, list, rows, shortened};

impl Pairer<'_> {
    /// Says beside an entry that works what it does not do, and how to change that.
    pub fn explain(
        &self,
        entry: &mut Entry,
        pairing: &Pairing,
        primary: &Table,
        replica: Option<&Table>,
        columns: &Columns<'_>,
    ) {
        let key: Vec<&str> = pairing.pair.key().iter().map(|column| column.name()).collect();
        entry.notes.name = key_note(&key, primary);
        self.explain_missing(entry, primary, replica, columns);
        self.explain_incomparable(entry, primary, replica, columns);
        for group in &columns.ambiguous {
            let words = format!(
                "NOTE: {} could be the replica's {}: left out. Say which with `rename`.",
                list(group.primary.iter().copied()),
                either(group.replica.iter().copied())
            );
            entry.notes.exclude_columns.push(words);
        }
        explain_structure(entry, pairing);
        explain_extra(entry, pairing, columns);
        explain_deletes(entry, pairing);
        if let Some(replica) = replica {
            let names: Vec<&str> =
                pairing.pair.key().iter().map(|column| column.sides.replica.name.as_str()).collect();
            let unique = |own: &UniqueKey| own.columns.iter().all(|column| names.contains(&column.as_str()));
            if !key.is_empty() && !replica.keys.iter().any(unique) {
                let words = format!(
                    "The replica has no unique key over {}: two rows there with the same values would be an error.",
                    list(names.iter().copied())
                );
                entry.notes.end.push(words);
            }
        }
    }

    /// Columns that the replica lacks are left out: to add one is for a person to decide.
    fn explain_missing(
        &self,
        entry: &mut Entry,
        primary: &Table,
        replica: Option<&Table>,
        columns: &Columns<'_>,
    ) {
        let (mut addable, mut others) = (Vec::new(), Vec::new());
        for column in &columns.missing {
            let mut tried = entry.clone();
            tried.exclude_columns.retain(|name| *name != column.name);
            match self.attempt(&tried, primary, replica) {
                Ok(_) => addable.push(column.name.as_str()),
                Err(why) => others.push((column.name.as_str(), why.message)),
            }
        }
        if !addable.is_empty() {
            let done = if entry.schema == SchemaMode::Sync { "added to the replica" } else { "reported" };
            let (it, is) = if addable.len() == 1 { ("its name", "is") } else { ("a name", "are") };
            entry.notes.exclude_columns.push(format!(
                "NOTE: {} {is} only on the primary. Take {it} off the list below to have the column {done}.",
                list(addable)
            ));
        }
        for (column, why) in others {
            let words =
                format!("NOTE: {} is only on the primary, and cannot be added: {why}.", list([column]));
            entry.notes.exclude_columns.push(words);
        }
        for column in &columns.missing {
            let suggestion = self.suggest_rename(entry, column, primary, replica, columns);
            entry.notes.exclude_columns.extend(suggestion);
        }
    }

    /// A column of the replica that may be this one under another name.
    fn suggest_rename(
        &self,
        entry: &Entry,
        column: &Column,
        primary: &Table,
        replica: Option<&Table>,
        columns: &Columns<'_>,
    ) -> Option<String> {
        let near = did_you_mean(&column.name, columns.extra.iter().map(|column| column.name.as_str()))?;
        let renamed = (column.name.clone(), near.to_owned());
        let mut tried = entry.clone();
        tried.exclude_columns.retain(|name| *name != column.name);
        tried.rename.push(renamed.clone());
        self.attempt(&tried, primary, replica).ok()?;
        let (name, option) = (list([column.name.as_str()]), rename_option(&[renamed]));
        Some(format!(
            "If {name} is the replica's {}, take it off the list below and add {option}",
            list([near])
        ))
    }

    fn explain_incomparable(
        &self,
        entry: &mut Entry,
        primary: &Table,
        replica: Option<&Table>,
        columns: &Columns<'_>,
    ) {
        if columns.incomparable.is_empty() {
            return;
        }
        let engine = self.sides.replica.dialect.engine();
        let shown = columns.incomparable.iter().map(|(column, other)| {
            let declared = shortened(&column.column_type.declared);
            let other = other.map(|other| format!(" / {}", shortened(&other.column_type.declared)));
            (list([column.name.as_str()]), format!("{declared}{}", other.unwrap_or_default()))
        });
        let shown = rows(&shown.collect::<Vec<_>>());
        entry.notes.exclude_columns.push(match replica {
            Some(_) => {
                "NOTE: left out, for their types (primary / replica) have no exact common domain:".to_owned()
            }
            None => format!("NOTE: left out, for {engine} has no exact type for them:"),
        });
        entry.notes.exclude_columns.extend(shown);
        let zoned = columns.incomparable.iter().filter_map(|(column, other)| Some((*column, (*other)?)));
        let zoned: Vec<_> = zoned.filter(|(column, other)| needs_zone(column, other)).collect();
        if !zoned.is_empty() {
            entry.notes.exclude_columns.push(self.suggest_zone(entry, primary, replica, &zoned));
        }
    }

    /// How columns with a zone on one side only can be compared.
    fn suggest_zone(
        &self,
        entry: &Entry,
        primary: &Table,
        replica: Option<&Table>,
        zoned: &[(&Column, &Column)],
    ) -> String {
        let mut tried = entry.clone();
        tried.zoned = zoned.iter().map(|(column, _)| column.name.clone()).collect();
        tried.exclude_columns.retain(|excluded| !tried.zoned.contains(excluded));
        let renamed = zoned.iter().map(|(column, other)| (column.name.clone(), other.name.clone()));
        let renamed: Vec<_> = renamed.filter(|(name, other)| name != other).collect();
        let mut options = zone_option(&tried.zoned);
        if !renamed.is_empty() {
            options = format!("{options} and {}", rename_option(&renamed));
        }
        tried.rename.extend(renamed);
        let names = list(tried.zoned.iter().map(String::as_str));
        match self.attempt(&tried, primary, replica) {
            Ok(_) => format!(
                "To compare {names}, shorten the list below and add, with the zone that the side without one means: {options}"
            ),
            Err(why) => format!("To compare {names} would take {options}, but {}.", why.message),
        }
    }
}

fn key_note(key: &[&str], primary: &Table) -> String {
    if key.is_empty() {
        return "no key: whole rows are compared".to_owned();
    }
    let names: Vec<String> = key.iter().map(|name| report::name(name)).collect();
    let is_primary = primary.keys.iter().any(|own| own.primary);
    let why = if is_primary { "" } else { " (unique; there is no primary key)" };
    format!("key: {}{why}", names.join(", "))
}

/// Structure that differs in a way that is not reconciled.
fn explain_structure(entry: &mut Entry, pairing: &Pairing) {
    let words = match entry.schema {
        SchemaMode::Sync => return,
        SchemaMode::Ignore => "NOTE: the structure differs; only the rows are looked at.",
        SchemaMode::Check => {
            "NOTE: the structure differs. That is reported in every plan and not changed; `schema: ignore` looks at rows only."
        }
    };
    entry.notes.schema.push(words.to_owned());
    for change in &pairing.schema_changes {
        let told = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
        entry.notes.schema.push(format!("  replica: {}", shortened(&told(&change.before))));
        entry.notes.schema.push(format!("  primary: {}", shortened(&told(&change.after))));
    }
}

/// Columns of the replica that are not compared, and whether its rows could be inserted at all.
fn explain_extra(entry: &mut Entry, pairing: &Pairing, columns: &Columns<'_>) {
    let plain = columns.extra.iter().filter(|column| column.generated.is_none());
    let extra: Vec<&str> = plain.map(|column| column.name.as_str()).collect();
    if !extra.is_empty() {
        let words = format!(
            "Only on the replica, and left as {}: {}",
            if extra.len() == 1 { "it is" } else { "they are" },
            list(extra)
        );
        entry.notes.end.push(words);
    }
    let unfilled =
        pairing.pair.replica_extra.iter().map(|extra| &extra.column).filter(|column| column.needs_value());
    let unfilled: Vec<&str> = unfilled.map(|column| column.name.as_str()).collect();
    if !unfilled.is_empty() {
        entry.insert = false;
        entry.notes.insert.push(format!(
            "NOTE: a new row would get no value for the replica's {}, NOT NULL without default. Until that is settled, missing \
             rows are reported and not written.",
            list(unfilled)
        ));
    }
}

/// Without a key a changed row is one to delete and one to insert, and of equal rows any may go: what the replica holds
/// beside the columns that are compared would go with it.
fn explain_deletes(entry: &mut Entry, pairing: &Pairing) {
    let beside: Vec<&str> =
        pairing.pair.replica_extra.iter().map(|extra| extra.column.name.as_str()).collect();
    if !pairing.pair.is_keyless() || beside.is_empty() {
        return;
    }
    entry.delete = false;
    entry.notes.delete.push(format!(
        "NOTE: without a key, a row that changed is deleted and inserted anew, and would lose what the replica holds in {}. \
         Until that is settled, extra rows are reported and not deleted. Name the columns that identify a row with \
         `key: [...]`, or take this line away.",
        list(beside)
    ));
}

/// Whether one has a zone and the other does not.
fn needs_zone(a: &Column, b: &Column) -> bool {
    let is = |column: &Column| match column.column_type.meaning {
        Type::DateTime { .. } => Some(false),
        Type::Instant { .. } => Some(true),
        _ => None,
    };
    matches!((is(a), is(b)), (Some(a), Some(b)) if a != b)
}
