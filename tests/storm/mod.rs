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
mod sakila;
mod schema;
mod shape;
mod state;

use std::collections::BTreeMap;
use std::io::Write as _;

use crate::every_pair::on_every_pair;
use crate::servers::Engine;

/// Each round is drawn until it has one of these, in turn; the rounds of every pair must have met them all.
const MUST_BE_SEEN: [&str; 12] = [
    "swap",
    "circle of tables",
    "cascading delete",
    "circle of three or more",
    "self-reference",
    "composite foreign key",
    "insert of a value of an extra row",
    "no order of whole tables",
    "cascading update",
    "deferrable foreign key",
    "circle in a table",
    "referenced value that is renamed",
];
/// Rounds of every pair where nobody asks for more.
const ROUNDS: u64 = MUST_BE_SEEN.len() as u64;
/// How many more may be needed to meet all.
const MORE_ROUNDS_MAX: u64 = 4 * ROUNDS;

on_every_pair!(run_pair);

fn run_pair(primary: Engine, replica: Engine) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let first: u64 = number("TRUEUP_SEED").unwrap_or(1);
    let rounds: u64 = number("TRUEUP_ROUNDS").unwrap_or(ROUNDS);
    let pair = format!("{}/{}", primary.name(), replica.name());
    let (mut seen, mut failures) = (BTreeMap::<&str, u64>::new(), Vec::new());
    // Chance decides what chosen rounds meet; where constraints left no way in others, there are more.
    let default = (first, rounds) == (1, ROUNDS);
    let more = if default { rounds + MORE_ROUNDS_MAX } else { rounds };
    let mut made = 0;
    for seed in first..first + more {
        let wish = MUST_BE_SEEN[(seed % ROUNDS) as usize];
        if seed >= first + rounds && seen.contains_key(wish) {
            continue;
        }
        made += 1;
        match round::run(seed, (primary, replica), wish) {
            Ok(kinds) => kinds.into_iter().for_each(|kind| *seen.entry(kind).or_default() += 1),
            Err(why) => failures.push(format!("TRUEUP_SEED={seed} TRUEUP_ROUNDS=1 [{pair}]\n{why}")),
        }
    }
    // Straight to standard error, for what a test prints is seen only where it fails.
    let lines: String = seen.iter().map(|(kind, times)| format!("  {times:>5}  {kind}\n")).collect();
    let told = format!("{pair}, {made} rounds of tables that hang together:\n{lines}");
    std::io::stderr().write_all(told.as_bytes()).expect("standard error is open");
    assert!(failures.is_empty(), "{} of {made} rounds failed\n{}", failures.len(), failures.join("\n\n"));
    for kind in MUST_BE_SEEN {
        assert!(!default || seen.contains_key(kind), "no {kind} in {made} rounds");
    }
}
