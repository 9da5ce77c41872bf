//! Whether the replica can hold what a plan wants to write, found out before anything is written.
//!
//! Owns the two errors of kind `value` that a plan can have: a value its column cannot hold, and a column that
//! must have a value and gets none. Invariant: the message names table and column and never holds a value; the
//! row's key is the failure's, and the value its detail.

use crate::compare::RowChange;
use crate::failure::{ErrorKind, Failure};
use crate::schema::{TablePair, with_row};
use crate::sql::{Column, Dialect};
use crate::value::{Row, Type, Value, value_words};

use super::TablePlan;
use super::write::written_columns;

/// Checks every value that would be written to a table, with the replica's dialect.
///
/// # Errors
/// The first value that its column cannot hold, or the first column that must not be NULL, has no default and
/// receives no value; changes that cannot be read.
pub fn check_values(table: &TablePlan, dialect: &dyn Dialect) -> Result<(), Failure> {
    let Some(pair) = &table.pair else { return Ok(()) };
    let all = written_columns(pair);
    for planned in table.changes.iter() {
        let planned = planned?;
        if planned.withheld {
            continue;
        }
        match &planned.change {
            // What the replica had, it can have again.
            RowChange::Insert { .. } if planned.extra.is_some() => {}
            RowChange::Insert { after } => {
                check_unfilled(table, pair, after)?;
                check_row(table, pair, after, &all, dialect)?;
            }
            RowChange::Update { after, columns, .. } => check_row(table, pair, after, columns, dialect)?,
            RowChange::Delete { .. } => {}
        }
    }
    Ok(())
}

fn check_row(
    table: &TablePlan,
    pair: &TablePair,
    row: &Row,
    columns: &[u16],
    dialect: &dyn Dialect,
) -> Result<(), Failure> {
    let fields: Vec<Option<&[u8]>> = row.fields().collect();
    for index in columns.iter().map(|index| usize::from(*index)) {
        let (column, field) = (&pair.columns[index], fields[index]);
        let on_replica = &column.sides.replica;
        if field.is_none() && !on_replica.nullable {
            let reason = "NULL in a column that is NOT NULL on the replica";
            return Err(unwritable(table, pair, column.name(), reason, row));
        }
        let value = column.primary_value(field);
        if let Err(error) = dialect.literal(&value, &on_replica.column_type) {
            let mut failure = unwritable(table, pair, column.name(), &error.reason, row);
            if is_too_fine(&value, &on_replica.column_type.meaning) {
                failure = failure.hint(fraction_hint(column.name()));
            }
            // Of a row without a key all values are told already.
            return Err(if pair.is_keyless() { failure } else { failure.detail(value_words(&value)) });
        }
    }
    Ok(())
}

fn check_unfilled(table: &TablePlan, pair: &TablePair, row: &Row) -> Result<(), Failure> {
    match unfilled_columns(pair).next() {
        None => Ok(()),
        Some(column) => {
            let (message, hint) = unfilled_words(&table.table, column);
            let failure = Failure::new(ErrorKind::Value, message).hint(hint);
            Err(with_row(failure, pair, row.bytes()))
        }
    }
}

/// Columns of the replica that must have a value and would get none in an insert.
pub fn unfilled_columns(pair: &TablePair) -> impl Iterator<Item = &Column> {
    pair.replica_extra.iter().map(|extra| &extra.column).filter(|column| column.needs_value())
}

/// What is wrong with such a column, and what to do.
pub fn unfilled_words(table: &str, column: &Column) -> (String, String) {
    let name = &column.name;
    (
        format!(
            "table {table}, column {name}: the replica's column is NOT NULL without default and receives no value"
        ),
        format!("bring {name} into the spec's columns, or give it a default on the replica"),
    )
}

fn unwritable(table: &TablePlan, pair: &TablePair, column: &str, reason: &str, row: &Row) -> Failure {
    let message = format!("table {}, column {column}: {reason}", table.table);
    let failure = Failure::new(ErrorKind::Value, message).hint(format!(
        "correct the value on the primary, let the replica's column hold it, or leave it out with \
         `exclude_columns: [{column}]`"
    ));
    with_row(failure, pair, row.bytes())
}

/// Whether a time has more of a fraction than the column keeps.
fn is_too_fine(value: &Value, column: &Type) -> bool {
    let micros = match value {
        Value::Time(time) => time.0,
        Value::DateTime(stamp) | Value::Instant(stamp) => stamp.parts().1,
        _ => return false,
    };
    match column {
        Type::Time { digits } | Type::DateTime { digits } | Type::Instant { digits } => {
            micros % 10_i64.pow(6 - u32::from(*digits).min(6)) != 0
        }
        _ => false,
    }
}

/// `precision` excuses rows that are on both sides; a new row has to be written as it is.
fn fraction_hint(column: &str) -> String {
    format!(
        "let the replica's column keep the fraction, cut it on the primary, or leave it out with \
         `exclude_columns: [{column}]`; `precision` under `compare` excuses rows that both sides have, and no row \
         that is to be inserted"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::*;

    #[test]
    fn a_value_that_does_not_fit_is_found_with_its_key() {
        let table = with_changes(table("t"), vec![insert(&[1, 10]), insert(&[7, TOO_LARGE])]);
        let failure = check_values(&table, &FAKE).expect_err("it does not fit");
        assert_eq!(failure.kind, ErrorKind::Value);
        assert_eq!(failure.message, "table t, column ref: too large");
        assert_eq!(failure.key.as_deref(), Some("id = 7"));
        let detail = failure.detail.expect("the value");
        assert!(detail.starts_with("the value is "), "{detail}");
    }

    #[test]
    fn what_is_not_written_is_not_checked() {
        let mut table = with_changes(table("t"), vec![insert(&[7, TOO_LARGE]), delete(&[8, TOO_LARGE])]);
        table.changes = withheld(table.changes, 0);
        assert_eq!(check_values(&table, &FAKE), Ok(()));
        let unchanged = update(&[9, TOO_LARGE], &[9, TOO_LARGE], &[]);
        assert_eq!(check_values(&with_changes(table, vec![unchanged]), &FAKE), Ok(()));
    }

    #[test]
    fn a_column_that_must_have_a_value_gets_one() {
        let mut plan = with_changes(table("t"), vec![update(&[1, 1], &[1, 2], &[1])]);
        let pair = plan.pair.as_mut().expect("paired");
        pair.replica_extra = vec![extra_column("must", false)];
        assert_eq!(check_values(&plan, &FAKE), Ok(()));
        let failure = check_values(&with_changes(plan, vec![insert(&[2, 2])]), &FAKE);
        assert!(failure.expect_err("no value").message.starts_with("table t, column must: "));
    }

    #[test]
    fn null_for_a_column_that_takes_none_is_found() {
        let mut plan = with_changes(table("t"), vec![insert_null(3)]);
        plan.pair.as_mut().expect("paired").columns[1].sides.replica.nullable = false;
        let failure = check_values(&plan, &FAKE).expect_err("NULL");
        assert!(failure.message.contains("column ref: NULL"), "{}", failure.message);
    }
}
