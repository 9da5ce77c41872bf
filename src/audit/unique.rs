//! Whether the key of a pair identifies the rows of one side, where no unique key of that side says so.
//!
//! Reads the key's columns alone, in key order, and holds each row against the one before it: two equal ones lie
//! side by side whatever the table's size. Compared as the pair compares, not as the engine's collation does.

use crate::compare::{OrderError, PartedRows, join};
use crate::engine::Snapshot;
use crate::event::Stop;
use crate::failure::{ErrorKind, Failure};
use crate::schema::TablePair;
use crate::sides::{Side, Sides};
use crate::sql::{Select, Selection};
use crate::value::{BlockHasher, Digest, KeyRange};

use super::MEMORY_BYTES_DEFAULT;
use super::words::order_failure;

/// Bytes of pages that are being filled.
const PAGES_BYTES: usize = 1 << 20;
/// Different keys that are held at once.
const ENTRIES_MAX: usize = 100_000;

/// How many rows in scope one side has, if no two of them have the same key.
///
/// # Errors
/// Two rows with one key (kind `key`); whatever keeps the rows from being read; `Interrupted`.
pub async fn check_unique(
    pair: &TablePair,
    side: Side,
    snapshot: &dyn Snapshot,
    stop: &Stop,
) -> Result<u64, Failure> {
    let mut select = pair.select(side, Selection::Range(KeyRange::all()), pair.is_ordered());
    select.columns.truncate(pair.key_columns);
    if !pair.is_ordered() {
        return unordered(pair, side, snapshot, select, stop).await;
    }
    let mut stream = snapshot.scan(select).await?;
    let (mut rows, mut last): (u64, Vec<u8>) = (0, Vec::new());
    while let Some(block) = stream.next().await? {
        stopped(stop)?;
        for row in block.rows() {
            if rows > 0 && row == last {
                let key = pair.key_order().key_of(row);
                return Err(order_failure(pair, &OrderError::Duplicate { side, key }));
            }
            rows += 1;
            last.clear();
            last.extend_from_slice(row);
        }
    }
    Ok(rows)
}

/// The same of keys that come in no order: set aside as digests, and counted a part at a time.
async fn unordered(
    pair: &TablePair,
    side: Side,
    snapshot: &dyn Snapshot,
    select: Select,
    stop: &Stop,
) -> Result<u64, Failure> {
    let spool = super::spool(MEMORY_BYTES_DEFAULT);
    let mut keys = PartedRows::new(&spool, PAGES_BYTES);
    let mut stream = snapshot.scan(select.clone()).await?;
    while let Some(block) = stream.next().await? {
        stopped(stop)?;
        for row in block.rows() {
            let key = Digest::of(row);
            keys.push(&key, &key)?;
        }
    }
    let rows = keys.len();
    let none = PartedRows::new(&spool, PAGES_BYTES);
    let joined = join(Sides::new(keys, none), &BlockHasher::new([]), ENTRIES_MAX, &spool, &spool)?;
    let Some(repeated) = joined.repeated.primary else { return Ok(rows) };
    let mut stream = snapshot.scan(select).await?;
    while let Some(block) = stream.next().await? {
        stopped(stop)?;
        if let Some(row) = block.rows().find(|row| Digest::of(row) == repeated) {
            let key = pair.key_order().key_of(row);
            return Err(order_failure(pair, &OrderError::Duplicate { side, key }));
        }
    }
    Err(Failure::new(ErrorKind::Changed, "rows were there and could not be read again"))
}

fn stopped(stop: &Stop) -> Result<(), Failure> {
    match stop.requested() {
        true => Err(Failure::new(ErrorKind::Interrupted, "stopped before all keys were read")),
        false => Ok(()),
    }
}
