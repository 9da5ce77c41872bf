//! The JSON document, held against the sentences of its contract. What each kind of value looks like is tested
//! where it is written (`report/json_value`) and by the cases; this is about the document around them.

use serde_json::{Value as Json, json};

use crate::pair::Pair;

const T: &str = "CREATE TABLE t (id integer PRIMARY KEY, v text, w text);
    INSERT INTO t VALUES (1, 'a', 'x'), (2, 'b', 'y'), (3, 'c', 'z');";

fn drifted() -> Pair {
    let pair = Pair::sqlite("[t]", T);
    pair.primary.execute_script("INSERT INTO t VALUES (4, 'd', NULL)");
    pair.replica.execute_script("UPDATE t SET v = 'B' WHERE id = 2; INSERT INTO t VALUES (5, 'e', NULL)");
    pair
}

fn names(object: &Json) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// The only table of the only replica.
fn table(document: &Json) -> &Json {
    &document["replicas"][0]["tables"][0]
}

#[test]
fn the_document_has_the_fields_of_the_contract_in_their_order() {
    let document = drifted().document(&["plan", "spec.yml"], 0);
    assert_eq!(
        names(&document),
        [
            "format_version",
            "trueup_version",
            "command",
            "created_at",
            "primary",
            "replicas",
            "summary",
            "in_sync"
        ]
    );
    let replica = &document["replicas"][0];
    assert_eq!(
        names(replica),
        ["name", "engine", "version", "snapshot", "outcome", "refusals", "error", "tables", "summary"]
    );
    assert_eq!(
        names(table(&document)),
        [
            "table",
            "replica_table",
            "key",
            "columns",
            "status",
            "rows",
            "digest",
            "schema_changes",
            "summary",
            "withheld",
            "excused",
            "ranges",
            "causes",
            "changes",
            "error"
        ]
    );
    assert_eq!(document["format_version"], "1.0");
    assert_eq!(document["command"], "plan");
    assert_eq!(document["primary"]["engine"], "sqlite");
    assert_eq!((&replica["outcome"], &table(&document)["status"]), (&json!("drift"), &json!("drift")));
    let moment = document["created_at"].as_str().unwrap_or_default();
    assert!(moment.len() == 20 && moment.ends_with('Z'), "{moment}");
    assert_eq!(table(&document)["columns"][1], json!({"name": "v", "replica_name": "v", "domain": "text"}));
    assert_eq!(table(&document)["rows"], json!({"primary": 4, "replica": 4}));
    assert_eq!(names(&table(&document)["digest"]), ["primary", "replica", "method"]);
    let sums = json!({"schema_changes": 0, "insert": 1, "update": 1, "delete": 1});
    assert_eq!(replica["summary"], sums);
    assert_eq!(
        document["summary"],
        json!({"tables": 1, "in_sync": 0, "drift": 1, "error": 0,
               "schema_changes": 0, "insert": 1, "update": 1, "delete": 1})
    );
    assert_eq!(document["in_sync"], false);
}

#[test]
fn changes_stand_in_key_order_with_what_each_kind_needs() {
    let document = drifted().document(&["plan", "spec.yml"], 0);
    assert_eq!(
        table(&document)["changes"],
        json!([
            {"action": "update", "key": {"id": 2}, "before": {"v": "B"}, "after": {"v": "b"}},
            {"action": "insert", "key": {"id": 4}, "after": {"id": 4, "v": "d", "w": null}},
            {"action": "delete", "key": {"id": 5}, "before": {"id": 5, "v": "e", "w": null}},
        ])
    );
}

#[test]
fn text_keys_are_ordered_by_code_point() {
    let pair = Pair::sqlite("[t]", "CREATE TABLE t (id text NOT NULL PRIMARY KEY)");
    pair.primary
        .execute_script("INSERT INTO t VALUES ('é'), ('b'), ('B'), ('a'), ('_'), ('z'), ('🦀'), ('｡')");
    let document = pair.document(&["plan", "spec.yml"], 0);
    let changes = table(&document)["changes"].as_array().expect("an array");
    let keys: Vec<&str> = changes.iter().filter_map(|change| change["key"]["id"].as_str()).collect();
    assert_eq!(keys, ["B", "_", "a", "b", "z", "é", "｡", "🦀"]);
}

#[test]
fn tables_stand_in_the_order_of_the_spec() {
    let pair = Pair::sqlite(
        "[zebra, \"a*\", beta]",
        "CREATE TABLE a2 (id integer PRIMARY KEY); CREATE TABLE a1 (id integer PRIMARY KEY);
         CREATE TABLE beta (id integer PRIMARY KEY); CREATE TABLE zebra (id integer PRIMARY KEY);",
    );
    let document = pair.document(&["plan", "spec.yml"], 0);
    let tables = document["replicas"][0]["tables"].as_array().expect("an array");
    let tables: Vec<&str> = tables.iter().filter_map(|table| table["table"].as_str()).collect();
    assert_eq!(tables, ["zebra", "a1", "a2", "beta"]);
}

#[test]
fn names_are_those_of_the_primary_except_where_they_say_otherwise() {
    let pair = Pair::sqlite("[{ table: t, to: u, rename: { v: worth }, exclude_columns: [w] }]", T);
    pair.replica.execute_script(
        "CREATE TABLE u (id integer PRIMARY KEY, worth text, w text, v text);
         INSERT INTO u VALUES (1, 'a', NULL, NULL), (2, 'B', NULL, NULL), (9, 'i', 'extra', 'own')",
    );
    let document = pair.document(&["plan", "spec.yml"], 0);
    let table = table(&document);
    assert_eq!((&table["table"], &table["replica_table"]), (&json!("t"), &json!("u")));
    assert_eq!(table["columns"][1], json!({"name": "v", "replica_name": "worth", "domain": "text"}));
    let update = json!({"action": "update", "key": {"id": 2}, "before": {"v": "B"}, "after": {"v": "b"}});
    assert_eq!(table["changes"][0], update);
    assert_eq!(
        table["changes"][1]["after"],
        json!({"id": 3, "v": "c"}),
        "a column out of scope is not inserted"
    );
    // A delete loses every column of the row; one that bears the name of another in scope is told apart.
    let deleted = json!({"id": 9, "v": "i", "w": "extra", "v (replica)": "own"});
    assert_eq!(table["changes"][2]["before"], deleted);
}

#[test]
fn withheld_changes_are_marked_and_not_in_the_summary() {
    let pair = drifted();
    pair.tables("[{ table: t, delete: false, update: false }]");
    let document = pair.document(&["verify", "spec.yml", "--rows", "all"], 2);
    let table = table(&document);
    assert_eq!(table["summary"], json!({"insert": 1, "update": 0, "delete": 0}));
    assert_eq!(table["withheld"], json!({"insert": 0, "update": 1, "delete": 1}));
    let withheld: Vec<bool> = table["changes"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|change| change.get("withheld").is_some_and(|withheld| *withheld == json!(true)))
        .collect();
    assert_eq!(withheld, [true, false, true]);
}

#[test]
fn what_is_excused_is_counted_in_rows_and_a_table_with_nothing_else_is_in_sync() {
    let pair = Pair::sqlite("[{ table: t, compare: { v: { case: ignore }, w: ignore } }]", T);
    pair.replica
        .execute_script("UPDATE t SET v = 'A', w = 'W' WHERE id = 1; UPDATE t SET w = 'W' WHERE id = 3");
    let document = pair.document(&["verify", "spec.yml"], 0);
    assert_eq!(table(&document)["status"], "in_sync");
    assert_eq!(table(&document)["excused"], 1, "ignored columns are not compared and do not count");
    assert_eq!(document["in_sync"], true);
}

#[test]
fn rows_counts_those_in_scope() {
    let pair = drifted();
    pair.tables("[{ table: t, where: \"id < 3\" }]");
    let document = pair.document(&["plan", "spec.yml"], 0);
    assert_eq!(table(&document)["rows"], json!({"primary": 2, "replica": 2}));
}

#[test]
fn adjacent_ranges_are_merged_and_hold_every_change() {
    let pair = Pair::sqlite("[t]", "CREATE TABLE t (id integer PRIMARY KEY, v text)");
    let rows = |v: &str| {
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
             INSERT INTO t SELECT i, {v} FROM n"
        )
    };
    pair.primary.execute_script(&rows("'v'"));
    pair.replica.execute_script(&rows("CASE WHEN i BETWEEN 150 AND 349 OR i = 801 THEN 'w' ELSE 'v' END"));
    pair.replica.execute_script("INSERT INTO t VALUES (-7, 'extra'), (5000, 'extra')");
    let document = pair.document(&["plan", "spec.yml", "--chunk-rows", "100", "--jobs", "1"], 0);
    let table = table(&document);
    let ranges = table["ranges"].as_array().expect("an array");
    let bounds: Vec<(Option<i64>, Option<i64>)> =
        ranges.iter().map(|range| (range["from"]["id"].as_i64(), range["to"]["id"].as_i64())).collect();
    assert!(bounds.first().is_some_and(|first| first.0.is_none()), "{bounds:?}");
    assert!(bounds.last().is_some_and(|last| last.1.is_none()), "{bounds:?}");
    assert!(bounds.windows(2).all(|two| two[0].1 < two[1].0 && two[0].1.is_some()), "{bounds:?}");
    for change in table["changes"].as_array().expect("an array") {
        let id = change["key"]["id"].as_i64().expect("a number");
        let held = bounds
            .iter()
            .filter(|(from, to)| from.is_none_or(|from| from <= id) && to.is_none_or(|to| id < to));
        assert_eq!(held.count(), 1, "{id} in {bounds:?}");
    }
    for range in ranges {
        assert_eq!(names(range), ["from", "to", "primary_rows", "replica_rows"]);
    }
}

#[test]
fn a_missing_table_is_missing_and_its_creation_a_schema_change() {
    let pair = Pair::sqlite("[t]", "");
    pair.primary.execute_script(T);
    let document = pair.document(&["plan", "spec.yml"], 0);
    let table = table(&document);
    assert_eq!(table["status"], "missing");
    let change = &table["schema_changes"][0];
    assert_eq!(names(change), ["action", "object", "sql", "hazards", "withheld"]);
    assert_eq!((&change["action"], &change["object"]), (&json!("create_table"), &json!("t")));
    assert!(change["sql"][0].as_str().is_some_and(|sql| sql.starts_with("CREATE TABLE")), "{change}");
    assert_eq!((&change["hazards"], &change["withheld"]), (&json!([]), &json!(false)));
    assert_eq!(document["summary"]["drift"], 1);
    assert_eq!(document["summary"]["schema_changes"], 1);
}

#[test]
fn verify_writes_the_same_document_without_changes_unless_all_are_wanted() {
    let pair = drifted();
    let mut plan = pair.document(&["plan", "spec.yml"], 0);
    let mut all = pair.document(&["verify", "spec.yml", "--rows", "all"], 2);
    let short = pair.document(&["verify", "spec.yml", "--rows", "1"], 2);
    assert!(table(&short).get("changes").is_none());
    for document in [&mut plan, &mut all] {
        document["command"] = json!("either");
        document["created_at"] = json!("then");
    }
    assert_eq!(plan, all);
}

#[test]
fn plan_has_every_change_however_few_rows_text_would_show() {
    let pair = drifted();
    let document = pair.document(&["plan", "spec.yml", "--rows", "0"], 0);
    assert_eq!(table(&document)["changes"].as_array().map(Vec::len), Some(3));
}

#[test]
fn apply_says_what_was_done_for_each_replica_and_in_all() {
    let document = drifted().document(&["apply", "spec.yml", "-y"], 0);
    let replica = &document["replicas"][0];
    assert_eq!(replica["outcome"], "applied");
    let applied = json!({"schema_changes": 0, "insert": 1, "update": 1, "delete": 1, "already": 0});
    for place in [replica, &document] {
        assert_eq!(place["applied"], applied);
        assert_eq!(place["batches"], json!({"committed": 1, "of": 1}));
        assert_eq!(place["verified"], true);
    }
    assert_eq!(document["in_sync"], true, "it was seen to be equal after it was written");
    assert_eq!(table(&document)["changes"].as_array().map(Vec::len), Some(3));
}

#[test]
fn apply_without_the_check_knows_nothing_about_in_sync() {
    let document = drifted().document(&["apply", "spec.yml", "-y", "--no-verify"], 0);
    assert_eq!(document["replicas"][0]["outcome"], "applied");
    assert_eq!(document["verified"], Json::Null);
    assert_eq!(document["in_sync"], false);
}

#[test]
fn apply_with_nothing_to_write_is_in_sync_and_with_only_withheld_changes_drift() {
    let pair = Pair::sqlite("[t]", T);
    let document = pair.document(&["apply", "spec.yml", "-y"], 0);
    assert_eq!(document["replicas"][0]["outcome"], "in_sync");
    assert_eq!(document["batches"], json!({"committed": 0, "of": 0}));
    assert_eq!((&document["verified"], &document["in_sync"]), (&Json::Null, &json!(true)));
    pair.tables("[{ table: t, insert: false }]");
    pair.primary.execute_script("INSERT INTO t VALUES (4, 'd', NULL)");
    let document = pair.document(&["apply", "spec.yml", "-y"], 0);
    assert_eq!(document["replicas"][0]["outcome"], "drift");
    assert_eq!(document["in_sync"], false);
    // What is withheld stays different although all else was written and is equal.
    pair.replica.execute_script("DELETE FROM t WHERE id = 1; UPDATE t SET v = 'B' WHERE id = 2");
    let document = pair.document(&["apply", "spec.yml", "-y"], 0);
    assert_eq!(document["replicas"][0]["outcome"], "applied");
    assert_eq!(document["in_sync"], false);
}

#[test]
fn a_plan_that_would_be_refused_is_drift_and_apply_is_refused() {
    let pair = drifted();
    let refusals = json!([{"rule": "limits.deletes", "table": null, "limit": "0 rows", "found": "1 row"}]);
    let text = "limits: { deletes: 0 }\ntables: [t]\n";
    pair.spec(&format!(
        "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: \"${{REPLICA_URL}}\" }}\n{text}"
    ));
    let plan = pair.document(&["plan", "spec.yml"], 0);
    assert_eq!(plan["replicas"][0]["outcome"], "drift");
    assert_eq!(plan["replicas"][0]["refusals"], refusals);
    let apply = pair.document(&["apply", "spec.yml", "-y"], 3);
    assert_eq!(apply["replicas"][0]["outcome"], "refused");
    assert_eq!(apply["replicas"][0]["refusals"], refusals);
    assert_eq!(apply["replicas"][0]["applied"]["delete"], 0);
    assert_eq!(apply["in_sync"], false);
}

#[test]
fn what_could_not_be_told_is_null_and_an_error_with_a_kind() {
    let pair = drifted();
    pair.spec(
        "version: 1\nprimary: ${PRIMARY_URL}\nreplicas:\n  copy: ${REPLICA_URL}\n  \
         gone: postgres://nobody@127.0.0.1:1/nowhere\ntables: [t, nowhere]\n",
    );
    let document = pair.document(&["plan", "spec.yml"], 1);
    let (copy, gone) = (&document["replicas"][0], &document["replicas"][1]);
    assert_eq!((&copy["outcome"], &gone["outcome"]), (&json!("error"), &json!("error")));
    assert_eq!(gone["error"]["kind"], "connect");
    assert_eq!(gone["tables"], json!([]));
    assert_eq!((&gone["engine"], &gone["version"]), (&Json::Null, &Json::Null));
    let broken = &copy["tables"][1];
    assert_eq!((&broken["status"], &broken["error"]["kind"]), (&json!("error"), &json!("missing")));
    assert_eq!((&broken["rows"], &broken["digest"]), (&Json::Null, &Json::Null));
    assert_eq!(
        copy["tables"][0]["status"], "drift",
        "one failing table does not keep the others from being told"
    );
    assert_eq!(copy["summary"]["insert"], 1);
    assert_eq!(document["summary"]["error"], 1);
}

#[test]
fn a_look_that_stopped_early_says_so_and_counts_nothing_as_whole() {
    let pair = drifted();
    let document = pair.document(&["plan", "spec.yml", "--max-diffs", "2"], 0);
    let table = table(&document);
    assert_eq!((&table["truncated"], &table["status"]), (&json!(true), &json!("drift")));
    assert_eq!(table["changes"].as_array().map(Vec::len), Some(2));
    assert_eq!((&table["rows"], &table["digest"]), (&Json::Null, &Json::Null));
}

#[test]
fn nothing_stands_on_standard_output_where_nothing_could_be_looked_at() {
    let pair = drifted();
    for (args, spec) in [
        (&["plan", "spec.yml", "--format", "json"][..], "version: 2"),
        (&["plan", "spec.yml", "--format", "json", "--replica", "nobody"], ""),
        (&["plan", "spec.yml", "--format", "json", "--table", "nothing"], ""),
        (
            &["verify", "spec.yml", "--format", "json"],
            "version: 1\nprimary: sqlite:/nowhere/p.db\nreplicas: { a: sqlite:r.db }\ntables: [t]",
        ),
    ] {
        pair.tables("[t]");
        if !spec.is_empty() {
            pair.spec(spec);
        }
        let run = pair.exits(args, 1);
        assert!(run.stdout.is_empty() && !run.stderr.is_empty(), "{}", run.told());
    }
}
