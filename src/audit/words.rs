//! How failures of this room speak of keys and rows: keys stand in `key`, other values in `detail` alone.

use crate::compare::OrderError;
use crate::failure::{ErrorKind, Failure};
use crate::schema::{TablePair, key_text};
use crate::sides::Side;

/// A failure for rows that came in another order than ours.
pub(super) fn order_failure(pair: &TablePair, error: &OrderError) -> Failure {
    match error {
        OrderError::Duplicate { side, key } => {
            let message = format!("two rows have the same key in {}", table_on(pair, *side));
            Failure::new(ErrorKind::Key, message)
                .key(key_text(pair, key.bytes()))
                .hint("name columns that identify a row on both sides with `key: [...]`")
        }
        OrderError::Disorder { side, first, then } => {
            let message = format!(
                "the rows of {} did not come in the order of their keys, or not from the range asked for",
                table_on(pair, *side)
            );
            Failure::new(ErrorKind::Internal, message).key(format!(
                "{} before {}",
                key_text(pair, first.bytes()),
                key_text(pair, then.bytes())
            ))
        }
    }
}

/// A row that is too large for the memory ceiling.
pub(super) fn row_too_large(pair: &TablePair, side: Side, row: &[u8]) -> Failure {
    let mebibytes = (row.len() as u64).saturating_mul(8).div_ceil(1 << 20);
    let message = format!(
        "a row of {} takes {} bytes, more than an eighth of the memory ceiling",
        table_on(pair, side),
        row.len()
    );
    Failure::new(ErrorKind::Value, message)
        .key(key_text(pair, row))
        .hint(format!("`--memory {mebibytes}MiB` would do"))
}

pub(super) fn table_on(pair: &TablePair, side: Side) -> String {
    format!("the {side}'s table {}", pair.names.get(side))
}
