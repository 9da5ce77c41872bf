//! 7. Runs the plan of one replica: lock, guard, write, read back, commit.
//!
//! Owns the transaction and what is checked in it; refuses to decide what is written (that is the plan's) and
//! whether it may be (that is its refusals'). Row changes are written in batches, each in a transaction of its
//! own. Invariant: after any failure at any moment whole batches are committed and nothing else, with two
//! exceptions that the failure's text names: structure on an engine that cannot roll it back, and a commit whose
//! answer never came.
//!
//! A transaction that failed for what passes by itself (a deadlock) begins anew: `retry`.
//!
//! Where there are several batches, all guards are checked before the first, so that a plan that is stale from
//! the beginning writes nothing.

mod cascade;
mod circle;
mod copies;
mod copy;
mod drops;
mod guard;
mod landed;
mod ledger;
mod orphans;
mod read_back;
mod rebuild;
mod retry;
mod rows;
#[cfg(test)]
mod sqlite_tests;
#[cfg(test)]
mod tests;
mod write;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::compare::RowCounts;
use crate::engine::{EngineError, Replica, Writer};
use crate::event::{Event, Observer, Stop};
use crate::failure::{ErrorKind, Failure};
use crate::plan::{
    self, Applied, Batches, Commit, Outcome, ReplicaPlan, RowStep, SchemaAction, SchemaChange, TablePlan,
};
use crate::spec::{BATCH_ROWS_DEFAULT, TriggerMode};
use crate::spool::SpoolError;
use crate::sql::{Dialect, TableName};

use guard::Moment;
pub use landed::{Landed, rows_not_as_planned};
pub use ledger::{Committed, Ledger, Unkept};

/// How long a request to stop may go unheard while another trueup holds the lock. MySQL waits whole seconds.
const LOCK_STEP: Duration = Duration::from_secs(1);

/// How to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyOptions {
    /// How long to wait for the replica's lock.
    pub lock_wait: Duration,
    /// Whether the tables that could be compared are written although others are in error.
    pub partial: bool,
    /// Whether the rows written are compared with the primary afterwards.
    pub verify: bool,
    /// Row changes in one transaction, at least 1.
    pub batch_rows: u64,
    /// Whether the spec limits how long this replica's locks are waited for (`lock_timeout`): then a lock that was
    /// not to be had in time is not tried for again.
    pub lock_limited: bool,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        ApplyOptions {
            lock_wait: Duration::ZERO,
            partial: false,
            verify: true,
            batch_rows: BATCH_ROWS_DEFAULT,
            lock_limited: false,
        }
    }
}

/// Writes what a plan says, batch by batch, and says how that ended. Never fails otherwise than by its
/// outcome. [`Applied::verified`] stays `None`: that is for [`verify`](crate::verify). `ledger` is told what is in, and
/// says what an earlier run of this plan got in.
pub async fn apply_replica(
    replica: &Replica,
    plan: &ReplicaPlan,
    options: &ApplyOptions,
    ledger: &dyn Ledger,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Applied {
    if let Some(applied) = without_writing(plan, options) {
        return applied;
    }
    let rows = plan.summary().rows.total();
    observer.observe(Event::ApplyStarted { replica: plan.name.clone(), rows });
    let run = Run {
        plan,
        dialect: replica.dialect(),
        observer: observer.as_ref(),
        stop,
        lock_limited: options.lock_limited,
        ledger,
        earlier: OnceLock::new(),
        rewritable: OnceLock::new(),
        told_rows: AtomicU64::new(0),
        orphans_met: AtomicBool::new(false),
    };
    let mut written = Written::default();
    let applied = match run.apply(replica, options, &mut written).await {
        Ok(()) => applied(plan, written),
        Err(given_up) => given_up.applied(written),
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
    if let Some(stale) = &plan.stale {
        return Some(Applied::nothing(Outcome::Stale, Some(stale.clone())));
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
    let outcome = if error.is_some() { Outcome::Error } else { Outcome::Applied };
    written.applied(Applied::nothing(outcome, error))
}

/// What is committed so far.
#[derive(Clone, Debug, Default)]
struct Written {
    schema_changes: u64,
    rows: RowCounts,
    already: u64,
    rewritten: u64,
    /// Batches committed, and of how many.
    batches: (u64, u64),
}

impl Written {
    fn applied(self, ended: Applied) -> Applied {
        let Written { schema_changes, rows, already, rewritten, batches } = self;
        Applied { schema_changes, rows, already, rewritten, batches, ..ended }
    }

    /// What stays when no more is committed, in words.
    fn stays(&self) -> Option<String> {
        match (self.batches, self.schema_changes) {
            ((0, _), 0) => None,
            ((0, _), changes) => Some(format!("{changes} schema changes are made and stay")),
            ((1, of), _) => Some(format!("batch 1 of {of} is in and stays")),
            ((committed, of), _) => Some(format!("batches 1 to {committed} of {of} are in and stay")),
        }
    }

    fn add(&mut self, batch: Written) {
        self.schema_changes += batch.schema_changes;
        self.rows += batch.rows;
        self.already += batch.already;
        self.rewritten += batch.rewritten;
        self.batches.0 += 1;
    }
}

/// Why no more was committed.
#[derive(Debug)]
struct GivenUp {
    outcome: Outcome,
    failure: Failure,
    /// See [`Applied::commit_unknown`].
    commit_unknown: bool,
}

impl GivenUp {
    fn stale(failure: Failure) -> Self {
        GivenUp { outcome: Outcome::Stale, ..failure.into() }
    }

    fn stopped() -> Self {
        Failure::new(ErrorKind::Interrupted, "stopped before all changes were committed").into()
    }

    /// How it ended, with what is committed and stays.
    fn applied(mut self, written: Written) -> Applied {
        if let Some(stays) = written.stays() {
            self.failure.message = format!("{}; {stays}", self.failure.message);
        }
        written.applied(Applied {
            commit_unknown: self.commit_unknown,
            ..Applied::nothing(self.outcome, Some(self.failure))
        })
    }
}

impl From<Failure> for GivenUp {
    fn from(failure: Failure) -> Self {
        let outcome = match failure.kind {
            ErrorKind::Locked => Outcome::Locked,
            ErrorKind::Interrupted => Outcome::Interrupted,
            _ => Outcome::Error,
        };
        GivenUp { outcome, failure, commit_unknown: false }
    }
}

impl From<EngineError> for GivenUp {
    fn from(error: EngineError) -> Self {
        Failure::from(error).into()
    }
}

impl From<SpoolError> for GivenUp {
    fn from(error: SpoolError) -> Self {
        Failure::from(error).into()
    }
}

/// What is done in one transaction.
struct Batch<'a> {
    /// Structure that comes before the rows: index of the table, index of the change.
    schema: &'a [(usize, usize)],
    /// The rows.
    rows: &'a [RowStep],
    /// Structure that comes after the rows; where the engine commits at every change of it, after the transaction.
    dropping: &'a [(usize, usize)],
}

/// One replica's plan on its way.
struct Run<'a> {
    plan: &'a ReplicaPlan,
    dialect: &'static dyn Dialect,
    observer: &'a dyn Observer,
    stop: &'a Stop,
    /// See [`ApplyOptions::lock_limited`].
    lock_limited: bool,
    ledger: &'a dyn Ledger,
    /// What earlier runs of this plan committed.
    earlier: OnceLock<Committed>,
    /// See [`Run::may_be_rewritten`].
    rewritable: OnceLock<BTreeSet<usize>>,
    /// Rows of the transaction that is open that were told to be written.
    told_rows: AtomicU64,
    /// Whether rows were met that point at nothing: from then on those that do so before are noted.
    orphans_met: AtomicBool,
}

impl Run<'_> {
    /// `written` takes what was committed, also where the rest was given up.
    async fn apply(
        &self,
        replica: &Replica,
        options: &ApplyOptions,
        written: &mut Written,
    ) -> Result<(), GivenUp> {
        let stopped = || self.stop.requested();
        let steps = plan::steps_unless(&stopped, self.plan, options.batch_rows)?;
        let batches = plan::batches(steps, options.batch_rows);
        written.batches.1 = batches.rows.len() as u64;
        self.go_on()?;
        let structure =
            self.schema_changes(&batches.schema_first).chain(self.schema_changes(&batches.schema));
        let structure = structure.chain(self.schema_changes(&batches.schema_after));
        let structure = structure.chain(self.schema_changes(&batches.schema_last));
        let structure = structure.filter(|(_, change)| change.action != SchemaAction::SetSequence);
        let (renames, structure) = plan::renames_and_others(structure.map(|(_, change)| change));
        if renames.len() + structure.len() > 0 {
            replica.rehearse(&renames, &structure).await?;
        }
        let mut writer = replica.writer().await?;
        let writer = writer.as_mut();
        self.lock(writer, options.lock_wait).await?;
        let earlier = self.ledger.open(self.plan, batches.rows.len())?;
        self.earlier.get_or_init(|| earlier);
        self.refuse_pointed_at(replica).await?;
        let alone = !batches.schema.is_empty() && !self.dialect.transactional_ddl();
        let (anew, anew_behind) = (self.makes_anew(&batches.schema), self.makes_anew(&batches.schema_after));
        if alone || anew || batches.rows.len() > 1 || !batches.schema_first.is_empty() {
            self.persistently(writer, async |writer| self.guard_all(writer, &batches).await).await?;
        }
        for place in &batches.schema_first {
            let batch = Batch { schema: std::slice::from_ref(place), rows: &[], dropping: &[] };
            self.change_schema_apart(writer, place, &batch).await?;
            written.schema_changes += 1;
        }
        if alone {
            for (place, (table, change)) in batches.schema.iter().zip(self.schema_changes(&batches.schema)) {
                self.refuse_other_rows(writer, std::slice::from_ref(place), false).await?;
                self.change_schema_alone(writer, table, change).await?;
                written.schema_changes += 1;
            }
        }
        if anew {
            let (renames, others) = self.renames_first(&batches.schema);
            if !renames.is_empty() {
                let rename = async |writer: &mut dyn Writer| self.rename(writer, &renames).await;
                written.schema_changes += self.persistently(writer, rename).await?;
            }
            let rebuild = async |writer: &mut dyn Writer| self.rebuild(writer, &others).await;
            written.schema_changes += self.persistently(writer, rebuild).await?.schema_changes;
        }
        let last = batches.rows.len() - 1;
        for (number, rows) in batches.rows.iter().enumerate() {
            let schema = if number == 0 && !alone && !anew { &batches.schema[..] } else { &[] };
            let dropping = if number == last && !anew_behind { &batches.schema_after[..] } else { &[] };
            let batch = Batch { schema, rows, dropping };
            let transaction = async |writer: &mut dyn Writer| self.transaction(writer, &batch).await;
            written.add(self.persistently(writer, transaction).await?);
            self.ledger.note(self.plan, &Committed::of(self.plan, rows))?;
        }
        if anew_behind {
            let rebuild = async |writer: &mut dyn Writer| self.rebuild(writer, &batches.schema_after).await;
            written.schema_changes += self.persistently(writer, rebuild).await?.schema_changes;
        }
        if !self.dialect.transactional_ddl() {
            for (table, change) in self.schema_changes(&batches.schema_after) {
                self.change_schema_alone(writer, table, change).await?;
                written.schema_changes += 1;
            }
        }
        for place in &batches.schema_last {
            let batch = Batch { schema: &[], rows: &[], dropping: std::slice::from_ref(place) };
            self.change_schema_apart(writer, place, &batch).await?;
            written.schema_changes += 1;
        }
        Ok(())
    }

    /// A change that does not stand among others: outside of transactions where it must, else in the transaction that `batch`
    /// is.
    async fn change_schema_apart(
        &self,
        writer: &mut dyn Writer,
        (table, change): &(usize, usize),
        batch: &Batch<'_>,
    ) -> Result<(), GivenUp> {
        let table = &self.plan.tables[*table];
        let change = &table.schema_changes[*change];
        if change.action.commits_first() || change.commit == Commit::Outside {
            return self.change_schema_alone(writer, table, change).await;
        }
        let transaction = async |writer: &mut dyn Writer| self.one_transaction(writer, batch).await;
        self.persistently(writer, transaction).await.map(|_| ())
    }

    /// Before anything that cannot be rolled back together with the rest: a plan that is stale already
    /// changes nothing.
    async fn guard_all(&self, writer: &mut dyn Writer, batches: &Batches) -> Result<(), GivenUp> {
        writer.begin().await?;
        let steps = batches.rows.iter().flatten();
        let before = self.plan.before_renaming();
        let run = self.looking_at(&before);
        let guarded = match run.refuse_other_rows(writer, &batches.schema, false).await {
            Ok(()) => run.guard(writer, steps, Moment::BeforeWriting).await,
            Err(given_up) => Err(given_up),
        };
        abandon(writer).await;
        guarded.map(|_| ())
    }

    /// The same run of a plan that has other names.
    fn looking_at<'b>(&'b self, plan: &'b ReplicaPlan) -> Run<'b> {
        Run {
            plan,
            dialect: self.dialect,
            observer: self.observer,
            stop: self.stop,
            lock_limited: self.lock_limited,
            ledger: self.ledger,
            earlier: self.earlier.clone(),
            rewritable: OnceLock::new(),
            told_rows: AtomicU64::new(0),
            orphans_met: AtomicBool::new(false),
        }
    }

    /// Where the first transaction meets rows that point at nothing, it is done again with those known that did so
    /// before.
    async fn transaction(&self, writer: &mut dyn Writer, batch: &Batch<'_>) -> Result<Written, GivenUp> {
        let known = self.orphans_met.load(Ordering::Relaxed);
        match self.one_transaction(writer, batch).await {
            Err(_) if !known && self.orphans_met.load(Ordering::Relaxed) => {
                let rows = self.told_rows.swap(0, Ordering::Relaxed);
                self.observer.observe(Event::RolledBack { rows });
                self.one_transaction(writer, batch).await
            }
            ended => ended,
        }
    }

    async fn one_transaction(&self, writer: &mut dyn Writer, batch: &Batch<'_>) -> Result<Written, GivenUp> {
        self.go_on()?;
        self.told_rows.store(0, Ordering::Relaxed);
        writer.begin().await?;
        let written = match self.in_transaction(writer, batch).await {
            Ok(written) => written,
            Err(given_up) => {
                abandon(writer).await;
                return Err(given_up);
            }
        };
        writer.commit().await.map_err(unanswered)?;
        Ok(written)
    }

    async fn in_transaction(&self, writer: &mut dyn Writer, batch: &Batch<'_>) -> Result<Written, GivenUp> {
        let mut written = Written::default();
        self.refuse_other_rows(writer, batch.schema, true).await?;
        for (table, change) in self.schema_changes(batch.schema) {
            self.change_schema(writer, table, change).await?;
            written.schema_changes += 1;
        }
        let suppresses = self.suppress_triggers(writer, batch.rows).await?;
        let standing = self.standing_orphans(writer, batch.rows).await?;
        let guarded = self.guard(writer, batch.rows, Moment::UnderLock).await?;
        written.rows += self.write_steps(writer, &guarded).await?;
        self.read_back(writer, &guarded).await?;
        self.refuse_orphans(writer, batch.rows, standing).await?;
        if suppresses {
            writer.restore_triggers().await?;
        }
        self.refuse_rows_left(writer, batch.dropping).await?;
        if self.dialect.transactional_ddl() {
            for (table, change) in self.schema_changes(batch.dropping) {
                self.change_schema(writer, table, change).await?;
                written.schema_changes += 1;
            }
        }
        self.go_on()?;
        written.already = guarded.iter().map(|step| step.already).sum();
        written.rewritten = guarded.iter().map(|step| step.rewritten).sum();
        Ok(written)
    }

    /// Keeps triggers from firing where the spec says so; whether there is any such table.
    async fn suppress_triggers(&self, writer: &mut dyn Writer, steps: &[RowStep]) -> Result<bool, GivenUp> {
        let pairs = steps.iter().filter_map(|step| self.plan.tables[step.table].pair.as_ref());
        let mut tables: Vec<TableName> = pairs
            .filter(|pair| pair.triggers == TriggerMode::Suppress)
            .map(|pair| pair.names.replica.clone())
            .collect();
        tables.sort();
        tables.dedup();
        if !tables.is_empty() {
            writer.suppress_triggers(&tables).await?;
        }
        Ok(!tables.is_empty())
    }

    /// Rows of this table are written next.
    async fn turn_to(&self, writer: &mut dyn Writer, table: usize) -> Result<(), GivenUp> {
        match &self.plan.tables[table].pair {
            Some(pair) => Ok(writer.writes_to(&pair.names.replica).await?),
            None => Ok(()),
        }
    }

    /// A table is dropped when it has no rows but those that the plan has taken out: others are nobody's to lose.
    async fn refuse_rows_left(
        &self,
        writer: &mut dyn Writer,
        dropping: &[(usize, usize)],
    ) -> Result<(), GivenUp> {
        for (table, change) in dropping {
            let table = &self.plan.tables[*table];
            let dropped = table.schema_changes[*change].action == SchemaAction::DropTable;
            let Some(pair) = table.pair.as_ref().filter(|_| dropped) else { continue };
            if writer.has_rows(&pair.names.replica).await? {
                let message = format!(
                    "table {} on the replica has rows that the plan does not know, and would be dropped with them",
                    table.table
                );
                return Err(GivenUp::stale(Failure::new(ErrorKind::Changed, message)));
            }
        }
        Ok(())
    }

    fn schema_changes<'a>(
        &'a self,
        schema: &'a [(usize, usize)],
    ) -> impl Iterator<Item = (&'a TablePlan, &'a SchemaChange)> {
        let of = |(table, change): &(usize, usize)| (&self.plan.tables[*table], *change);
        schema.iter().map(of).map(|(table, change)| (table, &table.schema_changes[change]))
    }

    /// The statements of a change. A sequence may have gone on since the plan was made, and is not set back.
    fn statements<'a>(&self, table: &TablePlan, change: &'a SchemaChange) -> Cow<'a, [String]> {
        match &table.pair {
            Some(pair) if change.action == SchemaAction::SetSequence => {
                let numbering = self.dialect.numbering();
                let unless_reached = |sql: &String| numbering.unless_reached(&pair.names.replica, sql);
                Cow::Owned(change.sql.iter().flat_map(unless_reached).collect())
            }
            _ => Cow::Borrowed(&change.sql),
        }
    }

    async fn change_schema(
        &self,
        writer: &mut dyn Writer,
        table: &TablePlan,
        change: &SchemaChange,
    ) -> Result<(), GivenUp> {
        let waits = self.dialect.waits_briefly().filter(|_| !self.lock_limited);
        if let (Commit::Alone, Some(waits)) = (change.commit, waits) {
            writer.execute(waits).await?;
        }
        self.change_by(writer, change, &self.statements(table, change)).await
    }

    /// Changes structure outside of transactions, on an engine that commits at every such statement. One that ended in a
    /// deadlock, or waited for a lock in vain, was not done, nor a part of it (such an engine's definitions are atomic
    /// since MySQL 8.0 and MariaDB 10.6): so it alone is run again, not what went before it. The statements that
    /// set a sequence begin with a look where it stands, and are run again from there. What was not answered may be
    /// done, and is never run again.
    async fn change_schema_alone(
        &self,
        writer: &mut dyn Writer,
        table: &TablePlan,
        change: &SchemaChange,
    ) -> Result<(), GivenUp> {
        let statements = self.statements(table, change);
        let together = match (change.action, change.commit) {
            (SchemaAction::SetSequence, _) | (_, Commit::Outside) => statements.len().max(1),
            _ => 1,
        };
        for statements in statements.chunks(together) {
            let attempt = async |writer: &mut dyn Writer| self.change_by(writer, change, statements).await;
            self.persistently(writer, attempt).await?;
        }
        Ok(())
    }

    async fn change_by(
        &self,
        writer: &mut dyn Writer,
        change: &SchemaChange,
        statements: &[String],
    ) -> Result<(), GivenUp> {
        for sql in statements {
            self.go_on()?;
            writer.execute(sql).await.map_err(|error| {
                let message =
                    format!("could not change the structure of {}: {}", change.object, error.message);
                EngineError { message, ..error }
            })?;
        }
        Ok(())
    }

    /// Waits for the replica's lock in short steps, so that a request to stop is heard meanwhile.
    async fn lock(&self, writer: &mut dyn Writer, wait: Duration) -> Result<(), GivenUp> {
        let begun = Instant::now();
        loop {
            let left = wait.saturating_sub(begun.elapsed());
            match writer.lock(left.min(LOCK_STEP)).await {
                Err(error) if error.kind == ErrorKind::Locked && left > LOCK_STEP => self.go_on()?,
                locked => return Ok(locked?),
            }
        }
    }

    /// An error where the user asked to stop.
    fn go_on(&self) -> Result<(), GivenUp> {
        if self.stop.requested() { Err(GivenUp::stopped()) } else { Ok(()) }
    }
}

/// The writer is dropped right after, which rolls back too; its error would hide the one that led here.
async fn abandon(writer: &mut dyn Writer) {
    let _ = writer.rollback().await;
}

/// A commit that was answered with an error did not happen; one that was not answered may have.
fn unanswered(error: EngineError) -> GivenUp {
    if error.passing || !matches!(error.kind, ErrorKind::Connect | ErrorKind::Timeout) {
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
