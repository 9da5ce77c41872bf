//! `trueup apply`: plan, show, ask, write, check.
//!
//! Nothing is written before a person said yes or `-y` did; what is refused or interrupted before that says
//! so in the document like everything else.

use std::path::{Path, PathBuf};

use crate::apply::{ApplyOptions, Ledger, Unkept};
use crate::plan::{Applied, Outcome, Plan, ReplicaPlan};
use crate::reconcile::adopt;
use crate::report::{self, BOLD, Command, Format, Report, outcome_of};

use super::Context;
use super::args::{ApplyArgs, RunArgs, WriteArgs};
use super::failure::CliError;
use super::report_files::ReportFiles;
use super::run::{Found, find, find_saved, read_spec, refuse_scripts, refuse_unavailable, report};
use super::{output, plan_file, undo};

/// Runs the command.
pub async fn run(args: &ApplyArgs, context: &Context) -> Result<u8, CliError> {
    refuse_unavailable(&args.run)?;
    let saved =
        plan_file::is_plan(&args.spec).then(|| plan_file::load_with_ledger(&args.spec)).transpose()?;
    let (saved, ledger) = saved.map_or((None, None), |(plan, ledger)| (Some(plan), Some(ledger)));
    refuse_senseless(args, saved.is_some())?;
    let spec = read_spec(&spec_path(args, saved.as_ref()))?;
    refuse_scripts(Command::Apply, &args.run, &spec)?;
    let files = ReportFiles::new(&args.run.report, &args.run.replica, &spec)?;
    let found = match saved {
        None => find(Command::Apply, &spec, &args.run, Some(&args.write), context).await?,
        Some(plan) => {
            adopt::check_spec(&plan, &spec).map_err(CliError::Stale)?;
            find_saved(plan, &spec, &args.run, &args.write, context).await?
        }
    };
    let before = report(Command::Apply, &found, &args.run);
    let asks = asks(&found.plan, &args.write, context);
    show(&before, asks, args.run.format, context)?;
    if let Some(ledger) = &ledger {
        ledger.tell(&found.plan, &context.terminal)?;
    }
    let kept: &dyn Ledger = ledger.as_ref().map_or(&Unkept, |ledger| ledger);
    let applied = decide_and_apply(&found, args, asks, kept, context).await?;
    found.progress.finish();
    if let Some(Err(failure)) = ledger.map(|ledger| ledger.finish(&found.plan, &applied)) {
        output::print_error(&CliError::Failure(failure).shown(context.terminal.err, args.run.redact));
    }
    let after = Report { applied: Some(&applied), ..report(Command::Apply, &found, &args.run) };
    let printed = finish(&after, &args.run, context);
    files.write(&after)?;
    printed?;
    let signal = context.signals.received();
    Ok(report::exit_code(Command::Apply, false, &found.plan, Some(&applied), signal))
}

/// The spec that connections come from: of a saved plan the one it was made from, unless another is given.
fn spec_path(args: &ApplyArgs, saved: Option<&Plan>) -> PathBuf {
    let recorded = saved.map(|plan| PathBuf::from(&plan.spec_path));
    args.plan_spec.clone().or(recorded).unwrap_or_else(|| args.spec.clone())
}

fn refuse_senseless(args: &ApplyArgs, saved: bool) -> Result<(), CliError> {
    let usage = |message: &str, hint: &str| {
        Err(CliError::Usage { message: message.to_owned(), hint: Some(hint.to_owned()) })
    };
    if args.plan_spec.is_some() && !saved {
        return usage("--spec goes with a saved plan", "the first argument is the spec itself");
    }
    if args.run.max_diffs.is_some() && saved {
        return usage("--max-diffs does not go with a saved plan", "a saved plan is applied as a whole");
    }
    Ok(())
}

/// Whether somebody has to say yes, and can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    /// Nothing would be written, or `-y` said yes, or a signal said no.
    Nobody,
    /// The person at the terminal.
    Person,
    /// There is no terminal to ask at.
    NoTerminal,
}

fn asks(plan: &Plan, write: &WriteArgs, context: &Context) -> Asks {
    let stopped = context.signals.received().is_some();
    let wanted = plan.replicas.iter().any(|replica| would_be_written(replica, write.partial));
    match (write.auto_approve || stopped || !wanted, output::can_ask()) {
        (true, _) => Asks::Nobody,
        (false, true) => Asks::Person,
        (false, false) => Asks::NoTerminal,
    }
}

fn would_be_written(replica: &ReplicaPlan, partial: bool) -> bool {
    let sound = match outcome_of(replica) {
        Outcome::Drift => true,
        Outcome::Error => partial && replica.error.is_none(),
        _ => false,
    };
    // What stopped at --max-diffs is not all that is needed, and not written.
    let whole = replica.tables.iter().all(|table| !table.truncated);
    sound && whole && replica.refusals.is_empty() && replica.summary().total() > 0
}

/// The plan goes to standard output as text, else to the person who is asked.
fn show(before: &Report<'_>, asks: Asks, format: Format, context: &Context) -> Result<(), CliError> {
    if format == Format::Text {
        return output::print_report(before, format, &context.terminal);
    }
    if asks == Asks::Person {
        output::to_stderr(|out| before.text(context.terminal.err, out))?;
    }
    Ok(())
}

async fn decide_and_apply(
    found: &Found,
    args: &ApplyArgs,
    asks: Asks,
    ledger: &dyn Ledger,
    context: &Context,
) -> Result<Vec<Applied>, CliError> {
    let plan = &found.plan;
    if context.signals.received().is_some() {
        return Ok(not_applied(plan, Outcome::Interrupted));
    }
    match asks {
        Asks::Nobody => {}
        Asks::NoTerminal => {
            let hint =
                "There is no terminal to ask at: nothing was written. To apply without asking, use -y.";
            output::print_error(hint);
            return Ok(not_applied(plan, Outcome::Refused));
        }
        Asks::Person => match ask(plan, &args.write, context).await {
            Some(true) => {}
            Some(false) => {
                output::print_error("Apply cancelled. Nothing was written.");
                return Ok(not_applied(plan, Outcome::Refused));
            }
            None => return Ok(not_applied(plan, Outcome::Interrupted)),
        },
    }
    if let Some(path) = &args.write.undo {
        save_inverse(plan, args, path, context)?;
    }
    Ok(apply_unasked(found, &args.write, ledger, context).await)
}

/// The inverse of what is about to be written, and of nothing else.
fn save_inverse(plan: &Plan, args: &ApplyArgs, path: &Path, context: &Context) -> Result<(), CliError> {
    let mut written = plan.clone();
    written.replicas.retain(|replica| would_be_written(replica, args.write.partial));
    if written.replicas.is_empty() {
        return Ok(());
    }
    let inverse = undo::inverse_of(&written)?;
    plan_file::save(&inverse, path)?;
    undo::note_what_cannot_be_applied(&inverse, context)?;
    let shown = path.display();
    context.terminal.note(&format!("Saved to {shown} what takes this back: trueup apply {shown}"));
    Ok(())
}

/// Applies without asking, unless a signal came meanwhile.
pub async fn apply_unasked(
    found: &Found,
    write: &WriteArgs,
    ledger: &dyn Ledger,
    context: &Context,
) -> Vec<Applied> {
    if context.signals.received().is_some() {
        return not_applied(&found.plan, Outcome::Interrupted);
    }
    let options = ApplyOptions {
        partial: write.partial,
        lock_wait: write.lock_timeout,
        verify: !write.no_verify,
        batch_rows: found.batch_rows,
        ..ApplyOptions::default()
    };
    found.run.apply_kept(&found.plan, &options, ledger).await
}

/// What stands when nothing was written: replicas that need nothing are what they were.
fn not_applied(plan: &Plan, outcome: Outcome) -> Vec<Applied> {
    let of = |replica: &ReplicaPlan| {
        let found = outcome_of(replica);
        let idle = found == Outcome::Error || replica.summary().total() == 0;
        let outcome = if idle && outcome != Outcome::Interrupted { found } else { outcome };
        Applied::nothing(outcome, None)
    };
    plan.replicas.iter().map(of).collect()
}

/// Asks the person at the terminal; `None` where a signal came first.
async fn ask(plan: &Plan, write: &WriteArgs, context: &Context) -> Option<bool> {
    let written = plan.replicas.iter().filter(|replica| would_be_written(replica, write.partial));
    let names: Vec<String> = written
        .map(|replica| {
            let display =
                replica.server.as_ref().map_or(String::new(), |server| format!(" ({})", server.display));
            report::name(&replica.name) + &display
        })
        .collect();
    let question = context.terminal.err.on(BOLD, "Do you want to apply these changes?");
    let prompt =
        format!("\n{question}\n  They are written to {}.\n  Only 'yes' will be accepted: ", names.join(", "));
    let answer = output::ask_line(&prompt);
    tokio::select! {
        line = answer => Some(line.is_some_and(|line| line.trim() == "yes")),
        () = context.signals.wait() => None,
    }
}

/// What a run has written, for those who stopped it; `None` where that is nothing.
pub fn left_behind(report: &Report<'_>) -> Option<String> {
    let nothing =
        |applied: &Applied| applied.batches.0 == 0 && applied.schema_changes == 0 && !applied.commit_unknown;
    let applied = report.applied.unwrap_or_default();
    if applied.iter().all(nothing) {
        return None;
    }
    let replicas = report.plan.replicas.iter().zip(applied);
    let words: Vec<String> = replicas
        .map(|(plan, applied)| format!("{}: {}", report::name(&plan.name), report::committed_words(applied)))
        .collect();
    Some(words.join("; "))
}

fn finish(after: &Report<'_>, args: &RunArgs, context: &Context) -> Result<(), CliError> {
    if args.format == Format::Text {
        output::to_stdout(|out| {
            out.write_all(b"\n")?;
            after.text_applied(context.terminal.out, out)
        })?;
    } else {
        output::print_report(after, args.format, &context.terminal)?;
        output::note_troubles(after, &context.terminal);
        if context.signals.received().is_some() {
            output::print_error(&match left_behind(after) {
                Some(words) => format!("Interrupted. {words}."),
                None => "Interrupted. Nothing was written.".to_owned(),
            });
        }
    }
    Ok(())
}
