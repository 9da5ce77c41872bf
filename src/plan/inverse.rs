//! The inverse of a plan: what puts its replicas back to what they were before it.
//!
//! An insert becomes a delete, a delete an insert of the whole row (with the columns out of scope), an update
//! swaps its ends; a created table is dropped, an added column too. What the plan withheld, and tables and
//! replicas in error, were never written and are no part of it. Names are given back where the plan changes nothing else of
//! the structure. Invariant: applied behind its plan, the inverse
//! leaves every value as the plan saw it, as far as the pair's domains tell values apart; the inverse of the
//! inverse has the plan's changes again. What a replica did by itself (deletes that its foreign keys carried on
//! outside the plan, triggers) is not in a plan, and so not in its inverse.

use crate::compare::{ChangeList, ChangeListWriter, CopyCount, CopyNumber, RangeDrift, RowChange, joined};
use crate::failure::{ErrorKind, Failure};
use crate::schema::{self, Hazard, Renaming, TablePair, Writes};
use crate::server::Server;
use crate::sides::Sides;
use crate::spec::{DELETES_DATA, SchemaMode};
use crate::spool::{Spool, SpoolError};
use crate::sql::{self, Alteration, Attachment, AttachmentKind, Column, Dialect};

use super::{
    Commit, Handover, Plan, PlanKind, PlannedChange, ReplicaPlan, SchemaAction, SchemaChange, TablePlan,
};

/// The plan that takes this one back, its row changes kept by `spool`. Its moment and what is known of the servers
/// are this plan's. Nothing in it is refused yet: see [`refusals`](super::refusals).
///
/// # Errors
/// Where row changes cannot be read or set aside.
pub fn inverse(plan: &Plan, spool: &Spool) -> Result<Plan, SpoolError> {
    let mut replicas = Vec::new();
    for replica in plan.replicas.iter().filter(|replica| replica.error.is_none()) {
        if let Some(server) = &replica.server {
            replicas.push(inverse_replica(replica, server, spool)?);
        }
    }
    Ok(Plan {
        kind: PlanKind::Undo,
        spec_path: plan.spec_path.clone(),
        spec_fingerprint: plan.spec_fingerprint.clone(),
        batch_rows: plan.batch_rows,
        created_at: plan.created_at,
        primary: plan.primary.clone(),
        primary_snapshot: plan.primary_snapshot.clone(),
        primary_error: None,
        replicas,
    })
}

fn inverse_replica(replica: &ReplicaPlan, server: &Server, spool: &Spool) -> Result<ReplicaPlan, SpoolError> {
    let dialect = sql::dialect(server.engine);
    let renamings = names_given_back(replica);
    let mut tables = Vec::new();
    for table in replica.tables.iter().filter(|table| table.error.is_none()) {
        match &table.pair {
            Some(pair) if renamings.is_none() && is_renamed(replica, pair) => {
                tables.push(renamed(table));
            }
            Some(pair) => tables.extend(inverse_table(table, pair, dialect, spool)?),
            None => tables.extend(inverse_drop(table)),
        }
    }
    let mut inverse = ReplicaPlan {
        name: replica.name.clone(),
        server: Some(server_after(server)),
        snapshot: replica.snapshot.clone(),
        search_path: replica.search_path.clone(),
        tables,
        renamings: Vec::new(),
        refusals: Vec::new(),
        notes: Vec::new(),
        error: None,
        stale: None,
    };
    give_names_back(&mut inverse, renamings.unwrap_or_default(), dialect);
    super::foresee(&|| false, &mut inverse);
    Ok(inverse)
}

fn is_renamed(replica: &ReplicaPlan, pair: &TablePair) -> bool {
    replica.renamings.iter().any(|renaming| renaming.is == pair.names.replica)
}

/// The names from before the plan; `None` where it changes more of the structure, which speaks of the new ones.
fn names_given_back(replica: &ReplicaPlan) -> Option<Vec<Renaming>> {
    let tables = replica.tables.iter().filter(|table| table.error.is_none());
    let mut written = tables.flat_map(|table| &table.schema_changes).filter(|change| !change.withheld);
    let is_name = |change: &SchemaChange| {
        change.action.gives_names_first() || change.action == SchemaAction::SetSequence
    };
    written.all(is_name).then(|| replica.renamings.iter().map(Renaming::reversed).collect())
}

/// First the names, as in every plan, and all else by them.
fn give_names_back(inverse: &mut ReplicaPlan, renamings: Vec<Renaming>, dialect: &dyn Dialect) {
    if renamings.is_empty() {
        return;
    }
    for table in &mut inverse.tables {
        let known = table.structure.replica.as_mut();
        if let Some(renaming) =
            renamings.iter().find(|one| table.pair.as_ref().is_some_and(|pair| pair.names.replica == one.was))
        {
            let names = schema::renaming_changes(dialect, renaming, known.as_deref(), SchemaMode::Sync);
            table.schema_changes.splice(..0, names);
        }
        if let Some(known) = known {
            schema::rename_known(known, &renamings, dialect);
        }
        table.status = table.status_found();
    }
    inverse.rename(&renamings);
    inverse.renamings = renamings;
}

/// Who gave a value up takes it again, by the numbers that the changes have once withheld ones are left out.
fn inverse_handovers(table: &TablePlan) -> Result<Vec<Handover>, SpoolError> {
    if table.handovers.is_empty() {
        return Ok(Vec::new());
    }
    let (mut numbers, mut next) = (Vec::new(), 0);
    for planned in table.changes.iter() {
        numbers.push(next);
        next += u32::from(!planned?.withheld);
    }
    let number = |old: &u32| numbers.get(*old as usize).copied();
    let inverse = |handover: &Handover| Handover {
        rows: (handover.rows.iter())
            .filter_map(|(gives, takes)| Some((number(takes)?, number(gives)?)))
            .collect(),
        ..handover.clone()
    };
    Ok(table.handovers.iter().map(inverse).collect())
}

/// A file that was missing is there once the plan is applied, and known by its place alone.
fn server_after(server: &Server) -> Server {
    match server.missing {
        true => Server { missing: false, identity: String::new(), ..server.clone() },
        false => server.clone(),
    }
}

/// A table that got another name, or whose columns did, keeps it where more than names was changed.
fn renamed(table: &TablePlan) -> TablePlan {
    let message = format!(
        "table {} cannot be taken back: the plan gives it or its columns other names beside other changes of structure",
        table.table
    );
    TablePlan::unknown(table.table.clone(), table.replica_table.clone()).failed(
        Failure::new(ErrorKind::Missing, message)
            .hint("give the old names by hand and plan again, or take the other tables back with --partial"),
    )
}

/// A table that is dropped for that only the replica had it cannot be put back; `None` where nothing was written.
fn inverse_drop(table: &TablePlan) -> Option<TablePlan> {
    let dropped = table.schema_changes.iter().any(|change| !change.withheld);
    let message =
        format!("table {} cannot be taken back: the plan drops it, and does not hold its rows", table.table);
    dropped.then(|| {
        TablePlan::unknown(table.table.clone(), table.replica_table.clone()).failed(
            Failure::new(ErrorKind::Missing, message)
                .hint("restore the table from a backup, or take the other tables back with --partial"),
        )
    })
}

/// `None` for a table that is missing on the replica before and after the plan.
fn inverse_table(
    table: &TablePlan,
    pair: &TablePair,
    dialect: &dyn Dialect,
    spool: &Spool,
) -> Result<Option<TablePlan>, SpoolError> {
    let written: Vec<SchemaChange> =
        table.schema_changes.iter().filter(|change| !change.withheld).cloned().collect();
    let written = schema::without_steps(dialect, &pair.names.replica, &written);
    let written: Vec<&SchemaChange> = written.iter().collect();
    let after = pair_after(pair, &written);
    if pair.replica_missing && after.replica_missing {
        return Ok(None);
    }
    let rows = Sides::new(table.rows.replica, rows_after(table));
    let mut schema_changes: Vec<SchemaChange> = written
        .iter()
        .rev()
        .filter(|change| !pair.replica_missing || is_taken_from(change))
        .filter_map(|change| inverse_change(change, &written, &after, rows.replica, dialect))
        .map(|change| match pair.replica_missing && change.alteration.is_some() && !is_of_enum(&change) {
            // The table that goes is hazard enough.
            true => SchemaChange { hazards: Vec::new(), ..change },
            false => change,
        })
        .collect();
    // In the order in which they are made, by which a table half-way is known.
    schema_changes.sort_by_key(|change| (change.comes_last(), change.rank()));
    let schema_changes = match table.structure.replica.as_ref().filter(|_| !pair.replica_missing) {
        Some(then) => {
            let made: Vec<SchemaChange> = written.iter().map(|change| (*change).clone()).collect();
            let pointed_at: Vec<Vec<String>> =
                pair.dependents.iter().map(|dependent| dependent.key.referenced.clone()).collect();
            let name = &pair.names.replica;
            schema::taken_back(dialect, name, then, &made, &pointed_at, schema_changes)
        }
        None => schema_changes,
    };
    let schema_changes = online(table, pair, dialect, schema_changes);
    let changes = inverse_rows(table, &after, spool)?;
    let ranges = table.ranges.iter().map(|drift| RangeDrift {
        range: drift.range.clone(),
        rows: Sides::new(drift.rows.replica, drift.rows.primary),
    });
    let inverse = TablePlan {
        rows,
        ranges: joined(ranges.collect(), &changes, &after.key_order())?,
        schema_changes,
        pair: Some(after),
        structure: table.structure.clone(),
        truncated: table.truncated,
        handovers: inverse_handovers(table)?,
        equated: table.equated.clone(),
        spare_salt: table.spare_salt,
        ..TablePlan::unknown(table.table.clone(), table.replica_table.clone())
    };
    let mut inverse = inverse.with_changes(changes)?;
    // Causes tell how a replica came to differ from the primary, not how it is to differ again.
    inverse.causes.clear();
    inverse.status = inverse.status_found();
    Ok(Some(match lost_column(pair, &written) {
        None => inverse,
        Some(column) => inverse.failed(
            Failure::new(
                ErrorKind::Missing,
                format!(
                    "table {} cannot be taken back: the plan drops its column {column}, whose values it does not hold",
                    table.table
                ),
            )
            .hint("restore the column from a backup, or take the other tables back with --partial"),
        ),
    }))
}

/// What was changed online is taken back online, where the engine can.
fn online(
    table: &TablePlan,
    pair: &TablePair,
    dialect: &dyn Dialect,
    changes: Vec<SchemaChange>,
) -> Vec<SchemaChange> {
    let Some(known) = table.structure.replica.as_ref().filter(|_| pair.online) else { return changes };
    let then = (Some(known), known.layout.by.is_some());
    schema::online_changes(dialect, &pair.names.replica, then, &changes).unwrap_or(changes)
}

/// A column that goes with values that no row change holds: one that only the replica has.
fn lost_column(pair: &TablePair, written: &[&SchemaChange]) -> Option<String> {
    let is_paired = |name: &str| pair.columns.iter().any(|paired| paired.sides.replica.name == name);
    let lost = |change: &&SchemaChange| match (&change.alteration, change.action) {
        (Some(Alteration::Rebuild(rebuild)), _) => {
            let stays = |name: &str| rebuild.after.columns.iter().any(|column| column.name == name);
            let stored = rebuild.before.columns.iter().filter(|column| column.generated.is_none());
            let names = stored.map(|column| column.name.as_str());
            names.filter(|name| !stays(name) && !is_paired(name)).map(str::to_owned).next()
        }
        (_, SchemaAction::DropColumn) => {
            change.column(&pair.names.replica).filter(|name| !is_paired(name)).map(str::to_owned)
        }
        _ => None,
    };
    written.iter().find_map(lost)
}

/// Whether a change of a table that the plan creates is taken back by itself: all but what tables point at each other
/// with goes with the table.
fn is_taken_from(change: &SchemaChange) -> bool {
    matches!(change.action, SchemaAction::CreateTable | SchemaAction::Add(AttachmentKind::ForeignKey))
        || is_of_enum(change)
}

/// Whether it is about a type, which other tables may have too.
fn is_of_enum(change: &SchemaChange) -> bool {
    matches!(change.alteration, Some(Alteration::Enum(_)))
}

/// Rows in scope once the plan is applied: the primary's, but for what is withheld.
fn rows_after(table: &TablePlan) -> u64 {
    (table.rows.primary + table.withheld.delete).saturating_sub(table.withheld.insert)
}

/// The pair as it is once these changes are made. Its rows are the replica's own on both ends, so both sides of a
/// column are the replica's: only the name is the primary's.
fn pair_after(pair: &TablePair, written: &[&SchemaChange]) -> TablePair {
    let mut after = pair.clone();
    for change in written {
        if let Some(sql::Alteration::Rebuild(rebuild)) = &change.alteration {
            for paired in &mut after.columns {
                let name = &paired.sides.replica.name;
                paired.on_replica = rebuild.after.columns.iter().any(|column| column.name == *name);
            }
        }
        let is_there = match change.action {
            SchemaAction::CreateTable | SchemaAction::AddColumn => true,
            SchemaAction::DropTable | SchemaAction::DropColumn => false,
            _ => continue,
        };
        let column = change.column(&pair.names.replica);
        if column.is_none() {
            after.replica_missing = !is_there;
        }
        let concerned = |name: &str| column.is_none_or(|column| column == name);
        for paired in after.columns.iter_mut().filter(|paired| concerned(&paired.sides.replica.name)) {
            paired.on_replica = is_there;
        }
    }
    for paired in &mut after.columns {
        let name = paired.sides.primary.name.clone();
        paired.sides.primary = Column { name, ..paired.sides.replica.clone() };
    }
    after.writes = Writes { insert: true, update: true, delete: true };
    after.rows_estimate = Sides::new(None, None);
    after
}

/// What takes an alteration back. A table that is made anew has the indexes by the names that they have got since: those are
/// taken back behind it.
fn reversed(alteration: &Alteration, written: &[&SchemaChange]) -> Option<Alteration> {
    let mut reversed = alteration.reversed()?;
    if let Alteration::Rebuild(rebuild) = &mut reversed {
        let renamed = |one: &Attachment| {
            written.iter().find_map(|change| match &change.alteration {
                Some(Alteration::Rename { attachment, name }) if attachment.is_named_as(one) => Some(name),
                _ => None,
            })
        };
        for one in rebuild.before.attachments.iter_mut().chain(&mut rebuild.after.attachments) {
            while let Some(name) = renamed(one) {
                one.name.clone_from(name);
            }
        }
    }
    Some(reversed)
}

/// `None` for what is never written. `written`: all that was. `rows`: how many are in scope when it is made.
fn inverse_change(
    change: &SchemaChange,
    written: &[&SchemaChange],
    pair: &TablePair,
    rows: u64,
    dialect: &dyn Dialect,
) -> Option<SchemaChange> {
    let table = &pair.names.replica;
    let dropping = |action, sql, message, rows| SchemaChange {
        action,
        object: change.object.clone(),
        sql,
        before: change.after.clone(),
        after: None,
        hazards: vec![Hazard { name: DELETES_DATA.to_owned(), message, rows }],
        withheld: false,
        alteration: None,
        behind_rows: false,
        commit: Commit::Together,
        step_of: None,
    };
    match (change.action, change.column(table)) {
        (SchemaAction::CreateTable, _) => Some(dropping(
            SchemaAction::DropTable,
            dialect.drop_table(table),
            match rows {
                1 => format!("drops the table {} with its row", pair.replica_table),
                rows => format!("drops the table {} with its {rows} rows", pair.replica_table),
            },
            Some(rows),
        )),
        (SchemaAction::AddColumn, Some(column)) => Some(dropping(
            SchemaAction::DropColumn,
            dialect.drop_column(table, column),
            format!("drops the column {column} of {} with its values", pair.replica_table),
            // Rows out of scope have the column too, and were not counted.
            Some(rows).filter(|_| pair.scope.is_none()),
        )),
        (SchemaAction::DropTable, _) => Some(SchemaChange {
            action: SchemaAction::CreateTable,
            object: change.object.clone(),
            sql: change.before.iter().cloned().collect(),
            before: None,
            after: change.before.clone(),
            hazards: Vec::new(),
            withheld: false,
            alteration: None,
            behind_rows: false,
            commit: Commit::Together,
            step_of: None,
        }),
        (SchemaAction::DropColumn, Some(column)) => {
            let paired = pair.columns.iter().find(|paired| paired.sides.replica.name == column)?;
            Some(schema::added_column(dialect, table, &paired.sides.replica))
        }
        // Numbers that may have been given since are not given twice.
        (SchemaAction::SetSequence, _) => None,
        _ => {
            schema::altered(dialect, table, reversed(change.alteration.as_ref()?, written)?).map(|inverse| {
                // What goes and comes again does so with its keys.
                let remakes = matches!(inverse.alteration, Some(Alteration::Remake { .. }));
                SchemaChange { behind_rows: remakes || !change.comes_last(), ..inverse }
            })
        }
    }
}

/// The changes that were written, turned round; in key order as before.
fn inverse_rows(table: &TablePlan, pair: &TablePair, spool: &Spool) -> Result<ChangeList, SpoolError> {
    let mut inverse = ChangeListWriter::new(spool);
    for planned in table.changes.iter() {
        let planned = planned?;
        if !planned.withheld {
            inverse.push(&inverse_row(planned, pair))?;
        }
    }
    inverse.finish()
}

fn inverse_row(planned: PlannedChange, pair: &TablePair) -> PlannedChange {
    let after = |count: CopyCount| CopyCount {
        there: match planned.change {
            RowChange::Insert { .. } => count.there + count.of,
            _ => count.there.saturating_sub(count.of),
        },
        ..count
    };
    let copy = planned.copy.map(|copy| CopyNumber { image: after(copy.image), row: after(copy.row) });
    let change = match planned.change {
        RowChange::Insert { after } => RowChange::Delete { before: after },
        RowChange::Delete { before } => RowChange::Insert { after: before },
        RowChange::Update { before, after, columns } => {
            RowChange::Update { before: after, after: before, columns }
        }
    };
    // A row that came without values out of scope goes without.
    let extra = planned.extra.filter(|_| !pair.replica_extra.is_empty());
    PlannedChange { change, withheld: false, extra, stored: planned.stored, copy }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::testing::*;
    use crate::plan::{Part, RowAction, Spares, Status, statements, writes};
    use crate::sql::EngineName;
    use crate::value::{ColumnType, Decimal, Domain, Type, Value};

    fn plan_of(tables: Vec<TablePlan>) -> Plan {
        let server = Server {
            engine: EngineName::Sqlite,
            version: "3".to_owned(),
            identity: "sqlite".to_owned(),
            instance: None,
            place: None,
            display: "sqlite".to_owned(),
            missing: true,
            read_only: None,
        };
        Plan {
            kind: PlanKind::Changes,
            spec_fingerprint: String::new(),
            batch_rows: 100_000,
            spec_path: "spec.yml".to_owned(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            primary: server.clone(),
            primary_snapshot: String::new(),
            primary_error: None,
            replicas: vec![ReplicaPlan { server: Some(server), ..with_tables(tables) }],
        }
    }

    fn inverted(plan: &Plan) -> Plan {
        inverse(plan, &Spool::in_memory()).expect("in memory")
    }

    fn only(plan: &Plan) -> &TablePlan {
        &plan.replicas[0].tables[0]
    }

    fn with_extra(mut table: TablePlan, names: &[&str]) -> TablePlan {
        let extra = names.iter().map(|name| extra_column(name, true)).collect();
        table.pair.as_mut().expect("paired").replica_extra = extra;
        table
    }

    fn carrying(change: RowChange, extra: &[i64]) -> PlannedChange {
        PlannedChange { change, withheld: false, extra: Some(row(extra)), stored: None, copy: None }
    }

    fn structural(action: SchemaAction, object: &str, sql: &str) -> SchemaChange {
        SchemaChange {
            action,
            object: object.to_owned(),
            sql: vec![sql.to_owned()],
            before: None,
            after: Some(sql.to_owned()),
            hazards: Vec::new(),
            withheld: false,
            alteration: None,
            behind_rows: false,
            commit: Commit::Together,
            step_of: None,
        }
    }

    prop_compose! {
        fn any_change()(id in 1..1000_i64, action in 0..3, before in any::<i64>(), after in any::<i64>(), own in any::<i64>())
            -> PlannedChange
        {
            let plain = |change| PlannedChange { change, withheld: false, extra: None, stored: None, copy: None };
            match action {
                0 => plain(insert(&[id, after])),
                1 => plain(update(&[id, before], &[id, after], &[1])),
                _ => carrying(delete(&[id, before]), &[own]),
            }
        }
    }

    proptest! {
        #[test]
        fn the_inverse_of_the_inverse_is_the_plan_again(changes in proptest::collection::vec(any_change(), 0..300)) {
            let mut table = with_extra(table("t"), &["own"]);
            table.rows = Sides::new(1000, 1000);
            let table = table.with_changes(changes.iter().cloned().collect()).expect("in memory");
            let plan = plan_of(vec![table]);
            let inverse = inverse(&plan, &Spool::new(0)).expect("there is room");
            let turned = changes_of(&only(&inverse).changes);
            let key = |planned: &PlannedChange| planned.change.row().fields().next().flatten().map(<[u8]>::to_vec);
            prop_assert!(turned.iter().map(key).eq(changes.iter().map(key)), "the order of keys is kept");
            let again = inverted(&inverse);
            prop_assert_eq!(changes_of(&only(&again).changes), changes);
            prop_assert_eq!(only(&again).summary, only(&plan).summary);
            prop_assert_eq!(only(&again).status, only(&inverse).status);
            prop_assert_eq!(again.kind, PlanKind::Undo);
        }
    }

    #[test]
    fn a_deleted_row_comes_back_with_every_column() {
        let mut table = with_extra(table("t"), &["own", "made"]);
        let pair = table.pair.as_mut().expect("paired");
        pair.replica_extra[1].column.generated = Some(crate::sql::Generated::Stored);
        table.changes = [carrying(delete(&[1, 2]), &[3, 4])].into_iter().collect();
        let inverse = inverted(&plan_of(vec![table]));
        let table = only(&inverse);
        let limits = crate::plan::ChunkLimits { rows_max: 9, bytes_max: 1000 };
        let write = writes(table, RowAction::Insert, &Part::Whole, &[0], limits)
            .next()
            .expect("one")
            .expect("in memory");
        let sql =
            statements(table.pair.as_ref().expect("paired"), &write, Spares { salt: 0, rows: &[] }, &FAKE)
                .expect("they fit");
        // What is generated is not ours to write.
        assert_eq!(sql, ["insert t id=1,ref=2,own=3"]);
    }

    #[test]
    fn what_was_not_written_is_not_undone() {
        let mut kept = with_changes(table("kept"), vec![insert(&[1, 1]), insert(&[2, 1]), delete(&[3, 1])]);
        kept.changes = withheld(withheld(kept.changes, 0), 2);
        (kept.summary.insert, kept.summary.delete) = (1, 0);
        (kept.withheld.insert, kept.withheld.delete) = (1, 1);
        kept.schema_changes = vec![add_column("kept.more", true)];
        kept.rows = Sides::new(10, 9);
        let broken = with_changes(table("broken"), vec![insert(&[1, 1])]);
        let broken = broken.failed(Failure::new(ErrorKind::Value, "too long"));
        let mut missing = table("missing");
        missing.pair.as_mut().expect("paired").replica_missing = true;
        let mut plan = plan_of(vec![broken, kept, missing]);
        plan.replicas.push(ReplicaPlan {
            error: Some(Failure::new(ErrorKind::Connect, "it is down")),
            ..plan.replicas[0].clone()
        });
        let inverse = inverted(&plan);
        assert_eq!((inverse.replicas.len(), inverse.replicas[0].tables.len()), (1, 1));
        let table = only(&inverse);
        assert_eq!(changes_of(&table.changes)[0].change, delete(&[2, 1]));
        assert_eq!((table.changes.len(), table.withheld.total(), table.schema_changes.len()), (1, 0, 0));
        // One row came, one that should have gone stayed.
        assert_eq!((table.rows, table.status), (Sides::new(9, 10), Status::Drift));
        assert!(!inverse.replicas[0].server.as_ref().expect("reached").missing);
    }

    #[test]
    fn what_was_made_is_dropped_with_a_hazard_and_can_be_made_again() {
        let mut fresh = with_changes(table("fresh"), vec![insert(&[1, 1])]);
        fresh.rows = Sides::new(1, 0);
        fresh.schema_changes =
            vec![structural(SchemaAction::CreateTable, "fresh", "CREATE TABLE \"fresh\" (…)")];
        let pair = fresh.pair.as_mut().expect("paired");
        pair.replica_missing = true;
        pair.columns.iter_mut().for_each(|column| column.on_replica = false);
        let mut wider = with_changes(table("t"), vec![update(&[1, 1], &[1, 2], &[1])]);
        wider.schema_changes = vec![structural(SchemaAction::AddColumn, "t.ref", "…")];
        wider.pair.as_mut().expect("paired").columns[1].on_replica = false;

        let plan = plan_of(vec![fresh, wider]);
        let inverse = inverted(&plan);
        let [fresh, wider] = inverse.replicas[0].tables.as_slice() else { panic!("two tables") };
        let sql = |table: &TablePlan| (table.schema_changes[0].action, table.schema_changes[0].sql.clone());
        assert_eq!(sql(fresh), (SchemaAction::DropTable, vec!["DROP TABLE \"fresh\"".to_owned()]));
        let drop_column = "ALTER TABLE \"t\" DROP COLUMN \"ref\"".to_owned();
        assert_eq!(sql(wider), (SchemaAction::DropColumn, vec![drop_column]));
        let hazard = |table: &TablePlan| {
            let Hazard { name, message, rows } = table.schema_changes[0].hazards[0].clone();
            (name == DELETES_DATA, message, rows)
        };
        assert_eq!(hazard(fresh), (true, "drops the table fresh with its row".to_owned(), Some(1)));
        assert_eq!(hazard(wider), (true, "drops the column ref of t with its values".to_owned(), Some(100)));
        let there = |table: &TablePlan| {
            let pair = table.pair.as_ref().expect("paired");
            (pair.replica_missing, pair.columns.iter().all(|column| column.on_replica))
        };
        assert_eq!((there(fresh), there(wider)), ((false, true), (false, true)));
        assert_eq!((fresh.status, wider.status), (Status::Drift, Status::Drift));

        let again = inverted(&inverse);
        let [fresh, wider] = again.replicas[0].tables.as_slice() else { panic!("two tables") };
        assert_eq!(sql(fresh), sql(&plan.replicas[0].tables[0]));
        let add_column = "ALTER TABLE \"t\" ADD COLUMN \"ref\" bigint".to_owned();
        assert_eq!(sql(wider), (SchemaAction::AddColumn, vec![add_column]));
        assert_eq!((fresh.status, there(wider)), (Status::Missing, (false, false)));
    }

    #[test]
    fn both_ends_of_an_undone_update_are_the_replicas_own_values() {
        let decimal = |scale| {
            let meaning = Type::Decimal { precision: Some(10), scale: Some(scale) };
            ColumnType::new("decimal", meaning)
        };
        let mut table = table("t");
        let column = &mut table.pair.as_mut().expect("paired").columns[1];
        column.domain = Domain::Decimal { with_scale: false };
        column.sides.primary.column_type = decimal(4);
        column.sides.replica.column_type = decimal(2);
        let inverse = inverted(&plan_of(vec![table]));
        let column = &only(&inverse).pair.as_ref().expect("paired").columns[1];
        assert_eq!(column.name(), "ref");
        let shown = column.primary_value(Some(&Decimal::parse("1.5").expect("a number").to_wire(false)));
        assert_eq!(shown, Value::Decimal(Decimal::parse("1.50").expect("a number")));
    }
}
