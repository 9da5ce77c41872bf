//! How long a server that does not answer may keep a run from ending, once somebody asked it to stop.
//!
//! What reads rows hears a request to stop by itself, between two blocks. Before the first block, and in anything else
//! that is asked of a server (a catalog, a snapshot, a connection), the server may take as long as the one who
//! holds a lock. Only reading waits here: nothing that writes is ever dropped half-way.

use std::time::Duration;

use crate::event::Stop;
use crate::failure::{ErrorKind, Failure};

/// How long after the request. What can end well by then does.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often to look whether there is a request.
const LOOK: Duration = Duration::from_millis(100);

/// What `work` gives, unless somebody asks to stop and the server does not let it end soon.
///
/// # Errors
/// Those of `work`; `Interrupted`.
pub(super) async fn answered<T>(
    stop: &Stop,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    answered_within(stop, PATIENCE, work).await
}

async fn answered_within<T>(
    stop: &Stop,
    patience: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    // One that comes after the request is not begun: many of them would be patient one by one.
    if stop.requested() {
        return Err(Failure::new(ErrorKind::Interrupted, "stopped before it was looked at"));
    }
    tokio::select! {
        answer = work => answer,
        () = out_of_patience(stop, patience) => {
            Err(Failure::new(ErrorKind::Interrupted, "stopped while waiting for a server's answer"))
        }
    }
}

async fn out_of_patience(stop: &Stop, patience: Duration) {
    while !stop.requested() {
        tokio::time::sleep(LOOK).await;
    }
    tokio::time::sleep(patience).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_never_answers_is_left_after_a_while() {
        let stop = Stop::default();
        let asked = stop.clone();
        let nothing = std::future::pending::<Result<(), Failure>>();
        let never = answered_within(&stop, Duration::from_millis(1), nothing);
        let (ended, ()) = tokio::join!(never, async move { asked.request() });
        assert_eq!(ended.expect_err("nothing came").kind, ErrorKind::Interrupted);
        let begun = answered(&stop, async { Ok(()) }).await;
        assert!(begun.is_err(), "nothing is begun after the request");
    }

    #[tokio::test]
    async fn what_ends_soon_after_the_request_ends_well() {
        let stop = Stop::default();
        let asked = stop.clone();
        let slow = answered(&stop, async move {
            asked.request();
            tokio::task::yield_now().await;
            Ok(7)
        });
        assert_eq!(slow.await, Ok(7));
    }
}
