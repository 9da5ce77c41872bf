//! Literals that SQLite reads as exactly one value, and the judgement whether a column keeps it.
//!
//! A column's affinity may turn a value into one of another storage class; such a value is refused here, before
//! it is written. Text stays whole: NUL and control characters go through `char()`, which means the same in
//! UTF-8 and UTF-16 databases, so that scripts survive SQLite's own client.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::declared::Affinity;
use crate::sql::Unwritable;
use crate::value::{Civil, ColumnType, Date, Decimal, OrderClass, Stamp, Type, Value};

/// The most arguments given to one `char()`.
const CHAR_ARGUMENTS_MAX: usize = 100;
/// 2⁶³ as a double: integral reals below it become integers in a numeric column.
const TWO_63: f64 = 9_223_372_036_854_775_808.0;

/// The literal that stores this value in a column of this type.
pub(crate) fn stored(value: &Value, column: &ColumnType) -> Result<String, Unwritable> {
    judged(value, column).map(|judged| judged.literal())
}

/// A value that a column keeps as it is, as SQLite has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stored<'a> {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// A double.
    Real(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// A blob.
    Blob(&'a [u8]),
    /// What only an expression can say.
    Expression(String),
}

/// What this value is in a column of this type.
pub(crate) fn judged<'a>(value: &'a Value, column: &ColumnType) -> Result<Stored<'a>, Unwritable> {
    let affinity = Affinity::of(&column.declared);
    match value {
        Value::OtherStorage(inner) => return judged(inner, column),
        Value::Boolean(_) | Value::Integer(_) => check_integer(value, affinity)?,
        Value::Float32(number) => check_real(f64::from(*number), affinity)?,
        Value::Float64(number) => check_real(*number, affinity)?,
        Value::Decimal(number) => {
            check_digits(number, column)?;
            return decimal(number, affinity);
        }
        Value::Json(text) if affinity.is_numeric() && reads_as_number(text.as_bytes()) => {
            return json_number(text, affinity);
        }
        Value::Text(text) | Value::Json(text) => check_text(text.as_bytes(), affinity)?,
        Value::RawText(text) => check_text(text, affinity)?,
        Value::Date(date) => check_date(*date)?,
        Value::Instant(moment) if matches!(column.meaning, Type::Zoned { .. }) => {
            return zoned(*moment, column);
        }
        Value::DateTime(stamp) | Value::Instant(stamp) => check_date(stamp.parts().0)?,
        // Bits and addresses, which SQLite keeps as text.
        Value::Native(text) if matches!(column.meaning, Type::Text { .. }) => {
            check_text(text.as_bytes(), affinity)?;
        }
        Value::Native(_) => return Err(refused("only its own engine understands values of this type")),
        Value::Uuid(bytes) if matches!(column.meaning, Type::Bytes { .. }) => return Ok(Stored::Blob(bytes)),
        Value::Null | Value::Bytes(_) | Value::Time(_) | Value::Uuid(_) => {}
    }
    Ok(Stored::of(value))
}

/// A moment as the date and time it is in the column's zone.
fn zoned(moment: Stamp, column: &ColumnType) -> Result<Stored<'static>, Unwritable> {
    let local = in_zone_of(column, moment);
    check_date(local.parts().0)?;
    Ok(Stored::Text(self::moment(local).into()))
}

impl<'a> Stored<'a> {
    /// What a value is, whatever the column it stands beside.
    fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Stored::Null,
            Value::Boolean(value) => Stored::Integer(i64::from(*value)),
            Value::Integer(value) => match i64::try_from(*value) {
                Ok(value) => Stored::Integer(value),
                Err(_) => Stored::Expression(value.to_string()),
            },
            Value::Decimal(value) if value.is_finite() => Stored::Expression(value.trimmed().to_string()),
            Value::Decimal(value) => Stored::Text(value.as_str().into()),
            Value::Float32(value) => Stored::Real(f64::from(*value)),
            Value::Float64(value) => Stored::Real(*value),
            Value::Text(value) | Value::Json(value) | Value::Native(value) => {
                Stored::Text(value.as_str().into())
            }
            Value::RawText(bytes) => Stored::Expression(format!("+CAST({} AS TEXT)", hex(bytes))),
            Value::Bytes(bytes) => Stored::Blob(bytes),
            Value::Date(date) => Stored::Text(date.to_string().into()),
            Value::Time(time) => Stored::Text(time.to_string().into()),
            Value::DateTime(value) | Value::Instant(value) => Stored::Text(moment(*value).into()),
            Value::Uuid(bytes) => Stored::Text(uuid(bytes).into()),
            Value::OtherStorage(inner) => Stored::of(inner),
        }
    }

    fn literal(&self) -> String {
        match self {
            Stored::Null => "NULL".to_owned(),
            Stored::Integer(value) => integer((*value).into()),
            Stored::Real(value) => real(*value),
            Stored::Text(value) => text(value),
            Stored::Blob(bytes) => hex(bytes),
            Stored::Expression(sql) => sql.clone(),
        }
    }
}

/// A moment as what a column of this type says of it.
pub(crate) fn in_zone_of(column: &ColumnType, moment: Stamp) -> Stamp {
    match column.meaning {
        Type::Zoned { offset_minutes, .. } => moment.shifted(i64::from(offset_minutes) * 60),
        _ => moment,
    }
}

/// The literal of a value, whatever the column it stands beside. Total: what SQLite has no form for is a text
/// that equals nothing stored.
pub(crate) fn plain(value: &Value) -> String {
    Stored::of(value).literal()
}

/// `YYYY-MM-DD HH:MM:SS[.ffffff]`, as SQLite prints it.
pub(crate) fn moment(stamp: Stamp) -> String {
    stamp.to_string().replacen('T', " ", 1)
}

/// A UUID in lower case with hyphens.
pub(crate) fn uuid(bytes: &[u8; 16]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// A blob literal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut literal = String::with_capacity(bytes.len() * 2 + 3);
    literal.push_str("x'");
    for byte in bytes {
        write!(literal, "{byte:02x}").expect("a string takes any text");
    }
    literal.push('\'');
    literal
}

fn integer(value: i128) -> String {
    // The digits of the smallest integer alone would be one too large for SQLite's parser.
    if value == i128::from(i64::MIN) { "(-9223372036854775807-1)".to_owned() } else { value.to_string() }
}

fn real(value: f64) -> String {
    if value.is_nan() {
        return text("NaN");
    }
    if value.is_infinite() {
        return if value > 0.0 { "9.0e+999".to_owned() } else { "-9.0e+999".to_owned() };
    }
    let text = format!("{value:?}");
    if reads_exactly(&text) { text } else { exact(value) }
}

/// Whether every SQLite on every processor reads this text as the double it stands for. Before version 3.47 it
/// computes with what precision the processor has, and of longer numbers some come out as their neighbour
/// (seen with 3.40: 6 of 1,000 with random exponents).
fn reads_exactly(text: &str) -> bool {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let significant = format!("{whole}{fraction}");
    let significant = significant.trim_matches(['-', '0']).len();
    let scale = exponent.parse::<i32>().unwrap_or(i32::MAX).saturating_sub_unsigned(fraction.len() as u32);
    // Numerator and power of ten are doubles without an error, so one operation makes one rounding.
    significant <= 15 && scale.unsigned_abs() <= 22
}

/// A finite double as an integer times or divided by powers of two: no step of that rounds.
fn exact(value: f64) -> String {
    const FRACTION_BITS: u32 = f64::MANTISSA_DIGITS - 1;
    let bits = value.to_bits();
    let (fraction, exponent) = (bits & ((1 << FRACTION_BITS) - 1), (bits >> FRACTION_BITS) as i32 & 0x7ff);
    // Subnormal numbers have the smallest exponent and no leading one.
    let mantissa = if exponent == 0 { fraction } else { fraction | 1 << FRACTION_BITS };
    let zeros = mantissa.trailing_zeros().min(FRACTION_BITS);
    let mut power = exponent.max(1) - 1075 + zeros as i32;
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let mut text = format!("({sign}{}*1.0", mantissa >> zeros);
    while power != 0 {
        let step = power.clamp(-62, 62);
        text.push(if step < 0 { '/' } else { '*' });
        text.push_str(&(1_u64 << step.unsigned_abs()).to_string());
        power -= step;
    }
    text + ")"
}

/// A text literal: plain where it can be, `char()` for control characters, line feeds among them: a script has no
/// line that is part of a value.
pub(crate) fn text(value: &str) -> String {
    let pieces = pieces(value);
    match pieces.as_slice() {
        [] => "''".to_owned(),
        [only] => only.clone(),
        _ => format!("({})", concatenated(&pieces)),
    }
}

/// A balanced tree of `||`, for SQLite limits how deep expressions nest.
fn concatenated(pieces: &[String]) -> String {
    if pieces.len() <= 8 {
        return pieces.join("||");
    }
    let (first, second) = pieces.split_at(pieces.len() / 2);
    format!("({})||({})", concatenated(first), concatenated(second))
}

fn pieces(value: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = value;
    while !rest.is_empty() {
        let readable = rest.find(char::is_control).unwrap_or(rest.len());
        if readable > 0 {
            pieces.push(format!("'{}'", rest[..readable].replace('\'', "''")));
        }
        rest = &rest[readable..];
        let controls = rest.find(|character: char| !character.is_control()).unwrap_or(rest.len());
        let codes: Vec<String> =
            rest[..controls].chars().map(|control| u32::from(control).to_string()).collect();
        pieces.extend(codes.chunks(CHAR_ARGUMENTS_MAX).map(|codes| format!("char({})", codes.join(","))));
        rest = &rest[controls..];
    }
    pieces
}

fn refused(reason: &str) -> Unwritable {
    Unwritable { reason: reason.to_owned() }
}

fn check_integer(value: &Value, affinity: Affinity) -> Result<(), Unwritable> {
    if matches!(value, Value::Integer(value) if i64::try_from(*value).is_err()) {
        return Err(refused("an integer outside 64 bits cannot be stored in SQLite"));
    }
    match affinity {
        Affinity::Text => Err(refused("SQLite would turn the number into text in a column of this type")),
        Affinity::Real => Err(refused("SQLite would turn the integer into a real in a column of this type")),
        Affinity::Numeric | Affinity::Integer | Affinity::Blob => Ok(()),
    }
}

fn check_real(value: f64, affinity: Affinity) -> Result<(), Unwritable> {
    if value.is_nan() {
        return Err(refused("SQLite stores NaN as NULL"));
    }
    match affinity {
        Affinity::Text => Err(refused("SQLite would turn the number into text in a column of this type")),
        Affinity::Numeric | Affinity::Integer
            if value.fract() == 0.0 && value > -TWO_63 && value < TWO_63 =>
        {
            Err(refused("SQLite would turn a real without fraction into an integer in a column of this type"))
        }
        Affinity::Real if value == 0.0 && value.is_sign_negative() => {
            Err(refused("SQLite drops the sign of -0.0 in a column of this type"))
        }
        _ => Ok(()),
    }
}

fn check_text(text: &[u8], affinity: Affinity) -> Result<(), Unwritable> {
    if affinity.is_numeric() && reads_as_number(text) {
        return Err(refused(
            "SQLite would turn text that reads as a number into one in a column of this type",
        ));
    }
    Ok(())
}

/// Whether SQLite's numeric affinity would convert this text: a decimal number in blanks, with sign, point and
/// exponent at will.
fn reads_as_number(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\x0b' | b'\x0c' | b'\r');
    let text = &text[text.iter().take_while(|byte| blank(byte)).count()..];
    let text = &text[..text.len() - text.iter().rev().take_while(|byte| blank(byte)).count()];
    let text = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(text);
    let mut rest = &text[whole..];
    let mut fraction = 0;
    if let Some(after) = rest.strip_prefix(b".") {
        fraction = digits(after);
        rest = &after[fraction..];
    }
    if whole + fraction == 0 {
        return false;
    }
    let Some(exponent) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) else {
        return rest.is_empty();
    };
    let exponent = exponent.strip_prefix(b"-").or_else(|| exponent.strip_prefix(b"+")).unwrap_or(exponent);
    !exponent.is_empty() && digits(exponent) == exponent.len()
}

/// SQLite would keep any number, but the column's declaration is what its values are read by.
fn check_digits(number: &Decimal, column: &ColumnType) -> Result<(), Unwritable> {
    let trimmed = number.trimmed();
    if matches!(column.meaning, Type::Integer { .. }) && trimmed.as_str().parse::<i64>().is_err() {
        return Err(refused("a column declared as an integer is for whole numbers of 64 bits"));
    }
    if column.fixed_scale().is_some_and(|scale| trimmed.scale() > scale as usize) {
        return Err(refused("the number has more digits after the point than the column declares"));
    }
    Ok(())
}

fn decimal(number: &Decimal, affinity: Affinity) -> Result<Stored<'static>, Unwritable> {
    if !number.is_finite() {
        return Err(refused("SQLite has no decimal that is NaN or infinite"));
    }
    if matches!(affinity, Affinity::Text | Affinity::Blob) {
        return Ok(Stored::Text(number.as_str().to_owned().into()));
    }
    let trimmed = number.trimmed();
    if affinity != Affinity::Real
        && let Ok(whole) = trimmed.as_str().parse::<i64>()
    {
        return Ok(Stored::Integer(whole));
    }
    let exact = trimmed.as_str().parse::<f64>().ok().filter(|double| double.is_finite()).filter(|double| {
        Decimal::parse(&format!("{double:?}")).is_ok_and(|shortest| shortest.trimmed() == trimmed)
    });
    match exact {
        Some(double) => Ok(Stored::Real(double)),
        None => {
            Err(refused("SQLite keeps decimals as doubles, and this one has too many digits for a double"))
        }
    }
}

/// A JSON document that is a number, in a column that would make one of its text: the number it becomes must be
/// the one it was. (A column declared JSON has numeric affinity.)
fn json_number(text: &str, affinity: Affinity) -> Result<Stored<'static>, Unwritable> {
    let number = Decimal::parse(text).map_err(|_| refused("a JSON number with too many digits"))?;
    decimal(&number, affinity)
}

/// Where a decimal lies among the numbers of a column with numeric affinity, whose reals stand for the shortest
/// decimals that read back as them.
pub(crate) enum Neighbour {
    /// It is this literal.
    At(String),
    /// It lies just below this literal.
    Below(String),
    /// It lies just above this literal.
    Above(String),
}

/// See [`Neighbour`]. `reals_only`: the column holds no integers (affinity REAL).
pub(crate) fn neighbour(number: &Decimal, reals_only: bool) -> Neighbour {
    const TWO_53: f64 = 9_007_199_254_740_992.0;
    let number = number.trimmed();
    if let Ok(whole) = number.as_str().parse::<i64>()
        && (!reals_only || whole.unsigned_abs() <= 1 << 53)
    {
        return Neighbour::At(integer(whole.into()));
    }
    let nearest = match number.as_str() {
        "Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        // NaN is the last number, and any text comes after every number.
        text => match text.parse::<f64>() {
            Ok(nearest) if !nearest.is_nan() => nearest,
            _ => return Neighbour::Below(self::text("")),
        },
    };
    if nearest == -TWO_63 && !reals_only {
        // The smallest integer, which is the same number to SQLite.
        return Neighbour::Below(integer(i64::MIN.into()));
    }
    let whole = number.as_str().split('.').next().and_then(|whole| whole.parse::<i64>().ok());
    match whole {
        // No real of such a size has a fraction; the integers around it are what it lies between. Cut towards
        // zero, which lies above a negative number.
        Some(whole) if !reals_only && nearest.abs() >= TWO_53 => {
            if whole < 0 {
                Neighbour::Below(integer(whole.into()))
            } else {
                Neighbour::Above(integer(whole.into()))
            }
        }
        _ => beside_real(&number, nearest),
    }
}

fn beside_real(number: &Decimal, nearest: f64) -> Neighbour {
    let literal = real(nearest);
    let shortest = Decimal::parse(&format!("{nearest:?}"));
    let order = |shortest: &Decimal| shortest.to_wire(false);
    match shortest {
        Ok(shortest) if shortest.trimmed() == *number => Neighbour::At(literal),
        Ok(shortest) => match OrderClass::Decimal.compare(&order(&shortest), &order(number)) {
            Ordering::Less => Neighbour::Above(literal),
            _ => Neighbour::Below(literal),
        },
        // Beyond the largest real: there is none between it and infinity.
        Err(_) if nearest > 0.0 => Neighbour::Below(literal),
        Err(_) => Neighbour::Above(literal),
    }
}

fn check_date(date: Date) -> Result<(), Unwritable> {
    match date.civil() {
        Civil::Infinity | Civil::NegativeInfinity => Err(refused("SQLite has no infinite date")),
        Civil::Day { year, .. } if !(0..=9999).contains(&year) => {
            Err(refused("SQLite's dates run from year 0000 to 9999"))
        }
        Civil::Day { .. } | Civil::Impossible { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_numeric_affinity_converts() {
        for text in ["1", " 1 ", "+1", "-.5", "5.", "1e5", "1E-5", "0001", "\t1\n"] {
            assert!(reads_as_number(text.as_bytes()), "{text:?}");
        }
        for text in ["", " ", "abc", "1a", "0x10", ".", "e5", "1e", "1 2", "2024-01-01", "inf", "nan", "1\0"]
        {
            assert!(!reads_as_number(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn texts_keep_control_characters_out_of_the_script() {
        assert_eq!(text("it's"), "'it''s'");
        assert_eq!(text("a\0b"), "('a'||char(0)||'b')");
        assert_eq!(text("a\tb\r\n"), "('a'||char(9)||'b'||char(13,10))");
        assert_eq!(text(""), "''");
    }

    #[test]
    fn a_double_is_written_so_that_no_rounding_can_hit_it() {
        assert_eq!(real(0.5), "0.5");
        assert_eq!(real(-1e22), "-1e22");
        assert_eq!(real(0.1), "0.1");
        assert_eq!(real(1.0 / 3.0), "(6004799503160661*1.0/18014398509481984)");
        assert_eq!(real(-(2.0_f64.powi(70))), "(-1*1.0*4611686018427387904*256)");
        for value in [f64::MAX, f64::MIN_POSITIVE, 5e-324, 2.5e-310, -1.7e300, 123_456_789.123_456_79] {
            let text = exact(value);
            let mut parts = text.trim_matches(['(', ')']).split_inclusive(['*', '/']);
            let number = |part: &str| part.trim_end_matches(['*', '/']).parse::<f64>().expect("a number");
            let first = parts.next().expect("a mantissa");
            let (mut result, mut operator) = (number(first), first.chars().last());
            for part in parts {
                result = if operator == Some('*') { result * number(part) } else { result / number(part) };
                operator = part.chars().last();
            }
            assert_eq!(result.to_bits(), value.to_bits(), "{text}");
        }
    }

    #[test]
    fn what_a_column_would_change_is_refused() {
        let refuses = |value: Value, declared: &str| {
            stored(&value, &super::super::declared::column_type(declared)).is_err()
        };
        assert!(refuses(Value::Integer(i128::from(u64::MAX)), "INTEGER"));
        assert!(refuses(Value::OtherStorage(Box::new(Value::Text("1".into()))), "INTEGER"));
        assert!(!refuses(Value::OtherStorage(Box::new(Value::Text("x".into()))), "INTEGER"));
        assert!(refuses(Value::Integer(1), "TEXT"));
        assert!(refuses(Value::Float64(1.0), "NUMERIC"));
        assert!(!refuses(Value::Float64(1.0), "REAL"));
        assert!(refuses(Value::Float64(f64::NAN), "REAL"));
        let decimal = |text: &str| Value::Decimal(Decimal::parse(text).expect("a decimal"));
        assert!(!refuses(decimal("9.50"), "DECIMAL(10,2)"));
        assert!(refuses(decimal("9.505"), "DECIMAL(10,2)"));
        assert!(!refuses(decimal("9.00"), "INTEGER"));
        assert!(refuses(decimal("9.5"), "INTEGER"));
        assert!(refuses(decimal("0.1234567890123456789"), "DECIMAL(30,19)"));
        assert!(!refuses(decimal("0.1234567890123456789"), "TEXT"));
        assert!(refuses(Value::Date(Date(i32::MAX)), "DATE"));
        assert!(refuses(Value::Date(Date::new(10_000, 1, 1).expect("a date")), "DATE"));
    }
}
