//! Unique values that pass from one planned row to another, where only the replica can tell which are one: under
//! collations, in indexes over expressions and under conditions.
//!
//! Owns who gives a value up and who takes it; the plan's order is made of that. Refuses what nobody but a write can
//! tell (see [`Collisions`]). Invariant: of two rows that the replica's index would take for one, if both stood there
//! at once, the one that gives up is named before the one that takes.

use std::collections::HashMap;

use super::buckets::Half;
use super::collide::{Collisions, Rule, VALUES_MAX, Watched, values_of};
use crate::compare::{ChangeList, ChangeNumber, Handover, RowChange};
use crate::failure::Failure;
use crate::sql::UniqueIndex;
use crate::value::Key;

/// Rows with their values.
type Rows = Vec<(ChangeNumber, Key)>;

impl Collisions<'_> {
    /// All such values of a plan for one table.
    ///
    /// # Errors
    /// Whatever keeps the question from being answered; `Interrupted`.
    pub async fn handovers(&self, changes: &ChangeList) -> Result<Vec<Handover>, Failure> {
        let Some(replica) = self.structure.replica.as_ref().filter(|_| !changes.is_empty()) else {
            return Ok(Vec::new());
        };
        let mut handovers = Vec::new();
        for index in &replica.unique_indexes {
            let columns = index.columns.iter().map(|name| self.place(name)).collect::<Option<Vec<_>>>();
            let Some(columns) = columns.filter(|columns| index.untold.is_none() && !columns.is_empty())
            else {
                continue;
            };
            let watched = Watched { rule: Rule::Index(index), columns };
            let spoken_of: Vec<u16> = watched
                .columns
                .iter()
                .copied()
                .filter(|column| self.is_indexed(index, *column))
                .map(|at| at as u16)
                .collect();
            let all: Vec<u16> = watched.columns.iter().map(|at| *at as u16).collect();
            let columns = if spoken_of.is_empty() { all.clone() } else { spoken_of };
            let rows = self.handed_over(&watched, changes, true).await?;
            let empties = takes_null_for_none(index);
            handovers.push(Handover { columns, watched: all, empties, rows });
        }
        for key in &replica.keys {
            let columns = key.columns.iter().map(|name| self.place(name)).collect::<Option<Vec<_>>>();
            let Some(columns) = columns else { continue };
            let equates = |at: &usize| self.dialects.replica.equates(&self.pair.columns[*at].sides.replica);
            // Of the rows' own key it matters where rows point at it: what comes may else have to come first.
            let is_own = columns.iter().all(|at| *at < self.pair.key_columns);
            if !columns.iter().any(equates) || (is_own && self.pair.dependents.is_empty()) {
                continue;
            }
            let watched = Watched { rule: Rule::Key(key), columns };
            let rows = self.handed_over(&watched, changes, is_own).await?;
            let columns: Vec<u16> = watched.columns.iter().map(|at| *at as u16).collect();
            handovers.push(Handover { watched: columns.clone(), columns, empties: true, rows });
        }
        handovers.retain(|handover| !handover.rows.is_empty());
        Ok(handovers)
    }

    /// Whether a part of the index, and not its condition alone, speaks of the column.
    fn is_indexed(&self, index: &UniqueIndex, column: usize) -> bool {
        let name = self.pair.columns[column].sides.replica.name.to_lowercase();
        index.parts.iter().any(|part| part.sql.to_lowercase().contains(&name))
    }

    async fn handed_over(
        &self,
        watched: &Watched<'_>,
        changes: &ChangeList,
        always: bool,
    ) -> Result<Vec<(ChangeNumber, ChangeNumber)>, Failure> {
        let (given, taken) = moving(watched, changes, always)?;
        if given.is_empty() || taken.is_empty() {
            return Ok(Vec::new());
        }
        let givers: HashMap<Half, ChangeNumber> =
            self.marked(watched, &given).await?.into_iter().map(|(number, mark)| (mark, number)).collect();
        let takers = self.marked(watched, &taken).await?;
        let pairs = takers.into_iter().filter_map(|(taker, mark)| Some((*givers.get(&mark)?, taker)));
        Ok(pairs.filter(|(giver, taker)| giver != taker).collect())
    }

    async fn marked(&self, watched: &Watched<'_>, rows: &Rows) -> Result<Vec<(ChangeNumber, Half)>, Failure> {
        let mut marked = Vec::with_capacity(rows.len());
        for rows in rows.chunks(VALUES_MAX) {
            self.go_on()?;
            let marks = self.marks(watched, rows.iter().map(|(_, values)| values)).await?;
            marked.extend(rows.iter().zip(marks).filter_map(|((number, _), mark)| Some((*number, mark?))));
        }
        Ok(marked)
    }
}

/// The rows that give values up, and those that take some; unless `always`, only where an update does either: that what
/// goes comes before what comes, the plan's order itself sees to.
fn moving(watched: &Watched<'_>, changes: &ChangeList, always: bool) -> Result<(Rows, Rows), Failure> {
    let (mut given, mut taken, mut updated) = (Rows::new(), Rows::new(), false);
    for (number, planned) in (0..).zip(changes.iter()) {
        let planned = planned?;
        if planned.withheld {
            continue;
        }
        let (before, after) = match &planned.change {
            RowChange::Insert { after } => (None, Some(after)),
            RowChange::Delete { before } => (Some(before), None),
            RowChange::Update { before, after, columns } => {
                if !watched.columns.iter().any(|column| columns.contains(&(*column as u16))) {
                    continue;
                }
                updated = true;
                (Some(before), Some(after))
            }
        };
        given.extend(before.and_then(|row| Some((number, values_of(watched, row.fields().collect())?))));
        taken.extend(after.and_then(|row| Some((number, values_of(watched, row.fields().collect())?))));
    }
    Ok(if updated || always { (given, taken) } else { (Rows::new(), Rows::new()) })
}

/// Whether a NULL in a column surely makes a row collide with none.
fn takes_null_for_none(index: &UniqueIndex) -> bool {
    let makes_up = ["coalesce", "ifnull", "nvl", "isnull", "concat", "case", "if(", " is ", "null"];
    let plain = |sql: &str| !makes_up.iter().any(|word| sql.to_lowercase().contains(word));
    !index.nulls_are_one && index.parts.iter().all(|part| plain(&part.sql))
}
