//! blake3 digests of encoded rows.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Domain, RowBlock};

/// A 256-bit blake3 digest.
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

/// Digests rows in their order, or as a multiset: whatever order they come in, and each as often as it is there.
///
/// Of a multiset it is the sum of the rows' own digests modulo 2²⁵⁶ and their number (AdHash, Bellare and Micciancio
/// 1997), which no order and no pairing of rows changes.
#[derive(Clone)]
pub enum RowsHasher {
    /// In their order.
    InOrder(Box<BlockHasher>),
    /// In any.
    InAnyOrder {
        /// The sum, its lowest part first.
        sum: [u64; 4],
        /// How many rows.
        rows: u64,
    },
}

impl RowsHasher {
    /// Of no row yet.
    pub fn new(in_order: bool) -> Self {
        match in_order {
            true => RowsHasher::InOrder(Box::new(BlockHasher::new([]))),
            false => RowsHasher::InAnyOrder { sum: [0; 4], rows: 0 },
        }
    }

    /// Adds an encoded row.
    pub fn add(&mut self, row: &[u8]) {
        match self {
            RowsHasher::InOrder(hasher) => hasher.update(row),
            RowsHasher::InAnyOrder { sum, rows } => {
                *rows += 1;
                let digest = Digest::of(row);
                let (parts, _) = digest.bytes().as_chunks::<8>();
                let mut carry = 0;
                for (sum, part) in sum.iter_mut().zip(parts) {
                    let next = u128::from(*sum) + u128::from(u64::from_le_bytes(*part)) + carry;
                    // The lower half.
                    *sum = next as u64;
                    carry = next >> 64;
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
                let parts: Vec<u8> = sum.iter().chain([rows]).flat_map(|part| part.to_le_bytes()).collect();
                Digest::of(&parts)
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
