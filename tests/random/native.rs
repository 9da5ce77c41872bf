//! Types that not every engine has: between two databases of one engine whatever `tests/types` knows of it, between two
//! engines those that have something in common.

use super::values::Kind;
use crate::servers::Engine;
use crate::types::{self, Sample};

/// A type that is something else on each engine, and values that all of them write alike.
pub struct Odd {
    pub name: &'static str,
    /// On SQLite, PostgreSQL and MariaDB, each with room for the others' values: this is about rows.
    pub declared: [&'static str; 3],
    pub values: &'static [&'static str],
    /// Whether the values identify a row of a table without a key, also where one side keeps them as text.
    pub tells_apart: bool,
}

/// What PostgreSQL needs first.
pub const PRELUDE: &str = "CREATE TYPE random_word AS ENUM ('sad', 'Ok', 'ok', 'it''s');";

pub const ODD: &[Odd] = &[
    Odd {
        name: "enum",
        declared: ["text", "random_word", "enum('sad', 'Ok', 'ok', 'it''s') collate utf8mb4_bin"],
        values: &["sad", "Ok", "it's"],
        tells_apart: true,
    },
    Odd {
        name: "bits",
        declared: ["text", "bit(9)", "bit(9)"],
        values: &["000000000", "000000001", "100000000", "111111111", "010101010"],
        tells_apart: false,
    },
    Odd {
        name: "address",
        declared: ["varchar(50)", "inet", "varchar(50)"],
        values: &["10.0.0.1", "10.0.0.1/8", "::1", "2001:db8::/32", "::ffff:1.2.3.4", "1.2.3.4"],
        tells_apart: false,
    },
    Odd {
        name: "interval",
        declared: ["text", "interval", "varchar(60)"],
        values: &["1 day", "24:00:00", "1 mon", "30 days", "-00:00:01", "1 year 2 mons 3 days 04:05:06.7"],
        tells_apart: true,
    },
    Odd {
        name: "array",
        declared: ["text", "integer[]", "varchar(60)"],
        values: &["{}", "{NULL}", "{1,2,3,4}", "{{1,2},{3,4}}", "[0:1]={1,2}", "{0}"],
        tells_apart: true,
    },
    Odd {
        name: "range",
        declared: ["text", "int4range", "varchar(60)"],
        values: &["empty", "[1,5)", "(,3)", "[2,)", "(,)"],
        tells_apart: true,
    },
    Odd {
        name: "char",
        declared: ["char(9)", "char(9)", "char(9)"],
        values: &["", "a", "A", " a", "é", "🦀"],
        tells_apart: true,
    },
    Odd {
        name: "varchar",
        declared: ["varchar(9)", "varchar(9)", "varchar(9)"],
        values: &["", "a", "A", "a ", " a", "é", "🦀", "NULL"],
        tells_apart: true,
    },
];

/// The values as SQL of an engine.
pub fn literal(name: &str, text: &str, engine: Engine) -> String {
    match (name, engine) {
        ("bits", Engine::Postgres | Engine::Mariadb) => format!("b'{text}'"),
        _ => format!("'{}'", text.replace('\'', "''")),
    }
}

/// The types that a column of this pair may have beside those of every engine.
pub fn kinds((primary, replica): (Engine, Engine), with_key: bool) -> Vec<Kind> {
    let odd =
        (0..ODD.len()).filter(|at| with_key || primary == replica || ODD[*at].tells_apart).map(Kind::Odd);
    let samples = if primary == replica { types::samples(primary) } else { Vec::new() };
    // An enum's failed value is in no row that was not forced in.
    let samples = samples.into_iter().filter(|sample| !sample.name.contains("failed"));
    odd.chain(samples.map(|sample| Kind::Native(Native(sample)))).collect()
}

/// A type of `tests/types`.
#[derive(Clone, Copy)]
pub struct Native(pub &'static Sample);

impl PartialEq for Native {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Native {}

impl std::fmt::Debug for Native {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.declared)
    }
}
