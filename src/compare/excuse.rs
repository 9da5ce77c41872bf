//! What the spec excuses in one column (`compare:`), decided on decoded values.
//!
//! An excuse only ever looks at two values that are known to differ, so it can remove a difference and never
//! make one. Numbers are compared by exact decimal arithmetic, never through a double.

use std::cmp::Ordering;

use crate::value::{Decimal, Stamp, Time, Value};

/// Differences of a column that do not count; all that are given apply together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excuse {
    /// Numbers: `|a - b| <= tolerance`.
    pub tolerance: Option<Decimal>,
    /// Times, date-times and instants: the finest unit that counts, in microseconds. Finer digits are cut
    /// off towards the past.
    pub unit_micros: Option<i64>,
    /// Text: white space at both ends does not count.
    pub trim: bool,
    /// Text: upper and lower case do not count (Unicode lower case, character by character).
    pub ignore_case: bool,
}

impl Excuse {
    /// Whether two values that differ are close enough. NULL is never close to a value.
    pub fn excuses(&self, primary: &Value, replica: &Value) -> bool {
        self.excuses_number(primary, replica)
            || self.excuses_text(primary, replica)
            || self.excuses_time(primary, replica)
    }

    fn excuses_number(&self, primary: &Value, replica: &Value) -> bool {
        match (&self.tolerance, number(primary), number(replica)) {
            (Some(tolerance), Some(primary), Some(replica)) => within(&primary, &replica, tolerance),
            _ => false,
        }
    }

    fn excuses_text(&self, primary: &Value, replica: &Value) -> bool {
        match (text(primary), text(replica)) {
            (Some(primary), Some(replica)) if self.trim || self.ignore_case => {
                let ends = |text| if self.trim { str::trim(text) } else { text };
                let (primary, replica) = (ends(primary), ends(replica));
                if self.ignore_case { lower(primary).eq(lower(replica)) } else { primary == replica }
            }
            _ => false,
        }
    }

    fn excuses_time(&self, primary: &Value, replica: &Value) -> bool {
        match (self.unit_micros, moment(primary), moment(replica)) {
            (Some(unit), Some(primary), Some(replica)) => primary.cut(unit) == replica.cut(unit),
            _ => false,
        }
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) | Value::Native(text) => Some(text),
        Value::OtherStorage(value) => text_of_storage(value),
        _ => None,
    }
}

fn text_of_storage(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn lower(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

/// The exact number a value stands for. Of a double, the shortest text that reads back as the same double.
pub(super) fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Integer(value) => Some(Decimal::from(*value)),
        Value::Decimal(value) => value.is_finite().then(|| value.clone()),
        Value::Float32(value) if value.is_finite() => Decimal::parse(&value.to_string()).ok(),
        Value::Float64(value) if value.is_finite() => Decimal::parse(&value.to_string()).ok(),
        Value::OtherStorage(value) => number(value),
        _ => None,
    }
}

/// A value in time, cut to a unit that divides a day.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    Time(i64),
    Stamp { date: i32, micros: i64, zone_seconds: Option<i32> },
}

impl Moment {
    fn stamp(stamp: Stamp, zone_seconds: Option<i32>) -> Self {
        let (date, micros) = stamp.parts();
        Moment::Stamp { date: date.0, micros, zone_seconds }
    }

    fn cut(self, unit: i64) -> Self {
        let cut = |micros: i64| micros - micros.rem_euclid(unit);
        match self {
            Moment::Time(micros) => Moment::Time(cut(micros)),
            Moment::Stamp { date, micros, zone_seconds } => {
                Moment::Stamp { date, micros: cut(micros), zone_seconds }
            }
        }
    }
}

/// The texts are those SQLite keeps in columns declared as dates and times.
fn moment(value: &Value) -> Option<Moment> {
    match value {
        Value::Time(Time(micros)) => Some(Moment::Time(*micros)),
        Value::DateTime(stamp) | Value::Instant(stamp) => Some(Moment::stamp(*stamp, None)),
        Value::Text(text) => Stamp::parse(text)
            .map(|(stamp, zone)| Moment::stamp(stamp, zone))
            .or_else(|| Time::parse(text).map(|time| Moment::Time(time.0))),
        _ => None,
    }
}

/// `|a - b| <= tolerance`, digit by digit.
fn within(a: &Decimal, b: &Decimal, tolerance: &Decimal) -> bool {
    let all = [a, b, tolerance];
    let scale = all.iter().map(|number| number.scale()).max().unwrap_or_default();
    // One more digit for the carry of a sum.
    let whole = 1 + all.iter().map(|number| number.whole_digits()).max().unwrap_or_default();
    let [a_digits, b_digits, tolerance] = all.map(|number| digits(number, whole, scale));
    let distance = if negative(a) != negative(b) {
        sum(a_digits, &b_digits)
    } else if a_digits.cmp(&b_digits) == Ordering::Less {
        difference(b_digits, &a_digits)
    } else {
        difference(a_digits, &b_digits)
    };
    distance <= tolerance
}

fn negative(number: &Decimal) -> bool {
    number.as_str().starts_with('-')
}

/// The digits of the magnitude, most significant first, with `whole` before the point and `scale` behind it.
fn digits(number: &Decimal, whole: usize, scale: usize) -> Vec<u8> {
    let text = number.as_str().trim_start_matches('-');
    let (before, after) = text.split_once('.').unwrap_or((text, ""));
    let before = before.trim_start_matches('0').as_bytes();
    let mut digits = vec![0; whole + scale];
    for (digit, byte) in digits[whole - before.len()..].iter_mut().zip(before.iter().chain(after.as_bytes()))
    {
        *digit = byte - b'0';
    }
    digits
}

fn sum(mut a: Vec<u8>, b: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    for (a, b) in a.iter_mut().zip(b).rev() {
        let digit = *a + b + carry;
        (*a, carry) = (digit % 10, digit / 10);
    }
    a
}

/// `a - b` where `a >= b`.
fn difference(mut a: Vec<u8>, b: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    for (a, b) in a.iter_mut().zip(b).rev() {
        let digit = 10 + *a - b - borrow;
        (*a, borrow) = (digit % 10, u8::from(digit < 10));
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Date;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap_or_else(|_| panic!("{text} is a decimal"))
    }

    fn near(a: &str, b: &str, tolerance: &str) -> bool {
        within(&decimal(a), &decimal(b), &decimal(tolerance))
    }

    #[test]
    fn tolerance_is_exact_to_the_last_digit() {
        assert!(near("1.005", "1.000", "0.005"));
        assert!(!near("1.0050000000000000000001", "1.000", "0.005"));
        assert!(near("-0.001", "0.001", "0.002"));
        assert!(!near("-0.001", "0.001", "0.0019"));
        assert!(near("99.995", "100", "0.005"));
        assert!(near("999", "-999", "1998"));
        assert!(!near("999", "-999", "1997"));
        assert!(near("123456789012345678901234567890", "123456789012345678901234567891", "1"));
        assert!(!near("123456789012345678901234567890", "123456789012345678901234567892", "1"));
        assert!(near("5", "5", "0"));
    }

    #[test]
    fn tolerance_agrees_with_integers() {
        for a in -30_i32..30 {
            for b in -30_i32..30 {
                for tolerance in [0, 1, 7, 30, 59, 60] {
                    let expected = (a - b).abs() <= tolerance;
                    let scaled = |n: i32| format!("{n}e-1");
                    assert_eq!(
                        near(&scaled(a), &scaled(b), &scaled(tolerance)),
                        expected,
                        "{a} {b} {tolerance}"
                    );
                }
            }
        }
    }

    #[test]
    fn doubles_count_as_their_shortest_text() {
        let excuse = Excuse { tolerance: Some(decimal("0.1")), ..Excuse::default() };
        // As doubles 0.3 - 0.2 is 0.09999999999999998 and 0.8 - 0.7 is 0.10000000000000009.
        assert!(excuse.excuses(&Value::Float64(0.3), &Value::Float64(0.2)));
        assert!(excuse.excuses(&Value::Float64(0.8), &Value::Float64(0.7)));
        assert!(excuse.excuses(&Value::Float32(0.8), &Value::Float32(0.7)));
        assert!(!excuse.excuses(&Value::Float64(0.8), &Value::Float64(0.699)));
        assert!(excuse.excuses(&Value::Float64(0.0), &Value::Float64(-0.0)));
        assert!(!excuse.excuses(&Value::Float64(f64::NAN), &Value::Float64(1.0)));
        assert!(!excuse.excuses(&Value::Float64(f64::INFINITY), &Value::Float64(f64::MAX)));
        assert!(excuse.excuses(&Value::Float64(1e300), &Value::Float64(1e300)));
    }

    #[test]
    fn nothing_excuses_null() {
        let excuse = Excuse {
            tolerance: Some(decimal("1000")),
            unit_micros: Some(1_000_000),
            trim: true,
            ignore_case: true,
        };
        for value in [Value::Integer(0), Value::Text(String::new()), Value::Time(Time(0))] {
            assert!(!excuse.excuses(&Value::Null, &value), "{value:?}");
            assert!(!excuse.excuses(&value, &Value::Null), "{value:?}");
        }
    }

    #[test]
    fn text_is_trimmed_and_folded_together() {
        let same = |trim, ignore_case, a: &str, b: &str| {
            let excuse = Excuse { trim, ignore_case, ..Excuse::default() };
            excuse.excuses(&Value::Text(a.to_owned()), &Value::Text(b.to_owned()))
        };
        assert!(same(true, false, " a\t", "a\u{a0}"));
        assert!(!same(true, false, "a b", "ab"));
        assert!(same(false, true, "STRASSE É", "strasse é"));
        assert!(!same(false, true, "é", "e"));
        assert!(!same(true, false, "A", "a"));
        assert!(!same(false, true, "a ", "a"));
        assert!(same(true, true, "A ", "a"));
        assert!(same(false, true, "ΟΔΟΣ", "οδοσ"));
        assert!(!same(false, false, "a", "b"));
    }

    #[test]
    fn precision_cuts_towards_the_past() {
        let seconds = Excuse { unit_micros: Some(1_000_000), ..Excuse::default() };
        let stamp = |micros| Value::DateTime(Stamp(micros));
        assert!(seconds.excuses(&stamp(1_999_999), &stamp(1_000_000)));
        assert!(!seconds.excuses(&stamp(999_999), &stamp(1_000_000)));
        assert!(!seconds.excuses(&stamp(-1), &stamp(0)));
        assert!(seconds.excuses(&stamp(-1), &stamp(-1_000_000)));
        assert!(seconds.excuses(&Value::Time(Time(-1)), &Value::Time(Time(-999_999))));
        assert!(!seconds.excuses(&stamp(i64::MAX), &stamp(0)));
        let impossible = |micros| Value::DateTime(Stamp::new(Date::new(0, 0, 0).expect("zero date"), micros));
        assert!(seconds.excuses(&impossible(5_200_000), &impossible(5_000_000)));
        assert!(!seconds.excuses(&impossible(4_999_999), &impossible(5_000_000)));
        let written = |text: &str| Value::Text(text.to_owned());
        assert!(seconds.excuses(&written("2024-01-01 10:00:00.5"), &written("2024-01-01T10:00:00")));
        assert!(!seconds.excuses(&written("2024-01-01 10:00:00Z"), &written("2024-01-01 10:00:00")));
    }
}
