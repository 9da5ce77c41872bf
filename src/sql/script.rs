//! A script that an engine's own client runs: what its parts are, whatever the engine.
//!
//! A [`Script`] renders parts in the order in which they are asked for and remembers what later parts build on
//! (MySQL's count of steps). Refuses to decide what stands in a script: that is the `sql` report's. Invariant:
//! once a part fails, the client stops, and no later part commits anything.

use crate::value::Value;

use super::{ForeignKey, SelectColumn, TableName, Unwritable};

/// Whether the rows of a guard must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect<'a> {
    /// Exactly these rows, each as it is given, once.
    AsGiven,
    /// No row with one of these keys.
    Absent,
    /// So many rows with one of these keys, whatever else is in them.
    Holding(usize),
    /// Of each of these rows exactly so many copies; there is no key.
    Copies(&'a [u64]),
}

impl Expect<'_> {
    /// How many rows are to be found for so many that are given.
    pub fn rows(self, given: usize) -> usize {
        match self {
            Expect::AsGiven => given,
            Expect::Holding(rows) => rows,
            Expect::Absent | Expect::Copies(_) => 0,
        }
    }
}

/// What a guard looks at: some rows of one table.
#[derive(Clone, Copy, Debug)]
pub struct Guard<'a> {
    /// The table.
    pub table: &'a TableName,
    /// The columns that must be as given, those of the key first.
    pub columns: &'a [SelectColumn],
    /// How many of them are the key.
    pub key_columns: usize,
    /// The rows: a value for each column, as the replica has it.
    pub rows: &'a [Vec<Value>],
    /// What must be.
    pub expect: Expect<'a>,
    /// Of copies: the condition of rows in scope, which alone count.
    pub scope: Option<&'a str>,
    /// Keep other writers off the rows until the transaction ends, where the engine locks rows.
    pub locked: bool,
    /// What to say where it is not so: one short sentence without control characters.
    pub message: &'a str,
}

/// Rows of a guard of copies in spellings that are known to be there: the same rows, whatever the script's client can
/// tell by itself.
#[derive(Clone, Copy, Debug)]
pub struct KnownSpellings<'a> {
    /// The guard's columns, as they are stored where one value has several spellings.
    pub columns: &'a [SelectColumn],
    /// For each row of the guard a value for each column, for each spelling.
    pub rows: &'a [Vec<Vec<Value>>],
}

/// How many rows to put into one guard and one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptChunk {
    /// Most rows.
    pub rows_max: usize,
    /// Most bytes of encoded rows.
    pub bytes_max: usize,
}

/// Renders the parts of one script, each ending in a line feed.
pub trait Script {
    /// How to run a script file with the engine's client, without the name of the database.
    fn usage(&self) -> &'static str;

    /// How much goes into one guard and one write.
    fn chunk(&self) -> ScriptChunk;

    /// Settings of the client and of the session. `search_path`: schemas that unqualified names are looked up
    /// in, where the engine has such a path; none leaves the session's.
    fn opening(&mut self, search_path: &[String]) -> String;

    /// An error that stops the client, whatever is true.
    fn stop(&mut self, message: &str) -> String;

    /// The beginning of a transaction.
    fn begin(&mut self) -> String;

    /// The beginning of a transaction in which tables are made anew: nothing that points at them is looked at or
    /// carried on until it ends.
    fn begin_rebuild(&mut self) -> String {
        self.begin()
    }

    /// The end of such a transaction. Its changes stay.
    fn commit_rebuild(&mut self) -> String {
        self.commit()
    }

    /// The end of a transaction that only looked.
    fn abandon(&mut self) -> String;

    /// The end of a transaction whose changes stay.
    fn commit(&mut self) -> String;

    /// Stops where rows are not as they must be.
    ///
    /// # Errors
    /// Where a value has no literal that can be compared with its column.
    fn guard(&mut self, guard: &Guard<'_>) -> Result<String, Unwritable>;

    /// Stops where rows that equal those of a guard of copies are not there exactly so often, in whatever spelling.
    /// An engine that cannot tell every spelling stops also where a row may be one of them.
    ///
    /// # Errors
    /// As for [`guard`](Self::guard).
    fn guard_in_any_spelling(
        &mut self,
        guard: &Guard<'_>,
        _known: KnownSpellings<'_>,
    ) -> Result<String, Unwritable> {
        self.guard(guard)
    }

    /// Statements that together must change so many rows; otherwise stops, saying `message`.
    ///
    /// # Errors
    /// Where a statement cannot be handed to the engine's client.
    fn write(&mut self, statements: &[String], rows: usize, message: &str) -> Result<String, Unwritable>;

    /// A statement that changes structure.
    ///
    /// # Errors
    /// Where it cannot be handed to the engine's client.
    fn define(&mut self, statement: &str) -> Result<String, Unwritable>;

    /// A statement that moves a sequence of a table, where that does not stand there by now.
    ///
    /// # Errors
    /// As for [`define`](Self::define).
    fn set_sequence(&mut self, _table: &TableName, statement: &str) -> Result<String, Unwritable> {
        self.define(statement)
    }

    /// Stops where a table that is to be dropped has rows; other sessions add none until the transaction ends.
    ///
    /// # Errors
    /// Where the table's name cannot be handed to the engine's client.
    fn empty(&mut self, table: &TableName, message: &str) -> Result<String, Unwritable>;

    /// Stops where a table that is to be dropped has another number of rows; other sessions change that no more until the
    /// transaction ends.
    ///
    /// # Errors
    /// Where the table's name cannot be handed to the engine's client.
    fn has_rows(&mut self, table: &TableName, rows: u64, message: &str) -> Result<String, Unwritable>;

    /// Keeps the triggers of these tables from firing until [`restore`](Self::restore), in this transaction.
    ///
    /// # Errors
    /// Where a table's name cannot be handed to the engine's client.
    fn suppress(&mut self, tables: &[TableName]) -> Result<String, Unwritable>;

    /// What comes before rows of a table are written in such a transaction; `suppressed`: it is one of those tables.
    fn writes_to(&mut self, _suppressed: bool) -> String {
        String::new()
    }

    /// Lets the triggers fire again.
    fn restore(&mut self) -> String;

    /// Stops where rows of the table point at nothing; empty where the engine sees to that by itself.
    fn foreign_keys(&mut self, table: &TableName, message: &str) -> String;

    /// Stops where rows of the table point at nothing with this key, whether the engine sees to that or not; empty
    /// where it cannot be told not to ([`off`](super::ConstraintChecks::off)).
    fn orphans(&mut self, _table: &TableName, _key: &ForeignKey, _message: &str) -> String {
        String::new()
    }
}

/// Lines of comment. Whatever could end a line or confuse a terminal becomes a space.
pub fn comment(text: &str) -> String {
    let mut lines = String::new();
    for line in text.lines() {
        let line = one_line(line);
        lines.push_str(if line.is_empty() { "--" } else { "-- " });
        lines.push_str(&line);
        lines.push('\n');
    }
    lines
}

/// Text without anything that ends a line, hides text or turns its direction.
pub fn one_line(text: &str) -> String {
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if hides(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_stays_one() {
        assert_eq!(comment("a\rDROP TABLE t;\nb\u{2028}c"), "-- a DROP TABLE t;\n-- b c\n");
        assert_eq!(comment("a\n\nb"), "-- a\n--\n-- b\n");
    }
}
