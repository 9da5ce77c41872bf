//! Which types hold all that others hold, exactly.
//!
//! Invariant: `holds(wide, narrow)` says that every value of `narrow` is a value of `wide` and stays the same value.

use crate::value::Type;

/// Whether every value of the second type is one of the first, unchanged.
pub(super) fn holds(wide: &Type, narrow: &Type) -> bool {
    match (wide, narrow) {
        _ if wide == narrow => !matches!(wide, Type::Printed | Type::Other),
        (
            Type::Integer { bytes: wide, unsigned: wide_unsigned },
            Type::Integer { bytes: narrow, unsigned: narrow_unsigned },
        ) => match (wide_unsigned, narrow_unsigned) {
            (true, false) => false,
            (false, true) => wide > narrow,
            _ => wide >= narrow,
        },
        (
            Type::Text { chars_max: wide, fixed: wide_fixed },
            Type::Text { chars_max: narrow, fixed: narrow_fixed },
        ) => wide_fixed == narrow_fixed && within(*wide, *narrow),
        (Type::Bytes { bytes_max: wide, fixed: false }, Type::Bytes { bytes_max: narrow, fixed: false }) => {
            within(*wide, *narrow)
        }
        (Type::Decimal { precision: None, .. }, Type::Decimal { .. } | Type::Integer { .. }) => true,
        (Type::Decimal { .. }, Type::Decimal { .. } | Type::Integer { .. }) => {
            let (Some(wide), Some(narrow)) = (digits(wide), digits(narrow)) else { return false };
            // More digits behind the point print otherwise, and are the same number.
            wide.0 >= narrow.0 && wide.1 >= narrow.1
        }
        (Type::Integer { bytes, unsigned: false }, Type::Decimal { .. }) => {
            digits(narrow).is_some_and(|(whole, behind)| behind == 0 && whole < whole_digits(*bytes, false))
        }
        (Type::Float64, Type::Float32) => true,
        (Type::Enum { members: wide }, Type::Enum { members: narrow })
        | (Type::Set { members: wide }, Type::Set { members: narrow }) => {
            narrow.iter().all(|word| wide.contains(word))
        }
        (Type::Time { digits: wide }, Type::Time { digits: narrow })
        | (Type::DateTime { digits: wide }, Type::DateTime { digits: narrow })
        | (Type::Instant { digits: wide }, Type::Instant { digits: narrow }) => wide >= narrow,
        _ => false,
    }
}

/// The digits before and behind the point that a whole number or a decimal has at most; `None`: any number of them.
pub(super) fn digits(meaning: &Type) -> Option<(u32, u32)> {
    match meaning {
        Type::Integer { bytes, unsigned } => Some((whole_digits(*bytes, *unsigned), 0)),
        Type::Decimal { precision: Some(precision), scale } => {
            let scale = i64::from(scale.unwrap_or(0));
            let whole = u32::try_from((i64::from(*precision) - scale).max(0)).ok()?;
            Some((whole, u32::try_from(scale.max(0)).ok()?))
        }
        _ => None,
    }
}

/// The digits of the largest number.
fn whole_digits(bytes: u8, unsigned: bool) -> u32 {
    match (bytes, unsigned) {
        (0 | 1, _) => 3,
        (2, _) => 5,
        (3, false) => 7,
        (3, true) => 8,
        (4, _) => 10,
        (_, false) => 19,
        (_, true) => 20,
    }
}

fn within(wide: Option<u64>, narrow: Option<u64>) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => wide >= narrow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_all_of_another_and_what_does_not() {
        let integer = |bytes, unsigned| Type::Integer { bytes, unsigned };
        let text = |chars_max, fixed| Type::Text { chars_max, fixed };
        let decimal = |precision, scale| Type::Decimal { precision: Some(precision), scale: Some(scale) };
        let list =
            |words: &[&str]| Type::Enum { members: words.iter().map(|one| (*one).to_owned()).collect() };
        let cases = [
            (integer(8, false), integer(4, false), true),
            (integer(4, false), integer(8, false), false),
            (integer(8, false), integer(4, true), true),
            (integer(4, false), integer(4, true), false),
            (integer(8, true), integer(4, false), false),
            (text(None, false), text(Some(9), false), true),
            (text(Some(9), false), text(None, false), false),
            (text(Some(9), false), text(Some(9), true), false),
            (decimal(12, 4), decimal(10, 2), true),
            (decimal(10, 4), decimal(10, 2), false),
            (Type::DateTime { digits: 6 }, Type::DateTime { digits: 0 }, true),
            (Type::DateTime { digits: 0 }, Type::DateTime { digits: 6 }, false),
            (Type::Decimal { precision: None, scale: None }, decimal(10, 2), true),
            (decimal(10, 2), Type::Decimal { precision: None, scale: None }, false),
            (decimal(10, 0), integer(4, false), true),
            (decimal(11, 2), integer(4, true), false),
            (decimal(20, 0), integer(8, true), true),
            (integer(4, false), decimal(9, 0), true),
            (integer(4, false), decimal(10, 0), false),
            (integer(8, false), decimal(9, 2), false),
            (Type::Float64, Type::Float32, true),
            (Type::Float32, Type::Float64, false),
            (Type::Json, Type::JsonText, false),
            (list(&["b", "c", "a"]), list(&["a", "b"]), true),
            (list(&["a", "b"]), list(&["a", "b", "c"]), false),
            (Type::Printed, Type::Printed, false),
        ];
        for (wide, narrow, expected) in cases {
            assert_eq!(holds(&wide, &narrow), expected, "{wide:?} {narrow:?}");
        }
    }
}
