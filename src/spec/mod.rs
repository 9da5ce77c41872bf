//! 1. YAML text → validated [`Spec`].
//!
//! Owns the spec's form: its keys, its defaults, its names and globs, its URLs and its `where` expressions.
//! Refuses to touch the world: the text and the environment are handed in, nothing is opened. The invariant:
//! a [`Spec`] that exists is valid as far as the file alone can tell, every default is filled in, and
//! everything a later stage may find wrong (a table, a column, a URL) still knows its [`Place`].

mod amounts;
mod canonical;
mod compare;
mod env;
mod error;
mod expression;
mod hazards;
mod model;
mod names;
mod parse;
mod read;
mod side;
mod table;
#[cfg(test)]
mod tests;
mod url;
mod url_parse;
mod yaml;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sql::expression::Expression;

pub use amounts::{AmountError, parse_duration, parse_size};
pub use error::{Located, Place, SpecError, SpecErrors, redact, redact_in_urls};
pub use hazards::{
    ACQUIRES_ACCESS_EXCLUSIVE_LOCK, ALL_HAZARDS, CASCADES_OUTSIDE, CONSTRAINT_DROPPED, DELETES_DATA, HAZARDS,
    INDEX_DROPPED, NARROWS_TYPE, REPLACES_ROWS,
};
pub use model::Model;
pub use names::{Glob, NameError, OWN_PREFIX, QualifiedName, TablePattern};
pub use read::did_you_mean;
pub use url::{EngineScheme, Secret, SideUrl, Tls, TlsMode};
pub use url_parse::UrlError;
pub use yaml::quote_scalar;

/// The declaration of what is to be equal, with all defaults filled in.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The path as the user gave it; errors begin with it.
    pub path: String,
    /// The side that is only read.
    pub primary: Side,
    /// The sides to be made equal, in the order of the file; at least one, names unique.
    pub replicas: Vec<ReplicaSpec>,
    /// What apply refuses to exceed.
    pub limits: Limits,
    /// The table entries in the order of the file; at least one.
    pub tables: Vec<TableEntry>,
    /// The hazards that are allowed in every run, by name.
    pub allow: Vec<String>,
    /// The types that columns of some types are created with, in the order of the file.
    pub cast: Vec<Cast>,
    /// Tables that no glob selects.
    pub skip_tables: Vec<Located<TablePattern>>,
    /// The file that says what the tables are to look like, as the spec names it; none: the primary does.
    pub schema_file: Option<Located<String>>,
    /// What stands in it, once its text was [given](Spec::with_model).
    pub model: Option<Model>,
    /// The database that it is loaded into; none: one that is made for it.
    pub scratch: Option<Side>,
    /// `apply.batch_rows`: changes in one transaction, at least 1.
    pub batch_rows: u64,
    /// The text, for quoting lines in later errors.
    source: Source,
}

impl Spec {
    /// An error of a later stage about something in the spec, with its line quoted.
    pub fn error_at(&self, place: Place, message: impl Into<String>) -> SpecError {
        SpecError::new(&self.path, &self.source.0, place, message)
    }

    /// The replica of that name.
    pub fn replica(&self, name: &str) -> Option<&ReplicaSpec> {
        self.replicas.iter().find(|replica| replica.name.value == name)
    }
}

/// The spec's text; its `Debug` stays silent, because the text may hold passwords.
#[derive(Clone)]
struct Source(String);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "… {} bytes", self.0.len())
    }
}

/// A named replica.
#[derive(Debug, Clone)]
pub struct ReplicaSpec {
    /// Its name in output and with `--replica`: letters, digits, `_`, `.`, `-`.
    pub name: Located<String>,
    /// How to reach it.
    pub side: Side,
}

/// How to reach a database and how to treat the connection.
#[derive(Debug, Clone)]
pub struct Side {
    /// Where it is.
    pub url: SideUrl,
    /// PostgreSQL: schemas to look in, the first one is the default schema. Empty: the server's own.
    pub search_path: Vec<Located<String>>,
    /// The most connections that may be opened, at least 1.
    pub connections: u32,
    /// The longest a statement may take; none: no limit of ours.
    pub statement_timeout: Option<Duration>,
    /// The longest to wait for a lock; none: the engine's own.
    pub lock_timeout: Option<Duration>,
    /// How one moment is held over several connections.
    pub snapshot: SnapshotMode,
    /// MySQL family replica: whether writes go to the binary log; none: the server's own.
    pub binlog: Option<bool>,
}

/// The default of [`Side::connections`].
pub const CONNECTIONS_DEFAULT: u32 = 4;
/// The default of [`Spec::batch_rows`].
pub const BATCH_ROWS_DEFAULT: u64 = 100_000;

/// `snapshot:` of a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SnapshotMode {
    /// What the engine gives without a global lock, else one connection alone.
    #[default]
    Auto,
    /// A global read lock for the moment the transactions begin.
    Lock,
    /// Each connection has its own moment.
    None,
}

/// `limits:`; none means no limit.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Rows to delete.
    pub deletes: Option<Located<Limit>>,
    /// Rows to insert, update and delete.
    pub changes: Option<Located<Limit>>,
}

/// A limit; refused when *more* than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Of a table's rows in scope on the replica before the run, in millionths (10% is 100,000), so that
    /// the comparison is exact: over the limit when `rows * 1_000_000 > of * millionths`.
    PerTable {
        /// Millionths of the whole.
        millionths: u32,
    },
    /// Rows of a replica over all tables.
    PerReplica {
        /// Rows.
        rows: u64,
    },
}

/// What the spec does with structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum SchemaMode {
    /// Part of the plan.
    #[default]
    Sync,
    /// Reported, never written.
    Check,
    /// Not looked at beyond what comparing needs.
    Ignore,
}

/// An item of `cast:` at top level.
#[derive(Debug, Clone)]
pub struct Cast {
    /// The primary's type; without numbers, whichever it has.
    pub from: Located<String>,
    /// The replica's.
    pub to: Located<String>,
}

/// `triggers:` of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum TriggerMode {
    /// The replica's triggers fire as for any other writer.
    #[default]
    Fire,
    /// They are kept from firing while rows of the table are written.
    Suppress,
}

/// One entry of `tables`, merged with `defaults`.
#[derive(Debug, Clone)]
pub struct TableEntry {
    /// The table or glob on the primary, with its place.
    pub table: Located<TablePattern>,
    /// The replica's name for it; none: the same table name. Never with a glob.
    pub to: Option<Located<QualifiedName>>,
    /// The key's columns (primary's names); none: the primary's own key. Never with a glob.
    pub key: Option<Vec<Located<String>>>,
    /// Only these columns (primary's names); none: all. Never with a glob.
    pub columns: Option<Vec<Located<String>>>,
    /// All but these columns.
    pub exclude_columns: Vec<Located<String>>,
    /// Whether `exclude_columns` comes from `defaults`, where a column that a table lacks is no error.
    pub exclude_from_defaults: bool,
    /// Primary's column and the replica's name for it. Never with a glob.
    pub rename: Vec<(Located<String>, Located<String>)>,
    /// Primary's column and the type that it is created with on a replica of another engine. Never with a glob.
    pub cast: Vec<(Located<String>, Located<String>)>,
    /// `where`: the rows in scope. Never with a glob.
    pub filter: Option<Located<Expression>>,
    /// `where` as it is written, for people.
    pub filter_text: Option<String>,
    /// What differences are excused, one entry a column.
    pub compare: Vec<CompareEntry>,
    /// What to do with structure.
    pub schema: SchemaMode,
    /// What the replica's table and its columns were called before. Never with a glob.
    pub renamed_from: Option<RenamedFrom>,
    /// Whether tables that match on the replica and not on the primary are dropped. Only with a glob.
    pub drop: bool,
    /// Whether structure is changed while others write to the table.
    pub online: bool,
    /// Whether the replica's triggers fire for what is written.
    pub triggers: TriggerMode,
    /// Whether missing rows are written (else withheld).
    pub insert: bool,
    /// Whether differing rows are written (else withheld).
    pub update: bool,
    /// Whether extra rows are deleted (else withheld).
    pub delete: bool,
}

/// `renamed_from:` of a table.
#[derive(Debug, Clone, Default)]
pub struct RenamedFrom {
    /// The old name of the replica's table, in the schema of the new one.
    pub table: Option<Located<String>>,
    /// The primary's column, and the old name of the replica's.
    pub columns: Vec<(Located<String>, Located<String>)>,
}

/// One column of `compare:`.
#[derive(Debug, Clone)]
pub struct CompareEntry {
    /// The primary's column.
    pub column: Located<String>,
    /// What is excused.
    pub rule: CompareRule,
    /// Whether it comes from `defaults`, where a column that a table lacks is no error.
    pub from_defaults: bool,
}

/// What is excused in a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompareRule {
    /// Never compared; still written when its row is inserted.
    Ignore,
    /// Compared, with these differences excused.
    Options(CompareOptions),
}

/// Differences to excuse; all that are given apply together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompareOptions {
    /// `|a - b| <= tolerance`, an exact decimal in plain notation (`0.005`), never negative.
    pub tolerance: Option<String>,
    /// The finest unit that counts.
    pub precision: Option<Precision>,
    /// The zone of the side that has none.
    pub zone: Option<Zone>,
    /// White space at both ends does not count.
    pub trim: bool,
    /// Upper and lower case do not count.
    pub ignore_case: bool,
}

/// `precision:` of a date-time, time or instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precision {
    /// Whole seconds.
    Seconds,
    /// 10⁻³ s.
    Milliseconds,
    /// 10⁻⁶ s.
    Microseconds,
}

/// A fixed offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Minutes east of UTC; 0 is `UTC`.
    pub offset_minutes: i32,
}
