//! Tables without a key: what guards, reads and judges rows by how many copies of them there are.
//!
//! A change is to be written while there are as many copies as the plan saw, done once there are as many as it
//! leaves, and anything else is stale. Copies in scope count, as they did when the sides were compared. They count
//! twice: those that are the same in spelling and out of scope too, which says what goes, and all that are equal as
//! compared, which says whether it may. Invariant: what is written leaves the equal rows as many as the plan says,
//! whatever others did to rows that it does not name.

use std::collections::HashMap;

use crate::engine::{Tallies, Writer};
use crate::failure::{ErrorKind, Failure};
use crate::plan::{
    self, ChangeNumber, EqualChanges, NumberedChange, Progress, RowStep, RowTally, TablePlan, Write,
};
use crate::schema::TablePair;
use crate::sides::Side;
use crate::spool::SpoolError;
use crate::sql::{Dialect, Select, Selection};
use crate::value::{Row, fields};

use super::guard::{GuardedStep, Moment};
use super::rows::CHUNK;
use super::write::unwritable;
use super::{GivenUp, Run};

/// Images in pieces, of which all copies together take about as much memory as a piece of other rows.
pub(super) fn pieces(
    table: &TablePlan,
    numbers: &[ChangeNumber],
) -> impl Iterator<Item = Result<Vec<EqualChanges>, SpoolError>> + use<> {
    plan::equal_pieces(&table.changes, numbers.to_vec(), CHUNK)
}

/// The read of all copies of some images.
pub(super) fn select(pair: &TablePair, images: &[EqualChanges], columns: &[u16], locked: bool) -> Select {
    let mut rows: Vec<Row> = images.iter().map(|equal| plan::image(pair, &equal.planned, columns)).collect();
    rows.dedup();
    let mut select = pair.select(Side::Replica, Selection::Copies(rows), false);
    select.columns = plan::image_parts(pair, columns);
    select.key_columns = 0;
    select.scope = plan::scope(pair).map(str::to_owned);
    select.locked = locked;
    select
}

/// No copy of any image yet, for the rows that [`select`] gives.
pub(super) fn tallies(pair: &TablePair, images: &[EqualChanges], columns: &[u16]) -> Tallies {
    images.iter().map(|equal| (plan::image(pair, &equal.planned, columns), 0)).collect()
}

/// The copies of one image.
pub(super) fn copies_of(pair: &TablePair, tallies: &Tallies, equal: &EqualChanges, columns: &[u16]) -> u64 {
    tallies.get(&plan::image(pair, &equal.planned, columns)).copied().unwrap_or_default()
}

/// The columns that tell the rows of some images apart; in one step all have values out of scope, or none.
pub(super) fn columns(pair: &TablePair, images: &[EqualChanges]) -> Vec<u16> {
    images.first().map(|equal| plan::image_columns(pair, &equal.planned)).unwrap_or_default()
}

/// Changes of equal rows, of which each image is judged: whether the rows as a whole are as often there can be said
/// once all that follow each other are known.
pub(super) struct OpenRows {
    tally: RowTally,
    found: u64,
    pending: Vec<ChangeNumber>,
    already: u64,
    stale: u64,
}

impl OpenRows {
    fn beginning_with(equal: &EqualChanges, found: u64) -> Self {
        let tally = RowTally::beginning_with(equal);
        OpenRows { tally, found, pending: Vec::new(), already: 0, stale: 0 }
    }

    fn add(&mut self, equal: &EqualChanges, progress: Progress) {
        self.tally.add(equal, progress);
        match progress {
            Progress::Before => self.pending.extend(&equal.numbers),
            Progress::After => self.already += equal.len(),
            Progress::Other => self.stale += equal.len(),
        }
    }
}

/// Takes over what was found out about equal rows, when no more of them follow.
pub(super) fn close(open: &mut Option<OpenRows>, moment: Moment, guarded: &mut GuardedStep) {
    let Some(open) = open.take() else { return };
    let holds = open.tally.holds(open.found, moment == Moment::UnderLock);
    let stale = match open.stale {
        0 if holds => 0,
        0 => open.tally.len(),
        stale => stale,
    };
    if stale > 0 {
        guarded.stale.add_copies(open.tally.row(), stale);
        return;
    }
    guarded.pending.extend(open.pending);
    guarded.already += open.already;
}

impl Run<'_> {
    /// See [`guard_step`](Run::guard_step): the same for a table without a key. `open`: equal rows of which more may
    /// follow in the next step.
    pub(super) async fn guard_copies(
        &self,
        writer: &mut dyn Writer,
        step: &RowStep,
        moment: Moment,
        mut guarded: GuardedStep,
        open: &mut Option<OpenRows>,
    ) -> Result<GuardedStep, GivenUp> {
        let table = &self.plan.tables[step.table];
        let Some(pair) = &table.pair else { return Ok(guarded) };
        // Rows that differ in a column to come alone cannot be told apart yet.
        let to_come = pair.columns.iter().any(|column| !column.on_replica);
        if moment == Moment::BeforeWriting && (pair.replica_missing || to_come) {
            return Ok(guarded);
        }
        let under_lock = moment == Moment::UnderLock;
        for piece in pieces(table, &step.changes) {
            self.go_on()?;
            let piece = piece?;
            let columns = columns(pair, &piece);
            refuse_unclear(table, pair, &piece, &columns, self.dialect)?;
            let counts = self.count_both(writer, pair, &piece, under_lock).await?;
            for (equal, (found, all)) in piece.iter().zip(counts) {
                if !open.as_ref().is_some_and(|open| open.tally.goes_on_with(equal)) {
                    close(open, moment, &mut guarded);
                }
                let open = open.get_or_insert_with(|| OpenRows::beginning_with(equal, all));
                open.add(equal, equal.progress(found, under_lock));
            }
        }
        Ok(guarded)
    }

    /// For each of these how many copies of its image there are, and how many rows that equal it as compared.
    async fn count_both(
        &self,
        writer: &mut dyn Writer,
        pair: &TablePair,
        images: &[EqualChanges],
        locked: bool,
    ) -> Result<Vec<(u64, u64)>, GivenUp> {
        let columns = columns(pair, images);
        let counts = self.count(writer, pair, images, &columns, locked).await?;
        let own = images.iter().map(|equal| copies_of(pair, &counts, equal, &columns));
        if !images.iter().any(EqualChanges::is_told_by_image) {
            return Ok(own.map(|count| (count, count)).collect());
        }
        let columns = plan::row_columns(pair);
        let counts = self.count(writer, pair, images, &columns, locked).await?;
        let all = images.iter().map(|equal| copies_of(pair, &counts, equal, &columns));
        Ok(own.zip(all).collect())
    }

    /// Deletes of rows whose spelling the plan does not know (an undo takes out what was inserted) are given that of
    /// rows that are there, whichever they are: these are equal.
    pub(super) async fn choose_copies(
        &self,
        writer: &mut dyn Writer,
        pair: &TablePair,
        write: &mut Write,
    ) -> Result<(), GivenUp> {
        let unknown: Vec<NumberedChange> =
            write.changes.iter().filter(|(_, planned)| planned.stored.is_none()).cloned().collect();
        if !pair.is_spelled() || unknown.is_empty() {
            return Ok(());
        }
        let images = plan::equal_changes(unknown);
        let columns = columns(pair, &images);
        let mut select = select(pair, &images, &columns, true);
        select.columns.extend(pair.stored_parts());
        let mut there: HashMap<Row, Vec<Row>> =
            images.iter().map(|equal| (plan::image(pair, &equal.planned, &columns), Vec::new())).collect();
        for row in writer.read(&select).await?.rows() {
            let mut rest = fields(row);
            for _ in &columns {
                rest.next();
            }
            let (image, stored) = row.split_at(row.len() - rest.remaining());
            if let Some(spellings) = there.get_mut(&Row::new(image)) {
                spellings.push(Row::new(stored));
            }
        }
        for (_, planned) in write.changes.iter_mut().filter(|(_, planned)| planned.stored.is_none()) {
            let spellings = there.get_mut(&plan::image(pair, planned, &columns));
            planned.stored = spellings.and_then(Vec::pop);
        }
        Ok(())
    }

    async fn count(
        &self,
        writer: &mut dyn Writer,
        pair: &TablePair,
        images: &[EqualChanges],
        columns: &[u16],
        locked: bool,
    ) -> Result<Tallies, GivenUp> {
        let select = select(pair, images, columns, locked);
        Ok(writer.count(&select, tallies(pair, images, columns)).await?)
    }

    /// After writing: of every row there must be as many copies as the plan leaves, and as many that equal it.
    pub(super) async fn read_back_copies(
        &self,
        writer: &mut dyn Writer,
        table: &TablePlan,
        pair: &TablePair,
        pending: &[ChangeNumber],
    ) -> Result<(), GivenUp> {
        for piece in pieces(table, pending) {
            self.go_on()?;
            let piece = piece?;
            let counts = self.count_both(writer, pair, &piece, false).await?;
            let is_wrong = |(equal, (found, all)): &(&EqualChanges, (u64, u64))| {
                let mut tally = RowTally::beginning_with(equal);
                tally.add(equal, Progress::After);
                *found != equal.copies(equal.len()) || !tally.holds(*all, true)
            };
            if let Some((equal, _)) = piece.iter().zip(counts).find(is_wrong) {
                return Err(not_kept(table, pair, equal).into());
            }
        }
        Ok(())
    }
}

fn not_kept(table: &TablePlan, pair: &TablePair, equal: &EqualChanges) -> Failure {
    let message = format!("table {}: the replica did not keep the rows that were written", table.table);
    Failure::new(ErrorKind::Value, message)
        .detail(plan::row_text(pair, equal.planned.change.row().bytes()))
        .hint("look for a trigger, rounding or truncation on the replica, or for somebody who writes the same rows")
}

/// Values that no statement can name, and rows of which it cannot be said which are meant.
fn refuse_unclear(
    table: &TablePlan,
    pair: &TablePair,
    images: &[EqualChanges],
    columns: &[u16],
    dialect: &dyn Dialect,
) -> Result<(), GivenUp> {
    let parts = plan::image_parts(pair, columns);
    for equal in images {
        if plan::is_ambiguous(pair, equal) {
            let message = format!(
                "table {}: of rows that are equal in scope some are to go and some to stay, and which of them cannot \
                 be told: it has columns out of scope",
                table.table
            );
            return Err(Failure::new(ErrorKind::Key, message)
                .detail(plan::row_text(pair, equal.planned.change.row().bytes()))
                .into());
        }
        let values = plan::image_values(pair, &equal.planned, columns);
        for (part, value) in parts.iter().zip(&values) {
            dialect.literal(value, &part.column.column_type).map_err(|error| {
                unwritable(table, &format!("column {}: {}", part.column.name, error.reason))
            })?;
        }
    }
    Ok(())
}
