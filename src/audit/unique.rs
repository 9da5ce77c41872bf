//! Whether the key of a pair identifies the rows of one side, where no unique key of that side says so.
//!
//! Reads the key's columns alone, in key order, and holds each row against the one before it: two equal ones lie
//! side by side whatever the table's size. Compared as the pair compares, not as the engine's collation does.

use crate::compare::OrderError;
use crate::engine::Snapshot;
use crate::event::Stop;
use crate::failure::{ErrorKind, Failure};
use crate::schema::TablePair;
use crate::sides::Side;
use crate::sql::Selection;
use crate::value::KeyRange;

use super::words::order_failure;

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
    let mut select = pair.select(side, Selection::Range(KeyRange::all()), true);
    select.columns.truncate(pair.key_columns);
    let mut stream = snapshot.scan(select).await?;
    let (mut rows, mut last): (u64, Vec<u8>) = (0, Vec::new());
    while let Some(block) = stream.next().await? {
        if stop.requested() {
            return Err(Failure::new(ErrorKind::Interrupted, "stopped before all keys were read"));
        }
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
