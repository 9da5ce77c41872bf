//! The servers and files that hold what is measured, and the clients that fill and ask them.
//!
//! One private server an engine, started when a line first asks for it, with a database for each side; for SQLite a file
//! a table and side. Rows are loaded by the servers' own clients, never by the product. All of it lies in temporary
//! folders that go when this process is gone, however it ended.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failed;
use crate::data::{Kind, Rows};
use crate::measure;
use crate::servers::{Address, Engine, Watchdog, private_directory, tuned};

/// Which copy of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Primary,
    Replica,
    /// Further replicas, as the first.
    Second,
    Third,
}

impl Side {
    pub const REPLICAS: [Side; 3] = [Side::Replica, Side::Second, Side::Third];

    pub fn database(self) -> &'static str {
        match self {
            Side::Primary => "shop",
            Side::Replica => "copy",
            Side::Second => "second",
            Side::Third => "third",
        }
    }
}

/// A table on one side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fixture {
    pub engine: Engine,
    pub side: Side,
    pub table: String,
    pub rows: Rows,
}

/// A database that exists for what a run writes into it.
pub const EMPTY_DATABASE: &str = "dump";

struct Running {
    address: Address,
    process: u32,
    /// Stops it when dropped.
    _watchdog: Watchdog,
}

/// Where everything is.
pub struct Places {
    /// For specs, plans and SQLite files.
    pub scratch: PathBuf,
    _scratch: Watchdog,
    postgres: Option<Running>,
    mariadb: Option<Running>,
    fixtures: Vec<Fixture>,
}

const POSTGRES_SETTINGS: &[&str] = &[
    "shared_buffers=512MB",
    "maintenance_work_mem=256MB",
    "max_wal_size=16GB",
    "checkpoint_timeout=1h",
    "wal_level=replica",
];

const MARIADB_SETTINGS: &[&str] = &[
    "innodb-buffer-pool-size=2G",
    "innodb-log-file-size=1G",
    "innodb-flush-log-at-trx-commit=0",
    "max-allowed-packet=64M",
    "local-infile=1",
];

impl Places {
    pub fn new() -> Places {
        let scratch = private_directory("bench");
        // Nothing to run, but somebody who removes the folder.
        let idle = ["sleep".to_owned(), "infinity".to_owned()];
        let watchdog = Watchdog::start(&scratch, "KILL", &idle);
        Places { scratch, _scratch: watchdog, postgres: None, mariadb: None, fixtures: Vec::new() }
    }

    /// The processes of the servers that run.
    pub fn processes(&self) -> Vec<u32> {
        self.postgres.iter().chain(&self.mariadb).map(|running| running.process).collect()
    }

    /// Where the server of `engine` listens; starts it if need be.
    pub fn address(&mut self, engine: Engine) -> Result<Address, Failed> {
        let (place, settings) = match engine {
            Engine::Postgres => (&mut self.postgres, POSTGRES_SETTINGS),
            Engine::Mariadb => (&mut self.mariadb, MARIADB_SETTINGS),
            Engine::Sqlite => return Err("SQLite has no server".into()),
        };
        if let Some(running) = place {
            return Ok(running.address.clone());
        }
        let (address, watchdog) = tuned(engine, settings)?;
        let process =
            std::fs::read_to_string(watchdog.directory.join("pid")).map_err(|why| why.to_string())?;
        let process = process.trim().parse().map_err(|_| format!("{process:?} is no process"))?;
        *place = Some(Running { address: address.clone(), process, _watchdog: watchdog });
        let replicas = Side::REPLICAS.map(Side::database);
        for database in [Side::Primary.database(), EMPTY_DATABASE].into_iter().chain(replicas) {
            self.administer(engine, &format!("CREATE DATABASE {database}"))?;
        }
        Ok(address)
    }

    /// Asks a server for what is of no database of ours.
    pub fn administer(&mut self, engine: Engine, sql: &str) -> Result<(), Failed> {
        let maintenance = self.address(engine)?.database;
        self.ask(engine, &maintenance, sql).map(drop)
    }

    /// As a spec takes it. A table of SQLite is a file.
    pub fn url(&mut self, fixture: &Fixture) -> Result<String, Failed> {
        match fixture.engine {
            Engine::Sqlite => Ok(format!("sqlite:{}", self.file(fixture).display())),
            engine => Ok(self.address(engine)?.url(fixture.side.database())),
        }
    }

    pub fn file(&self, fixture: &Fixture) -> PathBuf {
        self.scratch.join(format!("{}-{}.db", fixture.side.database(), fixture.table))
    }

    /// Makes the table with all its rows, unless it is there. The servers may have work left: see [`Places::settle`].
    pub fn have(&mut self, fixture: &Fixture) -> Result<(), Failed> {
        if self.fixtures.contains(fixture) {
            return Ok(());
        }
        let create = create_table(fixture);
        match fixture.engine {
            Engine::Sqlite => load_file(&self.file(fixture), fixture, &create)?,
            Engine::Postgres => self.load_postgres(fixture, &create)?,
            Engine::Mariadb => self.load_mariadb(fixture, &create)?,
        }
        self.fixtures.push(fixture.clone());
        Ok(())
    }

    /// Drops a table, if it is there.
    pub fn drop(&mut self, fixture: &Fixture) -> Result<(), Failed> {
        let Some(at) = self.fixtures.iter().position(|one| one == fixture) else { return Ok(()) };
        self.fixtures.remove(at);
        if fixture.engine == Engine::Sqlite {
            return std::fs::remove_file(self.file(fixture)).map_err(|why| why.to_string());
        }
        self.ask(fixture.engine, fixture.side.database(), &format!("DROP TABLE {}", fixture.table)).map(drop)
    }

    fn load_postgres(&mut self, fixture: &Fixture, create: &str) -> Result<(), Failed> {
        let (table, database) = (&fixture.table, fixture.side.database());
        let key = fixture.rows.kind.key().join(", ");
        self.ask(fixture.engine, database, create)?;
        let mut client = self.client(fixture.engine, database, &format!("COPY {table} FROM STDIN"))?;
        feed(&mut client, fixture)?;
        self.ask(fixture.engine, database, &format!("ALTER TABLE {table} ADD PRIMARY KEY ({key})"))?;
        self.ask(fixture.engine, database, &format!("VACUUM (FREEZE, ANALYZE) {table}"))?;
        self.ask(fixture.engine, database, "CHECKPOINT").map(drop)
    }

    fn load_mariadb(&mut self, fixture: &Fixture, create: &str) -> Result<(), Failed> {
        let (table, database) = (&fixture.table, fixture.side.database());
        self.ask(fixture.engine, database, create)?;
        let load = format!(
            "SET time_zone = '+00:00', unique_checks = 0; \
             LOAD DATA LOCAL INFILE '/dev/stdin' INTO TABLE {table} CHARACTER SET utf8mb4"
        );
        let mut client = self.client(fixture.engine, database, &load)?;
        feed(&mut client, fixture)?;
        self.ask(fixture.engine, database, &format!("ANALYZE TABLE {table}")).map(drop)
    }

    /// The engine's own client with one statement to run, in UTC. What it prints is the caller's matter.
    pub fn client(&mut self, engine: Engine, database: &str, sql: &str) -> Result<Command, Failed> {
        let address = self.address(engine)?;
        let port = address.port.to_string();
        let mut command = match engine {
            Engine::Mariadb => {
                let mut command = plain("mariadb");
                command.args(["--no-defaults", "--protocol=tcp", "--local-infile=1", "--quick", "-N", "-B"]);
                command.args(["--default-character-set=utf8mb4", "--max-allowed-packet=64M"]);
                command.args(["-h", &address.host, "-P", &port, "-u", &address.user, database]);
                command.env("MYSQL_PWD", &address.password);
                command
            }
            _ => {
                let mut command = plain("psql");
                command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
                command.args(["-h", &address.host, "-p", &port, "-U", &address.user, "-d", database]);
                command
                    .env("PGPASSWORD", &address.password)
                    .env("PGTZ", "UTC")
                    .env("PGCLIENTENCODING", "UTF8");
                command
            }
        };
        if !sql.is_empty() {
            command.arg(if engine == Engine::Mariadb { "-e" } else { "-c" }).arg(sql);
        }
        Ok(command)
    }

    /// What the client prints for a statement.
    pub fn ask(&mut self, engine: Engine, database: &str, sql: &str) -> Result<String, Failed> {
        let done = self.client(engine, database, sql)?.stdin(Stdio::null()).output();
        let done = done.map_err(|why| why.to_string())?;
        if !done.status.success() {
            return Err(format!("{sql}: {}", String::from_utf8_lossy(&done.stderr).trim()));
        }
        Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
    }

    /// Waits until the servers have done what they put off, so that nobody is charged with it; a minute at most.
    pub fn settle(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut quiet = 0;
        while quiet < 3 && Instant::now() < deadline {
            let before = measure::servers(&self.processes());
            std::thread::sleep(Duration::from_millis(50));
            let busy = measure::servers(&self.processes()).saturating_sub(before) > Duration::from_millis(10);
            quiet = if busy { 0 } else { quiet + 1 };
        }
    }
}

/// A command that takes nothing from the environment that would lead it elsewhere.
pub fn plain(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PG") || name.starts_with("MYSQL_"))
    {
        command.env_remove(name);
    }
    command
}

/// On PostgreSQL the key comes when the rows are in.
fn create_table(fixture: &Fixture) -> String {
    let Fixture { engine, table, rows, .. } = fixture;
    let column = |column: crate::data::Column| {
        let must = if column.key { " NOT NULL" } else { "" };
        format!("{} {}{must}", column.name, column.on(*engine))
    };
    let mut lines: Vec<String> = rows.kind.columns().into_iter().map(column).collect();
    if *engine != Engine::Postgres {
        lines.push(format!("PRIMARY KEY ({})", rows.kind.key().join(", ")));
    }
    format!("CREATE TABLE {table} ({})", lines.join(", "))
}

/// Gives the rows to a client's standard input.
fn feed(client: &mut Command, fixture: &Fixture) -> Result<(), Failed> {
    let mut child = client
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|why| format!("{}: {why}", client.get_program().display()))?;
    let input = child.stdin.take().ok_or("the client has no standard input")?;
    let mut input = BufWriter::with_capacity(1 << 18, input);
    let put = |line: &[u8]| {
        input.write_all(line)?;
        input.write_all(b"\n")
    };
    let fed = each_row(fixture, put).and_then(|()| input.flush());
    drop(input);
    let done = child.wait_with_output().map_err(|why| why.to_string())?;
    if !done.status.success() {
        return Err(format!("{}: {}", fixture.table, String::from_utf8_lossy(&done.stderr).trim()));
    }
    fed.map_err(|why| format!("{}: {why}", fixture.table))
}

fn each_row<E>(fixture: &Fixture, put: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    match fixture.side {
        Side::Primary => fixture.rows.primary(put),
        Side::Replica | Side::Second | Side::Third => fixture.rows.replica(put),
    }
}

fn load_file(file: &Path, fixture: &Fixture, create: &str) -> Result<(), Failed> {
    let load = || -> rusqlite::Result<()> {
        let mut connection = rusqlite::Connection::open(file)?;
        connection.execute_batch(
            "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; PRAGMA cache_size = -200000",
        )?;
        let transaction = connection.transaction()?;
        transaction.execute_batch(create)?;
        let marks = vec!["?"; fixture.rows.kind.columns().len()].join(", ");
        let mut insert = transaction.prepare(&format!("INSERT INTO {} VALUES ({marks})", fixture.table))?;
        each_row(fixture, |line| {
            let text = String::from_utf8_lossy(line);
            let values = text.split('\t').map(|value| (value != "\\N").then_some(value));
            insert.execute(rusqlite::params_from_iter(values)).map(drop)
        })?;
        drop(insert);
        transaction.commit()
    };
    load().map_err(|why| format!("{}: {why}", file.display()))
}

/// Writes what a script is given into three files: rows to update, rows to insert, rows whose keys go.
pub fn write_changes(rows: &Rows, folder: &Path) -> Result<[PathBuf; 3], Failed> {
    let files = ["update", "insert", "delete"].map(|name| folder.join(format!("{name}.tsv")));
    let open = |file: &PathBuf| File::create(file).map(BufWriter::new).map_err(|why| why.to_string());
    let [mut update, mut insert, mut delete] = [open(&files[0])?, open(&files[1])?, open(&files[2])?];
    rows.changes(|action, line| {
        let file = match action {
            crate::data::Action::Update => &mut update,
            crate::data::Action::Insert => &mut insert,
            crate::data::Action::Delete => &mut delete,
        };
        file.write_all(line)?;
        file.write_all(b"\n")
    })
    .and_then(|()| update.flush().and_then(|()| insert.flush()).and_then(|()| delete.flush()))
    .map_err(|why| why.to_string())?;
    Ok(files)
}

/// The conditions that cut a table of the primary into so many parts of equal size, by the first column of its key.
pub fn parts(places: &mut Places, fixture: &Fixture, count: u64) -> Result<Vec<String>, Failed> {
    let key = fixture.rows.kind.key()[0];
    let mut cuts = Vec::new();
    for part in 1..count {
        let sql = format!(
            "SELECT {key} FROM {} ORDER BY {key} LIMIT 1 OFFSET {}",
            fixture.table,
            fixture.rows.count * part / count
        );
        cuts.push(places.ask(fixture.engine, fixture.side.database(), &sql)?);
    }
    let quoted = matches!(fixture.rows.kind, Kind::TextKey | Kind::UuidKey);
    let literal = |cut: &String| if quoted { format!("'{cut}'") } else { cut.clone() };
    let part = |at: usize| {
        let from = at.checked_sub(1).map(|at| format!("{key} >= {}", literal(&cuts[at])));
        let to = cuts.get(at).map(|cut| format!("{key} < {}", literal(cut)));
        from.into_iter().chain(to).collect::<Vec<_>>().join(" AND ")
    };
    Ok((0..count as usize).map(part).collect())
}
