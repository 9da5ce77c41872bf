//! Whether the rows of a plan are as it leaves them, seen from outside any transaction of ours.
//!
//! The plan's own values are the measure, not the primary: an inserted row is there and equal (one that was put
//! back, also in the columns out of scope), an updated one has the values that were set, a deleted one is gone. What
//! the plan drops goes with its rows, and is not looked at.

use crate::compare::RowChange;
use crate::engine::Snapshot;
use crate::event::Stop;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{
    self, ChangeNumber, EqualChanges, NumberedChange, PlannedChange, ReplicaPlan, SchemaAction, TablePlan,
};
use crate::schema::TablePair;
use crate::value::{Row, RowBlock};

use super::copies;
use super::rows::{self, CHUNK, Found, FoundRow};

/// How the rows stand that a plan wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Landed {
    /// How many are not (or no longer) as it planned them.
    pub differing: u64,
    /// Whether that cannot be told of some table, which is left out.
    pub untold: bool,
}

/// Whether the rows that a plan wrote are (still) as it planned them.
///
/// # Errors
/// What could not be read; a request to stop.
pub async fn rows_not_as_planned(
    snapshot: &dyn Snapshot,
    plan: &ReplicaPlan,
    stop: &Stop,
) -> Result<Landed, Failure> {
    let mut landed = Landed::default();
    for table in plan.tables.iter().filter(|table| table.error.is_none() && table.summary.total() > 0) {
        let Some(pair) = &table.pair else { continue };
        let Some(columns) = columns_left(table, pair) else { continue };
        if pair.is_keyless() {
            match copies_not_as_planned(snapshot, table, pair, &columns, stop).await? {
                Some(differing) => landed.differing += differing,
                None => landed.untold = true,
            }
            continue;
        }
        let numbers = 0..table.changes.len() as ChangeNumber;
        for piece in plan::pieces(&table.changes, numbers, CHUNK) {
            if stop.requested() {
                let message = "stopped before all rows written were looked at again";
                return Err(Failure::new(ErrorKind::Interrupted, message));
            }
            let mut piece = piece?;
            piece.retain(|(_, planned)| !planned.withheld);
            if piece.is_empty() {
                continue;
            }
            let found = look(snapshot, table, pair, &piece, &columns).await.map_err(|failure| Failure {
                message: format!("table {}: {}", table.table, failure.message),
                ..failure
            })?;
            let wrong = |(_, planned): &&NumberedChange| {
                !is_as_planned(planned, found.row(planned.change.row().bytes()), &columns, pair)
            };
            landed.differing += piece.iter().filter(wrong).count() as u64;
        }
    }
    Ok(landed)
}

/// How many copies of the rows of a table without a key are not as planned. `None` where columns are dropped: rows may
/// become equal that were not, so that nothing can be counted.
async fn copies_not_as_planned(
    snapshot: &dyn Snapshot,
    table: &TablePlan,
    pair: &TablePair,
    columns_left: &[u16],
    stop: &Stop,
) -> Result<Option<u64>, Failure> {
    if columns_left.len() < rows::compared(pair).len() {
        return Ok(None);
    }
    let mut differing = 0;
    let mut numbers = Vec::new();
    for (number, planned) in (0..).zip(table.changes.iter()) {
        if !planned?.withheld {
            numbers.push(number);
        }
    }
    for piece in copies::pieces(table, &numbers) {
        if stop.requested() {
            let message = "stopped before all rows written were looked at again";
            return Err(Failure::new(ErrorKind::Interrupted, message));
        }
        for images in by_kind(piece?).into_iter().filter(|images| !images.is_empty()) {
            let columns = copies::columns(pair, &images);
            let mut counts = copies::tallies(pair, &images, &columns);
            let mut stream = snapshot.scan(copies::select(pair, &images, &columns, false)).await?;
            while let Some(rows) = stream.next().await? {
                for row in rows.rows() {
                    if let Some(count) = counts.get_mut(&Row::new(row)) {
                        *count += 1;
                    }
                }
            }
            let away = |equal: &EqualChanges| {
                copies::copies_of(pair, &counts, equal, &columns)
                    .abs_diff(equal.copies(equal.len()))
                    .min(equal.len())
            };
            differing += images.iter().map(away).sum::<u64>();
        }
    }
    Ok(Some(differing))
}

/// Inserts and deletes apart: the ones may be known as a whole, or in their spelling, and the others not.
fn by_kind(images: Vec<EqualChanges>) -> [Vec<EqualChanges>; 2] {
    let is_whole = |equal: &EqualChanges| equal.planned.extra.is_some() || equal.planned.stored.is_some();
    let (whole, others) = images.into_iter().partition(is_whole);
    [whole, others]
}

/// The compared columns that the plan does not drop; `None` where it drops the table.
fn columns_left(table: &TablePlan, pair: &TablePair) -> Option<Vec<u16>> {
    let mut columns = rows::compared(pair);
    for change in table.schema_changes.iter().filter(|change| !change.withheld) {
        match change.action {
            SchemaAction::DropTable => return None,
            _ => {
                let dropped = change.going_columns(&pair.names.replica);
                let name = |index: &u16| &pair.columns[usize::from(*index)].sides.replica.name;
                columns.retain(|index| !dropped.contains(&name(index).as_str()));
            }
        }
    }
    Some(columns)
}

async fn look(
    snapshot: &dyn Snapshot,
    table: &TablePlan,
    pair: &TablePair,
    piece: &[NumberedChange],
    columns: &[u16],
) -> Result<Found, Failure> {
    let columns = rows::and_extras(columns.to_vec(), pair, piece);
    let mut stream = snapshot.scan(rows::select(pair, piece, &columns, false)).await?;
    let mut block = RowBlock::default();
    while let Some(rows) = stream.next().await? {
        block.extend(&rows, 0, rows.len());
    }
    Found::of(table, pair, block, &columns)
}

fn is_as_planned(
    planned: &PlannedChange,
    found: Option<FoundRow<'_>>,
    columns: &[u16],
    pair: &TablePair,
) -> bool {
    match (&planned.change, found) {
        (RowChange::Delete { .. }, found) => found.is_none(),
        (_, None) => false,
        (RowChange::Insert { .. }, Some(row)) => {
            let extra = pair.extra_indexes().filter(|_| planned.extra.is_some());
            let columns: Vec<u16> = columns.iter().copied().chain(extra).collect();
            row.differing(planned.fields(), &columns).is_empty()
        }
        (RowChange::Update { after, columns: set, .. }, Some(row)) => {
            let set: Vec<u16> = set.iter().copied().filter(|column| columns.contains(column)).collect();
            row.equals(after, &set)
        }
    }
}
