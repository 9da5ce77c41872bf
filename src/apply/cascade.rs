//! Deletes that would take rows with them which the plan does not name.
//!
//! Where a foreign key of the replica says ON DELETE CASCADE, SET NULL or SET DEFAULT, deleting a row changes
//! rows that point at it. Those that the plan deletes or points elsewhere are out of the way by then; whatever
//! still points there is nobody's to change (a withheld delete, a row out of scope). Invariant: no row of a
//! table in the plan changes that the plan did not show. Tables outside the plan are not known here.

use crate::compare::RowChange;
use crate::engine::Writer;
use crate::failure::{ErrorKind, Failure};
use crate::plan::{NumberedChange, RowAction, TablePlan};
use crate::schema::TablePair;
use crate::sql::{ForeignKey, ForeignKeyAction, Select, SelectColumn, Selection};
use crate::value::{Domain, Key, decode, encode};

use super::guard::GuardedStep;
use super::{GivenUp, Run, rows};

impl Run<'_> {
    /// Before the deletes of a step: an error where rows would change along with them.
    pub(super) async fn refuse_cascades(
        &self,
        writer: &mut dyn Writer,
        step: &GuardedStep,
    ) -> Result<(), GivenUp> {
        let table = &self.plan.tables[step.table];
        let Some(parent) = table.pair.as_ref().filter(|_| step.action == RowAction::Delete) else {
            return Ok(());
        };
        for child in self.plan.tables.iter().filter_map(|table| table.pair.as_ref()) {
            for key in child.foreign_keys.iter().filter(|key| carries_on(key, parent)) {
                let Some(reference) = Reference::new(child, parent, key) else { continue };
                for piece in rows::pieces(table, &step.pending) {
                    self.go_on()?;
                    let keys = reference.keys(&piece?);
                    if !keys.is_empty() && !writer.read(&reference.select(child, keys)).await?.is_empty() {
                        return Err(carried_on(table, child).into());
                    }
                }
            }
        }
        Ok(())
    }
}

fn carries_on(key: &ForeignKey, parent: &TablePair) -> bool {
    key.on_delete != ForeignKeyAction::Refuse && key.table == parent.names.replica
}

fn carried_on(table: &TablePlan, child: &TablePair) -> Failure {
    let message = format!(
        "rows of table {} still point at rows of table {} that are to be deleted, and the replica's foreign key \
         would change them too, which is not in the plan",
        child.table, table.table
    );
    Failure::new(ErrorKind::Key, message).hint(format!(
        "bring those rows of {} into the scope of the spec, or let it delete them",
        child.table
    ))
}

/// The columns of a foreign key on both ends.
struct Reference {
    pointing: Vec<SelectColumn>,
    /// Indexes into the parent's columns, with their domains.
    pointed_at: Vec<(usize, Domain)>,
}

impl Reference {
    /// `None` where a column is not known to the pair, so that its values are not known either.
    fn new(child: &TablePair, parent: &TablePair, key: &ForeignKey) -> Option<Self> {
        let pointing = |name: &String| {
            let paired = child.columns.iter().find(|column| column.sides.replica.name == *name);
            let paired = paired.filter(|column| column.on_replica).map(|column| SelectColumn {
                column: column.sides.replica.clone(),
                domain: column.domain.clone(),
            });
            paired.or_else(|| child.replica_extra.iter().find(|extra| extra.column.name == *name).cloned())
        };
        let pointed_at = |name: &String| {
            let index = parent.columns.iter().position(|column| column.sides.replica.name == *name)?;
            Some((index, parent.columns[index].domain.clone()))
        };
        Some(Reference {
            pointing: key.columns.iter().map(pointing).collect::<Option<_>>()?,
            pointed_at: key.referenced.iter().map(pointed_at).collect::<Option<_>>()?,
        })
    }

    /// The values that deleted rows are pointed at by, in the domains of the columns that point.
    fn keys(&self, deleted: &[NumberedChange]) -> Vec<Key> {
        let rows = deleted.iter().filter_map(|(_, planned)| match &planned.change {
            RowChange::Delete { before } => Some(before),
            _ => None,
        });
        rows.filter_map(|row| self.key(&row.fields().collect::<Vec<_>>())).collect()
    }

    /// `None` where a value is NULL or lies outside the pointing column's domain: nothing points there.
    fn key(&self, fields: &[Option<&[u8]>]) -> Option<Key> {
        let mut bytes = Vec::new();
        for ((index, domain), pointing) in self.pointed_at.iter().zip(&self.pointing) {
            let value = decode(domain, Some(fields.get(*index).copied().flatten()?));
            encode(&mut bytes, &pointing.domain, &value).ok()?;
        }
        Some(Key::new(bytes))
    }

    fn select(&self, child: &TablePair, keys: Vec<Key>) -> Select {
        Select {
            table: child.names.replica.clone(),
            columns: self.pointing.clone(),
            key_columns: self.pointing.len(),
            scope: None,
            selection: Selection::Keys(keys),
            ordered: false,
            locked: false,
        }
    }
}
