//! `trueup watch`: repeats verify, or plan and apply, one line a run.
//!
//! What a run could not see is an error in its line and the next run's to find again; only wrong usage, a spec
//! that is wrong from the start and a standard output that nobody reads end a watch before a signal does. With
//! `--once` everything ends as verify or apply would.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use crate::apply::Unkept;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{Applied, Outcome};
use crate::report::{self, Command, Format, Report};
use crate::server::Server;
use crate::spec::Spec;
use crate::watch::{self, Due, Host};

use super::Context;
use super::apply::{apply_unasked, left_behind};
use super::args::{WatchArgs, When, WriteArgs};
use super::failure::CliError;
use super::output;
use super::report_files::ReportFiles;
use super::run::{self, Found, find_in_silence, read_spec, refuse_unavailable};

/// Runs the command.
pub async fn run(args: &WatchArgs, context: &Context) -> Result<u8, CliError> {
    refuse_unavailable(&args.run)?;
    refuse_unfit(args)?;
    let spec = read_spec(&args.spec)?;
    let mut watch = Watch {
        args,
        files: ReportFiles::new(&args.run.report, &args.run.replica, &spec)?,
        write: args.apply.then(|| args.write.unattended()),
        context: with_progress_for_people(context),
        spec,
        primary: None,
        begun: Instant::now(),
        runs: 0,
    };
    match args.every {
        Some(every) if !args.once => watch::repeat(every, &mut watch).await.map(|()| 0),
        _ => watch.look().await,
    }
}

fn refuse_unfit(args: &WatchArgs) -> Result<(), CliError> {
    if !matches!(args.run.format, Format::Text | Format::Json) {
        let format = args.run.format.as_str();
        return Err(CliError::Usage {
            message: format!("watch prints one line a run, and {format} is none: text or json"),
            hint: Some(format!("write a file that each run replaces: --report {format}=PATH")),
        });
    }
    Ok(())
}

/// Bars between the lines are for a terminal; a log gets plain progress only when it is asked for.
fn with_progress_for_people(context: &Context) -> Context {
    let mut context = context.clone();
    if context.terminal.progress == When::Auto && !std::io::stderr().is_terminal() {
        context.terminal.progress = When::Never;
    }
    context
}

/// A watch on its way.
struct Watch<'a> {
    args: &'a WatchArgs,
    /// How to write, with `--apply`.
    write: Option<WriteArgs>,
    context: Context,
    /// The last one that was valid.
    spec: Spec,
    /// Where its reports go: nowhere as long as a changed spec and a changed disk forbid it.
    files: ReportFiles,
    /// The primary, as last seen.
    primary: Option<Server>,
    begun: Instant,
    /// Runs begun so far.
    runs: u64,
}

impl Watch<'_> {
    fn command(&self) -> Command {
        if self.write.is_some() { Command::Apply } else { Command::Verify }
    }

    /// One run, told; its exit code.
    async fn look(&mut self) -> Result<u8, CliError> {
        let begun = jiff::Timestamp::now();
        self.runs += 1;
        match self.attempt().await {
            Ok((found, applied)) => {
                self.primary = Some(found.plan.primary.clone());
                let report = run::report(self.command(), &found, &self.args.run);
                self.tell(&Report { applied: applied.as_deref(), ..report })
            }
            Err(error) if self.is_the_end(&error) => {
                if self.context.signals.received().is_some() {
                    output::print_error("Interrupted. Nothing was written.");
                }
                Err(error)
            }
            Err(error) => self.tell_nothing_seen(begun, error.into_failure()),
        }
    }

    /// Wrong usage is known after the first run; what a single run could not see is that run's error.
    fn is_the_end(&self, error: &CliError) -> bool {
        self.args.once || (self.runs == 1 && matches!(error, CliError::Usage { .. }))
    }

    async fn attempt(&mut self) -> Result<(Found, Option<Vec<Applied>>), CliError> {
        if self.runs > 1 {
            let spec = read_spec(&self.args.spec)?;
            let files = ReportFiles::new(&self.args.run.report, &self.args.run.replica, &spec);
            self.spec = spec;
            self.files = files.inspect_err(|error| self.told_only(error)).unwrap_or_default();
        }
        let found = find_in_silence(&self.spec, &self.args.run, self.write.as_ref(), &self.context).await?;
        let Some(write) = &self.write else { return Ok((found, None)) };
        let applied = apply_unasked(&found, write, &Unkept, &self.context).await;
        found.progress.finish();
        Ok((found, Some(applied)))
    }

    /// What is wrong beside the run: no reason not to make it.
    fn told_only(&self, error: &CliError) {
        output::print_error(&error.shown(self.context.terminal.err, self.args.run.redact));
    }

    fn tell_nothing_seen(&self, begun: jiff::Timestamp, failure: Failure) -> Result<u8, CliError> {
        let primary = self.primary.as_ref();
        let plan = watch::nothing_seen(&self.spec, primary, &self.args.run.replica, begun, &failure);
        let outcome = match failure.kind {
            ErrorKind::Interrupted => Outcome::Interrupted,
            _ => Outcome::Error,
        };
        let idle = |_: &_| Applied::nothing(outcome, Some(failure.clone()));
        let applied: Option<Vec<Applied>> =
            self.write.is_some().then(|| plan.replicas.iter().map(idle).collect());
        let report = Report::new(self.command(), &plan);
        let (redact, rows) = (self.args.run.redact, self.args.run.rows);
        self.tell(&Report { applied: applied.as_deref(), redact, rows, ..report })
    }

    /// Report files first, so that whoever waits for the line finds them there.
    fn tell(&self, report: &Report<'_>) -> Result<u8, CliError> {
        let terminal = &self.context.terminal;
        let files = self.files.write(report);
        let line = |out: &mut dyn std::io::Write| match self.args.run.format {
            Format::Json => report.json_line(out),
            _ => report.text_line(terminal.out, out),
        };
        if self.args.once {
            output::to_stdout(line)?
        } else {
            output::to_reader(line)?
        }
        match files {
            Err(error) if self.args.once => return Err(error),
            Err(error) => self.told_only(&error),
            Ok(()) => {}
        }
        if terminal.verbose {
            output::note_troubles(report, terminal);
        }
        let signal = self.context.signals.received();
        if signal.is_some() {
            let left_behind = match left_behind(report) {
                Some(words) => format!("Its last run: {words}."),
                None => "Nothing was written in its last run.".to_owned(),
            };
            output::print_error(&format!("The watch ends. {left_behind}"));
        }
        Ok(report::exit_code(report.command, true, report.plan, report.applied, signal))
    }
}

impl Host for Watch<'_> {
    type Error = CliError;

    fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    async fn wait_until(&mut self, at: Duration) -> bool {
        let rest = at.saturating_sub(self.elapsed());
        tokio::select! {
            biased;
            () = self.context.signals.wait() => {
                self.context.terminal.note("The watch ends between two runs.");
                false
            }
            () = tokio::time::sleep(rest) => true,
        }
    }

    async fn run(&mut self) -> Result<bool, CliError> {
        self.look().await?;
        Ok(self.context.signals.received().is_none())
    }

    fn next(&mut self, due: &Due) {
        let terminal = &self.context.terminal;
        let at = moment_after(due.at.saturating_sub(self.elapsed()));
        if due.news {
            let skipped = report::counted(due.skipped, "run");
            let were = if due.skipped == 1 { "is" } else { "are" };
            terminal.note(&format!(
                "The last run took longer than --every: {skipped} {were} skipped, the next begins at {at}. \
                 This is not said again while runs take that long."
            ));
        } else if terminal.verbose {
            terminal.note(&format!("The next run begins at {at}."));
        }
    }
}

/// The moment so long from now, to the second.
fn moment_after(rest: Duration) -> String {
    let moment = jiff::Timestamp::now().checked_add(rest).unwrap_or(jiff::Timestamp::MAX);
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
