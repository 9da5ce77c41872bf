//! SQLite files that are copies of each other, byte by byte, and those that only look like it.

use std::path::PathBuf;

use rusqlite::Connection;
use serde_json::json;

use crate::pair::Pair;
use crate::servers::Engine;

/// A primary of these tables, and its copy.
fn copied(sql: &str) -> (Pair, [PathBuf; 2]) {
    let pair = Pair::new(Engine::Sqlite, Engine::Sqlite);
    pair.primary.execute_script(sql);
    let path = |url: &str| PathBuf::from(url.trim_start_matches("sqlite:"));
    let files = [path(&pair.primary.url), path(&pair.replica.url)];
    std::fs::copy(&files[0], &files[1]).expect("it can be copied");
    pair.tables("['*']");
    (pair, files)
}

const TABLES: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, n INT); INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 2);
    CREATE TABLE u (v); INSERT INTO u VALUES (1), (1), (NULL);
    CREATE TABLE \"select\" (\"or der\" TEXT NOT NULL PRIMARY KEY); INSERT INTO \"select\" VALUES ('x');";

#[test]
fn copies_are_in_sync_with_their_rows_counted() {
    let (pair, _) = copied(TABLES);
    pair.tables("[{ table: t, where: 'n = 2' }, u, select]");
    let document = pair.document(&["verify", "spec.yml"], 0);
    let tables = document["replicas"][0]["tables"].as_array().expect("there are tables");
    let rows: Vec<_> = tables.iter().map(|table| table["rows"].clone()).collect();
    let both = |rows: u64| json!({ "primary": rows, "replica": rows });
    assert_eq!(rows, [both(2), both(3), both(1)]);
    for table in tables {
        assert_eq!(table["status"], "in_sync");
        assert_eq!(table["digest"]["primary"], table["digest"]["replica"], "{table}");
        assert_eq!(table["digest"]["method"], "blake3");
    }
}

/// The main file of a database in WAL mode does not change before the log is written into it.
#[test]
fn what_is_in_the_log_alone_is_seen() {
    let (pair, [_, replica]) = copied(&format!("PRAGMA journal_mode = WAL; {TABLES}"));
    pair.exits(&["verify", "spec.yml"], 0);
    let writer = Connection::open(replica).expect("it opens");
    writer
        .execute_batch("PRAGMA wal_autocheckpoint = 0; UPDATE t SET v = 'z' WHERE id = 2")
        .expect("it is written");
    let document = pair.document(&["verify", "spec.yml"], 2);
    assert_eq!(document["replicas"][0]["tables"][1]["summary"]["update"], 1, "{document:#}");
    drop(writer);
    pair.exits(&["verify", "spec.yml"], 2);
}

/// A journal that a crash left behind is rolled back, which changes the file.
#[test]
fn a_change_that_a_crash_left_half_done_is_none() {
    let (pair, [primary, replica]) = copied(TABLES);
    let writer = Connection::open(&replica).expect("it opens");
    writer
        .execute_batch("PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN; UPDATE t SET v = 'z'")
        .expect("it is written");
    writer.cache_flush().expect("it is written into the file");
    let crashed =
        [&replica, &with_ending(&replica, "-journal")].map(|path| std::fs::read(path).expect("it is there"));
    drop(writer);
    // As the crash would have left it: what is written into the file is on the primary too, as if it were committed.
    std::fs::write(&primary, &crashed[0]).expect("it is written");
    std::fs::write(&replica, &crashed[0]).expect("it is written");
    std::fs::write(with_ending(&replica, "-journal"), &crashed[1]).expect("it is written");
    let run = pair.run(&["verify", "spec.yml"]);
    assert_eq!(run.exit, Some(2), "{}", run.told());
}

fn with_ending(path: &std::path::Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// A key that is none is an error in copies too.
#[test]
fn errors_of_the_rows_are_told_of_copies_too() {
    let (pair, _) = copied(
        "CREATE TABLE t (id INT PRIMARY KEY, v TEXT); INSERT INTO t VALUES (NULL, 'a'), (NULL, 'b'), (2, 'c');",
    );
    let alone = pair.run(&["verify", "spec.yml"]);
    pair.replica.execute_script("UPDATE t SET v = 'a' WHERE id = 2; UPDATE t SET v = 'c' WHERE id = 2;");
    let apart = pair.run(&["verify", "spec.yml"]);
    assert_eq!((alone.exit, apart.exit), (Some(1), Some(1)), "{}", alone.told());
}
