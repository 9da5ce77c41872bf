//! Why the values of a column differ, in words.

use crate::compare::{Cause, ColumnCause};
use crate::schema::TablePair;
use crate::sides::Side;
use crate::value::Time;

use super::words::{counted, name, thousands};

/// `all 12 differing values of note differ only in case; compare: { note: { case: ignore } } would accept them`
pub fn cause_words(pair: &TablePair, found: &ColumnCause) -> String {
    let column =
        pair.columns.get(usize::from(found.column)).map_or_else(String::new, |pair| name(pair.name()));
    let values = if found.of == 1 { "value" } else { "values" };
    let of = match (found.values == found.of, found.of) {
        (true, 1) => format!("the differing value of {column}"),
        (true, of) => format!("all {} differing values of {column}", thousands(of)),
        (false, of) => {
            format!("{} of {} differing {values} of {column}", thousands(found.values), thousands(of))
        }
    };
    let (verb, pronoun) = if found.of == 1 { (Number::One, "it") } else { (Number::Many, "them") };
    let told = format!("{of} {}", what(found.cause, verb));
    match &found.option {
        Some(option) => format!("{told}; compare: {{ {column}: {{ {option} }} }} would accept {pronoun}"),
        None => told,
    }
}

#[derive(Clone, Copy)]
enum Number {
    One,
    Many,
}

impl Number {
    fn verb(self, one: &'static str, many: &'static str) -> &'static str {
        match self {
            Number::One => one,
            Number::Many => many,
        }
    }
}

fn what(cause: Cause, number: Number) -> String {
    let differs = number.verb("differs", "differ");
    let is = number.verb("is", "are");
    match cause {
        Cause::EmptyForNull { empty } => {
            format!("{is} empty on the {empty} and NULL on the {}", empty.other())
        }
        Cause::StorageClass => format!("{differs} only in the storage class"),
        Cause::JsonForm => format!("{differs} only in spacing or in the order of keys"),
        Cause::Zeros => format!("{differs} only in zeros after the point"),
        Cause::SpaceAtEnd => format!("{differs} only in white space at the end"),
        Cause::Space => format!("{differs} only in white space at the ends"),
        Cause::Case => format!("{differs} only in case"),
        Cause::Normalization => format!("{differs} only in Unicode normalization"),
        Cause::Misread { side } => format!("{is} UTF-8 read as Latin-1 on the {side}"),
        Cause::Replaced { side } => {
            format!("{} characters that became ? on the {side}", number.verb("has", "have"))
        }
        Cause::Offset { micros } => {
            let later = if micros > 0 { "later" } else { "earlier" };
            format!("{is} {} {later} on the {}", amount(micros), Side::Replica)
        }
        Cause::Fraction { unit_micros } => {
            let unit = if unit_micros == 1_000_000 { "second" } else { "millisecond" };
            format!("{differs} only in the fraction of a {unit}")
        }
        Cause::SinglePrecision { side } => format!("{is} rounded to single precision on the {side}"),
        Cause::SignificantDigits { side, digits } => {
            format!("{is} rounded to {} on the {side}", counted(digits.into(), "significant digit"))
        }
        Cause::Rounded { side, digits } => format!("{is} rounded to {} on the {side}", after_point(digits)),
        Cause::CutDigits { side, digits } => format!("{is} cut off at {} on the {side}", after_point(digits)),
        Cause::CutText { side, chars } => {
            let end = number.verb("ends", "end");
            format!("{end} after {} on the {side}", counted(chars.into(), "character"))
        }
    }
}

fn after_point(digits: u8) -> String {
    match digits {
        0 => "whole numbers".to_owned(),
        digits => format!("{} after the point", counted(digits.into(), "digit")),
    }
}

/// `2 hours`, `5 days`, `01:30:00`
fn amount(micros: i64) -> String {
    const HOUR: u64 = 3_600_000_000;
    let micros = micros.unsigned_abs();
    match micros {
        whole if whole.is_multiple_of(24 * HOUR) => counted(whole / (24 * HOUR), "day"),
        whole if whole.is_multiple_of(HOUR) => counted(whole / HOUR, "hour"),
        micros => Time(i64::try_from(micros).unwrap_or(i64::MAX)).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_said_in_the_largest_whole_unit() {
        assert_eq!(amount(3_600_000_000), "1 hour");
        assert_eq!(amount(-7_200_000_000), "2 hours");
        assert_eq!(amount(172_800_000_000), "2 days");
        assert_eq!(amount(5_400_000_000), "01:30:00");
        assert_eq!(amount(1), "00:00:00.000001");
    }

    #[test]
    fn a_single_value_is_spoken_of_as_one() {
        assert_eq!(what(Cause::Case, Number::One), "differs only in case");
        let cut = Cause::CutText { side: Side::Replica, chars: 20 };
        assert_eq!(what(cut, Number::Many), "end after 20 characters on the replica");
        let rounded = Cause::Rounded { side: Side::Primary, digits: 0 };
        assert_eq!(what(rounded, Number::Many), "are rounded to whole numbers on the primary");
    }
}
