//! Several replicas of one primary: its rows are read once for all of them. What is read is counted by the primary's
//! server, never timed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::servers::{Database, Engine, open};
use crate::tool;

const ROWS: u64 = 60_000;

/// A keyed table, one without a key, and a small one.
fn filled(engine: Engine, drift: &str) -> Database {
    let database = open(engine, "shared");
    let numbers = match engine {
        Engine::Postgres => format!("generate_series(1, {ROWS}) AS n(i)"),
        Engine::Sqlite => format!(
            "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) SELECT i FROM n)"
        ),
        _ => format!("(SELECT CAST(seq AS SIGNED) AS i FROM seq_1_to_{ROWS}) n"),
    };
    database.execute_script(&format!(
        "CREATE TABLE keyed (id integer PRIMARY KEY, v varchar(40));\
         INSERT INTO keyed SELECT i, 'a value of some length' FROM {numbers};\
         CREATE TABLE log (v varchar(40)); INSERT INTO log SELECT 'a value' FROM {numbers};\
         CREATE TABLE small (id integer PRIMARY KEY, v varchar(40)); INSERT INTO small VALUES (1, 'a'), (2, 'b');\
         {} {drift}",
        if engine == Engine::Sqlite { "ANALYZE;" } else { "" }
    ));
    let analyze = match engine {
        Engine::Postgres => "ANALYZE keyed; ANALYZE log; ANALYZE small;",
        Engine::Sqlite => "",
        _ => "ANALYZE TABLE keyed; ANALYZE TABLE log; ANALYZE TABLE small;",
    };
    database.execute_script(analyze);
    database
}

/// How many rows of a table its server has read so far.
fn rows_read(database: &Database, table: &str) -> u64 {
    let sql = match database.engine {
        Engine::Postgres => {
            // A backend tells its numbers when it ends.
            let others = "SELECT count(*) FROM pg_stat_activity \
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'trueup'";
            while database.query(others)[0][0].as_deref() != Some("0") {
                std::thread::sleep(Duration::from_millis(20));
            }
            format!(
                "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = '{table}'"
            )
        }
        _ => format!(
            "SELECT rows_read FROM information_schema.table_statistics \
             WHERE table_schema = database() AND table_name = '{table}'"
        ),
    };
    let found = database.query(&sql);
    found.first().and_then(|row| row[0].as_ref()).map_or(0, |rows| rows.parse().expect("a number"))
}

/// Verifies some of the replicas, and returns how many rows of each table the primary was read.
fn reads(primary: &Database, replicas: &[&Database], code: i32) -> BTreeMap<&'static str, u64> {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let urls: Vec<String> =
        replicas.iter().enumerate().map(|(at, replica)| format!("  r{at}: \"{}\"\n", replica.url)).collect();
    let spec = format!(
        "version: 1\nprimary: \"{}\"\nreplicas:\n{}tables: [keyed, log, small]\n",
        primary.url,
        urls.concat()
    );
    std::fs::write(directory.path().join("spec.yml"), spec).expect("the spec can be written");
    let tables = ["keyed", "log", "small"];
    let before = tables.map(|table| rows_read(primary, table));
    let run = tool::run(directory.path(), &BTreeMap::new(), &["verify", "spec.yml", "--format", "json"]);
    assert_eq!(run.exit, Some(code), "{}", run.told());
    let document = run.document();
    for at in 0..replicas.len() {
        let found = &document["replicas"][at]["tables"];
        assert_eq!(found[0]["rows"]["primary"], ROWS, "{}", run.told());
        let update = if at == 1 { 1 } else { 0 };
        assert_eq!(found[0]["summary"]["update"], update, "{}", run.told());
        assert_eq!(found[1]["rows"]["primary"], ROWS, "{}", run.told());
    }
    let after = tables.map(|table| rows_read(primary, table));
    tables
        .into_iter()
        .zip(before.into_iter().zip(after))
        .map(|(table, (before, after))| (table, after - before))
        .collect()
}

fn three_cost_hardly_more_than_one(engine: Engine) {
    let primary = filled(engine, "");
    let drifted = "UPDATE keyed SET v = 'another' WHERE id = 30000;";
    let replicas = [filled(engine, ""), filled(engine, drifted), filled(engine, "")];
    let one = reads(&primary, &[&replicas[0]], 0);
    let three = reads(&primary, &[&replicas[0], &replicas[1], &replicas[2]], 2);
    for (table, rows) in &one {
        println!("{} {table}: {rows} rows for one replica, {} for three", engine.name(), three[table]);
        let there = if *table == "small" { 2 } else { ROWS };
        assert!(*rows >= there, "{table}: the server has counted {rows} rows");
        assert!(
            three[table] * 2 < rows * 3,
            "{table}: {rows} rows for one replica, {} for three",
            three[table]
        );
    }
}

#[test]
fn a_postgres_primary_is_read_once_for_three_replicas() {
    three_cost_hardly_more_than_one(Engine::Postgres);
}

#[test]
fn a_mariadb_primary_is_read_once_for_three_replicas() {
    let database = open(Engine::Mariadb, "counts");
    if database.try_script("SET GLOBAL userstat = 1").is_err() {
        return crate::servers::not_run(
            Engine::Mariadb,
            "reads of the primary are counted",
            "the server does not count",
        );
    }
    three_cost_hardly_more_than_one(Engine::Mariadb);
}
