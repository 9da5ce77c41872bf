//! What of a PostgreSQL replica keeps its structure from being changed: named by the plan, before anything is written.

use crate::pair::Pair;
use crate::servers::Engine;

const ROWS: &str = "INSERT INTO t (id, n) VALUES (1, 1), (2, 2);";

fn pair(primary: &str, replica: &str, others: &str) -> Pair {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.primary.execute_script(&format!("{primary} {ROWS}"));
    pair.replica.execute_script(&format!("{replica} {ROWS} {others}"));
    pair.spec(
        "version: 1\nprimary: ${PRIMARY_URL}\nreplicas: { copy: \"${REPLICA_URL}\" }\nallow: [all]\ntables: [{ table: t }]\n",
    );
    pair
}

#[test]
fn what_needs_a_column_or_a_key_is_named_before_anything_is_written() {
    let plain = "CREATE TABLE t (id int PRIMARY KEY, n int);";
    let wider = "CREATE TABLE t (id int PRIMARY KEY, n bigint);";
    let without = "CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t ADD n int;";
    let computed = "CREATE TABLE t (id int PRIMARY KEY, n int, d int GENERATED ALWAYS AS (n * 2) STORED);";
    let otherwise = "CREATE TABLE t (id int PRIMARY KEY, n int, d int GENERATED ALWAYS AS (n * 3) STORED);";
    let keyed = "CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE);";
    let serial = "CREATE TABLE t (id serial PRIMARY KEY, n int);";
    let body = "CREATE FUNCTION says() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT max(n) FROM t; END;";
    for (primary, replica, others, named) in [
        (wider, plain, "CREATE VIEW \"It's\" AS SELECT n FROM t;", "view \"It's\""),
        (wider, plain, "CREATE MATERIALIZED VIEW kept AS SELECT n FROM t;", "materialized view kept"),
        (wider, plain, "CREATE POLICY mine ON t USING (n > 0);", "policy mine on table t"),
        (wider, plain, body, "function says()"),
        (wider, plain, "ALTER TABLE t ADD d int GENERATED ALWAYS AS (n * 2) STORED;", "column d of table t"),
        (
            wider,
            plain,
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
             CREATE TRIGGER g BEFORE UPDATE OF n ON t FOR EACH ROW EXECUTE FUNCTION f();",
            "trigger g on table t",
        ),
        (otherwise, computed, "CREATE VIEW seen AS SELECT d FROM t;", "view seen"),
        (plain, keyed, "CREATE TABLE other (n int REFERENCES t (n));", "other_n_fkey on table other"),
        (
            plain,
            keyed,
            "CREATE SCHEMA s; CREATE TABLE s.o (n int REFERENCES t (n));",
            "o_n_fkey on table s.o",
        ),
        (plain, serial, "CREATE TABLE other (n int DEFAULT nextval('t_id_seq'));", "column n of table other"),
        (
            without,
            "CREATE TABLE t (id int PRIMARY KEY, n int, x int);",
            "CREATE VIEW seen AS SELECT x FROM t;",
            "view seen",
        ),
    ] {
        let pair = pair(primary, replica, others);
        let about = format!("{replica} {others}");
        let refused = pair.run(&["plan", "spec.yml"]);
        assert_eq!(refused.exit, Some(1), "{about}: {}", refused.told());
        assert!(refused.stdout.contains(named), "{about}: {}", refused.told());
        let before = pair.replica.dump();
        pair.exits(&["apply", "spec.yml", "-y"], 1);
        assert_eq!(pair.replica.dump(), before, "{about}");
        // Whoever only looks is told what differs.
        pair.exits(&["verify", "spec.yml"], 2);
    }
}

/// What does not depend on what changes is in nobody's way.
#[test]
fn what_needs_something_else_of_the_table_is_in_nobodys_way() {
    let others = "CREATE VIEW seen AS SELECT id FROM t; CREATE TABLE other (n int REFERENCES t); CREATE INDEX i ON other (n);
         CREATE POLICY mine ON t USING (id > 0); CREATE STATISTICS both_of (ndistinct) ON id, n FROM t;";
    let pair = pair(
        "CREATE TABLE t (id int PRIMARY KEY, n bigint CHECK (n > 0));",
        "CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE CHECK (n > 0));",
        others,
    );
    pair.exits(&["apply", "spec.yml", "-y"], 0);
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
}
