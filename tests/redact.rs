//! What must not be seen: under `--redact` no value of a row but its key, and a password never.
//!
//! One marker stands in the data in every way there is (as text, in a number, as bytes, in a unique column, in what
//! a constraint, a trigger or a column refuses); it is looked for in all that a run says, in every form of it.

use std::collections::BTreeMap;

use crate::pair::Pair;
use crate::servers::Engine;
use crate::tool::Run;

const WORD: &str = "Xmarkerx";
const NUMBER: &str = "735519";

/// The marker in every spelling in which output could show it.
fn spellings() -> Vec<String> {
    let hex: String = WORD.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![WORD.to_lowercase(), NUMBER.to_owned(), "735,519".to_owned(), hex, "wg1hcmtlcng".to_owned()]
}

/// Whether the marker is in a text. Base64 has three spellings of the same bytes; the data begins with it.
fn shows(text: &str) -> Option<String> {
    let folded = text.to_lowercase();
    let base64 = ["WG1hcmtlcng", "htYXJrZXJ4", "YbWFya2Vye"];
    spellings().into_iter().find(|spelling| folded.contains(spelling)).or_else(|| {
        base64.iter().find(|spelling| text.contains(**spelling)).map(|spelling| (*spelling).to_owned())
    })
}

const FORMATS: [&str; 4] = ["text", "json", "markdown", "junit"];

/// Runs a command in every form, with every note there is, and gives the runs and the files they wrote.
fn all_forms(pair: &Pair, args: &[&str]) -> Vec<(Run, Vec<String>)> {
    let runs = FORMATS.iter().enumerate().map(|(index, format)| {
        let file = format!("{}={index}.out", FORMATS[(index + 1) % FORMATS.len()]);
        let more = [
            "--redact",
            "-v",
            "--progress",
            "always",
            "--rows",
            "all",
            "--format",
            format,
            "--report",
            &file,
        ];
        let run = pair.run(&[args, &more].concat());
        let written = std::fs::read_to_string(pair.path(&format!("{index}.out")));
        (run, written.into_iter().collect())
    });
    runs.collect()
}

#[track_caller]
fn hides(pair: &Pair, args: &[&str], exit: i32) -> String {
    let mut said = String::new();
    for (run, files) in all_forms(pair, args) {
        assert_eq!(run.exit, Some(exit), "{}", run.told());
        assert_eq!(files.len(), 1, "the report was written: {}", run.told());
        for text in [&run.stdout, &run.stderr].into_iter().chain(&files) {
            if let Some(spelling) = shows(text) {
                panic!("{spelling} is shown\n{}\n{text}", run.told());
            }
            said.push_str(text);
        }
    }
    said
}

/// A column of bytes, and the marker as a literal of it.
fn bytes_type(engine: Engine) -> (&'static str, String) {
    let hex: String = WORD.bytes().map(|byte| format!("{byte:02x}")).collect();
    match engine {
        Engine::Sqlite => ("blob", format!("x'{hex}'")),
        Engine::Postgres => ("bytea", format!("'\\x{hex}'")),
        Engine::Mariadb => ("varbinary(100)", format!("x'{hex}'")),
    }
}

#[test]
fn no_value_is_shown_in_any_form() {
    for (primary, replica) in Engine::pairs() {
        let pair = Pair::new(primary, replica);
        pair.tables("[t]");
        for (side, database) in [(primary, &pair.primary), (replica, &pair.replica)] {
            let (bytes, _) = bytes_type(side);
            database.execute_script(&format!(
                "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, word varchar(100), amount decimal(12,2), \
                 number integer, data {bytes}, mail varchar(100) UNIQUE)"
            ));
        }
        let row = |engine: Engine, id: u32| {
            let (_, data) = bytes_type(engine);
            format!(
                "INSERT INTO t VALUES ({id}, '{WORD} {id}', {NUMBER}.25, {NUMBER}, {data}, '{WORD}{id}@x')"
            )
        };
        pair.primary.execute_script(&format!("{}; {}", row(primary, 1), row(primary, 8101)));
        pair.replica.execute_script(&format!("{}; {}", row(replica, 1), row(replica, 8102)));
        pair.replica
            .execute_script(&format!("UPDATE t SET word = '{WORD}', number = 1, data = NULL WHERE id = 1"));
        let said = hides(&pair, &["plan", "spec.yml"], 0);
        for shown in ["8101", "8102", "word", "mail", "redacted"] {
            assert!(said.contains(shown), "{shown} should be shown\n{said}");
        }
        hides(&pair, &["verify", "spec.yml"], 2);
        hides(&pair, &["apply", "spec.yml"], 3);
        // The first of the forms applies; the others find nothing to do.
        hides(&pair, &["apply", "spec.yml", "-y"], 0);
    }
}

/// What a replica refuses: a script that makes it do so. `t` has `id`, `word` and a unique `mail` on both sides.
fn refusals(engine: Engine) -> BTreeMap<&'static str, String> {
    let trigger = match engine {
        Engine::Sqlite => {
            "CREATE TRIGGER no BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, 'refused') WHERE new.word <> ''; END"
        }
        Engine::Postgres => {
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             RAISE EXCEPTION 'refused %', NEW.word USING DETAIL = NEW.word, HINT = NEW.word; END $$;
             CREATE TRIGGER no BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION no()"
        }
        Engine::Mariadb => {
            "CREATE TRIGGER no BEFORE INSERT ON t FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = NEW.word"
        }
    };
    let rewriting = match engine {
        Engine::Sqlite => {
            "CREATE TRIGGER other AFTER INSERT ON t BEGIN UPDATE t SET word = new.word || '!' WHERE id = new.id; END"
        }
        Engine::Postgres => {
            "CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.word := NEW.word || '!'; \
             RETURN NEW; END $$; CREATE TRIGGER other BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION other()"
        }
        Engine::Mariadb => {
            "CREATE TRIGGER other BEFORE INSERT ON t FOR EACH ROW SET NEW.word = concat(NEW.word, '!')"
        }
    };
    let check = match engine {
        Engine::Sqlite => {
            "DROP TABLE t; CREATE TABLE t (id integer NOT NULL PRIMARY KEY, word varchar(100) CHECK (length(word) < 3), mail varchar(100) UNIQUE)"
        }
        _ => "ALTER TABLE t ADD CONSTRAINT short CHECK (length(word) < 3)",
    };
    let narrow = match engine {
        Engine::Sqlite => check,
        Engine::Postgres => "ALTER TABLE t ALTER word TYPE varchar(5)",
        Engine::Mariadb => "ALTER TABLE t MODIFY word varchar(5)",
    };
    let domain = match engine {
        Engine::Postgres => {
            "CREATE FUNCTION fits(varchar) RETURNS boolean LANGUAGE sql AS $$ SELECT ('{' || $1 || '}')::json IS NOT NULL $$;
             ALTER TABLE t ADD CHECK (fits(word))"
        }
        Engine::Mariadb => "ALTER TABLE t ADD CHECK (json_valid(word))",
        Engine::Sqlite => check,
    };
    // The row that holds the unique value is kept, for deletes are withheld.
    let unique = format!("INSERT INTO t VALUES (3, 'kept', '{WORD}@x')");
    let parents = match engine {
        Engine::Mariadb => {
            "CREATE TABLE parents (word varchar(100) PRIMARY KEY); ALTER TABLE t ADD FOREIGN KEY (word) REFERENCES parents (word)"
        }
        Engine::Postgres => {
            "CREATE TABLE parents (word varchar(100) PRIMARY KEY); ALTER TABLE t ADD FOREIGN KEY (word) REFERENCES parents"
        }
        Engine::Sqlite => {
            "CREATE TABLE parents (word varchar(100) PRIMARY KEY); DROP TABLE t; \
             CREATE TABLE t (id integer NOT NULL PRIMARY KEY, word varchar(100) REFERENCES parents, mail varchar(100) UNIQUE)"
        }
    };
    let texts = [
        ("a trigger that says why", trigger),
        ("a trigger that rewrites", rewriting),
        ("a check", check),
        ("a column that is too narrow", narrow),
        ("a function that fails", domain),
        ("a foreign key", parents),
    ];
    let mut all: BTreeMap<_, _> = texts.map(|(name, script)| (name, script.to_owned())).into();
    all.insert("a unique key", unique);
    all
}

#[test]
fn what_a_database_says_of_a_value_it_refuses_is_not_shown() {
    for engine in Engine::all() {
        for (name, script) in refusals(engine) {
            let pair = Pair::new(Engine::Sqlite, engine);
            pair.tables("[{ table: t, delete: false, schema: ignore }]");
            pair.both("CREATE TABLE t (id integer NOT NULL PRIMARY KEY, word varchar(100), mail varchar(100) UNIQUE)");
            pair.primary.execute_script(&format!("INSERT INTO t VALUES (1, '{WORD}', '{WORD}@x')"));
            pair.replica.execute_script(&script);
            let said = hides(&pair, &["apply", "spec.yml", "-y"], 1);
            assert!(said.contains(" t") && said.contains("rror"), "{name} on {}: {said}", engine.name());
            // Without --redact the database's words are there where it has any: they are worth something.
            if engine == Engine::Postgres && name == "a trigger that says why" {
                let open = pair.run(&["apply", "spec.yml", "-y"]);
                assert!(open.stdout.contains(WORD), "{}", open.told());
            }
        }
    }
}

#[test]
fn a_value_that_does_not_read_is_not_shown_and_its_key_is() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let pair = Pair::new(Engine::Sqlite, engine);
        pair.tables("[t]");
        pair.primary.execute_script(&format!(
            "CREATE TABLE t (id integer NOT NULL PRIMARY KEY, number integer, day date);
             INSERT INTO t VALUES (4711, '{WORD}', NULL), (4712, 1, '{WORD}'), (4713, {NUMBER}000000000, NULL)"
        ));
        pair.replica
            .execute_script("CREATE TABLE t (id integer NOT NULL PRIMARY KEY, number integer, day date)");
        let said = hides(&pair, &["plan", "spec.yml"], 1);
        assert!(said.contains("number") && said.contains("id = 4711"), "{said}");
        pair.primary.execute_script("DELETE FROM t WHERE id = 4711");
        let said = hides(&pair, &["plan", "spec.yml"], 1);
        assert!(said.contains("day") && said.contains("id = 4712"), "{said}");
        pair.primary.execute_script("DELETE FROM t WHERE id = 4712");
        let said = hides(&pair, &["plan", "spec.yml"], 1);
        assert!(said.contains("number") && said.contains("id = 4713"), "{said}");
    }
}

#[test]
fn a_where_that_cannot_be_evaluated_shows_no_value() {
    let pair = Pair::new(Engine::Sqlite, Engine::Sqlite);
    pair.both("CREATE TABLE t (id integer NOT NULL PRIMARY KEY, day date)");
    pair.both(&format!("INSERT INTO t VALUES (1, '{WORD}')"));
    pair.tables("[{ table: t, where: \"day >= '2026-01-01'\" }]");
    for (run, files) in all_forms(&pair, &["plan", "spec.yml"]) {
        for text in [&run.stdout, &run.stderr].into_iter().chain(&files) {
            assert_eq!(shows(text), None, "{}", run.told());
        }
    }
}

#[test]
fn the_keys_of_rows_that_break_a_rule_are_shown_and_nothing_else_of_them() {
    // The same key twice on the replica, where nothing keeps it from being there twice.
    let pair = Pair::new(Engine::Sqlite, Engine::Sqlite);
    pair.tables("[{ table: t, key: [id], schema: ignore }]");
    pair.primary.execute_script("CREATE TABLE t (id integer NOT NULL PRIMARY KEY, word text)");
    pair.replica.execute_script(&format!(
        "CREATE TABLE t (id integer NOT NULL, word text); INSERT INTO t VALUES (4711, '{WORD}'), (4711, '{WORD}!')"
    ));
    let said = hides(&pair, &["plan", "spec.yml"], 1);
    assert!(said.contains("4711"), "{said}");
}

/// check reads rows where nothing vouches for a key: a column of the scope, or a key, may not read.
#[test]
fn check_shows_no_value_that_it_met_while_it_looked_for_keys_that_stand_twice() {
    for (column, scope) in [("day date", ", where: \"day >= '2026-01-01'\""), ("day text", "")] {
        let pair = Pair::new(Engine::Sqlite, Engine::Sqlite);
        pair.both(&format!("CREATE TABLE t (id integer NOT NULL, {column})"));
        pair.both(&format!("INSERT INTO t VALUES (4711, '{WORD}'), (4711, '{WORD}!'), (4712, '{WORD}')"));
        pair.tables(&format!("[{{ table: t, key: [id]{scope} }}]"));
        let run = pair.exits(&["check", "spec.yml", "--redact"], 1);
        assert_eq!(shows(&run.stderr), None, "{}", run.told());
        if scope.is_empty() {
            assert!(run.stderr.contains("4711"), "{}", run.told());
        } else {
            let run = pair.exits(&["check", "spec.yml"], 1);
            assert!(run.stderr.contains("error: copy: t: table `t` cannot be read"), "{}", run.told());
        }
    }
}

const PASSWORD: &str = "hUsh4pass";

fn urls() -> Vec<String> {
    let mut urls = Vec::new();
    for scheme in ["postgres", "postgresql", "mysql", "mariadb", "postgress", "oracle"] {
        urls.extend([
            format!("{scheme}://user:{PASSWORD}@127.0.0.1:1/db"),
            format!("{scheme}://user:{PASSWORD}@127.0.0.1:port/db"),
            format!("{scheme}://user:{PASSWORD}@no-such-host.invalid/db?sslmode=disable"),
            format!("{scheme}://user:{PASSWORD}@127.0.0.1:1/db?pasword={PASSWORD}"),
            format!("{scheme}://user@127.0.0.1:1/db?password={PASSWORD}"),
            format!("{scheme}://user:{PASSWORD}/x@127.0.0.1:1/db"),
            format!("{scheme}://user:{PASSWORD}#x@127.0.0.1:1/db"),
            format!("{scheme}://user:{PASSWORD}@x@127.0.0.1:1/db"),
            format!("{scheme}://user:x:{PASSWORD}@127.0.0.1:1/db"),
            format!("{scheme}://user:%zz{PASSWORD}@127.0.0.1:1/db"),
            format!("{scheme}:/user:{PASSWORD}@127.0.0.1:1/db"),
            format!("{scheme}:user:{PASSWORD}@127.0.0.1:1/db"),
            format!("{scheme}://user:{PASSWORD} x@127.0.0.1:1/db"),
            format!("{scheme}://user:{PASSWORD}@[::1/db"),
        ]);
    }
    urls
}

#[track_caller]
fn keeps_quiet(run: &Run, code: i32) {
    assert_eq!(run.exit, Some(code), "{}", run.told());
    let told = run.told();
    for text in [&run.stdout, &run.stderr] {
        let text = text.replace(&format!("user:x:{PASSWORD}"), "user:x:PASSWORD");
        assert!(!text.contains(PASSWORD) && !text.contains("PASSWORD@"), "{told}");
    }
}

#[test]
fn a_password_is_in_no_error_of_any_command() {
    let pair = Pair::new(Engine::Sqlite, Engine::Sqlite);
    pair.both("CREATE TABLE t (id integer PRIMARY KEY)");
    for url in urls() {
        let quoted = url.replace('"', "\\\"");
        for (primary, replica) in [(quoted.as_str(), "${REPLICA_URL}"), ("${PRIMARY_URL}", quoted.as_str())] {
            pair.spec(&format!(
                "version: 1\nprimary: \"{primary}\"\nreplicas:\n  copy: {{ url: \"{replica}\" }}\ntables: [t]\n"
            ));
            keeps_quiet(&pair.run(&["plan", "spec.yml", "-v", "--format", "json"]), 1);
        }
    }
}

#[test]
fn a_password_is_in_no_error_whatever_the_command() {
    let pair = Pair::new(Engine::Sqlite, Engine::Sqlite);
    pair.both("CREATE TABLE t (id integer PRIMARY KEY)");
    pair.spec("version: 1\nprimary: ${PRIMARY_URL}\nreplicas: { copy: \"${SECRET_URL}\" }\ntables: [t]\n");
    let url = format!("postgres://user:{PASSWORD}@127.0.0.1:1/db");
    for args in [
        &["plan", "spec.yml", "-v"][..],
        &["plan", "spec.yml", "--format", "markdown", "--report", "junit=a.xml", "--report", "json=a.json"],
        &["verify", "spec.yml", "-v"],
        &["apply", "spec.yml", "-y", "-v"],
        &["check", "spec.yml"],
        &["watch", "spec.yml", "--once", "--every", "1s"],
        &["plan", &url],
        &["apply", &url],
        &["show", &url],
        &["check", &url],
        &["init", &url],
        &["init", &url, &url],
        &["init", &url, &url, &url],
        &["plan", "spec.yml", &url],
        &["plan", "spec.yml", "--table", &url],
        &["plan", "spec.yml", "--replica", &url],
        &["plan", "spec.yml", "--report", &url],
        &["plan", "spec.yml", "--report", &format!("json={url}")],
    ] {
        let run = pair.run_with(args, &[("SECRET_URL", &url)]);
        keeps_quiet(&run, 1);
    }
    for file in ["a.xml", "a.json"] {
        assert!(!pair.read(file).contains(PASSWORD), "{}", pair.read(file));
    }
}

#[test]
fn a_password_is_not_shown_when_the_server_refuses_it() {
    for engine in [Engine::Postgres, Engine::Mariadb] {
        let pair = Pair::new(Engine::Sqlite, engine);
        pair.primary.execute_script("CREATE TABLE t (id integer PRIMARY KEY)");
        let login = pair.replica.limited_role("SELECT 1");
        let url = login.replace(":limited@", &format!(":{PASSWORD}@"));
        pair.tables("[t]");
        let run = pair.run_with(&["plan", "spec.yml", "-v"], &[("REPLICA_URL", &url)]);
        assert!(run.exit == Some(1) || run.exit == Some(0), "{}", run.told());
        assert!(!run.stdout.contains(PASSWORD) && !run.stderr.contains(PASSWORD), "{}", run.told());
    }
}
