//! What became of a table's structure since a plan was made.
//!
//! Invariant: `None` says that the tables are the same in everything that is known of them but the number of their
//! rows.

use crate::spec::OWN_PREFIX;
use crate::sql::{Alteration, Attachment, AttachmentKind, Column, Sequence, Shape};

use crate::value::Type;

use super::{SchemaChange, Table, UniqueKey};

/// The first difference between a table then and now, in words; `None` where there is none.
pub fn table_difference(then: Option<&Table>, now: Option<&Table>) -> Option<String> {
    match (then, now) {
        (None, None) => None,
        (None, Some(_)) => Some("it has been created".to_owned()),
        (Some(_), None) => Some("it is gone".to_owned()),
        (Some(then), Some(now)) => columns_difference(&then.columns, &now.columns)
            .or_else(|| keys_difference(&then.keys, &now.keys))
            .or_else(|| {
                let same = then.unique_indexes == now.unique_indexes;
                (!same).then(|| "its unique indexes are others".to_owned())
            })
            .or_else(|| {
                (then.foreign_keys != now.foreign_keys).then(|| "its foreign keys are others".to_owned())
            })
            .or_else(|| whole_difference(then, now))
            .or_else(|| sequences_difference(&then.sequences, &now.sequences)),
    }
}

/// What the catalog says of a table besides its columns.
fn whole_difference(then: &Table, now: &Table) -> Option<String> {
    let same = |one: &[Attachment], other: &[Attachment]| {
        one.len() == other.len() && one.iter().all(|attachment| other.contains(attachment))
    };
    if !same(&then.attachments, &now.attachments) {
        return Some("its indexes, constraints or comments are others".to_owned());
    }
    let has = |one: &Table, other: &Table| {
        one.layout.partitions.iter().all(|partition| other.layout.partitions.contains(partition))
    };
    if then.layout.words() != now.layout.words() || !has(then, now) || !has(now, then) {
        return Some("its partitions or parents are others".to_owned());
    }
    (then.options != now.options).then(|| "its options are others".to_owned())
}

/// What a known structure of a table is to a plan that alters it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// What it was before the plan.
    Before,
    /// What it is once the plan is made: one that takes another plan back.
    After,
}

/// Which of the alterations an earlier run of their plan has made to a table by now, by their indexes, ascending; and
/// whether the table is else as it is known, but for `columns` that come or go.
pub fn alterations_made(
    known: (Known, &Table),
    now: &Table,
    changes: &[SchemaChange],
    columns: &[&str],
) -> (Vec<usize>, bool) {
    let mut table = now.clone();
    let mut made = Vec::new();
    for (index, change) in changes.iter().enumerate().rev() {
        let Some(alteration) = change.alteration.as_ref().filter(|one| is_made(one, &table)) else {
            continue;
        };
        // What goes and comes again is there before and behind: it came where all is made that stands before it.
        if goes_before(alteration, &changes[..index]) && !all_made(&changes[..index], &table) {
            continue;
        }
        if !went(alteration, &changes[..index], &table) {
            continue;
        }
        take_back(alteration, &mut table);
        made.push(index);
    }
    made.reverse();
    let (which, then) = known;
    if which == Known::After {
        table = once_made(&table, changes);
    }
    let anew = changes.iter().any(|change| matches!(change.alteration, Some(Alteration::Rebuild(_))));
    let without = |table: &Table| {
        let mut table = table.clone();
        if anew {
            // A table that is made anew may have its columns in another order for a while.
            table.columns.sort_by(|one, other| one.name.cmp(&other.name));
        }
        table.columns.retain(|column| !columns.contains(&column.name.as_str()));
        let speaks = |one: &Attachment| one.columns.iter().any(|name| columns.contains(&name.as_str()));
        table.attachments.retain(|one| !speaks(one));
        // What a step left behind when it was cut off is taken away before it begins again.
        table.attachments.retain(|one| one.valid || !one.name.starts_with(OWN_PREFIX));
        // What was held against all rows once stays so.
        table.attachments.iter_mut().for_each(|one| one.valid |= which == Known::After);
        table
    };
    let (then, table) = (without(then), without(&table));
    let same = columns_difference(&then.columns, &table.columns).is_none()
        && whole_difference(&then, &table).is_none();
    (made, same)
}

/// Whether this has gone, where it came before only for what stands between: it is not there before all that either.
fn went(alteration: &Alteration, before: &[SchemaChange], table: &Table) -> bool {
    let Alteration::Detach(goes) = alteration else { return true };
    let comes = |change: &SchemaChange| matches!(&change.alteration, Some(Alteration::Attach(one)) if is_one(one, goes));
    let Some(came) = before.iter().rposition(comes) else { return true };
    let others = before[came + 1..].iter().filter_map(|change| change.alteration.as_ref());
    let mut others = others.filter(|other| !matches!(other, Alteration::Validate(one) if is_one(one, goes)));
    others.all(|other| is_made(other, table))
}

/// Whether this comes again, having gone by one of these.
fn goes_before(alteration: &Alteration, changes: &[SchemaChange]) -> bool {
    let Alteration::Attach(comes) = alteration else { return false };
    let goes = |change: &SchemaChange| matches!(&change.alteration, Some(Alteration::Detach(one)) if is_one(one, comes));
    changes.iter().any(goes)
}

/// Whether all these are made, but for what goes to come again; not where there is nothing else by which that could be told: it
/// goes for another table's sake.
fn all_made(changes: &[SchemaChange], table: &Table) -> bool {
    let mut table = table.clone();
    let mut is_told = false;
    for change in changes.iter().rev() {
        let Some(alteration) = &change.alteration else { continue };
        let comes_again = |one: &Attachment| table.attachments.iter().any(|other| is_one(one, other));
        if matches!(alteration, Alteration::Detach(one) if comes_again(one)) {
            continue;
        }
        if !is_made(alteration, &table) {
            return false;
        }
        is_told |= !returns(alteration, changes);
        take_back(alteration, &mut table);
    }
    is_told
}

/// Whether this goes to come again, or comes again.
fn returns(alteration: &Alteration, changes: &[SchemaChange]) -> bool {
    match alteration {
        Alteration::Attach(_) => goes_before(alteration, changes),
        Alteration::Detach(goes) => changes.iter().any(
            |change| matches!(&change.alteration, Some(Alteration::Attach(comes)) if is_one(goes, comes)),
        ),
        Alteration::Rename { .. }
        | Alteration::Become { .. }
        | Alteration::Validate(_)
        | Alteration::Column { .. }
        | Alteration::Options { .. }
        | Alteration::Remake { .. }
        | Alteration::Order { .. }
        | Alteration::Rebuild(_)
        | Alteration::Enum(_)
        | Alteration::Partition(..) => false,
    }
}

/// What a table is once these changes of it are made, in everything but columns that come and go.
pub(super) fn once_made(then: &Table, changes: &[SchemaChange]) -> Table {
    let mut table = then.clone();
    let alterations = changes.iter().filter_map(|change| change.alteration.as_ref());
    alterations.filter_map(Alteration::reversed).for_each(|reversed| take_back(&reversed, &mut table));
    table
}

fn is_made(alteration: &Alteration, table: &Table) -> bool {
    let has = |one: &Attachment| table.attachments.iter().any(|other| is_one(one, other));
    match alteration {
        // One that is there and not in use yet is not what was to come.
        Alteration::Attach(one) => {
            table.attachments.iter().any(|other| is_one(one, other) && (other.valid || !one.valid))
        }
        Alteration::Detach(one) => !has(one),
        Alteration::Become { after, .. } => has(after),
        Alteration::Rename { attachment, name } => {
            has(&Attachment { name: name.clone(), name_made_up: false, ..attachment.clone() })
        }
        Alteration::Validate(one) => table.attachments.iter().any(|other| is_one(one, other) && other.valid),
        Alteration::Column { after, .. } | Alteration::Remake { after, .. } => {
            table.column(&after.name).is_some_and(|now| is_as(now, after))
        }
        Alteration::Options { after, .. } => table.options.as_ref() == Some(after),
        // Types are told of by themselves.
        Alteration::Enum(_) => false,
        Alteration::Partition(partition, goes) => table.layout.partitions.contains(partition) != *goes,
        Alteration::Order { before, after, .. } => {
            let of = |names: &[String]| -> Vec<String> {
                names.iter().filter(|name| table.column(name).is_some()).cloned().collect()
            };
            let names = table.columns.iter().map(|column| &column.name);
            let now: Vec<String> = names.filter(|name| after.contains(name)).cloned().collect();
            now == of(after) && now != of(before)
        }
        Alteration::Rebuild(rebuild) => {
            let Shape { columns, attachments, options, .. } = &rebuild.after;
            let same = |after: &Column| table.column(&after.name).is_some_and(|now| is_as(now, after));
            table.options == *options
                && table.columns.len() == columns.len()
                && columns.iter().all(same)
                && table.attachments.len() == attachments.len()
                && attachments.iter().all(has)
        }
    }
}

fn is_as(now: &Column, after: &Column) -> bool {
    let declared = |column: &Column| column.column_type.declared.clone();
    // The words of an enum that has a name are told of by themselves.
    let same_type = now.column_type == after.column_type
        || matches!(now.column_type.meaning, Type::Enum { .. }) && declared(now) == declared(after);
    let told = |column: &Column| (column.nullable, column.words.clone(), column.identity, column.generated);
    same_type && told(now) == told(after)
}

fn is_one(one: &Attachment, other: &Attachment) -> bool {
    // What is there only on the way to something else is known by its name.
    if one.kind == AttachmentKind::Check && one.name.starts_with(OWN_PREFIX) {
        return one.name == other.name && one.kind == other.kind;
    }
    one.is_as(other) && (one.name == other.name || one.name_made_up && other.name_made_up)
}

fn take_back(alteration: &Alteration, table: &mut Table) {
    match alteration {
        Alteration::Attach(one) => table.attachments.retain(|other| !is_one(one, other)),
        Alteration::Detach(one) => table.attachments.push(one.clone()),
        Alteration::Rename { attachment, name } => {
            let renamed = Attachment { name: name.clone(), name_made_up: false, ..attachment.clone() };
            if let Some(other) = table.attachments.iter_mut().find(|other| is_one(&renamed, other)) {
                *other = attachment.clone();
            }
        }
        Alteration::Become { before, after } => {
            if let Some(other) = table.attachments.iter_mut().find(|other| is_one(after, other)) {
                *other = (**before).clone();
            }
        }
        Alteration::Validate(one) => {
            if let Some(other) = table.attachments.iter_mut().find(|other| is_one(one, other)) {
                other.valid = one.valid;
            }
        }
        Alteration::Column { before, .. } | Alteration::Remake { before, .. } => {
            if let Some(column) = table.columns.iter_mut().find(|column| column.name == before.name) {
                let same_type = column.column_type.declared == before.column_type.declared;
                let column_type = if same_type { &column.column_type } else { &before.column_type }.clone();
                *column = Column { column_type, ..(**before).clone() };
            }
        }
        Alteration::Options { before, .. } => table.options = Some(before.clone()),
        Alteration::Enum(_) => {}
        Alteration::Partition(partition, false) => table.layout.partitions.retain(|one| one != partition),
        Alteration::Partition(partition, true) => table.layout.partitions.push(partition.clone()),
        Alteration::Order { before, .. } => {
            let place = |column: &Column| before.iter().position(|name| *name == column.name);
            table.columns.sort_by_key(|column| place(column).unwrap_or(before.len()));
        }
        Alteration::Rebuild(rebuild) => {
            let Shape { columns, attachments, options, .. } = rebuild.before.clone();
            (table.columns, table.attachments, table.options) = (columns, attachments, options);
        }
    }
}

/// Where they stand is no structure: that changes with every row.
fn sequences_difference(then: &[Sequence], now: &[Sequence]) -> Option<String> {
    let same = then.len() == now.len() && then.iter().zip(now).all(|(then, now)| then.is_as(now));
    (!same).then(|| "what numbers its columns changed".to_owned())
}

fn columns_difference(then: &[Column], now: &[Column]) -> Option<String> {
    let gone = then.iter().find(|column| !now.iter().any(|other| other.name == column.name));
    if let Some(column) = gone {
        return Some(format!("column {} is gone", column.name));
    }
    for column in now {
        let Some(before) = then.iter().find(|other| other.name == column.name) else {
            return Some(format!("column {} is new", column.name));
        };
        if before != column {
            return Some(column_difference(before, column));
        }
    }
    let names = |columns: &[Column]| columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    (names(then) != names(now)).then(|| "its columns are in another order".to_owned())
}

fn column_difference(then: &Column, now: &Column) -> String {
    let Column { name, .. } = now;
    if then.column_type != now.column_type {
        let (was, is) = (&then.column_type.declared, &now.column_type.declared);
        return format!("column {name} is {is}, was {was}");
    }
    if then.nullable != now.nullable {
        let is = if now.nullable { "takes NULL" } else { "takes no NULL" };
        return format!("column {name} now {is}");
    }
    format!("the default, generation or collation of column {name} changed")
}

fn keys_difference(then: &[UniqueKey], now: &[UniqueKey]) -> Option<String> {
    let gone = then.iter().find(|key| !now.contains(key)).map(|key| (key, "is gone or another"));
    let new = || now.iter().find(|key| !then.contains(key)).map(|key| (key, "is new"));
    let (key, what) = gone.or_else(new)?;
    let kind = if key.primary { "primary key" } else { "unique key" };
    Some(format!("the {kind} ({}) {what}", key.columns.join(", ")))
}
