//! Rows that a foreign key of the replica would take along with a delete, however the key is written: whatever the
//! plan does not name stays, and what cannot be told is an error.

use crate::pair::Pair;
use crate::servers::Engine;

/// `parent` loses the row 2, to which a row of `child` points that the spec does not delete.
fn keeps_the_child(engine: Engine, tables: &str, rows: &str, parent: &str, says: &str) {
    let pair = Pair::new(engine, engine);
    pair.both(tables);
    pair.replica.execute_script(rows);
    pair.tables(&format!("[{parent}, {{ table: child, delete: false }}]"));
    let before = pair.replica.dump();
    let allowed = ["-y", "--max-deletes", "100%"];
    let ran = pair.exits(&[&["apply", "spec.yml"][..], &allowed].concat(), 1);
    assert!(ran.stdout.contains(says), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(pair.replica.dump(), before, "{tables}");
}

const POINTS: &str = "still point at rows of table parent";
const UNTOLD: &str = "cannot be told";

#[test]
fn names_in_other_letters_are_the_same_names() {
    let tables = "CREATE TABLE parent (id integer PRIMARY KEY);
        CREATE TABLE child (id integer PRIMARY KEY, p integer REFERENCES PARENT(ID) ON DELETE CASCADE)";
    let rows = "INSERT INTO parent VALUES (2); INSERT INTO child VALUES (7, 2)";
    keeps_the_child(Engine::Sqlite, tables, rows, "parent", POINTS);
}

#[test]
fn a_key_to_columns_out_of_scope_is_followed() {
    for engine in [Engine::Sqlite, Engine::Postgres, Engine::Mariadb] {
        let tables = "CREATE TABLE parent (id integer PRIMARY KEY, code integer UNIQUE);
            CREATE TABLE child (id integer PRIMARY KEY, p integer, FOREIGN KEY (p) REFERENCES parent(code) ON DELETE SET NULL)";
        let rows = "INSERT INTO parent VALUES (2, 20); INSERT INTO child VALUES (7, 20)";
        keeps_the_child(engine, tables, rows, "{ table: parent, exclude_columns: [code] }", POINTS);
    }
}

#[test]
fn texts_that_a_key_takes_for_one_point_too() {
    let tables = "CREATE TABLE parent (id varchar(9) COLLATE utf8mb4_general_ci PRIMARY KEY) CHARSET utf8mb4;
        CREATE TABLE child (id integer PRIMARY KEY, p varchar(9) COLLATE utf8mb4_general_ci,
            FOREIGN KEY (p) REFERENCES parent(id) ON DELETE CASCADE) CHARSET utf8mb4";
    let rows = "INSERT INTO parent VALUES ('CAFÉ'); INSERT INTO child VALUES (7, 'cafe')";
    keeps_the_child(Engine::Mariadb, tables, rows, "parent", POINTS);
    let tables = |collation: &str| {
        format!(
            "CREATE TABLE parent (id text COLLATE NOCASE PRIMARY KEY NOT NULL);
             CREATE TABLE child (id integer PRIMARY KEY, p text {collation} REFERENCES parent ON DELETE CASCADE)"
        )
    };
    let rows = "INSERT INTO parent VALUES ('B'); INSERT INTO child VALUES (7, 'b')";
    keeps_the_child(Engine::Sqlite, &tables("COLLATE NOCASE"), rows, "parent", POINTS);
    keeps_the_child(Engine::Sqlite, &tables(""), rows, "parent", POINTS);
}

#[test]
fn ends_of_different_types_are_an_error() {
    let tables = "CREATE TABLE parent (id numeric PRIMARY KEY);
        CREATE TABLE child (id integer PRIMARY KEY, p integer REFERENCES parent ON DELETE CASCADE)";
    let rows = "INSERT INTO parent VALUES (2); INSERT INTO child VALUES (7, 2)";
    keeps_the_child(Engine::Postgres, tables, rows, "parent", UNTOLD);
}

/// SQLite gives what points the affinity of what is pointed at: 2.0 and '2' point at 2.
#[test]
fn sqlite_compares_ends_of_other_affinities() {
    let tables = |parent: &str, child: &str| {
        format!(
            "CREATE TABLE parent (id integer PRIMARY KEY, code {parent} UNIQUE);
             CREATE TABLE child (id integer PRIMARY KEY, p {child} REFERENCES parent (code) ON DELETE CASCADE)"
        )
    };
    for (parent, child, code, p, told) in [
        ("integer", "", "2", "2.0", POINTS),
        ("integer", "", "2", "'2'", POINTS),
        ("numeric", "real", "2", "2.0", UNTOLD),
        ("", "", "2", "2.0", POINTS),
        ("integer", "text COLLATE NOCASE", "2", "'2'", UNTOLD),
        ("text COLLATE NOCASE", "integer", "'2'", "2", UNTOLD),
    ] {
        let rows = format!("INSERT INTO parent VALUES (1, {code}); INSERT INTO child VALUES (7, {p})");
        keeps_the_child(Engine::Sqlite, &tables(parent, child), &rows, "parent", told);
    }
}

/// Blanks behind a text of a fixed length, a day and 24 hours, 1 and 1.0: the server alone says what is one.
#[test]
fn values_that_are_one_to_the_server_alone_are_not_told() {
    for (parent, child, value, p) in [
        ("char(5)", "varchar(5)", "'i'", "'i  '"),
        ("short", "varchar(5)", "'i'", "'i  '"),
        ("interval", "interval", "'1 day'", "'24:00'"),
        ("jsonb", "jsonb", "'1'", "'1.0'"),
        ("numeric[]", "numeric[]", "'{1}'", "'{1.0}'"),
        ("numrange", "numrange", "'[1,2)'", "'[1.0,2)'"),
    ] {
        let tables = format!(
            "CREATE DOMAIN short AS char(5); CREATE TABLE parent (id integer PRIMARY KEY, v {parent} NOT NULL UNIQUE);
             CREATE TABLE child (id integer PRIMARY KEY, p {child} REFERENCES parent (v) ON DELETE CASCADE)"
        );
        let rows = format!("INSERT INTO parent VALUES (1, {value}); INSERT INTO child VALUES (7, {p})");
        keeps_the_child(Engine::Postgres, &tables, &rows, "parent", UNTOLD);
    }
    let tables = "CREATE TABLE parent (id integer PRIMARY KEY, v enum ('a', 'b') UNIQUE);
        CREATE TABLE child (id integer PRIMARY KEY, p enum ('b', 'a'), FOREIGN KEY (p) REFERENCES parent (v) ON DELETE CASCADE)";
    let rows = "INSERT INTO parent VALUES (1, 'a'); INSERT INTO child VALUES (7, 'b')";
    keeps_the_child(Engine::Mariadb, tables, rows, "parent", UNTOLD);
}

/// Where one key carries rows along from a value, foreign keys are looked at, and another one holds it fast.
#[test]
fn a_key_that_refuses_beside_one_that_carries_is_an_error_of_the_plan() {
    let pair = Pair::new(Engine::Mariadb, Engine::Mariadb);
    pair.both(
        "CREATE TABLE parent (id integer PRIMARY KEY, code integer UNIQUE);
         CREATE TABLE a (id integer PRIMARY KEY, p integer, FOREIGN KEY (p) REFERENCES parent (code) ON DELETE SET NULL);
         CREATE TABLE b (id integer PRIMARY KEY, p integer, FOREIGN KEY (p) REFERENCES parent (code));",
    );
    pair.primary.execute_script("INSERT INTO parent VALUES (1, 9); INSERT INTO b VALUES (1, 9)");
    pair.replica.execute_script("INSERT INTO parent VALUES (6, 9); INSERT INTO b VALUES (1, 9)");
    pair.tables("[parent, a, b]");
    let planned = pair.exits(&["plan", "spec.yml"], 1);
    assert!(planned.told().contains("still point at rows of table parent"), "{}", planned.told());
}

/// Nothing of the spec names the schema or database in which the rows are that would go.
#[test]
fn tables_of_other_schemas_are_outside_too() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let pair = Pair::new(engine, engine);
        pair.both("CREATE TABLE parent (id integer PRIMARY KEY)");
        let other = match engine {
            Engine::Postgres => "elsewhere".to_owned(),
            _ => format!("{}_other", pair.replica.name),
        };
        pair.replica.execute_script(&format!(
            "CREATE SCHEMA {other}; CREATE TABLE {other}.child (id integer PRIMARY KEY, p integer,
                FOREIGN KEY (p) REFERENCES {}(id) ON DELETE CASCADE);
             INSERT INTO parent VALUES (2); INSERT INTO {other}.child VALUES (7, 2)",
            match engine {
                Engine::Postgres => "public.parent".to_owned(),
                _ => format!("{}.parent", pair.replica.name),
            }
        ));
        pair.tables("[parent]");
        let ran = pair.exits(&["apply", "spec.yml", "-y", "--max-deletes", "100%"], 3);
        assert!(
            ran.stderr.contains("CASCADES_OUTSIDE") || ran.stdout.contains("CASCADES_OUTSIDE"),
            "{}",
            ran.stdout
        );
        let left = pair.replica.query(&format!("SELECT count(*) FROM {other}.child"));
        assert_eq!(left, [[Some("1".to_owned())]]);
        pair.replica.execute_script(&format!("DROP TABLE {other}.child; DROP SCHEMA {other}"));
    }
}
