//! `drop: true` beside a glob: tables that only the replica has go by leave, and no other ever.

use serde_json::{Value as Json, json};

use crate::pair::Pair;
use crate::script::client;
use crate::servers::Engine;

/// Every table of the default schema, extra ones dropped.
const DROP: &str = "[{ table: '*', drop: true }]";

fn table<'a>(document: &'a Json, name: &str) -> &'a Json {
    let tables = document["replicas"][0]["tables"].as_array().expect("there are tables");
    let found = tables.iter().find(|table| table["table"] == name);
    found.unwrap_or_else(|| panic!("no table {name} in {document:#}"))
}

fn names(pair: &Pair) -> Vec<String> {
    let mut names: Vec<String> =
        pair.replica.dump().into_keys().map(|name| name.trim_start_matches("public.").to_owned()).collect();
    names.sort();
    names
}

/// A table of both, and one that only the replica has, with two rows.
fn with_an_old_one(engine: Engine) -> Pair {
    let pair = Pair::new(engine, engine);
    pair.both("CREATE TABLE t (id integer PRIMARY KEY, v integer); INSERT INTO t VALUES (1, 1);");
    pair.replica.execute_script(
        "CREATE TABLE old (id integer PRIMARY KEY, note varchar(20)); INSERT INTO old VALUES (1, 'a'), (2, 'b');",
    );
    pair.primary.execute_script("UPDATE t SET v = 2;");
    pair.tables(DROP);
    pair
}

#[test]
fn a_table_that_only_the_replica_has_goes_by_leave_alone() {
    for engine in Engine::all() {
        let pair = with_an_old_one(engine);
        let planned = pair.document(&["plan", "spec.yml", "--detailed-exitcode"], 2);
        let old = table(&planned, "old");
        assert_eq!((&old["status"], &old["replica_table"]), (&json!("extra"), &json!("old")));
        assert_eq!(old["rows"], json!({ "primary": 0, "replica": 2 }), "{}", engine.name());
        let change = &old["schema_changes"][0];
        assert_eq!((&change["action"], &change["object"]), (&json!("drop_table"), &json!("old")));
        assert_eq!(change["hazards"][0]["name"], "DELETES_DATA");
        assert_eq!(change["hazards"][0]["rows"], 2, "{}", engine.name());
        assert_eq!(planned["replicas"][0]["summary"]["schema_changes"], 1);
        pair.exits(&["verify", "spec.yml"], 2);
        pair.document(&["apply", "spec.yml", "-y"], 3);
        assert_eq!(names(&pair), ["old", "t"], "{}", engine.name());
        let applied = pair.document(&["apply", "spec.yml", "-y", "--allow", "DELETES_DATA"], 0);
        assert_eq!(applied["applied"]["schema_changes"], 1, "{applied:#}");
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    }
}

#[test]
fn limits_are_of_rows_and_not_of_tables() {
    let pair = with_an_old_one(Engine::Sqlite);
    pair.spec(&format!(
        "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: \"${{REPLICA_URL}}\" }}\nlimits: {{ deletes: 0 }}\ntables: {DROP}\n"
    ));
    pair.exits(&["apply", "spec.yml", "-y", "--allow", "DELETES_DATA"], 0);
}

#[test]
fn without_the_word_and_out_of_its_reach_nothing_goes() {
    for engine in Engine::all() {
        let pair = with_an_old_one(engine);
        pair.primary.execute_script("UPDATE t SET v = 1;");
        pair.replica.execute_script("CREATE TABLE kept (id integer PRIMARY KEY);");
        for tables in [
            "['*']",
            "[{ table: 'k*', drop: true }, { table: '*' }]",
            "[{ table: '*' }, { table: 'o*', drop: true }]",
        ] {
            pair.tables(tables);
            let planned = pair.document(&["plan", "spec.yml"], 0);
            let all = planned["replicas"][0]["tables"].as_array().expect("tables");
            assert!(!all.iter().any(|table| table["table"] == "old"), "{}: {tables}", engine.name());
        }
        // A glob that drops may match nothing on the primary, nor anywhere.
        pair.tables("[{ table: 'none_*', drop: true }, t]");
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
        pair.tables("[{ table: 'none_*' }, t]");
        pair.exits(&["plan", "spec.yml"], 1);
        pair.spec(
            "version: 1\nprimary: ${PRIMARY_URL}\nreplicas: { copy: \"${REPLICA_URL}\" }\ntables: [{ table: '*', drop: true }]\nskip_tables: [old, kept]\n",
        );
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
        // The counterpart of another table is nobody's to drop, nor is one that the primary has and that goes elsewhere.
        pair.tables("[{ table: '*', drop: true }, { table: t, to: old, rename: { v: note } }]");
        let planned = pair.run(&["plan", "spec.yml", "--format", "json"]).document();
        let all = planned["replicas"][0]["tables"].as_array().expect("tables");
        let extra: Vec<&Json> =
            all.iter().filter(|table| table["status"] == "extra").map(|table| &table["table"]).collect();
        assert_eq!(extra, [&json!("kept")], "{}: {planned:#}", engine.name());
    }
}

#[test]
fn what_is_only_checked_is_reported() {
    for engine in Engine::all() {
        let pair = with_an_old_one(engine);
        pair.tables("[{ table: '*', drop: true, schema: check }]");
        let planned = pair.document(&["plan", "spec.yml"], 0);
        let old = table(&planned, "old");
        assert_eq!((&old["status"], &old["schema_changes"][0]["withheld"]), (&json!("extra"), &json!(true)));
        let applied = pair.document(&["apply", "spec.yml", "-y"], 0);
        assert_eq!(applied["applied"]["schema_changes"], 0, "{}", engine.name());
        assert_eq!(names(&pair), ["old", "t"]);
        pair.exits(&["verify", "spec.yml"], 2);
    }
}

#[test]
fn a_choice_of_tables_holds_for_them_too() {
    for engine in Engine::all() {
        let pair = with_an_old_one(engine);
        pair.replica.execute_script("CREATE TABLE older (id integer PRIMARY KEY);");
        pair.exits(&["apply", "spec.yml", "-y", "--allow", "all", "--table", "t"], 0);
        assert_eq!(names(&pair), ["old", "older", "t"], "{}", engine.name());
        pair.exits(&["apply", "spec.yml", "-y", "--allow", "all", "--table", "old"], 0);
        assert_eq!(names(&pair), ["older", "t"], "{}", engine.name());
        let wrong = pair.exits(&["plan", "spec.yml", "--table", "oldest"], 1);
        assert!(wrong.stderr.contains("--table oldest matches no table"), "{}", wrong.told());
        pair.exits(&["plan", "spec.yml", "-o", "p.plan"], 0);
        pair.exits(&["apply", "p.plan", "-y", "--allow", "all", "--table", "o*"], 0);
        assert_eq!(names(&pair), ["t"], "{}", engine.name());
    }
}

#[test]
fn what_points_goes_before_what_it_points_at_also_in_a_circle() {
    for engine in Engine::all() {
        let pair = with_an_old_one(engine);
        pair.replica.execute_script(
            "CREATE TABLE a_parent (id integer PRIMARY KEY, own integer, FOREIGN KEY (own) REFERENCES a_parent (id));
             CREATE TABLE b_child (id integer PRIMARY KEY, p integer, FOREIGN KEY (p) REFERENCES a_parent (id) ON DELETE CASCADE);
             INSERT INTO a_parent VALUES (1, 1), (2, 1); INSERT INTO b_child VALUES (1, 1);
             CREATE TABLE round_two (id integer PRIMARY KEY);",
        );
        pair.replica.execute_script(match engine {
            Engine::Sqlite => {
                "DROP TABLE round_two;
                 CREATE TABLE round_one (id integer PRIMARY KEY, o integer REFERENCES round_two (id));
                 CREATE TABLE round_two (id integer PRIMARY KEY, o integer REFERENCES round_one (id));
                 INSERT INTO round_one VALUES (1, NULL); INSERT INTO round_two VALUES (1, 1); UPDATE round_one SET o = 1;"
            }
            Engine::Postgres | Engine::Mariadb => {
                "CREATE TABLE round_one (id integer PRIMARY KEY, o integer, FOREIGN KEY (o) REFERENCES round_two (id));
                 ALTER TABLE round_two ADD o integer;
                 INSERT INTO round_one VALUES (1, NULL); INSERT INTO round_two VALUES (1, 1); UPDATE round_one SET o = 1;
                 ALTER TABLE round_two ADD CONSTRAINT back FOREIGN KEY (o) REFERENCES round_one (id);"
            }
        });
        pair.exits(&["plan", "spec.yml", "-o", "p.plan"], 0);
        let script = pair.exits(&["plan", "spec.yml", "--format", "sql"], 0);
        assert!(!script.stdout.contains("CASCADE"), "{}", script.stdout);
        pair.exits(&["apply", "p.plan", "-y", "--allow", "all"], 0);
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());
    }
}

#[test]
fn what_points_from_outside_is_named_and_keeps_the_table() {
    for engine in Engine::all() {
        let pair = with_an_old_one(engine);
        pair.replica.execute_script(
            "CREATE TABLE holder (id integer PRIMARY KEY, o integer, FOREIGN KEY (o) REFERENCES old (id) ON DELETE CASCADE);
             INSERT INTO holder VALUES (1, 1);",
        );
        pair.spec(&format!(
            "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: \"${{REPLICA_URL}}\" }}\ntables: {DROP}\nskip_tables: [holder]\n"
        ));
        let planned = pair.document(&["plan", "spec.yml"], 1);
        let message = table(&planned, "old")["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains("holder (o)"), "{}: {message}", engine.name());
        pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 1);
        assert_eq!(names(&pair), ["holder", "old", "t"], "{}", engine.name());
        // The others are written without it, where that is asked for.
        pair.exits(&["apply", "spec.yml", "-y", "--allow", "all", "--partial"], 1);
        assert_eq!(names(&pair), ["holder", "old", "t"], "{}", engine.name());
        assert_eq!(pair.replica.query("SELECT v FROM t")[0][0].as_deref(), Some("2"));
        assert_eq!(pair.replica.query("SELECT count(*) FROM holder")[0][0].as_deref(), Some("1"));
    }
}

#[test]
fn a_foreign_key_that_goes_by_the_plan_is_not_in_the_way() {
    for engine in Engine::all() {
        let pair = Pair::new(engine, engine);
        pair.primary.execute_script(
            "CREATE TABLE t (id integer PRIMARY KEY, o integer); INSERT INTO t VALUES (1, 7), (2, NULL);",
        );
        pair.replica.execute_script(
            "CREATE TABLE old (id integer PRIMARY KEY); INSERT INTO old VALUES (1), (2);
             CREATE TABLE t (id integer PRIMARY KEY, o integer, FOREIGN KEY (o) REFERENCES old (id) ON DELETE CASCADE);
             INSERT INTO t VALUES (1, 1), (2, 2);",
        );
        pair.tables(DROP);
        pair.exits(&["apply", "spec.yml", "-y", "--allow", "DELETES_DATA"], 3);
        pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    }
}

#[test]
fn rows_that_a_dropped_table_points_at_may_go() {
    for engine in Engine::all() {
        let pair = Pair::new(engine, engine);
        pair.both("CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t VALUES (1), (2);");
        for (name, action) in [("old", ""), ("older", " ON DELETE CASCADE")] {
            pair.replica.execute_script(&format!(
                "CREATE TABLE {name} (id integer PRIMARY KEY, p integer, FOREIGN KEY (p) REFERENCES t (id){action});
                 INSERT INTO {name} VALUES (1, 2);"
            ));
        }
        pair.primary.execute_script("DELETE FROM t WHERE id = 2");
        pair.tables(DROP);
        pair.exits(&["apply", "spec.yml", "-y", "--allow", "DELETES_DATA"], 0);
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());
    }
}

#[test]
fn a_view_that_reads_it_is_named() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let pair = with_an_old_one(engine);
        pair.replica.execute_script("CREATE VIEW recent AS SELECT note FROM old;");
        let planned = pair.exits(&["plan", "spec.yml"], 1);
        assert!(planned.stdout.contains("view recent"), "{}", planned.told());
        pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 1);
        assert_eq!(pair.replica.query("SELECT count(*) FROM recent")[0][0].as_deref(), Some("2"));
        pair.replica.execute_script("DROP VIEW recent;");
        pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
    }
    let pair = with_an_old_one(Engine::Sqlite);
    pair.replica.execute_script(
        "CREATE TRIGGER own AFTER INSERT ON old BEGIN UPDATE old SET note = 'x'; END;
         CREATE TRIGGER writes AFTER UPDATE ON t BEGIN INSERT INTO old (note) VALUES ('x'); END;",
    );
    let planned = pair.exits(&["plan", "spec.yml"], 1);
    assert!(planned.stdout.contains("trigger writes"), "{}", planned.told());
    pair.replica.execute_script("DROP TRIGGER writes;");
    pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
}

#[test]
fn postgres_names_whatever_else_needs_it_and_takes_its_own_along() {
    let pair = with_an_old_one(Engine::Postgres);
    pair.replica.execute_script(
        "CREATE TABLE a_root (id serial PRIMARY KEY, day date) ;
         CREATE TABLE b_leaf () INHERITS (a_root); INSERT INTO b_leaf VALUES (5, now());
         CREATE TABLE parts (id int, k int) PARTITION BY LIST (k);
         CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
         INSERT INTO parts VALUES (1, 1);
         CREATE TABLE user_of (id int PRIMARY KEY DEFAULT nextval('a_root_id_seq'), o old);",
    );
    pair.tables("[{ table: '*', drop: true }]");
    let planned = pair.document(&["plan", "spec.yml"], 0);
    assert_eq!(table(&planned, "parts")["rows"]["replica"], 1);
    pair.spec(&format!(
        "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: \"${{REPLICA_URL}}\" }}\ntables: {DROP}\nskip_tables: [user_of]\n"
    ));
    let planned = pair.document(&["plan", "spec.yml"], 1);
    let message =
        |name: &str| table(&planned, name)["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message("old").contains("column o of table user_of"), "{}", message("old"));
    assert!(message("a_root").contains("user_of"), "{}", message("a_root"));
    assert_eq!(table(&planned, "parts")["error"], Json::Null);
    pair.tables(DROP);
    pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
    assert_eq!(pair.replica.dump(), pair.primary.dump());
}

#[test]
fn a_name_that_the_primary_has_for_something_else_is_no_extra_table() {
    for engine in Engine::all() {
        let pair = with_an_old_one(engine);
        pair.primary.execute_script("CREATE VIEW old AS SELECT id FROM t;");
        let planned = pair.exits(&["plan", "spec.yml"], 1);
        assert!(planned.stdout.contains("whether to drop the replica's table old"), "{}", planned.told());
        pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 1);
        assert_eq!(names(&pair).len(), 2, "{}", engine.name());
    }
}

#[test]
fn a_login_that_sees_less_of_the_primary_drops_nothing() {
    let pair = with_an_old_one(Engine::Mariadb);
    pair.primary.execute_script("CREATE TABLE old (id integer PRIMARY KEY, note varchar(20));");
    let url = pair.primary.limited_role("GRANT SELECT ON t TO {role};");
    let planned = pair.run_with(&["plan", "spec.yml"], &[("PRIMARY_URL", &url)]);
    assert_eq!(planned.exit, Some(1), "{}", planned.told());
    assert!(planned.stdout.contains("whether to drop the replica's table old"), "{}", planned.told());
}

#[test]
fn a_saved_plan_drops_what_it_counted_and_nothing_else() {
    for engine in Engine::all() {
        let pair = with_an_old_one(engine);
        let plan = || {
            pair.exits(&["plan", "spec.yml", "-o", "p.plan"], 0);
        };
        let stale = |why: &str| {
            let run = pair.exits(&["apply", "p.plan", "-y", "--allow", "all"], 4);
            assert!(run.told().contains(why), "{}: {}", engine.name(), run.told());
            assert_eq!(
                pair.replica.query("SELECT v FROM t")[0][0].as_deref(),
                Some("1"),
                "{}",
                engine.name()
            );
            assert_eq!(names(&pair)[0], "old", "{}", engine.name());
        };
        plan();
        pair.replica.execute_script("INSERT INTO old VALUES (3, 'came since')");
        stale("would be dropped with 3 rows, and had 2");
        plan();
        pair.replica.execute_script("ALTER TABLE old ADD more integer");
        stale("column more is new");
        plan();
        pair.replica.execute_script(
            "CREATE TABLE holder (id integer PRIMARY KEY, o integer, FOREIGN KEY (o) REFERENCES old (id))",
        );
        let run = pair.exits(&["apply", "p.plan", "-y", "--allow", "all"], 1);
        assert!(run.told().contains("holder (o)"), "{}", run.told());
        pair.replica.execute_script("DROP TABLE holder");
        plan();
        pair.primary.execute_script("CREATE TABLE old (id integer PRIMARY KEY)");
        stale("primary, table old: it has been created");
        pair.primary.execute_script("DROP TABLE old");
        plan();
        pair.exits(&["apply", "p.plan", "-y"], 3);
        pair.exits(&["apply", "p.plan", "-y", "--allow", "all"], 0);
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());
        // Running it again finds all of it done.
        pair.exits(&["apply", "p.plan", "-y", "--allow", "all"], 0);
    }
}

#[test]
fn a_plan_that_drops_a_table_cannot_be_taken_back() {
    for engine in Engine::all() {
        let pair = with_an_old_one(engine);
        pair.exits(&["plan", "spec.yml", "-o", "p.plan"], 0);
        pair.exits(&["apply", "p.plan", "-y", "--allow", "all"], 0);
        pair.exits(&["undo", "p.plan", "-o", "u.plan"], 0);
        let undone = pair.exits(&["apply", "u.plan", "-y", "--allow", "all"], 1);
        assert!(undone.told().contains("table old cannot be taken back"), "{}", undone.told());
        pair.exits(&["apply", "u.plan", "-y", "--allow", "all", "--partial"], 1);
        assert_eq!(pair.replica.query("SELECT v FROM t")[0][0].as_deref(), Some("1"), "{}", engine.name());
    }
}

#[test]
fn the_script_drops_them_too_and_stops_at_rows_that_came() {
    for engine in Engine::all() {
        let pair = with_an_old_one(engine);
        pair.replica.execute_script(
            "CREATE TABLE parent (id integer PRIMARY KEY);
             CREATE TABLE child (id integer PRIMARY KEY, p integer, FOREIGN KEY (p) REFERENCES parent (id));
             INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1);",
        );
        let script = pair.exits(&["plan", "spec.yml", "--format", "sql", "-q"], 0).stdout;
        // Without leave it stops before anything is done.
        let without_leave: String = script.clone();
        std::fs::write(pair.path("script.sql"), &without_leave).expect("it can be written");
        let before = pair.replica.dump();
        assert!(!client(engine, &pair.replica.url, &pair.path("script.sql"), &[]).ok, "{}", engine.name());
        assert_eq!(pair.replica.dump(), before, "{}", engine.name());
        pair.spec(&format!(
            "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: \"${{REPLICA_URL}}\" }}\nallow: [all]\ntables: {DROP}\n"
        ));
        let script = pair.exits(&["plan", "spec.yml", "--format", "sql", "-q"], 0).stdout;
        std::fs::write(pair.path("script.sql"), &script).expect("it can be written");
        pair.replica.execute_script("INSERT INTO old VALUES (3, 'c')");
        let before = pair.replica.dump();
        let stopped = client(engine, &pair.replica.url, &pair.path("script.sql"), &[]);
        assert!(
            !stopped.ok && stopped.said.contains("another number of rows"),
            "{}: {}",
            engine.name(),
            stopped.said
        );
        assert_eq!(pair.replica.dump(), before, "{}", engine.name());
        pair.replica.execute_script("DELETE FROM old WHERE id = 3");
        let done = client(engine, &pair.replica.url, &pair.path("script.sql"), &[]);
        assert!(done.ok, "{}: {}\n{script}", engine.name(), done.said);
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());
    }
}

#[test]
fn names_in_quotes_and_in_other_schemas() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.both("CREATE SCHEMA \"B g\"; CREATE TABLE \"B g\".\"T x\" (id int primary key);");
    pair.replica.execute_script("CREATE TABLE \"B g\".\"o.l\"\"d\" (id int); INSERT INTO \"B g\".\"o.l\"\"d\" VALUES (1); CREATE TABLE other (id int);");
    pair.tables("[{ table: '\"B g\".*', drop: true }]");
    let planned = pair.document(&["plan", "spec.yml"], 0);
    let old = table(&planned, "B g.\"o.l\"\"d\"");
    assert_eq!(old["rows"]["replica"], 1);
    let script = pair.exits(&["plan", "spec.yml", "--format", "sql"], 0).stdout;
    assert!(script.contains("DROP TABLE \"B g\".\"o.l\"\"d\""), "{script}");
    pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
    assert_eq!(
        pair.replica.query("SELECT count(*) FROM pg_class WHERE relname = 'o.l\"d'")[0][0].as_deref(),
        Some("0")
    );
    assert_eq!(pair.replica.query("SELECT count(*) FROM other")[0][0].as_deref(), Some("0"));
}

#[test]
fn between_engines_too() {
    for (primary, replica) in Engine::pairs() {
        if primary == replica {
            continue;
        }
        let pair = Pair::new(primary, replica);
        pair.both("CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t VALUES (1);");
        pair.replica.execute_script(
            "CREATE TABLE \"Old\" (id integer PRIMARY KEY);"
                .replace('"', if replica == Engine::Mariadb { "`" } else { "\"" })
                .as_str(),
        );
        pair.tables(DROP);
        pair.exits(&["apply", "spec.yml", "-y", "--allow", "DELETES_DATA"], 0);
        assert_eq!(names(&pair), ["t"], "{} {}", primary.name(), replica.name());
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    }
    let pair = Pair::new(Engine::Postgres, Engine::Sqlite);
    pair.primary.execute_script("CREATE SCHEMA billing; CREATE TABLE billing.t (id int primary key);");
    pair.replica.execute_script("CREATE TABLE old (id integer PRIMARY KEY);");
    pair.tables("[{ table: 'billing.*', drop: true }]");
    let planned = pair.exits(&["plan", "spec.yml"], 1);
    assert!(planned.stdout.contains("cannot be told"), "{}", planned.told());
    assert_eq!(names(&pair), ["old"]);
}

#[test]
fn a_check_tells_of_them() {
    for engine in Engine::all() {
        let pair = with_an_old_one(engine);
        let checked = pair.exits(&["check", "spec.yml"], 0);
        assert!(checked.stdout.contains("old: only on the replica; apply drops it"), "{}", checked.told());
        pair.exits(&["check", "spec.yml", "--table", "oldest"], 1);
        pair.primary.execute_script("CREATE VIEW old AS SELECT id FROM t;");
        let checked = pair.exits(&["check", "spec.yml"], 1);
        assert!(checked.told().contains("whether to drop the replica's table old"), "{}", checked.told());
    }
}

#[test]
fn deletes_that_are_withheld_withhold_it_too() {
    for engine in Engine::all() {
        let pair = with_an_old_one(engine);
        pair.tables("[{ table: '*', drop: true, delete: false }]");
        let document = pair.document(&["plan", "spec.yml", "--detailed-exitcode"], 2);
        assert_eq!(table(&document, "old")["schema_changes"][0]["withheld"], true);
        pair.exits(&["apply", "spec.yml", "-y", "--allow", "all"], 0);
        assert_eq!(names(&pair), ["old", "t"], "{}", engine.name());
    }
}

/// A primary without any table may be the wrong one.
#[test]
fn a_primary_without_tables_drops_none_unless_all_may_go() {
    for engine in Engine::all() {
        let pair = Pair::new(engine, engine);
        pair.replica.execute_script("CREATE TABLE old (id integer PRIMARY KEY); INSERT INTO old VALUES (1);");
        pair.tables(DROP);
        let refused = pair.document(&["apply", "spec.yml", "-y", "--allow", "DELETES_DATA"], 3);
        assert_eq!(refused["replicas"][0]["refusals"][0]["rule"], "empty_primary", "{}", engine.name());
        assert_eq!(names(&pair), ["old"], "{}", engine.name());
        pair.exits(&["apply", "spec.yml", "-y", "--allow", "DELETES_DATA", "--max-deletes", "100%"], 0);
        assert!(names(&pair).is_empty(), "{}", engine.name());
    }
}

/// What goes with a table may be what another entry is about.
#[test]
fn a_partition_that_is_a_counterpart_keeps_its_table() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.primary.execute_script("CREATE TABLE pa1 (id int NOT NULL); INSERT INTO pa1 VALUES (1), (2);");
    pair.replica.execute_script(
        "CREATE TABLE pa (id int NOT NULL) PARTITION BY RANGE (id);
         CREATE TABLE pa1 PARTITION OF pa FOR VALUES FROM (0) TO (10); INSERT INTO pa VALUES (1), (7);",
    );
    for tables in [DROP, "[{ table: pa1, where: 'id < 5' }, { table: '*', drop: true }]"] {
        pair.tables(tables);
        let run = pair.run(&["apply", "spec.yml", "-y", "--allow", "all"]);
        assert_eq!(run.exit, Some(1), "{}", run.told());
        assert_eq!(pair.replica.query("SELECT count(*) FROM pa1")[0][0].as_deref(), Some("2"));
    }
}

/// A view of that name in other letters is of that name to a replica that does not tell letters apart.
#[test]
fn names_are_one_as_the_replica_takes_them() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let pair = Pair::new(engine, Engine::Sqlite);
        pair.primary
            .execute_script("CREATE TABLE t (id integer PRIMARY KEY); CREATE VIEW users AS SELECT 1 AS id;");
        pair.replica.execute_script(
            "CREATE TABLE t (id integer PRIMARY KEY); CREATE TABLE Users (id integer PRIMARY KEY); INSERT INTO Users VALUES (1);",
        );
        pair.tables(DROP);
        let run = pair.run(&["apply", "spec.yml", "-y", "--allow", "all"]);
        assert_eq!(run.exit, Some(1), "{}", run.told());
        assert_eq!(names(&pair), ["Users", "t"], "{}", engine.name());
    }
}

/// A trigger that writes into it would fail with every row.
#[test]
fn a_trigger_that_speaks_of_it_is_named() {
    for engine in [Engine::Sqlite, Engine::Postgres, Engine::Mariadb] {
        let pair = with_an_old_one(engine);
        pair.replica.execute_script(match engine {
            Engine::Postgres => {
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO old VALUES (NEW.id + 9); RETURN NULL; END $$;
                 CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();"
            }
            Engine::Sqlite => {
                "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO old(id) VALUES (NEW.id + 9); END;"
            }
            _ => "CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW INSERT INTO old(id) VALUES (NEW.id + 9);",
        });
        let run = pair.run(&["apply", "spec.yml", "-y", "--allow", "all"]);
        assert_eq!(run.exit, Some(1), "{}", run.told());
        assert!(run.told().contains("trigger tr"), "{}", run.told());
        assert_eq!(names(&pair), ["old", "t"], "{}", engine.name());
    }
}
