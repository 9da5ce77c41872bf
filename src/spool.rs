//! Bytes set aside: in memory while they are few, in a temporary file beyond. A noun.
//!
//! Whatever grows with the drift between two databases goes here, in pages that are written once and read
//! from anywhere. The file has no name (it goes with the process, also where that is killed) and is shared by all
//! pages of a run. Invariant: pages in memory stay below the spool's budget; what is kept beyond it costs
//! some bytes a page.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::failure::{ErrorKind, Failure};

/// Why bytes could not be set aside or read again.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The temporary file could not be made or written.
    #[error("could not set rows aside in a temporary file in {}: {error}", std::env::temp_dir().display())]
    Write {
        /// What the system said.
        error: io::Error,
    },
    /// A page could not be read.
    #[error("could not read rows that were set aside: {error}")]
    Read {
        /// What the system said.
        error: io::Error,
    },
    /// What was read is not what was written.
    #[error("rows that were set aside are damaged")]
    Damaged,
    /// More pieces than can be numbered.
    #[error("more than {} rows of one table differ", u32::MAX)]
    TooMany,
}

impl From<SpoolError> for Failure {
    fn from(error: SpoolError) -> Self {
        let failure = Failure::new(ErrorKind::Internal, error.to_string());
        match error {
            SpoolError::Write { .. } => failure.hint("set TMPDIR to a folder with more room"),
            SpoolError::TooMany => failure.hint("is it the right table? --max-diffs stops looking early"),
            SpoolError::Read { .. } | SpoolError::Damaged => failure,
        }
    }
}

impl From<SpoolError> for io::Error {
    fn from(error: SpoolError) -> Self {
        io::Error::other(error)
    }
}

/// Where the pages of one run are set aside. Clones share it.
#[derive(Clone, Debug)]
pub struct Spool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Bytes that may still be kept in memory.
    memory_left: AtomicU64,
    file: Mutex<Option<Written>>,
}

#[derive(Debug)]
struct Written {
    file: Arc<File>,
    end: u64,
}

impl Spool {
    /// A spool that keeps at most `memory_bytes` in memory.
    pub fn new(memory_bytes: u64) -> Self {
        Spool(Arc::new(Shared { memory_left: AtomicU64::new(memory_bytes), file: Mutex::default() }))
    }

    /// A spool without a file.
    pub fn in_memory() -> Self {
        Spool::new(u64::MAX)
    }

    /// Sets a page aside.
    ///
    /// # Errors
    /// Where the temporary file cannot be made or written.
    pub fn put(&self, bytes: &[u8]) -> Result<Page, SpoolError> {
        let length = bytes.len() as u64;
        let take = |left: u64| left.checked_sub(length);
        if self.0.memory_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
            let kept = Kept { bytes: bytes.into(), of: Arc::clone(&self.0) };
            return Ok(Page(Place::Memory(Arc::new(kept))));
        }
        self.append(bytes).map_err(|error| SpoolError::Write { error })
    }

    fn append(&self, bytes: &[u8]) -> io::Result<Page> {
        let mut written = self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = match &mut *written {
            Some(written) => written,
            none => none.insert(Written { file: Arc::new(tempfile::tempfile()?), end: 0 }),
        };
        let at = written.end;
        written.file.write_all_at(bytes, at)?;
        written.end += bytes.len() as u64;
        Ok(Page(Place::File { file: Arc::clone(&written.file), at, length: bytes.len() }))
    }
}

/// Bytes that were set aside.
#[derive(Clone, Debug)]
pub struct Page(Place);

#[derive(Clone, Debug)]
enum Place {
    Memory(Arc<Kept>),
    File { file: Arc<File>, at: u64, length: usize },
}

/// A page in memory, which gives its share of the budget back.
#[derive(Debug)]
struct Kept {
    bytes: Box<[u8]>,
    of: Arc<Shared>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.of.memory_left.fetch_add(self.bytes.len() as u64, Ordering::Relaxed);
    }
}

impl Page {
    /// How many bytes.
    pub fn len(&self) -> usize {
        match &self.0 {
            Place::Memory(kept) => kept.bytes.len(),
            Place::File { length, .. } => *length,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts the page's bytes in place of what `buffer` holds.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read(&self, buffer: &mut Vec<u8>) -> Result<(), SpoolError> {
        buffer.clear();
        match &self.0 {
            Place::Memory(kept) => buffer.extend_from_slice(&kept.bytes),
            Place::File { file, at, length } => {
                buffer.resize(*length, 0);
                file.read_exact_at(buffer, *at).map_err(|error| SpoolError::Read { error })?;
            }
        }
        Ok(())
    }
}

/// A file that was written before, and of which pages may be kept instead of their bytes.
#[derive(Clone, Debug)]
pub struct Stored {
    file: Arc<File>,
    length: u64,
}

impl Stored {
    /// Takes an open file.
    ///
    /// # Errors
    /// Where its length cannot be told.
    pub fn new(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Stored { file: Arc::new(file), length })
    }

    /// How many bytes.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Fills the buffer with the bytes from `at` on.
    ///
    /// # Errors
    /// Where there are not so many.
    pub fn read(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, at)
    }

    /// A page of it.
    pub fn page(&self, at: u64, length: usize) -> Page {
        Page(Place::File { file: Arc::clone(&self.file), at, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_beyond_the_budget_go_to_a_file_and_come_back() {
        let spool = Spool::new(10);
        let pages: Vec<Page> = [b"first".as_slice(), b"second", b"3"]
            .iter()
            .map(|bytes| spool.put(bytes).expect("there is room"))
            .collect();
        let in_memory = |page: &Page| matches!(page.0, Place::Memory(_));
        assert_eq!(pages.iter().map(in_memory).collect::<Vec<_>>(), [true, false, true]);
        let mut buffer = Vec::new();
        for (page, bytes) in pages.iter().zip([b"first".as_slice(), b"second", b"3"]) {
            page.read(&mut buffer).expect("it is there");
            assert_eq!(buffer, bytes);
        }
        drop(pages);
        assert_eq!(spool.0.memory_left.load(Ordering::Relaxed), 10);
    }
}
