//! The documentation of what is compared as what, made from the [table](super::comparable) that decides it.
//!
//! `TYPES.md` is this text, and a test holds the two together.

use super::comparable::{Family, Only, REFUSED, ROWS, Row};
use crate::sql::EngineName;

const HEAD: &str = "# What is compared as what

<!-- Made from src/schema/comparable.rs; `TRUEUP_UPDATE=1 cargo test --test trueup types_document` writes it again. -->

Between two columns of one engine and one type, equal means the same stored value, for every type: see the last section.
Between two engines, or two types, the values are compared in the domain that the tables below name, and a pair that is
not in them is an error (kind `type`) that names the spec line to settle it: `exclude_columns: [column]`, or
`compare: { column: { zone: UTC } }` (or an offset such as `+02:00`) where one side is a moment and the other a date and
time of no zone. No value is ever compared through a lossy cast.

*Within* says which values both sides can say: one outside of them is an error (kind `value`) that names table, key and
column, when it is read or before it would be written. The tables hold whichever side is the primary. SQLite's side goes
by the type its column is declared with.

A column of any pair that can be compared may be a key, or part of one, and its row is found however a side spells the
value.
";

const SAME: &str = "
## The same type on one engine

| type | equal means | remarks |
| --- | --- | --- |
| PostgreSQL: `numeric` without precision | the same digits | 1.0 differs from 1.00; NaN equals NaN |
| `real`, `double precision` | the same bits | -0.0 differs from 0.0; NaN equals NaN |
| `json` | the same text | spaces and the order of members count; `jsonb`: the same document, 1.0 differs from 1.00 |
| `char(n)` | the text without its padding | `bpchar` without a length: with its blanks |
| arrays, ranges, multiranges, composites, `interval`, `timetz`, `xml`, `tsvector`, `hstore` and all types of extensions | the same text, as PostgreSQL prints it for `pg_dump` | bounds, shapes, NULL elements, 1 day against 24 hours count; object identifiers, which differ between two databases, do not |
| enums | the same word | a word that the replica's enum lacks is an error |
| domains | as the type they are over | their constraints are checked by the server |
| `money` | the same stored number of the smallest unit | shown as `lc_monetary = C` prints it; never compared with another type |
| `regclass`, `regproc`, `regtype` and the like | the same name with its schema | what is not there any more, by its number |
| `citext` | the same text, case included | |
| `oid` | the same number | |
| MySQL family: `enum`, `set` | the same words | an enum's index 0, the empty value of a failed insert, differs from a word that is empty; words of `character set binary`, or in old sets with several codes for a character, by their bytes |
| `bit(n)`, `year`, spatial types | the same bits, year, SRID and WKB | |
| `char`, `varchar`, `text` | the same characters | case, accents and spaces at the end count; of a character set in which several codes are one character or a code is none, the same codes |
| MySQL: `json` | the same document | 1 and 1.0 are one number, for MySQL itself does not write one over the other; MariaDB: the same text |
| SQLite | the same value of the same storage class | 1 differs from 1.0 and from '1', and a text by every character, whatever the column is declared as: what a declaration such as DECIMAL or DATETIME makes of a value when it is written (1.0 becomes 1), the file holds; in UTF-16 text must be valid |
";

/// The whole document.
pub fn types() -> String {
    use EngineName::{Mariadb, Mysql, Postgres, Sqlite};
    let mut text = HEAD.to_owned();
    let between = [
        (Postgres, Mysql),
        (Postgres, Mariadb),
        (Postgres, Sqlite),
        (Mysql, Mariadb),
        (Mysql, Sqlite),
        (Mariadb, Sqlite),
        (Postgres, Postgres),
        (Mysql, Mysql),
        (Mariadb, Mariadb),
    ];
    for (one, other) in between {
        text.push_str(&section(one, other));
    }
    text.push_str(SAME);
    text
}

fn section(one: EngineName, other: EngineName) -> String {
    let title = match one == other {
        true => format!("{}, two types", name(one)),
        false => format!("{} and {}", name(one), name(other)),
    };
    let mut lines: Vec<String> = Vec::new();
    for row in ROWS {
        for line in
            [line(row, (row.one, one), (row.other, other)), line(row, (row.other, one), (row.one, other))]
        {
            lines.extend(line.filter(|line| !lines.contains(line)));
        }
    }
    for (first, second, why) in REFUSED {
        for (a, b) in [(*first, *second), (*second, *first)] {
            lines.extend(refused((a, one), (b, other), why));
        }
    }
    format!(
        "\n## {title}\n\n| {} | {} | compared as | within |\n| --- | --- | --- | --- |\n{}\n",
        name(one),
        name(other),
        lines.join("\n")
    )
}

/// The row as one of a pair of engines; `None` where one of them has no such type.
fn line(row: &Row, one: (Family, EngineName), other: (Family, EngineName)) -> Option<String> {
    let (first, second) = (one.0.names(one.1), other.0.names(other.1));
    let second_engine = if row.other == other.0 { other.1 } else { one.1 };
    let of_no_use = row.only == Only::SecondIsSqlite && second_engine != EngineName::Sqlite;
    // A row that SQLite has of its own comes first there.
    let replaced = row.only == Only::Always
        && second_engine == EngineName::Sqlite
        && ROWS
            .iter()
            .any(|own| own.only == Only::SecondIsSqlite && own.one == row.one && own.other == row.other);
    let first_engine = if row.one == one.0 { one.1 } else { other.1 };
    let never = row.only == Only::TwentyDigits && !has_unsigned_bigint(first_engine);
    if first.is_empty() || second.is_empty() || of_no_use || replaced || never {
        return None;
    }
    let domain = row.compared.name();
    let within = match (row.only.words(), row.within) {
        (None, None) => "every value".to_owned(),
        (Some(only), None) => format!("{only} alone"),
        (None, Some(within)) => within.to_owned(),
        (Some(only), Some(within)) => format!("{only} alone; {within}"),
    };
    Some(format!("| {first} | {second} | {domain} | {within} |"))
}

/// Whether the engine has an integer that needs twenty digits.
fn has_unsigned_bigint(engine: EngineName) -> bool {
    matches!(engine, EngineName::Mysql | EngineName::Mariadb)
}

/// A pair that is not compared; `None` where one of the engines has no such type, or where there is a row for it.
fn refused(one: (Family, EngineName), other: (Family, EngineName), why: &str) -> Option<String> {
    let (first, second) = (one.0.names(one.1), other.0.names(other.1));
    let has_row = ROWS.iter().any(|row| {
        let sqlite = |at: (Family, EngineName)| at.0 == row.other && at.1 == EngineName::Sqlite;
        let same = [row.one, row.other] == [one.0, other.0] || [row.one, row.other] == [other.0, one.0];
        same && (row.only == Only::Always
            || (row.only == Only::SecondIsSqlite && (sqlite(one) || sqlite(other))))
    });
    if first.is_empty() || second.is_empty() || has_row {
        return None;
    }
    Some(format!("| {first} | {second} | not compared | {why} |"))
}

fn name(engine: EngineName) -> &'static str {
    match engine {
        EngineName::Sqlite => "SQLite",
        EngineName::Postgres => "PostgreSQL",
        EngineName::Mysql => "MySQL",
        EngineName::Mariadb => "MariaDB",
    }
}
