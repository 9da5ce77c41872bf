//! Changes of tables without a key: equal ones together, and the whole rows that they are about.
//!
//! A row is told from others by all that is compared and, where it goes or comes back as a whole, by what it holds
//! out of scope as well: its image. Which rows go is said by images; whether they may is also a matter of all rows
//! that are equal as compared ([`RowTally`]), for these are what the replica is to have so many of. Invariant: the
//! changes of one image stand for copies `first` to `first + len` of all that the plan has.

use std::collections::HashMap;

use crate::compare::{ChangeList, ChangeNumber, CopyCount, CopyNumber, PlannedChange, RowChange};
use crate::schema::TablePair;
use crate::spool::SpoolError;
use crate::sql::SelectColumn;
use crate::value::{Row, Value, put_field, put_null};

use super::TablePlan;
use super::write::{ChunkLimits, NumberedChange, written_columns};

/// Some of the equal changes of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EqualChanges {
    /// What each of them does.
    pub planned: PlannedChange,
    /// Their numbers, ascending.
    pub numbers: Vec<ChangeNumber>,
    /// The number of the first among all that are equal.
    first: u64,
}

/// Changes of a table without a key, equal ones put together, in the order of their first.
pub fn equal_changes(changes: impl IntoIterator<Item = NumberedChange>) -> Vec<EqualChanges> {
    let mut all: Vec<EqualChanges> = Vec::new();
    let mut known: HashMap<(Row, Option<Row>, Option<Row>), usize> = HashMap::new();
    for (number, planned) in changes {
        let image = (planned.change.row().clone(), planned.extra.clone(), planned.stored.clone());
        match known.get(&image) {
            Some(index) => all[*index].numbers.push(number),
            None => {
                known.insert(image, all.len());
                all.push(EqualChanges::new((number, planned)));
            }
        }
    }
    all
}

/// The changes with these numbers in pieces within the limits, those of one image together: copies count as bytes,
/// for all of them are read, and images as rows.
pub fn equal_pieces<N: IntoIterator<Item = ChangeNumber>>(
    changes: &ChangeList,
    numbers: N,
    limits: ChunkLimits,
) -> impl Iterator<Item = Result<Vec<EqualChanges>, SpoolError>> + use<N> {
    let mut picked = changes.pick(numbers);
    let mut waiting: Option<NumberedChange> = None;
    std::iter::from_fn(move || {
        let mut piece: Vec<EqualChanges> = waiting.take().map(EqualChanges::new).into_iter().collect();
        let mut bytes = 0;
        for numbered in picked.by_ref() {
            let (number, planned) = match numbered {
                Ok(numbered) => numbered,
                Err(error) => return Some(Err(error)),
            };
            bytes += planned.bytes_len();
            let full = piece.len() >= limits.rows_max || bytes > limits.bytes_max;
            match piece.last_mut() {
                Some(last) if last.planned.is_copy_of(&planned) => last.numbers.push(number),
                Some(_) if full => {
                    waiting = Some((number, planned));
                    break;
                }
                _ => piece.push(EqualChanges::new((number, planned))),
            }
        }
        (!piece.is_empty()).then_some(Ok(piece))
    })
}

/// How far equal changes have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// None of these is done.
    Before,
    /// All of these are done.
    After,
    /// The row is there neither as often as before nor as after.
    Other,
}

impl EqualChanges {
    fn new((number, planned): NumberedChange) -> Self {
        let first = planned.copy.map_or(0, |copy| copy.image.number);
        EqualChanges { planned, numbers: vec![number], first }
    }

    /// The first of these among all changes of rows that are equal as compared.
    pub fn among_rows(&self) -> CopyCount {
        self.planned.copy.map_or(CopyCount { there: 0, number: 0, of: 1 }, |copy| copy.row)
    }

    /// Whether rows may be equal to these as compared and yet have another image, which the plan knows.
    pub fn is_told_by_image(&self) -> bool {
        self.planned.extra.is_some() || self.planned.stored.is_some()
    }

    /// How many.
    pub fn len(&self) -> u64 {
        self.numbers.len() as u64
    }

    /// Whether there are none; never.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// How many copies are there when it is the turn of these changes; `done`: how many of them are done.
    pub fn copies(&self, done: u64) -> u64 {
        let done = self.first + done;
        let there = self.there();
        match self.planned.change {
            RowChange::Insert { .. } => there + done,
            _ => there.saturating_sub(done),
        }
    }

    /// How many copies the plan saw.
    pub fn there(&self) -> u64 {
        self.planned.copy.map_or(0, |copy| copy.image.there)
    }

    /// Whether all copies that the plan saw go with these changes.
    pub fn take_all(&self) -> bool {
        matches!(self.planned.change, RowChange::Delete { .. })
            && self
                .planned
                .copy
                .is_some_and(|CopyNumber { image, .. }| image.of == image.there && self.len() == image.of)
    }

    /// What the number of copies that are there says. `in_turn`: what comes before these changes is written.
    pub fn progress(&self, found: u64, in_turn: bool) -> Progress {
        let of = self.planned.copy.map_or(1, |copy| copy.image.of);
        match done(&self.planned.change, self.there(), found).filter(|done| *done <= of) {
            Some(done) if done >= self.first + self.len() => Progress::After,
            Some(done) if done == self.first || (done < self.first && !in_turn) => Progress::Before,
            _ => Progress::Other,
        }
    }
}

/// How many changes are done where so many copies were there and so many are now, if that can be.
fn done(change: &RowChange, there: u64, found: u64) -> Option<u64> {
    match change {
        RowChange::Insert { .. } => found.checked_sub(there),
        _ => there.checked_sub(found),
    }
}

/// Changes that follow each other and whose rows are equal as compared, each judged by its image: what all rows that
/// equal them must come to.
#[derive(Clone, Debug)]
pub struct RowTally {
    change: RowChange,
    /// The first of them, among all that the plan has.
    first: CopyCount,
    len: u64,
    done: u64,
}

impl RowTally {
    /// Of none yet; those to come begin with this one.
    pub fn beginning_with(equal: &EqualChanges) -> Self {
        RowTally { change: equal.planned.change.clone(), first: equal.among_rows(), len: 0, done: 0 }
    }

    /// Whether this one follows.
    pub fn goes_on_with(&self, equal: &EqualChanges) -> bool {
        self.change == equal.planned.change && equal.among_rows().number == self.first.number + self.len
    }

    /// Adds the one that follows.
    pub fn add(&mut self, equal: &EqualChanges, progress: Progress) {
        self.len += equal.len();
        if progress == Progress::After {
            self.done += equal.len();
        }
    }

    /// The rows.
    pub fn row(&self) -> &Row {
        self.change.row()
    }

    /// How many changes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has none; never once it is used.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many copies are there when it is the turn of these changes.
    pub fn copies(&self) -> u64 {
        match self.change {
            RowChange::Insert { .. } => self.first.there + self.first.number,
            _ => self.first.there.saturating_sub(self.first.number),
        }
    }

    /// Whether as many equal rows are there as the images say. `in_turn`: what comes before these changes is
    /// written, and where some of these are not yet, nothing behind them is.
    pub fn holds(&self, found: u64, in_turn: bool) -> bool {
        let others = done(&self.change, self.first.there, found).and_then(|done| done.checked_sub(self.done));
        let (before, behind) =
            (self.first.number, self.first.of.saturating_sub(self.first.number + self.len));
        others.is_some_and(|others| match (in_turn, self.done == self.len) {
            (true, false) => others == before,
            (true, true) => (before..=before + behind).contains(&others),
            (false, _) => others <= before + behind,
        })
    }
}

/// The columns that rows are compared by, and that the replica has once the plan's structure is made.
pub fn row_columns(pair: &TablePair) -> Vec<u16> {
    let mut columns = written_columns(pair);
    columns.retain(|column| usize::from(*column) < pair.compared_columns);
    columns
}

/// The columns that tell the row of a change from others, of [`TablePair::replica_part`].
pub fn image_columns(pair: &TablePair, planned: &PlannedChange) -> Vec<u16> {
    let mut columns = row_columns(pair);
    if planned.stored.is_some() {
        for column in &mut columns {
            // Engines allow far fewer than 65,536 columns.
            *column = pair.stored_index(usize::from(*column)).map_or(*column, |index| index as u16);
        }
    }
    if planned.extra.is_some() {
        columns.extend(pair.extra_indexes());
    }
    columns
}

/// These columns as they are selected.
pub fn image_parts(pair: &TablePair, columns: &[u16]) -> Vec<SelectColumn> {
    columns.iter().map(|index| pair.replica_part(usize::from(*index))).collect()
}

/// What a change has for each column of [`TablePair::replica_part`], as far as it is known.
fn fields_of<'a>(pair: &TablePair, planned: &'a PlannedChange) -> Vec<Option<&'a [u8]>> {
    let mut fields = planned.fields();
    if let Some(stored) = &planned.stored {
        fields.resize(pair.columns.len() + pair.replica_extra.len(), None);
        fields.extend(stored.fields());
    }
    fields
}

/// The image of a row, encoded.
pub fn image(pair: &TablePair, planned: &PlannedChange, columns: &[u16]) -> Row {
    let fields = fields_of(pair, planned);
    let mut image = Vec::with_capacity(planned.bytes_len());
    for index in columns {
        match fields.get(usize::from(*index)).copied().flatten() {
            Some(field) => put_field(&mut image, field),
            None => put_null(&mut image),
        }
    }
    Row::new(image)
}

/// The image of a row as values of the replica.
pub fn image_values(pair: &TablePair, planned: &PlannedChange, columns: &[u16]) -> Vec<Value> {
    let fields = fields_of(pair, planned);
    let value = |index: &u16| {
        let index = usize::from(*index);
        let field = fields.get(index).copied().flatten();
        match pair.columns.get(index) {
            Some(column) => column.replica_value(field),
            None => pair.written_value(index, field),
        }
    };
    columns.iter().map(value).collect()
}

/// The condition of rows in scope on the replica, if there is one.
pub fn scope(pair: &TablePair) -> Option<&str> {
    pair.scope.as_ref().map(|scope| scope.replica.as_str()).filter(|scope| !scope.is_empty())
}

/// Whether the replica itself lets no image be there twice.
pub fn is_unique(pair: &TablePair, columns: &[u16]) -> bool {
    let names: Vec<String> = image_parts(pair, columns).into_iter().map(|part| part.column.name).collect();
    pair.unique_keys.iter().any(|key| key.total && key.columns.iter().all(|column| names.contains(column)))
}

/// Whether it cannot be told which of several equal rows were meant: rows that came without values out of scope are
/// to go, and others are to stay that differ from them there, if anywhere.
pub fn is_ambiguous(pair: &TablePair, equal: &EqualChanges) -> bool {
    let whole = equal.planned.extra.is_some() || pair.extra_indexes().next().is_none();
    let all_go = equal.planned.copy.is_none_or(|copy| copy.image.of == copy.image.there);
    matches!(equal.planned.change, RowChange::Delete { .. }) && !whole && !all_go
}

/// Whether a plan's changes to a table have such rows: then it can be neither applied nor written as a script.
///
/// # Errors
/// Where the changes cannot be read.
pub fn has_ambiguous(table: &TablePlan) -> Result<bool, SpoolError> {
    let Some(pair) = table.pair.as_ref().filter(|pair| pair.is_keyless()) else { return Ok(false) };
    for planned in table.changes.iter() {
        if is_ambiguous(pair, &EqualChanges::new((0, planned?))) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::{delete, insert};

    fn changes(change: &RowChange, there: u64, of: u64, numbers: std::ops::Range<u64>) -> EqualChanges {
        let changes = numbers.map(|number| {
            let count = CopyCount { there, number, of };
            let copy = Some(CopyNumber { image: count, row: count });
            let planned =
                PlannedChange { change: change.clone(), withheld: false, extra: None, stored: None, copy };
            (number as ChangeNumber, planned)
        });
        let mut equal = equal_changes(changes);
        assert_eq!(equal.len(), 1);
        equal.remove(0)
    }

    #[test]
    fn only_the_counts_before_and_after_will_do() {
        let missing = changes(&insert(&[1, 1]), 2, 3, 0..3);
        let progress = |found| missing.progress(found, true);
        assert_eq!([0, 1, 2].map(progress), [Progress::Other, Progress::Other, Progress::Before]);
        assert_eq!(
            [3, 4, 5, 6].map(progress),
            [Progress::Other, Progress::Other, Progress::After, Progress::Other]
        );
        assert_eq!((missing.copies(0), missing.copies(3)), (2, 5));
        let extra = changes(&delete(&[1, 1]), 5, 3, 0..3);
        let progress = |found| extra.progress(found, true);
        assert_eq!(
            [5, 4, 2, 1, 6].map(progress),
            [Progress::Before, Progress::Other, Progress::After, Progress::Other, Progress::Other]
        );
        assert!(!extra.take_all());
        assert!(changes(&delete(&[1, 1]), 3, 3, 0..3).take_all());
    }

    #[test]
    fn copies_that_are_cut_into_batches_wait_for_their_turn() {
        let second = changes(&insert(&[1, 1]), 10, 6, 2..4);
        assert_eq!(second.progress(10, false), Progress::Before);
        assert_eq!(second.progress(10, true), Progress::Other);
        assert_eq!(second.progress(12, true), Progress::Before);
        assert_eq!(second.progress(13, true), Progress::Other);
        // A later batch of an earlier run is in.
        assert_eq!(
            [14, 16, 17].map(|found| second.progress(found, true)),
            [Progress::After, Progress::After, Progress::Other]
        );
        assert_eq!((second.copies(0), second.copies(2)), (12, 14));
    }

    /// Of five equal rows three go: two of one image, of which there are no more, and one of another.
    fn images(numbers: [std::ops::Range<u64>; 2]) -> Vec<EqualChanges> {
        let image = |(numbers, there, of, before): (std::ops::Range<u64>, u64, u64, u64)| {
            let changes = numbers.map(|number| {
                let image = CopyCount { there, number, of };
                let row = CopyCount { there: 5, number: before + number, of: 3 };
                let copy = Some(CopyNumber { image, row });
                let change = delete(&[1, 1]);
                let extra = Some(crate::plan::testing::row(&[before as i64]));
                (number as ChangeNumber, PlannedChange { change, withheld: false, extra, stored: None, copy })
            });
            equal_changes(changes)
        };
        let [first, second] = numbers;
        [image((first, 2, 2, 0)), image((second, 3, 1, 2))].concat()
    }

    /// What all of them come to where so many of each image are there, and so many equal rows.
    fn stale(images: &[EqualChanges], found: [u64; 2], rows: u64, in_turn: bool) -> bool {
        let mut tally = RowTally::beginning_with(&images[0]);
        let mut other = false;
        for (equal, found) in images.iter().zip(found) {
            assert!(tally.goes_on_with(equal));
            let progress = equal.progress(found, in_turn);
            other |= progress == Progress::Other;
            tally.add(equal, progress);
        }
        other || !tally.holds(rows, in_turn)
    }

    #[test]
    fn equal_rows_of_other_images_count_too() {
        let all = images([0..2, 0..1]);
        let stale = |found, rows| stale(&all, found, rows, true);
        assert!(!stale([2, 3], 5));
        // A row that nobody names is gone, or has come.
        assert!(stale([2, 3], 4) && stale([2, 3], 6));
        // All is done, and nothing else.
        assert!(!stale([0, 2], 2));
        assert!(stale([0, 2], 1) && stale([0, 2], 3));
        // Somebody deleted what one image was to lose.
        assert!(!stale([0, 3], 3) && !stale([2, 2], 4));
        assert!(stale([0, 3], 2) && stale([2, 2], 3));
    }

    #[test]
    fn equal_rows_that_are_cut_into_batches_wait_for_their_turn() {
        let [first, second] = [images([0..1, 0..0]), images([1..2, 0..1])];
        let (before, under_lock) = (false, true);
        // Nothing is done.
        assert!(!stale(&first, [2, 0], 5, under_lock));
        assert!(!stale(&second, [2, 3], 5, before) && stale(&second, [2, 3], 5, under_lock));
        // The first batch is in, then both.
        assert!(!stale(&first, [1, 0], 4, under_lock) && !stale(&second, [1, 3], 4, under_lock));
        assert!(!stale(&first, [0, 0], 2, under_lock) && !stale(&second, [0, 2], 2, under_lock));
        // One too few, at each of these moments.
        assert!(stale(&first, [2, 0], 4, under_lock) && stale(&second, [1, 3], 3, under_lock));
        assert!(stale(&first, [0, 0], 1, under_lock) && stale(&second, [0, 2], 1, before));
    }
}
