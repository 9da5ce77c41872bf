//! Pure SQL: the facts and the text of each engine's language. A file per engine implements [`Dialect`].
//!
//! Nothing here talks to a database. What a stage wants to know about an engine is a method here, so that
//! nobody else asks which engine it is. Every literal and every identifier of the program is made here.

mod alike;
mod attachment;
pub(crate) mod digest;
mod enumeration;
pub mod expression;
mod model;
pub(crate) mod mysql;
mod named;
mod online;
mod partition;
mod portable;
pub(crate) mod postgres;
mod rebuild;
mod script;
mod sequence;
pub(crate) mod sqlite;
mod statement;
mod table_write;
mod trigger;

pub use attachment::{Alteration, Attachment, AttachmentKind, AttachmentPart, Target};
pub use enumeration::{EnumChange, EnumColumn, EnumType, word_steps};
pub use model::{ModelFault, ModelStatement, read_model};
pub use named::NamedType;
pub use online::{Online, OnlineStep};
pub use partition::{Layout, Partition};
pub use portable::{Portable, PortablePart, Ported};
pub use rebuild::{Rebuild, Shape, StoredText, Wanted};
pub use script::{Expect, Guard, KnownSpellings, Script, ScriptChunk, comment, one_line};
pub use sequence::{NumberedBy, Numbering, Numbers, Sequence};
pub use statement::{
    Alike, Column, ColumnPlace, ColumnWords, CopiesToDelete, DefaultKind, ForeignKey, ForeignKeyAction,
    Generated, Identity, IndexPart, LiteralDefault, RowUpdate, Select, SelectColumn, Selection,
    TableDefinition, TableName, UniqueIndex,
};
pub use trigger::{RowEvent, Trigger};

pub use table_write::{RowsToWrite, TableWrite};

use serde::{Deserialize, Serialize};

use crate::value::{ColumnType, Domain, Type, Value};
use expression::{Expression, ExpressionError};

/// The engines, as named in output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EngineName {
    /// SQLite 3.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL.
    Mysql,
    /// MariaDB.
    Mariadb,
}

impl EngineName {
    /// The word used in JSON and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            EngineName::Sqlite => "sqlite",
            EngineName::Postgres => "postgres",
            EngineName::Mysql => "mysql",
            EngineName::Mariadb => "mariadb",
        }
    }
}

impl std::fmt::Display for EngineName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The dialect of an engine.
pub fn dialect(engine: EngineName) -> &'static dyn Dialect {
    match engine {
        EngineName::Sqlite => &sqlite::Sqlite,
        EngineName::Postgres => &postgres::Postgres,
        EngineName::Mysql => &mysql::MYSQL,
        EngineName::Mariadb => &mysql::MARIADB,
    }
}

/// A value that a column of this engine cannot hold exactly, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unwritable {
    /// For example `a text with a NUL character cannot be stored in PostgreSQL`. Never holds the value.
    pub reason: String,
}

/// What an engine can do about constraints while rows are written that wait for each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConstraintChecks {
    /// Puts all constraints that can be put off off to the end of the transaction that it stands in.
    pub defer: Option<&'static str>,
    /// Whether every transaction of a writer puts off what can be put off.
    pub always_deferred: bool,
    /// Has everything that was put off looked at now, triggers of users that were put off included.
    pub hold: Option<&'static str>,
    /// Whether several changes can be one statement, and foreign keys are looked at behind it.
    pub together: bool,
    /// Has foreign keys not looked at, and looked at again. Those that say CASCADE do nothing meanwhile.
    pub off: Option<(&'static str, &'static str)>,
}

/// One engine's SQL.
pub trait Dialect: Send + Sync + std::fmt::Debug {
    /// The engine.
    fn engine(&self) -> EngineName;

    /// Whether values of a type with the same declaration mean the same on both: the same engine, or two
    /// of one family (MySQL and MariaDB).
    fn same_family(&self, other: &dyn Dialect) -> bool;

    /// Whether every value carries its own storage class whatever its column's type (SQLite).
    fn stores_any_class(&self) -> bool;

    /// Whether an UPDATE that writes a JSON document over an equal one, such as 1 over 1.0, leaves the old one there
    /// (MySQL): then the two are one value.
    fn drops_equal_json(&self) -> bool {
        false
    }

    /// Whether its servers make digests of ranges of rows.
    fn makes_digests(&self) -> bool {
        false
    }

    /// Whether triggers can be kept from firing for what a session writes.
    fn suppresses_triggers(&self) -> bool {
        true
    }

    /// Whether CREATE and ALTER take part in a transaction.
    fn transactional_ddl(&self) -> bool;

    /// The longest statement to send, in bytes.
    fn statement_bytes_max(&self) -> usize;

    /// How many rows are best read by their keys, or written, at once: as many as make the way to the server
    /// nothing beside the work, and few enough for it to hold.
    fn rows_at_once(&self) -> usize {
        1_000
    }

    /// A quoted identifier.
    fn identifier(&self, name: &str) -> String;

    /// Whether two names of columns are one: PostgreSQL alone tells them apart by case.
    fn same_column_name(&self, one: &str, other: &str) -> bool {
        one == other
    }

    /// A quoted, if need be qualified, table name.
    fn table(&self, name: &TableName) -> String {
        match &name.schema {
            Some(schema) => format!("{}.{}", self.identifier(schema), self.identifier(&name.name)),
            None => self.identifier(&name.name),
        }
    }

    /// A value as a literal that stores exactly this value in a column of this type, or why that cannot be
    /// (out of range, too long, too many digits, NUL, year 10000 …).
    fn literal(&self, value: &Value, column: &ColumnType) -> Result<String, Unwritable>;

    /// Reads rows: in the order of [`KeyOrder`](crate::value::KeyOrder) when `select.ordered`, of a range or
    /// of given keys, in scope, maybe locked. The engine's scanner wraps or runs it.
    fn select(&self, select: &Select) -> String;

    /// Whether rows of this key type come out in the common order only through an expression, so that an
    /// index on the plain column does not give it. `column` knows its collation.
    fn order_needs_sort(&self, column: &Column, domain: &Domain) -> bool;

    /// Whether a unique key over this column may take two different values for one: a collation without regard to
    /// case, accents or padding.
    fn equates(&self, column: &Column) -> bool;

    /// Whether both ends of a foreign key hold values of one type, so that those that are equal are equal as either
    /// end compares them.
    fn same_ends(&self, _pointing: &Column, _pointed_at: &Column) -> bool {
        true
    }

    /// How a foreign key whose ends have different collations, or [types](Self::same_ends), compares what points;
    /// `None` where that is not known.
    fn points_as(&self, _pointing: &Column, _pointed_at: &Column) -> Option<IndexPart> {
        None
    }

    /// Whether this column may store one value of the domain in several ways: a UUID in either case, a document with
    /// other spaces, a moment in another zone. A row with such a key is written by the spelling that was read.
    fn spells_freely(&self, column: &Column, domain: &Domain) -> bool {
        matches!(domain, Domain::Uuid | Domain::Address | Domain::Json { canonical: true })
            && matches!(column.column_type.meaning, Type::Text { .. } | Type::JsonText)
    }

    /// A read that gives one text for each of these values of a column of `table`, in order, row by row: two are
    /// equal exactly where a unique key over that column takes the values for one. For columns that
    /// [`equates`](Self::equates) speaks of, and none of their values is NULL.
    fn equated(&self, table: &TableName, column: &Column, values: &[&Value]) -> Result<String, Unwritable>;

    /// A read that gives one text for each of these rows of columns of `table`, in order, NULL for a row that collides
    /// with none: two are equal exactly where the unique index takes the rows for one. The engine itself evaluates
    /// the index's expressions and its condition.
    fn index_marks(
        &self,
        table: &TableName,
        index: &UniqueIndex,
        columns: &[Column],
        rows: &[Vec<Value>],
    ) -> Result<String, Unwritable>;

    /// Set-wise inserts: few statements, each below [`statement_bytes_max`](Self::statement_bytes_max)
    /// unless one row alone is longer. Rows have a value for each column.
    fn insert(
        &self,
        table: &TableName,
        columns: &[Column],
        rows: &[Vec<Value>],
    ) -> Result<Vec<String>, Unwritable>;

    /// Set-wise updates of rows that change the same columns. A row is found by its key as the key's domains hold
    /// values equal, neither more widely (a collation's) nor more narrowly (1.0 against 1.00 where they are one).
    fn update(
        &self,
        table: &TableName,
        key: &[SelectColumn],
        columns: &[Column],
        rows: &[RowUpdate],
    ) -> Result<Vec<String>, Unwritable>;

    /// Whether the engine itself writes this column whenever its row is updated (ON UPDATE CURRENT_TIMESTAMP).
    fn rewrites_itself(&self, _column: &Column) -> bool {
        false
    }

    /// [`update`](Self::update) of a table in which the columns `keep` (those for which
    /// [`rewrites_itself`](Self::rewrites_itself) holds) are to stay as they are.
    fn update_keeping(
        &self,
        table: &TableName,
        key: &[SelectColumn],
        columns: &[Column],
        _keep: &[Column],
        rows: &[RowUpdate],
    ) -> Result<Vec<String>, Unwritable> {
        self.update(table, key, columns, rows)
    }

    /// Set-wise deletes by key, as [`update`](Self::update) finds rows.
    fn delete(
        &self,
        table: &TableName,
        key: &[SelectColumn],
        keys: &[Vec<Value>],
    ) -> Result<Vec<String>, Unwritable>;

    /// Set-wise deletes of copies of whole rows: of each exactly so many, whichever of them.
    fn delete_copies(&self, copies: &CopiesToDelete<'_>) -> Result<Vec<String>, Unwritable>;

    /// By what means rows can be written that wait for each other in a circle.
    fn constraint_checks(&self) -> ConstraintChecks {
        ConstraintChecks::default()
    }

    /// One statement that does what these do, each a change of rows, and matches as many rows as they do together.
    /// Only where [`ConstraintChecks::together`] holds.
    fn together(&self, statements: &[String]) -> String {
        statements.join(";\n")
    }

    /// CREATE SCHEMA, which does nothing where it is there; `None` where schemas are databases, which are not created.
    fn create_schema(&self, _name: &str) -> Option<String> {
        None
    }

    /// CREATE TABLE with its primary key.
    fn create_table(&self, table: &TableDefinition) -> String;

    /// ALTER TABLE … ADD COLUMN.
    fn add_column(&self, table: &TableName, column: &Column) -> String;

    /// [`add_column`](Self::add_column) to a place of its own, where the engine has places for them.
    fn add_column_at(&self, table: &TableName, column: &Column, _place: ColumnPlace<'_>) -> String {
        self.add_column(table, column)
    }

    /// DROP TABLE, which fails where something else needs the table. Statements, in order: they may stand in a
    /// transaction behind row changes.
    fn drop_table(&self, table: &TableName) -> Vec<String> {
        vec![format!("DROP TABLE {}", self.table(table))]
    }

    /// Whether DROP TABLE takes the rows out first, as a DELETE does that foreign keys mind and carry on (SQLite): then
    /// it must be done with those switched off.
    fn drops_rows_first(&self) -> bool {
        false
    }

    /// ALTER TABLE … DROP COLUMN, as [`drop_table`](Self::drop_table).
    fn drop_column(&self, table: &TableName, column: &str) -> Vec<String> {
        vec![format!("ALTER TABLE {} DROP COLUMN {}", self.table(table), self.identifier(column))]
    }

    /// The statements that alter a table, in order; `None` where the engine cannot do that to a table that is there.
    fn alter(&self, _table: &TableName, _alteration: &Alteration) -> Option<Vec<String>> {
        None
    }

    /// How a table that is there is altered while others write to it; `None`: a column comes or goes. `partitioned`: whether
    /// the table has partitions.
    fn online(&self, _table: &TableName, _alteration: Option<&Alteration>, _partitioned: bool) -> Online {
        Online::Ordinary
    }

    /// The statement that begins a transaction which is to keep others waiting only briefly, if there is one.
    fn waits_briefly(&self) -> Option<&'static str> {
        None
    }

    /// The table as it is to be, where the engine makes a table anew to change what [`alter`](Self::alter) cannot;
    /// `None` where it does not. An error says why the table cannot be as it is wanted.
    fn shaped(&self, _table: &TableName, _wanted: &Wanted<'_>) -> Option<Result<Shape, String>> {
        None
    }

    /// What a table can be while rows are written that go from one shape to another: neither shape refuses or changes a
    /// value that the other one takes. Only where there is a [`shaped`](Self::shaped).
    fn between(&self, _table: &TableName, _before: &Shape, after: &Shape) -> Result<Shape, String> {
        Ok(after.clone())
    }

    /// Whether a column like this can be added to a table that has rows.
    fn adds(&self, _column: &Column) -> bool {
        true
    }

    /// Whether a column can be dropped by itself.
    fn drops(&self, _table: &Shape, _column: &str) -> bool {
        true
    }

    /// The text of a table whose columns become these, as [`shaped`](Self::shaped) takes it for a model: that of the table
    /// as it is now, or of a new one. `None` where the engine makes no tables anew.
    fn modelled(
        &self,
        _table: &TableName,
        _now: Option<&Shape>,
        _columns: &[Column],
    ) -> Option<Result<String, String>> {
        None
    }

    /// What every engine has of an attachment of this one; or why another could not have it.
    fn portable(&self, attachment: &Attachment) -> Result<Ported, &'static str>;

    /// An attachment of this engine by this name, in its stored form; `None` where it cannot have it.
    /// `created`: it comes with its table.
    fn adopted(&self, portable: &Portable, name: &str, created: bool) -> Option<Attachment>;

    /// Whether a key, an index or a foreign key can have this name.
    fn fits_name(&self, name: &str) -> bool;

    /// Why no key and no index can be over the whole of these columns, if so.
    fn no_key(&self, _columns: &[&Column]) -> Option<String> {
        None
    }

    /// Whether a key over this column certainly takes some different values for one.
    fn folds(&self, column: &Column) -> bool {
        self.equates(column)
    }

    /// How many characters a column of texts is declared to hold where nothing holds it to that (SQLite).
    fn declared_chars(&self, _column: &ColumnType) -> Option<u64> {
        None
    }

    /// How many characters certainly fit in a text of this type; `None`: any number.
    fn chars_held(&self, column: &ColumnType) -> Option<u64> {
        match column.meaning {
            Type::Text { chars_max, .. } => chars_max,
            _ => None,
        }
    }

    /// What a type is declared for, where that is less than the engine takes: 32 bits of a column that SQLite calls INT, and
    /// the two numbers of a `tinyint(1)`.
    fn promised(&self, column: &ColumnType) -> Type {
        column.meaning.clone()
    }

    /// Whether a type is declared without a bound for its values, and so says nothing of how much room they need.
    fn is_unbounded(&self, column: &ColumnType) -> bool {
        match self.promised(column) {
            Type::Text { chars_max, .. } => chars_max.is_none(),
            Type::Bytes { bytes_max, .. } => bytes_max.is_none(),
            Type::Decimal { precision, .. } => precision.is_none(),
            Type::Json | Type::JsonText | Type::Printed => true,
            Type::Boolean
            | Type::Integer { .. }
            | Type::Float32
            | Type::Float64
            | Type::Date
            | Type::Time { .. }
            | Type::DateTime { .. }
            | Type::Instant { .. }
            | Type::Zoned { .. }
            | Type::Year
            | Type::Uuid
            | Type::Bits { .. }
            | Type::Address { .. }
            | Type::Enum { .. }
            | Type::Set { .. }
            | Type::Other => false,
        }
    }

    /// Whether a table with these options can have a column of this type.
    fn takes_type(&self, _options: Option<&str>, _column: &ColumnType) -> bool {
        true
    }

    /// Why no foreign key can tie the one column to the other, if so. `key`: the foreign key.
    fn no_tie(&self, _pointing: &Column, _pointed_at: &Column, _key: &Portable) -> Option<String> {
        None
    }

    /// Whether the server makes an index of its own for a foreign key that has none, and keeps one there.
    fn makes_indexes(&self) -> bool {
        false
    }

    /// Whether a foreign key that is refused at once (RESTRICT) is another than one that is refused at the end.
    fn tells_restrict(&self) -> bool {
        true
    }

    /// All these alterations of a table in one statement, as a whole or not at all, with what must stand around it; `None`
    /// where the engine has none. Foreign keys are not among them: what points stands by itself. `linked`: a column changes
    /// that a foreign key ties to another, which changes by itself.
    fn alter_together(
        &self,
        _table: &TableName,
        _alterations: &[&Alteration],
        _linked: bool,
    ) -> Option<Vec<String>> {
        None
    }

    /// Whether a column that comes has all rows of its table written anew.
    fn rewrites_to_add(&self, _column: &Column) -> bool {
        false
    }

    /// Whether a key or a check that comes has all rows of its table written anew.
    fn rewrites_to_attach(&self, _attachment: &Attachment) -> bool {
        false
    }

    /// A read of how many values of a column are not NULL.
    fn count_values(&self, table: &TableName, column: &str) -> String {
        format!("SELECT CAST(COUNT({}) AS CHAR(20)) FROM {}", self.identifier(column), self.table(table))
    }

    /// ALTER TABLE … RENAME TO, within its schema.
    fn rename_table(&self, table: &TableName, name: &str) -> String {
        format!("ALTER TABLE {} RENAME TO {}", self.table(table), self.identifier(name))
    }

    /// ALTER TABLE … RENAME COLUMN. `checks`: those of the table that speak of the column, before and afterwards.
    fn rename_column(
        &self,
        table: &TableName,
        column: &str,
        name: &str,
        _checks: &[(Attachment, Attachment)],
    ) -> String {
        let (column, name) = (self.identifier(column), self.identifier(name));
        format!("ALTER TABLE {} RENAME COLUMN {column} TO {name}", self.table(table))
    }

    /// What a name that the server made up becomes when the table `was` gets the name `is`, or columns of it do, and whether
    /// it still is one that the server would make up.
    fn made_up_name(&self, name: &str, _was: &str, _is: &str) -> (String, bool) {
        (name.to_owned(), true)
    }

    /// A read of how many rows a table has.
    fn count_rows(&self, table: &TableName) -> String {
        format!("SELECT CAST(COUNT(*) AS CHAR(20)) FROM {}", self.table(table))
    }

    /// A read of how many rows a table has of which a condition is true.
    fn count_where(&self, table: &TableName, condition: &str) -> String {
        format!("{} WHERE {condition}", self.count_rows(table))
    }

    /// The condition that a column is NULL.
    fn is_null(&self, column: &str) -> String {
        format!("{} IS NULL", self.identifier(column))
    }

    /// The condition that a text of a column has more than so many characters.
    fn longer(&self, column: &str, chars: u64) -> String {
        format!("CHAR_LENGTH({}) > {chars}", self.identifier(column))
    }

    /// The condition that a column of an enum type holds words that go; `None` where no words do.
    fn holds_going(&self, _change: &EnumChange, _column: &EnumColumn) -> Option<String> {
        None
    }

    /// Whether other options have all rows of their table written anew.
    fn options_rewrite(&self, before: &str, after: &str) -> bool {
        before != after
    }

    /// Whether a column that becomes another has all rows of its table written anew.
    fn rewrites(&self, before: &Column, after: &Column) -> bool {
        before.column_type != after.column_type
    }

    /// What a column is while rows are written that make the one the other, where the engine has its own way: neither
    /// refuses a value that the other takes. `wider`: the second's type holds all that the first's does.
    fn meanwhile(&self, _before: &Column, _after: &Column, _wider: bool) -> Option<Column> {
        None
    }

    /// Why no table with these options can be created, where it needs more than its columns.
    fn cannot_create(&self, _options: &str) -> Option<&'static str> {
        None
    }

    /// A column as DDL writes it, where that is one text.
    fn column_text(&self, _column: &Column) -> Option<String> {
        None
    }

    /// Whether the order of columns can be changed in place; then it is part of a table's structure.
    fn orders_columns(&self) -> bool {
        false
    }

    /// The condition that a value of a column that becomes another is none of that one's type, where it can be told.
    fn foreign(&self, _column: &str, _before: &Column, _after: &Column) -> Option<String> {
        None
    }

    /// What a column that numbers itself comes as, where CREATE TABLE and ADD COLUMN cannot say all of it: it becomes what it
    /// is to be right behind that.
    fn comes_as(&self, column: &Column) -> Column {
        column.clone()
    }

    /// Whether a server answers for its databases; else a database is a file, or stands in memory.
    fn has_server(&self) -> bool {
        true
    }

    /// Whether a column that numbers rows must be the first of a key (MySQL family).
    fn numbers_keys_alone(&self) -> bool {
        false
    }

    /// The type to create here for a column of that meaning, or `None` where there is no exact one.
    /// `key`: the column is part of a key (MySQL cannot index unbounded text).
    fn type_for(&self, meaning: &crate::value::Type, key: bool) -> Option<ColumnType>;

    /// Whether a default in this engine's words is the moment at which a row comes.
    fn is_now(&self, _default: &str) -> bool {
        false
    }

    /// The moment at which a row comes, as a default of a column of that meaning.
    fn now(&self, _meaning: &Type) -> Option<String> {
        None
    }

    /// Whether a default in this engine's words is a new uuid.
    fn is_new_uuid(&self, _default: &str) -> bool {
        false
    }

    /// A new uuid, as a default of a column of that meaning.
    fn new_uuid(&self, _meaning: &Type) -> Option<String> {
        None
    }

    /// A column's default without what else its text may say; `None`: it has none.
    fn said_default(&self, column: &Column) -> Option<DefaultKind> {
        column.default.clone()
    }

    /// A default as DDL writes it for a column that is there, where its words are kept.
    fn default_words(&self, _column: &Column) -> Option<String> {
        None
    }

    /// The bytes that a literal default of a column of bytes is, where that is certain.
    fn default_bytes(&self, literal: &str) -> Option<Vec<u8>> {
        (literal.is_ascii() && !literal.contains('\\')).then(|| literal.as_bytes().to_vec())
    }

    /// Whether a moment that takes no NULL may have a default of the server's own.
    fn gives_moments(&self) -> bool {
        false
    }

    /// The type that a spec names; `None` where this engine has none of that name, or it is not known here.
    fn named_type(&self, _named: &NamedType) -> Option<ColumnType> {
        None
    }

    /// A type's own name for one of its other names: `character varying` for `varchar`.
    fn type_name(&self, name: &str) -> String {
        name.to_owned()
    }

    /// What a column of this type, from a server of the same family, is created as; `None` where the brand lacks it.
    fn adopted_type(&self, column: &ColumnType) -> Option<ColumnType> {
        Some(column.clone())
    }

    /// Renders a `where` expression for one side: `column` gives this side's column for a primary's name,
    /// `now` is the start of the run. Text compares by code point.
    fn scope(
        &self,
        expression: &Expression,
        column: &dyn Fn(&str) -> Option<Column>,
        now: jiff::Timestamp,
    ) -> Result<String, ExpressionError>;

    /// What numbers columns, and how that is read and moved.
    fn numbering(&self) -> &dyn Numbering;

    /// A new script for this engine's own client.
    fn script(&self) -> Box<dyn Script>;
}
