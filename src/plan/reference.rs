//! Foreign keys of the replica that carry a delete on to rows of other tables in the plan.
//!
//! Owns which values such rows point with; whether any are left there is asked by those who write. Invariant: NULL
//! alone is pointed at by nothing; whatever cannot be told (a column out of scope, a value that the pointing column's
//! domain does not hold) is an error of those who ask, never "nothing points there".

use std::collections::HashSet;

use crate::schema::TablePair;
use crate::spool::SpoolError;
use crate::sql::{Column, Dialect, ForeignKey, Select, SelectColumn, Selection};
use crate::value::{Domain, Key, Row, Value, decode, encode, fields};

use super::{RowAction, RowChange, TablePlan};

/// The columns of a foreign key on both ends.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The replica's columns that point.
    pub pointing: Vec<SelectColumn>,
    /// Indexes into the parent's columns, with their domains.
    pointed_at: Vec<(usize, Domain)>,
    /// The parent's columns that are pointed at.
    pointed: Vec<Column>,
}

/// Values, and their encoding.
type Encoded = (Vec<Value>, Vec<u8>);

/// Which values of a foreign key's two ends the replica takes for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointing {
    /// Equal ones.
    Equal,
    /// Those that the collation of the pointing columns does.
    Collated,
    /// The ends have collations of their own, so that it cannot be told.
    Untold,
}

/// The foreign keys by which deleting rows of `parent`, or updating what is pointed at, would change rows of these
/// tables, each with the index of the table that points; `None` where its columns are not all known to the pairs, so
/// that nobody can tell which rows point.
pub fn carrying<'a>(
    tables: &'a [TablePlan],
    parent: &'a TablePair,
    action: RowAction,
) -> impl Iterator<Item = (usize, Option<Reference>)> + 'a {
    let pairs = tables.iter().enumerate().filter_map(|(index, table)| Some((index, table.pair.as_ref()?)));
    // What is to be created points at nothing yet.
    let pairs = pairs.filter(|(_, child)| !child.replica_missing);
    let carries_on = move |key: &&ForeignKey| {
        let carried = match action {
            RowAction::Delete => key.on_delete,
            RowAction::Update => key.on_update,
            RowAction::Insert => return false,
        };
        carried.carries() && key.table == parent.names.replica
    };
    pairs.flat_map(move |(index, child)| {
        let keys = child.foreign_keys.iter().filter(carries_on);
        keys.map(move |key| (index, Reference::new(child, parent, key)))
    })
}

/// The keys of the rows of a table that the plan deletes or points elsewhere.
///
/// # Errors
/// Where the changes cannot be read.
pub fn leaving(child: &TablePlan, reference: &Reference) -> Result<HashSet<Key>, SpoolError> {
    let mut leaving = HashSet::new();
    let Some(pair) = child.pair.as_ref().filter(|pair| !pair.is_keyless()) else { return Ok(leaving) };
    let order = pair.key_order();
    let name = |index: &u16| pair.columns[usize::from(*index)].sides.replica.name.as_str();
    for planned in child.changes.iter() {
        let planned = planned?;
        let leaves = match &planned.change {
            _ if planned.withheld => false,
            RowChange::Insert { .. } => false,
            RowChange::Update { columns, .. } => columns
                .iter()
                .any(|index| reference.pointing.iter().any(|part| part.column.name == name(index))),
            RowChange::Delete { .. } => true,
        };
        if leaves {
            leaving.insert(order.key_of(planned.change.row().bytes()));
        }
    }
    Ok(leaving)
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
        let pointed_at: Vec<(usize, Domain)> =
            key.referenced.iter().map(pointed_at).collect::<Option<_>>()?;
        Some(Reference {
            pointed: pointed_at
                .iter()
                .map(|(index, _)| parent.columns[*index].sides.replica.clone())
                .collect(),
            pointing: key.columns.iter().map(pointing).collect::<Option<_>>()?,
            pointed_at,
        })
    }

    /// The read of the rows of the pointing table that point with some values, each with its key behind.
    pub fn pointing_rows(&self, child: &TablePair, selection: Selection) -> Select {
        let key = (0..child.key_columns).map(|index| child.replica_part(index));
        Select {
            table: child.names.replica.clone(),
            columns: self.pointing.iter().cloned().chain(key).collect(),
            key_columns: self.pointing.len(),
            scope: None,
            selection,
            ordered: false,
            locked: false,
        }
    }

    /// The key of a row of [`pointing_rows`](Self::pointing_rows).
    pub fn row_key(&self, row: &[u8]) -> Key {
        let mut rest = fields(row);
        for _ in &self.pointing {
            rest.next();
        }
        Key::new(&row[row.len() - rest.remaining()..])
    }

    /// Whether a change takes away what rows point at.
    pub fn is_moved_by(&self, change: &RowChange, action: RowAction) -> bool {
        match change {
            RowChange::Insert { .. } => false,
            RowChange::Delete { .. } => action == RowAction::Delete,
            RowChange::Update { columns, .. } => {
                action == RowAction::Update
                    && self
                        .pointed_at
                        .iter()
                        .any(|(index, _)| columns.iter().any(|set| usize::from(*set) == *index))
            }
        }
    }

    /// Which values point, on an engine of this dialect.
    pub fn compares(&self, dialect: &dyn Dialect) -> Pointing {
        let ends = || self.pointing.iter().map(|part| &part.column).zip(&self.pointed);
        let equates = |(one, other): (&Column, &Column)| dialect.equates(one) || dialect.equates(other);
        match (ends().any(equates), ends().all(|(one, other)| one.collation == other.collation)) {
            (false, _) => Pointing::Equal,
            (true, true) => Pointing::Collated,
            (true, false) => Pointing::Untold,
        }
    }

    /// The values that a row is pointed at by; `None` where one is NULL: nothing points there.
    ///
    /// # Errors
    /// A value that the pointing column's domain does not hold: who points at it cannot be told.
    pub fn values(&self, row: &Row) -> Result<Option<Vec<Value>>, String> {
        Ok(self.encoded(row)?.map(|(values, _)| values))
    }

    /// [`values`](Self::values), encoded in the domains of the columns that point.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn key(&self, row: &Row) -> Result<Option<Key>, String> {
        Ok(self.encoded(row)?.map(|(_, bytes)| Key::new(bytes)))
    }

    fn encoded(&self, row: &Row) -> Result<Option<Encoded>, String> {
        let fields: Vec<Option<&[u8]>> = row.fields().collect();
        let (mut values, mut bytes) = (Vec::new(), Vec::new());
        for ((index, domain), pointing) in self.pointed_at.iter().zip(&self.pointing) {
            let Some(field) = fields.get(*index).copied().flatten() else { return Ok(None) };
            let value = decode(domain, Some(field));
            encode(&mut bytes, &pointing.domain, &value)?;
            values.push(value);
        }
        Ok(Some((values, bytes)))
    }
}
