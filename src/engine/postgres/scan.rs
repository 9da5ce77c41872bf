//! Reading: one moment over several connections, and COPY streams of its rows.
//!
//! The moment lives as long as one of its transactions: any of them can export it for the next connection. sqlx's
//! COPY leaves a connection in the middle of an answer when it fails or is dropped early; such a connection is
//! closed here and never asked again. The invariant: a stream that ends without an error has brought every row
//! of its select as of the moment.

use std::collections::HashMap;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use async_trait::async_trait;
use futures_util::{FutureExt, StreamExt};
use sqlx::postgres::{PgConnection, PgTypeInfo};
use sqlx::{AssertSqlSafe, Column as _, Executor, Row as _, SqlSafeStr, Statement, TypeInfo};
use tokio::sync::{Notify, mpsc};

use super::super::error::VALUE_HINT;
use super::super::{DigestScheme, Digestible, EngineError, RowStream, Snapshot};
use super::digest::Digested;
use super::encode::{CopyReader, RowEncoder, Step, Unreadable};
use super::failure::{failed, is_connection_lost};
use super::{DIALECT, Pool, Session, digest, rows, run, text, together};
use crate::failure::ErrorKind;
use crate::sql::postgres::{Rows, key_condition, key_order, payload_expression, render_select};
use crate::sql::{Dialect, Select, SelectColumn, Selection, TableName};
use crate::value::{Domain, Key, KeyOrder, KeyRange, RangeDigest, RowBlock, named_values, raw_value_words};

/// A block is handed on when it holds this much.
const BLOCK_BYTES: usize = 512 << 10;
/// Blocks that wait to be taken.
const BLOCKS_WAITING: usize = 2;
/// Tables below this are not worth cutting.
const SPLIT_ROWS_MIN: f64 = 50_000.0;
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// For `snapshot: none`: every statement reads what is committed when it begins, and none holds vacuum back when it
/// has ended.
const BEGIN_UNSHARED: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY";

/// One moment.
pub(super) struct Moment(Arc<Shared>);

struct Shared {
    pool: Arc<Pool>,
    /// Whether all connections see the same state.
    shared: bool,
    state: Mutex<State>,
    /// Something in `state` changed that a waiting scan may want to know.
    changed: Notify,
}

#[derive(Default)]
struct State {
    free: Vec<Reader>,
    /// Readers that exist, free or not.
    live: usize,
    /// The name under which the moment can be imported, and by which reader.
    exported: Option<(u64, String)>,
    next_id: u64,
    closed: bool,
    /// By the statement for the whole table and the domains it is read in.
    checked: HashMap<(String, Vec<Domain>), Checked>,
}

/// A connection inside the moment's transaction.
struct Reader {
    id: u64,
    session: Session,
}

/// What was found out about a select before its first COPY.
#[derive(Clone)]
pub(super) struct Checked {
    pub(super) encoder: RowEncoder,
    pub(super) rows: Rows,
    pub(super) digested: Digested,
}

impl Moment {
    pub(super) async fn begin(pool: Arc<Pool>, shared: bool) -> Result<Self, EngineError> {
        let session = pool.take().await?;
        let moment = Arc::new(Shared { pool, shared, state: Mutex::default(), changed: Notify::new() });
        let mut reader = moment.reader(session);
        let doing = "beginning a snapshot";
        run(&mut reader.session.connection, moment.begin(), doing).await?;
        // The first statement takes the snapshot; until then the transaction has none.
        run(&mut reader.session.connection, "SELECT 1", doing).await?;
        moment.export(&mut reader).await?;
        moment.put_back(reader);
        Ok(Moment(moment))
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        let free = {
            let mut state = self.0.state();
            state.closed = true;
            state.live -= state.free.len();
            std::mem::take(&mut state.free)
        };
        free.into_iter().for_each(end);
    }
}

/// Ends a reader's transaction; where there is no runtime any more, by closing the connection.
fn end(mut reader: Reader) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    runtime.spawn(async move {
        if run(&mut reader.session.connection, "ROLLBACK", "ending a snapshot").await.is_ok() {
            reader.session.give_back();
        }
    });
}

impl Shared {
    fn begin(&self) -> &'static str {
        if self.shared { BEGIN } else { BEGIN_UNSHARED }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self, session: Session) -> Reader {
        let mut state = self.state();
        state.live += 1;
        state.next_id += 1;
        Reader { id: state.next_id, session }
    }

    async fn export(&self, reader: &mut Reader) -> Result<(), EngineError> {
        if !self.shared || self.pool.size == 1 {
            return Ok(());
        }
        let found =
            rows(&mut reader.session.connection, "SELECT pg_export_snapshot()", "exporting a snapshot")
                .await?;
        let name = found.first().map(|row| text(row, 0)).transpose()?.flatten().unwrap_or_default();
        self.state().exported = Some((reader.id, name));
        self.changed.notify_waiters();
        Ok(())
    }

    /// A connection inside the moment, as soon as one is free or may be opened.
    async fn take(self: &Arc<Self>) -> Result<Reader, EngineError> {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            let (free, may_open, live) = {
                let mut state = self.state();
                let may_open = !self.shared || state.exported.is_some();
                (state.free.pop(), may_open, state.live)
            };
            if let Some(mut reader) = free {
                if self.shared && !may_open {
                    // The connection that exported is gone; this one is inside the same moment.
                    if let Err(error) = self.export(&mut reader).await {
                        self.discard(reader);
                        return Err(error);
                    }
                }
                return Ok(reader);
            }
            if live == 0 && self.shared {
                let message = "reading on: the last connection of the snapshot was lost";
                return Err(EngineError::new(ErrorKind::Connect, message).hint("run again"));
            }
            if !may_open || live >= self.pool.size {
                changed.await;
                continue;
            }
            let slots = Arc::clone(&self.pool.slots);
            let slot = tokio::select! {
                () = &mut changed => None,
                slot = slots.acquire_owned() => slot.ok(),
            };
            if slot.is_some()
                && let Some(reader) = self.join(self.pool.connected(slot).await?).await?
            {
                return Ok(reader);
            }
        }
    }

    /// Brings a connection into the moment; `None` when the one that exported it went away meanwhile.
    async fn join(self: &Arc<Self>, mut session: Session) -> Result<Option<Reader>, EngineError> {
        let doing = "joining a snapshot";
        run(&mut session.connection, self.begin(), doing).await?;
        if self.shared {
            let Some((_, name)) = self.state().exported.clone() else { return Ok(None) };
            let import = format!("SET TRANSACTION SNAPSHOT '{}'", name.replace('\'', "''"));
            if let Err(error) = run(&mut session.connection, &import, doing).await {
                let stale = self.state().exported.as_ref().is_none_or(|(_, current)| *current != name);
                return if stale { Ok(None) } else { Err(error) };
            }
        }
        Ok(Some(self.reader(session)))
    }

    /// Returns a reader whose connection has answered everything.
    fn put_back(&self, reader: Reader) {
        let unwanted = {
            let mut state = self.state();
            if state.closed {
                state.live -= 1;
                Some(reader)
            } else {
                state.free.push(reader);
                None
            }
        };
        self.changed.notify_waiters();
        unwanted.into_iter().for_each(end);
    }

    /// Returns a reader with what it found, or closes its connection where that was an error.
    fn give_back<T>(&self, reader: Reader, found: Result<T, EngineError>) -> Result<T, EngineError> {
        match found {
            Ok(_) => self.put_back(reader),
            Err(_) => self.discard(reader),
        }
        found
    }

    /// Closes a reader's connection.
    fn discard(&self, reader: Reader) {
        self.forget(&mut self.state(), reader.id);
        drop(reader);
        self.changed.notify_waiters();
    }

    fn forget(&self, state: &mut State, id: u64) {
        state.live -= 1;
        if state.exported.as_ref().is_some_and(|(exporter, _)| *exporter == id) {
            state.exported = None;
        }
    }

    /// Whether the moment would be lost with the only reader there is.
    fn is_last(&self) -> bool {
        let state = self.state();
        self.shared && !state.closed && state.live == 1
    }

    /// Takes a reader out of the moment unless it is the last: of two that ask at once one has to stay.
    fn may_leave(&self, id: u64) -> bool {
        let mut state = self.state();
        if self.shared && !state.closed && state.live == 1 {
            return false;
        }
        self.forget(&mut state, id);
        true
    }

    /// Looks at a select before its first COPY: that it may be read, where its rows are, and what types they
    /// have. A COPY that fails at its start costs the connection; this fails inside a savepoint.
    async fn check(&self, reader: &mut Reader, select: &Select) -> Result<Checked, EngineError> {
        let whole = Select { selection: Selection::Range(KeyRange::all()), locked: false, ..select.clone() };
        let domains = select.columns.iter().map(|column| column.domain.clone()).collect();
        let name = (render_select(&whole, Rows::Own), domains);
        if let Some(checked) = self.state().checked.get(&name) {
            return Ok(checked.clone());
        }
        let doing = format!("reading {}", select.table);
        let connection = &mut reader.session.connection;
        run(connection, "SAVEPOINT trueup", &doing).await?;
        match look(connection, &whole, &doing).await {
            Ok(checked) => {
                run(connection, "RELEASE trueup", &doing).await?;
                self.state().checked.insert(name, checked.clone());
                Ok(checked)
            }
            Err(error) if is_connection_lost(&error) => Err(error),
            Err(error) => {
                let undone = run(connection, "ROLLBACK TO trueup; RELEASE trueup", &doing).await;
                // A transaction that cannot be set right again is lost, whatever the reason.
                undone.map_err(|why| EngineError { kind: ErrorKind::Connect, ..why })?;
                Err(error)
            }
        }
    }

    /// [`check`](Self::check), with the reader returned or discarded where it fails.
    async fn take_checked(self: &Arc<Self>, select: &Select) -> Result<(Reader, Checked), EngineError> {
        let mut reader = self.take().await?;
        match self.check(&mut reader, select).await {
            Ok(checked) => Ok((reader, checked)),
            Err(error) if is_connection_lost(&error) => {
                self.discard(reader);
                Err(error)
            }
            Err(error) => {
                self.put_back(reader);
                Err(error)
            }
        }
    }
}

async fn look(connection: &mut PgConnection, select: &Select, doing: &str) -> Result<Checked, EngineError> {
    let rows = rows_of(connection, &select.table, doing).await?;
    let sql = render_select(select, rows);
    let found = prepared_types(connection, &sql, doing).await?;
    let steps = steps(&found, select)?;
    // A step was chosen by the number of the type.
    let sent = found.iter().zip(&steps).map(|(found, step)| (found.oid().map_or(0, |oid| oid.0), *step));
    let digested = Digested::new(&sent.collect::<Vec<_>>(), &select.columns);
    let encoder = RowEncoder::new(steps, key_domains(select));
    // Rights and row security are looked at when a plan is made ready, not when it is prepared.
    run(connection, &format!("EXPLAIN {sql}"), doing).await?;
    Ok(Checked { encoder, rows, digested })
}

/// Whether a table's rows are its own or its partitions'.
pub(super) async fn rows_of(
    connection: &mut PgConnection,
    table: &TableName,
    doing: &str,
) -> Result<Rows, EngineError> {
    let sql = format!(
        "SELECT relkind::text FROM pg_catalog.pg_class WHERE oid = to_regclass({})",
        quoted_name(table)
    );
    let found = rows(connection, &sql, doing).await?;
    match found.first().map(|row| text(row, 0)).transpose()?.flatten().as_deref() {
        Some("p") => Ok(Rows::Parts),
        Some(_) => Ok(Rows::Own),
        None => Err(EngineError::new(ErrorKind::Missing, format!("{doing}: there is no such table"))),
    }
}

pub(super) fn quoted_name(table: &TableName) -> String {
    format!("E'{}'", DIALECT.table(table).replace('\\', "\\\\").replace('\'', "''"))
}

/// The types of a statement's columns.
async fn prepared_types(
    connection: &mut PgConnection,
    sql: &str,
    doing: &str,
) -> Result<Vec<PgTypeInfo>, EngineError> {
    let prepared = connection.prepare(AssertSqlSafe(sql).into_sql_str()).await;
    let prepared = prepared.map_err(|error| failed(doing, error))?;
    Ok(prepared.columns().iter().map(|column| column.type_info().clone()).collect())
}

/// How columns of the types that the server announced are read.
fn steps(found: &[PgTypeInfo], select: &Select) -> Result<Vec<Step>, EngineError> {
    let step = |(found, column): (&PgTypeInfo, &SelectColumn)| {
        let step = found.oid().and_then(|oid| Step::choose(oid.0, column));
        step.ok_or_else(|| {
            let message = format!(
                "reading {}: column {} is of type {}, which cannot be read as {}",
                select.table,
                column.column.name,
                found.name().to_lowercase(),
                column.domain.name()
            );
            EngineError::new(ErrorKind::Type, message)
        })
    };
    found.iter().zip(&select.columns).map(step).collect()
}

/// The encoder from the types the server announced.
pub(super) fn encoder(found: &[PgTypeInfo], select: &Select) -> Result<RowEncoder, EngineError> {
    Ok(RowEncoder::new(steps(found, select)?, key_domains(select)))
}

fn key_domains(select: &Select) -> Vec<Domain> {
    select.columns[..select.key_columns].iter().map(|column| column.domain.clone()).collect()
}

#[async_trait]
impl Snapshot for Moment {
    fn readers(&self) -> usize {
        self.0.pool.size
    }

    fn method(&self) -> String {
        match (self.0.shared, self.0.pool.size) {
            (true, 1) => "the snapshot of one connection".to_owned(),
            (true, size) => format!("an exported snapshot shared by {size} connections"),
            (false, 1) => "none; one connection, each read sees what is committed when it begins".to_owned(),
            (false, size) => {
                format!("none; {size} connections, each read sees what is committed when it begins")
            }
        }
    }

    async fn scan(&self, select: Select) -> Result<RowStream, EngineError> {
        let (reader, checked) = self.0.take_checked(&select).await?;
        let sql = render_select(&Select { locked: false, ..select.clone() }, checked.rows);
        let (sender, receiver) = mpsc::channel(BLOCKS_WAITING);
        tokio::spawn(feed(Arc::clone(&self.0), reader, sql, checked.encoder, select, sender));
        Ok(RowStream::new(receiver))
    }

    fn rows_together_max(&self) -> u64 {
        u64::MAX
    }

    async fn read_together(&self, selects: &[Select], bytes_max: u64) -> Vec<Option<RowBlock>> {
        let nothing = || vec![None; selects.len()];
        let Ok(mut reader) = self.0.take().await else { return nothing() };
        match together::read(&mut reader.session.connection, selects, bytes_max).await {
            Ok(found) => {
                self.0.put_back(reader);
                found
            }
            Err(_) => {
                self.0.discard(reader);
                nothing()
            }
        }
    }

    async fn ask(&self, sql: String) -> Result<Vec<Option<String>>, EngineError> {
        let mut reader = self.0.take().await?;
        let connection = &mut reader.session.connection;
        let doing = "comparing values as the database does";
        // The locks that a read takes go with the savepoint: many tables are asked about in one moment, and the server has
        // room for so many locks only. And what fails costs neither the connection nor the moment.
        let undo = "ROLLBACK TO trueup; RELEASE trueup";
        let found = rows(connection, &format!("SAVEPOINT trueup; {sql}; {undo}"), doing).await;
        let usable = match &found {
            Ok(_) => true,
            Err(error) if is_connection_lost(error) => false,
            Err(_) => run(connection, undo, doing).await.is_ok(),
        };
        match usable {
            true => self.0.put_back(reader),
            false => self.0.discard(reader),
        }
        found?.iter().flat_map(|row| (0..row.len()).map(|at| text(row, at))).collect()
    }

    fn reads_ranges(&self, select: &Select) -> bool {
        let mut key = select.columns[..select.key_columns].iter();
        key.all(|column| !DIALECT.order_needs_sort(&column.column, &column.domain))
    }

    async fn digestible(&self, select: &Select) -> Result<Digestible, EngineError> {
        if select.key_columns == 0 || !self.reads_ranges(select) {
            return Ok(Digestible::Not("no index has the order of its keys".to_owned()));
        }
        let (mut reader, checked) = self.0.take_checked(select).await?;
        match size(&mut reader.session.connection, select, &format!("digesting {}", select.table)).await {
            Ok(size) => {
                self.0.put_back(reader);
                Ok(match size.indexed {
                    true => digest::named(&select.columns, &checked.digested),
                    false => Digestible::Not("no index begins with its key".to_owned()),
                })
            }
            Err(error) => {
                self.0.discard(reader);
                Err(error)
            }
        }
    }

    async fn cuts(
        &self,
        select: &Select,
        ranges: Vec<KeyRange>,
        part_rows: u64,
    ) -> Result<Vec<Key>, EngineError> {
        let (moment, select) = (Arc::clone(&self.0), only_key(select));
        in_task(async move {
            let (mut reader, checked) = moment.take_checked(&select).await?;
            let connection = &mut reader.session.connection;
            let found = digest::cuts(connection, &select, &checked, &ranges, part_rows).await;
            moment.give_back(reader, found)
        })
        .await
    }

    async fn digests(
        &self,
        select: &Select,
        (scheme, mark): (DigestScheme, &str),
        ranges: Vec<KeyRange>,
        rows_max: u64,
    ) -> Result<Vec<RangeDigest>, EngineError> {
        let (moment, select, mark) = (Arc::clone(&self.0), select.clone(), mark.to_owned());
        in_task(async move {
            let (mut reader, checked) = moment.take_checked(&select).await?;
            let connection = &mut reader.session.connection;
            let found =
                digest::digests(connection, &select, &checked, (scheme, &mark), &ranges, rows_max).await;
            moment.give_back(reader, found)
        })
        .await
    }

    async fn split(&self, select: &Select, parts: usize) -> Result<Vec<Key>, EngineError> {
        let key = &select.columns[..select.key_columns];
        if parts < 2 || key.is_empty() || !self.reads_ranges(select) {
            return Ok(Vec::new());
        }
        let (mut reader, checked) = self.0.take_checked(&only_key(select)).await?;
        let sample = sample(&mut reader, select, &checked, parts).await;
        match sample {
            Ok(keys) => {
                self.0.put_back(reader);
                Ok(cuts(&keys, key, parts))
            }
            Err(error) => {
                self.0.discard(reader);
                Err(error)
            }
        }
    }
}

/// Runs what holds a reader to its end, even where nobody waits for it any more: a reader that was dropped in the middle of
/// an answer would be missing from its moment.
async fn in_task<T: Send + 'static>(
    asking: impl Future<Output = Result<T, EngineError>> + Send + 'static,
) -> Result<T, EngineError> {
    let broken = |error: tokio::task::JoinError| {
        EngineError::new(ErrorKind::Internal, "asking for digests broke off").said(error)
    };
    tokio::spawn(asking).await.map_err(broken)?
}

fn only_key(select: &Select) -> Select {
    Select { columns: select.columns[..select.key_columns].to_vec(), ..select.clone() }
}

type Blocks = mpsc::Sender<Result<RowBlock, EngineError>>;

/// How a COPY ended.
enum Ending {
    /// It was read through.
    Through,
    /// Nobody wants the rest, and it need not be read.
    Unwanted,
    /// The server broke it off, and waits for the next statement.
    BrokenOff(EngineError),
    /// The connection is of no more use.
    Lost(EngineError),
}

/// Runs one COPY to its end and sees to it that the receiver never takes a broken stream for a whole one.
async fn feed(
    moment: Arc<Shared>,
    mut reader: Reader,
    sql: String,
    encoder: RowEncoder,
    select: Select,
    sender: Blocks,
) {
    let feeding = feed_guarded(&moment, &mut reader, &sql, encoder, &select, &sender);
    let (after, error) = AssertUnwindSafe(feeding).catch_unwind().await.unwrap_or_else(|_| {
        let message = format!("reading {}: the reader panicked", select.table);
        (After::Discard, Some(EngineError::new(ErrorKind::Internal, message)))
    });
    match after {
        After::PutBack => moment.put_back(reader),
        After::Discard => moment.discard(reader),
        After::Left => {
            drop(reader);
            moment.changed.notify_waiters();
        }
    }
    if let Some(error) = error {
        // Fails only when nobody listens.
        sender.send(Err(error)).await.ok();
    }
}

/// What becomes of a reader after its COPY.
enum After {
    PutBack,
    Discard,
    /// It is out of the moment already.
    Left,
}

/// What becomes of the connection, and what went wrong. Where the moment hangs on this connection
/// alone, a savepoint keeps it through an error of the server, such as a statement time-out.
async fn feed_guarded(
    moment: &Shared,
    reader: &mut Reader,
    sql: &str,
    encoder: RowEncoder,
    select: &Select,
    sender: &Blocks,
) -> (After, Option<EngineError>) {
    let doing = format!("reading {}", select.table);
    let id = reader.id;
    let connection = &mut reader.session.connection;
    let guarded = moment.is_last();
    if guarded && let Err(error) = run(connection, "SAVEPOINT trueup", &doing).await {
        return (After::Discard, Some(error));
    }
    let usable = |done: Result<u64, EngineError>| if done.is_ok() { After::PutBack } else { After::Discard };
    match copy(|| moment.may_leave(id), connection, sql, encoder, select, sender).await {
        Ending::Through if guarded => (usable(run(connection, "RELEASE trueup", &doing).await), None),
        Ending::Through => (After::PutBack, None),
        Ending::Unwanted => (After::Left, None),
        Ending::BrokenOff(error) if guarded && !is_connection_lost(&error) => {
            (usable(run(connection, "ROLLBACK TO trueup; RELEASE trueup", &doing).await), Some(error))
        }
        Ending::BrokenOff(error) | Ending::Lost(error) => (After::Discard, Some(error)),
    }
}

/// Runs one COPY. `may_leave` says whether its rest may be left unread, and with it the connection.
async fn copy(
    may_leave: impl Fn() -> bool,
    connection: &mut PgConnection,
    sql: &str,
    encoder: RowEncoder,
    select: &Select,
    sender: &Blocks,
) -> Ending {
    let doing = format!("reading {}", select.table);
    let copy = format!("COPY ({sql}) TO STDOUT (FORMAT binary)");
    let mut messages = match connection.copy_out_raw(&copy).await {
        Ok(messages) => messages,
        // sqlx leaves the rest of the answer unread.
        Err(error) => return Ending::Lost(failed(&doing, error)),
    };
    let mut reader = CopyReader::new(encoder);
    let mut block = RowBlock::default();
    let mut dropped = pin!(sender.closed());
    let mut unwanted = false;
    loop {
        let next = poll_fn(|context| match messages.poll_next_unpin(context) {
            Poll::Ready(message) => Poll::Ready(Some(message)),
            Poll::Pending if unwanted => Poll::Pending,
            Poll::Pending => dropped.as_mut().poll(context).map(|()| None),
        });
        match next.await {
            Some(Some(Ok(_))) if unwanted => {}
            Some(Some(Ok(message))) => {
                if let Err(why) = reader.feed(&message, &mut block) {
                    sender.send(Err(unreadable(why, &doing, select))).await.ok();
                    unwanted = true;
                } else if block.bytes_len() >= BLOCK_BYTES {
                    let next = RowBlock::with_capacity(BLOCK_BYTES + (64 << 10));
                    unwanted = sender.send(Ok(std::mem::replace(&mut block, next))).await.is_err();
                }
            }
            Some(Some(Err(error @ sqlx::Error::Database(_)))) => {
                return Ending::BrokenOff(failed(&doing, error));
            }
            Some(Some(Err(error))) => return Ending::Lost(failed(&doing, error)),
            Some(None) => break,
            None => unwanted = true,
        }
        // The rest of the answer is read through where the moment hangs on this one connection.
        if unwanted && may_leave() {
            return Ending::Unwanted;
        }
    }
    if unwanted {
        return Ending::Through;
    }
    if !reader.is_complete() {
        return Ending::Lost(unreadable(Unreadable::Format("COPY ended early"), &doing, select));
    }
    if !block.is_empty() {
        sender.send(Ok(block)).await.ok();
    }
    Ending::Through
}

pub(super) fn unreadable(why: Unreadable, doing: &str, select: &Select) -> EngineError {
    match why {
        Unreadable::Value(bad) => bad_value(&bad, select),
        Unreadable::Format(words) => EngineError::new(ErrorKind::Internal, format!("{doing}: {words}")),
    }
}

/// A value that is none of its domain.
pub(super) fn bad_value(bad: &super::encode::BadValue, select: &Select) -> EngineError {
    let column = select.columns.get(bad.column).map_or("", |column| column.column.name.as_str());
    let message = format!("table {}, column {column}: a value is not {}", select.table, bad.expected);
    let names = select.columns.iter().map(|column| column.column.name.as_str());
    EngineError::new(ErrorKind::Value, message)
        .key(named_values(names.zip(bad.key.iter().cloned())))
        .said(raw_value_words(&bad.wire))
        .hint(VALUE_HINT)
}

/// Some keys of the select, in order, without reading the table.
async fn sample(
    reader: &mut Reader,
    select: &Select,
    checked: &Checked,
    parts: usize,
) -> Result<RowBlock, EngineError> {
    let doing = format!("sampling {}", select.table);
    let connection = &mut reader.session.connection;
    let mut keys = RowBlock::default();
    let size = size(connection, select, &doing).await?;
    if size.rows < SPLIT_ROWS_MIN || !size.indexed {
        return Ok(keys);
    }
    let pages_wanted = (parts * 32).clamp(128, 2_048) as f64;
    let percent = (100.0 * pages_wanted / size.pages.max(1.0)).min(100.0);
    let key: Vec<String> = select.columns[..select.key_columns].iter().map(payload_expression).collect();
    let mut condition = key_condition(select);
    if let Some(scope) = &select.scope {
        condition = format!("{condition} AND ({scope})");
    }
    let only = if checked.rows == Rows::Own { "ONLY " } else { "" };
    let sql = format!(
        "SELECT {} FROM {only}{} TABLESAMPLE SYSTEM ({percent:.6}) REPEATABLE (20000101) WHERE {condition} ORDER BY {}",
        key.join(", "),
        DIALECT.table(&select.table),
        key_order(select)
    );
    let copy = format!("COPY ({sql}) TO STDOUT (FORMAT binary)");
    let mut messages = connection.copy_out_raw(&copy).await.map_err(|error| failed(&doing, error))?;
    let mut copy_reader = CopyReader::new(checked.encoder.clone());
    while let Some(message) = messages.next().await {
        let message = message.map_err(|error| failed(&doing, error))?;
        copy_reader.feed(&message, &mut keys).map_err(|why| unreadable(why, &doing, select))?;
    }
    if copy_reader.is_complete() {
        return Ok(keys);
    }
    Err(EngineError::new(ErrorKind::Internal, format!("{doing}: COPY ended early")))
}

/// What the planner knows of a table.
struct Size {
    pages: f64,
    rows: f64,
    /// Whether an index begins with the key's first column, so that a range is read without sorting.
    indexed: bool,
}

async fn size(connection: &mut PgConnection, select: &Select, doing: &str) -> Result<Size, EngineError> {
    let name = quoted_name(&select.table);
    let first = select.columns.first().map_or("", |column| column.column.name.as_str());
    let first = first.replace('\\', "\\\\").replace('\'', "''");
    // Without ANALYZE a hundred bytes a row are as good a guess as any.
    let sql = format!(
        "SELECT sum(pages)::text, sum(pages * CASE WHEN relpages > 0 AND reltuples > 0 \
            THEN reltuples::numeric / relpages ELSE 80 END)::text, \
            EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a \
                ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
                JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_am m ON m.oid = x.relam \
                WHERE i.indrelid = {name}::regclass AND i.indisvalid AND i.indpred IS NULL \
                  AND m.amname = 'btree' AND a.attname = E'{first}')::text \
         FROM (SELECT c.reltuples, c.relpages, \
                ceil(pg_catalog.pg_relation_size(c.oid) / current_setting('block_size')::numeric) AS pages \
               FROM (SELECT {name}::regclass::oid AS oid \
                     UNION SELECT relid FROM pg_catalog.pg_partition_tree({name}::regclass) WHERE isleaf) own \
               JOIN pg_catalog.pg_class c ON c.oid = own.oid) parts"
    );
    let found = rows(connection, &sql, doing).await?;
    let number = |index| -> Result<f64, EngineError> {
        let text = found.first().map(|row| text(row, index)).transpose()?.flatten();
        Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0.0))
    };
    let indexed = found.first().map(|row| text(row, 2)).transpose()?.flatten();
    Ok(Size { pages: number(0)?, rows: number(1)?, indexed: indexed.as_deref() == Some("true") })
}

/// The keys that cut a sorted sample into equal parts, ascending and each once.
fn cuts(sample: &RowBlock, key: &[SelectColumn], parts: usize) -> Vec<Key> {
    let order = KeyOrder::new(key.iter().map(|column| column.domain.clone()).collect::<Vec<_>>());
    let mut cuts: Vec<Key> = Vec::new();
    for part in 1..parts {
        let index = sample.len() * part / parts;
        if index == 0 || index >= sample.len() {
            continue;
        }
        let row = sample.row(index);
        let ascends = |last: &Key| order.compare(last.bytes(), row).is_lt();
        if cuts.last().is_none_or(ascends) && order.compare(sample.row(0), row).is_lt() {
            cuts.push(order.key_of(row));
        }
    }
    cuts
}
