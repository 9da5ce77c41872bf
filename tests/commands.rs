//! What a person and a script see of plan, apply and verify: exit codes, standard output against standard
//! error, the lines that the contract words. On SQLite, because it is the same for every engine.

use std::collections::BTreeMap;

use crate::servers::{Database, Engine, open};
use crate::tool::{self, Run};

const TABLE: &str =
    "CREATE TABLE t (id integer PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b');";
const SPEC: &str =
    "version: 1\nprimary: ${PRIMARY_URL}\nreplicas: { copy: \"${REPLICA_URL}\" }\ntables: [t]\n";

struct Pair {
    primary: Database,
    replica: Database,
    directory: tempfile::TempDir,
}

impl Pair {
    fn new() -> Pair {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        std::fs::write(directory.path().join("spec.yml"), SPEC).expect("the spec can be written");
        let pair = Pair { primary: open(Engine::Sqlite, "p"), replica: open(Engine::Sqlite, "r"), directory };
        pair.primary.execute_script(TABLE);
        pair.replica.execute_script(TABLE);
        pair
    }

    fn drifted() -> Pair {
        let pair = Pair::new();
        pair.primary.execute_script("INSERT INTO t VALUES (3, 'c')");
        pair.replica.execute_script("UPDATE t SET v = 'B' WHERE id = 2; INSERT INTO t VALUES (4, 'd')");
        pair
    }

    fn spec(&self, tables: &str) {
        let spec = SPEC.replace("[t]", tables);
        std::fs::write(self.directory.path().join("spec.yml"), spec).expect("the spec can be written");
    }

    fn run(&self, args: &[&str]) -> Run {
        let urls = [("PRIMARY_URL", &self.primary), ("REPLICA_URL", &self.replica)];
        let variables: BTreeMap<_, _> = urls.map(|(name, side)| (name.to_string(), side.url.clone())).into();
        tool::run(self.directory.path(), &variables, args)
    }

    #[track_caller]
    fn exits(&self, args: &[&str], code: i32) -> Run {
        let run = self.run(args);
        assert_eq!(run.exit, Some(code), "{}", run.told());
        run
    }
}

#[test]
fn exit_codes_of_a_pair_in_sync() {
    let pair = Pair::new();
    for args in
        [&["plan", "spec.yml"][..], &["plan", "spec.yml", "--detailed-exitcode"], &["verify", "spec.yml"]]
    {
        pair.exits(args, 0);
    }
    // Nothing to ask about: no prompt is needed.
    pair.exits(&["apply", "spec.yml"], 0);
}

#[test]
fn exit_codes_of_a_pair_with_drift() {
    let pair = Pair::drifted();
    pair.exits(&["plan", "spec.yml"], 0);
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 2);
    pair.exits(&["verify", "spec.yml"], 2);
    let before = pair.replica.dump();
    pair.exits(&["apply", "spec.yml"], 3);
    assert_eq!(pair.replica.dump(), before, "no answer could be given, so nothing may be written");
    pair.exits(&["apply", "spec.yml", "-y"], 0);
    pair.exits(&["verify", "spec.yml"], 0);
}

#[test]
fn wrong_usage_is_exit_1_and_leaves_standard_output_empty() {
    let pair = Pair::new();
    for args in [
        &["plan"][..],
        &["plan", "spec.yml", "--rows", "many"],
        &["plan", "nowhere.yml"],
        &["no-such-command"],
    ] {
        let run = pair.exits(args, 1);
        assert!(run.stdout.is_empty() && !run.stderr.is_empty(), "{}", run.told());
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    let pair = Pair::new();
    let help = pair.exits(&["--help"], 0);
    for word in ["plan", "apply", "verify", "130"] {
        assert!(help.stdout.contains(word), "--help should name {word}\n{}", help.stdout);
    }
    assert!(pair.exits(&["--version"], 0).stdout.contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_text_plan_has_the_lines_of_the_contract() {
    let pair = Pair::drifted();
    let plan = pair.exits(&["plan", "spec.yml"], 0).stdout;
    assert!(plan.contains("Plan: 1 row to insert, 1 to update, 1 to delete."), "{plan}");
    for sign in ["+", "~", "-"] {
        let found = plan.lines().any(|line| line.trim_start().starts_with(sign));
        assert!(found, "no line begins with {sign}\n{plan}");
    }
    assert!(!plan.contains('\u{1b}'), "no colour where there is no terminal\n{plan}");
    let apply = pair.exits(&["apply", "spec.yml", "-y"], 0).stdout;
    assert!(apply.contains("Apply complete! 1 row inserted, 1 updated, 1 deleted"), "{apply}");
    assert!(apply.contains("Verified: the rows written equal the primary."), "{apply}");
    let again = pair.exits(&["plan", "spec.yml"], 0).stdout;
    assert!(again.contains("No changes. The replica matches the primary."), "{again}");
}

#[test]
fn standard_output_carries_the_format_alone() {
    let pair = Pair::drifted();
    for args in [
        &["plan", "spec.yml", "--format", "json", "-v"][..],
        &["verify", "spec.yml", "--format", "json", "--progress", "always"],
        &["apply", "spec.yml", "-y", "--format", "json"],
    ] {
        let run = pair.run(args);
        assert_eq!(run.document()["command"], args[0], "{}", run.told());
        assert_eq!(run.document()["format_version"], "1.0", "{}", run.told());
    }
    let quiet = pair.exits(&["verify", "spec.yml", "-q"], 0);
    assert!(quiet.stderr.is_empty(), "{}", quiet.told());
}

#[test]
fn verify_lists_changes_only_when_asked() {
    let pair = Pair::drifted();
    let table = |run: &Run| run.document()["replicas"][0]["tables"][0].clone();
    let short = pair.exits(&["verify", "spec.yml", "--format", "json"], 2);
    assert!(table(&short).get("changes").is_none(), "{}", short.told());
    assert_eq!(table(&short)["summary"]["insert"], 1, "{}", short.told());
    let long = pair.exits(&["verify", "spec.yml", "--format", "json", "--rows", "all"], 2);
    assert_eq!(table(&long)["changes"].as_array().map(Vec::len), Some(3), "{}", long.told());
}

#[test]
fn redact_shows_keys_and_no_values() {
    let pair = Pair::drifted();
    pair.primary.execute_script("UPDATE t SET v = 'hushhush' WHERE id = 1");
    for format in ["json", "text"] {
        let run = pair.exits(&["plan", "spec.yml", "--redact", "--format", format], 0);
        assert!(!run.stdout.contains("hushhush"), "{}", run.told());
        assert!(run.stdout.contains('v'), "{}", run.told());
    }
}

#[test]
fn the_primary_is_not_written_even_by_apply() {
    let pair = Pair::drifted();
    let file = pair.primary.file().expect("it is SQLite");
    let bytes = std::fs::read(file).expect("the file is there");
    pair.exits(&["apply", "spec.yml", "-y"], 0);
    assert!(std::fs::read(file).expect("the file is there") == bytes, "the primary's file was changed");
}

#[test]
fn a_missing_table_that_is_only_checked_is_reported_and_counts_no_rows() {
    let pair = Pair::new();
    pair.primary.execute_script(
        "CREATE TABLE extra (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO extra VALUES (1, 'a')",
    );
    pair.spec("[{ table: extra, schema: check }]");
    let run = pair.exits(&["verify", "spec.yml", "--format", "json"], 2);
    let table = &run.document()["replicas"][0]["tables"][0];
    assert_eq!(table["status"], "missing", "{}", run.told());
    assert_eq!(table["key"], serde_json::json!(["id"]), "{}", run.told());
    assert_eq!(table["rows"], serde_json::Value::Null, "{}", run.told());
    assert_eq!(table["schema_changes"][0]["withheld"], true, "{}", run.told());
    let text = pair.exits(&["apply", "spec.yml"], 0).stdout;
    assert!(
        text.contains("only withheld changes are left") && !text.contains("rows on the primary"),
        "{text}"
    );
}

#[test]
fn partial_writes_the_sound_tables_and_says_what_it_wrote() {
    let pair = Pair::drifted();
    pair.spec("[t, nowhere]");
    let before = pair.replica.dump();
    pair.exits(&["apply", "spec.yml", "-y"], 1);
    assert_eq!(pair.replica.dump(), before, "a replica with a table in error is not written");
    let run = pair.exits(&["apply", "spec.yml", "-y", "--partial"], 1);
    assert!(run.stdout.contains("Apply complete! 1 row inserted, 1 updated, 1 deleted."), "{}", run.told());
    assert!(
        run.stdout.contains("Error: 1 table could not be compared; nothing was written there."),
        "{}",
        run.told()
    );
    pair.spec("[t]");
    pair.exits(&["verify", "spec.yml"], 0);
}

#[test]
fn a_replica_that_is_the_primary_by_another_name_is_in_error_and_the_others_are_compared() {
    let pair = Pair::drifted();
    let file = pair.primary.file().expect("it is SQLite");
    std::os::unix::fs::symlink(file, pair.directory.path().join("alias.db")).expect("it can be linked");
    let spec = "version: 1\nprimary: ${PRIMARY_URL}\nreplicas:\n  same: sqlite:alias.db\n  copy: ${REPLICA_URL}\ntables: [t]\n";
    std::fs::write(pair.directory.path().join("spec.yml"), spec).expect("it can be written");
    let run = pair.exits(&["apply", "spec.yml", "-y", "--format", "json"], 1);
    let document = run.document();
    let message = document["replicas"][0]["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.starts_with("spec.yml:4:9: ") && message.contains("same database"), "{}", run.told());
    assert_eq!(document["replicas"][1]["outcome"], "applied", "{}", run.told());
}

#[test]
fn another_trueup_at_work_is_exit_5_and_the_error_has_a_kind_of_the_contract() {
    let pair = Pair::drifted();
    let lock = format!("{}-trueup-lock", pair.replica.file().expect("it is SQLite"));
    let lock = std::fs::File::create(lock).expect("it can be made");
    lock.lock().expect("nobody else holds it");
    let run = pair.exits(&["apply", "spec.yml", "-y", "--format", "json"], 5);
    let replica = &run.document()["replicas"][0];
    assert_eq!(replica["outcome"], "locked", "{}", run.told());
    assert_eq!(replica["error"]["kind"], "timeout", "{}", run.told());
    drop(lock);
    pair.exits(&["apply", "spec.yml", "-y", "--lock-timeout", "10s"], 0);
}
