//! Every error that ends a command: its message, its hints and its exit code, in one place.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::{ErrorKind, Failure, system_hint, system_words};
use crate::plan::file::PlanFileError;
use crate::report::{Paint, RED, Signal, counted};
use crate::spec::{SpecError, SpecErrors, redact as without_passwords};

use super::output::print_error;

/// Why a command ended without a report, or although it has one.
#[derive(Debug)]
pub enum CliError {
    /// Something that this version cannot do yet.
    NotAvailable(String),
    /// Arguments that are well-formed but make no sense together.
    Usage {
        /// What is wrong.
        message: String,
        /// What to write instead.
        hint: Option<String>,
    },
    /// The spec is wrong.
    Spec(SpecErrors),
    /// Nothing could be looked at.
    Failure(Failure),
    /// A saved plan is for something else.
    Stale(Failure),
    /// A file is no plan that could be used.
    PlanFile {
        /// The file.
        path: PathBuf,
        /// Why.
        error: PlanFileError,
    },
    /// A file, or standard output.
    Io {
        /// What could not be done: `read spec.yml`.
        action: String,
        /// Why.
        error: io::Error,
    },
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> Self {
        CliError::Failure(failure)
    }
}

impl CliError {
    /// A file that could not be read or written. Somebody may have given a URL for a path, with its password.
    pub fn file(verb: &str, path: &Path, error: io::Error) -> Self {
        CliError::Io { action: format!("{verb} {}", without_passwords(&path.to_string_lossy())), error }
    }

    /// Told to stop before anything was written.
    pub fn interrupted() -> Self {
        CliError::Failure(Failure::new(ErrorKind::Interrupted, "interrupted; nothing was written"))
    }

    /// The exit code. `signal` is what asked the run to stop, if anything did.
    pub fn exit_code(&self, signal: Option<Signal>) -> u8 {
        match self {
            CliError::Failure(failure) => match failure.kind {
                ErrorKind::Interrupted => signal.unwrap_or(Signal::Interrupt).exit_code(),
                ErrorKind::Locked => 5,
                _ => 1,
            },
            CliError::Stale(_) => 4,
            _ => 1,
        }
    }

    /// The same as a failure that keeps a run from seeing anything, where the command goes on.
    pub fn into_failure(self) -> Failure {
        match self {
            CliError::Failure(failure) | CliError::Stale(failure) => failure,
            CliError::PlanFile { error, .. } => error.into(),
            CliError::Spec(errors) => {
                let first = errors.iter().next().map(SpecError::headline).unwrap_or_default();
                let more = match errors.count() {
                    0 | 1 => String::new(),
                    many => format!(" (and {})", counted(many as u64 - 1, "more error")),
                };
                Failure::new(ErrorKind::Internal, first + &more)
            }
            CliError::Usage { message, hint } => {
                Failure { hint, ..Failure::new(ErrorKind::Missing, message) }
            }
            CliError::NotAvailable(what) => {
                Failure::new(ErrorKind::Internal, format!("not available yet: {what}"))
            }
            CliError::Io { action, error } => {
                let kind = match error.kind() {
                    io::ErrorKind::NotFound => ErrorKind::Missing,
                    io::ErrorKind::PermissionDenied => ErrorKind::Permission,
                    _ => ErrorKind::Internal,
                };
                let hint = system_hint(&error).map(str::to_owned);
                let message = format!("could not {action}: {}", system_words(&error));
                Failure { hint, ..Failure::new(kind, message) }
            }
        }
    }

    /// Message and hints as they go to standard error. `redact` drops what may quote row values.
    pub fn shown(&self, paint: Paint, redact: bool) -> String {
        let (message, hint) = match self {
            // Each of these errors names its place and has its own hint.
            CliError::Spec(errors) => return spec_errors(errors, paint),
            CliError::Failure(failure) | CliError::Stale(failure) => {
                (failure.shown(redact), failure.hint.clone())
            }
            CliError::PlanFile { path, error: PlanFileError::Read(error) } => {
                let hint = system_hint(error).map(str::to_owned);
                (format!("could not read {}: {}", path.display(), system_words(error)), hint)
            }
            CliError::PlanFile { path, error } => {
                let hint = match error {
                    PlanFileError::NoPlan => "`trueup plan SPEC -o FILE` saves one",
                    _ => "make it again: trueup plan SPEC -o FILE",
                };
                (format!("could not use {}: {error}", path.display()), Some(hint.to_owned()))
            }
            CliError::Usage { message, hint } => (without_passwords(message), hint.clone()),
            CliError::NotAvailable(what) => (format!("not available yet: {what}"), None),
            CliError::Io { action, error } => {
                let hint = system_hint(error).map(str::to_owned);
                (format!("could not {action}: {}", system_words(error)), hint)
            }
        };
        let hint = hint.map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
        format!("{} {message}{hint}", paint.on(RED.bold(), "error:"))
    }
}

/// Each error as one, and how many there are.
fn spec_errors(errors: &SpecErrors, paint: Paint) -> String {
    let error = paint.on(RED.bold(), "error:");
    let mut text: Vec<String> = errors.iter().map(|each| format!("{error} {each}")).collect();
    if let (Some(first), true) = (errors.iter().next(), errors.count() > 1) {
        text.push(format!("{} has {}.", first.path, counted(errors.count() as u64, "error")));
    }
    text.join("\n\n")
}

/// From here on a panic, which is a mistake of ours, is told like every other error. What it says may quote row
/// values, so `redact` leaves only its place.
pub fn tell_panics(redact: bool) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        print_error(&panic_words(&place, panic.payload_as_str(), redact));
    }));
}

fn panic_words(place: &str, says: Option<&str>, redact: bool) -> String {
    let says =
        says.filter(|_| !redact).map(|says| format!(": {}", without_passwords(says))).unwrap_or_default();
    format!("error: trueup made a mistake at {place}{says}\n  hint: please report it, with what you ran")
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown(Paint::Plain, false))
    }
}

impl std::error::Error for CliError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_database_said_is_dropped_under_redact() {
        let failure =
            Failure::new(ErrorKind::Value, "table t: column v").detail("'4711' is bad").hint("fix it");
        let error = CliError::Failure(failure);
        assert_eq!(
            error.shown(Paint::Plain, false),
            "error: table t: column v: '4711' is bad\n  hint: fix it"
        );
        assert_eq!(error.shown(Paint::Plain, true), "error: table t: column v\n  hint: fix it");
        assert_eq!(error.exit_code(None), 1);
    }

    #[test]
    fn a_panic_shows_no_values_under_redact_and_never_a_password() {
        let shown = |redact| panic_words("src/a.rs:1:2", Some("'4711' of postgres://a:secret@b"), redact);
        assert!(
            shown(false).contains("src/a.rs:1:2: '4711'") && !shown(false).contains("secret"),
            "{}",
            shown(false)
        );
        assert!(shown(true).starts_with("error: trueup made a mistake at src/a.rs:1:2\n"), "{}", shown(true));
    }

    #[test]
    fn being_told_to_stop_is_no_error_of_its_own() {
        let error = CliError::Failure(Failure::new(ErrorKind::Interrupted, "interrupted"));
        assert_eq!(error.exit_code(Some(Signal::Terminate)), 143);
        assert_eq!(error.exit_code(None), 130);
    }
}
