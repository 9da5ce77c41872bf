//! Rows whose identifying values are spelled in one way on one side and in another on the other: as keys and in
//! tables without a key, from plan to undo, as a saved plan and as a script of the engine's own client.
//!
//! Of every four rows one is equal, one differs, one is missing and one is extra. Undo brings back each spelling.

use serde_json::json;

use crate::pair::Pair;
use crate::script::client;
use crate::servers::{Engine, not_run};

/// What a column is on SQLite, PostgreSQL and MariaDB; empty where the engine has nothing for this kind.
type Types = [&'static str; 3];

struct Kind {
    name: &'static str,
    /// On the side that has one spelling, and on the one that has many.
    usual: Types,
    odd: Types,
    /// Each value as the one and as the other writes it.
    values: &'static [(&'static str, &'static str)],
    /// Whether the type with many spellings can be a primary key.
    unique: bool,
}

const TEXT: Types = ["text", "text", "varchar(190)"];

const KINDS: &[Kind] = &[
    Kind { name: "uuids", usual: ["", "uuid", "uuid"], odd: ["uuid", "", ""], values: UUIDS, unique: true },
    Kind {
        name: "uuids_as_text",
        usual: ["uuid", "uuid", "uuid"],
        odd: ["", "text", "varchar(36)"],
        values: UUIDS,
        unique: true,
    },
    Kind {
        name: "uuids_as_blobs",
        usual: ["", "uuid", "uuid"],
        odd: ["uuid", "", ""],
        values: &[
            ("'6ba7b810-9dad-11d1-80b4-00c04fd430c8'", "x'6ba7b8109dad11d180b400c04fd430c8'"),
            ("'00000000-0000-0000-0000-0000000000fe'", "x'000000000000000000000000000000fe'"),
            ("'00000000-0000-0000-0000-0000000000ff'", "'00000000-0000-0000-0000-0000000000ff'"),
            ("'ff000000-0000-1000-8000-000000000000'", "x'ff000000000010008000000000000000'"),
        ],
        unique: true,
    },
    Kind {
        name: "moments",
        usual: ["", "timestamptz", "timestamp(6) null"],
        odd: ["timestamptz", "", ""],
        values: &[
            ("'2024-03-01 10:00:00'", "'2024-03-01T12:00:00+02:00'"),
            ("'2024-03-01 10:00:00.5'", "'2024-03-01 05:00:00.5000-0500'"),
            ("'2024-03-01 10:00:01'", "'2024-03-01 10:00:01'"),
            ("'2024-03-01 10:01:00'", "'2024-03-01 15:46+05:45'"),
            ("'2024-02-29 23:30:00'", "'2024-03-01 00:30+01'"),
            ("'2024-03-02 00:00:00'", "'2024-03-02'"),
            ("'2024-03-03 00:00:00'", "'2024-03-03T00:00:00.0000000Z'"),
            ("'2024-03-04 01:00:00'", "'2024-03-04 03:00:00 +02:00'"),
        ],
        unique: true,
    },
    Kind {
        name: "date_times",
        usual: ["", "timestamp", "datetime(6)"],
        odd: ["datetime", "", ""],
        values: &[
            ("'2024-03-01 10:00:00'", "'2024-03-01T10:00'"),
            ("'2024-03-01 10:00:00.5'", "'+2024-03-01 10:00:00.500000000'"),
            ("'2024-03-01 10:00:01'", "'2024-03-01 10:00:01'"),
            ("'2024-03-01 00:00:00'", "'02024-03-01'"),
            ("'2024-03-05 10:00:00'", "'2024-03-05 010:00:00'"),
        ],
        unique: true,
    },
    Kind {
        name: "dates",
        usual: ["", "date", "date"],
        odd: ["date", "", ""],
        values: &[
            ("'2024-03-01'", "'+2024-03-01'"),
            ("'2024-03-02'", "'02024-03-02'"),
            ("'2024-03-03'", "'2024-03-03'"),
            ("'2024-03-04'", "'+002024-03-04'"),
        ],
        unique: true,
    },
    Kind {
        name: "times",
        usual: ["", "time", "time(6)"],
        odd: ["time", "", ""],
        values: &[
            ("'12:00:00'", "'12:00'"),
            ("'12:00:00.25'", "'012:00:00.250'"),
            ("'12:00:01'", "'12:00:01'"),
            ("'00:00:00'", "'-00:00'"),
            ("'23:59:59.999999'", "'23:59:59.99999900'"),
        ],
        unique: true,
    },
    Kind { name: "documents", usual: ["json", "jsonb", "json"], odd: TEXT, values: DOCUMENTS, unique: true },
    Kind {
        name: "document_texts",
        usual: ["", "jsonb", ""],
        odd: ["json", "json", "json"],
        values: DOCUMENTS,
        unique: false,
    },
    Kind {
        name: "addresses",
        usual: ["", "inet", "inet6"],
        odd: TEXT,
        values: &[
            ("'2001:db8::1'", "'2001:DB8::1/128'"),
            ("'2001:db8::2'", "'2001:db8:0:0::2/128'"),
            ("'2001:db8::3'", "'2001:db8::3'"),
            ("'2001:db8::4'", "'2001:0db8::0004/128'"),
            ("'2001:db8::a00:5'", "'2001:db8::10.0.0.5'"),
        ],
        unique: true,
    },
];

const UUIDS: &[(&str, &str)] = &[
    ("'6ba7b810-9dad-11d1-80b4-00c04fd430c8'", "'6BA7B810-9dad-11D1-80b4-00c04fd430c8'"),
    ("'00000000-0000-0000-0000-0000000000ff'", "'000000000000000000000000000000fF'"),
    ("'ff000000-0000-1000-8000-000000000000'", "'fF000000-0000-1000-8000-000000000000'"),
    ("'abcdef00-0000-4000-8000-0000000000aa'", "'aBcDeF000000400080000000000000AA'"),
    ("'01000000-0000-7000-8000-000000000000'", "'01000000-0000-7000-8000-000000000000'"),
    ("'abcdef00-0000-4000-8000-0000000000ab'", "'ABCDEF000000400080000000000000aB'"),
    ("'abcdef00-0000-4000-8000-0000000000ac'", "'ABCDEf00-0000-4000-8000-0000000000AC'"),
    ("'abcdef00-0000-4000-8000-0000000000ad'", "'ABCDEf00-0000-4000-8000-0000000000aD'"),
];

const DOCUMENTS: &[(&str, &str)] = &[
    // The first has a copy in each spelling: 1 and 1.0 are one value to MySQL, which may keep either.
    (r#"'{"a":1,"b":[true,null]}'"#, r#"'{ "b" : [ true , null ], "a" : 1 }'"#),
    (r#"'"Aé"'"#, r#"'"\u0041\u00e9"'"#),
    (r#"'{"k":100}'"#, r#"'{"k":1e2}'"#),
    (r#"'{"c":2}'"#, r#"'{"c":1,"c":2}'"#),
    (r#"'[]'"#, r#"' [ ] '"#),
    // Equal as doubles.
    (r#"'{"n":12345678901234567890}'"#, r#"'{"n" : 12345678901234567890 }'"#),
    (r#"'{"a":{"x":1,"y":2}}'"#, r#"'{"a":{"y":2,"x":10e-1}}'"#),
    (r#"'"/"'"#, r#"'"\/"'"#),
    (r#"'{"n":12345678901234567891}'"#, r#"'{ "n":12345678901234567891}'"#),
];

/// Whether rows are found by their key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    Keyed,
    /// Each row is there twice, or three times.
    Keyless,
}

/// Which side has the odd spellings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Odd {
    Primary,
    Replica,
}

fn at(engine: Engine) -> usize {
    match engine {
        Engine::Sqlite => 0,
        Engine::Postgres => 1,
        Engine::Mariadb => 2,
    }
}

/// The kinds that these engines can be made of, each with the types of the primary and of the replica.
fn kinds(primary: Engine, replica: Engine, odd: Odd) -> Vec<(&'static Kind, [&'static str; 2])> {
    let types = |kind: &'static Kind| match odd {
        Odd::Primary => [kind.odd[at(primary)], kind.usual[at(replica)]],
        Odd::Replica => [kind.usual[at(primary)], kind.odd[at(replica)]],
    };
    // Between two SQLite files a value is what is stored; MySQL has neither UUIDs nor addresses.
    let is_plain = (primary, replica) == (Engine::Sqlite, Engine::Sqlite);
    let lacks = |engine: Engine, declared: &str| {
        engine == Engine::Mariadb && engine.product().is_mysql() && ["uuid", "inet6"].contains(&declared)
    };
    let fits = |types: &[&str; 2]| {
        !is_plain
            && types.iter().all(|declared| !declared.is_empty())
            && !lacks(primary, types[0])
            && !lacks(replica, types[1])
            // The same type of one engine is compared as it is stored.
            && (primary != replica || types[0] != types[1])
    };
    KINDS.iter().map(|kind| (kind, types(kind))).filter(|(_, types)| fits(types)).collect()
}

fn table(
    kind: &Kind,
    engine: Engine,
    declared: &str,
    rows: Rows,
    values: impl Iterator<Item = (&'static str, usize, usize)>,
) -> String {
    // A document is too long for a key on MariaDB.
    let is_long = engine == Engine::Mariadb && declared == "json";
    let key = if rows == Rows::Keyed && kind.unique && !is_long { " primary key" } else { "" };
    let (name, mut script) = (kind.name, String::new());
    let null = if declared.ends_with(" null") { "" } else { " not null" };
    let declared_alone = declared.trim_end_matches(" null");
    script.push_str(&format!("create table {name} (k {declared_alone}{null}{key}, v integer);\n"));
    for (value, v, copies) in values {
        for _ in 0..copies {
            script.push_str(&format!("insert into {name} values ({value}, {v});\n"));
        }
    }
    script
}

fn fill(pair: &Pair, kind: &Kind, types: [&str; 2], odd: Odd, rows: Rows) {
    let copies = |at: usize| if rows == Rows::Keyed { 1 } else { 2 + at % 2 };
    let values = || kind.values.iter().enumerate();
    let of = |(usual, odd_one): &(&'static str, &'static str), is_odd: bool| {
        if is_odd { *odd_one } else { *usual }
    };
    let primary = values()
        .filter(|(at, _)| at % 4 != 3)
        .map(|(at, value)| (of(value, odd == Odd::Primary), at, copies(at)));
    let replica = values().filter(|(at, _)| at % 4 != 2).map(|(at, value)| {
        let v = if at % 4 == 1 { at + 100 } else { at };
        (of(value, odd == Odd::Replica), v, copies(at))
    });
    pair.primary.execute_script(&table(kind, pair.primary.engine, types[0], rows, primary));
    pair.replica.execute_script(&table(kind, pair.replica.engine, types[1], rows, replica));
    if rows == Rows::Keyless {
        // One copy too many, in the other spelling too.
        let (usual, odd_one) = kind.values[0];
        let value = if odd == Odd::Replica && accepts_both(pair.replica.engine, types[1]) {
            usual
        } else {
            of(&(usual, odd_one), odd == Odd::Replica)
        };
        pair.replica.execute_script(&format!("insert into {} values ({value}, 0)", kind.name));
    }
}

/// What keeps what was written.
fn accepts_both(engine: Engine, declared: &str) -> bool {
    engine == Engine::Sqlite || declared == "text" || declared.starts_with("varchar") || declared == "json"
}

fn counts(kind: &Kind, rows: Rows) -> serde_json::Value {
    let of = |rest: usize| (0..kind.values.len()).filter(move |at| at % 4 == rest);
    let copies = |at: usize| 2 + at % 2;
    match rows {
        Rows::Keyed => json!({ "insert": of(2).count(), "update": of(1).count(), "delete": of(3).count() }),
        Rows::Keyless => {
            let insert: usize = of(1).chain(of(2)).map(copies).sum();
            let delete: usize = of(1).chain(of(3)).map(copies).sum();
            json!({ "insert": insert, "update": 0, "delete": delete + 1 })
        }
    }
}

/// From plan to undo, and back by scripts.
fn plan_to_undo(primary: Engine, replica: Engine, odd: Odd, rows: Rows) {
    let pair = Pair::new(primary, replica);
    let kinds = kinds(primary, replica, odd);
    if kinds.is_empty() {
        return;
    }
    for (kind, types) in &kinds {
        fill(&pair, kind, *types, odd, rows);
    }
    let key = if rows == Rows::Keyed { "key: [k], " } else { "" };
    let entries: Vec<String> =
        kinds.iter().map(|(kind, _)| format!("{{ table: {}, {key}schema: ignore }}", kind.name)).collect();
    pair.tables(&format!("[{}]", entries.join(", ")));
    let name = format!("{}/{}", primary.name(), replica.name());
    let planned = pair.document(&["plan", "spec.yml", "-o", "a.plan"], 0);
    let tables = planned["replicas"][0]["tables"].as_array().expect("tables");
    for ((kind, _), table) in kinds.iter().zip(tables) {
        assert_eq!(table["summary"], counts(kind, rows), "{name} {}: {table:#}", kind.name);
    }
    let before = pair.replica.dump();
    let allowed = ["-y", "--max-deletes", "100%"];
    let applied = pair.document(&[&["apply", "a.plan"][..], &allowed].concat(), 0);
    assert_eq!(applied["verified"], true, "{name}: {applied:#}");
    pair.exits(&["verify", "spec.yml"], 0);
    let again = pair.document(&[&["apply", "a.plan"][..], &allowed].concat(), 0);
    let total: u64 = kinds
        .iter()
        .flat_map(|(kind, _)| {
            ["insert", "update", "delete"].map(|what| counts(kind, rows)[what].as_u64().unwrap_or(0))
        })
        .sum();
    assert_eq!(again["applied"]["already"], total, "{name}: {again:#}");
    pair.exits(&["undo", "a.plan", "-o", "b.plan"], 0);
    let undone = pair.document(&[&["apply", "b.plan"][..], &allowed].concat(), 0);
    assert_eq!(undone["verified"], true, "{name}: {undone:#}");
    assert_eq!(pair.replica.dump(), before, "{name}");
    if rows == Rows::Keyless && replica == Engine::Mariadb && replica.product().is_mysql() {
        not_run(replica, "documents without a key by script", "it counts them as spelled, and stops");
        return;
    }
    by_script(&pair, &["plan", "spec.yml"], &name);
    pair.exits(&["verify", "spec.yml"], 0);
    by_script(&pair, &["show", "b.plan"], &name);
    assert_eq!(pair.replica.dump(), before, "{name}: taken back by a script");
    pair.exits(&[&["apply", "spec.yml"][..], &allowed].concat(), 0);
    pair.exits(&["verify", "spec.yml"], 0);
}

fn by_script(pair: &Pair, arguments: &[&str], name: &str) {
    let script = pair.exits(&[arguments, &["--format", "sql"]].concat(), 0).stdout;
    let file = pair.path("script.sql");
    std::fs::write(&file, &script).expect("the script can be written");
    let ran = client(pair.replica.engine, &pair.replica.url, &file, &[]);
    assert!(ran.ok, "{name}: {}\n{script}", ran.said);
}

/// Every pair, also behind one that fails.
fn on_every_pair(odd: Odd, rows: Rows) {
    let runs = Engine::pairs().into_iter().map(|(primary, replica)| {
        std::panic::catch_unwind(|| plan_to_undo(primary, replica, odd, rows)).is_ok()
    });
    let failed = runs.filter(|ok| !ok).count();
    assert_eq!(failed, 0, "see above");
}

#[test]
fn keys_that_the_replica_spells_otherwise() {
    on_every_pair(Odd::Replica, Rows::Keyed);
}

#[test]
fn keys_that_the_primary_spells_otherwise() {
    on_every_pair(Odd::Primary, Rows::Keyed);
}

#[test]
fn rows_without_a_key_that_the_replica_spells_otherwise() {
    on_every_pair(Odd::Replica, Rows::Keyless);
}

#[test]
fn rows_without_a_key_that_the_primary_spells_otherwise() {
    on_every_pair(Odd::Primary, Rows::Keyless);
}

/// Between plan and apply somebody writes the same value in another way: the row is still the one that was planned.
#[test]
fn a_key_that_is_respelled_behind_the_plan_is_the_same_key() {
    let pair = Pair::new(Engine::Postgres, Engine::Sqlite);
    let [one, two] = ["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "abcdef00-0000-4000-8000-0000000000aa"];
    pair.both("create table t (k uuid primary key, v integer)");
    pair.primary.execute_script(&format!("insert into t values ('{one}', 1)"));
    pair.replica.execute_script(&format!("insert into t values ('{one}', 2), ('{two}', 3)"));
    pair.tables("[{ table: t, schema: ignore }]");
    pair.exits(&["plan", "spec.yml", "-o", "a.plan"], 0);
    pair.replica.execute_script(
        "update t set k = 'aBcDeF00-0000-4000-8000-0000000000AA' where v = 3;
        update t set k = '6Ba7B810-9dad-11d1-80b4-00c04fd430c8' where v = 2;",
    );
    let applied = pair.document(&["apply", "a.plan", "-y", "--max-deletes", "100%"], 0);
    assert_eq!(applied["applied"]["delete"], 1, "{applied:#}");
    assert_eq!(applied["applied"]["update"], 1, "{applied:#}");
    pair.exits(&["verify", "spec.yml"], 0);
    // It is there in a spelling that nobody would guess: not absent, and not inserted beside itself.
    pair.exits(&["undo", "a.plan", "-o", "b.plan"], 0);
    pair.replica
        .execute_script(&format!("insert into t values ('{}', 3)", two.to_uppercase().replacen('A', "a", 1)));
    let stale = pair.document(&["apply", "b.plan", "-y", "--max-deletes", "100%"], 0);
    assert_eq!(stale["applied"]["already"], 1, "{stale:#}");
    assert_eq!(pair.replica.query("select count(*) from t"), [[Some("2".to_owned())]]);
}
