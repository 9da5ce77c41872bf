//! Exact decimals of any size, and PostgreSQL's binary form of them.
//!
//! The wire form (PostgreSQL's `numeric_send`, src/backend/utils/adt/numeric.c): digit count, weight of the
//! first digit, sign and scale as 16-bit big-endian words, then base-10000 digits. Here it is always in normal
//! form: no leading and no trailing zero digits, and zero has no digits, weight 0 and a plus sign.

use std::fmt;

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const NEGATIVE_INFINITY: u16 = 0xF000;
/// As many digits as PostgreSQL allows on either side of the point.
const DIGITS_MAX: i64 = 131_072;

/// An exact decimal in plain notation: `-12.50`, `NaN`, `Infinity`, `-Infinity`. Equality is by text; zeros at
/// the end count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal(String);

/// A text that is no decimal, or one with more than 131,072 digits on a side of the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number")]
pub struct DecimalError;

impl Decimal {
    /// Reads plain or exponent notation; the result is plain.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        match text {
            "NaN" | "Infinity" | "-Infinity" => return Ok(Decimal(text.to_owned())),
            _ => {}
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().map_err(|_| DecimalError)?),
            None => (text, 0),
        };
        let (negative, digits) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all = [whole, fraction].concat();
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(DecimalError);
        }
        if exponent.abs() > DIGITS_MAX || all.len() as i64 > 2 * DIGITS_MAX {
            return Err(DecimalError);
        }
        plain(negative, &all, fraction.len() as i64 - exponent)
    }

    /// The plain notation.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a number, neither NaN nor infinite.
    pub fn is_finite(&self) -> bool {
        !matches!(self.0.as_str(), "NaN" | "Infinity" | "-Infinity")
    }

    /// Digits after the point.
    pub fn scale(&self) -> usize {
        self.0.split_once('.').map_or(0, |(_, fraction)| fraction.len())
    }

    /// Digits before the point, without leading zeros.
    pub fn whole_digits(&self) -> usize {
        let whole = self.0.split('.').next().unwrap_or_default().trim_start_matches('-');
        whole.trim_start_matches('0').len()
    }

    /// The same number with at least `scale` digits after the point.
    pub fn padded(&self, scale: usize) -> Self {
        let missing = scale.saturating_sub(self.scale());
        if missing == 0 || !self.is_finite() {
            return self.clone();
        }
        let point = if self.0.contains('.') { "" } else { "." };
        Decimal(format!("{}{point}{}", self.0, "0".repeat(missing)))
    }

    /// The same number without zeros at the end of its fraction.
    pub fn trimmed(&self) -> Self {
        if !self.0.contains('.') {
            return self.clone();
        }
        Decimal(self.0.trim_end_matches('0').trim_end_matches('.').to_owned())
    }

    /// The wire form; without scale, numbers that are equal by value have equal bytes.
    pub fn to_wire(&self, with_scale: bool) -> Vec<u8> {
        match self.0.as_str() {
            "NaN" => return wire(&[], 0, NAN, 0),
            "Infinity" => return wire(&[], 0, INFINITY, 0),
            "-Infinity" => return wire(&[], 0, NEGATIVE_INFINITY, 0),
            _ => {}
        }
        let number = if with_scale { self.clone() } else { self.trimmed() };
        let (negative, digits) = match number.0.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number.0.as_str()),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let (groups, weight) = groups(whole, fraction);
        let sign = if negative && !groups.is_empty() { NEGATIVE } else { POSITIVE };
        wire(&groups, weight, sign, fraction.len() as u16)
    }

    /// Bytes that sort by the number's value.
    pub fn sortable(&self) -> Vec<u8> {
        let wire = self.to_wire(false);
        let (weight, digits) = (i32::from(i16::from_be_bytes([wire[2], wire[3]])), &wire[8..]);
        let words = |sign: fn(u16) -> u16| {
            let weight = (weight - i32::from(i16::MIN)) as u16;
            let digits = digits.chunks_exact(2).map(|digit| u16::from_be_bytes([digit[0], digit[1]]) + 1);
            // The end of the digits is below every digit.
            let all = [weight].into_iter().chain(digits).chain([0]).map(sign);
            all.flat_map(u16::to_be_bytes).collect::<Vec<u8>>()
        };
        match u16::from_be_bytes([wire[4], wire[5]]) {
            NEGATIVE_INFINITY => vec![0],
            NEGATIVE => [vec![1], words(|word| !word)].concat(),
            INFINITY => vec![4],
            NAN => vec![5],
            _ if digits.is_empty() => vec![2],
            _ => [vec![3], words(|word| word)].concat(),
        }
    }

    /// Whether [`from_wire`](Self::from_wire) can read these bytes: a head, and as many digits as it says, with no
    /// more of them behind the point than PostgreSQL prints.
    pub fn is_wire(bytes: &[u8]) -> bool {
        const SCALE_MAX: u16 = 0x3fff;
        let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        bytes.len() >= 8 && bytes.len() == 8 + 2 * usize::from(word(0)) && word(6) <= SCALE_MAX
    }

    /// Reads the wire form, normal or not.
    pub fn from_wire(bytes: &[u8]) -> Self {
        let word = |index: usize| u16::from_be_bytes([bytes[2 * index], bytes[2 * index + 1]]);
        let (count, weight, sign, scale) = (word(0), i64::from(word(1) as i16), word(2), i64::from(word(3)));
        match sign {
            NAN => return Decimal("NaN".to_owned()),
            INFINITY => return Decimal("Infinity".to_owned()),
            NEGATIVE_INFINITY => return Decimal("-Infinity".to_owned()),
            _ => {}
        }
        let digit = |position: i64| {
            let index = weight - position;
            if index < 0 || index >= i64::from(count) { 0 } else { word(4 + index as usize) }
        };
        let mut text = String::new();
        if sign == NEGATIVE {
            text.push('-');
        }
        push_whole(&mut text, weight, digit);
        push_fraction(&mut text, scale, digit);
        Decimal(text)
    }
}

impl From<i128> for Decimal {
    fn from(value: i128) -> Self {
        Decimal(value.to_string())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Sets the point `scale` digits from the end of `digits` (negative: adds zeros) and drops leading zeros.
fn plain(negative: bool, digits: &str, scale: i64) -> Result<Decimal, DecimalError> {
    let (whole, fraction) = if scale <= 0 {
        ([digits, &"0".repeat(-scale as usize)].concat(), String::new())
    } else if scale as usize >= digits.len() {
        (String::new(), ["0".repeat(scale as usize - digits.len()).as_str(), digits].concat())
    } else {
        let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
        (whole.to_owned(), fraction.to_owned())
    };
    let whole = whole.trim_start_matches('0');
    if whole.len() as i64 > DIGITS_MAX || fraction.len() as i64 > DIGITS_MAX / 8 {
        return Err(DecimalError);
    }
    let zero = whole.is_empty() && fraction.bytes().all(|byte| byte == b'0');
    let sign = if negative && !zero { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    Ok(Decimal(format!("{sign}{whole}{point}{fraction}")))
}

/// Base-10000 digits without zeros at either end, and the weight of the first.
fn groups(whole: &str, fraction: &str) -> (Vec<u16>, i16) {
    let lead = (4 - whole.len() % 4) % 4;
    let tail = (4 - fraction.len() % 4) % 4;
    let digits = [&"0".repeat(lead), whole, fraction, &"0".repeat(tail)].concat();
    let mut groups: Vec<u16> = digits
        .as_bytes()
        .chunks(4)
        .map(|four| four.iter().fold(0, |group, digit| group * 10 + u16::from(digit - b'0')))
        .collect();
    let mut weight = ((whole.len() + lead) / 4) as i64 - 1;
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let leading = groups.iter().take_while(|group| **group == 0).count();
    groups.drain(..leading);
    weight -= leading as i64;
    if groups.is_empty() { (groups, 0) } else { (groups, weight as i16) }
}

fn wire(groups: &[u16], weight: i16, sign: u16, scale: u16) -> Vec<u8> {
    let head = [groups.len() as u16, weight as u16, sign, scale];
    head.iter().chain(groups).flat_map(|word| word.to_be_bytes()).collect()
}

fn push_whole(text: &mut String, weight: i64, digit: impl Fn(i64) -> u16) {
    if weight < 0 {
        text.push('0');
        return;
    }
    text.push_str(&digit(weight).to_string());
    for position in (0..weight).rev() {
        text.push_str(&format!("{:04}", digit(position)));
    }
}

fn push_fraction(text: &mut String, scale: i64, digit: impl Fn(i64) -> u16) {
    if scale == 0 {
        return;
    }
    text.push('.');
    let start = text.len();
    let mut position = -1;
    while ((text.len() - start) as i64) < scale {
        text.push_str(&format!("{:04}", digit(position)));
        position -= 1;
    }
    text.truncate(start + scale as usize);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through_wire(text: &str, with_scale: bool) -> String {
        let decimal = Decimal::parse(text).unwrap_or_else(|_| panic!("{text} is a decimal"));
        Decimal::from_wire(&decimal.to_wire(with_scale)).0
    }

    #[test]
    fn plain_notation_survives_the_wire() {
        for text in [
            "0",
            "1",
            "-1",
            "9.50",
            "-9.50",
            "0.0001",
            "0.00010",
            "10000",
            "100000000.00000001",
            "0.00",
            "123456789012345678901234567890.123456789",
            "NaN",
            "Infinity",
            "-Infinity",
        ] {
            assert_eq!(through_wire(text, true), text);
        }
        assert_eq!(through_wire("1.500", false), "1.5");
        assert_eq!(through_wire("100.00", false), "100");
    }

    #[test]
    fn equal_by_value_means_equal_bytes_without_scale() {
        let wire = |text: &str, with_scale| Decimal::parse(text).map(|decimal| decimal.to_wire(with_scale));
        assert_eq!(wire("1.0", false), wire("1.00", false));
        assert_eq!(wire("-0.00", false), wire("0", false));
        assert_eq!(wire("1e2", false), wire("100", false));
        assert_ne!(wire("1.0", true), wire("1.00", true));
        assert_ne!(wire("9.50", false), wire("-9.50", false));
    }

    #[test]
    fn exponents_become_plain() {
        assert_eq!(Decimal::parse("1.25e3").map(|decimal| decimal.0), Ok("1250".to_owned()));
        assert_eq!(Decimal::parse("1.25E-3").map(|decimal| decimal.0), Ok("0.00125".to_owned()));
        assert_eq!(Decimal::parse("1e999999999"), Err(DecimalError));
        assert_eq!(Decimal::parse("."), Err(DecimalError));
    }
}
