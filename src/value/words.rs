//! Values in messages: short text for people.

use super::{Civil, Value};

/// Characters of one value that are shown.
const CHARS_MAX: usize = 60;

/// `id = 5, lang = 'de'`: the values of a key in a message.
pub fn named_values<'a>(named: impl IntoIterator<Item = (&'a str, Value)>) -> String {
    let parts: Vec<String> =
        named.into_iter().map(|(name, value)| format!("{name} = {}", value_text(&value))).collect();
    parts.join(", ")
}

/// A value in a message: short, on one line, never read back by anything.
pub fn value_text(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Decimal(value) => value.as_str().to_owned(),
        Value::Float32(value) => format!("{value:?}"),
        Value::Float64(value) => format!("{value:?}"),
        Value::Text(value) | Value::Json(value) | Value::Native(value) => format!("'{}'", cut(value)),
        Value::RawText(value) | Value::Bytes(value) => format!("x'{}'", cut(&hex(value))),
        Value::Date(value) => value.to_string(),
        Value::Time(value) => value.to_string(),
        Value::DateTime(value) => value.to_string(),
        Value::Instant(value)
            if matches!(value.parts().0.civil(), Civil::Infinity | Civil::NegativeInfinity) =>
        {
            value.to_string()
        }
        Value::Instant(value) => format!("{value}Z"),
        Value::Uuid(value) => uuid(value),
        Value::OtherStorage(value) => value_text(value),
    }
}

/// `the value is 'tomorrow'`: for a failure's detail, which `--redact` drops.
pub fn value_words(value: &Value) -> String {
    format!("the value is {}", value_text(value))
}

/// [`value_words`] of a value that cannot be decoded, as the database sent it: text where it is that.
pub fn raw_value_words(sent: &[u8]) -> String {
    match str::from_utf8(sent) {
        Ok(text) if !text.contains(char::is_control) => value_words(&Value::Text(text.to_owned())),
        _ => value_words(&Value::Bytes(sent.to_vec())),
    }
}

/// Control characters would break the line they are printed on.
fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(CHARS_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

fn hex(bytes: &[u8]) -> String {
    // One more than is shown, so that the cut is seen.
    bytes.iter().take(CHARS_MAX / 2 + 1).map(|byte| format!("{byte:02x}")).collect()
}

fn uuid(bytes: &[u8; 16]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_odd_values_stay_on_a_line() {
        assert_eq!(value_text(&Value::Text("a\nb".into())), r"'a\nb'");
        assert!(value_text(&Value::Text("x".repeat(100))).ends_with("…'"));
        assert_eq!(value_text(&Value::Bytes(vec![0, 255])), "x'00ff'");
        assert_eq!(value_text(&Value::Uuid([0x11; 16])), "11111111-1111-1111-1111-111111111111");
        assert_eq!(named_values([("a", Value::Integer(1)), ("b", Value::Null)]), "a = 1, b = NULL");
    }
}
