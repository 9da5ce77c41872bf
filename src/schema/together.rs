//! Alterations of one table that an engine makes in one statement, where every statement commits by itself.
//!
//! Owns what must not be gone in between: a key that a foreign key or a column that numbers itself leans on goes in the
//! statement that brings what takes its place, behind the rows. Invariant: of changes that are one statement the first has
//! it, and the others have none; what points at other tables stands by itself.

use crate::sql::{Alteration, Attachment, AttachmentKind, AttachmentPart, Column, Dialect, TableName};

use super::alter::altered;
use super::since::once_made;
use super::{SchemaChange, Table};

/// A table of the replica whose changes are put together.
pub(super) struct Together<'a> {
    pub dialect: &'a dyn Dialect,
    pub name: &'a TableName,
    /// As it is; `None`: it is created.
    pub table: Option<&'a Table>,
    /// The columns at which foreign keys of the replica's tables point, those of each key.
    pub pointed_at: &'a [Vec<String>],
}

impl Together<'_> {
    /// Foreign keys whose columns become others go before that and come back behind it: no server of the kind changes a column
    /// that is tied to another, but where that is done in one transaction. So does all over a column that goes and comes again: it
    /// would go with it.
    pub fn part(&self, changes: &mut Vec<SchemaChange>) {
        let Some(table) = self.table else { return };
        let in_place = self.dialect.transactional_ddl();
        let becomes_another = |name: &String| {
            changes.iter().any(|change| match &change.alteration {
                Some(Alteration::Column { before, after }) => {
                    before.name == *name && !is_typed_alike(before, after)
                }
                _ => false,
            })
        };
        let is_remade = |name: &String| changes.iter().any(|change| remade(change) == Some(name.as_str()));
        let parts = |one: &&Attachment| match one.kind {
            AttachmentKind::ForeignKey if !in_place => one.columns.iter().any(becomes_another),
            AttachmentKind::ForeignKey => one.columns.iter().any(is_remade),
            AttachmentKind::PrimaryKey | AttachmentKind::Unique | AttachmentKind::Index => {
                one.columns.iter().any(is_remade)
            }
            AttachmentKind::Check | AttachmentKind::Comment => in_place && one.columns.iter().any(is_remade),
        };
        let mut steps = Vec::new();
        let mut replaced = Vec::new();
        for key in table.attachments.iter().filter(parts) {
            let of_key = |change: &SchemaChange| match &change.alteration {
                Some(Alteration::Detach(other) | Alteration::Rename { attachment: other, .. }) => {
                    other == key
                }
                _ => false,
            };
            let mut comes = key.clone();
            match changes.iter().position(of_key) {
                None => {}
                Some(at) => match &changes[at].alteration {
                    Some(Alteration::Rename { name, .. }) => {
                        comes.name = name.clone();
                        replaced.push(at);
                    }
                    _ => continue,
                },
            }
            steps.extend([Alteration::Detach(key.clone()), Alteration::Attach(comes)]);
        }
        replaced.sort_unstable();
        for at in replaced.into_iter().rev() {
            changes.remove(at);
        }
        changes.extend(steps.into_iter().filter_map(|step| altered(self.dialect, self.name, step)));
    }

    /// Lets keys that something leans on stay until the rows are written, and those that nothing asks of rows.
    pub fn postpone(&self, changes: &mut [SchemaChange]) {
        if self.dialect.transactional_ddl() {
            return;
        }
        let going: Vec<Attachment> = changes.iter().filter_map(|change| detached(change).cloned()).collect();
        let remade: Vec<String> =
            changes.iter().filter_map(|change| remade(change).map(str::to_owned)).collect();
        // No index can be over what a column becomes before the rows are written.
        let outgrown = |change: &SchemaChange| match &change.alteration {
            Some(Alteration::Column { before, after }) if !change.comes_last() => {
                let is_no_key = |column: &Column| self.dialect.no_key(&[column]).is_some();
                (is_no_key(after) && !is_no_key(before)).then(|| after.name.clone())
            }
            _ => None,
        };
        let outgrown: Vec<String> = changes.iter().filter_map(outgrown).collect();
        for change in changes.iter_mut() {
            let leans = detached(change).is_some_and(|key| {
                let is_over = key.columns.iter().any(|name| remade.contains(name));
                let is_outgrown = key.columns.iter().any(|name| outgrown.contains(name));
                (key.kind == AttachmentKind::Index && !is_outgrown)
                    || (is_key(key) && (is_over || self.is_leaned_on(key, &going)))
            });
            change.behind_rows |= leans;
        }
    }

    /// Whether a key is needed by what stays: a foreign key, or a column that numbers itself.
    fn is_leaned_on(&self, key: &Attachment, going: &[Attachment]) -> bool {
        let Some(table) = self.table else { return false };
        let numbers =
            |column: &Column| column.identity.is_some() && leads(key, std::slice::from_ref(&column.name));
        let stays = |one: &&Attachment| !going.contains(one);
        let own = table.attachments.iter().filter(|one| one.kind == AttachmentKind::ForeignKey).filter(stays);
        table.columns.iter().any(numbers)
            || own.into_iter().any(|foreign| leads(key, &foreign.columns))
            || self.pointed_at.iter().any(|columns| leads(key, columns))
    }

    /// Puts the changes before the rows into one statement, and those behind them. They stand in execution order.
    pub fn join(&self, changes: &mut [SchemaChange]) {
        for behind in [false, true] {
            let among = |change: &SchemaChange| {
                change.comes_last() == behind
                    && !change.sql.is_empty()
                    && change.alteration.as_ref().is_some_and(|one| !points(one))
            };
            let some: Vec<usize> = (0..changes.len()).filter(|at| among(&changes[*at])).collect();
            let Some(first) = some.first() else { continue };
            let mut alterations: Vec<&Alteration> =
                some.iter().filter_map(|at| changes[*at].alteration.as_ref()).collect();
            let again = self.made_again(&alterations);
            alterations.extend(&again);
            let linked = alterations.iter().any(|alteration| self.is_linked(alteration));
            let Some(sql) = self.dialect.alter_together(self.name, &alterations, linked) else { continue };
            let first = *first;
            for at in some {
                changes[at].sql.clear();
            }
            changes[first].sql = sql;
        }
    }

    /// An index that the server has made itself, for a foreign key alone, goes without a word when another comes that
    /// serves as well: one that is to stay is made again, by us.
    fn made_again(&self, alterations: &[&Alteration]) -> Vec<Alteration> {
        let Some(table) = self.table else { return Vec::new() };
        let attaches = |columns: &[String]| {
            alterations.iter().any(|one| matches!(one, Alteration::Attach(key) if leads(key, columns)))
        };
        let touched = |key: &Attachment| {
            alterations.iter().any(|one| match one {
                Alteration::Detach(other) | Alteration::Rename { attachment: other, .. } => other == key,
                Alteration::Attach(_)
                | Alteration::Become { .. }
                | Alteration::Validate(_)
                | Alteration::Column { .. }
                | Alteration::Options { .. }
                | Alteration::Remake { .. }
                | Alteration::Order { .. }
                | Alteration::Rebuild(_)
                | Alteration::Enum(_)
                | Alteration::Partition(..) => false,
            })
        };
        let foreign: Vec<&Attachment> =
            table.attachments.iter().filter(|one| one.kind == AttachmentKind::ForeignKey).collect();
        let made_for = |key: &&Attachment| {
            key.kind == AttachmentKind::Index
                && foreign
                    .iter()
                    .any(|foreign| foreign.columns == key.columns && leads(key, &foreign.columns))
        };
        let vanishing = table.attachments.iter().filter(made_for).filter(|key| !touched(key));
        let again = vanishing.filter(|key| attaches(&key.columns));
        again.flat_map(|key| [Alteration::Detach(key.clone()), Alteration::Attach(key.clone())]).collect()
    }

    /// Whether a column changes that a foreign key ties to another.
    fn is_linked(&self, alteration: &Alteration) -> bool {
        let Alteration::Column { before, after } = alteration else { return false };
        let same = is_typed_alike(before, after);
        let foreign = self.table.iter().flat_map(|table| &table.foreign_keys);
        let points = foreign.into_iter().any(|key| key.columns.contains(&before.name));
        !same && (points || self.pointed_at.iter().any(|columns| columns.contains(&before.name)))
    }
}

fn detached(change: &SchemaChange) -> Option<&Attachment> {
    match &change.alteration {
        Some(Alteration::Detach(attachment)) => Some(attachment),
        _ => None,
    }
}

/// The column that goes and comes again.
fn remade(change: &SchemaChange) -> Option<&str> {
    match &change.alteration {
        Some(Alteration::Remake { after, .. }) => Some(after.name.as_str()),
        _ => None,
    }
}

/// The changes that take back those that were made to a table, put together as these are.
pub fn taken_back(
    dialect: &dyn Dialect,
    name: &TableName,
    then: &Table,
    made: &[SchemaChange],
    pointed_at: &[Vec<String>],
    mut changes: Vec<SchemaChange>,
) -> Vec<SchemaChange> {
    let table = once_made(then, made);
    let together = Together { dialect, name, table: Some(&table), pointed_at };
    if dialect.transactional_ddl() {
        // What is over a column that becomes computed again.
        together.part(&mut changes);
        changes.sort_by_key(|change| (change.comes_last(), change.rank()));
        return changes;
    }
    together.postpone(&mut changes);
    changes.sort_by_key(|change| (change.comes_last(), change.rank()));
    together.join(&mut changes);
    changes
}

fn is_typed_alike(one: &Column, other: &Column) -> bool {
    one.column_type == other.column_type && one.words.collation == other.words.collation
}

fn is_key(attachment: &Attachment) -> bool {
    matches!(attachment.kind, AttachmentKind::PrimaryKey | AttachmentKind::Unique | AttachmentKind::Index)
}

/// Whether a key begins with these columns.
fn leads(key: &Attachment, columns: &[String]) -> bool {
    let is = |(part, name): (&AttachmentPart, &String)| match part {
        AttachmentPart::Column { name: column, .. } => column == name,
        AttachmentPart::Expression(_) => false,
    };
    is_key(key) && key.parts.len() >= columns.len() && key.parts.iter().zip(columns).all(is)
}

fn points(alteration: &Alteration) -> bool {
    match alteration {
        Alteration::Attach(one) | Alteration::Detach(one) | Alteration::Validate(one) => {
            one.kind == AttachmentKind::ForeignKey
        }
        Alteration::Rename { attachment, .. } => attachment.kind == AttachmentKind::ForeignKey,
        Alteration::Become { .. }
        | Alteration::Column { .. }
        | Alteration::Options { .. }
        | Alteration::Remake { .. }
        | Alteration::Order { .. }
        | Alteration::Rebuild(_)
        | Alteration::Enum(_)
        | Alteration::Partition(..) => false,
    }
}
