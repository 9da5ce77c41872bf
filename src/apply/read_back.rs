//! Reading what was written, before it is committed: triggers, rounding and truncation show here.
//!
//! An inserted row must equal the plan's in every compared column (one that is put back, also in those out of
//! scope), an updated one in the columns that were set, and a deleted one must be gone. Columns of an updated row that were *not* set must be as they were; where
//! the replica moved them (ON UPDATE CURRENT_TIMESTAMP), they are set back once, explicitly, which such a
//! column accepts, and read again. Invariant: what is committed is what the plan showed.

use std::collections::{BTreeMap, BTreeSet};

use crate::compare::{PlannedChange, RowChange};
use crate::engine::Writer;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, ChangeNumber, Part, RowAction, TablePlan, Write};
use crate::schema::TablePair;
use crate::sql::{Column, Dialect, RowUpdate, RowsToWrite, TableWrite, Trigger};
use crate::value::Row;

use super::guard::GuardedStep;
use super::rows::{self, FoundRow, Sample};
use super::write::spell;
use super::{GivenUp, Run};

/// What a row that was read back says.
#[derive(Debug, Default)]
struct Verdict {
    /// Columns that are not as planned; all columns when the row is not there or not gone.
    wrong: Vec<u16>,
    /// Columns that were not to change and did.
    moved: Vec<u16>,
}

/// What the rows of one step say.
#[derive(Debug, Default)]
struct Findings {
    /// Rows that are not as planned.
    wrong: Sample,
    /// In which columns.
    wrong_columns: BTreeSet<u16>,
    /// Changes in whose rows columns moved that were not set, by those columns.
    moved: BTreeMap<Vec<u16>, Vec<ChangeNumber>>,
}

impl Findings {
    fn add_wrong(&mut self, row: &Row, columns: Vec<u16>) {
        self.wrong.add(row);
        self.wrong_columns.extend(columns);
    }
}

impl Run<'_> {
    /// Reads back every row that was written.
    pub(super) async fn read_back(
        &self,
        writer: &mut dyn Writer,
        steps: &[GuardedStep],
    ) -> Result<(), GivenUp> {
        for step in steps.iter().filter(|step| !step.part.is_aside()) {
            let table = &self.plan.tables[step.table];
            let Some(pair) = &table.pair else { continue };
            if pair.is_keyless() {
                if step.action == RowAction::Insert
                    && self.holds_copies(writer, table, pair, &step.pending).await?
                {
                    continue;
                }
                self.read_back_copies(writer, table, pair, &step.pending).await?;
                continue;
            }
            let well = match step.action {
                RowAction::Insert => self.read_back_range(writer, table, pair, &step.pending).await?,
                _ => 0,
            };
            let found = self.look(writer, table, pair, &step.pending[well..], false).await?;
            self.refuse_wrong(table, pair, step.action, &found)?;
            if found.moved.is_empty() {
                continue;
            }
            let again: Vec<ChangeNumber> = found.moved.values().flatten().copied().collect();
            self.turn_to(writer, step.table).await?;
            self.set_back(writer, step, pair, found.moved).await?;
            let found = self.look(writer, table, pair, &again, true).await?;
            self.refuse_wrong(table, pair, step.action, &found)?;
        }
        Ok(())
    }

    /// `set_back`: columns that moved were set back, and should not have moved again.
    async fn look(
        &self,
        writer: &mut dyn Writer,
        table: &TablePlan,
        pair: &TablePair,
        changes: &[ChangeNumber],
        set_back: bool,
    ) -> Result<Findings, GivenUp> {
        let seen = rows::seen(pair);
        let mut findings = Findings::default();
        for piece in rows::pieces(table, changes, self.dialect) {
            self.go_on()?;
            let piece = piece?;
            let columns = rows::and_extras(rows::compared(pair), pair, &piece);
            let found = rows::read(writer, table, pair, &piece, &columns, false).await?;
            for (number, planned) in &piece {
                let change = &planned.change;
                let verdict = verdict(planned, found.row(change.row().bytes()), &seen, &columns);
                if !verdict.wrong.is_empty() {
                    findings.add_wrong(change.row(), verdict.wrong);
                } else if !verdict.moved.is_empty() && set_back {
                    findings.add_wrong(change.row(), verdict.moved);
                } else if !verdict.moved.is_empty() {
                    findings.moved.entry(verdict.moved).or_default().push(*number);
                }
            }
        }
        Ok(findings)
    }

    async fn set_back(
        &self,
        writer: &mut dyn Writer,
        step: &GuardedStep,
        pair: &TablePair,
        moved: BTreeMap<Vec<u16>, Vec<ChangeNumber>>,
    ) -> Result<(), GivenUp> {
        let table = &self.plan.tables[step.table];
        for (columns, changes) in moved {
            for piece in rows::pieces(table, &changes, self.dialect) {
                let mut write = Write {
                    action: RowAction::Update,
                    part: Part::Whole,
                    columns: columns.clone(),
                    changes: piece?,
                };
                spell(&mut write, &step.stored);
                let Some((_, first)) = write.changes.first() else { continue };
                let rows = RowsToWrite::Update {
                    key: plan::address_columns(pair, first),
                    columns: plan::replica_columns(pair, &columns),
                    keep: Vec::new(),
                    rows: write.changes.iter().map(|(_, row)| as_it_was(pair, row, &columns)).collect(),
                };
                let rows = TableWrite { table: pair.names.replica.clone(), rows };
                self.write_rows(writer, table, &write, vec![rows]).await?;
            }
        }
        Ok(())
    }
}

/// Only updates have columns that may move.
fn as_it_was(pair: &TablePair, planned: &PlannedChange, columns: &[u16]) -> RowUpdate {
    let row = planned.change.row();
    let fields: Vec<Option<&[u8]>> = row.fields().collect();
    let value = |column: &u16| {
        let index = usize::from(*column);
        pair.columns[index].replica_value(fields[index])
    };
    RowUpdate { key: plan::address(pair, planned), values: columns.iter().map(value).collect() }
}

fn verdict(planned: &PlannedChange, found: Option<FoundRow<'_>>, seen: &[u16], columns: &[u16]) -> Verdict {
    match (&planned.change, found) {
        (RowChange::Delete { .. }, None) => Verdict::default(),
        (RowChange::Delete { .. }, Some(_)) | (_, None) => {
            Verdict { wrong: columns.to_vec(), moved: Vec::new() }
        }
        (RowChange::Insert { .. }, Some(row)) => {
            Verdict { wrong: row.differing(planned.fields(), columns), moved: Vec::new() }
        }
        (RowChange::Update { before, after, columns: set }, Some(row)) => {
            let kept: Vec<u16> = seen.iter().copied().filter(|column| !set.contains(column)).collect();
            Verdict {
                wrong: row.differing(after.fields(), set),
                moved: row.differing(before.fields(), &kept),
            }
        }
    }
}

/// The column's name in output; one out of scope has only the replica's.
fn name(pair: &TablePair, column: usize) -> String {
    match pair.columns.get(column) {
        Some(column) => column.name().to_owned(),
        None => pair.replica_part(column).column.name,
    }
}

/// Who may have rewritten rows, and what would settle it.
struct Suspects {
    /// `; the trigger stamp (BEFORE UPDATE) fires for these rows`, or nothing.
    words: String,
    hint: String,
}

/// What the catalog knows that rewrites rows written so. `ignorable`: of the columns concerned, those that the spec may
/// leave alone.
fn suspects(
    table: &TablePlan,
    pair: &TablePair,
    action: RowAction,
    columns: &[Column],
    ignorable: &[String],
    dialect: &dyn Dialect,
) -> Suspects {
    let triggers: Vec<String> =
        plan::firing(table, plan::event_of(action)).into_iter().map(Trigger::words).collect();
    let rewriting: Vec<&str> = columns
        .iter()
        .filter(|column| action == RowAction::Update && dialect.rewrites_itself(column))
        .map(|column| column.name.as_str())
        .collect();
    let mut words = match triggers.as_slice() {
        [] => String::new(),
        [one] => format!("; the trigger {one} fires for these rows"),
        more => format!("; the triggers {} fire for these rows", more.join(", ")),
    };
    if !rewriting.is_empty() {
        words.push_str(&format!("; {} is ON UPDATE CURRENT_TIMESTAMP", rewriting.join(", ")));
    }
    if words.is_empty() {
        let hint = "look for a rule, rounding or truncation on the replica, or a trigger that this login may not see; \
                    `compare: { column: ignore }` leaves a column alone";
        return Suspects { words, hint: hint.to_owned() };
    }
    let mut means = Vec::new();
    if !triggers.is_empty() && dialect.suppresses_triggers() {
        means.push("`triggers: suppress` keeps triggers from firing".to_owned());
    }
    if !ignorable.is_empty() {
        let ignored: Vec<String> = ignorable.iter().map(|name| format!("{name}: ignore")).collect();
        let them = if ignored.len() == 1 { "the column" } else { "the columns" };
        means.push(format!("`compare: {{ {} }}` leaves {them} alone", ignored.join(", ")));
    }
    let line = pair.place.line;
    let hint = match means.as_slice() {
        [] => "drop the trigger for the time of the apply".to_owned(),
        means => format!("in the entry in line {line} of the spec: {}", means.join(", or ")),
    };
    Suspects { words, hint }
}

impl Run<'_> {
    fn refuse_wrong(
        &self,
        table: &TablePlan,
        pair: &TablePair,
        action: RowAction,
        found: &Findings,
    ) -> Result<(), GivenUp> {
        if found.wrong.count == 0 {
            return Ok(());
        }
        let wrong: Vec<usize> = found.wrong_columns.iter().map(|column| usize::from(*column)).collect();
        let names: Vec<String> = wrong.iter().map(|column| name(pair, *column)).collect();
        let columns: Vec<Column> = wrong.iter().map(|column| pair.replica_part(*column).column).collect();
        let compared = wrong.iter().filter(|column| (pair.key_columns..pair.columns.len()).contains(*column));
        let ignorable: Vec<String> = compared.map(|column| name(pair, *column)).collect();
        // A row that is not there, or is there still, is no matter of its columns.
        let whole = action == RowAction::Delete || wrong.len() > ignorable.len();
        let ignorable: &[String] = if whole { &[] } else { &ignorable };
        let Suspects { words, hint } = suspects(table, pair, action, &columns, ignorable, self.dialect);
        let message = format!(
            "table {}, column {}: the replica did not keep the values that were written{words}",
            table.table,
            names.join(", "),
        );
        Err(Failure::new(ErrorKind::Value, message).key(found.wrong.keys(pair)).hint(hint).into())
    }

    /// Why a statement may not have matched all its rows.
    pub(super) fn unmatched_hint(&self, table: &TablePlan, pair: &TablePair, action: RowAction) -> String {
        let Suspects { words, hint } = suspects(table, pair, action, &[], &[], self.dialect);
        match words.strip_prefix("; ") {
            Some(words) => format!("{words}; {hint}"),
            None => "a trigger or a rule on the replica may have suppressed rows, or its collation holds two keys for \
                     equal"
                .to_owned(),
        }
    }
}
