//! Looking up rows by key, after a table has been read: rows outside the scope, columns outside the scope.
//!
//! Runs when no scan of the table is open any more, so that a side with one reader cannot wait for itself.

use std::collections::HashMap;

use crate::compare::RowChange;
use crate::event::Event;
use crate::failure::{ErrorKind, Failure};
use crate::sides::Side;
use crate::sql::{Select, SelectColumn, Selection};
use crate::value::{Key, Row};

use super::words::{key_words, table_on};
use super::work::{KeyChunks, Work};

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
    let inserts = changes.iter().enumerate().filter(|(_, change)| matches!(change, RowChange::Insert { .. }));
    let mut lookup = Lookup::new(work, inserts.map(|(index, change)| (index, change.row())));
    let mut gone = Vec::new();
    while let Some(found) = lookup.next(|keys| outside_scope(work, keys)).await? {
        for (index, before) in found {
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
    let deletes = changes.iter().enumerate().filter(|(_, change)| matches!(change, RowChange::Delete { .. }));
    let wanted = deletes.clone().map(|(index, _)| index).collect::<Vec<_>>();
    let mut lookup = Lookup::new(work, deletes.map(|(index, change)| (index, change.row())));
    while let Some(found) = lookup.next(|keys| extra_columns(work, keys)).await? {
        for (index, row) in found {
            let key_len = work.rules.order().key_len(row.bytes());
            extras.insert(index, Row::new(&row.bytes()[key_len..]));
        }
    }
    match wanted.into_iter().find(|index| !extras.contains_key(index)) {
        Some(index) => Err(vanished(work, &changes[index])),
        None => Ok(extras),
    }
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
    let key = work.rules.order().key_of(change.row().bytes());
    Failure::new(ErrorKind::Changed, message).detail(key_words(&work.pair, &key))
}

/// Looks rows up on the replica, in lists of keys of bounded size.
struct Lookup<'a> {
    work: &'a Work,
    chunks: KeyChunks,
    /// Where a key came from.
    indexes: HashMap<Box<[u8]>, usize>,
}

impl<'a> Lookup<'a> {
    fn new<'r>(work: &'a Work, rows: impl Iterator<Item = (usize, &'r Row)>) -> Self {
        let order = work.rules.order();
        let (mut keys, mut indexes) = (Vec::new(), HashMap::new());
        for (index, row) in rows {
            let key = order.key_of(row.bytes());
            indexes.insert(key.bytes().into(), index);
            keys.push(key);
        }
        Lookup { work, chunks: KeyChunks::new(keys, order), indexes }
    }

    /// The rows found for the next list of keys; `None` after the last list.
    async fn next(
        &mut self,
        select: impl FnOnce(Vec<Key>) -> Select,
    ) -> Result<Option<Vec<(usize, Row)>>, Failure> {
        let Some(keys) = self.chunks.next() else { return Ok(None) };
        let order = self.work.rules.order();
        let mut found = Vec::new();
        let mut stream = self.work.snapshots.replica.scan(select(keys)).await?;
        while let Some(rows) = stream.next().await? {
            self.work.check_stop()?;
            self.work.observer.observe(Event::RowsRead { rows: rows.len() as u64 });
            for row in rows.rows() {
                // A key that is only equal under the engine's collation is not one of ours.
                if let Some(index) = self.indexes.get(&row[..order.key_len(row)]) {
                    found.push((*index, Row::new(row)));
                }
            }
        }
        Ok(Some(found))
    }
}
