//! SQLite's errors in our words: the kind, and what the user could do.

use rusqlite::{ErrorCode, ffi};

use crate::engine::EngineError;
use crate::engine::error::{CONSTRAINT_HINT, doing};
use crate::failure::ErrorKind;

/// An error of opening or reading the file `name`.
pub(super) fn of_file(name: &str, error: rusqlite::Error) -> EngineError {
    let message = |words: &str| format!("{name}{words}");
    let (kind, message, hint) = match (error.sqlite_error_code(), extended(&error)) {
        (_, ffi::SQLITE_READONLY_ROLLBACK | ffi::SQLITE_READONLY_RECOVERY) => (
            ErrorKind::Connect,
            message(" holds a transaction that its writer did not finish, and may not be rolled back here"),
            Some("open the database once with a program that may write it, or copy it with its journal"),
        ),
        (_, ffi::SQLITE_READONLY_CANTINIT | ffi::SQLITE_READONLY_DIRECTORY) => (
            ErrorKind::Connect,
            message(" cannot be read without writing into its directory"),
            Some("a database in WAL mode keeps a -shm file beside it: allow writing the directory"),
        ),
        (Some(ErrorCode::NotADatabase), _) => (
            ErrorKind::Connect,
            message(" is not a SQLite database, or it is encrypted"),
            Some("trueup reads plain SQLite 3 files"),
        ),
        (Some(ErrorCode::CannotOpen), _) => (
            ErrorKind::Connect,
            message(" cannot be opened"),
            Some(
                "check that the file may be read, and that its directory may be written if it is in WAL mode",
            ),
        ),
        _ => return of_statement("SQLite did not answer", error),
    };
    let error = EngineError::new(kind, message).said(error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn extended(error: &rusqlite::Error) -> i32 {
    error.sqlite_error().map_or(0, |error| error.extended_code)
}

/// An error of a statement; `what` is what could not be done.
pub(super) fn of_statement(what: &str, error: rusqlite::Error) -> EngineError {
    let code = error.sqlite_error_code().unwrap_or(ErrorCode::Unknown);
    let (kind, why, hint) = match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (
            ErrorKind::Timeout,
            "another connection holds the database's lock",
            "try again when it is done, or raise `lock_timeout`",
        ),
        ErrorCode::OperationInterrupted => {
            (ErrorKind::Timeout, "the statement took too long", "raise `statement_timeout`")
        }
        ErrorCode::DiskFull => (ErrorKind::Internal, "the disk is full", "make room and run again"),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => (
            ErrorKind::Permission,
            "the database may not be written",
            "check the rights of the file and of its directory",
        ),
        ErrorCode::ConstraintViolation => (ErrorKind::Value, constraint(extended(&error)), CONSTRAINT_HINT),
        ErrorCode::NotADatabase => (ErrorKind::Connect, "the file is not a SQLite database", ""),
        ErrorCode::DatabaseCorrupt => (
            ErrorKind::Internal,
            "the database is damaged",
            "run `PRAGMA integrity_check` with the sqlite3 client",
        ),
        ErrorCode::CannotOpen => (ErrorKind::Connect, "a file of the database cannot be opened", ""),
        ErrorCode::SystemIoFailure => {
            (ErrorKind::Internal, "the operating system could not read or write", "check the disk")
        }
        ErrorCode::TooBig => (ErrorKind::Value, "a value is longer than SQLite takes", ""),
        ErrorCode::TypeMismatch => (ErrorKind::Value, "a value does not fit its column's type", ""),
        ErrorCode::SchemaChanged => (ErrorKind::Changed, "the structure changed meanwhile", ""),
        _ => return unnamed(what, error),
    };
    let passing = matches!(code, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked);
    let error = EngineError { passing, ..EngineError::new(kind, doing(what, why)) }.said(error);
    if hint.is_empty() { error } else { error.hint(hint) }
}

/// SQLite has one code for everything that is wrong with a statement; its words tell what.
fn unnamed(what: &str, error: rusqlite::Error) -> EngineError {
    let words = error.to_string();
    let missing = ["no such table", "no such column", "no such index", "has no column named"];
    if words.contains(super::functions::UNREADABLE) {
        // These words are ours, and quote no value.
        return EngineError::new(ErrorKind::Value, doing(what, &words))
            .hint("correct the value, or leave its column out of `where`");
    }
    let kind = if missing.iter().any(|beginning| words.contains(beginning)) {
        ErrorKind::Missing
    } else {
        ErrorKind::Internal
    };
    EngineError::new(kind, if what.is_empty() { "SQLite refused" } else { what }).said(words)
}

fn constraint(extended: i32) -> &'static str {
    match extended {
        ffi::SQLITE_CONSTRAINT_UNIQUE => "a unique key would hold a value twice",
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            "the primary key would hold a value twice"
        }
        ffi::SQLITE_CONSTRAINT_NOTNULL => "a NOT NULL column would hold NULL",
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => "a foreign key would point at no row",
        ffi::SQLITE_CONSTRAINT_CHECK => "a CHECK constraint does not hold",
        ffi::SQLITE_CONSTRAINT_TRIGGER => "a trigger refused it",
        ffi::SQLITE_CONSTRAINT_DATATYPE => "a value is not of its STRICT column's type",
        _ => "a constraint does not hold",
    }
}
