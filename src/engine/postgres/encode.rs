//! From PostgreSQL's binary form of a value to the payload of its domain, and from COPY's messages to rows.
//!
//! Most payloads are the wire's own bytes ([`Domain`]'s table). A row of only such columns is copied as it is;
//! otherwise field by field, without an allocation for each value. Messages need not align with rows. The invariant: what
//! comes out is a whole number of rows, and a stream without COPY's trailer is never taken for a whole one.

use crate::sql::SelectColumn;
use crate::value::{
    Domain, NULL_LENGTH, RowBlock, Stamp, Type, Value, address_payload, bits_payload, canonical_json, decode,
    fields,
};

/// COPY's header: a signature, flags, and the length of an extension.
const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
const HEADER_LEN: usize = 19;
const DAY: i64 = 86_400_000_000;

/// How the bytes of one column become its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// They are the payload.
    Copy,
    /// An integer of any width into one of `bytes`.
    Integer { bytes: u8 },
    /// An integer into 0 or 1.
    IntegerToBoolean,
    /// An integer into a numeric without fraction.
    IntegerToDecimal,
    /// A numeric, its special values in their one form.
    Decimal,
    /// A numeric without the zeros at its end.
    DecimalByValue,
    /// A numeric into an integer of `bytes`.
    DecimalToInteger { bytes: u8 },
    /// A float, every NaN the same.
    Float,
    /// A single into a double.
    Float32To64,
    /// A double into a single, where that is exact.
    Float64To32,
    /// A text without the blanks at its end.
    Unpad,
    /// A text into a uuid.
    TextToUuid,
    /// A text into bits.
    TextToBits,
    /// A text into an address.
    TextToAddress,
    /// Sixteen bytes into a uuid.
    BytesToUuid,
    /// One bit into 0 or 1.
    BitToBoolean,
    /// Microseconds of a zone this many minutes east of UTC into those of UTC.
    ToUtc { offset_minutes: i32 },
    /// A date into microseconds.
    DateToStamp,
    /// A JSON text, after a version byte where `versioned`, into the canonical document.
    CanonicalJson { versioned: bool },
}

/// OIDs of pg_type that never change (src/include/catalog/pg_type.dat).
mod oid {
    pub(super) const BOOL: u32 = 16;
    pub(super) const BYTEA: u32 = 17;
    pub(super) const INT8: u32 = 20;
    pub(super) const INT2: u32 = 21;
    pub(super) const INT4: u32 = 23;
    pub(super) const TEXT: u32 = 25;
    pub(super) const JSON: u32 = 114;
    pub(super) const FLOAT4: u32 = 700;
    pub(super) const FLOAT8: u32 = 701;
    pub(super) const INET: u32 = 869;
    pub(super) const BPCHAR: u32 = 1042;
    pub(super) const VARCHAR: u32 = 1043;
    pub(super) const DATE: u32 = 1082;
    pub(super) const TIME: u32 = 1083;
    pub(super) const TIMESTAMP: u32 = 1114;
    pub(super) const TIMESTAMPTZ: u32 = 1184;
    pub(super) const BIT: u32 = 1560;
    pub(super) const NUMERIC: u32 = 1700;
    pub(super) const UUID: u32 = 2950;
    pub(super) const JSONB: u32 = 3802;
}

impl Step {
    /// The step from a type, by its OID in the server's answer, to a column's domain; `None` where there is no
    /// exact one.
    pub(super) fn choose(found: u32, column: &SelectColumn) -> Option<Step> {
        use oid::*;
        let text = matches!(found, TEXT | VARCHAR | BPCHAR);
        match (&column.domain, found) {
            (Domain::Boolean, BOOL) => Some(Step::Copy),
            (Domain::Boolean, INT2 | INT4 | INT8) => Some(Step::IntegerToBoolean),
            (Domain::Integer { bytes }, INT2 | INT4 | INT8 | BOOL) => Some(Self::integer(found, *bytes)),
            (Domain::Integer { bytes }, NUMERIC) => Some(Step::DecimalToInteger { bytes: *bytes }),
            (Domain::Decimal { with_scale }, NUMERIC) => Some(Self::decimal(*with_scale, column)),
            (Domain::Decimal { .. }, INT2 | INT4 | INT8) => Some(Step::IntegerToDecimal),
            (Domain::Float32, FLOAT4) | (Domain::Float64, FLOAT8) => Some(Step::Float),
            (Domain::Float64, FLOAT4) => Some(Step::Float32To64),
            (Domain::Float32, FLOAT8) => Some(Step::Float64To32),
            // The server's own order of char(n) is that of the text without its blanks, which mean nothing.
            (Domain::Text, BPCHAR) => Some(Step::Unpad),
            (Domain::Text | Domain::Native, _) if text => Some(Step::Copy),
            (Domain::Bytes, BYTEA) | (Domain::Uuid, UUID) => Some(Step::Copy),
            (Domain::Uuid, _) if text => Some(Step::TextToUuid),
            (Domain::Uuid, BYTEA) => Some(Step::BytesToUuid),
            (Domain::Bits, BIT) | (Domain::Address, INET) => Some(Step::Copy),
            (Domain::Bits, _) if text => Some(Step::TextToBits),
            (Domain::Address, _) if text => Some(Step::TextToAddress),
            (Domain::Boolean, BIT) => Some(Step::BitToBoolean),
            (Domain::Instant, TIMESTAMP) => Self::to_utc(column),
            (Domain::Date, DATE) | (Domain::Time, TIME) => Some(Step::Copy),
            (Domain::DateTime, TIMESTAMP) | (Domain::Instant, TIMESTAMPTZ) => Some(Step::Copy),
            (Domain::DateTime | Domain::Instant, DATE) => Some(Step::DateToStamp),
            (Domain::Json { canonical: false }, JSONB) => Some(Step::Copy),
            (Domain::Json { canonical: true }, JSONB) => Some(Step::CanonicalJson { versioned: true }),
            (Domain::Json { canonical: true }, JSON) => Some(Step::CanonicalJson { versioned: false }),
            (Domain::Json { canonical: true }, _) if text => Some(Step::CanonicalJson { versioned: false }),
            (Domain::JsonText, JSON) => Some(Step::Copy),
            (Domain::JsonText, _) if text => Some(Step::Copy),
            _ => None,
        }
    }

    fn to_utc(column: &SelectColumn) -> Option<Step> {
        match column.column.column_type.meaning {
            Type::Zoned { offset_minutes, .. } => Some(Step::ToUtc { offset_minutes }),
            _ => None,
        }
    }

    fn integer(found: u32, bytes: u8) -> Step {
        let width = match found {
            oid::INT2 => 2,
            oid::INT4 => 4,
            oid::INT8 => 8,
            _ => 1,
        };
        if width == bytes { Step::Copy } else { Step::Integer { bytes } }
    }

    fn decimal(with_scale: bool, column: &SelectColumn) -> Step {
        match (with_scale, &column.column.column_type.meaning) {
            (false, _) => Step::DecimalByValue,
            // With a precision there is no infinity, whose wire form has more than one shape.
            (true, Type::Decimal { precision: Some(_), .. }) => Step::Copy,
            (true, _) => Step::Decimal,
        }
    }

    /// Appends length and payload. The error says what was expected of the value.
    fn put(self, row: &mut Vec<u8>, wire: &[u8]) -> Result<(), &'static str> {
        match self {
            Step::Copy => put(row, wire),
            Step::Integer { bytes } => put_integer(row, signed(wire), bytes)?,
            Step::IntegerToBoolean => match signed(wire) {
                0 => put(row, &[0]),
                1 => put(row, &[1]),
                _ => return Err("0 or 1"),
            },
            Step::IntegerToDecimal => put_integer_as_decimal(row, signed(wire)),
            Step::Decimal => put_decimal(row, wire, true),
            Step::DecimalByValue => put_decimal(row, wire, false),
            Step::DecimalToInteger { bytes } => put_integer(row, whole_number(wire)?, bytes)?,
            Step::Float => put_float(row, wire),
            Step::Float32To64 => {
                let wide = f64::from(f32::from_be_bytes(array(wire)));
                put_float(row, &wide.to_be_bytes());
            }
            Step::Float64To32 => {
                let wide = f64::from_be_bytes(array(wire));
                if f64::from(wide as f32) != wide && !wide.is_nan() {
                    return Err("a single precision number");
                }
                put_float(row, &(wide as f32).to_be_bytes());
            }
            Step::Unpad => {
                let blanks = wire.iter().rev().take_while(|byte| **byte == b' ').count();
                put(row, &wire[..wire.len() - blanks]);
            }
            Step::TextToUuid => put(row, &parse_uuid(wire).ok_or("a uuid")?),
            Step::TextToBits => {
                let bits = std::str::from_utf8(wire).ok().and_then(bits_payload);
                put(row, &bits.ok_or("bits as the digits 0 and 1")?);
            }
            Step::TextToAddress => {
                let address = std::str::from_utf8(wire).ok().and_then(address_payload);
                put(row, &address.ok_or("an IP address")?);
            }
            Step::BytesToUuid if wire.len() == 16 => put(row, wire),
            Step::BytesToUuid => return Err("16 bytes"),
            Step::BitToBoolean => put(row, &[wire[4] >> 7]),
            Step::ToUtc { offset_minutes } => {
                let local = Stamp(i64::from_be_bytes(array(wire)));
                put(row, &local.shifted(-i64::from(offset_minutes) * 60).0.to_be_bytes());
            }
            Step::DateToStamp => put(row, &stamp_of_date(i32::from_be_bytes(array(wire))).to_be_bytes()),
            Step::CanonicalJson { versioned } => {
                let json = if versioned { &wire[1..] } else { wire };
                let text = std::str::from_utf8(json).map_err(|_| "a JSON document in UTF-8")?;
                let canonical = canonical_json(text).map_err(|_| "a JSON document")?;
                row.extend_from_slice(&(canonical.len() as i32 + 1).to_be_bytes());
                row.push(1);
                row.extend_from_slice(canonical.as_bytes());
            }
        }
        Ok(())
    }
}

fn put(row: &mut Vec<u8>, payload: &[u8]) {
    // PostgreSQL keeps values below 1 GiB.
    row.extend_from_slice(&(payload.len() as i32).to_be_bytes());
    row.extend_from_slice(payload);
}

/// The server's answer named the type, so the width is the type's.
fn array<const N: usize>(wire: &[u8]) -> [u8; N] {
    wire.try_into().expect("a value has the width of the type the server announced")
}

fn signed(wire: &[u8]) -> i128 {
    let sign = if wire.len() > 1 && wire[0] & 0x80 != 0 { 0xff } else { 0 };
    let mut wide = [sign; 16];
    wide[16 - wire.len()..].copy_from_slice(wire);
    i128::from_be_bytes(wide)
}

fn put_integer(row: &mut Vec<u8>, value: i128, bytes: u8) -> Result<(), &'static str> {
    let bits = u32::from(bytes) * 8;
    if bits < 128 && !(-(1_i128 << (bits - 1))..1_i128 << (bits - 1)).contains(&value) {
        return Err("a smaller integer");
    }
    put(row, &value.to_be_bytes()[16 - usize::from(bytes)..]);
    Ok(())
}

const SIGN_NEGATIVE: u16 = 0x4000;
const SIGN_SPECIAL: u16 = 0xC000;

fn word(wire: &[u8], index: usize) -> u16 {
    u16::from_be_bytes([wire[2 * index], wire[2 * index + 1]])
}

/// Base-10000 digits without zeros at the end, as the domain's normal form wants it.
fn put_integer_as_decimal(row: &mut Vec<u8>, value: i128) {
    let mut digits = [0_u16; 10];
    let mut count = 0;
    let mut rest = value.unsigned_abs();
    while rest > 0 {
        digits[count] = (rest % 10_000) as u16;
        rest /= 10_000;
        count += 1;
    }
    let zeros = digits[..count].iter().take_while(|digit| **digit == 0).count();
    let sign = if value < 0 { SIGN_NEGATIVE } else { 0 };
    let weight = count.saturating_sub(1) as u16;
    row.extend_from_slice(&(8 + 2 * (count - zeros) as i32).to_be_bytes());
    for word in [(count - zeros) as u16, weight, sign, 0] {
        row.extend_from_slice(&word.to_be_bytes());
    }
    for digit in digits[zeros..count].iter().rev() {
        row.extend_from_slice(&digit.to_be_bytes());
    }
}

/// PostgreSQL stores digits without zeros at either end (`make_result` in numeric.c); only the scale, and the
/// unused fields of NaN and infinity, differ between equal values.
fn put_decimal(row: &mut Vec<u8>, wire: &[u8], with_scale: bool) {
    let sign = word(wire, 2);
    if sign & SIGN_SPECIAL == SIGN_SPECIAL {
        let words = [0, 0, sign, 0_u16];
        row.extend_from_slice(&8_i32.to_be_bytes());
        words.iter().for_each(|word| row.extend_from_slice(&word.to_be_bytes()));
        return;
    }
    let start = row.len();
    put(row, wire);
    if !with_scale {
        let scale = least_scale(wire);
        row[start + 10..start + 12].copy_from_slice(&scale.to_be_bytes());
    }
}

/// How many digits after the point are needed.
fn least_scale(wire: &[u8]) -> u16 {
    let (count, weight) = (i32::from(word(wire, 0)), i32::from(word(wire, 1) as i16));
    let groups = count - (weight + 1);
    if count == 0 || groups <= 0 {
        return 0;
    }
    let mut last = word(wire, 3 + count as usize);
    let mut scale = groups * 4;
    while last.is_multiple_of(10) && last != 0 {
        last /= 10;
        scale -= 1;
    }
    scale as u16
}

fn whole_number(wire: &[u8]) -> Result<i128, &'static str> {
    let (count, weight, sign) = (i32::from(word(wire, 0)), i32::from(word(wire, 1) as i16), word(wire, 2));
    if sign & SIGN_SPECIAL == SIGN_SPECIAL || least_scale(wire) != 0 || weight > 9 {
        return Err("a whole number");
    }
    let mut value: i128 = 0;
    if count > 0 {
        for position in 0..=weight {
            let digit = if position < count { word(wire, 4 + position as usize) } else { 0 };
            let next = value.checked_mul(10_000).and_then(|value| value.checked_add(i128::from(digit)));
            value = next.ok_or("a smaller integer")?;
        }
    }
    Ok(if sign == SIGN_NEGATIVE { -value } else { value })
}

fn put_float(row: &mut Vec<u8>, wire: &[u8]) {
    match wire.len() {
        4 if f32::from_be_bytes(array(wire)).is_nan() => put(row, &f32::NAN.to_be_bytes()),
        8 if f64::from_be_bytes(array(wire)).is_nan() => put(row, &f64::NAN.to_be_bytes()),
        _ => put(row, wire),
    }
}

fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    let mut uuid = [0; 16];
    let mut nibbles = 0;
    for byte in text.iter().filter(|byte| !matches!(byte, b'-' | b'{' | b'}')) {
        let nibble = char::from(*byte).to_digit(16)? as u8;
        *uuid.get_mut(nibbles / 2)? |= if nibbles % 2 == 0 { nibble << 4 } else { nibble };
        nibbles += 1;
    }
    (nibbles == 32).then_some(uuid)
}

fn stamp_of_date(days: i32) -> i64 {
    match days {
        i32::MIN => i64::MIN,
        i32::MAX => i64::MAX,
        days => i64::from(days) * DAY,
    }
}

/// A value that is none of its domain: which column, what was expected, and the row's key.
#[derive(Debug, PartialEq)]
pub(super) struct BadValue {
    pub(super) column: usize,
    pub(super) expected: &'static str,
    pub(super) key: Vec<Value>,
    /// The value as it came.
    pub(super) wire: Vec<u8>,
}

/// Why COPY's answer could not be read.
#[derive(Debug, PartialEq)]
pub(super) enum Unreadable {
    Value(BadValue),
    Format(&'static str),
}

/// Makes rows of fields.
#[derive(Clone, Debug)]
pub(super) struct RowEncoder {
    steps: Vec<Step>,
    /// Every step copies.
    plain: bool,
    /// The domains of the key columns, for errors.
    key: Vec<Domain>,
}

impl RowEncoder {
    pub(super) fn new(steps: Vec<Step>, key: Vec<Domain>) -> Self {
        let plain = steps.iter().all(|step| *step == Step::Copy);
        RowEncoder { steps, plain, key }
    }

    /// Adds one field of the row that begins at `start`.
    pub(super) fn put(
        &self,
        row: &mut Vec<u8>,
        start: usize,
        column: usize,
        wire: Option<&[u8]>,
    ) -> Result<(), BadValue> {
        match wire {
            None => row.extend_from_slice(&NULL_LENGTH.to_be_bytes()),
            Some(wire) => {
                if let Err(expected) = self.steps[column].put(row, wire) {
                    let key = self.key.iter().zip(fields(&row[start..]));
                    let key = key.map(|(domain, field)| decode(domain, field)).collect();
                    return Err(BadValue { column, expected, key, wire: wire.to_vec() });
                }
            }
        }
        Ok(())
    }

    /// Adds a row from its fields on the wire: lengths and bytes, as many as there are columns.
    fn row(&self, body: &[u8], block: &mut RowBlock) -> Result<(), BadValue> {
        let row = block.buffer();
        if self.plain {
            row.extend_from_slice(body);
        } else {
            let start = row.len();
            for (column, field) in fields(body).enumerate() {
                self.put(row, start, column, field)?;
            }
        }
        block.close_row();
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Header,
    Rows,
    End,
}

/// Makes rows of COPY's messages.
#[derive(Debug)]
pub(super) struct CopyReader {
    encoder: RowEncoder,
    position: Position,
    /// The beginning of something that was cut by the end of a message.
    rest: Vec<u8>,
}

impl CopyReader {
    pub(super) fn new(encoder: RowEncoder) -> Self {
        CopyReader { encoder, position: Position::Header, rest: Vec::new() }
    }

    /// Takes one message.
    pub(super) fn feed(&mut self, message: &[u8], block: &mut RowBlock) -> Result<(), Unreadable> {
        if self.rest.is_empty() {
            let used = self.read(message, block)?;
            self.rest.extend_from_slice(&message[used..]);
            return Ok(());
        }
        let mut rest = std::mem::take(&mut self.rest);
        rest.extend_from_slice(message);
        let used = self.read(&rest, block)?;
        rest.drain(..used);
        self.rest = rest;
        Ok(())
    }

    /// Whether the trailer came and nothing after it.
    pub(super) fn is_complete(&self) -> bool {
        self.position == Position::End && self.rest.is_empty()
    }

    /// Reads what is whole, and returns how many bytes that was.
    fn read(&mut self, bytes: &[u8], block: &mut RowBlock) -> Result<usize, Unreadable> {
        let mut at = 0;
        if self.position == Position::Header {
            let Some(header) = header_len(bytes)? else { return Ok(0) };
            at = header;
            self.position = Position::Rows;
        }
        while self.position == Position::Rows {
            let Some(count) = bytes.get(at..at + 2) else { return Ok(at) };
            let count = i16::from_be_bytes([count[0], count[1]]);
            if count == -1 {
                self.position = Position::End;
                at += 2;
                break;
            }
            if usize::try_from(count) != Ok(self.encoder.steps.len()) {
                return Err(Unreadable::Format("a row of another number of columns"));
            }
            let Some(len) = row_len(&bytes[at + 2..], self.encoder.steps.len())? else { return Ok(at) };
            let body = &bytes[at + 2..at + 2 + len];
            self.encoder.row(body, block).map_err(Unreadable::Value)?;
            at += 2 + len;
        }
        Ok(at)
    }
}

fn header_len(bytes: &[u8]) -> Result<Option<usize>, Unreadable> {
    if bytes.len() < HEADER_LEN {
        return Ok(None);
    }
    if &bytes[..SIGNATURE.len()] != SIGNATURE {
        return Err(Unreadable::Format("no COPY signature"));
    }
    let extension = u32::from_be_bytes([bytes[15], bytes[16], bytes[17], bytes[18]]) as usize;
    Ok((bytes.len() >= HEADER_LEN + extension).then_some(HEADER_LEN + extension))
}

/// The bytes of a whole row's fields; `None` where its end has not come yet.
fn row_len(bytes: &[u8], columns: usize) -> Result<Option<usize>, Unreadable> {
    let mut at = 0;
    for _ in 0..columns {
        let Some(length) = bytes.get(at..at + 4) else { return Ok(None) };
        let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
        at += 4;
        if length > 0 {
            at += length as usize;
        } else if length < NULL_LENGTH {
            return Err(Unreadable::Format("a field of negative length"));
        }
    }
    Ok((at <= bytes.len()).then_some(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Decimal;

    fn put_one(step: Step, wire: &[u8]) -> Result<Vec<u8>, &'static str> {
        let mut row = Vec::new();
        step.put(&mut row, wire)?;
        assert_eq!(row[..4], (row.len() as i32 - 4).to_be_bytes());
        Ok(row.split_off(4))
    }

    #[test]
    fn decimals_take_the_normal_form_of_the_domain() {
        for text in
            ["0", "1", "-1", "100", "10000", "123456789.5", "0.0001", "-9.50", "1e20", "0.00", "120.3400"]
        {
            let decimal = Decimal::parse(text).expect("a decimal");
            assert_eq!(
                put_one(Step::DecimalByValue, &decimal.to_wire(true)),
                Ok(decimal.to_wire(false)),
                "{text}"
            );
            assert_eq!(put_one(Step::Decimal, &decimal.to_wire(true)), Ok(decimal.to_wire(true)), "{text}");
        }
        // As PostgreSQL 15 sends infinity: with a scale that means nothing.
        let infinity = [0, 0, 0, 0, 0xD0, 0, 0, 0x20];
        let expected = Decimal::parse("Infinity").expect("a decimal").to_wire(true);
        assert_eq!(put_one(Step::Decimal, &infinity), Ok(expected));
        for number in [0_i64, 1, -1, 10_000, 120_000_000, i64::MAX, i64::MIN] {
            let expected = Decimal::from(i128::from(number)).to_wire(false);
            assert_eq!(
                put_one(Step::IntegerToDecimal, &number.to_be_bytes()),
                Ok(expected.clone()),
                "{number}"
            );
            let back = put_one(Step::DecimalToInteger { bytes: 8 }, &expected);
            assert_eq!(back, Ok(number.to_be_bytes().to_vec()), "{number}");
        }
        let half = Decimal::parse("0.5").expect("a decimal").to_wire(true);
        assert!(put_one(Step::DecimalToInteger { bytes: 8 }, &half).is_err());
    }

    #[test]
    fn integers_change_their_width_only_where_they_fit() {
        let narrow = Step::Integer { bytes: 2 };
        assert_eq!(
            put_one(Step::Integer { bytes: 8 }, &(-2_i16).to_be_bytes()),
            Ok((-2_i64).to_be_bytes().to_vec())
        );
        assert_eq!(put_one(narrow, &(-32_768_i32).to_be_bytes()), Ok((-32_768_i16).to_be_bytes().to_vec()));
        assert!(put_one(narrow, &32_768_i32.to_be_bytes()).is_err());
        assert_eq!(put_one(narrow, &[1]), Ok(vec![0, 1]));
    }

    #[test]
    fn messages_may_be_cut_anywhere() {
        let mut copy = SIGNATURE.to_vec();
        copy.extend_from_slice(&[0; 8]);
        let mut expected = RowBlock::default();
        for id in 0..3_i32 {
            copy.extend_from_slice(&2_i16.to_be_bytes());
            let mut row = Vec::new();
            put(&mut row, &id.to_be_bytes());
            if id == 1 {
                row.extend_from_slice(&NULL_LENGTH.to_be_bytes())
            } else {
                put(&mut row, b"ab ")
            }
            copy.extend_from_slice(&row);
            expected.push(&row);
        }
        copy.extend_from_slice(&(-1_i16).to_be_bytes());
        for size in 1..=copy.len() {
            let mut reader = CopyReader::new(RowEncoder::new(vec![Step::Copy, Step::Copy], Vec::new()));
            let mut block = RowBlock::default();
            for message in copy.chunks(size) {
                assert!(!reader.is_complete());
                assert_eq!(reader.feed(message, &mut block), Ok(()));
            }
            assert!(reader.is_complete());
            assert!(block == expected, "cut every {size} bytes");
        }
    }
}
