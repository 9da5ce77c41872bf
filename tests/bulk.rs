//! Rows in bulk on real engines: by COPY, by statements of many rows and by prepared statements, they are exactly
//! what they should be, in few statements, and what cannot be written exactly is an error before anything is.

use serde_json::json;

use trueup::engine::{EngineError, connect};
use trueup::failure::ErrorKind;
use trueup::spec::{Place, Side, SideUrl};
use trueup::sql::{Column, RowUpdate, RowsToWrite, SelectColumn, TableName, TableWrite};
use trueup::value::{ColumnType, Domain, Type, Value};

use crate::engine_postgres::extremes;
use crate::pair::Pair;
use crate::servers::{Database, Engine, mariadb, open};

/// More rows than are written row by row on any engine.
const ROWS: usize = 240;

/// `v` is a hostile value of each type, over and over; on the replica a third of the rows are missing, a third
/// differ, and a third as many are extra.
#[test]
fn every_type_of_postgres_is_written_in_bulk_as_it_is() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.both(
        "CREATE TYPE mood AS ENUM ('so so', 'it''s'); CREATE DOMAIN short AS varchar(3) CHECK (value <> 'x')",
    );
    for (index, (declared, literals)) in extremes().into_iter().enumerate() {
        pair.both(&format!("CREATE TABLE t{index} (id integer PRIMARY KEY, v {declared}, w {declared})"));
        let value = |id: usize| match id % (literals.len() + 1) {
            0 => "NULL",
            at => literals[at - 1],
        };
        let row = |id: usize, v: &str| format!("({id}, {v}, {})", value(id + 1));
        let rows: Vec<String> = (0..3 * ROWS).map(|id| row(id, value(id))).collect();
        pair.primary.execute_script(&format!("INSERT INTO t{index} VALUES {}", rows.join(", ")));
        let others = (0..3 * ROWS).filter(|id| id % 3 > 0);
        let mut rows: Vec<String> =
            others.map(|id| row(id, value(if id % 3 == 1 { id + 1 } else { id }))).collect();
        rows.extend((3 * ROWS..4 * ROWS).map(|id| row(id, value(id))));
        pair.replica.execute_script(&format!("INSERT INTO t{index} VALUES {}", rows.join(", ")));
    }
    pair.tables("[t*]");
    let applied = pair.document(&["apply", "spec.yml", "-y", "--max-changes", "100%"], 0);
    assert_eq!(applied["verified"], true, "{applied:#}");
    assert_eq!(pair.replica.dump(), pair.primary.dump());
}

/// The key holds the hostile values, so that rows are found by joining with them.
#[test]
fn rows_of_postgres_are_found_by_keys_of_every_type() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.both(
        "CREATE TYPE mood AS ENUM ('so so', 'it''s'); CREATE DOMAIN short AS varchar(3) CHECK (value <> 'x')",
    );
    for (index, (declared, literals)) in extremes().into_iter().enumerate() {
        let not_a_key = ["json", "point", "xml"];
        if not_a_key.contains(&declared) {
            continue;
        }
        pair.both(&format!(
            "CREATE TABLE t{index} (v {declared}, id integer, n integer, PRIMARY KEY (v, id))"
        ));
        // Nothing as long as that goes into an index.
        let literals: Vec<&str> =
            literals.into_iter().filter(|literal| !literal.starts_with("repeat")).collect();
        let row = |id: usize, n: usize| format!("({}, {id}, {n})", literals[id % literals.len()]);
        let rows: Vec<String> = (0..2 * ROWS).map(|id| row(id, id)).collect();
        pair.primary.execute_script(&format!("INSERT INTO t{index} VALUES {}", rows.join(", ")));
        let rows: Vec<String> = (0..3 * ROWS).map(|id| row(id, id + id % 2)).collect();
        pair.replica.execute_script(&format!("INSERT INTO t{index} VALUES {}", rows.join(", ")));
    }
    pair.tables("[t*]");
    let applied = pair.document(&["apply", "spec.yml", "-y"], 0);
    assert_eq!(applied["verified"], true, "{applied:#}");
    assert_eq!(pair.replica.dump(), pair.primary.dump());
}

fn column(name: &str, declared: &str, meaning: Type) -> Column {
    Column {
        name: name.to_owned(),
        column_type: ColumnType::new(declared, meaning),
        nullable: false,
        default: None,
        generated: None,
        identity: None,
        collation: None,
        words: Default::default(),
    }
}

fn integer(name: &str) -> Column {
    column(name, "integer", Type::Integer { bytes: 4, unsigned: false })
}

fn text(name: &str) -> Column {
    column(name, "varchar(40)", Type::Text { chars_max: Some(40), fixed: false })
}

fn inserts(rows: impl Iterator<Item = (usize, String)>) -> TableWrite {
    let rows = rows.map(|(id, text)| vec![Value::Integer(id as i128), Value::Text(text)]);
    TableWrite {
        table: TableName::plain("t"),
        rows: RowsToWrite::Insert { columns: vec![integer("id"), text("v")], rows: rows.collect() },
    }
}

fn key() -> Vec<SelectColumn> {
    vec![SelectColumn { column: integer("id"), domain: Domain::Integer { bytes: 4 } }]
}

fn updates(rows: impl Iterator<Item = (usize, String)>) -> TableWrite {
    let row =
        |(id, text)| RowUpdate { key: vec![Value::Integer(id as i128)], values: vec![Value::Text(text)] };
    let rows = rows.map(row).collect();
    TableWrite {
        table: TableName::plain("t"),
        rows: RowsToWrite::Update { key: key(), columns: vec![text("v")], keep: Vec::new(), rows },
    }
}

fn deletes(ids: impl Iterator<Item = usize>) -> TableWrite {
    let keys = ids.map(|id| vec![Value::Integer(id as i128)]).collect();
    TableWrite { table: TableName::plain("t"), rows: RowsToWrite::Delete { key: key(), keys } }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

async fn writer(database: &Database) -> Box<dyn trueup::engine::Writer> {
    let side = Side::from_url(SideUrl::parse(&database.url, Place::START).expect("a URL"));
    connect(&side, true).await.expect("the server is there").writer().await.expect("a writer")
}

/// Writes and commits.
async fn committed(database: &Database, writes: Vec<TableWrite>) -> Result<Vec<u64>, EngineError> {
    let mut writer = writer(database).await;
    writer.begin().await?;
    let mut matched = Vec::new();
    for write in writes {
        matched.push(writer.write(write).await?);
    }
    writer.commit().await?;
    Ok(matched)
}

fn word(id: usize) -> String {
    format!("o'ne\t{id}\\\r\n\u{1}é")
}

#[test]
fn rows_are_written_counted_and_found_on_every_engine() {
    for engine in Engine::all() {
        let database = open(engine, "bulk");
        database.execute_script("CREATE TABLE t (id integer PRIMARY KEY, v varchar(40) NOT NULL)");
        let all = || (0..ROWS).map(|id| (id, word(id)));
        let writes = [
            inserts(all()),
            updates(all().filter(|(id, _)| id % 2 == 0).map(|(id, _)| (id, word(id + 1)))),
            updates((ROWS..2 * ROWS).map(|id| (id, word(id)))),
            deletes((ROWS / 2)..2 * ROWS),
        ];
        let matched = block_on(committed(&database, writes.into())).expect("they are written");
        let rows = ROWS as u64;
        assert_eq!(matched, [rows, rows / 2, 0, rows / 2], "{}", engine.name());
        let expected = open(engine, "expected");
        expected.execute_script("CREATE TABLE t (id integer PRIMARY KEY, v varchar(40) NOT NULL)");
        for id in 0..ROWS / 2 {
            let write = inserts(std::iter::once((id, word(if id % 2 == 0 { id + 1 } else { id }))));
            block_on(committed(&expected, vec![write])).expect("a row is written");
        }
        assert_eq!(database.dump(), expected.dump(), "{}", engine.name());
    }
}

/// A connection that could not write goes on as if it had not tried, in the next transaction.
#[test]
fn rows_that_are_refused_leave_nothing_behind() {
    for engine in Engine::all() {
        let database = open(engine, "refused");
        database.execute_script(
            "CREATE TABLE t (id integer PRIMARY KEY, v varchar(40) NOT NULL CHECK (v <> 'odd')); \
             INSERT INTO t VALUES (7, 'there')",
        );
        let plain = |from: usize| (from..from + ROWS).map(|id| (id, format!("v{id}")));
        let odd = |id: usize| (id, "odd".to_owned());
        let refused =
            [inserts(plain(0)), inserts(plain(100).chain([odd(50)])), updates(plain(100).chain([odd(7)]))];
        block_on(async {
            let mut writer = writer(&database).await;
            for write in refused {
                writer.begin().await.expect("a transaction");
                let error = writer.write(write).await.expect_err("a constraint does not hold");
                assert_eq!(error.kind, ErrorKind::Value, "{}: {error}", engine.name());
                writer.rollback().await.expect("it rolls back");
            }
            writer.begin().await.expect("a transaction");
            assert!(writer.has_rows(&TableName::plain("t")).await.expect("it is read"));
            assert_eq!(writer.write(inserts(plain(100))).await.expect("they fit"), ROWS as u64);
            writer.commit().await.expect("it commits");
        });
        assert_eq!(database.query("SELECT count(*) FROM t")[0][0].as_deref(), Some("241"));
        assert_eq!(database.query("SELECT v FROM t WHERE id = 7")[0][0].as_deref(), Some("there"));
    }
}

#[test]
fn a_failed_copy_cannot_be_committed() {
    let database = open(Engine::Postgres, "half");
    database.execute_script("CREATE TABLE t (id integer PRIMARY KEY, v varchar(40) NOT NULL)");
    block_on(async {
        let mut writer = writer(&database).await;
        writer.begin().await.expect("a transaction");
        let rows = |from: usize| (from..from + ROWS).map(|id| (id, String::new()));
        writer.write(inserts(rows(0))).await.expect("they fit");
        writer.write(inserts(rows(100))).await.expect_err("some are there");
        writer.commit().await.expect_err("half of it is nothing");
        writer.begin().await.expect("a transaction");
        assert!(!writer.has_rows(&TableName::plain("t")).await.expect("it is read"));
        writer.rollback().await.expect("it rolls back");
    });
}

#[test]
fn a_value_that_cannot_be_staged_is_an_error_before_anything_is_written() {
    let database = open(Engine::Postgres, "nul");
    database.execute_script(
        "CREATE TABLE t (id integer PRIMARY KEY, v varchar(40) NOT NULL); CREATE TABLE seen (n integer); \
         CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS \
            'BEGIN INSERT INTO seen VALUES (1); RETURN NULL; END'; \
         CREATE TRIGGER see AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION see()",
    );
    block_on(async {
        let mut writer = writer(&database).await;
        writer.begin().await.expect("a transaction");
        let rows = (0..ROWS).map(|id| (id, String::new())).chain([(ROWS, "a\0b".to_owned())]);
        let error = writer.write(inserts(rows)).await.expect_err("a NUL");
        assert_eq!(error.kind, ErrorKind::Value, "{error}");
        assert!(!writer.has_rows(&TableName::plain("seen")).await.expect("it is read"));
        writer.rollback().await.expect("it rolls back");
    });
}

/// A rule of the replica sees what is inserted; COPY alone would pass it by.
#[test]
fn rules_are_not_passed_by() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.both("CREATE TABLE t (id integer PRIMARY KEY, v varchar(40)); CREATE TABLE seen (id integer)");
    pair.replica.execute_script(
        "CREATE RULE see AS ON INSERT TO t DO ALSO INSERT INTO seen VALUES (new.id); INSERT INTO t VALUES (0, 'x'); \
         DELETE FROM seen",
    );
    pair.primary.execute_script("INSERT INTO t SELECT i, 'v' FROM generate_series(1, 500) i");
    pair.tables("[t]");
    pair.exits(&["apply", "spec.yml", "-y"], 0);
    assert_eq!(pair.replica.query("SELECT count(*) FROM seen")[0][0].as_deref(), Some("500"));
}

/// A login without the right to make temporary tables writes all the same.
#[test]
fn without_temporary_tables_rows_go_by_statements() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.both("CREATE TABLE t (id integer PRIMARY KEY, v varchar(40))");
    pair.primary.execute_script("INSERT INTO t SELECT i, 'new' FROM generate_series(1, 900) i");
    pair.replica.execute_script("INSERT INTO t SELECT i, 'old' FROM generate_series(301, 1200) i");
    let url = pair.replica.limited_role("GRANT SELECT, INSERT, UPDATE, DELETE ON t TO {role}");
    let name = pair.replica.query("SELECT current_database()")[0][0].clone().expect("a name");
    pair.replica.execute_script(&format!("REVOKE TEMPORARY ON DATABASE \"{name}\" FROM PUBLIC"));
    pair.tables("[t]");
    let run = pair.run_with(&["apply", "spec.yml", "-y"], &[("REPLICA_URL", &url)]);
    assert_eq!(run.exit, Some(0), "{}", run.told());
    assert_eq!(pair.replica.dump(), pair.primary.dump());
}

/// 10,000 rows on both sides, of which a third is to be inserted, updated and deleted.
fn scattered(engine: Engine) -> Pair {
    let pair = Pair::new(Engine::Sqlite, engine);
    pair.both("CREATE TABLE t (id integer PRIMARY KEY, v varchar(40))");
    let rows = |keep: &dyn Fn(usize) -> Option<String>| {
        let rows: Vec<String> = (0..15_000).filter_map(keep).collect();
        format!("INSERT INTO t VALUES {}", rows.join(", "))
    };
    pair.primary.execute_script(&rows(&|id| (id % 3 > 0).then(|| format!("({id}, 'new')"))));
    pair.replica.execute_script(&rows(&|id| (id % 3 < 2).then(|| format!("({id}, 'old')"))));
    pair.tables("[t]");
    pair
}

#[test]
fn ten_thousand_rows_take_few_statements() {
    let pair = scattered(Engine::Postgres);
    pair.replica.execute_script(
        "CREATE SCHEMA apart; CREATE TABLE apart.seen (what text); \
         CREATE FUNCTION apart.see() RETURNS trigger LANGUAGE plpgsql AS \
            'BEGIN INSERT INTO apart.seen VALUES (TG_OP); RETURN NULL; END'; \
         CREATE TRIGGER see AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION apart.see()",
    );
    let applied = pair.document(&["apply", "spec.yml", "-y"], 0);
    let done = json!({ "schema_changes": 0, "insert": 5000, "update": 5000, "delete": 5000, "already": 0 });
    assert_eq!(applied["applied"], done, "{applied:#}");
    let seen = pair.replica.query("SELECT what, count(*) FROM apart.seen GROUP BY what ORDER BY what");
    for row in &seen {
        assert_eq!(row[1].as_deref(), Some("1"), "{seen:?}");
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
}

/// MariaDB counts what each user has asked for.
#[test]
fn ten_thousand_rows_take_few_round_trips() {
    if !mariadb().is_private() || mariadb().product.is_mysql() {
        crate::servers::not_run(Engine::Mariadb, "counted round trips", "it needs MariaDB's userstat");
        return;
    }
    mariadb().administer("SET GLOBAL userstat = 1").expect("the administrator may");
    let pair = scattered(Engine::Mariadb);
    let url = pair.replica.limited_role("GRANT ALL ON * TO {role}; GRANT PROCESS ON *.* TO {role}");
    let run = pair.run_with(&["apply", "spec.yml", "-y", "--no-verify"], &[("REPLICA_URL", &url)]);
    assert_eq!(run.exit, Some(0), "{}", run.told());
    let user = url.split("//").nth(1).and_then(|rest| rest.split(':').next()).expect("a user");
    let counted = pair.replica.query(&format!(
        "SELECT SELECT_COMMANDS + UPDATE_COMMANDS + OTHER_COMMANDS FROM information_schema.USER_STATISTICS \
         WHERE USER = '{user}'"
    ));
    let commands: u64 = counted[0][0].as_deref().and_then(|text| text.parse().ok()).expect("a number");
    assert!(commands < 150, "{commands} statements for 15,000 changes");
}

/// As many rows as make several ranges and batches.
const COPIED: usize = 5_000;

fn filled(primary: Engine, replica: Engine) -> Pair {
    let pair = Pair::new(primary, replica);
    pair.primary.execute_script("CREATE TABLE t (id integer PRIMARY KEY, v varchar(40))");
    let rows: Vec<String> = (0..COPIED).map(|id| format!("({}, 'v{id}')", id * 2)).collect();
    pair.primary.execute_script(&format!("INSERT INTO t VALUES {}", rows.join(", ")));
    pair.tables("[t]");
    pair
}

#[test]
fn a_missing_table_and_an_empty_one_are_filled_batch_by_batch() {
    for (primary, replica) in Engine::pairs() {
        let pair = filled(primary, replica);
        let planned = pair.document(&["plan", "spec.yml", "-o", "a.plan"], 0);
        assert_eq!(planned["summary"]["insert"], COPIED, "{planned:#}");
        let apply = ["apply", "a.plan", "-y", "--batch-rows", "2000"];
        let applied = pair.document(&apply, 0);
        let batches = json!({ "committed": 3, "of": 3 });
        assert_eq!(applied["replicas"][0]["batches"], batches, "{applied:#}");
        assert_eq!(applied["verified"], true, "{applied:#}");
        let whole = pair.document(&["verify", "spec.yml"], 0);
        assert_eq!(whole["in_sync"], true, "{whole:#}");
        // Empty now, and then cut off after the first batch.
        pair.replica.execute_script("DELETE FROM t");
        pair.exits(&["plan", "spec.yml", "-o", "b.plan"], 0);
        let rows: Vec<String> = (0..2_000).map(|id| format!("({}, 'v{id}')", id * 2)).collect();
        pair.replica.execute_script(&format!("INSERT INTO t VALUES {}", rows.join(", ")));
        let rest = pair.document(&["apply", "b.plan", "-y", "--batch-rows", "2000"], 0);
        assert_eq!(rest["applied"]["insert"], COPIED - 2_000, "{rest:#}");
        assert_eq!(rest["applied"]["already"], 2_000, "{rest:#}");
        let again = pair.document(&["apply", "b.plan", "-y"], 0);
        assert_eq!(again["applied"]["already"], COPIED, "{again:#}");
        pair.exits(&["verify", "spec.yml"], 0);
    }
}

/// A row that came meanwhile where none was is left alone, unless it is in the way.
#[test]
fn rows_that_came_meanwhile_are_seen() {
    for engine in Engine::all() {
        let pair = filled(Engine::Sqlite, engine);
        pair.replica.execute_script("CREATE TABLE t (id integer PRIMARY KEY, v varchar(40))");
        pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
        pair.replica.execute_script("INSERT INTO t VALUES (4000, 'mine')");
        let stale = pair.document(&["apply", "a.plan", "-y"], 4);
        assert_eq!(stale["replicas"][0]["outcome"], "stale", "{stale:#}");
        assert_eq!(pair.replica.query("SELECT count(*) FROM t")[0][0].as_deref(), Some("1"));
        pair.replica.execute_script("DELETE FROM t; INSERT INTO t VALUES (4001, 'aside')");
        let applied = pair.document(&["apply", "a.plan", "-y"], 0);
        assert_eq!(applied["verified"], true, "{}: {applied:#}", engine.name());
        assert_eq!(pair.replica.query("SELECT count(*) FROM t")[0][0].as_deref(), Some("5001"));
    }
}

/// Reading back by ranges tells that something is wrong, and then the rows one by one, what.
#[test]
fn a_row_of_a_copy_that_is_not_kept_is_named() {
    let triggers = [
        (
            Engine::Sqlite,
            "CREATE TRIGGER r AFTER INSERT ON t WHEN new.id = 4242 BEGIN UPDATE t SET v = 'other' WHERE id = 4242; END",
        ),
        (
            Engine::Postgres,
            "CREATE FUNCTION r() RETURNS trigger LANGUAGE plpgsql AS \
                'BEGIN IF new.id = 4242 THEN new.v := ''other''; END IF; RETURN new; END'; \
             CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION r()",
        ),
        (
            Engine::Mariadb,
            "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET new.v = IF(new.id = 4242, 'other', new.v)",
        ),
    ];
    for (engine, trigger) in triggers {
        let pair = filled(Engine::Sqlite, engine);
        pair.replica.execute_script("CREATE TABLE t (id integer PRIMARY KEY, v varchar(40))");
        pair.replica.execute_script(trigger);
        let refused = pair.document(&["apply", "spec.yml", "-y"], 1);
        let error = refused["replicas"][0]["error"].to_string();
        assert!(error.contains("id = 4242") && error.contains("did not keep"), "{error}");
        assert_eq!(
            pair.replica.query("SELECT count(*) FROM t")[0][0].as_deref(),
            Some("0"),
            "{}",
            engine.name()
        );
    }
}

/// Text that the replica sorts in a way of its own, and ignored columns, do not confuse a copy.
#[test]
fn a_copy_is_read_back_in_the_columns_that_are_compared() {
    for engine in Engine::all() {
        let pair = Pair::new(engine, engine);
        pair.primary.execute_script(
            "CREATE TABLE t (a varchar(20) NOT NULL, b integer NOT NULL, aside varchar(20), v varchar(20), \
             PRIMARY KEY (b, a))",
        );
        let rows: Vec<String> =
            (0..COPIED).map(|id| format!("('k{}', {}, 'x', NULL)", id % 7, id / 7)).collect();
        pair.primary.execute_script(&format!("INSERT INTO t VALUES {}", rows.join(", ")));
        pair.tables("[{ table: t, compare: { aside: ignore } }]");
        let applied = pair.document(&["apply", "spec.yml", "-y"], 0);
        assert_eq!(applied["verified"], true, "{applied:#}");
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());
    }
}

/// Rows without a key, many of them more than once, into a table that had none; NULLs and all.
#[test]
fn a_table_without_a_key_is_filled_batch_by_batch() {
    for engine in Engine::all() {
        let pair = Pair::new(Engine::Sqlite, engine);
        pair.both("CREATE TABLE t (a integer, v varchar(40))");
        let rows: Vec<String> = (0..COPIED)
            .map(|id| match id % 5 {
                0 => format!("({}, NULL)", id / 10),
                _ => format!("({}, 'v{}')", id / 10, id % 3),
            })
            .collect();
        pair.primary.execute_script(&format!("INSERT INTO t VALUES {}", rows.join(", ")));
        pair.tables("[t]");
        let applied = pair.document(&["apply", "spec.yml", "-y", "--batch-rows", "2000"], 0);
        assert_eq!(applied["verified"], true, "{}: {applied:#}", engine.name());
        assert_eq!(applied["applied"]["insert"], COPIED, "{applied:#}");
        pair.exits(&["verify", "spec.yml"], 0);
        pair.replica.execute_script("DELETE FROM t; INSERT INTO t VALUES (-1, 'aside')");
        let applied = pair.document(&["apply", "spec.yml", "-y"], 0);
        assert_eq!(applied["verified"], true, "{}: {applied:#}", engine.name());
        pair.exits(&["verify", "spec.yml"], 0);
    }
}

/// SQLite tables may say themselves what becomes of rows in the way: never what the plan says.
#[test]
fn a_conflict_clause_of_the_replica_replaces_no_row() {
    let unique = "CREATE TABLE t (id integer PRIMARY KEY, u text UNIQUE ON CONFLICT REPLACE)";
    for drift in ["INSERT INTO t VALUES (1, 'a')", "INSERT INTO t VALUES (1, 'a'), (2, 'b')"] {
        let pair = Pair::new(Engine::Sqlite, Engine::Sqlite);
        pair.both(unique);
        pair.primary.execute_script(drift);
        pair.replica.execute_script("INSERT INTO t SELECT 2, 'c' WHERE 1 = 1");
        pair.tables("[{ table: t, delete: false }]");
        pair.document(&["plan", "spec.yml", "-o", "a.plan"], 0);
        pair.replica.execute_script("INSERT INTO t VALUES (10, 'a'), (11, 'b')");
        let before = pair.replica.dump();
        pair.exits(&["apply", "a.plan", "-y"], 1);
        assert_eq!(pair.replica.dump(), before, "{drift}");
    }
}

/// Where somebody watches definitions, rows go without any.
#[test]
fn rows_of_postgres_go_without_definitions_where_event_triggers_watch() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    let t = "CREATE TABLE t (id integer PRIMARY KEY, v integer)";
    pair.primary.execute_script(&format!("{t}; INSERT INTO t SELECT i, 1 FROM generate_series(1, 400) i"));
    pair.replica.execute_script(&format!("{t}; INSERT INTO t SELECT i, 2 FROM generate_series(1, 400) i"));
    pair.replica.execute_script(
        "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no definitions here''; END'; \
         CREATE EVENT TRIGGER refuse ON ddl_command_start EXECUTE FUNCTION refuse()",
    );
    pair.tables("[t]");
    let applied = pair.document(&["apply", "spec.yml", "-y"], 0);
    pair.replica.execute_script("DROP EVENT TRIGGER refuse");
    assert_eq!(applied["verified"], true, "{applied:#}");
}
