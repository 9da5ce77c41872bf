//! Cutting two streams of rows, both in key order, at the same keys.
//!
//! The primary's rows are cut into blocks of bounded size; a block's range reaches to the key of the row
//! behind it, so one row more is seen before a block closes. The replica's rows are cut at the same keys.
//! Where they outgrow twice the bound (many extra rows in one gap), the range is cut once more, at a key of
//! the replica's: a merge by key that goes forward in blocks, in bounded memory.
//!
//! [`Pairing`] asks ([`wants`](Pairing::wants)) and is answered in any order and in pieces of any size. Where
//! it cuts depends on the rows and the bounds alone, never on the pieces or their timing.

use std::collections::VecDeque;

use crate::sides::{Side, Sides};
use crate::value::{Key, KeyOrder, KeyRange, RowBlock};

/// How much a block of the primary may hold, whichever is reached first. A row alone may be larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Rows, at least 1.
    pub rows_max: usize,
    /// Bytes.
    pub bytes_max: usize,
}

/// The primary's block and the replica's part of the next pair.
const SPARES_MAX: usize = 2;

impl Bounds {
    fn doubled(self) -> Self {
        Bounds { rows_max: self.rows_max.saturating_mul(2), bytes_max: self.bytes_max.saturating_mul(2) }
    }

    /// Up to which row of `more`, from row `at` on, rows fit into `block`.
    fn fitting(self, block: &RowBlock, more: &RowBlock, at: usize) -> usize {
        let rows_to = more.len().min(at.saturating_add(self.rows_max.saturating_sub(block.len())));
        let bytes_left = self.bytes_max.saturating_sub(block.bytes_len());
        let to = first_where(at, rows_to, |row| more.bytes_of(at, row + 1) > bytes_left);
        if block.is_empty() { to.max(at + 1) } else { to }
    }
}

/// The rows of both sides in one range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockPair {
    /// The range; ranges of one pairing follow each other without gaps.
    pub range: KeyRange,
    /// The primary's rows.
    pub primary: RowBlock,
    /// The replica's rows.
    pub replica: RowBlock,
}

/// The state of cutting one key range of a table pair.
#[derive(Debug)]
pub struct Pairing {
    order: KeyOrder,
    bounds: Bounds,
    /// Where the next pair begins, and where the last one ends.
    rest: KeyRange,
    feeds: Sides<Feed>,
    /// The primary's block: growing, or closed and waiting for the replica.
    block: RowBlock,
    closed: Option<Closed>,
    /// The replica's part of the range, as far as it is known to belong there.
    part: RowBlock,
    spares: Vec<RowBlock>,
    done: bool,
}

/// The end of the primary's block.
#[derive(Debug)]
struct Closed {
    /// Rows of the block that earlier cuts at the replica's keys have taken.
    taken: usize,
    /// The key behind the block; `None` when it is the primary's last.
    to: Option<Key>,
}

impl Pairing {
    /// Begins with the rows of `range`, cut at `bounds`.
    pub fn new(order: KeyOrder, range: KeyRange, bounds: Bounds) -> Self {
        Pairing {
            order,
            bounds,
            rest: range,
            feeds: Sides::default(),
            block: RowBlock::default(),
            closed: None,
            part: RowBlock::default(),
            spares: Vec::new(),
            done: false,
        }
    }

    /// Whether to read more of a side, once [`next_pair`](Self::next_pair) has nothing to give. The replica is
    /// read ahead of the primary, by one block at most, so that both servers work at the same time.
    pub fn wants(&self, side: Side) -> bool {
        let feed = self.feeds.get(side);
        !feed.finished
            && match side {
                Side::Primary => self.closed.is_none(),
                Side::Replica => self.closed.is_some() || feed.bytes < self.bounds.bytes_max,
            }
    }

    /// More rows of a side.
    pub fn push(&mut self, side: Side, rows: RowBlock) {
        self.feeds.get_mut(side).push(rows);
    }

    /// A side has no more rows.
    pub fn finish(&mut self, side: Side) {
        self.feeds.get_mut(side).finished = true;
    }

    /// Gives back a block that is no longer needed, so that its memory serves the next pair: to touch new
    /// pages costs as much as to copy the rows.
    pub fn recycle(&mut self, mut block: RowBlock) {
        if self.spares.len() < SPARES_MAX {
            block.clear();
            self.spares.push(block);
        }
    }

    /// How many blocks [`recycle`](Self::recycle) would take.
    pub fn spares_wanted(&self) -> usize {
        SPARES_MAX - self.spares.len()
    }

    /// The next pair in key order, if enough has been read. Until [`done`](Self::done), one of the sides is
    /// wanted whenever this is `None`.
    pub fn next_pair(&mut self) -> Option<BlockPair> {
        if self.done || !self.close_block() {
            return None;
        }
        let closed = self.closed.as_ref()?;
        let bounds = self.bounds.doubled();
        match self.feeds.replica.fill(&mut self.part, bounds, &self.order, closed.to.as_ref()) {
            Filled::Starved => None,
            Filled::Full { next } => Some(self.cut_at(next)),
            Filled::Below | Filled::End => Some(self.whole()),
        }
    }

    /// Whether the last pair has been given.
    pub fn done(&self) -> bool {
        self.done
    }

    /// Bytes of rows that are held at this moment.
    pub fn bytes_held(&self) -> usize {
        self.feeds.primary.bytes + self.feeds.replica.bytes + self.block.bytes_len() + self.part.bytes_len()
    }

    /// Closes the primary's block if its end is known.
    fn close_block(&mut self) -> bool {
        if self.closed.is_none() {
            let to = match self.feeds.primary.fill(&mut self.block, self.bounds, &self.order, None) {
                Filled::Starved => return false,
                Filled::Full { next } => Some(next),
                Filled::Below | Filled::End => None,
            };
            self.closed = Some(Closed { taken: 0, to });
        }
        true
    }

    /// A pair up to a key of the replica's, inside the primary's range.
    fn cut_at(&mut self, next: Key) -> BlockPair {
        let taken = self.closed.as_ref().map_or(0, |closed| closed.taken);
        let to = rows_below(&self.block, taken, &self.order, Some(&next));
        let mut primary = RowBlock::with_capacity(self.block.bytes_of(taken, to));
        primary.extend(&self.block, taken, to);
        if let Some(closed) = &mut self.closed {
            closed.taken = to;
        }
        let from = self.rest.from.replace(next.clone());
        let replica = std::mem::replace(&mut self.part, self.spares.pop().unwrap_or_default());
        BlockPair { range: KeyRange { from, to: Some(next) }, primary, replica }
    }

    /// A pair up to the end of the primary's block.
    fn whole(&mut self) -> BlockPair {
        let closed = self.closed.take();
        let (taken, to) = closed.map_or((0, None), |closed| (closed.taken, closed.to));
        let block = std::mem::replace(&mut self.block, self.spares.pop().unwrap_or_default());
        let primary = if taken == 0 {
            block
        } else {
            let mut rest = RowBlock::with_capacity(block.bytes_of(taken, block.len()));
            rest.extend(&block, taken, block.len());
            rest
        };
        self.done = to.is_none();
        let to = if self.done { self.rest.to.clone() } else { to };
        let from = std::mem::replace(&mut self.rest.from, to.clone());
        let replica = std::mem::replace(&mut self.part, self.spares.pop().unwrap_or_default());
        BlockPair { range: KeyRange { from, to }, primary, replica }
    }
}

/// Why a block takes no more rows.
enum Filled {
    /// More must be read to tell.
    Starved,
    /// It is full, and this is the key of the row behind it.
    Full {
        /// That key.
        next: Key,
    },
    /// The next row lies behind the bound.
    Below,
    /// The side has no more rows.
    End,
}

/// Rows of one side that have come in and belong to no block yet.
#[derive(Debug, Default)]
struct Feed {
    queue: VecDeque<RowBlock>,
    /// Rows of the first block that are gone already.
    at: usize,
    bytes: usize,
    finished: bool,
}

impl Feed {
    fn push(&mut self, rows: RowBlock) {
        if !rows.is_empty() {
            self.bytes += rows.bytes_len();
            self.queue.push_back(rows);
        }
    }

    /// Moves rows that lie below a key into a block, as many as fit.
    fn fill(
        &mut self,
        block: &mut RowBlock,
        bounds: Bounds,
        order: &KeyOrder,
        below: Option<&Key>,
    ) -> Filled {
        while let Some(first) = self.queue.front() {
            let fit = bounds.fitting(block, first, self.at);
            let wanted = rows_below(first, self.at, order, below);
            let (rows, to) = (first.len(), fit.min(wanted));
            self.take(block, to);
            if to < rows {
                let Some(first) = self.queue.front() else { return Filled::Starved };
                return if to == wanted {
                    Filled::Below
                } else {
                    Filled::Full { next: order.key_of(first.row(to)) }
                };
            }
        }
        if self.finished { Filled::End } else { Filled::Starved }
    }

    /// Moves the first block's rows up to `to`; a whole block that meets one without memory is not copied.
    fn take(&mut self, block: &mut RowBlock, to: usize) {
        let Some(first) = self.queue.front() else { return };
        self.bytes -= first.bytes_of(self.at, to);
        if to < first.len() {
            block.extend(first, self.at, to);
            self.at = to;
            return;
        }
        let from = std::mem::take(&mut self.at);
        if let Some(first) = self.queue.pop_front() {
            if from == 0 && block.is_empty() && block.buffer().capacity() == 0 {
                *block = first;
            } else {
                block.extend(&first, from, to);
            }
        }
    }
}

/// The first row, from `at` on, whose key is not below the bound.
fn rows_below(block: &RowBlock, at: usize, order: &KeyOrder, below: Option<&Key>) -> usize {
    let rows = block.len();
    let Some(below) = below else { return rows };
    let is_below = |row: usize| order.compare(block.row(row), below.bytes()).is_lt();
    // Nearly always all of a block lies below.
    if at == rows || is_below(rows - 1) { rows } else { first_where(at, rows, |row| !is_below(row)) }
}

/// The first index of `from..to` from which on `holds` is true.
fn first_where(mut from: usize, mut to: usize, holds: impl Fn(usize) -> bool) -> usize {
    while from < to {
        let middle = from + (to - from) / 2;
        if holds(middle) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    from
}
