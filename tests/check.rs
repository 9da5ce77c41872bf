//! `trueup check` with connections: all problems in one report, and rights told without writing anything.

use std::collections::BTreeMap;
use std::path::Path;

use crate::servers::{Database, Engine, open};
use crate::tool::{self, Run};

/// Runs the tool with a spec of these sides and tables.
fn run(primary: &str, replicas: &[(&str, &str)], tables: &str, args: &[&str]) -> Run {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    run_in(directory.path(), primary, replicas, tables, args)
}

fn run_in(directory: &Path, primary: &str, replicas: &[(&str, &str)], tables: &str, args: &[&str]) -> Run {
    let sides: String = replicas.iter().map(|(name, url)| format!("  {name}: \"{url}\"\n")).collect();
    let spec = format!("version: 1\nprimary: \"{primary}\"\nreplicas:\n{sides}tables:\n{tables}");
    std::fs::write(directory.join("spec.yml"), spec).expect("the spec can be written");
    tool::run(directory, &BTreeMap::new(), args)
}

fn check(primary: &str, replicas: &[(&str, &str)], tables: &str) -> Run {
    run(primary, replicas, tables, &["check", "spec.yml"])
}

#[track_caller]
fn tells(run: &Run, words: &[&str]) {
    assert_eq!((run.exit, run.stdout.as_str()), (Some(1), ""), "{}", run.told());
    for word in words {
        assert!(run.stderr.contains(word), "should tell `{word}`\n{}", run.told());
    }
    let end = format!("has {} problem", words.len());
    assert!(run.stderr.contains(&end), "should end with `{end}`\n{}", run.told());
}

fn pair(engine: Engine, primary: &str, replica: &str) -> (Database, Database) {
    let (first, second) = (open(engine, "check primary"), open(engine, "check replica"));
    first.execute_script(primary);
    second.execute_script(replica);
    (first, second)
}

const TABLE: &str = "CREATE TABLE t (id integer PRIMARY KEY, v integer);";

#[test]
fn a_sound_spec_is_summed_up_for_each_replica() {
    for engine in Engine::all() {
        let (primary, replica) = pair(
            engine,
            "CREATE TABLE t (id integer PRIMARY KEY, v integer); CREATE TABLE u (a integer PRIMARY KEY, b integer);",
            "CREATE TABLE t (id integer PRIMARY KEY, v integer); CREATE TABLE w (a integer PRIMARY KEY)",
        );
        let tables = "  - t\n  - { table: u, to: w, where: \"a > 1\" }\n";
        let sound = check(&primary.url, &[("copy", &replica.url)], tables);
        assert_eq!((sound.exit, sound.stderr.as_str()), (Some(0), ""), "{}", sound.told());
        for line in [
            "spec.yml is valid: 1 replica, 2 table entries.",
            &format!("Replica copy  {} ", engine.product().name),
            "  t: key id; 2 columns\n",
            "  u -> w: key a; 2 columns\n    note: w.b is missing on the replica: apply brings it\n",
            "No problems: 2 table pairs can be compared.\n",
        ] {
            assert!(sound.stdout.contains(line), "should have the line `{line}`\n{}", sound.told());
        }
    }
}

#[test]
fn all_problems_are_in_one_report() {
    for engine in Engine::all() {
        let (primary, replica) = pair(
            engine,
            "CREATE TABLE t (id integer PRIMARY KEY, v integer); CREATE TABLE no_key (a integer); \
             CREATE TABLE twice (a integer NOT NULL, b integer); CREATE TABLE needy (id integer PRIMARY KEY);",
            "CREATE TABLE t (id integer PRIMARY KEY, v integer); CREATE TABLE no_key (a integer); \
             CREATE TABLE twice (a integer NOT NULL, b integer); INSERT INTO twice VALUES (7, 1), (7, 2); \
             CREATE TABLE needy (id integer PRIMARY KEY, must integer NOT NULL)",
        );
        let tables = "  - table: t\n    columns: [id, vv]\n    rename: { vv: w }\n    where: \"x = 1\"\n\
                      \x20   compare: { gone: ignore }\n  - table: twice\n    key: [a]\n  - needy\n  - missing\n  - \"z*\"\n";
        let tables = tables
            .replace("columns: [id, vv]", "exclude_columns: [vv]")
            .replace("rename: { vv: w }", "rename: { old: w }");
        let replicas = [
            ("copy", replica.url.as_str()),
            ("down", "mysql://someone:s3cret@127.0.0.1:1/shop"),
            ("nowhere", "sqlite:/no/such/directory/x.db"),
        ];
        let report = check(&primary.url, &replicas, &tables);
        tells(
            &report,
            &[
                "spec.yml:5:9: could not connect to the replica down",
                "spec.yml:6:12: could not connect to the replica nowhere",
                "spec.yml:9:23: the primary's table",
                "has no column old",
                "spec.yml:11:12: the primary's table",
                "spec.yml:12:16: the primary's table",
                "copy: twice: two rows have the same key in the replica's table",
                "copy: needy: spec.yml:15:5: table needy, column must: the replica's column is NOT NULL",
                "spec.yml:16:5: the primary has no table missing",
                "spec.yml:17:5: no table of the primary matches z*",
            ],
        );
        assert!(!report.stderr.contains("s3cret"), "{}", report.told());
    }
}

#[test]
fn a_primary_out_of_reach_does_not_hide_the_replicas() {
    let replicas = [("a", "postgres://u:s3cret@127.0.0.1:1/x"), ("b", "sqlite:/no/such/directory/x.db")];
    let report = check("mysql://u:s3cret@127.0.0.1:1/x", &replicas, "  - t\n");
    tells(
        &report,
        &["could not connect to the primary", "could not connect to the replica a", "the replica b"],
    );
    assert!(!report.stderr.contains("s3cret"), "{}", report.told());
}

#[test]
fn the_same_database_twice_is_a_problem_of_that_replica() {
    let (primary, replica) = pair(Engine::Sqlite, TABLE, TABLE);
    let link = tempfile::tempdir().expect("a temporary directory can be made");
    let other = link.path().join("link.db");
    std::os::unix::fs::symlink(primary.file().expect("a file"), &other).expect("a link can be made");
    let twin = format!("sqlite:{}", other.display());
    let report = check(&primary.url, &[("good", &replica.url), ("twin", &twin)], "  - t\n");
    tells(&report, &["spec.yml:5:9: the replica twin is the same database as the primary"]);
}

#[test]
fn a_missing_file_or_table_is_a_note_where_apply_would_create_it() {
    let primary = open(Engine::Sqlite, "check primary");
    primary.execute_script(TABLE);
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let sound = run_in(
        directory.path(),
        &primary.url,
        &[("new", "sqlite:new.db")],
        "  - t\n",
        &["check", "spec.yml"],
    );
    assert_eq!(sound.exit, Some(0), "{}", sound.told());
    assert!(sound.stdout.contains("; missing on the replica: apply creates it"), "{}", sound.told());
    assert!(!directory.path().join("new.db").exists(), "check makes no file");
    let ignored = "  - { table: t, schema: ignore }\n";
    let report =
        run_in(directory.path(), &primary.url, &[("new", "sqlite:new.db")], ignored, &["check", "spec.yml"]);
    tells(&report, &["new: t: spec.yml:6:14: the replica has no table t"]);
}

#[test]
fn only_what_is_asked_for_is_looked_at() {
    let (primary, replica) = pair(Engine::Sqlite, TABLE, TABLE);
    let replicas = [("good", replica.url.as_str()), ("down", "postgres://u@127.0.0.1:1/x")];
    let only = ["check", "spec.yml", "--replica", "good", "--table", "t"];
    let sound = run(&primary.url, &replicas, "  - t\n  - missing\n", &only);
    assert_eq!(sound.exit, Some(0), "{}", sound.told());
    for args in [["--replica", "nobody"], ["--table", "nothing"]] {
        let wrong = run(&primary.url, &replicas, "  - t\n", &[&["check", "spec.yml"][..], &args].concat());
        assert_eq!(wrong.exit, Some(1), "{}", wrong.told());
        assert!(wrong.stderr.contains("matches no"), "{}", wrong.told());
    }
}

/// Grants, and the rights that check must call lacking.
const GRANTS: &[(&str, &[&str])] = &[
    ("GRANT SELECT, INSERT, UPDATE, DELETE ON t TO {role}", &[]),
    ("GRANT SELECT ON t TO {role}", &["INSERT", "UPDATE", "DELETE"]),
    ("GRANT SELECT, UPDATE, DELETE ON t TO {role}", &["INSERT"]),
    ("GRANT SELECT, INSERT, DELETE ON t TO {role}", &["UPDATE"]),
    ("GRANT SELECT, INSERT, UPDATE ON t TO {role}", &["DELETE"]),
    ("GRANT SELECT, DELETE, INSERT (id, v), UPDATE (v) ON t TO {role}", &[]),
    ("GRANT SELECT, DELETE, INSERT (id), UPDATE (v) ON t TO {role}", &["INSERT"]),
];

/// The warning must be there exactly where apply fails, so both are run.
#[test]
fn a_right_that_apply_would_lack_is_a_warning() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        for (grant, lacking) in GRANTS {
            let (primary, replica) = pair(engine, TABLE, TABLE);
            primary.execute_script("INSERT INTO t VALUES (1, 1), (2, 2)");
            replica.execute_script("INSERT INTO t VALUES (2, 3), (3, 3)");
            let url = replica.limited_role(grant);
            let before = replica.dump();
            let sound = check(&primary.url, &[("copy", &url)], "  - t\n");
            assert_eq!(sound.exit, Some(0), "{}", sound.told());
            assert_eq!(replica.dump(), before, "check writes nothing");
            let words = format!("warning: apply would fail: this login lacks {} on ", lacking.join(", "));
            assert_eq!(sound.stdout.contains(&words), !lacking.is_empty(), "{grant}\n{}", sound.told());
            let hint = format!("hint: GRANT {} ON ", lacking.join(", "));
            assert_eq!(sound.stdout.contains(&hint), !lacking.is_empty(), "{grant}\n{}", sound.told());
            let applied = run(&primary.url, &[("copy", &url)], "  - t\n", &["apply", "spec.yml", "-y"]);
            let code = if lacking.is_empty() { 0 } else { 1 };
            assert_eq!(applied.exit, Some(code), "{} {grant}\n{}", engine.name(), applied.told());
        }
    }
}

#[test]
fn rights_that_the_spec_does_not_use_are_not_asked_for() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let (primary, replica) = pair(engine, TABLE, TABLE);
        primary.execute_script("INSERT INTO t VALUES (1, 1)");
        // PostgreSQL locks rows by the right to update them.
        let url = replica.limited_role("GRANT SELECT, INSERT, UPDATE ON t TO {role}");
        let tables = "  - { table: t, update: false, delete: false }\n";
        let sound = check(&primary.url, &[("copy", &url)], tables);
        assert!(sound.exit == Some(0) && !sound.stdout.contains("warning"), "{}", sound.told());
        let applied = run(&primary.url, &[("copy", &url)], tables, &["apply", "spec.yml", "-y"]);
        assert_eq!(applied.exit, Some(0), "{}", applied.told());
    }
}

#[test]
fn the_rights_to_change_structure_are_looked_at() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let (primary, replica) = pair(
            engine,
            "CREATE TABLE t (id integer PRIMARY KEY, v integer); CREATE TABLE u (id integer PRIMARY KEY);",
            "CREATE TABLE t (id integer PRIMARY KEY);",
        );
        if engine == Engine::Postgres {
            // As it is since version 15.
            replica.execute_script("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
        }
        let url = replica.limited_role("GRANT SELECT, INSERT, UPDATE, DELETE ON t TO {role}");
        let sound = check(&primary.url, &[("copy", &url)], "  - t\n");
        assert!(sound.stdout.contains("lacks ALTER on "), "{}", sound.told());
        let applied = run(&primary.url, &[("copy", &url)], "  - t\n", &["apply", "spec.yml", "-y"]);
        assert_eq!(applied.exit, Some(1), "{}", applied.told());
        if engine == Engine::Postgres {
            let sound = check(&primary.url, &[("copy", &url)], "  - u\n");
            assert!(sound.stdout.contains("lacks CREATE on "), "{}", sound.told());
        }
        let whole = check(&primary.url, &[("copy", &replica.url)], "  - t\n  - u\n");
        assert!(whole.exit == Some(0) && !whole.stdout.contains("warning"), "{}", whole.told());
    }
}

#[test]
fn a_right_that_reading_lacks_is_a_problem_on_either_side() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let (primary, replica) = pair(engine, TABLE, TABLE);
        for database in [&primary, &replica] {
            database.execute_script("CREATE TABLE other (id integer)");
        }
        let blind = "GRANT SELECT ON other TO {role}";
        let (half, one) = (primary.limited_role(blind), replica.limited_role(blind));
        let word =
            if engine == Engine::Postgres { "GRANT SELECT ON \"public\".\"t\" TO " } else { "no table t" };
        tells(&check(&half, &[("copy", &replica.url)], "  - t\n"), &[word]);
        let word = if engine == Engine::Postgres {
            "GRANT SELECT ON \"public\".\"t\" TO "
        } else {
            "GRANT SELECT ON "
        };
        tells(&check(&primary.url, &[("copy", &one)], "  - t\n"), &[word]);
        let alone = check(&half, &[("copy", "sqlite:/no/such/directory/x.db")], "  - t\n");
        assert!(alone.stderr.contains("has 2 problems"), "{}", alone.told());
    }
}

#[test]
fn rows_that_a_policy_hides_are_a_problem() {
    let (primary, replica) = pair(Engine::Postgres, TABLE, TABLE);
    replica.execute_script("ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id < 3)");
    let half_blind = replica.limited_role("GRANT SELECT ON t TO {role}");
    tells(
        &check(&primary.url, &[("copy", &half_blind)], "  - t\n"),
        &["copy: t: the table public.t would be seen only in part: row-level security"],
    );
}

#[test]
fn a_replica_that_cannot_be_written_is_a_warning() {
    let (primary, replica) = pair(Engine::Sqlite, TABLE, TABLE);
    let url = format!("{}?mode=ro", replica.url);
    let sound = check(&primary.url, &[("copy", &url)], "  - t\n");
    assert_eq!(sound.exit, Some(0), "{}", sound.told());
    let warning = "warning: apply would fail: the replica cannot be written: its URL says mode=ro";
    assert!(sound.stdout.contains(warning), "{}", sound.told());
}
