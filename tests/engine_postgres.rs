//! The PostgreSQL engine on a real server: what it reads is what is there, in the order keys have.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use trueup::engine::{Engine as _, EngineError, connect};
use trueup::failure::ErrorKind;
use trueup::spec::{Place, Side, SideUrl};
use trueup::sql::{Column, Dialect as _, RowUpdate, Select, SelectColumn, Selection, TableName};
use trueup::value::{Decimal, Domain, Key, KeyOrder, KeyRange, RowBlock, Type, Value, decode, fields};

use crate::servers::{Database, Engine, open, postgres};

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
        Type::Integer { bytes, .. } => Domain::Integer { bytes: *bytes },
        Type::Decimal { .. } => Domain::Decimal { with_scale: true },
        Type::Float32 => Domain::Float32,
        Type::Float64 => Domain::Float64,
        Type::Text { fixed, .. } => Domain::Text { unpadded: *fixed },
        Type::Bytes { .. } => Domain::Bytes,
        Type::Date => Domain::Date,
        Type::Time { .. } => Domain::Time,
        Type::DateTime { .. } => Domain::DateTime,
        Type::Instant { .. } => Domain::Instant,
        Type::Uuid => Domain::Uuid,
        Type::JsonText => Domain::JsonText,
        Type::Json => Domain::Json { canonical: false },
        Type::Other => Domain::Native,
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
fn extremes() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![
        ("boolean", vec!["true", "false"]),
        ("smallint", vec!["-32768", "0", "32767"]),
        ("integer", vec!["-2147483648", "-1", "2147483647"]),
        ("bigint", vec!["-9223372036854775808", "4294967296", "9223372036854775807"]),
        ("numeric", vec!["0", "1.0", "1.00", "-9.50", "1e30", "'NaN'", "'Infinity'", "'-Infinity'", "1e-20"]),
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
                dialect.update(&copy.table, &columns[..1], &columns[1..], &updates).expect("literals"),
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
            let deletes = dialect.delete(&copy.table, &nullable(&columns), &shown).expect("literals");
            for sql in &deletes {
                let done = writer.execute(sql).await.unwrap_or_else(|why| panic!("{table}: {why}\n{sql}"));
                assert_eq!(done, shown.len() as u64, "{table}");
            }
        }
    });
}

fn nullable(columns: &[Column]) -> Vec<Column> {
    columns.iter().map(|column| Column { nullable: true, ..column.clone() }).collect()
}
