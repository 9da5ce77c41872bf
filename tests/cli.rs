//! The command line beside plan, apply and verify of a pair: the demo, reports in files, what is not
//! available yet, and standard output that nobody reads.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::tool::{self, Run};

fn run(directory: &Path, args: &[&str]) -> Run {
    tool::run(directory, &BTreeMap::new(), args)
}

#[track_caller]
fn exits(directory: &Path, args: &[&str], code: i32) -> Run {
    let run = run(directory, args);
    assert_eq!(run.exit, Some(code), "{}", run.told());
    run
}

/// A folder with a demo, in sync since the demo applied its plan.
fn demo() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    exits(directory.path(), &["demo", "-q"], 0);
    directory
}

const SPEC: &str = "trueup-demo/spec.yml";

/// Makes the demo's replica drift by one row of each kind.
fn drift(directory: &Path) {
    change(
        directory,
        "UPDATE customers SET city = 'Atlantis' WHERE id = 3;
         DELETE FROM order_items WHERE order_id = 5 AND line = 1;
         INSERT INTO products VALUES (999, 'SKU', 'extra', 1, 1, NULL);",
    );
}

fn change(directory: &Path, sql: &str) {
    let replica = rusqlite::Connection::open(directory.join("trueup-demo/replica.db"));
    replica.and_then(|replica| replica.execute_batch(sql)).expect("the replica can be changed");
}

#[test]
fn the_demo_shows_all_of_it_and_can_be_made_anew() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    for _ in 0..2 {
        let demo = exits(directory.path(), &["demo"], 0);
        for line in [
            "$ trueup plan trueup-demo/spec.yml",
            "+ add column products.weight_g",
            "Plan: 1 schema change, ",
            "Apply complete! ",
            "Verified: the rows written equal the primary.",
            "No changes. The replica matches the primary.",
            "Try next:",
        ] {
            assert!(demo.stdout.contains(line), "no line {line}\n{}", demo.told());
        }
    }
    exits(directory.path(), &["verify", SPEC], 0);
}

#[test]
fn the_demo_leaves_other_folders_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    std::fs::write(directory.path().join("thesis.txt"), "years of work").expect("it can be written");
    let refused = exits(directory.path(), &["demo", "."], 1);
    assert!(refused.stderr.contains("not empty"), "{}", refused.told());
    assert_eq!(std::fs::read_dir(directory.path()).expect("it is there").count(), 1);
}

#[test]
fn a_demo_in_a_folder_with_an_odd_name_works() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let demo = exits(directory.path(), &["demo", "o'dd ?#% ${HOME} naïve"], 0);
    assert!(demo.stdout.contains("No changes."), "{}", demo.told());
}

#[test]
fn what_is_not_available_yet_says_so_and_does_nothing() {
    let directory = demo();
    drift(directory.path());
    for args in [
        &["plan", SPEC, "--report", "html=report.html"][..],
        &["verify", SPEC, "--recheck", "3"],
        &["digest", SPEC],
    ] {
        let run = exits(directory.path(), args, 1);
        assert!(run.stdout.is_empty() && run.stderr.contains("not available yet"), "{}", run.told());
    }
    exits(directory.path(), &["verify", SPEC], 2);
    assert_eq!(std::fs::read_dir(directory.path()).expect("it is there").count(), 1);
}

#[test]
fn check_offline_reads_the_file_alone() {
    let directory = demo();
    std::fs::remove_file(directory.path().join("trueup-demo/primary.db")).expect("it is there");
    exits(directory.path(), &["check", "--offline", SPEC], 0);
    std::fs::write(directory.path().join("bad.yml"), "version: 1\n").expect("it can be written");
    let bad = exits(directory.path(), &["check", "--offline", "bad.yml"], 1);
    assert!(bad.stderr.contains("bad.yml:1:1"), "{}", bad.told());
}

#[test]
fn reports_go_to_files_beside_standard_output() {
    let directory = demo();
    drift(directory.path());
    let reports = ["--report", "json={replica}.json", "--report", "text=report.txt"];
    exits(directory.path(), &[&["verify", SPEC], &reports[..]].concat(), 2);
    let read = |file: &str| std::fs::read_to_string(directory.path().join(file)).expect("it was written");
    let document: serde_json::Value = serde_json::from_str(&read("copy.json")).expect("it is JSON");
    assert_eq!(document["replicas"][0]["name"], "copy");
    assert_eq!(document["summary"]["update"], 1);
    assert!(read("report.txt").contains("Drift: 1 row to insert, 1 to update, 1 to delete."));
    let nowhere = exits(directory.path(), &["verify", SPEC, "--report", "json=no/such/folder.json"], 1);
    assert!(nowhere.stderr.contains("could not write no/such/folder.json"), "{}", nowhere.told());
}

#[test]
fn nobody_to_ask_is_a_refusal_that_says_what_to_do() {
    let directory = demo();
    drift(directory.path());
    let run = exits(directory.path(), &["apply", SPEC, "--format", "json"], 3);
    assert!(run.stderr.contains("use -y"), "{}", run.told());
    let document: serde_json::Value = serde_json::from_str(&run.stdout).expect("it is JSON");
    assert_eq!(document["replicas"][0]["outcome"], "refused");
    assert_eq!(document["applied"]["update"], 0);
    assert_eq!(document["verified"], serde_json::Value::Null);
}

#[test]
fn a_plan_that_was_cut_short_is_not_applied() {
    let directory = demo();
    change(directory.path(), "UPDATE customers SET city = 'Atlantis' WHERE id % 2 = 0");
    let plan = exits(directory.path(), &["plan", SPEC, "--max-diffs", "1"], 0);
    assert!(plan.stdout.contains("at least"), "{}", plan.told());
    exits(directory.path(), &["apply", SPEC, "-y", "--max-diffs", "1"], 1);
    exits(directory.path(), &["verify", SPEC], 2);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let directory = demo();
    drift(directory.path());
    let mut command = Command::new(env!("CARGO_BIN_EXE_trueup"));
    command.args(["plan", SPEC, "--format", "json", "--detailed-exitcode"]).current_dir(directory.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let mut told = String::new();
    let mut errors = child.stderr.take().expect("it is a pipe");
    errors.read_to_string(&mut told).expect("messages are UTF-8");
    assert_eq!(child.wait().expect("it ends").code(), Some(2), "{told}");
    assert!(!told.contains("panic") && !told.contains("error"), "{told}");
}

#[test]
fn colour_is_there_when_wanted_and_never_by_itself_in_a_pipe() {
    let directory = demo();
    drift(directory.path());
    assert!(!exits(directory.path(), &["plan", SPEC], 0).stdout.contains('\u{1b}'));
    assert!(exits(directory.path(), &["plan", SPEC, "--color", "always"], 0).stdout.contains('\u{1b}'));
}

#[test]
fn completions_and_the_manual_name_the_commands() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    for shell in ["bash", "zsh", "fish"] {
        assert!(exits(directory.path(), &["completions", shell], 0).stdout.contains("detailed-exitcode"));
    }
    assert!(exits(directory.path(), &["man"], 0).stdout.contains("trueup\\-plan"));
}
