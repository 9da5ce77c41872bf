//! What the values of a column pair are compared as, and the payload bytes each domain encodes to.

use serde::{Deserialize, Serialize};

/// SQLite's storage classes other than NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StorageClass {
    /// 64-bit integer.
    Integer,
    /// Double.
    Real,
    /// Text.
    Text,
    /// Blob.
    Blob,
}

/// The domain of a column pair. One domain for both sides, chosen from both types (room `schema`).
///
/// The payload of each domain is the binary wire form of PostgreSQL wherever that form is canonical, so
/// that the most common large tables need no transformation at all:
///
/// | domain | payload |
/// | --- | --- |
/// | `Boolean` | one byte, 0 or 1 |
/// | `Integer` | big-endian two's complement of exactly `bytes` bytes |
/// | `Decimal` | PostgreSQL's numeric: digit count, weight, sign, scale (16 bit each, big-endian), base-10000 digits |
/// | `Float32`, `Float64` | IEEE 754, big-endian; every NaN is the one quiet NaN |
/// | `Text`, `JsonText`, `Native` | UTF-8 (or the bytes that stand for text) |
/// | `Bytes`, `Uuid` | the bytes |
/// | `Date` | days since 2000-01-01, 32 bit ([`Date`](super::Date) says how impossible dates are kept) |
/// | `Time` | microseconds since midnight, 64 bit |
/// | `DateTime`, `Instant` | microseconds since 2000-01-01 00:00, 64 bit |
/// | `Json` | the byte 1, then JSON text |
/// | `Bits` | the number of bits (32 bit, big-endian), then the bits from the left, zeros behind them |
/// | `Address` | PostgreSQL's `inet`: version (2 or 3), prefix length, 0, number of bytes, the bytes |
/// | `Storage` | `i` + 64 bit, `r` + double, `t` + text, `b` + blob |
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Domain {
    /// true or false.
    Boolean,
    /// Integers that fit in `bytes` (2, 4, 8 or 16) bytes on both sides.
    Integer {
        /// Payload width.
        bytes: u8,
    },
    /// Exact decimals; `with_scale` makes 1.0 differ from 1.00.
    Decimal {
        /// Whether the number of trailing zeros counts.
        with_scale: bool,
    },
    /// Single precision.
    Float32,
    /// Double precision.
    Float64,
    /// Text by its code points; `char(n)` is read without its padding.
    Text,
    /// Bytes.
    Bytes,
    /// Dates.
    Date,
    /// Times of day.
    Time,
    /// Date and time without zone.
    DateTime,
    /// Moments.
    Instant,
    /// UUIDs.
    Uuid,
    /// JSON by structure. `canonical`: both sides re-print the document (sorted keys, exact numbers);
    /// otherwise the engine's own normal form is compared.
    Json {
        /// Whether the text is the one [`canonical_json`](super::canonical_json) prints.
        canonical: bool,
    },
    /// JSON as the text that was stored.
    JsonText,
    /// A number of bits, shown as their digits.
    Bits,
    /// IP addresses and the length of their network's prefix.
    Address,
    /// SQLite's value with its storage class; `expected` is the class the declared type asks for.
    Storage {
        /// Class of well-behaved values, `None` when any will do.
        expected: Option<StorageClass>,
    },
    /// The text of a type that only its own engine understands; same engine and same type on both sides.
    Native,
}

impl Domain {
    /// The domain's name in output.
    pub fn name(&self) -> &'static str {
        match self {
            Domain::Boolean => "boolean",
            Domain::Integer { .. } => "integer",
            Domain::Decimal { .. } => "decimal",
            Domain::Float32 | Domain::Float64 => "float",
            Domain::Text => "text",
            Domain::Bytes => "bytes",
            Domain::Date => "date",
            Domain::Time => "time",
            Domain::DateTime => "date-time",
            Domain::Instant => "instant",
            Domain::Uuid => "uuid",
            Domain::Json { .. } | Domain::JsonText => "json",
            Domain::Storage { expected } => match expected {
                Some(StorageClass::Integer) => "integer",
                Some(StorageClass::Real) => "float",
                Some(StorageClass::Text) => "text",
                Some(StorageClass::Blob) => "bytes",
                None => "any",
            },
            Domain::Bits => "bits",
            Domain::Address => "address",
            Domain::Native => "native",
        }
    }

    /// A byte sequence that tells this domain from every other; part of what a digest covers.
    pub fn tag(&self) -> [u8; 2] {
        match self {
            Domain::Boolean => [1, 0],
            Domain::Integer { bytes } => [2, *bytes],
            Domain::Decimal { with_scale } => [3, u8::from(*with_scale)],
            Domain::Float32 => [4, 4],
            Domain::Float64 => [4, 8],
            Domain::Text => [5, 0],
            Domain::Bytes => [6, 0],
            Domain::Date => [7, 0],
            Domain::Time => [8, 0],
            Domain::DateTime => [9, 0],
            Domain::Instant => [10, 0],
            Domain::Uuid => [11, 0],
            Domain::Json { canonical } => [12, u8::from(*canonical)],
            Domain::JsonText => [13, 0],
            // What class was expected changes how a value is shown, not what it is.
            Domain::Storage { .. } => [14, 0],
            Domain::Native => [15, 0],
            Domain::Bits => [16, 0],
            Domain::Address => [17, 0],
        }
    }

    /// Whether the payload order of [`KeyOrder`](super::KeyOrder) is one every engine can produce; which it is says
    /// [`OrderClass::of`](super::OrderClass::of).
    pub fn has_common_order(&self) -> bool {
        super::OrderClass::of(self).is_some()
    }
}
