//! Writing: the one connection that may change a replica.
//!
//! The session is strict, so what would be a warning that changes a value is an error here; what warnings remain
//! (deprecated syntax, an index that duplicates another) change no value and are not asked for. InnoDB checks
//! foreign keys with each statement. Dropping the session closes the connection: the server rolls back and
//! releases the lock.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::mysql::MySqlConnection;

use super::{Facts, query, quoted, run, scan};
use crate::engine::{EngineError, Tallies, Writer, tally};
use crate::failure::ErrorKind;
use crate::sql::{Dialect, EngineName, Select, TableName};
use crate::value::{Digest, RowBlock};

/// The writing session.
pub(super) struct Session {
    connection: MySqlConnection,
    facts: Facts,
    dialect: &'static dyn Dialect,
}

impl Session {
    /// Takes a connection that was opened for writing.
    pub fn new(connection: MySqlConnection, facts: Facts, dialect: &'static dyn Dialect) -> Self {
        Session { connection, facts, dialect }
    }

    /// One lock a database; a server's locks are shared by its databases, and names end at 64 characters.
    fn lock_name(&self) -> String {
        let database = self.facts.database.clone().unwrap_or_default();
        let database = if self.facts.case_folded { database.to_lowercase() } else { database };
        format!("trueup.{}", &Digest::of(database.as_bytes()).hex()[..40])
    }

    async fn holder(&mut self, name: &str) -> Result<String, EngineError> {
        let what = "ask who holds the lock";
        let sql = format!(
            "SELECT CAST(ID AS CHAR), USER, HOST, CAST(NOW() - INTERVAL TIME SECOND AS CHAR) \
             FROM information_schema.PROCESSLIST WHERE ID = IS_USED_LOCK({})",
            quoted(name)
        );
        if let Some(row) = query(&mut self.connection, &sql, what).await?.into_iter().next() {
            let cell = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
            return Ok(format!(
                "connection {} of {} from {}, idle or at work since {} UTC",
                cell(0),
                cell(1),
                cell(2),
                cell(3)
            ));
        }
        let sql = format!("SELECT CAST(IS_USED_LOCK({}) AS CHAR)", quoted(name));
        let id = query(&mut self.connection, &sql, what).await?.into_iter().flatten().flatten().next();
        Ok(id.map_or("a connection that has just gone".to_owned(), |id| format!("connection {id}")))
    }
}

#[async_trait]
impl Writer for Session {
    async fn lock(&mut self, wait: Duration) -> Result<(), EngineError> {
        let name = self.lock_name();
        // MySQL waits whole seconds only.
        let seconds = match self.facts.engine {
            EngineName::Mariadb => format!("{:.3}", wait.as_secs_f64()),
            _ => wait.as_millis().div_ceil(1000).to_string(),
        };
        let sql = format!("SELECT CAST(GET_LOCK({}, {seconds}) AS CHAR)", quoted(&name));
        let what = "take the lock that keeps other trueups away";
        let taken = query(&mut self.connection, &sql, what).await?.into_iter().flatten().flatten().next();
        if taken.as_deref() == Some("1") {
            return Ok(());
        }
        let holder = self.holder(&name).await?;
        Err(EngineError::new(ErrorKind::Locked, format!("another trueup is writing this database: {holder}"))
            .hint("wait for it, or give --lock-timeout"))
    }

    async fn begin(&mut self) -> Result<(), EngineError> {
        run(&mut self.connection, "START TRANSACTION READ WRITE", "begin a transaction").await.map(drop)
    }

    async fn execute(&mut self, sql: &str) -> Result<u64, EngineError> {
        if sql.len() >= self.facts.packet_bytes_max {
            let (length, max) = (sql.len(), self.facts.packet_bytes_max);
            let message = format!("a row needs a statement of {length} bytes, the server takes {max}");
            return Err(
                EngineError::new(ErrorKind::Value, message).hint("raise max_allowed_packet on the server")
            );
        }
        run(&mut self.connection, sql, "").await
    }

    async fn read(&mut self, select: &Select) -> Result<RowBlock, EngineError> {
        let mut rows = RowBlock::default();
        let mut take = |block: &RowBlock| rows.extend(block, 0, block.len());
        scan::read_blocks(&mut self.connection, self.dialect, select, &mut take).await?;
        Ok(rows)
    }

    async fn count(&mut self, select: &Select, mut tallies: Tallies) -> Result<Tallies, EngineError> {
        let mut take = |block: &RowBlock| tally(&mut tallies, block);
        scan::read_blocks(&mut self.connection, self.dialect, select, &mut take).await?;
        Ok(tallies)
    }

    async fn has_rows(&mut self, table: &TableName) -> Result<bool, EngineError> {
        // Locked, so that no row comes between this and what relies on it in the transaction.
        let sql = format!("SELECT '1' FROM {} LIMIT 1 FOR UPDATE", self.dialect.table(table));
        let found = query(&mut self.connection, &sql, &format!("look for rows of {table}")).await?;
        Ok(!found.is_empty())
    }

    async fn foreign_key_violations(&mut self, _tables: &[TableName]) -> Result<Vec<String>, EngineError> {
        // `foreign_key_checks` is on in every session of ours.
        Ok(Vec::new())
    }

    async fn commit(&mut self) -> Result<(), EngineError> {
        run(&mut self.connection, "COMMIT", "commit").await.map(drop)
    }

    async fn rollback(&mut self) -> Result<(), EngineError> {
        run(&mut self.connection, "ROLLBACK", "roll back").await.map(drop)
    }
}
