//! The SQLite engine from outside: files in every state, the catalog, moments, locks and transactions.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tempfile::TempDir;
use trueup::engine::{Engine, EngineError, RowStream, Writer, connect};
use trueup::failure::ErrorKind;
use trueup::schema::{Catalog, Folding, Table};
use trueup::spec::{Side, Spec};
use trueup::sql::{
    DefaultKind, ForeignKeyAction, Generated, Identity, LiteralDefault, Select, SelectColumn, Selection,
    TableName,
};
use trueup::value::{Domain, KeyRange, Type};

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn database(path: &Path, sql: &str) -> Connection {
    let sqlite = Connection::open(path).expect("a file");
    sqlite.execute_batch(sql).expect(sql);
    sqlite
}

fn side(path: &Path, options: &str) -> Side {
    let text = format!(
        "version: 1\nprimary: {{ url: \"sqlite:{}\"{options} }}\nreplicas: {{ r: \"sqlite:/nowhere/r.db\" }}\n\
         tables: [t]\n",
        path.display()
    );
    Spec::parse(&text, "spec.yml", &|_| None).expect("a spec").primary
}

async fn replica(path: &Path) -> Arc<dyn Engine> {
    connect(&side(path, ""), true).await.expect("it connects")
}

async fn error_of(path: &Path, writable: bool) -> EngineError {
    connect(&side(path, ""), writable).await.expect_err("it does not connect")
}

async fn catalog(engine: &Arc<dyn Engine>) -> Catalog {
    engine.catalog(&[None]).await.expect("a catalog")
}

fn all_rows(table: &Table) -> Select {
    let storage = |column: &trueup::sql::Column| SelectColumn {
        column: column.clone(),
        domain: Domain::Storage { expected: None },
    };
    Select {
        table: table.name.clone(),
        columns: table.columns.iter().map(storage).collect(),
        key_columns: 1,
        scope: None,
        selection: Selection::Range(KeyRange::all()),
        ordered: true,
        locked: false,
    }
}

async fn count(mut stream: RowStream) -> Result<usize, EngineError> {
    let mut rows = 0;
    while let Some(block) = stream.next().await? {
        rows += block.len();
    }
    Ok(rows)
}

const COUNTED: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); \
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) \
    INSERT INTO t SELECT i, 'a value of some length, so that blocks fill' FROM n;";

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_is_an_error_or_an_empty_replica() {
    let directory = directory();
    let path = directory.path().join("new.db");
    let error = error_of(&path, false).await;
    assert_eq!(error.kind, ErrorKind::Missing);
    assert!(error.message.contains("new.db"), "{error}");
    assert!(!path.exists());

    let engine = replica(&path).await;
    assert!(engine.server().missing && !engine.server().identity.is_empty());
    assert_eq!(catalog(&engine).await, Catalog { folding: Folding::Ascii, ..Catalog::default() });
    let table = Table {
        name: TableName::plain("t"),
        columns: vec![],
        keys: vec![],
        unique_indexes: vec![],
        sequences: Vec::new(),
        attachments: Vec::new(),
        stored: Default::default(),
        options: None,
        triggers: Vec::new(),
        foreign_keys: vec![],
        checked: vec![],
        layout: Default::default(),
        rows_estimate: None,
        hidden_rows: None,
    };
    let snapshot = engine.snapshot().await.expect("an empty moment");
    let error = snapshot.scan(Select { key_columns: 0, ..all_rows(&table) }).await.expect_err("no file");
    assert_eq!(error.kind, ErrorKind::Missing);

    let mut writer = engine.writer().await.expect("a writer");
    writer.lock(Duration::ZERO).await.expect("the lock");
    assert!(!path.exists(), "nothing is made before the first transaction");
    writer.begin().await.expect("begun");
    writer.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)").await.expect("a table");
    assert_eq!(writer.execute("INSERT INTO t VALUES (1),(2)").await.expect("rows"), 2);
    assert_eq!(writer.execute("CREATE TABLE u (id)").await.expect("a table"), 0);
    writer.commit().await.expect("committed");
    drop(writer);
    let tables = catalog(&engine).await.tables;
    assert_eq!(tables.len(), 2);
    let stream = engine.snapshot().await.expect("a moment").scan(all_rows(&tables[0])).await.expect("a scan");
    assert_eq!(count(stream).await.expect("rows"), 2);
    let left: Vec<_> = std::fs::read_dir(directory.path()).expect("a directory").flatten().collect();
    assert_eq!(left.len(), 1, "the lock file goes with the writer: {left:?}");

    let error = error_of(&directory.path().join("gone/new.db"), true).await;
    assert_eq!(error.kind, ErrorKind::Connect);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_database_is_said_so() {
    let directory = directory();
    let error = error_of(directory.path(), true).await;
    assert_eq!(error.kind, ErrorKind::Connect);
    assert!(error.message.contains("is a directory"), "{error}");
    let path = directory.path().join("text.db");
    std::fs::write(&path, "this is a text, and long enough to be looked at as a header".repeat(20))
        .expect("a file");
    for writable in [false, true] {
        let error = error_of(&path, writable).await;
        assert_eq!(error.kind, ErrorKind::Connect);
        assert!(error.message.contains("not a SQLite database, or it is encrypted"), "{error}");
    }
    std::fs::write(&path, "").expect("a file");
    assert!(!replica(&path).await.server().missing, "an empty file is an empty database");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_has_one_identity() {
    let directory = directory();
    let path = directory.path().join("a.db");
    let other = directory.path().join("b.db");
    database(&path, "CREATE TABLE t (a)");
    database(&other, "CREATE TABLE t (a)");
    let (link, hard) = (directory.path().join("link.db"), directory.path().join("hard.db"));
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    std::fs::hard_link(&path, &hard).expect("a link");
    let winding =
        directory.path().join("../").join(directory.path().file_name().expect("a name")).join("a.db");
    let identity = |path: PathBuf| async move { replica(&path).await.server().identity.clone() };
    let first = identity(path).await;
    assert_eq!(identity(link).await, first);
    assert_eq!(identity(hard).await, first);
    assert_eq!(identity(winding).await, first);
    assert_ne!(identity(other).await, first);
    let new = identity(directory.path().join("new.db")).await;
    assert_eq!(identity(directory.path().join("./new.db")).await, new);
    assert_ne!(identity(directory.path().join("newer.db")).await, new);
}

const EVERYTHING: &str = "
    CREATE TABLE parent (a INTEGER, b TEXT, PRIMARY KEY (b, a)) WITHOUT ROWID;
    CREATE TABLE child (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name VARCHAR(40) NOT NULL DEFAULT 'it''s' COLLATE NOCASE,
        price DECIMAL(10,2) DEFAULT -0.5,
        made DATETIME DEFAULT CURRENT_TIMESTAMP,
        gone TEXT DEFAULT NULL,
        pa INT, pb TEXT, self INTEGER REFERENCES child ON DELETE CASCADE ON UPDATE SET NULL,
        twice AS (price * 2) VIRTUAL,
        thrice AS (price * 3) STORED,
        untyped,
        FOREIGN KEY (pb, pa) REFERENCES Parent ON DELETE SET DEFAULT,
        UNIQUE (pa, pb)
    );
    CREATE UNIQUE INDEX partial ON child (gone) WHERE gone IS NOT NULL;
    CREATE UNIQUE INDEX expression ON child (pa, lower(name));
    CREATE UNIQUE INDEX named ON child (name DESC);
    CREATE INDEX plain ON child (made);
    CREATE TABLE strict_one (k TEXT PRIMARY KEY, v ANY, n INT NOT NULL) STRICT;
    CREATE TABLE loose (k TEXT PRIMARY KEY, v);
    CREATE TABLE backwards (k INTEGER PRIMARY KEY DESC);
    CREATE VIEW a_view AS SELECT * FROM child;
    CREATE VIRTUAL TABLE words USING fts5(word);
    INSERT INTO loose VALUES ('a', 1), ('b', 2);
    ANALYZE;";

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_tells_everything() {
    let directory = directory();
    let path = directory.path().join("a.db");
    database(&path, EVERYTHING);
    let engine = connect(&side(&path, ""), false).await.expect("a primary");
    let catalog = catalog(&engine).await;
    let names: Vec<&str> = catalog.tables.iter().map(|table| table.name.name.as_str()).collect();
    assert_eq!(names, ["backwards", "child", "loose", "parent", "strict_one"]);
    assert_eq!(catalog.default_schema, None);
    let table = |name: &str| catalog.tables.iter().find(|table| table.name.name == name).expect("the table");
    check_columns(table("child"));
    check_keys(&table);
    check_foreign_keys(table("child"));
    assert_eq!(table("loose").rows_estimate, Some(2));
    let main = engine.catalog(&[Some("main".into()), Some("other".into())]).await.expect("a catalog");
    assert_eq!(main.tables.len(), 5);
    assert_eq!(main.tables[0].name, TableName::qualified("main", "backwards"));
    let stream = engine.snapshot().await.expect("a moment").scan(all_rows(&main.tables[2])).await;
    assert_eq!(count(stream.expect("a scan")).await.expect("rows"), 2);
}

fn check_columns(child: &Table) {
    let column = |name: &str| child.column(name).expect("the column");
    let text = |text: &str| Some(DefaultKind::Literal(LiteralDefault::Text(text.to_owned())));
    assert_eq!(column("id").identity, Some(Identity::ByDefault));
    assert!(!column("id").nullable && column("id").default.is_none());
    assert_eq!(column("name").collation.as_deref(), Some("NOCASE"));
    assert!(!column("name").nullable);
    assert_eq!(column("name").default, text("it's"));
    assert_eq!(column("name").column_type.declared, "VARCHAR(40)");
    assert_eq!(column("price").column_type.meaning, Type::Decimal { precision: Some(10), scale: Some(2) });
    assert_eq!(column("price").default, Some(DefaultKind::Literal(LiteralDefault::Number("-0.5".into()))));
    assert_eq!(column("made").default, Some(DefaultKind::Expression("CURRENT_TIMESTAMP".into())));
    assert_eq!(column("gone").default, Some(DefaultKind::Null));
    assert_eq!(column("twice").generated, Some(Generated::Virtual));
    assert_eq!(column("thrice").generated, Some(Generated::Stored));
    assert_eq!(column("untyped").column_type.meaning, Type::Other);
    assert_eq!(column("pa").collation, None);
}

fn check_keys<'a>(table: &dyn Fn(&str) -> &'a Table) {
    let keys = |name: &str| {
        let keys = table(name).keys.iter();
        keys.map(|key| (key.columns.join(","), key.primary, key.total)).collect::<Vec<_>>()
    };
    let key = |columns: &str, primary, total| (columns.to_owned(), primary, total);
    assert_eq!(keys("child"), [key("id", true, true), key("name", false, true), key("pa,pb", false, false)]);
    assert_eq!(keys("parent"), [key("b,a", true, true)]);
    assert_eq!(keys("strict_one"), [key("k", true, true)]);
    assert_eq!(keys("loose"), [key("k", true, false)], "SQLite lets NULLs into such a key");
    assert_eq!(keys("backwards"), [key("k", true, false)], "not the rowid, so it may be NULL");
    assert_eq!(table("strict_one").columns[1].column_type.declared, "");
}

fn check_foreign_keys(child: &Table) {
    let of =
        |first: &str| child.foreign_keys.iter().find(|key| key.columns[0] == first).expect("the foreign key");
    assert_eq!(child.foreign_keys.len(), 2);
    assert_eq!(of("self").referenced, ["id"]);
    assert_eq!(of("self").on_delete, ForeignKeyAction::Cascade);
    assert_eq!(of("self").on_update, ForeignKeyAction::SetNull);
    assert_eq!(of("pb").columns, ["pb", "pa"]);
    assert_eq!(of("pb").referenced, ["b", "a"]);
    assert_eq!(of("pb").on_delete, ForeignKeyAction::SetDefault);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_stays_while_others_commit() {
    let directory = directory();
    let path = directory.path().join("a.db");
    let sqlite = database(&path, &format!("PRAGMA journal_mode = WAL; {COUNTED}"));
    let engine = replica(&path).await;
    let table = &catalog(&engine).await.tables[0];
    let snapshot = engine.snapshot().await.expect("a moment");
    assert_eq!(snapshot.readers(), 4);
    sqlite.execute_batch("DELETE FROM t WHERE id > 10").expect("a delete");
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(snapshot.scan(all_rows(table)).await.expect("a scan"));
    }
    for stream in streams {
        assert_eq!(count(stream).await.expect("rows"), 100_000);
    }
    let stream = engine.snapshot().await.expect("a moment").scan(all_rows(table)).await.expect("a scan");
    assert_eq!(count(stream).await.expect("rows"), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_dropped_frees_its_connection() {
    let directory = directory();
    let path = directory.path().join("a.db");
    let sqlite = database(&path, COUNTED);
    let engine = connect(&side(&path, ", connections: 1"), true).await.expect("it connects");
    let table = &catalog(&engine).await.tables[0];
    let snapshot = engine.snapshot().await.expect("a moment");
    for _ in 0..5 {
        let mut stream = snapshot.scan(all_rows(table)).await.expect("a scan");
        assert!(stream.next().await.expect("a block").is_some());
        drop(stream);
    }
    // A second scan waits for the first one.
    let first = snapshot.scan(all_rows(table)).await.expect("a scan");
    let waiting = tokio::time::timeout(Duration::from_millis(200), snapshot.scan(all_rows(table))).await;
    assert!(waiting.is_err());
    drop(first);
    let endless = Select { scope: Some("(SELECT count(*) FROM t a, t b) = 0".into()), ..all_rows(table) };
    drop(snapshot.scan(endless).await.expect("a scan"));
    let stream = snapshot.scan(all_rows(table)).await.expect("a scan");
    assert_eq!(count(stream).await.expect("rows"), 100_000);
    drop(snapshot);
    let begun = Instant::now();
    sqlite.execute_batch("DELETE FROM t").expect("no reader is left");
    assert!(begun.elapsed() < Duration::from_secs(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_may_take_only_so_long() {
    let directory = directory();
    let path = directory.path().join("a.db");
    database(&path, COUNTED);
    let options = ", statement_timeout: 200ms, lock_timeout: 100ms";
    let engine = connect(&side(&path, options), true).await.expect("it connects");
    let table = &catalog(&engine).await.tables[0];
    let endless = Select { scope: Some("(SELECT count(*) FROM t a, t b) = 0".into()), ..all_rows(table) };
    let snapshot = engine.snapshot().await.expect("a moment");
    let error = count(snapshot.scan(endless).await.expect("a scan")).await.expect_err("too long");
    assert_eq!(error.kind, ErrorKind::Timeout);
    drop(snapshot);
    let mut writer = engine.writer().await.expect("a writer");
    let error =
        writer.execute("UPDATE t SET v = (SELECT count(*) FROM t a, t b)").await.expect_err("too long");
    assert_eq!(error.kind, ErrorKind::Timeout);
    let other = database(&path, "BEGIN IMMEDIATE");
    let error = writer.begin().await.expect_err("another writes");
    assert_eq!(error.kind, ErrorKind::Timeout);
    other.execute_batch("ROLLBACK").expect("a rollback");
    writer.begin().await.expect("free again");
}

async fn writer(path: &Path) -> Box<dyn Writer> {
    replica(path).await.writer().await.expect("a writer")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_keeps_others_off_and_goes_with_its_holder() {
    let directory = directory();
    let path = directory.path().join("a.db");
    database(&path, "CREATE TABLE t (a)");
    let mut first = writer(&path).await;
    first.lock(Duration::ZERO).await.expect("the lock");
    let mut second = writer(&path).await;
    let error = second.lock(Duration::from_millis(120)).await.expect_err("it is held");
    assert_eq!(error.kind, ErrorKind::Locked);
    assert!(error.message.contains(&format!("process {} since 20", std::process::id())), "{error}");
    let waiting = tokio::spawn(async move {
        let result = second.lock(Duration::from_secs(20)).await;
        (second, result)
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(first);
    let (second, result) = waiting.await.expect("no panic");
    result.expect("the lock");
    drop(second);

    // Another process that is killed leaves the file, but no lock.
    let lock = directory.path().join("a.db-trueup-lock");
    let mut holder = Command::new("flock")
        .args([lock.as_os_str(), "sleep".as_ref(), "60".as_ref()])
        .stdout(Stdio::null())
        .spawn()
        .expect("flock (util-linux) runs");
    while !lock.exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(100));
    let mut third = writer(&path).await;
    let held = third.lock(Duration::ZERO).await;
    let children = format!("/proc/{0}/task/{0}/children", holder.id());
    let sleeping = std::fs::read_to_string(children).expect("the children of flock");
    holder.kill().expect("killed");
    holder.wait().expect("gone");
    for child in sleeping.split_whitespace() {
        Command::new("kill").args(["-9", child]).status().expect("kill runs");
    }
    assert_eq!(held.expect_err("it is held").kind, ErrorKind::Locked);
    third.lock(Duration::from_secs(5)).await.expect("the lock of a dead process is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_keep_or_drop_what_they_wrote() {
    let directory = directory();
    let path = directory.path().join("a.db");
    let sqlite = database(
        &path,
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id TEXT PRIMARY KEY, p INTEGER REFERENCES p); \
         CREATE TABLE d (a, b, p REFERENCES p, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO p VALUES (1);",
    );
    let rows =
        || sqlite.query_row("SELECT count(*) FROM c", [], |row| row.get::<_, i64>(0)).expect("a count");
    let engine = replica(&path).await;
    let mut writer = engine.writer().await.expect("a writer");
    writer.begin().await.expect("begun");
    // The child first: keys are looked at when the transaction ends.
    writer.execute("INSERT INTO c VALUES ('x', 1), ('it''s', 2)").await.expect("rows");
    writer.execute("INSERT INTO d VALUES (1, 'y', 3)").await.expect("a row");
    let tables = ["c", "d", "p"].map(TableName::plain);
    let violations = writer.foreign_key_violations(&tables, 20).await.expect("an answer");
    let violations: Vec<String> = violations.into_iter().map(|violation| violation.words).collect();
    assert_eq!(violations.len(), 2, "{violations:?}");
    assert_eq!(violations[0], "c: id = 'it''s' points at no row of p");
    assert_eq!(violations[1], "d: a = 1, b = 'y' points at no row of p");
    let error = writer.commit().await.expect_err("an orphan");
    assert_eq!(error.kind, ErrorKind::Value);
    writer.execute("INSERT INTO p VALUES (2), (3)").await.expect("rows");
    assert_eq!(writer.foreign_key_violations(&tables, 20).await.expect("an answer"), []);
    let table = catalog(&engine).await.tables.into_iter().find(|table| table.name.name == "c").expect("c");
    assert_eq!(writer.read(&all_rows(&table)).await.expect("rows").len(), 2);
    assert_eq!(rows(), 0);
    writer.commit().await.expect("committed");
    assert_eq!(rows(), 2);

    writer.begin().await.expect("begun");
    let trigger = "CREATE TRIGGER old AFTER DELETE ON c BEGIN UPDATE d SET b = \"as text\"; END";
    writer.execute(trigger).await.expect("a trigger in the old way of quoting");
    assert_eq!(writer.execute("DELETE FROM c").await.expect("rows"), 2);
    let mut gone = all_rows(&table);
    gone.columns[1].column.name = "gone".into();
    let error = writer.read(&gone).await.expect_err("a column that is not there is no text");
    assert_eq!(error.kind, ErrorKind::Missing);
    let error = writer.execute("INSERT INTO p VALUES (1)").await.expect_err("a duplicate");
    assert_eq!(error.kind, ErrorKind::Value);
    assert!(error.message.contains("primary key"), "{error}");
    writer.rollback().await.expect("rolled back");
    writer.rollback().await.expect("nothing to roll back");
    assert_eq!(rows(), 2);
    writer.begin().await.expect("begun");
    writer.execute("DELETE FROM c").await.expect("rows");
    drop(writer);
    assert_eq!(rows(), 2);
}

/// What a killed writer leaves is rolled back on a replica; a primary is never touched.
#[tokio::test(flavor = "multi_thread")]
async fn a_hot_journal_is_rolled_back_only_where_we_may_write() {
    let directory = directory();
    let (path, torn) = (directory.path().join("a.db"), directory.path().join("torn.db"));
    let sqlite = database(&path, &format!("PRAGMA cache_size = 5; PRAGMA cache_spill = 5; {COUNTED}"));
    sqlite.execute_batch("BEGIN; UPDATE t SET v = 'half' WHERE id < 90000").expect("an update");
    // The copy is what a crash at this moment would leave.
    std::fs::copy(&path, &torn).expect("a copy");
    std::fs::copy(directory.path().join("a.db-journal"), directory.path().join("torn.db-journal"))
        .expect("a copy");
    sqlite.execute_batch("ROLLBACK").expect("a rollback");
    let error = error_of(&torn, false).await;
    assert_eq!(error.kind, ErrorKind::Connect);
    assert!(error.message.contains("did not finish"), "{error}");
    assert!(error.hint.is_some());
    let engine = replica(&torn).await;
    let table = &catalog(&engine).await.tables[0];
    let halved = Select { scope: Some("v = 'half'".into()), ..all_rows(table) };
    let stream = engine.snapshot().await.expect("a moment").scan(halved).await.expect("a scan");
    assert_eq!(count(stream).await.expect("rows"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_cannot_write_and_read_only_sides_say_why() {
    let directory = directory();
    let path = directory.path().join("a.db");
    database(&path, "CREATE TABLE t (a)");
    let primary = connect(&side(&path, ""), false).await.expect("a primary");
    assert!(primary.writer().await.is_err_and(|error| error.kind == ErrorKind::Permission));
    let read_only = PathBuf::from(format!("{}?mode=ro", path.display()));
    let replica = connect(&side(&read_only, ""), true).await.expect("a replica");
    assert!(replica.server().read_only.is_some());
    assert!(replica.writer().await.is_err_and(|error| error.kind == ErrorKind::Permission));
    let before = std::fs::read(&path).expect("the file");
    let table = &catalog(&primary).await.tables[0];
    let stream = primary.snapshot().await.expect("a moment").scan(all_rows(table)).await.expect("a scan");
    assert_eq!(count(stream).await.expect("rows"), 0);
    let gone = Select { table: TableName::plain("gone"), ..all_rows(table) };
    let stream = primary.snapshot().await.expect("a moment").scan(gone).await.expect("a scan");
    assert_eq!(count(stream).await.expect_err("no such table").kind, ErrorKind::Missing);
    assert_eq!(std::fs::read(&path).expect("the file"), before);
}

/// Looking leaves a database in WAL mode as it is, its log included.
#[tokio::test(flavor = "multi_thread")]
async fn looking_changes_no_byte() {
    let directory = directory();
    let (path, copy) = (directory.path().join("a.db"), directory.path().join("b.db"));
    let sqlite = database(&path, "PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    std::fs::copy(&path, &copy).expect("a copy");
    std::fs::copy(directory.path().join("a.db-wal"), directory.path().join("b.db-wal")).expect("a copy");
    drop(sqlite);
    let bytes =
        || ["b.db", "b.db-wal"].map(|name| std::fs::read(directory.path().join(name)).expect("the file"));
    let before = bytes();
    for writable in [false, true] {
        let engine = connect(&side(&copy, ""), writable).await.expect("it connects");
        let table = &catalog(&engine).await.tables[0];
        let stream = engine.snapshot().await.expect("a moment").scan(all_rows(table)).await.expect("a scan");
        assert_eq!(count(stream).await.expect("rows"), 1);
        drop(engine);
        assert!(bytes() == before);
    }
}
