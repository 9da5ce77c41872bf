//! The command line as people write it. Values are checked here as far as their text tells; what they mean
//! for a run is resolved by the command that takes them.
//!
//! Options of later versions exist already, so that their names are not taken for typing errors; a command
//! that is given one says that it is not available yet.

mod parse;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::report::{Format, Rows};
use crate::spec::{ALL_HAZARDS, HAZARDS, Limit, TablePattern};
use crate::value::DigestMethod;

use parse::{at_least_one, duration, interval, limit, memory, pattern, rows};

/// What every `--help` ends with.
const EXIT_CODES: &str = "\
Exit codes (with several outcomes the first of 130/143, 1, 5, 4, 3, 2, 0 wins):
    0  in sync, or applied and verified; plan without --detailed-exitcode whatever it found
    1  error: something could not be read, compared or written; wrong usage
    2  differences: verify; plan --detailed-exitcode; apply whose check afterwards finds drift
    3  refused by a safety rule or at the prompt; nothing was written
    4  the plan is stale, or made for another spec, database or structure
    5  another trueup holds the replica's lock
  130  interrupted at a safe point by SIGINT; what was committed stays
  143  interrupted at a safe point by SIGTERM";

/// What a watch does, beside its options.
const WATCH: &str = "\
Runs:
  Each run prints one line to standard output: when it began (UTC), and how each replica stands.
  With --format json the line is the JSON document of verify, with --apply that of apply.
  Runs begin at whole multiples of --every after the first, and never overlap: moments that go by
  while a run is at work are skipped, which standard error says once.
  The spec is read again before each run, and connections are closed after it. A run that fails
  (a database is down, the spec is no longer valid) is an error in its line, and the next one tries
  again; a spec or an option that is wrong at the start ends the watch with 1.
  Files of --report are replaced as a whole by each run.
  SIGINT and SIGTERM end the watch with 0: at once between runs, within one at its next safe point;
  what was committed stays, and standard error says what that is.
  With --once the exit code is that of verify or apply.";

/// What a plan may do only when it is allowed by name: the name of a hazard, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hazard(&'static str);

impl clap::ValueEnum for Hazard {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: [Hazard; HAZARDS.len() + 1] = {
            let mut all = [Hazard(ALL_HAZARDS); HAZARDS.len() + 1];
            let mut at = 0;
            while at < HAZARDS.len() {
                all[at] = Hazard(HAZARDS[at].0);
                at += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let help = HAZARDS.iter().find(|(name, _)| *name == self.0).map_or("all of them", |(_, help)| help);
        Some(clap::builder::PossibleValue::new(self.0).help(help))
    }
}

/// The names of hazards, each for itself.
fn names(hazards: &[Hazard]) -> Vec<String> {
    let all = HAZARDS.iter().map(|(name, _)| *name);
    let is_allowed = |name: &&str| hazards.iter().any(|one| one.0 == *name || one.0 == ALL_HAZARDS);
    all.filter(is_allowed).map(str::to_owned).collect()
}

/// Make replica databases equal to a primary database, and prove it.
#[derive(Debug, Parser)]
#[command(name = "trueup", version, after_help = EXIT_CODES)]
#[command(arg_required_else_help = true, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what would change; write nothing to any database
    #[command(after_help = EXIT_CODES)]
    Plan(PlanArgs),
    /// Plan, show, ask, apply and check
    #[command(after_help = EXIT_CODES)]
    Apply(ApplyArgs),
    /// Compare only; end with 2 on drift
    #[command(after_help = EXIT_CODES)]
    Verify(VerifyArgs),
    /// Repeat verify, or plan and apply with --apply
    #[command(after_help = format!("{WATCH}\n\n{EXIT_CODES}"))]
    Watch(WatchArgs),
    /// Render a saved plan in any format
    Show(ShowArgs),
    /// Write the inverse of a saved plan
    Undo(UndoArgs),
    /// Write a commented spec from two live databases
    Init(InitArgs),
    /// Validate the spec, then the connections, tables, keys, types and rights it needs
    #[command(after_help = EXIT_CODES)]
    Check(CheckArgs),
    /// Save range digests, to compare later or elsewhere (not available yet)
    Digest(DigestArgs),
    /// Make two small SQLite databases with drift and a spec, then plan, apply and verify them
    Demo(DemoArgs),
    /// Print the completion script of a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The spec
    pub spec: PathBuf,
    /// Save the plan to FILE, for `trueup apply FILE`
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// End with 2 where something would change
    #[arg(long)]
    pub detailed_exitcode: bool,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub terminal: TerminalArgs,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The spec
    pub spec: PathBuf,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub terminal: TerminalArgs,
}

#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The spec, or a saved plan
    #[arg(value_name = "SPEC|PLAN")]
    pub spec: PathBuf,
    /// Take the connections for a saved plan from this spec [default: the one it was made from]
    #[arg(long = "spec", value_name = "SPEC")]
    pub plan_spec: Option<PathBuf>,
    #[command(flatten)]
    pub write: WriteArgs,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub terminal: TerminalArgs,
}

/// How to write.
#[derive(Debug, Args)]
#[command(next_help_heading = "Writing")]
pub struct WriteArgs {
    /// Do not ask
    #[arg(short = 'y', long)]
    pub auto_approve: bool,
    /// Refuse more deletes than this: rows of a replica, or a percentage of each table's rows [default: the spec's limits.deletes]
    #[arg(long, value_name = "N|P%", value_parser = limit)]
    pub max_deletes: Option<Limit>,
    /// Refuse more changes than this: rows of a replica, or a percentage of each table's rows [default: the spec's limits.changes]
    #[arg(long, value_name = "N|P%", value_parser = limit)]
    pub max_changes: Option<Limit>,
    /// Allow these hazards, which are refused otherwise
    #[arg(long, value_name = "HAZARD", value_delimiter = ',')]
    pub allow: Vec<Hazard>,
    /// Write at most N changes of a replica in one transaction [default: the spec's apply.batch_rows, or 100000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub batch_rows: Option<u64>,
    /// Write a replica although some of its tables are in error, without those
    #[arg(long)]
    pub partial: bool,
    /// Wait this long for the replica's lock, for example 30s or 5m
    #[arg(long, value_name = "D", value_parser = duration, default_value = "0s")]
    pub lock_timeout: Duration,
    /// Save the inverse of what is applied to FILE, before the first write
    #[arg(long, value_name = "FILE")]
    pub undo: Option<PathBuf>,
    /// Do not compare the rows written after the commit
    #[arg(long)]
    pub no_verify: bool,
}

impl WriteArgs {
    /// The names of the hazards that are allowed.
    pub fn allowed(&self) -> Vec<String> {
        names(&self.allow)
    }
}

#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The spec
    pub spec: PathBuf,
    /// Begin a run every so often: 30s, 5m, 1h, 1d
    #[arg(long, value_name = "D", value_parser = interval, required_unless_present = "once")]
    pub every: Option<Duration>,
    /// Apply what was found, without asking; limits and hazards are refused as ever
    #[arg(long)]
    pub apply: bool,
    /// Make one run, and end with its exit code
    #[arg(long)]
    pub once: bool,
    #[command(flatten)]
    pub write: WatchWriteArgs,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub terminal: TerminalArgs,
}

/// How a watch writes: what of [`WriteArgs`] makes sense when nobody is there.
#[derive(Debug, Args)]
#[command(next_help_heading = "Writing, with --apply only")]
pub struct WatchWriteArgs {
    /// Refuse more deletes than this in a run: rows of a replica, or a percentage of each table's rows [default: the spec's limits.deletes]
    #[arg(long, value_name = "N|P%", value_parser = limit, requires = "apply")]
    pub max_deletes: Option<Limit>,
    /// Refuse more changes than this in a run: rows of a replica, or a percentage of each table's rows [default: the spec's limits.changes]
    #[arg(long, value_name = "N|P%", value_parser = limit, requires = "apply")]
    pub max_changes: Option<Limit>,
    /// Allow these hazards, which are refused otherwise
    #[arg(long, value_name = "HAZARD", value_delimiter = ',', requires = "apply")]
    pub allow: Vec<Hazard>,
    /// Write at most N changes of a replica in one transaction [default: the spec's apply.batch_rows, or 100000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), requires = "apply")]
    pub batch_rows: Option<u64>,
    /// Write a replica although some of its tables are in error, without those
    #[arg(long, requires = "apply")]
    pub partial: bool,
    /// Wait this long for the replica's lock, for example 30s or 5m [default: 0s]
    #[arg(long, value_name = "D", value_parser = duration, requires = "apply")]
    pub lock_timeout: Option<Duration>,
    /// Do not compare the rows written after the commit
    #[arg(long, requires = "apply")]
    pub no_verify: bool,
}

impl WatchWriteArgs {
    /// As apply takes them, where nobody is asked.
    pub fn unattended(&self) -> WriteArgs {
        WriteArgs {
            auto_approve: true,
            max_deletes: self.max_deletes,
            max_changes: self.max_changes,
            allow: self.allow.clone(),
            batch_rows: self.batch_rows,
            partial: self.partial,
            lock_timeout: self.lock_timeout.unwrap_or_default(),
            undo: None,
            no_verify: self.no_verify,
        }
    }
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The saved plan
    pub plan: PathBuf,
    /// Show this replica only (repeatable)
    #[arg(long, value_name = "NAME")]
    pub replica: Vec<String>,
    /// Print in this format to standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Also write a report to a file; {replica} in PATH makes one file a replica (repeatable)
    #[arg(long, value_name = "FORMAT=PATH")]
    pub report: Vec<ReportTo>,
    /// Show keys and column names, but no values
    #[arg(long)]
    pub redact: bool,
    /// Print at most this many row changes of a table in text, markdown and junit
    #[arg(long, value_name = "N|all", value_parser = rows, default_value = "20")]
    pub rows: Rows,
    #[command(flatten)]
    pub terminal: TerminalArgs,
}

#[derive(Debug, Args)]
pub struct UndoArgs {
    /// The saved plan
    pub plan: PathBuf,
    /// Save the inverse to FILE
    #[arg(short, long, value_name = "PLAN")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// URL of the primary, for example postgres://user:password@host/db or sqlite:path
    pub primary: String,
    /// URL of the replica; the spec holds the password of neither
    pub replica: String,
    /// Write to FILE, which must not exist yet, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The spec
    pub spec: PathBuf,
    /// Validate the file alone; connect to nothing
    #[arg(long)]
    pub offline: bool,
    /// Look at this replica only (repeatable)
    #[arg(long, value_name = "NAME", conflicts_with = "offline")]
    pub replica: Vec<String>,
    /// Look at these tables only, by the primary's names (repeatable)
    #[arg(long, value_name = "GLOB", value_parser = pattern, conflicts_with = "offline")]
    pub table: Vec<TablePattern>,
    /// Show no values, also in messages that come from a database; keys that stand twice are shown
    #[arg(long)]
    pub redact: bool,
    #[command(flatten)]
    pub terminal: TerminalArgs,
}

#[derive(Debug, Args)]
pub struct DigestArgs {
    /// The spec
    pub spec: PathBuf,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The folder to make; an earlier demo there is made anew
    #[arg(default_value = "trueup-demo")]
    pub dir: PathBuf,
    #[command(flatten)]
    pub terminal: TerminalArgs,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// What to compare and how to report it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Comparing and reporting")]
pub struct RunArgs {
    /// Look at this replica only (repeatable)
    #[arg(long, value_name = "NAME")]
    pub replica: Vec<String>,
    /// Look at these tables only, by the primary's names (repeatable)
    #[arg(long, value_name = "GLOB", value_parser = pattern)]
    pub table: Vec<TablePattern>,
    /// Print in this format to standard output (html is not available yet)
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Also write a report to a file; {replica} in PATH makes one file a replica (repeatable)
    #[arg(long, value_name = "FORMAT=PATH")]
    pub report: Vec<ReportTo>,
    /// Show keys and column names, but no values, also in messages that come from a database
    #[arg(long)]
    pub redact: bool,
    /// Print at most this many row changes of a table in text, markdown and junit; `all` also puts them into
    /// verify's JSON
    #[arg(long, value_name = "N|all", value_parser = rows, default_value = "20")]
    pub rows: Rows,
    /// Stop looking after N differing rows of a table, and say "at least N"; nothing can be applied then
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_diffs: Option<u64>,
    /// Look again N times at differing rows before calling them drift (not available yet)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub recheck: u32,
    /// Wait this long before looking again (not available yet)
    #[arg(long, value_name = "D", value_parser = duration)]
    pub recheck_delay: Option<Duration>,
    /// Who makes the digests: trueup of all rows (blake3, and auto), or both databases, so that only rows of ranges
    /// that differ are read: for slow links, between databases of one engine
    #[arg(long, value_enum, default_value_t = DigestWhere::Auto)]
    pub digest: DigestWhere,
    /// Read at most N ranges at the same time [default: what connections and processors allow]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub jobs: Option<usize>,
    /// Read at most N rows as one range [default: chosen by the size of the rows]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub chunk_rows: Option<usize>,
    /// Keep below this much memory, for example 64MiB or 1GiB; at least 16MiB
    #[arg(long, value_name = "SIZE", value_parser = memory, default_value = "256MiB")]
    pub memory: u64,
}

impl Default for TerminalArgs {
    fn default() -> Self {
        TerminalArgs { color: When::Auto, progress: When::Auto, quiet: false, verbose: false }
    }
}

/// What the terminal shows.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Terminal")]
pub struct TerminalArgs {
    /// Colour the output; auto honours NO_COLOR
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub color: When,
    /// Show progress on standard error: bars on a terminal, else a line every 5 seconds
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub progress: When,
    /// Show neither progress nor notes
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more about what is done
    #[arg(short, long)]
    pub verbose: bool,
}

// The variants of these have no doc comments: clap would print each on a line of its own.

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        &Format::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

/// Yes, no, or as it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    Auto,
    Always,
    Never,
}

/// Where range digests are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DigestWhere {
    Auto,
    Blake3,
    Database,
}

impl DigestWhere {
    /// The method. Over a fast link reading the rows costs the servers less than digesting them.
    pub fn method(self) -> DigestMethod {
        match self {
            DigestWhere::Auto | DigestWhere::Blake3 => DigestMethod::Blake3,
            DigestWhere::Database => DigestMethod::Database,
        }
    }
}

/// `--report FORMAT=PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportTo {
    /// The form.
    pub format: Format,
    /// The file; may hold `{replica}`.
    pub path: String,
}

impl FromStr for ReportTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((format, path)) = text.split_once('=').filter(|(_, path)| !path.is_empty()) else {
            return Err("write it like json=report.json".to_owned());
        };
        Ok(ReportTo { format: Format::from_str(format, false)?, path: path.to_owned() })
    }
}
