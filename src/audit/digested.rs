//! Comparing by digests that both databases make: only rows of ranges that differ are read, and they decide.
//!
//! The table is cut at the primary's keys into ranges of so many rows, and a handful of them at a time is narrowed down
//! ([`Narrowing`]). What is read goes through the same segments as without digests, so that the changes are the same.
//! Of the ranges that are called equal a small one is read all the same and must be equal: a method that says otherwise
//! is worth nothing, and the table is an error.
//!
//! Invariant: what is called equal has the same number of rows and the same 256 bits on both sides, made of the same form
//! of the same columns ([`Digestible`]). Where the two sides have no such form in common nothing is compared by digests,
//! and the reason is told.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join};
use futures_util::stream::{StreamExt, iter};

use crate::compare::{Narrowing, Part, Question, ROWS_TO_READ, split};
use crate::engine::{DigestForm, DigestScheme, Digestible, Snapshot};
use crate::event::Event;
use crate::failure::{ErrorKind, Failure};
use crate::schema::TablePair;
use crate::sides::{Side, Sides};
use crate::sql::{Select, Selection};
use crate::value::{Key, KeyRange, RangeDigest};

use super::segment::{SegmentFinding, run_segment};
use super::work::{Work, select_of};
use super::{AuditOptions, CHUNK_ROWS_DEFAULT};

/// Ranges that are narrowed together: so many are a statement's worth, and what is known of all their parts is little.
const RANGES_TOGETHER: usize = 8;

/// How both databases digest the rows of a pair; as an error of words, why they do not.
pub(super) async fn scheme(
    pair: &TablePair,
    snapshots: &Sides<Arc<dyn Snapshot>>,
) -> Result<Result<DigestScheme, String>, Failure> {
    if pair.replica_missing {
        return Ok(Err("the replica has no such table yet".to_owned()));
    }
    if let Some(column) = pair.columns.iter().find(|column| !column.on_replica) {
        return Ok(Err(format!("the replica has no column {} yet", column.name())));
    }
    let primary = digestible(pair, snapshots, Side::Primary).await?;
    let replica = digestible(pair, snapshots, Side::Replica).await?;
    Ok(match (primary, replica) {
        (Digestible::As(primary), Digestible::As(replica)) => {
            in_common(&primary, &replica).ok_or_else(|| {
                "the two sides keep a column in types whose digests differ for equal values".to_owned()
            })
        }
        (Digestible::Not(why), _) => Err(format!("on the primary {why}")),
        (_, Digestible::Not(why)) => Err(format!("on the replica {why}")),
    })
}

/// The first form that the other side has too.
fn in_common(one: &[DigestForm], other: &[DigestForm]) -> Option<DigestScheme> {
    one.iter().find(|form| other.contains(form)).map(|form| form.scheme)
}

/// Letters and digits that nobody knows before the run.
fn drawn_mark() -> String {
    let word = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", word(), word())
}

async fn digestible(
    pair: &TablePair,
    snapshots: &Sides<Arc<dyn Snapshot>>,
    side: Side,
) -> Result<Digestible, Failure> {
    let found = snapshots.get(side).digestible(&select(pair, side)).await;
    found.map_err(|error| error.on(side).into())
}

/// The compared columns of all rows on one side.
fn select(pair: &TablePair, side: Side) -> Select {
    let mut select = select_of(pair, side, Selection::Range(KeyRange::all()), true);
    select.columns.truncate(pair.compared_columns);
    select
}

/// Compares all rows, as [`run_segments`](super::run_segments) does.
pub(super) async fn run_digested(
    work: &Arc<Work>,
    scheme: DigestScheme,
    options: &AuditOptions,
    changes_max: Option<u64>,
) -> Result<(Vec<SegmentFinding>, bool), Failure> {
    let selects = Sides::new(Side::Primary, Side::Replica).map(|side| select(&work.pair, side));
    let rows = options.chunk_rows.clamp(1, CHUNK_ROWS_DEFAULT) as u64;
    let digested = Digested { work, scheme, mark: drawn_mark(), selects, sampled: AtomicBool::new(false) };
    let mut cuts = digested.cuts(vec![KeyRange::all()], rows).await?;
    let order = work.rules.order();
    cuts.sort_by(|a, b| order.compare(a.bytes(), b.bytes()));
    cuts.dedup();
    let ranges = split(KeyRange::all(), cuts);
    let count = ranges.len().div_ceil(RANGES_TOGETHER);
    let mut narrowing: Vec<BoxFuture<'_, Result<SegmentFinding, Failure>>> = Vec::with_capacity(count);
    for ranges in ranges.chunks(RANGES_TOGETHER) {
        narrowing.push(digested.ranges(ranges, rows, changes_max).boxed());
    }
    let mut narrowed = iter(narrowing).buffered(options.segments_max());
    let (mut found, mut changes) = (Vec::with_capacity(count), 0);
    while let Some(segment) = narrowed.next().await {
        let segment = segment?;
        changes += segment.changes.len() as u64;
        found.push(segment);
        if changes_max.is_some_and(|max| changes >= max) {
            break;
        }
    }
    drop(narrowed);
    let whole = found.len() == count && found.iter().all(|segment| segment.whole);
    Ok((found, whole))
}

struct Digested<'a> {
    work: &'a Arc<Work>,
    scheme: DigestScheme,
    /// Goes into each row that both databases digest.
    mark: String,
    selects: Sides<Select>,
    /// Whether a range that was called equal has been read.
    sampled: AtomicBool,
}

impl Digested<'_> {
    /// Narrows ranges that follow each other, and reads what differs.
    async fn ranges(
        &self,
        ranges: &[KeyRange],
        rows: u64,
        changes_max: Option<u64>,
    ) -> Result<SegmentFinding, Failure> {
        let parts = self.narrowed(ranges, rows).await?;
        if let Some(part) = parts.iter().find(|part| part.equal.is_some_and(|equal| equal.rows > 0))
            && !self.sampled.swap(true, Ordering::Relaxed)
        {
            self.check(&part.range).await?;
        }
        let mut finding = SegmentFinding::new(self.work);
        let mut parts = together(parts).into_iter();
        finding.whole = true;
        for part in parts.by_ref() {
            match part.equal {
                Some(equal) => self.take(&mut finding, &equal),
                None => finding.append(self.read(part.range, changes_max).await?)?,
            }
            if changes_max.is_some_and(|max| finding.changes.len() as u64 >= max) {
                break;
            }
        }
        finding.whole &= parts.next().is_none();
        Ok(finding)
    }

    fn take(&self, finding: &mut SegmentFinding, equal: &RangeDigest) {
        finding.rows.primary += equal.rows;
        finding.rows.replica += equal.rows;
        finding.digest.add(&Sides::new(equal.digest, equal.digest));
        self.work.observer.observe(Event::RowsRead { rows: 2 * equal.rows });
    }

    async fn narrowed(&self, ranges: &[KeyRange], rows: u64) -> Result<Vec<Part>, Failure> {
        let mut narrowing = Narrowing::new(self.work.rules.order().clone(), ranges.to_vec(), rows);
        while let Some(question) = narrowing.question() {
            self.work.check_stop()?;
            match question {
                Question::Cuts { ranges, rows } => narrowing.cuts(self.cuts(ranges, rows).await?),
                Question::Digests { ranges, rows_max } => {
                    narrowing.digests(self.digests(ranges, rows_max).await?);
                }
            }
        }
        Ok(narrowing.finish())
    }

    async fn cuts(&self, ranges: Vec<KeyRange>, rows: u64) -> Result<Vec<Key>, Failure> {
        let primary = &self.work.snapshots.primary;
        let keys = primary.cuts(&self.selects.primary, ranges, rows).await;
        keys.map_err(|error| error.on(Side::Primary).into())
    }

    /// Both sides at once.
    async fn digests(
        &self,
        ranges: Vec<KeyRange>,
        rows_max: u64,
    ) -> Result<Vec<Sides<RangeDigest>>, Failure> {
        let count = ranges.len();
        let primary = self.digests_on(Side::Primary, ranges.clone(), rows_max);
        let (primary, replica) = join(primary, self.digests_on(Side::Replica, ranges, rows_max)).await;
        let (primary, replica) = (primary?, replica?);
        if primary.len() != count || replica.len() != count {
            return Err(Failure::new(
                ErrorKind::Internal,
                "a database left out a range that it was asked for",
            ));
        }
        Ok(primary.into_iter().zip(replica).map(|(primary, replica)| Sides::new(primary, replica)).collect())
    }

    async fn digests_on(
        &self,
        side: Side,
        ranges: Vec<KeyRange>,
        rows_max: u64,
    ) -> Result<Vec<RangeDigest>, Failure> {
        let how = (self.scheme, self.mark.as_str());
        let found =
            self.work.snapshots.get(side).digests(self.selects.get(side), how, ranges, rows_max).await;
        found.map_err(|error| error.on(side).into())
    }

    async fn read(&self, range: KeyRange, changes_max: Option<u64>) -> Result<SegmentFinding, Failure> {
        let selects = self.work.range_selects(&range);
        run_segment(Arc::clone(self.work), range, selects, None, changes_max).await
    }

    /// Reads a few rows of a range that is called equal: the databases must say so of these alone, and the rows must be.
    async fn check(&self, range: &KeyRange) -> Result<(), Failure> {
        let mut cuts = self.cuts(vec![range.clone()], ROWS_TO_READ).await?;
        let order = self.work.rules.order();
        cuts.retain(|cut| order.contains(range, cut.bytes()));
        cuts.sort_by(|a, b| order.compare(a.bytes(), b.bytes()));
        cuts.dedup();
        let parts = split(range.clone(), cuts);
        let part = parts[parts.len() / 2].clone();
        let digests = self.digests(vec![part.clone()], ROWS_TO_READ).await?;
        let read = self.read(part, None).await?;
        let told = digests
            .iter()
            .all(|digests| digests.primary == digests.replica && read.rows.primary == digests.primary.rows);
        let Sides { primary, replica } = read.digest.finish();
        if told && read.rows.primary == read.rows.replica && primary == replica {
            return Ok(());
        }
        let message = format!(
            "table {}: the digests that both databases made of a range are equal, and its rows are not",
            self.work.pair.table
        );
        Err(Failure::new(ErrorKind::Changed, message)
            .hint("compare with --digest blake3; with `snapshot: none` somebody may have written meanwhile"))
    }
}

/// Parts that are read and touch are one, so that they are one read.
fn together(parts: Vec<Part>) -> Vec<Part> {
    let mut joined: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        match joined.last_mut() {
            Some(last) if last.equal.is_none() && part.equal.is_none() => last.range.to = part.range.to,
            _ => joined.push(part),
        }
    }
    joined
}

impl SegmentFinding {
    /// Adds what was found behind it.
    fn append(&mut self, mut behind: SegmentFinding) -> Result<(), Failure> {
        self.rows.primary += behind.rows.primary;
        self.rows.replica += behind.rows.replica;
        self.digest.add(&behind.digest.finish());
        self.ranges.append(&mut behind.ranges);
        for change in behind.changes.finish()?.iter() {
            self.changes.push(&change?)?;
        }
        self.excused += behind.excused;
        self.whole &= behind.whole;
        Ok(())
    }
}
