//! The ceiling of `--memory` holds where every row differs.

use std::process::Stdio;

use crate::pair::Pair;
use crate::servers::Engine;
use crate::tool;

const ROWS: u64 = 300_000;
const CEILING: u64 = 32 << 20;
/// What the allocator keeps of what was given back to it.
const KEPT: u64 = 8 << 20;

/// About 160 bytes in each of the rows, none of them equal on both sides.
fn fill(pair: &Pair) {
    for (database, word) in [(&pair.primary, "primary"), (&pair.replica, "replica")] {
        let (from, number) = match database.engine {
            Engine::Sqlite => (
                format!(
                    "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) SELECT i FROM n) n"
                ),
                "i",
            ),
            Engine::Postgres => (format!("generate_series(1, {ROWS}) n"), "n"),
            _ => (format!("seq_1_to_{ROWS}"), "seq"),
        };
        let text = match database.engine {
            Engine::Sqlite => format!("'{word} ' || {number} || ' {}'", "x".repeat(110)),
            _ => format!("concat('{word} ', {number}, ' {}')", "x".repeat(110)),
        };
        database.execute_script(&format!("INSERT INTO t SELECT {number}, {text}, {number} * 3 FROM {from}"));
    }
}

fn peak(pair: &Pair, args: &[&str], exit: i32) -> u64 {
    let (peak, ended) = tool::peak_of(pair.folder(), &pair.variables(&[]), args, Stdio::null());
    assert_eq!(ended, Some(exit), "{args:?}");
    peak
}

#[test]
fn every_row_differs_and_the_ceiling_holds() {
    for engine in [Engine::Sqlite, Engine::Postgres, Engine::Mariadb] {
        let pair = Pair::new(engine, engine);
        pair.both("CREATE TABLE t (id integer PRIMARY KEY, v varchar(200), n bigint);");
        pair.tables("[t]");
        let idle = peak(&pair, &["plan", "spec.yml", "--memory", "32MiB"], 0);
        fill(&pair);
        for args in [
            &["verify", "spec.yml", "--memory", "32MiB"][..],
            &["plan", "spec.yml", "--memory", "32MiB", "-o", "a.plan", "--format", "json"],
        ] {
            let exit = if args[0] == "verify" { 2 } else { 0 };
            let took = peak(&pair, args, exit) - idle;
            assert!(took <= CEILING + KEPT, "{}: {args:?} took {} MiB", engine.name(), took >> 20);
        }
    }
}
