//! Two databases with drift that takes many batches, the tool between them, and what must hold after any harm.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::servers::{Database, Dump, Engine};
use crate::tool::{self, Run, Running};

const TABLES: &str = "CREATE TABLE items (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL, amount INTEGER);
    CREATE TABLE parts (id INTEGER PRIMARY KEY, note VARCHAR(40), item INTEGER NOT NULL REFERENCES items (id));";

/// Every row by table and key: `items 5` → its values.
type Rows = BTreeMap<String, String>;

/// What to apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The plan that was saved before the first round.
    Saved,
    /// The spec: planned and applied in one go.
    Spec,
}

/// Two databases of one engine and a folder with a spec and a saved plan.
pub struct Scene {
    pub primary: Database,
    pub replica: Database,
    folder: tempfile::TempDir,
    before: Rows,
    after: Rows,
    primary_dump: Dump,
    drift: String,
}

impl Scene {
    /// Drift of `6 * size` rows: of two tables, one of which points at the other, rows to insert, update and delete.
    pub fn new(primary: Database, replica: Database, size: usize) -> Scene {
        primary.execute_script(&format!("{TABLES}\n{}", wanted(size)));
        let drift = format!("BEGIN; DELETE FROM parts; DELETE FROM items; {} COMMIT;", drifted(size));
        replica.execute_script(&format!("{TABLES}\n{drift}"));
        let folder = tempfile::tempdir().expect("a temporary directory can be made");
        let spec = "version: 1\nprimary: ${PRIMARY_URL}\nreplicas: { copy: \"${REPLICA_URL}\" }\ntables: [items, parts]\n";
        std::fs::write(folder.path().join("spec.yml"), spec).expect("the spec can be written");
        let (before, after, primary_dump) = (rows(&replica), rows(&primary), primary.dump());
        let scene = Scene { primary, replica, folder, before, after, primary_dump, drift };
        assert_eq!(scene.total(), 6 * size);
        let saved = scene.run(&["plan", "spec.yml", "-o", "a.plan"]);
        assert_eq!(saved.exit, Some(0), "{}", saved.told());
        scene
    }

    /// How many row changes the drift takes.
    pub fn total(&self) -> usize {
        self.done_in(&self.after)
    }

    /// Puts the replica back to its drift, and the progress of the saved plan with it.
    pub fn drift_again(&self) {
        self.replica.execute_script(&self.drift);
        if self.progress().exists() {
            std::fs::remove_file(self.progress()).expect("it is ours");
        }
    }

    fn progress(&self) -> PathBuf {
        self.folder.path().join("a.plan.progress")
    }

    /// Begins to apply, in batches of so many rows.
    pub fn apply(&self, what: What, batch_rows: usize, replica_url: &str) -> Running {
        let args = apply_args(what, batch_rows);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        tool::start(self.folder.path(), &self.variables(replica_url), &args)
    }

    fn variables(&self, replica_url: &str) -> BTreeMap<String, String> {
        [("PRIMARY_URL", self.primary.url.as_str()), ("REPLICA_URL", replica_url)]
            .map(|(name, url)| (name.to_owned(), url.to_owned()))
            .into()
    }

    /// Runs the tool to its end.
    pub fn run(&self, args: &[&str]) -> Run {
        tool::run(self.folder.path(), &self.variables(&self.replica.url), args)
    }

    /// Begins a run of the tool.
    pub fn start(&self, args: &[&str]) -> Running {
        tool::start(self.folder.path(), &self.variables(&self.replica.url), args)
    }

    /// How many changes are in.
    pub fn done(&self) -> usize {
        self.done_in(&rows(&self.replica))
    }

    fn done_in(&self, now: &Rows) -> usize {
        let keys = self.before.keys().chain(self.after.keys().filter(|key| !self.before.contains_key(*key)));
        keys.filter(|key| self.before.get(*key) != self.after.get(*key))
            .filter(|key| now.get(*key) == self.after.get(*key))
            .count()
    }

    /// How many changes are in after a run that was cut off. Every row must be as before or as planned, and whole
    /// batches in. Leaves what a killed process left behind in a SQLite file to the tool.
    #[track_caller]
    pub fn left_by(&self, batch_rows: usize, told: &str) -> usize {
        let now = match self.replica.file() {
            Some(file) => rows_of_copy(file),
            None => rows(&self.replica),
        };
        for key in now.keys().chain(self.before.keys()).chain(self.after.keys()) {
            let here = now.get(key);
            let known = here == self.before.get(key) || here == self.after.get(key);
            assert!(known, "{key} is neither as before nor as planned: {here:?}\n{told}");
        }
        let done = self.done_in(&now);
        let whole = done.is_multiple_of(batch_rows) || done == self.total();
        assert!(whole, "{done} rows of batches of {batch_rows} are in\n{told}");
        self.primary_is_untouched(told);
        done
    }

    /// Running again completes, a further plan is empty, and nothing else is left. `done`: what was in before.
    #[track_caller]
    pub fn completes(&self, what: What, batch_rows: usize, done: usize, told: &str) {
        let args = apply_args(what, batch_rows);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let run = self.run(&args);
        let document = run.document();
        let told = format!("{told}\nand then\n{}", run.told());
        assert_eq!(run.exit, Some(0), "{told}");
        let verified = document["verified"] == true || done == self.total();
        assert!(verified, "{told}");
        if what == What::Saved {
            assert_eq!(document["applied"]["already"], Json::from(done), "{told}");
            assert!(!self.progress().exists(), "all is in, and progress is kept\n{told}");
        }
        assert_eq!(rows(&self.replica), self.after, "{told}");
        let plan = self.run(&["plan", "spec.yml", "--detailed-exitcode"]);
        assert_eq!(plan.exit, Some(0), "{told}\nand then\n{}", plan.told());
        assert_eq!(self.primary.dump(), self.replica.dump(), "{told}");
        self.primary_is_untouched(&told);
        self.nothing_is_left(&told);
    }

    #[track_caller]
    fn primary_is_untouched(&self, told: &str) {
        assert_eq!(self.primary.dump(), self.primary_dump, "the primary was written\n{told}");
    }

    #[track_caller]
    fn nothing_is_left(&self, told: &str) {
        if let Some(file) = self.replica.file().map(PathBuf::from) {
            let folder = file.parent().expect("a file is in a folder").read_dir().expect("it can be read");
            let names: Vec<String> =
                folder.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            assert_eq!(names.len(), 1, "left beside the database: {names:?}\n{told}");
            return;
        }
        self.sessions_end();
        let left = self.replica.query(leftovers(self.replica.engine));
        assert!(left.is_empty(), "left on the server: {left:?}\n{told}");
    }

    /// How many sessions of the tool the replica's server knows.
    pub fn sessions(&self) -> usize {
        let sql = match self.replica.engine {
            Engine::Sqlite => return 0,
            Engine::Postgres => {
                "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'trueup'"
            }
            Engine::Mariadb => {
                "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
            }
        };
        self.replica.query(sql).len()
    }

    /// Waits until the server has seen the end of every one of them.
    pub fn sessions_end(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.sessions() > 0 {
            assert!(Instant::now() < deadline, "sessions stay");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn apply_args(what: What, batch_rows: usize) -> Vec<String> {
    let path = if what == What::Saved { "a.plan" } else { "spec.yml" };
    let batch_rows = batch_rows.to_string();
    ["apply", path, "-y", "--lock-timeout", "20s", "--batch-rows", &batch_rows, "--format", "json"]
        .map(str::to_owned)
        .into()
}

/// Locks, and objects of the tool's own.
fn leftovers(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => {
            "SELECT mode FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
             WHERE d.datname = current_database() AND (locktype = 'advisory' OR pid <> pg_backend_pid()) \
             UNION ALL SELECT relname::text FROM pg_class WHERE relpersistence = 't' OR relname LIKE '\\_trueup%' \
             UNION ALL SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"
        }
        _ => {
            "SELECT table_name FROM information_schema.tables \
             WHERE table_schema = database() AND table_name NOT IN ('items', 'parts') \
             UNION ALL SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
        }
    }
}

fn rows(database: &Database) -> Rows {
    of_text(database.query(QUERY))
}

const QUERY: &str =
    "SELECT 'items', id, name, amount FROM items UNION ALL SELECT 'parts', id, note, item FROM parts";

fn of_text(rows: Vec<Vec<Option<String>>>) -> Rows {
    let row = |row: Vec<Option<String>>| {
        let mut cells = row.into_iter().map(|cell| cell.unwrap_or_else(|| "NULL".to_owned()));
        let (table, id) = (cells.next()?, cells.next()?);
        Some((format!("{table} {id}"), cells.collect::<Vec<_>>().join(", ")))
    };
    rows.into_iter().filter_map(row).collect()
}

/// The rows of a SQLite database as whoever opens it next will see them. Opening the file itself would roll back
/// what a killed writer left, which is for the tool to do.
fn rows_of_copy(file: &str) -> Rows {
    let place = tempfile::tempdir().expect("a temporary directory can be made");
    let copy = place.path().join("copy.db");
    for end in ["", "-journal", "-wal"] {
        let (from, mut to) = (format!("{file}{end}"), copy.clone().into_os_string());
        to.push(end);
        match std::fs::copy(&from, &to) {
            Err(why) if end.is_empty() || why.kind() != std::io::ErrorKind::NotFound => {
                panic!("{from}: {why}")
            }
            _ => {}
        }
    }
    let connection = rusqlite::Connection::open(&copy).expect("the copy can be opened");
    let mut statement = connection.prepare(QUERY).expect("it has the tables");
    let text = |row: &rusqlite::Row<'_>, at: usize| {
        Ok(match row.get_ref(at)? {
            rusqlite::types::ValueRef::Integer(number) => Some(number.to_string()),
            rusqlite::types::ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        })
    };
    let rows = statement.query_map([], |row| (0..4).map(|at| text(row, at)).collect());
    of_text(rows.expect("it can be read").collect::<rusqlite::Result<_>>().expect("it can be read"))
}

/// The primary's rows.
fn wanted(size: usize) -> String {
    let mut sql = String::new();
    for id in 1..=4 * size {
        sql += &format!("INSERT INTO items VALUES ({id}, 'item {id}', {});\n", id * 10);
    }
    for id in 1..=3 * size {
        sql += &format!("INSERT INTO parts VALUES ({id}, 'line {id}', {});\n", 4 * size + 1 - id);
    }
    sql
}

/// The replica's: the last items and the parts that point at them are missing, others differ, some are too many.
fn drifted(size: usize) -> String {
    let mut sql = String::new();
    for id in 1..=3 * size {
        let name = if id <= 2 * size && id > size { "other" } else { "item" };
        sql += &format!("INSERT INTO items VALUES ({id}, '{name} {id}', {});\n", id * 10);
    }
    for id in size + 1..=3 * size {
        let note = if id <= 2 * size { "other" } else { "line" };
        sql += &format!("INSERT INTO parts VALUES ({id}, '{note} {id}', {});\n", 4 * size + 1 - id);
    }
    for id in 1..=size {
        let item = 900 + id;
        sql += &format!("INSERT INTO items VALUES ({item}, 'extra', NULL);\n");
        sql += &format!("INSERT INTO parts VALUES ({item}, NULL, {item});\n");
    }
    sql
}
