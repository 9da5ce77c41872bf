//! One round: two databases filled at random, and every way from the one to the other.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use serde_yaml::{Mapping, Value as Yaml};

use super::model::{Table, tables};
use super::values::OPAQUE;
use super::{Dice, Seen, native};
use crate::case_runner::{change_lines, expected};
use crate::pair::Pair;
use crate::script::client;
use crate::servers::{Database, Dump, Engine, open};
use crate::tool::Run;
use crate::types;

/// Panics with the seed where anything is not as it must be.
pub fn run(title: &str, seed: u64, engines: (Engine, Engine), seen: &mut Seen) {
    let mut dice = Dice::new(seed);
    let tables = tables(seed, engines, &mut dice, seen);
    let round = Round::new(title, engines, &tables, &mut dice);
    round.check_plan(&tables);
    round.check_script();
    round.check_saved_plan();
    round.check_apply(&tables);
}

struct Round {
    title: String,
    engines: (Engine, Engine),
    pair: Pair,
    /// The replica once more, for the engine's own client.
    twin: Database,
}

impl Round {
    fn new(title: &str, engines: (Engine, Engine), tables: &[Table], dice: &mut Dice) -> Self {
        let pair = Pair::new(engines.0, engines.1);
        let twin = open(engines.1, "twin");
        let told: Vec<String> = tables.iter().map(Table::told).collect();
        let same = engines.0 == engines.1;
        for side in [&pair.primary, &pair.replica, &twin] {
            if side.engine == Engine::Postgres {
                side.execute_script(native::PRELUDE);
            }
            let prelude = types::settings(side.engine).0;
            if same && !prelude.is_empty() {
                side.execute_script(prelude);
            }
        }
        for table in tables {
            table.load_primary(&pair.primary, dice);
            table.load_replica(&pair.replica, dice);
            table.load_replica(&twin, dice);
        }
        let entries = Yaml::Sequence(tables.iter().map(Table::entry).collect());
        let entries: Mapping = [(Yaml::from("tables"), entries)].into_iter().collect();
        let entries = serde_yaml::to_string(&entries).expect("a spec can be written");
        pair.spec(&format!(
            "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: \"${{REPLICA_URL}}\" }}\n{entries}"
        ));
        Round { title: format!("{title}\n{}", told.join("\n")), engines, pair, twin }
    }

    #[track_caller]
    fn exits(&self, args: &[&str], codes: &[i32]) -> Run {
        let run = self.pair.run(args);
        assert!(run.exit.is_some_and(|code| codes.contains(&code)), "{}\n{}", self.title, run.told());
        run
    }

    /// Exactly the edits.
    fn check_plan(&self, tables: &[Table]) {
        let run = self.exits(&["plan", "spec.yml", "--detailed-exitcode", "--format", "json"], &[0, 2]);
        let document = run.document();
        let stored = self.engines == (Engine::Sqlite, Engine::Sqlite);
        let mut document = document;
        let (mut plan, mut excused) = (Mapping::new(), 0);
        for table in tables {
            let (changes, rows) = table.changes(stored);
            plan.insert(table.label().into(), changes.into());
            excused += rows;
            hide_opaque(&mut document, table);
        }
        let mut wanted = expected::lines(&plan, &BTreeMap::new(), &document, self.engines);
        let mut found = change_lines(&document);
        wanted.sort();
        found.sort();
        let only = |lines: &[String], others: &[String]| -> String {
            let only = lines.iter().filter(|line| !others.contains(line));
            only.map(|line| format!("    {}\n", line.chars().take(600).collect::<String>())).collect()
        };
        assert!(
            wanted == found,
            "{}\n  wanted, not found:\n{}  found, not wanted:\n{}",
            self.title,
            only(&wanted, &found),
            only(&found, &wanted)
        );
        let told: u64 = all_tables(&mut document).filter_map(|table| table["excused"].as_u64()).sum();
        assert_eq!(told, excused, "{}: rows excused\n{}", self.title, run.told());
        assert_eq!(run.exit, Some(if wanted.is_empty() { 0 } else { 2 }), "{}\n{}", self.title, run.told());
    }

    /// The script, run by the engine's own client on a twin of the replica.
    fn check_script(&self) {
        self.exits(&["plan", "spec.yml", "-o", "plan.bin"], &[0]);
        let script = self.exits(&["show", "plan.bin", "--format", "sql"], &[0]).stdout;
        let file = self.pair.path("script.sql");
        std::fs::write(&file, script).expect("the script can be written");
        let done = client(self.engines.1, &self.twin.url, &file, &[]);
        assert!(done.ok, "{}\n{}", self.title, done.said);
        let url = [("REPLICA_URL", self.twin.url.as_str())];
        let verified = self.pair.run_with(&["verify", "spec.yml"], &url);
        assert_eq!(verified.exit, Some(0), "{}\n{}\n{}", self.title, verified.told(), done.said);
    }

    /// The saved plan, done and undone.
    fn check_saved_plan(&self) {
        let before = self.pair.replica.dump();
        self.exits(&["undo", "plan.bin", "-o", "undo.bin"], &[0]);
        self.exits(&["apply", "plan.bin", "-y"], &[0]);
        self.exits(&["plan", "spec.yml", "--detailed-exitcode"], &[0]);
        self.exits(&["apply", "undo.bin", "-y"], &[0]);
        assert_eq!(self.pair.replica.dump(), before, "{}\n  undone, the replica is another", self.title);
    }

    /// The plan made and applied in one go, and the primary as it was.
    fn check_apply(&self, tables: &[Table]) {
        let before = self.pair.primary.dump();
        self.exits(&["apply", "spec.yml", "-y"], &[0]);
        self.exits(&["plan", "spec.yml", "--detailed-exitcode"], &[0]);
        assert_eq!(self.pair.primary.dump(), before, "{}\n  the primary has changed", self.title);
        if self.engines.0 == self.engines.1 {
            self.servers_say_the_same(tables);
        }
    }

    /// What the tool calls equal is equal to the server itself.
    fn servers_say_the_same(&self, tables: &[Table]) {
        let (primary, replica) = (self.pair.primary.dump(), self.pair.replica.dump());
        let rows = |dump: &Dump, name: &str| {
            let name =
                if self.engines.0 == Engine::Postgres { format!("public.{name}") } else { name.to_owned() };
            dump.get(&name).cloned()
        };
        for table in tables.iter().filter(|table| table.is_whole()) {
            let (wanted, found) = (rows(&primary, &table.name), rows(&replica, &table.replica_name));
            assert!(wanted.is_some(), "{}\n  no table {}", self.title, table.name);
            // SQLite's dump names the columns.
            let named = self.engines.0 == Engine::Sqlite && table.renames_columns();
            assert!(named || wanted == found, "{}\n  {wanted:?}\n  {found:?}", self.title);
        }
    }
}

fn all_tables(document: &mut Json) -> impl Iterator<Item = &mut Json> {
    document["replicas"][0]["tables"].as_array_mut().into_iter().flatten()
}

/// Puts one word for the values that the model cannot print.
fn hide_opaque(document: &mut Json, table: &Table) {
    let (label, columns) = (table.label(), table.opaque_columns());
    let changes = all_tables(document).filter(|found| found["table"] == label.as_str());
    for change in changes.filter_map(|found| found["changes"].as_array_mut()).flatten() {
        for side in ["before", "after"] {
            let Some(row) = change.get_mut(side).and_then(Json::as_object_mut) else { continue };
            for (_, value) in row.iter_mut().filter(|(name, _)| columns.contains(&name.as_str())) {
                if !value.is_null() {
                    *value = OPAQUE.into();
                }
            }
        }
    }
}
