//! `online: true`: structure is changed while others read and write, in steps that can be taken up again.

use serde_json::Value as Json;

use crate::interruptions::proxy::{Cut, Proxy};
use crate::messages::wait_until_held;
use crate::pair::Pair;
use crate::script::client;
use crate::servers::Engine;

/// No apply of these plans has so many statements.
const STATEMENTS_MAX: usize = 200;

const BEFORE: &str = "CREATE TABLE p (id int PRIMARY KEY);
    CREATE TABLE t (id int PRIMARY KEY, a int, s text, old text);
    CREATE INDEX going ON t (old);
    INSERT INTO p VALUES (1), (2); INSERT INTO t VALUES (1, 1, 'x', NULL), (2, NULL, NULL, 'o');";

const AFTER: &str = "CREATE TABLE p (id int PRIMARY KEY);
    CREATE TABLE t (id int PRIMARY KEY, a int, s text NOT NULL, old text, n int NOT NULL DEFAULT 7,
        CONSTRAINT positive CHECK (a > 0), CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id) ON DELETE CASCADE,
        CONSTRAINT once UNIQUE (a, s) DEFERRABLE);
    CREATE INDEX coming ON t (lower(s)) WHERE a > 0; CREATE INDEX ON t (a DESC); CREATE UNIQUE INDEX sole ON t (s) INCLUDE (a);
    INSERT INTO p VALUES (1), (2), (3); INSERT INTO t VALUES (1, 1, 'x', NULL), (2, 3, 'y', 'o'), (3, 3, 'z', NULL);";

const TABLES: &str = "[p, { table: t, online: true }]";

fn changed() -> Pair {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.primary.execute_script(AFTER);
    pair.replica.execute_script(BEFORE);
    pair.tables(TABLES);
    pair
}

/// With leave for all that it takes.
fn allowed() -> Pair {
    let pair = changed();
    pair.spec(&format!(
        "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: \"${{REPLICA_URL}}\" }}\nallow: [all]\ntables: {TABLES}\n"
    ));
    pair
}

fn changes(document: &Json) -> Vec<Json> {
    let tables = document["replicas"][0]["tables"].as_array().expect("there are tables");
    tables
        .iter()
        .flat_map(|table| table["schema_changes"].as_array().into_iter().flatten())
        .cloned()
        .collect()
}

fn statements(document: &Json) -> Vec<String> {
    let of = |change: &Json| change["sql"].as_array().cloned().unwrap_or_default();
    changes(document).iter().flat_map(of).filter_map(|sql| sql.as_str().map(str::to_owned)).collect()
}

/// What `pg_dump` says, with what the server named by itself.
fn shown(pair: &Pair) -> [Vec<String>; 2] {
    [&pair.primary, &pair.replica].map(|database| {
        let output = std::process::Command::new("pg_dump")
            .args(["--schema-only", "--no-owner", "--no-privileges", &database.url])
            .output()
            .expect("pg_dump can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("it is UTF-8");
        let says = |line: &&str| !line.is_empty() && !line.starts_with("--") && !line.starts_with('\\');
        let mut lines: Vec<String> =
            text.lines().filter(says).map(|line| line.trim_end_matches(',').trim().to_owned()).collect();
        lines.sort();
        lines
    })
}

#[track_caller]
fn is_equal(pair: &Pair, told: &str) {
    let [wanted, found] = shown(pair);
    assert_eq!(found, wanted, "{told}");
    assert_eq!(pair.replica.dump(), pair.primary.dump(), "{told}");
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
}

/// What a connection of its own writes to the replica.
#[track_caller]
fn others_write(pair: &Pair, sql: &str) {
    std::fs::write(pair.path("others.sql"), format!("\\set ON_ERROR_STOP on\n{sql}"))
        .expect("a file can be written");
    let run = client(Engine::Postgres, &pair.replica.url, &pair.path("others.sql"), &[]);
    assert!(run.ok, "{}", run.said);
}

#[test]
fn nothing_reads_all_rows_under_a_lock_that_others_wait_for() {
    let pair = changed();
    let planned = pair.document(&["plan", "spec.yml"], 0);
    for sql in statements(&planned) {
        let builds = sql.contains(" INDEX ") && (sql.starts_with("CREATE") || sql.starts_with("DROP"));
        assert!(!builds || sql.contains(" CONCURRENTLY "), "{sql}");
        let asks = sql.contains(" CHECK ") || sql.contains(" FOREIGN KEY ");
        assert!(!asks || sql.ends_with(" NOT VALID"), "{sql}");
        let constrains = sql.contains(" UNIQUE ") && sql.starts_with("ALTER");
        assert!(!constrains || sql.contains(" USING INDEX "), "{sql}");
    }
    let shown = pair.exits(&["plan", "spec.yml"], 0).stdout;
    let validated = [
        "~ validate foreign key t.f\n      -ALTER TABLE",
        "Online: each change of structure is committed by itself",
    ];
    assert!(validated.iter().all(|words| shown.contains(words)), "{shown}");
    // Only what was there before needs leave, not what comes and goes on the way.
    pair.exits(&["apply", "spec.yml", "-y"], 3);
    pair.exits(&["apply", "spec.yml", "-y", "--allow", "INDEX_DROPPED"], 0);
    is_equal(&pair, "applied");
}

#[test]
fn others_write_while_an_index_is_built_and_wait_for_nothing() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.both(
        "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int); INSERT INTO t VALUES (1, 'a')",
    );
    pair.primary.execute_script("CREATE UNIQUE INDEX i ON t (v)");
    pair.tables("[{ table: t, online: true }]");
    // One who looks at an old state of the database keeps the index from being used, and nobody else.
    pair.replica.execute_script("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM u");
    let running = pair.start(&["apply", "spec.yml", "-y", "--no-verify"]);
    wait_until_held(&pair.replica, &pair.primary);
    others_write(
        &pair,
        "SET lock_timeout = '5s'; INSERT INTO t VALUES (2, 'b'); DELETE FROM t WHERE id = 2;",
    );
    pair.replica.execute_script("COMMIT");
    let run = running.ends();
    assert_eq!(run.exit, Some(0), "{}", run.told());
    is_equal(&pair, "built");
}

#[test]
fn it_is_cut_off_at_every_other_statement() {
    let pair = allowed();
    let url = pair.replica.url.clone();
    let server = url.split_once('@').and_then(|(_, rest)| rest.split_once('/')).expect("a host").0.to_owned();
    let proxy = Proxy::start(Engine::Postgres, server.clone());
    let url = url.replace(&format!("@{server}/"), &format!("@127.0.0.1:{}/", proxy.port));
    let url = format!("{url}{}sslmode=disable", if url.contains('?') { '&' } else { '?' });
    // The others are much the same, and each takes its time.
    for at in (1..STATEMENTS_MAX).step_by(2) {
        pair.replica.execute_script("DROP TABLE IF EXISTS t, p");
        pair.replica.execute_script(BEFORE);
        pair.exits(&["plan", "spec.yml", "-o", "saved.plan"], 0);
        // By turns the same plan again, and another one for what is left.
        let again = if at % 4 == 1 { "saved.plan" } else { "spec.yml" };
        proxy.arm(Cut::After(at));
        let cut =
            pair.run_with(&["apply", "saved.plan", "-y", "--batch-rows", "2"], &[("REPLICA_URL", &url)]);
        let statement = proxy.cut_at();
        let again = pair.run(&["apply", again, "-y", "--lock-timeout", "60s", "--batch-rows", "2"]);
        let told = format!("statement {at}: {statement:?}\n{}\n{}", cut.told(), again.told());
        assert_eq!(again.exit, Some(0), "{told}");
        is_equal(&pair, &told);
        if statement.is_none() {
            assert!(at > 20, "only {at} statements");
            return;
        }
    }
    panic!("an apply of this plan has more than {STATEMENTS_MAX} statements");
}

#[test]
fn rows_that_an_index_cannot_hold_leave_nothing_for_long() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.both("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    pair.primary.execute_script("CREATE UNIQUE INDEX i ON t (v)");
    // Out of scope, where no plan makes it fit.
    pair.replica.execute_script("INSERT INTO t VALUES (10, 'c'), (11, 'c')");
    pair.tables("[{ table: t, online: true, where: id < 10 }]");
    let failed = pair.exits(&["apply", "spec.yml", "-y"], 1);
    assert!(failed.told().contains("could not change the structure of t._trueup_i"), "{}", failed.told());
    assert!(failed.told().contains("All rows are in, and 0 of 2 schema changes"), "{}", failed.told());
    pair.replica.execute_script("DELETE FROM t WHERE id = 11");
    // What is left of it is no hazard to take away.
    pair.exits(&["apply", "spec.yml", "-y"], 0);
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    let own = "SELECT count(*)::text FROM pg_class WHERE relname LIKE '\\_trueup%'";
    assert_eq!(pair.replica.query(own)[0][0].as_deref(), Some("0"));
}

#[test]
fn by_script_and_back_again() {
    let pair = allowed();
    let before = shown(&pair)[1].clone();
    pair.exits(&["plan", "spec.yml", "--report", "sql=plan.sql", "-o", "there.plan"], 0);
    pair.exits(&["undo", "there.plan", "-o", "back.plan"], 0);
    pair.exits(&["apply", "there.plan", "-y"], 0);
    is_equal(&pair, "there");
    let back = pair.document(&["show", "back.plan"], 0);
    for sql in statements(&back) {
        assert!(
            !sql.contains(" INDEX ") || sql.contains(" CONCURRENTLY ") || sql.contains(" RENAME "),
            "{sql}"
        );
    }
    pair.exits(&["apply", "back.plan", "-y"], 0);
    assert_eq!(shown(&pair)[1], before, "back");
    let run = client(Engine::Postgres, &pair.replica.url, &pair.path("plan.sql"), &[]);
    assert!(run.ok, "{}", run.said);
    is_equal(&pair, "by script");
}

#[test]
fn a_busy_table_is_waited_for_in_short_turns() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.both("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')");
    pair.primary.execute_script("ALTER TABLE t ADD w int");
    pair.tables("[{ table: t, online: true }]");
    pair.replica.execute_script("BEGIN; SELECT count(*) FROM t");
    let running = pair.start(&["apply", "spec.yml", "-y", "-v", "--no-verify"]);
    wait_until_held(&pair.replica, &pair.primary);
    // Who comes behind waits no longer than the tool does.
    others_write(
        &pair,
        "SET lock_timeout = '20s'; INSERT INTO t VALUES (2, 'b'); DELETE FROM t WHERE id = 2;",
    );
    pair.replica.execute_script("COMMIT");
    let run = running.ends();
    assert_eq!(run.exit, Some(0), "{}", run.told());
    assert!(run.stderr.contains("beginning again"), "{}", run.told());
    is_equal(&pair, "added");
}

#[test]
fn names_are_given_first_and_by_themselves() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    let table = |name: &str, column: &str| {
        format!(
            "CREATE TABLE {name} (id int CONSTRAINT k PRIMARY KEY, {column} text); INSERT INTO {name} VALUES (1, 'a'), (2, 'b')"
        )
    };
    pair.primary.execute_script(&table("people", "name"));
    pair.replica.execute_script(&table("persons", "label"));
    pair.primary
        .execute_script("CREATE INDEX by_name ON people (name); UPDATE people SET name = 'c' WHERE id = 2");
    pair.tables(
        "[{ table: people, online: true, renamed_from: { table: persons, columns: { name: label } } }]",
    );
    pair.exits(&["plan", "spec.yml", "-o", "saved.plan"], 0);
    pair.exits(&["apply", "saved.plan", "-y"], 0);
    is_equal(&pair, "renamed");
}

#[test]
fn what_takes_a_long_lock_is_an_error() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.both(
        "CREATE TABLE t (id int PRIMARY KEY, r int4range); CREATE TABLE m (id int, v int) PARTITION BY RANGE (id);
         CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (9)",
    );
    pair.primary.execute_script("ALTER TABLE t ADD EXCLUDE USING gist (r WITH &&); CREATE INDEX ON m (v)");
    pair.spec("version: 1\nprimary: ${PRIMARY_URL}\nreplicas: { copy: \"${REPLICA_URL}\" }\ndefaults: { online: true }\ntables:\n  - t\n  - { table: m, key: [id] }\n");
    let planned = pair.exits(&["plan", "spec.yml"], 1);
    for words in
        ["spec.yml:6:5", "an exclusion constraint", "spec.yml:7:", "a table with partitions", "online: true"]
    {
        assert!(planned.told().contains(words), "{words}: {}", planned.told());
    }
}

#[test]
fn the_other_engines_change_at_once_or_not_at_all() {
    for (engine, exit) in [(Engine::Sqlite, 0), (Engine::Mariadb, 1)] {
        let pair = Pair::new(engine, engine);
        pair.both("CREATE TABLE t (id integer PRIMARY KEY, v varchar(9))");
        pair.tables("[{ table: t, online: true }]");
        // Rows are nobody's business there.
        pair.primary.execute_script("INSERT INTO t VALUES (1, 'a')");
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        pair.primary.execute_script("CREATE INDEX i ON t (v)");
        let planned = pair.exits(&["plan", "spec.yml"], exit);
        assert_eq!(planned.told().contains("cannot be changed online"), exit == 1, "{}", planned.told());
    }
}
