//! Apply on real SQLite files: guards against a second writer, constraints in order, read-back under triggers.
//!
//! The plans come from brute force: all rows of both sides, compared by key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::compare::RowChange;
use crate::engine::{Engine, Primary, connect};
use crate::event::Silent;
use crate::plan::testing::withheld;
use crate::plan::{PlannedChange, TablePlan};
use crate::schema::{self, Databases, TablePair};
use crate::sides::{Side, Sides};
use crate::spec::Spec;
use crate::sql::Selection;
use crate::value::{KeyRange, Row};

/// Two files and the tables that are to be equal.
struct Pair {
    directory: TempDir,
    tables: String,
}

impl Pair {
    fn new(both: &str, primary: &str, replica: &str, tables: &str) -> Self {
        let pair = Pair {
            directory: tempfile::tempdir().expect("a temporary directory can be made"),
            tables: tables.to_owned(),
        };
        for (side, rows) in [(Side::Primary, primary), (Side::Replica, replica)] {
            pair.run(side, both);
            pair.run(side, rows);
        }
        pair
    }

    fn file(&self, side: Side) -> PathBuf {
        self.directory.path().join(format!("{side}.db"))
    }

    /// What somebody else does to a side.
    fn run(&self, side: Side, sql: &str) {
        let connection = Connection::open(self.file(side)).expect("the file opens");
        connection.pragma_update(None, "foreign_keys", false).expect("it can be switched off");
        connection.execute_batch(sql).expect("the script runs");
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        let connection = Connection::open(self.file(Side::Replica)).expect("the file opens");
        let mut statement = connection.prepare(sql).expect("the query is right");
        let rows = statement.query_map([], |row| row.get(0)).expect("the query runs");
        rows.collect::<Result<_, _>>().expect("the rows are text")
    }

    fn spec(&self) -> Spec {
        let url = |side| format!("\"sqlite:{}\"", self.file(side).display());
        let (primary, replica) = (url(Side::Primary), url(Side::Replica));
        let text = format!(
            "version: 1\nprimary: {primary}\nreplicas: {{ copy: {replica} }}\ntables: {}\n",
            self.tables
        );
        Spec::parse(&text, "spec.yml", &|_| None).expect("the spec is right")
    }

    async fn sides(&self) -> Sides<Arc<dyn Engine>> {
        let spec = self.spec();
        let primary = connect(&spec.primary, false).await.expect("the primary opens");
        let replica = connect(&spec.replicas[0].side, true).await.expect("the replica opens");
        Sides::new(primary, replica)
    }

    async fn plan(&self, engines: &Sides<Arc<dyn Engine>>) -> ReplicaPlan {
        let spec = self.spec();
        let primary = engines.primary.catalog(&schema::primary_schemas(&spec)).await.expect("a catalog");
        let replica = engines.replica.catalog(&schema::replica_schemas(&spec)).await.expect("a catalog");
        let databases = Databases {
            dialects: Sides::new(engines.primary.dialect() as &dyn Dialect, engines.replica.dialect()),
            replica: &replica,
            primary_default: primary.default_schema.as_deref(),
            primary_enums: &[],
            primary_extensions: &Default::default(),
            now: jiff::Timestamp::UNIX_EPOCH,
            selected: &Default::default(),
            chosen: &Default::default(),
            allowed: &[],
        };
        let mut tables = Vec::new();
        for selected in schema::select_tables(&spec, &primary, &[]).iter() {
            let pairing = schema::pair_table(&spec, selected, &databases).expect("the tables pair");
            tables.push(brute_force(pairing.pair, engines).await);
        }
        let mut plan = crate::plan::testing::with_tables(tables);
        plan.name = "copy".to_owned();
        plan
    }
}

/// Rows by key, in the order of encoded bytes: good enough for positive integers.
async fn read_all(engine: &Arc<dyn Engine>, pair: &TablePair, side: Side) -> BTreeMap<Vec<u8>, Row> {
    let snapshot = engine.snapshot().await.expect("a moment");
    let select = pair.select(side, Selection::Range(KeyRange::all()), true);
    let mut stream = snapshot.scan(select).await.expect("a scan");
    let (order, mut rows) = (pair.key_order(), BTreeMap::new());
    while let Some(block) = stream.next().await.expect("rows") {
        for row in block.rows() {
            rows.insert(order.key_of(row).bytes().to_vec(), Row::new(row));
        }
    }
    rows
}

async fn brute_force(pair: TablePair, engines: &Sides<Arc<dyn Engine>>) -> TablePlan {
    let mut primary = read_all(&engines.primary, &pair, Side::Primary).await;
    let mut replica = read_all(&engines.replica, &pair, Side::Replica).await;
    let keys: BTreeSet<Vec<u8>> = primary.keys().chain(replica.keys()).cloned().collect();
    let mut table = TablePlan::unknown(pair.table.clone(), pair.replica_table.clone());
    let mut changes = Vec::new();
    for key in keys {
        let change = match (replica.remove(&key), primary.remove(&key)) {
            (None, Some(after)) => RowChange::Insert { after },
            (Some(before), None) => RowChange::Delete { before },
            (Some(before), Some(after)) => {
                let differing = before.fields().zip(after.fields()).take(pair.compared_columns);
                let columns: Vec<u16> = differing
                    .enumerate()
                    .filter(|(_, (before, after))| before != after)
                    .map(|(index, _)| index as u16)
                    .collect();
                if columns.is_empty() {
                    continue;
                }
                RowChange::Update { before, after, columns }
            }
            (None, None) => continue,
        };
        table.summary.count(&change);
        changes.push(PlannedChange { change, withheld: false, extra: None, stored: None, copy: None });
    }
    table.changes = changes.into_iter().collect();
    table.pair = Some(pair);
    table.status = table.status_found();
    table
}

async fn apply(engines: &Sides<Arc<dyn Engine>>, plan: &ReplicaPlan) -> Applied {
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let replica = Replica::new(Arc::clone(&engines.replica));
    let before = crate::verify::beside(&replica, plan, &Stop::default()).await.expect("looked at");
    let applied =
        apply_replica(&replica, plan, &ApplyOptions::default(), &Unkept, &observer, &Stop::default()).await;
    let primary = Primary::new(Arc::clone(&engines.primary));
    let effort = crate::audit::AuditOptions::default();
    let against = crate::verify::Against::Primary(&primary, &before);
    crate::verify::check(against, &replica, plan, applied, &effort, &observer, &Stop::default()).await
}

/// Plans, applies, and plans again to nothing.
async fn converge(pair: &Pair) -> Applied {
    let engines = pair.sides().await;
    let plan = pair.plan(&engines).await;
    let applied = apply(&engines, &plan).await;
    assert_eq!(applied.outcome, Outcome::Applied, "{:?}", applied.error);
    assert_eq!(applied.verified, Some(true));
    assert_eq!(applied.rows, plan.summary().rows);
    let again = pair.plan(&engines).await;
    assert_eq!(again.outcome(), Outcome::InSync);
    assert_eq!(apply(&engines, &again).await.outcome, Outcome::InSync);
    applied
}

const T: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, n INTEGER);";

#[tokio::test]
async fn rows_of_every_kind_are_written() {
    let pair = Pair::new(
        T,
        "INSERT INTO t VALUES (1, 'a', 1), (2, 'b', NULL), (3, 'it''s', 3)",
        "INSERT INTO t VALUES (1, 'a', 1), (2, 'x', 2), (4, 'd', 4)",
        "[t]",
    );
    let applied = converge(&pair).await;
    assert_eq!(applied.rows, RowCounts { insert: 1, update: 1, delete: 1 });
    assert_eq!(pair.rows("SELECT quote(v) || n FROM t WHERE id <> 2"), ["'a'1", "'it''s'3"]);
}

#[tokio::test]
async fn a_second_writer_between_plan_and_apply_makes_it_stale() {
    let interferences = [
        "UPDATE t SET n = 99 WHERE id = 2",
        "DELETE FROM t WHERE id = 2",
        "UPDATE t SET v = 'other' WHERE id = 4",
        "INSERT INTO t VALUES (3, 'taken', 0)",
    ];
    for interference in interferences {
        let pair = Pair::new(
            T,
            "INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)",
            "INSERT INTO t VALUES (1, 'x', 1), (2, 'x', 2), (4, 'd', 4)",
            "[t]",
        );
        let engines = pair.sides().await;
        let plan = pair.plan(&engines).await;
        pair.run(Side::Replica, interference);
        let applied = apply(&engines, &plan).await;
        assert_eq!(applied.outcome, Outcome::Stale, "{interference}");
        assert_eq!(applied.verified, None);
        assert_eq!(pair.rows("SELECT v FROM t WHERE id = 1"), ["x"], "{interference}");
    }
}

#[tokio::test]
async fn what_somebody_did_already_is_left_alone() {
    let pair = Pair::new(
        T,
        "INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)",
        "INSERT INTO t VALUES (1, 'x', 1), (4, 'd', 4)",
        "[t]",
    );
    let engines = pair.sides().await;
    let plan = pair.plan(&engines).await;
    pair.run(Side::Replica, "DELETE FROM t WHERE id = 4; INSERT INTO t VALUES (2, 'b', 2)");
    let applied = apply(&engines, &plan).await;
    assert_eq!((applied.outcome, applied.already), (Outcome::Applied, 2), "{:?}", applied.error);
    assert_eq!(applied.rows, RowCounts { insert: 0, update: 1, delete: 0 });
    assert_eq!(applied.verified, Some(true));
}

#[tokio::test]
async fn the_primary_moving_on_is_found_by_the_check_afterwards() {
    let pair = Pair::new(T, "INSERT INTO t VALUES (1, 'a', 1)", "INSERT INTO t VALUES (1, 'x', 1)", "[t]");
    let engines = pair.sides().await;
    let plan = pair.plan(&engines).await;
    pair.run(Side::Primary, "UPDATE t SET v = 'newer'");
    let applied = apply(&engines, &plan).await;
    assert_eq!((applied.outcome, applied.verified), (Outcome::Drift, Some(false)));
    assert_eq!(pair.rows("SELECT v FROM t"), ["a"]);
}

#[tokio::test]
async fn a_trigger_on_the_replica_is_found_and_nothing_stays() {
    let pair = Pair::new(
        T,
        "INSERT INTO t VALUES (1, 'a', 1)",
        "INSERT INTO t VALUES (1, 'x', 1);
         CREATE TRIGGER moves AFTER UPDATE OF v ON t BEGIN UPDATE t SET v = upper(NEW.v) WHERE id = NEW.id; END",
        "[t]",
    );
    let engines = pair.sides().await;
    let plan = pair.plan(&engines).await;
    let applied = apply(&engines, &plan).await;
    let failure = applied.error.expect("the trigger changed the value");
    assert_eq!((applied.outcome, failure.kind), (Outcome::Error, ErrorKind::Value));
    assert!(failure.message.starts_with("table t, column v: "), "{}", failure.message);
    assert_eq!(failure.key.as_deref(), Some("id = 1"));
    assert_eq!(pair.rows("SELECT v FROM t"), ["x"]);
}

#[tokio::test]
async fn a_trigger_that_moves_another_column_is_overruled_once() {
    // Like ON UPDATE CURRENT_TIMESTAMP: an update that does not set `n` moves it.
    let pair = Pair::new(
        T,
        "INSERT INTO t VALUES (1, 'a', 1)",
        "INSERT INTO t VALUES (1, 'x', 1);
         CREATE TRIGGER stamps AFTER UPDATE OF v ON t BEGIN UPDATE t SET n = 77 WHERE id = NEW.id; END",
        "[t]",
    );
    converge(&pair).await;
    assert_eq!(pair.rows("SELECT v || n FROM t"), ["a1"]);
}

#[tokio::test]
async fn parents_children_and_trees_go_in_an_order_that_holds() {
    let pair = Pair::new(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);
         CREATE TABLE child (id INTEGER PRIMARY KEY, p INTEGER NOT NULL REFERENCES parent (id) ON DELETE CASCADE);
         CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER REFERENCES tree);",
        "INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (10, 1), (11, 2), (12, 2);
         INSERT INTO tree VALUES (1, 2), (2, 3), (3, NULL);",
        "INSERT INTO parent VALUES (1), (3); INSERT INTO child VALUES (10, 1), (11, 3), (13, 3);
         INSERT INTO tree VALUES (7, 8), (8, 9), (9, NULL);",
        "[child, tree, parent]",
    );
    let applied = converge(&pair).await;
    assert_eq!(applied.rows, RowCounts { insert: 5, update: 1, delete: 5 });
}

#[tokio::test]
async fn a_cascade_to_rows_outside_the_plan_is_refused() {
    let pair = Pair::new(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);
         CREATE TABLE child (id INTEGER PRIMARY KEY, p INTEGER REFERENCES parent (id) ON DELETE CASCADE);",
        "",
        "INSERT INTO parent VALUES (3); INSERT INTO child VALUES (13, 3);",
        "[{ table: child, delete: false }, parent]",
    );
    let engines = pair.sides().await;
    let mut plan = pair.plan(&engines).await;
    plan.tables[0].changes = withheld(plan.tables[0].changes.clone(), 0);
    plan.tables[0].withheld = std::mem::take(&mut plan.tables[0].summary);
    let applied = apply(&engines, &plan).await;
    assert_eq!(applied.outcome, Outcome::Error);
    assert!(applied.error.is_some_and(|failure| failure.message.contains("rows of table child still point")));
    assert_eq!(pair.rows("SELECT count(*) || '' FROM child"), ["1"]);
}

#[tokio::test]
async fn a_unique_value_is_taken_over_from_a_row_that_goes() {
    let pair = Pair::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, mail TEXT UNIQUE)",
        "INSERT INTO t VALUES (1, 'gone@x'), (2, 'free@x')",
        "INSERT INTO t VALUES (1, 'free@x'), (9, 'gone@x')",
        "[t]",
    );
    converge(&pair).await;
}

#[tokio::test]
async fn an_orphan_is_found_before_the_commit() {
    let pair = Pair::new(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);
         CREATE TABLE child (id INTEGER PRIMARY KEY, p INTEGER REFERENCES parent (id));",
        // The primary itself is broken.
        "INSERT INTO child VALUES (10, 77)",
        "",
        "[parent, child]",
    );
    let engines = pair.sides().await;
    let plan = pair.plan(&engines).await;
    let applied = apply(&engines, &plan).await;
    let failure = applied.error.expect("a key is broken");
    assert_eq!((applied.outcome, failure.kind), (Outcome::Error, ErrorKind::Key), "{failure}");
    assert_eq!(pair.rows("SELECT id || '' FROM child"), [""; 0]);
}

#[tokio::test]
async fn a_lock_that_is_held_ends_as_locked() {
    let pair = Pair::new(T, "INSERT INTO t VALUES (1, 'a', 1)", "", "[t]");
    let engines = pair.sides().await;
    let plan = pair.plan(&engines).await;
    let mut other = engines.replica.writer().await.expect("a writer");
    other.lock(Duration::ZERO).await.expect("the lock is free");
    assert_eq!(apply(&engines, &plan).await.outcome, Outcome::Locked);
    drop(other);
    assert_eq!(apply(&engines, &plan).await.outcome, Outcome::Applied);
}

#[tokio::test]
async fn thousands_of_rows_go_in_pieces() {
    let rows = |from: u64, step: u64| {
        format!(
            "WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + {step} FROM n WHERE i < 6000) \
             INSERT INTO t SELECT i, 'v' || (i % {}), i FROM n",
            step + 5
        )
    };
    let pair = Pair::new(T, &rows(1, 1), &rows(2, 2), "[t]");
    let applied = converge(&pair).await;
    assert!(applied.rows.insert > 2_000 && applied.rows.update > 2_000, "{:?}", applied.rows);
}
