//! One database of a test: made empty, driven by the engine's own client, dropped at the end.
//!
//! Nothing here goes through the code under test. Scripts run under settings that make plain SQL portable
//! (MariaDB: `ANSI_QUOTES`, no backslash escapes), and stop at the first error.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

use super::{Address, Engine, Server};

/// A row as text; `None` is NULL.
pub type TextRow = Vec<Option<String>>;

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
    Server { server: &'static Server, roles: Mutex<Vec<String>> },
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
        run_client(
            server.engine,
            &server.address,
            &server.address.database,
            &format!("CREATE DATABASE {name};"),
        )
        .unwrap_or_else(|why| panic!("database {name} could not be made: {why}"));
        let place = Place::Server { server, roles: Mutex::default() };
        Database { engine: server.engine, name: name.into(), url: server.address.url(name), place }
    }

    /// The SQLite file.
    pub fn file(&self) -> Option<&str> {
        self.url.strip_prefix("sqlite:")
    }

    /// Runs a script; panics with the script at the first error.
    pub fn execute_script(&self, sql: &str) {
        self.try_script(sql)
            .unwrap_or_else(|why| panic!("{} script failed: {why}\n{sql}", self.engine.name()));
    }

    /// Runs a script; the client's message at the first error.
    pub fn try_script(&self, sql: &str) -> Result<(), String> {
        match &self.place {
            Place::File { .. } => self.sqlite().execute_batch(sql).map_err(|why| why.to_string()),
            Place::Server { server, .. } => {
                run_client(self.engine, &server.address, &self.name, sql).map(drop)
            }
        }
    }

    /// The rows of one query, each value as the client prints it.
    pub fn query(&self, sql: &str) -> Vec<TextRow> {
        let rows = match &self.place {
            Place::File { .. } => self.query_sqlite(sql).map_err(|why| why.to_string()),
            Place::Server { server, .. } => {
                run_client(self.engine, &server.address, &self.name, sql).map(|out| {
                    if self.engine == Engine::Mariadb { read_xml(&out) } else { read_separated(&out) }
                })
            }
        };
        rows.unwrap_or_else(|why| panic!("{} query failed: {why}\n{sql}", self.engine.name()))
    }

    /// A login of its own with no rights but those of `grants`, a script in which `{role}` stands for its
    /// name. Gives the URL for that login. Server engines only.
    pub fn limited_role(&self, grants: &str) -> String {
        let Place::Server { server, roles } = &self.place else { panic!("SQLite has no roles") };
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
                format('SELECT t::text FROM ONLY %I.%I t', table_schema, table_name) FROM information_schema.tables \
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
        let long = "SET group_concat_max_len = 1000000;\n";
        let catalog =
            if self.engine == Engine::Mariadb { format!("{long}{catalog}") } else { catalog.to_string() };
        let pair = |row: TextRow| {
            let mut values = row.into_iter().flatten();
            Some((values.next()?, values.next()?))
        };
        self.query(&catalog).into_iter().filter_map(pair).collect()
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
        let Place::Server { server, roles } = &self.place else { return };
        if std::env::var_os("TRUEUP_KEEP").is_some() {
            return;
        }
        let (force, role_word) =
            if self.engine == Engine::Postgres { (" WITH (FORCE)", "ROLE") } else { ("", "USER") };
        let mut script = format!("DROP DATABASE {}{force};\n", self.name);
        for role in roles.lock().iter().flat_map(|roles| roles.iter()) {
            script.push_str(&format!("DROP {role_word} {role};\n"));
        }
        // A test that already failed must show its own reason, so this does not panic.
        if let Err(why) = run_client(self.engine, &server.address, &server.address.database, &script) {
            eprintln!("database {} could not be dropped: {why}", self.name);
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

/// The `psql` program for `database`: no start-up file, values apart by unit separators, NULL marked.
fn psql_client(address: &Address, database: &str) -> Command {
    let mut command = Command::new("psql");
    command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-F", "\u{1f}", "-R", "\u{1e}", "-P", "null=\u{1}NULL"]);
    command.env("PGOPTIONS", "-c client_min_messages=warning").env("PGCLIENTENCODING", "UTF8");
    command.arg(address.url(database));
    command
}

/// The `mariadb` program for `database`: no start-up file, XML (the only form that tells NULL from 'NULL').
pub(super) fn mariadb_client(address: &Address, database: &str) -> Command {
    let mut command = Command::new("mariadb");
    command.args(["--no-defaults", "--protocol=tcp", "--default-character-set=utf8mb4", "--xml"]);
    command.arg("--init-command=SET sql_mode='ANSI_QUOTES,STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,NO_AUTO_VALUE_ON_ZERO'");
    command.arg(format!("--host={}", address.host)).arg(format!("--port={}", address.port));
    command.arg(format!("--user={}", address.user)).env("MYSQL_PWD", &address.password);
    command.arg(format!("--database={database}"));
    command
}

/// Runs `sql` through the engine's client; its output, or its message when it failed.
pub(super) fn run_client(
    engine: Engine,
    address: &Address,
    database: &str,
    sql: &str,
) -> Result<String, String> {
    let mut command = match engine {
        Engine::Postgres => psql_client(address, database),
        _ => mariadb_client(address, database),
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|why| format!("{command:?}: {why}"))?;
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    let text = sql.to_string();
    // A client that stops early closes its input; its message is what counts then.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
    let done = child.wait_with_output().map_err(|why| why.to_string())?;
    drop(feeder.join());
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
    }
}

/// Rows apart by U+001E, values by U+001F, as `psql_client` asks for.
fn read_separated(out: &str) -> Vec<TextRow> {
    let out = out.strip_suffix('\n').unwrap_or(out);
    if out.is_empty() {
        return Vec::new();
    }
    let value = |text: &str| (text != "\u{1}NULL").then(|| text.to_string());
    out.split('\u{1e}').map(|row| row.split('\u{1f}').map(value).collect()).collect()
}

/// The `<row>`s of `mariadb --xml`.
fn read_xml(out: &str) -> Vec<TextRow> {
    out.split("<row>").skip(1).map(read_xml_row).collect()
}

fn read_xml_row(row: &str) -> TextRow {
    let row = row.split("</row>").next().unwrap_or_default();
    let field = |text: &str| {
        let (head, rest) = text.split_once('>')?;
        if head.ends_with('/') { None } else { Some(unescape_xml(rest.split("</field>").next()?)) }
    };
    row.split("<field ").skip(1).map(field).collect()
}

fn unescape_xml(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
