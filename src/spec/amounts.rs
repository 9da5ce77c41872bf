//! Durations, sizes, limits, tolerances and zones as people write them.
//!
//! Pure text to number, exact: no floating point anywhere. Also what the command line's options take.

use std::time::Duration;

use super::{Limit, Zone};

/// Why an amount could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not of the form, with the form.
    #[error("write it like {0}")]
    Form(&'static str),
    /// Too large to be meant.
    #[error("it is too large, the most is {0}")]
    TooLarge(&'static str),
    /// Finer than can be told.
    #[error("it is too fine, {0}")]
    TooFine(&'static str),
}

const DURATION_FORM: &str = "`500ms`, `30s`, `5m`, `1h` or `7d`";
const SIZE_FORM: &str = "`256MiB`, `1GiB` or a number of bytes";
const LIMIT_FORM: &str = "`100` (rows of a replica) or `10%` (of a table's rows)";
const TOLERANCE_FORM: &str = "`0.005`, never negative";
const ZONE_FORM: &str = "`UTC` or `+02:00`";

/// Splits leading digits from the unit after them.
fn digits_and_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// Reads `500ms`, `30s`, `5m`, `1h`, `7d`; at most 366 days.
pub fn parse_duration(text: &str) -> Result<Duration, AmountError> {
    let (digits, unit) = digits_and_unit(text);
    let unit_milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(AmountError::Form(DURATION_FORM)),
    };
    if digits.is_empty() {
        return Err(AmountError::Form(DURATION_FORM));
    }
    let too_large = AmountError::TooLarge("366d");
    let count: u64 = digits.parse().map_err(|_| too_large.clone())?;
    match count.checked_mul(unit_milliseconds) {
        Some(milliseconds) if milliseconds <= 366 * 86_400_000 => Ok(Duration::from_millis(milliseconds)),
        _ => Err(too_large),
    }
}

/// Reads a size in bytes: `256MiB`, `1GiB`, `64k`, `1000000`; letters alone count in powers of 1024, `kB`, `MB` and
/// `GB` in powers of 1000.
pub fn parse_size(text: &str) -> Result<u64, AmountError> {
    let (digits, unit) = digits_and_unit(text);
    let unit_bytes: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" | "k" => 1 << 10,
        "mib" | "m" => 1 << 20,
        "gib" | "g" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err(AmountError::Form(SIZE_FORM)),
    };
    if digits.is_empty() {
        return Err(AmountError::Form(SIZE_FORM));
    }
    let too_large = AmountError::TooLarge("1024GiB");
    let count: u64 = digits.parse().map_err(|_| too_large.clone())?;
    count.checked_mul(unit_bytes).filter(|bytes| *bytes <= 1 << 40).ok_or(too_large)
}

impl Limit {
    /// Reads `100` or `10%`; a percentage has at most four digits after the point.
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        let Some(percent) = text.strip_suffix('%') else {
            if text.is_empty() || !text.chars().all(|c| c.is_ascii_digit()) {
                return Err(AmountError::Form(LIMIT_FORM));
            }
            let rows = text.parse().map_err(|_| AmountError::TooLarge("18446744073709551615"))?;
            return Ok(Limit::PerReplica { rows });
        };
        let (whole, fraction) = percent.trim_end().split_once('.').unwrap_or((percent.trim_end(), "0"));
        let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(AmountError::Form(LIMIT_FORM));
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > 4 {
            return Err(AmountError::TooFine("at most four digits after the point count"));
        }
        let millionths = format!("{whole}{fraction:0<4}").parse::<u32>().ok();
        match millionths.filter(|millionths| *millionths <= 100_000_000) {
            Some(millionths) => Ok(Limit::PerTable { millionths }),
            None => Err(AmountError::TooLarge("10000%")),
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Limit::PerReplica { rows } => write!(f, "{rows}"),
            Limit::PerTable { millionths } => {
                let fraction = format!("{:04}", millionths % 10_000);
                match fraction.trim_end_matches('0') {
                    "" => write!(f, "{}%", millionths / 10_000),
                    fraction => write!(f, "{}.{fraction}%", millionths / 10_000),
                }
            }
        }
    }
}

/// The most digits a tolerance may have on either side of the point.
const TOLERANCE_DIGITS_MAX: usize = 1000;

/// Reads a decimal such as `0.005`, `5` or `5e-3` into plain notation without superfluous zeros.
pub(super) fn parse_tolerance(text: &str) -> Result<String, AmountError> {
    let form = AmountError::Form(TOLERANCE_FORM);
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], unsigned[at + 1..].parse::<i64>().map_err(|_| form.clone())?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: String = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
        return Err(form);
    }
    // The point stands after this many digits; zeros are put in where that is outside of them.
    let point = exponent.saturating_add(whole.len() as i64);
    let bound = TOLERANCE_DIGITS_MAX as i64;
    if digits.len() > TOLERANCE_DIGITS_MAX || !(-bound..=bound).contains(&point) {
        return Err(AmountError::TooLarge("a thousand digits"));
    }
    let (before, after) = if point <= 0 {
        (String::new(), "0".repeat(point.unsigned_abs() as usize) + &digits)
    } else if point as usize >= digits.len() {
        (digits.clone() + &"0".repeat(point as usize - digits.len()), String::new())
    } else {
        (digits[..point as usize].to_owned(), digits[point as usize..].to_owned())
    };
    let (before, after) = (before.trim_start_matches('0'), after.trim_end_matches('0'));
    let before = if before.is_empty() { "0" } else { before };
    Ok(if after.is_empty() { before.to_owned() } else { format!("{before}.{after}") })
}

impl Zone {
    /// Reads `UTC` or `±HH:MM`.
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        let form = AmountError::Form(ZONE_FORM);
        if text == "UTC" {
            return Ok(Zone { offset_minutes: 0 });
        }
        let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(rest), _) => (1, rest),
            (_, Some(rest)) => (-1, rest),
            _ => return Err(form),
        };
        let two = |text: &str| match text.len() == 2 && text.chars().all(|c| c.is_ascii_digit()) {
            true => text.parse::<i32>().ok(),
            false => None,
        };
        let (hours, minutes) = rest.split_once(':').ok_or(form.clone())?;
        match (two(hours), two(minutes)) {
            (Some(hours @ 0..=15), Some(minutes @ 0..=59)) => {
                Ok(Zone { offset_minutes: sign * (hours * 60 + minutes) })
            }
            _ => Err(form),
        }
    }
}

impl std::fmt::Display for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        let minutes = self.offset_minutes.unsigned_abs();
        match minutes {
            0 => write!(f, "UTC"),
            _ => write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(parse_duration("1h"), Ok(Duration::from_secs(3600)));
        for bad in ["", "30", "s", "-5s", "1.5h", "5 parsecs", "99999999999999999999s", "400d"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("256MiB"), Ok(256 << 20));
        assert_eq!(parse_size("1G"), Ok(1 << 30));
        assert_eq!(parse_size("10MB"), Ok(10_000_000));
        assert_eq!(parse_size("4096"), Ok(4096));
        for bad in ["", "MiB", "-1", "1.5G", "5x", "99999999G"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn limits_are_exact_and_print_as_written() {
        assert_eq!(Limit::parse("100"), Ok(Limit::PerReplica { rows: 100 }));
        assert_eq!(Limit::parse("10%"), Ok(Limit::PerTable { millionths: 100_000 }));
        assert_eq!(Limit::parse("0.0001%"), Ok(Limit::PerTable { millionths: 1 }));
        for text in ["0", "100%", "12.5%", "0.0001%"] {
            assert_eq!(Limit::parse(text).expect("a limit").to_string(), text);
        }
        for bad in ["", "%", "-1", "-5%", "1.5", "0.00001%", "ten", "1e3"] {
            assert!(Limit::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tolerances_stay_decimal() {
        for (text, plain) in [
            ("0.005", "0.005"),
            ("5e-3", "0.005"),
            (".5", "0.5"),
            ("1.50", "1.5"),
            ("2E2", "200"),
            ("0", "0"),
            ("0.0", "0"),
            ("007", "7"),
            ("12.34e1", "123.4"),
            ("0.1000000000000000000000000000001", "0.1000000000000000000000000000001"),
        ] {
            assert_eq!(parse_tolerance(text).as_deref(), Ok(plain), "{text}");
        }
        for bad in [
            "",
            "-1",
            ".",
            "abc",
            ".inf",
            "0x10",
            "1e99999",
            "1e9223372036854775807",
            "1e-9223372036854775808",
            "1e",
        ] {
            assert!(parse_tolerance(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn zones() {
        assert_eq!(Zone::parse("UTC"), Ok(Zone { offset_minutes: 0 }));
        assert_eq!(Zone::parse("+02:00"), Ok(Zone { offset_minutes: 120 }));
        assert_eq!(Zone::parse("-03:30"), Ok(Zone { offset_minutes: -210 }));
        assert_eq!(Zone { offset_minutes: -210 }.to_string(), "-03:30");
        for bad in ["", "utc", "2", "+2:00", "+02", "+24:00", "Europe/Berlin"] {
            assert!(Zone::parse(bad).is_err(), "{bad}");
        }
    }
}
