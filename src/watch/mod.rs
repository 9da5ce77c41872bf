//! Repeats a run: verify, or plan and apply, every so often until somebody says stop.
//!
//! Owns when a run begins ([`Schedule`]), the loop around it ([`repeat`]) and what stands where a run saw nothing
//! ([`nothing_seen()`]). Refuses to know the clock, the signals and what a run does: those are its [`Host`]'s.
//! Invariants: runs never overlap; a run begins at its due moment, never before; a run that saw nothing is an
//! error for every replica it was to look at, never silence.

mod nothing_seen;
mod schedule;

pub use nothing_seen::nothing_seen;
pub use schedule::{Due, Schedule};

use std::time::Duration;

/// Whom a watch lives with: the clock, the signals and the run.
pub trait Host {
    /// Why a watch ends that nobody ended.
    type Error;

    /// Time since the watch began.
    fn elapsed(&self) -> Duration;

    /// Waits until so much time has gone by since the watch began; whether it may go on then.
    fn wait_until(&mut self, at: Duration) -> impl Future<Output = bool>;

    /// Makes one run; whether the watch may go on after it. Only what makes further runs pointless is an error.
    fn run(&mut self) -> impl Future<Output = Result<bool, Self::Error>>;

    /// Is told when the next run is due, after each one.
    fn next(&mut self, due: &Due);
}

/// Runs at once, and then every so often, until the host says stop. `every` must be longer than nothing.
pub async fn repeat<H: Host>(every: Duration, host: &mut H) -> Result<(), H::Error> {
    let mut schedule = Schedule::new(every);
    loop {
        if !host.run().await? {
            return Ok(());
        }
        let due = schedule.after(host.elapsed());
        host.next(&due);
        if !host.wait_until(due.at).await {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Time that only passes while something is done.
    struct Fake {
        now: Duration,
        /// How long each run takes; after the last one it is told to stop.
        runs: std::vec::IntoIter<Duration>,
        /// Told to stop while it waits past this moment.
        stop_at: Duration,
        fails: bool,
        begun: Vec<Duration>,
        late: Vec<u64>,
    }

    impl Fake {
        fn new(seconds: &[u64]) -> Fake {
            let runs: Vec<_> = seconds.iter().map(|seconds| SECOND * (*seconds as u32)).collect();
            Fake {
                now: Duration::ZERO,
                runs: runs.into_iter(),
                stop_at: Duration::MAX,
                fails: false,
                begun: Vec::new(),
                late: Vec::new(),
            }
        }

        fn watch(mut self, every: Duration) -> (Fake, Result<(), &'static str>) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
            let ended = runtime.block_on(repeat(every, &mut self));
            (self, ended)
        }
    }

    impl Host for Fake {
        type Error = &'static str;

        fn elapsed(&self) -> Duration {
            self.now
        }

        async fn wait_until(&mut self, at: Duration) -> bool {
            let goes_on = at <= self.stop_at;
            self.now = self.now.max(at.min(self.stop_at));
            goes_on
        }

        async fn run(&mut self) -> Result<bool, &'static str> {
            self.begun.push(self.now);
            if self.fails {
                return Err("nobody listens");
            }
            self.now += self.runs.next().unwrap_or_default();
            Ok(!self.runs.as_slice().is_empty())
        }

        fn next(&mut self, due: &Due) {
            if due.news {
                self.late.push(due.skipped);
            }
        }
    }

    fn begun(seconds: &[u64]) -> Vec<Duration> {
        seconds.iter().map(|seconds| SECOND * (*seconds as u32)).collect()
    }

    #[test]
    fn runs_begin_at_fixed_moments_whatever_they_take() {
        let (fake, ended) = Fake::new(&[1, 9, 0, 3]).watch(SECOND * 10);
        assert_eq!(ended, Ok(()));
        assert_eq!(fake.begun, begun(&[0, 10, 20, 30]));
        assert!(fake.late.is_empty());
    }

    #[test]
    fn a_run_that_takes_too_long_skips_what_it_missed_and_overlaps_nothing() {
        let (fake, _) = Fake::new(&[25, 1, 1]).watch(SECOND * 10);
        assert_eq!(fake.begun, begun(&[0, 30, 40]));
        assert_eq!(fake.late, [2]);
    }

    #[test]
    fn being_late_is_said_once_until_a_run_is_in_time_again() {
        let (fake, _) = Fake::new(&[15, 15, 25, 5, 15, 0]).watch(SECOND * 10);
        assert_eq!(fake.begun, begun(&[0, 20, 40, 70, 80, 100]));
        assert_eq!(fake.late, [1, 1]);
    }

    #[test]
    fn waiting_ends_when_asked_and_no_run_follows() {
        let fake = Fake { stop_at: SECOND * 15, ..Fake::new(&[1, 1, 1, 1]) };
        let (fake, ended) = fake.watch(SECOND * 10);
        assert_eq!((ended, fake.now), (Ok(()), SECOND * 15));
        assert_eq!(fake.begun, begun(&[0, 10]));
    }

    #[test]
    fn what_makes_further_runs_pointless_ends_it() {
        let (fake, ended) = Fake { fails: true, ..Fake::new(&[1, 1]) }.watch(SECOND);
        assert_eq!((ended, fake.begun.len()), (Err("nobody listens"), 1));
    }
}
