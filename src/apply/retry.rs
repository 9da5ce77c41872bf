//! Beginning a transaction anew after others stood in its way: a deadlock, a serialization failure, a lock that was
//! not to be had.
//!
//! Refuses to go on where it was: the whole transaction was rolled back and begins with its guards again, for the rows
//! may be others now. Refuses what is not known to have failed: a commit without an answer is nothing to repeat.
//! On an engine that commits at every change of structure, the statement that failed is begun anew by itself.
//! Where the spec limits how long locks are waited for, a lock that was not to be had is the end. Invariant: so many
//! tries, so much time and no more; a request to stop is heard between them.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::engine::Writer;
use crate::event::Event;
use crate::failure::ErrorKind;
use crate::sql::TableName;

use super::{GivenUp, Run, abandon};

const TRIES_MAX: u32 = 6;
/// No further try is begun after this long: some servers wait a minute for a lock by themselves.
const TIME_MAX: Duration = Duration::from_secs(60);
/// Before the second try; twice as long before each that follows.
const PAUSE_FIRST: Duration = Duration::from_millis(60);
/// How long a request to stop may go unheard meanwhile.
const LOOK: Duration = Duration::from_millis(50);

impl Run<'_> {
    /// What `attempt` gives, which does one transaction, tried again while it fails for what passes by itself.
    pub(super) async fn persistently<T>(
        &self,
        writer: &mut dyn Writer,
        mut attempt: impl AsyncFnMut(&mut dyn Writer) -> Result<T, GivenUp>,
    ) -> Result<T, GivenUp> {
        let begun = Instant::now();
        let mut tries = 1;
        loop {
            let given_up = match attempt(writer).await {
                Err(given_up) if self.passes(&given_up) => given_up,
                Err(given_up) => return Err(self.with_holders(writer, given_up).await),
                ended => return ended,
            };
            // A commit that was refused leaves its transaction open.
            abandon(writer).await;
            if tries == TRIES_MAX || begun.elapsed() >= TIME_MAX {
                let given_up = told(given_up, tries, begun.elapsed());
                return Err(self.with_holders(writer, given_up).await);
            }
            let pause = pause(tries, RandomState::new().hash_one(tries));
            self.observer.observe(Event::Retried {
                replica: self.plan.name.clone(),
                tries,
                why: given_up.failure.message,
                rows: self.told_rows.swap(0, Ordering::Relaxed),
                pause,
            });
            self.rest(pause).await?;
            tries += 1;
        }
    }

    fn passes(&self, given_up: &GivenUp) -> bool {
        let waited_enough = self.lock_limited && given_up.failure.kind == ErrorKind::Timeout;
        given_up.failure.passing && !given_up.commit_unknown && !waited_enough
    }

    /// Where a lock was not to be had, says who has locks there, if the server says so.
    async fn with_holders(&self, writer: &mut dyn Writer, mut given_up: GivenUp) -> GivenUp {
        let failure = &mut given_up.failure;
        if failure.kind != ErrorKind::Timeout || !failure.passing || given_up.commit_unknown {
            return given_up;
        }
        abandon(writer).await;
        let pairs = self.plan.tables.iter().filter_map(|table| table.pair.as_ref());
        let names: Vec<TableName> = pairs.map(|pair| pair.names.replica.clone()).collect();
        // Nobody is told more than without it where it cannot be asked.
        let holders = writer.holders(&names).await.unwrap_or_default();
        if !holders.is_empty() {
            failure.message = format!("{}; locks are held by {}", failure.message, holders.join("; "));
        }
        given_up
    }

    async fn rest(&self, pause: Duration) -> Result<(), GivenUp> {
        let until = Instant::now() + pause;
        loop {
            self.go_on()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            tokio::time::sleep(left.min(LOOK)).await;
        }
    }
}

/// Between a half and all of what the number of tries allows, so that two who met do not meet again.
fn pause(tries: u32, chance: u64) -> Duration {
    let longest = PAUSE_FIRST * 2_u32.pow(tries - 1);
    let half = longest / 2;
    half + half.mul_f64((chance % 1_000) as f64 / 1_000.0)
}

fn told(mut given_up: GivenUp, tries: u32, time: Duration) -> GivenUp {
    let failure = &mut given_up.failure;
    failure.message =
        format!("{}; tried {tries} times in {:.1} seconds", failure.message, time.as_secs_f64());
    failure.hint = Some("run again when others write less to the same rows".to_owned());
    given_up
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        for tries in 1..TRIES_MAX {
            let longest = PAUSE_FIRST * 2_u32.pow(tries - 1);
            for chance in [0, 1, 500, 999, 1_000, u64::MAX] {
                assert!((longest / 2..=longest).contains(&pause(tries, chance)), "{tries} {chance}");
            }
        }
        assert!(pause(3, 0) < pause(3, 900));
        let all: Duration = (1..TRIES_MAX).map(|tries| pause(tries, 999)).sum();
        assert!(all < Duration::from_secs(5), "{all:?}");
    }
}
