//! What SQLite changes of a table in place: indexes come and go, columns are added and dropped where nothing hangs on
//! them. All else is a rebuild.

use super::super::{Alteration, AttachmentPart, Column, Generated, Shape, TableName};
use super::rebuild::{index_text, is_index, statements};
use super::{column_definition, identifier, table};

/// The statements, or `None` where SQLite cannot do that in place.
pub(super) fn alter(name: &TableName, alteration: &Alteration) -> Option<Vec<String>> {
    let drop = |index: &str| {
        format!("DROP INDEX {}", table(&TableName { schema: name.schema.clone(), name: index.to_owned() }))
    };
    match alteration {
        Alteration::Attach(one) => is_index(one).then(|| vec![index_text(name, one)]),
        Alteration::Detach(one) => is_index(one).then(|| vec![drop(&one.name)]),
        Alteration::Rename { attachment, name: to } => is_index(attachment).then(|| {
            let named = super::super::Attachment { name: to.clone(), ..attachment.clone() };
            vec![drop(&attachment.name), index_text(name, &named)]
        }),
        Alteration::Rebuild(rebuild) => statements(name, rebuild),
        Alteration::Become { .. }
        | Alteration::Validate(_)
        | Alteration::Column { .. }
        | Alteration::Options { .. }
        | Alteration::Remake { .. }
        | Alteration::Enum(_)
        | Alteration::Partition(..)
        | Alteration::Order { .. } => None,
    }
}

/// Whether a column like this can be added: <https://sqlite.org/lang_altertable.html#alter_table_add_column>.
pub(super) fn adds(column: &Column) -> bool {
    let default = column.words.default.as_deref().unwrap_or("NULL");
    let constant = !default.starts_with('(') && !default.starts_with("CURRENT_");
    let filled = column.nullable || default != "NULL";
    match column.generated {
        None => constant && filled,
        Some(Generated::Virtual) => column.nullable,
        Some(Generated::Stored) => false,
    }
}

/// Whether a column can be dropped: no key, index, constraint or generated column may speak of it.
pub(super) fn drops(shape: &Shape, name: &str) -> bool {
    let is_it = |other: &str| other.eq_ignore_ascii_case(name);
    let quoted = format!("\"{}\"", name.to_ascii_lowercase().replace('"', "\"\""));
    let speaks = |column: &Column| column.words.generated.as_deref().is_some_and(|sql| sql.contains(&quoted));
    let in_part = |part: &AttachmentPart| match part {
        AttachmentPart::Column { name, .. } => is_it(name),
        AttachmentPart::Expression(sql) => sql.contains(&quoted),
    };
    !shape
        .attachments
        .iter()
        .any(|one| one.columns.iter().any(|name| is_it(name)) || one.parts.iter().any(in_part))
        && !shape.columns.iter().any(speaks)
}

/// A column as DDL says it: in the words of another SQLite, if it is from there.
pub(super) fn defined(column: &Column) -> String {
    let Some(whole) = &column.words.whole else { return column_definition(column) };
    let squeezed = |text: &str| text.to_ascii_uppercase().replace([' ', '\t', '\n'], "");
    let declared = &column.column_type.declared;
    // The type as it is written there, where that is the same.
    let rest = (0..=whole.len())
        .filter(|at| whole.is_char_boundary(*at))
        .find(|at| squeezed(&whole[..*at]) == squeezed(declared))
        .filter(|at| whole[*at..].is_empty() || whole[*at..].starts_with(' '));
    let words = match rest {
        Some(at) if !declared.is_empty() => format!("{declared}{}", &whole[at..]),
        _ => whole.clone(),
    };
    format!("{} {words}", identifier(&column.name)).trim_end().to_owned()
}
