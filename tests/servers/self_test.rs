//! The harness proves itself before anything is proved with it.

use std::fs;
use std::time::{Duration, Instant};

use super::session::Session;
use super::watchdog::{Watchdog, private_directory};
use super::{Address, Engine, open};

const ODD_VALUES: &str = "
    CREATE TABLE odd (id integer PRIMARY KEY, t varchar(100));
    INSERT INTO odd VALUES (1, NULL), (2, ''), (3, 'NULL'), (4, 'a''b\\c <&> \"q\"'), (5, 'é🦀'), (6, 'two
lines');";

#[test]
fn every_engine_runs_scripts_and_tells_null_from_text() {
    for engine in Engine::all() {
        let database = open(engine, "odd values");
        database.execute_script(ODD_VALUES);
        let rows = database.query("SELECT t FROM odd ORDER BY id");
        let values: Vec<Option<&str>> = rows.iter().map(|row| row[0].as_deref()).collect();
        let expected =
            [None, Some(""), Some("NULL"), Some("a'b\\c <&> \"q\""), Some("é🦀"), Some("two\nlines")];
        assert_eq!(values, expected, "{}", engine.name());
    }
}

#[test]
fn a_script_stops_at_its_first_error() {
    for engine in Engine::all() {
        let database = open(engine, "stops");
        let failed = database.try_script(
            "CREATE TABLE one (id integer); SELECT * FROM nowhere; CREATE TABLE two (id integer);",
        );
        assert!(failed.is_err_and(|why| why.contains("nowhere")), "{}", engine.name());
        assert!(!database.dump().keys().any(|table| table.ends_with("two")), "{}", engine.name());
    }
}

#[test]
fn a_dump_sees_every_difference() {
    for engine in Engine::all() {
        let dump = |insert: &str| {
            let database = open(engine, "dump");
            database
                .execute_script("CREATE TABLE \"a b\" (id integer PRIMARY KEY, x varchar(9), y varchar(9));");
            database.execute_script(insert);
            database.dump()
        };
        let variants = [
            "NULL, 'a'",
            "'', 'a'",
            "'NULL', 'a'",
            "'a', NULL",
            "'a,', 'b'",
            "'a', ',b'",
            "'A', ''",
            "'a', ''",
        ];
        let mut dumps: Vec<_> =
            variants.map(|v| dump(&format!("INSERT INTO \"a b\" VALUES (1, {v});"))).into();
        dumps.push(dump("SELECT 1;"));
        dumps.sort();
        dumps.dedup();
        assert_eq!(dumps.len(), variants.len() + 1, "{}: {dumps:?}", engine.name());
    }
}

#[test]
fn databases_are_gone_after_the_test() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let database = open(engine, "gone");
        let name = database.name.clone();
        drop(database);
        let other = open(engine, "other");
        let found = match engine {
            Engine::Postgres => other.query(&format!("SELECT 1 FROM pg_database WHERE datname = '{name}'")),
            _ => other.query(&format!("SHOW DATABASES LIKE '{name}'")),
        };
        assert!(found.is_empty(), "{} still has {name}", engine.name());
    }
}

#[test]
fn a_limited_role_has_only_the_rights_it_was_given() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let database = open(engine, "rights");
        database.execute_script("CREATE TABLE seen (id integer); CREATE TABLE hidden (id integer);");
        let url = database.limited_role("GRANT SELECT ON seen TO {role};");
        let address = Address::parse(&url).expect("our own URL can be read");
        let mut session = Session::connect(engine, &address, &database.name).expect("the role may log in");
        assert_eq!(session.run("SELECT * FROM seen"), Ok(vec![]));
        assert!(session.run("SELECT * FROM hidden").is_err());
    }
}

#[test]
fn the_watchdog_stops_its_process_and_cleans_up() {
    let directory = private_directory("dog");
    let command = ["sleep", "1000"].map(String::from);
    let watchdog = Watchdog::start(&directory, "TERM", &command);
    let pid_file = directory.join("pid");
    let started =
        watchdog.wait_until(|| fs::read_to_string(&pid_file).is_ok_and(|pid| pid.ends_with('\n')), SOON);
    assert_eq!(started, Ok(()));
    let pid = fs::read_to_string(&pid_file).expect("it was just there");
    drop(watchdog);
    let deadline = Instant::now() + SOON;
    while directory.exists() || std::path::Path::new("/proc").join(pid.trim()).exists() {
        assert!(Instant::now() < deadline, "process {pid} or {} is still there", directory.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

const SOON: Duration = Duration::from_secs(20);

#[test]
fn an_address_survives_its_url() {
    let address = Address::parse("postgres://us%40er:p%2Fw%25@h:99/db?sslmode=disable").expect("a valid URL");
    assert_eq!((address.user.as_str(), address.password.as_str()), ("us@er", "p/w%"));
    assert_eq!(address.url("x"), "postgres://us%40er:p%2Fw%25@h:99/x?sslmode=disable");
    assert!(Address::parse("sqlite:file").is_err());
}

#[test]
fn every_ordered_pair_of_engines_is_in_the_matrix() {
    let mut pairs = Engine::pairs();
    pairs.sort();
    pairs.dedup();
    assert_eq!(pairs.len(), 9);
}
