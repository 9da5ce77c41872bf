//! Deletes and updates that would take rows with them which the plan does not name.
//!
//! Where a foreign key of the replica says CASCADE, SET NULL or SET DEFAULT, deleting a row, or changing what is
//! pointed at, changes rows that point at it. Those that the plan deletes or points elsewhere are its own; whatever
//! else points there is nobody's to change (a withheld delete, a row out of scope, one that came since). Invariant:
//! no row of a table in the plan changes that the plan did not show, and where it cannot be told, none is written.
//! Tables outside the plan are not known here.

use crate::compare::ChangeNumber;
use crate::engine::Writer;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{
    self, Checks, NumberedChange, Part, Pointing, Reference, RowAction, TablePlan, Unfollowed,
};
use crate::schema::TablePair;
use crate::value::Key;

use super::guard::GuardedStep;
use super::{GivenUp, Run, rows};

impl Run<'_> {
    /// Before a step is written, or all those that are `written_with` it in a circle: an error where rows would change
    /// along with its own. Rows that have left before are looked at like any other: they may have come back.
    pub(super) async fn refuse_cascades(
        &self,
        writer: &mut dyn Writer,
        step: &GuardedStep,
        written_with: &[&GuardedStep],
    ) -> Result<(), GivenUp> {
        let table = &self.plan.tables[step.table];
        let action = match step.part {
            Part::Whole | Part::Except(_) => step.action,
            Part::Remove => RowAction::Delete,
            _ => return Ok(()),
        };
        // Keys that are not looked at carry nothing on; what is left pointing at nothing is found behind.
        let Some(parent) = table.pair.as_ref().filter(|_| step.checks != Checks::Off) else {
            return Ok(());
        };
        for pointing in plan::pointing(&self.plan.tables, parent).filter(|key| key.carries(action)) {
            let own =
                written_with.iter().filter(|with| with.table == pointing.child && !with.part.is_aside());
            let own: Vec<ChangeNumber> = own.flat_map(|with| with.pending.iter().copied()).collect();
            self.refuse_left(writer, step, action, &pointing, own).await?;
        }
        Ok(())
    }

    /// An error where rows would change along by this key that are not among the `own` changes.
    async fn refuse_left(
        &self,
        writer: &mut dyn Writer,
        step: &GuardedStep,
        action: RowAction,
        pointing: &Pointing<'_>,
        own: Vec<ChangeNumber>,
    ) -> Result<(), GivenUp> {
        let (table, child) = (&self.plan.tables[step.table], &self.plan.tables[pointing.child]);
        let (Some(parent), Some(pair)) = (&table.pair, &child.pair) else { return Ok(()) };
        let untold = |why: Unfollowed| GivenUp::from(why.failure(&table.table, &pair.table));
        let mut leaving = None;
        for piece in rows::pieces(table, &step.pending, self.dialect) {
            self.go_on()?;
            let mut piece = piece?;
            if action == RowAction::Update {
                piece.retain(|(_, planned)| pointing.is_moved_by(parent, &planned.change));
            }
            if piece.is_empty() {
                continue;
            }
            let reference = pointing.reference.as_ref().map_err(|why| untold(*why))?;
            let keys = keys(reference, &piece).map_err(untold)?;
            if keys.is_empty() {
                continue;
            }
            let selection = reference.selection(keys, self.dialect).map_err(untold)?;
            let found = writer.read(&reference.pointing_rows(pair, selection)).await?;
            if found.is_empty() {
                continue;
            }
            if leaving.is_none() {
                leaving = Some(plan::leaving(
                    child,
                    reference,
                    own.iter().copied(),
                    reference.is_exact(self.dialect),
                )?);
            }
            let is_own = |row: &[u8]| {
                leaving
                    .as_ref()
                    .is_some_and(|own| !pair.is_keyless() && own.contains(&reference.parts_of(row).1))
            };
            if !found.rows().all(is_own) {
                return Err(carried_on(table, pair).into());
            }
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

/// The values that rows which go are pointed at by.
fn keys(reference: &Reference, gone: &[NumberedChange]) -> Result<Vec<Key>, Unfollowed> {
    gone.iter().filter_map(|(_, planned)| reference.key(&planned.fields()).transpose()).collect()
}
