//! Plans made by hand for the tests of `plan` and `apply`: tables of integers `id`, `ref` (and `more`), and a
//! dialect whose statements say what they do.

use crate::compare::RowChange;
use crate::schema::{ColumnPair, TablePair, UniqueKey, Writes};
use crate::sides::Sides;
use crate::spec::{Place, SchemaMode};
use crate::sql::expression::{Expression, ExpressionError};
use crate::sql::{
    Attachment, Column, CopiesToDelete, Dialect, EngineName, ForeignKey, ForeignKeyAction, Portable, Ported,
    RowUpdate, Select, SelectColumn, TableDefinition, TableName, UniqueIndex, Unwritable,
};
use crate::value::{ColumnType, Domain, Row, Type, Value, put_field, put_null};

use super::*;

/// The integer that no column of [`FakeDialect`] holds.
pub(crate) const TOO_LARGE: i64 = i64::MAX;
const INTEGER: Domain = Domain::Integer { bytes: 8 };

pub(crate) fn with_tables(tables: Vec<TablePlan>) -> ReplicaPlan {
    ReplicaPlan {
        name: "eu".to_owned(),
        server: None,
        snapshot: String::new(),
        search_path: Vec::new(),
        tables,
        renamings: Vec::new(),
        refusals: Vec::new(),
        notes: Vec::new(),
        error: None,
        stale: None,
    }
}

pub(crate) fn server(engine: crate::sql::EngineName) -> crate::server::Server {
    crate::server::Server {
        engine,
        version: "15".to_owned(),
        identity: "eu".to_owned(),
        instance: None,
        place: None,
        display: "eu".to_owned(),
        missing: false,
        read_only: None,
    }
}

pub(crate) fn table(name: &str) -> TablePlan {
    planned(name, &["id", "ref"])
}

pub(crate) fn wide_table(name: &str) -> TablePlan {
    planned(name, &["id", "ref", "more"])
}

fn planned(name: &str, columns: &[&str]) -> TablePlan {
    let unknown = TablePlan::unknown(name, name);
    TablePlan {
        pair: Some(pair(name, columns)),
        status: Status::InSync,
        rows: Sides::new(100, 100),
        ..unknown
    }
}

fn pair(name: &str, columns: &[&str]) -> TablePair {
    let paired = |name: &&str| ColumnPair {
        sides: Sides::new(column(name, *name != "id"), column(name, *name != "id")),
        domain: INTEGER,
        stored: None,
        rule: None,
        on_replica: true,
        fit: None,
    };
    TablePair {
        table: name.to_owned(),
        names: Sides::new(TableName::plain(name), TableName::plain(name)),
        replica_table: name.to_owned(),
        replica_qualified: false,
        place: Place::START,
        columns: columns.iter().map(paired).collect(),
        key_columns: 1,
        compared_columns: columns.len(),
        scope: None,
        filter: None,
        columns_out_of_scope: 0,
        replica_missing: false,
        replica_extra: Vec::new(),
        foreign_keys: Vec::new(),
        dependents: Vec::new(),
        checked: Vec::new(),
        unique_keys: Vec::new(),
        schema: SchemaMode::Sync,
        online: false,
        triggers: crate::spec::TriggerMode::Fire,
        writes: Writes { insert: true, update: true, delete: true },
        rows_estimate: Sides::new(None, None),
    }
}

fn column(name: &str, nullable: bool) -> Column {
    Column {
        name: name.to_owned(),
        column_type: ColumnType::new("bigint", Type::Integer { bytes: 8, unsigned: false }),
        nullable,
        default: None,
        generated: None,
        identity: None,
        collation: None,
        words: Default::default(),
    }
}

pub(crate) fn extra_column(name: &str, nullable: bool) -> SelectColumn {
    SelectColumn { column: column(name, nullable), domain: INTEGER }
}

pub(crate) fn with_changes(mut table: TablePlan, changes: Vec<RowChange>) -> TablePlan {
    table.summary = RowCounts::default();
    changes.iter().for_each(|change| table.summary.count(change));
    let planned = |change| PlannedChange { change, withheld: false, extra: None, stored: None, copy: None };
    table.changes = changes.into_iter().map(planned).collect();
    table.status = Status::Drift;
    table
}

/// The changes with this one withheld.
pub(crate) fn withheld(changes: ChangeList, number: usize) -> ChangeList {
    let withheld = |(index, planned): (usize, PlannedChange)| PlannedChange {
        withheld: planned.withheld || index == number,
        ..planned
    };
    changes_of(&changes).into_iter().enumerate().map(withheld).collect()
}

/// The changes of a list.
pub(crate) fn changes_of(changes: &ChangeList) -> Vec<PlannedChange> {
    changes.iter().map(|planned| planned.expect("it is in memory")).collect()
}

pub(crate) fn with_foreign_key(mut table: TablePlan, parent: &str, from: &str, to: &str) -> TablePlan {
    table.pair.as_mut().expect("paired").foreign_keys.push(ForeignKey {
        name: String::new(),
        columns: vec![from.to_owned()],
        table: TableName::plain(parent),
        referenced: vec![to.to_owned()],
        on_delete: ForeignKeyAction::NoAction,
        on_update: ForeignKeyAction::NoAction,
        deferrable: false,
        whole: false,
    });
    table
}

pub(crate) fn with_unique(mut table: TablePlan, column: &str) -> TablePlan {
    table.pair.as_mut().expect("paired").unique_keys.push(UniqueKey {
        name: format!("unique_{column}"),
        columns: vec![column.to_owned()],
        primary: false,
        total: false,
        deferrable: false,
    });
    table
}

pub(crate) fn row(values: &[i64]) -> Row {
    let mut bytes = Vec::new();
    values.iter().for_each(|value| put_field(&mut bytes, &value.to_be_bytes()));
    Row::new(bytes)
}

pub(crate) fn insert(after: &[i64]) -> RowChange {
    RowChange::Insert { after: row(after) }
}

/// A row whose `ref` is NULL.
pub(crate) fn insert_null(id: i64) -> RowChange {
    let mut bytes = row(&[id]).bytes().to_vec();
    put_null(&mut bytes);
    RowChange::Insert { after: Row::new(bytes) }
}

pub(crate) fn update(before: &[i64], after: &[i64], columns: &[u16]) -> RowChange {
    RowChange::Update { before: row(before), after: row(after), columns: columns.to_vec() }
}

pub(crate) fn delete(before: &[i64]) -> RowChange {
    RowChange::Delete { before: row(before) }
}

pub(crate) fn add_column(object: &str, withheld: bool) -> SchemaChange {
    SchemaChange {
        action: SchemaAction::AddColumn,
        object: object.to_owned(),
        sql: vec![format!("add {object}")],
        before: None,
        after: Some("bigint".to_owned()),
        hazards: Vec::new(),
        withheld,
        alteration: None,
        behind_rows: false,
        commit: Commit::Together,
        step_of: None,
    }
}

/// Statements read `insert t id=1,ref=2;id=3,ref=4`, `update t id=1 ref=5;…` and `delete t id=1;…`.
#[derive(Debug)]
pub(crate) struct FakeDialect {
    transactional_ddl: bool,
}

pub(crate) static FAKE: FakeDialect = FakeDialect { transactional_ddl: true };
/// Commits at every change of structure, as the MySQL family does.
pub(crate) static FAKE_COMMITTING: FakeDialect = FakeDialect { transactional_ddl: false };

impl FakeDialect {
    fn assignments(columns: &[Column], values: &[Value]) -> Result<String, Unwritable> {
        let pairs = columns.iter().zip(values).map(|(column, value)| {
            Ok(format!("{}={}", column.name, FAKE.literal(value, &column.column_type)?))
        });
        Ok(pairs.collect::<Result<Vec<String>, Unwritable>>()?.join(","))
    }

    fn statement(verb: &str, table: &TableName, rows: Vec<String>) -> Vec<String> {
        vec![format!("{verb} {table} {}", rows.join(";"))]
    }
}

fn columns_of(key: &[SelectColumn]) -> Vec<Column> {
    key.iter().map(|part| part.column.clone()).collect()
}

impl Dialect for FakeDialect {
    fn engine(&self) -> EngineName {
        EngineName::Sqlite
    }

    fn same_family(&self, _other: &dyn Dialect) -> bool {
        true
    }

    fn stores_any_class(&self) -> bool {
        false
    }

    fn transactional_ddl(&self) -> bool {
        self.transactional_ddl
    }

    fn statement_bytes_max(&self) -> usize {
        1 << 20
    }

    fn identifier(&self, name: &str) -> String {
        name.to_owned()
    }

    fn literal(&self, value: &Value, _column: &ColumnType) -> Result<String, Unwritable> {
        match value {
            Value::Integer(value) if *value != i128::from(TOO_LARGE) => Ok(value.to_string()),
            Value::Null => Ok("null".to_owned()),
            _ => Err(Unwritable { reason: "too large".to_owned() }),
        }
    }

    fn select(&self, select: &Select) -> String {
        format!("select {}", select.table)
    }

    fn equates(&self, _column: &Column) -> bool {
        false
    }

    fn equated(&self, _: &TableName, _: &Column, _: &[&Value]) -> Result<String, Unwritable> {
        Err(Unwritable { reason: "no collations".to_owned() })
    }

    fn index_marks(
        &self,
        _: &TableName,
        _: &UniqueIndex,
        _: &[Column],
        _: &[Vec<Value>],
    ) -> Result<String, Unwritable> {
        Err(Unwritable { reason: "no indexes".to_owned() })
    }

    fn order_needs_sort(&self, _column: &Column, _domain: &Domain) -> bool {
        false
    }

    fn insert(
        &self,
        table: &TableName,
        columns: &[Column],
        rows: &[Vec<Value>],
    ) -> Result<Vec<String>, Unwritable> {
        let rows: Result<Vec<String>, Unwritable> =
            rows.iter().map(|row| Self::assignments(columns, row)).collect();
        Ok(Self::statement("insert", table, rows?))
    }

    fn update(
        &self,
        table: &TableName,
        key: &[SelectColumn],
        columns: &[Column],
        rows: &[RowUpdate],
    ) -> Result<Vec<String>, Unwritable> {
        let row = |row: &RowUpdate| {
            Ok(format!(
                "{} {}",
                Self::assignments(&columns_of(key), &row.key)?,
                Self::assignments(columns, &row.values)?
            ))
        };
        let rows: Result<Vec<String>, Unwritable> = rows.iter().map(row).collect();
        Ok(Self::statement("update", table, rows?))
    }

    fn delete(
        &self,
        table: &TableName,
        key: &[SelectColumn],
        keys: &[Vec<Value>],
    ) -> Result<Vec<String>, Unwritable> {
        let rows: Result<Vec<String>, Unwritable> =
            keys.iter().map(|row| Self::assignments(&columns_of(key), row)).collect();
        Ok(Self::statement("delete", table, rows?))
    }

    fn delete_copies(&self, copies: &CopiesToDelete<'_>) -> Result<Vec<String>, Unwritable> {
        let columns: Vec<Column> = copies.columns.iter().map(|part| part.column.clone()).collect();
        let all = if copies.unique { "all " } else { "" };
        let row = |(values, count): &(Vec<Value>, u64)| {
            Ok(format!("{all}{count} times {}", Self::assignments(&columns, values)?))
        };
        let rows: Result<Vec<String>, Unwritable> = copies.rows.iter().map(row).collect();
        Ok(Self::statement("delete", copies.table, rows?))
    }

    fn create_table(&self, table: &TableDefinition) -> String {
        format!("create {}", table.name)
    }

    fn add_column(&self, table: &TableName, column: &Column) -> String {
        format!("add {table}.{}", column.name)
    }

    fn portable(&self, _: &Attachment) -> Result<Ported, &'static str> {
        Err("nothing is carried over")
    }

    fn adopted(&self, _: &Portable, _: &str, _: bool) -> Option<Attachment> {
        None
    }

    fn fits_name(&self, _: &str) -> bool {
        true
    }

    fn type_for(&self, _meaning: &Type, _key: bool) -> Option<ColumnType> {
        None
    }

    fn scope(
        &self,
        _expression: &Expression,
        _column: &dyn Fn(&str) -> Option<Column>,
        _now: jiff::Timestamp,
    ) -> Result<String, ExpressionError> {
        Err(ExpressionError { message: "no scope here".to_owned() })
    }

    fn numbering(&self) -> &dyn crate::sql::Numbering {
        crate::sql::postgres::Postgres.numbering()
    }

    fn script(&self) -> Box<dyn crate::sql::Script> {
        crate::sql::postgres::Postgres.script()
    }
}
