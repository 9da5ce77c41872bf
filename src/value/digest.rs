//! Digests of encoded rows: blake3's, and what is kept of those that databases make.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Domain, RowBlock};

/// A digest of 256 bits: blake3's, but for those of a [`RangeDigest`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of one encoded row or any other bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Digest(*blake3::hash(bytes).as_bytes())
    }

    /// A digest read back from where it was stored.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Digest(bytes)
    }

    /// The 32 bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A digest that a database printed as 64 hex digits.
    pub fn from_hex(hex: &str) -> Option<Self> {
        blake3::Hash::from_hex(hex).ok().map(|hash| Digest(*hash.as_bytes()))
    }

    /// Lower-case hex, 64 characters.
    pub fn hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.hex())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hex = String::deserialize(deserializer)?;
        let hash = blake3::Hash::from_hex(hex).map_err(serde::de::Error::custom)?;
        Ok(Digest(*hash.as_bytes()))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digest({})", self.hex())
    }
}

/// By which digests the rows of two sides were held against each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DigestMethod {
    /// Those made here, of all rows.
    #[default]
    Blake3,
    /// Those that both databases made; only rows of ranges that differ were read.
    Database,
}

impl DigestMethod {
    /// The word in output.
    pub fn as_str(self) -> &'static str {
        match self {
            DigestMethod::Blake3 => "blake3",
            DigestMethod::Database => "database",
        }
    }
}

/// What a database made of the rows of a range: equal on both sides only where the rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeDigest {
    /// How many rows; one more than was asked for where there are more, of which the digest then says nothing.
    pub rows: u64,
    /// The digest of these rows, in the order of their keys.
    pub digest: Digest,
}

/// Hashes rows of one list of domains. The domains are part of what is hashed, so that the same bytes
/// under other types are another digest.
#[derive(Clone)]
pub struct BlockHasher(blake3::Hasher);

impl BlockHasher {
    /// A hasher for rows whose columns have these domains.
    pub fn new<'a>(domains: impl IntoIterator<Item = &'a Domain>) -> Self {
        let mut hasher = blake3::Hasher::new();
        let tags: Vec<u8> = domains.into_iter().flat_map(Domain::tag).collect();
        hasher.update(&(tags.len() as u64).to_be_bytes());
        hasher.update(&tags);
        BlockHasher(hasher)
    }

    /// Adds rows in key order.
    pub fn update(&mut self, rows: &[u8]) {
        self.0.update(rows);
    }

    /// The digest of everything added.
    pub fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

const LANES: usize = 1_024;

/// Digests rows in their order, or as a multiset: whatever order they come in, and each as often as it is there.
///
/// Of a multiset it is the digest of the rows' number and of the sum, lane by lane, of 1,024 numbers of 16 bits that
/// blake3 makes of each row (LtHash: Bellare and Micciancio 1997; these sizes: Lewi et al. 2019). A sum as narrow as a
/// digest would fall to the generalised birthday attack.
#[derive(Clone)]
pub enum RowsHasher {
    /// In their order.
    InOrder(Box<BlockHasher>),
    /// In any.
    InAnyOrder {
        /// The sum, lane by lane.
        sum: Box<[u16; LANES]>,
        /// How many rows.
        rows: u64,
    },
}

impl RowsHasher {
    /// Of no row yet.
    pub fn new(in_order: bool) -> Self {
        match in_order {
            true => RowsHasher::InOrder(Box::new(BlockHasher::new([]))),
            false => RowsHasher::InAnyOrder { sum: Box::new([0; LANES]), rows: 0 },
        }
    }

    /// Adds an encoded row.
    pub fn add(&mut self, row: &[u8]) {
        match self {
            RowsHasher::InOrder(hasher) => hasher.update(row),
            RowsHasher::InAnyOrder { sum, rows } => {
                *rows += 1;
                let mut lanes = [0_u8; 2 * LANES];
                blake3::Hasher::new().update(row).finalize_xof().fill(&mut lanes);
                let (lanes, _) = lanes.as_chunks::<2>();
                for (sum, lane) in sum.iter_mut().zip(lanes) {
                    *sum = sum.wrapping_add(u16::from_le_bytes(*lane));
                }
            }
        }
    }

    /// Adds a block of rows.
    pub fn add_block(&mut self, block: &RowBlock) {
        match self {
            RowsHasher::InOrder(hasher) => hasher.update(block.bytes()),
            RowsHasher::InAnyOrder { .. } => block.rows().for_each(|row| self.add(row)),
        }
    }

    /// The digest of all that was added.
    pub fn finish(&self) -> Digest {
        match self {
            RowsHasher::InOrder(hasher) => hasher.finish(),
            RowsHasher::InAnyOrder { sum, rows } => {
                let lanes = sum.iter().flat_map(|lane| lane.to_le_bytes());
                let whole: Vec<u8> = lanes.chain(rows.to_le_bytes()).collect();
                Digest::of(&whole)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(in_order: bool, rows: &[&str]) -> Digest {
        let mut hasher = RowsHasher::new(in_order);
        rows.iter().for_each(|row| hasher.add(row.as_bytes()));
        hasher.finish()
    }

    #[test]
    fn of_a_multiset_only_the_order_does_not_count() {
        let of = |rows: &[&str]| digest(false, rows);
        assert_eq!(of(&["a", "b", "a"]), of(&["a", "a", "b"]));
        for other in [&["a", "b"][..], &["a", "b", "b"], &["a", "b", "a", "a"], &["ab", "a"], &[]] {
            assert_ne!(of(&["a", "b", "a"]), of(other), "{other:?}");
        }
        assert_ne!(digest(true, &["a", "b"]), digest(true, &["b", "a"]));
    }
}
