//! What hazards of structural changes are about, counted on the replica in the plan's own moment.
//!
//! Owns the numbers alone; what has a hazard is the schema room's to say. Invariant: a number that stands in a plan was
//! counted; where it could not be, the table is in error.

use super::renames::Renames;
use crate::engine::Snapshot;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{ReplicaPlan, SchemaAction, SchemaChange, Status, TablePlan};
use crate::spec::{DELETES_DATA, NARROWS_TYPE};
use crate::sql::{Alteration, Dialect, EnumColumn, TableName};
use crate::value::Type;

/// Gives each hazard the rows that it is about, where they can be counted.
pub(super) async fn count(
    plan: &mut ReplicaPlan,
    snapshot: &dyn Snapshot,
    dialect: &dyn Dialect,
    renames: &Renames,
) {
    for table in plan.tables.iter_mut().filter(|table| table.error.is_none()) {
        if let Err(failure) = of_table(table, snapshot, dialect, renames).await {
            table.fail(failure);
        }
    }
}

async fn of_table(
    table: &mut TablePlan,
    snapshot: &dyn Snapshot,
    dialect: &dyn Dialect,
    renames: &Renames,
) -> Result<(), Failure> {
    let Some(name) = table.replica_name().cloned() else { return Ok(()) };
    let goes = table.status == Status::Extra;
    // Changes have the names that are there by then.
    let is = renames.of(&name).map_or(&name, |renaming| &renaming.is);
    for change in &mut table.schema_changes {
        for (hazard, reads) in questions(change, is, renames, dialect) {
            let mut rows = 0;
            for sql in reads {
                rows += counted(snapshot, sql).await?;
            }
            change.hazards[hazard].rows = Some(rows);
            if goes {
                table.rows.replica = rows;
            }
        }
    }
    Ok(())
}

/// The answer to a read of one number.
///
/// # Errors
/// Where the replica cannot be asked.
pub(super) async fn counted(snapshot: &dyn Snapshot, sql: String) -> Result<u64, Failure> {
    let answer = snapshot.ask(sql).await.map_err(Failure::from)?;
    let count = answer.first().and_then(|count| count.as_ref()?.trim().parse::<u64>().ok());
    count.ok_or_else(|| Failure::new(ErrorKind::Internal, "a count was not a number"))
}

/// The hazards whose rows can be counted, by their places, and the reads that do, whose numbers make one. `table`: its name
/// once all is made.
fn questions(
    change: &SchemaChange,
    table: &TableName,
    renames: &Renames,
    dialect: &dyn Dialect,
) -> Vec<(usize, Vec<String>)> {
    let of_name = |name: &'static str| {
        let places = change.hazards.iter().enumerate();
        places.filter(move |(_, hazard)| hazard.name == name).map(|(place, _)| place)
    };
    let narrowed = refused_values(change, dialect, table, renames).map(|refused| {
        let reads = refused.into_iter();
        reads.map(|(table, condition)| dialect.count_where(&table, &condition)).collect::<Vec<_>>()
    });
    // A table that is made anew has a hazard for each column that goes, in their order.
    let lost = change.going_columns(table).into_iter().map(|column| {
        let (table, column) = renames.now(table, column);
        vec![dialect.count_values(table, column)]
    });
    let whole = (change.action == SchemaAction::DropTable).then(|| vec![dialect.count_rows(table)]);
    let lost = lost.chain(whole);
    of_name(DELETES_DATA).zip(lost).chain(of_name(NARROWS_TYPE).zip(narrowed)).collect()
}

/// The tables and conditions of values that the type which comes does not take; `None` where they cannot be told.
fn refused_values(
    change: &SchemaChange,
    dialect: &dyn Dialect,
    table: &TableName,
    renames: &Renames,
) -> Option<Vec<(TableName, String)>> {
    match change.alteration.as_ref()? {
        Alteration::Column { before, after } => {
            let (table, column) = renames.now(table, &after.name);
            let condition = match &after.column_type.meaning {
                Type::Text { chars_max: Some(chars), .. } => {
                    let is_text = matches!(before.column_type.meaning, Type::Text { .. });
                    is_text.then(|| dialect.longer(column, *chars))
                }
                Type::Enum { .. } | Type::Set { .. } => dialect.foreign(column, before, after),
                _ => None,
            };
            condition.map(|condition| vec![(table.clone(), condition)])
        }
        Alteration::Enum(words) if !words.going().is_empty() => {
            let held = words.columns.iter().map(|column| {
                let (table, name) = renames.now(&column.table, &column.name);
                let named = EnumColumn { table: table.clone(), name: name.to_owned(), array: column.array };
                dialect.holds_going(words, &named).map(|condition| (named.table, condition))
            });
            held.collect()
        }
        _ => None,
    }
}
