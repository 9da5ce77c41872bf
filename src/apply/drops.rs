//! What is looked at before a table goes that only the replica has: nothing of its rows stands in the plan but their number.
//!
//! Invariant: a table goes with as many rows as were counted when the plan was made, and none that stays points at it.
//! On an engine that commits with every structural change, what comes between the count and the statement is not seen.

use crate::engine::{Replica, Writer};
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, SchemaAction, SchemaChange, Status, TablePlan};

use super::{GivenUp, Run};

/// Whether a change drops a table because only the replica has it.
pub(super) fn is_extra_drop(table: &TablePlan, change: &SchemaChange) -> bool {
    table.status == Status::Extra && change.action == SchemaAction::DropTable
}

impl Run<'_> {
    /// Foreign keys may have come since the plan was made, and not every engine minds.
    pub(super) async fn refuse_pointed_at(&self, replica: &Replica) -> Result<(), GivenUp> {
        let names = plan::drops(self.plan);
        if names.is_empty() {
            return Ok(());
        }
        let found = replica.dependents(&names).await?;
        match plan::standing_in_the_way(&self.plan.before_renaming(), found).first() {
            None => Ok(()),
            Some(first) => {
                let message = format!(
                    "table {} on the replica would be dropped, and {} points at it",
                    first.key.table, first.table
                );
                Err(GivenUp::stale(Failure::new(ErrorKind::Changed, message).hint("plan again")))
            }
        }
    }

    /// Stale where a table that goes has not the number of rows that the plan counted.
    pub(super) async fn refuse_other_rows(
        &self,
        writer: &mut dyn Writer,
        changes: &[(usize, usize)],
        locked: bool,
    ) -> Result<(), GivenUp> {
        let dropped = self.schema_changes(changes).filter(|(table, change)| is_extra_drop(table, change));
        for (table, _) in dropped {
            let Some(name) = table.replica_name() else { continue };
            let (then, now) = (table.rows.replica, writer.count_rows(name, locked).await?);
            if now != then {
                let message = format!(
                    "table {} on the replica would be dropped with {now} rows, and had {then} when the plan was made",
                    table.table
                );
                return Err(GivenUp::stale(Failure::new(ErrorKind::Changed, message).hint("plan again")));
            }
        }
        Ok(())
    }
}
