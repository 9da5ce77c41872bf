//! What only the replica knows of a plan's order, asked behind the comparison.
//!
//! Owns three questions: which texts its foreign keys take for one; whether rows that the plan does not name point at
//! rows that go or change, so that the replica's own foreign keys would carry the change on to them, or refuse it; and
//! (in `spares`) whether a value that stands in for another for a moment is somebody's already. Refuses tables outside
//! the plan (that is a hazard). Invariant: what a plan shows is all that applying it changes in the tables of the plan.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::patience::answered;
use super::spares;
use crate::engine::{Replica, RowStream, Snapshot};
use crate::event::Stop;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{
    self, ChangeNumber, Checks, ChunkLimits, Equated, Part, Pointing, Question, Reference, ReplicaPlan,
    RowAction, RowStep, Step, TablePlan, Unfollowed,
};
use crate::schema::{KEYS_MAX, TablePair, keys_text};
use crate::sql::{Column, Dialect, ForeignKey, ForeignKeyAction, Select, TableName};
use crate::value::{Key, Row, Value};

/// How many keys are asked about at once.
pub(super) const CHUNK: ChunkLimits = ChunkLimits { rows_max: 1_000, bytes_max: 1 << 20 };
/// How many texts are asked about at once.
const TEXTS_MAX: usize = 500;

/// Finds the order of a plan, and puts tables in error whose rows cannot be written, or not without others.
pub(super) async fn foresee(plan: &mut ReplicaPlan, replica: &Replica, stop: &Stop) {
    if plan.tables.iter().any(|table| table.truncated) {
        // It is never applied.
        return;
    }
    let mut moment = Moment { replica, snapshot: None };
    for table in 0..plan.tables.len() {
        if let Err(failure) = answered(stop, pointed_at(plan, table, &mut moment)).await {
            moment.forget();
            fail(plan, table, failure);
        }
    }
    if let Err(failure) = answered(stop, equate(plan, &mut moment)).await {
        // A table that was not compared to its end says so already.
        if failure.kind != ErrorKind::Interrupted || !plan.has_failed_tables() {
            plan.error.get_or_insert(failure);
        }
        return;
    }
    let steps = plan::foresee(&|| stop.requested(), plan);
    let rows = steps.iter().filter_map(|step| match step {
        Step::Rows(step) => Some(step),
        _ => None,
    });
    let rows: Vec<&RowStep> = rows.collect();
    for step in rows.iter().copied() {
        if let Err(failure) = answered(stop, held_fast(plan, step, &mut moment)).await {
            moment.forget();
            fail(plan, step.table, failure);
        }
        if let Some(failure) = carries_copies(plan, step, &rows) {
            fail(plan, step.table, failure);
        }
        if let Err(failure) = answered(stop, spares::settle(plan, step, &mut moment)).await {
            moment.forget();
            fail(plan, step.table, failure);
        }
    }
}

/// A moment of the replica, begun where something is asked. The comparison's own has ended by then, for its connection
/// may be the only one; what has changed since apply finds.
pub(super) struct Moment<'a> {
    pub(super) replica: &'a Replica,
    snapshot: Option<Arc<dyn Snapshot>>,
}

impl Moment<'_> {
    pub(super) async fn scan(&mut self, select: Select) -> Result<RowStream, Failure> {
        Ok(self.begun().await?.scan(select).await?)
    }

    /// After an error the moment may be over: another one begins with the next question.
    pub(super) fn forget(&mut self) {
        self.snapshot = None;
    }

    pub(super) async fn begun(&mut self) -> Result<&Arc<dyn Snapshot>, Failure> {
        Ok(match &mut self.snapshot {
            Some(snapshot) => snapshot,
            none => none.insert(self.replica.snapshot().await?),
        })
    }

    /// One mark for each text, equal for those that the replica takes for one in this column.
    async fn marked(
        &mut self,
        table: &TableName,
        column: &Column,
        texts: BTreeSet<String>,
    ) -> Result<Vec<(String, String)>, Failure> {
        let dialect = self.replica.dialect();
        let texts: Vec<Value> = texts.into_iter().map(Value::Text).collect();
        let mut marked = Vec::with_capacity(texts.len());
        for texts in texts.chunks(TEXTS_MAX) {
            let sql = dialect.equated(table, column, &texts.iter().collect::<Vec<_>>()).map_err(|why| {
                let message = format!("the replica could not be asked to compare texts of {table}: {why}");
                Failure::new(ErrorKind::Internal, message)
            })?;
            let marks = self.begun().await?.ask(sql).await?;
            if marks.len() != texts.len() {
                let message =
                    format!("the replica did not compare all texts of {table} that it was asked for");
                return Err(Failure::new(ErrorKind::Internal, message));
            }
            for (text, mark) in texts.iter().zip(marks) {
                if let (Value::Text(text), Some(mark)) = (text, mark) {
                    marked.push((text.clone(), mark));
                }
            }
        }
        Ok(marked)
    }
}

/// Has the replica say which texts its foreign keys take for one.
async fn equate(plan: &mut ReplicaPlan, moment: &mut Moment<'_>) -> Result<(), Failure> {
    for asked in plan::questions(plan, moment.replica.dialect())? {
        let mut marked = Vec::new();
        for column in asked.columns {
            let Some(Question { table, column, texts }) = column else {
                marked.push(Vec::new());
                continue;
            };
            let name = plan.tables[table].pair.as_ref().map(|pair| pair.names.replica.clone());
            marked.push(match name {
                Some(name) => moment.marked(&name, &column, texts).await?,
                None => Vec::new(),
            });
        }
        plan.tables[asked.child].equated.extend(Equated::of(asked.key, marked));
    }
    Ok(())
}

fn fail(plan: &mut ReplicaPlan, table: usize, failure: Failure) {
    let table = &mut plan.tables[table];
    if table.error.is_none() {
        table.fail(failure);
    }
}

/// An error where rows that the plan does not name point at rows of this table that go or change, so that the replica's
/// foreign keys would change them along, or refuse.
async fn pointed_at(plan: &ReplicaPlan, table: usize, moment: &mut Moment<'_>) -> Result<(), Failure> {
    let parent = &plan.tables[table];
    let goes = parent.summary.delete + parent.summary.update > 0;
    let Some(pair) =
        parent.pair.as_ref().filter(|pair| goes && parent.error.is_none() && !pair.replica_missing)
    else {
        return Ok(());
    };
    for pointing in plan::pointing(&plan.tables, pair) {
        for action in [RowAction::Delete, RowAction::Update] {
            let numbers = moved(parent, pair, &pointing, action)?;
            let left = moment.left(plan, parent, &pointing, action, numbers).await?;
            if left.count == 0 {
                continue;
            }
            let child = &plan.tables[pointing.child];
            match pointing.carries(action) {
                true => return Err(left.failure(parent, child, CARRIES)),
                false if left.stays_without(parent, &pointing)? => {
                    return Err(left.failure(parent, child, REFUSES));
                }
                // Another row comes to be pointed at, but not at once.
                false if is_held(pair, pointing.key, action, moment.replica.dialect()) => {
                    let failure = left.failure(parent, child, REFUSES);
                    return Err(failure.hint(format!(
                        "another row takes what they point at: declare the foreign key of {} ({}) NO ACTION and \
                         DEFERRABLE",
                        child.replica_table,
                        pointing.key.columns.join(", ")
                    )));
                }
                false => {}
            }
        }
    }
    Ok(())
}

/// Whether a row that others point at may not go before another one takes its place. Where foreign keys can be switched
/// off they are not while another one is to carry rows along from the same values.
fn is_held(parent: &TablePair, key: &ForeignKey, action: RowAction, dialect: &dyn Dialect) -> bool {
    let checks = dialect.constraint_checks();
    let does = |key: &ForeignKey| if action == RowAction::Delete { key.on_delete } else { key.on_update };
    if checks.off.is_some() {
        let mut others = parent.dependents.iter().map(|dependent| &dependent.key);
        return others.any(|other| other.referenced == key.referenced && does(other).carries());
    }
    let put_off = checks.always_deferred || (checks.defer.is_some() && key.deferrable);
    !(put_off && does(key) == ForeignKeyAction::NoAction)
}

/// An error where rows point at those that are parked, and hold them fast.
async fn held_fast(plan: &ReplicaPlan, step: &RowStep, moment: &mut Moment<'_>) -> Result<(), Failure> {
    let parent = &plan.tables[step.table];
    let (Some(pair), Part::Park { empty, spare }) = (&parent.pair, &step.part) else { return Ok(()) };
    let parked: Vec<String> =
        (empty.iter().chain(spare)).map(|index| pair.replica_part(usize::from(*index)).column.name).collect();
    let put_off = moment.replica.dialect().constraint_checks().always_deferred;
    for pointing in plan::pointing(&plan.tables, pair) {
        let is_held = !(put_off && pointing.key.on_update == ForeignKeyAction::NoAction);
        if is_held && pointing.key.referenced.iter().any(|name| parked.contains(name)) {
            let left = moment.left(plan, parent, &pointing, RowAction::Update, step.changes.clone()).await?;
            if left.count > 0 {
                return Err(left.failure(parent, &plan.tables[pointing.child], REFUSES));
            }
        }
    }
    Ok(())
}

/// Why rows of a circle cannot be written together with those that a foreign key takes along with them: which of equal
/// rows without a key these are nobody can tell before they have left.
fn carries_copies(plan: &ReplicaPlan, step: &RowStep, steps: &[&RowStep]) -> Option<Failure> {
    let parent = &plan.tables[step.table];
    let (Some(pair), Some(circle), Part::Whole | Part::Except(_)) = (&parent.pair, step.circle, &step.part)
    else {
        return None;
    };
    let with_it = |child: usize| {
        let same = |other: &&&RowStep| other.circle.is_some_and(|of| of.number == circle.number);
        steps.iter().filter(same).any(|other| other.table == child)
    };
    let keyless = |pointing: &Pointing<'_>| {
        plan.tables[pointing.child].pair.as_ref().is_some_and(TablePair::is_keyless)
            && pointing.carries(step.action)
            && circle.checks != Checks::Off
            && with_it(pointing.child)
    };
    let pointing = plan::pointing(&plan.tables, pair).find(keyless)?;
    let child = &plan.tables[pointing.child].table;
    let message = format!(
        "rows of tables {} and {child} wait for each other in a circle, and which rows of {child}, that have no key, the \
         replica's foreign key would take along cannot be told",
        parent.table
    );
    Some(Failure::new(ErrorKind::Key, message).hint(format!("give {child} a `key` in the spec")))
}

const CARRIES: &str = "would change them too, which is not in the plan";
const REFUSES: &str = "refuses that";

/// The changes after which what was pointed at is not there any more.
fn moved(
    parent: &TablePlan,
    pair: &TablePair,
    pointing: &Pointing<'_>,
    action: RowAction,
) -> Result<Vec<ChangeNumber>, Failure> {
    let counted = if action == RowAction::Delete { parent.summary.delete } else { parent.summary.update };
    let mut numbers = Vec::new();
    if counted == 0 {
        return Ok(numbers);
    }
    for (number, planned) in (0..).zip(parent.changes.iter()) {
        let planned = planned?;
        let is_it = !planned.withheld && RowAction::of(&planned.change) == action;
        if is_it && pointing.is_moved_by(pair, &planned.change) && !stays(pointing, &planned.change) {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// Whether rows point at the same value afterwards.
fn stays(pointing: &Pointing<'_>, change: &plan::RowChange) -> bool {
    let (Ok(reference), plan::RowChange::Update { before, after, .. }) = (&pointing.reference, change) else {
        return false;
    };
    let key = |row: &Row| reference.key(&row.fields().collect::<Vec<_>>());
    matches!((key(before), key(after)), (Ok(Some(one)), Ok(Some(other))) if one == other)
}

/// Rows that point at what goes, and are not in the plan.
#[derive(Default)]
struct Left {
    count: usize,
    /// The keys of the first.
    keys: Vec<Key>,
    /// What they point with.
    with: HashSet<Key>,
}

/// The rows that point and that the plan deletes or points elsewhere.
enum Leaving {
    /// By their keys.
    Keys(HashSet<Key>),
    /// By what they point with, and how many.
    Copies(HashMap<Key, u64>),
}

impl Leaving {
    fn of(child: &TablePlan, pair: &TablePair, reference: &Reference, exact: bool) -> Result<Self, Failure> {
        // A table in error is not written.
        if child.error.is_some() {
            return Ok(Leaving::Keys(HashSet::new()));
        }
        Ok(match pair.is_keyless() {
            true => Leaving::Copies(plan::leaving_copies(child, reference)?),
            false => {
                Leaving::Keys(plan::leaving(child, reference, 0..child.changes.len() as ChangeNumber, exact)?)
            }
        })
    }

    /// Whether this row, met once, is among them.
    fn takes(&mut self, with: &Key, key: &Key) -> bool {
        match self {
            Leaving::Keys(keys) => keys.contains(key),
            Leaving::Copies(copies) => match copies.get_mut(with) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    true
                }
                _ => false,
            },
        }
    }
}

impl Left {
    fn failure(&self, parent: &TablePlan, child: &TablePlan, does: &str) -> Failure {
        let message = format!(
            "rows of table {} still point at rows of table {} that are to be deleted or changed, and the replica's \
             foreign key {does}",
            child.table, parent.table
        );
        let failure = Failure::new(ErrorKind::Key, message).hint(format!(
            "bring those rows of {} into the scope of the spec, or let it delete them",
            child.table
        ));
        match child.pair.as_ref().filter(|pair| !pair.is_keyless()) {
            Some(pair) => failure.key(keys_text(pair, self.keys.iter().map(Key::bytes), self.count)),
            None => failure,
        }
    }

    /// Whether one of them would point at nothing in the end.
    fn stays_without(&self, parent: &TablePlan, pointing: &Pointing<'_>) -> Result<bool, Failure> {
        let Ok(reference) = &pointing.reference else { return Ok(true) };
        let mut without = self.with.clone();
        for planned in parent.changes.iter() {
            let planned = planned?;
            if let plan::RowChange::Insert { after } | plan::RowChange::Update { after, .. } = &planned.change
                && !planned.withheld
                && let Ok(Some(key)) = reference.key(&after.fields().collect::<Vec<_>>())
            {
                without.remove(&key);
            }
        }
        Ok(!without.is_empty())
    }
}

impl Moment<'_> {
    /// Those rows that point at what some changes take away, and that the plan leaves.
    async fn left(
        &mut self,
        plan: &ReplicaPlan,
        parent: &TablePlan,
        pointing: &Pointing<'_>,
        action: RowAction,
        numbers: Vec<ChangeNumber>,
    ) -> Result<Left, Failure> {
        let (mut left, child) = (Left::default(), &plan.tables[pointing.child]);
        let Some(pair) = child.pair.as_ref().filter(|_| !numbers.is_empty()) else { return Ok(left) };
        let dialect = self.replica.dialect();
        // A row that follows in letters alone is there to be taken along; what only refuses waits for its update.
        let exact = |reference: &Reference| !pointing.carries(action) || reference.is_exact(dialect);
        let untold = |why: &Unfollowed| why.failure(&parent.table, &child.table);
        let reference = pointing.reference.as_ref().map_err(untold)?;
        let mut leaving = None;
        for piece in plan::pieces(&parent.changes, numbers, CHUNK) {
            let piece = piece?;
            let keys = piece.iter().filter_map(|(_, planned)| reference.key(&planned.fields()).transpose());
            let keys: Vec<Key> = keys.collect::<Result<_, _>>().map_err(|why| untold(&why))?;
            if keys.is_empty() {
                continue;
            }
            let selection = reference.selection(keys, dialect).map_err(|why| untold(&why))?;
            let mut rows = self.scan(reference.pointing_rows(pair, selection)).await?;
            while let Some(block) = rows.next().await? {
                for row in block.rows() {
                    let (with, key) = reference.parts_of(row);
                    let leaving = match &mut leaving {
                        Some(leaving) => leaving,
                        none => none.insert(Leaving::of(child, pair, reference, exact(reference))?),
                    };
                    if !leaving.takes(&with, &key) {
                        left.count += 1;
                        left.keys.extend((left.keys.len() < KEYS_MAX).then_some(key));
                        left.with.insert(with);
                    }
                }
            }
        }
        Ok(left)
    }
}
