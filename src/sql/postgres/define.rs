//! CREATE TABLE and ADD COLUMN, and the types to use for columns that come from another engine.

use super::super::{Column, DefaultKind, Generated, LiteralDefault, NamedType, TableDefinition, TableName};
use super::literal::quoted;
use super::{identifier, numbers, table};
use crate::value::{ColumnType, Type};

/// The longest `varchar(n)` and `char(n)` that can be declared.
const CHARS_MAX: u64 = 10_485_760;
/// The most digits that can be declared.
const PRECISION_MAX: u32 = 1_000;

pub(super) fn create_table(definition: &TableDefinition) -> String {
    let mut lines: Vec<String> = definition.columns.iter().map(|one| column(&definition.name, one)).collect();
    if !definition.primary_key.is_empty() {
        let key: Vec<String> = definition.primary_key.iter().map(|name| identifier(name)).collect();
        let named =
            definition.primary_key_name.as_ref().map(|name| format!("CONSTRAINT {} ", identifier(name)));
        lines.push(format!("{}PRIMARY KEY ({})", named.unwrap_or_default(), key.join(", ")));
    }
    let options = definition.options.as_ref().map(|options| format!(" {options}")).unwrap_or_default();
    format!("CREATE TABLE {} (\n    {}\n){options}", table(&definition.name), lines.join(",\n    "))
}

pub(super) fn add_column(name: &TableName, added: &Column) -> String {
    format!("ALTER TABLE {} ADD COLUMN {}", table(name), column(name, added))
}

/// A table whose deferred constraints wait to be checked cannot be altered or dropped.
const CHECK_NOW: &str = "SET CONSTRAINTS ALL IMMEDIATE";

pub(super) fn drop_table(name: &TableName) -> Vec<String> {
    vec![CHECK_NOW.to_owned(), format!("DROP TABLE {} RESTRICT", table(name))]
}

pub(super) fn drop_column(name: &TableName, dropped: &str) -> Vec<String> {
    let sql = format!("ALTER TABLE {} DROP COLUMN {} RESTRICT", table(name), identifier(dropped));
    vec![CHECK_NOW.to_owned(), sql]
}

fn column(name: &TableName, column: &Column) -> String {
    let numbers = numbers::definition(name, column);
    let declared = match &numbers {
        Some(Err(serial)) => serial,
        Some(Ok(_)) | None => column.column_type.declared.as_str(),
    };
    let mut text = format!("{} {declared}", identifier(&column.name));
    if let Some(collation) = &column.words.collation {
        text.push_str(&format!(" COLLATE {collation}"));
    }
    if let (Some(kept), Some(expression)) = (column.generated, &column.words.generated) {
        let kept = if kept == Generated::Stored { "STORED" } else { "VIRTUAL" };
        text.push_str(&format!(" GENERATED ALWAYS AS ({expression}) {kept}"));
    }
    match (numbers, column_default(column)) {
        (Some(Ok(identity)), _) => text.push_str(&format!(" {identity}")),
        (Some(Err(_)), _) | (None, None) => {}
        (None, Some(default)) => text.push_str(&format!(" DEFAULT {default}")),
    }
    if !column.nullable {
        text.push_str(" NOT NULL");
    }
    text
}

/// What stands behind DEFAULT: the server's own words where it is known in them.
pub(super) fn column_default(column: &Column) -> Option<String> {
    let in_words = || column.default.as_ref().and_then(|kind| default(kind, &column.column_type));
    // A sequence that is not the column's own is left alone.
    column.words.default.clone().or_else(in_words).filter(|text| !text.contains("nextval("))
}

fn default(kind: &DefaultKind, column: &ColumnType) -> Option<String> {
    match kind {
        // NULL is what a column without default has.
        DefaultKind::Null => None,
        DefaultKind::Expression(text) => Some(format!("({text})")),
        DefaultKind::Literal(literal) => literal_default(literal, &column.meaning),
    }
}

fn literal_default(literal: &LiteralDefault, meaning: &Type) -> Option<String> {
    match (literal, meaning) {
        (LiteralDefault::Number(number), Type::Boolean) => match number.as_str() {
            "0" => Some("FALSE".to_owned()),
            "1" => Some("TRUE".to_owned()),
            _ => None,
        },
        (
            LiteralDefault::Number(number),
            Type::Integer { .. } | Type::Decimal { .. } | Type::Float32 | Type::Float64,
        ) => Some(number.clone()),
        (LiteralDefault::Number(number), _) => quoted(number).ok(),
        (LiteralDefault::Boolean(value), Type::Boolean) => Some(value.to_string()),
        (LiteralDefault::Boolean(value), Type::Integer { .. } | Type::Decimal { .. }) => {
            Some(u8::from(*value).to_string())
        }
        (LiteralDefault::Boolean(value), _) => quoted(&value.to_string()).ok(),
        (LiteralDefault::Text(text), _) => quoted(text).ok(),
    }
}

/// A new uuid, in a column that holds one.
pub(super) fn new_uuid(meaning: &Type) -> Option<String> {
    match meaning {
        Type::Uuid => Some("gen_random_uuid()".to_owned()),
        Type::Text { chars_max, .. } if chars_max.is_none_or(|max| max >= 36) => {
            Some("(gen_random_uuid())::text".to_owned())
        }
        _ => None,
    }
}

/// The bytes of a literal as the catalog prints it: `\\x0a`, or letters.
pub(super) fn default_bytes(literal: &str) -> Option<Vec<u8>> {
    let Some(digits) = literal.strip_prefix("\\x") else {
        return (literal.is_ascii() && !literal.contains('\\')).then(|| literal.as_bytes().to_vec());
    };
    let pair = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(pair).collect()
}

pub(super) fn type_for(meaning: &Type) -> Option<ColumnType> {
    let same = |declared: &str| Some(ColumnType::new(declared, meaning.clone()));
    match meaning {
        Type::Boolean => same("boolean"),
        Type::Integer { bytes, unsigned } => integer(*bytes, *unsigned),
        Type::Decimal { precision: None, .. } => same("numeric"),
        Type::Decimal { precision: Some(precision), scale } if *precision <= PRECISION_MAX => {
            same(&format!("numeric({precision},{})", scale.unwrap_or(0)))
        }
        Type::Decimal { .. } => {
            Some(ColumnType::new("numeric", Type::Decimal { precision: None, scale: None }))
        }
        Type::Float32 => same("real"),
        Type::Float64 => same("double precision"),
        Type::Text { chars_max: Some(max), fixed: true } if *max <= CHARS_MAX => {
            same(&format!("character({})", (*max).max(1)))
        }
        Type::Text { chars_max: Some(max), fixed: false } if *max <= CHARS_MAX && *max > 0 => {
            same(&format!("character varying({max})"))
        }
        Type::Text { .. } => Some(ColumnType::new("text", Type::Text { chars_max: None, fixed: false })),
        Type::Bytes { .. } => Some(ColumnType::new("bytea", Type::Bytes { bytes_max: None, fixed: false })),
        Type::Date => same("date"),
        Type::Time { digits } => same(&with_digits("time", *digits, "without time zone")),
        Type::DateTime { digits } => same(&with_digits("timestamp", *digits, "without time zone")),
        Type::Instant { digits } => same(&with_digits("timestamp", *digits, "with time zone")),
        Type::Uuid => same("uuid"),
        Type::JsonText => same("json"),
        Type::Json => same("jsonb"),
        // The words of an enum would be a type of their own, which is created by hand.
        Type::Enum { .. } | Type::Set { .. } => {
            Some(ColumnType::new("text", Type::Text { chars_max: None, fixed: false }))
        }
        Type::Year => integer(2, false),
        Type::Bits { length } => same(&format!("bit({length})")),
        Type::Address { .. } => {
            Some(ColumnType::new("inet", Type::Address { v4: true, v6: true, prefix: true }))
        }
        Type::Zoned { digits, .. } => same(&with_digits("timestamp", *digits, "without time zone")),
        Type::Printed | Type::Other => None,
    }
}

/// The name that the server prints for one that it also takes.
pub(super) fn type_name(name: &str) -> &str {
    match name {
        "int2" => "smallint",
        "int" | "int4" => "integer",
        "int8" => "bigint",
        "decimal" => "numeric",
        "float4" => "real",
        "float8" => "double precision",
        "varchar" => "character varying",
        "char" | "bpchar" => "character",
        "bool" => "boolean",
        "time" => "time without time zone",
        "timestamp" => "timestamp without time zone",
        "timestamptz" => "timestamp with time zone",
        other => other,
    }
}

/// The type of a name that people write.
pub(super) fn named_type(named: &NamedType) -> Option<ColumnType> {
    let whole = |bytes| Type::Integer { bytes, unsigned: false };
    let bare = named.numbers.is_empty();
    let meaning = match type_name(&named.name) {
        "smallint" if bare => whole(2),
        "integer" if bare => whole(4),
        "bigint" if bare => whole(8),
        "numeric" => {
            let (precision, scale) = named.decimal()?;
            Type::Decimal { precision, scale }
        }
        "real" if bare => Type::Float32,
        "double precision" if bare => Type::Float64,
        "text" if bare => Type::Text { chars_max: None, fixed: false },
        "character varying" if bare => {
            return Some(ColumnType::new("character varying", Type::Text { chars_max: None, fixed: false }));
        }
        "character varying" => Type::Text { chars_max: Some(named.length()?), fixed: false },
        "character" => {
            let length = if bare { 1 } else { named.length()? };
            Type::Text { chars_max: Some(length), fixed: true }
        }
        "bytea" if bare => Type::Bytes { bytes_max: None, fixed: false },
        "boolean" if bare => Type::Boolean,
        "date" if bare => Type::Date,
        "time without time zone" => Type::Time { digits: named.digits(6)? },
        "timestamp without time zone" => Type::DateTime { digits: named.digits(6)? },
        "timestamp with time zone" => Type::Instant { digits: named.digits(6)? },
        "uuid" if bare => Type::Uuid,
        "json" if bare => Type::JsonText,
        "jsonb" if bare => Type::Json,
        "inet" if bare => Type::Address { v4: true, v6: true, prefix: true },
        "bit" => {
            let length = if bare { 1 } else { named.length()? };
            Type::Bits { length: u32::try_from(length).ok()? }
        }
        _ => return None,
    };
    // A length that the server does not take would become another type.
    type_for(&meaning).filter(|made| made.meaning == meaning)
}

fn integer(bytes: u8, unsigned: bool) -> Option<ColumnType> {
    let signed =
        |declared: &str, bytes| Some(ColumnType::new(declared, Type::Integer { bytes, unsigned: false }));
    match (bytes, unsigned) {
        (1 | 2, false) | (1, true) => signed("smallint", 2),
        (3 | 4, false) | (2 | 3, true) => signed("integer", 4),
        (5..=8, false) | (4, true) => signed("bigint", 8),
        _ => Some(ColumnType::new("numeric(20,0)", Type::Decimal { precision: Some(20), scale: Some(0) })),
    }
}

fn with_digits(word: &str, digits: u8, zone: &str) -> String {
    if digits >= 6 { format!("{word} {zone}") } else { format!("{word}({digits}) {zone}") }
}

/// Whether values of these types are equal to a foreign key just where they are one value here. Of all else (intervals, jsonb,
/// arrays, ranges: 1 and 1.0 are one; a text of a fixed length beside another: blanks) only the server could tell.
pub(super) fn same_ends(one: &ColumnType, other: &ColumnType) -> bool {
    use Type::{Address, Bits, Boolean, Bytes, Date, DateTime, Decimal, Enum, Float32, Float64};
    use Type::{Instant, Integer, Text, Time, Uuid};
    match (&one.meaning, &other.meaning) {
        (Text { fixed: one_is, .. }, Text { fixed: other_is, .. }) => {
            // What a type of the user's own is made of is not known here.
            one_is == other_is && (one.declared == other.declared || is_text(one) && is_text(other))
        }
        (Boolean, Boolean)
        | (Integer { .. }, Integer { .. })
        | (Decimal { .. }, Decimal { .. })
        | (Float32, Float32)
        | (Float64, Float64)
        | (Bytes { .. }, Bytes { .. })
        | (Date, Date)
        | (Time { .. }, Time { .. })
        | (DateTime { .. }, DateTime { .. })
        | (Instant { .. }, Instant { .. })
        | (Uuid, Uuid)
        | (Bits { .. }, Bits { .. })
        | (Address { .. }, Address { .. })
        | (Enum { .. }, Enum { .. }) => true,
        _ => false,
    }
}

fn is_text(column_type: &ColumnType) -> bool {
    let names = ["text", "character", "varchar", "bpchar", "name", "citext", "\"char\""];
    names.iter().any(|name| column_type.declared.starts_with(name))
}
