//! Databases to test against: SQLite files, and a private PostgreSQL and MariaDB server per test process.
//!
//! A server is started when a test first asks for one, in its own temporary directory, by a watchdog that
//! stops it when this process is gone, however it ended (`watchdog`). A server that is not installed fails
//! the test and says how to install it. `TRUEUP_TEST_POSTGRES_URL` and `TRUEUP_TEST_MYSQL_URL` name a running
//! server to use instead, with the rights of a superuser; the databases and logins of a test are dropped with it.
//!
//! Nothing is ever left out silently: what a given server cannot show (it has no such type, the test needs a
//! file of the server's machine) is told by [`not_run`], which prints a line past the capture of test output.
//! `tests/matrix` counts those lines. On the harness's own servers nothing is left out but what needs a MySQL.
//!
//! Start at [`open`]: an empty [`Database`] of an [`Engine`], which is dropped again with the value.

mod address;
mod database;
mod mariadb;
mod postgres;
mod prepared;
mod product;
mod self_test;
mod session;
mod watchdog;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use session::Session;

pub use address::Address;
pub use database::{Database, Dump};
pub use prepared::Mortal;
pub use product::{Product, not_run, runs_on};
#[allow(unused_imports)] // as `tuned`
pub use watchdog::{Watchdog, private_directory};

/// An engine of the test matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Engine {
    Sqlite,
    Postgres,
    /// MariaDB; MySQL where `TRUEUP_TEST_MYSQL_URL` names one. [`Product`] tells them apart.
    Mariadb,
}

impl Engine {
    /// Every engine the suite runs on.
    pub fn all() -> [Engine; 3] {
        [Engine::Sqlite, Engine::Postgres, Engine::Mariadb]
    }

    /// Every ordered pair (primary, replica).
    pub fn pairs() -> Vec<(Engine, Engine)> {
        Engine::all().into_iter().flat_map(|p| Engine::all().into_iter().map(move |r| (p, r))).collect()
    }

    /// The name used in cases. What output and JSON call the server is [`Product::name`].
    pub fn name(self) -> &'static str {
        match self {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgres",
            Engine::Mariadb => "mariadb",
        }
    }

    /// What stands behind this engine in this run; starts the server if need be.
    pub fn product(self) -> Product {
        match self {
            Engine::Sqlite => Product::SQLITE,
            Engine::Postgres => postgres().product.clone(),
            Engine::Mariadb => mariadb().product.clone(),
        }
    }
}

/// A running server: where it listens, and as whom to log in as its administrator.
pub struct Server {
    pub engine: Engine,
    pub address: Address,
    /// What it is, asked of itself.
    pub product: Product,
    /// The administrator's connection, made when it is first needed.
    session: Mutex<Option<Session>>,
    /// Held so that the server lives exactly as long as this process; `None` for a given server.
    _watchdog: Option<watchdog::Watchdog>,
}

impl Server {
    fn new(engine: Engine, address: Address, watchdog: Option<watchdog::Watchdog>) -> Server {
        let mut session = Session::connect(engine, &address, &address.database)
            .unwrap_or_else(|why| panic!("no connection to {}:{}: {why}", address.host, address.port));
        let product = Product::ask(engine, &mut session);
        product.tell(watchdog.is_none());
        Server { engine, address, product, session: Mutex::new(Some(session)), _watchdog: watchdog }
    }

    /// Whether it is the harness's own; else it was given by one of the variables.
    pub fn is_private(&self) -> bool {
        self._watchdog.is_some()
    }

    /// An empty database with a name no other test has; `hint` makes it recognisable.
    pub fn fresh_database(&'static self, hint: &str) -> Database {
        Database::on_server(self, &unique_name(hint))
    }

    /// The administrator's connection did not outlive the server; the next one who needs it makes another.
    fn forget_session(&self) {
        *self.session.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }

    /// Runs a statement as the administrator, outside any test's database.
    pub fn administer(&self, sql: &str) -> Result<(), String> {
        let mut session = self.session.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if session.is_none() {
            *session = Some(Session::connect(self.engine, &self.address, &self.address.database)?);
        }
        session.as_mut().expect("it was just made").run(sql).map(drop)
    }
}

/// The PostgreSQL server of this test process.
pub fn postgres() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| given("TRUEUP_TEST_POSTGRES_URL", Engine::Postgres).unwrap_or_else(postgres::start))
}

/// The MariaDB server of this test process.
pub fn mariadb() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| given("TRUEUP_TEST_MYSQL_URL", Engine::Mariadb).unwrap_or_else(mariadb::start))
}

/// A MariaDB server beside a given MySQL: the installed one, whatever the variables say.
pub fn private_mariadb() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(mariadb::start)
}

/// A MariaDB server without a binary log.
pub fn unlogged_mariadb() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(mariadb::start_unlogged)
}

/// A MariaDB server whose global settings a test may spoil.
pub fn hostile_mariadb() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(mariadb::start_unlogged)
}

/// A private server for the benchmarks: `settings` (each `name=value`) come on top of those for tests.
#[allow(dead_code)] // the tests have no use for it
pub fn tuned(engine: Engine, settings: &[&str]) -> Result<(Address, Watchdog), String> {
    let mut prepared = match engine {
        Engine::Postgres => postgres::prepare("off"),
        Engine::Mariadb => mariadb::prepare(),
        Engine::Sqlite => return Err("SQLite has no server".into()),
    };
    for setting in settings {
        // Of a setting that is named twice both servers take the last.
        match engine {
            Engine::Postgres => prepared.command.extend(["-c".into(), (*setting).into()]),
            Engine::Mariadb | Engine::Sqlite => prepared.command.push(format!("--{setting}")),
        }
    }
    prepared.start()
}

/// An empty database of `engine`.
pub fn open(engine: Engine, hint: &str) -> Database {
    match engine {
        Engine::Sqlite => Database::sqlite_file(&unique_name(hint)),
        Engine::Postgres => postgres().fresh_database(hint),
        Engine::Mariadb => mariadb().fresh_database(hint),
    }
}

fn given(variable: &str, engine: Engine) -> Option<Server> {
    let url = std::env::var(variable).ok().filter(|url| !url.is_empty())?;
    let address = Address::parse(&url).unwrap_or_else(|why| panic!("{variable} is not usable: {why}"));
    Some(Server::new(engine, address, None))
}

/// `hint` reduced to what every engine takes unquoted, with the process, its time of start and a counter behind
/// it: a given server may still hold what a killed run left.
fn unique_name(hint: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    static START: OnceLock<u64> = OnceLock::new();
    let start = START.get_or_init(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |now| now.as_secs() & 0xff_ffff)
    });
    let hint: String = hint
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .take(30)
        .collect();
    format!("t_{hint}_{}_{start:x}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
