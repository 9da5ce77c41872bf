//! Runs every case of `tests/cases/**/*.yaml` on every pair of engines it is valid for.
//!
//! A case says what is on both sides, the spec, and what must come of it: a plan, exactly, or an error. Where
//! a plan is expected, it is applied and verified, and planned again to nothing; the primary must not have
//! changed, and after an error neither may the replica. The tool is driven through its binary alone, the
//! databases through their own clients. All failures of a pair are collected before it fails.
//!
//! `TRUEUP_CASE=text` runs only the cases whose file or name contains the text. How a case is written is
//! described in `tests/cases/README.md`; `case` reads it, `expected` knows how values are shown, `run` does it.

mod case;
pub mod expected;
mod map;
pub mod portable;
mod run;

pub use run::change_lines;

use crate::every_pair::on_every_pair;
use crate::servers::Engine;

on_every_pair!(run_pair);

fn run_pair(primary: Engine, replica: Engine) {
    let filter = std::env::var("TRUEUP_CASE").unwrap_or_default();
    let (mut count, mut failures) = (0, Vec::new());
    for case in case::all_for((primary, replica)) {
        if !case.title.contains(&filter) || !case.can_run((primary, replica)) {
            continue;
        }
        count += 1;
        let title = case.title.clone();
        // A case that cannot even be set up must not hide the others.
        let outcome = std::panic::catch_unwind(|| run::run(case, (primary, replica)));
        if let Err(why) = outcome.unwrap_or_else(|_| Err(vec!["  it panicked, see above".into()])) {
            failures.push(format!("── {title} [{}/{}]\n{}", primary.name(), replica.name(), why.join("\n")));
        }
    }
    println!("{}/{}: {count} cases, {} failed", primary.name(), replica.name(), failures.len());
    assert!(failures.is_empty(), "{} of {count} cases failed\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn there_are_enough_cases_and_each_has_a_name_and_a_pair_of_its_own() {
    let mut titles = Vec::new();
    for (primary, replica) in Engine::pairs() {
        titles.extend(case::all_for((primary, replica)).into_iter().map(|case| case.title));
    }
    titles.sort();
    titles.dedup();
    let written = case::titles();
    let mut unique = written.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), written.len(), "two cases of one file have the same name");
    assert_eq!(titles, unique, "some cases are valid for no pair of engines");
    assert!(written.len() >= 40, "only {} cases", written.len());
}
