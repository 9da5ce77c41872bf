//! The one connection that may change a replica.
//!
//! Durable (`synchronous=FULL`), with foreign keys checked, and the journal mode left as it is found. A missing
//! file is created with the first transaction, so that a run which is refused leaves nothing behind.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rusqlite::config::DbConfig;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Batch, Connection, OpenFlags};

use super::lock::{self, Lock};
use super::{Session, blocking, error, scan, take_quoted_for_columns};
use crate::engine::{EngineError, Tallies, Violation, Writer, tally, unwritable};
use crate::failure::ErrorKind;
use crate::sql::sqlite::{BEFORE_REBUILD, BEHIND_REBUILD, Encoding, Prepared, Sqlite, Stored};
use crate::sql::{Dialect, Select, TableName, TableWrite};
use crate::value::{Digest, RowBlock, RowsHasher};

/// The state that the blocking threads work on, one at a time.
struct Inner {
    session: Session,
    /// Dropped before the lock, so that its transaction is rolled back while the lock still holds.
    connection: Option<Connection>,
    encoding: Encoding,
    /// When the statement that runs now has had its time.
    deadline: Arc<Mutex<Option<Instant>>>,
    lock: Option<Lock>,
    /// Tables whose triggers are kept from firing in this transaction.
    suppressed: Vec<TableName>,
    /// Whether the connection is set up for tables that are made anew.
    rebuilding: bool,
}

/// The writer of a file.
pub(super) struct SqliteWriter(Arc<Mutex<Inner>>);

impl SqliteWriter {
    /// Opens the file if it is there; else makes sure that it could be created.
    pub(super) fn open(session: Session) -> Result<Self, EngineError> {
        let mut inner = Inner {
            session,
            connection: None,
            encoding: Encoding::Utf8,
            deadline: Arc::default(),
            lock: None,
            suppressed: Vec::new(),
            rebuilding: false,
        };
        if inner.session.exists()? {
            inner.connect()?;
        } else if !inner.session.path.parent().is_some_and(Path::is_dir) {
            let message = format!("the directory of {} is gone", inner.session.name());
            return Err(EngineError::new(ErrorKind::Connect, message));
        }
        Ok(SqliteWriter(Arc::new(Mutex::new(inner))))
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Inner) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let inner = Arc::clone(&self.0);
        blocking(move || work(&mut inner.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

impl Inner {
    /// The connection, opened (and the file created) by the first who needs it, with a new deadline.
    fn connect(&mut self) -> Result<&Connection, EngineError> {
        if self.connection.is_none() {
            let mut connection =
                self.session.open(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
            set_up(&connection).map_err(|error| self.session.failed(error))?;
            self.encoding = self.session.encoding(&connection)?;
            watch(&mut connection, &self.deadline).map_err(|error| self.session.failed(error))?;
            self.connection = Some(connection);
        }
        let deadline = self.session.statement_timeout.map(|limit| Instant::now() + limit);
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
        self.connection.as_ref().ok_or_else(|| EngineError::new(ErrorKind::Internal, "no connection"))
    }

    fn batch(&mut self, what: &str, sql: &str) -> Result<(), EngineError> {
        let connection = self.connect()?;
        connection.execute_batch(sql).map_err(|error| error::of_statement(what, error))
    }

    fn quoted_for_columns(&mut self, on: bool) -> Result<(), EngineError> {
        let done = take_quoted_for_columns(self.connect()?, on);
        done.map_err(|error| self.session.failed(error))
    }

    /// The switch is the connection's; foreign keys and their actions do not hang on it.
    fn triggers(&mut self, on: bool) -> Result<(), EngineError> {
        let set = self.connect()?.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, on);
        set.map(drop).map_err(|error| self.session.failed(error))
    }

    /// The switches are without effect within a transaction.
    fn set_up_rebuild(&mut self, on: bool) -> Result<(), EngineError> {
        if self.rebuilding != on {
            let switches = if on { BEFORE_REBUILD } else { BEHIND_REBUILD };
            self.batch("the connection cannot be set up for a table that is made anew", switches)?;
            self.rebuilding = on;
        }
        Ok(())
    }

    fn execute(&mut self, sql: &str) -> Result<u64, EngineError> {
        execute(self.connect()?, sql).map_err(|error| error::of_statement("", error))
    }

    fn write(&mut self, write: &TableWrite) -> Result<u64, EngineError> {
        if let Some(prepared) = Prepared::new(write).map_err(unwritable)? {
            return run_prepared(self.connect()?, &prepared).map_err(|error| error::of_statement("", error));
        }
        let mut matched = 0;
        for sql in write.statements(&Sqlite).map_err(unwritable)? {
            matched += self.execute(&sql)?;
        }
        Ok(matched)
    }

    /// Hands on the rows in blocks until nobody wants more.
    fn read_blocks(
        &mut self,
        select: &Select,
        take: impl FnMut(RowBlock) -> bool,
    ) -> Result<(), EngineError> {
        self.connect()?;
        let encoding = self.encoding;
        self.quoted_for_columns(true)?;
        let read = scan::read_select(self.connect()?, encoding, select, take);
        self.quoted_for_columns(false)?;
        read
    }

    fn violations(&mut self, tables: &[TableName], most: usize) -> Result<Vec<Violation>, EngineError> {
        let connection = self.connect()?;
        let mut found = Vec::new();
        let pointing = pointing_tables(connection, tables)
            .map_err(|error| error::of_statement("the foreign keys cannot be listed", error))?;
        for table in &pointing {
            violations_of(connection, table, most, &mut found).map_err(|error| {
                error::of_statement(&format!("the foreign keys of `{table}` cannot be checked"), error)
            })?;
        }
        Ok(found)
    }
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Ignored inside a transaction, hence here.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
    Ok(())
}

/// Has SQLite look at the deadline now and then.
fn watch(connection: &mut Connection, deadline: &Arc<Mutex<Option<Instant>>>) -> rusqlite::Result<()> {
    let deadline = Arc::clone(deadline);
    let is_over = move || {
        let deadline = *deadline.lock().unwrap_or_else(PoisonError::into_inner);
        deadline.is_some_and(|deadline| Instant::now() > deadline)
    };
    connection.progress_handler(scan::STEPS_BETWEEN_LOOKS, Some(is_over))
}

/// Runs all statements of a text; how many rows they matched.
pub(super) fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<u64> {
    let mut matched = 0;
    let mut batch = Batch::new(connection, sql);
    while let Some(mut statement) = batch.next()? {
        let before = connection.total_changes();
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        drop(rows);
        // `changes` keeps what the last row statement did: DDL must not count it again.
        if connection.total_changes() != before {
            matched += connection.changes();
        }
    }
    Ok(matched)
}

/// Runs a statement for each row; how many rows were matched.
fn run_prepared(connection: &Connection, prepared: &Prepared<'_>) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare(&prepared.sql)?;
    let mut matched = 0;
    for row in &prepared.rows {
        for (place, value) in (1..).zip(row) {
            let value = match value {
                Stored::Null => ValueRef::Null,
                Stored::Integer(value) => ValueRef::Integer(*value),
                Stored::Real(value) => ValueRef::Real(*value),
                Stored::Text(text) => ValueRef::Text(text.as_bytes()),
                Stored::Blob(bytes) => ValueRef::Blob(bytes),
                // `Prepared` has none.
                Stored::Expression(_) => return Err(rusqlite::Error::InvalidQuery),
            };
            statement.raw_bind_parameter(place, ToSqlOutput::Borrowed(value))?;
        }
        matched += statement.raw_execute()? as u64;
    }
    Ok(matched)
}

/// These tables and all that have a foreign key to one of them: SQLite's own count at the commit sets an orphan that
/// found its parent off against a new one.
fn pointing_tables(connection: &Connection, tables: &[TableName]) -> rusqlite::Result<Vec<TableName>> {
    let mut pointing: Vec<TableName> = tables.to_vec();
    let mut statement = connection.prepare(
        "SELECT DISTINCT s.name, f.\"table\" FROM main.sqlite_schema s, pragma_foreign_key_list(s.name, 'main') f \
         WHERE s.type = 'table' ORDER BY 1, 2",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (child, parent): (String, String) = (row.get(0)?, row.get(1)?);
        let is_touched = tables.iter().any(|table| table.name.eq_ignore_ascii_case(&parent));
        let child = TableName::plain(child);
        if is_touched && !pointing.iter().any(|table| table.name.eq_ignore_ascii_case(&child.name)) {
            pointing.push(child);
        }
    }
    Ok(pointing)
}

/// Adds rows that point at nothing, until there are so many.
fn violations_of(
    connection: &Connection,
    table: &TableName,
    most: usize,
    found: &mut Vec<Violation>,
) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare("SELECT DISTINCT fkid, parent FROM pragma_foreign_key_check(?1, 'main') ORDER BY fkid")?;
    let broken: Vec<(i64, String)> = statement
        .query_map([&table.name], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (id, parent) in broken {
        // A table that is made anew may have its keys in another order.
        let sql =
            format!("SELECT \"from\" FROM pragma_foreign_key_list(?1, 'main') WHERE id = {id} ORDER BY seq");
        let pointing = names(connection, &sql, table)?;
        let mut rows = orphans(connection, table, id, &pointing, most)?;
        if rows.is_empty() {
            // SQLite says there is one: never less than that.
            rows.push(("a row".to_owned(), None));
        }
        for (key, mark) in rows.into_iter().take(most.saturating_sub(found.len())) {
            found.push(Violation {
                words: format!("{table}: {key} points at no row of {parent}"),
                known_by: mark.map(|mark| format!("{table} {} {parent} {mark}", pointing.join(" "))),
            });
        }
    }
    Ok(())
}

/// The rows that break one foreign key, by their keys and by what they are known again. SQLite gives their rowids, which a
/// table may not have; so they are looked up by the columns that point.
fn orphans(
    connection: &Connection,
    table: &TableName,
    id: i64,
    pointing: &[String],
    most: usize,
) -> rusqlite::Result<Vec<(String, Option<String>)>> {
    let key =
        names(connection, "SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE pk > 0 ORDER BY pk", table)?;
    let all;
    let (shown, own): (&[String], &[String]) = match key.is_empty() {
        false => (&key, &key),
        true => {
            all = names(connection, "SELECT name FROM pragma_table_xinfo(?1, 'main')", table)?;
            (pointing, &all)
        }
    };
    let quoted = |name: &String| format!("quote(_trueup_child.{})", Sqlite.identifier(name));
    // What is shown ends at a NUL; this does not.
    let told = |name: &String| {
        let column = format!("_trueup_child.{}", Sqlite.identifier(name));
        format!("typeof({column}) || hex(CAST({column} AS BLOB))")
    };
    let mark: Vec<String> = own.iter().chain(pointing).map(told).collect();
    let columns: Vec<String> = shown.iter().map(quoted).collect();
    let orphaned = orphan_condition(connection, table, id, pointing)?;
    let sql = format!(
        "SELECT {}, {} FROM {} AS _trueup_child WHERE {orphaned} LIMIT {most}",
        mark.join(" || ' ' || "),
        columns.join(", "),
        Sqlite.table(table)
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        let parts = (1..)
            .zip(shown)
            .map(|(at, name)| row.get::<_, String>(at).map(|value| format!("{name} = {value}")));
        Ok((parts.collect::<rusqlite::Result<Vec<_>>>()?.join(", "), row.get(0)?))
    })?;
    rows.collect()
}

fn names(connection: &Connection, sql: &str, table: &TableName) -> rusqlite::Result<Vec<String>> {
    connection.prepare(sql)?.query_map([&table.name], |row| row.get(0))?.collect()
}

/// Nothing NULL in the columns that point, and no row there to point at.
fn orphan_condition(
    connection: &Connection,
    table: &TableName,
    id: i64,
    pointing: &[String],
) -> rusqlite::Result<String> {
    let child = |name: &String| format!("_trueup_child.{}", Sqlite.identifier(name));
    let present: Vec<String> = pointing.iter().map(|name| format!("{} IS NOT NULL", child(name))).collect();
    let sql = format!("SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?1, 'main') WHERE id = {id}");
    let parent = TableName::plain(names(connection, &sql, table)?.concat());
    if !connection.table_exists(Some("main"), parent.name.as_str())? {
        return Ok(present.join(" AND "));
    }
    let sql = format!(
        "SELECT \"to\" FROM pragma_foreign_key_list(?1, 'main') WHERE id = {id} AND \"to\" IS NOT NULL ORDER BY seq"
    );
    let mut referenced = names(connection, &sql, table)?;
    if referenced.is_empty() {
        let sql = "SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE pk > 0 ORDER BY pk";
        referenced = names(connection, sql, &parent)?;
    }
    // The parent's column comes first: SQLite compares a foreign key by the parent's affinity and collation.
    let equal = referenced
        .iter()
        .zip(pointing)
        .map(|(there, here)| format!("_trueup_parent.{} = +{}", Sqlite.identifier(there), child(here)));
    Ok(format!(
        "{} AND NOT EXISTS (SELECT 1 FROM {} AS _trueup_parent WHERE {})",
        present.join(" AND "),
        Sqlite.table(&parent),
        equal.collect::<Vec<_>>().join(" AND ")
    ))
}

#[async_trait]
impl Writer for SqliteWriter {
    async fn lock(&mut self, wait: Duration) -> Result<(), EngineError> {
        self.run(move |inner| {
            if inner.lock.is_none() {
                inner.lock = Some(lock::take(&inner.session.path, Instant::now() + wait)?);
            }
            Ok(())
        })
        .await
    }

    async fn begin(&mut self) -> Result<(), EngineError> {
        // Rows may come in any order within the transaction; what does not hold at its end fails the commit.
        let sql = "BEGIN IMMEDIATE; PRAGMA defer_foreign_keys = ON";
        self.run(move |inner| {
            inner.set_up_rebuild(false)?;
            if !inner.suppressed.is_empty() {
                inner.suppressed.clear();
                inner.triggers(true)?;
            }
            inner.batch("the transaction cannot begin", sql)
        })
        .await
    }

    async fn begin_rebuild(&mut self) -> Result<(), EngineError> {
        self.run(|inner| {
            inner.set_up_rebuild(true)?;
            inner.batch("the transaction cannot begin", "BEGIN IMMEDIATE")
        })
        .await
    }

    async fn suppress_triggers(&mut self, tables: &[TableName]) -> Result<(), EngineError> {
        let tables = tables.to_vec();
        self.run(move |inner| {
            inner.suppressed = tables;
            Ok(())
        })
        .await
    }

    async fn writes_to(&mut self, table: &TableName) -> Result<(), EngineError> {
        let table = table.clone();
        self.run(move |inner| {
            // Turning the switch makes SQLite prepare every statement anew.
            match inner.suppressed.is_empty() {
                true => Ok(()),
                false => {
                    let on = !inner.suppressed.contains(&table);
                    inner.triggers(on)
                }
            }
        })
        .await
    }

    async fn restore_triggers(&mut self) -> Result<(), EngineError> {
        self.run(|inner| {
            inner.suppressed.clear();
            inner.triggers(true)
        })
        .await
    }

    async fn execute(&mut self, sql: &str) -> Result<u64, EngineError> {
        let sql = sql.to_owned();
        self.run(move |inner| inner.execute(&sql)).await
    }

    async fn write(&mut self, write: TableWrite) -> Result<u64, EngineError> {
        self.run(move |inner| inner.write(&write)).await
    }

    async fn read(&mut self, select: &Select) -> Result<RowBlock, EngineError> {
        let select = select.clone();
        self.run(move |inner| {
            inner.connect()?;
            let encoding = inner.encoding;
            inner.quoted_for_columns(true)?;
            let rows = scan::read_all(inner.connect()?, encoding, &select);
            inner.quoted_for_columns(false)?;
            rows
        })
        .await
    }

    async fn count(&mut self, select: &Select, mut tallies: Tallies) -> Result<Tallies, EngineError> {
        let select = select.clone();
        self.run(move |inner| {
            let read = inner.read_blocks(&select, |block| {
                tally(&mut tallies, &block);
                true
            });
            read.map(|()| tallies)
        })
        .await
    }

    async fn any(&mut self, select: &Select) -> Result<bool, EngineError> {
        let select = select.clone();
        self.run(move |inner| {
            let mut found = false;
            inner.read_blocks(&select, |block| {
                found |= !block.is_empty();
                false
            })?;
            Ok(found)
        })
        .await
    }

    async fn digest(&mut self, select: &Select) -> Result<Digest, EngineError> {
        let select = select.clone();
        self.run(move |inner| {
            let mut hasher = RowsHasher::new(select.ordered);
            inner.read_blocks(&select, |block| {
                hasher.add_block(&block);
                true
            })?;
            Ok(hasher.finish())
        })
        .await
    }

    async fn count_rows(&mut self, table: &TableName, _locked: bool) -> Result<u64, EngineError> {
        let sql = format!("SELECT count(*) FROM {}", Sqlite.table(table));
        self.run(move |inner| {
            let found = inner.connect()?.query_row(&sql, [], |row| row.get::<_, i64>(0));
            found.map(i64::unsigned_abs).map_err(|error| error::of_statement("a table cannot be read", error))
        })
        .await
    }

    async fn has_rows(&mut self, table: &TableName) -> Result<bool, EngineError> {
        let sql = format!("SELECT 1 FROM {} LIMIT 1", Sqlite.table(table));
        self.run(move |inner| {
            let found = inner.connect()?.prepare(&sql).and_then(|mut statement| statement.exists([]));
            found.map_err(|error| error::of_statement("a table cannot be read", error))
        })
        .await
    }

    async fn foreign_key_violations(
        &mut self,
        tables: &[TableName],
        most: usize,
    ) -> Result<Vec<Violation>, EngineError> {
        let tables = tables.to_vec();
        self.run(move |inner| inner.violations(&tables, most)).await
    }

    async fn standing_violations(
        &mut self,
        tables: &[TableName],
        most: usize,
    ) -> Result<Vec<Violation>, EngineError> {
        self.foreign_key_violations(tables, most).await
    }

    async fn commit(&mut self) -> Result<(), EngineError> {
        self.run(|inner| inner.batch("the transaction cannot be committed", "COMMIT")).await
    }

    async fn rollback(&mut self) -> Result<(), EngineError> {
        self.run(|inner| {
            // SQLite itself has rolled back after some errors, such as a full disk.
            match &inner.connection {
                Some(connection) if !connection.is_autocommit() => {
                    inner.batch("the transaction cannot be rolled back", "ROLLBACK")
                }
                _ => Ok(()),
            }
        })
        .await
    }
}
