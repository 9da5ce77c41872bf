//! Guards: before a row is written it is read again, under lock, and must be what the plan saw.
//!
//! A row is as *before* (to be written), as *after* (done already: by an earlier run that was cut off, or by
//! somebody else), or anything else, and then the plan is stale; unless an earlier run wrote it and the replica's own
//! triggers may have rewritten it since. Invariant: a step with a stale row
//! writes nothing.

use std::collections::HashMap;

use crate::compare::{PlannedChange, RowChange};
use crate::engine::Writer;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{ChangeNumber, Checks, Part, RowAction, RowStep, TablePlan};
use crate::value::Row;

use super::copies::{self, OpenRows};
use super::rows::{self, FoundRow, Sample};
use super::{GivenUp, Run};

/// When a guard looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before anything is written, without locks: tables and columns to be created are not there yet.
    BeforeWriting,
    /// In the transaction that writes.
    UnderLock,
}

/// The spelling of rows that were read, as [`PlannedChange::stored`] has it.
pub(super) type Spellings = HashMap<ChangeNumber, Row>;

/// What the guards found for one step.
#[derive(Debug)]
pub(super) struct GuardedStep {
    pub table: usize,
    pub action: RowAction,
    /// Which half of the changes it writes.
    pub part: Part,
    /// How constraints are looked at.
    pub checks: Checks,
    /// Whether those that can wait are put off in its circle.
    pub deferred: bool,
    /// The number of the circle that it stands in.
    pub circle: Option<u32>,
    /// The changes that are to be written, in the step's order.
    pub pending: Vec<ChangeNumber>,
    /// How the keys of the rows to be updated or deleted are spelled, where the replica may spell one in several ways.
    pub stored: Spellings,
    /// How many changes are done already.
    pub already: u64,
    /// How many of these an earlier run did, whose rows were rewritten since.
    pub rewritten: u64,
    /// Rows that are neither as before nor as after.
    pub stale: Sample,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    After,
    Other,
}

impl Run<'_> {
    /// Checks the rows of all changes of some steps; stale when one is not as planned.
    pub(super) async fn guard(
        &self,
        writer: &mut dyn Writer,
        steps: impl IntoIterator<Item = &RowStep>,
        moment: Moment,
    ) -> Result<Vec<GuardedStep>, GivenUp> {
        let mut guarded = Vec::new();
        let mut open = None;
        let mut steps = steps.into_iter().peekable();
        while let Some(step) = steps.next() {
            let mut found = self.guard_step(writer, step, moment, &mut open).await?;
            // Before anything is written equal rows may go on in the step of another batch.
            let goes_on = |next: &&RowStep| (next.table, next.action) == (step.table, step.action);
            if moment == Moment::UnderLock || !steps.peek().is_some_and(goes_on) {
                copies::close(&mut open, moment, &mut found);
            }
            guarded.push(found);
        }
        give_halves(&mut guarded, moment);
        match stale_failure(&self.plan.tables, &guarded) {
            Some(failure) => Err(GivenUp::stale(failure)),
            None => Ok(guarded),
        }
    }

    async fn guard_step(
        &self,
        writer: &mut dyn Writer,
        step: &RowStep,
        moment: Moment,
        open: &mut Option<OpenRows>,
    ) -> Result<GuardedStep, GivenUp> {
        let RowStep { table, action, ref changes, ref part, circle } = *step;
        let mut guarded = GuardedStep {
            table,
            action,
            part: part.clone(),
            checks: circle.map(|circle| circle.checks).unwrap_or_default(),
            deferred: circle.is_some_and(|circle| circle.deferred),
            circle: circle.map(|circle| circle.number),
            pending: Vec::new(),
            stored: Spellings::new(),
            already: 0,
            rewritten: 0,
            stale: Sample::default(),
        };
        let table = &self.plan.tables[table];
        let Some(pair) = &table.pair else { return Ok(guarded) };
        if moment == Moment::BeforeWriting && pair.replica_missing {
            return Ok(guarded);
        }
        if guarded.part.is_aside() {
            // Guarded with the other half, which says in a moment what is to be written.
            guarded.pending.clone_from(changes);
            return Ok(guarded);
        }
        if pair.is_keyless() && self.is_vacant(writer, step, moment).await? {
            guarded.pending.extend(changes);
            return Ok(guarded);
        }
        if pair.is_keyless() {
            return self.guard_copies(writer, step, moment, guarded, open).await;
        }
        let seen = rows::seen(pair);
        let vacant = self.guard_range(writer, step, moment).await?;
        guarded.pending.extend(&changes[..vacant]);
        for piece in rows::pieces(table, &changes[vacant..], self.dialect) {
            self.go_on()?;
            let piece = piece?;
            let columns = match moment {
                Moment::BeforeWriting => seen.clone(),
                Moment::UnderLock => rows::compared(pair),
            };
            let columns = rows::and_extras(columns, pair, &piece);
            let locked = moment == Moment::UnderLock;
            let found = rows::read(writer, table, pair, &piece, &columns, locked).await?;
            for (number, planned) in &piece {
                let change = &planned.change;
                match state(planned, found.row(change.row().bytes()), &seen, &columns) {
                    State::Before => {
                        guarded.pending.push(*number);
                        guarded.stored.extend(found.stored(change.row().bytes()).map(|row| (*number, row)));
                    }
                    State::After => guarded.already += 1,
                    State::Other
                        if self.is_in(&table.table, *number) && self.may_be_rewritten(guarded.table) =>
                    {
                        guarded.already += 1;
                        guarded.rewritten += 1;
                    }
                    State::Other => guarded.stale.add(change.row()),
                }
            }
        }
        Ok(guarded)
    }
}

/// `seen`: the columns the plan saw on the replica; `columns`: those that were read now.
fn state(planned: &PlannedChange, found: Option<FoundRow<'_>>, seen: &[u16], columns: &[u16]) -> State {
    match (&planned.change, found) {
        (RowChange::Insert { .. }, None) => State::Before,
        (RowChange::Insert { .. }, Some(row)) if row.differing(planned.fields(), columns).is_empty() => {
            State::After
        }
        (RowChange::Update { after, columns, .. }, Some(row)) if row.equals(after, columns) => State::After,
        (RowChange::Update { before, .. }, Some(row)) if row.equals(before, seen) => State::Before,
        (RowChange::Delete { .. }, None) => State::After,
        (RowChange::Delete { before }, Some(row)) if row.equals(before, seen) => State::Before,
        _ => State::Other,
    }
}

/// A half that is not guarded itself is written for those rows that the other one is written for.
fn give_halves(guarded: &mut [GuardedStep], moment: Moment) {
    if moment == Moment::BeforeWriting || guarded.iter().all(|step| !step.part.is_aside()) {
        return;
    }
    let in_circle = |step: &&GuardedStep| !step.part.is_aside() && step.circle.is_some();
    let mut pending: HashMap<(usize, ChangeNumber), Option<Row>> = HashMap::new();
    for step in guarded.iter().filter(in_circle) {
        let spelled = |number: &ChangeNumber| ((step.table, *number), step.stored.get(number).cloned());
        pending.extend(step.pending.iter().map(spelled));
    }
    for step in guarded.iter_mut().filter(|step| step.part.is_aside()) {
        let table = step.table;
        step.pending.retain(|number| pending.contains_key(&(table, *number)));
        let stored = step
            .pending
            .iter()
            .filter_map(|number| Some((*number, pending.get(&(table, *number)).cloned().flatten()?)));
        step.stored = stored.collect();
    }
}

fn stale_failure(tables: &[TablePlan], guarded: &[GuardedStep]) -> Option<Failure> {
    let stale: Vec<(&TablePlan, &Sample)> = guarded
        .iter()
        .filter(|step| step.stale.count > 0)
        .map(|step| (&tables[step.table], &step.stale))
        .collect();
    if stale.is_empty() {
        return None;
    }
    let counts: Vec<String> = stale
        .iter()
        .map(|(table, rows)| match rows.count {
            1 => format!("table {}: 1 row", table.table),
            rows => format!("table {}: {rows} rows", table.table),
        })
        .collect();
    let keys: Vec<String> = stale
        .iter()
        .filter_map(|(table, rows)| Some((table, rows.keys(table.pair.as_ref()?))))
        .filter(|(_, keys)| !keys.is_empty())
        // Of a single table the name stands before.
        .map(|(table, keys)| if stale.len() == 1 { keys } else { format!("{}: {keys}", table.table) })
        .collect();
    let message = format!("{} on the replica changed since the plan was made", counts.join(", "));
    let whole = stale.iter().filter_map(|(table, rows)| rows.whole(table.pair.as_ref()?));
    let failure = Failure::new(ErrorKind::Changed, message).key(keys.join("; ")).hint("plan again");
    match whole.collect::<Vec<_>>() {
        rows if rows.is_empty() => Some(failure),
        rows => Some(failure.detail(rows.join("; "))),
    }
}
