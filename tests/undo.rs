//! What a plan did is undone to the last value: also in columns that the spec does not name, of rows that were
//! deleted, and with the table and the column that were made. And where somebody wrote since, nothing is.

use std::sync::Arc;

use trueup::apply::ApplyOptions;
use trueup::engine::{Replica, connect};
use trueup::event::{Observer, Silent, Stop};
use trueup::plan::{self, Applied, LimitOverrides, Outcome, Plan, PlanKind, Remaining};
use trueup::reconcile::{Aim, Options, Run};
use trueup::report::{Command, Format, Paint, Report};
use trueup::spec::Spec;
use trueup::spool::Spool;
use trueup::verify::{Against, Verdict, verify_applied};

use super::pair::Pair;
use super::script::client;
use super::servers::{Database, Engine, open};

const PRIMARY: &str = "
    CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR(40), etag VARCHAR(40), ratio DOUBLE PRECISION,
        note VARCHAR(40));
    CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL, total DECIMAL(10,2),
        FOREIGN KEY (parent_id) REFERENCES parent (id));
    CREATE TABLE tree (id INTEGER PRIMARY KEY, name VARCHAR(40));
    CREATE TABLE fresh (id INTEGER PRIMARY KEY, word VARCHAR(40), n INTEGER);
    CREATE TABLE scoped (id INTEGER PRIMARY KEY, n INTEGER);
    INSERT INTO parent VALUES (1, 'one', 'e1', 1.5, 'n1'), (2, 'two', 'e2', NULL, NULL), (3, 'three', 'e3', 0.1, 'n3');
    INSERT INTO child VALUES (10, 1, 9.50), (11, 3, 1.00), (12, 2, NULL);
    INSERT INTO tree VALUES (1, 'root');
    INSERT INTO fresh VALUES (1, 'a', 1), (2, 'b', NULL);
    INSERT INTO scoped VALUES (1, 6), (4, 7);";

/// Columns of the replica alone, of every kind that its engine has and in which a value can be lost.
fn replica_script(engine: Engine) -> String {
    let (own, identity, boss, values) = match engine {
        Engine::Sqlite => (
            "own_text TEXT DEFAULT 'd', own_number NUMERIC, own_time DATETIME, own_blob BLOB,
             shout TEXT GENERATED ALWAYS AS (upper(name)) STORED",
            "INTEGER PRIMARY KEY",
            "boss INTEGER REFERENCES tree (id)",
            [
                "parent (id, name, etag, ratio, own_text, own_number, own_time, own_blob) VALUES
                    (7, 'seven', 'e7', 7.25, NULL, x'00ff', 'not a time', 1.5),
                    (8, NULL, 'e8', NULL, 'o''wn', 'text', 1700000000, NULL), (9, '', '', -0.0, '', 2.50, NULL, x'')",
                "UPDATE parent SET own_text = 'mine', own_time = '2020-01-01' WHERE id < 3",
            ],
        ),
        Engine::Postgres => (
            "own_text text DEFAULT 'd', own_numeric numeric, own_json json, own_interval interval, own_ids int[],
             own_at timestamptz DEFAULT now(), own_id bigint GENERATED ALWAYS AS IDENTITY, own_bytes bytea,
             own_yes boolean NOT NULL DEFAULT true, own_uuid uuid, own_char char(5), own_real real,
             shout text GENERATED ALWAYS AS (upper(name)) STORED",
            "INTEGER PRIMARY KEY GENERATED ALWAYS AS IDENTITY",
            "boss INTEGER REFERENCES tree (id)",
            [
                "parent (id, name, etag, ratio, own_text, own_numeric, own_json, own_interval, own_ids, own_bytes,
                    own_yes, own_uuid, own_char, own_real) VALUES
                    (7, 'seven', 'e7', 7.25, NULL, 1.500, '{\"b\": 1,  \"a\": 2}', '24 hours', '{1,NULL,3}', '\\x00ff',
                        false, '00000000-0000-0000-0000-00000000000a', 'ab', 0.1),
                    (8, NULL, 'e8', NULL, 'o''wn', 'NaN', '[]', '1 day', '{}', NULL, true, NULL, '', '-0'),
                    (9, '', '', '-0', '', 0.00, NULL, '-1 mon +2:03:04.5', NULL, '', true, NULL, NULL, NULL)",
                "UPDATE parent SET own_text = 'mine', own_at = '2020-01-01T00:00:00.123456Z' WHERE id < 3",
            ],
        ),
        Engine::Mariadb => (
            "own_text VARCHAR(40) DEFAULT 'd', own_decimal DECIMAL(12,4), own_json JSON, own_set SET('a', 'b'),
             own_enum ENUM('', 'x'), own_at TIMESTAMP(6) NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
             own_bits BIT(9), own_bytes VARBINARY(20), own_year YEAR, own_float FLOAT, own_fixed BINARY(4),
             own_big BIGINT UNSIGNED, own_time TIME(3),
             shout VARCHAR(40) GENERATED ALWAYS AS (upper(name)) VIRTUAL",
            "INTEGER PRIMARY KEY AUTO_INCREMENT",
            "boss INTEGER, FOREIGN KEY (boss) REFERENCES tree (id)",
            [
                "parent (id, name, etag, ratio, own_text, own_decimal, own_json, own_set, own_enum, own_at, own_bits,
                    own_bytes, own_year, own_float, own_fixed, own_big, own_time) VALUES
                    (7, 'seven', 'e7', 7.25, NULL, 1.5, '{\"b\": 1,  \"a\": 2}', 'a,b', 'x', '2020-01-02 03:04:05.678901',
                        b'100000001', x'00ff', 2020, 0.1, 'ab', 18446744073709551615, '-12:34:56.789'),
                    (8, NULL, 'e8', NULL, 'o''wn', -0.0001, '[]', '', '', NULL, 0, '', NULL, 1e-30, x'00', 0, NULL),
                    (9, '', '', 0, '', NULL, NULL, NULL, NULL, '2020-01-02', NULL, NULL, 0, NULL, NULL, NULL, NULL)",
                "UPDATE parent SET own_text = 'mine', own_at = '2020-01-01 00:00:00.123456' WHERE id < 3",
            ],
        ),
    };
    let (deferred, own_value) = match engine {
        Engine::Postgres => (" DEFERRABLE INITIALLY DEFERRED", " OVERRIDING SYSTEM VALUE"),
        _ => ("", ""),
    };
    let [rows, update] = values;
    format!(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR(40), etag VARCHAR(40), ratio DOUBLE PRECISION, {own});
         CREATE TABLE child (id {identity}, parent_id INTEGER NOT NULL, total DECIMAL(10,2),
             FOREIGN KEY (parent_id) REFERENCES parent (id){deferred});
         CREATE TABLE tree (id INTEGER PRIMARY KEY, name VARCHAR(40), {boss});
         CREATE TABLE scoped (id INTEGER PRIMARY KEY, n INTEGER);
         INSERT INTO parent (id, name, etag, ratio) VALUES (1, 'one', 'other', 1.5), (2, 'deux', 'e2', 2.5);
         {update};
         INSERT INTO {rows};
         INSERT INTO child (id, parent_id, total){own_value} VALUES (10, 1, 9.00), (17, 7, 3.25), (18, 8, NULL), (12, 9, 1.20);
         INSERT INTO tree VALUES (1, 'root', NULL), (13, 'top', NULL);
         INSERT INTO tree VALUES (12, 'under 13', 13);
         INSERT INTO tree VALUES (11, 'under 12', 12);
         INSERT INTO scoped VALUES (1, 2), (2, 9), (3, 1);"
    )
}

const TABLES: &str = "
  - { table: parent, compare: { etag: ignore } }
  - { table: child, schema: ignore }
  - { table: tree, schema: ignore }
  - fresh
  - { table: scoped, where: 'n > 5' }";

struct Fixture {
    primary: Database,
    replica: Database,
    pair: String,
    runtime: tokio::runtime::Runtime,
}

impl Fixture {
    fn new(primary: Engine, replica: Engine) -> Self {
        let pair = format!("{}/{}", primary.name(), replica.name());
        let (primary, replica) = (open(primary, "undo primary"), open(replica, "undo replica"));
        primary.execute_script(PRIMARY);
        replica.execute_script(&replica_script(replica.engine));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Fixture { primary, replica, pair, runtime: runtime.expect("a runtime can be built") }
    }

    fn spec(&self) -> Spec {
        let (primary, replica) = (&self.primary.url, &self.replica.url);
        let text = format!(
            "version: 1\nprimary: \"{primary}\"\nreplicas: {{ r: \"{replica}\" }}\ntables: {TABLES}\n"
        );
        Spec::parse(&text, "spec.yml", &|_| None).unwrap_or_else(|why| panic!("{why:?}"))
    }

    fn run(&self) -> Run {
        let options = Options { aim: Aim::Write, ..Options::default() };
        let run =
            self.runtime.block_on(Run::connect(&self.spec(), options, Arc::new(Silent), Stop::default()));
        run.unwrap_or_else(|why| panic!("{}: {why:?}", self.pair))
    }

    fn plan(&self, run: &Run) -> Plan {
        let plan =
            self.runtime.block_on(run.compare()).unwrap_or_else(|why| panic!("{}: {why:?}", self.pair));
        assert_eq!(plan.replicas[0].first_failure(), None, "{}", self.pair);
        plan
    }

    fn apply(&self, run: &Run, plan: &Plan, batch_rows: u64) -> Applied {
        // The writer before this one may still be saying goodbye to its server.
        let lock_wait = std::time::Duration::from_secs(10);
        let options = ApplyOptions { batch_rows, lock_wait, ..ApplyOptions::default() };
        self.runtime.block_on(run.apply(plan, &options)).remove(0)
    }

    /// Applies a plan, and wants it applied and verified.
    fn make(&self, run: &Run, plan: &Plan, batch_rows: u64) {
        let applied = self.apply(run, plan, batch_rows);
        assert_eq!(applied.outcome, Outcome::Applied, "{}: {:?}", self.pair, applied.error);
        assert_eq!(applied.verified, Some(true), "{}", self.pair);
    }
}

fn inverse(plan: &Plan) -> Plan {
    // A page at most in memory: the rest is read from the file.
    plan::inverse(plan, &Spool::new(0)).expect("there is room")
}

#[test]
fn after_an_undo_the_replica_is_what_it_was_to_the_last_value() {
    for (primary, replica) in Engine::pairs() {
        let fixture = Fixture::new(primary, replica);
        there_and_back(&fixture, 100_000);
        if primary == replica {
            there_and_back(&fixture, 2);
        }
    }
}

fn there_and_back(fixture: &Fixture, batch_rows: u64) {
    let (run, before) = (fixture.run(), fixture.replica.dump());
    let plan = fixture.plan(&run);
    let changes =
        plan.replicas.iter().flat_map(|replica| &replica.tables).flat_map(|table| &table.schema_changes);
    // Sequences are not set back.
    let structure = changes.filter(|change| change.action != plan::SchemaAction::SetSequence);
    assert_eq!(structure.count(), 2, "{}", fixture.pair);
    fixture.make(&run, &plan, batch_rows);
    let applied = fixture.replica.dump();
    assert_ne!(applied, before, "{}", fixture.pair);

    let undo = inverse(&plan);
    assert_eq!(undo.kind, PlanKind::Undo);
    let (there, back) = (plan.summary().changes, undo.summary().changes);
    assert_eq!((there.rows.insert, there.rows.delete), (back.rows.delete, back.rows.insert));
    let refused =
        plan::refusals(&undo.replicas[0], undo.kind, &fixture.spec().limits, &LimitOverrides::default());
    let rules: Vec<&str> = refused.iter().map(|refusal| refusal.rule.as_str()).collect();
    assert_eq!(
        rules,
        [trueup::spec::DELETES_DATA, trueup::spec::DELETES_DATA],
        "{}: {refused:?}",
        fixture.pair
    );
    fixture.make(&run, &undo, batch_rows);
    assert_eq!(fixture.replica.dump(), before, "{}: undone (first), before (second)", fixture.pair);

    // And once more: what was undone can be done again, and taken back again.
    let redo = inverse(&undo);
    fixture.make(&run, &redo, batch_rows);
    let found = fixture.plan(&run);
    let left =
        found.replicas.iter().flat_map(|replica| &replica.tables).flat_map(|table| &table.schema_changes);
    // The sequence of a table that was dropped meanwhile begins anew, and a plan taken back knows of no sequences.
    assert!(
        left.into_iter().all(|change| change.action == plan::SchemaAction::SetSequence),
        "{}",
        fixture.pair
    );
    assert_eq!(found.summary().changes.rows.total(), 0, "{}: {:?}", fixture.pair, found.summary());
    fixture.make(&run, &inverse(&redo), batch_rows);
    assert_eq!(fixture.replica.dump(), before, "{}: undone again (first), before (second)", fixture.pair);
}

#[test]
fn what_somebody_wrote_since_is_not_undone_and_nothing_else_is() {
    for engine in Engine::all() {
        let fixture = Fixture::new(engine, engine);
        stale(&fixture);
    }
}

fn stale(fixture: &Fixture) {
    let (run, before) = (fixture.run(), fixture.replica.dump());
    let plan = fixture.plan(&run);
    fixture.make(&run, &plan, 100_000);
    let undo = inverse(&plan);
    let meddled = [
        (
            "an inserted row changed",
            "UPDATE parent SET name = 'x' WHERE id = 3",
            "UPDATE parent SET name = 'three' WHERE id = 3",
        ),
        (
            "an updated row changed",
            "UPDATE parent SET name = 'x' WHERE id = 2",
            "UPDATE parent SET name = 'two' WHERE id = 2",
        ),
        (
            "a new column changed",
            "UPDATE parent SET note = 'x' WHERE id = 1",
            "UPDATE parent SET note = 'n1' WHERE id = 1",
        ),
        ("an updated row went", "DELETE FROM scoped WHERE id = 1", "INSERT INTO scoped VALUES (1, 6)"),
        (
            "a deleted row came again",
            "INSERT INTO parent (id, name) VALUES (7, 'x')",
            "DELETE FROM parent WHERE id = 7",
        ),
        // As it was, but for a column out of scope.
        (
            "a deleted row is nearly back",
            "INSERT INTO tree VALUES (13, 'top', 1)",
            "DELETE FROM tree WHERE id = 13",
        ),
        (
            "a new table has more rows",
            "INSERT INTO fresh VALUES (5, 'x', 5)",
            "DELETE FROM fresh WHERE id = 5",
        ),
    ];
    for (what, meddle, repair) in meddled {
        fixture.replica.execute_script(meddle);
        for batch_rows in [100_000, 2] {
            let dump = fixture.replica.dump();
            let applied = fixture.apply(&run, &undo, batch_rows);
            assert_eq!(applied.outcome, Outcome::Stale, "{}: {what}: {:?}", fixture.pair, applied.error);
            // Rows that the plan does not know show when the last batch is written.
            if applied.batches.0 == 0 {
                assert_eq!(fixture.replica.dump(), dump, "{}: {what}", fixture.pair);
            }
        }
        fixture.replica.execute_script(repair);
    }
    if fixture.replica.engine == Engine::Mariadb {
        // Which moved with every UPDATE here.
        let own_at = "UPDATE parent SET own_at = '2020-01-01 00:00:00.123456' WHERE id < 3";
        fixture.replica.execute_script(own_at);
    }
    fixture.make(&run, &undo, 100_000);
    assert_eq!(fixture.replica.dump(), before, "{}", fixture.pair);
}

#[test]
fn the_script_of_an_undo_does_the_same() {
    for engine in Engine::all() {
        let fixture = Fixture::new(engine, engine);
        scripted(&fixture);
    }
}

fn scripted(fixture: &Fixture) {
    let (run, before) = (fixture.run(), fixture.replica.dump());
    let plan = fixture.plan(&run);
    fixture.make(&run, &plan, 100_000);
    let undo = inverse(&plan);
    let mut script = Vec::new();
    let report = Report::new(Command::Plan, &undo);
    report.write(Format::Sql, Paint::Plain, &mut script).expect("there is a script");
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("undo.sql");
    std::fs::write(&file, script).expect("the script can be written");
    let client = || client(fixture.replica.engine, &fixture.replica.url, &file, &[]);

    fixture.replica.execute_script("INSERT INTO fresh VALUES (5, 'x', 5)");
    let meddled = fixture.replica.dump();
    let ended = client();
    assert!(
        !ended.ok && ended.said.contains("rows that the plan does not know"),
        "{}: {}",
        fixture.pair,
        ended.said
    );
    assert_eq!(fixture.replica.dump(), meddled, "{}", fixture.pair);
    fixture.replica.execute_script("DELETE FROM fresh WHERE id = 5");
    let ended = client();
    assert!(ended.ok, "{}: {}", fixture.pair, ended.said);
    assert_eq!(fixture.replica.dump(), before, "{}: undone (first), before (second)", fixture.pair);
}

#[test]
fn an_undo_is_checked_by_its_own_values() {
    for engine in Engine::all() {
        let fixture = Fixture::new(engine, engine);
        checked(&fixture);
    }
}

fn checked(fixture: &Fixture) {
    let run = fixture.run();
    let plan = fixture.plan(&run);
    fixture.make(&run, &plan, 100_000);
    let undo = inverse(&plan);
    // The primary has no say.
    fixture.primary.execute_script("UPDATE parent SET name = 'elsewhere'");
    fixture.make(&run, &undo, 100_000);
    let spec = fixture.spec();
    let replica =
        Replica::new(fixture.runtime.block_on(connect(&spec.replicas[0].side, true)).expect("it is there"));
    let meddled = [
        ("", 0),
        ("UPDATE parent SET own_text = 'x' WHERE id = 7", 1),
        ("DELETE FROM child WHERE id = 17", 2),
        ("UPDATE parent SET ratio = 9 WHERE id = 2", 3),
        ("INSERT INTO scoped VALUES (4, 7)", 4),
    ];
    for (meddle, expected) in meddled {
        if !meddle.is_empty() {
            fixture.replica.execute_script(meddle);
        }
        let observer: Arc<dyn Observer> = Arc::new(Silent);
        let options = trueup::audit::AuditOptions::default();
        let verdict = fixture.runtime.block_on(verify_applied(
            Against::Plan,
            &replica,
            &undo.replicas[0],
            &options,
            &observer,
            &Stop::default(),
        ));
        let wanted = match expected {
            0 => Verdict::InSync,
            rows => Verdict::Differs(Remaining { rows, stirred: Vec::new() }),
        };
        assert_eq!(verdict, wanted, "{}: {meddle}", fixture.pair);
    }
}

/// What the tool makes and takes back again: rows of every kind of change, two columns and two tables.
const SHOP: &str = "
    CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(40), n INTEGER, m INTEGER);
    CREATE TABLE fresh (id INTEGER PRIMARY KEY, w VARCHAR(40));
    CREATE TABLE other (id INTEGER PRIMARY KEY, w VARCHAR(40));
    INSERT INTO t VALUES (1, 'one', 7, NULL), (2, 'two', 8, 9), (4, 'four', NULL, NULL);
    INSERT INTO fresh VALUES (1, 'a'), (2, 'b');
    INSERT INTO other VALUES (3, 'c')";
const SHOP_REPLICA: &str = "
    CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(40), own VARCHAR(40));
    INSERT INTO t VALUES (1, 'eins', 'mine'), (3, 'drei', 'lost?'), (4, 'four', NULL)";

fn shop(engine: Engine) -> Pair {
    let pair = Pair::new(engine, engine);
    pair.primary.execute_script(SHOP);
    pair.replica.execute_script(SHOP_REPLICA);
    pair.tables("[t, fresh, other]");
    pair
}

#[track_caller]
fn taken_back(pair: &Pair, plan: &str) {
    // What drops anything must be allowed by name.
    pair.exits(&["apply", plan, "-y"], 3);
    let document = pair.document(&["apply", plan, "-y", "--allow", "DELETES_DATA"], 0);
    assert_eq!(document["verified"], true, "{document:#}");
}

#[test]
fn the_tool_saves_what_takes_an_apply_back_and_takes_it_back() {
    use std::os::unix::fs::PermissionsExt;
    for engine in Engine::all() {
        let pair = shop(engine);
        let before = pair.replica.dump();
        let run = pair.exits(&["apply", "spec.yml", "-y", "--undo", "back.plan"], 0);
        assert!(run.stderr.contains("Saved to back.plan what takes this back"), "{}", run.told());
        let mode = std::fs::metadata(pair.path("back.plan")).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        pair.exits(&["verify", "spec.yml"], 0);
        taken_back(&pair, "back.plan");
        assert_eq!(pair.replica.dump(), before, "{}", engine.name());

        pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
        let run = pair.exits(&["undo", "a.plan", "-o", "b.plan"], 0);
        assert!(run.stderr.contains("Once a.plan is applied, this takes it back"), "{}", run.told());
        pair.exits(&["apply", "a.plan", "-y"], 0);
        pair.exits(&["verify", "spec.yml"], 0);
        taken_back(&pair, "b.plan");
        assert_eq!(pair.replica.dump(), before, "{}", engine.name());
        // Once more is nothing.
        let document = pair.document(&["apply", "b.plan", "-y"], 0);
        assert_eq!(document["applied"]["schema_changes"], 0, "{document:#}");
        assert_eq!(pair.replica.dump(), before, "{}", engine.name());
    }
}

/// Where every DROP commits by itself, an undo may end between any two of them.
#[test]
fn an_undo_that_was_cut_off_between_its_drops_is_completed_by_running_it_again() {
    for engine in Engine::all() {
        let pair = shop(engine);
        let before = pair.replica.dump();
        for cut in 1..=4 {
            pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
            pair.exits(&["apply", "a.plan", "-y"], 0);
            pair.exits(&["undo", "a.plan", "-o", "b.plan"], 0);
            let document = pair.document(&["show", "b.plan"], 0);
            let tables = document["replicas"][0]["tables"].as_array().expect("a list").clone();
            let changes = tables.iter().flat_map(|table| table["schema_changes"].as_array().expect("a list"));
            let drops: Vec<String> = changes
                .map(|change| change["sql"].as_array().expect("a list"))
                .map(|sql| sql.iter().map(|one| one.as_str().expect("text")).collect::<Vec<_>>().join("; "))
                .collect();
            assert_eq!(drops.len(), 4, "{document:#}");
            // What the tool does, in its order: first the rows, then one drop after the other.
            pair.replica.execute_script(
                "DELETE FROM fresh; DELETE FROM other; DELETE FROM t WHERE id = 2;
                 UPDATE t SET v = 'eins', n = NULL WHERE id = 1; INSERT INTO t (id, v, own) VALUES (3, 'drei', 'lost?')",
            );
            drops[..cut].iter().for_each(|drop| pair.replica.execute_script(drop));
            let document = pair.document(&["apply", "b.plan", "-y", "--allow", "DELETES_DATA"], 0);
            assert_eq!(document["applied"]["schema_changes"], 4 - cut, "{document:#}");
            assert_eq!(pair.replica.dump(), before, "{}, cut after {cut}", engine.name());
        }
    }
}

/// A row that somebody wrote between two drops is theirs.
#[test]
fn an_undo_that_was_cut_off_is_stale_where_somebody_wrote_since() {
    let pair = shop(Engine::Mariadb);
    pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
    pair.exits(&["apply", "a.plan", "-y"], 0);
    pair.exits(&["undo", "a.plan", "-o", "b.plan"], 0);
    pair.replica.execute_script("DROP TABLE other; UPDATE t SET v = 'another' WHERE id = 1");
    let before = pair.replica.dump();
    pair.exits(&["apply", "b.plan", "-y", "--allow", "DELETES_DATA"], 4);
    assert_eq!(pair.replica.dump(), before);
}
