//! Whatever the tables, their foreign keys and the drift: an order that [`steps`] gives breaks no foreign key,
//! not even between two rows of one statement.

use std::collections::BTreeMap;

use proptest::collection::btree_map;
use proptest::option;
use proptest::prelude::*;

use super::order::{RowAction, Step, steps};
use super::testing::*;
use super::*;
use crate::compare::RowChange;
use crate::value::Row;

const TABLES: usize = 3;

/// Rows of each table: id → what it points at.
type Rows = BTreeMap<i64, Option<i64>>;
type Database = Vec<Rows>;

/// For each table, the one its `ref` points at.
type Keys = Vec<Option<usize>>;

fn rows() -> impl Strategy<Value = Database> {
    proptest::collection::vec(btree_map(1..7_i64, option::of(1..7_i64), 0..6), TABLES)
}

/// The rows, with every reference to a row that is not there taken away.
fn consistent(mut database: Database, keys: &Keys) -> Database {
    for table in 0..TABLES {
        let Some(parent) = keys[table] else { continue };
        let there: Vec<i64> = database[parent].keys().copied().collect();
        for reference in database[table].values_mut() {
            *reference = reference.filter(|id| there.contains(id));
        }
    }
    database
}

fn encoded(id: i64, reference: Option<i64>) -> Row {
    match reference {
        Some(reference) => row(&[id, reference]),
        None => insert_null(id).row().clone(),
    }
}

fn changes(before: &Rows, after: &Rows) -> Vec<RowChange> {
    let ids: std::collections::BTreeSet<i64> = before.keys().chain(after.keys()).copied().collect();
    let change = |id: i64| match (before.get(&id), after.get(&id)) {
        (None, Some(new)) => Some(RowChange::Insert { after: encoded(id, *new) }),
        (Some(old), None) => Some(RowChange::Delete { before: encoded(id, *old) }),
        (Some(old), Some(new)) if old != new => {
            Some(RowChange::Update { before: encoded(id, *old), after: encoded(id, *new), columns: vec![1] })
        }
        _ => None,
    };
    ids.into_iter().filter_map(change).collect()
}

fn plan_of(before: &Database, after: &Database, keys: &Keys) -> ReplicaPlan {
    let tables = (0..TABLES).map(|index| {
        let mut table = with_unique(table(&format!("t{index}")), "ref");
        if let Some(parent) = keys[index] {
            table = with_foreign_key(table, &format!("t{parent}"), "ref", "id");
        }
        with_changes(table, changes(&before[index], &after[index]))
    });
    with_tables(tables.collect())
}

fn values(row: &Row) -> (i64, Option<i64>) {
    let integer = |field: Option<&[u8]>| field.map(|bytes| i64::from_be_bytes(bytes.try_into().expect("8")));
    let mut fields = row.fields().map(integer);
    let id = fields.next().flatten().expect("a key is not NULL");
    (id, fields.next().flatten())
}

fn points_at_nothing(database: &Database, keys: &Keys) -> bool {
    keys.iter().enumerate().any(|(table, parent)| {
        parent.is_some_and(|parent| {
            database[table].values().flatten().any(|id| !database[parent].contains_key(id))
        })
    })
}

/// Runs one change as an engine that checks every row at once (InnoDB).
fn run(database: &mut Database, table: usize, change: &RowChange) {
    match change {
        RowChange::Delete { before } => {
            database[table].remove(&values(before).0);
        }
        RowChange::Insert { after } | RowChange::Update { after, .. } => {
            let (id, reference) = values(after);
            database[table].insert(id, reference);
        }
    }
}

proptest! {
    #[test]
    fn no_step_breaks_a_foreign_key(
        before in rows(),
        after in rows(),
        keys in proptest::collection::vec(option::of(0..TABLES), TABLES),
    ) {
        let (before, after) = (consistent(before, &keys), consistent(after, &keys));
        let plan = plan_of(&before, &after, &keys);
        let Ok(steps) = steps(&plan) else {
            // Only a circle has no order.
            prop_assert!(keys.iter().any(Option::is_some));
            return Ok(());
        };
        // What can be done can be undone.
        prop_assert!(super::order::steps(&plan_of(&after, &before, &keys)).is_ok());
        let lists: Vec<Vec<PlannedChange>> = plan.tables.iter().map(|table| changes_of(&table.changes)).collect();
        let mut database = before;
        let mut written = 0;
        for step in steps {
            let Step::Rows(step) = step else { continue };
            // Within a statement the engine deletes in whatever order it likes; the reverse is as good.
            let order: Vec<u32> = match step.action {
                RowAction::Delete => step.changes.iter().rev().copied().collect(),
                _ => step.changes.clone(),
            };
            for change in order {
                run(&mut database, step.table, &lists[step.table][change as usize].change);
                written += 1;
                prop_assert!(!points_at_nothing(&database, &keys), "{step:?}");
            }
        }
        prop_assert_eq!(written, plan.summary().rows.total());
        prop_assert_eq!(database, after);
    }
}
