//! The lines that a report ends with: what was found, and what apply did about it.
//!
//! Made once for every form for people; a form only chooses how a line's first word stands out.

use anstyle::Style;

use crate::plan::{Applied, Outcome, PlanKind};

use super::outcome::outcome_of;
use super::paint::{BOLD, GREEN, RED, YELLOW};
use super::phrases::{compared_words, could_not, remaining_words, sums, withheld_words};
use super::words::{counted, thousands};
use super::{Command, Part};

/// One line: a word that stands out, and the rest.
#[derive(Clone, Debug)]
pub struct Line {
    /// How the word stands out on a terminal.
    pub style: Style,
    /// The word; may be empty.
    pub word: String,
    /// The rest; may be empty.
    pub words: String,
}

fn line(style: Style, word: impl Into<String>, words: impl Into<String>) -> Line {
    Line { style, word: word.into(), words: words.into() }
}

fn plain(words: impl Into<String>) -> Line {
    line(Style::new(), "", words)
}

/// What was found for one of several replicas.
pub fn replica_line(part: &Part<'_>) -> Line {
    match outcome_of(part.plan) {
        Outcome::InSync if part.kind == PlanKind::Undo => plain("No changes."),
        Outcome::InSync => {
            let compared = compared_words(&[*part]);
            line(GREEN, "No changes.", format!("The replica matches the primary{compared}."))
        }
        Outcome::Drift => plain(sums(&[*part])),
        Outcome::Interrupted => line(RED, "Interrupted:", "not everything was compared."),
        _ if part.plan.error.is_some() => line(RED, "Error:", "it could not be looked at."),
        _ if part.plan.summary().total() > 0 => plain(format!("{} {}", sums(&[*part]), could_not(&[*part]))),
        _ => line(RED, "Error:", could_not(&[*part])),
    }
}

/// What was found for all replicas together: what would be written, what is withheld, what could not be told.
pub fn found_lines(command: Command, parts: &[Part<'_>]) -> Vec<Line> {
    let outcomes: Vec<Outcome> = parts.iter().map(|part| outcome_of(part.plan)).collect();
    if !outcomes.is_empty() && outcomes.iter().all(|outcome| *outcome == Outcome::InSync) {
        if parts.iter().any(|part| part.kind == PlanKind::Undo) {
            return vec![plain("No changes.")];
        }
        let compared = compared_words(parts);
        let words = match parts.len() {
            1 => format!("The replica matches the primary{compared}."),
            many => format!("All {many} replicas match the primary{compared}."),
        };
        return vec![line(GREEN.bold(), "No changes.", words)];
    }
    if parts.iter().any(|part| part.primary_error.is_some()) {
        return vec![line(
            RED.bold(),
            "Error:",
            "the primary could not be looked at, so nothing was compared.",
        )];
    }
    let mut lines = Vec::new();
    let word = if command == Command::Verify { "Drift:" } else { "Plan:" };
    if outcomes.contains(&Outcome::Drift) || parts.iter().any(|part| part.plan.summary().total() > 0) {
        lines.push(line(BOLD, word, sums(parts)));
    }
    if let Some(withheld) = withheld_words(parts) {
        lines.push(line(YELLOW, "Withheld:", format!("{withheld}; the spec says not to write them.")));
    }
    if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Error | Outcome::Interrupted)) {
        lines.push(line(RED.bold(), "Error:", could_not(parts)));
    }
    lines
}

/// What apply did to a replica; nothing where nothing was applied.
pub fn applied_lines(part: &Part<'_>) -> Vec<Line> {
    let Some(applied) = part.applied else { return Vec::new() };
    let (committed, of) = applied.batches;
    match applied.outcome {
        Outcome::Applied => complete(part, applied),
        Outcome::InSync => vec![plain("Nothing to apply.")],
        // The check afterwards found rows that differ again.
        Outcome::Drift if committed > 0 => complete(part, applied),
        Outcome::Drift => vec![plain("Nothing to apply: only withheld changes are left.")],
        // All that was to be written is in; what went wrong stands beside it.
        _ if committed > 0 && committed == of && is_all_structure(part, applied) => {
            let mut lines = complete(part, applied);
            lines.extend(left_out(part));
            lines
        }
        outcome => {
            let word = format!("Not applied ({}).", outcome.as_str());
            let mut lines = vec![line(RED.bold(), word, ""), what_stands(part, applied)];
            lines.extend(would_be_partial(part));
            lines
        }
    }
}

/// Tables in error that `--partial` passed over.
fn left_out(part: &Part<'_>) -> Option<Line> {
    let why = could_not(&[*part]);
    let words = format!("{}; nothing was written there.", why.trim_end_matches('.'));
    part.plan.has_failed_tables().then(|| line(RED.bold(), "Error:", words))
}

/// Where nothing but tables in error kept the others from being written.
fn would_be_partial(part: &Part<'_>) -> Option<Line> {
    let idle =
        part.applied.is_some_and(|applied| applied.outcome == Outcome::Error && applied.batches.0 == 0);
    let tables_alone =
        part.plan.error.is_none() && part.applied_failure().is_none() && part.plan.has_failed_tables();
    let words = "Tables in error keep the rest of a replica from being written; --partial writes the rest.";
    (idle && tables_alone && part.plan.summary().total() > 0).then(|| plain(words))
}

fn complete(part: &Part<'_>, applied: &Applied) -> Vec<Line> {
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
    let mut lines = vec![line(GREEN.bold(), "Apply complete!", done)];
    if applied.already > 0 {
        let were = if applied.already == 1 { "was" } else { "were" };
        lines.push(plain(format!("{} {were} there already.", counted(applied.already, "change"))));
    }
    match (applied.verified, part.kind) {
        (Some(true), PlanKind::Changes) => lines.push(plain("Verified: the rows written equal the primary.")),
        (Some(true), PlanKind::Undo) => {
            lines.push(plain("Verified: the rows written are as they were before the plan."));
        }
        (Some(false), kind) => {
            let words = remaining_words(&applied.remaining, kind);
            lines.extend(words.iter().map(|words| line(RED, "Not verified:", format!("{words}."))));
        }
        (None, _) => lines.push(plain("Not verified: the rows written were not compared again.")),
    }
    lines
}

/// Whether no change of structure is left to be made; some come behind the rows by themselves.
fn is_all_structure(part: &Part<'_>, applied: &Applied) -> bool {
    applied.schema_changes >= part.plan.summary().schema_changes
}

fn what_stands(part: &Part<'_>, applied: &Applied) -> Line {
    plain(match applied.batches {
        (0, _) if applied.commit_unknown => {
            "It is unknown whether the changes are in; run it again to complete them.".to_owned()
        }
        (0, _) if applied.schema_changes > 0 => {
            let made = counted(applied.schema_changes, "schema change");
            format!("{made} made before stay; no row was written.")
        }
        (0, _) => "Nothing was written.".to_owned(),
        (committed, of) if committed == of => {
            let (made, all) = (applied.schema_changes, part.plan.summary().schema_changes);
            let (made, all) = (thousands(made), thousands(all));
            format!(
                "All rows are in, and {made} of {all} schema changes; what is in stays; run it again to finish."
            )
        }
        (committed, of) => {
            let (committed, of) = (thousands(committed), thousands(of));
            format!("{committed} of {of} batches are committed and stay; run it again to finish.")
        }
    })
}
