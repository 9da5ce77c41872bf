//! Structures of MariaDB and MySQL whose rows differ too: what loosens comes before them and what asks behind, whichever
//! order of columns, check, list of words or type stands between.

use serde_json::json;

use super::mysql_family::{check_all, of, shown};
use crate::pair::Pair;
use crate::servers::{Engine, not_run};

const SPEC: &str = "version: 1\nprimary: ${PRIMARY_URL}\nreplicas: { copy: \"${REPLICA_URL}\" }\nallow: [all]\ntables: [t]\n";

/// A replica with the first definition and rows, a primary with the second.
fn pair_of(replica: (&str, &str), primary: (&str, &str)) -> Pair {
    let pair = Pair::new(Engine::Mariadb, Engine::Mariadb);
    pair.replica.execute_script(&format!("CREATE TABLE t {}; {}", replica.0, replica.1));
    pair.primary.execute_script(&format!("CREATE TABLE t {}; {}", primary.0, primary.1));
    pair.spec(SPEC);
    pair
}

/// One apply makes the replica what the primary is, rows and all.
#[track_caller]
fn becomes(name: &str, replica: (&str, &str), primary: (&str, &str)) {
    let pair = pair_of(replica, primary);
    let applied = pair.run(&["apply", "spec.yml", "-y"]);
    assert_eq!(applied.exit, Some(0), "{name}: {}", applied.told());
    assert_eq!(shown(&pair.replica), shown(&pair.primary), "{name}: {}", applied.told());
    assert_eq!(pair.replica.dump(), pair.primary.dump(), "{name}: {}", applied.told());
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
}

#[test]
fn columns_take_their_places() {
    const ROWS: &str = "INSERT INTO t (id, a, b) VALUES (1, 10, 100), (2, NULL, 200);";
    check_all(&[
        of(
            "two are exchanged",
            "(id int PRIMARY KEY, a int, b int)",
            "(id int PRIMARY KEY, b int, a int)",
            ROWS,
        ),
        of(
            "all stand otherwise",
            "(a int, id int PRIMARY KEY, b int)",
            "(id int PRIMARY KEY, b int, a int)",
            ROWS,
        ),
        of(
            "some come between",
            "(id int PRIMARY KEY, a int, b int)",
            "(x int NOT NULL DEFAULT 4, b int, n int, id int PRIMARY KEY, m int DEFAULT 5, a int)",
            ROWS,
        ),
        of(
            "one moves and becomes another",
            "(id int AUTO_INCREMENT PRIMARY KEY, a int, b int)",
            "(a bigint NOT NULL DEFAULT 7, b smallint, id bigint unsigned AUTO_INCREMENT PRIMARY KEY)",
            "INSERT INTO t (id, a, b) VALUES (1, 10, 100), (2, 11, 200);",
        ),
        of(
            "one that is computed moves",
            "(id int PRIMARY KEY, a int, g int AS (a + 1) STORED, v int AS (a + 2) VIRTUAL, b int)",
            "(v int AS (a + 2) VIRTUAL, id int PRIMARY KEY, g int AS (a + 1) STORED, b int, a int)",
            ROWS,
        ),
    ]);
}

#[test]
fn what_only_the_replica_has_does_not_disturb_the_order() {
    let pair = pair_of(
        ("(x int, b int, y int, id int PRIMARY KEY, z int)", "INSERT INTO t VALUES (1, 2, 3, 4, 5);"),
        ("(id int PRIMARY KEY, b int, n int)", "INSERT INTO t VALUES (4, 2, 9);"),
    );
    pair.tables("[{ table: t }]");
    let apply = ["apply", "spec.yml", "-y", "--allow", "ACQUIRES_ACCESS_EXCLUSIVE_LOCK"];
    pair.exits(&["apply", "spec.yml", "-y"], 3);
    pair.exits(&apply, 0);
    let names = pair.replica.query(
        "SELECT GROUP_CONCAT(column_name ORDER BY ordinal_position) FROM information_schema.columns \
         WHERE table_schema = database() AND table_name = 't'",
    );
    assert_eq!(names[0][0].as_deref(), Some("x,y,id,b,n,z"));
    assert_eq!(pair.replica.query("SELECT x, y, z FROM t")[0][0].as_deref(), Some("1"));
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
}

#[test]
fn what_is_computed_when_read_is_kept_and_back() {
    check_all(&[
        of(
            "a column alone",
            "(id int PRIMARY KEY, a int, g int AS (a + 1) STORED, b int)",
            "(id int PRIMARY KEY, a int, g int AS (a + 1) VIRTUAL, b int)",
            "INSERT INTO t (id, a, b) VALUES (1, 10, 100), (2, NULL, 200);",
        ),
        of(
            "with keys over it",
            "(g int AS (a + 1) STORED, id int PRIMARY KEY, a int, KEY k (g, id), UNIQUE KEY u (g), KEY gone (g, a), KEY n (a, g))",
            "(g int AS (a * 2) VIRTUAL, id int PRIMARY KEY, a int, KEY k (g, id), UNIQUE KEY w (g), KEY come (a), KEY n (g, a))",
            "INSERT INTO t (id, a) VALUES (1, 10), (2, NULL);",
        ),
    ]);
}

#[test]
fn words_of_a_list_come_and_go_around_the_rows() {
    becomes(
        "an enum",
        (
            "(id int PRIMARY KEY, e enum('a','b','it''s') DEFAULT 'b')",
            "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'it''s');",
        ),
        (
            "(id int PRIMARY KEY, e enum('c,d','a','q\\\\') NOT NULL DEFAULT 'q\\\\')",
            "INSERT INTO t VALUES (1, 'c,d'), (2, 'a'), (4, 'q\\\\');",
        ),
    );
    becomes(
        "a set",
        ("(id int PRIMARY KEY, e set('a','b','c'))", "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'b,c');"),
        ("(id int PRIMARY KEY, e set('a','c','d'))", "INSERT INTO t VALUES (1, 'd'), (2, 'c'), (4, 'a,d');"),
    );
}

#[test]
fn rows_that_hold_a_word_that_goes_are_counted_and_never_emptied() {
    let pair = pair_of(
        ("(id int PRIMARY KEY, e enum('a','b'))", "INSERT INTO t VALUES (1, 'b'), (200, 'b'), (201, 'a');"),
        ("(id int PRIMARY KEY, e enum('a'))", "INSERT INTO t VALUES (1, 'a');"),
    );
    pair.tables("[{ table: t, where: \"id < 100\" }]");
    let planned = pair.document(&["plan", "spec.yml"], 1);
    let change = &planned["replicas"][0]["tables"][0]["schema_changes"][0];
    assert_eq!(change["hazards"][0]["name"], "NARROWS_TYPE");
    assert_eq!(change["hazards"][0]["rows"], json!(2), "{change}");
    let refused = pair.run(&["apply", "spec.yml", "-y", "--allow", "all"]);
    assert_eq!(refused.exit, Some(1), "{}", refused.told());
    assert!(refused.told().contains("1 row of the replica's t"), "{}", refused.told());
    assert_eq!(
        pair.replica.query("SELECT GROUP_CONCAT(e ORDER BY id) FROM t")[0][0].as_deref(),
        Some("b,b,a"),
        "nothing was written"
    );
    pair.replica.execute_script("UPDATE t SET e = 'a' WHERE id = 200");
    pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
}

#[test]
fn types_that_hold_neither_the_other_meet_in_one_that_holds_both() {
    for (before, old, after, new) in [
        ("int", "-1", "int unsigned", "4000000000"),
        ("tinyint unsigned", "255", "tinyint", "-128"),
        ("decimal(10,2)", "12345678.25", "decimal(8,4)", "1.1234"),
        ("varchar(9) CHARACTER SET latin1", "'é'", "varchar(9)", "'日本'"),
        ("varchar(9) COLLATE utf8mb4_general_ci", "'a'", "varchar(20) COLLATE utf8mb4_bin", "'A'"),
    ] {
        becomes(
            &format!("{before} and {after}"),
            (
                &format!("(id int PRIMARY KEY, v {before})"),
                &format!("INSERT INTO t VALUES (1, {old}), (2, {old});"),
            ),
            (
                &format!("(id int PRIMARY KEY, v {after})"),
                &format!("INSERT INTO t VALUES (1, {new}), (3, {new});"),
            ),
        );
    }
    becomes(
        "a collation that tells apart what a unique key may not",
        (
            "(id int PRIMARY KEY, v varchar(9) COLLATE utf8mb4_general_ci UNIQUE)",
            "INSERT INTO t VALUES (1, 'a');",
        ),
        (
            "(id int PRIMARY KEY, v varchar(9) COLLATE utf8mb4_bin UNIQUE)",
            "INSERT INTO t VALUES (1, 'A'), (2, 'a');",
        ),
    );
    becomes(
        "digits of a moment and what is written of itself",
        (
            "(id int PRIMARY KEY, m timestamp(3) DEFAULT current_timestamp(3) ON UPDATE current_timestamp(3))",
            "INSERT INTO t VALUES (1, '2020-01-01 00:00:00.123');",
        ),
        (
            "(id int PRIMARY KEY, m timestamp(6) NULL DEFAULT NULL ON UPDATE current_timestamp(6))",
            "INSERT INTO t VALUES (1, '2020-01-01 00:00:00.123456');",
        ),
    );
}

#[test]
fn the_check_of_a_column_goes_before_the_rows_and_comes_behind() {
    let replica = ("(id int PRIMARY KEY, a int CHECK (a > 5))", "INSERT INTO t VALUES (1, 10);");
    let primary = ("(id int PRIMARY KEY, a int CHECK (a < 5))", "INSERT INTO t VALUES (1, 1);");
    becomes("another check", replica, primary);
    let pair = pair_of(replica, primary);
    pair.tables("[t]");
    let refused = pair.exits(&["apply", "spec.yml", "-y"], 3);
    assert!(refused.told().contains("CONSTRAINT_DROPPED"), "{}", refused.told());
    becomes(
        "a document that is checked otherwise",
        ("(id int PRIMARY KEY, j json CHECK (json_length(j) > 0))", "INSERT INTO t VALUES (1, '[1]');"),
        ("(id int PRIMARY KEY, j json)", "INSERT INTO t VALUES (1, '[]');"),
    );
}

#[test]
fn a_column_that_numbers_itself_goes_with_its_key() {
    becomes(
        "it goes",
        ("(id int AUTO_INCREMENT PRIMARY KEY, a int)", "INSERT INTO t VALUES (1, 1), (2, 2);"),
        ("(a int)", "INSERT INTO t VALUES (1), (2);"),
    );
}

#[test]
fn periods_are_structure() {
    if Engine::Mariadb.product().is_mysql() {
        not_run(Engine::Mariadb, "periods", "it has none");
        return;
    }
    let (plain, period) = (
        "(id int NOT NULL, s date NOT NULL, e date NOT NULL)",
        "(id int NOT NULL, s date NOT NULL, e date NOT NULL, PERIOD FOR p (s, e))",
    );
    let rows = "INSERT INTO t VALUES (1, '2020-01-01', '2021-01-01');";
    let pair = pair_of((plain, rows), (period, rows));
    let planned = pair.exits(&["plan", "spec.yml"], 1);
    assert!(planned.told().contains("PERIOD FOR `p`"), "{}", planned.told());
    let pair = Pair::new(Engine::Mariadb, Engine::Mariadb);
    pair.primary.execute_script(&format!(
        "CREATE TABLE t (id int NOT NULL, s date, e date, PERIOD FOR p (s, e), UNIQUE KEY u (id, p WITHOUT OVERLAPS)); {rows}"
    ));
    pair.spec(SPEC);
    pair.exits(&["apply", "spec.yml", "-y"], 0);
    assert_eq!(shown(&pair.replica), shown(&pair.primary));
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    pair.primary.execute_script(
        "CREATE OR REPLACE TABLE t (id int PRIMARY KEY, s timestamp(6) GENERATED ALWAYS AS ROW START, \
         e timestamp(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING",
    );
    pair.replica.execute_script("DROP TABLE t");
    let planned = pair.exits(&["plan", "spec.yml"], 1);
    assert!(planned.told().contains("cannot be created"), "{}", planned.told());
}

#[test]
fn words_that_the_server_cannot_print_are_never_taken_for_equal() {
    let pair = pair_of(
        ("(id int PRIMARY KEY, e enum('😀','a'))", "INSERT INTO t VALUES (1, 'a');"),
        ("(id int PRIMARY KEY, e enum('😁','a'))", "INSERT INTO t VALUES (1, 'a');"),
    );
    let planned = pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 1);
    assert!(planned.told().contains("cannot show"), "{}", planned.told());
    pair.replica.execute_script("DROP TABLE t");
    pair.exits(&["plan", "spec.yml"], 1);
}
