//! Database I/O, the second step of the flow and the only room that does it. [`Engine`] is what the house sees of
//! a database; `sqlite`, `postgres` and `mysql` implement it with the same file names: `mod` (session),
//! `introspect`, `rights`, `scan`, `write`.
//!
//! Invariant: a [`Primary`] has no way to write, by type; its sessions are also read-only on the wire.

mod cuts;
mod error;
mod model;
mod mysql;
mod postgres;
mod rights;
mod sqlite;
mod sums;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

pub use error::EngineError;
pub use model::{ModelLoad, ModelPlace, Unloaded, load_model};
pub use rights::{Firing, Lack, Need, Right};

use crate::failure::ErrorKind;
use crate::schema::{Catalog, Dependent, Folding};
use crate::server::Server;
use crate::sides::Sides;
use crate::spec::{EngineScheme, Side};
use crate::sql::{Dialect, Select, TableName, TableWrite, Unwritable};
use crate::value::{Digest, Key, KeyOrder, KeyRange, RangeDigest, Row, RowBlock};

/// Connects to a side. `writable`: it is a replica, which may be written and, as a SQLite file, may not exist yet;
/// the connections of a primary refuse to write.
pub async fn connect(side: &Side, writable: bool) -> Result<Arc<dyn Engine>, EngineError> {
    match side.url.scheme {
        EngineScheme::Sqlite => sqlite::connect(side, writable).await,
        EngineScheme::Postgres => postgres::connect(side, writable).await,
        EngineScheme::Mysql | EngineScheme::Mariadb => mysql::connect(side, writable).await,
    }
}

/// The digest of two [files](Snapshot::file) with equal bytes; `None` where they differ or `goes_on` says no.
///
/// # Errors
/// Something went wrong inside.
pub async fn same_bytes(
    files: Sides<PathBuf>,
    goes_on: impl Fn() -> bool + Send + 'static,
) -> Result<Option<Digest>, EngineError> {
    sqlite::same_bytes(files, goes_on).await
}

/// A connected database. Connections are opened as needed, at most as many as the side's `connections`.
#[async_trait]
pub trait Engine: Send + Sync + std::fmt::Debug {
    /// The engine's SQL.
    fn dialect(&self) -> &'static dyn Dialect;

    /// What was learned when connecting.
    fn server(&self) -> &Server;

    /// All base tables of the default schema (`None`) and of the named ones, read set-wise.
    async fn catalog(&self, schemas: &[Option<String>]) -> Result<Catalog, EngineError>;

    /// The schemas in which a user of this database has tables, as [`catalog`](Self::catalog) takes them. Where the
    /// URL's database is all there is to a side, that is the default one.
    async fn schemas(&self) -> Result<Vec<Option<String>>, EngineError> {
        Ok(vec![None])
    }

    /// Whether a table that the catalog does not list may be there all the same, hidden from this user for want of
    /// rights. Engines whose catalogs hide nothing never say so.
    async fn hides(&self, _table: &TableName) -> Result<bool, EngineError> {
        Ok(false)
    }

    /// Which of these rights this login lacks, found without writing anything. A right that cannot be asked for
    /// is not called lacking.
    async fn lacking(&self, _needs: &[Need]) -> Result<Vec<Lack>, EngineError> {
        Ok(Vec::new())
    }

    /// Those of these tables whose triggers fire whatever this login does, and why.
    async fn firing(&self, _tables: &[TableName]) -> Result<Vec<Firing>, EngineError> {
        Ok(Vec::new())
    }

    /// The foreign keys of all the database's tables, and on the MySQL family all the server's, as far as this user may
    /// see them, that point at one of these tables.
    async fn dependents(&self, tables: &[TableName]) -> Result<Vec<Dependent>, EngineError>;

    /// Whether something has this name, be it a view or a partition that the catalog does not list, or what this user may
    /// not see. `folding`: which names are one to whoever asks.
    async fn knows(&self, table: &TableName, folding: Folding) -> Result<bool, EngineError>;

    /// What besides foreign keys keeps these tables from being dropped together, as far as the server tells before it is
    /// asked to (PostgreSQL). See [`rehearse`](Self::rehearse) for others.
    async fn holders_of(&self, _tables: &[TableName]) -> Result<Vec<Holder>, EngineError> {
        Ok(Vec::new())
    }

    /// What would keep these changes from being made, or is known to go with what goes, as far as the server tells before it
    /// is asked to (PostgreSQL).
    async fn blockers(&self, _touched: &[Touched]) -> Result<Vec<Blocker>, EngineError> {
        Ok(Vec::new())
    }

    /// Whether there is a schema of this name that this user may look into, so that a table can be created in it.
    async fn has_schema(&self, _name: &str) -> Result<bool, EngineError> {
        Ok(true)
    }

    /// The catalog of the default schema as these statements, which give names to tables and columns, would leave it, on an
    /// engine that keeps definitions as they were written; `None` where it follows from what is known.
    async fn renamed(&self, _statements: &[String]) -> Result<Option<Catalog>, EngineError> {
        Ok(None)
    }

    /// Tries structural changes where nothing is changed, on an engine that would not say by itself what they break.
    ///
    /// # Errors
    /// What fails, or would not work any more, by its name. `renames`: those that come first and give names to tables and
    /// columns.
    async fn rehearse(&self, _renames: &[String], _statements: &[String]) -> Result<(), EngineError> {
        Ok(())
    }

    /// Begins one moment: all reads through it see the same committed state, and cannot write.
    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, EngineError>;

    /// Opens the connection that writes.
    async fn writer(&self) -> Result<Box<dyn Writer>, EngineError>;
}

/// What needs a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The table that it needs.
    pub table: TableName,
    /// The table that it is a part of, where that is one of those that go too.
    pub of: Option<TableName>,
    /// What it is, for people: `view shop.recent`.
    pub words: String,
}

/// Something of a table that a plan changes, and that others may need as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The table, by the name that it has.
    pub table: TableName,
    /// The column's name, or the key's.
    pub name: String,
    /// What becomes of it.
    pub touch: Touch,
}

/// What becomes of a part of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// A column gets another type or collation.
    Retyped,
    /// A column goes, and may come again.
    Dropped,
    /// A key or a unique index goes.
    Key,
    /// The sequence goes that a column owns.
    Sequence,
}

impl Touch {
    /// The words for people, before the name.
    pub fn words(self) -> &'static str {
        match self {
            Touch::Retyped => "the type of",
            Touch::Dropped => "the column",
            Touch::Key => "the key",
            Touch::Sequence => "the sequence of",
        }
    }
}

/// What keeps a change from being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// Which of the changes that were asked about.
    pub touched: usize,
    /// The table that it is a foreign key of, and its name, if it is one.
    pub foreign_key: Option<(TableName, String)>,
    /// The table and column that it is, where that is a computed one.
    pub column: Option<(TableName, String)>,
    /// What it is, for people: `view shop.recent`.
    pub words: String,
}

/// One moment of a database. Dropping it ends its transactions.
#[async_trait]
pub trait Snapshot: Send + Sync {
    /// How many scans may run at once; a further one waits.
    fn readers(&self) -> usize;

    /// What was used, for people: `an exported snapshot shared by 4 connections`.
    fn method(&self) -> String;

    /// The file whose bytes are all that this moment sees, and that keeps them as long as the moment lasts.
    fn file(&self) -> Option<PathBuf> {
        None
    }

    /// Starts reading. Rows come in blocks of some hundred kilobytes; with `select.ordered`, in key order.
    async fn scan(&self, select: Select) -> Result<RowStream, EngineError>;

    /// Tables of how many rows at most are worth [reading together](Self::read_together).
    fn rows_together_max(&self) -> u64 {
        0
    }

    /// All rows of small tables, read together in few round trips: for each of these selects of whole tables its rows,
    /// in key order where that is asked for. `None` stands for a table that is to be scanned instead: because it is
    /// not small (all rows together are to take little more than `bytes_max`), because the engine has no use for it,
    /// or because something is wrong, which the scan will tell.
    async fn read_together(&self, selects: &[Select], _bytes_max: u64) -> Vec<Option<RowBlock>> {
        vec![None; selects.len()]
    }

    /// Runs a small read of the dialect's making, such as
    /// [`equated`](crate::sql::Dialect::equated), and returns all its values as text, row by row.
    async fn ask(&self, sql: String) -> Result<Vec<Option<String>>, EngineError>;

    /// Whether the database itself can digest ranges of this select, each by reading no more than the range.
    async fn digestible(&self, _select: &Select) -> Result<Digestible, EngineError> {
        Ok(Digestible::Not("its engine makes no digests".to_owned()))
    }

    /// The keys that cut each of these ranges into parts of so many rows, ascending or not. Where a select is
    /// [`digestible`](Self::digestible).
    async fn cuts(
        &self,
        select: &Select,
        _ranges: Vec<KeyRange>,
        _part_rows: u64,
    ) -> Result<Vec<Key>, EngineError> {
        Err(no_digests(select))
    }

    /// The digest of each of these ranges, by a scheme that `digestible` named; `mark`, plain letters and digits, goes
    /// into every row of sums. Of each `rows_max` rows and one are looked at, so that no range is too much
    /// for the server. Where a select is [`digestible`](Self::digestible).
    async fn digests(
        &self,
        select: &Select,
        _how: (DigestScheme, &str),
        _ranges: Vec<KeyRange>,
        _rows_max: u64,
    ) -> Result<Vec<RangeDigest>, EngineError> {
        Err(no_digests(select))
    }

    /// Whether reading a range of this select costs its part of reading all: an index may give the key's order, so
    /// that the server need not sort, and with it read, the whole table for every range.
    fn reads_ranges(&self, select: &Select) -> bool;

    /// Up to `parts - 1` keys, ascending, that cut the selected range into parts of about equal row counts,
    /// found without reading the table. Empty when that is not to be had cheaply or would not help (the
    /// server would have to sort for every part).
    async fn split(&self, select: &Select, parts: usize) -> Result<Vec<Key>, EngineError>;
}

/// All rows of a select, in the order that it asks for.
fn in_key_order(select: &Select, rows: RowBlock) -> RowBlock {
    if !select.ordered || select.key_columns == 0 {
        return rows;
    }
    let key = select.columns[..select.key_columns].iter().map(|column| column.domain.clone());
    let order = KeyOrder::new(key.collect::<Vec<_>>());
    let mut sorted: Vec<&[u8]> = rows.rows().collect();
    sorted.sort_by(|a, b| order.compare(a, b));
    let mut block = RowBlock::with_capacity(rows.bytes_len());
    sorted.into_iter().for_each(|row| block.push(row));
    block
}

/// What a digest of rows is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestForm {
    /// How rows become a digest.
    pub scheme: DigestScheme,
    /// What of the columns goes in: digests of two sides mean the same where this is the same.
    pub columns: String,
}

/// How a database makes a digest of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestScheme {
    /// A hash of all rows, one behind the other in the bytes that one engine has for them.
    Records,
    /// Sums of the words of a hash of each row, in a form that engines have in common.
    Sums,
}

/// Whether a database can digest the rows of a select.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Digestible {
    /// What digests can be of, the best first: where two sides have one in common, equal digests mean equal rows, and
    /// different ones mean rows that are not the same bytes on both sides.
    As(Vec<DigestForm>),
    /// Why not.
    Not(String),
}

fn no_digests(select: &Select) -> EngineError {
    EngineError::new(ErrorKind::Internal, format!("digesting {}: its engine makes no digests", select.table))
}

/// Encoded rows, and how often they were found.
pub type Tallies = HashMap<Row, u64>;

/// Counts those rows of a block that are asked for.
fn tally(tallies: &mut Tallies, block: &RowBlock) {
    for row in block.rows() {
        if let Some(count) = tallies.get_mut(&Row::new(row)) {
            *count += 1;
        }
    }
}

/// The one connection that may change a replica.
#[async_trait]
pub trait Writer: Send {
    /// Takes the advisory lock that keeps other trueups off this database until the writer is dropped.
    /// `wait` is how long to wait for it; [`EngineError`] of kind `Locked` says who holds it.
    async fn lock(&mut self, wait: Duration) -> Result<(), EngineError>;

    /// Begins a transaction.
    async fn begin(&mut self) -> Result<(), EngineError>;

    /// Begins a transaction in which tables are made anew, where the engine does that: nothing that points at them is
    /// looked at or carried on until it ends.
    async fn begin_rebuild(&mut self) -> Result<(), EngineError> {
        self.begin().await
    }

    /// Keeps the triggers of these tables from firing for what this transaction writes.
    async fn suppress_triggers(&mut self, _tables: &[TableName]) -> Result<(), EngineError> {
        Ok(())
    }

    /// Comes before rows of a table are written in a transaction in which triggers are suppressed.
    async fn writes_to(&mut self, _table: &TableName) -> Result<(), EngineError> {
        Ok(())
    }

    /// Lets the triggers fire again, each as it did before.
    async fn restore_triggers(&mut self) -> Result<(), EngineError> {
        Ok(())
    }

    /// Runs one statement and returns how many rows it matched.
    async fn execute(&mut self, sql: &str) -> Result<u64, EngineError>;

    /// Writes rows by the engine's own best way and returns how many it matched. An error leaves the transaction
    /// with nothing but to be rolled back.
    async fn write(&mut self, write: TableWrite) -> Result<u64, EngineError>;

    /// Reads within the transaction.
    async fn read(&mut self, select: &Select) -> Result<RowBlock, EngineError>;

    /// Reads within the transaction, however many rows there are, and counts those that are among `tallies`.
    async fn count(&mut self, select: &Select, tallies: Tallies) -> Result<Tallies, EngineError>;

    /// Whether any row is selected. With `select.locked` other sessions add none until the transaction ends, as far
    /// as this login's rights and the transaction's isolation go.
    async fn any(&mut self, select: &Select) -> Result<bool, EngineError>;

    /// Reads within the transaction, however many rows there are: their [`RowsHasher`](crate::value::RowsHasher)'s
    /// digest, in their order where that of the select is, else in any.
    async fn digest(&mut self, select: &Select) -> Result<Digest, EngineError>;

    /// Whether a table has any row; other sessions add none until the transaction ends (the MySQL family: as far
    /// as its isolation goes).
    async fn has_rows(&mut self, table: &TableName) -> Result<bool, EngineError>;

    /// How many rows a table has. `locked`: other sessions change none until the transaction ends (the MySQL family: as
    /// far as its isolation goes).
    async fn count_rows(&mut self, table: &TableName, locked: bool) -> Result<u64, EngineError>;

    /// Who holds locks in these tables now, as far as the server tells (the MySQL family tells nobody): for people, at most three. Asked outside a
    /// transaction, after a lock was not to be had.
    async fn holders(&mut self, _tables: &[TableName]) -> Result<Vec<String>, EngineError> {
        Ok(Vec::new())
    }

    /// Rows that break a foreign key in one of these tables, at most so many, where the engine does not itself check
    /// before commit. Empty when all hold.
    async fn foreign_key_violations(
        &mut self,
        tables: &[TableName],
        most: usize,
    ) -> Result<Vec<Violation>, EngineError>;

    /// As [`foreign_key_violations`](Self::foreign_key_violations), asked in a transaction before anything is written;
    /// engines that tell new ones from old ones by themselves say nothing.
    async fn standing_violations(
        &mut self,
        tables: &[TableName],
        most: usize,
    ) -> Result<Vec<Violation>, EngineError>;

    /// Commits.
    async fn commit(&mut self) -> Result<(), EngineError>;

    /// Rolls back. Also what dropping the writer does.
    async fn rollback(&mut self) -> Result<(), EngineError>;
}

/// A row that breaks a foreign key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which row, and what it points at, for people.
    pub words: String,
    /// Made of the foreign key, the row's key (all its columns where it has none) and what it points with: by this it is
    /// known again in the same transaction. `None` where the engine could not say which row it is.
    pub known_by: Option<String>,
}

/// Writes rows by the statements that every engine has for them.
async fn write_by_statements(
    writer: &mut dyn Writer,
    dialect: &dyn Dialect,
    write: &TableWrite,
) -> Result<u64, EngineError> {
    let mut matched = 0;
    for sql in write.statements(dialect).map_err(unwritable)? {
        matched += writer.execute(&sql).await?;
    }
    Ok(matched)
}

/// A value that its column cannot hold; before anything is written.
fn unwritable(why: Unwritable) -> EngineError {
    EngineError::new(ErrorKind::Value, why.reason)
}

/// Blocks of rows while they are read. Dropping it stops the reader.
#[derive(Debug)]
pub struct RowStream(mpsc::Receiver<Result<RowBlock, EngineError>>);

impl RowStream {
    /// A stream fed by `sender`'s other end. The feeder must end with an `Err` when it cannot end well:
    /// a channel that closes means that all rows have been sent.
    pub fn new(receiver: mpsc::Receiver<Result<RowBlock, EngineError>>) -> Self {
        RowStream(receiver)
    }

    /// The next block, never empty; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<RowBlock>, EngineError> {
        self.0.recv().await.transpose()
    }
}

/// A database that is only ever read.
#[derive(Clone, Debug)]
pub struct Primary(Arc<dyn Engine>);

/// A database that may be written.
#[derive(Clone, Debug)]
pub struct Replica(Arc<dyn Engine>);

macro_rules! reads {
    ($side:ty) => {
        impl $side {
            /// Wraps a connected engine.
            pub fn new(engine: Arc<dyn Engine>) -> Self {
                Self(engine)
            }

            /// See [`Engine::dialect`].
            pub fn dialect(&self) -> &'static dyn Dialect {
                self.0.dialect()
            }

            /// See [`Engine::server`].
            pub fn server(&self) -> &Server {
                self.0.server()
            }

            /// See [`Engine::catalog`].
            pub async fn catalog(&self, schemas: &[Option<String>]) -> Result<Catalog, EngineError> {
                self.0.catalog(schemas).await
            }

            /// See [`Engine::schemas`].
            pub async fn schemas(&self) -> Result<Vec<Option<String>>, EngineError> {
                self.0.schemas().await
            }

            /// See [`Engine::lacking`].
            pub async fn lacking(&self, needs: &[Need]) -> Result<Vec<Lack>, EngineError> {
                self.0.lacking(needs).await
            }

            /// See [`Engine::knows`].
            pub async fn knows(&self, table: &TableName, folding: Folding) -> Result<bool, EngineError> {
                self.0.knows(table, folding).await
            }

            /// See [`Engine::snapshot`].
            pub async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, EngineError> {
                self.0.snapshot().await
            }
        }
    };
}

reads!(Primary);
reads!(Replica);

impl Replica {
    /// See [`Engine::hides`].
    pub async fn hides(&self, table: &TableName) -> Result<bool, EngineError> {
        self.0.hides(table).await
    }

    /// See [`Engine::firing`].
    pub async fn firing(&self, tables: &[TableName]) -> Result<Vec<Firing>, EngineError> {
        self.0.firing(tables).await
    }

    /// See [`Engine::dependents`].
    pub async fn dependents(&self, tables: &[TableName]) -> Result<Vec<Dependent>, EngineError> {
        self.0.dependents(tables).await
    }

    /// See [`Engine::holders_of`].
    pub async fn holders_of(&self, tables: &[TableName]) -> Result<Vec<Holder>, EngineError> {
        self.0.holders_of(tables).await
    }

    /// See [`Engine::blockers`].
    pub async fn blockers(&self, touched: &[Touched]) -> Result<Vec<Blocker>, EngineError> {
        self.0.blockers(touched).await
    }

    /// See [`Engine::has_schema`].
    pub async fn has_schema(&self, name: &str) -> Result<bool, EngineError> {
        self.0.has_schema(name).await
    }

    /// See [`Engine::rehearse`].
    pub async fn rehearse(&self, renames: &[String], statements: &[String]) -> Result<(), EngineError> {
        self.0.rehearse(renames, statements).await
    }

    /// See [`Engine::renamed`].
    pub async fn renamed(&self, statements: &[String]) -> Result<Option<Catalog>, EngineError> {
        self.0.renamed(statements).await
    }

    /// See [`Engine::writer`].
    pub async fn writer(&self) -> Result<Box<dyn Writer>, EngineError> {
        self.0.writer().await
    }
}
