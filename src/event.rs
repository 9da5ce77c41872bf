//! What the stages report while they work. No formatting here: `cli` turns events into bars and lines.

use std::time::Duration;

/// Something that happened. Names are the output's: replicas by name, tables as in the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Comparing begins.
    CompareStarted {
        /// Tables to compare, over all replicas.
        tables: usize,
        /// Estimated rows to read on both sides, where every table has an estimate.
        rows_estimate: Option<u64>,
    },
    /// A table pair is being compared.
    TableStarted {
        /// Replica's name.
        replica: String,
        /// Table.
        table: String,
    },
    /// Rows were read, on either side.
    RowsRead {
        /// How many.
        rows: u64,
    },
    /// A table pair is done.
    TableFinished {
        /// Replica's name.
        replica: String,
        /// Table.
        table: String,
        /// Differing rows found.
        changes: u64,
        /// Whether it ended in an error.
        failed: bool,
    },
    /// Writing to a replica begins.
    ApplyStarted {
        /// Replica's name.
        replica: String,
        /// Rows to write.
        rows: u64,
    },
    /// Rows were written.
    RowsWritten {
        /// How many.
        rows: u64,
    },
    /// A transaction was rolled back because others stood in its way, and will be begun anew.
    Retried {
        /// Replica's name.
        replica: String,
        /// How often it has been tried.
        tries: u32,
        /// Why it failed; no row's values.
        why: String,
        /// How many of the rows that were told to be written are not in after all.
        rows: u64,
        /// How long until it begins again.
        pause: Duration,
    },
    /// Rows that were told to be written are not in after all; they are written again at once.
    RolledBack {
        /// How many.
        rows: u64,
    },
    /// A replica was committed or given up.
    ApplyFinished {
        /// Replica's name.
        replica: String,
    },
}

/// Who listens to events. Called from many threads; must return quickly.
pub trait Observer: Send + Sync {
    /// Takes note.
    fn observe(&self, event: Event);
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _event: Event) {}
}

/// A request to stop at the next safe point, shared by all stages of a run.
#[derive(Clone, Debug, Default)]
pub struct Stop(std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Stop {
    /// Asks everyone to stop.
    pub fn request(&self) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }

    /// Whether someone asked.
    pub fn requested(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}
