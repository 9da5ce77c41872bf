//! What a CREATE INDEX of SQLite is over, and when a CREATE TRIGGER fires, from their texts: no pragma tells.
//!
//! Comments are taken off, names and texts in quotes left whole. Refuses to understand an expression; it is only cut
//! out. Invariant: `None` where the text is not certainly read.

use crate::sql::RowEvent;
use crate::sql::sqlite::quoted_length;

/// The indexed expressions, and the condition.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Definition {
    /// In order, without ASC and DESC.
    pub parts: Vec<String>,
    /// What follows WHERE.
    pub condition: Option<String>,
}

/// Reads `CREATE UNIQUE INDEX name ON table (…) WHERE …`.
pub(super) fn definition(sql: &str) -> Option<Definition> {
    let tokens = tokens(sql)?;
    let open = tokens.iter().position(|token| token.text == "(")?;
    let (mut parts, mut part, mut depth): (Vec<Vec<Token>>, Vec<Token>, usize) = (Vec::new(), Vec::new(), 0);
    let mut rest = None;
    for (at, token) in tokens.iter().enumerate().skip(open + 1) {
        match token.text.as_str() {
            ")" if depth == 0 => {
                rest = Some(&tokens[at + 1..]);
                break;
            }
            "," if depth == 0 => parts.push(std::mem::take(&mut part)),
            word => {
                depth = match word {
                    "(" => depth + 1,
                    ")" => depth - 1,
                    _ => depth,
                };
                part.push(token.clone());
            }
        }
    }
    parts.push(part);
    let condition = match rest? {
        [] => None,
        [word, condition @ ..] if word.text.eq_ignore_ascii_case("WHERE") => Some(joined(condition)),
        _ => return None,
    };
    let without_order = |mut part: Vec<Token>| {
        part.pop_if(|last| ["ASC", "DESC"].iter().any(|order| last.text.eq_ignore_ascii_case(order)));
        joined(&part)
    };
    Some(Definition { parts: parts.into_iter().map(without_order).collect(), condition })
}

/// The columns that may be spoken of: all whose names stand in the text.
pub(super) fn mentioned<'a>(sql: &str, columns: impl Iterator<Item = &'a str>) -> Vec<String> {
    let tokens = tokens(sql).unwrap_or_default();
    let names: Vec<String> = tokens.iter().map(|token| bare(&token.text)).collect();
    let stands = |column: &&str| names.iter().any(|name| name.eq_ignore_ascii_case(column));
    columns.filter(stands).map(str::to_owned).collect()
}

/// When a `CREATE TRIGGER` fires: BEFORE where nothing is said. The event is the first such word behind the name,
/// which may itself be such a word.
pub(super) fn trigger_event(sql: &str) -> (&'static str, RowEvent) {
    let tokens = tokens(sql).unwrap_or_default();
    let words: Vec<String> = tokens.iter().map(|token| token.text.to_ascii_uppercase()).collect();
    // CREATE TRIGGER [IF NOT EXISTS] [schema.]name
    let mut at = words.iter().position(|word| word == "TRIGGER").map_or(0, |at| at + 1);
    if words.get(at).is_some_and(|word| word == "IF") {
        at += 3;
    }
    at += 1;
    let rest = || words.iter().skip(at);
    let timing = if rest().next().is_some_and(|word| word == "AFTER") { "AFTER" } else { "BEFORE" };
    let event = rest().find_map(|word| match word.as_str() {
        "INSERT" => Some(RowEvent::Insert),
        "UPDATE" => Some(RowEvent::Update),
        "DELETE" => Some(RowEvent::Delete),
        _ => None,
    });
    (timing, event.unwrap_or(RowEvent::Update))
}

/// What a `CREATE TRIGGER` runs: all behind its first BEGIN that stands alone.
pub(super) fn trigger_body(sql: &str) -> &str {
    let lower = sql.to_ascii_lowercase();
    let alone = |at: &(usize, &str)| {
        let around = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        around(lower[..at.0].chars().next_back()) && around(lower[at.0 + 5..].chars().next())
    };
    lower.match_indices("begin").find(alone).map_or(sql, |(at, _)| &sql[at..])
}

/// What stands in the parentheses behind every CHECK of a CREATE TABLE.
pub(super) fn checks(sql: &str) -> Option<Vec<String>> {
    let tokens = tokens(sql)?;
    let opens = |at: usize| tokens.get(at).is_some_and(|token| token.text == "(");
    let begins = tokens
        .iter()
        .enumerate()
        .filter(|(at, token)| token.text.eq_ignore_ascii_case("CHECK") && opens(at + 1));
    let inner = begins.map(|(at, _)| {
        let (mut depth, from) = (0_usize, at + 1);
        let length = tokens[from..].iter().position(|token| {
            match token.text.as_str() {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            depth == 0
        })?;
        Some(joined(&tokens[from + 1..from + length]))
    });
    inner.collect()
}

/// A name without its quotes.
fn bare(token: &str) -> String {
    let inner = |quote: char| {
        let inner = token.strip_prefix(quote)?.strip_suffix(quote)?;
        Some(inner.replace(&format!("{quote}{quote}"), &quote.to_string()))
    };
    let bracketed = || Some(token.strip_prefix('[')?.strip_suffix(']')?.to_owned());
    inner('"').or_else(|| inner('`')).or_else(bracketed).unwrap_or_else(|| token.to_owned())
}

/// A word, a quoted thing or a character.
#[derive(Clone, Debug)]
struct Token {
    text: String,
    /// Whether blanks or a comment stand before it.
    apart: bool,
}

/// The text again, with a space for whatever stood between.
fn joined(tokens: &[Token]) -> String {
    let mut text = String::new();
    for token in tokens {
        if token.apart && !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&token.text);
    }
    text
}

fn tokens(sql: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let (mut rest, mut apart) = (sql, false);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            _ if first.is_whitespace() => {
                (rest, apart) = (&rest[first.len_utf8()..], true);
                continue;
            }
            _ if rest.starts_with("--") => {
                (rest, apart) = (rest.split_once('\n').map_or("", |(_, rest)| rest), true);
                continue;
            }
            _ if rest.starts_with("/*") => {
                (rest, apart) = (rest.split_once("*/").map_or("", |(_, rest)| rest), true);
                continue;
            }
            '\'' | '"' | '`' => quoted_length(rest, first)?,
            '[' => rest.find(']')? + 1,
            // A blob's x belongs to its quotes.
            'x' | 'X' if rest[1..].starts_with('\'') => 1 + quoted_length(&rest[1..], '\'')?,
            _ if is_word(first) => rest.find(|c: char| !is_word(c)).unwrap_or(rest.len()),
            other => other.len_utf8(),
        };
        tokens.push(Token { text: rest[..length].to_owned(), apart });
        apart = false;
        rest = &rest[length..];
    }
    Some(tokens)
}

/// The point belongs to numbers; names of another table's columns stand in no index.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '.') || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> Option<(Vec<String>, Option<String>)> {
        definition(sql).map(|found| (found.parts, found.condition))
    }

    #[test]
    fn parts_and_conditions_are_cut_out() {
        let cases = [
            ("CREATE UNIQUE INDEX i ON t (a)", vec!["a"], None),
            (
                "create unique index \"i(\" on [t)] (lower(a) desc, b COLLATE nocase)",
                vec!["lower(a)", "b COLLATE nocase"],
                None,
            ),
            (
                "CREATE UNIQUE INDEX i ON t(a /* , */, -- )\n b ASC) WHERE c <> ',)''(' AND d IS NULL",
                vec!["a", "b"],
                Some("c <> ',)''(' AND d IS NULL"),
            ),
            (
                "CREATE UNIQUE INDEX i ON t(a || x'00', b -> '$.x', 1.5e-3*c)",
                vec!["a || x'00'", "b -> '$.x'", "1.5e-3*c"],
                None,
            ),
        ];
        for (sql, parts, condition) in cases {
            let parts = parts.into_iter().map(str::to_owned).collect();
            assert_eq!(read(sql), Some((parts, condition.map(str::to_owned))), "{sql}");
        }
        assert_eq!(read("CREATE UNIQUE INDEX i ON t (a"), None);
        assert_eq!(read("CREATE UNIQUE INDEX i ON t ('a"), None);
    }

    #[test]
    fn columns_are_known_in_every_spelling() {
        let found = mentioned(
            "lower(Name) || [b c] || \"d\"\"e\" || 'x'",
            ["name", "b c", "d\"e", "x", "y"].into_iter(),
        );
        assert_eq!(found, ["name", "b c", "d\"e"]);
    }
}
