//! Deletes that would take rows with them which the plan does not name.
//!
//! Where a foreign key of the replica says ON DELETE CASCADE, SET NULL or SET DEFAULT, deleting a row changes
//! rows that point at it. Those that the plan deletes or points elsewhere are out of the way by then; whatever
//! still points there is nobody's to change (a withheld delete, a row out of scope). Invariant: no row of a
//! table in the plan changes that the plan did not show. Tables outside the plan are not known here.

use crate::compare::RowChange;
use crate::engine::Writer;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, NumberedChange, Pointing, Reference, RowAction, TablePlan};
use crate::schema::TablePair;
use crate::sql::{Select, Selection};
use crate::value::Key;

use super::guard::GuardedStep;
use super::{GivenUp, Run, rows};

impl Run<'_> {
    /// Before the deletes of a step: an error where rows would change along with them.
    pub(super) async fn refuse_cascades(
        &self,
        writer: &mut dyn Writer,
        step: &GuardedStep,
    ) -> Result<(), GivenUp> {
        let table = &self.plan.tables[step.table];
        let Some(parent) = table.pair.as_ref().filter(|_| step.action == RowAction::Delete) else {
            return Ok(());
        };
        for (child, reference) in plan::carrying(&self.plan.tables, parent) {
            let Some(child) = &self.plan.tables[child].pair else { continue };
            if step.pending.is_empty() {
                continue;
            }
            let reference =
                reference.ok_or_else(|| untold(table, child, "the spec leaves columns of it out"))?;
            let compares = reference.compares(self.dialect);
            if compares == Pointing::Untold {
                return Err(untold(table, child, "its two ends have different collations").into());
            }
            for piece in rows::pieces(table, &step.pending, self.dialect) {
                self.go_on()?;
                let keys = keys(&reference, &piece?)
                    .map_err(|_| untold(table, child, "its two ends have different types"))?;
                let selection = match compares {
                    Pointing::Collated => Selection::Alike(keys),
                    _ => Selection::Keys(keys),
                };
                if !writer.read(&select(&reference, child, selection)).await?.is_empty() {
                    return Err(carried_on(table, child).into());
                }
            }
        }
        Ok(())
    }
}

fn carried_on(table: &TablePlan, child: &TablePair) -> Failure {
    let message = format!(
        "rows of table {} still point at rows of table {} that are to be deleted, and the replica's foreign key \
         would change them too, which is not in the plan",
        child.table, table.table
    );
    Failure::new(ErrorKind::Key, message).hint(format!(
        "bring those rows of {} into the scope of the spec, or let it delete them",
        child.table
    ))
}

/// Where it cannot be told whether rows would change along, none is deleted.
fn untold(table: &TablePlan, child: &TablePair, why: &str) -> Failure {
    let message = format!(
        "whether rows of table {} point at rows of table {} that are to be deleted cannot be told, for the \
         replica's foreign key cannot be followed ({why})",
        child.table, table.table
    );
    Failure::new(ErrorKind::Key, message).hint(format!(
        "bring the columns of that key into the spec, or withhold the deletes of {} (`delete: false`)",
        table.table
    ))
}

/// The values that deleted rows are pointed at by.
fn keys(reference: &Reference, deleted: &[NumberedChange]) -> Result<Vec<Key>, String> {
    let rows = deleted.iter().filter_map(|(_, planned)| match &planned.change {
        RowChange::Delete { before } => Some(before),
        _ => None,
    });
    rows.filter_map(|row| reference.key(row).transpose()).collect()
}

/// The rows that point with one of these.
fn select(reference: &Reference, child: &TablePair, selection: Selection) -> Select {
    Select {
        table: child.names.replica.clone(),
        columns: reference.pointing.clone(),
        key_columns: reference.pointing.len(),
        scope: None,
        selection,
        ordered: false,
        locked: false,
    }
}
