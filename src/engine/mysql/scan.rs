//! Reading: one consistent snapshot, rows streamed by the binary protocol into encoded blocks.
//!
//! Invariant: a stream that ends well has sent every row, in key order where that was asked for; each row is held
//! against the one before it. Anything else ends with an error.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{Stream, StreamExt};
use sqlx::mysql::{MySqlConnection, MySqlQueryResult, MySqlRow};
use sqlx::{AssertSqlSafe, Either, Executor, Row};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc};

use super::encode::Encoder;
use super::{Access, error, query, raw, run};
use crate::engine::{EngineError, RowStream, Snapshot};
use crate::failure::ErrorKind;
use crate::sql::{Dialect, Select, SelectColumn, Selection};
use crate::value::{Key, KeyOrder, RowBlock, decode, fields, named_values};

/// A block is sent once it has grown to this.
const BLOCK_BYTES: usize = 256 * 1024;
/// Blocks that may wait for the reader.
const BLOCKS_WAITING: usize = 2;
/// Of an abandoned read: rows that are read to their end before the server is told to stop.
const ROWS_DRAINED: usize = 10_000;

/// A longer statement of the writer's is closed after use, for the server's memory; [`Feed`] says what closing costs.
const KEPT_STATEMENT_BYTES_MAX: usize = 4096;

/// One moment of the database, held by one connection.
pub(super) struct Moment {
    /// `None` once the connection is lost, and the moment with it.
    connection: Arc<Mutex<Option<MySqlConnection>>>,
    access: Access,
    dialect: &'static dyn Dialect,
    connection_id: u64,
}

impl Moment {
    /// Begins the read-only transaction that is the moment.
    pub async fn begin(
        mut connection: MySqlConnection,
        access: Access,
        dialect: &'static dyn Dialect,
    ) -> Result<Self, EngineError> {
        let what = "begin a consistent snapshot";
        run(&mut connection, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", what).await?;
        let rows = query(&mut connection, "SELECT CONNECTION_ID()", what).await?;
        let id = rows.into_iter().flatten().flatten().next().and_then(|id| id.parse().ok());
        let connection_id = id.ok_or_else(|| EngineError::new(ErrorKind::Internal, what))?;
        let connection = Arc::new(Mutex::new(Some(connection)));
        Ok(Moment { connection, access, dialect, connection_id })
    }
}

#[async_trait]
impl Snapshot for Moment {
    fn readers(&self) -> usize {
        1
    }

    fn method(&self) -> String {
        "a consistent snapshot of one connection".to_owned()
    }

    async fn scan(&self, select: Select) -> Result<RowStream, EngineError> {
        let reading = Reading::new(&select)?;
        let sql = self.dialect.select(&select);
        let kept = matches!(select.selection, Selection::Range(_));
        let connection = Arc::clone(&self.connection).lock_owned().await;
        let (sender, receiver) = mpsc::channel(BLOCKS_WAITING);
        let (access, connection_id) = (self.access.clone(), self.connection_id);
        tokio::spawn(feed(connection, Feed { sql, kept, reading, sender, access, connection_id }));
        Ok(RowStream::new(receiver))
    }

    async fn ask(&self, sql: String) -> Result<Vec<Option<String>>, EngineError> {
        let mut connection = Arc::clone(&self.connection).lock_owned().await;
        let Some(open) = connection.as_mut() else {
            return Err(EngineError::new(
                ErrorKind::Connect,
                "the connection that held the snapshot is lost",
            ));
        };
        let rows = query(open, &sql, "compare values as the database does").await?;
        Ok(rows.into_iter().flatten().collect())
    }

    async fn split(&self, _select: &Select, _parts: usize) -> Result<Vec<Key>, EngineError> {
        Ok(Vec::new())
    }
}

/// What turns the server's rows into encoded ones.
#[derive(Debug)]
pub(super) struct Reading {
    encoders: Vec<Encoder>,
    columns: Vec<SelectColumn>,
    table: String,
    /// The key, and its order where rows come in it.
    order: KeyOrder,
    ordered: bool,
}

impl Reading {
    /// Fails where a column's type does not belong to its domain.
    pub fn new(select: &Select) -> Result<Self, EngineError> {
        let encoder = |part: &SelectColumn| {
            Encoder::choose(&part.column.column_type.meaning, &part.domain).ok_or_else(|| {
                let (column, declared) = (&part.column.name, &part.column.column_type.declared);
                let domain = part.domain.name();
                let message =
                    format!("{}.{column} of type {declared} cannot be read as {domain}", select.table);
                EngineError::new(ErrorKind::Type, message)
            })
        };
        let key = &select.columns[..select.key_columns];
        Ok(Reading {
            encoders: select.columns.iter().map(encoder).collect::<Result<_, _>>()?,
            table: select.table.to_string(),
            order: KeyOrder::new(key.iter().map(|part| part.domain.clone()).collect::<Vec<_>>()),
            ordered: select.ordered && !key.is_empty(),
            columns: select.columns.clone(),
        })
    }

    /// Adds one row to the block. On an error the block's last row is broken and must not be used.
    pub fn add(&self, row: &MySqlRow, block: &mut RowBlock) -> Result<(), EngineError> {
        if row.len() != self.encoders.len() {
            return Err(EngineError::new(ErrorKind::Changed, format!("table {} changed", self.table)));
        }
        let start = block.bytes_len();
        for (at, encoder) in self.encoders.iter().enumerate() {
            let value = raw(row, at)?;
            if let Err(expected) = encoder.field(value, block.buffer()) {
                return Err(self.bad_value(at, expected, &block.bytes()[start..]));
            }
        }
        block.close_row();
        Ok(())
    }

    fn bad_value(&self, at: usize, expected: &str, row: &[u8]) -> EngineError {
        let key = self.columns[..self.order.columns().min(at)]
            .iter()
            .zip(fields(row))
            .map(|(part, field)| (part.column.name.as_str(), decode(&part.domain, field)));
        let column = &self.columns[at].column.name;
        let message = format!("table {}, column {column}: a value is not {expected}", self.table);
        EngineError::new(ErrorKind::Value, message).key(named_values(key))
    }

    /// Rows in another order than ours would be missed by a merge, so they are never passed on.
    fn check_order(&self, before: &[u8], row: &[u8]) -> Result<(), EngineError> {
        if self.ordered && self.order.compare(before, row).is_gt() {
            let message = format!("the rows of table {} did not come in the order of their keys", self.table);
            return Err(EngineError::new(ErrorKind::Key, message)
                .hint("a date such as 2024-02-00 in a key, or a damaged index (CHECK TABLE), can do that"));
        }
        Ok(())
    }
}

/// Rows and results as sqlx yields them.
type Rows<'a> =
    dyn Stream<Item = Result<Either<MySqlQueryResult, MySqlRow>, sqlx::Error>> + Send + Unpin + 'a;

struct Feed {
    sql: String,
    /// Whether the statement stays prepared. Closing one has no reply, so that the next command would wait
    /// 40 ms for a delayed acknowledgement (sqlx leaves Nagle's algorithm on); long lists of keys are closed
    /// nevertheless, for the server's memory.
    kept: bool,
    reading: Reading,
    sender: mpsc::Sender<Result<RowBlock, EngineError>>,
    access: Access,
    connection_id: u64,
}

/// How a read ended.
enum Ended {
    /// All rows are sent.
    Well,
    /// Nobody wants the rest.
    Abandoned,
    /// The server ended it with an error.
    Refused,
    /// The connection, and with it the moment, is gone.
    Lost,
}

async fn feed(mut connection: OwnedMutexGuard<Option<MySqlConnection>>, feed: Feed) {
    // Nothing else will be read at this moment when the snapshot is gone: then its connection just closes.
    let moment = Arc::downgrade(OwnedMutexGuard::mutex(&connection));
    let is_last = || moment.strong_count() <= 1;
    let Some(open) = connection.as_mut() else {
        let error = EngineError::new(ErrorKind::Connect, "the connection that held the snapshot is lost");
        // A reader that is gone needs no error.
        drop(feed.sender.send(Err(error)).await);
        return;
    };
    let statement = sqlx::query(AssertSqlSafe(feed.sql.as_str())).persistent(feed.kept);
    let mut rows = open.fetch_many(statement);
    let ended = send_rows(&mut rows, &feed).await;
    let (usable, stopped) = match ended {
        Ended::Well | Ended::Refused => (true, false),
        Ended::Lost => (false, false),
        Ended::Abandoned => (!is_last() && drain(&mut rows, &feed).await, true),
    };
    drop(rows);
    if !usable {
        *connection = None;
    } else if let (true, Some(open)) = (stopped, connection.as_mut()) {
        // A KILL QUERY that came too late for its own statement must not hit the next one.
        drop(run(open, "DO 0", "go on").await);
    }
}

/// Sends all rows, and at last an error if there is one.
async fn send_rows(rows: &mut Rows<'_>, feed: &Feed) -> Ended {
    let mut block = RowBlock::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 8);
    let mut last_row = Vec::new();
    loop {
        let row = match rows.next().await {
            None => break,
            Some(Ok(Either::Left(_))) => continue,
            Some(Ok(Either::Right(row))) => row,
            Some(Err(why)) => {
                let ended = if error::number(&why).is_some() { Ended::Refused } else { Ended::Lost };
                let what = format!("read table {}", feed.reading.table);
                drop(feed.sender.send(Err(error::translate(why, &what))).await);
                return ended;
            }
        };
        if let Err(error) = feed.add(&row, &mut block, &last_row) {
            drop(feed.sender.send(Err(error)).await);
            return Ended::Abandoned;
        }
        if block.bytes_len() >= BLOCK_BYTES {
            last_row.clear();
            last_row.extend_from_slice(block.row(block.len() - 1));
            let full = std::mem::replace(&mut block, RowBlock::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 8));
            if feed.sender.send(Ok(full)).await.is_err() {
                return Ended::Abandoned;
            }
        }
    }
    if !block.is_empty() {
        drop(feed.sender.send(Ok(block)).await);
    }
    Ended::Well
}

impl Feed {
    /// Adds a row and holds it against the one before, which may have gone with the block before.
    fn add(&self, row: &MySqlRow, block: &mut RowBlock, last_row: &[u8]) -> Result<(), EngineError> {
        self.reading.add(row, block)?;
        let at = block.len() - 1;
        let before = if at == 0 { last_row } else { block.row(at - 1) };
        if before.is_empty() { Ok(()) } else { self.reading.check_order(before, block.row(at)) }
    }
}

/// Reads what is left of an abandoned result, so that the connection can go on; a long rest is stopped by a
/// second connection. Whether the connection is usable.
async fn drain(rows: &mut Rows<'_>, feed: &Feed) -> bool {
    let mut count = 0;
    while let Some(next) = rows.next().await {
        match next {
            Ok(_) => count += 1,
            Err(why) => return error::number(&why).is_some(),
        }
        if count == ROWS_DRAINED
            && let Ok(mut second) = feed.access.open(false).await
        {
            let kill = format!("KILL QUERY {}", feed.connection_id);
            // Where that is not possible the rest is read to its end.
            drop(run(&mut second, &kill, "stop a read").await);
        }
    }
    true
}

/// Reads all rows into one block, for the writer.
pub(super) async fn read_all(
    connection: &mut MySqlConnection,
    dialect: &'static dyn Dialect,
    select: &Select,
) -> Result<RowBlock, EngineError> {
    let reading = Reading::new(select)?;
    let sql = dialect.select(select);
    let mut block = RowBlock::default();
    let kept = sql.len() <= KEPT_STATEMENT_BYTES_MAX;
    let mut rows = connection.fetch_many(sqlx::query(AssertSqlSafe(sql)).persistent(kept));
    let mut failed = None;
    while let Some(next) = rows.next().await {
        let next = next.map_err(|why| error::translate(why, &format!("read table {}", select.table)))?;
        if let (Either::Right(row), None) = (next, &failed) {
            // The rest is read nevertheless, so that the connection stays usable.
            failed = reading.add(&row, &mut block).err();
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(block),
    }
}
