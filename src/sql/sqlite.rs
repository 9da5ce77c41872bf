//! SQLite's SQL: quoting, literals, statements. The engine room runs what is made here.
//!
//! SQLite keeps a storage class with every value and converts by a column's affinity; this room refuses to
//! write what would be converted. Text compares as BINARY whatever the column's collation.

mod alter;
mod copies;
mod ddl;
mod declared;
mod literal;
mod portable;
mod prepared;
mod rebuild;
mod scope;
mod script;
mod select;
mod sequence;
mod spelling;
pub(crate) mod structure;
mod tokens;
mod unique;

#[cfg(test)]
pub(crate) use literal::plain as plain_literal;

use super::expression::{Expression, ExpressionError};
use super::{
    Alike, Alteration, Attachment, Column, ConstraintChecks, CopiesToDelete, DefaultKind, Dialect,
    EngineName, Identity, IndexPart, LiteralDefault, NamedType, Numbering, Portable, Ported, RowUpdate,
    Script, Select, SelectColumn, Shape, TableDefinition, TableName, UniqueIndex, Unwritable, Wanted,
};
use crate::value::{ColumnType, Domain, Type, Value};
use spelling::SpelledKeys;

use declared::Affinity;
pub(crate) use declared::column_type;
pub(crate) use literal::Stored;
pub(crate) use prepared::Prepared;
pub(crate) use rebuild::{BEFORE as BEFORE_REBUILD, BEHIND as BEHIND_REBUILD};
pub(crate) use scope::{VALUE_FUNCTION, ValueKind, read_date_time, read_instant, read_uuid};
pub(crate) use select::{Encoding, ORDER_FUNCTION, OrderKind, render as render_select};
pub(crate) use tokens::quoted_length;

/// The most rows in one statement.
const ROWS_MAX: usize = 500;
/// The longest statement; SQLite itself would take a thousand times that.
const BYTES_MAX: usize = 1 << 20;

/// SQLite's dialect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sqlite;

/// A quoted identifier.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A quoted table name.
fn table(name: &TableName) -> String {
    Sqlite.table(name)
}

impl Dialect for Sqlite {
    fn has_server(&self) -> bool {
        false
    }

    fn engine(&self) -> EngineName {
        EngineName::Sqlite
    }

    fn same_family(&self, other: &dyn Dialect) -> bool {
        other.engine() == EngineName::Sqlite
    }

    fn stores_any_class(&self) -> bool {
        true
    }

    fn transactional_ddl(&self) -> bool {
        true
    }

    fn drops_rows_first(&self) -> bool {
        true
    }

    fn statement_bytes_max(&self) -> usize {
        BYTES_MAX
    }

    fn identifier(&self, name: &str) -> String {
        identifier(name)
    }

    fn same_column_name(&self, one: &str, other: &str) -> bool {
        one.eq_ignore_ascii_case(other)
    }

    fn literal(&self, value: &Value, column: &ColumnType) -> Result<String, Unwritable> {
        literal::stored(value, column)
    }

    fn select(&self, select: &Select) -> String {
        select::render(select, Encoding::Utf8)
    }

    fn order_needs_sort(&self, column: &Column, domain: &Domain) -> bool {
        select::needs_sort(column, domain)
    }

    fn spells_freely(&self, column: &Column, domain: &Domain) -> bool {
        select::has_endless_spellings(column, domain)
    }

    fn constraint_checks(&self) -> ConstraintChecks {
        // What is not RESTRICT is looked at when the transaction ends; every transaction of ours says so.
        ConstraintChecks {
            defer: Some("PRAGMA defer_foreign_keys = ON"),
            always_deferred: true,
            ..ConstraintChecks::default()
        }
    }

    fn equates(&self, column: &Column) -> bool {
        column.collation.is_some()
    }

    /// By the parent's collation: <https://sqlite.org/foreignkeys.html>, section 3.
    fn same_ends(&self, pointing: &Column, pointed_at: &Column) -> bool {
        let [one, other] = [pointing, pointed_at].map(|column| Affinity::of(&column.column_type.declared));
        // Two names of one thing.
        let whole = |affinity| matches!(affinity, Affinity::Integer | Affinity::Numeric);
        // Without an affinity 2 and 2.0 are stored as they come, and are one all the same.
        (one == other && one != Affinity::Blob) || (whole(one) && whole(other))
    }

    /// SQLite gives what points the affinity of what is pointed at, and compares under the latter's collation.
    fn points_as(&self, pointing: &Column, pointed_at: &Column) -> Option<IndexPart> {
        let collation = pointed_at.collation.clone().unwrap_or_else(|| "BINARY".to_owned());
        let [one, other] = [pointing, pointed_at].map(|column| Affinity::of(&column.column_type.declared));
        let numeric = |affinity| matches!(affinity, Affinity::Integer | Affinity::Real | Affinity::Numeric);
        let name = identifier(&pointing.name);
        let sql = match (one, other) {
            _ if one == other || self.same_ends(pointing, pointed_at) => name,
            // A text that is no number is one here, and so more is found than points.
            (one, other) if numeric(other) && (numeric(one) || one == Affinity::Blob) => {
                format!("CAST({name} AS NUMERIC)")
            }
            _ => return None,
        };
        Some(IndexPart { sql, alike: Alike::Collation(collation) })
    }

    fn equated(&self, _table: &TableName, column: &Column, values: &[&Value]) -> Result<String, Unwritable> {
        let collation = column.collation.as_deref().unwrap_or_default();
        let marks = values.iter().map(|value| format!("(hex({}))", literal::hex(&folded(collation, value))));
        Ok(format!("VALUES {}", marks.collect::<Vec<_>>().join(", ")))
    }

    fn index_marks(
        &self,
        _table: &TableName,
        index: &UniqueIndex,
        columns: &[Column],
        rows: &[Vec<Value>],
    ) -> Result<String, Unwritable> {
        unique::marks(index, columns, rows)
    }

    fn insert(
        &self,
        table: &TableName,
        columns: &[Column],
        rows: &[Vec<Value>],
    ) -> Result<Vec<String>, Unwritable> {
        let names: Vec<String> = columns.iter().map(|column| identifier(&column.name)).collect();
        // Whatever the replica's own ON CONFLICT clause says: REPLACE would take rows that no plan names.
        let head = format!("INSERT OR ABORT INTO {} ({}) VALUES ", self.table(table), names.join(", "));
        let rows = rows.iter().map(|row| stored_row(columns, row).map(|row| vec![row]));
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        Ok(batched(&rows, head.len()).map(|rows| format!("{head}{}", tuples(rows))).collect())
    }

    fn update(
        &self,
        table: &TableName,
        key: &[SelectColumn],
        columns: &[Column],
        rows: &[RowUpdate],
    ) -> Result<Vec<String>, Unwritable> {
        let key = columns_of(key);
        let key = key.as_slice();
        let keys: Vec<Vec<Value>> = rows.iter().map(|row| row.key.clone()).collect();
        for key_values in &keys {
            stored_row(key, key_values)?;
        }
        let spelled_keys = SpelledKeys::new(key, &keys);
        let found_by = spelled_keys.expressions(Some(&table.name));
        let mut lines = Vec::with_capacity(rows.len());
        for row in rows {
            let values = stored_row(columns, &row.values)?;
            let spelled = spelled_keys.rows(&row.key);
            lines.push(spelled.into_iter().map(|key| [key, values.clone()].concat()).collect::<Vec<_>>());
        }
        let set: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                format!("{} = _trueup_new.column{}", identifier(&column.name), found_by.len() + at + 1)
            })
            .collect();
        let equals = if keys.iter().flatten().any(Value::is_null) { "IS" } else { "=" };
        let found: Vec<String> = found_by
            .iter()
            .enumerate()
            .map(|(at, expression)| format!("{expression} {equals} _trueup_new.column{}", at + 1))
            .collect();
        let head = format!("UPDATE OR ABORT {} SET {} FROM (VALUES ", self.table(table), set.join(", "));
        let tail = format!(") AS _trueup_new WHERE {}", found.join(" AND "));
        let fixed = head.len() + tail.len();
        Ok(batched(&lines, fixed).map(|rows| format!("{head}{}{tail}", tuples(rows))).collect())
    }

    fn delete(
        &self,
        table: &TableName,
        key: &[SelectColumn],
        keys: &[Vec<Value>],
    ) -> Result<Vec<String>, Unwritable> {
        let key = columns_of(key);
        let key = key.as_slice();
        let mut lines = Vec::with_capacity(keys.len());
        for values in keys {
            lines.push(vec![stored_row(key, values)?]);
        }
        let head = format!("DELETE FROM {} WHERE ", self.table(table));
        let mut rest = keys;
        // A spelled key is a few times longer than its plain form.
        let statements = batched(&lines, head.len() + BYTES_MAX / 2).map(|batch| {
            let (now, later) = rest.split_at(batch.len());
            rest = later;
            format!("{head}{}", select::matching(key, now, &table.name))
        });
        Ok(statements.collect())
    }

    fn delete_copies(&self, copies: &CopiesToDelete<'_>) -> Result<Vec<String>, Unwritable> {
        copies::delete(copies)
    }

    fn create_table(&self, table: &TableDefinition) -> String {
        let alias = rowid_alias(table);
        let mut lines: Vec<String> = table
            .columns
            .iter()
            .map(|column| match alias == Some(column.name.as_str()) {
                true => format!("{} INTEGER NOT NULL PRIMARY KEY", identifier(&column.name)),
                false => column_definition(column),
            })
            .collect();
        if alias.is_none() && !table.primary_key.is_empty() {
            let columns: Vec<String> = table.primary_key.iter().map(|name| identifier(name)).collect();
            lines.push(format!("PRIMARY KEY ({})", columns.join(", ")));
        }
        format!("CREATE TABLE {} (\n  {}\n)", self.table(&table.name), lines.join(",\n  "))
    }

    fn add_column(&self, table: &TableName, column: &Column) -> String {
        format!("ALTER TABLE {} ADD COLUMN {}", self.table(table), alter::defined(column))
    }

    fn alter(&self, table: &TableName, alteration: &Alteration) -> Option<Vec<String>> {
        alter::alter(table, alteration)
    }

    fn shaped(&self, table: &TableName, wanted: &Wanted<'_>) -> Option<Result<Shape, String>> {
        Some(rebuild::shaped(table, wanted))
    }

    fn between(&self, table: &TableName, before: &Shape, after: &Shape) -> Result<Shape, String> {
        rebuild::between(table, before, after)
    }

    fn adds(&self, column: &Column) -> bool {
        alter::adds(column)
    }

    fn drops(&self, table: &Shape, column: &str) -> bool {
        alter::drops(table, column)
    }

    fn modelled(
        &self,
        table: &TableName,
        now: Option<&Shape>,
        columns: &[Column],
    ) -> Option<Result<String, String>> {
        Some(rebuild::modelled(table, now, columns))
    }

    fn is_now(&self, default: &str) -> bool {
        let default = default.trim_matches(['(', ')']).trim();
        default.eq_ignore_ascii_case("CURRENT_TIMESTAMP")
    }

    fn now(&self, meaning: &Type) -> Option<String> {
        matches!(meaning, Type::DateTime { .. } | Type::Instant { .. })
            .then(|| "CURRENT_TIMESTAMP".to_owned())
    }

    fn named_type(&self, named: &NamedType) -> Option<ColumnType> {
        declared::named_type(named)
    }

    fn portable(&self, attachment: &Attachment) -> Result<Ported, &'static str> {
        portable::portable(attachment)
    }

    fn adopted(&self, portable: &Portable, name: &str, created: bool) -> Option<Attachment> {
        Some(portable::adopted(portable, name, created))
    }

    fn declared_chars(&self, column: &ColumnType) -> Option<u64> {
        declared::chars(&column.declared)
    }

    fn promised(&self, column: &ColumnType) -> Type {
        declared::promised(&column.declared)
    }

    fn takes_type(&self, options: Option<&str>, column: &ColumnType) -> bool {
        !options.unwrap_or_default().contains("STRICT") || declared::is_strict(&column.declared)
    }

    fn fits_name(&self, name: &str) -> bool {
        portable::fits_name(name)
    }

    fn type_for(&self, meaning: &Type, _key: bool) -> Option<ColumnType> {
        declared::type_for(meaning)
    }

    fn scope(
        &self,
        expression: &Expression,
        column: &dyn Fn(&str) -> Option<Column>,
        now: jiff::Timestamp,
    ) -> Result<String, ExpressionError> {
        expression.render(&scope::Scope { column }, now)
    }

    fn numbering(&self) -> &dyn Numbering {
        &sequence::Counters
    }

    fn script(&self) -> Box<dyn Script> {
        Box::new(script::SqliteScript::default())
    }
}

fn columns_of(key: &[SelectColumn]) -> Vec<Column> {
    key.iter().map(|part| part.column.clone()).collect()
}

/// What a collation compares of a text. SQLite's own are known to the letter: NOCASE folds ASCII alone, and where
/// both texts have a NUL it looks no further than that, but at their lengths.
fn folded(collation: &str, value: &Value) -> Vec<u8> {
    let bytes = match value {
        Value::Text(text) => text.as_bytes(),
        Value::RawText(bytes) => bytes,
        Value::OtherStorage(inner) => return folded(collation, inner),
        other => return literal::plain(other).into_bytes(),
    };
    if collation.eq_ignore_ascii_case("NOCASE") {
        let seen = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let mut folded = bytes[..seen].to_ascii_lowercase();
        folded.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        return folded;
    }
    match collation.eq_ignore_ascii_case("RTRIM") {
        true => bytes[..bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1)].to_vec(),
        false => bytes.to_vec(),
    }
}

fn stored_row(columns: &[Column], values: &[Value]) -> Result<Vec<String>, Unwritable> {
    columns.iter().zip(values).map(|(column, value)| literal::stored(value, &column.column_type)).collect()
}

fn tuples(lines: &[Vec<Vec<String>>]) -> String {
    let rows: Vec<String> = lines.iter().flatten().map(|row| format!("({})", row.join(", "))).collect();
    rows.join(", ")
}

/// Cuts lines (each the rows that must stay together) into statements.
fn batched(lines: &[Vec<Vec<String>>], fixed: usize) -> impl Iterator<Item = &[Vec<Vec<String>>]> {
    let mut rest = lines;
    std::iter::from_fn(move || {
        let mut bytes = fixed;
        let fits = rest.iter().take(ROWS_MAX).take_while(|line| {
            let length: usize = line.iter().flatten().map(|literal| literal.len() + 4).sum();
            bytes += length + 2;
            bytes <= BYTES_MAX
        });
        let count = fits.count().max(1).min(rest.len());
        let (now, later) = rest.split_at(count);
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

/// The column that numbers itself, where SQLite can do that: a primary key of one integer column.
fn rowid_alias(table: &TableDefinition) -> Option<&str> {
    let [name] = table.primary_key.as_slice() else { return None };
    let column = table.columns.iter().find(|column| column.name == *name)?;
    let numbers = matches!(column.identity, Some(Identity::Always | Identity::ByDefault));
    (numbers && matches!(column.column_type.meaning, Type::Integer { .. })).then_some(name)
}

/// Without generation: what is generated on one side only is an ordinary column on the other.
fn column_definition(column: &Column) -> String {
    let mut sql = identifier(&column.name);
    if !column.column_type.declared.is_empty() {
        sql.push(' ');
        sql.push_str(&column.column_type.declared);
    }
    if !column.nullable {
        sql.push_str(" NOT NULL");
    }
    match &column.default {
        None => {}
        Some(DefaultKind::Null) => sql.push_str(" DEFAULT NULL"),
        Some(DefaultKind::Literal(LiteralDefault::Number(number))) => {
            sql.push_str(&format!(" DEFAULT {number}"));
        }
        Some(DefaultKind::Literal(LiteralDefault::Text(text))) => {
            sql.push_str(&format!(" DEFAULT ({})", literal::text(text)));
        }
        Some(DefaultKind::Literal(LiteralDefault::Boolean(value))) => {
            sql.push_str(&format!(" DEFAULT {}", u8::from(*value)));
        }
        Some(DefaultKind::Expression(text)) => sql.push_str(&format!(" DEFAULT ({text})")),
    }
    match column.collation.as_deref() {
        Some(name) if name.eq_ignore_ascii_case("NOCASE") || name.eq_ignore_ascii_case("RTRIM") => {
            sql.push_str(&format!(" COLLATE {name}"));
        }
        _ => {}
    }
    sql
}
