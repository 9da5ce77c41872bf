//! Digests that the server makes of ranges of rows, on a connection of the moment that is read.
//!
//! Owns which text of a column goes into a digest, chosen by what the server sends and what a reader makes of it.
//! Refuses columns of which a reader would take other values for one, or refuse some. The invariant: see
//! [`sql::digest`](crate::sql::digest); and a statement that left a warning gives no digest.

use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Column as _, Executor, SqlSafeStr, Statement as _, TypeInfo as _};

use super::moment::Reader;
use super::scan::read_sql;
use super::{error, query};
use crate::engine::sums::{self, Sum};
use crate::engine::{Digestible, EngineError};
use crate::failure::ErrorKind;
use crate::sql::digest::DigestText;
use crate::sql::mysql::digest;
use crate::sql::{Dialect, EngineName, Select, SelectColumn};
use crate::value::{Domain, Key, KeyRange, RangeDigest, Type};

/// Ranges in one statement.
const RANGES_MAX: usize = 128;
/// A statement goes off once it is longer than this.
const STATEMENT_BYTES: usize = 256 << 10;

/// What of a column goes into a digest; `found` is the type that the server sends. `None` where equal texts might be
/// read as different values, or be refused.
fn text(found: &str, part: &SelectColumn) -> Option<DigestText> {
    let meaning = &part.column.column_type.meaning;
    let whole = found.ends_with("INT") || found.ends_with("INT UNSIGNED");
    Some(match (&part.domain, found) {
        (Domain::Integer { .. }, _) if whole || found == "YEAR" => DigestText::Integer,
        (Domain::Boolean, _) if whole || found == "BOOLEAN" => DigestText::Integer,
        (Domain::Integer { .. }, "BOOLEAN") => DigestText::Integer,
        (Domain::Decimal { with_scale: false }, "DECIMAL") => DigestText::Decimal,
        (Domain::Decimal { .. }, _) if whole => DigestText::Decimal,
        (Domain::Decimal { with_scale: true }, "DECIMAL") => DigestText::ScaledDecimal,
        // A FLOAT prints fewer digits than it has.
        (Domain::Float64, "DOUBLE") => DigestText::Double,
        (Domain::Date, "DATE") => DigestText::Date,
        (Domain::Time, "TIME") => DigestText::Time,
        (Domain::DateTime | Domain::Instant, "DATETIME" | "TIMESTAMP")
            if !matches!(meaning, Type::Zoned { .. }) =>
        {
            DigestText::Stamp
        }
        (Domain::Uuid, _) if *meaning == Type::Uuid => DigestText::Uuid,
        (Domain::Bytes, "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB") => {
            DigestText::Bytes
        }
        (Domain::Text | Domain::JsonText, _)
            if matches!(
                meaning,
                Type::Text { .. } | Type::Enum { .. } | Type::Set { .. } | Type::JsonText
            ) =>
        {
            DigestText::Text
        }
        (Domain::Native, _) if *meaning == Type::Other => DigestText::Native,
        _ => return None,
    })
}

async fn texts(
    connection: &mut MySqlConnection,
    dialect: &dyn Dialect,
    select: &Select,
) -> Result<Vec<Option<DigestText>>, EngineError> {
    let sql = AssertSqlSafe(digest::first(dialect, select)).into_sql_str();
    let prepared = connection.prepare(sql).await;
    let prepared = prepared.map_err(|why| error::translate(why, &doing(select)))?;
    let found = prepared.columns().iter().zip(&select.columns);
    Ok(found.map(|(found, part)| text(found.type_info().name(), part)).collect())
}

fn doing(select: &Select) -> String {
    format!("digest table {}", select.table)
}

/// See [`Snapshot::digestible`](crate::engine::Snapshot::digestible).
pub(super) async fn digestible(
    reader: &mut Reader,
    dialect: &'static dyn Dialect,
    select: &Select,
) -> Result<Digestible, EngineError> {
    // MySQL may be set to another format.
    let explain =
        if dialect.engine() == EngineName::Mysql { "EXPLAIN FORMAT=TRADITIONAL" } else { "EXPLAIN" };
    let explain = format!("{explain} {}", digest::first(dialect, select));
    let steps = query(&mut reader.connection, &explain, &doing(select)).await?;
    let sorts = steps.iter().flatten().flatten().any(|cell| cell.contains("filesort"));
    if sorts {
        return Ok(Digestible::Not("no index begins with its key".to_owned()));
    }
    let texts = texts(&mut reader.connection, dialect, select).await?;
    Ok(sums::form(&select.columns, &texts).into())
}

/// See [`Snapshot::cuts`](crate::engine::Snapshot::cuts). `select` has the key's columns alone.
pub(super) async fn cuts(
    reader: &mut Reader,
    dialect: &'static dyn Dialect,
    select: &Select,
    ranges: &[KeyRange],
    part_rows: u64,
) -> Result<Vec<Key>, EngineError> {
    let mut keys = Vec::new();
    for ranges in ranges.chunks(RANGES_MAX) {
        let sql = digest::cuts(dialect.engine(), select, ranges, part_rows.max(1));
        let bytes = sql.len();
        let rows = read_sql(&mut reader.connection, sql, true, select).await?;
        keys.extend(rows.rows().map(Key::new));
        reader.kept.add(&mut reader.connection, bytes).await?;
    }
    Ok(keys)
}

/// See [`Snapshot::digests`](crate::engine::Snapshot::digests).
pub(super) async fn digests(
    reader: &mut Reader,
    dialect: &'static dyn Dialect,
    select: &Select,
    mark: &str,
    ranges: &[KeyRange],
    rows_max: u64,
) -> Result<Vec<RangeDigest>, EngineError> {
    let texts = texts(&mut reader.connection, dialect, select).await?;
    let texts: Option<Vec<DigestText>> = texts.into_iter().collect();
    let texts = texts.ok_or_else(|| strange(select, "a column has no digest"))?;
    let mut found = Vec::with_capacity(ranges.len());
    let mut queries: Vec<String> = Vec::new();
    for (at, range) in ranges.iter().enumerate() {
        let engine = dialect.engine();
        queries.push(digest::digest(engine, select, &texts, mark, (queries.len(), range), rows_max));
        let bytes: usize = queries.iter().map(String::len).sum();
        if bytes > STATEMENT_BYTES || queries.len() == RANGES_MAX || at + 1 == ranges.len() {
            found.append(&mut answers(&mut reader.connection, select, &queries).await?);
            queries.clear();
        }
    }
    Ok(found)
}

/// The digests that these queries give, one each.
async fn answers(
    connection: &mut MySqlConnection,
    select: &Select,
    queries: &[String],
) -> Result<Vec<RangeDigest>, EngineError> {
    let doing = doing(select);
    let rows = query(connection, &queries.join(" UNION ALL "), &doing).await?;
    let warnings = query(connection, "SELECT @@warning_count", &doing).await?;
    let warnings = warnings.into_iter().flatten().flatten().next();
    if warnings.as_deref() != Some("0") {
        return Err(short(select));
    }
    let mut answers = vec![None; queries.len()];
    for cells in rows {
        match sums::sum(&cells).ok_or_else(|| strange(select, "the answer is no digest"))? {
            Sum::Whole(number, digest) => {
                *answers.get_mut(number).ok_or_else(|| strange(select, "nobody asked for that range"))? =
                    Some(digest)
            }
            Sum::Short => return Err(short(select)),
        }
    }
    answers.into_iter().map(|answer| answer.ok_or_else(|| strange(select, "a range has no answer"))).collect()
}

fn strange(select: &Select, words: &str) -> EngineError {
    EngineError::new(ErrorKind::Internal, format!("{}: {words}", doing(select)))
}

fn short(select: &Select) -> EngineError {
    let message = format!("table {}: the server cannot digest every row", select.table);
    EngineError::new(ErrorKind::Value, message)
        .hint("a value may be too long for its `max_allowed_packet`; compare with --digest blake3")
}
