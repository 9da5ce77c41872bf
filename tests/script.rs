//! `--format sql`, run by `psql`, `mariadb` and `sqlite3` themselves: the script makes the same change as `apply`,
//! whatever the data and the names are, and it changes nothing where the replica is no longer what the plan saw.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::servers::{Address, Database, Engine, open};
use crate::tool::{self, Run};

/// Two databases, a spec and a directory.
struct Pair {
    primary: Database,
    replica: Database,
    directory: tempfile::TempDir,
    /// What stands in the spec behind the connections.
    spec: String,
}

const ALL_TABLES: &str = "tables: ['*']\n";

impl Pair {
    fn open(primary: Engine, replica: Engine, spec: &str) -> Pair {
        Pair {
            primary: open(primary, "script primary"),
            replica: open(replica, "script replica"),
            directory: tempfile::tempdir().expect("a temporary directory can be made"),
            spec: spec.to_owned(),
        }
    }

    fn name(&self) -> String {
        format!("{}/{}", self.primary.engine.name(), self.replica.engine.name())
    }

    fn both(&self, sql: &str) {
        self.primary.execute_script(sql);
        self.replica.execute_script(sql);
    }

    fn trueup(&self, args: &[&str]) -> Run {
        self.trueup_at(&self.replica.url, args)
    }

    fn trueup_at(&self, replica: &str, args: &[&str]) -> Run {
        let spec = format!(
            "version: 1\nprimary: \"${{PRIMARY_URL}}\"\nreplicas: {{ r: \"${{REPLICA_URL}}\" }}\n{}",
            self.spec
        );
        std::fs::write(self.directory.path().join("spec.yml"), spec).expect("the spec can be written");
        let variables: BTreeMap<String, String> =
            [("PRIMARY_URL", self.primary.url.as_str()), ("REPLICA_URL", replica)]
                .map(|(name, url)| (name.to_owned(), url.to_owned()))
                .into();
        tool::run(self.directory.path(), &variables, args)
    }

    /// Plans, and gives the script.
    fn script(&self) -> String {
        let plan = self.trueup(&["plan", "spec.yml", "--format", "sql"]);
        assert_eq!(plan.exit, Some(0), "{}\n{}", self.name(), plan.told());
        plan.stdout
    }

    fn run(&self, script: &str) -> Client {
        self.run_with(script, &self.replica.url, &[])
    }

    fn run_with(&self, script: &str, url: &str, options: &[&str]) -> Client {
        let file = self.directory.path().join("script.sql");
        std::fs::write(&file, script).expect("the script can be written");
        client(self.replica.engine, url, &file, options)
    }

    fn assert_equal(&self) {
        let verify = self.trueup(&["verify", "spec.yml"]);
        assert_eq!(verify.exit, Some(0), "{}\n{}", self.name(), verify.told());
    }

    /// The client stops, says this, and the replica is as before.
    fn assert_stops(&self, script: &str, says: &str) {
        let before = self.replica.dump();
        let client = self.run(script);
        assert!(!client.ok, "{}: it did not stop\n{}", self.name(), client.said);
        assert!(client.said.contains(says), "{}: no `{says}` in\n{}", self.name(), client.said);
        assert_eq!(self.replica.dump(), before, "{}: it wrote", self.name());
    }
}

/// How a client ended.
pub struct Client {
    pub ok: bool,
    pub said: String,
}

/// Runs a script file with the engine's own client.
pub fn client(engine: Engine, url: &str, file: &Path, options: &[&str]) -> Client {
    let script = || Stdio::from(std::fs::File::open(file).expect("the script is there"));
    let mut command = match engine {
        Engine::Sqlite => {
            let mut command = Command::new("sqlite3");
            command.args(options).arg(url.strip_prefix("sqlite:").expect("a file")).stdin(script());
            command
        }
        Engine::Postgres => {
            let mut command = Command::new("psql");
            command.args(["-X", "-q", "-f"]).arg(file).args(options).arg(url).stdin(Stdio::null());
            command
        }
        Engine::Mariadb => {
            let address = Address::parse(url).expect("a URL of the harness");
            let mut command = Command::new("mariadb");
            command.args(["--no-defaults", "--protocol=tcp"]).args(options);
            command.arg(format!("--host={}", address.host)).arg(format!("--port={}", address.port));
            command.arg(format!("--user={}", address.user)).arg(format!("--password={}", address.password));
            command.arg(&address.database).stdin(script());
            command
        }
    };
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|why| panic!("{}'s client: {why}; see tests/run", engine.name()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Client { ok: status.success(), said: text(&stdout) + &text(&stderr) }
}

/// Everything that a client could take for a command of its own, or a script for its end.
const TEXTS: &[&str] = &[
    "it's",
    "a\\b\\",
    "\\! echo hacked",
    "\\q",
    ":var :'var' :\"var\"",
    "line\n.quit\n\\q\ngo\n/\ndelimiter $$\n",
    "delimiter //",
    "$$ $trueup$ $trueup1$",
    "-- comment",
    "/* comment",
    "100% %s %d",
    "cr\rlf\r\ntab\tbell\u{7}escape\u{1b}[31m delete\u{7f} next\u{85}",
    "é 𝄞 \u{202e}reversed",
    "",
    " ",
    "NULL",
    "';DROP TABLE hostile;--",
    "? ?1 @x $1 {}",
    "`backticks` \"quotes\"",
];

const HOSTILE_TABLE: &str = "ho`st\"ile '/* 100% $trueup$ \\ ;\n.quit\n\\q\ngo\nx";
const HOSTILE_COLUMN: &str = "c'ol\" `umn` \\x :v -- %s\n\tdelimiter //";

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text that the harness's connection takes as it is.
fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn hostile_tables(engine: Engine) -> String {
    let double = if engine == Engine::Mariadb { "double" } else { "double precision" };
    format!(
        "CREATE TABLE {} (id integer PRIMARY KEY, {} varchar(100), total decimal(10,2), real_number {double},
            \"found\" integer, \"column1\" integer, \"key\" integer, \"t\" integer, \"v\" integer);
         CREATE TABLE parent (id integer PRIMARY KEY, name varchar(20));
         CREATE TABLE child (id integer PRIMARY KEY, parent_id integer, FOREIGN KEY (parent_id) REFERENCES parent (id));",
        quoted(HOSTILE_TABLE),
        quoted(HOSTILE_COLUMN)
    )
}

/// Rows of both sides so that every text is inserted, is updated to another one, or is deleted.
fn hostile_rows(on_primary: bool) -> String {
    let mut sql = String::new();
    for (index, shown) in TEXTS.iter().enumerate() {
        let (id, shown) = match (index % 3, on_primary) {
            (_, true) => (index, *shown),
            (0, false) => (index, TEXTS[(index + 1) % TEXTS.len()]),
            (1, false) => continue,
            (_, false) => (index + 1000, *shown),
        };
        let third = (index as f64 + if on_primary { 0.0 } else { 0.1 }) / 3.0;
        sql.push_str(&format!(
            "INSERT INTO {} VALUES ({id}, {}, {index}.25, {third:e}, {index}, NULL, 1, 2, 3);\n",
            quoted(HOSTILE_TABLE),
            text(shown)
        ));
    }
    sql
}

#[test]
fn the_script_of_every_pair_makes_the_replica_equal_once() {
    for (primary, replica) in Engine::pairs() {
        let pair = Pair::open(primary, replica, ALL_TABLES);
        pair.primary.execute_script(&hostile_tables(primary));
        pair.primary.execute_script(&hostile_rows(true));
        pair.primary.execute_script(
            "INSERT INTO parent VALUES (1, 'a'), (2, 'b'), (4, 'd'); INSERT INTO child VALUES (1, 1), (2, 4), (3, 2);
             ALTER TABLE child ADD COLUMN note varchar(40); UPDATE child SET note = 'new' WHERE id = 2;
             CREATE TABLE fresh (a integer NOT NULL, b varchar(10) NOT NULL, c integer, PRIMARY KEY (a, b));
             INSERT INTO fresh VALUES (1, 'x', 1), (2, 'y', NULL);",
        );
        pair.replica.execute_script(&hostile_tables(replica));
        pair.replica.execute_script(&hostile_rows(false));
        pair.replica.execute_script(
            "INSERT INTO parent VALUES (1, 'a'), (2, 'B'), (3, 'c'); INSERT INTO child VALUES (1, 1), (2, 3), (5, 3);",
        );
        let script = pair.script();
        let hidden = |c: &char| c.is_control() && !matches!(c, '\n' | '\t');
        assert_eq!(script.chars().find(hidden), None, "{}", pair.name());
        let client = pair.run(&script);
        assert!(client.ok, "{}\n{}\n{script}", pair.name(), client.said);
        assert_eq!(client.said, "", "{}: a script says nothing", pair.name());
        pair.assert_equal();
        pair.assert_stops(&script, "");
    }
}

#[test]
fn what_only_one_engine_stores_is_guarded_and_written_exactly() {
    for engine in Engine::all() {
        let (before, columns) = native_columns(engine);
        let pair = Pair::open(engine, engine, ALL_TABLES);
        if !before.is_empty() {
            pair.both(before);
        }
        for (database, side) in [(&pair.primary, 0), (&pair.replica, 1)] {
            let definitions: Vec<String> =
                columns.iter().enumerate().map(|(index, column)| format!("c{index} {}", column[0])).collect();
            let mut sql = format!("CREATE TABLE t (id integer PRIMARY KEY, {});\n", definitions.join(", "));
            for row in 0..6 {
                if row == 5 - side {
                    continue;
                }
                let value = |column: &[&str; 3]| match row {
                    0 => column[1 + side].to_owned(),
                    1 => column[2 - side].to_owned(),
                    2 if side == 0 => "NULL".to_owned(),
                    3 if side == 1 => "NULL".to_owned(),
                    3 => column[2].to_owned(),
                    _ => column[1].to_owned(),
                };
                let values: Vec<String> = columns.iter().map(value).collect();
                sql.push_str(&format!("INSERT INTO t VALUES ({row}, {});\n", values.join(", ")));
            }
            database.execute_script(&sql);
        }
        let script = pair.script();
        let client = pair.run(&script);
        assert!(client.ok, "{}\n{}\n{script}", pair.name(), client.said);
        pair.assert_equal();
        assert_eq!(pair.primary.dump(), pair.replica.dump(), "{}", pair.name());
    }
}

/// A script to begin with; a type and two values of it for each column.
/// What is spelled otherwise on the replica than on the primary is the same to the script too, with a key and without.
#[test]
fn values_of_other_types_are_guarded_in_their_domain() {
    const SPEC: &str = "tables: [{ table: t, schema: ignore, compare: { at: { zone: '+02:00' } } }, \
         { table: u, schema: ignore, exclude_columns: [at, a] }]\n";
    let replica_types = |engine| match engine {
        Engine::Postgres => "at timestamp, u text, a text, b integer",
        Engine::Mariadb => "at datetime(6), u char(36), a varchar(50), b tinyint(1)",
        Engine::Sqlite => "at datetime, u text, a text, b integer",
    };
    for engine in [Engine::Postgres, Engine::Mariadb, Engine::Sqlite] {
        let pair = Pair::open(Engine::Postgres, engine, SPEC);
        for (table, key) in [("t", "id integer primary key"), ("u", "id integer")] {
            pair.primary.execute_script(&format!(
                "CREATE TABLE {table} ({key}, at timestamptz, u uuid, a inet, b boolean);
                 INSERT INTO {table} VALUES
                 (1, '2026-11-22 12:00+00', '6ba7b810-9dad-11d1-80b4-00c04fd430c8', '10.0.0.1', true),
                 (2, null, null, null, null),
                 (3, '2026-01-01 00:00:00.5+00', '00000000-0000-0000-0000-000000000001', '::1', false);"
            ));
            pair.replica.execute_script(&format!(
                "CREATE TABLE {table} ({key}, {});
                 INSERT INTO {table} VALUES
                 (1, '2026-11-22 13:00:00', '6BA7B810-9DAD-11D1-80B4-00C04FD430C8', '10.0.0.2', 1),
                 (2, '2026-01-01 00:00:00', null, '::2', 0);",
                replica_types(engine)
            ));
        }
        let client = pair.run(&pair.script());
        assert!(client.ok, "{}: {}", pair.name(), client.said);
        pair.assert_equal();
    }
}

fn native_columns(engine: Engine) -> (&'static str, &'static [[&'static str; 3]]) {
    match engine {
        Engine::Sqlite => ("", SQLITE_COLUMNS),
        Engine::Postgres => (
            "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TYPE two AS (a int, b text); CREATE DOMAIN word AS text;",
            POSTGRES_COLUMNS,
        ),
        Engine::Mariadb => ("", MARIADB_COLUMNS),
    }
}

const SQLITE_COLUMNS: &[[&str; 3]] = &[
    ["integer", "1", "'x'"],
    ["", "1", "1.0"],
    ["", "-0.0", "0.0"],
    ["", "'1'", "x'31'"],
    ["text", "'a'||char(0)||'b'", "'a'"],
    ["text COLLATE NOCASE", "'A'", "'a'"],
    ["text COLLATE RTRIM", "'a'", "'a  '"],
    ["real", "0.1", "0.30000000000000004"],
    ["real", "9e999", "-9e999"],
    ["real", "5e-324", "1.7976931348623157e308"],
    ["blob", "x'00'", "CAST(x'ff' AS text)"],
    ["numeric", "1.5", "'abc'"],
    ["text", "char(13,10,9,1,127)", "'.exit'"],
    ["any", "zeroblob(3)", "NULL"],
    ["datetime", "'2024-01-01T00:00:00Z'", "5"],
];

const POSTGRES_COLUMNS: &[[&str; 3]] = &[
    ["numeric", "1.0", "1.00"],
    ["numeric", "'NaN'", "0"],
    ["real", "'-0'", "0"],
    ["double precision", "'-0'", "0"],
    ["double precision", "5e-324", "1.7976931348623157e308"],
    ["double precision", "'NaN'", "'Infinity'"],
    ["json", "'{\"a\":1}'", "'{\"a\": 1}'"],
    ["jsonb", "'{\"a\":1.0}'", "'{\"a\":1.00}'"],
    ["interval", "'1 day'", "'24:00:00'"],
    ["char(5)", "'ab'", "'AB'"],
    ["bytea", "'\\x00ff'", "'\\x'"],
    ["uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'"],
    ["timestamptz", "'infinity'", "'2024-01-01 00:00:00.123456+02'"],
    ["timestamp", "'0044-03-15 BC'", "'-infinity'"],
    ["date", "'infinity'", "'0044-03-15 BC'"],
    ["timetz", "'12:00+02'", "'10:00+00'"],
    ["int[]", "'{1,2}'", "'[0:1]={1,2}'"],
    ["text[]", "array['a\"b','c\\d',null]", "'{}'"],
    ["float4[]", "'{-0,NaN}'", "'{0,NaN}'"],
    ["inet", "'1.2.3.4'", "'1.2.3.4/24'"],
    ["point", "'(1,2)'", "'(0,-0)'"],
    ["int4range", "'[1,5)'", "'empty'"],
    ["bit(3)", "B'101'", "B'111'"],
    ["xml", "'<a/>'", "'<a></a>'"],
    ["mood", "'happy'", "'sad'"],
    ["two", "row(1,'x')", "row(1,'X')"],
    ["word", "'A'", "'a'"],
    ["varchar(20)", "'%s $1 :x'", "''"],
];

const MARIADB_COLUMNS: &[[&str; 3]] = &[
    ["tinyint(1)", "1", "2"],
    ["bigint unsigned", "18446744073709551615", "0"],
    ["decimal(65,30)", "1.000000000000000000000000000001", "-1"],
    ["float", "1.1", "1.2"],
    ["double", "5e-324", "1.7976931348623157e308"],
    ["char(5)", "'ab'", "'AB'"],
    ["varchar(20)", "'ab'", "'ab '"],
    ["varchar(20) CHARACTER SET latin1", "'é'", "'e'"],
    ["text COLLATE utf8mb4_general_ci", "'Straße'", "'strasse'"],
    ["blob", "x'00ff'", "x''"],
    ["binary(3)", "x'000000'", "x'610000'"],
    ["date", "'0000-00-00'", "'2023-02-28'"],
    ["datetime(6)", "'2024-01-01 00:00:00.123456'", "'0000-00-00 00:00:00'"],
    ["timestamp(3) NULL", "'2024-01-01 12:00:00.123'", "'1999-01-01 00:00:01'"],
    ["time(6)", "'-838:59:58'", "'838:59:58.999999'"],
    ["year", "0", "2024"],
    ["bit(9)", "b'101010101'", "b'0'"],
    ["enum('a','','b')", "'a'", "''"],
    ["set('x','y')", "'x,y'", "''"],
    ["json", "'{\"a\":1}'", "'{\"a\":2}'"],
    ["point", "ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('POINT(1 -2)')"],
    ["longtext", "'a\\b''c'", "concat('x', char(10), char(13), char(0), 'y')"],
    ["mediumtext", "'💩'", "'%s'"],
];

const ROWS: &str = "CREATE TABLE t (id integer PRIMARY KEY, a varchar(20), b integer);";

/// One row to update, one to delete, one to insert.
fn three_changes(engine: Engine, spec: &str) -> Pair {
    let pair = Pair::open(engine, engine, spec);
    pair.both(ROWS);
    pair.primary.execute_script("INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2), (4, 'four', 4);");
    pair.replica.execute_script("INSERT INTO t VALUES (1, 'one', 1), (2, 'TWO', 2), (3, 'three', 3);");
    pair
}

#[test]
fn a_second_writer_makes_the_script_stop_before_it_writes() {
    let changed = "table t: a row is not what it was when the plan was made";
    for engine in Engine::all() {
        for (other, says) in [
            // Another column than the one that is to be updated, and one that is.
            ("UPDATE t SET b = 20 WHERE id = 2", changed),
            ("UPDATE t SET a = 'Two' WHERE id = 2", changed),
            ("UPDATE t SET b = NULL WHERE id = 2", changed),
            ("DELETE FROM t WHERE id = 2", changed),
            ("UPDATE t SET a = 'Three' WHERE id = 3", changed),
            ("DELETE FROM t WHERE id = 3", changed),
            ("INSERT INTO t VALUES (4, 'four', 4)", "table t: a row to insert is there already"),
        ] {
            let pair = three_changes(engine, ALL_TABLES);
            let script = pair.script();
            pair.replica.execute_script(other);
            pair.assert_stops(&script, &format!("trueup: {says}"));
        }
        // A row that the plan does not name is nobody's business.
        let pair = three_changes(engine, ALL_TABLES);
        let script = pair.script();
        pair.both("UPDATE t SET b = 10 WHERE id = 1");
        assert!(pair.run(&script).ok, "{}", pair.name());
        pair.assert_equal();
    }
}

#[test]
fn a_key_without_a_constraint_is_guarded_too() {
    for engine in Engine::all() {
        let pair = Pair::open(engine, engine, "tables: [{ table: t, key: [id], schema: ignore }]\n");
        pair.primary.execute_script(ROWS);
        pair.primary.execute_script("INSERT INTO t VALUES (4, 'four', 4);");
        pair.replica.execute_script("CREATE TABLE t (id integer, a varchar(20), b integer);");
        let script = pair.script();
        pair.replica.execute_script("INSERT INTO t VALUES (4, 'other', NULL);");
        pair.assert_stops(&script, "a row to insert is there already");
    }
}

#[test]
fn clients_that_go_on_after_an_error_commit_nothing() {
    let mariadb = three_changes(Engine::Mariadb, ALL_TABLES);
    let postgres = three_changes(Engine::Postgres, ALL_TABLES);
    for (pair, options) in [(mariadb, ["--force"].as_slice()), (postgres, &["-v", "ON_ERROR_STOP=0"])] {
        let script = pair.script();
        pair.replica.execute_script("UPDATE t SET b = 20 WHERE id = 2");
        let before = pair.replica.dump();
        let client = pair.run_with(&script, &pair.replica.url, options);
        assert!(client.said.contains("a row is not what it was"), "{}", client.said);
        assert_eq!(pair.replica.dump(), before, "{}\n{}", pair.name(), client.said);
    }
}

#[test]
fn several_transactions_are_all_looked_at_before_the_first() {
    for engine in Engine::all() {
        let spec = "tables: ['*']\napply: { batch_rows: 2 }\n";
        let pair = Pair::open(engine, engine, spec);
        pair.both(ROWS);
        for id in 1..=9 {
            pair.primary.execute_script(&format!("INSERT INTO t VALUES ({id}, 'new', {id});"));
            pair.replica.execute_script(&format!("INSERT INTO t VALUES ({id}, 'old', {id});"));
        }
        let script = pair.script();
        assert!(script.contains("; 5 transactions\n"), "{script}");
        pair.replica.execute_script("UPDATE t SET b = 0 WHERE id = 9");
        pair.assert_stops(&script, "a row is not what it was");
        pair.replica.execute_script("UPDATE t SET b = 9 WHERE id = 9");
        let client = pair.run(&script);
        assert!(client.ok, "{}\n{}", pair.name(), client.said);
        pair.assert_equal();
    }
}

#[test]
fn what_apply_refuses_stops_until_a_person_removes_it() {
    for engine in Engine::all() {
        let pair = three_changes(engine, "limits: { deletes: 0 }\ntables: ['*']\n");
        let script = pair.script();
        pair.assert_stops(&script, "apply would be refused");
        let (from, to) = ("-- Apply would be refused", "-- end of refusal\n");
        let start = script.find(from).expect("it says so");
        let end = script.find(to).expect("it says where that ends") + to.len();
        let allowed = format!("{}{}", &script[..start], &script[end..]);
        let client = pair.run(&allowed);
        assert!(client.ok, "{}\n{}", pair.name(), client.said);
        pair.assert_equal();
    }
}

#[test]
fn what_is_withheld_or_in_error_is_a_comment() {
    let pair = three_changes(Engine::Sqlite, "tables: [{ table: t, delete: false }]\n");
    let script = pair.script();
    assert!(
        script.contains(
            "-- Withheld by the spec: table t: 0 schema changes, 0 rows to insert, 0 to update, 1 to delete\n"
        ),
        "{script}"
    );
    assert!(pair.run(&script).ok);
    assert_eq!(pair.replica.query("SELECT count(*) FROM t"), [[Some("4".to_owned())]]);

    let pair = three_changes(Engine::Sqlite, ALL_TABLES);
    pair.primary.execute_script("CREATE TABLE broken (id integer PRIMARY KEY, a integer)");
    pair.replica.execute_script("CREATE TABLE broken (id integer AS (a), a integer PRIMARY KEY)");
    let plan = pair.trueup(&["plan", "spec.yml", "--format", "sql"]);
    assert_eq!(plan.exit, Some(1), "{}", plan.told());
    assert!(plan.stdout.contains("-- Not in this script: table broken: "), "{}", plan.stdout);
    pair.assert_stops(&plan.stdout, "apply would be refused");

    let pair = three_changes(Engine::Sqlite, ALL_TABLES);
    assert!(pair.run(&pair.script()).ok);
    let nothing = pair.script();
    assert!(nothing.ends_with("-- Nothing to do.\n"), "{nothing}");
    assert!(nothing.lines().all(|line| line.starts_with("--")), "{nothing}");
}

#[test]
fn there_is_no_script_where_there_can_be_none() {
    let pair = three_changes(Engine::Sqlite, ALL_TABLES);
    for (args, why) in [
        (["plan", "spec.yml", "--format", "sql", "--redact"].as_slice(), "none under --redact"),
        (&["plan", "spec.yml", "--report", "sql=x.sql", "--redact"], "none under --redact"),
        (&["verify", "spec.yml", "--format", "sql"], "verify changes nothing"),
        (&["plan", "spec.yml", "--format", "sql", "--max-diffs", "1"], "looking stopped early"),
    ] {
        let run = pair.trueup(args);
        assert_eq!((run.exit, run.stdout.as_str()), (Some(1), ""), "{}", run.told());
        assert!(run.stderr.contains(why), "{}", run.told());
    }
    let pair = three_changes(Engine::Sqlite, "");
    let other = open(Engine::Sqlite, "other");
    let spec = format!(
        "version: 1\nprimary: '{}'\nreplicas: {{ r: '{}', other: '{}' }}\ntables: [t]\n",
        pair.primary.url, pair.replica.url, other.url
    );
    std::fs::write(pair.directory.path().join("two.yml"), spec).expect("the spec can be written");
    let trueup = |args: &[&str]| tool::run(pair.directory.path(), &BTreeMap::new(), args);
    for args in [["plan", "two.yml", "--format", "sql"], ["plan", "two.yml", "--report", "sql=x.sql"]] {
        let run = trueup(&args);
        assert_eq!((run.exit, run.stdout.as_str()), (Some(1), ""), "{}", run.told());
        assert!(run.stderr.contains("--report sql={replica}.sql"), "{}", run.told());
    }
    let run = trueup(&["plan", "two.yml", "--report", "sql={replica}.sql"]);
    assert_eq!(run.exit, Some(0), "{}", run.told());
    for (database, file) in [(&pair.replica, "r.sql"), (&other, "other.sql")] {
        let client = client(Engine::Sqlite, &database.url, &pair.directory.path().join(file), &[]);
        assert!(client.ok, "{}", client.said);
    }
    assert_eq!(trueup(&["verify", "two.yml"]).exit, Some(0));
}

#[test]
fn a_normal_user_of_postgres_runs_it_too() {
    let spec = "tables: [public.t, { table: u, to: Other.u }]\n";
    let pair = Pair::open(Engine::Postgres, Engine::Postgres, spec);
    pair.both(ROWS);
    pair.primary.execute_script(
        "CREATE TABLE u (id integer PRIMARY KEY, a text); INSERT INTO u VALUES (1, 'x'), (2, 'y');
         INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2);",
    );
    pair.replica.execute_script(
        "CREATE SCHEMA \"Other\"; CREATE TABLE \"Other\".u (id integer PRIMARY KEY, a text);
         INSERT INTO \"Other\".u VALUES (1, 'X'), (3, 'z'); INSERT INTO t VALUES (1, 'ONE', 1), (3, 'three', 3);",
    );
    let script = pair.script();
    assert!(
        script.contains("INSERT INTO \"t\" ") && script.contains("INSERT INTO \"Other\".\"u\" "),
        "{script}"
    );
    let reader = pair.replica.limited_role("GRANT SELECT ON t TO {role};");
    let client = pair.run_with(&script, &reader, &[]);
    assert!(!client.ok && client.said.contains("permission denied"), "{}", client.said);
    let writer = pair.replica.limited_role(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON t, \"Other\".u TO {role}; GRANT USAGE ON SCHEMA \"Other\" TO {role};",
    );
    let client = pair.run_with(&script, &writer, &[]);
    assert!(client.ok, "{}", client.said);
    pair.assert_equal();
}

#[test]
fn a_script_runs_on_a_copy_of_the_database() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let pair = three_changes(engine, ALL_TABLES);
        let script = pair.script();
        let before = pair.replica.dump();
        let copy = open(engine, "script copy");
        copy.execute_script(ROWS);
        copy.execute_script("INSERT INTO t VALUES (1, 'one', 1), (2, 'TWO', 2), (3, 'three', 3);");
        let client = pair.run_with(&script, &copy.url, &[]);
        assert!(client.ok, "{}\n{}", pair.name(), client.said);
        assert_eq!(copy.dump(), pair.primary.dump(), "{}", pair.name());
        assert_eq!(pair.replica.dump(), before, "{}", pair.name());
    }
}

#[test]
fn rows_that_a_cascade_would_take_along_stop_it() {
    for engine in Engine::all() {
        let pair = Pair::open(engine, engine, "tables: [parent, child]\n");
        pair.both(
            "CREATE TABLE parent (id integer PRIMARY KEY, a varchar(10));
             CREATE TABLE child (id integer PRIMARY KEY, parent_id integer,
                FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE);",
        );
        pair.primary.execute_script("INSERT INTO parent VALUES (1, 'a'); INSERT INTO child VALUES (1, 1);");
        pair.replica.execute_script(
            "INSERT INTO parent VALUES (1, 'a'), (2, 'b'); INSERT INTO child VALUES (1, 1), (7, 2);",
        );
        let script = pair.script();
        pair.replica.execute_script("INSERT INTO child VALUES (8, 2);");
        pair.assert_stops(&script, "table child: rows still point at rows to delete");
        pair.replica.execute_script("DELETE FROM child WHERE id = 8;");
        assert!(pair.run(&script).ok, "{}", pair.name());
        pair.assert_equal();
    }
}

#[test]
fn rows_that_point_at_nothing_stop_it() {
    for engine in Engine::all() {
        let pair = Pair::open(engine, engine, "tables: [child]\n");
        let tables = "CREATE TABLE parent (id integer PRIMARY KEY);
             CREATE TABLE child (id integer PRIMARY KEY, parent_id integer, FOREIGN KEY (parent_id) REFERENCES parent (id));";
        pair.both(tables);
        pair.primary.execute_script("INSERT INTO parent VALUES (1); INSERT INTO child VALUES (5, 1);");
        pair.assert_stops(&pair.script(), "");
    }
}

#[test]
fn long_rows_and_many_rows_go_through() {
    for engine in Engine::all() {
        let pair = Pair::open(engine, engine, ALL_TABLES);
        let long = if engine == Engine::Mariadb { "longtext" } else { "text" };
        pair.both(&format!("CREATE TABLE t (id integer PRIMARY KEY, a {long}, b integer);"));
        let rows = |from: usize, to: usize, size: usize| {
            let rows: Vec<String> = (from..to)
                .map(|id| format!("({id}, '{}', {id})", format!("{id} é\\ ").repeat(size)))
                .collect();
            format!("INSERT INTO t VALUES {};", rows.join(", "))
        };
        pair.primary.execute_script(&rows(0, 3, 200_000));
        pair.replica.execute_script(&rows(2, 5, 100_000));
        pair.primary.execute_script(&rows(100, 2_600, 1));
        pair.replica.execute_script(&rows(1_000, 3_500, 1));
        pair.replica.execute_script("UPDATE t SET a = 'other' WHERE id BETWEEN 1000 AND 2000");
        let script = pair.script();
        let client = pair.run(&script);
        assert!(client.ok, "{}\n{}", pair.name(), client.said);
        pair.assert_equal();
    }
}
