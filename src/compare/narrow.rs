//! Narrowing by digests that databases make: which ranges of keys differ, down to ranges so small that reading their
//! rows costs less than asking on.
//!
//! A [`Narrowing`] asks for digests of ranges on both sides. Ranges whose digests are equal are done; the others it
//! has cut at the primary's keys into 32 parts, and asks again. A level is one list of questions, so that a level and
//! not a range is a round trip.
//!
//! Invariant: the parts that come out follow each other through all of the ranges that went in, whatever keys and
//! digests were answered. A range is called equal only when both sides have as many rows, no more than were asked for,
//! and the same digest; of any other the rows are to be read.

use crate::sides::Sides;
use crate::value::{Key, KeyOrder, KeyRange, RangeDigest};

/// Into how many parts a range is cut that differs.
const WAYS: u64 = 32;
/// Ranges of at most so many rows are read: a digest and its question are about as long as a row.
pub const ROWS_TO_READ: u64 = 128;

/// What the databases are to say next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The primary's keys that cut each of these ranges into parts of so many rows.
    Cuts {
        /// Ascending, and none touches another's rows.
        ranges: Vec<KeyRange>,
        /// Rows of a part.
        rows: u64,
    },
    /// On both sides the digest of each of these ranges.
    Digests {
        /// As in `Cuts`.
        ranges: Vec<KeyRange>,
        /// Of each range only so many rows count; that there are more is said by one row more.
        rows_max: u64,
    },
}

/// A range, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The keys.
    pub range: KeyRange,
    /// What both sides are there; `None` where they differ, so that their rows must be read.
    pub equal: Option<RangeDigest>,
}

/// The state between questions and answers.
#[derive(Debug)]
pub struct Narrowing {
    order: KeyOrder,
    parts: Vec<State>,
    /// Rows of a range at this level.
    rows: u64,
    /// Whether the digests of this level are known.
    told: bool,
}

#[derive(Debug)]
enum State {
    /// Not known yet at this level.
    Open(KeyRange),
    Known(Part),
}

impl Narrowing {
    /// Begins with ranges that follow each other, of about `rows` rows of the primary each.
    pub fn new(order: KeyOrder, ranges: Vec<KeyRange>, rows: u64) -> Self {
        let parts = ranges.into_iter().map(State::Open).collect();
        Narrowing { order, parts, rows: rows.max(1), told: false }
    }

    /// What to ask next; `None` when all is known.
    pub fn question(&self) -> Option<Question> {
        let ranges: Vec<KeyRange> = self.open().cloned().collect();
        match (ranges.is_empty(), self.told) {
            (true, _) => None,
            (false, false) => Some(Question::Digests { ranges, rows_max: self.rows }),
            (false, true) => Some(Question::Cuts { ranges, rows: self.rows_below() }),
        }
    }

    fn open(&self) -> impl Iterator<Item = &KeyRange> {
        self.parts.iter().filter_map(|part| match part {
            State::Open(range) => Some(range),
            State::Known(_) => None,
        })
    }

    fn rows_below(&self) -> u64 {
        self.rows.div_ceil(WAYS)
    }

    /// Takes the answer to [`Question::Digests`]: for each range the digests of both sides. A range without an answer
    /// counts as one that differs.
    pub fn digests(&mut self, found: Vec<Sides<RangeDigest>>) {
        let (rows_max, mut found) = (self.rows, found.into_iter());
        for part in &mut self.parts {
            let State::Open(range) = part else { continue };
            let found = found.next();
            let equal = found.and_then(|sides| is_equal(&sides, rows_max).then_some(sides.primary));
            // However many rows the replica has there: they are merged as they come.
            let few = found.is_none_or(|sides| sides.primary.rows <= ROWS_TO_READ);
            if equal.is_some() || few || rows_max <= ROWS_TO_READ {
                *part = State::Known(Part { range: std::mem::take(range), equal });
            }
        }
        self.told = true;
    }

    /// Takes the answer to [`Question::Cuts`], in any order. Keys that lie in none of the ranges are of no use and do no
    /// harm.
    pub fn cuts(&mut self, mut keys: Vec<Key>) {
        keys.sort_by(|a, b| self.order.compare(a.bytes(), b.bytes()));
        keys.dedup_by(|a, b| self.order.compare(a.bytes(), b.bytes()).is_eq());
        let mut keys = keys.into_iter().peekable();
        let mut parts = Vec::with_capacity(self.parts.len() + keys.len());
        for part in std::mem::take(&mut self.parts) {
            match part {
                State::Open(range) => parts.extend(cut(&self.order, range, &mut keys).map(State::Open)),
                known => parts.push(known),
            }
        }
        (self.parts, self.rows, self.told) = (parts, self.rows_below(), false);
    }

    /// All parts, in the order of their keys; what was not asked to the end is to be read.
    pub fn finish(self) -> Vec<Part> {
        let known = |state| match state {
            State::Known(part) => part,
            State::Open(range) => Part { range, equal: None },
        };
        self.parts.into_iter().map(known).collect()
    }
}

fn is_equal(sides: &Sides<RangeDigest>, rows_max: u64) -> bool {
    // Beyond the limit nobody looked.
    sides.primary == sides.replica && sides.primary.rows <= rows_max
}

/// Cuts a range at those of the ascending keys that lie inside it.
fn cut(
    order: &KeyOrder,
    range: KeyRange,
    keys: &mut std::iter::Peekable<std::vec::IntoIter<Key>>,
) -> impl Iterator<Item = KeyRange> {
    let inside = |key: &Key| {
        range.from.as_ref().is_none_or(|from| order.compare(key.bytes(), from.bytes()).is_gt())
            && range.to.as_ref().is_none_or(|to| order.compare(key.bytes(), to.bytes()).is_lt())
    };
    let beyond =
        |key: &Key| range.to.as_ref().is_some_and(|to| order.compare(key.bytes(), to.bytes()).is_ge());
    let mut ends = Vec::new();
    while let Some(key) = keys.next_if(|key| !beyond(key)) {
        if inside(&key) {
            ends.push(key);
        }
    }
    split(range, ends).into_iter()
}

/// A range cut at ascending keys that lie inside it.
pub fn split(range: KeyRange, ends: Vec<Key>) -> Vec<KeyRange> {
    let mut parts = Vec::with_capacity(ends.len() + 1);
    let mut from = range.from;
    for end in ends {
        parts.push(KeyRange { from: from.replace(end.clone()), to: Some(end) });
    }
    parts.push(KeyRange { from, to: range.to });
    parts
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::value::{Digest, Domain, Value, encode};

    type Table = BTreeMap<i64, u8>;

    fn order() -> KeyOrder {
        KeyOrder::new([Domain::Integer { bytes: 8 }])
    }

    fn key(id: i64) -> Key {
        let mut bytes = Vec::new();
        encode(&mut bytes, &Domain::Integer { bytes: 8 }, &Value::Integer(id.into())).expect("it fits");
        Key::new(bytes)
    }

    fn rows<'a>(table: &'a Table, range: &KeyRange) -> impl Iterator<Item = (&'a i64, &'a u8)> {
        // The payload stands behind its length.
        let id = |key: &Key| i64::from_be_bytes(key.bytes()[4..].try_into().expect("eight bytes"));
        let from = range.from.as_ref().map_or(i64::MIN, id);
        table.range(from..range.to.as_ref().map_or(i64::MAX, id).max(from))
    }

    fn digest(table: &Table, range: &KeyRange, rows_max: u64) -> RangeDigest {
        let bytes: Vec<u8> = rows(table, range)
            .take(rows_max as usize)
            .flat_map(|(id, value)| id.to_be_bytes().into_iter().chain([*value]))
            .collect();
        let count = rows(table, range).take(rows_max as usize + 1).count();
        RangeDigest { rows: count as u64, digest: Digest::of(&bytes) }
    }

    /// Asks until all is known. Returns the parts and how many questions there were.
    fn narrowed(sides: &Sides<Table>, width: u64, strange: &[i64]) -> (Vec<Part>, usize) {
        let mut narrowing = Narrowing::new(order(), vec![KeyRange::all()], width);
        let mut asked = 0;
        while let Some(question) = narrowing.question() {
            asked += 1;
            match question {
                Question::Cuts { ranges, rows: step } => {
                    let mut keys: Vec<Key> = strange.iter().map(|id| key(*id)).collect();
                    for range in ranges {
                        let ids = rows(&sides.primary, &range).map(|(id, _)| key(*id));
                        keys.extend(ids.step_by(step as usize).skip(1));
                    }
                    keys.reverse();
                    narrowing.cuts(keys);
                }
                Question::Digests { ranges, rows_max } => {
                    let both = |range| sides.as_ref().map(|table| digest(table, range, rows_max));
                    narrowing.digests(ranges.iter().map(both).collect());
                }
            }
        }
        (narrowing.finish(), asked)
    }

    fn check(sides: &Sides<Table>, parts: &[Part]) {
        let mut from = None;
        for part in parts {
            assert_eq!(part.range.from, from, "parts follow each other");
            from = part.range.to.clone();
            if let Some(equal) = part.equal {
                let [one, other] = [&sides.primary, &sides.replica]
                    .map(|table| rows(table, &part.range).collect::<Vec<_>>());
                assert_eq!(one, other, "what is called equal is equal");
                assert_eq!(equal.rows, one.len() as u64);
            }
        }
        assert_eq!(from, None, "the last part is open");
    }

    fn to_read(sides: &Sides<Table>, parts: &[Part]) -> usize {
        let read = parts.iter().filter(|part| part.equal.is_none());
        read.map(|part| rows(&sides.primary, &part.range).count()).sum()
    }

    proptest! {
        #[test]
        fn every_difference_is_in_a_part_that_is_read(
            base in proptest::collection::btree_map(0_i64..3_000, 0_u8..3, 0..1_500),
            drift in proptest::collection::vec((0_i64..3_000, proptest::option::of(0_u8..3)), 0..20),
            strange in proptest::collection::vec(-10_i64..3_010, 0..20),
            width in 1_u64..2_000,
        ) {
            let mut replica = base.clone();
            for (id, value) in drift {
                match value {
                    Some(value) => drop(replica.insert(id, value)),
                    None => drop(replica.remove(&id)),
                }
            }
            let sides = Sides::new(base, replica);
            let (parts, asked) = narrowed(&sides, width, &strange);
            check(&sides, &parts);
            // A digest, and a cut and a digest for each level below.
            prop_assert!(asked <= 1 + 2 * 3, "{} questions", asked);
        }
    }

    #[test]
    fn equal_tables_take_one_question_and_no_row() {
        let table: Table = (0..50_000).map(|id| (id * 7, 1)).collect();
        let (parts, asked) = narrowed(&Sides::new(table.clone(), table), 65_536, &[]);
        assert_eq!((asked, parts.len()), (1, 1));
        assert!(parts[0].equal.is_some());
    }

    #[test]
    fn of_one_changed_row_few_others_are_read() {
        let primary: Table = (0..50_000).map(|id| (id * 7, 1)).collect();
        let mut replica = primary.clone();
        replica.insert(700, 2);
        let sides = Sides::new(primary, replica);
        let (parts, asked) = narrowed(&sides, 65_536, &[]);
        check(&sides, &parts);
        assert_eq!(asked, 5, "two levels below the first");
        assert!(to_read(&sides, &parts) <= 64, "{} rows", to_read(&sides, &parts));
    }

    #[test]
    fn rows_beyond_the_limit_are_never_called_equal() {
        let table: Table = (0..300).map(|id| (id, 1)).collect();
        let mut replica = table.clone();
        replica.insert(299, 2);
        // As when rows come between the question where to cut and that for digests.
        let mut narrowing = Narrowing::new(order(), vec![KeyRange::all()], 100);
        let found = Sides::new(&table, &replica).map(|table| digest(table, &KeyRange::all(), 100));
        assert_eq!(found.primary, found.replica);
        narrowing.digests(vec![found]);
        assert_eq!(narrowing.finish(), [Part { range: KeyRange::all(), equal: None }]);
    }

    #[test]
    fn many_rows_that_only_the_replica_has_are_one_part() {
        let primary: Table = (0..2_000).map(|id| (id * 1_000_000, 1)).collect();
        let mut replica = primary.clone();
        replica.extend((0..20_000).map(|id| (500_000_001 + id, 1)));
        let sides = Sides::new(primary, replica);
        let (parts, _) = narrowed(&sides, 2_048, &[]);
        check(&sides, &parts);
        assert_eq!(parts.iter().filter(|part| part.equal.is_none()).count(), 1);
        assert!(to_read(&sides, &parts) <= 64);
    }
}
