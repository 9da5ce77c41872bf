//! One case on one pair: make both sides, plan, apply, verify, plan again; or see it fail as it should.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;
use serde_yaml::{Mapping, Value};
use tempfile::TempDir;

use super::case::{Case, Failure, Pair, Refused};
use super::expected;
use super::portable::expand;
use crate::servers::{Database, Engine, open};
use crate::tool::{self, Run};

/// Every table's rows, as `Database::dump` gives them.
type Dump = BTreeMap<String, Vec<String>>;

/// What was not as expected, in full sentences for the report.
type Outcome = Result<(), Vec<String>>;

/// Runs `case` on `pair`.
pub fn run(case: Case, pair: Pair) -> Outcome {
    let stage = Stage::set(case, pair);
    let mut faults = Vec::new();
    let case = &stage.case;
    match (&case.expect.fails, &case.expect.error, &case.expect.refused) {
        (Some(failure), _, _) => stage.fails(failure, &mut faults),
        (_, Some(failure), _) => stage.is_an_error(failure, &mut faults),
        (_, _, Some(refused)) => stage.is_refused(refused, &mut faults),
        _ => stage.goes_through(&mut faults),
    }
    if stage.primary.dump() != stage.primary_before {
        faults.push("  the primary was changed".into());
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Both databases as the case wants them, and the spec in a directory.
struct Stage {
    case: Case,
    pair: Pair,
    primary: Database,
    replica: Database,
    primary_before: Dump,
    replica_before: Dump,
    directory: TempDir,
    variables: BTreeMap<String, String>,
}

impl Stage {
    fn set(case: Case, pair: Pair) -> Stage {
        let make = |engine: Engine, hint: &str, own: &str| {
            let database = open(engine, hint);
            for script in [case.both.for_engine(engine), own] {
                if !script.trim().is_empty() {
                    database.execute_script(&expand(script, &database));
                }
            }
            database
        };
        let primary = make(pair.0, "primary", case.primary.for_engine(pair.0));
        let replica = make(pair.1, "replica", case.replica.for_engine(pair.1));
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        std::fs::write(directory.path().join("spec.yml"), spec_text(&case.spec))
            .expect("the spec can be written");
        let mut variables = case.env.clone();
        variables.insert("PRIMARY_URL".into(), primary.url.clone());
        variables.insert("REPLICA_URL".into(), replica.url.clone());
        variables.insert("PRIMARY_NAME".into(), primary.name.clone());
        variables.insert("REPLICA_NAME".into(), replica.name.clone());
        let (primary_before, replica_before) = (primary.dump(), replica.dump());
        Stage { case, pair, primary, replica, primary_before, replica_before, directory, variables }
    }

    fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn tool(&self, command: &[&str], more: &[String]) -> Run {
        let words = command.iter().copied().chain(self.case.args.iter().chain(more).map(String::as_str));
        tool::run(self.directory(), &self.variables, &words.collect::<Vec<_>>())
    }

    fn plan(&self) -> Run {
        self.tool(&["plan", "spec.yml", "--format", "json", "--detailed-exitcode"], &[])
    }

    fn apply(&self) -> Run {
        self.tool(&["apply", "spec.yml", "-y", "--format", "json"], &self.case.apply_args)
    }

    /// Nothing can be looked at: only a message, on both commands.
    fn fails(&self, failure: &Failure, faults: &mut Vec<String>) {
        for run in [self.plan(), self.apply()] {
            check_exit(&run, failure.exit, faults);
            if !run.stdout.is_empty() {
                faults.push(format!("  standard output should be empty\n{}", run.told()));
            }
            check_contains(&run.stderr, &failure.contains, &run, faults);
            check_contains(&run.stderr, &failure.says, &run, faults);
        }
        self.replica_is_untouched(faults);
    }

    /// The document names the error; nothing is written.
    fn is_an_error(&self, failure: &Failure, faults: &mut Vec<String>) {
        for run in [self.plan(), self.apply()] {
            check_exit(&run, failure.exit, faults);
            let document = run.document();
            let error = find_error(&document, failure.table.as_deref());
            let Some(error) = error else {
                faults.push(format!("  no error in the document\n{}", run.told()));
                continue;
            };
            if let Some(kind) = &failure.kind
                && error["kind"] != kind.as_str()
            {
                faults.push(format!("  kind is {} and should be {kind}\n{}", error["kind"], run.told()));
            }
            check_contains(error["message"].as_str().unwrap_or_default(), &failure.contains, &run, faults);
            check_contains(&run.stderr, &failure.says, &run, faults);
            if document["in_sync"] != false {
                faults.push(format!("  in_sync should be false\n{}", run.told()));
            }
        }
        self.replica_is_untouched(faults);
    }

    /// The plan says that it would be refused; `apply` refuses, and nothing is written.
    fn is_refused(&self, refused: &Refused, faults: &mut Vec<String>) {
        let plan = self.plan();
        check_exit(&plan, 2, faults);
        self.check_plan(&plan, faults);
        let plan = Some(plan).filter(|_| !refused.by_apply_alone);
        for run in plan.into_iter().chain([self.apply()]) {
            let refusals = run.document()["replicas"][0]["refusals"].clone();
            let first = refusals.get(0).cloned().unwrap_or(Json::Null);
            if first.is_null() || refused.table.as_ref().is_some_and(|table| first["table"] != table.as_str())
            {
                faults.push(format!("  no such refusal in the document: {refusals}\n{}", run.told()));
            }
            check_contains(&format!("{refusals} {}", run.stderr), &refused.contains, &run, faults);
            if run.command.starts_with("apply") {
                check_exit(&run, 3, faults);
                check_value(&run, "/replicas/0/outcome", &"refused".into(), faults);
            }
        }
        self.replica_is_untouched(faults);
    }

    fn goes_through(&self, faults: &mut Vec<String>) {
        let plan = self.plan();
        let drifts = !self.case.expect.in_sync;
        check_exit(&plan, if drifts { 2 } else { 0 }, faults);
        self.check_plan(&plan, faults);
        if self.replica.dump() != self.replica_before {
            faults.push("  `plan` changed the replica".into());
        }
        if !faults.is_empty() {
            return;
        }
        let withheld = withheld_lines(&plan.document());
        let apply = self.apply();
        check_exit(&apply, 0, faults);
        check_apply(&plan.document(), &apply, withheld.is_empty(), faults);
        if !faults.is_empty() {
            return;
        }
        let verify = self.tool(&["verify", "spec.yml", "--format", "json"], &[]);
        check_exit(&verify, if withheld.is_empty() { 0 } else { 2 }, faults);
        check_value(&verify, "/in_sync", &withheld.is_empty().into(), faults);
        let again = self.plan();
        check_exit(&again, if withheld.is_empty() { 0 } else { 2 }, faults);
        let left = [change_lines(&again.document()), schema_lines(&again.document())].concat();
        check_lines("the second plan", &withheld, &left, &again, faults);
        if !withheld.is_empty() {
            // Nothing but withheld changes is left now.
            let told = self.tool(&["apply", "spec.yml", "-y"], &self.case.apply_args);
            check_exit(&told, 0, faults);
            check_contains(&told.stdout, &["withheld".into()], &told, faults);
        }
        self.check_databases(withheld.is_empty(), faults);
    }

    fn check_plan(&self, plan: &Run, faults: &mut Vec<String>) {
        let document = plan.document();
        if document.is_null() {
            faults.push(format!("  standard output is no JSON document\n{}", plan.told()));
            return;
        }
        let expect = &self.case.expect;
        let wanted = expected::lines(&expect.plan, &self.variables, &document, self.pair);
        check_lines("the plan's changes", &wanted, &change_lines(&document), plan, faults);
        check_lines("the plan's schema changes", &expect.schema, &schema_lines(&document), plan, faults);
        check_value(plan, "/in_sync", &expect.in_sync.into(), faults);
        let excused: u64 = tables(&document).filter_map(|table| table["excused"].as_u64()).sum();
        if excused != expect.excused {
            faults.push(format!("  {excused} rows excused and not {}\n{}", expect.excused, plan.told()));
        }
        if !expect.causes.is_empty() {
            let found = cause_lines(&document);
            let found = if found.is_empty() { vec!["none".to_owned()] } else { found };
            check_lines("the causes", &expect.causes, &found, plan, faults);
        }
        check_sums(&document, plan, faults);
    }

    /// The rows themselves, seen by the engines' own clients.
    fn check_databases(&self, complete: bool, faults: &mut Vec<String>) {
        for check in &self.case.after {
            let sql = expand(check.sql.for_engine(self.pair.1), &self.replica);
            let rows = self.replica.query(&sql);
            if rows != check.rows {
                faults.push(format!("  {sql}\n  gives {rows:?}\n  and not {:?}", check.rows));
            }
        }
        let whole = complete
            && self.case.alike_after
            && self.pair.0 == self.pair.1
            && names_whole_tables(&self.case.spec);
        let (primary, replica) = (self.primary.dump(), self.replica.dump());
        if whole && primary != replica {
            faults.push(format!("  the databases differ after apply\n  {primary:?}\n  {replica:?}"));
        }
        if self.case.expect.in_sync && replica != self.replica_before {
            faults.push("  a replica in sync was changed".into());
        }
    }

    fn replica_is_untouched(&self, faults: &mut Vec<String>) {
        if self.replica.dump() != self.replica_before {
            faults.push("  the replica was changed".into());
        }
    }
}

/// A mapping gets what it lacks of version and sides; a text is the whole spec.
fn spec_text(spec: &Value) -> String {
    let Value::Mapping(given) = spec else {
        return spec.as_str().expect("a spec is a mapping or a text").to_string();
    };
    let mut whole = Mapping::new();
    whole.insert("version".into(), 1.into());
    whole.insert("primary".into(), "${PRIMARY_URL}".into());
    let mut replicas = Mapping::new();
    replicas.insert("copy".into(), "${REPLICA_URL}".into());
    whole.insert("replicas".into(), replicas.into());
    whole.extend(given.clone());
    serde_yaml::to_string(&whole).expect("it was read from YAML")
}

/// Whether every entry is only a name, so that whole tables must end up equal.
fn names_whole_tables(spec: &Value) -> bool {
    spec.as_mapping().is_some_and(|map| !map.contains_key("defaults"))
        && spec
            .get("tables")
            .and_then(Value::as_sequence)
            .is_some_and(|tables| tables.iter().all(Value::is_string))
}

fn tables(document: &Json) -> impl Iterator<Item = &Json> {
    document["replicas"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|replica| replica["tables"].as_array())
        .flatten()
}

fn name_of(table: &Json) -> &str {
    table["table"].as_str().unwrap_or("?")
}

/// The changes of a document as lines, in its order.
pub fn change_lines(document: &Json) -> Vec<String> {
    let lines = |table: &Json| {
        let changes = table["changes"].as_array().into_iter().flatten();
        changes.map(|change| expected::line_of(name_of(table), change)).collect::<Vec<_>>()
    };
    tables(document).flat_map(lines).collect()
}

fn schema_lines(document: &Json) -> Vec<String> {
    let line = |change: &Json| {
        let mark = if change["withheld"] == true { " withheld" } else { "" };
        let word = |name: &str| change[name].as_str().unwrap_or("?").to_string();
        format!("{} {}{mark}", word("action"), word("object"))
    };
    tables(document).flat_map(|table| table["schema_changes"].as_array()).flatten().map(line).collect()
}

/// `t.v: case, 2 of 3 (case: ignore)`
fn cause_lines(document: &Json) -> Vec<String> {
    let line = |table: &Json, cause: &Json| {
        let word = |name: &str| cause[name].as_str().unwrap_or("?").to_string();
        let option = cause["option"].as_str().map(|option| format!(" ({option})")).unwrap_or_default();
        let (table, column) = (name_of(table), word("column"));
        format!("{table}.{column}: {}, {} of {}{option}", word("cause"), cause["values"], cause["of"])
    };
    let mut lines = Vec::new();
    for table in tables(document) {
        lines.extend(table["causes"].as_array().into_iter().flatten().map(|cause| line(table, cause)));
    }
    lines
}

/// The lines that a second plan must still show.
fn withheld_lines(document: &Json) -> Vec<String> {
    let all = [change_lines(document), schema_lines(document)].concat();
    all.into_iter().filter(|line| line.ends_with(" withheld=true") || line.ends_with(" withheld")).collect()
}

/// The first error of the document: that of `table`, or of the replica, or of any table.
fn find_error(document: &Json, table: Option<&str>) -> Option<Json> {
    let of_table = |wanted: &Json| table.is_none_or(|name| name_of(wanted) == name);
    let in_tables = tables(document).filter(|entry| of_table(entry)).map(|entry| &entry["error"]);
    let in_replicas = document["replicas"].as_array().into_iter().flatten().map(|replica| &replica["error"]);
    let all: Vec<&Json> =
        if table.is_some() { in_tables.collect() } else { in_replicas.chain(in_tables).collect() };
    all.into_iter().find(|error| error.is_object()).cloned()
}

fn check_exit(run: &Run, wanted: i32, faults: &mut Vec<String>) {
    if run.exit != Some(wanted) {
        faults.push(format!("  exit should be {wanted}\n{}", run.told()));
    }
    // The passwords of the harness and of the cases all hold this word.
    if format!("{}{}", run.stdout, run.stderr).to_lowercase().contains("s3cret") {
        faults.push(format!("  a password is in the output\n{}", run.told()));
    }
}

fn check_value(run: &Run, pointer: &str, wanted: &Json, faults: &mut Vec<String>) {
    let document = run.document();
    let found = document.pointer(pointer).unwrap_or(&Json::Null);
    if found != wanted {
        faults.push(format!("  {pointer} is {found} and should be {wanted}\n{}", run.told()));
    }
}

fn check_contains(text: &str, wanted: &[String], run: &Run, faults: &mut Vec<String>) {
    for part in wanted.iter().filter(|part| !text.contains(part.as_str())) {
        faults.push(format!("  the message should contain: {part}\n{}", run.told()));
    }
}

fn check_lines(what: &str, wanted: &[String], found: &[String], run: &Run, faults: &mut Vec<String>) {
    if wanted == found {
        return;
    }
    let missing =
        wanted.iter().filter(|line| !found.contains(line)).map(|line| format!("    missing: {line}"));
    let extra = found.iter().filter(|line| !wanted.contains(line)).map(|line| format!("    extra:   {line}"));
    let mut list: Vec<String> = missing.chain(extra).collect();
    if list.is_empty() {
        list = vec![format!("    another order: {found:#?}")];
    }
    faults.push(format!("  {what} are not as expected\n{}\n{}", list.join("\n"), run.told()));
}

/// Every count in the document is the sum of what it counts.
fn check_sums(document: &Json, run: &Run, faults: &mut Vec<String>) {
    let actions = ["insert", "update", "delete"];
    for action in actions {
        let mut total = 0;
        for table in tables(document) {
            let changes =
                || table["changes"].as_array().into_iter().flatten().filter(|c| c["action"] == action);
            let copies = |change: &Json| change["copies"].as_u64().unwrap_or(1);
            let planned: u64 = changes().filter(|change| change["withheld"] != true).map(copies).sum();
            let withheld: u64 = changes().filter(|change| change["withheld"] == true).map(copies).sum();
            if table["error"].is_null()
                && (table["summary"][action] != planned || table["withheld"][action] != withheld)
            {
                faults.push(format!("  {}: summary of {action} is wrong\n{}", name_of(table), run.told()));
            }
            total += planned;
        }
        if document["summary"][action] != total || document["replicas"][0]["summary"][action] != total {
            faults.push(format!("  the sum of {action} should be {total}\n{}", run.told()));
        }
    }
    for table in tables(document).filter(|table| table["status"] == "in_sync") {
        if table["digest"]["primary"] != table["digest"]["replica"] && table["excused"] == 0 {
            faults.push(format!("  {} is in sync with two digests\n{}", name_of(table), run.told()));
        }
    }
}

/// `apply` did what `plan` had said, and says so.
fn check_apply(plan: &Json, apply: &Run, complete: bool, faults: &mut Vec<String>) {
    let counts = ["schema_changes", "insert", "update", "delete"]
        .map(|name| (name, &plan["replicas"][0]["summary"][name]));
    let writes: u64 = counts.iter().filter_map(|(_, count)| count.as_u64()).sum();
    let outcome = match (writes, complete) {
        (0, true) => "in_sync",
        (0, false) => "drift",
        _ => "applied",
    };
    check_value(apply, "/replicas/0/outcome", &outcome.into(), faults);
    if writes > 0 {
        check_value(apply, "/replicas/0/verified", &true.into(), faults);
        for (name, count) in counts {
            check_value(apply, &format!("/replicas/0/applied/{name}"), count, faults);
        }
    }
}
