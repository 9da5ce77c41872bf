//! What a database answers of the digests of ranges that are sums, and what it says they are made of.

use super::{DigestForm, DigestScheme, Digestible};
use crate::sql::SelectColumn;
use crate::sql::digest::{DigestText, WORDS};
use crate::value::{Digest, RangeDigest};

/// A row of an answer: the number of the range, and its digest.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sum {
    /// The range's rows and their digest.
    Whole(usize, RangeDigest),
    /// Some row has no digest.
    Short,
}

/// Reads the cells of an answer: the range's number, how many rows and how many digests of rows there are, and the sum
/// of each word, of any sign; NULL where there is no row. `None` where it is no such answer.
pub(super) fn sum(cells: &[Option<String>]) -> Option<Sum> {
    let [number, rows, digests, words @ ..] = cells else { return None };
    let count = |cell: &Option<String>| cell.as_ref()?.parse::<u64>().ok();
    let (rows, digests) = (count(rows)?, count(digests)?);
    if words.len() != WORDS {
        return None;
    }
    if rows != digests {
        return Some(Sum::Short);
    }
    let mut bytes = Vec::with_capacity(8 * WORDS);
    for word in words {
        let sum: i128 = match word {
            Some(word) => word.parse().ok()?,
            None if rows == 0 => 0,
            None => return None,
        };
        // Words with and without a sign are the same modulo 2^64.
        bytes.extend_from_slice(&(sum.rem_euclid(1 << 64) as u64).to_be_bytes());
    }
    let digest = Digest::from_bytes(bytes.try_into().ok()?);
    Some(Sum::Whole(usize::try_from(count(number)?).ok()?, RangeDigest { rows, digest }))
}

/// What sums of these columns are made of; the name of a column, its type and its domain where there is nothing.
pub(super) fn form(columns: &[SelectColumn], texts: &[Option<DigestText>]) -> Result<DigestForm, String> {
    let mut names = Vec::with_capacity(texts.len());
    for (column, text) in columns.iter().zip(texts) {
        names.push(text.ok_or_else(|| untold(column))?.name());
    }
    Ok(DigestForm { scheme: DigestScheme::Sums, columns: names.join(", ") })
}

/// That no digest tells what a column is.
pub(super) fn untold(column: &SelectColumn) -> String {
    let (name, declared) = (&column.column.name, &column.column.column_type.declared);
    let domain = column.domain.name();
    format!("no digest that a database makes tells what its column {name} ({declared}) is as {domain}")
}

impl From<Result<DigestForm, String>> for Digestible {
    fn from(form: Result<DigestForm, String>) -> Self {
        match form {
            Ok(form) => Digestible::As(vec![form]),
            Err(why) => Digestible::Not(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(cells: [Option<&str>; 7]) -> Vec<Option<String>> {
        cells.into_iter().map(|cell| cell.map(str::to_owned)).collect()
    }

    #[test]
    fn sums_with_and_without_a_sign_are_one() {
        let two =
            |word| sum(&cells([Some("3"), Some("1"), Some("1"), word, Some("0"), Some("1"), Some("2")]));
        assert_eq!(two(Some("-1")), two(Some("18446744073709551615")));
        assert_ne!(two(Some("-1")), two(Some("1")));
        assert!(matches!(two(Some("-1")), Some(Sum::Whole(3, RangeDigest { rows: 1, .. }))));
        assert_eq!(two(None), None, "a sum of rows is never NULL");
    }

    #[test]
    fn a_range_where_a_row_has_no_digest_has_none() {
        let words = [Some("1"); 4];
        let [a, b, c, d] = words;
        assert_eq!(sum(&cells([Some("0"), Some("2"), Some("1"), a, b, c, d])), Some(Sum::Short));
        let empty = sum(&cells([Some("0"), Some("0"), Some("0"), None, None, None, None]));
        assert!(matches!(empty, Some(Sum::Whole(0, RangeDigest { rows: 0, .. }))));
        assert_eq!(sum(&cells([Some("0"), Some("2"), Some("2"), a, b, c, Some("1.5")])), None);
    }
}
