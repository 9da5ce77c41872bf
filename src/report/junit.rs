//! JUnit's XML, as GitLab, Jenkins and GitHub's actions read it: a suite per replica, a case per table pair.
//!
//! A table that differs is a failure, one that could not be told an error; nothing is ever "skipped". What concerns
//! a replica as a whole (no connection, refused, stale) is a case of its own. After apply a table fails for what is
//! still different. Invariant: the document is well-formed whatever stands in the databases, and valid against the
//! schema of Jenkins' xUnit plug-in (`junit-10.xsd`).

use std::io::{self, Write};

use crate::failure::Failure;
use crate::plan::{Outcome, Status, TablePlan};

use super::closing::applied_lines;
use super::phrases::{
    counts_in_words, excused_words, refusal_words, schema_changes_words, scope_of, standing, table_words,
};
use super::words::{name, visible};
use super::{Part, Report, moment, text};

/// The name of the case that stands for a replica as a whole.
const REPLICA_CASE: &str = "(replica)";

/// Writes the whole document.
pub fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let suites: Vec<Suite<'_>> = report.parts().map(|part| suite(report, part)).collect();
    let all = || suites.iter().flat_map(|suite| &suite.cases);
    let seconds = seconds(report);
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    let title = format!("trueup {}", report.command.as_str());
    writeln!(out, "<testsuites name=\"{title}\" {}{seconds}>", totals(all()))?;
    for suite in &suites {
        put_suite(report, suite, &seconds, out)?;
    }
    writeln!(out, "</testsuites>")
}

struct Suite<'a> {
    part: Part<'a>,
    cases: Vec<Case<'a>>,
}

struct Case<'a> {
    name: String,
    table: Option<&'a TablePlan>,
    verdict: Verdict,
}

enum Verdict {
    Passed,
    /// Something differs, or was refused.
    Failed(Reason),
    /// It could not be told or done.
    Error(Reason),
}

struct Reason {
    /// A word of the contract: a status, an outcome, the kind of an error.
    kind: &'static str,
    message: String,
}

fn suite<'a>(report: &Report<'a>, part: Part<'a>) -> Suite<'a> {
    let tables = part.plan.tables.iter().map(|table| Case {
        name: name(&table.table),
        table: Some(table),
        verdict: verdict_of(report, &part, table),
    });
    let whole = whole_replica(report, &part);
    let cases = whole
        .into_iter()
        .map(|verdict| Case { name: REPLICA_CASE.to_owned(), table: None, verdict })
        .chain(tables)
        .collect();
    Suite { part, cases }
}

/// What is wrong with the replica and not with one of its tables.
fn whole_replica(report: &Report<'_>, part: &Part<'_>) -> Option<Verdict> {
    let error = part.plan.error.as_ref().or(part.applied_failure());
    let applied = part.applied.and_then(|applied| {
        let reason = |message| Reason { kind: applied.outcome.as_str(), message };
        let told = || error.map_or_else(|| applied_words(part), |failure| failure.shown(report.redact));
        match applied.outcome {
            Outcome::Refused => {
                let rules: Vec<String> = part.plan.refusals.iter().map(refusal_words).collect();
                let message = if rules.is_empty() { applied_words(part) } else { rules.join("; ") };
                Some(Verdict::Failed(reason(message)))
            }
            Outcome::Stale => Some(Verdict::Failed(reason(told()))),
            Outcome::Locked | Outcome::Interrupted => Some(Verdict::Error(reason(told()))),
            Outcome::Drift if applied.batches.0 > 0 => Some(Verdict::Failed(reason(applied_words(part)))),
            _ => None,
        }
    });
    applied.or_else(|| error.map(|failure| error_verdict(report, failure)))
}

fn applied_words(part: &Part<'_>) -> String {
    let lines: Vec<String> = applied_lines(part)
        .iter()
        .map(|line| format!("{} {}", line.word, line.words).trim().to_owned())
        .collect();
    lines.join(" ")
}

fn error_verdict(report: &Report<'_>, failure: &Failure) -> Verdict {
    Verdict::Error(Reason { kind: failure.kind.as_str(), message: failure.shown(report.redact) })
}

fn verdict_of(report: &Report<'_>, part: &Part<'_>, table: &TablePlan) -> Verdict {
    if let Some(failure) = &table.error {
        let messages: Vec<String> = table.failures().map(|failure| failure.shown(report.redact)).collect();
        return Verdict::Error(Reason { kind: failure.kind.as_str(), message: messages.join("\n") });
    }
    let done =
        part.applied.is_some_and(|applied| applied.batches.0 > 0 && applied.batches.0 == applied.batches.1);
    let kept = table.kept_back();
    match table.status {
        Status::InSync => Verdict::Passed,
        _ if done && kept.total() == 0 => Verdict::Passed,
        _ if done => {
            let words = [schema_changes_words(kept.schema_changes), counts_in_words(&kept.rows)];
            let words: Vec<String> = words.into_iter().flatten().collect();
            Verdict::Failed(Reason { kind: "withheld", message: format!("withheld: {}", words.join(", ")) })
        }
        status => {
            let words = table_words(table).map(|words| format!(": {words}")).unwrap_or_default();
            let kind = match status {
                Status::Missing => "missing",
                Status::Extra => "extra",
                _ => "drift",
            };
            Verdict::Failed(Reason { kind, message: format!("{}{words}", standing(table, part.kind)) })
        }
    }
}

/// `tests="4" failures="1" errors="0"`
fn totals<'a, 'b: 'a>(cases: impl Iterator<Item = &'a Case<'b>>) -> String {
    let (mut tests, mut failures, mut errors) = (0_u64, 0_u64, 0_u64);
    for case in cases {
        tests += 1;
        match case.verdict {
            Verdict::Passed => {}
            Verdict::Failed(_) => failures += 1,
            Verdict::Error(_) => errors += 1,
        }
    }
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"")
}

/// ` time="1.250"`: that of the whole run, for replicas are compared side by side.
fn seconds(report: &Report<'_>) -> String {
    report
        .elapsed
        .map_or(String::new(), |time| format!(" time=\"{}.{:03}\"", time.as_secs(), time.subsec_millis()))
}

fn put_suite(report: &Report<'_>, suite: &Suite<'_>, seconds: &str, out: &mut dyn Write) -> io::Result<()> {
    let plan = suite.part.plan;
    let (class, totals) = (attribute(&name(&plan.name)), totals(suite.cases.iter()));
    let moment = moment(report.plan.created_at);
    let moment = moment.trim_end_matches('Z');
    writeln!(out, "  <testsuite name=\"{class}\" {totals} skipped=\"0\"{seconds} timestamp=\"{moment}\">")?;
    let primary = &report.plan.primary;
    let engine =
        |server: &crate::server::Server| visible([server.engine.as_str(), &server.version].join(" ").trim());
    let replica = plan.server.as_ref().map_or_else(|| "not reached".to_owned(), engine);
    writeln!(out, "    <properties>")?;
    for (side, engine) in [("primary", engine(primary)), ("replica", replica)] {
        writeln!(out, "      <property name=\"{side}\" value=\"{}\"/>", attribute(&engine))?;
    }
    let excused: u64 = plan.tables.iter().map(|table| table.excused).sum();
    writeln!(out, "      <property name=\"excused\" value=\"{excused}\"/>")?;
    writeln!(out, "    </properties>")?;
    for case in &suite.cases {
        put_case(report, case, &class, out)?;
    }
    let told = refusals_and_applied(report, &suite.part);
    if !told.is_empty() {
        writeln!(out, "    <system-out>{}</system-out>", escaped(&told.join("\n"), false))?;
    }
    writeln!(out, "  </testsuite>")
}

/// What is to be said of a replica beside its cases.
fn refusals_and_applied(report: &Report<'_>, part: &Part<'_>) -> Vec<String> {
    let word = if report.applied.is_some() { "refused" } else { "would be refused" };
    let refusals = part.plan.refusals.iter().map(|refusal| format!("{word}: {}", refusal_words(refusal)));
    let applied = applied_words(part);
    refusals.chain((!applied.is_empty()).then_some(applied)).collect()
}

fn put_case(report: &Report<'_>, case: &Case<'_>, class: &str, out: &mut dyn Write) -> io::Result<()> {
    let open = format!("    <testcase name=\"{}\" classname=\"{class}\"", attribute(&case.name));
    let (element, reason) = match &case.verdict {
        Verdict::Passed => {
            return match case.table.and_then(|table| passed_words(report, table)) {
                None => writeln!(out, "{open}/>"),
                Some(words) => {
                    let words = escaped(&words, false);
                    writeln!(out, "{open}>\n      <system-out>{words}</system-out>\n    </testcase>")
                }
            };
        }
        Verdict::Failed(reason) => ("failure", reason),
        Verdict::Error(reason) => ("error", reason),
    };
    writeln!(out, "{open}>")?;
    let message = attribute(&reason.message);
    write!(out, "      <{element} type=\"{}\" message=\"{message}\">", reason.kind)?;
    match case.table {
        Some(table) => text::table(report, table, &mut Escaping { out })?,
        None => write!(out, "{}", escaped(&reason.message, false))?,
    }
    writeln!(out, "</{element}>\n    </testcase>")
}

/// What is to be said of a table although nothing differs: what was excused, and what was compared if not all of it.
fn passed_words(report: &Report<'_>, table: &TablePlan) -> Option<String> {
    let scope = scope_of(table, report.redact).map(|scope| format!("in scope: {scope}"));
    let words: Vec<String> = scope.into_iter().chain(excused_words(table)).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

fn attribute(text: &str) -> String {
    escaped(text, true)
}

/// Text as XML takes it. Line ends and tabs stay in text and are references in attributes; characters that XML 1.0
/// forbids, even as references, are shown as Rust would write them.
fn escaped(text: &str, attribute: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' if attribute => out.push_str(&format!("&#{};", u32::from(character))),
            '\n' | '\t' => out.push(character),
            '\u{fffe}' | '\u{ffff}' => out.extend(character.escape_unicode()),
            _ if character.is_control() => out.extend(character.escape_default()),
            _ => out.push(character),
        }
    }
    out
}

/// Takes what is written as the text of an element.
struct Escaping<'w> {
    out: &'w mut dyn Write,
}

impl Write for Escaping<'_> {
    /// Formatting writes whole strings, never a part of a character.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = str::from_utf8(bytes).map_err(io::Error::other)?;
        self.out.write_all(escaped(text, false).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_forbids_is_shown() {
        assert_eq!(
            escaped("a<b>&\"c\"\n\u{1}\u{ffff}é", false),
            "a&lt;b&gt;&amp;&quot;c&quot;\n\\u{1}\\u{ffff}é"
        );
        assert_eq!(attribute("a\nb\tc\r"), "a&#10;b&#9;c\\r");
    }
}
