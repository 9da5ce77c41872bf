//! Which tables of a plan the replica's triggers may write when it is applied: what only the check afterwards can
//! tell.
//!
//! Works on the text of triggers, so it errs on the side of looking. Invariant: a trigger that only changes the row it
//! fires for stirs nothing, for that row is read back anyway.

use std::collections::BTreeSet;

use crate::schema::TablePair;
use crate::spec::TriggerMode;
use crate::sql::{RowEvent, Trigger};

use super::{ReplicaPlan, RowAction, TablePlan};

/// What a trigger waits for when rows are written so.
pub fn event_of(action: RowAction) -> RowEvent {
    match action {
        RowAction::Insert => RowEvent::Insert,
        RowAction::Update => RowEvent::Update,
        RowAction::Delete => RowEvent::Delete,
    }
}

/// The triggers of a table that fire when such rows are written, unless the spec keeps them from it.
pub fn firing(table: &TablePlan, event: RowEvent) -> Vec<&Trigger> {
    let fires = table.pair.as_ref().is_some_and(|pair| pair.triggers == TriggerMode::Fire);
    let known = table.structure.replica.iter().filter(|_| fires).flat_map(|table| &table.triggers);
    known.filter(|trigger| trigger.fires_for(event)).collect()
}

/// That triggers fire twice for so many rows, which wait for others in a circle and are written in two halves.
pub(super) fn fires_twice(table: &TablePlan, rows: u64) -> Option<String> {
    let firing = firing(table, RowEvent::Update);
    if rows == 0 || firing.is_empty() {
        return None;
    }
    let names: Vec<&str> = firing.iter().map(|trigger| trigger.name.as_str()).collect();
    let (rows, are) = match rows {
        1 => ("1 row".to_owned(), "is"),
        rows => (format!("{rows} rows"), "are"),
    };
    Some(format!(
        "{rows} of table {} {are} written in two halves, for rows wait for each other in a circle, and what fires for \
         an update fires for both: {}",
        table.table,
        names.join(", ")
    ))
}

/// Indexes of the tables that triggers may write while this plan is applied.
pub fn stirred(replica: &ReplicaPlan) -> BTreeSet<usize> {
    let mut open: Vec<&Trigger> = Vec::new();
    for table in &replica.tables {
        let rows = table.written().rows;
        let events = [
            (rows.insert, RowEvent::Insert),
            (rows.update, RowEvent::Update),
            (rows.delete, RowEvent::Delete),
        ];
        for (_, event) in events.into_iter().filter(|(count, _)| *count > 0) {
            open.extend(firing(table, event));
        }
    }
    let mut stirred = BTreeSet::new();
    while let Some(trigger) = open.pop() {
        for (index, table) in replica.tables.iter().enumerate() {
            let Some(pair) = looked_at(table) else { continue };
            if !stirred.contains(&index) && trigger.may_write(&pair.names.replica.name) {
                stirred.insert(index);
                for event in [RowEvent::Insert, RowEvent::Update, RowEvent::Delete] {
                    open.extend(firing(table, event));
                }
            }
        }
    }
    stirred
}

/// A pair whose rows can be compared once the plan is applied.
fn looked_at(table: &TablePlan) -> Option<&TablePair> {
    table.pair.as_ref().filter(|_| table.error.is_none() && table.was_compared())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::*;
    use crate::schema::Table;
    use crate::sides::Sides;
    use crate::sql::TableName;
    use crate::value::Digest;

    fn triggered(name: &str, body: &str) -> TablePlan {
        let mut table = with_changes(table(name), vec![insert(&[1, 1])]);
        let trigger = Trigger {
            name: "tell".to_owned(),
            timing: "AFTER".to_owned(),
            events: vec![RowEvent::Insert],
            fires: true,
            body: body.to_owned(),
        };
        let digest = Digest::of(b"rows");
        table.digest = Some(Sides::new(digest, digest));
        table.structure.replica = Some(Table {
            name: TableName::plain(name),
            columns: Vec::new(),
            keys: Vec::new(),
            unique_indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checked: Vec::new(),
            sequences: Vec::new(),
            attachments: Vec::new(),
            stored: Default::default(),
            options: None,
            triggers: vec![trigger],
            layout: Default::default(),
            rows_estimate: None,
            hidden_rows: None,
        });
        table
    }

    #[test]
    fn what_fires_for_both_halves_of_a_row_is_said() {
        let plan = |event| {
            let mut table = with_unique(triggered("t", "SET NEW.ver = OLD.ver + 1"), "ref");
            table.structure.replica.as_mut().expect("there").triggers[0].events = vec![event];
            let changes = vec![update(&[1, 10], &[1, 20], &[1]), update(&[2, 20], &[2, 10], &[1])];
            let mut plan = with_tables(vec![with_changes(table, changes)]);
            crate::plan::foresee(&|| false, &mut plan);
            plan
        };
        let note = "1 row of table t is written in two halves, for rows wait for each other in a circle, and what fires \
                    for an update fires for both: tell";
        assert_eq!(plan(RowEvent::Update).notes, [note]);
        assert!(plan(RowEvent::Insert).notes.is_empty());
    }

    #[test]
    fn what_a_trigger_writes_may_fire_others() {
        let mut log = triggered("log", "UPDATE sums SET n = n + 1");
        log.summary = Default::default();
        let tables = |body: &str| {
            let mut sums = triggered("sums", "NEW.n := 1");
            sums.summary = Default::default();
            with_tables(vec![triggered("t", body), log.clone(), sums])
        };
        let found = |body: &str| stirred(&tables(body)).into_iter().collect::<Vec<_>>();
        assert_eq!(found("INSERT INTO log VALUES (NEW.id)"), [1, 2]);
        assert_eq!(found("NEW.last_update = now()"), Vec::<usize>::new());
        let mut quiet = tables("INSERT INTO log VALUES (NEW.id)");
        quiet.tables[0].pair.as_mut().expect("paired").triggers = TriggerMode::Suppress;
        assert!(stirred(&quiet).is_empty());
    }
}
