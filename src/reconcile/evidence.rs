//! What hazards of structural changes are about, counted on the replica in the plan's own moment.
//!
//! Owns the numbers alone; what has a hazard is the schema room's to say. Invariant: a number that stands in a plan was
//! counted; where it could not be, the table is in error.

use crate::engine::Snapshot;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{ReplicaPlan, SchemaAction, SchemaChange, TablePlan};
use crate::spec::{DELETES_DATA, NARROWS_TYPE};
use crate::sql::{Alteration, Dialect, TableName};
use crate::value::Type;

/// Gives each hazard the rows that it is about, where they can be counted.
pub(super) async fn count(plan: &mut ReplicaPlan, snapshot: &dyn Snapshot, dialect: &dyn Dialect) {
    for table in plan.tables.iter_mut().filter(|table| table.error.is_none()) {
        if let Err(failure) = of_table(table, snapshot, dialect).await {
            let known = std::mem::replace(table, TablePlan::unknown(String::new(), String::new()));
            *table = known.failed(failure);
        }
    }
}

async fn of_table(
    table: &mut TablePlan,
    snapshot: &dyn Snapshot,
    dialect: &dyn Dialect,
) -> Result<(), Failure> {
    let Some(name) = table.pair.as_ref().map(|pair| pair.names.replica.clone()) else { return Ok(()) };
    for change in &mut table.schema_changes {
        let Some((hazard, sql)) = question(change, &name, dialect) else { continue };
        let answer = snapshot.ask(sql).await.map_err(Failure::from)?;
        let rows = answer.first().and_then(|count| count.as_ref()?.trim().parse::<u64>().ok());
        let rows = rows.ok_or_else(|| Failure::new(ErrorKind::Internal, "a count was not a number"))?;
        for counted in change.hazards.iter_mut().filter(|one| one.name == hazard) {
            counted.rows = Some(rows);
        }
    }
    Ok(())
}

/// The hazard whose rows can be counted, and the read that does.
fn question(
    change: &SchemaChange,
    table: &TableName,
    dialect: &dyn Dialect,
) -> Option<(&'static str, String)> {
    if change.action == SchemaAction::DropColumn {
        return Some((DELETES_DATA, dialect.count_values(table, change.column(table)?)));
    }
    let Some(Alteration::Column { before, after }) = &change.alteration else { return None };
    let narrows = change.hazards.iter().any(|hazard| hazard.name == NARROWS_TYPE);
    match &after.column_type.meaning {
        Type::Text { chars_max: Some(chars), .. } if narrows => {
            let is_text = matches!(before.column_type.meaning, Type::Text { .. });
            is_text.then(|| (NARROWS_TYPE, dialect.count_longer(table, &after.name, *chars)))
        }
        _ => None,
    }
}
