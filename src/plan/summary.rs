//! What a plan amounts to: its sums, its outcome, and which of many outcomes speaks for a run.
//!
//! Small pure functions over the counts that the tables carry. Invariant: a table or replica that could not
//! be told is never in sync, whatever the others say.

use crate::compare::{CauseTally, ColumnCause, RowChange, RowCounts};
use crate::failure::{ErrorKind, Failure};
use crate::schema::{TablePair, takes_option};
use crate::sides::Sides;
use crate::spool::SpoolError;
use crate::sql::TableName;
use crate::value::{Row, decode};

use super::{
    Applied, ChangeList, Outcome, Plan, Remaining, ReplicaPlan, SchemaChange, Spares, Status, TablePlan,
};

/// Changes of structure and of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Structural changes.
    pub schema_changes: u64,
    /// Rows.
    pub rows: RowCounts,
}

impl Changes {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.schema_changes + self.rows.total()
    }
}

impl std::ops::AddAssign for Changes {
    fn add_assign(&mut self, other: Self) {
        self.schema_changes += other.schema_changes;
        self.rows += other.rows;
    }
}

impl std::iter::Sum for Changes {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Changes::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}

/// How many table pairs stand how, over all replicas, and what would be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanSummary {
    /// Table pairs looked at.
    pub tables: u64,
    /// Equal ones.
    pub in_sync: u64,
    /// Remaining ones, those that are missing on the replica included.
    pub drift: u64,
    /// Those that could not be told.
    pub error: u64,
    /// What would be written.
    pub changes: Changes,
}

/// Adds the values of an update that differ.
fn tally_causes(tally: &mut CauseTally, pair: &TablePair, change: &RowChange) {
    let RowChange::Update { before, after, columns } = change else { return };
    // Fields have to be passed over one by one: only as many columns as anyone wants to know of are decoded.
    let wanted = |column: &&u16| tally.wants(**column);
    let (wanted, counted): (Vec<&u16>, Vec<&u16>) = columns.iter().partition(wanted);
    counted.into_iter().for_each(|column| tally.count(*column));
    for column in wanted {
        let Some(domain) = pair.columns.get(usize::from(*column)).map(|column| &column.domain) else {
            continue;
        };
        let value = |row: &Row| decode(domain, row.fields().nth(usize::from(*column)).flatten());
        let values = Sides::new(value(after), value(before));
        tally.add(*column, Sides::new(&values.primary, &values.replica));
    }
}

/// Drops an option that the spec would not take for the column.
fn keep_fitting_option(cause: &mut ColumnCause, pair: &TablePair) {
    let domain = pair.columns.get(usize::from(cause.column)).map(|column| &column.domain);
    let name = |option: &String| option.split(':').next().map(str::to_owned).unwrap_or_default();
    cause.option =
        cause.option.take().filter(|option| domain.is_some_and(|domain| takes_option(domain, &name(option))));
}

impl TablePlan {
    /// A table of which nothing is known yet.
    pub fn unknown(table: impl Into<String>, replica_table: impl Into<String>) -> Self {
        TablePlan {
            pair: None,
            table: table.into(),
            replica_table: replica_table.into(),
            status: Status::Error,
            rows: Sides::default(),
            digest: None,
            digest_method: Default::default(),
            not_digested: None,
            schema_changes: Vec::new(),
            ranges: Vec::new(),
            handovers: Vec::new(),
            equated: Vec::new(),
            spare_salt: 0,
            spare_rows: Vec::new(),
            updated: Vec::new(),
            replaced: 0,
            bare_primary: false,
            structure: Sides::default(),
            changes: ChangeList::default(),
            summary: RowCounts::default(),
            withheld: RowCounts::default(),
            excused: 0,
            causes: Vec::new(),
            truncated: false,
            error: None,
            further_errors: Vec::new(),
        }
    }

    /// The replica's table, by the name that its catalog has.
    pub fn replica_name(&self) -> Option<&TableName> {
        let own = || self.structure.replica.as_ref().map(|table| &table.name);
        self.pair.as_ref().map(|pair| &pair.names.replica).or_else(own)
    }

    /// The values that rows have in between others.
    pub fn spares(&self) -> Spares<'_> {
        Spares { salt: self.spare_salt, rows: &self.spare_rows }
    }

    /// The same table with these row changes, counted, and with the causes that its updates share.
    ///
    /// # Errors
    /// Where the changes cannot be read.
    pub fn with_changes(mut self, changes: ChangeList) -> Result<Self, SpoolError> {
        let mut tally = CauseTally::default();
        for planned in changes.iter() {
            let planned = planned?;
            let counts = if planned.withheld { &mut self.withheld } else { &mut self.summary };
            counts.count(&planned.change);
            if let Some(pair) = &self.pair {
                tally_causes(&mut tally, pair, &planned.change);
            }
        }
        self.causes = tally.finish();
        if let Some(pair) = &self.pair {
            self.causes.iter_mut().for_each(|cause| keep_fitting_option(cause, pair));
        }
        self.changes = changes;
        Ok(self)
    }

    /// The same table, as one that could not be told or cannot be written.
    pub fn failed(mut self, failure: Failure) -> Self {
        self.fail(failure);
        self
    }

    /// Puts it in error: it could not be told or cannot be written.
    pub fn fail(&mut self, failure: Failure) {
        self.status = Status::Error;
        self.error = Some(failure);
    }

    /// The same table, as one that cannot be compared for all of these (at least one).
    pub fn failed_by(self, problems: Vec<Failure>) -> Self {
        let mut problems = problems.into_iter();
        let first =
            problems.next().unwrap_or_else(|| Failure::new(ErrorKind::Internal, "it cannot be paired"));
        TablePlan { further_errors: problems.collect(), ..self.failed(first) }
    }

    /// All that stands in its way, the first one first.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.error.iter().chain(&self.further_errors)
    }

    /// Whether its rows were compared, so that what is wrong with it is that it cannot be written.
    pub fn was_compared(&self) -> bool {
        self.digest.is_some()
    }

    /// Whether the spec takes in all of it, as far as that is known.
    pub fn is_whole(&self) -> bool {
        self.pair.as_ref().is_none_or(TablePair::is_whole)
    }

    /// What would be written to it: nothing where it is in error.
    pub fn written(&self) -> Changes {
        if self.error.is_some() {
            return Changes::default();
        }
        Changes { schema_changes: schema_changes(&self.schema_changes, false), rows: self.summary }
    }

    /// What differs and the spec withholds.
    pub fn kept_back(&self) -> Changes {
        Changes { schema_changes: schema_changes(&self.schema_changes, true), rows: self.withheld }
    }

    /// Whether its rows were counted: not where it is in error, nor where the spec says to report a missing
    /// table and no more.
    pub fn counted(&self) -> bool {
        self.status != Status::Error && (self.status != Status::Missing || self.digest.is_some())
    }

    /// The status that its contents ask for: error before missing before drift.
    pub fn status_found(&self) -> Status {
        let missing = self.pair.as_ref().is_some_and(|pair| pair.replica_missing);
        let differs = self.truncated || self.written().total() + self.kept_back().total() > 0;
        match (self.error.is_some(), missing, differs) {
            (true, ..) => Status::Error,
            (false, true, _) => Status::Missing,
            (false, false, true) => Status::Drift,
            (false, false, false) => Status::InSync,
        }
    }
}

fn schema_changes(changes: &[SchemaChange], withheld: bool) -> u64 {
    changes.iter().filter(|change| change.withheld == withheld).count() as u64
}

impl ReplicaPlan {
    /// What would be written, withheld changes and tables in error left out.
    pub fn summary(&self) -> Changes {
        self.tables.iter().map(TablePlan::written).sum()
    }

    /// What differs and the spec withholds.
    pub fn withheld(&self) -> Changes {
        self.tables.iter().map(TablePlan::kept_back).sum()
    }

    /// Whether a table of it is in error, so that apply writes the others with `--partial` alone.
    pub fn has_failed_tables(&self) -> bool {
        self.tables.iter().any(|table| table.status == Status::Error)
    }

    /// Why it, or the first of its tables, could not be told.
    pub fn first_failure(&self) -> Option<&Failure> {
        self.error.as_ref().or_else(|| self.tables.iter().find_map(|table| table.error.as_ref()))
    }

    /// Its outcome for plan and verify: `error`, `drift` (also where apply would be refused) or `in_sync`.
    pub fn outcome(&self) -> Outcome {
        let has = |status: Status| self.tables.iter().any(|table| table.status == status);
        if self.error.is_some() || has(Status::Error) {
            Outcome::Error
        } else if has(Status::Drift) || has(Status::Missing) || has(Status::Extra) {
            Outcome::Drift
        } else {
            Outcome::InSync
        }
    }
}

impl Plan {
    /// Sums over all replicas.
    pub fn summary(&self) -> PlanSummary {
        let mut summary = PlanSummary::default();
        for table in self.replicas.iter().flat_map(|replica| &replica.tables) {
            summary.tables += 1;
            match table.status {
                Status::InSync => summary.in_sync += 1,
                Status::Drift | Status::Missing | Status::Extra => summary.drift += 1,
                Status::Error => summary.error += 1,
            }
            summary.changes += table.written();
        }
        summary
    }

    /// Whether every replica was looked at and equals the primary.
    pub fn in_sync(&self) -> bool {
        self.outcome() == Outcome::InSync
    }

    /// The outcome that speaks for all replicas.
    pub fn outcome(&self) -> Outcome {
        worst(self.replicas.iter().map(ReplicaPlan::outcome))
    }
}

impl Applied {
    /// An ending without any write.
    pub fn nothing(outcome: Outcome, error: Option<Failure>) -> Self {
        Applied {
            outcome,
            schema_changes: 0,
            rows: RowCounts::default(),
            already: 0,
            rewritten: 0,
            batches: (0, 0),
            commit_unknown: false,
            verified: None,
            remaining: Remaining::default(),
            error,
        }
    }
}

/// The outcome that decides how a run ends: the first that occurs of interrupted, error, locked, stale,
/// refused, drift. Of none at all: in sync.
pub fn worst(outcomes: impl IntoIterator<Item = Outcome>) -> Outcome {
    outcomes.into_iter().max_by_key(|outcome| gravity(*outcome)).unwrap_or(Outcome::InSync)
}

fn gravity(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::InSync => 0,
        Outcome::Applied => 1,
        Outcome::Drift => 2,
        Outcome::Refused => 3,
        Outcome::Stale => 4,
        Outcome::Locked => 5,
        Outcome::Error => 6,
        Outcome::Interrupted => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::ErrorKind;
    use crate::plan::testing::{table, with_tables};

    #[test]
    fn what_could_not_be_told_is_never_in_sync() {
        let mut plan = with_tables(vec![table("a")]);
        assert_eq!(plan.outcome(), Outcome::InSync);
        plan.error = Some(Failure::new(ErrorKind::Connect, "no connection"));
        assert_eq!(plan.outcome(), Outcome::Error);
        let broken = table("b").failed(Failure::new(ErrorKind::Type, "no domain"));
        assert_eq!(with_tables(vec![table("a"), broken]).outcome(), Outcome::Error);
    }

    #[test]
    fn a_look_that_stopped_early_is_drift() {
        let mut cut = table("a");
        cut.truncated = true;
        assert_eq!(cut.status_found(), Status::Drift);
    }

    #[test]
    fn a_table_in_error_writes_nothing() {
        let mut broken = table("a");
        broken.summary.insert = 3;
        broken.error = Some(Failure::new(ErrorKind::Value, "too long"));
        assert_eq!(with_tables(vec![broken]).summary(), Changes::default());
    }

    #[test]
    fn the_gravest_outcome_speaks() {
        assert_eq!(worst([Outcome::Drift, Outcome::Locked, Outcome::Stale]), Outcome::Locked);
        assert_eq!(worst([Outcome::Applied, Outcome::InSync]), Outcome::Applied);
        assert_eq!(worst([]), Outcome::InSync);
    }
}
