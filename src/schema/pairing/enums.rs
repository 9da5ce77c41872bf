//! Enum types that are objects of their own: what the replica's need for the columns in scope.
//!
//! Owns which table's plan has the changes of a type that several tables use: the first of those that this run may write.
//! Refuses to make a type anew that anything uses which the run is not about. Invariant: while rows are written, a type has
//! every word of either side.

use std::collections::BTreeSet;

use crate::failure::{ErrorKind, Failure};
use crate::spec::SchemaMode;
use crate::sql::{Column, EnumChange, EnumColumn, EnumType, TableName, word_steps};

use super::super::alter::altered;
use super::super::change::SchemaChange;
use super::super::structure::EnumPlan;
use super::super::{Selected, Table};
use super::{OnPrimary, Pairer};

/// Names in one message.
const NAMED_MAX: usize = 5;

impl Pairer<'_> {
    /// The enum types of this table's columns that the replica lacks, or has with other words.
    pub(super) fn enums(&self, key: &[String]) -> Result<Vec<EnumPlan>, Failure> {
        if self.entry.schema == SchemaMode::Ignore {
            return Ok(Vec::new());
        }
        let used = self.databases.primary_enums.iter().filter(|one| self.uses(one, key));
        let plans = used.map(|one| self.enum_plan(one)).collect::<Result<Vec<_>, _>>()?;
        Ok(plans.into_iter().flatten().collect())
    }

    /// Whether a column in scope is of this type of the primary's, or of lists of it.
    fn uses(&self, one: &EnumType, key: &[String]) -> bool {
        let is_of = |column: &Column| {
            let declared = &column.column_type.declared;
            declared.strip_suffix("[]").unwrap_or(declared) == one.printed
        };
        self.primary.columns.iter().any(|column| is_of(column) && self.in_scope(&column.name, key))
    }

    fn enum_plan(&self, wanted: &EnumType) -> Result<Option<EnumPlan>, Failure> {
        let replica = self.databases.replica;
        let found = replica.enums.iter().find(|one| one.printed == wanted.printed);
        let Some(found) = found else {
            let printed = &wanted.printed;
            if replica.types.as_ref().is_some_and(|types| types.contains(printed)) {
                let what =
                    format!("the type {printed} is an enum on the primary and another type on the replica");
                return Err(self.enum_failure(what).hint("rename or drop the replica's by hand"));
            }
            let concerned = self.concerned(wanted, &[]);
            let change = concerned.change(wanted, None, Some(wanted.words.clone()));
            return Ok(Some(self.with_owner(wanted, wanted.words.clone(), vec![change])));
        };
        if found.words == wanted.words {
            return Ok(None);
        }
        let concerned = self.concerned(wanted, &found.columns);
        let steps = word_steps(&found.words, &wanted.words);
        let mut changes = Vec::new();
        let mut between = found.words.clone();
        for pair in steps.windows(2) {
            let (before, after) = (Some(pair[0].clone()), Some(pair[1].clone()));
            let change = concerned.change(wanted, before, after);
            match change.coming() {
                Some(_) => {
                    between.clone_from(&pair[1]);
                    changes.extend(word_by_word(change));
                }
                None => changes.push(change),
            }
        }
        let anew = changes.iter().any(|change| change.coming().is_none());
        let plan = self.with_owner(wanted, between, changes);
        if anew && !plan.changes.is_empty() && self.entry.schema == SchemaMode::Sync {
            self.refuse_others(found)?;
        }
        Ok(Some(plan))
    }

    /// With the changes, where it is this table's plan that has them.
    fn with_owner(&self, wanted: &EnumType, between: Vec<String>, changes: Vec<EnumChange>) -> EnumPlan {
        let (dialect, own) = (self.databases.dialects.replica, self.replica_name().0);
        let made: Vec<SchemaChange> = match self.owns(wanted) {
            true => changes
                .into_iter()
                .filter_map(|change| altered(dialect, &own, crate::sql::Alteration::Enum(change)))
                .collect(),
            false => Vec::new(),
        };
        EnumPlan { printed: wanted.printed.clone(), between, changes: made }
    }

    /// Whether this is the first table of the run that may write the type, or may at least report it.
    fn owns(&self, wanted: &EnumType) -> bool {
        let mut owner = self.users(wanted, SchemaMode::Sync).next();
        if owner.is_none() {
            owner = self.users(wanted, SchemaMode::Check).next();
        }
        owner.is_some_and(|owner| owner.primary.name == self.primary.name)
    }

    /// The tables of the run that use a type and whose structure is treated in this way.
    fn users<'s>(&'s self, wanted: &'s EnumType, mode: SchemaMode) -> impl Iterator<Item = Pairer<'s>> {
        let chosen = self.databases.chosen.with_type(&wanted.printed);
        let chosen = chosen.filter_map(|selected| self.other(selected));
        chosen.filter(move |other| other.entry.schema == mode && other.uses(wanted, &other.key()))
    }

    fn other<'s>(&'s self, selected: &'s Selected<'s>) -> Option<Pairer<'s>> {
        let primary: &Table = selected.table.as_ref().ok()?;
        let own = OnPrimary { spec: self.spec, entry: selected.entry, primary };
        Some(Pairer { own, databases: self.databases })
    }

    /// What changes of a type are about; nothing for a table whose plan has none of them. `columns`: the replica's.
    fn concerned<'c>(&self, wanted: &EnumType, columns: &'c [EnumColumn]) -> Concerned<'c> {
        if !self.owns(wanted) {
            return Concerned::default();
        }
        let users = self.users(wanted, SchemaMode::Sync);
        let mut tables: Vec<TableName> = users.map(|other| other.on_replica()).collect();
        tables.extend(columns.iter().map(|column| column.table.clone()));
        tables.sort();
        tables.dedup();
        Concerned { columns, tables }
    }

    /// The replica's name for the table, as its catalog has it.
    fn on_replica(&self) -> TableName {
        let name = self.replica_name().0;
        self.databases.replica.meant(&name).map_or(name, |table| table.name.clone())
    }

    /// What else uses a type that is made anew would break, or keep it from being made.
    fn refuse_others(&self, found: &EnumType) -> Result<(), Failure> {
        let chosen = self.databases.chosen.iter().filter_map(|selected| self.other(selected));
        let ours: BTreeSet<TableName> = chosen
            .filter(|other| other.entry.schema == SchemaMode::Sync)
            .map(|other| other.on_replica())
            .collect();
        let columns = found.columns.iter().filter(|column| !ours.contains(&column.table));
        let columns = columns.map(|column| format!("{}.{}", column.table, column.name));
        let others: Vec<String> = columns.chain(found.others.iter().cloned()).collect();
        if others.is_empty() {
            return Ok(());
        }
        let shown = others[..others.len().min(NAMED_MAX)].join(", ");
        let more = match others.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let what = format!(
            "the enum type {} has words that go or change places, so it is made anew, and what this run may not change \
             uses it: {shown}{more}",
            found.printed
        );
        Err(self.enum_failure(what).hint(
            "bring those tables into the spec with `schema: sync`, drop or change what else uses the type, or set `schema: \
             check` (report it) or `schema: ignore`",
        ))
    }

    fn enum_failure(&self, what: String) -> Failure {
        Failure::new(ErrorKind::Type, self.spec.error_at(self.entry.table.place, what).headline())
    }
}

/// What a change of a type is about.
#[derive(Default)]
struct Concerned<'a> {
    /// The replica's columns that are of it.
    columns: &'a [EnumColumn],
    /// The replica's tables that have such columns, or get some.
    tables: Vec<TableName>,
}

impl Concerned<'_> {
    fn change(
        &self,
        wanted: &EnumType,
        before: Option<Vec<String>>,
        after: Option<Vec<String>>,
    ) -> EnumChange {
        let (columns, tables) = (self.columns.to_vec(), self.tables.clone());
        EnumChange { printed: wanted.printed.clone(), before, after, columns, tables }
    }
}

/// Each word that comes is a change of its own, so that a run that is cut off in between can be gone on with.
fn word_by_word(change: EnumChange) -> Vec<EnumChange> {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return vec![change] };
    let mut words = before.clone();
    let mut changes = Vec::new();
    for word in after.iter().filter(|word| !before.contains(word)) {
        let mut next = words.clone();
        next.push(word.clone());
        let next: Vec<String> = after.iter().filter(|one| next.contains(one)).cloned().collect();
        changes.push(EnumChange { before: Some(words), after: Some(next.clone()), ..change.clone() });
        words = next;
    }
    changes
}
