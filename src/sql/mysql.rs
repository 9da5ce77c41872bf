//! The SQL of MySQL and MariaDB: one language, two statics that differ in a handful of facts.
//!
//! Statements rely on the session that `engine::mysql` sets (strict mode, UTC, `ALLOW_INVALID_DATES`), but no
//! literal does: scripts run in a plain client. Refuses to decide what a value means; a value that a column
//! would change is [`Unwritable`].

mod alter;
mod change;
mod condition;
mod copies;
mod ddl;
pub(crate) mod digest;
mod document;
mod literal;
mod named;
mod portable;
mod scope;
mod script;
mod sequence;
mod unique;

pub(crate) use condition::is_incomparable;
pub(crate) use script::orphans;
pub(crate) use sequence::largest;

use super::expression::{Expression, ExpressionError};
use super::{
    Alteration, Attachment, Column, ColumnPlace, ConstraintChecks, CopiesToDelete, DefaultKind, Dialect,
    EngineName, ForeignKeyAction, NamedType, Numbering, Online, Portable, Ported, RowUpdate, Script, Select,
    SelectColumn, TableDefinition, TableName, UniqueIndex, Unwritable,
};
use crate::value::{ColumnType, Domain, Type, Value};

/// Zero dates and rows with id 0 stay what they are; what does not fit is an error. NO_BACKSLASH_ESCAPES is not
/// among them, whatever our own literals would gain: the catalog prints members of an enum and defaults with
/// backslashes in every mode, and MySQL 8 and 9 parse the stored text of generated columns and of defaults in the
/// session's mode, so that a table with `('it\'s')` in one cannot even be read.
pub(crate) const SQL_MODE: &str =
    "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION";

/// Statements stay below this; servers take at least 1 MiB by default (`max_allowed_packet`), 16 or 64 MiB
/// in practice.
const STATEMENT_BYTES_MAX: usize = 1_000_000;

/// MySQL 8.0 and later.
pub static MYSQL: Family = Family {
    engine: EngineName::Mysql,
    binary_collation: "utf8mb4_0900_bin",
    bare_values: false,
    limits: literal::Limits {
        timestamp_end_year: 2038,
        negative_zero: true,
        time_max: literal::TIME_MAX_WHOLE,
    },
};

/// MariaDB 10.6 and later.
pub static MARIADB: Family = Family {
    engine: EngineName::Mariadb,
    binary_collation: "utf8mb4_nopad_bin",
    bare_values: true,
    // 2106 since 11.5; an older server itself refuses what lies after 2038.
    limits: literal::Limits { timestamp_end_year: 2106, negative_zero: false, time_max: literal::TIME_MAX },
};

/// One server of the family.
#[derive(Debug)]
pub struct Family {
    engine: EngineName,
    /// Compares by code point without padding.
    binary_collation: &'static str,
    /// Whether `UNION ALL VALUES (1), (2)` is understood; MySQL has `VALUES ROW(…)` only since 8.0.19.
    bare_values: bool,
    limits: literal::Limits,
}

impl Family {
    fn write_literal(&self, value: &Value, column: &Column) -> Result<String, Unwritable> {
        self.literal(value, &column.column_type)
            .map_err(|why| Unwritable { reason: format!("{} (column `{}`)", why.reason, column.name) })
    }

    fn with_changes<T>(&self, table: &TableName, run: impl FnOnce(&change::Changes<'_>) -> T) -> T {
        let literal = |value: &Value, column: &Column| self.write_literal(value, column);
        run(&change::Changes {
            table: self.table(table),
            literal: &literal,
            binary_collation: self.binary_collation,
            bare_values: self.bare_values,
            bytes_max: STATEMENT_BYTES_MAX,
            loose: if self.engine == EngineName::Mariadb { loose_on_mariadb } else { loose_on_mysql },
        })
    }
}

/// The statement that reads several tables in one go, in any order and of each at most so many rows: for each row the
/// number of its select, and the columns of all of them, NULL but for its own.
pub(crate) fn render_together(engine: EngineName, selects: &[&Select], rows_max: usize) -> String {
    let family = if engine == EngineName::Mysql { &MYSQL } else { &MARIADB };
    let all: usize = selects.iter().map(|select| select.columns.len()).sum();
    let mut before = 0;
    let part = |(number, select): (usize, &&Select)| {
        let behind = all - before - select.columns.len();
        let sql =
            condition::among_others(family, &family.table(&select.table), select, number, (before, behind));
        before += select.columns.len();
        format!("({sql} LIMIT {rows_max})")
    };
    selects.iter().enumerate().map(part).collect::<Vec<_>>().join(" UNION ALL ")
}

/// [`SQL_MODE`] without its strictness.
const LOOSE_MODE: &str = "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION";

fn loose_on_mariadb(statement: &str) -> String {
    format!("SET STATEMENT sql_mode = '{LOOSE_MODE}' FOR {statement}")
}

fn loose_on_mysql(statement: &str) -> String {
    statement.replacen(' ', &format!(" /*+ SET_VAR(sql_mode = '{LOOSE_MODE}') */ "), 1)
}

/// A name in backticks.
fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Bytes as `x'…'`.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2 + 3);
    text.push_str("x'");
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text.push('\'');
    text
}

impl Dialect for Family {
    fn engine(&self) -> EngineName {
        self.engine
    }

    fn same_family(&self, other: &dyn Dialect) -> bool {
        matches!(other.engine(), EngineName::Mysql | EngineName::Mariadb)
    }

    fn makes_digests(&self) -> bool {
        true
    }

    fn stores_any_class(&self) -> bool {
        false
    }

    fn drops_equal_json(&self) -> bool {
        self.engine == EngineName::Mysql
    }

    fn suppresses_triggers(&self) -> bool {
        false
    }

    fn transactional_ddl(&self) -> bool {
        false
    }

    fn statement_bytes_max(&self) -> usize {
        STATEMENT_BYTES_MAX
    }

    fn rows_at_once(&self) -> usize {
        change::ROWS_MAX
    }

    fn identifier(&self, name: &str) -> String {
        identifier(name)
    }

    fn same_column_name(&self, one: &str, other: &str) -> bool {
        one.to_lowercase() == other.to_lowercase()
    }

    fn literal(&self, value: &Value, column: &ColumnType) -> Result<String, Unwritable> {
        literal::literal(value, column, self.limits)
    }

    fn select(&self, select: &Select) -> String {
        condition::select(self, &self.table(&select.table), select)
    }

    fn order_needs_sort(&self, column: &Column, domain: &Domain) -> bool {
        condition::needs_sort(column, domain)
    }

    fn constraint_checks(&self) -> ConstraintChecks {
        let off = Some(("SET foreign_key_checks = 0", "SET foreign_key_checks = 1"));
        ConstraintChecks { off, ..ConstraintChecks::default() }
    }

    fn equates(&self, column: &Column) -> bool {
        matches!(column.column_type.meaning, Type::Text { .. }) && column.collation.is_some()
    }

    /// Words of a list are numbers to a foreign key.
    fn same_ends(&self, pointing: &Column, pointed_at: &Column) -> bool {
        let [one, other] = [pointing, pointed_at].map(|column| &column.column_type.meaning);
        let listed = |meaning: &Type| matches!(meaning, Type::Enum { .. } | Type::Set { .. });
        one == other || !(listed(one) || listed(other))
    }

    fn equated(&self, _table: &TableName, column: &Column, values: &[&Value]) -> Result<String, Unwritable> {
        let collation = column.collation.as_deref().unwrap_or(self.binary_collation);
        let charset = collation.split('_').next().unwrap_or("utf8mb4");
        let pads = !collation.contains("nopad") && !collation.contains("_0900_");
        let mark = |value: &&Value| {
            let literal = self.literal(value, &column.column_type)?;
            let text = format!("CONVERT({literal} USING {charset}) COLLATE {collation}");
            Ok(format!(
                "SHA2({}, 256)",
                if pads { unique::trimmed_weights(&text) } else { format!("WEIGHT_STRING({text})") }
            ))
        };
        let marks: Vec<String> = values.iter().map(mark).collect::<Result<_, Unwritable>>()?;
        Ok(format!("SELECT {}", marks.join(", ")))
    }

    fn index_marks(
        &self,
        _table: &TableName,
        index: &UniqueIndex,
        columns: &[Column],
        rows: &[Vec<Value>],
    ) -> Result<String, Unwritable> {
        self.marks_of(index, columns, rows)
    }

    fn insert(
        &self,
        table: &TableName,
        columns: &[Column],
        rows: &[Vec<Value>],
    ) -> Result<Vec<String>, Unwritable> {
        self.with_changes(table, |changes| changes.insert(columns, rows))
    }

    fn update(
        &self,
        table: &TableName,
        key: &[SelectColumn],
        columns: &[Column],
        rows: &[RowUpdate],
    ) -> Result<Vec<String>, Unwritable> {
        self.update_keeping(table, key, columns, &[], rows)
    }

    fn rewrites_itself(&self, column: &Column) -> bool {
        matches!(&column.default, Some(DefaultKind::Expression(text))
            if text.to_ascii_lowercase().contains(" on update "))
    }

    fn update_keeping(
        &self,
        table: &TableName,
        key: &[SelectColumn],
        columns: &[Column],
        keep: &[Column],
        rows: &[RowUpdate],
    ) -> Result<Vec<String>, Unwritable> {
        let mut keep: Vec<Column> = keep.to_vec();
        let own = key.iter().map(|part| &part.column).filter(|column| self.rewrites_itself(column));
        keep.extend(own.cloned());
        self.with_changes(table, |changes| changes.update(key, columns, &keep, rows))
    }

    fn delete(
        &self,
        table: &TableName,
        key: &[SelectColumn],
        keys: &[Vec<Value>],
    ) -> Result<Vec<String>, Unwritable> {
        Ok(self.with_changes(table, |changes| changes.delete(key, keys)))
    }

    fn delete_copies(&self, copies: &CopiesToDelete<'_>) -> Result<Vec<String>, Unwritable> {
        copies::delete(self, copies)
    }

    fn create_table(&self, table: &TableDefinition) -> String {
        ddl::create_table(self, table)
    }

    fn add_column(&self, table: &TableName, column: &Column) -> String {
        format!("ALTER TABLE {} ADD COLUMN {}", self.table(table), ddl::column(self, column))
    }

    /// A new name without a database would be one of the session's.
    fn rename_table(&self, table: &TableName, name: &str) -> String {
        let named = TableName { name: name.to_owned(), ..table.clone() };
        format!("ALTER TABLE {} RENAME TO {}", self.table(table), self.table(&named))
    }

    /// InnoDB has foreign keys follow their table.
    fn made_up_name(&self, name: &str, was: &str, is: &str) -> (String, bool) {
        let number = name.strip_prefix(was).filter(|rest| rest.starts_with("_ibfk_"));
        (number.map_or_else(|| name.to_owned(), |number| format!("{is}{number}")), true)
    }

    /// Checks do not follow a column's name.
    fn rename_column(
        &self,
        table: &TableName,
        column: &str,
        name: &str,
        checks: &[(super::Attachment, super::Attachment)],
    ) -> String {
        alter::rename_column(self, table, (column, name), checks)
    }

    fn online(&self, _table: &TableName, _alteration: Option<&Alteration>, _partitioned: bool) -> Online {
        Online::Never("what this server locks for that is not known beforehand")
    }

    fn alter(&self, table: &TableName, alteration: &Alteration) -> Option<Vec<String>> {
        Some(vec![alter::alter(self, table, &[alteration])?])
    }

    fn alter_together(
        &self,
        table: &TableName,
        alterations: &[&Alteration],
        linked: bool,
    ) -> Option<Vec<String>> {
        let sql = alter::alter(self, table, alterations)?;
        match self.constraint_checks().off {
            Some((off, on)) if linked => Some(vec![off.to_owned(), sql, on.to_owned()]),
            _ => Some(vec![sql]),
        }
    }

    fn rewrites(&self, before: &Column, after: &Column) -> bool {
        alter::rewrites(before, after)
    }

    fn rewrites_to_attach(&self, attachment: &Attachment) -> bool {
        alter::rewrites_to_attach(attachment)
    }

    fn add_column_at(&self, table: &TableName, column: &Column, place: ColumnPlace<'_>) -> String {
        let sql = self.add_column(table, column);
        match place {
            ColumnPlace::First => format!("{sql} FIRST"),
            ColumnPlace::Behind(other) => format!("{sql} AFTER {}", identifier(other)),
            ColumnPlace::Last => sql,
        }
    }

    fn options_rewrite(&self, before: &str, after: &str) -> bool {
        alter::options_rewrite(before, after)
    }

    fn meanwhile(&self, before: &Column, after: &Column, wider: bool) -> Option<Column> {
        Some(alter::meanwhile(before, after, wider))
    }

    fn cannot_create(&self, options: &str) -> Option<&'static str> {
        let hides = options.contains(" PERIOD FOR SYSTEM_TIME ");
        hides.then_some("it has columns of its own that say since when and until when its rows hold")
    }

    fn column_text(&self, column: &Column) -> Option<String> {
        column.words.whole.is_some().then(|| ddl::column(self, column))
    }

    fn orders_columns(&self) -> bool {
        true
    }

    fn foreign(&self, column: &str, before: &Column, after: &Column) -> Option<String> {
        alter::foreign(column, before, after)
    }

    fn numbers_keys_alone(&self) -> bool {
        true
    }

    fn is_now(&self, default: &str) -> bool {
        let default = default.to_ascii_lowercase();
        let inside = default.strip_prefix("current_timestamp").unwrap_or("?");
        let digits = inside.strip_prefix('(').and_then(|inside| inside.strip_suffix(')'));
        inside.is_empty() || digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
    }

    fn now(&self, meaning: &Type) -> Option<String> {
        let (Type::DateTime { digits } | Type::Instant { digits }) = meaning else { return None };
        let digits = if *digits == 0 { String::new() } else { format!("({})", (*digits).min(6)) };
        Some(format!("CURRENT_TIMESTAMP{digits}"))
    }

    fn is_new_uuid(&self, default: &str) -> bool {
        default.trim_matches(['(', ')']).eq_ignore_ascii_case("uuid")
    }

    fn new_uuid(&self, meaning: &Type) -> Option<String> {
        let has_room = match meaning {
            Type::Uuid => true,
            Type::Text { chars_max, .. } => chars_max.is_none_or(|max| max >= 36),
            _ => false,
        };
        has_room.then(|| "uuid()".to_owned())
    }

    fn said_default(&self, column: &Column) -> Option<DefaultKind> {
        alter::said_default(column)
    }

    fn default_words(&self, column: &Column) -> Option<String> {
        ddl::default(column)
    }

    fn gives_moments(&self) -> bool {
        true
    }

    fn named_type(&self, named: &NamedType) -> Option<ColumnType> {
        named::named_type(self.engine, named)
    }

    fn type_name(&self, name: &str) -> String {
        named::type_name(name)
    }

    fn portable(&self, attachment: &Attachment) -> Result<Ported, &'static str> {
        portable::portable(attachment)
    }

    fn adopted(&self, portable: &Portable, name: &str, _created: bool) -> Option<Attachment> {
        portable::adopted(portable, name)
    }

    fn fits_name(&self, name: &str) -> bool {
        portable::fits_name(name)
    }

    fn no_key(&self, columns: &[&Column]) -> Option<String> {
        portable::no_key(columns)
    }

    fn no_tie(&self, pointing: &Column, pointed_at: &Column, key: &Portable) -> Option<String> {
        let does = |action| key.on_delete == action || key.on_update == action;
        if does(ForeignKeyAction::SetNull) && !pointing.nullable {
            return Some(format!("it sets {} to NULL, which takes none", pointing.name));
        }
        let carries = key.on_update == ForeignKeyAction::Cascade;
        if carries && pointed_at.nullable && !pointing.nullable {
            return Some(format!("it would carry NULL on to {}, which takes none", pointing.name));
        }
        portable::no_tie(self, pointing, pointed_at)
    }

    fn chars_held(&self, column: &ColumnType) -> Option<u64> {
        named::chars_held(column)
    }

    fn promised(&self, column: &ColumnType) -> Type {
        if column.declared == "tinyint(1)" { Type::Boolean } else { column.meaning.clone() }
    }

    fn is_unbounded(&self, column: &ColumnType) -> bool {
        named::is_unbounded(column)
    }

    fn makes_indexes(&self) -> bool {
        true
    }

    fn tells_restrict(&self) -> bool {
        false
    }

    fn type_for(&self, meaning: &Type, key: bool) -> Option<ColumnType> {
        ddl::type_for(self.engine, meaning, key)
    }

    fn adopted_type(&self, column: &ColumnType) -> Option<ColumnType> {
        ddl::adopted_type(self.engine, column)
    }

    fn scope(
        &self,
        expression: &Expression,
        column: &dyn Fn(&str) -> Option<Column>,
        now: jiff::Timestamp,
    ) -> Result<String, ExpressionError> {
        scope::render(expression, column, now)
    }

    fn numbering(&self) -> &dyn Numbering {
        self
    }

    fn script(&self) -> Box<dyn Script> {
        let family = if self.engine == EngineName::Mariadb { &MARIADB } else { &MYSQL };
        Box::new(script::FamilyScript::new(family))
    }
}

#[cfg(test)]
mod tests;
