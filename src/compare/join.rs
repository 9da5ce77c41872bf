//! Joining rows that come in any order: by digests, parted by their first bytes, a part at a time.
//!
//! Of each row two digests are set aside, that of what identifies it (its key, or in a table without one all of
//! it) and that of what is compared. Parts of both sides that begin alike are joined in memory; one that holds too
//! many different digests for that is parted again by the bytes that follow. Equal digests cost one entry however
//! many rows they stand for. Invariant: every row counts in exactly one part, and the digests of all parts are
//! equal on both sides exactly when the rows are, in whatever order they came.

use std::collections::HashMap;

use crate::sides::{Side, Sides};
use crate::spool::{Page, Spool, SpoolError};
use crate::value::{BlockHasher, Digest};

use super::DigestFold;

/// Parts of the first level, by the first six bits.
const PARTS: usize = 64;
/// Parts that a part is cut into, by four bits of the next byte.
const PARTS_BELOW: usize = 16;
/// How often a part can be cut: a byte of the digest for each.
const LEVELS_MAX: usize = 31;
/// Two digests.
const ENTRY_BYTES: usize = 64;

/// Records of one size, set aside in pages.
#[derive(Debug)]
struct Records {
    spool: Spool,
    record_bytes: usize,
    page_bytes: usize,
    buffer: Vec<u8>,
    pages: Vec<Page>,
    len: u64,
}

impl Records {
    /// No records yet. A page holds at least one.
    fn new(spool: &Spool, record_bytes: usize, page_bytes: usize) -> Self {
        let page_bytes = (page_bytes / record_bytes).max(1) * record_bytes;
        Records {
            spool: spool.clone(),
            record_bytes,
            page_bytes,
            buffer: Vec::new(),
            pages: Vec::new(),
            len: 0,
        }
    }

    /// How many.
    fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds one, given in pieces.
    ///
    /// # Errors
    /// Where a page cannot be set aside.
    fn push(&mut self, pieces: &[&[u8]]) -> Result<(), SpoolError> {
        pieces.iter().for_each(|piece| self.buffer.extend_from_slice(piece));
        debug_assert_eq!(self.buffer.len() % self.record_bytes, 0, "a record has its size");
        self.len += 1;
        if self.buffer.len() >= self.page_bytes {
            self.pages.push(self.spool.put(&self.buffer)?);
            self.buffer.clear();
        }
        Ok(())
    }

    /// Up to `count` of them from number `from` on, back to back.
    ///
    /// # Errors
    /// Where a page cannot be read.
    fn some(&self, from: u64, count: usize) -> Result<Vec<u8>, SpoolError> {
        let a_page = (self.page_bytes / self.record_bytes) as u64;
        let (mut some, mut bytes) = (Vec::new(), Vec::new());
        let mut at = from;
        let end = self.len.min(from.saturating_add(count as u64));
        while at < end {
            let (page, skipped) = ((at / a_page) as usize, (at % a_page) as usize * self.record_bytes);
            let records = match self.pages.get(page) {
                Some(page) => {
                    page.read(&mut bytes)?;
                    &bytes[skipped..]
                }
                None => &self.buffer[skipped..],
            };
            let taken = records.len().min((end - at) as usize * self.record_bytes);
            some.extend_from_slice(&records[..taken]);
            at += (taken / self.record_bytes) as u64;
        }
        Ok(some)
    }

    /// Hands out all of them in the order in which they came.
    ///
    /// # Errors
    /// Where a page cannot be read, or `each` fails.
    fn each(&self, mut each: impl FnMut(&[u8]) -> Result<(), SpoolError>) -> Result<(), SpoolError> {
        let mut bytes = Vec::new();
        for page in &self.pages {
            page.read(&mut bytes)?;
            bytes.chunks_exact(self.record_bytes).try_for_each(&mut each)?;
        }
        self.buffer.chunks_exact(self.record_bytes).try_for_each(each)
    }
}

/// The rows of one side, by their digests.
#[derive(Debug)]
pub struct PartedRows(Vec<Records>);

impl PartedRows {
    /// None yet; `pages_bytes` is what all unfinished pages together may take.
    pub fn new(spool: &Spool, pages_bytes: usize) -> Self {
        PartedRows::of(spool, PARTS, pages_bytes / PARTS)
    }

    fn of(spool: &Spool, parts: usize, page_bytes: usize) -> Self {
        PartedRows((0..parts).map(|_| Records::new(spool, ENTRY_BYTES, page_bytes)).collect())
    }

    /// Adds a row.
    ///
    /// # Errors
    /// Where it cannot be set aside.
    pub fn push(&mut self, identity: &Digest, compared: &Digest) -> Result<(), SpoolError> {
        let part = part_of(identity.bytes(), 0);
        self.0[part].push(&[identity.bytes(), compared.bytes()])
    }

    /// How many rows.
    pub fn len(&self) -> u64 {
        self.0.iter().map(Records::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn part_of(identity: &[u8; 32], level: usize) -> usize {
    match level {
        0 => usize::from(identity[0] >> 2),
        _ => usize::from(identity[level] >> 4),
    }
}

/// Rows of both sides that are identified alike and differ, by how often they are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Differing {
    /// The digest of what identifies them.
    pub identity: Digest,
    /// How many rows each side has.
    pub rows: Sides<u64>,
}

/// What joining found.
pub struct Joined {
    /// A digest of all rows for each side.
    pub digest: DigestFold,
    /// What differs, as [`Differing`].
    pub differing: DifferingRows,
    /// Where several rows of a side are identified alike: one of them.
    pub repeated: Sides<Option<Digest>>,
}

/// What differs, however much.
#[derive(Debug)]
pub struct DifferingRows(Records);

const DIFFERING_BYTES: usize = 48;

impl DifferingRows {
    /// None yet.
    pub fn new(spool: &Spool) -> Self {
        DifferingRows(Records::new(spool, DIFFERING_BYTES, 32 << 10))
    }

    /// Adds one.
    ///
    /// # Errors
    /// Where it cannot be set aside.
    pub fn push(&mut self, differing: &Differing) -> Result<(), SpoolError> {
        let Differing { identity, rows } = differing;
        self.0.push(&[identity.bytes(), &rows.primary.to_be_bytes(), &rows.replica.to_be_bytes()])
    }

    /// How many.
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Up to `count` of them from number `from` on.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn some(&self, from: u64, count: usize) -> Result<Vec<Differing>, SpoolError> {
        let records = self.0.some(from, count)?;
        Ok(records.chunks_exact(DIFFERING_BYTES).map(differing).collect())
    }
}

fn differing(record: &[u8]) -> Differing {
    let count = |at: usize| u64::from_be_bytes(record[at..at + 8].try_into().expect("a record has its size"));
    let identity: [u8; 32] = record[..32].try_into().expect("a record has its size");
    Differing { identity: Digest::from_bytes(identity), rows: Sides::new(count(32), count(40)) }
}

/// Joins the rows of both sides. `hasher` knows what the digests are of; `entries_max`: so many different digests
/// may be held at once. Parts of parts go to `spool`, what differs to `kept`.
///
/// # Errors
/// Where rows cannot be read or what differs cannot be set aside.
pub fn join(
    sides: Sides<PartedRows>,
    hasher: &BlockHasher,
    entries_max: usize,
    spool: &Spool,
    kept: &Spool,
) -> Result<Joined, SpoolError> {
    let joined =
        Joined { digest: DigestFold::new(), differing: DifferingRows::new(kept), repeated: Sides::default() };
    let mut join = Join { hasher, entries_max: entries_max.max(1), spool, joined };
    for (primary, replica) in sides.primary.0.into_iter().zip(sides.replica.0) {
        join.part(Sides::new(primary, replica), 1)?;
    }
    Ok(join.joined)
}

struct Join<'a> {
    hasher: &'a BlockHasher,
    entries_max: usize,
    spool: &'a Spool,
    joined: Joined,
}

/// Rows that are identified alike.
#[derive(Clone, Copy, Default)]
struct Tally {
    rows: u64,
    /// What the first of them holds.
    compared: [u8; 32],
}

type Tallies = HashMap<[u8; 32], Sides<Tally>>;

impl Join<'_> {
    /// Joins one part, or cuts it by the byte `level` of its digests.
    fn part(&mut self, rows: Sides<Records>, level: usize) -> Result<(), SpoolError> {
        if rows.primary.is_empty() && rows.replica.is_empty() {
            return Ok(());
        }
        match self.tallies(&rows, level)? {
            Some(tallies) => self.compare(tallies),
            None => {
                let below = self.cut(rows, level)?;
                for (primary, replica) in below.primary.0.into_iter().zip(below.replica.0) {
                    self.part(Sides::new(primary, replica), level + 1)?;
                }
                Ok(())
            }
        }
    }

    /// `None` where there are too many different ones to be held.
    fn tallies(&self, rows: &Sides<Records>, level: usize) -> Result<Option<Tallies>, SpoolError> {
        let mut tallies = Tallies::new();
        let mut fits = true;
        for side in [Side::Primary, Side::Replica] {
            rows.get(side).each(|entry| {
                if !fits {
                    return Ok(());
                }
                let (identity, compared) = halves(entry);
                let tally = tallies.entry(identity).or_default().get_mut(side);
                if tally.rows == 0 {
                    tally.compared = compared;
                }
                tally.rows += 1;
                fits = tallies.len() <= self.entries_max || level > LEVELS_MAX;
                Ok(())
            })?;
        }
        Ok(Some(tallies).filter(|_| fits))
    }

    fn cut(&self, rows: Sides<Records>, level: usize) -> Result<Sides<PartedRows>, SpoolError> {
        let cut = |rows: Records| {
            let mut parts = PartedRows::of(self.spool, PARTS_BELOW, rows.page_bytes);
            rows.each(|entry| {
                let (identity, compared) = halves(entry);
                parts.0[part_of(&identity, level)].push(&[&identity, &compared])
            })?;
            Ok(parts)
        };
        Ok(Sides::new(cut(rows.primary)?, cut(rows.replica)?))
    }

    fn compare(&mut self, tallies: Tallies) -> Result<(), SpoolError> {
        let mut tallies: Vec<([u8; 32], Sides<Tally>)> = tallies.into_iter().collect();
        tallies.sort_unstable_by_key(|(identity, _)| *identity);
        let mut hashers = Sides::new(self.hasher.clone(), self.hasher.clone());
        for (identity, both) in &tallies {
            for side in [Side::Primary, Side::Replica] {
                let tally = both.get(side);
                if tally.rows == 0 {
                    continue;
                }
                let hasher = hashers.get_mut(side);
                hasher.update(identity);
                hasher.update(&tally.compared);
                hasher.update(&tally.rows.to_be_bytes());
                if tally.rows > 1 {
                    self.joined.repeated.get_mut(side).get_or_insert(Digest::from_bytes(*identity));
                }
            }
            let Sides { primary, replica } = both;
            if primary.rows != replica.rows || primary.compared != replica.compared {
                let rows = Sides::new(primary.rows, replica.rows);
                self.joined.differing.push(&Differing { identity: Digest::from_bytes(*identity), rows })?;
            }
        }
        self.joined.digest.add(&hashers.as_ref().map(BlockHasher::finish));
        Ok(())
    }
}

fn halves(entry: &[u8]) -> ([u8; 32], [u8; 32]) {
    let (identity, compared) = entry.split_at(32);
    let half = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).expect("an entry has its size");
    (half(identity), half(compared))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Digests that share their first bytes, so that parts are cut again and again.
    fn digest(number: u8, alike: usize) -> Digest {
        let mut bytes = *Digest::of(&[number]).bytes();
        bytes[..alike].fill(7);
        Digest::from_bytes(bytes)
    }

    fn joined(
        sides: &Sides<Vec<(u8, u8)>>,
        alike: usize,
        entries_max: usize,
        memory_bytes: u64,
    ) -> (Sides<Digest>, BTreeMap<Digest, Sides<u64>>, Sides<bool>) {
        let spool = Spool::new(memory_bytes);
        let parted = sides.as_ref().map(|rows| {
            let mut parted = PartedRows::new(&spool, 64 * 200);
            for (identity, compared) in rows {
                let compared = Digest::of(&[*identity, *compared]);
                parted.push(&digest(*identity, alike), &compared).expect("there is room");
            }
            assert_eq!(parted.len(), rows.len() as u64);
            parted
        });
        let hasher = BlockHasher::new([]);
        let joined = join(parted, &hasher, entries_max, &spool, &spool).expect("there is room");
        let mut differing = BTreeMap::new();
        for from in (0..joined.differing.len()).step_by(7) {
            for one in joined.differing.some(from, 7).expect("they are there") {
                assert!(differing.insert(one.identity, one.rows).is_none(), "each once");
            }
        }
        let repeated = joined.repeated.as_ref().map(Option::is_some);
        (joined.digest.finish(), differing, repeated)
    }

    proptest! {
        /// Against the counts of a map, whatever the memory, the order and how alike the digests are.
        #[test]
        fn what_differs_is_what_counts_say(
            primary in proptest::collection::vec(0..40_u8, 0..300),
            replica in proptest::collection::vec(0..40_u8, 0..300),
            alike in 0..31_usize,
            entries_max in 1..60_usize,
            memory_bytes in 0..20_000_u64,
            turn in any::<proptest::sample::Index>(),
        ) {
            let with_rows = |rows: &[u8]| rows.iter().map(|row| (*row, 0)).collect::<Vec<_>>();
            let sides = Sides::new(with_rows(&primary), with_rows(&replica));
            let (digest_of, differing, repeated) = joined(&sides, alike, entries_max, memory_bytes);
            let count = |rows: &[u8], row: u8| rows.iter().filter(|other| **other == row).count() as u64;
            let expected: BTreeMap<Digest, Sides<u64>> = (0..40)
                .map(|row| (digest(row, alike), Sides::new(count(&primary, row), count(&replica, row))))
                .filter(|(_, rows)| rows.primary != rows.replica)
                .collect();
            prop_assert_eq!(digest_of.primary == digest_of.replica, expected.is_empty());
            prop_assert_eq!(&differing, &expected);
            prop_assert_eq!(repeated.primary, (0..40).any(|row| count(&primary, row) > 1));
            // Another order, another ceiling: the same answer and the same digest.
            let mut turned = sides.clone();
            if !turned.primary.is_empty() {
                let at = turn.index(turned.primary.len());
                turned.primary.rotate_left(at);
            }
            let again = joined(&turned, alike, entries_max, 0);
            prop_assert_eq!(again, (digest_of, differing, repeated));
        }

        #[test]
        fn rows_of_one_identity_differ_by_what_they_hold(
            rows in proptest::collection::btree_map(0..200_u8, (0..3_u8, 0..3_u8), 0..100),
            entries_max in 1..60_usize,
        ) {
            let side = |which: fn(&(u8, u8)) -> u8| {
                rows.iter().map(|(identity, both)| (*identity, which(both))).collect::<Vec<_>>()
            };
            let sides = Sides::new(side(|both| both.0), side(|both| both.1));
            let (digest_of, differing, repeated) = joined(&sides, 2, entries_max, 0);
            let expected: Vec<Digest> = rows.iter().filter(|(_, both)| both.0 != both.1).map(|(row, _)| digest(*row, 2)).collect();
            prop_assert_eq!(digest_of.primary == digest_of.replica, expected.is_empty());
            prop_assert!(expected.iter().all(|row| differing.contains_key(row)));
            prop_assert_eq!(differing.len(), expected.len());
            prop_assert_eq!(repeated, Sides::new(false, false));
        }
    }
}
