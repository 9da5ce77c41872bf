//! Where something stands in the spec, and how an error about it reads.
//!
//! Owns [`Place`], [`Located`], [`SpecError`] and [`SpecErrors`]. Every error names `path:line:column`, quotes
//! the line with a caret under the place and may end in a hint. The invariant: nothing quoted here shows a
//! password, however broken the line is that holds it (see [`redact`]).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in the spec's text. Both numbers count from 1; the column counts characters, not bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Place {
    /// The first character of the file, where errors about the file as a whole point.
    pub const START: Place = Place { line: 1, column: 1 };

    /// The place `characters` further right on the same line.
    pub fn right(self, characters: u32) -> Place {
        Place { line: self.line, column: self.column.saturating_add(characters) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A value and the place in the spec it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// What stands there.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

impl<T> Located<T> {
    /// A value with its place.
    pub fn new(value: T, place: Place) -> Self {
        Located { value, place }
    }

    /// The same place with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Located<U> {
        Located { value: change(self.value), place: self.place }
    }
}

/// One thing that is wrong with the spec, with the quoted line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecError {
    /// The path as the user gave it.
    pub path: String,
    /// The place the error points at.
    pub place: Place,
    /// What is wrong, lower-case, one sentence without a full stop.
    pub message: String,
    /// What to do about it, if there is something short to say.
    pub hint: Option<String>,
    /// The quoted line and how far under it the caret stands, both after redaction.
    quote: Option<Quote>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Quote {
    line: String,
    /// Characters before the caret.
    indent: usize,
    /// Number of carets, at least one.
    width: usize,
}

impl SpecError {
    /// An error at `place` of `text`, the whole spec, whose line it quotes without secrets.
    pub fn new(path: &str, text: &str, place: Place, message: impl Into<String>) -> Self {
        SpecError {
            path: path.to_owned(),
            place,
            message: redact(&message.into()),
            hint: None,
            quote: quote(text, place),
        }
    }

    /// The same error with a hint. Shown as it is: a hint must not quote what a user wrote as a URL.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The first line of the error, `path:line:column: message`, for one-line outputs.
    pub fn headline(&self) -> String {
        format!("{}:{}: {}", self.path, self.place, self.message)
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.headline())?;
        if let Some(quote) = &self.quote {
            let number = self.place.line.to_string();
            let gutter = " ".repeat(number.len());
            write!(f, "\n  {number} | {}", quote.line)?;
            write!(f, "\n  {gutter} | {}{}", " ".repeat(quote.indent), "^".repeat(quote.width))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecError {}

/// All errors that could be found in one go, in the order of their places. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecErrors {
    errors: Vec<SpecError>,
}

impl SpecErrors {
    /// Sorts the errors by place; `None` when there are none.
    pub fn from_list(mut errors: Vec<SpecError>) -> Option<Self> {
        errors.sort_by_key(|error| error.place);
        errors.dedup();
        if errors.is_empty() { None } else { Some(SpecErrors { errors }) }
    }

    /// The errors, by place.
    pub fn iter(&self) -> impl Iterator<Item = &SpecError> {
        self.errors.iter()
    }

    /// How many there are, at least one.
    pub fn count(&self) -> usize {
        self.errors.len()
    }
}

impl From<SpecError> for SpecErrors {
    fn from(error: SpecError) -> Self {
        SpecErrors { errors: vec![error] }
    }
}

impl fmt::Display for SpecErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                write!(f, "\n\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecErrors {}

/// The most characters of a line that are quoted; longer lines are cut around the caret.
const QUOTED_CHARACTERS_MAX: usize = 160;

fn quote(text: &str, place: Place) -> Option<Quote> {
    let line = text.lines().nth(place.line.checked_sub(1)? as usize)?;
    let column = place.column.saturating_sub(1) as usize;
    // Redact what stands before the caret and the whole line: the caret moves by what the first one lost.
    let shown = redact(line);
    let before: String = line.chars().take(column).collect();
    let common = redacted_prefix_chars(&before, &shown);
    let width = word_width(&shown, common);
    Some(cut(&shown, common, width))
}

/// How many characters of `shown` stand before the caret, given the raw text before it.
fn redacted_prefix_chars(before: &str, shown: &str) -> usize {
    if shown.starts_with(before) {
        return before.chars().count();
    }
    // The secret lies before or around the caret: stand at the end of the longest common beginning,
    // or, where the text after the secret is still to be found, right behind it.
    let redacted = redact(before);
    if shown.starts_with(&redacted) {
        return redacted.chars().count();
    }
    before.chars().zip(shown.chars()).take_while(|(a, b)| a == b).count()
}

/// How many characters the caret underlines: a quoted string, a word, or one character.
fn word_width(line: &str, start: usize) -> usize {
    let mut rest = line.chars().skip(start);
    let Some(first) = rest.next() else { return 1 };
    if first == '"' || first == '\'' {
        return match rest.position(|c| c == first) {
            Some(length) => length + 2,
            None => 1,
        };
    }
    if first.is_whitespace() || "[]{},".contains(first) {
        return 1;
    }
    let chars: Vec<char> = line.chars().skip(start).collect();
    let ends = |index: usize| {
        let c = chars[index];
        c.is_whitespace()
            || ",]}\"'".contains(c)
            || (c == ':' && chars.get(index + 1).is_none_or(|next| next.is_whitespace()))
    };
    (1..chars.len()).find(|&index| ends(index)).unwrap_or(chars.len())
}

/// Keeps long lines readable: at most [`QUOTED_CHARACTERS_MAX`] characters, with the caret among them.
fn cut(line: &str, indent: usize, width: usize) -> Quote {
    let characters: Vec<char> = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let indent = indent.min(characters.len());
    if characters.len() <= QUOTED_CHARACTERS_MAX {
        return Quote { line: characters.iter().collect(), indent, width };
    }
    let from = indent.saturating_sub(QUOTED_CHARACTERS_MAX / 2);
    let to = (from + QUOTED_CHARACTERS_MAX).min(characters.len());
    let head = if from > 0 { "…" } else { "" };
    let tail = if to < characters.len() { "…" } else { "" };
    let body: String = characters[from..to].iter().collect();
    let indent = indent - from + head.chars().count();
    Quote { line: format!("{head}{body}{tail}"), indent, width: width.min(to.saturating_sub(from)).max(1) }
}

/// Hides what may be a password in any text, even a broken URL: all between the user's `:` and the last
/// `@` after `://`, and what follows `password`, `passwd` or `pwd` and a `:` or `=`. It rather hides too much.
pub fn redact(text: &str) -> String {
    let lines: Vec<String> =
        text.split('\n').map(|line| redact_assignments(&redact_parameters(&redact_urls(line)))).collect();
    lines.join("\n")
}

const HIDDEN: &str = "***";

/// The schemes of URLs that name a side. Where several URLs stand on a line, each begins with one of them.
const SCHEMES: [&str; 5] = ["postgres://", "postgresql://", "mysql://", "mariadb://", "sqlite://"];

/// Hides the passwords in the URLs of any text, and nothing else: for words that are not ours, such as a database's.
pub fn redact_in_urls(text: &str) -> String {
    let in_line = |line: &str| if line.contains("://") { redact_urls(line) } else { line.to_owned() };
    text.split('\n').map(in_line).collect::<Vec<_>>().join("\n")
}

/// Each URL on its own, so that what stands between two stays to be read. What a password looks like is not known, so
/// that it ends only where blanks, quotes or the like are followed by another URL.
fn redact_urls(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(next) = next_url(rest) {
        let (this, further) = rest.split_at(next);
        shown.push_str(&redact_url(this));
        rest = further;
    }
    shown + &redact_url(rest)
}

/// Where the next URL behind the first one begins, if a URL precedes it.
fn next_url(text: &str) -> Option<usize> {
    let first = text.find("://")? + 3;
    let begins = |at: &usize| {
        let before = text[..*at].chars().next_back();
        before.is_some_and(|character| character.is_whitespace() || "'\"`,;()[]{}<>".contains(character))
            && SCHEMES.iter().any(|scheme| text[*at..].starts_with(scheme))
    };
    text[first..].char_indices().map(|(at, _)| first + at).find(begins)
}

/// The text up to the end of its only URL, or that of a URL whose slashes were forgotten.
fn redact_url(line: &str) -> String {
    let Some(start) = line.find("://") else { return redact_without_slashes(line) };
    let (head, rest) = line.split_at(start + 3);
    let Some(colon) = rest.find(':') else { return line.to_owned() };
    match rest.rfind('@') {
        Some(at) if at > colon => {
            let password = &rest[colon + 1..at];
            let shown = if is_variable(password) { password } else { HIDDEN };
            format!("{head}{}:{shown}{}", &rest[..colon], redact_url(&rest[at..]))
        }
        // An `@` before the first colon: no password, the colon is the port's.
        Some(_) => line.to_owned(),
        None if is_port(&rest[colon + 1..]) => line.to_owned(),
        None => format!("{head}{}:{HIDDEN}", &rest[..colon]),
    }
}

/// What a misspelled `password` among a URL's parameters may hold.
fn redact_parameters(line: &str) -> String {
    let begin = line.find("://").and_then(|start| Some(start + line[start..].find('?')? + 1));
    let Some((head, query)) = begin.map(|begin| line.split_at(begin)) else { return line.to_owned() };
    let shown = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, value)) if may_be_password(name) && !value.starts_with("${") => {
            format!("{name}={HIDDEN}")
        }
        _ => pair.to_owned(),
    });
    head.to_owned() + &shown.collect::<Vec<_>>().join("&")
}

/// Misspelled words keep their first letter, or a part of those that name secrets.
fn may_be_password(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let named = ["pass", "pw", "secret", "token", "auth"].iter().any(|word| name.contains(word));
    named || (name.starts_with('p') && name != "port")
}

/// A URL whose `//` or scheme was forgotten (`postgres:ana:secret@db`, `ana:secret@db`): in a word with an `@`
/// all from the first colon to it.
fn redact_without_slashes(line: &str) -> String {
    let words = line.split_inclusive(' ').map(|word| match (word.find(':'), word.rfind('@')) {
        (Some(colon), Some(at)) if colon + 1 < at && !is_variable(&word[colon + 1..at]) => {
            format!("{}:{HIDDEN}{}", &word[..colon], &word[at..])
        }
        _ => word.to_owned(),
    });
    words.collect()
}

/// `${NAME}`: the name of a variable is no secret.
fn is_variable(text: &str) -> bool {
    let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// Whether the text after a colon reads as a port, so that nothing needs hiding.
fn is_port(text: &str) -> bool {
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let next = text[digits..].chars().next();
    (digits > 0 && next.is_none_or(|c| "/?,}]\"' #".contains(c))) || text.is_empty() || text.starts_with("//")
}

fn redact_assignments(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    for word in ["password", "passwd", "pwd"] {
        let mut from = 0;
        while let Some(found) = lower[from..].find(word) {
            let end = from + found + word.len();
            let rest = line[end..].trim_start_matches(['"', '\'', ' ']);
            if let Some(value) = rest.strip_prefix([':', '=']) {
                let keep = line.len() - value.len();
                if !value.trim().is_empty() && !value.trim_start().starts_with("${") {
                    let space = if value.starts_with(' ') { " " } else { "" };
                    return format!("{}{space}{HIDDEN}", &line[..keep]);
                }
            }
            from = end;
        }
    }
    line.to_owned()
}
