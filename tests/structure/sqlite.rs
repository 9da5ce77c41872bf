//! SQLite against SQLite: whatever one schema says and the other does not, one `apply` makes the replica's the
//! primary's, keeps its rows, and leaves nothing to do.
//!
//! What is compared is what SQLite itself says: its pragmas, and its texts without spacing, quotes and comments.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::Connection;

use crate::pair::Pair;
use crate::servers::Engine;

/// Schemas that hold the same rows.
struct Family {
    name: &'static str,
    /// What both sides have besides.
    around: &'static str,
    /// CREATE TABLE t and its indexes, one after the other.
    variants: &'static [&'static str],
    /// Inserts.
    rows: &'static str,
}

const FAMILIES: &[Family] = &[
    Family {
        name: "columns",
        around: "",
        variants: &[
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT NOT NULL, b TEXT NOT NULL)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT DEFAULT 7, b TEXT DEFAULT 'x, y)')",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a BIGINT, b VARCHAR(20))",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a NUMERIC, b BLOB)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a REAL, b TEXT)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT COLLATE NOCASE)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT DEFAULT (1 + 1), b TEXT DEFAULT CURRENT_TIMESTAMP)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b TEXT)",
        ],
        rows: "INSERT INTO t(id, a, b) VALUES (1, 10, 'one'), (2, 20, 'Two'), (5, -3, 'it''s')",
    },
    Family {
        name: "keys",
        around: "",
        variants: &[
            "CREATE TABLE t(id INTEGER NOT NULL, a INT NOT NULL, b TEXT NOT NULL, PRIMARY KEY(id))",
            "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a INT NOT NULL, b TEXT NOT NULL)",
            "CREATE TABLE t(id INT NOT NULL PRIMARY KEY, a INT NOT NULL, b TEXT NOT NULL)",
            "CREATE TABLE t(id INTEGER NOT NULL, a INT NOT NULL, b TEXT NOT NULL, PRIMARY KEY(id, a))",
            "CREATE TABLE t(id INTEGER NOT NULL, a INT NOT NULL, b TEXT NOT NULL, PRIMARY KEY(b), UNIQUE(id))",
            "CREATE TABLE t(id INTEGER NOT NULL PRIMARY KEY, a INT NOT NULL UNIQUE, b TEXT NOT NULL)",
            "CREATE TABLE t(id INTEGER NOT NULL PRIMARY KEY, a INT NOT NULL, b TEXT NOT NULL, CONSTRAINT ab UNIQUE(a, b))",
            "CREATE TABLE t(id INTEGER NOT NULL PRIMARY KEY, a INT NOT NULL, b TEXT NOT NULL) WITHOUT ROWID",
            "CREATE TABLE t(id INTEGER NOT NULL PRIMARY KEY, a INT NOT NULL, b TEXT NOT NULL) STRICT",
            "CREATE TABLE t(id INTEGER NOT NULL, a INT NOT NULL, b TEXT NOT NULL, PRIMARY KEY(id, b)) STRICT, WITHOUT ROWID",
        ],
        rows: "INSERT INTO t(id, a, b) VALUES (1, 10, 'one'), (2, 20, 'Two'), (5, -3, 'it''s')",
    },
    Family {
        name: "keys that are pointed at",
        around: "",
        variants: &[
            "CREATE TABLE t(id INTEGER NOT NULL, a INT NOT NULL, b TEXT NOT NULL, PRIMARY KEY(id))",
            "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a INT NOT NULL, b TEXT NOT NULL)",
            "CREATE TABLE t(id INT NOT NULL PRIMARY KEY, a INT NOT NULL, b TEXT NOT NULL)",
            "CREATE TABLE t(id INTEGER NOT NULL, a INT NOT NULL, b TEXT NOT NULL, PRIMARY KEY(b), UNIQUE(id))",
            "CREATE TABLE t(id INTEGER NOT NULL PRIMARY KEY, a INT NOT NULL, b TEXT NOT NULL) STRICT, WITHOUT ROWID",
        ],
        rows: "INSERT INTO t(id, a, b) VALUES (1, 10, 'one'), (2, 20, 'Two'), (5, -3, 'it''s')",
    },
    Family {
        name: "indexes",
        around: "",
        variants: &[
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT); CREATE INDEX i ON t(a)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT); CREATE INDEX i ON t(a DESC, b)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT); CREATE INDEX i ON t(b COLLATE NOCASE)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT); CREATE INDEX j ON t(a)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT); CREATE UNIQUE INDEX i ON t(a)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT); CREATE INDEX i ON t(lower(b), a) WHERE a > 0",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT); CREATE UNIQUE INDEX u ON t(b) WHERE b IS NOT NULL; CREATE INDEX \"or der\" ON t(a, b)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT NOT NULL, b TEXT); CREATE INDEX i ON t(a /* all, of it */) -- done",
        ],
        rows: "INSERT INTO t(id, a, b) VALUES (1, 10, 'one'), (2, 20, 'Two'), (5, -3, 'it''s')",
    },
    Family {
        name: "checks",
        around: "",
        variants: &[
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT CHECK (a > -5), b TEXT)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT, CHECK (a > -5 AND length(b) > 1))",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT, CONSTRAINT \"a, b)\" CHECK (t.a <> 0))",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT CHECK (a > -5) CHECK (a < 500), b TEXT CHECK (b NOT LIKE '%)%'))",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, -- the key\n  a INT /* CHECK (a = 0) */, b TEXT NOT NULL -- , c\n)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT CHECK (typeof(b) = 'text'), UNIQUE (a) ON CONFLICT REPLACE)",
        ],
        rows: "INSERT INTO t(id, a, b) VALUES (1, 10, 'one'), (2, 20, 'Two'), (5, -3, 'it''s')",
    },
    Family {
        name: "foreign keys",
        around: "CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT UNIQUE); INSERT INTO p VALUES (10, 'one'), (20, 'Two'), (30, 'x');",
        variants: &[
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b TEXT, up INTEGER)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER REFERENCES p, b TEXT, up INTEGER)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER REFERENCES p(id) ON DELETE CASCADE, b TEXT, up INTEGER)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b TEXT REFERENCES p(code) ON UPDATE CASCADE, up INTEGER)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b TEXT, up INTEGER REFERENCES t(id))",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b TEXT, up INTEGER, CONSTRAINT self FOREIGN KEY (up) REFERENCES t ON DELETE SET NULL)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER REFERENCES p DEFERRABLE INITIALLY DEFERRED, b TEXT, up INTEGER)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b TEXT, up INTEGER, FOREIGN KEY (a) REFERENCES p(id) FOREIGN KEY (b) REFERENCES p(code))",
        ],
        rows: "INSERT INTO t(id, a, b, up) VALUES (1, 10, 'one', NULL), (2, 20, 'Two', 1), (5, 10, 'one', 5)",
    },
    Family {
        name: "generated",
        around: "",
        variants: &[
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT, c INT AS (a + 1))",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT, c INT GENERATED ALWAYS AS (a + 1) STORED)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, c INT AS (a + 2) STORED NOT NULL, b TEXT)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT NOT NULL, c TEXT AS (b || \"b\" || A) VIRTUAL UNIQUE)",
        ],
        rows: "INSERT INTO t(id, a, b) VALUES (1, 10, 'one'), (2, 20, 'Two'), (5, -3, 'it''s')",
    },
    Family {
        name: "rowids",
        around: "",
        variants: &[
            "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a INT, b TEXT)",
            "CREATE TABLE t(id TEXT NOT NULL UNIQUE, a INT NOT NULL, b TEXT)",
            "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a INT, b TEXT CHECK (b <> '')) STRICT",
            "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a INT, b TEXT) WITHOUT ROWID",
            "CREATE TABLE t(id TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, a INT, b TEXT DEFAULT '')",
            "CREATE TABLE t(id TEXT PRIMARY KEY DESC NOT NULL, a INT, b TEXT)",
        ],
        rows: "INSERT INTO t(id, a, b) VALUES ('k1', 10, 'one'), ('k2', 20, 'Two'), ('k5', -3, 'it''s')",
    },
    Family {
        name: "names",
        around: "CREATE TABLE \"p q\"(\"id \"\"x\"\"\" INTEGER PRIMARY KEY); INSERT INTO \"p q\" VALUES (10), (20), (-3);",
        variants: &[
            "CREATE TABLE t(id INTEGER PRIMARY KEY, \"order\" INT, [größe (cm)] TEXT)",
            "CREATE TABLE \"t\"(\"id\" INTEGER PRIMARY KEY, `order` INT NOT NULL, \"größe (cm)\" TEXT NOT NULL)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, \"order\" INT CHECK (\"order\" <> 0), \"größe (cm)\" TEXT)",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, [order] INT REFERENCES [p q](\"id \"\"x\"\"\"), [größe (cm)] TEXT DEFAULT \"a b\")",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, \"order\" INT, \"größe (cm)\" TEXT); CREATE INDEX \"se\"\"lect\" ON t(\"order\", [größe (cm)])",
        ],
        rows: "INSERT INTO t(id, \"order\", \"größe (cm)\") VALUES (1, 10, 'one'), (2, 20, 'Two'), (5, -3, 'it''s')",
    },
];

/// Schemas around the table that must come out as they went in.
const AROUND: &str = "
    CREATE TABLE log(what TEXT);
    CREATE TABLE child(id INTEGER PRIMARY KEY, t_id REFERENCES t(id) ON DELETE CASCADE);
    CREATE VIEW v AS SELECT id, b FROM t WHERE a > 0;
    CREATE VIEW \"w x\"(k) AS SELECT max(id) FROM \"t\";
    CREATE TRIGGER changed AFTER UPDATE OF a ON t BEGIN INSERT INTO log VALUES ('t ' || NEW.id); END;
    CREATE TRIGGER \"of child\" AFTER INSERT ON child BEGIN UPDATE t SET b = b WHERE id = NEW.t_id; END;
    CREATE TRIGGER seen INSTEAD OF INSERT ON v BEGIN INSERT INTO t(id, b) VALUES (NEW.id, NEW.b); END;
";

fn rows_of(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap_or_else(|why| panic!("{sql}: {why}"));
    let columns = statement.column_count();
    let rows = statement
        .query_map([], |row| {
            let cells = (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at));
            Ok(format!("{:?}", cells.collect::<Result<Vec<_>, _>>()?))
        })
        .and_then(Iterator::collect::<Result<Vec<_>, _>>);
    rows.unwrap_or_else(|why| panic!("{sql}: {why}"))
}

/// What SQLite says of its tables by pragmas, in any order.
pub(super) fn pragmas(path: &Path) -> BTreeSet<String> {
    let connection = Connection::open(path).expect("the file opens");
    let queries = [
        "SELECT name, ncol, wr, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite%'",
        "SELECT l.name, lower(c.name), upper(c.type), c.\"notnull\", c.dflt_value, c.pk, c.hidden FROM pragma_table_list l,
             pragma_table_xinfo(l.name) c WHERE l.schema = 'main' AND l.name NOT LIKE 'sqlite%'",
        "SELECT l.name, iif(i.origin = 'c', i.name, ''), i.\"unique\", i.origin, i.partial,
             (SELECT group_concat(coalesce(c.name, '()') || ' ' || c.\"desc\" || c.coll || c.key) FROM pragma_index_xinfo(i.name) c
              WHERE c.key)
             FROM pragma_table_list l, pragma_index_list(l.name) i WHERE l.schema = 'main'",
        "SELECT l.name, f.\"table\", f.\"from\", f.\"to\", f.on_update, f.on_delete, f.match FROM pragma_table_list l,
             pragma_foreign_key_list(l.name) f WHERE l.schema = 'main'",
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE type IN ('view', 'trigger')",
    ];
    queries.iter().flat_map(|sql| rows_of(&connection, sql)).collect()
}

/// SQLite's texts without spacing, quotes and comments, in parts, in any order.
fn texts(path: &Path) -> BTreeSet<String> {
    let connection = Connection::open(path).expect("the file opens");
    let mut statement = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'")
        .expect("the schema is read");
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .expect("the schema is read");
    rows.into_iter()
        .flat_map(|(name, sql)| parts(&sql).into_iter().map(move |part| format!("{name}: {part}")))
        .collect()
}

fn parts(sql: &str) -> Vec<String> {
    let mut bare = String::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("--") {
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
        } else if rest.starts_with("/*") {
            rest = rest.split_once("*/").map_or("", |(_, rest)| rest);
        } else {
            bare.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    let bare: String = bare.chars().filter(|c| !c.is_whitespace() && !"\"`[]".contains(*c)).collect();
    let bare = bare.to_lowercase().replace("t.a", "a").replace("generatedalways", "");
    let bare = bare.replace(")virtual", ")");
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in bare.chars() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        match c {
            ',' if depth == 1 => parts.push(String::new()),
            c => parts.last_mut().expect("there is one").push(c),
        }
    }
    if let Some(last) = parts.last_mut()
        && let Some(at) = last.rfind(')')
    {
        let tail = last.split_off(at);
        parts.push(tail);
    }
    if let Some((head, first)) = parts[0].clone().split_once('(') {
        parts[0] = first.to_owned();
        parts.push(head.to_owned());
    }
    parts
}

/// The rows of t by its plain columns.
fn rows(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).expect("the file opens");
    let columns: Vec<String> = connection
        .prepare("SELECT name FROM pragma_table_xinfo('t') WHERE hidden = 0 ORDER BY name")
        .and_then(|mut statement| statement.query_map([], |row| row.get::<_, String>(0))?.collect())
        .expect("the columns are listed");
    let columns: Vec<String> =
        columns.iter().map(|name| format!("quote(\"{}\")", name.replace('"', "\"\""))).collect();
    rows_of(&connection, &format!("SELECT {} FROM t ORDER BY 1, 2, 3", columns.join(", ")))
}

/// Makes the replica with one schema what the primary with the other is; what went wrong, if anything did.
fn made_equal(family: &Family, here: &str, there: &str, around: bool) -> Result<(), String> {
    let pair = Pair::new(Engine::Sqlite, Engine::Sqlite);
    let behind = if around { AROUND } else { "" };
    for (database, variant) in [(&pair.primary, there), (&pair.replica, here)] {
        database.execute_script(&format!("{} {variant}\n; {};{behind}", family.around, family.rows));
    }
    pair.spec(
        "version: 1\nprimary: ${PRIMARY_URL}\nreplicas: { copy: \"${REPLICA_URL}\" }\n\
         tables: [{ table: t, key: [id] }]\n",
    );
    let [primary, replica] = [&pair.primary, &pair.replica].map(file);
    let run = pair.run(&["apply", "spec.yml", "-y", "--allow", "all"]);
    if run.exit != Some(0) {
        return Err(format!("apply ended with {:?}: {}", run.exit, run.told()));
    }
    let differ = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
            one.difference(other).cloned().collect::<Vec<_>>().join("\n    ")
        };
        format!("primary:\n    {}\n  replica:\n    {}", only(one, other), only(other, one))
    };
    let (wanted, found) = (pragmas(&primary), pragmas(&replica));
    if wanted != found {
        return Err(format!("the pragmas differ: {}", differ(&wanted, &found)));
    }
    let (wanted, found) = (texts(&primary), texts(&replica));
    if wanted != found {
        return Err(format!("the texts differ: {}", differ(&wanted, &found)));
    }
    if rows(&primary) != rows(&replica) {
        return Err(format!("the rows differ: {:?} | {:?}", rows(&primary), rows(&replica)));
    }
    let again = pair.run(&["plan", "spec.yml", "--detailed-exitcode"]);
    match again.exit {
        Some(0) => Ok(()),
        code => Err(format!("the second plan ended with {code:?}: {}", again.told())),
    }
}

pub(super) fn file(database: &crate::servers::Database) -> std::path::PathBuf {
    let url = &database.url;
    Path::new(url.strip_prefix("sqlite:").unwrap_or(url)).to_owned()
}

fn from_each_to_each(name: &str, around: bool) {
    let family = FAMILIES.iter().find(|family| family.name == name).expect("there is such a family");
    let mut failures = Vec::new();
    for here in family.variants {
        for there in family.variants.iter().filter(|there| *there != here) {
            if let Err(why) = made_equal(family, here, there, around) {
                failures.push(format!("replica: {here}\nprimary: {there}\n  {why}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} pairs:\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn columns_become_the_primarys() {
    from_each_to_each("columns", true);
}

#[test]
fn keys_become_the_primarys() {
    from_each_to_each("keys", false);
}

#[test]
fn keys_that_are_pointed_at_become_the_primarys() {
    from_each_to_each("keys that are pointed at", true);
}

#[test]
fn indexes_become_the_primarys() {
    from_each_to_each("indexes", false);
}

#[test]
fn checks_become_the_primarys() {
    from_each_to_each("checks", true);
}

#[test]
fn foreign_keys_become_the_primarys() {
    from_each_to_each("foreign keys", true);
}

#[test]
fn generated_columns_become_the_primarys() {
    from_each_to_each("generated", false);
}

#[test]
fn tables_without_a_number_for_a_key_become_the_primarys() {
    from_each_to_each("rowids", false);
}

#[test]
fn names_in_quotes_stay_what_they_are() {
    from_each_to_each("names", false);
}

/// A pair of databases and a spec that allows all hazards.
pub(super) fn pair(primary: &str, replica: &str, tables: &str) -> Pair {
    let pair = Pair::new(Engine::Sqlite, Engine::Sqlite);
    pair.primary.execute_script(primary);
    pair.replica.execute_script(replica);
    pair.spec(&format!(
        "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: \"${{REPLICA_URL}}\" }}\nallow: [all]\ntables: {tables}\n"
    ));
    pair
}

pub(super) fn applies(pair: &Pair) {
    let run = pair.run(&["apply", "spec.yml", "-y"]);
    assert_eq!(run.exit, Some(0), "{}", run.told());
    let again = pair.run(&["plan", "spec.yml", "--detailed-exitcode"]);
    assert_eq!(again.exit, Some(0), "{}", again.told());
}

pub(super) fn dump(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).expect("the file opens");
    let tables = rows_of(&connection, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    let mut dump = rows_of(&connection, "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name");
    for table in tables {
        let name = table.trim_start_matches("[Text(\"").trim_end_matches("\")]");
        dump.push(table.clone());
        let mut rows = rows_of(&connection, &format!("SELECT * FROM \"{name}\""));
        rows.sort();
        dump.extend(rows);
    }
    dump
}

/// Structure that is loosened, rows that neither structure alone takes, structure that is tightened.
fn from_one_to_another() -> Pair {
    pair(
        "CREATE TABLE p(id INTEGER PRIMARY KEY);
         CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT NOT NULL CHECK (a <> 'x'), b REAL, n INT NOT NULL,
             p INTEGER NOT NULL REFERENCES p(id));
         CREATE UNIQUE INDEX one ON t(a);
         INSERT INTO p VALUES (1), (2);
         INSERT INTO t VALUES (1, 'one', 1.0, 1, 1), (2, '2', 2.5, 2, 2), (4, 'four', NULL, 4, 1);",
        "CREATE TABLE p(id INTEGER PRIMARY KEY);
         CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a INT CHECK (a IS NULL OR a = 2), b INTEGER, own TEXT);
         CREATE TABLE child(t REFERENCES t(id) ON DELETE CASCADE ON UPDATE CASCADE);
         CREATE TABLE log(what);
         CREATE VIEW v AS SELECT id, own FROM t;
         CREATE TRIGGER logged AFTER DELETE ON t BEGIN INSERT INTO log VALUES ('gone ' || OLD.id); END;
         CREATE INDEX two ON t(own);
         INSERT INTO p VALUES (1);
         INSERT INTO t VALUES (1, NULL, 1, 'mine'), (2, 2, 2, 'ours'), (3, 2, NULL, NULL), (90, NULL, 3, NULL);
         INSERT INTO child VALUES (1), (2);
         DELETE FROM t WHERE id = 90; DELETE FROM log;",
        "[p, { table: t, columns: [id, a, b, n, p] }]",
    )
}

fn run_client(path: &Path, script: &str) -> bool {
    use std::io::Write;
    let mut client = std::process::Command::new("sqlite3")
        .arg(path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("sqlite3 starts");
    // It may stop before it has read all.
    let _ = client.stdin.take().expect("it listens").write_all(script.as_bytes());
    let ended = client.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(said.is_empty(), "{said}\n{script}");
    ended.status.success()
}

#[test]
fn a_rebuild_keeps_what_hangs_on_the_table() {
    let pair = from_one_to_another();
    applies(&pair);
    let connection = Connection::open(file(&pair.replica)).expect("the file opens");
    let told = |sql: &str| rows_of(&connection, sql).join(" ");
    assert_eq!(told("SELECT t FROM child ORDER BY 1"), "[Integer(1)] [Integer(2)]");
    assert_eq!(
        told("SELECT id, own FROM v WHERE own IS NOT NULL ORDER BY 1"),
        "[Integer(1), Text(\"mine\")] [Integer(2), Text(\"ours\")]"
    );
    assert_eq!(told("SELECT what FROM log"), "[Text(\"gone 3\")]");
    assert_eq!(told("SELECT seq FROM sqlite_sequence WHERE name = 't'"), "[Integer(90)]");
    assert_eq!(
        told("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1"),
        "[Text(\"one\")] [Text(\"two\")]"
    );
    assert_eq!(told("SELECT \"table\" FROM pragma_foreign_key_list('child')"), "[Text(\"t\")]");
    assert_eq!(told("SELECT * FROM pragma_foreign_key_check"), "");
    assert_eq!(told("SELECT name FROM sqlite_schema WHERE name LIKE '%trueup%'"), "");
}

#[test]
fn the_script_of_a_rebuild_does_the_same() {
    let pair = from_one_to_another();
    let script = pair.run(&["plan", "spec.yml", "--format", "sql"]);
    assert_eq!(script.exit, Some(0), "{}", script.told());
    let replica = file(&pair.replica);
    let before = std::fs::read(&replica).expect("the file is read");
    applies(&pair);
    let applied = dump(&replica);
    std::fs::write(&replica, before).expect("the file is written");
    assert!(run_client(&replica, &script.stdout));
    assert_eq!(dump(&replica), applied);
}

/// Structure that is only tightened: the column comes by itself, and one rebuild behind the rows does the rest.
fn tightened() -> Pair {
    pair(
        "CREATE TABLE t(n INT NOT NULL DEFAULT (1 + 1), id INTEGER PRIMARY KEY, a INT NOT NULL UNIQUE);
         CREATE INDEX i ON t(n); CREATE INDEX renamed ON t(a, n);
         INSERT INTO t VALUES (1, 1, 1), (2, 2, 2), (4, 4, 4);",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, own TEXT DEFAULT (abs(-7)));
         CREATE INDEX two ON t(own); CREATE INDEX gone ON t(a);
         INSERT INTO t VALUES (1, 2, 'x'), (2, 1, NULL), (3, NULL, NULL);",
        "[{ table: t, columns: [id, a, n] }]",
    )
}

/// Cut off behind every statement of the script, nothing is lost, and the saved plan completes.
#[test]
fn a_rebuild_that_is_cut_off_anywhere_is_completed() {
    cut_off_anywhere(&from_one_to_another());
}

#[test]
fn a_rebuild_behind_the_rows_that_is_cut_off_anywhere_is_completed() {
    cut_off_anywhere(&tightened());
}

fn cut_off_anywhere(pair: &Pair) {
    let plan = pair.run(&["plan", "spec.yml", "-o", "a.plan"]);
    assert_eq!(plan.exit, Some(0), "{}", plan.told());
    let script = pair.run(&["show", "a.plan", "--format", "sql"]).stdout;
    let replica = file(&pair.replica);
    let before = std::fs::read(&replica).expect("the file is read");
    applies(pair);
    let applied = dump(&replica);
    let ends: Vec<usize> = script.match_indices(";\n").map(|(at, _)| at + 2).collect();
    assert!(ends.len() > 20, "{script}");
    for end in ends {
        std::fs::write(&replica, &before).expect("the file is written");
        let _ = std::fs::remove_file(pair.path("a.plan.progress"));
        // A trigger's text is not cut in two: the client would wait for its end, and finds none.
        run_client_partly(&replica, &script[..end]);
        let run = pair.run(&["apply", "a.plan", "-y"]);
        assert_eq!(run.exit, Some(0), "behind\n{}\n{}", &script[end.saturating_sub(300)..end], run.told());
        assert_eq!(dump(&replica), applied, "behind {}", &script[end.saturating_sub(300)..end]);
    }
}

fn run_client_partly(path: &Path, script: &str) {
    use std::io::Write;
    let mut client = std::process::Command::new("sqlite3")
        .arg(path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("sqlite3 starts");
    let _ = client.stdin.take().expect("it listens").write_all(script.as_bytes());
    client.wait().expect("it ends");
}

#[test]
fn an_undo_makes_the_table_what_it_was() {
    undone(&from_one_to_another());
    undone(&tightened());
}

fn undone(pair: &Pair) {
    let replica = file(&pair.replica);
    let bare = |dump: Vec<String>| -> BTreeSet<String> {
        dump.into_iter()
            .filter(|line| !line.contains("sqlite_sequence") && !line.contains("gone "))
            .map(|line| {
                line.replace("CREATE TABLE \\\"t\\\"", "CREATE TABLE t").replace("\\n", "").replace(' ', "")
            })
            .collect()
    };
    let before = bare(dump(&replica));
    let run = pair.run(&["apply", "spec.yml", "-y", "--undo", "back.plan"]);
    assert_eq!(run.exit, Some(0), "{}", run.told());
    let run = pair.run(&["apply", "back.plan", "-y", "--allow", "all"]);
    assert_eq!(run.exit, Some(0), "{}", run.told());
    assert_eq!(bare(dump(&replica)), before);
}

#[test]
fn a_view_or_trigger_that_would_break_is_named_and_nothing_is_written() {
    for (dependent, change, named) in [
        (
            "CREATE VIEW narrow(a, b) AS SELECT * FROM t",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, c INT)",
            "view narrow",
        ),
        (
            "CREATE VIEW plain AS SELECT own FROM t",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT NOT NULL)",
            "",
        ),
        (
            "CREATE TABLE log(x); CREATE TRIGGER said AFTER INSERT ON t BEGIN INSERT INTO log VALUES (NEW.rowid); END",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT) WITHOUT ROWID",
            "trigger said",
        ),
    ] {
        let replica = format!(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT); INSERT INTO t VALUES (1, 1); {dependent};"
        );
        let pair = pair(&format!("{change}; INSERT INTO t(id, a) VALUES (1, 1), (2, 2);"), &replica, "[t]");
        let before = dump_of_schema(&file(&pair.replica));
        let run = pair.run(&["apply", "spec.yml", "-y"]);
        if named.is_empty() {
            // It did not work before.
            assert_eq!(run.exit, Some(0), "{}", run.told());
            continue;
        }
        assert_eq!(run.exit, Some(1), "{}", run.told());
        assert!(run.told().contains(named), "{}", run.told());
        assert_eq!(dump_of_schema(&file(&pair.replica)), before);
    }
}

fn dump_of_schema(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).expect("the file opens");
    rows_of(&connection, "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")
}

#[test]
fn values_that_a_new_type_would_change_are_refused() {
    let pair = pair(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, k INT); INSERT INTO t VALUES (1, 1, 1);",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, k INT); INSERT INTO t VALUES (1, '1', 1), (2, '2', 2);",
        "[{ table: t, where: 'k = 1' }]",
    );
    let before = dump(&file(&pair.replica));
    let run = pair.run(&["apply", "spec.yml", "-y"]);
    assert_eq!(run.exit, Some(1), "{}", run.told());
    assert!(run.told().contains("the new type of t.a would change"), "{}", run.told());
    let after = dump(&file(&pair.replica));
    assert_eq!(before.iter().filter(|line| line.contains("Integer(2)")).count(), 1);
    assert!(after.iter().any(|line| line.contains("Text(\"2\")")), "{after:?}");
}

#[test]
fn a_text_that_is_not_read_is_an_error_of_its_table() {
    let pair = pair(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT); CREATE TABLE u(id INTEGER PRIMARY KEY);",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT); CREATE TABLE u(id INTEGER PRIMARY KEY);",
        "['*']",
    );
    pair.replica.execute_script(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, CHECK (a > 0) MATCH x)' WHERE name = 't';",
    );
    let run = pair.run(&["plan", "spec.yml"]);
    assert_eq!(run.exit, Some(1), "{}", run.told());
}

#[test]
fn an_empty_replica_gets_all_that_the_primary_has() {
    let primary = "
        CREATE TABLE b(id INTEGER PRIMARY KEY, a INTEGER REFERENCES a(id) DEFERRABLE INITIALLY DEFERRED, up REFERENCES b(id));
        CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT, b INTEGER REFERENCES b(id), c TEXT AS (b || '') STORED) STRICT;
        CREATE TABLE w(k TEXT PRIMARY KEY, n INT CHECK (n > 0), UNIQUE (n) ON CONFLICT IGNORE) WITHOUT ROWID;
        CREATE INDEX i ON a(b DESC) WHERE b > 0;
        CREATE UNIQUE INDEX j ON w(lower(k));
        INSERT INTO b VALUES (1, NULL, NULL), (2, NULL, 1);
        INSERT INTO a(id, b) VALUES (1, 2), (2, 1), (7, NULL);
        DELETE FROM a WHERE id = 7;
        UPDATE b SET a = 1;
        INSERT INTO w VALUES ('A', 1), ('b', 2);";
    for batch in ["100000", "1"] {
        let pair = pair(primary, "", "['*']");
        let run = pair.run(&["apply", "spec.yml", "-y", "--batch-rows", batch]);
        assert_eq!(run.exit, Some(0), "{}", run.told());
        let [primary, replica] = [&pair.primary, &pair.replica].map(file);
        assert_eq!(pragmas(&primary), pragmas(&replica));
        assert_eq!(
            dump(&primary).into_iter().collect::<BTreeSet<_>>().len(),
            dump(&replica).len()
                - (dump(&replica).len() - dump(&replica).into_iter().collect::<BTreeSet<_>>().len())
        );
        let again = pair.run(&["plan", "spec.yml", "--detailed-exitcode"]);
        assert_eq!(again.exit, Some(0), "{}", again.told());
    }
}
