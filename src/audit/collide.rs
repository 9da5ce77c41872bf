//! Values that the replica's unique keys would take for one: rows distinct on the primary (by case, accents,
//! padding), found before anything is written.
//!
//! Looked at are the rows that a plan inserts, or whose unique values it changes, against each other and against
//! the rows of the replica that stay as they are. What is equal under a unique key the replica itself says, in the
//! plan's own moment: it gives a mark for each value, and the rows that stand beside one. Marks are set aside
//! by their first byte, so that a plan of any size takes a few megabytes. Where the primary has the same unique
//! key, whose values are told apart no finer, nothing is asked.
//!
//! Of unique indexes over expressions or begins of columns, under conditions or collations of their own, the replica
//! evaluates all that over the values of the columns they speak of. What nothing but writing the rows can tell is
//! left to apply: indexes over columns that are out of scope or generated, exclusion constraints, and those that the
//! catalog's reader calls untold.
//!
//! Invariant: two rows of which the database would refuse one are a failure of the kind `key` that names both.

use std::collections::HashSet;

use super::buckets::{Buckets, Half};
use crate::compare::{ChangeList, ChangeNumber, PlannedChange, RowChange};
use crate::engine::Snapshot;
use crate::event::Stop;
use crate::failure::{ErrorKind, Failure};
use crate::schema::{ColumnPair, Table, TablePair, UniqueKey, key_text, row_text};
use crate::sides::Sides;
use crate::spool::{Spool, SpoolError};
use crate::sql::{Column, Dialect, Select, SelectColumn, Selection, UniqueIndex, Unwritable};
use crate::value::{
    Decimal, Digest, Domain, Key, Row, Value, decode, fields, named_values, put_field, put_null,
};

/// Values that are asked about in one go; a row of the answer has one column for each on some engines.
pub(super) const VALUES_MAX: usize = 500;
/// Bytes of them.
const VALUES_BYTES_MAX: usize = 128 << 10;

/// What a plan for one table is looked at with.
pub struct Collisions<'a> {
    /// The table pair.
    pub pair: &'a TablePair,
    /// The table as it is on both sides; where there is none on the replica, nothing can collide with its rows, and
    /// it is created with keys that tell apart what the primary does.
    pub structure: &'a Sides<Option<Table>>,
    /// Both engines.
    pub dialects: Sides<&'a dyn Dialect>,
    /// The replica's moment that the changes were found in.
    pub snapshot: &'a dyn Snapshot,
    /// Where marks are set aside.
    pub spool: &'a Spool,
    /// Heard between two questions.
    pub stop: &'a Stop,
}

/// A unique key of the replica that is looked at.
pub(super) struct Watched<'a> {
    pub(super) rule: Rule<'a>,
    /// The columns that it is over, or speaks of, by their index in the pair.
    pub(super) columns: Vec<usize>,
}

/// What says which rows are one.
#[derive(Clone, Copy)]
pub(super) enum Rule<'a> {
    /// Columns as they compare.
    Key(&'a UniqueKey),
    /// The replica, by what it evaluates.
    Index(&'a UniqueIndex),
}

impl Watched<'_> {
    /// `column a, b`, or `unique index i`.
    fn words(&self) -> String {
        match self.rule {
            Rule::Key(key) => format!("column {}", key.columns.join(", ")),
            Rule::Index(index) => format!("unique index {}", index.name),
        }
    }
}

/// A planned row and its values of a unique key.
struct Taker {
    number: ChangeNumber,
    values: Key,
}

/// Rows of the replica that stand where planned ones want to: their values of the key, and who they are.
struct Standing {
    values: Key,
    row_key: Key,
}

impl Collisions<'_> {
    /// Looks at all unique keys of the replica.
    ///
    /// # Errors
    /// Two rows that cannot both be there (kind `key`); whatever keeps the question from being answered;
    /// `Interrupted`.
    pub async fn check(&self, changes: &ChangeList) -> Result<(), Failure> {
        let Some(replica) = self.structure.replica.as_ref().filter(|_| !changes.is_empty()) else {
            return Ok(());
        };
        // Such a key is among the indexes too, and compares as they say.
        let plain = |key: &&UniqueKey| !replica.unique_indexes.iter().any(|index| index.name == key.name);
        let keys = replica.keys.iter().filter(plain).filter_map(|key| self.watched(key));
        let indexes = replica.unique_indexes.iter().filter_map(|index| self.watched_index(index));
        for watched in keys.chain(indexes) {
            self.check_key(&watched, changes).await?;
        }
        Ok(())
    }

    /// `None` for an index that the primary has too, or of which nobody but the replica can tell.
    fn watched_index<'k>(&self, index: &'k UniqueIndex) -> Option<Watched<'k>> {
        let columns: Vec<usize> = index.columns.iter().map(|name| self.place(name)).collect::<Option<_>>()?;
        let told = index.untold.is_none() && !columns.is_empty() && !self.primary_has(index, &columns);
        told.then_some(Watched { rule: Rule::Index(index), columns })
    }

    /// Whether the primary has the same index over the same columns, and the whole table is made equal.
    fn primary_has(&self, index: &UniqueIndex, columns: &[usize]) -> bool {
        let Some(primary) = self.structure.primary.as_ref().filter(|_| self.is_whole()) else { return false };
        let same = |index: &usize| {
            let ColumnPair { sides: Sides { primary, replica }, rule, .. } = &self.pair.columns[*index];
            rule.is_none()
                && primary.name == replica.name
                && primary.collation == replica.collation
                && primary.column_type == replica.column_type
        };
        let there = |other: &UniqueIndex| UniqueIndex { name: index.name.clone(), ..other.clone() } == *index;
        // Brands of a family print expressions each in its own way, and mean the same by the same text.
        self.dialects.primary.same_family(self.dialects.replica)
            && columns.iter().all(same)
            && primary.unique_indexes.iter().any(there)
    }

    fn is_whole(&self) -> bool {
        let pair = self.pair;
        pair.scope.is_none() && pair.writes.insert && pair.writes.update && pair.writes.delete
    }

    /// `None` for a key that no planned row can break, or that is not known: over columns that are out of scope.
    fn watched<'k>(&self, key: &'k UniqueKey) -> Option<Watched<'k>> {
        let columns: Vec<usize> = key.columns.iter().map(|name| self.place(name)).collect::<Option<_>>()?;
        let equates = |index: &usize| self.dialects.replica.equates(&self.pair.columns[*index].sides.replica);
        let is_pair_key = columns.len() == self.pair.key_columns
            && (0..self.pair.key_columns).all(|index| columns.contains(&index));
        // Rows that have the same key to the byte are one row; that is settled where they are compared.
        let harmless = is_pair_key && !columns.iter().any(equates);
        (!harmless && !self.primary_sees_to(&columns)).then_some(Watched { rule: Rule::Key(key), columns })
    }

    pub(super) fn place(&self, name: &str) -> Option<usize> {
        let find = |same: &dyn Fn(&str) -> bool| {
            let columns = self.pair.columns.iter();
            columns.map(|column| &column.sides.replica.name).position(|column| same(column))
        };
        let index =
            find(&|column| column == name).or_else(|| find(&|column| column.eq_ignore_ascii_case(name)))?;
        self.pair.columns[index].on_replica.then_some(index)
    }

    /// Whether the primary's own unique keys keep apart all that will be on the replica: the whole table is made
    /// equal, and a key over the same columns (or some of them) tells values apart as the replica's does.
    fn primary_sees_to(&self, columns: &[usize]) -> bool {
        let pair = self.pair;
        let Some(primary) = self.structure.primary.as_ref().filter(|_| self.is_whole()) else { return false };
        let same = |index: usize| {
            let column = &pair.columns[index];
            let Sides { primary, replica } = &column.sides;
            let alike = primary.collation == replica.collation
                && primary.column_type == replica.column_type
                && self.dialects.primary.same_family(self.dialects.replica);
            column.rule.is_none() && (alike || !self.dialects.replica.equates(replica))
        };
        let place = |name: &String| pair.columns.iter().position(|column| column.name() == name);
        let held = |key: &UniqueKey| {
            key.columns
                .iter()
                .all(|name| place(name).is_some_and(|index| columns.contains(&index) && same(index)))
        };
        primary.keys.iter().any(held)
    }

    async fn check_key(&self, watched: &Watched<'_>, changes: &ChangeList) -> Result<(), Failure> {
        let (mut taken, mut leaving) = (Buckets::new(self.spool), Buckets::new(self.spool));
        let mut standing = Buckets::new(self.spool);
        let (mut rest, mut number) = (changes.iter(), 0);
        loop {
            let takers = self.next_takers(watched, &mut rest, &mut number, &mut leaving)?;
            if takers.is_empty() {
                break;
            }
            let marks = self.marks(watched, takers.iter().map(|taker| &taker.values)).await?;
            for (taker, mark) in takers.iter().zip(marks) {
                mark.map_or(Ok(()), |mark| taken.push(mark, planned(taker.number)))?;
            }
            let found =
                self.standing(watched, takers.into_iter().map(|taker| taker.values).collect()).await?;
            let marks = self.marks(watched, found.iter().map(|row| &row.values)).await?;
            for (row, mark) in found.iter().zip(marks) {
                mark.map_or(Ok(()), |mark| standing.push(half(&row.row_key), mark))?;
            }
        }
        standing.each(|rows| {
            let Some((first, _)) = rows.first() else { return Ok(()) };
            let gone: HashSet<Half> = leaving.bucket_of(first)?.into_iter().map(|(row, _)| row).collect();
            let mut stay = rows.iter().filter(|(row, _)| !gone.contains(row));
            stay.try_for_each(|(row, mark)| taken.push(*mark, stays(*row)))
        })?;
        match first_collision(&taken)? {
            Some(collision) => Err(self.failure(watched, changes, collision).await?),
            None => Ok(()),
        }
    }

    pub(super) fn go_on(&self) -> Result<(), Failure> {
        match self.stop.requested() {
            true => {
                let message = "stopped before all unique values were looked at";
                Err(Failure::new(ErrorKind::Interrupted, message))
            }
            false => Ok(()),
        }
    }

    /// The next changes that take values of this key; rows that give theirs up are noted on the way.
    fn next_takers(
        &self,
        watched: &Watched<'_>,
        rest: &mut impl Iterator<Item = Result<PlannedChange, SpoolError>>,
        number: &mut ChangeNumber,
        leaving: &mut Buckets,
    ) -> Result<Vec<Taker>, Failure> {
        self.go_on()?;
        let (mut takers, mut bytes) = (Vec::new(), 0);
        while takers.len() < VALUES_MAX && bytes < VALUES_BYTES_MAX {
            let Some(planned) = rest.next().transpose()? else { break };
            let this = *number;
            *number += 1;
            if planned.withheld {
                continue;
            }
            let moves = |set: &[u16]| watched.columns.iter().any(|column| set.contains(&(*column as u16)));
            let after = match &planned.change {
                RowChange::Insert { after } => Some(after),
                RowChange::Update { after, columns, .. } if moves(columns) => Some(after),
                RowChange::Update { .. } => continue,
                RowChange::Delete { .. } => None,
            };
            if !matches!(planned.change, RowChange::Insert { .. }) {
                leaving.push(half(&self.identity(planned.change.row())), Half::default())?;
            }
            if let Some(values) = after.and_then(|row| values_of(watched, row.fields().collect())) {
                bytes += values.bytes().len();
                takers.push(Taker { number: this, values });
            }
        }
        Ok(takers)
    }

    /// The rows of the replica that have one of these values, as the replica compares them.
    async fn standing(&self, watched: &Watched<'_>, values: Vec<Key>) -> Result<Vec<Standing>, Failure> {
        let parts = |indexes: &mut dyn Iterator<Item = usize>| {
            indexes.map(|index| self.pair.replica_part(index)).collect::<Vec<SelectColumn>>()
        };
        let mut columns = parts(&mut watched.columns.iter().copied());
        let key_columns = columns.len();
        columns.extend(parts(&mut self.identity_columns().into_iter()));
        let select = Select {
            table: self.pair.names.replica.clone(),
            columns,
            key_columns,
            scope: None,
            selection: match watched.rule {
                Rule::Key(_) => Selection::Alike(values),
                Rule::Index(index) => Selection::AlikeUnder(index.clone(), values),
            },
            ordered: false,
            locked: false,
        };
        let mut stream = self.snapshot.scan(select).await?;
        let mut found = Vec::new();
        while let Some(block) = stream.next().await? {
            for row in block.rows() {
                let (mut values, mut row_key) = (Vec::new(), Vec::new());
                for (index, field) in fields(row).enumerate() {
                    let part = if index < key_columns { &mut values } else { &mut row_key };
                    match field {
                        Some(payload) => put_field(part, payload),
                        None => put_null(part),
                    }
                }
                found.push(Standing { values: Key::new(values), row_key: Key::new(row_key) });
            }
        }
        Ok(found)
    }

    /// What tells the rows of the replica apart: the pair's key, or where there is none all that is compared.
    fn identity_columns(&self) -> Vec<usize> {
        let columns = match self.pair.is_keyless() {
            true => 0..self.pair.compared_columns,
            false => 0..self.pair.key_columns,
        };
        columns.filter(|index| self.pair.columns[*index].on_replica).collect()
    }

    fn identity(&self, row: &Row) -> Key {
        let fields: Vec<Option<&[u8]>> = row.fields().collect();
        let mut identity = Vec::new();
        for index in self.identity_columns() {
            match fields[index] {
                Some(payload) => put_field(&mut identity, payload),
                None => put_null(&mut identity),
            }
        }
        Key::new(identity)
    }

    /// One mark for each of these values: equal where the unique key would take them for one. `None` for values that
    /// collide with none.
    pub(super) async fn marks<'v>(
        &self,
        watched: &Watched<'_>,
        rows: impl Iterator<Item = &'v Key>,
    ) -> Result<Vec<Option<Half>>, Failure> {
        let rows: Vec<&Key> = rows.collect();
        match watched.rule {
            Rule::Key(_) => self.key_marks(watched, rows).await,
            Rule::Index(index) => self.index_marks(watched, index, rows).await,
        }
    }

    async fn index_marks(
        &self,
        watched: &Watched<'_>,
        index: &UniqueIndex,
        rows: Vec<&Key>,
    ) -> Result<Vec<Option<Half>>, Failure> {
        let pairs: Vec<&ColumnPair> = watched.columns.iter().map(|at| &self.pair.columns[*at]).collect();
        let columns: Vec<Column> = pairs.iter().map(|pair| pair.sides.replica.clone()).collect();
        let value = |(pair, field): (&&ColumnPair, Option<&[u8]>)| decode(&pair.domain, field);
        let values = |row: &&Key| pairs.iter().zip(fields(row.bytes())).map(value).collect();
        let rows: Vec<Vec<Value>> = rows.iter().map(values).collect();
        let mut told = Vec::with_capacity(rows.len());
        for rows in rows.chunks(VALUES_MAX) {
            let table = &self.pair.names.replica;
            let sql = self.dialects.replica.index_marks(table, index, &columns, rows);
            told.extend(self.snapshot.ask(sql.map_err(|why| self.unasked(&why))?).await?);
        }
        if told.len() != rows.len() {
            return Err(incomplete());
        }
        let half = |told: Option<String>| told.map(|mark| first_half(&Digest::of(mark.as_bytes())));
        Ok(told.into_iter().map(half).collect())
    }

    /// What is equal under the collations of columns the replica says.
    async fn key_marks(&self, watched: &Watched<'_>, rows: Vec<&Key>) -> Result<Vec<Option<Half>>, Failure> {
        let mut marked: Vec<Vec<u8>> = vec![Vec::new(); rows.len()];
        for (at, index) in watched.columns.iter().enumerate() {
            let column = &self.pair.columns[*index];
            let on_replica = &column.sides.replica;
            let payload =
                |row: &&Key| fields(row.bytes()).nth(at).flatten().map(<[u8]>::to_vec).unwrap_or_default();
            let values: Vec<Value> =
                rows.iter().map(|row| decode(&column.domain, Some(&payload(row)))).map(bare).collect();
            let asked = |value: &&Value| {
                self.dialects.replica.equates(on_replica)
                    && matches!(value, Value::Text(_) | Value::Native(_))
            };
            let texts: Vec<&Value> = values.iter().filter(asked).collect();
            let mut told = Vec::new();
            for texts in texts.chunks(VALUES_MAX) {
                let sql = self.dialects.replica.equated(&self.pair.names.replica, on_replica, texts);
                told.extend(self.snapshot.ask(sql.map_err(|why| self.unasked(&why))?).await?);
            }
            if told.len() != texts.len() {
                return Err(incomplete());
            }
            let mut told = told.into_iter();
            for ((marked, value), row) in marked.iter_mut().zip(&values).zip(&rows) {
                let mark = match asked(&value) {
                    true => told.next().flatten().unwrap_or_default().into_bytes(),
                    false => plain(&column.domain, value, &payload(row)),
                };
                put_field(marked, &mark);
            }
        }
        Ok(marked.iter().map(|marked| Some(first_half(&Digest::of(marked)))).collect())
    }

    fn unasked(&self, why: &Unwritable) -> Failure {
        let message = format!("table {}: the replica could not be asked to compare values", self.pair.table);
        Failure::new(ErrorKind::Internal, message).detail(why.to_string())
    }

    async fn failure(
        &self,
        watched: &Watched<'_>,
        changes: &ChangeList,
        collision: Collision,
    ) -> Result<Failure, Failure> {
        let mut picked = Vec::new();
        for change in changes.pick(collision.planned.iter().copied()) {
            picked.push(change?.1);
        }
        let row = |planned: &PlannedChange| match &planned.change {
            RowChange::Insert { after } | RowChange::Update { after, .. } => after.clone(),
            RowChange::Delete { before } => before.clone(),
        };
        let mut keys: Vec<String> =
            picked.iter().map(|planned| key_text(self.pair, row(planned).bytes())).collect();
        let taken = picked.iter().filter_map(|planned| values_of(watched, row(planned).fields().collect()));
        let mut taken: Vec<String> = taken.map(|values| self.named(watched, &values)).collect();
        if let (Some(stays), Some(planned)) = (collision.stays, picked.first()) {
            let values = values_of(watched, row(planned).fields().collect());
            let found = self.standing(watched, values.into_iter().collect()).await?;
            let twin = found.iter().find(|found| half(&found.row_key)[..TAG] == stays[..TAG]);
            keys.extend(twin.map(|twin| key_text(self.pair, twin.row_key.bytes())));
            taken.extend(twin.map(|twin| self.named(watched, &twin.values)));
        }
        keys.retain(|key| !key.is_empty());
        let whose = match collision.stays {
            None => "two rows",
            Some(_) => "a row and of one that stays on the replica",
        };
        let message = format!(
            "table {}, {}: the replica's unique key takes the values of {whose} for one",
            self.pair.table,
            watched.words()
        );
        let mut failure = Failure::new(ErrorKind::Key, message).key(keys.join(" and "));
        if self.pair.is_keyless() {
            let rows: Vec<String> =
                picked.iter().map(|planned| row_text(self.pair, row(planned).bytes())).collect();
            failure = failure.detail(rows.join(" and "));
        } else if !self.is_key(watched) {
            failure = failure.detail(taken.join(" and "));
        }
        Ok(match watched.rule {
            Rule::Key(_) => failure.hint(
                "the replica's collation may tell less apart (case, accents, spaces at the end): change one of the \
                 rows, or let the replica's column compare as the primary's does",
            ),
            Rule::Index(index) => failure.hint(format!(
                "the replica's index is over {}; change one of the rows, or the index",
                definition(index)
            )),
        })
    }

    /// Whether the values are those of the pair's key, and so have been told by it.
    fn is_key(&self, watched: &Watched<'_>) -> bool {
        watched.columns.iter().all(|index| *index < self.pair.key_columns)
    }

    fn named(&self, watched: &Watched<'_>, values: &Key) -> String {
        let columns = watched.columns.iter().map(|index| &self.pair.columns[*index]);
        named_values(
            columns
                .zip(fields(values.bytes()))
                .map(|(column, field)| (column.name(), column.replica_value(field))),
        )
    }
}

/// A value of another storage class is that value.
fn bare(value: Value) -> Value {
    match value {
        Value::OtherStorage(inner) => bare(*inner),
        value => value,
    }
}

/// The values of a key, `None` where one is NULL: such a row collides with none. What NULLs mean to an index it says
/// itself.
pub(super) fn values_of(watched: &Watched<'_>, row: Vec<Option<&[u8]>>) -> Option<Key> {
    let mut bytes = Vec::new();
    for index in &watched.columns {
        match (row.get(*index).copied().flatten(), watched.rule) {
            (Some(payload), _) => put_field(&mut bytes, payload),
            (None, Rule::Index(_)) => put_null(&mut bytes),
            (None, Rule::Key(_)) => return None,
        }
    }
    Some(Key::new(bytes))
}

/// What an index is over, as the replica's own SQL has it.
fn definition(index: &UniqueIndex) -> String {
    let parts: Vec<&str> = index.parts.iter().map(|part| part.sql.as_str()).collect();
    let condition = index.condition.as_ref().map(|condition| format!(" where {condition}"));
    let nulls = if index.nulls_are_one { ", nulls not distinct" } else { "" };
    format!("{}{nulls}{}", parts.join(", "), condition.unwrap_or_default())
}

fn incomplete() -> Failure {
    Failure::new(ErrorKind::Internal, "the replica did not compare all values it was asked for")
}

/// The mark of a value that no collation speaks of: numbers by what they are worth, all else by its payload.
fn plain(domain: &Domain, value: &Value, payload: &[u8]) -> Vec<u8> {
    let number = match value {
        Value::Integer(value) => Some(value.to_string()),
        Value::Decimal(value) if value.is_finite() => Some(worth(value)),
        Value::Float64(value) if value.fract() == 0.0 && value.abs() < 9e15 => {
            Some((*value as i64).to_string())
        }
        Value::Float32(value) if *value == 0.0 => Some("0".to_owned()),
        _ => None,
    };
    match number {
        Some(number) => number.into_bytes(),
        None => [domain.name().as_bytes(), &[0], payload].concat(),
    }
}

fn worth(value: &Decimal) -> String {
    let trimmed = value.trimmed();
    match trimmed.as_str() {
        "-0" => "0".to_owned(),
        other => other.to_owned(),
    }
}

/// What a record keeps of a change's number: this, then the number.
const PLANNED: u8 = 0;
/// How much of a row's digest a record keeps.
const TAG: usize = 15;

fn first_half(digest: &Digest) -> Half {
    let mut half = Half::default();
    half.copy_from_slice(&digest.bytes()[..16]);
    half
}

fn half(key: &Key) -> Half {
    first_half(&Digest::of(key.bytes()))
}

/// The record of a planned row.
fn planned(number: ChangeNumber) -> Half {
    let mut record = Half::default();
    record[12..].copy_from_slice(&number.to_be_bytes());
    record[0] = PLANNED;
    record
}

/// The record of a row that stays: behind those of planned rows, and never one of them.
fn stays(row: Half) -> Half {
    let mut record = Half::default();
    record[0] = 1;
    record[1..].copy_from_slice(&row[..TAG]);
    record
}

/// Two rows that cannot both be there.
#[derive(Clone, Debug)]
struct Collision {
    /// One or two planned rows.
    planned: Vec<ChangeNumber>,
    /// The row that stays, by its digest.
    stays: Option<Half>,
}

/// The collision of the earliest change, if there is any.
fn first_collision(taken: &Buckets) -> Result<Option<Collision>, SpoolError> {
    let mut first: Option<Collision> = None;
    taken.each_sorted(|group| {
        let numbers = group.iter().filter(|(_, record)| record[0] == PLANNED);
        let mut planned = numbers.map(|(_, record)| number_of(record));
        let Some(number) = planned.next() else { return };
        let stays = group.iter().find(|(_, record)| record[0] != PLANNED).map(|(_, record)| row_of(record));
        let second = planned.next();
        if (second.is_none() && stays.is_none())
            || first.as_ref().is_some_and(|first| first.planned[0] < number)
        {
            return;
        }
        first = Some(match second {
            Some(second) => Collision { planned: vec![number, second], stays: None },
            None => Collision { planned: vec![number], stays },
        });
    })?;
    Ok(first)
}

fn number_of(record: &Half) -> ChangeNumber {
    ChangeNumber::from_be_bytes([record[12], record[13], record[14], record[15]])
}

fn row_of(record: &Half) -> Half {
    let mut row = Half::default();
    row[..TAG].copy_from_slice(&record[1..]);
    row
}

#[cfg(test)]
mod tests {
    use super::super::buckets::PAGE_BYTES;
    use super::*;

    fn mark(number: u32) -> Half {
        half(&Key::new(number.to_be_bytes()))
    }

    #[test]
    fn the_earliest_of_many_collisions_is_told() {
        // A page in memory at most: the rest goes to the file.
        let mut taken = Buckets::new(&Spool::new(PAGE_BYTES as u64));
        for number in 0..50_000 {
            taken.push(mark(number % 49_000), planned(number)).expect("there is room");
        }
        let found = first_collision(&taken).expect("it is there").expect("a thousand of them");
        assert_eq!((found.planned, found.stays), (vec![0, 49_000], None));
    }

    #[test]
    fn a_row_that_stays_collides_with_planned_ones_alone() {
        let mut taken = Buckets::new(&Spool::in_memory());
        taken.push(mark(1), stays(mark(100))).expect("memory");
        // Two lists of values may both have met it.
        taken.push(mark(1), stays(mark(100))).expect("memory");
        taken.push(mark(2), planned(7)).expect("memory");
        assert!(first_collision(&taken).expect("memory").is_none());
        taken.push(mark(1), planned(9)).expect("memory");
        let found = first_collision(&taken).expect("memory").expect("one");
        assert_eq!(found.planned, [9]);
        assert_eq!(found.stays.map(|row| row[..TAG].to_vec()), Some(mark(100)[..TAG].to_vec()));
    }

    #[test]
    fn numbers_are_held_by_what_they_are_worth() {
        let decimal = |text| Value::Decimal(Decimal::parse(text).expect("a number"));
        let domain = Domain::Decimal { with_scale: true };
        let mark = |value: Value| plain(&domain, &value, b"payload");
        assert_eq!(mark(decimal("1.00")), mark(decimal("1.0")));
        assert_eq!(mark(decimal("1.00")), mark(Value::Integer(1)));
        assert_eq!(mark(Value::Float64(-0.0)), mark(Value::Integer(0)));
        assert_ne!(mark(decimal("1.01")), mark(decimal("1.1")));
    }
}
