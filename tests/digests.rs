//! `--digest database`: the answer is that of reading all rows, and few rows are read. What could make digests agree that
//! must not is tried on real servers, beside the functions that are not used because they would agree.

mod unsound;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value as Json;

use crate::pair::Pair;
use crate::servers::{Address, Engine};

/// Counts what a server sends; lives as long as the process.
struct Counter {
    port: u16,
    received: Arc<AtomicU64>,
}

impl Counter {
    fn start(server: String) -> Counter {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port can be had");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let received = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&received);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A connection that cannot be made is one that the client sees closed.
                let Ok(there) = TcpStream::connect(&server) else { continue };
                let (Ok(from), Ok(to)) = (client.try_clone(), there.try_clone()) else { continue };
                let count = Arc::clone(&count);
                std::thread::spawn(move || carry(from, to, &AtomicU64::new(0)));
                std::thread::spawn(move || carry(there, client, &count));
            }
        });
        Counter { port, received }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, count: &AtomicU64) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        count.fetch_add(read as u64, Ordering::SeqCst);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // Either end may be gone already.
    let _ = to.shutdown(std::net::Shutdown::Both);
}

/// Two databases with the same contents but for what is said of the replica.
fn scene(engine: Engine, tables: &str, both: &str, replica: &str) -> Pair {
    let pair = Pair::new(engine, engine);
    pair.both(both);
    if !replica.is_empty() {
        pair.replica.execute_script(replica);
    }
    pair.tables(tables);
    pair
}

fn document(pair: &Pair, method: &str, more: &[&str]) -> Json {
    let arguments = ["plan", "spec.yml", "--format", "json", "--digest", method];
    let run = pair.run(&[&arguments, more].concat());
    assert_eq!(run.exit, Some(0), "{}", run.told());
    run.document()
}

/// The tables of a document without what names the method.
fn tables(document: &Json) -> Vec<Json> {
    let tables = document["replicas"][0]["tables"].as_array().expect("there are tables").clone();
    let strip = |mut table: Json| {
        let digest = table["digest"].take();
        table["equal"] = (digest["primary"] == digest["replica"]).into();
        // Where ranges begin and end is the method's.
        table["ranges"].take();
        table
    };
    tables.into_iter().map(strip).collect()
}

/// Compares by both methods. The answers must be the same; returns the one of the databases' digests.
#[track_caller]
fn same(pair: &Pair, more: &[&str]) -> Json {
    let (read, digested) = (document(pair, "blake3", more), document(pair, "database", more));
    for (one, other) in tables(&read).iter().zip(tables(&digested)) {
        assert_eq!(*one, other);
    }
    for table in digested["replicas"][0]["tables"].as_array().into_iter().flatten() {
        for change in table["changes"].as_array().into_iter().flatten() {
            let key = &change["key"];
            assert!(table["ranges"].as_array().is_some_and(|ranges| !ranges.is_empty()), "{key}");
        }
    }
    digested
}

/// [`same`], where every table was digested by the databases.
#[track_caller]
fn digested(pair: &Pair, more: &[&str]) -> Json {
    let document = same(pair, more);
    for table in document["replicas"][0]["tables"].as_array().expect("there are tables") {
        let truncated = table["truncated"] == true;
        assert!(
            truncated || table["digest"]["method"] == "database",
            "{table}\n{}",
            document["replicas"][0]["notes"]
        );
    }
    document
}

/// [`same`], where the only table was read, with a note that says this.
#[track_caller]
fn read(pair: &Pair, why: &str) -> Json {
    let document = same(pair, &[]);
    let replica = &document["replicas"][0];
    assert_eq!(replica["tables"][0]["digest"]["method"], "blake3");
    assert!(replica["notes"].to_string().contains(why), "{}", replica["notes"]);
    document
}

fn count(document: &Json, action: &str) -> u64 {
    document["summary"][action].as_u64().expect("a number")
}

const ITEMS: &str =
    "CREATE TABLE items (id bigint PRIMARY KEY, name varchar(80), price numeric(12,2), seen timestamp(6));";

fn items(engine: Engine, rows: u32) -> String {
    let insert = match engine {
        Engine::Postgres => format!(
            "INSERT INTO items SELECT i * 3, 'an item of some length ' || i, i / 7.0, \
             timestamp '2020-01-01' + i * interval '1 minute' FROM generate_series(1, {rows}) n(i); ANALYZE items;"
        ),
        _ => format!(
            "INSERT INTO items SELECT seq * 3, CONCAT('an item of some length ', seq), seq / 7.0, \
             TIMESTAMPADD(MINUTE, seq, '2020-01-01') FROM seq_1_to_{rows}; ANALYZE TABLE items;"
        ),
    };
    // A `timestamp` of the one engine is a moment, and one of the other is none.
    let seen = if engine == Engine::Postgres { "timestamp(6)" } else { "datetime(6)" };
    format!("{}{insert}", ITEMS.replace("timestamp(6)", seen))
}

/// Verifies through a proxy. Returns the document and the bytes that the primary sent.
fn far(pair: &Pair, exit: i32) -> (Json, u64) {
    let mut address = Address::parse(&pair.primary.url).expect("a URL of the harness");
    let counter = Counter::start(format!("{}:{}", address.host, address.port));
    address.port = counter.port;
    let urls = [address.url(&pair.primary.name), pair.replica.url.clone()];
    pair.spec(&format!(
        "version: 1\nprimary: \"{}\"\nreplicas: {{ copy: \"{}\" }}\ntables: [items]\n",
        urls[0], urls[1]
    ));
    let run = pair.run(&["verify", "spec.yml", "--format", "json", "--digest", "database"]);
    assert_eq!(run.exit, Some(exit), "{}", run.told());
    (run.document(), counter.received.load(Ordering::SeqCst))
}

const ROWS: u32 = 200_000;
/// The rows take about 80 bytes each.
const CATALOG_BYTES: u64 = 200_000;

fn equal_tables_bring_no_rows(engine: Engine) {
    let pair = scene(engine, "[items]", &items(engine, ROWS), "");
    let (document, received) = far(&pair, 0);
    let table = &document["replicas"][0]["tables"][0];
    assert_eq!(table["digest"]["method"], "database");
    assert_eq!(table["digest"]["primary"], table["digest"]["replica"]);
    assert_eq!(table["rows"], serde_json::json!({ "primary": ROWS, "replica": ROWS }));
    println!("{} bytes for {ROWS} rows", received);
    assert!(received < CATALOG_BYTES, "the primary sent {received} bytes");
}

fn a_few_changes_bring_a_few_rows(engine: Engine) {
    let pair = scene(
        engine,
        "[items]",
        &items(engine, ROWS),
        "UPDATE items SET name = 'another' WHERE id IN (3, 150000, 600000); DELETE FROM items WHERE id = 300000; \
         INSERT INTO items VALUES (-5, 'extra', 1, NULL), (300001, 'extra', 1, NULL), (700000, 'extra', 1, NULL);",
    );
    let (document, received) = far(&pair, 2);
    let table = &document["replicas"][0]["tables"][0];
    assert_eq!(table["summary"], serde_json::json!({ "insert": 1, "update": 3, "delete": 3 }));
    assert_eq!(table["rows"], serde_json::json!({ "primary": ROWS, "replica": ROWS + 2 }));
    println!("{} bytes for 7 changes", received);
    assert!(received < CATALOG_BYTES + 200_000, "the primary sent {received} bytes");
}

fn plans_are_those_of_reading_all_rows(engine: Engine) {
    let both = items(engine, 20_000);
    for (drift, changes) in [
        ("", 0),
        ("UPDATE items SET price = 1 WHERE MOD(id, 1000) = 0;", 20),
        ("DELETE FROM items WHERE id BETWEEN 3000 AND 9000;", 2001),
        ("DELETE FROM items;", 20_000),
        ("UPDATE items SET name = NULL;", 20_000),
        ("INSERT INTO items SELECT id + 1, name, price, seen FROM items WHERE id > 50000;", 3_334),
        ("UPDATE items SET seen = NULL WHERE id = 60000; DELETE FROM items WHERE id = 3;", 2),
    ] {
        let pair = scene(engine, "[items]", &both, drift);
        for more in [&["--chunk-rows", "700"][..], &["--chunk-rows", "5000", "--jobs", "1"]] {
            let document = digested(&pair, more);
            let found: u64 =
                ["insert", "update", "delete"].iter().map(|action| count(&document, action)).sum();
            assert_eq!(found, changes, "{drift}");
        }
    }
}

/// Rows that weaker encodings take for one.
const TRICKS: [(&str, &str); 8] = [
    ("'ab', 'c'", "'a', 'bc'"),
    ("NULL, ''", "'', NULL"),
    ("NULL, 'x'", "'NULL', 'x'"),
    ("'a,b', 'c'", "'a', 'b,c'"),
    ("'a#', 'c'", "'a', '#c'"),
    ("'', ''", "NULL, NULL"),
    ("'x', 'y'", "'y', 'x'"),
    ("'a', 'b'", "'a ', 'b'"),
];

fn tricks_are_seen(engine: Engine) {
    let table = "CREATE TABLE items (id integer PRIMARY KEY, a varchar(20), b varchar(20));";
    for (one, other) in TRICKS {
        let insert = |values: &str| format!("INSERT INTO items VALUES (1, {values}), (2, 'z', 'z');");
        let pair = scene(engine, "[items]", table, &insert(other));
        pair.primary.execute_script(&insert(one));
        assert_eq!(count(&digested(&pair, &[]), "update"), 1, "{one} and {other}");
    }
    // Two rows exchange a value: a sum of what each row is would be the same.
    let pair = scene(engine, "[items]", table, "INSERT INTO items VALUES (1, 'q', 'p'), (2, 'p', 'q');");
    pair.primary.execute_script("INSERT INTO items VALUES (1, 'p', 'q'), (2, 'q', 'p');");
    assert_eq!(count(&digested(&pair, &[]), "update"), 2);
    // Rows that pass from one key to another.
    let pair = scene(engine, "[items]", table, "INSERT INTO items VALUES (2, 'p', 'q'), (3, 'p', 'q');");
    pair.primary.execute_script("INSERT INTO items VALUES (1, 'p', 'q'), (2, 'p', 'q');");
    let document = digested(&pair, &[]);
    assert_eq!((count(&document, "insert"), count(&document, "delete")), (1, 1));
}

fn long_rows_are_told_apart(engine: Engine) {
    let long = match engine {
        Engine::Postgres => "text",
        _ => "longtext",
    };
    let table = format!(
        "CREATE TABLE items (id integer PRIMARY KEY, a {long}, b {long}); INSERT INTO items VALUES \
         (1, REPEAT('x', 2000000), 'b'), (2, REPEAT('y', 450), REPEAT('z', 40)), (3, NULL, REPEAT('é', 100000));"
    );
    for drift in [
        "",
        "UPDATE items SET a = CONCAT(REPEAT('x', 1999999), 'y') WHERE id = 1;",
        "UPDATE items SET a = REPEAT('x', 1999999), b = 'xb' WHERE id = 1;",
        "UPDATE items SET b = CONCAT(b, 'e') WHERE id = 3;",
    ] {
        let pair = scene(engine, "[items]", &table, drift);
        let changed = u64::from(!drift.is_empty());
        assert_eq!(count(&digested(&pair, &[]), "update"), changed, "{drift}");
    }
}

fn keys_and_scopes(engine: Engine) {
    let text = match engine {
        Engine::Postgres => "text COLLATE \"C\"",
        _ => "varbinary(40)",
    };
    let pair = Pair::new(engine, engine);
    pair.both(&format!(
        "CREATE TABLE composite (a integer, b bigint, v varchar(20), r varchar(9), PRIMARY KEY (a, b));\
         CREATE TABLE words (k {text} NOT NULL PRIMARY KEY, v varchar(20));\
         CREATE TABLE sums (k numeric(20,4) PRIMARY KEY, v varchar(20));\
         CREATE TABLE days (k date PRIMARY KEY, q varchar(3), n varchar(3), record_send varchar(3));\
         CREATE TABLE r (r integer PRIMARY KEY, r_ varchar(20), n integer, k0 integer);"
    ));
    let series = |from: &str, rows: u32| match engine {
        Engine::Postgres => format!("SELECT {} FROM generate_series(1, {rows}) n(i)", from),
        _ => format!("SELECT {from} FROM (SELECT CAST(seq AS SIGNED) AS i FROM seq_1_to_{rows}) n"),
    };
    let day = match engine {
        Engine::Postgres => "date '1990-01-01' + i",
        _ => "TIMESTAMPADD(DAY, i, DATE '1990-01-01')",
    };
    pair.both(&format!(
        "INSERT INTO composite {}; INSERT INTO words {}; INSERT INTO sums {}; INSERT INTO days {}; INSERT INTO r {};",
        series("MOD(i, 7), i, CONCAT('v', i), 'same'", 3_000),
        series("CONCAT(CASE WHEN MOD(i, 2) = 0 THEN 'B' ELSE 'b' END, i), 'v'", 2_000),
        series("i / 3.0 - 100, CONCAT('v', i)", 2_000),
        series(&format!("{day}, 'q', 'n', 'r'"), 2_000),
        series("-i, CONCAT('v', i), MOD(i, 3), 5", 2_000),
    ));
    pair.replica.execute_script(
        "UPDATE composite SET v = 'drift' WHERE b IN (5, 6, 2999); UPDATE composite SET r = 'other' WHERE b < 100;\
         DELETE FROM composite WHERE a = 3; UPDATE words SET v = 'w' WHERE k IN ('b1999', 'B2', 'b3');\
         DELETE FROM words WHERE k = 'B1000'; UPDATE sums SET v = 'drift' WHERE k < -99;\
         UPDATE days SET n = NULL WHERE k = '1991-02-03'; DELETE FROM r WHERE r IN (-1, -2000, -700);",
    );
    pair.tables(
        "[{ table: composite, compare: { r: ignore } }, words, { table: sums, where: \"k > -99.5 AND k < 300\" }, days, r]",
    );
    let document = digested(&pair, &["--chunk-rows", "600"]);
    assert!(count(&document, "update") > 5 && count(&document, "insert") > 400);
    // With a limit, the first changes in the order of their keys.
    digested(&pair, &["--max-diffs", "2", "--chunk-rows", "600"]);
}

#[test]
fn equal_tables_of_postgres_bring_no_rows() {
    equal_tables_bring_no_rows(Engine::Postgres);
}

#[test]
fn a_few_changes_on_postgres_bring_a_few_rows() {
    a_few_changes_bring_a_few_rows(Engine::Postgres);
}

#[test]
fn plans_on_postgres_are_those_of_reading_all_rows() {
    plans_are_those_of_reading_all_rows(Engine::Postgres);
}

#[test]
fn tricks_on_postgres_are_seen() {
    tricks_are_seen(Engine::Postgres);
}

#[test]
fn long_rows_of_postgres_are_told_apart() {
    long_rows_are_told_apart(Engine::Postgres);
}

#[test]
fn keys_and_scopes_of_postgres() {
    keys_and_scopes(Engine::Postgres);
}

/// A type of PostgreSQL, and values that are all different, however alike to some function of the server or some cast.
const VALUES: &[(&str, &[&str])] = &[
    (
        "numeric",
        &["9.50", "-9.50", "9.5", "0", "0.0", "'NaN'", "12345678901234567890.1", "12345678901234567890.2"],
    ),
    ("numeric(30,2)", &["9.50", "-9.50", "99999999999999999999.01", "99999999999999999999.02"]),
    ("bigint", &["1", "4294967296", "4294967297", "-1", "-4294967297", "NULL"]),
    ("smallint", &["1", "-1", "0", "NULL"]),
    ("boolean", &["true", "false", "NULL"]),
    (
        "timestamp",
        &["'2000-01-01 00:00:00.000001'", "'2000-01-01 01:11:34.967296'", "'infinity'", "'-infinity'"],
    ),
    ("timestamptz", &["'2020-10-25 01:30+02'", "'2020-10-25 01:30+01'", "'infinity'"]),
    ("time", &["'24:00'", "'00:00'"]),
    ("timetz", &["'12:00+01'", "'11:00+00'"]),
    ("interval", &["'1 day'", "'24 hours'", "'1 month'", "'30 days'", "'0'"]),
    ("date", &["'infinity'", "'-infinity'", "'0044-03-15 BC'", "'2024-02-29'"]),
    ("double precision", &["0.0", "'-0.0'", "'NaN'", "'Infinity'", "0.1", "0.10000000000000002", "1e-300"]),
    ("real", &["0.0", "'-0.0'", "'NaN'", "0.1", "0.10000001"]),
    ("text", &["''", "' '", "'é'", "E'e\\u0301'", "'NULL'", "NULL", "E'a\\nb'", "'a,b'", "'{a,b}'"]),
    ("char(4)", &["'a'", "'b'", "''", "NULL"]),
    ("bytea", &["'\\x'", "'\\x00'", "'\\x0000'", "'\\x5c783030'"]),
    ("uuid", &["'00000000-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-000000000002'"]),
    ("json", &["'{\"a\":1}'", "'{\"a\": 1}'", "'{\"a\":1.0}'", "'null'", "NULL"]),
    ("jsonb", &["'{\"a\":1}'", "'{\"a\":1.0}'", "'[1,2]'", "'[[1,2]]'", "'\"1\"'", "'1'", "'null'", "NULL"]),
    ("integer[]", &["'{1,2,3,4}'", "'{{1,2},{3,4}}'", "'[0:3]={1,2,3,4}'", "'{}'", "'{NULL}'"]),
    ("text[]", &["'{a,b}'", "'{\"a,b\"}'", "'{NULL}'", "'{\"NULL\"}'"]),
    ("bit(3)", &["B'101'", "B'010'"]),
    ("varbit", &["B'1'", "B'10'", "B''"]),
    ("inet", &["'10.0.0.1'", "'10.0.0.1/8'", "'::1'"]),
    ("cidr", &["'10.0.0.0/8'", "'10.0.0.0/9'"]),
    ("int4range", &["'[1,3)'", "'[1,4)'", "'empty'", "'(,)'"]),
    ("money", &["1.5", "1.51", "-1.5"]),
    ("\"char\"", &["'a'", "'b'"]),
    ("xml", &["'<a/>'", "'<a></a>'"]),
    ("tsvector", &["'a b'", "'a:1 b'"]),
    ("point", &["'(1,2)'", "'(2,1)'", "'(1,-0)'", "'(1,0)'"]),
    ("mood", &["'low'", "'high'", "NULL"]),
    ("positive", &["1", "2"]),
    ("both_ways", &["'(1,)'", "'(,1)'", "'(1,\"\")'"]),
];

#[test]
fn equal_tables_of_mariadb_bring_no_rows() {
    equal_tables_bring_no_rows(Engine::Mariadb);
}

#[test]
fn a_few_changes_on_mariadb_bring_a_few_rows() {
    a_few_changes_bring_a_few_rows(Engine::Mariadb);
}

#[test]
fn plans_on_mariadb_are_those_of_reading_all_rows() {
    plans_are_those_of_reading_all_rows(Engine::Mariadb);
}

#[test]
fn tricks_on_mariadb_are_seen() {
    tricks_are_seen(Engine::Mariadb);
}

#[test]
fn long_rows_of_mariadb_are_told_apart() {
    long_rows_are_told_apart(Engine::Mariadb);
}

#[test]
fn keys_and_scopes_of_mariadb() {
    keys_and_scopes(Engine::Mariadb);
}

/// The same of MariaDB.
const VALUES_OF_MARIADB: &[(&str, &[&str])] = &[
    ("decimal(30,2)", &["9.50", "-9.50", "0", "99999999999999999999.01", "99999999999999999999.02", "NULL"]),
    ("bigint unsigned", &["1", "4294967297", "18446744073709551615", "18446744073709551614", "NULL"]),
    ("bigint", &["1", "-1", "4294967296", "4294967297", "9223372036854775807", "9223372036854775806"]),
    ("int(8) unsigned zerofill", &["1", "10", "0"]),
    ("tinyint(1)", &["0", "1", "NULL"]),
    ("year", &["0", "1901", "2155"]),
    (
        "double",
        &["0.1", "0.10000000000000002", "1e-300", "1e300", "123456789012345680", "123456789012345700"],
    ),
    ("double(20,2)", &["0.1", "0.11", "-0.1"]),
    ("date", &["'2024-02-29'", "'0000-00-00'", "'2024-02-00'", "NULL"]),
    (
        "datetime(6)",
        &["'2024-01-02 03:04:05'", "'2024-01-02 03:04:05.5'", "'2024-01-02 03:04:05.05'", "'0000-00-00'"],
    ),
    ("datetime", &["'2024-01-02 03:04:00'", "'2024-01-02 03:40:00'", "'2024-01-02 03:04:10'"]),
    ("timestamp(3) NULL", &["'2024-01-02 03:04:05.120'", "'2024-01-02 03:04:05.012'", "NULL"]),
    ("time(6)", &["'00:00:00'", "'-00:00:00.5'", "'00:00:00.5'", "'838:59:59'", "'24:00:00'", "'10:00:00'"]),
    (
        "varchar(40)",
        &["''", "' '", "'a'", "'A'", "'a '", "'é'", "'e\u{301}'", "'N'", "'NULL'", "NULL", "'1:a'"],
    ),
    ("varchar(40) CHARACTER SET latin1", &["'é'", "'e'", "'Ã©'"]),
    ("varchar(40) CHARACTER SET cp932", &["_cp932 x'81ca'", "_cp932 x'eef9'", "'a'"]),
    ("char(4)", &["'a'", "'A'", "''", "NULL"]),
    (
        "longtext",
        &["REPEAT('a', 600)", "CONCAT(REPEAT('a', 599), 'b')", "REPEAT('a', 512)", "REPEAT('a', 513)"],
    ),
    ("varbinary(9)", &["''", "x'00'", "x'0000'", "x'4e'", "'0'", "x'ff'", "x'c3a9'"]),
    ("binary(3)", &["x'610000'", "'aaa'"]),
    ("longblob", &["REPEAT('a', 600)", "CONCAT(REPEAT('a', 599), x'ff')", "SHA2(REPEAT('a', 600), 256)"]),
    ("enum('a','A','') COLLATE utf8mb4_bin", &["'a'", "'A'", "''", "NULL"]),
    ("set('a','b')", &["''", "'a'", "'b'", "'a,b'"]),
    ("json", &["'{\"a\":1}'", "'{\"a\": 1}'", "'null'", "NULL"]),
    ("uuid", &["'00000000-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-000000000002'"]),
    ("point", &["ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('POINT(2 1)')"]),
];

#[test]
fn every_type_of_postgres_is_digested_and_told_apart() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.both(
        "CREATE TYPE mood AS ENUM ('low', 'high'); CREATE DOMAIN positive AS integer CHECK (VALUE > 0); \
         CREATE TYPE both_ways AS (a text, b text);",
    );
    told_apart(&pair, VALUES);
}

#[test]
fn every_type_of_mariadb_is_digested_and_told_apart() {
    let pair = Pair::new(Engine::Mariadb, Engine::Mariadb);
    pair.both("SET NAMES utf8mb4;");
    told_apart(&pair, VALUES_OF_MARIADB);
}

/// Each value of a type with each, and with itself.
#[track_caller]
fn told_apart(pair: &Pair, types: &[(&str, &[&str])]) {
    let mut names = Vec::new();
    let mut pairs = 0;
    for (at, (declared, values)) in types.iter().enumerate() {
        let table = format!("t{at}");
        pair.both(&format!("CREATE TABLE {table} (id integer PRIMARY KEY, v {declared});"));
        let mut id = 0;
        for one in *values {
            for other in *values {
                id += 1;
                pairs += usize::from(one != other);
                pair.primary.execute_script(&format!("INSERT INTO {table} VALUES ({id}, {one})"));
                pair.replica.execute_script(&format!("INSERT INTO {table} VALUES ({id}, {other})"));
            }
        }
        names.push(table);
    }
    pair.tables(&format!("[{}]", names.join(", ")));
    let document = digested(pair, &["--chunk-rows", "1"]);
    assert_eq!(count(&document, "update"), pairs as u64);
}

/// A type of PostgreSQL, one of MariaDB, and values that both hold, all different.
const VALUES_OF_BOTH: &[(&str, &str, &[&str])] = &[
    ("integer", "int", &["1", "-1", "0", "NULL"]),
    ("bigint", "bigint", &["1", "4294967297", "-9223372036854775807"]),
    ("boolean", "tinyint(1)", &["true", "false", "NULL"]),
    ("numeric(20,4)", "decimal(20,4)", &["0", "0.5", "-0.5", "100", "1e10", "1234567890123456.0001"]),
    ("numeric(9,0)", "decimal(9,0)", &["0", "10", "1", "-10"]),
    (
        "text",
        "longtext",
        &["''", "' '", "'a '", "'a'", "'é'", "'N'", "NULL", "REPEAT('é', 256)", "REPEAT('é', 257)"],
    ),
    ("varchar(20)", "varchar(20) CHARACTER SET latin1", &["'é'", "'e'", "''"]),
    ("date", "date", &["'2024-02-29'", "'0001-01-01'", "'9999-12-31'"]),
    (
        "timestamp(6)",
        "datetime(6)",
        &["'2024-01-02 03:04:05'", "'2024-01-02 03:04:05.000001'", "'2024-01-02 03:04:05.1'"],
    ),
    (
        "timestamp(0)",
        "datetime",
        &["'2024-01-02 03:04:10'", "'2024-01-02 03:40:00'", "'1000-01-01 00:00:00'"],
    ),
    ("timestamptz", "timestamp(6) NULL", &["'2024-01-02 03:04:05.25'", "'2024-01-02 03:04:00'", "NULL"]),
    ("time(6)", "time(6)", &["'00:00:00'", "'23:59:59.9'", "'10:00:00'"]),
    ("uuid", "uuid", &["'00000000-0000-0000-0000-0000000000aB'", "'ffffffff-0000-0000-0000-000000000002'"]),
];

/// Both ways, for what one engine prints of a value must be what the other does.
fn values_of_both_engines(primary: Engine, replica: Engine) {
    let pair = Pair::new(primary, replica);
    let (mut names, mut pairs) = (Vec::new(), 0);
    for (at, (postgres, mariadb, values)) in VALUES_OF_BOTH.iter().enumerate() {
        let insert = |database: &crate::servers::Database, engine, of: &dyn Fn(usize, usize) -> usize| {
            let declared = if engine == Engine::Postgres { postgres } else { mariadb };
            let cells = (0..values.len()).flat_map(|one| (0..values.len()).map(move |other| (one, other)));
            let rows: Vec<String> = cells
                .enumerate()
                .map(|(id, (one, other))| format!("({id}, {})", values[of(one, other)]))
                .collect();
            database.execute_script(&format!(
                "CREATE TABLE t{at} (id integer PRIMARY KEY, v {declared}); INSERT INTO t{at} VALUES {};",
                rows.join(", ")
            ));
        };
        insert(&pair.primary, primary, &|one, _| one);
        insert(&pair.replica, replica, &|_, other| other);
        pairs += values.len() * (values.len() - 1);
        names.push(format!("{{ table: t{at}, schema: ignore }}"));
    }
    pair.tables(&format!("[{}]", names.join(", ")));
    // A range a row: those with equal values are not read, but for a sample.
    let document = digested(&pair, &["--chunk-rows", "1"]);
    assert_eq!(count(&document, "update"), pairs as u64);
}

#[test]
fn postgres_and_mariadb_digest_the_same_values_alike() {
    values_of_both_engines(Engine::Postgres, Engine::Mariadb);
    values_of_both_engines(Engine::Mariadb, Engine::Postgres);
}

fn equal_tables_of_two_engines_bring_no_rows(primary: Engine, replica: Engine) {
    let pair = Pair::new(primary, replica);
    for (database, engine) in [(&pair.primary, primary), (&pair.replica, replica)] {
        database.execute_script(&items(engine, ROWS));
    }
    // The engines do not round alike.
    for database in [&pair.primary, &pair.replica] {
        database.execute_script("UPDATE items SET price = id * 0.25;");
    }
    let (document, received) = far(&pair, 0);
    let table = &document["replicas"][0]["tables"][0];
    assert_eq!(table["digest"]["method"], "database");
    assert_eq!(table["rows"], serde_json::json!({ "primary": ROWS, "replica": ROWS }));
    assert!(received < CATALOG_BYTES, "the primary sent {received} bytes");
}

#[test]
fn equal_tables_of_postgres_and_mariadb_bring_no_rows() {
    equal_tables_of_two_engines_bring_no_rows(Engine::Postgres, Engine::Mariadb);
    equal_tables_of_two_engines_bring_no_rows(Engine::Mariadb, Engine::Postgres);
}

#[test]
fn what_a_server_of_mariadb_cannot_hash_is_never_called_equal() {
    // Not into the binary log, which other tests of this server read: both images of
    // the changed row are more than an event that can be shown.
    let table = "SET SESSION sql_log_bin = 0; CREATE TABLE items (id integer PRIMARY KEY, v longblob); \
         INSERT INTO items VALUES (1, REPEAT('a', 9000000));";
    let change = "SET SESSION sql_log_bin = 0; UPDATE items SET v = CONCAT(v, 'b');";
    let pair = scene(Engine::Mariadb, "[items]", table, change);
    // Its hex digits are more than a packet of 16 MiB.
    let run = pair.run(&["verify", "spec.yml", "--digest", "database"]);
    assert_eq!(run.exit, Some(1), "{}", run.told());
    assert!(run.stdout.contains("the server cannot digest every row"), "{}", run.told());
    assert!(run.stdout.contains("--digest blake3"), "{}", run.told());
}

#[test]
fn types_that_hold_the_same_values_have_the_same_digests() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    let table = |types: [&str; 7]| {
        let columns = types.iter().enumerate().map(|(at, declared)| format!(", c{at} {declared}"));
        format!("CREATE TABLE items (id {} PRIMARY KEY{});", types[0], columns.collect::<String>())
    };
    let wide = ["bigint", "text", "text", "numeric(20,6)", "double precision", "integer", "numeric"];
    let narrow = ["integer", "varchar(40)", "char(12)", "numeric(12,2)", "real", "smallint", "numeric(9,1)"];
    pair.primary.execute_script(&table(wide));
    pair.replica.execute_script(&table(narrow));
    pair.both(
        "INSERT INTO items SELECT i, i, 'word ' || i, 'w' || i, i + 0.25, i / 4.0, i % 100, i + 0.5 \
         FROM generate_series(1, 1000) n(i);",
    );
    pair.spec(
        "version: 1\nprimary: ${PRIMARY_URL}\nreplicas: { copy: \"${REPLICA_URL}\" }\n\
         tables: [{ table: items, schema: ignore }]\n",
    );
    let document = digested(&pair, &[]);
    assert_eq!(document["in_sync"], true, "{document}");
    pair.primary.execute_script(
        "UPDATE items SET c3 = c3 + 0.01 WHERE id = 7; UPDATE items SET c2 = c2 || 'x' WHERE id = 8;",
    );
    pair.replica
        .execute_script("UPDATE items SET c4 = 0.25 WHERE id = 9; UPDATE items SET c6 = 0 WHERE id = 10;");
    assert_eq!(count(&digested(&pair, &[]), "update"), 4);
}

#[test]
fn what_is_excused_is_excused_in_digested_tables_too() {
    let pair = scene(
        Engine::Postgres,
        "[{ table: items, compare: { price: { tolerance: 0.5 }, name: { case: ignore } } }]",
        &items(Engine::Postgres, 3_000),
        "UPDATE items SET price = price + 0.25 WHERE id = 300; UPDATE items SET name = upper(name) WHERE id = 600; \
         UPDATE items SET price = price + 5 WHERE id = 900;",
    );
    let document = digested(&pair, &["--chunk-rows", "500"]);
    assert_eq!(document["replicas"][0]["tables"][0]["excused"], 2);
    assert_eq!(count(&document, "update"), 1);
}

#[test]
fn partitioned_and_inherited_tables_are_digested_as_they_are_read() {
    let pair = scene(
        Engine::Postgres,
        "[parted, parent]",
        "CREATE TABLE parted (id integer, v text, PRIMARY KEY (id)) PARTITION BY HASH (id);\
         CREATE TABLE p0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);\
         CREATE TABLE p1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);\
         INSERT INTO parted SELECT i, 'v' || i FROM generate_series(1, 2000) n(i);\
         CREATE TABLE parent (id integer PRIMARY KEY, v text); CREATE TABLE child () INHERITS (parent);\
         INSERT INTO parent SELECT i, 'v' || i FROM generate_series(1, 2000) n(i);",
        "UPDATE parted SET v = 'drift' WHERE id IN (1, 2, 1999); INSERT INTO child VALUES (5, 'not the parent''s');\
         DELETE FROM ONLY parent WHERE id = 77;",
    );
    let document = digested(&pair, &["--chunk-rows", "300"]);
    assert_eq!((count(&document, "update"), count(&document, "insert")), (3, 1));
}

#[test]
fn tables_that_cannot_be_digested_are_read_and_a_note_says_so() {
    for (both, why) in [
        (
            "CREATE TABLE items (id text COLLATE \"en-x-icu\" PRIMARY KEY, v text);",
            "no index has the order of its keys",
        ),
        ("CREATE TABLE items (id text, v text);", "it has no key"),
    ] {
        let insert = "INSERT INTO items VALUES ('a', 'x'), ('B', 'y');";
        let pair = scene(
            Engine::Postgres,
            "[items]",
            &format!("{both}{insert}"),
            "DELETE FROM items WHERE id = 'B';",
        );
        assert_eq!(count(&read(&pair, why), "insert"), 1);
    }
    // A key of the spec that nothing vouches for: two rows of one key must stay the error that they are.
    let pair = scene(
        Engine::Postgres,
        "[{ table: items, key: [id] }]",
        "CREATE TABLE items (id integer, v text); INSERT INTO items VALUES (1, 'x'), (2, 'y');",
        "",
    );
    read(&pair, "that its key is unique");
    pair.both("INSERT INTO items VALUES (1, 'x');");
    let run = pair.run(&["verify", "spec.yml", "--digest", "database"]);
    assert_eq!(run.exit, Some(1), "{}", run.told());
    // A uuid that is kept as text may be spelled in many ways.
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.primary.execute_script(
        "CREATE TABLE items (id integer PRIMARY KEY, v uuid); INSERT INTO items VALUES (1, '00000000-0000-0000-0000-00000000000a');",
    );
    pair.replica.execute_script(
        "CREATE TABLE items (id integer PRIMARY KEY, v text); INSERT INTO items VALUES (1, '00000000-0000-0000-0000-00000000000A');",
    );
    pair.tables("[{ table: items, schema: ignore }]");
    assert_eq!(read(&pair, "its column v (text) is as uuid")["in_sync"], true);
    // What is not there yet has nothing to be digested.
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.primary.execute_script(
        "CREATE TABLE items (id integer PRIMARY KEY, v text); INSERT INTO items VALUES (1, 'x');",
    );
    pair.tables("[items]");
    read(&pair, "the replica has no such table yet");
    pair.replica.execute_script("CREATE TABLE items (id integer PRIMARY KEY);");
    read(&pair, "the replica has no column v yet");
}

#[test]
fn engines_without_digests_in_common_are_an_error_that_names_the_way_out() {
    let sqlite = Pair::sqlite("[t]", "CREATE TABLE t (id INTEGER PRIMARY KEY);");
    let run = sqlite.run(&["verify", "spec.yml", "--digest", "database"]);
    assert_eq!(run.exit, Some(1), "{}", run.told());
    assert!(run.stdout.contains("sqlite and sqlite make no digests"), "{}", run.told());
    assert!(run.stdout.contains("--digest blake3"), "{}", run.told());
    for method in ["auto", "blake3"] {
        let run = sqlite.run(&["verify", "spec.yml", "--digest", method]);
        assert_eq!(run.exit, Some(0), "{}", run.told());
    }
}

/// Of each function the two texts that it takes for one, so that it is none of those that are used.
#[test]
fn functions_of_postgres_that_are_not_used_would_not_see_a_difference() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    let one = |sql: &str| pair.primary.query(&format!("SELECT ({sql})::text"))[0][0].clone();
    for (why, sql) in [
        ("the sign of a numeric", "hash_numeric_extended(9.50, 1) = hash_numeric_extended(-9.50, 1)"),
        ("two numbers of 64 bits", "hashint8(1) = hashint8(4294967296)"),
        (
            "two moments",
            "timestamp_hash('2000-01-01 00:00:00.000001') = timestamp_hash('2000-01-01 01:11:34.967296')",
        ),
        ("the shape of an array", "hash_array('{1,2,3,4}'::int[]) = hash_array('{{1,2},{3,4}}'::int[])"),
        ("a day from 24 hours", "interval_hash('1 day') = interval_hash('24 hours')"),
        ("a zero from another", "hashfloat8(0.0) = hashfloat8('-0.0')"),
        ("the scale of a numeric", "hash_numeric(1.0) = hash_numeric(1.00)"),
        (
            "values exchanged between rows, summed",
            "(SELECT sum(hashtext(a)::int8 + hashtext(b)) FROM (VALUES ('p', 'q'), ('r', 's')) v(a, b)) = \
             (SELECT sum(hashtext(a)::int8 + hashtext(b)) FROM (VALUES ('r', 'q'), ('p', 's')) v(a, b))",
        ),
        ("where a value ends, with separators", "concat_ws(',', 'a,b', 'c') = concat_ws(',', 'a', 'b,c')"),
        ("NULL, with separators", "concat_ws(',', 'a', NULL, 'b') = concat_ws(',', 'a', 'b', NULL)"),
    ] {
        assert_eq!(one(sql).as_deref(), Some("true"), "{why}");
    }
}

#[test]
fn functions_of_mariadb_that_are_not_used_would_not_see_a_difference() {
    let pair = Pair::new(Engine::Mariadb, Engine::Mariadb);
    for (why, sql) in [
        (
            "the end of a long list",
            "SET STATEMENT group_concat_max_len = 8 FOR SELECT \
          (SELECT SHA2(GROUP_CONCAT(v), 256) FROM (SELECT 'abcdefgh1' AS v) q) = \
          (SELECT SHA2(GROUP_CONCAT(v), 256) FROM (SELECT 'abcdefgh2' AS v) q)",
        ),
        (
            "rows that are there twice",
            "SELECT (SELECT BIT_XOR(CRC32(v)) FROM (SELECT 'a' AS v UNION ALL SELECT 'a') q) = \
          (SELECT BIT_XOR(CRC32(v)) FROM (SELECT 'b' AS v UNION ALL SELECT 'b') q)",
        ),
        ("columns that are NULL", "SELECT CONCAT_WS('#', 'a', NULL, 'b') = CONCAT_WS('#', 'a', 'b', NULL)"),
        ("a separator in a value", "SELECT CONCAT_WS('#', 'a#b', 'c') = CONCAT_WS('#', 'a', 'b#c')"),
        (
            "the seventh digit of a FLOAT",
            "SELECT CAST(CAST(1234567 AS FLOAT) AS CHAR) = CAST(CAST(1234568 AS FLOAT) AS CHAR)",
        ),
        (
            "what is longer than a packet",
            "SELECT SUM(CRC32(v)) = CRC32('a') FROM \
          (SELECT 'a' AS v UNION ALL SELECT CONCAT(REPEAT('a', 9000000), REPEAT('a', 9000000))) q",
        ),
    ] {
        assert_eq!(pair.primary.query(sql)[0][0].as_deref(), Some("1"), "{why}");
    }
}
