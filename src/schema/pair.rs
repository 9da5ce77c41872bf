//! A table pair: what is compared with what, and in which domains.

use serde::{Deserialize, Serialize};

use crate::sides::{Side, Sides};
use crate::spec::{CompareRule, Place, SchemaMode, TriggerMode};
use crate::sql::{Column, ForeignKey, Select, SelectColumn, Selection, TableName};
use crate::value::{Domain, Key, KeyOrder, Type, Value, decode};

use super::{Fit, UniqueKey};

/// A table on the primary and its counterpart on one replica.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TablePair {
    /// The name in output: as in the spec, for a glob's tables without schema in the default schema.
    pub table: String,
    /// The name on each side, qualified as the catalog has it.
    pub names: Sides<TableName>,
    /// The replica's name for people: as in the spec's `to`, else like `table`.
    pub replica_table: String,
    /// Whether the spec says in which schema the replica's table is; else it is in the default one.
    pub replica_qualified: bool,
    /// Where the spec speaks of it.
    pub place: Place,
    /// The columns in scope: the key's, then those compared, then those that the spec ignores. Columns
    /// generated on the replica are not among them.
    pub columns: Vec<ColumnPair>,
    /// How many of `columns` are the key; none where rows are told apart by all that they hold.
    pub key_columns: usize,
    /// How many of `columns` take part in comparing, key included.
    pub compared_columns: usize,
    /// The scope (`where`) rendered for each side.
    pub scope: Option<Sides<String>>,
    /// The `where` as the spec has it, for people.
    pub filter: Option<String>,
    /// How many of the primary's columns the spec leaves out of `columns`.
    pub columns_out_of_scope: usize,
    /// Whether the replica lacks the table (it will be created, or `apply` cannot run).
    pub replica_missing: bool,
    /// Columns that only the replica has, or that are out of scope: shown in deletes, never compared.
    pub replica_extra: Vec<SelectColumn>,
    /// Foreign keys of the replica's table.
    pub foreign_keys: Vec<ForeignKey>,
    /// The replica's foreign keys that point at this table.
    pub dependents: Vec<Dependent>,
    /// Columns of the replica's table of which a CHECK constraint speaks, by the replica's names.
    pub checked: Vec<String>,
    /// Unique keys of the replica's table other than the key, by the replica's column names.
    pub unique_keys: Vec<UniqueKey>,
    /// What to do with structure.
    pub schema: SchemaMode,
    /// Whether structure is changed while others write to the table.
    #[serde(default)]
    pub online: bool,
    /// Whether the replica's triggers fire for what is written.
    #[serde(default)]
    pub triggers: TriggerMode,
    /// Whether inserts, updates and deletes are written; `false` means withheld.
    pub writes: Writes,
    /// The server's row estimates.
    pub rows_estimate: Sides<Option<u64>>,
}

/// A table whose rows point at those of another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependent {
    /// The table that points.
    pub table: TableName,
    /// Its foreign key.
    pub key: ForeignKey,
}

/// Which kinds of row change the spec lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writes {
    /// Missing rows are written.
    pub insert: bool,
    /// Differing rows are written.
    pub update: bool,
    /// Extra rows are deleted.
    pub delete: bool,
}

impl Writes {
    /// Whether anything may be written.
    pub fn any(self) -> bool {
        self.insert || self.update || self.delete
    }
}

/// A column on the primary and its counterpart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ColumnPair {
    /// The column on each side. The replica's is the one to be created where it is missing.
    pub sides: Sides<Column>,
    /// What the values are compared as.
    pub domain: Domain,
    /// What the replica's column itself holds, where it may spell one value of `domain` in several ways.
    pub stored: Option<Domain>,
    /// What the spec excuses.
    pub rule: Option<CompareRule>,
    /// Whether the replica has the column already.
    pub on_replica: bool,
    /// How well the replica's column, as it will be, holds what the primary's holds; `None` between servers of one family.
    #[serde(default)]
    pub fit: Option<Fit>,
}

impl ColumnPair {
    /// The name in output: the primary's.
    pub fn name(&self) -> &str {
        &self.sides.primary.name
    }

    /// Decodes a field read on the primary, decimals with the zeros that side prints.
    pub fn primary_value(&self, field: Option<&[u8]>) -> Value {
        shown(decode(&self.domain, field), &self.sides.primary)
    }

    /// Decodes a field read on the replica, decimals with the zeros that side prints.
    pub fn replica_value(&self, field: Option<&[u8]>) -> Value {
        shown(decode(&self.domain, field), &self.sides.replica)
    }
}

/// A replica's column as it is stored. A date and time whose zone the spec says is stored without one.
fn stored_part(column: &ColumnPair) -> Option<SelectColumn> {
    let mut stored = column.sides.replica.clone();
    if let Type::Zoned { digits, .. } = stored.column_type.meaning {
        stored.column_type.meaning = Type::DateTime { digits };
    }
    Some(SelectColumn { column: stored, domain: column.stored.clone()? })
}

/// A decimal with the zeros that its column prints.
fn shown(value: Value, column: &Column) -> Value {
    match (value, column.column_type.printed_scale()) {
        (Value::Decimal(decimal), Some(scale)) => Value::Decimal(decimal.padded(scale as usize)),
        (value, _) => value,
    }
}

impl TablePair {
    /// The key's column pairs.
    pub fn key(&self) -> &[ColumnPair] {
        &self.columns[..self.key_columns]
    }

    /// The order of its keys.
    pub fn key_order(&self) -> KeyOrder {
        KeyOrder::new(self.key().iter().map(|column| column.domain.clone()).collect::<Vec<_>>())
    }

    /// Whether the spec takes in all rows and all columns: of anything less nobody can say that the tables are equal.
    pub fn is_whole(&self) -> bool {
        self.filter.is_none() && self.compared_columns == self.columns_in_all()
    }

    /// The primary's columns, but for those that the replica generates.
    pub fn columns_in_all(&self) -> usize {
        self.columns.len() + self.columns_out_of_scope
    }

    /// Whether rows have no key, so that what counts is how many copies of each whole row there are.
    pub fn is_keyless(&self) -> bool {
        self.key_columns == 0
    }

    /// Whether both sides can be asked for the rows in one order of their keys.
    pub fn is_ordered(&self) -> bool {
        !self.is_keyless() && self.key().iter().all(|column| column.domain.has_common_order())
    }

    /// An order of whole rows.
    pub fn row_order(&self) -> KeyOrder {
        KeyOrder::new(self.domains())
    }

    /// The values of a key.
    pub fn key_values(&self, key: &Key) -> Vec<Value> {
        self.key_order().values(key)
    }

    /// The columns that rows are told apart by and that the replica may spell in several ways, ascending: what
    /// [`PlannedChange::stored`](crate::compare::PlannedChange::stored) has a field for.
    pub fn spelled(&self) -> impl Iterator<Item = usize> {
        let identifying = if self.is_keyless() { self.compared_columns } else { self.key_columns };
        (0..identifying).filter(|index| self.columns[*index].stored.is_some())
    }

    /// Whether rows are to be written by the spelling that was read.
    pub fn is_spelled(&self) -> bool {
        self.spelled().next().is_some()
    }

    /// The replica's columns of [`spelled`](Self::spelled), as they are stored.
    pub fn stored_parts(&self) -> Vec<SelectColumn> {
        self.spelled().filter_map(|index| stored_part(&self.columns[index])).collect()
    }

    /// The index of [`replica_part`](Self::replica_part) under which such a column is found as it is stored.
    pub fn stored_index(&self, column: usize) -> Option<usize> {
        let place = self.spelled().position(|spelled| spelled == column)?;
        Some(self.columns.len() + self.replica_extra.len() + place)
    }

    /// A column that the replica has: those of `columns` by their index, behind them those of `replica_extra`, and
    /// behind these those of [`spelled`](Self::spelled) once more, as they are stored.
    pub fn replica_part(&self, index: usize) -> SelectColumn {
        if let Some(column) = self.columns.get(index) {
            return SelectColumn { column: column.sides.replica.clone(), domain: column.domain.clone() };
        }
        let index = index - self.columns.len();
        match self.replica_extra.get(index) {
            Some(extra) => extra.clone(),
            None => self.stored_parts().swap_remove(index - self.replica_extra.len()),
        }
    }

    /// The value to write into the column of that index, of [`replica_part`](Self::replica_part).
    pub fn written_value(&self, index: usize, field: Option<&[u8]>) -> Value {
        match self.columns.get(index) {
            Some(column) => column.primary_value(field),
            None => {
                let part = self.replica_part(index);
                shown(decode(&part.domain, field), &part.column)
            }
        }
    }

    /// The indexes of the columns out of scope that a row can be given values for.
    pub fn extra_indexes(&self) -> impl Iterator<Item = u16> {
        let given = |(_, extra): &(usize, &SelectColumn)| extra.column.generated.is_none();
        let behind = self.columns.len();
        // Engines allow far fewer than 65,536 columns.
        self.replica_extra.iter().enumerate().filter(given).map(move |(index, _)| (behind + index) as u16)
    }

    /// The domains of all columns.
    pub fn domains(&self) -> Vec<Domain> {
        self.columns.iter().map(|column| column.domain.clone()).collect()
    }

    /// The read of these columns on one side, in scope, unlocked. `ordered` is what a range wants and a list
    /// of keys does not need.
    pub fn select(&self, side: Side, selection: Selection, ordered: bool) -> Select {
        let columns = self.columns.iter().map(|column| SelectColumn {
            column: column.sides.get(side).clone(),
            domain: column.domain.clone(),
        });
        Select {
            table: self.names.get(side).clone(),
            columns: columns.collect(),
            key_columns: self.key_columns,
            scope: self.scope.as_ref().map(|scope| scope.get(side).clone()),
            selection,
            ordered,
            locked: false,
        }
    }
}
