//! Comparing the tables of one replica: small ones several at once, each with its part of the memory, then the others one
//! after the other, each with all of it. Where both databases are files that are equal in all bytes, so are their tables.
//!
//! Invariant: what is found of a table does not depend on what else is compared beside it. What failed beside others and
//! might not have with more memory or time is compared again by itself.

use std::sync::Arc;

use futures_util::StreamExt;

use super::patience::answered;
use super::{PreparedTable, Run};
use crate::audit::{self, AuditOptions, TableFinding};
use crate::compare::ChangeList;
use crate::engine::{self, Snapshot};
use crate::event::Event;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, Handover, Status, TablePlan};
use crate::schema::{self, ColumnPair, Table, TablePair, UniqueKey};
use crate::sides::{Side, Sides};
use crate::spec::SchemaMode;
use crate::sql::Dialect;
use crate::value::Digest;

/// Tables of at most so many rows are not worth cutting: asking for them costs more than reading them.
const SMALL_ROWS_MAX: u64 = 10_000;

/// One replica's tables, about to be compared.
pub(super) struct Comparing<'a> {
    pub run: &'a Run,
    /// The replica's name.
    pub replica: &'a str,
    pub snapshots: &'a Sides<Arc<dyn Snapshot>>,
    pub dialects: Sides<&'a dyn Dialect>,
}

impl Comparing<'_> {
    /// Compares all tables; the answers are in their order.
    pub async fn all(&self, tables: Vec<PreparedTable>) -> Vec<TablePlan> {
        let same = match self.same_bytes().await {
            Ok(same) => same,
            Err(failure) => return tables.into_iter().map(|table| failed(table, &failure)).collect(),
        };
        let alone = self.run.audit_options();
        let Sides { primary, replica } = self.snapshots.as_ref().map(|snapshot| snapshot.readers());
        let at_once = alone.segments_max().min(primary).min(replica).max(1);
        let beside =
            AuditOptions { jobs: 1, memory_bytes: alone.memory_bytes / at_once as u64, ..alone.clone() };
        let mut plans: Vec<Option<TablePlan>> = tables.iter().map(|_| None).collect();
        let small = tables.iter().enumerate().filter(|(_, table)| is_small(table));
        let compared =
            small.map(async |(place, table)| (place, self.one(table.clone(), &beside, same).await));
        let mut compared = futures_util::stream::iter(compared).buffer_unordered(at_once);
        while let Some((place, plan)) = compared.next().await {
            plans[place] = Some(plan).filter(|plan| !may_be_for_want_of_room(plan));
        }
        drop(compared);
        for (plan, table) in plans.iter_mut().zip(tables) {
            if plan.is_none() {
                *plan = Some(self.one(table, &alone, same).await);
            }
        }
        plans.into_iter().flatten().collect()
    }

    /// The digest of both files, where they are equal in all bytes.
    async fn same_bytes(&self) -> Result<Option<Digest>, Failure> {
        let Sides { primary: Some(primary), replica: Some(replica) } =
            self.snapshots.as_ref().map(|snapshot| snapshot.file())
        else {
            return Ok(None);
        };
        let stop = self.run.stop.clone();
        let holding = engine::same_bytes(Sides::new(primary, replica), move || !stop.requested());
        answered(&self.run.stop, async { Ok(holding.await?) }).await
    }

    /// `same`: see [`Self::same_bytes`].
    async fn one(&self, table: PreparedTable, options: &AuditOptions, same: Option<Digest>) -> TablePlan {
        let mut plan = TablePlan::unknown(table.table.clone(), table.replica_table);
        let pairing = match table.pairing {
            Ok(pairing) => pairing,
            Err(problems) => return plan.failed_by(problems),
        };
        plan.schema_changes = pairing.schema_changes;
        plan.structure = table.structure;
        let pair = pairing.pair;
        let same = same.filter(|_| is_one_table(&pair, plan.structure.primary.as_ref()));
        if pair.replica_missing && pair.schema == SchemaMode::Check {
            // Reported, never created: there is nothing to compare rows with.
            plan.status = Status::Missing;
            plan.pair = Some(pair);
            return plan;
        }
        let stop = &self.run.stop;
        let auditing = async {
            match same {
                Some(digest) => self.settled(&pair, digest).await,
                None => self.audited(&pair, options).await,
            }
        };
        let plan = match answered(stop, auditing).await {
            Ok(finding) => with_finding(plan, pair, finding, self.dialects.replica),
            Err(failure) => {
                plan.pair = Some(pair);
                return plan.failed(failure);
            }
        };
        match self.refuse_collisions(&plan).await {
            Ok(handovers) => TablePlan { handovers, ..plan },
            Err(failure) => plan.failed(failure),
        }
    }

    async fn audited(&self, pair: &TablePair, options: &AuditOptions) -> Result<TableFinding, Failure> {
        let Run { observer, stop, .. } = self.run;
        audit::audit_table(pair, self.replica, self.snapshots.clone(), options, observer, stop).await
    }

    /// What is found of a table in files that are equal in all bytes.
    async fn settled(&self, pair: &TablePair, file: Digest) -> Result<TableFinding, Failure> {
        let (replica, table) = (self.replica.to_owned(), pair.table.clone());
        let observer = &self.run.observer;
        observer.observe(Event::TableStarted { replica: replica.clone(), table: table.clone() });
        let mut sql = self.dialects.primary.count_rows(&pair.names.primary);
        if let Some(scope) = pair.scope.as_ref().map(|scope| &scope.primary).filter(|scope| !scope.is_empty())
        {
            sql = format!("{sql} WHERE {scope}");
        }
        let counted = self.snapshots.primary.ask(sql).await.map_err(|error| error.on(Side::Primary))?;
        let rows = counted.into_iter().next().flatten().and_then(|count| count.parse().ok());
        let rows: u64 = rows.ok_or_else(|| Failure::new(ErrorKind::Internal, "a count was not a number"))?;
        observer.observe(Event::RowsRead { rows: 2 * rows });
        observer.observe(Event::TableFinished { replica, table, changes: 0, failed: false });
        let digest = Digest::of(&[file.bytes().as_slice(), pair.names.primary.name.as_bytes()].concat());
        Ok(TableFinding {
            rows: Sides::new(rows, rows),
            digest: Sides::new(digest, digest),
            ranges: Vec::new(),
            changes: ChangeList::default(),
            excused: 0,
            truncated: false,
        })
    }

    /// Two rows that the replica's unique keys would take for one are found before anything is written; what passes
    /// from one to another is given.
    async fn refuse_collisions(&self, plan: &TablePlan) -> Result<Vec<Handover>, Failure> {
        let Some(pair) = plan.pair.as_ref().filter(|_| plan.error.is_none()) else { return Ok(Vec::new()) };
        // A plan that is cut off does not know which rows leave, and is never applied.
        if plan.truncated || plan.summary.insert + plan.summary.update == 0 {
            return Ok(Vec::new());
        }
        let stop = &self.run.stop;
        let collisions = audit::Collisions {
            pair,
            structure: &schema::without(&plan.structure, &schema::going(&plan.schema_changes)),
            dialects: self.dialects,
            snapshot: self.snapshots.replica.as_ref(),
            spool: &self.run.spool,
            stop,
        };
        answered(stop, collisions.check(&plan.changes)).await?;
        answered(stop, collisions.handovers(&plan.changes)).await
    }
}

/// Whether the pair is a table and itself, where files are copies: nothing in it has another name, and no row could be an
/// error of its own, as one without a key.
fn is_one_table(pair: &TablePair, primary: Option<&Table>) -> bool {
    let same = |column: &ColumnPair| column.on_replica && column.sides.primary == column.sides.replica;
    let mut key: Vec<&str> = pair.columns[..pair.key_columns].iter().map(|column| column.name()).collect();
    key.sort_unstable();
    let is_key = |found: &UniqueKey| {
        let mut columns: Vec<&str> = found.columns.iter().map(String::as_str).collect();
        columns.sort_unstable();
        found.total && columns == key
    };
    pair.names.primary == pair.names.replica
        && !pair.replica_missing
        && pair.columns.iter().all(same)
        && pair.scope.as_ref().is_none_or(|scope| scope.primary == scope.replica)
        && (key.is_empty() || primary.is_some_and(|table| table.keys.iter().any(is_key)))
}

fn failed(table: PreparedTable, failure: &Failure) -> TablePlan {
    TablePlan::unknown(table.table, table.replica_table).failed(failure.clone())
}

/// Whether a table is known to be small on both sides. A wrong estimate costs time, nothing else.
fn is_small(table: &PreparedTable) -> bool {
    let Ok(pairing) = &table.pairing else { return true };
    let Sides { primary, replica } = pairing.pair.rows_estimate;
    let is_small = |rows: Option<u64>| rows.is_some_and(|rows| rows <= SMALL_ROWS_MAX);
    is_small(primary) && (pairing.pair.replica_missing || is_small(replica))
}

/// Whether a table might be compared with more memory, or more time of the server.
fn may_be_for_want_of_room(plan: &TablePlan) -> bool {
    let failed = |failure: &Failure| matches!(failure.kind, ErrorKind::Value | ErrorKind::Timeout);
    plan.error.as_ref().is_some_and(failed)
}

fn with_finding(
    mut plan: TablePlan,
    pair: TablePair,
    finding: TableFinding,
    dialect: &dyn Dialect,
) -> TablePlan {
    plan.rows = finding.rows;
    plan.digest = Some(finding.digest);
    plan.ranges = finding.ranges;
    plan.excused = finding.excused;
    plan.truncated = finding.truncated;
    plan.pair = Some(pair);
    let mut plan = match plan.clone().with_changes(finding.changes) {
        Ok(plan) => plan,
        Err(error) => return plan.failed(error.into()),
    };
    plan.status = plan.status_found();
    match plan::check_values(&plan, dialect) {
        Ok(()) => plan,
        Err(failure) => plan.failed(failure),
    }
}
