//! Saved plans as files: written whole or not at all, for nobody else to read.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::plan::{Plan, file};
use crate::spool::Stored;

use super::atomic;
use super::failure::CliError;
use super::ledger::PlanLedger;

/// Writes a plan, which must be the whole one.
pub fn save(plan: &Plan, path: &Path) -> Result<(), CliError> {
    let mut tables = plan.replicas.iter().flat_map(|replica| &replica.tables);
    if let Some(table) = tables.find(|table| table.truncated) {
        return Err(CliError::Usage {
            message: format!(
                "could not save the plan: of table {} looking stopped at --max-diffs, so it is not the whole plan",
                table.table
            ),
            hint: Some("plan again without --max-diffs".to_owned()),
        });
    }
    atomic::write_private(path, |out| file::write(plan, out))
        .map_err(|error| CliError::file("save the plan to", path, error))
}

/// Reads a plan.
pub fn load(path: &Path) -> Result<Plan, CliError> {
    load_with_ledger(path).map(|(plan, _)| plan)
}

/// Reads a plan, and says where its progress is kept.
pub fn load_with_ledger(path: &Path) -> Result<(Plan, PlanLedger), CliError> {
    let opened = File::open(path).and_then(Stored::new);
    let stored = opened.map_err(|error| CliError::file("read", path, error))?;
    let plan = file::read(&stored).map_err(|error| CliError::PlanFile { path: path.to_owned(), error })?;
    let digest = file::digest(&stored).map_err(|error| CliError::file("read", path, error))?;
    let ledger = PlanLedger::new(path, &digest, &plan);
    Ok((plan, ledger))
}

/// Whether a file is a saved plan, by its first bytes. What cannot be read is left to whoever reads it as a spec.
pub fn is_plan(path: &Path) -> bool {
    let mut first = Vec::new();
    let read = File::open(path).and_then(|file| file.take(file::MAGIC.len() as u64).read_to_end(&mut first));
    read.is_ok() && file::is_plan(&first)
}
