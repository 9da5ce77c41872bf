//! Runs the tool's binary in a directory and keeps what it said.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};

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
    run_within(120, directory, variables, args)
}

/// [`run`] with another limit, for what takes a while in a program that is not optimized.
pub fn run_within(
    seconds: u32,
    directory: &Path,
    variables: &BTreeMap<String, String>,
    args: &[&str],
) -> Run {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", &seconds.to_string(), env!("CARGO_BIN_EXE_trueup")]).args(args);
    let done = in_place(&mut command, directory, variables).output().expect("timeout (coreutils) can be run");
    ended(args, done)
}

/// What the environment of a run is.
fn in_place<'c>(
    command: &'c mut Command,
    directory: &Path,
    variables: &BTreeMap<String, String>,
) -> &'c mut Command {
    command.current_dir(directory).stdin(Stdio::null());
    // What libpq and its kin would take from the environment is not what a case says.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PG") || name.starts_with("MYSQL_"))
    {
        command.env_remove(name);
    }
    command.envs(variables)
}

fn ended(args: &[&str], done: std::process::Output) -> Run {
    Run {
        command: args.join(" "),
        exit: done.status.code(),
        stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

/// A run that goes on beside the test; one that nobody waits for is ended with it.
pub struct Running {
    child: Option<Child>,
    args: Vec<String>,
}

/// Starts `trueup args` in `directory`. What it says must be little enough for a pipe.
pub fn start(directory: &Path, variables: &BTreeMap<String, String>, args: &[&str]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trueup"));
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = in_place(&mut command, directory, variables).spawn().expect("the tool starts");
    Running { child: Some(child), args: args.iter().map(|arg| (*arg).to_owned()).collect() }
}

impl Running {
    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        let child = self.child.as_mut().expect("nobody has waited for it");
        child.try_wait().expect("it can be asked").is_some()
    }

    /// Sends a signal: `INT`, `TERM`, `KILL`.
    pub fn signal(&self, name: &str) {
        let id = self.child.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.expect("kill can be run").success());
    }

    /// Waits for its end.
    pub fn ends(mut self) -> Run {
        let done = self.child.take().expect("it runs").wait_with_output().expect("it ends");
        ended(&self.args.iter().map(String::as_str).collect::<Vec<_>>(), done)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The most memory that `trueup args` took, in bytes, as the kernel saw it, and its exit code. `out` takes what it says.
pub fn peak_of(
    directory: &Path,
    variables: &BTreeMap<String, String>,
    args: &[&str],
    out: Stdio,
) -> (u64, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trueup"));
    command.args(args).stdout(out).stderr(Stdio::null());
    let mut child = in_place(&mut command, directory, variables).spawn().expect("the tool starts");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let ended = child.try_wait().expect("it is a child");
        // The mark only rises; gone when the process is.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = mark.and_then(|words| words.split_whitespace().next()?.parse::<u64>().ok());
        peak = kib.unwrap_or_default().max(peak);
        if let Some(ended) = ended {
            assert!(peak > 0, "nothing was seen of its memory");
            return (peak << 10, ended.code());
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}
