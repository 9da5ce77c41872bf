//! blake3 digests of encoded rows.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Domain;

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
