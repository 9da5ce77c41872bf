//! Tables made anew: the text of a table as it is to be, made of the primary's own text, and the statements that put it in
//! the place of the one that is there (<https://sqlite.org/lang_altertable.html#otheralter>).
//!
//! Owns what is kept of either text: what is wanted comes from the primary's, with its comments, what only the replica
//! has from its own. Refuses to copy a value that its new column would change. Invariant: the statements run with
//! what [`BEFORE`] switches, in one transaction, and leave every row, its rowid and the mark of
//! AUTOINCREMENT as they were.

use std::ops::Range;

use super::super::{
    Attachment, AttachmentKind, AttachmentPart, Column, Identity, Rebuild, Shape, TableName, Target, Wanted,
};
use super::ddl::{self, Clause, ClauseText, ColumnText, Constraint, Rule, TableText};
use super::declared::Affinity;
use super::structure::{self, Known};
use super::tokens::Unread;
use super::{column_type, identifier, literal, table};

/// Before the transaction of a rebuild: what points at the table is left alone, and so is what other tables, views and
/// triggers say when the new one takes its name.
pub(crate) const BEFORE: &str = "PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON";
/// Behind it, however it ended.
pub(crate) const BEHIND: &str = "PRAGMA legacy_alter_table = OFF; PRAGMA foreign_keys = ON";

/// A type like INTEGER with which a primary key still takes NULL and anything else.
const NEVER_THE_ROWID: &str = "INT";

/// What a column turns values into. ANY does so in ordinary tables alone; INTEGER does what NUMERIC does.
fn affinity(declared: &str, strict: bool) -> Affinity {
    match Affinity::of(declared) {
        _ if strict && declared == "ANY" => Affinity::Blob,
        Affinity::Integer => Affinity::Numeric,
        affinity => affinity,
    }
}

/// A text with the places of what is in it.
struct Source<'a> {
    shape: &'a Shape,
    text: TableText,
}

impl<'a> Source<'a> {
    fn of(shape: &'a Shape) -> Result<Self, String> {
        let names: Vec<String> = shape.columns.iter().map(|column| column.name.clone()).collect();
        let text = ddl::table(&shape.text, &names).map_err(unread)?;
        Ok(Source { shape, text })
    }

    fn constraint(&self, constraint: &Constraint) -> Attachment {
        let parents = |_: &str| None;
        Known { columns: &self.shape.columns, parents: &parents }.constraint(constraint)
    }

    /// A part of the text with these places changed, and without the table's name before its columns.
    fn edited(&self, range: &Range<usize>, edits: &[(Range<usize>, String)]) -> String {
        let qualifiers = self.text.qualifiers.iter().map(|place| (place.clone(), String::new()));
        let mut edits: Vec<(Range<usize>, String)> = edits.iter().cloned().chain(qualifiers).collect();
        edits.sort_by_key(|(place, _)| (place.start, std::cmp::Reverse(place.end)));
        let (mut text, mut at) = (String::new(), range.start);
        for (place, words) in edits {
            // What stands in a part that is gone is gone with it.
            if place.start < at || place.end > range.end {
                continue;
            }
            text.push_str(&self.shape.text[at..place.start]);
            text.push_str(&words);
            at = place.end;
        }
        text.push_str(&self.shape.text[at..range.end]);
        text
    }
}

fn unread(why: Unread) -> String {
    format!("its text could not be read: {why}")
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// What a table is to be, by [`Dialect::shaped`](super::Dialect::shaped).
pub(super) fn shaped(name: &TableName, wanted: &Wanted<'_>) -> Result<Shape, String> {
    let model = Source::of(wanted.model)?;
    let here =
        |there: &str| wanted.columns.iter().find(|(model, _)| same(model, there)).map(|(_, here)| here);
    let mut rest: Vec<&Attachment> = wanted.attachments.iter().filter(|one| one.text.is_none()).collect();
    let mut edits = names(&model, &here);
    let mut items = Vec::new();
    for column in &model.text.columns {
        let kept = here(&column.name).is_some();
        for clause in &column.clauses {
            let Clause::Constraint(constraint) = &clause.clause else { continue };
            if !(kept && take(&model, constraint, &here, &mut rest, &mut edits)?) {
                edits.push((clause.all.clone(), String::new()));
            }
        }
        items.push((column.all.clone(), kept));
    }
    let columns = items.len();
    for constraint in &model.text.constraints {
        let kept = take(&model, &constraint.constraint, &here, &mut rest, &mut edits)?;
        items.push((constraint.all.clone(), kept));
    }
    let mut more_columns = Vec::new();
    let mut extra: Vec<Column> = Vec::new();
    if let Some(now) = wanted.now {
        let source = Source::of(now)?;
        let only_here =
            |column: &&ColumnText| !wanted.columns.iter().any(|(_, here)| same(here, &column.name));
        let stays = |column: &&ColumnText| now.columns.iter().any(|known| known.name == column.name);
        for column in source.text.columns.iter().filter(only_here).filter(stays) {
            more_columns.push(own_column(&source, column, &mut rest)?);
            extra.extend(now.columns.iter().find(|known| known.name == column.name).cloned());
        }
    }
    let more: Vec<String> = rest.iter().map(|one| rendered(one)).collect();
    let text = joined(&model, name, &edits, &items, columns, &more_columns, &more);
    let of_model = model.text.columns.iter().filter_map(|column| {
        let known = wanted.model.columns.iter().find(|known| known.name == column.name)?;
        Some(Column { name: here(&column.name)?.clone(), ..known.clone() })
    });
    let columns: Vec<Column> = of_model.chain(extra).collect();
    let attachments = wanted.attachments.iter().map(|one| match &one.text {
        Some(_) => Attachment { text: Some(index_text(name, one)), ..one.clone() },
        None => one.clone(),
    });
    finished(text, columns, attachments.collect())
}

/// The text of a table that has these columns: that of the table as it is, with other words for those that become others
/// and with those that come behind its last; or of a new one, with nothing but columns.
pub(super) fn modelled(name: &TableName, now: Option<&Shape>, columns: &[Column]) -> Result<String, String> {
    let defined = |column: &Column| super::column_definition(column);
    let Some(now) = now else {
        let lines: Vec<String> = columns.iter().map(defined).collect();
        return Ok(format!("CREATE TABLE {} (\n  {}\n)", table(name), lines.join(",\n  ")));
    };
    let source = Source::of(now)?;
    let known = |name: &str| now.columns.iter().find(|column| same(&column.name, name));
    let mut edits = Vec::new();
    for text in &source.text.columns {
        let wanted = columns.iter().find(|column| same(&column.name, &text.name));
        if let Some(wanted) = wanted.filter(|wanted| known(&text.name) != Some(wanted)) {
            edits.push((text.all.clone(), defined(wanted)));
        }
    }
    let end = source.text.columns.last().map_or(0, |column| column.all.end);
    let new = columns.iter().filter(|column| known(&column.name).is_none());
    let new: String = new.map(|column| format!(",\n  {}", defined(column))).collect();
    if !new.is_empty() {
        edits.push((end..end, new));
    }
    Ok(source.edited(&(0..now.text.len()), &edits))
}

/// The places where columns are named that have another name here.
fn names<'n>(model: &Source<'_>, here: &dyn Fn(&str) -> Option<&'n String>) -> Vec<(Range<usize>, String)> {
    let own = model.text.columns.iter().map(|column| (&column.name_at, &column.name));
    let named = own.chain(model.text.mentions.iter().map(|(place, name)| (place, name)));
    let other = named.filter_map(|(place, name)| {
        let new = here(name).filter(|new| !same(new, name))?;
        Some((place.clone(), identifier(new)))
    });
    other.collect()
}

/// Whether a constraint of the model is wanted; it is taken from those that are. What it points at may have another
/// name here.
fn take<'n>(
    model: &Source<'_>,
    constraint: &Constraint,
    here: &dyn Fn(&str) -> Option<&'n String>,
    rest: &mut Vec<&Attachment>,
    edits: &mut Vec<(Range<usize>, String)>,
) -> Result<bool, String> {
    let of_model = model.constraint(constraint);
    let translated = |name: &String| here(name).cloned().unwrap_or_else(|| name.clone());
    let part = |part: &AttachmentPart| match part {
        AttachmentPart::Column { name, suffix } => {
            AttachmentPart::Column { name: translated(name), suffix: suffix.clone() }
        }
        AttachmentPart::Expression(sql) => AttachmentPart::Expression(sql.clone()),
    };
    let one = Attachment {
        parts: of_model.parts.iter().map(part).collect(),
        columns: of_model.columns.iter().map(translated).collect(),
        target: None,
        ..of_model.clone()
    };
    let is_it = |other: &&Attachment| Attachment { target: None, ..(*other).clone() }.is_as(&one);
    let named = rest.iter().position(|other| is_it(other) && other.name == one.name);
    let Some(at) = named.or_else(|| rest.iter().position(is_it)) else { return Ok(false) };
    let found = rest.remove(at);
    if let (Some(target), Some(wanted), Rule::ForeignKey { table_at, .. }) =
        (&of_model.target, &found.target, &constraint.rule)
        && !same(&target.table.name, &wanted.table.name)
    {
        edits.push((table_at.clone(), identifier(&wanted.table.name)));
    }
    Ok(true)
}

/// A column that only the replica has, without the constraints that go.
fn own_column(
    source: &Source<'_>,
    column: &ColumnText,
    rest: &mut Vec<&Attachment>,
) -> Result<String, String> {
    let mut edits = Vec::new();
    for ClauseText { clause, all } in &column.clauses {
        let Clause::Constraint(constraint) = clause else { continue };
        let one = Attachment { target: None, ..source.constraint(constraint) };
        let is_it = |other: &&Attachment| Attachment { target: None, ..(*other).clone() }.is_as(&one);
        match rest.iter().position(is_it) {
            Some(at) => {
                rest.remove(at);
            }
            None => edits.push((all.clone(), String::new())),
        }
    }
    Ok(source.edited(&column.all, &edits))
}

/// The text put together: what stands between two parts stays with the one before.
fn joined(
    model: &Source<'_>,
    name: &TableName,
    edits: &[(Range<usize>, String)],
    items: &[(Range<usize>, bool)],
    columns: usize,
    more_columns: &[String],
    more: &[String],
) -> String {
    let text = &model.shape.text;
    let first = items.first().map_or(text.len(), |(place, _)| place.start);
    let mut head = (model.text.name.clone(), table(name));
    if let Some(schema) = &model.text.schema {
        head.0.start = schema.start;
    }
    let mut joined = model.edited(&(0..first), &[head]);
    let last_column = items[..columns].iter().rposition(|(_, kept)| *kept);
    let last = items.iter().rposition(|(_, kept)| *kept);
    let mut written = false;
    let push = |joined: &mut String, list: &[String], written: bool| {
        for (at, one) in list.iter().enumerate() {
            if written || at > 0 {
                joined.push_str(",\n  ");
            }
            joined.push_str(one);
        }
    };
    if last_column.is_none() {
        push(&mut joined, more_columns, false);
        written = !more_columns.is_empty();
        if written && last.is_some() {
            joined.push_str(",\n  ");
        }
    }
    for (at, (place, _)) in items.iter().enumerate().filter(|(_, (_, kept))| *kept) {
        joined.push_str(&model.edited(place, edits));
        if Some(at) == last_column {
            push(&mut joined, more_columns, true);
        }
        written = true;
        if Some(at) == last {
            push(&mut joined, more, true);
        }
        let end = |at: usize| items.get(at + 1).map_or(model.text.tail.start - 1, |(next, _)| next.start);
        let gap = match Some(at) == last {
            true => items.last().map_or(place.end, |(place, _)| place.end)..model.text.tail.start - 1,
            false => place.end..end(at),
        };
        joined.push_str(&text[gap]);
    }
    if last.is_none() {
        push(&mut joined, more, written);
    }
    joined.push_str(&text[model.text.tail.start - 1..]);
    joined
}

/// A shape of this text: what SQLite will say of its columns. `columns`: as they are known elsewhere.
fn finished(text: String, columns: Vec<Column>, attachments: Vec<Attachment>) -> Result<Shape, String> {
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let read = ddl::table(&text, &names).map_err(unread)?;
    if read.columns.len() != columns.len() {
        return Err("its columns could not be put together".to_owned());
    }
    let key = attachments.iter().find(|one| one.kind == AttachmentKind::PrimaryKey);
    let alias = key.and_then(|key| alias(key, &read));
    let columns = read.columns.iter().zip(columns).map(|(said, known)| {
        let words = structure::words(said);
        let whole = words.whole.as_deref().unwrap_or_default();
        let is_alias = alias.as_deref() == Some(known.name.as_str());
        let in_key = key.is_some_and(|key| key.columns.contains(&known.name));
        let not_null = said.clauses.iter().any(|clause| matches!(clause.clause, Clause::NotNull(_)));
        let changed = known.words.whole.as_deref() != Some(whole);
        Column {
            nullable: !(not_null || is_alias || in_key && (read.strict || read.without_rowid)),
            identity: is_alias.then_some(Identity::ByDefault),
            column_type: match &said.type_at {
                None => column_type(""),
                Some(_) if changed && said.declared == "ANY" => column_type(""),
                Some(_) if changed && said.declared == NEVER_THE_ROWID => column_type(NEVER_THE_ROWID),
                Some(_) => known.column_type.clone(),
            },
            default: known.default.clone().filter(|_| words.default.is_some()),
            generated: known.generated.filter(|_| words.generated.is_some()),
            collation: known.collation.clone().filter(|_| words.collation.is_some()),
            words,
            name: known.name,
        }
    });
    let options = structure::options(&read);
    Ok(Shape { columns: columns.collect(), attachments, options, text })
}

/// The column that is the rowid by another name, if there is one.
fn alias(key: &Attachment, text: &TableText) -> Option<String> {
    let [AttachmentPart::Column { name, .. }] = key.parts.as_slice() else { return None };
    let column = text.columns.iter().find(|column| same(&column.name, name))?;
    (!text.without_rowid && key.method.is_empty() && column.declared == "INTEGER").then(|| name.clone())
}

/// The shape between two, by [`Dialect::between`](super::Dialect::between): no value is refused or changed in it that is
/// not in both. Its text is the later one's, with less in it.
pub(super) fn between(name: &TableName, before: &Shape, after: &Shape) -> Result<Shape, String> {
    let (source, old) = (Source::of(after)?, Source::of(before)?);
    let strict = source.text.strict && old.text.strict;
    let key =
        |shape: &Shape| shape.attachments.iter().find(|one| one.kind == AttachmentKind::PrimaryKey).cloned();
    let (old_key, new_key) = (key(before), key(after));
    let alias_of = |key: &Option<Attachment>, text: &TableText| key.as_ref().and_then(|key| alias(key, text));
    let (old_alias, new_alias) = (alias_of(&old_key, &old.text), alias_of(&new_key, &source.text));
    let unmarked = |key: &Attachment| Attachment { rest: String::new(), ..key.clone() };
    // What numbers its rows has no room for NULL, nor for anything but numbers.
    let numbered_alike = old_alias.as_ref().map(|name| name.to_ascii_lowercase())
        == new_alias.as_ref().map(|name| name.to_ascii_lowercase());
    let key_stays = numbered_alike
        && matches!((&old_key, &new_key), (Some(old), Some(new)) if unmarked(old).is_as(&unmarked(new)));
    let without_rowid = source.text.without_rowid && old.text.without_rowid && key_stays;
    let stays = |one: &Attachment| match one.kind {
        AttachmentKind::PrimaryKey => key_stays,
        _ => before.attachments.iter().any(|other| other.is_as(one)),
    };
    let mut kept: Vec<Attachment> = after.attachments.iter().filter(|one| stays(one)).cloned().collect();
    // What a foreign key may point at stays unique, in whatever form it is so.
    let uniques: Vec<Attachment> = unique_in_both(before, after, &kept);
    let key_between = uniques.iter().find(|one| one.kind == AttachmentKind::PrimaryKey);
    let mut rest: Vec<&Attachment> = kept.iter().filter(|one| one.text.is_none()).collect();
    let here = |_: &str| None;
    let (mut edits, mut items) = (Vec::new(), Vec::new());
    for column in &source.text.columns {
        let was = old.text.columns.iter().find(|other| same(&other.name, &column.name));
        for clause in &column.clauses {
            let goes = match &clause.clause {
                Clause::Constraint(constraint) => !take(&source, constraint, &here, &mut rest, &mut edits)?,
                Clause::NotNull(_) | Clause::Generated(..) | Clause::Collate(_) | Clause::Default(_) => {
                    goes_between(&clause.clause, was)
                }
                Clause::Null => false,
            };
            if goes {
                edits.push((clause.all.clone(), String::new()));
            }
        }
        let converts = was.is_some_and(|was| {
            affinity(&was.declared, old.text.strict) != affinity(&column.declared, source.text.strict)
        });
        // What STRICT refuses, a type of the same affinity takes where the table is not STRICT; ANY means another there.
        let rigid = was.is_some_and(|was| was.declared != column.declared && strict)
            || (column.declared == "ANY" && source.text.strict && !strict);
        let is_key = key_between.is_some_and(|key| key.columns == [column.name.clone()]);
        if let Some(place) = column.type_at.clone() {
            if converts || rigid {
                edits.push((place, if strict { "ANY".to_owned() } else { String::new() }));
            } else if is_key && column.declared == "INTEGER" {
                edits.push((place, NEVER_THE_ROWID.to_owned()));
            }
        }
        items.push((column.all.clone(), true));
    }
    let columns = items.len();
    for constraint in &source.text.constraints {
        let stays = take(&source, &constraint.constraint, &here, &mut rest, &mut edits)?;
        items.push((constraint.all.clone(), stays));
    }
    let gone = old
        .text
        .columns
        .iter()
        .filter(|column| !source.text.columns.iter().any(|one| same(&one.name, &column.name)));
    let mut more_columns = Vec::new();
    let mut extra: Vec<Column> = Vec::new();
    for column in gone {
        more_columns.push(own_column(&old, column, &mut Vec::new())?);
        extra.extend(before.columns.iter().find(|known| known.name == column.name).cloned());
    }
    let more: Vec<String> = uniques.iter().map(rendered).collect();
    let text = joined(&source, name, &edits, &items, columns, &more_columns, &more);
    let names: Vec<String> = after.columns.iter().chain(&extra).map(|column| column.name.clone()).collect();
    let text = with_options(&text, &names, strict, without_rowid)?;
    kept.extend(uniques);
    let columns = after.columns.iter().cloned().chain(extra).collect();
    finished(text, columns, kept)
}

/// Whether a clause of a column is not heeded yet while rows are written. `was`: the column as it is now.
fn goes_between(clause: &Clause, was: Option<&ColumnText>) -> bool {
    let had = |wanted: &Clause| was.is_some_and(|was| was.clauses.iter().any(|one| one.clause == *wanted));
    match clause {
        Clause::NotNull(_) => {
            !was.is_some_and(|was| was.clauses.iter().any(|one| matches!(one.clause, Clause::NotNull(_))))
        }
        Clause::Collate(_) => !had(clause),
        // An ordinary column's values are not computed before they are written.
        Clause::Generated(..) => {
            was.is_some_and(|was| !was.clauses.iter().any(|one| matches!(one.clause, Clause::Generated(..))))
        }
        // Rows that are there would have it in place of what they are to get.
        Clause::Default(_) => was.is_none(),
        Clause::Null | Clause::Constraint(_) => false,
    }
}

/// Keys that both have over the same columns, in different forms, of which nothing is kept.
fn unique_in_both(before: &Shape, after: &Shape, kept: &[Attachment]) -> Vec<Attachment> {
    let is_key = |one: &&Attachment| {
        matches!(one.kind, AttachmentKind::PrimaryKey | AttachmentKind::Unique) && one.is_plain()
    };
    let sorted = |one: &Attachment| {
        let mut columns: Vec<String> = one.columns.iter().map(|name| name.to_ascii_lowercase()).collect();
        columns.sort();
        columns
    };
    let is_over = |list: &[Attachment], one: &Attachment| {
        list.iter().filter(is_key).any(|other| sorted(other) == sorted(one))
    };
    let mut uniques: Vec<Attachment> = Vec::new();
    for one in before.attachments.iter().filter(is_key) {
        if is_over(&after.attachments, one) && !is_over(kept, one) && !is_over(&uniques, one) {
            uniques.push(unique_between(one, after));
        }
    }
    uniques
}

/// A key of both shapes in a form that is neither's. The primary key stays one where it is over the same columns in order:
/// foreign keys that name no columns point at it.
fn unique_between(one: &Attachment, after: &Shape) -> Attachment {
    let is_primary = |other: &&Attachment| other.kind == AttachmentKind::PrimaryKey;
    let stays_primary = one.kind == AttachmentKind::PrimaryKey
        && after.attachments.iter().find(is_primary).is_some_and(|other| other.columns == one.columns);
    let kind = if stays_primary { AttachmentKind::PrimaryKey } else { AttachmentKind::Unique };
    let method = if stays_primary { "" } else { "CONSTRAINT" };
    Attachment { method: method.to_owned(), name_made_up: true, ..Attachment::over(kind, "", &one.columns) }
}

/// The text with these options and no others.
fn with_options(text: &str, names: &[String], strict: bool, without_rowid: bool) -> Result<String, String> {
    let read = ddl::table(text, names).map_err(unread)?;
    if (read.strict, read.without_rowid) == (strict, without_rowid) {
        return Ok(text.to_owned());
    }
    let words = [(strict, "STRICT"), (without_rowid, "WITHOUT ROWID")];
    let words: Vec<&str> = words.into_iter().filter_map(|(has, word)| has.then_some(word)).collect();
    Ok(format!("{} {}", &text[..read.tail.start], words.join(", ")).trim_end().to_owned())
}

/// A constraint behind the columns.
fn rendered(one: &Attachment) -> String {
    let name = match one.name.as_str() {
        "" => String::new(),
        name => format!("CONSTRAINT {} ", identifier(name)),
    };
    let parts = || parts(one);
    let columns = |names: &[String]| names.iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", ");
    let (counted, conflict) = match one.rest.strip_prefix("AUTOINCREMENT") {
        Some(rest) => (" AUTOINCREMENT", rest.trim()),
        None => ("", one.rest.as_str()),
    };
    let sql = match one.kind {
        AttachmentKind::PrimaryKey => format!("PRIMARY KEY ({}{counted}) {conflict}", parts()),
        AttachmentKind::Unique => format!("UNIQUE ({}) {}", parts(), one.rest),
        AttachmentKind::Check => format!("CHECK ({})", one.condition.as_deref().unwrap_or("1")),
        AttachmentKind::ForeignKey => {
            let nowhere = Target { table: TableName::plain(""), columns: Vec::new() };
            let target = one.target.as_ref().unwrap_or(&nowhere);
            let referenced = match target.columns.is_empty() {
                true => String::new(),
                false => format!(" ({})", columns(&target.columns)),
            };
            let to = identifier(&target.table.name);
            format!("FOREIGN KEY ({}) REFERENCES {to}{referenced} {}", columns(&one.columns), one.rest)
        }
        AttachmentKind::Index | AttachmentKind::Comment => String::new(),
    };
    format!("{name}{}", sql.trim_end())
}

fn parts(one: &Attachment) -> String {
    let part = |part: &AttachmentPart| match part {
        AttachmentPart::Column { name, suffix } => {
            format!("{} {suffix}", identifier(name)).trim_end().to_owned()
        }
        AttachmentPart::Expression(sql) => sql.clone(),
    };
    one.parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

/// Whether something is an index that is a statement of its own.
pub(super) fn is_index(one: &Attachment) -> bool {
    match one.kind {
        AttachmentKind::Index => true,
        AttachmentKind::Unique => one.method.is_empty(),
        AttachmentKind::PrimaryKey
        | AttachmentKind::Check
        | AttachmentKind::ForeignKey
        | AttachmentKind::Comment => false,
    }
}

/// CREATE INDEX for this table under the index's name: as it was written, where that says what is wanted.
pub(super) fn index_text(name: &TableName, one: &Attachment) -> String {
    let written = one.text.as_deref().and_then(|text| renamed_index(text, name, one));
    written.unwrap_or_else(|| {
        let unique = if one.kind == AttachmentKind::Unique { "UNIQUE " } else { "" };
        let condition = one.condition.as_ref().map(|sql| format!(" WHERE {sql}")).unwrap_or_default();
        let (index, table) = (identifier(&one.name), identifier(&name.name));
        format!("CREATE {unique}INDEX {index} ON {table} ({}){condition}", parts(one))
    })
}

fn renamed_index(text: &str, name: &TableName, one: &Attachment) -> Option<String> {
    let read = ddl::index(text, &one.columns).ok()?;
    // Of columns that have other names here the text says something else.
    let over = read.parts.iter().zip(&one.parts).all(|(read, part)| match (&read.over, part) {
        (ddl::Over::Column(read), AttachmentPart::Column { name, .. }) => same(read, name),
        (ddl::Over::Expression(_), AttachmentPart::Expression(_)) => true,
        (ddl::Over::Column(_) | ddl::Over::Expression(_), _) => false,
    });
    if !over || read.parts.len() != one.parts.len() {
        return None;
    }
    let is = |place: &Range<usize>, wanted: &str| {
        let tokens = super::tokens::tokens(&text[place.clone()]).unwrap_or_default();
        tokens.first().and_then(super::tokens::Token::name).is_some_and(|name| same(&name, wanted))
    };
    let mut text = text.to_owned();
    if !is(&read.table, &name.name) {
        text.replace_range(read.table.clone(), &identifier(&name.name));
    }
    if !is(&read.name, &one.name) {
        text.replace_range(read.name.clone(), &identifier(&one.name));
    }
    Some(text)
}

/// The name that a table has until it takes the place of the old one.
fn new_name(name: &TableName) -> TableName {
    TableName { schema: name.schema.clone(), name: format!("_trueup_new_{}", name.name) }
}

/// The statements of a rebuild.
pub(super) fn statements(name: &TableName, rebuild: &Rebuild) -> Option<Vec<String>> {
    let Rebuild { before, after, triggers } = rebuild;
    let (old, new) = (Source::of(before).ok()?, Source::of(after).ok()?);
    let made = new_name(name);
    let mut place = new.text.name.clone();
    if let Some(schema) = &new.text.schema {
        place.start = schema.start;
    }
    let mut create = after.text.clone();
    create.replace_range(place, &table(&made));
    let mut sql = vec![create, copy(name, &made, &old, &new)];
    if is_counted(before) && is_counted(after) {
        sql.push(format!(
            "UPDATE sqlite_sequence SET seq = max(seq, coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = {0}), 0)) \
             WHERE name = {1}",
            literal::text(&name.name),
            literal::text(&made.name)
        ));
        sql.push(format!(
            "INSERT INTO sqlite_sequence (name, seq) SELECT {1}, seq FROM sqlite_sequence WHERE name = {0} AND NOT \
             EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = {1})",
            literal::text(&name.name),
            literal::text(&made.name)
        ));
    }
    sql.extend(unchanged(name, &made, &old, &new));
    sql.push(format!("DROP TABLE {}", table(name)));
    sql.push(format!("ALTER TABLE {} RENAME TO {}", table(&made), identifier(&name.name)));
    sql.extend(after.attachments.iter().filter(|one| is_index(one)).map(|one| index_text(name, one)));
    sql.extend(triggers.iter().cloned());
    Some(sql)
}

fn is_counted(shape: &Shape) -> bool {
    let key = shape.attachments.iter().find(|one| one.kind == AttachmentKind::PrimaryKey);
    key.is_some_and(|key| key.rest.starts_with("AUTOINCREMENT"))
}

/// The columns of both that hold values, by their names before and behind.
fn copied<'a>(old: &'a Source<'_>, new: &'a Source<'_>) -> Vec<(&'a ColumnText, &'a ColumnText)> {
    let is_plain = |column: &&ColumnText| {
        !column.clauses.iter().any(|clause| matches!(clause.clause, Clause::Generated(..)))
    };
    let was = |column: &'a ColumnText| {
        let was = old.text.columns.iter().find(|was| same(&was.name, &column.name))?;
        Some((was, column))
    };
    new.text.columns.iter().filter(is_plain).filter_map(was).collect()
}

/// A name of the rowid that is no column's; `None` where there is none.
fn rowid(source: &Source<'_>) -> Option<&'static str> {
    let taken = |name: &&str| source.text.columns.iter().any(|column| same(&column.name, name));
    ["rowid", "_rowid_", "oid"].into_iter().find(|name| !taken(name)).filter(|_| !source.text.without_rowid)
}

fn copy(name: &TableName, made: &TableName, old: &Source<'_>, new: &Source<'_>) -> String {
    let mut columns: Vec<(String, String)> =
        copied(old, new).into_iter().map(|(was, is)| (identifier(&was.name), identifier(&is.name))).collect();
    let has_alias = new.shape.columns.iter().any(|column| column.identity.is_some());
    if let (Some(was), Some(is), false) = (rowid(old), rowid(new), has_alias) {
        columns.insert(0, (was.to_owned(), is.to_owned()));
    }
    let (from, to): (Vec<String>, Vec<String>) = columns.into_iter().unzip();
    format!(
        "INSERT OR ABORT INTO {} ({}) SELECT {} FROM {}",
        table(made),
        to.join(", "),
        from.join(", "),
        table(name)
    )
}

/// Statements that fail where a value is another one, or of another kind, in its new column: a value that such a column
/// changes is in it nowhere.
fn unchanged(name: &TableName, made: &TableName, old: &Source<'_>, new: &Source<'_>) -> Vec<String> {
    let pairs = copied(old, new);
    // What numbers the rows gives a number to those that have none.
    let is_alias = |source: &Source<'_>, column: &ColumnText| {
        source.shape.columns.iter().any(|known| known.name == column.name && known.identity.is_some())
    };
    let converts = pairs.into_iter().filter(|(was, is)| {
        affinity(&was.declared, old.text.strict) != affinity(&is.declared, new.text.strict)
            || old.text.strict != new.text.strict
            || is_alias(new, is) && !is_alias(old, was)
    });
    let mut sql = Vec::new();
    for (was, is) in converts {
        let message = format!("trueup: the new type of {}.{} would change values", name.name, is.name);
        let (was, is) = (identifier(&was.name), identifier(&is.name));
        sql.push(format!(
            "CREATE TEMP TABLE \"_trueup_same\" (\"changed\" INTEGER, CONSTRAINT {} CHECK (\"changed\" = 0))",
            identifier(&message)
        ));
        sql.push(format!(
            "INSERT INTO temp.\"_trueup_same\" SELECT count(*) FROM (SELECT typeof({was}), {was} COLLATE BINARY FROM {} \
             EXCEPT SELECT typeof({is}), {is} COLLATE BINARY FROM {})",
            table(name),
            table(made)
        ));
        sql.push("DROP TABLE temp.\"_trueup_same\"".to_owned());
    }
    sql
}
