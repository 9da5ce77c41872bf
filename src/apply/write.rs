//! Writing the rows of a step, set-wise, and counting those that were matched.

use std::sync::atomic::Ordering;

use crate::compare::RowCounts;
use crate::engine::Writer;
use crate::event::Event;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, RowAction, TablePlan, Write};
use crate::sql::TableWrite;

use super::guard::{GuardedStep, Spellings};
use super::rows::{Sample, chunk};
use super::{GivenUp, Run};

impl Run<'_> {
    /// Writes the changes of a step that are pending, and says how many that were.
    pub(super) async fn write(
        &self,
        writer: &mut dyn Writer,
        step: &GuardedStep,
    ) -> Result<RowCounts, GivenUp> {
        let table = &self.plan.tables[step.table];
        let Some(pair) = &table.pair else { return Ok(RowCounts::default()) };
        let mut counts = RowCounts::default();
        for write in plan::writes(table, step.action, &step.part, &step.pending, chunk(self.dialect)) {
            let mut write = write?;
            spell(&mut write, &step.stored);
            if pair.is_keyless() && step.action == RowAction::Delete {
                self.choose_copies(writer, pair, &mut write).await?;
            }
            let rows = plan::table_writes(pair, &write, table.spares(), self.dialect);
            match step.may_be_gone() {
                true => drop(self.run(writer, table, write.action, rows).await?),
                false => self.write_rows(writer, table, &write, rows).await?,
            }
            self.count_written(&write, &mut counts);
        }
        Ok(counts)
    }

    /// Rows of which this was the other half are counted there.
    pub(super) fn count_written(&self, write: &Write, counts: &mut RowCounts) {
        if write.part.is_aside() {
            return;
        }
        write.changes.iter().for_each(|(_, planned)| counts.count(&planned.change));
        let rows = write.changes.len() as u64;
        self.told_rows.fetch_add(rows, Ordering::Relaxed);
        self.observer.observe(Event::RowsWritten { rows });
    }

    /// Writes rows, and says how many were matched.
    async fn run(
        &self,
        writer: &mut dyn Writer,
        table: &TablePlan,
        action: RowAction,
        rows: Vec<TableWrite>,
    ) -> Result<u64, GivenUp> {
        let mut matched = 0;
        for rows in rows {
            self.go_on()?;
            matched += writer.write(rows).await.map_err(|error| in_table(table, action, error.into()))?;
        }
        Ok(matched)
    }

    /// Writes rows that together must match exactly those of one write.
    pub(super) async fn write_rows(
        &self,
        writer: &mut dyn Writer,
        table: &TablePlan,
        write: &Write,
        rows: Vec<TableWrite>,
    ) -> Result<(), GivenUp> {
        let matched = self.run(writer, table, write.action, rows).await?;
        if matched == write.changes.len() as u64 {
            return Ok(());
        }
        let rows: Sample = write.changes.iter().collect();
        let keys = table.pair.as_ref().map(|pair| rows.keys(pair)).unwrap_or_default();
        let hint = table.pair.as_ref().map(|pair| self.unmatched_hint(table, pair, write.action));
        let hint = hint.unwrap_or_default();
        let message = format!(
            "table {}: only {matched} of {} to {} could be matched",
            table.table,
            plural(write.changes.len()),
            write.action.as_str(),
        );
        Err(Failure::new(ErrorKind::Changed, message).key(keys).hint(hint).into())
    }
}

/// Rows go by the spelling that was read now, not by that of the plan's day.
pub(super) fn spell(write: &mut Write, stored: &Spellings) {
    for (number, planned) in &mut write.changes {
        if let Some(stored) = stored.get(number) {
            planned.stored = Some(stored.clone());
        }
    }
}

fn plural(rows: usize) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}

/// Says where the database's own words come from.
fn in_table(table: &TablePlan, action: RowAction, mut failure: Failure) -> Failure {
    failure.message =
        format!("could not {} rows of table {}: {}", action.as_str(), table.table, failure.message);
    failure
}

pub(super) fn unwritable(table: &TablePlan, reason: &str) -> GivenUp {
    Failure::new(ErrorKind::Value, format!("table {}: {reason}", table.table)).into()
}
