//! The PostgreSQL engine on a real server: what it reads is what is there, in the order keys have.

use std::sync::Arc;
use std::time::Duration;

use trueup::engine::{EngineError, connect};
use trueup::failure::ErrorKind;
use trueup::spec::{Place, Side, SideUrl};
use trueup::sql::{Column, DefaultKind, ForeignKeyAction, Generated, Identity, LiteralDefault, RowUpdate};
use trueup::sql::{Select, SelectColumn, Selection, TableName};
use trueup::value::{Domain, Key, KeyOrder, KeyRange, RowBlock, Type, Value, decode, fields};

use crate::servers::{Address, Database, Engine, not_run, open, postgres};

type Connected = Arc<dyn trueup::engine::Engine>;

fn side(url: &str, connections: u32) -> Side {
    let mut side = Side::from_url(SideUrl::parse(url, Place::START).expect("a URL"));
    side.connections = connections;
    side
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

/// The harness waits in its own way, which is not allowed inside a runtime.
fn outside<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

async fn connected(database: &Database, connections: u32) -> Connected {
    connect(&side(&database.url, connections), true).await.expect("the server is there")
}

/// The domain a column would have against itself.
fn own_domain(column: &Column) -> Domain {
    match &column.column_type.meaning {
        Type::Boolean => Domain::Boolean,
        // `oid` alone.
        Type::Integer { unsigned: true, .. } => Domain::Integer { bytes: 8 },
        Type::Integer { bytes, .. } => Domain::Integer { bytes: *bytes },
        Type::Decimal { .. } => Domain::Decimal { with_scale: true },
        Type::Float32 => Domain::Float32,
        Type::Float64 => Domain::Float64,
        Type::Text { .. } => Domain::Text,
        Type::Bytes { .. } => Domain::Bytes,
        Type::Date => Domain::Date,
        Type::Time { .. } => Domain::Time,
        Type::DateTime { .. } => Domain::DateTime,
        Type::Instant { .. } => Domain::Instant,
        Type::Uuid => Domain::Uuid,
        Type::JsonText => Domain::JsonText,
        Type::Json => Domain::Json { canonical: false },
        Type::Enum { .. } | Type::Set { .. } => Domain::Text,
        Type::Year => Domain::Integer { bytes: 2 },
        Type::Bits { .. } => Domain::Bits,
        Type::Address { .. } => Domain::Address,
        Type::Zoned { .. } => Domain::Instant,
        Type::Printed | Type::Other => Domain::Native,
    }
}

/// A read of a whole table as the catalog describes it, its first columns the key.
async fn whole(engine: &Connected, table: &str, key_columns: usize) -> Select {
    let catalog = engine.catalog(&[None]).await.expect("a catalog");
    let table = catalog.tables.iter().find(|found| found.name.name == table).expect("the table");
    Select {
        table: table.name.clone(),
        columns: table
            .columns
            .iter()
            .map(|column| SelectColumn { column: column.clone(), domain: own_domain(column) })
            .collect(),
        key_columns,
        scope: None,
        selection: Selection::Range(KeyRange::all()),
        ordered: key_columns > 0,
        locked: false,
    }
}

fn order(select: &Select) -> KeyOrder {
    let key = &select.columns[..select.key_columns];
    KeyOrder::new(key.iter().map(|column| column.domain.clone()).collect::<Vec<_>>())
}

async fn scanned(engine: &Connected, select: &Select) -> Result<RowBlock, EngineError> {
    let snapshot = engine.snapshot().await?;
    read(&*snapshot, select).await
}

async fn read(snapshot: &dyn trueup::engine::Snapshot, select: &Select) -> Result<RowBlock, EngineError> {
    let mut stream = snapshot.scan(select.clone()).await?;
    let mut all = RowBlock::default();
    while let Some(block) = stream.next().await? {
        assert!(!block.is_empty());
        all.extend(&block, 0, block.len());
    }
    Ok(all)
}

fn values(select: &Select, row: &[u8]) -> Vec<Value> {
    select.columns.iter().zip(fields(row)).map(|(column, field)| decode(&column.domain, field)).collect()
}

/// Each type with values at and beyond the ordinary, as literals.
pub fn extremes() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut numbers = vec!["0", "1.0", "1.00", "-9.50", "1e30", "'NaN'", "1e-20"];
    if postgres().product.major() >= 14 {
        numbers.extend(["'Infinity'", "'-Infinity'"]);
    } else {
        not_run(Engine::Postgres, "infinite numeric", "it has them since version 14");
    }
    vec![
        ("boolean", vec!["true", "false"]),
        ("smallint", vec!["-32768", "0", "32767"]),
        ("integer", vec!["-2147483648", "-1", "2147483647"]),
        ("bigint", vec!["-9223372036854775808", "4294967296", "9223372036854775807"]),
        ("numeric", numbers),
        ("numeric(12,4)", vec!["0", "-99999999.9999", "10000", "'NaN'"]),
        ("real", vec!["'-0'", "1.1", "1e-45", "3.4028235e38", "'NaN'", "'-Infinity'"]),
        ("double precision", vec!["'-0'", "0.1", "5e-324", "1.7976931348623157e308", "'NaN'", "'Infinity'"]),
        (
            "text",
            vec!["''", "'NULL'", "'a '", "E'tab\\t\\n\\x01\\\\'", "'é🦀'", "'it''s'", "repeat('x', 70000)"],
        ),
        ("varchar(7)", vec!["''", "'éèêëēĕė'"]),
        ("char(4)", vec!["''", "'ab'", "'a b'"]),
        ("bytea", vec!["''", "'\\x00ff5c27'"]),
        (
            "date",
            vec![
                "'4713-01-01 BC'",
                "'0001-12-31 BC'",
                "'2024-02-29'",
                "'5874897-12-31'",
                "'infinity'",
                "'-infinity'",
            ],
        ),
        ("time", vec!["'00:00'", "'24:00'", "'23:59:59.999999'"]),
        ("time(2)", vec!["'12:34:56.78'"]),
        (
            "timestamp",
            vec![
                "'4713-01-01 00:00:00 BC'",
                "'294276-12-31 23:59:59.999999'",
                "'infinity'",
                "'1999-12-31 23:59:59.5'",
            ],
        ),
        ("timestamptz", vec!["'2024-07-01 12:00+05:30'", "'-infinity'", "'0044-03-15 12:00:00.000001 BC'"]),
        ("uuid", vec!["'00000000-0000-0000-0000-000000000000'", "'FFFFFFFF-ffff-4fff-8fff-ffffffffffff'"]),
        ("json", vec!["'{\"b\": 1,  \"a\": 1.0}'", "'null'"]),
        ("jsonb", vec!["'{\"b\": 1,  \"a\": [1.0, 1e3]}'", "'\"x\\\\y\"'"]),
        ("interval", vec!["'1 day'", "'24 hours'", "'-1 mons +2 days 00:00:00.5'"]),
        ("integer[]", vec!["'{1,2,NULL}'", "'{{1,2},{3,4}}'", "'[0:1]={1,2}'"]),
        ("timetz", vec!["'12:00+02'"]),
        ("inet", vec!["'10.0.0.1/8'", "'::1'"]),
        ("bit(3)", vec!["B'101'"]),
        ("int4range", vec!["'[1,5)'", "'empty'"]),
        ("point", vec!["'(1,2)'"]),
        ("\"char\"", vec!["'a'"]),
        ("oid", vec!["4294967295"]),
        ("xml", vec!["'<a>&amp;</a>'"]),
        ("mood", vec!["'so so'", "'it''s'"]),
        ("short", vec!["'abc'"]),
    ]
}

fn make_extremes(database: &Database) -> Vec<String> {
    let mut script = String::from(
        "CREATE TYPE mood AS ENUM ('so so', 'it''s'); CREATE DOMAIN short AS varchar(3) CHECK (value <> 'x');\n",
    );
    let mut tables = Vec::new();
    for (index, (declared, literals)) in extremes().into_iter().enumerate() {
        let table = format!("t{index}");
        script.push_str(&format!("CREATE TABLE {table} (id integer PRIMARY KEY, v {declared});\n"));
        script.push_str(&format!("INSERT INTO {table} VALUES (0, NULL);\n"));
        for (id, literal) in literals.iter().enumerate() {
            script.push_str(&format!("INSERT INTO {table} VALUES ({}, {literal});\n", id + 1));
        }
        tables.push(table);
    }
    database.execute_script(&script);
    tables
}

#[test]
fn every_type_is_read_as_it_is_and_written_back_the_same() {
    let database = open(Engine::Postgres, "pg types");
    let tables = make_extremes(&database);
    block_on(async {
        let engine = connected(&database, 2).await;
        let mut writer = engine.writer().await.expect("a writer");
        for table in &tables {
            let select = whole(&engine, table, 1).await;
            let rows = scanned(&engine, &select).await.expect("rows");
            let columns: Vec<Column> = select.columns.iter().map(|column| column.column.clone()).collect();
            let shown = rows.rows().map(|row| values(&select, row)).collect::<Vec<_>>();
            assert_eq!(shown[0], [Value::Integer(0), Value::Null], "{table}");
            let like = format!("CREATE TABLE copy_{table} (LIKE {table} INCLUDING ALL);");
            outside(|| database.execute_script(&like));
            let copy =
                Select { table: TableName::qualified("public", format!("copy_{table}")), ..select.clone() };
            let dialect = engine.dialect();
            // First inserted with NULL, then updated to what they are.
            let nulls: Vec<Vec<Value>> = shown.iter().map(|row| vec![row[0].clone(), Value::Null]).collect();
            let updates: Vec<RowUpdate> = shown
                .iter()
                .map(|row| RowUpdate { key: vec![row[0].clone()], values: vec![row[1].clone()] })
                .collect();
            let mut statements = dialect.insert(&copy.table, &columns, &nulls).expect("literals");
            statements.extend(
                dialect.update(&copy.table, &select.columns[..1], &columns[1..], &updates).expect("literals"),
            );
            writer.begin().await.expect("a transaction");
            for sql in &statements {
                let done = writer.execute(sql).await.unwrap_or_else(|why| panic!("{table}: {why}\n{sql}"));
                assert_eq!(done, shown.len() as u64, "{table}");
            }
            let written = writer.read(&Select { locked: true, ..copy.clone() }).await.expect("rows");
            assert!(written == rows, "{table} {:?}", columns[1].column_type);
            writer.commit().await.expect("committed");
            assert!(scanned(&engine, &copy).await.expect("rows") == rows, "{table}");
            let same = format!(
                "SELECT count(*) FROM {table} a JOIN copy_{table} b USING (id) WHERE a.v::text IS DISTINCT FROM b.v::text"
            );
            let same = outside(|| database.query(&same));
            assert_eq!(same[0][0].as_deref(), Some("0"), "{table}");
            // Whole rows as keys, as tables without a key are repaired.
            let deletes = dialect.delete(&copy.table, &nullable(&select.columns), &shown).expect("literals");
            for sql in &deletes {
                let done = writer.execute(sql).await.unwrap_or_else(|why| panic!("{table}: {why}\n{sql}"));
                assert_eq!(done, shown.len() as u64, "{table}");
            }
        }
    });
}

fn nullable(columns: &[SelectColumn]) -> Vec<SelectColumn> {
    let nullable = |part: &SelectColumn| SelectColumn {
        column: Column { nullable: true, ..part.column.clone() },
        domain: part.domain.clone(),
    };
    columns.iter().map(nullable).collect()
}

/// Tables whose keys sort differently in a language, in a number's text, or in bytes.
const HOSTILE_KEYS: &str = r#"
    CREATE TABLE key_text (k text PRIMARY KEY, v integer);
    INSERT INTO key_text SELECT k, row_number() OVER () FROM unnest(ARRAY['', ' ', 'a', 'A', 'á', 'Á', 'a ', 'a-b',
        'ab', 'aB', 'z', 'Z', 'ß', 'ss', 'é', E'é', 'ﬀ', '🦀', E'�', '_', '-', '10', '9', E'a	', 'ä']) k;
    CREATE TABLE key_c (k varchar(9) COLLATE "C" PRIMARY KEY, v integer);
    INSERT INTO key_c SELECT k, v FROM key_text;
    CREATE TABLE key_char (k char(5) PRIMARY KEY, v integer);
    INSERT INTO key_char VALUES ('', 1), ('a', 2), ('A', 3), (E'a	', 4), ('a b', 5), ('é', 6), ('b', 7);
    CREATE TABLE key_int (k integer PRIMARY KEY, v integer);
    INSERT INTO key_int SELECT k, k FROM generate_series(-50, 50) k;
    CREATE TABLE key_big (k bigint PRIMARY KEY, v integer);
    INSERT INTO key_big VALUES (-9223372036854775808, 1), (-1, 2), (0, 3), (256, 4), (9223372036854775807, 5);
    CREATE TABLE key_uuid (k uuid PRIMARY KEY, v integer);
    INSERT INTO key_uuid SELECT md5(k::text)::uuid, k FROM generate_series(1, 50) k;
    CREATE TABLE key_date (k date PRIMARY KEY, v integer);
    INSERT INTO key_date VALUES ('infinity', 1), ('-infinity', 2), ('4713-01-01 BC', 3), ('0001-01-01', 4),
        ('1999-12-31', 5), ('2000-01-01', 6), ('12000-01-01', 7);
    CREATE TABLE key_instant (k timestamptz PRIMARY KEY, v integer);
    INSERT INTO key_instant VALUES ('infinity', 1), ('-infinity', 2), ('0044-03-15 BC', 3), ('2000-01-01 00:00Z', 4),
        ('1999-12-31 23:59:59.999999Z', 5), ('294276-12-31', 6);
    CREATE TABLE key_bytes (k bytea PRIMARY KEY, v integer);
    INSERT INTO key_bytes VALUES ('', 1), ('\x00', 2), ('\xff', 3), ('\x7f', 4), ('\x0000', 5), ('\xff00', 6);
    CREATE TABLE key_bool (k boolean PRIMARY KEY, v integer);
    INSERT INTO key_bool VALUES (true, 1), (false, 2);
    CREATE TABLE key_null (k integer UNIQUE, v integer);
    INSERT INTO key_null VALUES (NULL, 1), (-1, 2), (0, 3), (7, 4);
    CREATE TABLE key_pair (a integer, b text, c date, v integer, PRIMARY KEY (a, b, c));
    INSERT INTO key_pair SELECT a, b, c, 0 FROM generate_series(-2, 2) a, unnest(ARRAY['', 'a', 'B', 'é']) b,
        unnest(ARRAY[date '-infinity', date '2000-01-01', date 'infinity']) c;
"#;

const HOSTILE_TABLES: [(&str, usize); 12] = [
    ("key_text", 1),
    ("key_c", 1),
    ("key_char", 1),
    ("key_int", 1),
    ("key_big", 1),
    ("key_uuid", 1),
    ("key_date", 1),
    ("key_instant", 1),
    ("key_bytes", 1),
    ("key_bool", 1),
    ("key_null", 1),
    ("key_pair", 3),
];

#[test]
fn keys_come_in_their_own_order_and_ranges_cut_there() {
    let database = open(Engine::Postgres, "pg order");
    database.execute_script(HOSTILE_KEYS);
    block_on(async {
        let engine = connected(&database, 2).await;
        let mut writer = engine.writer().await.expect("a writer");
        for (table, key_columns) in HOSTILE_TABLES {
            let select = whole(&engine, table, key_columns).await;
            let order = order(&select);
            let rows = scanned(&engine, &select).await.expect("rows");
            assert!(!rows.is_empty(), "{table}");
            for (before, after) in rows.rows().zip(rows.rows().skip(1)) {
                assert!(order.compare(before, after).is_lt(), "{table}: {:?}", values(&select, after));
            }
            let snapshot = engine.snapshot().await.expect("a snapshot");
            for at in 0..rows.len() {
                let bound = order.key_of(rows.row(at));
                let end = order.key_of(rows.row((at + 3).min(rows.len() - 1)));
                let ranges = [
                    KeyRange { from: Some(bound.clone()), to: None },
                    KeyRange { from: None, to: Some(bound.clone()) },
                    KeyRange { from: Some(bound.clone()), to: Some(end) },
                ];
                for range in ranges {
                    let part = Select { selection: Selection::Range(range.clone()), ..select.clone() };
                    let found = read(&*snapshot, &part).await.expect("rows");
                    let expected: Vec<&[u8]> =
                        rows.rows().filter(|row| order.contains(&range, row)).collect();
                    assert_eq!(found.rows().collect::<Vec<_>>(), expected, "{table} {at}");
                }
            }
            let keys: Vec<Key> = rows.rows().step_by(2).map(|row| order.key_of(row)).collect();
            let some = Select { selection: Selection::Keys(keys), ..select.clone() };
            let expected: Vec<&[u8]> = rows.rows().step_by(2).collect();
            let found = read(&*snapshot, &some).await.expect("rows");
            assert_eq!(found.rows().collect::<Vec<_>>(), expected, "{table}");
            writer.begin().await.expect("a transaction");
            let locked = writer.read(&Select { locked: true, ..some.clone() }).await.expect("rows");
            assert_eq!(locked.rows().collect::<Vec<_>>(), expected, "{table}");
            writer.rollback().await.expect("rolled back");
        }
    });
}

#[test]
fn a_range_of_a_composite_key_reads_its_index() {
    let database = open(Engine::Postgres, "pg explain");
    database.execute_script(
        "CREATE TABLE t (a integer, b bigint, c text COLLATE \"C\", v text, PRIMARY KEY (a, b, c));
         INSERT INTO t SELECT k % 3, k, 'x', repeat('v', 50) FROM generate_series(1, 30000) k; ANALYZE t;",
    );
    let sql = block_on(async {
        let engine = connected(&database, 1).await;
        let select = whole(&engine, "t", 3).await;
        let rows = scanned(&engine, &select).await.expect("rows");
        let order = order(&select);
        let range =
            KeyRange { from: Some(order.key_of(rows.row(9_000))), to: Some(order.key_of(rows.row(9_500))) };
        engine.dialect().select(&Select { selection: Selection::Range(range), ..select })
    });
    let plan = database.query(&format!("EXPLAIN {sql}"));
    let plan: Vec<String> = plan.into_iter().flatten().flatten().collect();
    let plan = plan.join("\n");
    assert!(plan.contains("Index Cond: ((ROW(a, b, c) >= ROW("), "{plan}");
    assert!(!plan.contains("Sort"), "{plan}");
}

#[test]
fn streams_that_end_early_leave_no_wrong_rows_behind() {
    let database = open(Engine::Postgres, "pg early");
    database.execute_script(
        "CREATE TABLE big (id integer PRIMARY KEY, v text);
         INSERT INTO big SELECT k, repeat('x', 200) FROM generate_series(1, 40000) k;
         CREATE TABLE small (id integer PRIMARY KEY, v integer); INSERT INTO small VALUES (1, 0), (2, 1), (3, 7);",
    );
    for connections in [1, 3] {
        block_on(async {
            let mut side = side(&database.url, connections);
            side.statement_timeout = Some(Duration::from_secs(6));
            let engine = connect(&side, true).await.expect("connected");
            let big = whole(&engine, "big", 1).await;
            let small = whole(&engine, "small", 1).await;
            let expected = scanned(&engine, &small).await.expect("rows");
            let snapshot = engine.snapshot().await.expect("a snapshot");
            outside(|| database.execute_script("INSERT INTO small SELECT max(id) + 1, 9 FROM small;"));
            for _ in 0..8 {
                let mut stream = snapshot.scan(big.clone()).await.expect("a stream");
                assert!(stream.next().await.expect("no error").is_some());
                drop(stream);
                assert!(read(&*snapshot, &small).await.expect("rows") == expected, "{connections}");
            }
            // Fails before its first row, and one with a value that is none of the domain amid its rows.
            let mut missing = small.clone();
            missing.columns[1].column.name = "nowhere".into();
            let failed = snapshot.scan(missing).await.expect_err("an error");
            assert_eq!(failed.kind, ErrorKind::Missing);
            assert!(read(&*snapshot, &small).await.expect("rows") == expected);
            let mut odd = small.clone();
            odd.columns[1].domain = Domain::Boolean;
            let failed = read(&*snapshot, &odd).await.expect_err("7 is no boolean");
            assert_eq!(failed.kind, ErrorKind::Value);
            assert!(
                failed.message.contains("public.small") && failed.message.contains("column v"),
                "{failed:?}"
            );
            assert_eq!(failed.key.as_deref(), Some("id = 3"), "{failed:?}");
            assert!(read(&*snapshot, &small).await.expect("rows") == expected);
            // Broken off by the server.
            let slow = Select { scope: Some("pg_sleep(0.01)::text = ''".into()), ..big.clone() };
            let failed = read(&*snapshot, &slow).await.expect_err("a time-out");
            assert_eq!(failed.kind, ErrorKind::Timeout, "{failed:?}");
            assert!(read(&*snapshot, &small).await.expect("rows") == expected);
            // The server goes away: an error, never another moment's rows.
            let others =
                "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'trueup'";
            outside(|| database.query(&format!("SELECT pg_terminate_backend(pid) {others}")));
            let deadline = std::time::Instant::now() + Duration::from_secs(5);
            while !outside(|| database.query(&format!("SELECT 1 {others}"))).is_empty() {
                assert!(std::time::Instant::now() < deadline, "the connections are still there");
            }
            assert_eq!(read(&*snapshot, &small).await.expect_err("lost").kind, ErrorKind::Connect);
            assert_eq!(read(&*snapshot, &small).await.expect_err("lost").kind, ErrorKind::Connect);
            drop(snapshot);
            let now = scanned(&engine, &small).await.expect("rows");
            assert_eq!(now.len(), expected.len() + 1);
        });
        database.execute_script("DELETE FROM small WHERE id > 3;");
    }
}

#[test]
fn all_connections_see_one_moment() {
    let database = open(Engine::Postgres, "pg moment");
    database.execute_script(
        "CREATE TABLE t (id integer PRIMARY KEY, v integer); INSERT INTO t SELECT k, 0 FROM generate_series(1, 20000) k;",
    );
    block_on(async {
        let engine = connected(&database, 4).await;
        let select = whole(&engine, "t", 1).await;
        let snapshot = engine.snapshot().await.expect("a snapshot");
        assert_eq!(snapshot.readers(), 4);
        let expected = read(&*snapshot, &select).await.expect("rows");
        let mut writer = engine.writer().await.expect("a writer");
        for round in 1..=5 {
            writer
                .execute(&format!("UPDATE t SET v = {round}; DELETE FROM t WHERE id = {round}"))
                .await
                .expect("ok");
            let scans = (0..8).map(|_| read(&*snapshot, &select));
            for found in futures_util::future::join_all(scans).await {
                assert!(found.expect("rows") == expected, "round {round}");
            }
        }
        drop(snapshot);
        assert_eq!(scanned(&engine, &select).await.expect("rows").len(), 19_995);
    });
}

#[test]
fn a_primary_refuses_to_write() {
    let database = open(Engine::Postgres, "pg read only");
    database.execute_script("CREATE TABLE t (id integer PRIMARY KEY);");
    block_on(async {
        let engine = connect(&side(&database.url, 2), false).await.expect("connected");
        assert_eq!(engine.server().read_only, None);
        let mut writer = engine.writer().await.expect("a connection");
        let refused = writer.execute("INSERT INTO t VALUES (1)").await.expect_err("read-only");
        assert_eq!(refused.kind, ErrorKind::Permission);
    });
    assert_eq!(database.query("SELECT count(*) FROM t")[0][0].as_deref(), Some("0"));
}

#[test]
fn why_there_is_no_connection_is_said_without_the_password() {
    let database = open(Engine::Postgres, "pg refused");
    let address = &postgres().address;
    let url = |user: &str, password: &str, host: &str, port: u16, database: &str| {
        let parameters = "sslmode=disable".into();
        Address { host: host.into(), port, parameters, ..address.clone() }.url_as(user, password, database)
    };
    let (user, password, host) = (address.user.as_str(), address.password.as_str(), address.host.as_str());
    let (port, name) = (address.port, database.name.as_str());
    let free =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
    let mut cases = vec![
        (url(user, "wr0ng-s3cret", host, port, name), "password is wrong"),
        (url("nobody_here", "wr0ng-s3cret", host, port, name), "password is wrong"),
        (url(user, password, host, port, "no_such_db"), "no such database"),
        (url(user, password, "127.0.0.1", free, name), "nothing listens"),
        (url(user, password, "no-such-host.invalid", port, name), "host name is unknown"),
        (format!("postgres://{user}@{host}:{port}/{name}"), "password is wrong"),
    ];
    if database.query("SHOW ssl") == [[Some("off".to_owned())]] {
        cases.push((url(user, password, host, port, name).replace("=disable", "=require"), "TLS"));
    } else {
        not_run(Engine::Postgres, "connecting to a server without TLS", "it has TLS");
    }
    block_on(async {
        for (url, expected) in cases {
            let error =
                connect(&side(&url, 1), false).await.err().unwrap_or_else(|| panic!("{expected}: connected"));
            assert_eq!(error.kind, ErrorKind::Connect, "{error:?}");
            assert!(error.message.contains(expected), "{expected}: {error:?}");
            assert!(error.hint.is_some() || expected.contains("database"), "{error:?}");
            assert!(!format!("{error:?} {error}").contains("s3cret"), "{error:?}");
            assert!(!format!("{error:?} {error}").contains(password), "{error:?}");
        }
    });
}

#[test]
fn the_lock_says_who_holds_it() {
    let database = open(Engine::Postgres, "pg lock");
    block_on(async {
        let (first, second) = (connected(&database, 1).await, connected(&database, 1).await);
        let mut holder = first.writer().await.expect("a writer");
        let mut other = second.writer().await.expect("a writer");
        holder.lock(Duration::ZERO).await.expect("free");
        let refused = other.lock(Duration::from_millis(150)).await.expect_err("held");
        assert_eq!(refused.kind, ErrorKind::Locked);
        assert!(refused.message.contains("application trueup"), "{refused:?}");
        drop(holder);
        other.lock(Duration::from_secs(10)).await.expect("free again");
    });
}

#[test]
fn a_failed_transaction_is_never_committed() {
    let database = open(Engine::Postgres, "pg failed");
    database.execute_script(
        "CREATE TABLE t (id integer CONSTRAINT the_key PRIMARY KEY); INSERT INTO t VALUES (1);",
    );
    block_on(async {
        let engine = connected(&database, 1).await;
        let mut writer = engine.writer().await.expect("a writer");
        writer.begin().await.expect("begun");
        writer.execute("INSERT INTO t VALUES (2)").await.expect("written");
        let broken = writer.execute("INSERT INTO t VALUES (1)").await.expect_err("a duplicate");
        assert_eq!(broken.kind, ErrorKind::Value);
        assert!(broken.message.contains("the_key"), "{broken:?}");
        assert!(writer.commit().await.is_err());
    });
    assert_eq!(database.query("SELECT count(*) FROM t")[0][0].as_deref(), Some("1"));
}

const EVERYTHING: &str = r#"
    CREATE SCHEMA other;
    CREATE TABLE other.target (x integer, y integer, PRIMARY KEY (y, x));
    CREATE TABLE everything (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        serial serial,
        "odd "" name%" varchar(40) NOT NULL DEFAULT 'it''s' UNIQUE,
        c text COLLATE "C",
        amount numeric(12,2) DEFAULT -1.50,
        flag boolean DEFAULT true,
        made timestamptz(3) DEFAULT now(),
        twice integer GENERATED ALWAYS AS (y * 2) STORED,
        x integer, y integer, gone integer,
        tags text[] DEFAULT '{}',
        nothing text DEFAULT NULL,
        FOREIGN KEY (x, y) REFERENCES other.target (x, y) ON DELETE CASCADE ON UPDATE SET NULL
    );
    ALTER TABLE everything DROP COLUMN gone;
    CREATE UNIQUE INDEX partly ON everything (x) WHERE y > 0;
    CREATE UNIQUE INDEX expressed ON everything (lower(c));
    CREATE UNIQUE INDEX nullable ON everything (x, y) INCLUDE (c);
    CREATE VIEW a_view AS SELECT 1 AS one;
    CREATE TEMPORARY TABLE temporary (id integer);
    CREATE TABLE parts (id integer, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
    CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
    CREATE TABLE parts_b PARTITION OF parts FOR VALUES IN ('b');
    INSERT INTO parts VALUES (1, 'a'), (2, 'b'), (3, 'a');
    CREATE TABLE parent (id integer PRIMARY KEY, v integer);
    CREATE TABLE child (more text) INHERITS (parent);
    INSERT INTO parent VALUES (1, 1); INSERT INTO child VALUES (1, 2, 'c');
    ANALYZE;
"#;

#[test]
fn the_catalog_tells_everything() {
    let database = open(Engine::Postgres, "pg catalog");
    database.execute_script(EVERYTHING);
    block_on(async {
        let engine = connected(&database, 2).await;
        let catalog = engine.catalog(&[None, Some("other".into())]).await.expect("a catalog");
        assert_eq!(catalog.default_schema.as_deref(), Some("public"));
        let names: Vec<String> = catalog.tables.iter().map(|table| table.name.to_string()).collect();
        let expected = ["other.target", "public.child", "public.everything", "public.parent", "public.parts"];
        assert_eq!(names, expected);
        let table = &catalog.tables[2];
        let column = |name: &str| table.column(name).unwrap_or_else(|| panic!("no column {name}"));
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(columns.len(), 12);
        assert_eq!(columns[2], "odd \" name%");
        assert_eq!(column("id").identity, Some(Identity::Always));
        assert!(!column("id").nullable);
        assert_eq!(
            (column("serial").identity, &column("serial").default),
            (Some(Identity::ByDefault), &None)
        );
        let odd = column(columns[2]);
        assert_eq!(odd.default, Some(DefaultKind::Literal(LiteralDefault::Text("it's".into()))));
        assert_eq!(odd.column_type.declared, "character varying(40)");
        assert_eq!(odd.column_type.meaning, Type::Text { chars_max: Some(40), fixed: false });
        assert!(odd.collation.is_some());
        assert_eq!(column("c").collation, None);
        assert_eq!(
            column("amount").default,
            Some(DefaultKind::Literal(LiteralDefault::Number("-1.50".into())))
        );
        assert_eq!(column("flag").default, Some(DefaultKind::Literal(LiteralDefault::Boolean(true))));
        assert_eq!(column("made").default, Some(DefaultKind::Expression("now()".into())));
        assert_eq!(column("made").column_type.meaning, Type::Instant { digits: 3 });
        assert_eq!((column("twice").generated, &column("twice").default), (Some(Generated::Stored), &None));
        assert_eq!(column("tags").column_type.meaning, Type::Printed);
        let keys: Vec<(&str, bool, bool, Vec<&str>)> = table
            .keys
            .iter()
            .map(|key| {
                (key.name.as_str(), key.primary, key.total, key.columns.iter().map(String::as_str).collect())
            })
            .collect();
        assert_eq!(keys[0], ("everything_pkey", true, true, vec!["id"]));
        assert_eq!(keys[1].3, ["odd \" name%"]);
        assert_eq!(keys[2], ("nullable", false, false, vec!["x", "y"]));
        assert_eq!(keys.len(), 3);
        let foreign = &table.foreign_keys[0];
        assert_eq!(foreign.table, TableName::qualified("other", "target"));
        assert_eq!(
            (&foreign.columns, &foreign.referenced),
            (&vec!["x".into(), "y".into()], &vec!["x".into(), "y".into()])
        );
        assert_eq!(
            (foreign.on_delete, foreign.on_update),
            (ForeignKeyAction::Cascade, ForeignKeyAction::SetNull)
        );
        assert_eq!(catalog.tables[4].rows_estimate, Some(3));
        assert_eq!(catalog.tables[0].keys[0].columns, ["y", "x"]);
        // A partitioned root is read through, an inheritance parent alone.
        let parts = whole(&engine, "parts", 2).await;
        assert_eq!(scanned(&engine, &parts).await.expect("rows").len(), 3);
        let parent = whole(&engine, "parent", 1).await;
        assert_eq!(scanned(&engine, &parent).await.expect("rows").len(), 1);
        let mut writer = engine.writer().await.expect("a writer");
        for (select, count) in [(&parts, 1), (&parent, 1)] {
            let key = &select.columns[..select.key_columns];
            let values = [vec![Value::Integer(1), Value::Text("a".into())][..key.len()].to_vec()];
            for sql in engine.dialect().delete(&select.table, key, &values).expect("literals") {
                assert_eq!(writer.execute(&sql).await.expect("deleted"), count, "{sql}");
            }
        }
    });
    assert_eq!(database.query("SELECT count(*) FROM child")[0][0].as_deref(), Some("1"));
}

#[test]
fn what_a_login_may_not_see_is_an_error() {
    let database = open(Engine::Postgres, "pg rights");
    database.execute_script(
        "CREATE TABLE hidden (id integer PRIMARY KEY); CREATE TABLE half (id integer PRIMARY KEY, secret text);
         CREATE TABLE policed (id integer PRIMARY KEY, v integer); INSERT INTO policed VALUES (1, 1);
         ALTER TABLE policed ENABLE ROW LEVEL SECURITY; CREATE TABLE seen (id integer PRIMARY KEY);",
    );
    let url = database
        .limited_role("GRANT SELECT ON policed, seen TO {role}; GRANT SELECT (id) ON half TO {role};");
    block_on(async {
        let engine = connect(&side(&url, 1), false).await.expect("connected");
        let catalog = engine.catalog(&[None]).await.expect("a catalog");
        assert_eq!(catalog.tables.len(), 4);
        let hides: Vec<bool> = catalog.tables.iter().map(|table| table.hidden_rows.is_some()).collect();
        assert_eq!(hides, [false, false, true, false]);
        let snapshot = engine.snapshot().await.expect("a snapshot");
        for table in ["hidden", "half", "policed"] {
            let select = {
                let table = catalog.tables.iter().find(|found| found.name.name == table).expect("the table");
                let columns = table.columns.iter();
                let columns =
                    columns.map(|column| SelectColumn { column: column.clone(), domain: own_domain(column) });
                Select {
                    table: table.name.clone(),
                    columns: columns.collect(),
                    key_columns: 1,
                    scope: None,
                    selection: Selection::Range(KeyRange::all()),
                    ordered: true,
                    locked: false,
                }
            };
            let refused = snapshot.scan(select).await.err().unwrap_or_else(|| panic!("{table} was read"));
            assert_eq!(refused.kind, ErrorKind::Permission, "{refused:?}");
            assert!(refused.message.contains(table) && refused.hint.is_some(), "{refused:?}");
        }
        drop(snapshot);
        let seen = whole(&engine, "seen", 1).await;
        assert!(scanned(&engine, &seen).await.expect("rows").is_empty());
    });
}

#[test]
fn a_large_table_is_cut_into_even_parts() {
    let database = open(Engine::Postgres, "pg split");
    database.execute_script(
        "CREATE TABLE t (id bigint PRIMARY KEY, v text);
         INSERT INTO t SELECT CASE WHEN k < 90000 THEN k ELSE k * 1000000000::bigint END, repeat('x', 60)
         FROM generate_series(1, 100000) k; ANALYZE t; CREATE TABLE small (id integer PRIMARY KEY);",
    );
    block_on(async {
        let engine = connected(&database, 2).await;
        let select = whole(&engine, "t", 1).await;
        let order = order(&select);
        let rows = scanned(&engine, &select).await.expect("rows");
        let snapshot = engine.snapshot().await.expect("a snapshot");
        let cuts = snapshot.split(&select, 8).await.expect("cuts");
        assert_eq!(cuts.len(), 7);
        let mut begin = 0;
        for cut in cuts.iter().map(Some).chain([None]) {
            let end = cut.map_or(rows.len(), |cut| {
                rows.rows().take_while(|row| order.compare(row, cut.bytes()).is_lt()).count()
            });
            let part = end - begin;
            assert!((5_000..25_000).contains(&part), "{part} rows");
            begin = end;
        }
        let small = whole(&engine, "small", 1).await;
        assert_eq!(snapshot.split(&small, 8).await.expect("cuts"), []);
    });
}

#[test]
fn one_database_has_one_identity() {
    let (one, two) = (open(Engine::Postgres, "pg one"), open(Engine::Postgres, "pg two"));
    let folder = one.query("SHOW unix_socket_directories")[0][0].clone().expect("a folder");
    let Address { port, user, .. } = &postgres().address;
    let folder = folder.split(',').next().unwrap_or_default().trim();
    if !std::path::Path::new(folder).join(format!(".s.PGSQL.{port}")).exists() {
        return not_run(
            Engine::Postgres,
            "one database by TCP and by socket",
            "its socket is not on this machine",
        );
    }
    let socket = format!("postgres://{user}@localhost:{port}/{}?host={folder}", one.name);
    block_on(async {
        let tcp = connected(&one, 1).await;
        let socket = connect(&side(&socket, 1), true).await.expect("connected by socket");
        assert_eq!(tcp.server().identity, socket.server().identity);
        assert_ne!(tcp.server().identity, connected(&two, 1).await.server().identity);
        let password = &postgres().address.password;
        assert!(!tcp.server().identity.contains(password));
        assert!(!format!("{tcp:?}").contains(password));
    });
}

#[test]
fn a_where_means_code_points_utc_and_exact_numbers() {
    use trueup::sql::expression::{Comparison, Expression, Literal, Operand, Predicate};
    let database = open(Engine::Postgres, "pg where");
    database.execute_script(
        "CREATE TABLE t (id integer PRIMARY KEY, s text, c char(5), n numeric(9,2), at timestamptz, d date, b boolean,
             u uuid, m varchar(9) COLLATE \"C\");
         INSERT INTO t VALUES (1, 'a', 'ab', 1.50, '2024-01-01 00:00+00', '2024-01-01', true,
             '00000000-0000-0000-0000-00000000000a', 'x'),
             (2, 'B', 'ac', 2, '2024-01-01 00:30+01', '2023-12-31', false, NULL, 'Y'), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);",
    );
    let text = |text: &str| Literal::Text(text.into());
    let cases = [
        ("s", Comparison::Less, text("a"), vec![2]),
        ("s", Comparison::GreaterOrEqual, text("a"), vec![1]),
        ("c", Comparison::Equal, text("ab"), vec![1]),
        ("n", Comparison::Equal, Literal::Number("1.5".into()), vec![1]),
        ("n", Comparison::NotEqual, text("1.50"), vec![2]),
        ("id", Comparison::Less, Literal::Number("2.5".into()), vec![1, 2]),
        ("at", Comparison::GreaterOrEqual, text("2024-01-01"), vec![1]),
        ("at", Comparison::Equal, text("2023-12-31 23:30:00"), vec![2]),
        ("d", Comparison::Less, Literal::DateTime("2024-01-01 00:00:01".into()), vec![1, 2]),
        ("b", Comparison::Equal, Literal::Boolean(true), vec![1]),
        ("u", Comparison::Equal, text("{00000000-0000-0000-0000-00000000000A}"), vec![1]),
        ("m", Comparison::Less, text("a"), vec![2]),
    ];
    block_on(async {
        let engine = connected(&database, 1).await;
        let whole = whole(&engine, "t", 1).await;
        let column = |name: &str| {
            whole.columns.iter().find(|column| column.column.name == name).map(|column| column.column.clone())
        };
        let now = jiff::Timestamp::UNIX_EPOCH;
        let rendered = |name: &str, operator, literal| {
            let (first, second) = (Operand::Column(name.into()), Operand::Literal(literal));
            let root = Predicate::Compare { first, operator, second };
            engine.dialect().scope(&Expression { root }, &column, now)
        };
        for (name, operator, literal, expected) in cases {
            let scope = rendered(name, operator, literal).expect("it can be rendered");
            let select = Select { scope: Some(scope.clone()), ..whole.clone() };
            let rows = scanned(&engine, &select).await.unwrap_or_else(|why| panic!("{scope}: {why}"));
            let ids: Vec<Value> = rows.rows().map(|row| values(&select, row)[0].clone()).collect();
            let expected: Vec<Value> = expected.into_iter().map(Value::Integer).collect();
            assert_eq!(ids, expected, "{scope}");
        }
        assert!(rendered("at", Comparison::Equal, text("yesterday")).is_err());
        assert!(rendered("s", Comparison::Equal, Literal::Number("1".into())).is_err());
        assert!(rendered("nowhere", Comparison::Equal, text("")).is_err());
    });
}

fn psql(url: &str, script: &str) {
    use std::io::Write;
    let mut psql = std::process::Command::new("psql")
        .args(["-Xq", "-v", "ON_ERROR_STOP=1", url])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("psql is installed (apt-get install postgresql-client)");
    psql.stdin.take().expect("a pipe").write_all(script.as_bytes()).expect("psql reads");
    assert!(psql.wait().expect("psql ends").success(), "{script}");
}

#[test]
fn a_script_of_hostile_text_survives_the_engines_own_client() {
    let database = open(Engine::Postgres, "pg psql");
    let name = TableName::qualified("public", "per%cent \"quoted\" é");
    let texts = [
        "",
        "\\",
        "\\n",
        "'; DROP TABLE x; --",
        ":name :'v' :\"w\"",
        "a\u{1}\u{7f}\u{85}\r\n\tz",
        "$$ $1 é🦀",
        "\\gexec",
    ];
    block_on(async {
        let engine = connected(&database, 1).await;
        let column = |name: &str, declared: &str, meaning| Column {
            name: name.into(),
            column_type: trueup::value::ColumnType::new(declared, meaning),
            nullable: false,
            default: None,
            generated: None,
            identity: None,
            collation: None,
            words: Default::default(),
        };
        let columns = [
            column("key", "integer", Type::Integer { bytes: 4, unsigned: false }),
            column("va\"lue", "text", Type::Text { chars_max: None, fixed: false }),
        ];
        let table = trueup::sql::TableDefinition {
            name: name.clone(),
            columns: columns.to_vec(),
            primary_key: vec!["key".into()],
            primary_key_name: None,
            options: None,
        };
        let rows: Vec<Vec<Value>> = (0_i128..)
            .zip(texts)
            .map(|(key, text)| vec![Value::Integer(key), Value::Text(text.into())])
            .collect();
        let mut script = engine.dialect().create_table(&table) + ";\n";
        for sql in engine.dialect().insert(&name, &columns, &rows).expect("literals") {
            script.push_str(&format!("SET standard_conforming_strings = on;\n{sql};\n"));
        }
        outside(|| psql(&database.url, &script));
        let select = whole(&engine, &name.name, 1).await;
        let found = scanned(&engine, &select).await.expect("rows");
        let found: Vec<Vec<Value>> = found.rows().map(|row| values(&select, row)).collect();
        assert_eq!(found, rows);
    });
}

#[test]
fn what_is_asked_keeps_no_locks_and_costs_no_moment() {
    let database = open(Engine::Postgres, "asked");
    database.execute_script("CREATE TABLE asked (id serial PRIMARY KEY); INSERT INTO asked DEFAULT VALUES;");
    block_on(async {
        let engine = connected(&database, 1).await;
        let snapshot = engine.snapshot().await.expect("a snapshot");
        let ask = async |sql: &str| snapshot.ask(sql.to_owned()).await;
        let one = vec![Some("1".to_owned())];
        assert_eq!(ask("SELECT max(id)::text FROM asked").await.expect("an answer"), one);
        assert_eq!(ask("SELECT last_value::text FROM asked_id_seq").await.expect("an answer"), one);
        let held = "SELECT count(*)::text FROM pg_locks WHERE relation IN \
                    ('asked'::regclass, 'asked_id_seq'::regclass, 'asked_pkey'::regclass)";
        assert_eq!(ask(held).await.expect("an answer"), [Some("0".to_owned())]);
        outside(|| database.execute_script("INSERT INTO asked DEFAULT VALUES;"));
        assert!(ask("SELECT (1 / 0)::text").await.is_err());
        assert_eq!(ask("SELECT count(*)::text FROM asked").await.expect("the moment goes on"), one);
    });
}
