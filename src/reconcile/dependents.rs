//! Who points from elsewhere at rows that a plan deletes.
//!
//! A catalog holds the schemas of the spec alone, and a foreign key of any other schema or database may carry a delete
//! on. Asked of the server only where there are deletes, for some servers open every table to answer.

use crate::engine::Replica;
use crate::failure::Failure;
use crate::plan::{ReplicaPlan, TablePlan};
use crate::schema::TablePair;
use crate::sql::TableName;

/// Adds the foreign keys that carry the plan's deletes on to tables which the catalog of the spec's schemas does not show.
///
/// # Errors
/// Where the server cannot be asked.
pub(super) async fn add(replica: &Replica, plan: &mut ReplicaPlan) -> Result<(), Failure> {
    let deleting = |table: &&mut TablePlan| table.summary.delete > 0;
    let names = |pair: &TablePair| pair.names.replica.clone();
    let tables = plan.tables.iter().filter(|table| table.summary.delete > 0);
    let tables: Vec<TableName> = tables.filter_map(|table| table.pair.as_ref()).map(names).collect();
    if tables.is_empty() {
        return Ok(());
    }
    let found = replica.dependents(&tables).await?;
    for pair in plan.tables.iter_mut().filter(deleting).filter_map(|table| table.pair.as_mut()) {
        for dependent in found.iter().filter(|found| found.key.table == pair.names.replica) {
            if !pair.dependents.iter().any(|known| known.table == dependent.table) {
                pair.dependents.push(dependent.clone());
            }
        }
    }
    Ok(())
}
