//! Rows that wait for each other: references that go round, between tables and within one, and unique values that
//! change hands. Each goes through a saved plan, is undone to the last value, and goes through the script that the
//! engine's own client runs.

use std::collections::BTreeMap;

use crate::script::client;
use crate::servers::{Database, Engine, open};
use crate::tool::{self, Run};

/// What is on both sides, and what only one has.
struct Scene {
    name: &'static str,
    /// For the engines that it is valid for.
    engines: &'static [Engine],
    tables: fn(Engine) -> String,
    primary: &'static str,
    replica: &'static str,
    /// Whether rows have to be deleted and inserted again.
    replaces: bool,
}

const ALL: &[Engine] = &[Engine::Sqlite, Engine::Postgres, Engine::Mariadb];

/// Two tables that reference each other; the first key is added last where a table must be there to be referenced.
fn two_tables(engine: Engine, null: &str, clause: &str) -> String {
    match engine {
        Engine::Sqlite => format!(
            "CREATE TABLE a (id integer PRIMARY KEY, b_id integer {null}, n integer, FOREIGN KEY (b_id) REFERENCES b (id) {clause});
             CREATE TABLE b (id integer PRIMARY KEY, a_id integer {null}, n integer, FOREIGN KEY (a_id) REFERENCES a (id) {clause});"
        ),
        _ => format!(
            "CREATE TABLE a (id integer PRIMARY KEY, b_id integer {null}, n integer);
             CREATE TABLE b (id integer PRIMARY KEY, a_id integer {null}, n integer, CONSTRAINT b_a FOREIGN KEY (a_id) REFERENCES a (id) {clause});
             ALTER TABLE a ADD CONSTRAINT a_b FOREIGN KEY (b_id) REFERENCES b (id) {clause};"
        ),
    }
}

const TWO_PRIMARY: &str = "INSERT INTO a VALUES (1, 1, 0), (2, 3, 0), (3, 2, 1), (9, 9, 0);
    INSERT INTO b VALUES (1, 1, 0), (2, 2, 0), (3, 3, 0), (9, 9, 5);";
const TWO_REPLICA: &str = "INSERT INTO a VALUES (1, 4, 0), (4, 1, 0), (5, 6, 0), (6, 5, 0), (9, 9, 0);
    INSERT INTO b VALUES (1, 4, 7), (4, 1, 0), (5, 6, 0), (6, 5, 0), (9, 9, 5);";

fn tree(null: &str, clause: &str) -> String {
    format!(
        "CREATE TABLE tree (id integer PRIMARY KEY, up integer {null}, n integer, FOREIGN KEY (up) REFERENCES tree (id) {clause});"
    )
}

const TREE_PRIMARY: &str =
    "INSERT INTO tree VALUES (1, 2, 0), (2, 3, 0), (3, 1, 0), (4, 4, 0), (5, 6, 1), (6, 5, 1), (9, 9, 0);";
const TREE_REPLICA: &str = "INSERT INTO tree VALUES (5, 7, 1), (6, 8, 1), (7, 6, 0), (8, 5, 0), (11, 12, 0), (12, 11, 0), (9, 9, 0);";

fn unique(columns: &str, constraints: &str) -> String {
    format!("CREATE TABLE t (id integer PRIMARY KEY, {columns}, n integer{constraints});")
}

const SCENES: &[Scene] = &[
    Scene {
        name: "rows that come to point at a value which goes on, and set nothing else, where the key cascades",
        engines: ALL,
        tables: |engine| {
            let put_off = if engine == Engine::Mariadb { "" } else { " DEFERRABLE INITIALLY DEFERRED" };
            format!(
                "CREATE TABLE p (id integer PRIMARY KEY, code integer NOT NULL UNIQUE);
                 CREATE TABLE c (id integer PRIMARY KEY, p integer NOT NULL, n integer, FOREIGN KEY (p) REFERENCES p (code) ON UPDATE CASCADE{put_off});"
            )
        },
        primary: "INSERT INTO p VALUES (2, 1), (3, 2); INSERT INTO c VALUES (1, 2, 0);",
        replica: "INSERT INTO p VALUES (1, 1), (2, 2); INSERT INTO c VALUES (1, 1, 0);",
        replaces: false,
    },
    Scene {
        name: "a value in other accents that passes to a new row while another one comes to point elsewhere",
        engines: &[Engine::Mariadb],
        tables: |_| {
            let text = "varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci";
            format!(
                "CREATE TABLE p (id integer PRIMARY KEY, code {text} UNIQUE);
                 CREATE TABLE c (id integer PRIMARY KEY, p {text}, FOREIGN KEY (p) REFERENCES p (code));"
            )
        },
        primary: "INSERT INTO p VALUES (7, 'd'); INSERT INTO c VALUES (1, 'd');",
        replica: "INSERT INTO p VALUES (6, 'i'); INSERT INTO c VALUES (1, 'í');",
        replaces: false,
    },
    Scene {
        name: "values exchanged under an index over an expression that few values satisfy",
        engines: &[Engine::Sqlite, Engine::Postgres],
        tables: |_| unique("u integer NOT NULL", "") + "CREATE UNIQUE INDEX apart ON t ((u % 5));",
        primary: "INSERT INTO t VALUES (1, 2, 0), (2, 1, 0), (3, 3, 0), (4, 4, 0);",
        replica: "INSERT INTO t VALUES (1, 1, 0), (2, 2, 0), (3, 3, 0), (4, 4, 0);",
        replaces: false,
    },
    Scene {
        name: "values exchanged under an index over their beginnings",
        engines: &[Engine::Mariadb],
        tables: |_| unique("u varchar(20) NOT NULL", ", UNIQUE KEY (u (1))"),
        primary: "INSERT INTO t VALUES (1, 'xa', 0), (2, 'ya', 0), (3, '0', 0), (4, '1', 0), (5, '2', 0), (6, '3', 0), (7, '4', 0), (8, '5', 0), (9, '6', 0), (10, '7', 0), (11, '8', 0), (12, '9', 0);",
        replica: "INSERT INTO t VALUES (1, 'ya', 0), (2, 'xa', 0), (3, '0', 0), (4, '1', 0), (5, '2', 0), (6, '3', 0), (7, '4', 0), (8, '5', 0), (9, '6', 0), (10, '7', 0), (11, '8', 0), (12, '9', 0);",
        replaces: false,
    },
    Scene {
        name: "references that the collation alone takes for one",
        engines: &[Engine::Postgres, Engine::Mariadb],
        tables: |engine| {
            let (before, collation) = match engine {
                Engine::Postgres => (
                    "CREATE COLLATION plain (provider = icu, locale = 'und-u-ks-level1', deterministic = false);",
                    "COLLATE plain",
                ),
                _ => ("", "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"),
            };
            format!(
                "{before} CREATE TABLE t (id integer PRIMARY KEY, code varchar(20) {collation} NOT NULL UNIQUE, up varchar(20) {collation}, n integer, FOREIGN KEY (up) REFERENCES t (code));"
            )
        },
        primary: "INSERT INTO t VALUES (1, 'a', 'ZE', 0), (2, 'zé', NULL, 0), (3, 'b', NULL, 0);",
        replica: "INSERT INTO t VALUES (1, 'a', NULL, 0), (3, 'b', 'AE', 0), (0, 'aé', NULL, 0);",
        replaces: false,
    },
    Scene {
        name: "a row that comes to point at the value that it gives up, where the key cascades",
        engines: ALL,
        tables: |_| {
            "CREATE TABLE t (id integer PRIMARY KEY, code integer NOT NULL UNIQUE, up integer, n integer, FOREIGN KEY (up) REFERENCES t (code) ON UPDATE CASCADE);".to_owned()
        },
        primary: "INSERT INTO t VALUES (6, 1, NULL, 0), (7, 4, 1, 0);",
        replica: "INSERT INTO t VALUES (6, 9, NULL, 0), (7, 1, NULL, 0);",
        replaces: false,
    },
    Scene {
        name: "a row that is taken along to a unique value that another one takes, where the key cascades",
        engines: ALL,
        tables: |_| {
            "CREATE TABLE p (id integer PRIMARY KEY, code integer NOT NULL UNIQUE);
             CREATE TABLE c (id integer PRIMARY KEY, p integer UNIQUE, n integer, FOREIGN KEY (p) REFERENCES p (code) ON UPDATE CASCADE);".to_owned()
        },
        primary: "INSERT INTO p VALUES (1, 5), (2, 4); INSERT INTO c VALUES (2, 4, 0), (1, 5, 0);",
        replica: "INSERT INTO p VALUES (1, 3), (2, 4); INSERT INTO c VALUES (2, 3, 0), (1, NULL, 0);",
        replaces: false,
    },
    Scene {
        name: "two tables, columns that take NULL",
        engines: ALL,
        tables: |engine| two_tables(engine, "", ""),
        primary: TWO_PRIMARY,
        replica: TWO_REPLICA,
        replaces: false,
    },
    Scene {
        name: "two tables, no NULL",
        engines: ALL,
        tables: |engine| two_tables(engine, "NOT NULL", ""),
        primary: TWO_PRIMARY,
        replica: TWO_REPLICA,
        replaces: false,
    },
    Scene {
        name: "two tables, no NULL, cascades",
        engines: ALL,
        tables: |engine| two_tables(engine, "NOT NULL", "ON DELETE CASCADE"),
        primary: TWO_PRIMARY,
        replica: TWO_REPLICA,
        replaces: false,
    },
    Scene {
        name: "two tables, RESTRICT",
        engines: ALL,
        tables: |engine| two_tables(engine, "", "ON DELETE RESTRICT"),
        primary: TWO_PRIMARY,
        replica: TWO_REPLICA,
        replaces: false,
    },
    Scene {
        name: "two tables, no NULL, RESTRICT",
        engines: &[Engine::Postgres, Engine::Mariadb],
        tables: |engine| two_tables(engine, "NOT NULL", "ON DELETE RESTRICT"),
        primary: TWO_PRIMARY,
        replica: TWO_REPLICA,
        replaces: false,
    },
    Scene {
        name: "two tables, no NULL, deferrable",
        engines: &[Engine::Sqlite, Engine::Postgres],
        tables: |engine| two_tables(engine, "NOT NULL", "DEFERRABLE INITIALLY IMMEDIATE"),
        primary: TWO_PRIMARY,
        replica: TWO_REPLICA,
        replaces: false,
    },
    Scene {
        name: "a tree that goes round",
        engines: ALL,
        tables: |_| tree("", ""),
        primary: TREE_PRIMARY,
        replica: TREE_REPLICA,
        replaces: false,
    },
    Scene {
        name: "a tree that goes round, no NULL",
        engines: ALL,
        tables: |_| tree("NOT NULL", ""),
        primary: TREE_PRIMARY,
        replica: TREE_REPLICA,
        replaces: false,
    },
    Scene {
        name: "a tree that goes round, no NULL, cascades",
        engines: ALL,
        tables: |_| tree("NOT NULL", "ON DELETE CASCADE"),
        primary: TREE_PRIMARY,
        replica: TREE_REPLICA,
        replaces: false,
    },
    Scene {
        name: "unique values that take NULL",
        engines: ALL,
        tables: |_| unique("u integer UNIQUE", ""),
        primary: "INSERT INTO t VALUES (1, 20, 0), (2, 10, 0), (3, 40, 0), (4, 50, 0), (5, 30, 0), (6, 70, 0), (8, 80, 0);",
        replica: "INSERT INTO t VALUES (1, 10, 0), (2, 20, 0), (3, 30, 0), (4, 40, 0), (5, 50, 0), (7, 70, 0), (9, 90, 1), (8, 81, 0);",
        replaces: false,
    },
    Scene {
        name: "unique integers that take no NULL",
        engines: ALL,
        tables: |_| unique("u integer NOT NULL UNIQUE", ""),
        primary: "INSERT INTO t VALUES (1, 20, 0), (2, 10, 0), (3, 40, 0), (4, 50, 0), (5, 30, 0), (6, 81, 0), (8, 82, 0);",
        replica: "INSERT INTO t VALUES (1, 10, 0), (2, 20, 0), (3, 30, 0), (4, 40, 0), (5, 50, 0), (8, 81, 0), (9, 82, 0);",
        replaces: false,
    },
    Scene {
        name: "unique texts that take no NULL",
        engines: ALL,
        tables: |_| unique("u varchar(8) NOT NULL UNIQUE", ""),
        primary: "INSERT INTO t VALUES (1, 'b', 0), (2, 'a', 0), (3, 'd', 0), (4, 'e', 0), (5, 'c', 0);",
        replica: "INSERT INTO t VALUES (1, 'a', 0), (2, 'b', 0), (3, 'c', 0), (4, 'd', 0), (5, 'e', 0);",
        replaces: false,
    },
    Scene {
        name: "two unique keys at once",
        engines: ALL,
        tables: |_| {
            unique("u integer NOT NULL UNIQUE, v varchar(20) UNIQUE, w integer NOT NULL", ", UNIQUE (w, v)")
        },
        primary: "INSERT INTO t VALUES (1, 20, 'b', 1, 0), (2, 10, 'a', 1, 0), (3, 40, 'd', 2, 0), (4, 30, 'c', 2, 0);",
        replica: "INSERT INTO t VALUES (1, 10, 'a', 1, 0), (2, 20, 'b', 1, 0), (3, 30, 'd', 2, 0), (4, 40, 'c', 2, 0);",
        replaces: false,
    },
    Scene {
        name: "unique values under a check",
        engines: ALL,
        tables: |_| unique("u integer NOT NULL UNIQUE CHECK (u < 100)", ""),
        primary: "INSERT INTO t VALUES (1, 20, 0), (2, 10, 3), (3, 40, 0), (4, 50, 0), (5, 30, 0);",
        replica: "INSERT INTO t VALUES (1, 10, 4), (2, 20, 0), (3, 30, 0), (4, 40, 5), (5, 50, 0);",
        replaces: true,
    },
    Scene {
        name: "unique values that can be put off",
        engines: &[Engine::Postgres],
        tables: |_| unique("u integer NOT NULL CHECK (u < 100)", ", UNIQUE (u) DEFERRABLE"),
        primary: "INSERT INTO t VALUES (1, 20, 0), (2, 10, 3), (3, 40, 0), (4, 50, 0), (5, 30, 0);",
        replica: "INSERT INTO t VALUES (1, 10, 4), (2, 20, 0), (3, 30, 0), (4, 40, 5), (5, 50, 0);",
        replaces: false,
    },
    Scene {
        name: "a child between a parent that goes and one that takes its value",
        engines: ALL,
        tables: |_| {
            "CREATE TABLE p (id integer PRIMARY KEY, u varchar(9) NOT NULL UNIQUE);
             CREATE TABLE c (id integer PRIMARY KEY, p_id integer NOT NULL, FOREIGN KEY (p_id) REFERENCES p (id));"
                .to_owned()
        },
        primary: "INSERT INTO p VALUES (1, 'x'), (3, 'z'); INSERT INTO c VALUES (1, 1), (2, 3);",
        replica: "INSERT INTO p VALUES (2, 'x'), (3, 'z'); INSERT INTO c VALUES (1, 2), (2, 3);",
        replaces: false,
    },
];

struct Stage {
    primary: Database,
    replica: Database,
    directory: tempfile::TempDir,
}

impl Stage {
    fn set(scene: &Scene, engine: Engine) -> Stage {
        let stage = Stage {
            primary: open(engine, "circles primary"),
            replica: open(engine, "circles replica"),
            directory: tempfile::tempdir().expect("a temporary directory can be made"),
        };
        for (database, rows) in [(&stage.primary, scene.primary), (&stage.replica, scene.replica)] {
            database.execute_script(&(scene.tables)(engine));
            database.execute_script(&unchecked(engine, rows));
        }
        let spec =
            "version: 1\nprimary: \"${PRIMARY_URL}\"\nreplicas: { r: \"${REPLICA_URL}\" }\ntables: ['*']\n";
        std::fs::write(stage.directory.path().join("spec.yml"), spec).expect("the spec can be written");
        stage
    }

    fn trueup(&self, args: &[&str]) -> Run {
        let urls = [("PRIMARY_URL", &self.primary.url), ("REPLICA_URL", &self.replica.url)];
        let variables: BTreeMap<String, String> =
            urls.map(|(name, url)| (name.to_owned(), url.clone())).into();
        tool::run(self.directory.path(), &variables, args)
    }

    fn ends(&self, told: &str, args: &[&str], exit: i32) -> Run {
        let run = self.trueup(args);
        assert_eq!(run.exit, Some(exit), "{told}: {args:?}\n{}", run.told());
        run
    }
}

/// Rows that no order could bring in.
fn unchecked(engine: Engine, rows: &str) -> String {
    match engine {
        Engine::Sqlite => format!("PRAGMA foreign_keys = OFF; {rows} PRAGMA foreign_keys = ON;"),
        Engine::Postgres => {
            format!("SET session_replication_role = replica; {rows} SET session_replication_role = DEFAULT;")
        }
        Engine::Mariadb => format!("SET foreign_key_checks = 0; {rows} SET foreign_key_checks = 1;"),
    }
}

#[test]
fn rows_that_wait_for_each_other_go_forth_and_back_and_by_script() {
    for scene in SCENES {
        for engine in scene.engines {
            goes_round(scene, *engine);
        }
    }
}

fn goes_round(scene: &Scene, engine: Engine) {
    let told = format!("{} on {}", scene.name, engine.name());
    let stage = Stage::set(scene, engine);
    let before = stage.replica.dump();
    let allow: &[&str] = if scene.replaces { &["--allow", "REPLACES_ROWS"] } else { &[] };
    stage.ends(&told, &["plan", "spec.yml", "-o", "a.plan"], 0);
    if scene.replaces {
        let refused = stage.ends(&told, &["apply", "a.plan", "-y"], 3);
        assert!(refused.told().contains("REPLACES_ROWS"), "{told}\n{}", refused.told());
        assert_eq!(stage.replica.dump(), before, "{told}");
    }
    // In batches as small as can be: what belongs together stays so.
    let apply = [&["apply", "a.plan", "-y", "--batch-rows", "1"], allow].concat();
    stage.ends(&told, &apply, 0);
    assert_eq!(stage.replica.dump(), stage.primary.dump(), "{told}");
    stage.ends(&told, &["plan", "spec.yml", "--detailed-exitcode"], 0);
    stage.ends(&told, &["undo", "a.plan", "-o", "b.plan"], 0);
    stage.ends(&told, &[&["apply", "b.plan", "-y"], allow].concat(), 0);
    assert_eq!(stage.replica.dump(), before, "{told}: undone");
    if scene.replaces {
        return;
    }
    let script = stage.trueup(&["plan", "spec.yml", "--format", "sql"]);
    if script.exit != Some(0) {
        // What a foreign key takes along a script cannot tell from what the plan knows.
        assert!(scene.name.ends_with("cascades"), "{told}\n{}", script.told());
        assert!(script.told().contains("takes its rows along"), "{told}\n{}", script.told());
        return;
    }
    let script = script.stdout;
    let file = stage.directory.path().join("script.sql");
    std::fs::write(&file, &script).expect("the script can be written");
    let ran = client(engine, &stage.replica.url, &file, &[]);
    assert!(ran.ok, "{told}\n{}\n{script}", ran.said);
    assert_eq!(stage.replica.dump(), stage.primary.dump(), "{told}: by script");
}

#[test]
fn what_has_no_means_is_an_error_of_the_plan() {
    let scene = Scene {
        name: "no means",
        engines: &[Engine::Sqlite],
        tables: |engine| two_tables(engine, "NOT NULL", "ON DELETE RESTRICT"),
        primary: "INSERT INTO a VALUES (9, 9, 0); INSERT INTO b VALUES (9, 9, 0);",
        replica: TWO_REPLICA,
        replaces: false,
    };
    let stage = Stage::set(&scene, Engine::Sqlite);
    let before = stage.replica.dump();
    let run = stage.ends("no means", &["plan", "spec.yml"], 1);
    assert!(run.told().contains("wait for each other in a circle"), "{}", run.told());
    assert!(run.told().contains("NO ACTION instead of RESTRICT"), "{}", run.told());
    stage.ends("no means", &["apply", "spec.yml", "-y"], 1);
    assert_eq!(stage.replica.dump(), before);
}

/// The plan ends with 1 and says why.
fn is_refused(
    engine: Engine,
    tables: fn(Engine) -> String,
    primary: &'static str,
    replica: &'static str,
    says: &str,
) {
    let scene = Scene { name: "refused", engines: ALL, tables, primary, replica, replaces: false };
    let run = Stage::set(&scene, engine).ends(engine.name(), &["plan", "spec.yml"], 1);
    assert!(run.told().contains(says), "{}", run.told());
}

/// Where every value that could stand in collides under the index, the plan says so, and apply is not begun.
#[test]
fn where_no_value_could_stand_in_the_plan_says_so() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        is_refused(
            engine,
            |_| unique("u integer NOT NULL", "") + "CREATE UNIQUE INDEX apart ON t ((u % 3));",
            "INSERT INTO t VALUES (1, 2, 0), (2, 1, 0), (3, 3, 0);",
            "INSERT INTO t VALUES (1, 1, 0), (2, 2, 0), (3, 3, 0);",
            "there is no other value left",
        );
    }
}

/// A row that points at itself is taken along by its own update to a unique value that another one takes, which it waits
/// for in turn.
#[test]
fn a_row_that_takes_itself_along_and_gives_way_is_an_error_of_the_plan() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        is_refused(
            engine,
            |_| {
                "CREATE TABLE t (id integer PRIMARY KEY, code integer NOT NULL UNIQUE, n integer, up integer UNIQUE, FOREIGN KEY (up) REFERENCES t (code) ON UPDATE CASCADE);".to_owned()
            },
            "INSERT INTO t VALUES (1, 5, 2, NULL), (3, 1, 1, 5), (4, 4, 1, 1);",
            "INSERT INTO t VALUES (3, 4, 2, 4), (4, 5, 2, NULL);",
            "wait for each other in a circle",
        );
    }
}

/// A row that the plan does not know points into a circle that goes: nothing is written, and foreign keys are looked
/// at as before.
#[test]
fn what_points_into_a_circle_that_goes_keeps_it() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let scene = Scene {
            name: "pointed at",
            engines: ALL,
            tables: |_| {
                tree("NOT NULL", "")
                    + "CREATE TABLE aside (id integer PRIMARY KEY, up integer, FOREIGN KEY (up) REFERENCES tree (id));"
            },
            primary: "INSERT INTO tree VALUES (9, 9, 0);",
            replica: "INSERT INTO tree VALUES (11, 12, 0), (12, 11, 0), (9, 9, 0); INSERT INTO aside VALUES (1, 11);",
            replaces: false,
        };
        let stage = Stage::set(&scene, engine);
        let before = stage.replica.dump();
        let spec =
            "version: 1\nprimary: \"${PRIMARY_URL}\"\nreplicas: { r: \"${REPLICA_URL}\" }\ntables: [tree]\n";
        std::fs::write(stage.directory.path().join("spec.yml"), spec).expect("the spec can be written");
        let run = stage.ends(engine.name(), &["apply", "spec.yml", "-y"], 1);
        assert!(run.told().contains("aside") || run.told().contains("foreign key"), "{}", run.told());
        assert_eq!(stage.replica.dump(), before, "{}", engine.name());
    }
}
