//! Types by the names that people write.

use super::super::{EngineName, NamedType};
use super::literal::type_word;
use crate::value::{ColumnType, Type};

/// The most characters of a `char`, and bytes of a `binary`.
const FIXED_MAX: u64 = 255;
/// The most characters of a `varchar` of four bytes each, in a table that has nothing else.
const VARCHAR_MAX: u64 = 16_383;
/// The most bytes of a `varbinary`.
const VARBINARY_MAX: u64 = 65_532;

/// The name that the server prints for one that it also takes.
pub(super) fn type_name(name: &str) -> String {
    let (word, rest) = name.split_once(' ').unwrap_or((name, ""));
    let word = match word {
        "integer" => "int",
        "dec" | "numeric" | "fixed" => "decimal",
        "real" => "double",
        "bool" | "boolean" => "tinyint",
        other => other,
    };
    format!("{word} {rest}").trim_end().to_owned()
}

/// How many characters certainly fit: the long types count bytes, and a character has up to four.
pub(super) fn chars_held(column: &ColumnType) -> Option<u64> {
    let Type::Text { chars_max, .. } = column.meaning else { return None };
    match type_word(&column.declared).as_str() {
        "tinytext" | "text" | "mediumtext" => chars_max.map(|bytes| bytes / 4),
        _ => chars_max,
    }
}

/// Whether a type says no length of its own: TEXT and BLOB of every size, and JSON.
pub(super) fn is_unbounded(column: &ColumnType) -> bool {
    let word = type_word(&column.declared);
    word.ends_with("text") || word.ends_with("blob") || word == "json"
}

/// The type of a name that people write.
pub(super) fn named_type(engine: EngineName, named: &NamedType) -> Option<ColumnType> {
    if matches!(named.name.as_str(), "bool" | "boolean") && named.numbers.is_empty() {
        return Some(ColumnType::new("tinyint(1)", Type::Integer { bytes: 1, unsigned: false }));
    }
    let name = type_name(&named.name);
    let made = |declared: String, meaning: Type| Some(ColumnType::new(declared, meaning));
    let bare = named.numbers.is_empty();
    let (word, unsigned) = match name.strip_suffix(" unsigned") {
        Some(word) => (word, true),
        None => (name.as_str(), false),
    };
    let bytes = match word {
        "tinyint" => Some(1),
        "smallint" => Some(2),
        "mediumint" => Some(3),
        "int" => Some(4),
        "bigint" => Some(8),
        _ => None,
    };
    if let Some(bytes) = bytes {
        // A width means nothing but for what is called a boolean.
        let declared = match (word, named.length(), unsigned) {
            ("tinyint", Some(1), false) => "tinyint(1)".to_owned(),
            _ => name.clone(),
        };
        return made(declared, Type::Integer { bytes, unsigned });
    }
    if unsigned {
        return None;
    }
    let text = |chars_max, fixed| Type::Text { chars_max, fixed };
    let sized = |max: u64| named.length().filter(|length| (1..=max).contains(length));
    match word {
        "decimal" => {
            let (precision, scale) = named.decimal()?;
            let (precision, scale) = (precision.unwrap_or(10), scale.unwrap_or(0));
            let fits =
                (1..=65).contains(&precision) && (0..=30).contains(&scale) && scale as u32 <= precision;
            let meaning = Type::Decimal { precision: Some(precision), scale: Some(scale) };
            fits.then(|| ColumnType::new(format!("decimal({precision},{scale})"), meaning))
        }
        "float" if bare => made("float".to_owned(), Type::Float32),
        "double" if bare => made("double".to_owned(), Type::Float64),
        "char" => {
            let length = if bare { 1 } else { sized(FIXED_MAX)? };
            made(format!("char({length})"), text(Some(length), true))
        }
        "varchar" => {
            let length = sized(VARCHAR_MAX)?;
            made(format!("varchar({length})"), text(Some(length), false))
        }
        "tinytext" if bare => made(name, text(Some(255), false)),
        "text" if bare => made(name, text(Some(65_535), false)),
        "mediumtext" if bare => made(name, text(Some(16_777_215), false)),
        "longtext" if bare => made(name, text(None, false)),
        "binary" => {
            let length = if bare { 1 } else { sized(FIXED_MAX)? };
            made(format!("binary({length})"), Type::Bytes { bytes_max: Some(length), fixed: true })
        }
        "varbinary" => {
            let length = sized(VARBINARY_MAX)?;
            made(format!("varbinary({length})"), Type::Bytes { bytes_max: Some(length), fixed: false })
        }
        "tinyblob" if bare => made(name, Type::Bytes { bytes_max: Some(255), fixed: false }),
        "blob" if bare => made(name, Type::Bytes { bytes_max: Some(65_535), fixed: false }),
        "mediumblob" if bare => made(name, Type::Bytes { bytes_max: Some(16_777_215), fixed: false }),
        "longblob" if bare => made(name, Type::Bytes { bytes_max: None, fixed: false }),
        "date" if bare => made(name, Type::Date),
        "time" | "datetime" | "timestamp" => {
            let digits = named.digits(0)?;
            let declared = if digits == 0 { name.clone() } else { format!("{name}({digits})") };
            made(
                declared,
                match word {
                    "time" => Type::Time { digits },
                    "datetime" => Type::DateTime { digits },
                    _ => Type::Instant { digits },
                },
            )
        }
        "year" if bare => made(name, Type::Year),
        "bit" => {
            let length = if bare { 1 } else { sized(64)? };
            made(format!("bit({length})"), Type::Bits { length: u32::try_from(length).ok()? })
        }
        "json" if bare && engine == EngineName::Mariadb => made(name, Type::JsonText),
        "json" if bare => made(name, Type::Json),
        "uuid" if bare && engine == EngineName::Mariadb => made(name, Type::Uuid),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_what_the_server_prints() {
        let named = |text: &str| {
            let named = NamedType::read(text)?;
            named_type(EngineName::Mysql, &named).map(|made| made.declared)
        };
        for (text, expected) in [
            ("VARCHAR(20)", Some("varchar(20)")),
            ("INT(11) UNSIGNED", Some("int unsigned")),
            ("boolean", Some("tinyint(1)")),
            ("numeric(5)", Some("decimal(5,0)")),
            ("datetime(6)", Some("datetime(6)")),
            ("varchar", None),
            ("varchar(0)", None),
            ("uuid", None),
            ("int; DROP TABLE t", None),
            ("text unsigned", None),
            ("datetime(9)", None),
        ] {
            assert_eq!(named(text).as_deref(), expected, "{text}");
        }
    }
}
