//! Sessions: how a connection is made and set up, and the small pool of them.
//!
//! Refuses to take anything from the environment: what the spec says is all that counts. The invariant: every
//! connection handed out has the same settings (UTC, ISO dates, no row security filter, our own time-outs, on
//! the primary read-only), and none that was left in the middle of an answer is ever handed out again.

mod attachments;
mod blockers;
mod digest;
mod encode;
mod enums;
mod failure;
mod holders;
mod introspect;
mod model;
mod numbers;
mod orphans;
mod rights;
mod scan;
mod together;
mod triggers;
mod write;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Blocker, Engine, EngineError, Firing, Holder, Lack, ModelLoad, ModelPlace, Need, Snapshot, Touched,
    Unloaded, Writer,
};
use crate::failure::ErrorKind;
use crate::schema::{Catalog, Dependent, Folding};
use crate::server::Server;
use crate::spec::{Side, SideUrl, SnapshotMode, TlsMode};
use crate::sql::postgres::Postgres as PostgresSql;
use crate::sql::{Dialect, EngineName, TableName};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The oldest version whose catalogs and functions are all here.
const VERSION_MIN: u32 = 130_000;
/// How long to wait for one of our own connections: only a caller that keeps too many would wait longer.
const OWN_CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
const DIALECT: PostgresSql = PostgresSql;

/// Connects.
pub async fn connect(side: &Side, writable: bool) -> Result<Arc<dyn Engine>, EngineError> {
    let pool = Arc::new(Pool {
        options: connect_options(&side.url)?,
        settings: settings(side, writable),
        display: side.url.display(),
        idle: Mutex::default(),
        slots: Arc::new(Semaphore::new(side.connections.max(1) as usize)),
        size: side.connections.max(1) as usize,
    });
    let mut connection = pool.open().await?;
    let server = look_at_server(&mut connection, &pool.display).await?;
    pool.put_back(connection);
    Ok(Arc::new(Postgres { pool, server, snapshot: side.snapshot }))
}

/// See [`load_model`](super::load_model).
pub(super) async fn load_model(place: ModelPlace, load: &ModelLoad) -> Result<Catalog, Unloaded> {
    model::load(place, load).await
}

/// A connected PostgreSQL database.
#[derive(Debug)]
struct Postgres {
    pool: Arc<Pool>,
    server: Server,
    snapshot: SnapshotMode,
}

#[async_trait]
impl Engine for Postgres {
    fn dialect(&self) -> &'static dyn Dialect {
        &DIALECT
    }

    fn server(&self) -> &Server {
        &self.server
    }

    async fn catalog(&self, schemas: &[Option<String>]) -> Result<Catalog, EngineError> {
        let mut session = self.pool.take().await?;
        let catalog = introspect::catalog(&mut session.connection, schemas).await?;
        session.give_back();
        Ok(catalog)
    }

    async fn schemas(&self) -> Result<Vec<Option<String>>, EngineError> {
        let mut session = self.pool.take().await?;
        let schemas = introspect::schemas(&mut session.connection).await?;
        session.give_back();
        Ok(schemas)
    }

    async fn lacking(&self, needs: &[Need]) -> Result<Vec<Lack>, EngineError> {
        let mut session = self.pool.take().await?;
        let lacks = rights::lacking(&mut session.connection, needs).await?;
        session.give_back();
        Ok(lacks)
    }

    async fn firing(&self, tables: &[TableName]) -> Result<Vec<Firing>, EngineError> {
        let mut session = self.pool.take().await?;
        let means = triggers::means(&mut session.connection, tables).await?;
        session.give_back();
        let firing = |(_, means)| match means {
            triggers::Means::None(firing) => Some(firing),
            _ => None,
        };
        Ok(means.into_iter().filter_map(firing).collect())
    }

    async fn dependents(&self, tables: &[TableName]) -> Result<Vec<Dependent>, EngineError> {
        let mut session = self.pool.take().await?;
        let found = introspect::dependents(&mut session.connection, tables).await?;
        session.give_back();
        Ok(found)
    }

    async fn knows(&self, table: &TableName, folding: Folding) -> Result<bool, EngineError> {
        let mut session = self.pool.take().await?;
        let known = holders::knows(&mut session.connection, table, folding).await?;
        session.give_back();
        Ok(known)
    }

    async fn holders_of(&self, tables: &[TableName]) -> Result<Vec<Holder>, EngineError> {
        let mut session = self.pool.take().await?;
        let found = holders::of(&mut session.connection, tables).await?;
        session.give_back();
        Ok(found)
    }

    async fn blockers(&self, touched: &[Touched]) -> Result<Vec<Blocker>, EngineError> {
        if touched.is_empty() {
            return Ok(Vec::new());
        }
        let mut session = self.pool.take().await?;
        let found = blockers::of(&mut session.connection, touched).await?;
        session.give_back();
        Ok(found)
    }

    async fn has_schema(&self, name: &str) -> Result<bool, EngineError> {
        Ok(self.schemas().await?.iter().any(|schema| schema.as_deref() == Some(name)))
    }

    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, EngineError> {
        let shared = self.snapshot != SnapshotMode::None;
        Ok(Arc::new(scan::Moment::begin(Arc::clone(&self.pool), shared).await?))
    }

    async fn writer(&self) -> Result<Box<dyn Writer>, EngineError> {
        if let Some(why) = &self.server.read_only {
            let message = format!("opening {} for writing: {why}", self.pool.display);
            return Err(EngineError::new(ErrorKind::Permission, message));
        }
        Ok(Box::new(write::PostgresWriter::open(&self.pool).await?))
    }
}

/// The connections of a side: at most `size` readers at once, and one that writes.
struct Pool {
    options: PgConnectOptions,
    /// Statements that every session begins with.
    settings: String,
    display: String,
    /// Open connections nobody uses, outside any transaction.
    idle: Mutex<Vec<PgConnection>>,
    slots: Arc<Semaphore>,
    size: usize,
}

/// Connections and their options may hold a password: a pool never prints them.
impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({})", self.display)
    }
}

/// A connection in use, and the right to it. Dropping it closes the connection.
struct Session {
    connection: PgConnection,
    _slot: Option<OwnedSemaphorePermit>,
    pool: Arc<Pool>,
}

impl Session {
    /// Returns a connection that is outside any transaction and has answered everything.
    fn give_back(self) {
        self.pool.put_back(self.connection);
    }
}

impl Pool {
    /// A connection that is alive, as soon as fewer than `size` are in use.
    async fn take(self: &Arc<Self>) -> Result<Session, EngineError> {
        let waited = tokio::time::timeout(OWN_CONNECTION_TIMEOUT, Arc::clone(&self.slots).acquire_owned());
        match waited.await {
            Ok(Ok(slot)) => self.connected(Some(slot)).await,
            _ => {
                let message = format!("reading {}: all {} connections are in use", self.display, self.size);
                Err(EngineError::new(ErrorKind::Timeout, message).hint("raise `connections` of this side"))
            }
        }
    }

    async fn connected(self: &Arc<Self>, slot: Option<OwnedSemaphorePermit>) -> Result<Session, EngineError> {
        loop {
            let idle = self.idle().pop();
            let connection = match idle {
                // The server may have closed it while nobody looked.
                Some(mut connection) => match connection.ping().await {
                    Ok(()) => connection,
                    Err(_) => continue,
                },
                None => self.open().await?,
            };
            return Ok(Session { connection, _slot: slot, pool: Arc::clone(self) });
        }
    }

    fn put_back(&self, connection: PgConnection) {
        self.idle().push(connection);
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<PgConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open(&self) -> Result<PgConnection, EngineError> {
        let attempt = async {
            let mut connection = self.options.connect().await?;
            sqlx::raw_sql(AssertSqlSafe(self.settings.as_str())).execute(&mut connection).await?;
            // So that a reader that goes away in the middle of a long sort does not keep the server busy.
            // PostgreSQL 13 does not know it, and some systems cannot do it: then it stays as it was.
            sqlx::raw_sql("SET client_connection_check_interval = '10s'").execute(&mut connection).await.ok();
            Ok(connection)
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
            Ok(connected) => connected.map_err(|error| failure::not_connected(&self.display, error)),
            Err(_) => {
                let timed_out = std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in 10 seconds");
                Err(failure::not_connected(&self.display, sqlx::Error::Io(timed_out)))
            }
        }
    }
}

/// Runs statements and hands out the rows of all of them, every value as text.
async fn rows(connection: &mut PgConnection, sql: &str, doing: &str) -> Result<Vec<PgRow>, EngineError> {
    use futures_util::TryStreamExt;
    let stream = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(connection);
    stream.try_collect().await.map_err(|error| failure::failed(doing, error))
}

/// Runs statements that give no rows.
async fn run(connection: &mut PgConnection, sql: &str, doing: &str) -> Result<u64, EngineError> {
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await;
    done.map(|done| done.rows_affected()).map_err(|error| failure::failed(doing, error))
}

/// A value of a row whose query casts it to text.
fn text(row: &PgRow, index: usize) -> Result<Option<String>, EngineError> {
    row.try_get_unchecked(index).map_err(|error| failure::failed("reading the server's answer", error))
}

/// Everything from the URL, nothing from the environment. sqlx starts from the `PG…` variables and offers no
/// way around it: what can be set is set over them, and what could only be added to is refused.
fn connect_options(url: &SideUrl) -> Result<PgConnectOptions, EngineError> {
    refuse_environment(url)?;
    let user = user(url)?;
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(url.host.as_deref().unwrap_or("localhost"))
        .port(url.port.unwrap_or(5432))
        .username(&user)
        // An empty password is none: a server that asks for one refuses it.
        .password(url.password.as_ref().map(|password| password.expose()).unwrap_or_default())
        .database(url.database.as_deref().unwrap_or(&user))
        .ssl_mode(ssl_mode(url.tls.mode))
        .application_name(url.application_name.as_deref().unwrap_or("trueup"))
        .extra_float_digits(3)
        .statement_cache_capacity(8)
        .disable_statement_logging();
    if let Some(folder) = &url.socket {
        options = options.socket(folder);
    }
    if let Some(file) = &url.tls.root_cert {
        options = options.ssl_root_cert(file);
    }
    if let Some(file) = &url.tls.client_cert {
        options = options.ssl_client_cert(file);
    }
    if let Some(file) = &url.tls.client_key {
        options = options.ssl_client_key(file);
    }
    let given = url.options_text.as_deref().map(parse_options).transpose()?.unwrap_or_default();
    if !given.is_empty() || !url.options.is_empty() {
        options = options.options(given).options(url.options.iter().map(|(name, value)| (name, value)));
    }
    Ok(options)
}

fn refuse_environment(url: &SideUrl) -> Result<(), EngineError> {
    let tls = url.tls.mode != Some(TlsMode::Disable) && url.socket.is_none();
    let verified = matches!(url.tls.mode, Some(TlsMode::VerifyCa | TlsMode::VerifyFull));
    let leaks = [
        ("PGOPTIONS", true),
        ("PGSSLROOTCERT", tls && verified && url.tls.root_cert.is_none()),
        ("PGSSLCERT", tls && url.tls.client_cert.is_none()),
        ("PGSSLKEY", tls && url.tls.client_key.is_none()),
    ];
    for (name, leaks) in leaks {
        if leaks && std::env::var_os(name).is_some_and(|value| !value.is_empty()) {
            let message =
                format!("{}: the environment variable {name} would change this connection", url.display());
            return Err(EngineError::new(ErrorKind::Connect, message)
                .hint(format!("unset {name}, and say in the URL what is needed")));
        }
    }
    Ok(())
}

/// The URL's user, else as everywhere in PostgreSQL the operating system's.
fn user(url: &SideUrl) -> Result<String, EngineError> {
    if let Some(user) = &url.user {
        return Ok(user.clone());
    }
    if std::env::var_os("PGUSER").is_none() {
        return Ok(PgConnectOptions::new_without_pgpass().get_username().to_owned());
    }
    ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok()).ok_or_else(|| {
        let message = format!("{}: the URL names no user", url.display());
        EngineError::new(ErrorKind::Connect, message).hint("write postgres://user@host/db")
    })
}

fn ssl_mode(mode: Option<TlsMode>) -> PgSslMode {
    match mode {
        Some(TlsMode::Disable) => PgSslMode::Disable,
        Some(TlsMode::Allow) => PgSslMode::Allow,
        None | Some(TlsMode::Prefer) => PgSslMode::Prefer,
        Some(TlsMode::Require) => PgSslMode::Require,
        Some(TlsMode::VerifyCa) => PgSslMode::VerifyCa,
        Some(TlsMode::VerifyFull) => PgSslMode::VerifyFull,
    }
}

/// `-c name=value --name=value`, a backslash before a blank that belongs to the value.
fn parse_options(text: &str) -> Result<Vec<(String, String)>, EngineError> {
    let mut words = vec![String::new()];
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        let last = words.last_mut().expect("there is always a last word");
        match c {
            '\\' => last.extend(characters.next()),
            c if c.is_whitespace() => words.push(String::new()),
            c => last.push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    let mut words = words.into_iter();
    let mut options = Vec::new();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            Some("") => words.next(),
            Some(rest) => Some(rest.to_owned()),
            None => None,
        };
        let pair = setting.as_deref().and_then(|setting| setting.split_once('='));
        let Some((name, value)) = pair else {
            return Err(EngineError::new(
                ErrorKind::Connect,
                "reading the URL's `options`: they are not understood",
            )
            .hint("write options=-c%20name%3Dvalue, or options[name]=value"));
        };
        options.push((name.to_owned(), value.to_owned()));
    }
    Ok(options)
}

/// What every session begins with. Set after the start, so that it also holds behind a pooler that drops
/// start-up parameters, and whatever the role or the database has set.
fn settings(side: &Side, writable: bool) -> String {
    let milliseconds = |limit: Option<Duration>| limit.map_or(0, |limit| limit.as_millis().max(1));
    let read_only = if writable { "" } else { "SET default_transaction_read_only = on; " };
    let search_path = if side.search_path.is_empty() {
        String::new()
    } else {
        let names: Vec<String> =
            side.search_path.iter().map(|name| DIALECT.identifier(&name.value)).collect();
        format!("SET search_path = {}; ", names.join(", "))
    };
    format!(
        "SET client_encoding = 'UTF8'; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; \
         SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; SET extra_float_digits = 3; SET lc_monetary = 'C'; \
         SET standard_conforming_strings = on; SET row_security = off; SET xmloption = 'content'; \
         SET array_nulls = on; SET transform_null_equals = off; \
         SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = 0; \
         SET default_transaction_isolation = 'read committed'; SET default_transaction_deferrable = off; \
         {search_path}{read_only}",
        milliseconds(side.statement_timeout),
        milliseconds(side.lock_timeout),
    )
}

/// Version, identity, and whether it can be written.
///
/// The identity is the cluster's own identifier and time line (a restored copy has another one) with the
/// database's OID, so that a socket and TCP agree. A standby has its primary's identifier, hence its address.
async fn look_at_server(connection: &mut PgConnection, display: &str) -> Result<Server, EngineError> {
    const FACTS: &str = "SELECT current_setting('server_version_num'), \
        current_setting('server_version'), \
        (SELECT oid::text FROM pg_catalog.pg_database WHERE datname = current_database()), \
        current_database()::text, current_setting('port'), \
        coalesce(host(inet_server_addr()), 'local'), \
        pg_is_in_recovery()::text, current_setting('default_transaction_read_only'), \
        (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'default_transaction_read_only'), \
        current_setting('server_encoding'), \
        (has_function_privilege('pg_control_system()', 'EXECUTE') \
            AND has_function_privilege('pg_control_checkpoint()', 'EXECUTE'))::text";
    let doing = format!("looking at {display}");
    let facts = rows(connection, FACTS, &doing).await?;
    let facts = facts.first().ok_or_else(|| EngineError::new(ErrorKind::Internal, doing.as_str()))?;
    let fact = |index| text(facts, index).map(Option::unwrap_or_default);
    let version_number: u32 = fact(0)?.parse().unwrap_or(0);
    let version = fact(1)?.split_whitespace().next().unwrap_or_default().to_owned();
    if version_number < VERSION_MIN {
        let message = format!("{display}: PostgreSQL {version} is too old");
        return Err(EngineError::new(ErrorKind::Connect, message).hint("PostgreSQL 13 or later is needed"));
    }
    // In other encodings COLLATE "C" is not the order of code points.
    if !matches!(fact(9)?.as_str(), "UTF8" | "SQL_ASCII" | "LATIN1") {
        let message = format!("{display}: not available yet: databases of encoding {}", fact(9)?);
        return Err(EngineError::new(ErrorKind::Type, message));
    }
    let standby = fact(6)? == "true";
    let cluster = if fact(10)? == "true" {
        const CLUSTER: &str = "SELECT s.system_identifier::text || '/' || c.timeline_id \
            FROM pg_catalog.pg_control_system() s, pg_catalog.pg_control_checkpoint() c";
        let found = rows(connection, CLUSTER, &doing).await?;
        found.first().map(|row| text(row, 0)).transpose()?.flatten().unwrap_or_default()
    } else {
        fact(5)?
    };
    let place = if standby { format!("/standby/{}", fact(5)?) } else { String::new() };
    let identity = format!("postgres/{cluster}/{}{place}/{}/{}", fact(4)?, fact(2)?, fact(3)?);
    let read_only = if standby {
        Some("the server is a standby".to_owned())
    } else if fact(8)? == "on" {
        Some("the server's default_transaction_read_only is on".to_owned())
    } else {
        None
    };
    Ok(Server {
        engine: EngineName::Postgres,
        version,
        identity,
        instance: None,
        place: None,
        display: display.to_owned(),
        missing: false,
        read_only,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Place, Side};

    fn side(url: &str) -> Side {
        Side::from_url(SideUrl::parse(url, Place::START).expect("a URL"))
    }

    #[test]
    fn options_text_is_read_as_the_server_reads_it() {
        let pairs = |text: &str| parse_options(text).map_err(|error| error.message);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            pairs("-c geqo=off --work_mem=8MB -csearch_path=a\\ b"),
            Ok(vec![pair("geqo", "off"), pair("work_mem", "8MB"), pair("search_path", "a b")])
        );
        assert_eq!(pairs("  "), Ok(Vec::new()));
        assert!(pairs("-d 5").is_err());
        assert!(pairs("-c").is_err());
    }

    #[test]
    fn everything_comes_from_the_url() {
        let url = "postgres://us%40er:s3cret@db.example:6543/shop?sslmode=disable&application_name=mine";
        let options = connect_options(&side(url).url).expect("options");
        assert_eq!((options.get_host(), options.get_port()), ("db.example", 6543));
        assert_eq!((options.get_username(), options.get_database()), ("us@er", Some("shop")));
        assert_eq!(options.get_application_name(), Some("mine"));
        assert_eq!(options.get_options(), None);
        let plain = connect_options(&side("postgres://someone@?sslmode=disable").url).expect("options");
        assert_eq!((plain.get_host(), plain.get_port()), ("localhost", 5432));
        assert_eq!(plain.get_database(), Some("someone"));
    }

    #[test]
    fn only_a_replica_may_write() {
        let mut side = side("postgres://u@h/d");
        side.statement_timeout = Some(Duration::from_secs(30));
        assert!(settings(&side, false).contains("default_transaction_read_only = on"));
        assert!(!settings(&side, true).contains("read_only"));
        assert!(settings(&side, true).contains("statement_timeout = 30000;"));
        assert!(settings(&side, true).contains("lock_timeout = 0;"));
    }
}
