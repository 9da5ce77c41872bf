//! Triggers as a catalog describes them, and what can be told from their text.
//!
//! Refuses to understand a trigger: its text is only searched for words. Invariant: what may write to another table is
//! never called harmless, as far as the words of the text tell.

use serde::{Deserialize, Serialize};

/// What a trigger waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowEvent {
    /// Rows come.
    Insert,
    /// Rows change.
    Update,
    /// Rows go.
    Delete,
}

impl RowEvent {
    /// The word in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            RowEvent::Insert => "INSERT",
            RowEvent::Update => "UPDATE",
            RowEvent::Delete => "DELETE",
        }
    }
}

/// A trigger of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// `BEFORE`, `AFTER`.
    pub timing: String,
    /// What it waits for.
    pub events: Vec<RowEvent>,
    /// Whether it fires for sessions like ours (PostgreSQL: neither disabled nor for replication alone).
    pub fires: bool,
    /// What it runs; a function's source on PostgreSQL.
    pub body: String,
}

/// Words behind which a body writes where its text does not say.
const OUT_OF_SIGHT: [&str; 4] = ["execute", "perform", "call", "select"];

impl Trigger {
    /// Whether it fires for this event.
    pub fn fires_for(&self, event: RowEvent) -> bool {
        self.fires && self.events.contains(&event)
    }

    /// `stamp (BEFORE INSERT OR UPDATE)`.
    pub fn words(&self) -> String {
        let events: Vec<&str> = self.events.iter().map(|event| event.as_str()).collect();
        format!("{} ({} {})", self.name, self.timing, events.join(" OR "))
    }

    /// Whether it may write rows of a table of this name: its text speaks of it, or runs what is not in the text.
    pub fn may_write(&self, table: &str) -> bool {
        let says = |word: &str| self.body_words().any(|found| found.eq_ignore_ascii_case(word));
        OUT_OF_SIGHT.iter().any(|word| says(word)) || self.speaks_of(table)
    }

    /// Whether its text has the name of a table in it, in whatever letters. One that is more than a word is looked for letter
    /// by letter.
    pub fn speaks_of(&self, table: &str) -> bool {
        let is_word = table.chars().all(|c| c.is_alphanumeric() || c == '_');
        match is_word {
            true => self.body_words().any(|found| found.to_lowercase() == table.to_lowercase()),
            false => self.body.to_lowercase().contains(&table.to_lowercase()),
        }
    }

    fn body_words(&self) -> impl Iterator<Item = &str> {
        self.body.split(|c: char| !c.is_alphanumeric() && c != '_')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trigger(body: &str) -> Trigger {
        Trigger {
            name: "stamp".to_owned(),
            timing: "BEFORE".to_owned(),
            events: vec![RowEvent::Insert, RowEvent::Update],
            fires: true,
            body: body.to_owned(),
        }
    }

    #[test]
    fn a_trigger_that_only_changes_its_row_writes_nowhere_else() {
        let stamp = trigger("BEGIN NEW.last_update = now(); RETURN NEW; END");
        assert_eq!(stamp.words(), "stamp (BEFORE INSERT OR UPDATE)");
        assert!(!stamp.may_write("log"));
        assert!(stamp.fires_for(RowEvent::Update) && !stamp.fires_for(RowEvent::Delete));
        assert!(trigger("INSERT INTO \"Log\" VALUES (NEW.id)").may_write("log"));
        assert!(trigger("INSERT INTO other VALUES (1); CALL more()").may_write("log"));
        assert!(trigger("PERFORM audit(NEW)").may_write("log"));
    }
}
