//! The corpus of MariaDB and MySQL: pairs of structures, each made into the other with its rows.
//!
//! A replica that has the one becomes equal to a primary that has the other, and then back: SHOW CREATE TABLE of both
//! sides is the same, every row is there, and a further plan is empty. There by a saved plan, which is taken back, and by
//! the script of that plan in the servers' own client; back by apply.

use serde_json::Value as Json;

use crate::pair::Pair;
use crate::script::client;
use crate::servers::{Database, Engine, open};

/// A structure, another, and rows that are valid in both. Tables that both have alike stand in `both`.
pub struct Case {
    pub name: &'static str,
    pub both: &'static str,
    pub a: &'static str,
    pub b: &'static str,
    pub rows: &'static str,
}

/// A table `t` of these definitions, with these rows.
pub const fn of(name: &'static str, a: &'static str, b: &'static str, rows: &'static str) -> Case {
    Case { name, both: "", a, b, rows }
}

/// What SHOW CREATE TABLE prints of every table, but for where a counter stands and for the names the server gave.
pub fn shown(database: &Database) -> Vec<String> {
    let tables = database.query(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = database() ORDER BY table_name",
    );
    let mut all = Vec::new();
    for table in tables.into_iter().flatten().flatten() {
        let rows = database.query(&format!("SHOW CREATE TABLE `{}`", table.replace('`', "``")));
        let text = rows[0][1].clone().expect("a definition");
        // A collation that a column has from its table is told by MySQL where it was told to it.
        let text = match text.rsplit_once("COLLATE=").map(|(_, rest)| rest) {
            Some(rest) => {
                let collation = rest.split([' ', '\n']).next().unwrap_or_default();
                let charset = collation.split('_').next().unwrap_or_default();
                let text = text.replace(&format!(" CHARACTER SET {charset} COLLATE {collation}"), "");
                // So it is with what holds where nothing is said.
                text.replace(&format!(" COLLATE {collation}"), "")
                    .replace(" ON DELETE RESTRICT", "")
                    .replace(" ON UPDATE RESTRICT", "")
            }
            None => text,
        };
        let mut lines: Vec<String> = Vec::new();
        for line in text.lines() {
            let line = match line.split_once(" AUTO_INCREMENT=") {
                Some((before, behind)) => {
                    format!("{before}{}", behind.trim_start_matches(|c: char| c.is_ascii_digit()))
                }
                None => line.to_owned(),
            };
            lines.push(line.trim_end_matches(',').to_owned());
        }
        // The order of keys and constraints says nothing, and changes with which came first.
        let is_column = |line: &String| line.starts_with("  \"");
        let columns = lines.iter().filter(|line| is_column(line)).cloned();
        let mut rest: Vec<String> = lines.iter().filter(|line| !is_column(line)).cloned().collect();
        rest.sort();
        all.push(columns.chain(rest).collect::<Vec<_>>().join("\n"));
    }
    all
}

/// The plan of all that is to be, saved and applied; taken back; and its script.
fn there_by_plan_and_by_script(case: &Case, pair: &Pair) {
    let (structure, rows) = (shown(&pair.replica), pair.replica.dump());
    let planned = pair.run(&["plan", "spec.yml", "-o", "there.plan", "--report", "sql=there.sql"]);
    assert_eq!(planned.exit, Some(0), "{}: {}", case.name, planned.told());
    let json = pair.document(&["show", "there.plan"], 0);
    assert_hazards(case.name, &json, &pair.read("there.sql"));
    let applied = pair.run(&["apply", "there.plan", "-y"]);
    assert_eq!(applied.exit, Some(0), "{}, saved: {}", case.name, applied.told());
    assert_eq!(shown(&pair.replica), shown(&pair.primary), "{}, saved: {}", case.name, applied.told());
    let undo = pair.run(&["undo", "there.plan", "-o", "back.plan"]);
    // The values of a column that went are nowhere.
    if !undo.told().contains("cannot be taken back") {
        let undone = pair.run(&["apply", "back.plan", "-y"]);
        assert_eq!(undone.exit, Some(0), "{}, undone: {}{}", case.name, undo.told(), undone.told());
        assert_eq!(shown(&pair.replica), structure, "{}, undone: {}", case.name, undone.told());
        assert_eq!(pair.replica.dump(), rows, "{}, undone: {}", case.name, undone.told());
        let run = client(Engine::Mariadb, &pair.replica.url, &pair.path("there.sql"), &[]);
        assert!(run.ok, "{}, script: {}\n{}", case.name, run.said, pair.read("there.sql"));
        assert_eq!(shown(&pair.replica), shown(&pair.primary), "{}, script", case.name);
    }
    assert_eq!(pair.replica.dump(), pair.primary.dump(), "{}", case.name);
}

/// What may cost something never stands in a script of a plan whose document lists no hazard for it.
pub fn assert_hazards(name: &str, document: &Json, script: &str) {
    let changes = document["replicas"][0]["tables"].as_array().into_iter().flatten();
    let changes: Vec<&Json> =
        changes.flat_map(|table| table["schema_changes"].as_array().into_iter().flatten()).collect();
    let has = |wanted: &[&str]| {
        let hazards = changes.iter().flat_map(|change| change["hazards"].as_array().into_iter().flatten());
        hazards.into_iter().any(|hazard| wanted.iter().any(|name| hazard["name"] == **name))
    };
    let altering = script.lines().filter(|line| line.starts_with("ALTER TABLE") || line.starts_with("DROP"));
    for line in altering {
        let bare = without_texts(line);
        for (words, hazards) in [
            ("TRUNCATE", ["DELETES_DATA"].as_slice()),
            ("DROP TABLE", &["DELETES_DATA"]),
            ("DROP COLUMN", &["DELETES_DATA", "ACQUIRES_ACCESS_EXCLUSIVE_LOCK"]),
            ("DROP KEY", &["INDEX_DROPPED", "CONSTRAINT_DROPPED"]),
            ("DROP PRIMARY KEY", &["CONSTRAINT_DROPPED"]),
            ("DROP FOREIGN KEY", &["CONSTRAINT_DROPPED"]),
            ("ENGINE=", &["ACQUIRES_ACCESS_EXCLUSIVE_LOCK"]),
            ("ROW_FORMAT=", &["ACQUIRES_ACCESS_EXCLUSIVE_LOCK"]),
            (" AFTER ", &["ACQUIRES_ACCESS_EXCLUSIVE_LOCK"]),
            (" FIRST", &["ACQUIRES_ACCESS_EXCLUSIVE_LOCK"]),
        ] {
            let comes =
                bare.contains("ADD COLUMN") && !bare.contains("DROP COLUMN") && words.starts_with(' ');
            assert!(!bare.contains(words) || comes || has(hazards), "{name}: {line} has none of {hazards:?}");
        }
    }
}

/// A statement without what stands in quotes.
fn without_texts(sql: &str) -> String {
    let mut bare = String::new();
    let mut quote = None;
    let mut escaped = false;
    for c in sql.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some('\'') if c == '\\' => escaped = true,
            Some(open) if open == c => quote = None,
            Some(_) => {}
            None if matches!(c, '\'' | '`') => quote = Some(c),
            None => bare.push(c),
        }
    }
    bare
}

/// Makes the replica what this primary is.
fn reach(case: &Case, pair: &Pair, wanted: &Database, what: &str) {
    let run = |args: &[&str]| pair.run_with(args, &[("PRIMARY_URL", &wanted.url)]);
    let applied = run(&["apply", "spec.yml", "-y", "--allow", "all"]);
    assert_eq!(applied.exit, Some(0), "{}, {what}: {}", case.name, applied.told());
    let (found, expected) = (shown(&pair.replica), shown(wanted));
    assert_eq!(found, expected, "{}, {what}: {}", case.name, applied.told());
    assert_eq!(pair.replica.dump(), wanted.dump(), "{}, {what}: {}", case.name, applied.told());
    let again = run(&["plan", "spec.yml", "--detailed-exitcode"]);
    assert_eq!(again.exit, Some(0), "{}, {what}: {}", case.name, again.told());
}

fn check(case: &Case) {
    let script = |own: &str| {
        let table = if own.starts_with("CREATE") || own.is_empty() {
            own.to_owned()
        } else {
            format!("CREATE TABLE t {own};")
        };
        format!("{}\n{table}\n{}", case.both, case.rows)
    };
    let pair = Pair::new(Engine::Mariadb, Engine::Mariadb);
    let second = open(Engine::Mariadb, "a");
    second.execute_script(&script(case.a));
    pair.replica.execute_script(&script(case.a));
    pair.primary.execute_script(&script(case.b));
    pair.spec(
        "version: 1\nprimary: ${PRIMARY_URL}\nreplicas: { copy: \"${REPLICA_URL}\" }\nallow: [all]\ntables: [\"*\"]\n",
    );
    there_by_plan_and_by_script(case, &pair);
    reach(case, &pair, &pair.primary, "there");
    reach(case, &pair, &second, "and back");
}

/// The cases of one test, all that fail told together.
pub fn check_all(cases: &[Case]) {
    let wanted = std::env::var("TRUEUP_CASE").ok();
    let mut failed = Vec::new();
    for case in cases.iter().filter(|case| wanted.as_deref().is_none_or(|wanted| case.name.contains(wanted)))
    {
        if let Err(why) = std::panic::catch_unwind(|| check(case)) {
            let why = why.downcast_ref::<String>().cloned().unwrap_or_default();
            failed.push(format!("--- {}\n{why}", case.name));
        }
    }
    assert!(failed.is_empty(), "{} of {} cases:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

const ROWS: &str = "INSERT INTO t (id, a, b) VALUES (1, 10, 100), (2, 20, 200), (3, NULL, NULL);";

#[test]
fn indexes() {
    check_all(&[
        of(
            "an index comes",
            "(id int PRIMARY KEY, a int, b int)",
            "(id int PRIMARY KEY, a int, b int, KEY i (a))",
            ROWS,
        ),
        of(
            "an index gets columns",
            "(id int PRIMARY KEY, a int, b int, KEY i (a))",
            "(id int PRIMARY KEY, a int, b int, KEY i (a, b))",
            ROWS,
        ),
        of(
            "an index gets another order",
            "(id int PRIMARY KEY, a int, b int, KEY i (a, b))",
            "(id int PRIMARY KEY, a int, b int, KEY i (b, a))",
            ROWS,
        ),
        of(
            "an index descends",
            "(id int PRIMARY KEY, a int, b int, KEY i (a, b))",
            "(id int PRIMARY KEY, a int, b int, KEY i (a DESC, b))",
            ROWS,
        ),
        of(
            "an index is renamed",
            "(id int PRIMARY KEY, a int, b int, KEY i (a))",
            "(id int PRIMARY KEY, a int, b int, KEY j (a))",
            ROWS,
        ),
        of(
            "names are exchanged",
            "(id int PRIMARY KEY, a int, b int, KEY i (a), KEY j (b))",
            "(id int PRIMARY KEY, a int, b int, KEY i (b), KEY j (a))",
            ROWS,
        ),
        of(
            "an index becomes unique",
            "(id int PRIMARY KEY, a int, b int, KEY i (a))",
            "(id int PRIMARY KEY, a int, b int, UNIQUE KEY i (a))",
            ROWS,
        ),
        of(
            "a unique key moves",
            "(id int PRIMARY KEY, a int, b int, UNIQUE KEY i (a))",
            "(id int PRIMARY KEY, a int, b int, UNIQUE KEY i (b))",
            ROWS,
        ),
        of(
            "a comment on an index",
            "(id int PRIMARY KEY, a int, b int, KEY i (a))",
            "(id int PRIMARY KEY, a int, b int, KEY i (a) COMMENT 'it''s, (new) `x`')",
            ROWS,
        ),
        of(
            "an index by hash",
            "(id int PRIMARY KEY, a int, b int, KEY i (a)) ENGINE=MEMORY",
            "(id int PRIMARY KEY, a int, b int, KEY i (a), KEY k (b) USING BTREE) ENGINE=MEMORY",
            "",
        ),
        of(
            "a prefix",
            "(id int PRIMARY KEY, s varchar(40), KEY i (s))",
            "(id int PRIMARY KEY, s varchar(40), KEY i (s(10)))",
            "INSERT INTO t VALUES (1, 'a'), (2, 'abcdefghijklmnop');",
        ),
        of(
            "another prefix",
            "(id int PRIMARY KEY, s text, KEY i (s(5)))",
            "(id int PRIMARY KEY, s text, KEY i (s(10), id))",
            "INSERT INTO t VALUES (1, 'a'), (2, 'abcdefghijklmnop');",
        ),
        of(
            "a unique prefix",
            "(id int PRIMARY KEY, s varchar(40), UNIQUE KEY i (s(10)))",
            "(id int PRIMARY KEY, s varchar(40), UNIQUE KEY i (s(4)))",
            "INSERT INTO t VALUES (1, 'a'), (2, 'abcdefghijklmnop');",
        ),
        of(
            "a full-text index",
            "(id int PRIMARY KEY, s text)",
            "(id int PRIMARY KEY, s text, FULLTEXT KEY words (s))",
            "INSERT INTO t VALUES (1, 'a few words');",
        ),
        of(
            "two full-text indexes",
            "(id int PRIMARY KEY, s text, v text)",
            "(id int PRIMARY KEY, s text, v text, FULLTEXT KEY words (s), FULLTEXT KEY more (s, v))",
            "INSERT INTO t VALUES (1, 'a few words', 'more');",
        ),
        of(
            "a spatial index",
            "(id int PRIMARY KEY, p point NOT NULL)",
            "(id int PRIMARY KEY, p point NOT NULL, SPATIAL KEY here (p))",
            "INSERT INTO t VALUES (1, ST_GeomFromText('POINT(1 2)'));",
        ),
        of(
            "quoted and reserved names",
            "(`select` int PRIMARY KEY, `we``ird, (x` int, `ä ö` int, KEY `order` (`we``ird, (x`))",
            "(`select` int PRIMARY KEY, `we``ird, (x` int, `ä ö` int, UNIQUE KEY `or``der` (`ä ö`), KEY `group by` (`we``ird, (x`, `ä ö`))",
            "INSERT INTO t VALUES (1, 2, 3), (4, 5, 6);",
        ),
        of(
            "an index goes with another of its column",
            "(id int PRIMARY KEY, a int, b int, KEY x (a), KEY y (a, b), KEY z (a))",
            "(id int PRIMARY KEY, a int, b int, KEY y (a, b))",
            ROWS,
        ),
        of(
            "many at once",
            "(id int PRIMARY KEY, a int, b int, KEY x (a), UNIQUE KEY y (b), KEY z (a, b))",
            "(id int PRIMARY KEY, a int, b int, UNIQUE KEY x (b), KEY y (a), KEY w (b DESC))",
            ROWS,
        ),
    ]);
}

#[test]
fn primary_keys() {
    check_all(&[
        of(
            "a primary key comes",
            "(id int NOT NULL, a int, b int)",
            "(id int NOT NULL, a int, b int, PRIMARY KEY (id))",
            ROWS,
        ),
        of(
            "a primary key of a nullable column comes",
            "(id int, a int, b int, UNIQUE KEY (id))",
            "(id int, a int, b int, PRIMARY KEY (id), UNIQUE KEY (id))",
            ROWS,
        ),
        of(
            "a primary key gets a column",
            "(id int NOT NULL, a int, b int NOT NULL, PRIMARY KEY (id))",
            "(id int NOT NULL, a int, b int NOT NULL, PRIMARY KEY (id, b))",
            "INSERT INTO t VALUES (1, 1, 1), (2, 1, 2);",
        ),
        of(
            "another primary key",
            "(id int NOT NULL, b int NOT NULL, PRIMARY KEY (id))",
            "(id int NOT NULL, b int NOT NULL, PRIMARY KEY (b))",
            "INSERT INTO t VALUES (1, 11), (2, 12);",
        ),
        of(
            "a column begins to number itself",
            "(id int PRIMARY KEY, a int, b int)",
            "(id int AUTO_INCREMENT PRIMARY KEY, a int, b int)",
            ROWS,
        ),
        of(
            "it numbers itself by another key",
            "(id int AUTO_INCREMENT, a int NOT NULL, PRIMARY KEY (id))",
            "(id int AUTO_INCREMENT, a int NOT NULL, PRIMARY KEY (a), KEY n (id))",
            "INSERT INTO t VALUES (1, 10), (2, 20);",
        ),
        of(
            "it numbers itself by a key that is new",
            "(id int NOT NULL, a int NOT NULL, PRIMARY KEY (a))",
            "(id int AUTO_INCREMENT, a int NOT NULL, PRIMARY KEY (a), KEY n (id))",
            "INSERT INTO t VALUES (1, 10), (2, 20);",
        ),
        of(
            "a primary key that is pointed at",
            "CREATE TABLE p (id int NOT NULL, x int NOT NULL, PRIMARY KEY (id), UNIQUE KEY u (id, x)); CREATE TABLE t (id int PRIMARY KEY, a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "CREATE TABLE p (id int NOT NULL, x int NOT NULL, PRIMARY KEY (id, x), KEY i (id)); CREATE TABLE t (id int PRIMARY KEY, a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "INSERT INTO p VALUES (1, 2), (3, 4); INSERT INTO t VALUES (1, 3);",
        ),
    ]);
}

#[test]
fn columns() {
    check_all(&[
        of(
            "a column comes",
            "(id int PRIMARY KEY, a int)",
            "(id int PRIMARY KEY, a int, b int NOT NULL DEFAULT 7)",
            "INSERT INTO t (id, a) VALUES (1, 2);",
        ),
        of(
            "a whole number gets wider",
            "(id int PRIMARY KEY, a smallint, b int)",
            "(id int PRIMARY KEY, a bigint, b int unsigned)",
            ROWS,
        ),
        of(
            "a key gets wider",
            "(id int PRIMARY KEY, a int, b int)",
            "(id bigint unsigned PRIMARY KEY, a int, b int)",
            ROWS,
        ),
        of(
            "a text gets wider",
            "(id int PRIMARY KEY, s varchar(10), c char(4))",
            "(id int PRIMARY KEY, s varchar(300), c varchar(9))",
            "INSERT INTO t VALUES (1, 'abc', 'd'), (2, NULL, NULL);",
        ),
        of(
            "a text gets long",
            "(id int PRIMARY KEY, s varchar(10))",
            "(id int PRIMARY KEY, s longtext)",
            "INSERT INTO t VALUES (1, 'abc'), (2, NULL);",
        ),
        of(
            "a number gets digits",
            "(id int PRIMARY KEY, n decimal(10,2), f float)",
            "(id int PRIMARY KEY, n decimal(14,4), f double)",
            "INSERT INTO t VALUES (1, 1.5, 0.5), (2, NULL, NULL);",
        ),
        of(
            "moments get digits",
            "(id int PRIMARY KEY, m datetime, s timestamp NULL, d time)",
            "(id int PRIMARY KEY, m datetime(6), s timestamp(3) NULL, d time(2))",
            "INSERT INTO t VALUES (1, '2026-01-02 03:04:05', '2026-01-02 03:04:05', '1:02:03');",
        ),
        of(
            "NOT NULL",
            "(id int PRIMARY KEY, a int, b int)",
            "(id int PRIMARY KEY, a int NOT NULL, b int NOT NULL DEFAULT 5)",
            "INSERT INTO t VALUES (1, 2, 3);",
        ),
        of(
            "another default",
            "(id int PRIMARY KEY, a int DEFAULT 1, s varchar(9) DEFAULT 'it''s', b int)",
            "(id int PRIMARY KEY, a int, s varchar(9) DEFAULT '\\ \"x\"', b int DEFAULT -3)",
            ROWS,
        ),
        of(
            "a default that is computed",
            "(id int PRIMARY KEY, a int DEFAULT (1 + 2), b varchar(90) DEFAULT (concat('a', 'b''c')))",
            "(id int PRIMARY KEY, a int DEFAULT (3 * 4), b varchar(90) DEFAULT (uuid()))",
            "INSERT INTO t VALUES (1, 2, 'x');",
        ),
        of(
            "a moment that is now",
            "(id int PRIMARY KEY, m datetime, s timestamp NOT NULL DEFAULT '2020-01-01 00:00:00')",
            "(id int PRIMARY KEY, m datetime DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, s timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP)",
            "INSERT INTO t VALUES (1, '2026-01-02 03:04:05', '2026-01-02 03:04:05');",
        ),
        of(
            "defaults of other kinds",
            "(id int PRIMARY KEY, f double DEFAULT 1e10, y year DEFAULT 2001, w bit(4) DEFAULT b'101', e varbinary(9) DEFAULT x'00ff', d date DEFAULT '2020-01-01')",
            "(id int PRIMARY KEY, f double DEFAULT -0.25, y year, w bit(4) DEFAULT b'1', e varbinary(9) DEFAULT x'61ff27', d date)",
            "INSERT INTO t VALUES (1, 1, 2002, b'1', x'01', '2020-02-02');",
        ),
        of(
            "a comment",
            "(id int PRIMARY KEY, a int COMMENT 'one', b int)",
            "(id int PRIMARY KEY COMMENT 'the key', a int, b int COMMENT 'it''s \\ \"new\", (x) `y`')",
            ROWS,
        ),
        of(
            "an invisible column",
            "(id int PRIMARY KEY, a int, b int)",
            "(id int PRIMARY KEY, a int INVISIBLE, b int)",
            ROWS,
        ),
        of(
            "a list gets words",
            "(id int PRIMARY KEY, e enum('a','b'), s set('x','y'))",
            "(id int PRIMARY KEY, e enum('a','b','it''s','c,d'), s set('x','y','z'))",
            "INSERT INTO t VALUES (1, 'a', 'x,y'), (2, NULL, NULL);",
        ),
        of(
            "words of a list in another order",
            "(id int PRIMARY KEY, e enum('a','b','c') NOT NULL DEFAULT 'b')",
            "(id int PRIMARY KEY, e enum('c','b') NOT NULL DEFAULT 'c')",
            "INSERT INTO t VALUES (1, 'b'), (2, 'c');",
        ),
        of(
            "a text becomes a list",
            "(id int PRIMARY KEY, e varchar(9))",
            "(id int PRIMARY KEY, e enum('a','b'))",
            "INSERT INTO t VALUES (1, 'a'), (2, 'b');",
        ),
        of(
            "a collation",
            "(id int PRIMARY KEY, s varchar(9) COLLATE utf8mb4_general_ci)",
            "(id int PRIMARY KEY, s varchar(9) COLLATE utf8mb4_bin)",
            "INSERT INTO t VALUES (1, 'a'), (2, 'A');",
        ),
        of(
            "a character set",
            "(id int PRIMARY KEY, s varchar(9) CHARACTER SET latin1, e enum('a','é') CHARACTER SET latin1)",
            "(id int PRIMARY KEY, s varchar(9), e enum('a','é'))",
            "INSERT INTO t VALUES (1, 'é', 'é'), (2, 'A', 'a');",
        ),
        of(
            "a document",
            "(id int PRIMARY KEY, j longtext COLLATE utf8mb4_bin)",
            "(id int PRIMARY KEY, j json)",
            "INSERT INTO t VALUES (1, '{}'), (2, '[1, 2]');",
        ),
        of(
            "signs",
            "(id int PRIMARY KEY, a int, b int)",
            "(id int PRIMARY KEY, a int unsigned, b int(5) unsigned zerofill)",
            ROWS,
        ),
        of(
            "a truth",
            "(id int PRIMARY KEY, a tinyint, b int)",
            "(id int PRIMARY KEY, a tinyint(1), b int)",
            ROWS,
        ),
        of(
            "bytes",
            "(id int PRIMARY KEY, a varbinary(5), b blob)",
            "(id int PRIMARY KEY, a varbinary(50), b longblob)",
            "INSERT INTO t VALUES (1, x'00ff', x'ff');",
        ),
        of(
            "a column with everything",
            "(id int PRIMARY KEY, a int, s varchar(20))",
            "(id int PRIMARY KEY, a int, s varchar(30) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL DEFAULT 'x,y' COMMENT 'c')",
            "INSERT INTO t VALUES (1, 2, 'y');",
        ),
    ]);
}

#[test]
fn generated_columns() {
    check_all(&[
        of(
            "one comes that is computed when read",
            "(id int PRIMARY KEY, a int, b int)",
            "(id int PRIMARY KEY, a int, b int, g int GENERATED ALWAYS AS (a + b) VIRTUAL)",
            ROWS,
        ),
        of(
            "one comes that is kept",
            "(id int PRIMARY KEY, a int, b int)",
            "(id int PRIMARY KEY, a int, b int, g int GENERATED ALWAYS AS (a + b) STORED)",
            ROWS,
        ),
        of(
            "another expression",
            "(id int PRIMARY KEY, a int, b int, g int GENERATED ALWAYS AS (a + b) STORED)",
            "(id int PRIMARY KEY, a int, b int, g int GENERATED ALWAYS AS (a * b) STORED)",
            ROWS,
        ),
        of(
            "another expression that is read",
            "(id int PRIMARY KEY, a int, b int, g int GENERATED ALWAYS AS (a + b) VIRTUAL)",
            "(id int PRIMARY KEY, a int, b int, g bigint GENERATED ALWAYS AS (a - b) VIRTUAL)",
            ROWS,
        ),
        of(
            "an index over one",
            "(id int PRIMARY KEY, s varchar(20))",
            "(id int PRIMARY KEY, s varchar(20), g varchar(20) GENERATED ALWAYS AS (lower(s)) STORED, UNIQUE KEY u (g))",
            "INSERT INTO t (id, s) VALUES (1, 'A'), (2, 'b');",
        ),
    ]);
}

#[test]
fn checks() {
    check_all(&[
        of(
            "a check comes",
            "(id int PRIMARY KEY, a int, b int)",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT positive CHECK (a > 0))",
            ROWS,
        ),
        of(
            "a check is another",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT positive CHECK (a > 0))",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT positive CHECK (a > 5 and b <> 7))",
            ROWS,
        ),
        of(
            "a check is renamed",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT one CHECK (a > 0))",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT two CHECK (a > 0))",
            ROWS,
        ),
        of(
            "a check of texts",
            "(id int PRIMARY KEY, s varchar(20), CONSTRAINT c CHECK (s <> 'its, (x)'))",
            "(id int PRIMARY KEY, s varchar(20), CONSTRAINT c CHECK (s in ('a', 'b\"', '\\')))",
            "INSERT INTO t VALUES (1, 'a');",
        ),
        of(
            "checks without names",
            "(id int PRIMARY KEY, a int, b int, CHECK (a > 0), CHECK (b > 0))",
            "(id int PRIMARY KEY, a int, b int, CHECK (a > 0), CHECK (b > 1))",
            ROWS,
        ),
        of(
            "a check of a column",
            "(id int PRIMARY KEY, a int CHECK (a > 0), b int)",
            "(id int PRIMARY KEY, a int CHECK (a > 1), b int CHECK (b > 2))",
            ROWS,
        ),
    ]);
}

const PARENTS: &str =
    "CREATE TABLE p (id int PRIMARY KEY, x int, UNIQUE KEY x (x)); INSERT INTO p VALUES (1, 10), (2, 20);";
const CHILDREN: &str = "INSERT INTO t (id, a, b) VALUES (1, 1, 10), (2, 2, NULL), (3, NULL, 20);";

const fn child(name: &'static str, a: &'static str, b: &'static str) -> Case {
    Case { name, both: PARENTS, a, b, rows: CHILDREN }
}

#[test]
fn foreign_keys() {
    check_all(&[
        child(
            "one comes",
            "(id int PRIMARY KEY, a int, b int)",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
        ),
        child(
            "one comes without a name",
            "(id int PRIMARY KEY, a int, b int)",
            "(id int PRIMARY KEY, a int, b int, FOREIGN KEY (a) REFERENCES p (id))",
        ),
        child(
            "another action",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id) ON DELETE CASCADE ON UPDATE SET NULL)",
        ),
        child(
            "actions that are one",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id) ON DELETE SET NULL ON UPDATE RESTRICT)",
        ),
        child(
            "another target",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT f FOREIGN KEY (b) REFERENCES p (x))",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
        ),
        child(
            "another name",
            "(id int PRIMARY KEY, a int, b int, KEY i (a), CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
            "(id int PRIMARY KEY, a int, b int, KEY i (a), CONSTRAINT g FOREIGN KEY (a) REFERENCES p (id))",
        ),
        child(
            "its index is another",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
            "(id int PRIMARY KEY, a int, b int, KEY wide (a, b), CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
        ),
        child(
            "its index and one beside it",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
            "(id int PRIMARY KEY, a int, b int, KEY wide (a, b), KEY f (a), CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
        ),
        child(
            "its index becomes unique",
            "(id int PRIMARY KEY, a int, b int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
            "(id int PRIMARY KEY, a int, b int, UNIQUE KEY f (a), CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
        ),
        of(
            "both ends get wider",
            "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "CREATE TABLE p (id bigint PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a bigint, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "INSERT INTO p VALUES (1), (2); INSERT INTO t VALUES (1, 2);",
        ),
        of(
            "both ends in another collation",
            "CREATE TABLE p (id varchar(9) COLLATE utf8mb4_general_ci PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a varchar(9) COLLATE utf8mb4_general_ci, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "CREATE TABLE p (id varchar(9) COLLATE utf8mb4_bin PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a varchar(9) COLLATE utf8mb4_bin, CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id));",
            "INSERT INTO p VALUES ('a'), ('b'); INSERT INTO t VALUES (1, 'b');",
        ),
        of(
            "a circle",
            "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE TABLE u (id int PRIMARY KEY, a int);",
            "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE TABLE u (id int PRIMARY KEY, a int, CONSTRAINT ut FOREIGN KEY (a) REFERENCES t (id)); ALTER TABLE t ADD CONSTRAINT tu FOREIGN KEY (a) REFERENCES u (id);",
            "SET foreign_key_checks = 0; INSERT INTO t VALUES (1, 2); INSERT INTO u VALUES (2, 1); SET foreign_key_checks = 1;",
        ),
        of(
            "one that points at its own table",
            "(id int PRIMARY KEY, a int)",
            "(id int PRIMARY KEY, a int, CONSTRAINT up FOREIGN KEY (a) REFERENCES t (id) ON DELETE CASCADE)",
            "INSERT INTO t VALUES (1, NULL), (2, 1);",
        ),
        of(
            "over two columns",
            "CREATE TABLE p (x int, y int, PRIMARY KEY (x, y)); CREATE TABLE t (id int PRIMARY KEY, a int, b int);",
            "CREATE TABLE p (x int, y int, PRIMARY KEY (x, y)); CREATE TABLE t (id int PRIMARY KEY, a int, b int, CONSTRAINT f FOREIGN KEY (a, b) REFERENCES p (x, y) ON UPDATE CASCADE);",
            "INSERT INTO p VALUES (1, 2), (3, 4); INSERT INTO t VALUES (1, 3, 4), (2, NULL, 9);",
        ),
    ]);
}

#[test]
fn missing_tables() {
    check_missing("CREATE TABLE p (id int AUTO_INCREMENT, n varchar(20) NOT NULL DEFAULT 'x' COMMENT 'c', PRIMARY KEY (id), UNIQUE KEY n (n)) ENGINE=InnoDB DEFAULT CHARSET=latin1 COMMENT='it''s';
        CREATE TABLE t (a int NOT NULL, id int AUTO_INCREMENT, g int GENERATED ALWAYS AS (a + 1) STORED, j json, m timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
            PRIMARY KEY (a), KEY number (id), KEY d (g DESC, a), CONSTRAINT positive CHECK (a > 0), CONSTRAINT f FOREIGN KEY (id) REFERENCES p (id) ON DELETE CASCADE);
        CREATE TABLE plain (a int, b int) ROW_FORMAT=COMPRESSED;
        INSERT INTO p VALUES (5, 'é'), (6, 'b'); INSERT INTO t (a, id, j, m) VALUES (1, 6, '[]', '2026-01-02 03:04:05'), (2, 5, NULL, '2026-01-02 03:04:05'); INSERT INTO plain VALUES (1, 2), (1, 2);");
}

/// An empty replica becomes a copy in one apply.
fn check_missing(script: &'static str) {
    let case = of("missing tables", "", "", "");
    let pair = Pair::new(Engine::Mariadb, Engine::Mariadb);
    pair.primary.execute_script(script);
    pair.tables("[\"*\"]");
    reach(&case, &pair, &pair.primary, "created");
}

#[test]
fn options() {
    check_all(&[
        of(
            "a comment on the table",
            "(id int PRIMARY KEY, a int, b int)",
            "(id int PRIMARY KEY, a int, b int) COMMENT='it''s \\ a=b, (c)'",
            ROWS,
        ),
        of(
            "a storage engine",
            "(id int PRIMARY KEY, a int, b int, KEY i (a))",
            "(id int PRIMARY KEY, a int, b int, KEY i (a)) ENGINE=MyISAM",
            ROWS,
        ),
        of(
            "a row format",
            "(id int PRIMARY KEY, a int, b int)",
            "(id int PRIMARY KEY, a int, b int) ROW_FORMAT=COMPRESSED",
            ROWS,
        ),
        of(
            "a character set for new columns",
            "(id int PRIMARY KEY, s varchar(9) CHARACTER SET utf8mb4) DEFAULT CHARSET=latin1",
            "(id int PRIMARY KEY, s varchar(9) CHARACTER SET latin1 COLLATE latin1_bin) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci",
            "INSERT INTO t VALUES (1, 'é');",
        ),
        of(
            "a collation that columns have from their table",
            "(id int PRIMARY KEY, s varchar(9)) COLLATE=utf8mb4_bin",
            "(id int PRIMARY KEY, s varchar(9)) COLLATE=utf8mb4_unicode_ci",
            "INSERT INTO t VALUES (1, 'é');",
        ),
        of(
            "statistics are none",
            "(id int PRIMARY KEY, a int, b int) STATS_PERSISTENT=0",
            "(id int PRIMARY KEY, a int, b int) STATS_PERSISTENT=0",
            ROWS,
        ),
    ]);
}

/// What SELECT alone may read still shows foreign keys and checks: without them such a login would find all in sync.
#[test]
fn a_login_that_may_only_read_sees_all_of_the_structure() {
    let pair = Pair::new(Engine::Mariadb, Engine::Mariadb);
    pair.both("CREATE TABLE p (id int PRIMARY KEY);");
    pair.primary.execute_script(
        "CREATE TABLE t (id int PRIMARY KEY, a int, j json, CONSTRAINT c CHECK (a > 0), CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id))",
    );
    pair.replica.execute_script("CREATE TABLE t (id int PRIMARY KEY, a int, j json, KEY f (a))");
    let (reader, watcher) = (
        pair.primary.limited_role("GRANT SELECT ON p TO {role}; GRANT SELECT ON t TO {role}"),
        pair.replica.limited_role("GRANT SELECT ON p TO {role}; GRANT SELECT ON t TO {role}"),
    );
    pair.tables("[\"*\"]");
    let sides: [(&str, &str); 2] = [("PRIMARY_URL", &reader), ("REPLICA_URL", &watcher)];
    let run = pair.run_with(&["plan", "spec.yml", "--detailed-exitcode", "--format", "json"], &sides);
    assert_eq!(run.exit, Some(2), "{}", run.told());
    for action in ["add_check", "add_foreign_key"] {
        assert!(run.stdout.contains(action), "{action}: {}", run.told());
    }
}
