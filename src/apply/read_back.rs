//! Reading what was written, before it is committed: triggers, rounding and truncation show here.
//!
//! An inserted row must equal the plan's in every compared column, an updated one in the columns that were
//! set, and a deleted one must be gone. Columns of an updated row that were *not* set must be as they were; where
//! the replica moved them (ON UPDATE CURRENT_TIMESTAMP), they are set back once, explicitly, which such a
//! column accepts, and read again. Invariant: what is committed is what the plan showed.

use std::collections::{BTreeMap, BTreeSet};

use crate::compare::RowChange;
use crate::engine::Writer;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, RowAction, TablePlan, Write};
use crate::schema::TablePair;
use crate::sql::RowUpdate;

use super::guard::GuardedTable;
use super::rows::{self, FoundRow};
use super::write::unwritable;
use super::{GivenUp, Run};

/// What a row that was read back says.
#[derive(Debug, Default)]
struct Verdict {
    /// Columns that are not as planned; all columns when the row is not there or not gone.
    wrong: Vec<u16>,
    /// Columns that were not to change and did.
    moved: Vec<u16>,
}

/// What the rows of one table say.
#[derive(Debug, Default)]
struct Findings {
    /// Rows that are not as planned, and in which columns.
    wrong: Vec<(usize, Vec<u16>)>,
    /// Rows in which columns moved that were not set, by those columns.
    moved: BTreeMap<Vec<u16>, Vec<usize>>,
}

impl Run<'_> {
    /// Reads back every row that was written.
    pub(super) async fn read_back(
        &self,
        writer: &mut dyn Writer,
        guarded: &[GuardedTable],
    ) -> Result<(), GivenUp> {
        for (table, guarded) in self.plan.tables.iter().zip(guarded) {
            let Some(pair) = &table.pair else { continue };
            let written: Vec<usize> =
                (0..guarded.pending.len()).filter(|index| guarded.pending[*index]).collect();
            let found = self.look(writer, table, pair, &written).await?;
            refuse_wrong(table, pair, &found.wrong)?;
            if found.moved.is_empty() {
                continue;
            }
            let again: Vec<usize> = found.moved.values().flatten().copied().collect();
            self.set_back(writer, table, pair, found.moved).await?;
            let mut found = self.look(writer, table, pair, &again).await?;
            for (columns, changes) in found.moved {
                found.wrong.extend(changes.into_iter().map(|change| (change, columns.clone())));
            }
            refuse_wrong(table, pair, &found.wrong)?;
        }
        Ok(())
    }

    async fn look(
        &self,
        writer: &mut dyn Writer,
        table: &TablePlan,
        pair: &TablePair,
        changes: &[usize],
    ) -> Result<Findings, GivenUp> {
        let (seen, columns) = (rows::seen(pair), rows::compared(pair));
        let mut findings = Findings::default();
        for piece in rows::pieces(table, changes) {
            self.go_on()?;
            let found = rows::read(writer, table, pair, piece, &columns, false).await?;
            for index in piece.iter().copied() {
                let change = &table.changes[index].change;
                let verdict = verdict(change, found.row(change.row().bytes()), &seen, &columns);
                if !verdict.wrong.is_empty() {
                    findings.wrong.push((index, verdict.wrong));
                } else if !verdict.moved.is_empty() {
                    findings.moved.entry(verdict.moved).or_default().push(index);
                }
            }
        }
        Ok(findings)
    }

    async fn set_back(
        &self,
        writer: &mut dyn Writer,
        table: &TablePlan,
        pair: &TablePair,
        moved: BTreeMap<Vec<u16>, Vec<usize>>,
    ) -> Result<(), GivenUp> {
        for (columns, changes) in moved {
            for piece in rows::pieces(table, &changes) {
                let values: Vec<RowUpdate> = piece
                    .iter()
                    .map(|index| as_it_was(pair, &table.changes[*index].change, &columns))
                    .collect();
                let statements = self
                    .dialect
                    .update(
                        &pair.names.replica,
                        &plan::key_columns(pair),
                        &plan::replica_columns(pair, &columns),
                        &values,
                    )
                    .map_err(|error| unwritable(table, &error.reason))?;
                let write =
                    Write { action: RowAction::Update, columns: columns.clone(), changes: piece.to_vec() };
                self.execute(writer, table, &write, &statements).await?;
            }
        }
        Ok(())
    }
}

/// Only updates have columns that may move.
fn as_it_was(pair: &TablePair, change: &RowChange, columns: &[u16]) -> RowUpdate {
    let row = change.row();
    let fields: Vec<Option<&[u8]>> = row.fields().collect();
    let value = |column: &u16| {
        let index = usize::from(*column);
        pair.columns[index].replica_value(fields[index])
    };
    RowUpdate { key: plan::key_values(pair, row), values: columns.iter().map(value).collect() }
}

fn verdict(change: &RowChange, found: Option<FoundRow<'_>>, seen: &[u16], columns: &[u16]) -> Verdict {
    match (change, found) {
        (RowChange::Delete { .. }, None) => Verdict::default(),
        (RowChange::Delete { .. }, Some(_)) | (_, None) => {
            Verdict { wrong: columns.to_vec(), moved: Vec::new() }
        }
        (RowChange::Insert { after }, Some(row)) => {
            Verdict { wrong: row.differing(after, columns), moved: Vec::new() }
        }
        (RowChange::Update { before, after, columns: set }, Some(row)) => {
            let kept: Vec<u16> = seen.iter().copied().filter(|column| !set.contains(column)).collect();
            Verdict { wrong: row.differing(after, set), moved: row.differing(before, &kept) }
        }
    }
}

fn refuse_wrong(table: &TablePlan, pair: &TablePair, wrong: &[(usize, Vec<u16>)]) -> Result<(), GivenUp> {
    if wrong.is_empty() {
        return Ok(());
    }
    let columns: BTreeSet<u16> = wrong.iter().flat_map(|(_, columns)| columns).copied().collect();
    let names: Vec<&str> = columns.iter().map(|column| pair.columns[usize::from(*column)].name()).collect();
    let rows = wrong.iter().map(|(index, _)| table.changes[*index].change.row().bytes());
    let message = format!(
        "table {}, column {}: the replica did not keep the values that were written; nothing was written",
        table.table,
        names.join(", "),
    );
    Err(Failure::new(ErrorKind::Value, message)
        .detail(plan::keys_text(pair, rows))
        .hint(
            "look for a trigger, ON UPDATE, rounding or truncation on the replica; \
             `compare: { column: ignore }` leaves a column alone",
        )
        .into())
}
