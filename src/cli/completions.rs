//! `trueup completions SHELL`.

use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs};
use super::failure::CliError;
use super::output::print;

/// Runs the command.
pub fn run(args: &CompletionsArgs) -> Result<u8, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "trueup", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
