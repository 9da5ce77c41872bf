//! One database of a test: made empty, filled, queried and dumped, dropped at the end.
//!
//! Nothing here goes through the code under test.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tempfile::TempDir;

use super::session::{Session, TextRow};
use super::{Engine, Server};

/// Every base table of a database with its rows in an injective textual form, sorted.
pub type Dump = BTreeMap<String, Vec<String>>;

/// An empty database of one test; dropped with this value (`TRUEUP_KEEP=1` keeps it).
pub struct Database {
    pub engine: Engine,
    pub name: String,
    /// As a spec takes it.
    pub url: String,
    place: Place,
}

enum Place {
    File { _directory: TempDir },
    Server { server: &'static Server, session: Mutex<Option<Session>>, roles: Mutex<Vec<String>> },
}

impl Database {
    pub(super) fn sqlite_file(name: &str) -> Database {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let file = directory.path().join(format!("{name}.db"));
        rusqlite::Connection::open(&file).expect("a SQLite file can be made");
        let url = format!("sqlite:{}", file.display());
        Database {
            engine: Engine::Sqlite,
            name: name.into(),
            url,
            place: Place::File { _directory: directory },
        }
    }

    pub(super) fn on_server(server: &'static Server, name: &str) -> Database {
        server
            .administer(&format!("CREATE DATABASE {name}"))
            .unwrap_or_else(|why| panic!("database {name} could not be made: {why}"));
        let place = Place::Server { server, session: Mutex::default(), roles: Mutex::default() };
        Database { engine: server.engine, name: name.into(), url: server.address.url(name), place }
    }

    /// The SQLite file.
    pub fn file(&self) -> Option<&str> {
        self.url.strip_prefix("sqlite:")
    }

    /// The session did not outlive the server; the next one who needs it makes another.
    pub fn forget_session(&self) {
        if let Place::Server { session, .. } = &self.place {
            *session.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
        }
    }

    /// Runs a script; panics with the script at the first error.
    pub fn execute_script(&self, sql: &str) {
        self.try_script(sql)
            .unwrap_or_else(|why| panic!("{} script failed: {why}\n{sql}", self.engine.name()));
    }

    /// Runs a script; the server's message at the first error.
    pub fn try_script(&self, sql: &str) -> Result<(), String> {
        match &self.place {
            Place::File { .. } => self.sqlite().execute_batch(sql).map_err(|why| why.to_string()),
            Place::Server { .. } => self.run(sql).map(drop),
        }
    }

    /// The rows of one query, each value as the engine prints it.
    pub fn query(&self, sql: &str) -> Vec<TextRow> {
        let rows = match &self.place {
            Place::File { .. } => self.query_sqlite(sql).map_err(|why| why.to_string()),
            Place::Server { .. } => self.run(sql),
        };
        rows.unwrap_or_else(|why| panic!("{} query failed: {why}\n{sql}", self.engine.name()))
    }

    fn run(&self, sql: &str) -> Result<Vec<TextRow>, String> {
        let Place::Server { server, session, .. } = &self.place else { panic!("SQLite has no session") };
        let mut session = session.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if session.is_none() {
            *session = Some(Session::connect(self.engine, &server.address, &self.name)?);
        }
        session.as_mut().expect("it was just made").run(&server.product.adapted(sql))
    }

    /// A login of its own with no rights but those of `grants`, a script in which `{role}` stands for its
    /// name. Gives the URL for that login. Server engines only.
    pub fn limited_role(&self, grants: &str) -> String {
        let Place::Server { server, roles, .. } = &self.place else { panic!("SQLite has no roles") };
        let role = super::unique_name("role");
        let (create, name) = match self.engine {
            Engine::Postgres => (format!("CREATE ROLE {role} LOGIN PASSWORD 'limited';"), role.clone()),
            _ => (format!("CREATE USER {role}@'%' IDENTIFIED BY 'limited';"), format!("{role}@'%'")),
        };
        self.execute_script(&format!("{create}\n{}", grants.replace("{role}", &name)));
        roles.lock().expect("no test panics while it holds this lock").push(name);
        server.address.url_as(&role, "limited", &self.name)
    }

    /// The base tables with all their rows. Two dumps of one engine are equal exactly when the rows are.
    pub fn dump(&self) -> Dump {
        let mut dump = Dump::new();
        for (table, select) in self.dump_queries() {
            let rows =
                self.query(&select).into_iter().map(|row| row.into_iter().flatten().collect::<String>());
            let mut rows: Vec<String> = rows.collect();
            rows.sort();
            dump.insert(table, rows);
        }
        dump
    }

    /// One query per base table that gives each row as one injective text.
    fn dump_queries(&self) -> Vec<(String, String)> {
        let catalog = match self.engine {
            Engine::Sqlite => {
                "SELECT name, 'SELECT '||(SELECT group_concat('typeof(\"'||replace(name,'\"','\"\"')||'\")||\
                ''=''||quote(\"'||replace(name,'\"','\"\"')||'\")', '||'',''||') FROM pragma_table_xinfo(m.name) WHERE hidden <> 1)\
                ||' FROM \"'||replace(name,'\"','\"\"')||'\"' FROM sqlite_schema m WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
            }
            Engine::Postgres => {
                "SELECT table_schema||'.'||table_name, \
                format('SELECT _whole_row::text FROM ONLY %I.%I _whole_row', table_schema, table_name) FROM information_schema.tables \
                WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
            }
            Engine::Mariadb => {
                "SELECT table_name, concat('SELECT concat_ws('','', ', \
                group_concat(concat('coalesce(hex(cast(`', replace(column_name,'`','``'), '` AS binary)),''NULL'')') \
                ORDER BY ordinal_position SEPARATOR ','), ') FROM `', replace(table_name,'`','``'), '`') \
                FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name) \
                WHERE table_schema = database() AND table_type = 'BASE TABLE' GROUP BY table_name"
            }
        };
        let pair = |row: TextRow| {
            let mut values = row.into_iter().flatten();
            Some((values.next()?, values.next()?))
        };
        self.query(catalog).into_iter().filter_map(pair).collect()
    }

    fn sqlite(&self) -> rusqlite::Connection {
        let file = self.file().expect("only SQLite databases come here");
        let connection = rusqlite::Connection::open(file).expect("the file of this test can be opened");
        connection.busy_timeout(std::time::Duration::from_secs(10)).expect("a time-out can be set");
        connection
    }

    fn query_sqlite(&self, sql: &str) -> rusqlite::Result<Vec<TextRow>> {
        let connection = self.sqlite();
        let mut statement = connection.prepare(sql)?;
        let columns = statement.column_count();
        let rows = statement
            .query_map([], |row| (0..columns).map(|at| Ok(sqlite_text(row.get_ref(at)?))).collect())?;
        rows.collect()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Place::Server { server, session, roles } = &self.place else { return };
        if std::env::var_os("TRUEUP_KEEP").is_some() {
            return;
        }
        // PostgreSQL waits a tenth of a second when it meets a connection that is about to end.
        if let Some(session) = session.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
            session.close();
            std::thread::sleep(std::time::Duration::from_millis(4));
        }
        let (force, role_word) =
            if self.engine == Engine::Postgres { (" WITH (FORCE)", "ROLE") } else { ("", "USER") };
        let roles = roles.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let drops = roles.iter().map(|role| format!("DROP {role_word} {role}"));
        // A test may make a second database beside its own on MariaDB, where a schema is one.
        let beside =
            (self.engine == Engine::Mariadb).then(|| format!("DROP DATABASE IF EXISTS {}_other", self.name));
        let own = format!("DROP DATABASE {}{force}", self.name);
        for sql in beside.into_iter().chain([own]).chain(drops) {
            // A test that already failed must show its own reason, so this does not panic.
            if let Err(why) = server.administer(&sql) {
                eprintln!("{sql}: {why}");
            }
        }
    }
}

fn sqlite_text(value: rusqlite::types::ValueRef<'_>) -> Option<String> {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(format!("{number:?}")),
        ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Some(bytes.iter().map(|byte| format!("{byte:02X}")).collect()),
    }
}
