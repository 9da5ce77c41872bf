//! The text that people read: terraform's habits. `+` to insert, `-` to delete, `~` to update.
//!
//! What a replica needs is told table by table, in the order of the spec; one summary line a replica and one
//! at the end. Everything that came out of a database is escaped before it gets here.

use std::io::{self, Write};

use anstyle::Style;
use similar::{ChangeTag, TextDiff};

use crate::compare::{RowChange, RowCounts};
use crate::failure::Failure;
use crate::plan::{Commit, Outcome, Plan, PlanKind, PlannedChange, Refusal, SchemaChange, Status, TablePlan};
use crate::schema::TablePair;
use crate::server::Server;

use super::cause::cause_words;
use super::closing::{self, Line};
use super::marked::both;
use super::paint::{BOLD, DIM, GREEN, Paint, RED, YELLOW};
use super::phrases::{
    Sign, counts_in_words, fits_of, hazard_words, key_words, notes, range_line, refusal_words,
    schema_change_words, scope_of, sign_of, standing,
};
use super::row::{Cell, decoded, redacted_words, with_copies};
use super::text_value::shown;
use super::words::{counted, name, thousands, visible};
use super::{Command, Part, Reading, Report};

/// How many tables in sync are named before the rest is only counted.
const NAMED_MAX: usize = 8;

/// The first line: how much is read.
pub fn reading_line(reading: Reading, paint: Paint) -> String {
    let tables = counted(reading.tables as u64, "table");
    let rows = match reading.rows_estimate {
        Some(rows) => format!(", about {} on both sides", counted(rows, "row")),
        None => String::new(),
    };
    paint.on(DIM, format_args!("Comparing {tables}{rows}.")) + "\n"
}

/// The first line of a plan that was saved: from what and when it was made.
pub fn saved_line(plan: &Plan, paint: Paint) -> String {
    let made = if plan.kind == PlanKind::Undo { " that undoes one made" } else { ", made" };
    let seconds = jiff::Timestamp::from_second(plan.created_at.as_second()).unwrap_or(plan.created_at);
    let words = format!("Saved plan{made} from {} at {seconds}.\n", name(&plan.spec_path));
    paint.on(DIM, words.trim_end()) + "\n"
}

/// What was found, and what it amounts to.
pub fn found(report: &Report<'_>, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    let mut text = Text { report, paint, out };
    let parts: Vec<Part<'_>> = report.parts().collect();
    text.primary()?;
    for part in &parts {
        text.replica(part)?;
    }
    writeln!(text.out)?;
    if parts.len() > 1 && report.plan.primary_error.is_none() {
        for part in &parts {
            let prefix = format!("{}: ", text.paint.on(BOLD, name(&part.plan.name)));
            text.line(&prefix, &closing::replica_line(part))?;
        }
    }
    closing::found_lines(report.command, &parts).iter().try_for_each(|line| text.line("", line))
}

/// What apply did.
pub fn applied(report: &Report<'_>, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    let mut text = Text { report, paint, out };
    let parts: Vec<Part<'_>> = report.parts().collect();
    for part in &parts {
        let prefix = if parts.len() > 1 { format!("{}: ", name(&part.plan.name)) } else { String::new() };
        closing::applied_lines(part).iter().try_for_each(|line| text.line(&prefix, line))?;
        if let Some(failure) = part.applied_failure() {
            text.failure(&prefix, failure)?;
        }
    }
    Ok(())
}

/// What there is to say of one table, without colour.
pub fn table(report: &Report<'_>, table: &TablePlan, out: &mut dyn Write) -> io::Result<()> {
    Text { report, paint: Paint::Plain, out }.table(table)
}

struct Text<'r, 'w> {
    report: &'r Report<'r>,
    paint: Paint,
    out: &'w mut dyn Write,
}

impl Text<'_, '_> {
    /// The primary, and how its one moment was held. A plan that undoes another has nothing to do with it.
    fn primary(&mut self) -> io::Result<()> {
        let plan = self.report.plan;
        if plan.kind == PlanKind::Undo {
            return Ok(());
        }
        // Where there is no first line, this is it.
        let space = if self.report.reads_nothing() { "" } else { "\n" };
        writeln!(self.out, "{space}{}", self.paint.on(BOLD, "Primary"))?;
        self.server(&plan.primary, &plan.primary_snapshot)?;
        plan.primary_error.iter().try_for_each(|error| self.failure("  ", error))
    }

    fn server(&mut self, server: &Server, snapshot: &str) -> io::Result<()> {
        let fresh = if server.missing { ", does not exist yet" } else { "" };
        let version = [server.engine.as_str(), &server.version].join(" ");
        // A saved plan holds no URL.
        let place = if server.display.is_empty() {
            String::new()
        } else {
            format!(" · {}", visible(&server.display))
        };
        writeln!(self.out, "{}", self.paint.on(DIM, format_args!("  {}{place}{fresh}", version.trim())))?;
        if snapshot.is_empty() || server.missing || self.report.plan.kind == PlanKind::Undo {
            return Ok(());
        }
        writeln!(self.out, "{}", self.paint.on(DIM, format_args!("  snapshot: {}", visible(snapshot))))
    }

    fn replica(&mut self, part: &Part<'_>) -> io::Result<()> {
        let plan = part.plan;
        if plan.error.is_some() && part.own_error().is_none() {
            // Nothing is known of it but what the primary has been blamed for.
            return Ok(());
        }
        writeln!(self.out, "\n{}", self.paint.on(BOLD, format_args!("Replica {}", name(&plan.name))))?;
        if let Some(server) = &plan.server {
            self.server(server, &plan.snapshot)?;
        }
        if let Some(error) = &plan.error {
            self.failure("  ", error)?;
        }
        for note in &plan.notes {
            writeln!(self.out, "{}", self.paint.on(DIM, format_args!("  note: {}", visible(note))))?;
        }
        for table in plan.tables.iter().filter(|table| !is_quiet(table)) {
            self.table(table)?;
        }
        self.quiet_tables(&plan.tables)?;
        self.quiet_in_part(&plan.tables)?;
        self.refusals(&plan.refusals, part.outcome())
    }

    /// Tables of which there is nothing to say.
    fn quiet_tables(&mut self, tables: &[TablePlan]) -> io::Result<()> {
        let undo = self.report.plan.kind == PlanKind::Undo;
        let whole = |table: &&TablePlan| is_quiet(table) && (undo || table.is_whole());
        let quiet: Vec<&TablePlan> = tables.iter().filter(whole).collect();
        if quiet.is_empty() {
            return Ok(());
        }
        let mut names: Vec<String> = quiet.iter().take(NAMED_MAX).map(|table| name(&table.table)).collect();
        if quiet.len() > NAMED_MAX {
            names.push(format!("… and {} more", thousands((quiet.len() - NAMED_MAX) as u64)));
        }
        let rows = quiet.iter().map(|table| table.rows.primary).sum();
        let tables = counted(quiet.len() as u64, "table");
        // Whether they are in sync nobody asked where a plan is undone.
        let line = match self.report.plan.kind {
            PlanKind::Changes => {
                format!("  {tables} in sync ({}): {}", counted(rows, "row"), names.join(", "))
            }
            PlanKind::Undo => format!("  {tables} left as they are: {}", names.join(", ")),
        };
        writeln!(self.out, "\n{}", self.paint.on(DIM, line))
    }

    /// Tables of which only a part was compared, each with what that is: nobody can say more of them.
    fn quiet_in_part(&mut self, tables: &[TablePlan]) -> io::Result<()> {
        let undo = self.report.plan.kind == PlanKind::Undo;
        let quiet = || tables.iter().filter(|table| is_quiet(table) && !undo);
        let in_part: Vec<(&TablePlan, String)> =
            quiet().filter_map(|table| Some((table, scope_of(table, self.report.redact)?))).collect();
        for (number, (table, scope)) in in_part.iter().take(NAMED_MAX).enumerate() {
            let space = if number == 0 { "\n" } else { "" };
            let rows = counted(table.rows.primary, "row");
            let line = format!("  {} in sync in scope ({rows}): {scope}", name(&table.table));
            writeln!(self.out, "{space}{}", self.paint.on(DIM, line))?;
        }
        match in_part.len().saturating_sub(NAMED_MAX) {
            0 => Ok(()),
            more => {
                let line = format!("  … and {} in sync in scope", counted(more as u64, "more table"));
                writeln!(self.out, "{}", self.paint.on(DIM, line))
            }
        }
    }

    fn table(&mut self, table: &TablePlan) -> io::Result<()> {
        let mut title = name(&table.table);
        if table.replica_table != table.table {
            title = format!("{title} ({} on the replica)", name(&table.replica_table));
        }
        let heading = format!("# {title} {}", standing(table, self.report.plan.kind));
        writeln!(self.out, "\n  {}", self.paint.on(BOLD, heading))?;
        table.failures().try_for_each(|error| self.failure("    ", error))?;
        if table.counted() {
            self.table_notes(table)?;
        }
        if let Some(pair) = &table.pair {
            self.causes(table, pair)?;
            self.ranges(table, pair)?;
        }
        if table.schema_changes.iter().any(|change| change.commit != Commit::Together) {
            let words =
                "Online: each change of structure is committed by itself, and stays if a later one fails.";
            writeln!(self.out, "    {}", self.paint.on(DIM, words))?;
        }
        for change in &table.schema_changes {
            self.schema_change(change)?;
        }
        if let Some(pair) = &table.pair {
            self.changes(table, pair)?;
        }
        Ok(())
    }

    fn table_notes(&mut self, table: &TablePlan) -> io::Result<()> {
        writeln!(self.out, "    {}", self.paint.on(DIM, notes(table, self.report.plan.kind)))?;
        let fits = table.pair.as_ref().and_then(fits_of);
        if let Some(fits) = fits.filter(|_| self.report.plan.kind == PlanKind::Changes) {
            writeln!(self.out, "    {}", self.paint.on(DIM, format_args!("Types: {fits}")))?;
        }
        match scope_of(table, self.report.redact).filter(|_| self.report.plan.kind == PlanKind::Changes) {
            Some(scope) => {
                writeln!(self.out, "    {}", self.paint.on(DIM, format_args!("In scope: {scope}")))
            }
            None => Ok(()),
        }
    }

    fn failure(&mut self, indent: &str, failure: &Failure) -> io::Result<()> {
        let message = failure.shown(self.report.redact);
        let error = self.paint.on(RED, "Error:");
        writeln!(self.out, "{indent}{error} {}", lines_escaped(&message, indent))?;
        match &failure.hint {
            Some(hint) => writeln!(self.out, "{indent}hint: {}", lines_escaped(hint, indent)),
            None => Ok(()),
        }
    }

    fn schema_change(&mut self, change: &SchemaChange) -> io::Result<()> {
        let (sign, words) = schema_change_words(change);
        writeln!(self.out, "\n    {} {words}", self.paint.on(style_of(sign), sign))?;
        for hazard in &change.hazards {
            writeln!(self.out, "      {}", self.paint.on(RED, hazard_words(hazard)))?;
        }
        let (before, after) = (change.before.as_deref(), change.after.as_deref());
        if before.is_none() && after.is_none() {
            return change.sql.iter().try_for_each(|sql| self.diff_line(ChangeTag::Equal, sql));
        }
        self.definition_diff(before.unwrap_or_default(), after.unwrap_or_default())
    }

    /// A unified diff; its hunk headers would say nothing about definitions of a few lines.
    fn definition_diff(&mut self, before: &str, after: &str) -> io::Result<()> {
        let diff = TextDiff::from_lines(before, after);
        for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
            for change in hunk.iter_changes() {
                self.diff_line(change.tag(), change.value())?;
            }
        }
        Ok(())
    }

    fn diff_line(&mut self, tag: ChangeTag, text: &str) -> io::Result<()> {
        for line in text.lines() {
            let line = lines_escaped(line, "");
            let line = match tag {
                ChangeTag::Insert => self.paint.on(GREEN, format_args!("+{line}")),
                ChangeTag::Delete => self.paint.on(RED, format_args!("-{line}")),
                ChangeTag::Equal => format!(" {line}"),
            };
            writeln!(self.out, "      {line}")?;
        }
        Ok(())
    }

    fn ranges(&mut self, table: &TablePlan, pair: &TablePair) -> io::Result<()> {
        // A missing table differs as a whole.
        if table.ranges.is_empty() || table.status == Status::Missing || pair.key_columns == 0 {
            return Ok(());
        }
        let limit = self.report.rows_shown();
        if limit == 0 {
            let ranges = counted(table.ranges.len() as u64, "differing range");
            return writeln!(self.out, "    {}", self.paint.on(DIM, ranges));
        }
        if let [range] = table.ranges.as_slice() {
            // Its rows are those of the table, which stand above.
            let line = match (&range.range.from, &range.range.to) {
                (None, None) => "Differing range: all keys".to_owned(),
                _ => format!("Differing range: {}", range_line(pair, range, self.report.plan.kind)),
            };
            return writeln!(self.out, "    {}", self.paint.on(DIM, line));
        }
        writeln!(self.out, "\n    {}", self.paint.on(DIM, "Differing ranges:"))?;
        for range in table.ranges.iter().take(limit) {
            writeln!(
                self.out,
                "      {}",
                self.paint.on(DIM, range_line(pair, range, self.report.plan.kind))
            )?;
        }
        match table.ranges.len().saturating_sub(limit) {
            0 => Ok(()),
            more => self.more(&format!("… and {}", counted(more as u64, "more range"))),
        }
    }

    fn more(&mut self, what: &str) -> io::Result<()> {
        writeln!(self.out, "      {}", self.paint.on(DIM, what))
    }

    fn changes(&mut self, table: &TablePlan, pair: &TablePair) -> io::Result<()> {
        let limit = self.report.rows_shown();
        if !table.changes.is_empty() && (limit > 0 || !table.schema_changes.is_empty()) {
            writeln!(self.out)?;
        }
        let mut shown = [RowCounts::default(), RowCounts::default()];
        for change in with_copies(&table.changes).take(limit) {
            let (change, copies) = change?;
            self.change(pair, &change, copies)?;
            shown[usize::from(change.withheld)].count_copies(&change.change, copies);
        }
        let rest = [table.summary - shown[0], table.withheld - shown[1]];
        let suffixes = ["", " (withheld)"];
        for (words, suffix) in rest.iter().map(counts_in_words).zip(suffixes) {
            match words {
                Some(words) if limit == 0 => writeln!(self.out, "    {words}{suffix}")?,
                Some(words) => {
                    let words = words.replacen(" row", " more row", 1);
                    self.more(&format!("… and {words}{suffix}"))?;
                }
                None => {}
            }
        }
        Ok(())
    }

    fn causes(&mut self, table: &TablePlan, pair: &TablePair) -> io::Result<()> {
        table.causes.iter().try_for_each(|cause| {
            writeln!(self.out, "    {} {}", self.paint.on(YELLOW, "cause:"), cause_words(pair, cause))
        })
    }

    fn change(&mut self, pair: &TablePair, planned: &PlannedChange, copies: u64) -> io::Result<()> {
        let shown = decoded(pair, planned);
        let sign = sign_of(&planned.change);
        let style = style_of(sign);
        let key = key_words(&shown.key);
        let mut line =
            format!("      {}", self.paint.on(style, format_args!("{sign} {key}").to_string().trim_end()));
        let row = if shown.after.is_empty() { &shown.before } else { &shown.after };
        let body = match &planned.change {
            _ if self.report.redact => redacted_words(&shown),
            RowChange::Update { .. } => self.update_words(&shown.before, &shown.after),
            _ => self.row_words(row),
        };
        match body.chars().next() {
            None | Some('\n') => {}
            Some(_) => line.push_str(if key.is_empty() { " " } else { "  " }),
        }
        line.push_str(&body);
        if copies > 1 {
            line.push_str(&format!(" (× {})", thousands(copies)));
        }
        if planned.withheld {
            line.push_str(&self.paint.on(DIM, " (withheld)"));
        }
        writeln!(self.out, "{line}")
    }

    /// The columns beside the key.
    fn row_words(&self, row: &[Cell]) -> String {
        let cells = row.iter().filter(|cell| !cell.key);
        let words: Vec<String> =
            cells.map(|cell| format!("{}: {}", name(&cell.name), shown(&cell.value))).collect();
        if words.is_empty() { String::new() } else { self.paint.on(DIM, words.join(", ")) }
    }

    /// One changed column on the line of its key, several each on its own.
    fn update_words(&self, before: &[Cell], after: &[Cell]) -> String {
        let names: Vec<String> = after.iter().map(|cell| name(&cell.name)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0) + 1;
        let arrow = self.paint.on(YELLOW, "->");
        let lines = names.iter().zip(before.iter().zip(after)).map(|(name, (before, after))| {
            let (before, after) = both(&before.value, &after.value, self.paint);
            (format!("{name}:"), format!("{before} {arrow} {after}"))
        });
        match lines.collect::<Vec<_>>().as_slice() {
            [(name, words)] => format!("{name} {words}"),
            lines => lines.iter().map(|(name, words)| format!("\n          {name:width$} {words}")).collect(),
        }
    }

    fn refusals(&mut self, refusals: &[Refusal], outcome: Outcome) -> io::Result<()> {
        if refusals.is_empty() {
            return Ok(());
        }
        let refused = outcome == Outcome::Refused || self.report.command == Command::Apply;
        let word = if refused { "refused:" } else { "would be refused:" };
        writeln!(self.out)?;
        refusals.iter().try_for_each(|refusal| {
            writeln!(self.out, "  {} {}", self.paint.on(RED, word), refusal_words(refusal))
        })
    }

    fn line(&mut self, prefix: &str, line: &Line) -> io::Result<()> {
        let space = if line.word.is_empty() || line.words.is_empty() { "" } else { " " };
        writeln!(self.out, "{prefix}{}{space}{}", self.paint.on(line.style, &line.word), line.words)
    }
}

fn style_of(sign: Sign) -> Style {
    match sign {
        Sign::Insert => GREEN,
        Sign::Update => YELLOW,
        Sign::Delete => RED,
    }
}

/// Whether there is nothing to say but that the table is in sync.
fn is_quiet(table: &TablePlan) -> bool {
    table.status == Status::InSync
        && table.excused == 0
        && !table.truncated
        && table.schema_changes.is_empty()
}

/// Line ends of our own messages stay, indented; all else that a terminal would act on is escaped.
fn lines_escaped(text: &str, indent: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join(&format!("\n{indent}  "))
}
