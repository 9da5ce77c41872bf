//! One alteration of a table that is there as a structural change: what it is called, what it says to people, and
//! what must be allowed first.
//!
//! Owns the hazards of alterations: they come from what changes, never from the text of a statement.

use crate::spec::{
    ACQUIRES_ACCESS_EXCLUSIVE_LOCK, CONSTRAINT_DROPPED, DELETES_DATA, INDEX_DROPPED, NARROWS_TYPE, OWN_PREFIX,
};
use crate::sql::{
    Alteration, Attachment, AttachmentKind, Column, Dialect, EnumChange, NumberedBy, Shape, TableName,
};

use super::change::{Commit, Hazard, SchemaAction, SchemaChange};
use super::structure::described;
use super::widening::holds;

/// The change that an alteration is; `None` where the engine cannot make it in place.
pub fn altered(dialect: &dyn Dialect, table: &TableName, alteration: Alteration) -> Option<SchemaChange> {
    let sql = dialect.alter(table, &alteration)?;
    let text = |attachment: &Attachment| {
        Some(defined(dialect, dialect.alter(table, &Alteration::Attach(attachment.clone()))))
    };
    let object = |attachment: &Attachment| match attachment.name.as_str() {
        "" => format!("{} ({})", table.name, attachment.columns.join(", ")),
        name => format!("{}.{name}", table.name),
    };
    let (action, object, before, after) = match &alteration {
        Alteration::Attach(one) => (SchemaAction::Add(one.kind), object(one), None, text(one)),
        Alteration::Detach(one) => (SchemaAction::Drop(one.kind), object(one), text(one), None),
        Alteration::Rename { attachment, name } => {
            let named = Attachment { name: name.clone(), ..attachment.clone() };
            (SchemaAction::Rename(attachment.kind), object(attachment), text(attachment), text(&named))
        }
        Alteration::Become { before, after } => {
            (SchemaAction::Add(after.kind), object(after), text(before), text(after))
        }
        Alteration::Validate(one) => {
            let [before, after] = [false, true].map(|valid| text(&Attachment { valid, ..one.clone() }));
            (SchemaAction::Add(one.kind), object(one), before, after)
        }
        Alteration::Column { before, after } | Alteration::Remake { before, after, .. } => {
            let object = format!("{}.{}", table.name, after.name);
            let text = |column: &Column| Some(described(dialect, column));
            (SchemaAction::AlterColumn, object, text(before), text(after))
        }
        Alteration::Options { before, after } => {
            (SchemaAction::AlterTable, table.name.clone(), Some(before.clone()), Some(after.clone()))
        }
        Alteration::Order { before, after, .. } => {
            let names = |names: &[String]| Some(format!("columns in the order {}", names.join(", ")));
            (SchemaAction::AlterTable, table.name.clone(), names(before), names(after))
        }
        Alteration::Rebuild(rebuild) => {
            let (before, after) = (rebuild.before.text.clone(), rebuild.after.text.clone());
            (SchemaAction::RebuildTable, table.name.clone(), Some(before), Some(after))
        }
        Alteration::Partition(partition, goes) => {
            let made = dialect.alter(table, &Alteration::Partition(partition.clone(), false));
            let text = Some(defined(dialect, made));
            match goes {
                false => (SchemaAction::AddPartition, partition.name.name.clone(), None, text),
                true => (SchemaAction::DropPartition, partition.name.name.clone(), text, None),
            }
        }
        Alteration::Enum(change) => {
            let text =
                |words: &Option<Vec<String>>| words.as_ref().map(|words| listed(&change.printed, words));
            (enum_action(change), change.printed.clone(), text(&change.before), text(&change.after))
        }
    };
    let hazards = hazards(dialect, &alteration);
    let alteration = Some(alteration);
    Some(SchemaChange {
        action,
        object,
        sql,
        before,
        after,
        hazards,
        withheld: false,
        alteration,
        behind_rows: false,
        commit: Commit::Together,
        step_of: None,
    })
}

/// The statements that say what something is, for people: without the one that only makes way for them.
fn defined(dialect: &dyn Dialect, made: Option<Vec<String>>) -> String {
    let makes_way = dialect.constraint_checks().hold;
    let mut made = made.unwrap_or_default();
    made.retain(|sql| Some(sql.as_str()) != makes_way);
    made.join(";\n")
}

fn hazards(dialect: &dyn Dialect, alteration: &Alteration) -> Vec<Hazard> {
    let hazard = |name: &str, message: String| Hazard { name: name.to_owned(), message, rows: None };
    match alteration {
        Alteration::Detach(one) if one.kind == AttachmentKind::Comment => Vec::new(),
        // It was there only on the way to something else.
        Alteration::Detach(one) if one.name.starts_with(OWN_PREFIX) => Vec::new(),
        Alteration::Detach(one) => {
            let what = format!("drops the {} {}", one.kind.words(), named(one));
            match one.kind {
                AttachmentKind::Index => vec![hazard(INDEX_DROPPED, what)],
                _ => vec![hazard(CONSTRAINT_DROPPED, what)],
            }
        }
        Alteration::Column { before, after } => {
            let (was, is) = (&before.column_type, &after.column_type);
            let mut hazards = Vec::new();
            if was != is && !holds(&is.meaning, &was.meaning) {
                let what = format!("{} is {} and becomes {}", after.name, was.declared, is.declared);
                hazards.push(hazard(NARROWS_TYPE, what));
            }
            if dialect.rewrites(before, after) {
                let what = format!("writes all rows anew to change {}", after.name);
                hazards.push(hazard(ACQUIRES_ACCESS_EXCLUSIVE_LOCK, what));
            }
            if before.words.check.is_some() && before.words.check != after.words.check {
                let what = format!("drops the check of the column {}", after.name);
                hazards.push(hazard(CONSTRAINT_DROPPED, what));
            }
            hazards
        }
        Alteration::Remake { after, .. } => {
            let what = format!("drops the column {} and computes it anew for all rows", after.name);
            vec![hazard(ACQUIRES_ACCESS_EXCLUSIVE_LOCK, what)]
        }
        Alteration::Order { moved, .. } => {
            let names: Vec<&str> = moved.iter().map(|column| column.name.as_str()).collect();
            let what = format!("writes all rows anew to move {}", names.join(", "));
            vec![hazard(ACQUIRES_ACCESS_EXCLUSIVE_LOCK, what)]
        }
        Alteration::Options { before, after } if dialect.options_rewrite(before, after) => {
            vec![hazard(
                ACQUIRES_ACCESS_EXCLUSIVE_LOCK,
                "writes all rows anew to change its options".to_owned(),
            )]
        }
        Alteration::Options { .. } => Vec::new(),
        Alteration::Enum(change) => enum_hazards(change),
        Alteration::Partition(_, false) => Vec::new(),
        Alteration::Partition(partition, true) => {
            vec![hazard(DELETES_DATA, format!("drops the partition {}", partition.name))]
        }
        Alteration::Rebuild(rebuild) => rebuilding(&rebuild.before, &rebuild.after),
        Alteration::Attach(one) if dialect.rewrites_to_attach(one) => {
            let what = format!("writes all rows anew to add the {} {}", one.kind.words(), named(one));
            vec![hazard(ACQUIRES_ACCESS_EXCLUSIVE_LOCK, what)]
        }
        Alteration::Attach(_)
        | Alteration::Rename { .. }
        | Alteration::Become { .. }
        | Alteration::Validate(_) => Vec::new(),
    }
}

fn enum_action(change: &EnumChange) -> SchemaAction {
    match (&change.before, &change.after) {
        (None, _) => SchemaAction::CreateType,
        (_, None) => SchemaAction::DropType,
        _ if change.coming().is_some() => SchemaAction::AddEnumValue,
        _ if change.going().is_empty() => SchemaAction::AlterType,
        _ => SchemaAction::DropEnumValue,
    }
}

/// An enum type with its words, for people.
fn listed(printed: &str, words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', "''"))).collect();
    format!("CREATE TYPE {printed} AS ENUM (\n    {}\n)", words.join(",\n    "))
}

fn enum_hazards(change: &EnumChange) -> Vec<Hazard> {
    let hazard = |name: &str, message: String| Hazard { name: name.to_owned(), message, rows: None };
    let rewrites = || {
        let what = format!("writes all rows of the tables with {} anew", change.printed);
        hazard(ACQUIRES_ACCESS_EXCLUSIVE_LOCK, what)
    };
    match enum_action(change) {
        SchemaAction::AlterType => vec![rewrites()],
        SchemaAction::DropEnumValue => {
            let words: Vec<String> = change.going().iter().map(|word| format!("'{word}'")).collect();
            let what = format!("{} loses {}: values that hold it", change.printed, words.join(", "));
            vec![hazard(NARROWS_TYPE, what), rewrites()]
        }
        _ => Vec::new(),
    }
}

/// Of all that goes with the table as it was, and of writing all rows anew.
pub(super) fn rebuilding(before: &Shape, after: &Shape) -> Vec<Hazard> {
    let hazard = |name: &str, message: String| Hazard { name: name.to_owned(), message, rows: None };
    let mut hazards = Vec::new();
    for one in before.attachments.iter().filter(|one| !after.attachments.iter().any(|other| one.is_as(other)))
    {
        let name = if one.kind == AttachmentKind::Index { INDEX_DROPPED } else { CONSTRAINT_DROPPED };
        hazards.push(hazard(name, format!("drops the {} {}", one.kind.words(), named(one))));
    }
    for was in &before.columns {
        let Some(is) = after.columns.iter().find(|column| column.name == was.name) else {
            hazards.push(hazard(DELETES_DATA, format!("drops the column {}", was.name)));
            continue;
        };
        let name = &is.name;
        let (was, is) = (&was.column_type, &is.column_type);
        // Without a type it holds whatever comes.
        if was != is && !is.declared.is_empty() && !holds(&is.meaning, &was.meaning) {
            let declared =
                |text: &str| if text.is_empty() { "without a type".to_owned() } else { text.to_owned() };
            let (was, is) = (declared(&was.declared), declared(&is.declared));
            hazards.push(hazard(NARROWS_TYPE, format!("{name} is {was} and becomes {is}")));
        }
    }
    let what = "writes all rows of the table anew".to_owned();
    hazards.push(hazard(ACQUIRES_ACCESS_EXCLUSIVE_LOCK, what));
    hazards
}

fn named(attachment: &Attachment) -> String {
    match attachment.name.as_str() {
        "" => format!("({})", attachment.columns.join(", ")),
        name => name.to_owned(),
    }
}

/// A column on its way from one to another: what both before and after it may hold while rows are written.
pub(super) fn between(dialect: &dyn Dialect, before: &Column, after: &Column) -> Column {
    let wider = holds(&after.column_type.meaning, &before.column_type.meaning);
    if let Some(between) = dialect.meanwhile(before, after, wider) {
        return between;
    }
    let mut between = before.clone();
    if wider {
        between.column_type = after.column_type.clone();
    }
    between.nullable = before.nullable || after.nullable;
    between.default = after.default.clone();
    between.words.default = after.words.default.clone();
    numbered_between(before, after, &mut between);
    between
}

/// What numbers a column while rows are written: nothing that forbids a number or NULL which either takes, and no default
/// beside it.
fn numbered_between(before: &Column, after: &Column, between: &mut Column) {
    let (Some(was), is) = (&before.words.numbers, &after.words.numbers) else { return };
    let loosens = match is {
        None => true,
        Some(is) if was.is_identity() && !is.is_identity() => true,
        Some(is) => was.by == NumberedBy::Always && is.by != NumberedBy::Always,
    };
    if loosens {
        (between.identity, between.words.numbers) = (after.identity, is.clone());
    } else if was.is_identity() && was.declared == before.column_type.declared {
        // The server gives the sequence the column's new type.
        between.words.numbers = Some(was.retyped(&between.column_type.declared));
    }
}
