//! The names of hazards: why a change is made only when it is allowed by name (`allow:`, `--allow`).
//!
//! Owns the names alone. What has which hazard is said where the change is made.

/// Structural changes that take values with them.
pub const DELETES_DATA: &str = "DELETES_DATA";

/// Indexes that go: what they made fast becomes slow.
pub const INDEX_DROPPED: &str = "INDEX_DROPPED";

/// Constraints that go: rows that they would have refused are taken from then on.
pub const CONSTRAINT_DROPPED: &str = "CONSTRAINT_DROPPED";

/// A column's type that holds less than the one before.
pub const NARROWS_TYPE: &str = "NARROWS_TYPE";

/// Changes that keep everybody from a table for as long as all of its rows are written anew.
pub const ACQUIRES_ACCESS_EXCLUSIVE_LOCK: &str = "ACQUIRES_ACCESS_EXCLUSIVE_LOCK";

/// Deletes and updates that the replica itself would carry on to tables outside the plan, where nothing shows and nothing
/// guards the rows that go.
pub const CASCADES_OUTSIDE: &str = "CASCADES_OUTSIDE";

/// Rows that are deleted and inserted again, because they exchange unique values and their columns take nothing in
/// between: triggers see more than an update.
pub const REPLACES_ROWS: &str = "REPLACES_ROWS";

/// All there are, with what each is, for people.
pub const HAZARDS: &[(&str, &str)] = &[
    (
        ACQUIRES_ACCESS_EXCLUSIVE_LOCK,
        "structural changes that write all rows of a table anew, and keep everybody from it",
    ),
    (
        CASCADES_OUTSIDE,
        "deletes and updates that the replica's foreign keys carry on to tables outside the plan",
    ),
    (CONSTRAINT_DROPPED, "keys, checks and foreign keys that are dropped"),
    (DELETES_DATA, "structural changes that take values with them: dropped tables and columns"),
    (INDEX_DROPPED, "indexes that are dropped"),
    (NARROWS_TYPE, "columns whose type holds less than before"),
    (
        REPLACES_ROWS,
        "rows deleted and inserted again, because they exchange unique values and can do so in no other way",
    ),
];

/// The word that allows all of them.
pub const ALL_HAZARDS: &str = "all";
