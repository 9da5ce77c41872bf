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
    note_what_cannot_be_applied(&inverse, context)?;
    let shown = args.out.display();
    context.terminal.note(&format!(
        "Saved to {shown}. Once {} is applied, this takes it back: trueup apply {shown}",
        args.plan.display()
    ));
    Ok(0)
}

/// Says of which tables the plan will be refused when it is applied, as far as that shows without a connection.
pub fn note_what_cannot_be_applied(inverse: &Plan, context: &Context) -> Result<(), CliError> {
    for replica in &inverse.replicas {
        for table in &replica.tables {
            if let Some(failure) = &table.error {
                context.terminal.note(&format!(
                    "{}: table {}: apply cannot do this: {}",
                    replica.name, table.table, failure.message
                ));
            }
            if plan::has_ambiguous(table).map_err(|error| CliError::Failure(Failure::from(error)))? {
                context.terminal.note(&format!(
                    "{}: table {}: apply will refuse this: of rows that are equal in scope some would go and some \
                     stay, and which of them cannot be told, for the replica has columns out of scope",
                    replica.name, table.table
                ));
            }
        }
    }
    Ok(())
}

/// What takes a plan back.
pub fn inverse_of(plan: &Plan) -> Result<Plan, CliError> {
    let spool = audit::spool(audit::MEMORY_BYTES_DEFAULT);
    plan::inverse(plan, &spool).map_err(|error| CliError::Failure(Failure::from(error)))
}
