//! Tables without a key whose equal rows have several forms: other spellings, other values out of scope. Somebody
//! else writes one of those between plan and apply, between plan and script, and while apply waits for the rows.
//!
//! Invariant held here: a plan leaves as many equal rows as the primary has, or it writes nothing.

use proptest::prelude::*;
use serde_json::json;

use crate::pair::Pair;
use crate::script::client;
use crate::servers::{Engine, not_run};

/// A replica whose equal rows have forms, and what to do with them.
struct Forms {
    primary: Engine,
    replica: Engine,
    types: [&'static str; 2],
    entry: &'static str,
    /// The row as the primary has it.
    row: &'static str,
    /// The same row as the replica may have it. The first is the first that a plan deletes, the second the last.
    forms: [&'static str; 3],
}

const UUID: &str = "'6ba7b810-9dad-11d1-80b4-00c04fd430c8'";
const UUIDS: [&str; 3] = [
    "('6BA7B810-9DAD-11D1-80B4-00C04FD430C8', 1)",
    "('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 1)",
    "('6Ba7B810-9DAD-11d1-80B4-00c04fd430c8', 1)",
];
const DOCUMENTS: [&str; 3] =
    [r#"('{"a":1,"b":[]}', 1)"#, r#"('{ "b" : [ ], "a" : 1 }', 1)"#, r#"('{"a": 1, "b":[]}', 1)"#];
const MOMENTS: [&str; 3] = [
    "('2024-03-01 10:00:00.50', 1)",
    "('2024-03-01 12:00:00.500+02:00', 1)",
    "('2024-03-01T10:00:00.5Z', 1)",
];

fn all_forms() -> Vec<Forms> {
    let mut all = Vec::new();
    for replica in Engine::all() {
        all.push(Forms {
            primary: replica,
            replica,
            types: ["k integer", "k integer, own varchar(20)"],
            entry: "columns: [k]",
            row: "(5)",
            forms: ["(5, 'a')", "(5, NULL)", "(5, 'c')"],
        });
        all.push(Forms {
            primary: replica,
            replica,
            types: ["k integer, b integer", "k integer, own integer, b integer"],
            entry: "columns: [k, b], where: \"b < 7\"",
            row: "(5, NULL), (5, 6)",
            forms: ["(5, 1, 6)", "(5, NULL, 6)", "(5, 2, 6)"],
        });
    }
    let primary = |replica| if replica == Engine::Postgres { Engine::Sqlite } else { Engine::Postgres };
    for (replica, text) in
        [(Engine::Sqlite, "uuid"), (Engine::Postgres, "text"), (Engine::Mariadb, "varchar(40)")]
    {
        let of = |types, row, forms| Forms {
            primary: primary(replica),
            replica,
            types,
            entry: "schema: ignore",
            row,
            forms,
        };
        let types = match text {
            "uuid" => ["k uuid, b integer", "k uuid, b integer"],
            "text" => ["k uuid, b integer", "k text, b integer"],
            _ => ["k uuid, b integer", "k varchar(40), b integer"],
        };
        all.push(of(types, "(UUID, 1)", UUIDS));
        let types = match replica {
            Engine::Sqlite => ["k jsonb, b integer", "k text, b integer"],
            Engine::Postgres => ["k json, b integer", "k json, b integer"],
            Engine::Mariadb => ["k jsonb, b integer", "k longtext, b integer"],
        };
        all.push(of(types, r#"('{"b":[],"a":1}', 1)"#, DOCUMENTS));
        if replica == Engine::Sqlite {
            let types = ["k timestamptz, b integer", "k timestamptz, b integer"];
            all.push(of(types, "('2024-03-01 10:00:00.5+00', 1)", MOMENTS));
        }
    }
    all
}

impl Forms {
    /// Whether a script counts the rows as they are spelled, for want of a function of the server that holds documents
    /// against each other.
    fn by_spelling(&self) -> bool {
        self.forms == DOCUMENTS && self.replica == Engine::Mariadb && self.replica.product().is_mysql()
    }

    fn name(&self) -> String {
        format!("{}/{} {:?}", self.primary.name(), self.replica.name(), self.types)
    }

    /// So many of the row on the primary, and of each form on the replica.
    fn open(&self, primary: usize, replica: [usize; 3], more: &str) -> Pair {
        let pair = Pair::new(self.primary, self.replica);
        pair.primary.execute_script(&format!("CREATE TABLE log ({})", self.types[0]));
        pair.replica.execute_script(&format!("CREATE TABLE log ({})", self.types[1]));
        // With a `where` there is a row out of scope beside each.
        let row = self.row.replace("UUID", UUID);
        for _ in 0..primary {
            pair.primary.execute_script(&format!("INSERT INTO log VALUES {row}"));
        }
        for (form, copies) in replica.into_iter().enumerate() {
            for _ in 0..copies {
                self.insert(&pair, form);
            }
        }
        pair.spec(&format!(
            "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: \"${{REPLICA_URL}}\" }}\n\
             tables: [{{ table: log, {} }}]\n{more}",
            self.entry
        ));
        pair
    }

    fn insert(&self, pair: &Pair, form: usize) {
        pair.replica.execute_script(&format!("INSERT INTO log VALUES {}", self.forms[form]));
    }

    /// Deletes all rows of a form.
    fn deleting(&self, form: usize) -> String {
        let values = self.forms[form].trim_matches(['(', ')']);
        let own = self.types[1].contains("own");
        let text = if self.replica == Engine::Mariadb { "CAST(k AS BINARY)" } else { "CAST(k AS text)" };
        let condition = match (own, values.split_once(", ")) {
            (true, Some((_, own))) => {
                let own = own.split(", ").next().unwrap_or(own);
                if own == "NULL" { "own IS NULL".to_owned() } else { format!("own = {own}") }
            }
            _ => format!("{text} = {}", values.trim_end_matches(", 1")),
        };
        format!("DELETE FROM log WHERE {condition}")
    }

    fn stale(&self, pair: &Pair, what: &str) {
        let before = pair.replica.dump();
        let stale = pair.document(&["apply", "a.plan", "-y"], 4);
        let name = self.name();
        assert_eq!(stale["replicas"][0]["outcome"], "stale", "{name}: {what}: {stale:#}");
        assert_eq!(stale["batches"]["committed"], 0, "{name}: {what}: {stale:#}");
        assert_eq!(pair.replica.dump(), before, "{name}: {what}: a stale plan wrote");
    }

    fn script_stops(&self, pair: &Pair, script: &str, what: &str) {
        let before = pair.replica.dump();
        let file = pair.path("script.sql");
        std::fs::write(&file, script).expect("the script can be written");
        let ran = client(self.replica, &pair.replica.url, &file, &[]);
        assert!(!ran.ok && ran.said.contains("not there as often"), "{}: {what}: {}", self.name(), ran.said);
        assert_eq!(pair.replica.dump(), before, "{}: {what}: the script wrote", self.name());
    }
}

/// The replica has two of one form and one of each other, the primary two rows: two are to go, and two stay.
#[test]
fn an_equal_row_of_another_form_that_comes_or_goes_makes_a_plan_stale() {
    for forms in all_forms() {
        for batch_rows in [1, 100] {
            let apply = format!("apply: {{ batch_rows: {batch_rows} }}\n");
            let pair = forms.open(2, [2, 1, 1], &apply);
            let planned = pair.document(&["plan", "spec.yml", "-o", "a.plan"], 0);
            assert_eq!(planned["summary"]["delete"], 2, "{}: {planned:#}", forms.name());
            let script = pair.exits(&["plan", "spec.yml", "--format", "sql"], 0).stdout;
            // Whichever the plan names, one that goes or comes is one too few or one too many.
            for form in [1, 2] {
                pair.replica.execute_script(&forms.deleting(form));
                forms.stale(&pair, "one is gone");
                forms.script_stops(&pair, &script, "one is gone");
                forms.insert(&pair, form);
                forms.insert(&pair, form);
                forms.stale(&pair, "one has come");
                forms.script_stops(&pair, &script, "one has come");
                pair.replica.execute_script(&forms.deleting(form));
                forms.insert(&pair, form);
            }
            let file = pair.path("script.sql");
            std::fs::write(&file, &script).expect("the script can be written");
            if batch_rows == 1 && forms.by_spelling() {
                not_run(
                    forms.replica,
                    "documents without a key by script",
                    "it counts them as spelled, and stops",
                );
                forms.script_stops(&pair, &script, "another spelling");
                pair.exits(&["apply", "a.plan", "-y"], 0);
            } else if batch_rows == 1 {
                let ran = client(forms.replica, &pair.replica.url, &file, &[]);
                assert!(ran.ok, "{}: {}\n{script}", forms.name(), ran.said);
            } else {
                let applied = pair.document(&["apply", "a.plan", "-y"], 0);
                assert_eq!(applied["applied"]["delete"], 2, "{}: {applied:#}", forms.name());
            }
            pair.exits(&["verify", "spec.yml"], 0);
            let again = pair.document(&["apply", "a.plan", "-y"], 0);
            assert_eq!(again["applied"]["already"], 2, "{}: {again:#}", forms.name());
        }
    }
}

/// Three on the primary beside one on the replica: two are to come.
#[test]
fn copies_that_come_beside_others_are_counted_in_whatever_form() {
    for forms in all_forms() {
        let pair = forms.open(3, [0, 1, 0], "");
        pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
        let script = pair.exits(&["plan", "spec.yml", "--format", "sql"], 0).stdout;
        forms.insert(&pair, 2);
        forms.stale(&pair, "one of two has come");
        forms.script_stops(&pair, &script, "one of two has come");
        forms.insert(&pair, 0);
        let applied = pair.document(&["apply", "a.plan", "-y"], 0);
        let nothing = json!({ "schema_changes": 0, "insert": 0, "update": 0, "delete": 0, "already": 2 });
        assert_eq!(applied["applied"], nothing, "{}: {applied:#}", forms.name());
        forms.script_stops(&pair, &script, "both have come");
        pair.replica.execute_script(&forms.deleting(1));
        forms.stale(&pair, "one of another form is gone");
        pair.replica.execute_script("DELETE FROM log");
        forms.stale(&pair, "all are gone");
        forms.script_stops(&pair, &script, "all are gone");
        forms.insert(&pair, 2);
        let undone = pair.document(&["apply", "a.plan", "-y"], 0);
        assert_eq!(undone["applied"]["insert"], 2, "{}: {undone:#}", forms.name());
        pair.exits(&["verify", "spec.yml"], 0);
    }
}

/// Undo puts back what went, and only beside as many equal rows as the plan left.
#[test]
fn an_undo_is_guarded_by_all_equal_rows_too() {
    for forms in all_forms() {
        let pair = forms.open(1, [1, 1, 1], "");
        let before = pair.replica.dump();
        pair.exits(&["apply", "spec.yml", "-y", "--undo", "a.plan"], 0);
        let left = pair.replica.dump();
        pair.replica.execute_script(&forms.deleting(1));
        assert_ne!(pair.replica.dump(), left, "{}: the last form is the one that stays", forms.name());
        forms.stale(&pair, "the row that stayed is gone");
        forms.insert(&pair, 1);
        forms.insert(&pair, 1);
        forms.stale(&pair, "another has come");
        pair.replica.execute_script(&forms.deleting(1));
        forms.insert(&pair, 1);
        let undone = pair.document(&["apply", "a.plan", "-y"], 0);
        assert_eq!(undone["applied"]["insert"], 2, "{}: {undone:#}", forms.name());
        assert_eq!(pair.replica.dump(), before, "{}", forms.name());
    }
}

/// SQLite lets nobody else write meanwhile.
#[test]
fn an_equal_row_that_goes_while_apply_waits_for_it_makes_it_stale() {
    for forms in all_forms() {
        let wait = match forms.replica {
            Engine::Sqlite => continue,
            Engine::Postgres => "SELECT pg_sleep(3)",
            Engine::Mariadb => "DO SLEEP(3)",
        };
        let pair = forms.open(1, [1, 1, 1], "");
        pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
        let deleting = format!("BEGIN; {}; {wait}; COMMIT", forms.deleting(1));
        std::thread::scope(|scope| {
            let other = scope.spawn(|| pair.replica.execute_script(&deleting));
            std::thread::sleep(std::time::Duration::from_millis(1_000));
            let stale = pair.document(&["apply", "a.plan", "-y"], 4);
            other.join().expect("the other writer ends well");
            assert_eq!(stale["replicas"][0]["outcome"], "stale", "{}: {stale:#}", forms.name());
        });
        let left = pair.replica.query("SELECT count(*) FROM log WHERE k IS NOT NULL");
        assert_eq!(left, [[Some("2".to_owned())]], "{}", forms.name());
    }
}

/// What SQLite's own client cannot read stops the script, and apply goes on.
#[test]
fn a_spelling_that_a_script_cannot_tell_stops_it() {
    let pair = Pair::new(Engine::Postgres, Engine::Sqlite);
    pair.primary.execute_script(
        "CREATE TABLE log (k timestamptz, b integer); INSERT INTO log VALUES ('2024-03-01 10:00+00', 1)",
    );
    pair.replica.execute_script(
        "CREATE TABLE log (k timestamptz, b integer); INSERT INTO log VALUES
            ('2024-03-01 10:00', 1), ('2024-03-01 10:00:00', 1)",
    );
    pair.tables("[{ table: log, schema: ignore }]");
    pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
    let script = pair.exits(&["plan", "spec.yml", "--format", "sql"], 0).stdout;
    let file = pair.path("script.sql");
    std::fs::write(&file, &script).expect("the script can be written");
    // It may be the planned moment, and it is not.
    pair.replica.execute_script("INSERT INTO log VALUES ('2024-03-01 15:00:01 +05', 1)");
    let ran = client(Engine::Sqlite, &pair.replica.url, &file, &[]);
    assert!(!ran.ok && ran.said.contains("not there as often"), "{}", ran.said);
    let applied = pair.document(&["apply", "a.plan", "-y", "--no-verify"], 0);
    assert_eq!(applied["applied"]["delete"], 1, "{applied:#}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever somebody does between plan and apply: the equal rows are as many as on the primary, or nothing is
    /// written.
    #[test]
    fn whatever_others_write_a_plan_leaves_the_right_number_or_nothing(
        primary in 0..4_usize,
        replica in proptest::array::uniform3(0..3_usize),
        edits in proptest::collection::vec((any::<bool>(), 0..3_usize), 0..4),
        batch_rows in 1..4_usize,
    ) {
        let pair = Pair::new(Engine::Sqlite, Engine::Sqlite);
        pair.primary.execute_script("CREATE TABLE log (a integer); INSERT INTO log VALUES (0)");
        pair.replica.execute_script(
            "CREATE TABLE log (a integer, own integer); INSERT INTO log VALUES (0, 0)",
        );
        for _ in 0..primary {
            pair.primary.execute_script("INSERT INTO log VALUES (5)");
        }
        let insert = |form: usize| format!("INSERT INTO log VALUES (5, {form})");
        for (form, copies) in replica.into_iter().enumerate() {
            for _ in 0..copies {
                pair.replica.execute_script(&insert(form));
            }
        }
        pair.spec(&format!(
            "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: \"${{REPLICA_URL}}\" }}\n\
             tables: [{{ table: log, columns: [a] }}]\napply: {{ batch_rows: {batch_rows} }}\n"
        ));
        let planned = pair.document(&["plan", "spec.yml", "-o", "a.plan"], 0);
        prop_assume!(planned["in_sync"] == false);
        let before = pair.replica.dump();
        for (inserts, form) in edits {
            let delete = format!(
                "DELETE FROM log WHERE rowid = (SELECT rowid FROM log WHERE a = 5 AND own = {form} LIMIT 1)"
            );
            pair.replica.execute_script(&if inserts { insert(form) } else { delete });
        }
        let edited = pair.replica.dump();
        let run = pair.run(&["apply", "a.plan", "-y"]);
        let count = pair.replica.query("SELECT count(*) FROM log WHERE a = 5")[0][0].clone();
        match run.exit {
            Some(0) => prop_assert_eq!(count, Some(primary.to_string()), "{}", run.told()),
            Some(4) => {
                prop_assert!(edited != before, "{}", run.told());
                prop_assert!(pair.replica.dump() == edited, "{}", run.told());
            }
            _ => prop_assert!(false, "{}", run.told()),
        }
    }
}
