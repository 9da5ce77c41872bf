//! What other ways to digest a table do not see. Each runs on a real server over two tables that differ, and prints the
//! same for both; then the tool is asked. These tests say why the ways are not used, and fail should one of them change.

use crate::pair::Pair;
use crate::servers::Engine;

use super::{count, digested, document};

/// A way to digest, two tables that it takes for one, and how many changes lie between them.
struct Blind {
    why: &'static str,
    /// The columns of `items`.
    columns: &'static str,
    primary: String,
    replica: String,
    /// One value that stands for the table.
    digest: &'static str,
    changes: u64,
}

impl Blind {
    fn new(why: &'static str, columns: &'static str, rows: [&str; 2], digest: &'static str) -> Blind {
        let [primary, replica] = rows.map(|rows| format!("VALUES {rows}"));
        Blind { why, columns, primary, replica, digest, changes: 1 }
    }

    fn changes(self, changes: u64) -> Blind {
        Blind { changes, ..self }
    }

    /// Holds the two prints against each other, and the tool against both.
    fn check(&self, engine: Engine) {
        let pair = Pair::new(engine, engine);
        pair.both(&format!("CREATE TABLE items ({});", self.columns));
        pair.primary.execute_script(&format!("INSERT INTO items {};", self.primary));
        pair.replica.execute_script(&format!("INSERT INTO items {};", self.replica));
        let [one, other] = [&pair.primary, &pair.replica].map(|side| side.query(self.digest));
        assert_eq!((one.len(), &one), (1, &other), "{}", self.why);
        pair.tables("[items]");
        let mut documents = vec![document(&pair, "blake3", &[])];
        if engine == Engine::Postgres {
            documents.push(digested(&pair, &[]));
        }
        for document in documents {
            assert_eq!(document["in_sync"], false, "{}", self.why);
            let changes: u64 =
                ["insert", "update", "delete"].iter().map(|action| count(&document, action)).sum();
            assert_eq!(changes, self.changes, "{}", self.why);
        }
    }
}

const ONE: &str = "id integer PRIMARY KEY, v varchar(60)";
const TWO: &str = "id integer PRIMARY KEY, a varchar(60), b varchar(60)";

#[test]
fn on_mariadb() {
    // The last of many rows, behind what GROUP_CONCAT gives.
    let long = |last: &str| {
        let rows = (1..100).map(|id| format!("({id}, '{}')", "x".repeat(40)));
        rows.chain([format!("(100, '{last}')")]).collect::<Vec<_>>().join(", ")
    };
    for blind in [
        Blind::new(
            "an equal change of two rows, by XOR of CRC32: it is linear, and the key does not help",
            ONE,
            ["(1, 'aaaa'), (2, 'aaaa')", "(1, 'aaab'), (2, 'aaab')"],
            "SELECT BIT_XOR(CRC32(CONCAT_WS('#', id, v))), COUNT(*) FROM items",
        )
        .changes(2),
        Blind::new(
            "two words of one CRC32, by its sum",
            ONE,
            ["(1, 'plumless'), (2, 'z')", "(1, 'buckeroo'), (2, 'z')"],
            "SELECT SUM(CRC32(CONCAT_WS('#', id, v))), COUNT(*) FROM items",
        ),
        Blind::new(
            "values exchanged between rows, by a sum over columns",
            TWO,
            ["(1, 'p', 'q'), (2, 'r', 's')", "(1, 'r', 'q'), (2, 'p', 's')"],
            "SELECT SUM(CRC32(id) + CRC32(a) + CRC32(b)), COUNT(*) FROM items",
        )
        .changes(2),
        Blind::new(
            "rows there twice, by XOR of SHA-2",
            "v varchar(60)",
            ["('a'), ('a')", "('b'), ('b')"],
            "SELECT BIT_XOR(CAST(CONV(LEFT(SHA2(v, 256), 16), 16, 10) AS UNSIGNED)), COUNT(*) FROM items",
        )
        .changes(4),
        Blind::new(
            "what GROUP_CONCAT cuts off, with no more than a warning",
            ONE,
            [&long("a"), &long("b")],
            "SET SESSION group_concat_max_len = 1024; \
             SELECT SHA2(GROUP_CONCAT(v ORDER BY id), 256), COUNT(*) FROM items",
        ),
        Blind::new(
            "where a value ends, without lengths",
            TWO,
            ["(1, 'ab', 'c')", "(1, 'a', 'bc')"],
            "SELECT SHA2(CONCAT(a, b), 256) FROM items",
        ),
        Blind::new(
            "where a value ends, with separators",
            TWO,
            ["(1, 'a#b', 'c')", "(1, 'a', 'b#c')"],
            "SELECT SHA2(CONCAT_WS('#', a, b), 256) FROM items",
        ),
        Blind::new(
            "which value is NULL, with separators",
            TWO,
            ["(1, 'a', NULL)", "(1, NULL, 'a')"],
            "SELECT SHA2(CONCAT_WS('#', id, a, b), 256) FROM items",
        ),
        Blind::new(
            "NULL from an empty text, by a default",
            ONE,
            ["(1, NULL)", "(1, '')"],
            "SELECT SHA2(CONCAT_WS('#', id, COALESCE(v, '')), 256) FROM items",
        ),
        Blind::new(
            "a row with NULL in it, by CONCAT in an aggregate",
            TWO,
            ["(1, 'x', NULL), (2, 'y', 'z')", "(1, 'w', NULL), (2, 'y', 'z')"],
            "SELECT BIT_XOR(CRC32(CONCAT(id, a, b))), COUNT(*) FROM items",
        ),
        Blind::new(
            "a row longer than a packet: CONCAT is NULL, and an aggregate leaves that out",
            ONE,
            ["(1, 'x')", "(1, 'y')"],
            "SELECT SUM(CRC32(CONCAT(REPEAT(v, @@max_allowed_packet * 3 DIV 4), REPEAT(v, @@max_allowed_packet * 3 \
             DIV 4)))), COUNT(*) FROM items",
        ),
        Blind::new(
            "two floats, which are printed with six digits",
            "id integer PRIMARY KEY, v float",
            ["(1, 1)", "(1, 1.0000001)"],
            "SELECT SHA2(CONCAT(v), 256) FROM items",
        ),
    ] {
        blind.check(Engine::Mariadb);
    }
}

#[test]
fn on_postgres() {
    for blind in [
        Blind::new(
            "an equal change of two rows, by XOR",
            ONE,
            ["(1, 'a'), (2, 'a')", "(1, 'b'), (2, 'b')"],
            "SELECT ((SELECT hashtext(v) FROM items WHERE id = 1) # (SELECT hashtext(v) FROM items WHERE id = 2))::text",
        )
        .changes(2),
        Blind::new(
            "where a value ends, without lengths",
            TWO,
            ["(1, 'ab', 'c')", "(1, 'a', 'bc')"],
            "SELECT md5(string_agg(a || b, '' ORDER BY id)) FROM items",
        ),
        Blind::new(
            "where a row ends, without lengths",
            ONE,
            ["(1, 'ab'), (2, 'c')", "(1, 'a'), (2, 'bc')"],
            "SELECT md5(string_agg(v, '' ORDER BY id)), count(*)::text FROM items",
        )
        .changes(2),
        Blind::new(
            "where a row ends, with separators",
            ONE,
            ["(1, 'a,b'), (2, 'c')", "(1, 'a'), (2, 'b,c')"],
            "SELECT md5(string_agg(v, ',' ORDER BY id)), count(*)::text FROM items",
        )
        .changes(2),
        Blind::new(
            "which value is NULL, with separators",
            TWO,
            ["(1, 'a', NULL)", "(1, NULL, 'a')"],
            "SELECT md5(string_agg(concat_ws('#', id, a, b), '' ORDER BY id)) FROM items",
        ),
        Blind::new(
            "a row with NULL in it, in an aggregate",
            TWO,
            ["(1, 'x', NULL), (2, 'y', 'z')", "(1, 'w', NULL), (2, 'y', 'z')"],
            "SELECT md5(string_agg(id || a || b, '' ORDER BY id)), count(*)::text FROM items",
        ),
        Blind::new(
            "two floats, as a session prints them that asks for fifteen digits",
            "id integer PRIMARY KEY, v double precision",
            ["(1, 0.1)", "(1, 0.10000000000000002)"],
            "SET extra_float_digits = 0; SELECT md5(string_agg(items::text, ',' ORDER BY id)) FROM items",
        ),
    ] {
        blind.check(Engine::Postgres);
    }
}

/// Two of so many texts have one hash of 32 bits, whatever the function; the server itself says which.
#[test]
fn a_hash_of_32_bits_has_two_texts_at_hand() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    let found = pair.primary.query(
        "SELECT min(v), max(v) FROM (SELECT 'v' || i AS v FROM generate_series(1, 400000) n(i)) q \
         GROUP BY hashtext(v) HAVING count(*) > 1 LIMIT 1",
    );
    let [one, other] = [0, 1].map(|at| found[0][at].clone().expect("a text"));
    assert_ne!(one, other);
    let rows = [&one, &other].map(|v| format!("(1, '{v}'), (2, 'z')"));
    let digest = "SELECT sum(hashtext(v))::text, count(*)::text FROM items";
    Blind::new("two texts, by a sum of 32 bits", ONE, [&rows[0], &rows[1]], digest).check(Engine::Postgres);
}

/// Functions and operators that stand in front of the server's own.
const HOSTILE: &str = "CREATE SCHEMA hostile;\
    CREATE FUNCTION hostile.encode(bytea, text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT repeat(''0'', 64)';\
    CREATE FUNCTION hostile.octet_length(bytea) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 0';\
    CREATE FUNCTION hostile.trim_scale(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT 0.0';\
    CREATE FUNCTION hostile.nothing(bytea, bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS 'SELECT ''''::bytea';\
    CREATE OPERATOR hostile.|| (LEFTARG = bytea, RIGHTARG = bytea, FUNCTION = hostile.nothing);";

#[test]
fn what_stands_in_front_of_the_servers_own_functions_digests_nothing() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.both(HOSTILE);
    pair.primary.execute_script("CREATE TABLE items (id integer PRIMARY KEY, v text, n numeric(9, 2));");
    pair.replica.execute_script("CREATE TABLE items (id integer PRIMARY KEY, v text, n numeric(9, 1));");
    pair.both("INSERT INTO items SELECT i, 'v', 1 FROM generate_series(1, 1000) n(i);");
    pair.replica.execute_script(
        "UPDATE items SET v = 'w' WHERE id IN (5, 999); UPDATE items SET n = 2 WHERE id = 700;",
    );
    let seen = pair.primary.query(
        "SET search_path = hostile, pg_catalog; \
         SELECT (encode(sha256('a'::bytea || 'b'::bytea), 'hex') = encode('c'::bytea, 'hex'))::text",
    );
    assert_eq!(seen[0][0].as_deref(), Some("true"), "the hostile functions are the ones that are called");
    pair.spec(
        "version: 1\n\
         primary: { url: \"${PRIMARY_URL}\", search_path: [hostile, pg_catalog, public] }\n\
         replicas: { copy: { url: \"${REPLICA_URL}\", search_path: [hostile, pg_catalog, public] } }\n\
         tables: [{ table: public.items, to: public.items, schema: ignore }]\n",
    );
    assert_eq!(count(&digested(&pair, &["--chunk-rows", "300"]), "update"), 3);
}
