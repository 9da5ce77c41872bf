//! `trueup` makes one or more replica databases equal to a primary database, and proves it.
//!
//! A YAML spec declares the tables. The rows of both sides are read once, in key order, and held side by side
//! block by block; where two blocks differ, the rows in them are merged by key. (Rows without a key, or whose keys
//! have no order in common, are joined by digests instead.) What differs becomes a plan, and
//! apply writes exactly that plan. The primary is only ever read.
//!
//! # The house
//!
//! The modules stand in the order of the flow:
//!
//! ```text
//!            nouns, known to all
//!            failure    why something could not be told or done
//!            server     what is known of a connected database
//!            sides      Sides<T> { primary, replica }, the only pair type
//!            spool      bytes set aside: in memory while few, in a temporary file beyond
//!            value      Value, Row, Key and its order, KeyRange, Domain, Digest; the canonical encoding
//!            sql        Dialect facts, literals, statements; a file per engine; pure
//!
//!  YAML   1  spec       text → Spec; errors carry line and column
//!    ↓    2  engine     I/O: connections, catalogs, snapshots, row streams, writers; a folder per engine
//!  Spec   3  schema     catalogs → table pairs, domains, schema changes; pure
//!    ↓    4  compare    blocks of encoded rows → digests, differing ranges, row changes; pure
//!  Plan   5  audit      drives compare against two snapshots: segments, blocks in flight, both thread pools
//!    ↓    6  plan       the plan, its order under constraints, limits; pure
//! Applied 7  apply      runs a plan on a replica: lock, guard, write, read back, commit
//!    ↓    8  verify     compares the rows written again, in new snapshots
//! Verdict
//!            event      what the stages report while they work
//!            reconcile  the conductor: connect, compare, apply
//!            report     a plan → text, JSON, SQL, markdown, JUnit; pure
//!            init       two catalogs → a commented spec; pure
//!            watch      repeats runs: when they are due, and the loop around them
//!            cli        the only room that prints, reads arguments and touches files
//! ```
//!
//! Nouns know nothing else; `sql`, `schema`, `compare`, `plan`, `report` and `init` are pure (no async, no I/O, no clock);
//! only `engine` imports database drivers; only `cli` prints. Nobody outside `sql` and `engine` asks which engine it
//! is: what a stage wants to know is a method of [`sql::Dialect`]. `tests/house.rs` holds the imports against this.
//!
//! # What is promised
//!
//! *Never a false "in sync".* Rows are compared in an injective encoding ([`value::Domain`] is its table); digests
//! are blake3 over whole blocks, or where asked for SHA-256 that the databases make of ranges; a pair of types without an exact common domain is an error, and so is everything
//! that could not be read. *The reviewed plan is what runs*: before a row is written it is read again under lock,
//! and must be what the plan saw. *Written rows are read back* before commit, and compared with the primary after.

#![warn(missing_docs)]

pub mod failure;
pub mod server;
pub mod sides;
pub mod spool;
pub mod sql;
pub mod value;

pub mod spec;

pub mod engine;

pub mod schema;

pub mod compare;

pub mod audit;

pub mod plan;

pub mod apply;

pub mod verify;

pub mod event;

pub mod reconcile;

pub mod report;

pub mod init;

pub mod watch;

pub mod cli;
