//! The one integration binary: servers to test against, the architecture's import table, the cases.

mod engine_postgres;
mod house;
mod servers;
