//! What SQLite makes of a declared type (its affinity), and what people mean by it.
//!
//! Two answers to two questions: the affinity says what a stored value is turned into, by SQLite's own rules
//! (<https://sqlite.org/datatype3.html#determination_of_column_affinity>); the meaning says what the column
//! is compared as with another engine, by the name as people use it.

use crate::sql::NamedType;
use crate::value::{ColumnType, Type};

/// What SQLite does to a value on its way into a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Affinity {
    /// Numbers become text.
    Text,
    /// Text that is a number becomes one; a real without fraction becomes an integer.
    Numeric,
    /// The same, by another name.
    Integer,
    /// Every number becomes a real.
    Real,
    /// Nothing is changed.
    Blob,
}

impl Affinity {
    /// The affinity of a declared type, by the first rule that fits.
    pub(crate) fn of(declared: &str) -> Self {
        let upper = declared.to_ascii_uppercase();
        let has = |word: &str| upper.contains(word);
        if has("INT") {
            Affinity::Integer
        } else if has("CHAR") || has("CLOB") || has("TEXT") {
            Affinity::Text
        } else if has("BLOB") || upper.trim().is_empty() {
            Affinity::Blob
        } else if has("REAL") || has("FLOA") || has("DOUB") {
            Affinity::Real
        } else {
            Affinity::Numeric
        }
    }

    /// Whether text that reads as a number is stored as one.
    pub(crate) fn is_numeric(self) -> bool {
        matches!(self, Affinity::Numeric | Affinity::Integer | Affinity::Real)
    }
}

/// The type of a column declared so.
pub(crate) fn column_type(declared: &str) -> ColumnType {
    ColumnType { prints_zeros: false, ..ColumnType::new(declared, meaning(declared)) }
}

/// The name in upper case with single spaces, without the arguments, and the arguments.
fn parts(declared: &str) -> (String, Vec<i64>) {
    let (before, after) = declared.split_once('(').unwrap_or((declared, ""));
    let (arguments, rest) = after.split_once(')').unwrap_or((after, ""));
    let words: Vec<String> =
        before.split_whitespace().chain(rest.split_whitespace()).map(str::to_ascii_uppercase).collect();
    let arguments = arguments.split(',').map(|argument| argument.trim().parse::<i64>());
    (words.join(" "), arguments.collect::<Result<_, _>>().unwrap_or_default())
}

fn meaning(declared: &str) -> Type {
    let (name, arguments) = parts(declared);
    match name.as_str() {
        "BOOLEAN" | "BOOL" => Type::Boolean,
        // SQLite stores 64 bits, whatever the name says.
        "INT" | "INTEGER" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "BIGINT" | "INT2" | "INT4" | "INT8"
        | "UNSIGNED BIG INT" | "BIG INT" | "INT UNSIGNED" | "INTEGER UNSIGNED" | "BIGINT UNSIGNED"
        | "SMALLINT UNSIGNED" | "TINYINT UNSIGNED" | "MEDIUMINT UNSIGNED" | "UNSIGNED INT"
        | "UNSIGNED INTEGER" => Type::Integer { bytes: 8, unsigned: false },
        "FLOAT4" => Type::Float32,
        "REAL" | "DOUBLE" | "DOUBLE PRECISION" | "FLOAT" | "FLOAT8" => Type::Float64,
        "DECIMAL" | "NUMERIC" | "DEC" => decimal(&arguments),
        // SQLite enforces no length, so none is promised.
        "VARCHAR" | "NVARCHAR" | "CHAR" | "NCHAR" | "CHARACTER" | "VARYING CHARACTER"
        | "NATIVE CHARACTER" | "CHARACTER VARYING" | "TEXT" | "TINYTEXT" | "MEDIUMTEXT" | "LONGTEXT"
        | "CLOB" => Type::Text { chars_max: None, fixed: false },
        "BLOB" | "TINYBLOB" | "MEDIUMBLOB" | "LONGBLOB" | "BYTEA" | "VARBINARY" | "BINARY" => {
            Type::Bytes { bytes_max: None, fixed: false }
        }
        "DATE" => Type::Date,
        "TIME" | "TIME WITHOUT TIME ZONE" => Type::Time { digits: 6 },
        "DATETIME" | "TIMESTAMP" | "TIMESTAMP WITHOUT TIME ZONE" => Type::DateTime { digits: 6 },
        "TIMESTAMPTZ" | "TIMESTAMP WITH TIME ZONE" => Type::Instant { digits: 6 },
        "UUID" => Type::Uuid,
        "JSON" | "JSONB" => Type::JsonText,
        _ => Type::Other,
    }
}

/// The type of a name that people write, where it means something to others.
pub(crate) fn named_type(named: &NamedType) -> Option<ColumnType> {
    let numbers: Vec<String> = named.numbers.iter().map(u64::to_string).collect();
    let name = named.name.to_ascii_uppercase();
    let declared = if numbers.is_empty() { name } else { format!("{name}({})", numbers.join(",")) };
    let made = column_type(&declared);
    (made.meaning != Type::Other).then_some(made)
}

/// The length that a text is declared with.
pub(crate) fn chars(declared: &str) -> Option<u64> {
    let is_text = matches!(meaning(declared), Type::Text { .. });
    let (_, arguments) = parts(declared);
    let length = arguments.first().filter(|_| is_text)?;
    u64::try_from(*length).ok().filter(|length| *length > 0)
}

/// What people mean by a name, where SQLite takes more: a width, a length; of seconds a declaration says no digits.
pub(crate) fn promised(declared: &str) -> Type {
    let (name, arguments) = parts(declared);
    let whole = |bytes, unsigned| Type::Integer { bytes, unsigned };
    let length =
        arguments.first().and_then(|length| u64::try_from(*length).ok()).filter(|length| *length > 0);
    match (name.as_str(), meaning(declared)) {
        ("TINYINT", _) => whole(1, false),
        ("TINYINT UNSIGNED", _) => whole(1, true),
        ("SMALLINT" | "INT2", _) => whole(2, false),
        ("SMALLINT UNSIGNED", _) => whole(2, true),
        ("MEDIUMINT", _) => whole(3, false),
        ("MEDIUMINT UNSIGNED", _) => whole(3, true),
        ("INT" | "INTEGER" | "INT4", _) => whole(4, false),
        ("INT UNSIGNED" | "INTEGER UNSIGNED" | "UNSIGNED INT" | "UNSIGNED INTEGER", _) => whole(4, true),
        (_, Type::Text { .. }) => Type::Text { chars_max: length, fixed: false },
        ("VARBINARY" | "BINARY", Type::Bytes { .. }) => Type::Bytes { bytes_max: length, fixed: false },
        (_, Type::Time { .. }) => Type::Time { digits: 0 },
        (_, Type::DateTime { .. }) => Type::DateTime { digits: 0 },
        (_, Type::Instant { .. }) => Type::Instant { digits: 0 },
        (_, meaning) => meaning,
    }
}

/// Whether a STRICT table can have the type.
pub(crate) fn is_strict(declared: &str) -> bool {
    let words = ["INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"];
    words.iter().any(|word| word.eq_ignore_ascii_case(declared))
}

fn decimal(arguments: &[i64]) -> Type {
    let precision = arguments.first().and_then(|digits| u32::try_from(*digits).ok());
    let scale = match (precision, arguments.get(1)) {
        (Some(_), None) => Some(0),
        (_, scale) => scale.and_then(|digits| i32::try_from(*digits).ok()),
    };
    Type::Decimal { precision, scale }
}

/// The type to declare for a meaning, so that [`meaning`] reads the same from it wherever SQLite can keep it.
pub(crate) fn type_for(meaning: &Type) -> Option<ColumnType> {
    let declared = match meaning {
        Type::Boolean => "BOOLEAN".to_owned(),
        Type::Integer { .. } => "INTEGER".to_owned(),
        Type::Decimal { precision: None, .. } => "DECIMAL".to_owned(),
        Type::Decimal { precision: Some(precision), scale } => {
            format!("DECIMAL({precision},{})", scale.unwrap_or(0))
        }
        Type::Float32 => "FLOAT4".to_owned(),
        Type::Float64 => "DOUBLE".to_owned(),
        Type::Text { .. } => "TEXT".to_owned(),
        Type::Bytes { .. } => "BLOB".to_owned(),
        Type::Date => "DATE".to_owned(),
        Type::Time { .. } => "TIME".to_owned(),
        Type::DateTime { .. } => "DATETIME".to_owned(),
        Type::Instant { .. } => "TIMESTAMP WITH TIME ZONE".to_owned(),
        Type::Uuid => "UUID".to_owned(),
        Type::JsonText | Type::Json => "JSON".to_owned(),
        Type::Enum { .. } | Type::Set { .. } | Type::Bits { .. } | Type::Address { .. } | Type::Printed => {
            "TEXT".to_owned()
        }
        Type::Year => "INTEGER".to_owned(),
        Type::Zoned { .. } => "DATETIME".to_owned(),
        Type::Other => return None,
    };
    Some(column_type(&declared))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_people_mean() {
        let integer = Type::Integer { bytes: 8, unsigned: false };
        let text = Type::Text { chars_max: None, fixed: false };
        for (declared, expected) in [
            ("integer", integer.clone()),
            ("bigint(20) unsigned", integer),
            ("DECIMAL(10, 2)", Type::Decimal { precision: Some(10), scale: Some(2) }),
            ("numeric(5)", Type::Decimal { precision: Some(5), scale: Some(0) }),
            ("numeric", Type::Decimal { precision: None, scale: None }),
            ("character varying(40)", text.clone()),
            ("NVARCHAR(10)", text),
            ("timestamp(3) with time zone", Type::Instant { digits: 6 }),
            ("timestamp", Type::DateTime { digits: 6 }),
            ("FLOATING POINT", Type::Other),
            ("", Type::Other),
        ] {
            assert_eq!(meaning(declared), expected, "{declared}");
        }
    }

    #[test]
    fn created_types_read_back() {
        for meaning in [
            Type::Boolean,
            Type::Integer { bytes: 8, unsigned: false },
            Type::Decimal { precision: Some(10), scale: Some(2) },
            Type::Decimal { precision: None, scale: None },
            Type::Float32,
            Type::Float64,
            Type::Text { chars_max: None, fixed: false },
            Type::Bytes { bytes_max: None, fixed: false },
            Type::Date,
            Type::Time { digits: 6 },
            Type::DateTime { digits: 6 },
            Type::Instant { digits: 6 },
            Type::Uuid,
            Type::JsonText,
        ] {
            assert_eq!(type_for(&meaning).map(|made| made.meaning), Some(meaning));
        }
        assert_eq!(type_for(&Type::Other), None);
    }
}
