//! From SQLite's values to the canonical encoding, without an allocation for the common ones.
//!
//! SQLite may hold any class of value in any column. In the domain `Storage` all of them are at home; in the
//! domain that a pair with another engine has, a value that does not read as one of it is an error that names
//! table and column (and, apart from our words, the key), never a guess:
//!
//! - integers only from INTEGER; booleans from the integers 0 and 1;
//! - decimals from INTEGER, from REAL as the shortest text that reads back as the same double, and from TEXT that
//!   is a number; never with more digits after the point than the column declares;
//! - floats from REAL, and from INTEGER that a double holds exactly; single precision only if exact;
//! - dates, times, date-times from TEXT; a moment's text without zone is in UTC, a date-time's with one an error;
//! - UUIDs from TEXT in any spelling and from BLOB of 16 bytes; bytes from BLOB alone, text from UTF-8 TEXT alone.
//!
//! Of a database in UTF-16 the statement gives text as its bytes, for SQLite itself would hand out other characters
//! in place of what is not valid; such text is an error in every domain.

use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::engine::EngineError;
use crate::engine::error::VALUE_HINT;
use crate::failure::ErrorKind;
use crate::sql::Select;
use crate::sql::sqlite::{Encoding, read_date_time, read_instant, read_uuid};
use crate::value::{
    Date, Decimal, Domain, RowBlock, Time, Type, address_payload, bits_payload, canonical_json, decode,
    fields, named_values, put_field, put_null, value_words,
};

/// Adds a row of the select to a block, rendered for a database of this encoding.
pub(super) fn encode_row(
    block: &mut RowBlock,
    select: &Select,
    encoding: Encoding,
    row: &Row<'_>,
) -> Result<(), EngineError> {
    let start = block.bytes_len();
    for (at, column) in select.columns.iter().enumerate() {
        let decoded;
        let value = match encoding.is_utf16() {
            false => cell(row, at)?,
            true => match (cell(row, 2 * at)?, cell(row, 2 * at + 1)?) {
                (ValueRef::Blob(bytes), ValueRef::Integer(1)) => match utf16(bytes, encoding) {
                    Some(text) => {
                        decoded = text;
                        ValueRef::Text(decoded.as_bytes())
                    }
                    None => return Err(not_utf16(&block.bytes()[start..], select, at, bytes)),
                },
                (value, _) => value,
            },
        };
        let column_type = &column.column.column_type;
        let encoded = match column_type.meaning {
            Type::Zoned { offset_minutes, .. } => zoned(block.buffer(), offset_minutes, value),
            _ => encode_field(block.buffer(), &column.domain, column_type.fixed_scale(), value),
        };
        if let Err(expected) = encoded {
            return Err(unreadable(&block.bytes()[start..], select, at, value, expected));
        }
    }
    block.close_row();
    Ok(())
}

fn cell<'r>(row: &'r Row<'_>, at: usize) -> Result<ValueRef<'r>, EngineError> {
    row.get_ref(at).map_err(|error| {
        EngineError::new(ErrorKind::Internal, "SQLite gave fewer columns than asked for").said(error)
    })
}

/// A text from its bytes, `None` where they are not valid: half a unit, or a surrogate without its other half.
fn utf16(bytes: &[u8], encoding: Encoding) -> Option<String> {
    let units = bytes.chunks_exact(2);
    let whole = units.remainder().is_empty();
    let units = units.map(|unit| match encoding {
        Encoding::Utf16Be => u16::from_be_bytes([unit[0], unit[1]]),
        Encoding::Utf8 | Encoding::Utf16Le => u16::from_le_bytes([unit[0], unit[1]]),
    });
    let text: Option<String> = char::decode_utf16(units).collect::<Result<_, _>>().ok();
    text.filter(|_| whole)
}

fn not_utf16(encoded: &[u8], select: &Select, at: usize, bytes: &[u8]) -> EngineError {
    let message = format!(
        "table {}, column {}: a text is not valid UTF-16, in which the database keeps text",
        select.table, select.columns[at].column.name,
    );
    at_value(message, encoded, select, at, &crate::value::Value::RawText(bytes.to_vec()))
}

/// Names table and column in our words; the key is a row's value and goes where those may be dropped.
fn unreadable(
    encoded: &[u8],
    select: &Select,
    at: usize,
    value: ValueRef<'_>,
    expected: &'static str,
) -> EngineError {
    let column = &select.columns[at];
    let message = format!(
        "table {}, column {}: a value of storage class {} does not read as {} (expected: {expected})",
        select.table,
        column.column.name,
        class(value),
        column.domain.name(),
    );
    at_value(message, encoded, select, at, &value_of(value))
}

/// An error about one value: the message, and apart from it the key that was read before it, and the value.
fn at_value(
    message: String,
    encoded: &[u8],
    select: &Select,
    at: usize,
    value: &crate::value::Value,
) -> EngineError {
    let key = select.columns[..select.key_columns.min(at)]
        .iter()
        .zip(fields(encoded))
        .map(|(column, field)| (column.column.name.as_str(), decode(&column.domain, field)));
    EngineError::new(ErrorKind::Value, message)
        .key(named_values(key))
        .said(value_words(value))
        .hint(VALUE_HINT)
}

fn value_of(value: ValueRef<'_>) -> crate::value::Value {
    use crate::value::Value;
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer.into()),
        ValueRef::Real(real) => Value::Float64(real),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::RawText(text.to_vec()),
        },
        ValueRef::Blob(blob) => Value::Bytes(blob.to_vec()),
    }
}

fn class(value: ValueRef<'_>) -> &'static str {
    match value {
        ValueRef::Null => "NULL",
        ValueRef::Integer(_) => "INTEGER",
        ValueRef::Real(_) => "REAL",
        ValueRef::Text(_) => "TEXT",
        ValueRef::Blob(_) => "BLOB",
    }
}

type Encoded = Result<(), &'static str>;

/// Adds one field, or says what was expected. `scale`: digits after the point that the column declares.
pub(super) fn encode_field(
    row: &mut Vec<u8>,
    domain: &Domain,
    scale: Option<u32>,
    value: ValueRef<'_>,
) -> Encoded {
    if value == ValueRef::Null {
        put_null(row);
        return Ok(());
    }
    match domain {
        Domain::Storage { .. } => storage(row, value),
        Domain::Boolean => boolean(row, value),
        Domain::Integer { bytes } => integer(row, *bytes, value),
        Domain::Decimal { with_scale } => decimal(row, *with_scale, scale, value),
        Domain::Float32 => float32(row, value),
        Domain::Float64 => float64(row, value),
        Domain::Text => text(row, value),
        Domain::Bytes => bytes(row, value),
        Domain::Date => parsed(row, value, "a text `YYYY-MM-DD`", |text| {
            Date::parse(text).map(|date| date.0.to_be_bytes())
        }),
        Domain::Time => parsed(row, value, "a text `HH:MM:SS[.ffffff]`", |text| {
            Time::parse(text).map(|time| time.0.to_be_bytes())
        }),
        Domain::DateTime => {
            parsed(row, value, "a text `YYYY-MM-DD HH:MM:SS[.ffffff]` without zone", |text| {
                read_date_time(text).map(|stamp| stamp.0.to_be_bytes())
            })
        }
        Domain::Instant => {
            parsed(row, value, "a text `YYYY-MM-DD HH:MM:SS[.ffffff]`, in UTC or with a zone", |text| {
                read_instant(text).map(|stamp| stamp.0.to_be_bytes())
            })
        }
        Domain::Uuid => uuid(row, value),
        Domain::Json { .. } => json(row, value),
        Domain::JsonText => json_text(row, value),
        Domain::Bits => {
            let bits = utf8(value).and_then(bits_payload);
            put_field(row, &bits.ok_or("a text of the digits 0 and 1")?);
            Ok(())
        }
        Domain::Address => {
            let address = utf8(value).and_then(address_payload);
            put_field(row, &address.ok_or("the text of an IP address")?);
            Ok(())
        }
        Domain::Native => Err("a type that SQLite does not know"),
    }
}

/// A date-time without zone as the moment it is this many minutes east of UTC.
fn zoned(row: &mut Vec<u8>, offset_minutes: i32, value: ValueRef<'_>) -> Encoded {
    if value == ValueRef::Null {
        put_null(row);
        return Ok(());
    }
    parsed(row, value, "a text `YYYY-MM-DD HH:MM:SS[.ffffff]` without zone", |text| {
        let local = read_date_time(text)?;
        Some(local.shifted(-i64::from(offset_minutes) * 60).0.to_be_bytes())
    })
}

fn storage(row: &mut Vec<u8>, value: ValueRef<'_>) -> Encoded {
    match value {
        ValueRef::Null => put_null(row),
        ValueRef::Integer(integer) => put_tagged(row, b'i', &integer.to_be_bytes()),
        ValueRef::Real(real) => put_tagged(row, b'r', &real.to_be_bytes()),
        ValueRef::Text(text) => put_tagged(row, b't', text),
        ValueRef::Blob(blob) => put_tagged(row, b'b', blob),
    }
    Ok(())
}

/// Every text and blob of SQLite is at most 2³¹−1 bytes; by default at most a thousand million.
fn put_tagged(row: &mut Vec<u8>, tag: u8, payload: &[u8]) {
    let length = i32::try_from(payload.len() + 1).expect("SQLite's values are shorter than 2 GiB");
    row.extend_from_slice(&length.to_be_bytes());
    row.push(tag);
    row.extend_from_slice(payload);
}

fn boolean(row: &mut Vec<u8>, value: ValueRef<'_>) -> Encoded {
    match value {
        ValueRef::Integer(truth @ (0 | 1)) => {
            put_field(row, &[truth as u8]);
            Ok(())
        }
        _ => Err("the integers 0 and 1"),
    }
}

fn integer(row: &mut Vec<u8>, bytes: u8, value: ValueRef<'_>) -> Encoded {
    let ValueRef::Integer(integer) = value else { return Err("an integer") };
    let wide = i128::from(integer).to_be_bytes();
    let width = usize::from(bytes);
    let fits = match bytes {
        2 => i16::try_from(integer).is_ok(),
        4 => i32::try_from(integer).is_ok(),
        _ => true,
    };
    if !fits {
        return Err("an integer that the other side's type holds");
    }
    put_field(row, &wide[16 - width..]);
    Ok(())
}

/// The decimal that a value stands for.
pub(super) fn read_decimal(value: ValueRef<'_>) -> Option<Decimal> {
    match value {
        ValueRef::Integer(integer) => Some(Decimal::from(i128::from(integer))),
        ValueRef::Real(real) if real.is_finite() => Decimal::parse(&format!("{real:?}")).ok(),
        ValueRef::Text(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| Decimal::parse(text).ok())
            .filter(Decimal::is_finite),
        _ => None,
    }
}

fn decimal(row: &mut Vec<u8>, with_scale: bool, scale: Option<u32>, value: ValueRef<'_>) -> Encoded {
    let number = read_decimal(value).ok_or(match value {
        ValueRef::Text(_) => "a text that is a number",
        _ => "a number",
    })?;
    if scale.is_some_and(|scale| number.trimmed().scale() > scale as usize) {
        return Err("at most the declared digits after the point");
    }
    put_field(row, &number.to_wire(with_scale));
    Ok(())
}

fn double(value: ValueRef<'_>) -> Option<f64> {
    match value {
        ValueRef::Real(real) => Some(real),
        ValueRef::Integer(integer) => {
            let real = integer as f64;
            (real as i128 == i128::from(integer)).then_some(real)
        }
        _ => None,
    }
}

fn float64(row: &mut Vec<u8>, value: ValueRef<'_>) -> Encoded {
    let real = double(value).ok_or("a number that a double holds exactly")?;
    put_field(row, &real.to_be_bytes());
    Ok(())
}

fn float32(row: &mut Vec<u8>, value: ValueRef<'_>) -> Encoded {
    const EXPECTED: &str = "a number that single precision holds exactly";
    let real = double(value).ok_or(EXPECTED)?;
    let single = real as f32;
    if f64::from(single).to_bits() != real.to_bits() {
        return Err(EXPECTED);
    }
    put_field(row, &single.to_be_bytes());
    Ok(())
}

fn utf8(value: ValueRef<'_>) -> Option<&str> {
    match value {
        ValueRef::Text(text) => std::str::from_utf8(text).ok(),
        _ => None,
    }
}

fn text(row: &mut Vec<u8>, value: ValueRef<'_>) -> Encoded {
    let text = utf8(value).ok_or("text in UTF-8")?;
    put_field(row, text.as_bytes());
    Ok(())
}

fn bytes(row: &mut Vec<u8>, value: ValueRef<'_>) -> Encoded {
    let ValueRef::Blob(blob) = value else { return Err("a blob") };
    put_field(row, blob);
    Ok(())
}

fn parsed<const N: usize>(
    row: &mut Vec<u8>,
    value: ValueRef<'_>,
    expected: &'static str,
    read: impl Fn(&str) -> Option<[u8; N]>,
) -> Encoded {
    let payload = utf8(value).and_then(read).ok_or(expected)?;
    put_field(row, &payload);
    Ok(())
}

fn uuid(row: &mut Vec<u8>, value: ValueRef<'_>) -> Encoded {
    let read = match value {
        ValueRef::Blob(blob) => <[u8; 16]>::try_from(blob).ok(),
        ValueRef::Text(text) => read_uuid(text),
        _ => None,
    };
    put_field(row, &read.ok_or("32 hexadecimal digits, or a blob of 16 bytes")?);
    Ok(())
}

/// A column declared JSON has numeric affinity: a document that is a number is stored as one.
fn json(row: &mut Vec<u8>, value: ValueRef<'_>) -> Encoded {
    const EXPECTED: &str = "a JSON document";
    let document = match value {
        ValueRef::Text(_) => canonical_json(utf8(value).ok_or(EXPECTED)?).map_err(|_| EXPECTED)?,
        ValueRef::Integer(integer) => integer.to_string(),
        ValueRef::Real(real) if real.is_finite() => {
            canonical_json(&format!("{real:?}")).map_err(|_| EXPECTED)?
        }
        _ => return Err(EXPECTED),
    };
    put_field(row, &[&[1], document.as_bytes()].concat());
    Ok(())
}

fn json_text(row: &mut Vec<u8>, value: ValueRef<'_>) -> Encoded {
    match value {
        ValueRef::Integer(integer) => put_field(row, integer.to_string().as_bytes()),
        value => put_field(row, utf8(value).ok_or("the text of a JSON document")?.as_bytes()),
    }
    Ok(())
}
