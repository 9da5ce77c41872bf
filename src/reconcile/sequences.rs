//! Asks both sides where their sequences stand, and adds the steps that the replica's need.
//!
//! Sequences take no part in snapshots, so they are read once the snapshots are there: what the primary's have given
//! until that moment is behind them. Invariant: a sequence that several columns draw from has one step, which minds
//! the rows of all of them that the spec takes in.

use std::collections::HashMap;
use std::sync::Arc;

use super::renames::Renames;
use crate::compare::RowChange;
use crate::engine::Snapshot;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{Course, ReplicaPlan, SchemaAction, SchemaChange, TablePlan, set_sequence};
use crate::schema::{Table, TablePair};
use crate::sides::{Side, Sides};
use crate::spec::{SchemaMode, Spec};
use crate::sql::{Alteration, Dialect, Sequence, TableName};
use crate::value::{Value, decode};

/// Both sides of one replica's comparison.
pub(super) struct Sequences<'a> {
    pub spec: &'a Spec,
    pub snapshots: &'a Sides<Arc<dyn Snapshot>>,
    pub dialects: Sides<&'a dyn Dialect>,
    pub renames: &'a Renames,
}

/// A column of the replica that a sequence numbers.
struct Numbered {
    table: usize,
    /// Index into the pair's columns.
    column: usize,
    sequence: Sequence,
    /// Where it stands, what the primary asks for, and beyond the replica's own rows; along the course.
    now: i128,
    wanted: i128,
    beyond_rows: Option<i128>,
}

impl Sequences<'_> {
    /// Adds the steps. A table whose sequences cannot be told is in error.
    pub(super) async fn add_steps(&self, plan: &mut ReplicaPlan) {
        let mut numbered: Vec<Numbered> = Vec::new();
        let mut unread: Vec<(String, String)> = Vec::new();
        for index in 0..plan.tables.len() {
            match self.of_table(index, &plan.tables[index], &mut unread).await {
                Ok(found) => numbered.extend(found),
                Err(failure) => plan.tables[index].fail(failure),
            }
        }
        plan.notes.extend(unread_note(&unread));
        for (first, sharing) in by_sequence(numbered) {
            let table = first.table;
            if let Err(failure) = self.step(plan, first, sharing).await {
                plan.tables[table].fail(failure);
            }
        }
    }

    /// The columns of a table that a sequence of the replica's numbers.
    async fn of_table(
        &self,
        index: usize,
        table: &TablePlan,
        unread: &mut Vec<(String, String)>,
    ) -> Result<Vec<Numbered>, Failure> {
        let Some(pair) = looked_at(table) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for column in 0..pair.columns.len() {
            if let Some(sequence) = self.sequence_of(table, pair, column) {
                let own = own_sequence(table, &sequence.column).unwrap_or(&sequence);
                if let Some(hidden) = hidden(self.spec, pair, own) {
                    return Err(hidden);
                }
                found.push(self.numbered(index, table, pair, column, sequence, unread).await?);
            }
        }
        Ok(found)
    }

    /// What numbers the replica's column, or will once the plan has made it.
    fn sequence_of(&self, table: &TablePlan, pair: &TablePair, column: usize) -> Option<Sequence> {
        let paired = &pair.columns[column];
        if let Some(planned) = planned(table, &paired.sides.replica.name) {
            return planned;
        }
        match paired.on_replica {
            true => own_sequence(table, &paired.sides.replica.name).cloned(),
            false if pair.schema == SchemaMode::Sync => {
                self.dialects.replica.numbering().made(&paired.sides.replica)
            }
            false => None,
        }
        .or_else(|| self.made_alike(table, pair, column))
    }

    /// The counter that a table has once it is made in the words of the primary's.
    fn made_alike(&self, table: &TablePlan, pair: &TablePair, column: usize) -> Option<Sequence> {
        let anew = |change: &SchemaChange| {
            let makes = matches!(change.action, SchemaAction::CreateTable | SchemaAction::RebuildTable);
            makes && !change.withheld
        };
        let alike = self.dialects.primary.same_family(self.dialects.replica);
        if !alike || !table.schema_changes.iter().any(anew) {
            return None;
        }
        let Sides { primary, replica } = &pair.columns[column].sides;
        let there = table.structure.primary.as_ref()?.sequence(&primary.name)?;
        let counter = there.name.is_none().then(|| there.clone())?;
        Some(Sequence { column: replica.name.clone(), ..counter })
    }

    async fn numbered(
        &self,
        index: usize,
        table: &TablePlan,
        pair: &TablePair,
        column: usize,
        sequence: Sequence,
        unread: &mut Vec<(String, String)>,
    ) -> Result<Numbered, Failure> {
        let course = Course::of(&sequence);
        let on_replica = pair.columns[column].on_replica;
        let own = own_sequence(table, &pair.columns[column].sides.replica.name).filter(|_| on_replica);
        let there = on_replica
            && (own.is_some() || planned(table, &pair.columns[column].sides.replica.name).is_some());
        let position = match own {
            Some(own) => self.position(Side::Replica, pair, own).await?,
            None => None,
        };
        // One that takes the place of another goes on where that stood, as far as it can.
        let gives = |(number, _): &(i128, bool)| sequence.name.is_some() || Course::gives(&sequence, *number);
        let mut now = course.next(position.filter(gives));
        let mut wanted = now;
        let names = pair.columns[column].sides.as_ref().map(|column| column.name.as_str());
        let primary = table.structure.primary.as_ref().and_then(|table| table.sequence(names.primary));
        if let Some(primary) = primary.filter(|primary| Course::of(primary).agrees(&course)) {
            match &primary.hidden {
                Some(grant) => unread.push((format!("{}.{}", pair.table, names.primary), grant.clone())),
                None => {
                    let position = self.position(Side::Primary, pair, primary).await?;
                    wanted = wanted.max(Course::of(primary).next(position));
                }
            }
        }
        let numbering = self.dialects.replica.numbering();
        let (mut beyond_rows, mut primary_rows) = (None, None);
        if course.minds_rows() {
            if there {
                beyond_rows = self.beyond(Side::Replica, pair, names.replica, &course, None).await?;
            }
            // The rows in scope will be the primary's, as far as any are written.
            if table.summary.insert + table.summary.update > 0 {
                let scope = pair.scope.as_ref().map(|scope| scope.primary.as_str());
                primary_rows = self.beyond(Side::Primary, pair, names.primary, &course, scope).await?;
                wanted = wanted.max(primary_rows.unwrap_or(wanted));
            }
        }
        if numbering.counts_rows() {
            now = now.max(beyond_rows.take().unwrap_or(now));
        }
        if numbering.counts_inserted() && now < wanted && table.summary.insert > 0 {
            let all_new = pair.replica_missing || table.rows.replica == 0;
            let inserted = if all_new { primary_rows } else { beyond_inserted(table, column, &course)? };
            now = now.max(inserted.unwrap_or(now));
        }
        Ok(Numbered { table: index, column, sequence, now, wanted, beyond_rows })
    }

    /// One step for all columns that draw from one sequence.
    async fn step(
        &self,
        plan: &mut ReplicaPlan,
        first: Numbered,
        sharing: Vec<Numbered>,
    ) -> Result<(), Failure> {
        let course = Course::of(&first.sequence);
        let all = || std::iter::once(&first).chain(&sharing);
        let now = all().map(|numbered| numbered.now).max().unwrap_or(first.now);
        let mut wanted = all().map(|numbered| numbered.wanted).max().unwrap_or(first.wanted);
        for numbered in all() {
            let Some(beyond) = numbered.beyond_rows.filter(|beyond| *beyond > wanted) else { continue };
            if self.any_stays(&plan.tables[numbered.table], numbered.column, &course, wanted).await? {
                wanted = beyond;
            }
        }
        let table = &mut plan.tables[first.table];
        let Some(pair) = &table.pair else { return Ok(()) };
        let withheld = pair.schema == SchemaMode::Check;
        let step = course.reach(now, wanted).and_then(|next| {
            let numbering = self.dialects.replica.numbering();
            // By then the table and its column may have other names.
            let mut sequence = first.sequence.clone();
            let renaming = self.renames.of(&pair.names.replica).filter(|_| !withheld);
            let table = renaming.map_or(&pair.names.replica, |renaming| &renaming.is);
            let columns = renaming.iter().flat_map(|renaming| &renaming.columns);
            for (_, is) in columns.filter(|(was, _)| *was == first.sequence.column) {
                sequence.column.clone_from(is);
            }
            set_sequence(numbering, table, &sequence, now, next, withheld)
        });
        if let Some(step) = step {
            table.schema_changes.push(step);
            table.status = table.status_found();
        }
        Ok(())
    }

    /// Whether the replica has a row whose number is not before `from` and that the plan leaves there. (Where it takes
    /// some of them away and not all, the furthest of them counts, too far at worst.)
    async fn any_stays(
        &self,
        table: &TablePlan,
        column: usize,
        course: &Course,
        from: i128,
    ) -> Result<bool, Failure> {
        let Some(pair) = &table.pair else { return Ok(false) };
        if table.summary.delete + table.summary.update == 0 || pair.is_keyless() {
            return Ok(true);
        }
        let name = &pair.columns[column].sides.replica.name;
        let smallest = course.along(1) < 0;
        let sql = self.dialects.replica.numbering().count_from(
            &pair.names.replica,
            name,
            smallest,
            course.along(from),
        );
        let there: u64 = match self.snapshots.replica.ask(sql).await?.into_iter().next().flatten() {
            Some(count) => count.parse().unwrap_or(u64::MAX),
            None => u64::MAX,
        };
        let mut leaving = 0;
        for planned in table.changes.iter() {
            let planned = planned?;
            let before = match &planned.change {
                _ if planned.withheld => continue,
                RowChange::Delete { before } => before,
                RowChange::Update { before, columns, .. } if columns.contains(&(column as u16)) => before,
                _ => continue,
            };
            let number = number_in(pair, column, before.fields().nth(column).flatten());
            leaving += u64::from(number.is_some_and(|number| course.along(number) >= from));
        }
        Ok(there > leaving)
    }

    async fn position(
        &self,
        side: Side,
        pair: &TablePair,
        sequence: &Sequence,
    ) -> Result<Option<(i128, bool)>, Failure> {
        let sql = self.dialects.get(side).numbering().position(pair.names.get(side), sequence);
        let answer = self.snapshots.get(side).ask(sql).await.map_err(|error| error.on(side))?;
        let [Some(number), Some(given), ..] = answer.as_slice() else { return Ok(None) };
        let number = number.parse().map_err(|_| {
            let message = format!("where the sequence of {} stands was not understood", sequence.column);
            Failure::new(ErrorKind::Internal, message)
        })?;
        Ok(Some((number, given == "true")))
    }

    /// The number behind the furthest that a row has, along the course.
    async fn beyond(
        &self,
        side: Side,
        pair: &TablePair,
        column: &str,
        course: &Course,
        scope: Option<&str>,
    ) -> Result<Option<i128>, Failure> {
        let smallest = course.along(1) < 0;
        let scope = scope.filter(|scope| !scope.is_empty());
        let sql = self.dialects.get(side).numbering().furthest(pair.names.get(side), column, smallest, scope);
        let answer = self.snapshots.get(side).ask(sql).await.map_err(|error| error.on(side))?;
        let furthest = answer.into_iter().next().flatten().and_then(|text| whole(&text));
        Ok(furthest.map(|number| course.along(number).saturating_add(1)))
    }
}

/// The columns of each sequence, the first apart, in their order. A counter that has no name is its column's alone.
fn by_sequence(numbered: Vec<Numbered>) -> Vec<(Numbered, Vec<Numbered>)> {
    let mut places: HashMap<TableName, usize> = HashMap::new();
    let mut groups: Vec<(Numbered, Vec<Numbered>)> = Vec::new();
    for one in numbered {
        let known = one.sequence.name.as_ref().and_then(|name| places.get(name));
        match known {
            Some(place) => groups[*place].1.push(one),
            None => {
                places.extend(one.sequence.name.clone().map(|name| (name, groups.len())));
                groups.push((one, Vec::new()));
            }
        }
    }
    groups
}

/// What numbers a column of the replica once the plan has given it another sequence, or none: `None` where it does neither.
fn planned(table: &TablePlan, column: &str) -> Option<Option<Sequence>> {
    let changes = table.schema_changes.iter().rev().filter(|change| !change.withheld);
    let numbers = |change: &SchemaChange| match &change.alteration {
        Some(Alteration::Column { before, after }) if after.name == column => {
            let (was, is) = (&before.words.numbers, &after.words.numbers);
            (was != is).then(|| is.as_ref().map(|is| is.sequence(column)))
        }
        _ => None,
    };
    changes.into_iter().find_map(numbers)
}

/// What numbers a column of the replica now.
fn own_sequence<'t>(table: &'t TablePlan, column: &str) -> Option<&'t Sequence> {
    table.structure.replica.as_ref()?.sequence(column)
}

/// Why a sequence of the replica's is an error, if the login may not read it.
fn hidden(spec: &Spec, pair: &TablePair, sequence: &Sequence) -> Option<Failure> {
    let grant = sequence.hidden.as_ref()?;
    let name = sequence.name.as_ref().map(ToString::to_string).unwrap_or_default();
    let message = format!(
        "this login may not read the replica's sequence {name} of {}.{}, so nobody can tell whether its next number is \
         free",
        pair.replica_table, sequence.column
    );
    let failure = Failure::new(ErrorKind::Permission, spec.error_at(pair.place, message).headline());
    Some(failure.hint(format!("{grant}, and UPDATE to let apply move it; or set `schema: ignore`")))
}

/// The sequences of the replica's table that a plan of this pair would look at.
pub(super) fn looked_at_in<'a>(
    pair: &'a TablePair,
    replica: &'a Table,
) -> impl Iterator<Item = &'a Sequence> {
    let in_scope = |sequence: &&Sequence| {
        let name = &sequence.column;
        pair.columns.iter().any(|column| column.on_replica && column.sides.replica.name == *name)
    };
    let looked_at = pair.schema != SchemaMode::Ignore;
    replica.sequences.iter().filter(in_scope).filter(move |_| looked_at)
}

/// What of them a login may not read.
pub(super) fn hidden_in(spec: &Spec, pair: &TablePair, replica: &Table) -> Vec<Failure> {
    looked_at_in(pair, replica).filter_map(|sequence| hidden(spec, pair, sequence)).collect()
}

/// The pair, where its structure is looked at and there is or will be a table.
fn looked_at(table: &TablePlan) -> Option<&TablePair> {
    let pair = table.pair.as_ref().filter(|_| table.error.is_none())?;
    let looked_at = match pair.schema {
        SchemaMode::Sync => true,
        SchemaMode::Check => !pair.replica_missing,
        SchemaMode::Ignore => false,
    };
    looked_at.then_some(pair)
}

/// A number as a side prints it, without its fraction.
fn whole(text: &str) -> Option<i128> {
    text.split('.').next()?.parse().ok()
}

fn number_in(pair: &TablePair, column: usize, field: Option<&[u8]>) -> Option<i128> {
    match decode(&pair.columns[column].domain, field) {
        Value::Integer(number) => Some(number),
        Value::Decimal(number) => whole(number.as_str()),
        _ => None,
    }
}

/// The number behind the furthest that an inserted row brings, along the course.
fn beyond_inserted(table: &TablePlan, column: usize, course: &Course) -> Result<Option<i128>, Failure> {
    let Some(pair) = &table.pair else { return Ok(None) };
    let mut furthest = None;
    for planned in table.changes.iter() {
        let planned = planned?;
        if let (RowChange::Insert { after }, false) = (&planned.change, planned.withheld) {
            let number = number_in(pair, column, after.fields().nth(column).flatten());
            furthest = furthest.max(number.map(|number| course.along(number).saturating_add(1)));
        }
    }
    Ok(furthest)
}

/// What of the primary could not be read, in one sentence.
fn unread_note(unread: &[(String, String)]) -> Option<String> {
    let (_, grant) = unread.first()?;
    let columns: Vec<&str> = unread.iter().map(|(column, _)| column.as_str()).collect();
    let more = if unread.len() > 1 { ", and the others alike" } else { "" };
    Some(format!(
        "where the primary's sequences of {} stand may not be read ({grant}{more}): the replica's own rows alone decide",
        columns.join(", ")
    ))
}
