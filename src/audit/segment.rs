//! One segment of a table: both sides are read at once, pairs of blocks are cut and compared as they come.
//!
//! Only one task reads and cuts; comparing is handed to rayon. A permit is taken before a pair is read and
//! given back when it has been compared, and nothing that holds one waits for another, so segments cannot
//! block each other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{FuturesOrdered, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::compare::{
    BlockFinding, BlockPair, ChangeListWriter, DigestFold, OrderError, Pairing, RangeDrift, compare_blocks,
};
use crate::failure::{ErrorKind, Failure};
use crate::sides::{Side, Sides};
use crate::sql::Select;
use crate::value::{KeyRange, RowBlock};

use super::reader::{Asked, Reader};
use super::words::order_failure;
use super::work::Work;

/// How long a request to stop may go unnoticed while a server is silent.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// What was found in one segment.
pub(super) struct SegmentFinding {
    pub(super) rows: Sides<u64>,
    pub(super) digest: DigestFold,
    /// Differing ranges, not joined yet.
    pub(super) ranges: Vec<RangeDrift>,
    pub(super) changes: ChangeListWriter,
    pub(super) excused: u64,
    /// Whether it was read to its end.
    pub(super) whole: bool,
}

/// Compares the rows of one range of keys. `changes_max` stops reading once so many changes are known.
pub(super) async fn run_segment(
    work: Arc<Work>,
    range: KeyRange,
    selects: Sides<Option<Select>>,
    asked: Option<Asked>,
    changes_max: Option<u64>,
) -> Result<SegmentFinding, Failure> {
    work.check_stop()?;
    // One after the other, and the primary first: see `audit_table`.
    let primary = open(&work, Side::Primary, selects.primary, &asked).await?;
    let replica = open(&work, Side::Replica, selects.replica, &asked).await?;
    let pairing = Pairing::new(work.rules.order().clone(), range, work.bounds);
    let mut stop_check = interval(STOP_CHECK);
    stop_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let finding = SegmentFinding::new(&work);
    let segment = Segment {
        work,
        pairing,
        readers: Sides::new(primary, replica),
        comparing: FuturesOrdered::new(),
        finding,
        stop_check,
    };
    segment.run(changes_max).await
}

async fn open(
    work: &Arc<Work>,
    side: Side,
    select: Option<Select>,
    asked: &Option<Asked>,
) -> Result<Option<Reader>, Failure> {
    match select {
        Some(select) => Ok(Some(Reader::open(work, side, select, asked.clone()).await?)),
        None => Ok(None),
    }
}

struct Segment {
    work: Arc<Work>,
    pairing: Pairing,
    /// `None` when there is nothing (more) to read.
    readers: Sides<Option<Reader>>,
    comparing: FuturesOrdered<oneshot::Receiver<Compared>>,
    finding: SegmentFinding,
    stop_check: Interval,
}

/// A range and what comparing it gave; the text is that of a panic.
type Compared = (KeyRange, Result<Result<BlockFinding, OrderError>, String>);

impl Segment {
    async fn run(mut self, changes_max: Option<u64>) -> Result<SegmentFinding, Failure> {
        loop {
            self.take_up_compared()?;
            let permit = self.permit().await?;
            let Some(pair) = self.next_pair().await? else { break };
            self.comparing.push_back(compare_on_workers(Arc::clone(&self.work), pair, permit));
            if changes_max.is_some_and(|max| self.finding.changes.len() as u64 >= max) {
                break;
            }
        }
        self.finding.whole = self.pairing.done();
        // Whoever waits for a connection need not wait for the last blocks.
        self.readers = Sides::default();
        while let Some(compared) = self.comparing.next().await {
            self.finding.add(&self.work, compared)?;
        }
        Ok(self.finding)
    }

    /// What is compared holds rows, and no permit any more: it never piles up.
    fn take_up_compared(&mut self) -> Result<(), Failure> {
        while let Some(Some(compared)) = self.comparing.next().now_or_never() {
            self.finding.add(&self.work, compared)?;
        }
        Ok(())
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let permit = Arc::clone(&self.work.permits).acquire_owned().await;
        permit.map_err(|_| Failure::new(ErrorKind::Internal, "the memory permits were closed"))
    }

    /// Reads on until a pair is complete; `None` after the last.
    async fn next_pair(&mut self) -> Result<Option<BlockPair>, Failure> {
        let Segment { work, pairing, readers, comparing, finding, stop_check } = self;
        work.recycle(pairing);
        loop {
            work.check_stop()?;
            if let Some(pair) = pairing.next_pair() {
                return Ok(Some(pair));
            }
            if pairing.done() {
                return Ok(None);
            }
            tokio::select! {
                rows = next_rows(&mut readers.primary), if pairing.wants(Side::Primary) => {
                    feed(pairing, readers, Side::Primary, rows?);
                }
                rows = next_rows(&mut readers.replica), if pairing.wants(Side::Replica) => {
                    feed(pairing, readers, Side::Replica, rows?);
                }
                Some(compared) = comparing.next(), if !comparing.is_empty() => finding.add(work, compared)?,
                _ = stop_check.tick() => {}
            }
        }
    }
}

async fn next_rows(reader: &mut Option<Reader>) -> Result<Option<RowBlock>, Failure> {
    match reader {
        Some(reader) => reader.next().await,
        None => Ok(None),
    }
}

fn feed(pairing: &mut Pairing, readers: &mut Sides<Option<Reader>>, side: Side, rows: Option<RowBlock>) {
    match rows {
        Some(rows) => pairing.push(side, rows),
        None => {
            *readers.get_mut(side) = None;
            pairing.finish(side);
        }
    }
}

/// Compares a pair on rayon's threads. A panic there would abort the process: it is caught and told.
fn compare_on_workers(
    work: Arc<Work>,
    mut pair: BlockPair,
    permit: OwnedSemaphorePermit,
) -> oneshot::Receiver<Compared> {
    let (sender, receiver) = oneshot::channel();
    rayon::spawn(move || {
        let compared = catch_unwind(AssertUnwindSafe(|| compare_blocks(&pair, &work.rules)));
        let range = std::mem::take(&mut pair.range);
        work.give_back(pair);
        drop(permit);
        // Nobody listens any more when another part of the table failed.
        let _ = sender.send((range, compared.map_err(|panic| panic_words(panic.as_ref()))));
    });
    receiver
}

fn panic_words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

impl SegmentFinding {
    /// Nothing yet.
    pub(super) fn new(work: &Work) -> Self {
        SegmentFinding {
            rows: Sides::default(),
            digest: DigestFold::new(),
            ranges: Vec::new(),
            changes: ChangeListWriter::new(&work.spool),
            excused: 0,
            whole: false,
        }
    }

    /// Adds the next range in key order.
    fn add(
        &mut self,
        work: &Work,
        compared: Result<Compared, oneshot::error::RecvError>,
    ) -> Result<(), Failure> {
        let broken = |words: String| {
            Failure::new(ErrorKind::Internal, "comparing a block of rows broke off").detail(words)
        };
        let (range, found) = compared.map_err(|error| broken(error.to_string()))?;
        let found = found.map_err(broken)?.map_err(|error| order_failure(&work.pair, &error))?;
        self.rows.primary += found.rows.primary;
        self.rows.replica += found.rows.replica;
        self.digest.add(&found.digests);
        self.excused += found.excused;
        if !found.changes.is_empty() {
            self.ranges.push(RangeDrift { range, rows: found.rows });
            for change in found.changes {
                self.changes.push(&work.planned(change))?;
            }
        }
        Ok(())
    }
}
