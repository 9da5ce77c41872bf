//! Which domain two column types are compared in. One table, read from top to bottom; a pair of types that it
//! does not hold has no exact domain and is an error, never a lossy cast.

use crate::sides::Sides;
use crate::sql::Dialect;
use crate::value::{ColumnType, Domain, StorageClass, Type};

/// The domain of two columns, or `None` where there is no exact one.
pub fn choose(types: Sides<&ColumnType>, dialects: Sides<&dyn Dialect>) -> Option<Domain> {
    let Sides { primary, replica } = types;
    if dialects.primary.stores_any_class() && dialects.replica.stores_any_class() {
        return Some(Domain::Storage { expected: expected_class(&primary.meaning, &replica.meaning) });
    }
    if dialects.primary.same_family(dialects.replica) && primary == replica {
        return Some(same_type(&primary.meaning));
    }
    by_meaning(types, dialects)
        .or_else(|| by_meaning(Sides::new(replica, primary), Sides::new(dialects.replica, dialects.primary)))
}

/// Same engine, same declaration: equal means the same stored value.
pub(super) fn same_type(meaning: &Type) -> Domain {
    match meaning {
        Type::Boolean => Domain::Boolean,
        Type::Integer { .. } => Domain::Integer { bytes: integer_width(meaning) },
        Type::Decimal { .. } => Domain::Decimal { with_scale: true },
        Type::Float32 => Domain::Float32,
        Type::Float64 => Domain::Float64,
        Type::Text { .. } => Domain::Text,
        Type::Bytes { .. } => Domain::Bytes,
        Type::Date => Domain::Date,
        Type::Time { .. } => Domain::Time,
        Type::DateTime { .. } => Domain::DateTime,
        Type::Instant { .. } => Domain::Instant,
        Type::Uuid => Domain::Uuid,
        Type::JsonText => Domain::JsonText,
        Type::Json => Domain::Json { canonical: false },
        Type::Other => Domain::Native,
    }
}

/// Different engines or types: equal in a domain that holds both. Symmetric: `choose` asks both ways round.
fn by_meaning(types: Sides<&ColumnType>, dialects: Sides<&dyn Dialect>) -> Option<Domain> {
    let Sides { primary: a, replica: b } = types;
    Some(match (&a.meaning, &b.meaning) {
        (Type::Boolean, Type::Boolean) => Domain::Boolean,
        (Type::Boolean, Type::Integer { bytes: 1, .. }) if b.declared.starts_with("tinyint(1)") => {
            Domain::Boolean
        }
        (Type::Integer { .. }, Type::Integer { .. }) => {
            Domain::Integer { bytes: integer_width(&a.meaning).max(integer_width(&b.meaning)) }
        }
        // What a 64-bit unsigned number becomes where there is none (`numeric(20,0)`): an integer, also as a key.
        (
            Type::Integer { bytes: 8, unsigned: true },
            Type::Decimal { precision: Some(20), scale: Some(0) },
        ) => Domain::Integer { bytes: 16 },
        (Type::Integer { .. } | Type::Decimal { .. }, Type::Decimal { .. }) => {
            Domain::Decimal { with_scale: false }
        }
        // SQLite keeps no decimals: the shortest text of the double is the decimal that was meant.
        (Type::Decimal { .. }, Type::Float64) if dialects.replica.stores_any_class() => {
            Domain::Decimal { with_scale: false }
        }
        (Type::Float32, Type::Float32) => Domain::Float32,
        (Type::Float64, Type::Float64) => Domain::Float64,
        // SQLite has no single precision: its double must be exactly such a number.
        (Type::Float32, Type::Float64) if dialects.replica.stores_any_class() => Domain::Float32,
        // `char(n)` is read without its padding on every engine; spaces at the end of a text are part of it.
        (Type::Text { .. }, Type::Text { .. }) => Domain::Text,
        (Type::Bytes { .. }, Type::Bytes { .. }) => Domain::Bytes,
        (Type::Date, Type::Date) => Domain::Date,
        (Type::Time { .. }, Type::Time { .. }) => Domain::Time,
        (Type::DateTime { .. }, Type::DateTime { .. }) => Domain::DateTime,
        (Type::Instant { .. }, Type::Instant { .. }) => Domain::Instant,
        (Type::Uuid, Type::Uuid) => Domain::Uuid,
        (Type::Json | Type::JsonText, Type::Json | Type::JsonText) => Domain::Json { canonical: true },
        _ => return None,
    })
}

/// The narrowest of 2, 4, 8 and 16 bytes that holds the type's whole range as a signed number.
fn integer_width(meaning: &Type) -> u8 {
    let Type::Integer { bytes, unsigned } = meaning else { return 16 };
    match (bytes, unsigned) {
        (1, _) | (2, false) => 2,
        (2, true) | (3, _) | (4, false) => 4,
        (4, true) | (8, false) => 8,
        _ => 16,
    }
}

fn expected_class(a: &Type, b: &Type) -> Option<StorageClass> {
    let class = |meaning: &Type| match meaning {
        Type::Integer { .. } => Some(StorageClass::Integer),
        Type::Float32 | Type::Float64 => Some(StorageClass::Real),
        Type::Text { .. } => Some(StorageClass::Text),
        Type::Bytes { .. } => Some(StorageClass::Blob),
        _ => None,
    };
    class(a).filter(|_| class(a) == class(b))
}
