//! Records of 128 bits under as many, heaped by their first byte and set aside page by page.
//!
//! Owns how many there may be at once in memory: those of one heap. Refuses to know what they mean.

use crate::spool::{Page, Spool, SpoolError};

/// 128 bits of a digest.
pub(super) type Half = [u8; 16];

/// How many heaps of records there are; each is small enough to be sorted in memory.
const BUCKETS: usize = 32;
/// Records of one bucket are set aside in pages of this.
pub(super) const PAGE_BYTES: usize = 16 << 10;

/// Records under 128 bits, heaped by the first of them.
pub(super) struct Buckets {
    spool: Spool,
    buckets: Vec<(Vec<Page>, Vec<u8>)>,
}

impl Buckets {
    pub(super) fn new(spool: &Spool) -> Self {
        Buckets { spool: spool.clone(), buckets: vec![(Vec::new(), Vec::new()); BUCKETS] }
    }

    pub(super) fn push(&mut self, under: Half, record: Half) -> Result<(), SpoolError> {
        let (pages, open) = &mut self.buckets[usize::from(under[0]) % BUCKETS];
        open.extend_from_slice(&under);
        open.extend_from_slice(&record);
        if open.len() >= PAGE_BYTES {
            pages.push(self.spool.put(open)?);
            open.clear();
        }
        Ok(())
    }

    pub(super) fn bucket_of(&self, under: &Half) -> Result<Vec<(Half, Half)>, SpoolError> {
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

    pub(super) fn each(
        &self,
        mut look: impl FnMut(&[(Half, Half)]) -> Result<(), SpoolError>,
    ) -> Result<(), SpoolError> {
        (0..BUCKETS).try_for_each(|index| look(&self.bucket(index)?))
    }

    /// Each set of records under the same bits, the records in order and each once.
    pub(super) fn each_sorted(&self, mut look: impl FnMut(&[(Half, Half)])) -> Result<(), SpoolError> {
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
