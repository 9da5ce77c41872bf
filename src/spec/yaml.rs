//! YAML as a tree in which everything knows its place.
//!
//! Owns the only contact with YAML parsers. It refuses what a spec has no use for: several documents, tags,
//! keys that are no scalars, more than [`DEPTH_MAX`] levels and more than [`NODES_MAX`] nodes (aliases are
//! copied, so that bound also stops an alias bomb). Environment variables are put in here, after the text has
//! been taken apart, so that a value can never change the structure.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use super::env;
use super::read::Reader;
use super::{Located, Place};

/// The deepest nesting.
const DEPTH_MAX: usize = 32;
/// The most nodes, aliases counted as what they stand for.
const NODES_MAX: usize = 500_000;

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub place: Place,
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<(Located<String>, Node)>),
}

/// A scalar after environment variables were put in.
#[derive(Debug, Clone)]
pub(super) struct Scalar {
    pub text: String,
    /// Written without quotes, so that it may be a number, a boolean or null.
    pub plain: bool,
    /// Holds the value of an environment variable, which has no type of its own.
    pub substituted: bool,
    /// A variable in it could not be put in, which has been reported: nothing more is said of it.
    pub broken: bool,
    /// The place of each character of `text`; empty where the scalar cannot be followed character by character
    /// (folded lines, escapes).
    pub places: Vec<Place>,
}

/// What a plain scalar means in YAML 1.2's core schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    Null,
    Boolean(bool),
    Integer,
    Float,
    Text,
}

impl Scalar {
    /// The type by the core schema; quoted scalars are text.
    pub fn resolve(&self) -> Plain {
        if self.plain { resolve(&self.text) } else { Plain::Text }
    }

    /// The place of a character of the text; `otherwise` (the scalar's own) where that is not known.
    pub fn place_of(&self, otherwise: Place, index: usize) -> Place {
        match (self.places.get(index), self.places.last()) {
            (Some(&place), _) => place,
            // Just behind the end.
            (None, Some(&last)) => last.right(1),
            (None, None) => otherwise,
        }
    }
}

impl Node {
    /// Whether it is null or nothing at all.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(scalar) if scalar.resolve() == Plain::Null && !scalar.substituted)
    }

    /// Whether an error about it has already been reported.
    pub fn is_broken(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(scalar) if scalar.broken)
    }

    /// The kind in words, for "expected …, found …".
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::Sequence(_) => "a list",
            Kind::Mapping(_) => "a mapping",
            Kind::Scalar(scalar) => match scalar.resolve() {
                Plain::Null => "nothing",
                Plain::Boolean(_) => "a boolean",
                Plain::Integer => "a number",
                Plain::Float => "a decimal number",
                Plain::Text => "text",
            },
        }
    }
}

fn resolve(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "true" | "True" | "TRUE" => return Plain::Boolean(true),
        "false" | "False" | "FALSE" => return Plain::Boolean(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "-.inf" | "-.Inf" | "-.INF" | ".nan" | ".NaN" | ".NAN" => {
            return Plain::Float;
        }
        _ => {}
    }
    let radix = |prefix: &str, radix: u32| {
        text.strip_prefix(prefix).is_some_and(|d| !d.is_empty() && d.chars().all(|c| c.is_digit(radix)))
    };
    if radix("0x", 16) || radix("0o", 8) {
        return Plain::Integer;
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.chars().all(|c| c.is_ascii_digit()) && !unsigned.is_empty() {
        return Plain::Integer;
    }
    if is_float(unsigned) { Plain::Float } else { Plain::Text }
}

/// `[0-9]*(\.[0-9]*)?([eE][-+]?[0-9]+)?` with at least one digit before the exponent.
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let exponent_fits = exponent.is_none_or(|e| {
        let digits = e.strip_prefix(['-', '+']).unwrap_or(e);
        !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
    });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    exponent_fits && digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
}

/// A scalar as it must be written in YAML to be read back as the same text, also by [`super::Spec::parse`]
/// (`${` is escaped). Plain where that is safe, else in double quotes.
pub fn quote_scalar(text: &str) -> String {
    let mut characters = text.chars();
    let first_fits = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let rest_fits = characters.all(|c| c.is_ascii_alphanumeric() || "_.-/".contains(c));
    if first_fits && rest_fits && resolve(text) == Plain::Text {
        return text.to_owned();
    }
    // A JSON string is a double-quoted YAML scalar; only DEL and the C1 controls need more escaping.
    let json = serde_json::Value::String(text.replace("${", "$${")).to_string();
    json.chars()
        .map(|c| if c.is_control() { format!("\\u{:04x}", c as u32) } else { c.to_string() })
        .collect()
}

/// Reads the text into a tree. Errors of the YAML itself end the reading (`None`); duplicate keys and
/// environment variables that are not set are reported to `reader`, and the reading goes on.
pub(super) fn read(
    text: &str,
    reader: &mut Reader<'_>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<Node> {
    let shielded = env::Shield::over(text);
    let lines = shielded.text.lines().collect();
    let mut tree = Tree {
        events: Parser::new_from_str(&shielded.text),
        lines,
        shield: &shielded,
        reader,
        environment,
        anchors: HashMap::new(),
        nodes: 0,
    };
    let root = tree.document();
    match root {
        Ok(root) => root,
        Err(Stop { place, message, hint }) => {
            reader.error_with_hint(place, message, hint);
            None
        }
    }
}

/// An error after which the rest of the file cannot be understood.
struct Stop {
    place: Place,
    message: String,
    hint: Option<String>,
}

fn stop<T>(place: Place, message: impl Into<String>) -> Result<T, Stop> {
    Err(Stop { place, message: message.into(), hint: None })
}

struct Tree<'t, 'r, 'e> {
    events: Parser<'t, StrInput<'t>>,
    lines: Vec<&'t str>,
    shield: &'t env::Shield,
    reader: &'e mut Reader<'r>,
    environment: &'e dyn Fn(&str) -> Option<String>,
    /// Finished anchored nodes with their number of nodes.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl<'t> Tree<'t, '_, '_> {
    fn next(&mut self) -> Result<(Event<'t>, Span), Stop> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let message = format!("this is not valid YAML: {}", error.info());
                let place = self.within(place_at(error.marker().line(), error.marker().col()));
                Err(Stop { place, message, hint: scan_hint(error.info()) })
            }
            None => stop(Place::START, "the YAML ends too early"),
        }
    }

    /// What is still open at the end of the file is reported at the end of its last line, not behind it.
    fn within(&self, place: Place) -> Place {
        let last = self.lines.iter().rposition(|line| !line.trim().is_empty());
        match last {
            Some(last) if place.line as usize > last + 1 => {
                place_at(last + 1, self.lines[last].trim_end().chars().count())
            }
            _ => place,
        }
    }

    fn document(&mut self) -> Result<Option<Node>, Stop> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
                (Event::StreamEnd, _) => return stop(Place::START, "the file is empty"),
                (event, span) => {
                    let root = self.node(event, span, 0)?;
                    self.end()?;
                    return Ok(Some(root));
                }
            }
        }
    }

    /// Nothing but the end may follow the one document.
    fn end(&mut self) -> Result<(), Stop> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentStart(_), span) => {
                    return stop(place(&span), "a spec is one YAML document, a second one begins here");
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Stop> {
        let at = place(&span);
        self.nodes += 1;
        let nodes_before = self.nodes;
        if depth > DEPTH_MAX {
            return stop(at, format!("the YAML is nested deeper than {DEPTH_MAX} levels"));
        }
        if self.nodes > NODES_MAX {
            return stop(at, format!("the YAML holds more than {NODES_MAX} values"));
        }
        let (anchor, kind) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(&tag, at)?;
                (anchor, Kind::Scalar(self.scalar(text, style, at)))
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(&tag, at)?;
                (anchor, self.sequence(depth)?)
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(&tag, at)?;
                (anchor, self.mapping(depth)?)
            }
            Event::Alias(anchor) => return self.alias(anchor, at),
            _ => return stop(at, "this is not valid YAML here"),
        };
        let node = Node { place: at, kind };
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - nodes_before + 1));
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, at: Place) -> Result<Node, Stop> {
        let Some((node, count)) = self.anchors.get(&anchor) else {
            return stop(at, "this alias stands inside the value it refers to");
        };
        self.nodes += count;
        if self.nodes > NODES_MAX {
            return stop(
                at,
                format!("the YAML holds more than {NODES_MAX} values once its aliases are resolved"),
            );
        }
        Ok(node.clone())
    }

    fn sequence(&mut self, depth: usize) -> Result<Kind, Stop> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Kind::Sequence(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Kind, Stop> {
        let mut entries: Vec<(Located<String>, Node)> = Vec::new();
        let mut places: HashMap<String, Place> = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Kind::Mapping(entries));
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let mut value = self.node(event, span, depth + 1)?;
            let Kind::Scalar(scalar) = key.kind else {
                return stop(key.place, "a key must be plain text");
            };
            if scalar.broken {
                continue;
            }
            if matches!(&value.kind, Kind::Scalar(nothing) if nothing.plain && nothing.text.is_empty()) {
                // Nothing stands there: the parser's place may be the next line, the key's says more.
                value.place = key.place;
            }
            if let Some(first) = places.get(&scalar.text) {
                let message = format!("the key `{}` stands here a second time", scalar.text);
                let hint = format!("it was first given in line {}", first.line);
                self.reader.error_with_hint(key.place, message, Some(hint));
                continue;
            }
            places.insert(scalar.text.clone(), key.place);
            entries.push((Located::new(scalar.text, key.place), value));
        }
    }

    fn scalar(&mut self, text: Cow<'t, str>, style: ScalarStyle, at: Place) -> Scalar {
        let places = self.places(&text, style, at);
        let mut scalar = Scalar {
            text: self.shield.lift(&text),
            plain: style == ScalarStyle::Plain,
            substituted: false,
            broken: false,
            places,
        };
        env::substitute(&mut scalar, at, self.environment, self.reader);
        scalar
    }

    /// The source place of each character of a scalar, as far as it stands there as it is.
    fn places(&self, text: &str, style: ScalarStyle, at: Place) -> Vec<Place> {
        match style {
            ScalarStyle::Plain => self.places_on_line(text, at, |_, _, _| 1),
            ScalarStyle::SingleQuoted => self.places_on_line(text, at.right(1), |character, raw, next| {
                if character == '\'' && raw == '\'' && next == Some('\'') { 2 } else { 1 }
            }),
            ScalarStyle::DoubleQuoted => self.places_on_line(text, at.right(1), |character, raw, next| {
                if raw == '\\' && next == Some(character) { 2 } else { 1 }
            }),
            ScalarStyle::Literal => self.places_in_block(text, at),
            ScalarStyle::Folded => Vec::new(),
        }
    }

    /// `width` says how many source characters stand for one; empty when the source reads differently.
    fn places_on_line(
        &self,
        text: &str,
        first: Place,
        width: impl Fn(char, char, Option<char>) -> usize,
    ) -> Vec<Place> {
        let Some(line) = self.lines.get(first.line as usize - 1) else { return Vec::new() };
        let raw: Vec<char> = line.chars().skip(first.column as usize - 1).collect();
        let mut places = Vec::new();
        let mut next = 0;
        for character in text.chars() {
            let Some(&here) = raw.get(next) else { return Vec::new() };
            let width = width(character, here, raw.get(next + 1).copied());
            if width == 1 && here != character {
                return Vec::new();
            }
            places.push(first.right(next as u32));
            next += width;
        }
        places
    }

    /// A literal block keeps its lines; its place is the first character of its content.
    fn places_in_block(&self, text: &str, first: Place) -> Vec<Place> {
        let mut places = Vec::new();
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let at = Place { line: first.line + index as u32, column: first.column };
            let content = line.strip_suffix('\n').unwrap_or(line);
            let found = self.places_on_line(content, at, |_, _, _| 1);
            if found.len() != content.chars().count() {
                return Vec::new();
            }
            let end = at.right(found.len() as u32);
            places.extend(found);
            if content.len() < line.len() {
                places.push(end);
            }
        }
        places
    }
}

fn refuse_tag(tag: &Option<Cow<'_, saphyr_parser::Tag>>, at: Place) -> Result<(), Stop> {
    match tag {
        None => Ok(()),
        Some(_) => stop(at, "YAML tags have no meaning in a spec"),
    }
}

/// Advice for the mistakes that are made most.
fn scan_hint(info: &str) -> Option<String> {
    let info = info.to_ascii_lowercase();
    if info.contains("tab") {
        Some("YAML is indented with spaces, never with tabs".to_owned())
    } else if info.contains("alias") || info.contains("anchor") {
        Some("a name or glob that begins with `*` or `&` needs quotes: \"*\"".to_owned())
    } else if info.contains("mapping values") || info.contains("simple key") {
        Some("a value that holds `: ` or begins with a special character needs quotes".to_owned())
    } else {
        None
    }
}

fn place(span: &Span) -> Place {
    place_at(span.start.line(), span.start.col())
}

/// The parser counts columns from 0.
fn place_at(line: usize, column: usize) -> Place {
    Place { line: (line as u32).max(1), column: column as u32 + 1 }
}

#[cfg(test)]
mod tests {
    use super::{Plain, quote_scalar, resolve};

    #[test]
    fn plain_scalars_resolve_by_the_core_schema() {
        for (text, plain) in [
            ("", Plain::Null),
            ("~", Plain::Null),
            ("true", Plain::Boolean(true)),
            ("yes", Plain::Text),
            ("on", Plain::Text),
            ("-12", Plain::Integer),
            ("0x1F", Plain::Integer),
            ("0.005", Plain::Float),
            ("5e-3", Plain::Float),
            (".", Plain::Text),
            ("e5", Plain::Text),
            ("1.2.3", Plain::Text),
            ("+02:00", Plain::Text),
            ("10%", Plain::Text),
        ] {
            assert_eq!(resolve(text), plain, "{text:?}");
        }
    }

    #[test]
    fn quoting_keeps_text_text() {
        assert_eq!(quote_scalar("users"), "users");
        assert_eq!(quote_scalar("true"), "\"true\"");
        assert_eq!(quote_scalar("*"), "\"*\"");
        assert_eq!(quote_scalar("a${B}"), "\"a$${B}\"");
        assert_eq!(quote_scalar("a\"b\n"), "\"a\\\"b\\n\"");
        assert_eq!(quote_scalar("a\u{85}b"), "\"a\\u0085b\"");
    }
}
