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
        (
            Type::Decimal { precision: Some(wide), scale: wide_scale },
            Type::Decimal { precision: Some(narrow), scale: narrow_scale },
        ) => {
            let (wide_scale, narrow_scale) = (wide_scale.unwrap_or(0), narrow_scale.unwrap_or(0));
            let whole = |precision: u32, scale: i32| i64::from(precision) - i64::from(scale);
            // More digits behind the point print otherwise, and are the same number.
            wide_scale >= narrow_scale && whole(*wide, wide_scale) >= whole(*narrow, narrow_scale)
        }
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
            (Type::Decimal { precision: None, scale: None }, decimal(10, 2), false),
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
