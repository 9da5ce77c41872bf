//! Kinds of columns that every engine has, and values of them with a liking for edges.

use serde_yaml::Value as Yaml;
use serde_yaml::value::{Tag, TaggedValue};

use super::native::{self, Native, ODD};
use super::{Dice, Seen};
use crate::case_runner::portable::expand;
use crate::servers::{Database, Engine};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Int,
    Text,
    KeyText,
    Bytes,
    KeyBytes,
    Decimal,
    Double,
    Bool,
    Date,
    Time,
    Timestamp,
    Instant,
    Uuid,
    Json,
    Small,
    /// Single precision.
    Single,
    /// A small integer or NULL, for a scope.
    Area,
    /// A type that is another one on each engine, by its place in [`ODD`].
    Odd(usize),
    /// A type that both sides have.
    Native(Native),
}

pub const KINDS: &[Kind] = &[
    Kind::Int,
    Kind::Text,
    Kind::KeyText,
    Kind::Bytes,
    Kind::Decimal,
    Kind::Double,
    Kind::Bool,
    Kind::Date,
    Kind::Time,
    Kind::Timestamp,
    Kind::Instant,
    Kind::Uuid,
    Kind::Json,
    Kind::Small,
    Kind::Single,
];

/// A value, in a form in which equal means equal in every pair of engines.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    /// Hundredths.
    Decimal(i64),
    Double(f64),
    Bool(bool),
    /// A date, a time, a time stamp (with a blank), a uuid, JSON or a value of an odd type as text.
    Written(Kind, String),
    /// A value of a type that both sides have, as SQL.
    Native(&'static str),
}

/// What stands for a value whose printed form the model does not know.
pub const OPAQUE: &str = "a value";

const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "A",
    "a ",
    " a",
    "á",
    "a\u{301}",
    "NULL",
    "null",
    "0",
    "false",
    "it's",
    "\"",
    "\\",
    "\\n",
    "\n",
    "\r\n",
    "\t",
    "%",
    "_",
    "--",
    ";",
    "$1",
    ":x",
    "日本語",
    "😀",
    "İ",
    "ß",
    "\u{feff}",
    "\u{a0}",
    "a\u{200d}b",
    "\u{7f}",
    "\u{1}",
    "1e3",
    "ÿ",
];
const BYTES: &[&[u8]] =
    &[b"", b"\0", b"\0\0", b"\xff", b"\xc3\x28", b"'", b"\\", b"abc", b"ABC", b"\x80\x81\n\r\x1a"];
const INTS: &[i64] =
    &[0, 1, -1, 127, 255, 32_768, 1 << 31, 1 << 32, (1 << 53) + 1, i64::MAX, i64::MIN + 1, i64::MIN];
const HUNDREDTHS: &[i64] = &[0, 1, -1, 10, 100, 150, 999_999_999_999, -999_999_999_999, 95_000, 5];
const DOUBLES: &[f64] =
    &[0.0, 1.0, -1.0, 0.1, 0.3, 1e15, 1e-7, 1e300, -2.5e-10, 123_456.789, f64::MAX, f64::MIN_POSITIVE];
const DATES: &[&str] = &["0001-01-01", "9999-12-31", "1970-01-01", "2000-02-29", "1582-10-10", "1999-12-31"];
const TIMES: &[&str] = &["00:00:00", "23:59:59.999999", "00:00:00.000001", "12:00:00", "11:59:59.500000"];
// As trueup itself would write them: what undo brings back is the document, not its spacing.
const JSONS: &[&str] = &[
    "{}",
    "[]",
    r#"{"a":1,"b":[true,null]}"#,
    r#"{"a":1,"b":[true,false]}"#,
    "[1,2]",
    "[2,1]",
    r#""é😀""#,
    "true",
    r#"{"":{"x":"it's"}}"#,
    r#"["\\","\""]"#,
];

/// A value of this kind; `null`: it may be NULL.
pub fn any(kind: Kind, null: bool, dice: &mut Dice, seen: &mut Seen) -> Value {
    let value = if null && dice.chance(12) { Value::Null } else { some(kind, dice) };
    for trait_ in traits(&value) {
        seen.count(format!("value {trait_}"));
    }
    seen.count(kind.told());
    value
}

/// Another value than this one; with luck one that is very like it.
pub fn other(kind: Kind, value: &Value, dice: &mut Dice, seen: &mut Seen) -> Value {
    if dice.chance(40)
        && let Some(like) = like(kind, value, dice)
        && like != *value
    {
        seen.count("value like another");
        return like;
    }
    loop {
        let other = any(kind, true, dice, seen);
        if other != *value {
            return other;
        }
    }
}

fn some(kind: Kind, dice: &mut Dice) -> Value {
    let edge = dice.chance(50);
    match kind {
        Kind::Small => Value::Int(*dice.pick(&[0, 1, -1, 255, 32_767, -32_768])),
        Kind::Single => {
            Value::Double(*dice.pick(&[0.0, 0.5, -1.25, 16_777_216.0, 16_777_215.0, -8_388_608.0]))
        }
        Kind::Area => Value::Int(dice.below(4) as i64),
        Kind::Odd(at) => Value::Written(kind, (*dice.pick(ODD[at].values)).to_owned()),
        Kind::Native(native) => Value::Native(dice.pick::<&'static str>(native.0.values)),
        Kind::Int if edge => Value::Int(*dice.pick(INTS)),
        Kind::Int => Value::Int(dice.below(2_000) as i64 - 1_000),
        Kind::Text if edge && dice.chance(30) => Value::Text(String::new()),
        Kind::Bytes if edge && dice.chance(30) => Value::Bytes(Vec::new()),
        Kind::Text | Kind::KeyText if edge => Value::Text((*dice.pick(TEXTS)).to_owned()),
        Kind::Text => {
            let most = if dice.chance(5) { 2_000 } else { 4 };
            let words = 1 + dice.below(most);
            Value::Text((0..words).map(|_| *dice.pick(TEXTS)).collect())
        }
        // An index takes 190 characters.
        Kind::KeyText => Value::Text((0..1 + dice.below(8)).map(|_| *dice.pick(TEXTS)).collect()),
        Kind::Bytes | Kind::KeyBytes if edge => Value::Bytes(dice.pick(BYTES).to_vec()),
        Kind::Bytes | Kind::KeyBytes => {
            Value::Bytes((0..1 + dice.below(40)).map(|_| dice.below(256) as u8).collect())
        }
        Kind::Decimal if edge => Value::Decimal(*dice.pick(HUNDREDTHS)),
        Kind::Decimal => Value::Decimal(dice.below(2_000_000) as i64 - 1_000_000),
        Kind::Double if edge => Value::Double(*dice.pick(DOUBLES)),
        Kind::Double => Value::Double((dice.below(2_000_000) as f64 - 1_000_000.0) / 8.0),
        Kind::Bool => Value::Bool(dice.chance(50)),
        Kind::Date => Value::Written(kind, date(dice)),
        Kind::Time => Value::Written(kind, time(dice)),
        Kind::Timestamp => Value::Written(kind, format!("{} {}", date(dice), time(dice))),
        // What MariaDB's TIMESTAMP holds.
        Kind::Instant => {
            let day =
                format!("{}-{:02}-{:02}", 1971 + dice.below(66), 1 + dice.below(12), 1 + dice.below(28));
            Value::Written(kind, format!("{day} {}", time(dice)))
        }
        Kind::Uuid if edge => Value::Written(kind, format!("00000000-0000-0000-0000-{:012x}", dice.below(3))),
        Kind::Uuid => {
            let (a, b) = (dice.next(), dice.next());
            let (time, clock) = (a >> 32, b >> 48 & 0x3fff | 0x8000);
            let (middle, high, node) = (a >> 16 & 0xffff, a & 0xfff, b & 0xffff_ffff_ffff);
            // MariaDB takes those of the standard alone.
            Value::Written(kind, format!("{time:08x}-{middle:04x}-4{high:03x}-{clock:04x}-{node:012x}"))
        }
        Kind::Json => Value::Written(kind, (*dice.pick(JSONS)).to_owned()),
    }
}

fn date(dice: &mut Dice) -> String {
    match dice.chance(40) {
        true => (*dice.pick(DATES)).to_owned(),
        false => {
            format!("{:04}-{:02}-{:02}", 1 + dice.below(9_999), 1 + dice.below(12), 1 + dice.below(28))
        }
    }
}

fn time(dice: &mut Dice) -> String {
    match dice.chance(40) {
        true => (*dice.pick(TIMES)).to_owned(),
        false => format!("{:02}:{:02}:{:02}", dice.below(24), dice.below(60), dice.below(60)),
    }
}

/// The near misses that tools have taken for equal.
fn like(kind: Kind, value: &Value, dice: &mut Dice) -> Option<Value> {
    Some(match value {
        // Of these only their own values will do.
        _ if matches!(kind, Kind::Small | Kind::Single | Kind::Area | Kind::Odd(_) | Kind::Native(_)) => {
            return None;
        }
        Value::Null if kind == Kind::Text => Value::Text((*dice.pick(&["", "NULL"])).to_owned()),
        Value::Null => return None,
        Value::Int(value) => {
            Value::Int(*dice.pick(&[value.wrapping_neg(), value.wrapping_add(1), value ^ 1 << 32]))
        }
        Value::Text(text) => Value::Text(match dice.below(4) {
            0 => format!("{text} "),
            1 => text.to_uppercase().chars().take(190).collect(),
            2 => text.trim().to_owned(),
            _ => text.chars().rev().collect(),
        }),
        Value::Bytes(bytes) => Value::Bytes(match dice.below(2) {
            0 => bytes.iter().chain(b"\0").copied().collect(),
            _ => bytes.iter().rev().copied().collect(),
        }),
        Value::Decimal(hundredths) => Value::Decimal(if *hundredths == 0 { 1 } else { -hundredths }),
        Value::Double(value) if *value != 0.0 && value.is_normal() && value.abs() < 1e15 => {
            Value::Double(-value)
        }
        Value::Double(_) => return None,
        Value::Bool(value) => Value::Bool(!value),
        Value::Written(Kind::Time | Kind::Timestamp | Kind::Instant, text) => {
            let whole = text.split('.').next().unwrap_or(text);
            let fraction = *dice.pick(&["", ".000001", ".100000", ".010000"]);
            Value::Written(kind, format!("{whole}{fraction}"))
        }
        Value::Written(..) | Value::Native(_) => return None,
    })
}

fn traits(value: &Value) -> Vec<&'static str> {
    let mut traits = Vec::new();
    match value {
        Value::Null => traits.push("null"),
        Value::Int(i64::MAX | i64::MIN | 32_767 | -32_768)
        | Value::Decimal(-999_999_999_999 | 999_999_999_999) => {
            traits.push("at a limit");
        }
        Value::Text(text) => {
            if text.is_empty() {
                traits.push("empty");
            }
            if !text.is_ascii() {
                traits.push("beyond ASCII");
            }
            if text.len() > 1_000 {
                traits.push("long");
            }
        }
        Value::Bytes(bytes) if bytes.is_empty() => traits.push("empty"),
        Value::Bytes(bytes) if std::str::from_utf8(bytes).is_err() => traits.push("not UTF-8"),
        _ => {}
    }
    traits
}

impl Value {
    /// As SQL of an engine.
    pub fn literal(&self, engine: Engine) -> String {
        match self {
            Value::Null => "NULL".to_owned(),
            // The magnitude of the least integer is none.
            Value::Int(i64::MIN) => "(-9223372036854775807 - 1)".to_owned(),
            Value::Int(value) => value.to_string(),
            Value::Text(text) => match engine {
                Engine::Sqlite | Engine::Postgres => quoted(text),
                Engine::Mariadb if text.is_empty() => "''".to_owned(),
                Engine::Mariadb => format!("convert(x'{}' using utf8mb4)", hex(text.as_bytes())),
            },
            Value::Bytes(bytes) => match engine {
                Engine::Postgres => format!("'\\x{}'::bytea", hex(bytes)),
                _ => format!("x'{}'", hex(bytes)),
            },
            Value::Decimal(hundredths) => plain(*hundredths),
            Value::Double(value) => format!("{value:e}"),
            Value::Bool(value) => value.to_string(),
            Value::Written(Kind::Instant, text) if engine == Engine::Postgres => {
                quoted(&format!("{text}+00:00"))
            }
            Value::Native(literal) => (*literal).to_owned(),
            Value::Written(Kind::Odd(at), text) => native::literal(ODD[*at].name, text, engine),
            Value::Written(Kind::Json, text) if engine == Engine::Mariadb => {
                format!("convert(x'{}' using utf8mb4)", hex(text.as_bytes()))
            }
            Value::Written(_, text) => quoted(text),
        }
    }

    /// As a case expects it; `stored`: values are shown as SQLite stores them.
    pub fn expected(&self, stored: bool) -> Yaml {
        let tagged = |tag: &str, text: String| {
            Yaml::Tagged(Box::new(TaggedValue { tag: Tag::new(tag), value: Yaml::String(text) }))
        };
        match self {
            Value::Null => Yaml::Null,
            Value::Int(value) if value.unsigned_abs() < 1 << 53 => Yaml::from(*value),
            Value::Int(value) => Yaml::String(value.to_string()),
            Value::Text(text) => Yaml::String(text.clone()),
            Value::Bytes(bytes) => tagged("bytes", hex(bytes)),
            Value::Decimal(hundredths) => tagged("decimal", plain(*hundredths)),
            Value::Double(value) => Yaml::from(*value),
            Value::Bool(value) => tagged("bool", value.to_string()),
            Value::Written(Kind::Instant, text) if stored => Yaml::String(text.clone()),
            Value::Written(Kind::Timestamp, text) => tagged("datetime", text.replace(' ', "T")),
            Value::Written(Kind::Instant, text) => tagged("instant", format!("{}Z", text.replace(' ', "T"))),
            Value::Written(Kind::Json, text) => tagged("json", text.clone()),
            Value::Written(_, text) => Yaml::String(text.clone()),
            Value::Native(_) => Yaml::String(OPAQUE.to_owned()),
        }
    }
}

fn plain(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let magnitude = hundredths.unsigned_abs();
    format!("{sign}{}.{:02}", magnitude / 100, magnitude % 100)
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Kind {
    /// The type as DDL of the database's engine writes it.
    pub fn declared(self, database: &Database) -> String {
        let name = match self {
            Kind::Int => "bigint",
            Kind::Text => "text",
            Kind::KeyText => "key_text",
            Kind::Bytes => "bytes",
            Kind::KeyBytes => "key_bytes",
            Kind::Decimal => "decimal",
            Kind::Double => "double",
            Kind::Bool => "bool",
            Kind::Date => "date",
            Kind::Time => "time",
            Kind::Timestamp => "timestamp",
            Kind::Instant => "instant",
            Kind::Uuid => "uuid",
            Kind::Json => "json",
            Kind::Small => "smallint",
            Kind::Single => "single",
            Kind::Area => "int",
            Kind::Odd(at) => return ODD[at].declared[database.engine as usize].to_owned(),
            Kind::Native(native) => return native.0.declared.to_owned(),
        };
        expand(&format!("{{{{{name}}}}}"), database)
    }

    /// Its line of the histogram.
    pub fn told(self) -> String {
        match self {
            Kind::Odd(at) => format!("odd type {}", ODD[at].name),
            Kind::Native(native) => format!("native type {native:?}"),
            _ => format!("type {self:?}"),
        }
    }
}
