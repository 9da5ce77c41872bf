//! MySQL and MariaDB. This file owns sessions: how to connect, what is set on every connection, who the server is.
//!
//! Invariant: a connection leaves this file with our own `sql_mode`, UTC, utf8mb4, no row limit and time-outs that
//! a slow reader survives; one that is not meant to write begins only read-only transactions.

mod attachments;
mod definition;
mod digest;
mod encode;
mod error;
mod introspect;
mod model;
mod moment;
mod rights;
mod scan;
mod split;
mod together;
mod triggers;
mod write;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Decode, Either, Executor, MySql, Row};
use tokio::sync::Mutex;

use super::error::driver_words;
use super::{
    Engine, EngineError, Firing, Lack, ModelLoad, ModelPlace, Need, Right, Snapshot, Unloaded, Writer,
};
use crate::failure::ErrorKind;
use crate::schema::{Catalog, Dependent, Folding};
use crate::server::Server;
use crate::spec::{Side, SideUrl, TlsMode};
use crate::sql::mysql::{MARIADB, MYSQL, SQL_MODE};
use crate::sql::{Dialect, EngineName, TableName};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Prepared statements of a connection that stay open; `scan` says why any do.
const STATEMENTS_KEPT: usize = 1_000;
/// A year: the server must not close a connection whose reader waits.
const PATIENCE: &str = "31536000";

/// Connects.
pub async fn connect(side: &Side, writable: bool) -> Result<Arc<dyn Engine>, EngineError> {
    let access = Access { options: options(&side.url), side: side.clone(), writable };
    let mut connection = access.open(false).await?;
    let (server, facts) = greet(&mut connection, &side.url).await?;
    let idle = Mutex::new(vec![connection]);
    Ok(Arc::new(Family { access, server, facts, idle }))
}

/// See [`load_model`](super::load_model).
pub(super) async fn load_model(place: ModelPlace, load: &ModelLoad) -> Result<Catalog, Unloaded> {
    model::load(place, load).await
}

/// A connected server of the family.
struct Family {
    access: Access,
    server: Server,
    facts: Facts,
    idle: Mutex<Vec<MySqlConnection>>,
}

/// What is needed to open one more connection.
#[derive(Clone)]
struct Access {
    options: MySqlConnectOptions,
    side: Side,
    writable: bool,
}

/// What the sessions need to know of the server.
#[derive(Clone, Debug)]
struct Facts {
    engine: EngineName,
    /// The URL's database, as the server spells it.
    database: Option<String>,
    /// `max_allowed_packet` of the server.
    packet_bytes_max: usize,
    /// Names of databases and tables are one without regard to case.
    case_folded: bool,
}

/// Holds options with the password in them: prints nothing of it.
impl std::fmt::Debug for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Family({})", self.server.display)
    }
}

impl Family {
    /// A read-only connection: the one that lies idle, else a new one.
    async fn reading(&self) -> Result<MySqlConnection, EngineError> {
        match self.idle.lock().await.pop() {
            Some(connection) => Ok(connection),
            None => self.access.open(false).await,
        }
    }
}

#[async_trait]
impl Engine for Family {
    fn dialect(&self) -> &'static dyn Dialect {
        dialect(self.facts.engine)
    }

    fn server(&self) -> &Server {
        &self.server
    }

    async fn catalog(&self, schemas: &[Option<String>]) -> Result<Catalog, EngineError> {
        let mut connection = self.reading().await?;
        let catalog = introspect::catalog(&mut connection, &self.facts, schemas).await?;
        self.idle.lock().await.push(connection);
        Ok(catalog)
    }

    /// The catalog lists only what the user has a right on; asked by name, the server says which it is: no such
    /// table, or no right to know.
    async fn hides(&self, table: &TableName) -> Result<bool, EngineError> {
        let mut connection = self.reading().await?;
        let sql = format!("SELECT 1 FROM {} LIMIT 0", self.dialect().table(table));
        let answer = query(&mut connection, &sql, &format!("looking for table {table}")).await;
        match answer {
            Ok(_) => self.idle.lock().await.push(connection),
            Err(error) if error.kind == ErrorKind::Missing => {
                self.idle.lock().await.push(connection);
                return Ok(false);
            }
            Err(error) if error.kind != ErrorKind::Permission => return Err(error),
            Err(_) => {}
        }
        Ok(true)
    }

    async fn knows(&self, table: &TableName, folding: Folding) -> Result<bool, EngineError> {
        let mut connection = self.reading().await?;
        let sql = format!("SELECT 1 FROM {} LIMIT 0", self.dialect().table(table));
        match query(&mut connection, &sql, &format!("looking for table {table}")).await {
            Err(error) if error.kind == ErrorKind::Missing => {
                let known = folding != Folding::None && knows_folded(&mut connection, table).await?;
                self.idle.lock().await.push(connection);
                Ok(known)
            }
            Err(error) if error.kind != ErrorKind::Permission => Err(error),
            _ => Ok(true),
        }
    }

    async fn lacking(&self, needs: &[Need]) -> Result<Vec<Lack>, EngineError> {
        if needs.is_empty() {
            return Ok(Vec::new());
        }
        let writes = self.access.writable && needs.iter().any(|need| need.right != Right::Select);
        // The place of the idle reader: a side may be allowed a single connection.
        self.idle.lock().await.clear();
        let mut connection = self.access.open(writes).await?;
        rights::lacking(&mut connection, self.dialect(), needs).await
    }

    async fn firing(&self, tables: &[TableName]) -> Result<Vec<Firing>, EngineError> {
        let mut connection = self.reading().await?;
        let firing = triggers::firing(&mut connection, self.dialect(), tables).await?;
        self.idle.lock().await.push(connection);
        Ok(firing)
    }

    async fn dependents(&self, tables: &[TableName]) -> Result<Vec<Dependent>, EngineError> {
        let mut connection = self.reading().await?;
        let found = introspect::dependents(&mut connection, tables).await?;
        self.idle.lock().await.push(connection);
        Ok(found)
    }

    async fn has_schema(&self, name: &str) -> Result<bool, EngineError> {
        let mut connection = self.reading().await?;
        let sql = format!("SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {}", quoted(name));
        let found = query(&mut connection, &sql, &format!("looking for the database {name}")).await?;
        self.idle.lock().await.push(connection);
        Ok(!found.is_empty())
    }

    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, EngineError> {
        let connection = self.reading().await?;
        Ok(Arc::new(scan::Moment::begin(connection, self.access.clone(), self.dialect()).await?))
    }

    async fn writer(&self) -> Result<Box<dyn Writer>, EngineError> {
        if !self.access.writable {
            return Err(EngineError::new(ErrorKind::Permission, "this side is only ever read"));
        }
        // The place of the idle reader: a side may be allowed a single connection.
        self.idle.lock().await.clear();
        let connection = self.access.open(true).await?;
        Ok(Box::new(write::Session::new(connection, self.facts.clone(), self.dialect())))
    }
}

fn dialect(engine: EngineName) -> &'static dyn Dialect {
    if engine == EngineName::Mysql { &MYSQL } else { &MARIADB }
}

fn options(url: &SideUrl) -> MySqlConnectOptions {
    // What sqlx would set of itself is switched off: `prepare_session` sets all of it.
    let mut options = MySqlConnectOptions::new()
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .set_names(false)
        .statement_cache_capacity(STATEMENTS_KEPT)
        .disable_statement_logging()
        .host(url.host.as_deref().unwrap_or("localhost"))
        .port(url.port.unwrap_or(3306))
        .username(url.user.as_deref().unwrap_or("root"));
    if let Some(socket) = &url.socket {
        options = options.socket(socket);
    }
    if let Some(password) = &url.password {
        options = options.password(password.expose());
    }
    if let Some(database) = &url.database {
        options = options.database(database);
    }
    let tls = &url.tls;
    options = options.ssl_mode(match tls.mode {
        Some(TlsMode::Disable) => MySqlSslMode::Disabled,
        Some(TlsMode::Require) => MySqlSslMode::Required,
        Some(TlsMode::VerifyCa) => MySqlSslMode::VerifyCa,
        Some(TlsMode::VerifyFull) => MySqlSslMode::VerifyIdentity,
        Some(TlsMode::Allow | TlsMode::Prefer) | None => MySqlSslMode::Preferred,
    });
    if let Some(file) = &tls.root_cert {
        options = options.ssl_ca(file);
    }
    if let Some(file) = &tls.client_cert {
        options = options.ssl_client_cert(file);
    }
    if let Some(file) = &tls.client_key {
        options = options.ssl_client_key(file);
    }
    options
}

impl Access {
    async fn open(&self, writing: bool) -> Result<MySqlConnection, EngineError> {
        let display = self.side.url.display();
        let mut connection = match tokio::time::timeout(CONNECT_TIMEOUT, self.options.connect()).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(why)) => return Err(not_connected(why, &self.side.url)),
            Err(_) => {
                let limit = CONNECT_TIMEOUT.as_secs();
                let message = format!("{display} did not answer within {limit} seconds");
                return Err(EngineError::new(ErrorKind::Connect, message)
                    .hint("check host, port and firewall, and that a MySQL or MariaDB server is there"));
            }
        };
        prepare_session(&mut connection, &self.side, writing).await?;
        Ok(connection)
    }
}

/// Why a connection was not made, in words that say what to look at. Never quotes the password.
fn not_connected(error: sqlx::Error, url: &SideUrl) -> EngineError {
    let display = url.display();
    let failed = |kind, why: String, hint: &str| {
        EngineError::new(kind, why).said(without_password(&driver_words(&error), url)).hint(hint)
    };
    match error::number(&error) {
        Some(1045 | 1698) => failed(
            ErrorKind::Connect,
            format!("{display} refused the user name or password"),
            "check user and password in the URL; a password with special characters is percent-encoded",
        ),
        Some(1049) => failed(
            ErrorKind::Connect,
            format!("{display}: the database does not exist"),
            "check the name behind the last `/` of the URL, or CREATE DATABASE it",
        ),
        Some(1044 | 1142 | 1227) => failed(
            ErrorKind::Permission,
            format!("{display}: the user may not use this database"),
            "GRANT SELECT on the database's tables to the user",
        ),
        Some(1040 | 1203 | 1226) => {
            failed(ErrorKind::Connect, format!("{display} has no connection free"), "try again later")
        }
        Some(1129 | 1130) => failed(
            ErrorKind::Connect,
            format!("{display} takes no connections from this host"),
            "the server's user must be allowed to log in from here: 'user'@'host'",
        ),
        Some(_) => failed(ErrorKind::Connect, format!("{display} refused the connection"), "see its log"),
        None => unreached(&error, &display, &failed),
    }
}

fn unreached(
    error: &sqlx::Error,
    display: &str,
    failed: &dyn Fn(ErrorKind, String, &str) -> EngineError,
) -> EngineError {
    use std::io::ErrorKind as Io;
    let connect = |why: &str, hint: &str| failed(ErrorKind::Connect, format!("{display}: {why}"), hint);
    match error {
        sqlx::Error::Io(io) => match io.kind() {
            Io::ConnectionRefused => {
                connect("nothing listens there", "check host and port, and that the server runs")
            }
            Io::NotFound => connect("there is no such socket", "check the `socket` parameter of the URL"),
            Io::PermissionDenied => connect("the socket may not be opened", "check its permissions"),
            Io::TimedOut | Io::HostUnreachable | Io::NetworkUnreachable => {
                connect("the host is out of reach", "check host, port and firewall")
            }
            // What rustls says comes as an I/O error of this kind.
            Io::InvalidData => connect(
                "no TLS connection could be made",
                "check ssl-mode and ssl-ca in the URL, and the server's certificate",
            ),
            _ if io.to_string().contains("lookup") || io.to_string().contains("resolve") => {
                connect("the host name is unknown", "check the host in the URL")
            }
            _ => connect(
                "the connection broke while it was made",
                "check that a MySQL or MariaDB server is there",
            ),
        },
        sqlx::Error::Tls(_) => connect(
            "no TLS connection could be made",
            "check ssl-mode and ssl-ca in the URL, and the server's certificate",
        ),
        sqlx::Error::Configuration(_) => connect("the URL cannot be used", "check its TLS parameters"),
        _ => connect("the server was not understood", "check that a MySQL or MariaDB server listens there"),
    }
}

fn without_password(text: &str, url: &SideUrl) -> String {
    match &url.password {
        Some(password) if !password.expose().is_empty() => text.replace(password.expose(), "***"),
        _ => text.to_owned(),
    }
}

/// Sets what every session of ours has, whatever the server's defaults are.
async fn prepare_session(
    connection: &mut MySqlConnection,
    side: &Side,
    writing: bool,
) -> Result<(), EngineError> {
    let what = "prepare the session";
    run(connection, "SET NAMES utf8mb4", what).await?;
    let wanted = settings(side);
    let names: Vec<String> = wanted.iter().map(|(name, _)| format!("'{name}'")).collect();
    let known = format!("SHOW SESSION VARIABLES WHERE Variable_name IN ({})", names.join(", "));
    // Which of them a server has depends on its brand and version.
    let known: Vec<String> = query(connection, &known, what)
        .await?
        .into_iter()
        .filter_map(|row| row.into_iter().next()?)
        .collect();
    let set: Vec<String> = wanted
        .into_iter()
        .filter(|(name, _)| known.iter().any(|known| known.eq_ignore_ascii_case(name)))
        .map(|(name, value)| format!("SESSION {name} = {value}"))
        .collect();
    run(connection, &format!("SET {}", set.join(", ")), what).await?;
    let access = if writing { "READ WRITE" } else { "READ ONLY" };
    let isolation = format!("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, {access}");
    run(connection, &isolation, what).await?;
    if writing && side.binlog == Some(false) {
        run(connection, "SET SESSION sql_log_bin = 0", what).await.map_err(|error| {
            EngineError { message: "`binlog: off` needs a right this user lacks".to_owned(), ..error }
                .hint("GRANT BINLOG ADMIN (MariaDB), SYSTEM_VARIABLES_ADMIN (MySQL), or leave `binlog` on")
        })?;
    }
    Ok(())
}

fn settings(side: &Side) -> Vec<(&'static str, String)> {
    let mut settings: Vec<(&'static str, String)> = [
        ("time_zone", "'+00:00'"),
        ("net_write_timeout", PATIENCE),
        ("net_read_timeout", PATIENCE),
        ("wait_timeout", PATIENCE),
        ("idle_transaction_timeout", "0"),
        ("idle_readonly_transaction_timeout", "0"),
        ("idle_write_transaction_timeout", "0"),
        // Limits that would cut a result short, or refuse to read a large one.
        ("sql_select_limit", "18446744073709551615"),
        ("sql_big_selects", "1"),
        ("sql_safe_updates", "0"),
        ("sql_auto_is_null", "0"),
        ("foreign_key_checks", "1"),
        ("unique_checks", "1"),
        // MariaDB can leave CHECK constraints out.
        ("check_constraint_checks", "1"),
        // Definitions are shown in one spelling.
        ("sql_quote_show_create", "1"),
        ("completion_type", "0"),
        ("autocommit", "1"),
        // ORDER BY looks at no more than this of each text: longer than any index entry.
        ("max_sort_length", "65536"),
        ("sort_buffer_size", "8388608"),
        // Long lists of keys stay ranges of the index.
        ("in_predicate_conversion_threshold", "0"),
        ("optimizer_max_sel_arg_weight", "0"),
        ("range_optimizer_max_mem_size", "0"),
        ("system_versioning_asof", "DEFAULT"),
        // Estimates of rows are a day old otherwise (MySQL).
        ("information_schema_stats_expiry", "0"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into();
    settings.push(("sql_mode", format!("'{SQL_MODE}'")));
    // Without a limit of ours none at all: a server's default must not cut a long read short.
    let limit = side.statement_timeout;
    let seconds = limit.map_or("0".to_owned(), |limit| format!("{:.3}", limit.as_secs_f64().max(0.001)));
    let millis = limit.map_or("0".to_owned(), |limit| limit.as_millis().max(1).to_string());
    settings.push(("max_statement_time", seconds));
    settings.push(("max_execution_time", millis));
    if let Some(limit) = side.lock_timeout {
        let seconds = limit.as_millis().div_ceil(1000).max(1).to_string();
        settings.push(("lock_wait_timeout", seconds.clone()));
        settings.push(("innodb_lock_wait_timeout", seconds));
    }
    settings
}

/// Who the server is. Refuses versions that are too old.
async fn greet(connection: &mut MySqlConnection, url: &SideUrl) -> Result<(Server, Facts), EngineError> {
    let what = "ask the server who it is";
    let sql = "SELECT VERSION(), DATABASE(), @@max_allowed_packet, @@lower_case_table_names, @@global.read_only, \
               @@innodb_read_only, CONCAT_WS('|', @@hostname, @@port, @@datadir, @@socket, @@server_id)";
    let row = query(connection, sql, what).await?.into_iter().next().unwrap_or_default();
    let cell = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
    let banner = cell(0);
    let mariadb = banner.to_ascii_lowercase().contains("mariadb");
    let engine = if mariadb { EngineName::Mariadb } else { EngineName::Mysql };
    let version = version(&banner);
    check_version(engine, &version, url)?;
    let variables = ["server_uuid", "super_read_only"];
    let extra = variables_of(connection, &variables, what).await?;
    let instance = extra.get("server_uuid").cloned().unwrap_or_else(|| cell(6));
    let case_folded = cell(3) != "0";
    let database = row.get(1).cloned().flatten();
    let named = database.clone().unwrap_or_default();
    let named = if case_folded { named.to_lowercase() } else { named };
    let is_on = |text: &str| !matches!(text, "" | "0" | "OFF");
    let read_only = if is_on(&cell(5)) {
        Some("the server runs with innodb_read_only".to_owned())
    } else if extra.get("super_read_only").is_some_and(|value| is_on(value)) {
        Some("the server is read-only (super_read_only)".to_owned())
    } else if is_on(&cell(4)) && !may_write_anyway(connection, engine, &version).await? {
        Some("the server is read-only (read_only)".to_owned())
    } else {
        None
    };
    let server = Server {
        engine,
        version,
        identity: format!("{engine}|{instance}|{named}"),
        instance: Some(format!("{engine}|{instance}")),
        place: None,
        display: url.display(),
        missing: false,
        read_only,
    };
    let packet_bytes_max = cell(2).parse().unwrap_or(1 << 20);
    Ok((server, Facts { engine, database, packet_bytes_max, case_folded }))
}

/// `10.11.19-MariaDB-0+deb12u1` → `10.11.19`; some servers put `5.5.5-` before it.
fn version(banner: &str) -> String {
    let banner = banner.strip_prefix("5.5.5-").unwrap_or(banner);
    banner.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect()
}

fn version_number(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

fn check_version(engine: EngineName, version: &str, url: &SideUrl) -> Result<(), EngineError> {
    let (name, oldest) = if engine == EngineName::Mariadb { ("MariaDB", (10, 6)) } else { ("MySQL", (8, 0)) };
    if version_number(version) >= oldest {
        return Ok(());
    }
    let message = format!("{} runs {name} {version}, which is too old", url.display());
    Err(EngineError::new(ErrorKind::Connect, message)
        .hint(format!("trueup works with {name} {}.{} and later", oldest.0, oldest.1)))
}

/// Whether the user has the right that read_only does not stop.
async fn may_write_anyway(
    connection: &mut MySqlConnection,
    engine: EngineName,
    version: &str,
) -> Result<bool, EngineError> {
    let grants = query(connection, "SHOW GRANTS", "read the user's rights").await?;
    let super_does = engine == EngineName::Mysql || version_number(version) < (10, 11);
    Ok(grants.into_iter().flatten().flatten().any(|grant| {
        let rights = grant.split(" ON ").next().unwrap_or_default().to_ascii_uppercase();
        grant.contains(" ON *.* ")
            && (rights.contains("ALL PRIVILEGES")
                || rights.contains("READ_ONLY ADMIN")
                || rights.contains("READ ONLY ADMIN")
                || rights.contains("CONNECTION_ADMIN")
                || (super_does && rights.contains("SUPER")))
    }))
}

async fn variables_of(
    connection: &mut MySqlConnection,
    names: &[&str],
    what: &str,
) -> Result<HashMap<String, String>, EngineError> {
    let list: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let sql = format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})", list.join(", "));
    let rows = query(connection, &sql, what).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let mut cells = row.into_iter();
            Some((cells.next()??.to_ascii_lowercase(), cells.next()??))
        })
        .collect())
}

/// Runs a statement by the text protocol; how many rows it matched.
async fn run(connection: &mut MySqlConnection, sql: &str, what: &str) -> Result<u64, EngineError> {
    let done = connection.execute(AssertSqlSafe(sql)).await;
    done.map(|done| done.rows_affected()).map_err(|why| error::translate(why, what))
}

/// Whether there is a table or view of this name in other letters.
async fn knows_folded(connection: &mut MySqlConnection, table: &TableName) -> Result<bool, EngineError> {
    let schema = table.schema.as_deref().map_or_else(|| "DATABASE()".to_owned(), quoted);
    let sql = format!(
        "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = {schema} AND LOWER(TABLE_NAME) = LOWER({})",
        quoted(&table.name)
    );
    Ok(!query(connection, &sql, &format!("looking for table {table}")).await?.is_empty())
}

/// The rows of a small query as text. By the text protocol, which prints every type.
async fn query(
    connection: &mut MySqlConnection,
    sql: &str,
    what: &str,
) -> Result<Vec<Vec<Option<String>>>, EngineError> {
    let mut rows = Vec::new();
    let mut stream = connection.fetch_many(AssertSqlSafe(sql));
    while let Some(next) = stream.next().await {
        if let Either::Right(row) = next.map_err(|why| error::translate(why, what))? {
            let cells = (0..row.len()).map(|at| {
                raw(&row, at).map(|cell| cell.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
            });
            rows.push(cells.collect::<Result<Vec<_>, _>>()?);
        }
    }
    Ok(rows)
}

/// The bytes of a value as they came; `None` for NULL. Not `is_null`, which takes zero dates for NULL.
fn raw(row: &MySqlRow, at: usize) -> Result<Option<&[u8]>, EngineError> {
    let value = row.try_get_raw(at).map_err(|why| error::translate(why, "read a row"))?;
    // The only error is the NULL.
    Ok(<&[u8] as Decode<'_, MySql>>::decode(value).ok())
}

/// A text in quotes, for our own queries of the catalog.
fn quoted(text: &str) -> String {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    if text.is_empty() { "''".to_owned() } else { format!("_utf8mb4 x'{hex}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_any_banner() {
        for (banner, version_text, number) in [
            ("10.11.19-MariaDB-0+deb12u1", "10.11.19", (10, 11)),
            ("5.5.5-10.6.4-MariaDB", "10.6.4", (10, 6)),
            ("8.0.36-0ubuntu0.22.04.1", "8.0.36", (8, 0)),
            ("8.4.0", "8.4.0", (8, 4)),
        ] {
            assert_eq!(version(banner), version_text);
            assert_eq!(version_number(version_text), number);
        }
    }
}
