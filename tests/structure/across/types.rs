//! Types and defaults of what is created on another engine, and `cast`.

use crate::pair::Pair;
use crate::servers::Engine;

pub fn with_cast(pair: &Pair, tables: &str, cast: &str) {
    pair.spec(&format!(
        "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: \"${{REPLICA_URL}}\" }}\ntables: {tables}\ncast: {cast}\n"
    ));
}

/// What the replica's catalog says of the columns of `t`.
pub fn declared(pair: &Pair) -> Vec<(String, String)> {
    let sql = match pair.replica.engine {
        Engine::Sqlite => "SELECT name, type FROM pragma_table_info('t')".to_owned(),
        Engine::Postgres => "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
            WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attnum"
            .to_owned(),
        Engine::Mariadb => "SELECT column_name, column_type FROM information_schema.columns
            WHERE table_schema = database() AND table_name = 't' ORDER BY ordinal_position"
            .to_owned(),
    };
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    pair.replica.query(&sql).iter().map(|row| (text(&row[0]), text(&row[1]))).collect()
}

#[test]
fn a_cast_says_the_type_and_the_more_specific_wins() {
    let pair = Pair::new(Engine::Postgres, Engine::Mariadb);
    pair.primary.execute_script(
        "CREATE TABLE t (id int PRIMARY KEY, a text UNIQUE, b varchar(20), c varchar(30), d varchar(40));
         INSERT INTO t VALUES (1, 'x', 'y', 'z', NULL)",
    );
    with_cast(
        &pair,
        "[{ table: t, cast: { d: tinytext } }]",
        "[{ from: varchar, to: varchar(200) }, { from: 'character varying(20)', to: text }, { from: text, to: varchar(99) }]",
    );
    pair.exits(&["apply", "spec.yml", "-y"], 0);
    let types: Vec<String> = declared(&pair).into_iter().map(|(_, declared)| declared).collect();
    assert_eq!(types[1..], ["varchar(99)", "text", "varchar(200)", "tinytext"]);
    let unique = pair.replica.query(
        "SELECT count(*) FROM information_schema.statistics WHERE table_schema = database() AND column_name = 'a'",
    );
    assert_eq!(unique[0][0].as_deref(), Some("1"));
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
}

#[test]
fn casts_that_cannot_be_are_errors_at_their_place() {
    let pair = Pair::new(Engine::Postgres, Engine::Mariadb);
    pair.primary.execute_script("CREATE TABLE t (id int PRIMARY KEY, a text)");
    for (tables, cast, expected) in [
        (
            "[{ table: t, cast: { b: text } }]",
            "[]",
            "spec.yml:4:30: the primary's table public.t has no column b",
        ),
        ("[{ table: t, cast: { a: money } }]", "[]", "money is no type of mariadb"),
        ("[t]", "[{ from: text, to: varchar }]", "spec.yml:5:26: varchar is no type of mariadb"),
        ("[{ table: t, cast: { a: int } }]", "[]", "have no exact common domain"),
        ("[{ table: t, cast: { id: longtext } }]", "[]", "spec.yml:4"),
    ] {
        with_cast(&pair, tables, cast);
        let run = pair.exits(&["plan", "spec.yml"], 1);
        assert!(run.told().contains(expected), "{expected}: {}", run.told());
    }
}

/// Values that the type does not hold are an error of the plan, and the table is not made.
#[test]
fn a_cast_that_is_too_narrow_for_a_value_writes_nothing() {
    let pair = Pair::new(Engine::Sqlite, Engine::Postgres);
    pair.primary
        .execute_script("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'long')");
    with_cast(&pair, "[{ table: t, cast: { a: varchar(3) } }]", "[]");
    pair.exits(&["apply", "spec.yml", "-y"], 1);
    assert!(pair.replica.query("SELECT 1 FROM pg_class WHERE relname = 't'").is_empty());
}

#[test]
fn the_moment_at_which_a_row_comes_is_a_default_everywhere_and_expressions_are_said() {
    for (primary, replica) in super::keys::crossing() {
        let pair = Pair::new(primary, replica);
        let (moment, other) = match primary {
            Engine::Postgres => ("timestamp(0) DEFAULT now()", "text DEFAULT lower('A')"),
            Engine::Mariadb => ("datetime DEFAULT CURRENT_TIMESTAMP", "varchar(9) DEFAULT (lower('A'))"),
            Engine::Sqlite => ("datetime DEFAULT CURRENT_TIMESTAMP", "varchar(9) DEFAULT (lower('A'))"),
        };
        pair.primary.execute_script(&format!(
            "CREATE TABLE t (id bigint NOT NULL PRIMARY KEY, m {moment}, e {other})"
        ));
        pair.tables("[t]");
        let plan = pair.document(&["plan", "spec.yml"], 0);
        let notes = plan["replicas"][0]["notes"].to_string();
        assert!(notes.contains("the default of the column e") && !notes.contains("column m"), "{notes}");
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        pair.replica.execute_script("INSERT INTO t (id) VALUES (1)");
        let rows = pair.replica.query("SELECT count(*) FROM t WHERE m IS NOT NULL AND e IS NULL");
        assert_eq!(rows[0][0].as_deref(), Some("1"), "{} to {}", primary.name(), replica.name());
    }
}
