//! Columns that the replica will get with the plan: what its rows will hold in them.
//!
//! A new column is NULL in every row, or its literal default; rows are compared with that, so that the plan's
//! updates are those that are still needed once the column is there.

use crate::failure::{ErrorKind, Failure};
use crate::schema::{ColumnPair, TablePair};
use crate::sql::{DefaultKind, LiteralDefault};
use crate::value::{
    Date, Decimal, Domain, Row, RowBlock, Stamp, StorageClass, Time, Value, encode, fields, put_field,
    put_null,
};

/// How rows of the replica's present columns become rows of the pair.
pub(super) struct Added {
    /// For each column of the pair: its encoded field, or `None` where the column is read.
    fields: Box<[Option<Vec<u8>>]>,
}

impl Added {
    /// `None` when the replica has all columns, or no table at all.
    pub(super) fn of(pair: &TablePair) -> Result<Option<Self>, Failure> {
        if pair.replica_missing || pair.columns.iter().all(|column| column.on_replica) {
            return Ok(None);
        }
        let field = |column: &ColumnPair| match column.on_replica {
            true => Ok(None),
            false => future_field(pair, column).map(Some),
        };
        Ok(Some(Added { fields: pair.columns.iter().map(field).collect::<Result<_, _>>()? }))
    }

    /// All rows of a block with the columns to come.
    pub(super) fn complete(&self, rows: &RowBlock) -> RowBlock {
        let mut completed = RowBlock::with_capacity(rows.bytes_len() + rows.len() * self.fields.len());
        for row in rows.rows() {
            self.put(completed.buffer(), row);
            completed.close_row();
        }
        completed
    }

    /// One row with the columns to come.
    pub(super) fn complete_row(&self, row: &[u8]) -> Row {
        let mut completed = Vec::with_capacity(row.len());
        self.put(&mut completed, row);
        Row::new(completed)
    }

    fn put(&self, buffer: &mut Vec<u8>, row: &[u8]) {
        let mut read = fields(row);
        for added in &self.fields {
            match added {
                Some(field) => buffer.extend_from_slice(field),
                None => match read.next().flatten() {
                    Some(payload) => put_field(buffer, payload),
                    None => put_null(buffer),
                },
            }
        }
    }
}

/// The encoded field that every row will hold.
fn future_field(pair: &TablePair, column: &ColumnPair) -> Result<Vec<u8>, Failure> {
    let value = match &column.sides.replica.default {
        Some(DefaultKind::Literal(literal)) => default_value(column, literal),
        // Defaults that are no literals are not carried over.
        Some(DefaultKind::Null | DefaultKind::Expression(_)) | None => Some(Value::Null),
    };
    let mut field = Vec::new();
    match value.map(|value| encode(&mut field, &column.domain, &value)) {
        Some(Ok(())) => Ok(field),
        Some(Err(_)) | None => {
            let message = format!(
                "table {}: adding the column {} with this default is not available yet",
                pair.table,
                column.name()
            );
            Err(Failure::new(ErrorKind::Type, message).hint("add it by hand, or leave it out of scope"))
        }
    }
}

/// What a column of this domain holds for a literal default; `None` where that is not certain.
fn default_value(column: &ColumnPair, literal: &LiteralDefault) -> Option<Value> {
    let number = match literal {
        LiteralDefault::Number(text) => Some(text.as_str()),
        LiteralDefault::Boolean(value) => Some(if *value { "1" } else { "0" }),
        LiteralDefault::Text(_) => None,
    };
    let text = match literal {
        LiteralDefault::Text(text) | LiteralDefault::Number(text) => Some(text.as_str()),
        LiteralDefault::Boolean(_) => None,
    };
    match &column.domain {
        Domain::Boolean => match (literal, number?) {
            (LiteralDefault::Boolean(value), _) => Some(Value::Boolean(*value)),
            (_, "0") => Some(Value::Boolean(false)),
            (_, "1") => Some(Value::Boolean(true)),
            _ => None,
        },
        Domain::Integer { .. } => integer(number.or(text)?).map(Value::Integer),
        Domain::Decimal { .. } => decimal(column, number.or(text)?).map(Value::Decimal),
        Domain::Float32 => number.or(text)?.parse().ok().map(Value::Float32),
        Domain::Float64 => number.or(text)?.parse().ok().map(Value::Float64),
        Domain::Text => Some(Value::Text(text?.to_owned())),
        Domain::Date => Date::parse(text?).map(Value::Date),
        Domain::Time => Time::parse(text?).map(Value::Time),
        Domain::DateTime => match Stamp::parse(text?)? {
            (stamp, None) => Some(Value::DateTime(stamp)),
            _ => None,
        },
        Domain::Storage { expected } => match (expected, literal) {
            (Some(StorageClass::Text), _) => Some(Value::Text(text?.to_owned())),
            (Some(StorageClass::Integer), _) => integer(number?).map(Value::Integer),
            (Some(StorageClass::Real), _) => number?.parse().ok().map(Value::Float64),
            _ => None,
        },
        _ => None,
    }
}

fn integer(text: &str) -> Option<i128> {
    Decimal::parse(text).ok()?.trimmed().as_str().parse().ok()
}

/// Padded as the column stores it; more digits than the column keeps would be rounded.
fn decimal(column: &ColumnPair, text: &str) -> Option<Decimal> {
    let decimal = Decimal::parse(text).ok()?;
    match column.sides.replica.column_type.fixed_scale() {
        Some(scale) if decimal.trimmed().scale() > scale as usize => None,
        Some(scale) => Some(decimal.trimmed().padded(scale as usize)),
        None => Some(decimal),
    }
}
