//! Keys in messages: short text for people, never read back by anything. They belong in a failure's `key`, which
//! `--redact` shows.

use crate::value::named_values;

use super::TablePair;

/// Keys that are shown in one message.
pub const KEYS_MAX: usize = 5;

/// The key of an encoded row: `id = 5, lang = 'de'`.
pub fn key_text(pair: &TablePair, row: &[u8]) -> String {
    let key = pair.key_order().key_of(row);
    named_values(pair.key().iter().map(|column| column.name()).zip(pair.key_values(&key)))
}

/// The keys of the first of `total` rows, and how many more there are.
pub fn keys_text<'a>(pair: &TablePair, rows: impl Iterator<Item = &'a [u8]>, total: usize) -> String {
    let more = total.saturating_sub(KEYS_MAX);
    let mut text: Vec<String> = rows.take(KEYS_MAX).map(|row| key_text(pair, row)).collect();
    if more > 0 {
        text.push(format!("and {more} more"));
    }
    text.join("; ")
}
