//! The cross-matrix of types: every ordered pair of engines, every comparable pair of types, and values at the edges.
//!
//! What is compared as what is read from `TYPES.md`, line by line, so that a new row of `schema/comparable.rs` without
//! values here fails. For each pair of types both sides are loaded with the same values, and nothing is planned;
//! every value is altered to its nearest neighbour beside one that is not, and exactly those rows and columns are
//! planned; they are applied, and nothing is left to plan. Then the replica's tables are emptied and copied again. A
//! value outside of what a side can say is an error that names table, key and column; two types without a common
//! domain are one that names the spec line which settles it.
//!
//! `kind` says what each type holds, `values` has the values once for all engines, `line` reads the document,
//! `matrix` puts them together; here they are run. `sqlite` is SQLite beside itself, which goes by storage class.

mod kind;
mod line;
mod matrix;
mod sqlite;
mod values;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::pair::Pair;
use crate::servers::{Database, Engine, Product, mariadb, not_run, private_mariadb, runs_on};
use crate::types::{mysql_family, postgres};

use matrix::{Counts, Matrix, Pairing, Refused};

type Dump = BTreeMap<String, Vec<String>>;

/// Rows of one INSERT.
const ROWS_MAX: usize = 200;
/// Columns of one table of pairs that are refused.
const REFUSED_MAX: usize = 40;

/// What the spec says above its tables.
const HEAD: &str = "version: 1\nprimary: \"${PRIMARY_URL}\"\nreplicas: { copy: \"${REPLICA_URL}\" }\n\
                    defaults: { schema: ignore }\ntables:\n";

fn settings(product: &Product) -> &'static str {
    match product.name {
        "postgres" => postgres::SETTINGS,
        "sqlite" => "",
        _ => mysql_family::SETTINGS,
    }
}

/// Both sides, with what each of them is, and everything that was not as it should be.
struct Bench {
    pair: Pair,
    products: [Product; 2],
    wrong: RefCell<Vec<String>>,
}

impl Bench {
    fn open(primary: Engine, replica: Engine) -> Bench {
        let products = [primary.product(), replica.product()];
        Bench { pair: Pair::new(primary, replica), products, wrong: RefCell::default() }
    }

    fn sides(&self) -> [&Database; 2] {
        [&self.pair.primary, &self.pair.replica]
    }

    /// Runs a script on one side, with what its session needs.
    fn script(&self, side: usize, sql: &str) {
        self.sides()[side].execute_script(&format!("{}{sql}", settings(&self.products[side])));
    }

    fn wrong(&self, what: String) {
        self.wrong.borrow_mut().push(what);
    }

    /// Fails with all that was wrong.
    fn finish(&self, counts: Counts) {
        let wrong = self.wrong.borrow();
        let name = format!("{} to {}", self.products[0].name, self.products[1].name);
        assert!(wrong.is_empty(), "{name}: {} times wrong:\n{}", wrong.len(), wrong.join("\n"));
        println!("{name}: {counts}");
    }

    fn run(&self) {
        for product in &self.products {
            for lacking in kind::lacking(product) {
                let engine = if product.name == "postgres" { Engine::Postgres } else { Engine::Mariadb };
                not_run(engine, &format!("the type {lacking} in the cross-matrix"), "it has no such type");
            }
        }
        for side in [0, 1] {
            if self.products[side].name == "postgres" {
                self.script(side, &kind::postgres_prelude());
            }
        }
        let matrix = Matrix::between(&self.products[0], &self.products[1]);
        let name = |at: usize| format!("t{at}_");
        let tables: Vec<Table> =
            matrix.tables.iter().enumerate().map(|(at, columns)| Table { name: name(at), columns }).collect();
        self.compares(&tables);
        self.refuses_values(&matrix);
        self.refuses_types(&matrix);
        self.finish(matrix.counts());
    }

    /// The same values, their neighbours, and the way back.
    fn compares(&self, tables: &[Table]) {
        let entries: Vec<String> = tables.iter().map(Table::entry).collect();
        self.pair.spec(&format!("{HEAD}{}", entries.concat()));
        for table in tables {
            for side in [0, 1] {
                self.script(side, &(table.create(side) + &table.insert(side)));
            }
        }
        let loaded = self.pair.replica.dump();
        self.in_sync(tables, "loaded");
        for table in tables {
            self.script(1, &table.alter());
        }
        self.finds_exactly_what_was_altered(tables);
        self.applied(tables, &loaded, "applied");
        for table in tables {
            self.script(1, &format!("DELETE FROM {};", table.name));
        }
        self.applied(tables, &loaded, "copied");
    }

    /// Runs the tool; its document's tables by name, and its exit code.
    fn tables(&self, args: &[&str]) -> (BTreeMap<String, Json>, Option<i32>) {
        let args: Vec<&str> = args.iter().copied().chain(["--format", "json"]).collect();
        let run = self.pair.run(&args);
        let document = run.document();
        let tables = document["replicas"][0]["tables"].as_array().map(Vec::as_slice).unwrap_or_default();
        if tables.is_empty() || !document["replicas"][0]["error"].is_null() {
            self.wrong(run.told());
        }
        let name = |table: &Json| table["table"].as_str().unwrap_or_default().to_owned();
        (tables.iter().map(|table| (name(table), table.clone())).collect(), run.exit)
    }

    fn applied(&self, tables: &[Table], loaded: &Dump, when: &str) {
        let (found, exit) = self.tables(&["apply", "spec.yml", "-y"]);
        for (name, table) in found.iter().filter(|(_, table)| !table["error"].is_null()) {
            self.wrong(format!("{when}: {name}: {}", table["error"]));
        }
        if exit != Some(0) {
            self.wrong(format!("{when}: apply ended with {exit:?}"));
            return;
        }
        self.in_sync(tables, when);
        // The replica's own words for it, where they are not one of several for the same value.
        let now = self.pair.replica.dump();
        for table in tables.iter().filter(|table| !table.columns.iter().any(|column| column.respelled)) {
            let rows = |dump: &Dump| {
                dump.iter().find(|(name, _)| name.ends_with(&table.name)).map(|(_, r)| r.clone())
            };
            if rows(loaded) != rows(&now) {
                self.wrong(format!("{when}: stored otherwise: {}", table.told()));
            }
        }
    }

    /// Nothing to plan, and each column is compared as the document says.
    fn in_sync(&self, tables: &[Table], when: &str) {
        let (found, exit) = self.tables(&["plan", "spec.yml", "--detailed-exitcode"]);
        for table in tables {
            let found = found.get(&table.name).unwrap_or(&Json::Null);
            if found["status"] != "in_sync" {
                self.wrong(format!("{when}: {}: {}", table.told(), shortened(found)));
            }
            for (at, column) in
                table.columns.iter().enumerate().filter(|(_, column)| !column.domain.is_empty())
            {
                // The key is the first one.
                let compared = &found["columns"][at + 1]["domain"];
                if *compared != column.domain.as_str() {
                    self.wrong(format!(
                        "{:?} is compared as {compared}, not {}",
                        column.types, column.domain
                    ));
                }
            }
        }
        if exit != Some(0) {
            self.wrong(format!("{when}: plan ended with {exit:?}"));
        }
    }

    fn finds_exactly_what_was_altered(&self, tables: &[Table]) {
        let (found, exit) = self.tables(&["plan", "spec.yml", "--detailed-exitcode"]);
        if exit != Some(2) {
            self.wrong(format!("altered: plan ended with {exit:?}"));
        }
        for table in tables {
            let found = found.get(&table.name).unwrap_or(&Json::Null);
            if !found["error"].is_null() {
                self.wrong(format!("altered: {}: {}", table.name, found["error"]));
                continue;
            }
            let (planned, expected) = (planned(found), table.altered());
            let ids: BTreeSet<&u64> = planned.keys().chain(expected.keys()).collect();
            for id in ids.into_iter().filter(|id| planned.get(id) != expected.get(id)) {
                let columns = |of: &BTreeMap<u64, BTreeSet<String>>| of.get(id).cloned().unwrap_or_default();
                let (planned, expected) = (columns(&planned), columns(&expected));
                for name in planned.symmetric_difference(&expected) {
                    let how = if expected.contains(name) { "was not found" } else { "was not altered" };
                    self.wrong(format!("{} row {id} {how}: {}", table.name, table.cell(*id, name)));
                }
            }
        }
    }

    /// A value that a side cannot say is an error, and the message has table, key and column.
    fn refuses_values(&self, matrix: &Matrix) {
        let mut entries = String::new();
        for (at, outside) in matrix.outside.iter().enumerate() {
            entries.push_str(&format!("  - o{at}_\n"));
            for side in [0, 1] {
                let declared = &outside.types[side];
                let mut sql =
                    format!("CREATE TABLE o{at}_ (id INTEGER NOT NULL PRIMARY KEY, worth {declared});");
                if let Some(value) = &outside.values[side] {
                    sql.push_str(&format!("INSERT INTO o{at}_ VALUES (7, {value});"));
                }
                self.script(side, &sql);
            }
        }
        self.pair.spec(&format!("{HEAD}{entries}"));
        let (found, _) = self.tables(&["plan", "spec.yml"]);
        for (at, outside) in matrix.outside.iter().enumerate() {
            let name = format!("o{at}_");
            let found = found.get(&name).unwrap_or(&Json::Null);
            let message = found["error"]["message"].as_str().unwrap_or_default();
            let told = [name.as_str(), "id = 7", "worth"].iter().all(|word| message.contains(word));
            if found["status"] != "error" || found["error"]["kind"] != "value" || !told {
                self.wrong(format!("outside: {outside:?}: {}", shortened(found)));
            }
        }
    }

    /// Every two types that no line speaks of: `check` names each column and the spec line that settles it.
    fn refuses_types(&self, matrix: &Matrix) {
        let mut entries = String::new();
        for (at, refused) in matrix.refused.chunks(REFUSED_MAX).enumerate() {
            entries.push_str(&format!("  - r{at}_\n"));
            for side in [0, 1] {
                let column =
                    |(c, refused): (usize, &Refused)| format!(", r{at}_c{c}_ {}", refused.types[side]);
                let columns: String = refused.iter().enumerate().map(column).collect();
                self.script(
                    side,
                    &format!("CREATE TABLE r{at}_ (id INTEGER NOT NULL PRIMARY KEY{columns});"),
                );
            }
        }
        self.pair.spec(&format!("{HEAD}{entries}"));
        let run = self.pair.run(&["check", "spec.yml"]);
        let mut problems = BTreeMap::new();
        for problem in
            run.stderr.split("error: ").filter(|problem| problem.contains("no exact common domain"))
        {
            let column = problem.split("column ").nth(1).and_then(|rest| rest.split(':').next());
            problems.insert(column.unwrap_or_default(), problem);
        }
        for (at, refused) in matrix.refused.chunks(REFUSED_MAX).enumerate() {
            for (c, refused) in refused.iter().enumerate() {
                let told = problems.get(format!("r{at}_c{c}_").as_str()).copied();
                if !told.is_some_and(|told| told.contains(refused.settled_by)) {
                    self.wrong(format!("{refused:?}: {}", told.unwrap_or("is not refused")));
                }
            }
        }
    }
}

/// Columns of a table, one for each pair of types.
struct Table<'m> {
    name: String,
    columns: &'m [Pairing],
}

impl Table<'_> {
    fn entry(&self) -> String {
        let zoned: Vec<String> = self
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.zoned)
            .map(|(at, _)| format!("c{at}: {{ zone: \"+02:00\" }}"))
            .collect();
        match zoned.is_empty() {
            true => format!("  - {}\n", self.name),
            false => format!("  - {{ table: {}, compare: {{ {} }} }}\n", self.name, zoned.join(", ")),
        }
    }

    fn create(&self, side: usize) -> String {
        let columns =
            self.columns.iter().enumerate().map(|(at, column)| format!(", c{at} {}", column.types[side]));
        let columns: String = columns.collect();
        format!("CREATE TABLE {} (id INTEGER NOT NULL PRIMARY KEY{columns});\n", self.name)
    }

    /// How many values the longest column has; the others are NULL where they have none.
    fn values(&self) -> usize {
        self.columns.iter().map(|column| column.values.len()).max().unwrap_or(0)
    }

    /// Each value twice: the even rows are those that will be altered.
    fn insert(&self, side: usize) -> String {
        let row = |id: usize| {
            let value = |column: &Pairing| {
                column.values.get((id - 1) / 2).map_or("NULL".to_owned(), |values| values[side].clone())
            };
            let values: Vec<String> = self.columns.iter().map(value).collect();
            format!("({id}, {})", values.join(", "))
        };
        let rows: Vec<String> = (1..=2 * self.values()).map(row).collect();
        rows.chunks(ROWS_MAX)
            .map(|rows| format!("INSERT INTO {} VALUES {};\n", self.name, rows.join(",\n")))
            .collect()
    }

    fn alter(&self) -> String {
        let update = |at: usize| {
            let column = |(c, column): (usize, &Pairing)| {
                column.values.get(at).map(|[_, _, altered]| format!("c{c} = {altered}"))
            };
            let set: Vec<String> = self.columns.iter().enumerate().filter_map(column).collect();
            format!("UPDATE {} SET {} WHERE id = {};\n", self.name, set.join(", "), 2 * at + 2)
        };
        (0..self.values()).map(update).collect()
    }

    /// The rows that were altered, and which of their columns.
    fn altered(&self) -> BTreeMap<u64, BTreeSet<String>> {
        let columns = |at: usize| {
            let has = |(_, column): &(usize, &Pairing)| at < column.values.len();
            self.columns.iter().enumerate().filter(has).map(|(c, _)| format!("c{c}")).collect()
        };
        (0..self.values()).map(|at| (2 * at as u64 + 2, columns(at))).collect()
    }

    /// What stands in a cell, for people.
    fn cell(&self, id: u64, column: &str) -> String {
        let column: Option<&Pairing> = column[1..].parse().ok().and_then(|at: usize| self.columns.get(at));
        let values = column.and_then(|column| column.values.get((id as usize - 1) / 2));
        format!("{:?} {values:?}", column.map(|column| &column.types))
    }

    /// The table for people.
    fn told(&self) -> String {
        let types: Vec<String> =
            self.columns.iter().enumerate().map(|(at, column)| format!("c{at} {:?}", column.types)).collect();
        format!("{}: {}", self.name, types.join(", "))
    }
}

/// The updates of a table and their columns; anything else stands as a row without columns.
fn planned(table: &Json) -> BTreeMap<u64, BTreeSet<String>> {
    let changes = table["changes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let columns = |change: &Json| -> BTreeSet<String> {
        let of = |side: &str| -> BTreeSet<String> {
            change[side].as_object().map(|row| row.keys().cloned().collect()).unwrap_or_default()
        };
        let same = change["action"] == "update" && of("before") == of("after");
        if same { of("after") } else { BTreeSet::new() }
    };
    changes.iter().map(|change| (change["key"]["id"].as_u64().unwrap_or(0), columns(change))).collect()
}

fn shortened(json: &Json) -> String {
    let kept = ["status", "error", "changes"].map(|part| format!("{part}: {}", json[part]));
    kept.join(", ").chars().take(1000).collect()
}

/// One test for each ordered pair of engines.
macro_rules! pairs {
    ($($name:ident: $primary:ident to $replica:ident;)*) => {
        $(
            #[test]
            fn $name() {
                Bench::open(Engine::$primary, Engine::$replica).run();
            }
        )*

        /// How much there is, over all pairs of two engines that the tests above run.
        #[test]
        fn the_matrix_is_counted() {
            let mut total = Counts::default();
            let mut bounded = BTreeMap::new();
            for (primary, replica) in [$((Engine::$primary, Engine::$replica)),*] {
                let products = [primary.product(), replica.product()];
                let matrix = Matrix::between(&products[0], &products[1]);
                let mut names = [products[0].name, products[1].name];
                names.sort_unstable();
                for line in &matrix.bounded {
                    *bounded.entry((names, line.clone())).or_insert(0) +=
                        matrix.outside.iter().filter(|outside| outside.line == *line).count();
                }
                let counts = matrix.counts();
                println!("{} to {}: {counts}", products[0].name, products[1].name);
                assert!(counts.type_pairs >= 100 && counts.values >= 10 * counts.type_pairs / 2, "{counts}");
                total += counts;
            }
            let counts = sqlite::counts();
            println!("sqlite to sqlite: {counts}");
            total += counts;
            println!("in all: {total}");
            // Whichever side is the primary, a line with bounds has values beyond them. Between two databases of one
            // engine some bounds are those of others; a text that is not what PostgreSQL prints only it can tell.
            let beyond = |((names, line), values): &(&([&str; 2], String), &usize)| {
                **values > 0 || names[0] == names[1] || line.contains("as PostgreSQL prints the value")
            };
            let without: Vec<_> = bounded.iter().filter(|found| !beyond(found)).collect();
            assert!(without.is_empty(), "no value outside of {without:#?}");
        }
    };
}

pairs! {
    postgres_to_postgres: Postgres to Postgres;
    postgres_to_mysql_family: Postgres to Mariadb;
    postgres_to_sqlite: Postgres to Sqlite;
    mysql_family_to_postgres: Mariadb to Postgres;
    mysql_family_to_mysql_family: Mariadb to Mariadb;
    mysql_family_to_sqlite: Mariadb to Sqlite;
    sqlite_to_postgres: Sqlite to Postgres;
    sqlite_to_mysql_family: Sqlite to Mariadb;
}

/// Only the server can tell what it makes of a text: that it is none of its own is found when it is written.
#[test]
fn a_text_that_postgresql_would_print_otherwise_is_not_kept() {
    for engine in Engine::all() {
        let bench = Bench::open(engine, Engine::Postgres);
        for (table, value) in [("nonsense", "nonsense"), ("otherwise", "24:00")] {
            let key = "id INTEGER NOT NULL PRIMARY KEY";
            bench.script(
                0,
                &format!(
                    "CREATE TABLE {table} ({key}, worth TEXT); INSERT INTO {table} VALUES (7, '{value}');"
                ),
            );
            bench.script(1, &format!("CREATE TABLE {table} ({key}, worth INTERVAL);"));
            bench.pair.spec(&format!("{HEAD}  - {table}\n"));
            let run = bench.pair.exits(&["apply", "spec.yml", "-y"], 1);
            assert!(run.told().contains(&format!("table {table}")), "{}", run.told());
            assert_eq!(
                bench.pair.replica.query(&format!("SELECT id FROM {table}")).len(),
                0,
                "{}",
                run.told()
            );
        }
    }
}

#[test]
fn mysql_to_mariadb_and_back() {
    let why = "TRUEUP_TEST_MYSQL_URL names no MySQL";
    if !runs_on(Engine::Mariadb, "mysql", "the cross-matrix of MySQL and MariaDB", why) {
        return;
    }
    for mysql_first in [true, false] {
        let mut bench = Bench::open(Engine::Mariadb, Engine::Mariadb);
        let other = private_mariadb();
        let side = if mysql_first { &mut bench.pair.replica } else { &mut bench.pair.primary };
        *side = other.fresh_database("cross");
        bench.products[usize::from(mysql_first)] = other.product.clone();
        bench.run();
    }
    assert!(!mariadb().is_private());
}
