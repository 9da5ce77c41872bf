//! Reading rows of the replica by their keys, within the transaction.
//!
//! Rows are read with the spelling of their keys, by which they are written. Invariant: rows are told apart by their encoded keys. What the engine holds for equal under a collation is
//! dropped here, and two rows of one key are an error.

use std::collections::HashMap;

use crate::compare::{PlannedChange, RowChange};
use crate::engine::Writer;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, ChangeNumber, ChunkLimits, NumberedChange, TablePlan};
use crate::schema::{KEYS_MAX, TablePair};
use crate::sides::Side;
use crate::spool::SpoolError;
use crate::sql::{Dialect, Select, Selection};
use crate::value::{Key, KeyOrder, Row, RowBlock, put_field, put_null};

use super::GivenUp;

/// How many copies of rows without a key are read at once: enough to be set-wise, few enough to keep statements and
/// answers small.
pub(super) const CHUNK: ChunkLimits = ChunkLimits { rows_max: 1_000, bytes_max: BYTES_AT_ONCE };

/// A piece is held a few times over: as changes, as values, as what is sent and what comes back.
const BYTES_AT_ONCE: usize = 4 << 20;

/// How many rows are read by their keys, or written, at once.
pub(super) fn chunk(dialect: &dyn Dialect) -> ChunkLimits {
    ChunkLimits { rows_max: dialect.rows_at_once(), bytes_max: BYTES_AT_ONCE }
}

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

/// Reads these columns (key columns among them) of the rows with the keys of some changes.
pub(super) async fn read(
    writer: &mut dyn Writer,
    table: &TablePlan,
    pair: &TablePair,
    changes: &[NumberedChange],
    columns: &[u16],
    locked: bool,
) -> Result<Found, GivenUp> {
    let block = writer.read(&select(pair, changes, columns, locked)).await?;
    Ok(Found::of(table, pair, block, columns)?)
}

/// The read of these columns of the rows with the keys of some changes, wherever they are now: a guard knows no
/// scope.
pub(super) fn select(pair: &TablePair, changes: &[NumberedChange], columns: &[u16], locked: bool) -> Select {
    let order = pair.key_order();
    let keys = changes.iter().map(|(_, planned)| order.key_of(planned.change.row().bytes())).collect();
    let mut select = pair.select(Side::Replica, Selection::Keys(keys), false);
    let compared = columns.iter().map(|index| pair.replica_part(usize::from(*index)));
    select.columns = compared.chain(pair.stored_parts()).collect();
    select.scope = None;
    select.locked = locked;
    // Locks are taken in one order, so that two who write the same rows do not wait for each other.
    select.ordered = locked;
    select
}

impl Found {
    /// The rows that [`select`] of these columns gave.
    ///
    /// # Errors
    /// Two rows of one key.
    pub(super) fn of(
        table: &TablePlan,
        pair: &TablePair,
        block: RowBlock,
        columns: &[u16],
    ) -> Result<Self, Failure> {
        let order = pair.key_order();
        let mut by_key = HashMap::with_capacity(block.len());
        for (index, row) in block.rows().enumerate() {
            if by_key.insert(order.key_of(row), index).is_some() {
                let message =
                    format!("table {}: more than one row of the replica has the same key", table.table);
                return Err(Failure::new(ErrorKind::Key, message).key(plan::key_text(pair, row)));
            }
        }
        let mut places = vec![None; pair.columns.len() + pair.replica_extra.len()];
        for (place, column) in columns.iter().enumerate() {
            places[usize::from(*column)] = Some(place);
        }
        Ok(Found { block, by_key, order, places })
    }

    /// The row with the key of this encoded row.
    pub(super) fn row(&self, like: &[u8]) -> Option<FoundRow<'_>> {
        let index = *self.by_key.get(&self.order.key_of(like))?;
        let fields = crate::value::fields(self.block.row(index)).collect();
        Some(FoundRow { fields, places: &self.places })
    }

    /// How the key of this encoded row is spelled, where the replica may spell it in several ways.
    pub(super) fn stored(&self, like: &[u8]) -> Option<Row> {
        let row = self.row(like)?;
        let read = self.places.iter().flatten().count();
        let stored = row.fields.get(read..).filter(|stored| !stored.is_empty())?;
        let mut bytes = Vec::new();
        for field in stored {
            match field {
                Some(payload) => put_field(&mut bytes, payload),
                None => put_null(&mut bytes),
            }
        }
        Some(Row::new(bytes))
    }
}

impl FoundRow<'_> {
    /// Those of these columns that differ from a row's, or were not read.
    pub(super) fn differing<'r>(
        &self,
        wanted: impl IntoIterator<Item = Option<&'r [u8]>>,
        columns: &[u16],
    ) -> Vec<u16> {
        let wanted: Vec<Option<&[u8]>> = wanted.into_iter().collect();
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
    pub(super) fn equals(&self, row: &Row, columns: &[u16]) -> bool {
        self.differing(row.fields(), columns).is_empty()
    }
}

/// The columns that are compared and that the replica has once the plan's structure is made.
pub(super) fn compared(pair: &TablePair) -> Vec<u16> {
    let mut columns = plan::written_columns(pair);
    columns.retain(|column| usize::from(*column) < pair.compared_columns);
    columns
}

/// These columns, and where rows are put back (changes of one kind: all or none) those out of scope, in which such
/// a row must be as planned too.
pub(super) fn and_extras(mut columns: Vec<u16>, pair: &TablePair, changes: &[NumberedChange]) -> Vec<u16> {
    let puts_back = |planned: &PlannedChange| {
        matches!(planned.change, RowChange::Insert { .. }) && planned.extra.is_some()
    };
    if changes.iter().any(|(_, planned)| puts_back(planned)) {
        columns.extend(pair.extra_indexes());
    }
    columns
}

/// The columns that are compared and that the plan saw on the replica.
pub(super) fn seen(pair: &TablePair) -> Vec<u16> {
    let mut columns = compared(pair);
    columns.retain(|column| pair.columns[usize::from(*column)].on_replica);
    columns
}

/// Changes in pieces that are read at once.
pub(super) fn pieces(
    table: &TablePlan,
    numbers: &[ChangeNumber],
    dialect: &dyn Dialect,
) -> impl Iterator<Item = Result<Vec<NumberedChange>, SpoolError>> {
    plan::pieces(&table.changes, numbers.iter().copied(), chunk(dialect))
}

/// The first few of many rows, for messages.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    /// How many rows there are.
    pub count: usize,
    rows: Vec<Row>,
}

impl Sample {
    /// Adds a row.
    pub(super) fn add(&mut self, row: &Row) {
        self.count += 1;
        if self.rows.len() < KEYS_MAX {
            self.rows.push(row.clone());
        }
    }

    /// Adds a row that stands for several copies.
    pub(super) fn add_copies(&mut self, row: &Row, copies: u64) {
        self.add(row);
        self.count += usize::try_from(copies).unwrap_or(usize::MAX).saturating_sub(1);
    }

    /// The rows themselves, where they have no key; for a failure's detail.
    pub(super) fn whole(&self, pair: &TablePair) -> Option<String> {
        let rows = self.rows.iter().filter(|_| pair.is_keyless());
        let rows: Vec<String> = rows.map(|row| plan::row_text(pair, row.bytes())).collect();
        (!rows.is_empty()).then(|| rows.join("; "))
    }

    /// The rows' keys.
    pub(super) fn keys(&self, pair: &TablePair) -> String {
        plan::keys_text(pair, self.rows.iter().map(Row::bytes), self.count)
    }
}

/// The rows of some changes.
impl<'a> FromIterator<&'a NumberedChange> for Sample {
    fn from_iter<I: IntoIterator<Item = &'a NumberedChange>>(changes: I) -> Self {
        let mut sample = Sample::default();
        changes.into_iter().for_each(|(_, planned)| sample.add(planned.change.row()));
        sample
    }
}
