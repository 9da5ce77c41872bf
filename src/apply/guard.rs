//! Guards: before a row is written it is read again, under lock, and must be what the plan saw.
//!
//! A row is as *before* (to be written), as *after* (done already: by an earlier run that was cut off, or by
//! somebody else), or anything else, and then the plan is stale. Invariant: a stale plan writes no row.

use crate::compare::RowChange;
use crate::engine::Writer;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, TablePlan};
use crate::schema::TablePair;

use super::rows::{self, FoundRow};
use super::{GivenUp, Run};

/// When a guard looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before structure is changed, without locks: tables and columns to be created are not there yet.
    BeforeSchemaChanges,
    /// In the transaction that writes.
    UnderLock,
}

/// What the guards found in one table.
#[derive(Clone, Debug, Default)]
pub(super) struct GuardedTable {
    /// For each change whether it is to be written.
    pub pending: Vec<bool>,
    /// How many changes are done already.
    pub already: u64,
    /// Changes whose rows are neither as before nor as after.
    stale: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    After,
    Other,
}

impl Run<'_> {
    /// Checks the rows of all changes of all tables; stale when one is not as planned.
    pub(super) async fn guard(
        &self,
        writer: &mut dyn Writer,
        moment: Moment,
    ) -> Result<Vec<GuardedTable>, GivenUp> {
        let mut guarded = Vec::with_capacity(self.plan.tables.len());
        for table in &self.plan.tables {
            guarded.push(match &table.pair {
                Some(pair) if table.error.is_none() => self.guard_table(writer, table, pair, moment).await?,
                _ => GuardedTable::default(),
            });
        }
        match stale_failure(&self.plan.tables, &guarded) {
            Some(failure) => Err(GivenUp::stale(failure)),
            None => Ok(guarded),
        }
    }

    async fn guard_table(
        &self,
        writer: &mut dyn Writer,
        table: &TablePlan,
        pair: &TablePair,
        moment: Moment,
    ) -> Result<GuardedTable, GivenUp> {
        let mut guarded = GuardedTable { pending: vec![false; table.changes.len()], ..Default::default() };
        let written: Vec<usize> =
            (0..table.changes.len()).filter(|index| !table.changes[*index].withheld).collect();
        if moment == Moment::BeforeSchemaChanges && pair.replica_missing {
            return Ok(guarded);
        }
        let seen = rows::seen(pair);
        let columns = match moment {
            Moment::BeforeSchemaChanges => seen.clone(),
            Moment::UnderLock => rows::compared(pair),
        };
        for piece in rows::pieces(table, &written) {
            self.go_on()?;
            let locked = moment == Moment::UnderLock;
            let found = rows::read(writer, table, pair, piece, &columns, locked).await?;
            for index in piece.iter().copied() {
                let change = &table.changes[index].change;
                match state(change, found.row(change.row().bytes()), &seen, &columns) {
                    State::Before => guarded.pending[index] = true,
                    State::After => guarded.already += 1,
                    State::Other => guarded.stale.push(index),
                }
            }
        }
        Ok(guarded)
    }
}

/// `seen`: the columns the plan saw on the replica; `columns`: those that were read now.
fn state(change: &RowChange, found: Option<FoundRow<'_>>, seen: &[u16], columns: &[u16]) -> State {
    match (change, found) {
        (RowChange::Insert { .. }, None) => State::Before,
        (RowChange::Insert { after }, Some(row)) if row.equals(after, columns) => State::After,
        (RowChange::Update { after, columns, .. }, Some(row)) if row.equals(after, columns) => State::After,
        (RowChange::Update { before, .. }, Some(row)) if row.equals(before, seen) => State::Before,
        (RowChange::Delete { .. }, None) => State::After,
        (RowChange::Delete { before }, Some(row)) if row.equals(before, seen) => State::Before,
        _ => State::Other,
    }
}

fn stale_failure(tables: &[TablePlan], guarded: &[GuardedTable]) -> Option<Failure> {
    let stale: Vec<(&TablePlan, &GuardedTable)> =
        tables.iter().zip(guarded).filter(|(_, guarded)| !guarded.stale.is_empty()).collect();
    if stale.is_empty() {
        return None;
    }
    let counts: Vec<String> = stale
        .iter()
        .map(|(table, guarded)| match guarded.stale.len() {
            1 => format!("table {}: 1 row", table.table),
            rows => format!("table {}: {rows} rows", table.table),
        })
        .collect();
    let keys = stale.iter().filter_map(|(table, guarded)| {
        let rows = guarded.stale.iter().map(|index| table.changes[*index].change.row().bytes());
        Some(format!("{}: {}", table.table, plan::keys_text(table.pair.as_ref()?, rows)))
    });
    let keys: Vec<String> = keys.collect();
    let message =
        format!("{} on the replica changed since the plan was made; no row was written", counts.join(", "));
    Some(Failure::new(ErrorKind::Changed, message).detail(keys.join("; ")).hint("plan again"))
}
