//! One value as JSON, so that nothing is rounded and nothing looks like something else.

use std::fmt::Debug;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;

use crate::value::Value;

use super::json_writer::{JsonWriter, Layout};

/// Integers from here on are strings: a double no longer tells them apart.
const EXACT_END: u128 = 1 << 53;

/// Writes a value by the rules of the JSON document.
pub fn put_value(json: &mut JsonWriter<'_>, value: &Value) -> io::Result<()> {
    match value {
        Value::Null => json.raw("null"),
        Value::Boolean(value) => json.raw(value),
        Value::Integer(value) if value.unsigned_abs() < EXACT_END => json.raw(value),
        Value::Integer(value) => json.string(&value.to_string()),
        Value::Decimal(value) => json.string(value.as_str()),
        Value::Float32(value) => put_float(json, value, value.is_finite(), f64::from(*value)),
        Value::Float64(value) => put_float(json, value, value.is_finite(), *value),
        Value::Text(text) | Value::Native(text) => json.string(text),
        Value::RawText(bytes) | Value::Bytes(bytes) => {
            json.object(Layout::Line, |json| json.key("base64")?.string(&STANDARD.encode(bytes)))
        }
        Value::Date(date) => json.string(&date.to_string()),
        Value::Time(time) => json.string(&time.to_string()),
        Value::DateTime(stamp) => json.string(&stamp.to_string()),
        Value::Instant(stamp) => json.string(&super::text_value::instant(*stamp)),
        Value::Uuid(bytes) => json.string(&super::text_value::uuid(bytes)),
        Value::Json(text) => put_document(json, text),
        Value::OtherStorage(value) => json.object(Layout::Line, |json| {
            json.key("storage")?.string(super::text_value::storage_class(value))?;
            put_value(json.key("value")?, value)
        }),
    }
}

/// What stands for a value under `--redact`.
pub fn put_redacted(json: &mut JsonWriter<'_>) -> io::Result<()> {
    json.object(Layout::Line, |json| json.key("redacted")?.raw("true"))
}

/// `Debug` prints the shortest digits that read back as the same number, always with a point or an exponent.
fn put_float(json: &mut JsonWriter<'_>, shown: &dyn Debug, finite: bool, value: f64) -> io::Result<()> {
    if finite {
        json.raw(format_args!("{shown:?}"))
    } else {
        json.string(super::text_value::not_finite(value))
    }
}

/// A document stands in the output as it is, so that its numbers keep all their digits. What is no document
/// (MariaDB lets a JSON column hold one only by a check that can be dropped) is shown as the text it is.
fn put_document(json: &mut JsonWriter<'_>, text: &str) -> io::Result<()> {
    if serde_json::from_str::<IgnoredAny>(text).is_ok() {
        json.object(Layout::Line, |json| json.key("json")?.raw(text.trim()))
    } else {
        json.string(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Date, Decimal, Stamp, Time};

    fn shown(value: Value) -> String {
        let mut out = Vec::new();
        put_value(&mut JsonWriter::new(&mut out), &value).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn integers_are_numbers_as_long_as_doubles_are_exact() {
        let shown =
            [(1 << 53) - 1, 1 << 53, -(1 << 53), i128::from(u64::MAX)].map(|n| shown(Value::Integer(n)));
        assert_eq!(
            shown,
            ["9007199254740991", "\"9007199254740992\"", "\"-9007199254740992\"", "\"18446744073709551615\""]
        );
    }

    #[test]
    fn floats_have_a_point_or_an_exponent() {
        let doubles = [1.0, -0.0, 0.1, 1e300, 5e-324, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        assert_eq!(
            doubles.map(|value| shown(Value::Float64(value))),
            ["1.0", "-0.0", "0.1", "1e300", "5e-324", "\"NaN\"", "\"Infinity\"", "\"-Infinity\""]
        );
        assert_eq!(shown(Value::Float32(1.234567)), "1.234567");
        assert_eq!(shown(Value::Float32(f32::NAN)), "\"NaN\"");
    }

    #[test]
    fn every_other_kind_has_one_form() {
        let stamp = Stamp::parse("2026-11-22T12:34:56.5").unwrap().0;
        let whole = Stamp::parse("2026-11-22T12:34:56").unwrap().0;
        let cases = [
            (Value::Null, "null"),
            (Value::Boolean(true), "true"),
            (Value::Decimal(Decimal::parse("9.50").unwrap()), "\"9.50\""),
            (Value::Text("a\"\n\u{7f}é".into()), "\"a\\\"\\n\u{7f}é\""),
            (Value::RawText(vec![0xff]), "{\"base64\": \"/w==\"}"),
            (Value::Bytes(vec![0, 1, 2]), "{\"base64\": \"AAEC\"}"),
            (Value::Date(Date::parse("0000-00-00").unwrap()), "\"0000-00-00\""),
            (Value::Time(Time::parse("-838:59:59").unwrap()), "\"-838:59:59\""),
            (Value::DateTime(stamp), "\"2026-11-22T12:34:56.500000\""),
            (Value::Instant(whole), "\"2026-11-22T12:34:56Z\""),
            (Value::Instant(Stamp(i64::MAX)), "\"infinity\""),
            (Value::Uuid([0xAB; 16]), "\"abababab-abab-abab-abab-abababababab\""),
            (Value::Json("{\"a\":9007199254740993}".into()), "{\"json\": {\"a\":9007199254740993}}"),
            (Value::Json("{broken".into()), "\"{broken\""),
            (Value::Native("(1,2)".into()), "\"(1,2)\""),
            (
                Value::OtherStorage(Box::new(Value::Text("1".into()))),
                "{\"storage\": \"text\", \"value\": \"1\"}",
            ),
        ];
        for (value, wanted) in cases {
            assert_eq!(shown(value.clone()), wanted, "{value:?}");
        }
    }
}
