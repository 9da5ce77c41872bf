//! What plan, apply and verify have in common: from a spec and options to what was found.

use std::path::Path;
use std::sync::Arc;

use crate::failure::system_words;
use crate::plan::{Plan, PlanKind, ReplicaPlan};
use crate::reconcile::{Aim, Options, Run, RunError};
use crate::report::{Command, Format, Report};
use crate::spec::Spec;

use super::Context;
use super::args::{ReportTo, RunArgs, WriteArgs};
use super::failure::CliError;
use super::output;
use super::plan_file;
use super::progress::Progress;
use super::report_files::ReportFiles;

/// Reads and validates a spec.
pub fn read_spec(path: &Path) -> Result<Spec, CliError> {
    if plan_file::is_plan(path) {
        let shown = path.display();
        return Err(CliError::Usage {
            message: format!("{shown} is a saved plan, and a spec is wanted here"),
            hint: Some(format!("`trueup show {shown}` shows it, `trueup apply {shown}` applies it")),
        });
    }
    let bytes = std::fs::read(path).map_err(|error| CliError::file("read", path, error))?;
    let text = String::from_utf8(bytes).map_err(|_| CliError::Usage {
        message: format!("{} is not UTF-8 text, so it is no spec", path.display()),
        hint: Some("a spec is a YAML file; `trueup init PRIMARY REPLICA` writes one".to_owned()),
    })?;
    let environment = |name: &str| std::env::var(name).ok();
    let spec = Spec::parse(&text, &path.to_string_lossy(), &environment).map_err(CliError::Spec)?;
    with_schema_file(spec, path)
}

/// Reads what `schema_file` names, beside the spec's own file.
fn with_schema_file(spec: Spec, path: &Path) -> Result<Spec, CliError> {
    let Some(file) = &spec.schema_file else { return Ok(spec) };
    let own = path.parent().unwrap_or(Path::new("")).join(&file.value);
    let shown = own.to_string_lossy().into_owned();
    let unread = |why: String| {
        let message = format!("the schema file {shown} cannot be read: {why}");
        let hint = "its path is relative to the spec's own";
        CliError::Spec(spec.error_at(file.place, message).with_hint(hint).into())
    };
    let bytes = std::fs::read(&own).map_err(|error| unread(system_words(&error)))?;
    let text = String::from_utf8(bytes).map_err(|_| unread("it is not UTF-8 text".to_owned()))?;
    spec.clone().with_model(&shown, &text).map_err(CliError::Spec)
}

/// Refuses, before anything is touched, what this version cannot do.
pub fn refuse_unavailable(args: &RunArgs) -> Result<(), CliError> {
    let later = |what: String| Err(CliError::NotAvailable(what));
    refuse_format(args.format, &args.report)?;
    if args.recheck > 0 || args.recheck_delay.is_some() {
        return later("--recheck".to_owned());
    }
    Ok(())
}

/// Refuses, before anything is touched, scripts that cannot be.
pub fn refuse_scripts(command: Command, args: &RunArgs, spec: &Spec) -> Result<(), CliError> {
    let usage = |message: &str, hint: &str| {
        Err(CliError::Usage { message: message.to_owned(), hint: Some(hint.to_owned()) })
    };
    let files = args.report.iter().filter(|report| report.format == Format::Sql);
    let single = args.format == Format::Sql || files.clone().any(|report| !report.path.contains("{replica}"));
    if args.format != Format::Sql && files.count() == 0 {
        return Ok(());
    }
    if args.redact {
        return usage("a script holds values, so there is none under --redact", "leave out --redact");
    }
    if command == Command::Verify {
        return usage("verify changes nothing, so it has no script", "use `trueup plan --format sql`");
    }
    let chosen = |name: &String| args.replica.is_empty() || args.replica.contains(name);
    if single && spec.replicas.iter().filter(|replica| chosen(&replica.name.value)).count() > 1 {
        return usage(
            "a script is for one replica, and the spec has several",
            "choose it with --replica, or write --report sql={replica}.sql",
        );
    }
    Ok(())
}

/// Refuses forms that this version cannot write.
pub fn refuse_format(format: Format, reports: &[ReportTo]) -> Result<(), CliError> {
    let mut formats = std::iter::once(format).chain(reports.iter().map(|report| report.format));
    match formats.find(|format| !format.is_available()) {
        Some(format) => Err(CliError::NotAvailable(format!("the format {}", format.as_str()))),
        None => Ok(()),
    }
}

/// Both sides, connected, and what was found between them.
pub struct Found {
    /// The connections.
    pub run: Run,
    /// What differs.
    pub plan: Plan,
    /// Watches the run.
    pub progress: Arc<Progress>,
    /// Row changes in one transaction.
    pub batch_rows: u64,
    /// Whether the plan was saved before.
    pub saved: bool,
}

/// Connects and compares for plan, apply and verify. `write` is given by apply alone.
pub async fn find(
    command: Command,
    spec: &Spec,
    args: &RunArgs,
    write: Option<&WriteArgs>,
    context: &Context,
) -> Result<Found, CliError> {
    let terminal = context.terminal;
    let text = args.format == Format::Text;
    let progress = Progress::begin(&terminal, move |reading| {
        if text && reading.tables > 0 {
            output::print_reading(reading, &terminal);
        }
    });
    let aim = match (command, write) {
        (_, Some(_)) => Aim::Write,
        (Command::Plan, None) => Aim::Plan,
        (_, None) => Aim::Look,
    };
    find_with(spec, args, (aim, write), context, progress).await
}

/// As [`find`], for a watch: standard output is left alone.
pub async fn find_in_silence(
    spec: &Spec,
    args: &RunArgs,
    write: Option<&WriteArgs>,
    context: &Context,
) -> Result<Found, CliError> {
    let aim = if write.is_some() { Aim::Write } else { Aim::Look };
    find_with(spec, args, (aim, write), context, Progress::begin(&context.terminal, |_| {})).await
}

async fn find_with(
    spec: &Spec,
    args: &RunArgs,
    (aim, write): (Aim, Option<&WriteArgs>),
    context: &Context,
    progress: Arc<Progress>,
) -> Result<Found, CliError> {
    let found = connect_and_compare(spec, options(args, aim, write), context, &progress).await;
    progress.finish();
    let (run, plan) = found?;
    note_snapshots(&plan, args.format, context);
    let batch_rows = write.and_then(|write| write.batch_rows).unwrap_or(spec.batch_rows);
    Ok(Found { run, plan, progress, batch_rows, saved: false })
}

async fn connect_and_compare(
    spec: &Spec,
    options: Options,
    context: &Context,
    progress: &Arc<Progress>,
) -> Result<(Run, Plan), CliError> {
    let stop = context.signals.stop.clone();
    let run = Run::connect(spec, options, Arc::clone(progress) as _, stop).await?;
    let plan = run.compare().await?;
    Ok((run, plan))
}

/// Connects for a saved plan and holds it against what is there.
pub async fn find_saved(
    plan: Plan,
    spec: &Spec,
    args: &RunArgs,
    write: &WriteArgs,
    context: &Context,
) -> Result<Found, CliError> {
    let progress = Progress::begin(&context.terminal, |_| {});
    let (stop, options) = (context.signals.stop.clone(), options(args, Aim::Write, Some(write)));
    let observer = Arc::clone(&progress) as _;
    let run = match plan.kind {
        PlanKind::Changes => Run::connect(spec, options, observer, stop).await?,
        PlanKind::Undo => Run::connect_replicas(spec, options, observer, stop).await?,
    };
    let plan = run.adopt(plan).await?;
    progress.finish();
    let batch_rows = write.batch_rows.unwrap_or(spec.batch_rows);
    Ok(Found { run, plan, progress, batch_rows, saved: true })
}

fn options(args: &RunArgs, aim: Aim, write: Option<&WriteArgs>) -> Options {
    Options {
        replicas: args.replica.clone(),
        tables: args.table.clone(),
        max_diffs: args.max_diffs,
        jobs: args.jobs,
        chunk_rows: args.chunk_rows,
        memory_bytes: args.memory,
        digest: args.digest.method(),
        max_deletes: write.and_then(|write| write.max_deletes),
        max_changes: write.and_then(|write| write.max_changes),
        allowed: write.map(WriteArgs::allowed).unwrap_or_default(),
        aim,
        now: jiff::Timestamp::now(),
    }
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Spec(errors) => CliError::Spec(errors),
            RunError::Failure(failure) => CliError::Failure(failure),
            RunError::Option { message, hint } => CliError::Usage { message, hint },
        }
    }
}

/// Text names them by itself.
fn note_snapshots(plan: &Plan, format: Format, context: &Context) {
    if !context.terminal.verbose || format == Format::Text {
        return;
    }
    context.terminal.note(&format!("primary: {} · {}", plan.primary.display, plan.primary_snapshot));
    for replica in plan.replicas.iter() {
        let display = replica.server.as_ref().map_or("not reached", |server| &server.display);
        context.terminal.note(&format!("{}: {display} · {}", replica.name, replica.snapshot));
    }
}

/// The report of what was found, by the options of the command line.
pub fn report<'a>(command: Command, found: &'a Found, args: &RunArgs) -> Report<'a> {
    Report {
        reading: found.progress.reading(),
        elapsed: jiff::Timestamp::now().duration_since(found.plan.created_at).try_into().ok(),
        redact: args.redact,
        rows: args.rows,
        batch_rows: found.batch_rows,
        saved: found.saved,
        tables_chosen: !args.table.is_empty(),
        ..Report::new(command, &found.plan)
    }
}

/// Where a plan was saved, and how it is applied.
fn saved_words(plan: &Plan, path: &Path) -> String {
    let shown = path.display();
    match plan.replicas.iter().any(ReplicaPlan::has_failed_tables) {
        false => format!("Saved to {shown}. To apply exactly this: trueup apply {shown}"),
        true => format!(
            "Saved to {shown}. Tables in error are not part of it. To apply the rest of it: trueup apply {shown} --partial"
        ),
    }
}

/// What plan and verify do: compare, print, write report files, maybe save the plan, and give the exit code.
pub async fn look(
    command: Command,
    path: &Path,
    args: &RunArgs,
    detailed: bool,
    save: Option<&Path>,
    context: &Context,
) -> Result<u8, CliError> {
    refuse_unavailable(args)?;
    let spec = read_spec(path)?;
    refuse_scripts(command, args, &spec)?;
    let files = ReportFiles::new(&args.report, &args.replica, &spec)?;
    let found = find(command, &spec, args, None, context).await?;
    let report = report(command, &found, args);
    let printed = output::print_report(&report, args.format, &context.terminal);
    files.write(&report)?;
    printed?;
    if let Some(path) = save.filter(|_| context.signals.received().is_none()) {
        plan_file::save(&found.plan, path)?;
        context.terminal.note(&saved_words(&found.plan, path));
    }
    if args.format != Format::Text {
        output::note_troubles(&report, &context.terminal);
    }
    let signal = context.signals.received();
    if signal.is_some() {
        output::print_error("Interrupted. Nothing was written.");
    }
    Ok(crate::report::exit_code(command, detailed, &found.plan, None, signal))
}
