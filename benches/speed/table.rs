//! The Markdown table.

use std::fmt::Write;
use std::time::Duration;

use crate::Failed;
use crate::arguments::Arguments;
use crate::lines::{Line, PEAK_GOAL_BYTES, Work};
use crate::measure::Usage;

/// What became of a line.
pub enum Outcome {
    Measured {
        ours: Usage,
        /// By how much the reference was held against, and what it was; the reason where there is none.
        reference: Result<Reference, String>,
        received_bytes: Option<u64>,
    },
    /// The product cannot do it, and says so.
    NotYet(String),
}

pub struct Reference {
    pub what: String,
    pub usage: Usage,
}

const HEAD: &str = "\
| line | work | reference | CPU s (clients) | ours, CPU s (client) | ratio | goal | reached | wall s | ours, wall s | peak MiB | received MiB |
| --- | --- | --- | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: |";

pub fn markdown(outcomes: &[(&Line, Result<Outcome, Failed>)]) -> String {
    let mut text = String::from(HEAD);
    for (line, outcome) in outcomes {
        // Writing to a text does not fail.
        let _ = write!(text, "\n{}", row(line, outcome));
    }
    let peaks = outcomes.iter().filter_map(|(_, outcome)| match outcome {
        Ok(Outcome::Measured { ours, .. }) => Some(ours.peak_bytes),
        _ => None,
    });
    if let Some(most) = peaks.max() {
        let reached = yes(most <= PEAK_GOAL_BYTES);
        let goal = mebibytes(PEAK_GOAL_BYTES);
        let peak = mebibytes(most);
        let _ = write!(
            text,
            "\n| | peak resident memory of all of these | | | | | ≤ {goal} MiB | {reached} | | | {peak} | |"
        );
    }
    text
}

/// One row of the table.
pub fn row(line: &Line, outcome: &Result<Outcome, Failed>) -> String {
    let cells = match outcome {
        Ok(Outcome::Measured { ours, reference, received_bytes }) => {
            measured(line, ours, reference.as_ref(), *received_bytes)
        }
        Ok(Outcome::NotYet(why)) => without_figures(line, &format!("not yet: {why}")),
        Err(why) => without_figures(line, &format!("FAILED: {why}")),
    };
    format!("| `{}` | {} | {} |", line.name, line.title, cells.join(" | "))
}

fn without_figures(line: &Line, why: &str) -> Vec<String> {
    let mut cells = vec![String::new(); 10];
    cells[4] = goal(line);
    cells[5] = why.replace('|', "/").replace('\n', " ");
    cells
}

fn measured(
    line: &Line,
    ours: &Usage,
    reference: Result<&Reference, &String>,
    received_bytes: Option<u64>,
) -> Vec<String> {
    let theirs = reference.ok();
    let by_clock = matches!(line.work, Work::Far { .. });
    let time = |usage: &Usage| if by_clock { usage.wall } else { usage.cpu() }.as_secs_f64();
    // A reference that took less than can be measured is nothing to be held against.
    let ratio = theirs.map(|theirs| time(ours) / time(&theirs.usage)).filter(|ratio| ratio.is_finite());
    let cpu = theirs.filter(|_| !by_clock).map(|theirs| cpu_seconds(&theirs.usage));
    vec![
        reference.map_or_else(|why| format!("none: {why}"), |theirs| theirs.what.clone()),
        cpu.unwrap_or_default(),
        cpu_seconds(ours),
        ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
        goal(line),
        reached(line, ratio, received_bytes).map(yes).unwrap_or_default().into(),
        theirs.map(|theirs| seconds(theirs.usage.wall)).unwrap_or_default(),
        seconds(ours.wall),
        mebibytes(ours.peak_bytes),
        received_bytes.map(|bytes| format!("{:.2}", bytes as f64 / f64::from(1 << 20))).unwrap_or_default(),
    ]
}

/// `None` where nothing was to be reached, or it cannot be told.
fn reached(line: &Line, ratio: Option<f64>, received_bytes: Option<u64>) -> Option<bool> {
    let fast = line.goal.ratio.map(|goal| ratio.map(|ratio| ratio <= goal));
    let little = line.goal.received_bytes.map(|goal| received_bytes.map(|bytes| bytes <= goal));
    let told: Option<Vec<bool>> = fast.into_iter().chain(little).collect();
    told.filter(|told| !told.is_empty()).map(|told| told.into_iter().all(|one| one))
}

fn goal(line: &Line) -> String {
    let by_clock = if matches!(line.work, Work::Far { .. }) { " of the wall s" } else { "" };
    let ratio = line.goal.ratio.map(|ratio| format!("≤ {ratio}{by_clock}"));
    let received = line.goal.received_bytes.map(|bytes| format!("≤ {} MiB received", mebibytes(bytes)));
    ratio.into_iter().chain(received).collect::<Vec<_>>().join(", ")
}

/// What there is to know of the machine and the run.
pub fn circumstances(arguments: &Arguments, load_before: &str) -> String {
    let processors = std::thread::available_parallelism().map_or(0, |count| count.get());
    let rows = arguments.rows.map(|rows| format!(" with {} rows", grouped(rows))).unwrap_or_default();
    let small =
        if arguments.scale_name == "small" { " This scale shows that it works, not how fast." } else { "" };
    let (scale, repeat, load_after) = (&arguments.scale_name, arguments.repeat, load_average());
    format!(
        "\nScale {scale}{rows}, runs of what only reads: {repeat}; {processors} processors, load average {load_before} \
         before and {load_after} after.{small}"
    )
}

/// The kernel's load averages.
pub fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

fn yes(reached: bool) -> &'static str {
    if reached { "yes" } else { "no" }
}

/// All of it, and what of it was not the servers'.
fn cpu_seconds(usage: &Usage) -> String {
    format!("{} ({})", seconds(usage.cpu()), seconds(usage.clients))
}

fn seconds(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64())
}

fn mebibytes(bytes: u64) -> String {
    bytes.div_ceil(1 << 20).to_string()
}

/// A number with commas between its thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
