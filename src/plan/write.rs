//! From planned row changes to statements in the replica's dialect.
//!
//! Owns what is written for a change: an insert sets every column the replica has (also those the spec does
//! not compare; those out of scope only where it puts a row back), an update only those that differ. Refuses to run anything; `apply` runs these statements and
//! the `sql` report prints them. Invariant: one [`Write`] is changes of one kind that set the same columns.

use std::collections::BTreeMap;

use crate::compare::{ChangeList, ChangeNumber, RowChange};
use crate::schema::TablePair;
use crate::spec::SchemaMode;
use crate::spool::SpoolError;
use crate::sql::{Column, Dialect, RowUpdate, RowsToWrite, SelectColumn, TableWrite, Unwritable};
use crate::value::{Row, Value, decode};

use super::copies::{
    EqualChanges, equal_changes, image_columns, image_parts, image_values, is_unique, scope,
};
use super::step::{Part, RowAction};
use super::{PlannedChange, Spares, TablePlan};

/// A change with its number.
pub type NumberedChange = (ChangeNumber, PlannedChange);

/// Changes of one kind that set the same columns of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// What happens.
    pub action: RowAction,
    /// Which half of it.
    pub part: Part,
    /// Indexes of the columns that are set, of [`TablePair::replica_part`], ascending; none for a delete.
    pub columns: Vec<u16>,
    /// The changes.
    pub changes: Vec<NumberedChange>,
}

/// The columns of a pair that the replica has when rows are written: those it has now and those that the plan
/// creates.
pub fn written_columns(pair: &TablePair) -> Vec<u16> {
    let there = |column: &&(usize, &crate::schema::ColumnPair)| {
        column.1.on_replica || pair.schema == SchemaMode::Sync
    };
    // Engines allow far fewer than 65,536 columns.
    pair.columns.iter().enumerate().filter(|column| there(&column)).map(|(index, _)| index as u16).collect()
}

/// Some changes of a step as writes of at most `rows_max` rows and about `bytes_max` bytes of encoded rows each,
/// in the order of the numbers (updates: grouped by the columns they set). Read as a stream: what waits for its
/// group to be full is bounded by a few times `bytes_max`.
pub fn writes<'a>(
    table: &'a TablePlan,
    action: RowAction,
    part: &'a Part,
    numbers: &'a [ChangeNumber],
    limits: ChunkLimits,
) -> impl Iterator<Item = Result<Write, SpoolError>> + use<'a> {
    let inserted = table.pair.as_ref().map(written_columns).unwrap_or_default();
    let extra = table.pair.iter().flat_map(TablePair::extra_indexes);
    let whole: Vec<u16> = inserted.iter().copied().chain(extra).collect();
    let mut picked = table.changes.pick(numbers.iter().copied());
    let mut groups = WriteGroups { action, part: part.clone(), limits, waiting: BTreeMap::new(), bytes: 0 };
    std::iter::from_fn(move || {
        for numbered in picked.by_ref() {
            let numbered = match numbered {
                Ok(numbered) => numbered,
                Err(error) => return Some(Err(error)),
            };
            let columns = match &numbered.1.change {
                _ if part.is_aside() => part.columns(),
                RowChange::Update { .. } if *part == Part::Return => inserted.clone(),
                RowChange::Insert { .. } if numbered.1.extra.is_some() => whole.clone(),
                RowChange::Insert { .. } => inserted.clone(),
                RowChange::Update { columns, .. } => match part {
                    Part::Except(held) => {
                        columns.iter().copied().filter(|column| !held.contains(column)).collect()
                    }
                    _ => columns.clone(),
                },
                RowChange::Delete { .. } => Vec::new(),
            };
            if let Some(write) = groups.push(columns, numbered) {
                return Some(Ok(write));
            }
        }
        groups.pop().map(Ok)
    })
}

/// Groups of bytes waiting to be full: this many times the bytes of one write, and the largest goes.
const WAITING_WRITES_MAX: usize = 4;

struct WriteGroups {
    action: RowAction,
    part: Part,
    limits: ChunkLimits,
    waiting: BTreeMap<Vec<u16>, (usize, Vec<NumberedChange>)>,
    bytes: usize,
}

impl WriteGroups {
    /// Adds a change and gives a write that is full.
    fn push(&mut self, columns: Vec<u16>, change: NumberedChange) -> Option<Write> {
        let size = change.1.bytes_len();
        let (bytes, changes) = self.waiting.entry(columns.clone()).or_default();
        let full = changes.len() >= self.limits.rows_max || *bytes + size > self.limits.bytes_max;
        let gone = if full && !changes.is_empty() { self.take(&columns) } else { None };
        let (bytes, changes) = self.waiting.entry(columns).or_default();
        *bytes += size;
        changes.push(change);
        self.bytes += size;
        gone.or_else(|| self.relieve())
    }

    /// Many small groups together may be too much.
    fn relieve(&mut self) -> Option<Write> {
        if self.bytes <= WAITING_WRITES_MAX * self.limits.bytes_max {
            return None;
        }
        let largest = self.waiting.iter().max_by_key(|(_, (bytes, _))| *bytes)?.0.clone();
        self.take(&largest)
    }

    fn pop(&mut self) -> Option<Write> {
        let columns = self.waiting.keys().next()?.clone();
        self.take(&columns)
    }

    fn take(&mut self, columns: &[u16]) -> Option<Write> {
        let (columns, (bytes, changes)) = self.waiting.remove_entry(columns)?;
        self.bytes -= bytes;
        Some(Write { action: self.action, part: self.part.clone(), columns, changes })
    }
}

/// How much goes into one piece of work. Both bounds keep at least one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkLimits {
    /// Most rows.
    pub rows_max: usize,
    /// Most bytes of encoded rows.
    pub bytes_max: usize,
}

/// The changes with these numbers in consecutive pieces within the limits; a row above `bytes_max` is alone.
pub fn pieces<N: IntoIterator<Item = ChangeNumber>>(
    changes: &ChangeList,
    numbers: N,
    limits: ChunkLimits,
) -> impl Iterator<Item = Result<Vec<NumberedChange>, SpoolError>> + use<N> {
    let mut picked = changes.pick(numbers);
    let mut first: Option<NumberedChange> = None;
    std::iter::from_fn(move || {
        let size = |change: &NumberedChange| change.1.bytes_len();
        let mut piece: Vec<NumberedChange> = first.take().into_iter().collect();
        let mut bytes: usize = piece.iter().map(size).sum();
        for numbered in picked.by_ref() {
            let numbered = match numbered {
                Ok(numbered) => numbered,
                Err(error) => return Some(Err(error)),
            };
            bytes += size(&numbered);
            if !piece.is_empty() && (piece.len() >= limits.rows_max || bytes > limits.bytes_max) {
                first = Some(numbered);
                break;
            }
            piece.push(numbered);
        }
        (!piece.is_empty()).then_some(Ok(piece))
    })
}

/// The statements of one write.
///
/// # Errors
/// Where a value cannot be held by its column; [`check_values`](super::check_values) finds that earlier and
/// says which.
pub fn statements(
    pair: &TablePair,
    write: &Write,
    spares: Spares<'_>,
    dialect: &dyn Dialect,
) -> Result<Vec<String>, Unwritable> {
    let writes = table_writes(pair, write, spares, dialect);
    let statements = writes.into_iter().map(|write| write.statements(dialect));
    Ok(statements.collect::<Result<Vec<_>, _>>()?.concat())
}

/// What a row that is in a circle has in between, or gets in the end.
fn half_values(
    pair: &TablePair,
    numbered: &NumberedChange,
    write: &Write,
    spares: Spares<'_>,
) -> Option<Vec<Value>> {
    let (number, planned) = numbered;
    let (fields, columns) = (planned.fields(), write.columns.iter());
    match &write.part {
        Part::Park { spare, .. } => {
            let value = |column: &u16| match spare.contains(column) {
                true => spare_value(pair, *number, *column, spares),
                false => Some(Value::Null),
            };
            columns.map(value).collect()
        }
        _ => Some(written_values(pair, &fields, &write.columns)),
    }
}

/// The value that a column of a row has in between.
pub fn spare_value(pair: &TablePair, number: ChangeNumber, column: u16, spares: Spares<'_>) -> Option<Value> {
    spares.value(&pair.replica_part(usize::from(column)).column, number)
}

/// A row that goes and comes again: what the plan sets, and all else as it was.
fn returned_values(pair: &TablePair, planned: &PlannedChange, columns: &[u16]) -> Vec<Value> {
    let RowChange::Update { before, after, columns: set } = &planned.change else { return Vec::new() };
    let (before, after): (Vec<_>, Vec<_>) = (before.fields().collect(), after.fields().collect());
    let value = |index: &u16| {
        let place = usize::from(*index);
        match set.contains(index) {
            true => pair.written_value(place, after[place]),
            false => pair.columns[place].replica_value(before[place]),
        }
    };
    let mut values: Vec<Value> = columns.iter().map(value).collect();
    spell_inserted(pair, planned, columns, &mut values);
    values
}

/// The values of a row to insert, with NULL in what is filled later.
fn inserted_without(pair: &TablePair, planned: &PlannedChange, write: &Write) -> Vec<Value> {
    let mut values = inserted_values(pair, planned, &write.columns);
    if let Part::Without(empty) = &write.part {
        for (value, column) in values.iter_mut().zip(&write.columns) {
            if empty.contains(column) {
                *value = Value::Null;
            }
        }
    }
    values
}

/// One write as rows of the replica's table: those whose rows are known as they are spelled, and the others.
pub fn table_writes(
    pair: &TablePair,
    write: &Write,
    spares: Spares<'_>,
    dialect: &dyn Dialect,
) -> Vec<TableWrite> {
    let half = |numbered: &NumberedChange| half_values(pair, numbered, write, spares);
    let whole = |numbered: &NumberedChange| updated_values(pair, &numbered.1, &write.columns);
    let rows = match (write.action, &write.part) {
        (RowAction::Update, Part::Fill(_)) => update_rows(pair, write, whole, dialect),
        (_, Part::Park { .. } | Part::Fill(_)) => update_rows(pair, write, half, dialect),
        (_, Part::Remove) => delete_rows(pair, write),
        (_, Part::Return) => {
            vec![inserts(pair, write, |planned| returned_values(pair, planned, &write.columns))]
        }
        (RowAction::Insert, _) => {
            vec![inserts(pair, write, |planned| inserted_without(pair, planned, write))]
        }
        (RowAction::Delete, _) if pair.is_keyless() => delete_copies(pair, write),
        (RowAction::Update, _) => update_rows(pair, write, whole, dialect),
        (RowAction::Delete, _) => delete_rows(pair, write),
    };
    let table = &pair.names.replica;
    rows.into_iter().map(|rows| TableWrite { table: table.clone(), rows }).collect()
}

/// Updates the columns of a write.
fn update_rows(
    pair: &TablePair,
    write: &Write,
    values: impl Fn(&NumberedChange) -> Option<Vec<Value>>,
    dialect: &dyn Dialect,
) -> Vec<RowsToWrite> {
    let (columns, keep) = (replica_columns(pair, &write.columns), self_writing(pair, dialect));
    let row = |numbered: &&NumberedChange| {
        Some(RowUpdate { key: address(pair, &numbered.1), values: values(numbered)? })
    };
    by_address(pair, write, |key, changes| RowsToWrite::Update {
        key,
        columns: columns.clone(),
        keep: keep.clone(),
        rows: changes.iter().filter_map(row).collect(),
    })
}

fn delete_rows(pair: &TablePair, write: &Write) -> Vec<RowsToWrite> {
    by_address(pair, write, |key, changes| {
        let keys = changes.iter().map(|(_, planned)| address(pair, planned)).collect();
        RowsToWrite::Delete { key, keys }
    })
}

fn inserts(pair: &TablePair, write: &Write, values: impl Fn(&PlannedChange) -> Vec<Value>) -> RowsToWrite {
    let rows = write.changes.iter().map(|(_, planned)| values(planned));
    RowsToWrite::Insert { columns: replica_columns(pair, &write.columns), rows: rows.collect() }
}

/// The rows for the changes whose rows are known as they are spelled, and for the others.
fn by_address(
    pair: &TablePair,
    write: &Write,
    rows: impl Fn(Vec<SelectColumn>, &[&NumberedChange]) -> RowsToWrite,
) -> Vec<RowsToWrite> {
    let changes = write.changes.iter();
    let (spelled, others): (Vec<_>, Vec<_>) = changes.partition(|(_, planned)| planned.stored.is_some());
    [spelled, others]
        .iter()
        .filter_map(|changes| Some(rows(address_columns(pair, &changes.first()?.1), changes)))
        .collect()
}

/// The columns by which the row of a change is found on the replica: its key, as it is stored where that is known.
pub fn address_columns(pair: &TablePair, planned: &PlannedChange) -> Vec<SelectColumn> {
    let index = |column: usize| match planned.stored {
        Some(_) => pair.stored_index(column).unwrap_or(column),
        None => column,
    };
    (0..pair.key_columns).map(|column| pair.replica_part(index(column))).collect()
}

/// The values of [`address_columns`].
pub fn address(pair: &TablePair, planned: &PlannedChange) -> Vec<Value> {
    let mut values = key_values(pair, planned.change.row());
    if let Some(stored) = &planned.stored {
        for ((column, part), field) in pair.spelled().zip(pair.stored_parts()).zip(stored.fields()) {
            values[column] = decode(&part.domain, field);
        }
    }
    values
}

/// The values of a row to insert; one that is put back is spelled as it was.
fn inserted_values(pair: &TablePair, planned: &PlannedChange, columns: &[u16]) -> Vec<Value> {
    let mut values = written_values(pair, &planned.fields(), columns);
    spell_inserted(pair, planned, columns, &mut values);
    values
}

fn spell_inserted(pair: &TablePair, planned: &PlannedChange, columns: &[u16], values: &mut [Value]) {
    let Some(stored) = &planned.stored else { return };
    for ((column, part), field) in pair.spelled().zip(pair.stored_parts()).zip(stored.fields()) {
        if let Some(place) = columns.iter().position(|written| usize::from(*written) == column) {
            values[place] = decode(&part.domain, field);
        }
    }
}

fn updated_values(pair: &TablePair, planned: &PlannedChange, columns: &[u16]) -> Option<Vec<Value>> {
    match &planned.change {
        RowChange::Update { after, .. } => {
            let fields: Vec<Option<&[u8]>> = after.fields().collect();
            Some(written_values(pair, &fields, columns))
        }
        _ => None,
    }
}

/// Deletes of rows without a key: so many copies of each.
fn delete_copies(pair: &TablePair, write: &Write) -> Vec<RowsToWrite> {
    let (spelled, others): (Vec<_>, Vec<_>) =
        write.changes.iter().cloned().partition(|(_, planned)| planned.stored.is_some());
    [spelled, others].into_iter().filter_map(|changes| delete_equal(pair, changes)).collect()
}

/// The same of changes that all know how their rows are spelled, or none of them.
fn delete_equal(pair: &TablePair, changes: Vec<NumberedChange>) -> Option<RowsToWrite> {
    let equal = equal_changes(changes);
    let columns = image_columns(pair, &equal.first()?.planned);
    let rows = equal.iter().map(|equal| (image_values(pair, &equal.planned, &columns), equal.len()));
    Some(RowsToWrite::DeleteCopies {
        rows: rows.collect(),
        columns: image_parts(pair, &columns),
        scope: scope(pair).map(str::to_owned),
        // What goes as a whole need not be counted either.
        unique: is_unique(pair, &columns) || equal.iter().all(EqualChanges::take_all),
    })
}

/// The replica's columns that the engine itself would write with every update of their row.
fn self_writing(pair: &TablePair, dialect: &dyn Dialect) -> Vec<Column> {
    let in_scope = pair.columns.iter().filter(|column| column.on_replica).map(|column| &column.sides.replica);
    let extra = pair.replica_extra.iter().map(|part| &part.column);
    in_scope.chain(extra).filter(|column| dialect.rewrites_itself(column)).cloned().collect()
}

/// The replica's columns at these indexes, of [`TablePair::replica_part`].
pub fn replica_columns(pair: &TablePair, columns: &[u16]) -> Vec<Column> {
    columns.iter().map(|index| pair.replica_part(usize::from(*index)).column).collect()
}

/// The key of a row that is on the replica.
fn key_values(pair: &TablePair, row: &Row) -> Vec<Value> {
    pair.key().iter().zip(row.fields()).map(|(column, field)| column.replica_value(field)).collect()
}

fn written_values(pair: &TablePair, fields: &[Option<&[u8]>], columns: &[u16]) -> Vec<Value> {
    let value = |index: &u16| {
        let index = usize::from(*index);
        pair.written_value(index, fields[index])
    };
    columns.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::*;

    const SMALL: ChunkLimits = ChunkLimits { rows_max: 2, bytes_max: 1000 };

    #[test]
    fn pieces_keep_both_bounds_and_lose_nothing() {
        let rows = (0..7).map(|id| insert(&[id, id]));
        let table = with_changes(table("t"), rows.collect());
        let bytes = insert(&[1, 1]).row().bytes().len();
        let cut = |limits| -> Vec<Vec<ChangeNumber>> {
            let pieces = pieces(&table.changes, 0..7, limits);
            pieces
                .map(|piece| piece.expect("in memory").into_iter().map(|(number, _)| number).collect())
                .collect()
        };
        let wide = ChunkLimits { rows_max: 3, bytes_max: 1000 };
        assert_eq!(cut(wide), [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);
        assert_eq!(cut(ChunkLimits { bytes_max: 2 * bytes, ..wide })[..2], [vec![0, 1], vec![2, 3]]);
        assert_eq!(cut(ChunkLimits { bytes_max: 1, ..wide }).len(), 7);
    }

    fn shown(writes: impl Iterator<Item = Result<Write, SpoolError>>) -> Vec<(Vec<u16>, Vec<ChangeNumber>)> {
        let numbers = |write: Write| write.changes.into_iter().map(|(number, _)| number).collect();
        writes
            .map(|write| write.expect("in memory"))
            .map(|write| (write.columns.clone(), numbers(write)))
            .collect()
    }

    #[test]
    fn updates_go_by_the_columns_they_set() {
        let changes = vec![
            update(&[1, 1, 1], &[1, 2, 1], &[1]),
            update(&[2, 1, 1], &[2, 2, 2], &[1, 2]),
            update(&[3, 1, 1], &[3, 2, 1], &[1]),
            update(&[4, 1, 1], &[4, 2, 1], &[1]),
        ];
        let table = with_changes(wide_table("t"), changes);
        let writes = |limits| shown(writes(&table, RowAction::Update, &Part::Whole, &[0, 1, 3], limits));
        assert_eq!(writes(SMALL), [(vec![1], vec![0, 3]), (vec![1, 2], vec![1])]);
        // What waits is bounded.
        let tiny = ChunkLimits { rows_max: 2, bytes_max: 1 };
        assert_eq!(writes(tiny).len(), 3);
    }

    #[test]
    fn an_insert_sets_what_the_replica_has() {
        let mut table = with_changes(wide_table("t"), vec![insert(&[1, 2, 3])]);
        let pair = table.pair.as_mut().expect("paired");
        pair.columns[1].on_replica = false;
        assert_eq!(written_columns(pair), [0, 1, 2]);
        pair.schema = SchemaMode::Check;
        assert_eq!(written_columns(pair), [0, 2]);
        pair.columns[1].on_replica = true;
        let changes = changes_of(&table.changes).into_iter().map(|change| (0, change)).collect();
        let write = Write { action: RowAction::Insert, part: Part::Whole, columns: vec![0, 1, 2], changes };
        let pair = table.pair.as_ref().expect("paired");
        let sql = statements(pair, &write, Spares { salt: 0, rows: &[] }, &FAKE).expect("they fit");
        assert_eq!(sql, ["insert t id=1,ref=2,more=3"]);
    }
}
