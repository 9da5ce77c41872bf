//! Tables without a key: what guards, reads and judges rows by how many copies of them there are.
//!
//! A change is to be written while there are as many copies as the plan saw, done once there are as many as it
//! leaves, and anything else is stale. Copies in scope count, as they did when the sides were compared.

use std::collections::HashMap;

use crate::engine::{Tallies, Writer};
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, ChangeNumber, EqualChanges, NumberedChange, Progress, RowStep, TablePlan, Write};
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
    let rows = images.iter().map(|equal| plan::image(pair, &equal.planned, columns)).collect();
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

impl Run<'_> {
    /// See [`guard_step`](Run::guard_step): the same for a table without a key.
    pub(super) async fn guard_copies(
        &self,
        writer: &mut dyn Writer,
        step: &RowStep,
        moment: Moment,
        mut guarded: GuardedStep,
    ) -> Result<GuardedStep, GivenUp> {
        let table = &self.plan.tables[step.table];
        let Some(pair) = &table.pair else { return Ok(guarded) };
        // Rows that differ in a column to come alone cannot be told apart yet.
        let to_come = pair.columns.iter().any(|column| !column.on_replica);
        if moment == Moment::BeforeWriting && (pair.replica_missing || to_come) {
            return Ok(guarded);
        }
        for piece in pieces(table, &step.changes) {
            self.go_on()?;
            let piece = piece?;
            let columns = columns(pair, &piece);
            refuse_unclear(table, pair, &piece, &columns, self.dialect)?;
            let counts = self.count(writer, pair, &piece, &columns, moment == Moment::UnderLock).await?;
            for equal in piece {
                match equal.progress(copies_of(pair, &counts, &equal, &columns), moment == Moment::UnderLock)
                {
                    Progress::Before => guarded.pending.extend(&equal.numbers),
                    Progress::After => guarded.already += equal.len(),
                    Progress::Other => guarded.stale.add_copies(equal.planned.change.row(), equal.len()),
                }
            }
        }
        Ok(guarded)
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

    /// After writing: of every row there must be as many copies as the plan leaves.
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
            let columns = columns(pair, &piece);
            let counts = self.count(writer, pair, &piece, &columns, false).await?;
            let wrong = piece
                .iter()
                .find(|equal| copies_of(pair, &counts, equal, &columns) != equal.copies(equal.len()));
            if let Some(equal) = wrong {
                let message =
                    format!("table {}: the replica did not keep the rows that were written", table.table);
                let failure = Failure::new(ErrorKind::Value, message)
                    .detail(plan::row_text(pair, equal.planned.change.row().bytes()))
                    .hint("look for a trigger, rounding or truncation on the replica");
                return Err(failure.into());
            }
        }
        Ok(())
    }
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
