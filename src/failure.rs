//! Why something could not be told or done, by the kinds that output names. A noun, known to all.

use serde::{Deserialize, Serialize};

/// The kinds of error that output names, and what decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ErrorKind {
    /// No connection: host, port, TLS, password, database.
    Connect,
    /// A right is missing, or a policy hides rows.
    Permission,
    /// A table, column or file is not there.
    Missing,
    /// A table has no usable key, or a key is not unique.
    Key,
    /// Two column types have no exact common domain.
    Type,
    /// A value that cannot be read, compared or written exactly.
    Value,
    /// A statement or lock took longer than allowed.
    Timeout,
    /// The structure or the data changed while it was read.
    Changed,
    /// Another trueup holds the replica's lock.
    Locked,
    /// The user asked to stop.
    Interrupted,
    /// Anything else.
    Internal,
}

impl ErrorKind {
    /// The word in JSON, of which there are nine.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Connect => "connect",
            ErrorKind::Permission => "permission",
            ErrorKind::Missing => "missing",
            ErrorKind::Key => "key",
            ErrorKind::Type => "type",
            ErrorKind::Value => "value",
            // That somebody else holds the lock is told by the outcome `locked`.
            ErrorKind::Timeout | ErrorKind::Locked => "timeout",
            ErrorKind::Changed => "changed",
            // That somebody asked to stop is told by the outcome `interrupted`.
            ErrorKind::Internal | ErrorKind::Interrupted => "internal",
        }
    }
}

/// The operating system's words without its number: `No such file or directory`.
pub fn system_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error ").map_or(text.clone(), |(words, _)| words.to_owned())
}

/// What to do about an error of a file, where the system's word for it says enough.
pub fn system_hint(error: &std::io::Error) -> Option<&'static str> {
    use std::io::ErrorKind as Io;
    match error.kind() {
        Io::NotFound => Some("check the path; a relative one begins in the working directory"),
        Io::IsADirectory => Some("name a file, not a directory"),
        Io::PermissionDenied => Some("check the rights of the file and of its directory"),
        Io::StorageFull | Io::QuotaExceeded => Some("make room and run again"),
        Io::ReadOnlyFilesystem => Some("choose a place that can be written"),
        _ => None,
    }
}

/// Why something could not be told or done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind in output.
    pub kind: ErrorKind,
    /// Our own words: tables, columns, rights; never a row's values.
    pub message: String,
    /// The keys of the rows it is about; shown also under `--redact`.
    pub key: Option<String>,
    /// What may quote other row values: dropped under `--redact`.
    pub detail: Option<String>,
    /// What the user could do.
    pub hint: Option<String>,
    /// Whether it passes by itself: the same transaction, begun anew, may succeed.
    #[serde(skip)]
    pub passing: bool,
}

impl Failure {
    /// A failure in our own words.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Failure { kind, message: message.into(), key: None, detail: None, hint: None, passing: false }
    }

    /// Adds the keys of the rows it is about, by name: `id = 5`. Nothing where there are none.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into()).filter(|key| !key.is_empty());
        self
    }

    /// Adds what may quote row values.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Failure {
    /// The message, the keys and, unless redacted, the detail, each behind a colon.
    pub fn shown(&self, redact: bool) -> String {
        let detail = self.detail.as_deref().filter(|_| !redact);
        [Some(self.message.as_str()), self.key.as_deref(), detail]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(": ")
    }
}

/// All of it but the hint.
impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_and_details_go_under_redact() {
        let failure =
            Failure::new(ErrorKind::Value, "table t, column v").key("id = 5").detail("'secret' is bad");
        assert_eq!(failure.to_string(), "table t, column v: id = 5: 'secret' is bad");
        assert_eq!(failure.shown(true), "table t, column v: id = 5");
        assert_eq!(Failure::new(ErrorKind::Key, "m").key("").shown(false), "m");
    }
}
