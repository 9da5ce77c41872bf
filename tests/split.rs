//! How evenly tables are cut into the parts that several connections read: rows are counted, not time.

use std::sync::Arc;

use trueup::engine::{self, Engine as Connected};
use trueup::schema::Table;
use trueup::spec::{Place, Side, SideUrl};
use trueup::sql::{Select, SelectColumn, Selection};
use trueup::value::{Domain, Key, KeyOrder, KeyRange, RowBlock, StorageClass, Type};

use crate::servers::{Database, Engine, open};

const PARTS: usize = 4;

/// Name, declared key columns, the key of row `i` of 0 to 199,999 as SQL, and how large the largest part may be,
/// the mean being 1.
const TABLES: [(&str, &str, &str, f64); 9] = [
    ("dense", "a bigint", "i", 1.3),
    ("gap", "a bigint", "CASE WHEN i < 30000 THEN i ELSE i + 1000000000000 END", 1.3),
    ("gaps", "a bigint", "i + (i / 10000) * 1000000000000", 1.3),
    ("negative", "a bigint", "(i - 100000) * 1000", 1.3),
    ("uneven", "a bigint", "CASE WHEN i < 20000 THEN i * 100000 ELSE 2000000000 + i END", 1.5),
    ("few_groups", "a int, b int", "i / 25000, i", 1.6),
    ("many_groups", "a int, b int", "i / 5, i % 5", 1.5),
    ("bytes", "a {bytes}", "{hash}", 1.6),
    ("days", "a {date}", "{day}", 1.6),
];

fn script(engine: Engine) -> String {
    let mut script = String::new();
    for (name, columns, key, _) in TABLES {
        // Bytes that are spread evenly, and days that are not all there.
        let (numbers, bytes, hash, date, day) = match engine {
            Engine::Sqlite => (
                "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 199999)",
                "blob",
                "CAST(printf('%08x', (i * 2654435761) % 4294967296) AS BLOB)",
                "text",
                "date('1500-01-01', (i + i / 5000 * 300) || ' days')",
            ),
            _ => (
                "",
                "varbinary(8)",
                "CAST(LPAD(HEX((i * 2654435761) % 4294967296), 8, '0') AS BINARY)",
                "date",
                "DATE_ADD('1500-01-01', INTERVAL i + (i DIV 5000) * 300 DAY)",
            ),
        };
        let columns = columns.replace("{bytes}", bytes).replace("{date}", date);
        let columns: Vec<String> = columns.split(", ").map(|column| format!("{column} NOT NULL")).collect();
        let names: Vec<&str> = columns.iter().filter_map(|column| column.split(' ').next()).collect();
        let key = key.replace("{hash}", hash).replace("{day}", day);
        let key = if engine == Engine::Sqlite { key } else { key.replace(" / ", " DIV ") };
        let from = if engine == Engine::Sqlite {
            "n"
        } else {
            "(SELECT CAST(seq AS SIGNED) - 1 AS i FROM seq_1_to_200000) n"
        };
        script.push_str(&format!(
            "CREATE TABLE {name} ({}, v varchar(100), PRIMARY KEY ({}));\n\
             INSERT INTO {name} {numbers} SELECT {key}, 'a value of some length, as rows have them' FROM {from};\n",
            columns.join(", "),
            names.join(", ")
        ));
        if engine != Engine::Sqlite {
            script.push_str(&format!("ANALYZE TABLE {name};\n"));
        }
    }
    script
}

fn domain(engine: Engine, meaning: &Type) -> Domain {
    match meaning {
        _ if engine == Engine::Sqlite => Domain::Storage { expected: None::<StorageClass> },
        Type::Integer { .. } => Domain::Integer { bytes: 8 },
        Type::Date => Domain::Date,
        Type::Bytes { .. } => Domain::Bytes,
        _ => Domain::Text,
    }
}

fn select(engine: Engine, table: &Table, key_columns: usize) -> Select {
    let column = |column: &trueup::sql::Column| SelectColumn {
        column: column.clone(),
        domain: domain(engine, &column.column_type.meaning),
    };
    Select {
        table: table.name.clone(),
        columns: table.columns.iter().map(column).collect(),
        key_columns,
        selection: Selection::Range(KeyRange::all()),
        scope: None,
        ordered: true,
        locked: false,
    }
}

async fn connected(database: &Database) -> Arc<dyn Connected> {
    let url = SideUrl::parse(&database.url, Place::START).unwrap_or_else(|why| panic!("{}", why.message));
    engine::connect(&Side::from_url(url), false).await.expect("it connects")
}

async fn rows_of(snapshot: &dyn engine::Snapshot, select: Select) -> RowBlock {
    let mut stream = snapshot.scan(select).await.expect("a scan");
    let mut all = RowBlock::default();
    while let Some(block) = stream.next().await.expect("rows") {
        all.extend(&block, 0, block.len());
    }
    all
}

/// Checks every table: the parts are about even, and are what the whole is.
fn check(engine: Engine, hint: &str) {
    let database = open(engine, hint);
    database.execute_script(&script(engine));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime can be built").block_on(async {
        let connected = connected(&database).await;
        let catalog = connected.catalog(&[None]).await.expect("a catalog");
        let snapshot = connected.snapshot().await.expect("a snapshot");
        for (name, columns, _, limit) in TABLES {
            let table = catalog.tables.iter().find(|table| table.name.name == name).expect("the table");
            let select = select(engine, table, columns.split(", ").count());
            let key = &select.columns[..select.key_columns];
            let order = KeyOrder::new(key.iter().map(|part| part.domain.clone()).collect::<Vec<_>>());
            let begun = std::time::Instant::now();
            let cuts = snapshot.split(&select, PARTS).await.expect("cuts");
            let took = begun.elapsed();
            let all = rows_of(&*snapshot, select.clone()).await;
            let largest = check_parts(&*snapshot, &select, &order, &cuts, &all).await;
            let largest = largest as f64 * PARTS as f64 / all.len() as f64;
            println!("{} {name}: the largest part is {largest:.2} of the mean; {took:?}", engine.name());
            assert!(largest <= limit, "{name}: {largest}");
        }
    });
}

/// Reads every part and holds it against the whole; the rows of the largest.
async fn check_parts(
    snapshot: &dyn engine::Snapshot,
    select: &Select,
    order: &KeyOrder,
    cuts: &[Key],
    all: &RowBlock,
) -> usize {
    let ends: Vec<Option<Key>> =
        [None].into_iter().chain(cuts.iter().cloned().map(Some)).chain([None]).collect();
    let (mut begin, mut largest) = (0, 0);
    for pair in ends.windows(2) {
        let range = KeyRange { from: pair[0].clone(), to: pair[1].clone() };
        let count = all.rows().filter(|row| order.contains(&range, row)).count();
        let part = rows_of(snapshot, Select { selection: Selection::Range(range), ..select.clone() }).await;
        assert_eq!(part.len(), count);
        assert!((0..count).all(|at| part.row(at) == all.row(begin + at)), "the part of the whole");
        begin += count;
        largest = largest.max(count);
    }
    assert_eq!(begin, all.len());
    largest
}

#[test]
fn sqlite_tables_are_cut_evenly() {
    check(Engine::Sqlite, "split");
}

#[test]
fn tables_of_the_mysql_family_are_cut_evenly() {
    check(Engine::Mariadb, "split");
}
