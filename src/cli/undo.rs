//! `trueup undo`: writes the inverse of a saved plan. Connects to nothing.

use crate::audit;
use crate::failure::Failure;
use crate::plan::{self, Plan};

use super::Context;
use super::args::UndoArgs;
use super::failure::CliError;
use super::plan_file;

/// Runs the command.
pub fn run(args: &UndoArgs, context: &Context) -> Result<u8, CliError> {
    let plan = plan_file::load(&args.plan)?;
    let inverse = inverse_of(&plan)?;
    plan_file::save(&inverse, &args.out)?;
    let shown = args.out.display();
    context.terminal.note(&format!(
        "Saved to {shown}. Once {} is applied, this takes it back: trueup apply {shown}",
        args.plan.display()
    ));
    Ok(0)
}

/// What takes a plan back.
pub fn inverse_of(plan: &Plan) -> Result<Plan, CliError> {
    let spool = audit::spool(audit::MEMORY_BYTES_DEFAULT);
    plan::inverse(plan, &spool).map_err(|error| CliError::Failure(Failure::from(error)))
}
