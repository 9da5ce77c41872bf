//! Structural changes of tables whose entry says `online`: cut into steps that keep nobody from the table.
//!
//! Refuses what the engine can do under a long lock only: the table is in error, for a lock is what the spec forbids.

use crate::failure::{ErrorKind, Failure};
use crate::plan::{ReplicaPlan, TablePlan};
use crate::schema;
use crate::spec::Spec;
use crate::sql::Dialect;

/// Cuts the changes of all tables that are changed online.
pub(super) fn cut(spec: &Spec, plan: &mut ReplicaPlan, dialect: &dyn Dialect) {
    for table in plan.tables.iter_mut().filter(|table| table.error.is_none()) {
        let Some(pair) = table.pair.as_ref().filter(|pair| pair.online) else { continue };
        let place = pair.place;
        match steps(table, dialect) {
            Some(Ok(changes)) => table.schema_changes = changes,
            Some(Err(why)) => {
                let what = format!(
                    "the structure of the replica's table {} cannot be changed online: {why}",
                    table.replica_table
                );
                table.fail(Failure::new(ErrorKind::Type, spec.error_at(place, what).headline()).hint(
                    "change that by hand, or take `online: true` from the table's entry and run when its lock hurts nobody",
                ));
            }
            None => {}
        }
    }
}

fn steps(table: &TablePlan, dialect: &dyn Dialect) -> Option<Result<Vec<schema::SchemaChange>, String>> {
    let pair = table.pair.as_ref()?;
    let replica = table.structure.replica.as_ref().filter(|_| !pair.replica_missing);
    let model = replica.or(table.structure.primary.as_ref())?;
    let known = (replica, model.layout.by.is_some());
    Some(schema::online_changes(dialect, &pair.names.replica, known, &table.schema_changes))
}
