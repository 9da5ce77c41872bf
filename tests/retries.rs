//! Others who write the same rows: deadlocks, serialization failures and held locks, provoked on real servers by a
//! second connection. What passes by itself is tried again, with its guards; a time-out that the spec sets is kept.

use std::time::{Duration, Instant};

use crate::messages::wait_until_held;
use crate::pair::Pair;
use crate::servers::{Database, Engine, Mortal};
use crate::tool::Run;

/// Rows 1 to 3 are to be updated.
const PRIMARY: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(40));
    INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three'), (4, 'four');";
const REPLICA: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(40));
    INSERT INTO t VALUES (1, 'eins'), (2, 'zwei'), (3, 'drei'), (4, 'four');";

const APPLY: &[&str] = &["apply", "spec.yml", "-y", "-v", "--format", "json"];

/// `options` of the replica in the spec, such as `, lock_timeout: 1s`.
fn drifted(pair: Pair, options: &str) -> Pair {
    pair.primary.execute_script(PRIMARY);
    pair.replica.execute_script(REPLICA);
    pair.spec(&format!(
        "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: {{ url: \"${{REPLICA_URL}}\"{options} }} }}\n\
         tables: [t]\n"
    ));
    pair
}

fn on(engine: Engine, options: &str) -> Pair {
    drifted(Pair::new(engine, engine), options)
}

#[track_caller]
fn tried_again(pair: &Pair, run: &Run, words: &str) {
    assert_eq!(run.exit, Some(0), "{}", run.told());
    assert!(run.stderr.contains(words) && run.stderr.contains("beginning again"), "{}", run.told());
    let document = run.document();
    assert_eq!(document["verified"], true, "{}", run.told());
    assert_eq!(document["applied"]["update"], 3, "{}", run.told());
    assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", run.told());
}

/// The rows are locked by their keys in ascending order: whoever holds the second and asks for the first meets one
/// who holds the first and asks for the second.
#[test]
fn a_deadlock_is_tried_again() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let pair = on(engine, "");
        let other = &pair.replica;
        if engine == Engine::Postgres {
            // Who looks for deadlocks first is who is ended.
            let name = &other.name;
            other.execute_script(&format!("ALTER DATABASE {name} SET deadlock_timeout = '3s'"));
            other.execute_script("SET deadlock_timeout = '100s'");
        }
        other.execute_script("BEGIN");
        other.execute_script("UPDATE t SET v = 'x' WHERE id = 2");
        let running = pair.start(APPLY);
        wait_until_held(other, &pair.primary);
        other.execute_script("UPDATE t SET v = 'y' WHERE id = 1");
        other.execute_script("ROLLBACK");
        tried_again(&pair, &running.ends(), "a deadlock with another");
    }
}

/// What the other leaves behind is seen by the guards of the next try.
#[test]
fn a_further_try_begins_with_its_guards() {
    let pair = on(Engine::Mariadb, "");
    let other = &pair.replica;
    other.execute_script("BEGIN");
    other.execute_script("UPDATE t SET v = 'x' WHERE id = 2");
    let running = pair.start(APPLY);
    wait_until_held(other, &pair.primary);
    other.execute_script("UPDATE t SET v = 'y' WHERE id = 1");
    other.execute_script("COMMIT");
    let run = running.ends();
    assert_eq!(run.exit, Some(4), "{}", run.told());
    assert!(run.stderr.contains("a deadlock with another"), "{}", run.told());
    let rows = other.query("SELECT v FROM t ORDER BY id");
    let rows: Vec<&str> = rows.iter().filter_map(|row| row[0].as_deref()).collect();
    assert_eq!(rows, ["y", "x", "drei", "four"]);
}

/// Whatever raises it: here a trigger, twice and then no more (a sequence does not roll back).
#[test]
fn a_serialization_failure_is_tried_again() {
    let pair = on(Engine::Postgres, "");
    pair.replica.execute_script(
        "CREATE SEQUENCE tries;
         CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('tries') <= 2 THEN RAISE EXCEPTION 'not now' USING ERRCODE = 'serialization_failure'; END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER stumble BEFORE UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION stumble();",
    );
    let run = pair.run(APPLY);
    tried_again(&pair, &run, "rows changed underneath it");
    assert_eq!(run.stderr.matches("beginning again").count(), 2, "{}", run.told());
    // One that does not pass is told with what was tried, and nothing is written.
    pair.replica
        .execute_script("UPDATE t SET v = 'x'; ALTER SEQUENCE tries RESTART MINVALUE -1000 START -1000");
    pair.replica.execute_script("SELECT setval('tries', -1000)");
    let before = pair.replica.dump();
    let run = pair.run(APPLY);
    assert_eq!(run.exit, Some(1), "{}", run.told());
    let error = run.document()["replicas"][0]["error"].clone();
    assert_eq!(error["kind"], "changed", "{}", run.told());
    assert!(error["message"].to_string().contains("; tried 6 times in "), "{}", run.told());
    assert_eq!(pair.replica.dump(), before);
}

/// A server that by itself gives up waiting for a lock after a second.
#[test]
fn a_lock_that_the_server_waits_for_too_shortly_is_tried_again() {
    let server = Mortal::start(Engine::Mariadb);
    let pair = drifted(Pair::of(server.fresh_database("p"), server.fresh_database("r")), "");
    pair.replica.execute_script("SET GLOBAL innodb_lock_wait_timeout = 1");
    pair.replica.execute_script("BEGIN");
    pair.replica.execute_script("UPDATE t SET v = 'x' WHERE id = 2");
    let running = pair.start(APPLY);
    wait_until_held(&pair.replica, &pair.primary);
    std::thread::sleep(Duration::from_millis(1_300));
    pair.replica.execute_script("ROLLBACK");
    tried_again(&pair, &running.ends(), "another transaction holds a lock too long");
}

#[test]
fn a_sqlite_file_that_is_written_by_another_is_tried_again() {
    let pair = on(Engine::Sqlite, "");
    let other =
        rusqlite::Connection::open(pair.replica.file().expect("it is a file")).expect("it can be opened");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    let running = pair.start(APPLY);
    let lock = format!("{}-trueup-lock", pair.replica.file().expect("it is a file"));
    let begun = Instant::now();
    while !std::path::Path::new(&lock).exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not begin to apply");
        std::thread::sleep(Duration::from_millis(10));
    }
    // SQLite itself waits five seconds.
    std::thread::sleep(Duration::from_millis(5_600));
    other.execute_batch("ROLLBACK").expect("it is there");
    tried_again(&pair, &running.ends(), "another connection holds the database's lock");
}

/// Blocked for good: the time-out of the spec ends it, once.
#[track_caller]
fn ends_in_time(pair: &Pair, words: &str) -> Run {
    let before = pair.primary.dump();
    let begun = Instant::now();
    let run = pair.run(APPLY);
    assert!(begun.elapsed() < Duration::from_secs(60), "{}", run.told());
    assert_eq!(run.exit, Some(1), "{}", run.told());
    let document = run.document();
    let replica = &document["replicas"][0];
    assert_eq!(
        (&replica["outcome"], &replica["error"]["kind"]),
        (&"error".into(), &"timeout".into()),
        "{}",
        run.told()
    );
    assert!(replica["error"]["message"].to_string().contains(words), "{}", run.told());
    assert_eq!(replica["batches"]["committed"], 0, "{}", run.told());
    assert!(!run.stderr.contains("beginning again"), "{}", run.told());
    assert_eq!(pair.primary.dump(), before);
    run
}

fn untouched(replica: &Database) {
    let rows = replica.query("SELECT v FROM t ORDER BY id");
    let rows: Vec<&str> = rows.iter().filter_map(|row| row[0].as_deref()).collect();
    assert_eq!(rows, ["eins", "zwei", "drei", "four"]);
}

#[test]
fn a_lock_that_is_held_ends_by_the_time_outs_of_the_spec() {
    for (engine, options, words) in [
        (Engine::Postgres, ", lock_timeout: 1s", "a lock was not to be had in time"),
        (Engine::Postgres, ", statement_timeout: 1s", "took longer than statement_timeout allows"),
        (Engine::Mariadb, ", lock_timeout: 1s", "another transaction holds a lock too long"),
        (Engine::Mariadb, ", statement_timeout: 1s", "took longer than `statement_timeout`"),
    ] {
        let pair = on(engine, options);
        pair.replica.execute_script("BEGIN");
        pair.replica.query("SELECT v FROM t WHERE id = 2 FOR UPDATE");
        let run = ends_in_time(&pair, words);
        let message = run.document()["replicas"][0]["error"]["message"].to_string();
        // A statement that took too long need not have waited for anybody; MariaDB tells nobody who holds a lock.
        let tells = options.contains("lock_timeout") && engine == Engine::Postgres;
        assert_eq!(message.contains("; locks are held by "), tells, "{}", run.told());
        if tells {
            let holder = &pair.replica.query("SELECT pg_backend_pid()::text")[0][0];
            let holder = format!("process {}, ", holder.as_deref().expect("it has a number"));
            assert!(message.contains(&holder), "{}", run.told());
        }
        pair.replica.execute_script("ROLLBACK");
        untouched(&pair.replica);
        pair.exits(APPLY, 0);
    }
}

#[test]
fn a_sqlite_file_that_is_held_ends_by_the_time_outs_of_the_spec() {
    let pair = on(Engine::Sqlite, ", lock_timeout: 1s");
    let other =
        rusqlite::Connection::open(pair.replica.file().expect("it is a file")).expect("it can be opened");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    ends_in_time(&pair, "another connection holds the database's lock");
    other.execute_batch("ROLLBACK").expect("it is there");
    untouched(&pair.replica);
    pair.exits(APPLY, 0);

    // What takes long there is never a lock: a trigger that counts.
    let pair = on(Engine::Sqlite, ", statement_timeout: 1s");
    pair.replica.execute_script(
        "CREATE TRIGGER slow BEFORE UPDATE ON t BEGIN
             SELECT count(*) FROM (WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 1000000000)
                                   SELECT n FROM n);
         END;",
    );
    ends_in_time(&pair, "the statement took too long");
    untouched(&pair.replica);
}

#[test]
fn a_request_to_stop_is_heard_between_tries() {
    let pair = on(Engine::Postgres, "");
    pair.replica.execute_script(
        "CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE EXCEPTION 'not now' USING ERRCODE = 'serialization_failure';
         END $$;
         CREATE SEQUENCE tries;
         CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             PERFORM nextval('tries'); RETURN NEW;
         END $$;
         CREATE TRIGGER a_counted BEFORE UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION counted();
         CREATE TRIGGER stumble BEFORE UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION stumble();",
    );
    let running = pair.start(APPLY);
    let begun = Instant::now();
    while pair.replica.query("SELECT is_called::text FROM tries")[0][0].as_deref() != Some("true") {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing is written");
        std::thread::sleep(Duration::from_millis(5));
    }
    running.signal("TERM");
    let run = running.ends();
    assert_eq!(run.exit, Some(143), "{}", run.told());
    assert_eq!(run.document()["replicas"][0]["outcome"], "interrupted", "{}", run.told());
    untouched(&pair.replica);
}

/// Changes of structure on an engine that commits at each of them: one that waits for a table in vain is run again,
/// and nothing before it. (The server would wait for a day by itself.)
#[test]
fn a_change_of_structure_that_waits_in_vain_is_tried_again() {
    let server = Mortal::start(Engine::Mariadb);
    let pair = Pair::of(server.fresh_database("p"), server.fresh_database("r"));
    let numbered =
        "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, v varchar(40)); INSERT INTO t VALUES (1, 'one');";
    pair.both(numbered);
    // Two columns to add, and a counter to move on.
    pair.primary.execute_script("ALTER TABLE t ADD COLUMN a int, ADD COLUMN b int, AUTO_INCREMENT = 50");
    pair.replica.execute_script("SET GLOBAL lock_wait_timeout = 1");
    let waiting = "SELECT CAST(COUNT(*) AS CHAR) FROM information_schema.PROCESSLIST WHERE STATE LIKE '%metadata lock%'";
    pair.tables("[t]");
    pair.replica.execute_script("BEGIN");
    pair.replica.query("SELECT v FROM t");
    let running = pair.start(APPLY);
    let begun = Instant::now();
    while pair.primary.query(waiting)[0][0].as_deref() == Some("0") {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing waits for the table");
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(1_300));
    pair.replica.execute_script("ROLLBACK");
    let run = running.ends();
    assert_eq!(run.exit, Some(0), "{}", run.told());
    assert!(run.stderr.contains("beginning again"), "{}", run.told());
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    let counter =
        "SELECT CAST(AUTO_INCREMENT AS CHAR) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()";
    assert_eq!(pair.replica.query(counter), [[Some("50".to_owned())]]);
}
