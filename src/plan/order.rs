//! The order in which a replica's changes can be made without breaking a constraint half-way.
//!
//! Owns [`steps`]: structure first (what drops it last), then for every table its deletes, updates
//! and inserts, as nodes of a graph. Foreign keys and unique keys say which must come before which; what only helps
//! is a wish, and gives way where it would close a circle. Groups of changes that wait for each other are taken
//! apart into rows, ordered by the values that the constraints compare ([`links`](super::links)); rows that still
//! wait for each other are written by a means of their own ([`circles`](super::circles)), in steps that stay together.
//! Invariant: the order is a function of the plan alone, no step runs before one that it waits for, and only rows in
//! a circle are written twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::compare::{ChangeNumber, RowChange};
use crate::failure::{ErrorKind, Failure};
use crate::spool::SpoolError;
use crate::sql::{ConstraintChecks, Dialect, ForeignKey};

use super::circles::{Circle, Columns, NoMeans, Solver};
use super::links::{Link, Links, placed, pointed_by};
use super::step::{Checks, InCircle, Part, RowAction, RowStep, Step};
use super::weave::{Edges as NumberedEdges, Ready, circles, components, weave};
use super::{Commit, ReplicaPlan, SchemaAction, Status, TablePlan};

/// All that is to be written to a replica, in execution order. Withheld changes and tables in error have no
/// step. `rows_max`: circles are written together up to so many rows.
///
/// # Errors
/// Of kind `key` where rows wait for each other and there is no means to write them; where the changes cannot be
/// read.
pub fn steps(replica: &ReplicaPlan, rows_max: u64) -> Result<Vec<Step>, Failure> {
    steps_unless(&|| false, replica, rows_max)
}

/// As [`steps`], unless it is `stopped`: many rows that wait for each other take a while.
///
/// # Errors
/// As [`steps`]; `Interrupted`.
pub fn steps_unless(
    stopped: &dyn Fn() -> bool,
    replica: &ReplicaPlan,
    rows_max: u64,
) -> Result<Vec<Step>, Failure> {
    ordered(stopped, replica, rows_max).map_err(Unordered::into_failure)
}

/// Why there is no order.
#[derive(Debug)]
pub(super) enum Unordered {
    /// Of some tables the rows cannot be written.
    NoMeans(Box<NoMeans>),
    /// It could not be told.
    Failed(Failure),
}

impl Unordered {
    /// An error where somebody wants no order any more.
    pub(super) fn unless(stopped: &dyn Fn() -> bool) -> Result<(), Self> {
        match stopped() {
            true => Err(Unordered::Failed(Failure::new(
                ErrorKind::Interrupted,
                "stopped before the order of the rows was found",
            ))),
            false => Ok(()),
        }
    }

    fn into_failure(self) -> Failure {
        match self {
            Unordered::NoMeans(no_means) => no_means.failure,
            Unordered::Failed(failure) => failure,
        }
    }
}

impl From<SpoolError> for Unordered {
    fn from(error: SpoolError) -> Self {
        Unordered::Failed(error.into())
    }
}

impl From<NoMeans> for Unordered {
    fn from(no_means: NoMeans) -> Self {
        Unordered::NoMeans(Box::new(no_means))
    }
}

/// As [`steps_unless`].
pub(super) fn ordered(
    stopped: &dyn Fn() -> bool,
    replica: &ReplicaPlan,
    rows_max: u64,
) -> Result<Vec<Step>, Unordered> {
    let Groups { steps: groups, updated } = Groups::of(replica)?;
    let graph = Graph::new(replica, &groups, &updated);
    let (mut steps, last) = schema_steps(replica);
    let mut rows = Emitted { steps: Vec::new(), circles: 0, together: 0, rows_max };
    let mut groups: Vec<Option<RowStep>> = groups.into_iter().map(Some).collect();
    for nodes in graph.sorted() {
        let group: Vec<RowStep> =
            nodes.iter().filter_map(|node| groups.get_mut(*node).and_then(Option::take)).collect();
        match graph.is_circle(&nodes) {
            false => rows.steps.extend(group),
            true => by_rows(stopped, replica, group, &mut rows)?,
        }
    }
    steps.extend(rows.steps.into_iter().map(Step::Rows));
    steps.extend(last);
    Ok(steps)
}

/// Row steps while they come together.
struct Emitted {
    steps: Vec<RowStep>,
    circles: u32,
    together: u32,
    rows_max: u64,
}

impl Emitted {
    /// Rows of one statement go in one after the other, so that layers of inserts can be one step.
    fn push(&mut self, step: RowStep) {
        match self.steps.last_mut() {
            Some(last)
                if step.action == RowAction::Insert
                    && (last.table, last.action, &last.part, last.circle)
                        == (step.table, step.action, &step.part, step.circle) =>
            {
                last.changes.extend(step.changes);
            }
            _ => self.steps.push(step),
        }
    }
}

/// What is written by one statement if it can be: in this order where there is a choice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    rank: u8,
    table: usize,
    action: RowAction,
    part: Part,
}

impl Kind {
    fn of(table: usize, action: RowAction, part: Part) -> Self {
        let rank = match (&part, action) {
            (Part::Remove | Part::Park { .. }, _) => 0,
            (Part::Whole, RowAction::Delete) => 1,
            (Part::Whole | Part::Except(_), RowAction::Update) => 2,
            (Part::Whole | Part::Without(_), RowAction::Insert) => 3,
            _ => 4,
        };
        Kind { rank, table, action, part }
    }
}

/// The steps of groups that wait for each other, row by row.
fn by_rows(
    stopped: &dyn Fn() -> bool,
    replica: &ReplicaPlan,
    groups: Vec<RowStep>,
    emitted: &mut Emitted,
) -> Result<(), Unordered> {
    let dialect = replica.server.as_ref().map(|server| crate::sql::dialect(server.engine));
    let refs: Vec<&RowStep> = groups.iter().collect();
    let links = Links::of(stopped, replica, &refs, dialect)?;
    drop(groups);
    let mut edges: NumberedEdges = links.links.iter().map(|link| (link.from, link.to)).collect();
    // What belongs into one transaction is a circle, if one that has an order.
    edges.extend(links.links.iter().filter(|link| links.is_tied(link)).map(|link| (link.to, link.from)));
    let component = components(links.items.len(), &edges);
    let solved = solved(stopped, replica, &links, &component, dialect)?;
    // A circle is one unit; every other row is one.
    let mut unit = vec![u32::MAX; links.items.len()];
    for (number, circle) in (0_u32..).zip(&solved) {
        circle.items.iter().for_each(|item| unit[*item as usize] = number);
    }
    let mut kinds: Vec<Option<Kind>> = vec![None; solved.len()];
    let mut alone: Vec<u32> = vec![u32::MAX; solved.len()];
    for (index, item) in (0_u32..).zip(&links.items) {
        if unit[index as usize] == u32::MAX {
            unit[index as usize] = kinds.len() as u32;
            kinds.push(Some(Kind::of(item.table, item.action, Part::Whole)));
            alone.push(index);
        }
    }
    let between = edges.iter().map(|(from, to)| (unit[*from as usize], unit[*to as usize]));
    let between: NumberedEdges = between.filter(|(from, to)| from != to).collect();
    weave(&kinds, &between, |ready| match ready {
        Ready::Kind(kind, units) => {
            let numbers =
                units.iter().map(|unit| links.items[alone[*unit as usize] as usize].number).collect();
            emitted.push(RowStep::new(kind.table, kind.action, numbers));
            Ok(0)
        }
        Ready::Alone(units) => {
            let circles: Vec<&Circle> = units.iter().map(|unit| &solved[*unit as usize]).collect();
            Ok::<usize, Unordered>(emitted.circles(&links, &circles))
        }
    })
}

/// The means for every circle.
fn solved(
    stopped: &dyn Fn() -> bool,
    replica: &ReplicaPlan,
    links: &Links,
    component: &[u32],
    dialect: Option<&'static dyn Dialect>,
) -> Result<Vec<Circle>, Unordered> {
    let members = circles(component);
    let checks = dialect.map_or_else(ConstraintChecks::default, Dialect::constraint_checks);
    // InnoDB does not let go of what such a row points at while it looks.
    let own_parents: BTreeSet<u32> =
        links.own_parents.iter().copied().filter(|_| checks.off.is_some()).collect();
    if members.is_empty() && own_parents.is_empty() {
        return Ok(Vec::new());
    }
    let number: HashMap<u32, usize> = members
        .iter()
        .enumerate()
        .map(|(number, members)| (component[members[0] as usize], number))
        .collect();
    let mut inner: Vec<Vec<&Link>> = vec![Vec::new(); members.len()];
    for link in &links.links {
        let of = component[link.from as usize];
        if let (true, Some(number)) = (of == component[link.to as usize], number.get(&of)) {
            inner[*number].push(link);
        }
    }
    let tables: BTreeSet<usize> = links.items.iter().map(|item| item.table).collect();
    let columns: BTreeMap<usize, Columns> =
        tables.iter().map(|table| (*table, Columns::of(replica, *table))).collect();
    let solver = Solver { stopped, replica, links, checks, columns };
    let solved = members.into_iter().zip(inner).map(|(items, links)| solver.solve(items, links));
    let mut solved = solved.collect::<Result<Vec<Circle>, _>>()?;
    let mut alone = own_parents.clone();
    for circle in &mut solved {
        alone.retain(|item| !circle.items.contains(item));
        if circle.items.iter().any(|item| own_parents.contains(item)) {
            circle.checks = Checks::Off;
        }
    }
    solved.extend(alone.into_iter().map(|item| Circle {
        items: vec![item],
        checks: Checks::Off,
        ..Circle::default()
    }));
    Ok(solved)
}

impl Emitted {
    /// Adds the first circles that can be written in one go, and says how many that are.
    fn circles(&mut self, links: &Links, circles: &[&Circle]) -> usize {
        let checks = circles[0].checks;
        let deferred = checks == Checks::Deferred;
        let mut rows = 0_u64;
        let fits = |circle: &&&Circle| {
            let first = rows == 0;
            rows += circle.items.len() as u64;
            first || (rows <= self.rows_max && circle.checks == checks)
        };
        let taken: Vec<&Circle> = circles.iter().take_while(fits).copied().collect();
        // Halves, numbered through all circles; those that go together are one unit.
        let (mut kinds, mut halves, mut edges) = (Vec::new(), Vec::new(), NumberedEdges::new());
        for circle in &taken {
            let mut unit = vec![u32::MAX; 2 * circle.items.len()];
            for together in &circle.together {
                together.iter().for_each(|half| unit[*half as usize] = kinds.len() as u32);
                kinds.push(None);
                halves.push(together.iter().map(|half| (*circle, *half)).collect::<Vec<_>>());
            }
            for half in 0..2 * circle.items.len() as u32 {
                if let (Some(kind), u32::MAX) = (kind_of(links, circle, half), unit[half as usize]) {
                    unit[half as usize] = kinds.len() as u32;
                    kinds.push(Some(kind));
                    halves.push(vec![(*circle, half)]);
                }
            }
            let between = circle.edges.iter().map(|(from, to)| (unit[*from as usize], unit[*to as usize]));
            edges.extend(between.filter(|(from, to)| from != to));
        }
        self.circles += 1;
        let number = self.circles;
        let item = |(circle, half): &(&Circle, u32)| &links.items[circle.items[*half as usize / 2] as usize];
        let woven: Result<(), std::convert::Infallible> = weave(&kinds, &edges, |ready| {
            let (checks, units) = match &ready {
                Ready::Kind(_, units) => (checks, &units[..]),
                Ready::Alone(units) => {
                    self.together += 1;
                    (Checks::Together(self.together), &units[..1])
                }
            };
            let mut of_kind: BTreeMap<Kind, Vec<ChangeNumber>> = BTreeMap::new();
            for (circle, half) in units.iter().flat_map(|unit| &halves[*unit as usize]) {
                if let Some(kind) = kind_of(links, circle, *half) {
                    of_kind.entry(kind).or_default().push(item(&(*circle, *half)).number);
                }
            }
            for (Kind { table, action, part, .. }, changes) in of_kind {
                let circle = Some(InCircle { number, checks, deferred });
                self.push(RowStep { table, action, changes, part, circle });
            }
            Ok(1)
        });
        let Ok(()) = woven;
        taken.len()
    }
}

/// What a half of a circle's row is; `None` for the second half of one that is written in one.
fn kind_of(links: &Links, circle: &Circle, half: u32) -> Option<Kind> {
    let index = circle.items[half as usize / 2];
    let item = &links.items[index as usize];
    let second = half % 2 == 1;
    let list = |columns: &BTreeSet<u16>| columns.iter().copied().collect::<Vec<u16>>();
    let part = match (circle.splits.get(&index), item.action, second) {
        (None, _, true) => return None,
        (None, _, false) => Part::Whole,
        (Some(split), ..) if split.replace => {
            if second {
                Part::Return
            } else {
                Part::Remove
            }
        }
        (Some(split), RowAction::Update, false) if !split.hold.is_empty() => Part::Except(list(&split.hold)),
        (Some(split), RowAction::Update, true) if !split.hold.is_empty() => Part::Fill(list(&split.hold)),
        (Some(split), RowAction::Insert, false) => Part::Without(list(&split.empty)),
        (Some(split), RowAction::Insert, true) => Part::Fill(list(&split.empty)),
        (Some(split), _, false) => Part::Park { empty: list(&split.empty), spare: list(&split.spare) },
        (Some(_), _, true) => Part::Whole,
    };
    Some(Kind::of(item.table, item.action, part))
}

/// Structural changes before the rows and after them.
fn schema_steps(replica: &ReplicaPlan) -> (Vec<Step>, Vec<Step>) {
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for (table, plan) in replica.tables.iter().enumerate().filter(|(_, plan)| plan.error.is_none()) {
        let written = plan.schema_changes.iter().enumerate().filter(|(_, change)| !change.withheld);
        for (change, planned) in written {
            // A table that is nobody's counterpart goes before rows that it would keep from going.
            let comes_last = planned.comes_last() && plan.status != Status::Extra;
            match (planned.action.commits_first(), comes_last) {
                (true, _) => first.push(Step::SchemaFirst { table, change }),
                (false, false) => first.push(Step::Schema { table, change }),
                (false, true) => last.push(Step::SchemaAfter { table, change }),
            }
        }
    }
    let order = |(number, step): &(usize, Step)| match step {
        Step::SchemaFirst { table, change }
        | Step::Schema { table, change }
        | Step::SchemaAfter { table, change }
        | Step::SchemaLast { table, change } => {
            let plan = &replica.tables[*table];
            let planned = &plan.schema_changes[*change];
            let action = planned.action;
            if plan.status == Status::Extra && action == SchemaAction::DropTable {
                // In the order in which they stand; what points at them has been dropped by then, and their names are free
                // for what is created.
                return (SchemaAction::EXTRA_RANK, *number);
            }
            // What was made last goes first.
            let drops = matches!(action, SchemaAction::DropTable | SchemaAction::DropColumn);
            (planned.rank(), if drops { usize::MAX - number } else { *number })
        }
        Step::Rows(_) => (0, *number),
    };
    let ordered = |steps: Vec<Step>| {
        let mut steps: Vec<(usize, Step)> = steps.into_iter().enumerate().collect();
        steps.sort_by_key(order);
        steps.into_iter().map(|(_, step)| step).collect::<Vec<Step>>()
    };
    let (mut first, mut last) = (ordered(first), ordered(last));
    stand_apart(replica, &mut first, &mut last);
    (first, last)
}

/// What is not to stand among others is committed by itself, and so is what comes before it ahead of the rows, and what
/// comes after it behind them.
fn stand_apart(replica: &ReplicaPlan, first: &mut [Step], last: &mut [Step]) {
    let is_apart = |step: &Step| match step {
        Step::SchemaFirst { table, change }
        | Step::Schema { table, change }
        | Step::SchemaAfter { table, change }
        | Step::SchemaLast { table, change } => {
            replica.tables[*table].schema_changes[*change].commit != Commit::Together
        }
        Step::Rows(_) => false,
    };
    let ahead = first.iter().rposition(is_apart).map_or(0, |at| at + 1);
    for step in &mut first[..ahead] {
        if let Step::Schema { table, change } = *step {
            *step = Step::SchemaFirst { table, change };
        }
    }
    let behind = last.iter().position(is_apart).unwrap_or(last.len());
    for step in &mut last[behind..] {
        if let Step::SchemaAfter { table, change } = *step {
            *step = Step::SchemaLast { table, change };
        }
    }
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
        let group = |action| RowStep::new(table, action, Vec::new());
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

/// For each table of the plan the columns that its updates set.
///
/// # Errors
/// Where the changes cannot be read.
pub(super) fn updated_columns(replica: &ReplicaPlan) -> Result<Vec<BTreeSet<u16>>, SpoolError> {
    Ok(Groups::of(replica)?.updated)
}

/// Which groups must run, or had better run, before which.
struct Graph {
    /// Groups that wait for each other, and single ones, by their first group.
    units: Vec<Vec<usize>>,
    /// Whether a single group waits for itself.
    loops: BTreeSet<usize>,
    /// For each unit, those that come after it.
    next: Vec<BTreeSet<usize>>,
}

impl Graph {
    fn new(replica: &ReplicaPlan, groups: &[RowStep], updated: &[BTreeSet<u16>]) -> Self {
        let nodes: HashMap<End, usize> =
            groups.iter().enumerate().map(|(node, group)| ((group.table, group.action), node)).collect();
        let edges = Edges::of(replica, groups, updated);
        let both = |(first, then): &(End, End)| Some((*nodes.get(first)?, *nodes.get(then)?));
        let must: Vec<(usize, usize)> = edges.must.iter().filter_map(both).collect();
        // There are some thousand tables at most.
        let numbered = must.iter().map(|(first, then)| (*first as u32, *then as u32)).collect();
        let component = components(groups.len(), &numbered);
        let mut units: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (node, component) in component.iter().enumerate() {
            units.entry(*component).or_default().push(node);
        }
        let mut units: Vec<Vec<usize>> = units.into_values().collect();
        units.sort_unstable();
        let mut unit_of = vec![0; groups.len()];
        for (unit, nodes) in units.iter().enumerate() {
            nodes.iter().for_each(|node| unit_of[*node] = unit);
        }
        let loops = must.iter().filter(|(first, then)| first == then).map(|(node, _)| *node).collect();
        let mut graph = Graph { next: vec![BTreeSet::new(); units.len()], units, loops };
        for (first, then) in must.iter().map(|(first, then)| (unit_of[*first], unit_of[*then])) {
            if first != then {
                graph.next[first].insert(then);
            }
        }
        for (first, then) in edges.wished.iter().filter_map(both) {
            let (first, then) = (unit_of[first], unit_of[then]);
            if first != then && !graph.reaches(then, first) {
                graph.next[first].insert(then);
            }
        }
        graph
    }

    /// Whether these groups wait for each other, or rows of the only one do.
    fn is_circle(&self, nodes: &[usize]) -> bool {
        nodes.len() > 1 || nodes.iter().any(|node| self.loops.contains(node))
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

    /// Kahn's algorithm; of those that could come next, the first in the plan's order.
    fn sorted(&self) -> Vec<Vec<usize>> {
        let mut waiting = vec![0_usize; self.next.len()];
        self.next.iter().flatten().for_each(|node| waiting[*node] += 1);
        let mut ready: BTreeSet<usize> = (0..self.next.len()).filter(|node| waiting[*node] == 0).collect();
        let mut sorted = Vec::with_capacity(self.next.len());
        while let Some(unit) = ready.pop_first() {
            sorted.push(self.units[unit].clone());
            for next in &self.next[unit] {
                waiting[*next] -= 1;
                if waiting[*next] == 0 {
                    ready.insert(*next);
                }
            }
        }
        sorted
    }
}

/// A table and what happens to its rows.
type End = (usize, RowAction);

#[derive(Default)]
struct Edges {
    must: Vec<(End, End)>,
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
            edges.unique_keys(replica, table, &updated[table]);
        }
        edges
    }

    /// `repointed`: updates change what children point at; `renamed`: they change what is pointed at.
    fn foreign_key(&mut self, child: usize, parent: usize, repointed: bool, renamed: bool) {
        use RowAction::{Delete, Insert, Update};
        self.must.push(((parent, Insert), (child, Insert)));
        self.must.push(((child, Delete), (parent, Delete)));
        if repointed {
            self.must.push(((parent, Insert), (child, Update)));
            self.must.push(((child, Update), (parent, Delete)));
        }
        if renamed {
            self.must.push(((parent, Update), (child, Insert)));
            self.must.push(((child, Delete), (parent, Update)));
        }
        // A row may point at itself.
        if renamed && (repointed || child == parent) {
            self.must.push(((parent, Update), (child, Update)));
            self.must.push(((child, Update), (parent, Update)));
        }
    }

    /// A value is given up before another row takes it. The key itself is unique too: where the replica
    /// holds two texts for equal, a row may go and another come under what it calls the same key.
    fn unique_keys(&mut self, replica: &ReplicaPlan, table: usize, updated: &BTreeSet<u16>) {
        use RowAction::{Delete, Insert, Update};
        self.wished.push(((table, Delete), (table, Insert)));
        let plan = &replica.tables[table];
        let Some(pair) = &plan.pair else { return };
        let unique = pair.unique_keys.iter().filter_map(|key| placed(pair, &key.columns));
        let columns: Vec<Vec<u16>> =
            unique.chain(plan.handovers.iter().map(|handover| handover.columns.clone())).collect();
        let watched = plan.handovers.iter().flat_map(|handover| &handover.watched);
        if columns.is_empty() {
            return;
        }
        self.must.push(((table, Delete), (table, Insert)));
        if columns.iter().any(|columns| !pointed_by(replica, table, columns).is_empty()) {
            // Rows are looked at one by one, for some may belong together.
            self.must.push(((table, Insert), (table, Delete)));
        }
        if columns.iter().flatten().chain(watched).any(|column| updated.contains(column)) {
            self.must.push(((table, Delete), (table, Update)));
            self.must.push(((table, Update), (table, Update)));
            self.must.push(((table, Update), (table, Insert)));
        }
    }
}

/// The table a foreign key points at, by the replica's names: the exact one, else the only one that differs
/// in case (SQLite keeps the name as the declaration wrote it).
pub(super) fn parent_of(replica: &ReplicaPlan, tables: &BTreeSet<usize>, key: &ForeignKey) -> Option<usize> {
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
    use crate::compare::Handover;
    use crate::plan::batches;
    use crate::plan::testing::*;
    use crate::schema::SchemaChange;
    use crate::sql::AttachmentKind;

    fn order(replica: &ReplicaPlan) -> Vec<String> {
        let steps = steps(replica, u64::MAX).expect("there is an order");
        let shown = steps.iter().map(|step| match step {
            Step::Schema { table, change } => {
                format!("{:?} {}", replica.tables[*table].schema_changes[*change].action, table)
            }
            Step::SchemaFirst { table, change } => {
                format!("first {:?} {}", replica.tables[*table].schema_changes[*change].action, table)
            }
            Step::SchemaLast { table, change } => {
                format!("last {:?} {}", replica.tables[*table].schema_changes[*change].action, table)
            }
            Step::SchemaAfter { table, change } => {
                format!("then {:?} {}", replica.tables[*table].schema_changes[*change].action, table)
            }
            Step::Rows(rows) => {
                let half = match &rows.part {
                    Part::Whole => String::new(),
                    Part::Park { empty, spare } => format!(" park {empty:?} {spare:?}"),
                    part => format!(" {part:?}"),
                };
                let checks = match rows.circle.map(|circle| circle.checks).unwrap_or_default() {
                    Checks::AtOnce => String::new(),
                    checks => format!(" {checks:?}"),
                };
                let table = &replica.tables[rows.table].table;
                format!("{} {table} {:?}{half}{checks}", rows.action.as_str(), rows.changes)
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
    fn what_waits_as_a_whole_is_taken_apart() {
        let child = with_foreign_key(table("child"), "parent", "ref", "id");
        let child = with_changes(child, vec![update(&[2, 5], &[2, 10], &[1])]);
        let parent =
            with_changes(with_unique(table("parent"), "ref"), vec![insert(&[10, 0]), delete(&[5, 0])]);
        // The new parent takes what the old one gives up, and the child waits between the two.
        let order = order(&with_tables(vec![parent, child]));
        assert_eq!(
            order,
            ["delete parent [1] park [1] []", "insert parent [0]", "update child [0]", "delete parent [1]"]
        );
    }

    fn on(engine: crate::sql::EngineName, tables: Vec<TablePlan>) -> ReplicaPlan {
        let server = Some(server(engine));
        ReplicaPlan { server, ..with_tables(tables) }
    }

    fn not_null(mut table: TablePlan) -> TablePlan {
        table.pair.as_mut().expect("paired").columns[1].sides.replica.nullable = false;
        table
    }

    #[test]
    fn tables_that_reference_each_other_are_filled_by_whatever_means_there_are() {
        use crate::sql::EngineName::{Mariadb, Postgres, Sqlite};
        let a = || with_changes(with_foreign_key(table("a"), "b", "ref", "id"), vec![insert(&[1, 1])]);
        let b = || with_changes(with_foreign_key(table("b"), "a", "ref", "id"), vec![insert(&[1, 1])]);
        let plan = with_tables(vec![a(), b()]);
        assert_eq!(order(&plan), ["insert a [0] Without([1])", "insert b [0]", "insert a [0] Fill([1])"]);
        let strict = || vec![not_null(a()), not_null(b())];
        let together = ["insert a [0] Together(1)", "insert b [0] Together(1)"];
        assert_eq!(order(&on(Postgres, strict())), together);
        assert_eq!(order(&on(Mariadb, strict())), ["insert a [0] Off", "insert b [0] Off"]);
        let failure = steps(&on(Sqlite, strict()), 9).expect_err("not deferrable");
        assert_eq!(failure.kind, crate::failure::ErrorKind::Key);
        assert!(failure.message.starts_with("rows of tables a, b wait"), "{}", failure.message);
        assert_eq!(failure.key.as_deref(), Some("a id = 1; b id = 1"));
        let mut deferrable = strict();
        for table in &mut deferrable {
            table.pair.as_mut().expect("paired").foreign_keys[0].deferrable = true;
        }
        assert_eq!(order(&on(Sqlite, deferrable)), ["insert a [0] Deferred", "insert b [0] Deferred"]);
        // Without changes in one of them there is nothing to wait for.
        let quiet = with_foreign_key(table("a"), "b", "ref", "id");
        assert_eq!(order(&with_tables(vec![quiet, b()])), ["insert b [0]"]);
    }

    #[test]
    fn what_is_put_off_is_so_before_the_first_statement_of_its_circle() {
        // Three that wait for each other at once, and one more that waits only if it is not put off.
        let a = with_changes(with_foreign_key(table("a"), "b", "ref", "id"), vec![insert(&[1, 1])]);
        let b = with_foreign_key(wide_table("b"), "c", "ref", "id");
        let mut b = with_changes(with_foreign_key(b, "d", "more", "id"), vec![insert(&[1, 1, 1])]);
        let c = with_changes(with_foreign_key(table("c"), "a", "ref", "id"), vec![insert(&[1, 1])]);
        let d = with_changes(with_foreign_key(table("d"), "a", "ref", "id"), vec![insert(&[1, 1])]);
        let pair = b.pair.as_mut().expect("paired");
        pair.foreign_keys[1].deferrable = true;
        pair.columns[2].sides.replica.nullable = false;
        let tables = [a, b, c, d].map(not_null);
        let plan = on(crate::sql::EngineName::Postgres, tables.to_vec());
        let together = |table| format!("insert {table} [0] Together(1)");
        let expected = [together("a"), together("b"), together("c"), "insert d [0] Deferred".to_owned()];
        assert_eq!(order(&plan), expected);
        for step in steps(&plan, 9).expect("there is an order") {
            let Step::Rows(RowStep { circle: Some(circle), .. }) = step else { panic!("{step:?}") };
            assert!(circle.deferred, "{circle:?}");
        }
    }

    #[test]
    fn unique_values_go_round() {
        let changes = || vec![update(&[1, 10], &[1, 20], &[1]), update(&[2, 20], &[2, 10], &[1])];
        let swap = || with_changes(with_unique(table("t"), "ref"), changes());
        let parked =
            |how: &str| [format!("update t [0] {how}"), "update t [1]".into(), "update t [0]".into()];
        assert_eq!(order(&with_tables(vec![swap()])), parked("park [1] []"));
        assert_eq!(order(&with_tables(vec![not_null(swap())])), parked("park [] [1]"));
        let mut checked = not_null(swap());
        checked.pair.as_mut().expect("paired").checked = vec!["ref".to_owned()];
        let replaced = ["update t [1] Remove", "update t [0]", "update t [1] Return"];
        assert_eq!(order(&with_tables(vec![checked.clone()])), replaced);
        let mut replica = with_tables(vec![checked]);
        crate::plan::foresee(&|| false, &mut replica);
        assert_eq!(replica.tables[0].replaced, 1);
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
    fn rows_of_one_table_may_point_at_each_other() {
        let tree = with_foreign_key(table("tree"), "tree", "ref", "id");
        let inserts = with_changes(tree.clone(), vec![insert(&[1, 2]), insert(&[2, 1]), insert(&[3, 3])]);
        let order_of = |table| order(&with_tables(vec![table]));
        assert_eq!(
            order_of(inserts),
            [
                "insert tree [2]",
                "insert tree [0] Without([1])",
                "insert tree [1]",
                "insert tree [0] Fill([1])"
            ]
        );
        let deletes = with_changes(tree, vec![delete(&[1, 2]), delete(&[2, 1])]);
        assert_eq!(order_of(deletes), ["delete tree [0] park [1] []", "delete tree [1]", "delete tree [0]"]);
    }

    #[test]
    fn a_row_that_points_at_itself_is_renamed_without_a_look_where_nothing_else_helps() {
        use crate::sql::EngineName::{Mariadb, Postgres};
        let tree = |changes| {
            let tree = with_unique(wide_table("tree"), "more");
            vec![with_changes(with_foreign_key(tree, "tree", "ref", "more"), changes)]
        };
        let both =
            || tree(vec![update(&[1, 5, 5], &[1, 3, 3], &[1, 2]), update(&[2, 7, 7], &[2, 7, 8], &[2])]);
        assert_eq!(order(&on(Mariadb, both())), ["update tree [0, 1] Off"]);
        assert_eq!(order(&on(Postgres, both())), ["update tree [0, 1]"]);
        // Where it points alone changes nothing for those that point.
        let repointed = tree(vec![update(&[1, 5, 5], &[1, 7, 5], &[1])]);
        assert_eq!(order(&on(Mariadb, repointed)), ["update tree [0]"]);
    }

    #[test]
    fn a_value_that_rows_point_at_passes_on_within_one_transaction() {
        use crate::sql::EngineName::{Mariadb, Postgres};
        let parent = || {
            let changes = vec![delete(&[6, 2]), insert(&[7, 2]), delete(&[8, 9]), insert(&[9, 10])];
            with_changes(with_unique(table("parent"), "ref"), changes)
        };
        let plan = |engine, deferrable, on_delete| {
            let mut child = with_foreign_key(table("child"), "parent", "ref", "ref");
            let key = &mut child.pair.as_mut().expect("paired").foreign_keys[0];
            (key.deferrable, key.on_delete) = (deferrable, on_delete);
            on(engine, vec![parent(), child])
        };
        let no_action = crate::sql::ForeignKeyAction::NoAction;
        let expected = |how: &str| {
            [
                "delete parent [2]".to_owned(),
                "insert parent [3]".to_owned(),
                format!("delete parent [0]{how}"),
                format!("insert parent [1]{how}"),
            ]
        };
        assert_eq!(order(&plan(Postgres, true, no_action)), expected(" Deferred"));
        assert_eq!(order(&plan(Postgres, false, no_action)), expected(""));
        assert_eq!(order(&plan(Mariadb, false, no_action)), expected(" Off"));
        let cascade = plan(Mariadb, false, crate::sql::ForeignKeyAction::Cascade);
        assert_eq!(order(&cascade), expected(""));
        let cut = batches(steps(&plan(Postgres, true, no_action), 1).expect("there is an order"), 1);
        assert_eq!(cut.rows.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 2]);
        // Where nobody points it is of no account.
        assert_eq!(order(&with_tables(vec![parent()])), ["delete parent [0, 2]", "insert parent [1, 3]"]);
    }

    #[test]
    fn who_leaves_an_index_by_its_condition_goes_first() {
        let changes = vec![update(&[1, 7, 0], &[1, 7, 1], &[2]), update(&[2, 7, 1], &[2, 7, 0], &[2])];
        let mut table = with_changes(wide_table("t"), changes);
        let handover = |columns: &[u16], rows: &[(u32, u32)]| Handover {
            columns: columns.to_vec(),
            watched: vec![1, 2],
            empties: true,
            rows: rows.to_vec(),
        };
        table.handovers = vec![handover(&[1], &[(1, 0)])];
        assert_eq!(order(&with_tables(vec![table.clone()])), ["update t [1]", "update t [0]"]);
        // Under two conditions both would have to: nothing that is set can be given up first.
        table.handovers.push(handover(&[1], &[(0, 1)]));
        let replaced = ["update t [1] Remove", "update t [0]", "update t [1] Return"];
        assert_eq!(order(&with_tables(vec![table])), replaced);
    }

    #[test]
    fn who_asks_to_stop_is_heard_while_the_order_is_sought() {
        let changes = vec![update(&[1, 10], &[1, 20], &[1]), update(&[2, 20], &[2, 10], &[1])];
        let mut plan = with_tables(vec![with_changes(with_unique(table("t"), "ref"), changes)]);
        // However late: what is asked last is not overheard.
        let asked = std::cell::Cell::new(0);
        let count = || {
            asked.set(asked.get() + 1);
            false
        };
        steps_unless(&count, &plan, 9).expect("there is an order");
        let times = asked.get();
        assert!(times > 3);
        for heard in 1..=times {
            asked.set(0);
            let stopped = || {
                asked.set(asked.get() + 1);
                asked.get() >= heard
            };
            let failure = steps_unless(&stopped, &plan, 9).expect_err("stopped");
            assert_eq!(failure.kind, ErrorKind::Interrupted);
        }
        crate::plan::foresee(&|| true, &mut plan);
        assert_eq!(plan.error.map(|failure| failure.kind), Some(ErrorKind::Interrupted));
        assert!(plan.tables[0].error.is_none());
    }

    #[test]
    fn what_waits_for_a_row_waits_for_those_that_take_it_along() {
        let tree = with_unique(with_foreign_key(wide_table("t"), "t", "ref", "id"), "more");
        let mut tree = with_changes(
            tree,
            vec![
                insert(&[1, 1, 50]),
                update(&[2, 4, 20], &[2, 1, 20], &[1]),
                delete(&[4, 5, 50]),
                delete(&[5, 4, 60]),
            ],
        );
        let pair = tree.pair.as_mut().expect("paired");
        pair.columns.iter_mut().for_each(|column| column.sides.replica.nullable = false);
        pair.foreign_keys[0].on_delete = crate::sql::ForeignKeyAction::Cascade;
        pair.foreign_keys[0].deferrable = true;
        // With 5 goes 4, and with 4 whatever points there.
        let order = order(&on(crate::sql::EngineName::Sqlite, vec![tree]));
        assert!(before(&order, "update t [1]", "delete t [2, 3]"), "{order:?}");
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
    fn what_is_taken_along_goes_in_one_transaction() {
        let mut child = with_foreign_key(table("child"), "parent", "ref", "ref");
        child.pair.as_mut().expect("paired").foreign_keys[0].on_update =
            crate::sql::ForeignKeyAction::SetNull;
        let child = with_changes(child, vec![update(&[1, 10], &[1, 20], &[1])]);
        let parent = with_changes(
            with_unique(table("parent"), "ref"),
            vec![update(&[1, 10], &[1, 20], &[1]), update(&[2, 7], &[2, 8], &[1])],
        );
        let cut = batches(steps(&with_tables(vec![child, parent]), 1).expect("there is an order"), 1);
        let tied: Vec<usize> = cut.rows.iter().map(Vec::len).collect();
        assert_eq!(tied, [1, 2], "{cut:?}");
        let order: Vec<usize> = cut.rows[1].iter().map(|step| step.table).collect();
        assert_eq!(order, [1, 0]);
    }

    #[test]
    fn many_values_that_go_round_in_two_keys_take_few_rounds() {
        // Two permutations of as many numbers; 2,999 is a prime.
        let rows = 2_999_i64;
        let changes =
            (0..rows).map(|id| update(&[id, id, id], &[id, id * 7 % rows, id * 11 % rows], &[1, 2]));
        let mut swapped = with_unique(with_unique(wide_table("t"), "ref"), "more");
        for column in &mut swapped.pair.as_mut().expect("paired").columns {
            column.sides.replica.nullable = false;
        }
        let plan = with_tables(vec![with_changes(swapped, changes.collect())]);
        // Means are looked for once a round, and so is whether somebody wants to stop; a row a round would be thousands.
        let rounds = std::cell::Cell::new(0);
        let stopped = || {
            rounds.set(rounds.get() + 1);
            false
        };
        let steps = steps_unless(&stopped, &plan, u64::MAX).expect("there is an order");
        assert!(rounds.get() < 500, "{}", rounds.get());
        let written: usize = steps
            .iter()
            .map(|step| match step {
                Step::Rows(step) if !step.part.is_aside() => step.changes.len(),
                _ => 0,
            })
            .sum();
        assert_eq!(written, rows as usize);
    }

    #[test]
    fn what_stands_apart_takes_those_with_it_that_it_builds_on() {
        let change = |object: &str, action, commit| SchemaChange {
            action,
            commit,
            ..add_column(&format!("a.{object}"), false)
        };
        let mut changed = with_changes(table("a"), vec![insert(&[1, 1])]);
        let index = SchemaAction::Add(AttachmentKind::Index);
        changed.schema_changes = vec![
            change("ref", SchemaAction::CreateType, Commit::Together),
            change("ref", SchemaAction::Drop(AttachmentKind::Index), Commit::Outside),
            change("ref", SchemaAction::AddColumn, Commit::Together),
            change("ref", SchemaAction::Add(AttachmentKind::Unique), Commit::Together),
            change("ref", index, Commit::Outside),
            // A step has the place of the change that it is one of.
            SchemaChange {
                step_of: Some(index),
                ..change("ref", SchemaAction::Rename(AttachmentKind::Index), Commit::Alone)
            },
            change("ref", SchemaAction::SetSequence, Commit::Together),
        ];
        assert_eq!(
            order(&with_tables(vec![changed])),
            [
                "first CreateType 0",
                "first Drop(Index) 0",
                "AddColumn 0",
                "insert a [0]",
                "then Add(Unique) 0",
                "last Add(Index) 0",
                "last Rename(Index) 0",
                "last SetSequence 0",
            ]
        );
    }

    #[test]
    fn structure_comes_first() {
        let mut created = with_changes(table("a"), vec![insert(&[1, 1])]);
        created.schema_changes = vec![add_column("a.ref", false), add_column("a.kept", true)];
        let order = order(&with_tables(vec![with_changes(table("b"), vec![delete(&[1, 1])]), created]));
        assert_eq!(order, ["AddColumn 1", "delete b [0]", "insert a [0]"]);
    }
}
