//! What of the replica keeps a plan's structural changes from being made, asked before anything is written.
//!
//! Owns two answers: a foreign key that points at a key which goes is dropped and added around it where its table is one that
//! the plan may change; anything else is an error that names it. Refuses to drop what the spec does not speak of. Invariant:
//! what the server is known to refuse is no part of a plan that can be applied.

use std::collections::BTreeMap;

use crate::engine::{Blocker, Replica, Touch, Touched};
use crate::failure::{ErrorKind, Failure};
use crate::plan::{ReplicaPlan, SchemaAction, SchemaChange, TablePlan};
use crate::schema;
use crate::spec::{SchemaMode, Spec};
use crate::sql::{Alteration, Attachment, AttachmentKind, Column, Dialect, TableName};

/// Names in one message.
const NAMED_MAX: usize = 5;

/// Adds what must go around changes, and puts tables in error whose changes the server would refuse.
///
/// # Errors
/// Where the server cannot be asked.
pub(super) async fn settle(spec: &Spec, replica: &Replica, plan: &mut ReplicaPlan) -> Result<(), Failure> {
    let touched: Vec<(usize, Touched)> = (plan.tables.iter().enumerate())
        .flat_map(|(number, table)| touched(table).into_iter().map(move |one| (number, one)))
        .collect();
    let asked: Vec<Touched> = touched.iter().map(|(_, one)| one.clone()).collect();
    let mut refused: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for blocker in replica.blockers(&asked).await? {
        let Some((table, one)) = touched.get(blocker.touched) else { continue };
        if let Some((child, name)) = &blocker.foreign_key
            && goes_around(plan, child, name, replica.dialect())
        {
            continue;
        }
        if !is_out_of_the_way(plan, one, &blocker) {
            let words = format!("{} {}: {}", one.touch.words(), one.name, blocker.words);
            refused.entry(*table).or_default().push(words);
        }
    }
    for (table, words) in refused {
        refuse(spec, &mut plan.tables[table], &words);
    }
    Ok(())
}

/// What a table's changes take away or make another, by the names that are there.
fn touched(table: &TablePlan) -> Vec<Touched> {
    let (Some(pair), None) = (&table.pair, &table.error) else { return Vec::new() };
    if pair.replica_missing {
        return Vec::new();
    }
    let name = &pair.names.replica;
    let one = |what: &str, touch| Touched { table: name.clone(), name: what.to_owned(), touch };
    let of = |change: &SchemaChange| match (&change.alteration, change.action) {
        (Some(Alteration::Column { before, after }), _) => {
            let mut touched = Vec::new();
            if retypes(before, after) {
                touched.push(one(&before.name, Touch::Retyped));
            }
            let serial =
                |column: &Column| column.words.numbers.as_ref().is_some_and(|one| !one.is_identity());
            if serial(before) && !serial(after) {
                touched.push(one(&before.name, Touch::Sequence));
            }
            touched
        }
        (Some(Alteration::Remake { before, after, .. }), _) if after.generated.is_some() => {
            vec![one(&before.name, Touch::Dropped)]
        }
        (Some(Alteration::Detach(key)), _)
            if matches!(key.kind, AttachmentKind::PrimaryKey | AttachmentKind::Unique) =>
        {
            vec![one(&key.name, Touch::Key)]
        }
        (_, SchemaAction::DropColumn) => {
            change.column(name).map(|column| one(column, Touch::Dropped)).into_iter().collect()
        }
        _ => Vec::new(),
    };
    table.schema_changes.iter().filter(|change| !change.withheld).flat_map(of).collect()
}

fn retypes(before: &Column, after: &Column) -> bool {
    before.column_type.declared != after.column_type.declared
        || before.words.collation != after.words.collation
}

fn table_of<'p>(plan: &'p mut ReplicaPlan, name: &TableName) -> Option<&'p mut TablePlan> {
    let is_it = |table: &&mut TablePlan| {
        table.error.is_none() && table.pair.as_ref().is_some_and(|pair| pair.names.replica == *name)
    };
    plan.tables.iter_mut().find(is_it)
}

/// Whether a foreign key goes before the key that it points at, by the plan as it is or with what is added here.
fn goes_around(plan: &mut ReplicaPlan, child: &TableName, name: &str, dialect: &dyn Dialect) -> bool {
    let Some(table) = table_of(plan, child) else { return false };
    let is_it = |one: &Attachment| one.kind == AttachmentKind::ForeignKey && one.name == name;
    let written = table.schema_changes.iter().filter(|change| !change.withheld);
    let mut detached = written.filter_map(|change| match &change.alteration {
        Some(Alteration::Detach(one)) => Some(one),
        _ => None,
    });
    if detached.any(is_it) {
        return true;
    }
    let may_change = table.pair.as_ref().is_some_and(|pair| pair.schema == SchemaMode::Sync);
    let known = table.structure.replica.as_ref().filter(|_| may_change);
    let Some(found) = known.and_then(|known| known.attachments.iter().find(|one| is_it(one)).cloned()) else {
        return false;
    };
    // It comes back as it is to be: by its new name, held against all rows.
    let mut comes = found.clone();
    table.schema_changes.retain(|change| match &change.alteration {
        Some(Alteration::Rename { attachment, name }) if is_it(attachment) => {
            comes.name.clone_from(name);
            comes.name_made_up = false;
            false
        }
        Some(Alteration::Validate(one)) if one.kind == found.kind && is_as_named(one, &found, &comes) => {
            comes.valid = true;
            false
        }
        _ => true,
    });
    let steps = [Alteration::Detach(found), Alteration::Attach(comes)];
    table.schema_changes.extend(steps.into_iter().filter_map(|step| schema::altered(dialect, child, step)));
    table.schema_changes.sort_by_key(|change| (change.comes_last(), change.rank()));
    table.status = table.status_found();
    true
}

fn is_as_named(one: &Attachment, found: &Attachment, comes: &Attachment) -> bool {
    one.name == found.name || one.name == comes.name
}

/// Whether what needs a column is changed by the plan itself before that goes.
fn is_out_of_the_way(plan: &mut ReplicaPlan, one: &Touched, blocker: &Blocker) -> bool {
    let Some((table, column)) = &blocker.column else { return false };
    let Some(planned) = table_of(plan, table) else { return false };
    let gives_way = |change: &SchemaChange| match (&change.alteration, change.action) {
        (Some(Alteration::Remake { before, after, .. }), _) => {
            before.name == *column && (after.generated.is_none() || one.touch == Touch::Dropped)
        }
        (_, SchemaAction::DropColumn) => {
            one.touch == Touch::Dropped && change.column(table) == Some(column.as_str())
        }
        _ => false,
    };
    planned.schema_changes.iter().filter(|change| !change.withheld).any(gives_way)
}

fn refuse(spec: &Spec, table: &mut TablePlan, words: &[String]) {
    let shown = words[..words.len().min(NAMED_MAX)].join("; ");
    let more = match words.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let what = format!(
        "the structure of the replica's table {} cannot be changed, for others need it as it is: {shown}{more}",
        table.replica_table
    );
    let place = table.pair.as_ref().map(|pair| pair.place);
    let message = place.map_or_else(|| what.clone(), |place| spec.error_at(place, what.clone()).headline());
    let failure = Failure::new(ErrorKind::Type, message).hint(
        "drop what needs it on the replica and create it again behind the run, or set `schema: check` (report it) or \
         `schema: ignore` (look at rows only)",
    );
    table.fail(failure);
}
