//! Types as people write them: `varchar(20)`, `timestamp(3) with time zone`, `bigint unsigned`.
//!
//! Owns how a written type is cut into its words and its numbers, so that two spellings of one are one. Refuses to know
//! what an engine means by a word.

/// A type that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedType {
    /// Its words in small letters, with one space between them.
    pub name: String,
    /// What stands in parentheses.
    pub numbers: Vec<u64>,
}

impl NamedType {
    /// Reads one; `None` where anything but words and numbers stands there.
    pub fn read(text: &str) -> Option<Self> {
        let (before, rest) = match text.split_once('(') {
            Some((before, rest)) => (before, Some(rest.split_once(')')?)),
            None => (text, None),
        };
        let (inside, behind) = rest.unwrap_or_default();
        let numbers: Option<Vec<u64>> = match rest {
            Some(_) => inside.split(',').map(|number| number.trim().parse().ok()).collect(),
            None => Some(Vec::new()),
        };
        let words: Vec<String> =
            before.split_whitespace().chain(behind.split_whitespace()).map(str::to_lowercase).collect();
        let is_word =
            |word: &String| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !word.is_empty();
        let begins = words.first().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()));
        (begins && words.iter().all(is_word))
            .then_some(())
            .and(numbers)
            .map(|numbers| NamedType { name: words.join(" "), numbers })
    }

    /// The only number, if there is one.
    pub(super) fn length(&self) -> Option<u64> {
        match self.numbers.as_slice() {
            [length] => Some(*length),
            _ => None,
        }
    }

    /// Digits behind the point of seconds; six where none are said on the engine that is asked for them.
    pub(super) fn digits(&self, unsaid: u8) -> Option<u8> {
        match self.numbers.as_slice() {
            [] => Some(unsaid),
            [digits] => u8::try_from(*digits).ok().filter(|digits| *digits <= 6),
            _ => None,
        }
    }

    /// Precision and scale.
    pub(super) fn decimal(&self) -> Option<(Option<u32>, Option<i32>)> {
        let number = |at: usize| self.numbers.get(at).copied();
        let precision = number(0).map(u32::try_from).transpose().ok()?;
        let scale = number(1).map(i32::try_from).transpose().ok()?;
        (self.numbers.len() <= 2).then_some((precision, scale.or(precision.map(|_| 0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_are_read() {
        let read = |text: &str| NamedType::read(text).map(|one| (one.name, one.numbers));
        assert_eq!(read("VARCHAR ( 20 )"), Some(("varchar".to_owned(), vec![20])));
        assert_eq!(
            read("timestamp(3)  with time zone"),
            Some(("timestamp with time zone".to_owned(), vec![3]))
        );
        assert_eq!(read("decimal(10, 2) unsigned"), Some(("decimal unsigned".to_owned(), vec![10, 2])));
        for text in ["", "int;", "varchar(", "varchar(x)", "varchar()", "1", "a(1)b(2)", "int'"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
