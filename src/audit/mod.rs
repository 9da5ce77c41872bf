//! 5. Drives `compare` against the snapshots of both sides: segments, blocks in flight, both thread pools.
//!
//! A table is cut into a few segments of keys. In each, one ordered select per side streams all rows; tokio
//! carries the blocks, [`Pairing`](crate::compare::Pairing) cuts them at the same keys, rayon compares the
//! pairs. A permit covers a pair from before it is read until it has been compared, so what is in memory is
//! bounded by [`AuditOptions::memory_bytes`] however large the table or the difference is: the changes
//! themselves go to a [`Spool`]. Tables without a key, and keys that have no order in common, are read in any
//! order and joined by digests (`unordered`).
//!
//! With digests that the databases make ([`DigestMethod::Database`]) only ranges that differ are read (`digested`).
//!
//! Several replicas that want the same of the primary share one read of it (`shared`).
//!
//! Invariant: a finding is about all rows in scope of both snapshots, each read once or digested. Whatever cannot be
//! read, is out of order or goes wrong inside is a [`Failure`], never a shorter table. This room writes
//! nothing and prints nothing.

mod added;
mod ahead;
mod buckets;
mod collide;
mod digested;
mod gather;
mod handover;
mod lookup;
mod reader;
mod rules;
mod segment;
mod shared;
#[cfg(test)]
mod tests;
mod unique;
mod unordered;
mod words;
mod work;

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::compare::{ChangeList, ChangeNumber, DigestFold, RangeDrift, joined};
use crate::engine::Snapshot;
use crate::event::{Event, Observer, Stop};
use crate::failure::{ErrorKind, Failure};
use crate::schema::TablePair;
use crate::sides::{Side, Sides};
use crate::spool::Spool;
use crate::sql::{Select, Selection};
use crate::value::{Digest, DigestMethod, Key, KeyRange};

pub use ahead::read_ahead;
pub use collide::Collisions;
pub use shared::shared_primaries;
pub use unique::check_unique;
pub use unordered::{COPIES_AT_ONCE, copies_that_differ};

use segment::{SegmentFinding, run_segment};
use work::{KeyChunks, Work};

/// How much may be done and held at once.
#[derive(Clone, Debug)]
pub struct AuditOptions {
    /// Segments of a table that are read at once, if both sides have that many readers; at least 1.
    pub jobs: usize,
    /// Rows of the primary in one range, at least 1.
    pub chunk_rows: usize,
    /// The ceiling for everything. Blocks of rows take a quarter of it; a row may have an eighth.
    pub memory_bytes: u64,
    /// Stop looking after that many differing rows of a table.
    pub changes_max: Option<u64>,
    /// Where differing rows are set aside.
    pub spool: Spool,
    /// Who is to make the digests. Where the databases cannot, they are made here.
    pub digest: DigestMethod,
}

/// The default of [`AuditOptions::chunk_rows`].
pub const CHUNK_ROWS_DEFAULT: usize = 65_536;
/// The default of [`AuditOptions::memory_bytes`].
pub const MEMORY_BYTES_DEFAULT: u64 = 256 << 20;

/// What a segment takes besides its blocks: for each side the blocks on their way, and SQLite's pages.
const SEGMENT_BYTES: u64 = 8 << 20;

impl Default for AuditOptions {
    fn default() -> Self {
        AuditOptions {
            jobs: 4,
            chunk_rows: CHUNK_ROWS_DEFAULT,
            memory_bytes: MEMORY_BYTES_DEFAULT,
            changes_max: None,
            spool: spool(MEMORY_BYTES_DEFAULT),
            digest: DigestMethod::default(),
        }
    }
}

impl AuditOptions {
    /// How many segments, or tables of one segment, may be read at once: what is on its way from both engines has a
    /// quarter of the memory.
    pub fn segments_max(&self) -> usize {
        let fit = self.memory_bytes / 4 / SEGMENT_BYTES;
        self.jobs.min(usize::try_from(fit).unwrap_or(usize::MAX)).max(1)
    }
}

/// The spool of a run that may take `memory_bytes` altogether.
pub fn spool(memory_bytes: u64) -> Spool {
    Spool::new(memory_bytes / 8)
}

/// What was found about one table pair.
#[derive(Clone, Debug)]
pub struct TableFinding {
    /// Rows in scope; those read so far when `truncated`.
    pub rows: Sides<u64>,
    /// Digests of the compared columns of all rows in scope. They are equal exactly when all of these are.
    pub digest: Sides<Digest>,
    /// Who made them.
    pub method: DigestMethod,
    /// Why the databases did not, where they should have.
    pub not_digested: Option<String>,
    /// Differing ranges in key order, joined where they touch; every change lies in one.
    pub ranges: Vec<RangeDrift>,
    /// What the replica needs, in key order.
    pub changes: ChangeList,
    /// Rows whose differences are all excused.
    pub excused: u64,
    /// Whether looking stopped at [`AuditOptions::changes_max`]: `changes` are then the first ones.
    pub truncated: bool,
}

/// Compares all rows in scope of one table pair. Tells the observer when it starts, reads and ends.
///
/// Scans are opened on the primary first and then on the replica, always, so that audits that share
/// snapshots cannot wait for each other in a circle.
///
/// # Errors
/// Whatever keeps the answer from being whole, with the kind that output names; `Interrupted` when `stop` was
/// requested.
pub async fn audit_table(
    pair: &TablePair,
    replica_name: &str,
    snapshots: Sides<Arc<dyn Snapshot>>,
    options: &AuditOptions,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<TableFinding, Failure> {
    let (replica, table) = (replica_name.to_owned(), pair.table.clone());
    observer.observe(Event::TableStarted { replica: replica.clone(), table: table.clone() });
    let finding = find(pair, snapshots, options, observer, stop).await;
    let changes = finding.as_ref().map_or(0, |finding| finding.changes.len() as u64);
    let failed = finding.is_err();
    observer.observe(Event::TableFinished { replica, table, changes, failed });
    finding
}

/// Compares just the rows with these keys, in any order, and returns what the replica still needs, in no
/// particular order. The replica's table is taken to be complete, also where the pair says that the table or a column
/// was missing: this is the check after apply. Column values out of scope are not fetched.
///
/// # Errors
/// As [`audit_table`].
pub async fn audit_keys(
    pair: &TablePair,
    keys: Vec<Key>,
    snapshots: Sides<Arc<dyn Snapshot>>,
    options: &AuditOptions,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<ChangeList, Failure> {
    let pair = complete(pair);
    let work = Work::new(&pair, snapshots, options, 1, observer, stop)?;
    let mut chunks = KeyChunks::new(keys, work.rules.order());
    let mut changes = Vec::new();
    while let Some(keys) = chunks.next() {
        if !pair.is_ordered() {
            let found = gather::of_keys(&work, keys).await?;
            changes.push(lookup::settle(&work, found, &mut 0).await?);
            continue;
        }
        let asked = Arc::new(keys.iter().map(|key| key.bytes().into()).collect());
        let selects = Sides::new(Side::Primary, Side::Replica)
            .map(|side| Some(work.select(side, Selection::Keys(keys.clone()), true)));
        let segment = run_segment(Arc::clone(&work), KeyRange::all(), selects, Some(asked), None).await?;
        changes.push(lookup::settle(&work, segment.changes.finish()?, &mut 0).await?);
    }
    Ok(ChangeList::concat(changes)?)
}

/// Whether all rows in scope of a table that apply filled from nothing are equal on both sides: the check after a
/// copy, range by range. What is not is for [`audit_keys`] to tell.
///
/// # Errors
/// As [`audit_table`].
pub async fn audit_copy(
    pair: &TablePair,
    snapshots: Sides<Arc<dyn Snapshot>>,
    options: &AuditOptions,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<bool, Failure> {
    let options = AuditOptions { changes_max: Some(1), digest: DigestMethod::Blake3, ..options.clone() };
    let finding = find(&complete(pair), snapshots, &options, observer, stop).await?;
    Ok(finding.changes.is_empty() && finding.excused == 0)
}

/// The pair once the replica has the table and all columns.
fn complete(pair: &TablePair) -> TablePair {
    let mut pair = pair.clone();
    pair.replica_missing = false;
    pair.columns.iter_mut().for_each(|column| column.on_replica = true);
    pair
}

async fn find(
    pair: &TablePair,
    snapshots: Sides<Arc<dyn Snapshot>>,
    options: &AuditOptions,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<TableFinding, Failure> {
    if !pair.is_ordered() {
        let found = unordered::find(pair, snapshots, options, observer, stop).await?;
        let why = "its rows have no key in an order that both sides have";
        let not_digested = (options.digest == DigestMethod::Database).then(|| why.to_owned());
        return Ok(TableFinding { not_digested, ..found });
    }
    let (scheme, not_digested) = match options.digest {
        DigestMethod::Blake3 => (None, None),
        DigestMethod::Database => match digested::scheme(pair, &snapshots).await? {
            Ok(scheme) => (Some(scheme), None),
            Err(why) => (None, Some(why)),
        },
    };
    let method = if scheme.is_some() { DigestMethod::Database } else { DigestMethod::Blake3 };
    let ranges = match scheme {
        None => segments(pair, &snapshots, options).await?,
        Some(_) => Vec::new(),
    };
    let at_once = if scheme.is_some() { options.segments_max() } else { ranges.len() };
    let work = Work::new(pair, snapshots, options, at_once, observer, stop)?;
    // Rows that are in scope on the primary alone may turn out to be no drift, so where they are settled
    // later nothing can be said of a limit before.
    let changes_max = options.changes_max.filter(|_| pair.scope.is_none());
    let (segments, whole) = match scheme {
        None => run_segments(&work, ranges, changes_max).await?,
        Some(scheme) => digested::run_digested(&work, scheme, options, changes_max).await?,
    };
    let mut finding = Assembled::default();
    for segment in segments {
        finding.add(segment)?;
    }
    let Assembled { rows, digest, ranges, changes, mut excused } = finding;
    let found = lookup::settle(&work, ChangeList::concat(changes)?, &mut excused).await?;
    let changes_max = options.changes_max.and_then(|max| ChangeNumber::try_from(max).ok());
    let changes = found.head(changes_max.unwrap_or(ChangeNumber::MAX), &work.spool)?;
    Ok(TableFinding {
        rows,
        digest: digest.finish(),
        method,
        not_digested,
        ranges: joined(ranges, &changes, work.rules.order())?,
        truncated: !whole || changes.len() < found.len(),
        changes: lookup::completed(&work, changes).await?,
        excused,
    })
}

/// Ranges of keys to read at once, in order, from open to open.
async fn segments(
    pair: &TablePair,
    snapshots: &Sides<Arc<dyn Snapshot>>,
    options: &AuditOptions,
) -> Result<Vec<KeyRange>, Failure> {
    let mut readers = options.segments_max().min(snapshots.primary.readers());
    if !pair.replica_missing {
        readers = readers.min(snapshots.replica.readers());
        let select = pair.select(Side::Replica, Selection::Range(KeyRange::all()), true);
        if readers > 1 && !snapshots.replica.reads_ranges(&select) {
            readers = 1;
        }
    }
    let mut cuts = Vec::new();
    if readers > 1 {
        let select = pair.select(Side::Primary, Selection::Range(KeyRange::all()), true);
        cuts = snapshots.primary.split(&select, readers).await.map_err(|error| error.on(Side::Primary))?;
        cuts.truncate(readers - 1);
    }
    let order = pair.key_order();
    let mut ranges = vec![KeyRange::all()];
    for cut in cuts {
        let Some(last) = ranges.last_mut() else { break };
        // Where to cut is only a matter of speed: a key that is not above the one before is left out.
        if last.from.as_ref().is_none_or(|from| order.compare(from.bytes(), cut.bytes()).is_lt()) {
            last.to = Some(cut.clone());
            ranges.push(KeyRange { from: Some(cut), to: None });
        }
    }
    Ok(ranges)
}

/// Runs all segments at once. Returns their findings in key order, and whether they are all there: with
/// `changes_max`, only the first segments that have so many changes between them.
async fn run_segments(
    work: &Arc<Work>,
    ranges: Vec<KeyRange>,
    changes_max: Option<u64>,
) -> Result<(Vec<SegmentFinding>, bool), Failure> {
    let mut found: Vec<Option<SegmentFinding>> = ranges.iter().map(|_| None).collect();
    // Dropped on the first error, which stops the other segments' readers.
    let mut tasks = JoinSet::new();
    for (index, range) in ranges.into_iter().enumerate() {
        let work = Arc::clone(work);
        let selects = work.range_selects(&range);
        tasks.spawn(async move { (index, run_segment(work, range, selects, None, changes_max).await) });
    }
    while let Some(ended) = tasks.join_next().await {
        let (index, segment) = ended.map_err(|error| {
            Failure::new(ErrorKind::Internal, "reading a part of the table broke off")
                .detail(error.to_string())
        })?;
        found[index] = Some(segment?);
        let leading = || found.iter().map_while(Option::as_ref);
        let changes: u64 = leading().map(|segment| segment.changes.len() as u64).sum();
        if changes_max.is_some_and(|max| changes >= max) {
            let whole = leading().count() == found.len() && leading().all(|segment| segment.whole);
            return Ok((found.into_iter().map_while(|segment| segment).collect(), whole));
        }
    }
    Ok((found.into_iter().flatten().collect(), true))
}

/// The findings of segments, put together in key order.
#[derive(Default)]
struct Assembled {
    rows: Sides<u64>,
    digest: DigestFold,
    ranges: Vec<RangeDrift>,
    changes: Vec<ChangeList>,
    excused: u64,
}

impl Assembled {
    fn add(&mut self, mut segment: SegmentFinding) -> Result<(), Failure> {
        self.rows.primary += segment.rows.primary;
        self.rows.replica += segment.rows.replica;
        self.digest.add(&segment.digest.finish());
        self.ranges.append(&mut segment.ranges);
        self.changes.push(segment.changes.finish()?);
        self.excused += segment.excused;
        Ok(())
    }
}

/// The selects of both sides of one segment; `None` where there is no table to read.
type Selects = Sides<Option<Select>>;
