//! `trueup verify`: compares only, and ends with 2 on drift.

use crate::report::Command;

use super::Context;
use super::args::VerifyArgs;
use super::failure::CliError;
use super::run::look;

/// Runs the command.
pub async fn run(args: &VerifyArgs, context: &Context) -> Result<u8, CliError> {
    look(Command::Verify, &args.spec, &args.run, true, None, context).await
}
