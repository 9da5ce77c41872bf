//! `trueup` makes a replica database equal to its primary, and proves it.

#![warn(missing_docs)]

pub mod failure;
pub mod server;
pub mod sides;
pub mod sql;
pub mod value;

pub mod spec;

pub mod engine;

pub mod schema;

pub mod compare;

pub mod plan;

pub mod event;
