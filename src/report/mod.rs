//! A plan, and what became of it, as people and programs read it: text, JSON, markdown, JUnit. Pure.
//!
//! Owns every word of those forms and what a run amounts to ([`outcome_of`], [`exit_code`]). Refuses to
//! print, to open files and to decide anything about rows: a renderer writes to whatever it is handed. The
//! invariant: nothing is called in sync that was not compared as a whole, and under `redact` no value leaves
//! this room but those of keys.

mod cause;
mod closing;
mod json;
mod json_value;
mod json_writer;
mod junit;
mod line;
mod markdown;
mod marked;
mod outcome;
mod paint;
mod phrases;
mod row;
#[cfg(test)]
pub(crate) mod samples;
mod script;
#[cfg(test)]
mod tests;
mod text;
mod text_value;
mod words;

pub use line::committed_words;
pub use outcome::{Signal, exit_code, outcome_of};
pub use paint::{BOLD, GREEN, Paint, RED, YELLOW};
pub use phrases::refusal_words;
pub use words::{counted, name, thousands, visible};

use std::io;
use std::time::Duration;

use crate::failure::{ErrorKind, Failure};
use crate::plan::{Applied, Outcome, Plan, PlanKind, ReplicaPlan, TablePlan};

/// Which command a report is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `plan`.
    Plan,
    /// `apply`.
    Apply,
    /// `verify`.
    Verify,
    /// `show`.
    Show,
}

impl Command {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Command::Plan => "plan",
            Command::Apply => "apply",
            Command::Verify => "verify",
            Command::Show => "show",
        }
    }
}

/// The forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// A script for the replica's own client.
    Sql,
    /// For a comment on a pull request.
    Markdown,
    /// For a browser.
    Html,
    /// For the test view of a CI server.
    Junit,
}

impl Format {
    /// Every form, in the order of the contract.
    pub const ALL: [Format; 6] =
        [Format::Text, Format::Json, Format::Sql, Format::Markdown, Format::Html, Format::Junit];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Text => "text",
            Format::Json => "json",
            Format::Sql => "sql",
            Format::Markdown => "markdown",
            Format::Html => "html",
            Format::Junit => "junit",
        }
    }

    /// Whether this version can write it.
    pub fn is_available(self) -> bool {
        self != Format::Html
    }
}

/// How many row changes of a table text and markdown show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// At most so many.
    AtMost(u64),
    /// All of them.
    All,
}

/// How much a run is about to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Tables to compare, over all replicas.
    pub tables: usize,
    /// Rows on both sides, where every table has an estimate.
    pub rows_estimate: Option<u64>,
}

/// What is to be rendered, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The command that made it.
    pub command: Command,
    /// What was found.
    pub plan: &'a Plan,
    /// What apply did: one for each replica of the plan, in its order.
    pub applied: Option<&'a [Applied]>,
    /// Only the replica of that index.
    pub only: Option<usize>,
    /// How much was read; `None` takes the estimates of the tables that were paired.
    pub reading: Option<Reading>,
    /// Keys and column names, but no values.
    pub redact: bool,
    /// How long the run took so far, where that is known.
    pub elapsed: Option<Duration>,
    /// How many row changes of a table text and markdown show. JSON has all or, for `verify`, none unless this is `All`.
    pub rows: Rows,
    /// Whether the plan was saved before, and is shown as that.
    pub saved: bool,
    /// Whether only some of the spec's tables were to be looked at (`--table`).
    pub tables_chosen: bool,
    /// Most row changes of one transaction of a script.
    pub batch_rows: u64,
}

/// One replica of a report.
#[derive(Clone, Copy, Debug)]
struct Part<'a> {
    plan: &'a ReplicaPlan,
    applied: Option<&'a Applied>,
    /// What the plan was made from.
    kind: PlanKind,
    /// Whether the plan was saved before: whole tables were compared then, not now.
    saved: bool,
    /// Whether only some of the spec's tables were to be looked at.
    tables_chosen: bool,
    /// Why the primary could not be looked at.
    primary_error: Option<&'a Failure>,
}

impl<'a> Part<'a> {
    /// What keeps the replica from being looked at, unless the primary is to blame, which is told once for all.
    fn own_error(&self) -> Option<&'a Failure> {
        self.plan.error.as_ref().filter(|error| Some(*error) != self.primary_error)
    }

    /// What went wrong while writing, unless it only repeats why something could not be compared.
    fn applied_failure(&self) -> Option<&'a Failure> {
        let failure = self.applied?.error.as_ref()?;
        let tables = self.plan.tables.iter().flat_map(TablePlan::failures);
        let known = self.plan.error.iter().chain(tables).any(|known| known == failure);
        (!known).then_some(failure)
    }

    /// Whether the replica equals the primary now: it did before, or apply wrote all that differed and saw it equal.
    /// Of a plan that is applied later, or that has nothing to do with the primary, nobody can say so.
    fn in_sync(&self) -> bool {
        if self.kind == PlanKind::Undo || (self.saved && self.applied.is_some()) {
            return false;
        }
        let all_written = self.plan.withheld().total() == 0 && self.plan.first_failure().is_none();
        match self.applied {
            None => self.outcome() == Outcome::InSync,
            Some(applied) => match applied.outcome {
                Outcome::InSync => true,
                Outcome::Applied => all_written && applied.verified == Some(true),
                _ => false,
            },
        }
    }

    fn outcome(&self) -> Outcome {
        self.applied.map_or_else(|| outcome_of(self.plan), |applied| applied.outcome)
    }
}

impl<'a> Report<'a> {
    /// A report of all that a plan holds, as the commands show it by default.
    pub fn new(command: Command, plan: &'a Plan) -> Self {
        Report {
            command,
            plan,
            applied: None,
            only: None,
            reading: None,
            elapsed: None,
            redact: false,
            rows: Rows::AtMost(20),
            saved: command == Command::Show,
            tables_chosen: false,
            batch_rows: plan.batch_rows,
        }
    }

    /// Writes the report in a form; `paint` colours text alone.
    ///
    /// # Errors
    /// What `out` says, what reading the changes says, and a form that this version cannot write.
    pub fn write(&self, format: Format, paint: Paint, out: &mut dyn io::Write) -> io::Result<()> {
        match format {
            Format::Text => self.text(paint, out),
            Format::Json => self.json(out),
            Format::Markdown => markdown::write(self, out),
            Format::Junit => junit::write(self, out),
            Format::Sql => self.script(out),
            Format::Html => {
                let message = format!("not available yet: the format {}", format.as_str());
                Err(io::Error::new(io::ErrorKind::Unsupported, message))
            }
        }
    }

    /// Writes the JSON document, with a line feed at its end.
    pub fn json(&self, out: &mut dyn io::Write) -> io::Result<()> {
        json::write(self, out)
    }

    /// Writes the JSON document on one line, for a stream of documents.
    pub fn json_line(&self, out: &mut dyn io::Write) -> io::Result<()> {
        json::write_line(self, out)
    }

    /// Writes one line of text: when the run began and how each replica stands.
    pub fn text_line(&self, paint: Paint, out: &mut dyn io::Write) -> io::Result<()> {
        out.write_all(line::line(self, paint).as_bytes())
    }

    /// Writes everything a person wants to see: what is read, what was found and, after apply, what was done.
    pub fn text(&self, paint: Paint, out: &mut dyn io::Write) -> io::Result<()> {
        self.text_reading(paint, out)?;
        self.text_found(paint, out)?;
        self.text_applied(paint, out)
    }

    /// Writes the first line of the text: how much is read.
    pub fn text_reading(&self, paint: Paint, out: &mut dyn io::Write) -> io::Result<()> {
        if self.reads_nothing() {
            return Ok(());
        }
        let line = match self.saved {
            true => text::saved_line(self.plan, paint),
            false => text::reading_line(self.reading.unwrap_or_else(|| self.estimated()), paint),
        };
        out.write_all(line.as_bytes())
    }

    /// Writes what was found: tables, changes, refusals and the summary.
    pub fn text_found(&self, paint: Paint, out: &mut dyn io::Write) -> io::Result<()> {
        text::found(self, paint, out)
    }

    /// Writes what apply did; nothing where nothing was applied.
    pub fn text_applied(&self, paint: Paint, out: &mut dyn io::Write) -> io::Result<()> {
        text::applied(self, paint, out)
    }

    /// Why there is no script, if there is none.
    pub fn script_failure(&self) -> Option<Failure> {
        let refuse = |why: &str, hint: &str| Some(Failure::new(ErrorKind::Internal, why).hint(hint));
        if self.redact {
            return refuse("a script holds values, so there is none under --redact", "leave out --redact");
        }
        let mut parts = self.parts();
        match (parts.next(), parts.next()) {
            (Some(part), None) => script::impossible(part.plan),
            _ => refuse(
                "a script is for one replica",
                "choose it with --replica, or write --report sql={replica}.sql",
            ),
        }
    }

    /// Writes the script of its only replica for that engine's own client. What was written when an error comes
    /// in the middle commits nothing.
    ///
    /// # Errors
    /// Where there is none ([`script_failure`](Self::script_failure)) and where it cannot be written out.
    pub fn script(&self, out: &mut dyn io::Write) -> io::Result<()> {
        match (self.script_failure(), self.parts().next()) {
            (None, Some(part)) => script::write(self.plan, part.plan, self.batch_rows, out),
            (failure, _) => {
                Err(io::Error::other(failure.map(|failure| failure.to_string()).unwrap_or_default()))
            }
        }
    }

    /// Everything that went wrong: for which replica (none: the primary), for which table, and why.
    pub fn failures(&self) -> Vec<(Option<&'a str>, Option<&'a str>, &'a Failure)> {
        let mut failures = Vec::from_iter(self.plan.primary_error.iter().map(|error| (None, None, error)));
        for part in self.parts() {
            let name = Some(part.plan.name.as_str());
            failures.extend(part.own_error().map(|error| (name, None, error)));
            for table in &part.plan.tables {
                failures.extend(table.failures().map(|error| (name, Some(&*table.table), error)));
            }
            failures.extend(part.applied_failure().map(|error| (name, None, error)));
        }
        failures
    }

    /// Whether all replicas of the report equal the primary now.
    pub fn in_sync(&self) -> bool {
        self.parts().all(|part| part.in_sync())
    }

    fn parts(&self) -> impl Iterator<Item = Part<'a>> + use<'a> {
        let Report { plan, applied, only, saved, tables_chosen, .. } = *self;
        plan.replicas.iter().enumerate().filter(move |(index, _)| only.is_none_or(|only| only == *index)).map(
            move |(index, replica)| Part {
                plan: replica,
                applied: applied.and_then(|all| all.get(index)),
                kind: plan.kind,
                saved,
                tables_chosen,
                primary_error: plan.primary_error.as_ref(),
            },
        )
    }

    /// Whether there was no table to look at, so that there is nothing to say of how much is read.
    fn reads_nothing(&self) -> bool {
        !self.saved && self.parts().all(|part| part.plan.error.is_some() && part.plan.tables.is_empty())
    }

    /// How many row changes of a table are shown where they are limited.
    fn rows_shown(&self) -> usize {
        match self.rows {
            Rows::All => usize::MAX,
            Rows::AtMost(rows) => usize::try_from(rows).unwrap_or(usize::MAX),
        }
    }

    fn estimated(&self) -> Reading {
        let tables: Vec<_> = self.parts().flat_map(|part| &part.plan.tables).collect();
        let rows = tables.iter().map(|table| {
            if table.status == crate::plan::Status::Extra {
                return Some(0);
            }
            let estimate = table.pair.as_ref()?.rows_estimate;
            Some(estimate.primary? + estimate.replica.unwrap_or(0))
        });
        Reading { tables: tables.len(), rows_estimate: rows.sum() }
    }
}

/// `2026-11-22T06:00:00Z`: to the second.
fn moment(moment: jiff::Timestamp) -> String {
    let seconds = jiff::Timestamp::from_second(moment.as_second()).expect("a moment without its fraction");
    seconds.to_string()
}

/// The first line of the text before anything has been read.
pub fn reading_line(reading: Reading, paint: Paint) -> String {
    text::reading_line(reading, paint)
}
