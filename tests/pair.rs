//! Two databases, a folder with a spec between them, and the tool's binary run there: what tests of the command line
//! begin with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::servers::{Database, Engine, open};
use crate::tool::{self, Run, Running};

/// A primary and a replica, and the folder in which the tool runs.
pub struct Pair {
    pub primary: Database,
    pub replica: Database,
    directory: tempfile::TempDir,
}

impl Pair {
    /// Two empty databases.
    pub fn new(primary: Engine, replica: Engine) -> Pair {
        Pair::of(open(primary, "p"), open(replica, "r"))
    }

    /// These two.
    pub fn of(primary: Database, replica: Database) -> Pair {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        Pair { primary, replica, directory }
    }

    /// Two SQLite databases with the same contents, and a spec of these tables.
    pub fn sqlite(tables: &str, both: &str) -> Pair {
        let pair = Pair::new(Engine::Sqlite, Engine::Sqlite);
        pair.both(both);
        pair.tables(tables);
        pair
    }

    /// Runs a script on both sides.
    pub fn both(&self, sql: &str) {
        self.primary.execute_script(sql);
        self.replica.execute_script(sql);
    }

    /// Writes `spec.yml` with this list of tables.
    pub fn tables(&self, tables: &str) {
        self.spec(&format!(
            "version: 1\nprimary: ${{PRIMARY_URL}}\nreplicas: {{ copy: \"${{REPLICA_URL}}\" }}\ntables: {tables}\n"
        ));
    }

    /// Writes `spec.yml`.
    pub fn spec(&self, text: &str) {
        std::fs::write(self.path("spec.yml"), text).expect("the spec can be written");
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// A file of the folder.
    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
    }

    /// Runs the tool.
    pub fn run(&self, args: &[&str]) -> Run {
        self.run_with(args, &[])
    }

    /// Starts the tool, which runs beside the test.
    pub fn start(&self, args: &[&str]) -> Running {
        tool::start(self.folder(), &self.variables(&[]), args)
    }

    /// Runs the tool and waits for it for ten minutes.
    pub fn run_patiently(&self, args: &[&str]) -> Run {
        tool::run_within(600, self.folder(), &self.variables(&[]), args)
    }

    /// Runs the tool with more variables.
    pub fn run_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Run {
        tool::run(self.folder(), &self.variables(variables), args)
    }

    /// The tool's environment: the sides, where they are not among these.
    pub fn variables(&self, variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        for (name, side) in [("PRIMARY_URL", &self.primary), ("REPLICA_URL", &self.replica)] {
            all.entry(name.to_owned()).or_insert_with(|| side.url.clone());
        }
        all
    }

    /// Runs the tool, which must end with this code.
    #[track_caller]
    pub fn exits(&self, args: &[&str], code: i32) -> Run {
        let run = self.run(args);
        assert_eq!(run.exit, Some(code), "{}", run.told());
        run
    }

    /// The document of a run that must end with this code.
    #[track_caller]
    pub fn document(&self, args: &[&str], code: i32) -> Json {
        let args: Vec<&str> = args.iter().copied().chain(["--format", "json"]).collect();
        let run = self.exits(&args, code);
        serde_json::from_str(&run.stdout).unwrap_or_else(|why| panic!("{why}\n{}", run.told()))
    }
}
