//! `trueup man`: the manual page of the program, then those of its commands.

use clap::CommandFactory;

use super::args::Cli;
use super::failure::CliError;
use super::output::print;

/// Runs the command.
pub fn run() -> Result<u8, CliError> {
    let failed = |error| CliError::Io { action: "render the manual page".to_owned(), error };
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(failed)?;
    for part in command.get_subcommands().filter(|part| part.get_name() != "help") {
        clap_mangen::Man::new(part.clone()).render(&mut page).map_err(failed)?;
    }
    print(&String::from_utf8_lossy(&page))?;
    Ok(0)
}
