//! SQLite while a table is on its way: what goes is not heeded any more, what stays is, and names are given in place.

use std::collections::BTreeSet;
use std::path::Path;

use super::sqlite::{applies, dump, file, pair, pragmas};
use crate::pair::Pair;

/// Applies, finds nothing left to do, and takes it back: tables, indexes and rows are what they were, but for spelling.
fn there_and_back(pair: &Pair) {
    let replica = file(&pair.replica);
    // What its pragmas say, its indexes and its rows.
    let told = |path: &Path| -> BTreeSet<String> {
        let is_spelling = |line: &String| line.contains("Text(\"table\")") || line.contains("sqlite_");
        let spelled = |line: String| line.replace(['\\', '"', ' '], "");
        let lines = dump(path).into_iter().filter(|line| !is_spelling(line)).map(spelled);
        lines.chain(pragmas(path)).collect()
    };
    let before = told(&replica);
    let run = pair.run(&["apply", "spec.yml", "-y", "--undo", "back.plan"]);
    assert_eq!(run.exit, Some(0), "{}", run.told());
    let again = pair.run(&["plan", "spec.yml", "--detailed-exitcode"]);
    assert_eq!(again.exit, Some(0), "{}", again.told());
    let run = pair.run(&["apply", "back.plan", "-y", "--allow", "all"]);
    assert_eq!(run.exit, Some(0), "{}", run.told());
    assert_eq!(told(&replica), before);
}

#[test]
fn a_key_that_goes_is_not_held_against_the_rows() {
    for key in [
        "v TEXT UNIQUE",
        "v TEXT, CONSTRAINT u UNIQUE (v COLLATE NOCASE)",
        "v TEXT, UNIQUE (v) ON CONFLICT REPLACE",
    ] {
        there_and_back(&pair(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'x');",
            &format!(
                "CREATE TABLE t(id INTEGER PRIMARY KEY, {key}); INSERT INTO t VALUES (1, 'a'), (2, 'b');"
            ),
            "[t]",
        ));
    }
}

/// Of two keys over the same columns one goes; the other still speaks.
#[test]
fn a_key_that_stays_is_held_against_the_rows() {
    let pair = pair(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT UNIQUE); INSERT INTO t VALUES (1, 'x'), (2, 'X');",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT UNIQUE); CREATE UNIQUE INDEX u ON t(v COLLATE NOCASE);
         INSERT INTO t VALUES (1, 'a'), (2, 'b');",
        "[t]",
    );
    applies(&pair);
    pair.primary.execute_script(
        "DROP TABLE t; CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); CREATE UNIQUE INDEX u ON t(v);
         INSERT INTO t VALUES (1, 'p'), (2, 'q');",
    );
    applies(&pair);
}

#[test]
fn names_of_indexes_are_exchanged_and_given_back() {
    for column in ["c INT", "c TEXT NOT NULL"] {
        there_and_back(&pair(
            &format!(
                "CREATE TABLE t(id INTEGER PRIMARY KEY, {column}, d INT);
                 CREATE INDEX two ON t(c); CREATE INDEX one ON t(d); INSERT INTO t VALUES (1, '1', 1);"
            ),
            "CREATE TABLE t(id INTEGER PRIMARY KEY, c INT, d INT);
             CREATE INDEX one ON t(c); CREATE INDEX two ON t(d); INSERT INTO t VALUES (1, 1, 2);",
            "[t]",
        ));
    }
}

#[test]
fn a_name_that_another_index_had_is_given_and_given_back() {
    there_and_back(&pair(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, c INTEGER);
         CREATE INDEX one ON t(c DESC) WHERE id > 3; CREATE INDEX three ON t(c COLLATE NOCASE) WHERE id > 3;
         INSERT INTO t VALUES (1, 2), (2, 2);",
        "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, c BIGINT);
         CREATE INDEX two ON t(c DESC) WHERE id > 3; CREATE UNIQUE INDEX one ON t(c COLLATE NOCASE);
         INSERT INTO t VALUES (1, 1);",
        "[t]",
    ));
}

/// A foreign key without columns points at a primary key, in whatever form the table is on its way.
#[test]
fn a_primary_key_changes_its_form_under_foreign_keys_that_name_no_columns() {
    let forms = [
        "id INT NOT NULL PRIMARY KEY, v INT)",
        "id INT PRIMARY KEY, v INT) STRICT",
        "id INTEGER PRIMARY KEY, v INT)",
        "id INTEGER PRIMARY KEY DESC, v INT)",
    ];
    let side = |form: &str, v: u8| {
        format!(
            "CREATE TABLE p({form}; CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE);
             INSERT INTO p VALUES (1, {v}), (7, {v}); INSERT INTO c VALUES (1, 1), (2, 7);"
        )
    };
    for here in forms {
        for there in forms.into_iter().filter(|there| *there != here) {
            there_and_back(&pair(&side(there, 2), &side(here, 1), "['*']"));
        }
    }
}

/// A primary key that takes NULL is never the rowid, not even on the way.
#[test]
fn rows_without_a_key_stay_without_one() {
    let pair = pair(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER NOT NULL UNIQUE, s INT); INSERT INTO t VALUES (9, 1, 1);",
        "CREATE TABLE t(id INT PRIMARY KEY, k INTEGER NOT NULL UNIQUE, s INT);
         INSERT INTO t VALUES (8, 1, 1), (NULL, 2, 2);",
        "[{ table: t, key: [k], where: 's = 1' }]",
    );
    let run = pair.run(&["apply", "spec.yml", "-y"]);
    assert_eq!(run.exit, Some(1), "{}", run.told());
    assert_eq!(pair.replica.query("SELECT id FROM t WHERE k = 2"), [[None::<String>]]);
}

/// While a table goes from STRICT to ordinary or back, keys keep the affinity by which foreign keys find them.
#[test]
fn foreign_keys_of_another_type_find_their_rows_on_the_way() {
    let forms =
        ["INTEGER PRIMARY KEY) STRICT, WITHOUT ROWID", "INT PRIMARY KEY)", "INTEGER PRIMARY KEY) STRICT"];
    let side = |form: &str, rows: &str| {
        format!(
            "CREATE TABLE p(id {form}; CREATE TABLE c(id INTEGER PRIMARY KEY, p TEXT REFERENCES p(id));
             {rows}"
        )
    };
    for here in forms {
        for there in forms.into_iter().filter(|there| *there != here) {
            let rows = "INSERT INTO p VALUES (2), (12); INSERT INTO c VALUES (1, '2'), (2, '12');";
            there_and_back(&pair(&side(there, rows), &side(here, ""), "['*']"));
        }
    }
}

#[test]
fn a_generated_column_that_went_is_made_again() {
    there_and_back(&pair(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT NOT NULL); INSERT INTO t VALUES (1, 'x');",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, g TEXT AS (v || '!')); INSERT INTO t VALUES (1, 'a');",
        "[t]",
    ));
}
