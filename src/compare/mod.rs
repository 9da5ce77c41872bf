//! 4. Comparing encoded rows: ranges, digests, narrowing, row differences. Pure.
//!
//! Two streams of rows in key order go into a [`Pairing`], which cuts them at the same keys into
//! [`BlockPair`]s; [`compare_blocks`] tells each pair's digests and, where they differ, the [`RowChange`]s.
//! Nothing here waits, reads or spawns: the room `audit` carries questions and answers.
//!
//! Invariant: every row that went in is in exactly one pair, and a pair is called equal only when the rows of
//! both sides are the same bytes in strictly ascending order of their keys. A stream whose order is not ours
//! is an [`OrderError`], never a difference.

mod block;
mod cause;
mod change;
mod drift;
mod excuse;
mod join;
mod list;
mod narrow;
mod pairing;
mod rules;
#[cfg(test)]
mod tests;

pub use block::{BlockFinding, OrderError, compare_blocks};
pub use cause::{Cause, CauseTally, ColumnCause};
pub use change::{CopyCount, CopyNumber, Handover, PlannedChange, RowChange, RowCounts};
pub use drift::{DigestFold, RangeDrift, joined};
pub use excuse::Excuse;
pub use join::{Differing, DifferingRows, Joined, PartedRows, join};
pub use list::{ChangeList, ChangeListWriter, ChangeNumber, Picked};
pub use narrow::{Narrowing, Part, Question, ROWS_TO_READ, split};
pub use pairing::{BlockPair, Bounds, Pairing};
pub use rules::{ColumnRule, RowDifference, RowRules};
