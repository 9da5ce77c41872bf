//! Random tables on real engines: types, keys, names, rows and edits that nobody thought of. The plan must hold
//! exactly the edits, and they must be made, by `apply`, from a saved plan and by the engine's own client, and be
//! undone to the last value.
//!
//! `TRUEUP_SEED` and `TRUEUP_ROUNDS` choose where to begin and how far to go; a failure names its seed. Every pair
//! prints what it generated, so that nobody trusts it for more than it is.

mod model;
mod names;
mod native;
mod round;
mod scope;
mod values;

use std::collections::BTreeMap;
use std::io::Write as _;

use crate::every_pair::on_every_pair;
use crate::servers::Engine;

/// Rounds of every pair where nobody asks for more: in as many, every type is met.
const ROUNDS: u64 = 5;
/// What every run must have met, or it proves little.
const MUST_BE_SEEN: [&str; 18] = [
    "key []",
    "table with where",
    "table without where",
    "table with columns",
    "table with exclude_columns",
    "column with compare",
    "value not UTF-8",
    "type Json",
    "type Single",
    "value null",
    "value empty",
    "value at a limit",
    "value beyond ASCII",
    "value like another",
    "row equal",
    "row insert",
    "row update",
    "row delete",
];

on_every_pair!(run_pair);

fn run_pair(primary: Engine, replica: Engine) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let first: u64 = number("TRUEUP_SEED").unwrap_or(1);
    let rounds: u64 = number("TRUEUP_ROUNDS").unwrap_or(ROUNDS);
    let mut seen = Seen::default();
    for seed in first..first + rounds {
        let title = format!("TRUEUP_SEED={seed} TRUEUP_ROUNDS=1 [{}/{}]", primary.name(), replica.name());
        round::run(&title, seed, (primary, replica), &mut seen);
    }
    // Straight to standard error, for what a test prints is seen only where it fails.
    let told =
        format!("{} to {}, {rounds} random rounds:\n{}", primary.name(), replica.name(), seen.histogram());
    std::io::stderr().write_all(told.as_bytes()).expect("standard error is open");
    // Chance decides what other rounds meet, and those on a server that has other types.
    let is_given = |name: &str| std::env::var_os(name).is_some();
    let given = is_given("TRUEUP_TEST_POSTGRES_URL") || is_given("TRUEUP_TEST_MYSQL_URL");
    let default = (first, rounds) == (1, ROUNDS) && !given;
    let types = native::kinds((primary, replica), true).into_iter().map(values::Kind::told);
    for what in MUST_BE_SEEN.iter().map(ToString::to_string).chain(types) {
        let met = seen.0.keys().any(|seen| seen.starts_with(&what));
        assert!(!default || met, "no {what} in {rounds} rounds");
    }
    let kinds_of_keys = seen.0.keys().filter(|seen| seen.starts_with("key [")).count();
    assert!(!default || kinds_of_keys >= 4, "only {kinds_of_keys} kinds of keys in {rounds} rounds");
}

/// How often what was generated.
#[derive(Default)]
pub struct Seen(BTreeMap<String, u64>);

impl Seen {
    fn count(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    fn histogram(&self) -> String {
        self.0.iter().map(|(what, times)| format!("  {times:>7}  {what}\n")).collect()
    }
}

/// Numbers that the seed alone decides (SplitMix64, Steele, Lea and Flood 2014).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        // The state goes on by a constant: seeds that begin at multiples of it would walk the same numbers, one step
        // apart. Mixed first, neighbours have nothing in common.
        Dice(Dice(seed).next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `end`, without it.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// True `percent` times in a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Takes some of them out, in random order.
    pub fn draw<T>(&mut self, all: &mut Vec<T>) -> T {
        let at = self.below(all.len());
        all.swap_remove(at)
    }
}
