//! The only room that prints, asks, reads arguments and touches files other than databases.
//!
//! From words on the command line to an exit code: `args` takes them apart, a file per command says what is
//! done, `output` and `progress` show it, `failure` turns every error into a message. Invariants: standard
//! output carries the requested format and nothing else; every way out of a command is an exit code of the
//! contract; no password is ever printed, for nothing here has one.

mod apply;
mod args;
mod atomic;
mod check;
mod completions;
mod demo;
mod failure;
mod init;
mod ledger;
mod man;
mod output;
mod plan;
mod plan_file;
mod progress;
mod report_files;
mod run;
mod show;
mod signal;
mod undo;
mod verify;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, TerminalArgs};
use failure::CliError;
use output::{Terminal, print_error};
use signal::Signals;

use crate::spec::redact;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => {
            failure::tell_panics(cli.command.redact());
            // A panic of ours was told when it happened, and is an error like any other.
            let code = std::panic::catch_unwind(move || run(cli.command));
            ExitCode::from(code.unwrap_or(1))
        }
        Err(error) => {
            show_usage(&error);
            // Wrong usage is 1 here, not clap's 2: that means drift.
            ExitCode::from(u8::from(error.use_stderr()))
        }
    }
}

/// Help, or what is wrong with the arguments. These are quoted there, and one may be a URL with its password.
fn show_usage(error: &clap::Error) {
    let text = error.to_string();
    if error.use_stderr() && redact(&text) != text {
        print_error(redact(&text).trim_end());
    } else {
        // Nobody is left to tell where printing fails.
        let _ = error.print();
    }
}

fn run(command: Command) -> u8 {
    let terminal = Terminal::new(command.terminal().unwrap_or(&TerminalArgs::default()));
    let redact = command.redact();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print_error(&CliError::Io { action: "start".to_owned(), error }.shown(terminal.err, false));
            return 1;
        }
    };
    let code = runtime.block_on(async {
        let signals = match Signals::listen() {
            Ok(signals) => signals,
            Err(error) => {
                let error = CliError::Io { action: "listen to signals".to_owned(), error };
                print_error(&error.shown(terminal.err, false));
                return 1;
            }
        };
        let context = Context { terminal, signals };
        dispatch(command, &context).await.unwrap_or_else(|error| {
            print_error(&error.shown(terminal.err, redact));
            error.exit_code(context.signals.received())
        })
    });
    // A reader that hangs in a server's answer must not keep a finished run waiting.
    runtime.shutdown_background();
    code
}

/// What every command is handed.
#[derive(Clone, Debug)]
struct Context {
    terminal: Terminal,
    signals: Signals,
}

/// Runs one command; `demo` comes back here for the commands it shows.
async fn dispatch(command: Command, context: &Context) -> Result<u8, CliError> {
    let later = |what: &str| Err(CliError::NotAvailable(what.to_owned()));
    match command {
        Command::Plan(args) => plan::run(&args, context).await,
        Command::Apply(args) => apply::run(&args, context).await,
        Command::Verify(args) => verify::run(&args, context).await,
        Command::Check(args) => check::run(&args, context).await,
        Command::Demo(args) => demo::run(&args, context).await,
        Command::Completions(args) => completions::run(&args),
        Command::Man => man::run(),
        Command::Watch(args) => watch::run(&args, context).await,
        Command::Show(args) => show::run(&args, context),
        Command::Undo(args) => undo::run(&args, context),
        Command::Init(args) => init::run(&args, context).await,
        Command::Digest(_) => later("trueup digest"),
    }
}

impl Command {
    fn terminal(&self) -> Option<&TerminalArgs> {
        match self {
            Command::Plan(args) => Some(&args.terminal),
            Command::Apply(args) => Some(&args.terminal),
            Command::Verify(args) => Some(&args.terminal),
            Command::Watch(args) => Some(&args.terminal),
            Command::Check(args) => Some(&args.terminal),
            Command::Show(args) => Some(&args.terminal),
            Command::Demo(args) => Some(&args.terminal),
            _ => None,
        }
    }

    fn redact(&self) -> bool {
        match self {
            Command::Plan(args) => args.run.redact,
            Command::Apply(args) => args.run.redact,
            Command::Verify(args) => args.run.redact,
            Command::Watch(args) => args.run.redact,
            Command::Show(args) => args.redact,
            Command::Check(args) => args.redact,
            _ => false,
        }
    }
}
