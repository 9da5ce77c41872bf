//! Comments: wrapped, and safe whatever a name holds. Pure.

use crate::report;

/// How long lines may be, before what they are indented by.
pub(super) const WIDTH: usize = 104;

/// Words as comment lines. What would end a comment or move a terminal is escaped.
pub(super) fn comment(words: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in report::visible(words).split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("# {word}")),
        }
    }
    lines
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_wrapped_and_stay_comments() {
        assert_eq!(comment("a b"), ["# a b"]);
        assert_eq!(comment("a\nb\u{85}c\u{2028}d"), [r"# a\nb\u{85}c\u{2028}d"]);
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
