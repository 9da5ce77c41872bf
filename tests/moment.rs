//! A writer that commits all the time never yields a torn view: what `plan` sees of a side is one committed state,
//! on every engine, in every mode but `snapshot: none`, with which the same test sees the tear.
//!
//! Two tables hold amounts. Every transaction moves some from one to the other, moves a row between them, and
//! writes its number into a row at either end of both. So each committed state has the same sum, as many rows, and
//! one number in four places. The replica is a copy from before, which with the plan's changes gives what was seen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::pair::Pair;
use crate::servers::{self, Database, Engine};

/// Rows of each table at first, with even ids.
const ROWS: i64 = 4_000;
/// Rows that move, at odd ids.
const TRAVELLERS: i64 = 40;
const AMOUNT: i64 = 100;
/// The last row of each table.
const LAST: i64 = 1_000_000;

const TABLES: [&str; 2] = ["a", "b"];

fn schema_and_rows() -> String {
    let mut script = String::new();
    for table in TABLES {
        script.push_str(&format!(
            "CREATE TABLE {table} (id int NOT NULL PRIMARY KEY, amount int NOT NULL, note varchar(60));\n"
        ));
        let travellers = (0..if table == "a" { TRAVELLERS } else { 0 }).map(|one| 2 * one + 1);
        let ids: Vec<i64> = (1..=ROWS).map(|at| 2 * at).chain(travellers).chain([0, LAST]).collect();
        for ids in ids.chunks(500) {
            let amount = |id: &i64| if [0, LAST].contains(id) { 0 } else { AMOUNT };
            let rows: Vec<String> =
                ids.iter().map(|id| format!("({id}, {}, 'as long as a note')", amount(id))).collect();
            script.push_str(&format!("INSERT INTO {table} VALUES {};\n", rows.join(", ")));
        }
    }
    script
}

/// A thread that commits until this is dropped.
struct Writer {
    stop: Arc<AtomicBool>,
    commits: Arc<AtomicU64>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Writer {
    fn start(database: Arc<Database>) -> Writer {
        let (stop, commits) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (asked, counted) = (Arc::clone(&stop), Arc::clone(&commits));
        let thread = std::thread::spawn(move || {
            let mut state = State::new();
            while !asked.load(Ordering::Relaxed) {
                let sql = state.next_transaction();
                database.execute_script(&sql);
                counted.fetch_add(1, Ordering::Relaxed);
                // Without a log, SQLite has no queue: readers of a file that is locked all the time never get in.
                std::thread::sleep(Duration::from_millis(3));
            }
        });
        Writer { stop, commits, thread: Some(thread) }
    }

    fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(std::thread::JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))), "the writer failed");
    }
}

struct State {
    number: i64,
    random: u64,
    /// Table and id of each.
    travellers: Vec<(usize, i64)>,
}

impl State {
    fn new() -> State {
        let travellers = (0..TRAVELLERS).map(|one| (0, 2 * one + 1)).collect();
        State { number: 0, random: 0x9e37_79b9_7f4a_7c15, travellers }
    }

    fn random(&mut self, below: i64) -> i64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        i64::try_from(self.random % below.unsigned_abs()).expect("it is below")
    }

    fn next_transaction(&mut self) -> String {
        self.number += 1;
        let mut sql = "BEGIN;\n".to_owned();
        for (from, to) in [(0, 1), (1, 0)] {
            let (take, give, some) = (self.random(ROWS) + 1, self.random(ROWS) + 1, self.random(50));
            for (table, id, some) in [(from, take, -some), (to, give, some)] {
                let table = TABLES[table];
                sql.push_str(&format!(
                    "UPDATE {table} SET amount = amount + {some} WHERE id = {};\n",
                    2 * id
                ));
            }
        }
        let one = self.random(TRAVELLERS);
        let (table, id) = self.travellers[usize::try_from(one).expect("a place")];
        // No two can meet: their numbers differ by less than their count.
        let (other, place) = (1 - table, 2 * (self.random(ROWS / TRAVELLERS) * TRAVELLERS + one) + 1);
        self.travellers[usize::try_from(one).expect("a place")] = (other, place);
        sql.push_str(&format!("DELETE FROM {} WHERE id = {id};\n", TABLES[table]));
        sql.push_str(&format!("INSERT INTO {} VALUES ({place}, {AMOUNT}, 'moved');\n", TABLES[other]));
        for (table, sign) in [("a", ""), ("b", "-")] {
            let number = self.number;
            sql.push_str(&format!("UPDATE {table} SET amount = {sign}{number} WHERE id IN (0, {LAST});\n"));
        }
        sql + "COMMIT;\n"
    }
}

/// What a plan saw of the primary: id and amount of each row.
type Seen = BTreeMap<(usize, i64), i64>;

fn at_first() -> Seen {
    let mut seen = Seen::new();
    for table in [0, 1] {
        seen.extend((1..=ROWS).map(|at| ((table, 2 * at), AMOUNT)));
        seen.extend([0, LAST].map(|id| ((table, id), 0)));
    }
    seen.extend((0..TRAVELLERS).map(|one| ((0, 2 * one + 1), AMOUNT)));
    seen
}

fn seen(document: &Json) -> Seen {
    let mut seen = at_first();
    for found in document["replicas"][0]["tables"].as_array().expect("tables") {
        let table = TABLES.iter().position(|name| found["table"] == **name).expect("a known table");
        for change in found["changes"].as_array().expect("changes") {
            let id = change["key"]["id"].as_i64().expect("a key");
            match change["action"].as_str() {
                Some("delete") => assert!(seen.remove(&(table, id)).is_some(), "{change}"),
                _ => {
                    if let Some(amount) = change["after"]["amount"].as_i64() {
                        seen.insert((table, id), amount);
                    }
                }
            }
        }
    }
    seen
}

/// What a plan saw of the replica, where the primary is the copy from before.
fn seen_of_replica(document: &Json) -> Seen {
    let mut seen = at_first();
    for found in document["replicas"][0]["tables"].as_array().expect("tables") {
        let table = TABLES.iter().position(|name| found["table"] == **name).expect("a known table");
        for change in found["changes"].as_array().expect("changes") {
            let id = change["key"]["id"].as_i64().expect("a key");
            match change["action"].as_str() {
                Some("insert") => assert!(seen.remove(&(table, id)).is_some(), "{change}"),
                _ => {
                    if let Some(amount) = change["before"]["amount"].as_i64() {
                        seen.insert((table, id), amount);
                    }
                }
            }
        }
    }
    seen
}

/// Why what was seen is no committed state.
fn tear(seen: &Seen) -> Option<String> {
    let sum: i64 = seen.values().sum();
    let first = at_first();
    let numbers = [(0, 0), (0, LAST), (1, 0), (1, LAST)].map(|place| seen[&place].abs());
    let whole = sum == first.values().sum::<i64>()
        && seen.len() == first.len()
        && numbers.iter().all(|number| *number == numbers[0]);
    (!whole).then(|| format!("transactions {numbers:?}, sum {sum}, {} rows", seen.len()))
}

/// Rows of both sides that nobody touches, so many that several connections read parts of the table.
fn filler(engine: Engine) -> String {
    let numbers = match engine {
        Engine::Sqlite => {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000) SELECT i FROM n"
        }
        Engine::Postgres => "SELECT generate_series(1, 150000) AS i",
        Engine::Mariadb => "SELECT seq AS i FROM seq_1_to_150000",
    };
    let analyze = match engine {
        Engine::Mariadb => "ANALYZE TABLE a",
        _ => "ANALYZE",
    };
    format!("INSERT INTO a SELECT 10000 + i, {AMOUNT}, 'a row that stays' FROM ({numbers}) f;\n{analyze};\n")
}

/// A pair with a primary that changes and a replica that does not.
struct Live {
    pair: Pair,
    primary: Arc<Database>,
}

impl Live {
    fn new(primary: Database, more: &str) -> Live {
        let pair = Pair::new(Engine::Sqlite, primary.engine);
        // What the pair calls its primary stays empty: the writer's thread shares ours.
        let primary = Arc::new(primary);
        for side in [&*primary, &pair.replica] {
            side.execute_script(&format!("{more}{}", schema_and_rows()));
        }
        Live { pair, primary }
    }

    /// Plans with these options of the primary: the document.
    fn plan(&self, url: &str, options: &str) -> Json {
        self.pair.spec(&format!(
            "version: 1\nprimary: {{ url: \"${{LIVE_URL}}\", {options} }}\n\
             replicas: {{ copy: \"${{REPLICA_URL}}\" }}\ntables: [a, b]\n"
        ));
        let begun = Instant::now();
        let run = self
            .pair
            .run_with(&["plan", "spec.yml", "--format", "json", "--chunk-rows", "100"], &[("LIVE_URL", url)]);
        assert_eq!(run.exit, Some(0), "{options}, {:?}: {}", begun.elapsed(), run.told());
        run.document()
    }

    /// How the snapshot is made while this database is quiet; other tests may write to the same server.
    fn uses(&self, url: &str, words: &[&str]) {
        let mut methods = Vec::new();
        for _ in 0..30 {
            let document = self.plan(url, "snapshot: auto");
            let method = document["primary"]["snapshot"].as_str().expect("a method").to_owned();
            if words.iter().all(|word| method.contains(word)) {
                return;
            }
            methods.push(method);
        }
        panic!("not {words:?}: {methods:?}");
    }

    /// Plans while a writer commits: every plan sees one state. How the snapshots were made, by number of plans.
    fn sees_one_moment(
        &self,
        writer: &Writer,
        url: &str,
        options: &str,
        plans: u32,
    ) -> BTreeMap<String, usize> {
        let mut methods = BTreeMap::new();
        for _ in 0..plans {
            let commits = writer.commits();
            let document = self.plan(url, options);
            let method = document["primary"]["snapshot"].as_str().expect("a method").to_owned();
            if let Some(tear) = tear(&seen(&document)) {
                panic!("{options}, {method}: {tear}");
            }
            *methods.entry(without_place(&method)).or_default() += 1;
            // The writer is at it, or it waits for our read transaction to end.
            wait_for(|| writer.commits() > commits + 3);
        }
        methods
    }

    /// Without a moment the same test sees the tear.
    fn is_torn_without_one(&self, writer: &Writer) {
        for _ in 0..60 {
            let commits = writer.commits();
            let document = self.plan(&self.primary.url, "snapshot: none");
            assert!(document["primary"]["snapshot"].as_str().expect("a method").starts_with("none; "));
            if tear(&seen(&document)).is_some() {
                return;
            }
            wait_for(|| writer.commits() > commits);
        }
        panic!("no plan without a snapshot was torn: this test could not see one");
    }
}

/// The place in the binary log differs each time.
fn without_place(method: &str) -> String {
    method.split(", ").next().unwrap_or_default().to_owned()
}

fn wait_for(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the writer does not get on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// All modes on a live primary, and what is used when nobody writes.
fn every_mode(live: &Live, several: &str) {
    let url = live.primary.url.clone();
    live.uses(&url, &["4 connections", several]);
    let writer = Writer::start(Arc::clone(&live.primary));
    for options in ["snapshot: auto", "snapshot: lock", "snapshot: auto, connections: 1"] {
        let methods = live.sees_one_moment(&writer, &url, options, 6);
        println!("{} {options}: {methods:?}", live.primary.engine.name());
    }
    live.is_torn_without_one(&writer);
}

#[test]
fn sqlite_with_a_log_sees_one_moment() {
    let live = Live::new(servers::open(Engine::Sqlite, "moment"), "PRAGMA journal_mode = WAL;");
    every_mode(&live, "data_version");
}

#[test]
fn sqlite_with_a_rollback_journal_sees_one_moment() {
    let live = Live::new(servers::open(Engine::Sqlite, "moment"), "PRAGMA journal_mode = DELETE;");
    every_mode(&live, "data_version");
}

#[test]
fn postgres_sees_one_moment() {
    every_mode(&Live::new(servers::open(Engine::Postgres, "moment"), ""), "an exported snapshot");
}

#[test]
fn the_mysql_family_sees_one_moment() {
    let live = Live::new(servers::open(Engine::Mariadb, "moment"), "");
    every_mode(&live, "InnoDB");
}

#[test]
fn mariadb_without_a_binary_log_sees_one_moment() {
    let live = Live::new(servers::unlogged_mariadb().fresh_database("moment"), "");
    every_mode(&live, "InnoDB");
}

/// Without the right to see InnoDB's views: by the binary log where there is one, else one reader alone.
#[test]
fn the_mysql_family_sees_one_moment_without_rights() {
    let product = servers::mariadb().product.clone();
    for (database, logged) in [
        (servers::open(Engine::Mariadb, "moment"), !product.is_mysql()),
        (servers::unlogged_mariadb().fresh_database("moment"), false),
    ] {
        let live = Live::new(database, "");
        let url = live.primary.limited_role(&format!("GRANT SELECT ON {}.* TO {{role}};", live.primary.name));
        live.uses(
            &url,
            &[if logged { "4 connections (at the same place in the binary log" } else { "PROCESS" }],
        );
        let writer = Writer::start(Arc::clone(&live.primary));
        println!("{:?}", live.sees_one_moment(&writer, &url, "snapshot: auto", 6));
        drop(writer);
        // The lock takes a right, which the error names.
        let run = live.pair.run_with(&["plan", "spec.yml"], &[("LIVE_URL", &url)]);
        assert_eq!(run.exit, Some(0), "{}", run.told());
        let spec = live.pair.read("spec.yml").replace("snapshot: auto", "snapshot: lock");
        live.pair.spec(&spec);
        let run = live.pair.run_with(&["plan", "spec.yml"], &[("LIVE_URL", &url)]);
        assert_eq!(run.exit, Some(1), "{}", run.told());
        assert!(run.told().contains("RELOAD"), "{}", run.told());
    }
}

/// A table that is read in parts, by several connections, on every engine.
#[test]
fn the_parts_of_a_large_table_are_of_one_moment() {
    for engine in Engine::all() {
        let more = if engine == Engine::Sqlite { "PRAGMA journal_mode = WAL;" } else { "" };
        let live = Live::new(servers::open(engine, "moment"), more);
        for side in [&*live.primary, &live.pair.replica] {
            side.execute_script(&filler(engine));
        }
        let writer = Writer::start(Arc::clone(&live.primary));
        let methods = live.sees_one_moment(&writer, &live.primary.url, "snapshot: auto", 3);
        println!("{} in parts: {methods:?}", engine.name());
    }
}

/// A replica that somebody writes to while it is compared, on every engine.
#[test]
fn a_replica_that_changes_is_seen_at_one_moment() {
    for engine in Engine::all() {
        let more = if engine == Engine::Sqlite { "PRAGMA journal_mode = WAL;" } else { "" };
        let live = Live::new(servers::open(engine, "moment"), more);
        live.pair.spec(
            "version: 1\nprimary: ${REPLICA_URL}\nreplicas: { copy: \"${LIVE_URL}\" }\ntables: [a, b]\n",
        );
        let writer = Writer::start(Arc::clone(&live.primary));
        for _ in 0..6 {
            let commits = writer.commits();
            let args = ["plan", "spec.yml", "--format", "json", "--chunk-rows", "100"];
            let run = live.pair.run_with(&args, &[("LIVE_URL", &live.primary.url)]);
            assert_eq!(run.exit, Some(0), "{}", run.told());
            if let Some(tear) = tear(&seen_of_replica(&run.document())) {
                panic!("{}: {tear}", engine.name());
            }
            wait_for(|| writer.commits() > commits + 3);
        }
    }
}
