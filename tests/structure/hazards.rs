//! What a structural change may cost is said with what was counted, and it is made only by leave.

use serde_json::{Value as Json, json};

use crate::pair::Pair;
use crate::servers::Engine;

/// `action object` of all structural changes of a document's replica, with their hazards' names and rows.
fn changes(document: &Json) -> Vec<(String, Vec<(String, Json)>)> {
    let tables = document["replicas"][0]["tables"].as_array().expect("there are tables");
    let changes = tables.iter().flat_map(|table| table["schema_changes"].as_array().into_iter().flatten());
    let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    let hazard = |hazard: &Json| (text(&hazard["name"]), hazard["rows"].clone());
    changes
        .map(|change| {
            let hazards = change["hazards"].as_array().expect("a list").iter().map(hazard).collect();
            (format!("{} {}", text(&change["action"]), text(&change["object"])), hazards)
        })
        .collect()
}

fn spec(pair: &Pair, more: &str) {
    pair.spec(&format!(
        "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: \"${{REPLICA_URL}}\" }}\n{more}tables: [t]\n"
    ));
}

/// A replica with an index that the primary lacks, and a row that differs.
fn with_an_index(engine: Engine) -> Pair {
    let pair = Pair::new(engine, engine);
    pair.both("CREATE TABLE t (id integer PRIMARY KEY, v varchar(20)); INSERT INTO t VALUES (1, 'a');");
    pair.replica.execute_script("CREATE INDEX t_by_v ON t (v);");
    pair.primary.execute_script("UPDATE t SET v = 'b';");
    spec(&pair, "");
    pair
}

#[test]
fn what_is_not_allowed_is_refused_as_a_whole() {
    for engine in Engine::all() {
        let pair = with_an_index(engine);
        let planned = pair.document(&["plan", "spec.yml", "--detailed-exitcode"], 2);
        let dropped = ("drop_index t.t_by_v".to_owned(), vec![("INDEX_DROPPED".to_owned(), Json::Null)]);
        assert_eq!(changes(&planned), [dropped], "{}", engine.name());
        assert_eq!(planned["replicas"][0]["refusals"][0]["rule"], "INDEX_DROPPED", "{}", engine.name());
        let refused = pair.document(&["apply", "spec.yml", "-y"], 3);
        assert_eq!(refused["replicas"][0]["outcome"], "refused");
        assert_eq!(pair.replica.query("SELECT v FROM t")[0][0].as_deref(), Some("a"), "{}", engine.name());
        pair.document(&["apply", "spec.yml", "-y", "--allow", "CONSTRAINT_DROPPED"], 3);
        let applied = pair.document(&["apply", "spec.yml", "-y", "--allow", "INDEX_DROPPED"], 0);
        assert_eq!(applied["applied"]["schema_changes"], 1, "{}", engine.name());
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    }
}

#[test]
fn the_spec_gives_leave_too() {
    for allow in ["allow: [INDEX_DROPPED]\n", "allow: [all]\n"] {
        let pair = with_an_index(Engine::Postgres);
        spec(&pair, allow);
        pair.exits(&["apply", "spec.yml", "-y"], 0);
    }
    let pair = with_an_index(Engine::Sqlite);
    spec(&pair, "allow: [INDEX_DROPED]\n");
    let wrong = pair.exits(&["plan", "spec.yml"], 1);
    assert!(wrong.stderr.contains("spec.yml:4:9") && wrong.stderr.contains("did you mean `INDEX_DROPPED`?"));
    let unknown = pair.exits(&["apply", "spec.yml", "--allow", "DROPS"], 1);
    assert!(unknown.stderr.contains("INDEX_DROPPED"), "{}", unknown.told());
}

#[test]
fn a_column_that_only_the_replica_has_goes_by_leave_alone() {
    for engine in Engine::all() {
        let pair = Pair::new(engine, engine);
        pair.primary
            .execute_script("CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t VALUES (1), (2);");
        pair.replica.execute_script(
            "CREATE TABLE t (id integer PRIMARY KEY, note varchar(20)); INSERT INTO t VALUES (1, 'kept'), (2, NULL);",
        );
        spec(&pair, "");
        let planned = pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
        assert!(planned.stdout.contains("note stays: only the replica has it"), "{}", planned.told());
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        assert_eq!(pair.replica.query("SELECT note FROM t WHERE id = 1")[0][0].as_deref(), Some("kept"));
        spec(&pair, "allow: [DELETES_DATA]\n");
        let planned = pair.document(&["plan", "spec.yml"], 0);
        let dropped = ("drop_column t.note".to_owned(), vec![("DELETES_DATA".to_owned(), json!(1))]);
        assert_eq!(changes(&planned), [dropped], "{}", engine.name());
        pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());
    }
}

#[test]
fn a_limit_that_shrinks_says_how_many_values_are_longer() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let pair = Pair::new(engine, engine);
        pair.primary.execute_script("CREATE TABLE t (id integer PRIMARY KEY, v varchar(3)); INSERT INTO t VALUES (1, 'abc'), (2, 'x');");
        pair.replica.execute_script(
            "CREATE TABLE t (id integer PRIMARY KEY, v varchar(30)); INSERT INTO t VALUES (1, 'abcdef'), (2, 'x');",
        );
        spec(&pair, "");
        let planned = pair.document(&["plan", "spec.yml"], 0);
        let narrowing = changes(&planned).into_iter().flat_map(|(_, hazards)| hazards);
        let narrowing: Vec<_> = narrowing.filter(|(name, _)| name == "NARROWS_TYPE").collect();
        assert_eq!(narrowing, [("NARROWS_TYPE".to_owned(), json!(1))], "{}", engine.name());
        pair.exits(&["apply", "spec.yml", "-y"], 3);
        pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());
    }
}

#[test]
fn what_is_only_checked_is_reported_and_left() {
    for engine in Engine::all() {
        let pair = with_an_index(engine);
        pair.tables("[{ table: t, schema: check }]");
        let planned = pair.document(&["plan", "spec.yml"], 0);
        assert_eq!(planned["replicas"][0]["tables"][0]["schema_changes"][0]["withheld"], true);
        let applied = pair.document(&["apply", "spec.yml", "-y"], 0);
        assert_eq!(applied["applied"]["schema_changes"], 0, "{}", engine.name());
        let planned = pair.document(&["plan", "spec.yml", "--detailed-exitcode"], 2);
        assert_eq!(changes(&planned).len(), 1, "{}: it is drift still", engine.name());
        pair.tables("[{ table: t, schema: ignore }]");
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    }
}
