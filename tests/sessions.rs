//! The writer's session: whatever a server, a database or a login sets by default, rows are written as the plan says.
//!
//! What the session is set to is read where the rows are written: by a trigger of the replica.

use crate::pair::Pair;
use crate::script::client;
use crate::servers::{Engine, hostile_mariadb, runs_on};

/// PostgreSQL: defaults of the database under which dates, texts and bytes print and read otherwise.
const HOSTILE_POSTGRES: [&str; 10] = [
    "DateStyle = 'SQL, DMY'",
    "IntervalStyle = 'sql_standard'",
    "standard_conforming_strings = off",
    "bytea_output = 'escape'",
    "TimeZone = 'Asia/Karachi'",
    "session_replication_role = 'replica'",
    "extra_float_digits = -10",
    "transform_null_equals = on",
    "array_nulls = off",
    "default_transaction_isolation = 'serializable'",
];

#[test]
fn a_database_of_postgres_with_hostile_defaults() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    let tables = "CREATE TABLE parent (id integer PRIMARY KEY); CREATE TABLE t (id integer PRIMARY KEY, d date, i interval,
         s text, b bytea, at timestamptz, f double precision, a integer[], p integer REFERENCES parent)";
    pair.both(tables);
    pair.primary.execute_script(
        "INSERT INTO parent VALUES (1); INSERT INTO t VALUES (0, '2024-02-03', '1 day 02:03:04', E'a\\\\b''c', '\\x00ff5c',
         '2024-01-01 00:00:00Z', 0.1, '{1,NULL,3}', 1), (1, '2024-02-03', '-1 mon', '\\', '\\x', NULL, 1e-300, NULL, NULL)",
    );
    pair.replica.execute_script(
        "INSERT INTO t (id, s) VALUES (1, 'old'); CREATE TABLE seen (setting text, value text);
         CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO seen SELECT name, setting FROM pg_settings WHERE name IN ('DateStyle', 'IntervalStyle',
                 'standard_conforming_strings', 'bytea_output', 'TimeZone', 'session_replication_role',
                 'transaction_read_only', 'transaction_isolation');
             RETURN NULL; END $$;
         CREATE TRIGGER tell AFTER UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION tell()",
    );
    for side in [&pair.primary, &pair.replica] {
        for setting in HOSTILE_POSTGRES {
            side.execute_script(&format!("ALTER DATABASE {} SET {setting}", side.name));
        }
    }
    pair.tables("[parent, t]");
    pair.exits(&["apply", "spec.yml", "-y"], 0);
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    assert_eq!(pair.replica.dump()["public.t"], pair.primary.dump()["public.t"]);
    let seen = pair.replica.query("SELECT DISTINCT setting || ' ' || value FROM seen");
    let mut seen: Vec<String> = seen.into_iter().flatten().flatten().collect();
    seen.sort();
    assert_eq!(
        seen,
        [
            "DateStyle ISO, MDY",
            "IntervalStyle postgres",
            "TimeZone UTC",
            "bytea_output hex",
            "session_replication_role origin",
            "standard_conforming_strings on",
            "transaction_isolation read committed",
            "transaction_read_only off",
        ]
    );
    // Foreign keys are enforced, also where the login's default is that they are not.
    pair.primary.execute_script("INSERT INTO parent VALUES (2); UPDATE t SET p = 2 WHERE id = 1");
    pair.tables("[t]");
    let run = pair.exits(&["apply", "spec.yml", "-y"], 1);
    assert!(run.told().contains("foreign key"), "{}", run.told());
}

/// A login that a superuser made a replica of, and that cannot undo that itself: neither `apply` nor the script writes.
#[test]
fn a_login_that_always_acts_as_a_replica_is_refused() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.both("CREATE TABLE t (id integer PRIMARY KEY, v text)");
    pair.primary.execute_script("INSERT INTO t VALUES (1, 'a')");
    let writer = pair.replica.limited_role(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON t TO {role}; ALTER ROLE {role} SET session_replication_role = replica",
    );
    pair.tables("[t]");
    let variables = [("REPLICA_URL", writer.as_str())];
    let run = pair.run_with(&["apply", "spec.yml", "-y"], &variables);
    assert_eq!(run.exit, Some(1), "{}", run.told());
    for words in ["session_replication_role is `replica`", "ALTER ROLE ", "GRANT SET ON PARAMETER"] {
        assert!(run.told().contains(words), "{}", run.told());
    }
    let script = pair.run_with(&["plan", "spec.yml", "--format", "sql"], &variables);
    std::fs::write(pair.path("script.sql"), &script.stdout).expect("it can be written");
    let ran = client(Engine::Postgres, &writer, &pair.path("script.sql"), &[]);
    assert!(!ran.ok && ran.said.contains("session_replication_role is replica"), "{}", ran.said);
    assert_eq!(pair.replica.query("SELECT count(*) FROM t"), [[Some("0".to_owned())]]);
    // Who may set it sets it back: a superuser, and from version 15 on whoever is granted that.
    let owner = &pair.replica.url;
    let ran = client(Engine::Postgres, owner, &pair.path("script.sql"), &[]);
    assert!(ran.ok, "{}", ran.said);
    pair.replica.execute_script("DELETE FROM t");
    let version = pair.replica.query("SELECT current_setting('server_version_num')");
    if version[0][0].as_deref().is_some_and(|version| version >= "150000") {
        let role = pair.replica.query(
            "SELECT grantee FROM information_schema.table_privileges
            WHERE table_name = 't' AND privilege_type = 'INSERT' AND grantee <> current_user",
        );
        let role = role[0][0].as_deref().expect("it has rights");
        pair.replica
            .execute_script(&format!("GRANT SET ON PARAMETER session_replication_role TO \"{role}\""));
        let run = pair.run_with(&["apply", "spec.yml", "-y"], &variables);
        assert_eq!(run.exit, Some(0), "{}", run.told());
    }
}

#[test]
fn a_server_of_the_mysql_family_with_hostile_defaults() {
    if !runs_on(Engine::Mariadb, "mariadb", "hostile defaults", "it starts a server of its own") {
        return;
    }
    let mut pair = Pair::new(Engine::Mariadb, Engine::Mariadb);
    let server = hostile_mariadb();
    (pair.primary, pair.replica) = (server.fresh_database("p"), server.fresh_database("r"));
    for setting in [
        "sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'",
        "time_zone = '+05:00'",
        "foreign_key_checks = 0",
        "check_constraint_checks = 0",
        "autocommit = 0",
        "completion_type = 1",
        "tx_isolation = 'SERIALIZABLE'",
    ] {
        server.administer(&format!("SET GLOBAL {setting}")).unwrap_or_else(|why| panic!("{setting}: {why}"));
    }
    pair.both(
        "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, d date, s varchar(40), at timestamp NULL, n int CHECK (n < 10)); COMMIT",
    );
    pair.primary.execute_script(
        "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'; SET time_zone = '+00:00';
         INSERT INTO t VALUES (0, '0000-00-00', 'a\\\\b', '2024-01-01 00:00:00', 1), (1, '2024-00-00', '\"', NULL, 2); COMMIT",
    );
    pair.replica.execute_script(
        "INSERT INTO t (id, s) VALUES (1, 'old'); CREATE TABLE seen (mode text, zone text, keys_on int, checks_on int);
         CREATE TRIGGER tell AFTER UPDATE ON t FOR EACH ROW INSERT INTO seen VALUES
             (@@sql_mode, @@time_zone, @@foreign_key_checks, @@check_constraint_checks); COMMIT",
    );
    pair.tables("[t]");
    pair.exits(&["apply", "spec.yml", "-y"], 0);
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    pair.replica.execute_script("SET time_zone = '+00:00'");
    assert_eq!(pair.replica.dump()["t"], pair.primary.dump()["t"]);
    let seen = pair.replica.query("SELECT zone, keys_on, checks_on FROM seen");
    assert_eq!(seen, [["+00:00", "1", "1"].map(|value| Some(value.to_owned()))]);
}
