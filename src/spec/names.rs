//! Names of tables as people write them: exact names, qualified names and globs.
//!
//! One rule for all of them: a dot separates schema and table; double quotes (doubled to stand for
//! themselves) keep a dot, a `*` or a `?` from meaning anything, so `"my.table"` is one name and `"a*"` is no
//! glob. Nothing here folds case: names are compared exactly as the engine stores them.

use std::fmt;

/// What the names of the tool's own tables begin with.
pub const OWN_PREFIX: &str = "_trueup_";

/// A table's name, perhaps with its schema (PostgreSQL) or database (MySQL family).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QualifiedName {
    /// The schema, where one was written.
    pub schema: Option<String>,
    /// The table.
    pub name: String,
}

/// Why a name or pattern could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text, or a part of it, is empty.
    #[error("the name is empty")]
    Empty,
    /// More than two parts.
    #[error("a table name has at most two parts, schema and table")]
    TooManyParts,
    /// A `"` without its partner, or text after a closing one.
    #[error("the double quotes are not balanced")]
    Quotes,
    /// A glob where one exact name is needed.
    #[error("a glob cannot stand here, one exact name is needed")]
    Glob,
}

impl QualifiedName {
    /// Reads an exact name such as `orders`, `public.orders` or `"odd.name"`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        TablePattern::parse(text)?.exact().ok_or(NameError::Glob)
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", written(schema))?;
        }
        write!(f, "{}", written(&self.name))
    }
}

/// A name as it must be written to be read back as itself.
fn written(name: &str) -> String {
    let plain = !name.is_empty() && !name.contains(['.', '*', '?', '"']) && name.trim() == name;
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A pattern for one part of a name: `*` stands for any characters, `?` for one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob {
    parts: Vec<GlobPart>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum GlobPart {
    Character(char),
    One,
    Any,
}

impl Glob {
    /// Whether it holds `*` or `?`; else it matches exactly one name.
    pub fn is_glob(&self) -> bool {
        self.parts.iter().any(|part| !matches!(part, GlobPart::Character(_)))
    }

    /// The one name it matches, if it is no glob.
    pub fn exact(&self) -> Option<String> {
        self.parts
            .iter()
            .map(|part| match part {
                GlobPart::Character(character) => Some(*character),
                _ => None,
            })
            .collect()
    }

    /// Whether the whole name matches. Linear in name times pattern: only the last `*` is ever retried.
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut at, mut part) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        while at < name.len() {
            match self.parts.get(part) {
                Some(GlobPart::Any) => {
                    retry = Some((at, part));
                    part += 1;
                    continue;
                }
                Some(GlobPart::One) => {
                    at += 1;
                    part += 1;
                    continue;
                }
                Some(GlobPart::Character(character)) if *character == name[at] => {
                    at += 1;
                    part += 1;
                    continue;
                }
                _ => {}
            }
            let Some((from, any)) = retry else { return false };
            retry = Some((from + 1, any));
            at = from + 1;
            part = any + 1;
        }
        self.parts[part..].iter().all(|part| *part == GlobPart::Any)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.exact() {
            return write!(f, "{}", written(&name));
        }
        for part in &self.parts {
            match part {
                GlobPart::Any => write!(f, "*")?,
                GlobPart::One => write!(f, "?")?,
                GlobPart::Character('"') => write!(f, "\"\"\"\"")?,
                GlobPart::Character(c @ ('.' | '*' | '?')) => write!(f, "\"{c}\"")?,
                GlobPart::Character(character) => write!(f, "{character}")?,
            }
        }
        Ok(())
    }
}

/// A name or glob for tables, with or without a schema: `users`, `*`, `billing.*`, `"my.table"`.
///
/// A pattern without a dot speaks of the default schema only. Also what `--table GLOB` takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TablePattern {
    /// The schema's part, where there is a dot.
    pub schema: Option<Glob>,
    /// The table's part.
    pub name: Glob,
}

impl TablePattern {
    /// Reads a pattern; see the head of this file for what quotes do.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let mut parts = split(text)?;
        let name = parts.pop().ok_or(NameError::Empty)?;
        let schema = parts.pop();
        if !parts.is_empty() {
            return Err(NameError::TooManyParts);
        }
        if name.parts.is_empty() || schema.as_ref().is_some_and(|schema| schema.parts.is_empty()) {
            return Err(NameError::Empty);
        }
        Ok(TablePattern { schema, name })
    }

    /// Whether it may match more than one table.
    pub fn is_glob(&self) -> bool {
        self.name.is_glob() || self.schema.as_ref().is_some_and(Glob::is_glob)
    }

    /// The exact name, if it is no glob.
    pub fn exact(&self) -> Option<QualifiedName> {
        let schema = match &self.schema {
            None => None,
            Some(glob) => Some(glob.exact()?),
        };
        Some(QualifiedName { schema, name: self.name.exact()? })
    }

    /// Whether a table of the given schema matches; without a schema in the pattern only tables of
    /// `default_schema` do. Engines without schemas pass the same text twice. No glob matches the tool's own
    /// tables ([`OWN_PREFIX`]).
    pub fn matches(&self, schema: &str, name: &str, default_schema: &str) -> bool {
        if name.starts_with(OWN_PREFIX) && self.is_glob() {
            return false;
        }
        let schema_fits = match &self.schema {
            None => schema == default_schema,
            Some(glob) => glob.matches(schema),
        };
        schema_fits && self.name.matches(name)
    }
}

impl fmt::Display for TablePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        write!(f, "{}", self.name)
    }
}

/// Splits at dots outside double quotes; quoted characters never act as wildcards.
fn split(text: &str) -> Result<Vec<Glob>, NameError> {
    let mut globs = vec![Glob { parts: Vec::new() }];
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let last = globs.len() - 1;
        let parts = &mut globs[last].parts;
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                parts.push(GlobPart::Character('"'));
            }
            '"' => quoted = !quoted,
            '.' if !quoted => globs.push(Glob { parts: Vec::new() }),
            '*' if !quoted => {
                if parts.last() != Some(&GlobPart::Any) {
                    parts.push(GlobPart::Any);
                }
            }
            '?' if !quoted => parts.push(GlobPart::One),
            other => parts.push(GlobPart::Character(other)),
        }
    }
    if quoted { Err(NameError::Quotes) } else { Ok(globs) }
}
