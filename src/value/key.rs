//! Keys, their order, and half-open ranges of them.
//!
//! A key is the encoded prefix of its row, so the rows of a block compare without decoding. The order is
//! one that every engine can be asked for with ORDER BY; `sql` renders that request, this file is the truth.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Domain, Value, decode, fields};

/// The key of a row: the encoded fields of the key columns. Also a bound of a range.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key(Box<[u8]>);

impl Key {
    /// Takes encoded key fields.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Key(bytes.into())
    }

    /// The encoded bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// As base64: bytes have no other short form in a text.
impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(&text).map(Key::new).map_err(serde::de::Error::custom)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({} bytes)", self.0.len())
    }
}

/// Keys `from <= key < to`; `None` is open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRange {
    /// First key that may be in the range.
    pub from: Option<Key>,
    /// First key after the range.
    pub to: Option<Key>,
}

impl KeyRange {
    /// The range of all keys.
    pub fn all() -> Self {
        KeyRange::default()
    }
}

/// The order of keys whose columns have these domains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOrder {
    domains: Box<[Domain]>,
}

impl KeyOrder {
    /// The order for key columns of these domains; at least one column.
    pub fn new(domains: impl Into<Box<[Domain]>>) -> Self {
        KeyOrder { domains: domains.into() }
    }

    /// How many key columns.
    pub fn columns(&self) -> usize {
        self.domains.len()
    }

    /// The key columns' domains.
    pub fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// Compares the keys of two encoded rows (or keys).
    pub fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        let (mut a, mut b) = (fields(a), fields(b));
        for domain in &self.domains {
            let ordering = compare_fields(domain, a.next().flatten(), b.next().flatten());
            if ordering.is_ne() {
                return ordering;
            }
        }
        Ordering::Equal
    }

    /// The key of an encoded row.
    pub fn key_of(&self, row: &[u8]) -> Key {
        Key::new(&row[..self.key_len(row)])
    }

    /// How many bytes of an encoded row are its key.
    pub fn key_len(&self, row: &[u8]) -> usize {
        let mut rest = fields(row);
        for _ in 0..self.domains.len() {
            rest.next();
        }
        row.len() - rest.remaining()
    }

    /// The key's values, for showing and for SQL.
    pub fn values(&self, key: &Key) -> Vec<Value> {
        self.domains.iter().zip(fields(key.bytes())).map(|(domain, field)| decode(domain, field)).collect()
    }

    /// Whether a row's key lies in a range.
    pub fn contains(&self, range: &KeyRange, row: &[u8]) -> bool {
        range.from.as_ref().is_none_or(|from| self.compare(row, from.bytes()).is_ge())
            && range.to.as_ref().is_none_or(|to| self.compare(row, to.bytes()).is_lt())
    }
}

fn compare_fields(domain: &Domain, a: Option<&[u8]>, b: Option<&[u8]>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(a), Some(b)) => compare_payloads(domain, a, b),
    }
}

fn compare_payloads(domain: &Domain, a: &[u8], b: &[u8]) -> Ordering {
    match domain {
        // Two's complement big-endian: flipping the sign bit makes it an order of bytes.
        Domain::Integer { .. } | Domain::Date | Domain::Time | Domain::DateTime | Domain::Instant => {
            compare_signed(a, b)
        }
        Domain::Storage { .. } => compare_storage(a, b),
        _ => a.cmp(b),
    }
}

fn compare_signed(a: &[u8], b: &[u8]) -> Ordering {
    match (a.first(), b.first()) {
        (Some(&first_a), Some(&first_b)) => {
            (first_a ^ 0x80).cmp(&(first_b ^ 0x80)).then_with(|| a[1..].cmp(&b[1..]))
        }
        _ => a.len().cmp(&b.len()),
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
