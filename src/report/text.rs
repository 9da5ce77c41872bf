//! The text that people read: terraform's habits. `+` to insert, `-` to delete, `~` to update.
//!
//! What a replica needs is told table by table, in the order of the spec; one summary line a replica and one
//! at the end. Everything that came out of a database is escaped before it gets here.

use std::io::{self, Write};

use similar::{ChangeTag, TextDiff};

use crate::compare::{RowChange, RowCounts};
use crate::failure::Failure;
use crate::plan::{
    Applied, Changes, Outcome, PlannedChange, RangeDrift, Refusal, SchemaAction, SchemaChange, Status,
    TablePlan,
};
use crate::schema::TablePair;
use crate::value::{Key, Value};

use super::marked::marked;
use super::outcome::outcome_of;
use super::paint::{BOLD, DIM, GREEN, Paint, RED, YELLOW};
use super::row::{Cell, decoded, with_copies};
use super::text_value::{REDACTED, shown};
use super::words::{counted, name, thousands, visible};
use super::{Command, Part, Reading, Report, Rows};

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

/// What was found, and what it amounts to.
pub fn found(report: &Report<'_>, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    let mut text = Text { report, paint, out };
    let parts: Vec<Part<'_>> = report.parts().collect();
    for part in &parts {
        text.replica(part)?;
    }
    writeln!(text.out)?;
    if parts.len() > 1 {
        for part in &parts {
            text.replica_summary(part)?;
        }
    }
    text.summary(&parts)
}

/// What apply did.
pub fn applied(report: &Report<'_>, paint: Paint, out: &mut dyn Write) -> io::Result<()> {
    let mut text = Text { report, paint, out };
    let parts: Vec<Part<'_>> = report.parts().collect();
    for part in &parts {
        let prefix = if parts.len() > 1 { format!("{}: ", name(&part.plan.name)) } else { String::new() };
        if let Some(applied) = part.applied {
            text.applied_to(&prefix, part, applied)?;
        }
        if let Some(failure) = part.applied_failure() {
            text.failure(&prefix, failure)?;
        }
    }
    Ok(())
}

struct Text<'r, 'w> {
    report: &'r Report<'r>,
    paint: Paint,
    out: &'w mut dyn Write,
}

impl Text<'_, '_> {
    fn replica(&mut self, part: &Part<'_>) -> io::Result<()> {
        let plan = part.plan;
        writeln!(self.out, "\n{}", self.paint.on(BOLD, format_args!("Replica {}", name(&plan.name))))?;
        if let Some(server) = &plan.server {
            let fresh = if server.missing { ", does not exist yet" } else { "" };
            let version = [server.engine.as_str(), &server.version].join(" ");
            let line = format!("  {} · {}{fresh}", version.trim(), visible(&server.display));
            writeln!(self.out, "{}", self.paint.on(DIM, line))?;
        }
        if let Some(error) = &plan.error {
            self.failure("  ", error)?;
        }
        for table in plan.tables.iter().filter(|table| !is_quiet(table)) {
            self.table(table)?;
        }
        self.quiet_tables(&plan.tables)?;
        self.refusals(&plan.refusals, part.outcome())
    }

    /// Tables of which there is nothing to say.
    fn quiet_tables(&mut self, tables: &[TablePlan]) -> io::Result<()> {
        let quiet: Vec<&TablePlan> = tables.iter().filter(|table| is_quiet(table)).collect();
        if quiet.is_empty() {
            return Ok(());
        }
        let mut names: Vec<String> = quiet.iter().take(NAMED_MAX).map(|table| name(&table.table)).collect();
        if quiet.len() > NAMED_MAX {
            names.push(format!("… and {} more", thousands((quiet.len() - NAMED_MAX) as u64)));
        }
        let rows = quiet.iter().map(|table| table.rows.primary).sum();
        let line = format!(
            "  {} in sync ({}): {}",
            counted(quiet.len() as u64, "table"),
            counted(rows, "row"),
            names.join(", ")
        );
        writeln!(self.out, "\n{}", self.paint.on(DIM, line))
    }

    fn table(&mut self, table: &TablePlan) -> io::Result<()> {
        let mut title = name(&table.table);
        if table.replica_table != table.table {
            title = format!("{title} ({} on the replica)", name(&table.replica_table));
        }
        let heading = format!("# {title} {}", self.heading_of(table));
        writeln!(self.out, "\n  {}", self.paint.on(BOLD, heading))?;
        if let Some(error) = &table.error {
            self.failure("    ", error)?;
        }
        if table.counted() {
            self.table_notes(table)?;
        }
        for change in &table.schema_changes {
            self.schema_change(change)?;
        }
        if let Some(pair) = &table.pair {
            self.ranges(table, pair)?;
            self.changes(table, pair)?;
        }
        Ok(())
    }

    fn heading_of(&self, table: &TablePlan) -> String {
        match table.status {
            Status::Error => "could not be compared".to_owned(),
            Status::InSync => "is in sync".to_owned(),
            Status::Missing => "is missing on the replica".to_owned(),
            Status::Drift if table.changes.is_empty() => "differs in its structure".to_owned(),
            Status::Drift => {
                let mut all = table.summary;
                all += table.withheld;
                let at_least = if table.truncated { "at least " } else { "" };
                format!("differs in {at_least}{}", counted(all.total(), "row"))
            }
        }
    }

    fn table_notes(&mut self, table: &TablePlan) -> io::Result<()> {
        let mut note = format!(
            "{} on the primary, {} on the replica",
            counted(table.rows.primary, "row"),
            thousands(table.rows.replica)
        );
        if table.excused > 0 {
            note.push_str(&format!(
                "; {} differ only in what the spec excuses",
                counted(table.excused, "row")
            ));
        }
        if table.truncated {
            note.push_str("; stopped looking at --max-diffs");
        }
        writeln!(self.out, "    {}", self.paint.on(DIM, note))
    }

    fn failure(&mut self, indent: &str, failure: &Failure) -> io::Result<()> {
        let message = if self.report.redact { failure.message.clone() } else { failure.to_string() };
        let error = self.paint.on(RED, "Error:");
        writeln!(self.out, "{indent}{error} {}", lines_escaped(&message, indent))?;
        match &failure.hint {
            Some(hint) => writeln!(self.out, "{indent}hint: {}", lines_escaped(hint, indent)),
            None => Ok(()),
        }
    }

    fn schema_change(&mut self, change: &SchemaChange) -> io::Result<()> {
        let (sign, style, what) = match change.action {
            SchemaAction::CreateTable => ("+", GREEN, "create table"),
            SchemaAction::AddColumn => ("+", GREEN, "add column"),
            SchemaAction::AlterColumn => ("~", YELLOW, "alter column"),
        };
        let withheld = if change.withheld { " (withheld)" } else { "" };
        let hazards = match change.hazards.as_slice() {
            [] => String::new(),
            hazards => format!(" (needs --allow {})", hazards.join(",")),
        };
        let sign = self.paint.on(style, sign);
        writeln!(self.out, "\n    {sign} {what} {}{hazards}{withheld}", name(&change.object))?;
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
        let limit = self.limit();
        if limit == 0 {
            let ranges = counted(table.ranges.len() as u64, "differing range");
            return writeln!(self.out, "    {}", self.paint.on(DIM, ranges));
        }
        if let [range] = table.ranges.as_slice() {
            let line = format!("Differing range: {}", range_line(pair, range));
            return writeln!(self.out, "    {}", self.paint.on(DIM, line));
        }
        writeln!(self.out, "\n    {}", self.paint.on(DIM, "Differing ranges:"))?;
        for range in table.ranges.iter().take(limit) {
            writeln!(self.out, "      {}", self.paint.on(DIM, range_line(pair, range)))?;
        }
        match table.ranges.len().saturating_sub(limit) {
            0 => Ok(()),
            more => self.more(&format!("… and {}", counted(more as u64, "more range"))),
        }
    }

    fn limit(&self) -> usize {
        match self.report.rows {
            Rows::All => usize::MAX,
            Rows::AtMost(rows) => usize::try_from(rows).unwrap_or(usize::MAX),
        }
    }

    fn more(&mut self, what: &str) -> io::Result<()> {
        writeln!(self.out, "      {}", self.paint.on(DIM, what))
    }

    fn changes(&mut self, table: &TablePlan, pair: &TablePair) -> io::Result<()> {
        let limit = self.limit();
        if limit > 0 && !table.changes.is_empty() {
            writeln!(self.out)?;
        }
        let mut rest = [RowCounts::default(), RowCounts::default()];
        for (index, (change, copies)) in with_copies(pair, &table.changes).enumerate() {
            if index < limit {
                self.change(pair, change, copies)?;
            } else {
                (0..copies).for_each(|_| rest[usize::from(change.withheld)].count(&change.change));
            }
        }
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

    fn change(&mut self, pair: &TablePair, planned: &PlannedChange, copies: u64) -> io::Result<()> {
        let shown = decoded(pair, planned);
        let (sign, style) = match planned.change {
            RowChange::Insert { .. } => ("+", GREEN),
            RowChange::Update { .. } => ("~", YELLOW),
            RowChange::Delete { .. } => ("-", RED),
        };
        let key = key_words(&shown.key);
        let mut line =
            format!("      {}", self.paint.on(style, format_args!("{sign} {key}").to_string().trim_end()));
        let row = if shown.after.is_empty() { &shown.before } else { &shown.after };
        let body = match &planned.change {
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
            cells.map(|cell| format!("{}: {}", name(&cell.name), self.value_words(&cell.value))).collect();
        self.paint.on(DIM, words.join(", "))
    }

    /// One changed column on the line of its key, several each on its own.
    fn update_words(&self, before: &[Cell], after: &[Cell]) -> String {
        let names: Vec<String> = after.iter().map(|cell| name(&cell.name)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0) + 1;
        let arrow = self.paint.on(YELLOW, "->");
        let lines = names.iter().zip(before.iter().zip(after)).map(|(name, (before, after))| {
            let (before, after) = self.both_values(&before.value, &after.value);
            (format!("{name}:"), format!("{before} {arrow} {after}"))
        });
        match lines.collect::<Vec<_>>().as_slice() {
            [(name, words)] => format!("{name} {words}"),
            lines => lines.iter().map(|(name, words)| format!("\n          {name:width$} {words}")).collect(),
        }
    }

    fn value_words(&self, value: &Value) -> String {
        if self.report.redact { REDACTED.to_owned() } else { shown(value) }
    }

    fn both_values(&self, before: &Value, after: &Value) -> (String, String) {
        let texts = match (before, after) {
            _ if self.report.redact => None,
            (Value::Text(before), Value::Text(after)) => marked(before, after, self.paint),
            _ => None,
        };
        texts.unwrap_or_else(|| {
            let coloured = |style, value: &Value| self.paint.on(style, self.value_words(value));
            (coloured(RED, before), coloured(GREEN, after))
        })
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

    fn replica_summary(&mut self, part: &Part<'_>) -> io::Result<()> {
        let words = match outcome_of(part.plan) {
            Outcome::InSync => "No changes. The replica matches the primary.".to_owned(),
            Outcome::Drift => sums(&[*part]),
            Outcome::Interrupted => "Interrupted: not everything was compared.".to_owned(),
            _ => format!("Error: {}", could_not(&[*part])),
        };
        writeln!(self.out, "{}: {words}", self.paint.on(BOLD, name(&part.plan.name)))
    }

    fn summary(&mut self, parts: &[Part<'_>]) -> io::Result<()> {
        let outcomes: Vec<Outcome> = parts.iter().map(|part| outcome_of(part.plan)).collect();
        if !outcomes.is_empty() && outcomes.iter().all(|outcome| *outcome == Outcome::InSync) {
            let words = match parts.len() {
                1 => "The replica matches the primary.".to_owned(),
                many => format!("All {many} replicas match the primary."),
            };
            return writeln!(self.out, "{} {words}", self.paint.on(GREEN.bold(), "No changes."));
        }
        let word = if self.report.command == Command::Verify { "Drift:" } else { "Plan:" };
        if outcomes.contains(&Outcome::Drift) || parts.iter().any(|part| part.plan.summary().total() > 0) {
            writeln!(self.out, "{} {}", self.paint.on(BOLD, word), sums(parts))?;
        }
        if let Some(withheld) = withheld_words(parts) {
            let word = self.paint.on(YELLOW, "Withheld:");
            writeln!(self.out, "{word} {withheld}; the spec says not to write them.")?;
        }
        if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Error | Outcome::Interrupted)) {
            writeln!(self.out, "{} {}", self.paint.on(RED.bold(), "Error:"), could_not(parts))?;
        }
        Ok(())
    }

    fn applied_to(&mut self, prefix: &str, part: &Part<'_>, applied: &Applied) -> io::Result<()> {
        let (committed, of) = applied.batches;
        match applied.outcome {
            Outcome::Applied => self.complete(prefix, applied),
            Outcome::InSync => writeln!(self.out, "{prefix}Nothing to apply."),
            // The check afterwards found rows that differ again.
            Outcome::Drift if applied.batches.0 > 0 => self.complete(prefix, applied),
            Outcome::Drift => {
                writeln!(self.out, "{prefix}Nothing to apply: only withheld changes are left.")
            }
            // All that was to be written is in; what went wrong stands beside it.
            _ if committed > 0 && committed == of => {
                self.complete(prefix, applied)?;
                self.left_out(prefix, part)
            }
            outcome => {
                let words = format!("Not applied ({}).", outcome.as_str());
                writeln!(self.out, "{prefix}{}", self.paint.on(RED.bold(), words))?;
                self.what_stands(prefix, applied)
            }
        }
    }

    /// Tables in error that `--partial` passed over.
    fn left_out(&mut self, prefix: &str, part: &Part<'_>) -> io::Result<()> {
        let tables = part.plan.tables.iter().filter(|table| table.status == Status::Error).count();
        if tables == 0 {
            return Ok(());
        }
        let words =
            format!("{} could not be compared; nothing was written there.", counted(tables as u64, "table"));
        writeln!(self.out, "{prefix}{} {words}", self.paint.on(RED.bold(), "Error:"))
    }

    fn complete(&mut self, prefix: &str, applied: &Applied) -> io::Result<()> {
        let rows = &applied.rows;
        let structure = match applied.schema_changes {
            0 => String::new(),
            changes => format!(", {}", counted(changes, "schema change")),
        };
        let done = format!(
            "{} inserted, {} updated, {} deleted{structure}.",
            counted(rows.insert, "row"),
            thousands(rows.update),
            thousands(rows.delete),
        );
        writeln!(self.out, "{prefix}{} {done}", self.paint.on(GREEN.bold(), "Apply complete!"))?;
        if applied.already > 0 {
            writeln!(self.out, "{prefix}{} were there already.", counted(applied.already, "change"))?;
        }
        match applied.verified {
            Some(true) => writeln!(self.out, "{prefix}Verified: the rows written equal the primary."),
            Some(false) => {
                let words = "Not verified: rows written differ from the primary again.";
                writeln!(self.out, "{prefix}{}", self.paint.on(RED, words))
            }
            None => writeln!(self.out, "{prefix}Not verified: the rows written were not compared again."),
        }
    }

    fn what_stands(&mut self, prefix: &str, applied: &Applied) -> io::Result<()> {
        match applied.batches {
            (0, _) if applied.commit_unknown => {
                writeln!(
                    self.out,
                    "{prefix}It is unknown whether the changes are in; run it again to complete them."
                )
            }
            (0, _) if applied.schema_changes > 0 => {
                let made = counted(applied.schema_changes, "schema change");
                writeln!(self.out, "{prefix}{made} made before stay; no row was written.")
            }
            (0, _) => writeln!(self.out, "{prefix}Nothing was written."),
            (committed, of) => {
                let (committed, of) = (thousands(committed), thousands(of));
                writeln!(
                    self.out,
                    "{prefix}{committed} of {of} batches are committed and stay; run it again to finish."
                )
            }
        }
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

/// `id = 5, line = 2`; nothing for a table without key.
fn key_words(key: &[Cell]) -> String {
    let words: Vec<String> =
        key.iter().map(|cell| format!("{} = {}", name(&cell.name), shown(&cell.value))).collect();
    words.join(", ")
}

fn range_line(pair: &TablePair, range: &RangeDrift) -> String {
    let bound = |key: &Key| {
        let values: Vec<String> = pair.key_values(key).iter().map(shown).collect();
        if values.len() == 1 { values.concat() } else { format!("({})", values.join(", ")) }
    };
    let columns: Vec<String> = pair.key().iter().map(|column| name(column.name())).collect();
    let columns = columns.join(", ");
    let keys = match (&range.range.from, &range.range.to) {
        (Some(from), Some(to)) => format!("{columns} from {} to before {}", bound(from), bound(to)),
        (Some(from), None) => format!("{columns} from {} on", bound(from)),
        (None, Some(to)) => format!("{columns} before {}", bound(to)),
        (None, None) => "all keys".to_owned(),
    };
    let (primary, replica) = (counted(range.rows.primary, "row"), thousands(range.rows.replica));
    format!("{keys}: {primary} on the primary, {replica} on the replica")
}

/// `table t: limits.deletes, 6 of 10 rows (allowed: 50%)`
pub fn refusal_words(refusal: &Refusal) -> String {
    let table = refusal.table.as_ref().map(|table| format!("table {}: ", name(table))).unwrap_or_default();
    format!("{table}{}, {} (allowed: {})", refusal.rule, refusal.found, refusal.limit)
}

/// `3 rows to insert, 1 to update`; only what there is.
fn counts_in_words(counts: &RowCounts) -> Option<String> {
    let all = [(counts.insert, "insert"), (counts.update, "update"), (counts.delete, "delete")];
    let mut words = Vec::new();
    for (count, verb) in all.into_iter().filter(|(count, _)| *count > 0) {
        let rows = if words.is_empty() { counted(count, "row") } else { thousands(count) };
        words.push(format!("{rows} to {verb}"));
    }
    (!words.is_empty()).then(|| words.join(", "))
}

fn tables_of<'a>(parts: &[Part<'a>]) -> impl Iterator<Item = &'a TablePlan> + Clone {
    parts.iter().flat_map(|part| &part.plan.tables).collect::<Vec<_>>().into_iter()
}

/// `2 schema changes, 3 rows to insert, 1 to update, 4 to delete.`
fn sums(parts: &[Part<'_>]) -> String {
    let changes: Changes = parts.iter().map(|part| part.plan.summary()).sum();
    let at_least = if tables_of(parts).any(|table| table.truncated) { "at least " } else { "" };
    let structure = match changes.schema_changes {
        0 => String::new(),
        changes => format!("{}, ", counted(changes, "schema change")),
    };
    format!(
        "{structure}{at_least}{} to insert, {} to update, {} to delete.",
        counted(changes.rows.insert, "row"),
        thousands(changes.rows.update),
        thousands(changes.rows.delete)
    )
}

fn withheld_words(parts: &[Part<'_>]) -> Option<String> {
    let withheld: Changes = parts.iter().map(|part| part.plan.withheld()).sum();
    let structure = (withheld.schema_changes > 0).then(|| counted(withheld.schema_changes, "schema change"));
    let words: Vec<String> = structure.into_iter().chain(counts_in_words(&withheld.rows)).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn could_not(parts: &[Part<'_>]) -> String {
    let tables = tables_of(parts).filter(|table| table.status == Status::Error).count();
    let replicas = parts.iter().filter(|part| part.plan.error.is_some()).count();
    let words: Vec<String> = [(replicas, "replica"), (tables, "table")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| counted(count as u64, noun))
        .collect();
    format!("{} could not be compared.", words.join(" and "))
}
