//! Encoded rows: one alone, and many back to back in key order.

use super::{Fields, fields};

/// One row in the canonical encoding: for each column a 32-bit big-endian length (−1 for NULL) and that
/// many payload bytes. Key columns come first.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Row(Box<[u8]>);

impl Row {
    /// Takes encoded bytes; the caller vouches for their form.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Row(bytes.into())
    }

    /// The encoded bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The payload of each column, `None` for NULL.
    pub fn fields(&self) -> Fields<'_> {
        fields(&self.0)
    }
}

/// Row values may be secret: a row never prints them.
impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Row({} bytes)", self.0.len())
    }
}

/// Encoded rows back to back, and where each one ends.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RowBlock {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl RowBlock {
    /// An empty block with room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Self {
        RowBlock { bytes: Vec::with_capacity(bytes), ends: Vec::new() }
    }

    /// The buffer to encode the next row into; [`close_row`](Self::close_row) ends that row.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Ends the row whose bytes were added to [`buffer`](Self::buffer).
    pub fn close_row(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Adds one encoded row.
    pub fn push(&mut self, row: &[u8]) {
        self.bytes.extend_from_slice(row);
        self.ends.push(self.bytes.len());
    }

    /// Adds rows `from..to` of another block.
    pub fn extend(&mut self, other: &RowBlock, from: usize, to: usize) {
        if from >= to {
            return;
        }
        let (start, base) = (other.start(from), self.bytes.len());
        self.bytes.extend_from_slice(&other.bytes[start..other.ends[to - 1]]);
        self.ends.extend(other.ends[from..to].iter().map(|end| end - start + base));
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Size of all rows in bytes.
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// Size of rows `from..to` in bytes.
    pub fn bytes_of(&self, from: usize, to: usize) -> usize {
        if from >= to { 0 } else { self.ends[to - 1] - self.start(from) }
    }

    /// All rows' bytes, back to back.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The encoded bytes of row `index`.
    pub fn row(&self, index: usize) -> &[u8] {
        &self.bytes[self.start(index)..self.ends[index]]
    }

    /// All rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        (0..self.len()).map(|index| self.row(index))
    }

    /// Forgets all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn start(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.ends[index - 1] }
    }
}

impl std::fmt::Debug for RowBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RowBlock({} rows, {} bytes)", self.len(), self.bytes.len())
    }
}
