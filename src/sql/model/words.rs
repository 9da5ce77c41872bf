//! The tokens of a statement as the lists of statements look at them: words, names in quotes, signs.

use sqlparser::tokenizer::{Token, TokenWithSpan};

/// A token that is no blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A keyword or a name without quotes: in capitals, and as it is written.
    Word(String, String),
    /// A name in quotes.
    Name(String),
    /// A text, with its quotes.
    Text(String),
    /// Anything else.
    Sign(String),
}

impl Piece {
    pub(super) fn of(token: &TokenWithSpan) -> Option<Piece> {
        Some(match &token.token {
            Token::Whitespace(_) | Token::EOF => return None,
            Token::Word(word) if word.quote_style.is_some() => Piece::Name(word.value.clone()),
            Token::Word(word) => Piece::Word(word.value.to_uppercase(), word.value.clone()),
            Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::DollarQuotedString(_) => Piece::Text(token.token.to_string()),
            other => Piece::Sign(other.to_string()),
        })
    }
}

/// The pieces of a statement.
pub(super) struct Words<'a>(pub &'a [Piece]);

impl Words<'_> {
    /// The word at this place in capitals; nothing where there is something else.
    pub(super) fn word(&self, at: usize) -> &str {
        match self.0.get(at) {
            Some(Piece::Word(word, _)) => word,
            _ => "",
        }
    }

    /// Whether it begins with these words.
    pub(super) fn begins(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(at, word)| self.word(at) == *word)
    }

    /// Whether it ends with these words.
    pub(super) fn ends(&self, words: &[&str]) -> bool {
        let from = self.0.len().checked_sub(words.len());
        from.is_some_and(|from| words.iter().enumerate().all(|(at, word)| self.word(from + at) == *word))
    }

    /// Whether this word stands anywhere.
    pub(super) fn has(&self, word: &str) -> bool {
        (0..self.0.len()).any(|at| self.word(at) == word)
    }

    /// Whether this word stands outside of all parentheses.
    pub(super) fn outside(&self, word: &str) -> bool {
        let mut depth = 0;
        for (at, piece) in self.0.iter().enumerate() {
            match piece {
                Piece::Sign(sign) if sign == "(" => depth += 1,
                Piece::Sign(sign) if sign == ")" => depth -= 1,
                _ if depth == 0 && self.word(at) == word => return true,
                _ => {}
            }
        }
        false
    }

    /// The first word behind the verb that says what it is about, past what only modifies it.
    pub(super) fn object(&self, kinds: &[&str]) -> Option<(usize, &str)> {
        let at = (1..self.0.len().min(24)).find(|at| kinds.contains(&self.word(*at)))?;
        Some((at, self.word(at)))
    }

    /// The name that stands at this place, in quotes or not.
    pub(super) fn name(&self, at: usize) -> Option<&str> {
        match self.0.get(at) {
            Some(Piece::Word(_, name) | Piece::Name(name)) => Some(name),
            _ => None,
        }
    }

    /// Whether this sign stands at this place.
    pub(super) fn is_sign(&self, at: usize, sign: &str) -> bool {
        matches!(self.0.get(at), Some(Piece::Sign(found)) if found == sign)
    }

    /// Where the name begins behind `IF [NOT] EXISTS`.
    pub(super) fn past_if(&self, at: usize) -> usize {
        match (self.word(at), self.word(at + 1)) {
            ("IF", "NOT") => at + 3,
            ("IF", _) => at + 2,
            _ => at,
        }
    }
}
