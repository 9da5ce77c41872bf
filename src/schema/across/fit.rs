//! Which types of a replica hold what a type of another engine holds.
//!
//! Owns the table of what is accepted: a type that holds every value of the primary's, in the domain that the two are
//! compared in ([`comparable`](super::super::comparable)), is no difference however it is called. One of the same kind with
//! less room is, and has a wider one that holds both. Refuses to make anything of a type of another kind: who keeps uuids
//! of a text in a uuid meant to, and a value that is none is an error. Pure.

use serde::{Deserialize, Serialize};

use crate::sides::Sides;
use crate::sql::Dialect;
use crate::value::{ColumnType, Type};

use super::super::widening;

/// Characters of a UUID with its hyphens.
const UUID_CHARS: u64 = 36;
/// Bytes of a UUID.
const UUID_BYTES: u64 = 16;
/// Characters of the longest IP address, and of one with the length of its prefix.
const ADDRESS_CHARS: (u64, u64) = (39, 43);
/// Digits of a decimal that a double keeps, whichever they are.
const DOUBLE_DIGITS: u32 = 15;

/// How well a column of the replica holds what the primary's holds, by kind, length and digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fit {
    /// The same values.
    Exact,
    /// All of them, and more.
    Wider,
    /// All of them, each as its text.
    TextForm,
    /// All that the primary's column is declared for, though its engine would store others too.
    Declared,
    /// Not all of them: one that it does not hold is an error.
    Limited,
}

impl Fit {
    /// The word in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Fit::Exact => "exact",
            Fit::Wider => "wider",
            Fit::TextForm => "text_form",
            Fit::Declared => "declared",
            Fit::Limited => "limited",
        }
    }

    /// The words for people.
    pub fn words(self) -> &'static str {
        match self {
            Fit::Exact => "exact",
            Fit::Wider => "wider",
            Fit::TextForm => "text form",
            Fit::Declared => "as declared",
            Fit::Limited => "limited",
        }
    }

    /// Whether the column holds every value of the primary's as it is.
    pub fn is_quiet(self) -> bool {
        matches!(self, Fit::Exact | Fit::Wider)
    }
}

/// How well a type of the replica's engine holds what one of the primary's holds. The two have a domain.
pub fn fit(dialects: Sides<&dyn Dialect>, primary: &ColumnType, replica: &ColumnType) -> Fit {
    let Sides { primary: of_primary, replica: of_replica } = dialects;
    // One that the spec puts into a zone is kept without.
    let replica = match replica.meaning {
        Type::Zoned { digits, .. } => &ColumnType { meaning: Type::DateTime { digits }, ..replica.clone() },
        _ => replica,
    };
    let found = holds(of_replica, replica, &primary.meaning);
    let declared = || holds(of_replica, replica, &of_primary.promised(primary)).map(|_| Fit::Declared);
    found.or_else(declared).unwrap_or(Fit::Limited)
}

/// Whether a type of this engine holds every value of another type, and how; `None`: it does not.
pub fn holds(dialect: &dyn Dialect, wide: &ColumnType, narrow: &Type) -> Option<Fit> {
    let meaning = &wide.meaning;
    let all = |holds: bool| holds.then_some(if meaning == narrow { Fit::Exact } else { Fit::Wider });
    // SQLite keeps what comes, and a number by the digits that are declared behind the point.
    let keeps_all = dialect.stores_any_class();
    let is_text = matches!(meaning, Type::Text { .. });
    match (meaning, narrow) {
        (Type::Boolean, Type::Boolean) => Some(Fit::Exact),
        (Type::Integer { .. } | Type::Bits { length: 1 }, Type::Boolean) => Some(Fit::Wider),
        (Type::Integer { .. } | Type::Decimal { .. }, Type::Integer { .. } | Type::Decimal { .. }) => {
            numbers(keeps_all, meaning, narrow)
        }
        (Type::Float64, Type::Decimal { precision, .. }) if keeps_all => {
            all(precision.is_some_and(|digits| digits <= DOUBLE_DIGITS))
        }
        (Type::Integer { bytes, .. }, Type::Year) => all(*bytes > 1),
        (Type::Float32, Type::Float32) | (Type::Float64, Type::Float64) => Some(Fit::Exact),
        (Type::Float64, Type::Float32) => Some(Fit::Wider),
        (Type::Float32, Type::Float64) => keeps_all.then_some(Fit::Wider),
        // Blanks at the end have no place in what is filled up with them.
        (Type::Text { fixed: is, .. }, Type::Text { chars_max, fixed: was }) => {
            all(within(dialect.chars_held(wide), *chars_max) && (!is || *was))
        }
        (Type::Bytes { bytes_max, fixed: false }, Type::Bytes { bytes_max: was, .. }) => {
            all(within(*bytes_max, *was))
        }
        (Type::Bytes { bytes_max, fixed: true }, Type::Uuid) => all(*bytes_max == Some(UUID_BYTES)),
        (Type::Bytes { bytes_max, fixed: false }, Type::Uuid) => all(within(*bytes_max, Some(UUID_BYTES))),
        (Type::Uuid, Type::Bytes { bytes_max: Some(UUID_BYTES), fixed: true }) => Some(Fit::Exact),
        (Type::Address { v4, v6, prefix }, Type::Address { v4: was_v4, v6: was_v6, prefix: was_prefix }) => {
            all((*v4 || !was_v4) && (*v6 || !was_v6) && (*prefix || !was_prefix))
        }
        // By structure, which both keep.
        (Type::Json | Type::JsonText, Type::Json | Type::JsonText) => Some(Fit::Exact),
        _ if is_text && let Some(chars) = text_chars(narrow) => {
            within(dialect.chars_held(wide), chars).then_some(Fit::TextForm)
        }
        _ => {
            let narrow = alike_moment(meaning, narrow);
            widening::holds(meaning, &narrow).then_some(if *meaning == narrow {
                Fit::Exact
            } else {
                Fit::Wider
            })
        }
    }
}

/// Whole numbers and decimals.
fn numbers(keeps_all: bool, wide: &Type, narrow: &Type) -> Option<Fit> {
    if keeps_all && !matches!((wide, narrow), (Type::Integer { .. }, Type::Decimal { .. })) {
        return kept_number(wide, narrow);
    }
    widening::holds(wide, narrow).then_some(if wide == narrow { Fit::Exact } else { Fit::Wider })
}

/// A number in SQLite: a whole one as itself, another as a double.
fn kept_number(wide: &Type, narrow: &Type) -> Option<Fit> {
    match (wide, narrow) {
        (_, Type::Integer { bytes, unsigned }) => {
            let fits = *bytes < 8 || !unsigned;
            fits.then_some(if wide == narrow { Fit::Exact } else { Fit::Wider })
        }
        (Type::Decimal { scale, .. }, Type::Decimal { precision, scale: was }) => {
            let digits = scale.is_none_or(|scale| was.is_some_and(|was| scale >= was));
            let kept = digits && precision.is_some_and(|precision| precision <= DOUBLE_DIGITS);
            kept.then_some(if wide == narrow { Fit::Exact } else { Fit::Wider })
        }
        _ => None,
    }
}

/// A date-time beside a moment, which the spec makes one of: what is left to compare are the digits.
fn alike_moment(wide: &Type, narrow: &Type) -> Type {
    match (wide, narrow) {
        (Type::Instant { .. }, Type::DateTime { digits }) => Type::Instant { digits: *digits },
        (Type::DateTime { .. }, Type::Instant { digits }) => Type::DateTime { digits: *digits },
        _ => narrow.clone(),
    }
}

fn within(wide: Option<u64>, narrow: Option<u64>) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => wide >= narrow,
    }
}

/// What holds all that the replica's type holds and all that is wanted; `None` where one of them has no such room, or is
/// of another kind.
pub fn both(found: &Type, wanted: &Type) -> Option<Type> {
    // A year is a whole number of four digits.
    let wanted = if *wanted == Type::Year { &Type::Integer { bytes: 2, unsigned: true } } else { wanted };
    let longer = |one: &Option<u64>, other: &Option<u64>| Some((*one)?.max((*other)?));
    Some(match (found, wanted) {
        (Type::Integer { bytes: is, unsigned: true }, Type::Integer { bytes, unsigned: false }) => {
            // One that takes no number below zero, and has the room above, was meant so.
            if is >= bytes {
                return None;
            }
            Type::Integer { bytes: *bytes, unsigned: false }
        }
        (Type::Integer { bytes: is, unsigned: false }, Type::Integer { bytes, unsigned: true }) => {
            let above = match bytes {
                1 => 2,
                2 => 3,
                3 => 4,
                4 => 8,
                _ => return Some(Type::Decimal { precision: Some(20), scale: Some(0) }),
            };
            Type::Integer { bytes: above.max(*is), unsigned: false }
        }
        (Type::Integer { bytes: is, unsigned }, Type::Integer { bytes, .. }) => {
            Type::Integer { bytes: *is.max(bytes), unsigned: *unsigned }
        }
        (Type::Integer { .. } | Type::Decimal { .. }, Type::Integer { .. } | Type::Decimal { .. }) => {
            let (one, other) = (widening::digits(found), widening::digits(wanted));
            match one.zip(other) {
                None => Type::Decimal { precision: None, scale: None },
                Some(((whole, behind), (whole_too, behind_too))) => {
                    let (whole, behind) = (whole.max(whole_too), behind.max(behind_too));
                    let scale = i32::try_from(behind).ok()?;
                    Type::Decimal { precision: Some(whole + behind), scale: Some(scale) }
                }
            }
        }
        (Type::Float32 | Type::Float64, Type::Float32 | Type::Float64) => Type::Float64,
        (Type::Text { chars_max: one, fixed }, Type::Text { chars_max: other, .. }) => {
            Type::Text { chars_max: longer(one, other), fixed: *fixed }
        }
        (Type::Bytes { bytes_max: one, fixed: false }, Type::Bytes { bytes_max: other, .. }) => {
            Type::Bytes { bytes_max: longer(one, other), fixed: false }
        }
        (Type::Enum { members: one }, Type::Enum { members: other }) => {
            let new = other.iter().filter(|word| !one.contains(word));
            Type::Enum { members: one.iter().chain(new).cloned().collect() }
        }
        (Type::Time { digits: one }, Type::Time { digits: other }) => Type::Time { digits: *one.max(other) },
        (
            Type::DateTime { digits: one },
            Type::DateTime { digits: other } | Type::Instant { digits: other },
        ) => Type::DateTime { digits: *one.max(other) },
        (
            Type::Instant { digits: one },
            Type::Instant { digits: other } | Type::DateTime { digits: other },
        ) => Type::Instant { digits: *one.max(other) },
        // The text of a value of another kind.
        (Type::Text { chars_max, fixed }, other) => {
            Type::Text { chars_max: longer(chars_max, &text_chars(other)?), fixed: *fixed }
        }
        _ => return None,
    })
}

/// How many characters the text of such a value has at most; `None` within: any number.
fn text_chars(meaning: &Type) -> Option<Option<u64>> {
    let chars = |word: &String| word.chars().count() as u64;
    Some(match meaning {
        Type::Enum { members } => members.iter().map(chars).max(),
        Type::Set { members } => Some(members.iter().map(|word| chars(word) + 1).sum()),
        Type::Uuid => Some(UUID_CHARS),
        Type::Bits { length } => Some(u64::from(*length)),
        Type::Address { prefix, .. } => Some(if *prefix { ADDRESS_CHARS.1 } else { ADDRESS_CHARS.0 }),
        Type::Json | Type::JsonText | Type::Printed => None,
        Type::Boolean
        | Type::Integer { .. }
        | Type::Decimal { .. }
        | Type::Float32
        | Type::Float64
        | Type::Text { .. }
        | Type::Bytes { .. }
        | Type::Date
        | Type::Time { .. }
        | Type::DateTime { .. }
        | Type::Instant { .. }
        | Type::Zoned { .. }
        | Type::Year
        | Type::Other => return None,
    })
}
