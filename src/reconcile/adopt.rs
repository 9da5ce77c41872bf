//! A saved plan held against the spec and the databases as they are now.
//!
//! What a plan was made for must still be there: the spec, each database, the structure of each table. Rows are not
//! looked at here; their guards do that. Invariant: a replica whose plan is for something else is marked stale
//! and nothing is written to it; the others are not kept from being written.

use std::collections::BTreeMap;

use crate::compare::{ChangeList, ChangeListWriter, RowChange, RowCounts};
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, Plan, PlanKind, ReplicaPlan, Status, TablePlan};
use crate::schema::{self, Catalog, Known, Renaming, SchemaAction, SchemaChange, Table, TablePair};
use crate::spec::{QualifiedName, SchemaMode, Spec};
use crate::spool::{Spool, SpoolError};
use crate::sql::{Alteration, Column, Dialect, TableName};
use crate::value::{Digest, Type};

use super::{Run, RunError, dependents, extra, renames};

/// Differences that one message names.
const DIFFERENCES_MAX: usize = 3;

/// The digest of a spec's parsed form without URLs and connection options, which ties a plan to its spec.
pub fn fingerprint(spec: &Spec) -> String {
    Digest::of(spec.canonical_text().as_bytes()).hex()
}

/// An error where a plan was made from another spec than this one.
///
/// # Errors
/// Of kind `changed`.
pub fn check_spec(plan: &Plan, spec: &Spec) -> Result<(), Failure> {
    if plan.spec_fingerprint == fingerprint(spec) {
        return Ok(());
    }
    let message = format!("{} is not the spec that the plan was made from", spec.path);
    Err(Failure::new(ErrorKind::Changed, message).hint(
        "its tables, limits or options differ (URLs do not count): plan again, or give the right --spec",
    ))
}

impl Run {
    /// The plan as it may be applied now: the replicas and tables that were asked for, each replica with what
    /// makes the plan stale for it, and with the refusals that hold now.
    ///
    /// # Errors
    /// Where a replica or a table that was asked for is not in the plan. A primary that cannot be read is the error of
    /// every replica.
    pub async fn adopt(&self, mut plan: Plan) -> Result<Plan, RunError> {
        self.choose(&mut plan)?;
        let (primary, stale) = match self.primary_now(&plan).await {
            Ok(now) => now,
            Err(failure) => {
                plan.replicas.iter_mut().for_each(|replica| replica.error = Some(failure.clone()));
                plan.primary_error = Some(failure).filter(|failure| failure.kind != ErrorKind::Interrupted);
                return Ok(plan);
            }
        };
        for replica in &mut plan.replicas {
            replica.stale.clone_from(&stale);
            self.adopt_replica(replica, primary.as_ref()).await;
        }
        for index in 0..plan.replicas.len() {
            plan.replicas[index].refusals =
                plan::refusals(&plan.replicas[index], plan.kind, &self.spec.limits, &self.limit_overrides());
        }
        Ok(plan)
    }

    fn choose(&self, plan: &mut Plan) -> Result<(), Failure> {
        let wanted = &self.options.replicas;
        if let Some(name) =
            wanted.iter().find(|name| !plan.replicas.iter().any(|replica| replica.name == **name))
        {
            return Err(Failure::new(ErrorKind::Missing, format!("--replica {name} is not in the plan")));
        }
        plan.replicas.retain(|replica| wanted.is_empty() || wanted.contains(&replica.name));
        for pattern in &self.options.tables {
            let any = plan
                .replicas
                .iter()
                .flat_map(|replica| &replica.tables)
                .any(|table| is_meant(pattern, table));
            if !any {
                let message = format!("--table {pattern} matches no table of the plan");
                return Err(Failure::new(ErrorKind::Missing, message));
            }
        }
        if !self.options.tables.is_empty() {
            for replica in &mut plan.replicas {
                replica
                    .tables
                    .retain(|table| self.options.tables.iter().any(|pattern| is_meant(pattern, table)));
            }
        }
        Ok(())
    }

    /// The primary's tables, unless the plan needs no primary, and why the plan is not for this primary.
    async fn primary_now(&self, plan: &Plan) -> Result<(Option<Catalog>, Option<Failure>), Failure> {
        if plan.kind == PlanKind::Undo {
            return Ok((None, None));
        }
        let primary = self.primary()?;
        let stale = (!primary.server().is_that_of(&plan.primary)).then(|| another_database("the primary"));
        Ok((Some(self.primary_catalog(primary).await?), stale))
    }

    async fn adopt_replica(&self, plan: &mut ReplicaPlan, primary: Option<&Catalog>) {
        let connected = self.replicas.iter().find(|connected| connected.name == plan.name);
        let replica = match connected.map(|connected| &connected.replica) {
            Some(Ok(replica)) => replica,
            Some(Err(failure)) => {
                plan.error = Some(failure.clone());
                return;
            }
            // The fingerprint holds the replicas' names.
            None => return,
        };
        let then = plan.server.replace(replica.server().clone());
        if plan.error.is_some() || plan.stale.is_some() {
            return;
        }
        if !then.is_some_and(|then| replica.server().is_that_of(&then)) {
            plan.stale = Some(another_database(&format!("the replica {}", plan.name)));
            return;
        }
        let catalog = match self.replica_catalog(&plan.name, replica).await {
            Ok(catalog) => catalog,
            Err(failure) => {
                plan.error = Some(failure);
                return;
            }
        };
        // What an undo plan knows of a table is what it was before the plan that is taken back.
        let known = if primary.is_some() { Known::Before } else { Known::After };
        let mut differences = settle_names(plan, &catalog, replica.dialect());
        if !differences.is_empty() {
            plan.stale = Some(other_structure(&differences));
            return;
        }
        let catalog = match plan.renamings.is_empty() {
            true => catalog,
            false => match renames::renamed(replica, &catalog, &plan.renamings).await {
                Ok(catalog) => catalog,
                Err(failure) => {
                    plan.error = Some(failure);
                    return;
                }
            },
        };
        let enums = match Enums::of(plan, &catalog) {
            Ok(enums) => enums,
            Err(difference) => {
                plan.stale = Some(other_structure(&[difference]));
                return;
            }
        };
        for table in &mut plan.tables {
            match adopt_table(known, table, primary, (&catalog, &enums), &self.spool) {
                Ok(found) => differences.extend(found),
                Err(error) => {
                    plan.error = Some(error.into());
                    return;
                }
            }
        }
        if !differences.is_empty() {
            plan.stale = Some(other_structure(&differences));
        }
        // The server is asked by the names that are there.
        let renamings = plan.renamings.clone();
        let reversed: Vec<Renaming> = renamings.iter().map(Renaming::reversed).collect();
        plan.rename(&reversed);
        let mut asked = dependents::add(replica, plan).await;
        if asked.is_ok() {
            asked = extra::refuse_pointed_at(replica, plan).await;
        }
        plan.rename(&renamings);
        if let Err(failure) = asked {
            plan.error = Some(failure);
        }
    }
}

fn is_meant(pattern: &crate::spec::TablePattern, table: &TablePlan) -> bool {
    // One that only the replica has would have its name on the primary too.
    let own = || table.structure.replica.as_ref().map(|table| &table.name);
    let Some(name) = table.pair.as_ref().map(|pair| &pair.names.primary).or_else(own) else { return false };
    let TableName { schema, name } = name;
    let schema = schema.as_deref().unwrap_or_default();
    // A name without schema in output is one of the default schema.
    let default = if table.table == *name { schema } else { "" };
    pattern.matches(schema, name, default)
}

fn another_database(what: &str) -> Failure {
    Failure::new(ErrorKind::Changed, format!("{what} is another database than the plan was made for"))
        .hint("plan again with this spec, or give the --spec whose URLs lead to the plan's databases")
}

fn other_structure(differences: &[String]) -> Failure {
    let mut words = differences[..differences.len().min(DIFFERENCES_MAX)].join("; ");
    if differences.len() > DIFFERENCES_MAX {
        words.push_str(&format!("; and {} more", differences.len() - DIFFERENCES_MAX));
    }
    let message = format!("the structure changed since the plan was made: {words}");
    Failure::new(ErrorKind::Changed, message).hint("plan again")
}

/// Leaves the changes still to be made, and says what else is not as it was.
fn adopt_table(
    known: Known,
    table: &mut TablePlan,
    primary: Option<&Catalog>,
    (replica, enums): (&Catalog, &Enums),
    spool: &Spool,
) -> Result<Vec<String>, SpoolError> {
    if table.status == Status::Extra {
        return Ok(adopt_drop(table, primary, replica));
    }
    let Some(pair) = table.pair.as_ref().filter(|_| table.error.is_none()) else { return Ok(Vec::new()) };
    let mut differences = Vec::new();
    if let Some(primary) = primary {
        let now = primary.table(&pair.names.primary);
        let difference = schema::table_difference(table.structure.primary.as_ref(), now);
        differences.extend(difference.map(|words| format!("primary, table {}: {words}", table.table)));
    }
    let now = replica.table(&pair.names.replica);
    let settled = now.map(|now| enums.as_known(now, table.structure.replica.as_ref()));
    match still_to_change(known, table, pair, (enums, settled.as_ref())) {
        Ok(changes) => {
            know_added(table, now);
            forget_dropped(table, now, spool)?;
            table.schema_changes = changes;
        }
        Err(words) => differences.push(format!("replica, table {}: {words}", table.replica_table)),
    }
    Ok(differences)
}

/// Leaves the names still to be given, and says where neither the old nor the new one is there, or both are.
fn settle_names(plan: &mut ReplicaPlan, catalog: &Catalog, dialect: &dyn Dialect) -> Vec<String> {
    let mut differences = Vec::new();
    for renaming in &mut plan.renamings {
        let (was, is) = (renaming.was.clone(), renaming.is.clone());
        let found = |name: &TableName| catalog.table(name);
        let table = match (found(&was), found(&is)) {
            (Some(table), None) => table,
            (None, Some(table)) => table,
            (Some(table), Some(_)) if was == is => table,
            (Some(_), Some(_)) => {
                differences.push(format!("replica, both tables {was} and {is} are there"));
                continue;
            }
            (None, None) => {
                differences.push(format!("replica, table {was}: it is gone"));
                continue;
            }
        };
        renaming.was = table.name.clone();
        let has = |name: &str| table.columns.iter().any(|column| column.name == name);
        for (old, new) in &renaming.columns {
            if has(old) == has(new) {
                differences.push(format!("replica, table {}: column {old} is gone or another", table.name));
            }
        }
        renaming.columns.retain(|(old, _)| has(old));
        let left = schema::renaming_changes(dialect, renaming, Some(table), SchemaMode::Sync);
        let own = |plan: &&mut TablePlan| plan.replica_name() == Some(&renaming.is);
        for plan in plan.tables.iter_mut().filter(own) {
            let is_left = |change: &SchemaChange| {
                let same = |one: &SchemaChange| (one.action, &one.object) == (change.action, &change.object);
                !change.action.gives_names_first() || left.iter().any(same)
            };
            plan.schema_changes.retain(is_left);
        }
    }
    plan.renamings.retain(|renaming| !renaming.is_nothing());
    differences
}

/// As [`adopt_table`], of a table that only the replica has. One that is gone by now is as the plan would have it.
fn adopt_drop(table: &mut TablePlan, primary: Option<&Catalog>, replica: &Catalog) -> Vec<String> {
    let mut differences = Vec::new();
    if let (Some(primary), Ok(QualifiedName { schema, name })) = (primary, QualifiedName::parse(&table.table))
    {
        let name = TableName { schema: schema.or_else(|| primary.default_schema.clone()), name };
        if primary.meant(&name).is_some() {
            differences.push(format!("primary, table {}: it has been created", table.table));
        }
    }
    let Some(then) = &table.structure.replica else { return differences };
    let Some(now) = replica.table(&then.name) else {
        table.schema_changes.clear();
        table.status = Status::InSync;
        return differences;
    };
    let (made, same) = schema::alterations_made((Known::Before, then), now, &table.schema_changes, &[]);
    if !same {
        let words = schema::table_difference(Some(then), Some(now));
        let words = words.unwrap_or_else(|| "it is another".to_owned());
        differences.push(format!("replica, table {}: {words}", table.replica_table));
    }
    let mut index = 0..;
    table.schema_changes.retain(|_| index.next().is_none_or(|index: usize| !made.contains(&index)));
    differences
}

/// The structural changes that are not made yet. An earlier run of the same plan may have been cut off between
/// them and the rest: what is there (or gone) as the plan would make it counts as made.
fn still_to_change(
    known: Known,
    table: &TablePlan,
    pair: &TablePair,
    (enums, now): (&Enums, Option<&Table>),
) -> Result<Vec<SchemaChange>, String> {
    let then = table.structure.replica.as_ref();
    if let Some(difference) = schema::table_difference(then, now)
        && !now.is_some_and(|now| is_half_way(known, table, pair, then, now))
    {
        return Err(difference);
    }
    let there = |change: &SchemaChange| match change.column(&pair.names.replica) {
        Some(column) => now.is_some_and(|now| now.column(column).is_some()),
        None => now.is_some(),
    };
    let made = match now {
        Some(now) => {
            schema::alterations_made(
                (known, then.unwrap_or(now)),
                now,
                &table.schema_changes,
                &come_or_go(table, pair),
            )
            .0
        }
        None => Vec::new(),
    };
    let left = |(index, change): &(usize, &SchemaChange)| match change.action {
        SchemaAction::CreateTable | SchemaAction::AddColumn => !there(change),
        SchemaAction::DropColumn | SchemaAction::DropTable => there(change),
        // A sequence that has gone on by itself is left alone.
        _ => !made.contains(index) && !enums.is_made(change),
    };
    Ok(table.schema_changes.iter().enumerate().filter(left).map(|(_, change)| change.clone()).collect())
}

/// What of the enum types that a plan changes is made by now. Tables whose plans have none of it are of them too.
#[derive(Default)]
struct Enums {
    /// By the type's name: the words that it has one after the other (`None`: it is not there), and how far it is.
    known: BTreeMap<String, (Vec<Words>, usize)>,
}

type Words = Option<Vec<String>>;

impl Enums {
    /// The difference, where a type has words that the plan gives it at no time.
    fn of(plan: &ReplicaPlan, catalog: &Catalog) -> Result<Self, String> {
        let mut known: BTreeMap<String, (Vec<Words>, usize)> = BTreeMap::new();
        for change in plan.tables.iter().flat_map(|table| &table.schema_changes).filter(|one| !one.withheld) {
            let Some(Alteration::Enum(change)) = &change.alteration else { continue };
            let (steps, _) = known.entry(change.printed.clone()).or_default();
            if steps.is_empty() {
                steps.push(change.before.clone());
            }
            steps.push(change.after.clone());
        }
        for (printed, (steps, at)) in &mut known {
            let now = catalog.enums.iter().find(|one| one.printed == *printed).map(|one| one.words.clone());
            let place = steps.iter().position(|words| *words == now);
            *at = place.ok_or_else(|| format!("replica, enum type {printed}: its words are others"))?;
        }
        Ok(Enums { known })
    }

    fn is_made(&self, change: &SchemaChange) -> bool {
        let Some(Alteration::Enum(change)) = &change.alteration else { return false };
        let known = self.known.get(&change.printed);
        known.is_some_and(|(steps, at)| steps[..=*at].iter().skip(1).any(|words| *words == change.after))
    }

    /// The table, with columns of these types as they are known: their words are told of by themselves.
    fn as_known(&self, now: &Table, then: Option<&Table>) -> Table {
        let mut now = now.clone();
        for column in &mut now.columns {
            let declared = &column.column_type.declared;
            let same = then
                .and_then(|then| then.column(&column.name))
                .filter(|then| then.column_type.declared == *declared && self.known.contains_key(declared));
            if let Some(then) = same {
                column.column_type = then.column_type.clone();
            }
        }
        now
    }
}

/// Whether a table that is not what it was is what this plan makes of it, with some changes still to come.
fn is_half_way(known: Known, table: &TablePlan, pair: &TablePair, then: Option<&Table>, now: &Table) -> bool {
    let Some(then) = then else {
        // A table of this plan's own making, with just the columns that it would make.
        return !table.schema_changes.is_empty() && is_made(pair, now);
    };
    let concerned = come_or_go(table, pair);
    if known == Known::After || table.schema_changes.iter().any(|change| change.alteration.is_some()) {
        return schema::alterations_made((known, then), now, &table.schema_changes, &concerned).1;
    }
    let mut without = now.clone();
    without.columns.retain(|column| !concerned.contains(&column.name.as_str()));
    schema::table_difference(Some(then), Some(&without)).is_none()
}

/// The columns that the plan adds or drops.
fn come_or_go<'a>(table: &'a TablePlan, pair: &'a TablePair) -> Vec<&'a str> {
    let columns = |change: &'a SchemaChange| {
        let table = &pair.names.replica;
        change.coming_columns(table).into_iter().chain(change.going_columns(table))
    };
    table.schema_changes.iter().flat_map(columns).collect()
}

/// Columns that an earlier run of this plan added are read where its guards look at rows, for some may have been filled.
fn know_added(table: &mut TablePlan, now: Option<&Table>) {
    let (Some(pair), Some(now)) = (&mut table.pair, now) else { return };
    if pair.replica_missing {
        return;
    }
    for paired in pair.columns.iter_mut().filter(|paired| !paired.on_replica) {
        paired.on_replica = now.column(&paired.sides.replica.name).is_some();
    }
}

/// Where an earlier run of this plan dropped the table or some columns, its row changes there were all committed
/// before, and went with them: what is dropped is neither read nor written any more.
fn forget_dropped(table: &mut TablePlan, now: Option<&Table>, spool: &Spool) -> Result<(), SpoolError> {
    let Some(pair) = &mut table.pair else { return Ok(()) };
    let drops = |action| table.schema_changes.iter().filter(move |change| change.action == action);
    if now.is_none() && drops(SchemaAction::DropTable).next().is_some() {
        pair.replica_missing = true;
        return replace_changes(table, ChangeList::default(), Status::InSync);
    }
    let names = pair.names.replica.clone();
    let gone = |name: &str| {
        let dropped = table.schema_changes.iter().any(|change| change.going_columns(&names).contains(&name));
        dropped && now.is_some_and(|now| now.column(name).is_none())
    };
    let mut dropped: Vec<u16> = Vec::new();
    for (index, column) in (0..).zip(&mut pair.columns) {
        if gone(&column.sides.replica.name) {
            column.on_replica = false;
            dropped.push(index);
        }
    }
    if dropped.is_empty() {
        return Ok(());
    }
    // Nothing is to be created any more, so that only columns which are there are spoken of.
    pair.schema = SchemaMode::Ignore;
    let mut kept = ChangeListWriter::new(spool);
    for planned in table.changes.iter() {
        let mut planned = planned?;
        if let RowChange::Update { columns, .. } = &mut planned.change {
            columns.retain(|column| !dropped.contains(column));
            if columns.is_empty() {
                continue;
            }
        }
        kept.push(&planned)?;
    }
    let status = table.status;
    replace_changes(table, kept.finish()?, status)
}

fn replace_changes(table: &mut TablePlan, changes: ChangeList, status: Status) -> Result<(), SpoolError> {
    let counted =
        TablePlan { summary: RowCounts::default(), withheld: RowCounts::default(), ..table.clone() };
    *table = counted.with_changes(changes)?;
    table.status = status;
    Ok(())
}

fn is_made(pair: &TablePair, now: &Table) -> bool {
    let is_typed = |column: &Column, wanted: &Column| match (&column.column_type, &wanted.column_type) {
        // The words of an enum are its type's.
        (one, other) if matches!(one.meaning, Type::Enum { .. }) => one.declared == other.declared,
        (one, other) => one == other,
    };
    let as_planned =
        |wanted: &Column| now.column(&wanted.name).is_some_and(|column| is_typed(column, wanted));
    now.columns.iter().filter(|column| column.generated.is_none()).count() == pair.columns.len()
        && pair.columns.iter().all(|column| as_planned(&column.sides.replica))
}
