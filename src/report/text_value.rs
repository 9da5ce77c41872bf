//! One value as people read it: quoted text, shortened in the middle where it is long, nothing that a
//! terminal would act on.

use crate::value::{Stamp, Value};

use super::words::{escaped, thousands, visible};

/// The most characters of a value that are shown where it is not compared with another.
pub const CHARS_MAX: usize = 48;
/// The most bytes of a binary value that are shown.
pub const BYTES_MAX: usize = 16;

/// What stands for a value under `--redact`.
pub const REDACTED: &str = "‹redacted›";

/// A value in one short line.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Decimal(value) => shortened(value.as_str(), "digits", str::to_owned),
        Value::Float32(value) if value.is_finite() => format!("{value:?}"),
        Value::Float32(value) => not_finite(f64::from(*value)).to_owned(),
        Value::Float64(value) if value.is_finite() => format!("{value:?}"),
        Value::Float64(value) => not_finite(*value).to_owned(),
        Value::Text(text) => shortened(text, "characters", |part| format!("\"{}\"", escaped(part))),
        Value::Native(text) | Value::Json(text) => shortened(text, "characters", visible),
        Value::RawText(bytes) | Value::Bytes(bytes) => hex(bytes),
        Value::Date(date) => date.to_string(),
        Value::Time(time) => time.to_string(),
        Value::DateTime(stamp) => stamp.to_string(),
        Value::Instant(stamp) => instant(*stamp),
        Value::Uuid(bytes) => uuid(bytes),
        Value::OtherStorage(value) => format!("{} {}", storage_class(value), shown(value)),
    }
}

fn shortened(text: &str, unit: &str, show: impl Fn(&str) -> String) -> String {
    let length = text.chars().count();
    if length <= CHARS_MAX {
        return show(text);
    }
    let end_of = |chars: usize| text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    let part = CHARS_MAX / 2 - 4;
    let cut = format!("{}…{}", &text[..end_of(part)], &text[end_of(length - part)..]);
    format!("{} ({} {unit})", show(&cut), thousands(length as u64))
}

/// Bytes as a literal, shortened in the middle.
pub fn hex(bytes: &[u8]) -> String {
    let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if bytes.len() <= BYTES_MAX {
        return format!("x'{}'", digits(bytes));
    }
    let (head, tail) = (&bytes[..BYTES_MAX / 2], &bytes[bytes.len() - BYTES_MAX / 2..]);
    format!("x'{}…{}' ({} bytes)", digits(head), digits(tail), thousands(bytes.len() as u64))
}

/// An instant ends in `Z`; infinity has no zone.
pub fn instant(stamp: Stamp) -> String {
    let text = stamp.to_string();
    if text.contains("infinity") { text } else { text + "Z" }
}

/// Lower-case, with hyphens.
pub fn uuid(bytes: &[u8; 16]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// `NaN`, `Infinity` or `-Infinity`.
pub fn not_finite(value: f64) -> &'static str {
    match (value.is_nan(), value > 0.0) {
        (true, _) => "NaN",
        (false, true) => "Infinity",
        (false, false) => "-Infinity",
    }
}

/// SQLite's word for how a value is stored.
pub fn storage_class(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "integer",
        Value::Float64(_) => "real",
        Value::Bytes(_) => "blob",
        _ => "text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_well() {
        let shown: Vec<String> = [
            Value::Null,
            Value::Text("a\n\"b\"\u{1b}[2J".into()),
            Value::Text("x".repeat(10_000)),
            Value::Bytes(vec![0xde, 0xad]),
            Value::RawText(vec![0xff; 5_000]),
            Value::Json("{\"a\": \"b\\n\"}".into()),
            Value::OtherStorage(Box::new(Value::Text("1".into()))),
            Value::Float64(f64::NEG_INFINITY),
        ]
        .iter()
        .map(shown)
        .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        NULL
        "a\n\"b\"\u{1b}[2J"
        "xxxxxxxxxxxxxxxxxxxx…xxxxxxxxxxxxxxxxxxxx" (10,000 characters)
        x'dead'
        x'ffffffffffffffff…ffffffffffffffff' (5,000 bytes)
        {"a": "b\n"}
        text "1"
        -Infinity
        "#);
    }
}
