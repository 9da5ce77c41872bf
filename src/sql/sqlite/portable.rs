//! Keys, indexes and foreign keys as other engines have them too.
//!
//! Invariant: what is adopted is read back from the table's texts as the same [`Attachment`].

use super::super::portable::{action_words, actions};
use super::super::{Attachment, AttachmentKind, AttachmentPart, Portable, PortablePart, Ported};

pub(super) fn portable(attachment: &Attachment) -> Result<Ported, &'static str> {
    match attachment.kind {
        AttachmentKind::Check => return Err("its condition is SQLite's own SQL"),
        AttachmentKind::Comment => return Err("comments are not carried over"),
        AttachmentKind::PrimaryKey
        | AttachmentKind::Unique
        | AttachmentKind::Index
        | AttachmentKind::ForeignKey => {}
    }
    if attachment.condition.is_some() {
        return Err("it is about some of the rows alone (WHERE)");
    }
    let parts: Result<Vec<PortablePart>, &'static str> = attachment.parts.iter().map(part).collect();
    let mut kept = Portable::over(attachment.kind, parts?);
    let mut lost = Vec::new();
    if attachment.kind == AttachmentKind::ForeignKey {
        let (on_delete, on_update, other) = actions(&attachment.rest);
        kept.target.clone_from(&attachment.target);
        (kept.on_delete, kept.on_update) = (on_delete, on_update);
        kept.deferred = other.contains("DEFERRABLE");
    } else if !attachment.rest.replace("AUTOINCREMENT", "").trim().is_empty() {
        lost.push("what it does on conflict");
    }
    Ok(Ported { kept, lost })
}

fn part(part: &AttachmentPart) -> Result<PortablePart, &'static str> {
    let AttachmentPart::Column { name, suffix } = part else { return Err("it is over an expression") };
    let descending = match suffix.as_str() {
        "" => false,
        "DESC" => true,
        _ => return Err("it has a collation of its own"),
    };
    Ok(PortablePart { name: name.clone(), descending })
}

/// A unique key becomes an index of its own: that comes and goes without making the table anew. One that comes with its
/// table stands in it, for other tables may point at it before there are rows. Primary and foreign keys have no names.
pub(super) fn adopted(portable: &Portable, name: &str, created: bool) -> Attachment {
    let descends = portable.parts.iter().any(|part| part.descending);
    let is_unique = portable.kind == AttachmentKind::Unique;
    let is_constraint = is_unique && created && !descends;
    let is_index = portable.kind == AttachmentKind::Index || is_unique && !is_constraint;
    let has_name = is_unique || is_index;
    let mut made = Attachment::over(portable.kind, if has_name { name } else { "" }, &portable.columns());
    made.name_made_up = !has_name;
    let part = |part: &PortablePart| AttachmentPart::Column {
        name: part.name.clone(),
        suffix: if part.descending { "DESC".to_owned() } else { String::new() },
    };
    if is_constraint {
        made.method = "CONSTRAINT".to_owned();
    }
    if is_index {
        made.parts = portable.parts.iter().map(part).collect();
        made.text = Some(String::new());
    }
    if portable.kind == AttachmentKind::ForeignKey {
        made.target.clone_from(&portable.target);
        let mut words = Vec::new();
        for (event, action) in [("DELETE", portable.on_delete), ("UPDATE", portable.on_update)] {
            words.extend(action_words(action).map(|action| format!("ON {event} {action}")));
        }
        words.extend(portable.deferred.then(|| "DEFERRABLE INITIALLY DEFERRED".to_owned()));
        made.rest = words.join(" ");
    }
    made
}

/// SQLite keeps names that begin so for itself.
pub(super) fn fits_name(name: &str) -> bool {
    let own = name.get(..7).is_some_and(|begin| begin.eq_ignore_ascii_case("sqlite_"));
    !name.is_empty() && !own && !name.contains('\0')
}
