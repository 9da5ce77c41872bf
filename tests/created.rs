//! Tables that are made on another engine: what the replica cannot have of their columns is left out, and the table comes.

use crate::pair::Pair;
use crate::servers::Engine;

fn is_filled(primary: Engine, replica: Engine, sql: &str) {
    let pair = Pair::new(primary, replica);
    pair.primary.execute_script(sql);
    pair.tables("['*']");
    pair.exits(&["apply", "spec.yml", "-y"], 0);
    pair.exits(&["verify", "spec.yml"], 0);
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
}

/// Numbers that are too large for an integer, and columns that are no key, are not numbered there.
#[test]
fn numbering_that_the_replica_cannot_have_is_left_out() {
    for replica in [Engine::Postgres, Engine::Sqlite] {
        is_filled(
            Engine::Mariadb,
            replica,
            "CREATE TABLE t (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, a int); INSERT INTO t VALUES (7, 1)",
        );
    }
    for replica in [Engine::Mariadb, Engine::Sqlite] {
        is_filled(
            Engine::Postgres,
            replica,
            "CREATE TABLE t (a int PRIMARY KEY, s serial); INSERT INTO t VALUES (7, 1)",
        );
    }
}

/// The text of a moment is one of its server's zone.
#[test]
fn defaults_of_moments_are_left_out() {
    for replica in [Engine::Mariadb, Engine::Sqlite] {
        is_filled(
            Engine::Postgres,
            replica,
            "CREATE TABLE t (a int PRIMARY KEY, m timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00');
             INSERT INTO t VALUES (7, '2024-01-02 03:04:05Z')",
        );
    }
}

/// Nor is there a day that is none on every engine.
#[test]
fn defaults_that_are_no_day_are_left_out() {
    is_filled(
        Engine::Sqlite,
        Engine::Postgres,
        "CREATE TABLE t (a INTEGER PRIMARY KEY, d datetime NOT NULL DEFAULT '0000-00-00 00:00:00');
         INSERT INTO t VALUES (7, '2024-01-02 03:04:05')",
    );
}

/// SQLite folds the letters of ASCII and no others.
#[test]
fn names_in_other_letters_are_other_tables() {
    let pair = Pair::new(Engine::Sqlite, Engine::Sqlite);
    pair.primary.execute_script(
        "CREATE TABLE \"É\" (id INTEGER PRIMARY KEY); CREATE TABLE \"A\" (id INTEGER PRIMARY KEY)",
    );
    pair.replica.execute_script(
        "CREATE TABLE \"é\" (id INTEGER PRIMARY KEY); CREATE TABLE \"a\" (id INTEGER PRIMARY KEY)",
    );
    pair.tables("['É', 'A']");
    let seen = pair.document(&["verify", "spec.yml"], 2);
    let tables = &seen["replicas"][0]["tables"];
    assert_eq!(
        (tables[0]["status"].as_str(), tables[1]["status"].as_str()),
        (Some("missing"), Some("in_sync"))
    );
}
