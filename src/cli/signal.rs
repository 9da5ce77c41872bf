//! Ctrl-C and SIGTERM: the first asks the run to stop at its next safe point, the second ends it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::event::Stop;
use crate::report::Signal;

use super::output::print_error;

/// What was asked of this process so far.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    /// Handed to the stages of a run.
    pub stop: Stop,
    asked: Arc<AtomicU8>,
    notify: Arc<Notify>,
}

impl Signals {
    /// Begins to listen. Must be called within the runtime.
    pub fn listen() -> std::io::Result<Self> {
        let signals = Signals::default();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let listening = signals.clone();
        tokio::spawn(async move {
            loop {
                let signal = tokio::select! {
                    _ = interrupt.recv() => Signal::Interrupt,
                    _ = terminate.recv() => Signal::Terminate,
                };
                listening.take(signal);
            }
        });
        Ok(signals)
    }

    fn take(&self, signal: Signal) {
        if self.received().is_some() {
            // Open transactions are rolled back by their servers.
            std::process::exit(signal.exit_code().into());
        }
        self.asked.store(signal.exit_code(), Ordering::SeqCst);
        self.stop.request();
        self.notify.notify_waiters();
        self.notify.notify_one();
        print_error("\nStopping at the next safe point; a second signal ends it at once.");
    }

    /// The first signal, if there was one.
    pub fn received(&self) -> Option<Signal> {
        let asked = self.asked.load(Ordering::SeqCst);
        [Signal::Interrupt, Signal::Terminate].into_iter().find(|signal| signal.exit_code() == asked)
    }

    /// Waits for the first signal.
    pub async fn wait(&self) {
        if self.received().is_none() {
            self.notify.notified().await;
        }
    }
}
