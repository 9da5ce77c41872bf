//! Who points from elsewhere at rows that a plan deletes or changes.
//!
//! A catalog holds the schemas of the spec alone, and a foreign key of any other schema or database may carry a change
//! on. Asked of the server only where there are deletes and updates, for some servers open every table to answer.

use crate::engine::Replica;
use crate::failure::Failure;
use crate::plan::{self, ReplicaPlan, TablePlan};
use crate::schema::{self, Dependent, TablePair};
use crate::sql::TableName;

/// Adds the foreign keys that carry the plan's changes on to tables which the catalog of the spec's schemas does not show.
///
/// # Errors
/// Where the server cannot be asked.
pub(super) async fn add(replica: &Replica, plan: &mut ReplicaPlan) -> Result<(), Failure> {
    let changes = |table: &TablePlan| table.summary.delete + table.summary.update > 0;
    let names = |pair: &TablePair| pair.names.replica.clone();
    let tables = plan.tables.iter().filter(|table| changes(table));
    let tables: Vec<TableName> = tables.filter_map(|table| table.pair.as_ref()).map(names).collect();
    if tables.is_empty() {
        forget_going(plan);
        return Ok(());
    }
    let found = replica.dependents(&tables).await?;
    for pair in plan.tables.iter_mut().filter(|table| changes(table)).filter_map(|table| table.pair.as_mut())
    {
        for dependent in found.iter().filter(|found| found.key.table == pair.names.replica) {
            // The catalog of the plan's day may have known it, with another action.
            if !pair.dependents.contains(dependent) {
                pair.dependents.push(dependent.clone());
            }
        }
    }
    forget_going(plan);
    Ok(())
}

/// Foreign keys that the plan drops before it writes rows carry nothing on.
fn forget_going(plan: &mut ReplicaPlan) {
    let written = plan.tables.iter().filter(|table| table.error.is_none());
    let going = written.filter_map(|table| {
        let going = schema::going(&table.schema_changes);
        Some((table.pair.as_ref()?.names.replica.clone(), going))
    });
    let going: Vec<_> = going.collect();
    let dropped = plan::drops(plan);
    let goes = |dependent: &Dependent| {
        if dropped.contains(&dependent.table) {
            return true;
        }
        let of_table = going.iter().filter(|(table, _)| *table == dependent.table);
        of_table.flat_map(|(_, going)| going).any(|one| schema::is_foreign_key(one, &dependent.key))
    };
    for pair in plan.tables.iter_mut().filter_map(|table| table.pair.as_mut()) {
        pair.dependents.retain(|dependent| !goes(dependent));
        let own = going.iter().filter(|(table, _)| *table == pair.names.replica).flat_map(|(_, going)| going);
        let own: Vec<_> = own.collect();
        pair.foreign_keys.retain(|key| !own.iter().any(|one| schema::is_foreign_key(one, key)));
    }
}
