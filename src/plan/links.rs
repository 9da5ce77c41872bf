//! Which row change must come before which other one, found by the values that constraints compare.
//!
//! Works on encoded rows; of a row are held some numbers, and only of tables whose changes cannot be ordered as a
//! whole. A row that is pointed at must be there before rows point at it, and goes once none does; a unique value is
//! given up before it is taken. Invariant: values that a constraint takes for one are one here too; that two others
//! are (of 64 bits of blake3, or because their collation may hold them for equal) costs order, and no more.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use crate::compare::{ChangeNumber, RowChange};
use crate::schema::TablePair;
use crate::spool::SpoolError;
use crate::sql::{Dialect, ForeignKey};
use crate::value::{BlockHasher, Decimal, Domain, Value, decode};

use super::order::{Unordered, parent_of};
use super::step::{RowAction, RowStep};
use super::{PlannedChange, ReplicaPlan, TablePlan};

/// One row change.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub table: usize,
    pub number: ChangeNumber,
    pub action: RowAction,
    /// The columns that an update sets.
    pub set: Rc<[u16]>,
}

/// A foreign key or a unique key, as columns of its table's pair.
#[derive(Clone, Debug)]
pub(super) struct Constraint {
    pub table: usize,
    /// The columns that point, or that are unique: indexes of [`TablePair::replica_part`].
    pub columns: Vec<u16>,
    pub rule: Rule,
}

#[derive(Clone, Debug)]
pub(super) enum Rule {
    Points {
        key: ForeignKey,
        parent: usize,
        referenced: Vec<u16>,
        /// For each column, what the replica said of texts.
        marks: Vec<BTreeMap<String, String>>,
        /// Whether its ends compare in different ways, so that values that may be one have to be taken for one.
        coarse: bool,
    },
    Unique {
        /// Whether rows with NULL in one of its columns collide with none.
        empties: bool,
        /// Whether the transaction can put it off.
        deferrable: bool,
        /// The foreign keys that point at these columns: who gives a value up and who takes it belong into one
        /// transaction, for rows may point at it all the while.
        pointed_by: Vec<ForeignKey>,
    },
}

/// Why one change comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkKind {
    /// A row comes that the other one points at.
    Comes,
    /// A row stops pointing at one that goes.
    Leaves,
    /// As `Leaves`, of a row that is taken along where what it points at changes: the two belong into one transaction.
    Carried,
    /// A row goes, or gives up a value that is pointed at, and takes along those that point; the other one begins to point
    /// at that value, which is another row's by then.
    Clears,
    /// A row gives up a unique value that the other one takes.
    Yields,
}

/// One change comes before another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub from: u32,
    pub to: u32,
    pub constraint: u32,
    pub kind: LinkKind,
}

/// Row changes and what there is between them.
#[derive(Debug, Default)]
pub(super) struct Links {
    pub items: Vec<Item>,
    pub constraints: Vec<Constraint>,
    pub links: Vec<Link>,
    /// Items of rows that point at themselves, and that go or give up what is pointed at.
    pub own_parents: Vec<u32>,
    /// Items of updates after which a row points at the value that it gives up, where the key would carry the one on to the
    /// other; with the columns that point.
    pub own_takers: BTreeMap<u32, BTreeSet<u16>>,
}

/// Values, as numbers, with the item that has them.
type Ends = Vec<(u64, u32)>;

/// What is known of the rows at both ends of a constraint.
#[derive(Default)]
struct BothEnds {
    /// Rows that come to be pointed at, or that give a unique value up.
    first: [Ends; 2],
    /// Rows that begin to point, or to be there; those that go, or take.
    then: [Ends; 2],
}

/// For foreign keys: what comes and who points at it; who leaves and what goes. Unique keys use the second alone.
const COMES: usize = 0;
const LEAVES: usize = 1;

/// Columns, as their values are held against each other.
struct Compared(Vec<ComparedColumn>);

struct ComparedColumn {
    /// Its index.
    index: u16,
    domain: Domain,
    /// Whether different texts may be one.
    equates: bool,
    /// What the replica said of some.
    marks: BTreeMap<String, String>,
}

impl Links {
    /// The links between the changes of some steps.
    ///
    /// # Errors
    /// Where the changes cannot be read; where nobody wants them any more.
    pub(super) fn of(
        stopped: &dyn Fn() -> bool,
        replica: &ReplicaPlan,
        groups: &[&RowStep],
        dialect: Option<&dyn Dialect>,
    ) -> Result<Self, Unordered> {
        let mut links = Links { constraints: constraints(replica, groups, dialect), ..Links::default() };
        let mut ends: Vec<BothEnds> = links.constraints.iter().map(|_| BothEnds::default()).collect();
        let mut places = HashMap::new();
        for group in groups {
            Unordered::unless(stopped)?;
            links.add(&replica.tables[group.table], group, dialect, &mut ends, &mut places)?;
        }
        for number in 0..links.constraints.len() as u32 {
            Unordered::unless(stopped)?;
            let (ends, further) = ends[number as usize..].split_first_mut().expect("as many as constraints");
            let unique = matches!(links.constraints[number as usize].rule, Rule::Unique { .. });
            for (side, kind) in [(COMES, LinkKind::Comes), (LEAVES, LinkKind::Leaves)] {
                let kind = if unique { LinkKind::Yields } else { kind };
                let carried = links.is_carried(number, dialect);
                let mut found = Vec::new();
                join(&mut ends.first[side], &mut ends.then[side], |from, to| {
                    let both = [from, to].map(|item| links.items[item as usize].action);
                    let kind = match kind {
                        LinkKind::Leaves if carried && both == [RowAction::Update; 2] => LinkKind::Carried,
                        kind => kind,
                    };
                    found.push(Link { from, to, constraint: number, kind });
                });
                if carried {
                    links.hold_carried(number, &found, ends, further);
                }
                links.links.extend(found);
            }
            let cleared = links.cleared(number, ends, dialect);
            links.links.extend(cleared);
        }
        links.add_handovers(replica, groups, &places);
        Ok(links)
    }

    /// Whether both belong into one transaction, for rows may point at the value that passes from one to the other.
    pub(super) fn is_tied(&self, link: &Link) -> bool {
        match &self.constraints[link.constraint as usize].rule {
            Rule::Unique { pointed_by, .. } => !pointed_by.is_empty(),
            Rule::Points { .. } => false,
        }
    }

    /// Whether rows are taken along where what they point at changes. InnoDB does not do so where that leads back to the
    /// table in which it began.
    fn is_carried(&self, constraint: u32, dialect: Option<&dyn Dialect>) -> bool {
        let constraint = &self.constraints[constraint as usize];
        let off = dialect.is_some_and(|dialect| dialect.constraint_checks().off.is_some());
        match &constraint.rule {
            Rule::Points { key, parent, .. } => {
                key.on_update.carries() && !(off && self.carries_to(constraint.table, *parent))
            }
            Rule::Unique { .. } => false,
        }
    }

    /// Whether updates of one table may be carried on to another, or are of that one.
    fn carries_to(&self, from: usize, to: usize) -> bool {
        let (mut seen, mut reached) = (HashSet::from([from]), vec![from]);
        while let Some(table) = reached.pop() {
            if table == to {
                return true;
            }
            let further = self.constraints.iter().filter_map(|constraint| match &constraint.rule {
                Rule::Points { key, parent, .. } if *parent == table && key.on_update.carries() => {
                    Some(constraint.table)
                }
                _ => None,
            });
            reached.extend(further.filter(|table| seen.insert(*table)));
        }
        false
    }

    /// Who takes rows along from a value to which others come.
    fn cleared(&self, number: u32, ends: &mut BothEnds, dialect: Option<&dyn Dialect>) -> Vec<Link> {
        let Rule::Points { key, .. } = &self.constraints[number as usize].rule else { return Vec::new() };
        let carries = [key.on_delete.carries(), self.is_carried(number, dialect)];
        let [come, leave] = &mut ends.then;
        let mut cleared = Vec::new();
        join(leave, come, |from, to| {
            let gone = self.items[from as usize].action == RowAction::Delete;
            if carries[usize::from(!gone)] {
                cleared.push(Link { from, to, constraint: number, kind: LinkKind::Clears });
            }
        });
        cleared
    }

    /// A row that is taken along has its parent's new value until it is written itself: where that is unique, it yields
    /// it to the row that takes it for good. `further` are the ends of the constraints that follow, among them the
    /// unique keys of the same table.
    fn hold_carried(&self, number: u32, links: &[Link], ends: &BothEnds, further: &mut [BothEnds]) {
        let own = &self.constraints[number as usize];
        let behind = &self.constraints[number as usize + 1..];
        let over_the_same = |constraint: &Constraint| {
            matches!(constraint.rule, Rule::Unique { .. })
                && constraint.table == own.table
                && constraint.columns == own.columns
        };
        if !behind.iter().any(over_the_same) {
            return;
        }
        let taken: HashMap<u32, u64> = ends.first[COMES].iter().map(|(value, row)| (*row, *value)).collect();
        let held = links.iter().filter(|link| link.kind == LinkKind::Carried);
        let held: Ends = held.filter_map(|link| Some((*taken.get(&link.to)?, link.from))).collect();
        for (_, unique) in behind.iter().zip(further).filter(|(constraint, _)| over_the_same(constraint)) {
            unique.first[LEAVES].extend(&held);
        }
    }

    fn add(
        &mut self,
        table: &TablePlan,
        group: &RowStep,
        dialect: Option<&dyn Dialect>,
        ends: &mut [BothEnds],
        places: &mut HashMap<(usize, ChangeNumber), u32>,
    ) -> Result<(), SpoolError> {
        let Some(pair) = &table.pair else { return Ok(()) };
        let asks: Vec<Asked> = (self.constraints.iter().enumerate())
            .flat_map(|(number, constraint)| Asked::of(number, constraint, group.table, pair, dialect))
            .collect();
        let mut sets: BTreeMap<Vec<u16>, Rc<[u16]>> = BTreeMap::new();
        for picked in table.changes.pick(group.changes.iter().copied()) {
            let (number, planned) = picked?;
            let set = match &planned.change {
                RowChange::Update { columns, .. } => columns.clone(),
                _ => Vec::new(),
            };
            let set = Rc::clone(sets.entry(set).or_insert_with_key(|set| set.as_slice().into()));
            // Plans hold fewer changes than a number of 32 bits has room for.
            let item = self.items.len() as u32;
            if !table.handovers.is_empty() {
                places.insert((group.table, number), item);
            }
            if is_own_parent(&asks, &planned, &set) {
                self.own_parents.push(item);
            }
            self.hold_own(&asks, &planned, &set, item, ends, dialect);
            let taken = self.taken_from_itself(&asks, &planned, &set, dialect);
            if !taken.is_empty() {
                self.own_takers.insert(item, taken);
            }
            for asked in &asks {
                match &planned.change {
                    RowChange::Insert { .. } => asked.comes(&planned.fields(), item, ends),
                    RowChange::Delete { .. } => asked.goes(&planned.fields(), item, ends),
                    RowChange::Update { before, after, .. } if asked.moves(&set) => {
                        asked.goes(&before.fields().collect::<Vec<_>>(), item, ends);
                        asked.comes(&after.fields().collect::<Vec<_>>(), item, ends);
                    }
                    RowChange::Update { .. } => {}
                }
            }
            self.items.push(Item { table: group.table, number, action: group.action, set });
        }
        Ok(())
    }

    /// A row that points at itself is taken along by its own update: where what points is unique, it has the new value
    /// until that is written too.
    fn hold_own(
        &self,
        asks: &[Asked],
        planned: &PlannedChange,
        set: &[u16],
        item: u32,
        ends: &mut [BothEnds],
        dialect: Option<&dyn Dialect>,
    ) {
        let RowChange::Update { before, after, .. } = &planned.change else { return };
        let (before, after): (Vec<_>, Vec<_>) = (before.fields().collect(), after.fields().collect());
        for parent in asks.iter().filter(|asked| asked.part == Part::Parent && asked.moves(set)) {
            let own = |asked: &&Asked| asked.part == Part::Child && asked.constraint == parent.constraint;
            let Some(child) = asks.iter().find(own) else { continue };
            let points_at_itself = child.columns.number(&before).is_some()
                && child.columns.number(&before) == parent.columns.number(&before);
            let Some(taken) = parent
                .columns
                .number(&after)
                .filter(|_| points_at_itself && self.is_carried(parent.constraint as u32, dialect))
            else {
                continue;
            };
            let pointing = &self.constraints[parent.constraint];
            for (unique, ends) in self.constraints.iter().zip(ends.iter_mut()) {
                let same = matches!(unique.rule, Rule::Unique { .. })
                    && unique.table == pointing.table
                    && unique.columns == pointing.columns;
                if same {
                    ends.first[LEAVES].push((taken, item));
                }
            }
        }
    }

    /// The columns by which a row comes to point at a value that it gives up itself, where the key carries changes on: by
    /// one statement the replica would carry on to the new value, too.
    fn taken_from_itself(
        &self,
        asks: &[Asked],
        planned: &PlannedChange,
        set: &[u16],
        dialect: Option<&dyn Dialect>,
    ) -> BTreeSet<u16> {
        let RowChange::Update { before, after, .. } = &planned.change else { return BTreeSet::new() };
        let (before, after): (Vec<_>, Vec<_>) = (before.fields().collect(), after.fields().collect());
        let parents = asks.iter().filter(|asked| asked.part == Part::Parent && asked.moves(set));
        let taken = parents.flat_map(|parent| {
            let constraint = &self.constraints[parent.constraint];
            let carries = self.is_carried(parent.constraint as u32, dialect);
            let child = asks.iter().find(|asked| {
                asked.part == Part::Child && asked.constraint == parent.constraint && asked.moves(set)
            });
            let child = child.filter(|child| {
                let taken = child.columns.number(&after);
                carries && taken.is_some() && taken == parent.columns.number(&before)
            });
            child.into_iter().flat_map(|_| constraint.columns.iter().copied())
        });
        taken.filter(|column| set.contains(column)).collect()
    }

    /// What the replica itself said of unique values that pass from one row to another.
    fn add_handovers(
        &mut self,
        replica: &ReplicaPlan,
        groups: &[&RowStep],
        places: &HashMap<(usize, ChangeNumber), u32>,
    ) {
        let mut tables: Vec<usize> = groups.iter().map(|group| group.table).collect();
        tables.dedup();
        for table in tables {
            for handover in &replica.tables[table].handovers {
                let constraint = self.constraints.len() as u32;
                self.constraints.push(Constraint {
                    table,
                    columns: handover.columns.clone(),
                    rule: Rule::Unique {
                        empties: handover.empties,
                        deferrable: false,
                        pointed_by: pointed_by(replica, table, &handover.columns),
                    },
                });
                let place = |number: &ChangeNumber| places.get(&(table, *number)).copied();
                let links = handover.rows.iter().filter_map(|(gives, takes)| {
                    let (from, to) = (place(gives)?, place(takes)?);
                    Some(Link { from, to, constraint, kind: LinkKind::Yields })
                });
                self.links.extend(links.filter(|link| link.from != link.to));
            }
        }
    }
}

/// Whether a row that is its own parent, before or afterwards, goes or gives up what is pointed at.
fn is_own_parent(asks: &[Asked], planned: &PlannedChange, set: &[u16]) -> bool {
    let rows: Vec<Vec<Option<&[u8]>>> = match &planned.change {
        RowChange::Insert { .. } => return false,
        RowChange::Delete { .. } => vec![planned.fields()],
        RowChange::Update { before, after, .. } => vec![before.fields().collect(), after.fields().collect()],
    };
    let is_update = matches!(planned.change, RowChange::Update { .. });
    let parents = asks.iter().filter(|asked| asked.part == Part::Parent && (!is_update || asked.moves(set)));
    let mut ends = parents.filter_map(|parent| {
        let child = |asked: &&Asked| asked.part == Part::Child && asked.constraint == parent.constraint;
        Some((asks.iter().find(child)?, parent))
    });
    ends.any(|(child, parent)| {
        rows.iter().any(|row| {
            child.columns.number(row).is_some_and(|value| parent.columns.number(row) == Some(value))
        })
    })
}

/// All constraints between the tables of these steps.
fn constraints(replica: &ReplicaPlan, groups: &[&RowStep], dialect: Option<&dyn Dialect>) -> Vec<Constraint> {
    let tables: BTreeSet<usize> = groups.iter().map(|group| group.table).collect();
    let mut constraints = Vec::new();
    for table in tables.iter().copied() {
        let Some(pair) = &replica.tables[table].pair else { continue };
        for key in &pair.foreign_keys {
            let Some(parent) = parent_of(replica, &tables, key) else { continue };
            let Some(parent_pair) = &replica.tables[parent].pair else { continue };
            let (Some(columns), Some(referenced)) =
                (placed(pair, &key.columns), placed(parent_pair, &key.referenced))
            else {
                continue;
            };
            let told = replica.tables[table].equated.iter().find(|equated| equated.key == *key);
            let marks = told.map(|told| told.marks.clone()).unwrap_or_default();
            let ends = columns.iter().zip(&referenced).map(|(own, other)| {
                let part = |pair: &TablePair, index: &u16| pair.replica_part(usize::from(*index)).column;
                (part(pair, own), part(parent_pair, other))
            });
            let coarse = dialect.is_none_or(|dialect| {
                let mut ends = ends;
                ends.any(|(own, other)| {
                    !dialect.same_ends(&own, &other) || dialect.equates(&own) != dialect.equates(&other)
                })
            });
            let rule = Rule::Points { key: key.clone(), parent, referenced, marks, coarse };
            constraints.push(Constraint { table, columns, rule });
        }
        for key in &pair.unique_keys {
            let Some(columns) = placed(pair, &key.columns) else { continue };
            let pointed_by = pointed_by(replica, table, &columns);
            let empties = !replica.tables[table].nulls_are_one(&key.name);
            let rule = Rule::Unique { empties, deferrable: key.deferrable, pointed_by };
            constraints.push(Constraint { table, columns, rule });
        }
    }
    constraints
}

/// The replica's foreign keys that point at just these columns of a table.
pub(super) fn pointed_by(replica: &ReplicaPlan, table: usize, columns: &[u16]) -> Vec<ForeignKey> {
    let Some(pair) = &replica.tables[table].pair else { return Vec::new() };
    let sorted = |mut columns: Vec<u16>| {
        columns.sort_unstable();
        columns
    };
    let columns = sorted(columns.to_vec());
    let pairs = replica.tables.iter().filter_map(|table| table.pair.as_ref());
    let planned = pairs.flat_map(|child| &child.foreign_keys).filter(|key| key.table == pair.names.replica);
    let all = pair.dependents.iter().map(|dependent| &dependent.key).chain(planned);
    all.filter(|key| placed(pair, &key.referenced).map(sorted).as_ref() == Some(&columns)).cloned().collect()
}

/// Indexes of [`TablePair::replica_part`]. `None` where a column is not known to the pair.
pub(super) fn placed(pair: &TablePair, names: &[String]) -> Option<Vec<u16>> {
    let known: Vec<&str> = (pair.columns.iter().map(|column| column.sides.replica.name.as_str()))
        .chain(pair.replica_extra.iter().map(|extra| extra.column.name.as_str()))
        .collect();
    let find = |name: &String| {
        let exact = known.iter().position(|known| known == name);
        let index = exact.or_else(|| known.iter().position(|known| known.eq_ignore_ascii_case(name)))?;
        // Engines allow far fewer than 65,536 columns.
        Some(index as u16)
    };
    names.iter().map(find).collect()
}

/// What is asked of the rows of one table for one constraint.
struct Asked {
    constraint: usize,
    columns: Compared,
    /// Its part in the constraint.
    part: Part,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Child,
    Parent,
    Unique,
}

impl Asked {
    fn of(
        number: usize,
        constraint: &Constraint,
        table: usize,
        pair: &TablePair,
        dialect: Option<&dyn Dialect>,
    ) -> Vec<Self> {
        let (marks, coarse) = match &constraint.rule {
            Rule::Points { marks, coarse, .. } => (&marks[..], *coarse),
            Rule::Unique { .. } => (&[][..], false),
        };
        let asked = |columns: &[u16], part| Asked {
            constraint: number,
            columns: Compared::of(pair, columns, marks, coarse, dialect),
            part,
        };
        match &constraint.rule {
            Rule::Unique { .. } if constraint.table == table => {
                vec![asked(&constraint.columns, Part::Unique)]
            }
            Rule::Unique { .. } => Vec::new(),
            Rule::Points { parent, referenced, .. } => {
                let child = (constraint.table == table).then(|| asked(&constraint.columns, Part::Child));
                let parent = (*parent == table).then(|| asked(referenced, Part::Parent));
                child.into_iter().chain(parent).collect()
            }
        }
    }

    fn moves(&self, set: &[u16]) -> bool {
        self.columns.0.iter().any(|column| set.contains(&column.index))
    }

    /// A row comes to have these values.
    fn comes(&self, row: &[Option<&[u8]>], item: u32, ends: &mut [BothEnds]) {
        let Some(value) = self.columns.number(row) else { return };
        let ends = &mut ends[self.constraint];
        match self.part {
            Part::Child => ends.then[COMES].push((value, item)),
            Part::Parent => ends.first[COMES].push((value, item)),
            Part::Unique => ends.then[LEAVES].push((value, item)),
        }
    }

    /// A row has these values no longer.
    fn goes(&self, row: &[Option<&[u8]>], item: u32, ends: &mut [BothEnds]) {
        let Some(value) = self.columns.number(row) else { return };
        let ends = &mut ends[self.constraint];
        match self.part {
            Part::Child | Part::Unique => ends.first[LEAVES].push((value, item)),
            Part::Parent => ends.then[LEAVES].push((value, item)),
        }
    }
}

impl Compared {
    fn of(
        pair: &TablePair,
        columns: &[u16],
        marks: &[BTreeMap<String, String>],
        coarse: bool,
        dialect: Option<&dyn Dialect>,
    ) -> Self {
        let compared = |(place, index): (usize, &u16)| {
            let part = pair.replica_part(usize::from(*index));
            ComparedColumn {
                index: *index,
                domain: part.domain,
                equates: coarse || dialect.is_none_or(|dialect| dialect.equates(&part.column)),
                marks: marks.get(place).cloned().unwrap_or_default(),
            }
        };
        Compared(columns.iter().enumerate().map(compared).collect())
    }

    /// The values as a number; `None` where one is NULL or not known, for such a row is at neither end.
    fn number(&self, row: &[Option<&[u8]>]) -> Option<u64> {
        let mut hasher = BlockHasher::new([]);
        for column in &self.0 {
            let payload = column.comparable(row.get(usize::from(column.index)).copied().flatten()?);
            hasher.update(&(payload.len() as u64).to_be_bytes());
            hasher.update(&payload);
        }
        hasher.finish().bytes().first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
    }
}

impl ComparedColumn {
    fn comparable(&self, payload: &[u8]) -> Vec<u8> {
        let told = std::str::from_utf8(payload).ok().filter(|_| self.domain == Domain::Text);
        match told.and_then(|text| self.marks.get(text)) {
            Some(mark) => mark.clone().into_bytes(),
            None => comparable(&self.domain, payload, self.equates),
        }
    }
}

/// Calls back for every two items of equal values; a row is never linked to itself.
fn join(first: &mut Ends, then: &mut Ends, mut linked: impl FnMut(u32, u32)) {
    first.sort_unstable();
    then.sort_unstable();
    let mut rest = &then[..];
    for (value, from) in first.iter() {
        rest = &rest[rest.partition_point(|(other, _)| other < value)..];
        for (_, to) in rest.iter().take_while(|(other, _)| other == value) {
            if from != to {
                linked(*from, *to);
            }
        }
    }
}

/// A pointing column may be wider than the one it points at, or print other zeros, or hold numbers in another form; its
/// collation may know no case and no blanks at the end.
pub(super) fn comparable(domain: &Domain, payload: &[u8], equates: bool) -> Vec<u8> {
    let value = match decode(domain, Some(payload)) {
        Value::OtherStorage(value) => *value,
        value => value,
    };
    match value {
        Value::Integer(value) => value.to_string().into_bytes(),
        Value::Decimal(value) => without_zeros(&value).into_bytes(),
        Value::Float64(value) if equates => as_number(&value.to_string()).into_bytes(),
        Value::Float32(value) if equates => as_number(&value.to_string()).into_bytes(),
        Value::Text(text) if equates => as_number(text.trim_end()).to_lowercase().into_bytes(),
        _ => payload.to_vec(),
    }
}

/// A number in one form, any other text as it is.
fn as_number(text: &str) -> String {
    Decimal::parse(text.trim()).map_or_else(|_| text.to_owned(), |number| without_zeros(&number))
}

fn without_zeros(value: &Decimal) -> String {
    match value.as_str().split_once('.') {
        Some((whole, fraction)) => match fraction.trim_end_matches('0') {
            "" => whole.to_owned(),
            fraction => format!("{whole}.{fraction}"),
        },
        None => value.as_str().to_owned(),
    }
}
