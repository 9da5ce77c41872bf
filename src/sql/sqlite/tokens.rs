//! SQLite's own tokens (<https://sqlite.org/src/file/src/tokenize.c>), with their places in the text.
//!
//! Owns what ends a name, a text, a number and a comment. Invariant: the tokens are the whole text but for blanks and
//! comments, or the text is not read at all.

/// A text that is not read, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unread(pub String);

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A keyword, or a name without quotes.
    Word,
    /// A name in `""`, ` `` ` or `[]`; in `""` perhaps a text.
    Quoted,
    /// A text in `''`.
    Text,
    /// A blob.
    Blob,
    /// A number.
    Number,
    /// An operator, a comma, a parenthesis.
    Sign,
}

/// A token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// Its text, with quotes.
    pub text: &'a str,
    /// Where it begins, in bytes.
    pub start: usize,
}

impl Token<'_> {
    /// Where it ends.
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this keyword.
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    /// Whether it is this sign.
    pub(super) fn is_sign(&self, sign: &str) -> bool {
        self.kind == TokenKind::Sign && self.text == sign
    }

    /// The name that it can stand for, without its quotes. SQLite takes a text for a name too.
    pub(super) fn name(&self) -> Option<String> {
        match self.kind {
            TokenKind::Word => Some(self.text.to_owned()),
            TokenKind::Quoted | TokenKind::Text => {
                let quote = self.text.chars().next()?;
                let inner = &self.text[1..self.text.len() - 1];
                Some(match quote {
                    '[' => inner.to_owned(),
                    _ => inner.replace(&format!("{quote}{quote}"), &quote.to_string()),
                })
            }
            TokenKind::Blob | TokenKind::Number | TokenKind::Sign => None,
        }
    }
}

/// The tokens of a text.
///
/// # Errors
/// Where quotes or a blob are not closed, and at characters that SQL has no use for.
pub(super) fn tokens(sql: &str) -> Result<Vec<Token<'_>>, Unread> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = sql[at..].chars().next() {
        let rest = &sql[at..];
        if let Some(length) = apart(rest, first) {
            at += length;
            continue;
        }
        let (kind, length) = token(rest, first)?;
        tokens.push(Token { kind, text: &rest[..length], start: at });
        at += length;
    }
    Ok(tokens)
}

/// The length of a blank or a comment. A comment may be left open at the end.
fn apart(rest: &str, first: char) -> Option<usize> {
    if matches!(first, ' ' | '\t' | '\n' | '\r' | '\x0c') {
        return Some(1);
    }
    if rest.starts_with("--") {
        return Some(rest.find('\n').map_or(rest.len(), |at| at + 1));
    }
    rest.starts_with("/*").then(|| rest[2..].find("*/").map_or(rest.len(), |at| at + 4))
}

fn token(rest: &str, first: char) -> Result<(TokenKind, usize), Unread> {
    let unclosed = || Unread(format!("a {first} is not closed"));
    let second = rest[first.len_utf8()..].chars().next();
    Ok(match first {
        '\'' => (TokenKind::Text, quoted_length(rest, first).ok_or_else(unclosed)?),
        '"' | '`' => (TokenKind::Quoted, quoted_length(rest, first).ok_or_else(unclosed)?),
        '[' => (TokenKind::Quoted, rest.find(']').ok_or_else(unclosed)? + 1),
        'x' | 'X' if second == Some('\'') => {
            (TokenKind::Blob, 1 + quoted_length(&rest[1..], '\'').ok_or_else(unclosed)?)
        }
        _ if first.is_ascii_digit() || first == '.' && second.is_some_and(|c| c.is_ascii_digit()) => {
            (TokenKind::Number, number_length(rest))
        }
        _ if is_word(first) => (TokenKind::Word, rest.find(|c: char| !is_word(c)).unwrap_or(rest.len())),
        _ => {
            let signs = ["->>", "->", "||", "<<", ">>", "<=", ">=", "<>", "==", "!="];
            let long = signs.iter().find(|sign| rest.starts_with(**sign)).map(|sign| sign.len());
            let short = "()+-*/%<>=&|~,.;!".contains(first).then_some(1);
            match long.or(short) {
                Some(length) => (TokenKind::Sign, length),
                None => return Err(Unread(format!("{first:?} stands where SQL has no use for it"))),
            }
        }
    })
}

/// Everything beyond ASCII belongs to names.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '$') || !c.is_ascii()
}

/// The bytes of what begins with this quote, both quotes included; `None`: it does not end.
pub(crate) fn quoted_length(text: &str, quote: char) -> Option<usize> {
    let mut at = 1;
    loop {
        at += text.get(at..)?.find(quote)? + 1;
        if !text[at..].starts_with(quote) {
            return Some(at);
        }
        at += 1;
    }
}

fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let exponent = at > 0
            && matches!(bytes[at - 1], b'e' | b'E')
            && !text.starts_with("0x")
            && !text.starts_with("0X")
            && matches!(byte, b'+' | b'-');
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || exponent) {
            break;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        tokens(sql).map(|tokens| tokens.iter().map(|token| token.text).collect()).unwrap_or_default()
    }

    #[test]
    fn names_texts_numbers_and_comments_end_where_sqlite_ends_them() {
        assert_eq!(texts("a/*,*/,b"), ["a", ",", "b"]);
        assert_eq!(texts("\"b \"\"c\"[d e]`f`--g\n'h''i'"), ["\"b \"\"c\"", "[d e]", "`f`", "'h''i'"]);
        assert_eq!(texts("x'0a'||1.5e-3*.5-1"), ["x'0a'", "||", "1.5e-3", "*", ".5", "-", "1"]);
        assert_eq!(texts("größe->>'$.a'/*open"), ["größe", "->>", "'$.a'"]);
        assert_eq!(texts("0x1e-1"), ["0x1e", "-", "1"]);
        assert_eq!(tokens("'open").map_err(|why| why.0), Err("a ' is not closed".to_owned()));
    }
}
