//! Unit tests of the dialect; what a server makes of it is tested in tests/engine_mysql.rs.

use super::*;
use crate::sql::expression::{Comparison, Literal, Operand, Predicate};
use crate::sql::{LiteralDefault, SelectColumn, Selection};
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

fn int(name: &str) -> Column {
    column(name, "int", Type::Integer { bytes: 4, unsigned: false })
}

fn varchar(name: &str, collation: Option<&str>) -> Column {
    let meaning = Type::Text { chars_max: Some(5), fixed: false };
    Column { collation: collation.map(str::to_owned), ..column(name, "varchar(5)", meaning) }
}

fn literal_of(value: Value, declared: &str, meaning: Type) -> Result<String, String> {
    MARIADB.literal(&value, &ColumnType::new(declared, meaning)).map_err(|why| why.reason)
}

fn read(columns: Vec<(Column, Domain)>, key_columns: usize, selection: Selection) -> String {
    MARIADB.select(&Select {
        table: TableName::qualified("shop", "or`ders"),
        columns: columns.into_iter().map(|(column, domain)| SelectColumn { column, domain }).collect(),
        key_columns,
        scope: Some("`x` = 1".to_owned()),
        selection,
        ordered: true,
        locked: false,
    })
}

fn key(domains: &[Domain], values: &[Value]) -> Key {
    let mut bytes = Vec::new();
    for (domain, value) in domains.iter().zip(values) {
        encode(&mut bytes, domain, value).expect("a value of the domain");
    }
    Key::new(bytes)
}

#[test]
fn composite_bounds_are_expanded_with_the_leading_column_alone() {
    let domains = [Domain::Integer { bytes: 4 }, Domain::Integer { bytes: 4 }];
    let bound = |a: i128, b: i128| Some(key(&domains, &[Value::Integer(a), Value::Integer(b)]));
    let range = KeyRange { from: bound(1, 2), to: bound(3, 4) };
    let columns = vec![(int("a"), domains[0].clone()), (int("b"), domains[1].clone())];
    assert_eq!(
        read(columns, 2, Selection::Range(range)),
        "SELECT `a`, `b` FROM `shop`.`or``ders` WHERE `a` >= 1 AND (`a` > 1 OR (`a` = 1 AND `b` >= 2)) \
         AND (`a` < 3 OR `a` = 3) AND (`a` < 3 OR (`a` = 3 AND `b` < 4)) AND (`x` = 1) ORDER BY `a`, `b`"
    );
}

#[test]
fn text_keys_compare_by_their_bytes() {
    let domain = Domain::Text;
    let range =
        KeyRange { from: Some(key(std::slice::from_ref(&domain), &[Value::Text("a".to_owned())])), to: None };
    let plain = read(vec![(varchar("k", None), domain.clone())], 1, Selection::Range(range.clone()));
    assert!(plain.contains("WHERE `k` >= 'a' AND") && plain.ends_with("ORDER BY `k`"), "{plain}");
    let folded = varchar("k", Some("utf8mb4_general_ci"));
    assert!(MARIADB.order_needs_sort(&folded, &domain));
    let sql = read(vec![(folded.clone(), domain.clone())], 1, Selection::Range(range.clone()));
    assert!(sql.contains("CAST(CONVERT(`k` USING utf8mb4) AS BINARY) >= x'61'"), "{sql}");
    let keys = vec![range.from.expect("it has a start")];
    let sql = read(vec![(folded, domain)], 1, Selection::Keys(keys));
    assert!(sql.contains("`k` IN ('a') AND CAST(CONVERT(`k` USING utf8mb4) AS BINARY) IN (x'61')"), "{sql}");
}

#[test]
fn bounds_that_no_column_holds_still_bound() {
    let range = |value: Value, domain: Domain, column: Column| {
        let to = Some(key(std::slice::from_ref(&domain), &[value]));
        read(vec![(column, domain)], 1, Selection::Range(KeyRange { from: None, to }))
    };
    let date = |text: &str| Value::Date(Date::parse(text).expect("a date"));
    let day = || column("d", "date", Type::Date);
    assert!(range(Value::Date(Date(i32::MAX)), Domain::Date, day()).contains("WHERE TRUE"));
    assert!(range(Value::Date(Date(i32::MIN)), Domain::Date, day()).contains("WHERE FALSE"));
    assert!(range(date("+10000-01-01"), Domain::Date, day()).contains("WHERE TRUE"));
    assert!(range(date("-0044-03-15"), Domain::Date, day()).contains("`d` < '0000-01-01'"));
    let stamp = |text: &str| Value::Instant(Stamp::parse(text).expect("a stamp").0);
    let moment = || column("t", "timestamp", Type::Instant { digits: 0 });
    let late = range(stamp("2050-01-01 00:00:00"), Domain::Instant, moment());
    assert!(late.contains("CAST(`t` AS DATETIME(6)) < '2050-01-01 00:00:00'"), "{late}");
    let early = range(stamp("1900-01-01 00:00:00"), Domain::Instant, moment());
    assert!(early.contains("`t` < '1970-01-01 00:00:01'"), "{early}");
}

#[test]
fn literals_are_exact_or_refused() {
    let text = |chars_max, fixed| Type::Text { chars_max, fixed };
    let is = |literal: Result<String, String>, expected: &str| assert_eq!(literal.as_deref(), Ok(expected));
    let no = |literal: Result<String, String>| assert!(literal.is_err(), "{literal:?}");
    let words = |value: &str| Value::Text(value.to_owned());
    is(literal_of(words("it's"), "varchar(5)", text(Some(5), false)), "'it''s'");
    is(literal_of(words("a\\b"), "varchar(5)", text(Some(5), false)), "_utf8mb4 x'615c62'");
    is(literal_of(words("é\0"), "varchar(5)", text(Some(5), false)), "_utf8mb4 x'c3a900'");
    is(literal_of(words("ééééé"), "varchar(5)", text(Some(5), false)), "_utf8mb4 x'c3a9c3a9c3a9c3a9c3a9'");
    no(literal_of(words("abcdef"), "varchar(5)", text(Some(5), false)));
    no(literal_of(words(&"é".repeat(200)), "tinytext", text(Some(255), false)));
    no(literal_of(words("a "), "char(5)", text(Some(5), true)));
    no(literal_of(words("🦀"), "varchar(5) CHARACTER SET utf8mb3", text(Some(5), false)));
    no(literal_of(words("λ"), "varchar(5) CHARACTER SET latin1", text(Some(5), false)));
    is(literal_of(words("€"), "varchar(5) CHARACTER SET latin1", text(Some(5), false)), "_utf8mb4 x'e282ac'");
    no(literal_of(Value::RawText(vec![255]), "text", text(None, false)));
    let integer = |bytes, unsigned| Type::Integer { bytes, unsigned };
    is(
        literal_of(Value::Integer(u64::MAX.into()), "bigint unsigned", integer(8, true)),
        "18446744073709551615",
    );
    no(literal_of(Value::Integer(u64::MAX.into()), "bigint", integer(8, false)));
    no(literal_of(Value::Integer(-1), "bigint unsigned", integer(8, true)));
    no(literal_of(Value::Integer(8_388_608), "mediumint", integer(3, false)));
    is(literal_of(Value::Boolean(true), "tinyint(1)", integer(1, false)), "1");
    let decimal = |text: &str| Value::Decimal(Decimal::parse(text).expect("a decimal"));
    let money = Type::Decimal { precision: Some(5), scale: Some(2) };
    is(literal_of(decimal("-123.450"), "decimal(5,2)", money.clone()), "-123.45");
    no(literal_of(decimal("1234"), "decimal(5,2)", money.clone()));
    no(literal_of(decimal("1.234"), "decimal(5,2)", money.clone()));
    no(literal_of(decimal("NaN"), "decimal(5,2)", money));
    is(literal_of(Value::Float64(0.1), "double", Type::Float64), "1e-1");
    no(literal_of(Value::Float64(f64::INFINITY), "double", Type::Float64));
    let version_8_and_variant = |ninth: u8| {
        let mut bytes = [0; 16];
        (bytes[6], bytes[8]) = (0x80, ninth);
        literal_of(Value::Uuid(bytes), "uuid", Type::Uuid)
    };
    no(version_8_and_variant(0x01));
    no(version_8_and_variant(0x80));
    assert!(version_8_and_variant(0x00).is_ok() && version_8_and_variant(0x81).is_ok());
    no(literal_of(Value::Float64(-0.0), "double", Type::Float64));
    no(literal_of(Value::Float64(0.1), "float", Type::Float32));
    no(literal_of(Value::Bytes(vec![1]), "binary(2)", Type::Bytes { bytes_max: Some(2), fixed: true }));
}

#[test]
fn moments_that_do_not_fit_are_refused() {
    let stamp = |text: &str| Stamp::parse(text).expect("a stamp").0;
    let moment =
        |text: &str, digits| literal_of(Value::Instant(stamp(text)), "timestamp", Type::Instant { digits });
    assert_eq!(moment("2024-01-02 03:04:05", 0).as_deref(), Ok("'2024-01-02 03:04:05'"));
    assert_eq!(moment("0000-00-00 00:00:00", 0).as_deref(), Ok("'0000-00-00 00:00:00'"));
    for (text, digits) in [
        ("1970-01-01 00:00:00", 0),
        ("2110-01-01 00:00:00", 0),
        ("2024-02-00 00:00:00", 0),
        ("2024-01-01 00:00:00.5", 0),
    ] {
        assert!(moment(text, digits).is_err(), "{text}");
    }
    let late = Value::Instant(stamp("2040-01-01 00:00:00"));
    let longest = Value::Time(Time(literal::TIME_MAX_WHOLE + 1));
    let time = ColumnType::new("time(6)", Type::Time { digits: 6 });
    assert!(MYSQL.literal(&longest, &time).is_err() && MARIADB.literal(&longest, &time).is_ok());
    assert!(MYSQL.literal(&late, &ColumnType::new("timestamp", Type::Instant { digits: 0 })).is_err());
    let day = |date| literal_of(Value::Date(date), "date", Type::Date);
    assert!(day(Date(i32::MAX)).is_err() && day(Date::new(10_000, 1, 1).expect("a date")).is_err());
    let hours =
        |hours: i64| literal_of(Value::Time(Time(hours * 3_600_000_000)), "time", Type::Time { digits: 0 });
    assert!(hours(838).is_ok() && hours(839).is_err() && hours(-839).is_err());
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
fn changes_are_set_wise_and_short_enough() {
    let table = TableName::plain("t");
    let columns = [int("id"), varchar("v", Some("utf8mb4_general_ci"))];
    let row = |id: i128| vec![Value::Integer(id), Value::Text("x".to_owned())];
    let rows: Vec<_> = (0..12_000).map(row).collect();
    let inserts = MARIADB.insert(&table, &columns, &rows).expect("writable");
    assert_eq!(inserts.len(), 3);
    assert!(inserts.iter().all(|sql| sql.len() < MARIADB.statement_bytes_max()));
    let keys = [vec![Value::Integer(1)], vec![Value::Integer(2)]];
    assert_eq!(
        MARIADB.delete(&table, &key_parts(&columns[..1]), &keys).expect("writable"),
        ["DELETE FROM `t` WHERE `id` IN (1, 2)"]
    );
    let update =
        |id, v: &str| RowUpdate { key: vec![Value::Integer(id)], values: vec![Value::Text(v.to_owned())] };
    let two = [update(1, "a"), update(2, "b")];
    assert_eq!(
        MARIADB.update(&table, &key_parts(&columns[..1]), &columns[1..], &two).expect("writable"),
        [
            "UPDATE (SELECT 1 AS k0, _utf8mb4 'a' AS c0 UNION ALL VALUES (2, _utf8mb4 'b')) d STRAIGHT_JOIN `t` t \
          ON t.`id` = d.k0 SET t.`v` = d.c0"
        ]
    );
    let mysql = MYSQL.update(&table, &key_parts(&columns[..1]), &columns[1..], &two).expect("writable");
    assert!(mysql[0].contains("UNION ALL SELECT 2, "), "{mysql:?}");
    let touched = Column {
        default: Some(DefaultKind::Expression(
            "current_timestamp() ON UPDATE current_timestamp()".to_owned(),
        )),
        ..column("at", "timestamp", Type::Instant { digits: 0 })
    };
    assert!(MARIADB.rewrites_itself(&touched));
    let kept =
        MARIADB.update_keeping(&table, &key_parts(&columns[..1]), &columns[1..], &[touched], &two[..1]);
    assert_eq!(kept.expect("writable"), ["UPDATE `t` SET `v` = 'a', `at` = `at` WHERE `id` IN (1)"]);
    let long = MARIADB.insert(&table, &columns[1..], &[vec![Value::Text("too long".to_owned())]]);
    assert!(long.is_err_and(|why| why.reason.contains("`v`")));
}

#[test]
fn tables_are_made_to_compare_by_code_point() {
    let mut id = int("id");
    id.identity = Some(crate::sql::Identity::ByDefault);
    let mut name = varchar("name", None);
    name.default = Some(DefaultKind::Literal(LiteralDefault::Text("it's".to_owned())));
    let mut note = varchar("note", Some("utf8mb4_unicode_ci"));
    note.nullable = true;
    let at = column("at", "timestamp", Type::Instant { digits: 0 });
    let definition = TableDefinition {
        name: TableName::plain("t"),
        columns: vec![id, name, note, at],
        primary_key: vec!["id".to_owned()],
        primary_key_name: None,
        options: None,
    };
    assert_eq!(
        MARIADB.create_table(&definition),
        "CREATE TABLE `t` (\n  `id` int NOT NULL AUTO_INCREMENT,\n  \
         `name` varchar(5) COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT 'it''s',\n  \
         `note` varchar(5) COLLATE utf8mb4_unicode_ci NULL,\n  \
         `at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,\n  PRIMARY KEY (`id`)\n) \
         ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin"
    );
    let id = Column { nullable: true, ..int("id") };
    let key = TableDefinition {
        name: TableName::plain("t"),
        columns: vec![id],
        primary_key: vec!["id".to_owned()],
        primary_key_name: None,
        options: None,
    };
    assert!(MYSQL.create_table(&key).contains("`id` int NOT NULL,"), "MySQL refuses a key that may be NULL");
    let declared = |meaning: Type, key| MARIADB.type_for(&meaning, key).map(|made| made.declared);
    let text = |chars_max| Type::Text { chars_max, fixed: false };
    assert_eq!(declared(text(None), false).as_deref(), Some("longtext"));
    assert_eq!(declared(text(None), true).as_deref(), Some("varchar(255)"));
    assert_eq!(declared(text(Some(5_000)), false).as_deref(), Some("text"));
    assert_eq!(declared(Type::Uuid, true).as_deref(), Some("uuid"));
    assert_eq!(MYSQL.type_for(&Type::Uuid, true).map(|made| made.declared).as_deref(), Some("char(36)"));
    let (json, uuid) = (ColumnType::new("json", Type::JsonText), ColumnType::new("uuid", Type::Uuid));
    assert_eq!(MYSQL.adopted_type(&json), Some(ColumnType::new("json", Type::Json)));
    assert_eq!((MYSQL.adopted_type(&uuid), MARIADB.adopted_type(&uuid)), (None, Some(uuid.clone())));
    assert_eq!(declared(Type::Integer { bytes: 16, unsigned: false }, false), None);
}

#[test]
fn numbers_that_mysqls_json_would_round_are_refused() {
    let json = ColumnType::new("json", Type::Json);
    let taken = |text: &str| MYSQL.literal(&Value::Json(text.to_owned()), &json).is_ok();
    for text in [
        r#"{"a": [1.0, 1e3, -0.0, 0.1, 18446744073709551615, -9223372036854775808, 1.7976931348623157e308]}"#,
        r#"["0.12345678901234567890", "\"1e999", true, null]"#,
        "1.50",
    ] {
        assert!(taken(text), "{text}");
    }
    for text in ["18446744073709551617", "[0.12345678901234567890]", r#"{"a\\": 1e999}"#, "1e-400"] {
        assert!(!taken(text), "{text}");
    }
    let text = ColumnType::new("json", Type::JsonText);
    assert!(MARIADB.literal(&Value::Json("1e999".to_owned()), &text).is_ok());
}

#[test]
fn conditions_read_literals_as_the_column_does() {
    let columns = |name: &str| match name {
        "note" => Some(varchar("note", Some("utf8mb4_general_ci"))),
        "at" => Some(column("at", "datetime", Type::DateTime { digits: 0 })),
        "id" => Some(int("id")),
        _ => None,
    };
    let condition = |name: &str, literal: Literal| Expression {
        root: Predicate::Compare {
            first: Operand::Column(name.to_owned()),
            operator: Comparison::GreaterOrEqual,
            second: Operand::Literal(literal),
        },
    };
    let rendered = |name: &str, literal: Literal| {
        MARIADB
            .scope(&condition(name, literal), &columns, jiff::Timestamp::UNIX_EPOCH)
            .map_err(|why| why.message)
    };
    let text = |text: &str| Literal::Text(text.to_owned());
    assert_eq!(
        rendered("note", text("é")).as_deref(),
        Ok("(CAST(CONVERT(`note` USING utf8mb4) AS BINARY) >= x'c3a9')")
    );
    assert_eq!(rendered("at", text("2024-01-01")).as_deref(), Ok("(`at` >= CAST('2024-01-01' AS DATE))"));
    assert_eq!(rendered("id", text("12")).as_deref(), Ok("(`id` >= 12)"));
    assert!(rendered("id", text("twelve")).is_err() && rendered("nowhere", text("x")).is_err());
    assert!(rendered("at", Literal::Number("5".to_owned())).is_err());
}
