//! Apply against an engine that fails on purpose: an in-memory database that understands the statements of
//! [`FAKE`], fails at a call of choice, and plays the tricks a replica can play.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::compare::RowChange;
use crate::engine::{Engine, Snapshot, Violation};
use crate::event::Silent;
use crate::plan::TablePlan;
use crate::plan::testing::*;
use crate::schema::{Catalog, Dependent};
use crate::server::Server;
use crate::sql::{EngineName, Select, Selection, TableName, TableWrite};
use crate::value::{Digest, RowBlock, RowsHasher, Value, put_field, put_null};

/// Column → value.
type FakeRow = BTreeMap<String, Option<i64>>;
type Tables = BTreeMap<String, BTreeMap<i64, FakeRow>>;

/// What a replica does behind apply's back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Trick {
    #[default]
    None,
    /// A trigger gives every row that is written this `ref`.
    Rewrites(i64),
    /// ON UPDATE CURRENT_TIMESTAMP on `more`: moves unless it is set.
    MovesUnlessSet,
    /// A trigger that always moves `more`.
    AlwaysMoves,
    /// A rule that suppresses deletes.
    KeepsRows,
    /// The check of foreign keys finds something.
    BreaksForeignKeys,
    /// Another trueup holds the lock.
    HoldsLock,
}

#[derive(Debug, Default)]
struct State {
    committed: Tables,
    working: Option<Tables>,
    calls: Vec<String>,
    /// Which call fails.
    fails_at: Option<usize>,
    /// How many of the calls to come that begin with this fail for something that passes.
    passing: (usize, &'static str),
    trick: Trick,
}

#[derive(Clone, Debug)]
struct FakeEngine {
    state: Arc<Mutex<State>>,
    dialect: &'static FakeDialect,
    server: Server,
}

struct FakeWriter(Arc<Mutex<State>>);

impl FakeEngine {
    fn new(tables: &[(&str, &[&[i64]])]) -> Self {
        let names = ["id", "ref", "more"];
        let row = |values: &[i64]| {
            let named = names.iter().zip(values);
            named.map(|(name, value)| ((*name).to_owned(), Some(*value))).collect::<FakeRow>()
        };
        let table = |rows: &[&[i64]]| rows.iter().map(|values| (values[0], row(values))).collect();
        let committed = tables.iter().map(|(name, rows)| ((*name).to_owned(), table(rows))).collect();
        FakeEngine {
            state: Arc::new(Mutex::new(State { committed, ..State::default() })),
            dialect: &FAKE,
            server: Server {
                engine: EngineName::Sqlite,
                version: "0".to_owned(),
                identity: "fake".to_owned(),
                instance: None,
                place: None,
                display: "fake".to_owned(),
                missing: false,
                read_only: None,
            },
        }
    }

    fn with(self, trick: Trick) -> Self {
        self.lock().trick = trick;
        self
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds this")
    }

    /// The rows of a table, as values in column order `id`, `more`, `ref`.
    fn rows(&self, table: &str) -> Vec<Vec<Option<i64>>> {
        self.lock().committed[table].values().map(|row| row.values().copied().collect()).collect()
    }

    fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }
}

#[async_trait]
impl Engine for FakeEngine {
    fn dialect(&self) -> &'static dyn Dialect {
        self.dialect
    }

    fn server(&self) -> &Server {
        &self.server
    }

    async fn catalog(&self, _schemas: &[Option<String>]) -> Result<Catalog, EngineError> {
        Err(EngineError::new(ErrorKind::Internal, "apply reads no catalog"))
    }

    async fn dependents(&self, _tables: &[TableName]) -> Result<Vec<Dependent>, EngineError> {
        Err(EngineError::new(ErrorKind::Internal, "apply reads no catalog"))
    }

    async fn knows(&self, _table: &TableName, _folding: crate::schema::Folding) -> Result<bool, EngineError> {
        Err(EngineError::new(ErrorKind::Internal, "apply reads no catalog"))
    }

    async fn snapshot(&self) -> Result<Arc<dyn Snapshot>, EngineError> {
        Err(EngineError::new(ErrorKind::Internal, "apply begins no snapshot"))
    }

    async fn writer(&self) -> Result<Box<dyn Writer>, EngineError> {
        self.lock().call("writer")?;
        Ok(Box::new(FakeWriter(Arc::clone(&self.state))))
    }
}

impl State {
    fn call(&mut self, what: &str) -> Result<(), EngineError> {
        let fails = self.fails_at == Some(self.calls.len());
        self.calls.push(what.to_owned());
        if self.passing.0 > 0 && what.starts_with(self.passing.1) {
            self.passing.0 -= 1;
            return Err(EngineError::new(ErrorKind::Timeout, "somebody holds a lock").passing());
        }
        if fails { Err(EngineError::new(ErrorKind::Connect, "the line was cut")) } else { Ok(()) }
    }

    fn tables(&mut self) -> &mut Tables {
        self.working.as_mut().expect("rows are only touched in a transaction")
    }

    fn run(&mut self, sql: &str) -> u64 {
        let (verb, rest) = sql.split_once(' ').expect("a statement has a verb");
        if matches!(verb, "add" | "drop") {
            return 0;
        }
        let (table, rows) = rest.split_once(' ').expect("a statement has rows");
        rows.split(';').map(|row| self.run_row(verb, table, row)).sum()
    }

    fn run_row(&mut self, verb: &str, table: &str, text: &str) -> u64 {
        let trick = self.trick;
        let rows = self.tables().get_mut(table).expect("the table exists");
        let (key, set) = text.split_once(' ').unwrap_or((text, text));
        let id = assignments(key)["id"].expect("a key is not NULL");
        let set = assignments(set);
        match verb {
            "insert" => assert!(rows.insert(id, set).is_none(), "row {id} is there already"),
            "delete" if trick == Trick::KeepsRows => return 0,
            "delete" => return u64::from(rows.remove(&id).is_some()),
            "update" => {
                let Some(row) = rows.get_mut(&id) else { return 0 };
                let moves = trick == Trick::AlwaysMoves || !set.contains_key("more");
                row.extend(set);
                if moves && matches!(trick, Trick::AlwaysMoves | Trick::MovesUnlessSet) {
                    row.insert("more".to_owned(), Some(999));
                }
            }
            other => panic!("no such statement: {other}"),
        }
        if let Trick::Rewrites(value) = trick {
            rows.get_mut(&id).expect("it was just written").insert("ref".to_owned(), Some(value));
        }
        1
    }
}

fn assignments(text: &str) -> FakeRow {
    let pairs = text.split(',').map(|pair| pair.split_once('=').expect("an assignment has a value"));
    pairs.map(|(name, value)| (name.to_owned(), value.parse().ok())).collect()
}

impl FakeWriter {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds this")
    }
}

#[async_trait]
impl Writer for FakeWriter {
    async fn lock(&mut self, _wait: Duration) -> Result<(), EngineError> {
        let mut state = self.state();
        state.call("lock")?;
        match state.trick {
            Trick::HoldsLock => Err(EngineError::new(ErrorKind::Locked, "another trueup holds the lock")),
            _ => Ok(()),
        }
    }

    async fn begin(&mut self) -> Result<(), EngineError> {
        let mut state = self.state();
        state.call("begin")?;
        state.working = Some(state.committed.clone());
        Ok(())
    }

    async fn execute(&mut self, sql: &str) -> Result<u64, EngineError> {
        let mut state = self.state();
        state.call(sql)?;
        Ok(state.run(sql))
    }

    async fn write(&mut self, write: TableWrite) -> Result<u64, EngineError> {
        let mut matched = 0;
        for sql in write.statements(&FAKE).expect("they fit") {
            matched += self.execute(&sql).await?;
        }
        Ok(matched)
    }

    async fn read(&mut self, select: &Select) -> Result<RowBlock, EngineError> {
        let mut state = self.state();
        let locked = if select.locked { "read locked" } else { "read" };
        state.call(&format!("{locked} {}", select.table))?;
        assert_eq!(select.scope, None, "a guard reads the row wherever it is");
        let Selection::Keys(keys) = &select.selection else { panic!("apply reads by key") };
        let rows = state.tables().get(&select.table.name).expect("the table exists");
        let mut block = RowBlock::default();
        for key in keys {
            let fields = crate::value::fields(key.bytes()).next().flatten();
            let Value::Integer(wanted) = crate::value::decode(&select.columns[0].domain, fields) else {
                panic!("keys are integers")
            };
            let named = &select.columns[0].column.name;
            for row in rows.values().filter(|row| row.get(named) == Some(&Some(wanted as i64))) {
                for column in &select.columns {
                    match row.get(&column.column.name).copied().flatten() {
                        Some(value) => put_field(block.buffer(), &value.to_be_bytes()),
                        None => put_null(block.buffer()),
                    }
                }
                block.close_row();
            }
        }
        Ok(block)
    }

    async fn count(
        &mut self,
        _select: &Select,
        _tallies: crate::engine::Tallies,
    ) -> Result<crate::engine::Tallies, EngineError> {
        panic!("no table here is without a key")
    }

    async fn any(&mut self, select: &Select) -> Result<bool, EngineError> {
        Ok(!self.read(select).await?.is_empty())
    }

    async fn digest(&mut self, select: &Select) -> Result<Digest, EngineError> {
        let mut hasher = RowsHasher::new(select.ordered);
        self.read(select).await?.rows().for_each(|row| hasher.add(row));
        Ok(hasher.finish())
    }

    async fn count_rows(&mut self, table: &TableName, _locked: bool) -> Result<u64, EngineError> {
        let mut state = self.state();
        state.call(&format!("count {table}"))?;
        Ok(state.tables()[&table.name].len() as u64)
    }

    async fn has_rows(&mut self, table: &TableName) -> Result<bool, EngineError> {
        let mut state = self.state();
        state.call(&format!("any rows {table}"))?;
        Ok(!state.tables()[&table.name].is_empty())
    }

    async fn foreign_key_violations(
        &mut self,
        _tables: &[TableName],
        _most: usize,
    ) -> Result<Vec<Violation>, EngineError> {
        let mut state = self.state();
        state.call("foreign keys")?;
        let broken = Violation { words: "child 7".to_owned(), known_by: Some("7".to_owned()) };
        Ok(if state.trick == Trick::BreaksForeignKeys { vec![broken] } else { Vec::new() })
    }

    async fn standing_violations(
        &mut self,
        _tables: &[TableName],
        _most: usize,
    ) -> Result<Vec<Violation>, EngineError> {
        self.state().call("standing")?;
        Ok(Vec::new())
    }

    async fn commit(&mut self) -> Result<(), EngineError> {
        let mut state = self.state();
        state.call("commit")?;
        state.committed = state.working.take().expect("a transaction is open");
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), EngineError> {
        let mut state = self.state();
        state.working = None;
        state.call("rollback")
    }
}

impl Drop for FakeWriter {
    fn drop(&mut self) {
        self.state().working = None;
    }
}

fn apply(engine: &FakeEngine, plan: &ReplicaPlan) -> Applied {
    apply_with(engine, plan, Arc::new(Silent), &Stop::default())
}

fn apply_with(engine: &FakeEngine, plan: &ReplicaPlan, observer: Arc<dyn Observer>, stop: &Stop) -> Applied {
    apply_by(engine, plan, &ApplyOptions::default(), observer, stop)
}

fn apply_by(
    engine: &FakeEngine,
    plan: &ReplicaPlan,
    options: &ApplyOptions,
    observer: Arc<dyn Observer>,
    stop: &Stop,
) -> Applied {
    let replica = Replica::new(Arc::new(engine.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime can be made");
    runtime.block_on(apply_replica(&replica, plan, options, &Unkept, &observer, stop))
}

/// Two tables, with a change of every kind and a row each that is not touched.
fn engine() -> FakeEngine {
    FakeEngine::new(&[("parent", &[&[1, 10], &[2, 20], &[9, 90]]), ("child", &[&[1, 1], &[2, 2], &[9, 9]])])
}

fn plan() -> ReplicaPlan {
    let parent = vec![update(&[1, 10], &[1, 11], &[1]), delete(&[2, 20]), insert(&[3, 30])];
    let child = vec![delete(&[1, 1]), update(&[2, 2], &[2, 3], &[1]), insert(&[4, 3])];
    let child = with_foreign_key(with_changes(table("child"), child), "parent", "ref", "id");
    with_tables(vec![child, with_changes(table("parent"), parent)])
}

fn one_table(changes: Vec<RowChange>) -> ReplicaPlan {
    with_tables(vec![with_changes(table("t"), changes)])
}

fn failure(applied: &Applied) -> &Failure {
    applied.error.as_ref().expect("it failed")
}

#[test]
fn everything_is_written_in_one_guarded_transaction() {
    let engine = engine();
    let applied = apply(&engine, &plan());
    assert_eq!(applied.outcome, Outcome::Applied, "{:?}", applied.error);
    assert_eq!(applied.rows, RowCounts { insert: 2, update: 2, delete: 2 });
    assert_eq!((applied.already, applied.batches, applied.verified), (0, (1, 1), None));
    assert_eq!(engine.rows("parent"), [[Some(1), Some(11)], [Some(3), Some(30)], [Some(9), Some(90)]]);
    assert_eq!(engine.rows("child"), [[Some(2), Some(3)], [Some(4), Some(3)], [Some(9), Some(9)]]);
    assert_eq!(
        engine.calls(),
        [
            "writer",
            "lock",
            "begin",
            // The guards of each step.
            "read locked child",
            "read locked parent",
            "read locked parent",
            "read locked child",
            "read locked child",
            "read locked parent",
            "delete child id=1",
            "update parent id=1 ref=11",
            "insert parent id=3,ref=30",
            "update child id=2 ref=3",
            "insert child id=4,ref=3",
            "delete parent id=2",
            "read child",
            "read parent",
            "read parent",
            "read child",
            "read child",
            "read parent",
            "foreign keys",
            "commit",
        ]
    );
}

#[test]
fn a_failure_at_any_call_leaves_nothing_behind() {
    let calls = {
        let engine = engine();
        apply(&engine, &plan());
        engine.calls().len()
    };
    for call in 0..calls {
        let engine = engine();
        engine.lock().fails_at = Some(call);
        let before = engine.lock().committed.clone();
        let applied = apply(&engine, &plan());
        assert_eq!(applied.outcome, Outcome::Error, "call {call}");
        assert_eq!(applied.rows, RowCounts::default(), "call {call}");
        assert_eq!(applied.batches, (0, 1), "call {call}");
        assert_eq!(engine.lock().committed, before, "call {call}");
        let made = engine.calls();
        let failed = made[call].clone();
        assert!(made[call + 1..].iter().all(|next| next == "rollback"), "after {failed}: {made:?}");
        let unknown = failure(&applied).message.contains("unknown whether the changes are in");
        assert_eq!(unknown, failed == "commit", "{failed}: {}", failure(&applied).message);
        assert_eq!(applied.commit_unknown, unknown);
    }
}

#[test]
fn running_again_after_a_failure_completes_the_work() {
    let engine = engine();
    engine.lock().fails_at = Some(8);
    assert_eq!(apply(&engine, &plan()).outcome, Outcome::Error);
    engine.lock().fails_at = None;
    assert_eq!(apply(&engine, &plan()).outcome, Outcome::Applied);
    // And once more finds everything there.
    let again = apply(&engine, &plan());
    assert_eq!((again.outcome, again.already), (Outcome::Applied, 6));
    assert_eq!(again.rows, RowCounts::default());
}

#[test]
fn a_row_that_moved_makes_the_plan_stale_and_nothing_is_written() {
    let moved: [(&str, RowChange); 4] = [
        ("an update's row changed", update(&[1, 11], &[1, 12], &[1])),
        ("an update's row went", update(&[5, 50], &[5, 51], &[1])),
        ("a delete's row changed", delete(&[1, 11])),
        ("an insert's key is taken", insert(&[1, 11])),
    ];
    for (what, change) in moved {
        let engine = FakeEngine::new(&[("t", &[&[1, 10], &[2, 20]])]);
        let applied = apply(&engine, &one_table(vec![change, update(&[2, 20], &[2, 21], &[1])]));
        assert_eq!(applied.outcome, Outcome::Stale, "{what}");
        assert_eq!(engine.rows("t"), [[Some(1), Some(10)], [Some(2), Some(20)]], "{what}");
        let calls = engine.calls();
        let reads = calls[3..].iter().filter(|call| *call == "read locked t").count();
        assert_eq!(
            (reads + 1, calls.last().map(String::as_str)),
            (calls[3..].len(), Some("rollback")),
            "{what}"
        );
        assert!(failure(&applied).message.starts_with("table t: 1 row on the replica"), "{what}");
        assert!(failure(&applied).key.as_deref().is_some_and(|keys| keys.starts_with("id = ")), "{what}");
    }
}

fn in_batches(engine: &FakeEngine, plan: &ReplicaPlan, batch_rows: u64) -> Applied {
    let options = ApplyOptions { batch_rows, ..ApplyOptions::default() };
    apply_by(engine, plan, &options, Arc::new(Silent), &Stop::default())
}

#[test]
fn more_than_a_batch_is_looked_at_as_a_whole_first_and_then_committed_batch_by_batch() {
    let engine = FakeEngine::new(&[("t", &[&[1, 10], &[2, 20], &[3, 30]])]);
    let changes =
        || vec![update(&[1, 10], &[1, 11], &[1]), update(&[2, 20], &[2, 21], &[1]), delete(&[3, 30])];
    let applied = in_batches(&engine, &one_table(changes()), 2);
    assert_eq!((applied.outcome, applied.batches), (Outcome::Applied, (2, 2)), "{:?}", applied.error);
    assert_eq!(applied.rows, RowCounts { insert: 0, update: 2, delete: 1 });
    let calls = engine.calls();
    assert_eq!(calls[2..7], ["begin", "read t", "read t", "read t", "rollback"], "the guards, without locks");
    assert_eq!(calls.iter().filter(|call| *call == "commit").count(), 2);

    // Stale before the first batch: nothing is written, not even the batch whose rows are as planned.
    let engine = FakeEngine::new(&[("t", &[&[1, 10], &[2, 99], &[3, 30]])]);
    let applied = in_batches(&engine, &one_table(changes()), 1);
    assert_eq!((applied.outcome, applied.batches), (Outcome::Stale, (0, 3)));
    assert_eq!(engine.rows("t").len(), 3);
}

#[test]
fn what_is_committed_before_a_failure_stays_and_is_told_and_running_again_completes() {
    let changes = || (1..=5).map(|id| insert(&[id, 10 * id])).collect::<Vec<_>>();
    let calls = {
        let engine = FakeEngine::new(&[("t", &[])]);
        in_batches(&engine, &one_table(changes()), 2);
        engine.calls().len()
    };
    for fails_at in 0..calls {
        let engine = FakeEngine::new(&[("t", &[])]);
        engine.lock().fails_at = Some(fails_at);
        let applied = in_batches(&engine, &one_table(changes()), 2);
        let committed = engine.lock().committed["t"].len();
        if applied.outcome != Outcome::Applied {
            let told = usize::try_from(applied.batches.0).expect("few") * 2;
            assert!(committed == told.min(5) || applied.commit_unknown, "call {fails_at}: {applied:?}");
            let says = failure(&applied).message.contains(" in and stay");
            assert_eq!(says, told > 0, "call {fails_at}: {applied:?}");
        }
        engine.lock().fails_at = None;
        let again = in_batches(&engine, &one_table(changes()), 2);
        assert_eq!(again.outcome, Outcome::Applied, "call {fails_at}");
        assert_eq!((again.already, engine.rows("t").len()), (committed as u64, 5), "call {fails_at}");
    }
}

#[test]
fn what_is_there_already_is_counted_and_left_alone() {
    let engine = FakeEngine::new(&[("t", &[&[1, 11], &[2, 20], &[3, 30]])]);
    let changes = vec![
        update(&[1, 10], &[1, 11], &[1]),
        update(&[2, 20], &[2, 21], &[1]),
        insert(&[3, 30]),
        delete(&[4, 40]),
    ];
    let applied = apply(&engine, &one_table(changes));
    assert_eq!((applied.outcome, applied.already), (Outcome::Applied, 3));
    assert_eq!(applied.rows, RowCounts { insert: 0, update: 1, delete: 0 });
    let written: Vec<_> = engine.calls().into_iter().filter(|call| call.contains(" id=")).collect();
    assert_eq!(written, ["update t id=2 ref=21"]);
}

#[test]
fn a_trigger_that_rewrites_a_row_is_found_before_the_commit() {
    let engine = FakeEngine::new(&[("t", &[&[1, 10]])]).with(Trick::Rewrites(77));
    let applied = apply(&engine, &one_table(vec![update(&[1, 10], &[1, 11], &[1]), insert(&[2, 20])]));
    assert_eq!(applied.outcome, Outcome::Error);
    assert_eq!(failure(&applied).kind, ErrorKind::Value);
    assert!(failure(&applied).message.starts_with("table t, column ref: "), "{:?}", applied.error);
    assert_eq!(failure(&applied).key.as_deref(), Some("id = 1"));
    assert_eq!(engine.rows("t"), [[Some(1), Some(10)]]);
}

#[test]
fn a_column_that_moved_by_itself_is_set_back_once() {
    let changes =
        || with_tables(vec![with_changes(wide_table("t"), vec![update(&[1, 10, 5], &[1, 11, 5], &[1])])]);
    let engine = FakeEngine::new(&[("t", &[&[1, 10, 5]])]).with(Trick::MovesUnlessSet);
    let applied = apply(&engine, &changes());
    assert_eq!(applied.outcome, Outcome::Applied, "{:?}", applied.error);
    assert_eq!(applied.rows, RowCounts { insert: 0, update: 1, delete: 0 });
    assert_eq!(engine.rows("t"), [[Some(1), Some(5), Some(11)]]);

    let engine = FakeEngine::new(&[("t", &[&[1, 10, 5]])]).with(Trick::AlwaysMoves);
    let applied = apply(&engine, &changes());
    assert_eq!(applied.outcome, Outcome::Error);
    assert!(failure(&applied).message.starts_with("table t, column more: "), "{:?}", applied.error);
    assert_eq!(engine.rows("t"), [[Some(1), Some(5), Some(10)]]);
}

#[test]
fn a_statement_that_matches_fewer_rows_is_rolled_back() {
    let engine = FakeEngine::new(&[("t", &[&[1, 10]])]).with(Trick::KeepsRows);
    let applied = apply(&engine, &one_table(vec![delete(&[1, 10])]));
    assert_eq!((applied.outcome, failure(&applied).kind), (Outcome::Error, ErrorKind::Changed));
    assert!(failure(&applied).message.contains("only 0 of 1 row to delete could be matched"));
}

#[test]
fn broken_foreign_keys_and_a_lock_held_end_without_a_write() {
    let engine = engine().with(Trick::BreaksForeignKeys);
    let applied = apply(&engine, &plan());
    assert_eq!((applied.outcome, failure(&applied).kind), (Outcome::Error, ErrorKind::Key));
    assert_eq!(failure(&applied).detail.as_deref(), Some("child 7"));
    assert_eq!(engine.calls().last().map(String::as_str), Some("rollback"));
    // Asked once what stood before, and not committed then either.
    let asked = engine.calls().iter().filter(|call| *call == "standing").count();
    assert_eq!((asked, engine.calls().iter().filter(|call| *call == "foreign keys").count()), (1, 2));

    let held = self::engine().with(Trick::HoldsLock);
    assert_eq!(apply(&held, &plan()).outcome, Outcome::Locked);
    assert_eq!(held.calls(), ["writer", "lock"]);
}

#[test]
fn a_delete_that_would_carry_on_to_rows_outside_the_plan_is_refused() {
    let cascading = |changes| {
        let mut child = with_foreign_key(with_changes(table("child"), changes), "parent", "ref", "id");
        child.pair.as_mut().expect("paired").foreign_keys[0].on_delete =
            crate::sql::ForeignKeyAction::Cascade;
        with_tables(vec![child, with_changes(table("parent"), vec![delete(&[9, 90])])])
    };
    let engine = engine();
    let applied = apply(&engine, &cascading(vec![update(&[2, 2], &[2, 3], &[1])]));
    assert_eq!((applied.outcome, failure(&applied).kind), (Outcome::Error, ErrorKind::Key));
    assert!(failure(&applied).message.contains("rows of table child still point at rows of table parent"));
    assert_eq!(engine.rows("parent").len(), 3);
    // Out of the way, by a delete or by another parent: nothing is carried on.
    for change in [delete(&[9, 9]), update(&[9, 9], &[9, 1], &[1])] {
        let engine = self::engine();
        let applied = apply(&engine, &cascading(vec![change]));
        assert_eq!(applied.outcome, Outcome::Applied, "{:?}", applied.error);
        assert_eq!(engine.rows("parent").len(), 2);
    }
}

/// Asks to stop once rows have been written.
struct Impatient(Stop);

impl Observer for Impatient {
    fn observe(&self, event: Event) {
        if matches!(event, Event::RowsWritten { .. }) {
            self.0.request();
        }
    }
}

#[test]
fn a_stop_while_writing_rolls_back() {
    let (engine, stop) = (engine(), Stop::default());
    let before = engine.lock().committed.clone();
    let applied = apply_with(&engine, &plan(), Arc::new(Impatient(stop.clone())), &stop);
    assert_eq!((applied.outcome, applied.batches), (Outcome::Interrupted, (0, 1)));
    assert_eq!(engine.lock().committed, before);
    assert_eq!(engine.calls().last().map(String::as_str), Some("rollback"));
}

#[test]
fn a_replica_with_nothing_to_write_is_not_opened() {
    let engine = engine();
    let endings = |change: &dyn Fn(&mut TablePlan)| {
        let mut table = with_changes(table("t"), vec![insert(&[1, 1])]);
        change(&mut table);
        apply(&engine, &with_tables(vec![table])).outcome
    };
    let withhold = |table: &mut TablePlan| {
        table.changes = withheld(table.changes.clone(), 0);
        table.withheld = std::mem::take(&mut table.summary);
    };
    assert_eq!(endings(&withhold), Outcome::Drift);
    assert_eq!(endings(&|table| table.truncated = true), Outcome::Error);
    let broken = |table: &mut TablePlan| table.error = Some(Failure::new(ErrorKind::Value, "too long"));
    assert_eq!(endings(&broken), Outcome::Error);
    assert_eq!(apply(&engine, &with_tables(vec![table("t")])).outcome, Outcome::InSync);
    let mut refused = plan();
    refused.refusals.push(crate::plan::Refusal {
        rule: "limits.deletes".to_owned(),
        table: None,
        limit: "1 row".to_owned(),
        found: "2 rows".to_owned(),
    });
    assert_eq!(apply(&engine, &refused).outcome, Outcome::Refused);
    assert_eq!(engine.calls(), [""; 0]);
}

fn with_new_column() -> ReplicaPlan {
    let mut table = with_changes(wide_table("t"), vec![update(&[1, 10, 0], &[1, 11, 5], &[1, 2])]);
    table.schema_changes = vec![add_column("t.more", false)];
    table.pair.as_mut().expect("paired").columns[2].on_replica = false;
    with_tables(vec![table])
}

#[test]
fn structure_changes_inside_the_transaction_where_it_can() {
    let engine = FakeEngine::new(&[("t", &[&[1, 10]])]);
    let applied = apply(&engine, &with_new_column());
    assert_eq!((applied.outcome, applied.schema_changes), (Outcome::Applied, 1), "{:?}", applied.error);
    assert_eq!(engine.calls()[2..5], ["begin", "add t.more", "read locked t"]);
}

#[test]
fn structure_changes_before_the_transaction_elsewhere_and_only_if_the_rows_are_as_planned() {
    let committing =
        |rows: &[&[i64]]| FakeEngine { dialect: &FAKE_COMMITTING, ..FakeEngine::new(&[("t", rows)]) };
    let engine = committing(&[&[1, 10]]);
    let applied = apply(&engine, &with_new_column());
    assert_eq!((applied.outcome, applied.schema_changes), (Outcome::Applied, 1), "{:?}", applied.error);
    let first = ["begin", "read t", "rollback", "add t.more", "begin", "read locked t"];
    assert_eq!(engine.calls()[2..8], first);

    let engine = committing(&[&[1, 99]]);
    let applied = apply(&engine, &with_new_column());
    assert_eq!((applied.outcome, applied.schema_changes), (Outcome::Stale, 0));
    assert_eq!(engine.calls()[2..], ["begin", "read t", "rollback"]);

    let engine = committing(&[&[1, 10]]).with(Trick::Rewrites(7));
    let applied = apply(&engine, &with_new_column());
    assert_eq!((applied.outcome, applied.schema_changes), (Outcome::Error, 1));
    assert!(failure(&applied).message.contains("made and stay"));
}

fn dropping(action: SchemaAction) -> ReplicaPlan {
    let mut plan = one_table(vec![delete(&[1, 10])]);
    plan.tables[0].schema_changes =
        vec![SchemaChange { action, sql: vec!["drop t".to_owned()], ..add_column("t.ref", false) }];
    plan
}

#[test]
fn what_is_dropped_goes_after_the_rows_and_in_their_transaction_where_it_can() {
    let engine = FakeEngine::new(&[("t", &[&[1, 10]])]);
    let applied = apply(&engine, &dropping(SchemaAction::DropTable));
    assert_eq!((applied.outcome, applied.schema_changes), (Outcome::Applied, 1), "{:?}", applied.error);
    let calls = ["delete t id=1", "read t", "foreign keys", "any rows t", "drop t", "commit"];
    assert_eq!(engine.calls()[4..], calls);

    let engine = FakeEngine { dialect: &FAKE_COMMITTING, ..FakeEngine::new(&[("t", &[&[1, 10]])]) };
    let applied = apply(&engine, &dropping(SchemaAction::DropTable));
    assert_eq!((applied.outcome, applied.schema_changes), (Outcome::Applied, 1), "{:?}", applied.error);
    let calls = ["delete t id=1", "read t", "foreign keys", "any rows t", "commit", "drop t"];
    assert_eq!(engine.calls()[4..], calls);

    // Of a column nothing but the hazard is asked.
    let engine = FakeEngine::new(&[("t", &[&[1, 10], &[2, 20]])]);
    assert_eq!(apply(&engine, &dropping(SchemaAction::DropColumn)).outcome, Outcome::Applied);
    assert!(!engine.calls().contains(&"any rows t".to_owned()));
}

#[test]
fn a_table_with_rows_that_the_plan_does_not_know_is_not_dropped() {
    for dialect in [&FAKE, &FAKE_COMMITTING] {
        let engine = FakeEngine { dialect, ..FakeEngine::new(&[("t", &[&[1, 10], &[2, 20]])]) };
        let applied = apply(&engine, &dropping(SchemaAction::DropTable));
        assert_eq!(applied.outcome, Outcome::Stale);
        assert!(failure(&applied).message.contains("rows that the plan does not know"));
        assert_eq!(engine.rows("t").len(), 2);
        assert_eq!(engine.calls().last().map(String::as_str), Some("rollback"));
    }
}

#[test]
fn a_row_that_is_put_back_must_be_as_it_was_also_out_of_scope() {
    let plan = |extra: i64| {
        let mut plan = one_table(Vec::new());
        let changes = [crate::plan::PlannedChange {
            change: insert(&[1, 10]),
            withheld: false,
            extra: Some(row(&[extra])),
            stored: None,
            copy: None,
        }];
        let table = plan.tables.remove(0).with_changes(changes.into_iter().collect()).expect("in memory");
        plan.tables.push(table);
        plan.tables[0].pair.as_mut().expect("paired").replica_extra = vec![extra_column("more", true)];
        plan
    };
    let engine = FakeEngine::new(&[("t", &[])]);
    assert_eq!(apply(&engine, &plan(5)).outcome, Outcome::Applied);
    assert_eq!(engine.rows("t"), [[Some(1), Some(5), Some(10)]]);
    let again = apply(&engine, &plan(5));
    assert_eq!((again.outcome, again.already), (Outcome::Applied, 1));
    assert_eq!(apply(&engine, &plan(6)).outcome, Outcome::Stale);
    // A trigger that sets a column out of scope is found too.
    let engine = FakeEngine::new(&[("t", &[])]).with(Trick::Rewrites(77));
    let mut rewritten = plan(5);
    let pair = rewritten.tables[0].pair.as_mut().expect("paired");
    pair.replica_extra[0].column.name = "ref".to_owned();
    pair.columns[1].sides.replica.name = "more".to_owned();
    let applied = apply(&engine, &rewritten);
    assert_eq!(applied.outcome, Outcome::Error);
    assert!(failure(&applied).message.starts_with("table t, column ref: "), "{:?}", applied.error);
}

/// Notes how often a transaction began anew, and how many rows are said to be in.
#[derive(Default)]
struct Tries(Mutex<Vec<u32>>, Mutex<u64>);

impl Observer for Tries {
    fn observe(&self, event: Event) {
        let mut in_now = self.1.lock().expect("nobody panics with it");
        match event {
            Event::Retried { tries, why, rows, .. } => {
                assert!(why.contains("somebody holds a lock"), "{why}");
                *in_now -= rows;
                self.0.lock().expect("nobody panics with it").push(tries);
            }
            Event::RowsWritten { rows } => *in_now += rows,
            _ => {}
        }
    }
}

#[test]
fn what_passes_by_itself_is_tried_again_from_its_guards() {
    for what in ["update", "read locked", "begin", "commit"] {
        let (engine, tries) = (engine(), Arc::new(Tries::default()));
        engine.lock().passing = (2, what);
        let applied = apply_with(&engine, &plan(), Arc::clone(&tries) as _, &Stop::default());
        assert_eq!(applied.outcome, Outcome::Applied, "{what}: {:?}", applied.error);
        assert_eq!(applied.rows, RowCounts { insert: 2, update: 2, delete: 2 }, "{what}");
        assert_eq!(*tries.0.lock().expect("nobody panics with it"), [1, 2], "{what}");
        assert_eq!(*tries.1.lock().expect("nobody panics with it"), 6, "{what}: no row is counted twice");
        let calls = engine.calls();
        let last = calls.iter().rposition(|call| call == "begin").expect("it began");
        assert!(calls[last + 1].starts_with("read locked"), "{what}: {calls:?}");
        assert_eq!(engine.rows("child").len(), 3, "{what}");
    }
}

#[test]
fn what_does_not_pass_is_told_with_what_was_tried() {
    let engine = engine();
    let before = engine.lock().committed.clone();
    engine.lock().passing = (usize::MAX, "update");
    let applied = apply(&engine, &plan());
    assert_eq!((applied.outcome, applied.batches), (Outcome::Error, (0, 1)));
    let failure = failure(&applied);
    assert!(failure.message.contains("somebody holds a lock; tried 6 times in "), "{}", failure.message);
    assert_eq!(engine.lock().committed, before);
    // A limit that the spec sets is not stretched by trying again.
    engine.lock().calls.clear();
    let limited = ApplyOptions { lock_limited: true, ..ApplyOptions::default() };
    let applied = apply_by(&engine, &plan(), &limited, Arc::new(Silent), &Stop::default());
    assert_eq!(applied.outcome, Outcome::Error);
    assert!(!self::failure(&applied).message.contains("tried"), "{:?}", applied.error);
    assert_eq!(engine.calls().iter().filter(|call| *call == "begin").count(), 1);
}
