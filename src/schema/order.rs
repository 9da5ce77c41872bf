//! The order of columns, where it is part of a table's structure.
//!
//! Owns which columns move: as few as there can be. Columns that only the replica has stay where they are, beside what they
//! stand behind, and say nothing. Invariant: those that do not move keep their order among themselves.

use crate::sql::{Alteration, Column};

/// The alteration that brings the columns of `wanted` into that order; `None` where they are in it. `now`: all columns
/// of the table, in order. `as_is`: a column as it is when it moves.
pub(super) fn ordered(
    now: &[String],
    wanted: &[String],
    as_is: impl Fn(&str) -> Option<Column>,
) -> Option<Alteration> {
    let place = |name: &String| wanted.iter().position(|other| other == name);
    let places: Vec<usize> = now.iter().filter_map(place).collect();
    let staying = longest_ascending(&places);
    let moving: Vec<&String> = (0..wanted.len())
        .filter(|place| places.contains(place) && !staying.contains(place))
        .map(|place| &wanted[place])
        .collect();
    if moving.is_empty() {
        return None;
    }
    let mut after: Vec<String> = now.iter().filter(|name| !moving.contains(name)).cloned().collect();
    for name in &moving {
        let before = wanted.iter().take_while(|other| other != name);
        let behind = before.filter_map(|other| after.iter().position(|one| one == other)).last();
        after.insert(behind.map_or(0, |at| at + 1), (*name).clone());
    }
    let moved: Option<Vec<Column>> = moving.iter().map(|name| as_is(name)).collect();
    Some(Alteration::Order { before: now.to_vec(), after, moved: moved? })
}

/// The longest part of these different numbers that ascends, not necessarily side by side.
fn longest_ascending(numbers: &[usize]) -> Vec<usize> {
    // Of the best row that ends at each number: its length, and where the number before stands.
    let mut ends: Vec<(usize, Option<usize>)> = Vec::new();
    for (at, number) in numbers.iter().enumerate() {
        let before = (0..at).filter(|other| numbers[*other] < *number).max_by_key(|other| ends[*other].0);
        ends.push((before.map_or(1, |other| ends[other].0 + 1), before));
    }
    let mut next = (0..numbers.len()).max_by_key(|at| ends[*at].0);
    let mut row = Vec::new();
    while let Some(at) = next {
        row.push(numbers[at]);
        next = ends[at].1;
    }
    row.reverse();
    row
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::{ColumnType, Type};

    fn column(name: &str) -> Option<Column> {
        Some(Column {
            name: name.to_owned(),
            column_type: ColumnType::new("int", Type::Integer { bytes: 4, unsigned: false }),
            nullable: true,
            default: None,
            generated: None,
            identity: None,
            collation: None,
            words: Default::default(),
        })
    }

    fn names(letters: &str) -> Vec<String> {
        letters.chars().map(String::from).collect()
    }

    fn moves(now: &str, wanted: &str) -> Option<(String, String)> {
        match ordered(&names(now), &names(wanted), column)? {
            Alteration::Order { after, moved, .. } => {
                Some((after.concat(), moved.iter().map(|column| column.name.as_str()).collect()))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn as_few_move_as_can() {
        let to = |after: &str, moved: &str| Some((after.to_owned(), moved.to_owned()));
        assert_eq!(moves("abc", "abc"), None);
        assert_eq!(moves("abcd", "dabc"), to("dabc", "d"));
        assert_eq!(moves("abcd", "bcda"), to("bcda", "a"));
        assert_eq!(moves("axb", "ab"), None, "what only the replica has says nothing");
        assert_eq!(moves("xbya", "ab"), to("xyab", "b"));
        assert_eq!(moves("ab", "anb"), None, "what is not there yet comes by itself");
    }

    proptest! {
        #[test]
        fn all_that_both_have_is_in_order(now in "[a-h]{0,8}", wanted in "[a-k]{0,9}") {
            let unique = |text: &str| {
                let mut names = names(text);
                let mut seen = Vec::new();
                names.retain(|name| { let new = !seen.contains(name); seen.push(name.clone()); new });
                names
            };
            let (now, wanted) = (unique(&now), unique(&wanted));
            let after = match ordered(&now, &wanted, column) {
                Some(Alteration::Order { after, .. }) => after,
                _ => now.clone(),
            };
            let shared: Vec<&String> = wanted.iter().filter(|name| now.contains(name)).collect();
            let found: Vec<&String> = after.iter().filter(|name| wanted.contains(name)).collect();
            prop_assert_eq!(found, shared);
            let of_replica = |names: &[String]| -> Vec<String> {
                names.iter().filter(|name| !wanted.contains(name)).cloned().collect()
            };
            prop_assert_eq!(of_replica(&after), of_replica(&now));
        }
    }
}
