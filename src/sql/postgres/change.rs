//! Set-wise INSERT, UPDATE and DELETE, cut into statements of bounded size.

use super::super::{Column, Identity, RowUpdate, SelectColumn, TableName, Unwritable};
use super::literal::literal;
use super::select::{is_citext, own_rows, printed};
use super::{STATEMENT_BYTES_MAX, identifier, table};
use crate::value::{Domain, Type, Value};

pub(super) fn insert(
    name: &TableName,
    columns: &[Column],
    rows: &[Vec<Value>],
) -> Result<Vec<String>, Unwritable> {
    let names: Vec<String> = columns.iter().map(|column| identifier(&column.name)).collect();
    let always = columns.iter().any(|column| column.identity == Some(Identity::Always));
    let overriding = if always { " OVERRIDING SYSTEM VALUE" } else { "" };
    let head = format!("INSERT INTO {} ({}){overriding} VALUES\n", table(name), names.join(", "));
    let columns: Vec<&Column> = columns.iter().collect();
    let tuples = rows.iter().map(|row| literals(&columns, row.iter())).collect::<Result<Vec<_>, _>>()?;
    Ok(statements(&head, &tuples, "", |tuple, _| format!("({})", tuple.join(", "))))
}

pub(super) fn update(
    name: &TableName,
    key: &[SelectColumn],
    columns: &[Column],
    rows: &[RowUpdate],
) -> Result<Vec<String>, Unwritable> {
    let all: Vec<&Column> = key.iter().map(|part| &part.column).chain(columns).collect();
    let set: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| format!("{} = v.c{}", identifier(&column.name), key.len() + index))
        .collect();
    let tuples = rows
        .iter()
        .map(|row| literals(&all, row.key.iter().chain(&row.values)))
        .collect::<Result<Vec<_>, _>>()?;
    let nulls = null_columns(key, rows.iter().map(|row| row.key.as_slice()));
    let head = format!("UPDATE {} AS t SET {} FROM (VALUES\n", table(name), set.join(", "));
    let tail = list_end(name, key, &nulls, all.len());
    Ok(statements(&head, &tuples, &tail, |tuple, first| typed_tuple(&all, tuple, first)))
}

pub(super) fn delete(
    name: &TableName,
    key: &[SelectColumn],
    keys: &[Vec<Value>],
) -> Result<Vec<String>, Unwritable> {
    let all: Vec<&Column> = key.iter().map(|part| &part.column).collect();
    let tuples = keys.iter().map(|values| literals(&all, values.iter())).collect::<Result<Vec<_>, _>>()?;
    let nulls = null_columns(key, keys.iter().map(Vec::as_slice));
    let head = format!("DELETE FROM {} AS t USING (VALUES\n", table(name));
    let tail = list_end(name, key, &nulls, all.len());
    Ok(statements(&head, &tuples, &tail, |tuple, first| typed_tuple(&all, tuple, first)))
}

fn literals<'a>(
    columns: &[&Column],
    values: impl Iterator<Item = &'a Value>,
) -> Result<Vec<String>, Unwritable> {
    columns.iter().zip(values).map(|(column, value)| literal(value, &column.column_type)).collect()
}

/// The first row gives a VALUES list its types.
pub(super) fn typed_tuple(columns: &[&Column], tuple: &[String], first: bool) -> String {
    if !first {
        return format!("({})", tuple.join(", "));
    }
    let typed: Vec<String> = columns
        .iter()
        .zip(tuple)
        .map(|(column, literal)| format!("CAST({literal} AS {})", column.column_type.declared))
        .collect();
    format!("({})", typed.join(", "))
}

/// Which key columns hold a NULL in some row.
fn null_columns<'a>(key: &[SelectColumn], mut rows: impl Iterator<Item = &'a [Value]>) -> Vec<bool> {
    let mut nulls = vec![false; key.len()];
    if key.iter().any(|part| part.column.nullable) {
        rows.by_ref().for_each(|row| {
            nulls.iter_mut().zip(row).for_each(|(null, value)| *null |= value.is_null());
        });
    }
    nulls
}

/// The end of a list of values, and the condition that finds a row of the table by each of them.
fn list_end(name: &TableName, key: &[SelectColumn], nulls: &[bool], columns: usize) -> String {
    let names: Vec<String> = (0..columns).map(|index| format!("c{index}")).collect();
    format!("\n) AS v ({}) WHERE {}", names.join(", "), found(name, key, nulls))
}

/// The condition by which a row of the table `t` is that with the first columns `c0`, `c1` … of `v`.
pub(super) fn found(name: &TableName, key: &[SelectColumn], nulls: &[bool]) -> String {
    let mut conditions: Vec<String> = key
        .iter()
        .zip(nulls)
        .enumerate()
        .map(|(index, (part, null))| same(part, &format!("v.c{index}"), *null))
        .collect();
    conditions.push(own_rows(name, "t"));
    conditions.join(" AND ")
}

/// Equal in the pair's domain, which is wider than the same stored value where the pair's types differ.
pub(super) fn same(part: &SelectColumn, value: &str, null: bool) -> String {
    let name = format!("t.{}", identifier(&part.column.name));
    let equal = match (&part.domain, &part.column.column_type.meaning) {
        (Domain::Decimal { with_scale: false }, _) | (Domain::Json { canonical: true }, Type::Json) => {
            format!("{name} = {value}")
        }
        (Domain::Json { canonical: true }, _) => format!("{name}::jsonb = {value}::jsonb"),
        (Domain::Uuid, Type::Text { .. }) => format!("{name}::uuid = {value}::uuid"),
        (Domain::Address, Type::Text { .. }) => format!("{name}::inet = {value}::inet"),
        _ => return same_value(&part.column, value, null),
    };
    if null { format!("({equal} OR ({name} IS NULL AND {value} IS NULL))") } else { equal }
}

/// Equal as stored. PostgreSQL's `=` is wider (−0.0 = 0.0, 1.0 = 1.00, a collation's own idea of equal) or does
/// not exist (json, point): where it is wider it stays, for the index, with a second condition beside it.
fn same_value(column: &Column, value: &str, null_too: bool) -> String {
    let name = format!("t.{}", identifier(&column.name));
    let equal = match &column.column_type.meaning {
        // A domain over an enum has no equality of its own, nor with the enum.
        Type::Enum { .. } | Type::JsonText | Type::Printed | Type::Other => {
            let text = |name: &str| printed(name, &column.column_type);
            let equal = format!("{} = {}", text(&name), text(value));
            // A composite of nothing but NULLs also "is null".
            let null = format!(" OR ({} IS NULL AND {} IS NULL)", text(&name), text(value));
            return if null_too { format!("({equal}{null})") } else { equal };
        }
        Type::Json | Type::Decimal { precision: None, .. } => {
            format!("{name} = {value} AND {name}::text = {value}::text")
        }
        Type::Float32 => format!("{name} = {value} AND float4send({name}) = float4send({value})"),
        Type::Float64 => format!("{name} = {value} AND float8send({name}) = float8send({value})"),
        Type::Text { .. } if is_citext(column) => {
            format!("{name} = {value} AND {name}::text COLLATE \"C\" = {value}::text")
        }
        Type::Text { .. } if column.collation.is_some() => {
            format!("{name} = {value} AND {name} COLLATE \"C\" = {value}")
        }
        _ => format!("{name} = {value}"),
    };
    if null_too { format!("({equal} OR ({name} IS NULL AND {value} IS NULL))") } else { equal }
}

/// Packs rows into as few statements as their size allows. `show` renders a row, and knows whether it is the
/// first of its statement.
fn statements(
    head: &str,
    rows: &[Vec<String>],
    tail: &str,
    show: impl Fn(&[String], bool) -> String,
) -> Vec<String> {
    let mut statements = Vec::new();
    let mut current = String::new();
    for row in rows {
        let text = show(row, false);
        if !current.is_empty() && current.len() + text.len() + tail.len() + 2 > STATEMENT_BYTES_MAX {
            statements.push(std::mem::take(&mut current) + tail);
        }
        if current.is_empty() {
            current.push_str(head);
            current.push_str(&show(row, true));
        } else {
            current.push_str(",\n");
            current.push_str(&text);
        }
    }
    if !current.is_empty() {
        statements.push(current + tail);
    }
    statements
}
