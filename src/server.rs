//! What is known of a database once connected. A noun, known to all.

use serde::{Deserialize, Serialize};

use crate::sql::EngineName;
use crate::value::Digest;

/// What is known of a database once connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    #[serde(skip)]
    pub instance: Option<String>,
    /// Of a file where it is, as a digest: it may not be there yet and still be known by this.
    pub place: Option<Digest>,
    /// The URL without secrets, for people. A saved plan holds none.
    #[serde(skip)]
    pub display: String,
    /// Whether the database (a SQLite file) does not exist yet and would be created by `apply`.
    pub missing: bool,
    /// Why the database cannot be written (standby, read-only), if it cannot.
    #[serde(skip)]
    pub read_only: Option<String>,
}

impl Server {
    /// Whether what was known `then` is of this database: the same one, or a file in a place where none was then.
    pub fn is_that_of(&self, then: &Server) -> bool {
        let not_there_then = then.missing || then.identity.is_empty();
        let same_place = self.place.is_some() && self.place == then.place;
        self.engine == then.engine && (self.identity == then.identity || (not_there_then && same_place))
    }
}
