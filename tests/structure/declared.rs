//! `schema_file`: a file says what both sides are to look like, and rows are still the primary's.

use serde_json::Value as Json;

use crate::pair::Pair;
use crate::servers::{Address, Engine, open};

const FILE: &str = "-- what both are to look like
CREATE TABLE teams (id integer PRIMARY KEY, name varchar(40) NOT NULL);
CREATE TABLE people (
  id integer PRIMARY KEY,
  name varchar(40) NOT NULL DEFAULT 'nobody',
  team integer,
  CONSTRAINT of_team FOREIGN KEY (team) REFERENCES teams (id)
);
CREATE INDEX by_name ON people (name);
";
const ROWS: &str = "INSERT INTO teams VALUES (1, 'red'), (2, 'blue');
INSERT INTO people VALUES (1, 'Ann', 1), (2, 'Bob', 2), (3, 'Cid', NULL);";
const BARE: &str = "CREATE TABLE people (id integer PRIMARY KEY, name varchar(40));
INSERT INTO people VALUES (1, 'Ann'), (2, 'Rob'), (9, 'Zoe');";

/// A spec of these tables with a file of this text, and what else stands at its top.
fn declare(pair: &Pair, file: &str, tables: &str, more: &str) {
    std::fs::write(pair.path("schema.sql"), file).expect("the file can be written");
    pair.spec(&format!(
        "version: 1\nschema_file: schema.sql\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: \"${{REPLICA_URL}}\" }}\n{more}tables: {tables}\nallow: [all]\n"
    ));
}

fn declared(engine: Engine) -> Pair {
    let pair = Pair::new(engine, engine);
    pair.primary.execute_script(&format!("{FILE}{ROWS}"));
    pair.replica.execute_script(BARE);
    declare(&pair, FILE, "['*']", "");
    pair
}

fn table<'a>(document: &'a Json, name: &str) -> &'a Json {
    let tables = document["replicas"][0]["tables"].as_array().expect("there are tables");
    tables.iter().find(|table| table["table"] == name).unwrap_or_else(|| panic!("{name}: {document:#}"))
}

#[test]
fn the_replica_becomes_what_the_file_says_with_the_rows_of_the_primary() {
    for engine in Engine::all() {
        let pair = declared(engine);
        let planned = pair.document(&["plan", "spec.yml"], 0);
        let actions = table(&planned, "people")["schema_changes"].to_string();
        assert!(actions.contains("by_name") && actions.contains("team"), "{}: {planned:#}", engine.name());
        assert_eq!(table(&planned, "teams")["status"], "missing", "{planned:#}");
        pair.exits(&["check", "spec.yml"], 0);
        pair.exits(&["verify", "spec.yml"], 2);
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());
        pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
        pair.exits(&["verify", "spec.yml"], 0);
    }
}

/// Each is told by `check` and by `plan`, names the table and what differs, and nothing of the table is written; the other
/// table is none the worse.
/// What the spec says of values holds beside a file as without one.
#[test]
fn a_date_time_that_the_spec_puts_into_a_zone_stays_in_it() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    let file = "CREATE TABLE t (id integer PRIMARY KEY, at timestamp);";
    pair.primary.execute_script(&format!("{file} INSERT INTO t VALUES (1, '2026-11-22 06:30:00');"));
    pair.replica.execute_script(
        "CREATE TABLE t (id integer PRIMARY KEY, at timestamptz); INSERT INTO t VALUES (1, '2026-11-22 12:00:00+00');",
    );
    declare(&pair, file, "[{ table: t, schema: ignore, compare: { at: { zone: '-05:30' } } }]", "");
    pair.exits(&["verify", "spec.yml"], 0);
    pair.replica.execute_script("UPDATE t SET at = '2026-11-22 06:30:00+00'");
    pair.exits(&["verify", "spec.yml"], 2);
}

#[test]
fn a_primary_that_is_not_what_the_file_says_is_an_error() {
    for engine in Engine::all() {
        for (change, words) in [
            (
                if engine == Engine::Mariadb { "DROP INDEX by_name ON people" } else { "DROP INDEX by_name" },
                "by_name",
            ),
            ("CREATE INDEX more ON people (name, team)", "more"),
            ("ALTER TABLE people ADD note varchar(9)", "note"),
            ("DROP TABLE people", "has no table"),
            ("ALTER TABLE people RENAME COLUMN name TO label", "name"),
        ] {
            let pair = declared(engine);
            pair.primary.execute_script(change);
            let before = pair.replica.dump();
            let checked = pair.exits(&["check", "spec.yml"], 1);
            let about = format!("{}: {change}: {}", engine.name(), checked.told());
            assert!(checked.stderr.contains("people") && checked.stderr.contains(words), "{about}");
            assert!(
                checked.stderr.contains("schema.sql") && checked.stderr.contains("spec.yml:5:10"),
                "{about}"
            );
            let planned = pair.document(&["plan", "spec.yml"], 1);
            assert_eq!(table(&planned, "people")["status"], "error", "{about}\n{planned:#}");
            assert_eq!(table(&planned, "teams")["status"], "missing", "{about}\n{planned:#}");
            pair.exits(&["verify", "spec.yml"], 1);
            pair.exits(&["apply", "spec.yml", "-y"], 1);
            assert_eq!(pair.replica.dump(), before, "{about}");
        }
    }
}

#[test]
fn a_type_of_the_primary_that_is_not_the_declared_one_is_named() {
    for engine in Engine::all() {
        let pair = Pair::new(engine, engine);
        pair.both("CREATE TABLE t (id integer PRIMARY KEY, v varchar(20)); INSERT INTO t VALUES (1, 'x');");
        declare(&pair, "CREATE TABLE t (id integer PRIMARY KEY, v varchar(30));", "[t]", "");
        let checked = pair.exits(&["check", "spec.yml"], 1);
        let words = checked.stderr.to_lowercase();
        assert!(
            words.contains("column v is `") && words.contains("(20)") && words.contains("(30)"),
            "{}",
            checked.told()
        );
        // What the spec leaves out is nobody's business.
        declare(
            &pair,
            "CREATE TABLE t (id integer PRIMARY KEY, v varchar(30));",
            "[{ table: t, exclude_columns: [v] }]",
            "",
        );
        pair.exits(&["check", "spec.yml"], 0);
        pair.exits(&["verify", "spec.yml"], 0);
        declare(&pair, "CREATE TABLE other (id integer PRIMARY KEY);", "[{ table: t, schema: ignore }]", "");
        pair.exits(&["verify", "spec.yml"], 0);
    }
}

#[test]
fn tables_that_only_one_of_file_and_primary_has_are_told() {
    for engine in Engine::all() {
        let pair = declared(engine);
        pair.primary.execute_script("CREATE TABLE extra (id integer PRIMARY KEY)");
        let checked = pair.exits(&["check", "spec.yml"], 1);
        assert!(checked.stderr.contains("extra is not declared in schema.sql"), "{}", checked.told());
        let chosen = pair.document(&["plan", "spec.yml", "--table", "extra"], 1);
        assert_eq!(table(&chosen, "extra")["status"], "error", "{chosen:#}");
        declare(&pair, FILE, "['*']", "skip_tables: [extra]\n");
        pair.exits(&["check", "spec.yml"], 0);
        // A table that the replica alone has, and the file knows, is never dropped.
        let pair = declared(engine);
        pair.primary.execute_script("DROP TABLE people");
        declare(&pair, FILE, "[{ table: '*', drop: true }]", "");
        let planned = pair.document(&["plan", "spec.yml"], 1);
        assert_eq!(table(&planned, "people")["status"], "error", "{planned:#}");
        assert!(!planned.to_string().contains("drop_table"), "{planned:#}");
    }
}

#[test]
fn what_is_wrong_with_the_file_is_told_with_its_place() {
    for engine in Engine::all() {
        let pair = declared(engine);
        declare(
            &pair,
            &format!("{FILE}\nINSERT INTO teams VALUES (1, 'x');\n  DROP DATABASE shop;"),
            "['*']",
            "",
        );
        for args in
            [vec!["check", "spec.yml", "--offline"], vec!["plan", "spec.yml"], vec!["check", "spec.yml"]]
        {
            let told = pair.exits(&args, 1);
            assert!(told.stderr.contains("schema.sql:11:1: INSERT is about rows"), "{}", told.told());
            assert!(told.stderr.contains("schema.sql:12:3: DROP"), "{}", told.told());
            assert_eq!(told.stdout, "", "{}", told.told());
        }
        declare(
            &pair,
            "CREATE TABLE people (id integer PRIMARY KEY);\n\n CREATE INDEX i ON people (none);",
            "['*']",
            "",
        );
        let told = pair.exits(&["check", "spec.yml"], 1);
        assert!(told.stderr.contains("schema.sql:3:2: ") && told.stderr.contains("none"), "{}", told.told());
        let planned = pair.document(&["plan", "spec.yml"], 1);
        assert!(planned.to_string().contains("schema.sql:3:2: "), "{planned:#}");
        std::fs::remove_file(pair.path("schema.sql")).expect("it is there");
        let told = pair.exits(&["plan", "spec.yml"], 1);
        assert!(
            told.stderr.contains("spec.yml:2:14: the schema file schema.sql cannot be read"),
            "{}",
            told.told()
        );
    }
}

#[test]
fn a_saved_plan_is_stale_once_the_file_says_something_else() {
    for engine in Engine::all() {
        let pair = declared(engine);
        pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
        declare(&pair, &FILE.replace("by_name", "by_label"), "['*']", "");
        let before = pair.replica.dump();
        pair.exits(&["apply", "a.plan", "-y"], 4);
        assert_eq!(pair.replica.dump(), before);
        declare(&pair, FILE, "['*']", "");
        pair.exits(&["apply", "a.plan", "-y"], 0);
        assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", engine.name());
        pair.exits(&["verify", "spec.yml"], 0);
    }
}

/// The path is that of the spec, wherever the tool runs.
#[test]
fn the_file_stands_beside_the_spec() {
    let pair = declared(Engine::Sqlite);
    std::fs::create_dir(pair.path("deep")).expect("a folder can be made");
    for file in ["spec.yml", "schema.sql"] {
        std::fs::rename(pair.path(file), pair.path("deep").join(file)).expect("it is moved");
    }
    pair.exits(&["verify", "deep/spec.yml"], 2);
}

/// Names that are quoted, reserved or in another schema, types of users, and what a dump is made of.
#[test]
fn a_dump_of_a_database_is_a_file() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.primary.execute_script(
        "CREATE SCHEMA shop; CREATE TYPE shop.mood AS ENUM ('sad', 'it''s; ok');
         CREATE FUNCTION shop.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT n * 2; $$;
         CREATE TABLE shop.\"or der\" (id serial PRIMARY KEY, \"Group\" shop.mood DEFAULT 'sad', n int CHECK (n > 0),
            d int GENERATED ALWAYS AS (shop.twice(n)) STORED, at timestamptz DEFAULT now());
         CREATE UNIQUE INDEX \"I x\" ON shop.\"or der\" (lower(n::text)) WHERE n > 1;
         COMMENT ON TABLE shop.\"or der\" IS 'it''s; so';
         CREATE TABLE shop.part (id int, v text, PRIMARY KEY (id, v)) PARTITION BY LIST (v);
         CREATE TABLE shop.part_a PARTITION OF shop.part FOR VALUES IN ('a;', 'b');
         CREATE VIEW shop.seen AS SELECT id FROM shop.\"or der\";
         INSERT INTO shop.\"or der\" (n) VALUES (1), (2); INSERT INTO shop.part VALUES (1, 'b');",
    );
    let dump = std::process::Command::new("pg_dump")
        .args(["--schema-only", &pair.primary.url])
        .output()
        .expect("pg_dump runs");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    pair.replica.execute_script("CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    pair.replica.execute_script(
        "CREATE SCHEMA shop; CREATE FUNCTION shop.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT n * 2; $$;",
    );
    let dump = String::from_utf8(dump.stdout).expect("it is text");
    declare(&pair, &dump, "['shop.*']", "");
    pair.exits(&["check", "spec.yml"], 0);
    pair.exits(&["apply", "spec.yml", "-y"], 0);
    assert_eq!(pair.replica.dump(), pair.primary.dump());
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
}

/// Names without a schema are in the primary's default one.
#[test]
fn names_without_a_schema_are_where_the_primary_looks_first() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.both("CREATE SCHEMA shop;");
    let script = format!("SET search_path = shop; {FILE} {ROWS}");
    pair.primary.execute_script(&script);
    for file in [FILE.to_owned(), format!("CREATE SCHEMA shop;\n{FILE}")] {
        declare(&pair, &file, "['*']", "");
        pair.spec(
            "version: 1\nschema_file: schema.sql\nprimary: { url: \"${PRIMARY_URL}\", search_path: [shop, public] }\n\
             replicas: { copy: { url: \"${REPLICA_URL}\", search_path: [shop, public] } }\ntables: ['*']\nallow: [all]\n",
        );
        pair.exits(&["check", "spec.yml"], 0);
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        assert_eq!(pair.replica.dump(), pair.primary.dump());
    }
}

/// The database for the file is gone whatever happens, and what a crashed run left goes with the next one.
#[test]
fn nothing_is_left_on_the_server() {
    let pair = declared(Engine::Postgres);
    let url = pair.replica.limited_role("ALTER ROLE {role} CREATEDB; GRANT ALL ON SCHEMA public TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};");
    let role =
        url.split("//").nth(1).and_then(|rest| rest.split(':').next()).expect("it has a user").to_owned();
    let left = || {
        pair.replica.query(&format!(
            "SELECT datname FROM pg_database WHERE datdba = '{role}'::regrole AND datname LIKE 'trueup_scratch%' ORDER BY 1"
        ))
    };
    let run = |args: &[&str], exit: i32| {
        let run = pair.run_with(args, &[("REPLICA_URL", &url)]);
        assert_eq!(run.exit, Some(exit), "{}", run.told());
        run
    };
    run(&["check", "spec.yml"], 0);
    assert_eq!(left(), Vec::<Vec<Option<String>>>::new());
    declare(&pair, &format!("{FILE}\nCREATE INDEX x ON people (none);"), "['*']", "");
    run(&["check", "spec.yml"], 1);
    assert_eq!(left(), Vec::<Vec<Option<String>>>::new());
    // Old ones with the mark go; what is young, or not ours, stays.
    let mark =
        "trueup: made to load a schema file, and dropped at once; what is older than an hour may be dropped";
    for (name, marked) in
        [("1_0123456789ab", true), ("1_0123456789ac", false), ("99999999999_0123456789ad", true)]
    {
        let name = format!("trueup_scratch_{name}");
        pair.replica.execute_script(&format!("CREATE DATABASE {name} OWNER {role}"));
        if marked {
            pair.replica.execute_script(&format!("COMMENT ON DATABASE {name} IS '{mark}'"));
        }
    }
    declare(&pair, FILE, "['*']", "");
    run(&["check", "spec.yml"], 0);
    let names: Vec<String> = left().into_iter().flatten().flatten().collect();
    assert_eq!(names, ["trueup_scratch_1_0123456789ac", "trueup_scratch_99999999999_0123456789ad"]);
    for name in names {
        pair.replica.execute_script(&format!("DROP DATABASE {name}"));
    }
}

#[test]
fn who_may_make_no_database_names_one() {
    let pair = declared(Engine::Postgres);
    let scratch = open(Engine::Postgres, "scratch");
    let url = pair.replica.limited_role(
        "GRANT ALL ON SCHEMA public TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};",
    );
    let denied = pair.run_with(&["check", "spec.yml"], &[("REPLICA_URL", &url)]);
    assert_eq!(denied.exit, Some(1), "{}", denied.told());
    assert!(denied.stderr.contains("`scratch:`") && denied.stderr.contains("CREATEDB"), "{}", denied.told());
    declare(&pair, FILE, "['*']", "scratch: ${SCRATCH_URL}\n");
    let with = |scratch: &str, exit: i32| {
        let run = pair.run_with(&["check", "spec.yml"], &[("REPLICA_URL", &url), ("SCRATCH_URL", scratch)]);
        assert_eq!(run.exit, Some(exit), "{}", run.told());
        run
    };
    with(&scratch.url, 0);
    // It is empty again, so that it serves twice.
    assert!(scratch.dump().is_empty());
    with(&scratch.url, 0);
    scratch.execute_script("CREATE TABLE mine (id int); INSERT INTO mine VALUES (1);");
    let full = with(&scratch.url, 1);
    assert!(full.stderr.contains("not empty: it has public.mine"), "{}", full.told());
    assert_eq!(scratch.dump()["public.mine"].len(), 1);
    for own in [&pair.primary.url, &pair.replica.url] {
        let same = with(own, 1);
        assert!(same.stderr.contains("`scratch` is the same database as"), "{}", same.told());
        let hidden = with(&own.replace("127.0.0.1", "localhost"), 1);
        assert!(hidden.stderr.contains("`scratch` is the same database as"), "{}", hidden.told());
    }
}

/// The file is in the primary's SQL, also where the replica speaks another.
#[test]
fn a_replica_of_another_engine_follows_the_file_too() {
    let pair = Pair::new(Engine::Sqlite, Engine::Postgres);
    pair.primary.execute_script(&format!("{FILE}{ROWS}"));
    declare(&pair, FILE, "['*']", "");
    pair.exits(&["apply", "spec.yml", "-y"], 0);
    pair.exits(&["verify", "spec.yml"], 0);
    let pair = Pair::new(Engine::Postgres, Engine::Sqlite);
    pair.primary.execute_script(&format!("{FILE}{ROWS}"));
    declare(&pair, FILE, "['*']", "");
    let nowhere = pair.exits(&["check", "spec.yml"], 1);
    assert!(nowhere.stderr.contains("no place to load schema.sql"), "{}", nowhere.told());
    assert!(nowhere.stderr.contains("`scratch:`"), "{}", nowhere.told());
    let scratch = open(Engine::Postgres, "scratch");
    declare(&pair, FILE, "['*']", &format!("scratch: \"{}\"\n", scratch.url));
    pair.exits(&["apply", "spec.yml", "-y"], 0);
    pair.exits(&["verify", "spec.yml"], 0);
}

/// The same on the MySQL family, where nothing can be rolled back.
#[test]
fn a_database_that_is_named_for_the_file_is_empty_again() {
    let pair = declared(Engine::Mariadb);
    let scratch = open(Engine::Mariadb, "scratch");
    declare(&pair, FILE, "['*']", &format!("scratch: \"{}\"\n", scratch.url));
    pair.exits(&["check", "spec.yml"], 0);
    assert!(scratch.dump().is_empty());
    declare(
        &pair,
        &format!("{FILE}\nCREATE INDEX x ON people (none);"),
        "['*']",
        &format!("scratch: \"{}\"\n", scratch.url),
    );
    pair.exits(&["check", "spec.yml"], 1);
    assert!(scratch.dump().is_empty());
    // What a crash left has the mark, and goes; anything else is somebody's.
    scratch.execute_script(
        "CREATE TABLE _trueup_scratch (id int) COMMENT = 'trueup: holds a schema file for a moment'; CREATE TABLE people (id int);",
    );
    declare(&pair, FILE, "['*']", &format!("scratch: \"{}\"\n", scratch.url));
    pair.exits(&["apply", "spec.yml", "-y"], 0);
    assert!(scratch.dump().is_empty());
    assert_eq!(pair.replica.dump(), pair.primary.dump());
    scratch.execute_script("CREATE TABLE mine (id int)");
    let full = pair.exits(&["check", "spec.yml"], 1);
    assert!(full.stderr.contains("not empty: it has mine"), "{}", full.told());
    assert_eq!(scratch.dump().len(), 1);
}

#[test]
fn a_user_of_the_mysql_family_may_make_no_database() {
    let pair = declared(Engine::Mariadb);
    let name = &pair.replica.name;
    let url = pair.replica.limited_role(&format!("GRANT ALL ON {name}.* TO {{role}};"));
    let denied = pair.run_with(&["check", "spec.yml"], &[("REPLICA_URL", &url)]);
    assert_eq!(denied.exit, Some(1), "{}", denied.told());
    assert!(denied.stderr.contains("`scratch:`"), "{}", denied.told());
    let url = pair.replica.limited_role(&format!(
        "GRANT ALL ON {name}.* TO {{role}}; GRANT ALL ON `trueup\\_scratch\\_%`.* TO {{role}};"
    ));
    let allowed = pair.run_with(&["check", "spec.yml"], &[("REPLICA_URL", &url)]);
    assert_eq!(allowed.exit, Some(0), "{}", allowed.told());
}

/// What the clients of SQLite and MariaDB print of a structure.
#[test]
fn what_clients_print_of_a_structure_is_a_file() {
    let pair = Pair::new(Engine::Mariadb, Engine::Mariadb);
    pair.primary.execute_script(
        "CREATE TABLE `or der` (id int AUTO_INCREMENT PRIMARY KEY, `Group` enum('a;', 'it''s') DEFAULT 'a;' COMMENT 'x''; y',
            n int CHECK (n > 0), d int GENERATED ALWAYS AS (n * 2) STORED, at timestamp NULL DEFAULT current_timestamp());
         CREATE TABLE items (id int PRIMARY KEY, o int, FOREIGN KEY (o) REFERENCES `or der` (id) ON DELETE CASCADE);
         CREATE VIEW seen AS SELECT id FROM items;
         INSERT INTO `or der` (n) VALUES (1), (2); INSERT INTO items VALUES (1, 2);",
    );
    let address = Address::parse(&pair.primary.url).expect("a URL of the harness");
    let dump = std::process::Command::new("mariadb-dump")
        .args(["--no-defaults", "--protocol=tcp", "--no-data", "--skip-triggers"])
        .args([format!("--host={}", address.host), format!("--port={}", address.port)])
        .args([format!("--user={}", address.user), format!("--password={}", address.password)])
        .arg(&address.database)
        .output()
        .expect("mariadb-dump runs");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    follows(&pair, dump.stdout);
    let pair = Pair::new(Engine::Sqlite, Engine::Sqlite);
    pair.primary.execute_script(
        "CREATE TABLE \"or der\" (id INTEGER PRIMARY KEY AUTOINCREMENT, [Group] TEXT DEFAULT 'a;', n INT CHECK (n > 0));
         CREATE UNIQUE INDEX i ON \"or der\" (lower([Group]), n) WHERE n > 1;
         CREATE TRIGGER t AFTER INSERT ON \"or der\" BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT 1; END;
         INSERT INTO \"or der\" (n) VALUES (1), (2);",
    );
    let file = pair.primary.file().expect("it is a file");
    let schema =
        std::process::Command::new("sqlite3").args([file, ".schema"]).output().expect("sqlite3 runs");
    follows(&pair, schema.stdout);
}

/// The replica becomes what the file says, which is what the primary is.
fn follows(pair: &Pair, file: Vec<u8>) {
    declare(pair, &String::from_utf8(file).expect("it is text"), "['*']", "");
    pair.exits(&["check", "spec.yml"], 0);
    pair.exits(&["apply", "spec.yml", "-y"], 0);
    assert_eq!(pair.replica.dump(), pair.primary.dump());
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
}
