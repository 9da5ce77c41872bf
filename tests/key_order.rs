//! Keys of every order class on every engine: rows come in the order of `KeyOrder`, ranges and lists of keys find
//! exactly the rows that it says, also where a bound is a value that the column cannot hold, and a change by key
//! hits its row and no other. Rows are NULL, hostile and random; no index is unique, so that what an engine holds
//! equal (1.0 and 1.00, −0.0 and 0.0, `a` and `A`) stands beside itself.

use std::collections::HashSet;
use std::sync::Arc;

use trueup::engine::connect;
use trueup::spec::{Place, Side, SideUrl};
use trueup::sql::{Column, RowUpdate, Select, SelectColumn, Selection};
use trueup::value::{Date, Decimal, Domain, Key, KeyOrder, KeyRange, RowBlock, StorageClass, Value, encode};

use crate::servers::{Database, Engine, not_run, open};

type Connected = Arc<dyn trueup::engine::Engine>;

/// A column that is a key, or a part of one.
#[derive(Clone)]
struct Part {
    declared: String,
    domain: Domain,
    /// What to store, as far as the column takes it, and to cut ranges at.
    values: Vec<Value>,
    /// Whether the engine can index it.
    indexed: bool,
}

fn part(declared: &str, domain: Domain, values: Vec<Value>) -> Part {
    Part { declared: declared.to_owned(), domain, values, indexed: true }
}

fn without_index(part: Part) -> Part {
    Part { indexed: false, ..part }
}

/// A small generator, so that a failure comes again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

fn decimal(text: &str) -> Value {
    Value::Decimal(Decimal::parse(text).unwrap_or_else(|_| panic!("{text} is a decimal")))
}

fn decimals() -> Vec<Value> {
    let mut values: Vec<Value> = [
        "NaN",
        "Infinity",
        "-Infinity",
        "0",
        "0.0",
        "0.000",
        "1",
        "1.0",
        "1.00",
        "-1",
        "-1.0",
        "1.5",
        "-1.5",
        "0.5",
        "-0.5",
        "9999",
        "10000",
        "10001",
        "9999.9999",
        "10000.0001",
        "-10000.0001",
        "0.0001",
        "0.00001",
        "-0.00001",
        "123.4567",
        "9.50",
        "-9.50",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "9007199254740993",
        "9007199254740992",
        "-9007199254740993",
        "9007199254740993.5",
        "1234567890123456780",
        "1234567890123456800",
        "0.1",
        "0.3",
        "0.30000000000000004",
        "0.1234567890123456789",
        "99999999.9999",
        "-99999999.9999",
        "1e30",
        "-1e30",
        "1e70",
        "-1e70",
        "1e-30",
        "1e400",
        "-1e400",
        "4.9e-324",
    ]
    .into_iter()
    .map(decimal)
    .collect();
    let mut random = Random(7);
    for _ in 0..60 {
        let digits = random.next() % 10_u64.pow(1 + random.below(17) as u32);
        let sign = if random.below(2) == 0 { "-" } else { "" };
        values.push(decimal(&format!("{sign}{digits}e-{}", random.below(9))));
    }
    values
}

/// Of the many texts for a number the one that a script can find.
fn trimmed(values: Vec<Value>) -> Vec<Value> {
    let trimmed = |value| match value {
        Value::Decimal(number) => Value::Decimal(number.trimmed()),
        value => value,
    };
    values.into_iter().map(trimmed).collect()
}

fn doubles() -> Vec<Value> {
    let mut values = vec![
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.1,
        0.1 + 0.2,
        0.3,
        1.5,
        5e-324,
        -5e-324,
        f64::MIN_POSITIVE,
        f64::MAX,
        f64::MIN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        9_007_199_254_740_992.0,
        1e15,
        1e16,
        -1e16,
        1e-7,
        123_456_789.125,
        2e9,
    ];
    let mut random = Random(11);
    values.extend((0..60).map(|_| f64::from_bits(random.next())).filter(|number| !number.is_nan()));
    values.into_iter().map(Value::Float64).collect()
}

fn singles() -> Vec<Value> {
    let mut values = vec![
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.1,
        0.3,
        1.5,
        1e-45,
        -1e-45,
        f32::MIN_POSITIVE,
        f32::MAX,
        f32::MIN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        16_777_216.0,
        1.234_567,
        1.234_569,
        1e10,
        1e-10,
    ];
    let mut random = Random(13);
    values.extend((0..60).map(|_| f32::from_bits(random.next() as u32)).filter(|number| !number.is_nan()));
    values.into_iter().map(Value::Float32).collect()
}

fn texts() -> Vec<Value> {
    let mut values: Vec<String> = [
        "", " ", "  ", "a", "A", "a ", "A ", "á", "Á", "a\u{301}", "ä", "Ä", "ae", "æ", "ß", "ss", "SS", "é",
        "e", "i", "I", "ı", "İ", "ﬀ", "ff", "～", "\u{ffff}", "🦀", "a\0", "a\0b", "\u{1}", "\t", "a\tb",
        "a-b", "ab", "a b", "aB", "_", "-", "10", "9", "Z", "z", "ñ", "n", "\u{fffd}", "'", "\\", "%",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut random = Random(17);
    let letters: Vec<char> = "aAbB áÄzZ-_ 19🦀\u{301}".chars().collect();
    values.extend((0..60).map(|_| (0..random.below(6)).map(|_| *random.pick(&letters)).collect()));
    values.into_iter().map(Value::Text).collect()
}

fn integers() -> Vec<Value> {
    let numbers = [0, 1, -1, 7, 255, 256, -256, 32_767, -32_768, i128::from(i32::MAX), i128::from(i32::MIN)];
    numbers.map(Value::Integer).to_vec()
}

fn dates() -> Vec<Value> {
    let dates = ["2000-01-01", "1999-12-31", "2024-02-29", "1000-01-01", "9999-12-31"];
    dates.map(|date| Value::Date(Date::parse(date).expect("a date"))).to_vec()
}

fn blobs() -> Vec<Value> {
    [&b""[..], b"\0", b"\0\0", b"a", b"A", b"a ", b"\x7f", b"\x80", b"\xff", b"\xff\0"]
        .map(|bytes| Value::Bytes(bytes.to_vec()))
        .to_vec()
}

fn uuids() -> Vec<Value> {
    let mut random = Random(19);
    let uuid = |random: &mut Random| {
        let (high, low) = (random.next().to_be_bytes(), random.next().to_be_bytes());
        let mut bytes: [u8; 16] = [high, low].concat().try_into().expect("sixteen bytes");
        // Of a version and variant that every MariaDB stores.
        (bytes[6], bytes[8]) = (bytes[6] & 0x0f | 0x40, bytes[8] & 0x3f | 0x80);
        Value::Uuid(bytes)
    };
    (0..30).map(|_| uuid(&mut random)).chain([Value::Uuid([0; 16]), Value::Uuid([255; 16])]).collect()
}

fn natives(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| Value::Native((*text).to_owned())).collect()
}

fn words(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| Value::Text((*text).to_owned())).collect()
}

fn documents() -> Vec<Value> {
    [
        "{}",
        "[]",
        "null",
        "true",
        "1",
        "10",
        "2",
        "\"a\"",
        "\"B\"",
        "\"ä\"",
        "{\"a\": 1}",
        "{\"A\": 1}",
        "[1, 2]",
        "\"\"",
        "{\"b\": 1}",
        "\"🦀\"",
        "-1",
    ]
    .map(|text| Value::Json(text.to_owned()))
    .to_vec()
}

const BY_SCALE: Domain = Domain::Decimal { with_scale: true };
const BY_VALUE: Domain = Domain::Decimal { with_scale: false };

fn on_postgres() -> Vec<Part> {
    let json = |declared, domain| part(declared, domain, documents());
    vec![
        part("numeric", BY_SCALE, decimals()),
        part("numeric", BY_VALUE, decimals()),
        part("numeric(14,4)", BY_SCALE, decimals()),
        part("numeric(14,4)", BY_VALUE, decimals()),
        part("bigint", BY_VALUE, decimals()),
        part("smallint", BY_VALUE, decimals()),
        part("real", Domain::Float32, singles()),
        part("double precision", Domain::Float64, doubles()),
        without_index(json("json", Domain::JsonText)),
        json("jsonb", Domain::Json { canonical: false }),
        part("text", Domain::Text, texts()),
        part("text COLLATE \"C\"", Domain::Text, texts()),
        part("text COLLATE icu", Domain::Text, texts()),
        part("text COLLATE folded", Domain::Text, texts()),
        part("varchar(9) COLLATE libc", Domain::Text, texts()),
        part("char(6) COLLATE folded", Domain::Text, texts()),
        part("mood", Domain::Text, words(&["sad", "Ok", "ok", "", "ähm"])),
        part(
            "interval",
            Domain::Native,
            natives(&["1 day", "24:00:00", "-1 mons", "00:00:00", "1 mon", "30 days"]),
        ),
        part("cidr", Domain::Native, natives(&["10.0.0.1/32", "9.0.0.0/8", "::/128", "10.0.0.0/8"])),
        part(
            "integer[]",
            Domain::Native,
            natives(&["{}", "{1,2}", "{10}", "{NULL}", "{{1,2},{3,4}}", "{-1}"]),
        ),
        part("bit(3)", Domain::Bits, natives(&["000", "101", "111"])),
        without_index(part("point", Domain::Native, natives(&["(1,2)", "(-1,0)", "(10,0)"]))),
        part("bytea", Domain::Bytes, blobs()),
        part("uuid", Domain::Uuid, uuids()),
        part("text", Domain::Uuid, uuids()),
        part("integer", Domain::Integer { bytes: 4 }, integers()),
        part("date", Domain::Date, dates()),
        part("boolean", Domain::Boolean, vec![Value::Boolean(true), Value::Boolean(false)]),
    ]
}

const ON_POSTGRES: &str = "
    CREATE COLLATION icu (provider = icu, locale = 'de-u-co-phonebk');
    CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
    DO $$ BEGIN EXECUTE (SELECT format('CREATE COLLATION libc FROM pg_catalog.%I', collname) FROM pg_collation
        WHERE collname IN ('C', 'C.utf8', 'en_US.utf8') ORDER BY collname DESC LIMIT 1); END $$;
    CREATE TYPE mood AS ENUM ('sad', 'Ok', 'ok', '', 'ähm');";

fn on_mariadb() -> Vec<Part> {
    vec![
        part("decimal(20,4)", BY_SCALE, decimals()),
        part("decimal(20,4)", BY_VALUE, decimals()),
        part("decimal(65,30)", BY_VALUE, decimals()),
        part("decimal(9,0)", BY_VALUE, decimals()),
        part("decimal(6,2) unsigned", BY_VALUE, decimals()),
        part("bigint", BY_VALUE, decimals()),
        part("bigint unsigned", BY_VALUE, decimals()),
        part("float", Domain::Float32, singles()),
        part("double", Domain::Float64, doubles()),
        without_index(part("json", Domain::JsonText, documents())),
        part("varchar(20)", Domain::Text, texts()),
        part("varchar(20) COLLATE utf8mb4_bin", Domain::Text, texts()),
        part("varchar(20) COLLATE utf8mb4_unicode_ci", Domain::Text, texts()),
        part("varchar(20) CHARACTER SET latin1 COLLATE latin1_german2_ci", Domain::Text, texts()),
        part("char(9) COLLATE utf8mb4_general_ci", Domain::Text, texts()),
        part("enum('sad','Ok','é','','10','9')", Domain::Text, words(&["sad", "Ok", "é", "", "10", "9"])),
        part("set('b','a','C')", Domain::Text, words(&["", "a", "b", "b,a", "C", "b,a,C"])),
        part("year", Domain::Integer { bytes: 2 }, [0, 1901, 2000, 2155].map(Value::Integer).to_vec()),
        part("bit(10)", Domain::Bits, natives(&["0000000000", "0000000001", "0000001010", "1111111111"])),
        part("varbinary(9)", Domain::Bytes, blobs()),
        part("varchar(36)", Domain::Uuid, uuids()),
        part("binary(16)", Domain::Uuid, uuids()),
        part("int", Domain::Integer { bytes: 4 }, integers()),
        part("date", Domain::Date, dates()),
        part("tinyint(1)", Domain::Boolean, vec![Value::Boolean(true), Value::Boolean(false)]),
    ]
}

fn on_sqlite() -> Vec<Part> {
    let any = Domain::Storage { expected: None };
    let mut mixed = [integers(), doubles(), texts(), blobs()].concat();
    // SQLite has no NaN, and nothing in its SQL that tells a row of -0.0 from one of 0.0.
    let odd = |number: f64| number.is_nan() || (number == 0.0 && number.is_sign_negative());
    mixed.retain(|value| !matches!(value, Value::Float64(number) if odd(*number)));
    vec![
        part("DECIMAL(14,4)", BY_VALUE, decimals()),
        part("NUMERIC", BY_VALUE, decimals()),
        part("INTEGER", BY_VALUE, decimals()),
        part("DOUBLE", BY_VALUE, decimals()),
        part("DECIMAL_TEXT", BY_VALUE, trimmed(decimals())),
        part("REAL", Domain::Float64, doubles()),
        part("FLOAT4", Domain::Float32, singles()),
        part("TEXT", Domain::Text, texts()),
        part("TEXT COLLATE NOCASE", Domain::Text, texts()),
        part("TEXT COLLATE RTRIM", Domain::Text, texts()),
        part("TEXT COLLATE NOCASE", Domain::Storage { expected: Some(StorageClass::Text) }, texts()),
        part("", any.clone(), mixed.clone()),
        part("NUMERIC", any, mixed),
        part("BLOB", Domain::Bytes, blobs()),
        part("UUID", Domain::Uuid, uuids()),
        part("INTEGER", Domain::Integer { bytes: 8 }, integers()),
        part("DATE", Domain::Date, dates()),
        part("BOOLEAN", Domain::Boolean, vec![Value::Boolean(true), Value::Boolean(false)]),
    ]
}

fn parts(engine: Engine) -> Vec<Part> {
    match engine {
        Engine::Sqlite => on_sqlite(),
        Engine::Postgres if engine.product().major() < 14 => {
            not_run(engine, "infinite numeric keys", "it has them since version 14");
            on_postgres().into_iter().map(without_infinity).collect()
        }
        Engine::Postgres => on_postgres(),
        Engine::Mariadb => on_mariadb(),
    }
}

fn without_infinity(mut part: Part) -> Part {
    part.values.retain(|value| *value != decimal("Infinity") && *value != decimal("-Infinity"));
    part
}

fn database(engine: Engine, hint: &str) -> Database {
    let database = open(engine, hint);
    if engine == Engine::Postgres {
        database.execute_script(ON_POSTGRES);
    }
    database
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

fn is_storable(engine: &Connected, value: &Value, column: &Column) -> bool {
    // SQLite stores more digits than a column declares, and they are an error when read.
    let digits = |scale| matches!(value, Value::Decimal(number) if number.trimmed().scale() > scale as usize);
    engine.dialect().literal(value, &column.column_type).is_ok()
        && !column.column_type.fixed_scale().is_some_and(digits)
}

/// Where the number of zeros counts and the column fixes it, both sides have the same.
fn with_own_zeros(value: &Value, part: &SelectColumn) -> Option<Value> {
    match (value, part.column.column_type.fixed_scale()) {
        (Value::Decimal(number), Some(scale)) if part.domain == BY_SCALE => {
            let number = number.trimmed().padded(scale as usize);
            (number.scale() <= scale as usize).then_some(Value::Decimal(number))
        }
        _ => Some(value.clone()),
    }
}

/// A table whose first columns are the key, and `v` a number behind them.
struct Keyed {
    engine: Connected,
    what: String,
    select: Select,
    order: KeyOrder,
}

impl Keyed {
    async fn new(database: &Database, name: &str, parts: &[Part]) -> Self {
        let columns: Vec<String> =
            parts.iter().enumerate().map(|(at, part)| format!("k{at} {}", part.declared)).collect();
        let mut script = format!("CREATE TABLE {name} ({}, v integer);", columns.join(", "));
        let indexed: Vec<String> = parts
            .iter()
            .enumerate()
            .take_while(|(_, part)| part.indexed)
            .map(|(at, _)| format!("k{at}"))
            .collect();
        if !indexed.is_empty() {
            script.push_str(&format!("CREATE INDEX i_{name} ON {name} ({});", indexed.join(", ")));
        }
        tokio::task::block_in_place(|| database.execute_script(&script));
        let url = SideUrl::parse(&database.url, Place::START).expect("a URL");
        let engine = connect(&Side::from_url(url), true).await.expect("the engine is there");
        let catalog = engine.catalog(&[None]).await.expect("a catalog");
        let table = catalog.tables.iter().find(|table| table.name.name == name).expect("the table");
        let number = Domain::Integer { bytes: 4 };
        let domains = parts.iter().map(|part| part.domain.clone()).chain([number]);
        let columns = table.columns.iter().cloned().zip(domains);
        let select = Select {
            table: table.name.clone(),
            columns: columns.map(|(column, domain)| SelectColumn { column, domain }).collect(),
            key_columns: parts.len(),
            scope: None,
            selection: Selection::Range(KeyRange::all()),
            ordered: true,
            locked: false,
        };
        let domains: Vec<Domain> = parts.iter().map(|part| part.domain.clone()).collect();
        let what =
            parts.iter().map(|part| format!("{} as {:?}", part.declared, part.domain)).collect::<Vec<_>>();
        Keyed { engine, what: what.join(", "), select, order: KeyOrder::new(domains) }
    }

    fn key(&self, values: &[Value]) -> Option<Key> {
        let mut bytes = Vec::new();
        for (domain, value) in self.order.domains().iter().zip(values) {
            encode(&mut bytes, domain, value).ok()?;
        }
        Some(Key::new(bytes))
    }

    fn is_storable(&self, values: &[Value]) -> bool {
        let mut columns = values.iter().zip(&self.select.columns);
        columns.all(|(value, part)| is_storable(&self.engine, value, &part.column))
    }

    /// Stores those of the keys that the columns hold, each once, and returns how many.
    async fn fill(&self, keys: &[Vec<Value>]) -> usize {
        let mut seen = HashSet::new();
        let mut rows: Vec<Vec<Value>> = Vec::new();
        for key in keys.iter().filter(|key| self.is_storable(key)) {
            if let Some(encoded) = self.key(key)
                && seen.insert(encoded)
            {
                rows.push([key.as_slice(), &[Value::Integer(rows.len() as i128)]].concat());
            }
        }
        let columns: Vec<Column> = self.select.columns.iter().map(|part| part.column.clone()).collect();
        let inserts = self.engine.dialect().insert(&self.select.table, &columns, &rows).expect("literals");
        let mut writer = self.engine.writer().await.expect("a writer");
        writer.begin().await.expect("a transaction");
        for sql in inserts {
            writer.execute(&sql).await.unwrap_or_else(|why| panic!("{}: {why} {why:?}\n{sql}", self.what));
        }
        writer.commit().await.expect("a commit");
        rows.len()
    }

    async fn read(&self, selection: Selection) -> RowBlock {
        let ordered = matches!(selection, Selection::Range(_));
        let select = Select { selection, ordered, ..self.select.clone() };
        let sql = || self.engine.dialect().select(&select);
        let snapshot = self.engine.snapshot().await.expect("a snapshot");
        let stream = snapshot.scan(select.clone()).await;
        let mut stream = stream.unwrap_or_else(|why| panic!("{}: {why} {why:?}\n{}", self.what, sql()));
        let mut all = RowBlock::default();
        while let Some(block) =
            stream.next().await.unwrap_or_else(|why| panic!("{}: {why} {why:?}\n{}", self.what, sql()))
        {
            all.extend(&block, 0, block.len());
        }
        all
    }

    fn shown(&self, row: &[u8]) -> Vec<Value> {
        self.order.values(&self.order.key_of(row))
    }

    async fn check_order(&self, stored: usize) -> RowBlock {
        let rows = self.read(Selection::Range(KeyRange::all())).await;
        assert_eq!(rows.len(), stored, "{}", self.what);
        for (before, after) in rows.rows().zip(rows.rows().skip(1)) {
            let order = self.order.compare(before, after);
            assert!(order.is_lt(), "{}: {:?} then {:?}", self.what, self.shown(before), self.shown(after));
        }
        rows
    }

    async fn check_ranges(&self, rows: &RowBlock, bounds: &[Key], random: &mut Random) {
        let range = |from: &Key, to: &Key| KeyRange { from: Some(from.clone()), to: Some(to.clone()) };
        for at in bounds {
            let end = random.pick(bounds);
            let backwards = self.order.compare(at.bytes(), end.bytes()).is_gt();
            let both = if backwards { range(end, at) } else { range(at, end) };
            let open = [(Some(at.clone()), None), (None, Some(at.clone()))];
            for range in open.map(|(from, to)| KeyRange { from, to }).into_iter().chain([both]) {
                let found = self.read(Selection::Range(range.clone())).await;
                let expected: Vec<&[u8]> =
                    rows.rows().filter(|row| self.order.contains(&range, row)).collect();
                let shown = |key: &Option<Key>| key.as_ref().map(|key| self.order.values(key));
                assert!(
                    found.rows().eq(expected.iter().copied()),
                    "{}: {:?} to {:?}: {} instead of {} rows\n{}",
                    self.what,
                    shown(&range.from),
                    shown(&range.to),
                    found.len(),
                    expected.len(),
                    self.engine.dialect().select(&Select {
                        selection: Selection::Range(range.clone()),
                        ..self.select.clone()
                    }),
                );
            }
        }
    }

    async fn check_lists(&self, rows: &RowBlock, strangers: &[Key]) {
        let wanted: Vec<Key> = rows.rows().step_by(2).map(|row| self.order.key_of(row)).collect();
        let asked: HashSet<Key> = wanted.iter().chain(strangers).cloned().collect();
        let found = self.read(Selection::Keys(asked.iter().cloned().collect())).await;
        // An engine may hold more for equal; nobody asks for those.
        let mut found: Vec<Key> =
            found.rows().map(|row| self.order.key_of(row)).filter(|key| asked.contains(key)).collect();
        let mut expected: Vec<Key> =
            rows.rows().map(|row| self.order.key_of(row)).filter(|key| asked.contains(key)).collect();
        found.sort_by(|a, b| self.order.compare(a.bytes(), b.bytes()));
        expected.dedup();
        assert!(found == expected, "{}: {} instead of {}", self.what, found.len(), expected.len());
    }

    /// Each row alone is updated by its key, and every second one deleted, all at once.
    async fn check_writes(&self, rows: &RowBlock) {
        let dialect = self.engine.dialect();
        let (key, v) = self.select.columns.split_at(self.select.key_columns);
        let v = [v[0].column.clone()];
        let keys: Vec<Vec<Value>> = rows.rows().map(|row| self.shown(row)).collect();
        let mut writer = self.engine.writer().await.expect("a writer");
        writer.begin().await.expect("a transaction");
        for values in &keys {
            let update = RowUpdate { key: values.clone(), values: vec![Value::Integer(-1)] };
            for sql in dialect.update(&self.select.table, key, &v, &[update]).expect("literals") {
                let done =
                    writer.execute(&sql).await.unwrap_or_else(|why| panic!("{}: {why}\n{sql}", self.what));
                assert_eq!(done, 1, "{}: {values:?}\n{sql}", self.what);
            }
        }
        let updates: Vec<RowUpdate> =
            keys.iter().map(|key| RowUpdate { key: key.clone(), values: vec![Value::Integer(-2)] }).collect();
        let gone: Vec<Vec<Value>> = keys.iter().step_by(2).cloned().collect();
        let all = dialect.update(&self.select.table, key, &v, &updates).expect("literals");
        let half = dialect.delete(&self.select.table, key, &gone).expect("literals");
        for (statements, expected) in [(all, updates.len()), (half, gone.len())] {
            let mut done = 0;
            for sql in &statements {
                done += writer.execute(sql).await.unwrap_or_else(|why| panic!("{}: {why}\n{sql}", self.what));
            }
            assert_eq!(done, expected as u64, "{}: {}", self.what, statements[0]);
        }
        writer.commit().await.expect("a commit");
        drop(writer);
        let left = self.read(Selection::Range(KeyRange::all())).await;
        let left: Vec<Key> = left.rows().map(|row| self.order.key_of(row)).collect();
        let expected: Vec<Key> = rows.rows().skip(1).step_by(2).map(|row| self.order.key_of(row)).collect();
        assert!(left == expected, "{}: the wrong rows were deleted", self.what);
    }

    async fn check(&self, keys: &[Vec<Value>], bounds_max: usize, random: &mut Random) {
        let own = |key: &Vec<Value>| {
            let values = key.iter().zip(&self.select.columns);
            values.map(|(value, part)| with_own_zeros(value, part)).collect::<Option<Vec<_>>>()
        };
        let keys: Vec<Vec<Value>> = keys.iter().filter_map(own).collect();
        let stored = self.fill(&keys).await;
        let rows = self.check_order(stored).await;
        let mut bounds: Vec<Key> = keys.iter().filter_map(|key| self.key(key)).collect();
        bounds.extend(rows.rows().map(|row| self.order.key_of(row)));
        while bounds.len() > bounds_max {
            bounds.swap_remove(random.below(bounds.len()));
        }
        self.check_ranges(&rows, &bounds, random).await;
        self.check_lists(&rows, &bounds).await;
        self.check_writes(&rows).await;
    }
}

/// What MySQL lacks or writes otherwise.
fn runs(engine: Engine, part: &Part) -> bool {
    if engine == Engine::Mariadb && engine.product().is_mysql() && part.declared == "json" {
        not_run(engine, "JSON as text", "its JSON is kept by structure");
        return false;
    }
    true
}

fn every_class(engine: Engine) {
    let database = database(engine, "order classes");
    block_on(async {
        for (at, part) in parts(engine).into_iter().enumerate().filter(|(_, part)| runs(engine, part)) {
            let keyed = Keyed::new(&database, &format!("t{at}"), std::slice::from_ref(&part)).await;
            let keys: Vec<Vec<Value>> =
                part.values.iter().chain([&Value::Null]).map(|value| vec![value.clone()]).collect();
            keyed.check(&keys, 60, &mut Random(23 + at as u64)).await;
        }
    });
}

/// Composite keys of two to sixteen columns of mixed types and collations, with many equal leading values.
fn composites(engine: Engine) {
    let database = database(engine, "composite orders");
    let parts: Vec<Part> =
        parts(engine).into_iter().filter(|part| runs(engine, part) && part.indexed).collect();
    block_on(async {
        let mut random = Random(29);
        for (at, columns) in [2, 2, 2, 3, 3, 4, 6, 16].into_iter().enumerate() {
            let chosen: Vec<Part> = (0..columns).map(|_| random.pick(&parts).clone()).collect();
            let keyed = Keyed::new(&database, &format!("c{at}"), &chosen).await;
            // Few values in each column, so that the columns behind decide.
            let few: Vec<Vec<Value>> = chosen
                .iter()
                .enumerate()
                .map(|(at, part)| {
                    let mut few: Vec<Value> = Vec::new();
                    for _ in 0..200 {
                        let value = random.pick(&part.values);
                        if few.len() < 4
                            && is_storable(&keyed.engine, value, &keyed.select.columns[at].column)
                        {
                            few.push(value.clone());
                        }
                    }
                    few.push(Value::Null);
                    few
                })
                .collect();
            let mut keys: Vec<Vec<Value>> =
                (0..120).map(|_| few.iter().map(|few| random.pick(few).clone()).collect()).collect();
            // And bounds that no column need hold.
            keys.extend((0..30).map(|_| {
                chosen.iter().map(|part| random.pick(&part.values).clone()).collect::<Vec<Value>>()
            }));
            keyed.check(&keys, 40, &mut random).await;
        }
    });
}

#[test]
fn every_class_on_sqlite() {
    every_class(Engine::Sqlite);
}

#[test]
fn every_class_on_postgres() {
    every_class(Engine::Postgres);
}

#[test]
fn every_class_on_mariadb() {
    every_class(Engine::Mariadb);
}

#[test]
fn composites_on_sqlite() {
    composites(Engine::Sqlite);
}

#[test]
fn composites_on_postgres() {
    composites(Engine::Postgres);
}

#[test]
fn composites_on_mariadb() {
    composites(Engine::Mariadb);
}

/// Where an index serves the order, a range is read through it and nothing is sorted that it has sorted already.
#[test]
fn ranges_of_numbers_are_read_through_an_index() {
    for engine in Engine::all() {
        let numbers: [(&str, Domain, &str, &str); 3] = [
            ("decimal(14,4)", BY_VALUE, "123.4567", "130.5"),
            ("double precision", Domain::Float64, "123.5", "130.25"),
            ("bigint", BY_VALUE, "123.4567", "130.5"),
        ];
        for (declared, domain, from, to) in numbers {
            let database = database(engine, "explain numbers");
            let number = |text: &str| match domain {
                Domain::Float64 => Value::Float64(text.parse().expect("a double")),
                _ => decimal(text),
            };
            let sql = block_on(async {
                let keyed = Keyed::new(&database, "t", &[part(declared, domain.clone(), Vec::new())]).await;
                let keys: Vec<Vec<Value>> = (0..3_000).map(|at| vec![number(&at.to_string())]).collect();
                keyed.fill(&keys).await;
                let key = |text: &str| keyed.key(&[number(text)]);
                let range = KeyRange { from: key(from), to: key(to) };
                let found = keyed.read(Selection::Range(range.clone())).await;
                assert_eq!(found.len(), 7, "{} {declared}", engine.name());
                let select = Select { selection: Selection::Range(range), ..keyed.select.clone() };
                keyed.engine.dialect().select(&select)
            });
            let (analyze, explain) = match engine {
                Engine::Sqlite => ("ANALYZE", "EXPLAIN QUERY PLAN"),
                Engine::Postgres => ("ANALYZE t", "EXPLAIN"),
                Engine::Mariadb if engine.product().is_mysql() => {
                    ("ANALYZE TABLE t", "EXPLAIN FORMAT=TRADITIONAL")
                }
                Engine::Mariadb => ("ANALYZE TABLE t", "EXPLAIN"),
            };
            database.query(analyze);
            let plan: Vec<String> =
                database.query(&format!("{explain} {sql}")).into_iter().flatten().flatten().collect();
            let plan = plan.join("\n");
            let (has, lacks) = match engine {
                Engine::Sqlite => ("USING INDEX i_t", "TEMP B-TREE"),
                // The order among equals is found by sorting those alone, or the few rows that are left.
                Engine::Postgres => ("i_t", "Seq Scan"),
                Engine::Mariadb => ("range", "ALL"),
            };
            assert!(
                plan.contains(has) && !plan.contains(lacks),
                "{} {declared}:\n{plan}\n{sql}",
                engine.name()
            );
        }
    }
}
