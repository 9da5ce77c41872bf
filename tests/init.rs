//! `trueup init` with live databases: what it writes passes `check`, and gives a correct plan at once.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::servers::{Database, Engine, open};
use crate::tool::{self, Run};

/// Two databases and a folder for the spec.
struct Pair {
    primary: String,
    replica: String,
    directory: tempfile::TempDir,
}

impl Pair {
    fn of(primary: &str, replica: &str) -> Pair {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        Pair { primary: primary.to_owned(), replica: replica.to_owned(), directory }
    }

    fn run(&self, args: &[&str]) -> Run {
        let urls = [("PRIMARY_URL", &self.primary), ("REPLICA_URL", &self.replica)];
        let variables: BTreeMap<_, _> = urls.map(|(name, url)| (name.to_owned(), url.clone())).into();
        tool::run(self.directory.path(), &variables, args)
    }

    #[track_caller]
    fn exits(&self, args: &[&str], code: i32) -> Run {
        let run = self.run(args);
        assert_eq!(run.exit, Some(code), "{}", run.told());
        run
    }

    /// Writes the spec, checks it, and gives it with the plan that it makes, in which nothing is in error.
    #[track_caller]
    fn spec_and_plan(&self) -> (String, Json) {
        self.exits(&["init", &self.primary, &self.replica, "-o", "spec.yml"], 0);
        let spec = std::fs::read_to_string(self.directory.path().join("spec.yml")).expect("it was written");
        self.exits(&["check", "spec.yml"], 0);
        let run = self.exits(&["plan", "spec.yml", "--format", "json"], 0);
        let plan = run.document();
        assert_eq!(plan["summary"]["error"], 0, "{}\n{spec}", run.told());
        assert_eq!(plan["replicas"][0]["refusals"], json!([]), "{}\n{spec}", run.told());
        (spec, plan)
    }
}

/// An identifier in the engine's quotes.
fn quoted(engine: Engine, name: &str) -> String {
    let quote = if engine == Engine::Mariadb { '`' } else { '"' };
    format!("{quote}{}{quote}", name.replace(quote, &format!("{quote}{quote}")))
}

/// Two tables of a music shop, their names in the style that `named` makes of PascalCase.
fn shop(database: &Database, named: fn(&str) -> String) {
    let name = |name: &str| quoted(database.engine, &named(name));
    let (artist, line) = (name("Artist"), name("InvoiceLine"));
    let (id, line_id, price, bought) =
        (name("ArtistId"), name("InvoiceLineId"), name("UnitPrice"), name("BoughtOn"));
    database.execute_script(&format!(
        "CREATE TABLE {artist} ({id} integer NOT NULL PRIMARY KEY, {} varchar(40));
         CREATE TABLE {line} ({line_id} integer NOT NULL, {id} integer NOT NULL, {price} numeric(10,2) NOT NULL,
                              {bought} date, PRIMARY KEY ({line_id}));
         INSERT INTO {artist} VALUES (1, 'AC/DC'), (2, 'Żółć'), (3, NULL);
         INSERT INTO {line} VALUES (10, 1, 0.99, '2009-01-01'), (11, 2, 1.99, NULL), (12, 3, 10.00, '2010-02-03')",
        name("Name"),
    ));
}

fn pascal(name: &str) -> String {
    name.to_owned()
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[test]
fn between_all_engines_and_naming_styles_exactly_the_planted_edits_are_found() {
    for (on_primary, on_replica) in Engine::pairs() {
        let (primary, replica) = (open(on_primary, "init_p"), open(on_replica, "init_r"));
        shop(&primary, pascal);
        shop(&replica, snake);
        replica.execute_script(
            "UPDATE invoice_line SET unit_price = 2.49 WHERE invoice_line_id = 11;
             DELETE FROM artist WHERE artist_id = 2; INSERT INTO artist VALUES (4, 'Extra')",
        );
        let pair = Pair::of(&primary.url, &replica.url);
        let (spec, plan) = pair.spec_and_plan();
        let told = format!("{} to {}\n{spec}\n{plan:#}", on_primary.name(), on_replica.name());
        let tables = plan["replicas"][0]["tables"].as_array().expect("tables").clone();
        let changes = |table: &Json| -> Vec<Json> {
            let changes = table["changes"].as_array().expect("changes");
            changes.iter().map(|change| json!([change["action"], change["key"]])).collect()
        };
        assert_eq!(tables.len(), 2, "{told}");
        assert_eq!(tables[0]["table"], "Artist", "{told}");
        assert_eq!(
            changes(&tables[0]),
            [json!(["insert", { "ArtistId": 2 }]), json!(["delete", { "ArtistId": 4 }])],
            "{told}"
        );
        assert_eq!(changes(&tables[1]), [json!(["update", { "InvoiceLineId": 11 }])], "{told}");
        let after = tables[1]["changes"][0]["after"].to_string();
        // SQLite shows a number as it stores it.
        assert_eq!(after.replace("\"1.99\"", "1.99"), r#"{"UnitPrice":1.99}"#, "{told}");
        assert_eq!(plan["summary"]["schema_changes"], 0, "{told}");
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        pair.exits(&["verify", "spec.yml"], 0);
    }
}

#[test]
fn odd_names_are_read_back_as_themselves() {
    let names = [
        "yes",
        "null",
        "1",
        "a: b",
        "my.table",
        "star*",
        "it's",
        "say \"x\"",
        "${HOME}",
        "select",
        "#x",
        "é",
    ];
    for (on_primary, on_replica) in Engine::pairs() {
        let (primary, replica) = (open(on_primary, "odd_p"), open(on_replica, "odd_r"));
        for database in [&primary, &replica] {
            for name in names {
                let name = quoted(database.engine, name);
                database.execute_script(&format!(
                    "CREATE TABLE {name} ({} integer NOT NULL PRIMARY KEY, {name} varchar(20))",
                    quoted(database.engine, "- key")
                ));
            }
        }
        let (spec, plan) = Pair::of(&primary.url, &replica.url).spec_and_plan();
        assert_eq!(plan["summary"]["tables"], names.len(), "{spec}");
        assert_eq!(plan["in_sync"], true, "{spec}");
        assert_eq!(plan["replicas"][0]["tables"][0]["key"], json!(["- key"]), "{spec}");
    }
}

#[test]
fn what_cannot_be_compared_is_left_out_with_the_reason() {
    let (primary, replica) = (open(Engine::Postgres, "types_p"), open(Engine::Mariadb, "types_r"));
    primary.execute_script(
        "CREATE TABLE seen (id integer PRIMARY KEY, at timestamptz NOT NULL, tags text[], note text, extra text NOT NULL);
         INSERT INTO seen VALUES (1, now(), '{}', 'a', 'x'), (2, now(), '{}', 'b', 'y');
         CREATE TABLE keyless (line text); CREATE TABLE \"Both\" (id integer PRIMARY KEY);
         CREATE TABLE ours (id integer PRIMARY KEY);",
    );
    replica.execute_script(
        "CREATE TABLE seen (id integer PRIMARY KEY, at datetime NOT NULL, tags varchar(20), note text, legacy text);
         INSERT INTO seen VALUES (1, now(), '', 'a', 'z');
         CREATE TABLE keyless (line text); CREATE TABLE `BOTH` (id integer PRIMARY KEY);
         CREATE TABLE `both` (id integer PRIMARY KEY); CREATE TABLE theirs (id integer PRIMARY KEY);",
    );
    let (spec, plan) = Pair::of(&primary.url, &replica.url).spec_and_plan();
    for line in [
        "  - keyless      # no key: whole rows are compared\n",
        "    #   at  timestamp with time zone / datetime\n",
        "    exclude_columns: [at, extra]\n",
        "    # NOTE: extra is only on the primary",
        "    insert: false\n",
        "    # Only on the replica, and left as it is: legacy\n",
        "  # Both on the primary, BOTH and both on the replica.\n",
        "  # - ours\n",
        "  #   theirs\n",
    ] {
        assert!(spec.contains(line), "no {line}in\n{spec}");
    }
    let tables = plan["replicas"][0]["tables"].as_array().expect("tables");
    let seen = tables.iter().find(|table| table["table"] == "seen").expect("it is there");
    assert_eq!(seen["withheld"]["insert"], 1, "{plan:#}");
    assert_eq!(plan["summary"]["insert"], 0, "{plan:#}");
}

#[test]
fn other_schemas_of_postgres_are_looked_at() {
    let primary = open(Engine::Postgres, "schemas_p");
    let tables = "CREATE TABLE a (id integer PRIMARY KEY); CREATE SCHEMA billing; \
                  CREATE TABLE billing.invoice (id integer PRIMARY KEY); INSERT INTO billing.invoice VALUES (1);";
    primary.execute_script(tables);
    let replica = open(Engine::Postgres, "schemas_r");
    replica.execute_script(&tables.replace("INSERT", "-- INSERT"));
    let (spec, plan) = Pair::of(&primary.url, &replica.url).spec_and_plan();
    assert!(spec.contains("  - billing.invoice"), "{spec}");
    assert_eq!(plan["summary"]["insert"], 1, "{spec}\n{plan:#}");
    let flat = open(Engine::Mariadb, "schemas_r");
    flat.execute_script(
        "CREATE TABLE a (id integer PRIMARY KEY); CREATE TABLE invoice (id integer PRIMARY KEY)",
    );
    flat.execute_script("INSERT INTO invoice VALUES (2)");
    let (spec, plan) = Pair::of(&primary.url, &flat.url).spec_and_plan();
    assert_eq!(plan["summary"]["insert"], 1, "{spec}\n{plan:#}");
    let (spec, plan) = Pair::of(&flat.url, &primary.url).spec_and_plan();
    assert!(spec.contains("    to: billing.invoice\n"), "{spec}");
    assert_eq!(plan["summary"]["delete"], 1, "{spec}\n{plan:#}");
}

#[test]
fn a_replica_that_is_not_there_yet_is_made_whole() {
    for engine in Engine::all() {
        let primary = open(engine, "new_p");
        shop(&primary, snake);
        let pair = Pair::of(&primary.url, "sqlite:new.db");
        let (spec, plan) = pair.spec_and_plan();
        assert!(!pair.directory.path().join("new.db").exists(), "nothing is created by looking");
        assert_eq!(plan["summary"]["schema_changes"], 2, "{spec}");
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        pair.exits(&["verify", "spec.yml"], 0);
    }
}

#[test]
fn a_file_that_exists_is_not_overwritten() {
    let (primary, replica) = (open(Engine::Sqlite, "file_p"), open(Engine::Sqlite, "file_r"));
    shop(&primary, snake);
    shop(&replica, snake);
    let pair = Pair::of(&primary.url, &replica.url);
    let path = pair.directory.path().join("spec.yml");
    std::fs::write(&path, "mine").expect("it can be written");
    let run = pair.exits(&["init", &pair.primary, &pair.replica, "-o", "spec.yml"], 1);
    assert!(run.stdout.is_empty() && run.stderr.contains("spec.yml exists already"), "{}", run.told());
    assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "mine");
    let nowhere = pair.exits(&["init", &pair.primary, &pair.replica, "-o", "no/spec.yml"], 1);
    assert!(nowhere.stderr.contains("could not write no/spec.yml"), "{}", nowhere.told());
    let printed = pair.exits(&["init", &pair.primary, &pair.replica], 0);
    assert!(printed.stdout.ends_with('\n') && printed.stderr.is_empty(), "{}", printed.told());
    std::fs::remove_file(&path).expect("it is there");
    pair.exits(&["init", &pair.primary, &pair.replica, "-o", "spec.yml"], 0);
    let written = std::fs::read_to_string(&path).expect("it was written");
    assert_eq!(written, printed.stdout, "the same text, whichever way it goes");
    assert_eq!(std::fs::read_dir(pair.directory.path()).expect("it is there").count(), 1);
}

#[test]
fn passwords_are_in_no_spec_and_no_error_and_what_may_not_be_read_is_left_out() {
    let replica = open(Engine::Sqlite, "secret_r");
    replica
        .execute_script("CREATE TABLE t (id integer PRIMARY KEY); CREATE TABLE u (id integer PRIMARY KEY)");
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let primary = open(engine, "secret_p");
        primary.execute_script(
            "CREATE TABLE t (id integer PRIMARY KEY); CREATE TABLE u (id integer PRIMARY KEY)",
        );
        let url = primary.limited_role("GRANT SELECT ON t TO {role};");
        assert!(url.contains(":limited@"), "{url}");
        let pair = Pair::of(&url, &replica.url);
        let (spec, _) = pair.spec_and_plan();
        assert!(!spec.contains("limited") && spec.contains("\nprimary: ${PRIMARY_URL} # "), "{spec}");
        assert!(spec.contains(&format!("\n  replica: \"{}\"\n", replica.url)), "{spec}");
        // PostgreSQL shows tables that may not be read, MariaDB hides them.
        let told = ["# u: this login may not read it on the primary (GRANT", "  #   u\n"];
        assert!(told.iter().any(|told| spec.contains(told)) && !spec.contains("  - u"), "{spec}");
        let wrong = url.replace(":limited@", ":hushhush@");
        for args in [
            &["init", &wrong, &replica.url][..],
            &["init", &replica.url, &wrong],
            &["init", &url, &replica.url, &wrong],
            &["init", &wrong.replace("://", ":"), &replica.url],
            &["init", &wrong.replace("hushhush", "hush/hush"), &replica.url],
        ] {
            let run = pair.run(args);
            assert!(!run.stderr.contains("hush") && run.stdout.is_empty(), "{}", run.told());
        }
    }
}

#[test]
fn what_makes_no_spec_is_an_error_that_says_what_to_do() {
    let (primary, empty) = (open(Engine::Sqlite, "none_p"), open(Engine::Sqlite, "none_r"));
    primary.execute_script("CREATE TABLE t (id integer PRIMARY KEY)");
    let pair = Pair::of(&primary.url, &primary.url);
    let same = pair.exits(&["init", &primary.url, &primary.url], 1);
    assert!(same.stderr.contains("the replica is the same database as the primary"), "{}", same.told());
    let none = pair.exits(&["init", &empty.url, &primary.url], 1);
    assert!(none.stderr.contains("has no tables"), "{}", none.told());
    let missing = pair.exits(&["init", "sqlite:nowhere.db", &primary.url], 1);
    assert!(missing.stderr.contains("could not connect to the primary"), "{}", missing.told());
    let bare = pair.exits(&["init", "shop.db", &primary.url], 1);
    assert!(bare.stderr.contains("the URL of the primary cannot be used"), "{}", bare.told());
    assert!(bare.stderr.contains("sqlite:path"), "{}", bare.told());
    empty.execute_script("CREATE TABLE other_thing (id integer PRIMARY KEY)");
    let other = pair.exits(&["init", &primary.url, &empty.url], 1);
    assert!(other.stderr.contains("the primary has t; the replica has other_thing"), "{}", other.told());
}
