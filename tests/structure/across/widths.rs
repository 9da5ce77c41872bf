//! Types of columns that are there: accepted where they hold what the primary's hold, else widened, and never narrowed.

use super::keys::crossing;
use super::types::{declared, with_cast};
use crate::pair::Pair;
use crate::servers::Engine::{self, Mariadb, Postgres, Sqlite};

/// A column: its type and two values on the primary, its type and the first value on the replica, and what that type
/// becomes, which is what it was where nothing is wrong with it.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const FROM_POSTGRES_TO_MARIADB: &[Case] = &[
    ("integer", "1", "-2147483648", "smallint", "1", "int"),
    ("integer", "1", "-2147483648", "bigint", "1", "bigint"),
    ("integer", "1", "-2147483648", "decimal(20,0)", "1", "decimal(20,0)"),
    ("integer", "1", "7", "int unsigned", "1", "int unsigned"),
    ("integer", "1", "100000", "decimal(5,2)", "1", "decimal(12,2)"),
    ("numeric(10,2)", "1.5", "12345678.25", "decimal(12,2)", "1.5", "decimal(12,2)"),
    ("numeric(10,2)", "1.5", "12345678.25", "decimal(10,1)", "1.5", "decimal(11,2)"),
    ("numeric(10,2)", "1.5", "12345678.25", "bigint", "1", "decimal(21,2)"),
    ("double precision", "1.5", "0.1", "float", "1.5", "double"),
    ("real", "1.5", "2.25", "double", "1.5", "double"),
    ("varchar(20)", "'a'", "'twenty characters éé'", "varchar(10)", "'a'", "varchar(20)"),
    ("varchar(20)", "'a'", "'twenty characters éé'", "varchar(50)", "'a'", "varchar(50)"),
    ("varchar(20)", "'a'", "'twenty characters éé'", "text", "'a'", "text"),
    ("varchar(20)", "'a'", "'b'", "enum('b','a')", "'a'", "enum('b','a')"),
    ("text", "'a'", "'b'", "text", "'a'", "text"),
    ("text", "'a'", "'ten chars.'", "varchar(10)", "'a'", "varchar(10)"),
    ("numeric", "1.5", "12.25", "decimal(10,2)", "1.5", "decimal(10,2)"),
    ("text", "'a'", "repeat('é', 40000)", "longtext", "'a'", "longtext"),
    ("bytea", "'\\x01'", "'\\x0102030405'", "varbinary(8)", "x'01'", "varbinary(8)"),
    (
        "timestamp(3)",
        "'2024-01-02 03:04:05'",
        "'2024-01-02 03:04:05.678'",
        "datetime",
        "'2024-01-02 03:04:05'",
        "datetime(3)",
    ),
    (
        "timestamp(3)",
        "'2024-01-02 03:04:05'",
        "'2024-01-02 03:04:05.678'",
        "datetime(6)",
        "'2024-01-02 03:04:05'",
        "datetime(6)",
    ),
    ("time(2)", "'03:04:05'", "'03:04:05.67'", "time(1)", "'03:04:05'", "time(2)"),
    (
        "uuid",
        "'00000000-0000-0000-0000-000000000001'",
        "'00000000-0000-0000-0000-000000000002'",
        "varchar(40)",
        "'00000000-0000-0000-0000-000000000001'",
        "varchar(40)",
    ),
    ("boolean", "true", "false", "tinyint(1)", "1", "tinyint(1)"),
    ("jsonb", "'{}'", "'[1]'", "longtext", "'{}'", "longtext"),
];

const FROM_MARIADB_TO_POSTGRES: &[Case] = &[
    ("int", "1", "-2147483648", "smallint", "1", "integer"),
    ("int", "1", "-2147483648", "bigint", "1", "bigint"),
    ("int", "1", "-2147483648", "numeric(10,0)", "1", "numeric(10,0)"),
    ("int", "1", "-2147483648", "numeric(9,0)", "1", "integer"),
    ("int unsigned", "1", "4294967295", "integer", "1", "bigint"),
    ("bigint unsigned", "1", "18446744073709551615", "bigint", "1", "numeric(20,0)"),
    ("decimal(10,2)", "1.5", "12345678.25", "numeric", "1.5", "numeric"),
    ("decimal(10,2)", "1.5", "12345678.25", "numeric(8,2)", "1.5", "numeric(10,2)"),
    ("double", "1.5", "0.1", "real", "1.5", "double precision"),
    ("tinyint(1)", "1", "0", "boolean", "true", "boolean"),
    ("varchar(20)", "'a'", "'twenty characters éé'", "varchar(10)", "'a'", "character varying(20)"),
    ("varchar(20)", "'a'", "'twenty characters éé'", "text", "'a'", "text"),
    (
        "char(36)",
        "'00000000-0000-0000-0000-000000000001'",
        "'00000000-0000-0000-0000-000000000002'",
        "uuid",
        "'00000000-0000-0000-0000-000000000001'",
        "uuid",
    ),
    ("enum('a','bcd')", "'a'", "'bcd'", "varchar(2)", "'a'", "text"),
    ("enum('a','bcd')", "'a'", "'bcd'", "varchar(3)", "'a'", "character varying(3)"),
    ("longtext", "'a'", "'bc'", "varchar(2)", "'a'", "character varying(2)"),
    ("text", "'a'", "'bc'", "varchar(2)", "'a'", "character varying(2)"),
    ("json", "'{}'", "'[1]'", "varchar(9)", "'{}'", "character varying(9)"),
    ("varbinary(4)", "x'01'", "x'02'", "bytea", "'\\x01'", "bytea"),
    (
        "datetime(3)",
        "'2024-01-02 03:04:05'",
        "'2024-01-02 03:04:05.678'",
        "timestamp(0)",
        "'2024-01-02 03:04:05'",
        "timestamp(3) without time zone",
    ),
    (
        "datetime(3)",
        "'2024-01-02 03:04:05'",
        "'2024-01-02 03:04:05.678'",
        "timestamp",
        "'2024-01-02 03:04:05'",
        "timestamp without time zone",
    ),
    (
        "timestamp(2) NULL",
        "'2024-01-02 03:04:05'",
        "'2024-01-02 03:04:05.67'",
        "timestamptz(1)",
        "'2024-01-02 03:04:05Z'",
        "timestamp(2) with time zone",
    ),
    ("year", "2024", "1999", "smallint", "2024", "smallint"),
];

const TO_SQLITE: &[Case] = &[
    ("integer", "1", "-2147483648", "smallint", "1", "smallint"),
    ("decimal(10,4)", "1.5", "1.2345", "DECIMAL(10,2)", "1.5", "DECIMAL(12,4)"),
    ("decimal(10,4)", "1.5", "1.2345", "numeric", "1.5", "numeric"),
    ("decimal(10,2)", "1", "1.25", "INTEGER", "1", "DECIMAL(21,2)"),
    ("decimal(10,2)", "1.5", "1.25", "double", "1.5", "double"),
    ("double precision", "1.5", "0.1", "REAL", "1.5", "REAL"),
    ("varchar(20)", "'a'", "'twenty characters éé'", "VARCHAR(3)", "'a'", "VARCHAR(3)"),
    ("date", "'2024-01-02'", "'1999-12-31'", "date", "'2024-01-02'", "date"),
];

const FROM_SQLITE: &[Case] = &[
    ("SMALLINT", "1", "2", "smallint", "1", "smallint"),
    ("INTEGER", "1", "2147483648", "smallint", "1", "bigint"),
    ("DECIMAL(10,2)", "1.5", "12345678.25", "decimal(8,2)", "1.5", "10,2"),
    ("VARCHAR(10)", "'a'", "'b'", "varchar(10)", "'a'", "10"),
    ("TEXT", "'a'", "'ten chars.'", "varchar(10)", "'a'", "10"),
    ("NUMERIC", "1.5", "1.25", "decimal(8,2)", "1.5", "8,2"),
    ("VARCHAR(20)", "'a'", "'more than ten'", "varchar(10)", "'a'", "text"),
    ("REAL", "1.5", "0.1", "real", "1.5", "double"),
    ("DATE", "'2024-01-02'", "'1999-12-31'", "date", "'2024-01-02'", "date"),
];

fn cases(primary: Engine, replica: Engine) -> &'static [Case] {
    match (primary, replica) {
        (Postgres, Mariadb) => FROM_POSTGRES_TO_MARIADB,
        (Mariadb, Postgres) => FROM_MARIADB_TO_POSTGRES,
        (_, Sqlite) => TO_SQLITE,
        (Sqlite, _) => FROM_SQLITE,
        _ => &[],
    }
}

/// What the case says of the type in the words of this engine: those from SQLite say what both servers' have in common.
fn is_as(found: &str, expected: &str, primary: Engine) -> bool {
    if primary == Sqlite { found.contains(expected) } else { without_width(found) == expected }
}

/// MariaDB prints how wide a whole number is shown, which means nothing.
fn without_width(found: &str) -> String {
    match found.split_once("int(") {
        Some((word, rest)) if found != "tinyint(1)" => {
            format!(
                "{word}int{}",
                rest.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(')')
            )
        }
        _ => found.to_owned(),
    }
}

fn filled(pair: &Pair, cases: &[Case]) {
    let names: Vec<String> = (0..cases.len()).map(|at| format!("c{at}")).collect();
    let columns = |of: &dyn Fn(&Case) -> &'static str| {
        let columns: Vec<String> =
            names.iter().zip(cases).map(|(name, case)| format!("{name} {}", of(case))).collect();
        columns.join(", ")
    };
    let values = |of: &dyn Fn(&Case) -> &'static str| cases.iter().map(of).collect::<Vec<_>>().join(", ");
    let head = "CREATE TABLE t (id bigint NOT NULL PRIMARY KEY";
    pair.primary.execute_script(&format!(
        "{head}, {}); INSERT INTO t VALUES (1, {}), (2, {})",
        columns(&|case| case.0),
        values(&|case| case.1),
        values(&|case| case.2)
    ));
    pair.replica.execute_script(&format!(
        "{head}, {}); INSERT INTO t VALUES (1, {})",
        columns(&|case| case.3),
        values(&|case| case.4)
    ));
}

/// Applied from a saved plan, verified, nothing left to do; undone, the types and the rows are what they were.
#[test]
fn columns_with_less_room_are_widened_and_no_others() {
    for (primary, replica) in crossing() {
        let pair = Pair::new(primary, replica);
        let cases = cases(primary, replica);
        filled(&pair, cases);
        pair.tables("[t]");
        let before = declared(&pair);
        pair.exits(&["apply", "spec.yml", "-y"], 3);
        assert_eq!(declared(&pair), before);
        pair.exits(&["plan", "spec.yml", "-o", "saved.plan"], 0);
        pair.exits(&["apply", "saved.plan", "-y", "--allow", "all"], 0);
        for ((name, found), case) in declared(&pair).iter().skip(1).zip(cases) {
            let what = format!("{} to {}: {name} {}", primary.name(), replica.name(), case.0);
            assert!(is_as(found, case.5, primary), "{what} against {} became {found}", case.3);
        }
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
        pair.exits(&["verify", "spec.yml"], 0);
        pair.exits(&["undo", "saved.plan", "-o", "back.plan"], 0);
        pair.exits(&["apply", "back.plan", "-y", "--allow", "all"], 0);
        assert_eq!(declared(&pair), before, "{} to {}", primary.name(), replica.name());
        let rows = pair.replica.query("SELECT count(*) FROM t");
        assert_eq!(rows[0][0].as_deref(), Some("1"));
    }
}

#[test]
fn a_check_reports_them_and_writes_nothing() {
    for (primary, replica) in crossing() {
        let pair = Pair::new(primary, replica);
        filled(&pair, cases(primary, replica));
        pair.replica.execute_script("DELETE FROM t");
        pair.primary.execute_script("DELETE FROM t");
        pair.tables("[{ table: t, schema: check }]");
        let before = declared(&pair);
        let plan = pair.document(&["plan", "spec.yml", "--detailed-exitcode"], 2);
        assert!(
            plan["replicas"][0]["tables"][0]["schema_changes"].to_string().contains("withheld"),
            "{plan}"
        );
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        assert_eq!(declared(&pair), before);
    }
}

/// A type that the spec names is wished for: what holds it is accepted, also where that is less than the primary's.
#[test]
fn a_cast_says_what_is_accepted_too() {
    let pair = Pair::new(Postgres, Mariadb);
    pair.primary.execute_script(
        "CREATE TABLE t (id int PRIMARY KEY, a text, b text, c text, d numeric, e int);
         INSERT INTO t VALUES (1, 'a', 'b', 'c', 1.5, 7)",
    );
    pair.replica.execute_script(
        "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), b varchar(60), c varchar(30), d decimal(10,2), e int)",
    );
    let cast = "[{ from: text, to: varchar(30) }, { from: numeric, to: 'decimal(10,2)' }]";
    with_cast(&pair, "[{ table: t, cast: { e: bigint } }]", cast);
    pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
    let types: Vec<String> =
        declared(&pair).into_iter().map(|(_, declared)| without_width(&declared)).collect();
    assert_eq!(types[1..], ["varchar(30)", "varchar(60)", "varchar(30)", "decimal(10,2)", "bigint"]);
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    with_cast(&pair, "[{ table: t, cast: { e: nonsense } }]", "[]");
    let run = pair.exits(&["plan", "spec.yml"], 1);
    assert!(run.told().contains("spec.yml:4:"), "{}", run.told());
}

/// Both ends of a foreign key are widened together; where one of them stays, so does the other.
#[test]
fn what_a_foreign_key_ties_goes_together_or_not_at_all() {
    for (primary, replica) in [(Postgres, Mariadb), (Sqlite, Mariadb), (Mariadb, Postgres)] {
        let pair = Pair::new(primary, replica);
        let tables = |id: &str, points: &str| {
            format!(
                "CREATE TABLE p (id {id} NOT NULL PRIMARY KEY);
                 CREATE TABLE c (id {id} NOT NULL PRIMARY KEY, up {points}, FOREIGN KEY (up) REFERENCES p (id));
                 INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1)"
            )
        };
        let (wide, narrow) =
            if primary == Mariadb { ("bigint unsigned", "bigint") } else { ("bigint", "int") };
        pair.primary.execute_script(&tables(wide, wide));
        pair.replica.execute_script(&tables(narrow, narrow));
        let types = || {
            let of = |table: &str, name: &str| {
                let sql = match replica {
                    Postgres => format!(
                        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute
                         WHERE attrelid = '{table}'::regclass AND attname = '{name}'"
                    ),
                    Sqlite | Mariadb => format!(
                        "SELECT data_type FROM information_schema.columns
                         WHERE table_schema = database() AND table_name = '{table}' AND column_name = '{name}'"
                    ),
                };
                pair.replica.query(&sql)[0][0].clone().unwrap_or_default()
            };
            [of("p", "id"), of("c", "up")]
        };
        // The end that is not of the spec stays.
        let before = types();
        pair.tables("[p]");
        pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
        assert_eq!(types(), before);
        pair.tables("[p, c]");
        pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
        let expected = if primary == Mariadb { "numeric(20,0)" } else { "bigint" };
        assert_eq!(types(), [expected, expected], "{} to {}", primary.name(), replica.name());
    }
}

/// What a key over a column, a number of its rows, or a type of somebody's own does not let become wider, stays.
#[test]
fn what_cannot_be_widened_stays() {
    let pair = Pair::new(Mariadb, Postgres);
    pair.primary.execute_script(
        "CREATE TABLE t (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, a varchar(20), b varchar(20));
         INSERT INTO t VALUES (1, 'a', 'b')",
    );
    pair.replica.execute_script(
        "CREATE DOMAIN short AS varchar(10);
         CREATE TABLE t (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, a short, b char(5))",
    );
    pair.tables("[t]");
    pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
    let types: Vec<String> = declared(&pair).into_iter().map(|(_, declared)| declared).collect();
    assert_eq!(types, ["bigint", "short", "character(20)"]);
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);

    let pair = Pair::new(Postgres, Mariadb);
    pair.primary.execute_script(
        "CREATE TABLE t (id int PRIMARY KEY, a varchar(700), b varchar(700), c text, d text, at timestamp DEFAULT now(),
             UNIQUE (a, b)); CREATE INDEX ON t (d); INSERT INTO t VALUES (1, 'a', 'b', 'c', 'd', '2024-01-02 03:04:05.5')",
    );
    pair.replica.execute_script(
        "CREATE TABLE t (id int PRIMARY KEY, a varchar(300), b varchar(300), c varchar(100), d varchar(100),
             at datetime DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, UNIQUE (a, b), KEY (c), KEY (d))",
    );
    pair.tables("[t]");
    pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
    let types: Vec<String> = declared(&pair).into_iter().map(|(_, declared)| declared).collect();
    assert_eq!(types[3..], ["varchar(100)", "varchar(100)", "datetime(6)"], "{types:?}");
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
}

/// A value that a column which stays does not hold is an error of the plan.
#[test]
fn a_value_that_does_not_fit_is_an_error() {
    let pair = Pair::new(Mariadb, Postgres);
    pair.primary.execute_script(
        "CREATE TABLE t (id int PRIMARY KEY, a tinyint(1), b char(36)); INSERT INTO t VALUES (1, 2, NULL), (2, NULL, 'no')",
    );
    pair.replica.execute_script("CREATE TABLE t (id int PRIMARY KEY, a boolean, b uuid)");
    pair.tables("[{ table: t, columns: [id, a] }]");
    assert!(pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 1).told().contains("column a"));
    pair.tables("[{ table: t, columns: [id, b] }]");
    assert!(pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 1).told().contains("column b"));
}

/// How well each column holds what the primary's holds stands in JSON, and in text where that is not simply all of it.
#[test]
fn the_plan_says_how_well_types_fit() {
    let pair = Pair::new(Postgres, Mariadb);
    pair.primary.execute_script(
        "CREATE TABLE t (id int PRIMARY KEY, a bigint, b uuid, c text, d int);
         INSERT INTO t VALUES (1, 2, '00000000-0000-0000-0000-000000000001', '[3]', 4)",
    );
    pair.replica.execute_script(
        "CREATE TABLE t (id int PRIMARY KEY, a decimal(20,0), b varchar(40), c json, d int unsigned)",
    );
    pair.tables("[t]");
    let plan = pair.document(&["plan", "spec.yml"], 0);
    let columns = plan["replicas"][0]["tables"][0]["columns"].as_array().cloned().unwrap_or_default();
    let fits: Vec<&str> = columns.iter().filter_map(|column| column["fit"].as_str()).collect();
    assert_eq!(fits, ["exact", "wider", "text_form", "limited", "limited"]);
    let text = pair.exits(&["plan", "spec.yml"], 0).stdout;
    let line = "Types: b uuid as varchar(40) (text form), c text as json (limited), d integer as int unsigned (limited)";
    assert!(text.contains(line), "{text}");

    let pair = Pair::new(Sqlite, Postgres);
    pair.primary.execute_script("CREATE TABLE t (id INTEGER PRIMARY KEY, a VARCHAR(10))");
    pair.replica.execute_script("CREATE TABLE t (id integer PRIMARY KEY, a varchar(10))");
    pair.tables("[t]");
    let plan = pair.document(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    let columns = plan["replicas"][0]["tables"][0]["columns"].as_array().cloned().unwrap_or_default();
    assert!(columns.iter().all(|column| column["fit"] == "declared"), "{columns:?}");
    // Between two of one engine there is nothing to say.
    let pair = Pair::sqlite("[t]", "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let plan = pair.document(&["plan", "spec.yml"], 0);
    assert!(plan["replicas"][0]["tables"][0]["columns"][0].get("fit").is_none(), "{plan}");
}
