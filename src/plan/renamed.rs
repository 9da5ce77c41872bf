//! A plan by the names that its tables and columns have before it gives them others.
//!
//! Pure. Invariant: but for names the two say the same.

use std::borrow::Cow;

use crate::schema::{Renaming, rename_pair};
use crate::sql;

use super::{ReplicaPlan, SchemaChange};

/// The statements of these changes: those that give names first, and the others.
pub fn renames_and_others<'c>(changes: impl Iterator<Item = &'c SchemaChange>) -> (Vec<String>, Vec<String>) {
    let (mut renames, mut others) = (Vec::new(), Vec::new());
    for change in changes {
        match change.action.gives_names_first() {
            true => renames.extend(change.sql.iter().cloned()),
            false => others.extend(change.sql.iter().cloned()),
        }
    }
    (renames, others)
}

impl ReplicaPlan {
    /// All pairs by the names that they have once these renamings are made.
    pub fn rename(&mut self, renamings: &[Renaming]) {
        let Some(server) = self.server.as_ref().filter(|_| !renamings.is_empty()) else { return };
        let dialect = sql::dialect(server.engine);
        for pair in self.tables.iter_mut().filter_map(|table| table.pair.as_mut()) {
            rename_pair(pair, renamings, dialect);
        }
    }

    /// The plan by the names that are there before it is begun.
    pub fn before_renaming(&self) -> Cow<'_, ReplicaPlan> {
        if self.renamings.is_empty() {
            return Cow::Borrowed(self);
        }
        let reversed: Vec<Renaming> = self.renamings.iter().map(Renaming::reversed).collect();
        let mut before = self.clone();
        before.rename(&reversed);
        Cow::Owned(before)
    }
}
