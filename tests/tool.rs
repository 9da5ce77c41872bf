//! Runs the tool's binary in a directory and keeps what it said.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value as Json;

/// One finished run.
pub struct Run {
    /// The arguments, for the report.
    pub command: String,
    /// `None` when a signal ended it.
    pub exit: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The JSON document on standard output; `Null` when there is none.
    pub fn document(&self) -> Json {
        serde_json::from_str(&self.stdout).unwrap_or(Json::Null)
    }

    /// The command, its exit code and the end of both outputs, for a report.
    pub fn told(&self) -> String {
        format!(
            "  $ trueup {}\n  exit {:?}\n  stdout: {}\n  stderr: {}",
            self.command,
            self.exit,
            shortened(&self.stdout),
            shortened(&self.stderr)
        )
    }
}

fn shortened(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(3000) {
        Some((at, _)) => format!("{} …", &text[..at]),
        None => text.to_string(),
    }
}

/// Runs `trueup args` in `directory`. A run of two minutes is ended: exit 124.
pub fn run(directory: &Path, variables: &BTreeMap<String, String>, args: &[&str]) -> Run {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "120", env!("CARGO_BIN_EXE_trueup")]).args(args);
    command.current_dir(directory).stdin(Stdio::null());
    // What libpq and its kin would take from the environment is not what a case says.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PG") || name.starts_with("MYSQL_"))
    {
        command.env_remove(name);
    }
    let done = command.envs(variables).output().expect("timeout (coreutils) can be run");
    Run {
        command: args.join(" "),
        exit: done.status.code(),
        stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}
