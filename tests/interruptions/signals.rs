//! SIGINT, SIGTERM and `kill -9` at random moments of apply.

use std::time::{Duration, Instant};

use super::scene::{Scene, What};
use crate::random::Dice;
use crate::servers::{Engine, open};
use crate::tool::{Run, Running};

/// Rounds on each engine.
const ROUNDS: usize = 36;
const _: () = assert!(ROUNDS * 3 >= 100, "at least a hundred rounds over the three engines");
/// One round in so many strikes before the first row is written, or wherever it happens to be.
const EARLY_EVERY: usize = 18;

#[test]
fn sqlite_survives_signals() {
    let scene = Scene::new(open(Engine::Sqlite, "p"), open(Engine::Sqlite, "r"), 12);
    rounds(&scene);
}

#[test]
fn postgres_survives_signals() {
    let scene = Scene::new(open(Engine::Postgres, "p"), open(Engine::Postgres, "r"), 12);
    rounds(&scene);
}

#[test]
fn mariadb_survives_signals() {
    let scene = Scene::new(open(Engine::Mariadb, "p"), open(Engine::Mariadb, "r"), 12);
    rounds(&scene);
}

fn rounds(scene: &Scene) {
    let engine = scene.replica.engine;
    let mut dice = Dice::new(engine as u64);
    let (mut between, mut late) = (0, 0);
    for round in 0..ROUNDS {
        let signal = ["KILL", "INT", "TERM"][round % 3];
        let what = [What::Saved, What::Spec][round / 3 % 2];
        let again = [What::Saved, What::Spec][round / 6 % 2];
        let batch_rows = 1 + dice.below(3);
        if engine == Engine::Sqlite {
            // Both kinds of log must be recovered from.
            let mode = if round / 2 % 2 == 0 { "DELETE" } else { "WAL" };
            scene.replica.execute_script(&format!("PRAGMA journal_mode = {mode}"));
        }
        scene.drift_again();
        let early = round % EARLY_EVERY == EARLY_EVERY - 1;
        // What a busy machine is late by must not carry it past the last commit.
        let wanted = if early { 0 } else { 1 + dice.below(scene.total() * 2 / 3) };
        let mut running = scene.apply(what, batch_rows, &scene.replica.url);
        strike(scene, &mut running, signal, wanted, &mut dice);
        let run = running.ends();
        let told = format!(
            "{} round {round}: SIG{signal} after {wanted} rows in batches of {batch_rows}, {what:?}\n{}",
            engine.name(),
            run.told()
        );
        scene.sessions_end();
        let done = scene.left_by(batch_rows, &told);
        says_what_is_in(&run, signal, done.div_ceil(batch_rows), &told);
        between += usize::from(done > 0 && done < scene.total());
        late += usize::from(done == scene.total());
        scene.completes(again, batch_rows, done, &told);
    }
    println!(
        "{}: {ROUNDS} rounds, {ROUNDS} signals (a third each of KILL, INT, TERM), {between} between the first and \
         the last commit, {late} after it",
        engine.name()
    );
    assert!(between * 5 >= ROUNDS * 4, "only {between} of {ROUNDS} rounds fell between the commits");
}

/// Sends the signal as soon as so many rows are in, or else a moment after the start.
fn strike(scene: &Scene, running: &mut Running, signal: &str, wanted: usize, dice: &mut Dice) {
    if wanted == 0 {
        std::thread::sleep(Duration::from_millis(dice.below(150) as u64));
    }
    while wanted > 0 && !running.is_over() && scene.done() < wanted {
        std::thread::sleep(Duration::from_micros(500));
    }
    // Anywhere within the batch that runs now.
    let until = Instant::now() + Duration::from_micros(dice.below(6_000) as u64);
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    running.signal(signal);
}

/// A run that could still speak says how many batches are in, and ends with the signal's code unless it was done.
#[track_caller]
fn says_what_is_in(run: &Run, signal: &str, batches: usize, told: &str) {
    if signal == "KILL" {
        assert!(run.exit.is_none_or(|code| code == 0), "{told}");
        return;
    }
    let code = if signal == "INT" { 130 } else { 143 };
    if run.exit.is_none() {
        // Before the tool listened.
        assert_eq!(batches, 0, "{told}");
        return;
    }
    assert!(run.exit == Some(code) || run.exit == Some(0), "{told}");
    let document = run.document();
    if document.is_null() {
        assert_eq!(batches, 0, "{told}");
        return;
    }
    let replica = &document["replicas"][0];
    if run.exit == Some(code) {
        assert_eq!(replica["outcome"], "interrupted", "{told}");
    }
    assert_eq!(replica["batches"]["committed"], batches, "{told}");
}
