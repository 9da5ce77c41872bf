//! Values that the replica's unique keys would take for one: rows distinct on the primary (by case, accents,
//! padding), found before anything is written.
//!
//! Looked at are the rows that a plan inserts, or whose unique values it changes, against each other and against
//! the rows of the replica that stay as they are. What is equal under a unique key the replica itself says, in the
//! plan's own moment: it gives a mark for each value, and the rows that stand beside one. Marks are set aside
//! by their first byte, so that a plan of any size takes a few megabytes. Where the primary has the same unique
//! key, whose values are told apart no finer, nothing is asked.
//!
//! Invariant: two rows of which the database would refuse one are a failure of the kind `key` that names both.

use std::collections::HashSet;

use crate::compare::{ChangeList, ChangeNumber, PlannedChange, RowChange};
use crate::engine::Snapshot;
use crate::event::Stop;
use crate::failure::{ErrorKind, Failure};
use crate::schema::{Table, TablePair, UniqueKey, key_text, row_text};
use crate::sides::Sides;
use crate::spool::{Page, Spool, SpoolError};
use crate::sql::{Dialect, Select, SelectColumn, Selection, Unwritable};
use crate::value::{Decimal, Digest, Domain, Key, Row, Value, decode, fields, put_field, put_null};

/// Values that are asked about in one go; a row of the answer has one column for each on some engines.
const VALUES_MAX: usize = 500;
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
struct Watched<'a> {
    key: &'a UniqueKey,
    /// Its columns, by their index in the pair.
    columns: Vec<usize>,
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
        for key in &replica.keys {
            if let Some(watched) = self.watched(key) {
                self.check_key(&watched, changes).await?;
            }
        }
        Ok(())
    }

    /// `None` for a key that no planned row can break, or that is not known: over columns that are out of scope.
    fn watched<'k>(&self, key: &'k UniqueKey) -> Option<Watched<'k>> {
        let columns: Vec<usize> = key.columns.iter().map(|name| self.place(name)).collect::<Option<_>>()?;
        let equates = |index: &usize| self.dialects.replica.equates(&self.pair.columns[*index].sides.replica);
        let is_pair_key = columns.len() == self.pair.key_columns
            && (0..self.pair.key_columns).all(|index| columns.contains(&index));
        // Rows that have the same key to the byte are one row; that is settled where they are compared.
        let harmless = is_pair_key && !columns.iter().any(equates);
        (!harmless && !self.primary_sees_to(&columns)).then_some(Watched { key, columns })
    }

    fn place(&self, name: &str) -> Option<usize> {
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
        let whole = pair.scope.is_none() && pair.writes.insert && pair.writes.update && pair.writes.delete;
        let Some(primary) = self.structure.primary.as_ref().filter(|_| whole) else { return false };
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
                taken.push(mark, planned(taker.number))?;
            }
            let found =
                self.standing(watched, takers.into_iter().map(|taker| taker.values).collect()).await?;
            let marks = self.marks(watched, found.iter().map(|row| &row.values)).await?;
            for (row, mark) in found.iter().zip(marks) {
                standing.push(half(&row.row_key), mark)?;
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

    /// The next changes that take values of this key; rows that give theirs up are noted on the way.
    fn next_takers(
        &self,
        watched: &Watched<'_>,
        rest: &mut impl Iterator<Item = Result<PlannedChange, SpoolError>>,
        number: &mut ChangeNumber,
        leaving: &mut Buckets,
    ) -> Result<Vec<Taker>, Failure> {
        if self.stop.requested() {
            let message = "stopped before all unique values were looked at";
            return Err(Failure::new(ErrorKind::Interrupted, message));
        }
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
            selection: Selection::Alike(values),
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

    /// One mark for each of these values: equal where the unique key would take them for one.
    async fn marks<'v>(
        &self,
        watched: &Watched<'_>,
        rows: impl Iterator<Item = &'v Key>,
    ) -> Result<Vec<Half>, Failure> {
        let rows: Vec<&Key> = rows.collect();
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
                return Err(Failure::new(
                    ErrorKind::Internal,
                    "the replica did not compare all values it was asked for",
                ));
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
        Ok(marked.iter().map(|marked| first_half(&Digest::of(marked))).collect())
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
        if let (Some(stays), Some(planned)) = (collision.stays, picked.first()) {
            let values = values_of(watched, row(planned).fields().collect());
            let found = self.standing(watched, values.into_iter().collect()).await?;
            let twin = found.iter().find(|found| half(&found.row_key)[..TAG] == stays[..TAG]);
            keys.extend(twin.map(|twin| key_text(self.pair, twin.row_key.bytes())));
        }
        keys.retain(|key| !key.is_empty());
        let columns = watched.key.columns.join(", ");
        let whose = match collision.stays {
            None => "two rows",
            Some(_) => "a row and of one that stays on the replica",
        };
        let message = format!(
            "table {}, column {columns}: the replica's unique key takes the values of {whose} for one",
            self.pair.table
        );
        let mut failure = Failure::new(ErrorKind::Key, message).key(keys.join(" and "));
        if self.pair.is_keyless() {
            let rows: Vec<String> =
                picked.iter().map(|planned| row_text(self.pair, row(planned).bytes())).collect();
            failure = failure.detail(rows.join(" and "));
        }
        Ok(failure.hint(
            "the replica's collation may tell less apart (case, accents, spaces at the end): change one of the rows, \
             or let the replica's column compare as the primary's does",
        ))
    }
}

/// A value of another storage class is that value.
fn bare(value: Value) -> Value {
    match value {
        Value::OtherStorage(inner) => bare(*inner),
        value => value,
    }
}

/// The values of a key, `None` where one is NULL: such a row collides with none.
fn values_of(watched: &Watched<'_>, row: Vec<Option<&[u8]>>) -> Option<Key> {
    let mut bytes = Vec::new();
    for index in &watched.columns {
        put_field(&mut bytes, row.get(*index).copied().flatten()?);
    }
    Some(Key::new(bytes))
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

/// 128 bits of a digest.
type Half = [u8; 16];

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

/// How many heaps of records there are; each is small enough to be sorted in memory.
const BUCKETS: usize = 32;
/// Records of one bucket are set aside in pages of this.
const PAGE_BYTES: usize = 16 << 10;

/// Records under 128 bits, heaped by the first of them.
struct Buckets {
    spool: Spool,
    buckets: Vec<(Vec<Page>, Vec<u8>)>,
}

impl Buckets {
    fn new(spool: &Spool) -> Self {
        Buckets { spool: spool.clone(), buckets: vec![(Vec::new(), Vec::new()); BUCKETS] }
    }

    fn push(&mut self, under: Half, record: Half) -> Result<(), SpoolError> {
        let (pages, open) = &mut self.buckets[usize::from(under[0]) % BUCKETS];
        open.extend_from_slice(&under);
        open.extend_from_slice(&record);
        if open.len() >= PAGE_BYTES {
            pages.push(self.spool.put(open)?);
            open.clear();
        }
        Ok(())
    }

    fn bucket_of(&self, under: &Half) -> Result<Vec<(Half, Half)>, SpoolError> {
        self.bucket(usize::from(under[0]) % BUCKETS)
    }

    fn bucket(&self, index: usize) -> Result<Vec<(Half, Half)>, SpoolError> {
        let (pages, open) = &self.buckets[index];
        let (mut records, mut page) = (Vec::new(), Vec::new());
        for kept in pages {
            kept.read(&mut page)?;
            records.extend(split(&page));
        }
        records.extend(split(open));
        Ok(records)
    }

    fn each(
        &self,
        mut look: impl FnMut(&[(Half, Half)]) -> Result<(), SpoolError>,
    ) -> Result<(), SpoolError> {
        (0..BUCKETS).try_for_each(|index| look(&self.bucket(index)?))
    }

    /// Each set of records under the same bits, the records in order and each once.
    fn each_sorted(&self, mut look: impl FnMut(&[(Half, Half)])) -> Result<(), SpoolError> {
        for index in 0..BUCKETS {
            let mut records = self.bucket(index)?;
            records.sort_unstable();
            records.dedup();
            records.chunk_by(|one, other| one.0 == other.0).for_each(&mut look);
        }
        Ok(())
    }
}

fn split(bytes: &[u8]) -> impl Iterator<Item = (Half, Half)> {
    bytes.chunks_exact(32).map(|record| {
        let (mut under, mut kept) = (Half::default(), Half::default());
        under.copy_from_slice(&record[..16]);
        kept.copy_from_slice(&record[16..]);
        (under, kept)
    })
}

#[cfg(test)]
mod tests {
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
