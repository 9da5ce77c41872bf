//! The steps that a plan is made of: structural changes, and row changes of one kind in one table, whole or in halves.
//!
//! Owns what a step says, and no order: [`order`](super::order) puts them in one, [`batches`](super::batches) cuts them
//! into transactions. Invariant: a step names changes by their numbers and holds no values.

use std::collections::BTreeSet;

use crate::compare::{ChangeNumber, RowChange};

/// What happens to rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowAction {
    /// Extra rows go.
    Delete,
    /// Differing rows get new values.
    Update,
    /// Missing rows come.
    Insert,
}

impl RowAction {
    /// The word in output.
    pub fn as_str(self) -> &'static str {
        match self {
            RowAction::Delete => "delete",
            RowAction::Update => "update",
            RowAction::Insert => "insert",
        }
    }

    /// What a change does.
    pub fn of(change: &RowChange) -> Self {
        match change {
            RowChange::Insert { .. } => RowAction::Insert,
            RowChange::Update { .. } => RowAction::Update,
            RowChange::Delete { .. } => RowAction::Delete,
        }
    }
}

/// One step of a plan. Indexes are those of [`ReplicaPlan::tables`](super::ReplicaPlan::tables) and of the table's changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A structural change.
    Schema {
        /// Index of the table.
        table: usize,
        /// Index into [`TablePlan::schema_changes`](super::TablePlan::schema_changes).
        change: usize,
    },
    /// A structural change that is committed before the rows by itself, for what it brings can be used only then, or
    /// for it [does not stand among others](crate::schema::Commit) or comes before such a one.
    SchemaFirst {
        /// Index of the table.
        table: usize,
        /// Index into [`TablePlan::schema_changes`](super::TablePlan::schema_changes).
        change: usize,
    },
    /// Row changes of one kind in one table.
    Rows(RowStep),
    /// A structural change that [comes after all rows](crate::schema::SchemaAction::comes_last).
    SchemaAfter {
        /// Index of the table.
        table: usize,
        /// Index into [`TablePlan::schema_changes`](super::TablePlan::schema_changes).
        change: usize,
    },
    /// One that comes after all rows and is committed by itself, for it [does not stand among others](crate::schema::Commit)
    /// or comes behind such a one.
    SchemaLast {
        /// Index of the table.
        table: usize,
        /// Index into [`TablePlan::schema_changes`](super::TablePlan::schema_changes).
        change: usize,
    },
}

/// Row changes of one kind in one table, in an order in which their statements may run one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowStep {
    /// Index of the table.
    pub table: usize,
    /// What happens.
    pub action: RowAction,
    /// Numbers of [`TablePlan::changes`](super::TablePlan::changes).
    pub changes: Vec<ChangeNumber>,
    /// Which half of it, of rows in a circle.
    pub part: Part,
    /// The circle that it belongs to.
    pub circle: Option<InCircle>,
}

impl RowStep {
    /// Changes that are written as they are.
    pub fn new(table: usize, action: RowAction, changes: Vec<ChangeNumber>) -> Self {
        RowStep { table, action, changes, part: Part::Whole, circle: None }
    }
}

/// What of its changes a step writes. Columns are those of [`TablePair::replica_part`](crate::schema::TablePair::replica_part), ascending.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The first half of an update that deletes the row and inserts it as it will be.
    Remove,
    /// The first half of an update or a delete: an UPDATE that makes room.
    Park {
        /// Columns that become NULL.
        empty: Vec<u16>,
        /// Columns that get a value that no row has.
        spare: Vec<u16>,
    },
    /// All of them; of rows that were parked, the second half.
    Whole,
    /// An insert that leaves NULL in some columns.
    Without(Vec<u16>),
    /// An update that leaves some columns as they are.
    Except(Vec<u16>),
    /// The second half of such an insert or update: an UPDATE of these columns.
    Fill(Vec<u16>),
    /// The second half of [`Remove`](Part::Remove): an INSERT.
    Return,
}

impl Part {
    /// Whether the changes are counted, guarded and read back with another step.
    pub fn is_aside(&self) -> bool {
        matches!(self, Part::Remove | Part::Park { .. } | Part::Fill(_))
    }

    /// The columns that a half of its own sets, ascending.
    pub(super) fn columns(&self) -> Vec<u16> {
        match self {
            Part::Park { empty, spare } => {
                let both: BTreeSet<u16> = empty.iter().chain(spare).copied().collect();
                both.into_iter().collect()
            }
            Part::Fill(columns) => columns.clone(),
            _ => Vec::new(),
        }
    }
}

/// The place of a step in a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InCircle {
    /// The number of the circle within the plan. All its steps follow each other, and belong into one transaction.
    pub number: u32,
    /// How constraints are looked at.
    pub checks: Checks,
    /// Whether those that can wait are looked at when the transaction ends, from the circle's first step on, whatever
    /// the means of this one.
    pub deferred: bool,
}

/// How the replica looks at constraints while a step of a circle is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Checks {
    /// With every statement.
    #[default]
    AtOnce,
    /// Those that can wait, at the end of the transaction.
    Deferred,
    /// With the statement that writes this step and all others of this number, which follow each other.
    Together(u32),
    /// Foreign keys are not looked at; the rows are checked before the transaction ends.
    Off,
}
