//! Rows without a key: told apart by all that they hold, counted, and deleted so many at a time by rowid.
//!
//! Conditions are those of scripts, which use no function of our own connections. Invariant: equal means the same
//! in the pair's domain, exactly; an unusual spelling may be refused, which shows in the count.

use super::scope::VALUE_FUNCTION;
use super::script::{ALIAS, all, as_compared, is_zero, planned};
use super::select::ORDER_FUNCTION;
use super::{BYTES_MAX, ROWS_MAX, identifier, literal, spelling, table};
use crate::sql::{CopiesToDelete, Guard, KnownSpellings, SelectColumn, Unwritable};
use crate::value::Value;

/// The names that a row's number may have, as long as no column bears them.
const ROW_NUMBERS: [&str; 3] = ["rowid", "_rowid_", "oid"];

/// Deletes so many copies of each row, those with the lowest numbers.
pub(super) fn delete(copies: &CopiesToDelete<'_>) -> Result<Vec<String>, Unwritable> {
    for (values, _) in copies.rows {
        for (part, value) in copies.columns.iter().zip(values) {
            literal::stored(value, &part.column.column_type)?;
        }
    }
    let number = row_number(copies)?;
    let name = table(copies.table);
    let scope = copies.scope.map(|scope| format!(" WHERE {scope}")).unwrap_or_default();
    let statement = |rows: &[(Vec<Value>, u64)]| {
        let values: Vec<&[Value]> = rows.iter().map(|(values, _)| values.as_slice()).collect();
        let list = list(copies.columns, rows.iter().map(|(values, copies)| (values.as_slice(), *copies)));
        let condition = all(&conditions(copies.columns, &values));
        match &number {
            Some(number) => format!(
                "DELETE FROM {name} WHERE {number} IN (SELECT _trueup_place FROM (\
                 SELECT {ALIAS}._trueup_place, v.column2 AS _trueup_copies, \
                 row_number() OVER (PARTITION BY v.column1 ORDER BY {ALIAS}._trueup_place) AS _trueup_copy \
                 FROM (SELECT {number} AS _trueup_place, * FROM {name}{scope}) AS {ALIAS} \
                 CROSS JOIN (VALUES {list}) AS v WHERE {condition}) WHERE _trueup_copy <= _trueup_copies)"
            ),
            None => {
                let scope = copies.scope.map(|scope| format!(" AND ({scope})")).unwrap_or_default();
                format!(
                    "DELETE FROM {name} AS {ALIAS} WHERE EXISTS (SELECT 1 FROM (VALUES {list}) AS v \
                     WHERE {condition}){scope}"
                )
            }
        }
    };
    Ok(pieces(copies.columns, copies.rows).map(statement).collect())
}

/// Which rows of the table are taken for one of a guard's.
pub(super) enum Told<'a> {
    /// Those that are certainly equal.
    Certainly(KnownSpellings<'a>),
    /// Those that are not certainly another.
    Perhaps,
}

/// How many of a guard's rows are not there exactly so often, as an expression.
pub(super) fn miscounted(guard: &Guard<'_>, counts: &[u64]) -> Result<String, Unwritable> {
    let values: Vec<&[Value]> = guard.rows.iter().map(Vec::as_slice).collect();
    miscounted_by(guard, counts, &all(&conditions(guard.columns, &values)))
}

/// The same where values have several spellings.
pub(super) fn miscounted_spellings(
    guard: &Guard<'_>,
    counts: &[u64],
    told: Told<'_>,
) -> Result<String, Unwritable> {
    let values: Vec<&[Value]> = guard.rows.iter().map(Vec::as_slice).collect();
    let own = |as_told: fn(&SelectColumn, &str, bool) -> String| {
        let each = guard.columns.iter().enumerate().map(|(index, part)| {
            let zero = values.iter().any(|row| is_zero(&row[index]));
            as_told(part, &format!("v.column{}", index + 3), zero)
        });
        all(&each.collect::<Vec<_>>())
    };
    let condition = match told {
        Told::Perhaps => own(spelling::may_be),
        Told::Certainly(known) => match known_spellings(known) {
            Some(known) => format!("({} OR {known})", own(spelling::certainly_is)),
            None => own(spelling::certainly_is),
        },
    };
    let telling = telling_column(guard.columns, &values);
    let condition = telling.into_iter().chain([format!("({condition})")]).collect::<Vec<_>>();
    miscounted_by(guard, counts, &all(&condition))
}

/// The condition that the table's row is one of the guard's in a known spelling.
fn known_spellings(known: KnownSpellings<'_>) -> Option<String> {
    let rows =
        || known.rows.iter().enumerate().flat_map(|(number, rows)| rows.iter().map(move |row| (number, row)));
    let lines = rows().map(|(number, row)| {
        let values: Vec<String> =
            known.columns.iter().zip(row).map(|(part, value)| planned(part, value)).collect();
        format!("({number},{})", values.join(","))
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        return None;
    }
    let each = known.columns.iter().enumerate().map(|(index, part)| {
        let zero = rows().any(|(_, row)| is_zero(&row[index]));
        as_compared(part, &format!("k.column{}", index + 2), zero)
    });
    let condition = all(&each.collect::<Vec<_>>());
    Some(format!(
        "EXISTS (SELECT 1 FROM (VALUES {}) AS k WHERE k.column1 = v.column1 AND {condition})",
        lines.join(",\n")
    ))
}

fn miscounted_by(guard: &Guard<'_>, counts: &[u64], condition: &str) -> Result<String, Unwritable> {
    if guard.scope.is_some_and(|scope| scope.contains(VALUE_FUNCTION) || scope.contains(ORDER_FUNCTION)) {
        let reason = "its `where` needs functions that the SQLite client does not have".to_owned();
        return Err(Unwritable { reason });
    }
    let name = table(guard.table);
    let scope = guard.scope.map(|scope| format!(" WHERE {scope}")).unwrap_or_default();
    let values: Vec<&[Value]> = guard.rows.iter().map(Vec::as_slice).collect();
    let list = list(guard.columns, values.iter().copied().zip(counts.iter().copied()));
    Ok(format!(
        "(WITH v AS (VALUES\n{list}\n) SELECT count(*) FROM v AS _trueup_all LEFT JOIN (\
         SELECT v.column1 AS _trueup_row, count(*) AS _trueup_found FROM (SELECT * FROM {name}{scope}) AS {ALIAS} \
         CROSS JOIN v WHERE {condition} GROUP BY v.column1) AS _trueup_found \
         ON _trueup_found._trueup_row = _trueup_all.column1 \
         WHERE _trueup_all.column2 <> coalesce(_trueup_found._trueup_found, 0))"
    ))
}

/// What a row's number is called; `None` where no row can be there twice, so that none is needed.
fn row_number(copies: &CopiesToDelete<'_>) -> Result<Option<&'static str>, Unwritable> {
    if copies.unique {
        return Ok(None);
    }
    let taken = |name: &str| copies.columns.iter().any(|part| part.column.name.eq_ignore_ascii_case(name));
    let free = ROW_NUMBERS.into_iter().find(|name| !taken(name));
    free.map(Some).ok_or_else(|| Unwritable {
        reason: "its columns take all names of SQLite's row number, so that no copy can be told from another"
            .to_owned(),
    })
}

/// Rows in lists that a statement can hold.
fn pieces<'a>(
    columns: &'a [SelectColumn],
    rows: &'a [(Vec<Value>, u64)],
) -> impl Iterator<Item = &'a [(Vec<Value>, u64)]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take(ROWS_MAX).take_while(|(values, _)| {
            bytes +=
                columns.iter().zip(values).map(|(part, value)| planned(part, value).len() + 2).sum::<usize>();
            bytes <= BYTES_MAX / 2
        });
        let (now, later) = rest.split_at(fits.count().max(1).min(rest.len()));
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

/// A number, how many copies, and the values.
fn list<'a>(columns: &[SelectColumn], rows: impl Iterator<Item = (&'a [Value], u64)>) -> String {
    let line = |(number, (values, copies)): (usize, (&[Value], u64))| {
        let values: Vec<String> =
            columns.iter().zip(values).map(|(part, value)| planned(part, value)).collect();
        format!("({number},{copies},{})", values.join(","))
    };
    rows.enumerate().map(line).collect::<Vec<_>>().join(",\n")
}

/// The condition that a row of the table is one of the list: first a list of the values of one column, which is
/// looked up, where there is one that is NULL nowhere.
fn conditions(columns: &[SelectColumn], rows: &[&[Value]]) -> Vec<String> {
    let each = columns.iter().enumerate().map(|(index, part)| {
        let zero = rows.iter().any(|row| is_zero(&row[index]));
        as_compared(part, &format!("v.column{}", index + 3), zero)
    });
    telling_column(columns, rows).into_iter().chain(each).collect()
}

/// `t.a IN (…)` over the column whose values tell most of the rows apart. Only where the plain column compares
/// with a plain literal.
fn telling_column(columns: &[SelectColumn], rows: &[&[Value]]) -> Option<String> {
    let plain = |value: &Value| matches!(value, Value::Integer(_) | Value::Text(_) | Value::Bytes(_));
    let told = columns.iter().enumerate().filter_map(|(index, part)| {
        if !rows.iter().all(|row| plain(&row[index])) {
            return None;
        }
        let mut values: Vec<String> = rows.iter().map(|row| planned(part, &row[index])).collect();
        values.sort();
        values.dedup();
        let binary = if part.column.collation.is_some() { " COLLATE BINARY" } else { "" };
        let name = identifier(&part.column.name);
        Some((values.len(), format!("{ALIAS}.{name}{binary} IN ({})", values.join(","))))
    });
    told.max_by_key(|(distinct, _)| *distinct).filter(|(distinct, _)| *distinct > 1).map(|(_, sql)| sql)
}
