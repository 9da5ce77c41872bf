//! PostgreSQL's SQL: how its identifiers and literals are written, its reads, its set-wise changes, its DDL.
//!
//! Every literal is checked against its column before it is written, because PostgreSQL's explicit casts cut
//! (`'abc'::varchar(2)`) and round (`1.5::numeric(1,0)`) without a word. Refuses, as [`Unwritable`], what a
//! column cannot hold exactly. The invariant: a literal that exists stores exactly its value, whatever the
//! session's settings are.

mod alter;
mod change;
mod copies;
mod define;
pub(crate) mod digest;
mod enumeration;
mod literal;
mod numbers;
mod online;
mod portable;
mod scope;
mod script;
mod select;
mod sequence;
mod stage;
#[cfg(test)]
mod tests;
pub(crate) mod trigger;
mod unique;

use super::expression::{Expression, ExpressionError};
use super::{
    Alteration, Attachment, Column, ColumnWords, ConstraintChecks, CopiesToDelete, Dialect, EngineName,
    NamedType, Numbering, Online, Portable, Ported, RowUpdate, Script, Select, SelectColumn, TableDefinition,
    TableName, UniqueIndex, Unwritable,
};
use crate::value::{ColumnType, Domain, Type, Value};

pub(crate) use select::{
    Rows, key_condition, key_order, payload_expression, render as render_select, render_together,
};
pub(crate) use stage::Staged;

/// PostgreSQL 13 and later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Postgres;

/// The longest statement to send. The protocol allows 1 GiB; this keeps parsing and plans small.
const STATEMENT_BYTES_MAX: usize = 1 << 20;
/// So many rows go by one COPY and one statement.
const ROWS_AT_ONCE: usize = 50_000;

impl Dialect for Postgres {
    fn engine(&self) -> EngineName {
        EngineName::Postgres
    }

    fn same_family(&self, other: &dyn Dialect) -> bool {
        other.engine() == EngineName::Postgres
    }

    fn makes_digests(&self) -> bool {
        true
    }

    fn stores_any_class(&self) -> bool {
        false
    }

    fn transactional_ddl(&self) -> bool {
        true
    }

    fn statement_bytes_max(&self) -> usize {
        STATEMENT_BYTES_MAX
    }

    fn rows_at_once(&self) -> usize {
        ROWS_AT_ONCE
    }

    fn identifier(&self, name: &str) -> String {
        identifier(name)
    }

    fn literal(&self, value: &Value, column: &ColumnType) -> Result<String, Unwritable> {
        literal::literal(value, column)
    }

    fn select(&self, select: &Select) -> String {
        select::render(select, Rows::Either)
    }

    fn order_needs_sort(&self, column: &Column, domain: &Domain) -> bool {
        select::needs_sort(column, domain)
    }

    fn constraint_checks(&self) -> ConstraintChecks {
        let defer = Some("SET CONSTRAINTS ALL DEFERRED");
        let hold = Some("SET CONSTRAINTS ALL IMMEDIATE");
        ConstraintChecks { defer, hold, together: true, ..ConstraintChecks::default() }
    }

    fn together(&self, statements: &[String]) -> String {
        let changes = statements.iter().enumerate();
        let parts: Vec<String> = changes
            .map(|(number, change)| format!("_trueup_{number} AS (\n{change}\nRETURNING 1)"))
            .collect();
        let rows: Vec<String> =
            (0..statements.len()).map(|number| format!("SELECT 1 FROM _trueup_{number}")).collect();
        format!("WITH {}\n{}", parts.join(",\n"), rows.join(" UNION ALL "))
    }

    fn equates(&self, column: &Column) -> bool {
        match column.column_type.meaning {
            // Most collations hold only equal texts equal; which do is not known here.
            Type::Text { .. } => column.collation.is_some(),
            Type::Other => is_citext(&column.column_type),
            _ => false,
        }
    }

    fn same_ends(&self, pointing: &Column, pointed_at: &Column) -> bool {
        define::same_ends(&pointing.column_type, &pointed_at.column_type)
    }

    fn equated(&self, name: &TableName, column: &Column, values: &[&Value]) -> Result<String, Unwritable> {
        // The first row gives the list the column's own type and collation, whatever their names are. The hashes
        // are those by which the server itself groups: equal for all that is equal. 128 bits of them.
        let mut rows = format!("(0, (SELECT {} FROM {} WHERE FALSE))", identifier(&column.name), table(name));
        for (at, value) in values.iter().enumerate() {
            rows.push_str(&format!(", ({}, {})", at + 1, self.literal(value, &column.column_type)?));
        }
        Ok(format!(
            "SELECT pg_catalog.hash_array_extended(ARRAY[v], 0) || ' ' || pg_catalog.hash_array_extended(ARRAY[v], 1) \
             FROM (VALUES {rows}) AS listed (n, v) WHERE n > 0 ORDER BY n"
        ))
    }

    fn index_marks(
        &self,
        table: &TableName,
        index: &UniqueIndex,
        columns: &[Column],
        rows: &[Vec<Value>],
    ) -> Result<String, Unwritable> {
        unique::marks(table, index, columns, rows)
    }

    fn insert(
        &self,
        table: &TableName,
        columns: &[Column],
        rows: &[Vec<Value>],
    ) -> Result<Vec<String>, Unwritable> {
        change::insert(table, columns, rows)
    }

    fn update(
        &self,
        table: &TableName,
        key: &[SelectColumn],
        columns: &[Column],
        rows: &[RowUpdate],
    ) -> Result<Vec<String>, Unwritable> {
        change::update(table, key, columns, rows)
    }

    fn delete(
        &self,
        table: &TableName,
        key: &[SelectColumn],
        keys: &[Vec<Value>],
    ) -> Result<Vec<String>, Unwritable> {
        change::delete(table, key, keys)
    }

    fn delete_copies(&self, copies: &CopiesToDelete<'_>) -> Result<Vec<String>, Unwritable> {
        copies::delete(copies)
    }

    fn create_schema(&self, name: &str) -> Option<String> {
        Some(format!("CREATE SCHEMA IF NOT EXISTS {}", identifier(name)))
    }

    fn create_table(&self, table: &TableDefinition) -> String {
        define::create_table(table)
    }

    fn add_column(&self, table: &TableName, column: &Column) -> String {
        define::add_column(table, column)
    }

    fn alter(&self, table: &TableName, alteration: &Alteration) -> Option<Vec<String>> {
        alter::alter(table, alteration)
    }

    fn online(&self, table: &TableName, alteration: Option<&Alteration>, partitioned: bool) -> Online {
        online::online(table, alteration, partitioned)
    }

    fn waits_briefly(&self) -> Option<&'static str> {
        Some(online::WAIT_BRIEFLY)
    }

    fn holds_going(&self, change: &super::EnumChange, column: &super::EnumColumn) -> Option<String> {
        enumeration::holds_going(change, column)
    }

    fn comes_as(&self, column: &Column) -> Column {
        numbers::comes_as(column)
    }

    fn rewrites_to_add(&self, column: &Column) -> bool {
        alter::rewrites_to_add(column)
    }

    fn rewrites(&self, before: &Column, after: &Column) -> bool {
        alter::rewrites(before, after)
    }

    /// It stays as it is.
    fn made_up_name(&self, name: &str, _was: &str, _is: &str) -> (String, bool) {
        (name.to_owned(), false)
    }

    fn drop_table(&self, table: &TableName) -> Vec<String> {
        define::drop_table(table)
    }

    fn drop_column(&self, table: &TableName, column: &str) -> Vec<String> {
        define::drop_column(table, column)
    }

    fn is_now(&self, default: &str) -> bool {
        let words = ["now()", "transaction_timestamp()", "CURRENT_TIMESTAMP", "LOCALTIMESTAMP"];
        words.contains(&default)
            || default.starts_with("CURRENT_TIMESTAMP(")
            || default.starts_with("LOCALTIMESTAMP(")
    }

    fn now(&self, meaning: &Type) -> Option<String> {
        matches!(meaning, Type::DateTime { .. } | Type::Instant { .. })
            .then(|| "CURRENT_TIMESTAMP".to_owned())
    }

    fn is_new_uuid(&self, default: &str) -> bool {
        let call = default
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(")::"))
            .map_or(default, |(call, _)| call);
        matches!(call, "gen_random_uuid()" | "uuid_generate_v4()" | "uuid_generate_v1()")
    }

    fn new_uuid(&self, meaning: &Type) -> Option<String> {
        define::new_uuid(meaning)
    }

    fn default_words(&self, column: &Column) -> Option<String> {
        define::column_default(&Column { words: ColumnWords::default(), ..column.clone() })
    }

    fn default_bytes(&self, literal: &str) -> Option<Vec<u8>> {
        define::default_bytes(literal)
    }

    fn named_type(&self, named: &NamedType) -> Option<ColumnType> {
        define::named_type(named)
    }

    fn type_name(&self, name: &str) -> String {
        define::type_name(name).to_owned()
    }

    fn portable(&self, attachment: &Attachment) -> Result<Ported, &'static str> {
        portable::portable(attachment)
    }

    fn adopted(&self, portable: &Portable, name: &str, _created: bool) -> Option<Attachment> {
        Some(portable::adopted(portable, name))
    }

    fn fits_name(&self, name: &str) -> bool {
        portable::fits_name(name)
    }

    /// Whether a collation does only its maker knows; nearly none does.
    fn folds(&self, column: &Column) -> bool {
        is_citext(&column.column_type)
    }

    fn no_key(&self, columns: &[&Column]) -> Option<String> {
        let meanings: Vec<&Type> = columns.iter().map(|column| &column.column_type.meaning).collect();
        portable::no_key(&meanings)
    }

    fn no_tie(&self, pointing: &Column, pointed_at: &Column, _key: &Portable) -> Option<String> {
        let (one, other) = (&pointing.column_type, &pointed_at.column_type);
        (!define::same_ends(one, other)).then(|| {
            format!("{} is {}, and what it points at is {}", pointing.name, one.declared, other.declared)
        })
    }

    fn type_for(&self, meaning: &Type, _key: bool) -> Option<ColumnType> {
        define::type_for(meaning)
    }

    fn scope(
        &self,
        expression: &Expression,
        column: &dyn Fn(&str) -> Option<Column>,
        now: jiff::Timestamp,
    ) -> Result<String, ExpressionError> {
        expression.render(&scope::OneSide { column }, now)
    }

    fn numbering(&self) -> &dyn Numbering {
        &sequence::Sequences
    }

    fn script(&self) -> Box<dyn Script> {
        Box::new(script::PostgresScript)
    }
}

/// The extension's type, in whichever schema it is.
fn is_citext(column: &ColumnType) -> bool {
    column.declared == "citext" || column.declared.ends_with(".citext")
}

/// No PostgreSQL name holds a NUL; one that does must name nothing rather than end the statement early.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\"").replace('\0', "\u{fffd}"))
}

fn table(name: &TableName) -> String {
    Postgres.table(name)
}
