//! The order in which a replica's changes can be made without breaking a constraint half-way.
//!
//! Owns [`Step`] and [`steps`]: structure first (what drops it last), then for every table its deletes, updates
//! and inserts, as nodes of a graph. What a foreign key demands is a hard edge; what only helps (a unique value is given up
//! before it is taken) is a wish, and the first to go when it closes a circle. Invariant: the order is a
//! function of the plan alone, and no step runs before one it has a hard edge from. Circles of hard edges
//! need constraints that can be postponed, which is not available yet: an error that names the tables.

use std::collections::{BTreeSet, HashMap};

use crate::compare::{ChangeNumber, RowChange};
use crate::failure::{ErrorKind, Failure};
use crate::schema::TablePair;
use crate::spool::SpoolError;
use crate::sql::ForeignKey;

use super::layers::{self_references, sorted_layers, unique_layers};
use super::{ReplicaPlan, TablePlan};

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

/// One step of a plan. Indexes are those of [`ReplicaPlan::tables`] and of the table's changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A structural change.
    Schema {
        /// Index of the table.
        table: usize,
        /// Index into [`TablePlan::schema_changes`].
        change: usize,
    },
    /// Row changes of one kind in one table.
    Rows(RowStep),
    /// A structural change that [comes after all rows](crate::schema::SchemaAction::comes_last).
    SchemaAfter {
        /// Index of the table.
        table: usize,
        /// Index into [`TablePlan::schema_changes`].
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
    /// Numbers of [`TablePlan::changes`].
    pub changes: Vec<ChangeNumber>,
}

/// All that is to be written to a replica, in execution order. Withheld changes and tables in error have no
/// step.
///
/// # Errors
/// Of kind `key` where foreign keys form a circle, between tables or between rows of one table; where the
/// changes cannot be read.
pub fn steps(replica: &ReplicaPlan) -> Result<Vec<Step>, Failure> {
    let Groups { steps: mut groups, updated } = Groups::of(replica)?;
    let graph = Graph::new(replica, &groups, &updated)?;
    let (mut steps, last) = schema_steps(replica);
    for node in graph.sorted() {
        let group = &mut groups[node];
        let (table, action) = (group.table, group.action);
        let layers = in_layers(&replica.tables[table], action, std::mem::take(&mut group.changes))?;
        steps.extend(layers.into_iter().map(|changes| Step::Rows(RowStep { table, action, changes })));
    }
    steps.extend(last);
    Ok(steps)
}

/// What is written in one transaction each, in execution order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batches {
    /// Structural changes, of the first transaction where the engine can: index of the table, index into
    /// [`TablePlan::schema_changes`].
    pub schema: Vec<(usize, usize)>,
    /// Row changes; at least one batch, if it is an empty one.
    pub rows: Vec<Vec<RowStep>>,
    /// Structural changes that come last, of the last transaction where the engine can: as `schema`.
    pub schema_after: Vec<(usize, usize)>,
}

/// Steps cut into batches of at most `rows_max` row changes. Steps run one after the other without breaking a
/// constraint, so they may be cut anywhere.
pub fn batches(steps: Vec<Step>, rows_max: u64) -> Batches {
    let rows_max = usize::try_from(rows_max).unwrap_or(usize::MAX).max(1);
    let mut batches = Batches { rows: vec![Vec::new()], ..Batches::default() };
    let mut room = rows_max;
    for step in steps {
        let RowStep { table, action, mut changes } = match step {
            Step::Schema { table, change } => {
                batches.schema.push((table, change));
                continue;
            }
            Step::SchemaAfter { table, change } => {
                batches.schema_after.push((table, change));
                continue;
            }
            Step::Rows(step) => step,
        };
        while !changes.is_empty() {
            if room == 0 {
                batches.rows.push(Vec::new());
                room = rows_max;
            }
            let rest = changes.split_off(room.min(changes.len()));
            room -= changes.len();
            let batch = batches.rows.last_mut().expect("there is always a batch");
            batch.push(RowStep { table, action, changes: std::mem::replace(&mut changes, rest) });
        }
    }
    batches
}

/// Structural changes before the rows and after them.
fn schema_steps(replica: &ReplicaPlan) -> (Vec<Step>, Vec<Step>) {
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for (table, plan) in replica.tables.iter().enumerate().filter(|(_, plan)| plan.error.is_none()) {
        let written = plan.schema_changes.iter().enumerate().filter(|(_, change)| !change.withheld);
        for (change, planned) in written {
            match planned.action.comes_last() {
                false => first.push(Step::Schema { table, change }),
                true => last.push(Step::SchemaAfter { table, change }),
            }
        }
    }
    // What was made last goes first.
    last.reverse();
    (first, last)
}

/// The row changes of each table by kind, by table and then by kind.
struct Groups {
    steps: Vec<RowStep>,
    /// For each table of the plan the columns that its updates set.
    updated: Vec<BTreeSet<u16>>,
}

impl Groups {
    fn of(replica: &ReplicaPlan) -> Result<Self, SpoolError> {
        let mut groups = Groups { steps: Vec::new(), updated: vec![BTreeSet::new(); replica.tables.len()] };
        for (table, plan) in replica.tables.iter().enumerate() {
            if plan.error.is_none() && plan.pair.is_some() && plan.summary.total() > 0 {
                groups.add(table, plan)?;
            }
        }
        Ok(groups)
    }

    fn add(&mut self, table: usize, plan: &TablePlan) -> Result<(), SpoolError> {
        let group = |action| RowStep { table, action, changes: Vec::new() };
        let mut steps = [RowAction::Delete, RowAction::Update, RowAction::Insert].map(group);
        for (number, planned) in (0..).zip(plan.changes.iter()) {
            let planned = planned?;
            if planned.withheld {
                continue;
            }
            let action = RowAction::of(&planned.change);
            steps[action as usize].changes.push(number);
            if let RowChange::Update { columns, .. } = &planned.change {
                self.updated[table].extend(columns);
            }
        }
        self.steps.extend(steps.into_iter().filter(|step| !step.changes.is_empty()));
        Ok(())
    }
}

/// A table that points at itself takes parents before children and gives up children before parents.
/// Inserted rows keep one step, for within a statement they go in one after the other; deletes of one
/// statement have no order that could be relied on, so each layer is a step.
fn in_layers(
    table: &TablePlan,
    action: RowAction,
    changes: Vec<ChangeNumber>,
) -> Result<Vec<Vec<ChangeNumber>>, Failure> {
    if action == RowAction::Update {
        return Ok(unique_layers(table, changes)?);
    }
    let references = table.pair.as_ref().map(self_references).unwrap_or_default();
    if references.is_empty() {
        return Ok(vec![changes]);
    }
    let layers = sorted_layers(&references, table, &changes)?;
    let layers = layers.ok_or_else(|| circle(&[table.table.as_str()]))?;
    Ok(match action {
        RowAction::Insert => vec![layers.concat()],
        _ => layers.into_iter().rev().collect(),
    })
}

fn circle(tables: &[&str]) -> Failure {
    let what = match tables {
        [table] => format!("rows of table {table} reference each other in a circle"),
        tables => format!("tables {} reference each other in a circle", tables.join(", ")),
    };
    Failure::new(ErrorKind::Key, format!("{what}: cycles of foreign keys are not available yet"))
}

/// Which groups must run, or had better run, before which.
struct Graph {
    /// For each group, those that come after it.
    next: Vec<BTreeSet<usize>>,
}

impl Graph {
    fn new(replica: &ReplicaPlan, groups: &[RowStep], updated: &[BTreeSet<u16>]) -> Result<Self, Failure> {
        let mut graph = Graph { next: vec![BTreeSet::new(); groups.len()] };
        let nodes: HashMap<(usize, RowAction), usize> =
            groups.iter().enumerate().map(|(node, group)| ((group.table, group.action), node)).collect();
        let edges = Edges::of(replica, groups, updated);
        let node = |end: &End| nodes.get(end).copied();
        for (first, then) in &edges.hard {
            if let (Some(first), Some(then)) = (node(first), node(then)) {
                graph.next[first].insert(then);
            }
        }
        if let Some(nodes) = graph.cycle() {
            let tables: BTreeSet<usize> = nodes.iter().map(|node| groups[*node].table).collect();
            let names: Vec<&str> = tables.iter().map(|table| replica.tables[*table].table.as_str()).collect();
            return Err(circle(&names));
        }
        for (first, then) in &edges.wished {
            if let (Some(first), Some(then)) = (node(first), node(then))
                && !graph.reaches(then, first)
            {
                graph.next[first].insert(then);
            }
        }
        Ok(graph)
    }

    fn reaches(&self, from: usize, to: usize) -> bool {
        let (mut seen, mut open) = (BTreeSet::from([from]), vec![from]);
        while let Some(node) = open.pop() {
            if node == to {
                return true;
            }
            open.extend(self.next[node].iter().copied().filter(|next| seen.insert(*next)));
        }
        false
    }

    /// Kahn's algorithm; of those that could come next, the first in the plan's order. Shorter than all
    /// nodes exactly when there is a circle.
    fn sorted(&self) -> Vec<usize> {
        let mut waiting = vec![0_usize; self.next.len()];
        self.next.iter().flatten().for_each(|node| waiting[*node] += 1);
        let mut ready: BTreeSet<usize> = (0..self.next.len()).filter(|node| waiting[*node] == 0).collect();
        let mut sorted = Vec::with_capacity(self.next.len());
        while let Some(node) = ready.pop_first() {
            sorted.push(node);
            for next in &self.next[node] {
                waiting[*next] -= 1;
                if waiting[*next] == 0 {
                    ready.insert(*next);
                }
            }
        }
        sorted
    }

    /// The nodes of one circle, if there is any.
    fn cycle(&self) -> Option<Vec<usize>> {
        let sorted: BTreeSet<usize> = self.sorted().into_iter().collect();
        let stuck = |node: &usize| !sorted.contains(node);
        // Every stuck node has a stuck one before it; walking back must come round.
        let mut walked: Vec<usize> = vec![(0..self.next.len()).find(stuck)?];
        loop {
            let here = walked[walked.len() - 1];
            let before = (0..self.next.len())
                .find(|node| stuck(node) && self.next[*node].contains(&here))
                .expect("a node that is not sorted waits for another such node");
            if let Some(start) = walked.iter().position(|node| *node == before) {
                return Some(walked.split_off(start));
            }
            walked.push(before);
        }
    }
}

/// A table and what happens to its rows.
type End = (usize, RowAction);

#[derive(Default)]
struct Edges {
    hard: Vec<(End, End)>,
    wished: Vec<(End, End)>,
}

impl Edges {
    fn of(replica: &ReplicaPlan, groups: &[RowStep], updated: &[BTreeSet<u16>]) -> Self {
        let mut edges = Edges::default();
        let tables: BTreeSet<usize> = groups.iter().map(|group| group.table).collect();
        for child in tables.iter().copied() {
            let Some(pair) = &replica.tables[child].pair else { continue };
            for key in &pair.foreign_keys {
                if let Some(parent) = parent_of(replica, &tables, key) {
                    let sets = |table: usize, columns: &[String]| {
                        sets_any(&replica.tables[table], &updated[table], columns)
                    };
                    let (repointed, renamed) = (sets(child, &key.columns), sets(parent, &key.referenced));
                    edges.foreign_key(child, parent, repointed, renamed);
                }
            }
        }
        for table in tables {
            edges.unique_keys(table, replica.tables[table].pair.as_ref());
        }
        edges
    }

    /// `repointed`: updates change what children point at; `renamed`: they change what is pointed at.
    fn foreign_key(&mut self, child: usize, parent: usize, repointed: bool, renamed: bool) {
        use RowAction::{Delete, Insert, Update};
        if child != parent {
            self.hard.push(((parent, Insert), (child, Insert)));
            self.hard.push(((child, Delete), (parent, Delete)));
        }
        if repointed {
            self.hard.push(((parent, Insert), (child, Update)));
            self.hard.push(((child, Update), (parent, Delete)));
        }
        if renamed {
            self.wished.push(((parent, Update), (child, Insert)));
            self.wished.push(((child, Delete), (parent, Update)));
        }
    }

    /// A value is given up before another row takes it. The key itself is unique too: where the replica
    /// holds two texts for equal, a row may go and another come under what it calls the same key.
    fn unique_keys(&mut self, table: usize, pair: Option<&TablePair>) {
        use RowAction::{Delete, Insert, Update};
        self.wished.push(((table, Delete), (table, Insert)));
        if pair.is_some_and(|pair| !pair.unique_keys.is_empty()) {
            self.wished.push(((table, Delete), (table, Update)));
            self.wished.push(((table, Update), (table, Insert)));
        }
    }
}

/// The table a foreign key points at, by the replica's names: the exact one, else the only one that differs
/// in case (SQLite keeps the name as the declaration wrote it).
fn parent_of(replica: &ReplicaPlan, tables: &BTreeSet<usize>, key: &ForeignKey) -> Option<usize> {
    let named = |same: &dyn Fn(&str, &str) -> bool| {
        tables.iter().copied().find(|table| {
            replica.tables[*table].pair.as_ref().is_some_and(|pair| {
                let name = &pair.names.replica;
                name.schema == key.table.schema && same(&name.name, &key.table.name)
            })
        })
    };
    named(&|a, b| a == b).or_else(|| named(&|a, b| a.eq_ignore_ascii_case(b)))
}

/// Whether one of these columns of the replica is among those set.
fn sets_any(table: &TablePlan, set: &BTreeSet<u16>, columns: &[String]) -> bool {
    let Some(pair) = &table.pair else { return false };
    set.iter().any(|index| {
        let name = &pair.columns[usize::from(*index)].sides.replica.name;
        columns.iter().any(|column| column.eq_ignore_ascii_case(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::*;

    fn order(replica: &ReplicaPlan) -> Vec<String> {
        let steps = steps(replica).expect("there is an order");
        let shown = steps.iter().map(|step| match step {
            Step::Schema { table, change } => {
                format!("{:?} {}", replica.tables[*table].schema_changes[*change].action, table)
            }
            Step::SchemaAfter { table, change } => {
                format!("then {:?} {}", replica.tables[*table].schema_changes[*change].action, table)
            }
            Step::Rows(rows) => {
                format!("{} {} {:?}", rows.action.as_str(), replica.tables[rows.table].table, rows.changes)
            }
        });
        shown.collect()
    }

    fn before(order: &[String], first: &str, then: &str) -> bool {
        let place = |what: &str| order.iter().position(|step| step.starts_with(what)).expect("it is there");
        place(first) < place(then)
    }

    #[test]
    fn parents_come_before_and_go_after_their_children() {
        let child = with_foreign_key(table("child"), "parent", "ref", "id");
        let child =
            with_changes(child, vec![insert(&[1, 10]), update(&[2, 5], &[2, 10], &[1]), delete(&[3, 5])]);
        let parent = with_changes(table("parent"), vec![insert(&[10, 0]), delete(&[5, 0])]);
        let order = order(&with_tables(vec![child, parent]));
        assert!(before(&order, "insert parent", "insert child"));
        assert!(before(&order, "insert parent", "update child"));
        assert!(before(&order, "delete child", "delete parent"));
        assert!(before(&order, "update child", "delete parent"));
    }

    #[test]
    fn an_update_of_other_columns_waits_for_nobody() {
        let child = with_foreign_key(table("child"), "parent", "id", "id");
        let child = with_changes(child, vec![update(&[2, 5], &[2, 6], &[1])]);
        let parent = with_changes(table("parent"), vec![insert(&[10, 0])]);
        assert_eq!(order(&with_tables(vec![child, parent])), ["update child [0]", "insert parent [0]"]);
    }

    #[test]
    fn a_unique_value_is_given_up_before_it_is_taken() {
        let changes = vec![insert(&[1, 7]), update(&[2, 8], &[2, 9], &[1]), delete(&[3, 7])];
        let unique = with_changes(with_unique(table("t"), "ref"), changes);
        assert_eq!(order(&with_tables(vec![unique])), ["delete t [2]", "update t [1]", "insert t [0]"]);
    }

    #[test]
    fn a_chain_of_unique_values_is_updated_from_its_end() {
        let changes = vec![
            update(&[1, 10], &[1, 20], &[1]),
            update(&[2, 20], &[2, 30], &[1]),
            update(&[3, 30], &[3, 40], &[1]),
            update(&[4, 70], &[4, 80], &[1]),
        ];
        let unique = with_changes(with_unique(table("t"), "ref"), changes);
        let order = order(&with_tables(vec![unique]));
        assert_eq!(order, ["update t [2, 3]", "update t [1]", "update t [0]"]);
    }

    #[test]
    fn a_wish_gives_way_to_a_foreign_key() {
        let child = with_foreign_key(table("child"), "parent", "ref", "id");
        let child = with_changes(child, vec![update(&[2, 5], &[2, 10], &[1])]);
        let parent =
            with_changes(with_unique(table("parent"), "ref"), vec![insert(&[10, 0]), delete(&[5, 0])]);
        let order = order(&with_tables(vec![parent, child]));
        assert_eq!(order, ["insert parent [0]", "update child [0]", "delete parent [1]"]);
    }

    #[test]
    fn a_circle_of_tables_is_an_error_that_names_them() {
        let a = with_changes(with_foreign_key(table("a"), "b", "ref", "id"), vec![insert(&[1, 1])]);
        let b = with_changes(with_foreign_key(table("b"), "a", "ref", "id"), vec![insert(&[1, 1])]);
        let aside = with_changes(with_foreign_key(table("c"), "a", "ref", "id"), vec![insert(&[1, 1])]);
        let failure = steps(&with_tables(vec![aside, a, b.clone()])).expect_err("no order");
        assert_eq!(failure.kind, ErrorKind::Key);
        assert!(failure.message.starts_with("tables a, b reference"), "{}", failure.message);
        // Without changes in one of them there is nothing to wait for.
        let quiet = with_foreign_key(table("a"), "b", "ref", "id");
        assert_eq!(order(&with_tables(vec![quiet, b])), ["insert b [0]"]);
    }

    #[test]
    fn a_tree_goes_in_from_the_root_and_out_from_the_leaves() {
        let tree = with_foreign_key(table("tree"), "tree", "ref", "id");
        let changes = vec![
            insert(&[1, 3]),
            insert(&[2, 2]),
            insert(&[3, 99]),
            delete(&[11, 12]),
            delete(&[12, 13]),
            delete(&[13, 99]),
        ];
        let order = order(&with_tables(vec![with_changes(tree, changes)]));
        assert_eq!(order, ["delete tree [3]", "delete tree [4]", "delete tree [5]", "insert tree [1, 2, 0]"]);
    }

    #[test]
    fn a_circle_of_rows_is_an_error() {
        let tree = with_foreign_key(table("tree"), "tree", "ref", "id");
        let tree = with_changes(tree, vec![insert(&[1, 2]), insert(&[2, 1])]);
        let failure = steps(&with_tables(vec![tree])).expect_err("no order");
        assert!(failure.message.contains("rows of table tree"), "{}", failure.message);
    }

    #[test]
    fn withheld_changes_and_tables_in_error_have_no_step() {
        let mut kept = with_changes(table("a"), vec![insert(&[1, 1]), insert(&[2, 1])]);
        kept.changes = withheld(kept.changes, 0);
        let mut broken = with_changes(table("b"), vec![insert(&[1, 1])]);
        broken.error = Some(Failure::new(ErrorKind::Value, "too long"));
        assert_eq!(order(&with_tables(vec![kept, broken])), ["insert a [1]"]);
    }

    #[test]
    fn batches_are_full_and_keep_the_order() {
        let rows =
            |action, changes: std::ops::Range<u32>| RowStep { table: 0, action, changes: changes.collect() };
        let steps = vec![
            Step::Schema { table: 1, change: 0 },
            Step::Rows(rows(RowAction::Delete, 0..2)),
            Step::Rows(rows(RowAction::Insert, 2..7)),
        ];
        let cut = batches(steps.clone(), 3);
        assert_eq!(cut.schema, [(1, 0)]);
        let expected = [
            vec![rows(RowAction::Delete, 0..2), rows(RowAction::Insert, 2..3)],
            vec![rows(RowAction::Insert, 3..6)],
            vec![rows(RowAction::Insert, 6..7)],
        ];
        assert_eq!(cut.rows, expected);
        assert_eq!(batches(steps, 7).rows.len(), 1);
        assert_eq!(batches(Vec::new(), 7).rows, [[]]);
    }

    #[test]
    fn structure_comes_first() {
        let mut created = with_changes(table("a"), vec![insert(&[1, 1])]);
        created.schema_changes = vec![add_column("a.ref", false), add_column("a.kept", true)];
        let order = order(&with_tables(vec![with_changes(table("b"), vec![delete(&[1, 1])]), created]));
        assert_eq!(order, ["AddColumn 1", "delete b [0]", "insert a [0]"]);
    }
}
