//! Every built-in type by a table: values at its edges and their near misses, all of them different.
//!
//! For each [`Sample`] both sides are loaded with the same rows and found equal; then every row of the replica gets
//! its neighbour's value, and exactly those rows are found; they are written, and the server itself says that both
//! sides hold the same. Rows that are missing, extra rows and missing tables are written from the same values.
//!
//! The tables are data: `mysql_family`, `postgres` and `sqlite` hold no test of their own making.

pub mod mysql_family;
pub mod postgres;
pub mod sqlite;

use serde_json::Value as Json;

use crate::pair::Pair;
use crate::script::client;
use crate::servers::{Engine, Product, not_run};

/// A declared type and values of it.
pub struct Sample {
    /// The table's name.
    pub name: &'static str,
    /// The type as DDL writes it.
    pub declared: &'static str,
    /// SQL of values that are all different. NULL is another one, which every column here also holds.
    pub values: &'static [&'static str],
    /// Which servers have it.
    pub on: On,
}

/// Which servers have a type, or a value of it.
#[derive(Clone, Copy, PartialEq)]
pub enum On {
    All,
    /// MariaDB since this version.
    Mariadb(u32, u32),
    /// MySQL since this version.
    Mysql(u32),
}

impl On {
    /// Whether a server has it.
    pub fn has(self, product: &Product) -> bool {
        match self {
            On::All => true,
            On::Mariadb(major, minor) => product.name == "mariadb" && product.release() >= (major, minor),
            On::Mysql(major) => product.name == "mysql" && product.major() >= major,
        }
    }
}

/// A type that every version has.
const fn sample(name: &'static str, declared: &'static str, values: &'static [&'static str]) -> Sample {
    Sample { name, declared, values, on: On::All }
}

impl Sample {
    /// NULL among the values.
    fn all_values(&self) -> Vec<&'static str> {
        self.values.iter().copied().chain(["NULL"]).collect()
    }

    /// The table without rows.
    pub fn create(&self) -> String {
        format!("CREATE TABLE {} (id INTEGER NOT NULL PRIMARY KEY, v {});\n", self.name, self.declared)
    }

    /// One row for each value, each with the value that stands `shift` further.
    pub fn rows(&self, shift: usize) -> String {
        let values = self.all_values();
        let row = |at: usize| format!("({}, {})", at + 1, values[(at + shift) % values.len()]);
        let rows: Vec<String> = (0..values.len()).map(row).collect();
        // A value that strict mode refuses (an enum's 0) is in the table all the same.
        let word = if self.name.contains("failed") { "INSERT IGNORE" } else { "INSERT" };
        format!("{word} INTO {} VALUES {};\n", self.name, rows.join(", "))
    }
}

/// Runs all samples of one engine, all tables in one spec.
fn run(engine: Engine, samples: &[&Sample], settings: &str) {
    run_on(&Pair::new(engine, engine), samples, settings);
}

/// [`run`] on two databases that were prepared.
fn run_on(pair: &Pair, samples: &[&Sample], settings: &str) {
    let names: Vec<&str> = samples.iter().map(|sample| sample.name).collect();
    pair.tables(&format!("[{}]", names.join(", ")));
    let sides = [&pair.primary, &pair.replica];
    let failed: Vec<String> = samples
        .iter()
        .flat_map(|sample| {
            sides.map(|side| side.try_script(&format!("{settings}{}{}", sample.create(), sample.rows(0))))
        })
        .filter_map(Result::err)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(pair.primary.dump(), pair.replica.dump(), "loaded alike");
    in_sync(pair, samples);
    for sample in samples {
        pair.replica.execute_script(&format!("{settings}DELETE FROM {};\n{}", sample.name, sample.rows(1)));
    }
    every_row_is_found(pair, samples);
    applied(pair);
    // The same by the engine's own client.
    for sample in samples {
        pair.replica.execute_script(&format!("{settings}DELETE FROM {};\n{}", sample.name, sample.rows(1)));
    }
    by_script(pair);
    // Rows that are missing, and rows that are extra.
    for sample in samples {
        let (name, count) = (sample.name, sample.all_values().len());
        pair.replica.execute_script(&format!(
            "DELETE FROM {name} WHERE id % 2 = 1; UPDATE {name} SET id = id + {count} WHERE id % 4 = 0;"
        ));
    }
    applied(pair);
    for sample in samples {
        pair.replica.execute_script(&format!("DROP TABLE {};", sample.name));
    }
    applied(pair);
    let values: usize = samples.iter().map(|sample| sample.all_values().len()).sum();
    println!("{} types of {}, {values} values", samples.len(), pair.primary.engine.product().name);
}

fn in_sync(pair: &Pair, samples: &[&Sample]) {
    let plan = pair.document(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    assert_eq!(plan["summary"]["in_sync"], samples.len(), "{plan}");
}

fn every_row_is_found(pair: &Pair, samples: &[&Sample]) {
    let run =
        pair.run(&["plan", "spec.yml", "--detailed-exitcode", "--format", "json", "--progress", "never"]);
    assert_eq!((run.exit, run.stderr.as_str()), (Some(2), ""));
    let plan = run.document();
    let tables = plan["replicas"][0]["tables"].as_array().unwrap_or_else(|| panic!("no tables: {plan}"));
    assert_eq!(tables.len(), samples.len());
    let mut wrong = Vec::new();
    for (sample, table) in samples.iter().zip(tables) {
        let changes = table["changes"].as_array().expect("changes");
        let found: Vec<u64> = changes.iter().filter_map(|change| change["key"]["id"].as_u64()).collect();
        let all: Vec<u64> = (1..=sample.all_values().len() as u64).collect();
        if found != all {
            wrong.push(format!("{} ({}): {table}", sample.name, sample.declared));
            continue;
        }
        for change in changes {
            let sides = ["before", "after"].map(|side| change[side]["v"].to_string());
            // Reading the document drops what is only spelled differently in a JSON value.
            let alike = sides[0] == sides[1] && !sides[0].contains("\"json\":");
            if change["action"] != "update" || alike {
                wrong.push(format!("{}: {change}", sample.name));
            }
        }
        let mut shown: Vec<String> = changes.iter().map(|change| change["after"]["v"].to_string()).collect();
        // Text that is none and bytes are shown alike, as base64.
        shown.retain(|value| !value.contains("base64") && !value.contains("\"json\":"));
        shown.sort();
        let values = shown.len();
        shown.dedup();
        if shown.len() != values {
            wrong.push(format!("{}: two values are shown alike: {shown:?}", sample.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Makes both sides equal with the script of the plan.
fn by_script(pair: &Pair) {
    let run = pair.exits(&["plan", "spec.yml", "--format", "sql"], 0);
    std::fs::write(pair.path("plan.sql"), &run.stdout).expect("the script can be written");
    let client = client(pair.replica.engine, &pair.replica.url, &pair.path("plan.sql"), &[]);
    assert!(client.ok, "{}", client.said);
    same_rows(pair);
}

/// Applies what there is, and has the servers say that both sides are the same.
fn applied(pair: &Pair) {
    let run = pair.run(&["apply", "spec.yml", "-y", "--format", "json"]);
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    let document: Json = run.document();
    assert_eq!(document["replicas"][0]["verified"], true, "{document}");
    same_rows(pair);
}

fn same_rows(pair: &Pair) {
    let (primary, replica) = (pair.primary.dump(), pair.replica.dump());
    for (table, rows) in &primary {
        assert_eq!(Some(rows), replica.get(table), "{table}");
    }
    pair.exits(&["verify", "spec.yml"], 0);
}

/// Every sample of an engine that the server has.
pub fn samples(engine: Engine) -> Vec<&'static Sample> {
    let product = engine.product();
    let all: Vec<&'static Sample> = match engine {
        Engine::Sqlite => sqlite::SAMPLES.iter().collect(),
        Engine::Postgres => {
            let since_14 = postgres::SINCE_14.iter().filter(|_| product.major() >= 14);
            postgres::SAMPLES.iter().chain(since_14).collect()
        }
        Engine::Mariadb => mysql_family::SAMPLES.iter().collect(),
    };
    all.into_iter().filter(|sample| sample.on.has(&product)).collect()
}

/// What a database and a session need to hold them.
pub fn settings(engine: Engine) -> (&'static str, &'static str) {
    match engine {
        Engine::Sqlite => ("", ""),
        Engine::Postgres => (postgres::PRELUDE, postgres::SETTINGS),
        Engine::Mariadb => ("", mysql_family::SETTINGS),
    }
}

/// The samples that the server has; of the others it is told.
fn present(engine: Engine, samples: &'static [Sample]) -> Vec<&'static Sample> {
    let product = engine.product();
    let (present, lacking): (Vec<&Sample>, Vec<&Sample>) =
        samples.iter().partition(|sample| sample.on.has(&product));
    for sample in lacking {
        not_run(engine, &format!("the type {} ({})", sample.declared, sample.name), "it has no such type");
    }
    present
}

#[test]
fn every_type_of_the_mysql_family_is_lossless() {
    let samples = present(Engine::Mariadb, mysql_family::SAMPLES);
    run(Engine::Mariadb, &samples, mysql_family::SETTINGS);
}

/// The samples, where the server is of the version that has them; where not, they are told as not run.
fn since_version(since: u32, samples: &'static [Sample]) -> &'static [Sample] {
    if Engine::Postgres.product().major() >= since {
        return samples;
    }
    for sample in samples {
        not_run(
            Engine::Postgres,
            &format!("values of {} ({})", sample.declared, sample.name),
            "it lacks them",
        );
    }
    &[]
}

#[test]
fn every_type_of_postgresql_is_lossless() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.replica.execute_script(postgres::OTHER_OBJECTS);
    pair.both(postgres::PRELUDE);
    // Settings that print otherwise, which the tool's sessions must not take over.
    for side in [&pair.primary, &pair.replica] {
        side.execute_script(&format!(
            "ALTER DATABASE {0} SET DateStyle = 'SQL, DMY'; ALTER DATABASE {0} SET IntervalStyle = 'iso_8601';
             ALTER DATABASE {0} SET bytea_output = 'escape'; ALTER DATABASE {0} SET extra_float_digits = -3;
             ALTER DATABASE {0} SET TimeZone = 'Asia/Kolkata';",
            side.name
        ));
    }
    pair.replica
        .execute_script(&format!("ALTER DATABASE {} SET search_path = public, elsewhere", pair.replica.name));
    let newer = [(14, postgres::SINCE_14), (15, postgres::SINCE_15)];
    let samples: Vec<&Sample> = postgres::SAMPLES
        .iter()
        .chain(newer.into_iter().flat_map(|(since, samples)| since_version(since, samples)))
        .collect();
    run_on(&pair, &samples, postgres::SETTINGS);
}

#[test]
fn every_declaration_of_sqlite_is_lossless() {
    let samples: Vec<&Sample> = sqlite::SAMPLES.iter().collect();
    run(Engine::Sqlite, &samples, "");
}
