//! Literals: each value in the one form that stores exactly this value, or why there is none.
//!
//! No literal depends on `sql_mode` or on the client's character set: text that is not plain ASCII, or that
//! holds a backslash or a control character, is written in hex behind `_utf8mb4`.

use super::{document, hex};
use crate::sql::Unwritable;
use crate::value::{Civil, ColumnType, Date, Decimal, Stamp, Time, Type, Value};

/// 838:59:59 in microseconds: where MySQL's TIME ends.
pub(super) const TIME_MAX_WHOLE: i64 = (838 * 3600 + 59 * 60 + 59) * 1_000_000;
/// 838:59:59.999999, where MariaDB's ends.
pub(super) const TIME_MAX: i64 = TIME_MAX_WHOLE + 999_999;

pub(super) fn no(reason: impl Into<String>) -> Unwritable {
    Unwritable { reason: reason.into() }
}

/// What one server of the family stores and the other does not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The last year of TIMESTAMP.
    pub timestamp_end_year: i64,
    /// Whether a column keeps the sign of -0.0; MariaDB drops it.
    pub negative_zero: bool,
    /// The longest TIME, in microseconds.
    pub time_max: i64,
}

/// A value as a literal for a column of this type.
pub(super) fn literal(value: &Value, column: &ColumnType, limits: Limits) -> Result<String, Unwritable> {
    let declared = &column.declared;
    match (value, &column.meaning) {
        (Value::Null, _) => Ok("NULL".to_owned()),
        (Value::Boolean(value), Type::Boolean | Type::Integer { .. }) => Ok(u8::from(*value).to_string()),
        (Value::Integer(value), Type::Integer { bytes, unsigned }) => {
            integer(*value, *bytes, *unsigned, declared)
        }
        (Value::Boolean(value), Type::Bits { length: 1 }) => Ok(format!("b'{}'", u8::from(*value))),
        // 0 is the year 0000; the text '0' would be 2000.
        (Value::Integer(value @ (0 | 1901..=2155)), Type::Year) => Ok(value.to_string()),
        (Value::Integer(_), Type::Year) => Err(no("year holds 0 and 1901 to 2155")),
        (Value::Integer(value), Type::Decimal { .. }) => decimal(&Decimal::from(*value), column),
        (Value::Decimal(value), Type::Decimal { .. }) => decimal(value, column),
        (Value::Decimal(value), Type::Integer { bytes, unsigned }) => {
            let whole = value.trimmed();
            let whole = whole.as_str().parse().map_err(|_| no(format!("{declared} holds whole numbers")))?;
            integer(whole, *bytes, *unsigned, declared)
        }
        (Value::Float32(value), Type::Float32 | Type::Float64) => stored_float(f64::from(*value), limits),
        (Value::Float64(value), Type::Float64) => stored_float(*value, limits),
        (Value::Float64(value), Type::Float32) if f64::from(*value as f32) == *value => {
            stored_float(*value, limits)
        }
        (Value::Float64(_), Type::Float32) => Err(no(format!("{declared} does not hold that many digits"))),
        (Value::Text(value), Type::Text { .. }) => fitting_text(value, column),
        (Value::Text(value), Type::Enum { .. }) if value == FAILED_ENUM => Ok("0".to_owned()),
        (Value::Text(value), Type::Enum { members }) if members.contains(value) => Ok(text(value)),
        (Value::Text(_), Type::Enum { .. }) => {
            Err(no(format!("the text is none of the words of {declared}")))
        }
        (Value::Text(value), Type::Set { members }) => words(value, members, declared),
        (Value::RawText(value), Type::Text { .. }) => raw_text(value, declared),
        (Value::RawText(_), _) => Err(no("a text that is not UTF-8 cannot be stored as text")),
        (Value::Json(value), Type::Json) => document::stored(value, declared),
        (Value::Json(value), Type::JsonText | Type::Text { .. }) => fitting_text(value, column),
        (Value::Bytes(value), Type::Bytes { bytes_max, fixed }) => bytes(value, *bytes_max, *fixed, declared),
        (Value::Date(value), Type::Date) => Ok(format!("'{}'", possible_date(*value, declared)?)),
        (Value::Date(value), Type::DateTime { .. }) => stamp(Stamp::new(*value, 0), 0, declared),
        (Value::Time(value), Type::Time { digits }) => time(*value, *digits, declared, limits.time_max),
        (Value::DateTime(value) | Value::Instant(value), Type::DateTime { digits }) => {
            stamp(*value, *digits, declared)
        }
        (Value::DateTime(value) | Value::Instant(value), Type::Instant { digits }) => {
            timestamp(*value, *digits, declared, limits.timestamp_end_year)
        }
        (Value::Instant(value), Type::Zoned { digits, offset_minutes }) => {
            stamp(value.shifted(i64::from(*offset_minutes) * 60), *digits, declared)
        }
        // Bits and addresses beside another engine's.
        (Value::Native(value), Type::Text { .. }) => fitting_text(value, column),
        (Value::Uuid(value), Type::Uuid) => uuid(value, declared),
        (Value::Uuid(value), Type::Text { .. }) => Ok(format!("'{}'", uuid_text(value))),
        (Value::Uuid(value), Type::Bytes { .. }) => Ok(hex(value)),
        (Value::Native(digits), Type::Bits { length }) => bits(digits, *length, declared),
        (Value::Native(value), Type::Address { v4, v6, .. }) => address(value, *v4, *v6, declared),
        (Value::Native(value), Type::Other) => native(value, declared),
        _ => Err(no(format!("a value of this kind cannot be stored as {declared}"))),
    }
}

/// A value to compare a column with, whatever the column can hold; `None` where no column holds it.
pub(super) fn operand(value: &Value) -> Option<String> {
    match value {
        Value::Boolean(value) => Some(u8::from(*value).to_string()),
        Value::Integer(value) => Some(value.to_string()),
        Value::Decimal(value) if value.is_finite() => Some(value.to_string()),
        Value::Float32(value) => float(f64::from(*value)).ok(),
        Value::Float64(value) => float(*value).ok(),
        Value::Text(value) => Some(text(value)),
        Value::Bytes(value) => Some(hex(value)),
        Value::Uuid(value) => Some(format!("'{}'", uuid_text(value))),
        _ => None,
    }
}

fn integer(value: i128, bytes: u8, unsigned: bool, declared: &str) -> Result<String, Unwritable> {
    let bits = u32::from(bytes) * 8;
    let (low, high) =
        if unsigned { (0, (1_i128 << bits) - 1) } else { (-(1_i128 << (bits - 1)), (1 << (bits - 1)) - 1) };
    if value < low || value > high {
        return Err(no(format!("the number is out of the range of {declared}")));
    }
    Ok(value.to_string())
}

fn decimal(value: &Decimal, column: &ColumnType) -> Result<String, Unwritable> {
    let declared = &column.declared;
    let Type::Decimal { precision, scale } = column.meaning else { return Ok(value.to_string()) };
    if !value.is_finite() {
        return Err(no(format!("{declared} holds neither NaN nor infinity")));
    }
    let (precision, scale) = (precision.unwrap_or(65) as usize, scale.unwrap_or(30).max(0) as usize);
    let trimmed = value.trimmed();
    if trimmed.scale() > scale || trimmed.whole_digits() > precision.saturating_sub(scale) {
        return Err(no(format!("the number has more digits than {declared} holds")));
    }
    if declared.contains("unsigned") && trimmed.as_str().starts_with('-') {
        return Err(no(format!("the number is out of the range of {declared}")));
    }
    Ok(trimmed.to_string())
}

/// With an exponent, so that the server reads a double; the shortest digits that read back as the same one.
/// A FLOAT column rounds that double to the single it came from.
fn float(value: f64) -> Result<String, Unwritable> {
    if !value.is_finite() {
        return Err(no("the MySQL family stores neither NaN nor infinity"));
    }
    Ok(format!("{value:e}"))
}

fn stored_float(value: f64, limits: Limits) -> Result<String, Unwritable> {
    if value == 0.0 && value.is_sign_negative() && !limits.negative_zero {
        return Err(no("MariaDB does not keep the sign of -0.0"));
    }
    float(value)
}

/// Text as a literal.
pub(super) fn text(value: &str) -> String {
    let plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\');
    if plain {
        format!("'{}'", value.replace('\'', "''"))
    } else {
        format!("_utf8mb4 {}", hex(value.as_bytes()))
    }
}

fn fitting_text(value: &str, column: &ColumnType) -> Result<String, Unwritable> {
    let declared = &column.declared;
    if let Type::Text { chars_max, fixed } = column.meaning {
        if fixed && value.ends_with(' ') {
            return Err(no(format!("{declared} does not keep spaces at the end")));
        }
        let by_bytes = type_word(declared).ends_with("text");
        let length = if by_bytes { stored_bytes(value, declared) } else { value.chars().count() };
        if chars_max.is_some_and(|max| length as u64 > max) {
            return Err(no(format!("the text is longer than {declared} holds")));
        }
    }
    if !fits_charset(value, declared) {
        return Err(no(format!("{declared} has no code for a character of the text")));
    }
    Ok(text(value))
}

fn charset(declared: &str) -> &str {
    declared
        .rsplit_once(" CHARACTER SET ")
        .map_or("utf8mb4", |(_, rest)| rest.split(' ').next().unwrap_or(rest))
}

/// The character set of a text column where its codes and Unicode's characters are not one to one.
pub(super) fn many_coded(declared: &str) -> Option<&str> {
    let charset = charset(declared);
    (!matches!(charset, "utf8mb4" | "utf8mb3" | "utf8" | "latin1")).then_some(charset)
}

/// What stands before the bytes of a text that has no Unicode form of its own: never the begin of UTF-8.
pub(super) fn raw_mark(charset: &str) -> Vec<u8> {
    [&[0xff], charset.as_bytes(), b":"].concat()
}

/// The bytes of a text in its column's own character set.
fn raw_text(value: &[u8], declared: &str) -> Result<String, Unwritable> {
    match value.strip_prefix(raw_mark(charset(declared)).as_slice()) {
        Some(bytes) => Ok(format!("_{} {}", charset(declared), hex(bytes))),
        None => Err(no("a text that is not UTF-8 cannot be stored as text")),
    }
}

fn stored_bytes(value: &str, declared: &str) -> usize {
    match charset(declared) {
        "latin1" | "ascii" => value.chars().count(),
        _ => value.len(),
    }
}

/// Whether the server can convert this text to the column's character set, as it must to compare it with the plain
/// column; of sets that are not known here, whether it surely can.
pub(super) fn comparable_text(value: &str, declared: &str) -> bool {
    match charset(declared) {
        "utf8mb4" | "utf16" | "utf16le" | "utf32" => true,
        "ascii" | "utf8mb3" | "utf8" | "ucs2" | "latin1" => fits_charset(value, declared),
        _ => value.is_ascii(),
    }
}

/// Character sets other than these are left to the server, which in strict mode refuses what it cannot store.
fn fits_charset(value: &str, declared: &str) -> bool {
    match charset(declared) {
        "ascii" => value.is_ascii(),
        "utf8mb3" | "utf8" | "ucs2" => value.chars().all(|c| c <= '\u{ffff}'),
        "latin1" => value.chars().all(in_latin1),
        _ => true,
    }
}

/// The server's latin1 is Windows-1252, with the five codes free there as control characters.
fn in_latin1(c: char) -> bool {
    matches!(c, '\0'..='\u{7f}' | '\u{a0}'..='\u{ff}' | '\u{81}' | '\u{8d}' | '\u{8f}' | '\u{90}' | '\u{9d}')
        || "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ".contains(c)
}

fn bytes(value: &[u8], bytes_max: Option<u64>, fixed: bool, declared: &str) -> Result<String, Unwritable> {
    let length = value.len() as u64;
    if bytes_max.is_some_and(|max| length > max) {
        return Err(no(format!("the value is longer than {declared} holds")));
    }
    if fixed && bytes_max.is_some_and(|max| length < max) {
        return Err(no(format!("{declared} would add zero bytes at the end")));
    }
    Ok(hex(value))
}

fn possible_date(date: Date, declared: &str) -> Result<Date, Unwritable> {
    match date.civil() {
        Civil::Infinity | Civil::NegativeInfinity => Err(no(format!("{declared} holds no infinity"))),
        Civil::Day { year, .. } if !(0..=9999).contains(&year) => {
            Err(no(format!("{declared} holds the years 0 to 9999")))
        }
        _ => Ok(date),
    }
}

fn fits_digits(micros: i64, digits: u8, declared: &str) -> Result<(), Unwritable> {
    let unit = 10_i64.pow(6 - u32::from(digits.min(6)));
    if micros % unit != 0 {
        return Err(no(format!("{declared} keeps fewer digits of the second")));
    }
    Ok(())
}

/// `YYYY-MM-DD HH:MM:SS[.ffffff]`.
pub(super) fn stamp_text(date: Date, micros: i64) -> String {
    format!("{date} {}", Time(micros))
}

fn stamp(stamp: Stamp, digits: u8, declared: &str) -> Result<String, Unwritable> {
    let (date, micros) = stamp.parts();
    let date = possible_date(date, declared)?;
    fits_digits(micros, digits, declared)?;
    Ok(format!("'{}'", stamp_text(date, micros)))
}

fn timestamp(value: Stamp, digits: u8, declared: &str, end_year: i64) -> Result<String, Unwritable> {
    let text = stamp(value, digits, declared)?;
    let (date, micros) = value.parts();
    let zero = date == Date::new(0, 0, 0).unwrap_or(date) && micros == 0;
    let moment = |text: &str| Stamp::parse(text).map(|(moment, _)| moment);
    let first = moment("1970-01-01 00:00:01");
    let last = if end_year == 2038 { "2038-01-19 03:14:07.999999" } else { "2106-02-07 06:28:15.999999" };
    let in_range = match date.civil() {
        Civil::Day { .. } => Some(value) >= first && Some(value) <= moment(last),
        _ => zero,
    };
    if in_range { Ok(text) } else { Err(no(format!("the moment is out of the range of {declared}"))) }
}

fn time(value: Time, digits: u8, declared: &str, time_max: i64) -> Result<String, Unwritable> {
    if value.0.abs() > time_max {
        return Err(no(format!("{declared} ends at 838:59:59")));
    }
    fits_digits(value.0, digits, declared)?;
    Ok(format!("'{value}'"))
}

/// MariaDB (seen with 10.11) refuses a UUID of version 8 to 15 whose ninth byte is 01 to 80: it takes it for one
/// that it has reordered for its own sorting.
fn uuid(value: &[u8; 16], declared: &str) -> Result<String, Unwritable> {
    if value[6] >= 0x80 && (0x01..=0x80).contains(&value[8]) {
        return Err(no(format!("{declared} holds no UUID of this version and variant")));
    }
    Ok(format!("'{}'", uuid_text(value)))
}

pub(super) fn uuid_text(value: &[u8; 16]) -> String {
    let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Words of a set as it prints them: in the type's order, each once.
fn words(value: &str, members: &[String], declared: &str) -> Result<String, Unwritable> {
    let places: Option<Vec<usize>> = value
        .split(',')
        .filter(|word| !word.is_empty())
        .map(|word| members.iter().position(|m| m == word))
        .collect();
    let as_printed = places.filter(|places| places.is_sorted_by(|a, b| a < b)).is_some_and(|places| {
        places.iter().map(|place| members[*place].as_str()).collect::<Vec<_>>().join(",") == value
    });
    if as_printed {
        Ok(text(value))
    } else {
        Err(no(format!("the text is not words of {declared} in their order")))
    }
}

fn bits(digits: &str, length: u32, declared: &str) -> Result<String, Unwritable> {
    let valid = digits.len() == length as usize && digits.bytes().all(|digit| matches!(digit, b'0' | b'1'));
    if valid {
        Ok(format!("b'{digits}'"))
    } else {
        Err(no(format!("{declared} holds exactly {length} bits")))
    }
}

fn address(value: &str, v4: bool, v6: bool, declared: &str) -> Result<String, Unwritable> {
    use core::net::IpAddr;
    match value.parse() {
        Ok(IpAddr::V4(_)) if v4 => Ok(text(value)),
        Ok(IpAddr::V6(_)) if v6 => Ok(text(value)),
        Ok(_) => Err(no(format!("{declared} holds no addresses of this version"))),
        Err(_) => Err(no(format!("{declared} holds no prefix length"))),
    }
}

/// The first word of a declaration: `bit(8)` → `bit`.
pub(super) fn type_word(declared: &str) -> String {
    let end = declared.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(declared.len());
    declared[..end].to_ascii_lowercase()
}

/// The words of `enum('a','b')` and of a set as they are declared, in their quotes.
pub(super) fn listed(declared: &str) -> Option<Vec<String>> {
    let mut rest = declared.split_once('(')?.1;
    let mut words = Vec::new();
    loop {
        let bytes = rest.strip_prefix('\'')?.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                b'\\' => at += 1,
                b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 1,
                b'\'' => break,
                _ => {}
            }
            at += 1;
        }
        let (word, behind) = rest.split_at_checked(at + 2)?;
        words.push(word.to_owned());
        match behind.strip_prefix(',') {
            Some(more) => rest = more,
            None => return behind.starts_with(')').then_some(words),
        }
    }
}

pub(super) fn is_geometry(word: &str) -> bool {
    matches!(
        word,
        "geometry"
            | "point"
            | "linestring"
            | "polygon"
            | "multipoint"
            | "multilinestring"
            | "multipolygon"
            | "geometrycollection"
            | "geomcollection"
    )
}

/// What is read of an enum's index 0, the empty value of an insert that failed without strict mode.
const FAILED_ENUM: &str = "\0";

/// Whether strict mode refuses to store this value, which the column can hold.
pub(super) fn is_refused_when_strict(value: &Value, column: &ColumnType) -> bool {
    let is_enum = matches!(column.meaning, Type::Enum { .. }) || type_word(&column.declared) == "enum";
    matches!(value, Value::Text(text) | Value::Native(text) if text == FAILED_ENUM) && is_enum
}

/// What the read's text of a native type is written back as.
pub(super) fn native(value: &str, declared: &str) -> Result<String, Unwritable> {
    let word = type_word(declared);
    let unreadable = || no(format!("the value is not one of {declared}"));
    match word.as_str() {
        "enum" if value == FAILED_ENUM => Ok("0".to_owned()),
        "enum" | "set" => Ok(format!("_{} x'{value}'", charset(declared))),
        "vector" => Ok(format!("x'{value}'")),
        word if is_geometry(word) => {
            let (srid, wkb) = value.split_once(' ').ok_or_else(unreadable)?;
            let valid = srid.parse::<u32>().is_ok() && wkb.bytes().all(|byte| byte.is_ascii_hexdigit());
            if valid { Ok(format!("ST_GeomFromWKB(x'{wkb}', {srid})")) } else { Err(unreadable()) }
        }
        _ => Ok(text(value)),
    }
}
