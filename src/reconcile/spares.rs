//! Values that stand in for others for a moment: whether some row of the replica has one already, or some unique index
//! takes two of them for one.
//!
//! Owns the choice among them, by the plan's salt. Refuses a plan for which there are none. Invariant: of what a plan gives
//! to rows meanwhile the replica refuses nothing, as far as its rows stay what they are.

use std::collections::HashSet;

use super::foresee::{CHUNK, Moment};
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, ChangeNumber, Part, ReplicaPlan, RowChange, RowStep, TablePlan};
use crate::schema::TablePair;
use crate::sql::{Select, SelectColumn, Selection, UniqueIndex};
use crate::value::{Key, Row, Value, decode, encode, fields, put_field, put_null};

/// How often other values are tried.
const SALTS_MAX: u32 = 20;
/// How many rows an index is asked about at once.
const ROWS_MAX: usize = 500;

/// Makes sure that no row has a value that stands in for others in this step, or chooses others.
pub(super) async fn settle(
    plan: &mut ReplicaPlan,
    step: &RowStep,
    moment: &mut Moment<'_>,
) -> Result<(), Failure> {
    let Part::Park { empty, spare } = &step.part else { return Ok(()) };
    if spare.is_empty() {
        return Ok(());
    }
    let mut refused = None;
    for _ in 0..SALTS_MAX {
        let table = &plan.tables[step.table];
        let Some(pair) = &table.pair else { return Ok(()) };
        let parked = Parked { table, pair, step, empty, spare };
        match parked.are_free(moment).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(failure) if is_of_connection(failure.kind) => return Err(failure),
            // An index over an expression may not take every value.
            Err(failure) => {
                moment.forget();
                refused = Some(failure.message);
            }
        }
        plan.tables[step.table].spare_salt += 1;
    }
    let table = &plan.tables[step.table];
    let message =
        format!("table {}: rows exchange unique values, and there is no other value left", table.table);
    let failure = Failure::new(ErrorKind::Key, message).hint("let the column take NULL on the replica");
    Err(match refused {
        Some(refused) => failure.detail(refused),
        None => failure,
    })
}

/// Whether an error says nothing of values.
fn is_of_connection(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Interrupted
            | ErrorKind::Connect
            | ErrorKind::Timeout
            | ErrorKind::Permission
            | ErrorKind::Locked
    )
}

/// The rows of a step that are parked.
struct Parked<'a> {
    table: &'a TablePlan,
    pair: &'a TablePair,
    step: &'a RowStep,
    empty: &'a [u16],
    spare: &'a [u16],
}

impl Parked<'_> {
    async fn are_free(&self, moment: &mut Moment<'_>) -> Result<bool, Failure> {
        for column in self.spare {
            if !self.is_free(*column, moment).await? {
                return Ok(false);
            }
        }
        let indexes = self.table.structure.replica.iter().flat_map(|table| &table.unique_indexes);
        for index in indexes.filter(|index| index.untold.is_none()) {
            let names: Option<Vec<u16>> = index.columns.iter().map(|name| self.place(name)).collect();
            let Some(columns) =
                names.filter(|columns| self.spare.iter().any(|spare| columns.contains(spare)))
            else {
                continue;
            };
            if !self.are_told_apart(index, &columns, moment).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn place(&self, name: &str) -> Option<u16> {
        let names = self.pair.columns.iter().map(|column| &column.sides.replica.name);
        names.zip(0..).find_map(|(column, place)| column.eq_ignore_ascii_case(name).then_some(place))
    }

    /// Whether nobody has one of the values that a column is given.
    async fn is_free(&self, column: u16, moment: &mut Moment<'_>) -> Result<bool, Failure> {
        let part = self.pair.replica_part(usize::from(column));
        let mut taken: HashSet<Row> = HashSet::new();
        for piece in plan::pieces(&self.table.changes, self.step.changes.iter().copied(), CHUNK) {
            let mut keys = Vec::new();
            for (number, _) in piece? {
                let Some(bytes) = self.encoded(number, column) else { continue };
                if !taken.insert(Row::new(bytes.clone())) {
                    return Ok(false);
                }
                keys.push(Key::new(bytes));
            }
            if !self.nobody(vec![part.clone()], Selection::Keys(keys), moment).await? {
                return Ok(false);
            }
        }
        // Nor may a planned row take it.
        for planned in self.table.changes.iter() {
            let planned = planned?;
            if let RowChange::Insert { after } | RowChange::Update { after, .. } = &planned.change
                && taken.contains(&Row::new(fields_of(after, &[column])))
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether an index takes no two of the parked rows for one, nor one of them for a row that is there or planned.
    async fn are_told_apart(
        &self,
        index: &UniqueIndex,
        columns: &[u16],
        moment: &mut Moment<'_>,
    ) -> Result<bool, Failure> {
        let parts: Vec<SelectColumn> =
            columns.iter().map(|column| self.pair.replica_part(usize::from(*column))).collect();
        let mut taken: HashSet<String> = HashSet::new();
        for piece in plan::pieces(&self.table.changes, self.step.changes.iter().copied(), CHUNK) {
            let piece = piece?;
            let rows = piece.iter();
            let rows: Vec<Key> =
                rows.map(|(number, planned)| self.parked(*number, planned.change.row(), columns)).collect();
            for mark in self.marks(index, &parts, &rows, moment).await?.into_iter().flatten() {
                if !taken.insert(mark) {
                    return Ok(false);
                }
            }
            let selection = Selection::AlikeUnder(index.clone(), rows);
            if !self.nobody(parts.clone(), selection, moment).await? {
                return Ok(false);
            }
        }
        for piece in plan::pieces(&self.table.changes, 0..self.table.changes.len() as ChangeNumber, CHUNK) {
            let piece = piece?;
            let rows = piece.iter().filter_map(|(_, planned)| match &planned.change {
                RowChange::Insert { after } | RowChange::Update { after, .. } => {
                    Some(Key::new(fields_of(after, columns)))
                }
                RowChange::Delete { .. } => None,
            });
            let rows: Vec<Key> = rows.collect();
            let marks = self.marks(index, &parts, &rows, moment).await?;
            if marks.into_iter().flatten().any(|mark| taken.contains(&mark)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The fields of a row while it is parked.
    fn parked(&self, number: ChangeNumber, before: &Row, columns: &[u16]) -> Key {
        let fields: Vec<Option<&[u8]>> = before.fields().collect();
        let mut bytes = Vec::new();
        for column in columns {
            let own = fields.get(usize::from(*column)).copied().flatten();
            match (self.spare.contains(column), self.empty.contains(column), own) {
                (true, ..) => bytes.extend(self.encoded(number, *column).unwrap_or_default()),
                (_, false, Some(payload)) => put_field(&mut bytes, payload),
                _ => put_null(&mut bytes),
            }
        }
        Key::new(bytes)
    }

    /// What the index makes of each row.
    async fn marks(
        &self,
        index: &UniqueIndex,
        parts: &[SelectColumn],
        rows: &[Key],
        moment: &mut Moment<'_>,
    ) -> Result<Vec<Option<String>>, Failure> {
        let columns: Vec<_> = parts.iter().map(|part| part.column.clone()).collect();
        let dialect = moment.replica.dialect();
        let mut marks = Vec::with_capacity(rows.len());
        for rows in rows.chunks(ROWS_MAX) {
            let values = |row: &Key| -> Vec<Value> {
                parts
                    .iter()
                    .zip(fields(row.bytes()))
                    .map(|(part, field)| decode(&part.domain, field))
                    .collect()
            };
            let rows: Vec<Vec<Value>> = rows.iter().map(values).collect();
            let sql = dialect.index_marks(&self.pair.names.replica, index, &columns, &rows);
            let sql = sql.map_err(|why| self.unasked(&why.to_string()))?;
            let told = moment.begun().await?.ask(sql).await?;
            if told.len() != rows.len() {
                return Err(self.unasked("not all rows were answered for"));
            }
            marks.extend(told);
        }
        Ok(marks)
    }

    fn unasked(&self, why: &str) -> Failure {
        let message = format!("table {}: the replica could not be asked to compare values", self.table.table);
        Failure::new(ErrorKind::Internal, message).detail(why)
    }

    /// Whether no row of the replica is selected.
    async fn nobody(
        &self,
        columns: Vec<SelectColumn>,
        selection: Selection,
        moment: &mut Moment<'_>,
    ) -> Result<bool, Failure> {
        if matches!(&selection, Selection::Keys(keys) | Selection::AlikeUnder(_, keys) if keys.is_empty()) {
            return Ok(true);
        }
        let select = Select {
            table: self.pair.names.replica.clone(),
            key_columns: columns.len(),
            columns,
            scope: None,
            selection,
            ordered: false,
            locked: false,
        };
        let mut rows = moment.scan(select).await?;
        while let Some(block) = rows.next().await? {
            if !block.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The value that stands in; `None` where the pair's domain cannot say it, so that it cannot be asked for either.
    fn encoded(&self, number: ChangeNumber, column: u16) -> Option<Vec<u8>> {
        let value = plan::spare_value(self.pair, number, column, self.table.spares())?;
        let mut bytes = Vec::new();
        encode(&mut bytes, &self.pair.replica_part(usize::from(column)).domain, &value).ok()?;
        Some(bytes)
    }
}

/// Some fields of a row.
fn fields_of(row: &Row, columns: &[u16]) -> Vec<u8> {
    let fields: Vec<Option<&[u8]>> = row.fields().collect();
    let mut bytes = Vec::new();
    for column in columns {
        match fields.get(usize::from(*column)).copied().flatten() {
            Some(payload) => put_field(&mut bytes, payload),
            None => put_null(&mut bytes),
        }
    }
    bytes
}
