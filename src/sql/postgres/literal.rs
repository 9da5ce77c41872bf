//! Values as literals, and why some cannot be one.
//!
//! Text is quoted so that it means the same whatever `standard_conforming_strings` says, and so that a script
//! survives editors and terminals: backslashes and control characters go as escapes of an `E''` string. For COPY
//! the same texts go without quotes: [`copied`].

use std::borrow::Cow;
use std::fmt::Write as _;

use super::super::Unwritable;
use crate::value::{Civil, ColumnType, Date, Decimal, Stamp, Time, Type, Value};

/// 4713-11-24 BC, the Julian day 0: PostgreSQL's earliest date.
const DATE_FIRST: i32 = -2_451_545;
/// The first day after 5874897-12-31.
const DATE_END: i32 = 2_145_031_949;
/// 4713-11-24 BC in microseconds.
pub(super) const STAMP_FIRST: i64 = -211_813_488_000_000_000;
/// The first moment after 294276-12-31.
pub(super) const STAMP_END: i64 = 9_223_371_331_200_000_000;
const DAY: i64 = 86_400_000_000;

fn no(reason: impl Into<String>) -> Unwritable {
    Unwritable { reason: reason.into() }
}

/// The literal that stores exactly this value in a column of this type.
pub(super) fn literal(value: &Value, column: &ColumnType) -> Result<String, Unwritable> {
    written(value, column).map(|written| written.literal())
}

/// Adds the value as a field of COPY's text format, of which the type's input makes exactly this value again.
pub(super) fn copied(line: &mut String, value: &Value, column: &ColumnType) -> Result<(), Unwritable> {
    let Written { text, form } = written(value, column)?;
    match form {
        Form::Null => line.push_str("\\N"),
        // Only of types that `is_copied` says no to.
        Form::Expression => return Err(no("the value has no text that reads back as it")),
        Form::Bare | Form::Quoted | Form::Cast(_) | Form::Bits => {
            let mut rest = text.as_ref();
            while let Some(at) = rest.find(['\\', '\n', '\r', '\t']) {
                line.push_str(&rest[..at]);
                line.push_str(match rest.as_bytes()[at] {
                    b'\n' => "\\n",
                    b'\r' => "\\r",
                    b'\t' => "\\t",
                    _ => "\\\\",
                });
                rest = &rest[at + 1..];
            }
            line.push_str(rest);
        }
    }
    Ok(())
}

/// Whether all values of a type have a text that its input reads back as them.
pub(super) fn is_copied(column: &ColumnType) -> bool {
    !matches!(column.declared.as_str(), "\"char\"" | "regproc" | "regoper")
}

/// A value as a text that its type's input reads back as exactly it, and how that stands in a statement.
struct Written<'a> {
    text: Cow<'a, str>,
    form: Form<'a>,
}

enum Form<'a> {
    Null,
    Bare,
    Quoted,
    Cast(&'a str),
    Bits,
    /// Not a text of the type at all.
    Expression,
}

impl<'a> Written<'a> {
    fn bare(text: impl Into<Cow<'a, str>>) -> Self {
        Written { text: text.into(), form: Form::Bare }
    }

    fn cast(text: impl Into<Cow<'a, str>>, to: &'a str) -> Self {
        Written { text: text.into(), form: Form::Cast(to) }
    }

    /// A text of anybody's making, which may have a NUL in it.
    fn checked(text: impl Into<Cow<'a, str>>, form: Form<'a>) -> Result<Self, Unwritable> {
        let text = text.into();
        refuse_nul(&text)?;
        Ok(Written { text, form })
    }

    fn literal(&self) -> String {
        match self.form {
            Form::Null => "NULL".to_owned(),
            Form::Bare | Form::Expression => self.text.clone().into_owned(),
            Form::Quoted => quote(&self.text),
            // Of bytes the text has nothing but a backslash that would have to be escaped.
            Form::Cast("bytea") => format!("'{}'::bytea", self.text),
            Form::Cast(to) => format!("{}::{to}", quote(&self.text)),
            Form::Bits => format!("B'{}'", self.text),
        }
    }
}

fn written<'a>(value: &'a Value, column: &'a ColumnType) -> Result<Written<'a>, Unwritable> {
    if value.is_null() {
        return Ok(Written { text: "".into(), form: Form::Null });
    }
    match &column.meaning {
        Type::Boolean => boolean(value),
        Type::Integer { bytes, unsigned } => integer(value, *bytes, *unsigned),
        Type::Decimal { precision, scale } => decimal(value, *precision, *scale),
        Type::Float32 => float32(value),
        Type::Float64 => float64(value),
        Type::Text { chars_max, fixed } => text(value, *chars_max, *fixed),
        Type::Bytes { .. } => match value {
            Value::Bytes(bytes) => Ok(Written::cast(hex_text(bytes), "bytea")),
            Value::Uuid(bytes) => Ok(Written::cast(hex_text(bytes), "bytea")),
            _ => Err(unlike(value, column)),
        },
        Type::Date => date(value, column),
        Type::Time { digits } => time(value, *digits, column),
        Type::DateTime { digits } | Type::Instant { digits } => stamp(value, *digits, column),
        Type::Uuid => match value {
            Value::Uuid(bytes) => Ok(Written::cast(uuid_text(bytes), "uuid")),
            _ => Err(unlike(value, column)),
        },
        Type::JsonText | Type::Json => json(value, column),
        Type::Enum { members } => member(value, members, column),
        Type::Bits { length } => bits(value, *length, column),
        Type::Address { .. } | Type::Printed => native(value, column),
        Type::Zoned { digits, offset_minutes } => zoned(value, *digits, *offset_minutes, column),
        // Types of other engines.
        Type::Set { .. } | Type::Year => Err(unlike(value, column)),
        Type::Other => special(value, column),
    }
}

fn unlike(value: &Value, column: &ColumnType) -> Unwritable {
    let kind = match value {
        Value::Null => "NULL",
        Value::Boolean(_) => "a boolean",
        Value::Integer(_) => "an integer",
        Value::Decimal(_) => "a decimal",
        Value::Float32(_) | Value::Float64(_) => "a floating-point number",
        Value::Text(_) => "a text",
        Value::RawText(_) => "a text that is not UTF-8",
        Value::Bytes(_) => "binary data",
        Value::Date(_) => "a date",
        Value::Time(_) => "a time",
        Value::DateTime(_) => "a date-time",
        Value::Instant(_) => "an instant",
        Value::Uuid(_) => "a uuid",
        Value::Json(_) => "a JSON document",
        Value::Native(_) => "a value of a type of another engine",
        Value::OtherStorage(_) => "a value of another storage class than its column's",
    };
    no(format!("{kind} cannot be stored in a column of type {}", column.declared))
}

fn boolean(value: &Value) -> Result<Written<'static>, Unwritable> {
    match value {
        Value::Boolean(true) | Value::Integer(1) => Ok(Written::bare("TRUE")),
        Value::Boolean(false) | Value::Integer(0) => Ok(Written::bare("FALSE")),
        _ => Err(no("only true and false, 1 and 0, can be stored in a boolean column")),
    }
}

fn integer(value: &Value, bytes: u8, unsigned: bool) -> Result<Written<'static>, Unwritable> {
    let number = match value {
        Value::Integer(number) => *number,
        Value::Boolean(value) => i128::from(*value),
        Value::Decimal(decimal) => decimal
            .trimmed()
            .as_str()
            .parse()
            .map_err(|_| no("only a whole number fits an integer column"))?,
        _ => return Err(no("only a whole number fits an integer column")),
    };
    let bits = u32::from(bytes) * 8;
    let (low, high) = if unsigned {
        (0, (1_i128 << bits) - 1)
    } else {
        (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
    };
    if number < low || number > high {
        return Err(no(format!("the number is out of range of an integer of {bytes} bytes")));
    }
    Ok(Written::bare(number.to_string()))
}

fn decimal(
    value: &Value,
    precision: Option<u32>,
    scale: Option<i32>,
) -> Result<Written<'static>, Unwritable> {
    let decimal = match value {
        Value::Decimal(decimal) => decimal.clone(),
        Value::Integer(number) => Decimal::from(*number),
        Value::Boolean(value) => Decimal::from(i128::from(*value)),
        _ => return Err(no("only a number can be stored in a numeric column")),
    };
    if !decimal.is_finite() {
        if precision.is_some() && decimal.as_str() != "NaN" {
            return Err(no("infinity cannot be stored in a numeric column with a precision"));
        }
        return Ok(Written::cast(decimal.as_str().to_owned(), "numeric"));
    }
    let Some(precision) = precision else { return Ok(Written::bare(decimal.as_str().to_owned())) };
    let scale = i64::from(scale.unwrap_or(0));
    if !fits_scale(&decimal.trimmed(), scale) {
        return Err(no(format!("the number has more than {scale} digits after the point")));
    }
    if decimal.whole_digits() as i64 > i64::from(precision) - scale {
        return Err(no(format!(
            "the number has more than {} digits before the point",
            i64::from(precision) - scale
        )));
    }
    Ok(Written::bare(decimal.as_str().to_owned()))
}

/// Whether no digit is lost; a negative scale (PostgreSQL 15) rounds before the point.
fn fits_scale(trimmed: &Decimal, scale: i64) -> bool {
    let text = trimmed.as_str();
    if scale >= 0 {
        return trimmed.scale() as i64 <= scale;
    }
    let zeros = text.len() - text.trim_end_matches('0').len();
    trimmed.scale() == 0 && (text == "0" || zeros as i64 >= -scale)
}

fn float64(value: &Value) -> Result<Written<'static>, Unwritable> {
    let inexact = || no("the number is not exactly a double precision one");
    let number = match value {
        Value::Float64(number) => *number,
        Value::Float32(number) => f64::from(*number),
        Value::Integer(number) if (*number as f64) as i128 == *number && number.abs() < 1 << 100 => {
            *number as f64
        }
        _ => return Err(inexact()),
    };
    Ok(Written::cast(float_text(number, format!("{number:?}")), "double precision"))
}

fn float32(value: &Value) -> Result<Written<'static>, Unwritable> {
    let inexact = || no("the number is not exactly a single precision one");
    let number = match value {
        Value::Float32(number) => *number,
        Value::Float64(number) if f64::from(*number as f32) == *number || number.is_nan() => *number as f32,
        Value::Integer(number) if (*number as f32) as i128 == *number && number.abs() < 1 << 100 => {
            *number as f32
        }
        _ => return Err(inexact()),
    };
    Ok(Written::cast(float_text(number.into(), format!("{number:?}")), "real"))
}

/// Rust prints the shortest text that reads back as the same number, as PostgreSQL 12 and later do.
pub(super) fn float_text(number: f64, finite: String) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
    } else {
        finite
    }
}

fn text(value: &Value, chars_max: Option<u64>, fixed: bool) -> Result<Written<'_>, Unwritable> {
    let text: Cow<'_, str> = match value {
        Value::Text(text) | Value::Json(text) | Value::Native(text) => text.as_str().into(),
        Value::Uuid(bytes) => uuid_text(bytes).into(),
        Value::RawText(_) => return Err(no("a text that is not UTF-8 cannot be stored in PostgreSQL")),
        _ => return Err(no("only text can be stored in a text column")),
    };
    if fixed && text.ends_with(' ') {
        return Err(no("char(n) does not keep spaces at the end"));
    }
    // No text has more characters than bytes.
    let is_longer = |max: &u64| text.len() as u64 > *max && text.chars().count() as u64 > *max;
    if let Some(max) = chars_max.filter(is_longer) {
        return Err(no(format!("the text is longer than the column's {max} characters")));
    }
    Written::checked(text, Form::Quoted)
}

/// A quoted text; refuses NUL, which no PostgreSQL text can hold.
pub(super) fn quoted(text: &str) -> Result<String, Unwritable> {
    refuse_nul(text)?;
    Ok(quote(text))
}

fn refuse_nul(text: &str) -> Result<(), Unwritable> {
    match text.contains('\0') {
        true => Err(no("a text with a NUL character cannot be stored in PostgreSQL")),
        false => Ok(()),
    }
}

fn quote(text: &str) -> String {
    if !text.contains(|c: char| c == '\\' || c.is_control()) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    escaped.push_str("E'");
    for c in text.chars() {
        match c {
            '\'' => escaped.push_str("''"),
            '\\' => escaped.push_str("\\\\"),
            // C1 controls are two bytes in UTF-8, which \x would take for two characters' bytes: as \u.
            c if c.is_control() => {
                let _ = if c.is_ascii() {
                    write!(escaped, "\\x{:02X}", c as u32)
                } else {
                    write!(escaped, "\\u{:04X}", c as u32)
                };
            }
            c => escaped.push(c),
        }
    }
    escaped.push('\'');
    escaped
}

pub(super) fn bytes_literal(bytes: &[u8]) -> String {
    format!("'{}'::bytea", hex_text(bytes))
}

fn hex_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len() + 2);
    text.push_str("\\x");
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

pub(super) fn uuid_text(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn date(value: &Value, column: &ColumnType) -> Result<Written<'static>, Unwritable> {
    let date = match value {
        Value::Date(date) => *date,
        Value::DateTime(stamp) | Value::Instant(stamp) => match stamp.parts() {
            (date, 0) => date,
            _ => return Err(no("a time of day cannot be stored in a date column")),
        },
        _ => return Err(unlike(value, column)),
    };
    if let Civil::Impossible { .. } = date.civil() {
        return Err(no("a date with a zero in it, or a day its month lacks, cannot be stored in PostgreSQL"));
    }
    if !is_infinite(date) && !(DATE_FIRST..DATE_END).contains(&date.0) {
        return Err(no("the date is out of PostgreSQL's range"));
    }
    Ok(Written::cast(date_text(date), "date"))
}

fn is_infinite(date: Date) -> bool {
    matches!(date.civil(), Civil::Infinity | Civil::NegativeInfinity)
}

fn time<'a>(value: &Value, digits: u8, column: &'a ColumnType) -> Result<Written<'a>, Unwritable> {
    let Value::Time(time) = value else { return Err(unlike(value, column)) };
    if !(0..=DAY).contains(&time.0) {
        return Err(no("a time before 00:00 or after 24:00 cannot be stored in PostgreSQL"));
    }
    check_digits(time.0, digits)?;
    Ok(Written::cast(time.to_string(), &column.declared))
}

fn check_digits(micros: i64, digits: u8) -> Result<(), Unwritable> {
    if micros % 10_i64.pow(6 - u32::from(digits.min(6))) != 0 {
        return Err(no(format!("the time has more than {digits} digits of fractional seconds")));
    }
    Ok(())
}

fn stamp<'a>(value: &Value, digits: u8, column: &'a ColumnType) -> Result<Written<'a>, Unwritable> {
    let stamp = match value {
        Value::DateTime(stamp) | Value::Instant(stamp) => *stamp,
        Value::Date(date) => Stamp::new(*date, 0),
        _ => return Err(unlike(value, column)),
    };
    let (date, _) = stamp.parts();
    if let Civil::Impossible { .. } = date.civil() {
        return Err(no("a date with a zero in it, or a day its month lacks, cannot be stored in PostgreSQL"));
    }
    if !is_infinite(date) {
        if !(STAMP_FIRST..STAMP_END).contains(&stamp.0) {
            return Err(no("the date and time are out of PostgreSQL's range"));
        }
        check_digits(stamp.0, digits)?;
    }
    let zone = matches!(column.meaning, Type::Instant { .. });
    Ok(Written::cast(stamp_text(stamp, zone), &column.declared))
}

/// A possible date as PostgreSQL reads it under every DateStyle.
pub(super) fn date_text(date: Date) -> String {
    match date.civil() {
        Civil::Day { year, month, day } if year > 0 => format!("{year:04}-{month:02}-{day:02}"),
        Civil::Day { year, month, day } => format!("{:04}-{month:02}-{day:02} BC", 1 - year),
        Civil::NegativeInfinity => "-infinity".to_owned(),
        _ => "infinity".to_owned(),
    }
}

/// A possible stamp as PostgreSQL reads it; `zone` adds that it is in UTC.
pub(super) fn stamp_text(stamp: Stamp, zone: bool) -> String {
    let (date, micros) = stamp.parts();
    let Civil::Day { year, month, day } = date.civil() else { return date_text(date) };
    let (shown, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    let zone = if zone { "+00" } else { "" };
    format!("{shown:04}-{month:02}-{day:02} {}{zone}{era}", Time(micros))
}

fn json<'a>(value: &'a Value, column: &'a ColumnType) -> Result<Written<'a>, Unwritable> {
    let (Value::Json(text) | Value::Text(text)) = value else { return Err(unlike(value, column)) };
    if column.meaning == Type::Json && has_escaped_nul(text) {
        return Err(no("a JSON document with \\u0000 cannot be stored as jsonb"));
    }
    Written::checked(text.as_str(), Form::Cast(&column.declared))
}

fn has_escaped_nul(json: &str) -> bool {
    json.match_indices("\\u0000").any(|(at, _)| {
        let before = &json.as_bytes()[..at];
        before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0
    })
}

/// A moment as the date and time it is in the column's zone.
fn zoned<'a>(
    value: &Value,
    digits: u8,
    offset_minutes: i32,
    column: &'a ColumnType,
) -> Result<Written<'a>, Unwritable> {
    match value {
        Value::Instant(moment) => {
            let local = Value::DateTime(moment.shifted(i64::from(offset_minutes) * 60));
            stamp(&local, digits, column)
        }
        _ => Err(unlike(value, column)),
    }
}

fn member<'a>(
    value: &'a Value,
    members: &[String],
    column: &'a ColumnType,
) -> Result<Written<'a>, Unwritable> {
    let (Value::Text(text) | Value::Native(text)) = value else { return Err(unlike(value, column)) };
    if !members.contains(text) {
        return Err(no(format!("the text is none of the words of {}", column.declared)));
    }
    Written::checked(text.as_str(), Form::Cast(&column.declared))
}

fn bits<'a>(value: &'a Value, length: u32, column: &ColumnType) -> Result<Written<'a>, Unwritable> {
    let digits = match value {
        Value::Native(digits) | Value::Text(digits) => digits.as_str(),
        Value::Boolean(true) => "1",
        Value::Boolean(false) => "0",
        _ => return Err(unlike(value, column)),
    };
    if digits.len() != length as usize || !digits.bytes().all(|byte| matches!(byte, b'0' | b'1')) {
        return Err(no(format!("{} holds exactly {length} bits", column.declared)));
    }
    Ok(Written { text: digits.into(), form: Form::Bits })
}

/// Types whose text [`printed`](super::select::printed) makes in a way of its own, and those that print by a setting.
fn special<'a>(value: &'a Value, column: &'a ColumnType) -> Result<Written<'a>, Unwritable> {
    let Value::Native(text) = value else { return native(value, column) };
    let expression = |text: String| Written { text: text.into(), form: Form::Expression };
    let octal = |text: &str| {
        let digits = text.strip_prefix('\\').filter(|digits| digits.len() == 3)?;
        u8::from_str_radix(digits, 8).ok()
    };
    match (column.declared.as_str(), octal(text)) {
        ("\"char\"", Some(byte)) => Ok(expression(format!("({})::\"char\"", byte as i8))),
        // A name alone may be that of several.
        ("regproc", _) => Ok(expression(format!("{}::regprocedure::regproc", quoted(text)?))),
        ("regoper", _) => Ok(expression(format!("{}::regoperator::regoper", quoted(text)?))),
        _ => native(value, column),
    }
}

fn native<'a>(value: &'a Value, column: &'a ColumnType) -> Result<Written<'a>, Unwritable> {
    match value {
        Value::Native(text) | Value::Text(text) => {
            Written::checked(text.as_str(), Form::Cast(&column.declared))
        }
        _ => Err(unlike(value, column)),
    }
}
