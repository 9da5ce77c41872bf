//! What a column's declared type means, in words that all engines share.
//!
//! A domain or another name for a type means what it stands for. What a meaning does not tell (lengths that no
//! engine enforces, collations, character sets) is not part of it.

use serde::{Deserialize, Serialize};

/// The meaning of a declared type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Type {
    /// true or false.
    Boolean,
    /// An integer of `bytes` (1, 2, 3, 4, 8) width.
    Integer {
        /// Width in bytes.
        bytes: u8,
        /// Whether the range begins at zero.
        unsigned: bool,
    },
    /// An exact decimal; without precision and scale any number of digits.
    Decimal {
        /// Digits in all.
        precision: Option<u32>,
        /// Digits after the point.
        scale: Option<i32>,
    },
    /// IEEE 754 single precision.
    Float32,
    /// IEEE 754 double precision.
    Float64,
    /// Text of at most `chars_max` characters.
    Text {
        /// Limit in characters, `None` for none worth naming.
        chars_max: Option<u64>,
        /// Blank-padded `char(n)`: trailing spaces mean nothing.
        fixed: bool,
    },
    /// Bytes, at most `bytes_max`.
    Bytes {
        /// Limit in bytes.
        bytes_max: Option<u64>,
        /// Zero-padded `binary(n)`.
        fixed: bool,
    },
    /// A calendar date.
    Date,
    /// Time of day with `digits` (0 to 6) of fraction.
    Time {
        /// Digits of fractional seconds.
        digits: u8,
    },
    /// Date and time without zone.
    DateTime {
        /// Digits of fractional seconds.
        digits: u8,
    },
    /// A moment (with time zone, or stored in UTC).
    Instant {
        /// Digits of fractional seconds.
        digits: u8,
    },
    /// A UUID.
    Uuid,
    /// JSON kept as the text it was written as (PostgreSQL `json`, MariaDB `JSON`).
    JsonText,
    /// JSON kept by structure (`jsonb`, MySQL `JSON`).
    Json,
    /// One of a list of words (`enum`).
    Enum {
        /// The words, in the type's order.
        members: Vec<String>,
    },
    /// Any number of a list of words (the MySQL family's `set`), printed with commas between them.
    Set {
        /// The words, in the type's order.
        members: Vec<String>,
    },
    /// A year, 0 or 1901 to 2155 (the MySQL family).
    Year,
    /// Exactly `length` bits.
    Bits {
        /// How many.
        length: u32,
    },
    /// An IP address, with or without the length of its network's prefix.
    Address {
        /// Whether it holds addresses of version 4.
        v4: bool,
        /// Whether it holds addresses of version 6.
        v6: bool,
        /// Whether an address may have a prefix length.
        prefix: bool,
    },
    /// A type of one engine whose printed text is exact: different values print differently, and the text reads
    /// back as the value (PostgreSQL's arrays, ranges, intervals …).
    Printed,
    /// Date and time without zone which the spec puts into one (`compare: { zone: … }`); read and written as the
    /// moments they then are.
    Zoned {
        /// Digits of fractional seconds.
        digits: u8,
        /// Minutes east of UTC.
        offset_minutes: i32,
    },
    /// Anything else; only its own engine understands it.
    Other,
}

/// A column's type: as declared in its engine's own words, and what that means.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ColumnType {
    /// The type as the engine's DDL would write it, for example `character varying(40)`.
    pub declared: String,
    /// Its meaning.
    pub meaning: Type,
    /// Whether a decimal is printed with all the zeros of its scale. SQLite keeps a double and prints none.
    pub prints_zeros: bool,
}

impl ColumnType {
    /// A type from its declaration and meaning.
    pub fn new(declared: impl Into<String>, meaning: Type) -> Self {
        ColumnType { declared: declared.into(), meaning, prints_zeros: true }
    }

    /// Digits after the point that the column always prints.
    pub fn printed_scale(&self) -> Option<u32> {
        self.fixed_scale().filter(|_| self.prints_zeros)
    }

    /// Digits after the point that the column has at most, where its type fixes them.
    pub fn fixed_scale(&self) -> Option<u32> {
        match self.meaning {
            Type::Decimal { scale: Some(scale), .. } => u32::try_from(scale).ok(),
            _ => None,
        }
    }
}
