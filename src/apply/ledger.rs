//! Which changes of a plan are in: kept somewhere by whoever has a place for it, and asked when the plan runs again.
//!
//! A row that was written and then rewritten by a trigger that later rows fired is neither as before nor as planned;
//! only that its change was committed tells it from a stale one. Owns the noun
//! [`Committed`] and the trait [`Ledger`]; refuses to know where it is kept. Invariant: a change is noted after its
//! transaction was committed, never before, and by its number, not its batch's, so that a run with other batches
//! reads the same. What was committed and not noted is for the guards to find.

use std::collections::BTreeMap;

use crate::failure::Failure;
use crate::plan::{self, ChangeNumber, ReplicaPlan, RowStep};
use crate::sql::RowEvent;

use super::Run;

/// Where it is kept which changes are in.
pub trait Ledger: Send + Sync {
    /// What earlier runs of this plan committed to this replica. Asked under the replica's lock, before anything is
    /// written; `batches` are to come.
    ///
    /// # Errors
    /// Where it cannot be told, or nothing could be noted later on.
    fn open(&self, replica: &ReplicaPlan, batches: usize) -> Result<Committed, Failure>;

    /// Notes what was just committed; once it returns, that outlives this process and the machine's sudden end.
    ///
    /// # Errors
    /// Where it cannot be noted.
    fn note(&self, replica: &ReplicaPlan, committed: &Committed) -> Result<(), Failure>;
}

/// For plans that are never run again: nothing is kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unkept;

impl Ledger for Unkept {
    fn open(&self, _replica: &ReplicaPlan, _batches: usize) -> Result<Committed, Failure> {
        Ok(Committed::default())
    }

    fn note(&self, _replica: &ReplicaPlan, _committed: &Committed) -> Result<(), Failure> {
        Ok(())
    }
}

/// Changes of one replica that are in, by the name of their table in the plan. A bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed(BTreeMap<String, Vec<u64>>);

impl Committed {
    /// Those of some steps.
    pub(super) fn of(plan: &ReplicaPlan, steps: &[RowStep]) -> Self {
        let mut committed = Committed::default();
        for step in steps {
            let table = &plan.tables[step.table].table;
            for number in &step.changes {
                committed.insert(table, *number..*number + 1);
            }
        }
        committed
    }

    /// Adds the changes of a table with these numbers.
    pub fn insert(&mut self, table: &str, numbers: std::ops::Range<ChangeNumber>) {
        if numbers.is_empty() {
            return;
        }
        if !self.0.contains_key(table) {
            self.0.insert(table.to_owned(), Vec::new());
        }
        let Some(words) = self.0.get_mut(table) else { return };
        let needed = numbers.end.div_ceil(64) as usize;
        if words.len() < needed {
            words.resize(needed, 0);
        }
        for number in numbers {
            words[number as usize / 64] |= 1 << (number % 64);
        }
    }

    /// Adds others.
    pub fn extend(&mut self, other: &Committed) {
        for (table, ranges) in other.ranges() {
            ranges.into_iter().for_each(|range| self.insert(table, range));
        }
    }

    /// Whether this change of a table is in.
    pub fn contains(&self, table: &str, number: ChangeNumber) -> bool {
        let words = self.0.get(table).map(Vec::as_slice).unwrap_or_default();
        words.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// How many changes of a table are in.
    pub fn count(&self, table: &str) -> u64 {
        self.0.get(table).into_iter().flatten().map(|word| u64::from(word.count_ones())).sum()
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.0.keys().map(|table| self.count(table)).sum()
    }

    /// The numbers as ascending ranges, table by table.
    pub fn ranges(&self) -> impl Iterator<Item = (&str, Vec<std::ops::Range<ChangeNumber>>)> {
        self.0.iter().map(|(table, words)| (table.as_str(), ranges_of(words)))
    }
}

fn ranges_of(words: &[u64]) -> Vec<std::ops::Range<ChangeNumber>> {
    let mut ranges: Vec<std::ops::Range<ChangeNumber>> = Vec::new();
    for (word, first) in words.iter().zip((0..).step_by(64)) {
        for bit in (0..64).filter(|bit| word >> bit & 1 == 1) {
            let number: ChangeNumber = first + bit;
            match ranges.last_mut() {
                Some(last) if last.end == number => last.end += 1,
                _ => ranges.push(number..number + 1),
            }
        }
    }
    ranges
}

impl Run<'_> {
    /// Whether an earlier run committed a change, whatever its row looks like now.
    pub(super) fn is_in(&self, table: &str, number: ChangeNumber) -> bool {
        self.earlier.get().is_some_and(|earlier| earlier.contains(table, number))
    }

    /// Whether the replica itself may have rewritten rows of a table that this plan wrote: a trigger of its own or of
    /// another table that is written, or a column that the engine writes. Else only somebody else, or a restored
    /// database, explains a row that holds something else.
    pub(super) fn may_be_rewritten(&self, table: usize) -> bool {
        let rewritable = || {
            let mut tables = plan::stirred(self.plan);
            tables.extend((0..self.plan.tables.len()).filter(|table| self.rewrites_itself(*table)));
            tables
        };
        self.rewritable.get_or_init(rewritable).contains(&table)
    }

    fn rewrites_itself(&self, table: usize) -> bool {
        let table = &self.plan.tables[table];
        let fires = |event| !plan::firing(table, event).is_empty();
        let columns = table.structure.replica.iter().flat_map(|table| &table.columns);
        fires(RowEvent::Insert)
            || fires(RowEvent::Update)
            || columns.into_iter().any(|column| self.dialect.rewrites_itself(column))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_went_in_comes_out(numbers in proptest::collection::btree_set(0_u32..400, 0..60)) {
            let mut committed = Committed::default();
            numbers.iter().for_each(|number| committed.insert("t", *number..*number + 1));
            prop_assert_eq!(committed.count("t"), numbers.len() as u64);
            for number in 0..500 {
                prop_assert_eq!(committed.contains("t", number), numbers.contains(&number));
                prop_assert!(!committed.contains("u", number));
            }
            let mut again = Committed::default();
            for (table, ranges) in committed.ranges() {
                prop_assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
                ranges.into_iter().for_each(|range| again.insert(table, range));
            }
            prop_assert_eq!(again, committed);
        }
    }
}
