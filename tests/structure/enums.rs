//! Enum types of PostgreSQL beyond the corpus: words that rows hold, who else uses a type, and runs that are cut off.

use serde_json::{Value as Json, json};

use crate::interruptions::proxy::{Cut, Proxy};
use crate::pair::Pair;
use crate::servers::Engine;

/// No apply of these plans has so many statements.
const STATEMENTS_MAX: usize = 300;

fn pair(primary: &str, replica: &str, tables: &str) -> Pair {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.primary.execute_script(primary);
    pair.replica.execute_script(replica);
    pair.tables(tables);
    pair
}

fn words(pair: &Pair) -> Option<String> {
    let sql = "SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder) FROM pg_enum";
    pair.replica.query(sql)[0][0].clone()
}

/// `action object` of all structural changes, with their hazards' names and rows.
fn changes(document: &Json) -> Vec<Json> {
    let tables = document["replicas"][0]["tables"].as_array().expect("there are tables");
    let changes = tables.iter().flat_map(|table| table["schema_changes"].as_array().into_iter().flatten());
    let hazard = |hazard: &Json| json!([hazard["name"], hazard["rows"]]);
    let hazards =
        |change: &Json| change["hazards"].as_array().expect("a list").iter().map(hazard).collect::<Vec<_>>();
    changes.map(|change| json!([change["action"], change["object"], hazards(change)])).collect()
}

const BEFORE: &str = "CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad');
    CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok', a mood[]);
    CREATE TABLE u (id int PRIMARY KEY, m mood NOT NULL);
    INSERT INTO t VALUES (1, 'sad', '{ok}'), (2, 'ok', '{ok,sad}'), (3, 'sad', '{sad}'); INSERT INTO u VALUES (1, 'sad'), (2, 'glad');";

const AFTER: &str = "CREATE TYPE mood AS ENUM ('new', 'ok', 'calm', 'glad');
    CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'calm', a mood[]);
    CREATE TABLE u (id int PRIMARY KEY, m mood NOT NULL);
    INSERT INTO t VALUES (1, 'new', '{ok}'), (2, 'ok', '{ok,new}'), (3, 'calm', NULL); INSERT INTO u VALUES (1, 'calm'), (2, 'glad');";

#[test]
fn words_go_once_no_row_holds_them() {
    let pair = pair(AFTER, BEFORE, "[t, u]");
    let planned = pair.document(&["plan", "spec.yml"], 0);
    let expected = [
        json!(["add_enum_value", "mood", []]),
        json!(["add_enum_value", "mood", []]),
        json!(["alter_column", "t.m", []]),
        json!(["drop_enum_value", "mood", [["NARROWS_TYPE", 5], ["ACQUIRES_ACCESS_EXCLUSIVE_LOCK", null]]]),
    ];
    assert_eq!(changes(&planned), expected);
    pair.document(&["apply", "spec.yml", "-y", "--allow", "NARROWS_TYPE"], 3);
    assert_eq!(words(&pair).as_deref(), Some("sad ok glad"), "what is refused writes nothing");
    pair.exits(&["apply", "spec.yml", "-y", "--allow", "all", "--undo", "back.plan"], 0);
    assert_eq!(words(&pair).as_deref(), Some("new ok calm glad"));
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    pair.exits(&["apply", "back.plan", "-y", "--allow", "all"], 0);
    assert_eq!(words(&pair).as_deref(), Some("sad ok glad"), "taken back");
    assert_eq!(
        pair.replica.query("SELECT count(*)::text FROM t WHERE m = 'sad'")[0][0].as_deref(),
        Some("2")
    );
}

/// What holds a word that goes, where it is nothing that the plan writes.
#[test]
fn a_word_that_stays_in_what_is_not_written_is_an_error_of_the_plan() {
    let primary =
        "CREATE TYPE mood AS ENUM ('ok', 'new'); CREATE TABLE t (id int PRIMARY KEY, m mood, n mood);
        INSERT INTO t SELECT i, 'ok', 'ok' FROM generate_series(1, 5) i;";
    let replica =
        "CREATE TYPE mood AS ENUM ('ok', 'sad'); CREATE TABLE t (id int PRIMARY KEY, m mood, n mood);
        INSERT INTO t VALUES (1, 'sad', 'ok'), (7, 'sad', 'ok');";
    for (tables, more, rows) in [
        ("[{ table: t, where: id < 6 }]", "", "1 row "),
        ("[{ table: t, delete: false }]", "", "1 row "),
        ("[{ table: t, update: false, delete: false }]", "", "2 rows "),
        ("[{ table: t, columns: [id, m] }]", "DELETE FROM t WHERE id = 7; UPDATE t SET n = 'sad';", "1 row "),
    ] {
        let pair = pair(primary, replica, tables);
        pair.replica.execute_script(more);
        let refused = pair.run(&[
            "apply",
            "spec.yml",
            "-y",
            "--allow",
            "all",
            "--max-deletes",
            "100%",
            "--batch-rows",
            "2",
        ]);
        assert_eq!(refused.exit, Some(1), "{tables}: {}", refused.told());
        assert!(
            refused.told().contains(&format!("{rows}of the replica's t")),
            "{tables}: {}",
            refused.told()
        );
        assert_eq!(words(&pair).as_deref(), Some("ok sad"), "{tables}: nothing was written");
        pair.replica.execute_script(
            "UPDATE t SET m = 'ok' WHERE id = 7; UPDATE t SET m = 'ok', n = 'ok' WHERE id = 1",
        );
        pair.exits(
            &["apply", "spec.yml", "-y", "--allow", "all", "--max-deletes", "100%", "--batch-rows", "2"],
            0,
        );
        assert_eq!(words(&pair).as_deref(), Some("ok new"), "{tables}");
    }
}

/// Rows without a key are looked for by all that they hold, also before a word is one.
#[test]
fn rows_without_a_key_come_and_go_with_their_words() {
    let primary = "CREATE TYPE m AS ENUM ('a', 'b'); CREATE TABLE u (v m, w m[]); INSERT INTO u VALUES ('a', '{b}'), ('b', '{a,b}'), ('b', NULL);";
    let replica = "CREATE TYPE m AS ENUM ('a', 'c'); CREATE TABLE u (v m, w m[]); INSERT INTO u VALUES ('c', '{c}'), ('c', '{c}'), (NULL, '{a}');";
    let pair = pair(primary, replica, "[u]");
    let rows = || {
        let rows = pair.replica.query("SELECT concat(v, '|', w) FROM u ORDER BY 1");
        rows.into_iter().map(|row| row[0].clone()).collect::<Vec<_>>()
    };
    let before = rows();
    pair.exits(&["plan", "spec.yml", "-o", "there.plan"], 0);
    pair.exits(&["undo", "there.plan", "-o", "back.plan"], 0);
    for plan in ["there.plan", "there.plan", "back.plan", "back.plan"] {
        pair.exits(&["apply", plan, "-y", "--allow", "all", "--max-deletes", "100%"], 0);
    }
    assert_eq!(rows(), before);
    pair.exits(
        &["apply", "spec.yml", "-y", "--allow", "all", "--max-deletes", "100%", "--batch-rows", "1"],
        0,
    );
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
}

#[test]
fn what_else_uses_a_type_that_is_made_anew_is_named() {
    let used = [
        ("CREATE TABLE other (id int, m mood[]);", "public.other.m"),
        ("CREATE VIEW seen AS SELECT m FROM t;", "view seen"),
        ("CREATE FUNCTION says(mood) RETURNS int LANGUAGE sql AS 'SELECT 1';", "function says(mood)"),
        ("CREATE DOMAIN fine AS mood;", "type fine"),
        ("CREATE TABLE g (v text DEFAULT ('ok'::mood)::text);", "column v of table g"),
    ];
    for (sql, named) in used {
        let pair = pair(AFTER, BEFORE, "[t, u]");
        pair.replica.execute_script(sql);
        let refused = pair.run(&["plan", "spec.yml"]);
        assert_eq!(refused.exit, Some(1), "{sql}: {}", refused.told());
        assert!(refused.stdout.contains(named), "{sql}: {}", refused.told());
        // Words that come harm nobody.
        pair.primary.execute_script("ALTER TYPE mood ADD VALUE 'sad' BEFORE 'ok'");
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        assert_eq!(words(&pair).as_deref(), Some("new sad ok calm glad"));
    }
}

#[test]
fn a_type_of_another_kind_is_no_enum() {
    let enums = "CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE t (id int PRIMARY KEY, m mood);";
    let pair = pair(enums, "CREATE DOMAIN mood AS text; CREATE TABLE t (id int PRIMARY KEY);", "[t]");
    let refused = pair.run(&["plan", "spec.yml"]);
    assert_eq!(refused.exit, Some(1), "{}", refused.told());
    assert!(refused.stdout.contains("mood is an enum on the primary"), "{}", refused.told());
}

/// A saved plan that is cut off at every statement and applied once more.
#[test]
fn a_saved_plan_is_cut_off_at_every_statement() {
    let pair = pair(AFTER, BEFORE, "[t, u]");
    let url = pair.replica.url.clone();
    let server = url.split_once('@').and_then(|(_, rest)| rest.split_once('/')).expect("a host").0.to_owned();
    let proxy = Proxy::start(Engine::Postgres, server.clone());
    let url = url.replace(&format!("@{server}/"), &format!("@127.0.0.1:{}/", proxy.port));
    let url = format!("{url}{}sslmode=disable", if url.contains('?') { '&' } else { '?' });
    let mut words_seen = 0;
    for at in 1..STATEMENTS_MAX {
        pair.replica.execute_script("DROP TABLE IF EXISTS t, u; DROP TYPE mood;");
        pair.replica.execute_script(BEFORE);
        pair.exits(&["plan", "spec.yml", "-o", "saved.plan"], 0);
        proxy.arm(Cut::After(at));
        let batches =
            ["apply", "saved.plan", "-y", "--allow", "all", "--batch-rows", "2", "--lock-timeout", "60s"];
        let cut = pair.run_with(&batches, &[("REPLICA_URL", &url)]);
        let statement = proxy.cut_at();
        words_seen += usize::from(statement.as_ref().is_some_and(|sql| sql.contains("mood")));
        let again = pair.run(&batches);
        let told = || format!("statement {at}: {statement:?}\n{}\n{}", cut.told(), again.told());
        assert_eq!(again.exit, Some(0), "{}", told());
        assert_eq!(words(&pair).as_deref(), Some("new ok calm glad"), "{}", told());
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", told());
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
        if statement.is_none() {
            assert!(words_seen >= 3, "not all of the type was cut off");
            return;
        }
    }
    panic!("an apply of this plan has more than {STATEMENTS_MAX} statements");
}

/// Who may use it, whose it is and what is said of it belong to the replica.
#[test]
fn a_type_that_is_made_anew_keeps_what_is_said_of_it() {
    let sql = |words: &str| {
        format!("CREATE TYPE mood AS ENUM ({words}); CREATE TABLE t (id int PRIMARY KEY, m mood);")
    };
    let pair = pair(&sql("'b', 'a'"), &sql("'a', 'b', 'c'"), "[t]");
    let role = format!("\"friend of {}\"", pair.replica.name);
    pair.replica.execute_script(&format!(
        "CREATE ROLE {role}; COMMENT ON TYPE mood IS 'how it''s';
         REVOKE USAGE ON TYPE mood FROM PUBLIC; GRANT USAGE ON TYPE mood TO {role} WITH GRANT OPTION; ALTER TYPE mood OWNER TO {role};"
    ));
    let told = "SELECT obj_description(t.oid, 'pg_type'), typacl::text, typowner::regrole::text FROM pg_type t WHERE typname = 'mood'";
    let before = pair.replica.query(told);
    assert_eq!(before[0][0].as_deref(), Some("how it's"));
    pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
    let after = pair.replica.query(told);
    let database = &pair.replica.name;
    pair.replica.execute_script(&format!(
        "REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role};"
    ));
    assert_eq!(words(&pair).as_deref(), Some("b a"), "{database}");
    assert_eq!(after, before);
}
