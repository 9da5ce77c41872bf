//! Digests that servers of the family make of ranges of rows, and where to cut ranges. What a digest is made of, see
//! [`sql::digest`](crate::sql::digest).
//!
//! Invariant: a row whose text could not be made whole has no digest. NULL comes only from a column that is NULL; what
//! is too long for `max_allowed_packet` makes the whole row's digest NULL, and a count tells.

use super::condition::{Digested, listing_of, order_terms, projected};
use super::{Family, identifier};
use crate::sql::digest::{DigestText, VALUE_BYTES_MAX, WORDS};
use crate::sql::{Dialect, EngineName, Select, SelectColumn, Selection};
use crate::value::KeyRange;

/// Hex digits of a word of 64 bits.
const WORD_DIGITS: usize = 16;

fn family(engine: EngineName) -> &'static Family {
    if engine == EngineName::Mysql { &super::MYSQL } else { &super::MARIADB }
}

/// The query that gives for a range: the number, how many rows it has, at most `rows_max` and one, of how many of them
/// there is a digest, and the sum of each word.
pub(crate) fn digest(
    engine: EngineName,
    select: &Select,
    texts: &[DigestText],
    mark: &str,
    (number, range): (usize, &KeyRange),
    rows_max: u64,
) -> String {
    let values = select.columns.iter().zip(texts).map(|(column, text)| value(column, *text));
    let values = values.collect::<Vec<_>>().join(", ");
    // ORDER BY would take the name of a key's column for this one.
    let mut h = "h".to_owned();
    while select.columns.iter().any(|column| column.column.name.eq_ignore_ascii_case(&h)) {
        h.push('_');
    }
    let rows = listing_of(
        family(engine),
        &of_range(select, range, true),
        &format!("SHA2(CONCAT('{mark}', {values}), 256) AS {h}"),
    );
    let word = |at: usize| {
        let digits = format!("SUBSTR({h}, {}, {WORD_DIGITS})", at * WORD_DIGITS + 1);
        format!("SUM(CAST(CONV({digits}, 16, 10) AS UNSIGNED))")
    };
    let words = (0..WORDS).map(word).collect::<Vec<_>>().join(", ");
    let most = rows_max.saturating_add(1);
    // Without the LIMIT the server would merge the queries and make each digest anew for every word.
    format!("SELECT {number}, COUNT(*), COUNT({h}), {words} FROM ({rows} LIMIT {most}) q")
}

fn of_range(select: &Select, range: &KeyRange, ordered: bool) -> Select {
    Select { selection: Selection::Range(range.clone()), ordered, locked: false, ..select.clone() }
}

/// What goes into a row's digest for a column.
fn value(part: &SelectColumn, text: DigestText) -> String {
    let column = identifier(&part.column.name);
    let expression = expression(part, text);
    let short = format!("CONCAT(LENGTH({expression}), ':', {expression})");
    let any = match text {
        DigestText::Text | DigestText::Native | DigestText::Bytes => format!(
            "IF(LENGTH({expression}) > {VALUE_BYTES_MAX}, CONCAT('L', SHA2({expression}, 256)), {short})"
        ),
        _ => short,
    };
    format!("IF({column} IS NULL, 'N', {any})")
}

fn expression(part: &SelectColumn, text: DigestText) -> String {
    let column = identifier(&part.column.name);
    match text {
        // Not the zeros of ZEROFILL.
        DigestText::Integer => format!("({column} + 0)"),
        DigestText::Decimal | DigestText::Time | DigestText::Stamp => without_zeros(&column),
        DigestText::ScaledDecimal | DigestText::Double | DigestText::Date | DigestText::Uuid => {
            format!("CAST({column} AS CHAR)")
        }
        DigestText::Text | DigestText::Native => projected(part, Digested::AsBytes),
        DigestText::Bytes => format!("LOWER(HEX({column}))"),
    }
}

/// The text of a number or a time without the zeros at the end of its fraction.
fn without_zeros(column: &str) -> String {
    format!(
        "IF(LOCATE('.', {column}) > 0, TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {column})), CAST({column} AS CHAR))"
    )
}

/// The query that gives the keys which cut these ranges into parts of so many rows, in any order. `select` has the
/// key's columns alone.
pub(crate) fn cuts(engine: EngineName, select: &Select, ranges: &[KeyRange], part_rows: u64) -> String {
    let names: Vec<String> = (0..select.columns.len()).map(|at| format!("k{at}")).collect();
    let key = select.columns.iter().zip(&names);
    let key = key.map(|(column, name)| format!("{} AS {name}", projected(column, Digested::AsRead)));
    let number = format!("ROW_NUMBER() OVER (ORDER BY {}) AS n", order_terms(select));
    let list = format!("{}, {number}", key.collect::<Vec<_>>().join(", "));
    let names = names.join(", ");
    let of_one = |range: &KeyRange| {
        let rows = listing_of(family(engine), &of_range(select, range, false), &list);
        format!("SELECT {names} FROM ({rows}) q WHERE n > 1 AND (n - 1) % {part_rows} = 0")
    };
    ranges.iter().map(of_one).collect::<Vec<_>>().join(" UNION ALL ")
}

/// The query that begins to read the select's rows in order, to be explained.
pub(crate) fn first(dialect: &dyn Dialect, select: &Select) -> String {
    format!("{} LIMIT 1", dialect.select(&of_range(select, &KeyRange::all(), true)))
}
