//! 8. Compares what was written again, in new snapshots: with the primary, or with the plan's own values.
//!
//! Tables that triggers may write are looked at before and after: where rows that the plan does not write are others
//! afterwards, the table is compared as a whole.
//! Apply reads its rows back inside its own transaction; this looks from outside, after the commit, and at the
//! primary too, unless the plan was not made from it. Only the keys that were written are looked at, and only what
//! the spec would write counts: a withheld difference is no news. Invariant: what could not be told is [`Verdict::Unknown`], never in sync.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::apply::{self, Landed};
use crate::audit::{self, AuditOptions};
use crate::engine::{Primary, Replica, Snapshot};
use crate::event::{Observer, Stop};
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, Applied, Outcome, PlannedChange, Remaining, ReplicaPlan, TablePlan};
use crate::schema::TablePair;
use crate::sides::{Side, Sides};
use crate::spool::SpoolError;
use crate::sql::{Alteration, Selection};
use crate::value::{Digest, Key, KeyOrder, KeyRange, RowsHasher};

/// So many keys are looked at in one go: few enough to be held.
const KEYS_AT_ONCE: usize = 50_000;

/// How the rows that were written stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are as they should be.
    InSync,
    /// Some differ again, for either side was written meanwhile; or a trigger wrote others.
    Differs(Remaining),
    /// As far as it can be told they are; of some it cannot be told from outside, for the plan dropped what told
    /// them apart.
    Untold,
    /// It could not be looked at.
    Unknown(Failure),
}

/// What the rows written are held against.
#[derive(Clone, Copy, Debug)]
pub enum Against<'a> {
    /// The primary as it is now, and what [`beside`] saw before.
    Primary(&'a Primary, &'a Beside),
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
        Verdict::Differs(remaining) => {
            Applied { verified: Some(false), outcome: outcome(Outcome::Drift), remaining, ..applied }
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

/// The plan with the columns that it altered behind the rows as they are by now.
fn with_columns_altered(plan: &ReplicaPlan) -> ReplicaPlan {
    let mut plan = plan.clone();
    for table in &mut plan.tables {
        let Some(pair) = &mut table.pair else { continue };
        for change in table.schema_changes.iter().filter(|change| !change.withheld) {
            let Some(Alteration::Column { after, .. }) = &change.alteration else { continue };
            let altered = pair.columns.iter_mut().filter(|column| column.sides.replica.name == after.name);
            altered.for_each(|column| column.sides.replica = (**after).clone());
        }
    }
    plan
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
    let plan = &with_columns_altered(plan);
    let found = match against {
        Against::Primary(primary, before) => {
            let found = rows_that_differ((primary, before), replica, plan, options, observer, stop).await;
            found.map(|remaining| (remaining, false))
        }
        Against::Plan => rows_not_as_planned(replica, plan, stop)
            .await
            .map(|landed| (Remaining { rows: landed.differing, ..Remaining::default() }, landed.untold)),
    };
    match found {
        Ok((remaining, untold)) if remaining.is_none() => match untold {
            false => Verdict::InSync,
            true => Verdict::Untold,
        },
        Ok((remaining, _)) => Verdict::Differs(remaining),
        Err(failure) => Verdict::Unknown(failure),
    }
}

async fn rows_not_as_planned(replica: &Replica, plan: &ReplicaPlan, stop: &Stop) -> Result<Landed, Failure> {
    let snapshot = replica.snapshot().await?;
    apply::rows_not_as_planned(snapshot.as_ref(), plan, stop).await
}

async fn rows_that_differ(
    (primary, before): (&Primary, &Beside),
    replica: &Replica,
    plan: &ReplicaPlan,
    options: &AuditOptions,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<Remaining, Failure> {
    let snapshots = Sides::new(primary.snapshot().await?, replica.snapshot().await?);
    let asked = Asked { snapshots: &snapshots, options, observer, stop };
    let mut remaining = Remaining::default();
    let stirred = plan::stirred(plan);
    for (index, table) in plan.tables.iter().enumerate() {
        let Some(pair) = &table.pair else { continue };
        if table.error.is_none() && table.summary.total() > 0 {
            remaining.rows += asked.written(table, pair).await.map_err(|failure| in_table(table, failure))?;
        }
        if stirred.contains(&index) {
            let found = asked.stirred(table, pair, &plan.name, before.0.get(&index)).await;
            if found.map_err(|failure| in_table(table, failure))? {
                remaining.stirred.push(table.table.clone());
            }
        }
    }
    Ok(remaining)
}

/// What the replica holds beside the rows of a plan in tables that its triggers may write, digested by the table's
/// place in the plan.
#[derive(Clone, Debug, Default)]
pub struct Beside(BTreeMap<usize, Digest>);

/// Looks at what triggers may stir, before the plan is applied. The primary may change at any time; only what changed on
/// the replica can be the work of a trigger.
///
/// # Errors
/// What could not be read; a request to stop.
pub async fn beside(replica: &Replica, plan: &ReplicaPlan, stop: &Stop) -> Result<Beside, Failure> {
    let mut beside = Beside::default();
    let stirred = plan::stirred(plan);
    if stirred.is_empty() {
        return Ok(beside);
    }
    let snapshot = replica.snapshot().await?;
    for index in stirred {
        let table = &plan.tables[index];
        let Some(pair) = &table.pair else { continue };
        let is_there = !pair.replica_missing;
        let digest = beside_of(snapshot.as_ref(), table, pair, is_there, stop).await;
        if let Some(digest) = digest.map_err(|failure| in_table(table, failure))? {
            beside.0.insert(index, digest);
        }
    }
    Ok(beside)
}

/// The digest of the rows that the plan does not write, in the columns that the replica had. `None` where the plan's
/// rows cannot be told from others in those.
async fn beside_of(
    snapshot: &dyn Snapshot,
    table: &TablePlan,
    pair: &TablePair,
    is_there: bool,
    stop: &Stop,
) -> Result<Option<Digest>, Failure> {
    let had = |index: usize| pair.replica_missing || pair.columns[index].on_replica;
    let identifying = if pair.is_keyless() { pair.compared_columns } else { pair.key_columns };
    if !(0..identifying).all(had) {
        return Ok(None);
    }
    let mut hasher = RowsHasher::new(false);
    if is_there {
        let kept: Vec<usize> = (0..pair.compared_columns).filter(|index| had(*index)).collect();
        let written = planned_rows(table, pair, false)?;
        let mut select = pair.select(Side::Replica, Selection::Range(KeyRange::all()), false);
        let mut index = 0..;
        select.columns.retain(|_| index.next().is_some_and(|index| kept.contains(&index)));
        let identity = identity_of(pair);
        let mut stream = snapshot.scan(select).await.map_err(|error| error.on(Side::Replica))?;
        while let Some(block) = stream.next().await.map_err(|error| error.on(Side::Replica))? {
            if stop.requested() {
                let message = "stopped before all that triggers may write was looked at";
                return Err(Failure::new(ErrorKind::Interrupted, message));
            }
            for row in block.rows() {
                if !written.contains(&Digest::of(&row[..identity.key_len(row)])) {
                    hasher.add(row);
                }
            }
        }
    }
    Ok(Some(hasher.finish()))
}

/// What tells a row of the pair from others: its key, or all that is compared.
fn identity_of(pair: &TablePair) -> KeyOrder {
    let identifying = if pair.is_keyless() { pair.compared_columns } else { pair.key_columns };
    KeyOrder::new(pair.columns[..identifying].iter().map(|column| column.domain.clone()).collect::<Vec<_>>())
}

/// The rows of a plan by what tells them apart; those it withholds too, or not.
fn planned_rows(table: &TablePlan, pair: &TablePair, withheld: bool) -> Result<HashSet<Digest>, SpoolError> {
    let identity = identity_of(pair);
    let mut rows = HashSet::new();
    for planned in table.changes.iter() {
        let planned = planned?;
        if withheld || !planned.withheld {
            let row = planned.change.row().bytes();
            rows.insert(Digest::of(&row[..identity.key_len(row)]));
        }
    }
    Ok(rows)
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
    /// How many of the rows that were written differ.
    async fn written(&self, table: &TablePlan, pair: &TablePair) -> Result<u64, Failure> {
        let Asked { snapshots, options, observer, stop } = *self;
        if pair.is_keyless() {
            return self.copies_that_differ(table, pair).await;
        }
        if is_copy(table, pair) && audit::audit_copy(pair, snapshots.clone(), options, observer, stop).await?
        {
            return Ok(0);
        }
        let mut rows = 0;
        let order = pair.key_order();
        let mut changes = table.changes.iter();
        loop {
            let keys = next_keys(&mut changes, &order)?;
            if keys.is_empty() {
                return Ok(rows);
            }
            let found = audit::audit_keys(pair, keys, snapshots.clone(), options, observer, stop).await?;
            for change in found.iter() {
                rows += u64::from(!change?.withheld);
            }
        }
    }

    /// Whether rows differ that the plan does not speak of, where the replica's are no longer what they were `before`.
    async fn stirred(
        &self,
        table: &TablePlan,
        pair: &TablePair,
        replica: &str,
        before: Option<&Digest>,
    ) -> Result<bool, Failure> {
        let Asked { snapshots, options, observer, stop } = *self;
        let now = beside_of(snapshots.replica.as_ref(), table, pair, true, stop).await?;
        if now.as_ref() == before && before.is_some() {
            return Ok(false);
        }
        let pair = as_made(pair);
        let found = audit::audit_table(&pair, replica, snapshots.clone(), options, observer, stop).await?;
        let (planned, identity) = (planned_rows(table, &pair, true)?, identity_of(&pair));
        for change in found.changes.iter() {
            let change = change?;
            let row = change.change.row().bytes();
            if !change.withheld && !planned.contains(&Digest::of(&row[..identity.key_len(row)])) {
                return Ok(true);
            }
        }
        Ok(false)
    }

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
        let differs = || Verdict::Differs(Remaining { rows: 1, stirred: Vec::new() });
        let drift = with_verdict(applied(Outcome::Applied), differs());
        assert_eq!((drift.outcome, drift.verified), (Outcome::Drift, Some(false)));
        let partial = with_verdict(applied(Outcome::Error), differs());
        assert_eq!((partial.outcome, partial.verified), (Outcome::Error, Some(false)));
        let whole = with_verdict(applied(Outcome::Applied), Verdict::InSync);
        assert_eq!((whole.outcome, whole.verified), (Outcome::Applied, Some(true)));
    }
}
