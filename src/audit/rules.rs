//! From what the spec says of columns to the rules that rows are compared by.

use crate::compare::{ColumnRule, Excuse, RowRules};
use crate::failure::{ErrorKind, Failure};
use crate::schema::{ColumnPair, TablePair};
use crate::spec::{CompareOptions, CompareRule, Precision};
use crate::value::Decimal;

/// The rules of a table pair. The pair's order of columns (key, compared, ignored) is what they rest on.
pub(super) fn row_rules(pair: &TablePair) -> Result<RowRules, Failure> {
    let compared = pair.columns[..pair.compared_columns].iter();
    let compared = compared.map(column_rule).collect::<Result<Vec<_>, _>>()?;
    Ok(RowRules::new(compared, pair.key_columns, pair.columns.len()))
}

fn column_rule(column: &ColumnPair) -> Result<ColumnRule, Failure> {
    let excuse = match &column.rule {
        Some(CompareRule::Options(options)) => Some(excuse(column, options)?),
        Some(CompareRule::Ignore) | None => None,
    };
    Ok(ColumnRule { domain: column.domain.clone(), excuse })
}

/// The zone has been settled where values are read: both sides are moments in UTC by now.
fn excuse(column: &ColumnPair, options: &CompareOptions) -> Result<Excuse, Failure> {
    let tolerance = options.tolerance.as_deref().map(Decimal::parse).transpose().map_err(|error| {
        Failure::new(ErrorKind::Internal, format!("the tolerance of column {}: {error}", column.name()))
    })?;
    Ok(Excuse {
        tolerance,
        unit_micros: options.precision.map(|precision| match precision {
            Precision::Seconds => 1_000_000,
            Precision::Milliseconds => 1_000,
            Precision::Microseconds => 1,
        }),
        trim: options.trim,
        ignore_case: options.ignore_case,
    })
}
