//! Where the steps of a plan are cut into transactions.
//!
//! Refuses to change their order. Invariant: a circle is never cut.

use super::step::{InCircle, RowStep, Step};

/// What is written in one transaction each, in execution order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batches {
    /// Structural changes that are committed before all else, each by itself: as `schema`.
    pub schema_first: Vec<(usize, usize)>,
    /// Structural changes, of the first transaction where the engine can: index of the table, index into
    /// [`TablePlan::schema_changes`](super::TablePlan::schema_changes).
    pub schema: Vec<(usize, usize)>,
    /// Row changes; at least one batch, if it is an empty one.
    pub rows: Vec<Vec<RowStep>>,
    /// Structural changes that come last, of the last transaction where the engine can: as `schema`.
    pub schema_after: Vec<(usize, usize)>,
    /// Structural changes that are committed behind all else, each by itself: as `schema`.
    pub schema_last: Vec<(usize, usize)>,
}

/// Steps cut into batches of at most `rows_max` row changes. Steps run one after the other without breaking a
/// constraint, so they may be cut anywhere but within a circle: a batch has more rows for the sake of that alone.
pub fn batches(steps: Vec<Step>, rows_max: u64) -> Batches {
    let rows_max = usize::try_from(rows_max).unwrap_or(usize::MAX).max(1);
    let mut batches = Batches { rows: vec![Vec::new()], ..Batches::default() };
    let mut rows: Vec<RowStep> = Vec::new();
    for step in steps {
        match step {
            Step::SchemaFirst { table, change } => batches.schema_first.push((table, change)),
            Step::Schema { table, change } => batches.schema.push((table, change)),
            Step::SchemaAfter { table, change } => batches.schema_after.push((table, change)),
            Step::SchemaLast { table, change } => batches.schema_last.push((table, change)),
            Step::Rows(step) => rows.push(step),
        }
    }
    let mut room = rows_max;
    let mut rest = rows.into_iter().peekable();
    while let Some(step) = rest.next() {
        if let Some(InCircle { number, .. }) = step.circle {
            let mut circle = vec![step];
            while let Some(next) =
                rest.next_if(|next| next.circle.is_some_and(|circle| circle.number == number))
            {
                circle.push(next);
            }
            let counted = circle.iter().filter(|step| !step.part.is_aside());
            let length: usize = counted.map(|step| step.changes.len()).sum();
            if length > room && room < rows_max {
                batches.rows.push(Vec::new());
                room = rows_max;
            }
            room = room.saturating_sub(length);
            batches.rows.last_mut().expect("there is always a batch").extend(circle);
            continue;
        }
        let RowStep { table, action, mut changes, .. } = step;
        while !changes.is_empty() {
            if room == 0 {
                batches.rows.push(Vec::new());
                room = rows_max;
            }
            let rest = changes.split_off(room.min(changes.len()));
            room -= changes.len();
            let batch = batches.rows.last_mut().expect("there is always a batch");
            batch.push(RowStep::new(table, action, std::mem::replace(&mut changes, rest)));
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Checks, RowAction};

    #[test]
    fn batches_are_full_and_keep_the_order() {
        let rows = |action, changes: std::ops::Range<u32>| RowStep::new(0, action, changes.collect());
        let steps = vec![
            Step::Schema { table: 1, change: 0 },
            Step::Rows(rows(RowAction::Delete, 0..2)),
            Step::Rows(rows(RowAction::Insert, 2..7)),
        ];
        let cut = batches(steps.clone(), 3);
        assert_eq!(cut.schema, [(1, 0)]);
        let expected = [
            vec![rows(RowAction::Delete, 0..2), rows(RowAction::Insert, 2..3)],
            vec![rows(RowAction::Insert, 3..6)],
            vec![rows(RowAction::Insert, 6..7)],
        ];
        assert_eq!(cut.rows, expected);
        assert_eq!(batches(steps, 7).rows.len(), 1);
        assert_eq!(batches(Vec::new(), 7).rows, [[]]);
    }

    #[test]
    fn a_circle_is_never_cut() {
        let circle = |changes: std::ops::Range<u32>, number| RowStep {
            circle: Some(InCircle { number, checks: Checks::AtOnce, deferred: false }),
            ..RowStep::new(0, RowAction::Update, changes.collect())
        };
        let plain = RowStep::new(0, RowAction::Delete, vec![9]);
        let steps = [plain.clone(), circle(0..3, 1), circle(3..4, 1), circle(4..6, 2), plain.clone()];
        let cut = batches(steps.iter().cloned().map(Step::Rows).collect(), 3);
        let expected =
            [vec![plain.clone()], vec![circle(0..3, 1), circle(3..4, 1)], vec![circle(4..6, 2), plain]];
        assert_eq!(cut.rows, expected);
    }
}
