//! CREATE TABLE, ADD COLUMN, and the types they use for what other engines mean.

use super::{Family, alter, identifier, literal};
use crate::sql::{Column, DefaultKind, Dialect, EngineName, Generated, LiteralDefault, TableDefinition};
use crate::value::{ColumnType, Type};

/// The most characters of an indexed text: InnoDB's 3,072 bytes at four bytes a character.
const KEY_CHARS_MAX: u64 = 768;
/// Key text without a limit of its own; three such columns fit in one key.
const KEY_CHARS: u64 = 255;
/// Longer `varchar`s become `text`: all `varchar`s of a table share 65,535 bytes.
const VARCHAR_CHARS_MAX: u64 = 1_000;

/// A UUID with its hyphens.
const UUID_CHARS: u64 = 36;
/// More words than this become a text; the server would take 65,535.
const ENUM_WORDS_MAX: usize = 1_000;

/// CREATE TABLE with its primary key.
pub(super) fn create_table(family: &Family, table: &TableDefinition) -> String {
    // SQLite's keys may be NULL; MariaDB makes such a key NOT NULL of itself, MySQL refuses it.
    let in_key = |one: &Column| table.primary_key.contains(&one.name);
    let settled = |one: &Column| Column { nullable: one.nullable && !in_key(one), ..one.clone() };
    let options = table.options.clone().unwrap_or_else(|| {
        format!("ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE={}", family.binary_collation)
    });
    let of_table = options.split(' ').find_map(|option| option.strip_prefix("COLLATE="));
    let mut lines: Vec<String> = table
        .columns
        .iter()
        .map(|one| format!("  {}", column_beside(family, &settled(one), of_table)))
        .collect();
    if !table.primary_key.is_empty() {
        let names: Vec<String> = table.primary_key.iter().map(|name| identifier(name)).collect();
        lines.push(format!("  PRIMARY KEY ({})", names.join(", ")));
    }
    // A period stands among the columns.
    let options = match options.split_once(" PERIOD FOR ") {
        Some((options, period)) => {
            lines.push(format!("  PERIOD FOR {period}"));
            options.to_owned()
        }
        None => options,
    };
    format!("CREATE TABLE {} (\n{}\n) {options}", family.table(&table.name), lines.join(",\n"))
}

/// A column's definition, complete without its table's.
pub(super) fn column(family: &Family, column: &Column) -> String {
    column_beside(family, column, None)
}

/// A column's definition in a table of this collation, which need not be said again.
fn column_beside(family: &Family, column: &Column, of_table: Option<&str>) -> String {
    if column.words.whole.is_some() {
        let own = column.words.collation.is_some().then(|| collation(family, column)).flatten();
        let own = own.filter(|own| Some(own.as_str()) != of_table);
        return alter::whole(family, column, own.as_deref());
    }
    let mut sql = format!("{} {}", identifier(&column.name), column.column_type.declared);
    if let Some(collation) = collation(family, column) {
        sql.push_str(&format!(" COLLATE {collation}"));
    }
    // TIMESTAMP is NOT NULL where nothing is said.
    sql.push_str(if column.nullable { " NULL" } else { " NOT NULL" });
    if column.identity.is_some() && matches!(column.column_type.meaning, Type::Integer { .. }) {
        sql.push_str(" AUTO_INCREMENT");
        return sql;
    }
    let is_timestamp = matches!(column.column_type.meaning, Type::Instant { .. });
    match default(column) {
        Some(default) => sql.push_str(&format!(" DEFAULT {default}")),
        // Without a default the server may add ON UPDATE CURRENT_TIMESTAMP of its own.
        None if is_timestamp && !column.nullable => {
            let digits = match column.column_type.meaning {
                Type::Instant { digits } if digits > 0 => format!("({digits})"),
                _ => String::new(),
            };
            sql.push_str(&format!(" DEFAULT CURRENT_TIMESTAMP{digits}"));
        }
        None => {}
    }
    sql
}

/// What stands behind DEFAULT where the server's own words are not known.
pub(super) fn default(column: &Column) -> Option<String> {
    if column.generated == Some(Generated::Virtual) || column.generated == Some(Generated::Stored) {
        return None;
    }
    match column.default.as_ref()? {
        DefaultKind::Null => column.nullable.then(|| "NULL".to_owned()),
        DefaultKind::Literal(LiteralDefault::Number(number)) => Some(number.clone()),
        DefaultKind::Literal(LiteralDefault::Boolean(value)) => Some(u8::from(*value).to_string()),
        DefaultKind::Literal(LiteralDefault::Text(text)) => {
            let text = literal::text(text);
            // MySQL takes a default of these types only as an expression.
            let word = literal::type_word(&column.column_type.declared);
            let wordy = word.ends_with("text") || word.ends_with("blob") || word == "json";
            Some(if wordy { format!("({text})") } else { text })
        }
        DefaultKind::Expression(expression) => {
            let is_now = expression.to_ascii_lowercase().contains("current_timestamp");
            Some(if is_now { expression.clone() } else { format!("({expression})") })
        }
    }
}

/// The collation to name: this family's own, in the words of this server, else the one by code point.
fn collation(family: &Family, column: &Column) -> Option<String> {
    let declared = &column.column_type.declared;
    let is_list = matches!(literal::type_word(declared).as_str(), "enum" | "set");
    if !is_list && !matches!(column.column_type.meaning, Type::Text { .. }) {
        return None;
    }
    let told = column.words.collation.as_ref().filter(|_| column.words.whole.is_some());
    if let Some(told) = told.filter(|told| !is_of_another_brand(family, told)) {
        return Some(told.clone());
    }
    if let Some((_, charset)) = declared.rsplit_once(" CHARACTER SET ") {
        let own = column.collation.as_ref().filter(|own| own.starts_with(&format!("{charset}_")));
        return own.cloned();
    }
    let own = column.collation.as_deref().filter(|own| own.starts_with("utf8mb4_"));
    let collation = match (own, family.engine) {
        (Some(own), EngineName::Mysql) if is_of_another_brand(family, own) => "utf8mb4_0900_ai_ci",
        (Some(own), EngineName::Mariadb) if is_of_another_brand(family, own) => {
            "utf8mb4_unicode_520_nopad_ci"
        }
        (Some(own), _) => own,
        (None, _) => family.binary_collation,
    };
    Some(collation.to_owned())
}

/// Whether the server does not know a collation by this name.
fn is_of_another_brand(family: &Family, collation: &str) -> bool {
    match family.engine {
        EngineName::Mysql => collation.contains("nopad") || collation.contains("uca1400"),
        _ => collation.contains("_0900_"),
    }
}

/// The type to create for a column of that meaning, `None` where there is no exact one.
pub(super) fn type_for(engine: EngineName, meaning: &Type, key: bool) -> Option<ColumnType> {
    let same = |declared: String| Some(ColumnType::new(declared, meaning.clone()));
    match meaning {
        Type::Boolean => Some(ColumnType::new("tinyint(1)", Type::Integer { bytes: 1, unsigned: false })),
        Type::Integer { bytes, unsigned } => {
            let word = match bytes {
                1 => "tinyint",
                2 => "smallint",
                3 => "mediumint",
                4 => "int",
                8 => "bigint",
                _ => return None,
            };
            same(if *unsigned { format!("{word} unsigned") } else { word.to_owned() })
        }
        Type::Decimal { precision, scale } => decimal(*precision, *scale),
        Type::Float32 => same("float".to_owned()),
        Type::Float64 => same("double".to_owned()),
        Type::Text { chars_max, fixed } => Some(text(*chars_max, *fixed, key)),
        Type::Bytes { bytes_max, fixed } => Some(bytes(*bytes_max, *fixed, key)),
        Type::Date => same("date".to_owned()),
        Type::Time { digits } => same(with_digits("time", *digits)),
        Type::DateTime { digits } => same(with_digits("datetime", *digits)),
        Type::Instant { digits } => same(with_digits("timestamp", *digits)),
        Type::Uuid if engine == EngineName::Mariadb => same("uuid".to_owned()),
        // Text is compared with UUIDs in any spelling, and written in the usual one.
        Type::Uuid => Some(text(Some(UUID_CHARS), true, key)),
        Type::Other => None,
        Type::Enum { members } => Some(enumeration(members, key)),
        Type::Set { .. } | Type::Address { .. } => Some(text(Some(KEY_CHARS), false, key)),
        Type::Bits { length } if *length <= 64 => same(format!("bit({length})")),
        Type::Bits { length } => Some(text(Some(u64::from(*length)), false, key)),
        Type::Year => same("year".to_owned()),
        Type::Printed => Some(text(None, false, key)),
        Type::Zoned { digits, .. } => same(with_digits("datetime", *digits)),
        // A document has no end that a key could be told.
        Type::JsonText | Type::Json if key => None,
        Type::JsonText | Type::Json if engine == EngineName::Mariadb => {
            Some(ColumnType::new("json", Type::JsonText))
        }
        Type::JsonText | Type::Json => Some(ColumnType::new("json", Type::Json)),
    }
}

/// The same type in this brand's catalog: JSON is a type on MySQL and a text on MariaDB, and MariaDB has some
/// types of its own.
pub(super) fn adopted_type(engine: EngineName, column: &ColumnType) -> Option<ColumnType> {
    let word = literal::type_word(&column.declared);
    match column.meaning {
        Type::JsonText | Type::Json => type_for(engine, &column.meaning, false),
        // The catalog does not tell their words.
        Type::Other if matches!(word.as_str(), "enum" | "set") => None,
        _ if engine == EngineName::Mysql && matches!(word.as_str(), "uuid" | "inet4" | "inet6") => None,
        _ => Some(column.clone()),
    }
}

/// An enum drops spaces at the end of its words, and MySQL takes no word of more than 255 characters.
fn enumeration(members: &[String], key: bool) -> ColumnType {
    let fits = |word: &String| !word.ends_with(' ') && word.chars().count() <= 255 && !word.contains('\\');
    if members.is_empty() || members.len() > ENUM_WORDS_MAX || !members.iter().all(fits) {
        return text(None, false, key);
    }
    let words: Vec<String> = members.iter().map(|word| format!("'{}'", word.replace('\'', "''"))).collect();
    ColumnType::new(format!("enum({})", words.join(",")), Type::Enum { members: members.to_vec() })
}

fn with_digits(word: &str, digits: u8) -> String {
    if digits == 0 { word.to_owned() } else { format!("{word}({})", digits.min(6)) }
}

/// A decimal without limits becomes the widest there is; a number that does not fit is refused when written.
fn decimal(precision: Option<u32>, scale: Option<i32>) -> Option<ColumnType> {
    let (precision, scale) = match (precision, scale) {
        (Some(precision), scale) => (precision, scale.unwrap_or(0)),
        (None, _) => (65, 30),
    };
    let fits = precision <= 65 && (0..=30).contains(&scale) && scale as u32 <= precision;
    let meaning = Type::Decimal { precision: Some(precision), scale: Some(scale) };
    fits.then(|| ColumnType::new(format!("decimal({precision},{scale})"), meaning))
}

fn text(chars_max: Option<u64>, fixed: bool, key: bool) -> ColumnType {
    let sized =
        |declared: String, chars_max| ColumnType::new(declared, Type::Text { chars_max, fixed: false });
    match chars_max {
        Some(chars) if fixed && chars <= 255 => {
            ColumnType::new(format!("char({chars})"), Type::Text { chars_max, fixed: true })
        }
        Some(chars) if chars <= if key { KEY_CHARS_MAX } else { VARCHAR_CHARS_MAX } => {
            sized(format!("varchar({chars})"), chars_max)
        }
        _ if key => sized(format!("varchar({KEY_CHARS})"), Some(KEY_CHARS)),
        Some(chars) if chars.saturating_mul(4) <= 65_535 => sized("text".to_owned(), Some(65_535)),
        Some(chars) if chars.saturating_mul(4) <= 16_777_215 => {
            sized("mediumtext".to_owned(), Some(16_777_215))
        }
        _ => sized("longtext".to_owned(), None),
    }
}

fn bytes(bytes_max: Option<u64>, fixed: bool, key: bool) -> ColumnType {
    let sized =
        |declared: String, bytes_max| ColumnType::new(declared, Type::Bytes { bytes_max, fixed: false });
    match bytes_max {
        Some(length) if fixed && length <= 255 => {
            ColumnType::new(format!("binary({length})"), Type::Bytes { bytes_max, fixed: true })
        }
        Some(length) if length <= if key { 3_072 } else { 4_000 } => {
            sized(format!("varbinary({length})"), bytes_max)
        }
        _ if key => sized("varbinary(1000)".to_owned(), Some(1_000)),
        _ => sized("longblob".to_owned(), None),
    }
}
