//! Causes in times.

use crate::value::{Civil, Stamp, Time, Value};

/// Microseconds of a second.
pub(super) const SECOND: i64 = 1_000_000;
/// Microseconds of a millisecond.
pub(super) const MILLISECOND: i64 = 1_000;

/// By how many microseconds the replica's value is the later one.
pub(super) fn offset(primary: &Value, replica: &Value) -> Option<i64> {
    match (moment(primary)?, moment(replica)?) {
        (Moment::OfDay(primary), Moment::OfDay(replica)) => replica.checked_sub(primary),
        (Moment::Stamp(primary, zone), Moment::Stamp(replica, other)) if zone == other => {
            replica.checked_sub(primary)
        }
        _ => None,
    }
    .filter(|micros| *micros != 0)
}

enum Moment {
    OfDay(i64),
    Stamp(i64, Option<i32>),
}

/// A moment that can be counted with; the texts are those SQLite keeps.
fn moment(value: &Value) -> Option<Moment> {
    match value {
        Value::Time(Time(micros)) => Some(Moment::OfDay(*micros)),
        Value::DateTime(stamp) | Value::Instant(stamp) => of_stamp(*stamp, None),
        Value::Text(text) => {
            // A date alone has no time that could be off.
            let (stamp, zone) = Stamp::parse(text).filter(|_| text.contains(':'))?;
            of_stamp(stamp, zone)
        }
        _ => None,
    }
}

fn of_stamp(stamp: Stamp, zone: Option<i32>) -> Option<Moment> {
    matches!(stamp.parts().0.civil(), Civil::Day { .. }).then_some(Moment::Stamp(stamp.0, zone))
}
