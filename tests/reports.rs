//! `--report` and the forms for people and CI: what stands in which file, and what `--rows` and `--max-diffs` do.

use std::os::unix::fs::PermissionsExt;

use crate::pair::Pair;

const T: &str =
    "CREATE TABLE t (id integer PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');";

fn drifted() -> Pair {
    let pair = Pair::sqlite("[t]", T);
    pair.replica.execute_script("UPDATE t SET v = 'other'");
    pair
}

/// Two replicas: `eu` has drift, `us` is the missing file of an empty one.
fn two_replicas() -> Pair {
    let pair = drifted();
    pair.spec("version: 1\nprimary: ${PRIMARY_URL}\nreplicas:\n  eu: ${REPLICA_URL}\n  us.west-1: sqlite:new.db\ntables: [t]\n");
    pair
}

fn files(pair: &Pair) -> Vec<String> {
    let entries = std::fs::read_dir(pair.folder()).expect("the folder is there");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn several_reports_are_written_at_once_beside_standard_output() {
    let pair = drifted();
    let wanted = [
        "plan",
        "spec.yml",
        "--report",
        "json=a.json",
        "--report",
        "text=a.txt",
        "--report",
        "markdown=a.md",
        "--report",
        "junit=a.xml",
    ];
    let run = pair.exits(&wanted, 0);
    assert!(run.stdout.ends_with("Plan: 0 rows to insert, 3 to update, 0 to delete.\n"), "{}", run.told());
    assert_eq!(files(&pair), ["a.json", "a.md", "a.txt", "a.xml", "spec.yml"]);
    assert_eq!(pair.read("a.txt"), run.stdout);
    let document: serde_json::Value = serde_json::from_str(&pair.read("a.json")).expect("it is JSON");
    assert_eq!(document["summary"]["update"], 3);
    assert!(pair.read("a.md").starts_with("## trueup plan: drift\n"), "{}", pair.read("a.md"));
    let junit = pair.read("a.xml");
    assert!(junit.contains("<testsuite name=\"copy\" tests=\"1\" failures=\"1\" errors=\"0\""), "{junit}");
}

#[test]
fn a_placeholder_makes_one_file_a_replica() {
    let pair = two_replicas();
    pair.exits(&["verify", "spec.yml", "--report", "json={replica}.json"], 2);
    assert_eq!(files(&pair), ["eu.json", "spec.yml", "us.west-1.json"]);
    for name in ["eu", "us.west-1"] {
        let document: serde_json::Value =
            serde_json::from_str(&pair.read(&format!("{name}.json"))).expect("it is JSON");
        assert_eq!(document["replicas"].as_array().map(Vec::len), Some(1));
        assert_eq!(document["replicas"][0]["name"], name);
        assert_eq!(document["summary"]["tables"], 1);
    }
    pair.exits(&["verify", "spec.yml", "--replica", "eu", "--report", "text=only-{replica}.txt"], 2);
    assert!(pair.path("only-eu.txt").exists() && !pair.path("only-us.west-1.txt").exists());
}

#[test]
fn reports_that_cannot_be_are_wrong_usage_before_anything_is_read() {
    let pair = two_replicas();
    for (reports, why) in [
        (["json=a", "text=./a"], "two reports would be written to ./a"),
        (["json=eu", "text={replica}"], "two reports would be written to eu"),
        (["json=no/where", "text=b"], "no/where"),
        (["json=spec.yml", "text=b"], "spec.yml"),
        (["json=new.db", "text=b"], "new.db"),
    ] {
        let run = pair.exits(&["apply", "spec.yml", "-y", "--report", reports[0], "--report", reports[1]], 1);
        assert!(run.stdout.is_empty() && run.stderr.contains(why), "{}", run.told());
        assert_eq!(files(&pair), ["spec.yml"]);
    }
    let wrong = pair.exits(&["plan", "spec.yml", "--report", "json"], 1);
    assert!(wrong.stderr.contains("json=report.json"), "{}", wrong.told());
}

#[test]
fn a_report_that_cannot_be_written_names_its_path_and_keeps_no_other_from_being() {
    let pair = drifted();
    let locked = pair.path("locked");
    std::fs::create_dir(&locked).expect("it can be made");
    // A name that is too long cannot be written by anybody, not even by the administrator.
    let long = format!("json=locked/{}", "x".repeat(300));
    let run = pair.exits(&["plan", "spec.yml", "--report", &long, "--report", "text=a.txt"], 1);
    assert!(run.stderr.contains("could not write locked/xxx"), "{}", run.told());
    assert!(pair.read("a.txt").contains("3 to update"));
    assert_eq!(std::fs::read_dir(&locked).expect("it is there").count(), 0);
}

#[test]
fn a_report_takes_the_place_of_an_earlier_one_as_a_whole() {
    let pair = drifted();
    let path = pair.path("a.json");
    std::fs::write(&path, "x".repeat(1_000_000)).expect("it can be written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o604)).expect("it is ours");
    pair.exits(&["plan", "spec.yml", "--report", "json=a.json"], 0);
    let _: serde_json::Value = serde_json::from_str(&pair.read("a.json")).expect("it is JSON");
    let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o604);
    assert_eq!(files(&pair), ["a.json", "spec.yml"]);
}

#[test]
fn apply_reports_what_was_done_also_when_it_was_refused() {
    let pair = drifted();
    pair.exits(&["apply", "spec.yml", "--report", "json=a.json"], 3);
    let document: serde_json::Value = serde_json::from_str(&pair.read("a.json")).expect("it is JSON");
    assert_eq!(document["replicas"][0]["outcome"], "refused");
    pair.exits(&["apply", "spec.yml", "-y", "--report", "junit=a.xml", "--report", "markdown=a.md"], 0);
    assert!(pair.read("a.xml").contains("tests=\"1\" failures=\"0\" errors=\"0\""), "{}", pair.read("a.xml"));
    let markdown = pair.read("a.md");
    assert!(markdown.starts_with("## trueup apply: applied\n"), "{markdown}");
    assert!(markdown.contains("**Apply complete!** 0 rows inserted, 3 updated, 0 deleted."), "{markdown}");
}

#[test]
fn rows_limits_what_text_and_markdown_show_and_says_how_much_more_there_is() {
    let pair = drifted();
    for format in ["text", "markdown"] {
        let shown =
            |rows: &str| pair.exits(&["plan", "spec.yml", "--format", format, "--rows", rows], 0).stdout;
        let (none, one, all) = (shown("0"), shown("1"), shown("all"));
        assert!(!none.contains("other"), "{none}");
        assert!(one.contains("id = 1") && !one.contains("id = 2"), "{one}");
        assert!(one.contains("… and 2 more rows to update"), "{one}");
        assert!(all.contains("id = 3") && !all.contains("more"), "{all}");
        for shown in [&none, &one, &all] {
            assert!(shown.contains("0 rows to insert, 3 to update, 0 to delete"), "{shown}");
        }
    }
    pair.replica.execute_script(
        "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO t SELECT i, 'x' FROM n",
    );
    let text = pair.exits(&["plan", "spec.yml"], 0).stdout;
    assert!(text.contains("… and 24 more rows to delete"), "the default is 20 rows\n{text}");
}

#[test]
fn max_diffs_stops_looking_and_says_at_least() {
    let pair = drifted();
    let text = pair.exits(&["plan", "spec.yml", "--max-diffs", "2"], 0).stdout;
    assert!(text.contains("# t differs in at least 2 rows"), "{text}");
    assert!(text.contains("there may be more"), "{text}");
    let markdown = pair.exits(&["plan", "spec.yml", "--max-diffs", "2", "--format", "markdown"], 0).stdout;
    assert!(markdown.contains("differs in at least 2 rows"), "{markdown}");
    let before = pair.replica.dump();
    let apply = pair.exits(&["apply", "spec.yml", "-y", "--max-diffs", "2"], 1);
    assert!(apply.stdout.contains("plan again without --max-diffs"), "{}", apply.told());
    assert_eq!(pair.replica.dump(), before);
    // As many as there are: nothing was cut.
    let whole = pair.exits(&["plan", "spec.yml", "--max-diffs", "4"], 0).stdout;
    assert!(!whole.contains("at least"), "{whole}");
}

#[test]
fn html_is_not_available_yet() {
    let pair = drifted();
    for args in [&["--format", "html"], &["--report", "html=a.html"]] {
        let run = pair.exits(&["plan", "spec.yml", args[0], args[1]], 1);
        assert!(run.stdout.is_empty() && run.stderr.contains("not available yet"), "{}", run.told());
    }
}
