//! When runs are due: at whole multiples of the interval since the watch began. Pure; time is handed in.
//!
//! Fixed moments rather than pauses of fixed length, so that a watch of an hour runs 24 times a day however
//! long its runs take. A moment that goes by while a run is still at work is skipped, not made up for.

use std::time::Duration;

/// The moments at which runs are due.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Longer than nothing.
    every: Duration,
    /// Which run was the last: 0 is the one that begins the watch.
    run: u128,
    /// Whether the last run missed the moment of the next one.
    late: bool,
}

/// When the next run is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Since the watch began.
    pub at: Duration,
    /// Runs that were due while the last one was at work, and will not be made.
    pub skipped: u64,
    /// Whether runs were skipped after a time in which none were: what is worth saying, once.
    pub news: bool,
}

impl Schedule {
    /// A watch whose first run is due at once. An interval of nothing counts as the shortest there is.
    pub fn new(every: Duration) -> Self {
        Schedule { every: every.max(Duration::from_nanos(1)), run: 0, late: false }
    }

    /// When the run after one that ended at `elapsed` is due: never before `elapsed`.
    pub fn after(&mut self, elapsed: Duration) -> Due {
        let wanted = self.run + 1;
        self.run = wanted.max(elapsed.as_nanos().div_ceil(self.every.as_nanos()));
        let skipped = self.run - wanted;
        let news = skipped > 0 && !self.late;
        self.late = skipped > 0;
        Due { at: self.moment(self.run), skipped: u64::try_from(skipped).unwrap_or(u64::MAX), news }
    }

    fn moment(&self, run: u128) -> Duration {
        const SECOND: u128 = 1_000_000_000;
        let nanos = self.every.as_nanos().saturating_mul(run);
        match u64::try_from(nanos / SECOND) {
            Ok(seconds) => Duration::new(seconds, (nanos % SECOND) as u32),
            Err(_) => Duration::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_next_moment_is_a_multiple_of_the_interval() {
        let mut schedule = Schedule::new(millis(100));
        assert_eq!(schedule.after(millis(30)), Due { at: millis(100), skipped: 0, news: false });
        assert_eq!(schedule.after(millis(199)), Due { at: millis(200), skipped: 0, news: false });
        assert_eq!(schedule.after(millis(350)), Due { at: millis(400), skipped: 1, news: true });
    }

    #[test]
    fn a_run_that_ends_at_the_very_moment_skips_nothing() {
        let mut schedule = Schedule::new(millis(100));
        assert_eq!(schedule.after(millis(100)), Due { at: millis(100), skipped: 0, news: false });
        assert_eq!(schedule.after(millis(300)), Due { at: millis(300), skipped: 1, news: true });
    }

    #[test]
    fn news_are_said_once_while_every_run_is_late() {
        let mut schedule = Schedule::new(millis(100));
        let news: Vec<bool> =
            [150, 350, 550, 690, 890].map(|ended| schedule.after(millis(ended)).news).to_vec();
        assert_eq!(news, [true, false, false, false, true]);
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut schedule = Schedule::new(Duration::ZERO);
        assert_eq!(schedule.after(Duration::MAX).at, Duration::MAX);
        let mut schedule = Schedule::new(Duration::MAX);
        assert_eq!(schedule.after(Duration::ZERO).at, Duration::MAX);
        assert_eq!(schedule.after(Duration::MAX).at, Duration::MAX);
    }

    proptest! {
        #[test]
        fn no_run_is_due_before_the_last_one_ended_nor_a_whole_interval_after(
            every in 1..10_000_u64,
            takes in proptest::collection::vec(0..50_000_u64, 1..20),
        ) {
            let mut schedule = Schedule::new(millis(every));
            let (mut begun, mut runs) = (Duration::ZERO, 0);
            for takes in takes {
                let ended = begun + millis(takes);
                let due = schedule.after(ended);
                prop_assert!(due.at >= ended && due.at > begun);
                prop_assert!(due.at - ended <= millis(every));
                runs += 1 + u128::from(due.skipped);
                prop_assert_eq!(due.at.as_nanos(), millis(every).as_nanos() * runs);
                begun = due.at;
            }
        }
    }
}
