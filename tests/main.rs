//! The one integration binary: servers to test against, the architecture's import table, the cases.

mod house;
mod servers;
