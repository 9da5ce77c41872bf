//! One look at two databases, for `init`: what they are, their catalogs, and which tables may be read. No row is.

use crate::engine::{self, EngineError, Need, Right};
use crate::failure::{ErrorKind, Failure};
use crate::schema::{Catalog, Table};
use crate::server::Server;
use crate::sides::Sides;
use crate::spec::Side;
use crate::sql::{Dialect, TableName};

/// What one look at a database shows.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What was learned when connecting.
    pub server: Server,
    /// Its SQL.
    pub dialect: &'static dyn Dialect,
    /// The tables of all its schemas.
    pub catalog: Catalog,
    /// The tables that this login may not read, and what would let it.
    pub unreadable: Vec<(TableName, String)>,
}

/// Connects to two databases and reads their catalogs, as `init` needs them. Nothing is written.
///
/// # Errors
/// One of them is out of reach, its catalog cannot be read, or both are the same database.
pub async fn look_at(sides: &Sides<Side>) -> Result<Sides<Seen>, Failure> {
    let primary = look_at_one(&sides.primary, false, "the primary");
    let replica = look_at_one(&sides.replica, true, "the replica");
    let (primary, replica) = tokio::join!(primary, replica);
    let (primary, replica) = (primary?, replica?);
    if !primary.server.identity.is_empty() && primary.server.identity == replica.server.identity {
        return Err(Failure::new(ErrorKind::Connect, "the replica is the same database as the primary")
            .hint("each side of a comparison needs a database of its own"));
    }
    Ok(Sides::new(primary, replica))
}

async fn look_at_one(side: &Side, writable: bool, what: &str) -> Result<Seen, Failure> {
    let failed = |doing: &str, error: EngineError| {
        let mut failure = Failure::from(error);
        failure.message = format!("could not {doing} {what}: {}", failure.message);
        failure
    };
    let engine = engine::connect(side, writable).await.map_err(|error| failed("connect to", error))?;
    let schemas = engine.schemas().await.map_err(|error| failed("look at", error))?;
    let catalog = engine.catalog(&schemas).await.map_err(|error| failed("look at", error))?;
    let needs: Vec<Need> = catalog.tables.iter().map(whole_table).collect();
    let lacks = engine.lacking(&needs).await.map_err(|error| failed("look at", error))?;
    let unreadable = lacks.into_iter().map(|lack| (lack.table, lack.hint)).collect();
    Ok(Seen { server: engine.server().clone(), dialect: engine.dialect(), catalog, unreadable })
}

fn whole_table(table: &Table) -> Need {
    let columns = table.columns.iter().map(|column| column.name.clone()).collect();
    Need { right: Right::Select, table: table.name.clone(), columns }
}
