//! What lies between two states: the changes, row by row, and why they are hard.
//!
//! A change that gives up a unique value comes before the one that takes it; a row that is pointed at comes before those
//! that come to point at it, and goes after those that cease to. Where that closes a circle, no order of single
//! rows does, and only rows of such a circle may be written more than once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value as Json, json};

use super::schema::{Action, Kind, Reference, Table};
use super::state::{Cell, Row, State, held, values};

/// A row that differs.
#[derive(Debug)]
pub struct Change {
    pub table: usize,
    /// The values of its key.
    pub key: Row,
    /// As it is on the replica.
    pub before: Option<Row>,
    /// As it is on the primary.
    pub after: Option<Row>,
}

/// All changes between a replica and its primary, and what they have to do with each other.
pub struct Shape {
    pub changes: Vec<Change>,
    /// What of [`MUST_BE_SEEN`](super::MUST_BE_SEEN) and more is in it.
    pub kinds: BTreeSet<&'static str>,
    /// Changes that may be written more than once.
    entangled: BTreeSet<usize>,
}

impl Shape {
    pub fn of(tables: &[Table], primary: &State, replica: &State) -> Self {
        let mut shape = Shape { changes: Vec::new(), kinds: BTreeSet::new(), entangled: BTreeSet::new() };
        for table in 0..tables.len() {
            let (before, after) = (replica.by_key(table, tables), primary.by_key(table, tables));
            let keys: BTreeSet<&Row> = before.keys().chain(after.keys()).collect();
            for key in keys {
                let (before, after) = (before.get(key).cloned(), after.get(key).cloned());
                if before != after {
                    shape.changes.push(Change { table, key: key.clone(), before, after });
                }
            }
        }
        shape.find_circles(tables);
        shape.find_kinds(tables, replica);
        shape.find_traps(tables);
        shape.find_moved(tables, primary, replica);
        shape
    }

    fn find_circles(&mut self, tables: &[Table]) {
        let unique = unique_edges(tables, &self.changes);
        let partial = |change: usize| {
            let table = &tables[self.changes[change].table];
            table.uniques.iter().any(|unique| unique.partial)
        };
        if unique.iter().any(|(gives, _)| partial(*gives)) {
            self.kinds.insert("chain of values, some of a partial key");
        }
        let all: Vec<(usize, usize)> =
            unique.iter().copied().chain(reference_edges(tables, &self.changes)).collect();
        for circle in circles(self.changes.len(), &unique) {
            self.kinds.insert(if circle.len() == 2 { "swap" } else { "circle of three or more" });
        }
        for circle in circles(self.changes.len(), &all) {
            let of: BTreeSet<usize> = circle.iter().map(|change| self.changes[*change].table).collect();
            self.kinds.insert(if of.len() > 1 { "circle of tables" } else { "circle in a table" });
            self.entangled.extend(circle);
        }
        if unique.iter().any(|(gives, takes)| {
            self.changes[*gives].after.is_none() && self.changes[*takes].before.is_none()
        }) {
            self.kinds.insert("insert of a value of an extra row");
        }
        let references = reference_edges(tables, &self.changes);
        let updates = |change: usize| self.changes[change].action() == "update";
        if references.iter().any(|(a, b)| updates(*a) && updates(*b)) {
            self.kinds.insert("referenced value that is renamed");
        }
        let of_tables: Vec<(usize, usize)> =
            all.iter().map(|(a, b)| (self.group(*a), self.group(*b))).filter(|(a, b)| a != b).collect();
        if !circles(tables.len() * 3, &of_tables).is_empty() {
            self.kinds.insert("no order of whole tables");
            let any_case = |change: &Change| {
                let mut columns = tables[change.table].columns.iter();
                columns.any(|column| column.kind == Kind::AnyCase)
            };
            if unique.iter().any(|(gives, _)| any_case(&self.changes[*gives])) {
                self.kinds.insert("chain of values in any case against the order of tables");
            }
        }
    }

    /// A table and what happens to its rows, as one number.
    fn group(&self, change: usize) -> usize {
        let change = &self.changes[change];
        change.table * 3 + usize::from(change.before.is_some()) + usize::from(change.after.is_some()) * 2 - 1
    }

    /// What is known to go wrong.
    fn find_traps(&mut self, tables: &[Table]) {
        for change in &self.changes {
            let table = &tables[change.table];
            let own = table.references.iter().filter(|reference| reference.parent == change.table);
            let row = change.before.as_ref().or(change.after.as_ref()).expect("a change has a side");
            let mut at_itself =
                own.filter_map(|one| Some(values(row, &one.columns)? == values(row, &one.to)?));
            if change.action() != "update" && at_itself.any(|points| points) {
                self.kinds.insert("row that points at itself comes or goes");
            }
            if let (Some(before), Some(after)) = (&change.before, &change.after)
                && before[table.flag()] != after[table.flag()]
                && table.uniques.iter().any(|unique| unique.partial)
            {
                self.kinds.insert("condition of a partial key changes");
            }
        }
    }

    fn find_kinds(&mut self, tables: &[Table], replica: &State) {
        let Shape { changes, kinds, entangled } = self;
        for (number, change) in changes.iter().enumerate() {
            for (child, reference) in pointing(tables, change.table) {
                let Some(before) = change.before.as_ref().and_then(|row| values(row, &reference.to)) else {
                    continue;
                };
                let after = change.after.as_ref().and_then(|row| values(row, &reference.to));
                let action = if change.after.is_none() { reference.on_delete } else { reference.on_update };
                if after.as_ref() == Some(&before) || !action.carries_on() {
                    continue;
                }
                // Those that point are written by the replica too, whatever is written to them besides.
                let along = |row: &&Row| values(row, &reference.columns).as_ref() == Some(&before);
                if replica.0[child].iter().any(|row| along(&row)) {
                    kinds.insert(if change.after.is_none() {
                        "cascading delete"
                    } else {
                        "cascading update"
                    });
                    kinds.insert("cascade");
                    kinds.extend((child == change.table).then_some("cascade within a table"));
                    entangled.insert(number);
                }
            }
            for reference in &tables[change.table].references {
                let points = |row: &Option<Row>| {
                    row.as_ref().is_some_and(|row| values(row, &reference.columns).is_some())
                };
                if points(&change.before) || points(&change.after) {
                    let own = reference.parent == change.table;
                    kinds.insert(if own { "self-reference" } else { "reference to another table" });
                    kinds.extend((reference.columns.len() > 1).then_some("composite foreign key"));
                    kinds.extend(reference.deferrable.map(|_| "deferrable foreign key"));
                    kinds.extend((reference.on_delete == Action::Restrict).then_some("restrict"));
                }
            }
        }
        // What the replica writes along with others is written once more.
        let along: BTreeSet<usize> = (0..changes.len())
            .filter(|child| {
                let change = &changes[*child];
                let references = tables[change.table].references.iter();
                references
                    .filter(|reference| reference.on_delete.carries_on() || reference.on_update.carries_on())
                    .any(|reference| {
                        let to = change.before.as_ref().and_then(|row| values(row, &reference.columns));
                        let parents = changes.iter().filter(|other| other.table == reference.parent);
                        to.is_some()
                            && parents
                                .filter_map(|other| other.before.as_ref())
                                .any(|row| values(row, &reference.to) == to)
                    })
            })
            .collect();
        entangled.extend(along);
    }

    /// A value that some row points at before and after goes from one row to another.
    fn find_moved(&mut self, tables: &[Table], primary: &State, replica: &State) {
        for (at, table) in tables.iter().enumerate() {
            for reference in &table.references {
                let parent = &tables[reference.parent];
                let holders = |state: &State| -> BTreeMap<Row, Option<Row>> {
                    let rows = state.0[reference.parent].iter();
                    rows.filter_map(|row| Some((values(row, &reference.to)?, values(row, &parent.key))))
                        .collect()
                };
                let targets = |state: &State| -> BTreeSet<Row> {
                    state.0[at].iter().filter_map(|row| values(row, &reference.columns)).collect()
                };
                let (before, after) = (holders(replica), holders(primary));
                let both = targets(replica);
                let both = both.intersection(&targets(primary)).cloned().collect::<Vec<_>>();
                if both.iter().any(|to| before[to] != after[to]) {
                    self.kinds.insert("referenced value that moves");
                }
            }
        }
    }

    /// How often a row may be written at most.
    pub fn writes_max(&self, change: usize) -> u64 {
        if self.entangled.contains(&change) { 3 } else { 1 }
    }

    /// Whether constraints that are looked at row by row may leave no way: rows wait for each other, or a value that is
    /// pointed at goes from one row to another.
    pub fn may_be_hopeless(&self) -> bool {
        let hard = ["circle of tables", "circle in a table", "referenced value that moves"];
        hard.iter().any(|kind| self.kinds.contains(kind))
    }

    /// The changes of a table as the document shows them.
    pub fn document(&self, tables: &[Table], table: usize) -> Vec<Json> {
        let of_table = self.changes.iter().filter(|change| change.table == table);
        of_table.map(|change| change.json(&tables[table])).collect()
    }
}

impl Change {
    /// `insert`, `update` or `delete`.
    pub fn action(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "insert",
            (_, None) => "delete",
            _ => "update",
        }
    }

    fn json(&self, table: &Table) -> Json {
        let object = |row: &Row, columns: &[usize]| -> Json {
            let named = columns.iter().map(|at| (table.columns[*at].name.clone(), row[*at].json()));
            Json::Object(named.collect::<Map<_, _>>())
        };
        let mut columns: Vec<usize> = (0..table.columns.len()).collect();
        if let (Some(before), Some(after)) = (&self.before, &self.after) {
            columns.retain(|at| before[*at] != after[*at]);
        }
        let whole = self.before.as_ref().or(self.after.as_ref()).expect("a change has a side");
        let mut shown = json!({ "action": self.action(), "key": object(whole, &table.key) });
        for (side, row) in [("before", &self.before), ("after", &self.after)] {
            if let Some(row) = row {
                shown[side] = object(row, &columns);
            }
        }
        shown
    }
}

/// The foreign keys that lead to a table, each with the table it is of.
fn pointing(tables: &[Table], parent: usize) -> impl Iterator<Item = (usize, &Reference)> {
    let all = tables.iter().enumerate();
    let all = all.flat_map(|(child, table)| table.references.iter().map(move |one| (child, one)));
    all.filter(move |(_, reference)| reference.parent == parent)
}

/// Who gives up a unique value, and who takes it.
fn unique_edges(tables: &[Table], changes: &[Change]) -> Vec<(usize, usize)> {
    let mut edges = Vec::new();
    for (at, table) in tables.iter().enumerate() {
        for unique in &table.uniques {
            let of = |row: &Option<Row>| row.as_ref().and_then(|row| held(table, unique, row));
            let here = || changes.iter().enumerate().filter(|(_, change)| change.table == at);
            let moves = |change: &Change| of(&change.before) != of(&change.after);
            let givers: HashMap<Vec<String>, usize> = here()
                .filter(|(_, change)| moves(change))
                .filter_map(|(number, change)| Some((told(&of(&change.before)?), number)))
                .collect();
            for (number, change) in here().filter(|(_, change)| moves(change)) {
                let giver = of(&change.after).and_then(|held| givers.get(&told(&held)));
                edges.extend(giver.map(|giver| (*giver, number)));
            }
        }
    }
    edges
}

fn told(row: &[Cell]) -> Vec<String> {
    row.iter().map(ToString::to_string).collect()
}

/// Who comes before those that point at it, and goes after them.
fn reference_edges(tables: &[Table], changes: &[Change]) -> Vec<(usize, usize)> {
    let mut edges = Vec::new();
    for (parent, change) in changes.iter().enumerate() {
        for (child_table, reference) in pointing(tables, change.table) {
            let parent_of = |row: &Option<Row>| row.as_ref().and_then(|row| values(row, &reference.to));
            let child_of = |row: &Option<Row>| row.as_ref().and_then(|row| values(row, &reference.columns));
            let (gone, come) = (parent_of(&change.before), parent_of(&change.after));
            if gone == come {
                continue;
            }
            let children = changes.iter().enumerate().filter(|(_, other)| other.table == child_table);
            for (child, other) in children.filter(|(child, _)| *child != parent) {
                let (from, to) = (child_of(&other.before), child_of(&other.after));
                if from == to {
                    continue;
                }
                if gone.is_some() && from == gone {
                    edges.push((child, parent));
                }
                if come.is_some() && to == come {
                    edges.push((parent, child));
                }
            }
        }
    }
    edges
}

/// The nodes of each strongly connected part of more than one (found the slow way; there are few).
fn circles(nodes: usize, edges: &[(usize, usize)]) -> Vec<BTreeSet<usize>> {
    let reach = |from: usize| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(node) = open.pop() {
            let next = edges.iter().filter(|(first, _)| *first == node).map(|(_, then)| *then);
            open.extend(next.filter(|then| seen.insert(*then)));
        }
        seen
    };
    let reached: Vec<BTreeSet<usize>> = (0..nodes).map(reach).collect();
    let mut found: Vec<BTreeSet<usize>> = Vec::new();
    for node in 0..nodes {
        if reached[node].contains(&node) && !found.iter().any(|circle| circle.contains(&node)) {
            let circle =
                reached[node].iter().copied().filter(|other| reached[*other].contains(&node)).collect();
            found.push(circle);
        }
    }
    found.into_iter().filter(|circle| circle.len() > 1).collect()
}
