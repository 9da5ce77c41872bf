//! Tables that were empty or missing: their rows are guarded and read back by ranges, not one by one.
//!
//! The guard is that no row is there between the first key and the last; while it holds, every row of the step is
//! to be written. Reading back is one scan in key order, whose digest must be that of the rows written. Where either
//! does not hold, the rows are looked at one by one, as those of any other table: that tells which, and why.
//! Rows without a key are guarded by there being none, and read back as a multiset.
//! Invariant: nothing passes here that would not pass there.

use crate::engine::Writer;
use crate::plan::{ChangeNumber, RowAction, RowStep, TablePlan};
use crate::schema::TablePair;
use crate::sides::Side;
use crate::sql::{Dialect, Select, Selection};
use crate::value::{KeyRange, Row, RowsHasher, put_field, put_null};

use super::guard::Moment;
use super::{GivenUp, Run, rows};

/// Fewer rows are soon looked at one by one.
const ROWS_MIN: usize = 1_000;

impl Run<'_> {
    /// The range of keys of a step's rows but the last, where these are the rows of a table that was empty or missing
    /// when it was planned, in the order of their keys. `None` where they must be looked at one by one.
    fn copied_range(
        &self,
        table: &TablePlan,
        pair: &TablePair,
        changes: &[ChangeNumber],
    ) -> Result<Option<KeyRange>, GivenUp> {
        let ascending = changes.windows(2).all(|two| two[0] < two[1]);
        if table.rows.replica > 0 || changes.len() < ROWS_MIN || !ascending || !in_order(pair, self.dialect) {
            return Ok(None);
        }
        let order = pair.key_order();
        let mut ends = Vec::new();
        for picked in table.changes.pick([changes[0], changes[changes.len() - 1]]) {
            let (_, planned) = picked?;
            // What puts rows back is read back in more columns than these.
            if planned.extra.is_some() || planned.stored.is_some() {
                return Ok(None);
            }
            ends.push(order.key_of(planned.change.row().bytes()));
        }
        let to = ends.pop();
        Ok(Some(KeyRange { from: ends.pop(), to }))
    }

    /// How many of a step's rows need not be looked at one by one, because nothing is where they are to be: all but
    /// the last one, or none.
    pub(super) async fn guard_range(
        &self,
        writer: &mut dyn Writer,
        step: &RowStep,
        moment: Moment,
    ) -> Result<usize, GivenUp> {
        let table = &self.plan.tables[step.table];
        let Some(pair) = table.pair.as_ref().filter(|_| step.action == RowAction::Insert) else {
            return Ok(0);
        };
        let Some(range) = self.copied_range(table, pair, &step.changes)? else { return Ok(0) };
        self.go_on()?;
        let locked = moment == Moment::UnderLock;
        let select = Select { locked, ordered: false, ..select(pair, range, &key(pair)) };
        Ok(if writer.any(&select).await? { 0 } else { step.changes.len() - 1 })
    }

    /// How many of a step's rows, all of them written now, are read back as they should be without looking at them
    /// one by one: all but the last one, or none.
    pub(super) async fn read_back_range(
        &self,
        writer: &mut dyn Writer,
        table: &TablePlan,
        pair: &TablePair,
        pending: &[ChangeNumber],
    ) -> Result<usize, GivenUp> {
        let Some(range) = self.copied_range(table, pair, pending)? else { return Ok(0) };
        self.go_on()?;
        let columns = rows::compared(pair);
        let behind = pending.len() - 1;
        let mut planned = RowsHasher::new(true);
        for picked in table.changes.pick(pending[..behind].iter().copied()) {
            add(&mut planned, pair, picked?.1.change.row(), &columns);
        }
        let found = writer.digest(&select(pair, range, &columns)).await?;
        Ok(if found == planned.finish() { behind } else { 0 })
    }

    /// Whether a step inserts rows without a key into a table that has none: then no copies need be counted.
    pub(super) async fn is_vacant(
        &self,
        writer: &mut dyn Writer,
        step: &RowStep,
        moment: Moment,
    ) -> Result<bool, GivenUp> {
        let table = &self.plan.tables[step.table];
        let Some(pair) = table.pair.as_ref().filter(|_| step.action == RowAction::Insert) else {
            return Ok(false);
        };
        if table.rows.replica > 0 || step.changes.len() < ROWS_MIN {
            return Ok(false);
        }
        self.go_on()?;
        let locked = moment == Moment::UnderLock;
        let all = select(pair, KeyRange::all(), &rows::seen(pair));
        Ok(!all.columns.is_empty() && !writer.any(&Select { locked, ordered: false, ..all }).await?)
    }

    /// Whether a table without a key, which had no rows, holds exactly those of the plan up to these.
    pub(super) async fn holds_copies(
        &self,
        writer: &mut dyn Writer,
        table: &TablePlan,
        pair: &TablePair,
        pending: &[ChangeNumber],
    ) -> Result<bool, GivenUp> {
        let last = pending.iter().max().filter(|_| table.rows.replica == 0 && pending.len() >= ROWS_MIN);
        let Some(last) = last else { return Ok(false) };
        let mut hasher = RowsHasher::new(false);
        let columns = rows::compared(pair);
        for planned in table.changes.iter().take(*last as usize + 1) {
            let planned = planned?;
            if planned.extra.is_some() || planned.stored.is_some() {
                return Ok(false);
            }
            if !planned.withheld {
                add(&mut hasher, pair, planned.change.row(), &columns);
            }
        }
        self.go_on()?;
        let all = select(pair, KeyRange::all(), &columns);
        Ok(writer.digest(&Select { ordered: false, ..all }).await? == hasher.finish())
    }
}

/// Adds the planned values of these columns.
fn add(hasher: &mut RowsHasher, pair: &TablePair, row: &Row, columns: &[u16]) {
    if columns.len() == pair.columns.len() {
        return hasher.add(row.bytes());
    }
    let fields: Vec<Option<&[u8]>> = row.fields().collect();
    let mut projected = Vec::with_capacity(row.bytes().len());
    for column in columns {
        match fields.get(usize::from(*column)).copied().flatten() {
            Some(field) => put_field(&mut projected, field),
            None => put_null(&mut projected),
        }
    }
    hasher.add(&projected);
}

/// Whether an index gives the order that the rows of the plan are in, so that a range of them is cheap to read.
fn in_order(pair: &TablePair, dialect: &dyn Dialect) -> bool {
    let needs_sort = |column: usize| {
        let part = pair.replica_part(column);
        dialect.order_needs_sort(&part.column, &part.domain)
    };
    pair.is_ordered() && !(0..pair.key_columns).any(needs_sort)
}

fn key(pair: &TablePair) -> Vec<u16> {
    // Engines allow far fewer than 65,536 columns.
    (0..pair.key_columns).map(|column| column as u16).collect()
}

/// The read of these columns (the key's first) of a range, in and out of scope.
fn select(pair: &TablePair, range: KeyRange, columns: &[u16]) -> Select {
    let mut select = pair.select(Side::Replica, Selection::Range(range), true);
    select.columns = columns.iter().map(|column| pair.replica_part(usize::from(*column))).collect();
    select.scope = None;
    select
}
