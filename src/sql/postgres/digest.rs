//! Digests that PostgreSQL makes of ranges of rows, and where to cut ranges.
//!
//! A row goes in as `record_send` prints it: how many columns, and for each the OID of its type, its length and its
//! bytes, the very bytes that a reader would be sent. That is injective, and so is a row behind another. Rows that are
//! long go in by a digest of their own, so that a range is a bounded number of bytes (`string_agg` ends at 1 GB) however
//! large its rows are; a mark before each row tells which it is.
//!
//! Invariant: equal digests mean equal rows. Nothing here hashes less than 256 bits of SHA-2: PostgreSQL's own `hash…`
//! functions take 9.50 for -9.50, and 1 for 4294967296. Functions, operators and types of a digest are named with their
//! schema: a session's search path may have others of these names in front of the server's own.

use super::super::digest::{DigestText, VALUE_BYTES_MAX, WORDS};
use super::super::{Select, SelectColumn, Selection};
use super::literal::bytes_literal;
use super::select::{Rows, key_order, payload_expression, rendered};
use crate::value::{Domain, KeyRange};

/// Rows whose form is longer than this go in by their digest.
const ROW_BYTES_MAX: usize = 512;

/// What of a column goes into a digest, so that two columns of one domain have the same bytes for the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// What is read, of the type with this OID.
    AsRead(u32),
    /// An integer of any width.
    Bigint,
    /// A number without the zeros at its end.
    Numeric,
    /// A float of either width.
    Double,
    /// A text; of `char(n)` without the blanks at its end.
    Text,
}

impl Form {
    /// Its name: the forms of two columns are the same where these are.
    pub(crate) fn name(self) -> String {
        match self {
            Form::AsRead(oid) => format!("type {oid}"),
            Form::Bigint => "bigint".to_owned(),
            Form::Numeric => "numeric".to_owned(),
            Form::Double => "double".to_owned(),
            Form::Text => "text".to_owned(),
        }
    }

    fn expression(self, column: &SelectColumn) -> String {
        let read = payload_expression(column);
        match self {
            Form::AsRead(_) => read,
            Form::Bigint => format!("({read})::pg_catalog.int8"),
            Form::Numeric => format!("pg_catalog.trim_scale(({read})::pg_catalog.numeric)"),
            Form::Double => format!("({read})::pg_catalog.float8"),
            Form::Text => format!("({read})::pg_catalog.text"),
        }
    }
}

/// The statement that gives for each range, in any order: its number, how many rows it has, at most `rows_max` and one,
/// and the digest of as many of them in hex.
pub(crate) fn digests(
    select: &Select,
    rows: Rows,
    forms: &[Form],
    ranges: &[KeyRange],
    rows_max: u64,
) -> String {
    let columns = select.columns.iter().zip(forms).map(|(column, form)| form.expression(column));
    let r = name_apart(select);
    let row = format!("pg_catalog.record_send(ROW({})) AS {r}", columns.collect::<Vec<_>>().join(", "));
    let [short, long] = [0, 1].map(|mark| bytes_literal(&[mark]));
    let digest = |(number, range): (usize, &KeyRange)| {
        let read = rendered(&of_range(select, range), rows, &row);
        let most = rows_max.saturating_add(1);
        // The order of the rows that are aggregated is the inner one's. Were it not, digests would differ that need not.
        format!(
            "SELECT {number}::pg_catalog.text, pg_catalog.count(*)::pg_catalog.text, \
             pg_catalog.encode(pg_catalog.sha256(coalesce(pg_catalog.string_agg(\
             CASE WHEN pg_catalog.octet_length({r}) OPERATOR(pg_catalog.>) {ROW_BYTES_MAX} \
             THEN {long} OPERATOR(pg_catalog.||) pg_catalog.sha256({r}) \
             ELSE {short} OPERATOR(pg_catalog.||) {r} END, ''::pg_catalog.bytea), ''::pg_catalog.bytea)), 'hex') \
             FROM ({read} LIMIT {most}) q"
        )
    };
    // Compiling so many small statements takes longer than running them.
    let union = ranges.iter().enumerate().map(digest).collect::<Vec<_>>().join(" UNION ALL ");
    format!("SET LOCAL jit = off; {union}")
}

/// ORDER BY would take the name of a key's column for that of a row's digest.
fn name_apart(select: &Select) -> String {
    let mut name = "r".to_owned();
    while select.columns.iter().any(|column| column.column.name == name) {
        name.push('_');
    }
    name
}

/// Hex digits of a word of 64 bits.
const WORD_DIGITS: usize = 16;

/// The statement that gives for each range, in any order: its number, how many rows it has, at most `rows_max` and one,
/// of how many of them there is a digest, and the sum of each word. What of a row goes in, see
/// [`sql::digest`](crate::sql::digest).
pub(crate) fn sums(
    select: &Select,
    rows: Rows,
    texts: &[DigestText],
    mark: &str,
    ranges: &[KeyRange],
    rows_max: u64,
) -> String {
    let values = select.columns.iter().zip(texts).map(|(column, text)| value(column, *text));
    let row = joined(std::iter::once(format!("'{mark}'")).chain(values).collect());
    let r = name_apart(select);
    let row =
        format!("pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to({row}, 'UTF8')), 'hex') AS {r}");
    let word = |at: usize| {
        let digits = format!("pg_catalog.substr({r}, {}, {WORD_DIGITS})", at * WORD_DIGITS + 1);
        format!(
            "pg_catalog.sum(('x' OPERATOR(pg_catalog.||) {digits})::pg_catalog.bit(64)::pg_catalog.int8)::pg_catalog.text"
        )
    };
    let words = (0..WORDS).map(word).collect::<Vec<_>>().join(", ");
    let sum = |(number, range): (usize, &KeyRange)| {
        let read = rendered(&of_range(select, range), rows, &row);
        let most = rows_max.saturating_add(1);
        format!(
            "SELECT {number}::pg_catalog.text, pg_catalog.count(*)::pg_catalog.text, \
             pg_catalog.count({r})::pg_catalog.text, {words} FROM ({read} LIMIT {most}) q"
        )
    };
    let union = ranges.iter().enumerate().map(sum).collect::<Vec<_>>().join(" UNION ALL ");
    format!("SET LOCAL jit = off; {union}")
}

/// All of these texts behind each other, as a tree: the server goes one call deeper for each operator.
fn joined(mut texts: Vec<String>) -> String {
    while texts.len() > 1 {
        let pair = |pair: &[String]| match pair {
            [one, other] => format!("({one} OPERATOR(pg_catalog.||) {other})"),
            one => one.concat(),
        };
        texts = texts.chunks(2).map(pair).collect();
    }
    texts.concat()
}

/// What goes into a row's digest for a column. NULL is told by the column, not by what is made of it.
fn value(column: &SelectColumn, text: DigestText) -> String {
    let (read, text) = (payload_expression(column), text_of(column, text));
    let bytes = format!("pg_catalog.convert_to({text}, 'UTF8')");
    let length = format!("pg_catalog.octet_length({bytes})");
    format!(
        "(CASE WHEN ({read}) IS NULL THEN 'N' WHEN {length} OPERATOR(pg_catalog.>) {VALUE_BYTES_MAX} \
         THEN 'L' OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.sha256({bytes}), 'hex') \
         ELSE {length}::pg_catalog.text OPERATOR(pg_catalog.||) ':' OPERATOR(pg_catalog.||) {text} END)"
    )
}

fn text_of(column: &SelectColumn, text: DigestText) -> String {
    let read = payload_expression(column);
    match (text, &column.domain) {
        (DigestText::Integer, Domain::Boolean) => format!("CASE WHEN {read} THEN '1' ELSE '0' END"),
        (DigestText::Stamp, Domain::Instant) => {
            format!("pg_catalog.timezone('UTC', {read})::pg_catalog.text")
        }
        (DigestText::Decimal, _) => {
            format!("pg_catalog.trim_scale(({read})::pg_catalog.numeric)::pg_catalog.text")
        }
        (DigestText::Bytes, _) => format!("pg_catalog.encode({read}, 'hex')"),
        _ => format!("({read})::pg_catalog.text"),
    }
}

/// The statement that gives the keys which cut these ranges into parts of so many rows, in any order. `select` has the
/// key's columns alone.
pub(crate) fn cuts(select: &Select, rows: Rows, ranges: &[KeyRange], part_rows: u64) -> String {
    let names: Vec<String> = (0..select.columns.len()).map(|at| format!("k{at}")).collect();
    let key = select.columns.iter().zip(&names);
    let key = key.map(|(column, name)| format!("{} AS {name}", payload_expression(column)));
    let numbered = format!(
        "{}, row_number() OVER (ORDER BY {}) AS n",
        key.collect::<Vec<_>>().join(", "),
        key_order(select)
    );
    let names = names.join(", ");
    let of_one = |range: &KeyRange| {
        let read = rendered(&Select { ordered: false, ..of_range(select, range) }, rows, &numbered);
        format!("SELECT {names} FROM ({read}) q WHERE n > 1 AND (n - 1) % {part_rows} = 0")
    };
    ranges.iter().map(of_one).collect::<Vec<_>>().join(" UNION ALL ")
}

fn of_range(select: &Select, range: &KeyRange) -> Select {
    Select { selection: Selection::Range(range.clone()), ordered: true, locked: false, ..select.clone() }
}
