//! One value of an option from its text; an error says how to write it.

use std::time::Duration;

use crate::report::Rows;
use crate::spec::{Limit, TablePattern, parse_duration, parse_size};

pub(super) fn limit(text: &str) -> Result<Limit, String> {
    Limit::parse(text).map_err(|error| error.to_string())
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

pub(super) fn interval(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be longer than nothing".to_owned()),
        interval => Ok(interval),
    }
}

/// Below this not even one block of rows of each side would fit, with what the program itself takes.
const MEMORY_BYTES_MIN: u64 = 16 << 20;

pub(super) fn memory(text: &str) -> Result<u64, String> {
    match parse_size(text) {
        Ok(bytes) if bytes < MEMORY_BYTES_MIN => Err("write at least 16MiB".to_owned()),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) fn pattern(text: &str) -> Result<TablePattern, String> {
    TablePattern::parse(text).map_err(|error| error.to_string())
}

pub(super) fn rows(text: &str) -> Result<Rows, String> {
    match text {
        "all" => Ok(Rows::All),
        _ => text.parse().map(Rows::AtMost).map_err(|_| "write a number, or `all`".to_owned()),
    }
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "write a number from 1 on".to_owned())
}
