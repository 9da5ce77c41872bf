//! Why the values of a column differ, where they share a cause: what a person would see in a long list of updates.
//!
//! A cause explains and removes nothing: every difference stays in the plan. The first values of a column suggest
//! causes, those that follow only confirm or weaken them, so that a column whose values differ for no common cause
//! costs next to nothing. Counts are exact for a cause that holds from the beginning.
//!
//! Invariant: the option that [`Cause::option`] names accepts every pair of values that the cause explains.

mod number;
mod text;
mod time;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Excuse;
use crate::sides::{Side, Sides};
use crate::value::{Decimal, Value, canonical_json, value_text};

/// Values of a column that may suggest causes.
const SUGGESTING_VALUES: u64 = 500;
/// Candidates of a column while causes are suggested.
const CANDIDATES_MAX: usize = 200;
/// A cause is told when it explains at least nine in ten of a column's differing values.
const SHARE: (u64, u64) = (9, 10);
/// A cause with a number in it (two hours, 20 characters) fits any single value; so many make it one.
const VALUES_MIN: u64 = 3;
/// Tolerances that are tried are powers of ten from this one on.
const TOLERANCE_FIRST: i32 = -20;
/// … to this one.
const TOLERANCE_LAST: i32 = 20;

/// What makes two values differ. Where several explain a value, the first of this order is the one to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// One side is NULL, the other empty.
    EmptyForNull {
        /// The side that is empty.
        empty: Side,
    },
    /// The same value in another storage class (SQLite).
    StorageClass,
    /// The same JSON in other spacing or order of keys.
    JsonForm,
    /// The same number with other zeros at its end.
    Zeros,
    /// White space at the end.
    SpaceAtEnd,
    /// White space at either end.
    Space,
    /// Upper and lower case.
    Case,
    /// The same characters, composed or not (NFC, NFD).
    Normalization,
    /// UTF-8 read as Latin-1 (as Windows-1252 has it).
    Misread {
        /// The side whose characters are wrong.
        side: Side,
    },
    /// Characters that became `?` or U+FFFD.
    Replaced {
        /// The side whose characters are lost.
        side: Side,
    },
    /// Times that are later on the replica by the same amount, negative for earlier.
    Offset {
        /// Microseconds.
        micros: i64,
    },
    /// Fractions of a unit of time.
    Fraction {
        /// The unit: a second, a millisecond.
        unit_micros: i64,
    },
    /// Doubles that went through single precision.
    SinglePrecision {
        /// The side that went through.
        side: Side,
    },
    /// Floats that went through a text with too few digits.
    SignificantDigits {
        /// The side that went through.
        side: Side,
        /// Significant digits left.
        digits: u8,
    },
    /// Numbers rounded to some digits after the point.
    Rounded {
        /// The side that is rounded.
        side: Side,
        /// Digits after the point left.
        digits: u8,
    },
    /// Numbers cut off after some digits after the point.
    CutDigits {
        /// The side that is cut off.
        side: Side,
        /// Digits after the point left.
        digits: u8,
    },
    /// Texts that end after some characters.
    CutText {
        /// The side that is cut off.
        side: Side,
        /// Characters left.
        chars: u32,
    },
}

impl Cause {
    /// The cause's name in output.
    pub fn name(self) -> &'static str {
        match self {
            Cause::EmptyForNull { .. } => "empty_for_null",
            Cause::StorageClass => "storage_class",
            Cause::JsonForm => "json_form",
            Cause::Zeros => "zeros",
            Cause::SpaceAtEnd => "space_at_end",
            Cause::Space => "space",
            Cause::Case => "case",
            Cause::Normalization => "normalization",
            Cause::Misread { .. } => "misread_charset",
            Cause::Replaced { .. } => "replaced_characters",
            Cause::Offset { .. } => "time_offset",
            Cause::Fraction { .. } => "time_fraction",
            Cause::SinglePrecision { .. } => "single_precision",
            Cause::SignificantDigits { .. } => "significant_digits",
            Cause::Rounded { .. } => "rounded",
            Cause::CutDigits { .. } => "cut_digits",
            Cause::CutText { .. } => "cut_text",
        }
    }

    /// Whether it carries a number that any single pair of values would fit.
    fn is_measured(self) -> bool {
        matches!(
            self,
            Cause::Offset { .. }
                | Cause::Rounded { .. }
                | Cause::CutDigits { .. }
                | Cause::CutText { .. }
                | Cause::SignificantDigits { .. }
        )
    }

    /// Whether what differs is a number, so that a tolerance could accept it.
    fn is_of_numbers(self) -> bool {
        matches!(
            self,
            Cause::Zeros
                | Cause::SinglePrecision { .. }
                | Cause::SignificantDigits { .. }
                | Cause::Rounded { .. }
                | Cause::CutDigits { .. }
        )
    }

    /// The `compare` option of the spec that accepts it, if one does; of numbers within `tolerance`.
    fn option(self, tolerance: Option<&str>) -> Option<String> {
        match self {
            Cause::SpaceAtEnd | Cause::Space => Some("trim: true".to_owned()),
            Cause::Case => Some("case: ignore".to_owned()),
            Cause::Fraction { unit_micros: time::SECOND } => Some("precision: seconds".to_owned()),
            Cause::Fraction { .. } => Some("precision: milliseconds".to_owned()),
            Cause::Zeros => Some("tolerance: 0".to_owned()),
            cause if cause.is_of_numbers() => tolerance.map(|tolerance| format!("tolerance: {tolerance}")),
            _ => None,
        }
    }

    /// Whether these two values differ for this cause and no other.
    fn explains(self, values: Sides<&Value>) -> bool {
        let Sides { primary, replica } = values;
        // The side that something happened to, and the one that has the value as it was.
        let changed = |side: Side| (values.get(side), values.get(side.other()));
        match self {
            Cause::EmptyForNull { empty } => is_empty(changed(empty).0) && changed(empty).1.is_null(),
            Cause::StorageClass => is_other_class(primary, replica),
            Cause::JsonForm => is_same_json(primary, replica),
            Cause::Zeros => number::is_equal(primary, replica),
            Cause::SpaceAtEnd => text::is_equal(primary, replica, |text| text.trim_end().to_owned()),
            Cause::Space => Excuse { trim: true, ..Excuse::default() }.excuses(primary, replica),
            Cause::Case => Excuse { ignore_case: true, ..Excuse::default() }.excuses(primary, replica),
            Cause::Normalization => text::is_equal(primary, replica, text::composed),
            Cause::Misread { side } => text::is_misread(changed(side).0, changed(side).1),
            Cause::Replaced { side } => text::is_replaced(changed(side).0, changed(side).1),
            Cause::Offset { micros } => time::offset(primary, replica) == Some(micros),
            Cause::Fraction { unit_micros } => {
                let excuse = Excuse { unit_micros: Some(unit_micros), ..Excuse::default() };
                excuse.excuses(primary, replica)
            }
            Cause::SinglePrecision { side } => number::is_single(changed(side).0, changed(side).1),
            Cause::SignificantDigits { side, digits } => {
                number::has_significant_digits(changed(side).0, changed(side).1, digits)
            }
            Cause::Rounded { side, digits } => number::is_rounded(changed(side).0, changed(side).1, digits),
            Cause::CutDigits { side, digits } => number::is_cut(changed(side).0, changed(side).1, digits),
            Cause::CutText { side, chars } => {
                text::cut_after(changed(side).0, changed(side).1) == Some(chars)
            }
        }
    }

    /// All that explain these two values.
    fn suggested_by(values: Sides<&Value>) -> Vec<Cause> {
        let mut causes = vec![Cause::StorageClass, Cause::JsonForm, Cause::Zeros, Cause::SpaceAtEnd];
        causes.extend([Cause::Space, Cause::Case, Cause::Normalization]);
        causes.extend(time::offset(values.primary, values.replica).map(|micros| Cause::Offset { micros }));
        causes.extend([time::SECOND, time::MILLISECOND].map(|unit_micros| Cause::Fraction { unit_micros }));
        for side in [Side::Primary, Side::Replica] {
            causes.extend([
                Cause::EmptyForNull { empty: side },
                Cause::Misread { side },
                Cause::Replaced { side },
                Cause::SinglePrecision { side },
            ]);
            let (changed, whole) = (values.get(side), values.get(side.other()));
            causes.extend([6, 15].map(|digits| Cause::SignificantDigits { side, digits }));
            causes.extend(text::cut_after(changed, whole).map(|chars| Cause::CutText { side, chars }));
            for digits in number::digits_to_try(changed, whole) {
                causes.extend([Cause::Rounded { side, digits }, Cause::CutDigits { side, digits }]);
            }
        }
        causes.retain(|cause| cause.explains(values));
        causes
    }
}

/// A cause that the differing values of a column share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnCause {
    /// The column, by its index in the table pair.
    pub column: u16,
    /// What makes its values differ.
    pub cause: Cause,
    /// Values it explains.
    pub values: u64,
    /// Values of the column that differ.
    pub of: u64,
    /// The `compare` option that would accept them, as it is written in the spec: `trim: true`.
    pub option: Option<String>,
}

/// Looks for the causes that the differing values of a table's columns share.
#[derive(Debug, Default)]
pub struct CauseTally(BTreeMap<u16, ColumnTally>);

impl CauseTally {
    /// Adds two values of a column that differ.
    pub fn add(&mut self, column: u16, values: Sides<&Value>) {
        self.0.entry(column).or_default().add(values);
    }

    /// Whether values of this column still matter for more than their number.
    pub fn wants(&self, column: u16) -> bool {
        self.0.get(&column).is_none_or(ColumnTally::wants)
    }

    /// Counts a value of a column that [`wants`](Self::wants) no more.
    pub fn count(&mut self, column: u16) {
        self.0.entry(column).or_default().of += 1;
    }

    /// The cause of each column that has one, in the order of the columns.
    pub fn finish(self) -> Vec<ColumnCause> {
        self.0.into_iter().filter_map(|(column, tally)| tally.finish(column)).collect()
    }
}

/// What is known of one column.
#[derive(Debug, Default)]
struct ColumnTally {
    of: u64,
    candidates: BTreeMap<Cause, u64>,
    /// The power of ten that is the least tolerance for all values that a cause of numbers explained.
    tolerance: Option<i32>,
    /// Whether there were numbers that no such tolerance accepts.
    intolerable: bool,
}

impl ColumnTally {
    fn wants(&self) -> bool {
        self.of < SUGGESTING_VALUES || !self.candidates.is_empty()
    }

    fn add(&mut self, values: Sides<&Value>) {
        let values = values.map(own_class);
        self.of += 1;
        let mut of_numbers = false;
        if self.of <= SUGGESTING_VALUES {
            for cause in Cause::suggested_by(values) {
                of_numbers |= cause.is_of_numbers();
                if self.candidates.len() < CANDIDATES_MAX || self.candidates.contains_key(&cause) {
                    *self.candidates.entry(cause).or_default() += 1;
                }
            }
        } else {
            for (cause, count) in &mut self.candidates {
                if cause.explains(values) {
                    *count += 1;
                    of_numbers |= cause.is_of_numbers();
                }
            }
        }
        if of_numbers {
            self.widen(values);
        }
        if self.of == SUGGESTING_VALUES || self.of.is_power_of_two() && self.of > SUGGESTING_VALUES {
            let of = self.of;
            self.candidates.retain(|_, count| is_share(*count, of));
        }
    }

    /// Widens the tolerance until it accepts these two.
    fn widen(&mut self, values: Sides<&Value>) {
        let accepts = |exponent: i32| {
            let excuse = Excuse { tolerance: power_of_ten(exponent), ..Excuse::default() };
            excuse.excuses(values.primary, values.replica)
        };
        let first = self.tolerance.unwrap_or(TOLERANCE_FIRST);
        match (first..=TOLERANCE_LAST).find(|exponent| accepts(*exponent)) {
            Some(exponent) => self.tolerance = Some(exponent),
            None => self.intolerable = true,
        }
    }

    fn finish(self, column: u16) -> Option<ColumnCause> {
        let told = |cause: &Cause, values: u64| {
            is_share(values, self.of) && (!cause.is_measured() || values >= VALUES_MIN)
        };
        let of_most = self.candidates.iter().filter(|(cause, values)| told(cause, **values));
        // Of those that explain most, the first by the order of causes.
        let (cause, values) = of_most.max_by_key(|(cause, values)| (**values, std::cmp::Reverse(**cause)))?;
        let tolerance = self.tolerance.filter(|_| !self.intolerable).and_then(power_of_ten);
        let option = cause.option(tolerance.as_ref().map(Decimal::as_str));
        Some(ColumnCause { column, cause: *cause, values: *values, of: self.of, option })
    }
}

fn is_share(values: u64, of: u64) -> bool {
    values * SHARE.1 >= of * SHARE.0
}

fn power_of_ten(exponent: i32) -> Option<Decimal> {
    Decimal::parse(&format!("1e{exponent}")).ok()
}

/// The value itself, whether or not its storage class is the one its column asks for.
fn own_class(value: &Value) -> &Value {
    match value {
        Value::OtherStorage(value) => value,
        value => value,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Text(text) | Value::Native(text) => text.is_empty(),
        Value::Bytes(bytes) | Value::RawText(bytes) => bytes.is_empty(),
        _ => false,
    }
}

fn is_other_class(primary: &Value, replica: &Value) -> bool {
    let class = std::mem::discriminant::<Value>;
    let same = |a: &Value, b: &Value| {
        let (a, b) = (value_text(a), value_text(b));
        a.trim_matches('\'') == b.trim_matches('\'')
    };
    class(primary) != class(replica) && (number::is_equal(primary, replica) || same(primary, replica))
}

fn is_same_json(primary: &Value, replica: &Value) -> bool {
    let canonical = |value: &Value| match value {
        Value::Json(text) => canonical_json(text).ok(),
        _ => None,
    };
    canonical(primary).is_some_and(|primary| canonical(replica) == Some(primary))
}

#[cfg(test)]
mod tests;
