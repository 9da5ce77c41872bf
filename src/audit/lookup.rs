//! Looking up rows by key, after a table has been read: rows outside the scope, columns outside the scope.
//!
//! Runs when no scan of the table is open any more, so that a side with one reader cannot wait for itself.

use std::collections::HashMap;

use crate::compare::RowChange;
use crate::event::Event;
use crate::failure::{ErrorKind, Failure};
use crate::schema::key_text;
use crate::sides::Side;
use crate::sql::{Select, SelectColumn, Selection};
use crate::value::{Key, Row};

use super::words::table_on;
use super::work::{KEYS_BYTES_MAX, KEYS_MAX, Work};

/// Settles inserts whose key the replica has outside the scope: an update of the whole row, or, where all
/// compared columns are equal, nothing. Changes are in key order and stay so.
pub(super) async fn settle(
    work: &Work,
    mut changes: Vec<RowChange>,
    excused: &mut u64,
) -> Result<Vec<RowChange>, Failure> {
    if work.pair.scope.is_none() || work.pair.replica_missing {
        return Ok(changes);
    }
    let (mut from, mut gone) = (0, Vec::new());
    while let Some(list) =
        List::next(work, &changes, from, |change| matches!(change, RowChange::Insert { .. }))
    {
        from = list.to;
        for (index, before) in list.read(work, |keys| outside_scope(work, keys)).await? {
            let RowChange::Insert { after } = &changes[index] else { continue };
            let before = match &work.added {
                Some(added) => added.complete_row(before.bytes()),
                None => before,
            };
            match work.rules.update(after.bytes(), before.bytes(), excused) {
                Some(update) => changes[index] = update,
                None => gone.push(index),
            }
        }
    }
    gone.sort_unstable();
    let mut index = 0;
    changes.retain(|_| {
        index += 1;
        gone.binary_search(&(index - 1)).is_err()
    });
    Ok(changes)
}

fn outside_scope(work: &Work, keys: Vec<Key>) -> Select {
    let mut select = work.select(Side::Replica, Selection::Keys(keys), false);
    select.scope = None;
    select
}

/// The replica's columns out of scope of rows to delete, by the change's index.
pub(super) async fn extras(work: &Work, changes: &[RowChange]) -> Result<HashMap<usize, Row>, Failure> {
    let mut extras = HashMap::new();
    if work.pair.replica_extra.is_empty() {
        return Ok(extras);
    }
    let mut from = 0;
    while let Some(list) =
        List::next(work, changes, from, |change| matches!(change, RowChange::Delete { .. }))
    {
        from = list.to;
        let wanted: Vec<usize> = list.indexes.values().copied().collect();
        for (index, row) in list.read(work, |keys| extra_columns(work, keys)).await? {
            let key_len = work.rules.order().key_len(row.bytes());
            extras.insert(index, Row::new(&row.bytes()[key_len..]));
        }
        if let Some(index) = wanted.into_iter().find(|index| !extras.contains_key(index)) {
            return Err(vanished(work, &changes[index]));
        }
    }
    Ok(extras)
}

fn extra_columns(work: &Work, keys: Vec<Key>) -> Select {
    let mut select = work.select(Side::Replica, Selection::Keys(keys), false);
    let key = select.columns.into_iter().take(work.pair.key_columns);
    let columns: Vec<SelectColumn> = key.chain(work.pair.replica_extra.iter().cloned()).collect();
    select.columns = columns;
    select.scope = None;
    select
}

fn vanished(work: &Work, change: &RowChange) -> Failure {
    let message =
        format!("a row of {} was there and could not be read again", table_on(&work.pair, Side::Replica));
    Failure::new(ErrorKind::Changed, message).detail(key_text(&work.pair, change.row().bytes()))
}

/// Some changes whose rows are looked up in one go.
struct List {
    keys: Vec<Key>,
    /// The index of the change that has a key.
    indexes: HashMap<Box<[u8]>, usize>,
    /// The first change behind the list.
    to: usize,
}

impl List {
    /// The next wanted changes from index `from` on: as many as a statement can hold, and whose rows, if the
    /// replica's are about as large as those at hand, take little memory.
    fn next(
        work: &Work,
        changes: &[RowChange],
        from: usize,
        wanted: impl Fn(&RowChange) -> bool,
    ) -> Option<Self> {
        let mut list = List { keys: Vec::new(), indexes: HashMap::new(), to: from };
        let (mut keys_bytes, mut rows_bytes) = (0, 0);
        for (index, change) in changes.iter().enumerate().skip(from) {
            if list.keys.len() == KEYS_MAX
                || keys_bytes >= KEYS_BYTES_MAX
                || rows_bytes >= work.bounds.bytes_max
            {
                break;
            }
            list.to = index + 1;
            if wanted(change) {
                let row = change.row().bytes();
                let key = work.rules.order().key_of(row);
                keys_bytes += key.bytes().len();
                rows_bytes += row.len();
                list.indexes.insert(key.bytes().into(), index);
                list.keys.push(key);
            }
        }
        (!list.keys.is_empty()).then_some(list)
    }

    /// The rows that the replica has under these keys, with the index of their change.
    async fn read(
        self,
        work: &Work,
        select: impl FnOnce(Vec<Key>) -> Select,
    ) -> Result<Vec<(usize, Row)>, Failure> {
        let order = work.rules.order();
        let mut found = Vec::new();
        let mut stream = work.snapshots.replica.scan(select(self.keys)).await?;
        while let Some(rows) = stream.next().await? {
            work.check_stop()?;
            work.observer.observe(Event::RowsRead { rows: rows.len() as u64 });
            for row in rows.rows() {
                // A key that is only equal under the engine's collation is not one of ours.
                if let Some(index) = self.indexes.get(&row[..order.key_len(row)]) {
                    found.push((*index, Row::new(row)));
                }
            }
        }
        Ok(found)
    }
}
