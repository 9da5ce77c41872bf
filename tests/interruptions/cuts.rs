//! The connection breaks at every statement of a small apply: before the server has seen it, and after it has done
//! it but nobody heard.

use super::proxy::{Cut, Proxy};
use super::scene::{Scene, What};
use crate::servers::{Engine, open};

/// Rows in each of the two batches.
const BATCH_ROWS: usize = 3;
/// No apply of six rows has so many statements.
const STATEMENTS_MAX: usize = 400;

#[test]
fn postgres_connections_are_cut_at_every_statement() {
    every_statement(Engine::Postgres, "sslmode=disable");
}

#[test]
fn mariadb_connections_are_cut_at_every_statement() {
    every_statement(Engine::Mariadb, "ssl-mode=disabled");
}

fn every_statement(engine: Engine, parameter: &str) {
    let scene = Scene::new(open(engine, "p"), open(engine, "r"), 1);
    let (server, url) = through(&scene.replica.url, parameter);
    let url = url.replace(&format!("@{server}/"), "@127.0.0.1:{port}/");
    let proxy = Proxy::start(engine, server);
    let url = url.replace("{port}", &proxy.port.to_string());
    let (mut cuts, mut between, mut commits) = (0, 0, 0);
    for at in 1..STATEMENTS_MAX {
        let after = strike(&scene, &proxy, &url, Cut::After(at), &mut between);
        let Some(statement) = after else {
            println!(
                "{}: {cuts} cuts at {} statements, {between} with one batch of two in, {commits} at a commit",
                engine.name(),
                at - 1
            );
            assert!(commits == 4 && between > 10, "not all of an apply was cut");
            return;
        };
        cuts += 1;
        // A read that the server never saw is to the tool one that was not answered.
        let writes = ["INSERT", "UPDATE", "DELETE"].iter().any(|word| statement.contains(word));
        if writes || commits_here(&statement) {
            let before = strike(&scene, &proxy, &url, Cut::Before(at), &mut between);
            assert!(before.is_some(), "statement {at} comes every time");
            cuts += 1;
        }
        commits += 2 * usize::from(commits_here(&statement));
    }
    panic!("an apply of six rows has more than {STATEMENTS_MAX} statements");
}

/// Nothing but a commit: `READ COMMITTED` is none.
fn commits_here(statement: &str) -> bool {
    statement.contains("COMMIT") && !statement.contains("COMMITTED")
}

/// One round; the statement at which it was cut, unless the apply had fewer.
fn strike(scene: &Scene, proxy: &Proxy, url: &str, cut: Cut, between: &mut usize) -> Option<String> {
    let at = match cut {
        Cut::Before(at) | Cut::After(at) => at,
    };
    let (what, again) = ([What::Saved, What::Spec][at % 2], [What::Saved, What::Spec][at / 2 % 2]);
    scene.drift_again();
    proxy.arm(cut);
    let run = scene.apply(what, BATCH_ROWS, url).ends();
    let statement = proxy.cut_at();
    let told = format!("{} cut {cut:?} of {statement:?}\n{}", scene.replica.engine.name(), run.told());
    scene.sessions_end();
    let done = scene.left_by(BATCH_ROWS, &told);
    if statement.is_none() {
        assert_eq!((run.exit, done), (Some(0), scene.total()), "{told}");
        return None;
    }
    *between += usize::from(done > 0 && done < scene.total());
    if statement.as_deref().is_some_and(commits_here) {
        let document = run.document();
        let replica = &document["replicas"][0];
        assert!(replica["error"].to_string().contains("the commit was not answered"), "{told}");
        let more = if matches!(cut, Cut::After(_)) { 1 } else { 0 };
        assert_eq!(replica["batches"]["committed"], done / BATCH_ROWS - more, "{told}");
    }
    // What is cut after the last answer that counts is no error.
    assert!(run.exit == Some(1) || (run.exit == Some(0) && done == scene.total()), "{told}");
    scene.completes(again, BATCH_ROWS, done, &told);
    statement
}

/// Where the server listens, and the URL with a parameter that keeps what is said plain.
fn through(url: &str, parameter: &str) -> (String, String) {
    let place = url.rsplit_once('@').expect("the URL has a login").1;
    let place = place.split_once('/').expect("and a database").0;
    let mark = if url.contains('?') { '&' } else { '?' };
    (place.to_owned(), format!("{url}{mark}{parameter}"))
}
