//! Plans that are right as a whole, and hard to make row by row: random schemas with foreign keys and unique keys, two
//! valid states of each, and the way from the one to the other on real engines. The plan must hold exactly what
//! differs; applying it must not fail, must write nothing besides (the replica's own triggers tell), and must leave
//! nothing to do; so must the saved plan, what undoes it, and the script run by the engine's own client.
//!
//! `TRUEUP_SEED` and `TRUEUP_ROUNDS` choose where to begin and how far to go; a failure names its seed. Every pair
//! prints how many rounds had circles, swaps, cascades and the like, and fails where its rounds had none.

mod audit;
mod drift;
mod round;
mod schema;
mod shape;
mod state;

use std::collections::BTreeMap;
use std::io::Write as _;

use crate::every_pair::on_every_pair;
use crate::servers::Engine;

/// Rounds of every pair where nobody asks for more.
const ROUNDS: u64 = 6;
/// What the rounds of every pair must have met.
const MUST_BE_SEEN: [&str; 4] =
    ["self-reference", "reference to another table", "composite foreign key", "deferrable foreign key"];
/// What is not made yet.
const NOT_YET: &[&str] = &[
    "swap",
    "circle of three or more",
    "circle of tables",
    "circle in a table",
    "no order of whole tables",
    "cascade",
    "insert of a value of an extra row",
    "referenced value that moves",
    "chain of values, some of a partial key",
    "referenced value that is renamed",
];

on_every_pair!(run_pair);

fn run_pair(primary: Engine, replica: Engine) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let first: u64 = number("TRUEUP_SEED").unwrap_or(1);
    let rounds: u64 = number("TRUEUP_ROUNDS").unwrap_or(ROUNDS);
    let pair = format!("{}/{}", primary.name(), replica.name());
    let (mut seen, mut failures) = (BTreeMap::<&str, u64>::new(), Vec::new());
    for seed in first..first + rounds {
        match round::run(seed, (primary, replica), NOT_YET) {
            Ok(kinds) => kinds.into_iter().for_each(|kind| *seen.entry(kind).or_default() += 1),
            Err(why) => failures.push(format!("TRUEUP_SEED={seed} TRUEUP_ROUNDS=1 [{pair}]\n{why}")),
        }
    }
    // Straight to standard error, for what a test prints is seen only where it fails.
    let lines: String = seen.iter().map(|(kind, times)| format!("  {times:>5}  {kind}\n")).collect();
    let told = format!("{pair}, {rounds} rounds of tables that hang together:\n{lines}");
    std::io::stderr().write_all(told.as_bytes()).expect("standard error is open");
    assert!(failures.is_empty(), "{} of {rounds} rounds failed\n{}", failures.len(), failures.join("\n\n"));
    // Chance decides what other rounds meet.
    let default = (first, rounds) == (1, ROUNDS);
    for kind in MUST_BE_SEEN {
        assert!(!default || seen.contains_key(kind), "no {kind} in {rounds} rounds");
    }
}
