//! Which tables of a replica have their counterpart already, and which can be none.
//!
//! Two tables of the primary cannot both decide what one table of the replica holds: each run would undo the
//! other's writes. And a table of the primary's own database is never written, by whatever name it is reached.

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
    /// The table and what its pair is called in output.
    taken: Vec<(TableName, String)>,
}

impl Counterparts {
    /// None yet. The instances are those of the two servers ([`Server`](crate::server::Server)).
    pub fn new(instances: Sides<Option<&str>>, catalogs: Sides<&Catalog>) -> Self {
        let same_server = instances.primary.is_some() && instances.primary == instances.replica;
        Counterparts {
            same_server,
            primary_default: catalogs.primary.default_schema.clone(),
            folding: catalogs.replica.folding,
            taken: Vec::new(),
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
        if let Some((table, other)) = self.taken.iter().find(|(table, _)| self.is_one(table, replica)) {
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
        self.taken.push((replica.clone(), pair.table.clone()));
        Ok(pairing)
    }

    fn is_one(&self, one: &TableName, other: &TableName) -> bool {
        one.schema == other.schema && self.folding.is_one(&one.name, &other.name)
    }
}

fn refused(spec: &Spec, pair: &TablePair, kind: ErrorKind, what: String) -> Failure {
    Failure::new(kind, spec.error_at(pair.place, what).headline())
}
