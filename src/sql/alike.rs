//! Rows that a unique key would not let stand beside given values: compared as the engine compares its columns.

use super::{Column, Dialect, SelectColumn};
use crate::value::{Key, Value, decode, fields};

/// The condition of rows whose key columns equal one of these keys under the columns' own collations. A key with a
/// NULL, or with a value that the column cannot hold, equals no row. `list` opens the list of tuples.
pub(super) fn condition(dialect: &dyn Dialect, key: &[SelectColumn], keys: &[Key], list: &str) -> String {
    let names: Vec<String> = key.iter().map(|part| dialect.identifier(&part.column.name)).collect();
    let rows: Vec<Vec<String>> = keys.iter().filter_map(|one| literals(dialect, key, one)).collect();
    let (Some(first), false) = (names.first(), rows.is_empty()) else { return "1 = 0".to_owned() };
    let mut leading: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    leading.sort_unstable();
    leading.dedup();
    // The leading column alone gives every engine a range of the index.
    let leading = format!("{first} IN ({})", leading.join(", "));
    if names.len() == 1 {
        return leading;
    }
    let tuples: Vec<String> = rows.iter().map(|row| format!("({})", row.join(", "))).collect();
    format!("{leading} AND ({}) IN ({list}{})", names.join(", "), tuples.join(", "))
}

/// The columns of a key, and the values of these.
pub(super) fn rows(key: &[SelectColumn], keys: &[Key]) -> (Vec<Column>, Vec<Vec<Value>>) {
    let value = |(part, field): (&SelectColumn, Option<&[u8]>)| decode(&part.domain, field);
    let row = |one: &Key| key.iter().zip(fields(one.bytes())).map(value).collect();
    (key.iter().map(|part| part.column.clone()).collect(), keys.iter().map(row).collect())
}

fn literals(dialect: &dyn Dialect, key: &[SelectColumn], one: &Key) -> Option<Vec<String>> {
    let literal = |(part, field): (&SelectColumn, Option<&[u8]>)| {
        dialect.literal(&decode(&part.domain, Some(field?)), &part.column.column_type).ok()
    };
    key.iter().zip(fields(one.bytes())).map(literal).collect()
}
