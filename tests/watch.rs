//! `trueup watch` as a person, a log reader and a service manager see it: lines, exit codes, signals, files.
//!
//! Nothing is timed: a test waits for a line or for what a server says of itself, and only then does the next
//! thing. On SQLite where the engine makes no difference, on PostgreSQL where a run must be held in its midst.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value as Json;

use crate::servers::{Database, Engine, open};
use crate::tool::{self, Run};

const TABLE: &str =
    "CREATE TABLE t (id integer PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');";
const SPEC: &str =
    "version: 1\nprimary: ${PRIMARY_URL}\nreplicas: { copy: \"${REPLICA_URL}\" }\ntables: [t]\n";
/// Far more than anything here takes; a test that waits so long has failed.
const GIVE_UP: Duration = Duration::from_secs(120);

struct Pair {
    primary: Database,
    replica: Database,
    directory: tempfile::TempDir,
}

impl Pair {
    fn new() -> Pair {
        Pair::on(Engine::Sqlite)
    }

    fn on(engine: Engine) -> Pair {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let pair = Pair { primary: open(engine, "watch_p"), replica: open(engine, "watch_r"), directory };
        pair.primary.execute_script(TABLE);
        pair.replica.execute_script(TABLE);
        pair.spec(SPEC);
        pair
    }

    fn spec(&self, text: &str) {
        // Renamed into place, so that a watch never reads half of it.
        let (new, path) = (self.directory.path().join("new.yml"), self.directory.path().join("spec.yml"));
        std::fs::write(&new, text)
            .and_then(|()| std::fs::rename(new, path))
            .expect("the spec can be written");
    }

    fn drift(&self) {
        self.replica.execute_script("UPDATE t SET v = 'hushhush' WHERE id = 2; DELETE FROM t WHERE id = 3");
    }

    fn variables(&self) -> BTreeMap<String, String> {
        let urls = [("PRIMARY_URL", &self.primary), ("REPLICA_URL", &self.replica)];
        urls.map(|(name, side)| (name.to_string(), side.url.clone())).into()
    }

    #[track_caller]
    fn exits(&self, args: &[&str], code: i32) -> Run {
        let run =
            tool::run(self.directory.path(), &self.variables(), &[&["watch", "spec.yml"], args].concat());
        assert_eq!(run.exit, Some(code), "{}", run.told());
        run
    }

    fn watch(&self, args: &[&str]) -> Watch {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trueup"));
        command.args(["watch", "spec.yml"]).args(args);
        command.current_dir(self.directory.path()).envs(self.variables());
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the tool starts");
        let stdout = lines(child.stdout.take().expect("it is a pipe"));
        let stderr = lines(child.stderr.take().expect("it is a pipe"));
        Watch { child, stdout, stderr }
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(name)).expect("it was written")
    }

    fn hide_primary(&self) -> impl FnOnce() {
        let file = self.primary.file().expect("it is SQLite").to_owned();
        let hidden = format!("{file}.hidden");
        std::fs::rename(&file, &hidden).expect("it can be renamed");
        move || std::fs::rename(hidden, file).expect("it can be renamed back")
    }
}

/// A watch that goes on beside the test, and ends with it.
struct Watch {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // A test that no longer listens has ended.
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

impl Watch {
    /// The next line of standard output.
    fn line(&self) -> String {
        self.stdout
            .recv_timeout(GIVE_UP)
            .unwrap_or_else(|why| panic!("no further line: {why}\n{}", self.errors()))
    }

    /// The first line from here on that has these words.
    fn until(&self, words: &str) -> String {
        std::iter::repeat_with(|| self.line()).find(|line| line.contains(words)).expect("lines do not end")
    }

    /// As [`until`](Self::until), of standard error.
    fn until_told(&self, words: &str) -> String {
        let line = || self.stderr.recv_timeout(GIVE_UP).expect("it says more");
        std::iter::repeat_with(line).find(|line| line.contains(words)).expect("lines do not end")
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill can be run").success());
    }

    /// What is left of both outputs, and the exit code.
    fn ends(mut self) -> (Option<i32>, Vec<String>, String) {
        let rest = self.rest();
        let told = self.errors();
        (self.child.wait().expect("it ends").code(), rest, told)
    }

    /// Waits for the end of standard output.
    fn rest(&self) -> Vec<String> {
        let mut rest = Vec::new();
        while let Ok(line) = self.stdout.recv_timeout(GIVE_UP) {
            rest.push(line);
        }
        rest
    }

    /// What standard error has said so far.
    fn errors(&self) -> String {
        let wait = Duration::from_secs(1);
        std::iter::from_fn(|| self.stderr.recv_timeout(wait).ok()).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Most have ended by themselves.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks a server again and again until it says so.
fn wait_for(database: &Database, question: &str) {
    let begin = std::time::Instant::now();
    while database.query(question)[0][0].as_deref() != Some("t") {
        assert!(begin.elapsed() < GIVE_UP, "still not so: {question}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn json(line: &str) -> Json {
    serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"))
}

#[test]
fn once_ends_with_the_exit_code_of_verify() {
    let pair = Pair::new();
    let same = pair.exits(&["--once"], 0);
    assert!(same.stdout.ends_with("Z  copy: in sync, 1 table\n"), "{}", same.told());
    assert_eq!((same.stdout.lines().count(), same.stderr.as_str()), (1, ""), "{}", same.told());
    pair.drift();
    let drift = pair.exits(&["--once", "--every", "1h"], 2);
    assert!(drift.stdout.ends_with("Z  copy: drift, 1 row to insert, 1 to update\n"), "{}", drift.told());
    pair.spec(&SPEC.replace("[t]", "[{ table: t, insert: false }]"));
    let withheld = pair.exits(&["--once"], 2);
    assert!(
        withheld.stdout.ends_with("drift, 1 row to update, withheld: 1 row to insert\n"),
        "{}",
        withheld.told()
    );
    pair.replica.execute_script("DROP TABLE t; CREATE TABLE t (id text PRIMARY KEY, v text)");
    pair.spec(&SPEC.replace("[t]", "[{ table: t, schema: ignore }]"));
    let error = pair.exits(&["--once"], 1);
    assert!(error.stdout.contains("  copy: error, "), "{}", error.told());
    let _bring_back = pair.hide_primary();
    let down = pair.exits(&["--once"], 1);
    assert!(
        down.stdout.is_empty() && down.stderr.contains("could not connect to the primary"),
        "{}",
        down.told()
    );
}

#[test]
fn once_ends_with_the_exit_code_of_apply() {
    let pair = Pair::new();
    pair.drift();
    let before = pair.replica.dump();
    let refused = pair.exits(&["--once", "--apply", "--max-changes", "1"], 3);
    assert!(refused.stdout.contains("  copy: refused, limits.changes, "), "{}", refused.told());
    let lock = format!("{}-trueup-lock", pair.replica.file().expect("it is SQLite"));
    let lock = std::fs::File::create(lock).expect("it can be made");
    lock.lock().expect("nobody else holds it");
    let locked = pair.exits(&["--once", "--apply"], 5);
    assert!(locked.stdout.contains("  copy: locked, "), "{}", locked.told());
    drop(lock);
    pair.exits(&["--once"], 2);
    assert_eq!(pair.replica.dump(), before, "what is refused or locked is not written");
    let applied = pair.exits(&["--once", "--apply"], 0);
    assert!(
        applied.stdout.ends_with("copy: applied, 1 row inserted, 1 updated, verified\n"),
        "{}",
        applied.told()
    );
    let again = pair.exits(&["--once", "--apply"], 0);
    assert!(again.stdout.ends_with("copy: in sync, 1 table\n"), "{}", again.told());
    pair.drift();
    let unchecked = pair.exits(&["--once", "--apply", "--no-verify"], 0);
    assert!(unchecked.stdout.ends_with(", not verified\n"), "{}", unchecked.told());
    pair.spec(&SPEC.replace("[t]", "[t, nowhere]"));
    pair.exits(&["--once", "--apply"], 1);
}

#[test]
fn a_change_between_two_runs_is_found_and_with_apply_repaired() {
    found_and_repaired(&Pair::new());
}

#[test]
fn a_change_between_two_runs_is_found_and_repaired_on_mariadb() {
    found_and_repaired(&Pair::on(Engine::Mariadb));
}

fn found_and_repaired(pair: &Pair) {
    let verify = pair.watch(&["--every", "50ms"]);
    assert!(verify.line().ends_with("  copy: in sync, 1 table"));
    pair.drift();
    assert!(verify.until("drift").ends_with("  copy: drift, 1 row to insert, 1 to update"));
    let apply = pair.watch(&["--every", "50ms", "--apply"]);
    assert!(apply.line().ends_with("  copy: applied, 1 row inserted, 1 updated, verified"));
    verify.until("in sync");
    assert!(apply.line().ends_with("  copy: in sync, 1 table"));
    pair.primary.execute_script("INSERT INTO t VALUES (4, 'd')");
    assert!(apply.until("applied").ends_with("1 row inserted, verified"));
    for watch in [verify, apply] {
        watch.signal("TERM");
        let (code, _, told) = watch.ends();
        assert_eq!(code, Some(0), "{told}");
    }
    assert_eq!(pair.primary.dump(), pair.replica.dump());
}

#[test]
fn what_is_refused_is_refused_in_each_run_and_the_watch_goes_on() {
    let pair = Pair::new();
    pair.spec(&format!("{SPEC}limits: {{ deletes: 0 }}\n"));
    pair.replica.execute_script("INSERT INTO t VALUES (9, 'extra')");
    let before = pair.replica.dump();
    let watch = pair.watch(&["--every", "20ms", "--apply"]);
    for _ in 0..3 {
        let line = watch.line();
        assert!(line.contains("  copy: refused, limits.deletes, "), "{line}");
    }
    assert_eq!(pair.replica.dump(), before);
    // The spec is read again: what it allows now is done.
    pair.spec(&format!("{SPEC}limits: {{ deletes: 1 }}\n"));
    assert!(watch.until("applied").ends_with("1 row deleted, verified"));
}

#[test]
fn what_a_run_cannot_see_is_its_error_and_the_next_one_tries_again() {
    let pair = Pair::new();
    let watch = pair.watch(&["--every", "20ms", "--report", "json=report.json"]);
    assert!(watch.line().ends_with("in sync, 1 table"));
    let bring_back = pair.hide_primary();
    let down = watch.until("error");
    // It may go away between connecting and reading.
    let words = ["could not connect to", "could not read the structure of", "could not begin to read"];
    let told = |words: &&str| down.contains(&format!("  copy: error, spec.yml:2:10: {words} the primary: "));
    assert!(words.iter().any(told), "{down}");
    let report = json(&pair.file("report.json"));
    assert_eq!(
        (&report["in_sync"], &report["replicas"][0]["outcome"]),
        (&Json::Bool(false), &"error".into())
    );
    assert_eq!(report["replicas"][0]["error"]["kind"], "missing", "{report}");
    bring_back();
    watch.until("in sync");
    pair.spec("version: 1\ntables: [t\n");
    let invalid = watch.until("error");
    assert!(invalid.contains("  copy: error, spec.yml:"), "{invalid}");
    std::fs::remove_file(pair.directory.path().join("spec.yml")).expect("it is there");
    watch.until("copy: error, could not read spec.yml: No such file or directory");
    pair.spec(SPEC);
    watch.until("in sync");
    watch.signal("INT");
    assert_eq!(watch.ends().0, Some(0));
}

#[test]
fn what_is_wrong_at_the_start_ends_it_at_once() {
    let pair = Pair::new();
    for (args, words) in [
        (&["--every", "1h", "--replica", "nowhere"][..], "--replica nowhere matches no replica"),
        (&["--every", "1h", "--table", "nothing"], "--table nothing matches no table"),
        (&["--every", "1h", "--max-deletes", "5"], "--apply"),
        (&["--every", "1h", "--apply", "-y"], "-y"),
        (&["--every", "0s"], "longer than nothing"),
        (&[], "--every"),
        (&["--every", "1h", "--recheck", "2"], "not available yet"),
    ] {
        let wrong = pair.exits(args, 1);
        assert!(wrong.stdout.is_empty() && wrong.stderr.contains(words), "{words}\n{}", wrong.told());
    }
    pair.spec("version: 1\ntables: [t]\n");
    let wrong = pair.exits(&["--every", "1h"], 1);
    assert!(wrong.stdout.is_empty() && wrong.stderr.contains("spec.yml:1:1"), "{}", wrong.told());
}

#[test]
fn formats_that_are_no_line_are_for_files() {
    let pair = Pair::new();
    for format in ["sql", "markdown", "html", "junit"] {
        let refused = pair.exits(&["--once", "--format", format], 1);
        assert!(refused.stdout.is_empty(), "{}", refused.told());
    }
}

#[test]
fn json_is_one_document_a_line() {
    let pair = Pair::new();
    let watch = pair.watch(&["--every", "20ms", "--format", "json", "--rows", "all", "--redact"]);
    assert_eq!(json(&watch.line())["in_sync"], true);
    pair.drift();
    // A summary counts "drift" too.
    let line = watch.until("\"outcome\": \"drift\"");
    let document = json(&line);
    assert_eq!((&document["command"], &document["format_version"]), (&"verify".into(), &"1.0".into()));
    assert_eq!(document["replicas"][0]["tables"][0]["changes"].as_array().map(Vec::len), Some(2), "{line}");
    assert!(!line.contains("hushhush"), "{line}");
    drop(pair.hide_primary());
    let down = json(&watch.until("\"outcome\": \"error\""));
    assert_eq!(
        (&down["replicas"][0]["error"]["kind"], &down["in_sync"]),
        (&"missing".into(), &Json::Bool(false))
    );
}

#[test]
fn json_of_apply_says_what_was_applied() {
    let pair = Pair::new();
    pair.drift();
    let document = json(&pair.exits(&["--once", "--apply", "--format", "json"], 0).stdout);
    assert_eq!((&document["command"], &document["verified"]), (&"apply".into(), &Json::Bool(true)));
    assert_eq!((&document["applied"]["insert"], &document["applied"]["update"]), (&1.into(), &1.into()));
}

#[test]
fn redact_leaves_no_value_in_lines_and_files() {
    let pair = Pair::new();
    // What the replica says of the row that it does not take quotes it.
    pair.primary.execute_script("UPDATE t SET v = 'hushhush' WHERE id = 1");
    let replica = open(Engine::Postgres, "watch_redact");
    replica.execute_script("CREATE TABLE t (id bigint PRIMARY KEY, v text CHECK (length(v) < 5))");
    let spec = SPEC.replace("${REPLICA_URL}", &replica.url);
    pair.spec(&spec.replace("[t]", "[{ table: t, schema: ignore }]"));
    let plain = pair.exits(&["--once", "--apply"], 1);
    assert!(plain.stdout.contains("hushhush"), "{}", plain.told());
    let args = ["--apply", "--redact", "-v", "--report", "text=r.txt", "--report", "json=r.json"];
    let watch = pair.watch(&[&["--every", "20ms"], &args[..]].concat());
    let line = watch.line();
    watch.signal("TERM");
    let (code, _, told) = watch.ends();
    assert_eq!(code, Some(0), "{told}");
    for text in [line, told, pair.file("r.txt"), pair.file("r.json")] {
        assert!(!text.contains("hushhush") && text.contains("copy"), "{text}");
    }
}

#[test]
fn report_files_are_replaced_as_a_whole_before_the_line() {
    let pair = Pair::new();
    let reports = ["--report", "json={replica}.json", "--report", "text=report.txt"];
    let watch = pair.watch(&[&["--every", "1ms"], &reports[..]].concat());
    watch.line();
    for _ in 0..200 {
        assert_eq!(json(&pair.file("copy.json"))["command"], "verify");
        assert!(pair.file("report.txt").ends_with(" matches the primary.\n"));
    }
    pair.drift();
    watch.until("drift");
    assert_eq!(json(&pair.file("copy.json"))["summary"]["update"], 1);
    assert!(pair.file("report.txt").contains("Drift: 1 row to insert, 1 to update, 0 to delete."));
}

#[test]
fn a_report_that_cannot_be_written_is_told_and_the_watch_goes_on() {
    let pair = Pair::new();
    let folder = |name: &str| pair.directory.path().join(name);
    std::fs::create_dir(folder("out")).expect("it can be made");
    let watch = pair.watch(&["--every", "20ms", "--report", "json=out/report.json"]);
    watch.line();
    std::fs::rename(folder("out"), folder("away")).expect("it can be renamed");
    watch.until_told("could not write out/report.json");
    pair.drift();
    watch.until("drift");
    std::fs::rename(folder("away"), folder("out")).expect("it can be renamed back");
    pair.replica.execute_script("DELETE FROM t");
    watch.until("drift, 3 rows to insert");
    watch.line();
    assert_eq!(json(&pair.file("out/report.json"))["summary"]["insert"], 3);
    let wrong = pair.exits(&["--every", "1h", "--report", "json=no/such/folder.json"], 1);
    assert!(wrong.stdout.is_empty() && wrong.stderr.contains("no folder"), "{}", wrong.told());
}

#[test]
fn signals_between_runs_end_it_with_0() {
    let pair = Pair::new();
    for (signal, args) in [("TERM", &["--every", "1h"][..]), ("INT", &["--every", "1h", "--apply"])] {
        let watch = pair.watch(&[args, &["-v"]].concat());
        watch.line();
        watch.until_told("The next run begins at ");
        watch.signal(signal);
        let (code, rest, told) = watch.ends();
        assert_eq!((code, rest.len()), (Some(0), 0), "{signal}: {told}");
        assert!(told.contains("The watch ends between two runs."), "{told}");
    }
}

#[test]
fn nobody_who_reads_ends_it() {
    let pair = Pair::new();
    let mut watch = pair.watch(&["--every", "20ms"]);
    watch.line();
    // Its reader goes with the receiver, at the next line.
    drop(std::mem::replace(&mut watch.stdout, channel().1));
    watch.until_told("could not write to standard output");
    assert_eq!(watch.child.wait().expect("it ends").code(), Some(1));
}

impl Pair {
    /// Waits until a run waits for the lock that the replica's session holds. The primary's session asks: in a
    /// transaction a server gives the same answer for ever.
    fn wait_until_held(&self) {
        let question = format!(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = '{}' AND wait_event_type = 'Lock')",
            self.replica.name
        );
        wait_for(&self.primary, &question);
    }

    /// Waits until the server has seen that the runs before this one are gone: a session of theirs that still waits
    /// for the lock would be taken for one of the next run.
    fn wait_until_alone(&self) {
        let question = format!(
            "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = '{}' AND application_name = 'trueup')",
            self.replica.name
        );
        wait_for(&self.primary, &question);
    }
}

#[test]
fn signals_while_it_compares_end_it_with_0_and_once_with_the_signal() {
    let pair = Pair::on(Engine::Postgres);
    for (signal, args, code) in [
        ("TERM", &["--every", "1h"][..], 0),
        ("INT", &["--every", "1h", "--apply"], 0),
        ("TERM", &["--once"], 143),
        ("INT", &["--once", "--apply"], 130),
    ] {
        pair.wait_until_alone();
        pair.replica.execute_script("BEGIN; LOCK TABLE t");
        let watch = pair.watch(args);
        pair.wait_until_held();
        watch.signal(signal);
        let (ended, rest, told) = watch.ends();
        assert_eq!(ended, Some(code), "{args:?}: {told}");
        assert!(told.contains("Nothing was written"), "{args:?}: {told}");
        let said: Vec<&str> = rest.iter().filter_map(|line| line.split("  ").nth(1)).collect();
        assert!(said.join("").starts_with("copy: interrupted"), "{args:?}: {rest:?}");
        pair.replica.execute_script("ROLLBACK");
    }
}

#[test]
fn on_mariadb_a_signal_is_heard_while_a_table_is_locked_and_connections_are_closed_between_runs() {
    let pair = Pair::on(Engine::Mariadb);
    let sessions = |which: &str, count: &str| {
        let list = "information_schema.PROCESSLIST";
        let name = &pair.replica.name;
        format!("SELECT IF((SELECT COUNT(*) FROM {list} WHERE DB = '{name}'{which}) {count}, 't', 'f')")
    };
    pair.replica.execute_script("LOCK TABLES t WRITE");
    let watch = pair.watch(&["--every", "1h"]);
    wait_for(&pair.primary, &sessions(" AND STATE LIKE 'Waiting for table%'", "> 0"));
    watch.signal("TERM");
    let (code, rest, told) = watch.ends();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("Nothing was written in its last run."), "{told}");
    assert!(rest.len() == 1 && rest[0].contains("  copy: interrupted"), "{rest:?}");
    pair.replica.execute_script("UNLOCK TABLES");
    let watch = pair.watch(&["--every", "1h", "--apply"]);
    watch.line();
    // The harness's own session stays.
    wait_for(&pair.primary, &sessions("", "= 1"));
    watch.signal("INT");
    assert_eq!(watch.ends().0, Some(0));
}

#[test]
fn a_signal_while_it_applies_leaves_what_is_committed_and_says_so() {
    let pair = Pair::on(Engine::Postgres);
    let first = open(Engine::Sqlite, "watch_first");
    pair.spec(&format!(
        "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ first: \"{}\", copy: \"${{REPLICA_URL}}\" }}\n\
         tables: [{{ table: t, schema: ignore }}]\n",
        first.url
    ));
    first.execute_script(TABLE);
    first.execute_script("DELETE FROM t WHERE id = 1");
    pair.drift();
    let before = pair.replica.dump();
    // Readers pass, the row's writer waits.
    pair.replica.execute_script("BEGIN; SELECT * FROM t FOR UPDATE");
    let watch = pair.watch(&["--every", "1h", "--apply"]);
    pair.wait_until_held();
    watch.signal("TERM");
    watch.until_told("Stopping at the next safe point");
    pair.replica.execute_script("ROLLBACK");
    let (code, rest, told) = watch.ends();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("first: 1 of 1 batch committed (1 row inserted)"), "{told}");
    assert!(told.contains("copy: nothing was written"), "{told}");
    assert!(rest.len() == 1 && rest[0].contains("; copy: interrupted, "), "{rest:?}");
    assert_eq!(pair.replica.dump(), before);
    assert_eq!(first.query("SELECT count(*) FROM t")[0][0].as_deref(), Some("3"));
}

#[test]
fn a_signal_is_heard_while_another_trueup_holds_the_lock() {
    let pair = Pair::new();
    pair.drift();
    let path = format!("{}-trueup-lock", pair.replica.file().expect("it is SQLite"));
    let lock = std::fs::File::create(&path).expect("it can be made");
    lock.lock().expect("nobody else holds it");
    for (args, code) in [(&["--every", "1h"][..], 0), (&["--once"], 143)] {
        let watch = pair.watch(&[args, &["--apply", "--lock-timeout", "1h"]].concat());
        let files = format!("/proc/{}/fd", watch.child.id());
        let begin = std::time::Instant::now();
        while !std::fs::read_dir(&files)
            .expect("it runs")
            .flatten()
            .any(|file| std::fs::read_link(file.path()).is_ok_and(|name| name.as_os_str() == path.as_str()))
        {
            assert!(begin.elapsed() < GIVE_UP, "it never comes to the lock");
            std::thread::sleep(Duration::from_millis(20));
        }
        watch.signal("TERM");
        let (ended, rest, told) = watch.ends();
        assert_eq!(ended, Some(code), "{told}");
        assert!(rest.len() == 1 && rest[0].ends_with("nothing was written"), "{rest:?}");
    }
}

#[test]
fn batches_that_are_committed_stay_when_a_signal_comes_and_the_next_watch_finishes() {
    let pair = Pair::on(Engine::Postgres);
    pair.spec(&SPEC.replace("[t]", "[{ table: t, schema: ignore }]"));
    pair.primary.execute_script("UPDATE t SET v = 'new'");
    pair.replica.execute_script("BEGIN; SELECT * FROM t WHERE id = 3 FOR UPDATE");
    let watch = pair.watch(&["--every", "1h", "--apply", "--batch-rows", "1"]);
    pair.wait_until_held();
    watch.signal("INT");
    watch.until_told("Stopping at the next safe point");
    pair.replica.execute_script("ROLLBACK");
    let (code, rest, told) = watch.ends();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("copy: 2 of 3 batches committed (2 rows updated)"), "{told}");
    assert!(rest.len() == 1 && rest[0].contains("  copy: interrupted, "), "{rest:?}");
    let finished = pair.exits(&["--once", "--apply"], 0);
    assert!(finished.stdout.ends_with("copy: applied, 1 row updated, verified\n"), "{}", finished.told());
}

#[test]
fn connections_are_closed_between_runs() {
    let pair = Pair::on(Engine::Postgres);
    let watch = pair.watch(&["--every", "1h", "--apply"]);
    watch.line();
    for side in [&pair.primary, &pair.replica] {
        let question = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity \
                        WHERE datname = current_database() AND pid <> pg_backend_pid())";
        wait_for(side, question);
    }
    watch.signal("TERM");
    assert_eq!(watch.ends().0, Some(0));
}

#[test]
fn runs_do_not_overlap_and_missed_ones_are_told_once() {
    let pair = Pair::on(Engine::Postgres);
    pair.replica.execute_script("BEGIN; LOCK TABLE t");
    let watch = pair.watch(&["--every", "50ms"]);
    pair.wait_until_held();
    // However slow this machine is, no less than this goes by, and several moments with it.
    std::thread::sleep(Duration::from_millis(200));
    assert!(watch.stdout.try_recv().is_err(), "no run has ended yet");
    pair.replica.execute_script("ROLLBACK");
    let told = watch.until_told("The last run took longer than --every");
    assert!(told.contains("skipped, the next begins at 2"), "{told}");
    watch.line();
    watch.line();
    watch.signal("TERM");
    let (code, ..) = watch.ends();
    assert_eq!(code, Some(0));
}
