//! Tables that a plan drops because only the replica has them, and what would have to give way for that.
//!
//! Pure. Invariant: a foreign key of a table that stays is in the way unless this plan drops it before.

use crate::schema::{self, Dependent};
use crate::sql::TableName;

use super::{ReplicaPlan, SchemaAction, Status, TablePlan};

/// The tables that the plan drops for that only the replica has them.
pub fn drops(plan: &ReplicaPlan) -> Vec<TableName> {
    let goes = |table: &&TablePlan| {
        let mut changes = table.schema_changes.iter();
        table.error.is_none()
            && table.status == Status::Extra
            && changes.any(|change| change.action == SchemaAction::DropTable && !change.withheld)
    };
    plan.tables.iter().filter(goes).filter_map(TablePlan::replica_name).cloned().collect()
}

/// Those of the foreign keys that point at a table which the plan drops, and that stay.
pub fn standing_in_the_way(plan: &ReplicaPlan, found: Vec<Dependent>) -> Vec<Dependent> {
    let dropped = drops(plan);
    let goes = |dependent: &Dependent| {
        let of_table = |table: &&TablePlan| {
            table.error.is_none() && table.pair.is_some() && table.replica_name() == Some(&dependent.table)
        };
        let tables = plan.tables.iter().filter(of_table);
        let detached: Vec<_> = tables.flat_map(|table| schema::going(&table.schema_changes)).collect();
        dropped.contains(&dependent.table)
            || detached.iter().any(|one| schema::is_foreign_key(one, &dependent.key))
    };
    found.into_iter().filter(|dependent| dropped.contains(&dependent.key.table) && !goes(dependent)).collect()
}
