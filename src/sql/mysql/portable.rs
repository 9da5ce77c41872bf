//! Keys, indexes and foreign keys as other engines have them too.
//!
//! Invariant: what is adopted is read back from the table's definition as the same [`Attachment`].

use super::super::portable::{action_words, actions};
use super::super::{
    Attachment, AttachmentKind, AttachmentPart, Column, ForeignKeyAction, Portable, PortablePart, Ported,
};
use super::{Family, literal};
use crate::value::Type;

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 64;
/// The longest key of InnoDB.
const KEY_BYTES_MAX: u64 = 3_072;
/// The most columns of a key.
const KEY_COLUMNS_MAX: usize = 16;

pub(super) fn portable(attachment: &Attachment) -> Result<Ported, &'static str> {
    match attachment.kind {
        AttachmentKind::Check => return Err("its condition is this engine's own SQL"),
        AttachmentKind::Comment => return Err("comments are not carried over"),
        AttachmentKind::PrimaryKey
        | AttachmentKind::Unique
        | AttachmentKind::Index
        | AttachmentKind::ForeignKey => {}
    }
    let parts: Result<Vec<PortablePart>, &'static str> = attachment.parts.iter().map(part).collect();
    let mut kept = Portable::over(attachment.kind, parts?);
    let mut lost = Vec::new();
    if attachment.kind == AttachmentKind::ForeignKey {
        let (on_delete, on_update, _) = actions(&attachment.rest);
        // The family refuses at once, by whichever word.
        let known = |action: ForeignKeyAction| {
            if action.carries() { action } else { ForeignKeyAction::NoAction }
        };
        kept.target.clone_from(&attachment.target);
        (kept.on_delete, kept.on_update) = (known(on_delete), known(on_update));
        return Ok(Ported { kept, lost });
    }
    match attachment.method.as_str() {
        "" | "USING BTREE" | "USING HASH" => {}
        _ => return Err("it is kept in a way that this engine alone has"),
    }
    if attachment.rest.contains("WITHOUT OVERLAPS") {
        return Err("it is about periods (WITHOUT OVERLAPS)");
    }
    if attachment.rest.contains("COMMENT") {
        lost.push("its comment");
    }
    if attachment.rest.contains("INVISIBLE") {
        lost.push("that it is not used (INVISIBLE, IGNORED)");
    }
    Ok(Ported { kept, lost })
}

fn part(part: &AttachmentPart) -> Result<PortablePart, &'static str> {
    let AttachmentPart::Column { name, suffix } = part else { return Err("it is over an expression") };
    let descending = match suffix.trim() {
        "" | "ASC" => false,
        "DESC" => true,
        _ => return Err("it is over the begin of a column"),
    };
    Ok(PortablePart { name: name.clone(), descending })
}

/// The primary key has the name that all have. `None`: an action that InnoDB does not take.
pub(super) fn adopted(portable: &Portable, name: &str) -> Option<Attachment> {
    let is_key = portable.kind == AttachmentKind::PrimaryKey;
    let mut made =
        Attachment::over(portable.kind, if is_key { "PRIMARY" } else { name }, &portable.columns());
    made.name_made_up = is_key;
    let part = |part: &PortablePart| AttachmentPart::Column {
        name: part.name.clone(),
        suffix: if part.descending { " DESC".to_owned() } else { String::new() },
    };
    if portable.kind != AttachmentKind::ForeignKey {
        made.parts = portable.parts.iter().map(part).collect();
        return Some(made);
    }
    made.target.clone_from(&portable.target);
    for (event, action) in [("DELETE", portable.on_delete), ("UPDATE", portable.on_update)] {
        match action {
            ForeignKeyAction::SetDefault => return None,
            // What holds where nothing is said.
            ForeignKeyAction::Restrict | ForeignKeyAction::NoAction => {}
            ForeignKeyAction::Cascade | ForeignKeyAction::SetNull => {
                let words = action_words(action).unwrap_or_default();
                made.rest.push_str(&format!(" ON {event} {words}"));
            }
        }
    }
    Some(made)
}

pub(super) fn fits_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().count() <= NAME_CHARS_MAX
        && !name.ends_with(' ')
        && !name.eq_ignore_ascii_case("PRIMARY")
        && name.chars().all(|c| c != '\0' && (c as u32) < 0x1_0000)
}

/// Why no key can be over these columns.
pub(super) fn no_key(columns: &[&Column]) -> Option<String> {
    if columns.len() > KEY_COLUMNS_MAX {
        return Some(format!("it is over more than {KEY_COLUMNS_MAX} columns"));
    }
    let mut bytes = 0_u64;
    for column in columns {
        let declared = &column.column_type.declared;
        let word = literal::type_word(declared);
        let is_long = word.ends_with("text") || word.ends_with("blob") || word == "json";
        if is_long || matches!(column.column_type.meaning, Type::Other) {
            return Some(format!("{} is {declared}, of which a key can hold the begin alone", column.name));
        }
        bytes = bytes.saturating_add(match &column.column_type.meaning {
            Type::Text { chars_max, .. } => chars_max.unwrap_or(KEY_BYTES_MAX).saturating_mul(4),
            Type::Bytes { bytes_max, .. } => bytes_max.unwrap_or(KEY_BYTES_MAX),
            Type::Decimal { .. } => 30,
            Type::Boolean
            | Type::Integer { .. }
            | Type::Float32
            | Type::Float64
            | Type::Enum { .. }
            | Type::Set { .. }
            | Type::Bits { .. }
            | Type::Date
            | Type::Time { .. }
            | Type::DateTime { .. }
            | Type::Instant { .. }
            | Type::Zoned { .. }
            | Type::Year => 8,
            Type::Uuid | Type::Json | Type::JsonText | Type::Address { .. } | Type::Printed | Type::Other => {
                16
            }
        });
    }
    (bytes > KEY_BYTES_MAX)
        .then(|| format!("its columns may take {bytes} bytes, and a key holds {KEY_BYTES_MAX}"))
}

/// Why the server ties no column of the one type to one of the other.
pub(super) fn no_tie(family: &Family, pointing: &Column, pointed_at: &Column) -> Option<String> {
    let kind = |column: &Column| {
        let word = literal::type_word(&column.column_type.declared);
        match &column.column_type.meaning {
            // Of texts and bytes the length may differ.
            Type::Text { .. } => "text".to_owned(),
            Type::Bytes { .. } => "bytes".to_owned(),
            Type::Integer { unsigned, .. } => format!("{word} {unsigned}"),
            Type::Boolean
            | Type::Decimal { .. }
            | Type::Float32
            | Type::Float64
            | Type::Enum { .. }
            | Type::Set { .. }
            | Type::Bits { .. }
            | Type::Date
            | Type::Time { .. }
            | Type::DateTime { .. }
            | Type::Instant { .. }
            | Type::Zoned { .. }
            | Type::Year
            | Type::Uuid
            | Type::Json
            | Type::JsonText
            | Type::Address { .. }
            | Type::Printed
            | Type::Other => column.column_type.declared.clone(),
        }
    };
    let (one, other) = (&pointing.column_type.declared, &pointed_at.column_type.declared);
    if kind(pointing) != kind(pointed_at) {
        return Some(format!("{} is {one}, and what it points at is {other}", pointing.name));
    }
    // One that is created has the collation by code point.
    let collation = |column: &Column| {
        column.words.collation.clone().unwrap_or_else(|| family.binary_collation.to_owned())
    };
    let is_text = matches!(pointing.column_type.meaning, Type::Text { .. });
    (is_text && collation(pointing) != collation(pointed_at))
        .then(|| format!("{} and what it points at have different collations", pointing.name))
}
