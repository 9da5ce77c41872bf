//! The structural changes of a table on an engine that makes tables anew for what it cannot change in place.
//!
//! Owns which way is gone: indexes come and go by themselves, columns where the engine adds and drops them; for all
//! else the table is made anew, once before the rows as far as that only loosens, and once behind them for what asks
//! something of them. Invariant: while rows are written neither the old structure nor the new one refuses or changes a
//! value of theirs.

use crate::failure::{ErrorKind, Failure};
use crate::spec::{CONSTRAINT_DROPPED, DELETES_DATA, INDEX_DROPPED, NARROWS_TYPE, SchemaMode};
use crate::sql::{
    Alteration, Attachment, AttachmentKind, Column, ForeignKey, Rebuild, Shape, Target, Wanted,
};

use super::alter::{altered, rebuilding};
use super::change::{Commit, Hazard, SchemaAction, SchemaChange};
use super::structure::{Needs, Structure, added_column, extra_columns};
use super::{ColumnPair, Table, attachments};

/// What a table's structure needs; `None` where its engine makes no tables anew.
pub(super) fn needs(structure: &Structure<'_>, columns: &mut [ColumnPair]) -> Option<Result<Needs, Failure>> {
    // What no engine keeps a text of was made up for a test.
    structure.primary.stored.table.as_ref()?;
    let model = shape(structure.primary);
    let nothing = Wanted { model: &model, now: None, columns: &[], attachments: &[] };
    structure.dialects.replica.shaped(structure.names.replica, &nothing).is_some().then_some(())?;
    Some(of_table(structure, model, columns))
}

fn shape(table: &Table) -> Shape {
    Shape {
        columns: table.columns.clone(),
        attachments: table.attachments.clone(),
        options: table.options.clone(),
        text: table.stored.table.clone().unwrap_or_default(),
    }
}

fn of_table(structure: &Structure<'_>, model: Shape, columns: &mut [ColumnPair]) -> Result<Needs, Failure> {
    for (side, table) in [("primary", Some(structure.primary)), ("replica", structure.replica)] {
        if let Some(why) = table.and_then(|table| table.stored.unread.as_ref().map(|why| (table, why))) {
            let message =
                format!("the structure of the {side}'s table {} could not be read: {}", why.0.name, why.1);
            return Err(Failure::new(ErrorKind::Type, message)
                .hint("write its CREATE TABLE in plain words, or set `schema: ignore` (look at rows only)"));
        }
    }
    let mut needs = Needs::default();
    let differences =
        attachments::differences(structure.primary, structure.replica, &[], structure.on_replica, &[]);
    needs.notes.extend(differences.notes);
    let mut now = structure.replica.map(shape);
    if structure.replica.is_some() {
        extra_columns(structure, &mut needs);
    }
    let dropped: Vec<String> = match needs.changes.is_empty() {
        true => Vec::new(),
        false => structure.extra.iter().map(|column| column.name.clone()).collect(),
    };
    if let Some(now) = &mut now {
        now.attachments.retain(|one| !one.columns.iter().any(|name| dropped.contains(name)));
    }
    let attachments = attached(now.as_ref(), &differences.alterations);
    if let Some(now) = &mut now {
        now.columns.retain(|column| !dropped.contains(&column.name));
    }
    let names: Vec<(String, String)> = structure
        .primary
        .columns
        .iter()
        .filter_map(|column| Some((column, (structure.on_replica.column)(&column.name)?)))
        // One that a side alone generates stays as it is there.
        .filter(|(column, name)| {
            let there = structure.replica.and_then(|replica| replica.column(name));
            there.is_none_or(|there| there.generated.is_some() == column.generated.is_some())
        })
        .map(|(column, name)| (column.name.clone(), name))
        .collect();
    let wanted = Wanted { model: &model, now: now.as_ref(), columns: &names, attachments: &attachments };
    let (dialect, table) = (structure.dialects.replica, structure.names.replica);
    let last = dialect
        .shaped(table, &wanted)
        .unwrap_or(Err(String::new()))
        .map_err(|why| refused(structure, &why))?;
    match structure.replica {
        None => create(structure, &last, &mut needs),
        Some(replica) => change(structure, &shape(replica), last, &dropped, columns, &mut needs)?,
    }
    Ok(needs)
}

fn refused(structure: &Structure<'_>, why: &str) -> Failure {
    let message =
        format!("the replica's table {} cannot be made like the primary's: {why}", structure.names.replica);
    Failure::new(ErrorKind::Type, message)
        .hint("change it by hand, or set `schema: ignore` (look at rows only)")
}

/// What the table has once the alterations are made.
fn attached(now: Option<&Shape>, alterations: &[Alteration]) -> Vec<Attachment> {
    let mut attachments = now.map(|now| now.attachments.clone()).unwrap_or_default();
    for alteration in alterations {
        match alteration {
            Alteration::Attach(one) => attachments.push(one.clone()),
            Alteration::Detach(one) => attachments.retain(|other| other != one),
            Alteration::Rename { attachment, name } => {
                for one in attachments.iter_mut().filter(|one| *one == attachment) {
                    one.name.clone_from(name);
                }
            }
            Alteration::Become { .. }
            | Alteration::Validate(_)
            | Alteration::Column { .. }
            | Alteration::Options { .. }
            | Alteration::Remake { .. }
            | Alteration::Order { .. }
            | Alteration::Rebuild(_)
            | Alteration::Enum(_)
            | Alteration::Partition(..) => {}
        }
    }
    attachments
}

/// Indexes are made when the rows are in.
fn create(structure: &Structure<'_>, last: &Shape, needs: &mut Needs) {
    let table = structure.names.replica;
    needs.changes.push(SchemaChange {
        action: SchemaAction::CreateTable,
        object: table.name.clone(),
        after: Some(last.text.clone()),
        sql: vec![last.text.clone()],
        before: None,
        hazards: Vec::new(),
        withheld: false,
        alteration: None,
        behind_rows: false,
        commit: Commit::Together,
        step_of: None,
    });
    needs.foreign_keys = foreign_keys(structure, last);
    let indexes = last.attachments.iter().filter(|one| is_index(structure, one));
    let made =
        indexes.filter_map(|one| altered(structure.dialects.replica, table, Alteration::Attach(one.clone())));
    needs.changes.extend(made);
}

/// Those that a table is created with: its rows wait for what they point at.
fn foreign_keys(structure: &Structure<'_>, last: &Shape) -> Vec<ForeignKey> {
    let names = structure.on_replica;
    let here = |key: &ForeignKey| {
        let columns: Option<Vec<String>> = key.columns.iter().map(|name| (names.column)(name)).collect();
        let target = Target { table: key.table.clone(), columns: key.referenced.clone() };
        let (target, _) = (names.target)(&target);
        let key =
            ForeignKey { columns: columns?, table: target.table, referenced: target.columns, ..key.clone() };
        let is_it = |one: &&Attachment| {
            one.kind == AttachmentKind::ForeignKey
                && one.columns == key.columns
                && one.target.as_ref().is_some_and(|target| target.table == key.table)
        };
        last.attachments.iter().any(|one| is_it(&one)).then_some(key)
    };
    structure.primary.foreign_keys.iter().filter_map(here).collect()
}

/// What the engine attaches to a table that is there.
fn is_index(structure: &Structure<'_>, one: &Attachment) -> bool {
    structure.dialects.replica.alter(structure.names.replica, &Alteration::Attach(one.clone())).is_some()
}

fn change(
    structure: &Structure<'_>,
    now: &Shape,
    last: Shape,
    dropped: &[String],
    columns: &mut [ColumnPair],
    needs: &mut Needs,
) -> Result<(), Failure> {
    let dialect = structure.dialects.replica;
    let (now, last, indexes) = without_indexes(structure, now, last);
    needs.changes.extend(indexes);
    if is_natural(structure, &now, &last, dropped) {
        let new = last.columns.iter().filter(|column| find(&now, &column.name).is_none());
        needs.changes.extend(new.map(|column| added_column(dialect, structure.names.replica, column)));
        take_up(structure, &last, columns);
        return Ok(());
    }
    needs.changes.retain(|change| change.action != SchemaAction::DropColumn);
    let between =
        dialect.between(structure.names.replica, &now, &last).map_err(|why| refused(structure, &why))?;
    // The last one in its own words.
    let between = if is_alike(&between, &last) { last.clone() } else { between };
    let mut added = now.clone();
    let new = between.columns.iter().filter(|column| find(&now, &column.name).is_none());
    added.columns.extend(new.cloned());
    // What is only added to needs no new table for that.
    if is_alike(&added, &between) && is_natural(structure, &now, &between, &[]) {
        let new = between.columns.iter().filter(|column| find(&now, &column.name).is_none());
        needs.changes.extend(new.map(|column| added_column(dialect, structure.names.replica, column)));
    } else if !is_alike(&now, &between) {
        needs.changes.extend(rebuilt(structure, &now, &between, false));
    }
    take_up(structure, &between, columns);
    if !is_alike(&between, &last) {
        needs.changes.extend(rebuilt(structure, &between, &last, true));
    }
    of_the_whole_way(rebuilding(&now, &last), &mut needs.changes);
    Ok(())
}

/// Gives the tables that are made anew the hazards of the way from the first shape to the last: what stands in between is
/// nobody's. Keys and checks go with the first of two, columns and types with the last.
fn of_the_whole_way(hazards: Vec<Hazard>, changes: &mut [SchemaChange]) {
    let mut anew: Vec<&mut SchemaChange> =
        changes.iter_mut().filter(|change| change.action == SchemaAction::RebuildTable).collect();
    let last = anew.len().saturating_sub(1);
    for (number, change) in anew.iter_mut().enumerate() {
        let is_its = |hazard: &&Hazard| match hazard.name.as_str() {
            CONSTRAINT_DROPPED | INDEX_DROPPED => number == 0,
            DELETES_DATA | NARROWS_TYPE => number == last,
            _ => true,
        };
        change.hazards = hazards.iter().filter(is_its).cloned().collect();
    }
}

/// Both shapes with the indexes that stay, and the changes for those that come and go.
fn without_indexes(structure: &Structure<'_>, now: &Shape, last: Shape) -> (Shape, Shape, Vec<SchemaChange>) {
    let (dialect, table) = (structure.dialects.replica, structure.names.replica);
    let has = |shape: &Shape, one: &Attachment| shape.attachments.iter().any(|other| other.is_named_as(one));
    let mut renamed = Vec::new();
    let stays = |one: &Attachment| has(&last, one) || !is_index(structure, one);
    let mut free: Vec<Attachment> = now.attachments.iter().filter(|one| !stays(one)).cloned().collect();
    // One that gets another name has that behind all else.
    let mut named = last;
    for one in named.attachments.iter_mut().filter(|one| is_index(structure, one) && !has(now, one)) {
        if let Some(at) = free.iter().position(|old| old.is_as(one) && old.name != one.name) {
            let old = free.swap_remove(at);
            renamed.push((old.clone(), one.name.clone()));
            *one = old;
        }
    }
    let last = named;
    let renames = attachments::renames(renamed);
    let mut changes: Vec<SchemaChange> =
        renames.into_iter().filter_map(|rename| altered(dialect, table, rename)).collect();
    let mut keep = |shape: &Shape, other: &Shape, alteration: fn(Attachment) -> Alteration| {
        let mut kept = shape.clone();
        kept.attachments.retain(|one| {
            let stays = has(other, one) || !is_index(structure, one);
            if !stays {
                changes.extend(altered(dialect, table, alteration(one.clone())));
            }
            stays
        });
        kept
    };
    let before = keep(now, &last, Alteration::Detach);
    let after = keep(&last, now, Alteration::Attach);
    (before, after, changes)
}

fn find<'s>(shape: &'s Shape, name: &str) -> Option<&'s Column> {
    shape.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
}

/// Whether the engine comes from one shape to the other by adding and dropping columns.
fn is_natural(structure: &Structure<'_>, now: &Shape, last: &Shape, dropped: &[String]) -> bool {
    let dialect = structure.dialects.replica;
    let adds = last.columns.iter().all(|column| find(now, &column.name).is_some() || dialect.adds(column));
    let drops = dropped.iter().all(|name| dialect.drops(now, name));
    let mut left = now.clone();
    left.columns.retain(|column| !dropped.contains(&column.name));
    let new = last.columns.iter().filter(|column| find(now, &column.name).is_none());
    left.columns.extend(new.cloned());
    adds && drops && is_alike(&left, last)
}

/// Whether two shapes are one but for the order of their columns, for spelling and for indexes.
fn is_alike(one: &Shape, other: &Shape) -> bool {
    let has = |shape: &Shape, column: &Column| {
        find(shape, &column.name).is_some_and(|found| found.words.whole == column.words.whole)
    };
    let constraints = |shape: &Shape| -> Vec<Attachment> {
        shape.attachments.iter().filter(|one| one.text.is_none()).cloned().collect()
    };
    let (ours, theirs) = (constraints(one), constraints(other));
    let same = |one: &Attachment| theirs.iter().any(|other| one.is_named_as(other));
    one.options == other.options
        && one.columns.len() == other.columns.len()
        && one.columns.iter().all(|column| has(other, column))
        && ours.len() == theirs.len()
        && ours.iter().all(same)
}

/// The columns as they are while rows are written.
fn take_up(structure: &Structure<'_>, between: &Shape, columns: &mut [ColumnPair]) {
    if structure.mode != SchemaMode::Sync {
        return;
    }
    for pair in columns {
        if let Some(column) = find(between, &pair.sides.replica.name) {
            pair.sides.replica = column.clone();
        }
    }
}

fn rebuilt(
    structure: &Structure<'_>,
    before: &Shape,
    after: &Shape,
    behind_rows: bool,
) -> Option<SchemaChange> {
    let rebuild = Rebuild {
        before: before.clone(),
        after: after.clone(),
        triggers: structure.replica.map(|table| table.stored.triggers.clone()).unwrap_or_default(),
    };
    let alteration = Alteration::Rebuild(Box::new(rebuild));
    let change = altered(structure.dialects.replica, structure.names.replica, alteration)?;
    Some(SchemaChange { behind_rows, ..change })
}
