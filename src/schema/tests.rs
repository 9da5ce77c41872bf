//! Pairing and domains, with the real dialects and catalogs made by hand.

use super::*;
use crate::failure::{ErrorKind, Failure};
use crate::sides::Sides;
use crate::spec::Spec;
use crate::sql::{
    Attachment, AttachmentKind, DefaultKind, Dialect, ForeignKey, ForeignKeyAction, Generated,
    LiteralDefault, TableName, mysql, postgres, sqlite,
};
use crate::value::{ColumnType, Domain, StorageClass, Type};

const POSTGRES: &dyn Dialect = &postgres::Postgres;
const MARIADB: &dyn Dialect = &mysql::MARIADB;
const SQLITE: &dyn Dialect = &sqlite::Sqlite;

fn column(name: &str, declared: &str, meaning: Type) -> Column {
    Column {
        name: name.to_owned(),
        column_type: ColumnType::new(declared, meaning),
        nullable: true,
        default: None,
        generated: None,
        identity: None,
        collation: None,
        words: Default::default(),
    }
}

fn integer(name: &str) -> Column {
    Column { nullable: false, ..column(name, "integer", Type::Integer { bytes: 4, unsigned: false }) }
}

fn text(name: &str) -> Column {
    column(name, "text", Type::Text { chars_max: None, fixed: false })
}

fn table(schema: &str, name: &str, columns: Vec<Column>) -> Table {
    let key = UniqueKey {
        name: "pk".into(),
        columns: vec![columns[0].name.clone()],
        primary: true,
        total: true,
        deferrable: false,
    };
    Table {
        name: TableName::qualified(schema, name),
        columns,
        keys: vec![key],
        unique_indexes: Vec::new(),
        foreign_keys: Vec::new(),
        sequences: Vec::new(),
        attachments: Vec::new(),
        stored: Default::default(),
        options: None,
        triggers: Vec::new(),
        checked: Vec::new(),
        layout: Default::default(),
        rows_estimate: None,
        hidden_rows: None,
    }
}

fn catalog(tables: Vec<Table>) -> Catalog {
    Catalog { default_schema: Some("public".into()), tables: tables.into(), ..Catalog::default() }
}

fn spec(tables: &str) -> Spec {
    let text =
        format!("version: 1\nprimary: postgres://h/a\nreplicas: {{ r: postgres://h/b }}\ntables: {tables}\n");
    Spec::parse(&text, "spec.yml", &|_| None).expect("the spec of a test is valid")
}

fn pairs(spec: &Spec, primary: &Catalog, replica: &Catalog) -> Vec<Result<Pairing, Failure>> {
    let databases = Databases {
        dialects: Sides::new(POSTGRES, POSTGRES),
        replica,
        primary_default: Some("public"),
        primary_enums: &[],
        primary_extensions: &Default::default(),
        now: jiff::Timestamp::UNIX_EPOCH,
        selected: &Default::default(),
        chosen: &Default::default(),
        allowed: &[],
    };
    let selected = select_tables(spec, primary, &[]);
    selected.iter().map(|selected| pair_table(spec, selected, &databases)).collect()
}

fn only_pair(tables: &str, primary: Table, replica: Option<Table>) -> Result<Pairing, Failure> {
    let spec = spec(tables);
    pairs(&spec, &catalog(vec![primary]), &catalog(replica.into_iter().collect())).remove(0)
}

#[test]
fn the_domain_is_the_same_whichever_side_is_the_primary() {
    let types = [
        ColumnType::new("boolean", Type::Boolean),
        ColumnType::new("tinyint(1)", Type::Integer { bytes: 1, unsigned: false }),
        ColumnType::new("bigint unsigned", Type::Integer { bytes: 8, unsigned: true }),
        ColumnType::new("numeric(10,2)", Type::Decimal { precision: Some(10), scale: Some(2) }),
        ColumnType::new("numeric(20,0)", Type::Decimal { precision: Some(20), scale: Some(0) }),
        ColumnType::new("REAL", Type::Float64),
        ColumnType::new("real", Type::Float32),
        ColumnType::new("char(3)", Type::Text { chars_max: Some(3), fixed: true }),
        ColumnType::new("text", Type::Text { chars_max: None, fixed: false }),
        ColumnType::new("timestamp", Type::DateTime { digits: 6 }),
        ColumnType::new("timestamptz", Type::Instant { digits: 6 }),
        ColumnType::new("json", Type::JsonText),
        ColumnType::new("jsonb", Type::Json),
        ColumnType::new("interval", Type::Other),
    ];
    let dialects = [POSTGRES, MARIADB, SQLITE];
    for (a, b) in types.iter().flat_map(|a| types.iter().map(move |b| (a, b))) {
        for (x, y) in dialects.iter().flat_map(|x| dialects.iter().map(move |y| (*x, *y))) {
            let there = choose_domain(Sides::new(a, b), Sides::new(x, y));
            let back = choose_domain(Sides::new(b, a), Sides::new(y, x));
            assert_eq!(there, back, "{} and {}", a.declared, b.declared);
        }
    }
}

#[test]
fn exact_domains_and_none() {
    let ty = |declared: &str, meaning| ColumnType::new(declared, meaning);
    let on = |a: &ColumnType, x, b: &ColumnType, y| choose_domain(Sides::new(a, b), Sides::new(x, y));
    let integer = ty("integer", Type::Integer { bytes: 4, unsigned: false });
    let unsigned = ty("bigint unsigned", Type::Integer { bytes: 8, unsigned: true });
    assert_eq!(on(&integer, POSTGRES, &unsigned, MARIADB), Some(Domain::Integer { bytes: 16 }));
    assert_eq!(on(&integer, POSTGRES, &integer, POSTGRES), Some(Domain::Integer { bytes: 4 }));
    let numeric = ty("numeric", Type::Decimal { precision: None, scale: None });
    let scaled = ty("numeric(9,2)", Type::Decimal { precision: Some(9), scale: Some(2) });
    assert_eq!(on(&numeric, POSTGRES, &numeric, POSTGRES), Some(Domain::Decimal { with_scale: true }));
    assert_eq!(on(&numeric, POSTGRES, &scaled, POSTGRES), Some(Domain::Decimal { with_scale: false }));
    let twenty = ty("numeric(20,0)", Type::Decimal { precision: Some(20), scale: Some(0) });
    assert_eq!(on(&unsigned, MARIADB, &twenty, POSTGRES), Some(Domain::Integer { bytes: 16 }));
    assert_eq!(on(&integer, MARIADB, &numeric, POSTGRES), Some(Domain::Decimal { with_scale: false }));
    let (moment, local) =
        (ty("timestamptz", Type::Instant { digits: 6 }), ty("datetime", Type::DateTime { digits: 0 }));
    assert_eq!(on(&moment, POSTGRES, &local, MARIADB), None);
    let zoned = ty("datetime", Type::Zoned { digits: 0, offset_minutes: 120 });
    assert_eq!(on(&moment, POSTGRES, &zoned, MARIADB), Some(Domain::Instant));
    let (other, interval) = (ty("point", Type::Other), ty("interval", Type::Printed));
    let text = ty("text", Type::Text { chars_max: None, fixed: false });
    assert_eq!(on(&other, POSTGRES, &other, POSTGRES), Some(Domain::Native));
    assert_eq!(on(&interval, POSTGRES, &interval, POSTGRES), Some(Domain::Native));
    assert_eq!(on(&interval, POSTGRES, &text, SQLITE), Some(Domain::Text));
    assert_eq!(on(&other, POSTGRES, &text, SQLITE), None);
    let bits = |length| ty("bit", Type::Bits { length });
    let truth = ty("boolean", Type::Boolean);
    assert_eq!(on(&bits(1), MARIADB, &truth, POSTGRES), Some(Domain::Boolean));
    assert_eq!(on(&bits(2), MARIADB, &truth, POSTGRES), None);
    let double = ty("double", Type::Float64);
    assert_eq!(on(&scaled, POSTGRES, &double, MARIADB), None);
    assert_eq!(on(&scaled, POSTGRES, &double, SQLITE), Some(Domain::Decimal { with_scale: false }));
    assert_eq!(on(&double, POSTGRES, &scaled, SQLITE), None);
    assert_eq!(on(&other, POSTGRES, &other, MARIADB), None);
    let whatever = ty("", Type::Other);
    assert_eq!(on(&whatever, SQLITE, &whatever, SQLITE), Some(Domain::Storage { expected: None }));
    assert_eq!(
        on(&integer, SQLITE, &integer, SQLITE),
        Some(Domain::Storage { expected: Some(StorageClass::Integer) })
    );
}

#[test]
fn an_explicit_entry_wins_over_a_glob_and_each_table_comes_once() {
    let primary = catalog(vec![
        table("public", "b", vec![integer("id")]),
        table("public", "a", vec![integer("id")]),
        table("other", "c", vec![integer("id")]),
        table("public", "_trueup_x", vec![integer("id")]),
        table("public", "old_backup", vec![integer("id")]),
    ]);
    let text = "version: 1\nprimary: postgres://h/a\nreplicas: { r: postgres://h/b }\n\
                tables: [\"*\", \"b*\", { table: b, delete: false }, \"other.*\"]\nskip_tables: [\"*_backup\"]\n";
    let spec = Spec::parse(text, "spec.yml", &|_| None).expect("the spec of a test is valid");
    let selected = select_tables(&spec, &primary, &[]);
    let names: Vec<_> =
        selected.iter().map(|selected| (selected.name.as_str(), selected.entry.delete)).collect();
    assert_eq!(names, [("a", true), ("b", false), ("other.c", true)]);
}

#[test]
fn what_the_spec_names_and_nobody_has_is_an_error_with_its_place() {
    let primary = table("public", "orders", vec![integer("id"), text("note")]);
    let cases = [
        ("[order]", ErrorKind::Missing, "spec.yml:4:10: the primary has no table order"),
        ("[\"x*\"]", ErrorKind::Missing, "spec.yml:4:10: no table of the primary matches x*"),
        ("[{ table: orders, columns: [id, nota] }]", ErrorKind::Missing, "has no column nota"),
        ("[{ table: orders, where: \"total > 1\" }]", ErrorKind::Missing, "has no column total"),
        ("[{ table: orders, exclude_columns: [id] }]", ErrorKind::Key, "part of the key"),
        ("[{ table: orders, compare: { id: ignore } }]", ErrorKind::Key, "part of the key"),
        (
            "[{ table: orders, compare: { note: { zone: UTC } } }]",
            ErrorKind::Type,
            "4:38: `zone` is for a date-time",
        ),
    ];
    for (tables, kind, words) in cases {
        let failure = only_pair(tables, primary.clone(), Some(primary.clone())).expect_err(tables);
        assert_eq!(failure.kind, kind, "{tables}");
        assert!(failure.message.contains(words), "{tables}: {}", failure.message);
    }
    let failure = only_pair("[order]", primary, None).expect_err("order is missing");
    assert_eq!(failure.hint.as_deref(), Some("did you mean orders?"));
}

#[test]
fn columns_come_key_first_then_compared_then_ignored() {
    let columns = vec![text("a"), integer("id"), text("b"), text("c"), integer("region")];
    let mut primary = table("public", "t", columns);
    primary.keys[0].columns = vec!["region".into(), "id".into()];
    let mut replica = primary.clone();
    replica.columns[3].generated = Some(Generated::Stored);
    replica.columns.push(text("only_here"));
    let pairing = only_pair("[{ table: t, compare: { a: ignore } }]", primary, Some(replica)).expect("pairs");
    let names: Vec<_> = pairing.pair.columns.iter().map(ColumnPair::name).collect();
    assert_eq!(names, ["region", "id", "b", "a"], "c is generated on the replica");
    assert_eq!((pairing.pair.key_columns, pairing.pair.compared_columns), (2, 3));
    let extra: Vec<_> = pairing.pair.replica_extra.iter().map(|extra| extra.column.name.as_str()).collect();
    assert_eq!(extra, ["only_here"]);
}

#[test]
fn missing_structure_is_created_and_other_differences_are_named() {
    let mut primary = table("public", "t", vec![integer("id"), text("note")]);
    let pairing = only_pair("[t]", primary.clone(), None).expect("pairs");
    assert_eq!(pairing.schema_changes[0].action, SchemaAction::CreateTable);
    assert!(pairing.pair.replica_missing);

    let smaller = table("public", "t", vec![integer("id")]);
    let pairing = only_pair("[t]", primary.clone(), Some(smaller.clone())).expect("pairs");
    assert_eq!(pairing.schema_changes[0].object, "t.note");
    assert!(!pairing.schema_changes[0].withheld && !pairing.pair.columns[1].on_replica);

    let check = "[{ table: t, schema: check }]";
    let pairing = only_pair(check, primary.clone(), Some(smaller.clone())).expect("pairs");
    assert!(pairing.schema_changes[0].withheld);
    assert_eq!(pairing.pair.columns.len(), 1, "the missing column is reported, the rest is compared");

    let ignore = "[{ table: t, schema: ignore }]";
    let failure = only_pair(ignore, primary.clone(), Some(smaller)).expect_err("a column is missing");
    assert_eq!(failure.kind, ErrorKind::Missing);

    let mut other = primary.clone();
    other.columns[1].nullable = false;
    let changes = only_pair("[t]", primary.clone(), Some(other.clone())).expect("pairs").schema_changes;
    let words = |text: &str| Some(text.to_owned());
    assert_eq!((changes.len(), changes[0].action), (1, SchemaAction::AlterColumn));
    assert_eq!(changes[0].before, words("note text NOT NULL"));
    assert_eq!(changes[0].after, words("note text"));
    assert!(!changes[0].comes_last(), "NULLs can only be written once they are taken");
    assert!(only_pair(ignore, primary.clone(), Some(other)).is_ok());

    let mut other = primary.clone();
    other.columns[1].default = Some(DefaultKind::Literal(LiteralDefault::Text("it's".into())));
    let changes = only_pair("[t]", primary.clone(), Some(other)).expect("pairs").schema_changes;
    assert_eq!(changes[0].before, words("note text DEFAULT 'it''s'"));
    assert!(changes[0].sql[1].ends_with("DROP DEFAULT"), "{:?}", changes[0].sql);

    let with = |literal| {
        let mut table = primary.clone();
        table.columns[1].default = Some(DefaultKind::Literal(literal));
        table
    };
    let (yes, one) = (with(LiteralDefault::Boolean(true)), with(LiteralDefault::Number("1.0".into())));
    assert!(only_pair("[t]", yes, Some(one)).is_ok(), "the same default, kept in another way");

    primary.columns[1].nullable = false;
    let without = table("public", "t", vec![integer("id")]);
    let changes = only_pair("[t]", primary.clone(), Some(without.clone())).expect("pairs").schema_changes;
    let order: Vec<_> = changes.iter().map(|change| (change.action, change.comes_last())).collect();
    assert_eq!(
        order,
        [(SchemaAction::AddColumn, false), (SchemaAction::AlterColumn, true)],
        "filled in between"
    );
    primary.columns[1].default = Some(DefaultKind::Literal(LiteralDefault::Text("x".into())));
    assert!(only_pair("[t]", primary, Some(without)).is_ok());
}

#[test]
fn a_table_without_a_key_is_paired_by_whole_rows_and_one_with_hidden_rows_is_refused() {
    let mut primary = table("public", "t", vec![integer("id"), text("note")]);
    primary.keys.clear();
    let pairing = only_pair("[t]", primary.clone(), Some(primary.clone())).expect("it pairs");
    assert!(pairing.pair.is_keyless() && !pairing.pair.is_ordered());
    let excused = |spec: &str| only_pair(spec, primary.clone(), Some(primary.clone()));
    let failure =
        excused("[{ table: t, compare: { note: { trim: true } } }]").expect_err("no row is another's");
    assert_eq!(failure.kind, ErrorKind::Key);
    assert!(only_pair("[{ table: t, key: [id] }]", primary.clone(), Some(primary.clone())).is_ok());
    primary.hidden_rows = Some("row-level security is on".into());
    let failure = only_pair("[{ table: t, key: [id] }]", primary.clone(), Some(primary)).expect_err("hidden");
    assert_eq!(failure.kind, ErrorKind::Permission);
}

#[test]
fn the_unique_key_with_the_fewest_columns_stands_in_for_a_primary_key() {
    let mut primary = table("public", "t", vec![integer("a"), integer("b"), integer("c")]);
    let key = |name: &str, columns: &[&str]| UniqueKey {
        name: name.into(),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        primary: false,
        total: true,
        deferrable: false,
    };
    primary.keys = vec![key("z", &["a", "b"]), key("y", &["c"]), key("x", &["b"])];
    let pairing = only_pair("[t]", primary.clone(), Some(primary)).expect("pairs");
    assert_eq!(pairing.pair.key()[0].name(), "b");
}

#[test]
fn all_that_is_wrong_with_a_table_is_told_at_once() {
    let spec = spec("[{ table: t, exclude_columns: [nme], rename: { id2: x }, where: \"w > 1\" }]");
    let odd = || column("b", "inet", Type::Other);
    let primary = catalog(vec![table("public", "t", vec![integer("id"), text("name"), odd()])]);
    let replica = catalog(vec![table("public", "t", vec![integer("id"), text("name"), text("b")])]);
    let databases = Databases {
        dialects: Sides::new(POSTGRES, POSTGRES),
        replica: &replica,
        primary_default: Some("public"),
        primary_enums: &[],
        primary_extensions: &Default::default(),
        now: jiff::Timestamp::UNIX_EPOCH,
        selected: &Default::default(),
        chosen: &Default::default(),
        allowed: &[],
    };
    let selected = select_tables(&spec, &primary, &[]);
    let problems = pair_or_problems(&spec, &selected[0], &databases).expect_err("much is wrong");
    let words = ["no column nme", "no column id2", "no column w", "no exact common domain"];
    assert_eq!(problems.len(), words.len(), "{problems:#?}");
    for word in words {
        assert!(problems.iter().any(|problem| problem.message.contains(word)), "{word}: {problems:#?}");
    }
    assert_eq!(primary_problems(&spec, &selected[0])[..], problems[..3]);
}

#[test]
fn an_option_that_can_excuse_nothing_in_its_column_is_an_error() {
    let columns =
        || vec![integer("id"), text("note"), column("at", "timestamp", Type::DateTime { digits: 6 })];
    let paired = |compare: &str| {
        let tables = format!("[{{ table: t, compare: {{ {compare} }} }}]");
        only_pair(&tables, table("public", "t", columns()), Some(table("public", "t", columns())))
    };
    let failure = paired("note: { tolerance: 0.5 }").expect_err("a text is no number");
    assert_eq!(failure.kind, ErrorKind::Type);
    assert!(failure.message.starts_with("spec.yml:4:"), "{failure}");
    for compare in ["note: { precision: seconds }", "at: { trim: true }", "at: { case: ignore }"] {
        assert!(paired(compare).is_err(), "{compare}");
    }
    for compare in ["note: { trim: true, case: ignore }", "at: { precision: seconds }", "note: ignore"] {
        assert!(paired(compare).is_ok(), "{compare}");
    }
}

fn points(at: &TableName) -> ForeignKey {
    ForeignKey {
        name: format!("to_{}", at.name),
        columns: vec!["id".into()],
        table: at.clone(),
        referenced: vec!["id".into()],
        on_delete: ForeignKeyAction::NoAction,
        on_update: ForeignKeyAction::NoAction,
        deferrable: false,
        whole: false,
    }
}

#[test]
fn tables_are_found_by_name_as_by_looking_at_each() {
    let names = ["t", "T", "ä", "Ä", "ΑΣ", "ας", "ασ", "straße", "STRASSE", "s", "ſ", "İ", "i", "", " t"];
    let schemas = ["public", "Public", "other"];
    let named = || schemas.iter().flat_map(|schema| names.iter().map(move |name| (*schema, *name)));
    let mut tables: Vec<Table> =
        named().map(|(schema, name)| table(schema, name, vec![integer("id")])).collect();
    // What is left out must not be found, and what comes later in the catalog not before what comes first.
    tables.retain(|table| table.name.name != "Ä");
    tables.reverse();
    let targets: Vec<TableName> = named().map(|(schema, name)| TableName::qualified(schema, name)).collect();
    for (place, table) in tables.iter_mut().enumerate() {
        table.foreign_keys =
            (0..place % 4).map(|key| points(&targets[(place * 7 + key * 5) % targets.len()])).collect();
    }
    for folding in [Folding::None, Folding::Ascii, Folding::Unicode] {
        let catalog = Catalog { folding, ..catalog(tables.clone()) };
        for name in &targets {
            let exact = tables.iter().find(|table| table.name == *name);
            let is_one = |one: &str, other: &str| match folding {
                Folding::None => one == other,
                Folding::Ascii => one.eq_ignore_ascii_case(other),
                Folding::Unicode => one.to_lowercase() == other.to_lowercase(),
            };
            let one =
                |table: &&Table| table.name.schema == name.schema && is_one(&table.name.name, &name.name);
            assert_eq!(catalog.table(name), exact, "{name}");
            assert_eq!(catalog.meant(name), exact.or_else(|| tables.iter().find(one)), "{name} {folding:?}");
            let pointing =
                tables.iter().flat_map(|table| table.foreign_keys.iter().map(move |key| (table, key)));
            let pointing = pointing.filter(|(_, key)| key.table == *name);
            let pointing =
                pointing.map(|(table, key)| Dependent { table: table.name.clone(), key: key.clone() });
            assert_eq!(dependents(&catalog, name), pointing.collect::<Vec<_>>(), "{name}");
        }
        assert_eq!(catalog.table(&TableName::plain("t")), None);
    }
}

#[test]
fn a_table_that_gets_another_name_is_found_by_that_alone() {
    let mut catalog =
        catalog(vec![table("public", "a", vec![integer("id")]), table("public", "b", vec![integer("id")])]);
    let [a, b, c] = ["a", "b", "c"].map(|name| TableName::qualified("public", name));
    assert!(catalog.table(&a).is_some() && dependents(&catalog, &b).is_empty());
    let before = catalog.clone();
    catalog.tables[0].name = c.clone();
    catalog.tables[0].foreign_keys.push(points(&b));
    assert!(catalog.table(&a).is_none() && catalog.table(&c).is_some());
    assert_eq!(dependents(&catalog, &b)[0].table, c);
    assert!(before.table(&a).is_some() && before != catalog);
    catalog.tables[0].foreign_keys.clear();
    catalog.tables[0].name = a;
    // One that has been looked into and one that has not are equal.
    assert_eq!(before, catalog);
}

#[test]
fn names_that_are_given_are_taken_in_any_letters() {
    let mut one = table("public", "Orders", vec![integer("id")]);
    one.attachments = ["By_Day", "by_day", "own"]
        .map(|name| Attachment::over(AttachmentKind::Index, name.to_owned(), &[]))
        .into();
    let tables = catalog(vec![one]).tables;
    for name in ["orders", "ORDERS", "by_DAY", "Own"] {
        assert!(tables.have_name(name, &[]), "{name}");
    }
    assert!(tables.have_name("orders", &["Orders"]), "a table's own name is not given up");
    assert!(tables.have_name("by_day", &["By_Day"]) && !tables.have_name("by_day", &["By_Day", "by_day"]));
    assert!(!tables.have_name("own", &["own"]) && !tables.have_name("other", &[]));
}

#[test]
fn what_is_selected_is_found_by_its_name_on_the_primary_and_by_types() {
    let mood = || column("feels", "mood", Type::Enum { members: vec!["sad".into()] });
    let moods = || column("felt", "mood[]", Type::Other);
    let primary = catalog(vec![
        table("public", "b", vec![integer("id"), mood(), moods()]),
        table("public", "a", vec![integer("id"), moods()]),
        table("public", "c", vec![integer("id")]),
    ]);
    let spec = spec("['*', gone]");
    let selected = select_tables(&spec, &primary, &[]);
    let names: Vec<&str> = selected.iter().map(|selected| selected.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "gone"]);
    for name in &names {
        let found = selected.of(&TableName::qualified("public", *name)).map(|found| found.name.as_str());
        assert_eq!(found, Some(*name).filter(|name| *name != "gone"));
        assert!(selected.of(&TableName::qualified("other", *name)).is_none());
    }
    let with =
        |declared| -> Vec<&str> { selected.with_type(declared).map(|found| found.name.as_str()).collect() };
    assert_eq!(with("mood"), ["a", "b"]);
    assert_eq!(with("integer"), ["a", "b", "c"]);
    assert!(with("mood[]").is_empty());
}
