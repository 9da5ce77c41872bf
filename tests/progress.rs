//! The progress of a saved plan, kept beside it: what an earlier run committed counts as done, whatever a trigger made
//! of it since, and nothing else does.

use std::os::unix::fs::PermissionsExt;

use crate::pair::Pair;
use crate::servers::{Engine, open};
use crate::tool::Run;

const TABLES: &str = "CREATE TABLE items (id INTEGER PRIMARY KEY, amount INTEGER);
    CREATE TABLE parts (id INTEGER PRIMARY KEY, item INTEGER NOT NULL REFERENCES items (id));";
const ITEMS: &str = "INSERT INTO items VALUES (1, 10), (2, 20), (3, 30), (4, 40);";

/// On the replica each part that comes moves the amount of its item, and none comes as fifth while there is a gate.
fn triggers(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => {
            "CREATE TABLE gate (id INTEGER); INSERT INTO gate VALUES (1);
             CREATE TRIGGER closed BEFORE INSERT ON parts WHEN NEW.id = 5 AND EXISTS (SELECT 1 FROM gate)
                 BEGIN SELECT RAISE(ABORT, 'the gate is closed'); END;
             CREATE TRIGGER moves AFTER INSERT ON parts
                 BEGIN UPDATE items SET amount = amount + 1 WHERE id = NEW.item; END;"
        }
        Engine::Postgres => {
            "CREATE TABLE gate (id INTEGER); INSERT INTO gate VALUES (1);
             CREATE FUNCTION closed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF NEW.id = 5 AND EXISTS (SELECT FROM gate) THEN RAISE EXCEPTION 'the gate is closed'; END IF;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER closed BEFORE INSERT ON parts FOR EACH ROW EXECUTE FUNCTION closed();
             CREATE FUNCTION moves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 UPDATE items SET amount = amount + 1 WHERE id = NEW.item; RETURN NULL;
             END $$;
             CREATE TRIGGER moves AFTER INSERT ON parts FOR EACH ROW EXECUTE FUNCTION moves();"
        }
        Engine::Mariadb => {
            "CREATE TABLE gate (id INTEGER); INSERT INTO gate VALUES (1);
             CREATE TRIGGER closed BEFORE INSERT ON parts FOR EACH ROW
                 IF NEW.id = 5 AND EXISTS (SELECT 1 FROM gate) THEN
                     SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the gate is closed';
                 END IF;
             CREATE TRIGGER moves AFTER INSERT ON parts FOR EACH ROW
                 UPDATE items SET amount = amount + 1 WHERE id = NEW.item;"
        }
    }
}

const PROGRESS: &str = "a.plan.progress";

/// Four items to update and eight parts to insert, saved as `a.plan`, of which a first run in batches of two got
/// four batches in: all items, and four parts.
fn cut_off(engine: Engine) -> (Pair, Run) {
    let pair = Pair::new(engine, engine);
    pair.both(TABLES);
    pair.primary.execute_script(ITEMS);
    pair.replica.execute_script("INSERT INTO items VALUES (1, 0), (2, 0), (3, 0), (4, 0);");
    for id in 1..=8 {
        pair.primary.execute_script(&format!("INSERT INTO parts VALUES ({id}, {})", 1 + id % 4));
    }
    pair.replica.execute_script(triggers(engine));
    pair.tables("[items, parts]");
    pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
    let run = pair.exits(&["apply", "a.plan", "-y", "--batch-rows", "2", "--format", "json"], 1);
    (pair, run)
}

fn amounts(pair: &Pair) -> Vec<String> {
    pair.replica.query("SELECT amount FROM items ORDER BY id").into_iter().flatten().flatten().collect()
}

#[test]
fn rows_that_a_trigger_rewrote_count_as_done() {
    for engine in Engine::all() {
        let (pair, run) = cut_off(engine);
        let document = run.document();
        let replica = &document["replicas"][0];
        assert_eq!(replica["batches"]["committed"], 4, "{}", run.told());
        assert!(
            replica["error"].to_string().contains("batches 1 to 4 of 6 are in and stay"),
            "{}",
            run.told()
        );
        assert_eq!(amounts(&pair), ["11", "21", "31", "41"], "{}", run.told());
        let path = pair.path(PROGRESS);
        let mode = std::fs::metadata(&path).expect("it is kept").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = pair.read(PROGRESS);
        for secret in ["://", "amount", "10", &pair.replica.name] {
            assert!(!without_digests(&text).contains(secret), "{secret} stands in\n{text}");
        }
        let show = pair.exits(&["show", "a.plan"], 0);
        assert!(show.stderr.contains("copy: 8 changes of 12 are in since an earlier run"), "{}", show.told());

        pair.replica.execute_script("DELETE FROM gate");
        // Without its progress the plan is stale, and writes nothing.
        let away = pair.path("elsewhere");
        std::fs::rename(&path, &away).expect("it can be moved");
        let stale = pair.exits(&["apply", "a.plan", "-y", "--batch-rows", "2"], 4);
        assert!(
            stale.stderr.contains("changed since the plan was made")
                || stale.stdout.contains("changed since the plan was made"),
            "{}",
            stale.told()
        );
        assert_eq!(amounts(&pair), ["11", "21", "31", "41"]);
        std::fs::rename(&away, &path).expect("it can be moved back");

        // With other batches it reads the same. What the trigger made of the items is drift, as it would have been.
        let run = pair.exits(&["apply", "a.plan", "-y", "--batch-rows", "3", "--format", "json"], 2);
        let document = run.document();
        assert_eq!(document["applied"]["already"], 8, "{}", run.told());
        assert_eq!(document["applied"]["insert"], 4, "{}", run.told());
        assert_eq!(document["verified"], false, "{}", run.told());
        assert!(run.stderr.contains("8 changes of 12 are in since an earlier run"), "{}", run.told());
        assert_eq!(amounts(&pair), ["12", "22", "32", "42"], "{}", run.told());
        // All is in, and yet the check did not find it equal: what was written is still known.
        assert!(path.exists(), "{}", run.told());
        pair.exits(&["apply", "a.plan", "-y", "--batch-rows", "3"], 2);
        pair.exits(&["apply", "a.plan", "-y", "--batch-rows", "3", "--no-verify"], 0);
        assert!(path.exists(), "{}", run.told());
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    }
}

/// Hexadecimal digests may hold any digits.
fn without_digests(text: &str) -> String {
    let is_digest = |word: &str| word.len() >= 32 && word.chars().all(|c| c.is_ascii_hexdigit());
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != ':' && c != '/')
        .filter(|word| !is_digest(word))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A change whose row is as before is written again, whatever was noted of it: a server that lost its last commits.
#[test]
fn what_is_noted_and_not_in_is_written() {
    let (pair, _) = cut_off(Engine::Sqlite);
    pair.replica.execute_script(
        "DROP TRIGGER closed; DROP TRIGGER moves; UPDATE items SET amount = 0; DELETE FROM parts",
    );
    let run = pair.exits(&["apply", "a.plan", "-y", "--batch-rows", "2", "--format", "json"], 0);
    assert_eq!(run.document()["applied"]["already"], 0, "{}", run.told());
    assert_eq!(run.document()["verified"], true, "{}", run.told());
    assert!(!pair.path(PROGRESS).exists());
}

#[test]
fn the_progress_of_another_plan_says_nothing() {
    let (pair, _) = cut_off(Engine::Sqlite);
    pair.replica.execute_script("DELETE FROM gate; DROP TRIGGER moves");
    pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
    // Rows that the first plan wrote, and that somebody changed since the second was made.
    pair.replica.execute_script("UPDATE items SET amount = 5 WHERE id = 1");
    let run = pair.exits(&["apply", "a.plan", "-y", "--batch-rows", "2"], 4);
    assert!(run.stderr.contains("a.plan.progress is of another plan"), "{}", run.told());
    pair.replica.execute_script("UPDATE items SET amount = 11 WHERE id = 1");
    pair.exits(&["apply", "a.plan", "-y", "--batch-rows", "2"], 0);
    assert!(!pair.path(PROGRESS).exists());
}

#[test]
fn where_progress_cannot_be_kept_nothing_is_written() {
    for (make, words) in [
        ("folder", "could not read the plan's progress in a.plan.progress"),
        ("file", "a.plan.progress is there and holds no progress of a plan"),
    ] {
        let pair = Pair::sqlite("[items]", TABLES);
        pair.primary.execute_script(ITEMS);
        pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
        match make {
            "folder" => std::fs::create_dir(pair.path(PROGRESS)).expect("it can be made"),
            _ => std::fs::write(pair.path(PROGRESS), "notes").expect("it can be written"),
        }
        let before = pair.replica.dump();
        let run = pair.exits(&["apply", "a.plan", "-y", "--batch-rows", "2"], 1);
        assert!(run.stderr.contains(words), "{}", run.told());
        assert_eq!(pair.replica.dump(), before);
        assert!(pair.path(PROGRESS).exists());
    }
}

#[test]
fn one_transaction_keeps_no_progress() {
    let pair = Pair::sqlite("[items]", TABLES);
    pair.primary.execute_script(ITEMS);
    pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
    let mut watched = std::fs::read_dir(pair.folder()).expect("it can be read").count();
    pair.exits(&["apply", "a.plan", "-y"], 0);
    watched = std::fs::read_dir(pair.folder()).expect("it can be read").count() - watched;
    assert_eq!(watched, 0);
}

/// It stays until every replica has all of the plan.
#[test]
fn it_is_kept_until_every_replica_is_done() {
    let pair = Pair::sqlite("[items]", TABLES);
    let second = open(Engine::Sqlite, "second");
    second.execute_script(TABLES);
    second.execute_script(
        "CREATE TRIGGER closed BEFORE INSERT ON items BEGIN SELECT RAISE(ABORT, 'the gate is closed'); END",
    );
    pair.primary.execute_script(ITEMS);
    pair.spec(
        "version: 1\nprimary: ${PRIMARY_URL}\nreplicas: { a: \"${REPLICA_URL}\", b: \"${SECOND_URL}\" }\ntables: [items]\n",
    );
    let variables = [("SECOND_URL", second.url.as_str())];
    let run = |args: &[&str], code: i32| {
        let run = pair.run_with(args, &variables);
        assert_eq!(run.exit, Some(code), "{}", run.told());
        run
    };
    run(&["plan", "spec.yml", "-o", "a.plan"], 0);
    run(&["apply", "a.plan", "-y"], 1);
    assert!(pair.path(PROGRESS).exists());
    pair.replica.execute_script("UPDATE items SET amount = 7 WHERE id = 1");
    second.execute_script("DROP TRIGGER closed");
    // What somebody wrote since is nothing that the plan knows.
    let stale = run(&["apply", "a.plan", "-y", "--format", "json"], 4);
    assert_eq!(stale.document()["replicas"][1]["applied"]["insert"], 4, "{}", stale.told());
    assert!(pair.path(PROGRESS).exists());
    pair.replica.execute_script("UPDATE items SET amount = 10 WHERE id = 1");
    let last = run(&["apply", "a.plan", "-y", "--format", "json"], 0);
    assert_eq!(last.document()["replicas"][0]["applied"]["already"], 4, "{}", last.told());
    assert_eq!(last.document()["replicas"][1]["applied"]["already"], 4, "{}", last.told());
    assert!(!pair.path(PROGRESS).exists());
}

/// Nothing of the replica's own explains a row that was written and holds something else: it was restored, or somebody
/// wrote it. Then the plan is stale, checked afterwards or not.
#[test]
fn rows_that_no_trigger_explains_are_stale() {
    for engine in Engine::all() {
        let pair = Pair::new(engine, engine);
        pair.primary.execute_script("CREATE TABLE items (id INTEGER PRIMARY KEY, amount INTEGER);");
        // The second batch does not come in.
        pair.replica.execute_script(
            "CREATE TABLE items (id INTEGER PRIMARY KEY, amount INTEGER CHECK (amount < 30));",
        );
        pair.replica.execute_script("INSERT INTO items VALUES (1, 0), (2, 0), (3, 0), (4, 0);");
        pair.primary.execute_script("INSERT INTO items VALUES (1, 10), (2, 20), (3, 30), (4, 40);");
        pair.tables("[{ table: items, schema: ignore }]");
        pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
        let run = pair.exits(&["apply", "a.plan", "-y", "--batch-rows", "2", "--format", "json"], 1);
        assert_eq!(run.document()["replicas"][0]["batches"]["committed"], 1, "{}", run.told());
        pair.replica.execute_script("UPDATE items SET amount = 7 WHERE id = 1");
        for check in [&[][..], &["--no-verify"]] {
            let args = [&["apply", "a.plan", "-y", "--batch-rows", "2"], check].concat();
            pair.exits(&args, 4);
            assert!(pair.path(PROGRESS).exists(), "{}", engine.name());
        }
    }
}
