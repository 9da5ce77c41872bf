//! What two databases of different engines make digests of: the text of each value, behind its length.
//!
//! A row is a mark of the run, and for each column `N` for NULL, or the length of the value's text in bytes of UTF-8,
//! a colon and the text; a text above [`VALUE_BYTES_MAX`] is `L` and the SHA-256 of it, so that no row is too long for
//! a server. That is injective. A range is the four 64-bit words of the SHA-256 of each of its rows, each word summed
//! over the rows modulo 2^64, and how many rows there are: no order is needed, which the engines do not have in common
//! in any function that takes many rows (`GROUP_CONCAT` cuts off what is too long). The sums are those of Bellare and
//! Micciancio, "A New Paradigm for Collision-Free Hashing" (1997). Who knows the hashes of many rows could look for
//! rows whose sums are the same; the mark, which is drawn for each run, keeps them unknown.
//!
//! Invariant: where both sides make the same of a column ([`DigestText`]), equal texts are one value of its domain.
//! Different ones need not be two: what differs is read.

/// A longer text of a value goes in by its SHA-256.
pub(crate) const VALUE_BYTES_MAX: usize = 512;

/// The words that are summed.
pub(crate) const WORDS: usize = 4;

/// The text of a column's values that goes into a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DigestText {
    /// Decimal digits behind a sign; of a truth value 1 or 0.
    Integer,
    /// The same with a fraction that does not end with zeros.
    Decimal,
    /// The same with as many digits of a fraction as the value has.
    ScaledDecimal,
    /// The shortest text that reads back as the double, as the MySQL family prints it.
    Double,
    /// Itself.
    Text,
    /// The text of a type that other engines lack.
    Native,
    /// Hex digits in lower case.
    Bytes,
    /// `YYYY-MM-DD`.
    Date,
    /// `HH:MM:SS`, and a fraction that does not end with zeros.
    Time,
    /// Date, blank and time; of a moment, in UTC.
    Stamp,
    /// 36 characters in lower case.
    Uuid,
}

impl DigestText {
    /// Its name: two columns are digested alike where these are the same.
    pub(crate) fn name(self) -> &'static str {
        match self {
            DigestText::Integer => "integer",
            DigestText::Decimal => "decimal",
            DigestText::ScaledDecimal => "decimal with its scale",
            DigestText::Double => "double",
            DigestText::Text => "text",
            DigestText::Native => "native",
            DigestText::Bytes => "bytes",
            DigestText::Date => "date",
            DigestText::Time => "time",
            DigestText::Stamp => "timestamp",
            DigestText::Uuid => "uuid",
        }
    }
}
