//! MySQL and MariaDB with each other: one family, whose catalogs print the same types in other words.

use crate::pair::Pair;
use crate::servers::{Engine, mariadb, private_mariadb, runs_on};

/// Every type that both brands have.
const FAMILY: &str = "
    CREATE TABLE family (id int PRIMARY KEY, u int unsigned, b bigint, s smallint, t tinyint, flag tinyint(1), m mediumint,
        v varchar(20), c char(3), note text, d decimal(10,2), f float, twice double, moment datetime(3), stamp timestamp NULL,
        span time, born year, bits bit(4), colour enum('a','b','it''s'), flags set('p','q'), j json, pile blob, raw varbinary(10),
        pad binary(3), day date DEFAULT '2020-01-01', price decimal(5,2) DEFAULT 1.5, short varchar(5) DEFAULT 'x',
        yes boolean NOT NULL DEFAULT true, wide int(5) unsigned zerofill, three int DEFAULT (1 + 2), spot point,
        changed timestamp NOT NULL DEFAULT '2001-02-03 04:05:06' ON UPDATE current_timestamp);
    CREATE TABLE words (word varchar(20) COLLATE utf8mb4_bin PRIMARY KEY, n int);";

const ROWS: &str = "
    INSERT INTO family (id) VALUES (1), (2);
    INSERT INTO family (id, u, v, c, note, d, f, twice, moment, stamp, span, born, bits, colour, flags, j, pile, raw, pad, wide, spot)
        VALUES (3, 4294967295, 'é🦀', 'ab', 'it''s', -1.50, 1.234567, 0.1e0, '2026-11-22 12:34:56.789', '2026-11-22 12:34:56',
        '-12:00:01', 2001, b'1010', 'it''s', 'p,q', '{\"b\": 1, \"a\": [1.0, 12345678901234567890]}', x'00ff', x'27', x'610000', 7,
        ST_GeomFromText('POINT(1 2)'));
    INSERT INTO words VALUES ('a', 1), ('A', 2), ('á', 3);";

const DRIFT: &str = "
    DELETE FROM family WHERE id = 1; INSERT INTO family (id, v) VALUES (4, 'extra');
    UPDATE family SET born = 1999, bits = b'1', colour = NULL, flags = 'q', j = '[]', d = 2, f = 2, span = '1:00', v = 'x',
        moment = NULL, pad = x'000000', spot = NULL, raw = x'28', note = NULL, wide = 8 WHERE id = 3;
    UPDATE words SET n = 20 WHERE word = 'A'; DELETE FROM words WHERE word = 'á';";

fn pair(mysql_first: bool) -> Pair {
    let mut pair = Pair::new(Engine::Mariadb, Engine::Mariadb);
    let other = private_mariadb().fresh_database("brand");
    *(if mysql_first { &mut pair.replica } else { &mut pair.primary }) = other;
    pair.tables("[family, words]");
    pair
}

#[test]
fn mysql_and_mariadb_are_made_equal_in_both_directions() {
    let why = "TRUEUP_TEST_MYSQL_URL names no MySQL";
    if !runs_on(Engine::Mariadb, "mysql", "MySQL and MariaDB with each other", why) {
        return;
    }
    for mysql_first in [true, false] {
        let pair = pair(mysql_first);
        pair.both(FAMILY);
        pair.both(ROWS);
        let equal = pair.exits(&["plan", "spec.yml", "--format", "json", "--detailed-exitcode"], 0);
        let document = equal.document();
        let (primary, replica) = (&document["primary"]["engine"], &document["replicas"][0]["engine"]);
        let brands = if mysql_first { ["mysql", "mariadb"] } else { ["mariadb", "mysql"] };
        assert_eq!([primary, replica], brands, "{}", equal.told());
        pair.replica.execute_script(DRIFT);
        let plan = pair.exits(&["plan", "spec.yml", "--format", "json", "--detailed-exitcode"], 2);
        let summary = &plan.document()["summary"];
        let counts = ["schema_changes", "insert", "update", "delete"].map(|name| summary[name].as_u64());
        assert_eq!(counts, [0, 2, 2, 1].map(Some), "{}", plan.told());
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        pair.exits(&["verify", "spec.yml"], 0);
        // And again into a database that has none of the tables.
        pair.replica.execute_script("DROP TABLE family; DROP TABLE words;");
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        pair.exits(&["verify", "spec.yml"], 0);
    }
    assert!(!mariadb().is_private());
}
