//! The conductor of `trueup check`: everything that can be told before rows are compared, on all sides at once.
//!
//! Nothing is written and, but for keys that no unique key vouches for, no row is read. One failing side, table or
//! column hides no other: what is wrong is collected, each thing once. Invariant: what is a problem here keeps a
//! plan or verify from telling; what would only keep apply from writing is a warning.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::audit;
use crate::engine::{Lack, Need, Primary, Replica, Right, Snapshot};
use crate::event::Stop;
use crate::failure::{ErrorKind, Failure};
use crate::plan;
use crate::schema::{
    self, Catalog, Counterparts, Databases, Pairing, Selected, SelectedTables, Table, TablePair,
};
use crate::server::Server;
use crate::sides::{Side, Sides};
use crate::spec::{Located, SchemaMode, Spec};
use crate::sql::{Dialect, Select, SelectColumn, Selection, TableName};

use super::connect::{
    Connected, connect_primary, connect_replica, refuse_hidden_table, refuse_same_database, unread_catalog,
};
use super::wanted::{check_choices, select_wanted, wanted_replicas};
use super::{Aim, Options, RunError, Structure};
use super::{declared, extra, renames, sequences, triggers};

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// The primary, if it was reached.
    pub primary: Option<Server>,
    /// The replicas that were asked for, in the spec's order.
    pub replicas: Vec<CheckedReplica>,
    /// What keeps rows from being compared, each thing once. Empty: all is well.
    pub problems: Vec<Problem>,
}

/// Something that keeps rows from being compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The replicas it was met with; empty when it is the primary's.
    pub replicas: Vec<String>,
    /// The table, by its name in output.
    pub table: Option<String>,
    /// What is wrong.
    pub failure: Failure,
}

/// Something that would keep apply from writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What.
    pub message: String,
    /// What to do about it.
    pub hints: Vec<String>,
}

/// What was found of one replica.
#[derive(Clone, Debug)]
pub struct CheckedReplica {
    /// Its name in the spec.
    pub name: String,
    /// The server, if it was reached.
    pub server: Option<Server>,
    /// The tables that pair.
    pub tables: Vec<CheckedTable>,
    /// The tables that only it has, and that apply drops.
    pub extra: Vec<String>,
    /// What would keep apply from writing.
    pub warnings: Vec<Warning>,
}

/// A table pair that can be compared.
#[derive(Clone, Debug)]
pub struct CheckedTable {
    /// The pair.
    pub pair: TablePair,
    /// What is worth knowing: `missing on the replica: apply creates it`.
    pub notes: Vec<String>,
}

/// Checks the spec's sides, tables and columns, and the rights on them.
///
/// # Errors
/// Only what is no finding: a `--replica` or `--table` that matches nothing, or a request to stop.
pub async fn check(spec: &Spec, options: &Options, stop: &Stop) -> Result<Checked, RunError> {
    let wanted = wanted_replicas(spec, &options.replicas)?;
    let connecting = wanted.iter().map(|replica| connect_replica(spec, replica, false));
    let (primary, mut connected) = tokio::join!(connect_primary(spec), join_all(connecting));
    refuse_same_database(spec, primary.as_ref().ok(), &mut connected);
    let mut check = Check { spec, options, stop, found: Checked::default() };
    for replica in &connected {
        let server = replica.replica.as_ref().ok().map(|replica| replica.server().clone());
        let name = replica.name.clone();
        let (tables, extra, warnings) = (Vec::new(), Vec::new(), Vec::new());
        check.found.replicas.push(CheckedReplica { name, server, tables, extra, warnings });
    }
    match primary {
        Ok(primary) => check.tables(&primary, &connected).await?,
        Err(failure) => {
            check.problem(None, None, failure);
            check.unreached(&connected);
        }
    }
    Ok(check.found)
}

struct Check<'a> {
    spec: &'a Spec,
    options: &'a Options,
    stop: &'a Stop,
    found: Checked,
}

impl Check<'_> {
    /// Adds a problem; met again with another replica it stays one.
    fn problem(&mut self, replica: Option<&str>, table: Option<&str>, failure: Failure) {
        let table = table.map(str::to_owned);
        let same = |known: &&mut Problem| known.failure == failure && known.table == table;
        match self.found.problems.iter_mut().find(same) {
            // What the primary alone is to blame for needs no replica's name.
            Some(known) if known.replicas.is_empty() => {}
            Some(known) => {
                // Both sides of one pair may have the same to say.
                let new = replica.filter(|name| !known.replicas.iter().any(|known| known == name));
                known.replicas.extend(new.map(str::to_owned));
            }
            None => {
                let replicas = replica.into_iter().map(str::to_owned).collect();
                self.found.problems.push(Problem { replicas, table, failure });
            }
        }
    }

    fn unreached(&mut self, connected: &[Connected]) {
        for failure in connected.iter().filter_map(|connected| connected.replica.as_ref().err()) {
            // Its words name the replica.
            self.problem(None, None, failure.clone());
        }
    }

    async fn tables(&mut self, primary: &Primary, connected: &[Connected]) -> Result<(), RunError> {
        self.found.primary = Some(primary.server().clone());
        self.unreached(connected);
        let catalog = match primary.catalog(&schema::primary_schemas(self.spec)).await {
            Ok(catalog) => catalog,
            Err(error) => {
                self.problem(None, None, unread_catalog(self.spec, None, error));
                return Ok(());
            }
        };
        let settling = declared::settled(self.spec, self.options, (primary, &catalog), connected, self.stop);
        let (live, catalog) = match settling.await {
            Ok(settled) => (catalog, settled),
            Err(failure) if failure.kind == ErrorKind::Interrupted => return Err(failure.into()),
            Err(failure) => {
                self.problem(None, None, failure);
                return Ok(());
            }
        };
        let selected = select_wanted(self.spec, self.options, &catalog)?;
        for selected in &selected {
            for failure in schema::primary_problems(self.spec, selected) {
                self.problem(None, Some(&selected.name), failure);
            }
        }
        if connected.iter().all(|connected| connected.replica.is_err()) {
            self.primary_alone(primary, &selected).await;
        }
        let mut extra = Some(Vec::new());
        for (index, connected) in connected.iter().enumerate() {
            let found = match &connected.replica {
                Ok(replica) => {
                    let sides = Connection { name: &connected.name, index, primary, replica };
                    let structure = Structure { catalog: &catalog, live: &live };
                    self.replica(&sides, structure, &selected).await?
                }
                Err(_) => None,
            };
            extra = extra.zip(found).map(|(all, found)| [all, found].concat());
        }
        // What could not be read may have a table that is meant.
        match extra {
            Some(extra) => check_choices(self.spec, self.options, &catalog, &extra),
            None => Ok(()),
        }
    }

    /// The rights on the primary, where no replica is there to compare with.
    async fn primary_alone(&mut self, primary: &Primary, selected: &SelectedTables<'_>) {
        let found: Vec<(&Selected<'_>, Need)> =
            selected.iter().filter_map(|selected| Some((selected, select_need(selected)?))).collect();
        let needs: Vec<Need> = found.iter().map(|(_, need)| need.clone()).collect();
        match primary.lacking(&needs).await {
            Err(error) => self.problem(None, None, error.into()),
            Ok(lacks) => {
                for lack in lacks {
                    let name = found
                        .iter()
                        .find(|(_, need)| need.table == lack.table)
                        .map(|(selected, _)| &*selected.name);
                    let message = format!("this login lacks SELECT on the primary's table {}", lack.table);
                    let failure = Failure::new(ErrorKind::Permission, message).hint(lack.hint);
                    self.problem(None, name, failure);
                }
            }
        }
    }

    async fn replica(
        &mut self,
        sides: &Connection<'_>,
        Structure { catalog: primary, live }: Structure<'_>,
        selected: &SelectedTables<'_>,
    ) -> Result<Option<Vec<TableName>>, RunError> {
        let catalog = match sides.replica.catalog(&schema::replica_schemas(self.spec)).await {
            Ok(catalog) => catalog,
            Err(error) => {
                self.problem(None, None, unread_catalog(self.spec, Some(sides.name), error));
                return Ok(None);
            }
        };
        let all = schema::all_tables(self.spec, primary);
        let databases = Databases {
            dialects: Sides::new(sides.primary.dialect() as &dyn Dialect, sides.replica.dialect()),
            replica: &catalog,
            primary_default: primary.default_schema.as_deref(),
            primary_enums: &primary.enums,
            primary_extensions: &primary.extensions,
            now: self.options.now,
            selected: &all,
            chosen: selected,
            allowed: &self.options.allowed,
        };
        let instances = Sides::new(sides.primary.server(), sides.replica.server());
        let mut counterparts = Counterparts::new(
            instances.map(|server| server.instance.as_deref()),
            Sides::new(primary, &catalog),
        );
        let renames = match renames::find(self.spec, sides.replica, &databases).await {
            Ok(renames) => renames,
            Err(failure) => {
                self.problem(Some(sides.name), None, failure);
                return Ok(None);
            }
        };
        let named = renames.catalog.as_ref().unwrap_or(&catalog);
        let databases = Databases { replica: named, ..databases };
        let mut readers = Sides::new(Reader::default(), Reader::default());
        let mut pairings = Vec::new();
        for selected in selected {
            if self.stop.requested() {
                return Err(Failure::new(ErrorKind::Interrupted, "stopped before all was checked").into());
            }
            let paired = match renames.failure(&selected.name) {
                Some(failure) => Err(vec![failure]),
                None => schema::pair_or_problems(self.spec, selected, &databases).and_then(|pairing| {
                    counterparts.take(self.spec, pairing).map_err(|failure| vec![failure])
                }),
            };
            let paired = paired.map(|pairing| declared::read_where_it_is(self.spec, pairing, live));
            let paired = paired.map(|pairing| renames.settle(pairing, &catalog, sides.replica.dialect()));
            let pairing = match paired {
                Ok(pairing) => match refuse_hidden_table(sides.replica, pairing).await {
                    Ok(pairing) => triggers::refuse_firing(self.spec, sides.replica, pairing).await,
                    Err(failure) => Err(failure),
                }
                .map_err(|failure| vec![failure]),
                Err(problems) => Err(problems),
            };
            match pairing {
                Ok(pairing) => {
                    let catalogs = Sides::new(live, &catalog);
                    let problems = self.pair(sides, &pairing.pair, catalogs, &mut readers).await?;
                    self.problems(sides, &selected.name, problems);
                    pairings.push(pairing);
                }
                Err(problems) => self.problems(sides, &selected.name, problems),
            }
        }
        let warnings = self.warnings(sides, &pairings, &catalog).await?;
        let found = &mut self.found.replicas[sides.index];
        found.warnings = warnings;
        for pairing in pairings {
            let notes = notes(&pairing, &catalog);
            found.tables.push(CheckedTable { pair: pairing.pair, notes });
        }
        self.extra(sides, primary, &databases).await
    }

    /// The tables that only the replica has and that are to go: their names on the primary; `None` where it cannot be told
    /// which they are.
    async fn extra(
        &mut self,
        sides: &Connection<'_>,
        primary: &Catalog,
        databases: &Databases<'_>,
    ) -> Result<Option<Vec<TableName>>, RunError> {
        // What keeps a table from going keeps a plan from being made.
        let options = Options { aim: Aim::Plan, ..self.options.clone() };
        let finding =
            extra::find(self.spec, &options, (sides.primary, primary), (sides.replica, databases)).await;
        let found = match finding {
            Ok(found) => found,
            Err(failure) => {
                self.problem(Some(sides.name), None, failure);
                return Ok(None);
            }
        };
        for table in found.tables {
            match table.error {
                Some(failure) => self.problem(Some(sides.name), Some(&table.table), failure),
                None => self.found.replicas[sides.index].extra.push(table.table),
            }
        }
        Ok(Some(found.on_primary))
    }

    fn problems(&mut self, sides: &Connection<'_>, table: &str, problems: Vec<Failure>) {
        for failure in problems {
            self.problem(Some(sides.name), Some(table), failure);
        }
    }

    /// What both servers say of the reads that a comparison would be made of.
    async fn pair(
        &self,
        sides: &Connection<'_>,
        pair: &TablePair,
        catalogs: Sides<&Catalog>,
        readers: &mut Sides<Reader>,
    ) -> Result<Vec<Failure>, RunError> {
        let mut problems = Vec::new();
        problems.extend(unfilled(self.spec, pair));
        if let Some(replica) = table_of(pair, Side::Replica, catalogs.replica) {
            problems.extend(sequences::hidden_in(self.spec, pair, replica));
        }
        for side in [Side::Primary, Side::Replica] {
            if side == Side::Replica && pair.replica_missing {
                continue;
            }
            let reader = readers.get_mut(side);
            if let Err(failure) = probe(sides, side, pair, reader).await {
                problems.push(failure);
                continue;
            }
            let there = side == Side::Primary || pair.key().iter().all(|column| column.on_replica);
            if !there || is_unique(pair, side, catalogs.get(side)) || pair.key_columns == 0 {
                continue;
            }
            let snapshot = reader.snapshot(sides, side).await;
            let unique = match snapshot {
                Ok(snapshot) => audit::check_unique(pair, side, &*snapshot, self.stop).await,
                Err(failure) => Err(failure),
            };
            match unique {
                Ok(_) => {}
                Err(failure) if failure.kind == ErrorKind::Interrupted => return Err(failure.into()),
                Err(failure) => {
                    reader.forget();
                    problems.push(failure);
                }
            }
        }
        Ok(problems)
    }

    /// What would keep apply from writing: a side that cannot be written at all, rights that are lacking.
    async fn warnings(
        &self,
        sides: &Connection<'_>,
        pairings: &[Pairing],
        replica: &Catalog,
    ) -> Result<Vec<Warning>, RunError> {
        if let Some(reason) = &sides.replica.server().read_only {
            let message = format!("apply would fail: the replica cannot be written: {reason}");
            return Ok(vec![Warning { message, hints: Vec::new() }]);
        }
        let needs: Vec<Need> = pairings.iter().flat_map(|pairing| needs(pairing, replica)).collect();
        match sides.replica.lacking(&needs).await {
            Ok(lacks) => Ok(warnings(&lacks)),
            Err(error) => {
                let failure = Failure::from(error);
                let message = format!("whether apply may write could not be told: {failure}");
                Ok(vec![Warning { message, hints: failure.hint.into_iter().collect() }])
            }
        }
    }
}

/// The primary and one replica.
struct Connection<'a> {
    name: &'a str,
    /// Which of the replicas.
    index: usize,
    primary: &'a Primary,
    replica: &'a Replica,
}

/// One moment of a side, begun when it is first needed.
#[derive(Default)]
struct Reader(Option<Arc<dyn Snapshot>>);

impl Reader {
    async fn snapshot(&mut self, sides: &Connection<'_>, side: Side) -> Result<Arc<dyn Snapshot>, Failure> {
        if let Some(snapshot) = &self.0 {
            return Ok(Arc::clone(snapshot));
        }
        let snapshot = match side {
            Side::Primary => sides.primary.snapshot().await?,
            Side::Replica => sides.replica.snapshot().await?,
        };
        self.0 = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// A moment in which a read failed may be lost as a whole: the next read begins another one.
    fn forget(&mut self) {
        self.0 = None;
    }
}

/// Lets the server look at the reads of one side, by the statements of a comparison, for no row at all.
async fn probe(
    sides: &Connection<'_>,
    side: Side,
    pair: &TablePair,
    reader: &mut Reader,
) -> Result<(), Failure> {
    for select in reads(side, pair) {
        let snapshot = reader.snapshot(sides, side).await?;
        if let Err(failure) = read_nothing(&*snapshot, side, select).await {
            reader.forget();
            return Err(with_grant(sides, side, pair, failure).await);
        }
    }
    Ok(())
}

/// A missing right with the statement that would give it, where the server can name it.
async fn with_grant(sides: &Connection<'_>, side: Side, pair: &TablePair, failure: Failure) -> Failure {
    if failure.kind != ErrorKind::Permission {
        return failure;
    }
    let there = |column: &&schema::ColumnPair| side == Side::Primary || column.on_replica;
    let columns = pair.columns.iter().filter(there).map(|column| column.sides.get(side).name.clone());
    let table = pair.names.get(side).clone();
    let need = [Need { right: Right::Select, table, columns: columns.collect() }];
    let lacks = match side {
        Side::Primary => sides.primary.lacking(&need).await,
        Side::Replica => sides.replica.lacking(&need).await,
    };
    match lacks.unwrap_or_default().into_iter().next() {
        Some(lack) => failure.hint(lack.hint),
        None => failure,
    }
}

async fn read_nothing(snapshot: &dyn Snapshot, side: Side, select: Select) -> Result<(), Failure> {
    let mut stream = snapshot.scan(select).await.map_err(|error| error.on(side))?;
    while stream.next().await.map_err(|error| error.on(side))?.is_some() {}
    Ok(())
}

/// What is read of a table: the columns in scope, and for rows to delete also the replica's others.
fn reads(side: Side, pair: &TablePair) -> Vec<Select> {
    let mut select = pair.select(side, Selection::Keys(Vec::new()), false);
    select.scope = select.scope.filter(|scope| !scope.is_empty());
    if side == Side::Primary {
        return vec![select];
    }
    let mut pairs = pair.columns.iter();
    select.columns.retain(|_| pairs.next().is_some_and(|pair| pair.on_replica));
    if pair.replica_extra.is_empty() {
        return vec![select];
    }
    let key = select.columns.iter().take(pair.key_columns).cloned();
    let columns: Vec<SelectColumn> = key.chain(pair.replica_extra.iter().cloned()).collect();
    let extra = Select { columns, scope: None, ..select.clone() };
    vec![select, extra]
}

/// Whether a unique key of the side vouches for the pair's key.
fn is_unique(pair: &TablePair, side: Side, catalog: &Catalog) -> bool {
    let Some(table) = table_of(pair, side, catalog) else { return true };
    let key: Vec<&str> = pair.key().iter().map(|column| column.sides.get(side).name.as_str()).collect();
    let vouches = |columns: &[String]| columns.iter().all(|column| key.contains(&column.as_str()));
    table.keys.iter().any(|unique| (unique.total || unique.primary) && vouches(&unique.columns))
}

fn table_of<'a>(pair: &TablePair, side: Side, catalog: &'a Catalog) -> Option<&'a Table> {
    catalog.table(pair.names.get(side))
}

/// Columns of the replica that an insert would leave without the value they must have.
fn unfilled(spec: &Spec, pair: &TablePair) -> Vec<Failure> {
    if !pair.writes.insert {
        return Vec::new();
    }
    let unfilled = plan::unfilled_columns(pair);
    unfilled
        .map(|column| {
            let (message, hint) = plan::unfilled_words(&pair.table, column);
            Failure::new(ErrorKind::Value, spec.error_at(pair.place, message).headline()).hint(hint)
        })
        .collect()
}

/// The right to read what an entry selects.
fn select_need(selected: &Selected<'_>) -> Option<Need> {
    let table = selected.table.as_ref().ok()?;
    let entry = selected.entry;
    let among = |list: &[Located<String>], name: &str| list.iter().any(|column| column.value == name);
    let in_scope = |name: &str| {
        entry.columns.as_deref().is_none_or(|columns| among(columns, name))
            && !among(&entry.exclude_columns, name)
    };
    let names = table.columns.iter().map(|column| column.name.clone());
    let columns = names.filter(|name| in_scope(name)).collect();
    Some(Need { right: Right::Select, table: table.name.clone(), columns })
}

/// The rights that apply would need for a pair, as far as the spec lets it write.
fn needs(pairing: &Pairing, replica: &Catalog) -> Vec<Need> {
    let pair = &pairing.pair;
    let need = |right, columns: Vec<String>| Need { right, table: pair.names.replica.clone(), columns };
    let writes_structure = pairing.schema_changes.iter().any(|change| !change.withheld);
    if pair.replica_missing {
        // Who creates a table owns it.
        return if writes_structure { vec![need(Right::Create, Vec::new())] } else { Vec::new() };
    }
    let there = |from: usize| -> Vec<String> {
        let columns = pair.columns[from..].iter().filter(|column| column.on_replica);
        columns.map(|column| column.sides.replica.name.clone()).collect()
    };
    let mut needs = Vec::new();
    if writes_structure {
        needs.push(need(Right::Alter, Vec::new()));
    }
    if pair.writes.insert {
        needs.push(need(Right::Insert, there(0)));
    }
    let updated = there(pair.key_columns);
    if pair.writes.update && !updated.is_empty() && !pair.is_keyless() {
        needs.push(need(Right::Update, updated));
    } else if pair.writes.insert || pair.writes.delete {
        needs.push(need(Right::Lock, Vec::new()));
    }
    if pair.writes.delete {
        needs.push(need(Right::Delete, Vec::new()));
    }
    if let (SchemaMode::Sync, Some(table)) = (pair.schema, table_of(pair, Side::Replica, replica)) {
        let named = sequences::looked_at_in(pair, table).filter_map(|sequence| sequence.name.clone());
        needs.extend(named.map(|table| Need { right: Right::Sequence, table, columns: Vec::new() }));
    }
    needs
}

/// One warning a table, for the rights that it lacks.
fn warnings(lacks: &[Lack]) -> Vec<Warning> {
    let tables = lacks.chunk_by(|a, b| a.table == b.table);
    tables
        .map(|lacks| {
            let rights: Vec<&str> = lacks.iter().map(|lack| lack.right.as_str()).collect();
            let message =
                format!("apply would fail: this login lacks {} on {}", rights.join(", "), lacks[0].table);
            Warning { message, hints: grants(lacks) }
        })
        .collect()
}

/// What would give the rights: grants on the same object are one.
fn grants(lacks: &[Lack]) -> Vec<String> {
    let mut grants: Vec<(String, &str)> = Vec::new();
    for lack in lacks {
        let (grant, object) = lack.hint.split_once(" ON ").unwrap_or((&lack.hint, ""));
        match grants.iter_mut().find(|(_, known)| *known == object && !object.is_empty()) {
            Some((rights, _)) => match grant.strip_prefix("GRANT ") {
                Some(more) if !rights.ends_with(more) => *rights += &format!(", {more}"),
                _ => {}
            },
            None => grants.push((grant.to_owned(), object)),
        }
    }
    let whole = |(grant, object): (String, &str)| match object {
        "" => grant,
        object => format!("{grant} ON {object}"),
    };
    grants.into_iter().map(whole).collect()
}

fn notes(pairing: &Pairing, replica: &Catalog) -> Vec<String> {
    let pair = &pairing.pair;
    if pair.replica_missing {
        return vec![match pair.schema {
            SchemaMode::Sync => "missing on the replica: apply creates it".to_owned(),
            _ => "missing on the replica, and not created (`schema: check`)".to_owned(),
        }];
    }
    let mut notes: Vec<String> = pairing.schema_changes.iter().map(structure_note).collect();
    if pair.key_columns > 0 && !is_unique(pair, Side::Replica, replica) {
        notes.push(
            "no unique key of the replica vouches for the key; its rows were read and are unique".into(),
        );
    }
    notes
}

fn structure_note(change: &schema::SchemaChange) -> String {
    let what = match &change.before {
        Some(before) => format!("{} is `{before}`", change.object),
        None => format!("{} is missing on the replica", change.object),
    };
    let then = match (&change.after, change.withheld) {
        (Some(after), true) if change.before.is_some() => {
            format!(", on the primary `{after}`: reported only")
        }
        (_, true) => ": reported only".to_owned(),
        (_, false) => ": apply brings it".to_owned(),
    };
    what + &then
}
