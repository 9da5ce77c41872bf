//! Comparing the rows of one range: order, digests, and the differences of rows.
//!
//! Equal blocks cost one comparison of bytes, one walk over the keys and one blake3 over the buffer; no row
//! is looked at otherwise. The order of keys is checked here and not where rows come in, so that it is part
//! of what workers share; cut rows that are strictly ascending inside their ranges make a whole stream that is.

use crate::sides::{Side, Sides};
use crate::value::{Digest, Key, KeyOrder, KeyRange, Row, RowBlock};

use super::{BlockPair, RowChange, RowRules};

/// How many bytes of compared parts are gathered before they are hashed: blake3 is several times faster
/// over large buffers than row by row.
const GATHERED_BYTES: usize = 64 * 1024;

/// What was found in one range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockFinding {
    /// Digests of the compared columns of all rows in the range.
    pub digests: Sides<Digest>,
    /// Whether all compared columns of all rows are equal.
    pub equal: bool,
    /// What the replica needs, in key order.
    pub changes: Vec<RowChange>,
    /// Rows whose differences are all excused.
    pub excused: u64,
    /// Rows of each side.
    pub rows: Sides<u64>,
}

/// Rows that did not come in strictly ascending order of their keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Two rows with one key.
    #[error("two rows have the same key on the {side}")]
    Duplicate {
        /// Where.
        side: Side,
        /// The key.
        key: Key,
    },
    /// A row that should have come earlier, or lies outside the range that was asked for.
    #[error("the {side} returned rows in another order than that of their keys")]
    Disorder {
        /// Where.
        side: Side,
        /// What came first.
        first: Key,
        /// The key that does not belong behind it.
        then: Key,
    },
}

/// Compares the rows of one range.
pub fn compare_blocks(pair: &BlockPair, rules: &RowRules) -> Result<BlockFinding, OrderError> {
    let rows = Sides::new(pair.primary.len() as u64, pair.replica.len() as u64);
    let equal = same_rows(pair, rules);
    check_order(Side::Primary, &pair.primary, &pair.range, rules.order())?;
    let primary = digest(&pair.primary, rules);
    if equal {
        let digests = Sides::new(primary, primary);
        return Ok(BlockFinding { digests, equal, changes: Vec::new(), excused: 0, rows });
    }
    check_order(Side::Replica, &pair.replica, &pair.range, rules.order())?;
    let digests = Sides::new(primary, digest(&pair.replica, rules));
    let mut finding = BlockFinding { digests, equal, changes: Vec::new(), excused: 0, rows };
    merge(&pair.primary, &pair.replica, rules, &mut finding);
    Ok(finding)
}

/// Whether the compared bytes are the same on both sides: sounder than equal digests, and it spares the
/// replica's.
fn same_rows(pair: &BlockPair, rules: &RowRules) -> bool {
    if pair.primary.len() != pair.replica.len() {
        return false;
    }
    if rules.whole_rows() {
        return pair.primary.bytes() == pair.replica.bytes();
    }
    let mut both = pair.primary.rows().zip(pair.replica.rows());
    both.all(|(primary, replica)| rules.compared_part(primary) == rules.compared_part(replica))
}

fn digest(block: &RowBlock, rules: &RowRules) -> Digest {
    let mut hasher = rules.hasher();
    if rules.whole_rows() {
        hasher.update(block.bytes());
        return hasher.finish();
    }
    let mut gathered = Vec::with_capacity(GATHERED_BYTES.min(block.bytes_len()));
    for row in block.rows() {
        gathered.extend_from_slice(rules.compared_part(row));
        if gathered.len() >= GATHERED_BYTES {
            hasher.update(&gathered);
            gathered.clear();
        }
    }
    hasher.update(&gathered);
    hasher.finish()
}

fn check_order(side: Side, block: &RowBlock, range: &KeyRange, order: &KeyOrder) -> Result<(), OrderError> {
    let mut rows = block.rows();
    let Some(first) = rows.next() else { return Ok(()) };
    if let Some(from) = &range.from
        && order.compare(first, from.bytes()).is_lt()
    {
        return Err(OrderError::Disorder { side, first: from.clone(), then: order.key_of(first) });
    }
    let mut last = first;
    for row in rows {
        if !order.compare(last, row).is_lt() {
            return Err(misplaced(side, order, order.key_of(last), order.key_of(row)));
        }
        last = row;
    }
    match &range.to {
        // The bound is the key of a row behind this one, so that equal keys are duplicates here as well.
        Some(to) if !order.compare(last, to.bytes()).is_lt() => {
            Err(misplaced(side, order, order.key_of(last), to.clone()))
        }
        _ => Ok(()),
    }
}

fn misplaced(side: Side, order: &KeyOrder, first: Key, then: Key) -> OrderError {
    if order.compare(first.bytes(), then.bytes()).is_eq() {
        OrderError::Duplicate { side, key: first }
    } else {
        OrderError::Disorder { side, first, then }
    }
}

fn merge(primary: &RowBlock, replica: &RowBlock, rules: &RowRules, finding: &mut BlockFinding) {
    let mut primary = primary.rows().peekable();
    let mut replica = replica.rows().peekable();
    loop {
        let ordering = match (primary.peek(), replica.peek()) {
            (None, None) => return,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(primary), Some(replica)) => rules.order().compare(primary, replica),
        };
        let after = if ordering.is_le() { primary.next() } else { None };
        let before = if ordering.is_ge() { replica.next() } else { None };
        let change = match (after, before) {
            (Some(after), Some(before)) => rules.update(after, before, &mut finding.excused),
            (Some(after), None) => Some(RowChange::Insert { after: Row::new(after) }),
            (None, Some(before)) => Some(RowChange::Delete { before: Row::new(before) }),
            (None, None) => None,
        };
        finding.changes.extend(change);
    }
}
