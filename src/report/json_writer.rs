//! JSON as a stream: objects and arrays over several lines, or on one.
//!
//! Nothing is kept but the place in the document, so that a million changes cost no memory here.

use std::fmt;
use std::io::{self, Write};

/// How the members of an object or array are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Each on a line of its own.
    Block,
    /// All on one line.
    Line,
}

struct Level {
    layout: Layout,
    empty: bool,
}

/// Writes one document.
pub struct JsonWriter<'w> {
    out: &'w mut dyn Write,
    levels: Vec<Level>,
    /// Everything on one line, whatever the layouts say.
    compact: bool,
}

impl<'w> JsonWriter<'w> {
    pub fn new(out: &'w mut dyn Write) -> Self {
        JsonWriter { out, levels: Vec::new(), compact: false }
    }

    /// One that never breaks the line: strings escape theirs.
    pub fn compact(out: &'w mut dyn Write) -> Self {
        JsonWriter { compact: true, ..JsonWriter::new(out) }
    }

    /// An object whose members `body` writes with [`key`](Self::key).
    pub fn object(
        &mut self,
        layout: Layout,
        body: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        self.container(layout, ('{', '}'), body)
    }

    /// An array of `items`, each written by `write`.
    pub fn array<T>(
        &mut self,
        layout: Layout,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> io::Result<()>,
    ) -> io::Result<()> {
        self.container(layout, ('[', ']'), |json| {
            for item in items {
                json.separate()?;
                write(json, item)?;
            }
            Ok(())
        })
    }

    /// A member's name; its value must follow.
    pub fn key(&mut self, name: &str) -> io::Result<&mut Self> {
        self.separate()?;
        self.string(name)?;
        self.out.write_all(b": ")?;
        Ok(self)
    }

    /// A string.
    pub fn string(&mut self, text: &str) -> io::Result<()> {
        Ok(serde_json::to_writer(&mut *self.out, text)?)
    }

    /// A string, or null.
    pub fn string_or_null(&mut self, text: Option<&str>) -> io::Result<()> {
        match text {
            Some(text) => self.string(text),
            None => self.raw("null"),
        }
    }

    /// Anything whose text is JSON already: numbers, `true`, `null`.
    pub fn raw(&mut self, json: impl fmt::Display) -> io::Result<()> {
        if self.compact {
            // A document out of a database may have line ends; in JSON they stand between tokens only.
            return self.out.write_all(json.to_string().replace(['\n', '\r'], " ").as_bytes());
        }
        write!(self.out, "{json}")
    }

    fn container(
        &mut self,
        layout: Layout,
        (open, close): (char, char),
        body: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let layout = if self.compact { Layout::Line } else { layout };
        write!(self.out, "{open}")?;
        self.levels.push(Level { layout, empty: true });
        body(self)?;
        let level = self.levels.pop().expect("it was just pushed");
        if level.layout == Layout::Block && !level.empty {
            self.new_line()?;
        }
        write!(self.out, "{close}")
    }

    fn separate(&mut self) -> io::Result<()> {
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        let (first, layout) = (std::mem::replace(&mut level.empty, false), level.layout);
        match (layout, first) {
            (Layout::Line, true) => Ok(()),
            (Layout::Line, false) => self.out.write_all(b", "),
            (Layout::Block, first) => {
                self.out.write_all((if first { "" } else { "," }).as_bytes())?;
                self.new_line()
            }
        }
    }

    fn new_line(&mut self) -> io::Result<()> {
        write!(self.out, "\n{:1$}", "", 2 * self.levels.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: JsonWriter<'_>) -> io::Result<()> {
        let mut json = json;
        json.object(Layout::Block, |json| {
            json.key("a")?.array(Layout::Block, [1, 2], |json, number| json.raw(number))?;
            json.key("b")?.string("line\nfeed")?;
            json.key("c")?.raw("{\r\n  \"x\":\n1}")
        })
    }

    #[test]
    fn compact_is_one_line_whatever_is_written() {
        let (mut block, mut compact) = (Vec::new(), Vec::new());
        written(JsonWriter::new(&mut block)).unwrap();
        written(JsonWriter::compact(&mut compact)).unwrap();
        let compact = String::from_utf8(compact).unwrap();
        assert_eq!(compact, r#"{"a": [1, 2], "b": "line\nfeed", "c": {    "x": 1}}"#);
        let read = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&block), read(compact.as_bytes()));
    }
}
