//! `trueup check`: what a spec needs, told before it is needed. All problems go to standard error, each as an error
//! of its own; where there are none, standard output says what pairs with what, and what apply could not do.

use std::fmt::Write as _;

use crate::reconcile::{self, Checked, CheckedReplica, CheckedTable, Options, Problem, Warning};
use crate::report::{self, BOLD, Paint, YELLOW, counted, name};
use crate::server::Server;
use crate::spec::Spec;

use super::Context;
use super::args::CheckArgs;
use super::failure::CliError;
use super::output::{Terminal, print, print_error};
use super::run::read_spec;

/// Runs the command.
pub async fn run(args: &CheckArgs, context: &Context) -> Result<u8, CliError> {
    let spec = read_spec(&args.spec)?;
    if args.offline {
        print(&valid(&spec))?;
        return Ok(0);
    }
    let options =
        Options { replicas: args.replica.clone(), tables: args.table.clone(), ..Options::default() };
    let checked = tokio::select! {
        checked = reconcile::check(&spec, &options, &context.signals.stop) => checked?,
        () = context.signals.wait() => return Err(CliError::interrupted()),
    };
    let terminal = &context.terminal;
    if checked.problems.is_empty() {
        print(&summary(&spec, &checked, terminal))?;
        return Ok(0);
    }
    for problem in &checked.problems {
        print_error(&CliError::Failure(told(problem)).shown(terminal.err, args.redact));
    }
    for (replica, warning) in warnings(&checked) {
        terminal.note(&warning_text("", &format!("{}: ", name(replica)), warning, terminal.err));
    }
    let found = counted(checked.problems.len() as u64, "problem");
    print_error(&format!("{} has {found}.", spec.path));
    Ok(1)
}

fn valid(spec: &Spec) -> String {
    let replicas = counted(spec.replicas.len() as u64, "replica");
    let entries = match spec.tables.len() {
        1 => "1 table entry".to_owned(),
        many => format!("{many} table entries"),
    };
    format!("{} is valid: {replicas}, {entries}.\n", spec.path)
}

/// A problem with the replicas and the table it was met with.
fn told(problem: &Problem) -> crate::failure::Failure {
    let mut failure = problem.failure.clone();
    let replicas: Vec<String> = problem.replicas.iter().map(|replica| name(replica)).collect();
    let mut place = replicas.join(", ");
    if let (Some(table), false) = (&problem.table, place.is_empty()) {
        let _ = write!(place, ": {}", name(table));
    }
    if !place.is_empty() {
        failure.message = format!("{place}: {}", failure.message);
    }
    failure
}

fn warnings(checked: &Checked) -> impl Iterator<Item = (&str, &Warning)> {
    let replicas = checked.replicas.iter();
    replicas.flat_map(|replica| replica.warnings.iter().map(|warning| (replica.name.as_str(), warning)))
}

fn warning_text(indent: &str, prefix: &str, warning: &Warning, paint: Paint) -> String {
    let mut text = format!("{indent}{} {prefix}{}", paint.on(YELLOW, "warning:"), warning.message);
    for hint in &warning.hints {
        let _ = write!(text, "\n{indent}  hint: {hint}");
    }
    text
}

fn summary(spec: &Spec, checked: &Checked, terminal: &Terminal) -> String {
    let mut text = valid(spec);
    if let Some(primary) = &checked.primary {
        let _ = writeln!(text, "\n{}  {}", terminal.out.on(BOLD, "Primary"), server_words(primary));
    }
    for replica in &checked.replicas {
        replica_summary(&mut text, replica, terminal);
    }
    let pairs = checked.replicas.iter().map(|replica| replica.tables.len() as u64).sum();
    let warned = match warnings(checked).count() as u64 {
        0 => String::new(),
        some => format!(", {}", counted(some, "warning")),
    };
    let _ = writeln!(text, "\nNo problems: {} can be compared{warned}.", counted(pairs, "table pair"));
    text
}

fn server_words(server: &Server) -> String {
    let fresh = if server.missing { ", does not exist yet" } else { "" };
    format!("{} {} · {}{fresh}", server.engine, server.version, report::visible(&server.display))
}

fn replica_summary(text: &mut String, replica: &CheckedReplica, terminal: &Terminal) {
    let heading = terminal.out.on(BOLD, format!("Replica {}", name(&replica.name)));
    let server = replica.server.as_ref().map(server_words).unwrap_or_default();
    let _ = writeln!(text, "\n{heading}  {server}");
    for table in &replica.tables {
        table_summary(text, table, terminal);
    }
    for table in &replica.extra {
        let _ = writeln!(text, "  {}: only on the replica; apply drops it by leave", name(table));
    }
    if !terminal.quiet {
        for warning in &replica.warnings {
            let _ = writeln!(text, "{}", warning_text("  ", "", warning, terminal.out));
        }
    }
}

fn table_summary(text: &mut String, table: &CheckedTable, terminal: &Terminal) {
    let pair = &table.pair;
    let mut title = name(&pair.table);
    if pair.replica_table != pair.table {
        let _ = write!(title, " -> {}", name(&pair.replica_table));
    }
    let key: Vec<String> = pair.key().iter().map(|column| name(column.name())).collect();
    let key = if key.is_empty() { "no key".to_owned() } else { format!("key {}", key.join(", ")) };
    let columns = counted(pair.columns.len() as u64, "column");
    // Of a table that is to be created there is nothing else to say.
    let (missing, notes) = match table.notes.split_first() {
        Some((missing, rest)) if pair.replica_missing => (format!("; {missing}"), rest),
        _ => (String::new(), table.notes.as_slice()),
    };
    let _ = writeln!(text, "  {title}: {key}; {columns}{missing}");
    if terminal.verbose {
        for column in &pair.columns {
            let sides = column.sides.as_ref().map(|side| side.column_type.declared.as_str());
            let _ = writeln!(
                text,
                "      {}: {} ({} on the primary, {} on the replica)",
                name(column.name()),
                column.domain.name(),
                sides.primary,
                sides.replica
            );
        }
    }
    if !terminal.quiet {
        for note in notes {
            let _ = writeln!(text, "    note: {note}");
        }
    }
}
