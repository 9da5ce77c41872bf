//! What happens while apply runs: signals, `kill -9` of the tool and of the servers, connections that break.
//!
//! A round puts the replica back to its drift, lets the real binary apply in many small batches, and does the harm
//! when committed rows say that the moment has come, never after a blind pause. After each round every row is as
//! before or as planned and whole batches alone are in; the primary is what it was; running again completes; a
//! further plan is empty; no lock, session or temporary object is left. Every test prints how many rounds it ran and
//! how many of them fell between the first and the last commit, and insists on a share of them.

mod crashes;
mod cuts;
pub mod proxy;
mod scene;
mod signals;
