//! The one integration binary: servers to test against, the architecture's import table, the cases.

mod audit;
mod brands;
mod case_runner;
mod check;
mod cli;
mod commands;
mod engine_mysql;
mod engine_postgres;
mod engine_sqlite;
mod house;
mod init;
mod json;
mod messages;
mod minimality;
mod pair;
mod readme;
mod redact;
mod reports;
mod rights;
mod saved_plans;
mod script;
mod servers;
mod sides;
mod tool;
mod undo;
mod watch;
