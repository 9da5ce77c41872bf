//! `trueup plan`: what would change. Writes nothing to any database.

use crate::report::Command;

use super::Context;
use super::args::PlanArgs;
use super::failure::CliError;
use super::run::look;

/// Runs the command.
pub async fn run(args: &PlanArgs, context: &Context) -> Result<u8, CliError> {
    look(Command::Plan, &args.spec, &args.run, args.detailed_exitcode, args.out.as_deref(), context).await
}
