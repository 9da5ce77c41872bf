//! `trueup plan`: what would change. Writes nothing to any database.

use crate::report::Command;

use super::Context;
use super::args::PlanArgs;
use super::failure::CliError;
use super::run::look;

/// Runs the command.
pub async fn run(args: &PlanArgs, context: &Context) -> Result<u8, CliError> {
    if args.out.is_some() {
        return Err(CliError::NotAvailable("saving a plan with --out".to_owned()));
    }
    look(Command::Plan, &args.spec, &args.run, args.detailed_exitcode, context).await
}
