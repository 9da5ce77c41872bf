//! Which names of one database are which of another: exact ones first, then across letter case and
//! snake_case, camelCase and PascalCase. Pure.
//!
//! Invariant: nothing is guessed. Two names pair only where no other name on either side could be meant as well.

use std::collections::BTreeMap;

use crate::sides::Sides;

/// What became of two lists of names; the numbers are places in those lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Matches {
    /// Primary and replica, by the primary's place.
    pub pairs: Vec<(usize, usize)>,
    /// Names that could be each other's, and more than two of them.
    pub ambiguous: Vec<Sides<Vec<usize>>>,
    /// Names without a counterpart.
    pub only: Sides<Vec<usize>>,
}

impl Matches {
    /// Whether any name of one side may be one of the other.
    pub fn have_something(&self) -> bool {
        !self.pairs.is_empty() || !self.ambiguous.is_empty()
    }
}

/// Pairs names.
pub(super) fn match_names(names: &Sides<Vec<&str>>) -> Matches {
    let mut matches =
        Matches { only: names.as_ref().map(|names| (0..names.len()).collect()), ..Matches::default() };
    matches.settle(names, &|name| name.to_owned(), &|_, _| true);
    matches.settle(names, &folded, &|a, b| same_words(a, b));
    matches.pairs.sort_unstable();
    matches
}

impl Matches {
    /// Pairs what is left over and has the same form, if it is one name on each side.
    fn settle(
        &mut self,
        names: &Sides<Vec<&str>>,
        form: &dyn Fn(&str) -> String,
        may_pair: &dyn Fn(&str, &str) -> bool,
    ) {
        let mut groups: BTreeMap<String, Sides<Vec<usize>>> = BTreeMap::new();
        for at in std::mem::take(&mut self.only.primary) {
            groups.entry(form(names.primary[at])).or_default().primary.push(at);
        }
        for at in std::mem::take(&mut self.only.replica) {
            groups.entry(form(names.replica[at])).or_default().replica.push(at);
        }
        for group in groups.into_values() {
            match (&group.primary[..], &group.replica[..]) {
                ([primary], [replica]) if may_pair(names.primary[*primary], names.replica[*replica]) => {
                    self.pairs.push((*primary, *replica));
                }
                ([_], [_]) | ([], _) | (_, []) => {
                    self.only.primary.extend(group.primary);
                    self.only.replica.extend(group.replica);
                }
                _ => self.ambiguous.push(group),
            }
        }
        self.only.primary.sort_unstable();
        self.only.replica.sort_unstable();
    }
}

fn is_separator(character: char) -> bool {
    matches!(character, '_' | '-' | ' ')
}

/// The form that `InvoiceLine`, `invoice_line`, `invoiceLine`, `Invoice Line` and `INVOICELINE` share.
fn folded(name: &str) -> String {
    let letters: String =
        name.chars().filter(|letter| !is_separator(*letter)).flat_map(char::to_lowercase).collect();
    if letters.is_empty() { name.to_owned() } else { letters }
}

/// Where both names show where their words end, these must be the same: `ab_c` is not `a_bc`.
fn same_words(a: &str, b: &str) -> bool {
    let words = |name: &str| -> Vec<String> {
        name.split(is_separator).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    };
    let (a, b) = (words(a), words(b));
    a.len() < 2 || b.len() < 2 || a == b
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matched(primary: &[&str], replica: &[&str]) -> Vec<(String, String)> {
        let matches = match_names(&Sides::new(primary.to_vec(), replica.to_vec()));
        let name = |(p, r): &(usize, usize)| (primary[*p].to_owned(), replica[*r].to_owned());
        matches.pairs.iter().map(name).collect()
    }

    #[track_caller]
    fn pairs(primary: &str, replica: &str) {
        assert_eq!(matched(&[primary], &[replica]), [(primary.to_owned(), replica.to_owned())]);
    }

    #[test]
    fn names_pair_across_case_and_style() {
        pairs("users", "users");
        pairs("Users", "users");
        pairs("InvoiceLine", "invoice_line");
        pairs("invoiceLine", "INVOICE_LINE");
        pairs("invoiceline", "invoice_line");
        pairs("Order Details", "order_details");
        pairs("URLPath2", "url_path_2");
        pairs("Straße", "straße");
        pairs("_", "_");
    }

    #[test]
    fn other_names_do_not() {
        for (a, b) in [("user", "users"), ("ab_c", "a_bc"), ("_", "__"), ("a", "b"), ("a.b", "a_b")] {
            assert_eq!(matched(&[a], &[b]), [], "{a} and {b}");
        }
    }

    #[test]
    fn an_exact_name_wins_and_the_rest_is_not_guessed() {
        assert_eq!(matched(&["Users", "users"], &["users"]), [("users".to_owned(), "users".to_owned())]);
        let matches = match_names(&Sides::new(vec!["Users"], vec!["USERS", "users"]));
        assert_eq!(matches.pairs, []);
        assert_eq!(matches.ambiguous, [Sides::new(vec![0], vec![0, 1])]);
        assert_eq!(matches.only, Sides::new(vec![], vec![]));
        let twice = match_names(&Sides::new(vec!["log", "log"], vec!["log"]));
        assert_eq!(twice.ambiguous, [Sides::new(vec![0, 1], vec![0])]);
    }

    proptest! {
        #[test]
        fn every_name_is_told_of_exactly_once(
            primary in prop::collection::vec("[aA_]{1,3}", 0..8),
            replica in prop::collection::vec("[aA_]{1,3}", 0..8),
        ) {
            let names = Sides::new(&primary, &replica).map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
            let matches = match_names(&names);
            let mut told: Vec<_> = matches.pairs.iter().map(|pair| pair.0).collect();
            told.extend(matches.ambiguous.iter().flat_map(|group| group.primary.clone()));
            told.extend(&matches.only.primary);
            told.sort_unstable();
            prop_assert_eq!(told, (0..primary.len()).collect::<Vec<_>>());
            let mut told: Vec<_> = matches.pairs.iter().map(|pair| pair.1).collect();
            told.extend(matches.ambiguous.iter().flat_map(|group| group.replica.clone()));
            told.extend(&matches.only.replica);
            told.sort_unstable();
            prop_assert_eq!(told, (0..replica.len()).collect::<Vec<_>>());
        }
    }
}
