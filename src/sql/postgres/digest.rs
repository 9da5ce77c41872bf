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

use super::super::{Select, SelectColumn, Selection};
use super::literal::bytes_literal;
use super::select::{Rows, key_order, payload_expression, rendered};
use crate::value::KeyRange;

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
    // ORDER BY would take the name of a key's column for this one.
    let mut r = "r".to_owned();
    while select.columns.iter().any(|column| column.column.name == r) {
        r.push('_');
    }
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
