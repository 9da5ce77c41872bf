//! Keys, unique keys, indexes and foreign keys: created with their tables, and repaired on tables that are there.

use std::collections::BTreeSet;

use super::said::said;
use crate::pair::Pair;
use crate::servers::Engine;

/// Pairs of two engines.
pub fn crossing() -> Vec<(Engine, Engine)> {
    Engine::pairs().into_iter().filter(|(one, other)| one != other).collect()
}

/// What is equal on both sides but for the indexes that MariaDB makes for foreign keys.
#[track_caller]
fn is_alike(pair: &Pair, what: &str) {
    let implied = |lines: &BTreeSet<String>| -> BTreeSet<String> {
        let foreign = |line: &String| {
            let of = line.strip_prefix("foreign ")?;
            Some(format!("index {}", of.split(" -> ").next()?))
        };
        lines.iter().filter_map(foreign).collect()
    };
    let without = |lines: BTreeSet<String>| -> BTreeSet<String> {
        let implied = implied(&lines);
        lines.into_iter().filter(|line| !implied.contains(line)).collect()
    };
    let (primary, replica) = (without(said(&pair.primary)), without(said(&pair.replica)));
    assert_eq!(replica, primary, "{} to {}, {what}", pair.primary.engine.name(), pair.replica.engine.name());
}

/// Makes the replica equal, after which nothing is left to do.
#[track_caller]
fn settles(pair: &Pair, what: &str) {
    pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
    is_alike(pair, what);
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    pair.exits(&["verify", "spec.yml"], 0);
}

/// A name in quotes.
fn quoted(engine: Engine, sql: &str) -> String {
    if engine == Engine::Mariadb { sql.replace('"', "`") } else { sql.to_owned() }
}

/// Two tables have an index of one name where names are a table's own.
fn shop(engine: Engine) -> String {
    let (one, other) = match engine {
        Engine::Mariadb => ("by_name", "by_name"),
        Engine::Postgres | Engine::Sqlite => ("by_name", "by_name_2"),
    };
    // Elsewhere texts are told apart letter by letter.
    let exactly = if engine == Engine::Mariadb { "ALTER DATABASE COLLATE utf8mb4_nopad_bin; " } else { "" };
    quoted(
        engine,
        &format!(
            "{exactly}CREATE TABLE makers (id bigint NOT NULL PRIMARY KEY, name varchar(40) NOT NULL, country char(2) NOT NULL,
                UNIQUE (country, name));
             CREATE TABLE \"order\" (id bigint NOT NULL PRIMARY KEY, maker bigint, parent bigint, name varchar(40),
                \"group by\" int NOT NULL, country char(2), code varchar(20) NOT NULL,
                FOREIGN KEY (maker) REFERENCES makers (id) ON DELETE SET NULL ON UPDATE CASCADE,
                CONSTRAINT up FOREIGN KEY (parent) REFERENCES \"order\" (id) ON DELETE CASCADE,
                FOREIGN KEY (country, name) REFERENCES makers (country, name));
             CREATE INDEX {one} ON makers (name);
             CREATE INDEX {other} ON \"order\" (name, \"group by\" DESC);
             CREATE UNIQUE INDEX \"the code\" ON \"order\" (code, id);
             INSERT INTO makers VALUES (1, 'a', 'de'), (2, 'b', 'fr'), (3, 'c', 'de');
             INSERT INTO \"order\" VALUES (1, 1, NULL, 'a', 5, 'de', 'x'), (2, NULL, 1, NULL, 6, NULL, 'X'), (3, 2, 2, 'b', 6, 'fr', 'x ')"
        ),
    )
}

#[test]
fn tables_are_created_with_them() {
    for (primary, replica) in crossing() {
        let pair = Pair::new(primary, replica);
        pair.primary.execute_script(&shop(primary));
        pair.tables("['*']");
        settles(&pair, "created");
    }
}

#[test]
fn what_is_missing_comes_and_what_is_extra_goes() {
    for (primary, replica) in crossing() {
        let pair = Pair::new(primary, replica);
        pair.primary.execute_script(&shop(primary));
        pair.tables("['*']");
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        let more = |engine| {
            quoted(
                engine,
                "CREATE TABLE tags (id bigint NOT NULL PRIMARY KEY, item bigint NOT NULL, word bigint);
                 INSERT INTO tags VALUES (1, 1, 4), (2, 2, NULL)",
            )
        };
        pair.primary.execute_script(&more(primary));
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        // The one side gets what the other lacks; then they take turns.
        let keys = quoted(
            primary,
            "CREATE INDEX by_word ON tags (word DESC, id); CREATE UNIQUE INDEX one_each ON tags (item, word)",
        );
        pair.primary.execute_script(&keys);
        settles(&pair, "came");
        let drop = |name: &str| match primary {
            Engine::Mariadb => format!("DROP INDEX {name} ON tags"),
            Engine::Postgres | Engine::Sqlite => format!("DROP INDEX {name}"),
        };
        pair.primary.execute_script(&format!("{}; {}", drop("by_word"), drop("one_each")));
        let refused = pair.exits(&["apply", "spec.yml", "-y"], 3);
        assert!(refused.stdout.contains("INDEX_DROPPED"), "{}", refused.told());
        assert!(refused.stdout.contains("CONSTRAINT_DROPPED"), "{}", refused.told());
        settles(&pair, "went");
    }
}

/// What a plan says of the only table `t`, after it was applied, and nothing was left to do.
#[track_caller]
fn notes(pair: &Pair) -> String {
    pair.tables("[t]");
    pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
    let plan = pair.document(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    plan["replicas"][0]["notes"].to_string()
}

#[test]
fn what_no_other_engine_has_is_left_out_and_said() {
    for replica in [Engine::Mariadb, Engine::Sqlite] {
        let pair = Pair::new(Engine::Postgres, replica);
        pair.primary.execute_script(
            "CREATE TABLE p (id int PRIMARY KEY);
             CREATE TABLE t (id int PRIMARY KEY, a int CONSTRAINT positive CHECK (a > 0), b varchar(20), c int,
                 CONSTRAINT late UNIQUE (b) DEFERRABLE, CONSTRAINT away FOREIGN KEY (a) REFERENCES p);
             CREATE INDEX partial ON t (a) WHERE b IS NOT NULL; CREATE INDEX computed ON t (lower(b));
             CREATE INDEX hashed ON t USING hash (a); CREATE INDEX along ON t (a) INCLUDE (b);
             CREATE INDEX patterns ON t (b varchar_pattern_ops); CREATE UNIQUE INDEX collated ON t (b COLLATE \"C\");
             CREATE INDEX plain ON t (c NULLS FIRST); COMMENT ON COLUMN t.a IS 'x';
             INSERT INTO p VALUES (1); INSERT INTO t VALUES (1, 1, 'x', 2), (2, NULL, NULL, NULL)",
        );
        let notes = notes(&pair);
        for name in
            ["positive", "late", "away", "partial", "computed", "hashed", "along", "patterns", "collated"]
        {
            assert!(notes.contains(name), "{name} is not in {notes}");
        }
        assert!(notes.contains("comments") && !notes.contains("plain"), "{notes}");
        let there: Vec<String> =
            said(&pair.replica).into_iter().filter(|line| !line.starts_with("null")).collect();
        assert_eq!(there, ["index t (c)", "primary t (id)", "unique t (b)"]);
    }
}

#[test]
fn what_the_family_alone_has_is_left_out_and_said() {
    for replica in [Engine::Postgres, Engine::Sqlite] {
        let pair = Pair::new(Engine::Mariadb, replica);
        pair.primary.execute_script(
            "CREATE TABLE t (id int PRIMARY KEY, a text, b varchar(20), c int, KEY begins (a(10)), FULLTEXT KEY words (a),
                 UNIQUE KEY b (b), KEY c (c), CHECK (c > 0));
             INSERT INTO t VALUES (1, 'x', 'y', 2), (2, NULL, NULL, NULL)",
        );
        let notes = notes(&pair);
        assert!(notes.contains("begins") && notes.contains("words") && notes.contains("check"), "{notes}");
        let there: Vec<String> =
            said(&pair.replica).into_iter().filter(|line| !line.starts_with("null")).collect();
        assert_eq!(there, ["index t (c)", "primary t (id)", "unique t (b)"]);
    }
}

/// Rows that are two on the primary and one to the replica's collation stay; no key comes that would refuse them.
#[test]
fn a_key_that_would_refuse_rows_is_left_out_and_what_the_replica_alone_can_say_stays() {
    let pair = Pair::new(Engine::Postgres, Engine::Mariadb);
    pair.primary.execute_script(
        "CREATE TABLE t (id int PRIMARY KEY, a varchar(20), b text);
         CREATE UNIQUE INDEX exact ON t (a); CREATE INDEX long ON t (b); INSERT INTO t VALUES (1, 'x', 'y'), (2, 'X', NULL)",
    );
    pair.replica.execute_script(
        "CREATE TABLE t (id int PRIMARY KEY, a varchar(20) COLLATE utf8mb4_general_ci, b text, KEY begins (b(5)),
             CONSTRAINT own CHECK (id > 0))",
    );
    let notes = notes(&pair);
    for name in ["exact", "long", "begins", "own"] {
        assert!(notes.contains(name), "{name} is not in {notes}");
    }
    assert!(notes.contains("spec.yml:4"), "{notes}");
    assert_eq!(pair.replica.query("SELECT count(*) FROM t")[0][0].as_deref(), Some("2"));
}

/// Tables of one name and of long ones, each with an index of one name.
#[test]
fn names_never_collide() {
    for replica in [Engine::Postgres, Engine::Sqlite] {
        let pair = Pair::new(Engine::Mariadb, replica);
        let long = "l".repeat(60);
        pair.primary.execute_script(&format!(
            "CREATE TABLE i (id int PRIMARY KEY, a int, b int, KEY i (a), KEY t_i (b));
             CREATE TABLE t (id int PRIMARY KEY, a int, KEY i (a));
             CREATE TABLE {long} (id int PRIMARY KEY, a int, b int, KEY {long} (a), KEY i (b));
             INSERT INTO i VALUES (1, 1, 1); INSERT INTO t VALUES (1, 1); INSERT INTO {long} VALUES (1, 1, 1)"
        ));
        pair.replica.execute_script(
            "CREATE TABLE bystander (id int PRIMARY KEY, a int); CREATE INDEX i_t_i ON bystander (a)",
        );
        pair.tables(&format!("[i, t, {long}]"));
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
        let indexes = said(&pair.replica).into_iter().filter(|line| line.starts_with("index")).count();
        assert_eq!(indexes, 6);
    }
}

/// Undone, the structure is what it was; a saved plan and a script make the same change.
#[test]
fn saved_scripted_and_undone() {
    for (primary, replica) in crossing() {
        let pair = Pair::new(primary, replica);
        let table = "CREATE TABLE p (id bigint NOT NULL PRIMARY KEY); CREATE TABLE t (id bigint NOT NULL PRIMARY KEY, a bigint, b bigint);
             INSERT INTO p VALUES (1); INSERT INTO t VALUES (1, 1, 7)";
        pair.both(table);
        pair.primary.execute_script("CREATE UNIQUE INDEX one ON t (a, b); CREATE INDEX two ON t (b DESC)");
        pair.replica.execute_script("CREATE INDEX three ON t (a, id)");
        pair.tables("[p, t]");
        let before = said(&pair.replica);
        pair.exits(&["plan", "spec.yml", "-o", "saved.plan"], 0);
        pair.exits(&["apply", "saved.plan", "-y", "--allow", "all"], 0);
        is_alike(&pair, "saved");
        pair.exits(&["undo", "saved.plan", "-o", "back.plan"], 0);
        pair.exits(&["apply", "back.plan", "-y", "--allow", "all"], 0);
        assert_eq!(said(&pair.replica), before, "{} to {}", primary.name(), replica.name());
    }
}

/// A primary key that comes makes its columns NOT NULL, and goes with that.
#[test]
fn a_primary_key_that_came_is_taken_back_with_what_it_made_of_its_columns() {
    for primary in [Engine::Postgres, Engine::Mariadb, Engine::Sqlite] {
        for replica in [Engine::Postgres, Engine::Mariadb] {
            let pair = Pair::new(primary, replica);
            pair.primary.execute_script(
                "CREATE TABLE t (id int NOT NULL, a int NOT NULL, PRIMARY KEY (a, id)); INSERT INTO t VALUES (1, 1)",
            );
            pair.replica
                .execute_script("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)");
            pair.tables("[t]");
            let before = said(&pair.replica);
            pair.exits(&["plan", "spec.yml", "-o", "there.plan"], 0);
            pair.exits(&["undo", "there.plan", "-o", "back.plan"], 0);
            pair.exits(&["apply", "there.plan", "-y", "--allow", "all"], 0);
            pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
            pair.exits(&["apply", "back.plan", "-y", "--allow", "all"], 0);
            assert_eq!(said(&pair.replica), before, "{} to {}", primary.name(), replica.name());
            pair.replica.execute_script("INSERT INTO t VALUES (2, NULL)");
        }
    }
}
