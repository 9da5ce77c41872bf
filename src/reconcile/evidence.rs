//! What hazards of structural changes are about, counted on the replica in the plan's own moment.
//!
//! Owns the numbers alone; what has a hazard is the schema room's to say. Invariant: a number that stands in a plan was
//! counted; where it could not be, the table is in error.

use super::renames::Renames;
use crate::engine::Snapshot;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{ReplicaPlan, SchemaAction, SchemaChange, Status, TablePlan};
use crate::schema::Renaming;
use crate::spec::{DELETES_DATA, NARROWS_TYPE};
use crate::sql::{Alteration, Dialect, TableName};
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
            let known = std::mem::replace(table, TablePlan::unknown(String::new(), String::new()));
            *table = known.failed(failure);
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
    let renaming = renames.of(&name);
    let named = Named { is: renaming.map_or(&name, |renaming| &renaming.is), was: &name, renaming };
    for change in &mut table.schema_changes {
        for (hazard, sql) in questions(change, &named, dialect) {
            let answer = snapshot.ask(sql).await.map_err(Failure::from)?;
            let rows = answer.first().and_then(|count| count.as_ref()?.trim().parse::<u64>().ok());
            let rows = rows.ok_or_else(|| Failure::new(ErrorKind::Internal, "a count was not a number"))?;
            change.hazards[hazard].rows = Some(rows);
            if goes {
                table.rows.replica = rows;
            }
        }
    }
    Ok(())
}

/// A table whose name, and those of its columns, may be others once the changes are made.
struct Named<'a> {
    is: &'a TableName,
    was: &'a TableName,
    renaming: Option<&'a Renaming>,
}

impl Named<'_> {
    /// What a column is called now.
    fn column<'n>(&'n self, name: &'n str) -> &'n str {
        let columns = self.renaming.iter().flat_map(|renaming| &renaming.columns);
        columns.filter(|(_, is)| is == name).map(|(was, _)| was.as_str()).next().unwrap_or(name)
    }
}

/// The hazards whose rows can be counted, by their places, and the reads that do.
fn questions(change: &SchemaChange, named: &Named<'_>, dialect: &dyn Dialect) -> Vec<(usize, String)> {
    let table = named.was;
    let of_name = |name: &'static str| {
        let places = change.hazards.iter().enumerate();
        places.filter(move |(_, hazard)| hazard.name == name).map(|(place, _)| place)
    };
    let narrowed = match &change.alteration {
        Some(Alteration::Column { before, after }) => match &after.column_type.meaning {
            Type::Text { chars_max: Some(chars), .. } => {
                let is_text = matches!(before.column_type.meaning, Type::Text { .. });
                is_text.then(|| dialect.count_longer(table, named.column(&after.name), *chars))
            }
            Type::Enum { .. } | Type::Set { .. } => dialect.count_foreign(table, before, after),
            _ => None,
        },
        Some(Alteration::Enum(words)) => dialect.count_words(words),
        _ => None,
    };
    // A table that is made anew has a hazard for each column that goes, in their order.
    let lost = change.going_columns(named.is).into_iter();
    let lost = lost.map(|column| dialect.count_values(table, named.column(column)));
    let whole = (change.action == SchemaAction::DropTable).then(|| dialect.count_rows(table));
    let lost = lost.chain(whole);
    of_name(DELETES_DATA).zip(lost).chain(of_name(NARROWS_TYPE).zip(narrowed)).collect()
}
