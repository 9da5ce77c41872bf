//! What is found out about the order of a plan when it is made, so that apply meets no surprise.
//!
//! Owns which tables cannot be written and how many rows have to go and come again. Refuses to ask the replica: that
//! is the conductor's. Invariant: a plan that went through here has an order, with its tables in error left out.

use super::order::{Part, Step, Unordered, ordered, updated_columns};
use super::trigger::fires_twice;
use super::{ReplicaPlan, TablePlan};
use crate::failure::Failure;

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
                    fail(&mut replica.tables[table], &no_means.failure);
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

fn fail(table: &mut TablePlan, failure: &Failure) {
    let failed = std::mem::replace(table, TablePlan::unknown("", "")).failed(failure.clone());
    *table = failed;
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
    let notes: Vec<String> = notes.collect();
    replica.notes.extend(notes);
}
