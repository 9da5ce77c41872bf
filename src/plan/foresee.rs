//! What is found out about the order of a plan when it is made, so that apply meets no surprise.
//!
//! Owns which tables cannot be written and how many rows have to go and come again. Refuses to ask the replica: that
//! is the conductor's. Invariant: a plan that went through here has an order, with its tables in error left out.

use super::links::placed;
use super::order::{Unordered, ordered, updated_columns};
use super::step::{Part, Step};
use super::trigger::fires_twice;
use super::{ReplicaPlan, TablePlan};

/// Finds the order of a plan, and gives its steps; tables whose rows cannot be written in any are in error
/// afterwards, and of the others it is known how many rows are replaced. Where it is `stopped`, the replica's error says
/// so.
pub fn foresee(stopped: &dyn Fn() -> bool, replica: &mut ReplicaPlan) -> Vec<Step> {
    match updated_columns(replica) {
        Ok(updated) => {
            let tables = replica.tables.iter_mut().zip(updated);
            tables.for_each(|(table, updated)| table.updated = updated.into_iter().collect());
        }
        Err(error) => {
            replica.error.get_or_insert(error.into());
            return Vec::new();
        }
    }
    // Every round takes a table out.
    for _ in 0..=replica.tables.len() {
        match ordered(stopped, replica, u64::MAX) {
            Ok(steps) => {
                note_halves(replica, &steps);
                return steps;
            }
            Err(Unordered::NoMeans(no_means)) => {
                for table in no_means.tables {
                    replica.tables[table].fail(no_means.failure.clone());
                }
            }
            Err(Unordered::Failed(failure)) => {
                replica.error.get_or_insert(failure);
                return Vec::new();
            }
        }
    }
    Vec::new()
}

impl TablePlan {
    /// Whether NULL equals NULL in a unique key of the replica.
    pub(super) fn nulls_are_one(&self, key: &str) -> bool {
        let indexes = self.structure.replica.iter().flat_map(|table| &table.unique_indexes);
        indexes.into_iter().any(|index| index.nulls_are_one && index.name == key)
    }

    /// That rows may wait for each other where only writing them tells.
    fn unforeseen(&self) -> Option<String> {
        let pair = self.pair.as_ref().filter(|_| self.error.is_none())?;
        let rows = self.summary;
        let (given, taken) = (rows.delete + rows.update, rows.insert + rows.update);
        if rows.total() < 2 || given == 0 || taken == 0 {
            return None;
        }
        // What is generated may change with any column.
        let moves = |columns: &[String]| match placed(pair, columns) {
            Some(columns) => columns.iter().any(|column| self.updated.contains(column)),
            None => rows.update > 0,
        };
        let moves = |columns: &[String]| (rows.delete > 0 && rows.insert > 0) || moves(columns);
        let indexes = self.structure.replica.iter().flat_map(|table| &table.unique_indexes);
        let untold = indexes.filter(|index| index.untold.is_some() && moves(&index.columns));
        let generated = pair.unique_keys.iter().filter(|key| placed(pair, &key.columns).is_none());
        let generated = generated.filter(|key| moves(&key.columns));
        let mut names: Vec<&str> = untold.map(|index| index.name.as_str()).collect();
        names.extend(generated.map(|key| key.name.as_str()));
        names.dedup();
        (!names.is_empty()).then(|| {
            format!(
                "table {}: whether rows wait for each other in {} of the replica, which compares what only it computes, \
                 nothing but writing them can tell",
                self.table,
                names.join(", ")
            )
        })
    }
}

/// How many rows go and come again, which have another value in between, and whose triggers fire for both.
fn note_halves(replica: &mut ReplicaPlan, steps: &[Step]) {
    let mut twice = vec![0_u64; replica.tables.len()];
    for table in &mut replica.tables {
        table.replaced = 0;
        table.spare_rows.clear();
    }
    for step in steps {
        let Step::Rows(step) = step else { continue };
        let table = &mut replica.tables[step.table];
        if matches!(step.part, Part::Park { .. } | Part::Fill(_)) {
            twice[step.table] += step.changes.len() as u64;
        }
        match &step.part {
            Part::Return => table.replaced += step.changes.len() as u64,
            Part::Park { spare, .. } if !spare.is_empty() => table.spare_rows.extend(&step.changes),
            _ => {}
        }
    }
    replica.tables.iter_mut().for_each(|table| table.spare_rows.sort_unstable());
    let notes = replica.tables.iter().zip(twice).filter_map(|(table, rows)| fires_twice(table, rows));
    let mut notes: Vec<String> = notes.collect();
    notes.extend(replica.tables.iter().filter_map(TablePlan::unforeseen));
    replica.notes.extend(notes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::*;
    use crate::schema::{Table, UniqueKey};
    use crate::sql::{TableName, UniqueIndex};

    fn with_index(name: &str, nulls_are_one: bool, untold: Option<&str>) -> TablePlan {
        let changes = vec![update(&[1, 10], &[1, 20], &[1]), update(&[2, 20], &[2, 10], &[1])];
        let mut table = with_changes(with_unique(table("t"), "ref"), changes);
        table.structure.replica = Some(Table {
            name: TableName::plain("t"),
            columns: Vec::new(),
            keys: Vec::new(),
            unique_indexes: vec![UniqueIndex {
                name: name.to_owned(),
                parts: Vec::new(),
                condition: None,
                nulls_are_one,
                columns: vec!["ref".to_owned()],
                untold: untold.map(str::to_owned),
            }],
            foreign_keys: Vec::new(),
            checked: Vec::new(),
            sequences: Vec::new(),
            attachments: Vec::new(),
            stored: Default::default(),
            options: None,
            triggers: Vec::new(),
            layout: Default::default(),
            rows_estimate: None,
            hidden_rows: None,
        });
        table
    }

    fn parks(table: TablePlan) -> (Vec<Part>, Vec<String>) {
        let mut plan = with_tables(vec![table]);
        let steps = foresee(&|| false, &mut plan);
        let parts = steps.into_iter().filter_map(|step| match step {
            Step::Rows(step) if step.part.is_aside() => Some(step.part),
            _ => None,
        });
        (parts.collect(), plan.notes)
    }

    #[test]
    fn null_makes_no_room_where_it_equals_null() {
        let (parts, notes) = parks(with_index("unique_ref", true, None));
        assert_eq!(parts, [Part::Park { empty: vec![], spare: vec![1] }]);
        assert!(notes.is_empty());
        let (parts, _) = parks(with_index("unique_ref", false, None));
        assert_eq!(parts, [Part::Park { empty: vec![1], spare: vec![] }]);
    }

    #[test]
    fn what_only_writing_tells_is_said() {
        let (_, notes) = parks(with_index("apart", false, Some("it is an exclusion constraint")));
        let note = "table t: whether rows wait for each other in apart of the replica, which compares what only it \
                    computes, nothing but writing them can tell";
        assert_eq!(notes, [note]);
        let mut table = with_index("unique_ref", false, None);
        table.pair.as_mut().expect("paired").unique_keys.push(UniqueKey {
            name: "doubled".to_owned(),
            columns: vec!["twice".to_owned()],
            primary: false,
            total: false,
            deferrable: false,
        });
        assert_eq!(parks(table.clone()).1, [note.replace("apart", "doubled")]);
        // One row waits for nobody.
        let one = with_changes(table, vec![update(&[1, 10], &[1, 20], &[1])]);
        assert!(parks(one).1.is_empty());
    }
}
