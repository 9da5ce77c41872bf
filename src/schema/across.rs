//! The structure of a table that comes from another engine.
//!
//! Owns the *model*: the primary's table as the replica's engine would have it. From there on the two are held against each
//! other as on one engine ([`structure`](super::structure)). What the replica has already, in its own words, is taken into
//! the model as it is there; what it lacks is put into its words; what has none there is left out with a note, and is
//! no difference. Refuses to guess: a condition, an expression and whatever else is one engine's own is neither carried
//! over nor dropped.

mod defaults;
mod fit;
mod keys;
mod names;

use crate::failure::{ErrorKind, Failure};
use crate::sides::Sides;
use crate::spec::SchemaMode;
use crate::sql::{Column, DefaultKind, Dialect, Shape, StoredText, Target};
use crate::value::{ColumnType, Type};

use super::attachments::Names;
use super::structure::{self, Needs, Structure};
use super::{ColumnPair, Table};
use defaults::Change;

pub(super) use defaults::carried;
pub use fit::Fit;
pub(super) use fit::{both, fit, holds};
pub(super) use names::Naming;

/// What a foreign key is to point at.
pub(super) struct End {
    /// Its columns, as the replica has them or gets them, in the order of the foreign key's.
    pub columns: Vec<Column>,
    /// The columns of its keys, on the replica.
    pub keys: Vec<Vec<String>>,
    /// Those of them that a table which is there gets only now.
    pub comes: Vec<Vec<String>>,
    /// Whether the spec leaves some of its rows out, or does not write them.
    pub partial: bool,
}

/// A table of another engine beside its counterpart.
pub(super) struct Across<'a> {
    /// What is held side by side.
    pub structure: &'a Structure<'a>,
    /// What a foreign key of the primary would point at on the replica; `None` where it cannot be told.
    pub end: &'a dyn Fn(&Target) -> Option<End>,
    /// The type that a column which is there becomes, where that is another.
    pub becomes: &'a dyn Fn(&Column, &Column) -> Option<ColumnType>,
    /// The names that what comes gets.
    pub naming: &'a Naming<'a>,
    /// A sentence with the place in the spec before it.
    pub at: &'a dyn Fn(String) -> String,
}

/// What the table needs.
pub(super) fn needs(across: &Across<'_>, columns: &mut [ColumnPair]) -> Result<Needs, Failure> {
    let structure = across.structure;
    if structure.mode == SchemaMode::Ignore {
        return Ok(Needs::default());
    }
    for (side, table) in [("primary", Some(structure.primary)), ("replica", structure.replica)] {
        if let Some((table, why)) = table.and_then(|table| Some((table, table.stored.unread.as_ref()?))) {
            let message =
                format!("the structure of the {side}'s table {} could not be read: {why}", table.name);
            return Err(Failure::new(ErrorKind::Type, message)
                .hint("write its CREATE TABLE in plain words, or set `schema: ignore` (look at rows only)"));
        }
    }
    let mut notes = Vec::new();
    let model = model(across, columns, &mut notes)?;
    let mut beside: Vec<ColumnPair> = columns.iter().map(|pair| beside(structure, &model, pair)).collect();
    let key: Vec<String> =
        structure.key.iter().filter_map(|name| (structure.on_replica.column)(name)).collect();
    let names = Names {
        column: &|name| model.column(name).map(|column| column.name.clone()),
        target: &|target| (target.clone(), true),
    };
    let replica = structure.dialects.replica;
    let on_one_engine = Structure {
        names: Sides::new(structure.names.replica, structure.names.replica),
        dialects: Sides::new(replica, replica),
        primary: &model,
        key: &key,
        on_replica: &names,
        has_type: &|_| Ok(()),
        enums: &[],
        is_across: true,
        ..*structure
    };
    let mut needs = structure::needs(&on_one_engine, &mut beside)?;
    for (pair, beside) in columns.iter_mut().zip(beside) {
        take_up(structure, pair, beside.sides.replica);
    }
    notes.append(&mut needs.notes);
    Ok(Needs { notes, ..needs })
}

/// The pair with the model's column in the primary's place, and the replica's as the catalog has it.
fn beside(structure: &Structure<'_>, model: &Table, pair: &ColumnPair) -> ColumnPair {
    let name = &pair.sides.replica.name;
    let replica = structure.replica.and_then(|table| table.column(name));
    let replica = replica.cloned().unwrap_or_else(|| pair.sides.replica.clone());
    let primary = model.column(name).cloned().unwrap_or_else(|| replica.clone());
    ColumnPair { sides: Sides { primary, replica }, ..pair.clone() }
}

/// A column that is another while rows are written. What the spec says of its zone stays.
fn take_up(structure: &Structure<'_>, pair: &mut ColumnPair, between: Column) {
    let there = structure.replica.and_then(|table| table.column(&between.name));
    if there == Some(&between) {
        return;
    }
    let was = pair.sides.replica.column_type.meaning.clone();
    pair.sides.replica = between;
    if let (Type::Zoned { offset_minutes, .. }, Type::DateTime { digits }) =
        (was, pair.sides.replica.column_type.meaning.clone())
    {
        pair.sides.replica.column_type.meaning = Type::Zoned { digits, offset_minutes };
    }
}

/// The replica's columns that take for one what the primary keeps in several spellings.
fn told_apart(structure: &Structure<'_>, pairs: &[ColumnPair]) -> Vec<String> {
    let Sides { primary, replica } = structure.dialects;
    let is_one = |pair: &&ColumnPair| {
        primary.spells_freely(&pair.sides.primary, &pair.domain)
            && !replica.spells_freely(&pair.sides.replica, &pair.domain)
    };
    pairs.iter().filter(is_one).map(|pair| pair.sides.replica.name.clone()).collect()
}

/// The primary's table as the replica would have it.
fn model(across: &Across<'_>, pairs: &[ColumnPair], notes: &mut Vec<String>) -> Result<Table, Failure> {
    let structure = across.structure;
    let columns = columns(across, pairs, notes);
    notes.extend(pairs.iter().filter(|pair| !pair.on_replica).filter_map(left_out_default));
    let keys = keys::of(across, &columns, &told_apart(structure, pairs), notes);
    let now = structure.replica.map(|table| Shape {
        columns: table.columns.clone(),
        attachments: table.attachments.clone(),
        options: table.options.clone(),
        text: table.stored.table.clone().unwrap_or_default(),
    });
    let text = structure.dialects.replica.modelled(structure.names.replica, now.as_ref(), &columns);
    let text = text.transpose().map_err(|why| {
        let message = format!("the replica's table {} cannot be changed: {why}", structure.names.replica);
        Failure::new(ErrorKind::Type, message)
            .hint("change it by hand, or set `schema: ignore` (look at rows only)")
    })?;
    Ok(Table {
        name: structure.names.replica.clone(),
        columns,
        keys: keys.unique,
        unique_indexes: Vec::new(),
        foreign_keys: keys.foreign,
        sequences: Vec::new(),
        attachments: keys.attachments,
        options: structure.replica.and_then(|table| table.options.clone()),
        layout: structure.replica.map(|table| table.layout.clone()).unwrap_or_default(),
        stored: StoredText { table: text, ..StoredText::default() },
        triggers: Vec::new(),
        checked: Vec::new(),
        rows_estimate: None,
        hidden_rows: None,
    })
}

/// What a column that comes lacks of the primary's: what would mean something else there.
fn left_out_default(pair: &ColumnPair) -> Option<String> {
    let Sides { primary, replica } = &pair.sides;
    let said = !matches!(primary.default, None | Some(DefaultKind::Null));
    let numbered = replica.identity.is_some();
    let message =
        || format!("the default of the column {} is left out: it has no exact counterpart", pair.name());
    (said && replica.default.is_none() && !numbered).then(message)
}

/// The columns in scope, in the primary's order.
fn columns(across: &Across<'_>, pairs: &[ColumnPair], notes: &mut Vec<String>) -> Vec<Column> {
    let structure = across.structure;
    let column = |primary: &Column| {
        let name = (structure.on_replica.column)(&primary.name)?;
        let pair = pairs.iter().find(|pair| pair.sides.replica.name == name);
        match structure.replica.and_then(|table| table.column(&name)) {
            // One that the replica generates stays as it is there.
            Some(found) => Some(match pair {
                Some(_) => with_default(structure, primary, wanted(across, primary, found), notes),
                None => found.clone(),
            }),
            None => pair.map(|pair| pair.sides.replica.clone()),
        }
    };
    structure.primary.columns.iter().filter_map(column).collect()
}

/// The column with the default that it is to have.
fn with_default(
    structure: &Structure<'_>,
    primary: &Column,
    mut wanted: Column,
    notes: &mut Vec<String>,
) -> Column {
    match defaults::change(structure.dialects, primary, &wanted) {
        Change::Stays => {}
        Change::Note(note) => notes.push(note),
        Change::Becomes(default) => {
            wanted.default = default;
            wanted.words.default = structure.dialects.replica.default_words(&wanted);
        }
    }
    wanted
}

/// A column that is there as it is to be.
fn wanted(across: &Across<'_>, primary: &Column, found: &Column) -> Column {
    let structure = across.structure;
    let key = |table: &Table| table.keys.iter().find(|key| key.primary).map(|key| key.columns.clone());
    let (wanted, own) = (key(structure.primary), structure.replica.and_then(key));
    let is_wanted = wanted.as_ref().is_some_and(|key| key.contains(&primary.name));
    // One that stays; SQLite lets it take NULL, and the others do not.
    let is_key = own.is_some_and(|key| key.contains(&found.name)) && (is_wanted || wanted.is_none());
    let nullable = if is_key { found.nullable } else { primary.nullable && !is_wanted };
    // A number of its table's rows that leaves the key is one no more, and has to say what it was without words.
    let numbers = is_key || structure.replica.is_none_or(|table| table.stored.table.is_none());
    let wanted = Column { nullable, identity: found.identity.filter(|_| numbers), ..found.clone() };
    match (across.becomes)(primary, found) {
        Some(column_type) => retyped(structure.dialects.replica, wanted, column_type),
        None => wanted,
    }
}

/// The column with another type: the moment at which a row comes has as many digits as that.
fn retyped(dialect: &dyn Dialect, column: Column, column_type: ColumnType) -> Column {
    let before = dialect.now(&column.column_type.meaning);
    let mut column = Column { column_type, ..column };
    let now = dialect.now(&column.column_type.meaning).filter(|now| before.as_ref() != Some(now));
    for words in [&mut column.words.default, &mut column.words.on_update].into_iter().flatten() {
        if let Some(now) = now.as_ref().filter(|_| dialect.is_now(words)) {
            words.clone_from(now);
        }
    }
    column
}
