//! The nouns of data: a [`Value`], an encoded [`Row`] and blocks of them, a [`Key`] and its order,
//! the [`Type`] of a column and the [`Domain`] in which two columns are compared.
//!
//! Invariant: the canonical encoding of a row is injective in its domains, so equal bytes mean equal rows
//! and different bytes mean different rows. This room knows no engine, no SQL and no I/O.

mod address;
mod bits;
mod block;
mod civil;
mod column_type;
mod decimal;
mod digest;
mod domain;
mod encoding;
#[cfg(test)]
mod fuzz;
mod json;
mod key;
mod order;
#[cfg(test)]
mod vectors;
mod words;

pub use address::{payload as address_payload, text as address_text};
pub use bits::{payload as bits_payload, text as bits_text};
pub use block::{Row, RowBlock};
pub use civil::{Civil, Date, Stamp, Time};
pub use column_type::{ColumnType, Type};
pub use decimal::{Decimal, DecimalError};
pub use digest::{BlockHasher, Digest, DigestMethod, RangeDigest, RowsHasher};
pub use domain::{Domain, StorageClass};
pub use encoding::{
    Fields, NULL_LENGTH, decode, decode_checked, encode, fields, is_field, is_row, put_field, put_null,
};
pub use json::{JsonError, canonical_json};
pub use key::{Key, KeyOrder, KeyRange};
pub use order::OrderClass;
pub use words::{named_values, raw_value_words, value_text, value_words};

/// One column's value of one row, in the domain of its column pair.
///
/// Values are for showing, for literals and for tests; comparing works on encoded rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL NULL; equal only to itself.
    Null,
    /// true or false.
    Boolean(bool),
    /// An integer of any engine, unsigned 64 bit included.
    Integer(i128),
    /// An exact decimal, with the number of trailing zeros its side prints.
    Decimal(Decimal),
    /// IEEE 754 single precision.
    Float32(f32),
    /// IEEE 754 double precision.
    Float64(f64),
    /// UTF-8 text.
    Text(String),
    /// Text whose bytes are not UTF-8.
    RawText(Vec<u8>),
    /// Binary data.
    Bytes(Vec<u8>),
    /// A calendar date.
    Date(Date),
    /// A time of day or, in the MySQL family, a duration of up to 838 hours.
    Time(Time),
    /// Date and time without zone.
    DateTime(Stamp),
    /// A moment, in UTC.
    Instant(Stamp),
    /// A UUID's 16 bytes.
    Uuid([u8; 16]),
    /// A JSON document as text.
    Json(String),
    /// A value that only its own engine understands, as that engine's text; bits as their digits, and an IP
    /// address in its usual form.
    Native(String),
    /// A SQLite value of another storage class than its column's domain.
    OtherStorage(Box<Value>),
}

impl Value {
    /// Whether this is SQL NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}
