//! The row changes of one table, however many: written once in key order, read as a stream.
//!
//! Changes are encoded into pages of some tens of kilobytes, which a [`Spool`] keeps in memory or in a file; a
//! saved plan holds the same pages. Reading goes from the first to the last, or picks changes by their number: a
//! page is read when a change of it is wanted. Invariant: what is read is what was pushed, except that an
//! update's `after` differs from its `before` in the columns it sets and in no other.

use std::sync::Arc;

use crate::spool::{Page, Spool, SpoolError};
use crate::value::{Row, put_field, put_null};

use super::{CopyCount, CopyNumber, PlannedChange, RowChange};

/// A page is set aside at this size: small enough to be read for one change, large enough to be few.
const PAGE_BYTES: usize = 32 << 10;

/// The number of a change in its list, from 0 on.
pub type ChangeNumber = u32;

/// The changes of one table in key order. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct ChangeList {
    pages: Arc<[ListPage]>,
    len: ChangeNumber,
}

#[derive(Clone, Debug)]
struct ListPage {
    page: Page,
    /// The number of its first change.
    first: ChangeNumber,
}

impl ChangeList {
    /// How many changes.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All changes in order.
    pub fn iter(&self) -> impl Iterator<Item = Result<PlannedChange, SpoolError>> + use<> {
        self.pick(0..self.len).map(|picked| picked.map(|(_, change)| change))
    }

    /// The changes with these numbers, in the order of the numbers; cheap where that is ascending.
    pub fn pick<N>(&self, numbers: N) -> Picked<N::IntoIter>
    where
        N: IntoIterator<Item = ChangeNumber>,
    {
        Picked {
            list: self.clone(),
            numbers: numbers.into_iter(),
            page: usize::MAX,
            bytes: Vec::new(),
            starts: Vec::new(),
        }
    }

    /// The encoded changes, page by page, with the number of changes in each: what a saved plan holds.
    pub fn pages(&self) -> impl Iterator<Item = (&Page, ChangeNumber)> {
        let ends = self.pages.iter().skip(1).map(|page| page.first).chain([self.len]);
        self.pages.iter().zip(ends).map(|(page, end)| (&page.page, end - page.first))
    }

    /// A list of pages that [`pages`](Self::pages) gave, with the number of changes in each.
    ///
    /// # Errors
    /// Where there are more than can be numbered.
    pub fn of_pages(pages: impl IntoIterator<Item = (Page, ChangeNumber)>) -> Result<Self, SpoolError> {
        let (mut listed, mut len) = (Vec::new(), 0_u32);
        for (page, changes) in pages {
            listed.push(ListPage { page, first: len });
            len = len.checked_add(changes).ok_or(SpoolError::TooMany)?;
        }
        Ok(ChangeList { pages: listed.into(), len })
    }

    /// The first `changes` changes.
    ///
    /// # Errors
    /// Where they cannot be copied.
    pub fn head(&self, changes: ChangeNumber, spool: &Spool) -> Result<Self, SpoolError> {
        if changes >= self.len {
            return Ok(self.clone());
        }
        let mut writer = ChangeListWriter::new(spool);
        for picked in self.pick(0..changes) {
            writer.push(&picked?.1)?;
        }
        writer.finish()
    }

    /// Several lists, one behind the other.
    ///
    /// # Errors
    /// Where there are more changes than can be numbered.
    pub fn concat(lists: impl IntoIterator<Item = ChangeList>) -> Result<Self, SpoolError> {
        let lists: Vec<ChangeList> = lists.into_iter().collect();
        let pages = lists.iter().flat_map(ChangeList::pages);
        ChangeList::of_pages(pages.map(|(page, changes)| (page.clone(), changes)))
    }

    fn page_of(&self, number: ChangeNumber) -> usize {
        self.pages.partition_point(|page| page.first <= number).saturating_sub(1)
    }
}

/// Changes made by hand, kept in memory.
impl FromIterator<PlannedChange> for ChangeList {
    fn from_iter<I: IntoIterator<Item = PlannedChange>>(changes: I) -> Self {
        let spool = Spool::in_memory();
        let mut writer = ChangeListWriter::new(&spool);
        for change in changes {
            writer.push(&change).expect("memory takes what memory held");
        }
        writer.finish().expect("memory takes what memory held")
    }
}

/// Changes on their way out of a list, with their numbers.
#[derive(Debug)]
pub struct Picked<N> {
    list: ChangeList,
    numbers: N,
    /// Which page `bytes` holds.
    page: usize,
    bytes: Vec<u8>,
    /// Where each change of the page begins, and where the last one ends.
    starts: Vec<usize>,
}

impl<N: Iterator<Item = ChangeNumber>> Iterator for Picked<N> {
    type Item = Result<(ChangeNumber, PlannedChange), SpoolError>;

    fn next(&mut self) -> Option<Self::Item> {
        let number = self.numbers.next()?;
        Some(self.read(number).map(|change| (number, change)))
    }
}

impl<N> Picked<N> {
    fn read(&mut self, number: ChangeNumber) -> Result<PlannedChange, SpoolError> {
        let page = self.list.page_of(number);
        if page != self.page {
            self.load(page)?;
        }
        let first = self.list.pages.get(page).ok_or(SpoolError::Damaged)?.first;
        let index = (number - first) as usize;
        let (from, to) = (self.starts.get(index), self.starts.get(index + 1));
        let body = from.zip(to).and_then(|(from, to)| self.bytes.get(from + 8..*to));
        body.and_then(decoded).ok_or(SpoolError::Damaged)
    }

    fn load(&mut self, page: usize) -> Result<(), SpoolError> {
        self.list.pages.get(page).ok_or(SpoolError::Damaged)?.page.read(&mut self.bytes)?;
        self.page = page;
        self.starts.clear();
        let mut at = 0;
        while at < self.bytes.len() {
            self.starts.push(at);
            let length = self.bytes.get(at..at + 8).ok_or(SpoolError::Damaged)?;
            let length = u64::from_be_bytes(length.try_into().map_err(|_| SpoolError::Damaged)?);
            let length = usize::try_from(length).map_err(|_| SpoolError::Damaged)?;
            at = at.checked_add(8).and_then(|at| at.checked_add(length)).ok_or(SpoolError::Damaged)?;
        }
        self.starts.push(at);
        Ok(())
    }
}

/// Takes changes in key order.
#[derive(Debug)]
pub struct ChangeListWriter {
    spool: Spool,
    page: Vec<u8>,
    in_page: ChangeNumber,
    pages: Vec<(Page, ChangeNumber)>,
    len: usize,
}

impl ChangeListWriter {
    /// A writer of a list that this spool keeps.
    pub fn new(spool: &Spool) -> Self {
        ChangeListWriter { spool: spool.clone(), page: Vec::new(), in_page: 0, pages: Vec::new(), len: 0 }
    }

    /// How many changes were pushed.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was pushed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds the next change.
    ///
    /// # Errors
    /// Where it cannot be set aside.
    pub fn push(&mut self, change: &PlannedChange) -> Result<(), SpoolError> {
        let start = self.page.len();
        self.page.extend_from_slice(&[0; 8]);
        encode(&mut self.page, change);
        let length = (self.page.len() - start - 8) as u64;
        self.page[start..start + 8].copy_from_slice(&length.to_be_bytes());
        self.in_page += 1;
        self.len += 1;
        if self.page.len() >= PAGE_BYTES { self.close_page() } else { Ok(()) }
    }

    fn close_page(&mut self) -> Result<(), SpoolError> {
        if self.in_page > 0 {
            self.pages.push((self.spool.put(&self.page)?, self.in_page));
            self.page.clear();
            // A page of one huge row would otherwise keep its memory.
            self.page.shrink_to(2 * PAGE_BYTES);
            self.in_page = 0;
        }
        Ok(())
    }

    /// The list of all changes pushed.
    ///
    /// # Errors
    /// Where the last of them cannot be set aside.
    pub fn finish(mut self) -> Result<ChangeList, SpoolError> {
        self.close_page()?;
        ChangeList::of_pages(self.pages)
    }
}

const INSERT: u8 = 0;
const UPDATE: u8 = 1;
const DELETE: u8 = 2;
const ACTION: u8 = 3;
const WITHHELD: u8 = 4;
const EXTRA: u8 = 8;
const COPY: u8 = 16;
const STORED: u8 = 32;

/// Flags, for one of several copies its numbers, the row that carries the key, for an update the columns it sets and
/// their values, for a delete the columns out of scope, and how the replica spells what tells the row. Whatever has a length begins with it.
fn encode(out: &mut Vec<u8>, planned: &PlannedChange) {
    let action = match &planned.change {
        RowChange::Insert { .. } => INSERT,
        RowChange::Update { .. } => UPDATE,
        RowChange::Delete { .. } => DELETE,
    };
    let extra = if planned.extra.is_some() { EXTRA } else { 0 };
    let copy = if planned.copy.is_some() { COPY } else { 0 };
    let stored = if planned.stored.is_some() { STORED } else { 0 };
    out.push(action | extra | copy | stored | if planned.withheld { WITHHELD } else { 0 });
    for CopyCount { there, number, of } in planned.copy.into_iter().flat_map(|copy| [copy.image, copy.row]) {
        [there, number, of].into_iter().for_each(|count| out.extend_from_slice(&count.to_be_bytes()));
    }
    put_bytes(out, planned.change.row().bytes());
    if let RowChange::Update { after, columns, .. } = &planned.change {
        out.extend_from_slice(&(columns.len() as u32).to_be_bytes());
        columns.iter().for_each(|column| out.extend_from_slice(&column.to_be_bytes()));
        for (index, field) in after.fields().enumerate() {
            if columns.iter().any(|column| usize::from(*column) == index) {
                put_optional(out, field);
            }
        }
    }
    for row in [&planned.extra, &planned.stored].into_iter().flatten() {
        put_bytes(out, row.bytes());
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn put_optional(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        Some(bytes) => put_field(out, bytes),
        None => put_null(out),
    }
}

/// `None` where the bytes are not what [`encode`] writes.
fn decoded(mut bytes: &[u8]) -> Option<PlannedChange> {
    let input = &mut bytes;
    let flags = take(input, 1)?[0];
    let copy = if flags & COPY == 0 { None } else { Some(take_copy(input)?) };
    let row = take_row(input)?;
    let change = match flags & ACTION {
        INSERT => RowChange::Insert { after: row },
        DELETE => RowChange::Delete { before: row },
        UPDATE => {
            let count = u32::from_be_bytes(take(input, 4)?.try_into().ok()?) as usize;
            let columns: Vec<u16> = take(input, count.checked_mul(2)?)?
                .chunks_exact(2)
                .map(|column| u16::from_be_bytes([column[0], column[1]]))
                .collect();
            let after = patched(&row, &columns, input)?;
            RowChange::Update { before: row, after, columns }
        }
        _ => return None,
    };
    let extra = if flags & EXTRA == 0 { None } else { Some(take_row(input)?) };
    let stored = if flags & STORED == 0 { None } else { Some(take_row(input)?) };
    input.is_empty().then_some(PlannedChange { change, withheld: flags & WITHHELD != 0, extra, stored, copy })
}

fn take_copy(input: &mut &[u8]) -> Option<CopyNumber> {
    let mut number = || Some(u64::from_be_bytes(take(input, 8)?.try_into().ok()?));
    let mut count = || Some(CopyCount { there: number()?, number: number()?, of: number()? });
    Some(CopyNumber { image: count()?, row: count()? })
}

/// The row with the values of these columns, taken from the input, in place of its own.
fn patched(row: &Row, columns: &[u16], input: &mut &[u8]) -> Option<Row> {
    let mut after = Vec::with_capacity(row.bytes().len() + input.len());
    for (index, field) in row.fields().enumerate() {
        match columns.iter().any(|column| usize::from(*column) == index) {
            true => put_optional(&mut after, take_field(input)?),
            false => put_optional(&mut after, field),
        }
    }
    Some(Row::new(after))
}

fn take<'a>(input: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(taken)
}

fn take_bytes<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u64::from_be_bytes(take(input, 8)?.try_into().ok()?);
    take(input, usize::try_from(length).ok()?)
}

fn take_field<'a>(input: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = i32::from_be_bytes(take(input, 4)?.try_into().ok()?);
    if length == -1 { Some(None) } else { take(input, usize::try_from(length).ok()?).map(Some) }
}

/// An encoded row, looked through: reading the fields of anything else would be out of bounds.
fn take_row(input: &mut &[u8]) -> Option<Row> {
    let bytes = take_bytes(input)?;
    let mut rest = bytes;
    while !rest.is_empty() {
        take_field(&mut rest)?;
    }
    Some(Row::new(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(values: &[Option<Vec<u8>>]) -> Row {
        let mut bytes = Vec::new();
        values.iter().for_each(|value| put_optional(&mut bytes, value.as_deref()));
        Row::new(bytes)
    }

    fn any_row() -> impl Strategy<Value = Vec<Option<Vec<u8>>>> {
        let value = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40));
        proptest::collection::vec(value, 3)
    }

    prop_compose! {
        fn any_change()(
            before in any_row(),
            set in proptest::collection::btree_set(1_u16..3, 1..3),
            values in any_row(),
            action in 0..3,
            withheld in any::<bool>(),
            extra in proptest::option::of(any_row()),
            stored in proptest::option::of(any_row()),
            copy in proptest::option::of(any::<[[u64; 3]; 2]>()),
        ) -> PlannedChange {
            let mut after = before.clone();
            set.iter().for_each(|column| after[usize::from(*column)] = values[usize::from(*column)].clone());
            let change = match action {
                0 => RowChange::Insert { after: row(&before) },
                1 => RowChange::Update {
                    before: row(&before), after: row(&after), columns: set.into_iter().collect(),
                },
                _ => RowChange::Delete { before: row(&before) },
            };
            let count = |[there, number, of]: [u64; 3]| CopyCount { there, number, of };
            let copy = copy.map(|[image, row]| CopyNumber { image: count(image), row: count(row) });
            let (extra, stored) = (extra.map(|extra| row(&extra)), stored.map(|stored| row(&stored)));
            PlannedChange { change, withheld, extra, stored, copy }
        }
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            changes in proptest::collection::vec(any_change(), 0..2000),
            memory_bytes in 0..200_000_u64,
            picks in proptest::collection::vec(any::<proptest::sample::Index>(), 0..20),
        ) {
            let spool = Spool::new(memory_bytes);
            let mut writer = ChangeListWriter::new(&spool);
            for change in &changes {
                writer.push(change).expect("there is room");
            }
            let list = writer.finish().expect("there is room");
            let read: Vec<PlannedChange> = list.iter().map(|change| change.expect("it is there")).collect();
            prop_assert_eq!(&read, &changes);
            if !changes.is_empty() {
                let numbers: Vec<u32> = picks.iter().map(|pick| pick.index(changes.len()) as u32).collect();
                for picked in list.pick(numbers) {
                    let (number, change) = picked.expect("it is there");
                    prop_assert_eq!(&change, &changes[number as usize]);
                }
            }
            let twice = ChangeList::concat([list.clone(), list.clone()]).expect("few enough");
            prop_assert_eq!(twice.len(), 2 * changes.len());
            let second: Vec<PlannedChange> =
                twice.iter().skip(changes.len()).map(|change| change.expect("it is there")).collect();
            prop_assert_eq!(&second, &changes);
        }

        #[test]
        fn damage_is_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decoded(&bytes);
            let page = Spool::in_memory().put(&bytes).expect("memory");
            let list = ChangeList::of_pages([(page, 3)]).expect("few");
            for change in list.iter() {
                let _ = change;
            }
        }
    }
}
