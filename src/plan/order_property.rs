//! Whatever the tables, their foreign keys, unique keys and the drift: an order that [`steps`] gives breaks no
//! constraint, not even between two rows of one statement, and only rows in a circle are written twice.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::batches::batches;
use super::order::steps;
use super::step::{Checks, InCircle, Part, RowAction, RowStep, Step};
use super::testing::*;
use super::*;
use crate::compare::RowChange;
use crate::sql::{EngineName, ForeignKeyAction};
use crate::value::{Row, put_field, put_null};

const TABLES: usize = 3;

/// What a row has besides its id: what it points at, and a unique code.
type Fields = (Option<i64>, Option<i64>);
/// Rows of each table by their id.
type Rows = BTreeMap<i64, Fields>;
type Database = Vec<Rows>;

/// What one table is like.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// The table that its `ref` points at.
    parent: Option<usize>,
    /// Whether `ref` and `code` take NULL.
    nullable: (bool, bool),
    /// Whether a CHECK speaks of `code`.
    checked: bool,
    on_delete: ForeignKeyAction,
    deferrable: bool,
}

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let action = prop_oneof![
        Just(ForeignKeyAction::NoAction),
        Just(ForeignKeyAction::Restrict),
        Just(ForeignKeyAction::Cascade)
    ];
    let shape =
        (option::weighted(0.8, 0..TABLES), any::<(bool, bool)>(), any::<bool>(), action, any::<bool>());
    let shape = shape.prop_map(|(parent, nullable, checked, on_delete, deferrable)| Shape {
        parent,
        nullable,
        checked,
        on_delete,
        deferrable,
    });
    vec(shape, TABLES)
}

fn engines() -> impl Strategy<Value = Option<EngineName>> {
    prop_oneof![
        Just(None),
        Just(Some(EngineName::Sqlite)),
        Just(Some(EngineName::Postgres)),
        Just(Some(EngineName::Mariadb))
    ]
}

fn rows() -> impl Strategy<Value = Database> {
    vec(btree_map(1..7_i64, (option::of(1..7_i64), option::of(1..9_i64)), 0..6), TABLES)
}

/// The rows, without whatever breaks a constraint.
fn consistent(mut database: Database, shapes: &[Shape]) -> Database {
    for (table, shape) in shapes.iter().enumerate() {
        let mut taken = BTreeSet::new();
        for (id, (reference, code)) in &mut database[table] {
            *code = code.filter(|code| taken.insert(*code));
            if !shape.nullable.1 {
                code.get_or_insert(100 + id);
            }
            *reference = reference.filter(|_| shape.parent.is_some());
        }
    }
    loop {
        let ids: Vec<BTreeSet<i64>> = database.iter().map(|rows| rows.keys().copied().collect()).collect();
        let mut changed = false;
        for (rows, shape) in database.iter_mut().zip(shapes) {
            let Some(parent) = shape.parent else { continue };
            let there = |id: &Option<i64>| id.is_some_and(|id| ids[parent].contains(&id));
            let before = rows.clone();
            match shape.nullable.0 {
                true => rows.values_mut().for_each(|row| row.0 = row.0.filter(|id| there(&Some(*id)))),
                false => rows.retain(|_, row| there(&row.0)),
            }
            changed |= before != *rows;
        }
        if !changed {
            return database;
        }
    }
}

fn encoded(id: i64, (reference, code): Fields) -> Row {
    let mut bytes = Vec::new();
    for value in [Some(id), reference, code] {
        match value {
            Some(value) => put_field(&mut bytes, &value.to_be_bytes()),
            None => put_null(&mut bytes),
        }
    }
    Row::new(bytes)
}

fn changes(before: &Rows, after: &Rows) -> Vec<RowChange> {
    let ids: BTreeSet<i64> = before.keys().chain(after.keys()).copied().collect();
    let change = |id: i64| match (before.get(&id), after.get(&id)) {
        (None, Some(new)) => Some(RowChange::Insert { after: encoded(id, *new) }),
        (Some(old), None) => Some(RowChange::Delete { before: encoded(id, *old) }),
        (Some(old), Some(new)) if old != new => {
            let columns = [(1, old.0 != new.0), (2, old.1 != new.1)];
            let columns = columns.iter().filter(|(_, differs)| *differs).map(|(column, _)| *column);
            let (before, after) = (encoded(id, *old), encoded(id, *new));
            Some(RowChange::Update { before, after, columns: columns.collect() })
        }
        _ => None,
    };
    ids.into_iter().filter_map(change).collect()
}

fn plan_of(before: &Database, after: &Database, shapes: &[Shape], engine: Option<EngineName>) -> ReplicaPlan {
    let name = |table: usize| format!("t{table}");
    let tables = (0..TABLES).map(|number| {
        let shape = shapes[number];
        let mut table = with_unique(wide_table(&name(number)), "more");
        if let Some(parent) = shape.parent {
            table = with_foreign_key(table, &name(parent), "ref", "id");
        }
        let pair = table.pair.as_mut().expect("paired");
        for key in &mut pair.foreign_keys {
            (key.on_delete, key.deferrable) =
                (shape.on_delete, shape.deferrable || engine == Some(EngineName::Sqlite));
        }
        pair.columns[1].sides.replica.nullable = shape.nullable.0;
        pair.columns[2].sides.replica.nullable = shape.nullable.1;
        pair.checked.extend(shape.checked.then(|| "more".to_owned()));
        with_changes(table, changes(&before[number], &after[number]))
    });
    let mut plan = with_tables(tables.collect());
    for (child, shape) in shapes.iter().enumerate() {
        let pair = plan.tables[child].pair.as_ref().expect("paired");
        let (table, keys) = (pair.names.replica.clone(), pair.foreign_keys.clone());
        for key in keys {
            let parent = shape.parent.expect("it points");
            let dependent = crate::schema::Dependent { table: table.clone(), key };
            plan.tables[parent].pair.as_mut().expect("paired").dependents.push(dependent);
        }
    }
    plan.server = engine.map(server);
    plan
}

/// The fields of an encoded row.
fn values(row: &Row) -> (i64, Fields) {
    let integer = |payload: &[u8]| i64::from_be_bytes(payload.try_into().expect("eight bytes"));
    let mut fields = row.fields().map(|field| field.map(integer));
    let id = fields.next().flatten().expect("a key is not NULL");
    (id, (fields.next().flatten(), fields.next().flatten()))
}

/// A database that looks at every row at once, and at foreign keys as a step says.
struct Simulated<'a> {
    rows: Database,
    shapes: &'a [Shape],
    engine: Option<EngineName>,
}

impl Simulated<'_> {
    /// Why the rows break a constraint.
    fn broken(&self, foreign_keys: bool) -> Option<String> {
        for (table, (rows, shape)) in self.rows.iter().zip(self.shapes).enumerate() {
            let mut taken = BTreeSet::new();
            for (id, (reference, code)) in rows {
                if code.is_some_and(|code| !taken.insert(code)) {
                    return Some(format!("t{table} {id}: code {code:?} twice"));
                }
                if (reference.is_none() && !shape.nullable.0 && shape.parent.is_some())
                    || (code.is_none() && !shape.nullable.1)
                {
                    return Some(format!("t{table} {id}: NULL"));
                }
                let points = |parent: usize| reference.is_some_and(|id| !self.rows[parent].contains_key(&id));
                if foreign_keys && shape.parent.is_some_and(points) {
                    return Some(format!("t{table} {id}: points at nothing"));
                }
            }
        }
        None
    }

    /// What acts at once however constraints are put off.
    fn acts(&mut self, table: usize, id: i64, restricts: bool) -> Result<(), String> {
        for child in 0..TABLES {
            let shape = self.shapes[child];
            if shape.parent != Some(table) {
                continue;
            }
            let pointing: Vec<i64> =
                self.rows[child].iter().filter(|(_, row)| row.0 == Some(id)).map(|(id, _)| *id).collect();
            match shape.on_delete {
                ForeignKeyAction::Restrict if restricts && !pointing.is_empty() => {
                    return Err(format!("t{child} points at t{table} {id}"));
                }
                ForeignKeyAction::Cascade => {
                    for row in pointing {
                        self.rows[child].remove(&row);
                        self.acts(child, row, restricts)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn run(
        &mut self,
        plan: &ReplicaPlan,
        step: &RowStep,
        number: u32,
        change: &PlannedChange,
    ) -> Result<(), String> {
        let checks = step.circle.map(|circle| circle.checks).unwrap_or_default();
        let (id, _) = values(change.change.row());
        let pair = plan.tables[step.table].pair.as_ref().expect("paired");
        let rows = &mut self.rows[step.table];
        let after = match &change.change {
            RowChange::Insert { after } | RowChange::Update { after, .. } => Some(values(after).1),
            RowChange::Delete { .. } => None,
        };
        match (&step.part, after) {
            (Part::Park { empty, spare }, _) => {
                let row = rows.get_mut(&id).ok_or("parked, and not there")?;
                for column in empty {
                    if *column == 1 { row.0 = None } else { row.1 = None }
                }
                for column in spare {
                    let Some(crate::value::Value::Integer(value)) =
                        spare_value(pair, number, *column, plan.tables[step.table].spares())
                    else {
                        return Err("no value".to_owned());
                    };
                    row.1 = i64::try_from(value).ok();
                }
            }
            (Part::Without(empty), Some(mut row)) => {
                for column in empty {
                    if *column == 1 { row.0 = None } else { row.1 = None }
                }
                rows.insert(id, row);
            }
            (Part::Whole, None) | (Part::Remove, _) => {
                let there = rows.remove(&id).is_some();
                if !there && checks != Checks::Deferred {
                    return Err(format!("t{} {id} is gone", step.table));
                }
                let at_once = matches!(checks, Checks::AtOnce | Checks::Deferred);
                if at_once {
                    self.acts(step.table, id, true)?;
                }
            }
            (_, Some(row)) => {
                rows.insert(id, row);
            }
            _ => return Err("a half of nothing".to_owned()),
        }
        // The engine that has no way to put anything off checks every row.
        let foreign_keys = match checks {
            Checks::AtOnce => self.engine != Some(EngineName::Sqlite),
            _ => false,
        };
        self.broken(foreign_keys).map_or(Ok(()), Err)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn no_step_breaks_a_constraint(
        before in rows(),
        after in rows(),
        shapes in shapes(),
        engine in engines(),
        rows_max in 1..6_u64,
    ) {
        let (before, after) = (consistent(before, &shapes), consistent(after, &shapes));
        let plan = plan_of(&before, &after, &shapes, engine);
        let Ok(steps) = steps(&plan, rows_max) else {
            // There is a means for every circle of columns that take NULL, or are unique, and may be anything.
            let easy = |shape: &Shape| (shape.parent.is_none() || shape.nullable.0) && !shape.checked;
            prop_assert!(!shapes.iter().all(easy), "{:?}", steps(&plan, rows_max));
            prop_assert!(engine != Some(EngineName::Mariadb) || shapes.iter().any(|shape| shape.checked));
            return Ok(());
        };
        let lists: Vec<Vec<PlannedChange>> = plan.tables.iter().map(|table| changes_of(&table.changes)).collect();
        let mut database = Simulated { rows: before, shapes: &shapes, engine };
        let (mut written, mut aside) = (0, BTreeSet::new());
        let cut = batches(steps.clone(), rows_max);
        for batch in &cut.rows {
            for together in batch.chunk_by(|one, other| {
                one.circle == other.circle && matches!(one.circle, Some(InCircle { checks: Checks::Together(_), .. }))
            }) {
                for step in together {
                    // Within a statement the engine deletes in whatever order it likes; the reverse is as good.
                    let order: Vec<u32> = match step.action {
                        RowAction::Delete => step.changes.iter().rev().copied().collect(),
                        _ => step.changes.clone(),
                    };
                    for change in order {
                        let done = database.run(&plan, step, change, &lists[step.table][change as usize]);
                        prop_assert!(done.is_ok(), "{done:?} in {step:?} of {cut:?}");
                        if step.part.is_aside() {
                            prop_assert!(step.circle.is_some());
                            prop_assert!(aside.insert((step.table, change)), "parked twice: {cut:?}");
                        } else {
                            written += 1;
                        }
                    }
                }
                if matches!(together[0].circle, Some(InCircle { checks: Checks::Together(_), .. })) {
                    prop_assert_eq!(database.broken(true), None);
                }
            }
            // At the end of a transaction all holds.
            prop_assert_eq!(database.broken(true), None, "{:?}", cut);
        }
        prop_assert_eq!(written, plan.summary().rows.total());
        prop_assert_eq!(database.rows, after);
        let of_circles = steps.iter().any(|step| matches!(step, Step::Rows(RowStep { circle: Some(_), .. })));
        prop_assert!(aside.is_empty() || of_circles);
    }
}
