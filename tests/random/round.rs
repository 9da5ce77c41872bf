//! One round: two databases filled at random, and every way from the one to the other.

use std::collections::BTreeMap;

use serde_yaml::{Mapping, Value as Yaml};

use super::model::{Table, tables};
use super::{Dice, Seen};
use crate::case_runner::{change_lines, expected};
use crate::pair::Pair;
use crate::script::client;
use crate::servers::{Database, Engine, open};
use crate::tool::Run;

/// Panics with the seed where anything is not as it must be.
pub fn run(title: &str, seed: u64, engines: (Engine, Engine), seen: &mut Seen) {
    let mut dice = Dice::new(seed);
    let tables = tables(&mut dice, seen);
    let round = Round::new(title, engines, &tables, &mut dice);
    round.check_plan(&tables);
    round.check_script();
    round.check_saved_plan();
    round.check_apply();
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
        let plan = tables.iter().map(|table| (Yaml::from(table.label()), table.changes(stored).into()));
        let plan: Mapping = plan.collect();
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
    fn check_apply(&self) {
        let before = self.pair.primary.dump();
        self.exits(&["apply", "spec.yml", "-y"], &[0]);
        self.exits(&["plan", "spec.yml", "--detailed-exitcode"], &[0]);
        assert_eq!(self.pair.primary.dump(), before, "{}\n  the primary has changed", self.title);
    }
}
