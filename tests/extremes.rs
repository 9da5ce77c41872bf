//! What is large, many or out of place: tables of a thousand columns, a thousand tables, a row of 64 MiB, thousands of
//! rows and of keys that sort otherwise on each side, and a plan that was made for another pair of databases. On every
//! pair of engines where it can occur.

use std::fmt::Write as _;

use serde_json::json;

use crate::pair::Pair;
use crate::servers::{Engine, open, private_mariadb};

fn name(pair: &Pair) -> String {
    format!("{}/{}", pair.primary.engine.name(), pair.replica.engine.name())
}

/// Runs a test on every pair of engines.
fn on_every_pair(test: impl Fn(Pair)) {
    for (primary, replica) in Engine::pairs() {
        test(Pair::new(primary, replica));
    }
}

fn count(pair: &Pair, sql: &str) -> String {
    pair.replica.query(sql)[0][0].clone().expect("a number")
}

/// Columns beside the key.
const COLUMNS: usize = 999;
/// So many rows at once that their values are more than any engine takes as parameters of one statement.
const WIDE_ROWS: usize = 80;

/// Columns of a table that is made. SQLite's integers are of 64 bits elsewhere, and a row of a thousand of those is longer
/// than MariaDB's pages take.
const MADE_COLUMNS: usize = 980;

fn wide_table(table: &str, columns: usize) -> String {
    let columns: Vec<String> = (1..=columns).map(|at| format!("c{at} integer")).collect();
    format!("CREATE TABLE {table} (id integer PRIMARY KEY, {});\n", columns.join(", "))
}

/// A row whose values are all different.
fn wide_row(table: &str, columns: usize, id: usize) -> String {
    let values: Vec<String> = (0..=columns).map(|at| (id + 1000 * at).to_string()).collect();
    format!("INSERT INTO {table} VALUES ({id}{});\n", &values.join(",")[values[0].len()..])
}

#[test]
fn a_table_of_a_thousand_columns() {
    on_every_pair(|pair| {
        let rows: String = (1..=3).map(|id| wide_row("t", COLUMNS, id)).collect();
        pair.both(&(wide_table("t", COLUMNS) + &rows));
        let more: String = (10..10 + WIDE_ROWS).map(|id| wide_row("t", COLUMNS, id)).collect();
        pair.primary.execute_script(&more);
        pair.primary.execute_script(&(wide_table("made", MADE_COLUMNS) + &wide_row("made", MADE_COLUMNS, 1)));
        // Two values swapped between the first and the last column, one lost in the middle.
        pair.replica.execute_script(
            "UPDATE t SET c1 = 999002, c999 = 1002 WHERE id = 2; UPDATE t SET c500 = NULL WHERE id = 3; DELETE FROM t WHERE id = 1",
        );
        pair.replica.execute_script(&wide_row("t", COLUMNS, 5));
        pair.tables("[t, made]");
        let document = pair.document(&["plan", "spec.yml", "--detailed-exitcode"], 2);
        let tables = &document["replicas"][0]["tables"];
        assert_eq!(
            tables[0]["summary"],
            json!({"insert": WIDE_ROWS + 1, "update": 2, "delete": 1}),
            "{}",
            name(&pair)
        );
        let updates: Vec<_> = tables[0]["changes"]
            .as_array()
            .expect("changes")
            .iter()
            .filter(|change| change["action"] == "update")
            .collect();
        assert_eq!(updates[0]["before"], json!({"c1": 999_002, "c999": 1_002}), "{}", name(&pair));
        assert_eq!(updates[0]["after"], json!({"c1": 1_002, "c999": 999_002}), "{}", name(&pair));
        assert_eq!(updates[1]["before"], json!({"c500": null}), "{}", name(&pair));
        assert_eq!(tables[1]["schema_changes"][0]["action"], "create_table", "{}", name(&pair));
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        pair.exits(&["verify", "spec.yml"], 0);
        let sums = "SELECT sum(c1) + sum(c500) + sum(c999) FROM t";
        assert_eq!(pair.replica.query(sums), pair.primary.query(sums), "{}", name(&pair));
        assert_eq!(count(&pair, "SELECT c980 FROM made"), "980001", "{}", name(&pair));
    });
}

const TABLES: usize = 1_000;

fn thousand_tables(name: &str) -> String {
    let mut script = String::new();
    for table in 0..TABLES {
        writeln!(script, "CREATE TABLE t{table} (id integer PRIMARY KEY, v integer);").expect("a text");
    }
    script + &format!("INSERT INTO t7 VALUES (1, 7); INSERT INTO t507 VALUES (1, 507){name};")
}

/// One primary and one replica of each engine, for a thousand tables take a while to make.
#[test]
fn a_thousand_tables() {
    let primaries = Engine::all().map(|engine| {
        let primary = open(engine, "many");
        primary.execute_script(&thousand_tables("; INSERT INTO t999 VALUES (2, 2)"));
        primary
    });
    let replicas = Engine::all().map(|engine| {
        let replica = open(engine, "many");
        replica.execute_script(&thousand_tables(""));
        replica
    });
    let pair = Pair::new(Engine::Sqlite, Engine::Sqlite);
    pair.tables("[\"*\"]");
    for (primary, replica) in primaries.iter().flat_map(|one| replicas.iter().map(move |other| (one, other)))
    {
        let told = format!("{}/{}", primary.engine.name(), replica.engine.name());
        replica.execute_script(
            "UPDATE t7 SET v = 0; INSERT INTO t507 VALUES (2, 2); DELETE FROM t999; INSERT INTO t999 VALUES (1, 1), (2, 2)",
        );
        let urls = [("PRIMARY_URL", primary.url.as_str()), ("REPLICA_URL", replica.url.as_str())];
        let run = pair.run_with(&["apply", "spec.yml", "-y", "--format", "json"], &urls);
        assert_eq!(run.exit, Some(0), "{told}\n{}", run.told());
        let summary = &run.document()["summary"];
        assert_eq!(
            [
                &summary["tables"],
                &summary["in_sync"],
                &summary["insert"],
                &summary["update"],
                &summary["delete"]
            ],
            [TABLES, TABLES - 3, 0, 1, 2],
            "{told}: {summary}"
        );
        let left = "SELECT (SELECT v FROM t7), (SELECT count(*) FROM t507), (SELECT sum(id) FROM t999)";
        assert_eq!(replica.query(left), [["7", "1", "2"].map(|text| Some(text.to_owned()))], "{told}");
    }
}

const LONG: usize = 64 << 20;

/// Bytes of 64 MiB that end in a letter, as SQL. (Texts as long are looked at for what their differences share, which
/// takes a while in a program that is not optimized.)
fn long_row(engine: Engine, bytes: usize, end: char) -> String {
    let (declared, value) = match engine {
        Engine::Sqlite => {
            ("blob", format!("CAST(replace(hex(zeroblob({})), '0', 'x') || '{end}' AS blob)", bytes / 2))
        }
        Engine::Postgres => ("bytea", format!("convert_to(repeat('x', {bytes}) || '{end}', 'UTF8')")),
        Engine::Mariadb => ("longblob", format!("concat(repeat('x', {bytes}), '{end}')")),
    };
    format!(
        "CREATE TABLE t (id integer PRIMARY KEY, v {declared}); INSERT INTO t VALUES (1, {value}), (2, NULL);"
    )
}

/// Two values of 64 MiB that differ in their last byte; each engine is read and written once.
#[test]
fn a_row_of_64_mib() {
    private_mariadb().administer("SET GLOBAL max_allowed_packet = 268435456").expect("the right to set it");
    let ring = [Engine::Sqlite, Engine::Postgres, Engine::Mariadb, Engine::Sqlite];
    for engines in ring.windows(2) {
        let mut pair = Pair::new(engines[0], engines[1]);
        for (side, end) in [(&mut pair.primary, 'a'), (&mut pair.replica, 'b')] {
            if side.engine == Engine::Mariadb {
                *side = private_mariadb().fresh_database("long");
            }
            side.execute_script(&long_row(side.engine, LONG, end));
        }
        pair.tables("[t]");
        // The memory allowed is never exceeded silently, and the row never left out: what it takes is in the message.
        let refused = pair.exits(&["verify", "spec.yml"], 1);
        let (_, hint) =
            refused.stdout.split_once("`--memory ").unwrap_or_else(|| panic!("{}", refused.told()));
        let memory = hint.split_once('`').expect("the hint ends").0;
        let run = pair.run_patiently(&["apply", "spec.yml", "-y", "--memory", memory]);
        assert_eq!(run.exit, Some(0), "{}", run.told());
        assert!(run.stdout.contains("1 updated"), "{}", run.told());
        let end = format!(
            "SELECT count(*) FROM t WHERE substr(v, {}) = {}",
            LONG + 1,
            bytes_of_a(pair.replica.engine)
        );
        assert_eq!(count(&pair, &end), "1", "{}", name(&pair));
    }
}

fn bytes_of_a(engine: Engine) -> &'static str {
    if engine == Engine::Postgres { "'\\x61'::bytea" } else { "x'61'" }
}

/// What the server's packets do not hold is never skipped: it is an error that says what to raise.
#[test]
fn a_row_that_is_too_long_for_the_servers_packets_is_an_error() {
    let pair = Pair::new(Engine::Sqlite, Engine::Mariadb);
    let packet: usize = count(&pair, "SELECT @@max_allowed_packet").parse().expect("a number");
    pair.primary.execute_script(&long_row(Engine::Sqlite, packet + (1 << 20), 'a'));
    pair.replica.execute_script(
        "CREATE TABLE t (id integer PRIMARY KEY, v longblob); INSERT INTO t VALUES (1, 'x'), (2, 'y')",
    );
    pair.tables("[t]");
    let before = pair.replica.dump();
    let run = pair.run_patiently(&["apply", "spec.yml", "-y", "--memory", "1GiB"]);
    assert_eq!(run.exit, Some(1), "{}", run.told());
    assert!(run.told().contains("max_allowed_packet"), "{}", run.told());
    assert_eq!(pair.replica.dump(), before);
}

const ROWS: usize = 12_000;

/// No limit of rows is applied that nobody asked for.
#[test]
fn thousands_of_missing_and_extra_rows_are_all_found() {
    on_every_pair(|pair| {
        pair.both("CREATE TABLE t (id integer PRIMARY KEY, v integer); INSERT INTO t VALUES (0, 0)");
        for (side, first) in [(&pair.primary, 1), (&pair.replica, 100_001)] {
            for ids in (first..first + ROWS).collect::<Vec<_>>().chunks(1_000) {
                let rows: Vec<String> = ids.iter().map(|id| format!("({id}, {id})")).collect();
                side.execute_script(&format!("INSERT INTO t VALUES {}", rows.join(",")));
            }
        }
        pair.tables("[t]");
        let document = pair.document(&["plan", "spec.yml"], 0);
        let table = &document["replicas"][0]["tables"][0];
        assert_eq!(table["summary"], json!({"insert": ROWS, "update": 0, "delete": ROWS}), "{}", name(&pair));
        assert_eq!(table["changes"].as_array().map(Vec::len), Some(2 * ROWS), "{}", name(&pair));
        let text = pair.exits(&["plan", "spec.yml"], 0).stdout;
        assert!(text.contains("12,000") || text.contains("12000"), "{}: {text}", name(&pair));
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        assert_eq!(
            count(&pair, "SELECT count(*) FROM t WHERE id <= 12000"),
            (ROWS + 1).to_string(),
            "{}",
            name(&pair)
        );
        assert_eq!(count(&pair, "SELECT count(*) FROM t WHERE id > 12000"), "0", "{}", name(&pair));
    });
}

/// A text column in an order of people, and in that of code points, which also is the order of the other side.
fn key_column(engine: Engine, people: bool) -> &'static str {
    match (engine, people) {
        (Engine::Sqlite, true) => "text COLLATE NOCASE",
        (Engine::Sqlite, false) => "text",
        (Engine::Postgres, true) => "text COLLATE \"en-x-icu\"",
        (Engine::Postgres, false) => "text COLLATE \"C\"",
        (Engine::Mariadb, true) => "varchar(100) COLLATE utf8mb4_unicode_ci",
        (Engine::Mariadb, false) => "varchar(100) COLLATE utf8mb4_bin",
    }
}

/// Words of which no two are the same without regard to case and accents, in an order of chance.
fn words() -> Vec<String> {
    const STEMS: [&str; 12] = ["a", "B", "é", "Z", "ö", "_", "x-y", "Å", "zz", "co op", "日本", "É'"];
    let word = |at: usize| {
        let stem = STEMS[at % STEMS.len()];
        let other = STEMS[(at / 7 + at) % STEMS.len()];
        if at.is_multiple_of(2) { format!("{stem}{other}{at}") } else { format!("{other}{at}{stem}") }
    };
    (0..3_000).map(|at| word((at * 1_103) % 3_000)).collect()
}

/// Thousands of keys that no order is common to are neither missing nor extra, at the first run and at the second.
#[test]
fn thousands_of_keys_that_sort_otherwise_on_each_side() {
    let words = words();
    for people in [(true, false), (false, true), (true, true)] {
        on_every_pair(|pair| {
            for (side, people) in [(&pair.primary, people.0), (&pair.replica, people.1)] {
                side.execute_script(&format!(
                    "CREATE TABLE t (k {} NOT NULL, v integer, PRIMARY KEY (k))",
                    key_column(side.engine, people)
                ));
                for words in words.chunks(500) {
                    let rows: Vec<String> =
                        words.iter().map(|word| format!("('{}', 1)", word.replace('\'', "''"))).collect();
                    side.execute_script(&format!("INSERT INTO t VALUES {}", rows.join(",")));
                }
            }
            pair.spec("version: 1\nprimary: ${PRIMARY_URL}\nreplicas: { copy: \"${REPLICA_URL}\" }\ntables: [{ table: t, schema: ignore }]\n");
            let told = format!("{} {people:?}", name(&pair));
            let document = pair.document(&["plan", "spec.yml", "--chunk-rows", "100"], 0);
            assert_eq!(document["summary"]["in_sync"], 1, "{told}: {}", document["summary"]);
            assert_eq!(
                document["replicas"][0]["tables"][0]["rows"],
                json!({"primary": 3_000, "replica": 3_000}),
                "{told}"
            );
            let quoted = |at: usize| format!("'{}'", words[at].replace('\'', "''"));
            pair.replica.execute_script(&format!(
                "DELETE FROM t WHERE k = {}; UPDATE t SET v = 2 WHERE k = {}; INSERT INTO t VALUES ('new', 1)",
                quoted(77),
                quoted(1_234)
            ));
            let document = pair.document(&["plan", "spec.yml", "--chunk-rows", "100"], 0);
            let summary = &document["replicas"][0]["tables"][0]["summary"];
            assert_eq!(summary, &json!({"insert": 1, "update": 1, "delete": 1}), "{told}");
            pair.exits(&["apply", "spec.yml", "-y"], 0);
            pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
        });
    }
}

/// A plan of staging does not run on production, also where both hold the same to the last row.
#[test]
fn a_plan_made_for_staging_is_refused_by_production() {
    on_every_pair(|staging| {
        let production = Pair::new(staging.primary.engine, staging.replica.engine);
        for pair in [&staging, &production] {
            pair.both("CREATE TABLE t (id integer PRIMARY KEY, v integer)");
            pair.primary.execute_script("INSERT INTO t VALUES (1, 1), (2, 2)");
            pair.replica.execute_script("INSERT INTO t VALUES (1, 9), (3, 3)");
        }
        staging.tables("[t]");
        staging.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
        let before = production.replica.dump();
        let both = [
            ("PRIMARY_URL", production.primary.url.as_str()),
            ("REPLICA_URL", production.replica.url.as_str()),
        ];
        for urls in [&both[..], &both[..1], &both[1..]] {
            let run = staging.run_with(&["apply", "a.plan", "-y"], urls);
            assert_eq!(run.exit, Some(4), "{}\n{}", name(&staging), run.told());
            assert!(run.told().contains("another database"), "{}\n{}", name(&staging), run.told());
        }
        assert_eq!(production.replica.dump(), before, "{}", name(&staging));
        staging.exits(&["apply", "a.plan", "-y"], 0);
    });
}

/// A SQLite file copied byte by byte is another database than the file it was copied from.
#[test]
fn a_plan_made_for_a_file_is_refused_by_its_copy() {
    let pair = Pair::sqlite("[t]", "CREATE TABLE t (id integer PRIMARY KEY, v integer)");
    pair.primary.execute_script("INSERT INTO t VALUES (1, 1)");
    pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
    std::fs::copy(pair.replica.file().expect("a file"), pair.path("copy.db")).expect("a file can be copied");
    let run = pair.run_with(&["apply", "a.plan", "-y"], &[("REPLICA_URL", "sqlite:copy.db")]);
    assert_eq!(run.exit, Some(4), "{}", run.told());
    pair.exits(&["apply", "a.plan", "-y"], 0);
}

/// How many groups of row events of a database the binary log holds.
fn row_events(pair: &Pair) -> usize {
    let here = format!("({}.t)", pair.replica.name);
    let logs = pair.replica.query("SHOW BINARY LOGS");
    let events = |log: &[Option<String>]| {
        let file = log[0].clone().expect("a file");
        let events = pair.replica.query(&format!("SHOW BINLOG EVENTS IN '{file}'"));
        events.iter().filter(|event| event[5].as_deref().is_some_and(|info| info.ends_with(&here))).count()
    };
    logs.iter().map(|log| events(log)).sum()
}

/// A replica that is itself a source of replication hands on what is written, unless the spec says otherwise.
#[test]
fn a_replica_of_the_mysql_family_that_others_follow() {
    for (binlog, handed_on) in [("on", true), ("off", false)] {
        let pair = Pair::new(Engine::Mariadb, Engine::Mariadb);
        pair.both("CREATE TABLE t (id integer PRIMARY KEY, v integer)");
        pair.primary.execute_script("INSERT INTO t VALUES (1, 1), (2, 2)");
        pair.replica.execute_script("INSERT INTO t VALUES (1, 9), (3, 3)");
        pair.spec(&format!(
            "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: {{ url: \"${{REPLICA_URL}}\", binlog: {binlog} }} }}\ntables: [t]\n"
        ));
        let before = row_events(&pair);
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        assert_eq!(pair.replica.dump(), pair.primary.dump());
        assert_eq!(row_events(&pair) > before, handed_on, "binlog: {binlog}");
    }
}

/// PostgreSQL refuses deletes from a published table without a key: an error, and nothing is written.
#[test]
fn a_replica_of_postgres_that_others_follow() {
    for (key, code) in [("PRIMARY KEY", 0), ("", 1)] {
        let pair = Pair::new(Engine::Postgres, Engine::Postgres);
        pair.both(&format!(
            "CREATE TABLE t (id integer {key}, v integer); CREATE TABLE u (id integer PRIMARY KEY)"
        ));
        pair.primary.execute_script("INSERT INTO t VALUES (1, 1); INSERT INTO u VALUES (1)");
        pair.replica.execute_script("INSERT INTO t VALUES (1, 1), (3, 3); CREATE PUBLICATION p FOR TABLE t");
        pair.tables("[u, t]");
        let before = pair.replica.dump();
        let run = pair.exits(&["apply", "spec.yml", "-y"], code);
        let wanted = if code == 0 { pair.primary.dump() } else { before };
        assert_eq!(pair.replica.dump(), wanted, "{}", run.told());
    }
}
