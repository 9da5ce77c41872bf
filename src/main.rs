//! Start-up only.

use std::process::ExitCode;

fn main() -> ExitCode {
    trueup::cli::main()
}
