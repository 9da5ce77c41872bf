//! Auditing real databases in every ordered pair of engines: what is found is what was put there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use trueup::audit::{AuditOptions, audit_keys, audit_table};
use trueup::compare::{ChangeList, RowChange};
use trueup::engine::{Snapshot, connect};
use trueup::event::{Observer, Silent, Stop};
use trueup::schema::{Databases, TablePair, key_text, pair_table, select_tables};
use trueup::sides::Sides;
use trueup::spec::Spec;

use super::servers::{Database, Engine, open};

/// Words that sort, fold and pad differently from engine to engine, and from collation to collation.
const WORDS: &[&str] = &[
    "",
    "a",
    "A",
    "a ",
    "á",
    "ab",
    "a#b",
    "B",
    "b",
    "é",
    "E",
    "z",
    "Z",
    "_",
    "~",
    "ß",
    "ss",
    "\u{10000}",
    "\u{ffff}",
    "10",
    "9",
];

/// Rows by key: the word (empty for `items`), the number, and what hangs on them.
type Rows = BTreeMap<(String, i64), String>;

/// A simple generator: the test must be the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// The same rows on both sides but for some that are missing, extra or different, and a gap in the primary.
fn rows(random: &mut Random, keys: impl Iterator<Item = (String, i64)>) -> Sides<Rows> {
    let mut sides = Sides::<Rows>::default();
    for (index, key) in keys.enumerate() {
        let note = format!("note {} of {index}", "…".repeat(random.below(30) as usize));
        let in_gap = (1_000..2_200).contains(&index);
        let fate = random.below(200);
        if fate != 0 && !in_gap {
            sides.primary.insert(key.clone(), note.clone());
        }
        if fate != 1 {
            sides.replica.insert(key, if fate == 2 { note + "!" } else { note });
        }
    }
    sides
}

/// `+a/1`, `~a/2`, `-a/3` by brute force.
fn expected(sides: &Sides<Rows>, name: impl Fn(&(String, i64)) -> String) -> BTreeSet<String> {
    let keys: BTreeSet<_> = sides.primary.keys().chain(sides.replica.keys()).collect();
    let change = |key: &&(String, i64)| match (sides.primary.get(*key), sides.replica.get(*key)) {
        (Some(_), None) => Some('+'),
        (None, Some(_)) => Some('-'),
        (after, before) => (after != before).then_some('~'),
    };
    keys.iter().filter_map(|key| change(key).map(|letter| format!("{letter} {}", name(key)))).collect()
}

fn fill(database: &Database, items: &Rows, words: &Rows) {
    let text = match database.engine {
        Engine::Mariadb => "VARCHAR(80) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
        _ => "VARCHAR(80)",
    };
    let mut script = format!(
        "CREATE TABLE items (id BIGINT NOT NULL PRIMARY KEY, note {text});\n\
         CREATE TABLE words (word {text} NOT NULL, part INTEGER NOT NULL, note {text}, PRIMARY KEY (word, part));\n"
    );
    let mut insert = |table: &str, rows: &Rows, row: &dyn Fn(&(String, i64), &str) -> String| {
        let values: Vec<_> = rows.iter().map(|(key, note)| row(key, note)).collect();
        for some in values.chunks(500) {
            writeln!(script, "INSERT INTO {table} VALUES {};", some.join(",")).expect("a text takes all");
        }
    };
    insert("items", items, &|(_, id), note| format!("({id}, '{note}')"));
    insert("words", words, &|(word, part), note| format!("('{word}', {part}, '{note}')"));
    database.execute_script(&script);
}

struct Opened {
    pairs: Vec<TablePair>,
    snapshots: Sides<Arc<dyn Snapshot>>,
}

async fn opened(databases: &Sides<Database>) -> Opened {
    let spec = format!(
        "version: 1\nprimary: \"{}\"\nreplicas: {{ r: \"{}\" }}\ndefaults: {{ schema: ignore }}\ntables: [items, words]\n",
        databases.primary.url, databases.replica.url
    );
    let spec = Spec::parse(&spec, "spec.yml", &|_| None).expect("a spec");
    let engines = Sides::new(
        connect(&spec.primary, false).await.expect("the primary is there"),
        connect(&spec.replicas[0].side, false).await.expect("the replica is there"),
    );
    let catalogs = Sides::new(
        engines.primary.catalog(&[None]).await.expect("a catalog"),
        engines.replica.catalog(&[None]).await.expect("a catalog"),
    );
    let known = Databases {
        dialects: engines.as_ref().map(|engine| engine.dialect()),
        replica: &catalogs.replica,
        primary_default: catalogs.primary.default_schema.as_deref(),
        primary_enums: &[],
        primary_extensions: &Default::default(),
        now: jiff::Timestamp::UNIX_EPOCH,
        selected: &Default::default(),
        chosen: &Default::default(),
        allowed: &[],
    };
    let selected = select_tables(&spec, &catalogs.primary, &[]);
    let pair = |selected| pair_table(&spec, selected, &known).expect("the tables can be paired").pair;
    Opened {
        pairs: selected.iter().map(pair).collect(),
        snapshots: Sides::new(
            engines.primary.snapshot().await.expect("a moment"),
            engines.replica.snapshot().await.expect("a moment"),
        ),
    }
}

fn all(changes: &ChangeList) -> Vec<RowChange> {
    changes.iter().map(|planned| planned.expect("it is there").change).collect()
}

fn shown(pair: &TablePair, changes: &[RowChange]) -> Vec<String> {
    let letter = |change: &RowChange| match change {
        RowChange::Insert { .. } => '+',
        RowChange::Update { .. } => '~',
        RowChange::Delete { .. } => '-',
    };
    changes
        .iter()
        .map(|change| format!("{} {}", letter(change), key_text(pair, change.row().bytes())))
        .collect()
}

async fn audited(opened: &Opened, expected: &[BTreeSet<String>], sizes: &[Sides<u64>]) {
    let (observer, stop): (Arc<dyn Observer>, _) = (Arc::new(Silent), Stop::default());
    for (chunk_rows, jobs) in [(100, 4), (65_536, 1)] {
        let options = AuditOptions { chunk_rows, jobs, ..AuditOptions::default() };
        for ((pair, expected), rows) in opened.pairs.iter().zip(expected).zip(sizes) {
            let snapshots = opened.snapshots.clone();
            let found = audit_table(pair, "r", snapshots.clone(), &options, &observer, &stop).await;
            let found = found.unwrap_or_else(|why| panic!("{}: {why}", pair.table));
            let changes = all(&found.changes);
            let listed = shown(pair, &changes);
            assert_eq!(&listed.iter().cloned().collect::<BTreeSet<_>>(), expected, "{}", pair.table);
            assert_eq!((listed.len(), &found.rows), (expected.len(), rows), "{}", pair.table);
            assert_ne!(found.digest.primary, found.digest.replica);
            let order = pair.key_order();
            for change in &changes {
                let holding =
                    found.ranges.iter().filter(|drift| order.contains(&drift.range, change.row().bytes()));
                assert_eq!(holding.count(), 1);
            }
            let keys = changes.iter().map(|change| order.key_of(change.row().bytes())).collect();
            let again = audit_keys(pair, keys, snapshots, &options, &observer, &stop).await;
            let again = again.unwrap_or_else(|why| panic!("{}: {why}", pair.table));
            assert_eq!(
                shown(pair, &all(&again)),
                listed,
                "the same rows differ when they are looked up by key"
            );
        }
    }
}

#[test]
fn every_pair_of_engines_finds_what_differs() {
    let mut random = Random(11);
    let items = rows(&mut random, (0..6_000).map(|id| (String::new(), id * 1_000_003 - 50_000)));
    let all = WORDS.iter().flat_map(|word| (0..150).map(move |part| ((*word).to_owned(), part - 70)));
    let words = rows(&mut random, all);
    let expected = [
        expected(&items, |(_, id)| format!("id = {id}")),
        expected(&words, |(word, part)| format!("word = '{}', part = {part}", word.escape_debug())),
    ];
    let sizes = [&items, &words].map(|sides| sides.as_ref().map(|rows| rows.len() as u64));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    for (primary, replica) in Engine::pairs() {
        let databases = Sides::new(open(primary, "audit_primary"), open(replica, "audit_replica"));
        fill(&databases.primary, &items.primary, &words.primary);
        fill(&databases.replica, &items.replica, &words.replica);
        eprintln!("{} to {}", primary.name(), replica.name());
        runtime.block_on(async { audited(&opened(&databases).await, &expected, &sizes).await });
    }
}
