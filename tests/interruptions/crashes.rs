//! `kill -9` of the server while the tool plans and applies, and its restart over the same data.

use std::time::{Duration, Instant};

use super::scene::{Scene, What};
use crate::random::Dice;
use crate::servers::{Engine, Mortal};
use crate::tool::Run;

const ROUNDS: usize = 10;
/// One round in so many strikes while the tool plans.
const PLAN_EVERY: usize = 5;

#[test]
fn a_postgres_server_is_killed() {
    rounds(Engine::Postgres);
}

#[test]
fn a_mariadb_server_is_killed() {
    rounds(Engine::Mariadb);
}

fn rounds(engine: Engine) {
    let server = Mortal::start(engine);
    let scene = Scene::new(server.fresh_database("p"), server.fresh_database("r"), 12);
    let mut dice = Dice::new(7);
    let (mut between, mut applies) = (0, 0);
    for round in 0..ROUNDS {
        scene.drift_again();
        if round % PLAN_EVERY == PLAN_EVERY - 1 {
            killed_while_it_plans(&scene, server, &mut dice);
            continue;
        }
        let what = [What::Saved, What::Spec][round % 2];
        let again = [What::Saved, What::Spec][round / 2 % 2];
        let batch_rows = 1 + dice.below(3);
        let wanted = 1 + dice.below(scene.total() * 2 / 3);
        let mut running = scene.apply(what, batch_rows, &scene.replica.url);
        while !running.is_over() && scene.done() < wanted {
            std::thread::sleep(Duration::from_micros(500));
        }
        wait(dice.below(6_000));
        server.kill();
        let run = running.ends();
        restart(&scene, server);
        let told = format!(
            "{} round {round}: killed after {wanted} rows in batches of {batch_rows}, {what:?}\n{}",
            engine.name(),
            run.told()
        );
        let done = scene.left_by(batch_rows, &told);
        says_what_is_in(&run, done.div_ceil(batch_rows), &told);
        applies += 1;
        between += usize::from(done > 0 && done < scene.total());
        scene.completes(again, batch_rows, done, &told);
    }
    println!(
        "{}: {ROUNDS} rounds, {ROUNDS} times kill -9 of the server, {applies} during apply, {between} of these between \
         the first and the last commit",
        engine.name()
    );
    assert!(between * 5 >= applies * 4, "only {between} of {applies} fell between the commits");
}

fn wait(microseconds: usize) {
    let until = Instant::now() + Duration::from_micros(microseconds as u64);
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

fn restart(scene: &Scene, server: &Mortal) {
    server.restart();
    scene.primary.forget_session();
    scene.replica.forget_session();
}

/// No plan comes of it, and no word that the two are alike.
fn killed_while_it_plans(scene: &Scene, server: &Mortal, dice: &mut Dice) {
    let mut running = scene.start(&["plan", "spec.yml", "--detailed-exitcode", "--format", "json"]);
    while !running.is_over() && scene.sessions() == 0 {
        std::thread::sleep(Duration::from_micros(500));
    }
    wait(dice.below(40_000));
    server.kill();
    let run = running.ends();
    restart(scene, server);
    // It may have had all it needed.
    assert!(matches!(run.exit, Some(1 | 2)), "{}", run.told());
    assert_ne!(run.document()["in_sync"], true, "{}", run.told());
    assert_eq!(scene.left_by(1, &run.told()), 0);
    scene.completes(What::Saved, 10, 0, &run.told());
}

/// The batches that the run says are in are; one more is only where it says that it does not know.
#[track_caller]
fn says_what_is_in(run: &Run, batches: usize, told: &str) {
    let document = run.document();
    let replica = &document["replicas"][0];
    let committed = replica["batches"]["committed"].as_u64().unwrap_or_else(|| panic!("{told}")) as usize;
    if run.exit == Some(0) {
        return;
    }
    assert_eq!((run.exit, replica["outcome"].as_str()), (Some(1), Some("error")), "{told}");
    let unknown = replica["error"].to_string().contains("commit was not answered");
    assert!(committed == batches || (unknown && committed + 1 == batches), "{told}");
}
