//! One round: two valid databases of one random schema, and every way from the one to the other.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value as Json;

use super::audit;
use super::drift::drifted;
use super::schema::{self, Table};
use super::shape::Shape;
use super::state::State;
use crate::pair::Pair;
use crate::random::Dice;
use crate::script::client;
use crate::servers::{Database, Engine, open};
use crate::tool::Run;

/// The hazard of rows that can only be deleted and made again.
const REPLACES_ROWS: &str = "REPLACES_ROWS";

/// Two states of one schema.
struct Model {
    tables: Vec<Table>,
    primary: State,
    replica: State,
    shape: Shape,
}

impl Model {
    /// Drawn until something differs, by no kind of change that cannot be made yet.
    fn new(dice: &mut Dice, not_yet: &[&str]) -> Self {
        loop {
            let tables = schema::tables(dice);
            let mut primary = State::new(&tables, dice);
            let mut replica = drifted(&primary, &tables, dice);
            if dice.chance(50) {
                std::mem::swap(&mut primary, &mut replica);
            }
            // A primary table without rows is refused by rule, whatever hangs on it.
            let emptied = |replica: &State| {
                (0..tables.len()).find(|at| primary.0[*at].is_empty() && !replica.0[*at].is_empty())
            };
            while let Some(table) = emptied(&replica) {
                replica.0[table].clear();
                replica.mend(&tables);
            }
            let shape = Shape::of(&tables, &primary, &replica);
            if !shape.changes.is_empty() && !not_yet.iter().any(|kind| shape.kinds.contains(kind)) {
                return Model { tables, primary, replica, shape };
            }
        }
    }

    fn fill(&self, database: &Database, state: &State) {
        for sql in self.scripts(database, state).iter().filter(|sql| !sql.is_empty()) {
            database.execute_script(sql);
        }
        if database.engine == Engine::Sqlite {
            let broken = database.query("PRAGMA foreign_key_check");
            assert!(broken.is_empty(), "the model is not valid: {broken:?}");
        }
    }

    /// What makes a database of a state: tables, rows, foreign keys.
    fn scripts(&self, database: &Database, state: &State) -> [String; 3] {
        [
            self.tables.iter().map(|table| table.create(&self.tables, database)).collect(),
            state.load(&self.tables, database.engine),
            self.tables.iter().map(|table| table.add_references(&self.tables, database.engine)).collect(),
        ]
    }
}

/// One round; what was in it, or what went wrong, with all that is needed to see it again.
pub fn run(seed: u64, engines: (Engine, Engine), not_yet: &[&str]) -> Result<BTreeSet<&'static str>, String> {
    let mut dice = Dice::new(seed ^ 0x5707);
    let model = Model::new(&mut dice, not_yet);
    let mut kinds = model.shape.kinds.clone();
    let mut round = Round::new(engines, model, &mut dice);
    match round.all(seed) {
        Ok(()) => {
            kinds.extend(round.replaces.then_some("replaced rows"));
            Ok(kinds)
        }
        Err(why) => Err(format!("{why}\n{}", round.told())),
    }
}

struct Round {
    engines: (Engine, Engine),
    pair: Pair,
    model: Model,
    /// Whether rows can only be deleted and made again.
    replaces: bool,
}

impl Round {
    fn new(engines: (Engine, Engine), model: Model, dice: &mut Dice) -> Self {
        let pair = Pair::new(engines.0, engines.1);
        model.fill(&pair.primary, &model.primary);
        model.fill(&pair.replica, &model.replica);
        audit::watch(&model.tables, &pair.replica);
        let mut names: Vec<&str> = model.tables.iter().map(|table| table.name.as_str()).collect();
        let shuffled: Vec<&str> = (0..names.len()).map(|_| dice.draw(&mut names)).collect();
        pair.tables(&format!("[{}]", shuffled.join(", ")));
        Round { engines, pair, model, replaces: false }
    }

    fn all(&mut self, seed: u64) -> Result<(), String> {
        self.check_plan()?;
        if seed.is_multiple_of(3) {
            self.check_saved_plan()?;
        }
        if seed % 3 == 1 {
            self.check_script()?;
        }
        self.check_apply()
    }

    fn exits(&self, args: &[&str], codes: &[i32]) -> Result<Run, String> {
        let run = self.pair.run(args);
        match run.exit.is_some_and(|code| codes.contains(&code)) {
            true => Ok(run),
            false => Err(run.told()),
        }
    }

    /// Exactly the drift, and what it asks for.
    fn check_plan(&mut self) -> Result<(), String> {
        let run = self.exits(&["plan", "spec.yml", "--detailed-exitcode", "--format", "json"], &[2])?;
        let replica = &run.document()["replicas"][0];
        for (at, table) in self.model.tables.iter().enumerate() {
            let found = replica["tables"].as_array().into_iter().flatten();
            let found = found.filter(|found| found["table"] == table.name.as_str());
            let found = found.flat_map(|found| found["changes"].as_array().into_iter().flatten());
            let sorted = |all: Vec<String>| all.into_iter().collect::<BTreeSet<_>>();
            let found = sorted(found.map(Json::to_string).collect());
            let wanted = self.model.shape.document(&self.model.tables, at);
            let wanted = sorted(wanted.iter().map(Json::to_string).collect());
            let only = |some: &BTreeSet<String>, others: &BTreeSet<String>| {
                some.difference(others).cloned().collect::<Vec<_>>().join("\n    ")
            };
            if found != wanted {
                return Err(format!(
                    "  {}: wanted, not found\n    {}\n  found, not wanted\n    {}",
                    table.name,
                    only(&wanted, &found),
                    only(&found, &wanted)
                ));
            }
        }
        let refusals = replica["refusals"].as_array().cloned().unwrap_or_default();
        if let Some(other) = refusals.iter().find(|refusal| refusal["rule"] != REPLACES_ROWS) {
            return Err(format!("  refused: {other}"));
        }
        self.replaces = !refusals.is_empty();
        if self.replaces {
            let before = self.pair.replica.dump();
            self.exits(&["apply", "spec.yml", "-y"], &[3])?;
            if self.pair.replica.dump() != before {
                return Err("  refused, and yet the replica has changed".to_owned());
            }
        }
        Ok(())
    }

    fn apply(&self, file: &str) -> Result<Run, String> {
        let allow: &[&str] = if self.replaces { &["--allow", REPLACES_ROWS] } else { &[] };
        self.exits(&[&["apply", file, "-y"], allow].concat(), &[0])
    }

    /// The script, run by the engine's own client on a twin of the replica.
    fn check_script(&self) -> Result<(), String> {
        let twin = open(self.engines.1, "twin");
        self.model.fill(&twin, &self.model.replica);
        let script = self.exits(&["plan", "spec.yml", "--format", "sql"], &[0])?.stdout;
        let file = self.pair.path("script.sql");
        std::fs::write(&file, without_refusal(&script)).expect("the script can be written");
        let done = client(self.engines.1, &twin.url, &file, &[]);
        let verified = self.pair.run_with(&["verify", "spec.yml"], &[("REPLICA_URL", twin.url.as_str())]);
        match done.ok && verified.exit == Some(0) {
            true => Ok(()),
            false => Err(format!("  by the client: {}\n{}\n{script}", done.said, verified.told())),
        }
    }

    /// The saved plan, done and undone.
    fn check_saved_plan(&self) -> Result<(), String> {
        let rows = || {
            let mut dump = self.pair.replica.dump();
            dump.retain(|table, _| !table.ends_with("audit_log"));
            dump
        };
        let before = rows();
        self.exits(&["plan", "spec.yml", "-o", "plan.bin"], &[0])?;
        self.exits(&["undo", "plan.bin", "-o", "undo.bin"], &[0])?;
        self.apply("plan.bin")?;
        self.exits(&["plan", "spec.yml", "--detailed-exitcode"], &[0])?;
        // A circle one way is a circle the other way, but not always of the same rows.
        let undo = self.pair.run(&["apply", "undo.bin", "-y"]);
        match undo.exit {
            Some(3) if undo.stderr.contains(REPLACES_ROWS) || undo.stdout.contains(REPLACES_ROWS) => {
                self.exits(&["apply", "undo.bin", "-y", "--allow", REPLACES_ROWS], &[0])?;
            }
            Some(0) => {}
            _ => return Err(undo.told()),
        }
        if rows() != before {
            return Err("  undone, the replica is another".to_owned());
        }
        self.pair.replica.execute_script("DELETE FROM audit_log");
        Ok(())
    }

    /// The plan made and applied in one go, nothing written besides, and the primary as it was.
    fn check_apply(&self) -> Result<(), String> {
        let before = self.pair.primary.dump();
        let run = self.apply("spec.yml")?;
        let complaints = audit::complaints(&self.model.tables, &self.model.shape, &self.pair.replica);
        if !complaints.is_empty() {
            return Err(format!("  {}\n{}", complaints.join("\n  "), run.told()));
        }
        self.exits(&["plan", "spec.yml", "--detailed-exitcode"], &[0])?;
        match self.pair.primary.dump() == before {
            true => Ok(()),
            false => Err("  the primary has changed".to_owned()),
        }
    }

    /// Both databases as scripts, and the spec.
    fn told(&self) -> String {
        let mut told = format!("  {:?}\n", self.model.shape.kinds);
        let sides = [
            ("primary", &self.pair.primary, &self.model.primary),
            ("replica", &self.pair.replica, &self.model.replica),
        ];
        for (side, database, state) in sides {
            let scripts = self.model.scripts(database, state).concat();
            write!(told, "-- {side}\n{scripts}").expect("a text takes everything");
        }
        told + &self.pair.read("spec.yml")
    }
}

/// A script as a person leaves it who has read what `apply` would refuse.
fn without_refusal(script: &str) -> String {
    let (from, to) = ("-- Apply would be refused", "-- end of refusal\n");
    match (script.find(from), script.find(to)) {
        (Some(start), Some(end)) => format!("{}{}", &script[..start], &script[end + to.len()..]),
        _ => script.to_owned(),
    }
}
