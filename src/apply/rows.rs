//! Reading rows of the replica by their keys, within the transaction.
//!
//! Invariant: rows are told apart by their encoded keys. What the engine holds for equal under a collation is
//! dropped here, and two rows of one key are an error.

use std::collections::HashMap;

use crate::engine::Writer;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, ChunkLimits, TablePlan};
use crate::schema::TablePair;
use crate::sides::Side;
use crate::sql::Selection;
use crate::value::{Key, KeyOrder, RowBlock};

use super::GivenUp;

/// How many rows are read or written at once: enough to be set-wise, few enough to keep statements and
/// answers small.
pub(super) const CHUNK: ChunkLimits = ChunkLimits { rows_max: 1_000, bytes_max: 4 << 20 };

/// Rows that were read, by key.
pub(super) struct Found {
    block: RowBlock,
    by_key: HashMap<Key, usize>,
    order: KeyOrder,
    /// Where a column of the pair is in the rows that were read.
    places: Vec<Option<usize>>,
}

/// One row that was read.
pub(super) struct FoundRow<'a> {
    fields: Vec<Option<&'a [u8]>>,
    places: &'a [Option<usize>],
}

/// Reads these columns (key columns among them) of the rows with the keys of some changes, wherever they are
/// now: a guard knows no scope.
pub(super) async fn read(
    writer: &mut dyn Writer,
    table: &TablePlan,
    pair: &TablePair,
    changes: &[usize],
    columns: &[u16],
    locked: bool,
) -> Result<Found, GivenUp> {
    let order = pair.key_order();
    let keys = changes.iter().map(|index| order.key_of(table.changes[*index].change.row().bytes())).collect();
    let mut select = pair.select(Side::Replica, Selection::Keys(keys), false);
    select.columns = columns.iter().map(|index| select.columns[usize::from(*index)].clone()).collect();
    select.scope = None;
    select.locked = locked;
    let block = writer.read(&select).await?;
    let mut by_key = HashMap::with_capacity(block.len());
    for (index, row) in block.rows().enumerate() {
        if by_key.insert(order.key_of(row), index).is_some() {
            let message = format!("table {}: more than one row of the replica has the same key", table.table);
            return Err(Failure::new(ErrorKind::Key, message).detail(plan::key_text(pair, row)).into());
        }
    }
    let mut places = vec![None; pair.columns.len()];
    for (place, column) in columns.iter().enumerate() {
        places[usize::from(*column)] = Some(place);
    }
    Ok(Found { block, by_key, order, places })
}

impl Found {
    /// The row with the key of this encoded row.
    pub(super) fn row(&self, like: &[u8]) -> Option<FoundRow<'_>> {
        let index = *self.by_key.get(&self.order.key_of(like))?;
        let fields = crate::value::fields(self.block.row(index)).collect();
        Some(FoundRow { fields, places: &self.places })
    }
}

impl FoundRow<'_> {
    /// Those of these columns that differ from an encoded row, or were not read.
    pub(super) fn differing(&self, row: &crate::value::Row, columns: &[u16]) -> Vec<u16> {
        let wanted: Vec<Option<&[u8]>> = row.fields().collect();
        let differs = |column: &u16| {
            let index = usize::from(*column);
            match (self.places[index].and_then(|place| self.fields.get(place)), wanted.get(index)) {
                (Some(found), Some(wanted)) => found != wanted,
                _ => true,
            }
        };
        columns.iter().copied().filter(differs).collect()
    }

    /// Whether these columns are as in an encoded row.
    pub(super) fn equals(&self, row: &crate::value::Row, columns: &[u16]) -> bool {
        self.differing(row, columns).is_empty()
    }
}

/// The columns that are compared and that the replica has once the plan's structure is made.
pub(super) fn compared(pair: &TablePair) -> Vec<u16> {
    let mut columns = plan::written_columns(pair);
    columns.retain(|column| usize::from(*column) < pair.compared_columns);
    columns
}

/// The columns that are compared and that the plan saw on the replica.
pub(super) fn seen(pair: &TablePair) -> Vec<u16> {
    let mut columns = compared(pair);
    columns.retain(|column| pair.columns[usize::from(*column)].on_replica);
    columns
}

/// Changes cut into pieces that are read at once.
pub(super) fn pieces<'a>(table: &TablePlan, changes: &'a [usize]) -> Vec<&'a [usize]> {
    let size = |index: &usize| table.changes[*index].change.row().bytes().len();
    plan::chunks(changes.iter().map(size), CHUNK).into_iter().map(|piece| &changes[piece]).collect()
}
