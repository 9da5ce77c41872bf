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
/// How often to draw for the sake of a wish.
const DRAWS_MAX: usize = 3000;

/// Two states of one schema.
struct Model {
    tables: Vec<Table>,
    primary: State,
    replica: State,
    shape: Shape,
}

impl Model {
    /// Drawn until something differs, by the kind of change that is wished for.
    fn new(dice: &mut Dice, wish: &str) -> Self {
        for draw in 0.. {
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
            let wished = draw > DRAWS_MAX || shape.kinds.contains(wish);
            if !shape.changes.is_empty() && wished {
                return Model { tables, primary, replica, shape };
            }
        }
        unreachable!("draws go on")
    }

    /// Whether the replica itself may write rows that point.
    fn carries_on(&self) -> bool {
        let mut references = self.tables.iter().flat_map(|table| &table.references);
        references.any(|reference| reference.on_delete.carries_on() || reference.on_update.carries_on())
    }

    /// Whether there may be no way back from the primary's state.
    fn may_be_stuck(&self) -> bool {
        Shape::of(&self.tables, &self.replica, &self.primary).may_be_hopeless()
    }

    fn fill(&self, database: &Database, state: &State) -> Result<(), String> {
        for sql in self.scripts(database, state).iter().filter(|sql| !sql.is_empty()) {
            database.try_script(sql).map_err(|why| format!("  the model is not valid: {why}"))?;
        }
        if database.engine == Engine::Sqlite {
            let broken = database.query("PRAGMA foreign_key_check");
            assert!(broken.is_empty(), "the model is not valid: {broken:?}");
        }
        Ok(())
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
pub fn run(seed: u64, engines: (Engine, Engine), wish: &str) -> Result<BTreeSet<&'static str>, String> {
    // The dice of one seed go on where those of the one before began.
    let mut dice = Dice::new(Dice::new(seed ^ 0x5707).next());
    let model = Model::new(&mut dice, wish);
    let mut kinds = model.shape.kinds.clone();
    let mut round = Round::new(engines, model, &mut dice);
    match round.all(seed) {
        Ok(()) => {
            if let Some(why) = round.hopeless {
                return Ok(BTreeSet::from([why]));
            }
            kinds.extend(round.replaces.then_some("replaced rows"));
            kinds.extend(round.script.into_iter().chain(round.stuck));
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
    /// Why the constraints leave no way at all.
    hopeless: Option<&'static str>,
    /// What came of the script.
    script: Option<&'static str>,
    /// Whether there is no way back.
    stuck: Option<&'static str>,
}

impl Round {
    fn new(engines: (Engine, Engine), model: Model, dice: &mut Dice) -> Self {
        let pair = Pair::new(engines.0, engines.1);
        let mut names: Vec<&str> = model.tables.iter().map(|table| table.name.as_str()).collect();
        let shuffled: Vec<&str> = (0..names.len()).map(|_| dice.draw(&mut names)).collect();
        pair.tables(&format!("[{}]", shuffled.join(", ")));
        Round { engines, pair, model, replaces: false, hopeless: None, script: None, stuck: None }
    }

    fn all(&mut self, seed: u64) -> Result<(), String> {
        self.model.fill(&self.pair.primary, &self.model.primary)?;
        self.model.fill(&self.pair.replica, &self.model.replica)?;
        audit::watch(&self.model.tables, &self.pair.replica);
        self.check_plan()?;
        if self.hopeless.is_some() {
            return Ok(());
        }
        if seed.is_multiple_of(3) {
            self.stuck = self.check_saved_plan()?;
        }
        if self.stuck.is_some() {
            return Ok(());
        }
        if seed % 3 == 1 {
            self.script = Some(self.check_script()?);
        }
        // In small transactions, each of which must be complete in itself.
        let cut: &[&str] = if seed % 3 == 2 { &["--batch-rows", "2"] } else { &[] };
        self.check_apply(cut)
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
        let run = self.exits(&["plan", "spec.yml", "--detailed-exitcode", "--format", "json"], &[1, 2])?;
        if run.exit == Some(1) {
            return self.check_no_way(&run);
        }
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

    /// Rows that wait for each other under constraints that cannot be put off, or rows that stay while what they point
    /// at goes to another row: told before anything is written.
    fn check_no_way(&mut self, plan: &Run) -> Result<(), String> {
        let says = |what: &str| plan.stdout.contains(what);
        let shape = &self.model.shape;
        self.hopeless = match () {
            () if says_no_way(plan) => shape.may_be_hopeless().then_some("no way, and said so"),
            () if says("still point at rows of table") => {
                let moves = shape.kinds.contains("referenced value that moves");
                moves.then_some("value that moves under rows that stay, and said so")
            }
            () => None,
        };
        let before = self.pair.replica.dump();
        self.exits(&["apply", "spec.yml", "-y", "--allow", REPLACES_ROWS], &[1])?;
        match self.hopeless.is_some() && self.pair.replica.dump() == before {
            true => Ok(()),
            false => Err(plan.told()),
        }
    }

    fn apply(&self, file: &str, options: &[&str]) -> Result<Run, String> {
        let allow: &[&str] = if self.replaces { &["--allow", REPLACES_ROWS] } else { &[] };
        self.exits(&[&["apply", file, "-y"], options, allow].concat(), &[0])
    }

    /// The script, run by the engine's own client on a twin of the replica; or none, where it could not tell rows that
    /// the replica writes along from others.
    fn check_script(&self) -> Result<&'static str, String> {
        let rendered = self.exits(&["plan", "spec.yml", "--format", "sql"], &[0, 1])?;
        if rendered.exit == Some(1) {
            let honest = rendered.stderr.contains("cannot stand in a script") && self.model.carries_on();
            return if honest { Ok("no script, and said so") } else { Err(rendered.told()) };
        }
        let script = rendered.stdout;
        let twin = open(self.engines.1, "twin");
        self.model.fill(&twin, &self.model.replica)?;
        let file = self.pair.path("script.sql");
        std::fs::write(&file, without_refusal(&script)).expect("the script can be written");
        let done = client(self.engines.1, &twin.url, &file, &[]);
        let verified = self.pair.run_with(&["verify", "spec.yml"], &[("REPLICA_URL", twin.url.as_str())]);
        match done.ok && verified.exit == Some(0) {
            true => Ok("script"),
            false => Err(format!("  by the client: {}\n{}\n{script}", done.said, verified.told())),
        }
    }

    /// The saved plan, done and undone; or done, where the constraints leave no way back.
    fn check_saved_plan(&self) -> Result<Option<&'static str>, String> {
        let rows = || {
            let mut dump = self.pair.replica.dump();
            dump.retain(|table, _| !table.ends_with("audit_log"));
            dump
        };
        let before = rows();
        self.exits(&["plan", "spec.yml", "-o", "plan.bin"], &[0])?;
        self.exits(&["undo", "plan.bin", "-o", "undo.bin"], &[0])?;
        self.apply("plan.bin", &[])?;
        self.exits(&["plan", "spec.yml", "--detailed-exitcode"], &[0])?;
        // A circle one way is a circle the other way, but not always of the same rows.
        let undo = self.pair.run(&["apply", "undo.bin", "-y"]);
        match undo.exit {
            Some(3) if undo.stderr.contains(REPLACES_ROWS) || undo.stdout.contains(REPLACES_ROWS) => {
                self.exits(&["apply", "undo.bin", "-y", "--allow", REPLACES_ROWS], &[0])?;
            }
            Some(0) => {}
            Some(1) if says_no_way(&undo) && self.model.may_be_stuck() => {
                return Ok(Some("undo without a way, and said so"));
            }
            _ => return Err(undo.told()),
        }
        if rows() != before {
            return Err("  undone, the replica is another".to_owned());
        }
        self.pair.replica.execute_script("DELETE FROM audit_log");
        Ok(None)
    }

    /// The plan made and applied in one go, nothing written besides, and the primary as it was.
    fn check_apply(&self, options: &[&str]) -> Result<(), String> {
        let before = self.pair.primary.dump();
        let run = self.apply("spec.yml", options)?;
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

/// Whether rows wait for each other without a means.
fn says_no_way(run: &Run) -> bool {
    run.stdout.contains("leave no order in which they could be written")
}

/// A script as a person leaves it who has read what `apply` would refuse.
fn without_refusal(script: &str) -> String {
    let (from, to) = ("-- Apply would be refused", "-- end of refusal\n");
    match (script.find(from), script.find(to)) {
        (Some(start), Some(end)) => format!("{}{}", &script[..start], &script[end + to.len()..]),
        _ => script.to_owned(),
    }
}
