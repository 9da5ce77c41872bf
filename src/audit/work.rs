//! What all segments of one table share: rules, bounds, permits, and how to ask either side.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::compare::{BlockPair, Bounds, Pairing, PlannedChange, RowChange, RowRules};
use crate::engine::Snapshot;
use crate::event::{Observer, Stop};
use crate::failure::{ErrorKind, Failure};
use crate::schema::TablePair;
use crate::sides::{Side, Sides};
use crate::spool::Spool;
use crate::sql::{Select, Selection};
use crate::value::{Key, KeyOrder, KeyRange, RowBlock};

use super::added::Added;
use super::rules::row_rules;
use super::{AuditOptions, Selects};

/// Hashing runs at full speed from some hundred kilobytes on; more only costs memory.
const BLOCK_BYTES_MAX: usize = 4 << 20;
/// Smaller blocks would cost more to hand around than to compare.
const BLOCK_BYTES_MIN: usize = 16 << 10;
/// What connections and their threads take, however little is read through them.
const CONNECTIONS_BYTES: u64 = 8 << 20;
/// The primary's block, and the replica's part of twice that.
const BLOCKS_IN_PAIR: usize = 3;
/// Keys in one list of keys.
pub(super) const KEYS_MAX: usize = 2_000;
/// Bytes of keys in one list of keys, so that long keys make no statement of megabytes.
pub(super) const KEYS_BYTES_MAX: usize = 256 << 10;

/// What the segments of one table share.
pub(super) struct Work {
    pub(super) pair: TablePair,
    pub(super) snapshots: Sides<Arc<dyn Snapshot>>,
    pub(super) rules: RowRules,
    /// How a row read on the replica becomes a row of the pair, where columns are still to be added.
    pub(super) added: Option<Added>,
    pub(super) bounds: Bounds,
    /// One for each pair of blocks that may be in memory.
    pub(super) permits: Arc<Semaphore>,
    /// Blocks whose pair has been compared, to be filled again.
    spares: Mutex<Vec<RowBlock>>,
    spares_max: usize,
    pub(super) row_bytes_max: usize,
    /// Where differing rows are set aside.
    pub(super) spool: Spool,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) stop: Stop,
}

impl Work {
    /// Prepares to read `segments` segments at once.
    pub(super) fn new(
        pair: &TablePair,
        snapshots: Sides<Arc<dyn Snapshot>>,
        options: &AuditOptions,
        segments: usize,
        observer: &Arc<dyn Observer>,
        stop: &Stop,
    ) -> Result<Arc<Self>, Failure> {
        refuse_missing_key_columns(pair)?;
        let (bounds, permits) = memory_plan(options, segments);
        Ok(Arc::new(Work {
            pair: pair.clone(),
            snapshots,
            rules: row_rules(pair)?,
            added: Added::of(pair)?,
            bounds,
            permits: Arc::new(Semaphore::new(permits)),
            spares: Mutex::default(),
            spares_max: 2 * permits,
            row_bytes_max: usize::try_from(options.memory_bytes / 8).unwrap_or(usize::MAX).max(1),
            spool: options.spool.clone(),
            observer: Arc::clone(observer),
            stop: stop.clone(),
        }))
    }

    /// A change, withheld where the spec says so.
    pub(super) fn planned(&self, change: RowChange) -> PlannedChange {
        let writes = self.pair.writes;
        let withheld = !match &change {
            RowChange::Insert { .. } => writes.insert,
            RowChange::Update { .. } => writes.update,
            RowChange::Delete { .. } => writes.delete,
        };
        PlannedChange { change, withheld, extra: None, stored: None, copy: None }
    }

    /// The read of the pair's columns on one side, as far as they are there.
    pub(super) fn select(&self, side: Side, selection: Selection, ordered: bool) -> Select {
        select_of(&self.pair, side, selection, ordered)
    }

    /// The reads of a range on both sides.
    pub(super) fn range_selects(&self, range: &KeyRange) -> Selects {
        let select = |side| self.select(side, Selection::Range(range.clone()), true);
        let replica = (!self.pair.replica_missing).then(|| select(Side::Replica));
        Sides::new(Some(select(Side::Primary)), replica)
    }

    /// Keeps the memory of a pair that has been compared, except where it is small or grew in a gap of the
    /// replica's.
    pub(super) fn give_back(&self, pair: BlockPair) {
        let sizes = self.bounds.bytes_max / 4..=self.bounds.bytes_max / 4 * 5;
        let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
        for mut block in [pair.primary, pair.replica] {
            if spares.len() < self.spares_max && sizes.contains(&block.buffer().capacity()) {
                spares.push(block);
            }
        }
    }

    /// Hands such memory on.
    pub(super) fn recycle(&self, pairing: &mut Pairing) {
        let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
        while pairing.spares_wanted() > 0 {
            let Some(block) = spares.pop() else { break };
            pairing.recycle(block);
        }
    }

    /// An error if someone asked to stop.
    pub(super) fn check_stop(&self) -> Result<(), Failure> {
        if self.stop.requested() {
            return Err(Failure::new(ErrorKind::Interrupted, "stopped before all rows were compared"));
        }
        Ok(())
    }
}

/// See [`Work::select`].
pub(super) fn select_of(pair: &TablePair, side: Side, selection: Selection, ordered: bool) -> Select {
    let mut select = pair.select(side, selection, ordered);
    // A table that was missing when the pair was made has no condition; it holds nothing out of scope.
    select.scope = select.scope.filter(|scope| !scope.is_empty());
    if side == Side::Replica {
        let mut pairs = pair.columns.iter();
        select.columns.retain(|_| pairs.next().is_some_and(|pair| pair.on_replica));
    }
    select
}

fn refuse_missing_key_columns(pair: &TablePair) -> Result<(), Failure> {
    match pair.key().iter().find(|column| !column.on_replica && !pair.replica_missing) {
        Some(column) => {
            let message = format!("table {}: the replica lacks the key column {}", pair.table, column.name());
            Err(Failure::new(ErrorKind::Key, message))
        }
        None => Ok(()),
    }
}

/// The size of blocks, and how many pairs of them may be in memory: one that is read and one that is
/// compared for each segment, and a few more if there is room, so that no worker waits. They take a quarter of the
/// memory, for where every row differs as much again holds the changes.
fn memory_plan(options: &AuditOptions, segments: usize) -> (Bounds, usize) {
    let segments = segments.max(1);
    let memory = options.memory_bytes.saturating_sub(CONNECTIONS_BYTES) / 4;
    let memory = usize::try_from(memory).unwrap_or(usize::MAX);
    let bytes_max = (memory / (BLOCKS_IN_PAIR * 2 * segments)).clamp(BLOCK_BYTES_MIN, BLOCK_BYTES_MAX);
    let permits = memory / (BLOCKS_IN_PAIR * bytes_max);
    let permits = permits.clamp(segments, 2 * segments + rayon::current_num_threads());
    (Bounds { rows_max: options.chunk_rows.max(1), bytes_max }, permits)
}

/// Keys in key order, each once, in lists that a statement can hold.
pub(super) struct KeyChunks(std::iter::Peekable<std::vec::IntoIter<Key>>);

impl KeyChunks {
    pub(super) fn new(mut keys: Vec<Key>, order: &KeyOrder) -> Self {
        keys.sort_by(|a, b| order.compare(a.bytes(), b.bytes()));
        keys.dedup();
        KeyChunks(keys.into_iter().peekable())
    }

    pub(super) fn next(&mut self) -> Option<Vec<Key>> {
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        while chunk.len() < KEYS_MAX && bytes < KEYS_BYTES_MAX {
            let Some(key) = self.0.next() else { break };
            bytes += key.bytes().len();
            chunk.push(key);
        }
        (!chunk.is_empty()).then_some(chunk)
    }
}
