//! Values that stand in a unique column for a moment, while rows exchange theirs.
//!
//! Owns which columns can hold such a value and what it is: a function of the row, so that a plan that is made, shown
//! and applied has the same one. That no row of the replica has it already is looked at when the plan is made, and
//! settled by the salt. Refuses columns whose values could mean more than themselves: those with checks, of foreign
//! keys, enums. Invariant: the column's type holds the value, and stores it as it is given.

use crate::sql::Column;
use crate::value::{Decimal, Digest, Type, Value};

/// Fewest characters of a text that still can be expected to be nobody else's.
const CHARS_MIN: u64 = 4;
/// As many as are needed for that.
const CHARS: u64 = 20;
/// Fewest and most digits of a decimal.
const DIGITS_MIN: u32 = 4;
const DIGITS: u32 = 15;

/// Whether a column has such values.
pub(super) fn has(column: &Column) -> bool {
    value(column, b"", 0).is_some()
}

/// The value for the row of this key.
pub(super) fn value(column: &Column, key: &[u8], salt: u32) -> Option<Value> {
    let digest = Digest::of(&[key, &salt.to_be_bytes(), column.name.as_bytes()].concat());
    let seed = digest.bytes().first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    match &column.column_type.meaning {
        Type::Integer { bytes, .. } => {
            // The upper half of what a signed one holds.
            let largest = (1_i128 << (8 * u32::from(*bytes) - 1)) - 1;
            let half = largest / 2;
            Some(Value::Integer(half + 1 + i128::from(seed) % half))
        }
        Type::Decimal { precision, scale } => {
            let whole = match (precision, scale) {
                (None, _) => DIGITS,
                (Some(precision), scale) => {
                    u32::try_from(i64::from(*precision) - i64::from(scale.unwrap_or(0))).ok()?.min(DIGITS)
                }
            };
            if whole < DIGITS_MIN || scale.is_some_and(|scale| scale < 0) {
                return None;
            }
            let half = 10_u64.pow(whole) / 2;
            Decimal::parse(&(half + seed % half).to_string()).ok().map(Value::Decimal)
        }
        Type::Text { chars_max, fixed: false } => {
            let chars = chars_max.unwrap_or(CHARS).min(CHARS);
            // Hexadecimal: the same to every collation, and no word.
            let text = digest.hex();
            (chars >= CHARS_MIN).then(|| Value::Text(text[..chars as usize].to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::ColumnType;

    fn column(meaning: Type) -> Column {
        Column {
            name: "c".to_owned(),
            column_type: ColumnType::new("", meaning),
            nullable: false,
            default: None,
            generated: None,
            identity: None,
            collation: None,
        }
    }

    #[test]
    fn the_type_holds_the_value() {
        for bytes in [1, 2, 3, 4, 8] {
            let column = column(Type::Integer { bytes, unsigned: false });
            for key in 0..200_u8 {
                let Some(Value::Integer(value)) = value(&column, &[key], 0) else { panic!("an integer") };
                assert!(value > 0 && value < 1 << (8 * u32::from(bytes) - 1), "{bytes}: {value}");
            }
        }
        let short = column(Type::Text { chars_max: Some(6), fixed: false });
        assert!(matches!(value(&short, b"k", 0), Some(Value::Text(text)) if text.len() == 6));
        assert_ne!(value(&short, b"k", 0), value(&short, b"k", 1));
        assert!(!has(&column(Type::Text { chars_max: Some(2), fixed: false })));
        assert!(!has(&column(Type::Enum { members: vec!["a".to_owned()] })));
        assert!(has(&column(Type::Decimal { precision: Some(8), scale: Some(2) })));
    }
}
