//! What is left out between engines, and what stays for that it says nearly the same.

use crate::pair::Pair;
use crate::servers::Engine;

/// A pair whose spec has these tables.
fn pair(engines: (Engine, Engine), primary: &str, replica: &str) -> Pair {
    let pair = Pair::new(engines.0, engines.1);
    pair.primary.execute_script(primary);
    pair.replica.execute_script(replica);
    pair.tables("['*']");
    pair
}

/// One apply, after which nothing is left to do.
#[track_caller]
fn settles(pair: &Pair) {
    pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
}

#[test]
fn tables_in_a_circle_come_as_they_were_put_off() {
    for (one, other) in [(Engine::Postgres, Engine::Sqlite), (Engine::Sqlite, Engine::Postgres)] {
        let pair = pair(
            (one, other),
            match one {
                Engine::Postgres => {
                    "CREATE TABLE a (id int PRIMARY KEY, b int NOT NULL);
                     CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a DEFERRABLE INITIALLY DEFERRED);
                     ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b DEFERRABLE INITIALLY DEFERRED;
                     BEGIN; INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1); COMMIT;"
                }
                _ => {
                    "CREATE TABLE a (id integer PRIMARY KEY, b integer NOT NULL REFERENCES b (id) DEFERRABLE INITIALLY DEFERRED);
                     CREATE TABLE b (id integer PRIMARY KEY, a integer NOT NULL REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED);
                     BEGIN; INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1); COMMIT;"
                }
            },
            "",
        );
        settles(&pair);
        assert_eq!(pair.replica.query("SELECT count(*) FROM a, b")[0][0].as_deref(), Some("1"));
        // It is put off there too.
        pair.primary
            .execute_script("BEGIN; INSERT INTO a VALUES (2, 2); INSERT INTO b VALUES (2, 2); COMMIT;");
        settles(&pair);
    }
}

#[test]
fn names_that_the_server_gives_are_taken() {
    settles(&pair(
        (Engine::Sqlite, Engine::Postgres),
        "CREATE TABLE t (id integer PRIMARY KEY, v integer); CREATE TABLE u (id integer PRIMARY KEY, w integer);
         CREATE INDEX t_pkey ON u (w); CREATE INDEX u_id_seq ON u (w, id); INSERT INTO t VALUES (1, 1);",
        "",
    ));
}

#[test]
fn a_column_that_leaves_the_primary_key_takes_no_null_at_once() {
    settles(&pair(
        (Engine::Postgres, Engine::Sqlite),
        "CREATE TABLE p (id int PRIMARY KEY, e int NOT NULL UNIQUE); INSERT INTO p VALUES (1, 2), (5, 4);",
        "CREATE TABLE p (id int NOT NULL UNIQUE, e integer PRIMARY KEY); INSERT INTO p VALUES (1, 1);",
    ));
}

/// What the primary has and the replica cannot have word by word is not taken for something that only the replica has.
#[test]
fn what_is_left_out_takes_nothing_near_away() {
    for (engine, primary, replica) in [
        (
            Engine::Mariadb,
            "CREATE TABLE p (id int PRIMARY KEY);
             CREATE TABLE c (id int PRIMARY KEY, p int DEFAULT 1 REFERENCES p ON DELETE SET DEFAULT);",
            "CREATE TABLE p (id int PRIMARY KEY);
             CREATE TABLE c (id int PRIMARY KEY, p int DEFAULT 1, FOREIGN KEY (p) REFERENCES p (id));",
        ),
        (
            Engine::Sqlite,
            "CREATE TABLE t (id int PRIMARY KEY, a int, b int); CREATE UNIQUE INDEX u ON t (a) INCLUDE (b);
             CREATE INDEX i ON t (b) WHERE a > 0;",
            "CREATE TABLE t (id int PRIMARY KEY NOT NULL, a int, b int); CREATE UNIQUE INDEX u ON t (a); CREATE INDEX i ON t (b);",
        ),
    ] {
        let pair = pair((Engine::Postgres, engine), primary, replica);
        let run = pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
        assert!(run.stdout.contains("left out"), "{}", run.told());
    }
}

/// A unique index of some rows is none of all of them: that goes, by leave.
#[test]
fn a_key_that_asks_more_than_the_primarys_goes() {
    let pair = pair(
        (Engine::Postgres, Engine::Sqlite),
        "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE UNIQUE INDEX u ON t (a) WHERE id > 9; INSERT INTO t VALUES (1, 1), (2, 1);",
        "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, a int); CREATE UNIQUE INDEX u ON t (a); INSERT INTO t VALUES (1, 1);",
    );
    pair.exits(&["apply", "spec.yml", "-y"], 3);
    settles(&pair);
}

/// A foreign key has nothing to point at where the key that it points at is left out.
#[test]
fn what_points_at_a_key_that_is_left_out_is_left_out_too() {
    let pair = pair(
        (Engine::Postgres, Engine::Mariadb),
        "CREATE TABLE p (id int PRIMARY KEY, email varchar(50) NOT NULL UNIQUE);
         CREATE TABLE c (id int PRIMARY KEY, pe varchar(50) REFERENCES p (email));
         INSERT INTO p VALUES (1, 'a'); INSERT INTO c VALUES (1, 'a');",
        "CREATE TABLE p (id int PRIMARY KEY, email varchar(50)) COLLATE utf8mb4_general_ci;
         CREATE TABLE c (id int PRIMARY KEY, pe varchar(50)) COLLATE utf8mb4_general_ci;",
    );
    let plan = pair.exits(&["plan", "spec.yml"], 0);
    assert!(plan.stdout.contains("foreign key c_pe_fkey is left out"), "{}", plan.told());
    settles(&pair);
}
