//! Writing: the one connection that may change a replica.
//!
//! The session is strict, so what would be a warning that changes a value is an error here; what warnings remain
//! (deprecated syntax, an index that duplicates another) change no value and are not asked for. InnoDB checks
//! foreign keys with each statement, unless it is told not to: then the writer looks for rows that point at nothing. Dropping the session closes the connection: the server rolls back and
//! releases the lock.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::mysql::MySqlConnection;

use super::scan::Kept;
use super::{Facts, query, quoted, run, scan, triggers};
use crate::engine::{EngineError, Tallies, Violation, Writer, tally, unwritable};
use crate::failure::ErrorKind;
use crate::sql::{
    Dialect, EngineName, ForeignKey, ForeignKeyAction, Select, Selection, TableName, TableWrite, mysql,
};
use crate::value::{Digest, Key, RowBlock, RowsHasher};

/// The writing session.
pub(super) struct Session {
    connection: MySqlConnection,
    facts: Facts,
    dialect: &'static dyn Dialect,
    kept: Kept,
    /// Whether foreign keys were not looked at for some statements of the transaction.
    unchecked: bool,
}

impl Session {
    /// Takes a connection that was opened for writing.
    pub fn new(connection: MySqlConnection, facts: Facts, dialect: &'static dyn Dialect) -> Self {
        Session { connection, facts, dialect, kept: Kept::default(), unchecked: false }
    }

    /// One lock a database; a server's locks are shared by its databases, and names end at 64 characters.
    fn lock_name(&self) -> String {
        let database = self.facts.database.clone().unwrap_or_default();
        let database = if self.facts.case_folded { database.to_lowercase() } else { database };
        format!("trueup.{}", &Digest::of(database.as_bytes()).hex()[..40])
    }

    /// Hands on the rows in blocks.
    async fn read_blocks(
        &mut self,
        select: &Select,
        take: &mut (dyn FnMut(&RowBlock) + Send),
    ) -> Result<(), EngineError> {
        let sql = self.dialect.select(select);
        if sql.len() >= self.facts.packet_bytes_max
            && let Some(halves) = halves(select)
        {
            for half in &halves {
                Box::pin(self.read_blocks(half, take)).await?;
            }
            return Ok(());
        }
        let bytes = sql.len();
        scan::read_sql_blocks(&mut self.connection, sql, true, select, take).await?;
        self.kept.add(&mut self.connection, bytes).await
    }

    /// Writes by statements that the server takes.
    async fn write_within(&mut self, write: &TableWrite) -> Result<u64, EngineError> {
        let statements = write.statements(self.dialect).map_err(unwritable)?;
        if statements.iter().any(|sql| sql.len() >= self.facts.packet_bytes_max)
            && let Some(halves) = write.halves()
        {
            let mut matched = 0;
            for half in &halves {
                matched += Box::pin(self.write_within(half)).await?;
            }
            return Ok(matched);
        }
        let mut matched = 0;
        for sql in &statements {
            matched += self.execute(sql).await?;
        }
        Ok(matched)
    }

    /// Has foreign keys looked at, where they may not be. What it remembers it forgets only once that is done.
    async fn look_again(&mut self) -> Result<(), EngineError> {
        if let (true, Some((_, on))) = (self.unchecked, self.dialect.constraint_checks().off) {
            run(&mut self.connection, on, "have foreign keys looked at again").await?;
            self.unchecked = false;
        }
        Ok(())
    }

    /// The foreign keys of these tables, and those that point at them, with the tables that they are of.
    async fn foreign_keys(
        &mut self,
        tables: &[TableName],
    ) -> Result<Vec<(TableName, ForeignKey)>, EngineError> {
        let database = self.facts.database.clone().unwrap_or_default();
        let names: Vec<String> = (tables.iter())
            .map(|table| {
                let schema = table.schema.as_deref().unwrap_or(&database);
                format!("({}, {})", quoted(schema), quoted(&table.name))
            })
            .collect();
        let names = names.join(", ");
        let sql = format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, \
             REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE \
             WHERE REFERENCED_TABLE_NAME IS NOT NULL AND ((TABLE_SCHEMA, TABLE_NAME) IN ({names}) \
             OR (REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME) IN ({names})) \
             ORDER BY TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION"
        );
        let rows = query(&mut self.connection, &sql, "look for foreign keys").await?;
        let text = |row: &[Option<String>], at: usize| row.get(at).cloned().flatten().unwrap_or_default();
        let keys = rows.chunk_by(|one, other| one[..3] == other[..3]).map(|rows| {
            let first = &rows[0];
            let key = ForeignKey {
                name: text(first, 2),
                columns: rows.iter().map(|row| text(row, 3)).collect(),
                table: TableName::qualified(text(first, 4), text(first, 5)),
                referenced: rows.iter().map(|row| text(row, 6)).collect(),
                on_delete: ForeignKeyAction::NoAction,
                on_update: ForeignKeyAction::NoAction,
                deferrable: false,
                whole: false,
            };
            (TableName::qualified(text(first, 0), text(first, 1)), key)
        });
        Ok(keys.collect())
    }

    /// SQL that tells rows apart, as `c`: the primary key, or where there is none all columns, and those that point.
    async fn known_by(&mut self, table: &TableName, key: &ForeignKey) -> Result<String, EngineError> {
        let sql = format!(
            "SELECT COLUMN_NAME, COLUMN_KEY FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} \
             AND TABLE_NAME = {} ORDER BY ORDINAL_POSITION",
            quoted(table.schema.as_deref().unwrap_or_default()),
            quoted(&table.name)
        );
        let rows = query(&mut self.connection, &sql, "look for columns").await?;
        let named = |row: &Vec<Option<String>>| row.first().cloned().flatten();
        let own: Vec<String> = rows
            .iter()
            .filter(|row| row.get(1).and_then(Option::as_deref) == Some("PRI"))
            .filter_map(named)
            .collect();
        let own = if own.is_empty() { rows.iter().filter_map(named).collect() } else { own };
        // The bytes of each: no collation makes two of them one.
        let part = |name: &String| {
            format!("COALESCE(HEX(CAST(c.{} AS BINARY)), 'NULL')", self.dialect.identifier(name))
        };
        let parts: Vec<String> = own.iter().chain(&key.columns).map(part).collect();
        Ok(format!("CONCAT_WS(' ', {})", parts.join(", ")))
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

/// Two reads that are one, where a list of keys can be cut in two.
fn halves(select: &Select) -> Option<[Select; 2]> {
    let Selection::Keys(keys) = &select.selection else { return None };
    if keys.len() < 2 {
        return None;
    }
    let (first, second) = keys.split_at(keys.len() / 2);
    let part = |keys: &[Key]| Select { selection: Selection::Keys(keys.to_vec()), ..select.clone() };
    Some([part(first), part(second)])
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
        self.look_again().await?;
        run(&mut self.connection, "START TRANSACTION READ WRITE", "begin a transaction").await.map(drop)
    }

    async fn suppress_triggers(&mut self, tables: &[TableName]) -> Result<(), EngineError> {
        // None was there when the plan was made; one may have come since.
        let firing = triggers::firing(&mut self.connection, self.dialect, tables).await?;
        match firing.into_iter().next() {
            None => Ok(()),
            Some(firing) => {
                let message =
                    format!("the triggers of {} cannot be suppressed: {}", firing.table, firing.reason);
                Err(EngineError::new(firing.kind, message).hint(firing.hint))
            }
        }
    }

    async fn execute(&mut self, sql: &str) -> Result<u64, EngineError> {
        if sql.len() >= self.facts.packet_bytes_max {
            let (length, max) = (sql.len(), self.facts.packet_bytes_max);
            let message = format!("a row needs a statement of {length} bytes, the server takes {max}");
            return Err(
                EngineError::new(ErrorKind::Value, message).hint("raise max_allowed_packet on the server")
            );
        }
        self.unchecked |= self.dialect.constraint_checks().off.is_some_and(|(off, _)| off == sql);
        run(&mut self.connection, sql, "").await
    }

    async fn write(&mut self, write: TableWrite) -> Result<u64, EngineError> {
        self.write_within(&write).await
    }

    async fn read(&mut self, select: &Select) -> Result<RowBlock, EngineError> {
        let mut rows = RowBlock::default();
        let mut take = |block: &RowBlock| rows.extend(block, 0, block.len());
        self.read_blocks(select, &mut take).await?;
        Ok(rows)
    }

    async fn count(&mut self, select: &Select, mut tallies: Tallies) -> Result<Tallies, EngineError> {
        let mut take = |block: &RowBlock| tally(&mut tallies, block);
        self.read_blocks(select, &mut take).await?;
        Ok(tallies)
    }

    async fn any(&mut self, select: &Select) -> Result<bool, EngineError> {
        let unlocked = Select { locked: false, ordered: false, ..select.clone() };
        // In a range without rows this locks the gap.
        let lock = if select.locked { " FOR UPDATE" } else { "" };
        let sql = format!("{} LIMIT 1{lock}", self.dialect.select(&unlocked));
        Ok(!scan::read_sql(&mut self.connection, sql, true, select).await?.is_empty())
    }

    async fn digest(&mut self, select: &Select) -> Result<Digest, EngineError> {
        let mut hasher = RowsHasher::new(select.ordered);
        self.read_blocks(select, &mut |block| hasher.add_block(block)).await?;
        Ok(hasher.finish())
    }

    async fn count_rows(&mut self, table: &TableName, locked: bool) -> Result<u64, EngineError> {
        let doing = format!("count the rows of {table}");
        // A count that locks its rows reads them as they are now, and not as the transaction began.
        let locking = if locked { " FOR UPDATE" } else { "" };
        let sql = format!("{}{locking}", self.dialect.count_rows(table));
        let found = query(&mut self.connection, &sql, &doing).await?;
        let count = found.first().and_then(|row| row.first()?.as_ref()?.trim().parse().ok());
        count.ok_or_else(|| EngineError::new(ErrorKind::Internal, format!("{doing}: no number came")))
    }

    async fn has_rows(&mut self, table: &TableName) -> Result<bool, EngineError> {
        // Locked, so that no row comes between this and what relies on it in the transaction.
        let sql = format!("SELECT '1' FROM {} LIMIT 1 FOR UPDATE", self.dialect.table(table));
        let found = query(&mut self.connection, &sql, &format!("look for rows of {table}")).await?;
        Ok(!found.is_empty())
    }

    async fn foreign_key_violations(
        &mut self,
        tables: &[TableName],
        most: usize,
    ) -> Result<Vec<Violation>, EngineError> {
        // Where `foreign_key_checks` was on all the time, the server has seen to it.
        if !self.unchecked {
            return Ok(Vec::new());
        }
        self.standing_violations(tables, most).await
    }

    async fn standing_violations(
        &mut self,
        tables: &[TableName],
        most: usize,
    ) -> Result<Vec<Violation>, EngineError> {
        let mut found = Vec::new();
        for (table, key) in self.foreign_keys(tables).await? {
            let known_by = self.known_by(&table, &key).await?;
            let columns: Vec<String> = (key.columns.iter())
                .map(|name| format!("CAST(c.{} AS CHAR)", self.dialect.identifier(name)))
                .collect();
            let sql = format!(
                "SELECT {known_by}, {} FROM {} LIMIT {} LOCK IN SHARE MODE",
                columns.join(", "),
                mysql::orphans(self.dialect, &table, &key),
                most - found.len()
            );
            let what = format!("look for rows of {table} that point at nothing");
            for row in query(&mut self.connection, &sql, &what).await? {
                let mut row = row.into_iter();
                let mark = row.next().flatten();
                let values = key.columns.iter().zip(row);
                let shown: Vec<String> =
                    values.map(|(name, value)| format!("{name} = {}", value.unwrap_or_default())).collect();
                found.push(Violation {
                    words: format!("{table}: {} points at no row of {}", shown.join(", "), key.table),
                    known_by: mark.map(|mark| format!("{table} {} {mark}", key.name)),
                });
            }
            if found.len() >= most {
                break;
            }
        }
        Ok(found)
    }

    async fn commit(&mut self) -> Result<(), EngineError> {
        run(&mut self.connection, "COMMIT", "commit").await.map(drop)
    }

    async fn rollback(&mut self) -> Result<(), EngineError> {
        run(&mut self.connection, "ROLLBACK", "roll back").await?;
        self.look_again().await
    }
}
