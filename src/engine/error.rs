//! What can go wrong with a database, with the database's own words kept apart from ours.

use crate::failure::{ErrorKind, Failure, system_words};
use crate::sides::Side;
use crate::spec::redact_in_urls;

/// An error of a database, readable after "could not …". Holds no URL and no password.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", Failure::from(self.clone()))]
pub struct EngineError {
    /// What kind.
    pub kind: ErrorKind,
    /// Our own words. May name tables, columns and rights; never a row's values.
    pub message: String,
    /// The key of the row it is about: `id = 5`; shown also under `--redact`.
    pub key: Option<String>,
    /// The database's words, which may quote row values; `--redact` drops them.
    pub database: Option<String>,
    /// What the user could do.
    pub hint: Option<String>,
    /// Whether the same transaction, begun anew, may succeed: others were in its way, and it was rolled back or can be.
    pub passing: bool,
}

impl EngineError {
    /// An error in our own words.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        EngineError { kind, message: message.into(), key: None, database: None, hint: None, passing: false }
    }

    /// Says on which side it was met: tables mostly have one name on both.
    pub fn on(mut self, side: Side) -> Self {
        self.message = format!("on the {side}: {}", self.message);
        self
    }

    /// Adds the key of the row it is about. Nothing where there is none.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into()).filter(|key| !key.is_empty());
        self
    }

    /// Adds what the database said.
    pub fn said(mut self, words: impl std::fmt::Display) -> Self {
        self.database = Some(words.to_string());
        self
    }

    /// Says that the same transaction, begun anew, may succeed.
    pub fn passing(mut self) -> Self {
        self.passing = true;
        self
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A constraint that refuses what a plan writes knows something that the plan does not.
pub(super) const CONSTRAINT_HINT: &str = "a row outside the spec's tables or scope, a constraint that the primary lacks or a trigger may stand in the way";

/// What to do about a value that cannot be read as what it should be.
pub(super) const VALUE_HINT: &str = "correct the value, or leave the column out with `exclude_columns`";

/// `why`, after what could not be done where that is said at all: of a change, whoever makes it says which.
pub(super) fn doing(what: &str, why: &str) -> String {
    if what.is_empty() { why.to_owned() } else { format!("{what}: {why}") }
}

/// What the driver has to say, without what is of no use to whoever reads it: that it is an error, numbers, places
/// in the driver's own code.
pub(super) fn driver_words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(error) => system_words(error),
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Tls(error) | sqlx::Error::Configuration(error) => error.to_string(),
        sqlx::Error::Protocol(words) => words.split(" (sqlx").next().unwrap_or_default().to_owned(),
        other => other.to_string(),
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let EngineError { kind, message, key, database, hint, passing } = error;
        // Whatever a database says of another one it may say with a URL.
        let detail = database.map(|words| redact_in_urls(&words));
        Failure { kind, message, key, detail, hint, passing }
    }
}
