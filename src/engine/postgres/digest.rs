//! Digests that the server makes of ranges of rows, inside the moment that is read.
//!
//! Owns which form of a column goes into a digest, chosen by what the server sends and what a reader makes of it: never
//! by what the catalog says. Refuses columns of which two different values of the wire may be one value in another way
//! than on the other side. The invariant: digests of two sides whose [`Digestible::As`] are the same are equal only where
//! a reader of both would find the same rows.

use futures_util::StreamExt;
use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::super::sums::{self, Sum};
use super::super::{DigestForm, DigestScheme, Digestible, EngineError};
use super::encode::{CopyReader, Step};
use super::failure::failed;
use super::scan::{Checked, unreadable};
use super::{rows, text};
use crate::failure::ErrorKind;
use crate::sql::digest::DigestText;
use crate::sql::postgres::digest::{self, Form};
use crate::sql::{Select, SelectColumn};
use crate::value::{Digest, Domain, Key, KeyRange, RangeDigest, RowBlock};

/// Ranges in one statement.
const RANGES_MAX: usize = 128;
/// `bool`, which is no integer to a cast.
const BOOL: u32 = 16;

/// What the server can make digests of for each column of a select.
#[derive(Clone)]
pub(super) struct Digested {
    forms: Vec<Option<Form>>,
    texts: Vec<Option<DigestText>>,
}

impl Digested {
    /// By the type that each column comes with, and how it is read.
    pub(super) fn new(found: &[(u32, Step)], columns: &[SelectColumn]) -> Self {
        let each = || found.iter().zip(columns).map(|(&(oid, step), column)| (oid, step, &column.domain));
        Digested {
            forms: each().map(|(oid, step, domain)| form(oid, step, domain)).collect(),
            texts: each().map(|(oid, step, domain)| digest_text(oid, step, domain)).collect(),
        }
    }
}

/// What goes into a digest of a column that comes with this type and is read by this step; `None` where the digest could
/// not tell what a reader would.
fn form(found: u32, step: Step, domain: &Domain) -> Option<Form> {
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

/// The text of a column that goes into sums, likewise.
fn digest_text(found: u32, step: Step, domain: &Domain) -> Option<DigestText> {
    Some(match (step, domain) {
        (Step::Copy, Domain::Boolean) => DigestText::Integer,
        (Step::Copy | Step::Integer { .. }, Domain::Integer { .. }) if found != BOOL => DigestText::Integer,
        (Step::IntegerToDecimal | Step::DecimalByValue, _) => DigestText::Decimal,
        (Step::Decimal | Step::Copy, Domain::Decimal { .. }) => DigestText::ScaledDecimal,
        (Step::Copy, Domain::Text | Domain::JsonText) | (Step::Unpad, _) => DigestText::Text,
        (Step::Copy, Domain::Bytes) => DigestText::Bytes,
        (Step::Copy, Domain::Date) => DigestText::Date,
        (Step::Copy, Domain::Time) => DigestText::Time,
        (Step::Copy, Domain::DateTime | Domain::Instant) => DigestText::Stamp,
        (Step::Copy, Domain::Uuid) => DigestText::Uuid,
        _ => return None,
    })
}

/// What the digests of these columns can be made of.
pub(super) fn named(columns: &[SelectColumn], digested: &Digested) -> Digestible {
    let named: Option<Vec<String>> = digested.forms.iter().map(|form| form.map(Form::name)).collect();
    let records = named.map(|names| DigestForm { scheme: DigestScheme::Records, columns: names.join(", ") });
    let sums = sums::form(columns, &digested.texts);
    match (records, sums) {
        (None, Err(why)) => Digestible::Not(why),
        (records, sums) => Digestible::As(records.into_iter().chain(sums).collect()),
    }
}

/// See [`Snapshot::digests`](super::super::Snapshot::digests).
pub(super) async fn digests(
    connection: &mut PgConnection,
    select: &Select,
    checked: &Checked,
    (scheme, mark): (DigestScheme, &str),
    ranges: &[KeyRange],
    rows_max: u64,
) -> Result<Vec<RangeDigest>, EngineError> {
    let doing = format!("digesting {}", select.table);
    let strange = |words: &str| EngineError::new(ErrorKind::Internal, format!("{doing}: {words}"));
    let none = || strange("a column has no digest");
    let forms: Option<Vec<Form>> = checked.digested.forms.iter().copied().collect();
    let texts: Option<Vec<DigestText>> = checked.digested.texts.iter().copied().collect();
    let mut found = Vec::with_capacity(ranges.len());
    for ranges in ranges.chunks(RANGES_MAX) {
        let sql = match scheme {
            DigestScheme::Records => {
                let forms = forms.as_ref().ok_or_else(none)?;
                digest::digests(select, checked.rows, forms, ranges, rows_max)
            }
            DigestScheme::Sums => {
                let texts = texts.as_ref().ok_or_else(none)?;
                digest::sums(select, checked.rows, texts, mark, ranges, rows_max)
            }
        };
        let mut answers = vec![None; ranges.len()];
        for row in rows(connection, &sql, &doing).await? {
            let cells = (0..row.len()).map(|at| text(&row, at)).collect::<Result<Vec<_>, _>>()?;
            let (number, digest) =
                range_digest(scheme, &cells).ok_or_else(|| strange("the answer is no digest"))?;
            let answer = answers.get_mut(number);
            *answer.ok_or_else(|| strange("nobody asked for that range"))? = Some(digest);
        }
        for answer in answers {
            found.push(answer.ok_or_else(|| strange("a range has no answer"))?);
        }
    }
    Ok(found)
}

fn range_digest(scheme: DigestScheme, cells: &[Option<String>]) -> Option<(usize, RangeDigest)> {
    match (scheme, cells) {
        (DigestScheme::Records, [Some(number), Some(rows), Some(hex)]) => {
            let digest = RangeDigest { rows: rows.parse().ok()?, digest: Digest::from_hex(hex)? };
            Some((number.parse().ok()?, digest))
        }
        (DigestScheme::Records, _) => None,
        (DigestScheme::Sums, cells) => match sums::sum(cells)? {
            Sum::Whole(number, digest) => Some((number, digest)),
            Sum::Short => None,
        },
    }
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
