//! The canonical encoding: how a value becomes the payload of its domain, and back.
//!
//! A row is, for each column, a 32-bit big-endian length (−1 for NULL) and that many payload bytes. No
//! separators, no NULL that equals a value; the payload form of each domain is in [`Domain`]'s table.

use super::{Date, Decimal, Domain, Stamp, Time, Value, address, bits};

/// The length that stands for NULL.
pub const NULL_LENGTH: i32 = -1;

/// The payloads of an encoded row, in column order.
#[derive(Clone, Debug)]
pub struct Fields<'a>(&'a [u8]);

/// Walks the fields of an encoded row (or of a key).
pub fn fields(row: &[u8]) -> Fields<'_> {
    Fields(row)
}

impl Fields<'_> {
    /// How many bytes have not been walked over.
    pub fn remaining(&self) -> usize {
        self.0.len()
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let length = i32::from_be_bytes(*length);
        if length == NULL_LENGTH {
            self.0 = rest;
            return Some(None);
        }
        let (payload, rest) = rest.split_at(length as usize);
        self.0 = rest;
        Some(Some(payload))
    }
}

/// Adds a field of known payload. Payloads are at most 2³¹−1 bytes, which every engine keeps below.
pub fn put_field(row: &mut Vec<u8>, payload: &[u8]) {
    let length = i32::try_from(payload.len()).expect("no engine stores a value of 2 GiB");
    row.extend_from_slice(&length.to_be_bytes());
    row.extend_from_slice(payload);
}

/// Adds a NULL field.
pub fn put_null(row: &mut Vec<u8>) {
    row.extend_from_slice(&NULL_LENGTH.to_be_bytes());
}

/// Adds a value as a field of its domain. The inverse of [`decode`].
///
/// # Errors
/// The words of what was expected, where the value is not one of the domain.
pub fn encode(row: &mut Vec<u8>, domain: &Domain, value: &Value) -> Result<(), String> {
    if value.is_null() {
        put_null(row);
        return Ok(());
    }
    put_field(row, &payload(domain, value)?);
    Ok(())
}

fn payload(domain: &Domain, value: &Value) -> Result<Vec<u8>, String> {
    Ok(match (domain, value) {
        (Domain::Boolean, Value::Boolean(value)) => vec![u8::from(*value)],
        (Domain::Integer { bytes }, Value::Integer(value)) => return integer_payload(*bytes, *value),
        (Domain::Decimal { with_scale }, Value::Decimal(value)) => value.to_wire(*with_scale),
        (Domain::Float32, Value::Float32(value)) => float32_payload(*value).to_vec(),
        (Domain::Float64, Value::Float64(value)) => float64_payload(*value).to_vec(),
        (Domain::Text, Value::Text(value)) => value.as_bytes().to_vec(),
        (Domain::Text | Domain::JsonText | Domain::Native, Value::RawText(value))
        | (Domain::Bytes, Value::Bytes(value)) => value.clone(),
        (Domain::Date, Value::Date(value)) => value.0.to_be_bytes().to_vec(),
        (Domain::Time, Value::Time(value)) => value.0.to_be_bytes().to_vec(),
        (Domain::DateTime, Value::DateTime(value)) | (Domain::Instant, Value::Instant(value)) => {
            value.0.to_be_bytes().to_vec()
        }
        (Domain::Uuid, Value::Uuid(value)) => value.to_vec(),
        (Domain::Json { .. }, Value::Json(value)) => [&[1], value.as_bytes()].concat(),
        (Domain::JsonText, Value::Json(value)) | (Domain::Native, Value::Native(value)) => {
            value.as_bytes().to_vec()
        }
        (Domain::Bits, Value::Native(digits)) => bits::payload(digits).ok_or("bits as the digits 0 and 1")?,
        (Domain::Address, Value::Native(text)) => address::payload(text).ok_or("an IP address")?,
        (Domain::Storage { .. }, value) => return storage_payload(value),
        _ => return Err(format!("a value of the domain {}", domain.name())),
    })
}

/// Big-endian two's complement of exactly `bytes` bytes.
fn integer_payload(bytes: u8, value: i128) -> Result<Vec<u8>, String> {
    let wide = value.to_be_bytes();
    let narrow = wide[16 - usize::from(bytes)..].to_vec();
    if integer(&narrow) == value { Ok(narrow) } else { Err(format!("an integer of {bytes} bytes")) }
}

fn float32_payload(value: f32) -> [u8; 4] {
    if value.is_nan() { f32::NAN } else { value }.to_be_bytes()
}

fn float64_payload(value: f64) -> [u8; 8] {
    if value.is_nan() { f64::NAN } else { value }.to_be_bytes()
}

fn storage_payload(value: &Value) -> Result<Vec<u8>, String> {
    Ok(match value {
        Value::Integer(value) => {
            let value = i64::try_from(*value).map_err(|_| "a 64-bit integer".to_owned())?;
            tagged(b'i', &value.to_be_bytes())
        }
        Value::Float64(value) => tagged(b'r', &value.to_be_bytes()),
        Value::Text(value) => tagged(b't', value.as_bytes()),
        Value::RawText(value) => tagged(b't', value),
        Value::Bytes(value) => tagged(b'b', value),
        Value::OtherStorage(value) => return storage_payload(value),
        _ => return Err("a value of one of SQLite's storage classes".to_owned()),
    })
}

fn tagged(tag: u8, payload: &[u8]) -> Vec<u8> {
    [&[tag], payload].concat()
}

/// The value of a field. Total for every payload that [`encode`] or an engine's scanner makes.
pub fn decode(domain: &Domain, field: Option<&[u8]>) -> Value {
    let Some(payload) = field else { return Value::Null };
    match domain {
        Domain::Boolean => Value::Boolean(payload.first() == Some(&1)),
        Domain::Integer { .. } => Value::Integer(integer(payload)),
        Domain::Decimal { .. } => Value::Decimal(Decimal::from_wire(payload)),
        Domain::Float32 => Value::Float32(f32::from_be_bytes(array(payload))),
        Domain::Float64 => Value::Float64(f64::from_be_bytes(array(payload))),
        Domain::Text => text(payload),
        Domain::Bytes => Value::Bytes(payload.to_vec()),
        Domain::Date => Value::Date(Date(i32::from_be_bytes(array(payload)))),
        Domain::Time => Value::Time(Time(i64::from_be_bytes(array(payload)))),
        Domain::DateTime => Value::DateTime(Stamp(i64::from_be_bytes(array(payload)))),
        Domain::Instant => Value::Instant(Stamp(i64::from_be_bytes(array(payload)))),
        Domain::Uuid => Value::Uuid(array(payload)),
        Domain::Json { .. } => Value::Json(String::from_utf8_lossy(&payload[1..]).into_owned()),
        Domain::JsonText => match std::str::from_utf8(payload) {
            Ok(text) => Value::Json(text.to_owned()),
            Err(_) => Value::RawText(payload.to_vec()),
        },
        Domain::Bits => Value::Native(bits::text(payload)),
        Domain::Address => Value::Native(address::text(payload)),
        Domain::Storage { expected } => storage(*expected, payload),
        Domain::Native => match std::str::from_utf8(payload) {
            Ok(text) => Value::Native(text.to_owned()),
            Err(_) => Value::RawText(payload.to_vec()),
        },
    }
}

/// [`decode`] for bytes that came from elsewhere, a file for one: `None` where no value of the domain has this field.
/// What it gives encodes to the same bytes again.
pub fn decode_checked(domain: &Domain, field: Option<&[u8]>) -> Option<Value> {
    let Some(bytes) = field else { return Some(Value::Null) };
    if !has_form(domain, bytes) {
        return None;
    }
    let value = decode(domain, field);
    // One value, one payload: a second form of it (digits that are no digits, filling bits) is none.
    (payload(domain, &value).as_deref() == Ok(bytes)).then_some(value)
}

/// Whether [`decode`] can read a field that came from elsewhere.
pub fn is_field(domain: &Domain, field: Option<&[u8]>) -> bool {
    field.is_none_or(|bytes| has_form(domain, bytes))
}

/// Whether the bytes are fields one behind the other, the last one whole.
pub fn is_row(mut bytes: &[u8]) -> bool {
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = i32::from_be_bytes(*length);
        let end = if length == NULL_LENGTH { Ok(0) } else { usize::try_from(length) };
        match end.ok().and_then(|end| rest.get(end..)) {
            Some(rest) => bytes = rest,
            None => return false,
        }
    }
    bytes.is_empty()
}

/// Whether [`decode`] can read the payload at all: its width, its head, its characters.
fn has_form(domain: &Domain, bytes: &[u8]) -> bool {
    let is_utf8 = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok();
    match domain {
        Domain::Boolean => bytes.len() == 1,
        Domain::Integer { bytes: width } => bytes.len() == usize::from(*width),
        Domain::Decimal { .. } => Decimal::is_wire(bytes),
        Domain::Float32 | Domain::Date => bytes.len() == 4,
        Domain::Float64 | Domain::Time | Domain::DateTime | Domain::Instant => bytes.len() == 8,
        Domain::Uuid => bytes.len() == 16,
        Domain::Json { .. } => bytes.split_first().is_some_and(|(head, text)| *head == 1 && is_utf8(text)),
        Domain::Bits => bits::is_payload(bytes),
        Domain::Address => address::is_payload(bytes),
        Domain::Storage { .. } => match bytes.split_first() {
            Some((b'i' | b'r', number)) => number.len() == 8,
            Some((b't' | b'b', _)) => true,
            _ => false,
        },
        Domain::Text | Domain::Bytes | Domain::JsonText | Domain::Native => true,
    }
}

fn text(payload: &[u8]) -> Value {
    match std::str::from_utf8(payload) {
        Ok(text) => Value::Text(text.to_owned()),
        Err(_) => Value::RawText(payload.to_vec()),
    }
}

fn integer(payload: &[u8]) -> i128 {
    let sign = if payload.first().is_some_and(|first| first & 0x80 != 0) { 0xff } else { 0 };
    let mut wide = [sign; 16];
    wide[16 - payload.len()..].copy_from_slice(payload);
    i128::from_be_bytes(wide)
}

fn storage(expected: Option<super::StorageClass>, payload: &[u8]) -> Value {
    use super::StorageClass::{Blob, Integer, Real, Text};
    let (tag, bytes) = payload.split_first().expect("a storage payload begins with its tag");
    let (class, value) = match tag {
        b'i' => (Integer, Value::Integer(i64::from_be_bytes(array(bytes)).into())),
        b'r' => (Real, Value::Float64(f64::from_be_bytes(array(bytes)))),
        b't' => (Text, text(bytes)),
        _ => (Blob, Value::Bytes(bytes.to_vec())),
    };
    match expected {
        Some(expected) if expected != class => Value::OtherStorage(Box::new(value)),
        _ => value,
    }
}

/// The scanners guarantee payload widths; a wrong one is a defect of ours that must not pass for a value.
fn array<const N: usize>(payload: &[u8]) -> [u8; N] {
    payload.try_into().expect("the payload has its domain's width")
}
