//! Changes of a table that do not keep others from it for longer than a moment: what reads all rows does so under a lock
//! that readers and writers pass by.
//!
//! Owns the steps: an index is built CONCURRENTLY under a name of its own and renamed, or becomes its constraint; what is
//! asked of rows comes NOT VALID and is validated; NOT NULL comes by way of a check that was validated. Invariant: what is
//! left of steps that were interrupted has a name that begins with the tool's prefix. Refuses what the server can only do under
//! a lock that is held while all rows are read. Source: PostgreSQL's manual, CREATE INDEX and ALTER TABLE (notes).

use super::alter::{create_index, is_index, own};
use super::{identifier, table};
use crate::sql::{Alteration, Attachment, AttachmentKind, Column, Online, OnlineStep, TableName};

/// A lock that is not to be had by then is tried for again, so that those who wait behind it get their turn.
pub(super) const WAIT_BRIEFLY: &str = "SET LOCAL lock_timeout = '3s'";
/// What the names of things begin with that are on their way to something else: as all of the tool's own.
const OWN_PREFIX: &str = "_trueup_";
/// The longest name that is not cut off.
const NAME_BYTES_MAX: usize = 63;

pub(super) fn online(name: &TableName, alteration: Option<&Alteration>, partitioned: bool) -> Online {
    let Some(alteration) = alteration else { return Online::Alone };
    match alteration {
        Alteration::Attach(one) => attach(name, one, partitioned),
        Alteration::Detach(one) if is_index(one) && !partitioned => {
            let sql = vec![format!("DROP INDEX CONCURRENTLY {} RESTRICT", own(name, &one.name))];
            Online::Steps(vec![OnlineStep { outside: Some(sql), ..OnlineStep::alone(alteration.clone()) }])
        }
        Alteration::Column { before, after } => column(before, after),
        Alteration::Detach(_)
        | Alteration::Rename { .. }
        | Alteration::Become { .. }
        | Alteration::Validate(_)
        | Alteration::Remake { .. }
        | Alteration::Partition(..) => Online::Alone,
        Alteration::Options { .. }
        | Alteration::Order { .. }
        | Alteration::Rebuild(_)
        | Alteration::Enum(_) => Online::Ordinary,
    }
}

fn attach(name: &TableName, one: &Attachment, partitioned: bool) -> Online {
    let is_exclusion = one.condition.as_deref().is_some_and(|words| words.starts_with("EXCLUDE"));
    match one.kind {
        AttachmentKind::Comment => Online::Alone,
        AttachmentKind::Check if is_exclusion => {
            Online::Never("an exclusion constraint is built under a lock that keeps writers out")
        }
        AttachmentKind::ForeignKey if partitioned => {
            Online::Never("a foreign key of a table with partitions is held against all rows at once")
        }
        AttachmentKind::Check | AttachmentKind::ForeignKey if !one.valid => Online::Alone,
        AttachmentKind::Check | AttachmentKind::ForeignKey => {
            let unproved = Attachment { valid: false, ..one.clone() };
            steps([Alteration::Attach(unproved.clone()), Alteration::Validate(unproved)])
        }
        AttachmentKind::PrimaryKey | AttachmentKind::Unique | AttachmentKind::Index if partitioned => {
            Online::Never("an index of a table with partitions is built under a lock that keeps writers out")
        }
        AttachmentKind::PrimaryKey | AttachmentKind::Unique | AttachmentKind::Index => index(name, one),
    }
}

fn steps(alterations: impl IntoIterator<Item = Alteration>) -> Online {
    Online::Steps(alterations.into_iter().map(OnlineStep::alone).collect())
}

/// An index that others may meet half-built has a name by which it is known to be on its way.
fn index(name: &TableName, one: &Attachment) -> Online {
    let first = Attachment { name: on_the_way(&one.name), name_made_up: false, ..one.clone() };
    let (first, last) = match is_index(one) {
        true => {
            let last = Alteration::Rename { attachment: first.clone(), name: one.name.clone() };
            (first, last)
        }
        false => {
            let timing = [" DEFERRABLE INITIALLY DEFERRED", " DEFERRABLE"];
            let storage = timing.iter().find_map(|timing| one.rest.strip_suffix(timing)).unwrap_or(&one.rest);
            let nulls = one.method.strip_prefix("UNIQUE").unwrap_or_default();
            let first = Attachment {
                kind: AttachmentKind::Unique,
                method: "USING btree".to_owned(),
                rest: format!("{nulls}{storage}"),
                ..first
            };
            let last = Alteration::Become { before: Box::new(first.clone()), after: Box::new(one.clone()) };
            (first, last)
        }
    };
    let sql = vec![
        format!("DROP INDEX CONCURRENTLY IF EXISTS {} RESTRICT", own(name, &first.name)),
        create_index(name, &first, " CONCURRENTLY"),
    ];
    let built = OnlineStep { alteration: Alteration::Attach(first), outside: Some(sql) };
    Online::Steps(vec![built, OnlineStep::alone(last)])
}

/// The statement by which an index becomes a constraint, and gets its name.
pub(super) fn becoming(name: &TableName, before: &Attachment, after: &Attachment) -> Option<String> {
    let becomes =
        is_index(before) && matches!(after.kind, AttachmentKind::PrimaryKey | AttachmentKind::Unique);
    let word = if after.kind == AttachmentKind::PrimaryKey { "PRIMARY KEY" } else { "UNIQUE" };
    let at = after.rest.find(" DEFERRABLE").unwrap_or(after.rest.len());
    (becomes && !is_index(after)).then(|| {
        format!(
            "ALTER TABLE {} ADD CONSTRAINT {} {word} USING INDEX {}{}",
            table(name),
            identifier(&after.name),
            identifier(&before.name),
            &after.rest[at..]
        )
    })
}

fn on_the_way(name: &str) -> String {
    let mut own = format!("{OWN_PREFIX}{name}");
    let end = (0..=NAME_BYTES_MAX.min(own.len())).rev().find(|end| own.is_char_boundary(*end));
    own.truncate(end.unwrap_or_default());
    own
}

fn column(before: &Column, after: &Column) -> Online {
    if before.words.collation != after.words.collation {
        return Online::Never("a column that gets another collation has its indexes built anew under a lock");
    }
    if !before.nullable || after.nullable || super::alter::rewrites(before, after) {
        return Online::Alone;
    }
    let check = Attachment {
        condition: Some(format!("CHECK (({} IS NOT NULL))", identifier(&after.name))),
        valid: false,
        ..Attachment::over(AttachmentKind::Check, on_the_way(&after.name), std::slice::from_ref(&after.name))
    };
    let check = Attachment { parts: Vec::new(), ..check };
    let filled = Column { nullable: false, ..before.clone() };
    let mut way = vec![
        Alteration::Attach(check.clone()),
        Alteration::Validate(check.clone()),
        Alteration::Column { before: Box::new(before.clone()), after: Box::new(filled.clone()) },
        Alteration::Detach(Attachment { valid: true, ..check }),
    ];
    if filled != *after {
        let (before, after) = (Box::new(filled), Box::new(after.clone()));
        way.push(Alteration::Column { before, after });
    }
    steps(way)
}
