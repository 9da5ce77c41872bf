//! PostgreSQL's errors in our words, by SQLSTATE. The server's words, which may quote row values, go only where
//! `--redact` drops them. No message holds a password: sqlx's own messages never do, and the URL is shown
//! without it.

use sqlx::postgres::PgDatabaseError;

use super::super::EngineError;
use super::super::error::{CONSTRAINT_HINT, doing as said_of, driver_words};
use crate::failure::ErrorKind;

/// An error while `doing` something, for example `reading public.orders`.
pub(super) fn failed(doing: &str, error: sqlx::Error) -> EngineError {
    match &error {
        sqlx::Error::Database(database) => {
            let database = database.downcast_ref::<PgDatabaseError>();
            let (kind, reason, hint) = by_state(database.code(), database);
            let passing = matches!(database.code(), "40001" | "40P01" | "55P03");
            let failure = EngineError { passing, ..EngineError::new(kind, said_of(doing, &reason)) }
                .said(words(database));
            match hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        }
        sqlx::Error::Io(_) => EngineError::new(ErrorKind::Connect, said_of(doing, "the connection was lost"))
            .said(driver_words(&error)),
        _ => EngineError::new(ErrorKind::Internal, said_of(doing, "the driver failed"))
            .said(driver_words(&error)),
    }
}

/// Whether the connection is of no more use.
pub(super) fn is_connection_lost(error: &EngineError) -> bool {
    error.kind == ErrorKind::Connect
}

fn words(error: &PgDatabaseError) -> String {
    let mut words = error.message().to_owned();
    if let Some(detail) = error.detail() {
        words.push_str(" (");
        words.push_str(detail);
        words.push(')');
    }
    words
}

type Verdict = (ErrorKind, String, Option<String>);

fn by_state(state: &str, error: &PgDatabaseError) -> Verdict {
    let told = |kind, reason: &str, hint: Option<&str>| (kind, reason.to_owned(), hint.map(str::to_owned));
    match state {
        "42501" if error.message().contains("row-level security") => told(
            ErrorKind::Permission,
            "row-level security would hide rows from this login",
            Some("use the table's owner, or a role with BYPASSRLS"),
        ),
        "42501" => told(ErrorKind::Permission, "a right is missing", Some(grant_hint(error.message()))),
        "25006" => told(
            ErrorKind::Permission,
            "the session or the server is read-only",
            Some("use a server that takes writes, or reset default_transaction_read_only there"),
        ),
        "57014" => told(
            ErrorKind::Timeout,
            "the statement was cancelled or took longer than statement_timeout allows",
            Some("raise `statement_timeout` of this side"),
        ),
        "55P03" => told(
            ErrorKind::Timeout,
            "a lock was not to be had in time",
            Some("raise `lock_timeout` of this side, or try again when the table is less busy"),
        ),
        "40001" => told(
            ErrorKind::Changed,
            "rows changed underneath it (on a standby: the replay got in its way)",
            Some("try again"),
        ),
        "40P01" => told(ErrorKind::Changed, "a deadlock with another session", Some("try again")),
        "42P01" | "3F000" => told(ErrorKind::Missing, "there is no such table", None),
        "42703" => told(ErrorKind::Missing, "there is no such column", None),
        "53100" => {
            told(ErrorKind::Internal, "the server's disk is full", Some("make room there and run again"))
        }
        "53200" => told(ErrorKind::Internal, "the server is out of memory", Some("try again later")),
        "53300" => told(
            ErrorKind::Connect,
            "the server takes no more connections",
            Some("lower `connections` of this side"),
        ),
        "28P01" => told(
            ErrorKind::Connect,
            "the password is wrong, or the URL has none",
            Some("set it in the URL, best as ${NAME}"),
        ),
        "28000" => told(
            ErrorKind::Connect,
            "the server does not let this user in",
            Some("look at the user's LOGIN right and at pg_hba.conf (is TLS asked for: sslmode=require?)"),
        ),
        "3D000" => told(
            ErrorKind::Connect,
            "there is no such database",
            Some("check the name behind the last `/` of the URL, or CREATE DATABASE it"),
        ),
        "57P01" | "57P02" | "57P03" | "57P05" => {
            let reason = "the server shuts down, starts up or ended the session";
            told(ErrorKind::Connect, reason, Some("try again when it is up"))
        }
        _ => by_class(state, error),
    }
}

/// The server names what the right is on, and not which one it is.
fn grant_hint(words: &str) -> &'static str {
    if words.starts_with("must be owner") {
        "structure is changed by the table's owner only: GRANT that role to this login"
    } else if words.contains("for schema") {
        "GRANT USAGE ON the SCHEMA to this login, and CREATE where apply is to create a table in it"
    } else {
        "GRANT it to this login: plan and verify need SELECT, apply also INSERT, UPDATE and DELETE; \
         `trueup check` tells which are missing"
    }
}

fn by_class(state: &str, error: &PgDatabaseError) -> Verdict {
    let internal = || (ErrorKind::Internal, format!("the server reports SQLSTATE {state}"), None);
    match state.get(..2) {
        Some("08") => (ErrorKind::Connect, "the connection was lost".to_owned(), None),
        Some("22") => (ErrorKind::Value, "a value does not fit its column".to_owned(), None),
        Some("23") => {
            let rule = match state {
                "23502" => "NOT NULL",
                "23503" => "foreign key",
                "23505" => "unique",
                "23514" => "check",
                "23P01" => "exclusion",
                _ => "integrity",
            };
            let name = error.constraint().or_else(|| error.column());
            let name = name.map(|name| format!(" {name}")).unwrap_or_default();
            let table = error.table().map(|table| format!(" of table {table}")).unwrap_or_default();
            let reason = format!("the {rule} constraint{name}{table} does not hold");
            (ErrorKind::Value, reason, Some(CONSTRAINT_HINT.to_owned()))
        }
        _ => internal(),
    }
}

/// Why no connection could be made, with what to look at.
pub(super) fn not_connected(display: &str, error: sqlx::Error) -> EngineError {
    let doing = display;
    let refused = |reason: &str, hint: &str, error: sqlx::Error| {
        EngineError::new(ErrorKind::Connect, said_of(doing, reason)).said(driver_words(&error)).hint(hint)
    };
    match error {
        sqlx::Error::Database(_) => {
            let failure = failed(doing, error);
            match failure.kind {
                ErrorKind::Permission => failure.hint("GRANT CONNECT on the database to this user"),
                ErrorKind::Internal => EngineError { kind: ErrorKind::Connect, ..failure },
                _ => failure,
            }
        }
        sqlx::Error::Tls(_) => refused(
            "no TLS connection could be made",
            "look at sslmode and sslrootcert of the URL, and at the server's `ssl` setting",
            error,
        ),
        sqlx::Error::Io(ref why) => match why.kind() {
            std::io::ErrorKind::ConnectionRefused => {
                refused("nothing listens there", "is the server running, and are host and port right?", error)
            }
            std::io::ErrorKind::NotFound => refused(
                "there is no such socket",
                "is the server running, and is the socket's folder right?",
                error,
            ),
            std::io::ErrorKind::TimedOut => {
                refused("no answer in time", "check host, port and firewall", error)
            }
            std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset => {
                refused("the server hung up", "is it a PostgreSQL server, and does it take TLS?", error)
            }
            // What rustls says comes as an I/O error of this kind.
            std::io::ErrorKind::InvalidData => refused(
                "no TLS connection could be made",
                "check sslmode and sslrootcert in the URL, and the server's certificate",
                error,
            ),
            _ if why.to_string().contains("lookup") => {
                refused("the host name is unknown", "check the host in the URL", error)
            }
            _ => refused("the host could not be reached", "check host, port and firewall", error),
        },
        // What the driver stumbled over says nothing to anybody.
        sqlx::Error::Protocol(_) => {
            EngineError::new(ErrorKind::Connect, said_of(doing, "the server was not understood"))
                .hint("is it a PostgreSQL server, and is the port right?")
        }
        _ => refused("no session could be begun", "look at the URL's parameters", error),
    }
}
