//! Defaults of columns that are there, as kinds: repaired where the primary's has an exact counterpart, else said.

use super::keys::crossing;
use crate::pair::Pair;
use crate::servers::Engine::{self, Mariadb, Postgres, Sqlite};

/// A column of the primary and of the replica, and what a row that does not name it holds there afterwards.
type Case = (&'static str, &'static str, Holds);

/// What a row holds.
#[derive(Clone, Copy, Debug)]
enum Holds {
    Null,
    Value(&'static str),
    Something,
}

use Holds::{Null, Something, Value};

const FROM_POSTGRES_TO_MARIADB: &[Case] = &[
    ("int DEFAULT 0", "int", Value("0")),
    ("int DEFAULT 7", "int DEFAULT 5", Value("7")),
    ("int DEFAULT NULL", "int DEFAULT 5", Null),
    ("numeric(10,2) DEFAULT 0", "decimal(10,2) DEFAULT 0.00", Value("0.00")),
    ("boolean DEFAULT true", "tinyint(1)", Value("1")),
    ("boolean DEFAULT false", "tinyint(1) DEFAULT 0", Value("0")),
    ("varchar(20) DEFAULT 'a''b\\'", "varchar(20) DEFAULT ''", Value("a'b\\")),
    ("text DEFAULT 'x'", "longtext", Value("x")),
    ("varchar(20) DEFAULT 'x'", "varchar(10) DEFAULT 'y'", Value("x")),
    ("timestamp(3) DEFAULT now()", "datetime(6)", Something),
    ("timestamp(0) DEFAULT CURRENT_TIMESTAMP(0)", "datetime DEFAULT CURRENT_TIMESTAMP", Something),
    ("timestamp DEFAULT now()", "datetime DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP", Something),
    ("timestamp", "datetime(6) DEFAULT CURRENT_TIMESTAMP(6)", Null),
    ("timestamp(3) DEFAULT '2024-01-02 03:04:05.5'", "datetime(3)", Value("2024-01-02 03:04:05.500")),
    ("uuid DEFAULT gen_random_uuid()", "char(36) DEFAULT 'x'", Something),
    ("bytea DEFAULT 'ab'", "longblob", Value("ab")),
    // Neither is told to be the other.
    ("text DEFAULT lower('A')", "longtext", Null),
    ("text DEFAULT lower('A')", "longtext DEFAULT 'own'", Value("own")),
    ("int", "int DEFAULT (1 + 1)", Value("2")),
];

const FROM_MARIADB_TO_POSTGRES: &[Case] = &[
    ("int DEFAULT 0", "int", Value("0")),
    ("int", "int DEFAULT 5", Null),
    ("decimal(10,2) DEFAULT 0", "numeric(10,2) DEFAULT '0'", Value("0.00")),
    ("tinyint(1) DEFAULT 1", "boolean", Value("t")),
    ("tinyint(1) DEFAULT 0", "boolean DEFAULT false", Value("f")),
    ("varchar(20) DEFAULT 'a''b'", "varchar(20) DEFAULT 'z'", Value("a'b")),
    ("datetime DEFAULT CURRENT_TIMESTAMP", "timestamp(0)", Something),
    ("datetime NULL ON UPDATE CURRENT_TIMESTAMP", "timestamp(0) DEFAULT now()", Null),
    ("char(36) DEFAULT (uuid())", "uuid", Something),
    ("varchar(9) DEFAULT (lower('A'))", "varchar(9) DEFAULT 'q'", Value("q")),
    ("enum('a','b') DEFAULT 'b'", "text DEFAULT 'a'", Value("b")),
    ("varbinary(9) DEFAULT 'abc'", "bytea", Value("\\x616263")),
    ("double DEFAULT 1e3", "double precision", Value("1000")),
    // Which moment that is a zone says.
    ("timestamp NULL DEFAULT '2024-01-02 03:04:05'", "timestamptz(0)", Null),
    ("bit(3) DEFAULT b'101'", "bit(3)", Null),
];

const TO_SQLITE: &[Case] = &[
    ("int DEFAULT 0", "int", Value("0")),
    ("int", "int DEFAULT 5", Null),
    ("decimal(10,2) DEFAULT 1.50", "DECIMAL(10,2) DEFAULT 1.5", Value("1.5")),
    ("boolean DEFAULT true", "BOOLEAN DEFAULT FALSE", Value("1")),
    ("boolean DEFAULT true", "BOOLEAN DEFAULT TRUE", Value("1")),
    ("varchar(20) DEFAULT 'a''b'", "TEXT", Value("a'b")),
    ("varchar(20) DEFAULT (lower('a'))", "TEXT DEFAULT 'own'", Value("own")),
    ("varchar(20)", "TEXT DEFAULT (lower('OWN'))", Value("own")),
    ("varchar(20) NOT NULL DEFAULT 'x'", "TEXT DEFAULT 'y'", Value("x")),
];

const FROM_SQLITE: &[Case] = &[
    ("INTEGER DEFAULT 0", "int", Value("0")),
    ("TEXT DEFAULT 5", "varchar(10) DEFAULT '6'", Value("5")),
    ("VARCHAR(10) DEFAULT 'word'", "varchar(10)", Value("word")),
    ("REAL DEFAULT 1.50", "double precision DEFAULT 1.5", Value("1.5")),
    ("DECIMAL(10,2) DEFAULT 1.234", "decimal(10,2)", Null),
    ("DATETIME DEFAULT CURRENT_TIMESTAMP", "timestamp NULL", Something),
    ("VARCHAR(10) DEFAULT (lower('A'))", "varchar(10) DEFAULT 'own'", Value("own")),
    ("VARCHAR(10)", "varchar(10) DEFAULT 'gone'", Null),
    ("VARCHAR(10) DEFAULT 'longer than that'", "varchar(10) DEFAULT 'own'", Value("own")),
];

fn cases(primary: Engine, replica: Engine) -> Vec<Case> {
    let of = match (primary, replica) {
        (Postgres, Mariadb) => FROM_POSTGRES_TO_MARIADB,
        (Mariadb, Postgres) => FROM_MARIADB_TO_POSTGRES,
        (_, Sqlite) => TO_SQLITE,
        (Sqlite, _) => FROM_SQLITE,
        _ => &[],
    };
    let moment = |case: &Case| primary == Sqlite && replica == Mariadb && case.0.starts_with("DATETIME");
    // MariaDB calls a date-time without a zone so.
    let own = |case: &Case| if moment(case) { (case.0, "datetime", case.2) } else { *case };
    of.iter().map(own).collect()
}

fn table(cases: &[Case], of: impl Fn(&Case) -> &'static str) -> String {
    let columns: Vec<String> =
        cases.iter().enumerate().map(|(at, case)| format!(", c{at} {}", of(case))).collect();
    format!("CREATE TABLE t (id bigint NOT NULL PRIMARY KEY{})", columns.concat())
}

/// What a new row of the replica's holds.
fn filled(pair: &Pair, columns: usize) -> Vec<Option<String>> {
    let names: Vec<String> = (0..columns).map(|at| format!("c{at}")).collect();
    pair.replica.execute_script("INSERT INTO t (id) VALUES (1)");
    let row = pair.replica.query(&format!("SELECT {} FROM t", names.join(", ")));
    pair.replica.execute_script("DELETE FROM t");
    row[0].clone()
}

#[track_caller]
fn are_as_wanted(pair: &Pair, cases: &[Case], what: &str) {
    let row = filled(pair, cases.len());
    for ((at, held), case) in row.iter().enumerate().zip(cases) {
        let as_wanted = match case.2 {
            Null => held.is_none(),
            Value(value) => held.as_deref() == Some(value),
            Something => held.is_some(),
        };
        let pair = format!("{} to {}", pair.primary.engine.name(), pair.replica.engine.name());
        assert!(as_wanted, "{what}, {pair}: c{at} {case:?} holds {held:?}");
    }
}

/// From a saved plan; nothing is left to do then. Undone, the defaults are what they were.
#[test]
fn they_are_repaired_where_they_mean_the_same() {
    for (primary, replica) in crossing() {
        let pair = Pair::new(primary, replica);
        let cases = cases(primary, replica);
        pair.primary.execute_script(&table(&cases, |case| case.0));
        pair.replica.execute_script(&table(&cases, |case| case.1));
        pair.tables("[t]");
        let constant = |row: Vec<Option<String>>| -> Vec<Option<String>> {
            // A moment and a uuid are others with every row.
            row.into_iter()
                .zip(&cases)
                .map(|(held, case)| held.filter(|_| !case.1.contains("CURRENT") && !case.1.contains("now")))
                .collect()
        };
        let before = constant(filled(&pair, cases.len()));
        pair.exits(&["plan", "spec.yml", "-o", "saved.plan"], 0);
        pair.exits(&["apply", "saved.plan", "-y", "--allow", "all"], 0);
        are_as_wanted(&pair, &cases, "repaired");
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
        pair.exits(&["verify", "spec.yml"], 0);
        pair.exits(&["undo", "saved.plan", "-o", "back.plan"], 0);
        pair.exits(&["apply", "back.plan", "-y", "--allow", "all"], 0);
        assert_eq!(constant(filled(&pair, cases.len())), before, "{} to {}", primary.name(), replica.name());
    }
}

/// A table that is created has the same ones, and is then left alone.
#[test]
fn what_is_created_is_left_alone() {
    for (primary, replica) in crossing() {
        let pair = Pair::new(primary, replica);
        pair.primary.execute_script(&table(&cases(primary, replica), |case| case.0));
        pair.tables("[t]");
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    }
}

/// What is not carried over, and what stays, is said in every plan.
#[test]
fn expressions_are_said() {
    let pair = Pair::new(Postgres, Mariadb);
    pair.primary.execute_script(
        "CREATE TABLE t (id int PRIMARY KEY, a text DEFAULT lower('A'), b text DEFAULT lower('A'), c int)",
    );
    pair.replica.execute_script(
        "CREATE TABLE t (id int PRIMARY KEY, a longtext, b longtext DEFAULT (lower('A')), c int DEFAULT (1 + 1))",
    );
    pair.tables("[t]");
    let plan = pair.document(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    let notes = plan["replicas"][0]["notes"].to_string();
    for said in ["column a is left out", "column b is not compared", "column c stays"] {
        assert!(notes.contains(said), "{said}: {notes}");
    }
}

/// A serial and a numbered column have no default to compare; the moment that a server gives of itself is none of ours.
#[test]
fn what_numbers_rows_and_what_servers_give_stays() {
    let pair = Pair::new(Postgres, Mariadb);
    pair.primary.execute_script(
        "CREATE TABLE t (id serial PRIMARY KEY, at timestamptz NOT NULL); INSERT INTO t VALUES (1, '2024-01-02 03:04:05Z')",
    );
    pair.replica.execute_script(
        "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, at timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6))",
    );
    pair.tables("[t]");
    pair.exits(&["apply", "spec.yml", "-y"], 0);
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
}
