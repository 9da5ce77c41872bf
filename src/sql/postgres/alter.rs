//! Changes of tables that are there.
//!
//! Invariant: what is attached is read back by the catalog as the same [`Attachment`], and a column becomes what was
//! asked for in one statement. Refuses what takes more: expressions of generated columns, words of enums.

use super::define::column_default;
use super::literal::quoted;
use super::{identifier, numbers, table};
use crate::sql::{
    Alteration, Attachment, AttachmentKind, AttachmentPart, Column, DefaultKind, Generated, Partition,
    TableName,
};
use crate::value::Type;

/// A table whose deferred constraints wait to be checked cannot be altered.
const CHECK_NOW: &str = "SET CONSTRAINTS ALL IMMEDIATE";

pub(super) fn alter(name: &TableName, alteration: &Alteration) -> Option<Vec<String>> {
    let sql = match alteration {
        Alteration::Attach(attachment) => attach(name, attachment),
        Alteration::Detach(attachment) => detach(name, attachment),
        Alteration::Rename { attachment, name: to } => match is_index(attachment) {
            true => {
                format!("ALTER INDEX {} RENAME TO {}", own(name, &attachment.name), identifier(to))
            }
            false => format!(
                "ALTER TABLE {} RENAME CONSTRAINT {} TO {}",
                table(name),
                identifier(&attachment.name),
                identifier(to)
            ),
        },
        Alteration::Become { before, after } => super::online::becoming(name, before, after)?,
        Alteration::Validate(attachment) => {
            format!("ALTER TABLE {} VALIDATE CONSTRAINT {}", table(name), identifier(&attachment.name))
        }
        Alteration::Column { before, after } => {
            let mut sql = vec![CHECK_NOW.to_owned()];
            sql.extend(column(name, before, after)?);
            return Some(sql);
        }
        Alteration::Enum(change) => return super::enumeration::alter(change),
        Alteration::Partition(partition, true) => format!("DROP TABLE {} RESTRICT", table(&partition.name)),
        Alteration::Partition(partition, false) => {
            let Partition { name: part, parent, bounds, by } = partition;
            let by = by.as_ref().map(|by| format!(" PARTITION BY {by}")).unwrap_or_default();
            let parent = parent.as_ref().unwrap_or(name);
            format!("CREATE TABLE {} PARTITION OF {} {bounds}{by}", table(part), table(parent))
        }
        Alteration::Remake { after, .. } => return Some(remade(name, after)),
        Alteration::Options { .. } | Alteration::Order { .. } | Alteration::Rebuild(_) => return None,
    };
    Some(vec![CHECK_NOW.to_owned(), sql])
}

/// Whether it is an index and no constraint.
pub(super) fn is_index(attachment: &Attachment) -> bool {
    attachment.method.starts_with("USING ")
}

/// The qualified name of what stands in the table's schema.
pub(super) fn own(table_name: &TableName, name: &str) -> String {
    table(&TableName { schema: table_name.schema.clone(), name: name.to_owned() })
}

fn attach(name: &TableName, attachment: &Attachment) -> String {
    let Attachment { kind, method, rest, .. } = attachment;
    // A name that the server made up, it makes up again.
    let given = if attachment.name_made_up { "" } else { attachment.name.as_str() };
    let condition = attachment.condition.as_deref();
    if *kind == AttachmentKind::Comment {
        // Comments hold no NUL, which is all that cannot be quoted.
        let words = condition.and_then(|words| quoted(words).ok()).unwrap_or_else(|| "NULL".to_owned());
        return format!("COMMENT ON {} IS {words}", commented(name, attachment));
    }
    if is_index(attachment) {
        return create_index(name, attachment, "");
    }
    let given = if given.is_empty() { String::new() } else { format!("CONSTRAINT {} ", identifier(given)) };
    let definition = match (kind, &attachment.target) {
        (AttachmentKind::ForeignKey, Some(target)) => {
            let columns: Vec<String> = target.columns.iter().map(|name| identifier(name)).collect();
            let to = format!("{} ({})", table(&target.table), columns.join(", "));
            format!("FOREIGN KEY ({}) REFERENCES {to}{rest}", parts(attachment))
        }
        (AttachmentKind::Check, _) => condition.unwrap_or_default().to_owned(),
        _ => format!("{method} ({}){}{rest}", parts(attachment), included(attachment)),
    };
    let unproved = if attachment.valid { "" } else { " NOT VALID" };
    format!("ALTER TABLE {} ADD {given}{definition}{unproved}", table(name))
}

/// CREATE INDEX; `how`: a word behind it.
pub(super) fn create_index(name: &TableName, attachment: &Attachment, how: &str) -> String {
    let Attachment { kind, method, rest, .. } = attachment;
    let unique = if *kind == AttachmentKind::Unique { "UNIQUE " } else { "" };
    let given = match attachment.name_made_up || attachment.name.is_empty() {
        true => String::new(),
        false => format!("{} ", identifier(&attachment.name)),
    };
    let partial =
        attachment.condition.as_ref().map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
    format!(
        "CREATE {unique}INDEX{how} {given}ON {} {method} ({}){}{rest}{partial}",
        table(name),
        parts(attachment),
        included(attachment)
    )
}

fn detach(name: &TableName, attachment: &Attachment) -> String {
    match attachment.kind {
        AttachmentKind::Comment => format!("COMMENT ON {} IS NULL", commented(name, attachment)),
        _ if is_index(attachment) => format!("DROP INDEX {} RESTRICT", own(name, &attachment.name)),
        _ => format!("ALTER TABLE {} DROP CONSTRAINT {} RESTRICT", table(name), identifier(&attachment.name)),
    }
}

fn commented(name: &TableName, attachment: &Attachment) -> String {
    match attachment.columns.first() {
        Some(column) => format!("COLUMN {}.{}", table(name), identifier(column)),
        None => format!("TABLE {}", table(name)),
    }
}

fn parts(attachment: &Attachment) -> String {
    let part = |part: &AttachmentPart| match part {
        AttachmentPart::Column { name, suffix } => format!("{}{suffix}", identifier(name)),
        AttachmentPart::Expression(sql) => sql.clone(),
    };
    let parts: Vec<String> = attachment.parts.iter().map(part).collect();
    parts.join(", ")
}

fn included(attachment: &Attachment) -> String {
    let names: Vec<String> = attachment.included.iter().map(|name| identifier(name)).collect();
    if names.is_empty() { String::new() } else { format!(" INCLUDE ({})", names.join(", ")) }
}

/// All that becomes another in a column, what numbers it by itself. `None` where that is more than its type, collation,
/// default and whether it takes NULL.
fn column(name: &TableName, before: &Column, after: &Column) -> Option<Vec<String>> {
    if before.words.generated != after.words.generated
        || before.generated != after.generated
        || is_other_list(before, after)
    {
        return None;
    }
    let column = identifier(&after.name);
    let mut actions = Vec::new();
    let becomes_another = before.column_type.declared != after.column_type.declared
        || before.words.collation != after.words.collation;
    let (was, is) = (column_default(before), column_default(after));
    if was.is_some() && (was != is || becomes_another) {
        actions.push(format!("ALTER COLUMN {column} DROP DEFAULT"));
    }
    if becomes_another {
        let declared = &after.column_type.declared;
        let collation = after
            .words
            .collation
            .as_ref()
            .map(|collation| format!(" COLLATE {collation}"))
            .unwrap_or_default();
        // A cast that is asked for would cut texts off without a word; one that is made by itself refuses them.
        let is_kind = std::mem::discriminant(&before.column_type.meaning)
            == std::mem::discriminant(&after.column_type.meaning);
        let by = match (&before.column_type.meaning, is_kind) {
            // No enum becomes another, nor a list of one, but by its words.
            (Type::Enum { .. }, true) => format!(" USING {column}::text::{declared}"),
            (_, true) => String::new(),
            (_, false) => format!(" USING {column}::{declared}"),
        };
        actions.push(format!("ALTER COLUMN {column} TYPE {declared}{collation}{by}"));
    }
    if let Some(default) = is.filter(|is| Some(is) != was.as_ref() || becomes_another) {
        actions.push(format!("ALTER COLUMN {column} SET DEFAULT {default}"));
    }
    if before.nullable != after.nullable {
        let word = if after.nullable { "DROP" } else { "SET" };
        actions.push(format!("ALTER COLUMN {column} {word} NOT NULL"));
    }
    let other = (!actions.is_empty()).then(|| format!("ALTER TABLE {} {}", table(name), actions.join(", ")));
    numbers::renumber(name, before, after, other)
}

/// A column that is computed goes and comes again.
fn remade(name: &TableName, after: &Column) -> Vec<String> {
    let dropped = format!("ALTER TABLE {} DROP COLUMN {} RESTRICT", table(name), identifier(&after.name));
    vec![CHECK_NOW.to_owned(), dropped, super::define::add_column(name, after)]
}

/// Enums of one name and other words.
fn is_other_list(before: &Column, after: &Column) -> bool {
    let same_name = before.column_type.declared == after.column_type.declared;
    same_name && before.column_type.meaning != after.column_type.meaning
}

/// Whether all rows are written anew: not where a limit only grows.
pub(super) fn rewrites(before: &Column, after: &Column) -> bool {
    if before.column_type.declared == after.column_type.declared {
        return false;
    }
    let grows = |was: &Option<u64>, is: &Option<u64>| match (was, is) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(was), Some(is)) => was <= is,
    };
    match (&before.column_type.meaning, &after.column_type.meaning) {
        (Type::Text { chars_max: was, fixed: false }, Type::Text { chars_max: is, fixed: false }) => {
            !grows(was, is)
        }
        (
            Type::Decimal { precision: Some(was), scale: was_scale },
            Type::Decimal { precision: Some(is), scale: is_scale },
        ) => was_scale != is_scale || was > is,
        (Type::Decimal { .. }, Type::Decimal { precision: None, .. }) => false,
        (Type::Time { digits: was }, Type::Time { digits: is })
        | (Type::DateTime { digits: was }, Type::DateTime { digits: is })
        | (Type::Instant { digits: was }, Type::Instant { digits: is }) => was > is,
        _ => true,
    }
}

/// Defaults that are one value for all rows of a statement, beside literals.
const STABLE: [&str; 6] = [
    "now()",
    "CURRENT_TIMESTAMP",
    "CURRENT_DATE",
    "LOCALTIMESTAMP",
    "CURRENT_USER",
    "transaction_timestamp()",
];

/// Whether a column that comes has a value of its own for every row, which is written at once.
pub(super) fn rewrites_to_add(column: &Column) -> bool {
    let is_stored = column.generated == Some(Generated::Stored);
    let is_volatile = match (&column.words.default, &column.default) {
        (Some(words), Some(DefaultKind::Expression(_))) => !STABLE.contains(&words.as_str()),
        _ => false,
    };
    is_stored || is_volatile || column.identity.is_some()
}
