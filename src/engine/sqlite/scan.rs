//! Reading rows: one moment of the file, and the threads that step through its statements.
//!
//! A snapshot is a set of connections that sit in read transactions begun at one moment ([`moment`](super::moment)).
//! A scan takes a connection, a thread of its own feeds the stream, and the connection comes back when the
//! thread is done, be it at the last row, at an error, or because nobody listens any more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::encode::encode_row;
use super::moment::{self, Opened};
use super::{Session, bytes, error, split};
use crate::engine::{EngineError, RowStream, Snapshot};
use crate::failure::ErrorKind;
use crate::spec::SnapshotMode;
use crate::sql::sqlite::{Encoding, Sqlite, render_select};
use crate::sql::{Dialect, Select};
use crate::value::{Domain, Key, RowBlock};

/// A block is sent once it is this large.
const BLOCK_BYTES: usize = 512 << 10;
/// How many blocks may wait for the one who compares.
const BLOCKS_WAITING: usize = 2;
/// After how many of SQLite's steps to look at the clock and the listener.
pub(super) const STEPS_BETWEEN_LOOKS: i32 = 20_000;

/// One moment of a file.
pub(super) struct SqliteSnapshot {
    session: Session,
    encoding: Encoding,
    readers: usize,
    method: String,
    /// The connections that no scan uses now; one permit for each.
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl SqliteSnapshot {
    /// Begins the moment. Of a missing replica it is an empty one, whose scans say that the file is missing.
    pub(super) fn begin(session: Session) -> Result<Self, EngineError> {
        let mut opened =
            Opened { connections: Vec::new(), method: "a file that is not there yet".to_owned() };
        let mut encoding = Encoding::Utf8;
        if session.exists()? {
            opened = moment::open(&session)?;
            if let Some(first) = opened.connections.first() {
                encoding = session.encoding(first)?;
            }
        } else if !session.writable {
            return Err(session.missing());
        }
        let Opened { connections, method } = opened;
        let readers = connections.len();
        Ok(SqliteSnapshot {
            session,
            encoding,
            readers,
            method,
            idle: Arc::new(Mutex::new(connections)),
            permits: Arc::new(Semaphore::new(readers)),
        })
    }
}

#[async_trait]
impl Snapshot for SqliteSnapshot {
    fn readers(&self) -> usize {
        self.readers.max(1)
    }

    fn method(&self) -> String {
        self.method.clone()
    }

    fn file(&self) -> Option<PathBuf> {
        let is_held = self.readers > 0 && self.session.snapshot != SnapshotMode::None;
        (is_held && bytes::is_whole(&self.session.path)).then(|| self.session.path.clone())
    }

    async fn scan(&self, select: Select) -> Result<RowStream, EngineError> {
        let lease = self.lease().await?;
        let (sender, receiver) = mpsc::channel(BLOCKS_WAITING);
        let scan = Scan {
            select,
            encoding: self.encoding,
            deadline: Deadline::new(self.session.statement_timeout),
            sender,
        };
        tokio::task::spawn_blocking(move || scan.run(lease));
        Ok(RowStream::new(receiver))
    }

    async fn ask(&self, sql: String) -> Result<Vec<Option<String>>, EngineError> {
        let lease = self.lease().await?;
        let answered = tokio::task::spawn_blocking(move || {
            let connection = lease.connection.as_ref();
            connection.map_or(Ok(Vec::new()), |connection| {
                let failed = |error| error::of_statement("values cannot be compared", error);
                texts(connection, &sql).map_err(failed)
            })
        });
        answered.await.map_err(|broken| {
            EngineError::new(ErrorKind::Internal, "the thread that compared values stopped").said(broken)
        })?
    }

    fn reads_ranges(&self, select: &Select) -> bool {
        let key = &select.columns[..select.key_columns];
        // Text of UTF-16 sorts by its units.
        let units = |domain: &Domain| {
            self.encoding.is_utf16() && matches!(domain, Domain::Text | Domain::Bits | Domain::Storage { .. })
        };
        key.iter().all(|part| !Sqlite.order_needs_sort(&part.column, &part.domain) && !units(&part.domain))
    }

    async fn split(&self, select: &Select, parts: usize) -> Result<Vec<Key>, EngineError> {
        if parts < 2 || self.readers == 0 {
            return Ok(Vec::new());
        }
        let mut lease = self.lease().await?;
        let (select, encoding) = (select.clone(), self.encoding);
        let split = tokio::task::spawn_blocking(move || {
            let Some(connection) = lease.connection.as_mut() else { return Ok(Vec::new()) };
            let failed =
                |error| error::of_statement(&format!("table `{}` cannot be cut", select.table), error);
            split::split(connection, &select, parts, encoding).map_err(failed)?
        });
        split.await.map_err(|broken| {
            EngineError::new(ErrorKind::Internal, "the thread that looked for cuts stopped").said(broken)
        })?
    }
}

impl SqliteSnapshot {
    /// A connection inside the moment, as soon as one is free.
    async fn lease(&self) -> Result<Lease, EngineError> {
        if self.readers == 0 {
            return Err(self.session.missing());
        }
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|closed| {
            EngineError::new(ErrorKind::Internal, "the snapshot was closed").said(closed)
        })?;
        let connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = connection.ok_or_else(|| {
            EngineError::new(ErrorKind::Internal, "the snapshot lost its connection in an earlier scan")
        })?;
        Ok(Lease { connection: Some(connection), idle: Arc::clone(&self.idle), permit: Some(permit) })
    }
}

/// All values of a small read, row by row.
fn texts(connection: &Connection, sql: &str) -> Result<Vec<Option<String>>, rusqlite::Error> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    let (mut rows, mut found) = (statement.raw_query(), Vec::new());
    while let Some(row) = rows.next()? {
        for at in 0..columns {
            found.push(row.get(at)?);
        }
    }
    Ok(found)
}

/// A connection on loan; it goes back before its permit does.
struct Lease {
    connection: Option<Connection>,
    idle: Arc<Mutex<Vec<Connection>>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        drop(self.permit.take());
    }
}

/// When a statement has had its time. Waiting for the one who reads does not count.
struct Deadline {
    limit: Option<Duration>,
    begun: Instant,
    waited: Mutex<Duration>,
}

impl Deadline {
    fn new(limit: Option<Duration>) -> Arc<Self> {
        Arc::new(Deadline { limit, begun: Instant::now(), waited: Mutex::new(Duration::ZERO) })
    }

    fn is_over(&self) -> bool {
        let Some(limit) = self.limit else { return false };
        let waited = *self.waited.lock().unwrap_or_else(PoisonError::into_inner);
        self.begun.elapsed().saturating_sub(waited) > limit
    }

    fn waited(&self, duration: Duration) {
        *self.waited.lock().unwrap_or_else(PoisonError::into_inner) += duration;
    }
}

type Sender = mpsc::Sender<Result<RowBlock, EngineError>>;

struct Scan {
    select: Select,
    encoding: Encoding,
    deadline: Arc<Deadline>,
    sender: Sender,
}

impl Scan {
    /// Runs on a thread of its own to the end of the rows.
    fn run(self, mut lease: Lease) {
        let Some(connection) = lease.connection.as_mut() else { return };
        // A stream that just closes means that all rows were sent, so even a panic must end it with an error.
        let result = catch_unwind(AssertUnwindSafe(|| self.watched(connection))).unwrap_or_else(|_| {
            drop(lease.connection.take());
            let message = format!("the thread that read table `{}` stopped", self.select.table);
            Err(EngineError::new(ErrorKind::Internal, message))
        });
        // The connection is free again before the stream ends, for the next scan may start at once.
        drop(lease);
        if let Err(error) = result {
            // Nobody listening is no error.
            let _ = self.sender.blocking_send(Err(error));
        }
    }

    fn watched(&self, connection: &mut Connection) -> Result<(), EngineError> {
        let (deadline, sender) = (Arc::clone(&self.deadline), self.sender.clone());
        let stop = move || sender.is_closed() || deadline.is_over();
        connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(stop)).map_err(|error| self.failed(error))?;
        let result = self.read(connection);
        let unwatched = connection.progress_handler(0, None::<fn() -> bool>);
        result.and(unwatched.map_err(|error| self.failed(error)))
    }

    fn read(&self, connection: &Connection) -> Result<(), EngineError> {
        read_select(connection, self.encoding, &self.select, |block| {
            let waiting = Instant::now();
            let listened = self.sender.blocking_send(Ok(block)).is_ok();
            self.deadline.waited(waiting.elapsed());
            listened
        })
    }

    fn failed(&self, error: rusqlite::Error) -> EngineError {
        error::of_statement(&format!("table `{}` cannot be read", self.select.table), error)
    }
}

/// Reads a select and hands on blocks until `take` says that it is enough. Keys that may be spelled in many ways are
/// always looked for by what they mean: in the usual spellings an index would find them, but not a second row that
/// spells the same key otherwise, and a guard must see both.
pub(super) fn read_select(
    connection: &Connection,
    encoding: Encoding,
    select: &Select,
    take: impl FnMut(RowBlock) -> bool,
) -> Result<(), EngineError> {
    read_blocks(connection, &render_select(select, encoding), select, encoding, take)
}

/// Steps through a statement that has the select's columns.
fn read_blocks(
    connection: &Connection,
    sql: &str,
    select: &Select,
    encoding: Encoding,
    mut take: impl FnMut(RowBlock) -> bool,
) -> Result<(), EngineError> {
    let failed = |error| error::of_statement(&format!("table `{}` cannot be read", select.table), error);
    let mut statement = connection.prepare(sql).map_err(failed)?;
    let mut rows = statement.raw_query();
    let mut block = RowBlock::default();
    while let Some(row) = rows.next().map_err(failed)? {
        encode_row(&mut block, select, encoding, row)?;
        if block.bytes_len() >= BLOCK_BYTES {
            let full = std::mem::replace(&mut block, RowBlock::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 8));
            if !take(full) {
                return Ok(());
            }
        }
    }
    if !block.is_empty() {
        take(block);
    }
    Ok(())
}

/// All rows of a statement that has the select's columns, as one block.
pub(super) fn read_sql(
    connection: &Connection,
    sql: &str,
    select: &Select,
    encoding: Encoding,
) -> Result<RowBlock, EngineError> {
    let mut all = RowBlock::default();
    read_blocks(connection, sql, select, encoding, |block| {
        all.extend(&block, 0, block.len());
        true
    })?;
    Ok(all)
}

/// All rows of a select as one block, for reads within the writer's transaction.
pub(super) fn read_all(
    connection: &Connection,
    encoding: Encoding,
    select: &Select,
) -> Result<RowBlock, EngineError> {
    let mut all = RowBlock::default();
    read_select(connection, encoding, select, |block| {
        all.extend(&block, 0, block.len());
        true
    })?;
    Ok(all)
}
