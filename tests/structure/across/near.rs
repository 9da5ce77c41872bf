//! What is left out between engines, and what stays for that it says nearly the same.

use crate::pair::Pair;
use crate::servers::Engine;

/// A pair whose spec has these tables.
fn pair(engines: (Engine, Engine), primary: &str, replica: &str) -> Pair {
    let pair = Pair::new(engines.0, engines.1);
    for (side, sql) in [(&pair.primary, primary), (&pair.replica, replica)] {
        if !sql.is_empty() {
            side.execute_script(sql);
        }
    }
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

#[test]
fn what_leaves_the_primary_key_may_take_null() {
    for replica in [Engine::Sqlite, Engine::Mariadb] {
        settles(&pair(
            (Engine::Postgres, replica),
            "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, NULL);",
            "CREATE TABLE t (id int NOT NULL UNIQUE, a int NOT NULL, PRIMARY KEY (id, a)); INSERT INTO t VALUES (1, 1);",
        ));
    }
}

/// A primary key that comes to SQLite takes no NULL, as the primary's.
#[test]
fn a_primary_key_that_comes_takes_no_null() {
    let pair = pair(
        (Engine::Postgres, Engine::Sqlite),
        "CREATE TABLE t (id int, a int, PRIMARY KEY (id, a)); INSERT INTO t VALUES (1, 1);",
        "CREATE TABLE t (id int, a int);",
    );
    settles(&pair);
    let not_null = pair.replica.query("SELECT count(*) FROM pragma_table_info('t') WHERE \"notnull\" = 1");
    assert_eq!(not_null[0][0].as_deref(), Some("2"));
}

/// What no primary key of another engine takes is an error of the plan.
#[test]
fn null_in_a_primary_key_is_told_by_the_plan() {
    for replica in [Engine::Postgres, Engine::Mariadb] {
        let pair = pair(
            (Engine::Sqlite, replica),
            "CREATE TABLE t (id int, a int, PRIMARY KEY (id, a)); INSERT INTO t VALUES (1, 1), (2, NULL);",
            "",
        );
        let run = pair.exits(&["plan", "spec.yml"], 1);
        assert!(run.told().contains("NOT NULL"), "{}", run.told());
    }
}

/// MariaDB makes an index for a foreign key: the plan knows it, so that it can be finished and taken back.
#[test]
fn a_foreign_key_comes_with_its_index() {
    let pair = pair(
        (Engine::Postgres, Engine::Mariadb),
        "CREATE TABLE x (id int PRIMARY KEY, c int, a int, UNIQUE (c, a), d int REFERENCES x (id)); INSERT INTO x VALUES (1, 1, 1, 1);",
        "CREATE TABLE x (id int PRIMARY KEY, c int, a int, d int);",
    );
    let before = pair.replica.query("SHOW CREATE TABLE x");
    pair.exits(&["plan", "spec.yml", "-o", "there.plan"], 0);
    pair.exits(&["apply", "there.plan", "-y"], 3);
    pair.exits(&["apply", "there.plan", "-y", "--undo", "back.plan", "--allow", "all"], 0);
    pair.exits(&["apply", "there.plan", "-y", "--allow", "all"], 0);
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    pair.exits(&["apply", "back.plan", "-y", "--allow", "all"], 0);
    assert_eq!(pair.replica.query("SHOW CREATE TABLE x"), before);
}

#[test]
fn a_foreign_key_that_comes_as_another_goes_can_be_finished() {
    let pair = pair(
        (Engine::Postgres, Engine::Mariadb),
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE x (id int PRIMARY KEY, c int, b int NOT NULL REFERENCES p (id));
         INSERT INTO p VALUES (1); INSERT INTO x VALUES (1, NULL, 1);",
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE x (id int PRIMARY KEY, c int NOT NULL, b int, FOREIGN KEY (c) REFERENCES p (id));",
    );
    pair.exits(&["plan", "spec.yml", "-o", "there.plan"], 0);
    pair.exits(&["apply", "there.plan", "-y", "--allow", "all"], 0);
    pair.exits(&["apply", "there.plan", "-y", "--allow", "all"], 0);
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
}

/// InnoDB ties no column that takes no NULL to one that does, where changes are carried on.
#[test]
fn what_would_carry_null_on_is_left_out() {
    settles(&pair(
        (Engine::Postgres, Engine::Mariadb),
        "CREATE TABLE p (id int PRIMARY KEY, k int UNIQUE);
         CREATE TABLE c (id int PRIMARY KEY, k int NOT NULL REFERENCES p (k) ON UPDATE CASCADE);
         INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (1, 1);",
        "",
    ));
}

#[test]
fn a_primary_key_that_came_goes_again() {
    for primary in [Engine::Sqlite, Engine::Mariadb] {
        let pair = pair(
            (primary, Engine::Postgres),
            "CREATE TABLE t (id int NOT NULL, a int NOT NULL, PRIMARY KEY (a, id)); INSERT INTO t VALUES (1, 1);",
            "CREATE TABLE t (id int NOT NULL, a int NOT NULL); INSERT INTO t VALUES (1, 1);",
        );
        pair.exits(&["apply", "spec.yml", "-y", "--undo", "back.plan"], 0);
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
        pair.exits(&["apply", "back.plan", "-y", "--allow", "all"], 0);
        let keys = pair.replica.query("SELECT count(*) FROM pg_constraint WHERE conrelid = 't'::regclass");
        assert_eq!(keys[0][0].as_deref(), Some("0"));
    }
}

/// Rows that the spec leaves out may be pointed at.
#[test]
fn what_points_at_rows_that_are_left_out_is_left_out_too() {
    for replica in [Engine::Sqlite, Engine::Mariadb] {
        for entry in ["{ table: p, where: 'id < 5' }", "{ table: p, update: false }"] {
            let pair = pair(
                (Engine::Postgres, replica),
                "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p (id));
                 INSERT INTO p VALUES (1), (7); INSERT INTO c VALUES (1, 1), (2, 7);",
                "",
            );
            pair.tables(&format!("[{entry}, c]"));
            settles(&pair);
            assert_eq!(pair.replica.query("SELECT count(*) FROM c")[0][0].as_deref(), Some("2"));
        }
    }
}

/// What MariaDB takes for one value is two to the others.
#[test]
fn a_foreign_key_that_would_find_less_is_left_out() {
    for replica in [Engine::Sqlite, Engine::Postgres] {
        let pair = pair(
            (Engine::Mariadb, replica),
            "CREATE TABLE p (id varchar(20) PRIMARY KEY) COLLATE utf8mb4_general_ci;
             CREATE TABLE c (id int PRIMARY KEY, p varchar(20), FOREIGN KEY (p) REFERENCES p (id)) COLLATE utf8mb4_general_ci;
             INSERT INTO p VALUES ('abc'); INSERT INTO c VALUES (1, 'ABC'), (2, 'abc ');",
            "",
        );
        let plan = pair.exits(&["plan", "spec.yml"], 0);
        assert!(plan.stdout.contains("the primary takes for one"), "{}", plan.told());
        settles(&pair);
    }
}

#[test]
fn an_index_that_a_foreign_key_will_lean_on_keeps_its_name() {
    settles(&pair(
        (Engine::Sqlite, Engine::Mariadb),
        "CREATE TABLE t (id integer PRIMARY KEY, p int REFERENCES t (id), v int); CREATE INDEX i ON t (v);
         INSERT INTO t VALUES (1, 1, 1);",
        "CREATE TABLE t (id int PRIMARY KEY, p int, v int, KEY i (p)); INSERT INTO t VALUES (1, 1, 1);",
    ));
}

/// On SQLite a table is held against what it points at as that is then: what points comes one run behind the key.
#[test]
fn a_new_table_waits_for_the_key_that_it_points_at() {
    let pair = pair(
        (Engine::Mariadb, Engine::Sqlite),
        "CREATE TABLE p (id int PRIMARY KEY, k int UNIQUE);
         CREATE TABLE c (id int PRIMARY KEY, k int, FOREIGN KEY (k) REFERENCES p (k));
         INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (2, 1);",
        "CREATE TABLE p (id integer PRIMARY KEY NOT NULL, k int); INSERT INTO p VALUES (1, 1);",
    );
    let run = pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
    assert!(run.stdout.contains("run again"), "{}", run.told());
    settles(&pair);
    let keys = pair.replica.query("SELECT count(*) FROM pragma_foreign_key_list('c')");
    assert_eq!(keys[0][0].as_deref(), Some("1"));
}

#[test]
fn a_key_that_takes_two_spellings_for_one_is_left_out() {
    let upper = "AAAAAAAA-0000-0000-0000-000000000000";
    for (declared, created, one, other) in [
        ("UUID", "uuid", upper.to_owned(), upper.to_lowercase()),
        ("DATETIME", "datetime", "2026-01-01 00:00".to_owned(), "2026-01-01 00:00:00".to_owned()),
        (
            "TIMESTAMP WITH TIME ZONE",
            "timestamp",
            "2026-01-01 00:00:00+00:00".to_owned(),
            "2026-01-01 01:00:00+01:00".to_owned(),
        ),
    ] {
        for (replica, before) in [
            (Engine::Mariadb, "SELECT 1".to_owned()),
            (Engine::Mariadb, format!("CREATE TABLE t (id int NOT NULL PRIMARY KEY, u {created})")),
            (Engine::Postgres, "SELECT 1".to_owned()),
        ] {
            let pair = Pair::new(Engine::Sqlite, replica);
            pair.primary.execute_script(&format!(
                "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, u {declared} UNIQUE); INSERT INTO t VALUES (1, '{one}'), (2, '{other}')"
            ));
            pair.replica.execute_script(&before);
            pair.tables("[t]");
            let planned = pair.exits(&["plan", "spec.yml"], 0);
            assert!(planned.told().contains("takes spellings for one"), "{declared}: {}", planned.told());
            pair.exits(&["apply", "spec.yml", "-y"], 0);
            pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
        }
    }
}
