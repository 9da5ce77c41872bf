//! Promise 2, watched from inside the replica: a row equal on both sides is not written, an update sets only
//! the columns that differ, and a table that is equal is not written at all.
//!
//! Triggers on the replica write a line for every row that is inserted, updated or deleted, and, where the
//! engine has triggers on columns (SQLite, PostgreSQL), for every column that an UPDATE names, even when it
//! names the value that is there already. PostgreSQL's are ENABLE ALWAYS, so that no session setting
//! silences them. The lines must be those that the plan says, no fewer and no more. Before that is believed,
//! the audit must catch extra writes that a person plants.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::servers::{Database, Engine, open};
use crate::tool;

const TABLES: &str = "
    CREATE TABLE parent (id integer PRIMARY KEY, name varchar(40), n integer);
    CREATE TABLE child (id integer PRIMARY KEY, parent_id integer NOT NULL, name varchar(40), n integer,
        FOREIGN KEY (parent_id) REFERENCES parent (id));
    CREATE TABLE same (id integer PRIMARY KEY, name varchar(40), n integer);
    INSERT INTO parent VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3), (4, 'four', NULL);
    INSERT INTO child VALUES (10, 1, 'a', 1), (20, 2, 'b', 2), (30, 3, 'c', 3), (31, 3, 'd', NULL);
    INSERT INTO same VALUES (1, 'one', 1), (2, 'two', NULL);";

/// Changed name, changed number, changed to NULL, a new parent, rows missing and rows too many.
const DRIFT: &str = "
    UPDATE parent SET name = 'deux' WHERE id = 2;
    UPDATE parent SET n = 4 WHERE id = 4;
    DELETE FROM child WHERE id IN (30, 31);
    DELETE FROM parent WHERE id = 3;
    INSERT INTO parent VALUES (5, 'five', 5);
    INSERT INTO child VALUES (50, 5, 'e', 5);
    UPDATE child SET parent_id = 5, n = 7 WHERE id = 20;";

const COLUMNS: &[(&str, &[&str])] =
    &[("parent", &["name", "n"]), ("child", &["parent_id", "name", "n"]), ("same", &["name", "n"])];

const SPEC: &str = "
version: 1
primary: ${PRIMARY_URL}
replicas: { copy: \"${REPLICA_URL}\" }
tables: [same, child, parent]
";

/// Line → how often it was written: `child update 20`, `child.n update 20`.
type Writes = BTreeMap<String, u64>;

#[test]
fn exactly_the_planned_rows_and_columns_are_written() {
    for (primary, replica) in Engine::pairs() {
        let (primary, replica) = (open(primary, "audit primary"), open(replica, "audit replica"));
        primary.execute_script(TABLES);
        replica.execute_script(TABLES);
        replica.execute_script(DRIFT);
        watch(&replica);
        let pair = format!("{}/{}", primary.engine.name(), replica.engine.name());
        let planned = plan_and_apply(&primary, &replica, &pair);
        assert_eq!(written(&replica), planned, "{pair}: written (first) is not planned (second)");
        assert!(planned.len() >= 8, "{pair}: the drift was not planned: {planned:?}");
        // Nothing is left to do, and doing nothing writes nothing.
        assert_eq!(plan_and_apply(&primary, &replica, &pair), Writes::new(), "{pair}");
        assert_eq!(written(&replica), planned, "{pair}: a second apply wrote rows");
    }
}

#[test]
fn the_audit_catches_planted_writes_that_leave_every_row_as_it_was() {
    let planted = [
        ("UPDATE same SET n = 1 WHERE id = 1", "same update 1"),
        ("UPDATE same SET name = name WHERE id = 2", "same update 2"),
        ("DELETE FROM child WHERE id = 10; INSERT INTO child VALUES (10, 1, 'a', 1)", "child delete 10"),
        ("INSERT INTO parent VALUES (9, NULL, NULL); DELETE FROM parent WHERE id = 9", "parent insert 9"),
    ];
    for engine in Engine::all() {
        let rows = |database: &Database| {
            let mut dump = database.dump();
            dump.retain(|table, _| !table.ends_with("audit_log"));
            dump
        };
        for (sql, line) in planted {
            let database = open(engine, "planted");
            database.execute_script(TABLES);
            watch(&database);
            let before = rows(&database);
            database.execute_script(sql);
            let writes = written(&database);
            assert_eq!(writes.get(line), Some(&1), "{}: {sql} is not in {writes:?}", engine.name());
            assert_eq!(rows(&database), before, "{}: {sql}", engine.name());
        }
    }
}

/// Plans and applies, and gives the lines that the plan's document asks for.
fn plan_and_apply(primary: &Database, replica: &Database, pair: &str) -> Writes {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    std::fs::write(directory.path().join("spec.yml"), SPEC).expect("the spec can be written");
    let urls = [("PRIMARY_URL", primary), ("REPLICA_URL", replica)];
    let variables = urls.map(|(name, database)| (name.to_string(), database.url.clone())).into();
    let plan = tool::run(directory.path(), &variables, &["plan", "spec.yml", "--format", "json"]);
    assert_eq!(plan.exit, Some(0), "{pair}\n{}", plan.told());
    let apply = tool::run(directory.path(), &variables, &["apply", "spec.yml", "-y"]);
    assert_eq!(apply.exit, Some(0), "{pair}\n{}", apply.told());
    let tables = plan.document()["replicas"][0]["tables"].as_array().cloned().unwrap_or_default();
    let lines = tables.iter().flat_map(|table| {
        let changes = table["changes"].as_array().into_iter().flatten();
        changes.flat_map(|change| planned_lines(table, change, replica.engine))
    });
    count(lines)
}

fn planned_lines(table: &Json, change: &Json, engine: Engine) -> Vec<String> {
    let (table, action) = (table["table"].as_str().unwrap_or("?"), change["action"].as_str().unwrap_or("?"));
    let key = &change["key"]["id"];
    let mut lines = vec![format!("{table} {action} {key}")];
    if action == "update" && has_column_triggers(engine) {
        let columns = change["after"].as_object().into_iter().flat_map(|after| after.keys());
        lines.extend(columns.map(|column| format!("{table}.{column} update {key}")));
    }
    lines
}

fn has_column_triggers(engine: Engine) -> bool {
    engine != Engine::Mariadb
}

/// Sets the triggers on all tables. They write to a table that no spec names.
fn watch(database: &Database) {
    database.execute_script("CREATE TABLE audit_log (line varchar(200));");
    for (table, columns) in COLUMNS {
        for (event, row) in [("insert", "new"), ("update", "new"), ("delete", "old")] {
            database.execute_script(&trigger(database.engine, table, None, event, row));
        }
        for column in columns.iter().filter(|_| has_column_triggers(database.engine)) {
            database.execute_script(&trigger(database.engine, table, Some(column), "update", "new"));
        }
    }
}

fn trigger(engine: Engine, table: &str, column: Option<&str>, event: &str, row: &str) -> String {
    let of = column.map(|column| format!(" OF {column}")).unwrap_or_default();
    let what = column.map_or(table.to_string(), |column| format!("{table}.{column}"));
    let name = format!("audit_{}_{event}", what.replace('.', "_"));
    let head = format!("CREATE TRIGGER {name} AFTER {event}{of} ON {table} FOR EACH ROW");
    match engine {
        Engine::Sqlite => {
            format!("{head} BEGIN INSERT INTO audit_log VALUES ('{what} {event} ' || {row}.id); END;")
        }
        Engine::Mariadb => {
            format!("{head} INSERT INTO audit_log VALUES (concat('{what} {event} ', {row}.id));")
        }
        Engine::Postgres => format!(
            "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO audit_log VALUES ('{what} {event} ' || {row}.id); RETURN NULL; END $$; \
             {head} EXECUTE FUNCTION {name}(); ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name};"
        ),
    }
}

/// What the triggers saw since they were set.
fn written(database: &Database) -> Writes {
    count(database.query("SELECT line FROM audit_log").into_iter().flatten().flatten())
}

fn count(lines: impl Iterator<Item = String>) -> Writes {
    let mut writes = Writes::new();
    for line in lines {
        *writes.entry(line).or_default() += 1;
    }
    writes
}
