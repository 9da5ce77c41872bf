//! The type of a column that the replica has, held against that of another engine's.
//!
//! Owns which columns become others: those with less room than the primary's declares, or than the type that the spec's
//! `cast` says. Invariant: nothing is narrowed, and nothing becomes a type that another of its kind, a key over it or a foreign key at
//! either end of it cannot go with; such a column stays, and a value that it does not hold is an error.

use std::collections::BTreeSet;

use crate::spec::SchemaMode;
use crate::sql::{Attachment, AttachmentKind, Column, NamedType, Portable, TableName};
use crate::value::{ColumnType, Type};

use super::super::across::{both, holds};
use super::super::{Table, widening};
use super::Pairer;

/// An end of a foreign key of the replica: table and column.
type End = (TableName, String);

impl Pairer<'_> {
    /// The type that a column which is there becomes; `None`: it stays as it is.
    pub(super) fn becomes(&self, column: &Column, found: &Column, replica: &Table) -> Option<ColumnType> {
        let wanted = self.wanted_type(column, found, replica)?;
        let end = (replica.name.clone(), found.name.clone());
        let is_tied = |one: &Table| {
            one.foreign_keys.iter().any(|key| {
                (one.name == end.0 && key.columns.contains(&end.1))
                    || (key.table == end.0 && key.referenced.contains(&end.1))
            })
        };
        let tied = self.databases.replica.tables.iter().any(is_tied);
        (!tied || self.goes_together(end)).then_some(wanted)
    }

    /// [`becomes`](Self::becomes) without regard to what is tied to it.
    fn wanted_type(&self, column: &Column, found: &Column, replica: &Table) -> Option<ColumnType> {
        let dialects = self.databases.dialects;
        if self.entry.schema == SchemaMode::Ignore || dialects.primary.same_family(dialects.replica) {
            return None;
        }
        let cast = self.cast(column).ok().flatten();
        let key = self.key();
        let over = self.staying_over(column, found, replica);
        let is_key =
            key.contains(&column.name) || self.in_primary_key(&column.name, &key) || !over.is_empty();
        let type_here = || self.type_here(column, is_key).or_else(|| self.type_here(column, false));
        let preferred = cast.clone().or_else(type_here)?;
        let goals = match &cast {
            Some(cast) => vec![cast.meaning.clone()],
            None => vec![column.column_type.meaning.clone(), dialects.primary.promised(&column.column_type)],
        };
        let suits = |one: &ColumnType| goals.iter().any(|goal| holds(dialects.replica, one, goal).is_some());
        // Where nothing here holds all of it (a text of any length in a key), what is there is as good. And a type without
        // a bound does not say how long its values are: what the replica's is bounded to is somebody's choice.
        let is_unbounded = cast.is_none() && dialects.primary.is_unbounded(&column.column_type);
        if is_unbounded || !suits(&preferred) {
            return None;
        }
        let was = &found.column_type;
        if suits(was) || !self.is_the_engines_own(was) {
            return None;
        }
        let widens = |one: &ColumnType| widening::holds(&one.meaning, &was.meaning);
        let wanted = match widens(&preferred) {
            true => preferred.clone(),
            false => {
                let room =
                    both(&was.meaning, &preferred.meaning).or_else(|| both(&was.meaning, &goals[0]))?;
                dialects.replica.type_for(&room, is_key)?
            }
        };
        let numbers = found.identity.is_none() || matches!(wanted.meaning, Type::Integer { .. });
        let fits_table = dialects.replica.takes_type(replica.options.as_deref(), &wanted);
        let wider = Column { column_type: wanted.clone(), ..found.clone() };
        let fits_keys = over.iter().all(|one| {
            let columns = |instead: &dyn Fn(&Column) -> Column| -> Vec<Column> {
                (one.columns.iter()).filter_map(|name| replica.column(name)).map(instead).collect()
            };
            let refused =
                |columns: Vec<Column>| dialects.replica.no_key(&columns.iter().collect::<Vec<_>>()).is_some();
            let then =
                |column: &Column| if column.name == found.name { wider.clone() } else { column.clone() };
            refused(columns(&Column::clone)) || !refused(columns(&then))
        });
        // One that is filled up with blanks stays so.
        let is_filled_up = matches!(was.meaning, Type::Text { fixed: true, .. });
        let has_room = suits(&wanted) || is_filled_up;
        (wanted != *was && widens(&wanted) && has_room && numbers && fits_table && fits_keys)
            .then_some(wanted)
    }

    /// What stands over a column of the replica and does not go: what the primary has none of goes, where that can be told.
    fn staying_over<'t>(&self, column: &Column, found: &Column, replica: &'t Table) -> Vec<&'t Attachment> {
        let dialects = self.databases.dialects;
        let is_key = |one: &&Attachment| !matches!(one.kind, AttachmentKind::Comment | AttachmentKind::Check);
        let has_one = self
            .primary
            .attachments
            .iter()
            .filter(is_key)
            .any(|one| one.columns.contains(&column.name) && dialects.primary.portable(one).is_ok());
        let over = replica.attachments.iter().filter(is_key);
        let over = over.filter(|one| one.columns.contains(&found.name));
        over.filter(|one| has_one || dialects.replica.portable(one).is_err()).collect()
    }

    /// Whether the type is one that the engine has itself, in its plain form: of one of somebody's own, or with words that say
    /// more, there is no telling what a wider one would be.
    fn is_the_engines_own(&self, column_type: &ColumnType) -> bool {
        let dialect = self.databases.dialects.replica;
        let named = NamedType::read(&column_type.declared).and_then(|named| dialect.named_type(&named));
        let made = named.or_else(|| dialect.type_for(&column_type.meaning, false));
        made.is_some_and(|made| {
            made.meaning == column_type.meaning && made.declared.eq_ignore_ascii_case(&column_type.declared)
        })
    }

    /// Whether all that foreign keys of the replica tie to this column can still be tied once each has become what it
    /// becomes.
    fn goes_together(&self, end: End) -> bool {
        let mut seen = BTreeSet::from([end.clone()]);
        let mut open = vec![end];
        while let Some(end) = open.pop() {
            for (pointing, pointed_at) in self.ties(&end) {
                let (Some(one), Some(other)) = (self.column_at(&pointing), self.column_at(&pointed_at))
                else {
                    return false;
                };
                let dialect = self.databases.dialects.replica;
                let key = Portable::over(AttachmentKind::ForeignKey, Vec::new());
                let is_tied = |one: &Column, other: &Column| dialect.no_tie(one, other, &key).is_none();
                if is_tied(&one.0, &other.0) && !is_tied(&one.1, &other.1) {
                    return false;
                }
                let new = [pointing, pointed_at].into_iter().filter(|end| seen.insert(end.clone()));
                open.extend(new.collect::<Vec<_>>());
            }
        }
        true
    }

    /// The foreign keys of the replica with this column at one of their ends.
    fn ties(&self, end: &End) -> Vec<(End, End)> {
        let mut ties = Vec::new();
        for table in &self.databases.replica.tables {
            for key in &table.foreign_keys {
                let of_key = key.columns.iter().zip(&key.referenced);
                let of_key = of_key.map(|(column, referenced)| {
                    ((table.name.clone(), column.clone()), (key.table.clone(), referenced.clone()))
                });
                ties.extend(of_key.filter(|(one, other)| one == end || other == end));
            }
        }
        ties
    }

    /// A column of the replica as it is and as it is to be.
    fn column_at(&self, (table, name): &End) -> Option<(Column, Column)> {
        let table = self.databases.replica.table(table)?;
        let found = table.column(name)?;
        let wanted = self.databases.selected.iter().find_map(|selected| {
            let primary = &selected.table.as_ref().ok()?.name;
            let pairer = self.of_primary(primary)?;
            let (here, _) = pairer.replica_name();
            (self.databases.replica.meant(&here)?.name == table.name).then_some(())?;
            let key = pairer.key();
            let mut columns = pairer.primary.columns.iter();
            let is_it = |column: &&Column| {
                pairer.column_on_replica(&column.name, &key, Some(table)).as_deref() == Some(name)
            };
            let column = columns.find(is_it)?;
            let syncs = pairer.entry.schema == SchemaMode::Sync && found.generated.is_none();
            syncs.then(|| pairer.wanted_type(column, found, table)).flatten()
        });
        let column_type = wanted.unwrap_or_else(|| found.column_type.clone());
        Some((found.clone(), Column { column_type, ..found.clone() }))
    }
}
