//! Foreign keys of the replica that carry a delete on to rows of other tables in the plan.
//!
//! Owns which values such rows point with; whether any are left there is asked by those who write. Invariant: a
//! value that no row can point with (NULL, or outside the pointing column's domain) is none.

use crate::schema::TablePair;
use crate::sql::{ForeignKey, ForeignKeyAction, SelectColumn};
use crate::value::{Domain, Key, Row, Value, decode, encode};

use super::TablePlan;

/// The columns of a foreign key on both ends.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The replica's columns that point.
    pub pointing: Vec<SelectColumn>,
    /// Indexes into the parent's columns, with their domains.
    pointed_at: Vec<(usize, Domain)>,
}

/// The foreign keys by which deleting rows of `parent` would change rows of these tables, each with the index of the
/// table that points. One whose columns are not known to the pairs is left out.
pub fn carrying<'a>(
    tables: &'a [TablePlan],
    parent: &'a TablePair,
) -> impl Iterator<Item = (usize, Reference)> + 'a {
    let pairs = tables.iter().enumerate().filter_map(|(index, table)| Some((index, table.pair.as_ref()?)));
    let carries_on =
        |key: &&ForeignKey| key.on_delete != ForeignKeyAction::Refuse && key.table == parent.names.replica;
    pairs.flat_map(move |(index, child)| {
        let keys = child.foreign_keys.iter().filter(carries_on);
        keys.filter_map(move |key| Some((index, Reference::new(child, parent, key)?)))
    })
}

impl Reference {
    /// `None` where a column is not known to the pair, so that its values are not known either.
    fn new(child: &TablePair, parent: &TablePair, key: &ForeignKey) -> Option<Self> {
        let pointing = |name: &String| {
            let paired = child.columns.iter().position(|column| column.sides.replica.name == *name);
            let paired = paired.filter(|index| child.columns[*index].on_replica);
            paired
                .map(|index| child.replica_part(index))
                .or_else(|| child.replica_extra.iter().find(|extra| extra.column.name == *name).cloned())
        };
        let pointed_at = |name: &String| {
            let index = parent.columns.iter().position(|column| column.sides.replica.name == *name)?;
            Some((index, parent.columns[index].domain.clone()))
        };
        Some(Reference {
            pointing: key.columns.iter().map(pointing).collect::<Option<_>>()?,
            pointed_at: key.referenced.iter().map(pointed_at).collect::<Option<_>>()?,
        })
    }

    /// The values that a row is pointed at by; `None` where one is NULL or no value of the pointing column: nothing
    /// points there.
    pub fn values(&self, row: &Row) -> Option<Vec<Value>> {
        Some(self.encoded(row)?.0)
    }

    /// [`values`](Self::values), encoded in the domains of the columns that point.
    pub fn key(&self, row: &Row) -> Option<Key> {
        Some(Key::new(self.encoded(row)?.1))
    }

    fn encoded(&self, row: &Row) -> Option<(Vec<Value>, Vec<u8>)> {
        let fields: Vec<Option<&[u8]>> = row.fields().collect();
        let (mut values, mut bytes) = (Vec::new(), Vec::new());
        for ((index, domain), pointing) in self.pointed_at.iter().zip(&self.pointing) {
            let value = decode(domain, Some(fields.get(*index).copied().flatten()?));
            encode(&mut bytes, &pointing.domain, &value).ok()?;
            values.push(value);
        }
        Some((values, bytes))
    }
}
