//! `renamed_from`: tables and columns keep their rows under other names.

use serde_json::{Value as Json, json};

use crate::pair::Pair;
use crate::script::client;
use crate::servers::Engine;

const RENAMED: &str = "[{ table: people, renamed_from: { table: persons, columns: { name: label } } }]";

fn actions(document: &Json) -> Vec<(String, String)> {
    let tables = document["replicas"][0]["tables"].as_array().expect("there are tables");
    let changes = tables.iter().flat_map(|table| table["schema_changes"].as_array().into_iter().flatten());
    let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    changes.map(|change| (text(&change["action"]), text(&change["object"]))).collect()
}

fn first_actions() -> Vec<(String, String)> {
    let named = |(action, object): (&str, &str)| (action.to_owned(), object.to_owned());
    [("rename_table", "persons"), ("rename_column", "people.label")].map(named).to_vec()
}

/// A table under an old name with a column that had another one, and rows that differ.
fn renamed(engine: Engine) -> Pair {
    let pair = Pair::new(engine, engine);
    let table = |table: &str, column: &str| {
        format!(
            "CREATE TABLE {table} (id integer PRIMARY KEY, {column} varchar(30) NOT NULL, n integer,
                CONSTRAINT long_enough CHECK (length({column}) > 1));
             CREATE INDEX by_name ON {table} ({column});
             CREATE TABLE pets (id integer PRIMARY KEY, owner integer, FOREIGN KEY (owner) REFERENCES {table} (id));
             INSERT INTO {table} VALUES (1, 'Ann', 1), (2, 'Bob', 2), (3, 'Cid', 3); INSERT INTO pets VALUES (1, 1), (2, 3);"
        )
    };
    pair.primary.execute_script(&table("people", "name"));
    pair.replica.execute_script(&table("persons", "label"));
    pair.primary.execute_script(
        "UPDATE people SET n = 20 WHERE id = 2; INSERT INTO people VALUES (4, 'Dot', 4); DELETE FROM pets WHERE id = 2; DELETE FROM people WHERE id = 3;",
    );
    pair
}

#[test]
fn rows_are_compared_under_the_old_names_and_written_under_the_new_ones() {
    for engine in Engine::all() {
        let pair = renamed(engine);
        pair.tables(&RENAMED.replace('[', "[pets, "));
        let planned = pair.document(&["plan", "spec.yml"], 0);
        let renames: Vec<_> = actions(&planned)
            .into_iter()
            .filter(|(action, _)| action == "rename_table" || action == "rename_column")
            .collect();
        assert_eq!(renames, first_actions(), "{}: {planned:#}", engine.name());
        let people = planned["replicas"][0]["tables"]
            .as_array()
            .expect("tables")
            .iter()
            .find(|table| table["table"] == "people");
        assert_eq!(
            people.expect("it is there")["summary"],
            json!({ "insert": 1, "update": 1, "delete": 1 }),
            "{}",
            engine.name()
        );
        pair.exits(&["verify", "spec.yml"], 2);
        pair.exits(&["check", "spec.yml"], 0);
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());
        // It is done, and stays so.
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
        pair.exits(&["check", "spec.yml"], 0);
    }
}

#[test]
fn in_batches_and_beside_other_changes() {
    for engine in Engine::all() {
        let pair = renamed(engine);
        pair.primary.execute_script("ALTER TABLE people ADD more integer; UPDATE people SET more = id;");
        if engine == Engine::Sqlite {
            // What is made anew comes behind the new names.
            pair.primary.execute_script(
                "CREATE TABLE p2 (id integer PRIMARY KEY, name varchar(90) NOT NULL, n integer, more integer, CONSTRAINT long_enough CHECK (length(name) > 1));
                 INSERT INTO p2 SELECT * FROM people; PRAGMA foreign_keys = OFF; DROP TABLE people; ALTER TABLE p2 RENAME TO people; CREATE INDEX by_name ON people (name);",
            );
        }
        pair.tables(&RENAMED.replace('[', "[pets, "));
        pair.exits(&["apply", "spec.yml", "-y", "--batch-rows", "1", "--allow", "all"], 0);
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    }
}

#[test]
fn both_names_are_an_error_and_none_creates() {
    for engine in Engine::all() {
        let pair = renamed(engine);
        pair.tables(RENAMED);
        pair.replica.execute_script("CREATE TABLE people (id integer PRIMARY KEY);");
        let both = pair.exits(&["plan", "spec.yml"], 1);
        assert!(
            both.stdout.contains("spec.yml:4:") && both.stdout.contains("the replica has both"),
            "{}",
            both.told()
        );
        pair.replica.execute_script("DROP TABLE people; ALTER TABLE persons ADD name varchar(30);");
        let both = pair.exits(&["plan", "spec.yml"], 1);
        assert!(both.stdout.contains("has both label and name"), "{}", both.told());
        pair.exits(&["check", "spec.yml"], 1);
        pair.replica.execute_script("DROP TABLE pets; DROP TABLE persons;");
        let planned = pair.document(&["plan", "spec.yml"], 0);
        assert_eq!(actions(&planned)[0].0, "create_table", "{}", engine.name());
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    }
}

#[test]
fn what_another_one_has_as_its_counterpart_is_not_taken_away() {
    for engine in Engine::all() {
        let pair = renamed(engine);
        pair.primary.execute_script("CREATE TABLE persons (id integer PRIMARY KEY);");
        pair.tables(&RENAMED.replace('[', "[persons, "));
        let taken = pair.exits(&["plan", "spec.yml"], 1);
        assert!(taken.stdout.contains("is the counterpart of persons"), "{}", taken.told());
        pair.primary.execute_script("DROP TABLE persons; ALTER TABLE people ADD label varchar(3);");
        pair.tables(RENAMED);
        let taken = pair.exits(&["plan", "spec.yml"], 1);
        assert!(taken.stdout.contains("label is the counterpart of label"), "{}", taken.told());
    }
}

#[test]
fn with_rename_the_old_name_becomes_the_replicas_own() {
    for engine in Engine::all() {
        let pair = renamed(engine);
        pair.tables(
            "[{ table: people, to: folk, rename: { name: called }, where: 'name <> ''Zoe'' and id < 100', renamed_from: { table: persons, columns: { name: label } } }]",
        );
        pair.replica.execute_script("DELETE FROM pets WHERE id = 2;");
        pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
        let rows = pair.replica.query("SELECT called FROM folk ORDER BY id");
        let names: Vec<_> = rows.iter().map(|row| row[0].as_deref().unwrap_or_default()).collect();
        assert_eq!(names, ["Ann", "Bob", "Dot"], "{}", engine.name());
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    }
}

#[test]
fn what_is_only_checked_keeps_its_name() {
    for engine in Engine::all() {
        let pair = renamed(engine);
        pair.replica.execute_script("DELETE FROM pets WHERE id = 2;");
        pair.tables(&RENAMED.replace("people,", "people, schema: check,"));
        let planned = pair.document(&["plan", "spec.yml"], 0);
        assert_eq!(actions(&planned)[..2], first_actions(), "{}", engine.name());
        assert_eq!(planned["replicas"][0]["tables"][0]["schema_changes"][0]["withheld"], true);
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        let rows = pair.replica.query("SELECT label FROM persons ORDER BY id");
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[2][0].as_deref(), Some("Dot"), "{}", engine.name());
        pair.exits(&["verify", "spec.yml"], 2);
    }
}

#[test]
fn a_saved_plan_goes_on_where_it_was_cut_off() {
    for engine in Engine::all() {
        let pair = renamed(engine);
        pair.tables(&RENAMED.replace('[', "[pets, "));
        pair.exits(&["plan", "spec.yml", "-o", "p.plan"], 0);
        // As an engine leaves it that commits every change of structure.
        pair.replica.execute_script("ALTER TABLE persons RENAME TO people;");
        let applied = pair.exits(&["apply", "p.plan", "-y"], 0);
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}: {}", engine.name(), applied.told());
        pair.exits(&["apply", "p.plan", "-y"], 0);

        let pair = renamed(engine);
        pair.tables(&RENAMED.replace('[', "[pets, "));
        pair.exits(&["plan", "spec.yml", "-o", "p.plan"], 0);
        pair.exits(&["apply", "p.plan", "-y"], 0);
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());

        let pair = renamed(engine);
        pair.tables(&RENAMED.replace('[', "[pets, "));
        pair.exits(&["plan", "spec.yml", "-o", "p.plan"], 0);
        pair.replica.execute_script("CREATE TABLE people (id integer PRIMARY KEY);");
        let stale = pair.exits(&["apply", "p.plan", "-y"], 4);
        assert!(stale.told().contains("are there"), "{}", stale.told());
        pair.replica.execute_script("DROP TABLE people; ALTER TABLE persons ADD other integer;");
        pair.exits(&["apply", "p.plan", "-y"], 4);
    }
}

#[test]
fn names_and_rows_are_given_back() {
    // PostgreSQL's own names for keys follow their table's, which is one change more.
    for engine in [Engine::Sqlite, Engine::Mariadb] {
        let pair = renamed(engine);
        pair.tables(&RENAMED.replace('[', "[pets, "));
        let before = (pair.replica.dump(), structure_of(&pair));
        pair.exits(&["plan", "spec.yml", "-o", "p.plan"], 0);
        pair.exits(&["apply", "p.plan", "-y"], 0);
        let after = (pair.replica.dump(), structure_of(&pair));
        assert_eq!(after.0, pair.primary.dump(), "{}", engine.name());
        pair.exits(&["undo", "p.plan", "-o", "u.plan"], 0);
        let script = pair.exits(&["show", "u.plan", "--format", "sql"], 0).stdout;
        let undone = pair.exits(&["apply", "u.plan", "-y", "--allow", "all"], 0);
        assert_eq!(
            (pair.replica.dump(), structure_of(&pair)),
            before,
            "{}: {}",
            engine.name(),
            undone.told()
        );
        pair.exits(&["apply", "u.plan", "-y", "--allow", "all"], 0);
        assert_eq!((pair.replica.dump(), structure_of(&pair)), before, "{}", engine.name());

        // There again by a plan of its own, and back by the script.
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        assert_eq!((pair.replica.dump(), structure_of(&pair)), after, "{}", engine.name());
        std::fs::write(pair.path("script.sql"), &script).expect("it can be written");
        let done = client(engine, &pair.replica.url, &pair.path("script.sql"), &[]);
        assert!(done.ok, "{}: {}\n{script}", engine.name(), done.said);
        assert_eq!((pair.replica.dump(), structure_of(&pair)), before, "{}", engine.name());
    }
}

#[test]
fn names_of_columns_are_given_back() {
    let entry = "[{ table: t, renamed_from: { columns: { a: x, b: y } } }]";
    for engine in Engine::all() {
        let pair = Pair::new(engine, engine);
        let table = |one: &str, other: &str| {
            format!(
                "CREATE TABLE t (id integer PRIMARY KEY, {one} integer, {other} integer);
                 INSERT INTO t VALUES (1, 10, 20), (2, 11, 21);"
            )
        };
        pair.primary.execute_script(
            &(table("a", "b") + "UPDATE t SET a = 5 WHERE id = 2; DELETE FROM t WHERE id = 1;"),
        );
        pair.replica.execute_script(&table("x", "y"));
        pair.tables(entry);
        let before = (pair.replica.dump(), structure_of(&pair));
        pair.exits(&["apply", "spec.yml", "-y", "--undo", "u.plan"], 0);
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());
        pair.replica.execute_script("ALTER TABLE t ADD x integer;");
        pair.exits(&["apply", "u.plan", "-y", "--allow", "all"], 4);
        pair.replica.execute_script("ALTER TABLE t DROP COLUMN x;");
        pair.exits(&["apply", "u.plan", "-y", "--allow", "all"], 0);
        assert_eq!((pair.replica.dump(), structure_of(&pair)), before, "{}", engine.name());
    }
}

/// What the spec would do to the structure of the replica as it is.
fn structure_of(pair: &Pair) -> Vec<(String, String)> {
    actions(&pair.document(&["plan", "spec.yml"], 0))
}

#[test]
fn names_beside_other_changes_of_structure_cannot_be_taken_back() {
    for engine in Engine::all() {
        let pair = renamed(engine);
        pair.primary.execute_script("CREATE INDEX by_n ON people (n);");
        pair.tables(&RENAMED.replace('[', "[pets, "));
        pair.exits(&["plan", "spec.yml", "-o", "p.plan"], 0);
        pair.exits(&["apply", "p.plan", "-y"], 0);
        let undone = pair.exits(&["undo", "p.plan", "-o", "u.plan"], 0);
        assert!(undone.stderr.contains("table people"), "{}", undone.told());
        pair.exits(&["apply", "u.plan", "-y", "--allow", "all"], 1);
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());
    }
}

#[test]
fn the_script_gives_the_names_too() {
    for engine in Engine::all() {
        let pair = renamed(engine);
        pair.tables(&RENAMED.replace('[', "[pets, "));
        let script = pair.exits(&["plan", "spec.yml", "--format", "sql"], 0).stdout;
        assert!(
            !script.contains("\"public\"."),
            "{}",
            script.lines().filter(|line| line.contains("\"public\".")).collect::<String>()
        );
        std::fs::write(pair.path("script.sql"), &script).expect("it can be written");
        let done = client(engine, &pair.replica.url, &pair.path("script.sql"), &[]);
        assert!(done.ok, "{}: {}\n{script}", engine.name(), done.said);
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    }
}

#[test]
fn views_and_triggers_follow_on_sqlite_and_postgres() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let pair = renamed(engine);
        pair.replica.execute_script("CREATE VIEW seen AS SELECT label FROM persons WHERE n > 0;");
        pair.tables(&RENAMED.replace('[', "[pets, "));
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        assert_eq!(
            pair.replica.query("SELECT count(*) FROM seen")[0][0].as_deref(),
            Some("3"),
            "{}",
            engine.name()
        );
    }
}

#[test]
fn names_that_drop_would_take_are_kept() {
    for engine in Engine::all() {
        let pair = renamed(engine);
        pair.tables("[{ table: '*', drop: true }, { table: people, renamed_from: { table: persons, columns: { name: label } } }]");
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());
    }
}

#[test]
fn the_spec_says_what_it_takes() {
    let pair = Pair::new(Engine::Sqlite, Engine::Sqlite);
    pair.both("CREATE TABLE t (id integer PRIMARY KEY, v integer);");
    for (tables, told) in [
        ("[{ table: '*', renamed_from: { table: x } }]", "cannot stand beside the glob"),
        ("[{ table: t, renamed_from: x }]", "must be a mapping"),
        ("[{ table: t, renamed_from: {} }]", "names nothing"),
        ("[{ table: t, renamed_from: { table: a.b } }]", "without a schema"),
        (
            "[{ table: t, renamed_from: { table: x }, schema: ignore }]",
            "cannot stand beside `schema: ignore`",
        ),
        ("[{ table: t, renamed_from: { columns: { v: a, id: a } } }]", "`a`"),
        ("[{ table: t, renamed_from: { columns: { nothing: a } } }]", "has no column nothing"),
        ("[{ table: t, columns: [id], renamed_from: { columns: { v: a } } }]", "`columns` does not list"),
    ] {
        pair.tables(tables);
        let run = pair.exits(&["plan", "spec.yml"], 1);
        assert!(run.told().contains(told), "{tables}: {}", run.told());
    }
}
