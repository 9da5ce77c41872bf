//! Looking up rows by key, after a table has been read: rows outside the scope, columns outside the scope, the
//! spelling of keys.
//!
//! Runs when no scan of the table is open any more, so that a side with one reader cannot wait for itself. Changes
//! are read from their list and written into a new one, a handful at a time.

use std::collections::{HashMap, HashSet};

use crate::compare::{ChangeList, ChangeListWriter, OrderError, PlannedChange, RowChange};
use crate::event::Event;
use crate::failure::{ErrorKind, Failure};
use crate::schema::key_text;
use crate::sides::Side;
use crate::sql::{Select, SelectColumn, Selection};
use crate::value::{Key, Row, fields};

use super::words::{order_failure, table_on};
use super::work::{KEYS_BYTES_MAX, KEYS_MAX, Work};

/// Settles inserts whose key the replica has outside the scope: an update of the whole row, or, where all
/// compared columns are equal, nothing. Changes are in key order and stay so.
pub(super) async fn settle(
    work: &Work,
    changes: ChangeList,
    excused: &mut u64,
) -> Result<ChangeList, Failure> {
    if work.pair.scope.is_none() || work.pair.replica_missing {
        return Ok(changes);
    }
    let inserts = |change: &RowChange| matches!(change, RowChange::Insert { .. });
    let settled = |planned: PlannedChange, found: Option<Row>| {
        let (RowChange::Insert { after }, Some(before)) = (&planned.change, found) else {
            return Ok(Some(planned));
        };
        let before = match &work.added {
            Some(added) => added.complete_row(before.bytes()),
            None => before,
        };
        let update = work.rules.update(after.bytes(), before.bytes(), excused);
        Ok(update.map(|update| work.planned(update)))
    };
    rewritten(work, &changes, inserts, outside_scope, settled).await
}

fn outside_scope(work: &Work, keys: Vec<Key>) -> Select {
    let mut select = work.select(Side::Replica, Selection::Keys(keys), false);
    select.scope = None;
    select
}

/// Completes deletes with the replica's columns out of scope, and them and updates with how the replica spells the
/// key, where it may spell it in several ways.
pub(super) async fn completed(work: &Work, changes: ChangeList) -> Result<ChangeList, Failure> {
    let (has_extras, is_spelled) = (!work.pair.replica_extra.is_empty(), work.pair.is_spelled());
    if !has_extras && !is_spelled {
        return Ok(changes);
    }
    let wanted = |change: &RowChange| match change {
        RowChange::Insert { .. } => false,
        RowChange::Update { .. } => is_spelled,
        RowChange::Delete { .. } => true,
    };
    let completed = |planned: PlannedChange, found: Option<Row>| {
        let row = found.ok_or_else(|| vanished(work, &planned.change))?;
        let (_, rest) = parted(row.bytes(), work.pair.key_columns);
        let (extra, stored) = parted(rest, work.pair.replica_extra.len());
        let is_delete = matches!(planned.change, RowChange::Delete { .. });
        Ok(Some(PlannedChange {
            extra: (is_delete && has_extras).then(|| Row::new(extra)),
            stored: is_spelled.then(|| Row::new(stored)),
            ..planned
        }))
    };
    rewritten(work, &changes, wanted, columns_not_compared, completed).await
}

/// The key, and behind it the columns that complete a change.
fn columns_not_compared(work: &Work, keys: Vec<Key>) -> Select {
    let mut select = work.select(Side::Replica, Selection::Keys(keys), false);
    let key = select.columns.into_iter().take(work.pair.key_columns);
    let extra = work.pair.replica_extra.iter().cloned();
    let columns: Vec<SelectColumn> = key.chain(extra).chain(work.pair.stored_parts()).collect();
    select.columns = columns;
    select.scope = None;
    select
}

/// The first fields of an encoded row, and those behind them.
pub(super) fn parted(row: &[u8], columns: usize) -> (&[u8], &[u8]) {
    let mut rest = fields(row);
    (0..columns).for_each(|_| {
        rest.next();
    });
    row.split_at(row.len() - rest.remaining())
}

fn vanished(work: &Work, change: &RowChange) -> Failure {
    let message =
        format!("a row of {} was there and could not be read again", table_on(&work.pair, Side::Replica));
    Failure::new(ErrorKind::Changed, message).key(key_text(&work.pair, change.row().bytes()))
}

/// The changes, those that are `wanted` handed to `with` beside the row that the replica has under their key.
async fn rewritten(
    work: &Work,
    changes: &ChangeList,
    wanted: impl Fn(&RowChange) -> bool,
    select: impl Fn(&Work, Vec<Key>) -> Select,
    mut with: impl FnMut(PlannedChange, Option<Row>) -> Result<Option<PlannedChange>, Failure>,
) -> Result<ChangeList, Failure> {
    let mut rest = changes.iter();
    let mut written = ChangeListWriter::new(&work.spool);
    let order = work.rules.order();
    loop {
        let handful = Handful::next(work, &mut rest, &wanted)?;
        if handful.changes.is_empty() {
            return Ok(written.finish()?);
        }
        let mut found = look_up(work, &handful.keys, &select).await?;
        for planned in handful.changes {
            let kept = match wanted(&planned.change) {
                true => {
                    let key = order.key_of(planned.change.row().bytes());
                    with(planned, found.remove(key.bytes()))?
                }
                false => Some(planned),
            };
            if let Some(kept) = kept {
                written.push(&kept)?;
            }
        }
    }
}

/// Some changes, and the keys of those that are looked up in one go.
#[derive(Default)]
struct Handful {
    changes: Vec<PlannedChange>,
    keys: Vec<Key>,
}

impl Handful {
    /// The next changes: as many keys as a statement can hold, and rows, if the replica's are about as large
    /// as those at hand, that take little memory.
    fn next<E: Into<Failure>>(
        work: &Work,
        rest: &mut impl Iterator<Item = Result<PlannedChange, E>>,
        wanted: impl Fn(&RowChange) -> bool,
    ) -> Result<Self, Failure> {
        let mut handful = Handful::default();
        let (mut keys_bytes, mut rows_bytes) = (0, 0);
        while handful.keys.len() < KEYS_MAX
            && keys_bytes < KEYS_BYTES_MAX
            && rows_bytes < work.bounds.bytes_max
        {
            let Some(planned) = rest.next().transpose().map_err(Into::into)? else { break };
            let row = planned.change.row().bytes();
            rows_bytes += row.len();
            if wanted(&planned.change) {
                let key = work.rules.order().key_of(row);
                keys_bytes += key.bytes().len();
                handful.keys.push(key);
            }
            handful.changes.push(planned);
        }
        Ok(handful)
    }
}

/// The rows that the replica has under these keys.
///
/// # Errors
/// Two rows of one of the keys: in two spellings of it, for one, of which one is out of scope.
async fn look_up(
    work: &Work,
    keys: &[Key],
    select: impl Fn(&Work, Vec<Key>) -> Select,
) -> Result<HashMap<Box<[u8]>, Row>, Failure> {
    let order = work.rules.order();
    let mut found = HashMap::new();
    if keys.is_empty() {
        return Ok(found);
    }
    let asked: HashSet<&[u8]> = keys.iter().map(Key::bytes).collect();
    let mut stream = work.snapshots.replica.scan(select(work, keys.to_vec())).await?;
    while let Some(rows) = stream.next().await? {
        work.check_stop()?;
        work.observer.observe(Event::RowsRead { rows: rows.len() as u64 });
        for row in rows.rows() {
            let key = &row[..order.key_len(row)];
            // Under the engine's collation more may be equal; nobody asks for those keys.
            if asked.contains(key) && found.insert(key.into(), Row::new(row)).is_some() {
                let error = OrderError::Duplicate { side: Side::Replica, key: Key::new(key.to_vec()) };
                return Err(order_failure(&work.pair, &error));
            }
        }
    }
    Ok(found)
}
