//! JSON documents for MySQL's own JSON type.
//!
//! Owns what a document becomes there: integers of 64 bits are kept, every other number as a double, so that a number
//! that no double is exactly has no literal. MySQL reads a number of more than 15 digits in a JSON *text* with an error of
//! the last bits (8.0 to 9: `10928588.983213553` becomes `10928588.983213551`), but a number of SQL exactly: a
//! document that holds one is built of its values. Invariant: what the server stores is what the document says.

use crate::sql::Unwritable;
use crate::value::Decimal;

use super::literal::{no, text};

/// Digits, and places behind the point, up to which MySQL reads a number in JSON text exactly: whole number and power
/// of ten are doubles then, and one division rounds once.
const READ_EXACTLY: (usize, usize) = (15, 22);

/// A canonical document as a literal of a JSON column.
pub(super) fn stored(document: &str, declared: &str) -> Result<String, Unwritable> {
    if numbers(document).into_iter().all(is_kept) {
        return Ok(literal(document));
    }
    Err(no(format!("{declared} does not keep all digits of a number in it")))
}

/// A canonical document as what casts to JSON without a change, if a JSON column can hold it at all.
pub(super) fn literal(document: &str) -> String {
    if numbers(document).into_iter().all(is_read_exactly) { text(document) } else { built(document) }
}

/// The document from functions, token by token: `{"a":[1e300]}` is `JSON_OBJECT('a', JSON_ARRAY(1e300))`.
fn built(document: &str) -> String {
    let parts: Vec<String> = tokens(document)
        .map(|token| match token.as_bytes()[0] {
            b'{' => "JSON_OBJECT(".to_owned(),
            b'[' => "JSON_ARRAY(".to_owned(),
            b'}' | b']' => ")".to_owned(),
            b':' | b',' => ", ".to_owned(),
            b'"' => {
                text(&serde_json::from_str::<String>(token).expect("the strings of a document are whole"))
            }
            b'-' | b'0'..=b'9' => number(token),
            _ => token.to_owned(),
        })
        .collect();
    match parts.as_slice() {
        [scalar] => format!("CAST({scalar} AS JSON)"),
        parts => parts.concat(),
    }
}

fn number(number: &str) -> String {
    match number.parse::<f64>() {
        Ok(double) if !is_of_64_bits(number) => format!("{double:e}"),
        _ => number.to_owned(),
    }
}

/// The numbers of a document as they are written.
fn numbers(document: &str) -> Vec<&str> {
    tokens(document).filter(|token| matches!(token.as_bytes()[0], b'-' | b'0'..=b'9')).collect()
}

/// What a document consists of: brackets, colons, commas, whole strings, numbers and words.
fn tokens(document: &str) -> impl Iterator<Item = &str> {
    let mut rest = document;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        let length = match rest.bytes().next()? {
            b'"' => string_length(rest.as_bytes()),
            b'{' | b'}' | b'[' | b']' | b':' | b',' => 1,
            _ => rest.find([',', ']', '}', ':', ' ', '\t', '\n', '\r']).unwrap_or(rest.len()),
        };
        let (token, behind) = rest.split_at(length);
        rest = behind;
        Some(token)
    })
}

/// Bytes of the string that a document goes on with, quotes included.
fn string_length(document: &[u8]) -> usize {
    let mut at = 1;
    while at < document.len() && document[at] != b'"' {
        at += if document[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(document.len())
}

fn is_of_64_bits(number: &str) -> bool {
    let range = i128::from(i64::MIN)..=i128::from(u64::MAX);
    number.parse().is_ok_and(|whole: i128| range.contains(&whole))
}

fn is_kept(number: &str) -> bool {
    if is_of_64_bits(number) {
        return true;
    }
    let stored = number.parse::<f64>().ok().filter(|double| double.is_finite());
    let stored = stored.and_then(|double| Decimal::parse(&double.to_string()).ok());
    let exact = Decimal::parse(number).ok();
    stored.zip(exact).is_some_and(|(stored, exact)| stored.trimmed() == exact.trimmed())
}

fn is_read_exactly(number: &str) -> bool {
    let digits = number.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
    let places = number.split_once('.').map_or(0, |(_, places)| places.len());
    let plain = !number.contains(['e', 'E']);
    is_of_64_bits(number) || plain && digits <= READ_EXACTLY.0 && places <= READ_EXACTLY.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_numbers_stay_in_the_text() {
        assert_eq!(literal(r#"{"a":[0.1,18446744073709551615]}"#), r#"'{"a":[0.1,18446744073709551615]}'"#);
        assert_eq!(literal(r#""10928588.983213553""#), r#"'"10928588.983213553"'"#);
    }

    #[test]
    fn a_document_with_a_long_number_is_built() {
        assert_eq!(literal("10928588.983213553"), "CAST(1.0928588983213553e7 AS JSON)");
        let nested = r#"{"a'b":[-10928588.983213553,1,true,null,"x,\"y\""],"c":{}}"#;
        let sql = r#"JSON_OBJECT('a''b', JSON_ARRAY(-1.0928588983213553e7, 1, true, null, 'x,"y"'), 'c', JSON_OBJECT())"#;
        assert_eq!(literal(nested), sql);
        assert_eq!(literal(&format!("[1{}]", "0".repeat(300))), "JSON_ARRAY(1e300)");
    }
}
