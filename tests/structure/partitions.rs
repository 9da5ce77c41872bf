//! What cannot be done to partitioned tables, to tables that inherit, and with types of extensions is an error that says so.

use crate::pair::Pair;
use crate::servers::Engine;

fn pair(primary: &str, replica: &str) -> Pair {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.primary.execute_script(primary);
    pair.replica.execute_script(replica);
    pair.tables("[t]");
    pair
}

const PLAIN: &str = "CREATE TABLE t (id int PRIMARY KEY);";
const PARTED: &str = "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);";

#[test]
fn what_is_kept_in_another_way_is_named() {
    let hashed = "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY HASH (id);";
    let wider = "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (20);";
    let heir = "CREATE TABLE p (id int NOT NULL); CREATE TABLE t (PRIMARY KEY (id)) INHERITS (p);";
    let cases = [
        (PARTED, PLAIN, "the primary `PARTITION BY RANGE (id)`"),
        (PLAIN, PARTED, "it has `PARTITION BY RANGE (id)`"),
        (hashed, PARTED, "PARTITION BY HASH (id)"),
        (wider, PARTED, "FOR VALUES FROM (0) TO (20)"),
        (heir, PLAIN, "INHERITS (public.p)"),
        (PLAIN, heir, "it has `INHERITS (public.p)`"),
        (heir, "CREATE TABLE other (id int)", "inherits others, and is not created"),
    ];
    for (primary, replica, named) in cases {
        let pair = pair(primary, replica);
        let refused = pair.run(&["plan", "spec.yml", "--detailed-exitcode"]);
        assert_eq!(refused.exit, Some(1), "{named}: {}", refused.told());
        assert!(refused.stdout.contains(named), "{named}: {}", refused.told());
    }
}

#[test]
fn rows_go_into_partitions_that_come_with_them() {
    let pair = pair(
        &format!(
            "{PARTED} CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20); INSERT INTO t VALUES (1), (11);"
        ),
        PARTED,
    );
    pair.exits(&["plan", "spec.yml", "-o", "there.plan"], 0);
    pair.exits(&["undo", "there.plan", "-o", "back.plan"], 0);
    pair.exits(&["apply", "there.plan", "-y"], 0);
    assert_eq!(pair.replica.query("SELECT id::text FROM t2")[0][0].as_deref(), Some("11"));
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    let refused = pair.run(&["apply", "back.plan", "-y"]);
    assert_eq!(refused.exit, Some(3), "{}", refused.told());
    pair.exits(&["apply", "back.plan", "-y", "--allow", "DELETES_DATA"], 0);
    assert_eq!(
        pair.replica.query("SELECT to_regclass('t2')::text, (SELECT count(*)::text FROM t)")[0][1].as_deref(),
        Some("0")
    );
}

#[test]
fn a_type_of_an_extension_names_it() {
    let pair =
        pair("CREATE EXTENSION citext; CREATE TABLE t (id int PRIMARY KEY, v citext, a citext[]);", PLAIN);
    let refused = pair.run(&["plan", "spec.yml"]);
    assert_eq!(refused.exit, Some(1), "{}", refused.told());
    assert!(refused.stdout.contains("comes from the extension citext"), "{}", refused.told());
}
