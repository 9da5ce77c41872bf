//! Reading: rows streamed by the binary protocol into encoded blocks, over the connections that
//! [`moment`](super::moment) opened.
//!
//! Invariant: a stream that ends well has sent every row, in key order where that was asked for; each row is held
//! against the one before it. Anything else ends with an error.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use async_trait::async_trait;
use futures_util::{FutureExt, Stream, StreamExt};
use sqlx::mysql::{MySqlColumn, MySqlConnection, MySqlQueryResult, MySqlRow};
use sqlx::{AssertSqlSafe, Column as _, Connection, Either, Executor, Row, TypeInfo};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::encode::Encoder;
use super::moment::{self, Opened, Reader};
use super::{Access, digest, error, query, raw, run, split, together};
use crate::engine::error::VALUE_HINT;
use crate::engine::{DigestScheme, Digestible, EngineError, RowStream, Snapshot};
use crate::failure::ErrorKind;
use crate::sql::mysql::is_incomparable;
use crate::sql::{Dialect, Select, SelectColumn, Selection};
use crate::value::{
    Key, KeyOrder, KeyRange, RangeDigest, RowBlock, decode, fields, named_values, raw_value_words,
};

/// A block is sent once it has grown to this.
const BLOCK_BYTES: usize = 256 * 1024;
/// Blocks that may wait for the reader.
const BLOCKS_WAITING: usize = 2;
/// Of an abandoned read: rows that are read to their end before the server is told to stop.
const ROWS_DRAINED: usize = 10_000;

/// Prepared statements that are longer than this together are closed.
const KEPT_BYTES_MAX: usize = 512 << 10;

/// One moment of the database, or with `snapshot: none` just the connections.
pub(super) struct Moment {
    pool: Arc<Pool>,
    /// One for each connection that lives; closed when none does.
    permits: Arc<Semaphore>,
    readers: usize,
    method: String,
    access: Access,
    dialect: &'static dyn Dialect,
}

/// The connections that no scan uses.
struct Pool {
    idle: Mutex<Vec<Reader>>,
    live: AtomicUsize,
}

impl Pool {
    fn idle(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Moment {
    /// Begins the read-only transactions that are the moment.
    pub async fn begin(
        connection: MySqlConnection,
        access: Access,
        dialect: &'static dyn Dialect,
    ) -> Result<Self, EngineError> {
        let Opened { readers, method } = moment::open(connection, &access).await?;
        let count = readers.len();
        let pool = Arc::new(Pool { idle: Mutex::new(readers), live: AtomicUsize::new(count) });
        let permits = Arc::new(Semaphore::new(count));
        Ok(Moment { pool, permits, readers: count, method, access, dialect })
    }

    /// Asks on a connection, in a task of its own: dropped midway the answer would be the next statement's.
    async fn asking<T, F, A>(&self, ask: A) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: Future<Output = (Reader, Result<T, EngineError>)> + Send + 'static,
        A: FnOnce(Reader) -> F + Send + 'static,
    {
        let mut lease = self.lend().await?;
        let lost = || EngineError::new(ErrorKind::Connect, "the connection that held the snapshot is lost");
        let task = tokio::spawn(async move {
            let reader = lease.reader.take().ok_or_else(lost)?;
            let (reader, found) = ask(reader).await;
            if !matches!(&found, Err(error) if error.kind == ErrorKind::Connect) {
                lease.put_back(reader);
            }
            found
        });
        let broken = |why| EngineError::new(ErrorKind::Internal, "asking for digests broke off").said(why);
        task.await.map_err(broken)?
    }

    /// A connection, as soon as one is free.
    async fn lend(&self) -> Result<Lease, EngineError> {
        let lost = || EngineError::new(ErrorKind::Connect, "the connection that held the snapshot is lost");
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| lost())?;
        let reader = self.pool.idle().pop().ok_or_else(lost)?;
        let (pool, permits) = (Arc::downgrade(&self.pool), Arc::clone(&self.permits));
        Ok(Lease { reader: Some(reader), permit: Some(permit), pool, permits })
    }
}

/// A connection on loan. Dropping it gives it back, or tells that it is lost.
struct Lease {
    /// Taken out where the connection, and with it its part of the moment, is gone.
    reader: Option<Reader>,
    permit: Option<OwnedSemaphorePermit>,
    pool: Weak<Pool>,
    permits: Arc<Semaphore>,
}

impl Lease {
    fn put_back(&mut self, reader: Reader) {
        self.reader = Some(reader);
    }

    /// Nothing else will be read at this moment: then its connections just close.
    fn is_last(&self) -> bool {
        self.pool.strong_count() == 0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let (Some(pool), Some(permit)) = (self.pool.upgrade(), self.permit.take()) else { return };
        match self.reader.take() {
            // It is back before its permit is.
            Some(reader) => pool.idle().push(reader),
            None => {
                permit.forget();
                if pool.live.fetch_sub(1, Ordering::AcqRel) == 1 {
                    self.permits.close();
                }
            }
        }
    }
}

#[async_trait]
impl Snapshot for Moment {
    fn readers(&self) -> usize {
        self.readers
    }

    fn method(&self) -> String {
        self.method.clone()
    }

    async fn scan(&self, select: Select) -> Result<RowStream, EngineError> {
        let reading = Reading::new(&select)?;
        let sql = self.dialect.select(&select);
        let lease = self.lend().await?;
        let (sender, receiver) = mpsc::channel(BLOCKS_WAITING);
        let access = self.access.clone();
        let table = select.table.to_string();
        tokio::spawn(async move {
            let feeding = feed(lease, Feed { sql, reading, sender: sender.clone(), access });
            if AssertUnwindSafe(feeding).catch_unwind().await.is_err() {
                // A stream that just closes would be taken for a whole one.
                let error = EngineError::new(ErrorKind::Internal, format!("read table {table}: it panicked"));
                drop(sender.send(Err(error)).await);
            }
        });
        Ok(RowStream::new(receiver))
    }

    fn rows_together_max(&self) -> u64 {
        together::ROWS_MAX as u64
    }

    async fn read_together(&self, selects: &[Select], bytes_max: u64) -> Vec<Option<RowBlock>> {
        let nothing = || vec![None; selects.len()];
        let Ok(mut lease) = self.lend().await else { return nothing() };
        // As in `ask`; and where it fails, the connection is lost.
        let Some(mut reader) = lease.reader.take() else { return nothing() };
        let servers = (&self.access, self.dialect.engine());
        let Ok(found) = together::read(&mut reader, servers, selects, bytes_max).await else {
            return nothing();
        };
        lease.reader = Some(reader);
        found
    }

    async fn ask(&self, sql: String) -> Result<Vec<Option<String>>, EngineError> {
        let mut lease = self.lend().await?;
        // Taken out meanwhile: dropped midway the answer would be the next statement's.
        let Some(mut reader) = lease.reader.take() else { return Ok(Vec::new()) };
        let answer = query(&mut reader.connection, &sql, "compare values as the database does").await;
        if !matches!(&answer, Err(error) if error.kind == ErrorKind::Connect) {
            lease.reader = Some(reader);
        }
        Ok(answer?.into_iter().flatten().collect())
    }

    fn reads_ranges(&self, select: &Select) -> bool {
        let mut key = select.columns[..select.key_columns].iter();
        key.all(|column| !self.dialect.order_needs_sort(&column.column, &column.domain))
    }

    async fn digestible(&self, select: &Select) -> Result<Digestible, EngineError> {
        if select.key_columns == 0 || !self.reads_ranges(select) {
            return Ok(Digestible::Not("no index has the order of its keys".to_owned()));
        }
        let (dialect, select) = (self.dialect, select.clone());
        self.asking(move |mut reader| async move {
            let found = digest::digestible(&mut reader, dialect, &select).await;
            (reader, found)
        })
        .await
    }

    async fn cuts(
        &self,
        select: &Select,
        ranges: Vec<KeyRange>,
        part_rows: u64,
    ) -> Result<Vec<Key>, EngineError> {
        let columns = select.columns[..select.key_columns].to_vec();
        let (dialect, select) = (self.dialect, Select { columns, ..select.clone() });
        self.asking(move |mut reader| async move {
            let found = digest::cuts(&mut reader, dialect, &select, &ranges, part_rows).await;
            (reader, found)
        })
        .await
    }

    async fn digests(
        &self,
        select: &Select,
        (_, mark): (DigestScheme, &str),
        ranges: Vec<KeyRange>,
        rows_max: u64,
    ) -> Result<Vec<RangeDigest>, EngineError> {
        let (dialect, select, mark) = (self.dialect, select.clone(), mark.to_owned());
        self.asking(move |mut reader| async move {
            let found = digest::digests(&mut reader, dialect, &select, &mark, &ranges, rows_max).await;
            (reader, found)
        })
        .await
    }

    async fn split(&self, select: &Select, parts: usize) -> Result<Vec<Key>, EngineError> {
        if parts < 2 {
            return Ok(Vec::new());
        }
        let mut lease = self.lend().await?;
        // As in `ask`.
        let Some(mut reader) = lease.reader.take() else { return Ok(Vec::new()) };
        let cuts = split::split(&mut reader, self.dialect, select, parts).await;
        if !matches!(&cuts, Err(error) if error.kind == ErrorKind::Connect) {
            lease.reader = Some(reader);
        }
        cuts
    }
}

/// What turns the server's rows into encoded ones.
#[derive(Debug)]
pub(super) struct Reading {
    encoders: Vec<Encoder>,
    /// The same, with the signs that the server itself tells with its first row.
    told: OnceLock<Vec<Encoder>>,
    columns: Vec<SelectColumn>,
    table: String,
    /// The key, and its order where rows come in it.
    order: KeyOrder,
    ordered: bool,
    /// The keys that are wanted, where the statement cannot tell them all from others.
    asked: Option<HashSet<Key>>,
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
            told: OnceLock::new(),
            table: select.table.to_string(),
            order: KeyOrder::new(key.iter().map(|part| part.domain.clone()).collect::<Vec<_>>()),
            ordered: select.ordered && !key.is_empty(),
            asked: match &select.selection {
                Selection::Keys(keys) if key.iter().any(is_incomparable) => {
                    Some(keys.iter().cloned().collect())
                }
                _ => None,
            },
            columns: select.columns.clone(),
        })
    }

    /// A column that is to get another type is read as what it will be, and the bytes are those of what it still is.
    fn as_told(&self, row: &MySqlRow) -> Vec<Encoder> {
        let told = |(encoder, column): (&Encoder, &MySqlColumn)| match column.type_info().name() {
            "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => encoder.of_integers(false),
            "TINYINT UNSIGNED" | "SMALLINT UNSIGNED" | "MEDIUMINT UNSIGNED" | "INT UNSIGNED"
            | "BIGINT UNSIGNED" => encoder.of_integers(true),
            "DECIMAL" => encoder.of_decimals(),
            "FLOAT" => encoder.of_floats(true),
            "DOUBLE" => encoder.of_floats(false),
            _ => *encoder,
        };
        self.encoders.iter().zip(row.columns()).map(told).collect()
    }

    /// Adds one row to the block, unless it is none of those that are wanted. On an error the block's last row is broken and must not be used.
    pub fn add(&self, row: &MySqlRow, block: &mut RowBlock) -> Result<(), EngineError> {
        if row.len() != self.encoders.len() {
            return Err(EngineError::new(ErrorKind::Changed, format!("table {} changed", self.table)));
        }
        let start = block.bytes_len();
        for (at, encoder) in self.told.get_or_init(|| self.as_told(row)).iter().enumerate() {
            let value = raw(row, at)?;
            if let Err(expected) = encoder.field(value, block.buffer()) {
                let bad = self.bad_value(at, expected, &block.bytes()[start..]);
                return Err(match value {
                    Some(value) => bad.said(raw_value_words(value)),
                    None => bad,
                });
            }
        }
        let key = &block.bytes()[start..];
        match &self.asked {
            Some(asked) if !asked.contains(&self.order.key_of(key)) => block.buffer().truncate(start),
            _ => block.close_row(),
        }
        Ok(())
    }

    fn bad_value(&self, at: usize, expected: &str, row: &[u8]) -> EngineError {
        let key = self.columns[..self.order.columns().min(at)]
            .iter()
            .zip(fields(row))
            .map(|(part, field)| (part.column.name.as_str(), decode(&part.domain, field)));
        let column = &self.columns[at].column.name;
        let message = format!("table {}, column {column}: a value is not {expected}", self.table);
        EngineError::new(ErrorKind::Value, message).key(named_values(key)).hint(VALUE_HINT)
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

/// The prepared statements of a connection. Closing one has no reply, so that the next command would wait 40 ms for a
/// delayed acknowledgement (sqlx leaves Nagle's algorithm on): they stay open, and are closed together.
#[derive(Debug, Default)]
pub(super) struct Kept {
    bytes: usize,
}

impl Kept {
    /// Counts a statement that was prepared, and closes all where they have become much: the server holds them many
    /// times over.
    pub async fn add(&mut self, connection: &mut MySqlConnection, bytes: usize) -> Result<(), EngineError> {
        self.bytes += bytes;
        if self.bytes <= KEPT_BYTES_MAX {
            return Ok(());
        }
        self.bytes = 0;
        let closed = connection.clear_cached_statements().await;
        closed.map_err(|why| error::translate(why, "close statements"))
    }
}

/// Rows and results as sqlx yields them.
pub(super) type Rows<'a> =
    dyn Stream<Item = Result<Either<MySqlQueryResult, MySqlRow>, sqlx::Error>> + Send + Unpin + 'a;

struct Feed {
    sql: String,
    reading: Reading,
    sender: mpsc::Sender<Result<RowBlock, EngineError>>,
    access: Access,
}

/// How a read ended.
enum Ended {
    /// All rows are sent.
    Well,
    /// Nobody wants the rest.
    Abandoned,
    /// The server ended it with an error.
    Refused(EngineError),
    /// The connection is gone.
    Lost(EngineError),
}

async fn feed(mut lease: Lease, feed: Feed) {
    let Some(mut reader) = lease.reader.take() else { return };
    let statement = sqlx::query(AssertSqlSafe(feed.sql.as_str())).persistent(true);
    let mut rows = reader.connection.fetch_many(statement);
    let (usable, stopped, error) = match send_rows(&mut rows, &feed).await {
        Ended::Well => (true, false, None),
        Ended::Refused(error) => (true, false, Some(error)),
        Ended::Lost(error) => (false, false, Some(error)),
        Ended::Abandoned => {
            let is_last = lease.is_last();
            (!is_last && stop(&mut rows, &feed.access, reader.id, ROWS_DRAINED).await, true, None)
        }
    };
    drop(rows);
    if usable {
        if stopped {
            // A KILL QUERY that came too late for its own statement must not hit the next one.
            drop(run(&mut reader.connection, "DO 0", "go on").await);
        }
        // Where it fails, the next read says so.
        drop(reader.kept.add(&mut reader.connection, feed.sql.len()).await);
        lease.reader = Some(reader);
    }
    // The connection is free again, or known to be lost, before the stream ends.
    drop(lease);
    if let Some(error) = error {
        // A reader that is gone needs no error.
        drop(feed.sender.send(Err(error)).await);
    }
}

/// Sends all rows.
async fn send_rows(rows: &mut Rows<'_>, feed: &Feed) -> Ended {
    let mut block = RowBlock::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 8);
    let mut last_row = Vec::new();
    loop {
        let row = match rows.next().await {
            None => break,
            Some(Ok(Either::Left(_))) => continue,
            Some(Ok(Either::Right(row))) => row,
            Some(Err(why)) => {
                let lost = error::number(&why).is_none();
                let error = error::translate(why, &format!("read table {}", feed.reading.table));
                return if lost { Ended::Lost(error) } else { Ended::Refused(error) };
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
        let rows = block.len();
        self.reading.add(row, block)?;
        if block.len() == rows {
            return Ok(());
        }
        let at = block.len() - 1;
        let before = if at == 0 { last_row } else { block.row(at - 1) };
        if before.is_empty() { Ok(()) } else { self.reading.check_order(before, block.row(at)) }
    }
}

/// Reads what is left of an abandoned result, so that the connection can go on; what is behind so many rows is stopped by
/// a second connection. Whether the connection is usable.
pub(super) async fn stop(
    rows: &mut Rows<'_>,
    access: &Access,
    connection_id: u64,
    rows_drained: usize,
) -> bool {
    let mut count = 0;
    loop {
        if count == rows_drained
            && let Ok(mut second) = access.open(false).await
        {
            let kill = format!("KILL QUERY {connection_id}");
            // Where that is not possible the rest is read to its end.
            drop(run(&mut second, &kill, "stop a read").await);
        }
        match rows.next().await {
            None => return true,
            Some(Ok(_)) => count += 1,
            Some(Err(why)) => return error::number(&why).is_some(),
        }
    }
}

/// Reads all rows of a statement that selects the select's columns. `kept`: the statement stays prepared.
pub(super) async fn read_sql(
    connection: &mut MySqlConnection,
    sql: String,
    kept: bool,
    select: &Select,
) -> Result<RowBlock, EngineError> {
    let mut rows = RowBlock::default();
    let mut take = |block: &RowBlock| rows.extend(block, 0, block.len());
    read_sql_blocks(connection, sql, kept, select, &mut take).await?;
    Ok(rows)
}

pub(super) async fn read_sql_blocks(
    connection: &mut MySqlConnection,
    sql: String,
    kept: bool,
    select: &Select,
    take: &mut (dyn FnMut(&RowBlock) + Send),
) -> Result<(), EngineError> {
    let reading = Reading::new(select)?;
    let mut block = RowBlock::default();
    let mut rows = connection.fetch_many(sqlx::query(AssertSqlSafe(sql)).persistent(kept));
    let mut failed = None;
    while let Some(next) = rows.next().await {
        let next = next.map_err(|why| error::translate(why, &format!("read table {}", select.table)))?;
        if let (Either::Right(row), None) = (next, &failed) {
            // The rest is read nevertheless, so that the connection stays usable.
            failed = reading.add(&row, &mut block).err();
            if block.bytes_len() >= BLOCK_BYTES {
                take(&block);
                block.clear();
            }
        }
    }
    take(&block);
    match failed {
        Some(error) => Err(error),
        None => Ok(()),
    }
}
