//! The driver against tables in memory: what is found, what is read, and what happens when a side fails.

mod digested;
mod fake;
mod keyless;
mod shared;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::compare::{PlannedChange, RowChange};
use crate::event::Silent;
use crate::spec::{CompareOptions, CompareRule};
use crate::sql::{DefaultKind, LiteralDefault};
use crate::value::{Domain, Row, Value};
use fake::{FakeTable, INT, Pair, TEXT, int, text};

/// A runtime of two threads, as the program's own.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let within = async {
        tokio::time::timeout(Duration::from_secs(20), future).await.expect("the audit must not hang")
    };
    runtime.expect("a runtime").block_on(within)
}

fn silent() -> Arc<dyn Observer> {
    Arc::new(Silent)
}

fn small(chunk_rows: usize) -> AuditOptions {
    AuditOptions { chunk_rows, ..AuditOptions::default() }
}

fn audit(
    pair: &TablePair,
    tables: &Sides<FakeTable>,
    options: &AuditOptions,
) -> Result<TableFinding, Failure> {
    let snapshots = tables.as_ref().map(FakeTable::snapshot);
    wait(audit_table(pair, "eu", snapshots, options, &silent(), &Stop::default()))
}

fn rows(ids: impl IntoIterator<Item = i128>) -> Vec<Vec<Value>> {
    ids.into_iter().map(|id| vec![int(id), text("some words")]).collect()
}

fn plain() -> Pair {
    Pair::new(1, &[("id", INT), ("note", TEXT)])
}

/// The changes of a finding.
fn all(found: &TableFinding) -> Vec<PlannedChange> {
    found.changes.iter().map(|planned| planned.expect("it is there")).collect()
}

fn ids(pair: &TablePair, changes: &[PlannedChange]) -> Vec<(char, String)> {
    let id = |change: &RowChange| crate::schema::key_text(pair, change.row().bytes());
    let letter = |change: &RowChange| match change {
        RowChange::Insert { .. } => '+',
        RowChange::Update { .. } => '~',
        RowChange::Delete { .. } => '-',
    };
    changes.iter().map(|planned| (letter(&planned.change), id(&planned.change))).collect()
}

#[test]
fn changes_are_those_of_brute_force_whatever_the_segments_and_chunks() {
    let pair = plain().done();
    // A simple generator: the test must be the same every time.
    let mut state = 7_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for (chunk_rows, segments, drift) in
        [(1, 1, 10), (7, 3, 5), (50, 4, 100), (1000, 2, 1_000_000), (3, 4, 2)]
    {
        let mut sides: Sides<BTreeMap<i128, String>> = Sides::default();
        for id in 0..2_000_i128 {
            let id = id * 3 + i128::from(random(3));
            let (fate, word) = (random(drift), format!("row {id}"));
            if fate != 0 {
                sides.primary.insert(id, word.clone());
            }
            if fate != 1 {
                sides.replica.insert(id, if fate == 2 { word + "!" } else { word });
            }
        }
        let table = |rows: &BTreeMap<i128, String>| {
            let rows = rows.iter().map(|(id, word)| vec![int(*id), text(word)]).collect();
            let mut table = FakeTable::new(&pair, rows);
            table.readers = segments;
            table.piece_rows = 13;
            table
        };
        let tables = sides.as_ref().map(table);
        let found = audit(&pair, &tables, &small(chunk_rows)).expect("both sides can be read");
        let mut expected = Vec::new();
        let keys: std::collections::BTreeSet<_> = sides.primary.keys().chain(sides.replica.keys()).collect();
        for id in keys {
            let letter = match (sides.primary.get(id), sides.replica.get(id)) {
                (Some(_), None) => '+',
                (None, Some(_)) => '-',
                (a, b) if a != b => '~',
                _ => continue,
            };
            expected.push((letter, format!("id = {id}")));
        }
        assert_eq!(ids(&pair, &all(&found)), expected);
        assert_eq!(found.digest.primary == found.digest.replica, expected.is_empty());
        assert_eq!(found.rows, sides.as_ref().map(|rows| rows.len() as u64));
        assert!(!found.truncated && found.excused == 0);
        assert_eq!(found.ranges.is_empty(), expected.is_empty());
        assert_eq!(tables.primary.scans(), segments, "each row is read once");
        assert_eq!(tables.primary.active() + tables.replica.active(), 0);
    }
}

#[test]
fn ranges_join_over_segments_and_reach_beyond_the_primary() {
    let pair = plain().done();
    let mut primary = FakeTable::new(&pair, rows(100..200));
    let mut replica = FakeTable::new(&pair, Vec::new());
    (primary.readers, replica.readers) = (4, 4);
    let tables = Sides::new(primary, replica);
    let found = audit(&pair, &tables, &small(10)).expect("both sides can be read");
    assert_eq!(found.ranges.len(), 1);
    assert_eq!(found.ranges[0].range, KeyRange::all());
    assert_eq!(found.ranges[0].rows, Sides::new(100, 0));
    // Rows before the first and behind the last of the primary are seen, also of an empty primary.
    for (present, extra) in [(100..110, vec![1, 500]), (0..0, vec![1, 500])] {
        let all = present.clone().chain(extra.iter().copied());
        let mut all: Vec<i128> = all.collect();
        all.sort_unstable();
        let tables = Sides::new(FakeTable::new(&pair, rows(present)), FakeTable::new(&pair, rows(all)));
        let found = audit(&pair, &tables, &small(3)).expect("both sides can be read");
        assert_eq!(found.changes.len(), 2);
    }
}

#[test]
fn one_reader_means_one_segment_and_no_question() {
    let pair = plain().done();
    let mut tables = Sides::new(rows(0..50), rows(0..50)).map(|rows| FakeTable::new(&pair, rows));
    (tables.primary.readers, tables.replica.readers) = (8, 1);
    let found = audit(&pair, &tables, &small(5)).expect("both sides can be read");
    assert!(found.changes.is_empty() && found.digest.primary == found.digest.replica);
    assert_eq!(tables.primary.scans(), 1);
}

#[test]
fn an_error_of_either_side_is_the_end_and_stops_the_other() {
    let pair = plain().done();
    for side in [Side::Primary, Side::Replica] {
        for after in [0, 1, 500, 9_999, 10_000] {
            let mut tables =
                Sides::new(rows(0..10_000), rows(0..10_000)).map(|rows| FakeTable::new(&pair, rows));
            tables.primary.readers = 3;
            tables.replica.readers = 3;
            tables.get_mut(side).fails_after = Some((after, ErrorKind::Timeout));
            let failure =
                audit(&pair, &tables, &small(100)).expect_err("a failing side is never a short table");
            assert_eq!(failure.kind, ErrorKind::Timeout, "{side} after {after}");
        }
    }
}

#[test]
fn the_faster_side_waits_and_holds_little() {
    let pair = plain().done();
    let mut tables = Sides::new(rows(0..3), rows(0..100_000)).map(|rows| FakeTable::new(&pair, rows));
    let options = AuditOptions { memory_bytes: 1 << 20, ..AuditOptions::default() };
    let gate = tables.primary.gate();
    let (snapshots, sent) = (tables.as_ref().map(FakeTable::snapshot), tables.replica.sent_bytes());
    wait(async {
        let (pair, observer) = (pair.clone(), silent());
        let running = tokio::spawn(async move {
            audit_table(&pair, "eu", snapshots, &options, &observer, &Stop::default()).await
        });
        // Until it has read something, and then for as long as it reads more.
        let mut ahead = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = sent.load(std::sync::atomic::Ordering::SeqCst);
            assert!(now < 300_000, "{now} bytes were read ahead of the primary");
            if now > 0 && now == ahead {
                break;
            }
            ahead = now;
        }
        gate.add_permits(1_000);
        let found = running.await.expect("no panic").expect("both sides can be read");
        assert_eq!(found.rows, Sides::new(3, 100_000));
        assert_eq!(found.changes.len(), 99_997);
        assert_eq!(found.ranges.len(), 1);
    });
}

#[test]
fn a_request_to_stop_is_seen_while_a_server_is_silent() {
    let pair = plain().done();
    let mut tables = Sides::new(rows(0..3), rows(0..3)).map(|rows| FakeTable::new(&pair, rows));
    let _gate = tables.replica.gate();
    let (snapshots, stop) = (tables.as_ref().map(FakeTable::snapshot), Stop::default());
    let failure = wait(async {
        let (pair, observer, stop_seen) = (pair.clone(), silent(), stop.clone());
        let running = tokio::spawn(async move {
            audit_table(&pair, "eu", snapshots, &AuditOptions::default(), &observer, &stop_seen).await
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        stop.request();
        tables.primary.idle().await;
        tables.replica.idle().await;
        running.await.expect("no panic").expect_err("stopped")
    });
    assert_eq!(failure.kind, ErrorKind::Interrupted);
}

#[test]
fn scope_is_settled_by_key() {
    let pair = Pair::new(1, &[("id", TEXT), ("note", TEXT), ("etag", TEXT)]).ignoring(1).scoped().done();
    let row = |id: &str, note: &str, etag: &str| vec![text(id), text(note), text(etag)];
    let primary = vec![
        row("a", "same", "1"),
        row("b", "differs", "1"),
        row("c", "equal outside", "1"),
        row("d", "missing", "1"),
        row("e", "other case", "1"),
    ];
    let replica = vec![
        row("a", "same", "2"),
        row("b", "is outside", "2"),
        row("c", "equal outside", "2"),
        row("E", "other case", "1"),
        row("x", "extra", "1"),
        row("y", "extra outside", "1"),
    ];
    let mut tables = Sides::new(primary, replica).map(|rows| FakeTable::new(&pair, rows));
    tables.replica.outside_scope = ["b", "c", "E", "y"].map(text).to_vec();
    tables.replica.ignores_case = true;
    let found = audit(&pair, &tables, &small(1)).expect("both sides can be read");
    let change = |letter, id: &str| (letter, format!("id = '{id}'"));
    assert_eq!(
        ids(&pair, &all(&found)),
        [change('~', "b"), change('+', "d"), change('+', "e"), change('-', "x")]
    );
    let RowChange::Update { columns, before, .. } = &all(&found)[0].change else { panic!("an update") };
    assert_eq!(columns, &[1]);
    assert_eq!(pair.columns[1].replica_value(before.fields().nth(1).flatten()), text("is outside"));
    assert_eq!(found.rows, Sides::new(5, 2));
    assert_eq!(found.ranges.len(), 2, "the range of c, which is no drift, parts the others");
    for drift in &found.ranges {
        let holds =
            |planned: &PlannedChange| pair.key_order().contains(&drift.range, planned.change.row().bytes());
        assert!(all(&found).iter().any(holds));
    }
}

#[test]
fn rows_that_settle_to_nothing_do_not_count_as_changes() {
    let pair = plain().scoped().done();
    let mut tables = Sides::new(rows(0..5_001), rows(0..5_000)).map(|rows| FakeTable::new(&pair, rows));
    tables.replica.outside_scope = (0..5_000).map(int).collect();
    let options = AuditOptions { changes_max: Some(1), ..small(10) };
    let found = audit(&pair, &tables, &options).expect("both sides can be read");
    assert_eq!(ids(&pair, &all(&found)), [('+', "id = 5000".to_owned())]);
}

#[test]
fn deletes_carry_the_columns_out_of_scope() {
    let pair = plain().with_extra("secret", TEXT).done();
    let mut tables = Sides::new(rows(0..5_000), rows(0..10)).map(|rows| FakeTable::new(&pair, rows));
    std::mem::swap(&mut tables.primary.rows, &mut tables.replica.rows);
    tables.replica.rows.iter_mut().for_each(|row| {
        let secret = format!("secret {row:?}");
        row.push(text(&secret));
    });
    let found = audit(&pair, &tables, &small(64)).expect("both sides can be read");
    assert_eq!(found.changes.len(), 4_990);
    for planned in &all(&found) {
        let id = planned.change.row().fields().next().flatten().map(<[u8]>::to_vec);
        let extra = planned.extra.as_ref().expect("a delete carries them");
        let secret = crate::value::decode(&TEXT, extra.fields().next().flatten());
        let id = crate::value::decode(&INT, id.as_deref());
        assert_eq!(secret, text(&format!("secret {:?}", vec![id, text("some words")])));
    }
}

#[test]
fn a_missing_replica_is_not_asked() {
    let mut pair = plain().scoped().done();
    pair.replica_missing = true;
    let tables = Sides::new(rows(0..1_000), rows(0..7)).map(|rows| FakeTable::new(&pair, rows));
    let found = audit(&pair, &tables, &small(100)).expect("the primary can be read");
    assert_eq!(found.rows, Sides::new(1_000, 0));
    assert!(all(&found).iter().all(|planned| matches!(planned.change, RowChange::Insert { .. })));
    assert_eq!((found.changes.len(), found.ranges.len(), tables.replica.scans()), (1_000, 1, 0));
}

#[test]
fn what_the_spec_excuses_ignores_and_withholds() {
    let trim = CompareOptions { trim: true, ..CompareOptions::default() };
    let mut pair = Pair::new(1, &[("id", INT), ("note", TEXT), ("etag", TEXT)]).ignoring(1).done();
    pair.columns[1].rule = Some(CompareRule::Options(trim));
    pair.writes.insert = false;
    let row = |id, note: &str, etag: &str| vec![int(id), text(note), text(etag)];
    let primary = vec![row(1, "a", "x"), row(2, "a", "x"), row(3, "a", "x"), row(4, "a", "x")];
    let replica = vec![row(1, "a ", "x"), row(2, "b", "x"), row(3, "a", "y")];
    let tables = Sides::new(primary, replica).map(|rows| FakeTable::new(&pair, rows));
    let found = audit(&pair, &tables, &small(1)).expect("both sides can be read");
    assert_eq!(found.excused, 1);
    assert_eq!(ids(&pair, &all(&found)), [('~', "id = 2".to_owned()), ('+', "id = 4".to_owned())]);
    assert_eq!(all(&found).iter().map(|planned| planned.withheld).collect::<Vec<_>>(), [false, true]);
    let RowChange::Insert { after } = &all(&found)[1].change else { panic!("an insert") };
    assert_eq!(after.fields().count(), 3, "ignored columns are part of inserts");
    let excused = Sides::new(vec![row(1, "a", "x")], vec![row(1, "a ", "x")]);
    let found = audit(&pair, &excused.map(|rows| FakeTable::new(&pair, rows)), &small(1)).expect("readable");
    assert!(found.ranges.is_empty() && found.changes.is_empty() && found.excused == 1);
}

#[test]
fn looking_stops_after_so_many_changes() {
    let pair = plain().done();
    let mut tables = Sides::new(rows(0..20_000), rows(0..0)).map(|rows| FakeTable::new(&pair, rows));
    tables.primary.readers = 3;
    tables.replica.readers = 3;
    let with = |max| AuditOptions { changes_max: Some(max), ..small(10) };
    let found = audit(&pair, &tables, &with(25)).expect("both sides can be read");
    let expected: Vec<_> = (0..25).map(|id| ('+', format!("id = {id}"))).collect();
    assert_eq!(ids(&pair, &all(&found)), expected);
    assert!(found.truncated);
    let found = audit(&pair, &tables, &with(20_001)).expect("both sides can be read");
    assert!(!found.truncated && found.changes.len() == 20_000);
    let found = audit(&pair, &tables, &with(1)).expect("both sides can be read");
    assert!(found.truncated && found.changes.len() == 1 && found.ranges.len() == 1);
    assert!(found.rows.primary < 20_000, "reading went on to the end");
}

#[test]
fn a_key_that_two_rows_share_is_named() {
    let pair = plain().done();
    for side in [Side::Primary, Side::Replica] {
        for duplicate in [0, 49, 50, 99] {
            let mut tables = Sides::new(rows(0..100), rows(0..100)).map(|rows| FakeTable::new(&pair, rows));
            tables.get_mut(side).rows.insert(duplicate as usize, vec![int(duplicate), text("again")]);
            let failure = audit(&pair, &tables, &small(50)).expect_err("rows are not unique");
            assert_eq!(failure.kind, ErrorKind::Key);
            assert_eq!(failure.key, Some(format!("id = {duplicate}")));
            assert!(failure.message.contains(side.name()), "{}", failure.message);
        }
    }
}

#[test]
fn another_order_than_ours_is_an_error() {
    let pair = Pair::new(1, &[("id", TEXT), ("note", TEXT)]).done();
    let row = |id: &str| vec![text(id), text("")];
    let tables = Sides::new(vec![row("a"), row("b")], vec![row("a"), row("B"), row("c")]);
    let failure =
        audit(&pair, &tables.map(|rows| FakeTable::new(&pair, rows)), &small(1)).expect_err("disorder");
    assert_eq!(failure.kind, ErrorKind::Internal);
    assert!(failure.key.is_some_and(|key| key.contains("id = 'B'")));
}

#[test]
fn a_panic_while_comparing_is_a_failure() {
    let mut pair = Pair::new(1, &[("id", INT), ("ratio", Domain::Float64)]).done();
    let tolerance = CompareOptions { tolerance: Some("1".to_owned()), ..CompareOptions::default() };
    pair.columns[1].rule = Some(CompareRule::Options(tolerance));
    let row = |ratio| vec![int(1), Value::Float64(ratio)];
    let mut tables = Sides::new(vec![row(1.0)], vec![row(2.0)]).map(|rows| FakeTable::new(&pair, rows));
    assert_eq!(audit(&pair, &tables, &small(1)).map(|found| found.excused), Ok(1));
    tables.replica.breaks_payloads = true;
    let failure = audit(&pair, &tables, &small(1)).expect_err("the payload is too short");
    assert_eq!(failure.kind, ErrorKind::Internal);
}

#[test]
fn rows_beyond_an_eighth_of_memory_are_named() {
    let pair = plain().done();
    let large = vec![int(5), text(&"x".repeat(200_000))];
    let tables = Sides::new(vec![large.clone()], vec![large]).map(|rows| FakeTable::new(&pair, rows));
    let options = AuditOptions { memory_bytes: 1 << 20, ..AuditOptions::default() };
    let failure = audit(&pair, &tables, &options).expect_err("too large");
    assert_eq!((failure.kind, failure.key.as_deref()), (ErrorKind::Value, Some("id = 5")));
    assert_eq!(failure.hint.as_deref(), Some("`--memory 2MiB` would do"));
    assert!(audit(&pair, &tables, &AuditOptions::default()).is_ok());
}

#[test]
fn a_column_to_come_counts_with_its_default() {
    let mut pair = Pair::new(1, &[("id", INT), ("note", TEXT), ("level", INT)]).done();
    pair.columns[1].on_replica = false;
    pair.columns[2].on_replica = false;
    let default = LiteralDefault::Number("5".to_owned());
    pair.columns[2].sides.replica.default = Some(DefaultKind::Literal(default));
    let primary = vec![
        vec![int(1), Value::Null, int(5)],
        vec![int(2), text("new"), int(5)],
        vec![int(3), Value::Null, int(6)],
    ];
    let mut tables = Sides::new(primary.clone(), primary).map(|rows| FakeTable::new(&pair, rows));
    tables.replica.lacks = vec!["note".to_owned(), "level".to_owned()];
    let found = audit(&pair, &tables, &small(2)).expect("both sides can be read");
    let columns = |planned: &PlannedChange| match &planned.change {
        RowChange::Update { columns, .. } => columns.clone(),
        _ => panic!("only updates"),
    };
    assert_eq!(all(&found).iter().map(columns).collect::<Vec<_>>(), [vec![1], vec![2]]);
    pair.columns[2].sides.replica.default =
        Some(DefaultKind::Literal(LiteralDefault::Text("five".to_owned())));
    assert_eq!(audit(&pair, &tables, &small(2)).expect_err("no answer").kind, ErrorKind::Type);
}

#[test]
fn some_keys_are_compared_again() {
    let pair = Pair::new(1, &[("id", TEXT), ("note", TEXT)]).done();
    let row = |id: usize, note: &str| vec![text(&format!("k{id:05}")), text(note)];
    let primary: Vec<_> = (0..6_000).map(|id| row(id, "a")).collect();
    let mut replica = primary.clone();
    replica[10] = row(10, "b");
    replica[5_000] = row(5_000, "b");
    replica.remove(20);
    replica[4_000] = vec![text("K04001"), text("a")];
    let mut tables = Sides::new(primary, replica).map(|rows| FakeTable::new(&pair, rows));
    tables.replica.ignores_case = true;
    let key = |id: usize| Key::new(fake::encoded(&[TEXT], &row(id, "")[..1]));
    let again = |ids: Vec<usize>| {
        let keys = ids.into_iter().rev().map(key).collect();
        let snapshots = tables.as_ref().map(FakeTable::snapshot);
        let changes = wait(audit_keys(&pair, keys, snapshots, &small(100), &silent(), &Stop::default()))
            .expect("readable");
        changes.iter().map(|planned| planned.expect("it is there").change.row().clone()).collect::<Vec<Row>>()
    };
    assert!(again((0..10).chain(30..4_000).collect()).is_empty());
    assert!(again(Vec::new()).is_empty());
    assert_eq!(again((0..4_500).collect()).len(), 3);
    assert_eq!(again(vec![4_001]).len(), 1, "a key equal only under the collation is another key");
    assert_eq!(again(vec![10]).len(), 1);
    assert!(again(vec![7_000]).is_empty(), "gone on both sides");
}

#[test]
fn segments_leave_out_cuts_that_do_not_ascend() {
    let pair = plain().done();
    let mut tables = Sides::new(rows(0..100), rows(0..100)).map(|rows| FakeTable::new(&pair, rows));
    tables.primary.readers = 4;
    tables.replica.readers = 4;
    tables.primary.cuts = Some(vec![int(60), int(30), int(60), int(80)]);
    let found = audit(&pair, &tables, &small(7)).expect("both sides can be read");
    assert!(found.changes.is_empty() && found.rows == Sides::new(100, 100));
}

#[test]
fn the_observer_hears_of_start_rows_and_end() {
    #[derive(Default)]
    struct Heard(Mutex<Vec<Event>>);
    impl Observer for Heard {
        fn observe(&self, event: Event) {
            self.0.lock().expect("no panic").push(event);
        }
    }
    let pair = plain().done();
    let tables = Sides::new(rows(0..1_000), rows(0..999)).map(|rows| FakeTable::new(&pair, rows));
    let heard = Arc::new(Heard::default());
    let observer: Arc<dyn Observer> = Arc::clone(&heard) as _;
    let snapshots = tables.as_ref().map(FakeTable::snapshot);
    wait(audit_table(&pair, "eu", snapshots, &small(10), &observer, &Stop::default())).expect("readable");
    let events = heard.0.lock().expect("no panic");
    let (replica, table) = ("eu".to_owned(), "items".to_owned());
    assert_eq!(events.first(), Some(&Event::TableStarted { replica: replica.clone(), table: table.clone() }));
    assert_eq!(events.last(), Some(&Event::TableFinished { replica, table, changes: 1, failed: false }));
    let read = events.iter().filter_map(|event| match event {
        Event::RowsRead { rows } => Some(*rows),
        _ => None,
    });
    assert_eq!(read.clone().sum::<u64>(), 1_999);
    assert!(read.count() < 100, "rows are told in blocks");
}

#[test]
fn two_sqlite_files_are_compared() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str| directory.path().join(name);
    let rows = |first: i64, count: i64| {
        format!(
            "CREATE TABLE items (id INTEGER PRIMARY KEY, note TEXT, price REAL);
             WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n LIMIT {count})
             INSERT INTO items SELECT i, 'note ' || i, i / 8.0 FROM n;"
        )
    };
    let run = |name: &str, sql: &str| {
        let connection = rusqlite::Connection::open(file(name)).expect("a file");
        connection.execute_batch(sql).expect("the script runs");
    };
    run("primary.db", &rows(1, 20_000));
    run("replica.db", &rows(3, 20_000));
    run("replica.db", "UPDATE items SET note = NULL WHERE id = 7; DELETE FROM items WHERE id = 15000;");
    run("replica.db", "ALTER TABLE items ADD COLUMN own TEXT; UPDATE items SET own = 'own ' || id;");
    let spec = format!(
        "version: 1\nprimary: \"sqlite:{}\"\nreplicas: {{ r: \"sqlite:{}\" }}\n\
         tables: [{{ table: items, where: \"id <> 3\" }}]\n",
        file("primary.db").display(),
        file("replica.db").display()
    );
    let spec = crate::spec::Spec::parse(&spec, "spec.yml", &|_| None).expect("a spec");
    let found = wait(async {
        let engines = Sides::new(
            crate::engine::connect(&spec.primary, false).await.expect("the primary"),
            crate::engine::connect(&spec.replicas[0].side, false).await.expect("the replica"),
        );
        let catalogs = Sides::new(
            engines.primary.catalog(&[None]).await.expect("a catalog"),
            engines.replica.catalog(&[None]).await.expect("a catalog"),
        );
        let databases = crate::schema::Databases {
            dialects: engines.as_ref().map(|engine| engine.dialect()),
            replica: &catalogs.replica,
            primary_default: None,
            primary_enums: &[],
            primary_extensions: &Default::default(),
            now: jiff::Timestamp::UNIX_EPOCH,
            selected: &Default::default(),
            chosen: &Default::default(),
            allowed: &[],
        };
        let selected = crate::schema::select_tables(&spec, &catalogs.primary, &[]);
        let pair = crate::schema::pair_table(&spec, &selected[0], &databases).expect("a pair").pair;
        let snapshots = Sides::new(
            engines.primary.snapshot().await.expect("a snapshot"),
            engines.replica.snapshot().await.expect("a snapshot"),
        );
        let options = small(1_000);
        let found = audit_table(&pair, "r", snapshots.clone(), &options, &silent(), &Stop::default()).await;
        let found = found.expect("both files can be read");
        let changes = all(&found);
        let keys = changes.iter().map(|planned| pair.key_order().key_of(planned.change.row().bytes()));
        let again = audit_keys(&pair, keys.collect(), snapshots, &options, &silent(), &Stop::default()).await;
        let changes: Vec<_> = changes.iter().map(|planned| planned.change.clone()).collect();
        let again = again.expect("both files can be read");
        let again: Vec<_> = again.iter().map(|planned| planned.expect("it is there").change).collect();
        assert_eq!(again, changes, "the same rows differ when they are looked up by key");
        (ids(&pair, &all(&found)), found)
    });
    let (changes, found) = found;
    let change = |letter, id: i64| (letter, format!("id = {id}"));
    let expected = [
        change('+', 1),
        change('+', 2),
        change('~', 7),
        change('+', 15_000),
        change('-', 20_001),
        change('-', 20_002),
    ];
    assert_eq!(changes, expected);
    assert_eq!(found.rows, Sides::new(19_999, 19_998));
    assert_eq!(found.ranges.len(), 3);
    let changes = all(&found);
    let extra = changes[4].extra.as_ref().expect("the replica's own column");
    assert!(extra.bytes().ends_with(b"own 20001"));
}
