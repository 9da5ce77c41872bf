//! `TYPES.md` is made from the table that decides what is compared as what; README's table says what is created.

use trueup::sql::{EngineName, dialect};
use trueup::value::Type;

/// Where the document stands.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/TYPES.md");

#[test]
fn the_document_is_the_table() {
    let made = trueup::schema::types_document();
    if std::env::var_os("TRUEUP_UPDATE").is_some() {
        std::fs::write(PATH, &made).expect("the document can be written");
    }
    let written = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(
        written == made,
        "TYPES.md is not what src/schema/comparable.rs makes; TRUEUP_UPDATE=1 writes it again"
    );
}

/// The types that README says columns are created with, and those that the code makes: each word stands in its cell.
#[test]
fn the_table_of_the_readme_is_what_is_created() {
    let text = |chars_max, fixed| Type::Text { chars_max, fixed };
    let whole = |bytes, unsigned| Type::Integer { bytes, unsigned };
    let decimal = |precision, scale| Type::Decimal { precision, scale };
    let words = || vec!["a".to_owned()];
    let rows: &[(&str, Vec<Type>)] = &[
        ("boolean", vec![Type::Boolean]),
        ("integer", vec![whole(8, false), whole(8, true)]),
        ("decimal", vec![decimal(Some(10), Some(2)), decimal(None, None)]),
        ("single, double precision", vec![Type::Float32, Type::Float64]),
        ("text", vec![text(Some(9), false), text(Some(9), true), text(None, false)]),
        (
            "bytes",
            vec![
                Type::Bytes { bytes_max: Some(9), fixed: false },
                Type::Bytes { bytes_max: Some(9), fixed: true },
                Type::Bytes { bytes_max: None, fixed: false },
            ],
        ),
        ("date, time", vec![Type::Date, Type::Time { digits: 3 }]),
        ("date-time, instant", vec![Type::DateTime { digits: 3 }, Type::Instant { digits: 3 }]),
        ("uuid", vec![Type::Uuid]),
        ("json", vec![Type::Json, Type::JsonText]),
        ("enum, set", vec![Type::Enum { members: words() }]),
        ("bits, year", vec![Type::Bits { length: 3 }, Type::Year]),
        ("IP addresses", vec![Type::Address { v4: true, v6: true, prefix: true }]),
    ];
    let readme = include_str!("../README.md");
    for (meaning, types) in rows {
        let row = readme.lines().find(|line| line.starts_with(&format!("| {meaning} |")));
        let cells: Vec<&str> = row.unwrap_or_else(|| panic!("no row {meaning}")).split('|').collect();
        let columns = [
            (EngineName::Sqlite, 2),
            (EngineName::Postgres, 3),
            (EngineName::Mariadb, 4),
            (EngineName::Mysql, 4),
        ];
        for (engine, cell) in columns {
            for one in types {
                let made = dialect(engine).type_for(one, false).expect("each has a type");
                let declared = made.declared.replace("character varying", "varchar");
                let declared = declared.replace("character(", "char(");
                let word = declared.split(['(', ' ']).next().unwrap_or_default();
                let stands = cells[cell].contains(&format!("`{word}")) || cells[cell].contains(&declared);
                assert!(stands, "{meaning}, {engine}: {declared} is not in{}", cells[cell]);
            }
        }
    }
}
