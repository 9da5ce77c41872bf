//! What is known of a database once connected. A noun, known to all.

use crate::sql::EngineName;

/// What is known of a database once connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The engine.
    pub engine: EngineName,
    /// Its version, `15.18`.
    pub version: String,
    /// A text that is the same for two connections to one database and different for two databases, without
    /// any secret. Empty when the database does not exist yet.
    pub identity: String,
    /// Where one connection reaches other databases of its server by their names (MySQL family): a text for the
    /// server, with the same promise.
    pub instance: Option<String>,
    /// The URL without secrets, for people.
    pub display: String,
    /// Whether the database (a SQLite file) does not exist yet and would be created by `apply`.
    pub missing: bool,
    /// Why the database cannot be written (standby, read-only), if it cannot.
    pub read_only: Option<String>,
}
