//! How far a run is: bars on a terminal, else a plain line every five seconds. All on standard error.
//!
//! Counting must never hold up the work: an event costs an atomic addition, drawing has its own thread.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::event::{Event, Observer};
use crate::report::{Paint, Reading, counted, thousands};

use super::args::When;
use super::output::{Terminal, print_error};

/// Time between two plain lines.
const LINE_PERIOD: Duration = Duration::from_secs(5);
/// Work shorter than this shows no bar.
const QUIET_PERIOD: Duration = Duration::from_millis(400);

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Hidden,
    Bar,
    Lines,
}

fn form(terminal: &Terminal) -> Form {
    match (terminal.progress, terminal.quiet) {
        (When::Never, _) | (When::Auto, true) => Form::Hidden,
        _ if std::io::stderr().is_terminal() => Form::Bar,
        _ => Form::Lines,
    }
}

/// Called once, before anything is read.
type OnStart = Box<dyn Fn(Reading) + Send + Sync>;

/// Takes the events of a run and shows how far it is.
pub struct Progress {
    counts: Arc<Counts>,
    bar: Option<ProgressBar>,
    /// Whether the bar is coloured.
    paint: Paint,
    /// Whether each further try of a transaction is told.
    tells_tries: bool,
    lines: Mutex<Option<JoinHandle<()>>>,
    on_start: OnStart,
    reading: OnceLock<Reading>,
}

/// What has been done so far.
#[derive(Default)]
struct Counts {
    tables: AtomicU64,
    tables_done: AtomicU64,
    rows: AtomicU64,
    /// 0 while not known.
    rows_of: AtomicU64,
    changes: AtomicU64,
    applying: AtomicBool,
    finished: AtomicBool,
}

impl Progress {
    /// Begins to watch. `on_start` is told what will be read as soon as that is known.
    pub fn begin(terminal: &Terminal, on_start: impl Fn(Reading) + Send + Sync + 'static) -> Arc<Self> {
        let counts = Arc::new(Counts::default());
        let form = form(terminal);
        let lines = (form == Form::Lines).then(|| print_lines(Arc::clone(&counts)));
        Arc::new(Progress {
            counts,
            bar: (form == Form::Bar).then(bar),
            paint: terminal.err,
            tells_tries: form != Form::Hidden || terminal.verbose,
            lines: Mutex::new(lines),
            on_start: Box::new(on_start),
            reading: OnceLock::new(),
        })
    }

    /// What the run said it would read.
    pub fn reading(&self) -> Option<Reading> {
        self.reading.get().copied()
    }

    /// Ends all showing.
    pub fn finish(&self) {
        self.counts.finished.store(true, Ordering::SeqCst);
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let lines = self.lines.lock().ok().and_then(|mut lines| lines.take());
        if let Some(thread) = lines {
            thread.thread().unpark();
            // It prints and sleeps; there is nothing in it to fail.
            let _ = thread.join();
        }
    }

    fn started(&self, reading: Reading) {
        self.counts.tables.store(reading.tables as u64, Ordering::Relaxed);
        self.counts.rows_of.store(reading.rows_estimate.unwrap_or(0), Ordering::Relaxed);
        if self.reading.set(reading).is_ok() {
            match &self.bar {
                Some(bar) => bar.suspend(|| (self.on_start)(reading)),
                None => (self.on_start)(reading),
            }
        }
        self.restart(reading.rows_estimate);
    }

    fn applying(&self, rows: u64) {
        if !self.counts.applying.swap(true, Ordering::Relaxed) {
            self.counts.rows.store(0, Ordering::Relaxed);
            self.counts.rows_of.store(0, Ordering::Relaxed);
        }
        let of = self.counts.rows_of.fetch_add(rows, Ordering::Relaxed) + rows;
        self.restart(Some(of));
        self.message();
    }

    fn restart(&self, rows_of: Option<u64>) {
        let Some(bar) = &self.bar else { return };
        bar.reset();
        bar.set_style(style(rows_of, self.paint));
        bar.set_length(rows_of.unwrap_or(0));
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        bar.enable_steady_tick(QUIET_PERIOD / 4);
    }

    fn tell(&self, line: &str) {
        match &self.bar {
            _ if !self.tells_tries => {}
            Some(bar) => bar.suspend(|| print_error(line)),
            None => print_error(line),
        }
    }

    fn message(&self) {
        if let Some(bar) = &self.bar {
            bar.set_message(self.counts.tables_words());
        }
    }
}

impl Progress {
    fn take_back(&self, rows: u64) {
        self.counts.take_back(rows);
        if let Some(bar) = &self.bar {
            bar.dec(rows);
        }
    }
}

impl Observer for Progress {
    fn observe(&self, event: Event) {
        match event {
            Event::CompareStarted { tables, rows_estimate } => {
                self.started(Reading { tables, rows_estimate });
            }
            Event::TableStarted { .. } | Event::ApplyFinished { .. } => {}
            Event::RowsRead { rows } | Event::RowsWritten { rows } => {
                self.counts.rows.fetch_add(rows, Ordering::Relaxed);
                if let Some(bar) = &self.bar {
                    bar.inc(rows);
                }
            }
            Event::TableFinished { changes, .. } => {
                self.counts.tables_done.fetch_add(1, Ordering::Relaxed);
                self.counts.changes.fetch_add(changes, Ordering::Relaxed);
                self.message();
            }
            Event::ApplyStarted { rows, .. } => self.applying(rows),
            Event::RolledBack { rows } => self.take_back(rows),
            Event::Retried { replica, tries, why, rows, pause } => {
                self.take_back(rows);
                let pause = pause.as_secs_f64();
                self.tell(&format!("{replica}: {why} (try {tries}); beginning again in {pause:.1} s"));
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Counts {
    fn tables_words(&self) -> String {
        if self.applying.load(Ordering::Relaxed) {
            return "writing".to_owned();
        }
        let (done, of) = (self.tables_done.load(Ordering::Relaxed), self.tables.load(Ordering::Relaxed));
        let changes = match self.changes.load(Ordering::Relaxed) {
            0 => String::new(),
            changes => format!(", {} to change", counted(changes, "row")),
        };
        format!("{} of {}{changes}", thousands(done), counted(of, "table"))
    }

    /// Rows that were rolled back are written, and counted, again.
    fn take_back(&self, rows: u64) {
        let less = |all: u64| Some(all.saturating_sub(rows));
        // It always gives a number, so there is nothing to fail.
        let _ = self.rows.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// `comparing: 3 of 4 tables, 1,200 of about 4,000 rows, 600 rows/s, 5 s left`
    fn line(&self, since: Duration) -> String {
        let (rows, of) = (self.rows.load(Ordering::Relaxed), self.rows_of.load(Ordering::Relaxed));
        let verb = if self.applying.load(Ordering::Relaxed) { "writing" } else { "comparing" };
        let tables = if verb == "writing" { String::new() } else { self.tables_words() + ", " };
        let total = if of > 0 { format!(" of about {}", thousands(of)) } else { String::new() };
        let rate = rows / since.as_secs().max(1);
        let left = match of.saturating_sub(rows).checked_div(rate) {
            Some(seconds) if of > rows => format!(", {seconds} s left"),
            _ => String::new(),
        };
        format!("{verb}: {tables}{}{total} rows, {} rows/s{left}", thousands(rows), thousands(rate))
    }
}

/// A bar that is not drawn before there is something to show.
fn bar() -> ProgressBar {
    ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
}

fn style(rows_of: Option<u64>, paint: Paint) -> ProgressStyle {
    let template = match (rows_of, paint) {
        (Some(_), Paint::Colour) => {
            "{bar:30.green/dim} {human_pos} of about {human_len} rows, {rate} rows/s, {eta} left  {msg:.dim}"
        }
        (Some(_), Paint::Plain) => {
            "{bar:30} {human_pos} of about {human_len} rows, {rate} rows/s, {eta} left  {msg}"
        }
        (None, Paint::Colour) => "{spinner:.green} {human_pos} rows, {rate} rows/s  {msg:.dim}",
        (None, Paint::Plain) => "{spinner} {human_pos} rows, {rate} rows/s  {msg}",
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            // Drawn again an instant later; there is nobody to tell.
            let _ = out.write_str(&thousands(state.per_sec() as u64));
        })
        .progress_chars("━╸─")
}

fn print_lines(counts: Arc<Counts>) -> JoinHandle<()> {
    let begin = Instant::now();
    std::thread::spawn(move || {
        loop {
            let wake = Instant::now() + LINE_PERIOD;
            while let Some(rest) = wake.checked_duration_since(Instant::now()) {
                std::thread::park_timeout(rest);
                if counts.finished.load(Ordering::SeqCst) {
                    return;
                }
            }
            // While connecting there is nothing to count.
            if counts.tables.load(Ordering::Relaxed) > 0 {
                print_error(&counts.line(begin.elapsed()));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_line_says_how_far_it_is() {
        let counts = Counts::default();
        counts.tables.store(4, Ordering::Relaxed);
        counts.tables_done.store(3, Ordering::Relaxed);
        counts.rows.store(3_000, Ordering::Relaxed);
        counts.rows_of.store(4_000, Ordering::Relaxed);
        let line = counts.line(Duration::from_secs(5));
        assert_eq!(line, "comparing: 3 of 4 tables, 3,000 of about 4,000 rows, 600 rows/s, 1 s left");
        counts.applying.store(true, Ordering::Relaxed);
        counts.rows_of.store(0, Ordering::Relaxed);
        assert_eq!(counts.line(Duration::ZERO), "writing: 3,000 rows, 3,000 rows/s");
        counts.take_back(1_000);
        assert_eq!(counts.line(Duration::ZERO), "writing: 2,000 rows, 2,000 rows/s");
    }
}
