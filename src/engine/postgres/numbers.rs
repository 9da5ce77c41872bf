//! Sequences that go with a column: those of identities, and those of serials.
//!
//! Refuses to take for a serial what only looks like one: a default that draws from a sequence which another column owns, or
//! nobody. Invariant: a column has the settings of the one sequence that goes with it, or says why they are not told.

use sqlx::postgres::PgRow;

use super::super::EngineError;
use super::introspect::required;
use crate::schema::Table;
use crate::sql::{EngineName, NumberedBy, Numbers, dialect};

/// One row for each sequence that a column owns. Of a serial the default draws from it and says nothing else.
pub(super) const NUMBERS: &str = "SELECT t.oid::text, a.attname::text, s.relname::text, a.attidentity::text,
    pg_catalog.format_type(q.seqtypid, NULL), q.seqstart::text, q.seqincrement::text, q.seqmin::text, q.seqmax::text,
    q.seqcache::text, q.seqcycle::text, (EXISTS (SELECT FROM pg_catalog.pg_attrdef f JOIN pg_catalog.pg_depend u
        ON u.classid = 'pg_catalog.pg_attrdef'::regclass AND u.objid = f.oid
       AND u.refclassid = 'pg_catalog.pg_class'::regclass AND u.refobjid = s.oid
     WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum AND a.attgenerated = ''
       AND pg_catalog.pg_get_expr(f.adbin, f.adrelid) LIKE 'nextval(''%''::regclass)'))::text,
    (count(*) OVER (PARTITION BY t.oid, a.attnum))::text
    FROM tables t JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = t.oid
     AND d.refobjsubid > 0 AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
    JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
    ORDER BY t.oid, a.attnum";

/// Adds what a row tells to its column.
pub(super) fn add(row: &PgRow, table: &mut Table) -> Result<(), EngineError> {
    let column_name = required(row, 1)?;
    let name = required(row, 2)?;
    let draws = required(row, 11)? == "true";
    let by = match required(row, 3)?.as_str() {
        "a" => NumberedBy::Always,
        "d" => NumberedBy::ByDefault,
        _ if draws => NumberedBy::Serial,
        _ => return Ok(()),
    };
    let number = |index| required(row, index).map(|text| text.parse::<i64>().unwrap_or(1));
    let makes_up = dialect(EngineName::Postgres).numbering().makes_up(&name, &table.name.name, &column_name);
    let numbers = Numbers {
        by,
        name: Some(name).filter(|_| !makes_up),
        declared: required(row, 4)?,
        start: number(5)?,
        increment: number(6)?,
        min: number(7)?,
        max: number(8)?,
        cache: number(9)?,
        cycles: required(row, 10)? == "true",
    };
    let is_only = required(row, 12)? == "1";
    if let Some(column) = table.columns.iter_mut().find(|column| column.name == column_name) {
        match is_only {
            true => column.words.numbers = Some(numbers),
            // Which of them the server means by the column's own it does not tell.
            false => column.words.untold = Some("several sequences go with it".to_owned()),
        }
    }
    Ok(())
}
