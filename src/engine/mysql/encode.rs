//! From the server's binary rows to the canonical encoding, without an allocation for a value.
//!
//! One [`Encoder`] a column, chosen from its type and its domain. A value that the domain does not hold is an
//! error, never a near one.

use crate::value::{
    Date, Domain, Stamp, Time, Type, address_payload, bits_payload, canonical_json, put_null,
};

/// How the bytes of one column become a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoder {
    Boolean,
    Integer {
        bytes: u8,
        unsigned: bool,
    },
    DecimalText {
        with_scale: bool,
    },
    IntegerDecimal {
        unsigned: bool,
    },
    /// The text of a decimal without fraction.
    DecimalInteger {
        bytes: u8,
    },
    Float32,
    Float64,
    WideFloat,
    Bytes,
    Date,
    Stamp,
    /// A date and time of a zone so many minutes east of UTC.
    ZonedStamp {
        offset_minutes: i32,
    },
    Time,
    Uuid,
    /// The bytes of so many bits, with zeros before them.
    Bits {
        length: u32,
    },
    BitToBoolean,
    BitsText,
    AddressText,
    UuidBytes,
    Json {
        canonical: bool,
    },
}

impl Encoder {
    /// The encoder of a column, `None` where the domain does not hold its type.
    pub fn choose(meaning: &Type, domain: &Domain) -> Option<Self> {
        Some(match (domain, meaning) {
            (Domain::Boolean, Type::Boolean | Type::Integer { .. }) => Encoder::Boolean,
            (Domain::Boolean, Type::Bits { length: 1 }) => Encoder::BitToBoolean,
            (Domain::Bits, Type::Bits { length }) => Encoder::Bits { length: *length },
            (Domain::Address, Type::Address { .. }) => Encoder::AddressText,
            (Domain::Integer { bytes }, Type::Year) => Encoder::Integer { bytes: *bytes, unsigned: true },
            (Domain::Text, Type::Enum { .. } | Type::Set { .. }) => Encoder::Bytes,
            (Domain::Integer { bytes }, Type::Integer { unsigned, .. }) => {
                Encoder::Integer { bytes: *bytes, unsigned: *unsigned }
            }
            (Domain::Integer { bytes }, Type::Decimal { .. }) => Encoder::DecimalInteger { bytes: *bytes },
            (Domain::Decimal { with_scale }, Type::Decimal { .. }) => {
                Encoder::DecimalText { with_scale: *with_scale }
            }
            (Domain::Decimal { .. }, Type::Integer { unsigned, .. }) => {
                Encoder::IntegerDecimal { unsigned: *unsigned }
            }
            (Domain::Float32, Type::Float32) => Encoder::Float32,
            (Domain::Float64, Type::Float32) => Encoder::WideFloat,
            (Domain::Float64, Type::Float64) => Encoder::Float64,
            (Domain::Text, Type::Text { .. } | Type::Json | Type::JsonText) => Encoder::Bytes,
            (Domain::Native, Type::Other) | (Domain::Bytes, Type::Bytes { .. }) => Encoder::Bytes,
            (Domain::JsonText, Type::JsonText | Type::Json | Type::Text { .. }) => Encoder::Bytes,
            (Domain::Date, Type::Date) => Encoder::Date,
            (Domain::Time, Type::Time { .. }) => Encoder::Time,
            (Domain::Instant, Type::Zoned { offset_minutes, .. }) => {
                Encoder::ZonedStamp { offset_minutes: *offset_minutes }
            }
            (
                Domain::DateTime | Domain::Instant,
                Type::DateTime { .. } | Type::Instant { .. } | Type::Date,
            ) => Encoder::Stamp,
            (Domain::Bits, Type::Text { .. }) => Encoder::BitsText,
            (Domain::Address, Type::Text { .. }) => Encoder::AddressText,
            (Domain::Uuid, Type::Uuid | Type::Text { .. }) => Encoder::Uuid,
            (Domain::Uuid, Type::Bytes { .. }) => Encoder::UuidBytes,
            (Domain::Json { canonical }, Type::Json | Type::JsonText | Type::Text { .. }) => {
                Encoder::Json { canonical: *canonical }
            }
            _ => return None,
        })
    }

    /// The same for what the server sends as whole numbers of this kind.
    pub fn of_integers(self, unsigned: bool) -> Self {
        match self {
            Encoder::Integer { bytes, .. } | Encoder::DecimalInteger { bytes } => {
                Encoder::Integer { bytes, unsigned }
            }
            Encoder::IntegerDecimal { .. } | Encoder::DecimalText { .. } => {
                Encoder::IntegerDecimal { unsigned }
            }
            other => other,
        }
    }

    /// The same for what the server sends as decimals.
    pub fn of_decimals(self) -> Self {
        match self {
            Encoder::Integer { bytes, .. } => Encoder::DecimalInteger { bytes },
            Encoder::IntegerDecimal { .. } => Encoder::DecimalText { with_scale: false },
            other => other,
        }
    }

    /// The same for what the server sends as floats: singles, or doubles.
    pub fn of_floats(self, single: bool) -> Self {
        match self {
            Encoder::Float64 if single => Encoder::WideFloat,
            Encoder::WideFloat if !single => Encoder::Float64,
            other => other,
        }
    }

    /// Adds one field. The error says what was expected and holds no value.
    pub fn field(self, value: Option<&[u8]>, row: &mut Vec<u8>) -> Result<(), &'static str> {
        let Some(value) = value else {
            put_null(row);
            return Ok(());
        };
        let start = row.len();
        row.extend_from_slice(&[0; 4]);
        self.payload(value, row)?;
        let length = i32::try_from(row.len() - start - 4).map_err(|_| "a value below 2 GiB")?;
        row[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn payload(self, value: &[u8], row: &mut Vec<u8>) -> Result<(), &'static str> {
        match self {
            Encoder::Boolean => match integer(value, false) {
                Some(flag @ (0 | 1)) => row.push(flag as u8),
                _ => return Err("0 or 1"),
            },
            Encoder::Integer { bytes, unsigned } => {
                put_integer(integer(value, unsigned).ok_or("an integer")?, bytes, row)?;
            }
            Encoder::DecimalInteger { bytes } => {
                let text = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                put_integer(text.ok_or("a whole number")?, bytes, row)?;
            }
            Encoder::DecimalText { with_scale } => put_decimal(value, with_scale, row)?,
            Encoder::IntegerDecimal { unsigned } => {
                let number = integer(value, unsigned).ok_or("an integer")?;
                put_decimal(number.to_string().as_bytes(), false, row)?;
            }
            Encoder::Float32 => {
                let number = f32::from_le_bytes(value.try_into().map_err(|_| "a single-precision number")?);
                row.extend_from_slice(&(if number.is_nan() { f32::NAN } else { number }).to_be_bytes());
            }
            Encoder::Float64 => {
                put_double(f64::from_le_bytes(value.try_into().map_err(|_| "a double")?), row);
            }
            Encoder::WideFloat => {
                let number = f32::from_le_bytes(value.try_into().map_err(|_| "a single-precision number")?);
                put_double(f64::from(number), row);
            }
            Encoder::Bytes => row.extend_from_slice(value),
            Encoder::Date => row.extend_from_slice(&date(value)?.0.to_be_bytes()),
            Encoder::Stamp => row.extend_from_slice(&stamp(value)?.0.to_be_bytes()),
            Encoder::ZonedStamp { offset_minutes } => {
                let moment = stamp(value)?.shifted(-i64::from(offset_minutes) * 60);
                row.extend_from_slice(&moment.0.to_be_bytes());
            }
            Encoder::Bits { length } => put_bits(value, length, row)?,
            Encoder::BitToBoolean => match value {
                [bit @ (0 | 1)] => row.push(*bit),
                _ => return Err("one bit"),
            },
            Encoder::BitsText => {
                let bits = std::str::from_utf8(value).ok().and_then(bits_payload);
                row.extend_from_slice(&bits.ok_or("bits as the digits 0 and 1")?);
            }
            Encoder::AddressText => {
                let address = std::str::from_utf8(value).ok().and_then(address_payload);
                row.extend_from_slice(&address.ok_or("an IP address")?);
            }
            Encoder::Time => row.extend_from_slice(&time(value)?.0.to_be_bytes()),
            Encoder::Uuid => put_uuid(value, row)?,
            Encoder::UuidBytes if value.len() == 16 => row.extend_from_slice(value),
            Encoder::UuidBytes => return Err("16 bytes"),
            Encoder::Json { canonical } => put_json(value, canonical, row)?,
        }
        Ok(())
    }
}

/// Little-endian of 1, 2, 4 or 8 bytes.
fn integer(value: &[u8], unsigned: bool) -> Option<i128> {
    Some(match (value, unsigned) {
        (&[a], false) => i128::from(a as i8),
        (&[a], true) => i128::from(a),
        (&[a, b], false) => i128::from(i16::from_le_bytes([a, b])),
        (&[a, b], true) => i128::from(u16::from_le_bytes([a, b])),
        (&[a, b, c, d], false) => i128::from(i32::from_le_bytes([a, b, c, d])),
        (&[a, b, c, d], true) => i128::from(u32::from_le_bytes([a, b, c, d])),
        _ => {
            let eight: [u8; 8] = value.try_into().ok()?;
            if unsigned { u64::from_le_bytes(eight).into() } else { i64::from_le_bytes(eight).into() }
        }
    })
}

fn put_integer(number: i128, bytes: u8, row: &mut Vec<u8>) -> Result<(), &'static str> {
    let wide = number.to_be_bytes();
    let (head, payload) = wide.split_at(16 - usize::from(bytes));
    let sign = if number < 0 { 0xff } else { 0 };
    let fits = head.iter().all(|byte| *byte == sign) && (payload[0] & 0x80 != 0) == (number < 0);
    if !fits {
        return Err("an integer of the pair's width");
    }
    row.extend_from_slice(payload);
    Ok(())
}

fn put_double(number: f64, row: &mut Vec<u8>) {
    row.extend_from_slice(&(if number.is_nan() { f64::NAN } else { number }).to_be_bytes());
}

/// Plain notation to PostgreSQL's numeric, as [`Decimal::to_wire`](crate::value::Decimal::to_wire) does it,
/// without an allocation.
fn put_decimal(text: &[u8], with_scale: bool, row: &mut Vec<u8>) -> Result<(), &'static str> {
    const EXPECTED: &str = "a decimal number";
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some(_) => (false, text),
        None => return Err(EXPECTED),
    };
    let point = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len());
    let (whole, mut fraction) = (&digits[..point], digits.get(point + 1..).unwrap_or_default());
    let all_digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    if !all_digits(whole) || !all_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return Err(EXPECTED);
    }
    let zeros = whole.iter().take_while(|byte| **byte == b'0').count();
    let whole = &whole[zeros..];
    if !with_scale {
        let zeros = fraction.iter().rev().take_while(|byte| **byte == b'0').count();
        fraction = &fraction[..fraction.len() - zeros];
    }
    let start = row.len();
    row.extend_from_slice(&[0; 8]);
    let mut weight = whole.len().div_ceil(4) as i32 - 1;
    let mut put = |group: u16| {
        if group == 0 && row.len() == start + 8 {
            weight -= 1;
        } else {
            row.extend_from_slice(&group.to_be_bytes());
        }
    };
    let group = |digits: &[u8]| digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    let (first, rest) = whole.split_at(whole.len() % 4);
    if !first.is_empty() {
        put(group(first));
    }
    rest.chunks_exact(4).for_each(|four| put(group(four)));
    for four in fraction.chunks(4) {
        put(group(four) * 10_u16.pow(4 - four.len() as u32));
    }
    while row.len() > start + 8 && row.ends_with(&[0, 0]) {
        row.truncate(row.len() - 2);
    }
    let count = (row.len() - start - 8) / 2;
    let sign: u16 = if negative && count > 0 { 0x4000 } else { 0 };
    let weight = if count == 0 { 0 } else { weight as i16 };
    for (at, word) in [count as u16, weight as u16, sign, fraction.len() as u16].into_iter().enumerate() {
        row[start + 2 * at..start + 2 * at + 2].copy_from_slice(&word.to_be_bytes());
    }
    Ok(())
}

/// Year (16 bit), month, day behind a length byte; length 0 is the zero date.
fn date(value: &[u8]) -> Result<Date, &'static str> {
    const EXPECTED: &str = "a date";
    let (year, month, day) = match *value {
        [0] => (0, 0, 0),
        [_, low, high, month, day, ..] => (u16::from_le_bytes([low, high]), month, day),
        _ => return Err(EXPECTED),
    };
    Date::new(i64::from(year), month, day).ok_or(EXPECTED)
}

/// A date, then hour, minute, second and 32 bit of microseconds, each left out when zero.
fn stamp(value: &[u8]) -> Result<Stamp, &'static str> {
    let (seconds, micros) = match *value {
        [0] | [4, ..] => (0, 0),
        [7, _, _, _, _, hour, minute, second] => (seconds(hour.into(), minute, second), 0),
        [11, _, _, _, _, hour, minute, second, a, b, c, d] => {
            (seconds(hour.into(), minute, second), i64::from(u32::from_le_bytes([a, b, c, d])))
        }
        _ => return Err("a date and time"),
    };
    Ok(Stamp::new(date(value)?, seconds * 1_000_000 + micros))
}

/// Sign, days (32 bit), hour, minute, second, and 32 bit of microseconds.
fn time(value: &[u8]) -> Result<Time, &'static str> {
    let (negative, micros) = match *value {
        [0] => (0, 0),
        [8, sign, a, b, c, d, hour, minute, second] => {
            let hours = i64::from(u32::from_le_bytes([a, b, c, d])) * 24 + i64::from(hour);
            (sign, seconds(hours, minute, second) * 1_000_000)
        }
        [12, sign, a, b, c, d, hour, minute, second, e, f, g, h] => {
            let hours = i64::from(u32::from_le_bytes([a, b, c, d])) * 24 + i64::from(hour);
            let fraction = i64::from(u32::from_le_bytes([e, f, g, h]));
            (sign, seconds(hours, minute, second) * 1_000_000 + fraction)
        }
        _ => return Err("a time"),
    };
    Ok(Time(if negative == 0 { micros } else { -micros }))
}

fn seconds(hours: i64, minute: u8, second: u8) -> i64 {
    hours * 3600 + i64::from(minute) * 60 + i64::from(second)
}

/// The server sends whole bytes, with zeros on the left; the payload has them on the right.
fn put_bits(value: &[u8], length: u32, row: &mut Vec<u8>) -> Result<(), &'static str> {
    const EXPECTED: &str = "as many bits as declared";
    if value.len() > 8 || value.len() != length.div_ceil(8) as usize {
        return Err(EXPECTED);
    }
    let number = value.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    if length < 64 && number >> length != 0 {
        return Err(EXPECTED);
    }
    row.extend_from_slice(&length.to_be_bytes());
    let shifted = number << (value.len() as u32 * 8 - length);
    row.extend_from_slice(&shifted.to_be_bytes()[8 - value.len()..]);
    Ok(())
}

/// Hex digits of either case, with or without hyphens.
fn put_uuid(value: &[u8], row: &mut Vec<u8>) -> Result<(), &'static str> {
    const EXPECTED: &str = "a UUID";
    let mut digits = value.iter().filter(|byte| **byte != b'-').map(|byte| char::from(*byte).to_digit(16));
    let mut bytes = [0_u8; 16];
    for byte in &mut bytes {
        let (high, low) = (digits.next().flatten(), digits.next().flatten());
        *byte = (high.ok_or(EXPECTED)? * 16 + low.ok_or(EXPECTED)?) as u8;
    }
    if digits.next().is_some() || !matches!(value.len(), 32 | 36) {
        return Err(EXPECTED);
    }
    row.extend_from_slice(&bytes);
    Ok(())
}

fn put_json(value: &[u8], canonical: bool, row: &mut Vec<u8>) -> Result<(), &'static str> {
    row.push(1);
    if !canonical {
        row.extend_from_slice(value);
        return Ok(());
    }
    let text = std::str::from_utf8(value).map_err(|_| "a JSON document in UTF-8")?;
    let text = canonical_json(text).map_err(|_| "a JSON document that can be compared exactly")?;
    row.extend_from_slice(text.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Decimal, Value, decode, fields};
    use proptest::prelude::*;

    fn read(encoder: Encoder, domain: &Domain, bytes: &[u8]) -> Result<Value, &'static str> {
        let mut row = Vec::new();
        encoder.field(Some(bytes), &mut row)?;
        let field = fields(&row).next().flatten();
        Ok(decode(domain, field))
    }

    proptest! {
        #[test]
        fn decimals_become_what_the_noun_says(text in "-?[0-9]{0,40}(\\.[0-9]{0,30})?", with_scale: bool) {
            let mut row = Vec::new();
            let done = put_decimal(text.as_bytes(), with_scale, &mut row);
            match Decimal::parse(&text) {
                Ok(decimal) => prop_assert_eq!(row, decimal.to_wire(with_scale)),
                Err(_) => prop_assert!(done.is_err()),
            }
        }

        #[test]
        fn integers_keep_their_value(number: i64, wide: bool) {
            let bytes = if wide { 16 } else { 8 };
            let encoder = Encoder::Integer { bytes, unsigned: false };
            let read = read(encoder, &Domain::Integer { bytes }, &number.to_le_bytes());
            prop_assert_eq!(read, Ok(Value::Integer(number.into())));
        }
    }

    #[test]
    fn the_edges_of_integers_are_kept_or_refused() {
        let domain = |bytes| Domain::Integer { bytes };
        let max = u64::MAX.to_le_bytes();
        let encoder = |bytes| Encoder::Integer { bytes, unsigned: true };
        assert_eq!(read(encoder(16), &domain(16), &max), Ok(Value::Integer(u64::MAX.into())));
        assert!(read(encoder(8), &domain(8), &max).is_err());
        assert_eq!(read(encoder(2), &domain(2), &[255]), Ok(Value::Integer(255)));
        assert!(read(encoder(2), &domain(2), &65_535_u16.to_le_bytes()).is_err());
        let decimal = Encoder::DecimalInteger { bytes: 16 };
        assert_eq!(read(decimal, &domain(16), b"18446744073709551615"), Ok(Value::Integer(u64::MAX.into())));
        assert!(read(decimal, &domain(16), b"1.5").is_err());
        assert!(read(Encoder::Boolean, &Domain::Boolean, &[2]).is_err());
        assert!(read(Encoder::Boolean, &Domain::Boolean, &[255]).is_err());
    }

    #[test]
    fn zero_dates_and_long_times_are_values() {
        let show = |value: Result<Value, &'static str>| match value {
            Ok(Value::Date(date)) => date.to_string(),
            Ok(Value::DateTime(stamp)) => stamp.to_string(),
            Ok(Value::Time(time)) => time.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(show(read(Encoder::Date, &Domain::Date, &[0])), "0000-00-00");
        assert_eq!(show(read(Encoder::Date, &Domain::Date, &[4, 232, 7, 2, 0])), "2024-02-00");
        assert_eq!(show(read(Encoder::Stamp, &Domain::DateTime, &[0])), "0000-00-00T00:00:00");
        assert_eq!(
            show(read(Encoder::Stamp, &Domain::DateTime, &[11, 232, 7, 2, 29, 1, 2, 3, 64, 226, 1, 0])),
            "2024-02-29T01:02:03.123456"
        );
        assert_eq!(show(read(Encoder::Time, &Domain::Time, &[8, 1, 34, 0, 0, 0, 22, 59, 59])), "-838:59:59");
        assert_eq!(show(read(Encoder::Time, &Domain::Time, &[0])), "00:00:00");
    }

    #[test]
    fn bits_are_those_of_their_digits() {
        for (length, bytes, digits) in [
            (1, &[1][..], "1"),
            (9, &[1, 1], "100000001"),
            (8, &[7], "00000111"),
            (64, &[255; 8], &"1".repeat(64)),
        ] {
            let read = read(Encoder::Bits { length }, &Domain::Bits, bytes);
            assert_eq!(read, Ok(Value::Native(digits.to_owned())));
        }
        assert!(read(Encoder::Bits { length: 9 }, &Domain::Bits, &[1]).is_err());
        assert!(read(Encoder::Bits { length: 9 }, &Domain::Bits, &[2, 0]).is_err());
    }

    #[test]
    fn uuids_come_in_any_case() {
        let lower = read(Encoder::Uuid, &Domain::Uuid, b"00112233-4455-6677-8899-aabbccddeeff");
        let upper = read(Encoder::Uuid, &Domain::Uuid, b"00112233-4455-6677-8899-AABBCCDDEEFF");
        assert_eq!(lower, upper);
        assert!(lower.is_ok());
        assert!(read(Encoder::Uuid, &Domain::Uuid, b"00112233-4455-6677-8899-aabbccddeef").is_err());
    }
}
