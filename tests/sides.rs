//! The sides of a spec: files that are not there, one database under two names, replicas that cannot be written,
//! and several replicas of every engine at once.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::servers::{Database, Engine, mariadb, open, postgres};
use crate::tool::{self, Run};

const TABLE: &str = "CREATE TABLE t (id integer PRIMARY KEY, v integer);";

/// A directory with a spec over these sides and the table `t`.
struct Stage {
    directory: TempDir,
}

impl Stage {
    fn new(primary: &str, replicas: &[(&str, &str)]) -> Stage {
        let stage = Stage { directory: tempfile::tempdir().expect("a temporary directory can be made") };
        stage.spec(primary, replicas, "");
        stage
    }

    fn spec(&self, primary: &str, replicas: &[(&str, &str)], more: &str) {
        let replicas: Vec<String> =
            replicas.iter().map(|(name, url)| format!("  {name}: \"{url}\"\n")).collect();
        let text = format!(
            "version: 1\nprimary: \"{primary}\"\nreplicas:\n{}tables: [t]\n{more}",
            replicas.concat()
        );
        std::fs::write(self.path().join("spec.yml"), text).expect("the spec can be written");
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn run(&self, args: &[&str]) -> Run {
        tool::run(self.path(), &BTreeMap::new(), args)
    }

    /// Runs a command on the spec with a JSON document.
    fn json(&self, command: &str, args: &[&str]) -> Run {
        let yes: &[&str] = if command == "apply" { &["-y"] } else { &[] };
        self.run(&[&[command, "spec.yml", "--format", "json"], yes, args].concat())
    }

    fn exits(&self, command: &str, args: &[&str], code: i32) -> Run {
        let run = self.json(command, args);
        assert_eq!(run.exit, Some(code), "{}", run.told());
        run
    }
}

fn filled(engine: Engine, rows: &str) -> Database {
    let database = open(engine, "side");
    database.execute_script(&format!("{TABLE} INSERT INTO t VALUES {rows};"));
    database
}

fn at<'a>(document: &'a Json, pointer: &str) -> &'a Json {
    document.pointer(pointer).unwrap_or(&Json::Null)
}

/// Both sides of an SQLite file in the stage's directory by relative names, which are relative to where the
/// tool runs and not to the spec.
#[test]
fn a_missing_sqlite_replica_is_missing_until_apply_creates_it() {
    let primary = filled(Engine::Sqlite, "(1, 1), (2, 2)");
    let stage = Stage::new(&primary.url, &[("copy", "sqlite:new.db")]);
    std::fs::create_dir(stage.path().join("elsewhere")).expect("a directory can be made");
    std::fs::rename(stage.path().join("spec.yml"), stage.path().join("elsewhere/spec.yml"))
        .expect("a file can be moved");
    let run = |command: &[&str]| stage.run(&[command, &["elsewhere/spec.yml", "--format", "json"]].concat());
    let file = stage.path().join("new.db");

    let plan = run(&["plan"]);
    assert_eq!(plan.exit, Some(0), "{}", plan.told());
    assert_eq!(at(&plan.document(), "/replicas/0/tables/0/status"), "missing", "{}", plan.told());
    assert_eq!(at(&plan.document(), "/replicas/0/outcome"), "drift", "{}", plan.told());
    let verify = run(&["verify"]);
    assert_eq!(verify.exit, Some(2), "{}", verify.told());
    assert!(!file.exists(), "looking created the file");

    let apply = run(&["apply", "-y"]);
    assert_eq!(apply.exit, Some(0), "{}", apply.told());
    assert!(file.exists());
    assert_eq!(run(&["verify"]).exit, Some(0));
}

#[test]
fn a_missing_sqlite_primary_and_a_missing_directory_are_errors() {
    let database = filled(Engine::Sqlite, "(1, 1)");
    let stage = Stage::new("sqlite:nowhere.db", &[("copy", &database.url)]);
    for command in ["plan", "verify", "apply"] {
        let run = stage.exits(command, &[], 1);
        assert!(run.stdout.is_empty() && run.stderr.contains("nowhere.db"), "{}", run.told());
        assert!(run.stderr.contains("spec.yml:2:10"), "{}", run.told());
    }
    assert!(!stage.path().join("nowhere.db").exists(), "the primary was created");

    stage.spec(&database.url, &[("copy", "sqlite:no/such/replica.db")], "");
    for command in ["plan", "verify", "apply"] {
        let run = stage.exits(command, &[], 1);
        let error = at(&run.document(), "/replicas/0/error").clone();
        assert_eq!(error["kind"], "connect", "{}", run.told());
        assert!(error["message"].as_str().is_some_and(|why| why.contains("spec.yml:4:9")), "{}", run.told());
    }
    assert!(!stage.path().join("no").exists());
}

/// The spec's path stands in errors as it was given.
#[test]
fn errors_name_the_spec_as_it_was_given() {
    let (primary, replica) = (filled(Engine::Sqlite, "(1, 1)"), filled(Engine::Sqlite, "(1, 1)"));
    let stage = Stage::new(&primary.url, &[("copy", &replica.url)]);
    primary.execute_script("DROP TABLE t");
    std::fs::create_dir(stage.path().join("a")).expect("a directory can be made");
    for path in ["spec.yml", "./spec.yml", "a/../spec.yml"] {
        let run = stage.run(&["plan", path, "--format", "json"]);
        let message = at(&run.document(), "/replicas/0/tables/0/error/message").clone();
        let message = message.as_str().unwrap_or_default();
        assert!(message.starts_with(&format!("{path}:5:10: ")), "{}", run.told());
    }
}

#[test]
fn a_directory_and_a_file_that_is_no_database_are_errors() {
    let database = filled(Engine::Sqlite, "(1, 1)");
    let stage = Stage::new(&database.url, &[("copy", "sqlite:folder"), ("text", "sqlite:text.db")]);
    std::fs::create_dir(stage.path().join("folder")).expect("a directory can be made");
    std::fs::write(stage.path().join("text.db"), "no database at all, but long enough to be looked at")
        .expect("a file can be written");
    let run = stage.exits("plan", &[], 1);
    for replica in ["/replicas/0", "/replicas/1"] {
        let error = at(&run.document(), &format!("{replica}/error/message")).clone();
        assert!(error.is_string(), "{replica}: {}", run.told());
    }
}

/// Spellings of one SQLite file, each refused as a replica of the plain one.
#[cfg(unix)]
#[test]
fn one_sqlite_file_by_other_names_is_the_same_database() {
    let database = filled(Engine::Sqlite, "(1, 1)");
    let file = database.file().expect("an SQLite database is a file");
    let stage = Stage::new(&database.url, &[]);
    let here = stage.path().display();
    std::os::unix::fs::symlink(file, stage.path().join("link.db")).expect("a link can be made");
    std::fs::hard_link(file, stage.path().join("hard.db")).expect("a hard link can be made");
    std::os::unix::fs::symlink(stage.path(), stage.path().join("loop")).expect("a link can be made");
    let spellings = [
        "sqlite:link.db".to_owned(),
        "sqlite:hard.db".to_owned(),
        format!("sqlite://{here}/link.db"),
        "sqlite:loop/./hard.db".to_owned(),
        "sqlite:loop/loop/link.db".to_owned(),
        format!("sqlite:{file}?mode=rw"),
    ];
    let before = database.dump();
    for url in &spellings {
        stage.spec(&database.url, &[("copy", url)], "");
        for command in ["plan", "verify", "apply"] {
            let run = stage.json(command, &[]);
            assert_eq!(run.exit, Some(1), "{url}: {}", run.told());
            let told = format!("{}{}", run.stdout, run.stderr);
            assert!(told.contains("same database as the primary"), "{url}: {}", run.told());
        }
    }
    assert_eq!(database.dump(), before);
}

/// A file that is not there yet is the same file by any name, too: two replicas would write each other's rows.
#[cfg(unix)]
#[test]
fn two_replicas_that_are_one_file_to_be_are_the_same_database() {
    let primary = filled(Engine::Sqlite, "(1, 1)");
    let stage = Stage::new(&primary.url, &[("one", "sqlite:new.db"), ("two", "sqlite:loop/new.db")]);
    std::os::unix::fs::symlink(stage.path(), stage.path().join("loop")).expect("a link can be made");
    let run = stage.exits("plan", &[], 1);
    assert_eq!(at(&run.document(), "/replicas/0/outcome"), "drift", "{}", run.told());
    let error = at(&run.document(), "/replicas/1/error/message").as_str().unwrap_or_default().to_owned();
    assert!(error.contains("same database as the replica one"), "{}", run.told());
}

#[test]
fn one_server_database_by_other_spellings_is_the_same_database() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let database = filled(engine, "(1, 1)");
        let grant = match engine {
            Engine::Postgres => "GRANT SELECT ON t TO {role};".to_owned(),
            _ => format!("GRANT ALL ON {}.* TO {{role}};", database.name),
        };
        let other_login = database.limited_role(&grant);
        let other_host = database.url.replace("127.0.0.1", "localhost");
        for url in [Some(other_login), Some(other_host), by_socket(&database)].iter().flatten() {
            let stage = Stage::new(&database.url, &[("copy", url)]);
            // The same address is seen in the file already, another one when connected.
            for command in ["plan", "apply"] {
                let run = stage.exits(command, &[], 1);
                let told = format!("{}{}", run.stdout, run.stderr);
                assert!(told.contains("same database as the primary"), "{url}: {}", run.told());
                assert!(told.contains("spec.yml:4:9"), "{url}: {}", run.told());
            }
        }
    }
}

/// The database's URL by the socket of the harness's own server; a server that was given may be elsewhere.
#[cfg(unix)]
fn by_socket(database: &Database) -> Option<String> {
    let (server, question, option) = match database.engine {
        Engine::Postgres => (postgres(), "SHOW unix_socket_directories", "host"),
        _ => (mariadb(), "SELECT @@socket", "socket"),
    };
    let place = database.query(question)[0][0].clone()?;
    let port = server.address.port;
    let url = database.url.replace(&format!("127.0.0.1:{port}"), "localhost");
    // PostgreSQL's socket has the port in its name.
    let port = if database.engine == Engine::Postgres { format!("&port={port}") } else { String::new() };
    server.is_private().then(|| format!("{url}?{option}={place}{port}"))
}

#[cfg(not(unix))]
fn by_socket(_database: &Database) -> Option<String> {
    None
}

#[test]
fn two_databases_of_one_server_are_not_the_same() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let (primary, replica) = (filled(engine, "(1, 1)"), filled(engine, "(1, 2)"));
        let stage = Stage::new(&primary.url, &[("copy", &replica.url)]);
        stage.exits("apply", &[], 0);
        assert_eq!(replica.dump().values().next(), primary.dump().values().next());
    }
}

/// A replica that cannot be written is fine to look at, and an error for apply before a row is read.
#[test]
fn a_read_only_replica_is_planned_and_verified_and_not_applied_to() {
    let primary = filled(Engine::Sqlite, "(1, 1)");
    let sqlite = filled(Engine::Sqlite, "(1, 2)");
    let postgres = filled(Engine::Postgres, "(1, 2)");
    postgres
        .execute_script(&format!("ALTER DATABASE {} SET default_transaction_read_only = on;", postgres.name));
    for url in [format!("{}?mode=ro", sqlite.url), postgres.url.clone()] {
        let stage = Stage::new(&primary.url, &[("copy", &url)]);
        stage.exits("plan", &["--detailed-exitcode"], 2);
        stage.exits("verify", &[], 2);
        let run = stage.exits("apply", &[], 1);
        let error = at(&run.document(), "/replicas/0/error").clone();
        assert_eq!(error["kind"], "permission", "{}", run.told());
        assert!(error["message"].as_str().is_some_and(|why| why.contains("cannot be written")));
        assert_eq!(at(&run.document(), "/replicas/0/tables"), &json!([]), "{}", run.told());
    }
}

/// One primary, a replica of each engine, each with drift of its own.
fn fan_out(primary: Engine) {
    let primary = filled(primary, "(1, 1), (2, 2), (3, 3)");
    let replicas = [
        filled(Engine::Sqlite, "(1, 1), (2, 9), (3, 3)"),
        filled(Engine::Postgres, "(1, 1), (2, 2), (3, 3), (4, 4)"),
        filled(Engine::Mariadb, "(1, 1), (3, 3)"),
    ];
    let urls = [
        ("edge", replicas[0].url.as_str()),
        ("eu", replicas[1].url.as_str()),
        ("us.1", replicas[2].url.as_str()),
    ];
    let stage = Stage::new(&primary.url, &urls);

    let plan = stage.exits("plan", &["--detailed-exitcode"], 2).document();
    let names: Vec<&Json> = (0..3).map(|i| &plan["replicas"][i]["name"]).collect();
    assert_eq!(names, ["edge", "eu", "us.1"]);
    let summary = |index: usize| plan["replicas"][index]["summary"].clone();
    assert_eq!(summary(0), json!({ "schema_changes": 0, "insert": 0, "update": 1, "delete": 0 }));
    assert_eq!(summary(1), json!({ "schema_changes": 0, "insert": 0, "update": 0, "delete": 1 }));
    assert_eq!(summary(2), json!({ "schema_changes": 0, "insert": 1, "update": 0, "delete": 0 }));
    assert_eq!(plan["summary"]["tables"], 3);

    // Only one of them.
    let one = stage.exits("apply", &["--replica", "eu"], 0).document();
    assert_eq!(one["replicas"].as_array().map(Vec::len), Some(1));
    let plan = stage.exits("plan", &["--replica", "us.1", "--replica", "eu"], 0).document();
    let outcomes: Vec<&Json> = (0..2).map(|i| &plan["replicas"][i]["outcome"]).collect();
    assert_eq!(outcomes, ["in_sync", "drift"], "in the order of the spec");

    let applied = stage.exits("apply", &[], 0).document();
    let outcomes: Vec<&Json> = (0..3).map(|i| &applied["replicas"][i]["outcome"]).collect();
    assert_eq!(outcomes, ["applied", "in_sync", "applied"]);
    stage.exits("verify", &[], 0);
    for replica in &replicas {
        let rows = replica.query("SELECT id, v FROM t ORDER BY id");
        assert_eq!(rows.len(), 3, "{rows:?}");
    }
}

#[test]
fn several_replicas_of_a_sqlite_primary() {
    fan_out(Engine::Sqlite);
}

#[test]
fn several_replicas_of_a_postgres_primary() {
    fan_out(Engine::Postgres);
}

#[test]
fn several_replicas_of_a_mariadb_primary() {
    fan_out(Engine::Mariadb);
}

/// Limits are of each replica; one that is refused, down or wrong does not keep the others from being written.
#[test]
fn replicas_are_independent() {
    let primary = filled(Engine::Sqlite, "(1, 1)");
    let tight = filled(Engine::Postgres, "(1, 1), (2, 2), (3, 3)");
    let loose = filled(Engine::Mariadb, "(1, 1), (2, 2)");
    let other = open(Engine::Sqlite, "other");
    other.execute_script("CREATE TABLE t (id integer PRIMARY KEY, v blob NOT NULL, must text NOT NULL);");
    let urls = |down: bool| {
        let mut urls = vec![("tight", tight.url.as_str()), ("loose", loose.url.as_str())];
        if down {
            urls.push(("down", "mysql://nobody@127.0.0.1:1/none"));
            urls.push(("other", other.url.as_str()));
        }
        urls
    };
    let stage = Stage::new(&primary.url, &[]);
    stage.spec(&primary.url, &urls(false), "limits: { deletes: 1 }\n");
    let run = stage.exits("apply", &[], 3);
    let document = run.document();
    assert_eq!(document["replicas"][0]["outcome"], "refused", "{}", run.told());
    assert_eq!(document["replicas"][1]["outcome"], "applied", "{}", run.told());
    assert_eq!(tight.query("SELECT count(*) FROM t"), [[Some("3".to_owned())]]);
    assert_eq!(loose.query("SELECT count(*) FROM t"), [[Some("1".to_owned())]]);

    loose.execute_script("INSERT INTO t VALUES (7, 7)");
    stage.spec(&primary.url, &urls(true), "limits: { deletes: 1 }\n");
    let run = stage.exits("apply", &[], 1);
    let document = run.document();
    let outcomes: Vec<&Json> = (0..4).map(|i| &document["replicas"][i]["outcome"]).collect();
    assert_eq!(outcomes, ["refused", "applied", "error", "error"], "{}", run.told());
    assert_eq!(loose.query("SELECT count(*) FROM t"), [[Some("1".to_owned())]]);
    assert_eq!(document["in_sync"], false);
}

#[test]
fn a_replica_option_that_matches_none_names_those_there_are() {
    let (primary, replica) = (filled(Engine::Sqlite, "(1, 1)"), filled(Engine::Sqlite, "(1, 1)"));
    let stage = Stage::new(&primary.url, &[("eu", &replica.url)]);
    for command in ["plan", "verify", "apply"] {
        let run = stage.exits(command, &["--replica", "us"], 1);
        assert!(
            run.stdout.is_empty() && run.stderr.contains("us") && run.stderr.contains("eu"),
            "{}",
            run.told()
        );
    }
}
