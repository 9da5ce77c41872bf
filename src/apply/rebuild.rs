//! Tables that are made anew, and those that nothing of the primary is the counterpart of and that go, in a transaction of
//! their own.
//!
//! Foreign keys are switched off for it, so that dropping the old table carries nothing on; rows are never written in it,
//! for they may count on what foreign keys carry on. Invariant: it commits only where no row points at nothing that did not
//! before.

use crate::engine::Writer;
use crate::plan::SchemaAction;
use crate::sql::TableName;

use super::drops::is_extra_drop;
use super::orphans::{new_orphans, orphaned, standing};
use super::{GivenUp, Run, Written, abandon, unanswered};

/// Structural changes: index of the table, index of the change.
type Places = Vec<(usize, usize)>;

impl Run<'_> {
    /// Whether a table is made anew by these changes.
    pub(super) fn makes_anew(&self, changes: &[(usize, usize)]) -> bool {
        self.schema_changes(changes).any(|(table, change)| {
            change.action == SchemaAction::RebuildTable
                || (is_extra_drop(table, change) && self.dialect.drops_rows_first())
        })
    }

    /// The changes that give names, which what speaks of a table follows only outside of what makes tables anew, and the
    /// others.
    pub(super) fn renames_first(&self, changes: &[(usize, usize)]) -> (Places, Places) {
        let renames = |place: &(usize, usize)| {
            self.plan.tables[place.0].schema_changes[place.1].action.gives_names_first()
        };
        changes.iter().partition(|place| renames(place))
    }

    /// Gives names, in a transaction of its own; how many changes that were.
    pub(super) async fn rename(
        &self,
        writer: &mut dyn Writer,
        changes: &[(usize, usize)],
    ) -> Result<u64, GivenUp> {
        self.go_on()?;
        writer.begin().await?;
        for (table, change) in self.schema_changes(changes) {
            if let Err(given_up) = self.change_schema(writer, table, change).await {
                abandon(writer).await;
                return Err(given_up);
            }
        }
        writer.commit().await.map_err(unanswered)?;
        Ok(changes.len() as u64)
    }

    /// Makes these structural changes, of which some make tables anew.
    pub(super) async fn rebuild(
        &self,
        writer: &mut dyn Writer,
        changes: &[(usize, usize)],
    ) -> Result<Written, GivenUp> {
        self.go_on()?;
        writer.begin_rebuild().await?;
        let written = match self.in_rebuild(writer, changes).await {
            Ok(written) => written,
            Err(given_up) => {
                abandon(writer).await;
                return Err(given_up);
            }
        };
        writer.commit().await.map_err(unanswered)?;
        Ok(written)
    }

    async fn in_rebuild(
        &self,
        writer: &mut dyn Writer,
        changes: &[(usize, usize)],
    ) -> Result<Written, GivenUp> {
        let anew =
            self.schema_changes(changes).filter(|(_, change)| change.action == SchemaAction::RebuildTable);
        let tables: Vec<TableName> = anew
            .filter_map(|(table, _)| table.pair.as_ref())
            .map(|pair| pair.names.replica.clone())
            .collect();
        let standing = standing(writer, &tables).await?;
        self.refuse_rows_left(writer, changes).await?;
        self.refuse_other_rows(writer, changes, true).await?;
        let mut written = Written::default();
        for (table, change) in self.schema_changes(changes) {
            self.change_schema(writer, table, change).await?;
            written.schema_changes += 1;
        }
        let new = new_orphans(writer, &tables, standing).await?;
        if !new.is_empty() {
            return Err(orphaned(new));
        }
        self.go_on()?;
        Ok(written)
    }
}
