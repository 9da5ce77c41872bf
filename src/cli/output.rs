//! Standard output, and notes on standard error.
//!
//! A reader that went away (`trueup plan … | head`) is no error and no reason to stop; a full disk is one.

use std::io::{self, BufWriter, IsTerminal, Write};

use crate::report::{self, Format, Paint, Reading, Report};

use super::args::{TerminalArgs, When};
use super::failure::CliError;

/// What may be shown where.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Colour on standard output.
    pub out: Paint,
    /// Colour on standard error.
    pub err: Paint,
    /// When to show progress.
    pub progress: When,
    /// No notes.
    pub quiet: bool,
    /// More notes.
    pub verbose: bool,
}

impl Terminal {
    /// Resolves the options by what the streams are.
    pub fn new(args: &TerminalArgs) -> Self {
        let paint = |auto: anstream::ColorChoice| match args.color {
            When::Always => Paint::Colour,
            When::Never => Paint::Plain,
            When::Auto if auto == anstream::ColorChoice::Never => Paint::Plain,
            When::Auto => Paint::Colour,
        };
        Terminal {
            out: paint(anstream::AutoStream::choice(&io::stdout())),
            err: paint(anstream::AutoStream::choice(&io::stderr())),
            progress: args.progress,
            quiet: args.quiet,
            verbose: args.verbose,
        }
    }

    /// A note on standard error, unless quiet.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            print_error(text);
        }
    }
}

/// A line on standard error; nobody is left to tell where that fails.
pub fn print_error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes text to standard output.
pub fn print(text: &str) -> Result<(), CliError> {
    to_stdout(|out| out.write_all(text.as_bytes()))
}

/// Lets `write` fill standard output.
pub fn to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
    match to_reader(write) {
        Err(CliError::Io { error, .. }) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// As [`to_stdout`], for what makes no sense without a reader: one that went away is an error too.
pub fn to_reader(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
    let failed = |error| CliError::Io { action: "write to standard output".to_owned(), error };
    fill(io::stdout().lock(), write).map_err(failed)
}

/// Lets `write` fill standard error: what a person reads before being asked.
pub fn to_stderr(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
    let failed = |error| CliError::Io { action: "write to standard error".to_owned(), error };
    fill(io::stderr().lock(), write).map_err(failed)
}

fn fill(sink: impl Write, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, sink);
    write(&mut out)?;
    out.flush()
}

/// Prints the first line of a text report, before anything is read.
pub fn print_reading(reading: Reading, terminal: &Terminal) {
    // The report's own printing meets the same error, and tells.
    let _ = print(&report::reading_line(reading, terminal.out));
}

/// Prints a report in the format asked for; of text, only what was not shown before.
pub fn print_report(report: &Report<'_>, format: Format, terminal: &Terminal) -> Result<(), CliError> {
    match format {
        // The observer has printed the first line already.
        Format::Text if report.reading.is_some() => to_stdout(|out| report.text_found(terminal.out, out)),
        Format::Text => to_stdout(|out| {
            report.text_reading(terminal.out, out).and_then(|()| report.text_found(terminal.out, out))
        }),
        Format::Sql => match report.script_failure() {
            Some(failure) => Err(CliError::Failure(failure)),
            None => to_stdout(|out| report.script(out)),
        },
        _ => to_stdout(|out| report.write(format, Paint::Plain, out)),
    }
}

/// Says on standard error what is wrong, for those who see only that: a document went to standard output.
pub fn note_troubles(report: &Report<'_>, terminal: &Terminal) {
    for (replica, table, failure) in report.failures() {
        let table = table.map(|table| format!("{}: ", report::name(table))).unwrap_or_default();
        let mut failure = failure.clone();
        let replica = replica.map(|replica| format!("{}: ", report::name(replica))).unwrap_or_default();
        failure.message = format!("{replica}{table}{}", failure.message);
        terminal.note(&CliError::Failure(failure).shown(terminal.err, report.redact));
    }
    let would_be = if report.applied.is_some() { "" } else { "would be " };
    for replica in &report.plan.replicas {
        for refusal in &replica.refusals {
            let words = report::refusal_words(refusal);
            terminal.note(&format!("{}: {would_be}refused: {words}", report::name(&replica.name)));
        }
    }
}

/// Asks on standard error and reads one line of standard input; `None` at its end. The reading thread is left
/// behind where nobody waits for it any longer.
pub async fn ask_line(prompt: &str) -> Option<String> {
    let _ = write!(io::stderr().lock(), "{prompt}").and_then(|()| io::stderr().flush());
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line).unwrap_or(0);
        // Nobody waits for it when a signal came first.
        let _ = sender.send((read > 0).then_some(line));
    });
    receiver.await.ok().flatten()
}

/// Whether a person can be asked.
pub fn can_ask() -> bool {
    io::stdin().is_terminal()
}
