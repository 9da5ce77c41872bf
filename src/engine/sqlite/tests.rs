//! Sessions, catalogs, scans and writes on real files.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::engine::RowStream;
use crate::spec::Spec;
use crate::sql::{Column, RowUpdate, Select, SelectColumn, Selection, TableDefinition, TableName};
use crate::value::{
    Date, Decimal, Domain, Key, KeyOrder, KeyRange, RowBlock, Stamp, Time, Value, decode, encode, fields,
};

const STORAGE: Domain = Domain::Storage { expected: None };

struct Place {
    directory: TempDir,
}

impl Place {
    fn new(sql: &str) -> Self {
        let place = Place { directory: tempfile::tempdir().expect("a temporary directory") };
        place.sqlite().execute_batch(sql).expect("the script runs");
        place
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("a.db")
    }

    fn sqlite(&self) -> Connection {
        Connection::open(self.file()).expect("a file")
    }

    async fn engine(&self) -> Arc<dyn Engine> {
        connect(&side(&self.file(), ""), true).await.expect("it connects")
    }
}

fn side(path: &Path, options: &str) -> Side {
    let text = format!(
        "version: 1\nprimary: {{ url: \"sqlite:{}\"{options} }}\nreplicas: {{ r: \"sqlite:/nowhere/r.db\" }}\n\
         tables: [t]\n",
        path.display()
    );
    Spec::parse(&text, "spec.yml", &|_| None).expect("a spec").primary
}

fn column(name: &str, declared: &str) -> Column {
    Column {
        name: name.to_owned(),
        column_type: crate::sql::sqlite::column_type(declared),
        nullable: true,
        default: None,
        generated: None,
        identity: None,
        collation: None,
        words: Default::default(),
    }
}

fn select(key: &[(Column, Domain)], others: &[(Column, Domain)]) -> Select {
    let columns = key.iter().chain(others);
    Select {
        table: TableName::plain("t"),
        columns: columns
            .map(|(column, domain)| SelectColumn { column: column.clone(), domain: domain.clone() })
            .collect(),
        key_columns: key.len(),
        scope: None,
        selection: Selection::Range(KeyRange::all()),
        ordered: true,
        locked: false,
    }
}

async fn collect(mut stream: RowStream) -> Result<RowBlock, EngineError> {
    let mut all = RowBlock::default();
    while let Some(block) = stream.next().await? {
        assert!(!block.is_empty());
        all.extend(&block, 0, block.len());
    }
    Ok(all)
}

async fn scan(engine: &Arc<dyn Engine>, select: &Select) -> Result<RowBlock, EngineError> {
    collect(engine.snapshot().await?.scan(select.clone()).await?).await
}

fn values(select: &Select, row: &[u8]) -> Vec<Value> {
    select.columns.iter().zip(fields(row)).map(|(column, field)| decode(&column.domain, field)).collect()
}

fn order(select: &Select) -> KeyOrder {
    let key = select.columns[..select.key_columns].iter();
    KeyOrder::new(key.map(|column| column.domain.clone()).collect::<Vec<_>>())
}

fn assert_ordered(select: &Select, rows: &RowBlock) {
    let order = order(select);
    for at in 1..rows.len() {
        let (a, b) = (rows.row(at - 1), rows.row(at));
        assert!(order.compare(a, b).is_le(), "{:?} before {:?}", values(select, a), values(select, b));
    }
}

/// Every range between any two of the rows' keys gives exactly the rows that lie in it.
async fn assert_ranges(engine: &Arc<dyn Engine>, select: &Select, rows: &RowBlock) {
    let order = order(select);
    let keys: Vec<Option<Key>> =
        std::iter::once(None).chain(rows.rows().map(|row| Some(order.key_of(row)))).collect();
    let snapshot = engine.snapshot().await.expect("a snapshot");
    for from in &keys {
        for to in &keys {
            let range = KeyRange { from: from.clone(), to: to.clone() };
            let ranged = Select { selection: Selection::Range(range.clone()), ..select.clone() };
            let found = collect(snapshot.scan(ranged.clone()).await.expect("a scan")).await.expect("rows");
            let expected: Vec<&[u8]> = rows.rows().filter(|row| order.contains(&range, row)).collect();
            let found: Vec<&[u8]> = found.rows().collect();
            assert_eq!(
                found,
                expected,
                "{}\nfound {:?}\nexpected {:?}",
                render(&ranged),
                found.iter().map(|row| values(select, row)).collect::<Vec<_>>(),
                expected.iter().map(|row| values(select, row)).collect::<Vec<_>>()
            );
        }
    }
}

fn render(select: &Select) -> String {
    Sqlite.select(select)
}

/// Keys one by one and all together.
async fn assert_keys(engine: &Arc<dyn Engine>, select: &Select, rows: &RowBlock) {
    let order = order(select);
    let keys: Vec<Key> = rows.rows().map(|row| order.key_of(row)).collect();
    let by = |keys: Vec<Key>| Select { selection: Selection::Keys(keys), ..select.clone() };
    let all = scan(engine, &by(keys.clone())).await.expect("rows");
    assert_eq!(all.bytes(), rows.bytes(), "{}", render(&by(keys.clone())));
    for (at, key) in keys.iter().enumerate() {
        let found = scan(engine, &by(vec![key.clone()])).await.expect("rows");
        let same = |row: &&[u8]| order.compare(row, key.bytes()).is_eq();
        assert!(found.rows().any(|row| row == rows.row(at)), "{}", render(&by(vec![key.clone()])));
        assert_eq!(found.rows().filter(same).count(), 1);
    }
    assert!(scan(engine, &by(Vec::new())).await.expect("no rows").is_empty());
}

const HOSTILE: &str = "(NULL),(1),(1.5),(-1),(0),(0.0),(-0.0),(9223372036854775807),(-9223372036854775807-1),\
    (9.2233720368547758e18),(-9.2233720368547758e18),(9007199254740993),(9007199254740992.0),(1e300),(-1e300),\
    (9.0e+999),(-9.0e+999),(4.9e-324),(1.0),(''),('a'),('a '),('A'),('b'),('1'),('10'),('9'),('é'),('e'),('😀'),('\u{ffff}'),\
    ('a'||char(0)||'b'),('a'||char(0)),(char(10)),(x''),(x'00'),(x'ff'),(x'61'),(CAST(x'ff' AS TEXT)),(x'6100')";

#[tokio::test(flavor = "multi_thread")]
async fn mixed_classes_come_in_key_order_and_in_ranges() {
    for (declared, encoding) in [
        ("", "UTF-8"),
        ("INTEGER", "UTF-8"),
        ("TEXT", "UTF-8"),
        ("REAL", "UTF-8"),
        ("NUMERIC", "UTF-8"),
        ("BLOB", "UTF-16le"),
        ("TEXT", "UTF-16be"),
    ] {
        let place = Place::new(&format!(
            "PRAGMA encoding = '{encoding}'; CREATE TABLE t (k {declared}, n INTEGER PRIMARY KEY); \
             CREATE INDEX i ON t (k); CREATE TABLE hostile(v); INSERT INTO hostile VALUES {HOSTILE}; \
             INSERT INTO t (k) SELECT v FROM hostile;"
        ));
        let engine = place.engine().await;
        let key = [
            (column("k", declared), STORAGE),
            (Column { nullable: false, ..column("n", "INTEGER") }, STORAGE),
        ];
        let select = select(&key, &[]);
        let rows = scan(&engine, &select).await.expect("rows");
        assert_eq!(rows.len(), 40);
        // A column of integers cannot tell −2⁶³ from the same real: SQLite sorts both as one.
        assert_ordered(&select, &rows);
        assert_ranges(&engine, &select, &rows).await;
        assert_keys(&engine, &select, &rows).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn composite_keys_with_nulls_and_collations() {
    let place = Place::new(
        "CREATE TABLE t (a TEXT COLLATE NOCASE, b, c REAL, v TEXT, PRIMARY KEY (a, b, c));
         WITH a(v) AS (VALUES (NULL),('a'),('b'),('B '),('')), b(v) AS (VALUES (NULL),(2),(2.5),('2'),(x'32')),
            c(v) AS (VALUES (NULL),(1.5),(-1.0))
         INSERT INTO t SELECT a.v, b.v, c.v, 'x' FROM a, b, c;",
    );
    let engine = place.engine().await;
    let catalog = engine.catalog(&[None]).await.expect("a catalog");
    let table = &catalog.tables[0];
    let of = |name: &str| (table.column(name).expect("a column").clone(), STORAGE);
    let select = select(&[of("a"), of("b"), of("c")], &[of("v")]);
    let rows = scan(&engine, &select).await.expect("rows");
    assert_eq!(rows.len(), 75);
    assert_ordered(&select, &rows);
    assert_ranges(&engine, &select, &rows).await;
    assert_keys(&engine, &select, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_moments_and_uuids_sort_by_what_they_say() {
    let cases: [(Domain, &str, &str); 5] = [
        (
            Domain::Date,
            "DATE",
            "('2024-01-01'),('0000-00-00'),('-0043-03-15'),('+10000-01-01'),('2024-02-00'),('1999-12-31')",
        ),
        (
            Domain::DateTime,
            "DATETIME",
            "('2024-01-01 00:00'),('2024-01-01T00:00:01'),('2024-01-01 00:00:00.5'),('2024-01-01T00:00:00.250'),('2023-12-31')",
        ),
        (
            Domain::Instant,
            "TIMESTAMPTZ",
            "('2024-01-01 00:00:00+02:00'),('2024-01-01T00:00:00Z'),('2024-01-01 00:00:01'),('2024-01-01 00:00:00-01')",
        ),
        (Domain::Time, "TIME", "('12:34:56'),('-838:59:59'),('12:34'),('24:00:00'),('838:59:59.5')"),
        (
            Domain::Uuid,
            "UUID",
            "('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'),('b0eebc999c0b4ef8bb6d6bb9bd380a11'),\
             ('00000000-0000-0000-0000-000000000001'),(x'ffeebc999c0b4ef8bb6d6bb9bd380a11')",
        ),
    ];
    for (domain, declared, list) in cases {
        let place =
            Place::new(&format!("CREATE TABLE t (k {declared} PRIMARY KEY); INSERT INTO t VALUES {list};"));
        let engine = place.engine().await;
        let select = select(&[(column("k", declared), domain.clone())], &[]);
        let rows = scan(&engine, &select).await.expect("rows");
        assert_eq!(rows.len(), list.split("),(").count());
        assert_ordered(&select, &rows);
        assert_ranges(&engine, &select, &rows).await;
        assert_keys(&engine, &select, &rows).await;
        assert!(Sqlite.order_needs_sort(&select.columns[0].column, &domain));
        if domain != Domain::Instant {
            // A moment that was written with another offset is found by reads alone.
            let values: Vec<Vec<Value>> = rows.rows().map(|row| values(&select, row)).collect();
            let mut found = 0;
            for values in values
                .iter()
                .filter(|values| Sqlite.literal(&values[0], &select.columns[0].column.column_type).is_ok())
            {
                let key = &select.columns[..1];
                let deletes =
                    Sqlite.delete(&select.table, key, std::slice::from_ref(values)).expect("writable");
                assert_eq!(write::execute(&place.sqlite(), &deletes[0]), Ok(1), "{deletes:?}");
                found += 1;
            }
            assert!(found > 3);
        }
        place.sqlite().execute_batch("INSERT INTO t VALUES ('nonsense')").expect("an insert");
        let error = scan(&engine, &select).await.expect_err("nonsense is no value");
        assert_eq!(error.kind, ErrorKind::Value);
        assert!(error.message.contains("table t, column k"), "{error}");
        assert!(!error.message.contains("nonsense"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_domain_reads_what_is_in_it_and_refuses_the_rest() {
    let decimal = |text: &str| Value::Decimal(Decimal::parse(text).expect("a decimal"));
    let plain = Domain::Decimal { with_scale: false };
    let integer = Domain::Integer { bytes: 4 };
    let text = Domain::Text;
    let json = Domain::Json { canonical: true };
    let good = [
        (Domain::Boolean, "BOOLEAN", "1", Value::Boolean(true)),
        (integer.clone(), "INT", "-2147483648", Value::Integer(-2_147_483_648)),
        (Domain::Integer { bytes: 16 }, "INT", "-1", Value::Integer(-1)),
        (plain.clone(), "DECIMAL(10,2)", "9.5", decimal("9.5")),
        (plain.clone(), "DECIMAL(10,2)", "9.50", decimal("9.5")),
        (plain.clone(), "DECIMAL(10,2)", "3", decimal("3")),
        (plain.clone(), "DECIMAL", "0.1", decimal("0.1")),
        (
            plain.clone(),
            "TEXT",
            "'12345678901234567890.123456789'",
            decimal("12345678901234567890.123456789"),
        ),
        (Domain::Float64, "REAL", "0.1", Value::Float64(0.1)),
        (Domain::Float64, "", "9007199254740992", Value::Float64(9007199254740992.0)),
        (Domain::Float32, "REAL", "0.5", Value::Float32(0.5)),
        (text.clone(), "TEXT", "'a'||char(0)||'b'", Value::Text("a\0b".into())),
        (Domain::Bytes, "BLOB", "x'00ff'", Value::Bytes(vec![0, 255])),
        (Domain::Date, "DATE", "'2024-02-29'", Value::Date(Date::new(2024, 2, 29).expect("a date"))),
        (Domain::Time, "TIME", "'01:02:03.5'", Value::Time(Time(3_723_500_000))),
        (Domain::DateTime, "DATETIME", "'2000-01-01 00:00:01'", Value::DateTime(Stamp(1_000_000))),
        (Domain::Instant, "TIMESTAMPTZ", "'2000-01-01 01:00:00+01:00'", Value::Instant(Stamp(0))),
        (Domain::Uuid, "UUID", "'000000000000000000000000000000FF'", Value::Uuid(u128::to_be_bytes(255))),
        (json.clone(), "JSON", "'{\"b\": 1.0, \"a\": 2}'", Value::Json("{\"a\":2,\"b\":1}".into())),
        (json.clone(), "JSON", "'17'", Value::Json("17".into())),
        (Domain::JsonText, "TEXT", "'{\"b\": 1.0}'", Value::Json("{\"b\": 1.0}".into())),
        (text.clone(), "TEXT", "NULL", Value::Null),
    ];
    for (domain, declared, literal, expected) in good {
        let found = one(&domain, declared, literal).await;
        assert_eq!(found.unwrap_or_else(|error| panic!("{domain:?} {literal}: {error}")), expected);
    }
    let bad = [
        (Domain::Boolean, "BOOLEAN", "2"),
        (integer.clone(), "INT", "1.5"),
        (integer.clone(), "INT", "'abc'"),
        (integer, "INT", "2147483648"),
        (plain.clone(), "DECIMAL(10,2)", "0.125"),
        (plain.clone(), "DECIMAL(10,2)", "'abc'"),
        (plain, "DECIMAL", "9.0e+999"),
        (Domain::Float64, "", "9007199254740993"),
        (Domain::Float64, "", "9223372036854775807"),
        (Domain::Float32, "REAL", "0.1"),
        (text.clone(), "TEXT", "CAST(x'ff' AS TEXT)"),
        (text, "BLOB", "1"),
        (Domain::Bytes, "BLOB", "'a'"),
        (Domain::Date, "DATE", "'2024-01-01 00:00:00'"),
        (Domain::DateTime, "DATETIME", "'2024-01-01 00:00:00Z'"),
        (Domain::DateTime, "DATETIME", "1700000000"),
        (Domain::DateTime, "DATETIME", "'+300000-01-01 00:00:00'"),
        (Domain::Instant, "TIMESTAMPTZ", "''"),
        (Domain::Uuid, "UUID", "'00000000-0000-0000-0000-0000000000'"),
        (json, "JSON", "'{'"),
    ];
    for (domain, declared, literal) in bad {
        let error = one(&domain, declared, literal).await.expect_err(literal);
        assert_eq!(error.kind, ErrorKind::Value, "{error}");
        assert!(error.message.contains("table t, column v"), "{error}");
        assert!(error.key.is_some_and(|key| key.contains("id = 7")));
    }
}

async fn one(domain: &Domain, declared: &str, literal: &str) -> Result<Value, EngineError> {
    let place = Place::new(&format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared}); INSERT INTO t VALUES (7, {literal});"
    ));
    let key = [(column("id", "INTEGER"), Domain::Integer { bytes: 8 })];
    let select = select(&key, &[(column("v", declared), domain.clone())]);
    let rows = scan(&place.engine().await, &select).await?;
    Ok(values(&select, rows.row(0)).remove(1))
}

/// What [`Sqlite::literal`] writes is read back as the same payload; what would not be is refused.
#[tokio::test(flavor = "multi_thread")]
async fn literals_read_back_identical() {
    let place = Place::new("");
    let sqlite = place.sqlite();
    let storage: Vec<Value> = vec![
        Value::Null,
        Value::Integer(i64::MIN.into()),
        Value::Integer(i64::MAX.into()),
        Value::Integer(0),
        Value::Float64(0.0),
        Value::Float64(-0.0),
        Value::Float64(1.0),
        Value::Float64(0.1),
        Value::Float64(f64::MAX),
        Value::Float64(f64::MIN_POSITIVE),
        Value::Float64(5e-324),
        Value::Float64(f64::INFINITY),
        Value::Float64(f64::NEG_INFINITY),
        Value::Float64(-9.223372036854776e18),
        Value::Text(String::new()),
        Value::Text("it's\r\n\0\u{1b}[31m\u{feff}😀".into()),
        Value::Text("\0".repeat(5_000)),
        Value::Text("a\r".repeat(5_000)),
        Value::Text("12".into()),
        Value::Text(" -1.5e3 ".into()),
        Value::Text("2024-01-01".into()),
        Value::RawText(vec![0xff, 0, b'\'']),
        Value::Bytes(vec![]),
        Value::Bytes((0..=255).collect()),
    ];
    let mut refused = 0;
    for declared in ["", "INTEGER", "NUMERIC", "REAL", "TEXT", "BLOB", "DATE"] {
        sqlite
            .execute_batch(&format!("DROP TABLE IF EXISTS t; CREATE TABLE t (v {declared})"))
            .expect("a table");
        for value in &storage {
            let column_type = crate::sql::sqlite::column_type(declared);
            let literal = Sqlite.literal(value, &column_type);
            let plain = crate::sql::sqlite::plain_literal(value);
            let mut expected = Vec::new();
            encode(&mut expected, &STORAGE, value).expect("a storage value");
            let found = stored(&sqlite, &plain);
            assert_eq!(literal.is_ok(), found == expected, "{declared} {value:?}");
            match literal {
                Ok(literal) => assert_eq!(literal, plain),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 20, "{refused}");
}

fn stored(sqlite: &Connection, literal: &str) -> Vec<u8> {
    sqlite.execute_batch(&format!("DELETE FROM t; INSERT INTO t VALUES ({literal})")).expect(literal);
    let mut bytes = Vec::new();
    sqlite
        .query_row("SELECT v FROM t", [], |row| {
            encode::encode_field(&mut bytes, &STORAGE, None, row.get_ref(0)?).expect("any value is at home");
            Ok(())
        })
        .expect("a row");
    bytes
}

#[test]
fn doubles_survive_their_shortest_text() {
    let sqlite = Connection::open_in_memory().expect("memory");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let double = f64::from_bits(state);
        if double.is_nan() {
            continue;
        }
        let literal = crate::sql::sqlite::plain_literal(&Value::Float64(double));
        let found: f64 =
            sqlite.query_row(&format!("SELECT {literal}"), [], |row| row.get(0)).expect("a number");
        assert_eq!(found.to_bits(), double.to_bits(), "{literal}");
    }
}

fn plan(sqlite: &Connection, sql: &str) -> Vec<String> {
    let mut statement = sqlite.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect(sql);
    let lines = statement.query_map([], |row| row.get::<_, String>(3)).expect("a plan");
    lines.collect::<rusqlite::Result<_>>().expect("text")
}

/// Ranges and keys are looked up in the index, in its order, also of composite keys and of text.
#[test]
fn ranges_and_keys_use_the_index() {
    let sqlite = Connection::open_in_memory().expect("memory");
    functions::register(&sqlite).expect("functions");
    sqlite
        .execute_batch(
            "CREATE TABLE i (a INTEGER PRIMARY KEY, v TEXT); CREATE TABLE c (a INTEGER NOT NULL, b TEXT NOT NULL, v, \
             PRIMARY KEY (a, b)) WITHOUT ROWID; CREATE TABLE s (a TEXT PRIMARY KEY, v); \
             CREATE TABLE u (a UUID PRIMARY KEY, v); CREATE TABLE n (a PRIMARY KEY, v)",
        )
        .expect("tables");
    let text = || (column("b", "TEXT"), STORAGE);
    let integer = || (Column { nullable: false, ..column("a", "INTEGER") }, Domain::Integer { bytes: 8 });
    let of = |table: &str, key: &[(Column, Domain)]| Select {
        table: TableName::plain(table),
        ..select(key, &[(column("v", "TEXT"), STORAGE)])
    };
    let composite = [integer(), (Column { nullable: false, ..text().0 }, text().1)];
    let cases = [
        (of("i", &[integer()]), vec![Value::Integer(5)], vec![Value::Integer(9)], true),
        (
            of("c", &composite),
            vec![Value::Integer(5), Value::Text("x".into())],
            vec![Value::Integer(5), Value::Text("y".into())],
            true,
        ),
        (
            of("s", &[(column("a", "TEXT"), STORAGE)]),
            vec![Value::Text("a".into())],
            vec![Value::Text("b".into())],
            true,
        ),
        (
            of("n", &[(column("a", ""), STORAGE)]),
            vec![Value::Text("a".into())],
            vec![Value::Text("b".into())],
            true,
        ),
        (
            of("u", &[(column("a", "UUID"), Domain::Uuid)]),
            vec![Value::Uuid([1; 16])],
            vec![Value::Uuid([2; 16])],
            false,
        ),
    ];
    for (select, from, to, ranges) in cases {
        let key = |values: &[Value]| {
            let mut bytes = Vec::new();
            for (column, value) in select.columns.iter().zip(values) {
                encode(&mut bytes, &column.domain, value).expect("a value of the domain");
            }
            Key::new(bytes)
        };
        let range = KeyRange { from: Some(key(&from)), to: Some(key(&to)) };
        let ranged = Select { selection: Selection::Range(range), ..select.clone() };
        let sql = render(&ranged);
        let lines = plan(&sqlite, &sql);
        if ranges {
            assert!(lines[0].contains("SEARCH") && lines[0].contains("USING"), "{sql}\n{lines:?}");
            let bounds = [">?", "<?", ">(?", "<(?"].iter().filter(|bound| lines[0].contains(**bound));
            assert_eq!(bounds.count(), 2, "{sql}\n{lines:?}");
            assert!(!lines.iter().any(|line| line.contains("TEMP B-TREE FOR ORDER BY")), "{sql}\n{lines:?}");
        }
        let keys = Selection::Keys(vec![key(&from), key(&to)]);
        let sql = render(&Select { selection: keys, ordered: false, ..select.clone() });
        let lines = plan(&sqlite, &sql);
        // A UUID may be spelled in capitals here and there: it is looked up by what it means, among all rows.
        let by_meaning = select.columns[0].domain == Domain::Uuid;
        assert!(by_meaning || lines[0].contains("SEARCH") && lines[0].contains("USING"), "{sql}\n{lines:?}");

        let columns = &select.columns[..select.key_columns];
        let update = RowUpdate { key: from.clone(), values: vec![Value::Text("new".into())] };
        let updates =
            Sqlite.update(&select.table, columns, &[column("v", "TEXT")], &[update]).expect("writable");
        let lines = plan(&sqlite, &updates[0]);
        assert!(
            lines.iter().any(|line| line.contains(&format!("SEARCH {} USING", select.table))),
            "{updates:?}\n{lines:?}"
        );
        let deletes = Sqlite.delete(&select.table, columns, &[from, to]).expect("writable");
        let lines = plan(&sqlite, &deletes[0]);
        assert!(lines[0].contains("SEARCH"), "{deletes:?}\n{lines:?}");
    }
}

/// Key columns as SQLite's own values.
fn stored_key(columns: &[Column]) -> Vec<SelectColumn> {
    let part =
        |column: &Column| SelectColumn { column: column.clone(), domain: Domain::Storage { expected: None } };
    columns.iter().map(part).collect()
}

/// Statements that insert, update and delete do so to exactly the rows they name.
#[test]
fn set_wise_statements_do_what_they_say() {
    let sqlite = Connection::open_in_memory().expect("memory");
    sqlite
        .execute_batch("CREATE TABLE \"a \"\"b\" (\"column1\" , b TEXT COLLATE NOCASE, c DECIMAL(10,2))")
        .expect("a table");
    let table = TableName::plain("a \"b");
    let collated = Column { collation: Some("NOCASE".into()), ..column("b", "TEXT") };
    let columns = [column("column1", ""), collated, column("c", "DECIMAL(10,2)")];
    let (key, others) = columns.split_at(2);
    let key = &stored_key(key);
    let texts = ["x", "X", "x\0", "it's"];
    let keys: Vec<Vec<Value>> =
        [Value::Integer(1), Value::Float64(1.0), Value::Text("1".into()), Value::Null]
            .into_iter()
            .flat_map(|first| texts.map(|second| vec![first.clone(), Value::Text(second.into())]))
            .collect();
    let decimal = |text: &str| Value::Decimal(Decimal::parse(text).expect("a decimal"));
    let rows: Vec<Vec<Value>> =
        keys.iter().map(|key| [key.as_slice(), &[decimal("0.10")]].concat()).collect();
    let run = |statements: Vec<String>| {
        statements.iter().map(|sql| write::execute(&sqlite, sql).expect(sql)).sum::<u64>()
    };
    assert_eq!(run(Sqlite.insert(&table, &columns, &rows).expect("writable")), 16);
    let count = |condition: &str| {
        let sql = format!("SELECT count(*) FROM \"a \"\"b\" WHERE {condition}");
        sqlite.query_row(&sql, [], |row| row.get::<_, i64>(0)).expect("a count")
    };
    for (at, values) in keys.iter().enumerate() {
        let update = RowUpdate { key: values.clone(), values: vec![decimal("7.25")] };
        assert_eq!(run(Sqlite.update(&table, key, others, &[update]).expect("writable")), 1, "{values:?}");
        assert_eq!(count("c = 7.25"), at as i64 + 1);
    }
    let updates: Vec<RowUpdate> = keys
        .iter()
        .enumerate()
        .map(|(at, key)| RowUpdate { key: key.clone(), values: vec![Value::Integer(at as i128)] })
        .collect();
    assert_eq!(run(Sqlite.update(&table, key, others, &updates).expect("writable")), 16);
    assert_eq!(count("c = 5 AND column1 = 1 AND typeof(column1) = 'real' AND b = 'X' COLLATE BINARY"), 1);
    assert_eq!(run(Sqlite.delete(&table, key, &keys[..1]).expect("writable")), 1);
    assert_eq!(run(Sqlite.delete(&table, key, &keys[4..9]).expect("writable")), 5);
    assert_eq!(run(Sqlite.delete(&table, key, &keys[9..]).expect("writable")), 7);
    assert_eq!(count("1"), 3);
}

#[test]
fn long_batches_are_cut() {
    let table = TableName::plain("t");
    let columns = [column("id", "INTEGER"), column("v", "TEXT")];
    let rows: Vec<Vec<Value>> =
        (0..1_200).map(|id| vec![Value::Integer(id), Value::Text("x".repeat(3_000))]).collect();
    let statements = Sqlite.insert(&table, &columns, &rows).expect("writable");
    assert!(statements.len() >= 4 && statements.iter().all(|sql| sql.len() <= Sqlite.statement_bytes_max()));
    let keys: Vec<Vec<Value>> = (0..1_200).map(|id| vec![Value::Integer(id)]).collect();
    let statements = Sqlite.delete(&table, &stored_key(&columns[..1]), &keys).expect("writable");
    assert_eq!(statements.len(), 3);
    let large = vec![vec![Value::Integer(1), Value::Text("x".repeat(3 << 20))]];
    assert_eq!(Sqlite.insert(&table, &columns, &large).expect("writable").len(), 1);
}

/// A table made from a catalog has that catalog.
#[tokio::test(flavor = "multi_thread")]
async fn created_tables_read_back() {
    let place = Place::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT 'it''s' COLLATE NOCASE, \
         price DECIMAL(10,2) DEFAULT 0.50, at DATETIME DEFAULT CURRENT_TIMESTAMP, ok BOOLEAN NOT NULL DEFAULT 1, any); \
         CREATE TABLE u (a TEXT NOT NULL, b INT NOT NULL, PRIMARY KEY (b, a));",
    );
    let engine = place.engine().await;
    let mut before = engine.catalog(&[None]).await.expect("a catalog");
    let copy = Place::new("");
    for table in &before.tables {
        let definition = TableDefinition {
            name: table.name.clone(),
            columns: table.columns.clone(),
            primary_key: table.keys[0].columns.clone(),
            primary_key_name: None,
            options: None,
        };
        copy.sqlite().execute_batch(&Sqlite.create_table(&definition)).expect("the table");
    }
    let mut after = copy.engine().await.catalog(&[None]).await.expect("a catalog");
    // A key that numbers rows says that it is never NULL; else they are one but for spelling.
    before.tables[0].columns[0].words.whole = Some("INTEGER NOT NULL".to_owned());
    for table in before.tables.iter_mut().chain(after.tables.iter_mut()) {
        table.stored = Default::default();
    }
    assert_eq!(after, before);
    let note = Column {
        nullable: false,
        default: before.tables[0].columns[1].default.clone(),
        ..column("note", "TEXT")
    };
    copy.sqlite().execute_batch(&Sqlite.add_column(&before.tables[0].name, &note)).expect("the column");
    let after = copy.engine().await.catalog(&[None]).await.expect("a catalog");
    let added =
        after.tables[0].columns.last().map(|column| Column { words: Default::default(), ..column.clone() });
    assert_eq!(added, Some(note));
}

/// A condition picks the rows that it picks elsewhere.
#[test]
fn scopes_compare_by_meaning() {
    use crate::sql::expression::{Comparison, Expression, Literal, Operand, Predicate};
    let sqlite = Connection::open_in_memory().expect("memory");
    functions::register(&sqlite).expect("functions");
    sqlite
        .execute_batch(
            "CREATE TABLE t (name TEXT COLLATE NOCASE, at DATETIME, price DECIMAL(10,2), ok BOOLEAN, u UUID, n INTEGER);
             INSERT INTO t VALUES ('a', '2024-01-01T05:00', 9.5, 1, 'A0EEBC999C0B4EF8BB6D6BB9BD380A11', 1),
                ('A', '2024-01-01 06:00:00', 10, 0, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 2), (NULL, NULL, NULL, NULL, NULL, NULL);",
        )
        .expect("a table");
    let declared = [
        ("name", "TEXT"),
        ("at", "DATETIME"),
        ("price", "DECIMAL(10,2)"),
        ("ok", "BOOLEAN"),
        ("u", "UUID"),
        ("n", "INTEGER"),
    ];
    let find = |name: &str| {
        let (name, declared) = declared.iter().find(|(known, _)| *known == name)?;
        let collation = (*name == "name").then(|| "NOCASE".to_owned());
        Some(Column { collation, ..column(name, declared) })
    };
    let condition = |name: &str, operator, literal| {
        let (first, second) = (Operand::Column(name.into()), Operand::Literal(literal));
        let root = Predicate::Compare { first, operator, second };
        Sqlite.scope(&Expression { root }, &find, jiff::Timestamp::UNIX_EPOCH)
    };
    let text = |text: &str| Literal::Text(text.into());
    for (name, operator, literal, expected) in [
        ("name", Comparison::Equal, text("a"), 1),
        ("at", Comparison::Less, text("2024-01-01 05:30"), 1),
        ("at", Comparison::GreaterOrEqual, text("2024-01-01"), 2),
        ("at", Comparison::GreaterOrEqual, Literal::Date("2024-01-02".into()), 0),
        ("price", Comparison::Less, text("10.00"), 1),
        ("price", Comparison::GreaterOrEqual, Literal::Number("9.50".into()), 2),
        ("ok", Comparison::Equal, Literal::Boolean(true), 1),
        ("ok", Comparison::Equal, text("false"), 1),
        ("u", Comparison::Equal, text("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"), 2),
        ("n", Comparison::NotEqual, text("1"), 1),
    ] {
        let sql = format!(
            "SELECT count(*) FROM t WHERE {}",
            condition(name, operator, literal).expect("a condition")
        );
        assert_eq!(sqlite.query_row(&sql, [], |row| row.get::<_, i64>(0)), Ok(expected), "{sql}");
    }
    assert!(condition("gone", Comparison::Equal, text("a")).is_err());
    assert!(condition("at", Comparison::Equal, text("tomorrow")).is_err());
    assert!(condition("n", Comparison::Equal, text("one")).is_err());
    assert!(condition("name", Comparison::Equal, Literal::Number("1".into())).is_err());
    sqlite.execute_batch("UPDATE t SET at = 'soon' WHERE n = 1").expect("an update");
    let sql = format!(
        "SELECT count(*) FROM t WHERE {}",
        condition("at", Comparison::Less, text("2024-01-01")).expect("a condition")
    );
    let error = sqlite.query_row(&sql, [], |_| Ok(())).expect_err("a row whose scope cannot be told");
    assert_eq!(error::of_statement("x", error).kind, ErrorKind::Value);
}

/// What one table needs and this program lacks (a module, a collation) is no reason to fail for the others.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_modules_and_collations_do_no_harm() {
    let place = Place::new(
        "CREATE TABLE t (k TEXT PRIMARY KEY, v); INSERT INTO t VALUES ('b', 1), ('a', 2); CREATE TABLE gone (a); \
         CREATE VIEW broken AS SELECT * FROM gone; DROP TABLE gone;",
    );
    let sqlite = place.sqlite();
    sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).expect("a setting");
    sqlite
        .execute_batch(
            "PRAGMA writable_schema = 1; \
             INSERT INTO sqlite_schema VALUES ('table', 'far', 'far', 0, 'CREATE VIRTUAL TABLE far USING away(a)'); \
             UPDATE sqlite_schema SET sql = 'CREATE TABLE t (k TEXT COLLATE strange PRIMARY KEY, v)' WHERE name = 't'; \
             PRAGMA writable_schema = RESET",
        )
        .expect("a schema of another program");
    drop(sqlite);
    let engine = place.engine().await;
    let catalog = engine.catalog(&[None]).await.expect("a catalog");
    assert_eq!(catalog.tables.len(), 1);
    let table = &catalog.tables[0];
    assert_eq!(table.columns[0].collation.as_deref(), Some("strange"));
    let select = select(&[(table.columns[0].clone(), STORAGE)], &[(table.columns[1].clone(), STORAGE)]);
    let rows = scan(&engine, &select).await.expect("rows");
    assert_ranges(&engine, &select, &rows).await;
    assert_keys(&engine, &select, &rows).await;
}

/// Lists of keys have no limit of SQLite's that we would meet.
#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_keys_are_looked_up_at_once() {
    let place = Place::new(
        "CREATE TABLE t (a UUID, b INTEGER, v, PRIMARY KEY (a, b)); \
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4999) \
         INSERT INTO t SELECT printf('00000000-0000-0000-0000-%012x', i), i, i FROM n",
    );
    let engine = place.engine().await;
    let columns = [column("a", "UUID"), column("b", "INTEGER")];
    let key = [(columns[0].clone(), Domain::Uuid), (columns[1].clone(), Domain::Integer { bytes: 8 })];
    let pair = select(&key, &[]);
    let rows = scan(&engine, &pair).await.expect("rows");
    let order = order(&pair);
    let keys: Vec<Key> = rows.rows().map(|row| order.key_of(row)).collect();
    let by_keys = Select { selection: Selection::Keys(keys.clone()), ..pair.clone() };
    assert_eq!(scan(&engine, &by_keys).await.expect("rows").bytes(), rows.bytes());
    let values: Vec<Vec<Value>> = keys.iter().map(|key| order.values(key)).collect();
    let deletes = Sqlite.delete(&pair.table, &pair.columns[..2], &values).expect("writable");
    let deleted: u64 = deletes.iter().map(|sql| write::execute(&place.sqlite(), sql).expect("deleted")).sum();
    assert_eq!(deleted, 5_000);
}

/// A stream that ends without an error says that it was complete.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_panics_ends_in_an_error() {
    let place = Place::new("CREATE TABLE t (k INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)");
    let engine = place.engine().await;
    let impossible = Domain::Integer { bytes: 17 };
    let select = select(&[(column("k", "INTEGER"), impossible)], &[]);
    let error = scan(&engine, &select).await.expect_err("no integer has 17 bytes");
    assert_eq!(error.kind, ErrorKind::Internal);
}
