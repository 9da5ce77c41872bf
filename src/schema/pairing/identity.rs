//! What identifies a row of a pair: the key, and what must not be said or done about its columns.
//!
//! Owns the choice of the key, and refuses what would let two rows be taken for one or one row for gone: excused or
//! excluded key columns, key columns that cannot be written. Invariant: without a key every column identifies.

use crate::failure::{ErrorKind, Failure};
use crate::spec::{CompareEntry, CompareOptions, CompareRule};
use crate::sql::Attachment;

use super::super::{ColumnPair, Table, UniqueKey};
use super::{OnPrimary, Pairer};

impl OnPrimary<'_> {
    /// The key: the spec's, else the primary key, else the unique key over NOT NULL columns with the fewest
    /// columns, then by name. None of these: no columns, and rows are told apart by all that they hold.
    pub(super) fn key(&self) -> Vec<String> {
        match &self.entry.key {
            Some(key) => key.iter().map(|column| column.value.clone()).collect(),
            None => self.own_key(),
        }
    }

    /// Columns that the entry leaves out or excuses although they are part of the key.
    pub(super) fn columns_against_the_key(&self) -> Vec<Failure> {
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
        let excuses = |compare: &&CompareEntry| !only_tells_the_zone(&compare.rule);
        let excused = self.entry.compare.iter().filter(there).filter(excuses).map(|compare| {
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
}

impl Pairer<'_> {
    /// Rows are inserted by their key, and what is generated cannot be written.
    pub(super) fn generated_key(&self, column: &str) -> Failure {
        let message = format!(
            "the key column {column} is generated on the replica in the table {}, so that no row can be written by it",
            self.replica_name().0
        );
        let error = self.spec.error_at(self.entry.table.place, message);
        Failure::new(ErrorKind::Key, error.headline())
            .hint("name another unique key with `key: [...]`, of columns that can be written")
    }
}

/// Whether a rule says what values mean and excuses no difference between them.
fn only_tells_the_zone(rule: &CompareRule) -> bool {
    match rule {
        CompareRule::Options(CompareOptions { tolerance, precision, zone, trim, ignore_case }) => {
            zone.is_some() && tolerance.is_none() && precision.is_none() && !trim && !ignore_case
        }
        CompareRule::Ignore => false,
    }
}

pub(super) fn other_keys(table: &Table, key: &[ColumnPair], going: &[Attachment]) -> Vec<UniqueKey> {
    let is_key = |unique: &&UniqueKey| {
        unique.columns.len() == key.len()
            && key.iter().all(|column| unique.columns.contains(&column.sides.replica.name))
    };
    let goes = |unique: &UniqueKey| going.iter().any(|one| one.name == unique.name);
    table.keys.iter().filter(|unique| !is_key(unique) && !goes(unique)).cloned().collect()
}
