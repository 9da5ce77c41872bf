//! Fetching the rows that differ, of tables that are joined by digests: one more read in the same snapshots.
//!
//! What differs is taken in rounds that fit the memory ceiling, each with a read of the sides concerned. Changes
//! are gathered in runs, each sorted by its rows, and the runs merged. Invariant: every differing row ends in
//! exactly one change (of a table without a key: as many equal changes as copies are missing or extra); one that
//! cannot be found again is an error.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::compare::{
    ChangeList, ChangeListWriter, CopyCount, CopyNumber, Differing, DifferingRows, PlannedChange, RowChange,
};
use crate::failure::{ErrorKind, Failure};
use crate::sides::{Side, Sides};
use crate::spool::SpoolError;
use crate::sql::Selection;
use crate::value::{Digest, Key, KeyOrder, Row};

use super::AuditOptions;
use super::lookup::parted;
use super::reader::Reader;
use super::unordered::{all_rows, identity, next_rows};
use super::words::table_on;
use super::work::Work;

/// Bytes that a digest takes while its row is looked for.
const WANTED_BYTES: u64 = 128;
/// Bytes that what a row holds out of scope takes, beside itself.
const IMAGE_BYTES: usize = 48;

/// What the replica needs where these rows differ, ordered by its rows.
pub(super) async fn changes(
    work: &Arc<Work>,
    differing: &DifferingRows,
    options: &AuditOptions,
    excused: &mut u64,
) -> Result<ChangeList, Failure> {
    let share = usize::try_from(options.memory_bytes / 16).unwrap_or(usize::MAX).max(1);
    let wanted_max = usize::try_from(options.memory_bytes / 8 / WANTED_BYTES).unwrap_or(usize::MAX).max(1);
    let mut runs = Runs::new(work, share);
    let (mut at, mut later) = (0, Vec::new());
    while at < differing.len() || !later.is_empty() {
        let mut round: Vec<Differing> = std::mem::take(&mut later);
        let more = differing.some(at, wanted_max.saturating_sub(round.len()))?;
        at += more.len() as u64;
        round.extend(more);
        later = match work.pair.is_keyless() {
            true => copies(work, &round, share, &mut runs).await?,
            false => rows_by_key(work, &round, share, &mut runs, excused).await?,
        };
    }
    Ok(runs.merged()?)
}

/// A row that was there when its digest was taken.
pub(super) fn vanished(work: &Work, side: Side) -> Failure {
    let message = format!("rows of {} were there and could not be read again", table_on(&work.pair, side));
    Failure::new(ErrorKind::Changed, message)
}

/// The copies that are missing and those that are extra. Returns what there was no room for.
async fn copies(
    work: &Arc<Work>,
    round: &[Differing],
    bytes_max: usize,
    runs: &mut Runs<'_>,
) -> Result<Vec<Differing>, Failure> {
    let wanted = |more: fn(&Sides<u64>) -> bool| -> HashMap<Digest, Sides<u64>> {
        round.iter().filter(|one| more(&one.rows)).map(|one| (one.identity, one.rows)).collect()
    };
    let missing = wanted(|rows| rows.primary > rows.replica);
    let extra = wanted(|rows| rows.primary < rows.replica);
    first_of_each(work, Side::Primary, missing, runs).await?;
    if work.pair.replica_extra.is_empty() && !is_told_by_spelling(work) {
        first_of_each(work, Side::Replica, extra, runs).await?;
        return Ok(Vec::new());
    }
    whole_images(work, extra, bytes_max, runs).await
}

/// One row of each digest: the others are its copies.
async fn first_of_each(
    work: &Arc<Work>,
    side: Side,
    mut wanted: HashMap<Digest, Sides<u64>>,
    runs: &mut Runs<'_>,
) -> Result<(), Failure> {
    let Some(select) = all_rows(work, side).filter(|_| !wanted.is_empty()) else { return Ok(()) };
    let mut reader = Reader::open(work, side, select, None).await?;
    while let Some(block) = next_rows(work, &mut reader).await? {
        for row in block.rows() {
            let Some(rows) = wanted.remove(&Digest::of(identity(work, row))) else { continue };
            let all = CopyCount { there: rows.replica, number: 0, of: rows.primary.abs_diff(rows.replica) };
            let copies = CopyNumber { image: all, row: all };
            runs.add(Pending::copies(side, Row::new(row), Own::default(), copies))?;
        }
        if wanted.is_empty() {
            return Ok(());
        }
    }
    Err(vanished(work, side))
}

/// Equal rows of the replica with what they hold out of scope.
#[derive(Default)]
struct Images {
    row: Vec<u8>,
    /// How often each is there, as far as they may be deleted.
    by_extra: BTreeMap<Box<[u8]>, u64>,
    count: u64,
    bytes: usize,
}

impl Images {
    /// Counts one; those that come behind `wanted` others in the order are forgotten.
    fn add(&mut self, extra: &[u8], wanted: u64) {
        match self.by_extra.get_mut(extra) {
            Some(count) => *count += 1,
            None => {
                self.bytes += extra.len() + IMAGE_BYTES;
                self.by_extra.insert(extra.into(), 1);
            }
        }
        self.count += 1;
        while let Some(last) = self.by_extra.last_entry().filter(|last| self.count - last.get() >= wanted) {
            self.bytes -= last.key().len() + IMAGE_BYTES;
            self.count -= last.remove();
        }
    }
}

/// Deletes say exactly which of the rows that are equal in scope go: the first in the order of what they hold out
/// of scope. Returns what there was no room for.
async fn whole_images(
    work: &Arc<Work>,
    mut wanted: HashMap<Digest, Sides<u64>>,
    bytes_max: usize,
    runs: &mut Runs<'_>,
) -> Result<Vec<Differing>, Failure> {
    let Some(mut select) = all_rows(work, Side::Replica).filter(|_| !wanted.is_empty()) else {
        return Ok(Vec::new());
    };
    let own_columns = select.columns.len();
    select.columns.extend(work.pair.replica_extra.iter().cloned());
    if is_told_by_spelling(work) {
        select.columns.extend(work.pair.stored_parts());
    }
    let mut reader = Reader::open_raw(work, Side::Replica, select).await?;
    let (mut found, mut bytes, mut later) = (HashMap::<Digest, Images>::new(), 0, Vec::new());
    while let Some(block) = next_rows(work, &mut reader).await? {
        for raw in block.rows() {
            let (own, extra) = parted(raw, own_columns);
            let completed = work.added.as_ref().map(|added| added.complete_row(own));
            let row = completed.as_ref().map_or(own, Row::bytes);
            let digest = Digest::of(identity(work, row));
            let Some(rows) = wanted.get(&digest) else { continue };
            let images = found.entry(digest).or_default();
            if images.count == 0 {
                images.row = row.to_vec();
                bytes += row.len();
            }
            bytes -= images.bytes;
            images.add(extra, rows.replica - rows.primary);
            bytes += images.bytes;
        }
        while bytes > bytes_max && found.len() > 1 {
            let Some(digest) = found.keys().next().copied() else { break };
            let images = found.remove(&digest).unwrap_or_default();
            bytes -= images.bytes + images.row.len();
            let rows = wanted.remove(&digest).unwrap_or_default();
            later.push(Differing { identity: digest, rows });
        }
    }
    if found.len() < wanted.len() {
        return Err(vanished(work, Side::Replica));
    }
    for (digest, images) in found {
        let rows = wanted.get(&digest).copied().unwrap_or_default();
        let mut row = CopyCount { there: rows.replica, number: 0, of: rows.replica - rows.primary };
        for (extra, there) in images.by_extra {
            let of = there.min(row.of - row.number);
            if of > 0 {
                let (extra, stored) = parted(&extra, work.pair.replica_extra.len());
                let own = Own {
                    extra: (!work.pair.replica_extra.is_empty()).then(|| Row::new(extra)),
                    stored: is_told_by_spelling(work).then(|| Row::new(stored)),
                };
                let copies = CopyNumber { image: CopyCount { there, number: 0, of }, row };
                runs.add(Pending::copies(Side::Replica, Row::new(images.row.as_slice()), own, copies))?;
                row.number += of;
            }
        }
        if row.number < row.of {
            return Err(vanished(work, Side::Replica));
        }
    }
    Ok(later)
}

/// Whether deletes name rows as the replica spells them. A column to come has no spelling yet.
fn is_told_by_spelling(work: &Work) -> bool {
    let pair = &work.pair;
    pair.is_spelled() && pair.spelled().all(|index| pair.columns[index].on_replica)
}

/// Rows of both sides by the digests of their keys, compared. Returns what there was no room for.
async fn rows_by_key(
    work: &Arc<Work>,
    round: &[Differing],
    bytes_max: usize,
    runs: &mut Runs<'_>,
    excused: &mut u64,
) -> Result<Vec<Differing>, Failure> {
    let mut wanted: HashMap<Digest, Sides<u64>> = round.iter().map(|one| (one.identity, one.rows)).collect();
    let (mut found, mut bytes, mut later) = (HashMap::<Digest, Sides<Option<Row>>>::new(), 0, Vec::new());
    for side in [Side::Primary, Side::Replica] {
        let Some(select) = all_rows(work, side) else { continue };
        let mut reader = Reader::open(work, side, select, None).await?;
        while let Some(block) = next_rows(work, &mut reader).await? {
            for row in block.rows() {
                let digest = Digest::of(identity(work, row));
                if wanted.contains_key(&digest) {
                    bytes += row.len() + 64;
                    *found.entry(digest).or_default().get_mut(side) = Some(Row::new(row));
                }
            }
            while bytes > bytes_max && found.len() > 1 {
                let Some(digest) = found.keys().next().copied() else { break };
                let both = found.remove(&digest).unwrap_or_default();
                let size = |row: &Option<Row>| row.as_ref().map_or(0, |row| row.bytes().len() + 64);
                bytes -= size(&both.primary) + size(&both.replica);
                let rows = wanted.remove(&digest).unwrap_or_default();
                later.push(Differing { identity: digest, rows });
            }
        }
    }
    if found.len() < wanted.len() {
        return Err(vanished(work, Side::Replica));
    }
    for both in found.into_values() {
        if let Some(change) = difference(work, both, excused) {
            runs.add(Pending::one(change))?;
        }
    }
    Ok(later)
}

fn difference(work: &Work, both: Sides<Option<Row>>, excused: &mut u64) -> Option<RowChange> {
    match (both.primary, both.replica) {
        (Some(after), Some(before)) => work.rules.update(after.bytes(), before.bytes(), excused),
        (Some(after), None) => Some(RowChange::Insert { after }),
        (None, Some(before)) => Some(RowChange::Delete { before }),
        (None, None) => None,
    }
}

/// What the rows with some keys need, where the keys have no order in common.
pub(super) async fn of_keys(work: &Arc<Work>, keys: Vec<Key>) -> Result<ChangeList, Failure> {
    let asked = Arc::new(keys.iter().map(|key| key.bytes().into()).collect());
    let mut found: HashMap<Box<[u8]>, Sides<Option<Row>>> = HashMap::new();
    for side in [Side::Primary, Side::Replica] {
        let select = work.select(side, Selection::Keys(keys.clone()), false);
        let mut reader = Reader::open(work, side, select, Some(Arc::clone(&asked))).await?;
        while let Some(block) = next_rows(work, &mut reader).await? {
            for row in block.rows() {
                *found.entry(identity(work, row).into()).or_default().get_mut(side) = Some(Row::new(row));
            }
        }
    }
    let mut runs = Runs::new(work, usize::MAX);
    for both in found.into_values() {
        if let Some(change) = difference(work, both, &mut 0) {
            runs.add(Pending::one(change))?;
        }
    }
    Ok(runs.merged()?)
}

/// What of the replica's row is not compared: see [`PlannedChange`].
#[derive(Clone, Default)]
struct Own {
    extra: Option<Row>,
    stored: Option<Row>,
}

/// A change, and how often it is made.
struct Pending {
    change: RowChange,
    own: Own,
    /// Of a table without a key: the number of the first.
    copies: Option<CopyNumber>,
}

impl Pending {
    fn one(change: RowChange) -> Self {
        Pending { change, own: Own::default(), copies: None }
    }

    /// Copies of a row that `side` alone has.
    fn copies(side: Side, row: Row, own: Own, first: CopyNumber) -> Self {
        let change = match side {
            Side::Primary => RowChange::Insert { after: row },
            Side::Replica => RowChange::Delete { before: row },
        };
        Pending { change, own, copies: Some(first) }
    }
}

/// Changes in the order of their rows, sorted a run at a time.
struct Runs<'a> {
    work: &'a Work,
    order: KeyOrder,
    waiting: Vec<Pending>,
    bytes: usize,
    bytes_max: usize,
    written: Vec<ChangeList>,
}

impl<'a> Runs<'a> {
    fn new(work: &'a Work, bytes_max: usize) -> Self {
        let order = work.pair.row_order();
        Runs { work, order, waiting: Vec::new(), bytes: 0, bytes_max, written: Vec::new() }
    }

    fn add(&mut self, pending: Pending) -> Result<(), SpoolError> {
        let own = [&pending.own.extra, &pending.own.stored].into_iter().flatten();
        let own: usize = own.map(|row| row.bytes().len()).sum();
        self.bytes += pending.change.row().bytes().len() + own + size_of::<Pending>();
        self.waiting.push(pending);
        if self.bytes > self.bytes_max { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), SpoolError> {
        let mut waiting = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        let image = |one: &Pending| [one.own.extra.clone(), one.own.stored.clone()];
        waiting.sort_by(|a, b| in_order(&self.order, (&a.change, image(a)), (&b.change, image(b))));
        let mut run = ChangeListWriter::new(&self.work.spool);
        for Pending { change, own: Own { extra, stored }, copies } in waiting {
            let mut planned = PlannedChange { extra, stored, ..self.work.planned(change) };
            for number in 0..copies.map_or(1, |first| first.image.of) {
                planned.copy = copies.map(|first| first.later(number));
                run.push(&planned)?;
            }
        }
        self.written.push(run.finish()?);
        Ok(())
    }

    fn merged(mut self) -> Result<ChangeList, SpoolError> {
        if !self.waiting.is_empty() {
            self.close()?;
        }
        if self.written.len() < 2 {
            return Ok(self.written.pop().unwrap_or_default());
        }
        let mut runs: Vec<_> = self.written.iter().map(|run| run.iter().peekable()).collect();
        let mut merged = ChangeListWriter::new(&self.work.spool);
        loop {
            let mut least: Option<(usize, &PlannedChange)> = None;
            for (index, run) in runs.iter_mut().enumerate() {
                match run.peek() {
                    Some(Ok(head)) if least.is_none_or(|(_, least)| self.before(head, least)) => {
                        least = Some((index, head));
                    }
                    // An error comes out next.
                    Some(Err(_)) => {
                        least = None;
                        break;
                    }
                    _ => {}
                }
            }
            let Some(index) = least.map(|(index, _)| index) else { break };
            if let Some(head) = runs[index].next() {
                merged.push(&head?)?;
            }
        }
        for run in &mut runs {
            run.next().transpose()?;
        }
        merged.finish()
    }

    fn before(&self, a: &PlannedChange, b: &PlannedChange) -> bool {
        let image = |one: &PlannedChange| [one.extra.clone(), one.stored.clone()];
        in_order(&self.order, (&a.change, image(a)), (&b.change, image(b))).is_lt()
    }
}

/// By the rows, then by what they hold out of scope, then by their spelling.
fn in_order(
    order: &KeyOrder,
    a: (&RowChange, [Option<Row>; 2]),
    b: (&RowChange, [Option<Row>; 2]),
) -> Ordering {
    let bytes = |image: [Option<Row>; 2]| image.map(|row| row.map(|row| row.bytes().to_vec()));
    order.compare(a.0.row().bytes(), b.0.row().bytes()).then_with(|| bytes(a.1).cmp(&bytes(b.1)))
}
