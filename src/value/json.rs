//! One text for each JSON document: members sorted by name, numbers by exact value, no spaces.
//!
//! Two documents have the same canonical text exactly when they have the same structure, as `jsonb` and MySQL's
//! JSON see it: of members with one name the last counts, and 1, 1.0 and 1e0 are one number.

use std::collections::BTreeMap;

use super::Decimal;

/// How deeply documents may nest; MySQL stops at 100. A bound on the stack.
const DEPTH_MAX: usize = 1_000;

/// A text that is not JSON, or holds a number too long to be compared exactly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON document: {expected} expected at byte {at}")]
pub struct JsonError {
    at: usize,
    expected: &'static str,
}

/// The canonical text of a JSON document.
pub fn canonical_json(text: &str) -> Result<String, JsonError> {
    let mut parser = Parser { bytes: text.as_bytes(), at: 0 };
    let value = parser.value(0)?;
    parser.space();
    if parser.at != parser.bytes.len() {
        return Err(parser.error("the end"));
    }
    Ok(value)
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn error(&self, expected: &'static str) -> JsonError {
        JsonError { at: self.at, expected }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<String, JsonError> {
        if depth > DEPTH_MAX {
            return Err(self.error("less nesting"));
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(quoted(&self.string()?)),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &'static str) -> Result<String, JsonError> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(word.to_owned());
        }
        Err(self.error("a value"))
    }

    fn object(&mut self, depth: usize) -> Result<String, JsonError> {
        self.at += 1;
        let mut members = BTreeMap::new();
        self.space();
        while !self.take(b'}') {
            if !members.is_empty() && !self.take(b',') {
                return Err(self.error("`,` or `}`"));
            }
            self.space();
            let name = self.string()?;
            self.space();
            if !self.take(b':') {
                return Err(self.error("`:`"));
            }
            members.insert(name, self.value(depth + 1)?);
            self.space();
        }
        let members: Vec<_> =
            members.iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
        Ok(format!("{{{}}}", members.join(",")))
    }

    fn array(&mut self, depth: usize) -> Result<String, JsonError> {
        self.at += 1;
        let mut elements = Vec::new();
        self.space();
        while !self.take(b']') {
            if !elements.is_empty() && !self.take(b',') {
                return Err(self.error("`,` or `]`"));
            }
            elements.push(self.value(depth + 1)?);
            self.space();
        }
        Ok(format!("[{}]", elements.join(",")))
    }

    fn string(&mut self) -> Result<String, JsonError> {
        let start = self.at;
        if !self.take(b'"') {
            return Err(self.error("a string"));
        }
        loop {
            match self.peek() {
                Some(b'\\') => self.at += 2,
                Some(b'"') => break,
                Some(_) => self.at += 1,
                None => return Err(self.error("the end of a string")),
            }
        }
        self.at += 1;
        serde_json::from_slice(&self.bytes[start..self.at])
            .map_err(|_| JsonError { at: start, expected: "a well-formed string" })
    }

    fn number(&mut self) -> Result<String, JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
            self.at += 1;
        }
        let error = JsonError { at: start, expected: "a value" };
        let text = std::str::from_utf8(&self.bytes[start..self.at]).map_err(|_| error.clone())?;
        Decimal::parse(text).map(|number| number.trimmed().to_string()).map_err(|_| error)
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structure_decides() {
        let same = |a: &str, b: &str| canonical_json(a) == canonical_json(b);
        assert!(same(r#"{"b": 1, "a": [1.0, 1e0]}"#, r#"{"a":[1,1],"b":1.00}"#));
        assert!(same(r#"{"a":1,"a":2}"#, r#"{"a":2}"#));
        assert!(same(r#""\u00e9""#, r#""é""#));
        assert!(!same("9007199254740993", "9007199254740992"));
        assert!(!same("null", r#""null""#));
        assert!(!same("0.1", "0.10000000000000001"));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["", "{", "[1,]", "{\"a\"}", "1 2", "nul", "\"a", "NaN", "[1}", "{\"a\":1,}"] {
            assert!(canonical_json(text).is_err(), "{text}");
        }
    }
}
