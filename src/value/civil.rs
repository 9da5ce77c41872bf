//! Dates, times and time stamps of every engine, each as one integer, with their text in output.
//!
//! Possible values are PostgreSQL's binary forms. What only the MySQL family knows (`0000-00-00`,
//! `2024-02-00`) lies in the part of the integer range far below the earliest date of any engine, so that
//! the form stays injective and nothing is lost.

use std::fmt;

/// Days from 1970-01-01 to 2000-01-01.
const EPOCH_DAYS: i64 = 10_957;
/// First day number of impossible dates; `i32::MIN` itself is −infinity.
const IMPOSSIBLE_FIRST: i32 = i32::MIN + 1;
/// Above every packed impossible date (year 9999) and far below 4713 BC.
const IMPOSSIBLE_END: i32 = i32::MIN + 6_000_000;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
/// Stamps below this are impossible dates with a time.
const IMPOSSIBLE_STAMP_END: i64 = i64::MIN + 6_000_000 * DAY;

/// Days since 2000-01-01; the extremes of `i32` are ±infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i32);

/// Microseconds since midnight; negative and beyond 24 hours in the MySQL family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

/// Microseconds since 2000-01-01 00:00; the extremes of `i64` are ±infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(pub i64);

/// What a [`Date`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Civil {
    /// A day of the proleptic Gregorian calendar; year 0 is 1 BC.
    Day {
        /// Astronomical year.
        year: i64,
        /// 1 to 12.
        month: u8,
        /// 1 to 31.
        day: u8,
    },
    /// A date with a zero in it (or a day its month lacks), as the MySQL family may store.
    Impossible {
        /// 0 to 9999.
        year: u16,
        /// 0 to 12.
        month: u8,
        /// 0 to 31.
        day: u8,
    },
    /// PostgreSQL's `infinity`.
    Infinity,
    /// PostgreSQL's `-infinity`.
    NegativeInfinity,
}

impl Date {
    /// A day of the calendar, or an impossible one of the MySQL family. `None` outside both.
    pub fn new(year: i64, month: u8, day: u8) -> Option<Self> {
        if (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month) {
            let days = days_from_civil(year, month, day) - EPOCH_DAYS;
            return i32::try_from(days)
                .ok()
                .filter(|days| *days >= IMPOSSIBLE_END && *days < i32::MAX)
                .map(Date);
        }
        let year = u16::try_from(year).ok().filter(|year| *year <= 9999)?;
        if month > 12 || day > 31 {
            return None;
        }
        let packed = i32::from(year) * 512 + i32::from(month) * 32 + i32::from(day);
        Some(Date(IMPOSSIBLE_FIRST + packed))
    }

    /// What it says.
    pub fn civil(self) -> Civil {
        match self.0 {
            i32::MAX => Civil::Infinity,
            i32::MIN => Civil::NegativeInfinity,
            days if days < IMPOSSIBLE_END => {
                let packed = days - IMPOSSIBLE_FIRST;
                Civil::Impossible {
                    year: (packed / 512) as u16,
                    month: (packed / 32 % 16) as u8,
                    day: (packed % 32) as u8,
                }
            }
            days => {
                let (year, month, day) = civil_from_days(i64::from(days) + EPOCH_DAYS);
                Civil::Day { year, month, day }
            }
        }
    }

    /// Whether a [`Stamp`] can say it: years beyond about ±292,000 overflow its microseconds.
    fn fits_stamp(self) -> bool {
        const DAYS_MAX: u32 = 106_000_000;
        !matches!(self.civil(), Civil::Day { .. }) || self.0.unsigned_abs() < DAYS_MAX
    }

    /// Reads `YYYY-MM-DD`, also with a sign before the year.
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let mut parts = digits.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || year.len() < 4 || month.len() != 2 || day.len() != 2 {
            return None;
        }
        Date::new(sign * i64::from(number(year)?), number(month)? as u8, number(day)? as u8)
    }
}

impl Time {
    /// Reads `[-]HH:MM[:SS[.ffffff]]`, hours beyond 23 included.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let mut parts = text.split(':');
        let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next().unwrap_or("00"));
        if parts.next().is_some() || !(2..=3).contains(&hours.len()) || minutes.len() != 2 {
            return None;
        }
        let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
        if seconds.len() != 2 || fraction.is_empty() {
            return None;
        }
        let (hours, minutes, seconds) = (number(hours)?, number(minutes)?, number(seconds)?);
        if minutes > 59 || seconds > 59 {
            return None;
        }
        let micros = i64::from(hours * 3600 + minutes * 60 + seconds) * 1_000_000 + micros(fraction)?;
        Some(Time(if negative { -micros } else { micros }))
    }
}

impl Stamp {
    /// A date and the microseconds of its day. The date is within 290,000 years of today, as in every engine
    /// that has stamps; [`parse`](Self::parse) checks that.
    pub fn new(date: Date, micros: i64) -> Self {
        match date.civil() {
            Civil::Infinity => Stamp(i64::MAX),
            Civil::NegativeInfinity => Stamp(i64::MIN),
            Civil::Impossible { .. } => {
                Stamp(i64::MIN + 1 + i64::from(date.0.wrapping_sub(IMPOSSIBLE_FIRST)) * DAY + micros)
            }
            Civil::Day { .. } => Stamp(i64::from(date.0) * DAY + micros),
        }
    }

    /// Its date and the microseconds of the day.
    pub fn parts(self) -> (Date, i64) {
        match self.0 {
            i64::MAX => (Date(i32::MAX), 0),
            i64::MIN => (Date(i32::MIN), 0),
            stamp if stamp < IMPOSSIBLE_STAMP_END => {
                let rest = stamp - (i64::MIN + 1);
                (Date(IMPOSSIBLE_FIRST + (rest / DAY) as i32), rest % DAY)
            }
            stamp => (Date(stamp.div_euclid(DAY) as i32), stamp.rem_euclid(DAY)),
        }
    }

    /// Moves a possible moment by seconds; infinity and impossible dates stay what they are.
    pub fn shifted(self, seconds: i64) -> Self {
        match self.parts().0.civil() {
            Civil::Day { .. } => Stamp(self.0 + seconds * 1_000_000),
            _ => self,
        }
    }

    /// Reads `YYYY-MM-DD[( |T)HH:MM[:SS[.ffffff]]][Z|±HH[:MM]]`; with the seconds east of UTC where a zone
    /// is given. The stamp itself is not moved.
    pub fn parse(text: &str) -> Option<(Self, Option<i32>)> {
        let date_end = text.find([' ', 'T']).unwrap_or(text.len());
        let date = Date::parse(text.get(..date_end)?).filter(|date| date.fits_stamp())?;
        let Some(rest) = text.get(date_end + 1..) else { return Some((Stamp::new(date, 0), None)) };
        let zone_start = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
        let time = Time::parse(rest.get(..zone_start)?.trim_end())?;
        if time.0 >= DAY {
            return None;
        }
        let zone = &rest[zone_start..];
        let zone = if zone.is_empty() { None } else { Some(offset_seconds(zone)?) };
        Some((Stamp::new(date, time.0), zone))
    }
}

fn offset_seconds(zone: &str) -> Option<i32> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let digits = zone.get(1..)?;
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at(2),
        None => (digits, "00"),
    };
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (number(hours)? as i32, number(minutes)? as i32);
    (hours <= 15 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

fn number(digits: &str) -> Option<u32> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// At most six digits; more only if they are zeros, for nothing may be cut off.
fn micros(fraction: &str) -> Option<i64> {
    let (kept, rest) = fraction.split_at_checked(6).unwrap_or((fraction, ""));
    if rest.bytes().any(|byte| byte != b'0') {
        return None;
    }
    Some(i64::from(number(kept)?) * 10_i64.pow(6 - kept.len() as u32))
}

/// <https://howardhinnant.github.io/date_algorithms.html#days_from_civil>
fn days_from_civil(year: i64, month: u8, day: u8) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u8;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u8;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.civil() {
            Civil::Infinity => f.write_str("infinity"),
            Civil::NegativeInfinity => f.write_str("-infinity"),
            Civil::Impossible { year, month, day } => write!(f, "{year:04}-{month:02}-{day:02}"),
            Civil::Day { year, month, day } => match year {
                0..=9999 => write!(f, "{year:04}-{month:02}-{day:02}"),
                10_000.. => write!(f, "+{year}-{month:02}-{day:02}"),
                _ => write!(f, "-{:04}-{month:02}-{day:02}", -year),
            },
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let micros = self.0.unsigned_abs();
        let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
        write!(f, "{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        if fraction != 0 { write!(f, ".{fraction:06}") } else { Ok(()) }
    }
}

/// `2026-11-22T12:34:56[.ffffff]`, without a zone.
impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, micros) = self.parts();
        match date.civil() {
            Civil::Infinity | Civil::NegativeInfinity => date.fmt(f),
            _ => write!(f, "{date}T{}", Time(micros)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_print_what_they_were_read_from() {
        for text in [
            "2000-01-01",
            "2026-11-22",
            "1970-01-01",
            "0001-01-01",
            "9999-12-31",
            "0000-00-00",
            "2024-02-00",
            "2023-02-29",
            "-0043-03-15",
            "+10000-01-01",
            "2024-02-29",
        ] {
            assert_eq!(Date::parse(text).map(|date| date.to_string()).as_deref(), Some(text));
        }
        assert_eq!(Date::parse("2000-01-01"), Some(Date(0)));
        assert_eq!(Date::parse("1999-12-31"), Some(Date(-1)));
        assert_eq!(Date::parse("2024-13-01"), None);
        assert_eq!(Date(i32::MAX).to_string(), "infinity");
    }

    #[test]
    fn every_day_of_ten_thousand_years_comes_back() {
        for days in -730_000..3_000_000 {
            let Civil::Day { year, month, day } = Date(days).civil() else { panic!("day {days} is a day") };
            assert_eq!(Date::new(year, month, day), Some(Date(days)));
        }
    }

    #[test]
    fn stamps_keep_microseconds_and_impossible_dates() {
        for (text, shown) in [
            ("2026-11-22 12:34:56.123456", "2026-11-22T12:34:56.123456"),
            ("1999-12-31T23:59:59.5", "1999-12-31T23:59:59.500000"),
            ("0000-00-00 00:00:00", "0000-00-00T00:00:00"),
            ("2024-00-00 23:59:59.999999", "2024-00-00T23:59:59.999999"),
            ("2024-01-01", "2024-01-01T00:00:00"),
        ] {
            assert_eq!(Stamp::parse(text).map(|(stamp, _)| stamp.to_string()).as_deref(), Some(shown));
        }
        assert_eq!(Stamp::parse("2024-01-01 00:00:00+02:30").and_then(|(_, zone)| zone), Some(9000));
        assert_eq!(Stamp::parse("2024-01-01 00:00:00.1234567"), None);
        assert_eq!(Stamp::parse("2024-01-01 24:00:00"), None);
        assert_eq!(Stamp::parse("+300000-01-01 00:00:00"), None);
        assert_eq!(Time::parse("-838:59:59").map(|time| time.to_string()).as_deref(), Some("-838:59:59"));
    }
}
