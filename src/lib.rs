//! `trueup` makes a replica database equal to its primary, and proves it.

#![warn(missing_docs)]

pub mod spec;
pub mod sql;
