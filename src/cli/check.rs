//! `trueup check`: so far only what the file alone can tell.

use super::args::CheckArgs;
use super::failure::CliError;
use super::output::print;
use super::run::read_spec;
use crate::report::counted;

/// Runs the command.
pub fn run(args: &CheckArgs) -> Result<u8, CliError> {
    let spec = read_spec(&args.spec)?;
    if !args.offline {
        return Err(CliError::NotAvailable(
            "trueup check with connections; --offline checks the file, trueup verify all the rest".to_owned(),
        ));
    }
    let replicas = counted(spec.replicas.len() as u64, "replica");
    let tables = match spec.tables.len() {
        1 => "1 table entry".to_owned(),
        many => format!("{many} table entries"),
    };
    print(&format!("{} is valid: {replicas}, {tables}.\n", spec.path))?;
    Ok(0)
}
