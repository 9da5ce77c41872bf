//! Enum types that are objects of their own, as the catalog describes them, and how one becomes another.
//!
//! Owns what can be done in place: words that come. Words that go, or that change places, have the type made anew
//! behind the rows. Invariant: a change can be turned round, and says which tables it is about.

use serde::{Deserialize, Serialize};

use super::TableName;

/// An enum type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnumType {
    /// Its name as declarations of columns have it, quoted where need be.
    pub printed: String,
    /// Its words in order.
    pub words: Vec<String>,
    /// The columns of tables that are of it.
    pub columns: Vec<EnumColumn>,
    /// What else speaks of it and would break if it were made anew, for people: views, functions, domains.
    pub others: Vec<String>,
}

/// A column whose type is an enum, or an array of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnumColumn {
    /// Its table.
    pub table: TableName,
    /// Its name.
    pub name: String,
    /// Whether it holds arrays.
    pub array: bool,
}

/// An enum type becomes another, comes or goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnumChange {
    /// Its name as declarations of columns have it.
    pub printed: String,
    /// Its words now; `None`: it is not there.
    pub before: Option<Vec<String>>,
    /// Its words afterwards; `None`: it goes.
    pub after: Option<Vec<String>>,
    /// The columns that are of it, on the replica as it was planned for.
    pub columns: Vec<EnumColumn>,
    /// The tables that may have columns of it when it is made anew.
    pub tables: Vec<TableName>,
}

impl EnumChange {
    /// The other way round.
    pub fn reversed(&self) -> Self {
        EnumChange { before: self.after.clone(), after: self.before.clone(), ..self.clone() }
    }

    /// The words that come, each with the one that it comes before (`None`: it is the last); `None` where that is not all
    /// that happens to a type that is there.
    pub fn coming(&self) -> Option<Vec<(&str, Option<&str>)>> {
        let (before, after) = (self.before.as_ref()?, self.after.as_ref()?);
        let mut rest = before.iter().peekable();
        let mut coming = Vec::new();
        for word in after {
            match rest.peek() {
                Some(next) if *next == word => {
                    rest.next();
                }
                next => coming.push((word.as_str(), next.map(|next| next.as_str()))),
            }
        }
        rest.next().is_none().then_some(coming)
    }

    /// The words that go.
    pub fn going(&self) -> Vec<&str> {
        let (Some(before), Some(after)) = (&self.before, &self.after) else { return Vec::new() };
        before.iter().filter(|word| !after.contains(word)).map(String::as_str).collect()
    }
}

/// The steps by which the words become others: first those that come, then their order, then those that go. Each begins with
/// what the one before ends with.
pub fn word_steps(before: &[String], after: &[String]) -> Vec<Vec<String>> {
    let common = |words: &[String], other: &[String]| -> Vec<String> {
        words.iter().filter(|word| other.contains(word)).cloned().collect()
    };
    let mut steps = vec![before.to_vec()];
    match common(before, after) == common(after, before) {
        true => steps.push(merged(before, after)),
        // The common words change places: what the old order begins with, then what the new one does.
        false => {
            steps.push(merged(before, &placed_as(after, before)));
            steps.push(merged(after, &placed_as(before, after)));
        }
    }
    steps.push(after.to_vec());
    steps.dedup();
    steps
}

/// Those of `words` that `order` has stand as they do there; the others behind the word that they were behind.
fn placed_as(words: &[String], order: &[String]) -> Vec<String> {
    let mut placed: Vec<String> = order.iter().filter(|word| words.contains(word)).cloned().collect();
    for (at, word) in words.iter().enumerate().filter(|(_, word)| !order.contains(word)) {
        let behind = at.checked_sub(1).and_then(|before| placed.iter().position(|one| *one == words[before]));
        placed.insert(behind.map_or(0, |place| place + 1), word.clone());
    }
    placed
}

/// Both lists in one, the common words of which stand in one order.
fn merged(one: &[String], other: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut rest = one.iter();
    for word in other {
        if one.contains(word) {
            for first in rest.by_ref() {
                all.push(first.clone());
                if first == word {
                    break;
                }
            }
        } else {
            all.push(word.clone());
        }
    }
    all.extend(rest.cloned());
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change(before: &[String], after: &[String]) -> EnumChange {
        EnumChange {
            printed: "mood".to_owned(),
            before: Some(before.to_vec()),
            after: Some(after.to_vec()),
            columns: Vec::new(),
            tables: Vec::new(),
        }
    }

    fn words(text: &str) -> Vec<String> {
        text.chars().map(String::from).collect()
    }

    #[test]
    fn words_come_in_their_places() {
        let coming = |before: &str, after: &str| {
            let change = change(&words(before), &words(after));
            change.coming().map(|coming| {
                coming
                    .iter()
                    .map(|(word, next)| format!("{word}<{}", next.unwrap_or("-")))
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(coming("bd", "abcde").expect("in place"), ["a<b", "c<d", "e<-"]);
        assert_eq!(coming("", "ab").expect("in place"), ["a<-", "b<-"]);
        assert_eq!(coming("ab", "ba"), None);
        assert_eq!(coming("ab", "a"), None);
    }

    fn lists() -> impl Strategy<Value = Vec<String>> {
        Just(words("abcdef"))
            .prop_shuffle()
            .prop_flat_map(|all| (0..all.len()).prop_map(move |n| all[..n].to_vec()))
    }

    proptest! {
        #[test]
        fn the_first_step_only_adds_and_the_last_only_takes(before in lists(), after in lists()) {
            let steps = word_steps(&before, &after);
            prop_assert_eq!(steps.first(), Some(&before));
            prop_assert_eq!(steps.last(), Some(&after));
            let all = |list: &[String]| list.iter().cloned().collect::<std::collections::BTreeSet<_>>();
            let both = &all(&before) | &all(&after);
            for (at, pair) in steps.windows(2).enumerate() {
                prop_assert_eq!(all(&pair[0]).len(), pair[0].len());
                let forth = change(&pair[0], &pair[1]);
                // Whoever stands on either end while rows are written has every word.
                if forth.coming().is_none() {
                    prop_assert_eq!(all(&pair[0]), both.clone());
                } else {
                    prop_assert!(at == 0 || forth.reversed().coming().is_some());
                }
                if forth.reversed().coming().is_none() {
                    prop_assert_eq!(all(&pair[1]), both.clone());
                }
            }
        }
    }
}
