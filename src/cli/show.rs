//! `trueup show`: a saved plan in any format. Connects to nothing.

use crate::plan::Plan;
use crate::report::{Command, Report};

use super::Context;
use super::args::ShowArgs;
use super::failure::CliError;
use super::report_files::ReportFiles;
use super::run::refuse_format;
use super::{output, plan_file};

/// Runs the command.
pub fn run(args: &ShowArgs, context: &Context) -> Result<u8, CliError> {
    refuse_format(args.format, &args.report)?;
    let (mut plan, ledger) = plan_file::load_with_ledger(&args.plan)?;
    choose(&mut plan, &args.replica)?;
    let names: Vec<&str> = plan.replicas.iter().map(|replica| replica.name.as_str()).collect();
    let files = ReportFiles::of_plan(&args.report, &names, &args.plan)?;
    let report = Report { redact: args.redact, rows: args.rows, ..Report::new(Command::Show, &plan) };
    let printed = output::print_report(&report, args.format, &context.terminal);
    files.write(&report)?;
    ledger.tell(&plan, &context.terminal)?;
    printed.map(|()| 0)
}

fn choose(plan: &mut Plan, wanted: &[String]) -> Result<(), CliError> {
    let known = |name: &&String| plan.replicas.iter().any(|replica| replica.name == **name);
    if let Some(name) = wanted.iter().find(|name| !known(name)) {
        let names: Vec<&str> = plan.replicas.iter().map(|replica| replica.name.as_str()).collect();
        return Err(CliError::Usage {
            message: format!("--replica {name} is not in the plan"),
            hint: Some(format!("there are: {}", names.join(", "))),
        });
    }
    plan.replicas.retain(|replica| wanted.is_empty() || wanted.contains(&replica.name));
    Ok(())
}
