//! Running the statements of a step, set-wise, and counting the rows they matched.

use crate::compare::RowCounts;
use crate::engine::Writer;
use crate::event::Event;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, RowAction, TablePlan, Write};

use super::guard::{GuardedStep, Spellings};
use super::rows::{CHUNK, Sample};
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
        for write in plan::writes(table, step.action, &step.pending, CHUNK) {
            let mut write = write?;
            spell(&mut write, &step.stored);
            if pair.is_keyless() && step.action == RowAction::Delete {
                self.choose_copies(writer, pair, &mut write).await?;
            }
            let statements = plan::statements(pair, &write, self.dialect)
                .map_err(|error| unwritable(table, &error.reason))?;
            self.execute(writer, table, &write, &statements).await?;
            for (_, planned) in &write.changes {
                counts.count(&planned.change);
            }
            self.observer.observe(Event::RowsWritten { rows: write.changes.len() as u64 });
        }
        Ok(counts)
    }

    /// Runs statements that together must match exactly the rows of one write.
    pub(super) async fn execute(
        &self,
        writer: &mut dyn Writer,
        table: &TablePlan,
        write: &Write,
        statements: &[String],
    ) -> Result<(), GivenUp> {
        let mut matched = 0;
        for sql in statements {
            self.go_on()?;
            matched +=
                writer.execute(sql).await.map_err(|error| in_table(table, write.action, error.into()))?;
        }
        if matched == write.changes.len() as u64 {
            return Ok(());
        }
        let rows: Sample = write.changes.iter().collect();
        let keys = table.pair.as_ref().map(|pair| rows.keys(pair)).unwrap_or_default();
        let message = format!(
            "table {}: only {matched} of {} to {} could be matched",
            table.table,
            plural(write.changes.len()),
            write.action.as_str(),
        );
        Err(Failure::new(ErrorKind::Changed, message)
            .key(keys)
            .hint("a trigger or a rule on the replica may have suppressed rows, or its collation holds two keys for equal")
            .into())
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
