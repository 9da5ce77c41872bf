//! The table of types that different engines (or different types of one) are compared across.
//!
//! Owns what goes with what: [`ROWS`] is read from top to bottom, both ways round, and the first row that fits
//! decides. A pair of types without a row has no exact common domain and is an error, never a lossy cast. The
//! documentation's tables are made from it ([`document`](super::document)). Refuses to know how a value is read or
//! written: a row says "within" where that can end in an error about one value.

use crate::sql::EngineName;
use crate::value::{Domain, Type};

/// Types that mean the same, whatever their widths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Boolean,
    Integer,
    Decimal,
    Single,
    Double,
    Text,
    Enum,
    Set,
    Bytes,
    Bits,
    Date,
    Time,
    DateTime,
    Instant,
    Year,
    Uuid,
    Json,
    Address,
    Printed,
    Other,
}

impl Family {
    /// The family of a type.
    pub(super) fn of(meaning: &Type) -> Family {
        match meaning {
            Type::Boolean => Family::Boolean,
            Type::Integer { .. } => Family::Integer,
            Type::Decimal { .. } => Family::Decimal,
            Type::Float32 => Family::Single,
            Type::Float64 => Family::Double,
            Type::Text { .. } => Family::Text,
            Type::Enum { .. } => Family::Enum,
            Type::Set { .. } => Family::Set,
            Type::Bytes { .. } => Family::Bytes,
            Type::Bits { .. } => Family::Bits,
            Type::Date => Family::Date,
            Type::Time { .. } => Family::Time,
            Type::DateTime { .. } => Family::DateTime,
            // The spec's zone makes a moment of it.
            Type::Instant { .. } | Type::Zoned { .. } => Family::Instant,
            Type::Year => Family::Year,
            Type::Uuid => Family::Uuid,
            Type::Json | Type::JsonText => Family::Json,
            Type::Address { .. } => Family::Address,
            Type::Printed => Family::Printed,
            Type::Other => Family::Other,
        }
    }

    /// The names that an engine has for types of the family, for people; empty where it has none.
    pub(super) fn names(self, engine: EngineName) -> &'static str {
        let (_, names) = NAMES.iter().find(|(family, _)| *family == self).expect("every family has names");
        names[match engine {
            EngineName::Postgres => 0,
            EngineName::Mysql => 1,
            EngineName::Mariadb => 2,
            EngineName::Sqlite => 3,
        }]
    }
}

/// On PostgreSQL, MySQL, MariaDB and (as declared) SQLite. Domains of PostgreSQL are the type they are over.
const NAMES: &[(Family, [&str; 4])] = &[
    (Family::Boolean, ["boolean", "", "", "BOOLEAN"]),
    (
        Family::Integer,
        [
            "smallint, integer, bigint, oid",
            "tinyint … bigint, also unsigned",
            "tinyint … bigint, also unsigned",
            "INTEGER, BIGINT …",
        ],
    ),
    (Family::Decimal, ["numeric", "decimal", "decimal", "DECIMAL, NUMERIC"]),
    (Family::Single, ["real", "float", "float", "FLOAT4"]),
    (Family::Double, ["double precision", "double", "double", "REAL, DOUBLE, FLOAT"]),
    (
        Family::Text,
        [
            "text, varchar, char(n), citext",
            "char, varchar, tinytext … longtext",
            "char, varchar, tinytext … longtext",
            "TEXT, VARCHAR, CHAR, CLOB",
        ],
    ),
    (Family::Enum, ["enum types", "enum", "enum", ""]),
    (Family::Set, ["", "set", "set", ""]),
    (
        Family::Bytes,
        ["bytea", "binary, varbinary, tinyblob … longblob", "binary, varbinary, tinyblob … longblob", "BLOB"],
    ),
    (Family::Bits, ["bit(n)", "bit(n)", "bit(n)", ""]),
    (Family::Date, ["date", "date", "date", "DATE"]),
    (Family::Time, ["time", "time", "time", "TIME"]),
    (Family::DateTime, ["timestamp", "datetime", "datetime", "DATETIME, TIMESTAMP"]),
    (Family::Instant, ["timestamptz", "timestamp", "timestamp", "TIMESTAMP WITH TIME ZONE, TIMESTAMPTZ"]),
    (Family::Year, ["", "year", "year", ""]),
    (Family::Uuid, ["uuid", "", "uuid", "UUID"]),
    (Family::Json, ["json, jsonb", "json", "json", "JSON"]),
    (Family::Address, ["inet", "", "inet4, inet6", ""]),
    (
        Family::Printed,
        [
            "interval, timetz, cidr, macaddr, arrays, ranges, composites, xml, tsvector, hstore and all others but \
             money, \"char\", regclass and its like",
            "",
            "",
            "",
        ],
    ),
    (
        Family::Other,
        [
            "money, \"char\", regclass and its like, bpchar without a length",
            "spatial types",
            "spatial types",
            "no type, or a name not listed here",
        ],
    ),
];

/// What a pair of families is compared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    Boolean,
    /// As wide as the wider of both.
    Integer,
    Decimal,
    Single,
    Double,
    Text,
    Bytes,
    Bits,
    Date,
    Time,
    DateTime,
    Instant,
    Uuid,
    Json,
    Address,
}

impl Compared {
    /// The domain's name in output.
    pub(super) fn name(self) -> &'static str {
        self.domain(&Type::Other, &Type::Other).name()
    }

    /// The domain for two types of a row.
    pub(super) fn domain(self, a: &Type, b: &Type) -> Domain {
        match self {
            Compared::Boolean => Domain::Boolean,
            Compared::Integer => Domain::Integer { bytes: integer_width(a).max(integer_width(b)) },
            Compared::Decimal => Domain::Decimal { with_scale: false },
            Compared::Single => Domain::Float32,
            Compared::Double => Domain::Float64,
            Compared::Text => Domain::Text,
            Compared::Bytes => Domain::Bytes,
            Compared::Bits => Domain::Bits,
            Compared::Date => Domain::Date,
            Compared::Time => Domain::Time,
            Compared::DateTime => Domain::DateTime,
            Compared::Instant => Domain::Instant,
            Compared::Uuid => Domain::Uuid,
            Compared::Json => Domain::Json { canonical: true },
            Compared::Address => Domain::Address,
        }
    }
}

/// The narrowest of 2, 4, 8 and 16 bytes that holds the type's whole range as a signed number.
pub(super) fn integer_width(meaning: &Type) -> u8 {
    let Type::Integer { bytes, unsigned } = meaning else {
        return if *meaning == Type::Year { 2 } else { 16 };
    };
    match (bytes, unsigned) {
        (1, _) | (2, false) => 2,
        (2, true) | (3, _) | (4, false) => 4,
        (4, true) | (8, false) => 8,
        _ => 16,
    }
}

/// What else a row asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Only {
    /// Nothing.
    Always,
    /// The second family's side is SQLite, which has no other type for such values.
    SecondIsSqlite,
    /// An unsigned integer of 64 bits against `numeric(20,0)`, which it becomes where there is no such type.
    TwentyDigits,
    /// One bit.
    OneBit,
    /// A type that takes sixteen bytes.
    SixteenBytes,
}

impl Only {
    /// Whether two types of the row's families are what it asks for.
    fn holds(self, one: &Type, other: &Type, other_is_sqlite: bool) -> bool {
        match self {
            Only::Always => true,
            Only::SecondIsSqlite => other_is_sqlite,
            Only::TwentyDigits => {
                matches!(one, Type::Integer { bytes: 8, unsigned: true })
                    && matches!(other, Type::Decimal { precision: Some(20), scale: Some(0) })
            }
            Only::OneBit => matches!(other, Type::Bits { length: 1 }),
            Only::SixteenBytes => match other {
                Type::Bytes { bytes_max: Some(16), .. } | Type::Bytes { bytes_max: None, .. } => true,
                Type::Bytes { bytes_max: Some(max), fixed } => !fixed && *max > 16,
                _ => false,
            },
        }
    }

    /// The condition in words, for the documentation.
    pub(super) fn words(self) -> Option<&'static str> {
        match self {
            Only::Always | Only::SecondIsSqlite => None,
            Only::TwentyDigits => Some("`bigint unsigned` and `numeric(20,0)`"),
            Only::OneBit => Some("`bit(1)`"),
            Only::SixteenBytes => Some("of 16 bytes"),
        }
    }
}

/// A row: two families, what they are compared as, and the values outside of which that is an error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub one: Family,
    pub other: Family,
    pub only: Only,
    pub compared: Compared,
    /// `None`: every value of both sides; else those within.
    pub within: Option<&'static str>,
}

const fn exact(one: Family, other: Family, compared: Compared) -> Row {
    Row { one, other, only: Only::Always, compared, within: None }
}

const fn within(one: Family, other: Family, compared: Compared, values: &'static str) -> Row {
    Row { one, other, only: Only::Always, compared, within: Some(values) }
}

const fn only(only: Only, row: Row) -> Row {
    Row { only, ..row }
}

/// The table.
pub(super) const ROWS: &[Row] = &[
    exact(Family::Boolean, Family::Boolean, Compared::Boolean),
    within(Family::Boolean, Family::Integer, Compared::Boolean, "0 and 1"),
    only(Only::OneBit, exact(Family::Boolean, Family::Bits, Compared::Boolean)),
    exact(Family::Integer, Family::Integer, Compared::Integer),
    within(Family::Integer, Family::Year, Compared::Integer, "0 and 1901 to 2155"),
    only(Only::TwentyDigits, within(Family::Integer, Family::Decimal, Compared::Integer, "whole numbers")),
    within(Family::Integer, Family::Decimal, Compared::Decimal, "what is written: whole numbers"),
    within(
        Family::Decimal,
        Family::Decimal,
        Compared::Decimal,
        "numbers by value, however many zeros; NaN and the infinities on PostgreSQL alone",
    ),
    only(
        Only::SecondIsSqlite,
        within(
            Family::Decimal,
            Family::Double,
            Compared::Decimal,
            "the shortest text of the double, with at most the decimal's digits after the point",
        ),
    ),
    exact(Family::Single, Family::Single, Compared::Single),
    only(
        Only::SecondIsSqlite,
        within(Family::Single, Family::Double, Compared::Single, "doubles that are exactly a single"),
    ),
    within(
        Family::Single,
        Family::Double,
        Compared::Double,
        "what is written: doubles that are exactly a single; SQLite keeps all",
    ),
    within(Family::Double, Family::Double, Compared::Double, "NaN and the infinities on PostgreSQL alone"),
    within(
        Family::Text,
        Family::Text,
        Compared::Text,
        "by code point, `char(n)` without its padding; no NUL on PostgreSQL, no bytes that are not UTF-8",
    ),
    within(Family::Text, Family::Enum, Compared::Text, "the enum's words"),
    within(Family::Enum, Family::Enum, Compared::Text, "words that both have"),
    within(
        Family::Text,
        Family::Set,
        Compared::Text,
        "the set's words, in its order, with commas between them",
    ),
    within(Family::Set, Family::Set, Compared::Text, "words that both have, in one order"),
    within(
        Family::Bytes,
        Family::Bytes,
        Compared::Bytes,
        "`binary(n)` with its zeros: shorter values are not written",
    ),
    within(Family::Bits, Family::Bits, Compared::Bits, "what is written: as many bits"),
    within(Family::Bits, Family::Text, Compared::Bits, "the digits 0 and 1"),
    within(
        Family::Date,
        Family::Date,
        Compared::Date,
        "years 0 (1 BC) to 9999 on all; zero dates on the MySQL family and SQLite alone, years before and after and infinity \
         on PostgreSQL alone",
    ),
    within(
        Family::Time,
        Family::Time,
        Compared::Time,
        "00:00 to 24:00; beyond and below on the MySQL family and SQLite alone",
    ),
    within(
        Family::DateTime,
        Family::DateTime,
        Compared::DateTime,
        "as dates; fractions to the column's digits",
    ),
    within(
        Family::Instant,
        Family::Instant,
        Compared::Instant,
        "in UTC, as dates; 1970 to 2038 (MariaDB 11.5: 2106) for the MySQL family's `timestamp`",
    ),
    exact(Family::Uuid, Family::Uuid, Compared::Uuid),
    within(
        Family::Uuid,
        Family::Text,
        Compared::Uuid,
        "32 hexadecimal digits in either case, with or without hyphens",
    ),
    only(Only::SixteenBytes, exact(Family::Uuid, Family::Bytes, Compared::Uuid)),
    within(
        Family::Json,
        Family::Json,
        Compared::Json,
        "by structure with exact numbers; no `\\u0000` in `jsonb`, no number with more digits than MySQL keeps in its `json`",
    ),
    within(Family::Json, Family::Text, Compared::Json, "JSON documents, by structure with exact numbers"),
    within(
        Family::Address,
        Family::Address,
        Compared::Address,
        "what the other type holds: a version, a prefix length",
    ),
    within(Family::Address, Family::Text, Compared::Address, "addresses in any usual spelling"),
    within(
        Family::Printed,
        Family::Text,
        Compared::Text,
        "the text as PostgreSQL prints the value; another one is an error when it is written",
    ),
];

/// Pairs that people expect and that are refused, and why; every other pair without a row is refused too.
pub(super) const REFUSED: &[(Family, Family, &str)] = &[
    (Family::Decimal, Family::Single, "a float is rarely the decimal that was meant"),
    (Family::Decimal, Family::Double, "a float is rarely the decimal that was meant"),
    (Family::Integer, Family::Single, "a float holds few of the integers"),
    (Family::Integer, Family::Double, "a float holds few of the integers"),
    (Family::DateTime, Family::Instant, "until the spec says `compare: { column: { zone: UTC } }`"),
    (Family::Date, Family::DateTime, "a day is no time of it"),
    (Family::Date, Family::Instant, "a day is no time of it"),
    (Family::Integer, Family::Text, "a number has many texts"),
    (Family::Decimal, Family::Text, "a number has many texts"),
    (Family::Bits, Family::Integer, "bits are no number"),
    (Family::Bytes, Family::Text, "bytes are a text in some character set only"),
];

/// What two types are compared as; `sqlite` says of each whether its side is SQLite.
pub(super) fn find(a: (&Type, bool), b: (&Type, bool)) -> Option<Domain> {
    let fits = |row: &Row, one: (&Type, bool), other: (&Type, bool)| {
        row.one == Family::of(one.0)
            && row.other == Family::of(other.0)
            && row.only.holds(one.0, other.0, other.1)
    };
    let row = ROWS.iter().find(|row| fits(row, a, b) || fits(row, b, a))?;
    Some(row.compared.domain(a.0, b.0))
}
