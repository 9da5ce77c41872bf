//! Tables that only the replica has, where the spec says that such are dropped.
//!
//! Invariant: a table stands in a plan as one to drop only where the primary was asked for one of its name and said that
//! there is none; and it is in error where anything that stays needs it.

use crate::engine::{Holder, Primary, Replica};
use crate::failure::{ErrorKind, Failure};
use crate::plan::{self, ReplicaPlan, SchemaChange, Status, TablePlan};
use crate::schema::{self, Catalog, Databases, Extra, Folding};
use crate::sides::Sides;
use crate::spec::Spec;
use crate::sql::TableName;

use super::{Aim, Options};

/// What is found of one replica.
#[derive(Debug, Default)]
pub(super) struct Extras {
    /// The tables, as parts of the plan, in the order in which they go.
    pub tables: Vec<TablePlan>,
    /// The names that they would have on the primary.
    pub on_primary: Vec<TableName>,
}

impl Extras {
    /// These, beside a primary of which it is known whether it has any table.
    pub fn beside(mut self, bare: bool) -> Extras {
        for table in &mut self.tables {
            table.bare_primary |= bare;
        }
        self
    }
}

/// The tables that only the replica has and that go, or why one cannot.
///
/// # Errors
/// Where a side cannot be asked.
pub(super) async fn find(
    spec: &Spec,
    options: &Options,
    (primary, catalog): (&Primary, &Catalog),
    (replica, databases): (&Replica, &Databases<'_>),
) -> Result<Extras, Failure> {
    let extras = schema::extra_tables(spec, catalog, databases, &options.tables);
    let failed = |(name, failure): (String, Failure)| TablePlan::unknown(name.clone(), name).failed(failure);
    let mut tables: Vec<TablePlan> =
        schema::unreached_globs(spec, databases).into_iter().map(failed).collect();
    let on_primary = extras.iter().map(|extra| extra.on_primary.clone()).collect();
    let names: Vec<TableName> = extras.iter().map(|extra| extra.table.name.clone()).collect();
    // Whether it can be written is not asked where somebody only looks.
    let holders = match options.aim {
        Aim::Look => Vec::new(),
        Aim::Plan | Aim::Write => replica.holders_of(&names).await?,
    };
    let first: Vec<(TableName, TableName)> =
        holders.iter().filter_map(|holder| Some((holder.of.clone()?, holder.table.clone()))).collect();
    for (at, changes) in schema::drops(replica.dialect(), &extras, &first) {
        let problem = match known_on_primary(spec, primary, &extras[at], databases.replica.folding).await? {
            Some(problem) => Some(problem),
            None => in_the_way(&extras[at], &holders).or_else(|| spoken_of(&extras[at], databases, &names)),
        };
        let planned = table_plan(&extras[at], changes, problem);
        tables.push(TablePlan { bare_primary: catalog.tables.is_empty(), ..planned });
    }
    Ok(Extras { tables, on_primary })
}

fn table_plan(extra: &Extra<'_>, changes: Vec<SchemaChange>, problem: Option<Failure>) -> TablePlan {
    let plan = TablePlan {
        status: Status::Extra,
        structure: Sides::new(None, Some(extra.table.clone())),
        schema_changes: changes,
        ..TablePlan::unknown(extra.name.clone(), extra.name.clone())
    };
    match problem {
        Some(problem) => plan.failed(problem),
        None => plan,
    }
}

/// What is a view or a partition there, or what this login may not see, is no table that only the replica has.
async fn known_on_primary(
    spec: &Spec,
    primary: &Primary,
    extra: &Extra<'_>,
    folding: Folding,
) -> Result<Option<Failure>, Failure> {
    if let Some(reason) = &extra.table.hidden_rows {
        let message = format!("the table {} would be seen only in part: {reason}", extra.table.name);
        return Ok(Some(Failure::new(ErrorKind::Permission, message)));
    }
    let mut known = match &extra.taken_part {
        Some(part) => Some(part.clone()),
        None if primary.knows(&extra.on_primary, folding).await? => Some(extra.on_primary.clone()),
        None => None,
    };
    // Its partitions go with it.
    for part in &extra.table.layout.partitions {
        let on_primary = TableName { name: part.name.name.clone(), ..extra.on_primary.clone() };
        if known.is_none() && primary.knows(&on_primary, folding).await? {
            known = Some(on_primary);
        }
    }
    let Some(known) = known else { return Ok(None) };
    let what = format!(
        "whether to drop the replica's table {} cannot be told: the primary has something of the name {} that is another \
         table or no table to compare (a view, a partition), or that this login may not see",
        extra.name, known.name
    );
    let message = spec.error_at(extra.entry.table.place, what).headline();
    Ok(Some(Failure::new(ErrorKind::Missing, message).hint(leave_out(&extra.name))))
}

fn leave_out(table: &str) -> String {
    format!("leave it out with `skip_tables: [{table}]`")
}

fn in_the_way(extra: &Extra<'_>, holders: &[Holder]) -> Option<Failure> {
    let words: Vec<&str> = holders
        .iter()
        .filter(|holder| holder.of.is_none() && holder.table == extra.table.name)
        .map(|holder| holder.words.as_str())
        .collect();
    (!words.is_empty()).then(|| {
        needed(&extra.name, &words.join(", "))
            .hint(format!("drop what needs it on the replica first, or {}", leave_out(&extra.name)))
    })
}

/// A trigger of a table that stays, whose text has the name of one that goes: not every engine minds before it fires.
fn spoken_of(extra: &Extra<'_>, databases: &Databases<'_>, going: &[TableName]) -> Option<Failure> {
    let staying = databases.replica.tables.iter().filter(|table| !going.contains(&table.name));
    let mut speaking = staying.flat_map(|table| {
        let triggers = table.triggers.iter().filter(|trigger| trigger.speaks_of(&extra.table.name.name));
        triggers.map(|trigger| format!("trigger {} of {}", trigger.name, table.name))
    });
    speaking.next().map(|words| {
        needed(&extra.name, &words)
            .hint(format!("drop the trigger on the replica first, or {}", leave_out(&extra.name)))
    })
}

fn needed(table: &str, by: &str) -> Failure {
    Failure::new(ErrorKind::Type, format!("the table {table} cannot be dropped: it is needed by {by}"))
}

/// A table that another one points at, which stays and does not lose its foreign key before, is in error.
///
/// # Errors
/// Where the server cannot be asked.
pub(super) async fn refuse_pointed_at(replica: &Replica, plan: &mut ReplicaPlan) -> Result<(), Failure> {
    let names = plan::drops(plan);
    if names.is_empty() {
        return Ok(());
    }
    let found = replica.dependents(&names).await?;
    // One that stays may point at others.
    loop {
        let standing = plan::standing_in_the_way(plan, found.clone());
        let Some(first) = standing.first() else { return Ok(()) };
        let table = plan.tables.iter_mut().find(|table| {
            table.error.is_none()
                && table.status == Status::Extra
                && table.replica_name() == Some(&first.key.table)
        });
        let Some(table) = table else { return Ok(()) };
        let words: Vec<String> = standing
            .iter()
            .filter(|dependent| dependent.key.table == first.key.table)
            .map(|dependent| format!("{} ({})", dependent.table, dependent.key.columns.join(", ")))
            .collect();
        let failure = needed(&table.table, &format!("the foreign key of {}", words.join(" and of ")))
            .hint(format!("drop the foreign key on the replica first, or {}", leave_out(&table.table)));
        table.fail(failure);
    }
}
