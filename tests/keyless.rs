//! Tables without a key, the whole way: saved plans and their guards by counts, a run that is taken up again, undo,
//! scripts run by the engine's own client, what `--redact` hides, and how much memory rows without an order take.

use serde_json::json;

use crate::pair::Pair;
use crate::script::client;
use crate::servers::Engine;

/// Of (1, 'one') two copies are missing, of (2, 'two') all; (3, NULL) has one copy too many, (4, 'four') is extra.
/// `own` is the replica's alone.
const PRIMARY: &str = "CREATE TABLE log (a INTEGER, b VARCHAR(40));
    INSERT INTO log VALUES (1, 'one'), (1, 'one'), (1, 'one'), (2, 'two'), (3, NULL), (5, 'same');";
const REPLICA: &str = "CREATE TABLE log (a INTEGER, b VARCHAR(40));
    INSERT INTO log VALUES (1, 'one'), (3, NULL), (3, NULL), (4, 'four'), (4, 'four'), (4, 'Four'), (5, 'same');";

fn drifted(primary: Engine, replica: Engine) -> Pair {
    let pair = Pair::new(primary, replica);
    pair.primary.execute_script(PRIMARY);
    pair.replica.execute_script(REPLICA);
    pair.tables("[log]");
    pair
}

#[test]
fn a_saved_plan_is_guarded_by_the_number_of_copies() {
    for engine in Engine::all() {
        let pair = drifted(Engine::Sqlite, engine);
        let planned = pair.document(&["plan", "spec.yml", "-o", "a.plan"], 0);
        let summary = json!({ "schema_changes": 0, "insert": 3, "update": 0, "delete": 4 });
        assert_eq!(planned["summary"]["insert"], summary["insert"], "{planned:#}");
        assert_eq!(planned["summary"]["delete"], summary["delete"], "{planned:#}");
        let shown = pair.document(&["show", "a.plan"], 0);
        assert_eq!(
            shown["replicas"][0]["tables"][0]["changes"],
            planned["replicas"][0]["tables"][0]["changes"]
        );
        let apply = ["apply", "a.plan", "-y"];
        let disturbed = [
            (
                "INSERT INTO log VALUES (1, 'one')",
                "DELETE FROM log WHERE a = 1; INSERT INTO log VALUES (1, 'one')",
            ),
            ("INSERT INTO log VALUES (2, 'two'), (2, 'two')", "DELETE FROM log WHERE a = 2"),
            (
                "INSERT INTO log VALUES (4, 'four')",
                "DELETE FROM log WHERE b = 'four'; INSERT INTO log VALUES (4, 'four'), (4, 'four')",
            ),
            ("DELETE FROM log WHERE a = 3", "INSERT INTO log VALUES (3, NULL), (3, NULL)"),
        ];
        for (write, back) in disturbed {
            pair.replica.execute_script(write);
            let before = pair.replica.dump();
            let stale = pair.document(&apply, 4);
            assert_eq!(stale["replicas"][0]["outcome"], "stale", "{write}: {stale:#}");
            assert_eq!(pair.replica.dump(), before, "{}: {write}: a stale plan wrote", engine.name());
            // On MariaDB, 'four' finds 'Four' as well: put back what the plan saw.
            pair.replica.execute_script(back);
            if back.contains("four") && engine == Engine::Mariadb {
                pair.replica.execute_script("INSERT INTO log VALUES (4, 'Four')");
            }
        }
        let applied = pair.document(&apply, 0);
        let done = |insert: u64, delete: u64, already: u64| json!({ "schema_changes": 0, "insert": insert, "update": 0, "delete": delete, "already": already });
        assert_eq!(applied["applied"], done(3, 4, 0), "{applied:#}");
        assert_eq!(applied["verified"], true, "{applied:#}");
        let again = pair.document(&apply, 0);
        assert_eq!(again["applied"], done(0, 0, 7), "{again:#}");
        pair.exits(&["verify", "spec.yml"], 0);
    }
}

#[test]
fn what_was_cut_off_between_two_batches_is_taken_up_again() {
    for engine in Engine::all() {
        let pair = Pair::new(Engine::Sqlite, engine);
        pair.both("CREATE TABLE log (a INTEGER)");
        pair.primary.execute_script("INSERT INTO log VALUES (1), (1), (1), (1), (1)");
        pair.replica.execute_script("INSERT INTO log VALUES (2), (2), (2)");
        pair.spec(
            "version: 1\nprimary: ${PRIMARY_URL}\nreplicas: { copy: \"${REPLICA_URL}\" }\ntables: [log]\n\
             apply: { batch_rows: 2 }\n",
        );
        pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
        // The first batch of an earlier run: two copies of 2 are gone.
        pair.replica.execute_script("DELETE FROM log; INSERT INTO log VALUES (2)");
        let applied = pair.document(&["apply", "a.plan", "-y"], 0);
        assert_eq!(applied["applied"]["already"], 2, "{}: {applied:#}", engine.name());
        assert_eq!((&applied["applied"]["insert"], &applied["applied"]["delete"]), (&json!(5), &json!(1)));
        assert_eq!(applied["batches"], json!({ "committed": 4, "of": 4 }));
        pair.exits(&["verify", "spec.yml"], 0);
        // A count that no batch leaves behind is somebody else's.
        pair.replica.execute_script("DELETE FROM log; INSERT INTO log VALUES (2), (2)");
        pair.document(&["apply", "a.plan", "-y"], 4);
    }
}

#[test]
fn undo_puts_back_every_copy_with_all_that_it_held() {
    for engine in Engine::all() {
        let pair = Pair::new(engine, engine);
        pair.primary
            .execute_script("CREATE TABLE log (a INTEGER); INSERT INTO log VALUES (1), (1), (1), (2), (5)");
        pair.replica.execute_script(
            "CREATE TABLE log (a INTEGER, own VARCHAR(20) DEFAULT 'new', n DECIMAL(8,2));
             INSERT INTO log VALUES (1, 'x', 1.50), (3, 'p', NULL), (3, 'p', NULL), (3, NULL, 2.25), (5, 'b', 1.00),
                (5, 'a', 1.00), (5, 'b', 1.00)",
        );
        pair.tables("[{ table: log, columns: [a] }]");
        let before = pair.replica.dump();
        let applied = pair.document(&["apply", "spec.yml", "-y", "--undo", "undo.plan"], 0);
        assert_eq!(applied["verified"], true, "{applied:#}");
        pair.exits(&["verify", "spec.yml"], 0);
        // Two rows of 1 came where one was that may differ from them: which they are nobody knows.
        let refused = pair.document(&["apply", "undo.plan", "-y"], 1);
        assert!(
            refused["replicas"][0]["error"].to_string().contains("which of them cannot be told"),
            "{refused:#}"
        );
        assert_ne!(pair.replica.dump(), before);
        // Without that row all can be told.
        pair.replica.execute_script("DELETE FROM log");
        pair.replica.execute_script(
            "INSERT INTO log VALUES (3, 'p', NULL), (3, 'p', NULL), (3, NULL, 2.25), (5, 'b', 1.00), (5, 'a', 1.00),
                (5, 'b', 1.00)",
        );
        let before = pair.replica.dump();
        pair.exits(&["apply", "spec.yml", "-y", "--undo", "undo.plan"], 0);
        pair.exits(&["verify", "spec.yml"], 0);
        let undone = pair.document(&["apply", "undo.plan", "-y"], 0);
        assert_eq!(undone["verified"], true, "{undone:#}");
        assert_eq!(pair.replica.dump(), before, "{}", engine.name());
    }
}

#[test]
fn what_undo_left_is_looked_at_again_where_it_only_deletes_or_only_inserts() {
    for engine in Engine::all() {
        for (primary, replica) in [("(1), (1), (2)", "(1)"), ("(1)", "(1), (1), (2)")] {
            let pair = Pair::new(engine, engine);
            pair.both("CREATE TABLE log (a INTEGER)");
            pair.primary.execute_script(&format!("INSERT INTO log VALUES {primary}"));
            pair.replica.execute_script(&format!("INSERT INTO log VALUES {replica}"));
            pair.tables("[log]");
            let before = pair.replica.dump();
            pair.exits(&["apply", "spec.yml", "-y", "--undo", "undo.plan"], 0);
            let undone = pair.document(&["apply", "undo.plan", "-y"], 0);
            assert_eq!(undone["verified"], true, "{undone:#}");
            assert_eq!(pair.replica.dump(), before, "{}", engine.name());
        }
    }
}

/// Without the column that is dropped, rows may be equal that were not: nothing can be counted from outside.
#[test]
fn an_undo_that_drops_a_column_is_not_called_verified() {
    for engine in Engine::all() {
        let pair = Pair::new(engine, engine);
        pair.primary
            .execute_script("CREATE TABLE log (a INTEGER, b INTEGER); INSERT INTO log VALUES (1, 5), (2, 6)");
        pair.replica.execute_script("CREATE TABLE log (a INTEGER); INSERT INTO log VALUES (1), (2)");
        pair.tables("[log]");
        let before = pair.replica.dump();
        pair.exits(&["apply", "spec.yml", "-y", "--undo", "undo.plan"], 0);
        let undone = pair.document(&["apply", "undo.plan", "-y", "--allow", "DELETES_DATA"], 0);
        assert_eq!(undone["replicas"][0]["verified"], json!(null), "{undone:#}");
        assert_eq!(undone["verified"], json!(null), "{undone:#}");
        assert_eq!(pair.replica.dump(), before, "{}", engine.name());
    }
}

#[test]
fn an_undo_that_apply_will_refuse_says_so_when_it_is_written() {
    let pair = Pair::new(Engine::Sqlite, Engine::Sqlite);
    pair.primary.execute_script("CREATE TABLE log (a INTEGER); INSERT INTO log VALUES (1), (1)");
    pair.replica.execute_script("CREATE TABLE log (a INTEGER, own TEXT); INSERT INTO log VALUES (1, 'mine')");
    pair.tables("[log]");
    let applied = pair.exits(&["apply", "spec.yml", "-y", "--undo", "undo.plan"], 0);
    let said = "table log: apply will refuse this";
    assert!(applied.stderr.contains(said), "{}", applied.stderr);
    let refused = pair.run(&["apply", "undo.plan", "-y"]);
    assert_eq!(refused.exit, Some(1), "{}", refused.stderr);
}

#[test]
fn the_engines_client_runs_the_script_once() {
    for (primary, replica) in Engine::pairs() {
        let pair = drifted(primary, replica);
        // Two transactions and more, and all at once.
        for batch in ["2", "100000"] {
            pair.replica.execute_script("DELETE FROM log");
            pair.replica.execute_script(REPLICA.split_once(';').expect("two statements").1);
            pair.spec(&format!(
                "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: \"${{REPLICA_URL}}\" }}\ntables: [log]\n\
                 apply: {{ batch_rows: {batch} }}\n"
            ));
            let script = pair.exits(&["plan", "spec.yml", "--format", "sql"], 0).stdout;
            let file = pair.path("script.sql");
            std::fs::write(&file, &script).expect("it can be written");
            let ran = client(replica, &pair.replica.url, &file, &[]);
            assert!(ran.ok, "{}/{}: {}\n{script}", primary.name(), replica.name(), ran.said);
            pair.exits(&["verify", "spec.yml"], 0);
            let before = pair.replica.dump();
            let again = client(replica, &pair.replica.url, &file, &[]);
            assert!(!again.ok && again.said.contains("not there as often"), "{}", again.said);
            assert_eq!(pair.replica.dump(), before);
        }
    }
}

#[test]
fn no_value_of_a_row_without_a_key_is_shown_under_redact() {
    for engine in Engine::all() {
        let pair = Pair::new(Engine::Sqlite, engine);
        pair.both("CREATE TABLE log (a INTEGER, b VARCHAR(20))");
        pair.primary.execute_script("INSERT INTO log VALUES (735519, 'Xmarkerx'), (735519, 'Xmarkerx')");
        pair.replica.execute_script("INSERT INTO log VALUES (735518, 'Xmarkerx'), (735519, 'Xmarkerx')");
        pair.tables("[log]");
        pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
        let hidden = |args: &[&str], exit: i32| {
            for format in ["text", "json", "markdown", "junit"] {
                let more = ["--redact", "--rows", "all", "-v", "--format", format];
                let run = pair.exits(&[args, &more].concat(), exit);
                for text in [&run.stdout, &run.stderr] {
                    let told = text.contains("73551") || text.contains("735,51") || text.contains("Xmarkerx");
                    assert!(!told, "{}", run.told());
                }
            }
        };
        hidden(&["plan", "spec.yml"], 0);
        hidden(&["verify", "spec.yml"], 2);
        pair.replica.execute_script("INSERT INTO log VALUES (735519, 'Xmarkerx'), (735519, 'Xmarkerx')");
        hidden(&["apply", "a.plan", "-y"], 4);
        // A value that does not fit, in a column that is too short.
        if engine != Engine::Sqlite {
            pair.replica.execute_script("DROP TABLE log; CREATE TABLE log (a INTEGER, b VARCHAR(3))");
            pair.tables("[{ table: log, schema: ignore }]");
            hidden(&["plan", "spec.yml"], 1);
        }
    }
}

/// Types whose values have no `=`, or one that takes different values for equal; every row is another's neighbour.
fn hard_types(engine: Engine) -> (&'static str, Vec<&'static str>) {
    match engine {
        Engine::Postgres => (
            "CREATE TYPE pair AS (a int, b text); CREATE TYPE mood AS ENUM ('happy', 'sad');
             CREATE TABLE t (j json, x xml, p point, a int[], c pair, m mood, n numeric, i interval, r int4range,
                v tsvector, f real)",
            vec![
                "('{\"a\": 1}', '<a/>', '(1,2)', '{1,2}', '(1,x)', 'sad', 1.0, '1 day', '[1,5)', 'a b', 0)",
                "('{\"a\":1}', '<a/>', '(1,2)', '{1,2}', '(1,x)', 'sad', 1.0, '1 day', '[1,5)', 'a b', 0)",
                "('{\"a\": 1}', '<a></a>', '(1,2)', '{1,2}', '(1,x)', 'sad', 1.0, '1 day', '[1,5)', 'a b', 0)",
                "('{\"a\": 1}', '<a/>', '(1,2)', '{{1,2}}', '(1,x)', 'sad', 1.0, '1 day', '[1,5)', 'a b', 0)",
                "('{\"a\": 1}', '<a/>', '(1,2)', '{1,2}', '(1,x)', 'sad', 1.00, '1 day', '[1,5)', 'a b', 0)",
                "('{\"a\": 1}', '<a/>', '(1,2)', '{1,2}', '(1,x)', 'sad', 1.0, '24 hours', '[1,5)', 'a b', 0)",
                "('{\"a\": 1}', '<a/>', '(1,2)', '{1,2}', '(1,x)', 'sad', 1.0, '1 day', '[1,5)', 'a b', '-0')",
                "(NULL, NULL, NULL, NULL, '(,)', NULL, NULL, NULL, NULL, NULL, NULL)",
                "(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
            ],
        ),
        Engine::Mariadb => (
            "CREATE TABLE t (b bit(10), e enum('x', 'y'), s set('p', 'q'), y year, f float, d double, p point, c char(3),
                u bigint unsigned, ts timestamp(6) null, t text character set latin1, v varchar(9))",
            vec![
                "(5, 'x', 'p,q', 2020, 1.1, 0.1, point(1, 2), 'ab', 18446744073709551615, '2026-01-02 03:04:05.000006', 'é', 'a')",
                "(4, 'x', 'p,q', 2020, 1.1, 0.1, point(1, 2), 'ab', 18446744073709551615, '2026-01-02 03:04:05.000006', 'é', 'a')",
                "(5, 'y', 'p,q', 2020, 1.1, 0.1, point(1, 2), 'ab', 18446744073709551615, '2026-01-02 03:04:05.000006', 'é', 'a')",
                "(5, 'x', 'p', 2020, 1.1, 0.1, point(1, 2), 'ab', 18446744073709551615, '2026-01-02 03:04:05.000006', 'é', 'a')",
                "(5, 'x', 'p,q', 2020, 1.1000001, 0.1, point(1, 2), 'ab', 18446744073709551615, '2026-01-02 03:04:05.000006', 'é', 'a')",
                "(5, 'x', 'p,q', 2020, 1.1, 0.1, point(2, 1), 'ab', 18446744073709551615, '2026-01-02 03:04:05.000006', 'é', 'a')",
                "(5, 'x', 'p,q', 2020, 1.1, 0.1, point(1, 2), 'AB', 18446744073709551614, '2026-01-02 03:04:05.000006', 'e', 'a')",
                "(5, 'x', 'p,q', 2020, 1.1, 0.1, point(1, 2), 'ab', 18446744073709551615, '2026-01-02 03:04:05.000006', 'é', 'a ')",
                "(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
            ],
        ),
        Engine::Sqlite => (
            "CREATE TABLE t (a, b INTEGER, c TEXT, d DATETIME)",
            vec![
                "(1, 1, 'x', '2026-01-02 03:04:05')",
                "(1.0, 1, 'x', '2026-01-02 03:04:05')",
                "('1', 1, 'x', '2026-01-02 03:04:05')",
                "(x'31', 1, 'x', '2026-01-02 03:04:05')",
                "(1, 'word', 'x', '2026-01-02 03:04:05')",
                "(1, 1, x'78', '2026-01-02 03:04:05')",
                "(1, 1, 'x', '2026-01-02T03:04:05')",
                "(-0.0, 1, 'x', NULL)",
                "(0.0, 1, 'x', NULL)",
                "(NULL, NULL, NULL, NULL)",
            ],
        ),
    }
}

#[test]
fn rows_that_only_look_alike_are_told_apart() {
    for engine in Engine::all() {
        let (table, rows) = hard_types(engine);
        // Of one row after the other: two copies are missing, and two are extra.
        for (index, row) in rows.iter().enumerate() {
            let pair = Pair::new(engine, engine);
            pair.both(table);
            pair.tables("[t]");
            let all = format!("INSERT INTO t VALUES {}", rows.join(", "));
            pair.both(&all);
            let next = rows[(index + 1) % rows.len()];
            pair.primary.execute_script(&format!("INSERT INTO t VALUES {row}, {row}"));
            pair.replica.execute_script(&format!("INSERT INTO t VALUES {next}, {next}, {next}"));
            let applied = pair.document(&["apply", "spec.yml", "-y"], 0);
            let counts = (&applied["applied"]["insert"], &applied["applied"]["delete"]);
            assert_eq!(counts, (&json!(2), &json!(3)), "{}: {row}: {applied:#}", engine.name());
            pair.exits(&["verify", "spec.yml"], 0);
            assert_eq!(pair.primary.dump(), pair.replica.dump(), "{}: {row}", engine.name());
        }
    }
}

/// A fact, not a time: with little memory a temporary file is needed, and there is no folder for one.
#[test]
fn rows_are_set_aside_in_a_file_where_memory_is_little() {
    let pair = Pair::new(Engine::Sqlite, Engine::Sqlite);
    pair.both(
        "CREATE TABLE log (a INTEGER, b TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000)
         INSERT INTO log SELECT i % 150000, 'word ' || (i % 7) FROM n;",
    );
    pair.replica.execute_script(
        "DELETE FROM log WHERE rowid % 50000 = 0; INSERT INTO log VALUES (5, 'more'), (5, 'more')",
    );
    pair.tables("[log]");
    let nowhere = pair.path("there is no such folder");
    let nowhere = nowhere.to_string_lossy();
    let plan = ["plan", "spec.yml", "--memory", "16MiB"];
    let failed = pair.run_with(&plan, &[("TMPDIR", &nowhere)]);
    assert_eq!(failed.exit, Some(1), "{}", failed.told());
    assert!(failed.stdout.contains("could not set rows aside in a temporary file"), "{}", failed.told());
    let enough = pair.run_with(&["plan", "spec.yml", "--memory", "1GiB"], &[("TMPDIR", &nowhere)]);
    assert_eq!(enough.exit, Some(0), "{}", enough.told());
    let document = pair.document(&plan, 0);
    let found = &document["replicas"][0]["tables"][0];
    assert_eq!(found["rows"], json!({ "primary": 200_000, "replica": 199_998 }), "{document:#}");
    assert_eq!((&found["summary"]["insert"], &found["summary"]["delete"]), (&json!(4), &json!(2)));
    assert_eq!(found["changes"].as_array().map(Vec::len), Some(5), "{found:#}");
    pair.exits(&["apply", "spec.yml", "-y", "--memory", "16MiB"], 0);
    pair.exits(&["verify", "spec.yml", "--memory", "16MiB"], 0);
}
