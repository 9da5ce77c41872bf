//! Comparing the tables of the replicas: each table of all replicas at once, so that the primary is read once for them;
//! small tables several at once, each with its part of the memory, then the others one after the other. Where both
//! databases are files that are equal in all bytes, so are their tables.
//!
//! Invariant: what is found of a table does not depend on what else is compared beside it. What failed beside others and
//! might not have with more memory or time is compared again by itself.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::join_all;

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
use crate::value::{Digest, DigestMethod};

/// Tables of at most so many rows are not worth cutting: asking for them costs more than reading them.
const SMALL_ROWS_MAX: u64 = 10_000;

/// So many small tables are read together at most.
const TOGETHER_MAX: usize = 64;
/// Where there are few of them, reading together must not keep connections idle: so many rounds for each at least.
const HANDFULS_MIN: usize = 4;

/// One replica's tables, about to be compared.
pub(super) struct Comparing<'a> {
    pub run: &'a Run,
    /// The replica's name.
    pub replica: &'a str,
    pub tables: Vec<PreparedTable>,
    pub snapshots: &'a Sides<Arc<dyn Snapshot>>,
    pub dialects: Sides<&'a dyn Dialect>,
}

/// Compares all tables of all replicas: for each replica the answers, in the order of its tables.
pub(super) async fn compare_all(run: &Run, replicas: &[Comparing<'_>]) -> Vec<Vec<TablePlan>> {
    let alone = run.audit_options();
    let mut plans = Vec::new();
    for replicas in replicas.chunks(alone.audits_max()) {
        let same = join_all(replicas.iter().map(Comparing::same_bytes)).await;
        let beside = Beside { replicas, same, alone: &alone };
        plans.extend(match alone.digest {
            DigestMethod::Blake3 => beside.all().await,
            // Where each replica differs is narrowed down by itself: there is no read to share.
            DigestMethod::Database => beside.rest(beside.no_plans()).await,
        });
    }
    plans
}

/// Replicas that are compared beside each other, table by table, so that what they want of the primary is read once.
struct Beside<'a> {
    replicas: &'a [Comparing<'a>],
    /// For each of them: see [`Comparing::same_bytes`].
    same: Vec<Result<Option<Digest>, Failure>>,
    alone: &'a AuditOptions,
}

impl Beside<'_> {
    async fn all(&self) -> Vec<Vec<TablePlan>> {
        let at_once = self.small_at_once();
        let beside = AuditOptions { jobs: 1, ..self.alone.beside(at_once) };
        let mut plans = self.no_plans();
        let mut keep = |place: usize, found: Vec<TablePlan>| {
            for (plans, plan) in plans.iter_mut().zip(found) {
                plans[place] = Some(plan).filter(|plan| !may_be_for_want_of_room(plan));
            }
        };
        let places = self.replicas.iter().map(|replica| replica.tables.len()).min().unwrap_or(0);
        let (small, large): (Vec<usize>, Vec<usize>) = (0..places).partition(|place| self.is_small(*place));
        let handful = (small.len() / (HANDFULS_MIN * at_once)).clamp(1, TOGETHER_MAX);
        let compared = small.chunks(handful).map(async |places| self.handful(places, &beside).await);
        let mut compared = futures_util::stream::iter(compared).buffer_unordered(at_once);
        while let Some(found) = compared.next().await {
            found.into_iter().for_each(|(place, found)| keep(place, found));
        }
        drop(compared);
        // Of one replica alone, these have all of the memory at once.
        for place in large.into_iter().filter(|_| self.replicas.len() > 1) {
            keep(place, self.at(place, self.alone, &self.nothing_ahead()).await);
        }
        self.rest(plans).await
    }

    /// Room for the answers of all tables of each replica.
    fn no_plans(&self) -> Vec<Vec<Option<TablePlan>>> {
        self.replicas.iter().map(|replica| replica.tables.iter().map(|_| None).collect()).collect()
    }

    /// Compares the tables that have no answer yet, one after the other.
    async fn rest(&self, plans: Vec<Vec<Option<TablePlan>>>) -> Vec<Vec<TablePlan>> {
        let mut whole = Vec::new();
        for ((replica, same), plans) in self.replicas.iter().zip(&self.same).zip(plans) {
            whole.push(replica.rest(plans, self.alone, same).await);
        }
        whole
    }

    /// How many small tables are compared at once: each reads every side by one connection.
    fn small_at_once(&self) -> usize {
        let readers = self.replicas.iter().map(|replica| {
            let Sides { primary, replica } = replica.snapshots.as_ref().map(|snapshot| snapshot.readers());
            primary.min(replica)
        });
        self.alone.segments_max().min(readers.min().unwrap_or(1)).max(1)
    }

    fn is_small(&self, place: usize) -> bool {
        self.replicas.iter().all(|replica| is_small(&replica.tables[place]))
    }

    /// The tables at these places, which are small, read together as far as the engines can.
    async fn handful(&self, places: &[usize], options: &AuditOptions) -> Vec<(usize, Vec<TablePlan>)> {
        let ahead = match places {
            [_] => None,
            _ => answered(&self.replicas[0].run.stop, async { Ok(self.read_ahead(places, options).await) })
                .await
                .ok(),
        };
        let mut ahead = ahead.unwrap_or_default().into_iter();
        let mut found = Vec::with_capacity(places.len());
        for place in places {
            let ahead = ahead.next().unwrap_or_else(|| self.nothing_ahead());
            found.push((*place, self.at(*place, options, &ahead).await));
        }
        found
    }

    fn nothing_ahead(&self) -> Vec<AheadOf> {
        self.replicas.iter().map(|_| AheadOf::default()).collect()
    }

    /// For each place and each replica, the sides of which the table was read ahead.
    async fn read_ahead(&self, places: &[usize], options: &AuditOptions) -> Vec<Vec<AheadOf>> {
        let options = options.beside(self.replicas.len());
        let mut ahead: Vec<Vec<AheadOf>> = places.iter().map(|_| self.nothing_ahead()).collect();
        let mut audited = Vec::new();
        for (row, place) in places.iter().enumerate() {
            for at in 0..self.replicas.len() {
                audited.extend(self.audited(at, *place).map(|pair| (row, at, pair)));
            }
        }
        let pairs = |of: Option<usize>| -> Vec<&TablePair> {
            let of = |at: usize| of.is_none_or(|of| of == at);
            audited.iter().filter(|(_, at, _)| of(*at)).map(|(.., pair)| *pair).collect()
        };
        let all = pairs(None);
        let primary = audit::read_ahead(&self.replicas[0].snapshots.primary, Side::Primary, &all, &options);
        let replicas = self.replicas.iter().enumerate().map(async |(at, replica)| {
            let pairs = pairs(Some(at));
            audit::read_ahead(&replica.snapshots.replica, Side::Replica, &pairs, &options).await
        });
        let (primary, replicas) = futures_util::future::join(primary, join_all(replicas)).await;
        for ((row, at, _), primary) in audited.iter().zip(primary) {
            ahead[*row][*at].primary = primary;
        }
        for (of, replica) in replicas.into_iter().enumerate() {
            let rows = audited.iter().filter(|(_, at, _)| *at == of);
            rows.zip(replica).for_each(|((row, at, _), replica)| ahead[*row][*at].replica = replica);
        }
        ahead
    }

    /// The pair at this place of a replica, where its rows are to be compared.
    fn audited(&self, replica: usize, place: usize) -> Option<&TablePair> {
        let pairing = self.replicas[replica].tables[place].pairing.as_ref().ok()?;
        (matches!(self.same[replica], Ok(None)) && is_audited(&pairing.pair)).then_some(&pairing.pair)
    }

    /// The table at this place of each replica.
    async fn at(&self, place: usize, options: &AuditOptions, ahead: &[AheadOf]) -> Vec<TablePlan> {
        let options = options.beside(self.replicas.len());
        let primaries = self.primaries(place, ahead);
        let each = self.replicas.iter().zip(&self.same).zip(primaries.into_iter().zip(ahead));
        let each = each.map(|((replica, same), (primary, ahead))| {
            let own = ahead.replica.as_ref().unwrap_or(&replica.snapshots.replica);
            let snapshots = Sides::new(primary, Arc::clone(own));
            replica.one(replica.tables[place].clone(), snapshots, &options, same)
        });
        join_all(each).await
    }

    /// The primary as each replica is to read it: as it was read ahead, or shared with others.
    fn primaries(&self, place: usize, ahead: &[AheadOf]) -> Vec<Arc<dyn Snapshot>> {
        let own = |(replica, ahead): (&Comparing<'_>, &AheadOf)| {
            Arc::clone(ahead.primary.as_ref().unwrap_or(&replica.snapshots.primary))
        };
        let mut primaries: Vec<Arc<dyn Snapshot>> = self.replicas.iter().zip(ahead).map(own).collect();
        let (mut readers, mut audits) = (Vec::new(), Vec::new());
        for (at, replica) in self.replicas.iter().enumerate().filter(|(at, _)| ahead[*at].primary.is_none()) {
            if let Some(pair) = self.audited(at, place) {
                readers.push(at);
                audits.push((pair, &replica.snapshots.replica));
            }
        }
        if let [first, _, ..] = readers.as_slice() {
            let shared = audit::shared_primaries(&self.replicas[*first].snapshots.primary, &audits);
            readers.into_iter().zip(shared).for_each(|(at, shared)| primaries[at] = shared);
        }
        primaries
    }
}

/// A table of one replica, on the sides that it was read of ahead.
type AheadOf = Sides<Option<Arc<dyn Snapshot>>>;

/// Whether rows are compared. A table that is only reported missing, and never created, has none to compare with.
fn is_audited(pair: &TablePair) -> bool {
    !(pair.replica_missing && pair.schema == SchemaMode::Check)
}

impl Comparing<'_> {
    /// Compares, one after the other and with all of the memory, the tables that have no answer yet.
    async fn rest(
        &self,
        plans: Vec<Option<TablePlan>>,
        options: &AuditOptions,
        same: &Result<Option<Digest>, Failure>,
    ) -> Vec<TablePlan> {
        let mut whole = Vec::with_capacity(plans.len());
        for (plan, table) in plans.into_iter().zip(&self.tables) {
            whole.push(match plan {
                Some(plan) => plan,
                None => self.one(table.clone(), self.snapshots.clone(), options, same).await,
            });
        }
        whole
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

    /// `snapshots`: what its rows are read from; `same`: see [`Self::same_bytes`].
    async fn one(
        &self,
        table: PreparedTable,
        snapshots: Sides<Arc<dyn Snapshot>>,
        options: &AuditOptions,
        same: &Result<Option<Digest>, Failure>,
    ) -> TablePlan {
        let same = match same {
            Ok(same) => *same,
            Err(failure) => return failed(table, failure),
        };
        let mut plan = TablePlan::unknown(table.table.clone(), table.replica_table);
        let pairing = match table.pairing {
            Ok(pairing) => pairing,
            Err(problems) => return plan.failed_by(problems),
        };
        plan.schema_changes = pairing.schema_changes;
        plan.structure = table.structure;
        let pair = pairing.pair;
        let same = same.filter(|_| is_one_table(&pair, plan.structure.primary.as_ref()));
        if !is_audited(&pair) {
            plan.status = Status::Missing;
            plan.pair = Some(pair);
            return plan;
        }
        let stop = &self.run.stop;
        let auditing = async {
            match same {
                Some(digest) => self.settled(&pair, digest).await,
                None => self.audited_or_digested(&pair, &plan.structure, snapshots, options).await,
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

    async fn audited(
        &self,
        pair: &TablePair,
        snapshots: Sides<Arc<dyn Snapshot>>,
        options: &AuditOptions,
    ) -> Result<TableFinding, Failure> {
        let Run { observer, stop, .. } = self.run;
        audit::audit_table(pair, self.replica, snapshots, options, observer, stop).await
    }

    /// As [`audited`](Self::audited), by digests that the databases make where that was asked for and can be.
    async fn audited_or_digested(
        &self,
        pair: &TablePair,
        structure: &Sides<Option<Table>>,
        snapshots: Sides<Arc<dyn Snapshot>>,
        options: &AuditOptions,
    ) -> Result<TableFinding, Failure> {
        let unsure = options.digest == DigestMethod::Database
            && [Side::Primary, Side::Replica]
                .into_iter()
                .any(|side| structure.get(side).as_ref().is_none_or(|table| !is_key(pair, side, table)));
        if !unsure {
            return self.audited(pair, snapshots, options).await;
        }
        let options = AuditOptions { digest: DigestMethod::Blake3, ..options.clone() };
        let found = self.audited(pair, snapshots, &options).await?;
        let why = match (pair.replica_missing, pair.is_keyless()) {
            (true, _) => "the replica has no such table yet",
            (false, true) => "it has no key",
            (false, false) => "nothing but the rows themselves tells that its key is unique on both sides",
        };
        Ok(TableFinding { not_digested: Some(why.to_owned()), ..found })
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
            method: DigestMethod::Blake3,
            not_digested: None,
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

/// Whether the server sees to it that no two rows of a side have one key.
fn is_key(pair: &TablePair, side: Side, table: &Table) -> bool {
    let key: Vec<&str> = pair.key().iter().map(|column| column.sides.get(side).name.as_str()).collect();
    let vouches = |columns: &[String]| columns.iter().all(|column| key.contains(&column.as_str()));
    table.keys.iter().any(|unique| (unique.total || unique.primary) && vouches(&unique.columns))
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
    plan.digest_method = finding.method;
    plan.not_digested = finding.not_digested;
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
