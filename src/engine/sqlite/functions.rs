//! The SQL functions that our SELECTs use, registered on every connection.
//!
//! All are pure functions of their arguments. A text that does not read as what it is declared to be sorts
//! at an end (the scan meets it there and names it), and is an error in a `where`.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, Result};

use super::encode::{encode_field, read_decimal};
use crate::sql::sqlite::{
    ORDER_FUNCTION, OrderKind, VALUE_FUNCTION, ValueKind, read_date_time, read_instant, read_uuid,
};
use crate::value::{Date, Domain, Time, fields};

/// What the error of a value that a `where` cannot read begins with.
pub(super) const UNREADABLE: &str = "a value that `where` looks at does not read as";

/// Adds the functions to a connection.
pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function(ORDER_FUNCTION, 2, flags, |context: &Context<'_>| order(context))?;
    connection.create_scalar_function(VALUE_FUNCTION, 2, flags, |context: &Context<'_>| value(context))?;
    // What tells -0.0 from 0.0 in conditions that also stand in scripts: the client's SQLite has it, the one that is
    // built in here has no mathematics.
    connection.create_scalar_function("atan2", 2, flags, |context: &Context<'_>| {
        let number = |at| match context.get_raw(at) {
            ValueRef::Integer(integer) => Some(integer as f64),
            ValueRef::Real(real) => Some(real),
            _ => None,
        };
        Ok(number(0).zip(number(1)).map_or(Value::Null, |(y, x)| Value::Real(y.atan2(x))))
    })
}

fn kind<K: Copy>(context: &Context<'_>, all: &[K], word: impl Fn(K) -> &'static str) -> Result<K> {
    let asked = context.get_raw(0).as_bytes().unwrap_or_default();
    let found = all.iter().copied().find(|kind| word(*kind).as_bytes() == asked);
    found.ok_or_else(|| Error::UserFunctionError("an order that is not known".into()))
}

fn order(context: &Context<'_>) -> Result<Value> {
    let kind = kind(context, &OrderKind::ALL, OrderKind::word)?;
    let given = context.get_raw(1);
    if kind == OrderKind::Class {
        return Ok(Value::Integer(match given {
            ValueRef::Real(real) if real == 0.0 && real.is_sign_negative() => 1,
            ValueRef::Real(_) => 2,
            _ => 0,
        }));
    }
    if matches!(kind, OrderKind::Json | OrderKind::Address) && given != ValueRef::Null {
        return Ok(Value::Blob(document_or_address(kind, given).unwrap_or_default()));
    }
    if kind == OrderKind::Decimal && given != ValueRef::Null {
        // What is no decimal sorts at the end, where its scan reports it.
        return Ok(Value::Blob(read_decimal(given).map_or_else(|| vec![0xff], |number| number.sortable())));
    }
    let text = || std::str::from_utf8(given.as_bytes().ok()?).ok();
    let number = |number: Option<i64>| number.map(Value::Integer);
    let read = match (kind, given) {
        (_, ValueRef::Null) => Some(Value::Null),
        (OrderKind::Storage, ValueRef::Integer(integer)) => Some(Value::Integer(integer)),
        (OrderKind::Storage, ValueRef::Real(real)) => Some(Value::Real(real)),
        (OrderKind::Storage, ValueRef::Text(text)) => Some(Value::Blob([&[1], text].concat())),
        (OrderKind::Storage, ValueRef::Blob(blob)) => Some(Value::Blob([&[2], blob].concat())),
        (OrderKind::Uuid, ValueRef::Blob(blob)) if blob.len() == 16 => Some(Value::Blob(blob.to_vec())),
        (_, ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_)) => None,
        (OrderKind::Text, ValueRef::Text(text)) => Some(Value::Blob(text.to_vec())),
        (OrderKind::Date, _) => number(text().and_then(Date::parse).map(|date| i64::from(date.0))),
        (OrderKind::Time, _) => number(text().and_then(Time::parse).map(|time| time.0)),
        (OrderKind::DateTime, _) => number(text().and_then(read_date_time).map(|stamp| stamp.0)),
        (OrderKind::Instant, _) => number(text().and_then(read_instant).map(|stamp| stamp.0)),
        (OrderKind::Uuid, _) => {
            text().and_then(|text| read_uuid(text.as_bytes())).map(|uuid| Value::Blob(uuid.to_vec()))
        }
        (OrderKind::Class | OrderKind::Decimal | OrderKind::Json | OrderKind::Address, _) => None,
    };
    // Numbers sort before blobs, and among blobs the empty one is first.
    Ok(read.unwrap_or_else(|| Value::Blob(Vec::new())))
}

/// The text of a document's structure, or an address as bytes, as the scan reads it.
fn document_or_address(kind: OrderKind, given: ValueRef<'_>) -> Option<Vec<u8>> {
    let mut field = Vec::new();
    let domain = match kind {
        OrderKind::Json => Domain::Json { canonical: true },
        _ => Domain::Address,
    };
    encode_field(&mut field, &domain, None, given).ok()?;
    let payload = fields(&field).next().flatten()?;
    // Before a document's text stands one byte.
    let start = usize::from(kind == OrderKind::Json);
    payload.get(start..).map(<[u8]>::to_vec)
}

fn value(context: &Context<'_>) -> Result<Value> {
    let kind = kind(context, &ValueKind::ALL, ValueKind::word)?;
    let given = context.get_raw(1);
    let ValueRef::Text(bytes) = given else { return Ok(Value::try_from(given)?) };
    let text = std::str::from_utf8(bytes).ok();
    let read = match kind {
        ValueKind::Date => text.and_then(Date::parse).map(|date| Value::Integer(date.0.into())),
        ValueKind::Time => text.and_then(Time::parse).map(|time| Value::Integer(time.0)),
        ValueKind::DateTime => text.and_then(read_date_time).map(|stamp| Value::Integer(stamp.0)),
        ValueKind::Instant => text.and_then(read_instant).map(|stamp| Value::Integer(stamp.0)),
        ValueKind::Uuid => read_uuid(bytes).map(|uuid| Value::Blob(uuid.to_vec())),
    };
    read.ok_or_else(|| Error::UserFunctionError(format!("{UNREADABLE} a {}", kind.word()).into()))
}
