//! The MySQL family's engine against a real server: what is read is what is there, in the order that is
//! promised, and what is written reads back the same.

use std::sync::Arc;
use std::time::Duration;

use super::servers::{self, Database};
use trueup::engine::{self, Engine, EngineError};
use trueup::failure::ErrorKind;
use trueup::schema::{Catalog, Table};
use trueup::spec::{Place, Side, SideUrl};
use trueup::sql::{
    Column, DefaultKind, ForeignKeyAction, Generated, Identity, LiteralDefault, RowUpdate, Select,
    SelectColumn, Selection, TableDefinition, TableName,
};
use trueup::value::{Domain, Key, KeyOrder, KeyRange, Row, Type, Value, decode, encode, fields};

fn side(url: &str) -> Side {
    Side::from_url(SideUrl::parse(url, Place::START).unwrap_or_else(|why| panic!("{url}: {}", why.message)))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime can be built").block_on(future)
}

fn database(hint: &str, script: &str) -> Database {
    let database = servers::mariadb().fresh_database(hint);
    database.execute_script(script);
    database
}

async fn open(database: &Database, writable: bool) -> Arc<dyn Engine> {
    engine::connect(&side(&database.url), writable).await.unwrap_or_else(|why| panic!("{why}"))
}

async fn catalog(engine: &Arc<dyn Engine>) -> Catalog {
    engine.catalog(&[None]).await.expect("the catalog can be read")
}

fn table<'a>(catalog: &'a Catalog, name: &str) -> &'a Table {
    catalog.tables.iter().find(|table| table.name.name == name).expect("the table is in the catalog")
}

/// The domain of a column against a column of the same type.
fn own_domain(column: &Column) -> Domain {
    match &column.column_type.meaning {
        Type::Boolean => Domain::Boolean,
        Type::Integer { bytes: 8, unsigned: true } => Domain::Integer { bytes: 16 },
        Type::Integer { .. } => Domain::Integer { bytes: 8 },
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

/// Key columns, each compared with one of its own type.
fn key_parts(columns: &[Column]) -> Vec<SelectColumn> {
    let part = |column: &Column| SelectColumn { domain: own_domain(column), column: column.clone() };
    columns.iter().map(part).collect()
}

/// A read of these columns, of which the first `key_columns` are the key.
fn select_of(table: &Table, names: &[&str], key_columns: usize) -> Select {
    let columns = names.iter().map(|name| {
        let column = table.column(name).expect("the column is in the catalog").clone();
        SelectColumn { domain: own_domain(&column), column }
    });
    Select {
        table: table.name.clone(),
        columns: columns.collect(),
        key_columns,
        scope: None,
        selection: Selection::Range(KeyRange::all()),
        ordered: true,
        locked: false,
    }
}

async fn scan(engine: &Arc<dyn Engine>, select: &Select) -> Result<Vec<Row>, EngineError> {
    let snapshot = engine.snapshot().await?;
    let mut stream = snapshot.scan(select.clone()).await?;
    let mut rows = Vec::new();
    while let Some(block) = stream.next().await? {
        rows.extend(block.rows().map(Row::new));
    }
    Ok(rows)
}

fn values(select: &Select, row: &[u8]) -> Vec<Value> {
    select.columns.iter().zip(fields(row)).map(|(part, field)| decode(&part.domain, field)).collect()
}

fn all_values(select: &Select, rows: &[Row]) -> Vec<Vec<Value>> {
    rows.iter().map(|row| values(select, row.bytes())).collect()
}

fn order(select: &Select) -> KeyOrder {
    let key = select.columns[..select.key_columns].iter().map(|part| part.domain.clone());
    KeyOrder::new(key.collect::<Vec<_>>())
}

/// Types that MySQL lacks.
const MARIADB_ONLY: [&str; 2] = ["ident", "place"];

/// The table of all types that the server has; `test` for the line that says what it lacks.
fn everything(test: &str) -> String {
    let has_all = servers::runs_on(
        servers::Engine::Mariadb,
        "mariadb",
        &format!("{test}: the types uuid and inet6"),
        "it has no such types",
    );
    if has_all {
        EVERYTHING.to_owned()
    } else {
        EVERYTHING.replace("ident uuid, ", "").replace("place inet6, ", "")
    }
}

fn has_column(name: &str) -> bool {
    !MARIADB_ONLY.contains(&name) || !servers::mariadb().product.is_mysql()
}

const EVERYTHING: &str = "
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE everything (
        id bigint unsigned NOT NULL AUTO_INCREMENT,
        tiny tinyint(1) NOT NULL DEFAULT 1, small smallint unsigned, medium mediumint, whole int DEFAULT -7, big bigint,
        money decimal(12,2) DEFAULT 9.50, huge decimal(65,30), single float, twice double,
        fixed char(4), short varchar(40) COLLATE utf8mb4_general_ci NOT NULL DEFAULT 'it''s', latin varchar(10) CHARACTER SET latin1,
        exact varchar(30) COLLATE utf8mb4_nopad_bin, note text COLLATE utf8mb4_general_ci, endless longtext,
        pad binary(4), raw varbinary(40), pile longblob,
        day date, moment datetime(6), stamp timestamp(3) NULL, changed timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(),
        span time(6), doc json, ident uuid, bits bit(9), born year, colour enum('red','','it''s'), flags set('a','b','c'),
        place inet6, spot point, made bigint AS (whole + 1) VIRTUAL, kept bigint AS (whole + 2) STORED, parent int,
        PRIMARY KEY (id), UNIQUE KEY by_short (short), UNIQUE KEY by_both (big, day), UNIQUE KEY prefix (note(10)),
        KEY plain (whole), CONSTRAINT fk FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE SET NULL);
    CREATE VIEW not_a_table AS SELECT 1 AS one;";

#[test]
fn the_catalog_tells_everything() {
    let database = database("catalog", &everything("catalog"));
    block_on(async {
        let engine = open(&database, false).await;
        let catalog = catalog(&engine).await;
        assert_eq!(catalog.default_schema.as_deref(), Some(database.name.as_str()));
        let names: Vec<&str> = catalog.tables.iter().map(|table| table.name.name.as_str()).collect();
        assert_eq!(names, ["everything", "parent"]);
        let everything = table(&catalog, "everything");
        let column = |name: &str| everything.column(name).expect("the column is there");
        let meaning = |name: &str| column(name).column_type.meaning.clone();
        assert_eq!(meaning("id"), Type::Integer { bytes: 8, unsigned: true });
        assert_eq!(column("id").identity, Some(Identity::ByDefault));
        assert_eq!(column("tiny").column_type.declared, "tinyint(1)");
        assert_eq!(column("tiny").default, number("1"));
        assert_eq!(meaning("medium"), Type::Integer { bytes: 3, unsigned: false });
        assert_eq!(column("whole").default, number("-7"));
        assert_eq!(column("big").default, None);
        assert_eq!(meaning("money"), Type::Decimal { precision: Some(12), scale: Some(2) });
        assert_eq!(meaning("fixed"), Type::Text { chars_max: Some(4), fixed: true });
        let text = DefaultKind::Literal(LiteralDefault::Text("it's".to_owned()));
        assert_eq!(column("short").default, Some(text));
        assert_eq!(column("short").collation.as_deref(), Some("utf8mb4_general_ci"));
        assert_eq!(column("exact").collation, None);
        assert_eq!(column("latin").column_type.declared, "varchar(10) CHARACTER SET latin1");
        assert_eq!(meaning("raw"), Type::Bytes { bytes_max: Some(40), fixed: false });
        assert_eq!(meaning("moment"), Type::DateTime { digits: 6 });
        assert_eq!(meaning("stamp"), Type::Instant { digits: 3 });
        assert!(
            engine.dialect().rewrites_itself(column("changed"))
                && !engine.dialect().rewrites_itself(column("stamp"))
        );
        assert_eq!(meaning("span"), Type::Time { digits: 6 });
        let mysql = servers::mariadb().product.is_mysql();
        assert_eq!(meaning("doc"), if mysql { Type::Json } else { Type::JsonText });
        assert!(mysql || meaning("ident") == Type::Uuid);
        assert_eq!(meaning("bits"), Type::Bits { length: 9 });
        assert_eq!(meaning("born"), Type::Year);
        let words = |words: &[&str]| words.iter().map(|word| word.to_string()).collect::<Vec<_>>();
        assert_eq!(meaning("colour"), Type::Enum { members: words(&["red", "", "it's"]) });
        assert_eq!(meaning("flags"), Type::Set { members: words(&["a", "b", "c"]) });
        assert!(mysql || meaning("place") == Type::Address { v4: false, v6: true, prefix: false });
        assert_eq!(meaning("spot"), Type::Other);
        assert_eq!(column("made").generated, Some(Generated::Virtual));
        assert_eq!(column("kept").generated, Some(Generated::Stored));
        assert!(!column("short").nullable && column("note").nullable);
        let keys: Vec<(&str, bool, bool)> =
            everything.keys.iter().map(|key| (key.name.as_str(), key.primary, key.total)).collect();
        assert_eq!(keys, [("PRIMARY", true, true), ("by_both", false, false), ("by_short", false, true)]);
        assert_eq!(everything.keys[1].columns, ["big", "day"]);
        let foreign = &everything.foreign_keys[0];
        assert_eq!((foreign.name.as_str(), foreign.table.name.as_str()), ("fk", "parent"));
        assert_eq!(
            (foreign.on_delete, foreign.on_update),
            (ForeignKeyAction::Cascade, ForeignKeyAction::SetNull)
        );
    });
}

fn number(text: &str) -> Option<DefaultKind> {
    Some(DefaultKind::Literal(LiteralDefault::Number(text.to_owned())))
}

/// Columns of `everything` that can be written, each with values at its edges.
fn edges() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut edges = vec![
        ("tiny", vec!["0", "1", "-128", "127"]),
        ("small", vec!["0", "65535", "NULL"]),
        ("medium", vec!["-8388608", "8388607", "NULL"]),
        ("whole", vec!["-2147483648", "2147483647", "NULL"]),
        ("big", vec!["-9223372036854775808", "9223372036854775807", "4294967296", "1"]),
        ("money", vec!["9.50", "-9.50", "0.00", "-9999999999.99", "NULL"]),
        (
            "huge",
            vec![
                "99999999999999999999999999999999999.999999999999999999999999999999",
                "0.000000000000000000000000000001",
            ],
        ),
        ("single", vec!["1.234567", "1.234569", "0e0", "3.4028234e38", "1.4e-45", "NULL"]),
        ("twice", vec!["0.1e0+0.2e0", "0.3", "0e0", "1.7976931348623157e308", "5e-324"]),
        ("fixed", vec!["''", "'ab'", "'é🦀'", "NULL"]),
        ("latin", vec!["'é€'", "''"]),
        ("exact", vec!["'a'", "'a '", "'A'"]),
        (
            "note",
            vec!["''", "'NULL'", "'a\\b''\"`'", "_utf8mb4 x'00'", "_utf8mb4 x'0a0d1a'", "'é🦀'", "NULL"],
        ),
        ("endless", vec!["repeat('x', 300000)", "NULL"]),
        ("pad", vec!["x'61000000'", "x'ffffffff'"]),
        ("raw", vec!["x''", "x'00ff27'", "NULL"]),
        ("pile", vec!["repeat(x'00', 100000)", "x''"]),
        ("day", vec!["'0000-00-00'", "'2024-02-00'", "'2024-02-31'", "'1000-01-01'", "'9999-12-31'", "NULL"]),
        (
            "moment",
            vec!["'0000-00-00 00:00:00'", "'9999-12-31 23:59:59.999999'", "'1970-01-01 00:00:00.000001'"],
        ),
        (
            "stamp",
            vec!["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.999'", "'0000-00-00 00:00:00'", "NULL"],
        ),
        ("span", vec!["'-838:59:59'", "'838:59:59.000001'", "'-00:00:00.000001'", "'00:00:00'"]),
        ("doc", vec!["'{\"b\": 1, \"a\": [1.0, 12345678901234567890]}'", "'null'", "NULL"]),
        ("ident", vec!["'00112233-4455-6677-8899-aabbccddeeff'", "'FFFFFFFF-ffff-ffff-ffff-ffffffffffff'"]),
        ("bits", vec!["b'0'", "b'111111111'"]),
        ("born", vec!["'0000'", "2155", "1901"]),
        ("colour", vec!["'red'", "''", "'it''s'", "NULL"]),
        ("flags", vec!["''", "'a,c'", "NULL"]),
        ("place", vec!["'::1'", "'2001:db8::ff00:42:8329'"]),
        ("spot", vec!["ST_GeomFromText('POINT(1.1 -2.5)', 4326)", "NULL"]),
    ];
    edges.retain(|(name, _)| has_column(name));
    if servers::mariadb().product.is_mysql() {
        // Its TIME ends at the whole second.
        let span = edges.iter_mut().find(|(name, _)| *name == "span").expect("it is above");
        span.1.retain(|value| *value != "'838:59:59.000001'");
        span.1.push("'838:59:59'");
    }
    edges
}

/// One row for each edge of each column.
fn edge_rows() -> String {
    let mut script = everything("edges of values");
    let mut id = 0_u64;
    for (column, values) in edges() {
        for value in values {
            script.push_str(&format!(
                "SET sql_mode = 'STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_BACKSLASH_ESCAPES', time_zone = '+00:00';
                 INSERT INTO everything (id, short, {column}) VALUES ({id}, 'row {id}', {value});\n"
            ));
            id += 1;
        }
    }
    script
}

fn edge_columns() -> Vec<&'static str> {
    let names = edges().into_iter().map(|(name, _)| name);
    ["id", "short"].into_iter().chain(names).collect()
}

/// What the server says of the rows, by means that no code of ours takes part in.
fn server_side(database: &Database, table: &str) -> Vec<Vec<Option<String>>> {
    let columns: Vec<String> = edge_columns()
        .iter()
        .map(|name| match *name {
            "single" | "twice" => {
                format!("hex(cast(format({name}, 30) AS binary))")
            }
            "spot" => "hex(spot)".to_owned(),
            _ => format!("hex(cast({name} AS binary))"),
        })
        .collect();
    database.query(&format!(
        "SET time_zone = '+00:00'; SELECT {}, changed FROM {table} ORDER BY id",
        columns.join(", ")
    ))
}

#[test]
fn every_type_is_read_and_written_back_the_same() {
    let database = database("round trip", &edge_rows());
    database.execute_script(
        "CREATE TABLE copied LIKE everything; CREATE TABLE changed LIKE everything;
         INSERT INTO changed (id, short, changed) SELECT id, short, '2001-01-01' FROM everything;",
    );
    block_on(async {
        let engine = open(&database, true).await;
        let catalog = catalog(&engine).await;
        let everything = table(&catalog, "everything");
        let select = select_of(everything, &edge_columns(), 1);
        let rows = scan(&engine, &select).await.expect("all rows can be read");
        let values = all_values(&select, &rows);
        assert_eq!(values.len(), edges().iter().map(|(_, values)| values.len()).sum::<usize>());
        for (row, values) in rows.iter().zip(&values) {
            let mut again = Vec::new();
            for (part, value) in select.columns.iter().zip(values) {
                encode(&mut again, &part.domain, value).expect("a value that was read can be encoded");
            }
            assert_eq!(row.bytes(), again.as_slice(), "{values:?}");
        }
        let floats: Vec<String> = column_values(&select, &values, "single");
        assert_eq!(floats[..3], ["Float32(1.234567)", "Float32(1.234569)", "Float32(0.0)"]);
        let floats: Vec<String> = column_values(&select, &values, "twice");
        assert_eq!(floats[..3], ["Float64(0.30000000000000004)", "Float64(0.3)", "Float64(0.0)"]);
        write_copies(&engine, &select, &values).await;
        for name in ["copied", "changed"] {
            let mut copy = select.clone();
            copy.table.name = name.to_owned();
            let again = scan(&engine, &copy).await.expect("the copy can be read");
            assert_eq!(all_values(&copy, &again), values, "{name}");
            assert!(again == rows, "{name} is the same to the byte");
        }
    });
    let without_time = |table: &str| -> Vec<Vec<Option<String>>> {
        server_side(&database, table)
            .into_iter()
            .map(|mut row| {
                row.pop();
                row
            })
            .collect()
    };
    assert_eq!(without_time("copied"), without_time("everything"));
    assert_eq!(without_time("changed"), without_time("everything"));
    let kept = database.query("SELECT count(*) FROM changed WHERE changed <> '2001-01-01'");
    assert_eq!(kept, [[Some("0".to_owned())]], "ON UPDATE CURRENT_TIMESTAMP did not act");
}

fn column_values(select: &Select, values: &[Vec<Value>], name: &str) -> Vec<String> {
    let at = select.columns.iter().position(|part| part.column.name == name).expect("it is read");
    values
        .iter()
        .map(|row| &row[at])
        .filter(|value| !value.is_null())
        .map(|value| format!("{value:?}"))
        .collect()
}

/// Inserts all rows into `copied`, and updates those of `changed` to be the same.
async fn write_copies(engine: &Arc<dyn Engine>, select: &Select, values: &[Vec<Value>]) {
    let columns: Vec<Column> = select.columns.iter().map(|part| part.column.clone()).collect();
    let mut copied = select.table.clone();
    copied.name = "copied".to_owned();
    let inserts = engine.dialect().insert(&copied, &columns, values).expect("what was read can be written");
    let mut changed = select.table.clone();
    changed.name = "changed".to_owned();
    let keep = Column {
        name: "changed".to_owned(),
        default: Some(DefaultKind::Expression("x ON UPDATE current_timestamp()".to_owned())),
        ..columns[0].clone()
    };
    // Natives are updated row by row, all others in one statement: both ways are taken here.
    let (joined, native): (Vec<usize>, Vec<usize>) = (2..columns.len()).partition(|at| {
        let meaning = &columns[*at].column_type.meaning;
        !matches!(own_domain(&columns[*at]), Domain::Native | Domain::Bits | Domain::Address)
            && !matches!(meaning, Type::Enum { .. } | Type::Set { .. } | Type::Year)
    });
    let updates = |wanted: &[usize]| {
        let rows = values.iter().map(|row| RowUpdate {
            key: row[..1].to_vec(),
            values: wanted.iter().map(|at| row[*at].clone()).collect(),
        });
        let rows: Vec<RowUpdate> = rows.collect();
        let wanted: Vec<Column> = wanted.iter().map(|at| columns[*at].clone()).collect();
        let keep = std::slice::from_ref(&keep);
        let updates =
            engine.dialect().update_keeping(&changed, &key_parts(&columns[..1]), &wanted, keep, &rows);
        updates.expect("what was read can be written")
    };
    let (joined, native) = (updates(&joined), updates(&native));
    assert!(joined.len() < 8 && native.len() == values.len(), "{} statements", joined.len());
    let mut writer = engine.writer().await.expect("a writer");
    writer.begin().await.expect("a transaction");
    for (statements, what) in [(inserts, "insert"), (joined, "update"), (native, "update of natives")] {
        let mut matched = 0;
        for sql in &statements {
            matched += writer.execute(sql).await.unwrap_or_else(|why| panic!("{what}: {why}\n{:.3000}", sql));
        }
        assert_eq!(matched, values.len() as u64, "{what}");
    }
    writer.commit().await.expect("a commit");
}

/// Keys that collations confuse: case, accents, padding, controls, beyond the basic plane.
const HOSTILE_TEXT: [&str; 16] = [
    "''",
    "' '",
    "'a'",
    "'A'",
    "'a '",
    "'a  b'",
    "'b'",
    "'á'",
    "'ä'",
    "'ß'",
    "'ss'",
    "'Z'",
    "_utf8mb4 x'6109'",
    "_utf8mb4 x'61c285'",
    "_utf8mb4 x'f09fa680'",
    "_utf8mb4 x'efbfbd'",
];

/// Key columns of each kind, and values in no order.
fn hostile_keys() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut keys = vec![
        ("varchar(20) COLLATE utf8mb4_bin", HOSTILE_TEXT.into()),
        ("varchar(20) COLLATE utf8mb4_nopad_bin", HOSTILE_TEXT.into()),
        (
            "varchar(20) COLLATE utf8mb4_unicode_ci",
            vec!["'a'", "'b'", "'Z'", "'ö'", "''", "_utf8mb4 x'f09fa680'"],
        ),
        (
            "varchar(20) COLLATE utf8mb4_general_ci",
            vec!["'z'", "'Ö'", "'B'", "'c'", "'A'", "_utf8mb4 x'efbfbd'"],
        ),
        ("varchar(20) CHARACTER SET latin1", vec!["'z'", "'é'", "'B'", "'€'", "'ÿ'"]),
        ("char(9) COLLATE utf8mb4_nopad_bin", vec!["'a'", "'b'", "'A'", "''", "_utf8mb4 x'6109'", "'a!'"]),
        ("int", vec!["0", "-1", "2147483647", "-2147483648", "5"]),
        ("bigint unsigned", vec!["0", "18446744073709551615", "9223372036854775808", "9223372036854775807"]),
        (
            "uuid",
            vec![
                "'00112233-4455-6677-8899-aabbccddeeff'",
                "'ff000000-0000-1000-8000-000000000000'",
                "'0f000000-0000-7000-8000-0000000000ff'",
                "'0e000000-0000-1fff-8000-0000000000fe'",
            ],
        ),
        ("date", vec!["'2024-02-29'", "'0000-00-00'", "'1000-01-01'", "'9999-12-31'"]),
        (
            "datetime(6)",
            vec![
                "'2024-02-29 00:00:00.000001'",
                "'0000-00-00'",
                "'2024-02-29'",
                "'9999-12-31 23:59:59.999999'",
            ],
        ),
        ("timestamp", vec!["'2038-01-19 03:14:07'", "'1970-01-01 00:00:01'", "'0000-00-00'", "'2001-01-01'"]),
        ("time", vec!["'-838:59:59'", "'00:00:00'", "'838:59:59'", "'-00:00:01'"]),
        ("varbinary(20)", vec!["x''", "x'00'", "x'0000'", "x'ff'", "x'61'", "x'6100'"]),
        ("binary(3)", vec!["x'000000'", "x'ff0000'", "x'610000'", "x'61ff00'"]),
    ];
    let why = "it has no such type";
    if !servers::runs_on(servers::Engine::Mariadb, "mariadb", "hostile keys: the type uuid", why) {
        keys.retain(|(declared, _)| *declared != "uuid");
    }
    keys
}

fn range_of(select: &Select, from: Option<Key>, to: Option<Key>) -> Select {
    Select { selection: Selection::Range(KeyRange { from, to }), ..select.clone() }
}

#[test]
fn hostile_keys_come_in_the_common_order() {
    let mut script = String::from(
        "SET sql_mode = 'ALLOW_INVALID_DATES,NO_BACKSLASH_ESCAPES'; SET time_zone = '+00:00';\n",
    );
    for (at, (declared, values)) in hostile_keys().iter().enumerate() {
        let unique =
            if declared.contains("_bin") && !declared.contains("nopad") { "" } else { ", UNIQUE (k)" };
        script.push_str(&format!("CREATE TABLE k{at} (k {declared} NOT NULL, n int{unique});\n"));
        for (n, value) in values.iter().enumerate() {
            script.push_str(&format!("INSERT INTO k{at} VALUES ({value}, {n});\n"));
        }
    }
    let database = database("hostile keys", &script);
    block_on(async {
        let engine = open(&database, false).await;
        let catalog = catalog(&engine).await;
        for (at, (declared, expected)) in hostile_keys().iter().enumerate() {
            let select = select_of(table(&catalog, &format!("k{at}")), &["k", "n"], 1);
            let rows = scan(&engine, &select).await.unwrap_or_else(|why| panic!("{declared}: {why}"));
            assert_eq!(rows.len(), expected.len(), "{declared}");
            check_ranges(&engine, &select, &rows, declared).await;
        }
    });
}

/// Rows in order, and every range and list of keys equal to the filtered whole.
async fn check_ranges(engine: &Arc<dyn Engine>, select: &Select, rows: &[Row], what: &str) {
    let order = order(select);
    for pair in rows.windows(2) {
        assert!(order.compare(pair[0].bytes(), pair[1].bytes()).is_lt(), "{what}: {pair:?}");
    }
    let keys: Vec<Key> = rows.iter().map(|row| order.key_of(row.bytes())).collect();
    let snapshot = engine.snapshot().await.expect("a snapshot");
    for from in 0..keys.len() {
        let to = (from + 2).min(keys.len() - 1);
        let range = KeyRange { from: Some(keys[from].clone()), to: Some(keys[to].clone()) };
        for range in [range.clone(), KeyRange { from: None, ..range.clone() }, KeyRange { to: None, ..range }]
        {
            let mut part = select.clone();
            part.selection = Selection::Range(range.clone());
            let found = collect(snapshot.scan(part).await.expect("a scan")).await;
            let expected: Vec<Row> =
                rows.iter().filter(|row| order.contains(&range, row.bytes())).cloned().collect();
            assert!(
                found.as_ref().is_ok_and(|found| *found == expected),
                "{what}: range from {from}: {found:?}"
            );
        }
        let mut one = select.clone();
        one.selection = Selection::Keys(vec![keys[from].clone(), keys[to].clone()]);
        let found = collect(snapshot.scan(one).await.expect("a scan")).await.expect("the rows of two keys");
        assert_eq!(found.len(), if from == to { 1 } else { 2 }, "{what}: key {from}");
    }
}

async fn collect(mut stream: engine::RowStream) -> Result<Vec<Row>, EngineError> {
    let mut rows = Vec::new();
    while let Some(block) = stream.next().await? {
        rows.extend(block.rows().map(Row::new));
    }
    Ok(rows)
}

#[test]
fn ranges_of_composite_keys_are_exact_and_use_the_index() {
    let mut script = String::from(
        "CREATE TABLE pairs (a int, b varchar(10) COLLATE utf8mb4_general_ci, c int, v int, PRIMARY KEY (a, b, c));
         CREATE TABLE large (a int, b bigint, c int, v char(100), PRIMARY KEY (a, b, c));
         INSERT INTO large SELECT seq DIV 100, seq % 100, 7, repeat('v', 100) FROM seq_1_to_20000;\n",
    );
    for (a, b, c) in
        [(-1, "B", 1), (-1, "a", 2), (0, "Z", 1), (0, "z z", -5), (0, "z z", 5), (3, "", 0), (3, "ä", 0)]
    {
        script.push_str(&format!("INSERT INTO pairs VALUES ({a}, '{b}', {c}, 1);\n"));
    }
    script.push_str("ANALYZE TABLE large;");
    let database = database("composites", &script);
    let sql = block_on(async {
        let engine = open(&database, false).await;
        let catalog = catalog(&engine).await;
        let select = select_of(table(&catalog, "pairs"), &["a", "b", "c", "v"], 3);
        let rows = scan(&engine, &select).await.expect("all pairs");
        check_ranges(&engine, &select, &rows, "pairs").await;
        let select = select_of(table(&catalog, "large"), &["a", "b", "c", "v"], 3);
        let rows = scan(&engine, &select).await.expect("all rows");
        let (from, to) = (&rows[10_000], &rows[10_250]);
        let order = order(&select);
        let part = range_of(&select, Some(order.key_of(from.bytes())), Some(order.key_of(to.bytes())));
        let found = scan(&engine, &part).await.expect("a part");
        assert!(found == rows[10_000..10_250]);
        let keys = rows[5_000..5_300].iter().map(|row| order.key_of(row.bytes())).collect();
        let some = Select { selection: Selection::Keys(keys), ..select };
        [engine.dialect().select(&part), engine.dialect().select(&some)]
    });
    for sql in sql {
        // MySQL has the column `partitions` more, in the fourth place.
        let (explain, more) = match servers::mariadb().product.is_mysql() {
            true => ("EXPLAIN FORMAT=TRADITIONAL", 1),
            false => ("EXPLAIN", 0),
        };
        let plan = database.query(&format!("{explain} {sql}"));
        let (kind, key, rows) = (&plan[0][3 + more], &plan[0][5 + more], &plan[0][8 + more]);
        assert_eq!((kind.as_deref(), key.as_deref()), (Some("range"), Some("PRIMARY")), "{plan:?}");
        let rows: u64 = rows.as_deref().and_then(|rows| rows.parse().ok()).expect("an estimate");
        assert!(rows < 1_000, "{rows} rows for 250: {sql:.300}");
    }
}

/// Runs a script from a thread of its own: the harness drives the client by itself.
fn elsewhere(database: &Database, script: &str) {
    std::thread::scope(|scope| scope.spawn(|| database.execute_script(script)).join().expect("it ran"));
}

#[test]
fn a_snapshot_is_one_moment_and_survives_a_dropped_stream() {
    let database = database(
        "moment",
        "CREATE TABLE many (id int PRIMARY KEY, v varchar(200)) AS SELECT seq AS id, repeat('x', 150) AS v FROM seq_1_to_100000;",
    );
    block_on(async {
        let engine = open(&database, false).await;
        let catalog = catalog(&engine).await;
        let select = select_of(table(&catalog, "many"), &["id", "v"], 1);
        let snapshot = engine.snapshot().await.expect("a snapshot");
        elsewhere(&database, "INSERT INTO many VALUES (0, 'later'); DELETE FROM many WHERE id = 7;");
        let mut stream = snapshot.scan(select.clone()).await.expect("a scan");
        let first = stream.next().await.expect("a block").expect("rows");
        assert!(first.len() < 10_000, "blocks are small");
        drop(stream);
        let rows = collect(snapshot.scan(select.clone()).await.expect("a scan")).await.expect("all rows");
        assert_eq!(rows.len(), 100_000, "the same moment, after a stream was dropped");
        assert_eq!(values(&select, rows[0].bytes())[0], Value::Integer(1));
        drop(snapshot);
        assert_eq!(scan(&engine, &select).await.expect("a new moment").len(), 100_000);
        let snapshot = engine.snapshot().await.expect("a snapshot");
        elsewhere(&database, "ALTER TABLE many ADD COLUMN w int DEFAULT 3, FORCE;");
        let changed = collect(snapshot.scan(select).await.expect("a scan")).await;
        assert_eq!(changed.map(|_| ()).map_err(|why| why.kind), Err(ErrorKind::Changed));
    });
}

#[test]
fn connecting_says_what_is_wrong_and_never_the_password() {
    let database = database("messages", "CREATE TABLE t (id int);");
    let address = &servers::mariadb().address;
    let role = database.limited_role("GRANT SELECT ON t TO {role};");
    let refused = address.url(&database.name).replace(&format!(":{}/", address.port), ":1/");
    let unknown =
        address.url(&database.name).replace(&format!("@{}:", address.host), "@no-such-host.invalid:");
    let mut cases = vec![
        (
            address.url_as(&address.user, "S3cret!wrong", &database.name),
            ErrorKind::Connect,
            "refused the user",
        ),
        (address.url("no_such_database"), ErrorKind::Connect, "the database does not exist"),
        (refused, ErrorKind::Connect, "nothing listens there"),
        (unknown, ErrorKind::Connect, "host name is unknown"),
        (role.replace(&database.name, "mysql"), ErrorKind::Permission, "may not use this database"),
    ];
    if servers::mariadb().is_private() {
        cases.push((format!("{}?ssl-mode=REQUIRED", database.url), ErrorKind::Connect, "TLS"));
    } else {
        let why = "the harness does not know whether a given server has TLS";
        servers::not_run(servers::Engine::Mariadb, "connecting to a server without TLS", why);
    }
    block_on(async {
        for (url, kind, words) in cases {
            let why = engine::connect(&side(&url), false).await.expect_err("no connection");
            let text = format!("{why} {why:?}");
            assert_eq!(why.kind, kind, "{text}");
            assert!(text.contains(words) && why.hint.is_some(), "{text}");
            assert!(!text.contains("S3cret!wrong") && !text.contains(&address.password), "{text}");
        }
    });
}

#[test]
fn rights_that_are_missing_are_errors_that_say_which() {
    let database = database("rights", "CREATE TABLE seen (a int, b int); CREATE TABLE hidden (a int);");
    let url = database.limited_role("GRANT SELECT (a) ON seen TO {role};");
    block_on(async {
        let engine = engine::connect(&side(&url), false).await.expect("a connection");
        let catalog = catalog(&engine).await;
        let seen = table(&catalog, "seen");
        assert!(seen.hidden_rows.is_some());
        assert_eq!(catalog.tables.len(), 1);
        let mut select = select_of(seen, &["a"], 1);
        select.columns[0].column.name = "b".to_owned();
        let why = scan(&engine, &select).await.expect_err("b may not be read");
        assert_eq!(why.kind, ErrorKind::Permission);
        assert!(why.to_string().contains("seen"), "{why}");
        assert!(why.hint.is_some());
    });
}

#[test]
fn what_only_reads_cannot_write() {
    let database = database("read only", "CREATE TABLE t (id int PRIMARY KEY);");
    block_on(async {
        let engine = open(&database, false).await;
        let why = engine.writer().await.err().expect("no writer");
        assert_eq!(why.kind, ErrorKind::Permission);
        assert_eq!(engine.server().read_only, None);
        assert!(engine.server().version.starts_with(char::is_numeric));
        assert!(!engine.server().identity.contains(&servers::mariadb().address.password));
        let again = open(&database, true).await;
        assert_eq!(again.server().identity, engine.server().identity);
    });
}

#[test]
fn one_writer_at_a_time() {
    let database = database("lock", "CREATE TABLE t (id int PRIMARY KEY);");
    block_on(async {
        let engine = open(&database, true).await;
        let mut first = engine.writer().await.expect("a writer");
        first.lock(Duration::ZERO).await.expect("the lock");
        let mut second = engine.writer().await.expect("another writer");
        let why = second.lock(Duration::from_millis(50)).await.expect_err("it is taken");
        assert_eq!(why.kind, ErrorKind::Locked);
        assert!(why.message.contains("connection ") && why.message.contains("trueup"), "{why}");
        drop(first);
        second.lock(Duration::from_secs(10)).await.expect("it is free again");
    });
}

#[test]
fn writing_is_exact_or_an_error() {
    let database = database(
        "writing",
        "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, name varchar(5) COLLATE utf8mb4_general_ci UNIQUE, n int NOT NULL);
         CREATE TABLE child (id int PRIMARY KEY, t int, CONSTRAINT to_t FOREIGN KEY (t) REFERENCES t (id));
         CREATE TABLE words (word varchar(20) COLLATE utf8mb4_bin, v int);
         INSERT INTO words VALUES ('a', 1), ('a ', 2), ('A', 3);",
    );
    block_on(async {
        let engine = open(&database, true).await;
        let catalog = catalog(&engine).await;
        let dialect = engine.dialect();
        let t = table(&catalog, "t");
        let rows = vec![
            vec![Value::Integer(0), Value::Text("zero".to_owned()), Value::Integer(1)],
            vec![Value::Integer(-5), Value::Null, Value::Integer(2)],
        ];
        let mut writer = engine.writer().await.expect("a writer");
        writer.begin().await.expect("a transaction");
        for sql in dialect.insert(&t.name, &t.columns, &rows).expect("writable") {
            assert_eq!(writer.execute(&sql).await.expect("an insert"), 2);
        }
        let mut select = select_of(t, &["id", "name", "n"], 1);
        let zero = RowUpdate { key: vec![Value::Integer(0)], values: vec![Value::Integer(1)] };
        let updates =
            dialect.update(&t.name, &key_parts(&t.columns[..1]), &t.columns[2..], &[zero]).expect("writable");
        assert_eq!(
            writer.execute(&updates[0]).await.expect("an update"),
            1,
            "matched, though nothing changed"
        );
        select.locked = true;
        let read = writer.read(&select).await.expect("a read under lock");
        let read: Vec<Vec<Value>> = read.rows().map(|row| values(&select, row)).collect();
        assert_eq!(read, [rows[1].clone(), rows[0].clone()], "id 0 stays 0");
        for (sql, words) in [
            ("INSERT INTO t (id, name, n) VALUES (9, 'ZERO', 1)", "name`"),
            ("INSERT INTO t (id, name, n) VALUES (9, 'too long', 1)", "`name`"),
            ("INSERT INTO t (id, n) VALUES (9, 99999999999)", "`n`"),
            ("INSERT INTO t (id, n) VALUES (9, NULL)", "`n`"),
            ("INSERT INTO t (id, n) VALUES (9, 'word')", "`n`"),
            ("INSERT INTO child VALUES (1, 77)", "`to_t`"),
        ] {
            let why = writer.execute(sql).await.expect_err(sql);
            assert_eq!(why.kind, ErrorKind::Value, "{sql}: {why}");
            assert!(why.message.contains(words), "{sql}: {}", why.message);
            assert!(!why.message.contains("ZERO") && !why.message.contains("word"), "{}", why.message);
        }
        writer.rollback().await.expect("a rollback");
        let words = table(&catalog, "words");
        writer.begin().await.expect("a transaction");
        let key = vec![vec![Value::Text("a".to_owned())]];
        let delete = dialect.delete(&words.name, &key_parts(&words.columns[..1]), &key).expect("writable");
        assert_eq!(writer.execute(&delete[0]).await.expect("a delete"), 1, "only 'a' itself");
        let updates: Vec<RowUpdate> = [("a ", 20), ("A", 30)]
            .map(|(word, v)| RowUpdate {
                key: vec![Value::Text(word.to_owned())],
                values: vec![Value::Integer(v)],
            })
            .into();
        let update =
            dialect.update(&words.name, &key_parts(&words.columns[..1]), &words.columns[1..], &updates);
        assert_eq!(writer.execute(&update.expect("writable")[0]).await.expect("an update"), 2);
        writer.commit().await.expect("a commit");
        drop(writer);
    });
    let left = database.query("SELECT concat('<', word, '>'), v FROM words ORDER BY v");
    let left: Vec<Vec<&str>> =
        left.iter().map(|row| row.iter().flatten().map(String::as_str).collect()).collect();
    assert_eq!(left, [["<a >", "20"], ["<A>", "30"]]);
    assert_eq!(database.query("SELECT count(*) FROM t"), [[Some("0".to_owned())]], "rolled back");
}

/// Found with MySQL 9: what the server keeps as text it parses in the session's mode, and what the catalog prints
/// has backslashes in every mode.
#[test]
fn quotes_and_backslashes_in_the_structure_are_kept() {
    let database = database(
        "structure",
        "SET sql_mode = '';
         CREATE TABLE quoted (id int PRIMARY KEY, a text DEFAULT ('it\\'s \\\\ x'), b varchar(9) DEFAULT 'it\\'s \\\\',
             c varchar(20) AS (concat(id, 'x\\'y')) STORED, d enum('a\\\\b', 'it''s') DEFAULT 'a\\\\b', e varchar(9) DEFAULT 'b\\'',
             f bit(3) DEFAULT b'101', g binary(2) DEFAULT 'a', h varbinary(4) DEFAULT x'00ff');
         INSERT INTO quoted (id) VALUES (1), (2);",
    );
    block_on(async {
        let engine = open(&database, true).await;
        let catalog = catalog(&engine).await;
        let quoted = table(&catalog, "quoted");
        let literal = |name: &str| match quoted.column(name).and_then(|column| column.default.clone()) {
            Some(DefaultKind::Literal(LiteralDefault::Text(text))) => Some(text),
            _ => None,
        };
        assert_eq!(literal("b").as_deref(), Some("it's \\"));
        assert_eq!(literal("d").as_deref(), Some("a\\b"));
        assert_eq!(literal("e").as_deref(), Some("b'"));
        let select = select_of(quoted, &["id", "a", "b", "c", "d", "e"], 1);
        let rows = scan(&engine, &select).await.expect("defaults and generated columns with quotes");
        assert_eq!(rows.len(), 2);
        let copy = TableDefinition {
            name: TableName::qualified(&database.name, "copied"),
            columns: ["id", "b", "d", "e"]
                .map(|name| quoted.column(name).expect("it is there").clone())
                .into(),
            primary_key: vec!["id".to_owned()],
            primary_key_name: None,
            options: None,
        };
        let mut writer = engine.writer().await.expect("a writer");
        writer.execute(&engine.dialect().create_table(&copy)).await.expect("the table is made");
    });
    database
        .execute_script("INSERT INTO copied (id) VALUES (1); INSERT INTO copied VALUES (2, '', 'it''s', '')");
    let differ = "SELECT count(*) FROM copied JOIN quoted USING (id) \
                  WHERE id = 1 AND (copied.b, copied.e) = (quoted.b, quoted.e) AND copied.d = concat('a', char(92), 'b')";
    assert_eq!(database.query(differ), [[Some("1".to_owned())]]);
}

#[test]
fn a_value_outside_the_domain_names_its_place() {
    let database = database(
        "domain",
        "CREATE TABLE t (id int PRIMARY KEY, flag tinyint(1)); INSERT INTO t VALUES (1, 1), (2, 2);",
    );
    block_on(async {
        let engine = open(&database, false).await;
        let catalog = catalog(&engine).await;
        let mut select = select_of(table(&catalog, "t"), &["id", "flag"], 1);
        select.columns[1].domain = Domain::Boolean;
        let why = scan(&engine, &select).await.expect_err("2 is no boolean");
        assert_eq!(why.kind, ErrorKind::Value);
        assert!(why.message.contains(".t, column flag") && why.to_string().contains("id = 2"), "{why}");
        select.columns[1].domain = Domain::Date;
        assert_eq!(scan(&engine, &select).await.expect_err("no date").kind, ErrorKind::Type);
    });
}
