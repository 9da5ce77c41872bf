//! Which domain two column types are compared in: SQLite's values with their storage class between two files, the
//! stored value where engine and type are the same, else what the [table](super::comparable) says.

use crate::sides::Sides;
use crate::sql::Dialect;
use crate::value::{ColumnType, Domain, StorageClass, Type};

use super::comparable::{find, integer_width};

/// The domain of two columns, or `None` where there is no exact one.
pub fn choose(types: Sides<&ColumnType>, dialects: Sides<&dyn Dialect>) -> Option<Domain> {
    let Sides { primary, replica } = types;
    let sqlite = dialects.map(|dialect| dialect.stores_any_class());
    if sqlite.primary && sqlite.replica {
        return Some(Domain::Storage { expected: expected_class(&primary.meaning, &replica.meaning) });
    }
    if dialects.primary.same_family(dialects.replica) && primary == replica {
        if primary.meaning == Type::Json && dialects.replica.drops_equal_json() {
            return Some(Domain::Json { canonical: true });
        }
        return Some(same_type(&primary.meaning));
    }
    find((&primary.meaning, sqlite.primary), (&replica.meaning, sqlite.replica))
}

/// Same engine, same declaration: equal means the same stored value.
pub(super) fn same_type(meaning: &Type) -> Domain {
    match meaning {
        Type::Boolean => Domain::Boolean,
        Type::Integer { .. } | Type::Year => Domain::Integer { bytes: integer_width(meaning) },
        Type::Decimal { .. } => Domain::Decimal { with_scale: true },
        Type::Float32 => Domain::Float32,
        Type::Float64 => Domain::Float64,
        Type::Text { .. } | Type::Enum { .. } | Type::Set { .. } => Domain::Text,
        Type::Bytes { .. } => Domain::Bytes,
        Type::Bits { .. } => Domain::Bits,
        Type::Date => Domain::Date,
        Type::Time { .. } => Domain::Time,
        Type::DateTime { .. } => Domain::DateTime,
        Type::Instant { .. } | Type::Zoned { .. } => Domain::Instant,
        Type::Uuid => Domain::Uuid,
        Type::JsonText => Domain::JsonText,
        Type::Json => Domain::Json { canonical: false },
        Type::Address { .. } => Domain::Address,
        Type::Printed | Type::Other => Domain::Native,
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
