//! `${NAME}`, `${NAME:-default}` and `$${` in scalars.
//!
//! Works on the text of one scalar after the YAML has been taken apart. The environment is a function that the
//! caller hands in. As in a shell, the default also stands in for a variable that is set but empty.

use super::Place;
use super::read::Reader;
use super::yaml::Scalar;

/// The text with the braces of `${…}` taken for letters, so that YAML lets them stand in `[…]` and `{…}` without
/// quotes. Character for character, so that places stay right.
#[derive(Debug)]
pub(super) struct Shield {
    pub text: String,
    open: char,
    close: char,
}

impl Shield {
    pub fn over(text: &str) -> Self {
        // Letters for private use that the text itself has no use for.
        let mut unused = ('\u{e000}'..='\u{f8ff}').filter(|letter| !text.contains(*letter));
        let (Some(open), Some(close)) = (unused.next(), unused.next()) else {
            return Shield { text: text.to_owned(), open: '{', close: '}' };
        };
        let mut shielded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let inner = &rest[start + 2..];
            shielded.push_str(&rest[..start]);
            match closing_brace(inner) {
                Some(end) => {
                    shielded.extend(['$', open]);
                    shielded.push_str(&inner[..end]);
                    shielded.push(close);
                    rest = &inner[end + 1..];
                }
                None => {
                    shielded.push_str("${");
                    rest = inner;
                }
            }
        }
        shielded.push_str(rest);
        Shield { text: shielded, open, close }
    }

    /// The braces back in their place.
    pub fn lift(&self, text: &str) -> String {
        text.chars()
            .map(|letter| match letter {
                _ if letter == self.open => '{',
                _ if letter == self.close => '}',
                _ => letter,
            })
            .collect()
    }
}

/// Where `NAME}` or `NAME:-default}` ends, if the text begins with one. A quote ends the search: the scalar may
/// end there.
fn closing_brace(inner: &str) -> Option<usize> {
    let name = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    if name == 0 || !(inner[name..].starts_with('}') || inner[name..].starts_with(":-")) {
        return None;
    }
    let end = inner.find(['}', '\n', '"', '\''])?;
    inner[end..].starts_with('}').then_some(end)
}

/// Puts the variables in; one that is not set is an error at its own place. Places are kept in step: what a
/// variable brought in points at its `${`.
pub(super) fn substitute(
    scalar: &mut Scalar,
    place: Place,
    environment: &dyn Fn(&str) -> Option<String>,
    reader: &mut Reader<'_>,
) {
    if !scalar.text.contains("${") {
        return;
    }
    let source: Vec<char> = scalar.text.chars().collect();
    let mut out = Output { text: String::new(), places: Vec::new() };
    let mut at = 0;
    while at < source.len() {
        let from = scalar.places.get(at).copied();
        if source[at..].starts_with(&['$', '$', '{']) {
            out.push("${", from);
            at += 3;
        } else if source[at..].starts_with(&['$', '{']) {
            let here = scalar.place_of(place, at);
            let Some(length) = source[at..].iter().position(|c| *c == '}') else {
                let hint = "write `$${` for a literal `${`".to_owned();
                reader.error_with_hint(here, "`${` is not closed by `}`", Some(hint));
                scalar.broken = true;
                return;
            };
            let inner: String = source[at + 2..at + length].iter().collect();
            match look_up(&inner, here, environment, reader) {
                Some(value) => out.push(&value, from),
                None => scalar.broken = true,
            }
            scalar.substituted = true;
            at += length + 1;
        } else {
            out.push(source[at].encode_utf8(&mut [0; 4]), from);
            at += 1;
        }
    }
    scalar.text = out.text;
    scalar.places = out.places;
}

struct Output {
    text: String,
    places: Vec<Place>,
}

impl Output {
    fn push(&mut self, text: &str, from: Option<Place>) {
        self.text.push_str(text);
        if let Some(from) = from {
            self.places.extend(text.chars().map(|_| from));
        }
    }
}

/// The value of what stands between the braces; `None` after an error.
fn look_up(
    inner: &str,
    place: Place,
    environment: &dyn Fn(&str) -> Option<String>,
    reader: &mut Reader<'_>,
) -> Option<String> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let mut characters = name.chars();
    let name_fits = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !name_fits {
        let hint =
            "the forms are `${NAME}` and `${NAME:-default}`; write `$${` for a literal `${`".to_owned();
        reader.error_with_hint(place, "this is no name of an environment variable", Some(hint));
        return None;
    }
    if default.is_some_and(|default| default.contains("${")) {
        reader.error(place, "a default cannot hold another `${`");
        return None;
    }
    match (environment(name), default) {
        (Some(value), Some(default)) if value.is_empty() => Some(default.to_owned()),
        (Some(value), _) => Some(value),
        (None, Some(default)) => Some(default.to_owned()),
        (None, None) => {
            let hint = format!("set it, or give a default: `${{{name}:-default}}`");
            let message = format!("the environment variable `{name}` is not set");
            reader.error_with_hint(place, message, Some(hint));
            None
        }
    }
}
