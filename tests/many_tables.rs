//! Many small tables, several of which are compared at once: what is found of each does not depend on the others.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use trueup::engine::connect;
use trueup::schema::{Databases, pair_table, select_tables};
use trueup::sides::{Side, Sides};
use trueup::spec::Spec;
use trueup::sql::{Select, Selection};
use trueup::value::KeyRange;

use crate::pair::Pair;
use crate::servers::{Database, Engine};

/// Tables of a few rows; in every third of them one row differs.
fn many(engine: Engine) -> Pair {
    let pair = Pair::new(engine, engine);
    let mut sql = String::new();
    for number in 0..60 {
        sql.push_str(&format!(
            "CREATE TABLE t{number:02} (id integer PRIMARY KEY, v varchar(20)); INSERT INTO t{number:02} VALUES (1, 'a'), (2, 'b'), (3, 'c');"
        ));
    }
    // A key that no order is common to is read another way.
    sql.push_str("CREATE TABLE keyless (v varchar(20)); INSERT INTO keyless VALUES ('a'), ('a'), ('b');");
    pair.both(&sql);
    let drift: Vec<String> = (0..60)
        .step_by(3)
        .map(|number| format!("UPDATE t{number:02} SET v = '{number}' WHERE id = 2;"))
        .collect();
    pair.primary.execute_script(&drift.concat());
    pair.primary.execute_script("INSERT INTO keyless VALUES ('a');");
    pair.tables("['*']");
    pair
}

#[test]
fn each_is_compared_as_if_it_were_alone() {
    for engine in Engine::all() {
        let pair = many(engine);
        let document = pair.document(&["plan", "spec.yml", "--detailed-exitcode"], 2);
        let tables = document["replicas"][0]["tables"].as_array().expect("there are tables");
        let names: Vec<&str> = tables.iter().filter_map(|table| table["table"].as_str()).collect();
        assert!(names.is_sorted(), "{}: {names:?}", engine.name());
        assert_eq!(names.len(), 61, "{}", engine.name());
        for (number, table) in tables.iter().skip(1).enumerate() {
            let updates = u64::from(number % 3 == 0);
            assert_eq!(table["summary"]["update"], updates, "{} {table}", engine.name());
            assert_eq!(table["rows"]["replica"], 3, "{} {table}", engine.name());
        }
        assert_eq!(tables[0]["summary"]["insert"], 1, "{}", engine.name());
        let one_by_one = pair.document(&["plan", "spec.yml", "--jobs", "1"], 0);
        assert_eq!(one_by_one["replicas"][0]["tables"], document["replicas"][0]["tables"]);
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        pair.exits(&["verify", "spec.yml"], 0);
    }
}

/// A row that is too large for a part of the memory is none for all of it.
#[test]
fn a_table_has_all_the_memory_where_it_needs_it() {
    for engine in Engine::all() {
        let pair = many(engine);
        let wide = match engine {
            Engine::Sqlite | Engine::Postgres => "text",
            _ => "longtext",
        };
        let text = "x".repeat(1 << 20);
        pair.both(&format!(
            "CREATE TABLE wide (id integer PRIMARY KEY, v {wide}); INSERT INTO wide VALUES (1, '{text}');"
        ));
        pair.primary.execute_script("UPDATE wide SET id = 2;");
        let document = pair.document(&["plan", "spec.yml", "--memory", "16MiB", "--detailed-exitcode"], 2);
        let tables = document["replicas"][0]["tables"].as_array().expect("there are tables");
        let found = tables.iter().find(|table| table["table"] == "wide").expect("it is there");
        assert_eq!(found["error"], serde_json::Value::Null, "{}", engine.name());
        assert_eq!(found["summary"]["insert"], 1, "{}", engine.name());
        let run = pair.run(&["plan", "spec.yml", "--memory", "7MiB"]);
        assert_eq!(run.exit, Some(1), "{}", run.told());
        assert!(run.told().contains("--memory"), "{}", run.told());
    }
}

/// Hands on what a client and a server say to each other, and counts how often the client has spoken after the server:
/// the round trips.
struct Counter {
    port: u16,
    trips: Arc<AtomicUsize>,
}

impl Counter {
    /// Listens on a port of its own for the server of this database.
    fn before(database: &Database) -> Counter {
        let server = database.url.split('@').nth(1).and_then(|rest| rest.split('/').next()).expect("a host");
        let (server, listener) = (server.to_owned(), TcpListener::bind(("127.0.0.1", 0)).expect("a port"));
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let trips = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&trips);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(&server).expect("the server listens");
                // Who spoke last: nobody yet is as the server.
                let asked = Arc::new(AtomicBool::new(false));
                let counted = Arc::clone(&counted);
                let (answered, both) = (Arc::clone(&asked), (copy(&client), copy(&server)));
                std::thread::spawn(move || {
                    hand_on(client, server, || {
                        if !asked.swap(true, Ordering::SeqCst) {
                            counted.fetch_add(1, Ordering::SeqCst);
                        }
                    });
                });
                std::thread::spawn(move || {
                    hand_on(both.1, both.0, || answered.store(false, Ordering::SeqCst))
                });
            }
        });
        Counter { port, trips }
    }

    /// The database's URL by way of this.
    fn url(&self, database: &Database) -> String {
        let server = database.url.split('@').nth(1).and_then(|rest| rest.split('/').next()).expect("a host");
        database.url.replace(server, &format!("127.0.0.1:{}", self.port))
    }
}

fn copy(stream: &TcpStream) -> TcpStream {
    stream.set_nodelay(true).expect("a socket can be set so");
    stream.try_clone().expect("a socket has two handles")
}

fn hand_on(mut from: TcpStream, mut to: TcpStream, mut spoken: impl FnMut()) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        spoken();
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // It may be closed already.
    let _ = to.shutdown(Shutdown::Write);
}

/// So many tables, of which no two are alike in what they hold; some are empty, and one has no key.
fn various(engine: Engine, tables: usize) -> Pair {
    let pair = Pair::new(engine, engine);
    let mut sql = String::new();
    for number in 0..tables {
        let key = if number == 7 { "" } else { ", PRIMARY KEY (id)" };
        sql.push_str(&format!(
            "CREATE TABLE t{number:03} (id integer NOT NULL, v varchar(40), price numeric(8,2), made date, extra text{key});"
        ));
        for row in (0..number % 5).rev() {
            sql.push_str(&format!(
                "INSERT INTO t{number:03} VALUES ({row}, 'of {number}', {number}.50, '2024-02-{:02}', NULL);",
                row + 1
            ));
        }
    }
    pair.both(&sql);
    pair.primary
        .execute_script("UPDATE t004 SET extra = 'another' WHERE id = 2; DELETE FROM t009 WHERE id = 0;");
    pair.tables("['*']");
    pair
}

fn round_trips(engine: Engine, tables: usize) -> (usize, usize) {
    let pair = various(engine, tables);
    let counters = [Counter::before(&pair.primary), Counter::before(&pair.replica)];
    let urls = [counters[0].url(&pair.primary), counters[1].url(&pair.replica)];
    let run = pair.run_with(
        &["verify", "spec.yml", "--format", "json"],
        &[("PRIMARY_URL", &urls[0]), ("REPLICA_URL", &urls[1])],
    );
    assert_eq!(run.exit, Some(2), "{}", run.told());
    let document = run.document();
    let found = document["replicas"][0]["tables"].as_array().expect("there are tables");
    assert_eq!(found.len(), tables, "{}", run.told());
    for (number, table) in found.iter().enumerate() {
        let summary = |what: &str| table["summary"][what].as_u64().unwrap_or_default();
        assert_eq!(table["rows"]["replica"].as_u64(), Some(number as u64 % 5), "{table}");
        assert_eq!(summary("update"), u64::from(number == 4), "{table}");
        assert_eq!(summary("delete"), u64::from(number == 9), "{table}");
    }
    let [primary, replica] = counters.map(|counter| counter.trips.load(Ordering::SeqCst));
    println!(
        "{}: {tables} tables, {primary} round trips to the primary, {replica} to the replica",
        engine.name()
    );
    (primary, replica)
}

/// What more tables cost in round trips, catalogs and snapshots not counted.
#[test]
fn many_tables_take_few_round_trips() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let (few, many) = (round_trips(engine, 100), round_trips(engine, 400));
        for (few, many) in [(few.0, many.0), (few.1, many.1)] {
            assert!(many < few + 100, "{}: {few} round trips for 100 tables, {many} for 400", engine.name());
        }
    }
}

/// Tables of every sort among others that are read together: what is found of each is what is found of it alone.
#[test]
fn what_cannot_be_read_together_is_read_alone() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    let odd = [
        ("domains", "id integer PRIMARY KEY, v positive", "(1, 5), (2, NULL)", "v = 7"),
        ("moods", "id integer PRIMARY KEY, v mood", "(1, 'sad'), (2, 'happy')", "v = 'happy'"),
        ("lists", "id integer PRIMARY KEY, v integer[]", "(1, '{1,2}'), (2, NULL)", "v = '{3}'"),
        (
            "documents",
            "id uuid PRIMARY KEY, v jsonb",
            "('00000000-0000-0000-0000-000000000001', '{\"a\": 1.0}')",
            "v = '[]'",
        ),
        ("padded", "id char(5) PRIMARY KEY, v char(3)", "('b', 'x'), ('a', 'y'), ('', 'z')", "v = 'zz'"),
        (
            "moments",
            "id timestamptz PRIMARY KEY, v time",
            "('2024-01-01 10:00Z', '10:00'), ('infinity', NULL)",
            "v = '11:00'",
        ),
        (
            "numbers",
            "id numeric PRIMARY KEY, v double precision",
            "(1.50, 'NaN'), (1.5000001, -0.0), (-7, 1)",
            "v = 2",
        ),
        (
            "bytes",
            "id bytea PRIMARY KEY, v boolean",
            "('\\x00', true), ('\\xff', NULL), ('', false)",
            "v = NOT coalesce(v, false)",
        ),
        (
            "text_key",
            "id text COLLATE \"en-x-icu\" PRIMARY KEY, v text",
            "('b', 'x'), ('A', 'y'), ('a', 'z')",
            "v = repeat('long ', 9000)",
        ),
        ("keyless", "id integer, v text", "(1, 'x'), (1, 'x'), (NULL, NULL)", "v = 'y'"),
        ("Quoted \"name", "id integer PRIMARY KEY, v text", "(1, 'x')", "v = 'y'"),
        ("empty_here", "id integer PRIMARY KEY, v text", "(1, 'x')", "v = 'y'"),
        ("forbidden", "id integer PRIMARY KEY, v text", "(1, 'x')", "v = 'y'"),
    ];
    pair.both(
        "CREATE DOMAIN positive AS integer CHECK (VALUE > 0); CREATE TYPE mood AS ENUM ('sad', 'happy');",
    );
    for (name, columns, rows, set) in odd {
        let name = format!("\"{}\"", name.replace('"', "\"\""));
        pair.both(&format!("CREATE TABLE {name} ({columns}); INSERT INTO {name} VALUES {rows};"));
        pair.primary.execute_script(&format!("UPDATE {name} SET {set};"));
    }
    pair.primary.execute_script("DELETE FROM empty_here;");
    pair.both(
        "CREATE TABLE parted (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id); \
         CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10); INSERT INTO parted VALUES (1, 'x'); \
         CREATE TABLE parent (id integer PRIMARY KEY, v text); INSERT INTO parent VALUES (1, 'x'); \
         CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent); INSERT INTO child VALUES (1, 'another');",
    );
    pair.primary.execute_script("UPDATE parted SET v = 'y'; UPDATE ONLY parent SET v = 'y';");
    let login = pair.replica.limited_role(
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}; REVOKE SELECT ON forbidden FROM {role};",
    );
    let unlike_alone = |name: &str| name == "child";
    each_is_found_as_alone(&pair, odd.len() + 3, Some(&login), unlike_alone);
}

/// What is found of each table beside the others is what is found of it alone, and but for those that are equal it is a
/// difference. `login`: one of the replica that may not read the table `forbidden`.
fn each_is_found_as_alone(pair: &Pair, count: usize, login: Option<&str>, equal: impl Fn(&str) -> bool) {
    let logins = [Some((pair.replica.url.as_str(), false)), login.map(|login| (login, true))];
    for (url, forbidden) in logins.into_iter().flatten() {
        pair.tables("['*']");
        let args = ["plan", "spec.yml", "--jobs", "1", "--format", "json"];
        let run = pair.run_with(&args, &[("REPLICA_URL", url)]);
        let document = run.document();
        let tables = document["replicas"][0]["tables"].as_array().expect("there are tables");
        assert_eq!(tables.len(), count, "{}", run.told());
        for table in tables {
            let name = table["table"].as_str().expect("a name");
            let unread = forbidden && name == "forbidden";
            assert_eq!(table["error"].is_object(), unread, "{table}");
            let alone =
                pair.run_with(&[&args[..], &["--table", name]].concat(), &[("REPLICA_URL", url)]).document();
            assert_eq!(alone["replicas"][0]["tables"][0], *table, "{name}");
            assert!(unread || equal(name) || table["status"] != "in_sync", "{table}");
        }
    }
}

/// The same on MariaDB: the values of every type, each among the columns of others.
#[test]
fn tables_of_mariadb_that_are_read_together_are_as_alone() {
    let pair = Pair::new(Engine::Mariadb, Engine::Mariadb);
    let odd = [
        ("tiny", "id tinyint PRIMARY KEY, v tinyint unsigned", "(-128, 255), (127, 0)", "v = 128"),
        ("small", "id smallint unsigned PRIMARY KEY, v smallint", "(65535, -32768), (0, 1)", "v = 32767"),
        (
            "medium",
            "id mediumint PRIMARY KEY, v mediumint unsigned",
            "(-8388608, 16777215), (1, 1)",
            "v = 8388608",
        ),
        (
            "whole",
            "id int unsigned PRIMARY KEY, v int",
            "(4294967295, -2147483648), (1, 1)",
            "v = 2147483647",
        ),
        (
            "big",
            "id bigint unsigned PRIMARY KEY, v bigint",
            "(18446744073709551615, -9223372036854775808), (1, 1)",
            "v = 9",
        ),
        ("flag", "id boolean PRIMARY KEY, v tinyint(1)", "(0, -1), (1, NULL)", "v = 100"),
        ("flag_unsigned", "id int PRIMARY KEY, v tinyint(1) unsigned", "(0, 255), (1, NULL)", "v = 200"),
        ("filled", "id int(8) zerofill PRIMARY KEY, v int(3) zerofill", "(1, 4000000000), (2, 7)", "v = 8"),
        (
            "money",
            "id decimal(30,10) PRIMARY KEY, v decimal(65,30)",
            "(-1.5, 99999999999999999999999999999999999.000000000000000000000000000001), (2, 0)",
            "v = -1",
        ),
        (
            "money_unsigned",
            "id int PRIMARY KEY, v decimal(5,2) unsigned",
            "(1, 999.99), (2, 0.01)",
            "v = 1.10",
        ),
        (
            "single",
            "id int PRIMARY KEY, v float",
            "(1, 16777217), (2, 1.17549435e-38), (3, -0.1)",
            "v = 0.30000001",
        ),
        ("single_fixed", "id int PRIMARY KEY, v float(7,4)", "(1, 123.4567), (2, 0.0001)", "v = 1.2345"),
        (
            "twofold",
            "id double PRIMARY KEY, v double",
            "(0.1, 1.7976931348623157e308), (-2.5, 4.9e-324)",
            "v = 0.30000000000000004",
        ),
        (
            "days",
            "id date PRIMARY KEY, v date",
            "('2024-02-29', '0000-00-00'), ('1000-01-01', '2024-02-31')",
            "v = '9999-12-31'",
        ),
        (
            "hours",
            "id time(6) PRIMARY KEY, v time",
            "('-838:59:59.000000', '00:00:00'), ('12:00:00.000001', NULL)",
            "v = '838:59:59'",
        ),
        (
            "stamps",
            "id datetime(6) PRIMARY KEY, v datetime(3)",
            "('2024-01-01 10:00:00.000001', '0000-00-00'), ('1000-01-01', NULL)",
            "v = '2024-05-05 01:02:03.004'",
        ),
        (
            "moments",
            "id timestamp(6) PRIMARY KEY, v timestamp NULL",
            "('2024-01-01 10:00:00.5', '1970-01-01 00:00:01'), ('2038-01-19 03:14:07', NULL)",
            "v = '2000-01-01'",
        ),
        ("years", "id year PRIMARY KEY, v year", "(1901, 2155), (2024, 0)", "v = 1999"),
        (
            "bits",
            "id bit(3) PRIMARY KEY, v bit(64)",
            "(b'101', b'1111111111111111111111111111111111111111111111111111111111111111'), (b'0', NULL)",
            "v = b'1'",
        ),
        ("chars", "id char(5) PRIMARY KEY, v char(3)", "('b', 'x '), ('A', 'y')", "v = 'zz'"),
        (
            "old_set",
            "id varchar(9) CHARACTER SET latin1 PRIMARY KEY, v text CHARACTER SET latin1",
            "('é', 'ü€'), ('a', '')",
            "v = 'ö'",
        ),
        (
            "binary_order",
            "id varchar(9) COLLATE utf8mb4_bin PRIMARY KEY, v text COLLATE utf8mb4_nopad_bin",
            "('é', '😀 '), ('a', '')",
            "v = '€'",
        ),
        (
            "latin_bin",
            "id varchar(9) CHARACTER SET latin1 COLLATE latin1_bin PRIMARY KEY, v char(3)",
            "('é', 'é'), ('e', '')",
            "v = 'ü'",
        ),
        ("shift", "id int PRIMARY KEY, v varchar(9) CHARACTER SET cp932", "(1, 'あ'), (2, '')", "v = 'ア'"),
        (
            "texts",
            "id int PRIMARY KEY, a tinytext, b mediumtext, v longtext",
            "(1, 'a', 'b', 'c'), (2, NULL, '', 'd')",
            "v = repeat('long ', 9000)",
        ),
        (
            "raw",
            "id varbinary(9) PRIMARY KEY, a binary(4), b blob, v longblob",
            "(x'00ff', x'00', x'ff00', x''), ('', NULL, NULL, 'x')",
            "v = x'80'",
        ),
        ("feelings", "id int PRIMARY KEY, v enum('sad','so, so','é')", "(1, 'é'), (2, NULL)", "v = 'so, so'"),
        ("tags", "id int PRIMARY KEY, v set('a','b','ü')", "(1, 'a,ü'), (2, '')", "v = 'b'"),
        ("documents", "id int PRIMARY KEY, v json", "(1, '{\"a\": 1.0}'), (2, NULL)", "v = '[1]'"),
        (
            "ids",
            "id uuid PRIMARY KEY, v uuid",
            "('00000000-0000-0000-0000-000000000001', NULL), ('ffffffff-0000-1000-8000-000000000001', '00000000-0000-0000-0000-000000000002')",
            "v = '00000000-0000-0000-0000-000000000003'",
        ),
        (
            "addresses",
            "id inet6 PRIMARY KEY, v inet6",
            "('::1', '::ffff:1.2.3.4'), ('2001:db8::', NULL)",
            "v = '::2'",
        ),
        (
            "places",
            "id int PRIMARY KEY, v geometry",
            "(1, ST_GeomFromText('POINT(1 2)')), (2, NULL)",
            "v = ST_GeomFromText('POINT(3 4)')",
        ),
        ("keyless", "id int, v text", "(1, 'x'), (1, 'x'), (NULL, NULL)", "v = 'y'"),
        ("Quoted `name", "id int PRIMARY KEY, `a \"b`` 'c` int, v text", "(1, 2, 'x')", "v = 'y'"),
        ("empty_here", "id int PRIMARY KEY, v text", "(1, 'x')", "v = 'y'"),
        ("zeal", "id int PRIMARY KEY, v text", "(1, 'x')", "v = 'y'"),
        ("forbidden", "id int PRIMARY KEY, v text", "(1, 'x')", "v = 'y'"),
    ];
    for (name, columns, rows, set) in odd {
        let name = format!("`{}`", name.replace('`', "``"));
        pair.both(&format!(
            "SET sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO'; CREATE TABLE {name} ({columns}); INSERT INTO {name} VALUES {rows};"
        ));
        pair.primary.execute_script(&format!("UPDATE {name} SET {set};"));
    }
    pair.primary.execute_script("DELETE FROM empty_here;");
    // One row more than is read together, of which the last differs.
    pair.both(
        "CREATE TABLE many (id int PRIMARY KEY, v int); INSERT INTO many SELECT seq, seq FROM seq_1_to_1001;",
    );
    pair.primary.execute_script("UPDATE many SET v = 0 WHERE id = 1001;");
    each_is_found_as_alone(&pair, odd.len() + 1, None, |_| false);
    // Of numbers without a sign the server does not say so among others.
    let unsigned = ["big", "filled", "flag_unsigned", "many", "medium", "small", "tiny", "whole"];
    reads_together(&pair, &unsigned);
}

/// All rows of each table but those `alone` are read together with others, and are those of its own scan.
fn reads_together(pair: &Pair, alone: &[&str]) {
    let text = format!(
        "version: 1\nprimary: \"{}\"\nreplicas: {{ r: \"{}\" }}\ntables: ['*']\n",
        pair.primary.url, pair.replica.url
    );
    let spec = Spec::parse(&text, "spec.yml", &|_| None).expect("a spec");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let engine = connect(&spec.primary, false).await.expect("the database is there");
        let catalog = engine.catalog(&[None]).await.expect("a catalog");
        let known = Databases {
            dialects: Sides::new(engine.dialect(), engine.dialect()),
            replica: &catalog,
            primary_default: catalog.default_schema.as_deref(),
            primary_enums: &[],
            primary_extensions: &Default::default(),
            now: jiff::Timestamp::UNIX_EPOCH,
            selected: &Default::default(),
            chosen: &Default::default(),
            allowed: &[],
        };
        let selected = select_tables(&spec, &catalog, &[]);
        let whole = |selected| {
            let pair = pair_table(&spec, selected, &known).expect("the tables can be paired").pair;
            pair.select(Side::Primary, Selection::Range(KeyRange::all()), pair.is_ordered())
        };
        let selects: Vec<Select> = selected.iter().map(whole).collect();
        let snapshot = engine.snapshot().await.expect("a snapshot");
        let together = snapshot.read_together(&selects, 8 << 20).await;
        let mut unread = Vec::new();
        for (select, together) in selects.iter().zip(together) {
            let name = &select.table.name;
            let Some(together) = together else {
                unread.push(name.as_str());
                continue;
            };
            let mut stream = snapshot.scan(select.clone()).await.expect("a scan");
            let mut own: Vec<Vec<u8>> = Vec::new();
            while let Some(block) = stream.next().await.expect("rows") {
                own.extend(block.rows().map(<[u8]>::to_vec));
            }
            let mut rows: Vec<Vec<u8>> = together.rows().map(<[u8]>::to_vec).collect();
            if !select.ordered {
                own.sort();
                rows.sort();
            }
            assert_eq!(rows, own, "{name}");
        }
        assert_eq!(unread, alone);
    });
}
