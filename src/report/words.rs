//! Numbers and names for people.

/// A count with thousands separators: `1,234,567`.
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A count and its noun: `1 row`, `2,000 rows`.
pub fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(count))
}

/// A name from a database: as it is where it is printable, else quoted and escaped.
pub fn name(name: &str) -> String {
    let plain = !name.is_empty() && name.trim() == name && !name.chars().any(unprintable);
    if plain { name.to_owned() } else { format!("{name:?}") }
}

/// Whether a character would do something to a terminal or a log, or hide in it. What `Debug` escapes:
/// control characters, line separators, direction marks.
pub fn unprintable(character: char) -> bool {
    !matches!(character, '"' | '\'' | '\\') && character.escape_debug().len() > 1 && !is_mark(character)
}

/// Combining marks and joiners, which `char::escape_debug` escapes because they have no form of their own. After a letter
/// they are part of ordinary text (é from two code points, flags, families).
fn is_mark(character: char) -> bool {
    let after_letter = "a".to_owned() + character.encode_utf8(&mut [0; 4]);
    character == '\u{200d}' || after_letter.escape_debug().count() == 2
}

/// Text for between double quotes: with control characters, line ends, quotes and backslashes escaped.
pub fn escaped(text: &str) -> String {
    let backslashes = text.replace('\\', "\\\\").replace('"', "\\\"");
    visible(&backslashes)
}

/// Text that has quotes of its own, with what a terminal would act on escaped.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if unprintable(character) {
            shown.extend(character.escape_debug());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([counted(1, "row"), counted(2_000, "row")], ["1 row", "2,000 rows"]);
    }

    #[test]
    fn nothing_reaches_the_terminal_that_would_move_it() {
        assert_eq!(escaped("a\nb\t\u{1b}[31m\u{202e}\u{0}"), r"a\nb\t\u{1b}[31m\u{202e}\0");
        assert_eq!(
            escaped("naïve e\u{301} 👨\u{200d}👩 'x' \"y\" \\"),
            "naïve e\u{301} 👨\u{200d}👩 'x' \\\"y\\\" \\\\"
        );
        assert_eq!(name("order items"), "order items");
        assert_eq!(name("a\nb"), r#""a\nb""#);
        assert_eq!(name(" a"), r#"" a""#);
    }
}
