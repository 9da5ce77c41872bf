//! What a user reads when something is wrong, as snapshots: what could not be done, why, and what to do; never a
//! password; every kind of error of the JSON document.
//!
//! A snapshot is a transcript: commands, exit codes, standard error, and of a document the kinds of its errors.
//! Folders, ports, generated names and versions are replaced. Where a server's own words are part of the text, the
//! test runs on the private servers only: another version says it in other words.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;

use crate::servers::{Database, Engine, mariadb, not_run, open, postgres};
use crate::tool::{self, Run};

/// The password of logins that the tests make.
const PASSWORD: &str = "limited";

/// A directory, the variables of its spec, and what was said in it.
struct Talk {
    directory: tempfile::TempDir,
    variables: BTreeMap<String, String>,
    /// Texts of this machine, and what is shown instead; the first wins.
    hidden: Vec<(String, String)>,
    text: String,
}

impl Talk {
    fn new() -> Talk {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path().canonicalize().expect("it is there");
        let hidden =
            [path.as_path(), directory.path()].map(|path| (path.display().to_string(), "[dir]".to_owned()));
        Talk { directory, variables: BTreeMap::new(), hidden: hidden.into(), text: String::new() }
    }

    /// A talk about two databases, as `primary` and `replica`.
    fn of(primary: &str, replica: &str) -> Talk {
        let mut talk = Talk::new();
        talk.sides(primary, replica);
        talk
    }

    fn sides(&mut self, primary: &str, replica: &str) {
        for (side, url) in [("primary", primary), ("replica", replica)] {
            self.hide_url(url, side);
            self.variables.insert(format!("{}_URL", side.to_uppercase()), url.to_owned());
        }
    }

    fn hide(&mut self, text: &str, shown: &str) {
        self.hidden.insert(0, (text.to_owned(), shown.to_owned()));
    }

    /// Hides the database, the login and the address of a URL.
    fn hide_url(&mut self, url: &str, side: &str) {
        if let Some(file) = url.strip_prefix("sqlite:").filter(|file| file.starts_with('/')) {
            let file = file.split('?').next().unwrap_or_default();
            return self.hide(file, &format!("[{side}].db"));
        }
        let Some((_, rest)) = url.split_once("://") else { return };
        let Some((login, place)) = rest.split_once('@') else { return };
        let (address, database) = place.split_once('/').unwrap_or((place, ""));
        let user = login.split(':').next().unwrap_or_default();
        // What a test made up itself is the same everywhere.
        if database.starts_with("t_") {
            self.hide(address, "[server]");
            self.hide(database, &format!("[{side}]"));
        }
        if user.starts_with("t_role_") {
            self.hide(user, "[login]");
        }
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.directory.path().join(name), text).expect("a file can be written");
    }

    fn spec(&self, tables: &str) {
        self.write("spec.yml", spec("", tables));
    }

    /// A line of its own in the transcript.
    fn note(&mut self, words: &str) {
        self.text += &format!("# {words}\n");
    }

    /// Runs the tool, and keeps what it says.
    fn say(&mut self, args: &[&str]) -> Run {
        let run = tool::run(self.directory.path(), &self.variables, args);
        self.keep(&format!("trueup {}", args.join(" ")), run.exit, &run.stdout, &run.stderr);
        run
    }

    fn keep(&mut self, command: &str, exit: Option<i32>, stdout: &str, stderr: &str) {
        assert!(!format!("{stdout}{stderr}").contains("s3cret"), "a password is told\n{stdout}\n{stderr}");
        let document: Json = serde_json::from_str(stdout).unwrap_or(Json::Null);
        self.text += &format!("$ {command}\n");
        for (table, error) in errors(&document) {
            let table = table.map(|table| format!(" table {table}")).unwrap_or_default();
            self.text += &format!("  kind {}{table}\n", error["kind"].as_str().unwrap_or_default());
        }
        self.text += stderr.trim_end();
        self.text +=
            &format!("\n[exit {}]\n\n", exit.map_or("by a signal".to_owned(), |code| code.to_string()));
    }

    /// Starts the tool, lets `meanwhile` do something once it waits for a server, and keeps what it says.
    fn say_while(&mut self, args: &[&str], meanwhile: impl FnOnce(&mut Talk, &tool::Running)) -> Run {
        let running = tool::start(self.directory.path(), &self.variables, args);
        meanwhile(self, &running);
        let run = running.ends();
        self.keep(&format!("trueup {}", args.join(" ")), run.exit, &run.stdout, &run.stderr);
        run
    }

    /// The transcript without what is of this machine.
    fn told(&self) -> String {
        let mut text = self.text.clone();
        for (hidden, shown) in self.hidden.iter().filter(|(hidden, _)| !hidden.is_empty()) {
            text = text.replace(hidden.as_str(), shown);
        }
        for host in ["localhost", "127.0.0.1", "::1"] {
            text = text.replace(&format!("'@'{host}'"), "'@'[host]'");
        }
        text
    }
}

fn spec(options: &str, tables: &str) -> String {
    format!(
        "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: {{ url: \"${{REPLICA_URL}}\"{options} }} }}\n\
         tables: {tables}\n"
    )
}

/// The errors of a document with the tables they are of.
fn errors(document: &Json) -> Vec<(Option<String>, &Json)> {
    let mut errors = Vec::new();
    let list = |value: &'_ Json| value.as_array().cloned().unwrap_or_default().len();
    for replica in (0..list(&document["replicas"])).map(|index| &document["replicas"][index]) {
        if !replica["error"].is_null() {
            errors.push((None, &replica["error"]));
        }
        for table in (0..list(&replica["tables"])).map(|index| &replica["tables"][index]) {
            if !table["error"].is_null() {
                errors.push((table["table"].as_str().map(str::to_owned), &table["error"]));
            }
        }
    }
    errors
}

/// Whether the servers are those whose words the snapshots hold.
fn own_words(what: &str) -> bool {
    let given = [(Engine::Postgres, postgres()), (Engine::Mariadb, mariadb())];
    let given = given.into_iter().filter(|(_, server)| !server.is_private());
    given.inspect(|(engine, _)| not_run(*engine, what, "its words are another version's")).count() == 0
}

macro_rules! assert_told {
    ($name:literal, $talk:expr) => {
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!($name, $talk.told())
        })
    };
}

const JSON: [&str; 4] = ["plan", "spec.yml", "--format", "json"];
const APPLY: [&str; 5] = ["apply", "spec.yml", "-y", "--format", "json"];
const TABLE: &str = "CREATE TABLE t (id integer PRIMARY KEY, v integer);";

fn pair(engine: Engine, primary: &str, replica: &str) -> (Database, Database) {
    let (first, second) = (open(engine, "messages primary"), open(engine, "messages replica"));
    first.execute_script(primary);
    second.execute_script(replica);
    (first, second)
}

/// A pair whose replica needs an insert, an update and a delete.
fn drifted(engine: Engine) -> (Database, Database) {
    pair(
        engine,
        &format!("{TABLE} INSERT INTO t VALUES (1, 1), (2, 2)"),
        &format!("{TABLE} INSERT INTO t VALUES (2, 3), (3, 3)"),
    )
}

#[test]
fn wrong_usage() {
    let (primary, replica) = drifted(Engine::Sqlite);
    let mut talk = Talk::of(&primary.url, &replica.url);
    talk.spec("[t]");
    for args in [
        &["plan"][..],
        &["plna", "spec.yml"],
        &["plan", "spec.yml", "-y"],
        &["plan", "spec.yml", "--memory", "1KiB"],
        &["plan", "spec.yml", "--rows", "some"],
        &["plan", "spec.yml", "--format", "yaml"],
        &["plan", "spec.yml", "--report", "json"],
        &["plan", "spec.yml", "--jobs", "0"],
        &["apply", "spec.yml", "--max-deletes", "ten"],
        &["plan", "spec.yml", "--replica", "eu"],
        &["plan", "spec.yml", "--table", "tt"],
        &["plan", "spec.yml", "--report", "json=missing/report.json"],
        &["plan", "spec.yml", "--report", "json=."],
        &["check", "spec.yml", "--offline", "--table", "t"],
        &["plan", "spec.yml", "--format", "html"],
    ] {
        let run = talk.say(args);
        assert_eq!((run.exit, run.stdout.as_str()), (Some(1), ""), "{}", run.told());
    }
    assert_told!("wrong_usage", talk);
}

#[test]
fn unusable_spec() {
    let mut talk = Talk::new();
    talk.say(&["plan", "spec.yml"]);
    talk.say(&["plan", "."]);
    talk.write("latin1.yml", b"version: \xe9");
    talk.say(&["plan", "latin1.yml"]);
    talk.spec("[t]");
    talk.say(&["plan", "spec.yml"]);
    talk.write("empty.yml", "");
    talk.say(&["plan", "empty.yml"]);
    talk.write("broken.yml", "version: 1\ntables: [a\n");
    talk.say(&["plan", "broken.yml"]);
    talk.write(
        "wrong.yml",
        "version: 2\nprimary: sqlite:p.db\nreplica: { a: sqlite:r.db }\ntables:\n  - table: t\n    colums: [a]\n\
         \x20   where: \"a > (select 1)\"\n  - table: u\n    compare: { b: { tolerance: many } }\n",
    );
    talk.say(&["plan", "wrong.yml"]);
    assert_told!("unusable_spec", talk);
}

#[test]
fn unusable_urls() {
    let mut talk = Talk::new();
    for url in [
        "mongodb://u:s3cret@h/d",
        "postgres:u:s3cret@h/d",
        "postgres://u:s3cret@h:99999/d",
        "postgres://u:s3cret@h/d?sslmod=require",
        "shop.db",
        "sqlite:",
        "",
    ] {
        talk.variables.insert("URL".to_owned(), url.to_owned());
        let given = if url.contains("s3cret") { "${URL}" } else { url };
        talk.write(
            "spec.yml",
            format!("version: 1\nprimary: \"{given}\"\nreplicas: {{ copy: sqlite:r.db }}\ntables: [t]\n"),
        );
        talk.say(&["plan", "spec.yml"]);
    }
    assert_told!("unusable_urls", talk);
}

#[test]
fn out_of_reach() {
    if !own_words("messages of connections") {
        return;
    }
    let (postgres, mariadb) = (open(Engine::Postgres, "messages"), open(Engine::Mariadb, "messages"));
    let mut talk = Talk::new();
    for database in [&postgres, &mariadb] {
        let scheme = database.url.split(':').next().expect("a URL has a scheme");
        let login = database.limited_role("SELECT 1");
        let (user, rest) = login.split_once(&format!(":{PASSWORD}@")).expect("it has a password");
        let (address, name) = rest.split_once('/').expect("it has a database");
        talk.hide_url(&login, "db");
        let urls = [
            format!("{scheme}://u:s3cret@127.0.0.1:1/shop"),
            format!("{user}:s3cret@{address}/{name}"),
            format!("{scheme}://nobody:s3cret@{address}/{name}"),
            format!("{user}:{PASSWORD}@{address}/no_such_database"),
        ];
        let sockets = match database.engine {
            Engine::Postgres => format!("{scheme}://u:s3cret@/shop?host=/no/such/socket"),
            _ => format!("{scheme}://u:s3cret@h/shop?socket=/no/such/socket"),
        };
        for url in urls.into_iter().chain([sockets]) {
            talk.sides(&url, "sqlite:r.db");
            talk.spec("[t]");
            talk.say(&["plan", "spec.yml"]);
        }
    }
    // A server of the other kind, which says more than it is asked.
    let other = postgres_at(&mariadb.url);
    talk.note("postgres:// at a MariaDB server");
    talk.sides(&other, "sqlite:r.db");
    talk.say(&["plan", "spec.yml"]);
    assert_told!("out_of_reach", talk);
}

fn postgres_at(url: &str) -> String {
    let (_, place) = url.split_once('@').expect("it has a login");
    format!("postgres://u:s3cret@{place}?sslmode=disable")
}

#[test]
fn unusable_files() {
    let (primary, replica) = drifted(Engine::Sqlite);
    let mut talk = Talk::new();
    talk.write("text.db", "this is a text and has been one for a long time\n".repeat(100));
    talk.spec("[t]");
    for url in ["sqlite:missing/shop.db", "sqlite:missing.db", "sqlite:.", "sqlite:text.db"] {
        talk.note(url);
        for (first, second) in [(url, replica.url.as_str()), (primary.url.as_str(), url)] {
            talk.sides(first, second);
            talk.say(&JSON);
        }
    }
    talk.note("the same file twice");
    std::os::unix::fs::symlink(primary.file().expect("a file"), talk.directory.path().join("link.db"))
        .expect("a link can be made");
    talk.sides(&primary.url, "sqlite:link.db");
    talk.say(&JSON);
    talk.note("a replica that may only be read");
    talk.sides(&primary.url, &format!("{}?mode=ro", replica.url));
    talk.say(&APPLY);
    assert_told!("unusable_files", talk);
}

#[test]
fn tables_that_cannot_be_paired() {
    let (primary, replica) = pair(
        Engine::Postgres,
        "CREATE TABLE orders (id integer PRIMARY KEY, note text, at interval); \
         CREATE TABLE twice (a integer NOT NULL, b integer); INSERT INTO twice VALUES (1, 1), (2, 2)",
        "CREATE TABLE orders (id integer PRIMARY KEY, note text, at bytea); \
         CREATE TABLE twice (a integer NOT NULL, b integer); INSERT INTO twice VALUES (7, 1), (7, 2)",
    );
    let mut talk = Talk::of(&primary.url, &replica.url);
    for tables in [
        "[order]",
        "[\"z*\"]",
        "[{ table: orders, key: [idd] }]",
        "[{ table: orders, exclude_columns: [nix] }]",
        "[{ table: orders, where: \"amount > 1\" }]",
        "[{ table: orders, schema: ignore }]",
        "[{ table: orders, exclude_columns: [at], compare: { note: { tolerance: 0.5 } } }]",
        "[{ table: orders, to: missing, schema: ignore }]",
        "[{ table: twice, key: [a] }]",
    ] {
        talk.note(tables);
        talk.spec(tables);
        talk.say(&JSON);
    }
    talk.spec("[order, { table: orders, schema: ignore }, { table: twice, key: [a] }]");
    talk.say(&["check", "spec.yml"]);
    assert_told!("tables_that_cannot_be_paired", talk);
}

#[test]
fn values_that_do_not_fit() {
    let mut talk = Talk::new();
    let value = |talk: &mut Talk, replica: Engine, columns: [&str; 2], insert: &str| {
        let (from, to) = (open(Engine::Sqlite, "messages primary"), open(replica, "messages replica"));
        from.execute_script(&format!("CREATE TABLE t (id integer PRIMARY KEY, {}); {insert}", columns[0]));
        to.execute_script(&format!("CREATE TABLE t (id integer PRIMARY KEY, {})", columns[1]));
        talk.sides(&from.url, &to.url);
        talk.spec("[{ table: t, schema: ignore }]");
        talk.note(&format!("{} -> {} of {}: {insert}", columns[0], columns[1], replica.name()));
        talk.say(&JSON);
        if columns[0].starts_with('d') {
            talk.say(&["plan", "spec.yml", "--redact", "--format", "json"]);
        }
    };
    for engine in [Engine::Postgres, Engine::Mariadb] {
        value(&mut talk, engine, ["s text", "s varchar(3)"], "INSERT INTO t VALUES (7, 'abcdef')");
        value(&mut talk, engine, ["v integer", "v smallint"], "INSERT INTO t VALUES (7, 70000)");
        value(&mut talk, engine, ["d date", "d date"], "INSERT INTO t VALUES (7, 'tomorrow')");
        value(&mut talk, engine, ["v integer", "v integer NOT NULL"], "INSERT INTO t VALUES (7, NULL)");
        value(
            &mut talk,
            engine,
            ["v integer", "v integer, must integer NOT NULL"],
            "INSERT INTO t VALUES (7, 1)",
        );
    }
    assert_told!("values_that_do_not_fit", talk);
}

#[test]
fn refusals() {
    let (primary, replica) = drifted(Engine::Sqlite);
    primary.execute_script("CREATE TABLE e (id integer PRIMARY KEY)");
    replica.execute_script("CREATE TABLE e (id integer PRIMARY KEY); INSERT INTO e VALUES (1)");
    let mut talk = Talk::of(&primary.url, &replica.url);
    for (tables, args) in [
        ("[t]\nlimits: { deletes: 0 }", &["-y"][..]),
        ("[t]\nlimits: { changes: 10% }", &["-y"]),
        ("[t]", &["-y", "--max-changes", "2"]),
        ("[e]", &["-y"]),
        ("[t]", &[]),
    ] {
        talk.note(&tables.replace('\n', ", "));
        talk.spec(tables);
        let run = talk.say(&[&["apply", "spec.yml", "--format", "json"], args].concat());
        assert_eq!(run.exit, Some(3), "{}", run.told());
    }
    assert_told!("refusals", talk);
}

/// What apply says to a login that lacks one right, and what check says before.
#[test]
fn missing_rights() {
    if !own_words("messages about rights") {
        return;
    }
    let mut talk = Talk::new();
    for engine in [Engine::Postgres, Engine::Mariadb] {
        for (rights, tables) in [
            ("UPDATE, DELETE, INSERT", "[t]"),
            ("SELECT, UPDATE, DELETE", "[t]"),
            ("SELECT, INSERT, DELETE", "[t]"),
            ("SELECT, INSERT, UPDATE", "[t]"),
            ("SELECT, INSERT, UPDATE, DELETE", "[a]"),
            ("SELECT, INSERT, UPDATE, DELETE", "[n]"),
        ] {
            let (primary, replica) = drifted(engine);
            primary.execute_script(
                "CREATE TABLE n (id integer PRIMARY KEY); CREATE TABLE a (id integer PRIMARY KEY, b integer)",
            );
            replica.execute_script("CREATE TABLE a (id integer PRIMARY KEY)");
            let grants = format!("GRANT {rights} ON t TO {{role}}; GRANT {rights} ON a TO {{role}}");
            talk.sides(&primary.url, &replica.limited_role(&grants));
            talk.spec(tables);
            talk.note(&format!("{}: only {rights}, tables: {tables}", engine.name()));
            talk.say(&APPLY);
        }
        let (primary, replica) = drifted(engine);
        primary.execute_script("CREATE TABLE other (id integer)");
        talk.sides(&primary.limited_role("GRANT SELECT ON other TO {role}"), &replica.url);
        talk.note(&format!("{}: no right on the primary's table", engine.name()));
        talk.spec("[t]");
        talk.say(&JSON);
    }
    let (primary, replica) = drifted(Engine::Postgres);
    replica.execute_script("ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id < 3)");
    talk.sides(&primary.url, &replica.limited_role("GRANT SELECT ON t TO {role}"));
    talk.note("postgres: a policy hides rows");
    talk.say(&JSON);
    assert_told!("missing_rights", talk);
}

#[test]
fn a_lock_that_is_held() {
    let (primary, replica) = drifted(Engine::Sqlite);
    let mut talk = Talk::of(&primary.url, &replica.url);
    talk.spec("[t]");
    let path = format!("{}-trueup-lock", replica.file().expect("a file"));
    std::fs::write(&path, "process 4711 since 2026-11-22T06:00:00Z\n").expect("it can be written");
    let lock = std::fs::File::open(&path).expect("it is there");
    lock.lock().expect("nobody else holds it");
    let run = talk.say(&APPLY);
    assert_eq!(run.exit, Some(5), "{}", run.told());
    assert_told!("a_lock_that_is_held", talk);
}

/// Waits until a session of the tool waits for a lock in `waiting`; asked in `asked`, for a transaction may be open
/// in the other.
pub fn wait_until_held(waiting: &Database, asked: &Database) {
    let question = match waiting.engine {
        Engine::Postgres => format!(
            "SELECT CASE WHEN EXISTS (SELECT FROM pg_stat_activity WHERE datname = '{}' \
             AND wait_event_type = 'Lock') THEN 1 ELSE 0 END",
            waiting.name
        ),
        _ => format!(
            "SELECT EXISTS (SELECT 1 FROM information_schema.PROCESSLIST WHERE DB = '{}' AND COMMAND <> 'Sleep' \
             AND INFO LIKE 'SELECT%' AND INFO NOT LIKE '%information_schema%' \
             AND (STATE LIKE 'Waiting for table%' OR INFO LIKE '%FOR UPDATE'))",
            waiting.name
        ),
    };
    let begin = std::time::Instant::now();
    // Twice: the statement with which the test itself took the lock may just be ending.
    let mut held = 0;
    while held < 2 {
        held = if asked.query(&question)[0][0].as_deref() == Some("1") { held + 1 } else { 0 };
        assert!(begin.elapsed().as_secs() < 60, "nothing waits: {question}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// The same on servers, whose words say who holds it. What differs each time is a number.
#[test]
fn a_lock_of_a_server_that_is_held() {
    if !own_words("messages about trueup's lock") {
        return;
    }
    let mut talk = Talk::new();
    talk.spec("[t]");
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let (primary, replica) = drifted(engine);
        talk.sides(&primary.url, &replica.url);
        talk.note(engine.name());
        replica.execute_script("BEGIN");
        replica.query("SELECT * FROM t WHERE id = 2 FOR UPDATE");
        let first = tool::start(talk.directory.path(), &talk.variables, &APPLY);
        wait_until_held(&replica, &primary);
        let run = talk.say(&APPLY);
        assert_eq!(run.exit, Some(5), "{}", run.told());
        replica.execute_script("ROLLBACK");
        let first = first.ends();
        assert_eq!(first.exit, Some(0), "{}", first.told());
    }
    talk.text = talk.text.lines().map(without_numbers).collect();
    assert_told!("a_lock_of_a_server_that_is_held", talk);
}

/// A line that says who holds a lock, with one `N` for all digits in a row.
fn without_numbers(line: &str) -> String {
    if !line.contains("another trueup") && !line.contains("locks are held by") {
        return format!("{line}\n");
    }
    let mut text = String::new();
    for letter in line.chars().map(|letter| if letter.is_ascii_digit() { 'N' } else { letter }) {
        if letter != 'N' || !text.ends_with('N') {
            text.push(letter);
        }
    }
    text + "\n"
}

/// Asked to stop while a server does not answer, before the first row and between batches.
#[test]
fn interrupted() {
    let mut talk = Talk::new();
    talk.spec("[{ table: t, schema: ignore }]");
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let lock = match engine {
            Engine::Postgres => ("BEGIN; LOCK TABLE t", "ROLLBACK"),
            _ => ("LOCK TABLES t WRITE", "UNLOCK TABLES"),
        };
        for (args, signal, code) in [
            (&JSON[..], "TERM", 143),
            (&["verify", "spec.yml", "--format", "json"], "INT", 130),
            (&APPLY, "INT", 130),
        ] {
            let (primary, replica) = drifted(engine);
            talk.sides(&primary.url, &replica.url);
            talk.note(&format!("{}: a table is locked, and then SIG{signal}", engine.name()));
            replica.execute_script(lock.0);
            let run = talk.say_while(args, |_, running| {
                wait_until_held(&replica, &primary);
                running.signal(signal);
            });
            replica.execute_script(lock.1);
            assert_eq!(run.exit, Some(code), "{}", run.told());
            assert_eq!(run.document()["replicas"][0]["outcome"], "interrupted", "{}", run.told());
        }
        let (primary, replica) = drifted(engine);
        talk.sides(&primary.url, &replica.url);
        talk.note(&format!(
            "{}: the second of three batches waits for a row, and then SIGTERM",
            engine.name()
        ));
        replica.execute_script("BEGIN");
        replica.query("SELECT * FROM t WHERE id = 2 FOR UPDATE");
        let args = [&APPLY[..], &["--batch-rows", "1"]].concat();
        let run = talk.say_while(&args, |talk, running| {
            wait_until_held(&replica, &primary);
            running.signal("TERM");
            // Heard, before the row is free.
            std::thread::sleep(std::time::Duration::from_millis(500));
            replica.execute_script("ROLLBACK");
            talk.note("the row is free again");
        });
        assert_eq!(run.exit, Some(143), "{}", run.told());
    }
    assert_told!("interrupted", talk);
}

/// What is connected and cannot be looked at is the error of every replica, in the document.
#[test]
fn a_primary_that_cannot_be_looked_at() {
    if !own_words("messages about schemas") {
        return;
    }
    let mut talk = Talk::new();
    let (primary, replica) = drifted(Engine::Postgres);
    talk.sides(&primary.url, &replica.url);
    let spec = |path: &str| {
        spec("", "[t]").replace("${PRIMARY_URL}", &format!("{{ url: \"${{PRIMARY_URL}}\"{path} }}"))
    };
    talk.write("spec.yml", spec(""));
    talk.say(&["plan", "spec.yml", "-o", "p.trueup", "--format", "json"]);
    talk.write("spec.yml", spec(", search_path: [nowhere]"));
    for args in [&JSON[..], &["verify", "spec.yml", "--format", "json"], &APPLY] {
        let run = talk.say(args);
        assert_eq!((run.exit, &run.document()["in_sync"]), (Some(1), &Json::Bool(false)), "{}", run.told());
    }
    assert_told!("a_primary_that_cannot_be_looked_at", talk);
}

/// A saved plan for what is no longer so.
#[test]
fn a_stale_plan() {
    let mut talk = Talk::new();
    talk.spec("[t]");
    for (words, then) in [
        ("a row to update was changed", "UPDATE t SET v = 99 WHERE id = 2"),
        ("a row to delete is gone, which is as planned, and one to update too", "DELETE FROM t"),
        ("a row to insert came by itself, otherwise", "INSERT INTO t VALUES (1, 98)"),
        ("a column was added", "ALTER TABLE t ADD COLUMN w integer"),
        ("a table was dropped", "DROP TABLE t"),
    ] {
        let (primary, replica) = drifted(Engine::Sqlite);
        talk.sides(&primary.url, &replica.url);
        talk.note(words);
        tool::run(talk.directory.path(), &talk.variables, &["plan", "spec.yml", "-o", "p.trueup"]);
        replica.execute_script(then);
        let run = talk.say(&["apply", "p.trueup", "-y", "--format", "json"]);
        assert_eq!(run.exit, Some(4), "{}", run.told());
    }
    let (primary, replica) = drifted(Engine::Sqlite);
    let (_, other) = drifted(Engine::Sqlite);
    talk.sides(&primary.url, &replica.url);
    tool::run(talk.directory.path(), &talk.variables, &["plan", "spec.yml", "-o", "p.trueup"]);
    talk.note("the replica's URL leads elsewhere");
    talk.sides(&primary.url, &other.url);
    talk.say(&["apply", "p.trueup", "-y", "--format", "json"]);
    talk.sides(&primary.url, &replica.url);
    talk.note("the spec has another table");
    talk.spec("[t, u]");
    talk.say(&["apply", "p.trueup", "-y", "--format", "json"]);
    assert_told!("a_stale_plan", talk);
}

#[test]
fn a_database_that_is_busy() {
    if !own_words("messages about locks") {
        return;
    }
    let mut talk = Talk::new();
    talk.write("spec.yml", spec(", lock_timeout: 1s", "[t]"));
    let (primary, replica) = drifted(Engine::Sqlite);
    let busy = rusqlite::Connection::open(replica.file().expect("a file")).expect("it can be opened");
    busy.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    talk.sides(&primary.url, &replica.url);
    talk.say(&APPLY);
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let (primary, replica) = drifted(engine);
        replica.execute_script("BEGIN");
        replica.execute_script("UPDATE t SET v = 9 WHERE id = 2");
        talk.sides(&primary.url, &replica.url);
        talk.note(engine.name());
        talk.say(&APPLY);
        replica.execute_script("ROLLBACK");
    }
    talk.text = talk.text.lines().map(without_numbers).collect();
    assert_told!("a_database_that_is_busy", talk);
}

/// Rows that a trigger keeps from being written, or writes otherwise.
#[test]
fn a_replica_that_does_not_keep_what_is_written() {
    let mut talk = Talk::new();
    talk.spec("[t]");
    for trigger in [
        "CREATE TRIGGER keep BEFORE DELETE ON t BEGIN SELECT RAISE(IGNORE); END",
        "CREATE TRIGGER more AFTER UPDATE ON t BEGIN UPDATE t SET v = new.v + 1 WHERE id = new.id; END",
        "CREATE TRIGGER no BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, 'not today'); END",
    ] {
        let (primary, replica) = drifted(Engine::Sqlite);
        replica.execute_script(trigger);
        talk.sides(&primary.url, &replica.url);
        talk.note(trigger);
        talk.say(&APPLY);
    }
    assert_told!("a_replica_that_does_not_keep_what_is_written", talk);
}

#[test]
fn a_full_disk() {
    let (primary, replica) = drifted(Engine::Sqlite);
    let mut talk = Talk::of(&primary.url, &replica.url);
    talk.spec("[t]");
    let binary = env!("CARGO_BIN_EXE_trueup");
    let shell = |talk: &mut Talk, script: &str, shown: &str| {
        let done = Command::new("sh")
            .args(["-c", script])
            .env("TRUEUP", binary)
            .envs(&talk.variables)
            .current_dir(talk.directory.path())
            .output()
            .expect("sh can be run");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        talk.keep(shown, done.status.code(), &text(&done.stdout), &text(&done.stderr));
        text(&done.stderr)
    };
    shell(&mut talk, "$TRUEUP plan spec.yml > /dev/full", "trueup plan spec.yml > /dev/full");
    talk.say(&["plan", "spec.yml", "--format", "json", "--report", "text=/dev/full"]);
    let rows = "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
                INSERT INTO t SELECT i, 1 << 40 FROM n";
    primary.execute_script(rows);
    // A file system of its own is full without harm; who may not make one has to be told.
    let mount = "unshare --mount sh -c 'mkdir -p small && mount -t tmpfs -o size=64k tmpfs small && \
                 REPLICA_URL=sqlite:small/r.db exec $TRUEUP apply spec.yml -y --format json'";
    assert_told!("a_full_disk", talk);
    talk.text.clear();
    let said = shell(&mut talk, mount, "trueup apply spec.yml -y --format json");
    if said.contains("unshare") || said.contains("mount:") {
        not_run(Engine::Sqlite, "a replica on a full disk", said.trim());
    } else {
        assert!(said.contains("the disk is full"), "{said}");
        assert_told!("a_full_disk_of_a_replica", talk);
    }
}

/// The nine kinds, each by its simplest cause.
#[test]
fn every_kind_of_error() {
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let mut kinds: Vec<String> = Vec::new();
    for file in std::fs::read_dir(snapshots).expect("there are snapshots") {
        let text = std::fs::read_to_string(file.expect("it can be listed").path()).expect("it can be read");
        let lines = text.lines().filter_map(|line| line.strip_prefix("  kind "));
        kinds.extend(lines.filter_map(|line| line.split(' ').next()).map(str::to_owned));
    }
    for kind in ["connect", "permission", "missing", "key", "type", "value", "timeout", "changed", "internal"]
    {
        assert!(kinds.iter().any(|known| known == kind), "no snapshot has the kind {kind}");
    }
}
