//! Who points from elsewhere at rows that a plan deletes or changes.
//!
//! A catalog holds the schemas of the spec alone, and a foreign key of any other schema or database may carry a change
//! on. Asked of the server only where there are deletes and updates, for some servers open every table to answer.

use std::collections::{HashMap, HashSet};

use crate::engine::Replica;
use crate::failure::Failure;
use crate::plan::{self, ReplicaPlan, TablePlan};
use crate::schema::{self, Dependent, TablePair};
use crate::sql::{Attachment, TableName};

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
    let mut found: HashMap<TableName, Vec<Dependent>> = HashMap::new();
    for dependent in replica.dependents(&tables).await? {
        found.entry(dependent.key.table.clone()).or_default().push(dependent);
    }
    for pair in plan.tables.iter_mut().filter(|table| changes(table)).filter_map(|table| table.pair.as_mut())
    {
        for dependent in found.get(&pair.names.replica).into_iter().flatten() {
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
    let mut going: HashMap<TableName, Vec<Attachment>> = HashMap::new();
    for table in written {
        let own = schema::going(&table.schema_changes);
        if let Some(pair) = table.pair.as_ref().filter(|_| !own.is_empty()) {
            going.entry(pair.names.replica.clone()).or_default().extend(own);
        }
    }
    let dropped: HashSet<TableName> = plan::drops(plan).into_iter().collect();
    if going.is_empty() && dropped.is_empty() {
        return;
    }
    let goes = |dependent: &Dependent| {
        let mut of_table = going.get(&dependent.table).into_iter().flatten();
        dropped.contains(&dependent.table) || of_table.any(|one| schema::is_foreign_key(one, &dependent.key))
    };
    for pair in plan.tables.iter_mut().filter_map(|table| table.pair.as_mut()) {
        pair.dependents.retain(|dependent| !goes(dependent));
        let Some(own) = going.get(&pair.names.replica) else { continue };
        pair.foreign_keys.retain(|key| !own.iter().any(|one| schema::is_foreign_key(one, key)));
    }
}
