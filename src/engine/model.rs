//! Loading a declared model: its statements are run where nothing else is, and the catalog that they leave is read.
//!
//! Refuses to run them in a database that anybody uses. Invariant: what was made for it is gone when the answer is there,
//! whatever the answer; what a crash leaves is found by its name and its mark, and goes with the next load.

use crate::schema::Catalog;
use crate::spec::Side;
use crate::sql::{EngineName, ModelStatement};

use super::{EngineError, mysql, postgres, sqlite};
use crate::failure::ErrorKind;

/// Where a model is loaded, on an engine that has servers.
#[derive(Clone, Debug)]
pub enum ModelPlace {
    /// In a database that is made on this side's server, and dropped.
    Beside(Side),
    /// In this side's database, which must be empty, and is again.
    In(Side),
}

/// What is loaded, and what is asked of it.
pub struct ModelLoad {
    /// The statements, in order.
    pub statements: Vec<ModelStatement>,
    /// The schemas that the catalog is to have, as [`Engine::catalog`](super::Engine::catalog) takes them.
    pub schemas: Vec<Option<String>>,
    /// The primary's default schema, in which names without one are.
    pub default_schema: Option<String>,
    /// Where the primary's session looks for names, as far as the spec says.
    pub search_path: Vec<String>,
    /// Whether somebody still waits for the answer.
    pub goes_on: Box<dyn Fn() -> bool + Send + Sync>,
}

/// Why a model was not loaded.
#[derive(Clone, Debug)]
pub struct Unloaded {
    /// Which of the statements is to blame, if one is.
    pub statement: Option<usize>,
    /// Why.
    pub error: EngineError,
}

impl From<EngineError> for Unloaded {
    fn from(error: EngineError) -> Self {
        Unloaded { statement: None, error }
    }
}

impl Unloaded {
    /// One that is to blame.
    pub(super) fn by(statement: usize, error: EngineError) -> Self {
        Unloaded { statement: Some(statement), error }
    }
}

/// The catalog that the statements leave, by this engine's own introspection. `place`: not needed where the engine has no
/// server.
///
/// # Errors
/// The first statement that fails; where there is no place, or it is not empty.
pub async fn load_model(
    engine: EngineName,
    place: Option<ModelPlace>,
    load: ModelLoad,
) -> Result<Catalog, Unloaded> {
    match (engine, place) {
        (EngineName::Sqlite, _) => sqlite::load_model(load).await,
        (EngineName::Postgres, Some(place)) => postgres::load_model(place, &load).await,
        (EngineName::Mysql | EngineName::Mariadb, Some(place)) => mysql::load_model(place, &load).await,
        (EngineName::Postgres | EngineName::Mysql | EngineName::Mariadb, None) => {
            Err(EngineError::new(ErrorKind::Internal, "there is no place to load it").into())
        }
    }
}
