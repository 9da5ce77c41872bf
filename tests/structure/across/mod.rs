//! Structure that comes from another engine: every pair of engines, in both directions.

mod defaults;
mod keys;
mod near;
mod said;
mod samples;
mod types;
mod widths;
