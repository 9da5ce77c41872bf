//! A declared model, loaded in memory.

use rusqlite::Connection;

use super::{error, functions, introspect};
use crate::engine::EngineError;
use crate::engine::model::{ModelLoad, Unloaded};
use crate::failure::ErrorKind;
use crate::schema::Catalog;

/// See [`load_model`](crate::engine::load_model).
pub(super) fn load(load: &ModelLoad) -> Result<Catalog, Unloaded> {
    let failed = |error| error::of_statement("loading the schema file", error);
    let scratch = Connection::open_in_memory().map_err(failed)?;
    functions::register(&scratch).map_err(failed)?;
    // Statements come in the order of a dump, where what is pointed at may come later.
    scratch.execute_batch("PRAGMA foreign_keys = OFF").map_err(failed)?;
    for (index, statement) in load.statements.iter().enumerate() {
        if !(load.goes_on)() {
            return Err(EngineError::new(ErrorKind::Interrupted, "stopped before all was loaded").into());
        }
        scratch.execute_batch(&statement.sql).map_err(|error| {
            let words = EngineError::new(ErrorKind::Type, "SQLite refuses this statement").said(error);
            Unloaded::by(index, words)
        })?;
    }
    introspect::catalog(&scratch, &load.schemas).map_err(|error| failed(error).into())
}
