use super::*;
use crate::sql::{DefaultKind, Identity, LiteralDefault, SelectColumn, Selection};
use crate::value::{Date, Decimal, Key, KeyRange, Stamp, Time, encode};

fn column(name: &str, declared: &str, meaning: Type) -> Column {
    Column {
        name: name.to_owned(),
        column_type: ColumnType::new(declared, meaning),
        nullable: false,
        default: None,
        generated: None,
        identity: None,
        collation: None,
        words: Default::default(),
    }
}

fn integer(name: &str) -> Column {
    column(name, "integer", Type::Integer { bytes: 4, unsigned: false })
}

fn varchar(name: &str, max: u64) -> Column {
    let meaning = Type::Text { chars_max: Some(max), fixed: false };
    Column {
        collation: Some("default".to_owned()),
        words: Default::default(),
        ..column(name, &format!("character varying({max})"), meaning)
    }
}

fn literal(value: Value, declared: &str, meaning: Type) -> Result<String, String> {
    Postgres.literal(&value, &ColumnType::new(declared, meaning)).map_err(|why| why.reason)
}

fn text(value: &str) -> Result<String, String> {
    literal(Value::Text(value.to_owned()), "text", Type::Text { chars_max: None, fixed: false })
}

fn select(columns: Vec<SelectColumn>, key_columns: usize, selection: Selection) -> Select {
    Select {
        table: TableName::qualified("public", "t"),
        columns,
        key_columns,
        scope: None,
        selection,
        ordered: true,
        locked: false,
    }
}

fn key(domains: &[Domain], values: &[Value]) -> Key {
    let mut bytes = Vec::new();
    domains
        .iter()
        .zip(values)
        .for_each(|(domain, value)| encode(&mut bytes, domain, value).expect("a value of the domain"));
    Key::new(bytes)
}

fn condition(columns: &[(Column, Domain)], from: &[Value], to: Option<&[Value]>) -> String {
    let domains: Vec<Domain> = columns.iter().map(|(_, domain)| domain.clone()).collect();
    let range = KeyRange { from: Some(key(&domains, from)), to: to.map(|values| key(&domains, values)) };
    let columns: Vec<SelectColumn> = columns
        .iter()
        .map(|(column, domain)| SelectColumn { column: column.clone(), domain: domain.clone() })
        .collect();
    let count = columns.len();
    key_condition(&select(columns, count, Selection::Range(range)))
}

#[test]
fn identifiers_are_quoted() {
    assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
    assert_eq!(identifier("100%"), "\"100%\"");
    assert!(!identifier("a\0b").contains('\0'));
    assert_eq!(table(&TableName::qualified("s.x", "t")), "\"s.x\".\"t\"");
}

#[test]
fn texts_survive_any_session_and_editor() {
    assert_eq!(text("it's").as_deref(), Ok("'it''s'"));
    assert_eq!(text("a\\b").as_deref(), Ok("E'a\\\\b'"));
    assert_eq!(text("a\n'\t\u{1}").as_deref(), Ok("E'a\\x0A''\\x09\\x01'"));
    assert_eq!(text("\u{85}é🦀").as_deref(), Ok("E'\\u0085é🦀'"));
    assert!(text("a\0").is_err());
    let raw = literal(Value::RawText(vec![0xff]), "text", Type::Text { chars_max: None, fixed: false });
    assert!(raw.is_err());
}

#[test]
fn what_a_column_cannot_hold_is_refused() {
    let varchar = |max, fixed| Type::Text { chars_max: Some(max), fixed };
    let some = |text: &str| Value::Text(text.to_owned());
    assert!(literal(some("ééé"), "character varying(3)", varchar(3, false)).is_ok());
    assert!(literal(some("éééé"), "character varying(3)", varchar(3, false)).is_err());
    // A cast to varchar(3) would cut these blanks without a word.
    assert!(literal(some("abc  "), "character varying(3)", varchar(3, false)).is_err());
    assert!(literal(some("a "), "character(3)", varchar(3, true)).is_err());
    let small = Type::Integer { bytes: 2, unsigned: false };
    assert_eq!(literal(Value::Integer(-32_768), "smallint", small.clone()).as_deref(), Ok("-32768"));
    assert!(literal(Value::Integer(32_768), "smallint", small.clone()).is_err());
    assert_eq!(literal(Value::Boolean(true), "smallint", small).as_deref(), Ok("1"));
    assert!(literal(Value::Integer(2), "boolean", Type::Boolean).is_err());
    let decimal = |text: &str| {
        let meaning = Type::Decimal { precision: Some(5), scale: Some(2) };
        literal(Value::Decimal(Decimal::parse(text).expect("a decimal")), "numeric(5,2)", meaning)
    };
    assert_eq!(decimal("999.99").as_deref(), Ok("999.99"));
    assert_eq!(decimal("1.500").as_deref(), Ok("1.500"));
    assert_eq!(decimal("NaN").as_deref(), Ok("'NaN'::numeric"));
    for refused in ["1000", "0.001", "Infinity"] {
        assert!(decimal(refused).is_err(), "{refused}");
    }
}

#[test]
fn moments_keep_their_era_and_their_range() {
    let date = |text: &str| literal(Value::Date(Date::parse(text).expect("a date")), "date", Type::Date);
    assert_eq!(date("-0043-03-15").as_deref(), Ok("'0044-03-15 BC'::date"));
    assert_eq!(date("+10000-01-01").as_deref(), Ok("'10000-01-01'::date"));
    assert!(date("0000-00-00").is_err());
    assert!(date("-5000-01-01").is_err());
    let time =
        |micros| literal(Value::Time(Time(micros)), "time(3) without time zone", Type::Time { digits: 3 });
    assert_eq!(time(1_500_000).as_deref(), Ok("'00:00:01.500000'::time(3) without time zone"));
    assert!(time(1).is_err());
    assert!(time(-1_000).is_err());
    assert!(time(86_400_001_000).is_err());
    let stamp = |micros| {
        literal(Value::Instant(Stamp(micros)), "timestamp with time zone", Type::Instant { digits: 6 })
    };
    assert_eq!(stamp(1).as_deref(), Ok("'2000-01-01 00:00:00.000001+00'::timestamp with time zone"));
    assert_eq!(stamp(i64::MIN).as_deref(), Ok("'-infinity'::timestamp with time zone"));
    assert!(stamp(i64::MAX - 1).is_err());
}

#[test]
fn ranges_compare_whole_keys() {
    let columns = [(integer("a"), Domain::Integer { bytes: 4 }), (varchar("b", 9), Domain::Text)];
    let from = [Value::Integer(-1), Value::Text("x".into())];
    assert_eq!(
        condition(&columns, &from, Some(&from)),
        "(\"a\", \"b\" COLLATE \"C\") >= ((-1), 'x'::text) AND (\"a\", \"b\" COLLATE \"C\") < ((-1), 'x'::text)"
    );
    let nullable = [(Column { nullable: true, ..integer("a") }, Domain::Integer { bytes: 4 })];
    assert_eq!(
        condition(&nullable, &[Value::Null], Some(&[Value::Integer(1)])),
        "TRUE AND (\"a\" < 1 OR \"a\" IS NULL)"
    );
}

#[test]
fn bounds_no_row_can_have_stay_between_their_neighbours() {
    let dates =
        [(column("d", "date", Type::Date), Domain::Date), (integer("a"), Domain::Integer { bytes: 4 })];
    let impossible = Value::Date(Date::parse("0000-00-00").expect("a date of MySQL"));
    let bound = [impossible, Value::Integer(5)];
    assert_eq!(
        condition(&dates, &bound, Some(&bound)),
        "\"d\" > '-infinity'::date AND \"d\" <= '-infinity'::date"
    );
    let texts = [(varchar("b", 9), Domain::Text)];
    assert_eq!(
        condition(&texts, &[Value::Text("a\0".into())], None),
        "convert_to(\"b\"::text, 'UTF8') >= '\\x6100'::bytea"
    );
}

#[test]
fn a_select_says_which_rows_it_means() {
    let columns = vec![SelectColumn { column: varchar("b", 9), domain: Domain::Text }];
    let mut asked = select(columns, 1, Selection::Range(KeyRange::all()));
    asked.scope = Some("\"a\" = 1".to_owned());
    assert_eq!(
        render_select(&asked, Rows::Own),
        "SELECT \"b\" FROM ONLY \"public\".\"t\" WHERE (\"a\" = 1) ORDER BY \"b\" COLLATE \"C\""
    );
    asked.selection = Selection::Keys(vec![key(&[Domain::Text], &[Value::Text("x".into())])]);
    asked.locked = true;
    assert!(
        Postgres.select(&asked).starts_with("SELECT \"b\" FROM \"public\".\"t\" WHERE \"b\" IN ('x'::text)")
    );
    assert!(Postgres.select(&asked).contains("relkind = 'p'"));
    assert!(Postgres.select(&asked).ends_with(" FOR UPDATE"));
}

/// Key columns, compared as what their types mean.
fn key_parts(columns: &[Column]) -> Vec<SelectColumn> {
    let domain = |column: &Column| match column.column_type.meaning {
        Type::Integer { bytes, .. } => Domain::Integer { bytes },
        _ => Domain::Text,
    };
    columns.iter().map(|column| SelectColumn { column: column.clone(), domain: domain(column) }).collect()
}

#[test]
fn changes_are_set_wise_and_bounded() {
    let name = TableName::qualified("public", "t");
    let id = Column { identity: Some(Identity::Always), ..integer("id") };
    let columns = [id.clone(), varchar("note", 2_000)];
    let rows: Vec<Vec<Value>> =
        (0..2_000).map(|id| vec![Value::Integer(id), Value::Text("x".repeat(1_000))]).collect();
    let statements = Postgres.insert(&name, &columns, &rows).expect("writable");
    assert_eq!(statements.len(), 2);
    assert!(statements.iter().all(|sql| sql.len() <= Postgres.statement_bytes_max()));
    assert!(statements[0].starts_with(
        "INSERT INTO \"public\".\"t\" (\"id\", \"note\") OVERRIDING SYSTEM VALUE VALUES\n(0, 'xxx"
    ));
    let update = RowUpdate { key: vec![Value::Integer(1)], values: vec![Value::Null] };
    let update = Postgres.update(&name, &key_parts(&[id]), &columns[1..], &[update]).expect("writable");
    assert!(update[0].starts_with(
        "UPDATE \"public\".\"t\" AS t SET \"note\" = v.c1 FROM (VALUES\n\
         (CAST(1 AS integer), CAST(NULL AS character varying(2000)))\n) AS v (c0, c1) WHERE t.\"id\" = v.c0 AND "
    ));
    assert_eq!(Postgres.delete(&name, &key_parts(&columns[..1]), &[]), Ok(Vec::new()));
}

#[test]
fn tables_are_created_with_what_any_engine_can_say() {
    let id = Column { identity: Some(Identity::ByDefault), ..integer("id") };
    let text = DefaultKind::Literal(LiteralDefault::Text("it's".into()));
    let note = Column { default: Some(text), nullable: true, ..varchar("note", 9) };
    let definition = TableDefinition {
        name: TableName::plain("t"),
        columns: vec![id, note],
        primary_key: vec!["id".into()],
        primary_key_name: None,
        options: None,
    };
    assert_eq!(
        Postgres.create_table(&definition),
        "CREATE TABLE \"t\" (\n    \"id\" integer GENERATED BY DEFAULT AS IDENTITY NOT NULL,\n    \
         \"note\" character varying(9) DEFAULT 'it''s',\n    PRIMARY KEY (\"id\")\n)"
    );
    let unsigned = Type::Integer { bytes: 8, unsigned: true };
    assert_eq!(
        Postgres.type_for(&unsigned, true).map(|found| found.declared).as_deref(),
        Some("numeric(20,0)")
    );
    assert_eq!(Postgres.type_for(&Type::Other, false), None);
}

#[test]
fn types_are_sent_as_what_they_are_read_as() {
    let padded = column("c", "character(40)", Type::Text { chars_max: Some(40), fixed: true });
    let folded = Column {
        collation: Some("citext".to_owned()),
        words: Default::default(),
        ..column("c", "citext", Type::Text { chars_max: None, fixed: false })
    };
    let number = column("c", "oid", Type::Integer { bytes: 4, unsigned: true });
    for (column, domain, sent) in [
        (&padded, Domain::Uuid, "\"c\"::text"),
        (&padded, Domain::Text, "\"c\""),
        (&folded, Domain::Uuid, "\"c\"::text"),
        (&folded, Domain::Json { canonical: true }, "\"c\"::text"),
        (&number, Domain::Decimal { with_scale: false }, "\"c\"::int8"),
        (&number, Domain::Boolean, "\"c\"::int8"),
    ] {
        let column = SelectColumn { column: column.clone(), domain };
        assert_eq!(select::payload_expression(&column), sent);
    }
}
