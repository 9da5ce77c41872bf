//! Values that stay on the replica as they are, although the structure that comes behind the rows refuses them.
//!
//! Owns three things that can be refused: NULL, texts beyond a length, and words that a list loses. A value stays in a row
//! out of scope, in one whose change is withheld, and in a column that is not compared. Invariant: where rows are to be
//! written, a table that holds such a value is in error, for its structure could not be reached once they are.

use super::evidence::counted;
use super::renames::Renames;
use crate::engine::Snapshot;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{ReplicaPlan, RowChange, TablePlan};
use crate::schema::SchemaChange;
use crate::sql::{Alteration, Column, Dialect, EnumChange, EnumColumn, TableName};
use crate::value::{Domain, Type};

/// What a column refuses once it is altered.
enum Refused {
    Null,
    Longer(u64),
    /// Words other than these; `list`: of several in one value.
    Others {
        words: Vec<String>,
        list: bool,
    },
}

impl Refused {
    fn has(&self, payload: Option<&[u8]>) -> bool {
        let text = payload.map(String::from_utf8_lossy);
        match (self, text) {
            (Refused::Null, text) => text.is_none(),
            (_, None) => false,
            (Refused::Longer(chars), Some(text)) => text.chars().count() as u64 > *chars,
            (Refused::Others { words, list }, Some(text)) => {
                let is_word = |word: &str| words.iter().any(|other| other == word);
                match list {
                    true => !text.is_empty() && text.split(',').any(|word| !is_word(word)),
                    false => !is_word(&text),
                }
            }
        }
    }

    /// What so many rows do that hold such a value.
    fn held(&self, rows: u64) -> String {
        match (self, rows) {
            (Refused::Null, 1) => "is NULL".to_owned(),
            (Refused::Null, _) => "are NULL".to_owned(),
            (Refused::Longer(chars), 1) => format!("has more than {chars} characters"),
            (Refused::Longer(chars), _) => format!("have more than {chars} characters"),
            (Refused::Others { .. }, 1) => "holds words that go".to_owned(),
            (Refused::Others { .. }, _) => "hold words that go".to_owned(),
        }
    }
}

/// A column that refuses values behind the rows.
struct Demand {
    /// The table whose plan has the change.
    owner: usize,
    /// The table that has the column.
    table: usize,
    /// Its place among the columns that are compared; none: rows are not written for its sake.
    index: Option<u16>,
    /// Its name now.
    column: String,
    /// Of which rows it refuses its value.
    condition: String,
    refused: Refused,
}

/// Puts tables in error with values that their structure will refuse, and that the plan does not take away.
pub(super) async fn refuse(
    plan: &mut ReplicaPlan,
    snapshot: &dyn Snapshot,
    dialect: &dyn Dialect,
    renames: &Renames,
) {
    for demand in demands(plan, dialect, renames) {
        if let Err(failure) = refuse_one(plan, &demand, snapshot, dialect).await {
            for table in [demand.owner, demand.table] {
                if plan.tables[table].error.is_none() {
                    plan.tables[table].fail(failure.clone());
                }
            }
        }
    }
}

async fn refuse_one(
    plan: &ReplicaPlan,
    demand: &Demand,
    snapshot: &dyn Snapshot,
    dialect: &dyn Dialect,
) -> Result<(), Failure> {
    let table = &plan.tables[demand.table];
    let Some(name) = table.replica_name() else { return Ok(()) };
    let there = counted(snapshot, dialect.count_where(name, &demand.condition)).await?;
    if there == 0 {
        return Ok(());
    }
    let stays = there.saturating_sub(taken_away(table, demand)?);
    if stays == 0 {
        return Ok(());
    }
    let rows = if stays == 1 { "1 row".to_owned() } else { format!("{stays} rows") };
    let message = format!(
        "{rows} of the replica's {} that this plan does not write {} in column {}, which refuses that once it is altered",
        table.replica_table,
        demand.refused.held(stays),
        demand.column
    );
    Err(Failure::new(ErrorKind::Value, message).hint(
        "bring those rows into the scope, change them by hand, or set `schema: check` (report it) or `schema: ignore`",
    ))
}

/// How many rows have such a value that the plan deletes, or gives another one.
fn taken_away(table: &TablePlan, demand: &Demand) -> Result<u64, Failure> {
    let Some(index) = demand.index else { return Ok(0) };
    let mut rows = 0;
    for planned in table.changes.iter() {
        let planned = planned?;
        let before = match &planned.change {
            RowChange::Update { before, columns, .. } if columns.contains(&index) => before,
            RowChange::Delete { before } => before,
            RowChange::Update { .. } | RowChange::Insert { .. } => continue,
        };
        if !planned.withheld && demand.refused.has(before.fields().nth(usize::from(index)).flatten()) {
            rows += 1;
        }
    }
    Ok(rows)
}

fn demands(plan: &ReplicaPlan, dialect: &dyn Dialect, renames: &Renames) -> Vec<Demand> {
    let mut demands = Vec::new();
    for (owner, table) in plan.tables.iter().enumerate() {
        // What is truncated is never applied.
        if table.error.is_some() || table.truncated || table.pair.is_none() {
            continue;
        }
        let changes = table.schema_changes.iter().filter(|change| change.comes_last() && !change.withheld);
        for change in changes {
            demands.extend(of_change(plan, owner, change, dialect, renames));
        }
    }
    demands
}

fn of_change(
    plan: &ReplicaPlan,
    owner: usize,
    change: &SchemaChange,
    dialect: &dyn Dialect,
    renames: &Renames,
) -> Vec<Demand> {
    let column = |before: &Column, after: &Column, typed: bool| {
        let of_column = OfColumn { plan, owner, before, after, dialect, renames };
        let of_type = typed.then(|| of_column.of_type()).flatten();
        of_column.of_null().into_iter().chain(of_type).collect::<Vec<_>>()
    };
    match &change.alteration {
        Some(Alteration::Column { before, after }) => column(before, after, true),
        Some(Alteration::Rebuild(rebuild)) => {
            let columns = rebuild.after.columns.iter();
            let pairs = columns.filter_map(|after| {
                let before = rebuild.before.columns.iter().find(|before| before.name == after.name)?;
                Some((before, after))
            });
            // Its engine holds no value against a length.
            pairs.flat_map(|(before, after)| column(before, after, false)).collect()
        }
        Some(Alteration::Enum(words)) => of_words(plan, owner, words, dialect, renames),
        _ => Vec::new(),
    }
}

/// A column of a table's own, as it is while rows are written and behind them.
struct OfColumn<'a> {
    plan: &'a ReplicaPlan,
    owner: usize,
    before: &'a Column,
    after: &'a Column,
    dialect: &'a dyn Dialect,
    renames: &'a Renames,
}

impl OfColumn<'_> {
    fn of_null(&self) -> Option<Demand> {
        if self.after.nullable || !self.before.nullable {
            return None;
        }
        let (index, column) = self.found()?;
        let on_replica = self.plan.tables[self.owner].pair.as_ref()?.columns[usize::from(index)].on_replica;
        let condition = match (on_replica, &self.before.default) {
            (true, _) => self.dialect.is_null(&column),
            // It comes with a value.
            (false, Some(_)) => return None,
            (false, None) => "1 = 1".to_owned(),
        };
        Some(self.demand(index, column, condition, Refused::Null))
    }

    fn of_type(&self) -> Option<Demand> {
        let (index, column) = self.found()?;
        let pair = &self.plan.tables[self.owner].pair.as_ref()?.columns[usize::from(index)];
        if pair.domain != Domain::Text || !pair.on_replica {
            return None;
        }
        let (condition, refused) = match (&self.before.column_type.meaning, &self.after.column_type.meaning) {
            (Type::Text { .. }, Type::Text { chars_max: Some(chars), .. }) => {
                (self.dialect.longer(&column, *chars), Refused::Longer(*chars))
            }
            (_, Type::Enum { members } | Type::Set { members }) => {
                let condition = self.dialect.foreign(&column, self.before, self.after)?;
                let list = matches!(self.after.column_type.meaning, Type::Set { .. });
                (condition, Refused::Others { words: members.clone(), list })
            }
            _ => return None,
        };
        Some(self.demand(index, column, condition, refused))
    }

    fn found(&self) -> Option<(u16, String)> {
        let own = self.plan.tables[self.owner].pair.as_ref()?;
        let renaming = self.renames.of(&own.names.replica);
        let is = renaming.map_or(&own.names.replica, |renaming| &renaming.is);
        let (_, column) = self.renames.now(is, &self.after.name);
        Some((compared(&self.plan.tables[self.owner], column)?, column.to_owned()))
    }

    fn demand(&self, index: u16, column: String, condition: String, refused: Refused) -> Demand {
        Demand { owner: self.owner, table: self.owner, index: Some(index), column, condition, refused }
    }
}

/// The columns of an enum type that loses words. What arrays hold is found by the server.
fn of_words(
    plan: &ReplicaPlan,
    owner: usize,
    words: &EnumChange,
    dialect: &dyn Dialect,
    renames: &Renames,
) -> Vec<Demand> {
    let Some(after) = words.after.as_ref().filter(|_| !words.going().is_empty()) else { return Vec::new() };
    let columns = words.columns.iter().filter(|column| !column.array);
    let demand = |column: &EnumColumn| {
        let (name, now) = renames.now(&column.table, &column.name);
        let table = plan.tables.iter().position(|table| is_written(table, name))?;
        let named = EnumColumn { name: now.to_owned(), ..column.clone() };
        let index = compared(&plan.tables[table], now);
        if index.is_none() && plan.tables[table].summary.delete > 0 {
            // Whether those that are deleted hold it is not read.
            return None;
        }
        let condition = dialect.holds_going(words, &named)?;
        let refused = Refused::Others { words: after.clone(), list: false };
        Some(Demand { owner, table, index, column: now.to_owned(), condition, refused })
    };
    columns.filter_map(demand).collect()
}

fn is_written(table: &TablePlan, name: &TableName) -> bool {
    table.error.is_none() && !table.truncated && table.replica_name() == Some(name)
}

/// The place of a column among those that are compared.
fn compared(table: &TablePlan, column: &str) -> Option<u16> {
    let pair = table.pair.as_ref()?;
    let columns = pair.columns.iter().take(pair.compared_columns);
    let place = columns.into_iter().position(|pair| pair.sides.replica.name == column)?;
    u16::try_from(place).ok()
}
