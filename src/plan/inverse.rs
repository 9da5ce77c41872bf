//! The inverse of a plan: what puts its replicas back to what they were before it.
//!
//! An insert becomes a delete, a delete an insert of the whole row (with the columns out of scope), an update
//! swaps its ends; a created table is dropped, an added column too. What the plan withheld, and tables and
//! replicas in error, were never written and are no part of it. Invariant: applied behind its plan, the inverse
//! leaves every value as the plan saw it, as far as the pair's domains tell values apart; the inverse of the
//! inverse has the plan's changes again. What a replica did by itself (deletes that its foreign keys carried on
//! outside the plan, triggers) is not in a plan, and so not in its inverse.

use crate::compare::{ChangeList, ChangeListWriter, RangeDrift, RowChange, joined};
use crate::schema::{self, DELETES_DATA, Hazard, TablePair, Writes};
use crate::server::Server;
use crate::sides::Sides;
use crate::spool::{Spool, SpoolError};
use crate::sql::{self, Column, Dialect};

use super::{Plan, PlanKind, PlannedChange, ReplicaPlan, SchemaAction, SchemaChange, TablePlan};

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
        created_at: plan.created_at,
        primary: plan.primary.clone(),
        primary_snapshot: plan.primary_snapshot.clone(),
        replicas,
    })
}

fn inverse_replica(replica: &ReplicaPlan, server: &Server, spool: &Spool) -> Result<ReplicaPlan, SpoolError> {
    let dialect = sql::dialect(server.engine);
    let mut tables = Vec::new();
    for table in replica.tables.iter().filter(|table| table.error.is_none()) {
        if let Some(pair) = &table.pair {
            tables.extend(inverse_table(table, pair, dialect, spool)?);
        }
    }
    Ok(ReplicaPlan {
        name: replica.name.clone(),
        // A file that was missing is there once the plan is applied.
        server: Some(Server { missing: false, ..server.clone() }),
        snapshot: replica.snapshot.clone(),
        tables,
        refusals: Vec::new(),
        error: None,
    })
}

/// `None` for a table that is missing on the replica before and after the plan.
fn inverse_table(
    table: &TablePlan,
    pair: &TablePair,
    dialect: &dyn Dialect,
    spool: &Spool,
) -> Result<Option<TablePlan>, SpoolError> {
    let written: Vec<&SchemaChange> = table.schema_changes.iter().filter(|change| !change.withheld).collect();
    let after = pair_after(pair, &written);
    if pair.replica_missing && after.replica_missing {
        return Ok(None);
    }
    let rows = Sides::new(table.rows.replica, rows_after(table));
    let schema_changes: Vec<SchemaChange> = written
        .iter()
        .rev()
        .filter_map(|change| inverse_change(change, &after, rows.replica, dialect))
        .collect();
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
        truncated: table.truncated,
        ..TablePlan::unknown(table.table.clone(), table.replica_table.clone())
    };
    let mut inverse = inverse.with_changes(changes)?;
    inverse.status = inverse.status_found();
    Ok(Some(inverse))
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
        let is_there = match change.action {
            SchemaAction::CreateTable | SchemaAction::AddColumn => true,
            SchemaAction::DropTable | SchemaAction::DropColumn => false,
            SchemaAction::AlterColumn => continue,
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

/// `None` for what is never written. `rows`: how many are in scope when it is made.
fn inverse_change(
    change: &SchemaChange,
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
    };
    match (change.action, change.column(table)) {
        (SchemaAction::CreateTable, _) => Some(dropping(
            SchemaAction::DropTable,
            dialect.drop_table(table),
            format!("drops the table {} with its {rows} rows", pair.replica_table),
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
        }),
        (SchemaAction::DropColumn, Some(column)) => {
            let paired = pair.columns.iter().find(|paired| paired.sides.replica.name == column)?;
            Some(schema::added_column(dialect, table, &paired.sides.replica))
        }
        (SchemaAction::AlterColumn | SchemaAction::AddColumn | SchemaAction::DropColumn, _) => None,
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
    let change = match planned.change {
        RowChange::Insert { after } => RowChange::Delete { before: after },
        RowChange::Delete { before } => RowChange::Insert { after: before },
        RowChange::Update { before, after, columns } => {
            RowChange::Update { before: after, after: before, columns }
        }
    };
    // A row that came without values out of scope goes without.
    let extra = planned.extra.filter(|_| !pair.replica_extra.is_empty());
    PlannedChange { change, withheld: false, extra }
}
