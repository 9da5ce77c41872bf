//! 6. The plan: what would change on each replica, and why it might be refused. Pure.
//!
//! The nouns are here; what is done with them has a file each: `order` (steps that break no constraint), `limits`
//! (why it may be refused), `inverse` (what takes it back), `file` (the saved form), `values` (what the replica
//! cannot hold), `write` (statements), `copies` (rows without a key), `summary` (sums and outcomes). Rows that wait for each
//! other have `links` (which for which), `equated` (what the replica says of their texts), `circles` (by what means they are
//! written), `spare` (values in between) and `weave` (the order itself).
//!
//! A [`Plan`] is also what `verify` produces; a [`ReplicaPlan`] whose outcome could not be told carries its
//! error and is never in sync.

mod batches;
mod circles;
mod copies;
mod drops;
mod equated;
pub mod file;
mod foresee;
mod inverse;
mod limits;
mod links;
mod order;
#[cfg(test)]
mod order_property;
mod reference;
mod renamed;
mod sequence;
mod spare;
mod step;
mod summary;
#[cfg(test)]
pub(crate) mod testing;
mod trigger;
mod values;
mod weave;
mod write;

pub use batches::{Batches, batches};
pub use copies::{
    EqualChanges, Progress, RowTally, equal_changes, equal_pieces, has_ambiguous, image, image_columns,
    image_parts, image_values, is_ambiguous, is_unique, row_columns, scope,
};
pub use drops::{drops, standing_in_the_way};
pub use equated::{Equated, Question, questions};
pub use foresee::foresee;
pub use inverse::inverse;
pub use limits::{LimitOverrides, refusals};
pub use order::{steps, steps_unless};
pub use reference::{Pointing, Reference, Unfollowed, leaving, leaving_copies, pointing};
pub use renamed::renames_and_others;
pub use sequence::{Course, set_sequence};
pub use spare::Spares;
pub use step::{Checks, InCircle, Part, RowAction, RowStep, Step};
pub use summary::{Changes, PlanSummary, worst};
pub use trigger::{event_of, firing, stirred};
pub use values::{check_values, unfilled_columns, unfilled_words};
pub use write::{
    ChunkLimits, NumberedChange, Write, address, address_columns, pieces, replica_columns, spare_value,
    statements, table_writes, writes, written_columns,
};

use serde::{Deserialize, Serialize};

pub use crate::compare::RowChange;
pub use crate::compare::{ChangeList, ChangeNumber, Handover, PlannedChange, RangeDrift};
use crate::compare::{ColumnCause, RowCounts};
use crate::failure::Failure;
pub use crate::schema::{Commit, Hazard, SchemaAction, SchemaChange, key_text, keys_text, row_text};
use crate::schema::{Renaming, Table, TablePair};
use crate::server::Server;
use crate::sides::Sides;
use crate::value::{Digest, DigestMethod};

/// What was found on the primary and on all replicas.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// What it was made from.
    pub kind: PlanKind,
    /// The spec's path as given.
    pub spec_path: String,
    /// The digest of the spec's parsed form without URLs and connection options.
    pub spec_fingerprint: String,
    /// Row changes of a replica in one transaction, by the spec.
    pub batch_rows: u64,
    /// When the run began.
    pub created_at: jiff::Timestamp,
    /// The primary.
    pub primary: Server,
    /// How the primary's one moment was held, for people.
    pub primary_snapshot: String,
    /// Why nothing of the primary could be looked at; then it is the error of every replica too.
    #[serde(default)]
    pub primary_error: Option<Failure>,
    /// One for each replica, in the spec's order.
    pub replicas: Vec<ReplicaPlan>,
}

/// What a plan was made from, and so what its rows are held against once they are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlanKind {
    /// From a comparison: it makes replicas equal to the primary.
    #[default]
    Changes,
    /// From another plan: it puts replicas back to what they were before that one. The primary has no say.
    Undo,
}

/// What one replica needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReplicaPlan {
    /// Its name in the spec.
    pub name: String,
    /// The server, unless it could not be reached.
    pub server: Option<Server>,
    /// How its one moment was held, for people.
    pub snapshot: String,
    /// The schemas in which the spec has unqualified names looked up; none is the server's own choice.
    pub search_path: Vec<String>,
    /// Its tables, in the spec's order.
    pub tables: Vec<TablePlan>,
    /// The tables and columns that get other names before anything else is done. All that stands in this plan has the
    /// new ones, but for [`before_renaming`](Self::before_renaming).
    #[serde(default)]
    pub renamings: Vec<Renaming>,
    /// Safety rules that forbid applying.
    pub refusals: Vec<Refusal>,
    /// What a person should know of it, once each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Why nothing of it could be looked at.
    pub error: Option<Failure>,
    /// Of a saved plan: why it is not for this replica as it is now.
    #[serde(skip)]
    pub stale: Option<Failure>,
}

/// What one table of a replica needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TablePlan {
    /// What was compared; absent when pairing failed.
    pub pair: Option<TablePair>,
    /// The table's name in output.
    pub table: String,
    /// The replica's name for it in output.
    pub replica_table: String,
    /// How it stands.
    pub status: Status,
    /// Rows in scope.
    pub rows: Sides<u64>,
    /// Digests over all rows in scope, comparable within this plan only.
    pub digest: Option<Sides<Digest>>,
    /// Who made them.
    #[serde(default)]
    pub digest_method: DigestMethod,
    /// Why the databases did not, where they should have; becomes one of the replica's notes.
    #[serde(skip)]
    pub not_digested: Option<String>,
    /// Structural changes, in execution order.
    pub schema_changes: Vec<SchemaChange>,
    /// Remaining ranges, merged where they touch.
    pub ranges: Vec<RangeDrift>,
    /// The tables as they were described, `None` where there is none: what the plan was made for.
    pub structure: Sides<Option<Table>>,
    /// Row changes in key order, withheld ones included. A saved plan holds them behind everything else.
    #[serde(skip)]
    pub changes: ChangeList,
    /// Unique values that pass from row to row, where only the replica could tell.
    #[serde(default)]
    pub handovers: Vec<Handover>,
    /// Texts that its foreign keys take for one, where only the replica could tell.
    #[serde(default)]
    pub equated: Vec<Equated>,
    /// What makes the values that rows have in between others, should somebody have them already.
    #[serde(default)]
    pub spare_salt: u32,
    /// The changes whose rows have such values, ascending.
    #[serde(default)]
    pub spare_rows: Vec<ChangeNumber>,
    /// The columns that its updates set.
    #[serde(default)]
    pub updated: Vec<u16>,
    /// How many rows are deleted and inserted again, for want of a gentler means.
    #[serde(default)]
    pub replaced: u64,
    /// Whether the primary has no table at all, and may be the wrong database; told of tables that would be dropped.
    #[serde(default)]
    pub bare_primary: bool,
    /// Rows to write.
    pub summary: RowCounts,
    /// Rows that differ and are not written.
    pub withheld: RowCounts,
    /// Rows whose differences the spec excuses.
    pub excused: u64,
    /// Why the differing values of columns differ, where they share a cause.
    pub causes: Vec<ColumnCause>,
    /// Whether looking stopped early (`--max-diffs`).
    pub truncated: bool,
    /// Why it could not be compared, or cannot be written.
    pub error: Option<Failure>,
    /// What else stands in the way of comparing it.
    #[serde(default)]
    pub further_errors: Vec<Failure>,
}

/// How a table stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// All rows and the structure equal.
    InSync,
    /// Something differs.
    Drift,
    /// The replica has no such table yet.
    Missing,
    /// Only the replica has the table, and the spec says that such are dropped. It is no pair, and has no rows to write.
    Extra,
    /// It could not be told.
    Error,
}

/// A safety rule that forbids applying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// `limits.deletes`, `limits.changes`, `empty_primary`, or a hazard's name.
    pub rule: String,
    /// The table, when the rule is about one.
    pub table: Option<String>,
    /// What is allowed.
    pub limit: String,
    /// What was found.
    pub found: String,
}

/// How a run ended for one replica. The words of JSON's `outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing differs.
    InSync,
    /// Something differs and was not (or not all) written.
    Drift,
    /// Written, committed, and equal afterwards (or not checked on request).
    Applied,
    /// A safety rule or the user said no; nothing was written.
    Refused,
    /// The replica no longer is what the plan was made from.
    Stale,
    /// Another trueup holds the replica's lock.
    Locked,
    /// Something could not be read, compared or written.
    Error,
    /// Stopped by a signal.
    Interrupted,
}

impl Outcome {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::InSync => "in_sync",
            Outcome::Drift => "drift",
            Outcome::Applied => "applied",
            Outcome::Refused => "refused",
            Outcome::Stale => "stale",
            Outcome::Locked => "locked",
            Outcome::Error => "error",
            Outcome::Interrupted => "interrupted",
        }
    }
}

/// What apply did to one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// How it ended.
    pub outcome: Outcome,
    /// Schema changes made.
    pub schema_changes: u64,
    /// Rows written.
    pub rows: RowCounts,
    /// Changes that were already there.
    pub already: u64,
    /// How many of these an earlier run wrote to rows that hold something else by now.
    pub rewritten: u64,
    /// Transactions committed, and of how many.
    pub batches: (u64, u64),
    /// Whether the answer to a commit was lost, so that nobody knows whether one more batch is in.
    pub commit_unknown: bool,
    /// Whether the rows written equal the primary: `None` when that was not looked at.
    pub verified: Option<bool>,
    /// Where that is not so, what differs still.
    pub remaining: Remaining,
    /// What went wrong.
    pub error: Option<Failure>,
}

/// What the check after an apply finds to differ still.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remaining {
    /// How many of the rows that were written.
    pub rows: u64,
    /// Tables, as in the spec, in which others do that a trigger may have written.
    pub stirred: Vec<String>,
}

impl Remaining {
    /// Whether nothing differs.
    pub fn is_none(&self) -> bool {
        self.rows == 0 && self.stirred.is_empty()
    }
}
