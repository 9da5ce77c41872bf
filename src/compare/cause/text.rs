//! Causes in texts.

use unicode_normalization::UnicodeNormalization as _;

use crate::value::Value;

/// What Windows-1252 has for the bytes 0x80 to 0x9F; those it lacks stand for themselves.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) | Value::Native(text) => Some(text),
        _ => None,
    }
}

fn both<'a>(a: &'a Value, b: &'a Value) -> Option<(&'a str, &'a str)> {
    text(a).zip(text(b))
}

/// Whether two texts are the same in a form.
pub(super) fn is_equal(a: &Value, b: &Value, form: impl Fn(&str) -> String) -> bool {
    both(a, b).is_some_and(|(a, b)| form(a) == form(b))
}

/// Normalization form C (Unicode Standard Annex 15).
pub(super) fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// After how many characters `cut` ends where `whole` goes on.
pub(super) fn cut_after(cut: &Value, whole: &Value) -> Option<u32> {
    let (cut, whole) = both(cut, whole)?;
    let is_cut = !cut.is_empty() && cut.len() < whole.len() && whole.starts_with(cut);
    is_cut.then(|| u32::try_from(cut.chars().count()).ok()).flatten()
}

/// Whether `wrong` is what the UTF-8 bytes of `right` are in Windows-1252 (or Latin-1).
pub(super) fn is_misread(wrong: &Value, right: &Value) -> bool {
    let Some((wrong, right)) = both(wrong, right) else { return false };
    let windows = |byte: u8| match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        byte => char::from(byte),
    };
    !right.is_ascii()
        && (right.bytes().map(windows).eq(wrong.chars()) || right.bytes().map(char::from).eq(wrong.chars()))
}

/// Whether `lost` has a mark in the place of characters of `kept` that are not ASCII, and is the same elsewhere.
pub(super) fn is_replaced(lost: &Value, kept: &Value) -> bool {
    let Some((lost, kept)) = both(lost, kept) else { return false };
    let mut kept = kept.chars();
    let mut replaced = false;
    for lost in lost.chars() {
        match kept.next() {
            Some(kept) if kept == lost => {}
            Some(kept) if !kept.is_ascii() && matches!(lost, '?' | '\u{fffd}') => replaced = true,
            _ => return false,
        }
    }
    replaced && kept.next().is_none()
}
