//! Row changes that wait for each other in a circle, and the means by which they can be written all the same.
//!
//! In this order: a row gives up what others wait for before it is changed itself (NULL in a column that takes it,
//! or in a unique column a value that no row has), or leaves what points as it is until others are through; constraints
//! that the transaction can put off are put off; the rows are written by one statement, where the engine looks at
//! foreign keys behind it; foreign keys are not looked at meanwhile, and the rows checked afterwards; a row is deleted
//! and inserted again. Refuses anything else: then the plan cannot be written, and says what would help. Invariant: only rows in a circle are written twice.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::failure::{ErrorKind, Failure};
use crate::schema::{ColumnPair, Dependent, TablePair};
use crate::sql::{ConstraintChecks, ForeignKeyAction, TableName};
use crate::value::{Domain, Type};

use super::links::{Link, LinkKind, Links, Rule};
use super::order::Unordered;
use super::step::{Checks, RowAction};
use super::weave::{Edges, circles, components};
use super::{ReplicaPlan, spare};

/// How a change is written in two halves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Split {
    /// Columns that are NULL in between.
    pub empty: BTreeSet<u16>,
    /// Columns that have a value of nobody else's in between.
    pub spare: BTreeSet<u16>,
    /// Columns of an update that stay as they are in between, while all others are set.
    pub hold: BTreeSet<u16>,
    /// The row is deleted, and inserted as it will be.
    pub replace: bool,
}

/// A circle and the means.
#[derive(Clone, Debug, Default)]
pub(super) struct Circle {
    /// Indexes of [`Links::items`], ascending.
    pub items: Vec<u32>,
    /// The changes that are written in two halves.
    pub splits: HashMap<u32, Split>,
    /// The halves that are written by one statement: of each change its place in `items`, doubled, and one more for
    /// the second half.
    pub together: Vec<Vec<u32>>,
    /// Between these halves there is an order.
    pub edges: Edges,
    /// How constraints are looked at while it is written.
    pub checks: Checks,
}

/// Why a circle cannot be written.
#[derive(Debug)]
pub(super) struct NoMeans {
    /// The tables whose rows are in it.
    pub tables: BTreeSet<usize>,
    /// What to say.
    pub failure: Failure,
}

/// Which columns may hold something else in between.
pub(super) struct Columns {
    empty: Vec<bool>,
    spare: Vec<bool>,
    /// Whether its rows may be deleted and inserted again.
    replace: bool,
}

impl Columns {
    pub(super) fn of(replica: &ReplicaPlan, table: usize) -> Self {
        let Some(pair) = &replica.tables[table].pair else {
            return Columns { empty: Vec::new(), spare: Vec::new(), replace: false };
        };
        let planned = |name: &TableName| {
            replica
                .tables
                .iter()
                .filter_map(|table| table.pair.as_ref())
                .any(|pair| pair.names.replica == *name)
        };
        // What points there would become NULL too; whether rows outside the plan point there nobody asks.
        let takes_along =
            |dependent: &&Dependent| dependent.key.on_update.carries() || !planned(&dependent.table);
        let carried =
            pair.dependents.iter().filter(takes_along).flat_map(|dependent| &dependent.key.referenced);
        let carried: BTreeSet<String> = carried.map(|name| name.to_ascii_lowercase()).collect();
        let mut tied: BTreeSet<&str> = BTreeSet::new();
        for key in &pair.foreign_keys {
            tied.extend(key.columns.iter().map(String::as_str));
        }
        for dependent in &pair.dependents {
            tied.extend(dependent.key.referenced.iter().map(String::as_str));
        }
        let (mut empty, mut spare) = (Vec::new(), Vec::new());
        for index in 0..pair.columns.len() + pair.replica_extra.len() {
            let column = pair.replica_part(index).column;
            let free = !pair.is_keyless()
                && index >= pair.key_columns
                && column.generated.is_none()
                && !named(&pair.checked, &column.name);
            empty.push(free && column.nullable && !carried.contains(&column.name.to_ascii_lowercase()));
            let tied = tied.iter().any(|name| name.eq_ignore_ascii_case(&column.name));
            spare.push(free && !tied && column.identity.is_none() && spare::has(&column));
        }
        // Nothing may be lost with a row, and nothing may hang on it.
        let guarded = pair.compared_columns == pair.columns.len() && pair.columns.iter().all(keeps_spelling);
        let replace =
            !pair.is_keyless() && guarded && pair.replica_extra.is_empty() && pair.dependents.is_empty();
        Columns { empty, spare, replace }
    }

    fn takes_null(&self, column: u16) -> bool {
        self.empty.get(usize::from(column)).copied().unwrap_or(false)
    }

    fn takes_spare(&self, column: u16) -> bool {
        self.spare.get(usize::from(column)).copied().unwrap_or(false)
    }
}

/// Whether a value of the replica is written back as it was stored, whatever the primary is.
fn keeps_spelling(column: &ColumnPair) -> bool {
    let stored = &column.sides.replica.column_type;
    column.stored.is_none()
        && column.on_replica
        && (column.sides.primary.column_type == *stored
            || matches!(
                (&column.domain, &stored.meaning),
                (Domain::Integer { .. }, Type::Integer { .. })
                    | (Domain::Boolean, Type::Boolean)
                    | (Domain::Text, Type::Text { .. })
                    | (Domain::Bytes, Type::Bytes { .. })
                    | (Domain::Date, Type::Date)
            ))
}

fn named(names: &[String], name: &str) -> bool {
    names.iter().any(|other| other.eq_ignore_ascii_case(name))
}

/// What is known while means are looked for.
pub(super) struct Solver<'a> {
    pub stopped: &'a dyn Fn() -> bool,
    pub replica: &'a ReplicaPlan,
    pub links: &'a Links,
    pub checks: ConstraintChecks,
    /// By table.
    pub columns: BTreeMap<usize, Columns>,
}

/// The state of one circle.
struct Open<'a> {
    /// The links within the circle.
    links: Vec<&'a Link>,
    /// Those that are not waited for.
    ignored: HashSet<usize>,
    /// The place of each item in the circle.
    place: HashMap<u32, u32>,
    circle: Circle,
    /// How often means were looked for.
    rounds: u32,
}

impl Solver<'_> {
    /// The means for one circle.
    ///
    /// # Errors
    /// Where there is none, or nobody wants it any more.
    pub(super) fn solve(&self, items: Vec<u32>, links: Vec<&Link>) -> Result<Circle, Unordered> {
        let place = items.iter().copied().zip(0..).collect();
        let mut circle = Circle { items, checks: self.checks_while_tied(&links), ..Circle::default() };
        for item in &circle.items {
            if let Some(hold) = self.links.own_takers.get(item) {
                circle.splits.insert(*item, Split { hold: hold.clone(), ..Split::default() });
            }
        }
        // Those that point are taken along by the replica itself.
        let carried = |(_, link): &(usize, &&Link)| link.kind == LinkKind::Carried;
        let ignored = links.iter().enumerate().filter(carried).map(|(number, _)| number).collect();
        let mut open = Open { links, ignored, place, circle, rounds: 0 };
        loop {
            Unordered::unless(self.stopped)?;
            open.rounds += 1;
            let edges = self.edges(&open);
            let component = components(2 * open.circle.items.len(), &edges);
            let stuck = circles(&component);
            if stuck.is_empty() {
                open.circle.edges = edges;
                return Ok(open.circle);
            }
            // Each step of the ladder changes the circle, and then all is looked at again from the first.
            let inner: Vec<Vec<usize>> = by_component(&open, &component, |link| self.ends(&open, link));
            if self.split(&mut open, &inner) || self.put_off(&mut open, &inner) {
                continue;
            }
            if self.checks.together && self.fit_together(&open, &stuck, &inner) {
                open.circle.together = stuck;
                open.circle.edges = edges;
                return Ok(open.circle);
            }
            if self.switch_off(&mut open, &inner) || self.replace(&mut open, &inner) {
                continue;
            }
            let waiting: Vec<&Link> =
                inner.iter().flatten().take(KEYS_SHOWN).map(|number| open.links[*number]).collect();
            return Err(self.no_means(&open, &waiting).into());
        }
    }

    /// How constraints are looked at, so that rows may point at a value while it passes from one row to another: keys
    /// that carry changes on do so in any case.
    fn checks_while_tied(&self, links: &[&Link]) -> Checks {
        let mut waits = None;
        for link in links.iter().filter(|link| self.links.is_tied(link)) {
            let Rule::Unique { pointed_by, .. } = &self.links.constraints[link.constraint as usize].rule
            else {
                continue;
            };
            let gone = self.links.items[link.from as usize].action == RowAction::Delete;
            for key in pointed_by {
                let action = if gone { key.on_delete } else { key.on_update };
                let waits_here = match (self.checks.defer, self.checks.off) {
                    (Some(_), _) => key.deferrable && action == ForeignKeyAction::NoAction,
                    (None, Some(_)) => !action.carries(),
                    (None, None) => false,
                };
                // One that is not looked at carries nothing on.
                waits = Some(match self.checks.off {
                    Some(_) => waits.unwrap_or(true) && waits_here,
                    None => waits.unwrap_or(false) || waits_here,
                });
            }
        }
        match waits {
            Some(true) if self.checks.defer.is_some() => Checks::Deferred,
            Some(true) => Checks::Off,
            _ => Checks::AtOnce,
        }
    }

    /// From which half to which half.
    fn edges(&self, open: &Open<'_>) -> Edges {
        let links = open.links.iter().enumerate().filter(|(number, _)| !open.ignored.contains(number));
        let mut edges: Edges = links.map(|(_, link)| self.ends(open, link)).collect();
        edges.extend(open.circle.splits.keys().map(|item| (2 * open.place[item], 2 * open.place[item] + 1)));
        edges.extend(self.taken_along(open));
        edges
    }

    /// A row that the replica takes along goes, or takes its value, as soon as what it points at does: what comes before
    /// the row comes before that too.
    fn taken_along(&self, open: &Open<'_>) -> Edges {
        let mut takers: HashMap<u32, Vec<&Link>> = HashMap::new();
        // Keys that are not looked at take nothing along.
        let looked_at = open.circle.checks != Checks::Off;
        for number in open.ignored.iter().filter(|_| looked_at) {
            let link = open.links[*number];
            if link.kind == LinkKind::Carried || self.cascades(link) {
                takers.entry(link.from).or_default().push(link);
            }
        }
        let mut edges = Edges::new();
        let links = open.links.iter().enumerate().filter(|(number, _)| !open.ignored.contains(number));
        for (_, waits) in links.filter(|(_, link)| takers.contains_key(&link.to)) {
            let (mut seen, mut reached) = (BTreeSet::from([waits.to]), vec![waits.to]);
            while let Some(row) = reached.pop() {
                for taker in takers.get(&row).into_iter().flatten().filter(|taker| self.hastens(taker, waits))
                {
                    if taker.to != waits.from && seen.insert(taker.to) {
                        edges.push((self.ends(open, waits).0, self.ends(open, taker).1));
                        reached.push(taker.to);
                    }
                }
            }
        }
        // Of a set they come in any order.
        edges.sort_unstable();
        edges
    }

    /// Whether a row that is deleted takes along one that is to be deleted too.
    fn cascades(&self, link: &Link) -> bool {
        let goes = |item: u32| self.links.items[item as usize].action == RowAction::Delete;
        let Rule::Points { key, .. } = &self.links.constraints[link.constraint as usize].rule else {
            return false;
        };
        link.kind == LinkKind::Leaves
            && key.on_delete == ForeignKeyAction::Cascade
            && goes(link.from)
            && goes(link.to)
    }

    /// Whether what a row waits for has to be done before the row is taken along: it goes as a whole, but of its values
    /// those that point change alone.
    fn hastens(&self, taker: &Link, waits: &Link) -> bool {
        let columns = |link: &Link| &self.links.constraints[link.constraint as usize].columns;
        taker.kind != LinkKind::Carried
            || waits.kind == LinkKind::Yields
                && waits.to == taker.from
                && columns(waits).iter().any(|column| columns(taker).contains(column))
    }

    fn ends(&self, open: &Open<'_>, link: &Link) -> (u32, u32) {
        let half = |item: u32, second: bool| {
            let split = open.circle.splits.contains_key(&item);
            2 * open.place[&item] + u32::from(second && split)
        };
        let from = match link.kind {
            LinkKind::Comes => !self.is_there_at_once(open, link),
            LinkKind::Leaves | LinkKind::Carried | LinkKind::Yields => !self.is_given_up_first(open, link),
            LinkKind::Clears => !self.is_gone_first(open, link, link.from),
        };
        let to = match link.kind {
            LinkKind::Comes | LinkKind::Clears | LinkKind::Yields => self.is_taken_late(open, link),
            LinkKind::Leaves | LinkKind::Carried => !self.is_gone_first(open, link, link.to),
        };
        (half(link.from, from), half(link.to, to))
    }

    /// Whether the first half of a row that comes to be pointed at has what is.
    fn is_there_at_once(&self, open: &Open<'_>, link: &Link) -> bool {
        let Some(split) = open.circle.splits.get(&link.from) else { return true };
        let Rule::Points { referenced, .. } = &self.links.constraints[link.constraint as usize].rule else {
            return false;
        };
        if !split.hold.is_empty() {
            return !holds(split, referenced);
        }
        self.links.items[link.from as usize].action == RowAction::Insert
            && !referenced.iter().any(|column| split.empty.contains(column))
    }

    /// Whether the first half of an update or a delete stops pointing, or gives the value up.
    fn is_given_up_first(&self, open: &Open<'_>, link: &Link) -> bool {
        let Some(split) = open.circle.splits.get(&link.from) else { return true };
        if !split.hold.is_empty() {
            return !holds(split, &self.links.constraints[link.constraint as usize].columns);
        }
        split.replace || self.frees(link, &split.empty, &split.spare)
    }

    /// Whether it is the first half of this row that takes away what is pointed at.
    fn is_gone_first(&self, open: &Open<'_>, link: &Link, parent: u32) -> bool {
        let Some(split) = open.circle.splits.get(&parent) else { return true };
        let Rule::Points { referenced, .. } = &self.links.constraints[link.constraint as usize].rule else {
            return true;
        };
        if !split.hold.is_empty() {
            return !holds(split, referenced);
        }
        split.replace
            || referenced.iter().any(|column| split.empty.contains(column) || split.spare.contains(column))
    }

    fn frees(&self, link: &Link, empty: &BTreeSet<u16>, spare: &BTreeSet<u16>) -> bool {
        let constraint = &self.links.constraints[link.constraint as usize];
        let any = |set: &BTreeSet<u16>| constraint.columns.iter().any(|column| set.contains(column));
        match &constraint.rule {
            Rule::Points { key, .. } if key.whole => {
                constraint.columns.iter().all(|column| empty.contains(column))
            }
            Rule::Points { .. } => any(empty),
            Rule::Unique { empties, .. } => (*empties && any(empty)) || any(spare),
        }
    }

    /// Whether it is the second half that points, or takes the value.
    fn is_taken_late(&self, open: &Open<'_>, link: &Link) -> bool {
        let Some(split) = open.circle.splits.get(&link.to) else { return false };
        if !split.hold.is_empty() {
            return holds(split, &self.links.constraints[link.constraint as usize].columns);
        }
        let item = &self.links.items[link.to as usize];
        item.action != RowAction::Insert || self.frees(link, &split.empty, &split.spare)
    }

    /// One more row of each circle that is left gives something up first.
    fn split(&self, open: &mut Open<'_>, inner: &[Vec<usize>]) -> bool {
        let mut found = false;
        for links in inner {
            // One row at a time is the fewest rows; where they are many, and one after the other did not do, every
            // link gets its own, so that the time stays bounded by the number of links.
            let at_once = if open.rounds > ROUNDS_ONE_BY_ONE { 1 } else { links.len() };
            for links in links.chunks(at_once.max(1)) {
                let candidates = links.iter().flat_map(|number| self.candidates(open, open.links[*number]));
                let best = candidates.min_by_key(|candidate| {
                    let is_new = !open.circle.splits.contains_key(&candidate.item);
                    (!candidate.spare.is_empty(), is_new, candidate.item)
                });
                let Some(best) = best else { continue };
                let split = open.circle.splits.entry(best.item).or_default();
                split.empty.extend(best.empty);
                split.spare.extend(best.spare);
                split.hold.extend(best.hold);
                found = true;
            }
        }
        found
    }

    /// What either end of a link could give up, or do without, so that the link joins another half.
    fn candidates(&self, open: &Open<'_>, link: &Link) -> Vec<Candidate> {
        let constraint = &self.links.constraints[link.constraint as usize];
        let mut candidates = Vec::new();
        for (item, action) in [link.from, link.to].map(|item| (item, self.links.items[item as usize].action))
        {
            let frees = !matches!(link.kind, LinkKind::Comes | LinkKind::Clears);
            let gives = item == link.from && frees && action != RowAction::Insert;
            let arrives = matches!(link.kind, LinkKind::Comes | LinkKind::Clears | LinkKind::Yields);
            let takes = item == link.to && arrives && action == RowAction::Insert;
            let done = open.circle.splits.get(&item).is_some_and(|split| {
                split.replace || !split.hold.is_empty() || self.frees(link, &split.empty, &split.spare)
            });
            let set = &self.links.items[item as usize].set;
            if item == link.to
                && (link.kind, action) == (LinkKind::Clears, RowAction::Update)
                && !open.circle.splits.contains_key(&item)
            {
                let columns = constraint.columns.iter().copied().filter(|column| set.contains(column));
                let hold: BTreeSet<u16> = columns.collect();
                // With nothing else to set there is no first half.
                if hold.len() < set.len() {
                    candidates.push(Candidate { item, hold, ..Candidate::default() });
                }
                continue;
            }
            if !(gives || takes) || done {
                continue;
            }
            let usable = |column: &&u16| action != RowAction::Update || set.contains(column);
            let table = &self.columns[&constraint.table];
            let columns: Vec<u16> = constraint.columns.iter().filter(usable).copied().collect();
            let empties: BTreeSet<u16> =
                columns.iter().copied().filter(|column| table.takes_null(*column)).collect();
            // One column is enough, except where all or none must be NULL.
            let whole = matches!(&constraint.rule, Rule::Points { key, .. } if key.whole);
            let empty: BTreeSet<u16> = if whole { empties } else { empties.into_iter().take(1).collect() };
            if self.frees(link, &empty, &BTreeSet::new()) {
                candidates.push(Candidate { item, empty, ..Candidate::default() });
                continue;
            }
            let spare = columns.iter().copied().find(|column| table.takes_spare(*column));
            if let (true, LinkKind::Yields, Some(column)) = (gives, link.kind, spare) {
                let spare = BTreeSet::from([column]);
                candidates.push(Candidate { item, spare, ..Candidate::default() });
            }
        }
        candidates
    }

    /// Constraints that hold at the transaction's end alone need no order.
    fn put_off(&self, open: &mut Open<'_>, inner: &[Vec<usize>]) -> bool {
        if self.checks.defer.is_none() {
            return false;
        }
        let ignored: Vec<usize> = inner
            .iter()
            .flatten()
            .copied()
            .filter(|number| self.is_deferrable(open.links[*number]))
            .collect();
        if ignored.is_empty() {
            return false;
        }
        open.ignored.extend(ignored);
        open.circle.checks = Checks::Deferred;
        true
    }

    fn is_deferrable(&self, link: &Link) -> bool {
        // What a key carries on it does at once.
        if link.kind == LinkKind::Clears {
            return false;
        }
        match &self.links.constraints[link.constraint as usize].rule {
            Rule::Unique { deferrable, .. } => *deferrable,
            Rule::Points { key, .. } if link.kind == LinkKind::Comes => key.deferrable,
            Rule::Points { key, .. } => {
                let parent_goes = self.links.items[link.to as usize].action == RowAction::Delete;
                let child_goes = self.links.items[link.from as usize].action == RowAction::Delete;
                let action = if parent_goes { key.on_delete } else { key.on_update };
                let harmless = match action {
                    ForeignKeyAction::Restrict => false,
                    // What is to be deleted may be gone by then.
                    ForeignKeyAction::Cascade => child_goes,
                    _ => true,
                };
                key.deferrable && harmless
            }
        }
    }

    /// Whether a link is a foreign key's.
    fn points(&self, link: &Link) -> bool {
        matches!(self.links.constraints[link.constraint as usize].rule, Rule::Points { .. })
    }

    /// Whether one statement can write each of these: it has foreign keys alone to heed, and no row twice.
    fn fit_together(&self, open: &Open<'_>, stuck: &[Vec<u32>], inner: &[Vec<usize>]) -> bool {
        let points = |number: &usize| {
            let link = open.links[*number];
            self.points(link) && link.kind != LinkKind::Clears
        };
        let once = |halves: &Vec<u32>| halves.windows(2).all(|pair| pair[0] / 2 != pair[1] / 2);
        inner.iter().flatten().all(points) && stuck.iter().all(once)
    }

    /// Foreign keys are not looked at meanwhile.
    fn switch_off(&self, open: &mut Open<'_>, inner: &[Vec<usize>]) -> bool {
        if self.checks.off.is_none() {
            return false;
        }
        let points = |number: &usize| self.points(open.links[*number]);
        let ignored: Vec<usize> = inner.iter().flatten().copied().filter(points).collect();
        if ignored.is_empty() {
            return false;
        }
        open.ignored.extend(ignored);
        open.circle.checks = Checks::Off;
        true
    }

    /// One row of each circle that is left goes and comes again.
    fn replace(&self, open: &mut Open<'_>, inner: &[Vec<usize>]) -> bool {
        let mut found = false;
        for links in inner {
            let candidate = links.iter().map(|number| open.links[*number]).find(|link| {
                let item = &self.links.items[link.from as usize];
                link.kind == LinkKind::Yields
                    && item.action == RowAction::Update
                    && self.columns[&item.table].replace
                    && !open.circle.splits.contains_key(&link.from)
            });
            if let Some(link) = candidate {
                let split = Split { replace: true, ..Split::default() };
                open.circle.splits.insert(link.from, split);
                found = true;
            }
        }
        found
    }

    fn no_means(&self, open: &Open<'_>, waiting: &[&Link]) -> NoMeans {
        let mut tables = BTreeSet::new();
        let mut rows: Vec<String> = Vec::new();
        for item in open.circle.items.iter().map(|item| &self.links.items[*item as usize]) {
            tables.insert(item.table);
            let table = &self.replica.tables[item.table];
            if let (Some(pair), true) = (&table.pair, rows.len() < KEYS_SHOWN) {
                let planned = table.changes.pick([item.number]).next().and_then(Result::ok);
                let key = planned.map(|(_, planned)| super::key_text(pair, planned.change.row().bytes()));
                rows.push(format!("{} {}", table.table, key.unwrap_or_default()));
            }
        }
        if open.circle.items.len() > rows.len() {
            rows.push(format!("and {} more", open.circle.items.len() - rows.len()));
        }
        let mut hints: Vec<String> = Vec::new();
        for link in waiting {
            let hint = self.hint(link);
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        let names: Vec<&str> =
            tables.iter().map(|table| self.replica.tables[*table].table.as_str()).collect();
        let message = match names.as_slice() {
            [table] => format!("rows of table {table} wait for each other in a circle"),
            names => format!("rows of tables {} wait for each other in a circle", names.join(", ")),
        };
        let message =
            format!("{message}, and the replica's constraints leave no order in which they could be written");
        let failure = Failure::new(ErrorKind::Key, message).key(rows.join("; ")).hint(hints.join("; or "));
        NoMeans { tables, failure }
    }

    /// What would make a link no hindrance.
    fn hint(&self, link: &Link) -> String {
        let constraint = &self.links.constraints[link.constraint as usize];
        let table = &self.replica.tables[constraint.table];
        let name = |pair: &TablePair, column: &u16| pair.replica_part(usize::from(*column)).column.name;
        let columns: Vec<String> = match &table.pair {
            Some(pair) => constraint.columns.iter().map(|column| name(pair, column)).collect(),
            None => Vec::new(),
        };
        let (table, columns) = (&table.replica_table, columns.join(", "));
        match &constraint.rule {
            Rule::Points { key, .. } if key.on_delete == ForeignKeyAction::Restrict => {
                format!(
                    "let {table} ({columns}) take NULL, or declare its foreign key NO ACTION instead of RESTRICT"
                )
            }
            Rule::Points { .. } => {
                format!("let {table} ({columns}) take NULL, or declare its foreign key DEFERRABLE")
            }
            Rule::Unique { .. } => format!("let {table} ({columns}) take NULL on the replica"),
        }
    }
}

fn holds(split: &Split, columns: &[u16]) -> bool {
    columns.iter().any(|column| split.hold.contains(column))
}

/// How many rows of a circle are split one by one before the rest are together.
const ROUNDS_ONE_BY_ONE: u32 = 64;

/// How many rows and links to name.
const KEYS_SHOWN: usize = 5;

/// What a row could do without for a while.
#[derive(Default)]
struct Candidate {
    item: u32,
    empty: BTreeSet<u16>,
    spare: BTreeSet<u16>,
    hold: BTreeSet<u16>,
}

/// The numbers of the links that are within each circle.
fn by_component(open: &Open<'_>, component: &[u32], ends: impl Fn(&Link) -> (u32, u32)) -> Vec<Vec<usize>> {
    let mut inner: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (number, link) in open.links.iter().enumerate() {
        let (from, to) = ends(link);
        if !open.ignored.contains(&number) && component[from as usize] == component[to as usize] {
            inner.entry(component[from as usize]).or_default().push(number);
        }
    }
    inner.into_values().collect()
}
