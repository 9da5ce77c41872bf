//! Tables and columns of the replica that get other names before anything else is done (`renamed_from`).
//!
//! A replica's catalog is looked at as if they had their new names already; rows are read under the old ones until then.
//! Owns which renamings are to be made, and what they do to what is known of tables. Refuses to guess: a renaming
//! whose old and new name are both there is an error, and so is one that takes away what another table or column of the
//! primary has as its counterpart.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::failure::{ErrorKind, Failure};
use crate::spec::{Located, SchemaMode, Spec};
use crate::sql::{Attachment, AttachmentKind, AttachmentPart, Dialect, ForeignKey, TableName};

use super::change::{Commit, SchemaAction, SchemaChange};
use super::pairing::{column_name, counterpart, name_on_replica};
use super::{Catalog, Databases, Selected, Table, TablePair};

/// A table of the replica that gets another name, or whose columns do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renaming {
    /// What it is called before.
    pub was: TableName,
    /// What it is called from then on; the same where its columns alone get other names.
    pub is: TableName,
    /// Its columns that get other names: before, and from then on.
    pub columns: Vec<(String, String)>,
}

impl Renaming {
    /// The way back.
    pub fn reversed(&self) -> Renaming {
        let turned = |(was, is): &(String, String)| (is.clone(), was.clone());
        Renaming {
            was: self.is.clone(),
            is: self.was.clone(),
            columns: self.columns.iter().map(turned).collect(),
        }
    }

    /// Whether nothing gets another name.
    pub fn is_nothing(&self) -> bool {
        self.was == self.is && self.columns.is_empty()
    }

    fn column(&self, name: &mut String) {
        if let Some((_, is)) = self.columns.iter().find(|(was, _)| was == name) {
            name.clone_from(is);
        }
    }

    fn columns(&self, names: &mut [String]) {
        names.iter_mut().for_each(|name| self.column(name));
    }
}

/// What the spec says was called otherwise, and still is on the replica. The catalog is the replica's own.
///
/// # Errors
/// Both names are there, or the old one is another's.
pub fn renaming(
    spec: &Spec,
    selected: &Selected<'_>,
    databases: &Databases<'_>,
) -> Result<Option<Renaming>, Failure> {
    let (Some(from), Ok(primary)) = (&selected.entry.renamed_from, &selected.table) else { return Ok(None) };
    let catalog = databases.replica;
    let is = name_on_replica(selected.entry, &primary.name, databases).0;
    let found = catalog.meant(&is);
    let refused = |at: &Located<String>, what: String| {
        Err(Failure::new(ErrorKind::Key, spec.error_at(at.place, what).headline())
            .hint("take the name out of `renamed_from`, or settle it on the replica"))
    };
    let old = from.table.as_ref().map(|old| (old, TableName { name: old.value.clone(), ..is.clone() }));
    let there = old.as_ref().and_then(|(old, name)| Some((*old, catalog.meant(name)?)));
    let (table, is) = match (found, there) {
        (None, None) => return Ok(None),
        (Some(found), Some((old, there))) if found.name != there.name => {
            let (old_name, new_name) = (&there.name, &found.name);
            return refused(
                old,
                format!("the replica has both {old_name} and {new_name}: neither becomes the other"),
            );
        }
        (Some(found), _) => (found, found.name.clone()),
        (None, Some((old, there))) => {
            let others = databases.selected.iter().filter(|other| other.name != selected.name);
            let taken = others.filter(|other| {
                counterpart(other, databases).is_some_and(|name| catalog.meant(&name) == Some(there))
            });
            if let Some(other) = taken.map(|other| &other.name).next() {
                return refused(old, format!("the replica's {} is the counterpart of {other}", there.name));
            }
            (there, is)
        }
    };
    let dialect = databases.dialects.replica;
    let has = |name: &str| table.columns.iter().find(|one| dialect.same_column_name(&one.name, name));
    let mut columns = Vec::new();
    for (new, old) in &from.columns {
        let wanted = column_name(selected.entry, &new.value);
        let Some(there) = has(&old.value) else { continue };
        if let Some(found) = has(wanted) {
            if found.name == there.name {
                continue;
            }
            let (was, is) = (&there.name, &found.name);
            return refused(
                old,
                format!("{} has both {was} and {is}: neither becomes the other", table.name),
            );
        }
        let is_its = |column: &&crate::sql::Column| {
            column.name != new.value
                && dialect.same_column_name(column_name(selected.entry, &column.name), &there.name)
        };
        if let Some(other) = primary.columns.iter().find(is_its) {
            return refused(old, format!("{} is the counterpart of {}", there.name, other.name));
        }
        columns.push((there.name.clone(), wanted.to_owned()));
    }
    let renaming = Renaming { was: table.name.clone(), is, columns };
    Ok((!renaming.is_nothing()).then_some(renaming))
}

/// The changes that make it, in order.
pub fn renaming_changes(
    dialect: &dyn Dialect,
    renaming: &Renaming,
    table: Option<&Table>,
    mode: SchemaMode,
) -> Vec<SchemaChange> {
    let change = |action, object: String, sql, before: String, after: String| SchemaChange {
        action,
        object,
        sql,
        before: Some(before),
        after: Some(after),
        hazards: Vec::new(),
        withheld: mode == SchemaMode::Check,
        alteration: None,
        behind_rows: false,
        commit: Commit::Together,
        step_of: None,
    };
    let Renaming { was, is, columns } = renaming;
    let mut changes = Vec::new();
    if was != is {
        let sql = vec![dialect.rename_table(was, &is.name)];
        let (before, after) = (was.name.clone(), is.name.clone());
        changes.push(change(SchemaAction::RenameTable, was.name.clone(), sql, before, after));
    }
    let mut checks: Vec<Attachment> = table
        .into_iter()
        .flat_map(|table| &table.attachments)
        .filter(|one| one.kind == AttachmentKind::Check)
        .cloned()
        .collect();
    for (old, new) in columns {
        let only = Renaming { columns: vec![(old.clone(), new.clone())], ..renaming.clone() };
        let mut concerned = Vec::new();
        for check in checks.iter_mut().filter(|check| check.columns.contains(old)) {
            let before = check.clone();
            rename_attachment(check, &only, dialect);
            concerned.push((before, check.clone()));
        }
        let sql = vec![dialect.rename_column(is, old, new, &concerned)];
        let named = |name: &str| format!("{}.{name}", is.name);
        changes.push(change(SchemaAction::RenameColumn, named(old), sql, named(old), named(new)));
    }
    changes
}

/// The catalog as it is once they are made.
pub fn renamed_catalog(catalog: &Catalog, renamings: &[Renaming], dialect: &dyn Dialect) -> Catalog {
    let mut catalog = catalog.clone();
    catalog.tables.iter_mut().for_each(|table| rename_known(table, renamings, dialect));
    catalog
}

/// A table as it is once they are made, one of them or another that may point at one.
pub fn rename_known(table: &mut Table, renamings: &[Renaming], dialect: &dyn Dialect) {
    if let Some(renaming) = renamings.iter().find(|renaming| renaming.was == table.name) {
        rename_table(table, renaming, dialect);
    }
    table.foreign_keys.iter_mut().for_each(|key| rename_target(key, renamings));
    for target in table.attachments.iter_mut().filter_map(|one| one.target.as_mut()) {
        if let Some(renaming) = renamings.iter().find(|renaming| renaming.was == target.table) {
            target.table = renaming.is.clone();
            renaming.columns(&mut target.columns);
        }
    }
}

/// The pair by the names that its tables and columns have once they are made.
pub fn rename_pair(pair: &mut TablePair, renamings: &[Renaming], dialect: &dyn Dialect) {
    let own = renamings.iter().find(|renaming| renaming.was == pair.names.replica);
    if let Some(renaming) = own {
        pair.names.replica = renaming.is.clone();
        pair.columns.iter_mut().for_each(|column| renaming.column(&mut column.sides.replica.name));
        for key in &mut pair.foreign_keys {
            renaming.columns(&mut key.columns);
            key.name = dialect.made_up_name(&key.name, &renaming.was.name, &renaming.is.name).0;
        }
        pair.unique_keys.iter_mut().for_each(|key| renaming.columns(&mut key.columns));
        renaming.columns(&mut pair.checked);
        if let Some(scope) = &mut pair.scope {
            // Its names stand in quotes, for it was rendered here.
            scope.replica = renamed_sql(&scope.replica, renaming, dialect, true);
        }
    }
    pair.foreign_keys.iter_mut().for_each(|key| rename_target(key, renamings));
    for dependent in &mut pair.dependents {
        if let Some(renaming) = renamings.iter().find(|renaming| renaming.was == dependent.table) {
            dependent.table = renaming.is.clone();
            renaming.columns(&mut dependent.key.columns);
        }
        rename_target(&mut dependent.key, renamings);
    }
}

fn rename_target(key: &mut ForeignKey, renamings: &[Renaming]) {
    if let Some(renaming) = renamings.iter().find(|renaming| renaming.was == key.table) {
        key.table = renaming.is.clone();
        renaming.columns(&mut key.referenced);
    }
}

fn rename_table(table: &mut Table, renaming: &Renaming, dialect: &dyn Dialect) {
    let sql = |text: &mut Option<String>| {
        if let Some(text) = text {
            *text = renamed_sql(text, renaming, dialect, false);
        }
    };
    table.name = renaming.is.clone();
    for column in &mut table.columns {
        let own = table.sequences.iter().find(|sequence| sequence.column == column.name);
        renaming.column(&mut column.name);
        if let (Some(numbers), Some(name)) =
            (&mut column.words.numbers, own.and_then(|own| own.name.as_ref()))
        {
            // It keeps its name, which then is none that the server would make up.
            let makes_up = dialect.numbering().makes_up(&name.name, &renaming.is.name, &column.name);
            numbers.name = Some(name.name.clone()).filter(|_| !makes_up);
        }
        sql(&mut column.words.generated);
    }
    table.keys.iter_mut().for_each(|key| renaming.columns(&mut key.columns));
    for index in &mut table.unique_indexes {
        renaming.columns(&mut index.columns);
        sql(&mut index.condition);
        for part in &mut index.parts {
            part.sql = renamed_sql(&part.sql, renaming, dialect, false);
        }
    }
    for key in &mut table.foreign_keys {
        renaming.columns(&mut key.columns);
        key.name = dialect.made_up_name(&key.name, &renaming.was.name, &renaming.is.name).0;
    }
    table.sequences.iter_mut().for_each(|sequence| renaming.column(&mut sequence.column));
    for one in &mut table.attachments {
        rename_attachment(one, renaming, dialect);
        if one.name_made_up {
            (one.name, one.name_made_up) =
                dialect.made_up_name(&one.name, &renaming.was.name, &renaming.is.name);
        }
    }
    renaming.columns(&mut table.checked);
}

fn rename_attachment(one: &mut Attachment, renaming: &Renaming, dialect: &dyn Dialect) {
    for part in &mut one.parts {
        match part {
            AttachmentPart::Column { name, .. } => renaming.column(name),
            AttachmentPart::Expression(sql) => *sql = renamed_sql(sql, renaming, dialect, false),
        }
    }
    renaming.columns(&mut one.included);
    renaming.columns(&mut one.columns);
    if let Some(condition) = one.condition.as_mut().filter(|_| one.kind != AttachmentKind::Comment) {
        *condition = renamed_sql(condition, renaming, dialect, false);
    }
    if let Some(text) = &mut one.text {
        // The server quotes the name of a table once it has got another.
        let on = |name: &TableName| format!(" ON {}", dialect.identifier(&name.name));
        let text_of_table = text.replacen(&on(&renaming.was), &on(&renaming.is), 1);
        *text = renamed_sql(&text_of_table, renaming, dialect, false);
    }
}

/// An expression of the server's own printing with the columns' new names. What is taken for a column and is none makes a
/// difference too many, which the next look at the server settles.
fn renamed_sql(sql: &str, renaming: &Renaming, dialect: &dyn Dialect, quoted_alone: bool) -> String {
    if renaming.columns.is_empty() {
        return sql.to_owned();
    }
    let mut out = String::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (token, is_name) = token(rest, first);
        let before = out.trim_end();
        let behind = rest[token.len()..].trim_start();
        let is_column = is_name && !before.ends_with("::") && !(behind.starts_with('(') && is_bare(first));
        out.push_str(&match is_column && !(quoted_alone && is_bare(first)) {
            true => renamed_word(token, renaming, dialect),
            false => Cow::Borrowed(token),
        });
        rest = &rest[token.len()..];
    }
    out
}

fn is_bare(first: char) -> bool {
    first.is_alphabetic() || first == '_'
}

/// The next token, and whether it may be a name.
fn token(rest: &str, first: char) -> (&str, bool) {
    let until = |at: Option<usize>| &rest[..at.unwrap_or(rest.len())];
    match first {
        '\'' | '"' | '`' => {
            // A quote that stands twice is one of the text.
            let mut ends = rest[1..].match_indices(first).map(|(at, _)| at + 1);
            let mut end = None;
            while let Some(at) = ends.next() {
                if rest[at + 1..].starts_with(first) {
                    ends.next();
                    continue;
                }
                end = Some(at + 1);
                break;
            }
            (until(end), first != '\'')
        }
        _ if is_bare(first) => {
            let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
            (until(rest.find(|letter| !is_part(letter))), true)
        }
        _ => (until(rest.char_indices().nth(1).map(|(at, _)| at)), false),
    }
}

fn renamed_word<'t>(token: &'t str, renaming: &Renaming, dialect: &dyn Dialect) -> Cow<'t, str> {
    let first = token.chars().next().unwrap_or_default();
    let name = match is_bare(first) {
        true => token.to_owned(),
        false => token[1..token.len() - 1].replace(&format!("{first}{first}"), &first.to_string()),
    };
    let Some((_, is)) = renaming.columns.iter().find(|(was, _)| dialect.same_column_name(was, &name)) else {
        return Cow::Borrowed(token);
    };
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let is_plain = is.chars().all(plain) && !is.starts_with(|letter: char| letter.is_ascii_digit());
    match first == '`' || !is_plain || (!is_bare(first) && *name == name.to_lowercase()) {
        true => Cow::Owned(dialect.identifier(is)),
        false => Cow::Owned(is.clone()),
    }
}
