//! What was reviewed is what runs: plans saved, shown and applied by the tool's binary, while somebody else writes
//! between planning and applying or during it, and while spec, database or structure are no longer what they were.
//!
//! A stale plan writes nothing: databases are compared with their dumps before.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value as Json, json};

use crate::pair::Pair;
use crate::servers::{Database, Engine, open};
use crate::tool::{self, Run};

/// Row 1 is to be updated, row 2 to be inserted, row 3 to be deleted; row 4 is equal.
const PRIMARY: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(40));
    INSERT INTO t VALUES (1, 'one'), (2, 'two'), (4, 'four');";
const REPLICA: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(40));
    INSERT INTO t VALUES (1, 'eins'), (3, 'drei'), (4, 'four');";

fn drifted(replica: Engine) -> Pair {
    let pair = Pair::new(Engine::Sqlite, replica);
    pair.primary.execute_script(PRIMARY);
    pair.replica.execute_script(REPLICA);
    pair.tables("[t]");
    pair
}

fn saved(replica: Engine) -> Pair {
    let pair = drifted(replica);
    pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
    pair
}

const APPLY: &[&str] = &["apply", "a.plan", "-y"];

#[track_caller]
fn stale(pair: &Pair, args: &[&str], words: &[&str]) {
    let before = pair.replica.dump();
    let document = pair.document(args, 4);
    let replica = &document["replicas"][0];
    assert_eq!(replica["outcome"], "stale", "{document:#}");
    let message = replica["error"].to_string();
    for word in words {
        assert!(message.contains(word), "{} should be told: {document:#}", word);
    }
    assert_eq!(pair.replica.dump(), before, "{}: a stale plan wrote", pair.replica.engine.name());
}

/// What a plan and the plan that was saved must show alike.
fn shown(document: &Json) -> Json {
    let mut document = document.clone();
    document.as_object_mut().expect("a document is an object").remove("command");
    document
}

#[test]
fn a_saved_plan_is_private_shows_what_plan_showed_and_is_applied_once() {
    for engine in Engine::all() {
        let pair = drifted(engine);
        // Planned with a login whose password is known not to stand in a plan by chance.
        let url = match engine {
            Engine::Sqlite => pair.replica.url.clone(),
            _ => pair.replica.limited_role("GRANT SELECT ON t TO {role};"),
        };
        let variables = [("REPLICA_URL", url.as_str())];
        let args = ["plan", "spec.yml", "-o", "a.plan", "--format", "json"];
        let planned = pair.run_with(&args, &variables);
        assert_eq!(planned.exit, Some(0), "{}", planned.told());
        let told = pair.path("a.plan");
        let mode = std::fs::metadata(&told).expect("it was written").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let bytes = std::fs::read(&told).expect("it can be read");
        assert!(bytes.starts_with(b"trueup plan 1\n"));
        let text = String::from_utf8_lossy(&bytes);
        let primary = pair.primary.file().expect("it is SQLite");
        for secret in ["://", "limited", primary, &pair.replica.url] {
            assert!(!text.contains(secret), "{}: {secret} stands in the plan", engine.name());
        }

        // Shown without any database.
        let show = tool::run(pair.folder(), &BTreeMap::new(), &["show", "a.plan", "--format", "json"]);
        assert_eq!(show.exit, Some(0), "{}", show.told());
        assert_eq!(show.document()["command"], "show");
        assert_eq!(shown(&show.document()), shown(&planned.document()), "{}", engine.name());
        let text = tool::run(pair.folder(), &BTreeMap::new(), &["show", "a.plan"]);
        assert_eq!(text.exit, Some(0), "{}", text.told());
        assert!(text.stdout.contains("Plan: 1 row to insert, 1 to update, 1 to delete."), "{}", text.told());

        let document = pair.document(APPLY, 0);
        assert_eq!(document["verified"], true, "{document:#}");
        let applied = json!({"schema_changes": 0, "insert": 1, "update": 1, "delete": 1, "already": 0});
        assert_eq!(document["applied"], applied, "{document:#}");
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
        let dump = pair.replica.dump();
        let again = pair.document(APPLY, 0);
        let applied = json!({"schema_changes": 0, "insert": 0, "update": 0, "delete": 0, "already": 3});
        assert_eq!(again["applied"], applied, "{again:#}");
        assert_eq!(pair.replica.dump(), dump);
    }
}

#[test]
fn whoever_writes_between_planning_and_applying_is_noticed_where_it_matters() {
    for engine in Engine::all() {
        let pair = saved(engine);
        // Repaired after each, so that the one plan serves all.
        for (key, meddle, repair) in [
            ("1", "UPDATE t SET v = 'other' WHERE id = 1", "UPDATE t SET v = 'eins' WHERE id = 1"),
            ("1", "DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (1, 'eins')"),
            ("2", "INSERT INTO t VALUES (2, 'other')", "DELETE FROM t WHERE id = 2"),
            ("2", "INSERT INTO t VALUES (2, NULL)", "DELETE FROM t WHERE id = 2"),
            ("3", "UPDATE t SET v = 'other' WHERE id = 3", "UPDATE t SET v = 'drei' WHERE id = 3"),
        ] {
            pair.replica.execute_script(meddle);
            for batch in ["100", "1"] {
                let args = [APPLY, &["--batch-rows", batch]].concat();
                stale(&pair, &args, &["table t: 1 row", &format!("id = {key}")]);
            }
            pair.replica.execute_script(repair);
        }
        // Another row is nobody's business.
        pair.replica.execute_script("INSERT INTO t VALUES (9, 'nine'); UPDATE t SET v = 'vier' WHERE id = 4");
        let document = pair.document(APPLY, 0);
        let applied = json!({"schema_changes": 0, "insert": 1, "update": 1, "delete": 1, "already": 0});
        assert_eq!(document["applied"], applied, "{document:#}");
        assert_eq!(
            pair.replica.query("SELECT v FROM t ORDER BY id").concat(),
            ["one", "two", "vier", "nine"].map(|v| Some(v.to_owned()))
        );
    }
}

#[test]
fn what_somebody_did_already_as_planned_is_counted_and_the_rest_is_written() {
    for engine in Engine::all() {
        for (action, done) in [
            ("insert", "INSERT INTO t VALUES (2, 'two')"),
            ("update", "UPDATE t SET v = 'one' WHERE id = 1"),
            ("delete", "DELETE FROM t WHERE id = 3"),
        ] {
            let pair = saved(engine);
            pair.replica.execute_script(done);
            let document = pair.document(APPLY, 0);
            let mut applied =
                json!({"schema_changes": 0, "insert": 1, "update": 1, "delete": 1, "already": 1});
            applied[action] = json!(0);
            assert_eq!(document["applied"], applied, "{} {action}: {document:#}", engine.name());
            assert_eq!(document["verified"], true, "{document:#}");
            pair.exits(&["verify", "spec.yml"], 0);
        }
    }
}

/// A trigger that changes a row of table b when a row of table a is updated.
fn meddling_trigger(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => {
            "CREATE TRIGGER meddle AFTER UPDATE ON a BEGIN UPDATE b SET v = 'moved' WHERE id = 1; END"
        }
        Engine::Postgres => {
            "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 UPDATE b SET v = 'moved' WHERE id = 1; RETURN NEW; END $$;
             CREATE TRIGGER meddle AFTER UPDATE ON a FOR EACH ROW EXECUTE FUNCTION meddle()"
        }
        Engine::Mariadb => {
            "CREATE TRIGGER meddle AFTER UPDATE ON a FOR EACH ROW UPDATE b SET v = 'moved' WHERE id = 1"
        }
    }
}

#[test]
fn a_row_that_moves_while_batches_are_written_stops_the_run_which_is_completed_later() {
    for engine in Engine::all() {
        let pair = Pair::new(Engine::Sqlite, engine);
        pair.both("CREATE TABLE a (id INTEGER PRIMARY KEY, v VARCHAR(9)); CREATE TABLE b (id INTEGER PRIMARY KEY, v VARCHAR(9));");
        pair.primary.execute_script("INSERT INTO a VALUES (1, 'new'); INSERT INTO b VALUES (1, 'new')");
        pair.replica.execute_script("INSERT INTO a VALUES (1, 'old'); INSERT INTO b VALUES (1, 'old')");
        pair.tables("[a, b]");
        pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
        pair.replica.execute_script(meddling_trigger(engine));
        let args = [APPLY, &["--batch-rows", "1"]].concat();
        let document = pair.document(&args, 4);
        let replica = &document["replicas"][0];
        assert_eq!(replica["outcome"], "stale", "{document:#}");
        assert_eq!(replica["batches"], json!({"committed": 1, "of": 2}), "{document:#}");
        assert_eq!(replica["applied"]["update"], 1, "{document:#}");
        let message = replica["error"]["message"].to_string();
        for words in ["table b: 1 row", "batch 1 of 2 is in and stays"] {
            assert!(message.contains(words), "{words}: {document:#}");
        }
        let left = pair.replica.query("SELECT v FROM a UNION ALL SELECT v FROM b").concat();
        assert_eq!(left, [Some("new".to_owned()), Some("moved".to_owned())]);

        // Somebody puts the row back: the same plan makes the rest.
        pair.replica.execute_script("UPDATE b SET v = 'old' WHERE id = 1");
        let document = pair.document(&args, 0);
        assert_eq!(document["applied"]["already"], 1, "{document:#}");
        assert_eq!(document["applied"]["update"], 1, "{document:#}");
        pair.exits(&["verify", "spec.yml"], 0);
    }
}

#[test]
fn a_plan_belongs_to_its_spec_but_not_to_urls_or_paths() {
    let pair = saved(Engine::Sqlite);
    let spec = pair.read("spec.yml");
    let before = pair.replica.dump();
    // Other options.
    for other in
        [spec.replace("[t]", "[{ table: t, delete: false }]"), format!("{spec}limits: {{ deletes: 5 }}\n")]
    {
        pair.spec(&other);
        let run = pair.exits(APPLY, 4);
        assert!(
            run.stderr.contains("spec.yml is not the spec that the plan was made from"),
            "{}",
            run.told()
        );
        assert!(run.stdout.is_empty(), "{}", run.told());
    }
    // Gone.
    std::fs::remove_file(pair.path("spec.yml")).expect("it is there");
    let run = pair.exits(APPLY, 1);
    assert!(run.stderr.contains("spec.yml"), "{}", run.told());
    assert_eq!(pair.replica.dump(), before);
    // Elsewhere, with the URL written otherwise, an option of the connection, and another layout.
    let (primary, replica) = (&pair.primary.url, &pair.replica.url);
    let text = format!(
        "# the same\nversion: 1\nprimary: {primary}\nreplicas:\n  copy: {{ url: \"{replica}\", connections: 2 }}\ntables:\n  - t\n"
    );
    std::fs::write(pair.path("elsewhere.yml"), text).expect("it can be written");
    pair.exits(&["apply", "a.plan", "-y", "--spec", "elsewhere.yml"], 0);
    pair.spec(&spec);
    pair.exits(&["verify", "spec.yml"], 0);
}

#[test]
fn a_plan_belongs_to_its_databases() {
    for engine in Engine::all() {
        let pair = saved(engine);
        let args: Vec<&str> = [APPLY, &["--format", "json"]].concat();
        let (other_primary, other_replica) = (open(Engine::Sqlite, "p"), open(engine, "r"));
        other_primary.execute_script(PRIMARY);
        other_replica.execute_script(REPLICA);
        let before = (pair.replica.dump(), other_replica.dump());
        for (variable, other, what) in [
            ("PRIMARY_URL", &other_primary, "the primary is another database"),
            ("REPLICA_URL", &other_replica, "the replica copy is another database"),
        ] {
            let run = pair.run_with(&args, &[(variable, &other.url)]);
            assert_eq!(run.exit, Some(4), "{}", run.told());
            let message = run.document()["replicas"][0]["error"]["message"].to_string();
            assert!(message.contains(what), "{}", run.told());
        }
        assert_eq!((pair.replica.dump(), other_replica.dump()), before, "{}", engine.name());
    }
}

#[test]
fn a_plan_belongs_to_the_structure_it_was_made_for() {
    for engine in Engine::all() {
        let pair = saved(engine);
        pair.replica.execute_script("ALTER TABLE t ADD COLUMN later INTEGER");
        stale(&pair, APPLY, &["replica, table t", "later"]);
        pair.replica.execute_script("ALTER TABLE t DROP COLUMN later");
        pair.primary.execute_script("ALTER TABLE t ADD COLUMN newer INTEGER");
        stale(&pair, APPLY, &["primary, table t", "newer"]);
        pair.primary.execute_script("ALTER TABLE t DROP COLUMN newer");
        pair.replica.execute_script("ALTER TABLE t RENAME TO gone; ");
        let run = pair.exits(APPLY, 4);
        assert!(run.stderr.contains("table t") || run.stdout.contains("table t"), "{}", run.told());
        pair.replica.execute_script("ALTER TABLE gone RENAME TO t");
        pair.exits(APPLY, 0);
    }
}

#[test]
fn what_is_no_whole_plan_is_an_error_and_writes_nothing() {
    let pair = saved(Engine::Sqlite);
    let (before, whole) = (pair.replica.dump(), std::fs::read(pair.path("a.plan")).expect("it is there"));
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    let other_version = [b"trueup plan 9\n", &whole[14..]].concat();
    for (bytes, words) in [
        (&whole[..whole.len() - 3], "truncated"),
        (&whole[..whole.len() / 2], "truncated"),
        (&damaged, "damaged"),
        (&other_version, "another version"),
    ] {
        std::fs::write(pair.path("bad.plan"), bytes).expect("it can be written");
        for args in [
            &["apply", "bad.plan", "-y"][..],
            &["show", "bad.plan"],
            &["show", "bad.plan", "--format", "json"],
        ] {
            let run = pair.exits(args, 1);
            assert!(run.stdout.is_empty() && run.stderr.contains(words), "{words}: {}", run.told());
        }
    }
    let run = pair.exits(&["show", "spec.yml"], 1);
    assert!(run.stderr.contains("it is not a saved plan"), "{}", run.told());
    pair.exits(&["show", "nowhere.plan"], 1);
    assert_eq!(pair.replica.dump(), before);
}

#[test]
fn what_is_not_the_whole_plan_is_not_saved() {
    let pair = drifted(Engine::Sqlite);
    let run = pair.exits(&["plan", "spec.yml", "--max-diffs", "1", "-o", "a.plan"], 1);
    assert!(run.stderr.contains("--max-diffs"), "{}", run.told());
    let left: Vec<_> = std::fs::read_dir(pair.folder()).expect("it is there").flatten().collect();
    assert_eq!(left.len(), 1, "only the spec is there: {left:?}");
}

#[test]
fn a_plan_that_was_cut_off_after_its_structure_is_completed_by_running_it_again() {
    for engine in Engine::all() {
        let pair = Pair::new(engine, engine);
        pair.primary.execute_script(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(40), n INTEGER);
             CREATE TABLE fresh (id INTEGER PRIMARY KEY, w VARCHAR(40));
             INSERT INTO t VALUES (1, 'one', 7), (2, 'two', 8);
             INSERT INTO fresh VALUES (1, 'a'), (2, 'b'), (3, 'c')",
        );
        pair.replica.execute_script(REPLICA);
        pair.tables("[t, fresh]");
        pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
        // As an earlier run would have left it where structure is not rolled back: by the plan's own statements,
        // and the first batch.
        let document = pair.document(&["show", "a.plan"], 0);
        let tables = document["replicas"][0]["tables"].as_array().expect("there are tables").clone();
        let changes = tables.iter().flat_map(|table| table["schema_changes"].as_array().expect("a list"));
        let statements: Vec<String> = changes
            .flat_map(|change| change["sql"].as_array().expect("a list"))
            .map(|sql| sql.as_str().expect("text").to_owned())
            .collect();
        assert_eq!(statements.len(), 2, "{document:#}");
        for (number, statement) in statements.iter().enumerate() {
            pair.replica.execute_script(statement);
            if number == 0 {
                // Cut off between the two.
                let dry = pair.run(&["apply", "a.plan"]);
                assert_eq!(dry.exit, Some(3), "{}", dry.told());
            }
        }
        pair.replica.execute_script("INSERT INTO fresh VALUES (1, 'a')");
        let document = pair.document(&[APPLY, &["--batch-rows", "2"]].concat(), 0);
        assert_eq!(document["verified"], true, "{document:#}");
        assert_eq!(document["applied"]["already"], 1, "{document:#}");
        pair.exits(&["verify", "spec.yml"], 0);
    }
}

/// A new column that is filled along with other values: rows that were written are known, the others are written.
#[test]
fn a_plan_that_was_cut_off_while_a_new_column_is_filled_is_completed_by_running_it_again() {
    for engine in Engine::all() {
        let pair = Pair::new(engine, engine);
        pair.primary.execute_script(
            "CREATE TABLE t (id int PRIMARY KEY, a int, n int); INSERT INTO t VALUES (1, 1, 4), (2, 2, 7), (3, 3, 9)",
        );
        pair.replica.execute_script(
            "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 9), (2, 9), (3, 9)",
        );
        pair.tables("[t]");
        pair.exits(&["plan", "spec.yml", "-o", "saved"], 0);
        pair.replica.execute_script("ALTER TABLE t ADD COLUMN n int; UPDATE t SET a = 1, n = 4 WHERE id = 1");
        let applied = pair.document(&["apply", "saved", "-y"], 0);
        assert_eq!(applied["applied"]["update"], 2, "{}: {applied}", engine.name());
        assert_eq!(applied["applied"]["already"], 1, "{}: {applied}", engine.name());
        pair.exits(&["verify", "spec.yml"], 0);
        let again = pair.document(&["apply", "saved", "-y"], 0);
        assert_eq!(again["applied"]["already"], 3, "{}: {again}", engine.name());
    }
}

/// One primary and a replica for every way in which applying a plan can end.
struct Many {
    primary: Database,
    replicas: BTreeMap<&'static str, Database>,
    directory: tempfile::TempDir,
}

const WAYS: [&str; 7] = ["down", "locked", "stale", "refused", "moved", "drifted", "equal"];

impl Many {
    fn new() -> Many {
        let many = Many {
            primary: open(Engine::Sqlite, "p"),
            replicas: WAYS.map(|name| (name, open(Engine::Sqlite, name))).into(),
            directory: tempfile::tempdir().expect("a temporary directory can be made"),
        };
        many.primary.execute_script(PRIMARY);
        for (name, replica) in &many.replicas {
            replica.execute_script(if *name == "equal" { PRIMARY } else { REPLICA });
        }
        many.replicas["refused"].execute_script("INSERT INTO t VALUES (5, 'x'), (6, 'y')");
        let urls: String =
            many.replicas.iter().map(|(name, replica)| format!("  {name}: \"{}\"\n", replica.url)).collect();
        let spec = format!(
            "version: 1\nprimary: \"{}\"\nreplicas:\n{urls}limits: {{ deletes: 2 }}\ntables: [t]\n",
            many.primary.url
        );
        std::fs::write(many.directory.path().join("spec.yml"), spec).expect("the spec can be written");
        many
    }

    fn run(&self, args: &[&str]) -> Run {
        tool::run(self.directory.path(), &BTreeMap::new(), args)
    }
}

#[test]
fn with_several_replicas_the_gravest_outcome_is_the_exit_code_and_the_others_are_written() {
    for leave_out in 0..6 {
        let many = Many::new();
        let planned = many.run(&["plan", "spec.yml", "-o", "a.plan"]);
        assert_eq!(planned.exit, Some(0), "{}", planned.told());
        // A directory where the file was cannot be opened, and is no file that apply would create.
        let down = many.replicas["down"].file().expect("it is SQLite");
        std::fs::remove_file(down).expect("it is there");
        std::fs::create_dir(down).expect("it can be made");
        let locked = format!("{}-trueup-lock", many.replicas["locked"].file().expect("it is SQLite"));
        let locked = std::fs::File::create(locked).expect("it can be made");
        locked.lock().expect("nobody else holds it");
        many.replicas["stale"].execute_script("UPDATE t SET v = 'other' WHERE id = 3");
        // A batch undoes what one before it wrote.
        many.replicas["moved"].execute_script(
            "CREATE TRIGGER meddle AFTER UPDATE ON t WHEN new.v = 'one' BEGIN INSERT INTO t VALUES (3, 'again'); END;
             CREATE TRIGGER twice AFTER INSERT ON t WHEN new.id = 2 BEGIN UPDATE t SET v = 'again' WHERE id = 1; END",
        );
        let kept = |name: &str| many.replicas[name].dump();
        let before = ["locked", "stale", "refused"].map(kept);
        let chosen = WAYS[leave_out..].iter().flat_map(|name| ["--replica", name]);
        let args: Vec<&str> = ["apply", "a.plan", "-y", "--batch-rows", "1", "--format", "json"]
            .into_iter()
            .chain(chosen)
            .collect();
        let run = many.run(&args);
        let code = [1, 5, 4, 3, 2, 0][leave_out];
        assert_eq!(run.exit, Some(code), "{}", run.told());
        let document = run.document();
        let outcomes: BTreeMap<&str, (&str, &Json)> = document["replicas"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|replica| {
                let text = |field: &str| replica[field].as_str().expect("text");
                (text("name"), (text("outcome"), &replica["verified"]))
            })
            .collect();
        let wanted = [
            ("down", "error", json!(null)),
            ("locked", "locked", json!(null)),
            ("stale", "stale", json!(null)),
            ("refused", "refused", json!(null)),
            ("moved", "drift", json!(false)),
            ("drifted", "applied", json!(true)),
            ("equal", "in_sync", json!(null)),
        ];
        let wanted =
            wanted[leave_out..].iter().map(|(name, outcome, verified)| (*name, (*outcome, verified)));
        assert_eq!(outcomes, wanted.collect(), "{}", run.told());
        assert_eq!(["locked", "stale", "refused"].map(kept), before, "what is not applied is not written");
        assert_eq!(kept("drifted"), many.primary.dump());
        assert_eq!(kept("equal"), many.primary.dump());
    }
}

#[test]
fn partial_applies_the_sound_tables_of_a_saved_plan() {
    let pair = drifted(Engine::Sqlite);
    pair.tables("[t, nowhere]");
    let run = pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 1);
    assert!(run.stdout.contains("nowhere"), "{}", run.told());
    let before = pair.replica.dump();
    pair.exits(APPLY, 1);
    assert_eq!(pair.replica.dump(), before, "a replica with a table in error is not written");
    let document = pair.document(&[APPLY, &["--partial"]].concat(), 1);
    assert_eq!(document["applied"]["insert"], 1, "{document:#}");
    assert_eq!(pair.replica.dump(), pair.primary.dump());
}

const MANY_ROWS: usize = 100_000;
/// A document held in memory would be several times this.
const SHOW_MIB_MAX: u64 = 200;

#[test]
fn a_plan_of_a_hundred_thousand_changes_is_streamed() {
    let pair = Pair::sqlite("[t]", "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)");
    pair.primary.execute_script(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY_ROWS})
         INSERT INTO t SELECT i, printf('row number %d %s', i, hex(zeroblob(100))) FROM n"
    ));
    pair.exits(&["plan", "spec.yml", "-o", "a.plan", "-q"], 0);
    let peak = shown_to_file(&pair);
    assert!(peak < SHOW_MIB_MAX, "showing took {peak} MiB");
    let document: Json = serde_json::from_str(&pair.read("shown.json")).expect("it is a document");
    let changes = document["replicas"][0]["tables"][0]["changes"].as_array().map(Vec::len);
    assert_eq!(changes, Some(MANY_ROWS));
    let document = pair.document(&[APPLY, &["--batch-rows", "20000"]].concat(), 0);
    assert_eq!(document["applied"]["insert"], MANY_ROWS, "{}", document["applied"]);
    assert_eq!(document["batches"], json!({"committed": 5, "of": 5}));
    assert_eq!(document["verified"], true);
}

/// Shows the plan as JSON into a file; the most memory that took, in MiB.
fn shown_to_file(pair: &Pair) -> u64 {
    let out = std::fs::File::create(pair.path("shown.json")).expect("it can be made");
    let show = ["show", "a.plan", "--format", "json"];
    let (peak, exit) = crate::tool::peak_of(pair.folder(), &pair.variables(&[]), &show, out.into());
    assert_eq!(exit, Some(0));
    peak >> 20
}
