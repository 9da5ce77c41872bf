//! The conductor: connects, pairs, audits, plans, applies and checks, one short function per step.
//!
//! One failing table or replica does not stop the others: its failure becomes part of the plan. Only what makes
//! looking at anything impossible (the spec, the primary) ends a run.

pub mod adopt;
mod beyond;
mod blocked;
mod check;
mod connect;
mod declared;
mod dependents;
mod evidence;
mod extra;
mod foresee;
mod look;
mod online;
mod patience;
mod renames;
mod sequences;
mod spares;
mod tables;
mod triggers;
mod wanted;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::apply::{self, ApplyOptions, Ledger, Unkept};
use crate::audit::{self, AuditOptions};
use crate::engine::{Primary, Replica, Snapshot};
use crate::event::{Event, Observer, Stop};
use crate::failure::{ErrorKind, Failure};
use crate::plan::{
    self, Applied, Outcome, Plan, PlanKind, ReplicaPlan, SchemaAction, SchemaChange, TablePlan,
};
use crate::schema::{self, Catalog, Counterparts, Databases, Pairing, SelectedTables};
use crate::sides::Sides;
use crate::spec::{Limit, SchemaMode, Spec, SpecErrors, TablePattern};
use crate::spool::Spool;
use crate::sql::Dialect;
use crate::value::DigestMethod;
use crate::verify::{self, Against};

pub use check::{Checked, CheckedReplica, CheckedTable, Problem, Warning, check};
pub use look::{Seen, look_at};

use connect::{
    Connected, connect_primary, connect_replica, no_snapshot, refuse_hidden_table, refuse_same_database,
    unread_catalog,
};
use extra::Extras;
use patience::answered;
use renames::Renames;
use sequences::Sequences;
use wanted::{check_choices, select_wanted, wanted_replicas};

/// What a run looks at, and how hard it works.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only these replicas; empty means all.
    pub replicas: Vec<String>,
    /// Only tables that match one of these; empty means all.
    pub tables: Vec<TablePattern>,
    /// Stop looking at a table after so many differing rows.
    pub max_diffs: Option<u64>,
    /// Segments of a table that are compared at once.
    pub jobs: Option<usize>,
    /// Rows of a range.
    pub chunk_rows: Option<usize>,
    /// Ceiling for blocks in flight, in bytes.
    pub memory_bytes: u64,
    /// Who is to make the digests by which rows are compared.
    pub digest: DigestMethod,
    /// Overrides `limits.deletes`.
    pub max_deletes: Option<Limit>,
    /// Overrides `limits.changes`.
    pub max_changes: Option<Limit>,
    /// The hazards that are allowed beside those that the spec allows, by name.
    pub allowed: Vec<String>,
    /// What it is for.
    pub aim: Aim,
    /// The start of the run: what `now()` means in a `where`.
    pub now: jiff::Timestamp,
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// To say what differs. Whether it can be written is not asked.
    Look,
    /// To say how the replicas are written.
    Plan,
    /// To write the replicas.
    Write,
}

/// All replicas and tables, the usual effort, for looking only; the run starts now.
impl Default for Options {
    fn default() -> Self {
        Options {
            replicas: Vec::new(),
            tables: Vec::new(),
            max_diffs: None,
            jobs: None,
            chunk_rows: None,
            memory_bytes: audit::MEMORY_BYTES_DEFAULT,
            digest: DigestMethod::default(),
            max_deletes: None,
            max_changes: None,
            allowed: Vec::new(),
            aim: Aim::Look,
            now: jiff::Timestamp::now(),
        }
    }
}

/// Why nothing could be looked at.
#[derive(Clone, Debug)]
pub enum RunError {
    /// The spec is wrong.
    Spec(SpecErrors),
    /// Something else, often the connection to the primary.
    Failure(Failure),
    /// An option names a replica or a table that is not there.
    Option {
        /// Which, and what is missing.
        message: String,
        /// What there is.
        hint: Option<String>,
    },
}

impl From<Failure> for RunError {
    fn from(failure: Failure) -> Self {
        RunError::Failure(failure)
    }
}

/// A spec with its databases connected.
pub struct Run {
    spec: Spec,
    options: Options,
    observer: Arc<dyn Observer>,
    stop: Stop,
    spool: Spool,
    /// Not there for a plan that needs none.
    primary: Option<Primary>,
    replicas: Vec<Connected>,
}

impl Run {
    /// Connects to the primary and to the replicas that are asked for. A replica that cannot be reached is a
    /// failure of its own and ends nothing.
    pub async fn connect(
        spec: &Spec,
        options: Options,
        observer: Arc<dyn Observer>,
        stop: Stop,
    ) -> Result<Run, RunError> {
        wanted_replicas(spec, &options.replicas)?;
        let primary = answered(&stop, connect_primary(spec)).await?;
        Run::with(spec, Some(primary), options, observer, stop).await
    }

    /// Connects to the replicas alone: an undo plan has nothing to do with the primary.
    ///
    /// # Errors
    /// Where a replica that is asked for is not in the spec.
    pub async fn connect_replicas(
        spec: &Spec,
        options: Options,
        observer: Arc<dyn Observer>,
        stop: Stop,
    ) -> Result<Run, RunError> {
        Run::with(spec, None, options, observer, stop).await
    }

    async fn with(
        spec: &Spec,
        primary: Option<Primary>,
        options: Options,
        observer: Arc<dyn Observer>,
        stop: Stop,
    ) -> Result<Run, RunError> {
        let mut replicas = Vec::new();
        for replica in wanted_replicas(spec, &options.replicas)? {
            let connecting = async { Ok(connect_replica(spec, replica, options.aim == Aim::Write).await) };
            let never = |failure| Connected { name: replica.name.value.clone(), replica: Err(failure) };
            replicas.push(answered(&stop, connecting).await.unwrap_or_else(never));
        }
        refuse_same_database(spec, primary.as_ref(), &mut replicas);
        let spool = audit::spool(options.memory_bytes);
        let mut options = options;
        options.allowed.extend(spec.allow.iter().cloned());
        Ok(Run { spec: spec.clone(), options, observer, stop, spool, primary, replicas })
    }

    fn primary(&self) -> Result<&Primary, Failure> {
        let missing = || Failure::new(ErrorKind::Internal, "the primary was not connected");
        self.primary.as_ref().ok_or_else(missing)
    }

    /// The spec.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Compares every table of every replica. Where the primary is connected and cannot be looked at, that is the
    /// error of every replica.
    ///
    /// # Errors
    /// Where the spec or an option names what is not there.
    pub async fn compare(&self) -> Result<Plan, RunError> {
        let primary = self.primary()?;
        let catalog = match self.primary_catalog(primary).await {
            Ok(catalog) => catalog,
            Err(failure) => return Ok(self.plan_without_primary(primary, failure)),
        };
        let settling =
            declared::settled(&self.spec, &self.options, (primary, &catalog), &self.replicas, &self.stop);
        let (live, catalog) = match settling.await {
            Ok(settled) => (catalog, settled),
            Err(failure) => return Ok(self.plan_without_primary(primary, failure)),
        };
        let selected = self.selected(&catalog)?;
        let beginning =
            async { primary.snapshot().await.map_err(|error| no_snapshot(&self.spec, None, error)) };
        let snapshot = match answered(&self.stop, beginning).await {
            Ok(snapshot) => snapshot,
            Err(failure) => return Ok(self.plan_without_primary(primary, failure)),
        };
        let mut prepared = Vec::new();
        for connected in &self.replicas {
            prepared.push(
                self.prepare(connected, primary, Structure { catalog: &catalog, live: &live }, &selected)
                    .await,
            );
        }
        // What could not be read may have a table that is meant.
        if prepared.iter().all(|prepared| prepared.error.is_none()) {
            let extra = prepared.iter().flat_map(|prepared| prepared.extra.on_primary.clone());
            check_choices(&self.spec, &self.options, &catalog, &extra.collect::<Vec<_>>())?;
        }
        self.announce(&prepared);
        let replicas = self.compare_replicas(prepared, &snapshot, primary.dialect()).await;
        Ok(self.plan(primary, snapshot.method(), replicas))
    }

    fn plan(&self, primary: &Primary, primary_snapshot: String, replicas: Vec<ReplicaPlan>) -> Plan {
        Plan {
            kind: PlanKind::Changes,
            spec_path: self.spec.path.clone(),
            spec_fingerprint: adopt::fingerprint(&self.spec),
            batch_rows: self.spec.batch_rows,
            created_at: self.options.now,
            primary: primary.server().clone(),
            primary_snapshot,
            primary_error: None,
            replicas,
        }
    }

    /// What is shown where the primary was connected and cannot be looked at.
    fn plan_without_primary(&self, primary: &Primary, failure: Failure) -> Plan {
        let replicas = self.all_in_error(&failure);
        // To be told to stop is no fault of the primary's.
        let primary_error = Some(failure).filter(|failure| failure.kind != ErrorKind::Interrupted);
        Plan { primary_error, ..self.plan(primary, String::new(), replicas) }
    }

    async fn primary_catalog(&self, primary: &Primary) -> Result<Catalog, Failure> {
        let schemas = schema::primary_schemas(&self.spec);
        let reading = async {
            primary.catalog(&schemas).await.map_err(|error| unread_catalog(&self.spec, None, error))
        };
        answered(&self.stop, reading).await
    }

    async fn replica_catalog(&self, name: &str, replica: &Replica) -> Result<Catalog, Failure> {
        let schemas = schema::replica_schemas(&self.spec);
        let reading = async {
            replica.catalog(&schemas).await.map_err(|error| unread_catalog(&self.spec, Some(name), error))
        };
        answered(&self.stop, reading).await
    }

    /// What is shown of the replicas where nothing can be held against them; their own errors come first.
    fn all_in_error(&self, failure: &Failure) -> Vec<ReplicaPlan> {
        let in_error = |connected: &Connected| ReplicaPlan {
            error: Some(connected.replica.as_ref().err().unwrap_or(failure).clone()),
            ..self.replica_plan(connected)
        };
        self.replicas.iter().map(in_error).collect()
    }

    /// A replica of which nothing is known yet.
    fn replica_plan(&self, connected: &Connected) -> ReplicaPlan {
        ReplicaPlan {
            name: connected.name.clone(),
            server: connected.replica.as_ref().ok().map(|replica| replica.server().clone()),
            snapshot: String::new(),
            search_path: search_path(&self.spec, &connected.name),
            tables: Vec::new(),
            renamings: Vec::new(),
            refusals: Vec::new(),
            notes: Vec::new(),
            error: None,
            stale: None,
        }
    }

    /// Applies a plan that [`compare`](Self::compare) made, or the inverse of one: one result for each of its replicas, in order.
    pub async fn apply(&self, plan: &Plan, options: &ApplyOptions) -> Vec<Applied> {
        self.apply_kept(plan, options, &Unkept).await
    }

    /// As [`apply`](Self::apply), of a plan whose progress is kept.
    pub async fn apply_kept(&self, plan: &Plan, options: &ApplyOptions, ledger: &dyn Ledger) -> Vec<Applied> {
        let mut results = Vec::new();
        for replica_plan in &plan.replicas {
            results.push(self.apply_one(plan.kind, replica_plan, options, ledger).await);
        }
        results
    }

    async fn apply_one(
        &self,
        kind: PlanKind,
        plan: &ReplicaPlan,
        options: &ApplyOptions,
        ledger: &dyn Ledger,
    ) -> Applied {
        let connected = self.replicas.iter().find(|connected| connected.name == plan.name);
        let replica = match connected.map(|connected| &connected.replica) {
            Some(Ok(replica)) => replica,
            Some(Err(failure)) => return Applied::nothing(Outcome::Error, Some(failure.clone())),
            None => {
                let failure = Failure::new(ErrorKind::Missing, format!("no replica named {}", plan.name));
                return Applied::nothing(Outcome::Error, Some(failure));
            }
        };
        let side = self.spec.replica(&plan.name).map(|replica| &replica.side);
        let lock_limited = side.is_some_and(|side| side.lock_timeout.is_some());
        let limited = ApplyOptions { lock_limited, ..options.clone() };
        let before = match (options.verify, kind) {
            (true, PlanKind::Changes) => verify::beside(replica, &plan.before_renaming(), &self.stop).await,
            _ => Ok(verify::Beside::default()),
        };
        let before = match before {
            Ok(before) => before,
            Err(failure) => {
                let outcome = match failure.kind {
                    ErrorKind::Interrupted => Outcome::Interrupted,
                    _ => Outcome::Error,
                };
                return Applied::nothing(outcome, Some(failure));
            }
        };
        let applied = apply::apply_replica(replica, plan, &limited, ledger, &self.observer, &self.stop).await;
        if !options.verify {
            return applied;
        }
        let effort = self.audit_options();
        let against = match (kind, self.primary()) {
            (PlanKind::Undo, _) => Against::Plan,
            (PlanKind::Changes, Ok(primary)) => Against::Primary(primary, &before),
            (PlanKind::Changes, Err(failure)) => {
                return Applied { outcome: Outcome::Error, error: Some(failure), ..applied };
            }
        };
        verify::check(against, replica, plan, applied, &effort, &self.observer, &self.stop).await
    }

    fn selected<'a>(&'a self, catalog: &'a Catalog) -> Result<SelectedTables<'a>, RunError> {
        select_wanted(&self.spec, &self.options, catalog)
    }

    async fn prepare<'a>(
        &'a self,
        connected: &'a Connected,
        server: &Primary,
        Structure { catalog: primary, live }: Structure<'_>,
        selected: &SelectedTables<'_>,
    ) -> Prepared<'a> {
        let mut prepared = Prepared {
            connected,
            tables: Vec::new(),
            extra: Extras::default(),
            renames: Renames::default(),
            error: None,
        };
        let replica = match &connected.replica {
            Ok(replica) => replica,
            Err(failure) => {
                prepared.error = Some(failure.clone());
                return prepared;
            }
        };
        let catalog = match self.replica_catalog(&connected.name, replica).await {
            Ok(catalog) => catalog,
            Err(failure) => {
                prepared.error = Some(failure);
                return prepared;
            }
        };
        let all = schema::all_tables(&self.spec, primary);
        let databases = Databases {
            dialects: Sides::new(server.dialect() as &dyn Dialect, replica.dialect() as &dyn Dialect),
            replica: &catalog,
            primary_default: primary.default_schema.as_deref(),
            primary_enums: &primary.enums,
            primary_extensions: &primary.extensions,
            now: self.options.now,
            selected: &all,
            chosen: selected,
            allowed: &self.options.allowed,
        };
        let servers = Sides::new(server.server(), replica.server());
        let mut counterparts = Counterparts::new(
            servers.map(|server| server.instance.as_deref()),
            Sides::new(primary, &catalog),
        );
        prepared.renames = match answered(&self.stop, renames::find(&self.spec, replica, &databases)).await {
            Ok(renames) => renames,
            Err(failure) => {
                prepared.error = Some(failure);
                return prepared;
            }
        };
        let named = prepared.renames.catalog.as_ref().unwrap_or(&catalog);
        let databases = Databases { replica: named, ..databases };
        let mut made: BTreeSet<String> = BTreeSet::new();
        for selected in selected {
            let pairing = match prepared.renames.failure(&selected.name) {
                Some(failure) => Err(vec![failure]),
                None => schema::pair_or_problems(&self.spec, selected, &databases).and_then(|pairing| {
                    counterparts.take(&self.spec, pairing).map_err(|failure| vec![failure])
                }),
            };
            let pairing = match pairing {
                Ok(pairing) => {
                    let pairing = declared::read_where_it_is(&self.spec, pairing, live);
                    let pairing = prepared.renames.settle(pairing, &catalog, replica.dialect());
                    let settling = async {
                        let pairing = self.create_missing_schema(replica, &catalog, pairing, &made).await?;
                        let pairing = refuse_hidden_table(replica, pairing).await?;
                        triggers::refuse_firing(&self.spec, replica, pairing).await
                    };
                    answered(&self.stop, settling).await.map_err(|failure| vec![failure])
                }
                Err(problems) => Err(problems),
            };
            if let Ok(pairing) = &pairing {
                let schemas = pairing.schema_changes.iter();
                let schemas = schemas.filter(|change| change.action == SchemaAction::CreateSchema);
                made.extend(schemas.filter(|change| !change.withheld).map(|change| change.object.clone()));
            }
            let structure = match &pairing {
                Ok(Pairing { pair, .. }) => Sides::new(
                    live.table(&pair.names.primary).cloned(),
                    catalog.table(&pair.names.replica).cloned(),
                ),
                Err(_) => Sides::default(),
            };
            prepared.tables.push(PreparedTable {
                table: selected.name.clone(),
                replica_table: schema::replica_table_name(selected),
                structure,
                pairing,
            });
        }
        let finding = extra::find(&self.spec, &self.options, (server, primary), (replica, &databases));
        let bare = live.tables.is_empty();
        let finding = async { Ok(finding.await?.beside(bare)) };
        match answered(&self.stop, finding).await {
            Ok(found) => prepared.extra = found,
            Err(failure) => prepared.error = Some(failure),
        }
        prepared
    }

    /// A schema of the primary's that the replica lacks is created with the first table that goes there (`made`: those that
    /// are), where the engine has schemas that are no databases. One that only `to` names may be a slip.
    async fn create_missing_schema(
        &self,
        replica: &Replica,
        catalog: &Catalog,
        mut pairing: Pairing,
        made: &BTreeSet<String>,
    ) -> Result<Pairing, Failure> {
        let pair = &pairing.pair;
        let schema = pair.names.replica.schema.as_ref().filter(|_| pair.replica_missing);
        let Some(schema) = schema.filter(|schema| catalog.default_schema.as_ref() != Some(*schema)) else {
            return Ok(pairing);
        };
        if replica.server().missing || made.contains(schema) || replica.has_schema(schema).await? {
            return Ok(pairing);
        }
        let withheld = pair.schema == SchemaMode::Check;
        let change = SchemaChange::of_schema(replica.dialect(), schema, withheld);
        if let Some(change) = change.filter(|_| pair.names.primary.schema.as_ref() == Some(schema)) {
            pairing.schema_changes.insert(0, change);
            return Ok(pairing);
        }
        let what = format!(
            "the replica has no schema {schema} for the table {}, or its user may not look into it",
            pair.names.replica
        );
        Err(Failure::new(ErrorKind::Missing, self.spec.error_at(pair.place, what).headline())
            .hint("create the schema on the replica, or name another table with `to`"))
    }

    fn announce(&self, prepared: &[Prepared<'_>]) {
        let pairs = || prepared.iter().flat_map(|replica| &replica.tables);
        let estimate = |table: &PreparedTable| match &table.pairing {
            Ok(pairing) => {
                let Sides { primary, replica } = pairing.pair.rows_estimate;
                Some(primary? + replica?)
            }
            Err(_) => Some(0),
        };
        self.observer.observe(Event::CompareStarted {
            tables: pairs().count(),
            rows_estimate: pairs().map(estimate).sum(),
        });
    }

    /// Compares all replicas beside each other, and completes their plans one by one.
    async fn compare_replicas(
        &self,
        prepared: Vec<Prepared<'_>>,
        primary: &Arc<dyn Snapshot>,
        dialect: &'static dyn Dialect,
    ) -> Vec<ReplicaPlan> {
        let mut begun = Vec::new();
        for prepared in prepared {
            begun.push(self.begin(prepared, primary, dialect).await);
        }
        let reading = begun.iter_mut().filter_map(|begun| {
            let tables = std::mem::take(&mut begun.prepared.tables);
            let Read { snapshots, dialects } = begun.read.as_ref()?;
            let dialects = dialects.map(|dialect| dialect as &dyn Dialect);
            Some(tables::Comparing { run: self, replica: &begun.plan.name, tables, snapshots, dialects })
        });
        let reading: Vec<_> = reading.collect();
        let mut compared = tables::compare_all(self, &reading).await.into_iter();
        drop(reading);
        let mut plans = Vec::new();
        for begun in begun {
            let tables = if begun.read.is_some() { compared.next() } else { None };
            plans.push(self.completed(begun, tables.unwrap_or_default()).await);
        }
        plans
    }

    /// Begins the moment of a replica.
    async fn begin<'a>(
        &self,
        prepared: Prepared<'a>,
        primary: &Arc<dyn Snapshot>,
        dialect: &'static dyn Dialect,
    ) -> Begun<'a> {
        let mut plan = ReplicaPlan { error: prepared.error.clone(), ..self.replica_plan(prepared.connected) };
        let Ok(replica) = &prepared.connected.replica else { return Begun { prepared, plan, read: None } };
        let undigested = self.refuse_undigested(dialect, replica.dialect());
        plan.error = plan.error.or(undigested.err());
        if plan.error.is_some() {
            return Begun { prepared, plan, read: None };
        }
        let beginning = async {
            replica.snapshot().await.map_err(|error| no_snapshot(&self.spec, Some(&plan.name), error))
        };
        let snapshot = match answered(&self.stop, beginning).await {
            Ok(snapshot) => snapshot,
            Err(failure) => {
                plan.error = Some(failure);
                return Begun { prepared, plan, read: None };
            }
        };
        plan.snapshot = snapshot.method();
        for table in &prepared.tables {
            let notes = table.pairing.iter().flat_map(|pairing| &pairing.notes);
            plan.notes.extend(notes.map(|note| format!("table {}: {note}", table.table)));
        }
        let snapshots = Sides::new(Arc::clone(primary), snapshot);
        let dialects = Sides::new(dialect, replica.dialect());
        Begun { prepared, plan, read: Some(Read { snapshots, dialects }) }
    }

    /// An error where the databases are to make digests and have none in common, whatever their tables are.
    fn refuse_undigested(&self, primary: &dyn Dialect, replica: &dyn Dialect) -> Result<(), Failure> {
        let make = primary.makes_digests() && replica.makes_digests();
        if make || self.options.digest != DigestMethod::Database {
            return Ok(());
        }
        let engines = format!("{} and {}", primary.engine(), replica.engine());
        let message = format!(
            "{engines} make no digests that could be held against each other; PostgreSQL, MySQL and MariaDB do"
        );
        Err(Failure::new(ErrorKind::Type, message).hint("compare with --digest blake3, or leave it at auto"))
    }

    /// The plan of a replica whose tables have been compared.
    async fn completed(&self, begun: Begun<'_>, tables: Vec<TablePlan>) -> ReplicaPlan {
        let Begun { prepared, mut plan, read } = begun;
        let (Some(Read { snapshots, dialects }), Ok(replica)) = (read, &prepared.connected.replica) else {
            return plan;
        };
        let dialects = dialects.map(|dialect| dialect as &dyn Dialect);
        plan.tables = tables;
        let not_digested = |table: &TablePlan| {
            let why = table.not_digested.as_ref()?;
            Some(format!("table {}: its rows were read, not digested by the databases: {why}", table.table))
        };
        plan.notes.extend(plan.tables.iter().filter_map(not_digested));
        plan.tables.extend(prepared.extra.tables);
        // Where tables were interrupted they say so themselves.
        if !self.stop.requested() {
            let sequences =
                Sequences { spec: &self.spec, snapshots: &snapshots, dialects, renames: &prepared.renames };
            let reading = async {
                sequences.add_steps(&mut plan).await;
                Ok(())
            };
            if let Err(failure) = answered(&self.stop, reading).await {
                plan.error = Some(failure);
                return plan;
            }
        }
        if !self.stop.requested() {
            let counting = async {
                let (snapshot, renames) = (snapshots.replica.as_ref(), &prepared.renames);
                evidence::count(&mut plan, snapshot, dialects.replica, renames).await;
                if self.options.aim != Aim::Look {
                    beyond::refuse(&mut plan, snapshot, dialects.replica, renames).await;
                }
                Ok(())
            };
            if let Err(failure) = answered(&self.stop, counting).await {
                plan.error = Some(failure);
                return plan;
            }
        }
        // Its connection may be the only one that the side is allowed.
        drop(snapshots);
        if self.options.aim != Aim::Look
            && !self.stop.requested()
            && let Err(failure) = answered(&self.stop, blocked::settle(&self.spec, replica, &mut plan)).await
        {
            plan.error = Some(failure);
            return plan;
        }
        if let Err(failure) = answered(&self.stop, dependents::add(replica, &mut plan)).await {
            // A table that was not compared to its end says so already.
            if failure.kind != ErrorKind::Interrupted || !plan.has_failed_tables() {
                plan.error = Some(failure);
            }
        }
        rehearse(&mut plan, replica, self.options.aim).await;
        if self.options.aim != Aim::Look {
            if let Err(failure) = answered(&self.stop, extra::refuse_pointed_at(replica, &mut plan)).await {
                // A table that was not compared to its end says so already.
                if failure.kind != ErrorKind::Interrupted || !plan.has_failed_tables() {
                    plan.error = Some(failure);
                }
                return plan;
            }
            foresee::foresee(&mut plan, replica, &self.stop).await;
        }
        prepared.renames.make(&mut plan);
        if self.options.aim != Aim::Look {
            online::cut(&self.spec, &mut plan, dialects.replica);
        }
        plan.refusals = plan::refusals(&plan, PlanKind::Changes, &self.spec.limits, &self.limit_overrides());
        plan
    }

    fn limit_overrides(&self) -> plan::LimitOverrides {
        plan::LimitOverrides {
            deletes: self.options.max_deletes,
            changes: self.options.max_changes,
            allowed: self.options.allowed.clone(),
        }
    }

    fn audit_options(&self) -> AuditOptions {
        let default = AuditOptions::default();
        AuditOptions {
            jobs: self.options.jobs.unwrap_or(default.jobs),
            chunk_rows: self.options.chunk_rows.unwrap_or(default.chunk_rows),
            memory_bytes: self.options.memory_bytes,
            changes_max: self.options.max_diffs,
            spool: self.spool.clone(),
            digest: self.options.digest,
        }
    }
}

/// What the primary's tables are.
#[derive(Clone, Copy)]
struct Structure<'a> {
    /// What the replicas are to have.
    catalog: &'a Catalog,
    /// What the primary has.
    live: &'a Catalog,
}

struct Prepared<'a> {
    connected: &'a Connected,
    tables: Vec<PreparedTable>,
    extra: Extras,
    renames: Renames,
    error: Option<Failure>,
}

/// A replica whose moment has begun, unless there is an error in its plan.
struct Begun<'a> {
    prepared: Prepared<'a>,
    plan: ReplicaPlan,
    read: Option<Read>,
}

/// What a replica is read by.
struct Read {
    snapshots: Sides<Arc<dyn Snapshot>>,
    dialects: Sides<&'static dyn Dialect>,
}

#[derive(Clone)]
struct PreparedTable {
    table: String,
    replica_table: String,
    /// The table on each side, where there is one.
    structure: Sides<Option<schema::Table>>,
    pairing: Result<Pairing, Vec<Failure>>,
}

/// Structural changes that would fail, or break what else the replica has, are errors of their tables.
async fn rehearse(plan: &mut ReplicaPlan, replica: &Replica, aim: Aim) {
    for table in &mut plan.tables {
        let changes = table.schema_changes.iter();
        let written = changes.filter(|change| !change.withheld && change.action != SchemaAction::SetSequence);
        let (renames, statements) = plan::renames_and_others(written);
        let only_looked_at = table.status == plan::Status::Extra && aim == Aim::Look;
        if renames.len() + statements.len() == 0 || table.error.is_some() || only_looked_at {
            continue;
        }
        if let Err(error) = replica.rehearse(&renames, &statements).await {
            table.fail(Failure::from(error));
        }
    }
}

fn search_path(spec: &Spec, replica: &str) -> Vec<String> {
    let side = spec.replica(replica).map(|replica| &replica.side);
    side.into_iter().flat_map(|side| &side.search_path).map(|schema| schema.value.clone()).collect()
}
