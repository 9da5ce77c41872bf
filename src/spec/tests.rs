//! The spec as users write it: what is read, and how every mistake is answered.

use std::time::Duration;

use insta::assert_snapshot;

use super::*;

fn environment(name: &str) -> Option<String> {
    match name {
        "URL" => Some("postgres://ana:hunter2@db/shop".to_owned()),
        "COUNT" => Some("7".to_owned()),
        "EMPTY" => Some(String::new()),
        "SNEAKY" => Some("a, b]\nlimits: {deletes: 0}".to_owned()),
        "PASSWORD" => Some("hunter2".to_owned()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Spec, SpecErrors> {
    Spec::parse(text, "spec.yml", &environment)
}

fn good(text: &str) -> Spec {
    parse(text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The head of a spec that is right, in three lines.
const HEAD: &str = "version: 1\nprimary: sqlite:a.db\nreplicas: { r: sqlite:b.db }\n";

fn with_head(text: &str) -> String {
    format!("{HEAD}{text}")
}

/// A good spec with one table entry, given from line 5 on with four spaces before it.
fn entry(text: &str) -> String {
    format!("{HEAD}tables:\n  - table: t\n{text}\n")
}

fn headlines(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(_) => panic!("this spec should be refused:\n{text}"),
        Err(errors) => errors.iter().map(|error| format!("{} {}", error.place, error.message)).collect(),
    }
}

#[track_caller]
fn bad(text: &str, expected: &[&str]) {
    assert_eq!(headlines(text), expected, "{text}");
}

#[test]
fn the_sample_specs_are_good() {
    let samples = [
        ("specs/minimal.yml", include_str!("../../specs/minimal.yml")),
        ("specs/full.yml", include_str!("../../specs/full.yml")),
        ("specs/mixed-engines.yml", include_str!("../../specs/mixed-engines.yml")),
    ];
    for (path, text) in samples {
        let password = |name: &str| name.contains("PASSWORD").then(|| "secret".to_owned());
        let spec = Spec::parse(text, path, &password).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(!spec.tables.is_empty(), "{path}");
    }
}

#[test]
fn the_full_sample_uses_every_key() {
    let text = include_str!("../../specs/full.yml");
    for key in [
        "version",
        "primary",
        "replicas",
        "url",
        "search_path",
        "connections",
        "statement_timeout",
        "lock_timeout",
        "snapshot",
        "binlog",
        "defaults",
        "limits",
        "deletes",
        "changes",
        "tables",
        "table",
        "to",
        "key",
        "columns",
        "exclude_columns",
        "rename",
        "where",
        "compare",
        "tolerance",
        "precision",
        "zone",
        "trim",
        "case",
        "schema",
        "insert",
        "update",
        "delete",
        "skip_tables",
        "apply",
        "batch_rows",
    ] {
        assert!(text.contains(&format!("{key}:")), "{key}");
    }
}

#[test]
fn everything_is_read_and_defaults_are_filled_in() {
    let spec = Spec::parse(include_str!("../../specs/full.yml"), "full.yml", &|_| None).expect("good");
    assert_eq!(spec.primary.url.display(), "postgres://trueup@localhost:5432/shop");
    let path: Vec<&str> = spec.primary.search_path.iter().map(|schema| schema.value.as_str()).collect();
    assert_eq!(path, ["public", "audit"]);
    assert_eq!(spec.primary.connections, 8);
    assert_eq!(spec.primary.statement_timeout, Some(Duration::from_secs(1800)));
    assert_eq!(spec.primary.lock_timeout, Some(Duration::from_secs(10)));
    let eu = spec.replica("eu").expect("a replica");
    assert_eq!((eu.side.binlog, eu.side.connections), (Some(false), CONNECTIONS_DEFAULT));
    assert_eq!(spec.replicas[1].name.value, "edge");
    assert_eq!(spec.batch_rows, 50_000);
    assert_eq!(
        spec.limits.deletes.as_ref().map(|limit| limit.value),
        Some(Limit::PerTable { millionths: 100_000 })
    );
    assert_eq!(spec.limits.changes.map(|limit| limit.value), Some(Limit::PerReplica { rows: 5000 }));
    let [users, billing, odd, orders, logs] = &spec.tables[..] else { panic!("five entries") };
    assert!(!users.table.value.is_glob() && billing.table.value.is_glob());
    assert_eq!(odd.table.value.exact().expect("exact").name, "odd.name");
    assert_eq!((users.schema, users.insert), (SchemaMode::Sync, true));
    assert!(users.exclude_from_defaults && users.compare[0].from_defaults);
    assert_eq!(orders.to.as_ref().map(|to| to.value.to_string()).as_deref(), Some("shop.orders"));
    assert!(orders.exclude_columns.is_empty(), "columns wins over the defaults' exclude_columns");
    assert_eq!(orders.compare.len(), 5);
    assert_eq!(orders.schema, SchemaMode::Check);
    assert!(logs.online && !orders.online);
    let zone = orders.compare.iter().find(|entry| entry.column.value == "seen_at").expect("seen_at");
    assert_eq!(
        zone.rule,
        CompareRule::Options(CompareOptions {
            zone: Some(Zone { offset_minutes: 120 }),
            ..CompareOptions::default()
        })
    );
    let filter = orders.filter.as_ref().expect("where");
    assert_eq!(filter.value.to_string(), r#"(("total" > 0) AND ("customer_id" IS NOT NULL))"#);
    assert_eq!(filter.value.columns(), ["total", "customer_id"]);
    assert_eq!((logs.insert, logs.update, logs.delete), (true, false, false));
    assert!(!logs.exclude_from_defaults);
    assert_eq!(spec.skip_tables[1].value.to_string(), "audit.*");
}

#[test]
fn an_own_compare_rule_wins_over_the_defaults() {
    let spec = good(&with_head(
        "defaults: { compare: { a: ignore, b: { trim: true } }, delete: false }\n\
         tables: [{ table: t, compare: { a: { tolerance: 5e-3 } }, delete: true }, u]\n",
    ));
    let tolerance = CompareOptions { tolerance: Some("0.005".to_owned()), ..CompareOptions::default() };
    assert_eq!(spec.tables[0].compare[0].rule, CompareRule::Options(tolerance));
    assert_eq!((spec.tables[0].compare.len(), spec.tables[0].delete), (2, true));
    assert_eq!((&spec.tables[1].compare[0].rule, spec.tables[1].delete), (&CompareRule::Ignore, false));
}

#[test]
fn a_name_twice_in_short_form_is_one_entry() {
    assert_eq!(good(&with_head("tables: [users, users, orders]\n")).tables.len(), 2);
}

#[test]
fn empty_sections_count_as_absent() {
    let spec = good(&with_head("limits:\ndefaults:\napply:\nskip_tables:\ntables: [t]\n"));
    assert!(spec.limits.deletes.is_none() && spec.batch_rows == BATCH_ROWS_DEFAULT);
}

#[test]
fn anchors_and_aliases_work() {
    let spec = good(&with_head(
        "tables:\n  - table: a\n    compare: &rules { x: ignore }\n  - { table: b, compare: *rules }\n",
    ));
    assert_eq!(spec.tables[1].compare[0].column.value, "x");
}

#[test]
fn later_stages_point_into_the_file() {
    let spec = good(&entry("    key: [id, nr]"));
    let key = spec.tables[0].key.as_ref().expect("key");
    assert_snapshot!(spec.error_at(key[1].place, "table `t` has no column `nr`").with_hint("did you mean `number`?"), @r"
    spec.yml:6:15: table `t` has no column `nr`
      6 |     key: [id, nr]
        |               ^^
      hint: did you mean `number`?
    ");
    assert_eq!(spec.tables[0].table.place, Place { line: 5, column: 12 });
}

#[test]
fn several_mistakes_come_together() {
    let text = "\
version: 2
primary: { url: postgres://ana:hunter2@db/shop?sslmod=require, connections: 0 }
replicas:
  eu: mysql://db.eu/shop
  edge: { url: 'sqlite:edge.db', serach_path: main }
limits: { deletes: lots }
tabels: [a]
tables:
  - users
  - table: orders
    key: id
    where: \"total > (SELECT 1)\"
    shcema: sync
    columns: [id, id]
    compare: { total: { tolerance: -1 } }
    table: again
";
    let errors = parse(text).expect_err("many mistakes");
    assert_snapshot!(errors, @r#"
    spec.yml:1:10: version 2 of the spec is not supported
      1 | version: 2
        |          ^
      hint: this trueup reads `version: 1`

    spec.yml:2:17: the url of the primary cannot be used: unknown parameter `sslmod` in the URL
      2 | primary: { url: postgres://ana:***@db/shop?sslmod=require, connections: 0 }
        |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      hint: did you mean `sslmode`?

    spec.yml:2:77: `connections` must be a whole number from 1 to 1000
      2 | primary: { url: postgres://ana:***@db/shop?sslmod=require, connections: 0 }
        |                                                                         ^

    spec.yml:5:34: unknown key `serach_path` in replica `edge`
      5 |   edge: { url: 'sqlite:edge.db', serach_path: main }
        |                                  ^^^^^^^^^^^
      hint: did you mean `search_path`?

    spec.yml:6:20: `deletes` must be a number of rows or a percentage: write it like `100` (rows of a replica) or `10%` (of a table's rows)
      6 | limits: { deletes: lots }
        |                    ^^^^

    spec.yml:7:1: unknown key `tabels` in a spec
      7 | tabels: [a]
        | ^^^^^^
      hint: did you mean `tables`?

    spec.yml:11:10: `key` must be a list, not text
      11 |     key: id
         |          ^^
      hint: with brackets it is a list: [id]

    spec.yml:12:22: `where`: sub-queries cannot stand here
      12 |     where: "total > (SELECT 1)"
         |                      ^^^^^^
      hint: a condition may speak of the row's own columns only

    spec.yml:13:5: unknown key `shcema` in an entry of `tables`
      13 |     shcema: sync
         |     ^^^^^^
      hint: did you mean `schema`?

    spec.yml:14:19: `id` stands twice in `columns`
      14 |     columns: [id, id]
         |                   ^^

    spec.yml:15:36: `tolerance` must be a decimal number: write it like `0.005`, never negative
      15 |     compare: { total: { tolerance: -1 } }
         |                                    ^^

    spec.yml:16:5: the key `table` stands here a second time
      16 |     table: again
         |     ^^^^^
      hint: it was first given in line 10
    "#);
    assert!(!errors.to_string().contains("hunter2") && !format!("{errors:?}").contains("hunter2"));
}

#[test]
fn the_file_itself() {
    bad("", &["1:1 the file is empty"]);
    bad("# nothing\n", &["1:1 the file is empty"]);
    bad("- a\n", &["1:1 a spec must be a mapping (`key: value`), not a list"]);
    bad("hello\n", &["1:1 a spec must be a mapping (`key: value`), not text"]);
    bad("{}\n", &["1:1 `version`, `primary`, `replicas` and `tables` are missing"]);
    bad(&format!("{HEAD}\n"), &["1:1 `tables` is missing"]);
    bad(
        &with_head("tables: [t]\n---\nversion: 1\n"),
        &["5:1 a spec is one YAML document, a second one begins here"],
    );
    bad(&with_head("tables: [t]\nversion: 1\n"), &["5:1 the key `version` stands here a second time"]);
    bad(&with_head("tables: [!!str t]\n"), &["4:10 YAML tags have no meaning in a spec"]);
    bad(&with_head("tables: [\u{1}]\n"), &["4:10 a control character cannot stand in YAML"]);
    bad(&format!("{HEAD}? [a]\n: b\ntables: [t]\n"), &["4:3 a key must be plain text"]);
    let deep = format!("{HEAD}tables: {}{}\n", "[".repeat(40), "]".repeat(40));
    bad(&deep, &["4:41 the YAML is nested deeper than 32 levels"]);
    good(&format!("\u{feff}{}", with_head("tables: [t]\n")));
    good(&with_head("tables: [t]\n").replace('\n', "\r\n"));
}

#[test]
fn broken_yaml_points_at_the_place() {
    for text in ["tables: *\n", "tables: [a\n", "tables:\n\t- a\n", "tables: 'a\n", "tables: a: b\n"] {
        let errors = headlines(&with_head(text));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains("this is not valid YAML"), "{errors:?}");
    }
}

#[test]
fn what_is_still_open_at_the_end_is_reported_there() {
    let errors = headlines(&with_head("tables: [a\n\n"));
    assert!(errors[0].starts_with("4:11 this is not valid YAML"), "{errors:?}");
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = with_head("tables:\n  - &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let alias = format!("*a{}", level - 1);
        text.push_str(&format!("  - &a{level} [{}]\n", vec![alias; 10].join(", ")));
    }
    let errors = headlines(&text);
    assert!(errors[0].contains("once its aliases are resolved"), "{errors:?}");
}

#[test]
fn versions() {
    let version =
        |version: &str| with_head("tables: [t]\n").replace("version: 1", &format!("version: {version}"));
    bad(&version("2"), &["1:10 version 2 of the spec is not supported"]);
    bad(&version("'1'"), &["1:10 `version` must be the number 1, not text"]);
    bad(&version("1.0"), &["1:10 `version` must be the number 1, not a decimal number"]);
    bad(&version(""), &["1:1 `version` must be the number 1, not nothing"]);
}

#[test]
fn casts_name_types_and_each_once() {
    let spec = good(&with_head(
        "tables: [{ table: t, cast: { a: VARCHAR(40), b: 'decimal(10, 2)' } }]\ncast: [{ from: text, to: varchar(255) }]\n",
    ));
    let cast: Vec<(&str, &str)> =
        spec.tables[0].cast.iter().map(|(column, to)| (column.value.as_str(), to.value.as_str())).collect();
    assert_eq!(cast, [("a", "VARCHAR(40)"), ("b", "decimal(10, 2)")]);
    assert_eq!((spec.cast[0].from.value.as_str(), spec.cast[0].to.value.as_str()), ("text", "varchar(255)"));
    let plain = good(&with_head("tables: [t]\n"));
    assert_ne!(spec.canonical_text(), plain.canonical_text());
    bad(&entry("    cast: { a: 'int; DROP TABLE t' }"), &["6:16 `cast` of `a` is no name of a type"]);
    bad(
        &with_head("tables: [{ table: '*', cast: { a: int } }]\n"),
        &["4:24 `cast` cannot stand beside the glob `*`"],
    );
    bad(&with_head("tables: [t]\ndefaults: { cast: {} }\n"), &["5:13 `cast` may not stand in `defaults`"]);
    bad(&with_head("tables: [t]\ncast: [{ from: int }]\n"), &["5:8 `to` is missing in this item of `cast`"]);
    bad(
        &with_head("tables: [t]\ncast: [{ from: int, to: bigint }, { from: INT, to: text }]\n"),
        &["5:43 `INT` is cast already, in line 5"],
    );
}

#[test]
fn a_schema_file_and_where_it_is_loaded() {
    let head = "version: 1\nprimary: postgres://db/shop\nreplicas: { a: \"sqlite:a.db\", b: postgres://b/shop }\n\
                tables: [t]\n";
    let spec =
        good(&format!("{head}schema_file: deep/schema.sql\nscratch: {{ url: postgres://u:pw@db/empty }}\n"));
    assert_eq!(spec.schema_file.as_ref().map(|file| file.value.as_str()), Some("deep/schema.sql"));
    let scratch = spec.scratch.as_ref().expect("it is there");
    assert_eq!(scratch.url.display(), "postgres://u@db/empty");
    assert!(!format!("{spec:?}").contains("pw"), "{spec:?}");
    for (more, error) in [
        ("schema_file: [a]", "5:14 `schema_file` must be text, not a list"),
        ("scratch: postgres://db/empty", "5:1 `scratch` is where `schema_file` is loaded, and there is none"),
        (
            "schema_file: a\nscratch: sqlite:x.db",
            "6:1 `scratch` must be of the primary's engine (postgres), not sqlite",
        ),
        ("schema_file: a\nscratch: postgres://db/shop", "6:10 `scratch` is the same database as the primary"),
        ("schema_file: a\nscratch: postgres://b/shop", "6:10 `scratch` is the same database as replica `b`"),
    ] {
        bad(&format!("{head}{more}\n"), &[error]);
    }
    bad(
        &with_head("tables: [t]\nschema_file: a\nscratch: sqlite:x.db\n"),
        &["6:1 `scratch` is of no use here: the file of a SQLite primary is loaded in memory"],
    );
}

/// A plan is tied to what stands in the file, wherever the file is.
#[test]
fn the_text_of_a_schema_file_is_part_of_what_a_spec_means() {
    let plain = with_head("tables: [t]\n");
    let with = |file: &str, text: &str| {
        let spec = good(&format!("{plain}schema_file: {file}\n"));
        spec.with_model("x.sql", text).expect("the file is good").canonical_text()
    };
    let one = with("a.sql", "CREATE TABLE t (id int);");
    assert_eq!(one, with("b.sql", "CREATE TABLE t (id int);"));
    assert_ne!(one, with("a.sql", "CREATE TABLE t (id bigint);"));
    assert_ne!(one, good(&plain).canonical_text());
    let wrong = good(&format!("{plain}schema_file: a.sql\n"))
        .with_model("x.sql", "CREATE TABLE t (a int);\n  ATTACH 'b' AS c;");
    let told = wrong.expect_err("it is refused").to_string();
    assert!(told.starts_with("x.sql:2:3: ATTACH is not taken"), "{told}");
    assert!(told.contains("  2 |   ATTACH 'b' AS c;\n    |   ^^^^^^"), "{told}");
}

#[test]
fn unknown_and_reserved_keys() {
    bad(&with_head("tables: [t]\nlimit: 5\n"), &["5:1 unknown key `limit` in a spec"]);
    bad(
        &with_head("tables: [t]\nthrottle: 5\n"),
        &["5:1 not available yet: `throttle` is reserved for a later version"],
    );
    bad(&with_head("tables: [t]\nsource: x\n"), &["5:1 unknown key `source`"]);
    bad(
        &entry("    incremental: id"),
        &["6:5 not available yet: `incremental` is reserved for a later version"],
    );
    bad(&entry("    drop: true"), &["6:5 `drop` cannot stand beside `t`, which is no glob"]);
    bad(&with_head("tables: [t]\ndefaults: { drop: true }\n"), &["5:13 `drop` may not stand in `defaults`"]);
    bad(
        &with_head("tables: [{ table: '*', drop: true, schema: ignore }]\n"),
        &["4:24 `drop` cannot stand beside `schema: ignore`"],
    );
    bad(
        &with_head("tables: [t]\ndefaults: { incremental: id }\n"),
        &["5:13 not available yet: `incremental` is reserved for a later version"],
    );
    let errors = parse(&with_head("tables: [t]\nskip_table: []\n")).expect_err("unknown key");
    assert_snapshot!(errors, @r"
    spec.yml:5:1: unknown key `skip_table` in a spec
      5 | skip_table: []
        | ^^^^^^^^^^
      hint: did you mean `skip_tables`?
    ");
}

#[test]
fn what_may_not_stand_in_defaults() {
    for key in ["table", "to", "key", "columns", "rename", "where"] {
        let text = with_head(&format!("defaults:\n  {key}: x\ntables: [t]\n"));
        bad(&text, &[&format!("5:3 `{key}` may not stand in `defaults`")]);
    }
}

#[test]
fn environment_variables() {
    let text = "version: 1\nprimary: ${URL}\nreplicas: { r: { url: \"sqlite:${NOPE:-b}.db\", connections: ${COUNT} } }\n\
        tables: [\"$${x}\", \"${NOPE:-}y\", \"${EMPTY:-z}\"]\n";
    let spec = good(text);
    assert_eq!(spec.primary.url.password.as_ref().map(Secret::expose), Some("hunter2"));
    assert_eq!(spec.replicas[0].side.url.database.as_deref(), Some("b.db"));
    assert_eq!(spec.replicas[0].side.connections, 7);
    let names: Vec<String> = spec.tables.iter().map(|entry| entry.table.value.to_string()).collect();
    assert_eq!(names, ["${x}", "y", "z"]);
}

#[test]
fn a_variable_never_changes_the_structure() {
    let spec = good(&with_head("tables: [${SNEAKY}]\n"));
    assert_eq!(spec.tables.len(), 1);
    assert!(spec.limits.deletes.is_none());
}

#[test]
fn variables_that_cannot_be_put_in() {
    bad(&with_head("tables: [a, 'x${NOPE}']\n"), &["4:15 the environment variable `NOPE` is not set"]);
    bad(
        &with_head("tables: [t]\nlimits: { deletes: ${NOPE} }\n"),
        &["5:20 the environment variable `NOPE` is not set"],
    );
    bad(&with_head("tables: ['${NOPE']\n"), &["4:11 `${` is not closed by `}`"]);
    bad(&with_head("tables: ['${1X}']\n"), &["4:11 this is no name of an environment variable"]);
    bad(&with_head("tables: ['${A:-${B}}']\n"), &["4:11 a default cannot hold another `${`"]);
    bad(&with_head("tables: ['${EMPTY}']\n"), &["4:10 a table is empty"]);
    bad(
        &with_head("tables: [t]\n").replace("sqlite:a.db", "\"${NOPE_A}${NOPE_B}\""),
        &[
            "2:11 the environment variable `NOPE_A` is not set",
            "2:20 the environment variable `NOPE_B` is not set",
        ],
    );
}

fn with_primary(primary: &str) -> String {
    format!("version: 1\nprimary: {primary}\nreplicas: {{ r: sqlite:b.db }}\ntables: [t]\n")
}

#[test]
fn sides() {
    bad(&with_primary("[a]"), &["2:10 the primary must be a URL, or a mapping with `url`, not a list"]);
    bad(&with_primary(""), &["2:1 the primary must be a URL, or a mapping with `url`, not nothing"]);
    bad(&with_primary("{ connections: 2 }"), &["2:10 `url` is missing in the primary"]);
    bad(&with_primary("a.db"), &["2:10 the url of the primary cannot be used: the URL has no scheme"]);
    bad(&with_primary("5"), &["2:10 the url of the primary must be text, not a number"]);
    bad(
        &with_primary("{ url: sqlite:a.db, search_path: x }"),
        &["2:30 `search_path` is for PostgreSQL, the primary is sqlite"],
    );
    bad(
        &with_primary("{ url: postgres://h/d, binlog: on }"),
        &["2:33 `binlog` is for MySQL and MariaDB, the primary is postgres"],
    );
    bad(
        &with_primary("{ url: mysql://h/d, binlog: on }"),
        &["2:30 `binlog` is for replicas, the primary is never written"],
    );
    bad(
        &with_primary("{ url: sqlite:a.db, connections: many }"),
        &["2:43 `connections` must be a whole number, not text"],
    );
    bad(
        &with_primary("{ url: sqlite:a.db, connections: 0 }"),
        &["2:43 `connections` must be a whole number from 1 to 1000"],
    );
    bad(
        &with_primary("{ url: sqlite:a.db, lock_timeout: 30 }"),
        &["2:44 `lock_timeout` must be a duration: write it like `500ms`, `30s`, `5m`, `1h` or `7d`"],
    );
    bad(
        &with_primary("{ url: sqlite:a.db, lock_timeout: 0s }"),
        &["2:44 `lock_timeout` must be more than nothing"],
    );
    bad(
        &with_primary("{ url: sqlite:a.db, statement_timeout: 25d }"),
        &["2:49 `statement_timeout` must be at most 24 days"],
    );
    bad(
        &with_primary("{ url: sqlite:a.db, snapshot: locked }"),
        &["2:40 `snapshot` must be `auto`, `lock` or `none`, not `locked`"],
    );
    bad(&with_primary("{ url: sqlite:a.db, password: hunter2 }"), &["2:30 a side has no key `password`"]);
    let spec =
        good(&with_primary("{ url: postgres://h/d, search_path: 'app, \"My Schema\"', snapshot: none }"));
    let path: Vec<&str> = spec.primary.search_path.iter().map(|schema| schema.value.as_str()).collect();
    assert_eq!(path, ["app", "My Schema"]);
    assert_eq!(spec.primary.snapshot, SnapshotMode::None);
}

#[test]
fn replicas() {
    let with =
        |replicas: &str| format!("version: 1\nprimary: mysql://h/d\nreplicas: {replicas}\ntables: [t]\n");
    bad(&with("{}"), &["3:11 `replicas` names no replica"]);
    bad(&with("[mysql://b/d]"), &["3:11 `replicas` must be a mapping, not a list"]);
    bad(&with("mysql://b/d"), &["3:11 `replicas` must be a mapping (`key: value`), not text"]);
    bad(
        &with("{ \"a b\": sqlite:x.db }"),
        &[
            "3:13 a replica's name is made of letters, digits, `_`, `.` and `-`, and begins with none of the last two",
        ],
    );
    bad(&with("{ a: sqlite:x.db, a: sqlite:y.db }"), &["3:29 the key `a` stands here a second time"]);
    bad(
        &with("{ a: sqlite:x.db, b: sqlite:x.db }"),
        &["3:32 replica `b` is the same database as replica `a`"],
    );
    bad(&with("{ a: mariadb://ana@h:3306/d }"), &["3:16 replica `a` is the same database as the primary"]);
    bad(
        &with("{ a: { url: mysql://k/d, binlog: maybe } }"),
        &["3:44 `binlog` must be `on`, `off`, `true` or `false`, not `maybe`"],
    );
    bad(&with("{ a: }"), &["3:13 replica `a` must be a URL, or a mapping with `url`, not nothing"]);
    good(&with("{ a: mysql://h/other, b-2: mysql://h:3307/d, 3.c: postgres://h/d }"));
}

#[test]
fn limits_and_apply() {
    let with = |text: &str| with_head(&format!("tables: [t]\n{text}\n"));
    bad(
        &with("limits: { deletes: -5 }"),
        &[
            "5:20 `deletes` must be a number of rows or a percentage: write it like `100` (rows of a replica) or `10%` (of a table's rows)",
        ],
    );
    bad(
        &with("limits: { deletes: [1] }"),
        &["5:20 `deletes` must be a number of rows or a percentage, not a list"],
    );
    bad(&with("limits: 5"), &["5:9 `limits` must be a mapping (`key: value`), not a number"]);
    bad(&with("limits: { inserts: 5 }"), &["5:11 unknown key `inserts` in `limits`"]);
    bad(
        &with("apply: { batch_rows: 0 }"),
        &["5:22 `batch_rows` must be a whole number from 1 to 1000000000"],
    );
    bad(
        &with("apply: { batch_rows: 1.5 }"),
        &["5:22 `batch_rows` must be a whole number, not a decimal number"],
    );
    bad(&with("skip_tables: a"), &["5:14 `skip_tables` must be a list, not text"]);
}

#[test]
fn tables() {
    bad(&with_head("tables: []\n"), &["4:9 `tables` names no table"]);
    bad(&with_head("tables: users\n"), &["4:9 `tables` must be a list, not text"]);
    bad(&with_head("tables: [5]\n"), &["4:10 a table must be text, not a number"]);
    bad(
        &with_head("tables: [[a]]\n"),
        &["4:10 an entry of `tables` must be a name, or a mapping with `table`, not a list"],
    );
    bad(
        &with_head("tables: [a.b.c]\n"),
        &["4:10 a table is not a table's name: a table name has at most two parts, schema and table"],
    );
    bad(
        &with_head("tables: ['\"a']\n"),
        &["4:10 a table is not a table's name: the double quotes are not balanced"],
    );
    bad(&with_head("tables: [.a]\n"), &["4:10 a table is not a table's name: the name is empty"]);
    bad(&with_head("tables:\n  - users: { key: [id] }\n"), &["5:5 the name of a table cannot be a key here"]);
    bad(&with_head("tables:\n  - key: [id]\n"), &["5:5 `table` is missing in this entry of `tables`"]);
    bad(
        &with_head("tables:\n  - a\n  - table: a\n    delete: false\n"),
        &["6:12 `a` has an entry already, in line 5"],
    );
    bad(
        &with_head("tables:\n  - { table: a, to: x }\n  - { table: b, to: x }\n"),
        &["6:21 the entry in line 5 goes to the replica's table `x` too"],
    );
    bad(
        &entry("    to: 'x*'"),
        &["6:9 `to` is not a table's name: a glob cannot stand here, one exact name is needed"],
    );
    bad(&entry("    insert: yes"), &["6:13 `insert` must be `true` or `false`, not text"]);
    bad(&entry("    triggers: off"), &["6:15 `triggers` must be `fire` or `suppress`, not `off`"]);
    bad(&entry("    schema: synk"), &["6:13 `schema` must be `sync`, `check` or `ignore`, not `synk`"]);
}

#[test]
fn the_tools_own_tables_are_out_of_bounds() {
    bad(&with_head("tables: [_trueup_lock]\n"), &["4:10 tables that begin with `_trueup_` are trueup's own"]);
    let all = TablePattern::parse("*.*").expect("a glob");
    assert!(!all.matches("public", "_trueup_lock", "public") && all.matches("public", "trueup", "public"));
}

#[test]
fn a_glob_stands_for_tables_alone() {
    for pattern in ["*.users", "b*.x", "*.*"] {
        let message = "4:10 a table: a glob cannot stand for the schema";
        bad(&with_head(&format!("tables: ['{pattern}']\n")), &[message]);
    }
    good(&with_head("tables: ['billing.*']\nskip_tables: ['*.old_*']\n"));
}

#[test]
fn a_glob_takes_nothing_that_speaks_of_one_table() {
    for (key, value) in
        [("to", "x"), ("key", "[id]"), ("columns", "[id]"), ("rename", "{ a: b }"), ("where", "a = 1")]
    {
        let text = with_head(&format!("tables:\n  - table: 'log_*'\n    {key}: {value}\n"));
        bad(&text, &[&format!("6:5 `{key}` cannot stand beside the glob `log_*`")]);
    }
}

#[test]
fn columns_that_contradict_each_other() {
    bad(
        &entry("    columns: [a]\n    exclude_columns: [b]"),
        &["7:5 `columns` and `exclude_columns` cannot stand together"],
    );
    bad(&entry("    key: []"), &["6:10 `key` is an empty list"]);
    bad(&entry("    key: id"), &["6:10 `key` must be a list, not text"]);
    bad(&entry("    key: [id, id]"), &["6:15 `id` stands twice in `key`"]);
    bad(
        &entry("    key: [id]\n    columns: [ident]"),
        &["6:11 the key names `id`, which `columns` does not list"],
    );
    bad(
        &entry("    key: [id]\n    exclude_columns: [id]"),
        &["6:11 the key names `id`, which `exclude_columns` leaves out in line 7"],
    );
    bad(&entry("    rename: { a: x, b: x }"), &["6:24 `a` and `b` are both renamed to `x`"]);
    bad(&entry("    rename: { a: x, a: y }"), &["6:21 the key `a` stands here a second time"]);
    bad(&entry("    rename: [a]"), &["6:13 `rename` must be a mapping (`key: value`), not a list"]);
    bad(
        &entry("    rename: { a: x }\n    columns: [b]"),
        &["6:15 `rename` names `a`, which `columns` does not list"],
    );
    bad(
        &entry("    compare: { a: ignore }\n    columns: [b]"),
        &["6:16 `compare` names `a`, which `columns` does not list"],
    );
    bad(
        &entry("    key: [a]\n    compare: { a: ignore }"),
        &["7:16 the key column `a` cannot have a `compare` option"],
    );
    bad(
        &with_head("defaults: { compare: { a: ignore } }\ntables: [{ table: t, key: [a] }]\n"),
        &["5:28 the key column `a` cannot have a `compare` option"],
    );
}

#[test]
fn compare_options() {
    let compare = |rule: &str| entry(&format!("    compare: {{ c: {rule} }}"));
    bad(
        &compare("{ tolerance: -0.1 }"),
        &["6:32 `tolerance` must be a decimal number: write it like `0.005`, never negative"],
    );
    bad(
        &compare("{ tolerance: .inf }"),
        &["6:32 `tolerance` must be a decimal number: write it like `0.005`, never negative"],
    );
    bad(
        &compare("{ precision: second }"),
        &["6:32 `precision` must be `seconds`, `milliseconds` or `microseconds`, not `second`"],
    );
    bad(
        &compare("{ zone: Europe/Berlin }"),
        &["6:27 `zone` must be an offset from UTC: write it like `UTC` or `+02:00`"],
    );
    bad(&compare("{ trim: ignore }"), &["6:27 `trim` must be `true` or `false`, not text"]);
    bad(&compare("{ case: fold }"), &["6:27 `case` must be `ignore`, not `fold`"]);
    bad(&compare("{ tolerence: 1 }"), &["6:21 unknown key `tolerence` in `compare` of `c`"]);
    bad(&compare("{ ignore: true }"), &["6:21 `ignore` is not an option but a rule of its own"]);
    bad(&compare("{}"), &["6:19 `compare` of `c` must be `ignore` or a mapping of options"]);
    bad(&compare("true"), &["6:19 `compare` of `c` must be `ignore` or a mapping of options"]);
    bad(
        &compare("{ trim: true, tolerance: 1 }"),
        &["6:19 `compare` of `c` mixes options for numbers and text; a column is one of them"],
    );
}

fn filter(condition: &str) -> String {
    let text = entry(&format!("    where: {}", serde_json::Value::from(condition)));
    good(&text).tables[0].filter.as_ref().expect("where").value.to_string()
}

#[test]
fn conditions_that_mean_the_same_everywhere() {
    for (condition, canonical) in [
        ("a = 1", r#"("a" = 1)"#),
        ("a != 1 and \"B c\" <= 'it''s'", r#"(("a" <> 1) AND ("B c" <= 'it''s'))"#),
        ("a = 1 or b = 2 and c = 3", r#"(("a" = 1) OR (("b" = 2) AND ("c" = 3)))"#),
        ("not (a = 1 or b = 2)", r#"(NOT (("a" = 1) OR ("b" = 2)))"#),
        ("not a = 1", r#"(NOT ("a" = 1))"#),
        ("active", r#"("active" = true)"#),
        ("active and not gone", r#"(("active" = true) AND (NOT ("gone" = true)))"#),
        ("a in (1, -2, 3.5e2)", r#"("a" IN (1, -2, 3.5e2))"#),
        ("a not in ('x')", r#"("a" NOT IN ('x'))"#),
        ("a between 1 and 5 and b is null", r#"(("a" BETWEEN 1 AND 5) AND ("b" IS NULL))"#),
        ("a not between 1 and 5", r#"("a" NOT BETWEEN 1 AND 5)"#),
        ("coalesce(a, b, 0) > 0", r#"(COALESCE("a", "b", 0) > 0)"#),
        ("NULLIF(a, '') is not null", r#"(NULLIF("a", '') IS NOT NULL)"#),
        ("abs(a) < 5", r#"(ABS("a") < 5)"#),
        ("a >= date '2024-02-29'", r#"("a" >= DATE '2024-02-29')"#),
        ("a >= timestamp '2024-01-01 10:00:00.5'", r#"("a" >= TIMESTAMP '2024-01-01 10:00:00.500000')"#),
        ("a >= timestamp '2024-01-01 10:00:00+02:00'", r#"("a" >= TIMESTAMP '2024-01-01 08:00:00Z')"#),
        ("a < now()", r#"("a" < now())"#),
        ("a < current_timestamp", r#"("a" < now())"#),
        ("a >= now() - interval '30 days'", r#"("a" >= now() + interval '-2592000 seconds')"#),
        ("a >= now() - interval '30' day", r#"("a" >= now() + interval '-2592000 seconds')"#),
        ("a = current_date - interval '1 week'", r#"("a" = current_date + interval '-604800 seconds')"#),
        (
            "date = '2024-01-01' and key = 1 and value = 2",
            r#"(("date" = '2024-01-01') AND ("key" = 1) AND ("value" = 2))"#,
        ),
        ("größe > 5", r#"("größe" > 5)"#),
        ("a = 1 -- because", r#"("a" = 1)"#),
    ] {
        assert_eq!(filter(condition), canonical, "{condition}");
    }
}

#[test]
fn conditions_that_are_refused_point_into_the_text() {
    // `    where: "` takes eleven columns and a quote, so that the condition begins in column 13.
    for (condition, column, message) in [
        ("a = ", 17, "expected an expression, found the end"),
        ("a = 1 b", 19, "the expression ends before `b`"),
        ("a = (select 1)", 18, "sub-queries cannot stand here"),
        ("exists (select 1)", 13, "sub-queries cannot stand here"),
        ("a = ?", 17, "placeholders cannot stand here"),
        ("a = $1", 17, "placeholders cannot stand here"),
        ("a = :name", 17, "placeholders cannot stand here"),
        ("`a` = 1", 13, "this is no way to quote a name here"),
        ("a = 1; drop table x", 18, "`;` cannot stand here"),
        ("x = 1 and a like 'b%'", 23, "LIKE and its kin cannot stand here"),
        ("a ilike 'b%'", 13, "LIKE and its kin cannot stand here"),
        ("lower(a) = 'b'", 13, "the function `lower` does not mean the same on every engine"),
        ("a = 1 and length(b) > 5", 23, "the function `length` does not mean the same on every engine"),
        ("random() < 0.5", 13, "the function `random` does not mean the same on every engine"),
        ("count(*) > 1", 13, "this argument cannot stand here"),
        ("a + 1 > 2", 13, "the operator `+` cannot stand here"),
        ("a * b > 2", 13, "the operator `*` cannot stand here"),
        ("a || b = 'x'", 13, "the operator `||` cannot stand here"),
        ("a - interval '1 day' > now()", 13, "the operator `-` cannot stand here"),
        ("a > now() - interval '1 month'", 34, "`month` is no unit of fixed length"),
        ("a = current_date - interval '1 hour'", 41, "a date moves by whole days only"),
        ("t.a = 1", 13, "a column cannot be qualified here"),
        ("a = null", 17, "NULL equals nothing, so this is never true"),
        ("1 = 1", 13, "this compares no column"),
        ("true", 13, "this says the same of every row"),
        ("'a'", 13, "this is a value, not a condition"),
        ("coalesce(a, b)", 13, "this is a value, not a condition"),
        ("a::text = 'x'", 13, "casts cannot stand here"),
        ("cast(a as text) = 'x'", 18, "casts cannot stand here"),
        ("case when a then 1 end = 1", 13, "CASE cannot stand here"),
        ("a is true", 13, "IS TRUE and IS FALSE cannot stand here"),
        ("a is distinct from 1", 13, "IS DISTINCT FROM cannot stand here"),
        ("(a, b) = (1, 2)", 14, "a list of values stands only after IN"),
        ("a = (b = c)", 18, "a condition cannot stand where a value is needed"),
        ("a = date '2024-02-30'", 22, "this is no date"),
        ("a = timestamp 'noon'", 27, "this is no date and time"),
        ("a = timestamp '2024-01-01 00:00:00.1234567'", 27, "this is finer than a microsecond"),
        ("a = 'open", 17, "unterminated string literal"),
        ("a = x'00'", 17, "this kind of literal cannot stand here"),
        ("abs(a, b) = 1", 13, "`abs` takes one argument"),
        ("a = -b", 18, "a sign stands only before a number"),
    ] {
        let text = entry(&format!("    where: \"{condition}\""));
        bad(&text, &[&format!("6:{column} `where`: {message}")]);
    }
}

#[test]
fn conditions_in_other_yaml_forms() {
    bad(
        &entry("    where: a = lower(b)"),
        &["6:16 `where`: the function `lower` does not mean the same on every engine"],
    );
    bad(
        &entry("    where: 'a = ''x'' and lower(b)'"),
        &["6:27 `where`: the function `lower` does not mean the same on every engine"],
    );
    bad(
        &entry("    where: |\n      a = 1\n      and lower(b)"),
        &["8:11 `where`: the function `lower` does not mean the same on every engine"],
    );
    bad(&entry("    where: 5"), &["6:12 `where` must be text, not a number"]);
    bad(&entry("    where: [a]"), &["6:12 `where` must be text, not a list"]);
    let deep = format!("    where: \"{}a{}\"", "(".repeat(200), ")".repeat(200));
    bad(&entry(&deep), &["6:12 `where`: it is nested deeper than 40 levels"]);
    let long = vec!["a = 1"; 1500].join(" or ");
    assert!(filter(&long).len() > long.len());
    let sum = format!("    where: \"{} > 1\"", vec!["a"; 4000].join(" + "));
    bad(&entry(&sum), &["6:13 `where`: the operator `+` cannot stand here"]);
}

#[test]
fn errors_read_well() {
    let text = entry("    where: \"status = 'x' AND upper(name) = 'ANA'\"");
    assert_snapshot!(parse(&text).expect_err("upper"), @r#"
    spec.yml:6:30: `where`: the function `upper` does not mean the same on every engine
      6 |     where: "status = 'x' AND upper(name) = 'ANA'"
        |                              ^^^^^^^^^^^
      hint: engines differ in it beyond ASCII; the functions are coalesce, nullif, abs, now, current_timestamp and current_date
    "#);
    let text = with_primary("{ url: \"postgres://ana:hun ter2@db/shop\", conections: 4 }");
    assert_snapshot!(parse(&text).expect_err("conections"), @r#"
    spec.yml:2:52: unknown key `conections` in the primary
      2 | primary: { url: "postgres://ana:***@db/shop", conections: 4 }
        |                                               ^^^^^^^^^^
      hint: did you mean `connections`?
    "#);
    let text = with_head("tables: [*]\n");
    assert_snapshot!(parse(&text).expect_err("star"), @r#"
    spec.yml:4:10: this is not valid YAML: while scanning an anchor or alias, did not find expected alphabetic or numeric character
      4 | tables: [*]
        |          ^
      hint: a name or glob that begins with `*` or `&` needs quotes: "*"
    "#);
}

#[test]
fn quoted_lines_never_show_a_password() {
    for line in [
        "postgres://ana:hunter2@db/shop",
        "{ url: 'mysql://ana:hun@hunter2@db' }",
        "postgres:ana:hunter2@db",
        "ana:hunter2@db",
        "postgres://ana:hunter2",
        "postgres://ana:hunter2/x?y",
        "${NOPE:-postgres://ana:hunter2@db}",
        "{ user: ana, password: hunter2 }",
        "{ user: ana, \"password\": \"hunter2\" }",
        "mysql://ana@h/db?password=hunter2",
    ] {
        let shown = redact(line);
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!redact(&format!("mysql://ana:pw@h/d, b: {line}")).contains("hunter2"));
        if let Err(errors) = parse(&with_primary(line)) {
            assert!(!format!("{errors} {errors:?}").contains("hunter2"), "{errors}");
        }
    }
    assert_eq!(
        redact("postgres://h:5432/x and 'mysql://ana:hunter2@h:3306/y', mariadb://bo:hunter2@i/z"),
        "postgres://h:5432/x and 'mysql://ana:***@h:3306/y', mariadb://bo:***@i/z"
    );
    assert_eq!(
        redact("postgres://ana:a:b@c and mysql://b:hunter2@h"),
        "postgres://ana:***@c and mysql://b:***@h"
    );
    assert_eq!(
        redact_in_urls("column password: 5, x:y@z, mysql://b:hunter2@h"),
        "column password: 5, x:y@z, mysql://b:***@h"
    );
    assert_eq!(redact("mysql://ana:${PW}@h"), "mysql://ana:${PW}@h");
    assert_eq!(
        redact("see https://example.org:443/x and postgres://h:5432/db"),
        "see https://example.org:443/x and postgres://h:5432/db"
    );
    assert!(!format!("{:?}", good(&with_primary("postgres://ana:hunter2@db/shop"))).contains("hunter2"));
}

#[test]
fn the_canonical_text_ignores_what_does_not_matter() {
    let one = good(&with_head(
        "tables: [{ table: t, delete: false, where: 'a=1' }] # note\nlimits: { deletes: 10% }\n",
    ));
    let two = good(
        "# other order\nlimits: { deletes: 10.0% }\ndefaults: { delete: false }\nversion: 1\n\
         replicas: { r: { url: mysql://elsewhere/x, connections: 9 } }\nprimary: sqlite:other.db\n\
         tables:\n  - table: t\n    where: \"(a = 1)\"\n",
    );
    assert_eq!(one.canonical_text(), two.canonical_text());
    assert_snapshot!(one.canonical_text(), @r#"{"version":1,"replicas":["r"],"limits":{"deletes":"10%","changes":null},"tables":[{"table":"t","to":null,"key":null,"columns":null,"exclude_columns":[],"rename":[],"cast":[],"where":"(\"a\" = 1)","compare":[],"schema":"sync","drop":false,"online":false,"renamed_from":null,"triggers":"fire","insert":true,"update":true,"delete":false}],"skip_tables":[],"cast":[],"batch_rows":100000}"#);
    for other in [
        "tables: [{ table: t, delete: false, where: 'a=2' }]\nlimits: { deletes: 10% }\n",
        "tables: [{ table: t, where: 'a=1' }]\nlimits: { deletes: 10% }\n",
        "tables: [{ table: t, delete: false, where: 'a=1' }]\n",
        "tables: [{ table: t, delete: false, where: 'a=1', compare: { c: ignore } }]\nlimits: { deletes: 10% }\n",
    ] {
        assert_ne!(good(&with_head(other)).canonical_text(), one.canonical_text(), "{other}");
    }
}

#[test]
fn patterns_match_names() {
    let matches = |pattern: &str, schema: &str, name: &str| {
        TablePattern::parse(pattern).expect(pattern).matches(schema, name, "public")
    };
    assert!(matches("*", "public", "users") && !matches("*", "billing", "users"));
    assert!(matches("billing.*", "billing", "x") && !matches("billing.*", "public", "x"));
    assert!(matches("*.*", "billing", "x") && matches("u?ers", "public", "users"));
    assert!(matches("*_backup", "public", "a_backup") && !matches("*_backup", "public", "backup"));
    assert!(matches("a*b*c", "public", "aXbXbc") && !matches("a*b*c", "public", "aXbXb"));
    assert!(matches("\"my.table\"", "public", "my.table") && !matches("\"*\"", "public", "users"));
    assert!(matches("\"*\"", "public", "*") && !matches("Users", "public", "users"));
    assert!(!matches("?", "public", "ab") && matches("?", "public", "ß"));
    let slow = "*a".repeat(30);
    assert!(!matches(&slow, "public", &"a".repeat(29)));
    for text in ["a", "billing.*", "\"my.table\"", "\"a\"\"b\"", "\"a*\"*", "x.\"?\""] {
        let pattern = TablePattern::parse(text).expect(text);
        assert_eq!(TablePattern::parse(&pattern.to_string()).as_ref(), Ok(&pattern), "{text} {pattern}");
    }
}

#[test]
fn near_words_are_offered() {
    assert_eq!(did_you_mean("tabels", ["tables", "apply"]), Some("tables"));
    assert_eq!(did_you_mean("precison", ["precision"]), Some("precision"));
    assert_eq!(did_you_mean("colour", ["tables"]), None);
}

mod hostile {
    use proptest::prelude::*;

    use super::*;

    /// Pieces that mean something to YAML, to variables, to URLs or to SQL.
    const PIECES: &[&str] = &[
        "\n", "  ", "- ", ": ", "{", "}", "[", "]", "\"", "'", "#", "*a", "&a ", "!x", "|", ">", "---", "\t",
        "${", "${COUNT}", "$${", "://", "@", "%", "%4", "\\", "ß", "\u{e000}", "e999", "-", "?", ",", "null",
        "tables", "table: ",
    ];
    const WORDS: &[&str] = &[
        "a",
        "\"b\"",
        "'c'",
        "1",
        "-",
        "+",
        "(",
        ")",
        "=",
        "<",
        "and",
        "or",
        "not",
        "in",
        "between",
        "is",
        "null",
        "now()",
        "interval",
        "'1 day'",
        "coalesce(",
        ",",
        "select",
        "case",
        "date",
        "'2024-01-01'",
        "timestamp",
        "::",
        ".",
        "like",
        "true",
        "'",
        "\"",
        "--",
        "/*",
        "array[",
        "abs(",
        "exists",
        "cast(",
        "*",
        "x'00'",
        "struct",
        "lambda",
        "->",
    ];

    fn check(text: &str) {
        if let Err(errors) = parse(text) {
            let lines = text.lines().count().max(1) as u32;
            for error in errors.iter() {
                assert!(error.place.line <= lines + 1 && error.place.column >= 1, "{error}");
            }
            assert!(!errors.to_string().contains("hunter2"), "{errors}");
        }
    }

    proptest! {
        /// A damaged spec is read or refused, never a panic, and never shows what the environment holds.
        #[test]
        fn damaged_specs(cuts in prop::collection::vec((0usize..4000, 0usize..30, 0..PIECES.len()), 1..6)) {
            let mut text = include_str!("../../specs/full.yml").replace("PRIMARY_URL:-", "URL:-");
            for (at, remove, piece) in cuts {
                let bytes: Vec<usize> = text.char_indices().map(|(index, _)| index).collect();
                let from = bytes[at % bytes.len()];
                let to = text[from..].char_indices().nth(remove).map_or(text.len(), |(index, _)| from + index);
                text.replace_range(from..to, PIECES[piece]);
            }
            check(&text);
        }

        /// A condition made of anything is read or refused; what is read prints as itself.
        #[test]
        fn conditions_of_anything(words in prop::collection::vec(0..WORDS.len(), 1..12)) {
            let condition: Vec<&str> = words.into_iter().map(|word| WORDS[word]).collect();
            let text = entry(&format!("    where: {}", serde_json::Value::from(condition.join(" "))));
            check(&text);
            if let Ok(spec) = parse(&text) {
                let canonical = spec.tables[0].filter.as_ref().expect("where").value.to_string();
                prop_assert_eq!(filter(&canonical), canonical);
            }
        }

        /// What is quoted for a spec is read back from it.
        #[test]
        fn quoted_scalars_come_back(name in "[^\\x00\\x01-\\x1f\\x7f\\ufffe\\uffff]{1,20}") {
            prop_assume!(!name.trim().is_empty());
            let text = entry(&format!("    rename: {{ a: {} }}", quote_scalar(&name)));
            let spec = good(&text);
            prop_assert_eq!(&spec.tables[0].rename[0].1.value, &name);
        }
    }
}
