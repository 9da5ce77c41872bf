//! The structural differences of one table pair, and the changes that remove them.
//!
//! Between servers of one family all of it: tables, columns with what DDL says of them, and what they have besides
//! ([`attachments`](super::attachments)). From another engine: a missing table, with its columns, NOT NULL, literal
//! defaults and primary key, and a missing column; there a difference of nullability or primary key is an error that
//! names it. Refuses what the engine cannot change in place: an error that names it too.
//!
//! Changes that loosen come before the rows, those that ask something of the rows behind them.

use crate::failure::{ErrorKind, Failure};
use crate::sides::Sides;
use crate::spec::{ACQUIRES_ACCESS_EXCLUSIVE_LOCK, DELETES_DATA, SchemaMode};
use crate::sql::{
    Alteration, Attachment, AttachmentKind, Column, ColumnPlace, ColumnWords, DefaultKind, Dialect,
    ForeignKey, LiteralDefault, TableDefinition, TableName,
};
use crate::value::{Decimal, Domain, Type};

use super::alter::{altered, between};
use super::attachments::{self, Names};
use super::change::{Commit, Hazard, SchemaAction, SchemaChange};
use super::order::ordered;
use super::together::Together;
use super::{ColumnPair, Table, layout, rebuild};

/// What is held side by side.
pub(super) struct Structure<'a> {
    pub mode: SchemaMode,
    pub names: Sides<&'a TableName>,
    pub dialects: Sides<&'a dyn Dialect>,
    pub primary: &'a Table,
    pub replica: Option<&'a Table>,
    /// The key's columns, by the primary's names.
    pub key: &'a [String],
    /// What the names of the primary are on the replica.
    pub on_replica: &'a Names<'a>,
    /// Whether the replica has the type that a column is to get.
    pub has_type: &'a dyn Fn(&Column) -> Result<(), Failure>,
    /// Columns that only the replica has, and that the spec does not leave out.
    pub extra: &'a [&'a Column],
    /// The hazards that are allowed.
    pub allowed: &'a [String],
    /// Whether the primary's table is what another engine's would be here.
    pub is_across: bool,
    /// The columns at which foreign keys of the replica's tables point, those of each key.
    pub pointed_at: &'a [Vec<String>],
    /// The enum types of its columns that are others on the replica.
    pub enums: &'a [EnumPlan],
    /// Whether enums are types that have names.
    pub names_enums: bool,
}

/// What an enum type of the replica's needs.
#[derive(Clone, Debug)]
pub(super) struct EnumPlan {
    /// Its name as declarations of columns have it.
    pub printed: String,
    /// Its words while rows are written.
    pub between: Vec<String>,
    /// The changes, in order; empty where another table's plan has them.
    pub changes: Vec<SchemaChange>,
}

/// What a table's structure needs.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// The changes, in execution order.
    pub changes: Vec<SchemaChange>,
    /// What a person should know of it.
    pub notes: Vec<String>,
    /// The foreign keys that a missing table is created with.
    pub foreign_keys: Vec<ForeignKey>,
}

impl Structure<'_> {
    /// What the enum type of a column that both sides declare alike needs.
    fn enum_of(&self, primary: &Column, replica: &Column) -> Option<&EnumPlan> {
        let declared = &primary.column_type.declared;
        let is_enum = matches!(replica.column_type.meaning, Type::Enum { .. });
        let same = is_enum && *declared == replica.column_type.declared;
        self.enums.iter().find(|one| same && one.printed == *declared)
    }

    fn is_one_family(&self) -> bool {
        self.dialects.primary.same_family(self.dialects.replica)
    }

    /// Whether what the two servers print can be held against each other word by word: brands of one family call their
    /// collations and expressions otherwise.
    fn is_one_brand(&self) -> bool {
        self.dialects.primary.engine() == self.dialects.replica.engine()
    }
}

/// The changes. Columns of `columns` that become others before the rows are written become them here too.
pub(super) fn needs(structure: &Structure<'_>, columns: &mut [ColumnPair]) -> Result<Needs, Failure> {
    if structure.mode == SchemaMode::Ignore {
        return Ok(Needs::default());
    }
    for pair in columns.iter_mut().filter(|pair| pair.on_replica && structure.mode == SchemaMode::Sync) {
        if let Some(one) = structure.enum_of(&pair.sides.primary, &pair.sides.replica) {
            pair.sides.replica.column_type.meaning = Type::Enum { members: one.between.clone() };
        }
    }
    let anew = structure.is_one_family().then(|| rebuild::needs(structure, columns)).flatten();
    let mut needs = match anew {
        Some(needs) => needs?,
        None => altered_needs(structure, columns)?,
    };
    needs.changes.extend(structure.enums.iter().flat_map(|one| one.changes.iter().cloned()));
    for change in &mut needs.changes {
        change.withheld |= structure.mode == SchemaMode::Check;
    }
    needs.changes.sort_by_key(|change| (change.comes_last(), change.rank()));
    Ok(needs)
}

/// The changes of a table that the engine alters in place.
fn altered_needs(structure: &Structure<'_>, columns: &mut [ColumnPair]) -> Result<Needs, Failure> {
    let mut needs = Needs::default();
    match structure.replica {
        None => {
            let options = structure.primary.options.as_deref().filter(|_| structure.is_one_brand());
            let why = options.and_then(|options| structure.dialects.replica.cannot_create(options));
            if let Some(why) = why.filter(|_| structure.mode == SchemaMode::Sync) {
                let message = format!("the table {} cannot be created: {why}", structure.names.replica);
                return Err(Failure::new(ErrorKind::Type, message).hint("create it by hand"));
            }
            needs.changes.extend(create_table(structure, columns));
            if structure.is_one_brand() {
                needs.changes.extend(layout::created(structure)?);
            }
        }
        Some(replica) => of_columns(structure, replica, columns, &mut needs)?,
    }
    if structure.is_one_family() {
        of_attachments(structure, columns, &mut needs)?;
    }
    let together = Together {
        dialect: structure.dialects.replica,
        name: structure.names.replica,
        table: structure.replica,
        pointed_at: structure.pointed_at,
    };
    together.part(&mut needs.changes);
    together.postpone(&mut needs.changes);
    needs.changes.sort_by_key(|change| (change.comes_last(), change.rank()));
    together.join(&mut needs.changes);
    // A table that comes has no rows to write anew, and nobody to keep from them.
    for change in needs.changes.iter_mut().filter(|_| structure.replica.is_none()) {
        change.hazards.clear();
    }
    Ok(needs)
}

fn of_columns(
    structure: &Structure<'_>,
    replica: &Table,
    columns: &mut [ColumnPair],
    needs: &mut Needs,
) -> Result<(), Failure> {
    let mut present: Vec<String> = replica.columns.iter().map(|column| column.name.clone()).collect();
    for column in columns.iter_mut().filter(|column| !column.on_replica) {
        needs.changes.extend(add_column(structure, replica, column, &present)?);
        present.push(column.sides.replica.name.clone());
    }
    let mut differences = Vec::new();
    if structure.is_one_family() {
        generated_columns(structure, replica, &mut present, needs, &mut differences);
    }
    for pair in columns.iter_mut().filter(|pair| pair.on_replica) {
        let untold =
            [&pair.sides.primary, &pair.sides.replica].into_iter().find_map(|one| one.words.untold.clone());
        if let Some(why) = untold.filter(|_| structure.is_one_family()) {
            let text = |column: &Column| format!("{} ({why})", described(structure.dialects.replica, column));
            differences.push(Difference {
                column: Some(pair.sides.replica.name.clone()),
                before: text(&pair.sides.replica),
                after: text(&pair.sides.primary),
            });
            continue;
        }
        let Some(difference) = column_difference(structure, pair) else { continue };
        match structure.is_one_family().then(|| alterations(structure, pair)).flatten() {
            Some((between, changes)) => {
                (structure.has_type)(&pair.sides.primary)?;
                needs.changes.extend(changes);
                if structure.mode == SchemaMode::Sync {
                    pair.sides.replica = between;
                }
            }
            None => differences.push(difference),
        }
    }
    extra_columns(structure, needs);
    in_order(structure, replica, needs);
    if !structure.is_one_family()
        || (structure.primary.attachments.is_empty() && replica.attachments.is_empty())
    {
        differences.extend(key_difference(structure, replica, columns));
    }
    if structure.is_one_brand() {
        match layout::differences(structure, &replica.layout) {
            Ok(changes) => needs.changes.extend(changes),
            Err((before, after)) => differences.push(Difference { column: None, before, after }),
        }
    }
    if structure.is_one_brand() && structure.primary.options != replica.options {
        let alteration = match (&replica.options, &structure.primary.options) {
            (Some(before), Some(after)) => {
                let (before, after) = (before.clone(), after.clone());
                Some(Alteration::Options { before, after })
            }
            _ => None,
        };
        let change =
            alteration.and_then(|one| altered(structure.dialects.replica, structure.names.replica, one));
        let words = |options: &Option<String>| options.clone().unwrap_or_else(|| "no options".to_owned());
        let (before, after) = (words(&replica.options), words(&structure.primary.options));
        match change {
            Some(change) => needs.changes.push(change),
            None => differences.push(Difference { column: None, before, after }),
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    if structure.mode == SchemaMode::Check {
        needs.changes.extend(differences.into_iter().map(|difference| difference.reported(replica)));
        return Ok(());
    }
    let list: Vec<_> = differences.iter().map(Difference::sentence).collect();
    let message = format!(
        "the structure of the replica's table {} differs in a way that is not reconciled yet: {}",
        replica.name,
        list.join("; ")
    );
    Err(Failure::new(ErrorKind::Type, message).hint(
        "change it by hand, or set `schema: check` (report it) or `schema: ignore` (look at rows only)",
    ))
}

/// Columns that both sides generate are not paired; one that the primary generates and the replica lacks is generated
/// there too.
fn generated_columns(
    structure: &Structure<'_>,
    replica: &Table,
    present: &mut Vec<String>,
    needs: &mut Needs,
    differences: &mut Vec<Difference>,
) {
    for wanted in structure.primary.columns.iter().filter(|column| column.generated.is_some()) {
        let Some(name) = (structure.on_replica.column)(&wanted.name) else { continue };
        let wanted = Column { name: name.clone(), ..wanted.clone() };
        match replica.column(&name) {
            None => {
                let place = place_of(structure, &wanted.name, present);
                needs.changes.push(added_at(
                    structure.dialects.replica,
                    structure.names.replica,
                    &wanted,
                    place,
                ));
                present.push(wanted.name);
            }
            // One that only the primary generates is an ordinary one.
            Some(found) if found.generated.is_none() => {}
            Some(found) if is_declared_alike(&wanted, found) && wanted.generated == found.generated => {}
            // The same expression may be printed otherwise there.
            Some(_) if !structure.is_one_brand() => {}
            Some(found) => {
                let (before, after) = (Box::new(found.clone()), Box::new(wanted.clone()));
                let alteration = Alteration::Column { before: before.clone(), after: after.clone() };
                let change = altered(structure.dialects.replica, structure.names.replica, alteration);
                let anew = || remade(structure, replica, before, after);
                match change.or_else(anew) {
                    Some(change) => needs.changes.push(change),
                    None => differences.push(Difference {
                        column: Some(found.name.clone()),
                        before: described(structure.dialects.replica, found),
                        after: described(structure.dialects.replica, &wanted),
                    }),
                }
            }
        }
    }
}

/// Columns that the replica has in another order than the primary move, before others come beside them.
fn in_order(structure: &Structure<'_>, replica: &Table, needs: &mut Needs) {
    let (dialect, table) = (structure.dialects.replica, structure.names.replica);
    if structure.is_across || !structure.is_one_family() || !dialect.orders_columns() {
        return;
    }
    let now: Vec<String> = replica.columns.iter().map(|column| column.name.clone()).collect();
    let wanted =
        structure.primary.columns.iter().filter_map(|column| (structure.on_replica.column)(&column.name));
    let wanted: Vec<String> = wanted.collect();
    // Under other names there is no telling what order was meant.
    let is_renamed = |column: &Column| {
        (structure.on_replica.column)(&column.name)
            .is_some_and(|name| !name.eq_ignore_ascii_case(&column.name))
    };
    if structure.primary.columns.iter().any(is_renamed) {
        return;
    }
    let as_is = |name: &str| {
        let altered = needs.changes.iter().find_map(|change| match &change.alteration {
            Some(Alteration::Column { after, .. }) if !change.comes_last() && after.name == name => {
                Some(after.as_ref().clone())
            }
            _ => None,
        });
        altered.or_else(|| replica.column(name).cloned())
    };
    let change = ordered(&now, &wanted, as_is).and_then(|one| altered(dialect, table, one));
    needs.changes.extend(change);
}

/// A column's way to the primary's: what it is while rows are written, and the changes before and behind them. `None`
/// where the engine cannot do that in place.
fn alterations(structure: &Structure<'_>, pair: &ColumnPair) -> Option<(Column, Vec<SchemaChange>)> {
    let before = &pair.sides.replica;
    let mut after = Column { name: before.name.clone(), ..pair.sides.primary.clone() };
    let draws = |one: &Column, other: &Column| draws_elsewhere(one) && other.words.numbers.is_some();
    if draws(before, &after) || draws(&after, before) {
        return None;
    }
    if !structure.is_one_brand() {
        let default = after.words.default.take();
        after.words = ColumnWords { default, ..before.words.clone() };
    }
    // Its words are its type's business.
    if structure.enum_of(&after, before).is_some() {
        after.column_type = before.column_type.clone();
    }
    let mut between = between(structure.dialects.replica, before, &after);
    let is_enum = |column: &Column| matches!(column.column_type.meaning, Type::Enum { .. });
    if structure.names_enums
        && is_enum(before)
        && is_enum(&after)
        && between.column_type.declared == before.column_type.declared
        && before.column_type.declared != after.column_type.declared
    {
        // The default that comes is of the type that comes behind the rows.
        between.default = before.default.clone();
        between.words.default = before.words.default.clone();
    }
    if structure.names_enums && is_another_enum(before, &after) {
        // Rows are written that hold words of either.
        between.column_type =
            structure.dialects.replica.type_for(&Type::Text { chars_max: None, fixed: false }, false)?;
    }
    let is_key = structure.key.iter().any(|name| name == pair.name());
    if is_key && between.words.collation != before.words.collation {
        // Rows are looked for by it, in the order that it has.
        between = Column { nullable: between.nullable, ..before.clone() };
    }
    let step = |before: &Column, after: &Column| {
        let alteration =
            Alteration::Column { before: Box::new(before.clone()), after: Box::new(after.clone()) };
        altered(structure.dialects.replica, structure.names.replica, alteration)
    };
    let mut changes = Vec::new();
    if *before != between && !is_declared_alike(before, &between) {
        changes.push(step(before, &between)?);
    }
    if !is_declared_alike(&between, &after) {
        changes.push(SchemaChange { behind_rows: true, ..step(&between, &after)? });
    }
    Some((between, changes))
}

/// Whether a column's default draws from a sequence that is not its own.
fn draws_elsewhere(column: &Column) -> bool {
    column.words.default.is_none() && matches!(column.default, Some(DefaultKind::Expression(_)))
}

/// Whether an enum becomes one that is a type of its own and has not all of its words, or the other way round.
fn is_another_enum(before: &Column, after: &Column) -> bool {
    let (was, is) = (&before.column_type, &after.column_type);
    match (&was.meaning, &is.meaning) {
        (Type::Enum { members: was_words }, Type::Enum { members: is_words }) => {
            was.declared != is.declared && !is_words.iter().all(|word| was_words.contains(word))
        }
        _ => false,
    }
}

/// Whether DDL says the same of two columns.
fn is_declared_alike(one: &Column, other: &Column) -> bool {
    (&one.column_type, one.nullable, &one.default, &one.words)
        == (&other.column_type, other.nullable, &other.default, &other.words)
}

/// A column that is computed, and that cannot become another in its place: it goes and comes again, in one statement behind
/// the rows, with the keys over it ([`Together::part`]).
fn remade(
    structure: &Structure<'_>,
    replica: &Table,
    before: Box<Column>,
    after: Box<Column>,
) -> Option<SchemaChange> {
    let place = |name: &str| {
        let names = structure.primary.columns.iter();
        let names = names.filter_map(|column| (structure.on_replica.column)(&column.name));
        names.take_while(|other| other != name).filter(|other| replica.column(other).is_some()).last()
    };
    let name = after.name.clone();
    let mut over = replica.attachments.iter().filter(|one| one.columns.contains(&name));
    let in_place = structure.dialects.replica.transactional_ddl();
    if !in_place && over.any(|one| matches!(one.kind, AttachmentKind::Check | AttachmentKind::ForeignKey)) {
        return None;
    }
    let remake = Alteration::Remake { before, after, behind: place(&name) };
    let change = altered(structure.dialects.replica, structure.names.replica, remake)?;
    Some(SchemaChange { behind_rows: true, ..change })
}

/// A column that only the replica has goes where it is allowed that values go with it; else it stays.
pub(super) fn extra_columns(structure: &Structure<'_>, needs: &mut Needs) {
    let (dialect, table) = (structure.dialects.replica, structure.names.replica);
    let may_go = structure.allowed.iter().any(|allowed| allowed == DELETES_DATA);
    for column in structure.extra {
        if !may_go {
            needs.notes.push(format!(
                "the column {} stays: only the replica has it, and it is dropped with --allow {DELETES_DATA} alone",
                column.name
            ));
            continue;
        }
        // The key that it numbers itself by may go in a statement before.
        if column.identity.is_some() && dialect.numbers_keys_alone() {
            let whole =
                column.words.whole.as_ref().map(|whole| {
                    whole.strip_prefix("AUTO_INCREMENT").unwrap_or(whole).trim_start().to_owned()
                });
            let words = ColumnWords { whole, ..column.words.clone() };
            let plain = Column { identity: None, words, ..(*column).clone() };
            let one = Alteration::Column { before: Box::new((*column).clone()), after: Box::new(plain) };
            let change = altered(dialect, table, one);
            needs.changes.extend(change.map(|change| SchemaChange { behind_rows: true, ..change }));
        }
        let message = format!("drops the column {}: values that are not NULL go with it", column.name);
        needs.changes.push(SchemaChange {
            action: SchemaAction::DropColumn,
            object: format!("{}.{}", table.name, column.name),
            sql: dialect.drop_column(table, &column.name),
            before: Some(described(dialect, column)),
            after: None,
            hazards: vec![Hazard { name: DELETES_DATA.to_owned(), message, rows: None }],
            withheld: false,
            alteration: None,
            behind_rows: false,
            commit: Commit::Together,
            step_of: None,
        });
    }
}

fn of_attachments(
    structure: &Structure<'_>,
    columns: &[ColumnPair],
    needs: &mut Needs,
) -> Result<(), Failure> {
    let created_key = created_key(structure, columns);
    let is_drop = |change: &&SchemaChange| change.action == SchemaAction::DropColumn;
    let gone: Vec<SchemaChange> = needs.changes.iter().filter(is_drop).cloned().collect();
    let dropped: Vec<&str> =
        gone.iter().filter_map(|change| change.column(structure.names.replica)).collect();
    let brands =
        (!structure.is_one_brand()).then(|| (plain(structure.primary), structure.replica.map(plain)));
    let (primary, replica) = match &brands {
        Some((primary, replica)) => (primary, replica.as_ref()),
        None => (structure.primary, structure.replica),
    };
    let told = |table: &Table| table.attachments.len();
    if told(primary) < told(structure.primary) || replica.map(told) < structure.replica.map(told) {
        needs.notes.push(format!(
            "checks and indexes over expressions are left out: {} and {} print them otherwise",
            structure.dialects.primary.engine(),
            structure.dialects.replica.engine()
        ));
    }
    let differences =
        attachments::differences(primary, replica, &created_key, structure.on_replica, &dropped);
    needs.notes.extend(differences.notes);
    for alteration in differences.alterations {
        match altered(structure.dialects.replica, structure.names.replica, alteration.clone()) {
            Some(change) => needs.changes.push(change),
            // What cannot be renamed is made anew.
            None => needs.changes.extend(anew(structure, alteration)?),
        }
    }
    Ok(())
}

/// The table without what it says in expressions.
fn plain(table: &Table) -> Table {
    let mut table = table.clone();
    table.attachments.retain(Attachment::is_plain);
    table
}

fn anew(structure: &Structure<'_>, alteration: Alteration) -> Result<Vec<SchemaChange>, Failure> {
    let table = structure.names.replica;
    let steps = match alteration {
        Alteration::Rename { attachment, name } => {
            let named = Attachment { name, ..attachment.clone() };
            vec![Alteration::Detach(attachment), Alteration::Attach(named)]
        }
        other => vec![other],
    };
    let change = |step| {
        altered(structure.dialects.replica, table, step).ok_or_else(|| {
            let message =
                format!("what the table {table} has besides its columns cannot be changed in place");
            Failure::new(ErrorKind::Type, message)
                .hint("change it by hand, or set `schema: check` (report it) or `schema: ignore`")
        })
    };
    steps.into_iter().map(change).collect()
}

/// The primary key that a missing table is created with, by the replica's names.
fn created_key(structure: &Structure<'_>, columns: &[ColumnPair]) -> Vec<String> {
    let name = |primary: &String| {
        let pair = columns.iter().find(|column| column.name() == primary);
        pair.map_or_else(|| primary.clone(), |pair| pair.sides.replica.name.clone())
    };
    let primary_key = structure.primary.keys.iter().find(|key| key.primary);
    let in_scope = |column: &String| columns.iter().any(|pair| pair.name() == column);
    match primary_key.filter(|key| key.columns.iter().all(in_scope)) {
        Some(key) => key.columns.iter().map(name).collect(),
        // It gets the keys that the primary's has, and no other.
        None if structure.is_one_family() && primary_key.is_none() => Vec::new(),
        // A table that is compared by another key is created with that one, for there rows must be unique too.
        None => structure.key.iter().map(name).collect(),
    }
}

/// With its columns and key. A column that numbers itself, and that only a key leads which comes behind the rows, begins
/// to do so then.
fn create_table(structure: &Structure<'_>, columns: &[ColumnPair]) -> Vec<SchemaChange> {
    let one_family = structure.is_one_family();
    let mut made: Vec<Column> =
        columns.iter().map(|pair| as_created(&pair.sides.replica, one_family)).collect();
    if one_family {
        made = with_generated(structure, made);
    }
    let primary_key = created_key(structure, columns);
    let (dialect, name) = (structure.dialects.replica, structure.names.replica);
    let mut later = Vec::new();
    let has_no_key = |column: &&mut Column| {
        one_family
            && dialect.numbers_keys_alone()
            && column.identity.is_some()
            && primary_key.first() != Some(&column.name)
    };
    for column in made.iter_mut().filter(has_no_key) {
        let plain = Column { identity: None, ..column.clone() };
        let alteration =
            Alteration::Column { before: Box::new(plain.clone()), after: Box::new(column.clone()) };
        let change = altered(dialect, name, alteration);
        later.extend(change.map(|change| SchemaChange { behind_rows: true, ..change }));
        *column = plain;
    }
    for column in &mut made {
        let first = dialect.comes_as(column);
        if first != *column {
            let one = Alteration::Column { before: Box::new(first.clone()), after: Box::new(column.clone()) };
            later.extend(altered(dialect, name, one));
            *column = first;
        }
    }
    let definition = TableDefinition {
        name: name.clone(),
        columns: made,
        primary_key,
        primary_key_name: structure.primary.attachments.iter().find_map(|one| {
            let is_named = one.kind == AttachmentKind::PrimaryKey && !one.name_made_up;
            (is_named && one_family && !one.name.is_empty()).then(|| one.name.clone())
        }),
        options: (structure.primary.layout.by.as_ref().map(|by| format!("PARTITION BY {by}")))
            .or_else(|| structure.primary.options.clone())
            .filter(|_| structure.is_one_brand()),
    };
    let sql = dialect.create_table(&definition);
    let created = SchemaChange {
        action: SchemaAction::CreateTable,
        object: name.name.clone(),
        after: Some(sql.clone()),
        sql: vec![sql],
        before: None,
        hazards: Vec::new(),
        withheld: false,
        alteration: None,
        behind_rows: false,
        commit: Commit::Together,
        step_of: None,
    };
    std::iter::once(created).chain(later).collect()
}

/// The columns with those that the primary generates, in the primary's order.
fn with_generated(structure: &Structure<'_>, mut made: Vec<Column>) -> Vec<Column> {
    let mut columns = Vec::new();
    for column in &structure.primary.columns {
        let Some(name) = (structure.on_replica.column)(&column.name) else { continue };
        match made.iter().position(|one| one.name == name) {
            Some(at) => columns.push(made.remove(at)),
            None if column.generated.is_some() => columns.push(Column { name, ..column.clone() }),
            None => {}
        }
    }
    columns.extend(made);
    columns
}

/// The column as it is created: on another engine, and where a sequence is drawn from, defaults other than literals mean
/// something else and are not carried over.
fn as_created(column: &Column, one_family: bool) -> Column {
    let mut column = column.clone();
    let kept = column.words.default.is_some() && one_family;
    column.default = column.default.filter(|default| kept || matches!(default, DefaultKind::Literal(_)));
    column
}

fn add_column(
    structure: &Structure<'_>,
    replica: &Table,
    pair: &mut ColumnPair,
    present: &[String],
) -> Result<Vec<SchemaChange>, Failure> {
    let (dialect, table) = (structure.dialects.replica, structure.names.replica);
    if let Some(changes) = added_empty(structure, pair, present) {
        return Ok(changes);
    }
    let column = as_created(&pair.sides.replica, structure.is_one_family());
    let place = place_of(structure, &column.name, present);
    // Where only a key can number its column, that comes behind the rows.
    let numbers_later =
        column.identity.is_some() && dialect.numbers_keys_alone() && structure.is_one_family();
    let numbers_itself = column.identity.is_some() && !numbers_later;
    // A value for all rows is as good as none: then it need not be added without, and changed once more.
    let has_value = matches!(column.default, Some(DefaultKind::Literal(_)));
    let is_complete = ((column.nullable || has_value) && !numbers_later) || numbers_itself;
    if structure.mode != SchemaMode::Sync {
        return Ok(vec![added_at(dialect, table, &column, place)]);
    }
    if let Some(changes) = added_numbered(dialect, table, &column, place) {
        pair.sides.replica.identity = None;
        return Ok(changes);
    }
    if is_complete {
        return Ok(vec![added_at(dialect, table, &column, place)]);
    }
    // Added without having to have values, filled, and only then held to have them; taken back the other way round.
    let identity = column.identity.filter(|_| !numbers_later);
    let empty = Column { nullable: true, identity, ..column.clone() };
    let added = added_at(dialect, table, &empty, place);
    let alteration = Alteration::Column { before: Box::new(empty), after: Box::new(column.clone()) };
    let held = altered(dialect, table, alteration).filter(|_| structure.is_one_family());
    let has_default = column.default.is_some() || column.words.default.is_some();
    match held {
        Some(held) => Ok(vec![added, SchemaChange { behind_rows: true, ..held }]),
        None if has_default => Ok(vec![added_at(dialect, table, &column, place)]),
        None => {
            let message = format!(
                "the replica's table {} lacks the column {}, which is NOT NULL without a literal default; adding such \
                 a column is not available yet",
                replica.name, column.name
            );
            Err(Failure::new(ErrorKind::Type, message)
                .hint(format!("add it by hand, or leave it out with `exclude_columns: [{}]`", pair.name())))
        }
    }
}

/// The changes that add a column with a sequence of its own: the rows that are there are numbered, those of the plan take the
/// primary's numbers, and only then does it number itself. `None` where there is no such thing.
fn added_numbered(
    dialect: &dyn Dialect,
    table: &TableName,
    column: &Column,
    place: ColumnPlace<'_>,
) -> Option<Vec<SchemaChange>> {
    column.words.numbers.as_ref()?;
    let step = |before: &Column, after: &Column| {
        let (before, after) = (Box::new(before.clone()), Box::new(after.clone()));
        altered(dialect, table, Alteration::Column { before, after })
    };
    let first = dialect.comes_as(column);
    let words = ColumnWords { numbers: None, ..column.words.clone() };
    let plain = Column { nullable: true, identity: None, words, ..column.clone() };
    let mut added = added_at(dialect, table, &first, place);
    if first.words.numbers.is_some() {
        added.sql.extend(step(&first, &plain)?.sql);
    }
    added.after = Some(described(dialect, &plain));
    let numbers = step(&plain, column)?;
    Some(vec![added, SchemaChange { behind_rows: true, ..numbers }])
}

/// The changes that add a column whose default is nothing that is known before: without it, so that it is NULL in every row
/// until rows are written. `None` where it can be added as it is, or the engine cannot do that.
fn added_empty(
    structure: &Structure<'_>,
    pair: &mut ColumnPair,
    present: &[String],
) -> Option<Vec<SchemaChange>> {
    let (dialect, table) = (structure.dialects.replica, structure.names.replica);
    let whole = as_created(&pair.sides.replica, structure.is_one_family());
    let is_known = match &whole.default {
        Some(DefaultKind::Literal(_)) => is_known_domain(&pair.domain),
        Some(DefaultKind::Expression(_)) => false,
        Some(DefaultKind::Null) | None => true,
    };
    let is_looked_at = structure.mode != SchemaMode::Sync;
    if is_known || whole.identity.is_some() || !structure.is_one_family() || is_looked_at {
        return None;
    }
    let words = ColumnWords { default: None, ..whole.words.clone() };
    let empty = Column { nullable: true, default: None, words, ..whole.clone() };
    let filled = Column { nullable: true, ..whole.clone() };
    let step = |before: &Column, after: &Column| {
        let alteration =
            Alteration::Column { before: Box::new(before.clone()), after: Box::new(after.clone()) };
        altered(dialect, table, alteration)
    };
    let mut added = added_at(dialect, table, &empty, place_of(structure, &whole.name, present));
    pair.sides.replica.default = None;
    // Where each statement stands by itself, the default comes with all that comes behind the rows.
    if !dialect.transactional_ddl() {
        return Some(vec![added, SchemaChange { behind_rows: true, ..step(&empty, &whole)? }]);
    }
    added.sql.extend(step(&empty, &filled)?.sql);
    added.after = Some(described(dialect, &filled));
    let mut changes = vec![added];
    if !whole.nullable {
        changes.push(SchemaChange { behind_rows: true, ..step(&filled, &whole)? });
    }
    Some(changes)
}

/// Whether it is certain what a column holds for a literal default.
fn is_known_domain(domain: &Domain) -> bool {
    match domain {
        Domain::Boolean
        | Domain::Integer { .. }
        | Domain::Decimal { .. }
        | Domain::Float32
        | Domain::Float64
        | Domain::Text
        | Domain::Date
        | Domain::Time
        | Domain::DateTime
        | Domain::Storage { .. } => true,
        Domain::Instant
        | Domain::Bytes
        | Domain::Bits
        | Domain::Uuid
        | Domain::Json { .. }
        | Domain::JsonText
        | Domain::Address
        | Domain::Native => false,
    }
}

/// The change that adds a column to the replica's table.
pub fn added_column(dialect: &dyn Dialect, table: &TableName, column: &Column) -> SchemaChange {
    added_at(dialect, table, column, ColumnPlace::Last)
}

/// The place of a column that comes, among those that are there by then: behind the one that it is behind on the primary.
fn place_of<'p>(structure: &Structure<'_>, name: &str, present: &'p [String]) -> ColumnPlace<'p> {
    if !structure.is_one_family() {
        return ColumnPlace::Last;
    }
    let before = structure.primary.columns.iter().map(|column| (structure.on_replica.column)(&column.name));
    let before = before.take_while(|other| other.as_deref() != Some(name)).flatten();
    let nearest = before.filter_map(|other| present.iter().find(|one| **one == other)).last();
    nearest.map_or(ColumnPlace::First, |name| ColumnPlace::Behind(name))
}

fn added_at(
    dialect: &dyn Dialect,
    table: &TableName,
    column: &Column,
    place: ColumnPlace<'_>,
) -> SchemaChange {
    let column = as_created(column, true);
    let message = || format!("writes all rows anew to add {}", column.name);
    let hazard =
        || Hazard { name: ACQUIRES_ACCESS_EXCLUSIVE_LOCK.to_owned(), message: message(), rows: None };
    SchemaChange {
        action: SchemaAction::AddColumn,
        object: format!("{}.{}", table.name, column.name),
        after: Some(described(dialect, &column)),
        sql: vec![dialect.add_column_at(table, &column, place)],
        before: None,
        hazards: dialect.rewrites_to_add(&column).then(hazard).into_iter().collect(),
        withheld: false,
        alteration: None,
        behind_rows: false,
        commit: Commit::Together,
        step_of: None,
    }
}

/// Something that differs in a column or in the table as a whole.
struct Difference {
    /// `None`: the table itself.
    column: Option<String>,
    before: String,
    after: String,
}

impl Difference {
    fn sentence(&self) -> String {
        let Difference { column, before, after } = self;
        match column {
            Some(column) => format!("column {column} is `{before}`, on the primary `{after}`"),
            None => format!("it has `{before}`, the primary `{after}`"),
        }
    }

    fn reported(self, replica: &Table) -> SchemaChange {
        let table = &replica.name.name;
        SchemaChange {
            action: SchemaAction::AlterColumn,
            object: self.column.map_or_else(|| table.clone(), |column| format!("{table}.{column}")),
            sql: Vec::new(),
            before: Some(self.before),
            after: Some(self.after),
            hazards: Vec::new(),
            withheld: true,
            alteration: None,
            behind_rows: false,
            commit: Commit::Together,
            step_of: None,
        }
    }
}

fn column_difference(structure: &Structure<'_>, pair: &ColumnPair) -> Option<Difference> {
    let same_family = structure.is_one_family();
    let Sides { primary, replica } = &pair.sides;
    let is_key = structure.key.iter().any(|column| column == pair.name());
    // Key columns are never NULL where rows are compared, and SQLite, whose tables are texts, lets most primary keys be NULL.
    let is_said = same_family && structure.replica.is_some_and(|table| table.stored.table.is_none());
    let nullability = (!is_key || is_said) && primary.nullable != replica.nullable;
    // Not what it means: `json` is a text on MariaDB, and none on MySQL.
    let declared = same_family && primary.column_type.declared != replica.column_type.declared;
    let is_list = |column: &Column| matches!(column.column_type.meaning, Type::Enum { .. });
    let other_words = primary.column_type.meaning != replica.column_type.meaning;
    let list =
        same_family && is_list(primary) && other_words && structure.enum_of(primary, replica).is_none();
    let expression = matches!(primary.default, Some(DefaultKind::Expression(_)));
    let default = same_family && !expression && literal_default(primary) != literal_default(replica);
    // One that the primary alone generates is an ordinary one, whatever DDL says of it there.
    let words = structure.is_one_brand() && primary.generated.is_none() && primary.words != replica.words;
    (nullability || declared || list || default || words).then(|| Difference {
        column: Some(replica.name.clone()),
        before: described(structure.dialects.replica, replica),
        after: described(structure.dialects.replica, primary),
    })
}

/// What is compared of a default: literals, as they are all that is carried over, and those by value, for an
/// engine may keep `true` as 1 and 1.5 as 1.50. Where the primary has another kind, the replica may have any.
fn literal_default(column: &Column) -> Option<LiteralDefault> {
    let Some(DefaultKind::Literal(literal)) = &column.default else { return None };
    let number = match literal {
        LiteralDefault::Boolean(yes) => u8::from(*yes).to_string(),
        LiteralDefault::Number(number) => number.clone(),
        LiteralDefault::Text(_) => return Some(literal.clone()),
    };
    let plain = Decimal::parse(&number).map_or(number, |decimal| decimal.trimmed().to_string());
    Some(LiteralDefault::Number(plain))
}

/// The primary keys, by the replica's column names.
fn key_difference(structure: &Structure<'_>, replica: &Table, columns: &[ColumnPair]) -> Option<Difference> {
    let primary_key =
        |table: &Table| table.keys.iter().find(|key| key.primary).map(|key| key.columns.clone());
    let wanted = primary_key(structure.primary)?;
    let renamed: Option<Vec<String>> = wanted
        .iter()
        .map(|name| columns.iter().find(|pair| pair.name() == name))
        .map(|pair| pair.map(|pair| pair.sides.replica.name.clone()))
        .collect();
    // A primary key that is not in scope is not the spec's business.
    let renamed = renamed?;
    let found = primary_key(replica);
    if found.as_ref() == Some(&renamed) {
        return None;
    }
    let text = |key: Option<Vec<String>>| match key {
        Some(key) => format!("PRIMARY KEY ({})", key.join(", ")),
        None => "no primary key".to_owned(),
    };
    Some(Difference { column: None, before: text(found), after: text(Some(renamed)) })
}

pub(super) fn described(dialect: &dyn Dialect, column: &Column) -> String {
    if let Some(text) = dialect.column_text(column) {
        return text;
    }
    if let Some(whole) = &column.words.whole {
        return format!("{} {whole}", column.name);
    }
    let mut text = format!("{} {}", column.name, column.column_type.declared);
    if let Some(collation) = &column.words.collation {
        text.push_str(&format!(" COLLATE {collation}"));
    }
    if let Some(numbers) = &column.words.numbers {
        text.push_str(&format!(" {numbers}"));
    }
    match (&column.words.default, &column.default) {
        (Some(default), _) => text.push_str(&format!(" DEFAULT {default}")),
        (None, Some(DefaultKind::Expression(drawn))) => text.push_str(&format!(" DEFAULT {drawn}")),
        (None, Some(DefaultKind::Literal(literal))) => text.push_str(&match literal {
            LiteralDefault::Number(number) => format!(" DEFAULT {number}"),
            LiteralDefault::Text(words) => format!(" DEFAULT '{}'", words.replace('\'', "''")),
            LiteralDefault::Boolean(yes) => format!(" DEFAULT {yes}"),
        }),
        _ => {}
    }
    if !column.nullable {
        text.push_str(" NOT NULL");
    }
    match (&column.words.generated, column.generated) {
        (Some(expression), Some(_)) => text.push_str(&format!(" GENERATED AS ({expression})")),
        (None, Some(_)) => text.push_str(" GENERATED"),
        _ => {}
    }
    text
}
