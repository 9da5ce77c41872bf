//! What only the replica knows of a plan's order, asked behind the comparison.
//!
//! Owns two questions: whether rows that the plan does not name point at rows that go or change, so that the replica's
//! own foreign keys would carry the change on to them; and whether a value that stands in for another for a moment is
//! somebody's already. Refuses tables outside the plan (that is a hazard). Invariant: what a plan shows is all that
//! applying it changes in the tables of the plan.

use std::collections::HashSet;
use std::sync::Arc;

use super::patience::answered;
use crate::engine::{Replica, RowStream, Snapshot};
use crate::event::Stop;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{
    self, ChangeNumber, ChunkLimits, Part, PlannedChange, Pointing, Reference, ReplicaPlan, RowAction,
    RowStep, Step, TablePlan,
};
use crate::schema::{KEYS_MAX, TablePair, keys_text};
use crate::sql::{Select, Selection};
use crate::value::{Key, Row, encode};

/// How many keys are asked about at once.
const CHUNK: ChunkLimits = ChunkLimits { rows_max: 1_000, bytes_max: 1 << 20 };
/// How often other values are tried.
const SALTS_MAX: u32 = 20;

/// Finds the order of a plan, and puts tables in error whose rows cannot be written, or not without others.
pub(super) async fn foresee(plan: &mut ReplicaPlan, replica: &Replica, stop: &Stop) {
    if plan.tables.iter().any(|table| table.truncated) {
        // It is never applied.
        return;
    }
    let mut moment = Moment { replica, snapshot: None };
    for table in 0..plan.tables.len() {
        if let Err(failure) = answered(stop, carried_on(plan, table, &mut moment)).await {
            fail(plan, table, failure);
        }
    }
    let steps = plan::foresee(plan);
    let rows = steps.iter().filter_map(|step| match step {
        Step::Rows(step) => Some(step),
        _ => None,
    });
    for step in rows {
        if let Part::Park { spare, .. } = &step.part
            && let Err(failure) = answered(stop, settle(plan, step, spare, &mut moment)).await
        {
            fail(plan, step.table, failure);
        }
    }
}

/// A moment of the replica, begun where something is asked. The comparison's own has ended by then, for its connection
/// may be the only one; what has changed since apply finds.
struct Moment<'a> {
    replica: &'a Replica,
    snapshot: Option<Arc<dyn Snapshot>>,
}

impl Moment<'_> {
    async fn scan(&mut self, select: Select) -> Result<RowStream, Failure> {
        let snapshot = match &self.snapshot {
            Some(snapshot) => snapshot,
            None => self.snapshot.insert(self.replica.snapshot().await?),
        };
        Ok(snapshot.scan(select).await?)
    }
}

fn fail(plan: &mut ReplicaPlan, table: usize, failure: Failure) {
    let table = &mut plan.tables[table];
    if table.error.is_none() {
        let failed = std::mem::replace(table, TablePlan::unknown("", "")).failed(failure);
        *table = failed;
    }
}

/// An error where rows would change along with those of this table.
async fn carried_on(plan: &ReplicaPlan, table: usize, moment: &mut Moment<'_>) -> Result<(), Failure> {
    let parent = &plan.tables[table];
    let Some(pair) = parent.pair.as_ref().filter(|pair| parent.error.is_none() && !pair.replica_missing)
    else {
        return Ok(());
    };
    for action in [RowAction::Delete, RowAction::Update] {
        for (child, reference) in plan::carrying(&plan.tables, pair, action) {
            // What cannot be followed apply refuses.
            let Some(reference) = reference else { continue };
            let numbers = concerned(parent, &reference, action)?;
            if !numbers.is_empty()
                && !plan.tables[child].pair.as_ref().is_none_or(|pair| pair.replica_missing)
            {
                pointed_at(parent, &plan.tables[child], &reference, numbers, moment).await?;
            }
        }
    }
    Ok(())
}

/// The changes after which rows would point at nothing.
fn concerned(
    parent: &TablePlan,
    reference: &Reference,
    action: RowAction,
) -> Result<Vec<ChangeNumber>, Failure> {
    let counted = if action == RowAction::Delete { parent.summary.delete } else { parent.summary.update };
    let mut numbers = Vec::new();
    if counted == 0 {
        return Ok(numbers);
    }
    for (number, planned) in (0..).zip(parent.changes.iter()) {
        let planned = planned?;
        if !planned.withheld && reference.is_moved_by(&planned.change, action) {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

async fn pointed_at(
    parent: &TablePlan,
    child: &TablePlan,
    reference: &Reference,
    numbers: Vec<ChangeNumber>,
    moment: &mut Moment<'_>,
) -> Result<(), Failure> {
    // Which of equal rows without a key leave cannot be told by their keys; apply looks once they have left.
    let Some(pair) = child.pair.as_ref().filter(|pair| !pair.is_keyless()) else { return Ok(()) };
    let leaving = plan::leaving(child, reference)?;
    let (mut left, mut count) = (Vec::new(), 0);
    for piece in plan::pieces(&parent.changes, numbers, CHUNK) {
        let piece = piece?;
        let keys = piece.iter().filter_map(|(_, planned)| reference.key(planned.change.row()).transpose());
        let Ok(keys) = keys.collect::<Result<Vec<Key>, String>>() else { return Ok(()) };
        if keys.is_empty() {
            continue;
        }
        let selection = match reference.compares(moment.replica.dialect()) {
            Pointing::Untold => return Ok(()),
            Pointing::Collated => Selection::Alike(keys),
            Pointing::Equal => Selection::Keys(keys),
        };
        let mut rows = moment.scan(reference.pointing_rows(pair, selection)).await?;
        while let Some(block) = rows.next().await? {
            for key in block.rows().map(|row| reference.row_key(row)) {
                if !leaving.contains(&key) {
                    count += 1;
                    left.extend((left.len() < KEYS_MAX).then_some(key));
                }
            }
        }
    }
    if count == 0 {
        return Ok(());
    }
    let message = format!(
        "rows of table {} still point at rows of table {} that are to be deleted or changed, and the replica's \
         foreign key would change them too, which is not in the plan",
        child.table, parent.table
    );
    Err(Failure::new(ErrorKind::Key, message).key(keys_text(pair, left.iter().map(Key::bytes), count)).hint(
        format!("bring those rows of {} into the scope of the spec, or let it delete them", child.table),
    ))
}

/// Makes sure that no row has a value that stands in for others, or chooses others.
async fn settle(
    plan: &mut ReplicaPlan,
    step: &RowStep,
    spare: &[u16],
    moment: &mut Moment<'_>,
) -> Result<(), Failure> {
    for _ in 0..SALTS_MAX {
        let table = &plan.tables[step.table];
        let Some(pair) = &table.pair else { return Ok(()) };
        let mut free = true;
        for column in spare {
            free &= is_free(table, pair, step, *column, moment).await?;
        }
        if free {
            return Ok(());
        }
        plan.tables[step.table].spare_salt += 1;
    }
    let table = &plan.tables[step.table];
    let message =
        format!("table {}: rows exchange unique values, and there is no other value left", table.table);
    Err(Failure::new(ErrorKind::Key, message).hint("let the column take NULL on the replica"))
}

async fn is_free(
    table: &TablePlan,
    pair: &TablePair,
    step: &RowStep,
    column: u16,
    moment: &mut Moment<'_>,
) -> Result<bool, Failure> {
    let part = pair.replica_part(usize::from(column));
    let mut taken: HashSet<Row> = HashSet::new();
    for piece in plan::pieces(&table.changes, step.changes.iter().copied(), CHUNK) {
        let mut keys = Vec::new();
        for (_, planned) in piece? {
            let Some(bytes) = encoded(table, pair, &planned, column) else { continue };
            if !taken.insert(Row::new(bytes.clone())) {
                return Ok(false);
            }
            keys.push(Key::new(bytes));
        }
        if keys.is_empty() {
            continue;
        }
        let select = Select {
            table: pair.names.replica.clone(),
            columns: vec![part.clone()],
            key_columns: 1,
            scope: None,
            selection: Selection::Keys(keys),
            ordered: false,
            locked: false,
        };
        let mut rows = moment.scan(select).await?;
        while let Some(block) = rows.next().await? {
            if !block.is_empty() {
                return Ok(false);
            }
        }
    }
    // Nor may a planned row take it.
    for planned in table.changes.iter() {
        let planned = planned?;
        if let plan::RowChange::Insert { after } | plan::RowChange::Update { after, .. } = &planned.change {
            let field = after.fields().nth(usize::from(column)).flatten();
            let mut bytes = Vec::new();
            field.map(|payload| crate::value::put_field(&mut bytes, payload));
            if taken.contains(&Row::new(bytes)) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// The value that stands in; `None` where the pair's domain cannot say it, so that it cannot be asked for either.
fn encoded(table: &TablePlan, pair: &TablePair, planned: &PlannedChange, column: u16) -> Option<Vec<u8>> {
    let value = plan::spare_value(pair, planned, column, table.spare_salt)?;
    let mut bytes = Vec::new();
    encode(&mut bytes, &pair.replica_part(usize::from(column)).domain, &value).ok()?;
    Some(bytes)
}
