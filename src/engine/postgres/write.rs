//! The connection that writes a replica, and the lock that keeps other trueups off it.
//!
//! The lock is an advisory one of the session, so it goes with the connection, which is never reused. Reads here
//! are ordinary queries with binary results, because COPY cannot lock rows and a failed COPY would cost the
//! transaction's connection. The invariant: nothing outlives a dropped writer but what it committed.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Column as _, Connection, Row, ValueRef};

use super::super::{EngineError, Tallies, Writer, tally};
use super::encode::RowEncoder;
use super::failure::failed;
use super::scan::{bad_value, encoder, rows_of};
use super::{Pool, rows, run, text};
use crate::failure::ErrorKind;
use crate::sql::postgres::{Postgres, render_select};
use crate::sql::{Dialect, Select, TableName};
use crate::value::RowBlock;

/// "trueup" in bytes, and a version; advisory locks belong to one database.
const LOCK: &str = "8175538675906609665";
const LOCK_POLL: Duration = Duration::from_millis(100);
/// Rows are handed on in blocks of this size.
const BLOCK_BYTES: usize = 512 << 10;
const SLOT_WAIT: Duration = Duration::from_secs(2);

/// The one connection that may change a replica.
pub(super) struct PostgresWriter {
    /// `None` only while dropping.
    connection: Option<PgConnection>,
    /// Why the transaction can no longer be committed. The server itself answers COMMIT of a failed
    /// transaction with a roll-back and no error.
    failed: bool,
}

impl PostgresWriter {
    /// Takes a connection out of the pool for good, or opens one. It waits a little for a reader to finish, so
    /// that a limit on the login's connections is kept where it can be.
    pub(super) async fn open(pool: &std::sync::Arc<Pool>) -> Result<Self, EngineError> {
        let slots = std::sync::Arc::clone(&pool.slots);
        let slot = tokio::time::timeout(SLOT_WAIT, slots.acquire_owned()).await;
        let session = pool.connected(slot.ok().and_then(Result::ok)).await?;
        Ok(PostgresWriter { connection: Some(session.connection), failed: false })
    }

    fn connection(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("a writer has its connection until it is dropped")
    }

    async fn try_lock(&mut self) -> Result<bool, EngineError> {
        let sql = format!("SELECT pg_try_advisory_lock({LOCK})::text");
        let found = rows(self.connection(), &sql, "taking trueup's lock").await?;
        Ok(found.first().map(|row| text(row, 0)).transpose()?.flatten().as_deref() == Some("true"))
    }

    /// Hands on the rows in blocks.
    async fn read_blocks(
        &mut self,
        select: &Select,
        take: &mut (dyn FnMut(&RowBlock) + Send),
    ) -> Result<(), EngineError> {
        let doing = format!("reading {}", select.table);
        let connection = self.connection();
        let sql = render_select(select, rows_of(connection, &select.table, &doing).await?);
        let query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        let mut found = query.fetch(connection);
        let mut block = RowBlock::default();
        let mut known: Option<RowEncoder> = None;
        while let Some(row) = found.try_next().await.map_err(|error| failed(&doing, error))? {
            let encoder = match &known {
                Some(encoder) => encoder,
                None => {
                    let types = row.columns().iter().map(|column| column.type_info().clone());
                    known.insert(encoder(types, select)?)
                }
            };
            add_row(&row, encoder, select, &mut block, &doing)?;
            if block.bytes_len() >= BLOCK_BYTES {
                take(&block);
                block.clear();
            }
        }
        take(&block);
        Ok(())
    }

    async fn holder(&mut self) -> Result<Option<String>, EngineError> {
        let sql = format!(
            "SELECT 'process ' || l.pid || coalesce(', application ' || nullif(a.application_name, ''), '') \
                || coalesce(', user ' || a.usename, '') || coalesce(', client ' || host(a.client_addr), '') \
                || coalesce(', since ' || to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS') || ' UTC', '') \
             FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid) \
             WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
               AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) \
               AND (l.classid::int8 << 32) | l.objid::int8 = {LOCK}"
        );
        let found = rows(self.connection(), &sql, "looking who holds trueup's lock").await?;
        found.first().map(|row| text(row, 0)).transpose().map(Option::flatten)
    }
}

/// The server ends the transaction and frees the lock when the connection closes; saying goodbye makes it so
/// at once.
impl Drop for PostgresWriter {
    fn drop(&mut self) {
        if let (Some(connection), Ok(runtime)) =
            (self.connection.take(), tokio::runtime::Handle::try_current())
        {
            runtime.spawn(connection.close());
        }
    }
}

#[async_trait]
impl Writer for PostgresWriter {
    async fn lock(&mut self, wait: Duration) -> Result<(), EngineError> {
        let begun = Instant::now();
        while !self.try_lock().await? {
            let left = wait.saturating_sub(begun.elapsed());
            if left.is_zero() {
                let holder = self.holder().await?.unwrap_or_else(|| "a session that is just gone".to_owned());
                let message = format!("another trueup works on this database: {holder}");
                return Err(EngineError::new(ErrorKind::Locked, message)
                    .hint("wait for it, or give --lock-timeout a longer time"));
            }
            tokio::time::sleep(LOCK_POLL.min(left)).await;
        }
        Ok(())
    }

    async fn begin(&mut self) -> Result<(), EngineError> {
        self.failed = false;
        let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
        run(self.connection(), begin, "beginning a transaction").await.map(drop)
    }

    async fn execute(&mut self, sql: &str) -> Result<u64, EngineError> {
        let done = run(self.connection(), sql, "").await;
        self.failed |= done.is_err();
        done
    }

    async fn read(&mut self, select: &Select) -> Result<RowBlock, EngineError> {
        let mut rows = RowBlock::default();
        let read = self.read_blocks(select, &mut |block| rows.extend(block, 0, block.len())).await;
        self.failed |= read.is_err();
        read.map(|()| rows)
    }

    async fn count(&mut self, select: &Select, mut tallies: Tallies) -> Result<Tallies, EngineError> {
        let read = self.read_blocks(select, &mut |block| tally(&mut tallies, block)).await;
        self.failed |= read.is_err();
        read.map(|()| tallies)
    }

    async fn has_rows(&mut self, table: &TableName) -> Result<bool, EngineError> {
        let (name, doing) = (Postgres.table(table), format!("looking for rows of {table}"));
        self.execute(&format!("LOCK TABLE {name} IN SHARE MODE")).await?;
        let found = rows(self.connection(), &format!("SELECT true::text FROM {name} LIMIT 1"), &doing).await;
        self.failed |= found.is_err();
        Ok(!found?.is_empty())
    }

    async fn foreign_key_violations(&mut self, _tables: &[TableName]) -> Result<Vec<String>, EngineError> {
        // PostgreSQL checks every foreign key itself, deferred ones at commit.
        Ok(Vec::new())
    }

    async fn commit(&mut self) -> Result<(), EngineError> {
        if self.failed {
            self.rollback().await?;
            let message = "committing: a statement of the transaction failed, it was rolled back";
            return Err(EngineError::new(ErrorKind::Internal, message));
        }
        run(self.connection(), "COMMIT", "committing").await.map(drop)
    }

    async fn rollback(&mut self) -> Result<(), EngineError> {
        self.failed = false;
        run(self.connection(), "ROLLBACK", "rolling back").await.map(drop)
    }
}

fn add_row(
    row: &PgRow,
    encoder: &RowEncoder,
    select: &Select,
    block: &mut RowBlock,
    doing: &str,
) -> Result<(), EngineError> {
    let start = block.bytes_len();
    for column in 0..select.columns.len() {
        let field = row.try_get_raw(column).map_err(|error| failed(doing, error))?;
        let wire = if field.is_null() {
            None
        } else {
            let words = |why| EngineError::new(ErrorKind::Internal, format!("{doing}: no bytes")).said(why);
            Some(field.as_bytes().map_err(words)?)
        };
        encoder.put(block.buffer(), start, column, wire).map_err(|bad| bad_value(&bad, select))?;
    }
    block.close_row();
    Ok(())
}
