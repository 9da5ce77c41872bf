//! What can go wrong with a database, with the database's own words kept apart from ours.

use crate::failure::{ErrorKind, Failure};

/// An error of a database, readable after "could not …". Holds no URL and no password.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}{}", .database.as_ref().map(|words| format!(": {words}")).unwrap_or_default())]
pub struct EngineError {
    /// What kind.
    pub kind: ErrorKind,
    /// Our own words. May name tables, columns and rights; never a row's values.
    pub message: String,
    /// The database's words, which may quote row values; `--redact` drops them.
    pub database: Option<String>,
    /// What the user could do.
    pub hint: Option<String>,
}

impl EngineError {
    /// An error in our own words.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        EngineError { kind, message: message.into(), database: None, hint: None }
    }

    /// Adds what the database said.
    pub fn said(mut self, words: impl std::fmt::Display) -> Self {
        self.database = Some(words.to_string());
        self
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Failure { kind: error.kind, message: error.message, detail: error.database, hint: error.hint }
    }
}
