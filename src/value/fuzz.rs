//! Rows made of arbitrary bytes, as a fuzzer would make them: two rows that differ never have one encoding, also where
//! they differ in the number of columns or in where NULL stands; the encoding stays what it was; and whatever bytes
//! are read as a row or a value, reading them ends in a value or in none.

use proptest::prelude::*;

use super::{
    BlockHasher, Date, Decimal, Digest, Domain, Stamp, Time, Value, address_text, decode, decode_checked,
    encode, fields, is_row,
};

/// Every domain, with each choice that changes its payload.
fn domains() -> Vec<Domain> {
    let integers = [2, 4, 8, 16].map(|bytes| Domain::Integer { bytes });
    let rest = [
        Domain::Boolean,
        Domain::Decimal { with_scale: true },
        Domain::Decimal { with_scale: false },
        Domain::Float32,
        Domain::Float64,
        Domain::Text,
        Domain::Bytes,
        Domain::Date,
        Domain::Time,
        Domain::DateTime,
        Domain::Instant,
        Domain::Uuid,
        Domain::Json { canonical: true },
        Domain::Json { canonical: false },
        Domain::JsonText,
        Domain::Bits,
        Domain::Address,
        Domain::Storage { expected: None },
        Domain::Native,
    ];
    integers.into_iter().chain(rest).collect()
}

/// Bytes that are read as decisions; zeros behind their end.
struct Tape<'a>(&'a [u8]);

impl Tape<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// Up to seven of what the tape chooses, so that values are often alike.
    fn several<T>(&mut self, one: impl Fn(u8) -> T) -> Vec<T> {
        (0..self.byte() % 8).map(|_| one(self.byte())).collect()
    }

    /// Characters of one to four bytes, among them those that separators and lengths are made of.
    fn text(&mut self) -> String {
        const LETTERS: [char; 8] = ['a', '\0', '\u{1}', ',', '\u{ff}', '日', '😀', '1'];
        self.several(|byte| LETTERS[usize::from(byte % 8)]).into_iter().collect()
    }

    fn raw(&mut self) -> Vec<u8> {
        self.several(|byte| [0, 1, 0xff, byte][usize::from(byte % 4)])
    }

    fn decimal(&mut self) -> Decimal {
        let digits = |tape: &mut Self| -> String {
            tape.several(|byte| char::from(b'0' + byte % 10)).into_iter().collect()
        };
        let (sign, whole, fraction) =
            (if self.byte().is_multiple_of(2) { "" } else { "-" }, digits(self), digits(self));
        match self.byte() % 8 {
            0 => Decimal::parse("NaN"),
            1 => Decimal::parse("-Infinity"),
            2 => Decimal::parse(&format!("{sign}{whole}0")),
            _ => Decimal::parse(&format!("{sign}{whole}0.0{fraction}")),
        }
        .expect("a decimal")
    }

    fn value(&mut self, domain: &Domain) -> Value {
        if self.byte().is_multiple_of(4) {
            return Value::Null;
        }
        match domain {
            Domain::Boolean => Value::Boolean(self.byte() % 2 == 1),
            Domain::Integer { bytes } => {
                Value::Integer(i128::from_be_bytes(self.bytes()) >> (128 - 8 * u32::from(*bytes)))
            }
            // As the domain gives it back: without zeros that do not count.
            Domain::Decimal { with_scale } => {
                Value::Decimal(Decimal::from_wire(&self.decimal().to_wire(*with_scale)))
            }
            Domain::Float32 => Value::Float32(f32::from_be_bytes(self.bytes())),
            Domain::Float64 => Value::Float64(f64::from_be_bytes(self.bytes())),
            Domain::Text => self.text_or_raw(Value::Text),
            Domain::Bytes => Value::Bytes(self.raw()),
            Domain::Date => Value::Date(Date(i32::from_be_bytes(self.bytes()))),
            Domain::Time => Value::Time(Time(i64::from_be_bytes(self.bytes()))),
            Domain::DateTime => Value::DateTime(Stamp(i64::from_be_bytes(self.bytes()))),
            Domain::Instant => Value::Instant(Stamp(i64::from_be_bytes(self.bytes()))),
            Domain::Uuid => Value::Uuid(self.bytes()),
            Domain::Json { .. } => Value::Json(self.text()),
            Domain::JsonText => self.text_or_raw(Value::Json),
            Domain::Native => self.text_or_raw(Value::Native),
            Domain::Bits => {
                let digits = self.several(|byte| char::from(b'0' + byte % 2));
                Value::Native(digits.into_iter().collect())
            }
            Domain::Address => self.address(),
            Domain::Storage { .. } => self.stored(),
        }
    }

    fn text_or_raw(&mut self, text: fn(String) -> Value) -> Value {
        let raw = self.raw();
        match String::from_utf8(raw) {
            Ok(_) => text(self.text()),
            Err(no_text) => Value::RawText(no_text.into_bytes()),
        }
    }

    fn address(&mut self) -> Value {
        let payload = if self.byte().is_multiple_of(2) {
            [&[2, self.byte() % 33, 0, 4], &self.bytes::<4>()[..]].concat()
        } else {
            [&[3, self.byte() % 129, 0, 16], &self.bytes::<16>()[..]].concat()
        };
        Value::Native(address_text(&payload))
    }

    fn stored(&mut self) -> Value {
        match self.byte() % 4 {
            0 => Value::Integer(i64::from_be_bytes(self.bytes()).into()),
            // SQLite stores no NaN.
            1 => Value::Float64(f64::from(i16::from_be_bytes(self.bytes())) / 2.0),
            2 => self.text_or_raw(Value::Text),
            _ => Value::Bytes(self.raw()),
        }
    }

    /// Columns, and a row of them.
    fn row(&mut self) -> Vec<(Domain, Value)> {
        let all = domains();
        let one = |tape: &mut Self| {
            let domain = all[usize::from(tape.byte()) % all.len()].clone();
            let value = tape.value(&domain);
            (domain, value)
        };
        (0..self.byte() % 6).map(|_| one(self)).collect()
    }
}

fn encoded(row: &[(Domain, Value)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (domain, value) in row {
        encode(&mut bytes, domain, value).unwrap_or_else(|why| panic!("{domain:?} {value:?}: {why}"));
    }
    bytes
}

/// Equal as trueup means it: floats by their bits, every NaN the same.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Float32(a), Value::Float32(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
        (Value::Float64(a), Value::Float64(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
        _ => one == other,
    }
}

/// The tape with one byte other, one more or one less; and as it is.
fn edited(tape: &[u8], (kind, place, byte): (u8, usize, u8)) -> Vec<u8> {
    let mut tape = tape.to_vec();
    let place = place % (tape.len() + 1);
    match kind % 4 {
        0 => tape.insert(place, byte),
        1 if place < tape.len() => tape[place] = byte,
        2 if place < tape.len() => drop(tape.remove(place)),
        _ => {}
    }
    tape
}

fn tape() -> impl Strategy<Value = Vec<u8>> {
    // Few bytes, many of them alike: rows that are nearly the same.
    proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(255), any::<u8>()], 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    /// Two rows of any columns: one encoding only where there are as many columns, with NULL in the same ones; and of
    /// the same columns, only where every value is the same.
    #[test]
    fn rows_that_differ_are_encoded_differently(
        first in tape(), edit in (any::<u8>(), any::<usize>(), any::<u8>()), second in tape(), near in any::<bool>(),
    ) {
        let second = if near { edited(&first, edit) } else { second };
        let (one, other) = (Tape(&first).row(), Tape(&second).row());
        let nulls = |row: &[(Domain, Value)]| row.iter().map(|(_, value)| value.is_null()).collect::<Vec<_>>();
        let columns = |row: &[(Domain, Value)]| row.iter().map(|(domain, _)| domain.clone()).collect::<Vec<_>>();
        let equal = encoded(&one) == encoded(&other);
        if equal {
            prop_assert_eq!(nulls(&one), nulls(&other));
        }
        if columns(&one) == columns(&other) {
            let alike = one.iter().zip(&other).all(|((_, a), (_, b))| same(a, b));
            prop_assert_eq!(equal, alike, "{:?} {:?}", one, other);
        }
        // A digest covers the columns' domains too.
        let digest = |row: &[(Domain, Value)]| {
            let mut hasher = BlockHasher::new(row.iter().map(|(domain, _)| domain));
            hasher.update(&encoded(row));
            hasher.finish()
        };
        let tags = |row: &[(Domain, Value)]| row.iter().map(|(domain, _)| domain.tag()).collect::<Vec<_>>();
        prop_assert_eq!(digest(&one) == digest(&other), equal && tags(&one) == tags(&other));
    }

    /// Blocks of several rows: a value that moves to a neighbouring row or column is another block.
    #[test]
    fn blocks_that_differ_are_encoded_differently(
        tape in tape(), edit in (any::<u8>(), any::<usize>(), any::<u8>()), columns in 1_usize..4,
    ) {
        let block = |tape: &[u8]| -> Vec<Vec<(Domain, Value)>> {
            let mut tape = Tape(tape);
            let rows = usize::from(tape.byte() % 4);
            let cell = |tape: &mut Tape| (Domain::Text, tape.value(&Domain::Text));
            (0..rows).map(|_| (0..columns).map(|_| cell(&mut tape)).collect()).collect()
        };
        let (one, other) = (block(&tape), block(&edited(&tape, edit)));
        let bytes = |block: &[Vec<(Domain, Value)>]| block.iter().flat_map(|row| encoded(row)).collect::<Vec<u8>>();
        prop_assert_eq!(bytes(&one) == bytes(&other), one == other);
    }

    /// What was encoded is read back, column by column; one byte less or another one is read as something or refused.
    #[test]
    fn rows_are_read_back_and_damaged_ones_are_not_believed(
        tape in tape(), edit in (any::<u8>(), any::<usize>(), any::<u8>()),
    ) {
        let row = Tape(&tape).row();
        let bytes = encoded(&row);
        prop_assert!(is_row(&bytes));
        for ((domain, value), field) in row.iter().zip(fields(&bytes)) {
            let back = decode_checked(domain, field);
            prop_assert!(back.as_ref().is_some_and(|back| same(back, value)), "{:?} {:?} {:?}", domain, value, back);
            prop_assert!(same(&decode(domain, field), value));
        }
        read_anything(&edited(&bytes, edit));
    }

    #[test]
    fn whatever_is_read_is_a_value_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        read_anything(&bytes);
    }
}

/// Reads bytes as a row and as a value of every domain. What is accepted is what the value encodes to.
fn read_anything(bytes: &[u8]) {
    let payloads: Vec<Option<&[u8]>> =
        if is_row(bytes) { fields(bytes).collect() } else { vec![Some(bytes)] };
    for domain in domains() {
        for field in &payloads {
            let Some(value) = decode_checked(&domain, *field) else { continue };
            let again = encoded(&[(domain.clone(), value)]);
            assert_eq!(fields(&again).next(), Some(*field), "{domain:?}");
        }
    }
}

/// Each domain takes some payloads and refuses others: the tests above have read both.
#[test]
fn checked_reading_tells_payloads_from_other_bytes() {
    for domain in domains() {
        let tape: Vec<u8> = (1..=255).collect();
        let mut tape = Tape(&tape);
        let value = tape.value(&domain);
        let mut bytes = Vec::new();
        encode(&mut bytes, &domain, &value).expect("a value of the domain");
        let field = fields(&bytes).next().expect("a field");
        assert!(decode_checked(&domain, field).is_some(), "{domain:?} {value:?}");
        let all_bytes = matches!(domain, Domain::Text | Domain::Bytes | Domain::JsonText | Domain::Native);
        assert_eq!(decode_checked(&domain, Some(&[0xfe, 0xfe, 0xfe])).is_some(), all_bytes, "{domain:?}");
    }
    for no_row in [&[0_u8][..], &[0, 0, 0, 1], &[0xff, 0xff, 0xff, 0xfe], &[0x80, 0, 0, 0], &[0, 0, 0, 0, 0]]
    {
        assert!(!is_row(no_row), "{no_row:?}");
    }
}

/// Ten thousand rows of every domain by one digest, which must never change while the rows above are made as they are.
#[test]
fn the_encoding_of_ten_thousand_rows_is_what_it_was() {
    let mut all = Vec::new();
    let mut state = Digest::of(b"trueup");
    for _ in 0..10_000 {
        let tape = [&state.bytes()[..], &Digest::of(state.bytes()).bytes()[..]].concat();
        all.extend_from_slice(&encoded(&Tape(&tape).row()));
        state = Digest::of(&tape);
    }
    assert_eq!(Digest::of(&all).hex(), "b8ca6fbdb064bd7d8a8d804c931d841bbf05b74e2eb7024a38d6aac30822d436");
}
