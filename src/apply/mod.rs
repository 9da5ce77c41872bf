//! 7. Runs the plan of one replica: lock, guard, write, read back, commit.
//!
//! Owns the transaction and what is checked in it; refuses to decide what is written (that is the plan's) and
//! whether it may be (that is its refusals'). Invariant: after any failure at any moment nothing is committed,
//! with two exceptions that the failure's text names: structure on an engine that cannot roll it back, and a
//! commit whose answer never came.
//!
//! All row changes of a replica are one transaction. Every check works on the changes it is handed, so that
//! a later version can hand it one batch after the other.

mod cascade;
mod guard;
mod read_back;
mod rows;
#[cfg(test)]
mod sqlite_tests;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;
use std::time::Duration;

use crate::compare::RowCounts;
use crate::engine::{EngineError, Replica, Writer};
use crate::event::{Event, Observer, Stop};
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, Applied, Outcome, ReplicaPlan, RowStep, SchemaChange, Step};
use crate::sql::{Dialect, TableName};

use guard::Moment;

/// How to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyOptions {
    /// How long to wait for the replica's lock.
    pub lock_wait: Duration,
    /// Whether the tables that could be compared are written although others are in error.
    pub partial: bool,
    /// Whether the rows written are compared with the primary afterwards.
    pub verify: bool,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        ApplyOptions { lock_wait: Duration::ZERO, partial: false, verify: true }
    }
}

/// Writes what a plan says, in one transaction, and says how that ended. Never fails otherwise than by its
/// outcome. [`Applied::verified`] stays `None`: that is for [`verify`](crate::verify).
pub async fn apply_replica(
    replica: &Replica,
    plan: &ReplicaPlan,
    options: &ApplyOptions,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Applied {
    if let Some(applied) = without_writing(plan, options) {
        return applied;
    }
    let rows = plan.summary().rows.total();
    observer.observe(Event::ApplyStarted { replica: plan.name.clone(), rows });
    let run = Run { plan, dialect: replica.dialect(), observer: observer.as_ref(), stop };
    let applied = match run.apply(replica, options).await {
        Ok(written) => applied(plan, written),
        Err(given_up) => given_up.applied(),
    };
    observer.observe(Event::ApplyFinished { replica: plan.name.clone() });
    applied
}

/// The cases in which the replica is not even opened for writing.
fn without_writing(plan: &ReplicaPlan, options: &ApplyOptions) -> Option<Applied> {
    let failed = |failure: Failure| Some(Applied::nothing(Outcome::Error, Some(failure)));
    if let Some(failure) = plan.first_failure().filter(|_| plan.error.is_some() || !options.partial) {
        return failed(failure.clone());
    }
    if let Some(table) = plan.tables.iter().find(|table| table.truncated) {
        let message = format!("table {}: looking stopped early, so this is not the whole plan", table.table);
        return failed(Failure::new(ErrorKind::Internal, message).hint("plan again without --max-diffs"));
    }
    if !plan.refusals.is_empty() {
        return Some(Applied::nothing(Outcome::Refused, None));
    }
    if plan.summary().total() > 0 {
        return None;
    }
    match plan.first_failure() {
        Some(failure) => failed(failure.clone()),
        None if plan.withheld().total() > 0 => Some(Applied::nothing(Outcome::Drift, None)),
        None => Some(Applied::nothing(Outcome::InSync, None)),
    }
}

/// With `partial`, what was written stands, and the run still ends as an error for the tables that were not.
fn applied(plan: &ReplicaPlan, written: Written) -> Applied {
    let error = plan.first_failure().cloned();
    Applied {
        outcome: if error.is_some() { Outcome::Error } else { Outcome::Applied },
        schema_changes: written.schema_changes,
        rows: written.rows,
        already: written.already,
        batches: (1, 1),
        commit_unknown: false,
        verified: None,
        error,
    }
}

/// What a transaction did.
#[derive(Debug, Default)]
struct Written {
    schema_changes: u64,
    rows: RowCounts,
    already: u64,
}

/// Why nothing was committed.
#[derive(Debug)]
struct GivenUp {
    outcome: Outcome,
    failure: Failure,
    /// Structural changes that an engine without transactional DDL has made all the same.
    schema_changes: u64,
    /// See [`Applied::commit_unknown`].
    commit_unknown: bool,
}

impl GivenUp {
    fn stale(failure: Failure) -> Self {
        GivenUp { outcome: Outcome::Stale, ..failure.into() }
    }

    fn stopped() -> Self {
        Failure::new(ErrorKind::Interrupted, "stopped before the changes were committed: none of them is in")
            .into()
    }

    fn after(mut self, schema_changes: u64) -> Self {
        if schema_changes > 0 {
            self.schema_changes = schema_changes;
            let made = format!("{schema_changes} schema changes are made: this engine cannot roll them back");
            self.failure.hint = Some(match self.failure.hint.take() {
                Some(hint) => format!("{hint}; {made}"),
                None => made,
            });
        }
        self
    }

    fn applied(self) -> Applied {
        Applied {
            schema_changes: self.schema_changes,
            batches: (0, 1),
            commit_unknown: self.commit_unknown,
            ..Applied::nothing(self.outcome, Some(self.failure))
        }
    }
}

impl From<Failure> for GivenUp {
    fn from(failure: Failure) -> Self {
        let outcome = match failure.kind {
            ErrorKind::Locked => Outcome::Locked,
            ErrorKind::Interrupted => Outcome::Interrupted,
            _ => Outcome::Error,
        };
        GivenUp { outcome, failure, schema_changes: 0, commit_unknown: false }
    }
}

impl From<EngineError> for GivenUp {
    fn from(error: EngineError) -> Self {
        Failure::from(error).into()
    }
}

/// One replica's plan on its way.
struct Run<'a> {
    plan: &'a ReplicaPlan,
    dialect: &'static dyn Dialect,
    observer: &'a dyn Observer,
    stop: &'a Stop,
}

impl Run<'_> {
    async fn apply(&self, replica: &Replica, options: &ApplyOptions) -> Result<Written, GivenUp> {
        let steps = plan::steps(self.plan)?;
        self.go_on()?;
        let mut writer = replica.writer().await?;
        let writer = writer.as_mut();
        writer.lock(options.lock_wait).await?;
        let made_before = self.schema_changes_before(writer, &steps).await?;
        let written =
            self.transaction(writer, &steps).await.map_err(|given_up| given_up.after(made_before))?;
        Ok(Written { schema_changes: written.schema_changes + made_before, ..written })
    }

    /// Where DDL commits by itself (MySQL family), structure is changed before the transaction begins; all
    /// guards are checked first, so that a stale plan changes nothing there either.
    async fn schema_changes_before(&self, writer: &mut dyn Writer, steps: &[Step]) -> Result<u64, GivenUp> {
        if self.dialect.transactional_ddl() || !steps.iter().any(|step| matches!(step, Step::Schema { .. })) {
            return Ok(0);
        }
        writer.begin().await?;
        let guarded = self.guard(writer, Moment::BeforeSchemaChanges).await;
        abandon(writer).await;
        guarded?;
        let mut made = 0;
        for change in self.schema_changes(steps) {
            self.change_schema(writer, change).await.map_err(|given_up| given_up.after(made))?;
            made += 1;
        }
        Ok(made)
    }

    async fn transaction(&self, writer: &mut dyn Writer, steps: &[Step]) -> Result<Written, GivenUp> {
        writer.begin().await?;
        let written = match self.in_transaction(writer, steps).await {
            Ok(written) => written,
            Err(given_up) => {
                abandon(writer).await;
                return Err(given_up);
            }
        };
        writer.commit().await.map_err(unanswered)?;
        Ok(written)
    }

    async fn in_transaction(&self, writer: &mut dyn Writer, steps: &[Step]) -> Result<Written, GivenUp> {
        let mut schema_changes = 0;
        if self.dialect.transactional_ddl() {
            for change in self.schema_changes(steps) {
                self.change_schema(writer, change).await?;
                schema_changes += 1;
            }
        }
        let guarded = self.guard(writer, Moment::UnderLock).await?;
        let mut rows = RowCounts::default();
        for step in row_steps(steps) {
            let pending = &guarded[step.table].pending;
            self.refuse_cascades(writer, step, pending).await?;
            rows += self.write(writer, step, pending).await?;
        }
        self.read_back(writer, &guarded).await?;
        self.check_foreign_keys(writer, steps).await?;
        self.go_on()?;
        let already = guarded.iter().map(|table| table.already).sum();
        Ok(Written { schema_changes, rows, already })
    }

    fn schema_changes(&self, steps: &[Step]) -> impl Iterator<Item = &SchemaChange> {
        steps.iter().filter_map(|step| match step {
            Step::Schema { table, change } => Some(&self.plan.tables[*table].schema_changes[*change]),
            Step::Rows(_) => None,
        })
    }

    async fn change_schema(&self, writer: &mut dyn Writer, change: &SchemaChange) -> Result<(), GivenUp> {
        for sql in &change.sql {
            self.go_on()?;
            writer.execute(sql).await.map_err(|error| {
                let message =
                    format!("could not change the structure of {}: {}", change.object, error.message);
                EngineError { message, ..error }
            })?;
        }
        Ok(())
    }

    /// Rows that point at nothing are looked for in the tables that were written and in those of the plan
    /// that point at them.
    async fn check_foreign_keys(&self, writer: &mut dyn Writer, steps: &[Step]) -> Result<(), GivenUp> {
        let pair = |table: usize| self.plan.tables[table].pair.as_ref();
        let touched: Vec<&TableName> =
            row_steps(steps).filter_map(|step| pair(step.table)).map(|pair| &pair.names.replica).collect();
        let concerned = self.plan.tables.iter().filter_map(|table| table.pair.as_ref()).filter(|pair| {
            touched.contains(&&pair.names.replica)
                || pair.foreign_keys.iter().any(|key| touched.contains(&&key.table))
        });
        // What does not exist (a table whose creation is withheld) cannot be broken.
        let there = concerned.filter(|pair| !pair.replica_missing || touched.contains(&&pair.names.replica));
        let names: Vec<TableName> = there.map(|pair| pair.names.replica.clone()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let broken = writer.foreign_key_violations(&names).await?;
        if broken.is_empty() {
            return Ok(());
        }
        let message = "rows would be left that break a foreign key of the replica: nothing was written";
        Err(Failure::new(ErrorKind::Key, message)
            .detail(broken.join("; "))
            .hint("bring the referenced tables into the spec, or repair the rows on the primary")
            .into())
    }

    /// An error where the user asked to stop.
    fn go_on(&self) -> Result<(), GivenUp> {
        if self.stop.requested() { Err(GivenUp::stopped()) } else { Ok(()) }
    }
}

fn row_steps(steps: &[Step]) -> impl Iterator<Item = &RowStep> {
    steps.iter().filter_map(|step| match step {
        Step::Rows(rows) => Some(rows),
        Step::Schema { .. } => None,
    })
}

/// The writer is dropped right after, which rolls back too; its error would hide the one that led here.
async fn abandon(writer: &mut dyn Writer) {
    let _ = writer.rollback().await;
}

/// A commit that was answered with an error did not happen; one that was not answered may have.
fn unanswered(error: EngineError) -> GivenUp {
    if !matches!(error.kind, ErrorKind::Connect | ErrorKind::Timeout) {
        return error.into();
    }
    let message = format!(
        "{}: the commit was not answered, so it is unknown whether the changes are in",
        error.message
    );
    let hint = "running again completes the work in either case";
    let failure = Failure::from(EngineError { message, ..error }.hint(hint));
    GivenUp { commit_unknown: true, ..failure.into() }
}
