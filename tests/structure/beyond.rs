//! Values that no plan takes away and that the structure to come refuses: told before anything is written, on each engine.

use crate::pair::Pair;
use crate::servers::Engine;

/// A table's columns and rows on the replica and on the primary, its entry in the spec, and what makes it fit.
struct Case {
    replica: (&'static str, &'static str),
    primary: (&'static str, &'static str),
    entry: &'static str,
    told: &'static str,
    mend: &'static str,
}

const NULLS: &[Case] = &[
    Case {
        replica: ("id int not null primary key, v int", "(1, NULL), (2, NULL), (9, NULL)"),
        primary: ("id int not null primary key, v int not null", "(1, 1), (3, 3)"),
        entry: "{ table: t, where: id < 5 }",
        told: "1 row of the replica's t that this plan does not write is NULL in column v",
        mend: "UPDATE t SET v = 9 WHERE id = 9",
    },
    Case {
        replica: ("id int not null primary key, v int", "(1, NULL), (2, NULL), (3, 3)"),
        primary: ("id int not null primary key, v int not null", "(1, 1), (3, 3)"),
        entry: "{ table: t, delete: false, update: false }",
        told: "2 rows of the replica's t",
        mend: "UPDATE t SET v = 9 WHERE id < 3",
    },
    // The column comes, and rows out of scope get no value for it.
    Case {
        replica: ("id int not null primary key, w int", "(1, 1), (9, 1), (10, 1)"),
        primary: ("id int not null primary key, w int, v int not null", "(1, 1, 1), (3, 1, 3)"),
        entry: "{ table: t, where: id < 5 }",
        told: "2 rows of the replica's t",
        mend: "DELETE FROM t WHERE id > 5",
    },
    // A key that is out of scope on the replica is in scope on the primary, and is written.
    Case {
        replica: ("id int not null primary key, s int, v int", "(1, 2, NULL), (2, 2, NULL)"),
        primary: ("id int not null primary key, s int, v int not null", "(1, 1, 1)"),
        entry: "{ table: t, where: s = 1 }",
        told: "1 row of the replica's t",
        mend: "DELETE FROM t WHERE id = 2",
    },
    // A default does not fill rows that are there.
    Case {
        replica: ("id int not null primary key, \"the name\" int", "(1, NULL), (9, NULL)"),
        primary: ("id int not null primary key, v int default 5 not null", "(1, 1)"),
        entry: "{ table: t, where: id < 5, renamed_from: { columns: { v: the name } } }",
        told: "1 row of the replica's t that this plan does not write is NULL in column the name",
        mend: "DELETE FROM t WHERE id = 9",
    },
];

const LONG: &Case = &Case {
    replica: (
        "id int not null primary key, v varchar(20)",
        "(1, 'a long one'), (9, 'a long one'), (10, '\u{e9}\u{e9}\u{e9}\u{e9}')",
    ),
    primary: ("id int not null primary key, v varchar(4)", "(1, 'ab')"),
    entry: "{ table: t, where: id < 5 }",
    told: "1 row of the replica's t that this plan does not write has more than 4 characters in column v",
    mend: "UPDATE t SET v = 'ab' WHERE id = 9",
};

fn check(engine: Engine, case: &Case) {
    let pair = Pair::new(engine, engine);
    // The clients of one family quote names otherwise.
    let named = |text: String| if engine == Engine::Mariadb { text.replace('"', "`") } else { text };
    for (database, (columns, rows)) in [(&pair.replica, case.replica), (&pair.primary, case.primary)] {
        database.execute_script(&named(format!("CREATE TABLE t ({columns}); INSERT INTO t VALUES {rows};")));
    }
    pair.tables(&format!("[{}]", case.entry));
    let rows = || pair.replica.query("SELECT CAST(COUNT(*) AS CHAR(9)), CAST(SUM(id) AS CHAR(9)) FROM t");
    let before = rows();
    let apply = ["apply", "spec.yml", "-y", "--allow", "all", "--max-deletes", "100%"];
    let refused = pair.run(&apply);
    assert_eq!(refused.exit, Some(1), "{engine:?} {}: {}", case.entry, refused.told());
    assert!(refused.told().contains(case.told), "{engine:?} {}: {}", case.entry, refused.told());
    assert_eq!(rows(), before, "nothing was written");
    pair.exits(&["verify", "spec.yml"], 2);
    pair.replica.execute_script(case.mend);
    pair.exits(&apply, 0);
}

#[test]
fn nulls_on_postgres() {
    NULLS.iter().for_each(|case| check(Engine::Postgres, case));
}

#[test]
fn nulls_on_mariadb() {
    NULLS.iter().for_each(|case| check(Engine::Mariadb, case));
}

#[test]
fn nulls_on_sqlite() {
    NULLS.iter().for_each(|case| check(Engine::Sqlite, case));
}

#[test]
fn long_texts() {
    [Engine::Postgres, Engine::Mariadb].into_iter().for_each(|engine| check(engine, LONG));
}
