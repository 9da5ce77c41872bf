//! What a login may do: the least that is needed is enough, and what it cannot see is never "in sync".

use std::collections::BTreeMap;

use crate::servers::{Database, Engine, open};
use crate::tool::{self, Run};

const TABLE: &str =
    "CREATE TABLE t (id integer PRIMARY KEY, v integer); INSERT INTO t VALUES (1, 1), (2, 2);";
const SPEC: &str =
    "version: 1\nprimary: ${PRIMARY_URL}\nreplicas: { copy: \"${REPLICA_URL}\" }\ntables: [t]\n";

fn run(primary: &str, replica: &str, args: &[&str]) -> Run {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    std::fs::write(directory.path().join("spec.yml"), SPEC).expect("the spec can be written");
    let urls = [("PRIMARY_URL", primary), ("REPLICA_URL", replica)];
    let variables: BTreeMap<String, String> =
        urls.map(|(name, url)| (name.to_string(), url.to_string())).into();
    tool::run(directory.path(), &variables, args)
}

fn plan(primary: &str, replica: &str) -> Run {
    run(primary, replica, &["plan", "spec.yml", "--format", "json", "--detailed-exitcode"])
}

/// Two databases of `engine` whose row 2 differs.
fn drifted(engine: Engine) -> (Database, Database) {
    let (primary, replica) = (open(engine, "rights primary"), open(engine, "rights replica"));
    primary.execute_script(TABLE);
    replica.execute_script(TABLE);
    replica.execute_script("UPDATE t SET v = 3 WHERE id = 2");
    (primary, replica)
}

const SELECT: &str = "GRANT SELECT ON t TO {role}";

#[test]
fn the_right_to_select_is_enough_for_the_primary_and_for_a_plan() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let (primary, replica) = drifted(engine);
        let reader = primary.limited_role(SELECT);
        let watcher = replica.limited_role(SELECT);
        let planned = plan(&reader, &watcher);
        assert_eq!(planned.exit, Some(2), "{}\n{}", engine.name(), planned.told());
        let before = replica.dump();
        let refused = run(&reader, &watcher, &["apply", "spec.yml", "-y", "--format", "json"]);
        assert_eq!(refused.exit, Some(1), "a replica that may not be written\n{}", refused.told());
        assert_eq!(replica.dump(), before);
        let applied = run(&reader, &replica.url, &["apply", "spec.yml", "-y"]);
        assert_eq!(applied.exit, Some(0), "{}\n{}", engine.name(), applied.told());
        assert_eq!(replica.dump(), primary.dump(), "{}", engine.name());
    }
}

/// The rights of README's table for rows, each with an insert, an update and a delete to make.
#[test]
fn the_four_rights_on_rows_are_enough_for_apply_from_a_saved_plan() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let (primary, replica) = drifted(engine);
        replica.execute_script("DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (3, 3)");
        let reader = primary.limited_role(SELECT);
        let writer = replica.limited_role("GRANT SELECT, INSERT, UPDATE, DELETE ON t TO {role}");
        apply_is_allowed(engine, &reader, &writer);
        assert_eq!(replica.dump(), primary.dump(), "{}", engine.name());
    }
}

#[test]
fn a_missing_table_takes_the_right_to_create_one() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let (primary, replica) = drifted(engine);
        replica.execute_script("DROP TABLE t");
        let reader = primary.limited_role(SELECT);
        let grants = match engine {
            Engine::Postgres => "GRANT USAGE, CREATE ON SCHEMA public TO {role}".to_owned(),
            _ => format!("GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON `{}`.* TO {{role}}", replica.name),
        };
        let writer = replica.limited_role(&grants);
        apply_is_allowed(engine, &reader, &writer);
        assert_eq!(plan(&reader, &writer).exit, Some(0), "{}", engine.name());
        // What a role owns would keep it from being dropped.
        replica.execute_script("DROP TABLE t");
    }
}

#[test]
fn a_missing_column_takes_the_table_or_the_right_to_alter_it() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let (primary, replica) = drifted(engine);
        primary.execute_script("ALTER TABLE t ADD COLUMN w integer; UPDATE t SET w = id");
        let reader = primary.limited_role(SELECT);
        let grants = match engine {
            Engine::Postgres => "ALTER TABLE t OWNER TO {role}",
            _ => "GRANT SELECT, INSERT, UPDATE, DELETE, ALTER ON t TO {role}",
        };
        let writer = replica.limited_role(grants);
        apply_is_allowed(engine, &reader, &writer);
        assert_eq!(replica.dump(), primary.dump(), "{}", engine.name());
        replica.execute_script("DROP TABLE t");
    }
}

#[test]
fn the_right_to_select_is_enough_for_init_and_check_which_tells_what_apply_lacks() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let (primary, replica) = drifted(engine);
        let (reader, watcher) = (primary.limited_role(SELECT), replica.limited_role(SELECT));
        let drafted = run(&reader, &watcher, &["init", &reader, &watcher]);
        assert_eq!(drafted.exit, Some(0), "{}\n{}", engine.name(), drafted.told());
        let checked = run(&reader, &watcher, &["check", "spec.yml"]);
        assert_eq!(checked.exit, Some(0), "{}\n{}", engine.name(), checked.told());
        assert!(checked.told().contains("GRANT INSERT"), "{}\n{}", engine.name(), checked.told());
    }
}

/// A plan is saved and applied, and what was written is verified.
fn apply_is_allowed(engine: Engine, reader: &str, writer: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    std::fs::write(directory.path().join("spec.yml"), SPEC).expect("the spec can be written");
    let variables: BTreeMap<String, String> =
        [("PRIMARY_URL", reader), ("REPLICA_URL", writer)].map(|(n, url)| (n.into(), url.into())).into();
    for args in [&["plan", "spec.yml", "-o", "fix.plan"][..], &["apply", "fix.plan", "-y"]] {
        let done = tool::run(directory.path(), &variables, args);
        assert_eq!(done.exit, Some(0), "{}\n{}", engine.name(), done.told());
    }
}

#[test]
fn a_table_that_may_not_be_read_is_an_error() {
    let (primary, replica, blind) = with_a_blind_role(Engine::Postgres);
    let planned = plan(&primary.url, &blind);
    assert_eq!(planned.exit, Some(1), "{}", planned.told());
    assert_eq!(planned.document()["in_sync"], false, "{}", planned.told());
    drop(replica);
}

/// MariaDB's catalog does not show a table to whom may not use it; that must not look like a missing table.
#[test]
fn a_table_that_mariadb_hides_is_an_error_and_not_missing() {
    let (primary, replica, blind) = with_a_blind_role(Engine::Mariadb);
    let planned = plan(&primary.url, &blind);
    assert_eq!(planned.exit, Some(1), "{}", planned.told());
    let table = &planned.document()["replicas"][0]["tables"][0];
    assert_eq!(table["error"]["kind"], "permission", "{}", planned.told());
    let before = replica.dump();
    let applied = run(&primary.url, &blind, &["apply", "spec.yml", "-y"]);
    assert_eq!(applied.exit, Some(1), "{}", applied.told());
    assert_eq!(replica.dump(), before);
}

/// A drifted pair, and the replica's URL for a login that may read another table only.
fn with_a_blind_role(engine: Engine) -> (Database, Database, String) {
    let (primary, replica) = drifted(engine);
    replica.execute_script("CREATE TABLE other (id integer)");
    let blind = replica.limited_role("GRANT SELECT ON other TO {role}");
    (primary, replica, blind)
}

/// Runs a plan for each other engine, with the half blind login on either side. What it does not see must not look
/// equal, and nothing may be written for it.
fn never_in_sync_where_half_is_hidden(half: Engine, hide: &str, rights: &str) {
    for other in Engine::all() {
        for hidden_on_primary in [true, false] {
            let (seen, hidden) = (open(other, "seen"), open(half, "half hidden"));
            seen.execute_script(TABLE);
            hidden.execute_script(TABLE);
            // What is left to see is alike.
            hidden.execute_script(hide);
            let url = hidden.limited_role(rights);
            let (primary, replica) = if hidden_on_primary { (&url, &seen.url) } else { (&seen.url, &url) };
            let told = |run: &Run| {
                format!(
                    "{} hides from {}, on the primary: {hidden_on_primary}\n{}",
                    half.name(),
                    other.name(),
                    run.told()
                )
            };
            let before = (seen.dump(), hidden.dump());
            let planned = plan(primary, replica);
            assert_eq!(planned.exit, Some(1), "{}", told(&planned));
            assert_ne!(planned.document()["in_sync"], true, "{}", told(&planned));
            let applied = run(primary, replica, &["apply", "spec.yml", "-y"]);
            assert_eq!(applied.exit, Some(1), "{}", told(&applied));
            assert_eq!((seen.dump(), hidden.dump()), before, "{}", told(&applied));
            hidden.execute_script("DROP TABLE t");
        }
    }
}

#[test]
fn rows_hidden_by_a_policy_are_an_error() {
    let policy = "INSERT INTO t VALUES (3, 3); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id < 3)";
    never_in_sync_where_half_is_hidden(Engine::Postgres, policy, "GRANT ALL ON t TO {role}");
}

/// The policy holds for the table's owner, too.
#[test]
fn rows_hidden_from_their_owner_are_an_error() {
    let policy = "INSERT INTO t VALUES (3, 3); ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id < 3)";
    never_in_sync_where_half_is_hidden(Engine::Postgres, policy, "ALTER TABLE t OWNER TO {role}");
}

/// A login that may read some columns only: PostgreSQL shows the others in its catalog, MariaDB and MySQL do not.
#[test]
fn columns_that_may_not_be_read_are_an_error() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        never_in_sync_where_half_is_hidden(
            engine,
            "UPDATE t SET v = 7 WHERE id = 2",
            "GRANT SELECT (id) ON t TO {role}",
        );
    }
}

#[test]
fn a_wrong_password_and_an_unknown_database_are_told_apart_without_the_password() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let (primary, replica) = drifted(engine);
        let wrong = primary.limited_role(SELECT).replace(":limited@", ":Wr0ng@");
        let unknown = replica.url.replace(&replica.name, "no_such_database");
        for (url, word) in [(&wrong, "password"), (&unknown, "no_such_database")] {
            let run = plan(url, &replica.url);
            assert_eq!(run.exit, Some(1), "{}", run.told());
            assert!(run.stderr.contains(word), "should contain {word}: {}", run.told());
            assert!(!format!("{}{}", run.stdout, run.stderr).contains("Wr0ng"), "{}", run.told());
        }
    }
}
