//! A connection of the harness: runs scripts and gives every value as the server prints it.
//!
//! It speaks the engines' simple text protocols only (`raw_sql`), which share nothing with how the code
//! under test reads and writes, and stops at the first error. On MariaDB names go in double quotes and a
//! backslash is a backslash, so that a script can be written once.

use std::sync::OnceLock;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use tokio::runtime::{Builder, Runtime};

use super::{Address, Engine};

/// A row as text; `None` is NULL.
pub type TextRow = Vec<Option<String>>;

/// A connection to one database of a server.
pub enum Session {
    Postgres(Box<PgConnection>),
    Mariadb(Box<MySqlConnection>),
}

const MARIADB_SETTINGS: &str = "SET sql_mode='ANSI_QUOTES,STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,NO_AUTO_VALUE_ON_ZERO', group_concat_max_len = 10000000";

impl Session {
    /// Logs in; the server's message when it refuses.
    pub fn connect(engine: Engine, address: &Address, database: &str) -> Result<Session, String> {
        let url = address.url(database);
        let session = runtime().block_on(async {
            match engine {
                Engine::Postgres => {
                    let options: PgConnectOptions = url.parse()?;
                    let options = options.options([("client_min_messages", "warning")]);
                    Ok(Session::Postgres(Box::new(options.disable_statement_logging().connect().await?)))
                }
                _ => {
                    let options: MySqlConnectOptions = url.parse()?;
                    let options = options.pipes_as_concat(false).no_engine_substitution(false).timezone(None);
                    Ok(Session::Mariadb(Box::new(options.disable_statement_logging().connect().await?)))
                }
            }
        });
        let mut session = session.map_err(|why: sqlx::Error| why.to_string())?;
        if engine == Engine::Mariadb {
            session.run(MARIADB_SETTINGS)?;
            // MySQL's own limit of recursion is a thousand; MariaDB does not know the name.
            let _ = session.run("SET cte_max_recursion_depth = 10000000");
        }
        Ok(session)
    }

    /// Runs all statements of `sql`; the rows of all of them.
    pub fn run(&mut self, sql: &str) -> Result<Vec<TextRow>, String> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_string()));
        let rows: Result<Vec<TextRow>, sqlx::Error> = runtime().block_on(async {
            match self {
                Session::Postgres(connection) => {
                    sql.fetch_all(&mut **connection).await?.iter().map(postgres_row).collect()
                }
                Session::Mariadb(connection) => {
                    sql.fetch_all(&mut **connection).await?.iter().map(mariadb_row).collect()
                }
            }
        });
        rows.map_err(|why| why.to_string())
    }

    /// Takes leave of the server.
    pub fn close(self) {
        // Whether the server heard it is of no consequence.
        let _ = runtime().block_on(async {
            match self {
                Session::Postgres(connection) => sqlx::Connection::close(*connection).await,
                Session::Mariadb(connection) => sqlx::Connection::close(*connection).await,
            }
        });
    }
}

fn postgres_row(row: &PgRow) -> Result<TextRow, sqlx::Error> {
    let value = |at| {
        let value = row.try_get_raw(at)?;
        let bytes = if sqlx::ValueRef::is_null(&value) { None } else { Some(value.as_bytes()) };
        bytes.transpose().map(|bytes| bytes.map(printed)).map_err(sqlx::Error::Decode)
    };
    (0..row.len()).map(value).collect()
}

/// PostgreSQL before 15 sends a `"char"` beyond ASCII as the byte that it is, whatever the client's encoding.
fn printed(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}

fn mariadb_row(row: &MySqlRow) -> Result<TextRow, sqlx::Error> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (0..row.len())
        .map(|at| row.try_get_unchecked::<Option<Vec<u8>>, _>(at).map(|value| value.map(text)))
        .collect()
}

/// One runtime for all sessions; a test's thread waits on it.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime can be started")
    })
}
