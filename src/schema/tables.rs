//! The tables of a catalog, found by their names however many there are.
//!
//! Owns the index, which is made when something is first looked for. Refuses nothing. Invariant: the index says what the
//! tables say, for whoever may change one of them drops it.

use std::collections::HashMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

use crate::sql::TableName;

use super::{Dependent, Folding, Table};

/// Tables, in the catalog's order. Equal where they are the same tables in the same order.
#[derive(Clone, Default)]
pub struct Tables {
    all: Vec<Table>,
    index: OnceLock<Index>,
}

/// Where things are among the tables.
#[derive(Clone, Default)]
struct Index {
    /// Tables by their schemas and their names in small letters: names that are one under any [`Folding`] are together.
    by_name: HashMap<TableName, Vec<usize>>,
    /// Foreign keys by what they point at: the place of the table, and that of the key in it.
    pointing: HashMap<TableName, Vec<(usize, usize)>>,
    /// What has a name, by that in small letters, whatever its schema.
    named: HashMap<String, Named>,
}

/// What has a name.
#[derive(Clone, Default)]
struct Named {
    /// A table.
    is_table: bool,
    /// Keys, indexes and constraints, as they are written.
    attachments: Vec<String>,
}

impl Tables {
    /// The table of just this name.
    pub fn of(&self, name: &TableName) -> Option<&Table> {
        self.alike(name).find(|table| table.name == *name)
    }

    /// The table that a statement would mean by this name: the one of just that name before others.
    pub fn meant(&self, name: &TableName, folding: Folding) -> Option<&Table> {
        let folded = |table: &&Table| folding.is_one(&table.name.name, &name.name);
        self.of(name).or_else(|| self.alike(name).find(folded))
    }

    /// The foreign keys that point at a table of this name.
    pub fn pointing_at(&self, name: &TableName) -> Vec<Dependent> {
        let found = self.index().pointing.get(name).into_iter().flatten();
        let dependent = |(table, key): &(usize, usize)| {
            let table = &self.all[*table];
            Dependent { table: table.name.clone(), key: table.foreign_keys[*key].clone() }
        };
        found.map(dependent).collect()
    }

    /// Whether a table or something that one has is called so, in any letters. Of what tables have, these `going` have
    /// given their names up.
    pub fn have_name(&self, name: &str, going: &[&str]) -> bool {
        self.index().named.get(&name.to_lowercase()).is_some_and(|named| {
            named.is_table || named.attachments.iter().any(|name| !going.contains(&name.as_str()))
        })
    }

    /// The tables whose names differ from this one in letters' case at most.
    fn alike(&self, name: &TableName) -> impl Iterator<Item = &Table> {
        self.index().by_name.get(&folded(name)).into_iter().flatten().map(|place| &self.all[*place])
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::of(&self.all))
    }
}

impl Index {
    fn of(tables: &[Table]) -> Self {
        let mut index = Index::default();
        for (place, table) in tables.iter().enumerate() {
            index.by_name.entry(folded(&table.name)).or_default().push(place);
            for (key, foreign) in table.foreign_keys.iter().enumerate() {
                index.pointing.entry(foreign.table.clone()).or_default().push((place, key));
            }
            index.named.entry(table.name.name.to_lowercase()).or_default().is_table = true;
            for attachment in &table.attachments {
                let named = index.named.entry(attachment.name.to_lowercase()).or_default();
                named.attachments.push(attachment.name.clone());
            }
        }
        index
    }
}

fn folded(name: &TableName) -> TableName {
    TableName { schema: name.schema.clone(), name: name.name.to_lowercase() }
}

impl Deref for Tables {
    type Target = [Table];

    fn deref(&self) -> &[Table] {
        &self.all
    }
}

impl DerefMut for Tables {
    fn deref_mut(&mut self) -> &mut [Table] {
        self.index.take();
        &mut self.all
    }
}

impl From<Vec<Table>> for Tables {
    fn from(all: Vec<Table>) -> Self {
        Tables { all, index: OnceLock::new() }
    }
}

impl FromIterator<Table> for Tables {
    fn from_iter<I: IntoIterator<Item = Table>>(tables: I) -> Self {
        tables.into_iter().collect::<Vec<_>>().into()
    }
}

impl IntoIterator for Tables {
    type Item = Table;
    type IntoIter = std::vec::IntoIter<Table>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

impl<'a> IntoIterator for &'a Tables {
    type Item = &'a Table;
    type IntoIter = std::slice::Iter<'a, Table>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.iter()
    }
}

impl PartialEq for Tables {
    fn eq(&self, other: &Self) -> bool {
        self.all == other.all
    }
}

impl Eq for Tables {}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all.fmt(f)
    }
}
