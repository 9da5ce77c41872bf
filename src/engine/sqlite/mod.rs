//! SQLite sessions: where the file is, how a connection is opened and set up, and the engine itself.
//!
//! SQLite is a library, so its calls block: they run on tokio's blocking threads and never on its workers. A
//! connection that reads is opened read-only and refuses to write; only the writer's may. A missing file is an
//! error for the primary and an empty database for a replica.

mod bytes;
mod encode;
mod error;
mod functions;
mod index;
mod introspect;
mod lock;
mod model;
mod moment;
mod rehearse;
mod rights;
mod scan;
mod split;
#[cfg(test)]
mod tests;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{Engine, EngineError, ModelLoad, Snapshot, Unloaded, Writer};
use crate::failure::{ErrorKind, system_words};
use crate::schema::{self, Catalog, Dependent, Folding};
use crate::server::Server;
use crate::sides::Sides;
use crate::spec::{Side, SnapshotMode};
use crate::sql::sqlite::{Encoding, Sqlite};
use crate::sql::{Dialect, EngineName, TableName};
use crate::value::Digest;

/// How long to wait for another connection's lock where the spec does not say.
const BUSY_DEFAULT: Duration = Duration::from_secs(5);

/// What every connection to one file has in common.
#[derive(Clone, Debug)]
struct Session {
    /// Canonical, hence absolute: SQLite never takes it for a `file:` URI.
    path: PathBuf,
    busy: Duration,
    statement_timeout: Option<Duration>,
    /// Whether this is a replica.
    writable: bool,
    /// Whether the URL says `mode=ro`.
    read_only: bool,
    /// The most connections that read at once.
    connections: usize,
    snapshot: SnapshotMode,
}

/// A SQLite database.
#[derive(Debug)]
struct SqliteEngine {
    session: Session,
    server: Server,
}

/// Connects.
pub async fn connect(side: &Side, writable: bool) -> Result<Arc<dyn Engine>, EngineError> {
    let side = side.clone();
    let engine = blocking(move || open_side(&side, writable)).await?;
    Ok(Arc::new(engine))
}

/// The digest of two files with equal bytes. What cannot be read this way is for SQLite to read, and to say why.
pub(super) async fn same_bytes(
    files: Sides<PathBuf>,
    goes_on: impl Fn() -> bool + Send + 'static,
) -> Result<Option<Digest>, EngineError> {
    blocking(move || Ok(bytes::of_equal(&files, &goes_on).unwrap_or(None))).await
}

/// See [`load_model`](super::load_model).
pub(super) async fn load_model(load: ModelLoad) -> Result<Catalog, Unloaded> {
    let stopped = |stopped: tokio::task::JoinError| {
        EngineError::new(ErrorKind::Internal, "a thread that works with SQLite stopped").said(stopped)
    };
    tokio::task::spawn_blocking(move || model::load(&load)).await.map_err(stopped)?
}

/// Runs what blocks on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|stopped| {
        Err(EngineError::new(ErrorKind::Internal, "a thread that works with SQLite stopped").said(stopped))
    })
}

fn open_side(side: &Side, writable: bool) -> Result<SqliteEngine, EngineError> {
    let given = PathBuf::from(side.url.database.as_deref().unwrap_or_default());
    let path = resolved(&given)?;
    let session = Session {
        path,
        busy: side.lock_timeout.unwrap_or(BUSY_DEFAULT),
        statement_timeout: side.statement_timeout,
        writable,
        read_only: side.url.read_only,
        connections: side.connections.max(1) as usize,
        snapshot: side.snapshot,
    };
    let missing = !session.exists()?;
    if missing && !writable {
        return Err(session.missing());
    }
    let unwritable = session.check(missing)?;
    let server = Server {
        engine: EngineName::Sqlite,
        version: rusqlite::version().to_owned(),
        identity: session.identity(missing)?,
        instance: None,
        place: Some(Digest::of(session.path.as_os_str().as_encoded_bytes())),
        display: side.url.display(),
        missing,
        read_only: if side.url.read_only { Some("its URL says mode=ro".to_owned()) } else { unwritable },
    };
    Ok(SqliteEngine { session, server })
}

/// The path with symbolic links resolved; of a file that is not there, the directory's.
fn resolved(given: &Path) -> Result<PathBuf, EngineError> {
    if let Ok(path) = given.canonicalize() {
        return Ok(path);
    }
    // A dangling link names the file that SQLite would create.
    if let Ok(target) = given.read_link() {
        let directory = given.parent().unwrap_or(Path::new(""));
        return resolved(&directory.join(target));
    }
    let directory = match given.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = given.file_name().ok_or_else(|| {
        EngineError::new(ErrorKind::Connect, format!("`{}` names no SQLite file", given.display()))
    })?;
    let directory = directory.canonicalize().map_err(|error| {
        EngineError::new(
            ErrorKind::Connect,
            format!("the directory `{}` cannot be opened", directory.display()),
        )
        .said(system_words(&error))
        .hint("create the directory; only the file itself is created")
    })?;
    Ok(directory.join(name))
}

impl Session {
    fn exists(&self) -> Result<bool, EngineError> {
        let failed = |error: std::io::Error| {
            EngineError::new(
                ErrorKind::Connect,
                format!("the SQLite file {} cannot be looked at", self.name()),
            )
            .said(system_words(&error))
        };
        match std::fs::metadata(&self.path) {
            Ok(found) if found.is_dir() => Err(EngineError::new(
                ErrorKind::Connect,
                format!("{} is a directory, not a SQLite file", self.name()),
            )
            .hint("name the file: sqlite:path/to/file.db")),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    /// The path for messages.
    fn name(&self) -> String {
        format!("`{}`", self.path.display())
    }

    fn missing(&self) -> EngineError {
        EngineError::new(ErrorKind::Missing, format!("there is no SQLite file {}", self.name()))
            .hint("check the path; a relative one begins in the working directory")
    }

    /// Opens and reads a little, so that what is wrong with the file is known early; why the replica cannot be
    /// written, if so.
    fn check(&self, missing: bool) -> Result<Option<String>, EngineError> {
        if !missing {
            drop(self.reader()?);
        }
        Ok(if self.writable { rights::why_not_writable(&self.path, missing) } else { None })
    }

    fn failed(&self, error: rusqlite::Error) -> EngineError {
        error::of_file(&self.name(), error)
    }

    fn open(&self, mode: OpenFlags) -> Result<Connection, EngineError> {
        let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(&self.path, flags).map_err(|error| self.failed(error))?;
        self.set_up(&connection).map_err(|error| self.failed(error))?;
        Ok(connection)
    }

    fn set_up(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.busy_timeout(self.busy)?;
        functions::register(connection)
    }

    /// A connection that cannot write, proven to read.
    fn reader(&self) -> Result<Connection, EngineError> {
        match self.open_reader() {
            Err(rusqlite::Error::SqliteFailure(error, _)) if self.needs_recovery(error.extended_code) => {
                self.recover()?;
                self.open_reader().map_err(|error| self.failed(error))
            }
            reader => reader.map_err(|error| self.failed(error)),
        }
    }

    fn open_reader(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        self.set_up(&connection)?;
        connection.pragma_update(None, "query_only", true)?;
        take_quoted_for_columns(&connection, true)?;
        // The last one to leave would move the log into the file.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    }

    /// Only what may be written may be rolled back: a replica whose writer was killed.
    fn needs_recovery(&self, extended_code: i32) -> bool {
        self.writable
            && matches!(
                extended_code,
                rusqlite::ffi::SQLITE_READONLY_ROLLBACK
                    | rusqlite::ffi::SQLITE_READONLY_RECOVERY
                    | rusqlite::ffi::SQLITE_READONLY_CANTINIT
            )
    }

    /// Lets SQLite finish what a killed writer left behind, which takes a connection that may write.
    fn recover(&self) -> Result<(), EngineError> {
        let connection = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
            .map_err(|error| self.failed(error))
    }

    /// Device and inode, so that every path to one file agrees; of a missing file where it would be.
    fn identity(&self, missing: bool) -> Result<String, EngineError> {
        if missing {
            return Ok(format!("sqlite:{}", self.path.display()));
        }
        let found = std::fs::metadata(&self.path).map_err(|error| {
            EngineError::new(ErrorKind::Connect, format!("{} is gone", self.name()))
                .said(system_words(&error))
        })?;
        Ok(file_identity(&self.path, &found))
    }

    fn encoding(&self, connection: &Connection) -> Result<Encoding, EngineError> {
        let name: String = connection
            .query_row("PRAGMA encoding", [], |row| row.get(0))
            .map_err(|error| self.failed(error))?;
        Ok(match name.as_str() {
            "UTF-8" => Encoding::Utf8,
            "UTF-16be" => Encoding::Utf16Be,
            _ => Encoding::Utf16Le,
        })
    }
}

/// SQLite takes a quoted column that is not there for a text. In our SELECTs that must be an error; in the
/// triggers of a replica it may be what its author meant.
fn take_quoted_for_columns(connection: &Connection, on: bool) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, !on).map(drop)
}

#[cfg(unix)]
fn file_identity(_path: &Path, found: &std::fs::Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    format!("sqlite:{}:{}", found.dev(), found.ino())
}

#[cfg(not(unix))]
fn file_identity(path: &Path, _found: &std::fs::Metadata) -> String {
    format!("sqlite:{}", path.display())
}

#[async_trait]
impl Engine for SqliteEngine {
    fn dialect(&self) -> &'static dyn Dialect {
        &Sqlite
    }

    fn server(&self) -> &Server {
        &self.server
    }

    async fn catalog(&self, schemas: &[Option<String>]) -> Result<Catalog, EngineError> {
        let (session, schemas) = (self.session.clone(), schemas.to_vec());
        blocking(move || {
            if !session.exists()? {
                return if session.writable {
                    Ok(Catalog { folding: Folding::Ascii, ..Catalog::default() })
                } else {
                    Err(session.missing())
                };
            }
            let connection = session.reader()?;
            introspect::catalog(&connection, &schemas).map_err(|error| session.failed(error))
        })
        .await
    }

    /// The catalog has them all; a saved plan has that of its own day.
    async fn dependents(&self, tables: &[TableName]) -> Result<Vec<Dependent>, EngineError> {
        let mut schemas: Vec<Option<String>> = tables.iter().map(|table| table.schema.clone()).collect();
        schemas.sort_unstable();
        schemas.dedup();
        if schemas.is_empty() {
            return Ok(Vec::new());
        }
        let catalog = self.catalog(&schemas).await?;
        Ok(tables.iter().flat_map(|table| schema::dependents(&catalog, table)).collect())
    }

    async fn knows(&self, table: &TableName, _folding: Folding) -> Result<bool, EngineError> {
        let (session, name) = (self.session.clone(), table.name.clone());
        blocking(move || {
            if !session.exists()? {
                return Ok(false);
            }
            let connection = session.reader()?;
            let sql = "SELECT 1 FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE";
            let found = connection.prepare(sql).and_then(|mut statement| statement.exists([&name]));
            found.map_err(|error| session.failed(error))
        })
        .await
    }

    async fn renamed(&self, statements: &[String]) -> Result<Option<Catalog>, EngineError> {
        let (session, statements) = (self.session.clone(), statements.to_vec());
        blocking(move || {
            let connection = session.reader()?;
            rehearse::renamed(&connection, &statements).map_err(|error| session.failed(error))?.map(Some)
        })
        .await
    }

    async fn rehearse(&self, renames: &[String], statements: &[String]) -> Result<(), EngineError> {
        let (session, renames, statements) = (self.session.clone(), renames.to_vec(), statements.to_vec());
        blocking(move || {
            if !session.exists()? {
                return Ok(());
            }
            let connection = session.reader()?;
            rehearse::rehearse(&connection, &renames, &statements).map_err(|error| session.failed(error))?
        })
        .await
    }

    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, EngineError> {
        let session = self.session.clone();
        let snapshot = blocking(move || scan::SqliteSnapshot::begin(session)).await?;
        Ok(Arc::new(snapshot))
    }

    async fn writer(&self) -> Result<Box<dyn Writer>, EngineError> {
        if !self.session.writable {
            return Err(EngineError::new(ErrorKind::Permission, "the primary is only ever read"));
        }
        if let Some(why) = &self.server.read_only {
            let message = format!("{} cannot be written: {why}", self.session.name());
            return Err(EngineError::new(ErrorKind::Permission, message));
        }
        let session = self.session.clone();
        let writer = blocking(move || write::SqliteWriter::open(session)).await?;
        Ok(Box::new(writer))
    }
}
