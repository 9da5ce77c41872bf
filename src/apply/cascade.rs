//! Deletes and updates that would take rows with them which the plan does not name.
//!
//! Where a foreign key of the replica says CASCADE, SET NULL or SET DEFAULT, deleting a row, or changing what is
//! pointed at, changes rows that point at it. Those that the plan deletes or points elsewhere are its own; whatever
//! else points there is nobody's to change (a withheld delete, a row out of scope, one that came since). Invariant:
//! no row of a table in the plan changes that the plan did not show, and where it cannot be told, none is written.
//! Tables outside the plan are not known here.

use std::collections::HashSet;

use crate::engine::Writer;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, Checks, NumberedChange, Part, Pointing, Reference, RowAction, TablePlan};
use crate::schema::TablePair;
use crate::sql::Selection;
use crate::value::Key;

use super::guard::GuardedStep;
use super::{GivenUp, Run, rows};

impl Run<'_> {
    /// Before a step, or all steps of a circle: an error where rows would change along with them.
    pub(super) async fn refuse_cascades(
        &self,
        writer: &mut dyn Writer,
        step: &GuardedStep,
    ) -> Result<(), GivenUp> {
        let table = &self.plan.tables[step.table];
        let action = match step.part {
            Part::Whole => step.action,
            Part::Remove => RowAction::Delete,
            _ => return Ok(()),
        };
        // Keys that are not looked at carry nothing on; what is left pointing at nothing is found behind.
        let Some(parent) = table.pair.as_ref().filter(|_| step.checks != Checks::Off) else {
            return Ok(());
        };
        for (child, reference) in plan::carrying(&self.plan.tables, parent, action) {
            let child = &self.plan.tables[child];
            match (reference, &child.pair) {
                (Some(reference), Some(_)) => {
                    self.refuse_left(writer, step, action, child, &reference).await?;
                }
                (None, Some(pair)) if !step.pending.is_empty() => {
                    return Err(untold(table, pair, "the spec leaves columns of it out").into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// An error where rows of this table would change along that the plan neither deletes nor points elsewhere.
    async fn refuse_left(
        &self,
        writer: &mut dyn Writer,
        step: &GuardedStep,
        action: RowAction,
        child: &TablePlan,
        reference: &Reference,
    ) -> Result<(), GivenUp> {
        let table = &self.plan.tables[step.table];
        let Some(pair) = &child.pair else { return Ok(()) };
        let compares = reference.compares(self.dialect);
        let mut leaving: Option<HashSet<Key>> = None;
        for piece in rows::pieces(table, &step.pending, self.dialect) {
            self.go_on()?;
            let mut piece = piece?;
            if action == RowAction::Update {
                piece.retain(|(_, planned)| reference.is_moved_by(&planned.change, action));
            }
            if piece.is_empty() {
                continue;
            }
            let keys = keys(reference, &piece)
                .map_err(|_| untold(table, pair, "its two ends have different types"))?;
            let selection = match compares {
                Pointing::Untold => {
                    return Err(untold(table, pair, "its two ends have different collations").into());
                }
                Pointing::Collated => Selection::Alike(keys),
                Pointing::Equal => Selection::Keys(keys),
            };
            let found = writer.read(&reference.pointing_rows(pair, selection)).await?;
            if found.is_empty() {
                continue;
            }
            let known = match leaving.take() {
                Some(known) => known,
                None => plan::leaving(child, reference)?,
            };
            if found.rows().any(|row| !known.contains(&reference.row_key(row))) {
                return Err(carried_on(table, pair).into());
            }
            leaving = Some(known);
        }
        Ok(())
    }
}

fn carried_on(table: &TablePlan, child: &TablePair) -> Failure {
    let message = format!(
        "rows of table {} still point at rows of table {} that are to be deleted or changed, and the replica's foreign \
         key would change them too, which is not in the plan",
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

/// The values that rows which go are pointed at by.
fn keys(reference: &Reference, gone: &[NumberedChange]) -> Result<Vec<Key>, String> {
    gone.iter().filter_map(|(_, planned)| reference.key(planned.change.row()).transpose()).collect()
}
