//! Writing the steps of a transaction in order, those of circles by the means that the plan says.
//!
//! Owns when constraints are put off and when foreign keys are not looked at; the plan says for which steps. Invariant:
//! behind the last step of a circle constraints are looked at as they were before, or will be before the commit;
//! after an error the transaction is rolled back, which has the engine look at them again.

use crate::compare::RowCounts;
use crate::engine::Writer;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, Checks, RowAction};

use super::guard::GuardedStep;
use super::rows::chunk;
use super::write::{spell, unwritable};
use super::{GivenUp, Run};

impl GuardedStep {
    /// Whether rows to delete may have gone along with others of their circle.
    pub(super) fn may_be_gone(&self) -> bool {
        self.deferred && self.action == RowAction::Delete && !self.part.is_aside()
    }
}

impl Run<'_> {
    /// Writes all steps of a transaction, and says how many rows that were.
    pub(super) async fn write_steps(
        &self,
        writer: &mut dyn Writer,
        steps: &[GuardedStep],
    ) -> Result<RowCounts, GivenUp> {
        let ways = self.dialect.constraint_checks();
        let mut counts = RowCounts::default();
        let (mut deferred, mut off) = (false, false);
        let mut looked_at = None;
        let same = |one: &GuardedStep, other: &GuardedStep| {
            matches!(one.checks, Checks::Together(_)) && one.checks == other.checks
        };
        for together in steps.chunk_by(same) {
            let Some(first) = together.first() else { continue };
            if let (false, true, Some(defer)) = (deferred, first.deferred, ways.defer) {
                writer.execute(defer).await?;
                deferred = true;
            }
            let wanted = first.checks == Checks::Off;
            if let (true, Some((switch_off, switch_on))) = (wanted != off, ways.off) {
                writer.execute(if wanted { switch_off } else { switch_on }).await?;
                off = wanted;
            }
            // One step of a circle may carry on to rows of another one, and that one further.
            if first.circle.is_none() || first.circle != looked_at {
                let with = |step: &&GuardedStep| first.circle.is_some() && step.circle == first.circle;
                let written_with: Vec<&GuardedStep> = match first.circle {
                    Some(_) => steps.iter().filter(with).collect(),
                    None => vec![first],
                };
                for step in &written_with {
                    self.refuse_cascades(writer, step, &written_with).await?;
                }
                looked_at = first.circle;
            }
            match first.checks {
                Checks::Together(_) => counts += self.write_together(writer, together).await?,
                _ => {
                    self.turn_to(writer, first.table).await?;
                    counts += self.write(writer, first).await?;
                }
            }
        }
        if let (true, Some((_, switch_on))) = (off, ways.off) {
            writer.execute(switch_on).await?;
        }
        // What triggers do that were put off as well shows before rows are read back.
        if let (true, Some(hold)) = (deferred, ways.hold) {
            writer.execute(hold).await?;
        }
        Ok(counts)
    }

    /// Several steps as one statement, behind which their foreign keys hold.
    async fn write_together(
        &self,
        writer: &mut dyn Writer,
        steps: &[GuardedStep],
    ) -> Result<RowCounts, GivenUp> {
        // Triggers of several tables cannot be told apart within one statement by who is written.
        if let Some(first) = steps.first() {
            self.turn_to(writer, first.table).await?;
        }
        let (mut statements, mut rows, mut counts) = (Vec::new(), 0, RowCounts::default());
        let mut tables: Vec<&str> = Vec::new();
        for step in steps {
            let table = &self.plan.tables[step.table];
            tables.push(&table.table);
            for write in plan::writes(table, step.action, &step.part, &step.pending, chunk(self.dialect)) {
                let mut write = write?;
                spell(&mut write, &step.stored);
                let Some(pair) = &table.pair else { continue };
                let more = plan::statements(pair, &write, table.spares(), self.dialect);
                statements.extend(more.map_err(|error| unwritable(table, &error.reason))?);
                rows += write.changes.len() as u64;
                self.count_written(&write, &mut counts);
            }
        }
        if statements.is_empty() {
            return Ok(counts);
        }
        tables.sort_unstable();
        tables.dedup();
        let tables = tables.join(", ");
        self.go_on()?;
        let matched = writer.execute(&self.dialect.together(&statements)).await.map_err(|error| {
            let mut failure = Failure::from(error);
            failure.message =
                format!("could not write rows of {tables} that wait for each other: {}", failure.message);
            failure
        })?;
        if matched == rows || (matched < rows && steps.iter().any(GuardedStep::may_be_gone)) {
            return Ok(counts);
        }
        let message =
            format!("only {matched} of {rows} rows of {tables} that wait for each other could be matched");
        Err(Failure::new(ErrorKind::Changed, message)
            .hint("a trigger or a rule on the replica may have suppressed rows")
            .into())
    }
}
