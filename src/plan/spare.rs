//! Values that stand in a unique column for a moment, while rows exchange theirs.
//!
//! Owns which columns can hold such a value and what it is: counted through the rows that need one, so that no two have
//! the same; and a function of the plan, so that one that is made, shown and applied has the same. That no row of the
//! replica has it already is looked at when the plan is made, and settled by the salt, which says where to begin. Refuses
//! columns whose values could mean more than themselves: those with checks, of foreign keys, enums. Invariant: the
//! column's type holds the value, and stores it as it is given.

use crate::compare::ChangeNumber;
use crate::sql::Column;
use crate::value::{Decimal, Digest, Type, Value};

/// Fewest characters of a text that still can be expected to be nobody else's.
const CHARS_MIN: u64 = 4;
/// As many as are needed for that.
const CHARS: u64 = 20;
/// Fewest and most digits of a decimal.
const DIGITS_MIN: u32 = 4;
const DIGITS: u32 = 15;

/// Digits of a text that count.
const COUNTING: u64 = 12;

/// Which values the rows of a table have in between.
#[derive(Clone, Copy, Debug)]
pub struct Spares<'a> {
    /// Where counting begins.
    pub salt: u32,
    /// The changes whose rows have some, ascending.
    pub rows: &'a [ChangeNumber],
}

impl Spares<'_> {
    /// The value for the row of this change. One that was not foreseen counts on behind all others.
    pub(super) fn value(&self, column: &Column, number: ChangeNumber) -> Option<Value> {
        let rank = match self.rows.binary_search(&number) {
            Ok(rank) => rank as u64,
            Err(_) => self.rows.len() as u64 + u64::from(number),
        };
        value(column, rank, self.salt)
    }
}

/// Whether a column has such values.
pub(super) fn has(column: &Column) -> bool {
    value(column, 0, 0).is_some()
}

/// The value for the row of this rank.
fn value(column: &Column, rank: u64, salt: u32) -> Option<Value> {
    let digest = Digest::of(&[&salt.to_be_bytes(), column.name.as_bytes()].concat());
    let begin = digest.bytes().first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let counted = |many: u64| (begin % many + rank) % many;
    match &column.column_type.meaning {
        Type::Integer { bytes, .. } => {
            // The upper half of what a signed one holds.
            let half = ((1_u64 << (8 * u32::from(*bytes) - 1)) - 1) / 2;
            Some(Value::Integer(i128::from(half + 1) + i128::from(counted(half))))
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
            Decimal::parse(&(half + counted(half)).to_string()).ok().map(Value::Decimal)
        }
        Type::Text { chars_max, fixed: false } => {
            let chars = chars_max.unwrap_or(CHARS).min(CHARS);
            // Hexadecimal: the same to every collation, and no word. What differs most comes first, for an index may
            // hold the beginning alone.
            let counting = chars.min(COUNTING) as usize;
            (chars >= CHARS_MIN).then(|| {
                let count = format!("{:0counting$x}", counted(1 << (4 * counting)));
                let rest = &digest.hex()[..chars as usize - counting];
                Value::Text(count.chars().rev().chain(rest.chars()).collect())
            })
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
            words: Default::default(),
        }
    }

    #[test]
    fn no_two_rows_have_the_same_while_there_are_others() {
        let kinds = [
            (Type::Integer { bytes: 1, unsigned: false }, 63),
            (Type::Integer { bytes: 2, unsigned: false }, 16_383),
            (Type::Decimal { precision: Some(4), scale: Some(0) }, 5_000),
            (Type::Text { chars_max: Some(4), fixed: false }, 65_536),
        ];
        for (meaning, many) in kinds {
            let column = column(meaning);
            for salt in 0..3 {
                let rows: Vec<ChangeNumber> = (0..many).map(|row| 3 * row).collect();
                let spares = Spares { salt, rows: &rows };
                let values = rows.iter().map(|row| format!("{:?}", spares.value(&column, *row)));
                let distinct: std::collections::HashSet<String> = values.collect();
                assert_eq!(distinct.len(), rows.len(), "{column:?}");
            }
        }
    }

    #[test]
    fn the_type_holds_the_value() {
        for bytes in [1, 2, 3, 4, 8] {
            let column = column(Type::Integer { bytes, unsigned: false });
            for rank in 0..200 {
                let Some(Value::Integer(value)) = value(&column, rank, 0) else { panic!("an integer") };
                assert!(value > 0 && value < 1 << (8 * u32::from(bytes) - 1), "{bytes}: {value}");
            }
        }
        let short = column(Type::Text { chars_max: Some(6), fixed: false });
        assert!(matches!(value(&short, 7, 0), Some(Value::Text(text)) if text.len() == 6));
        assert_ne!(value(&short, 7, 0), value(&short, 7, 1));
        assert!(!has(&column(Type::Text { chars_max: Some(2), fixed: false })));
        assert!(!has(&column(Type::Enum { members: vec!["a".to_owned()] })));
        assert!(has(&column(Type::Decimal { precision: Some(8), scale: Some(2) })));
    }
}
