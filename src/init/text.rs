//! Comments: wrapped, and safe whatever a name holds. Pure.

use crate::report;

/// How long lines may be, before what they are indented by.
pub(super) const WIDTH: usize = 104;
/// How much is shown of a text from a catalog.
const SHOWN_CHARS_MAX: usize = 60;

/// Words as comment lines; those that begin with two spaces are a line of a list and stay one. Code is not broken where
/// a line can hold it. What would end a comment or move a terminal is escaped.
pub(super) fn comment(words: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    if words.starts_with("  ") {
        return vec![format!("# {}", report::visible(words))];
    }
    for piece in pieces(&report::visible(words)) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + piece.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(&piece);
            }
            _ => lines.push(format!("# {piece}")),
        }
    }
    lines
}

/// The words of a sentence, with code in one piece: what stands between backticks, and `option: { … }`.
fn pieces(words: &str) -> Vec<String> {
    let words: Vec<&str> = words.split(' ').collect();
    let (mut pieces, mut rest) = (Vec::new(), words.as_slice());
    while !rest.is_empty() {
        let (piece, others) = rest.split_at(code_words(rest).unwrap_or(1));
        pieces.push(piece.join(" "));
        rest = others;
    }
    pieces
}

/// How many of the words are the code that they begin with. A name may have anything in it: what never ends, or is
/// longer than a line, is none.
fn code_words(words: &[&str]) -> Option<usize> {
    let [first, rest @ ..] = words else { return None };
    let is_option = first.ends_with(':') && rest.first().is_some_and(|next| next.starts_with(['{', '[']));
    if !is_option && is_closed(first) {
        return None;
    }
    (2..=words.len())
        .map(|count| (count, words[..count].join(" ")))
        .take_while(|(_, code)| code.chars().count() + 2 <= WIDTH)
        .find_map(|(count, code)| is_closed(&code).then_some(count))
}

fn is_closed(code: &str) -> bool {
    let count = |wanted: char| code.chars().filter(|character| *character == wanted).count();
    count('`').is_multiple_of(2) && count('{') == count('}') && count('[') == count(']')
}

/// Names for a sentence: `a, b and c`.
pub(super) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    joined(names, "and")
}

/// `a, b or c`.
pub(super) fn either<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    joined(names, "or")
}

fn joined<'a>(names: impl IntoIterator<Item = &'a str>, word: &str) -> String {
    let names: Vec<String> = names.into_iter().map(report::name).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {word} {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// Rows as lines of a list, their first cells of one width.
pub(super) fn rows(rows: &[(String, String)]) -> Vec<String> {
    let width = rows.iter().map(|(first, _)| first.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(first, rest)| format!("  {first:width$}  {rest}")).collect()
}

/// The beginning of a text that may be long, such as the type of an enum.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_wrapped_and_stay_comments() {
        assert_eq!(comment("a b"), ["# a b"]);
        assert_eq!(comment("  a\n"), [r"#   a\n"]);
        assert_eq!(rows(&[("a".into(), "b".into()), ("cc".into(), "d".into())]), ["  a   b", "  cc  d"]);
        assert_eq!(shortened(&"é".repeat(61)), "é".repeat(60) + "…");
        assert_eq!(comment("a\nb\u{85}c\u{2028}d"), [r"# a\nb\u{85}c\u{2028}d"]);
        let code =
            format!("{} `key: [a, b]` and compare: {{ a: {{ zone: UTC }} }}. End", "word ".repeat(19).trim());
        assert_eq!(
            comment(&code),
            [
                format!("# {}", "word ".repeat(19).trim()),
                "# `key: [a, b]` and compare: { a: { zone: UTC } }. End".into()
            ]
        );
        assert_eq!(comment("an open ` and { stay words"), ["# an open ` and { stay words"]);
        let long = comment(&"word ".repeat(50));
        assert_eq!(long.len(), 3);
        assert!(long.iter().all(|line| line.starts_with("# word") && line.chars().count() <= WIDTH));
    }

    #[test]
    fn lists_read_like_sentences() {
        assert_eq!(list([]), "");
        assert_eq!(list(["a"]), "a");
        assert_eq!(list(["a", "b", "c\n"]), "a, b and \"c\\n\"");
    }
}
