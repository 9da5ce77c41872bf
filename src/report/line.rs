//! A run in one line: when it began, and how each replica stands, in a few words.
//!
//! Everything is on that line, whatever messages are made of; details are left to the other forms.

use crate::compare::RowCounts;
use crate::failure::Failure;
use crate::plan::{Applied, Changes, Outcome, ReplicaPlan, Status, TablePlan};

use super::paint::{DIM, GREEN, Paint, RED, YELLOW};
use super::phrases::{refusal_words, remaining_words, schema_changes_words};
use super::words::{counted, name, thousands, visible};
use super::{Part, Report, moment};

/// `2026-11-22T06:00:00Z  eu: in sync, 3 tables; us: drift, 1 row to insert`
pub fn line(report: &Report<'_>, paint: Paint) -> String {
    let parts: Vec<Part<'_>> = report.parts().collect();
    let shared = shared_error(&parts).map(|failure| {
        let words = format!("error, {}", failure_words(failure, report.redact));
        format!("all {} replicas: {}", parts.len(), paint.on(RED, words))
    });
    let each = || parts.iter().map(|part| stands(report, part, paint)).collect::<Vec<_>>().join("; ");
    let begun = paint.on(DIM, moment(report.plan.created_at));
    format!("{begun}  {}\n", shared.unwrap_or_else(each))
}

/// What keeps every one of several replicas from being looked at: the primary or the spec. Said once.
fn shared_error<'a>(parts: &[Part<'a>]) -> Option<&'a Failure> {
    let first = parts.first()?.plan.error.as_ref()?;
    let idle = |applied: Option<&Applied>| applied.is_none_or(|applied| applied.outcome == Outcome::Error);
    let same = |part: &Part<'_>| part.plan.error.as_ref() == Some(first) && idle(part.applied);
    (parts.len() > 1 && parts.iter().all(same)).then_some(first)
}

fn stands(report: &Report<'_>, part: &Part<'_>, paint: Paint) -> String {
    let outcome = part.outcome();
    let details: Vec<String> = match part.applied {
        Some(applied) => applied_details(part, applied, report.redact),
        None => found_details(part.plan, outcome, report.redact),
    };
    let style = match outcome {
        Outcome::InSync | Outcome::Applied => GREEN,
        Outcome::Drift | Outcome::Refused => YELLOW,
        Outcome::Stale | Outcome::Locked | Outcome::Error | Outcome::Interrupted => RED,
    };
    let word = outcome.as_str().replace('_', " ");
    let words: Vec<String> = std::iter::once(paint.on(style, word)).chain(details).collect();
    format!("{}: {}", name(&part.plan.name), words.join(", "))
}

fn found_details(plan: &ReplicaPlan, outcome: Outcome, redact: bool) -> Vec<String> {
    let mut details = Vec::new();
    match outcome {
        Outcome::InSync => return vec![tables_words(plan)],
        // What was found until then is not what differs.
        Outcome::Interrupted => return details,
        Outcome::Error => details.extend(failures(plan, None, redact)),
        _ => {}
    }
    let at_least = plan.tables.iter().any(|table| table.truncated);
    details.extend(changes_words(&plan.summary(), TO_DO).map(|words| match at_least {
        true => format!("at least {words}"),
        false => words,
    }));
    details.extend(changes_words(&plan.withheld(), TO_DO).map(|words| format!("withheld: {words}")));
    details
}

/// `3 tables`, or `3 tables (1 in part)` where the spec takes in less than all of one.
fn tables_words(plan: &ReplicaPlan) -> String {
    let in_part = plan.tables.iter().filter(|table| !table.is_whole()).count() as u64;
    let in_part = if in_part == 0 { String::new() } else { format!(" ({} in part)", thousands(in_part)) };
    counted(plan.tables.len() as u64, "table") + &in_part
}

fn applied_details(part: &Part<'_>, applied: &Applied, redact: bool) -> Vec<String> {
    let plan = part.plan;
    let (committed, _) = applied.batches;
    match applied.outcome {
        Outcome::InSync => vec![tables_words(plan)],
        Outcome::Drift if committed == 0 => changes_words(&plan.withheld(), TO_DO)
            .map(|words| format!("withheld: {words}"))
            .into_iter()
            .collect(),
        Outcome::Applied | Outcome::Drift => {
            let mut details = vec![done_words(applied)];
            match applied.verified {
                Some(true) => details.push("verified".to_owned()),
                Some(false) => details.extend(remaining_words(&applied.remaining, part.kind)),
                None => details.push("not verified".to_owned()),
            }
            details
        }
        Outcome::Refused => plan.refusals.iter().map(refusal_words).collect(),
        // That it was stopped is what the word says already.
        Outcome::Interrupted => vec![committed_words(applied)],
        Outcome::Stale | Outcome::Locked | Outcome::Error => {
            let mut details = failures(plan, part.applied_failure(), redact);
            details.push(committed_words(applied));
            details
        }
    }
}

/// What a run that did not end well has left in a replica: `nothing was written`, `1 of 3 batches committed (2 rows
/// inserted)`.
pub fn committed_words(applied: &Applied) -> String {
    match applied.batches {
        (0, _) if applied.commit_unknown => "it is unknown whether the changes are in".to_owned(),
        (0, _) if applied.schema_changes > 0 => {
            format!("{} made, no row was written", counted(applied.schema_changes, "schema change"))
        }
        (0, _) => "nothing was written".to_owned(),
        (committed, of) => {
            let unknown = if applied.commit_unknown { ", unknown whether the next one is" } else { "" };
            let (committed, of) = (thousands(committed), counted_batches(of));
            format!("{committed} of {of} committed ({}){unknown}", done_words(applied))
        }
    }
}

fn counted_batches(count: u64) -> String {
    if count == 1 { "1 batch".to_owned() } else { format!("{} batches", thousands(count)) }
}

fn done_words(applied: &Applied) -> String {
    let done = Changes { schema_changes: applied.schema_changes, rows: applied.rows };
    let already = (applied.already > 0).then(|| format!("{} already there", thousands(applied.already)));
    let words: Vec<String> = changes_words(&done, DONE).into_iter().chain(already).collect();
    if words.is_empty() { "nothing to write".to_owned() } else { words.join(", ") }
}

/// The first failure, and how many more there are.
fn failures(plan: &ReplicaPlan, other: Option<&Failure>, redact: bool) -> Vec<String> {
    let tables = plan.tables.iter().filter(|table| table.status == Status::Error);
    let mut all = plan.error.iter().chain(other).chain(tables.flat_map(TablePlan::failures));
    let Some(first) = all.next() else { return Vec::new() };
    let more = match all.count() {
        0 => String::new(),
        more => format!(" (and {})", counted(more as u64, "more error")),
    };
    vec![failure_words(first, redact) + &more]
}

/// A message of several lines becomes one.
fn failure_words(failure: &Failure, redact: bool) -> String {
    let message = if redact { failure.message.clone() } else { failure.to_string() };
    visible(&message.split_whitespace().collect::<Vec<_>>().join(" "))
}

const TO_DO: [&str; 3] = ["to insert", "to update", "to delete"];
const DONE: [&str; 3] = ["inserted", "updated", "deleted"];

/// `1 schema change, 3 rows to insert, 1 to update`; only what there is.
fn changes_words(changes: &Changes, verbs: [&str; 3]) -> Option<String> {
    let RowCounts { insert, update, delete } = changes.rows;
    let mut words = Vec::from_iter(schema_changes_words(changes.schema_changes));
    let mut noun = true;
    for (count, verb) in [insert, update, delete].into_iter().zip(verbs).filter(|(count, _)| *count > 0) {
        let rows = if std::mem::take(&mut noun) { counted(count, "row") } else { thousands(count) };
        words.push(format!("{rows} {verb}"));
    }
    (!words.is_empty()).then(|| words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::ErrorKind;
    use crate::plan::{Plan, Remaining};
    use crate::report::Command;
    use crate::report::samples::{applied, empty_plan, in_sync, plan};

    fn told(report: &Report<'_>) -> String {
        line(report, Paint::Plain)
    }

    /// The second sample replica, with this error and nothing else.
    fn replica(name: &str, error: Option<Failure>) -> ReplicaPlan {
        ReplicaPlan { name: name.into(), error, tables: vec![in_sync("users")], ..plan().replicas.remove(1) }
    }

    fn with(applied: Applied) -> String {
        let mut plan = plan();
        plan.replicas.truncate(1);
        told(&Report { applied: Some(&[applied]), ..Report::new(Command::Apply, &plan) })
    }

    #[test]
    fn what_was_found() {
        let mut plan = plan();
        plan.replicas.push(replica("us", None));
        let expected = "2026-11-22T06:00:00Z  eu: drift, 1 schema change, 1 row to insert, 1 to update, 1 to delete, \
                        withheld: 1 row to update; edge: error, could not connect to db.edge:3306: refused \
                        (and 1 more error); us: in sync, 1 table\n";
        assert_eq!(told(&Report::new(Command::Verify, &plan)), expected);
        plan.replicas[0].tables[0].truncated = true;
        assert!(
            told(&Report::new(Command::Verify, &plan)).contains("drift, at least 1 schema change, 1 row")
        );
    }

    #[test]
    fn what_was_applied() {
        let (plan, applied) = (plan(), applied());
        let expected = "2026-11-22T06:00:00Z  eu: applied, 1 schema change, 1 row inserted, 1 updated, 1 deleted, \
                        2 already there, verified; edge: stale, could not connect to db.edge:3306: refused \
                        (and 2 more errors), nothing was written\n";
        assert_eq!(told(&Report { applied: Some(&applied), ..Report::new(Command::Apply, &plan) }), expected);
    }

    #[test]
    fn every_ending_of_apply_has_its_words() {
        let good = || applied().remove(0);
        let failure = Some(Failure::new(ErrorKind::Interrupted, "stopped\n  before the end"));
        let ends = |applied: Applied, words: &str| {
            let told = with(applied);
            assert!(told.ends_with(&format!("{words}\n")), "{told}\n{words}");
        };
        ends(Applied { verified: None, ..good() }, "2 already there, not verified");
        ends(
            Applied { verified: Some(false), outcome: Outcome::Drift, ..good() },
            "eu: drift, 1 schema change, 1 row inserted, 1 updated, 1 deleted, 2 already there, \
             rows written differ from the primary again",
        );
        let remaining = Remaining { rows: 0, stirred: vec!["log".to_owned()] };
        ends(
            Applied { verified: Some(false), outcome: Outcome::Drift, remaining, ..good() },
            "2 already there, table log may have been written by a trigger, and differs",
        );
        ends(Applied::nothing(Outcome::Drift, None), "eu: drift, withheld: 1 row to update");
        ends(
            Applied::nothing(Outcome::Refused, None),
            "eu: refused, table public.orders: limits.deletes, 120 of 999 rows to delete (allowed: 10%, more with --max-deletes)",
        );
        let stopped =
            Applied { outcome: Outcome::Interrupted, error: failure.clone(), batches: (2, 3), ..good() };
        ends(
            stopped.clone(),
            "eu: interrupted, 2 of 3 batches committed (1 schema change, 1 row inserted, \
             1 updated, 1 deleted, 2 already there)",
        );
        ends(Applied { commit_unknown: true, ..stopped }, "already there), unknown whether the next one is");
        let nothing = Applied::nothing(Outcome::Interrupted, failure);
        ends(nothing.clone(), "eu: interrupted, nothing was written");
        ends(Applied { commit_unknown: true, ..nothing.clone() }, "it is unknown whether the changes are in");
        ends(Applied { schema_changes: 2, ..nothing }, "2 schema changes made, no row was written");
    }

    #[test]
    fn an_error_of_all_replicas_is_said_once() {
        let down = || Some(Failure::new(ErrorKind::Connect, "the primary\nis down").detail("\u{1b}[31m"));
        let plan = Plan { replicas: vec![replica("a", down()), replica("b", down())], ..empty_plan() };
        let report = Report::new(Command::Verify, &plan);
        assert_eq!(
            told(&report),
            "2026-11-22T06:00:00Z  all 2 replicas: error, the primary is down: \\u{1b}[31m\n"
        );
        let redacted = told(&Report { redact: true, ..report });
        assert_eq!(redacted, "2026-11-22T06:00:00Z  all 2 replicas: error, the primary is down\n");
        let plan = Plan { replicas: vec![replica("a", down())], ..empty_plan() };
        assert!(told(&Report::new(Command::Verify, &plan)).contains("  a: error, the primary is down"));
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let plan = plan();
        let coloured = line(&Report::new(Command::Verify, &plan), Paint::Colour);
        assert!(coloured.contains(&Paint::Colour.on(YELLOW, "drift")), "{coloured}");
    }
}
