//! What many ranges add up to: ranges that differ, joined where they touch, and one digest for each side.

use serde::{Deserialize, Serialize};

use crate::sides::Sides;
use crate::spool::SpoolError;
use crate::value::{BlockHasher, Digest, KeyOrder, KeyRange};

use super::ChangeList;

/// A range of keys in which the sides differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeDrift {
    /// The keys.
    pub range: KeyRange,
    /// Rows of each side in it.
    pub rows: Sides<u64>,
}

/// Keeps those of the ascending, disjoint ranges in which one of the changes (in key order) lies, and joins
/// ranges that touch.
///
/// # Errors
/// Where the changes cannot be read.
pub fn joined(
    ranges: Vec<RangeDrift>,
    changes: &ChangeList,
    order: &KeyOrder,
) -> Result<Vec<RangeDrift>, SpoolError> {
    let mut changes = changes.iter();
    let mut change = changes.next().transpose()?;
    let mut joined: Vec<RangeDrift> = Vec::new();
    for drift in ranges {
        let mut differs = false;
        while change
            .as_ref()
            .is_some_and(|planned| order.contains(&drift.range, planned.change.row().bytes()))
        {
            differs = true;
            change = changes.next().transpose()?;
        }
        if !differs {
            continue;
        }
        match joined.last_mut() {
            Some(last) if last.range.to.is_some() && last.range.to == drift.range.from => {
                last.range.to = drift.range.to;
                last.rows.primary += drift.rows.primary;
                last.rows.replica += drift.rows.replica;
            }
            _ => joined.push(drift),
        }
    }
    Ok(joined)
}

/// Folds digests of consecutive ranges into one for each side. Both sides are cut at the same keys, so the
/// results are equal exactly when all ranges are; they mean nothing beside those of another run.
#[derive(Clone)]
pub struct DigestFold(Sides<BlockHasher>);

impl DigestFold {
    /// A fold over nothing yet.
    pub fn new() -> Self {
        DigestFold(Sides::new(BlockHasher::new([]), BlockHasher::new([])))
    }

    /// Adds the next range in key order.
    pub fn add(&mut self, digests: &Sides<Digest>) {
        self.0.primary.update(digests.primary.bytes());
        self.0.replica.update(digests.replica.bytes());
    }

    /// The digests of all ranges added.
    pub fn finish(&self) -> Sides<Digest> {
        self.0.as_ref().map(BlockHasher::finish)
    }
}

impl Default for DigestFold {
    fn default() -> Self {
        DigestFold::new()
    }
}
