//! The `where` expression on a SQLite side.
//!
//! Dates, moments and UUIDs are stored as text of several forms, so such columns are compared through
//! [`VALUE_FUNCTION`], which the engine registers: it makes a number (or 16 bytes) of the text and fails on text
//! it cannot read, for a row whose scope cannot be told must not silently fall out of it.
//! Text compares as BINARY: by code point, but in a UTF-16 database `<` and `>` go by the bytes of UTF-16.

use super::identifier;
use super::literal::{hex, text};
use crate::sql::Column;
use crate::sql::expression::{ExpressionError, Literal, Renderer};
use crate::value::{Date, Decimal, Stamp, Time, Type};

/// `_trueup_value(kind, value)`: text of the kind as a number or bytes; anything that is not text unchanged.
pub(crate) const VALUE_FUNCTION: &str = "_trueup_value";

/// What [`VALUE_FUNCTION`] is asked to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueKind {
    /// Days.
    Date,
    /// Microseconds.
    Time,
    /// Microseconds.
    DateTime,
    /// Microseconds in UTC.
    Instant,
    /// Sixteen bytes.
    Uuid,
}

impl ValueKind {
    /// All of them.
    pub(crate) const ALL: [ValueKind; 5] =
        [ValueKind::Date, ValueKind::Time, ValueKind::DateTime, ValueKind::Instant, ValueKind::Uuid];

    /// The word in SQL.
    pub(crate) fn word(self) -> &'static str {
        match self {
            ValueKind::Date => "date",
            ValueKind::Time => "time",
            ValueKind::DateTime => "date-time",
            ValueKind::Instant => "instant",
            ValueKind::Uuid => "uuid",
        }
    }

    fn of(meaning: &Type) -> Option<Self> {
        Some(match meaning {
            Type::Date => ValueKind::Date,
            Type::Time { .. } => ValueKind::Time,
            Type::DateTime { .. } => ValueKind::DateTime,
            Type::Instant { .. } => ValueKind::Instant,
            Type::Uuid => ValueKind::Uuid,
            _ => return None,
        })
    }

    /// The text as the number (or bytes) it is compared as, `None` where it does not read as one.
    fn literal(self, text: &str) -> Option<String> {
        Some(match self {
            ValueKind::Date => match Date::parse(text) {
                Some(date) => date.0.to_string(),
                None => {
                    let (date, micros) = read_instant(text)?.parts();
                    (micros == 0).then(|| date.0.to_string())?
                }
            },
            ValueKind::Time => Time::parse(text)?.0.to_string(),
            ValueKind::DateTime => read_date_time(text)?.0.to_string(),
            ValueKind::Instant => read_instant(text)?.0.to_string(),
            ValueKind::Uuid => hex(&read_uuid(text.as_bytes())?),
        })
    }
}

/// The longest date that fits a count of microseconds.
const DATE_TEXT_MAX: usize = "+99999-12-31".len();

fn read_stamp(text: &str) -> Option<(Stamp, Option<i32>)> {
    let date_end = text.find([' ', 'T']).unwrap_or(text.len());
    (date_end <= DATE_TEXT_MAX).then(|| Stamp::parse(text)).flatten()
}

/// A date and time without zone.
pub(crate) fn read_date_time(text: &str) -> Option<Stamp> {
    match read_stamp(text)? {
        (stamp, None) => Some(stamp),
        _ => None,
    }
}

/// A moment; without a zone it is in UTC.
pub(crate) fn read_instant(text: &str) -> Option<Stamp> {
    let (stamp, zone) = read_stamp(text)?;
    Some(stamp.shifted(-i64::from(zone.unwrap_or(0))))
}

/// A UUID with or without hyphens, in any case.
pub(crate) fn read_uuid(text: &[u8]) -> Option<[u8; 16]> {
    let hyphens: &[usize] = match text.len() {
        36 => &[8, 13, 18, 23],
        32 => &[],
        _ => return None,
    };
    let mut bytes = [0; 16];
    let mut digits = 0;
    for (at, byte) in text.iter().enumerate() {
        if hyphens.contains(&at) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = char::from(*byte).to_digit(16)? as u8;
        bytes[digits / 2] = bytes[digits / 2] << 4 | digit;
        digits += 1;
    }
    Some(bytes)
}

/// One side of a table pair.
pub(super) struct Scope<'a> {
    /// This side's column for a primary's name.
    pub(super) column: &'a dyn Fn(&str) -> Option<Column>,
}

impl Scope<'_> {
    fn find(&self, name: &str) -> Result<Column, ExpressionError> {
        (self.column)(name).ok_or_else(|| ExpressionError { message: format!("no column `{name}`") })
    }
}

impl Renderer for Scope<'_> {
    fn column(&self, name: &str) -> Result<String, ExpressionError> {
        let column = self.find(name)?;
        let quoted = identifier(&column.name);
        Ok(match (ValueKind::of(&column.column_type.meaning), &column.collation) {
            (Some(kind), _) => format!("{VALUE_FUNCTION}('{}', {quoted})", kind.word()),
            (None, Some(_)) => format!("{quoted} COLLATE BINARY"),
            (None, None) => quoted,
        })
    }

    fn literal(&self, literal: &Literal, beside: Option<&str>) -> Result<String, ExpressionError> {
        let Some(name) = beside else { return Ok(free(literal)) };
        let column = self.find(name)?;
        beside_column(literal, &column.column_type.meaning).ok_or_else(|| ExpressionError {
            message: format!(
                "the literal beside column `{name}` does not read as {}",
                column.column_type.declared
            ),
        })
    }
}

fn free(literal: &Literal) -> String {
    match literal {
        Literal::Number(number) => number.clone(),
        Literal::Boolean(value) => u8::from(*value).to_string(),
        Literal::Text(value) | Literal::Date(value) | Literal::DateTime(value) | Literal::Instant(value) => {
            text(value)
        }
    }
}

fn beside_column(literal: &Literal, meaning: &Type) -> Option<String> {
    let words = match literal {
        Literal::Text(words) | Literal::Date(words) | Literal::DateTime(words) | Literal::Instant(words) => {
            words
        }
        Literal::Number(number) => return (!matches!(meaning, Type::Text { .. })).then(|| number.clone()),
        Literal::Boolean(value) => {
            return (!matches!(meaning, Type::Text { .. })).then(|| u8::from(*value).to_string());
        }
    };
    if let Some(kind) = ValueKind::of(meaning) {
        return kind.literal(words);
    }
    match meaning {
        Type::Integer { .. } | Type::Decimal { .. } | Type::Float32 | Type::Float64 => {
            let number = Decimal::parse(words).ok().filter(Decimal::is_finite)?;
            Some(number.to_string())
        }
        Type::Boolean => match words.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" => Some("1".to_owned()),
            "false" | "f" | "0" => Some("0".to_owned()),
            _ => None,
        },
        Type::Bytes { .. } => None,
        _ => Some(text(words)),
    }
}
