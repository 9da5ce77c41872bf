//! Markdown for comments on pull requests (GitHub, GitLab): a heading, the closing lines of the text, and per
//! replica a table of tables and a folded block for each table that differs.
//!
//! Row changes stand in fences of the language `diff`, whose highlighters know `+`, `-` and `!` (so `!` stands for
//! text's `~`). Invariant: nothing that came out of a database or a spec acts as Markdown or HTML. Outside of fences
//! it stands in code, with a form that has no special characters left where backticks would not do; in a fence no
//! line begins with it, so that it cannot end the fence. Unlike text it names no hosts: a comment is read by many.

use std::io::{self, Write};

use similar::{ChangeTag, TextDiff};

use crate::compare::{RowChange, RowCounts};
use crate::failure::Failure;
use crate::plan::{Outcome, PlanKind, PlannedChange, SchemaChange, Status, TablePlan, worst};
use crate::schema::TablePair;

use super::cause::cause_words;
use super::closing::{Line, applied_lines, found_lines};
use super::marked::both;
use super::phrases::{
    Sign, counts_in_words, fits_of, hazard_words, key_words, notes, refusal_words, schema_change_words,
    scope_of, sign_of, standing, table_words,
};
use super::row::{Cell, decoded, redacted_words, with_copies};
use super::text_value::shown;
use super::words::{counted, name, thousands, visible};
use super::{Command, Paint, Part, Report, moment};

/// How many tables in sync have a line of their own before the rest is only counted.
const IN_SYNC_MAX: usize = 50;

/// Writes the whole comment.
pub fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let parts: Vec<Part<'_>> = report.parts().collect();
    let outcome = worst(parts.iter().map(Part::outcome));
    writeln!(out, "## trueup {}: {}", report.command.as_str(), outcome_words(outcome))?;
    for line in found_lines(report.command, &parts) {
        paragraph(out, &line)?;
    }
    let mut markdown = Markdown { report, out };
    if let Some(error) = &report.plan.primary_error {
        markdown.failure("Error:", error)?;
    }
    for part in &parts {
        markdown.replica(part)?;
    }
    let moment = moment(report.plan.created_at);
    writeln!(markdown.out, "\n<sub>trueup {} · {moment}</sub>", env!("CARGO_PKG_VERSION"))
}

/// `**Plan:** 1 row to insert …`; both parts are our own words.
fn paragraph(out: &mut dyn Write, line: &Line) -> io::Result<()> {
    match (line.word.is_empty(), line.words.is_empty()) {
        (true, _) => writeln!(out, "\n{}", line.words),
        (false, true) => writeln!(out, "\n**{}**", line.word),
        (false, false) => writeln!(out, "\n**{}** {}", line.word, line.words),
    }
}

fn outcome_words(outcome: Outcome) -> String {
    outcome.as_str().replace('_', " ")
}

struct Markdown<'r, 'w> {
    report: &'r Report<'r>,
    out: &'w mut dyn Write,
}

impl Markdown<'_, '_> {
    fn replica(&mut self, part: &Part<'_>) -> io::Result<()> {
        let plan = part.plan;
        writeln!(self.out, "\n### Replica {}: {}", code(&name(&plan.name)), outcome_words(part.outcome()))?;
        if let Some(server) = &plan.server {
            let fresh = if server.missing { " (does not exist yet)" } else { "" };
            let version = |server: &crate::server::Server| {
                code(&visible([server.engine.as_str(), &server.version].join(" ").trim()))
            };
            let (primary, replica) = (version(&self.report.plan.primary), version(server));
            writeln!(self.out, "\n{primary} → {replica}{fresh}")?;
        }
        for line in applied_lines(part) {
            paragraph(self.out, &line)?;
        }
        for failure in part.own_error().into_iter().chain(part.applied_failure()) {
            self.failure("Error:", failure)?;
        }
        for note in &plan.notes {
            writeln!(self.out, "\nNote: {}", code(&visible(note)))?;
        }
        self.refusals(part)?;
        self.tables(&plan.tables)?;
        for table in &plan.tables {
            self.details(table)?;
        }
        Ok(())
    }

    fn failure(&mut self, word: &str, failure: &Failure) -> io::Result<()> {
        let message = failure.shown(self.report.redact);
        writeln!(self.out, "\n**{word}** {}", code_lines(&message))?;
        match &failure.hint {
            Some(hint) => writeln!(self.out, "<br>hint: {}", code_lines(hint)),
            None => Ok(()),
        }
    }

    fn refusals(&mut self, part: &Part<'_>) -> io::Result<()> {
        let refused = part.outcome() == Outcome::Refused || self.report.command == Command::Apply;
        let word = if refused { "Refused:" } else { "Would be refused:" };
        for refusal in &part.plan.refusals {
            writeln!(self.out, "\n**{word}** {}", code(&refusal_words(refusal)))?;
        }
        Ok(())
    }

    fn tables(&mut self, tables: &[TablePlan]) -> io::Result<()> {
        if tables.is_empty() {
            return Ok(());
        }
        writeln!(
            self.out,
            "\n| Table | Status | Rows on the primary | on the replica | Insert | Update | Delete | Schema | Withheld | Excused |\n\
             | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
        )?;
        let (mut named, mut left_out) = (0, RowsLeftOut::default());
        for table in tables {
            if table.status == Status::InSync {
                named += 1;
                if named > IN_SYNC_MAX {
                    left_out.count(table);
                    continue;
                }
            }
            self.table_line(table)?;
        }
        if let Some(line) = left_out.line() {
            writeln!(self.out, "\n{line}")?;
        }
        self.scopes(tables)
    }

    /// What was compared of the tables of which only a part was.
    fn scopes(&mut self, tables: &[TablePlan]) -> io::Result<()> {
        let undo = self.report.plan.kind == PlanKind::Undo;
        let in_sync = tables.iter().filter(|table| table.status == Status::InSync && !undo);
        let in_part = in_sync.filter_map(|table| Some((table, scope_of(table, self.report.redact)?)));
        let in_part: Vec<(&TablePlan, String)> = in_part.collect();
        if in_part.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "\nIn scope:\n")?;
        for (table, scope) in in_part.iter().take(IN_SYNC_MAX) {
            writeln!(self.out, "- {}: {}", code(&name(&table.table)), code(scope))?;
        }
        match in_part.len().saturating_sub(IN_SYNC_MAX) {
            0 => Ok(()),
            more => writeln!(self.out, "- … and {}", counted(more as u64, "more table")),
        }
    }

    fn table_line(&mut self, table: &TablePlan) -> io::Result<()> {
        let mut title = code(&name(&table.table));
        if table.replica_table != table.table {
            title = format!("{title} → {}", code(&name(&table.replica_table)));
        }
        let status = match table.status {
            Status::InSync if self.report.plan.kind == PlanKind::Undo => "unchanged",
            Status::InSync if !table.is_whole() => "in sync in scope",
            Status::InSync => "in sync",
            Status::Drift => "**drift**",
            Status::Missing => "**missing**",
            Status::Extra => "**extra**",
            Status::Error => "**error**",
        };
        let cell = |known: bool, count: u64| if known { thousands(count) } else { "–".to_owned() };
        let at_least = |count: u64| match table.truncated {
            true => format!("≥ {}", thousands(count)),
            false => cell(table.counted(), count),
        };
        let (written, kept) = (table.written(), table.kept_back());
        let cells = [
            cell(table.counted() && !table.truncated, table.rows.primary),
            cell(table.counted() && !table.truncated, table.rows.replica),
            at_least(written.rows.insert),
            at_least(written.rows.update),
            at_least(written.rows.delete),
            thousands(written.schema_changes),
            // That a table is to be created is known before its rows are.
            if kept.schema_changes > 0 { thousands(kept.total()) } else { at_least(kept.total()) },
            at_least(table.excused),
        ];
        writeln!(self.out, "| {title} | {status} | {} |", cells.join(" | "))
    }

    /// Why a table could not be compared, or what differs in it, folded.
    fn details(&mut self, table: &TablePlan) -> io::Result<()> {
        if table.error.is_some() {
            let title = format!("{} {}:", code(&name(&table.table)), standing(table, self.report.plan.kind));
            return table.failures().try_for_each(|error| self.failure(&title, error));
        }
        let rows = !table.changes.is_empty() && self.report.rows_shown() > 0;
        if !rows && table.schema_changes.is_empty() {
            return Ok(());
        }
        let title = html(&name(&table.table));
        let words = table_words(table).map(|words| format!(": {words}")).unwrap_or_default();
        writeln!(
            self.out,
            "\n<details>\n<summary><code>{title}</code> {}{words}</summary>\n",
            standing(table, self.report.plan.kind)
        )?;
        if table.counted() {
            let scope = scope_of(table, self.report.redact);
            let scope = scope.map(|scope| format!("; in scope: {}", code(&scope))).unwrap_or_default();
            let fits = table.pair.as_ref().and_then(fits_of);
            let fits = fits.filter(|_| self.report.plan.kind == PlanKind::Changes);
            let fits = fits.map(|fits| format!("; types: {}", html(&fits))).unwrap_or_default();
            writeln!(self.out, "{}{scope}{fits}\n", notes(table, self.report.plan.kind))?;
        }
        if let Some(pair) = table.pair.as_ref().filter(|_| !table.causes.is_empty()) {
            for cause in &table.causes {
                writeln!(self.out, "- cause: {}", html(&cause_words(pair, cause)))?;
            }
            writeln!(self.out)?;
        }
        writeln!(self.out, "```diff")?;
        for change in &table.schema_changes {
            self.schema_change(change)?;
        }
        if let Some(pair) = table.pair.as_ref().filter(|_| rows) {
            self.changes(table, pair)?;
        }
        writeln!(self.out, "```\n\n</details>")
    }

    fn schema_change(&mut self, change: &SchemaChange) -> io::Result<()> {
        let (sign, words) = schema_change_words(change);
        writeln!(self.out, "{} {words}", diff_sign(sign))?;
        for hazard in &change.hazards {
            writeln!(self.out, "!     {}", hazard_words(hazard))?;
        }
        let (before, after) = (change.before.as_deref(), change.after.as_deref());
        if before.is_none() && after.is_none() {
            return change.sql.iter().try_for_each(|sql| self.definition(ChangeTag::Equal, sql));
        }
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        let diff = TextDiff::from_lines(before, after);
        for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
            for change in hunk.iter_changes() {
                self.definition(change.tag(), change.value())?;
            }
        }
        Ok(())
    }

    /// Four characters stand before every line: what is indented by as many cannot end a fence.
    fn definition(&mut self, tag: ChangeTag, text: &str) -> io::Result<()> {
        let sign = match tag {
            ChangeTag::Insert => '+',
            ChangeTag::Delete => '-',
            ChangeTag::Equal => ' ',
        };
        text.lines().try_for_each(|line| writeln!(self.out, "{sign}     {}", visible(line)))
    }

    fn changes(&mut self, table: &TablePlan, pair: &TablePair) -> io::Result<()> {
        let limit = self.report.rows_shown();
        let mut shown = [RowCounts::default(), RowCounts::default()];
        for change in with_copies(&table.changes).take(limit) {
            let (change, copies) = change?;
            self.change(pair, &change, copies)?;
            shown[usize::from(change.withheld)].count_copies(&change.change, copies);
        }
        let rest = [table.summary - shown[0], table.withheld - shown[1]];
        for (words, suffix) in rest.iter().map(counts_in_words).zip(["", " (withheld)"]) {
            if let Some(words) = words {
                writeln!(self.out, "    … and {}{suffix}", words.replacen(" row", " more row", 1))?;
            }
        }
        Ok(())
    }

    fn change(&mut self, pair: &TablePair, planned: &PlannedChange, copies: u64) -> io::Result<()> {
        let change = decoded(pair, planned);
        let mut line = format!("{} {}", diff_sign(sign_of(&planned.change)), key_words(&change.key));
        let is_update = matches!(planned.change, RowChange::Update { .. });
        let row = if change.after.is_empty() { &change.before } else { &change.after };
        let values = match (self.report.redact, is_update) {
            (true, _) => redacted_words(&change),
            (false, true) => String::new(),
            (false, false) => {
                row.iter().filter(|cell| !cell.key).map(cell_words).collect::<Vec<_>>().join(", ")
            }
        };
        if !values.is_empty() {
            let space = if change.key.is_empty() { "" } else { "  " };
            line.push_str(&format!("{space}{values}"));
        }
        if copies > 1 {
            line.push_str(&format!(" (× {})", thousands(copies)));
        }
        if planned.withheld {
            line.push_str(" (withheld)");
        }
        writeln!(self.out, "{}", line.trim_end())?;
        if is_update && !self.report.redact {
            for (before, after) in change.before.iter().zip(&change.after) {
                let name = name(&after.name);
                let (old, new) = both(&before.value, &after.value, Paint::Plain);
                writeln!(self.out, "-     {name}: {old}\n+     {name}: {new}")?;
            }
        }
        Ok(())
    }
}

fn cell_words(cell: &Cell) -> String {
    format!("{}: {}", name(&cell.name), shown(&cell.value))
}

/// What was left out of a list of tables.
#[derive(Default)]
struct RowsLeftOut {
    tables: u64,
    rows: u64,
}

impl RowsLeftOut {
    fn count(&mut self, table: &TablePlan) {
        self.tables += 1;
        self.rows += table.rows.primary;
    }

    fn line(&self) -> Option<String> {
        let words = || {
            let (tables, rows) = (counted(self.tables, "more table"), counted(self.rows, "row"));
            format!("… and {tables} in sync ({rows}).")
        };
        (self.tables > 0).then(words)
    }
}

fn diff_sign(sign: Sign) -> char {
    match sign {
        Sign::Insert => '+',
        Sign::Update => '!',
        Sign::Delete => '-',
    }
}

/// Several lines of text as code, with line breaks between.
fn code_lines(text: &str) -> String {
    text.lines().map(|line| code(&visible(line))).collect::<Vec<_>>().join("<br>")
}

/// Printable text on one line as code. Where backticks cannot hold it (they themselves, the bars of a table, blanks
/// at the ends) it stands in an element, with every character that could mean something as a reference.
fn code(text: &str) -> String {
    let fits = !text.is_empty() && text.trim() == text && !text.contains(['`', '|', '\\', '\n', '\r']);
    if fits { format!("`{text}`") } else { format!("<code>{}</code>", references(text)) }
}

/// A reference is never read as markup. The empty comment behind `@` keeps GitHub from making a mail address of it.
fn references(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '@' => out.push_str("&#64;<!-- -->"),
            ' ' | ',' | '-' | '=' | '/' | '(' | ')' | '%' | ';' | '?' | '\'' => out.push(character),
            _ if character.is_ascii_punctuation() || character.is_ascii_control() => {
                out.push_str(&format!("&#{};", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out
}

/// Text within an HTML block, where Markdown does not act.
fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_act_as_markup() {
        assert_eq!(code("order_items"), "`order_items`");
        assert_eq!(code("a|b`c"), "<code>a&#124;b&#96;c</code>");
        assert_eq!(code("a\\|b"), "<code>a&#92;&#124;b</code>");
        assert_eq!(code(" <b>*x*"), "<code> &#60;b&#62;&#42;x&#42;</code>");
        assert_eq!(code("|me@example.org"), "<code>&#124;me&#64;<!-- -->example&#46;org</code>");
        assert_eq!(code("<img src=x>@team"), "`<img src=x>@team`");
        assert_eq!(html("</summary>&"), "&lt;/summary&gt;&amp;");
    }
}
