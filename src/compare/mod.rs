//! 4. Comparing encoded rows: ranges, digests, narrowing, row differences. Pure.

mod change;

pub use change::{RowChange, RowCounts};
