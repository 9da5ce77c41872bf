//! Which tables of a replica have their counterpart already, and which can be none.
//!
//! Two tables of the primary cannot both decide what one table of the replica holds: each run would undo the
//! other's writes. And a table of the primary's own database is never written, by whatever name it is reached.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::failure::{ErrorKind, Failure};
use crate::sides::Sides;
use crate::spec::Spec;
use crate::sql::TableName;

use super::{Catalog, Folding, Pairing, TablePair};

/// The tables of one replica that have a counterpart.
#[derive(Debug)]
pub struct Counterparts {
    /// Whether both sides are databases of one server, so that a schema of one name is the same schema.
    same_server: bool,
    /// The primary's default database.
    primary_default: Option<String>,
    /// Which of the replica's names of tables are one.
    folding: Folding,
    /// By what all names have in common that are one: the table, and what its pair is called in output.
    taken: HashMap<TableName, (TableName, String)>,
}

impl Counterparts {
    /// None yet. The instances are those of the two servers ([`Server`](crate::server::Server)).
    pub fn new(instances: Sides<Option<&str>>, catalogs: Sides<&Catalog>) -> Self {
        let same_server = instances.primary.is_some() && instances.primary == instances.replica;
        Counterparts {
            same_server,
            primary_default: catalogs.primary.default_schema.clone(),
            folding: catalogs.replica.folding,
            taken: HashMap::new(),
        }
    }

    /// Takes the pair's table on the replica.
    ///
    /// # Errors
    /// An earlier pair has it, or it is a table of the primary's own database.
    pub fn take(&mut self, spec: &Spec, pairing: Pairing) -> Result<Pairing, Failure> {
        let pair = &pairing.pair;
        let Sides { primary, replica } = &pair.names;
        if self.same_server && [&primary.schema, &self.primary_default].contains(&&replica.schema) {
            let what = format!("the replica's table {replica} is in the primary's own database");
            return Err(refused(spec, pair, ErrorKind::Connect, what)
                .hint("`to` may name a database beside the replica's, never the primary's"));
        }
        let name = self.folding.folded(&replica.name).into_owned();
        let folded = TableName { schema: replica.schema.clone(), name };
        let place = match self.taken.entry(folded) {
            Entry::Vacant(place) => place,
            Entry::Occupied(taken) => {
                let (table, other) = taken.get();
                let what = match table == replica {
                    true => format!("{other} goes to the replica's table {replica} already"),
                    false => format!(
                        "{other} goes to the replica's table {table} already, and the replica does not tell {replica} \
                         from it, which differs in case alone"
                    ),
                };
                return Err(refused(spec, pair, ErrorKind::Key, what)
                    .hint("give each table of the primary a table of its own on the replica with `to`"));
            }
        };
        place.insert((replica.clone(), pair.table.clone()));
        Ok(pairing)
    }
}

fn refused(spec: &Spec, pair: &TablePair, kind: ErrorKind, what: String) -> Failure {
    Failure::new(kind, spec.error_at(pair.place, what).headline())
}
