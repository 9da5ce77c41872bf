//! Keys, indexes and foreign keys as other engines have them too.
//!
//! Invariant: what is adopted is read back by the catalog as the same [`Attachment`].

use super::super::portable::{action_words, actions};
use super::super::{Attachment, AttachmentKind, AttachmentPart, Portable, PortablePart, Ported};
use crate::value::Type;

/// The longest name that is not cut off.
const NAME_BYTES_MAX: usize = 63;
/// The most columns of an index.
const KEY_COLUMNS_MAX: usize = 32;

pub(super) fn portable(attachment: &Attachment) -> Result<Ported, &'static str> {
    match attachment.kind {
        AttachmentKind::Check => return Err("its condition is PostgreSQL's own SQL"),
        AttachmentKind::Comment => return Err("comments are not carried over"),
        AttachmentKind::PrimaryKey
        | AttachmentKind::Unique
        | AttachmentKind::Index
        | AttachmentKind::ForeignKey => {}
    }
    if attachment.condition.is_some() {
        return Err("it is about some of the rows alone (WHERE)");
    }
    if !attachment.included.is_empty() {
        return Err("it stores more columns along (INCLUDE)");
    }
    let parts: Result<Vec<PortablePart>, &'static str> = attachment.parts.iter().map(part).collect();
    let over = Portable::over(attachment.kind, parts?);
    let mut lost = Vec::new();
    if attachment.kind == AttachmentKind::ForeignKey {
        return foreign_key(attachment, over);
    }
    if format!("{}{}", attachment.method, attachment.rest).contains("NULLS NOT DISTINCT") {
        return Err("NULL equals NULL in it (NULLS NOT DISTINCT)");
    }
    match attachment.method.as_str() {
        "PRIMARY KEY" | "UNIQUE" | "USING btree" => {}
        _ => return Err("it is kept in a way that PostgreSQL alone has"),
    }
    if attachment.rest.contains("DEFERRABLE") {
        lost.push("that it may be put off (DEFERRABLE)");
    }
    Ok(Ported { kept: over, lost })
}

fn part(part: &AttachmentPart) -> Result<PortablePart, &'static str> {
    let AttachmentPart::Column { name, suffix } = part else { return Err("it is over an expression") };
    let descending = match suffix.as_str() {
        // Where NULL stands in it decides nothing but which reads it serves.
        "" | " NULLS FIRST" => false,
        " DESC" | " DESC NULLS LAST" => true,
        _ => return Err("it has a collation or an operator class of its own"),
    };
    Ok(PortablePart { name: name.clone(), descending })
}

fn foreign_key(attachment: &Attachment, over: Portable) -> Result<Ported, &'static str> {
    let (on_delete, on_update, other) = actions(&attachment.rest);
    let mut lost = Vec::new();
    if other.contains('(') {
        return Err("it sets some of its columns alone to NULL");
    }
    if other.contains("NOT ENFORCED") {
        return Err("it is not enforced");
    }
    if other.contains("MATCH FULL") && attachment.parts.len() > 1 {
        lost.push("that all or none of its columns are NULL (MATCH FULL)");
    }
    let deferred = other.contains("INITIALLY DEFERRED");
    if other.contains("DEFERRABLE") && !deferred {
        lost.push("that it may be put off (DEFERRABLE)");
    }
    let kept = Portable { target: attachment.target.clone(), on_delete, on_update, deferred, ..over };
    Ok(Ported { kept, lost })
}

pub(super) fn adopted(portable: &Portable, name: &str) -> Attachment {
    let part = |part: &PortablePart| AttachmentPart::Column {
        name: part.name.clone(),
        suffix: if part.descending { " DESC".to_owned() } else { String::new() },
    };
    let descends = portable.parts.iter().any(|part| part.descending);
    let columns = portable.columns();
    let mut made = Attachment::over(portable.kind, name, &columns);
    match portable.kind {
        AttachmentKind::PrimaryKey => {
            made.method = "PRIMARY KEY".to_owned();
            made.name_made_up = true;
        }
        // A constraint has no directions.
        AttachmentKind::Unique if !descends => made.method = "UNIQUE".to_owned(),
        AttachmentKind::Unique | AttachmentKind::Index => {
            made.method = "USING btree".to_owned();
            made.parts = portable.parts.iter().map(part).collect();
        }
        AttachmentKind::ForeignKey => {
            made.target.clone_from(&portable.target);
            for (event, action) in [("UPDATE", portable.on_update), ("DELETE", portable.on_delete)] {
                if let Some(words) = action_words(action) {
                    made.rest.push_str(&format!(" ON {event} {words}"));
                }
            }
            if portable.deferred {
                made.rest.push_str(" DEFERRABLE INITIALLY DEFERRED");
            }
        }
        AttachmentKind::Check | AttachmentKind::Comment => {}
    }
    made
}

pub(super) fn fits_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains('\0')
}

/// Why no index can be over columns of these types.
pub(super) fn no_key(meanings: &[&Type]) -> Option<String> {
    if meanings.len() > KEY_COLUMNS_MAX {
        return Some(format!("it is over more than {KEY_COLUMNS_MAX} columns"));
    }
    let json = meanings.iter().any(|meaning| **meaning == Type::JsonText);
    json.then(|| "no value of json equals another".to_owned())
}
