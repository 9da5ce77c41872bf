//! One read of the primary for several replicas: the rows of a table, handed to each audit that is after the same.
//!
//! The first audit that asks for a range has it read; the others are given the same blocks. Nobody holds more than a
//! block or two, so that a read goes as fast as the slowest who takes part. One that keeps the others waiting for
//! [`PATIENCE`] is let go: its stream ends in an error of kind `Timeout`, and it may be compared by itself.
//!
//! Invariant: a stream that ends without an error has brought every row, whatever became of the others. One that
//! fails or ends early takes nothing from them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::engine::{EngineError, RowStream, Snapshot};
use crate::failure::ErrorKind;
use crate::schema::TablePair;
use crate::sides::Side;
use crate::sql::{Select, Selection};
use crate::value::{Key, KeyRange, RowBlock};

use super::AuditOptions;

/// How long one may keep the others waiting: well below the minute after which a server of the MySQL family gives up
/// a stream that nobody takes.
const PATIENCE: Duration = Duration::from_secs(10);
/// Blocks that wait for one audit, besides its last word.
const BLOCKS_WAITING: usize = 1;
/// Less memory than this is too little for an audit beside others.
const AUDIT_BYTES_MIN: u64 = 16 << 20;

type Message = Result<RowBlock, EngineError>;

impl AuditOptions {
    /// How many audits of one table may run beside each other.
    pub fn audits_max(&self) -> usize {
        usize::try_from(self.memory_bytes / AUDIT_BYTES_MIN).unwrap_or(usize::MAX).max(1)
    }

    /// The part of one of so many audits that run beside each other.
    pub fn beside(&self, audits: usize) -> AuditOptions {
        AuditOptions { memory_bytes: self.memory_bytes / audits.max(1) as u64, ..self.clone() }
    }
}

/// For each audit of one table, the primary to read from: those that would read the same rows in the same form share
/// one read. Who has nobody to share with gets the primary itself.
pub fn shared_primaries(
    primary: &Arc<dyn Snapshot>,
    audits: &[(&TablePair, &Arc<dyn Snapshot>)],
) -> Vec<Arc<dyn Snapshot>> {
    shared_within(PATIENCE, primary, audits)
}

pub(super) fn shared_within(
    patience: Duration,
    primary: &Arc<dyn Snapshot>,
    audits: &[(&TablePair, &Arc<dyn Snapshot>)],
) -> Vec<Arc<dyn Snapshot>> {
    let wholes: Vec<Select> = audits.iter().map(|(pair, _)| whole(Side::Primary, pair)).collect();
    let mut primaries: Vec<Arc<dyn Snapshot>> = audits.iter().map(|_| Arc::clone(primary)).collect();
    for (first, select) in wholes.iter().enumerate() {
        let alike: Vec<usize> = (0..wholes.len()).filter(|other| wholes[*other] == *select).collect();
        if alike.len() < 2 || alike[0] != first {
            continue;
        }
        let readers = alike.iter().map(|audit| readers_of(audits[*audit])).min().unwrap_or(1);
        let shared = Arc::new(Shared {
            primary: Arc::clone(primary),
            readers: readers.min(primary.readers()),
            patience,
            cuts: tokio::sync::Mutex::default(),
            members: Mutex::new(alike.iter().map(|_| Member { there: true, ..Member::default() }).collect()),
        });
        for (member, audit) in alike.into_iter().enumerate() {
            primaries[audit] = Arc::new(Handed { shared: Arc::clone(&shared), member });
        }
    }
    primaries
}

/// What an audit reads of one side when it reads all of it.
fn whole(side: Side, pair: &TablePair) -> Select {
    pair.select(side, Selection::Range(KeyRange::all()), pair.is_ordered())
}

/// In how many parts a replica can be read at once. All that share have the same parts.
fn readers_of((pair, replica): (&TablePair, &Arc<dyn Snapshot>)) -> usize {
    match pair.replica_missing {
        true => usize::MAX,
        false if replica.reads_ranges(&whole(Side::Replica, pair)) => replica.readers(),
        false => 1,
    }
}

/// What those who share a read have in common.
struct Shared {
    primary: Arc<dyn Snapshot>,
    readers: usize,
    patience: Duration,
    /// Where the table is cut, by what was asked: for all the same.
    cuts: tokio::sync::Mutex<Vec<(Select, usize, Vec<Key>)>>,
    members: Mutex<Vec<Member>>,
}

/// One of them.
#[derive(Default)]
struct Member {
    there: bool,
    /// What it has asked for: when it asks again, it reads by itself.
    asked: Vec<Select>,
    /// Streams that others have begun, and that it will ask for.
    kept: Vec<(Select, Handout)>,
}

/// A stream, and whether its read has begun.
struct Handout {
    stream: RowStream,
    begun: watch::Receiver<bool>,
}

impl Shared {
    fn members(&self) -> MutexGuard<'_, Vec<Member>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream of a member that asks for the first time; `None` where it has asked before.
    fn handout(self: &Arc<Self>, member: usize, select: &Select) -> Option<Handout> {
        let mut members = self.members();
        if members[member].asked.contains(select) {
            return None;
        }
        members[member].asked.push(select.clone());
        if let Some(at) = members[member].kept.iter().position(|(kept, _)| kept == select) {
            return Some(members[member].kept.swap_remove(at).1);
        }
        let (announce, begun) = watch::channel(false);
        let (takers, mine) = self.takers(&mut members, member, select, &begun);
        tokio::spawn(read(Arc::clone(self), select.clone(), takers, announce));
        Some(Handout { stream: mine, begun })
    }

    /// A taker for each member that is there, and the stream of the one that asks; the others' are kept for them.
    fn takers(
        &self,
        members: &mut [Member],
        asking: usize,
        select: &Select,
        begun: &watch::Receiver<bool>,
    ) -> (Vec<Taker>, RowStream) {
        let (taker, mine) = Taker::new();
        let mut takers = vec![taker];
        for (at, other) in members.iter_mut().enumerate() {
            if at != asking && other.there && !other.asked.contains(select) {
                let (taker, stream) = Taker::new();
                takers.push(taker);
                other.kept.push((select.clone(), Handout { stream, begun: begun.clone() }));
            }
        }
        (takers, mine)
    }
}

/// Reads once and hands out to all.
async fn read(shared: Arc<Shared>, select: Select, takers: Vec<Taker>, announce: watch::Sender<bool>) {
    let table = select.table.to_string();
    let opened = shared.primary.scan(select).await;
    announce.send_replace(true);
    let mut takers = takers;
    let mut stream = match opened {
        Ok(stream) => stream,
        Err(error) => return takers.into_iter().for_each(|taker| taker.fail(error.clone())),
    };
    let patience = shared.patience;
    drop(shared);
    loop {
        takers.retain(|taker| !taker.blocks.is_closed());
        if takers.is_empty() {
            return;
        }
        let next = tokio::select! {
            next = stream.next() => next,
            _ = join_all(takers.iter().map(|taker| taker.blocks.closed())) => return,
        };
        match next {
            Ok(Some(block)) => takers = hand_out(takers, &block, patience, &table).await,
            Ok(None) => return takers.into_iter().for_each(Taker::finish),
            Err(error) => return takers.into_iter().for_each(|taker| taker.fail(error.clone())),
        }
    }
}

/// Gives one block to all. Returns those who have taken it; who did not for so long after the first is let go.
async fn hand_out(takers: Vec<Taker>, block: &RowBlock, patience: Duration, table: &str) -> Vec<Taker> {
    let mut giving: FuturesUnordered<_> =
        takers.iter().enumerate().map(|(at, taker)| taker.give(at, block)).collect();
    let mut took = vec![None; takers.len()];
    let mut deadline: Option<Instant> = None;
    loop {
        let given = match deadline {
            None => giving.next().await,
            Some(deadline) => match tokio::time::timeout_at(deadline, giving.next()).await {
                Ok(given) => given,
                Err(_) => break,
            },
        };
        let Some((at, taken)) = given else { break };
        took[at] = Some(taken);
        if taken && deadline.is_none() {
            deadline = Some(Instant::now() + patience);
        }
    }
    drop(giving);
    let mut left = Vec::with_capacity(takers.len());
    for (taker, took) in takers.into_iter().zip(took) {
        match took {
            Some(true) => left.push(taker),
            Some(false) => taker.finish(),
            None => taker.fail(too_slow(table)),
        }
    }
    left
}

fn too_slow(table: &str) -> EngineError {
    let message = format!("reading {table}: the other replicas did not wait any longer for this one");
    EngineError::new(ErrorKind::Timeout, message)
}

/// The near end of one member's stream. Dropped before its end, it says so.
struct Taker {
    blocks: mpsc::Sender<Message>,
    /// Room for one more word, so that the end can be told to one that takes nothing.
    last_word: Option<mpsc::OwnedPermit<Message>>,
}

impl Taker {
    fn new() -> (Taker, RowStream) {
        let (blocks, receiver) = mpsc::channel(BLOCKS_WAITING + 1);
        let last_word = blocks.clone().try_reserve_owned().ok();
        (Taker { blocks, last_word }, RowStream::new(receiver))
    }

    /// Whether the block was taken: `false` where nobody listens any more.
    async fn give(&self, at: usize, block: &RowBlock) -> (usize, bool) {
        match self.blocks.reserve().await {
            Ok(room) => {
                room.send(Ok(block.clone()));
                (at, true)
            }
            Err(_) => (at, false),
        }
    }

    /// All rows were handed out.
    fn finish(mut self) {
        self.last_word = None;
    }

    fn fail(mut self, error: EngineError) {
        if let Some(room) = self.last_word.take() {
            room.send(Err(error));
        }
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        if let Some(room) = self.last_word.take() {
            let message = "reading the primary for several replicas broke off";
            room.send(Err(EngineError::new(ErrorKind::Internal, message)));
        }
    }
}

/// The primary, as one of those who share its reads sees it. Dropping it leaves the others.
struct Handed {
    shared: Arc<Shared>,
    member: usize,
}

impl Drop for Handed {
    fn drop(&mut self) {
        self.shared.members()[self.member] = Member::default();
    }
}

#[async_trait]
impl Snapshot for Handed {
    fn readers(&self) -> usize {
        self.shared.readers
    }

    fn method(&self) -> String {
        self.shared.primary.method()
    }

    fn file(&self) -> Option<PathBuf> {
        self.shared.primary.file()
    }

    async fn scan(&self, select: Select) -> Result<RowStream, EngineError> {
        let range = matches!(select.selection, Selection::Range(_));
        let handout = if range { self.shared.handout(self.member, &select) } else { None };
        let Some(mut handout) = handout else { return self.shared.primary.scan(select).await };
        // Where it could not begin, the stream says why.
        handout.begun.wait_for(|begun| *begun).await.ok();
        Ok(handout.stream)
    }

    async fn ask(&self, sql: String) -> Result<Vec<Option<String>>, EngineError> {
        self.shared.primary.ask(sql).await
    }

    fn reads_ranges(&self, select: &Select) -> bool {
        self.shared.primary.reads_ranges(select)
    }

    async fn split(&self, select: &Select, parts: usize) -> Result<Vec<Key>, EngineError> {
        let mut known = self.shared.cuts.lock().await;
        let asked = |(cut, into, _): &&(Select, usize, Vec<Key>)| cut == select && *into == parts;
        if let Some((.., cuts)) = known.iter().find(asked) {
            return Ok(cuts.clone());
        }
        let cuts = self.shared.primary.split(select, parts).await?;
        known.push((select.clone(), parts, cuts.clone()));
        Ok(cuts)
    }
}
