//! What became of a table's structure since a plan was made.
//!
//! Invariant: `None` says that the tables are the same in everything that is known of them but the number of their
//! rows.

use crate::sql::{Column, Sequence};

use super::{Table, UniqueKey};

/// The first difference between a table then and now, in words; `None` where there is none.
pub fn table_difference(then: Option<&Table>, now: Option<&Table>) -> Option<String> {
    match (then, now) {
        (None, None) => None,
        (None, Some(_)) => Some("it has been created".to_owned()),
        (Some(_), None) => Some("it is gone".to_owned()),
        (Some(then), Some(now)) => columns_difference(&then.columns, &now.columns)
            .or_else(|| keys_difference(&then.keys, &now.keys))
            .or_else(|| {
                let same = then.unique_indexes == now.unique_indexes;
                (!same).then(|| "its unique indexes are others".to_owned())
            })
            .or_else(|| {
                (then.foreign_keys != now.foreign_keys).then(|| "its foreign keys are others".to_owned())
            })
            .or_else(|| sequences_difference(&then.sequences, &now.sequences)),
    }
}

/// Where they stand is no structure: that changes with every row.
fn sequences_difference(then: &[Sequence], now: &[Sequence]) -> Option<String> {
    let same = then.len() == now.len() && then.iter().zip(now).all(|(then, now)| then.is_as(now));
    (!same).then(|| "what numbers its columns changed".to_owned())
}

fn columns_difference(then: &[Column], now: &[Column]) -> Option<String> {
    let gone = then.iter().find(|column| !now.iter().any(|other| other.name == column.name));
    if let Some(column) = gone {
        return Some(format!("column {} is gone", column.name));
    }
    for column in now {
        let Some(before) = then.iter().find(|other| other.name == column.name) else {
            return Some(format!("column {} is new", column.name));
        };
        if before != column {
            return Some(column_difference(before, column));
        }
    }
    let names = |columns: &[Column]| columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    (names(then) != names(now)).then(|| "its columns are in another order".to_owned())
}

fn column_difference(then: &Column, now: &Column) -> String {
    let Column { name, .. } = now;
    if then.column_type != now.column_type {
        let (was, is) = (&then.column_type.declared, &now.column_type.declared);
        return format!("column {name} is {is}, was {was}");
    }
    if then.nullable != now.nullable {
        let is = if now.nullable { "takes NULL" } else { "takes no NULL" };
        return format!("column {name} now {is}");
    }
    format!("the default, generation or collation of column {name} changed")
}

fn keys_difference(then: &[UniqueKey], now: &[UniqueKey]) -> Option<String> {
    let gone = then.iter().find(|key| !now.contains(key)).map(|key| (key, "is gone or another"));
    let new = || now.iter().find(|key| !then.contains(key)).map(|key| (key, "is new"));
    let (key, what) = gone.or_else(new)?;
    let kind = if key.primary { "primary key" } else { "unique key" };
    Some(format!("the {kind} ({}) {what}", key.columns.join(", ")))
}
