//! Causes in numbers. Rounding is done on digits, never through a double.

use crate::value::{Decimal, Value};

use super::super::excuse::number;

/// More digits after the point are not tried.
const DIGITS_TRIED: u8 = 30;

/// Whether two values are the same number.
pub(super) fn is_equal(a: &Value, b: &Value) -> bool {
    number(a).zip(number(b)).is_some_and(|(a, b)| same(&a, &b))
}

fn same(a: &Decimal, b: &Decimal) -> bool {
    a.to_wire(false) == b.to_wire(false)
}

fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Float64(value) if value.is_finite() => Some(*value),
        _ => None,
    }
}

/// Whether a double is another one after single precision.
pub(super) fn is_single(rounded: &Value, whole: &Value) -> bool {
    double(rounded).zip(double(whole)).is_some_and(|(rounded, whole)| f64::from(whole as f32) == rounded)
}

/// Whether a float is another one after a text of so many significant digits.
pub(super) fn has_significant_digits(rounded: &Value, whole: &Value, digits: u8) -> bool {
    let precision = usize::from(digits.saturating_sub(1));
    match (rounded, whole) {
        (Value::Float64(rounded), Value::Float64(whole)) if whole.is_finite() => {
            format!("{whole:.precision$e}").parse() == Ok(*rounded)
        }
        (Value::Float32(rounded), Value::Float32(whole)) if whole.is_finite() => {
            format!("{whole:.precision$e}").parse() == Ok(*rounded)
        }
        _ => false,
    }
}

/// Digits after the point to which `whole` may have been shortened.
pub(super) fn digits_to_try(shortened: &Value, whole: &Value) -> std::ops::Range<u8> {
    let scale = |value: &Value| number(value).and_then(|number| u8::try_from(number.trimmed().scale()).ok());
    match (scale(shortened), scale(whole)) {
        (Some(from), Some(to)) => from..to.min(DIGITS_TRIED),
        _ => 0..0,
    }
}

/// Whether a number is another one rounded to so many digits after the point, a tie either way.
pub(super) fn is_rounded(rounded: &Value, whole: &Value, digits: u8) -> bool {
    let Some((rounded, whole)) = number(rounded).zip(number(whole)) else { return false };
    let Some((cut, next)) = cut(&whole, usize::from(digits)) else { return false };
    let (first, rest) = next.split_at(1);
    let above = first > "5" || first == "5" && rest.bytes().any(|digit| digit != b'0');
    let tie = first == "5" && !above;
    (!above && same(&rounded, &cut))
        || ((above || tie) && same(&rounded, &away_from_zero(&cut, digits, &whole)))
}

/// Whether a number is another one cut off after so many digits after the point.
pub(super) fn is_cut(shortened: &Value, whole: &Value, digits: u8) -> bool {
    let Some((shortened, whole)) = number(shortened).zip(number(whole)) else { return false };
    cut(&whole, usize::from(digits)).is_some_and(|(cut, _)| same(&shortened, &cut))
}

/// A number cut off after some digits after the point, and the digits behind; `None` where there are none.
fn cut(number: &Decimal, digits: usize) -> Option<(Decimal, &str)> {
    let text = number.as_str();
    let fraction = text.find('.')? + 1;
    let (kept, next) = text.split_at_checked(fraction + digits).filter(|(_, next)| !next.is_empty())?;
    Some((Decimal::parse(kept.trim_end_matches('.')).ok()?, next))
}

/// One more in the last of the digits after the point, with the sign of `whole`.
fn away_from_zero(cut: &Decimal, digits: u8, whole: &Decimal) -> Decimal {
    let text = cut.as_str().trim_start_matches('-');
    let mut all: Vec<u8> = text.bytes().filter(|byte| *byte != b'.').collect();
    let zeros = usize::from(digits) - cut.scale();
    all.extend(std::iter::repeat_n(b'0', zeros));
    let nines = all.iter().rev().take_while(|digit| **digit == b'9').count();
    let last = all.len() - nines;
    let (rest, nines) = all.split_at_mut(last);
    nines.fill(b'0');
    let carried = match rest.last_mut() {
        Some(digit) => {
            *digit += 1;
            false
        }
        None => true,
    };
    let all = String::from_utf8_lossy(&all);
    let sign = if whole.as_str().starts_with('-') { "-" } else { "" };
    let carry = if carried { "1" } else { "" };
    Decimal::parse(&format!("{sign}{carry}{all}e-{digits}")).unwrap_or_else(|_| cut.clone())
}
