//! Changes of a table that is there, cut into steps that do not keep others from it (`online`).
//!
//! Owns how each step is committed, and what steps come to when all are made. Refuses what the engine cannot do that
//! way. Invariant: the steps leave the structure that the change leaves, and take its place in the order of changes.

use crate::spec::OWN_PREFIX;
use crate::sql::{Alteration, Attachment, AttachmentKind, Dialect, Online, OnlineStep, TableName};

use super::Table;
use super::alter::altered;
use super::change::{Commit, SchemaAction, SchemaChange};

/// The steps of a table's changes. `table`: the replica's, `None` where it comes with them; `partitioned`: whether it has
/// partitions.
///
/// # Errors
/// What the engine cannot do while others write to the table, and why.
pub fn online_changes(
    dialect: &dyn Dialect,
    name: &TableName,
    (table, partitioned): (Option<&Table>, bool),
    changes: &[SchemaChange],
) -> Result<Vec<SchemaChange>, String> {
    let mut taken = staying_names(table, changes);
    let mut cut = Vec::new();
    for change in changes {
        if change.withheld || !concerns_others(change, table.is_some()) {
            cut.push(change.clone());
            continue;
        }
        let named = change.alteration.clone().map(|one| with_a_name(one, &mut taken));
        match dialect.online(name, named.as_ref(), partitioned) {
            Online::Ordinary => cut.push(change.clone()),
            Online::Alone => cut.push(SchemaChange { commit: Commit::Alone, ..change.clone() }),
            Online::Steps(steps) => cut.extend(of_steps(dialect, name, change, steps)?),
            Online::Never(why) => return Err(format!("{}: {why}", change.object)),
        }
    }
    Ok(cut)
}

/// Whether it is about a table that others use: a table that comes is nobody's yet, but what it points at is.
fn concerns_others(change: &SchemaChange, is_there: bool) -> bool {
    let points = |one: &Attachment| one.kind == AttachmentKind::ForeignKey;
    match (&change.alteration, change.action) {
        (Some(Alteration::Attach(one)), _) if points(one) => true,
        (Some(_), _) => is_there,
        (None, SchemaAction::AddColumn | SchemaAction::DropColumn) => is_there,
        (None, action) => is_there && action.gives_names_first(),
    }
}

fn staying_names(table: Option<&Table>, changes: &[SchemaChange]) -> Vec<String> {
    let goes = |one: &Attachment| {
        let is_it = |change: &SchemaChange| matches!(&change.alteration, Some(Alteration::Detach(other)) if other == one);
        changes.iter().any(is_it)
    };
    let attachments = table.into_iter().flat_map(|table| &table.attachments);
    attachments.filter(|one| !goes(one)).map(|one| one.name.clone()).collect()
}

/// What comes by steps is known by its name from one to the next, also where the server would make one up.
fn with_a_name(alteration: Alteration, taken: &mut Vec<String>) -> Alteration {
    let Alteration::Attach(one) = alteration else { return alteration };
    if one.kind == AttachmentKind::Comment {
        return Alteration::Attach(one);
    }
    let mut name = one.name.clone();
    let mut number = 0;
    while one.name_made_up && taken.contains(&name) {
        number += 1;
        name = format!("{}{number}", one.name);
    }
    taken.push(name.clone());
    Alteration::Attach(Attachment { name, name_made_up: false, ..one })
}

fn of_steps(
    dialect: &dyn Dialect,
    name: &TableName,
    change: &SchemaChange,
    steps: Vec<OnlineStep>,
) -> Result<Vec<SchemaChange>, String> {
    let made = |step: OnlineStep| {
        let made = altered(dialect, name, step.alteration)?;
        // What is built elsewise than it is described is shown as it is built.
        let built =
            step.outside.as_ref().and_then(|sql| sql.last().cloned()).filter(|_| made.after.is_some());
        Some(SchemaChange {
            after: built.or(made.after),
            commit: if step.outside.is_some() { Commit::Outside } else { Commit::Alone },
            sql: step.outside.unwrap_or(made.sql),
            step_of: Some(change.action),
            behind_rows: change.behind_rows,
            hazards: Vec::new(),
            ..made
        })
    };
    let made: Option<Vec<SchemaChange>> = steps.into_iter().map(made).collect();
    let mut made = made.ok_or_else(|| format!("{}: there are no steps for it", change.object))?;
    // What must be allowed is asked for once.
    if let Some(last) = made.last_mut() {
        last.hazards.clone_from(&change.hazards);
    }
    Ok(made)
}

/// The changes that these come to when they are all made: without what was there only on the way.
pub fn without_steps(dialect: &dyn Dialect, name: &TableName, changes: &[SchemaChange]) -> Vec<SchemaChange> {
    let is_own = |one: &Attachment| one.name.starts_with(OWN_PREFIX);
    let whole = |change: &SchemaChange| {
        let (Some(alteration), Some(_)) = (&change.alteration, change.step_of) else {
            return Some(SchemaChange { commit: Commit::Together, ..change.clone() });
        };
        let alteration = match alteration {
            Alteration::Attach(one) | Alteration::Detach(one) | Alteration::Validate(one) if is_own(one) => {
                return None;
            }
            Alteration::Rename { attachment, name } if is_own(attachment) => {
                Alteration::Attach(Attachment { name: name.clone(), ..attachment.clone() })
            }
            Alteration::Become { after, .. } => Alteration::Attach((**after).clone()),
            other => other.clone(),
        };
        let made = altered(dialect, name, alteration)?;
        Some(SchemaChange { behind_rows: change.behind_rows, ..made })
    };
    changes.iter().filter_map(whole).collect()
}
