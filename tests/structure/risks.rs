//! Random structures on one engine: what drops something, or writes a table anew, never stands in a plan that names no
//! hazard for it.
//!
//! The servers tell what happened, not the plan: a table that was written anew has another file, number or page, and what
//! was dropped is not there any more. `TRUEUP_SEED` and `TRUEUP_ROUNDS` choose where to begin and how far to go.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::pair::Pair;
use crate::random::Dice;
use crate::servers::{Database, Engine};

/// Rounds of every engine where nobody asks for more.
const ROUNDS: u64 = 30;
/// Numbers and texts that a `1` and a `23` can be written into: one becomes another of its kind.
const TYPES: [(Engine, [&[&str]; 2]); 3] = [
    (Engine::Sqlite, [&["INTEGER", "INT", "BIGINT"], &["TEXT", "VARCHAR(5)", "CHAR(9)"]]),
    (
        Engine::Postgres,
        [
            &["smallint", "integer", "bigint", "numeric", "numeric(8,2)"],
            &["text", "varchar(5)", "varchar(9)"],
        ],
    ),
    (
        Engine::Mariadb,
        [&["smallint", "int", "bigint unsigned", "decimal(8,2)"], &["text", "varchar(5)", "varchar(300)"]],
    ),
];

/// A column besides the key.
#[derive(Clone, PartialEq)]
struct Column {
    name: String,
    declared: &'static str,
    not_null: bool,
    default: Option<u64>,
}

/// A table `t` with its key `id`.
#[derive(Clone, PartialEq)]
struct Shape {
    columns: Vec<Column>,
    /// Name, column and whether it is unique.
    indexes: Vec<(String, String, bool)>,
    /// Name, column and what it is larger than.
    checks: Vec<(String, String, u64)>,
    /// How many columns there have ever been: no name comes again for another.
    columns_ever: usize,
}

impl Shape {
    fn random(engine: Engine, dice: &mut Dice) -> Self {
        let mut shape =
            Shape { columns: Vec::new(), indexes: Vec::new(), checks: Vec::new(), columns_ever: 0 };
        for _ in 0..2 + dice.below(3) {
            shape.add_column(engine, dice);
        }
        for _ in 0..dice.below(3) {
            shape.add_index(dice);
        }
        if dice.chance(40) {
            shape.add_check(dice);
        }
        shape
    }

    fn add_column(&mut self, engine: Engine, dice: &mut Dice) {
        let name = format!("v{}", self.columns_ever);
        self.columns_ever += 1;
        let declared = kinds(engine)[dice.below(2)];
        let declared = declared[dice.below(declared.len())];
        let default = dice.chance(40).then(|| dice.next() % 90);
        self.columns.push(Column { name, declared, not_null: dice.chance(30), default });
    }

    fn add_index(&mut self, dice: &mut Dice) {
        let columns: Vec<&Column> = self.columns.iter().filter(|column| is_short(column.declared)).collect();
        if columns.is_empty() {
            return;
        }
        let column = dice.pick(&columns).name.clone();
        let name = format!("t_{}", dice.below(9));
        if self.indexes.iter().all(|index| index.0 != name) {
            self.indexes.push((name, column, dice.chance(30)));
        }
    }

    fn add_check(&mut self, dice: &mut Dice) {
        let column = dice.pick(&self.columns).clone();
        let name = format!("c_{}", dice.below(9));
        let is_number = !is_textual(column.declared);
        if is_number && self.checks.iter().all(|check| check.0 != name) {
            self.checks.push((name, column.name, 0));
        }
    }

    /// Another that differs in one thing or a few.
    fn changed(&self, engine: Engine, dice: &mut Dice) -> Self {
        let mut other = self.clone();
        for _ in 0..1 + dice.below(2) {
            other.change(engine, dice);
        }
        other
    }

    fn change(&mut self, engine: Engine, dice: &mut Dice) {
        let at = dice.below(self.columns.len());
        match dice.below(9) {
            0 => {
                let declared = &mut self.columns[at].declared;
                let kind =
                    kinds(engine).into_iter().find(|kind| kind.contains(declared)).expect("a type of a kind");
                *declared = kind[dice.below(kind.len())];
                self.keep_what_fits();
            }
            1 => self.columns[at].not_null ^= true,
            2 => self.columns[at].default = dice.chance(60).then(|| dice.next() % 90),
            3 => self.add_column(engine, dice),
            4 if self.columns.len() > 1 => {
                let gone = self.columns.remove(at).name;
                self.indexes.retain(|index| index.1 != gone);
                self.checks.retain(|check| check.1 != gone);
            }
            5 | 6 => self.add_index(dice),
            7 if !self.indexes.is_empty() => {
                let index = dice.below(self.indexes.len());
                if dice.chance(50) {
                    self.indexes.remove(index);
                } else {
                    self.indexes[index].0 = "t_other".to_owned();
                }
            }
            _ if !self.checks.is_empty() && dice.chance(50) => {
                self.checks.pop();
            }
            _ => self.add_check(dice),
        }
    }

    /// Indexes over texts of any length go, and checks of what is no number any more.
    fn keep_what_fits(&mut self) {
        let columns = self.columns.clone();
        let declared =
            |name: &str| columns.iter().find(|column| column.name == name).map(|column| column.declared);
        self.indexes.retain(|index| declared(&index.1).is_some_and(is_short));
        self.checks.clear();
    }

    fn script(&self) -> String {
        let mut parts = vec!["id integer NOT NULL PRIMARY KEY".to_owned()];
        for Column { name, declared, not_null, default } in &self.columns {
            let default = match default {
                Some(value) if is_textual(declared) => format!(" DEFAULT '{value}'"),
                Some(value) => format!(" DEFAULT {value}"),
                None => String::new(),
            };
            let not_null = if *not_null { " NOT NULL" } else { "" };
            parts.push(format!("{name} {declared}{default}{not_null}"));
        }
        let checks = self
            .checks
            .iter()
            .map(|(name, column, above)| format!("CONSTRAINT {name} CHECK ({column} > {above})"));
        parts.extend(checks);
        let indexes = self.indexes.iter().map(|(name, column, unique)| {
            format!("CREATE {}INDEX {name} ON t ({column});", if *unique { "UNIQUE " } else { "" })
        });
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        let row = |value: &str| vec![value; names.len()].join(", ");
        format!(
            "CREATE TABLE t ({}); {} INSERT INTO t (id, {}) VALUES (1, {}), (2, {});",
            parts.join(", "),
            indexes.collect::<String>(),
            names.join(", "),
            row("'1'"),
            row("'23'")
        )
    }
}

/// The numbers and the texts of an engine.
fn kinds(engine: Engine) -> [&'static [&'static str]; 2] {
    TYPES.iter().find(|(of, _)| *of == engine).expect("every engine has types").1
}

/// Whether a key can be over the whole of it everywhere.
fn is_short(declared: &str) -> bool {
    declared != "text"
}

fn is_textual(declared: &str) -> bool {
    let declared = declared.to_lowercase();
    declared.contains("text") || declared.contains("char")
}

/// What the server knows of a table: where its rows are, and the names of its columns; and how many indexes and checks it
/// has, which may change their names.
#[derive(Debug, PartialEq)]
struct Known {
    place: String,
    columns: BTreeSet<String>,
    indexes: String,
    checks: String,
}

fn known(engine: Engine, database: &Database) -> Known {
    let (place, columns, indexes, checks) = match engine {
        Engine::Sqlite => (
            "SELECT rootpage FROM sqlite_schema WHERE name = 't'",
            "SELECT name FROM pragma_table_info('t')",
            "SELECT count(*) FROM sqlite_schema WHERE type = 'index'",
            "SELECT (length(sql) - length(replace(sql, 'CHECK', ''))) / 5 FROM sqlite_schema WHERE name = 't'",
        ),
        Engine::Postgres => (
            "SELECT relfilenode FROM pg_class WHERE oid = 't'::regclass",
            "SELECT attname FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped",
            "SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass",
            "SELECT count(*) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'c'",
        ),
        Engine::Mariadb => (
            "SELECT table_id FROM information_schema.innodb_sys_tables WHERE name = concat(database(), '/t')",
            "SELECT column_name FROM information_schema.columns WHERE table_schema = database() AND table_name = 't'",
            "SELECT count(DISTINCT index_name) FROM information_schema.statistics
             WHERE table_schema = database() AND table_name = 't'",
            "SELECT count(*) FROM information_schema.check_constraints WHERE constraint_schema = database()",
        ),
    };
    let one = |sql: &str| database.query(sql)[0][0].clone().expect("a value");
    Known {
        place: one(place),
        columns: database.query(columns).into_iter().flatten().flatten().collect(),
        indexes: one(indexes),
        checks: one(checks),
    }
}

/// The hazards that a document names.
fn hazards(document: &Json) -> BTreeSet<String> {
    let changes = document["replicas"][0]["tables"][0]["schema_changes"].as_array().into_iter().flatten();
    let hazards = changes.flat_map(|change| change["hazards"].as_array().into_iter().flatten());
    hazards.filter_map(|hazard| hazard["name"].as_str()).map(str::to_owned).collect()
}

/// How many rounds changed what a hazard is for, and how many needed none.
#[derive(Default)]
struct Met {
    rewritten: u64,
    dropped: u64,
    quiet: u64,
}

fn round(engine: Engine, seed: u64, met: &mut Met) {
    let mut dice = Dice::new(seed);
    let before = Shape::random(engine, &mut dice);
    let after = before.changed(engine, &mut dice);
    let pair = Pair::new(engine, engine);
    pair.replica.execute_script(&before.script());
    pair.primary.execute_script(&after.script());
    pair.spec(
        "version: 1\nprimary: ${PRIMARY_URL}\nreplicas: { copy: \"${REPLICA_URL}\" }\nallow: [all]\ntables: [t]\n",
    );
    let title = format!("TRUEUP_SEED={seed} TRUEUP_ROUNDS=1 [{}]", engine.name());
    let found = known(engine, &pair.replica);
    let planned = pair.run(&["plan", "spec.yml", "--format", "json", "--report", "sql=plan.sql"]);
    assert_eq!(planned.exit, Some(0), "{title}: {}\n{}\n{}", planned.told(), before.script(), after.script());
    let document: Json = serde_json::from_str(&planned.stdout).expect("a document");
    let named = hazards(&document);
    let applied = pair.run(&["apply", "spec.yml", "-y"]);
    assert_eq!(applied.exit, Some(0), "{title}: {}", applied.told());
    let now = known(engine, &pair.replica);
    let has = |wanted: &[&str]| wanted.iter().any(|name| named.contains(*name));
    let told =
        || format!("{title}: {named:?}\n{}\n{}\n{}", before.script(), after.script(), pair.read("plan.sql"));
    if now.place != found.place {
        met.rewritten += 1;
        assert!(has(&["ACQUIRES_ACCESS_EXCLUSIVE_LOCK"]), "written anew: {}", told());
    }
    if !found.columns.is_subset(&now.columns) {
        met.dropped += 1;
        assert!(has(&["DELETES_DATA"]), "a column is gone: {}", told());
    }
    let fewer =
        |one: &str, other: &str| one.parse::<u64>().expect("a count") < other.parse().expect("a count");
    if fewer(&now.indexes, &found.indexes) {
        met.dropped += 1;
        assert!(
            has(&["INDEX_DROPPED", "CONSTRAINT_DROPPED", "DELETES_DATA"]),
            "an index is gone: {}",
            told()
        );
    }
    if fewer(&now.checks, &found.checks) {
        met.dropped += 1;
        assert!(has(&["CONSTRAINT_DROPPED", "DELETES_DATA"]), "a check is gone: {}", told());
    }
    if named.is_empty() {
        met.quiet += 1;
        let script = pair.read("plan.sql");
        for words in ["TRUNCATE", "DROP TABLE", "DROP COLUMN", "DROP INDEX", "DROP KEY", "DROP CONSTRAINT"] {
            // SQLite gives an index another name only so: it goes and comes at once.
            let renames =
                engine == Engine::Sqlite && words == "DROP INDEX" && !fewer(&now.indexes, &found.indexes);
            let is_own = |line: &&str| line.contains("_trueup_") || line.starts_with("--") || renames;
            let line = script.lines().filter(|line| !is_own(line)).find(|line| line.contains(words));
            assert!(line.is_none(), "{line:?} without a hazard: {}", told());
        }
    }
}

fn rounds(engine: Engine) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let first: u64 = number("TRUEUP_SEED").unwrap_or(1);
    let count: u64 = number("TRUEUP_ROUNDS").unwrap_or(ROUNDS);
    let mut met = Met::default();
    for seed in first..first + count {
        round(engine, seed, &mut met);
    }
    if count >= ROUNDS {
        assert!(met.rewritten > 0 && met.dropped > 0 && met.quiet > 0, "the rounds prove little");
    }
}

#[test]
fn no_risk_goes_unnamed_on_sqlite() {
    rounds(Engine::Sqlite);
}

#[test]
fn no_risk_goes_unnamed_on_postgres() {
    rounds(Engine::Postgres);
}

#[test]
fn no_risk_goes_unnamed_on_mariadb() {
    rounds(Engine::Mariadb);
}
