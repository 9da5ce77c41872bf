//! The connection that writes a replica, and the lock that keeps other trueups off it.
//!
//! The lock is an advisory one of the session, so it goes with the connection, which is never reused. Reads here
//! are ordinary queries with binary results, because COPY cannot lock rows and a failed COPY out would cost the
//! transaction's connection. Many rows are written by COPY; one that fails is read to its end, and leaves the
//! connection with a transaction that can only be rolled back. The invariant: nothing outlives a dropped writer but what it committed.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Column as _, Connection, Row, ValueRef};

use super::super::{EngineError, Tallies, Violation, Writer, tally, unwritable, write_by_statements};
use super::encode::RowEncoder;
use super::failure::failed;
use super::orphans;
use super::scan::{bad_value, encoder, quoted_name, rows_of};
use super::triggers::{self, Means};
use super::{Pool, rows, run, text};
use crate::failure::ErrorKind;
use crate::sql::postgres::{Postgres, Staged, render_select, trigger};
use crate::sql::{Dialect, RowsToWrite, Select, TableName, TableWrite};
use crate::value::{Digest, RowBlock, RowsHasher};

/// "trueup" in bytes, and a version; advisory locks belong to one database.
const LOCK: &str = "8175538675906609665";
const LOCK_POLL: Duration = Duration::from_millis(100);
/// Rows are handed on in blocks of this size.
const BLOCK_BYTES: usize = 512 << 10;
/// Fewer rows than this are written by statements: a temporary table costs more than it saves.
const STAGED_ROWS_MIN: usize = 100;
/// COPY's data are sent in messages of about this size.
const COPY_BLOCK_BYTES: usize = 256 << 10;
const SLOT_WAIT: Duration = Duration::from_secs(2);

/// The one connection that may change a replica.
pub(super) struct PostgresWriter {
    /// `None` only while dropping.
    connection: Option<PgConnection>,
    /// Why the transaction can no longer be committed. The server itself answers COMMIT of a failed
    /// transaction with a roll-back and no error.
    failed: bool,
    /// What was asked about the tables of this transaction.
    may_stage: Vec<(TableName, MayStage)>,
    /// Whether triggers are switched off.
    suppressed: bool,
    /// Tables that are written as a replica would, and whether this is one of those moments.
    by_role: Vec<TableName>,
    as_replica: bool,
    /// Rows that pointed at nothing before these were written.
    stood_broken: orphans::Orphans,
}

/// See [`PostgresWriter::may_stage`].
#[derive(Clone, Copy, Debug)]
struct MayStage {
    has_rules: bool,
    has_temporary: bool,
}

impl PostgresWriter {
    /// Takes a connection out of the pool for good, or opens one. It waits a little for a reader to finish, so
    /// that a limit on the login's connections is kept where it can be.
    pub(super) async fn open(pool: &std::sync::Arc<Pool>) -> Result<Self, EngineError> {
        let slots = std::sync::Arc::clone(&pool.slots);
        let slot = tokio::time::timeout(SLOT_WAIT, slots.acquire_owned()).await;
        let session = pool.connected(slot.ok().and_then(Result::ok)).await?;
        let mut writer = PostgresWriter {
            connection: Some(session.connection),
            failed: false,
            may_stage: Vec::new(),
            suppressed: false,
            by_role: Vec::new(),
            as_replica: false,
            stood_broken: Vec::new(),
        };
        writer.enforce().await?;
        Ok(writer)
    }

    /// A superuser may have made the login, or all of the database, write as a replica: nothing would be enforced. A
    /// login that may not undo that does not write. (As `local`, the third role there is, everything is enforced.)
    async fn enforce(&mut self) -> Result<(), EngineError> {
        let doing = "opening the connection that writes";
        let asked = "SELECT current_setting('session_replication_role')::text, quote_ident(current_user)";
        let found = rows(self.connection(), asked, doing).await?;
        let cell = |index| found.first().map(|row| text(row, index)).transpose().map(Option::flatten);
        if cell(0)?.is_some_and(|role| role != "replica") {
            return Ok(());
        }
        let user = cell(1)?.unwrap_or_default();
        let set = run(self.connection(), "SET session_replication_role = origin", doing).await;
        set.map(drop).map_err(|error| match error.kind {
            ErrorKind::Permission => {
                let message = format!(
                    "{doing}: session_replication_role is `replica` for this login, which may not set it back, so \
                     that foreign keys would not be enforced"
                );
                EngineError { message, ..error }.hint(format!(
                    "where it is set: ALTER ROLE {user} RESET session_replication_role (also IN DATABASE), ALTER \
                     DATABASE … RESET it; or from PostgreSQL 15 on GRANT SET ON PARAMETER session_replication_role TO {user}"
                ))
            }
            _ => error,
        })
    }

    fn connection(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("a writer has its connection until it is dropped")
    }

    async fn try_lock(&mut self) -> Result<bool, EngineError> {
        let sql = format!("SELECT pg_try_advisory_lock({LOCK})::text");
        let found = rows(self.connection(), &sql, "taking trueup's lock").await?;
        Ok(found.first().map(|row| text(row, 0)).transpose()?.flatten().as_deref() == Some("true"))
    }

    /// Writes rows by COPY. Everything that can be said against a value is said before anything is sent.
    async fn write_staged(&mut self, write: &TableWrite, staged: &Staged<'_>) -> Result<u64, EngineError> {
        let may = self.may_stage(&write.table).await?;
        let straight = matches!(write.rows, RowsToWrite::Insert { .. }) && !may.has_rules;
        if !straight && !may.has_temporary {
            return write_by_statements(self, &Postgres, write).await;
        }
        let blocks = staged.blocks(COPY_BLOCK_BYTES).map_err(unwritable)?;
        if straight {
            return self.copy_in(&staged.copy_into_table(), blocks).await;
        }
        run(self.connection(), &staged.create(), "").await?;
        self.copy_in(&staged.copy(), blocks).await?;
        run(self.connection(), &staged.statement(), "").await
    }

    /// Sends the rows of one COPY; how many the server took. The server answers an error at whatever moment, and then
    /// takes what is sent without a word until the end is said: so all of it is sent.
    async fn copy_in(&mut self, copy: &str, blocks: Vec<String>) -> Result<u64, EngineError> {
        let mut sink = self.connection().copy_in_raw(copy).await.map_err(|error| failed("", error))?;
        for block in blocks {
            sink.send(block.into_bytes()).await.map_err(|error| failed("", error))?;
        }
        sink.finish().await.map_err(|error| failed("", error))
    }

    /// What stands in the way of COPY: it passes a table's rules by, a login may be denied temporary tables, and event
    /// triggers may refuse their definition, or write it down in tables that no plan names.
    async fn may_stage(&mut self, table: &TableName) -> Result<MayStage, EngineError> {
        if let Some((_, may)) = self.may_stage.iter().find(|(known, _)| known == table) {
            return Ok(*may);
        }
        let sql = format!(
            "SELECT coalesce((SELECT relhasrules FROM pg_catalog.pg_class WHERE oid = to_regclass({})), true)::text, \
             (has_database_privilege(current_database(), 'TEMPORARY') \
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtenabled <> 'D'))::text",
            quoted_name(table)
        );
        let found = rows(self.connection(), &sql, &format!("looking at {table}")).await?;
        let fact = |index| -> Result<bool, EngineError> {
            let text = found.first().map(|row| text(row, index)).transpose()?.flatten();
            Ok(text.as_deref() == Some("true"))
        };
        let may = MayStage { has_rules: fact(0)?, has_temporary: fact(1)? };
        self.may_stage.push((table.clone(), may));
        Ok(may)
    }

    /// See [`any`](Writer::any). A row that is not there cannot be locked; the table can, by whoever may do more to it
    /// than insert. Who may only insert has no lock that keeps others from inserting, and looks without one: rows may
    /// come until the commit. They harm nothing, for such a login overwrites none: one with a key or a unique value of
    /// ours is an error, and any other is left as it is and is drift, as if it had come after the commit.
    async fn find_any(&mut self, select: &Select, doing: &str) -> Result<bool, EngineError> {
        if select.locked {
            let sql = format!(
                "SELECT has_table_privilege(to_regclass({}), 'UPDATE, DELETE, TRUNCATE')::text",
                quoted_name(&select.table)
            );
            let found = rows(self.connection(), &sql, doing).await?;
            if found.first().map(|row| text(row, 0)).transpose()?.flatten().as_deref() == Some("true") {
                let table = Postgres.table(&select.table);
                let lock = format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE");
                run(self.connection(), &lock, doing).await?;
            }
        }
        let connection = self.connection();
        let unlocked = Select { locked: false, ordered: false, ..select.clone() };
        let sql = render_select(&unlocked, rows_of(connection, &select.table, doing).await?);
        Ok(!rows(connection, &format!("{sql} LIMIT 1"), doing).await?.is_empty())
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
                    known.insert(encoder(&types.collect::<Vec<_>>(), select)?)
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
        self.may_stage.clear();
        self.by_role.clear();
        self.stood_broken.clear();
        (self.suppressed, self.as_replica) = (false, false);
        let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
        run(self.connection(), begin, "beginning a transaction").await.map(drop)
    }

    async fn suppress_triggers(&mut self, tables: &[TableName]) -> Result<(), EngineError> {
        let means = triggers::means(self.connection(), tables).await;
        self.failed |= means.is_err();
        let mut owned = Vec::new();
        for (table, means) in means? {
            match means {
                Means::Nothing => {}
                Means::Owner => owned.push(table),
                Means::Role => self.by_role.push(table),
                Means::None(firing) => {
                    let message = format!("the triggers of {table} cannot be suppressed: {}", firing.reason);
                    return Err(EngineError::new(firing.kind, message).hint(firing.hint));
                }
            }
        }
        if !owned.is_empty() {
            let sql =
                trigger::suppress(&owned).map_err(|why| EngineError::new(ErrorKind::Internal, why.reason))?;
            self.execute(&sql).await?;
            self.suppressed = true;
        }
        if !self.by_role.is_empty() {
            let tables = self.by_role.clone();
            let locked = orphans::lock(self.connection(), &tables).await;
            self.failed |= locked.is_err();
            locked?;
            let standing = orphans::standing(self.connection(), &tables).await;
            self.failed |= standing.is_err();
            self.stood_broken = standing?;
        }
        Ok(())
    }

    async fn writes_to(&mut self, table: &TableName) -> Result<(), EngineError> {
        let as_replica = self.by_role.contains(table);
        if as_replica != self.as_replica {
            let role = if as_replica { "replica" } else { "origin" };
            self.execute(&format!("SET LOCAL session_replication_role = {role}")).await?;
            self.as_replica = as_replica;
        }
        Ok(())
    }

    async fn restore_triggers(&mut self) -> Result<(), EngineError> {
        if self.as_replica {
            self.execute("SET LOCAL session_replication_role = origin").await?;
            self.as_replica = false;
        }
        if self.suppressed {
            for sql in trigger::restore() {
                self.execute(&sql).await?;
            }
            self.suppressed = false;
        }
        Ok(())
    }

    async fn execute(&mut self, sql: &str) -> Result<u64, EngineError> {
        let done = run(self.connection(), sql, "").await;
        self.failed |= done.is_err();
        done
    }

    async fn write(&mut self, write: TableWrite) -> Result<u64, EngineError> {
        let mut matched = 0;
        for part in write.nulls_apart() {
            let staged = Staged::new(&part).filter(|_| part.len() >= STAGED_ROWS_MIN);
            let written = match staged {
                Some(staged) => self.write_staged(&part, &staged).await,
                None => write_by_statements(self, &Postgres, &part).await,
            };
            self.failed |= written.is_err();
            matched += written?;
        }
        Ok(matched)
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

    async fn any(&mut self, select: &Select) -> Result<bool, EngineError> {
        let doing = format!("looking for rows of {}", select.table);
        let found = self.find_any(select, &doing).await;
        self.failed |= found.is_err();
        found
    }

    async fn digest(&mut self, select: &Select) -> Result<Digest, EngineError> {
        let mut hasher = RowsHasher::new(select.ordered);
        let read = self.read_blocks(select, &mut |block| hasher.add_block(block)).await;
        self.failed |= read.is_err();
        read.map(|()| hasher.finish())
    }

    async fn count_rows(&mut self, table: &TableName, locked: bool) -> Result<u64, EngineError> {
        let doing = format!("counting the rows of {table}");
        if locked {
            // The mode that dropping it takes: one that grew to that could wait for another that does the same.
            self.execute(&format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", Postgres.table(table))).await?;
        }
        let found = rows(self.connection(), &Postgres.count_rows(table), &doing).await;
        self.failed |= found.is_err();
        let count = found?.first().map(|row| text(row, 0)).transpose()?.flatten();
        let count = count.and_then(|count| count.trim().parse().ok());
        count.ok_or_else(|| EngineError::new(ErrorKind::Internal, format!("{doing}: no number came")))
    }

    async fn has_rows(&mut self, table: &TableName) -> Result<bool, EngineError> {
        let (name, doing) = (Postgres.table(table), format!("looking for rows of {table}"));
        self.execute(&format!("LOCK TABLE {name} IN SHARE MODE")).await?;
        let found = rows(self.connection(), &format!("SELECT true::text FROM {name} LIMIT 1"), &doing).await;
        self.failed |= found.is_err();
        Ok(!found?.is_empty())
    }

    async fn holders(&mut self, tables: &[TableName]) -> Result<Vec<String>, EngineError> {
        let names: Vec<String> = tables
            .iter()
            .map(|table| format!("to_regclass('{}')", Postgres.table(table).replace('\'', "''")))
            .collect();
        let sql = format!(
            "SELECT DISTINCT 'process ' || l.pid || coalesce(', application ' || nullif(a.application_name, ''), '') \
                || coalesce(', user ' || a.usename, '') \
                || coalesce(', since ' || to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS') || ' UTC', '') \
             FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid) \
             WHERE l.locktype = 'relation' AND l.granted AND l.mode <> 'AccessShareLock' \
               AND l.pid <> pg_catalog.pg_backend_pid() \
               AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) \
               AND l.relation IN ({}) ORDER BY 1 LIMIT 3",
            names.join(", ")
        );
        let found = rows(self.connection(), &sql, "looking who holds locks").await?;
        found.iter().filter_map(|row| text(row, 0).transpose()).collect()
    }

    async fn foreign_key_violations(
        &mut self,
        _tables: &[TableName],
        most: usize,
    ) -> Result<Vec<Violation>, EngineError> {
        // PostgreSQL checks every foreign key itself, deferred ones at commit; but not of what a replica writes.
        if self.by_role.is_empty() {
            return Ok(Vec::new());
        }
        let tables = self.by_role.clone();
        let before = std::mem::take(&mut self.stood_broken);
        let broken = orphans::violations(self.connection(), &tables, &before, most).await;
        self.stood_broken = before;
        self.failed |= broken.is_err();
        broken
    }

    /// Those of tables that are written as a replica would are noted when that begins.
    async fn standing_violations(
        &mut self,
        _tables: &[TableName],
        _most: usize,
    ) -> Result<Vec<Violation>, EngineError> {
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
