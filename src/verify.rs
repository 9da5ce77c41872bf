//! 8. Compares what was written again, in new snapshots: with the primary, or with the plan's own values.
//!
//! Tables that triggers may have written are compared as a whole.
//! Apply reads its rows back inside its own transaction; this looks from outside, after the commit, and at the
//! primary too, unless the plan was not made from it. Only the keys that were written are looked at, and only what
//! the spec would write counts: a withheld difference is no news. Invariant: what could not be told is [`Verdict::Unknown`], never in sync.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::apply::{self, Landed};
use crate::audit::{self, AuditOptions};
use crate::engine::{Primary, Replica, Snapshot};
use crate::event::{Observer, Stop};
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, Applied, Outcome, PlannedChange, ReplicaPlan, TablePlan};
use crate::schema::TablePair;
use crate::sides::Sides;
use crate::spool::SpoolError;
use crate::value::{Digest, Key, KeyOrder};

/// So many keys are looked at in one go: few enough to be held.
const KEYS_AT_ONCE: usize = 50_000;

/// How the rows that were written stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are as they should be.
    InSync,
    /// Some differ again: either side was written meanwhile.
    Differs {
        /// How many.
        rows: u64,
    },
    /// As far as it can be told they are; of some it cannot be told from outside, for the plan dropped what told
    /// them apart.
    Untold,
    /// It could not be looked at.
    Unknown(Failure),
}

/// What the rows written are held against.
#[derive(Clone, Copy, Debug)]
pub enum Against<'a> {
    /// The primary as it is now.
    Primary(&'a Primary),
    /// The plan's own values: what an undo plan is checked by.
    Plan,
}

/// Checks what [`apply_replica`](crate::apply::apply_replica) committed and completes its result: `verified`,
/// and the outcome `drift` where rows differ again or `error` (`interrupted`) where it could not be told. A
/// result that is not committed as a whole stays as it is.
pub async fn check(
    against: Against<'_>,
    replica: &Replica,
    plan: &ReplicaPlan,
    applied: Applied,
    options: &AuditOptions,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Applied {
    let (committed, of) = applied.batches;
    if committed == 0 || committed < of {
        return applied;
    }
    with_verdict(applied, verify_applied(against, replica, plan, options, observer, stop).await)
}

/// An error that apply ended with (`partial`) stays what it is.
fn with_verdict(applied: Applied, verdict: Verdict) -> Applied {
    let outcome = |other: Outcome| match applied.outcome {
        Outcome::Applied => other,
        outcome => outcome,
    };
    match verdict {
        Verdict::InSync => Applied { verified: Some(true), ..applied },
        Verdict::Untold => Applied { verified: None, ..applied },
        Verdict::Differs { .. } => {
            Applied { verified: Some(false), outcome: outcome(Outcome::Drift), ..applied }
        }
        Verdict::Unknown(failure) => {
            let ended = match failure.kind {
                ErrorKind::Interrupted => Outcome::Interrupted,
                _ => Outcome::Error,
            };
            let message =
                format!("the changes are in, but they could not be compared again: {}", failure.message);
            Applied {
                verified: None,
                outcome: outcome(ended),
                error: applied.error.or(Some(Failure { message, ..failure })),
                ..applied
            }
        }
    }
}

/// Compares the rows of all written changes of a replica with the primary's or the plan's.
pub async fn verify_applied(
    against: Against<'_>,
    replica: &Replica,
    plan: &ReplicaPlan,
    options: &AuditOptions,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Verdict {
    let differing = match against {
        Against::Primary(primary) => rows_that_differ(primary, replica, plan, options, observer, stop).await,
        Against::Plan => rows_not_as_planned(replica, plan, stop).await,
    };
    match differing {
        Ok(Landed { differing: 0, untold: false }) => Verdict::InSync,
        Ok(Landed { differing: 0, untold: true }) => Verdict::Untold,
        Ok(Landed { differing: rows, .. }) => Verdict::Differs { rows },
        Err(failure) => Verdict::Unknown(failure),
    }
}

async fn rows_not_as_planned(replica: &Replica, plan: &ReplicaPlan, stop: &Stop) -> Result<Landed, Failure> {
    let snapshot = replica.snapshot().await?;
    apply::rows_not_as_planned(snapshot.as_ref(), plan, stop).await
}

async fn rows_that_differ(
    primary: &Primary,
    replica: &Replica,
    plan: &ReplicaPlan,
    options: &AuditOptions,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<Landed, Failure> {
    let snapshots = Sides::new(primary.snapshot().await?, replica.snapshot().await?);
    let mut rows = 0;
    let stirred = plan::stirred(plan);
    for (index, table) in plan.tables.iter().enumerate() {
        let Some(pair) = &table.pair else { continue };
        if stirred.contains(&index) {
            let pair = as_made(pair);
            let found =
                audit::audit_table(&pair, &plan.name, snapshots.clone(), options, observer, stop).await;
            for change in found.map_err(|failure| in_table(table, failure))?.changes.iter() {
                rows += u64::from(!change?.withheld);
            }
            continue;
        }
        if table.error.is_some() || table.summary.total() == 0 {
            continue;
        }
        if pair.is_keyless() {
            let asked = Asked { snapshots: &snapshots, options, observer, stop };
            let found = asked.copies_that_differ(table, pair).await;
            rows += found.map_err(|failure| in_table(table, failure))?;
            continue;
        }
        if is_copy(table, pair) {
            let equal = audit::audit_copy(pair, snapshots.clone(), options, observer, stop).await;
            if equal.map_err(|failure| in_table(table, failure))? {
                continue;
            }
        }
        let order = pair.key_order();
        let mut changes = table.changes.iter();
        loop {
            let keys = next_keys(&mut changes, &order)?;
            if keys.is_empty() {
                break;
            }
            let found = audit::audit_keys(pair, keys, snapshots.clone(), options, observer, stop).await;
            let found = found.map_err(|failure| in_table(table, failure))?;
            for change in found.iter() {
                rows += u64::from(!change?.withheld);
            }
        }
    }
    Ok(Landed { differing: rows, untold: false })
}

/// Whether the rows written are all that the replica has in scope, unless somebody else wrote some too.
fn is_copy(table: &TablePlan, pair: &TablePair) -> bool {
    table.rows.replica == 0 && table.withheld.total() == 0 && table.excused == 0 && pair.is_ordered()
}

/// The pair of a table that is there by now, with all its columns.
fn as_made(pair: &TablePair) -> TablePair {
    let mut pair = pair.clone();
    pair.replica_missing = false;
    pair.columns.iter_mut().for_each(|column| column.on_replica = true);
    pair
}

/// Where and how to look again.
struct Asked<'a> {
    snapshots: &'a Sides<Arc<dyn Snapshot>>,
    options: &'a AuditOptions,
    observer: &'a Arc<dyn Observer>,
    stop: &'a Stop,
}

impl Asked<'_> {
    /// How many copies of rows without a key one side has more than the other.
    async fn copies_that_differ(&self, table: &TablePlan, pair: &TablePair) -> Result<u64, Failure> {
        let mut differing = 0;
        let mut changes = table.changes.iter().peekable();
        while changes.peek().is_some() {
            let mut rows = BTreeSet::new();
            while rows.len() < audit::COPIES_AT_ONCE {
                let Some(planned) = changes.next().transpose()? else { break };
                if !planned.withheld {
                    rows.insert(Digest::of(planned.change.row().bytes()));
                }
            }
            differing += audit::copies_that_differ(
                pair,
                rows,
                self.snapshots.clone(),
                self.options,
                self.observer,
                self.stop,
            )
            .await?;
        }
        Ok(differing)
    }
}

/// The keys of the next changes that were written.
fn next_keys(
    changes: &mut impl Iterator<Item = Result<PlannedChange, SpoolError>>,
    order: &KeyOrder,
) -> Result<Vec<Key>, SpoolError> {
    let mut keys = Vec::new();
    for planned in changes {
        let planned = planned?;
        if !planned.withheld {
            keys.push(order.key_of(planned.change.row().bytes()));
        }
        if keys.len() == KEYS_AT_ONCE {
            break;
        }
    }
    Ok(keys)
}

fn in_table(table: &TablePlan, failure: Failure) -> Failure {
    Failure { message: format!("table {}: {}", table.table, failure.message), ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(outcome: Outcome) -> Applied {
        Applied { batches: (1, 1), ..Applied::nothing(outcome, None) }
    }

    #[test]
    fn what_could_not_be_told_is_no_success() {
        let failure = || Failure::new(ErrorKind::Connect, "the line was cut");
        let unknown = with_verdict(applied(Outcome::Applied), Verdict::Unknown(failure()));
        assert_eq!((unknown.outcome, unknown.verified), (Outcome::Error, None));
        assert!(unknown.error.is_some_and(|error| error.message.starts_with("the changes are in, but")));
        let stopped = Failure { kind: ErrorKind::Interrupted, ..failure() };
        let stopped = with_verdict(applied(Outcome::Applied), Verdict::Unknown(stopped));
        assert_eq!(stopped.outcome, Outcome::Interrupted);
    }

    #[test]
    fn rows_that_differ_again_are_drift_and_errors_stay_errors() {
        let differs = || Verdict::Differs { rows: 1 };
        let drift = with_verdict(applied(Outcome::Applied), differs());
        assert_eq!((drift.outcome, drift.verified), (Outcome::Drift, Some(false)));
        let partial = with_verdict(applied(Outcome::Error), differs());
        assert_eq!((partial.outcome, partial.verified), (Outcome::Error, Some(false)));
        let whole = with_verdict(applied(Outcome::Applied), Verdict::InSync);
        assert_eq!((whole.outcome, whole.verified), (Outcome::Applied, Some(true)));
    }
}
