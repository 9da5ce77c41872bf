//! How several connections to one file come to read at one moment.
//!
//! A read transaction sees what was committed when its first read began. Several see the same where nobody commits
//! between the first of those reads and the last, and `PRAGMA data_version` tells: on one connection it changes
//! exactly when another connection has committed, in every journal mode
//! (<https://sqlite.org/pragma.html#pragma_data_version>). So one connection looks, the others begin, and that one
//! begins last and looks again from inside its own transaction.
//!
//! Without a write-ahead log a writer that is about to commit waits for readers to leave and keeps new ones out: the
//! ones that have begun must not wait for it then. They leave at once, and all begin again behind it.
//!
//! Invariant: several connections are handed out only where this held, or where a writer was kept out meanwhile
//! (`snapshot: lock`), or where no moment is asked for (`snapshot: none`). Else one reads alone. Nothing is ever
//! written here.

use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::Session;
use crate::engine::EngineError;
use crate::failure::ErrorKind;
use crate::spec::SnapshotMode;

/// How often the connections begin anew where somebody commits between.
const ROUNDS_MAX: u32 = 100;
/// How long that may take altogether.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a connection that would join others waits for a lock. Those others may be what its holder waits for.
const JOIN_WAIT: Duration = Duration::from_millis(10);
/// BEGIN alone fixes nothing: the first read does.
const BEGIN: &str = "BEGIN; SELECT count(*) FROM sqlite_schema;";

/// Connections that read one moment (but for `snapshot: none`), and how that was come by, for people.
pub(super) struct Opened {
    pub(super) connections: Vec<Connection>,
    pub(super) method: String,
}

/// Opens what the side may have, at one moment as far as that can be proved.
pub(super) fn open(session: &Session) -> Result<Opened, EngineError> {
    let mut connections = vec![session.reader()?];
    // What the first was allowed the others are too, or the machine is short of something: then fewer will do.
    connections.extend((1..session.connections).map_while(|_| session.reader().ok()));
    let count = connections.len();
    let method = match session.snapshot {
        SnapshotMode::None => match count {
            1 => "none; one connection, each read sees what is committed when it begins".to_owned(),
            _ => format!("none; {count} connections, each read sees what is committed when it begins"),
        },
        SnapshotMode::Lock if count > 1 => {
            begin_locked(session, &connections)?;
            format!("read transactions of {count} connections, begun while a lock kept writers out")
        }
        SnapshotMode::Auto if count > 1 && begun_together(session, &connections)? => {
            format!("read transactions of {count} connections, begun while data_version stood still")
        }
        SnapshotMode::Auto | SnapshotMode::Lock => {
            connections.truncate(1);
            begin(session, &connections)?;
            let why = if count > 1 { ": others wrote too much for several to begin at once" } else { "" };
            format!("one read transaction on one connection{why}")
        }
    };
    Ok(Opened { connections, method })
}

fn begin(session: &Session, connections: &[Connection]) -> Result<(), EngineError> {
    let begun = |one: &Connection| patiently(session, one, |one| one.execute_batch(BEGIN));
    connections.iter().try_for_each(begun).map_err(|error| session.failed(error))
}

/// Waits for a lock as long as the session allows, looking often: SQLite itself looks only ten times a second, and a
/// writer without a log that does nothing else leaves the file free for a millisecond at a time.
fn patiently<T>(
    session: &Session,
    connection: &Connection,
    work: impl Fn(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let started = Instant::now();
    connection.busy_timeout(JOIN_WAIT)?;
    let done = loop {
        match work(connection) {
            Err(error) if is_busy(&error) && started.elapsed() < session.busy => roll_back(connection)?,
            done => break done,
        }
    };
    connection.busy_timeout(session.busy)?;
    done
}

/// Of what did not begin, the BEGIN may be left.
fn roll_back(connection: &Connection) -> rusqlite::Result<()> {
    if connection.is_autocommit() { Ok(()) } else { connection.execute_batch("ROLLBACK") }
}

/// Begins on all of them, or on none: then others committed too often.
fn begun_together(session: &Session, connections: &[Connection]) -> Result<bool, EngineError> {
    let Some((first, others)) = connections.split_first() else { return Ok(false) };
    let started = Instant::now();
    for round in 1..=ROUNDS_MAX {
        // Holding nothing, it may wait for a writer as long as any reader.
        let before = patiently(session, first, data_version).map_err(|error| session.failed(error))?;
        let together = joined(first, others, before);
        let waits = connections.iter().try_for_each(|one| one.busy_timeout(session.busy));
        let together = waits.and(together).map_err(|error| session.failed(error))?;
        if together {
            return Ok(true);
        }
        connections.iter().try_for_each(roll_back).map_err(|error| session.failed(error))?;
        if started.elapsed() > PATIENCE {
            break;
        }
        // Writers get on meanwhile; not in step with them.
        std::thread::sleep(Duration::from_millis(u64::from(round % 7) * 3));
    }
    Ok(false)
}

/// One attempt. `false`: somebody committed meanwhile, or is about to.
fn joined(first: &Connection, others: &[Connection], before: i64) -> rusqlite::Result<bool> {
    for one in others.iter().chain([first]) {
        one.busy_timeout(JOIN_WAIT)?;
        match one.execute_batch(BEGIN) {
            Ok(()) => {}
            Err(error) if is_busy(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(data_version(first)? == before)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA data_version", [], |row| row.get(0))
}

/// Begins on all of them while a connection of its own holds the lock that a writer needs.
fn begin_locked(session: &Session, connections: &[Connection]) -> Result<(), EngineError> {
    let refused = |error: rusqlite::Error| {
        let permission = matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen)
        );
        if !permission {
            return super::error::of_statement("take the lock of `snapshot: lock`", error);
        }
        let message = format!("`snapshot: lock` needs the right to write {}", session.name());
        EngineError::new(ErrorKind::Permission, message)
            .said(error)
            .hint("leave `snapshot` at auto, which takes no lock")
    };
    let writer = writer(session).map_err(&refused)?;
    patiently(session, &writer, |writer| writer.execute_batch("BEGIN IMMEDIATE")).map_err(refused)?;
    let begun = begin(session, connections);
    // Nothing was written, so there is nothing to keep.
    let released = writer.execute_batch("ROLLBACK").map_err(|error| session.failed(error));
    begun.and(released)
}

/// A connection that takes the writer's lock and changes nothing.
fn writer(session: &Session) -> rusqlite::Result<Connection> {
    let mode = match session.read_only {
        true => OpenFlags::SQLITE_OPEN_READ_ONLY,
        false => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&session.path, flags)?;
    connection.busy_timeout(session.busy)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}
