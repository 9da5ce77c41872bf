//! Foreign keys of the replica between tables of the plan, and which rows point by them.
//!
//! Owns which values such rows point with; whether any are left there is asked by those who write. Invariant: NULL
//! alone is pointed at by nothing; whatever cannot be told (a column that is not known, a value that the pointing
//! column's domain does not hold) is an error of those who ask, never "nothing points there".

use std::collections::{HashMap, HashSet};

use crate::compare::{ChangeNumber, RowChange};
use crate::failure::{ErrorKind, Failure};
use crate::schema::TablePair;
use crate::spool::SpoolError;
use crate::sql::{Column, Dialect, ForeignKey, Select, SelectColumn, Selection, UniqueIndex};
use crate::value::{Key, Value, decode, encode, fields, put_field, put_null};

use super::links::comparable;
use super::{RowAction, TablePlan};

/// The columns of a foreign key on both ends.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The replica's columns that point.
    pub pointing: Vec<SelectColumn>,
    /// Their indexes among [`PlannedChange::fields`].
    places: Vec<usize>,
    /// The parent's columns that are pointed at, with their indexes among [`PlannedChange::fields`].
    pointed_at: Vec<(usize, SelectColumn)>,
}

/// Values, and their encoding.
type Encoded = (Vec<Value>, Vec<u8>);

/// Why nobody can tell which rows point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfollowed {
    /// Columns are not known to the pairs.
    #[error("the spec leaves columns of it out")]
    Columns,
    /// The pointing column's domain does not hold a value.
    #[error("its two ends have different types")]
    Types,
    /// Which of both the replica compares by is not known.
    #[error("its two ends have different collations")]
    Collations,
}

/// A foreign key of the replica between two tables of a plan.
pub struct Pointing<'a> {
    /// The index of the table that points.
    pub child: usize,
    /// The key.
    pub key: &'a ForeignKey,
    /// Its columns.
    pub reference: Result<Reference, Unfollowed>,
}

/// The foreign keys by which rows of these tables point at rows of `parent`.
pub fn pointing<'a>(
    tables: &'a [TablePlan],
    parent: &'a TablePair,
) -> impl Iterator<Item = Pointing<'a>> + 'a {
    let pairs = tables.iter().enumerate().filter_map(|(index, table)| Some((index, table.pair.as_ref()?)));
    // What is to be created points at nothing yet.
    let pairs = pairs.filter(|(_, child)| !child.replica_missing);
    pairs.flat_map(move |(index, child)| {
        let keys = child.foreign_keys.iter().filter(|key| key.table == parent.names.replica);
        keys.map(move |key| Pointing { child: index, key, reference: Reference::new(child, parent, key) })
    })
}

impl Pointing<'_> {
    /// Whether deleting rows of the parent, or updating what is pointed at, would change rows that point.
    pub fn carries(&self, action: RowAction) -> bool {
        match action {
            RowAction::Delete => self.key.on_delete.carries(),
            RowAction::Update => self.key.on_update.carries(),
            RowAction::Insert => false,
        }
    }

    /// Whether a change takes away what rows may point at.
    pub fn is_moved_by(&self, parent: &TablePair, change: &RowChange) -> bool {
        match change {
            RowChange::Insert { .. } => false,
            RowChange::Delete { .. } => true,
            RowChange::Update { columns, .. } => columns.iter().any(|set| {
                let name = &parent.columns[usize::from(*set)].sides.replica.name;
                self.key.referenced.iter().any(|referenced| referenced == name)
            }),
        }
    }
}

/// The keys of the rows of a table that some of its changes delete or point elsewhere; unless `exact`, at what the
/// replica, too, takes for another value.
///
/// # Errors
/// Where the changes cannot be read.
pub fn leaving(
    child: &TablePlan,
    reference: &Reference,
    numbers: impl IntoIterator<Item = ChangeNumber>,
    exact: bool,
) -> Result<HashSet<Key>, SpoolError> {
    let mut leaving = HashSet::new();
    let Some(pair) = child.pair.as_ref().filter(|pair| !pair.is_keyless()) else { return Ok(leaving) };
    let order = pair.key_order();
    for picked in child.changes.pick(numbers) {
        let (_, planned) = picked?;
        let leaves = match &planned.change {
            _ if planned.withheld => false,
            RowChange::Insert { .. } => false,
            RowChange::Update { before, after, .. } => reference.moves(
                &before.fields().collect::<Vec<_>>(),
                &after.fields().collect::<Vec<_>>(),
                exact,
            ),
            RowChange::Delete { .. } => true,
        };
        if leaves {
            leaving.insert(order.key_of(planned.change.row().bytes()));
        }
    }
    Ok(leaving)
}

/// How many copies of rows of a table without a key its changes delete, by what they point with.
///
/// # Errors
/// Where the changes cannot be read.
pub fn leaving_copies(child: &TablePlan, reference: &Reference) -> Result<HashMap<Key, u64>, SpoolError> {
    let mut leaving = HashMap::new();
    for planned in child.changes.iter() {
        let planned = planned?;
        if let (RowChange::Delete { .. }, false) = (&planned.change, planned.withheld) {
            let mut bytes = Vec::new();
            for place in &reference.places {
                match planned.fields().get(*place).copied().flatten() {
                    Some(payload) => put_field(&mut bytes, payload),
                    None => put_null(&mut bytes),
                }
            }
            *leaving.entry(Key::new(bytes)).or_default() += 1;
        }
    }
    Ok(leaving)
}

impl Unfollowed {
    /// That whether rows of `child` point at rows of `parent` that go cannot be told.
    pub fn failure(self, parent: &str, child: &str) -> Failure {
        let message = format!(
            "whether rows of table {child} point at rows of table {parent} that are to be deleted or changed cannot be \
             told, for the replica's foreign key cannot be followed ({self})"
        );
        Failure::new(ErrorKind::Key, message).hint(format!(
            "bring the columns of that key into the spec, or withhold the deletes of {parent} (`delete: false`)"
        ))
    }
}

impl Reference {
    fn new(child: &TablePair, parent: &TablePair, key: &ForeignKey) -> Result<Self, Unfollowed> {
        let find = |pair: &TablePair, name: &String| {
            let paired = pair.columns.iter().position(|column| column.sides.replica.name == *name);
            let paired = paired.filter(|index| pair.columns[*index].on_replica);
            let extra = || pair.replica_extra.iter().position(|extra| extra.column.name == *name);
            let index = paired.or_else(|| Some(pair.columns.len() + extra()?)).ok_or(Unfollowed::Columns)?;
            Ok((index, pair.replica_part(index)))
        };
        let pointing = key.columns.iter().map(|name| find(child, name));
        let (places, pointing) = pointing.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        Ok(Reference {
            places,
            pointing,
            pointed_at: key.referenced.iter().map(|name| find(parent, name)).collect::<Result<_, _>>()?,
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

    /// What a row of [`pointing_rows`](Self::pointing_rows) points with, and its key.
    pub fn parts_of(&self, row: &[u8]) -> (Key, Key) {
        let mut rest = fields(row);
        for _ in &self.pointing {
            rest.next();
        }
        let (with, key) = row.split_at(row.len() - rest.remaining());
        (Key::new(with), Key::new(key))
    }

    /// Whether rows point with just the values that are pointed at.
    pub fn is_exact(&self, dialect: &dyn Dialect) -> bool {
        let exact = |(one, other): (&Column, &Column)| {
            dialect.same_ends(one, other) && !dialect.equates(one) && !dialect.equates(other)
        };
        self.ends().all(exact)
    }

    /// Whether a row that becomes another one points elsewhere then.
    fn moves(&self, before: &[Option<&[u8]>], after: &[Option<&[u8]>], exact: bool) -> bool {
        self.places.iter().zip(&self.pointing).any(|(place, part)| {
            let value = |row: &[Option<&[u8]>]| {
                let payload = row.get(*place).copied().flatten();
                payload.map(|payload| comparable(&part.domain, payload, !exact))
            };
            value(before) != value(after)
        })
    }

    fn ends(&self) -> impl Iterator<Item = (&Column, &Column)> {
        let pointed_at = self.pointed_at.iter().map(|(_, part)| &part.column);
        self.pointing.iter().map(|part| &part.column).zip(pointed_at)
    }

    /// Which rows point with these values, as the replica compares both ends.
    ///
    /// # Errors
    /// Where it is not known how it does.
    pub fn selection(&self, keys: Vec<Key>, dialect: &dyn Dialect) -> Result<Selection, Unfollowed> {
        if self.is_exact(dialect) {
            return Ok(Selection::Keys(keys));
        }
        let same_ends = self.ends().all(|(one, other)| dialect.same_ends(one, other));
        if same_ends && self.ends().all(|(one, other)| one.collation == other.collation) {
            return Ok(Selection::Alike(keys));
        }
        let parts = self.ends().map(|(one, other)| dialect.points_as(one, other));
        let untold = if same_ends { Unfollowed::Collations } else { Unfollowed::Types };
        let parts = parts.collect::<Option<Vec<_>>>().ok_or(untold)?;
        if !keys.iter().all(|key| self.is_spelled(key, dialect)) {
            return Err(Unfollowed::Types);
        }
        let index = UniqueIndex {
            name: String::new(),
            parts,
            condition: None,
            nulls_are_one: false,
            columns: self.pointing.iter().map(|part| part.column.name.clone()).collect(),
            untold: None,
        };
        Ok(Selection::AlikeUnder(index, keys))
    }

    /// Whether the replica can be asked for all of these values by those that point: what it cannot be asked for it
    /// would not find.
    fn is_spelled(&self, key: &Key, dialect: &dyn Dialect) -> bool {
        self.pointing.iter().zip(fields(key.bytes())).all(|(part, field)| {
            let value = decode(&part.domain, field);
            !matches!(value, Value::OtherStorage(_))
                && dialect.literal(&value, &part.column.column_type).is_ok()
        })
    }

    /// The values that a row is pointed at by; `None` where one is NULL: nothing points there.
    ///
    /// # Errors
    /// Where the row's value is not known, or the pointing column's domain does not hold it: who points at it cannot be
    /// told.
    pub fn values(&self, row: &[Option<&[u8]>]) -> Result<Option<Vec<Value>>, Unfollowed> {
        Ok(self.encoded(row)?.map(|(values, _)| values))
    }

    /// [`values`](Self::values), encoded in the domains of the columns that point.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn key(&self, row: &[Option<&[u8]>]) -> Result<Option<Key>, Unfollowed> {
        Ok(self.encoded(row)?.map(|(_, bytes)| Key::new(bytes)))
    }

    /// Whether a row points at itself, where the key leads from a table to itself.
    pub fn leads_back(&self, row: &[Option<&[u8]>]) -> bool {
        let from = self.places.iter().zip(&self.pointing).map(|(index, part)| {
            row.get(*index).copied().flatten().map(|field| decode(&part.domain, Some(field)))
        });
        let to = self.values(row).ok().flatten();
        to.is_some_and(|to| from.eq(to.into_iter().map(Some)))
    }

    fn encoded(&self, row: &[Option<&[u8]>]) -> Result<Option<Encoded>, Unfollowed> {
        let (mut values, mut bytes) = (Vec::new(), Vec::new());
        for ((index, part), pointing) in self.pointed_at.iter().zip(&self.pointing) {
            let Some(field) = *row.get(*index).ok_or(Unfollowed::Columns)? else { return Ok(None) };
            let value = decode(&part.domain, Some(field));
            encode(&mut bytes, &pointing.domain, &value).map_err(|_| Unfollowed::Types)?;
            values.push(value);
        }
        Ok(Some((values, bytes)))
    }
}
