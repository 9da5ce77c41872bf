//! Rows that pointed at nothing before trueup came: where others wrote without looking at foreign keys they stand on
//! both sides, and must neither keep a table from being written nor let a new one through.

use crate::pair::Pair;
use crate::servers::Engine;

/// Where nobody looks at foreign keys.
fn unlooked(engine: Engine, sql: &str) -> String {
    match engine {
        Engine::Sqlite => format!("PRAGMA foreign_keys = OFF; {sql}"),
        _ => format!("SET foreign_key_checks = 0; {sql}; SET foreign_key_checks = 1"),
    }
}

const TABLES: &str = "CREATE TABLE p (id integer PRIMARY KEY);
    CREATE TABLE c (id integer PRIMARY KEY, p integer, v varchar(20), FOREIGN KEY (p) REFERENCES p (id));
    CREATE TABLE keyless (p integer, v varchar(20), FOREIGN KEY (p) REFERENCES p (id));";
const ROWS: &str = "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1, 'a'), (2, 77, 'orphan'), (3, 78, 'too'); \
    INSERT INTO keyless VALUES (1, 'a'), (77, 'orphan'), (77, 'orphan')";
fn stage(engine: Engine) -> Pair {
    let pair = Pair::new(engine, engine);
    let ring = "CREATE TABLE ring (id integer PRIMARY KEY, up integer NOT NULL, FOREIGN KEY (up) REFERENCES ring (id));";
    pair.both(&format!("{TABLES}{ring}"));
    pair.both(&unlooked(engine, ROWS));
    pair.tables("[p, c, keyless, ring]");
    pair
}

/// A change that makes every engine look: two rows that point at each other, which no order brings in.
fn ring(engine: Engine, first: u32) -> String {
    unlooked(engine, &format!("INSERT INTO ring VALUES ({first}, {first} + 1), ({first} + 1, {first})"))
}

#[test]
fn what_pointed_at_nothing_before_may_stay_and_nothing_else() {
    for engine in [Engine::Sqlite, Engine::Mariadb] {
        let pair = stage(engine);
        pair.primary.execute_script(&ring(engine, 1));
        // Old ones are written in another column, repaired, deleted; a row of a table without a key comes beside them.
        pair.primary.execute_script("UPDATE c SET v = 'still' WHERE id = 2");
        pair.primary.execute_script("UPDATE c SET p = 1 WHERE id = 3");
        pair.primary.execute_script("INSERT INTO keyless VALUES (1, 'b')");
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());
        new_ones_are_refused(engine, &pair);
    }
}

/// SQLite counts at the commit: an old orphan that finds its parent sets a new one off.
#[test]
fn an_old_orphan_that_finds_its_parent_hides_no_new_one() {
    let pair = Pair::new(Engine::Sqlite, Engine::Sqlite);
    pair.both("CREATE TABLE p (id integer PRIMARY KEY); INSERT INTO p VALUES (1);");
    pair.primary.execute_script("INSERT INTO p VALUES (9)");
    pair.replica.execute_script(&unlooked(
        Engine::Sqlite,
        "CREATE TABLE x (id integer PRIMARY KEY, p REFERENCES p (id)); CREATE TABLE y (id integer PRIMARY KEY, p REFERENCES p (id));
         INSERT INTO p VALUES (5); INSERT INTO x VALUES (1, 5); INSERT INTO y VALUES (1, 9);",
    ));
    pair.tables("[p]");
    let before = pair.replica.dump();
    let refused = pair.exits(&["apply", "spec.yml", "-y", "--max-deletes", "100%"], 1);
    assert!(refused.told().contains("x: id = 1 points at no row of p"), "{}", refused.told());
    assert_eq!(pair.replica.dump(), before);
}

fn new_ones_are_refused(engine: Engine, pair: &Pair) {
    for (place, (drift, after, told, hidden)) in (0..).zip([
        (
            "INSERT INTO c VALUES (4, 79, 'new')",
            "DELETE FROM c WHERE id = 4",
            "c: id = 4 points",
            "c: id = 2",
        ),
        (
            "UPDATE c SET p = 80 WHERE id = 2",
            "UPDATE c SET p = 77 WHERE id = 2",
            "c: id = 2 points",
            "keyless: ",
        ),
        (
            "INSERT INTO c VALUES (4, 77, 'new')",
            "DELETE FROM c WHERE id = 4",
            "c: id = 4 points",
            "c: id = 2",
        ),
        ("INSERT INTO keyless VALUES (77, 'orphan')", "", "keyless: p = 77 points", "c: id = 2"),
    ]) {
        pair.primary.execute_script(&unlooked(engine, drift));
        // Without it the MySQL family itself refuses the row.
        pair.primary.execute_script(&ring(engine, 10 + 2 * place));
        let before = pair.replica.dump();
        let refused = pair.exits(&["apply", "spec.yml", "-y"], 1);
        let said = refused.told();
        assert!(said.contains("foreign key"), "{}, {drift}: {said}", engine.name());
        if engine == Engine::Sqlite {
            assert!(said.contains(told) && !said.contains(hidden), "{drift}: {said}");
        }
        assert_eq!(pair.replica.dump(), before, "{}, {drift}", engine.name());
        if after.is_empty() {
            return;
        }
        pair.primary.execute_script(&unlooked(engine, after));
    }
}
