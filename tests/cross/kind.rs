//! The concrete types that stand for each cell of `TYPES.md`: what each holds, and how it writes a value.
//!
//! A value is neutral text, the same for all engines; [`Kind::literal`] is its native form, or `None` where the type
//! cannot hold it exactly. That answer is the test's own: it shares nothing with the code under test, and where the
//! two disagree a test fails.

use std::sync::OnceLock;

use crate::servers::{Engine, Product, open};
use crate::types::{On, Sample, postgres};

use super::values::{LISTED, NULL, SET, SET_LESS, SET_TURNED, WORDS, WORDS_TURNED};

/// The families of `schema/comparable.rs`, by what stands in the document's cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
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

/// How the document names each family on PostgreSQL, on MariaDB and MySQL, and on SQLite.
const CELLS: &[(Family, [&str; 3])] = &[
    (Family::Boolean, ["boolean", "", "BOOLEAN"]),
    (
        Family::Integer,
        ["smallint, integer, bigint, oid", "tinyint … bigint, also unsigned", "INTEGER, BIGINT …"],
    ),
    (Family::Decimal, ["numeric", "decimal", "DECIMAL, NUMERIC"]),
    (Family::Single, ["real", "float", "FLOAT4"]),
    (Family::Double, ["double precision", "double", "REAL, DOUBLE, FLOAT"]),
    (
        Family::Text,
        ["text, varchar, char(n), citext", "char, varchar, tinytext … longtext", "TEXT, VARCHAR, CHAR, CLOB"],
    ),
    (Family::Enum, ["enum types", "enum", ""]),
    (Family::Set, ["", "set", ""]),
    (Family::Bytes, ["bytea", "binary, varbinary, tinyblob … longblob", "BLOB"]),
    (Family::Bits, ["bit(n)", "bit(n)", ""]),
    (Family::Date, ["date", "date", "DATE"]),
    (Family::Time, ["time", "time", "TIME"]),
    (Family::DateTime, ["timestamp", "datetime", "DATETIME, TIMESTAMP"]),
    (Family::Instant, ["timestamptz", "timestamp", "TIMESTAMP WITH TIME ZONE, TIMESTAMPTZ"]),
    (Family::Year, ["", "year", ""]),
    (Family::Uuid, ["uuid", "uuid", "UUID"]),
    (Family::Json, ["json, jsonb", "json", "JSON"]),
    (Family::Address, ["inet", "inet4, inet6", ""]),
    (
        Family::Printed,
        [
            "interval, timetz, cidr, macaddr, arrays, ranges, composites, xml, tsvector, hstore and all others but \
             money, \"char\", regclass and its like",
            "",
            "",
        ],
    ),
];

impl Family {
    /// The family that a cell of the document speaks of.
    pub fn of_cell(product: &str, cell: &str) -> Option<Family> {
        let at = match product {
            "postgres" => 0,
            "sqlite" => 2,
            _ => 1,
        };
        CELLS.iter().find(|(_, cells)| cells[at] == cell).map(|(family, _)| *family)
    }
}

/// What a type can hold.
#[derive(Clone, Debug)]
pub enum Form {
    Boolean,
    Integer { low: i128, high: i128 },
    Decimal { whole: usize, scale: usize, special: &'static [&'static str] },
    Single,
    Double,
    Text { chars: usize, bytes: usize, fixed: bool, latin1: bool },
    Enum(&'static [&'static str]),
    Set(&'static [&'static str]),
    Bytes { max: usize, fixed: bool },
    Bits(usize),
    Date,
    Time(usize),
    DateTime(usize),
    Instant(usize),
    Year,
    Uuid,
    Json { tree: bool },
    Address { v4: bool, v6: bool, prefix: bool },
    Printed(&'static [(String, String)]),
    Other,
}

/// A declared type of one product.
#[derive(Clone, Debug)]
pub struct Kind {
    pub product: &'static str,
    pub family: Family,
    pub declared: String,
    pub form: Form,
}

const ANY: usize = usize::MAX;

const fn text(chars: usize, bytes: usize, fixed: bool) -> Form {
    Form::Text { chars, bytes, fixed, latin1: false }
}

const fn integer(bits: u32, unsigned: bool) -> Form {
    match unsigned {
        true => Form::Integer { low: 0, high: (1 << bits) - 1 },
        false => Form::Integer { low: -(1 << (bits - 1)), high: (1 << (bits - 1)) - 1 },
    }
}

const fn decimal(precision: usize, scale: usize) -> Form {
    Form::Decimal { whole: precision - scale, scale, special: &[] }
}

/// Every type of a product that stands in a cell, and those that stand in none.
pub fn kinds(product: &Product) -> Vec<Kind> {
    let of = |family, declared: &str, form| Kind {
        product: product.name,
        family,
        declared: declared.to_owned(),
        form,
    };
    match product.name {
        "postgres" => {
            let mut kinds: Vec<Kind> = postgres_kinds(product).map(|(f, d, form)| of(f, d, form)).into();
            let printed = printed();
            kinds.extend(
                printed.iter().map(|(declared, values)| {
                    of(Family::Printed, declared, Form::Printed(values.as_slice()))
                }),
            );
            kinds
        }
        "sqlite" => sqlite_kinds().map(|(f, d, form)| of(f, d, form)).into(),
        _ => family_kinds(product).into_iter().map(|(f, d, form)| of(f, &d, form)).collect(),
    }
}

/// Made before the tables on PostgreSQL, behind the prelude of its types.
pub fn postgres_prelude() -> String {
    let words = |words: &[&str]| -> String {
        words.iter().map(|word| quoted("postgres", word)).collect::<Vec<_>>().join(", ")
    };
    format!(
        "{}{}CREATE TYPE words AS ENUM ({});\nCREATE TYPE words_turned AS ENUM ({});\n\
         CREATE DOMAIN whole AS integer CHECK (value <> 42); CREATE DOMAIN short AS varchar(64);\n",
        postgres::SETTINGS,
        postgres::PRELUDE,
        words(WORDS),
        words(WORDS_TURNED),
    )
}

fn postgres_kinds(product: &Product) -> [(Family, &'static str, Form); 38] {
    let special: &[&str] = if product.major() >= 14 { &["NaN", "Infinity", "-Infinity"] } else { &["NaN"] };
    let nan = |precision: usize, scale| Form::Decimal { whole: precision - scale, scale, special: &["NaN"] };
    [
        (Family::Boolean, "boolean", Form::Boolean),
        (Family::Integer, "smallint", integer(16, false)),
        (Family::Integer, "integer", integer(32, false)),
        (Family::Integer, "bigint", integer(64, false)),
        (Family::Integer, "oid", integer(32, true)),
        (Family::Integer, "whole", integer(32, false)),
        (Family::Decimal, "numeric", Form::Decimal { whole: 1000, scale: 1000, special }),
        (Family::Decimal, "numeric(10,2)", nan(10, 2)),
        (Family::Decimal, "numeric(20,0)", nan(20, 0)),
        (Family::Decimal, "numeric(40,12)", nan(40, 12)),
        (Family::Single, "real", Form::Single),
        (Family::Double, "double precision", Form::Double),
        (Family::Text, "text", text(ANY, ANY, false)),
        (Family::Text, "varchar(64)", text(64, ANY, false)),
        (Family::Text, "char(64)", text(64, ANY, true)),
        (Family::Text, "citext", text(ANY, ANY, false)),
        (Family::Text, "short", text(64, ANY, false)),
        (Family::Enum, "words", Form::Enum(WORDS)),
        (Family::Enum, "words_turned", Form::Enum(WORDS_TURNED)),
        (Family::Bytes, "bytea", Form::Bytes { max: ANY, fixed: false }),
        (Family::Bits, "bit(1)", Form::Bits(1)),
        (Family::Bits, "bit(9)", Form::Bits(9)),
        (Family::Bits, "bit(64)", Form::Bits(64)),
        (Family::Date, "date", Form::Date),
        (Family::Time, "time", Form::Time(6)),
        (Family::Time, "time(0)", Form::Time(0)),
        (Family::DateTime, "timestamp", Form::DateTime(6)),
        (Family::DateTime, "timestamp(3)", Form::DateTime(3)),
        (Family::Instant, "timestamptz", Form::Instant(6)),
        (Family::Instant, "timestamptz(3)", Form::Instant(3)),
        (Family::Uuid, "uuid", Form::Uuid),
        (Family::Json, "json", Form::Json { tree: false }),
        (Family::Json, "jsonb", Form::Json { tree: true }),
        (Family::Address, "inet", Form::Address { v4: true, v6: true, prefix: true }),
        (Family::Other, "money", Form::Other),
        (Family::Other, "\"char\"", Form::Other),
        (Family::Other, "regclass", Form::Other),
        (Family::Other, "bpchar", Form::Other),
    ]
}

fn sqlite_kinds() -> [(Family, &'static str, Form); 30] {
    let open = || text(ANY, ANY, false);
    [
        (Family::Boolean, "BOOLEAN", Form::Boolean),
        (Family::Integer, "INTEGER", integer(64, false)),
        (Family::Integer, "BIGINT", integer(64, false)),
        (Family::Integer, "TINYINT UNSIGNED", integer(64, false)),
        (Family::Decimal, "DECIMAL(10,2)", Form::Decimal { whole: 300, scale: 2, special: &[] }),
        (Family::Decimal, "DECIMAL(20,0)", Form::Decimal { whole: 300, scale: 0, special: &[] }),
        (Family::Decimal, "NUMERIC", Form::Decimal { whole: 300, scale: 300, special: &[] }),
        (Family::Single, "FLOAT4", Form::Single),
        (Family::Double, "REAL", Form::Double),
        (Family::Double, "DOUBLE PRECISION", Form::Double),
        (Family::Double, "FLOAT", Form::Double),
        (Family::Text, "TEXT", open()),
        (Family::Text, "VARCHAR(64)", open()),
        (Family::Text, "CHAR(64) COLLATE NOCASE", open()),
        (Family::Text, "CLOB", open()),
        (Family::Bytes, "BLOB", Form::Bytes { max: ANY, fixed: false }),
        (Family::Bytes, "VARBINARY(40)", Form::Bytes { max: ANY, fixed: false }),
        (Family::Date, "DATE", Form::Date),
        (Family::Time, "TIME", Form::Time(6)),
        (Family::DateTime, "DATETIME", Form::DateTime(6)),
        (Family::DateTime, "TIMESTAMP", Form::DateTime(6)),
        (Family::Instant, "TIMESTAMP WITH TIME ZONE", Form::Instant(6)),
        (Family::Instant, "TIMESTAMPTZ", Form::Instant(6)),
        (Family::Uuid, "UUID", Form::Uuid),
        (Family::Json, "JSON", Form::Json { tree: false }),
        (Family::Text, "LONGTEXT", open()),
        (Family::Decimal, "NUMERIC(40,12)", Form::Decimal { whole: 300, scale: 12, special: &[] }),
        (Family::Other, "", Form::Other),
        (Family::Other, "GEOMETRY", Form::Other),
        (Family::Other, "FLOATING POINT", Form::Other),
    ]
}

/// The types of MariaDB and MySQL.
fn family_kinds(product: &Product) -> Vec<(Family, String, Form)> {
    let mut kinds = Vec::new();
    for (name, bits) in [("tinyint", 8), ("smallint", 16), ("mediumint", 24), ("int", 32), ("bigint", 64)] {
        kinds.push((Family::Integer, name.to_owned(), integer(bits, false)));
        kinds.push((Family::Integer, format!("{name} unsigned"), integer(bits, true)));
    }
    let words = |name: &str, words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| quoted("mariadb", word)).collect();
        format!("{name}({}) COLLATE utf8mb4_bin", words.join(","))
    };
    let bytes = |max, fixed| Form::Bytes { max, fixed };
    let fixed = [
        (Family::Decimal, "decimal(10,2)", decimal(10, 2)),
        (Family::Decimal, "decimal(20,0)", decimal(20, 0)),
        (Family::Decimal, "decimal(40,12)", decimal(40, 12)),
        (Family::Decimal, "decimal(65,30)", decimal(65, 30)),
        (Family::Single, "float", Form::Single),
        (Family::Double, "double", Form::Double),
        (Family::Text, "varchar(64) COLLATE utf8mb4_general_ci", text(64, ANY, false)),
        (Family::Text, "varchar(64) COLLATE utf8mb4_bin", text(64, ANY, false)),
        (Family::Text, "char(64)", text(64, ANY, true)),
        (
            Family::Text,
            "varchar(300) CHARACTER SET latin1",
            Form::Text { chars: 300, bytes: ANY, fixed: false, latin1: true },
        ),
        (Family::Text, "tinytext", text(ANY, 255, false)),
        (Family::Text, "text", text(ANY, 65_535, false)),
        (Family::Text, "mediumtext", text(ANY, ANY, false)),
        (Family::Text, "longtext", text(ANY, ANY, false)),
        (Family::Bytes, "binary(16)", bytes(16, true)),
        (Family::Bytes, "varbinary(40)", bytes(40, false)),
        (Family::Bytes, "tinyblob", bytes(255, false)),
        (Family::Bytes, "blob", bytes(65_535, false)),
        (Family::Bytes, "longblob", bytes(ANY, false)),
        (Family::Bits, "bit(1)", Form::Bits(1)),
        (Family::Bits, "bit(9)", Form::Bits(9)),
        (Family::Bits, "bit(64)", Form::Bits(64)),
        (Family::Date, "date", Form::Date),
        (Family::Time, "time", Form::Time(0)),
        (Family::Time, "time(6)", Form::Time(6)),
        (Family::DateTime, "datetime", Form::DateTime(0)),
        (Family::DateTime, "datetime(6)", Form::DateTime(6)),
        (Family::Instant, "timestamp NULL", Form::Instant(0)),
        (Family::Instant, "timestamp(6) NULL", Form::Instant(6)),
        (Family::Year, "year", Form::Year),
        (Family::Json, "json", Form::Json { tree: product.is_mysql() }),
        (Family::Other, "geometry", Form::Other),
    ];
    kinds.extend(fixed.map(|(family, declared, form)| (family, declared.to_owned(), form)));
    kinds.push((Family::Enum, words("enum", WORDS), Form::Enum(WORDS)));
    kinds.push((Family::Enum, words("enum", WORDS_TURNED), Form::Enum(WORDS_TURNED)));
    for members in [SET, SET_LESS, SET_TURNED] {
        kinds.push((Family::Set, words("set", members), Form::Set(members)));
    }
    // Types of MariaDB alone, and of some of its versions.
    let brand = [
        (Family::Uuid, "uuid", Form::Uuid, On::Mariadb(10, 7)),
        (Family::Address, "inet4", Form::Address { v4: true, v6: false, prefix: false }, On::Mariadb(10, 10)),
        (Family::Address, "inet6", Form::Address { v4: false, v6: true, prefix: false }, On::Mariadb(10, 6)),
    ];
    for (family, declared, form, on) in brand {
        if on.has(product) {
            kinds.push((family, declared.to_owned(), form));
        }
    }
    kinds
}

/// The types that MariaDB has and this version lacks.
pub fn lacking(product: &Product) -> Vec<&'static str> {
    let types = [("uuid", On::Mariadb(10, 7)), ("inet4", On::Mariadb(10, 10)), ("inet6", On::Mariadb(10, 6))];
    let lacks = |on: On| matches!(product.name, "mariadb" | "mysql") && !on.has(product);
    let mut lacking: Vec<&str> =
        types.into_iter().filter(|(_, on)| lacks(*on)).map(|(name, _)| name).collect();
    if product.name == "postgres" && product.major() < 14 {
        lacking.extend(["multiranges", "infinite numeric"]);
    }
    lacking
}

/// Samples of PostgreSQL whose types are compared as something else than the text they print, or with nothing.
const NOT_PRINTED: &[&str] = &[
    "boolean",
    "smallint",
    "bigint",
    "oid",
    "real",
    "double precision",
    "numeric",
    "numeric(10,2)",
    "money",
    "text",
    "char(5)",
    "bpchar",
    "varchar(10)",
    "citext",
    "\"char\"",
    "bytea",
    "bit(1)",
    "bit(9)",
    "date",
    "time",
    "time(3)",
    "timestamp",
    "timestamptz",
    "timestamptz(3)",
    "uuid",
    "json",
    "jsonb",
    "inet",
    "regclass",
    "regproc",
    "regprocedure",
    "regoper",
    "regoperator",
    "regtype",
    "regrole",
    "regnamespace",
    "regconfig",
    "regdictionary",
    "regcollation",
    "mood",
    "\"Odd Type\"",
    "email",
    "small_email",
    "positive",
    "folded",
    "happy",
];

/// Declared types, and for each value its text and its literal.
type Printed = Vec<(String, Vec<(String, String)>)>;

/// The samples of PostgreSQL whose text is exact, each value with the text that the server itself prints.
fn printed() -> &'static Printed {
    static PRINTED: OnceLock<Printed> = OnceLock::new();
    PRINTED.get_or_init(|| {
        let server = open(Engine::Postgres, "printed");
        server.execute_script(&postgres_prelude());
        let since_14 = postgres::SINCE_14.iter().filter(|_| Engine::Postgres.product().major() >= 14);
        let samples = postgres::SAMPLES.iter().chain(since_14);
        let printed = samples.filter(|sample| !NOT_PRINTED.contains(&sample.declared));
        printed.map(|sample| (sample.declared.to_owned(), texts(&server, sample))).collect()
    })
}

fn texts(server: &crate::servers::Database, sample: &Sample) -> Vec<(String, String)> {
    let more = LISTED.iter().filter(|(declared, _)| *declared == sample.declared).flat_map(|(_, more)| *more);
    let values: Vec<&str> = sample.values.iter().chain(more).copied().collect();
    let rows: Vec<String> = values.iter().enumerate().map(|(at, value)| format!("({at}, {value})")).collect();
    server.execute_script(&format!(
        "{}{}INSERT INTO {} VALUES {};",
        postgres::SETTINGS,
        sample.create(),
        sample.name,
        rows.join(", ")
    ));
    let printed = server.query(&format!("SELECT v::text FROM {} ORDER BY id", sample.name));
    let text = |row: Vec<Option<String>>| row.into_iter().flatten().next().expect("no sample is NULL");
    printed.into_iter().map(text).zip(values.into_iter().map(str::to_owned)).collect()
}

/// A text literal; NUL, which no script holds, in hexadecimal.
pub fn quoted(product: &str, value: &str) -> String {
    let hex = || value.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    match product {
        "sqlite" if value.contains('\0') => format!("CAST(x'{}' AS TEXT)", hex()),
        "mariadb" | "mysql" if value.contains('\0') => format!("_utf8mb4 x'{}'", hex()),
        _ => format!("'{}'", value.replace('\'', "''")),
    }
}

/// The spellings of a value, which mean the same; in texts the mark is a character like any other.
pub fn spellings<'v>(domain: &str, value: &'v str) -> (&'v str, &'v str) {
    let spelled = ["uuid", "json", "address", "decimal"].contains(&domain);
    value.split_once(" ≡ ").filter(|_| spelled).unwrap_or((value, value))
}

impl Kind {
    /// Whether it is on SQLite.
    fn is_sqlite(&self) -> bool {
        self.product == "sqlite"
    }

    fn is_postgres(&self) -> bool {
        self.product == "postgres"
    }

    /// The literal of a value in the spelling that is asked for, `None` where the type cannot hold the value.
    pub fn literal(&self, domain: &str, value: &str, respelled: bool) -> Option<String> {
        let (first, last) = spellings(domain, value);
        let plain = self.spelled(domain, first)?;
        Some(if respelled { self.spelled(domain, last).unwrap_or(plain) } else { plain })
    }

    fn spelled(&self, domain: &str, value: &str) -> Option<String> {
        if value == NULL {
            return Some("NULL".to_owned());
        }
        let text = || Some(quoted(self.product, value));
        match (domain, &self.form) {
            ("boolean", Form::Boolean) if self.is_postgres() => {
                Some(if value == "1" { "TRUE" } else { "FALSE" }.to_owned())
            }
            ("boolean", Form::Boolean | Form::Integer { .. }) => Some(value.to_owned()),
            ("boolean" | "bits", Form::Bits(length)) => self.bits(*length, value),
            ("integer" | "decimal", Form::Integer { low, high }) => {
                let number: i128 = value.parse().ok()?;
                (*low..=*high).contains(&number).then(|| value.to_owned())
            }
            ("integer", Form::Year) => {
                let year: i128 = value.parse().ok()?;
                (year == 0 || (1901..=2155).contains(&year)).then(|| value.to_owned())
            }
            ("integer" | "decimal", Form::Decimal { whole, scale, special }) => {
                self.decimal(value, *whole, *scale, special)
            }
            ("decimal", Form::Double) => sqlite_decimal(value, false),
            ("float", Form::Single | Form::Double) => self.float(value),
            ("text", Form::Text { .. }) => self.fits_text(value).then(text)?,
            ("text", Form::Enum(words)) => words.contains(&value).then(text)?,
            ("text", Form::Set(words)) => is_set(value, words).then(text)?,
            ("text", Form::Printed(values)) => {
                let (_, literal) = values.iter().find(|(printed, _)| printed == value)?;
                Some(literal.clone())
            }
            ("bytes", Form::Bytes { .. }) => self.bytes(value),
            ("bits", Form::Text { .. }) => {
                (self.fits_text(value) && value.bytes().all(|digit| b"01".contains(&digit))).then(text)?
            }
            ("date", Form::Date) => self.has_day(value).then(|| self.dated(value)),
            ("time", Form::Time(digits)) => (self.has_time(value) && fits(value, *digits)).then(text)?,
            ("date-time", Form::DateTime(digits)) => {
                (self.has_day(value) && fits(value, *digits)).then(|| self.dated(value))
            }
            ("instant", Form::Instant(digits)) => self.instant(value, *digits),
            // Two hours ahead of UTC, as the spec says of it.
            ("instant", Form::DateTime(digits)) => {
                let moment: jiff::civil::DateTime = value.parse().ok()?;
                let local = moment.checked_add(jiff::Span::new().hours(2)).ok()?;
                fits(value, *digits).then(|| quoted(self.product, &local.to_string().replace('T', " ")))
            }
            ("uuid", Form::Uuid) => (self.product != "mariadb" || mariadb_has(value)).then(text)?,
            ("uuid", Form::Bytes { .. }) => self.bytes(&value.replace('-', "").to_lowercase()),
            ("json", Form::Json { tree }) => self.has_document(value, *tree).then(text)?,
            ("address", Form::Address { v4, v6, prefix }) => {
                let version = if value.contains(':') { *v6 } else { *v4 };
                (version && (*prefix || !value.contains('/'))).then(text)?
            }
            // The document is written with all digits of its numbers.
            ("json", Form::Text { chars, .. }) if value.ends_with("e300") && *chars < 301 => None,
            ("json", Form::Text { bytes: ..301, .. }) if value.ends_with("e300") => None,
            ("uuid" | "json" | "address", Form::Text { .. }) => self.fits_text(value).then(text)?,
            _ => None,
        }
    }

    fn bits(&self, length: usize, value: &str) -> Option<String> {
        let mark = if self.is_postgres() { "B" } else { "b" };
        let digits = value.bytes().all(|digit| b"01".contains(&digit));
        (digits && value.len() == length).then(|| format!("{mark}'{value}'"))
    }

    fn decimal(&self, value: &str, whole: usize, scale: usize, special: &[&str]) -> Option<String> {
        if value.contains(char::is_alphabetic) {
            return special.contains(&value).then(|| format!("'{value}'"));
        }
        let (before, after) = value.trim_start_matches('-').split_once('.').unwrap_or((value, ""));
        let before = before.trim_start_matches(['-', '0']);
        let fits = before.len() <= whole && after.trim_end_matches('0').len() <= scale;
        match self.is_sqlite() {
            true => sqlite_decimal(value, true).filter(|_| fits),
            false => fits.then(|| value.to_owned()),
        }
    }

    fn float(&self, value: &str) -> Option<String> {
        let number: f64 = value.parse().expect("a float");
        let single = f64::from(number as f32).to_bits() == number.to_bits() || number.is_nan();
        // SQLite's columns declared as singles hold doubles too.
        let fits = matches!(self.form, Form::Double) || single || self.is_sqlite();
        let negative_zero = number == 0.0 && number.is_sign_negative();
        let has = match self.product {
            "postgres" => true,
            "sqlite" => !number.is_nan() && !negative_zero,
            "mysql" => number.is_finite(),
            _ => number.is_finite() && !negative_zero,
        };
        (fits && has).then(|| match self.product {
            "postgres" if number.is_infinite() => {
                format!("'{}Infinity'", if number < 0.0 { "-" } else { "" })
            }
            "postgres" => format!("'{value}'"),
            "sqlite" if number.is_infinite() => format!("{}9e999", if number < 0.0 { "-" } else { "" }),
            "sqlite" => value.to_owned(),
            _ => format!("{number:e}"),
        })
    }

    fn fits_text(&self, value: &str) -> bool {
        let Form::Text { chars, bytes, fixed, latin1 } = &self.form else { return false };
        value.chars().count() <= *chars
            && value.len() <= *bytes
            && !(*fixed && value.ends_with(' '))
            && (!latin1
                || value.chars().all(|c| c <= '\u{7f}' || ('\u{a0}'..='\u{ff}').contains(&c) || c == '€'))
            && !(self.is_postgres() && value.contains('\0'))
    }

    fn bytes(&self, hex: &str) -> Option<String> {
        let Form::Bytes { max, fixed } = &self.form else { return None };
        let length = hex.len() / 2;
        (length <= *max && (!fixed || length == *max)).then(|| match self.is_postgres() {
            true => format!("'\\x{hex}'"),
            false => format!("x'{hex}'"),
        })
    }

    /// Whether its dates are those of the value: PostgreSQL has the days there are, the others the years 0 to 9999.
    fn has_day(&self, value: &str) -> bool {
        let day = value.split(' ').next().unwrap_or(value);
        let far = value.ends_with("BC") || value.contains("infinity") || day.len() > 10;
        if self.is_postgres() { far || day.parse::<jiff::civil::Date>().is_ok() } else { !far }
    }

    /// A date, also with a time; the year 0 is PostgreSQL's 1 BC.
    fn dated(&self, value: &str) -> String {
        match value.strip_prefix("0000-") {
            Some(rest) if self.is_postgres() => format!("'0001-{rest} BC'"),
            _ => format!("'{value}'"),
        }
    }

    fn has_time(&self, value: &str) -> bool {
        let hours: i32 = value.split(':').next().and_then(|hours| hours.parse().ok()).unwrap_or(0);
        !self.is_postgres() || (!value.starts_with('-') && (hours < 24 || value == "24:00:00"))
    }

    fn instant(&self, value: &str, digits: usize) -> Option<String> {
        if !self.has_day(value) || !fits(value, digits) {
            return None;
        }
        match self.product {
            "postgres" if value.contains("infinity") => Some(format!("'{value}'")),
            "postgres" => Some(match value.strip_suffix(" BC") {
                Some(value) => format!("'{value}+00 BC'"),
                None => format!("'{value}+00'"),
            }),
            "sqlite" => Some(format!("'{value}'")),
            _ => {
                let within = ("1970-01-01 00:00:01"..="2038-01-19 03:14:07.999999").contains(&value);
                (within || value == "0000-00-00 00:00:00").then(|| format!("'{value}'"))
            }
        }
    }

    fn has_document(&self, value: &str, tree: bool) -> bool {
        match self.product {
            "postgres" => !(tree && value.contains("\\u0000")),
            // A column declared JSON makes numbers of texts that read as one.
            "sqlite" => {
                !value.starts_with(|c: char| c == '-' || c.is_ascii_digit())
                    || value.contains('e')
                    || sqlite_decimal(value, true).is_some()
            }
            // Integers of 64 bits, and doubles.
            "mysql" => {
                !["0.10000000000000001", "18446744073709551616"].iter().any(|long| value.contains(long))
            }
            _ => true,
        }
    }
}

/// Whether a value's fraction of a second has no more digits.
fn fits(value: &str, digits: usize) -> bool {
    value.split_once('.').is_none_or(|(_, fraction)| fraction.trim_end_matches(" BC").len() <= digits)
}

/// SQLite keeps an integer of 64 bits or a double, which stands for the shortest decimal that reads back as it.
fn sqlite_decimal(value: &str, integers: bool) -> Option<String> {
    if integers && value.parse::<i64>().is_ok() {
        return Some(value.to_owned());
    }
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    let double: f64 = value.parse().ok().filter(|double: &f64| double.is_finite())?;
    (trimmed(&double.to_string()) == trimmed(value)).then(|| format!("{double:?}"))
}

/// Words of a set in its order, each once.
fn is_set(value: &str, words: &[&str]) -> bool {
    let places = value.split(',').map(|word| words.iter().position(|member| *member == word));
    let places: Option<Vec<usize>> = places.collect();
    value.is_empty() || places.is_some_and(|places| places.is_sorted_by(|a, b| a < b))
}

/// MariaDB refuses UUIDs of versions from 8 whose ninth byte is 01 to 80.
fn mariadb_has(uuid: &str) -> bool {
    let digits = uuid.replace('-', "");
    let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("hexadecimal digits");
    byte(6) < 0x80 || !(0x01..=0x80).contains(&byte(8))
}
