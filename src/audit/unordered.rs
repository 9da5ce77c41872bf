//! Tables whose rows have no order in common: those without a key, whose rows are compared as a multiset, and
//! those with a key that the two sides would sort differently.
//!
//! Both sides are read once, in any order, and set aside as digests; [`join`] tells which differ. Only then, and
//! only where something does, the sides are read again in the same snapshots for the rows themselves (`gather`).
//! Invariant: what is held at once is bounded by the memory ceiling, whatever differs and however many rows are
//! equal.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::compare::{ChangeNumber, DifferingRows, Joined, OrderError, PartedRows, RangeDrift, join};
use crate::engine::Snapshot;
use crate::event::{Observer, Stop};
use crate::failure::{ErrorKind, Failure};
use crate::schema::TablePair;
use crate::sides::{Side, Sides};
use crate::spool::{Spool, SpoolError};
use crate::sql::{Select, Selection};
use crate::value::{Digest, DigestMethod, KeyRange, RowBlock};

use super::reader::Reader;
use super::words::order_failure;
use super::work::Work;
use super::{AuditOptions, TableFinding, gather, lookup};

/// How long a request to stop may go unnoticed while a server is silent.
const STOP_CHECK: Duration = Duration::from_millis(100);
/// Bytes that a digest takes while it is counted.
const TALLY_BYTES: u64 = 256;
/// How many different rows may be given to [`copies_that_differ`].
pub const COPIES_AT_ONCE: usize = 200_000;

/// Compares the rows of a pair that come in no order.
pub(super) async fn find(
    pair: &TablePair,
    snapshots: Sides<Arc<dyn Snapshot>>,
    options: &AuditOptions,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<TableFinding, Failure> {
    let work = Work::new(pair, snapshots, options, 1, observer, stop)?;
    let (rows, joined) = joined(&work, options).await?;
    for side in [Side::Primary, Side::Replica] {
        if let Some(identity) = joined.repeated.get(side).filter(|_| !pair.is_keyless()) {
            return Err(repeated(&work, side, &identity).await);
        }
    }
    let (differing, cut) = first(joined.differing, &work, options)?;
    let mut excused = 0;
    let found = gather::changes(&work, &differing, options, &mut excused).await?;
    let found = match pair.is_keyless() {
        true => found,
        false => lookup::settle(&work, found, &mut excused).await?,
    };
    let changes_max = options.changes_max.and_then(|max| ChangeNumber::try_from(max).ok());
    let changes = found.head(changes_max.unwrap_or(ChangeNumber::MAX), &work.spool)?;
    let truncated = cut || changes.len() < found.len();
    let changes = match pair.is_keyless() {
        true => changes,
        false => lookup::completed(&work, changes).await?,
    };
    let whole = RangeDrift { range: KeyRange::all(), rows };
    Ok(TableFinding {
        rows,
        digest: joined.digest.finish(),
        method: DigestMethod::Blake3,
        not_digested: None,
        ranges: Some(whole).filter(|_| !changes.is_empty()).into_iter().collect(),
        changes,
        excused,
        truncated,
    })
}

/// The select of all rows of one side.
pub(super) fn all_rows(work: &Work, side: Side) -> Option<Select> {
    let missing = side == Side::Replica && work.pair.replica_missing;
    (!missing).then(|| work.select(side, Selection::Range(KeyRange::all()), false))
}

/// What tells a row from others: its key, or where there is none all that is compared.
pub(super) fn identity<'a>(work: &Work, row: &'a [u8]) -> &'a [u8] {
    match work.pair.is_keyless() {
        true => work.rules.compared_part(row),
        false => &row[..work.rules.order().key_len(row)],
    }
}

/// The next rows; a request to stop is heard also while there are none.
pub(super) async fn next_rows(work: &Work, reader: &mut Reader) -> Result<Option<RowBlock>, Failure> {
    loop {
        work.check_stop()?;
        if let Ok(rows) = tokio::time::timeout(STOP_CHECK, reader.next()).await {
            return rows;
        }
    }
}

/// Reads both sides and joins them: how many rows each has, and what differs.
async fn joined(work: &Arc<Work>, options: &AuditOptions) -> Result<(Sides<u64>, Joined), Failure> {
    // Of its own, so that it goes when the join is done.
    let spool = Spool::new(options.memory_bytes / 8);
    let pages_bytes = usize::try_from(options.memory_bytes / 32).unwrap_or(usize::MAX).min(2 << 20);
    let mut tasks = JoinSet::new();
    // One after the other, and the primary first: see `audit_table`.
    for side in [Side::Primary, Side::Replica] {
        let reader = match all_rows(work, side) {
            Some(select) => Some(Reader::open(work, side, select, None).await?),
            None => None,
        };
        let (work, rows) = (Arc::clone(work), PartedRows::new(&spool, pages_bytes));
        tasks.spawn(async move { Ok::<_, Failure>((side, parted(&work, reader, rows).await?)) });
    }
    let mut sides: Sides<Option<PartedRows>> = Sides::default();
    while let Some(ended) = tasks.join_next().await {
        let (side, rows) = ended.map_err(|error| broke_off(&error.to_string()))??;
        *sides.get_mut(side) = Some(rows);
    }
    let Sides { primary: Some(primary), replica: Some(replica) } = sides else {
        return Err(broke_off("a side was not read"));
    };
    let rows = Sides::new(primary.len(), replica.len());
    let entries_max = usize::try_from(options.memory_bytes / 8 / TALLY_BYTES).unwrap_or(usize::MAX);
    let (hasher, kept) = (work.rules.hasher(), work.spool.clone());
    let joining = move || join(Sides::new(primary, replica), &hasher, entries_max, &spool, &kept);
    let joined = tokio::task::spawn_blocking(joining).await;
    Ok((rows, joined.map_err(|error| broke_off(&error.to_string()))??))
}

fn broke_off(words: &str) -> Failure {
    Failure::new(ErrorKind::Internal, "joining the rows of the table broke off").detail(words)
}

async fn parted(
    work: &Arc<Work>,
    reader: Option<Reader>,
    mut rows: PartedRows,
) -> Result<PartedRows, Failure> {
    let Some(mut reader) = reader else { return Ok(rows) };
    while let Some(block) = next_rows(work, &mut reader).await? {
        for row in block.rows() {
            let identity = Digest::of(identity(work, row));
            let compared = match work.pair.is_keyless() {
                true => identity,
                false => Digest::of(work.rules.compared_part(row)),
            };
            rows.push(&identity, &compared)?;
        }
    }
    Ok(rows)
}

/// As many of the differing rows as are wanted, and whether there are more.
fn first(
    differing: DifferingRows,
    work: &Work,
    options: &AuditOptions,
) -> Result<(DifferingRows, bool), SpoolError> {
    // What is in scope on one side alone may turn out to be no drift.
    let keyless = work.pair.is_keyless();
    let Some(max) = options.changes_max.filter(|_| keyless || work.pair.scope.is_none()) else {
        return Ok((differing, false));
    };
    let (mut head, mut changes, mut at) = (DifferingRows::new(&work.spool), 0, 0);
    while changes < max && at < differing.len() {
        for one in differing.some(at, 1)? {
            changes += if keyless { one.rows.primary.abs_diff(one.rows.replica) } else { 1 };
            head.push(&one)?;
        }
        at += 1;
    }
    let cut = at < differing.len();
    Ok((head, cut))
}

/// The failure for two rows of one key, found again by its digest.
async fn repeated(work: &Arc<Work>, side: Side, wanted: &Digest) -> Failure {
    match key_of(work, side, wanted).await {
        Ok(Some(row)) => {
            let key = work.rules.order().key_of(&row);
            order_failure(&work.pair, &OrderError::Duplicate { side, key })
        }
        Ok(None) => gather::vanished(work, side),
        Err(failure) => failure,
    }
}

async fn key_of(work: &Arc<Work>, side: Side, wanted: &Digest) -> Result<Option<Vec<u8>>, Failure> {
    let Some(select) = all_rows(work, side) else { return Ok(None) };
    let mut reader = Reader::open(work, side, select, None).await?;
    while let Some(rows) = next_rows(work, &mut reader).await? {
        if let Some(row) = rows.rows().find(|row| Digest::of(identity(work, row)) == *wanted) {
            return Ok(Some(row.to_vec()));
        }
    }
    Ok(None)
}

/// How many copies of these rows (digests of whole rows, at most [`COPIES_AT_ONCE`]) one side has more than the
/// other, in a table without a key. As [`audit_keys`](super::audit_keys), this is the check after apply.
///
/// # Errors
/// As [`audit_table`](super::audit_table).
pub async fn copies_that_differ(
    pair: &TablePair,
    rows: impl IntoIterator<Item = Digest>,
    snapshots: Sides<Arc<dyn Snapshot>>,
    options: &AuditOptions,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<u64, Failure> {
    let pair = super::complete(pair);
    let work = Work::new(&pair, snapshots, options, 1, observer, stop)?;
    let mut counts: HashMap<Digest, Sides<u64>> =
        rows.into_iter().map(|row| (row, Sides::default())).collect();
    for side in [Side::Primary, Side::Replica] {
        let Some(select) = all_rows(&work, side) else { continue };
        let mut reader = Reader::open(&work, side, select, None).await?;
        while let Some(block) = next_rows(&work, &mut reader).await? {
            for row in block.rows() {
                if let Some(counts) = counts.get_mut(&Digest::of(identity(&work, row))) {
                    *counts.get_mut(side) += 1;
                }
            }
        }
    }
    Ok(counts.values().map(|rows| rows.primary.abs_diff(rows.replica)).sum())
}
