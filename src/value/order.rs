//! The orders in which keys come: one for each domain, and how payloads compare in it.
//!
//! This is the one list of which domain has an order that every engine can be asked for ([`OrderClass::of`] names
//! every domain, so that a new one cannot be forgotten). The engines' side of it, an ORDER BY expression for each
//! class, is in `sql`. Invariant: an order is total, and two payloads are equal in it only if their bytes are.

use std::cmp::Ordering;

use super::Domain;

/// How the payloads of a domain are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderClass {
    /// By their bytes: booleans, text by code point, binary data, uuids, documents and native types by their text.
    Bytes,
    /// As big-endian two's complement: integers, dates, times.
    Signed,
    /// By the digits 0 and 1 from the left.
    Bits,
    /// By numeric value, −∞ first, ∞ and NaN last; of equal numbers the one with fewer digits after the point first.
    Decimal,
    /// By numeric value, −∞ first, ∞ and NaN last, −0.0 before 0.0.
    Float,
    /// SQLite's: numbers by value, then text, then blobs; equal numbers by their class.
    Storage,
}

impl OrderClass {
    /// The order of a domain; `None` where an engine cannot be asked for it.
    pub fn of(domain: &Domain) -> Option<Self> {
        match domain {
            Domain::Integer { .. } | Domain::Date | Domain::Time | Domain::DateTime | Domain::Instant => {
                Some(OrderClass::Signed)
            }
            Domain::Boolean | Domain::Text | Domain::Bytes | Domain::Uuid => Some(OrderClass::Bytes),
            // The same engine on both sides: the text that it prints.
            Domain::JsonText | Domain::Json { canonical: false } | Domain::Native => Some(OrderClass::Bytes),
            // The canonical document is made here; no engine prints it.
            Domain::Json { canonical: true } => None,
            // PostgreSQL's order is of networks, and elsewhere an address has many spellings.
            Domain::Address => None,
            Domain::Bits => Some(OrderClass::Bits),
            Domain::Decimal { .. } => Some(OrderClass::Decimal),
            Domain::Float32 | Domain::Float64 => Some(OrderClass::Float),
            Domain::Storage { .. } => Some(OrderClass::Storage),
        }
    }

    /// Compares two payloads of one domain.
    pub fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            OrderClass::Bytes => a.cmp(b),
            OrderClass::Signed => compare_signed(a, b),
            // Behind the number of bits are the bits, with zeros at the end.
            OrderClass::Bits => a[4..].cmp(&b[4..]).then_with(|| a[..4].cmp(&b[..4])),
            OrderClass::Decimal => compare_decimals(a, b),
            OrderClass::Float => compare_floats(a, b),
            OrderClass::Storage => compare_storage(a, b),
        }
    }
}

/// Flipping the sign bit makes two's complement an order of bytes.
fn compare_signed(a: &[u8], b: &[u8]) -> Ordering {
    match (a.first(), b.first()) {
        (Some(&first_a), Some(&first_b)) => {
            (first_a ^ 0x80).cmp(&(first_b ^ 0x80)).then_with(|| a[1..].cmp(&b[1..]))
        }
        _ => a.len().cmp(&b.len()),
    }
}

/// The wire form has no zeros at either end of its digits, so magnitudes compare by weight, then by the bytes of
/// the digits.
fn compare_decimals(a: &[u8], b: &[u8]) -> Ordering {
    let word = |wire: &[u8], index: usize| u16::from_be_bytes([wire[2 * index], wire[2 * index + 1]]);
    let (rank_a, rank_b) = (decimal_rank(a), decimal_rank(b));
    let magnitudes = || {
        let weight = |wire: &[u8]| word(wire, 1) as i16;
        weight(a).cmp(&weight(b)).then_with(|| a[8..].cmp(&b[8..]))
    };
    let by_value = rank_a.cmp(&rank_b).then_with(|| match rank_a {
        DecimalRank::Negative => magnitudes().reverse(),
        DecimalRank::Positive => magnitudes(),
        _ => Ordering::Equal,
    });
    by_value.then_with(|| word(a, 3).cmp(&word(b, 3)))
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum DecimalRank {
    NegativeInfinity,
    Negative,
    Zero,
    Positive,
    Infinity,
    NaN,
}

fn decimal_rank(wire: &[u8]) -> DecimalRank {
    match (wire[4], wire[0] | wire[1]) {
        (0xF0, _) => DecimalRank::NegativeInfinity,
        (0xD0, _) => DecimalRank::Infinity,
        (0xC0, _) => DecimalRank::NaN,
        (_, 0) => DecimalRank::Zero,
        (0x40, _) => DecimalRank::Negative,
        _ => DecimalRank::Positive,
    }
}

/// IEEE 754's total order: of a negative number all bits are flipped, of another one the sign. There is one NaN,
/// and it is positive.
fn compare_floats(a: &[u8], b: &[u8]) -> Ordering {
    let negative = |payload: &[u8]| payload[0] & 0x80 != 0;
    match (negative(a), negative(b)) {
        (true, true) => b.cmp(a),
        (false, false) => a.cmp(b),
        (a_negative, _) => {
            if a_negative {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
    }
}

/// SQLite's order: numbers by value, then text, then blobs (<https://sqlite.org/datatype3.html>, section 4).
/// Numbers that are equal by value but of different class keep one order so that this stays total.
fn compare_storage(a: &[u8], b: &[u8]) -> Ordering {
    let rank = |tag: u8| match tag {
        b'i' | b'r' => 0,
        b't' => 1,
        _ => 2,
    };
    let (tag_a, tag_b) = (a[0], b[0]);
    rank(tag_a).cmp(&rank(tag_b)).then_with(|| match (tag_a, tag_b) {
        (b'i', b'i') => compare_signed(&a[1..], &b[1..]),
        (b'r', b'r') => real(a).total_cmp(&real(b)),
        (b'i', b'r') => compare_integer_to_real(integer(a), real(b)).then(Ordering::Less),
        (b'r', b'i') => compare_integer_to_real(integer(b), real(a)).reverse().then(Ordering::Greater),
        _ => a[1..].cmp(&b[1..]),
    })
}

fn integer(payload: &[u8]) -> i64 {
    i64::from_be_bytes(payload[1..].try_into().expect("an integer payload has eight bytes"))
}

fn real(payload: &[u8]) -> f64 {
    f64::from_be_bytes(payload[1..].try_into().expect("a real payload has eight bytes"))
}

/// Exact: never through a rounding of the integer to a double.
fn compare_integer_to_real(integer: i64, real: f64) -> Ordering {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if real >= TWO_63 {
        Ordering::Less
    } else if real < -TWO_63 {
        Ordering::Greater
    } else {
        let whole = real.trunc();
        integer.cmp(&(whole as i64)).then_with(|| 0.0_f64.total_cmp(&(real - whole + 0.0)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::{Decimal, KeyOrder, Value, encode};

    fn compare(domain: &Domain, a: &Value, b: &Value) -> Ordering {
        let encoded = |value| {
            let mut row = Vec::new();
            encode(&mut row, domain, value).expect("a value of the domain");
            row
        };
        KeyOrder::new([domain.clone()]).compare(&encoded(a), &encoded(b))
    }

    fn ascending(domain: &Domain, values: &[Value]) {
        for (at, a) in values.iter().enumerate() {
            for (other, b) in values.iter().enumerate() {
                assert_eq!(compare(domain, a, b), at.cmp(&other), "{a:?} against {b:?}");
            }
        }
    }

    fn decimal(text: &str) -> Value {
        Value::Decimal(Decimal::parse(text).expect("a decimal"))
    }

    #[test]
    fn decimals_are_ordered_by_value_and_then_by_scale() {
        let numbers = [
            "-Infinity",
            "-100000000",
            "-10000.0001",
            "-10000",
            "-9999.9999",
            "-9.5",
            "-9.50",
            "-9.500",
            "-1.00010001",
            "-1.0001",
            "-1",
            "-1.0",
            "-0.00010002",
            "-0.0001",
            "-0.00000001",
            "0",
            "0.0",
            "0.00000000",
            "0.00000001",
            "0.0001",
            "0.00010002",
            "1",
            "1.0",
            "1.00",
            "1.0001",
            "1.00010001",
            "9.50",
            "10",
            "9999.9999",
            "10000",
            "10000.0001",
            "99999999",
            "100000000",
            "Infinity",
            "NaN",
        ];
        let values: Vec<Value> = numbers.into_iter().map(decimal).collect();
        ascending(&Domain::Decimal { with_scale: true }, &values);
        let by_value = Domain::Decimal { with_scale: false };
        assert!(compare(&by_value, &decimal("1.0"), &decimal("1.00")).is_eq());
        assert!(compare(&by_value, &decimal("-0.0"), &decimal("0")).is_eq());
        assert!(compare(&by_value, &decimal("9.9"), &decimal("10")).is_lt());
    }

    #[test]
    fn floats_are_ordered_by_value_with_both_zeros_and_nan_last() {
        let numbers =
            [f64::NEG_INFINITY, f64::MIN, -1.5, -1.0, -5e-324, -0.0, 0.0, 5e-324, 1.0, 1.5, f64::MAX];
        let mut values: Vec<Value> = numbers.into_iter().map(Value::Float64).collect();
        values.extend([Value::Float64(f64::INFINITY), Value::Float64(-f64::NAN)]);
        ascending(&Domain::Float64, &values);
        let singles = [f32::NEG_INFINITY, -1.0, -0.0, 0.0, 1e-45, 1.1, f32::INFINITY, f32::NAN];
        ascending(&Domain::Float32, &singles.map(Value::Float32));
    }

    proptest! {
        #[test]
        fn decimals_are_ordered_as_numbers_are(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000,
            shift in 0_usize..9) {
            let shown = |number: i64| decimal(&format!("{number}e-{shift}"));
            let domain = Domain::Decimal { with_scale: false };
            prop_assert_eq!(compare(&domain, &shown(a), &shown(b)), a.cmp(&b));
        }

        #[test]
        fn floats_are_in_the_total_order(a: f64, b: f64) {
            prop_assume!(!a.is_nan() && !b.is_nan());
            let order = compare(&Domain::Float64, &Value::Float64(a), &Value::Float64(b));
            prop_assert_eq!(order, a.total_cmp(&b));
        }
    }
}
