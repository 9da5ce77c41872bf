//! The structural differences of one table pair, and the changes that remove them.
//!
//! What is reconciled so far: a missing table, with its columns, NOT NULL, literal defaults and primary key, and
//! a missing column. Any other difference in scope (type, nullability, primary key) is an error that
//! names it, on one engine also of literal defaults; foreign keys, further unique keys, indexes, checks and defaults
//! that are expressions are not looked at yet.

use crate::failure::{ErrorKind, Failure};
use crate::sides::Sides;
use crate::spec::SchemaMode;
use crate::sql::{Column, DefaultKind, Dialect, LiteralDefault, TableDefinition, TableName};
use crate::value::Decimal;

use super::change::{SchemaAction, SchemaChange};
use super::{ColumnPair, Table};

/// What is held side by side.
pub(super) struct Structure<'a> {
    pub mode: SchemaMode,
    pub names: Sides<&'a TableName>,
    pub dialects: Sides<&'a dyn Dialect>,
    pub primary: &'a Table,
    pub replica: Option<&'a Table>,
    /// The key's columns, by the primary's names.
    pub key: &'a [String],
}

/// The changes, in execution order.
pub(super) fn changes(
    structure: &Structure<'_>,
    columns: &[ColumnPair],
) -> Result<Vec<SchemaChange>, Failure> {
    if structure.mode == SchemaMode::Ignore {
        return Ok(Vec::new());
    }
    let Some(replica) = structure.replica else { return Ok(vec![create_table(structure, columns)]) };
    let mut changes = Vec::new();
    for column in columns.iter().filter(|column| !column.on_replica) {
        changes.push(add_column(structure, replica, column)?);
    }
    let differences = differences(structure, replica, columns);
    if differences.is_empty() {
        return Ok(changes);
    }
    if structure.mode == SchemaMode::Check {
        changes.extend(differences.into_iter().map(|difference| difference.reported(replica)));
        return Ok(changes);
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

fn create_table(structure: &Structure<'_>, columns: &[ColumnPair]) -> SchemaChange {
    let name = |primary: &String| {
        let pair = columns.iter().find(|column| column.name() == primary);
        pair.map_or_else(|| primary.clone(), |pair| pair.sides.replica.name.clone())
    };
    let primary_key = structure.primary.keys.iter().find(|key| key.primary);
    // A table that is compared by another key is created with that one, for there rows must be unique too.
    let primary_key = primary_key
        .filter(|key| key.columns.iter().all(|column| columns.iter().any(|pair| pair.name() == column)))
        .map_or(structure.key, |key| &key.columns);
    let definition = TableDefinition {
        name: structure.names.replica.clone(),
        columns: columns.iter().map(|pair| literal_default_only(&pair.sides.replica)).collect(),
        primary_key: primary_key.iter().map(name).collect(),
        options: None,
    };
    let sql = structure.dialects.replica.create_table(&definition);
    SchemaChange {
        action: SchemaAction::CreateTable,
        object: structure.names.replica.name.clone(),
        after: Some(sql.clone()),
        sql: vec![sql],
        before: None,
        hazards: Vec::new(),
        withheld: structure.mode == SchemaMode::Check,
        alteration: None,
        behind_rows: false,
    }
}

/// The column as it is created: defaults other than literals mean something else on another server or at another
/// time, and are not carried over.
fn literal_default_only(column: &Column) -> Column {
    let mut column = column.clone();
    column.default = column.default.filter(|default| matches!(default, DefaultKind::Literal(_)));
    column
}

fn add_column(
    structure: &Structure<'_>,
    replica: &Table,
    pair: &ColumnPair,
) -> Result<SchemaChange, Failure> {
    let column = literal_default_only(&pair.sides.replica);
    if !column.nullable && column.default.is_none() && structure.mode == SchemaMode::Sync {
        let message = format!(
            "the replica's table {} lacks the column {}, which is NOT NULL without a literal default; adding such \
             a column is not available yet",
            replica.name, column.name
        );
        return Err(Failure::new(ErrorKind::Type, message)
            .hint(format!("add it by hand, or leave it out with `exclude_columns: [{}]`", pair.name())));
    }
    let change = added_column(structure.dialects.replica, structure.names.replica, &column);
    Ok(SchemaChange { withheld: structure.mode == SchemaMode::Check, ..change })
}

/// The change that adds a column of a pair to the replica's table.
pub fn added_column(dialect: &dyn Dialect, table: &TableName, column: &Column) -> SchemaChange {
    let column = literal_default_only(column);
    SchemaChange {
        action: SchemaAction::AddColumn,
        object: format!("{}.{}", table.name, column.name),
        after: Some(described(&column)),
        sql: vec![dialect.add_column(table, &column)],
        before: None,
        hazards: Vec::new(),
        withheld: false,
        alteration: None,
        behind_rows: false,
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
        }
    }
}

fn differences(structure: &Structure<'_>, replica: &Table, columns: &[ColumnPair]) -> Vec<Difference> {
    let same_family = structure.dialects.primary.same_family(structure.dialects.replica);
    let mut differences = Vec::new();
    for pair in columns.iter().filter(|pair| pair.on_replica) {
        let Sides { primary, replica } = &pair.sides;
        let is_key = structure.key.iter().any(|column| column == pair.name());
        // Key columns are never NULL where rows are compared, and SQLite lets most primary keys be NULL.
        let nullability = !is_key && primary.nullable != replica.nullable;
        // Not what it means: `json` is a text on MariaDB, and none on MySQL.
        let declared = same_family && primary.column_type.declared != replica.column_type.declared;
        let expression = matches!(primary.default, Some(DefaultKind::Expression(_)));
        let default = same_family && !expression && literal_default(primary) != literal_default(replica);
        if nullability || declared || default {
            differences.push(Difference {
                column: Some(replica.name.clone()),
                before: described(replica),
                after: described(primary),
            });
        }
    }
    differences.extend(key_difference(structure, replica, columns));
    differences
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

pub(super) fn described(column: &Column) -> String {
    let mut text = format!("{} {}", column.name, column.column_type.declared);
    if let Some(DefaultKind::Literal(literal)) = &column.default {
        text.push_str(&match literal {
            LiteralDefault::Number(number) => format!(" DEFAULT {number}"),
            LiteralDefault::Text(words) => format!(" DEFAULT '{}'", words.replace('\'', "''")),
            LiteralDefault::Boolean(yes) => format!(" DEFAULT {yes}"),
        });
    }
    if !column.nullable {
        text.push_str(" NOT NULL");
    }
    if column.generated.is_some() {
        text.push_str(" GENERATED");
    }
    text
}
