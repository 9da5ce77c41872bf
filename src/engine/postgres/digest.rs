//! Digests that the server makes of ranges of rows, inside the moment that is read.
//!
//! Owns which form of a column goes into a digest, chosen by what the server sends and what a reader makes of it: never
//! by what the catalog says. Refuses columns of which two different values of the wire may be one value in another way
//! than on the other side. The invariant: digests of two sides whose [`Digestible::As`] are the same are equal only where
//! a reader of both would find the same rows.

use futures_util::StreamExt;
use sqlx::postgres::PgConnection;

use super::super::{Digestible, EngineError};
use super::encode::{CopyReader, Step};
use super::failure::failed;
use super::scan::{Checked, unreadable};
use super::{rows, text};
use crate::failure::ErrorKind;
use crate::sql::postgres::digest::{self, Form};
use crate::sql::{Select, SelectColumn};
use crate::value::{Digest, Domain, Key, KeyRange, RangeDigest, RowBlock};

/// Ranges in one statement.
const RANGES_MAX: usize = 128;
/// `bool`, which is no integer to a cast.
const BOOL: u32 = 16;

/// What goes into a digest of a column that comes with this type and is read by this step; `None` where the digest could
/// not tell what a reader would.
pub(super) fn form(found: u32, step: Step, domain: &Domain) -> Option<Form> {
    match step {
        Step::Copy => Some(match domain {
            Domain::Integer { .. } => Form::Bigint,
            Domain::Text | Domain::Native | Domain::JsonText => Form::Text,
            _ => Form::AsRead(found),
        }),
        Step::Integer { .. } if found != BOOL => Some(Form::Bigint),
        Step::IntegerToDecimal | Step::DecimalByValue => Some(Form::Numeric),
        Step::Decimal => Some(Form::AsRead(found)),
        Step::Float if *domain == Domain::Float64 => Some(Form::Double),
        Step::Float => Some(Form::AsRead(found)),
        Step::Float32To64 => Some(Form::Double),
        Step::Unpad => Some(Form::Text),
        // A cast would take what a reader refuses, or many texts are one value.
        Step::Integer { .. }
        | Step::IntegerToBoolean
        | Step::DecimalToInteger { .. }
        | Step::Float64To32
        | Step::TextToUuid
        | Step::TextToBits
        | Step::TextToAddress
        | Step::BytesToUuid
        | Step::BitToBoolean
        | Step::ToUtc { .. }
        | Step::DateToStamp
        | Step::CanonicalJson { .. } => None,
    }
}

/// What the digests of these columns are made of.
pub(super) fn named(columns: &[SelectColumn], forms: &[Option<Form>]) -> Digestible {
    let mut names = Vec::with_capacity(forms.len());
    for (column, form) in columns.iter().zip(forms) {
        match form {
            Some(form) => names.push(form.name()),
            None => {
                let (name, declared) = (&column.column.name, &column.column.column_type.declared);
                let domain = column.domain.name();
                return Digestible::Not(format!(
                    "no digest that a database makes tells what its column {name} ({declared}) is as {domain}"
                ));
            }
        }
    }
    Digestible::As(format!("record_send({})", names.join(", ")))
}

/// See [`Snapshot::digests`](super::super::Snapshot::digests).
pub(super) async fn digests(
    connection: &mut PgConnection,
    select: &Select,
    checked: &Checked,
    ranges: &[KeyRange],
    rows_max: u64,
) -> Result<Vec<RangeDigest>, EngineError> {
    let doing = format!("digesting {}", select.table);
    let forms: Option<Vec<Form>> = checked.forms.iter().copied().collect();
    let strange = |words: &str| EngineError::new(ErrorKind::Internal, format!("{doing}: {words}"));
    let forms = forms.ok_or_else(|| strange("a column has no digest"))?;
    let mut found = Vec::with_capacity(ranges.len());
    for ranges in ranges.chunks(RANGES_MAX) {
        let sql = digest::digests(select, checked.rows, &forms, ranges, rows_max);
        let mut answers = vec![None; ranges.len()];
        for row in rows(connection, &sql, &doing).await? {
            let number = text(&row, 0)?.and_then(|number| number.parse::<usize>().ok());
            let count = text(&row, 1)?.and_then(|count| count.parse().ok());
            let digest = text(&row, 2)?.and_then(|hex| Digest::from_hex(&hex));
            let answer = number.and_then(|number| answers.get_mut(number));
            let (Some(answer), Some(rows), Some(digest)) = (answer, count, digest) else {
                return Err(strange("the answer is no digest"));
            };
            *answer = Some(RangeDigest { rows, digest });
        }
        for answer in answers {
            found.push(answer.ok_or_else(|| strange("a range has no answer"))?);
        }
    }
    Ok(found)
}

/// See [`Snapshot::cuts`](super::super::Snapshot::cuts). `select` and `checked` are those of the key alone.
pub(super) async fn cuts(
    connection: &mut PgConnection,
    select: &Select,
    checked: &Checked,
    ranges: &[KeyRange],
    part_rows: u64,
) -> Result<Vec<Key>, EngineError> {
    let doing = format!("cutting {}", select.table);
    let mut keys = RowBlock::default();
    for ranges in ranges.chunks(RANGES_MAX) {
        let sql = digest::cuts(select, checked.rows, ranges, part_rows.max(1));
        let copy = format!("COPY ({sql}) TO STDOUT (FORMAT binary)");
        let mut messages = connection.copy_out_raw(&copy).await.map_err(|error| failed(&doing, error))?;
        let mut reader = CopyReader::new(checked.encoder.clone());
        while let Some(message) = messages.next().await {
            let message = message.map_err(|error| failed(&doing, error))?;
            reader.feed(&message, &mut keys).map_err(|why| unreadable(why, &doing, select))?;
        }
        if !reader.is_complete() {
            return Err(EngineError::new(ErrorKind::Internal, format!("{doing}: COPY ended early")));
        }
    }
    Ok(keys.rows().map(Key::new).collect())
}
