//! From planned row changes to statements in the replica's dialect.
//!
//! Owns what is written for a change: an insert sets every column the replica has (also those the spec does
//! not compare), an update only those that differ. Refuses to run anything; `apply` runs these statements and
//! the `sql` report prints them. Invariant: one [`Write`] is changes of one kind that set the same columns.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::compare::RowChange;
use crate::schema::TablePair;
use crate::spec::SchemaMode;
use crate::sql::{Column, Dialect, RowUpdate, Unwritable};
use crate::value::{Row, Value};

use super::order::{RowAction, RowStep};
use super::{PlannedChange, TablePlan};

/// Changes of one kind that set the same columns of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// What happens.
    pub action: RowAction,
    /// Indexes of the columns that are set, ascending; none for a delete.
    pub columns: Vec<u16>,
    /// Indexes into [`TablePlan::changes`].
    pub changes: Vec<usize>,
}

/// The columns of a pair that the replica has when rows are written: those it has now and those that the plan
/// creates.
pub fn written_columns(pair: &TablePair) -> Vec<u16> {
    let there = |column: &&(usize, &crate::schema::ColumnPair)| {
        column.1.on_replica || pair.schema == SchemaMode::Sync
    };
    // Engines allow far fewer than 65,536 columns.
    pair.columns.iter().enumerate().filter(|column| there(&column)).map(|(index, _)| index as u16).collect()
}

/// A step as writes of at most `rows_max` rows and about `bytes_max` bytes of encoded rows each, in the step's
/// order (updates: grouped by the columns they set). `wanted` leaves out changes that are done already.
pub fn writes(
    table: &TablePlan,
    step: &RowStep,
    limits: ChunkLimits,
    wanted: impl Fn(usize) -> bool,
) -> Vec<Write> {
    let mut by_columns: BTreeMap<Vec<u16>, Vec<usize>> = BTreeMap::new();
    for index in step.changes.iter().copied().filter(|index| wanted(*index)) {
        let columns = match &table.changes[index].change {
            RowChange::Insert { .. } => table.pair.as_ref().map(written_columns).unwrap_or_default(),
            RowChange::Update { columns, .. } => columns.clone(),
            RowChange::Delete { .. } => Vec::new(),
        };
        by_columns.entry(columns).or_default().push(index);
    }
    let mut writes = Vec::new();
    for (columns, changes) in by_columns {
        let size = |index: &usize| table.changes[*index].change.row().bytes().len();
        for chunk in chunks(changes.iter().map(size), limits) {
            let changes = changes[chunk].to_vec();
            writes.push(Write { action: step.action, columns: columns.clone(), changes });
        }
    }
    writes
}

/// How much goes into one piece of work. Both bounds keep at least one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkLimits {
    /// Most rows.
    pub rows_max: usize,
    /// Most bytes of encoded rows.
    pub bytes_max: usize,
}

/// Cuts rows of these sizes into consecutive pieces within the limits; a row above `bytes_max` is alone.
pub fn chunks(sizes: impl Iterator<Item = usize>, limits: ChunkLimits) -> Vec<Range<usize>> {
    let (mut pieces, mut start, mut bytes, mut end) = (Vec::new(), 0, 0, 0);
    for size in sizes {
        if end > start && (end - start >= limits.rows_max || bytes + size > limits.bytes_max) {
            pieces.push(start..end);
            (start, bytes) = (end, 0);
        }
        bytes += size;
        end += 1;
    }
    if end > start {
        pieces.push(start..end);
    }
    pieces
}

/// The statements of one write.
///
/// # Errors
/// Where a value cannot be held by its column; [`check_values`](super::check_values) finds that earlier and
/// says which.
pub fn statements(
    pair: &TablePair,
    changes: &[PlannedChange],
    write: &Write,
    dialect: &dyn Dialect,
) -> Result<Vec<String>, Unwritable> {
    let table = &pair.names.replica;
    let chosen = write.changes.iter().map(|index| &changes[*index].change);
    match write.action {
        RowAction::Insert => {
            let rows: Vec<Vec<Value>> =
                chosen.map(|change| primary_values(pair, change.row(), &write.columns)).collect();
            dialect.insert(table, &replica_columns(pair, &write.columns), &rows)
        }
        RowAction::Update => {
            let rows: Vec<RowUpdate> =
                chosen.filter_map(|change| row_update(pair, change, &write.columns)).collect();
            let (key, columns) = (key_columns(pair), replica_columns(pair, &write.columns));
            dialect.update_keeping(table, &key, &columns, &self_writing(pair, dialect), &rows)
        }
        RowAction::Delete => {
            let keys: Vec<Vec<Value>> = chosen.map(|change| key_values(pair, change.row())).collect();
            dialect.delete(table, &key_columns(pair), &keys)
        }
    }
}

fn row_update(pair: &TablePair, change: &RowChange, columns: &[u16]) -> Option<RowUpdate> {
    match change {
        RowChange::Update { before, after, .. } => {
            Some(RowUpdate { key: key_values(pair, before), values: primary_values(pair, after, columns) })
        }
        _ => None,
    }
}

/// The replica's key columns.
pub fn key_columns(pair: &TablePair) -> Vec<Column> {
    pair.key().iter().map(|column| column.sides.replica.clone()).collect()
}

/// The replica's columns that the engine itself would write with every update of their row.
fn self_writing(pair: &TablePair, dialect: &dyn Dialect) -> Vec<Column> {
    let in_scope = pair.columns.iter().filter(|column| column.on_replica).map(|column| &column.sides.replica);
    let extra = pair.replica_extra.iter().map(|part| &part.column);
    in_scope.chain(extra).filter(|column| dialect.rewrites_itself(column)).cloned().collect()
}

/// The replica's columns at these indexes.
pub fn replica_columns(pair: &TablePair, columns: &[u16]) -> Vec<Column> {
    columns.iter().map(|index| pair.columns[usize::from(*index)].sides.replica.clone()).collect()
}

/// The key of a row that is on the replica.
pub fn key_values(pair: &TablePair, row: &Row) -> Vec<Value> {
    pair.key().iter().zip(row.fields()).map(|(column, field)| column.replica_value(field)).collect()
}

fn primary_values(pair: &TablePair, row: &Row, columns: &[u16]) -> Vec<Value> {
    let fields: Vec<Option<&[u8]>> = row.fields().collect();
    let value = |index: &u16| {
        let index = usize::from(*index);
        pair.columns[index].primary_value(fields[index])
    };
    columns.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::*;

    const SMALL: ChunkLimits = ChunkLimits { rows_max: 2, bytes_max: 1000 };

    #[test]
    fn chunks_keep_both_bounds_and_lose_nothing() {
        let limits = ChunkLimits { rows_max: 3, bytes_max: 10 };
        assert_eq!(chunks([1, 1, 1, 1].into_iter(), limits), [0..3, 3..4]);
        assert_eq!(chunks([6, 6, 99, 1, 9].into_iter(), limits), [0..1, 1..2, 2..3, 3..5]);
        assert_eq!(chunks([].into_iter(), limits), []);
    }

    #[test]
    fn updates_go_by_the_columns_they_set() {
        let changes = vec![
            update(&[1, 1, 1], &[1, 2, 1], &[1]),
            update(&[2, 1, 1], &[2, 2, 2], &[1, 2]),
            update(&[3, 1, 1], &[3, 2, 1], &[1]),
            update(&[4, 1, 1], &[4, 2, 1], &[1]),
        ];
        let table = with_changes(wide_table("t"), changes);
        let step = RowStep { table: 0, action: RowAction::Update, changes: vec![0, 1, 2, 3] };
        let writes = writes(&table, &step, SMALL, |index| index != 2);
        let shown: Vec<_> = writes.into_iter().map(|write| (write.columns, write.changes)).collect();
        assert_eq!(shown, [(vec![1], vec![0, 3]), (vec![1, 2], vec![1])]);
    }

    #[test]
    fn an_insert_sets_what_the_replica_has() {
        let mut table = with_changes(wide_table("t"), vec![insert(&[1, 2, 3])]);
        let pair = table.pair.as_mut().expect("paired");
        pair.columns[1].on_replica = false;
        assert_eq!(written_columns(pair), [0, 1, 2]);
        pair.schema = SchemaMode::Check;
        assert_eq!(written_columns(pair), [0, 2]);
        pair.columns[1].on_replica = true;
        let write = Write { action: RowAction::Insert, columns: vec![0, 1, 2], changes: vec![0] };
        let pair = table.pair.as_ref().expect("paired");
        let sql = statements(pair, &table.changes, &write, &FAKE).expect("they fit");
        assert_eq!(sql, ["insert t id=1,ref=2,more=3"]);
    }
}
