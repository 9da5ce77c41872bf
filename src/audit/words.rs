//! How failures of this room speak of keys and rows. Values stand in `detail` alone, which `--redact` drops.

use crate::compare::OrderError;
use crate::failure::{ErrorKind, Failure};
use crate::schema::TablePair;
use crate::sides::Side;
use crate::value::{Key, Value};

/// A failure for rows that came in another order than ours.
pub(super) fn order_failure(pair: &TablePair, error: &OrderError) -> Failure {
    match error {
        OrderError::Duplicate { side, key } => {
            let message = format!("two rows have the same key in {}", table_on(pair, *side));
            Failure::new(ErrorKind::Key, message)
                .detail(key_words(pair, key))
                .hint("name columns that identify a row on both sides with `key: [...]`")
        }
        OrderError::Disorder { side, first, then } => {
            let message = format!(
                "the rows of {} did not come in the order of their keys, or not from the range asked for",
                table_on(pair, *side)
            );
            Failure::new(ErrorKind::Internal, message).detail(format!(
                "{} before {}",
                key_words(pair, first),
                key_words(pair, then)
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
        .detail(key_words(pair, &pair.key_order().key_of(row)))
        .hint(format!("`--memory {mebibytes}MiB` would do"))
}

pub(super) fn table_on(pair: &TablePair, side: Side) -> String {
    format!("the {side}'s table {}", pair.names.get(side))
}

/// `id = 5, code = 'a'`, by the primary's column names.
pub(super) fn key_words(pair: &TablePair, key: &Key) -> String {
    let values = pair.key_values(key);
    let parts = pair.key().iter().zip(&values);
    let parts: Vec<_> =
        parts.map(|(column, value)| format!("{} = {}", column.name(), value_words(value))).collect();
    parts.join(", ")
}

fn value_words(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Decimal(value) => value.to_string(),
        Value::Float32(value) => format!("{value:?}"),
        Value::Float64(value) => format!("{value:?}"),
        Value::Text(value) | Value::Json(value) | Value::Native(value) => quoted(value),
        Value::RawText(value) | Value::Bytes(value) => format!("x'{}'", hex(value)),
        Value::Date(value) => value.to_string(),
        Value::Time(value) => value.to_string(),
        Value::DateTime(value) => value.to_string(),
        Value::Instant(value) => format!("{value}Z"),
        Value::Uuid(value) => uuid(value),
        Value::OtherStorage(value) => value_words(value),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.escape_debug())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn uuid(bytes: &[u8; 16]) -> String {
    let parts = [&bytes[..4], &bytes[4..6], &bytes[6..8], &bytes[8..10], &bytes[10..]];
    parts.map(hex).join("-")
}
