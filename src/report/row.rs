//! The rows of a change with the names under which output shows their columns.

use crate::compare::RowChange;
use crate::plan::{ChangeList, PlannedChange};
use crate::schema::TablePair;
use crate::sides::Side;
use crate::spool::SpoolError;
use crate::value::{Row, Value, decode};

use super::text_value::REDACTED;
use super::words::name;

/// A named value.
pub struct Cell {
    /// The column, by the primary's name.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// Whether the column is part of the key.
    pub key: bool,
}

/// One change, decoded.
pub struct ShownChange {
    /// The values of the key; empty for a table without one.
    pub key: Vec<Cell>,
    /// The row on the replica: the changed columns of an update, all columns of a delete.
    pub before: Vec<Cell>,
    /// The row as it will be: the changed columns of an update, all columns of an insert.
    pub after: Vec<Cell>,
}

/// Decodes a change of a pair.
pub fn decoded(pair: &TablePair, planned: &PlannedChange) -> ShownChange {
    let all = |_: usize| true;
    let key = |side, row| cells(pair, side, row, |index| index < pair.key_columns);
    match &planned.change {
        RowChange::Insert { after } => {
            let mut cells = cells(pair, Side::Primary, after, all);
            extend_with_extra(pair, planned.extra.as_ref(), &mut cells);
            ShownChange { key: key(Side::Primary, after), before: Vec::new(), after: cells }
        }
        RowChange::Update { before, after, columns } => {
            let changed = |index: usize| columns.iter().any(|column| usize::from(*column) == index);
            ShownChange {
                key: key(Side::Replica, before),
                before: cells(pair, Side::Replica, before, changed),
                after: cells(pair, Side::Primary, after, changed),
            }
        }
        RowChange::Delete { before } => {
            let mut cells = cells(pair, Side::Replica, before, |index| pair.columns[index].on_replica);
            extend_with_extra(pair, planned.extra.as_ref(), &mut cells);
            ShownChange { key: key(Side::Replica, before), before: cells, after: Vec::new() }
        }
    }
}

/// What is said of a change beside its key where no value may be: the columns that change. A row without a key is
/// nothing but values.
pub fn redacted_words(change: &ShownChange) -> String {
    let is_update = !change.before.is_empty() && !change.after.is_empty();
    match (is_update, change.key.is_empty()) {
        (true, _) => change.after.iter().map(|cell| name(&cell.name)).collect::<Vec<_>>().join(", "),
        (false, true) => REDACTED.to_owned(),
        (false, false) => String::new(),
    }
}

fn cells(pair: &TablePair, side: Side, row: &Row, shown: impl Fn(usize) -> bool) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (index, (column, field)) in pair.columns.iter().zip(row.fields()).enumerate() {
        if shown(index) {
            let value = match side {
                Side::Primary => column.primary_value(field),
                Side::Replica => column.replica_value(field),
            };
            cells.push(Cell { name: column.name().to_owned(), value, key: index < pair.key_columns });
        }
    }
    cells
}

/// The replica's columns that are out of scope. One that bears the name of a renamed column in scope is told
/// apart by `(replica)`, for a name may stand in an object only once.
fn extend_with_extra(pair: &TablePair, extra: Option<&Row>, cells: &mut Vec<Cell>) {
    let Some(extra) = extra else { return };
    for (column, field) in pair.replica_extra.iter().zip(extra.fields()) {
        let name = &column.column.name;
        let taken = cells.iter().any(|cell| cell.name == *name);
        let name = if taken { format!("{name} (replica)") } else { name.clone() };
        cells.push(Cell { name, value: decode(&column.domain, field), key: false });
    }
}

/// Equal changes in a row with how often they stand there. Only a table without key has more than one.
pub fn with_copies(changes: &ChangeList) -> impl Iterator<Item = Result<(PlannedChange, u64), SpoolError>> {
    let mut changes = changes.iter();
    let mut next = changes.next();
    std::iter::from_fn(move || {
        let change = match next.take()? {
            Ok(change) => change,
            Err(error) => return Some(Err(error)),
        };
        let mut copies = 1;
        loop {
            next = changes.next();
            match &next {
                Some(Ok(again)) if again.is_copy_of(&change) => copies += 1,
                _ => return Some(Ok((change, copies))),
            }
        }
    })
}
