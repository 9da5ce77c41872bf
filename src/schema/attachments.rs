//! What a table has besides columns, held against the primary's: what comes, what goes, what gets another name.
//!
//! Owns the matching: by definition first, by name second. A name that the server made up on both sides says nothing.
//! What speaks of a column that is out of scope is not the spec's business. Refuses to guess: an expression over columns
//! that have other names on the replica is left out with a note.

use std::borrow::Cow;

use crate::sides::Sides;
use crate::spec::OWN_PREFIX;
use crate::sql::{Alteration, Attachment, AttachmentKind, AttachmentPart, ForeignKey, Target};

use super::{SchemaChange, Table};

/// What the names of the primary are on the replica.
pub(super) struct Names<'a> {
    /// A column of the table; `None`: it is out of scope.
    pub column: &'a dyn Fn(&str) -> Option<String>,
    /// What a foreign key points at, and whether the replica has that, or gets it.
    pub target: &'a dyn Fn(&Target) -> (Target, bool),
}

/// What becomes of a table's attachments, and what a person should know of those that are left out.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// The alterations, those that drop first.
    pub alterations: Vec<Alteration>,
    /// Sentences.
    pub notes: Vec<String>,
}

/// Those of the replica's table that make it the primary's. `replica`: `None` for one that is created with nothing but
/// its columns and `created_key`. `dropped`: the replica's columns that go.
pub(super) fn differences(
    primary: &Table,
    replica: Option<&Table>,
    created_key: &[String],
    names: &Names<'_>,
    dropped: &[&str],
) -> Differences {
    let mut differences = Differences::default();
    let (mut wanted, mut pointless) = (Vec::new(), Vec::new());
    for attachment in &primary.attachments {
        match translated(attachment, names) {
            Translated::As(translated) => {
                if attachment.target.as_ref().is_some_and(|target| !(names.target)(target).1) {
                    pointless.push((*translated).clone());
                }
                wanted.push(*translated);
            }
            Translated::OutOfScope => {}
            Translated::LeftOut(why) => differences.notes.push(why),
        }
    }
    let mut found: Vec<Attachment> = match replica {
        Some(replica) => {
            let in_scope: Vec<String> =
                primary.columns.iter().filter_map(|column| (names.column)(&column.name)).collect();
            // What a column would take along when it goes is dropped by itself.
            let is_known = |column: &String| in_scope.contains(column) || dropped.contains(&column.as_str());
            let is_ours = |one: &&Attachment| one.columns.iter().all(is_known);
            replica.attachments.iter().filter(is_ours).cloned().collect()
        }
        None => {
            wanted.retain(|one| {
                let is_column = |(part, name): (&AttachmentPart, &String)| {
                    matches!(part, AttachmentPart::Column { name: own, .. } if own == name)
                };
                let same = one.parts.len() == created_key.len()
                    && one.parts.iter().zip(created_key).all(is_column);
                one.kind != AttachmentKind::PrimaryKey || !same
            });
            Vec::new()
        }
    };
    let is_there = |one: &Attachment| !pointless.contains(one);
    let mut renamed = Vec::new();
    let mut validated = Vec::new();
    let mut missing = Vec::new();
    for one in take_alike(&mut wanted, &mut found, &mut missing) {
        let (wanted, found) = one;
        if wanted.valid && !found.valid {
            match found.kind {
                AttachmentKind::Check | AttachmentKind::ForeignKey => {
                    // It has its new name by then.
                    let renamed = !(wanted.name_made_up && found.name_made_up);
                    let name = if renamed { wanted.name.clone() } else { found.name.clone() };
                    validated.push(Attachment { name, ..found.clone() });
                }
                _ => {
                    differences.alterations.push(Alteration::Detach(found));
                    missing.push(wanted);
                    continue;
                }
            }
        }
        // A name that another is to have must be free.
        let in_the_way = missing.iter().any(|other| other.name == found.name);
        if wanted.name != found.name && (in_the_way || !(wanted.name_made_up && found.name_made_up)) {
            renamed.push((found, wanted.name));
        }
    }
    let (missing, left_out): (Vec<_>, Vec<_>) = missing.into_iter().partition(is_there);
    differences.notes.extend(left_out.iter().map(|one| {
        let target = one.target.as_ref().map(|target| target.table.to_string()).unwrap_or_default();
        format!("the foreign key {} is left out: the replica has no table {target} to point at", one.name)
    }));
    differences.alterations.extend(found.into_iter().map(Alteration::Detach));
    differences.alterations.extend(renames(renamed));
    differences.alterations.extend(validated.into_iter().map(Alteration::Validate));
    differences.alterations.extend(missing.into_iter().map(Alteration::Attach));
    differences
}

/// Names that are given while others still have them are given by way of names in between.
pub(super) fn renames(renamed: Vec<(Attachment, String)>) -> Vec<Alteration> {
    let taken: Vec<String> = renamed.iter().map(|(one, _)| one.name.clone()).collect();
    let (mut away, mut home) = (Vec::new(), Vec::new());
    for (number, (mut attachment, name)) in renamed.into_iter().enumerate() {
        if taken.contains(&name) {
            let between = format!("{OWN_PREFIX}{number}");
            away.push(Alteration::Rename { attachment: attachment.clone(), name: between.clone() });
            attachment = Attachment { name: between, name_made_up: false, ..attachment };
        }
        home.push(Alteration::Rename { attachment, name });
    }
    away.into_iter().chain(home).collect()
}

/// Pairs those that are one but for their names, those that also have one name first; the others stay in `found` and go to
/// `missing`.
fn take_alike(
    wanted: &mut Vec<Attachment>,
    found: &mut Vec<Attachment>,
    missing: &mut Vec<Attachment>,
) -> Vec<(Attachment, Attachment)> {
    let mut pairs = Vec::new();
    for by_name in [true, false] {
        let mut rest = Vec::new();
        for one in wanted.drain(..) {
            let alike = |other: &Attachment| one.is_as(other) && (!by_name || one.name == other.name);
            match found.iter().position(alike) {
                Some(at) => pairs.push((one, found.remove(at))),
                None => rest.push(one),
            }
        }
        *wanted = rest;
    }
    missing.append(wanted);
    pairs
}

enum Translated {
    As(Box<Attachment>),
    OutOfScope,
    LeftOut(String),
}

fn translated(attachment: &Attachment, names: &Names<'_>) -> Translated {
    let mapped: Option<Vec<String>> = attachment.columns.iter().map(|name| (names.column)(name)).collect();
    let Some(columns) = mapped else { return Translated::OutOfScope };
    if !attachment.is_plain() && columns != attachment.columns {
        return Translated::LeftOut(format!(
            "the {} {} is left out: it speaks of columns that have other names on the replica",
            attachment.kind.words(),
            attachment.name
        ));
    }
    let target = attachment.target.as_ref().map(|target| (names.target)(target).0);
    let column = |name: &String| (names.column)(name).unwrap_or_else(|| name.clone());
    let part = |part: &AttachmentPart| match part {
        AttachmentPart::Column { name, suffix } => {
            AttachmentPart::Column { name: column(name), suffix: suffix.clone() }
        }
        AttachmentPart::Expression(sql) => AttachmentPart::Expression(sql.clone()),
    };
    Translated::As(Box::new(Attachment {
        parts: attachment.parts.iter().map(part).collect(),
        included: attachment.included.iter().map(column).collect(),
        target,
        columns,
        ..attachment.clone()
    }))
}

/// What goes before the rows are written, so that they need not heed it: without leave for that nothing is written.
pub fn going(changes: &[SchemaChange]) -> Vec<Attachment> {
    let goes_first = |change: &&SchemaChange| !change.withheld && !change.comes_last();
    let detached = |change: &SchemaChange| match &change.alteration {
        Some(Alteration::Detach(attachment)) => vec![attachment.clone()],
        Some(Alteration::Rebuild(rebuild)) if !change.comes_last() => {
            let stays = |one: &&Attachment| rebuild.after.attachments.iter().any(|other| one.is_as(other));
            rebuild.before.attachments.iter().filter(|one| !stays(one)).cloned().collect()
        }
        _ => Vec::new(),
    };
    changes.iter().filter(goes_first).flat_map(detached).collect()
}

/// Whether an attachment of a table is this foreign key of its. Some engines have no names for them.
pub fn is_foreign_key(attachment: &Attachment, key: &ForeignKey) -> bool {
    let same = attachment.name == key.name && (!key.name.is_empty() || attachment.columns == key.columns);
    attachment.kind == AttachmentKind::ForeignKey && same
}

/// The tables of both sides, the replica's without the keys that go.
pub fn without<'a>(sides: &'a Sides<Option<Table>>, going: &[Attachment]) -> Cow<'a, Sides<Option<Table>>> {
    if going.is_empty() {
        return Cow::Borrowed(sides);
    }
    let mut sides = sides.clone();
    if let Some(table) = &mut sides.replica {
        let stays: Vec<Attachment> =
            table.attachments.iter().filter(|one| !going.contains(one)).cloned().collect();
        let goes =
            |name: &str, columns: &[String], primary: bool| is_gone(name, columns, primary, going, &stays);
        table.keys.retain(|key| !goes(&key.name, &key.columns, key.primary));
        table.unique_indexes.retain(|index| !goes(&index.name, &index.columns, false));
        table.foreign_keys.retain(|key| !going.iter().any(|one| is_foreign_key(one, key)));
    }
    Cow::Owned(sides)
}

/// Whether a unique key or index is one of those that go. Some engines know keys by names that nobody gave them: these go
/// where what goes is over their columns, and nothing that stays.
fn is_gone(
    name: &str,
    columns: &[String],
    primary: bool,
    going: &[Attachment],
    stays: &[Attachment],
) -> bool {
    if primary {
        return going.iter().any(|one| one.kind == AttachmentKind::PrimaryKey);
    }
    let named = |one: &Attachment| one.kind != AttachmentKind::PrimaryKey && one.name == name;
    if going.iter().chain(stays).any(named) {
        return going.iter().any(named);
    }
    let over = |one: &Attachment| one.kind == AttachmentKind::Unique && one.columns == columns;
    going.iter().any(over) && !stays.iter().any(over)
}
