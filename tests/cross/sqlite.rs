//! SQLite beside SQLite: every two declarations, and every value of every storage class that both store alike.
//!
//! What a column makes of a literal is asked of SQLite itself, so that the expectation owes nothing to the tool.

use std::collections::BTreeSet;

use crate::servers::{Engine, open};
use crate::types::{Sample, sqlite::SAMPLES};

use super::matrix::{Counts, Pairing};
use super::{Bench, Table};

/// Literals, and what each declaration stores of each: its class and value as SQLite quotes it.
struct Stored {
    literals: Vec<&'static str>,
    by_kind: Vec<Vec<String>>,
}

fn stored() -> Stored {
    let literals: BTreeSet<&str> =
        SAMPLES.iter().flat_map(|sample| sample.values).copied().chain(["NULL"]).collect();
    let literals: Vec<&str> = literals.into_iter().collect();
    let scratch = open(Engine::Sqlite, "stored");
    let by_kind = SAMPLES.iter().map(|sample| {
        let rows: Vec<String> =
            literals.iter().enumerate().map(|(at, literal)| format!("({at}, {literal})")).collect();
        scratch.execute_script(&format!(
            "{}INSERT INTO {} VALUES {};",
            sample.create(),
            sample.name,
            rows.join(", ")
        ));
        // A real goes out as a double, which keeps the sign of zero; all else in hexadecimal, for a NUL ends a text.
        let sql = format!(
            "SELECT typeof(v), CASE typeof(v) WHEN 'real' THEN v ELSE quote(CAST(v AS BLOB)) END FROM {} ORDER BY id",
            sample.name
        );
        scratch.query(&sql).into_iter().map(|row| row.into_iter().flatten().collect()).collect()
    });
    Stored { by_kind: by_kind.collect(), literals }
}

/// One table for each declaration of the primary, a column for each of the replica's.
fn tables() -> Vec<Vec<Pairing>> {
    let stored = stored();
    let pairing = |one: usize, other: usize| {
        let (first, second) = (&stored.by_kind[one], &stored.by_kind[other]);
        let alike = (0..stored.literals.len()).filter(|at| first[*at] == second[*at]);
        let values = alike.map(|at| {
            let after = (at + 1..stored.literals.len()).chain(0..at);
            let altered =
                after.into_iter().find(|next| second[*next] != first[at]).expect("there are many values");
            [at, at, altered].map(|at| stored.literals[at].to_owned())
        });
        let declared = |sample: &Sample| sample.declared.to_owned();
        Pairing {
            types: [declared(&SAMPLES[one]), declared(&SAMPLES[other])],
            domain: String::new(),
            values: values.collect(),
            zoned: false,
            respelled: false,
        }
    };
    (0..SAMPLES.len()).map(|one| (0..SAMPLES.len()).map(|other| pairing(one, other)).collect()).collect()
}

/// How much of it there is.
pub fn counts() -> Counts {
    let tables = tables();
    let pairings = || tables.iter().flatten();
    let alterations: usize = pairings().map(|pairing| pairing.values.len()).sum();
    Counts { lines: 1, type_pairs: pairings().count(), values: alterations, alterations, ..Counts::default() }
}

#[test]
fn sqlite_to_sqlite() {
    let bench = Bench::open(Engine::Sqlite, Engine::Sqlite);
    let columns = tables();
    for pairing in columns.iter().flatten() {
        assert!(pairing.values.len() >= 10, "{:?} share {:?}", pairing.types, pairing.values);
    }
    let tables: Vec<Table> =
        columns.iter().enumerate().map(|(at, columns)| Table { name: format!("t{at}_"), columns }).collect();
    bench.compares(&tables);
    bench.finish(counts());
}
