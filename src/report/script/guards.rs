//! What a transaction of a script checks: rows before they are written, and before the commit that nothing points at
//! nothing and nothing unknown is dropped.
//!
//! Invariant: a check that fails keeps its transaction from being committed; what it says to the client is the
//! dialect's part.

use std::io;

use crate::compare::RowChange;
use crate::plan::{
    self, Checks, EqualChanges, Part, PlannedChange, Pointing, Progress, Reference, RowAction, RowStep,
    RowTally, SchemaAction, Status, Unfollowed,
};
use crate::report::words::counted;
use crate::schema::TablePair;
use crate::sql::{Expect, Guard, KnownSpellings, SelectColumn, TableName, Unwritable, one_line};
use crate::value::{Row, Value};

use super::{KEYS_CHARS_MAX, Writer, shortened, spool};

/// The values of a row, and how many copies of it there must be.
struct Counted {
    values: Vec<Value>,
    copies: u64,
    /// The same row in spellings that the plan knows.
    spellings: Vec<Vec<Value>>,
}

impl Counted {
    fn once(values: Vec<Value>, copies: u64) -> Self {
        Counted { values, copies, spellings: Vec::new() }
    }
}

impl Writer<'_> {
    /// A table is dropped when it has no rows but those that the plan has taken out.
    pub(super) fn no_rows_left(&mut self, dropping: &[(usize, usize)]) -> io::Result<()> {
        for (table, change) in dropping {
            let dropped =
                self.replica.tables[*table].schema_changes[*change].action == SchemaAction::DropTable;
            let name = self.pairs[*table].as_ref().filter(|_| dropped).map(|pair| pair.names.replica.clone());
            if let Some(name) = name {
                let message = self.message(*table, "rows that the plan does not know would be dropped");
                let text =
                    self.script.empty(&name, &message).map_err(|why| self.not_renderable(*table, &why))?;
                self.put(&text)?;
            }
        }
        Ok(())
    }

    /// The name that a table goes by which a change drops because only the replica has it.
    pub(super) fn extra_drop(&self, (table, change): &(usize, usize)) -> Option<TableName> {
        let plan = &self.replica.tables[*table];
        let drops = plan.schema_changes[*change].action == SchemaAction::DropTable;
        (plan.status == Status::Extra && drops).then(|| self.used_name(*table)).flatten()
    }

    /// A table that only the replica has goes with as many rows as were counted.
    pub(super) fn other_rows(&mut self, schema: &[(usize, usize)]) -> io::Result<()> {
        for change in schema {
            let Some(name) = self.extra_drop(change) else { continue };
            let table = change.0;
            let rows = self.replica.tables[table].rows.replica;
            let message = self.message(table, "it would be dropped with another number of rows");
            let text = self
                .script
                .has_rows(&name, rows, &message)
                .map_err(|why| self.not_renderable(table, &why))?;
            self.put("\n")?;
            self.say(&format!("{}: {} go with it", one_line(&name.name), counted(rows, "row")))?;
            self.put(&text)?;
        }
        Ok(())
    }

    pub(super) fn guards(&mut self, batch: &[RowStep], locked: bool) -> io::Result<()> {
        for step in batch.iter().filter(|step| !step.part.is_aside()) {
            let replica = self.replica;
            let table = &replica.tables[step.table];
            let Some(pair) = self.pairs[step.table].clone() else { continue };
            if pair.is_keyless() {
                self.guards_of_copies(step, &pair, locked)?;
                continue;
            }
            let absent = step.action == RowAction::Insert;
            // A table that this script creates is empty.
            if absent && pair.replica_missing {
                continue;
            }
            let columns = guarded_columns(&pair, absent);
            let message = self.message(
                step.table,
                match absent {
                    true => "a row to insert is there already",
                    false => "a row is not what it was when the plan was made",
                },
            );
            for piece in plan::pieces(&table.changes, step.changes.iter().copied(), self.limits()) {
                // Rows of a plan that takes another one back are not known as they are spelled.
                let (spelled, others): (Vec<_>, Vec<_>) =
                    piece.map_err(spool)?.into_iter().partition(|(_, planned)| planned.stored.is_some());
                for piece in [spelled, others] {
                    let Some((_, first)) = piece.first() else { continue };
                    let parts = guarded_parts(&pair, first, &columns, absent);
                    let rows: Vec<Vec<Value>> = piece
                        .iter()
                        .map(|(_, planned)| guarded_row(&pair, planned, &columns, absent))
                        .collect();
                    let guard = Guard {
                        table: &pair.names.replica,
                        columns: &parts,
                        key_columns: pair.key_columns,
                        rows: &rows,
                        expect: if absent { Expect::Absent } else { Expect::AsGiven },
                        scope: None,
                        locked,
                        message: &message,
                    };
                    let text =
                        self.script.guard(&guard).map_err(|why| self.not_renderable(step.table, &why))?;
                    let what = if absent { "must not be there yet" } else { "must be as the plan saw them" };
                    self.about(table, &piece, what)?;
                    self.put(&text)?;
                }
            }
        }
        Ok(())
    }

    /// Of each row there must be as many copies as the plan saw, or as the transactions before leave.
    fn guards_of_copies(&mut self, step: &RowStep, pair: &TablePair, locked: bool) -> io::Result<()> {
        let replica = self.replica;
        let table = &replica.tables[step.table];
        // A table that this script creates is empty; in one that gets a column, rows cannot be told apart before.
        if pair.replica_missing || (!locked && pair.columns.iter().any(|column| !column.on_replica)) {
            return Ok(());
        }
        let message = self.message(step.table, "a row is not there as often as when the plan was made");
        let mut tally: Option<RowTally> = None;
        for piece in plan::equal_pieces(&table.changes, step.changes.iter().copied(), self.limits()) {
            let equal = piece.map_err(spool)?;
            let Some(first) = equal.first() else { continue };
            if equal.iter().any(|equal| plan::is_ambiguous(pair, equal)) {
                let reason = "some of its equal rows are to go, and which of them cannot be told".to_owned();
                return Err(self.not_renderable(step.table, &Unwritable { reason }));
            }
            let columns = plan::image_columns(pair, &first.planned);
            // Where nothing is known of the form, the rows as compared are all there is to count.
            let own = |equal: &&EqualChanges| !pair.is_spelled() || equal.is_told_by_image();
            let images: Vec<Counted> = equal
                .iter()
                .filter(own)
                .map(|equal| {
                    let copies = if locked { equal.copies(0) } else { equal.there() };
                    Counted::once(plan::image_values(pair, &equal.planned, &columns), copies)
                })
                .collect();
            let what = "must be there as often as the plan saw them";
            self.guard_of_copies(step, pair, (&columns, None), images, (locked, what, &message))?;
            let columns = plan::row_columns(pair);
            let spelled: Vec<u16> = plan::image_columns(pair, &first.planned)[..columns.len()].to_vec();
            let mut rows: Vec<Counted> = Vec::new();
            for equal in equal.iter().filter(|equal| pair.is_spelled() || equal.is_told_by_image()) {
                if !tally.as_ref().is_some_and(|tally| tally.goes_on_with(equal)) {
                    let begun = RowTally::beginning_with(equal);
                    let copies = if locked { begun.copies() } else { equal.among_rows().there };
                    rows.push(Counted::once(plan::image_values(pair, &equal.planned, &columns), copies));
                    tally = Some(begun);
                }
                if let Some(row) = rows.last_mut().filter(|_| equal.planned.stored.is_some()) {
                    row.spellings.push(plan::image_values(pair, &equal.planned, &spelled));
                }
                if let Some(tally) = &mut tally {
                    tally.add(equal, Progress::Before);
                }
            }
            let what = "must be there as often as the plan saw them in whatever form";
            let spelled = pair.is_spelled().then_some(&spelled[..]);
            self.guard_of_copies(step, pair, (&columns, spelled), rows, (locked, what, &message))?;
        }
        Ok(())
    }

    /// `spelled`: the columns as they are stored, where values have several spellings.
    fn guard_of_copies(
        &mut self,
        step: &RowStep,
        pair: &TablePair,
        (columns, spelled): (&[u16], Option<&[u16]>),
        all: Vec<Counted>,
        (locked, what, message): (bool, &str, &str),
    ) -> io::Result<()> {
        if all.is_empty() {
            return Ok(());
        }
        let counts: Vec<u64> = all.iter().map(|one| one.copies).collect();
        let (rows, known): (Vec<_>, Vec<_>) = all.into_iter().map(|one| (one.values, one.spellings)).unzip();
        let guard = Guard {
            table: &pair.names.replica,
            columns: &plan::image_parts(pair, columns),
            key_columns: 0,
            rows: &rows,
            expect: Expect::Copies(&counts),
            scope: plan::scope(pair),
            locked,
            message,
        };
        let text = match spelled {
            None => self.script.guard(&guard),
            Some(spelled) => {
                let columns = plan::image_parts(pair, spelled);
                self.script.guard_in_any_spelling(&guard, KnownSpellings { columns: &columns, rows: &known })
            }
        };
        let text = text.map_err(|why| self.not_renderable(step.table, &why))?;
        let about = format!(
            "{}: {what}: {}",
            self.replica.tables[step.table].table,
            counted(rows.len() as u64, "row")
        );
        self.put("\n")?;
        self.say(&shortened(&one_line(&about), KEYS_CHARS_MAX))?;
        self.put(&text)
    }

    /// Deletes that a foreign key of the replica would carry on to rows that the plan does not name: what the
    /// plan deletes or points elsewhere is out of the way by now, so nothing may point at the rows any more.
    pub(super) fn cascades(&mut self, step: &RowStep) -> io::Result<()> {
        let replica = self.replica;
        let Some(parent) = replica.tables[step.table].pair.as_ref() else { return Ok(()) };
        let action = match step.part {
            Part::Whole | Part::Except(_) => step.action,
            Part::Remove => RowAction::Delete,
            _ => return Ok(()),
        };
        let checks = step.circle.map(|circle| circle.checks).unwrap_or_default();
        if checks == Checks::Off {
            return Ok(());
        }
        for pointing in plan::pointing(&replica.tables, parent).filter(|key| key.carries(action)) {
            let child = pointing.child;
            if action == RowAction::Update {
                if self.takes_along(step, parent, &pointing)? {
                    return Err(self.not_renderable(child, &taken_along()));
                }
                continue;
            }
            let followed = pointing.reference.ok().filter(|reference| reference.is_exact(self.dialect));
            let reference = followed.ok_or_else(|| self.not_renderable(child, &unfollowed()))?;
            // Rows that the plan deletes, too, point there still; a guard cannot tell them from others.
            if checks != Checks::AtOnce || step.part == Part::Remove {
                return Err(self.not_renderable(child, &taken_along()));
            }
            self.cascade(step, child, &reference)?;
        }
        Ok(())
    }

    /// Whether updates of a step change what rows may point at.
    fn takes_along(&self, step: &RowStep, parent: &TablePair, pointing: &Pointing<'_>) -> io::Result<bool> {
        let changes = &self.replica.tables[step.table].changes;
        for picked in changes.pick(step.changes.iter().copied()) {
            let (_, planned) = picked.map_err(spool)?;
            if pointing.is_moved_by(parent, &planned.change) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn cascade(&mut self, step: &RowStep, child: usize, reference: &Reference) -> io::Result<()> {
        let replica = self.replica;
        let parent = &replica.tables[step.table];
        let Some(name) = self.pairs[child].as_ref().map(|pair| pair.names.replica.clone()) else {
            return Ok(());
        };
        let message = self.message(child, "rows still point at rows to delete, and would change with them");
        for piece in plan::pieces(&parent.changes, step.changes.iter().copied(), self.limits()) {
            let piece = piece.map_err(spool)?;
            let rows =
                piece.iter().filter_map(|(_, planned)| reference.values(&planned.fields()).transpose());
            let rows: Vec<Vec<Value>> = rows
                .collect::<Result<_, Unfollowed>>()
                .map_err(|_| self.not_renderable(child, &unfollowed()))?;
            if rows.is_empty() {
                continue;
            }
            // A row that points at itself is in nobody's way.
            let own = piece
                .iter()
                .filter(|(_, planned)| child == step.table && reference.leads_back(&planned.fields()));
            let own = own.count();
            let guard = Guard {
                table: &name,
                columns: &reference.pointing,
                key_columns: reference.pointing.len(),
                rows: &rows,
                expect: if own == 0 { Expect::Absent } else { Expect::Holding(own) },
                scope: None,
                locked: true,
                message: &message,
            };
            let text = self.script.guard(&guard).map_err(|why| self.not_renderable(child, &why))?;
            self.about(parent, &piece, &format!("no row of {} may point at", replica.tables[child].table))?;
            self.put(&text)?;
        }
        Ok(())
    }

    /// Rows that point at nothing, in tables that were written without a look at foreign keys and in those that point
    /// at them.
    pub(super) fn orphans(&mut self, written: &[usize]) -> io::Result<()> {
        let replica = self.replica;
        let mut looked_at: Vec<(TableName, String)> = Vec::new();
        for table in written {
            let Some(pair) = &replica.tables[*table].pair else { continue };
            let own = pair.foreign_keys.iter().map(|key| (&pair.names.replica, key));
            let others = pair.dependents.iter().map(|dependent| (&dependent.table, &dependent.key));
            for (child, key) in own.chain(others) {
                if looked_at.contains(&(child.clone(), key.name.clone())) {
                    continue;
                }
                looked_at.push((child.clone(), key.name.clone()));
                let message = self.message(*table, "rows would point at rows that are not there");
                let (child, mut key) = (self.named(child), key.clone());
                key.table = self.named(&key.table);
                let text = self.script.orphans(&child, &key, &message);
                self.put(&text)?;
            }
        }
        Ok(())
    }

    /// A table's name as the script has it.
    fn named(&self, name: &TableName) -> TableName {
        let known = self
            .replica
            .tables
            .iter()
            .zip(&self.pairs)
            .find(|(table, _)| table.pair.as_ref().is_some_and(|pair| pair.names.replica == *name));
        known.and_then(|(_, pair)| Some(pair.as_ref()?.names.replica.clone())).unwrap_or_else(|| name.clone())
    }

    /// Rows that point at nothing are looked for in the tables written and in those of the plan that point at
    /// them, where the engine does not look by itself.
    pub(super) fn foreign_keys(&mut self, batch: &[RowStep]) -> io::Result<()> {
        let pair = |table: usize| self.replica.tables[table].pair.as_ref();
        let touched: Vec<&TableName> =
            batch.iter().filter_map(|step| pair(step.table)).map(|pair| &pair.names.replica).collect();
        let concerned = |table: &usize| {
            pair(*table).is_some_and(|pair| {
                let written = touched.contains(&&pair.names.replica);
                let points = pair.foreign_keys.iter().any(|key| touched.contains(&&key.table));
                written || (points && !pair.replica_missing)
            })
        };
        let tables: Vec<usize> = (0..self.replica.tables.len()).filter(concerned).collect();
        for table in tables {
            let Some(name) = self.pairs[table].as_ref().map(|pair| pair.names.replica.clone()) else {
                continue;
            };
            let message = self.message(table, "rows would point at rows that are not there");
            let text = self.script.foreign_keys(&name, &message);
            self.put(&text)?;
        }
        Ok(())
    }
}

fn taken_along() -> Unwritable {
    let reason =
        "the replica's foreign key takes its rows along, and a script cannot tell those that the plan knows";
    Unwritable { reason: reason.to_owned() }
}

/// The key alone for rows that must not be there; else all that is compared and that the replica has.
fn guarded_columns(pair: &TablePair, absent: bool) -> Vec<usize> {
    let compared = if absent { pair.key_columns } else { pair.compared_columns };
    (0..compared).filter(|index| pair.columns[*index].on_replica).collect()
}

/// A row that must be as the plan saw it is found as it was spelled then.
fn guarded_parts(
    pair: &TablePair,
    planned: &PlannedChange,
    columns: &[usize],
    absent: bool,
) -> Vec<SelectColumn> {
    let mut parts: Vec<SelectColumn> = columns.iter().map(|index| pair.replica_part(*index)).collect();
    if !absent {
        for (part, stored) in parts.iter_mut().zip(plan::address_columns(pair, planned)) {
            *part = stored;
        }
    }
    parts
}

/// What is there of a row to update or to delete; of one to insert, its key.
fn guarded_row(pair: &TablePair, planned: &PlannedChange, columns: &[usize], absent: bool) -> Vec<Value> {
    let row: &Row = match &planned.change {
        RowChange::Insert { after } => after,
        RowChange::Update { before, .. } | RowChange::Delete { before } => before,
    };
    let fields: Vec<Option<&[u8]>> = row.fields().collect();
    let value = |index: &usize| {
        let (column, field) = (&pair.columns[*index], fields.get(*index).copied().flatten());
        if absent { column.primary_value(field) } else { column.replica_value(field) }
    };
    let mut values: Vec<Value> = columns.iter().map(value).collect();
    if !absent {
        for (value, stored) in values.iter_mut().zip(plan::address(pair, planned)) {
            *value = stored;
        }
    }
    values
}

/// Under a collation, or from columns out of scope, who points at a row is for the replica to say.
fn unfollowed() -> Unwritable {
    let reason =
        "its rows may go along with rows to delete that they point at, which only apply can look for";
    Unwritable { reason: reason.to_owned() }
}
