//! Snapshots of both forms of hand-made plans.

use super::samples::{applied, drifting, empty_plan, in_sync, orders, plan};
use super::{Command, Format, Paint, Reading, Report, Rows};
use crate::failure::{ErrorKind, Failure};
use crate::plan::{
    Applied, Commit, Hazard, Outcome, Plan, PlanKind, ReplicaPlan, SchemaAction, SchemaChange, TablePlan,
};
use crate::schema::TablePair;

fn json(report: &Report<'_>) -> String {
    let mut out = Vec::new();
    report.json(&mut out).unwrap();
    let _: serde_json::Value = serde_json::from_slice(&out).expect("it is JSON");
    String::from_utf8(out).unwrap()
}

fn text(report: &Report<'_>) -> String {
    let mut out = Vec::new();
    report.text(Paint::Plain, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Only the first replica, in sync.
fn equal() -> Plan {
    let eu =
        ReplicaPlan { tables: vec![in_sync("users")], refusals: Vec::new(), ..plan().replicas[0].clone() };
    Plan { replicas: vec![eu], ..empty_plan() }
}

#[test]
fn the_document_of_plan() {
    insta::assert_snapshot!(json(&Report::new(Command::Plan, &plan())), @r#"
    {
      "format_version": "1.0",
      "trueup_version": "0.1.0",
      "command": "plan",
      "created_at": "2026-11-22T06:00:00Z",
      "primary": {"engine": "postgres", "version": "15.18", "snapshot": "an exported snapshot"},
      "replicas": [
        {
          "name": "eu",
          "engine": "mariadb",
          "version": "10.11.19",
          "snapshot": "one connection",
          "outcome": "drift",
          "refusals": [
            {"rule": "limits.deletes", "table": "public.orders", "limit": "10%", "found": "120 of 999 rows to delete"}
          ],
          "error": null,
          "tables": [
            {
              "table": "public.orders",
              "replica_table": "shop.orders",
              "key": ["id", "line"],
              "columns": [
                {"name": "id", "replica_name": "id", "domain": "integer"},
                {"name": "line", "replica_name": "line", "domain": "text"},
                {"name": "total", "replica_name": "amount total", "domain": "decimal"},
                {"name": "note", "replica_name": "note", "domain": "text"},
                {"name": "placed", "replica_name": "placed", "domain": "instant"},
                {"name": "due", "replica_name": "due", "domain": "date"},
                {"name": "paid", "replica_name": "paid", "domain": "boolean"},
                {"name": "scan", "replica_name": "scan", "domain": "bytes"},
                {"name": "extra", "replica_name": "extra", "domain": "json"}
              ],
              "status": "drift",
              "rows": {"primary": 1000, "replica": 999},
              "digest": {"primary": "0101010101010101010101010101010101010101010101010101010101010101", "replica": "0202020202020202020202020202020202020202020202020202020202020202", "method": "blake3"},
              "schema_changes": [
                {"action": "add_column", "object": "shop.orders.note", "sql": ["ALTER TABLE \"orders\" ADD COLUMN \"note\" text"], "hazards": [], "withheld": false}
              ],
              "summary": {"insert": 1, "update": 1, "delete": 1},
              "withheld": {"insert": 0, "update": 1, "delete": 0},
              "excused": 3,
              "ranges": [
                {"from": null, "to": {"id": 200, "line": "a"}, "primary_rows": 1100, "replica_rows": 99},
                {"from": {"id": 400, "line": "a"}, "to": {"id": 500, "line": "a"}, "primary_rows": 1, "replica_rows": 2}
              ],
              "causes": [],
              "changes": [
                {"action": "insert", "key": {"id": 150, "line": "a\u001b"}, "after": {"id": 150, "line": "a\u001b", "total": "9.50", "note": "line\nfeed \"quoted\"", "placed": "2026-11-22T12:34:56.500000Z", "due": "2026-12-01", "paid": true, "scan": {"base64": "AAEC"}, "extra": {"json": {"gift":true}}}},
                {"action": "update", "key": {"id": 151, "line": "a\u001b"}, "before": {"total": "1.000", "note": "Please leave the parcel with the neighbours on the second floor", "paid": true}, "after": {"total": "2.00", "note": "Please leave the parcel with the neighbors on the second floor", "paid": null}},
                {"action": "update", "key": {"id": 152, "line": "a\u001b"}, "before": {"note": ""}, "after": {"note": "x"}, "withheld": true},
                {"action": "delete", "key": {"id": "1152921504606846976", "line": "a\u001b"}, "before": {"id": "1152921504606846976", "line": "a\u001b", "total": "3.000", "note": "", "placed": "2026-11-22T12:34:56.500000Z", "due": "2026-12-01", "paid": null, "scan": {"base64": "AAEC"}, "extra": {"json": {"gift":true}}, "total (replica)": "old"}}
              ],
              "error": null
            },
            {
              "table": "users",
              "replica_table": "users",
              "key": null,
              "columns": null,
              "status": "in_sync",
              "rows": {"primary": 12, "replica": 12},
              "digest": null,
              "schema_changes": [],
              "summary": {"insert": 0, "update": 0, "delete": 0},
              "withheld": {"insert": 0, "update": 0, "delete": 0},
              "excused": 0,
              "ranges": [],
              "causes": [],
              "changes": [],
              "error": null
            },
            {
              "table": "countries",
              "replica_table": "countries",
              "key": null,
              "columns": null,
              "status": "in_sync",
              "rows": {"primary": 12, "replica": 12},
              "digest": null,
              "schema_changes": [],
              "summary": {"insert": 0, "update": 0, "delete": 0},
              "withheld": {"insert": 0, "update": 0, "delete": 0},
              "excused": 0,
              "ranges": [],
              "causes": [],
              "changes": [],
              "error": null
            }
          ],
          "summary": {"schema_changes": 1, "insert": 1, "update": 1, "delete": 1}
        },
        {
          "name": "edge",
          "engine": null,
          "version": null,
          "snapshot": "one connection",
          "outcome": "error",
          "refusals": [],
          "error": {"kind": "connect", "message": "could not connect to db.edge:3306: refused"},
          "tables": [
            {
              "table": "billing",
              "replica_table": "billing",
              "key": null,
              "columns": null,
              "status": "error",
              "rows": null,
              "digest": null,
              "schema_changes": [],
              "summary": {"insert": 0, "update": 0, "delete": 0},
              "withheld": {"insert": 0, "update": 0, "delete": 0},
              "excused": 0,
              "ranges": [],
              "causes": [],
              "changes": [],
              "error": {"kind": "value", "message": "table billing, id 42: column due: invalid input 'tomorrow'"}
            }
          ],
          "summary": {"schema_changes": 0, "insert": 0, "update": 0, "delete": 0}
        }
      ],
      "summary": {"tables": 4, "in_sync": 2, "drift": 1, "error": 1, "schema_changes": 1, "insert": 1, "update": 1, "delete": 1},
      "in_sync": false
    }
    "#);
}

#[test]
fn the_document_of_apply_says_what_was_done() {
    let (plan, applied) = (plan(), applied());
    let report = Report { applied: Some(&applied), only: Some(1), ..Report::new(Command::Apply, &plan) };
    insta::assert_snapshot!(json(&report), @r#"
    {
      "format_version": "1.0",
      "trueup_version": "0.1.0",
      "command": "apply",
      "created_at": "2026-11-22T06:00:00Z",
      "primary": {"engine": "postgres", "version": "15.18", "snapshot": "an exported snapshot"},
      "replicas": [
        {
          "name": "edge",
          "engine": null,
          "version": null,
          "snapshot": "one connection",
          "outcome": "stale",
          "refusals": [],
          "error": {"kind": "connect", "message": "could not connect to db.edge:3306: refused"},
          "tables": [
            {
              "table": "billing",
              "replica_table": "billing",
              "key": null,
              "columns": null,
              "status": "error",
              "rows": null,
              "digest": null,
              "schema_changes": [],
              "summary": {"insert": 0, "update": 0, "delete": 0},
              "withheld": {"insert": 0, "update": 0, "delete": 0},
              "excused": 0,
              "ranges": [],
              "causes": [],
              "changes": [],
              "error": {"kind": "value", "message": "table billing, id 42: column due: invalid input 'tomorrow'"}
            }
          ],
          "summary": {"schema_changes": 0, "insert": 0, "update": 0, "delete": 0},
          "applied": {"schema_changes": 0, "insert": 0, "update": 0, "delete": 0, "already": 0},
          "batches": {"committed": 0, "of": 3},
          "verified": null
        }
      ],
      "summary": {"tables": 1, "in_sync": 0, "drift": 0, "error": 1, "schema_changes": 0, "insert": 0, "update": 0, "delete": 0},
      "applied": {"schema_changes": 0, "insert": 0, "update": 0, "delete": 0, "already": 0},
      "batches": {"committed": 0, "of": 3},
      "verified": null,
      "in_sync": false
    }
    "#);
    let all = Report { only: None, ..report };
    let document: serde_json::Value = serde_json::from_str(&json(&all)).unwrap();
    assert_eq!(document["applied"]["insert"], 1);
    assert_eq!(document["batches"], serde_json::json!({"committed": 1, "of": 4}));
    assert_eq!(document["verified"], serde_json::Value::Null);
    assert_eq!(document["replicas"][0]["verified"], true);
    assert_eq!(document["in_sync"], false);
}

#[test]
fn verify_has_no_changes_unless_all_are_wanted() {
    let plan = plan();
    let verify = Report::new(Command::Verify, &plan);
    assert!(!json(&verify).contains("\"changes\""));
    assert!(json(&Report { rows: Rows::All, ..verify }).contains("\"changes\""));
}

#[test]
fn redacted_output_has_keys_and_names_but_no_values() {
    let plan = plan();
    let report = Report { redact: true, ..Report::new(Command::Plan, &plan) };
    for shown in [json(&report), text(&report)] {
        for secret in ["neighbo", "9.50", "old", "gift", "tomorrow", "refused\"", "2026-12-01"] {
            assert!(!shown.contains(secret), "{secret} in\n{shown}");
        }
        for name in ["151", "note", "billing, id 42: column due"] {
            assert!(shown.contains(name), "no {name} in\n{shown}");
        }
    }
    insta::assert_snapshot!(text(&Report { only: Some(0), ..report }), @r#"
    Comparing 3 tables.

    Primary
      postgres 15.18 · postgres://db/shop
      snapshot: an exported snapshot

    Replica eu
      mariadb 10.11.19 · mysql://trueup@db.eu/shop
      snapshot: one connection

      # public.orders (shop.orders on the replica) differs in 4 rows
        1,000 rows on the primary, 999 on the replica; 3 rows differ only in what the spec excuses

        Differing ranges:
          id, line before (200, "a"): 1,100 rows on the primary, 99 on the replica
          id, line from (400, "a") to before (500, "a"): 1 row on the primary, 2 on the replica

        + add column shop.orders.note
          +note text

          + id = 150, line = "a\u{1b}"
          ~ id = 151, line = "a\u{1b}"  total, note, paid
          ~ id = 152, line = "a\u{1b}"  note (withheld)
          - id = 1152921504606846976, line = "a\u{1b}"

      2 tables in sync (24 rows): users, countries

      would be refused: table public.orders: limits.deletes, 120 of 999 rows to delete (allowed: 10%, more with --max-deletes)

    Plan: 1 schema change, 1 row to insert, 1 to update, 1 to delete.
    Withheld: 1 row to update; the spec says not to write them.
    "#);
}

#[test]
fn the_text_of_plan() {
    let plan = plan();
    let report = Report {
        reading: Some(Reading { tables: 4, rows_estimate: Some(12_345) }),
        ..Report::new(Command::Plan, &plan)
    };
    insta::assert_snapshot!(text(&report), @r#"
    Comparing 4 tables, about 12,345 rows on both sides.

    Primary
      postgres 15.18 · postgres://db/shop
      snapshot: an exported snapshot

    Replica eu
      mariadb 10.11.19 · mysql://trueup@db.eu/shop
      snapshot: one connection

      # public.orders (shop.orders on the replica) differs in 4 rows
        1,000 rows on the primary, 999 on the replica; 3 rows differ only in what the spec excuses

        Differing ranges:
          id, line before (200, "a"): 1,100 rows on the primary, 99 on the replica
          id, line from (400, "a") to before (500, "a"): 1 row on the primary, 2 on the replica

        + add column shop.orders.note
          +note text

          + id = 150, line = "a\u{1b}"  total: 9.50, note: "line\nfeed \"quoted\"", placed: 2026-11-22T12:34:56.500000Z, due: 2026-12-01, paid: true, scan: x'000102', extra: {"gift":true}
          ~ id = 151, line = "a\u{1b}"
              total: 1.000 -> 2.00
              note:  "… parcel with the neighbo[-u-]rs on the second floor" (63 characters) -> "… parcel with the neighbors on the second floor" (62 characters)
              paid:  true -> NULL
          ~ id = 152, line = "a\u{1b}"  note: "" -> "x" (withheld)
          - id = 1152921504606846976, line = "a\u{1b}"  total: 3.000, note: "", placed: 2026-11-22T12:34:56.500000Z, due: 2026-12-01, paid: NULL, scan: x'000102', extra: {"gift":true}, total (replica): "old"

      2 tables in sync (24 rows): users, countries

      would be refused: table public.orders: limits.deletes, 120 of 999 rows to delete (allowed: 10%, more with --max-deletes)

    Replica edge
      Error: could not connect to db.edge:3306: refused

      # billing could not be compared
        Error: table billing, id 42: column due: invalid input 'tomorrow'
        hint: correct the row

    eu: 1 schema change, 1 row to insert, 1 to update, 1 to delete.
    edge: Error: it could not be looked at.
    Plan: 1 schema change, 1 row to insert, 1 to update, 1 to delete.
    Withheld: 1 row to update; the spec says not to write them.
    Error: 1 replica and 1 table could not be compared.
    "#);
}

#[test]
fn rows_are_cut() {
    let plan = plan();
    let report = Report { rows: Rows::AtMost(1), only: Some(0), ..Report::new(Command::Verify, &plan) };
    insta::assert_snapshot!(text(&report), @r#"
    Comparing 3 tables.

    Primary
      postgres 15.18 · postgres://db/shop
      snapshot: an exported snapshot

    Replica eu
      mariadb 10.11.19 · mysql://trueup@db.eu/shop
      snapshot: one connection

      # public.orders (shop.orders on the replica) differs in 4 rows
        1,000 rows on the primary, 999 on the replica; 3 rows differ only in what the spec excuses

        Differing ranges:
          id, line before (200, "a"): 1,100 rows on the primary, 99 on the replica
          … and 1 more range

        + add column shop.orders.note
          +note text

          + id = 150, line = "a\u{1b}"  total: 9.50, note: "line\nfeed \"quoted\"", placed: 2026-11-22T12:34:56.500000Z, due: 2026-12-01, paid: true, scan: x'000102', extra: {"gift":true}
          … and 1 more row to update, 1 to delete
          … and 1 more row to update (withheld)

      2 tables in sync (24 rows): users, countries

      would be refused: table public.orders: limits.deletes, 120 of 999 rows to delete (allowed: 10%, more with --max-deletes)

    Drift: 1 schema change, 1 row to insert, 1 to update, 1 to delete.
    Withheld: 1 row to update; the spec says not to write them.
    "#);
}

#[test]
fn the_text_of_apply() {
    let (plan, applied) = (plan(), applied());
    let report = Report { applied: Some(&applied), ..Report::new(Command::Apply, &plan) };
    let mut out = Vec::new();
    report.text_applied(Paint::Plain, &mut out).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
    eu: Apply complete! 1 row inserted, 1 updated, 1 deleted, 1 schema change.
    eu: 2 changes were there already.
    eu: Verified: the rows written equal the primary.
    edge: Not applied (stale).
    edge: Nothing was written.
    edge: Error: a row of users changed since the plan: id = 5
    "#);
}

#[test]
fn in_sync_is_said_of_whole_tables_only() {
    let plan = equal();
    let report = Report::new(Command::Plan, &plan);
    assert!(text(&report).ends_with("\nNo changes. The replica matches the primary.\n"));
    assert!(json(&report).ends_with("\"in_sync\": true\n}\n"));
    let mut stopped = plan.clone();
    stopped.replicas[0].tables[0].truncated = true;
    stopped.replicas[0].tables[0].status = stopped.replicas[0].tables[0].status_found();
    let report = Report::new(Command::Plan, &stopped);
    assert!(!text(&report).contains("No changes"));
    assert!(json(&report).ends_with("\"in_sync\": false\n}\n"));
}

/// A table of which a condition and eight of ten columns are in scope.
fn in_part(name: &str) -> TablePlan {
    let filter = "placed >= '2026-01-01'\n  AND note <> 'a`b|c'";
    let pair =
        TablePair { filter: Some(filter.into()), columns_out_of_scope: 1, compared_columns: 8, ..orders() };
    TablePlan { pair: Some(pair), excused: 0, ..in_sync(name) }
}

#[test]
fn of_a_table_in_part_nobody_says_more() {
    let mut plan = equal();
    plan.replicas[0].tables.extend([in_part("orders"), TablePlan { excused: 2, ..in_part("lines") }]);
    let report = Report::new(Command::Verify, &plan);
    insta::assert_snapshot!(text(&report), @r#"
    Comparing 3 tables.

    Primary
      postgres 15.18 · postgres://db/shop
      snapshot: an exported snapshot

    Replica eu
      mariadb 10.11.19 · mysql://trueup@db.eu/shop
      snapshot: one connection

      # lines is in sync in scope
        12 rows on the primary, 12 on the replica; 2 rows differ only in what the spec excuses
        In scope: where placed >= '2026-01-01' AND note <> 'a`b|c', 8 of 10 columns

      1 table in sync (12 rows): users

      orders in sync in scope (12 rows): where placed >= '2026-01-01' AND note <> 'a`b|c', 8 of 10 columns

    No changes. The replica matches the primary in what was compared: 3 tables, 2 of them in part.
    "#);
    insta::assert_snapshot!(written(&report, Format::Markdown), @r#"
    ## trueup verify: in sync

    **No changes.** The replica matches the primary in what was compared: 3 tables, 2 of them in part.

    ### Replica `eu`: in sync

    `postgres 15.18` → `mariadb 10.11.19`

    | Table | Status | Rows on the primary | on the replica | Insert | Update | Delete | Schema | Withheld | Excused |
    | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
    | `users` | in sync | 12 | 12 | 0 | 0 | 0 | 0 | 0 | 0 |
    | `orders` | in sync in scope | 12 | 12 | 0 | 0 | 0 | 0 | 0 | 0 |
    | `lines` | in sync in scope | 12 | 12 | 0 | 0 | 0 | 0 | 0 | 2 |

    In scope:

    - `orders`: <code>where placed &#62;= '2026-01-01' AND note &#60;&#62; 'a&#96;b&#124;c', 8 of 10 columns</code>
    - `lines`: <code>where placed &#62;= '2026-01-01' AND note &#60;&#62; 'a&#96;b&#124;c', 8 of 10 columns</code>

    <sub>trueup 0.1.0 · 2026-11-22T06:00:00Z</sub>
    "#);
    insta::assert_snapshot!(written(&report, Format::Junit), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="trueup verify" tests="3" failures="0" errors="0">
      <testsuite name="eu" tests="3" failures="0" errors="0" skipped="0" timestamp="2026-11-22T06:00:00">
        <properties>
          <property name="primary" value="postgres 15.18"/>
          <property name="replica" value="mariadb 10.11.19"/>
          <property name="excused" value="2"/>
        </properties>
        <testcase name="users" classname="eu"/>
        <testcase name="orders" classname="eu">
          <system-out>in scope: where placed &gt;= '2026-01-01' AND note &lt;&gt; 'a`b|c', 8 of 10 columns</system-out>
        </testcase>
        <testcase name="lines" classname="eu">
          <system-out>in scope: where placed &gt;= '2026-01-01' AND note &lt;&gt; 'a`b|c', 8 of 10 columns; 2 rows differ only in what the spec excuses</system-out>
        </testcase>
      </testsuite>
    </testsuites>
    "#);
    let redacted = Report { redact: true, tables_chosen: true, ..report };
    for format in [Format::Text, Format::Markdown, Format::Junit] {
        assert!(!written(&redacted, format).contains("2026-01-01"), "{}", written(&redacted, format));
    }
    let end = "matches the primary in what was compared: 3 tables (--table), 2 of them in part.\n";
    assert!(text(&redacted).ends_with(end), "{}", text(&redacted));
}

#[test]
fn an_error_of_the_primary_is_told_once() {
    let mut plan = plan();
    let error =
        Failure::new(ErrorKind::Missing, "spec.yml:2:10: could not read the structure of the primary")
            .hint("look");
    plan.primary_snapshot.clear();
    plan.primary_error = Some(error.clone());
    plan.replicas.push(ReplicaPlan { name: "us".into(), ..plan.replicas[0].clone() });
    for replica in &mut plan.replicas {
        replica.tables.clear();
        replica.refusals.clear();
        replica.error.get_or_insert(error.clone());
    }
    let report = Report::new(Command::Plan, &plan);
    insta::assert_snapshot!(text(&report), @r#"
    Primary
      postgres 15.18 · postgres://db/shop
      Error: spec.yml:2:10: could not read the structure of the primary
      hint: look

    Replica edge
      Error: could not connect to db.edge:3306: refused

    Error: the primary could not be looked at, so nothing was compared.
    "#);
    insta::assert_snapshot!(written(&report, Format::Markdown), @r#"
    ## trueup plan: error

    **Error:** the primary could not be looked at, so nothing was compared.

    **Error:** `spec.yml:2:10: could not read the structure of the primary`
    <br>hint: `look`

    ### Replica `eu`: error

    `postgres 15.18` → `mariadb 10.11.19`

    ### Replica `edge`: error

    **Error:** `could not connect to db.edge:3306: refused`

    ### Replica `us`: error

    `postgres 15.18` → `mariadb 10.11.19`

    <sub>trueup 0.1.0 · 2026-11-22T06:00:00Z</sub>
    "#);
    assert_eq!(
        report.failures().len(),
        2,
        "the primary's, and that of the replica that could not be reached"
    );
    assert_eq!(json(&report).matches("could not read the structure").count(), 3, "{}", json(&report));
}

#[test]
fn all_that_stands_in_the_way_of_a_table_is_told() {
    let of = |message: &str| Failure::new(ErrorKind::Missing, message);
    let unknown =
        TablePlan::unknown("multi", "multi").failed_by(vec![of("no column a").hint("b?"), of("no column z")]);
    let unwritable = drifting().failed(of("table orders, column note: too long").key("id = 5"));
    let eu =
        ReplicaPlan { tables: vec![unknown, unwritable], refusals: Vec::new(), ..plan().replicas[0].clone() };
    let plan = Plan { replicas: vec![eu], ..empty_plan() };
    let nothing = [Applied::nothing(Outcome::Error, None)];
    let report =
        Report { applied: Some(&nothing), rows: Rows::AtMost(0), ..Report::new(Command::Apply, &plan) };
    insta::assert_snapshot!(text(&report), @r#"
    Comparing 2 tables.

    Primary
      postgres 15.18 · postgres://db/shop
      snapshot: an exported snapshot

    Replica eu
      mariadb 10.11.19 · mysql://trueup@db.eu/shop
      snapshot: one connection

      # multi could not be compared
        Error: no column a
        hint: b?
        Error: no column z

      # public.orders (shop.orders on the replica) cannot be written
        Error: table orders, column note: too long: id = 5
        2 differing ranges

        + add column shop.orders.note
          +note text

        1 row to insert, 1 to update, 1 to delete
        1 row to update (withheld)

    Withheld: 1 row to update; the spec says not to write them.
    Error: 1 table could not be compared; 1 table cannot be written.
    Not applied (error).
    Nothing was written.
    "#);
    let json = json(&report);
    assert!(json.contains(r#""further_errors": ["#) && json.contains("no column z"), "{json}");
    let junit = written(&report, Format::Junit);
    assert!(junit.contains(r#"message="no column a&#10;no column z""#), "{junit}");
}

#[test]
fn partial_is_named_where_it_would_help() {
    let broken = TablePlan::unknown("t", "t").failed(Failure::new(ErrorKind::Missing, "no such table"));
    let eu =
        ReplicaPlan { tables: vec![broken, drifting()], refusals: Vec::new(), ..plan().replicas[0].clone() };
    let plan = Plan { replicas: vec![eu], ..empty_plan() };
    let nothing = [Applied::nothing(Outcome::Error, None)];
    let report = Report { applied: Some(&nothing), ..Report::new(Command::Apply, &plan) };
    assert!(text(&report).contains("; --partial writes the rest."), "{}", text(&report));
    let lost = [Applied::nothing(Outcome::Error, Some(Failure::new(ErrorKind::Connect, "it went away")))];
    let report = Report { applied: Some(&lost), ..report };
    assert!(!text(&report).contains("--partial"), "{}", text(&report));
}

#[test]
fn what_is_undone_is_not_held_against_the_primary() {
    let eu = ReplicaPlan {
        tables: vec![drifting(), in_sync("users"), in_part("lines")],
        refusals: Vec::new(),
        ..plan().replicas[0].clone()
    };
    let plan = Plan { kind: PlanKind::Undo, replicas: vec![eu], ..empty_plan() };
    let report = Report { rows: Rows::AtMost(0), ..Report::new(Command::Show, &plan) };
    insta::assert_snapshot!(text(&report), @r#"
    Saved plan that undoes one made from spec.yml at 2026-11-22T06:00:00Z.

    Replica eu
      mariadb 10.11.19 · mysql://trueup@db.eu/shop

      # public.orders (shop.orders on the replica) changes in 4 rows
        999 rows before this, 1,000 after it; 3 rows differ only in what the spec excuses
        2 differing ranges

        + add column shop.orders.note
          +note text

        1 row to insert, 1 to update, 1 to delete
        1 row to update (withheld)

      2 tables left as they are: users, lines

    Plan: 1 schema change, 1 row to insert, 1 to update, 1 to delete.
    Withheld: 1 row to update; the spec says not to write them.
    "#);
    let markdown = written(&report, Format::Markdown);
    assert!(!markdown.contains("on the replica;") && !markdown.contains("in sync"), "{markdown}");
}

#[test]
fn colour_only_adds_escapes() {
    let plan = plan();
    let report = Report::new(Command::Plan, &plan);
    let mut coloured = Vec::new();
    report.text(Paint::Colour, &mut coloured).unwrap();
    let coloured = String::from_utf8(coloured).unwrap();
    assert!(coloured.contains("\u{1b}[32m"));
    let plain: String =
        coloured.split('\u{1b}').map(|part| part.split_once('m').map_or(part, |(_, rest)| rest)).collect();
    assert_eq!(plain.replace("[-", "").lines().count(), text(&report).lines().count());
}

fn written(report: &Report<'_>, format: Format) -> String {
    let mut out = Vec::new();
    report.write(format, Paint::Plain, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_markdown_of_plan() {
    let plan = plan();
    insta::assert_snapshot!(written(&Report::new(Command::Plan, &plan), Format::Markdown), @r#"
    ## trueup plan: error

    **Plan:** 1 schema change, 1 row to insert, 1 to update, 1 to delete.

    **Withheld:** 1 row to update; the spec says not to write them.

    **Error:** 1 replica and 1 table could not be compared.

    ### Replica `eu`: drift

    `postgres 15.18` → `mariadb 10.11.19`

    **Would be refused:** `table public.orders: limits.deletes, 120 of 999 rows to delete (allowed: 10%, more with --max-deletes)`

    | Table | Status | Rows on the primary | on the replica | Insert | Update | Delete | Schema | Withheld | Excused |
    | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
    | `public.orders` → `shop.orders` | **drift** | 1,000 | 999 | 1 | 1 | 1 | 1 | 1 | 3 |
    | `users` | in sync | 12 | 12 | 0 | 0 | 0 | 0 | 0 | 0 |
    | `countries` | in sync | 12 | 12 | 0 | 0 | 0 | 0 | 0 | 0 |

    <details>
    <summary><code>public.orders</code> differs in 4 rows: 1 schema change, 1 row to insert, 1 to update, 1 to delete; withheld: 1 row to update</summary>

    1,000 rows on the primary, 999 on the replica; 3 rows differ only in what the spec excuses

    ```diff
    + add column shop.orders.note
    +     note text
    + id = 150, line = "a\u{1b}"  total: 9.50, note: "line\nfeed \"quoted\"", placed: 2026-11-22T12:34:56.500000Z, due: 2026-12-01, paid: true, scan: x'000102', extra: {"gift":true}
    ! id = 151, line = "a\u{1b}"
    -     total: 1.000
    +     total: 2.00
    -     note: "… parcel with the neighbo[-u-]rs on the second floor" (63 characters)
    +     note: "… parcel with the neighbors on the second floor" (62 characters)
    -     paid: true
    +     paid: NULL
    ! id = 152, line = "a\u{1b}" (withheld)
    -     note: ""
    +     note: "x"
    - id = 1152921504606846976, line = "a\u{1b}"  total: 3.000, note: "", placed: 2026-11-22T12:34:56.500000Z, due: 2026-12-01, paid: NULL, scan: x'000102', extra: {"gift":true}, total (replica): "old"
    ```

    </details>

    ### Replica `edge`: error

    **Error:** `could not connect to db.edge:3306: refused`

    | Table | Status | Rows on the primary | on the replica | Insert | Update | Delete | Schema | Withheld | Excused |
    | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
    | `billing` | **error** | – | – | – | – | – | 0 | – | – |

    **`billing` could not be compared:** `table billing, id 42: column due: invalid input 'tomorrow'`
    <br>hint: `correct the row`

    <sub>trueup 0.1.0 · 2026-11-22T06:00:00Z</sub>
    "#);
}

#[test]
fn the_markdown_of_apply() {
    let (plan, applied) = (plan(), applied());
    let report =
        Report { applied: Some(&applied), rows: Rows::AtMost(0), ..Report::new(Command::Apply, &plan) };
    insta::assert_snapshot!(written(&report, Format::Markdown), @r#"
        ## trueup apply: stale

        **Plan:** 1 schema change, 1 row to insert, 1 to update, 1 to delete.

        **Withheld:** 1 row to update; the spec says not to write them.

        **Error:** 1 replica and 1 table could not be compared.

        ### Replica `eu`: applied

        `postgres 15.18` → `mariadb 10.11.19`

        **Apply complete!** 1 row inserted, 1 updated, 1 deleted, 1 schema change.

        2 changes were there already.

        Verified: the rows written equal the primary.

        **Refused:** `table public.orders: limits.deletes, 120 of 999 rows to delete (allowed: 10%, more with --max-deletes)`

        | Table | Status | Rows on the primary | on the replica | Insert | Update | Delete | Schema | Withheld | Excused |
        | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
        | `public.orders` → `shop.orders` | **drift** | 1,000 | 999 | 1 | 1 | 1 | 1 | 1 | 3 |
        | `users` | in sync | 12 | 12 | 0 | 0 | 0 | 0 | 0 | 0 |
        | `countries` | in sync | 12 | 12 | 0 | 0 | 0 | 0 | 0 | 0 |

        <details>
        <summary><code>public.orders</code> differs in 4 rows: 1 schema change, 1 row to insert, 1 to update, 1 to delete; withheld: 1 row to update</summary>

        1,000 rows on the primary, 999 on the replica; 3 rows differ only in what the spec excuses

        ```diff
        + add column shop.orders.note
        +     note text
        ```

        </details>

        ### Replica `edge`: stale

        **Not applied (stale).**

        Nothing was written.

        **Error:** `could not connect to db.edge:3306: refused`

        **Error:** `a row of users changed since the plan: id = 5`

        | Table | Status | Rows on the primary | on the replica | Insert | Update | Delete | Schema | Withheld | Excused |
        | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
        | `billing` | **error** | – | – | – | – | – | 0 | – | – |

        **`billing` could not be compared:** `table billing, id 42: column due: invalid input 'tomorrow'`
        <br>hint: `correct the row`

        <sub>trueup 0.1.0 · 2026-11-22T06:00:00Z</sub>
        "#);
}

#[test]
fn the_junit_of_verify() {
    let plan = plan();
    let elapsed = Some(std::time::Duration::from_millis(1_250));
    let report = Report { elapsed, rows: Rows::AtMost(2), ..Report::new(Command::Verify, &plan) };
    insta::assert_snapshot!(written(&report, Format::Junit), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="trueup verify" tests="5" failures="1" errors="2" time="1.250">
      <testsuite name="eu" tests="3" failures="1" errors="0" skipped="0" time="1.250" timestamp="2026-11-22T06:00:00">
        <properties>
          <property name="primary" value="postgres 15.18"/>
          <property name="replica" value="mariadb 10.11.19"/>
          <property name="excused" value="3"/>
        </properties>
        <testcase name="public.orders" classname="eu">
          <failure type="drift" message="differs in 4 rows: 1 schema change, 1 row to insert, 1 to update, 1 to delete; withheld: 1 row to update">
      # public.orders (shop.orders on the replica) differs in 4 rows
        1,000 rows on the primary, 999 on the replica; 3 rows differ only in what the spec excuses

        Differing ranges:
          id, line before (200, &quot;a&quot;): 1,100 rows on the primary, 99 on the replica
          id, line from (400, &quot;a&quot;) to before (500, &quot;a&quot;): 1 row on the primary, 2 on the replica

        + add column shop.orders.note
          +note text

          + id = 150, line = &quot;a\u{1b}&quot;  total: 9.50, note: &quot;line\nfeed \&quot;quoted\&quot;&quot;, placed: 2026-11-22T12:34:56.500000Z, due: 2026-12-01, paid: true, scan: x'000102', extra: {&quot;gift&quot;:true}
          ~ id = 151, line = &quot;a\u{1b}&quot;
              total: 1.000 -&gt; 2.00
              note:  &quot;… parcel with the neighbo[-u-]rs on the second floor&quot; (63 characters) -&gt; &quot;… parcel with the neighbors on the second floor&quot; (62 characters)
              paid:  true -&gt; NULL
          … and 1 more row to delete
          … and 1 more row to update (withheld)
    </failure>
        </testcase>
        <testcase name="users" classname="eu"/>
        <testcase name="countries" classname="eu"/>
        <system-out>would be refused: table public.orders: limits.deletes, 120 of 999 rows to delete (allowed: 10%, more with --max-deletes)</system-out>
      </testsuite>
      <testsuite name="edge" tests="2" failures="0" errors="2" skipped="0" time="1.250" timestamp="2026-11-22T06:00:00">
        <properties>
          <property name="primary" value="postgres 15.18"/>
          <property name="replica" value="not reached"/>
          <property name="excused" value="0"/>
        </properties>
        <testcase name="(replica)" classname="edge">
          <error type="connect" message="could not connect to db.edge:3306: refused">could not connect to db.edge:3306: refused</error>
        </testcase>
        <testcase name="billing" classname="edge">
          <error type="value" message="table billing, id 42: column due: invalid input 'tomorrow'">
      # billing could not be compared
        Error: table billing, id 42: column due: invalid input 'tomorrow'
        hint: correct the row
    </error>
        </testcase>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn the_junit_of_apply() {
    let (plan, applied) = (plan(), applied());
    let report =
        Report { applied: Some(&applied), rows: Rows::AtMost(0), ..Report::new(Command::Apply, &plan) };
    insta::assert_snapshot!(written(&report, Format::Junit), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="trueup apply" tests="5" failures="2" errors="1">
      <testsuite name="eu" tests="3" failures="1" errors="0" skipped="0" timestamp="2026-11-22T06:00:00">
        <properties>
          <property name="primary" value="postgres 15.18"/>
          <property name="replica" value="mariadb 10.11.19"/>
          <property name="excused" value="3"/>
        </properties>
        <testcase name="public.orders" classname="eu">
          <failure type="withheld" message="withheld: 1 row to update">
      # public.orders (shop.orders on the replica) differs in 4 rows
        1,000 rows on the primary, 999 on the replica; 3 rows differ only in what the spec excuses
        2 differing ranges

        + add column shop.orders.note
          +note text

        1 row to insert, 1 to update, 1 to delete
        1 row to update (withheld)
    </failure>
        </testcase>
        <testcase name="users" classname="eu"/>
        <testcase name="countries" classname="eu"/>
        <system-out>refused: table public.orders: limits.deletes, 120 of 999 rows to delete (allowed: 10%, more with --max-deletes)
    Apply complete! 1 row inserted, 1 updated, 1 deleted, 1 schema change. 2 changes were there already. Verified: the rows written equal the primary.</system-out>
      </testsuite>
      <testsuite name="edge" tests="2" failures="1" errors="1" skipped="0" timestamp="2026-11-22T06:00:00">
        <properties>
          <property name="primary" value="postgres 15.18"/>
          <property name="replica" value="not reached"/>
          <property name="excused" value="0"/>
        </properties>
        <testcase name="(replica)" classname="edge">
          <failure type="stale" message="could not connect to db.edge:3306: refused">could not connect to db.edge:3306: refused</failure>
        </testcase>
        <testcase name="billing" classname="edge">
          <error type="value" message="table billing, id 42: column due: invalid input 'tomorrow'">
      # billing could not be compared
        Error: table billing, id 42: column due: invalid input 'tomorrow'
        hint: correct the row
    </error>
        </testcase>
        <system-out>Not applied (stale). Nothing was written.</system-out>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn a_change_of_structure_shows_both_definitions_and_what_it_takes_with_it() {
    let mut plan = plan();
    let change = |action, before: &str, after: &str, hazards: Vec<Hazard>| SchemaChange {
        action,
        object: "shop.orders.legacy".into(),
        sql: vec!["ALTER TABLE …".into()],
        before: Some(before.into()).filter(|text: &String| !text.is_empty()),
        after: Some(after.into()).filter(|text: &String| !text.is_empty()),
        hazards,
        withheld: false,
        alteration: None,
        behind_rows: false,
        commit: Commit::Together,
        step_of: None,
    };
    let hazard = Hazard {
        name: "DELETES_DATA".into(),
        message: "the column's values are lost".into(),
        rows: Some(1_999),
    };
    plan.replicas[0].tables[0].schema_changes = vec![
        change(SchemaAction::AlterColumn, "legacy varchar(20)", "legacy varchar(40) NOT NULL", Vec::new()),
        change(SchemaAction::DropColumn, "legacy text", "", vec![hazard]),
    ];
    let report = Report { only: Some(0), rows: Rows::AtMost(0), ..Report::new(Command::Plan, &plan) };
    insta::assert_snapshot!(written(&report, Format::Text), @r#"
    Comparing 3 tables.

    Primary
      postgres 15.18 · postgres://db/shop
      snapshot: an exported snapshot

    Replica eu
      mariadb 10.11.19 · mysql://trueup@db.eu/shop
      snapshot: one connection

      # public.orders (shop.orders on the replica) differs in 4 rows
        1,000 rows on the primary, 999 on the replica; 3 rows differ only in what the spec excuses
        2 differing ranges

        ~ alter column shop.orders.legacy
          -legacy varchar(20)
          +legacy varchar(40) NOT NULL

        - drop column shop.orders.legacy (needs --allow DELETES_DATA)
          DELETES_DATA: the column's values are lost (1,999 rows)
          -legacy text

        1 row to insert, 1 to update, 1 to delete
        1 row to update (withheld)

      2 tables in sync (24 rows): users, countries

      would be refused: table public.orders: limits.deletes, 120 of 999 rows to delete (allowed: 10%, more with --max-deletes)

    Plan: 2 schema changes, 1 row to insert, 1 to update, 1 to delete.
    Withheld: 1 row to update; the spec says not to write them.
    "#);
    let markdown = written(&report, Format::Markdown);
    let fence = markdown.split("```").nth(1).unwrap_or_default();
    insta::assert_snapshot!(fence, @r#"
    diff
    ! alter column shop.orders.legacy
    -     legacy varchar(20)
    +     legacy varchar(40) NOT NULL
    - drop column shop.orders.legacy (needs --allow DELETES_DATA)
    !     DELETES_DATA: the column's values are lost (1,999 rows)
    -     legacy text
    "#);
    let document: serde_json::Value = serde_json::from_str(&json(&report)).unwrap();
    assert_eq!(
        document["replicas"][0]["tables"][0]["schema_changes"][1]["hazards"],
        serde_json::json!([{"name": "DELETES_DATA", "message": "the column's values are lost", "rows": 1999}])
    );
}
