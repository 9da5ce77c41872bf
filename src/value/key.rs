//! Keys, their order, and half-open ranges of them.
//!
//! A key is the encoded prefix of its row, so the rows of a block compare without decoding. The order of each
//! column is that of its domain's [`OrderClass`], NULL first.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Domain, OrderClass, Value, decode, fields, is_row};

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
        let bytes = BASE64.decode(&text).map_err(serde::de::Error::custom)?;
        if !is_row(&bytes) {
            return Err(serde::de::Error::custom("it is no key"));
        }
        Ok(Key::new(bytes))
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
    classes: Box<[OrderClass]>,
}

impl KeyOrder {
    /// The order for key columns of these domains; at least one column.
    pub fn new(domains: impl Into<Box<[Domain]>>) -> Self {
        let domains = domains.into();
        // What no engine can be asked for still has an order here, for lists of changes.
        let class = |domain| OrderClass::of(domain).unwrap_or(OrderClass::Bytes);
        KeyOrder { classes: domains.iter().map(class).collect(), domains }
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
        for class in &self.classes {
            let ordering = compare_fields(*class, a.next().flatten(), b.next().flatten());
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

fn compare_fields(class: OrderClass, a: Option<&[u8]>, b: Option<&[u8]>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(a), Some(b)) => class.compare(a, b),
    }
}
