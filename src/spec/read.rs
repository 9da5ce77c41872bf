//! Typed reading of the YAML tree, with all errors collected on the way.
//!
//! Every reader returns `None` after it has reported an error, so that the rest of the file is still looked at.

use super::yaml::{Kind, Node, Plain, Scalar};
use super::{Located, Place, SpecError};

/// Collects the errors of one spec.
pub(super) struct Reader<'a> {
    path: &'a str,
    text: &'a str,
    errors: Vec<SpecError>,
}

impl<'a> Reader<'a> {
    pub fn new(path: &'a str, text: &'a str) -> Self {
        Reader { path, text, errors: Vec::new() }
    }

    /// Reports an error.
    pub fn error(&mut self, place: Place, message: impl Into<String>) {
        self.error_with_hint(place, message, None);
    }

    /// Reports an error with advice.
    pub fn error_with_hint(&mut self, place: Place, message: impl Into<String>, hint: Option<String>) {
        let error = SpecError::new(self.path, self.text, place, message);
        self.errors.push(match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        });
    }

    pub fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    pub fn into_errors(self) -> Vec<SpecError> {
        self.errors
    }

    fn expected(&mut self, node: &Node, what: &str, expected: &str, hint: Option<String>) {
        if node.is_broken() {
            return;
        }
        let found = node.describe();
        self.error_with_hint(node.place, format!("{what} must be {expected}, not {found}"), hint);
    }

    /// A scalar of any type but null.
    pub fn scalar<'n>(&mut self, node: &'n Node, what: &str, expected: &str) -> Option<&'n Scalar> {
        match &node.kind {
            Kind::Scalar(scalar) if !node.is_null() && !scalar.broken => Some(scalar),
            _ => {
                self.expected(node, what, expected, None);
                None
            }
        }
    }

    /// Text that is not empty. Numbers and booleans need quotes to be taken for text, since `1.10` as a name
    /// is more often a slip than meant.
    pub fn text(&mut self, node: &Node, what: &str) -> Option<Located<String>> {
        let scalar = self.scalar(node, what, "text")?;
        if !scalar.substituted && scalar.resolve() != Plain::Text {
            let hint = format!("in quotes it is text: \"{}\"", scalar.text);
            self.expected(node, what, "text", Some(hint));
            return None;
        }
        if scalar.text.trim().is_empty() {
            self.error(node.place, format!("{what} is empty"));
            return None;
        }
        Some(Located::new(scalar.text.clone(), node.place))
    }

    /// A list of texts, at least one, none twice.
    pub fn texts(&mut self, node: &Node, what: &str) -> Option<Vec<Located<String>>> {
        let items = self.sequence(node, what)?;
        if items.is_empty() {
            self.error(node.place, format!("{what} is an empty list"));
            return None;
        }
        let mut texts: Vec<Located<String>> = Vec::new();
        let mut complete = true;
        for item in items {
            let Some(text) = self.text(item, &format!("an item of {what}")) else {
                complete = false;
                continue;
            };
            if texts.iter().any(|other| other.value == text.value) {
                self.error(text.place, format!("`{}` stands twice in {what}", text.value));
                complete = false;
                continue;
            }
            texts.push(text);
        }
        complete.then_some(texts)
    }

    pub fn sequence<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        match &node.kind {
            Kind::Sequence(items) => Some(items),
            Kind::Scalar(scalar) if !node.is_null() && !scalar.broken => {
                let plain = !scalar.substituted && !scalar.text.contains("://");
                let hint = plain.then(|| format!("with brackets it is a list: [{}]", scalar.text));
                self.expected(node, what, "a list", hint);
                None
            }
            _ => {
                self.expected(node, what, "a list", None);
                None
            }
        }
    }

    pub fn mapping<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [(Located<String>, Node)]> {
        match &node.kind {
            Kind::Mapping(entries) => Some(entries),
            _ => {
                self.expected(node, what, "a mapping (`key: value`)", None);
                None
            }
        }
    }

    /// A mapping whose keys are all known; others are reported.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &str, keys: &Keys) -> Option<Fields<'n>> {
        let entries = self.mapping(node, what)?;
        for (key, _) in entries {
            self.check_key(key, what, keys);
        }
        Some(Fields { entries })
    }

    fn check_key(&mut self, key: &Located<String>, what: &str, keys: &Keys) {
        let name = key.value.as_str();
        if keys.known.contains(&name) {
            return;
        }
        if keys.reserved.contains(&name) {
            let message = format!("not available yet: `{name}` is reserved for a later version");
            return self.error(key.place, message);
        }
        if let Some((_, message, hint)) = keys.refused.iter().find(|(refused, ..)| *refused == name) {
            return self.error_with_hint(key.place, *message, Some((*hint).to_owned()));
        }
        let hint = match did_you_mean(name, keys.known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys of {what} are {}", list(keys.known)),
        };
        self.error_with_hint(key.place, format!("unknown key `{name}` in {what}"), Some(hint));
    }

    pub fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        let found = match &node.kind {
            Kind::Scalar(scalar) => scalar.resolve(),
            _ => Plain::Null,
        };
        match found {
            Plain::Boolean(value) => Some(value),
            _ => {
                self.expected(node, what, "`true` or `false`", None);
                None
            }
        }
    }

    /// A whole number within bounds.
    pub fn integer(&mut self, node: &Node, what: &str, min: u64, max: u64) -> Option<u64> {
        let scalar = self.scalar(node, what, "a whole number")?;
        if scalar.resolve() != Plain::Integer {
            self.expected(node, what, "a whole number", None);
            return None;
        }
        match scalar.text.trim_start_matches('+').parse::<u64>() {
            Ok(value) if (min..=max).contains(&value) => Some(value),
            _ => {
                self.error(node.place, format!("{what} must be a whole number from {min} to {max}"));
                None
            }
        }
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, node: &Node, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let expected = either(&words);
        let scalar = self.scalar(node, what, &expected)?;
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == scalar.text) {
            return Some(*value);
        }
        let hint = did_you_mean(&scalar.text, words).map(|near| format!("did you mean `{near}`?"));
        // What a variable holds may be a secret that went to the wrong place.
        let found =
            if scalar.substituted { "what stands here".to_owned() } else { format!("`{}`", scalar.text) };
        self.error_with_hint(node.place, format!("{what} must be {expected}, not {found}"), hint);
        None
    }

    /// What reads a scalar's text with its own error type; the text may be of any plain type.
    pub fn parsed<T, E: std::fmt::Display>(
        &mut self,
        node: &Node,
        what: &str,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Located<T>> {
        let scalar = self.scalar(node, what, expected)?;
        match parse(scalar.text.trim()) {
            Ok(value) => Some(Located::new(value, node.place)),
            Err(error) => {
                self.error(node.place, format!("{what} must be {expected}: {error}"));
                None
            }
        }
    }
}

/// The keys of a mapping.
pub(super) struct Keys {
    pub known: &'static [&'static str],
    /// Keys that will mean something in a later version.
    pub reserved: &'static [&'static str],
    /// Keys with an answer of their own: key, message, hint.
    pub refused: &'static [(&'static str, &'static str, &'static str)],
}

/// A mapping's values by key.
pub(super) struct Fields<'n> {
    entries: &'n [(Located<String>, Node)],
}

impl<'n> Fields<'n> {
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(name, _)| name.value == key).map(|(_, node)| node)
    }

    /// The key's own place, for errors about its standing there at all.
    pub fn key_place(&self, key: &str) -> Option<Place> {
        self.entries.iter().find(|(name, _)| name.value == key).map(|(name, _)| name.place)
    }

    /// Like [`Self::get`], with an empty value (`limits:`) counted as absent.
    pub fn get_filled(&self, key: &str) -> Option<&'n Node> {
        self.get(key).filter(|node| !node.is_null())
    }
}

/// The nearest of the words, if one is near enough to be a slip of the finger.
pub fn did_you_mean<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let word = word.to_lowercase();
    words
        .into_iter()
        .map(|other| (strsim::damerau_levenshtein(&word, &other.to_lowercase()), other))
        .filter(|(distance, other)| {
            let shorter = other.chars().count().min(word.chars().count());
            // Any one letter is near to any other.
            *distance <= if shorter < 2 { 0 } else { 1.max(shorter / 3) }
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

/// `a`, `b` or `c`.
fn either(words: &[&str]) -> String {
    let all = list(words);
    match all.rsplit_once(" and ") {
        Some((rest, last)) => format!("{rest} or {last}"),
        None => all,
    }
}

/// `a`, `b` and `c`.
pub(super) fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.join(""),
    }
}
