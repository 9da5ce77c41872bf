//! Keys in messages: short text for people, never read back by anything. They belong in a failure's `key`, which
//! `--redact` shows.

use crate::failure::Failure;
use crate::value::{fields, named_values};

use super::TablePair;

/// Keys that are shown in one message.
pub const KEYS_MAX: usize = 5;

/// The key of an encoded row: `id = 5, lang = 'de'`.
pub fn key_text(pair: &TablePair, row: &[u8]) -> String {
    let key = pair.key_order().key_of(row);
    named_values(pair.key().iter().map(|column| column.name()).zip(pair.key_values(&key)))
}

/// All of an encoded row: what tells it from others where there is no key. Only for a failure's `detail`, which
/// `--redact` hides.
pub fn row_text(pair: &TablePair, row: &[u8]) -> String {
    let values = pair.columns.iter().zip(fields(row));
    named_values(values.map(|(column, field)| (column.name(), column.replica_value(field))))
}

/// A failure about one row.
pub fn with_row(failure: Failure, pair: &TablePair, row: &[u8]) -> Failure {
    match pair.is_keyless() {
        true => failure.detail(row_text(pair, row)),
        false => failure.key(key_text(pair, row)),
    }
}

/// The keys of the first of `total` rows, and how many more there are. Nothing where rows have no key.
pub fn keys_text<'a>(pair: &TablePair, rows: impl Iterator<Item = &'a [u8]>, total: usize) -> String {
    if pair.is_keyless() {
        return String::new();
    }
    let more = total.saturating_sub(KEYS_MAX);
    let mut text: Vec<String> = rows.take(KEYS_MAX).map(|row| key_text(pair, row)).collect();
    if more > 0 {
        text.push(format!("and {more} more"));
    }
    text.join("; ")
}
