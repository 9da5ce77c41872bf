//! Why something could not be told or done, by the kinds that output names. A noun, known to all.

/// The kinds of error that output names, and what decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Anything else.
    Internal,
}

impl ErrorKind {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Connect => "connect",
            ErrorKind::Permission => "permission",
            ErrorKind::Missing => "missing",
            ErrorKind::Key => "key",
            ErrorKind::Type => "type",
            ErrorKind::Value => "value",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Changed => "changed",
            ErrorKind::Locked => "locked",
            ErrorKind::Internal => "internal",
        }
    }
}

/// Why something could not be told or done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind in output.
    pub kind: ErrorKind,
    /// Our own words: tables, columns, rights; never a row's values.
    pub message: String,
    /// What may quote row values: dropped under `--redact`.
    pub detail: Option<String>,
    /// What the user could do.
    pub hint: Option<String>,
}
