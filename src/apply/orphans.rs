//! Rows that would be left pointing at nothing, looked for before the commit where the engine does not see to it.
//!
//! A row may have pointed at nothing before, where others wrote without looking at foreign keys: it may stay so, and
//! that alone. Whether there are such rows is asked only after some were found: then the transaction is rolled back and
//! begins again with a list of them. Invariant: a row that is not on that list, by its key and by what it points with,
//! is never committed.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use crate::engine::{Violation, Writer};
use crate::failure::{ErrorKind, Failure};
use crate::plan::{Checks, RowStep};
use crate::sql::TableName;

use super::{GivenUp, Run};

/// So many rows that pointed at nothing before are known again.
const STANDING_MAX: usize = 100_000;
/// So many new ones are told.
const TOLD_MAX: usize = 20;

/// Rows that pointed at nothing before anything was written: by what they are known again, and how many by the same.
#[derive(Debug, Default)]
pub(super) struct Standing {
    known: HashMap<String, usize>,
    rows: usize,
}

impl Standing {
    fn of(rows: Vec<Violation>) -> Self {
        let mut standing = Standing { rows: rows.len(), ..Standing::default() };
        for known_by in rows.into_iter().filter_map(|row| row.known_by) {
            *standing.known.entry(known_by).or_default() += 1;
        }
        standing
    }

    /// Those that did not stand.
    fn new_among(mut self, found: Vec<Violation>) -> Vec<Violation> {
        let mut stood = |row: &Violation| {
            let left = row.known_by.as_ref().and_then(|known_by| self.known.get_mut(known_by));
            match left {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    true
                }
                _ => false,
            }
        };
        found.into_iter().filter(|row| !stood(row)).collect()
    }
}

impl Run<'_> {
    /// The rows that point at nothing already; none as long as no transaction has found any.
    pub(super) async fn standing_orphans(
        &self,
        writer: &mut dyn Writer,
        steps: &[RowStep],
    ) -> Result<Standing, GivenUp> {
        let tables = self.pointing_tables(steps);
        // Where keys can be switched off, none is broken by steps that leave them on.
        let looked_at = self.dialect.constraint_checks().off.is_some()
            && steps.iter().all(|step| step.circle.is_none_or(|circle| circle.checks != Checks::Off));
        if tables.is_empty() || looked_at || !self.orphans_met.load(Ordering::Relaxed) {
            return Ok(Standing::default());
        }
        standing(writer, &tables).await
    }

    /// An error where rows point at nothing that did not before: of the tables that were written and of those of the
    /// plan that point at them.
    pub(super) async fn refuse_orphans(
        &self,
        writer: &mut dyn Writer,
        steps: &[RowStep],
        standing: Standing,
    ) -> Result<(), GivenUp> {
        let tables = self.pointing_tables(steps);
        if tables.is_empty() {
            return Ok(());
        }
        let new = new_orphans(writer, &tables, standing).await?;
        if new.is_empty() {
            return Ok(());
        }
        self.orphans_met.store(true, Ordering::Relaxed);
        Err(orphaned(new))
    }
    /// The tables of the plan that are written here or point at such ones.
    fn pointing_tables(&self, steps: &[RowStep]) -> Vec<TableName> {
        let pair = |table: usize| self.plan.tables[table].pair.as_ref();
        let touched: Vec<&TableName> =
            steps.iter().filter_map(|step| pair(step.table)).map(|pair| &pair.names.replica).collect();
        let concerned = self.plan.tables.iter().filter_map(|table| table.pair.as_ref()).filter(|pair| {
            touched.contains(&&pair.names.replica)
                || pair.foreign_keys.iter().any(|key| touched.contains(&&key.table))
        });
        // What does not exist (a table whose creation is withheld) cannot be broken.
        let there = concerned.filter(|pair| !pair.replica_missing || touched.contains(&&pair.names.replica));
        there.map(|pair| pair.names.replica.clone()).collect()
    }
}

/// The rows of these tables, and of those that point at them, that point at nothing already.
pub(super) async fn standing(writer: &mut dyn Writer, tables: &[TableName]) -> Result<Standing, GivenUp> {
    let standing = writer.standing_violations(tables, STANDING_MAX + 1).await?;
    if standing.len() > STANDING_MAX {
        let message = format!(
            "more than {STANDING_MAX} rows of the replica break a foreign key already, so that new ones could not be \
             told from them"
        );
        let failure = Failure::new(ErrorKind::Key, message);
        return Err(failure.hint("repair or delete them on the replica").into());
    }
    Ok(Standing::of(standing))
}

/// Those that point at nothing now and did not before.
pub(super) async fn new_orphans(
    writer: &mut dyn Writer,
    tables: &[TableName],
    standing: Standing,
) -> Result<Vec<Violation>, GivenUp> {
    // Among one more than there were, one is new.
    let found = writer.foreign_key_violations(tables, standing.rows + TOLD_MAX).await?;
    Ok(standing.new_among(found))
}

/// The error that names them.
pub(super) fn orphaned(mut new: Vec<Violation>) -> GivenUp {
    new.truncate(TOLD_MAX);
    let words: Vec<String> = new.into_iter().map(|row| row.words).collect();
    let message = "rows would be left that break a foreign key of the replica";
    Failure::new(ErrorKind::Key, message)
        .detail(words.join("; "))
        .hint("bring the referenced tables into the spec, or repair the rows on the primary")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violation(known_by: Option<&str>) -> Violation {
        Violation {
            words: "t: id = 1 points at no row of p".to_owned(),
            known_by: known_by.map(str::to_owned),
        }
    }

    #[test]
    fn what_stood_may_stay_and_as_often_as_it_did() {
        let standing = || Standing::of(vec![violation(Some("a")), violation(Some("a")), violation(None)]);
        let new = |rows: &[Option<&str>]| {
            standing().new_among(rows.iter().map(|known_by| violation(*known_by)).collect()).len()
        };
        assert_eq!(new(&[Some("a"), Some("a")]), 0);
        assert_eq!(new(&[Some("a"), Some("a"), Some("a")]), 1);
        assert_eq!(new(&[Some("b")]), 1);
        // Nobody knows whether it is the same one.
        assert_eq!(new(&[None]), 1);
    }
}
