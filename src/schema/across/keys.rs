//! Keys, indexes and foreign keys from another engine.
//!
//! Owns the matching: by definition alone, for names mean nothing across engines. Invariant: whatever the replica has in
//! the end that the primary has not is what no engine but its own could say, or what its server asks for by itself.

use crate::schema::UniqueKey;
use crate::sides::Sides;
use crate::sql::{
    Attachment, AttachmentKind, AttachmentPart, Column, Dialect, ForeignKey, Portable, PortablePart, Target,
};

use super::{Across, End};

/// What the model has besides columns.
#[derive(Default)]
pub(super) struct Keys {
    pub attachments: Vec<Attachment>,
    pub unique: Vec<UniqueKey>,
    pub foreign: Vec<ForeignKey>,
}

/// Something that the primary has, by the replica's names.
struct Wanted<'a> {
    portable: Portable,
    source: &'a Attachment,
    /// Whether the primary's server has made it for a foreign key, so that nobody asked for it.
    implied: bool,
    /// Whether the replica has what it points at.
    is_there: bool,
}

/// Something that the replica has.
struct Found<'a> {
    own: &'a Attachment,
    portable: Result<Portable, &'static str>,
}

pub(super) fn of(
    across: &Across<'_>,
    columns: &[Column],
    told_apart: &[String],
    notes: &mut Vec<String>,
) -> Keys {
    let mut left = Vec::new();
    let wanted = wanted(across, notes, &mut left);
    let mut found = found(across, columns);
    let coarse = !across.structure.dialects.primary.tells_restrict()
        || !across.structure.dialects.replica.tells_restrict();
    let mut keys = Keys::default();
    let mut missing = Vec::new();
    for one in wanted {
        match take(&mut found, &one, coarse) {
            Some(own) => {
                let valid = own.valid || one.source.valid;
                keys.attachments.push(Attachment { valid, ..own.clone() });
            }
            None if one.implied => {}
            None => missing.push(one),
        }
    }
    settle_primary_key(across, &mut keys, &mut missing, &mut found);
    missing.retain(|one| match its_own(one, &found) {
        Some(own) => {
            notes.push(left_out(one.source, &format!("the replica has its own {} instead", called(own))));
            false
        }
        None => true,
    });
    keep_what_is_not_told(&mut keys, &mut found, notes);
    // What a foreign key that comes may lean on stays.
    let leaned_on = |own: &Attachment| {
        let mut foreign = missing.iter().filter(|one| one.portable.kind == AttachmentKind::ForeignKey);
        foreign.any(|one| leads(own, &one.portable.columns()))
    };
    let going: Vec<&str> =
        found.iter().filter(|one| !leaned_on(one.own)).map(|one| one.own.name.as_str()).collect();
    for one in missing {
        let made = one_spelling(across, told_apart, &one).and_then(|()| made(across, columns, &one, &going));
        match made {
            Ok(attachment) => keys.attachments.push(attachment),
            Err(why) => {
                notes.push(left_out(one.source, &why));
                left.push((one.source, one.portable.columns()));
            }
        }
    }
    keep_what_is_near(&left, &mut keys, &mut found);
    lean_on_indexes(across.structure.dialects.replica, &mut keys, &found);
    keep_what_the_server_asks_for(across.structure.dialects.replica, &mut keys, &found);
    let primary = keys.attachments.iter().find(|one| one.kind == AttachmentKind::PrimaryKey);
    keys.unique = primary.map(unique).into_iter().collect();
    keys.foreign = keys.attachments.iter().filter_map(|one| foreign(across, one)).collect();
    keys
}

fn left_out(attachment: &Attachment, why: &str) -> String {
    format!("the {} is left out: {why}", called(attachment))
}

/// `index i`, or `foreign key (a, b)` where it has no name.
fn called(attachment: &Attachment) -> String {
    let words = attachment.kind.words();
    match attachment.name.as_str() {
        "" => format!("{words} ({})", attachment.columns.join(", ")),
        name => format!("{words} {name}"),
    }
}

/// What the primary has over columns in scope, as far as every engine has it.
fn wanted<'a>(
    across: &Across<'a>,
    notes: &mut Vec<String>,
    left: &mut Vec<(&'a Attachment, Vec<String>)>,
) -> Vec<Wanted<'a>> {
    let structure = across.structure;
    let dialect = structure.dialects.primary;
    let here = |name: &String| (structure.on_replica.column)(name);
    let mut wanted = Vec::new();
    let mut has_comments = false;
    for source in &structure.primary.attachments {
        let columns: Option<Vec<String>> = source.columns.iter().map(here).collect();
        let Some(columns) = columns else { continue };
        if source.kind == AttachmentKind::Comment {
            has_comments = true;
            continue;
        }
        let ported = match dialect.portable(source) {
            Ok(ported) => ported,
            Err(why) => {
                notes.push(left_out(source, why));
                left.push((source, columns));
                continue;
            }
        };
        if !ported.lost.is_empty() {
            notes.push(format!("of the {} is left out {}", called(source), ported.lost.join(", and ")));
        }
        if ported.kept.deferred && !structure.dialects.replica.tells_restrict() {
            notes.push(format!("of the {} is left out that it is put off (DEFERRED)", called(source)));
        }
        let part = |part: &PortablePart| Some(PortablePart { name: here(&part.name)?, ..part.clone() });
        let parts: Option<Vec<PortablePart>> = ported.kept.parts.iter().map(part).collect();
        let target = ported.kept.target.as_ref().map(|target| (structure.on_replica.target)(target));
        let is_there = target.as_ref().is_none_or(|(_, is_there)| *is_there);
        let Some(parts) = parts else { continue };
        let target = target.map(|(target, _)| target);
        let portable = Portable { parts, target, ..ported.kept };
        let implied = dialect.makes_indexes() && is_implied(source, &structure.primary.attachments);
        wanted.push(Wanted { portable, source, implied, is_there });
    }
    if has_comments {
        notes.push("its comments are left out: they are not carried to another engine".to_owned());
    }
    wanted
}

/// Whether an index looks like one that the server made for a foreign key: it has the key's columns, and its name or none
/// of its own.
fn is_implied(index: &Attachment, all: &[Attachment]) -> bool {
    let mut keys = all.iter().filter(|one| one.kind == AttachmentKind::ForeignKey);
    index.kind == AttachmentKind::Index
        && keys.any(|key| key.columns == index.columns && (index.name_made_up || key.name == index.name))
}

/// What the replica has over the model's columns alone.
fn found<'a>(across: &Across<'a>, columns: &[Column]) -> Vec<Found<'a>> {
    let dialect = across.structure.dialects.replica;
    let is_ours =
        |one: &&Attachment| one.columns.iter().all(|name| columns.iter().any(|column| column.name == *name));
    let attachments = across.structure.replica.iter().flat_map(|table| &table.attachments).filter(is_ours);
    let found = |own| Found { own, portable: dialect.portable(own).map(|ported| ported.kept) };
    attachments.map(found).collect()
}

/// What is the same on the replica, one of the same name before others.
fn take<'a>(found: &mut Vec<Found<'a>>, wanted: &Wanted<'_>, coarse: bool) -> Option<&'a Attachment> {
    let is_it = |one: &Found<'_>| {
        one.portable.as_ref().is_ok_and(|portable| portable.is_as(&wanted.portable, coarse))
    };
    let named = |one: &Found<'_>| is_it(one) && one.own.name == wanted.source.name;
    let at = found.iter().position(named).or_else(|| found.iter().position(is_it))?;
    Some(found.remove(at).own)
}

/// What the replica has in its own words over just the columns of a unique key: rows are unique in them there too.
fn its_own<'a>(wanted: &Wanted<'_>, found: &[Found<'a>]) -> Option<&'a Attachment> {
    let columns = wanted.portable.columns();
    let is_its = |own: &&Attachment| {
        own.kind == AttachmentKind::Unique
            && own.condition.is_none()
            && own.columns.len() == columns.len()
            && own.columns.iter().all(|name| columns.contains(name))
    };
    let mut untold = found.iter().filter(|one| one.portable.is_err()).map(|one| one.own);
    if wanted.portable.kind == AttachmentKind::Unique { untold.find(is_its) } else { None }
}

/// A table that has no primary key on the primary may have one here, over what identifies its rows; one that is created
/// gets it, for there rows must be unique too.
fn settle_primary_key(
    across: &Across<'_>,
    keys: &mut Keys,
    missing: &mut Vec<Wanted<'_>>,
    found: &mut Vec<Found<'_>>,
) {
    let structure = across.structure;
    let is_key = |kind: AttachmentKind| kind == AttachmentKind::PrimaryKey;
    if keys.attachments.iter().any(|one| is_key(one.kind))
        || missing.iter().any(|one| is_key(one.portable.kind))
    {
        return;
    }
    let key: Option<Vec<String>> =
        structure.key.iter().map(|name| (structure.on_replica.column)(name)).collect();
    let key = key.unwrap_or_default();
    let same = |one: &Wanted<'_>, columns: &[String]| {
        one.portable.kind == AttachmentKind::Unique && one.portable.columns() == columns
    };
    let own = found.iter().position(|one| is_key(one.own.kind));
    if let Some(at) = own {
        let columns = found[at].own.columns.clone();
        let serves = missing.iter().position(|one| same(one, &columns));
        if let Some(unique) = serves {
            missing.remove(unique);
        }
        if serves.is_some() || columns == key {
            keys.attachments.push(found.remove(at).own.clone());
        }
    }
    if structure.replica.is_none() && !key.is_empty() {
        missing.retain(|one| !same(one, &key));
        let part = |name: &String| PortablePart { name: name.clone(), descending: false };
        let portable = Portable::over(AttachmentKind::PrimaryKey, key.iter().map(part).collect());
        keys.attachments.extend(structure.dialects.replica.adopted(&portable, "", true));
    }
}

/// What the replica's engine alone can say is not held against anything.
fn keep_what_is_not_told(keys: &mut Keys, found: &mut Vec<Found<'_>>, notes: &mut Vec<String>) {
    found.retain(|one| {
        if let Err(why) = one.portable {
            keys.attachments.push(one.own.clone());
            if one.own.kind != AttachmentKind::Comment {
                notes.push(format!("the replica's {} stays as it is: {why}", called(one.own)));
            }
        }
        one.portable.is_ok()
    });
}

/// What is left out takes nothing away that says as much or less: over the same columns, and of all rows. `left`: with the
/// names of its columns on the replica.
fn keep_what_is_near(left: &[(&Attachment, Vec<String>)], keys: &mut Keys, found: &mut Vec<Found<'_>>) {
    found.retain(|one| {
        let is_near = |(source, columns): &(&Attachment, Vec<String>)| {
            let all = columns.len() == one.own.columns.len()
                && columns.iter().all(|name| one.own.columns.contains(name));
            // What is unique under an expression is so without it.
            let same = over(source, columns).map_or(all, |names| names == one.own.columns);
            let of_all = source.condition.is_none() || source.kind == AttachmentKind::Index;
            source.kind == one.own.kind && same && of_all
        };
        let stays = left.iter().any(is_near);
        if stays {
            keys.attachments.push(one.own.clone());
        }
        !stays
    });
}

/// The columns that something is over, by their names on the replica; `None` where it is over an expression.
fn over(source: &Attachment, columns: &[String]) -> Option<Vec<String>> {
    let column = |part: &AttachmentPart| match part {
        AttachmentPart::Column { name, .. } => {
            columns.get(source.columns.iter().position(|column| column == name)?).cloned()
        }
        AttachmentPart::Expression(_) => None,
    };
    source.parts.iter().map(column).collect()
}

/// A foreign key that comes brings the index along that the server would make for it by itself, so that the plan knows it.
fn lean_on_indexes(dialect: &dyn Dialect, keys: &mut Keys, found: &[Found<'_>]) {
    if !dialect.makes_indexes() {
        return;
    }
    let mut indexes: Vec<Attachment> = Vec::new();
    for key in keys.attachments.iter().filter(|one| one.kind == AttachmentKind::ForeignKey) {
        let mut there = keys.attachments.iter().chain(&indexes).chain(found.iter().map(|one| one.own));
        if there.any(|one| leads(one, &key.columns)) {
            continue;
        }
        let part = |name: &String| PortablePart { name: name.clone(), descending: false };
        let index = Portable::over(AttachmentKind::Index, key.columns.iter().map(part).collect());
        indexes.extend(dialect.adopted(&index, &key.name, false));
    }
    keys.attachments.append(&mut indexes);
}

/// An index that a foreign key leans on stays where the server would make it again.
fn keep_what_the_server_asks_for(dialect: &dyn Dialect, keys: &mut Keys, found: &[Found<'_>]) {
    if !dialect.makes_indexes() {
        return;
    }
    let foreign: Vec<Vec<String>> = (keys.attachments.iter())
        .filter(|one| one.kind == AttachmentKind::ForeignKey)
        .map(|one| one.columns.clone())
        .collect();
    for columns in foreign {
        if keys.attachments.iter().any(|one| leads(one, &columns)) {
            continue;
        }
        let leaned_on =
            found.iter().find(|one| one.own.kind == AttachmentKind::Index && leads(one.own, &columns));
        keys.attachments.extend(leaned_on.map(|one| one.own.clone()));
    }
}

/// Whether a key or an index begins with these columns.
fn leads(key: &Attachment, columns: &[String]) -> bool {
    let is = |(part, name): (&AttachmentPart, &String)| match part {
        AttachmentPart::Column { name: column, suffix } => column == name && !suffix.contains('('),
        AttachmentPart::Expression(_) => false,
    };
    let is_key =
        matches!(key.kind, AttachmentKind::PrimaryKey | AttachmentKind::Unique | AttachmentKind::Index);
    is_key && key.parts.len() >= columns.len() && key.parts.iter().zip(columns).all(is)
}

/// What the replica lacks, in its words; or why it cannot have it.
fn made(
    across: &Across<'_>,
    columns: &[Column],
    wanted: &Wanted<'_>,
    going: &[&str],
) -> Result<Attachment, String> {
    let structure = across.structure;
    let dialect = structure.dialects.replica;
    let own: Vec<&Column> = (wanted.portable.parts.iter())
        .filter_map(|part| columns.iter().find(|column| column.name == part.name))
        .collect();
    if let Some(why) = dialect.no_key(&own) {
        let hint = match structure.replica {
            None => "; `cast` may create it with a type that can be in one",
            Some(_) => "",
        };
        return Err((across.at)(format!("{why}{hint}")));
    }
    let mut portable = wanted.portable.clone();
    match portable.kind {
        AttachmentKind::ForeignKey => tie(across, &own, wanted, &mut portable)?,
        AttachmentKind::Unique | AttachmentKind::PrimaryKey if structure.replica.is_some() => {
            equates(across, &own, wanted)?;
        }
        AttachmentKind::Unique
        | AttachmentKind::PrimaryKey
        | AttachmentKind::Index
        | AttachmentKind::Check
        | AttachmentKind::Comment => {}
    }
    let name = match portable.kind {
        // As PostgreSQL names it; the others have no name for it.
        AttachmentKind::PrimaryKey => format!("{}_pkey", structure.names.replica.name),
        _ => across.naming.name(structure.primary, wanted.source, going),
    };
    let created = structure.replica.is_none();
    dialect.adopted(&portable, &name, created).ok_or_else(|| "the replica takes no SET DEFAULT".to_owned())
}

/// Rows that are two on the primary must not be one under a key of the replica.
fn equates(across: &Across<'_>, own: &[&Column], wanted: &Wanted<'_>) -> Result<(), String> {
    let Sides { primary, replica } = across.structure.dialects;
    let is_two =
        |name: &String| across.structure.primary.column(name).is_none_or(|column| !primary.folds(column));
    let source = wanted.source.parts.iter().filter_map(|part| match part {
        AttachmentPart::Column { name, .. } => Some(name),
        AttachmentPart::Expression(_) => None,
    });
    let coarser = own.iter().zip(source).find(|(column, name)| replica.folds(column) && is_two(name));
    coarser.map_or(Ok(()), |(column, _)| {
        Err(format!("the replica's column {} takes values for one that the primary tells apart", column.name))
    })
}

/// Rows that are two on the primary for their spelling alone must not be one under a key of the replica. That they are not
/// under the key that they are compared by is found by comparing.
fn one_spelling(across: &Across<'_>, told_apart: &[String], wanted: &Wanted<'_>) -> Result<(), String> {
    if !matches!(wanted.portable.kind, AttachmentKind::Unique | AttachmentKind::PrimaryKey)
        || wanted.source.columns == across.structure.key
    {
        return Ok(());
    }
    let coarser = wanted.portable.parts.iter().find(|part| told_apart.contains(&part.name));
    coarser.map_or(Ok(()), |part| {
        Err(format!(
            "the replica's column {} takes spellings for one that the primary tells apart",
            part.name
        ))
    })
}

/// Rows that are tied on the primary must be tied under a foreign key of the replica.
fn finds_as_the_primary(across: &Across<'_>, own: &[&Column], wanted: &Wanted<'_>) -> Result<(), String> {
    let Sides { primary, replica } = across.structure.dialects;
    let folds =
        |name: &String| across.structure.primary.column(name).is_some_and(|column| primary.folds(column));
    let finer =
        own.iter().zip(&wanted.source.columns).find(|(column, name)| folds(name) && !replica.folds(column));
    finer.map_or(Ok(()), |(column, _)| {
        Err(format!("the replica's column {} tells values apart that the primary takes for one", column.name))
    })
}

/// Whether what a foreign key points at is there as the replica's server asks for, and in the order in which it does.
fn tie(
    across: &Across<'_>,
    own: &[&Column],
    wanted: &Wanted<'_>,
    portable: &mut Portable,
) -> Result<(), String> {
    let dialect = across.structure.dialects.replica;
    let (Some(target), Some(source)) = (portable.target.clone(), wanted.source.target.as_ref()) else {
        return Err("it points at nothing".to_owned());
    };
    let end = if wanted.is_there { (across.end)(source) } else { None };
    let Some(End { columns, keys, comes, partial }) = end else {
        return Err(format!("the replica has no table {} to point at", target.table));
    };
    if partial {
        return Err(format!("the spec does not write all rows of {}", target.table));
    }
    finds_as_the_primary(across, own, wanted)?;
    let is_it = |key: &&Vec<String>| {
        key.len() == target.columns.len() && target.columns.iter().all(|name| key.contains(name))
    };
    let exact = keys.iter().find(|key| **key == target.columns);
    let Some(key) = exact.or_else(|| keys.iter().find(is_it)) else {
        return Err(format!(
            "{} ({}) is no key on the replica to point at",
            target.table,
            target.columns.join(", ")
        ));
    };
    if comes.contains(key) {
        return Err(format!("{} gets the key that it points at first: run again", target.table));
    }
    for (pointing, pointed_at) in own.iter().zip(&columns) {
        if let Some(why) = dialect.no_tie(pointing, pointed_at, portable) {
            return Err(why);
        }
    }
    let order: Vec<usize> =
        key.iter().filter_map(|name| target.columns.iter().position(|other| other == name)).collect();
    portable.parts = order.iter().map(|at| portable.parts[*at].clone()).collect();
    let columns = order.iter().map(|at| target.columns[*at].clone()).collect();
    portable.target = Some(Target { columns, ..target });
    Ok(())
}

fn unique(key: &Attachment) -> UniqueKey {
    UniqueKey {
        name: key.name.clone(),
        columns: key.columns.clone(),
        primary: true,
        total: true,
        deferrable: false,
    }
}

/// A foreign key as rows heed it.
fn foreign(across: &Across<'_>, attachment: &Attachment) -> Option<ForeignKey> {
    let portable = across.structure.dialects.replica.portable(attachment).ok()?.kept;
    let target = portable.target.clone()?;
    Some(ForeignKey {
        name: attachment.name.clone(),
        columns: portable.columns(),
        table: target.table,
        referenced: target.columns,
        on_delete: portable.on_delete,
        on_update: portable.on_update,
        deferrable: portable.deferred,
        whole: false,
    })
}
