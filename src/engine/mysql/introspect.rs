//! The catalog, set-wise from `information_schema`: a few queries a database, whatever the number of tables, and the
//! definitions of many tables in one message (`attachments`).
//!
//! `information_schema` shows only what the user has rights on. A table of which only some columns may be read
//! looks smaller than it is; it is found by its column rights, and its rows count as hidden.

use std::collections::{HashMap, HashSet};

use sqlx::mysql::MySqlConnection;

use super::attachments::{self, Known};
use super::definition::{self, Definition, Shown};
use super::{Facts, query, quoted, run};
use crate::engine::EngineError;
use crate::failure::ErrorKind;
use crate::schema::{Catalog, Dependent, Folding, Table, UniqueKey};
use crate::sql::mysql::largest;
use crate::sql::{
    Alike, AttachmentKind, Column, ColumnWords, DefaultKind, EngineName, ForeignKey, ForeignKeyAction,
    Generated, Identity, IndexPart, LiteralDefault, RowEvent, Sequence, TableName, Trigger, UniqueIndex,
};
use crate::value::{ColumnType, Type};

type Rows = Vec<Vec<Option<String>>>;

/// Collations that compare by code point and do not pad. Every `_bin` without `nopad` pads.
const BY_CODE_POINT: [&str; 2] = ["utf8mb4_0900_bin", "utf8mb4_nopad_bin"];

/// The base tables of these databases; `None` is the URL's.
pub(super) async fn catalog(
    connection: &mut MySqlConnection,
    facts: &Facts,
    schemas: &[Option<String>],
) -> Result<Catalog, EngineError> {
    let mut names: Vec<String> = Vec::new();
    for schema in schemas {
        let name = match schema {
            Some(name) if facts.case_folded => name.to_lowercase(),
            Some(name) => name.clone(),
            None => facts.database.clone().ok_or_else(|| {
                EngineError::new(ErrorKind::Missing, "the URL names no database")
                    .hint("put its name behind the host: mysql://user@host/database")
            })?,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut tables = Vec::new();
    for name in &names {
        tables.extend(database(connection, facts, name).await?);
    }
    let folding = if facts.case_folded { Folding::Unicode } else { Folding::None };
    let tables = tables.into();
    Ok(Catalog { default_schema: facts.database.clone(), tables, folding, ..Catalog::default() })
}

/// See [`Engine::dependents`](crate::engine::Engine::dependents). The tables are named with their databases.
pub(super) async fn dependents(
    connection: &mut MySqlConnection,
    tables: &[TableName],
) -> Result<Vec<Dependent>, EngineError> {
    let what = "look for foreign keys of other databases";
    let names = tables.iter().map(|table| {
        format!("({}, {})", quoted(table.schema.as_deref().unwrap_or_default()), quoted(&table.name))
    });
    let names: Vec<String> = names.collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT k.TABLE_NAME, k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_SCHEMA, \
         k.REFERENCED_TABLE_NAME, k.REFERENCED_COLUMN_NAME, k.TABLE_SCHEMA FROM information_schema.KEY_COLUMN_USAGE k \
         WHERE (k.REFERENCED_TABLE_SCHEMA, k.REFERENCED_TABLE_NAME) IN ({}) \
         ORDER BY k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION",
        names.join(", ")
    );
    let mut found = query(connection, &sql, what).await?;
    // With the schema told, the server need not open all tables once more for each key.
    for row in &mut found {
        let sql = format!(
            "SELECT DELETE_RULE, UPDATE_RULE FROM information_schema.REFERENTIAL_CONSTRAINTS \
             WHERE CONSTRAINT_SCHEMA = {} AND TABLE_NAME = {} AND CONSTRAINT_NAME = {}",
            quoted(&text(row, 6)),
            quoted(&text(row, 0)),
            quoted(&text(row, 1))
        );
        let rules = query(connection, &sql, what).await?.into_iter().next().unwrap_or_default();
        let schema = row.pop().flatten();
        row.extend(rules);
        row.push(schema);
    }
    let keys = found.chunk_by(|a, b| a[8] == b[8] && a[..2] == b[..2]);
    let dependent = |rows: &[Vec<Option<String>>]| Dependent {
        table: TableName::qualified(text(&rows[0], 8), text(&rows[0], 0)),
        key: foreign_key(rows),
    };
    Ok(keys.map(dependent).collect())
}

async fn database(
    connection: &mut MySqlConnection,
    facts: &Facts,
    name: &str,
) -> Result<Vec<Table>, EngineError> {
    let what = format!("read the structure of database {name}");
    let schema = quoted(name);
    let mut ask = async |sql: String| query(connection, &sql, &what).await;
    let tables = ask(format!(
        "SELECT TABLE_NAME, CAST(TABLE_ROWS AS CHAR), TABLE_COLLATION FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = {schema} AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY TABLE_NAME"
    ))
    .await?;
    let columns = ask(format!(
        "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, DATA_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, \
         CAST(CHARACTER_MAXIMUM_LENGTH AS CHAR), CAST(NUMERIC_PRECISION AS CHAR), CAST(NUMERIC_SCALE AS CHAR), \
         CAST(DATETIME_PRECISION AS CHAR), CHARACTER_SET_NAME, COLLATION_NAME, GENERATION_EXPRESSION FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = {schema} ORDER BY TABLE_NAME, ORDINAL_POSITION"
    ))
    .await?;
    // MariaDB knows no indexes over expressions.
    let expression = if facts.engine == EngineName::Mysql { "EXPRESSION" } else { "NULL" };
    let keys = ask(format!(
        "SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, CAST(SUB_PART AS CHAR), {expression} FROM information_schema.STATISTICS \
         WHERE TABLE_SCHEMA = {schema} AND NON_UNIQUE = 0 ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"
    ))
    .await?;
    let triggers = ask(format!(
        "SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION, ACTION_STATEMENT \
         FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = {schema} ORDER BY EVENT_OBJECT_TABLE, TRIGGER_NAME"
    ))
    .await?;
    let narrow = ask(format!(
        "SELECT DISTINCT TABLE_NAME FROM information_schema.COLUMN_PRIVILEGES WHERE TABLE_SCHEMA = {schema}"
    ))
    .await?;
    let named: Vec<(TableName, Option<String>)> = (tables.iter())
        .map(|row| (TableName::qualified(name, text(row, 0)), row.get(2).cloned().flatten()))
        .collect();
    let definitions = attachments::definitions(connection, facts, &named).await?;
    let mut tables = Parts { facts, schema: name, columns, keys, definitions, triggers }.assemble(tables);
    let narrow: HashSet<String> = narrow.into_iter().filter_map(|row| row.into_iter().next()?).collect();
    for table in tables.iter_mut().filter(|table| narrow.contains(&table.name.name)) {
        let hidden = hidden_columns(connection, facts, &table.name).await?;
        table.hidden_rows = hidden.or(table.hidden_rows.take());
    }
    Ok(tables)
}

/// Rights on some columns: whether all may be read is asked of the server itself.
async fn hidden_columns(
    connection: &mut MySqlConnection,
    facts: &Facts,
    table: &TableName,
) -> Result<Option<String>, EngineError> {
    let name = super::dialect(facts.engine).table(table);
    let what = format!("look at table {table}");
    match run(connection, &format!("SELECT * FROM {name} LIMIT 0"), &what).await {
        Ok(_) => Ok(None),
        Err(error) if error.kind == ErrorKind::Permission => {
            Ok(Some("this user may read only some of its columns".to_owned()))
        }
        Err(error) => Err(error),
    }
}

/// What the queries gave for one database.
struct Parts<'a> {
    facts: &'a Facts,
    schema: &'a str,
    columns: Rows,
    keys: Rows,
    definitions: HashMap<TableName, Known>,
    triggers: Rows,
}

impl Parts<'_> {
    fn assemble(mut self, tables: Rows) -> Vec<Table> {
        let mut columns: HashMap<String, Vec<Column>> = HashMap::new();
        for row in self.columns.iter().filter(|row| !is_of_history(row)) {
            let table = TableName::qualified(self.schema, text(row, 0));
            let definition = self.definitions.get(&table).and_then(|known| known.as_ref().ok());
            let shown = definition.and_then(|definition| definition.columns.get(&text(row, 1)));
            columns.entry(table.name).or_default().push(column(self.facts.engine, row, shown));
        }
        let mut triggers: HashMap<String, Vec<Trigger>> = HashMap::new();
        for row in &self.triggers {
            triggers.entry(text(row, 0)).or_default().push(trigger(row));
        }
        let mut keys = self.unique_keys(&columns);
        let mut indexes = self.unique_indexes(&columns);
        let mut whole = Vec::new();
        for row in &tables {
            let name = TableName::qualified(self.schema, text(row, 0));
            // One that is gone by now.
            let Some(known) = self.definitions.remove(&name) else { continue };
            let (definition, hidden_rows) = match known {
                Ok(definition) => (Some(definition), None),
                Err(why) => (None, Some(why)),
            };
            let options = definition.as_ref().map(|definition| definition.options.clone());
            let definition = definition.unwrap_or_default();
            let columns = columns.remove(&name.name).unwrap_or_default();
            whole.push(Table {
                sequences: columns.iter().filter_map(counter).collect(),
                keys: keys.remove(&name.name).unwrap_or_default(),
                unique_indexes: indexes.remove(&name.name).unwrap_or_default(),
                foreign_keys: attachments::foreign_keys(self.facts.engine, &definition.attachments),
                checked: checked(&columns, &definition),
                columns,
                attachments: definition.attachments,
                stored: Default::default(),
                options,
                triggers: triggers.remove(&name.name).unwrap_or_default(),
                layout: Default::default(),
                rows_estimate: number(row, 1),
                hidden_rows,
                name,
            });
        }
        whole
    }

    fn unique_keys(&self, columns: &HashMap<String, Vec<Column>>) -> HashMap<String, Vec<UniqueKey>> {
        let of_history: HashSet<(String, String)> = (self.columns.iter())
            .filter(|row| is_of_history(row))
            .map(|row| (text(row, 0), text(row, 1)))
            .collect();
        let mut tables: HashMap<String, Vec<UniqueKey>> = HashMap::new();
        for rows in self.keys.chunk_by(|a, b| a[..2] == b[..2]) {
            let (table, name) = (text(&rows[0], 0), text(&rows[0], 1));
            // A prefix of a column, or an expression (without a column), does not identify rows by columns.
            let Some(names) = rows
                .iter()
                .map(|row| if row[3].is_none() { row[2].clone() } else { None })
                .collect::<Option<Vec<String>>>()
            else {
                continue;
            };
            // Of the rows that are current, all have the same end.
            let names: Vec<String> = names
                .into_iter()
                .filter(|name| !of_history.contains(&(table.clone(), name.clone())))
                .collect();
            let known = columns.get(&table).map(Vec::as_slice).unwrap_or_default();
            let not_null = |name: &String| known.iter().any(|one| one.name == *name && !one.nullable);
            let primary = name == "PRIMARY";
            let total = names.iter().all(not_null);
            let key = UniqueKey { name, columns: names, primary, total, deferrable: false };
            let keys = tables.entry(table).or_default();
            if primary { keys.insert(0, key) } else { keys.push(key) }
        }
        tables
    }

    /// Those over the begins of columns, or over expressions.
    fn unique_indexes(&self, columns: &HashMap<String, Vec<Column>>) -> HashMap<String, Vec<UniqueIndex>> {
        let mut tables: HashMap<String, Vec<UniqueIndex>> = HashMap::new();
        for rows in self.keys.chunk_by(|a, b| a[..2] == b[..2]) {
            if rows.iter().all(|row| row[2].is_some() && row[3].is_none()) {
                continue;
            }
            let table = text(&rows[0], 0);
            let known = columns.get(&table).map(Vec::as_slice).unwrap_or_default();
            tables.entry(table).or_default().push(unique_index(rows, known));
        }
        tables
    }
}

/// The columns of which a check speaks, the table's or their own.
fn checked(columns: &[Column], definition: &Definition) -> Vec<String> {
    let checks = definition.attachments.iter().filter(|one| one.kind == AttachmentKind::Check);
    let own = definition.columns.values().flat_map(|shown| &shown.checked);
    let spoken_of: HashSet<&String> = checks.flat_map(|check| &check.columns).chain(own).collect();
    columns.iter().map(|column| &column.name).filter(|name| spoken_of.contains(name)).cloned().collect()
}

/// One foreign key of the rows of its columns.
fn foreign_key(rows: &[Vec<Option<String>>]) -> ForeignKey {
    let first = &rows[0];
    ForeignKey {
        name: text(first, 1),
        columns: rows.iter().map(|row| text(row, 2)).collect(),
        table: TableName::qualified(text(first, 3), text(first, 4)),
        referenced: rows.iter().map(|row| text(row, 5)).collect(),
        on_delete: action(&text(first, 6)),
        on_update: action(&text(first, 7)),
        deferrable: false,
        whole: false,
    }
}

fn trigger(row: &[Option<String>]) -> Trigger {
    Trigger {
        name: text(row, 1),
        timing: text(row, 2),
        events: match text(row, 3).as_str() {
            "INSERT" => vec![RowEvent::Insert],
            "UPDATE" => vec![RowEvent::Update],
            _ => vec![RowEvent::Delete],
        },
        fires: true,
        body: text(row, 4),
    }
}

/// The counter of an AUTO_INCREMENT column.
fn counter(column: &Column) -> Option<Sequence> {
    column.identity?;
    Some(Sequence::counter(&column.name, largest(column)?))
}

fn text(row: &[Option<String>], at: usize) -> String {
    row.get(at).cloned().flatten().unwrap_or_default()
}

fn number<T: std::str::FromStr>(row: &[Option<String>], at: usize) -> Option<T> {
    row.get(at)?.as_ref()?.parse().ok()
}

fn action(rule: &str) -> ForeignKeyAction {
    match rule {
        "CASCADE" => ForeignKeyAction::Cascade,
        "SET NULL" => ForeignKeyAction::SetNull,
        "SET DEFAULT" => ForeignKeyAction::SetDefault,
        "RESTRICT" => ForeignKeyAction::Restrict,
        _ => ForeignKeyAction::NoAction,
    }
}

/// A unique index of which some part is not just a column.
fn unique_index(rows: &[Vec<Option<String>>], columns: &[Column]) -> UniqueIndex {
    let parts: Option<Vec<IndexPart>> = rows.iter().map(|row| index_part(row, columns)).collect();
    let untold = parts.is_none().then(|| "its expression is not understood".to_owned());
    let parts = parts.unwrap_or_default();
    let spoken_of = |column: &&Column| {
        let name = backticked(&column.name);
        parts.iter().any(|part| part.sql.contains(&name))
    };
    UniqueIndex {
        name: text(&rows[0], 1),
        columns: columns.iter().filter(spoken_of).map(|column| column.name.clone()).collect(),
        parts,
        condition: None,
        nulls_are_one: false,
        untold,
    }
}

fn index_part(row: &[Option<String>], columns: &[Column]) -> Option<IndexPart> {
    let Some(name) = row[2].as_deref() else {
        // The catalog puts a backslash before every quote. What has more of them, or is over the elements of an array,
        // is left to the server.
        let sql = row[4].as_deref()?.replace("\\'", "'");
        let read = !sql.contains('\\') && !sql.to_ascii_lowercase().contains(" array)");
        return read.then(|| IndexPart { sql: format!("({sql})"), alike: Alike::Text });
    };
    let column = columns.iter().find(|column| column.name == name)?;
    let is_text = matches!(column.column_type.meaning, Type::Text { .. });
    let sql = match row[3].as_deref() {
        Some(length) => format!("LEFT({}, {length})", backticked(name)),
        None => backticked(name),
    };
    Some(IndexPart { sql, alike: if is_text { Alike::Text } else { Alike::Printed } })
}

fn backticked(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn column(engine: EngineName, row: &[Option<String>], shown: Option<&Shown>) -> Column {
    let extra = text(row, 6).to_ascii_lowercase();
    let column_type = column_type(row, shown.is_some_and(|shown| shown.is_json));
    let generated = if extra.contains("virtual generated") {
        Some(Generated::Virtual)
    } else if extra.contains("stored generated") || extra.contains("persistent generated") {
        Some(Generated::Stored)
    } else {
        None
    };
    let is_text = matches!(column_type.meaning, Type::Text { .. }) || is_list(&text(row, 3));
    let collation = row.get(12).cloned().flatten();
    Column {
        name: text(row, 1),
        nullable: text(row, 4) == "YES",
        default: if generated.is_some() { None } else { default(engine, row, &extra, &column_type.meaning) },
        generated,
        identity: extra.contains("auto_increment").then_some(Identity::ByDefault),
        collation: collation.filter(|name| is_text && !BY_CODE_POINT.contains(&name.as_str())),
        words: shown.map(|shown| words(row, shown)).unwrap_or_default(),
        column_type,
    }
}

/// Whether the words of a list may be others than those that are printed: servers print `?` for a character beyond U+FFFF.
fn untold(row: &[Option<String>]) -> Option<String> {
    let prints_all = matches!(text(row, 11).as_str(), "utf8mb3" | "utf8");
    let lost = is_list(&text(row, 3)) && text(row, 2).contains('?') && !has_one_byte(&text(row, 11));
    // Values of other sets are compared as bytes, whatever is printed.
    (lost && !prints_all && has_one_code_each(&text(row, 11))).then(|| {
        "its words have a `?`, which the server also prints for characters that it cannot show".to_owned()
    })
}

/// Character sets without any character that the catalog cannot print.
fn has_one_byte(charset: &str) -> bool {
    matches!(charset, "latin1" | "ascii" | "ucs2")
}

/// What the definition says of a column, and the collation it has.
fn words(row: &[Option<String>], shown: &Shown) -> ColumnWords {
    let collation = row.get(12).cloned().flatten().map(|name| definition::modern(&name));
    let extra = text(row, 6).to_ascii_lowercase();
    let numbers = if extra.contains("auto_increment") { "AUTO_INCREMENT " } else { "" };
    let whole = format!("{numbers}{}", shown.rest).trim_end().to_owned();
    let mut check = shown.check.clone();
    let is_json = shown.is_json && collation.as_deref() == Some("utf8mb4_bin");
    // In another collation it is a text that is checked, not the type that MariaDB calls JSON.
    if shown.is_json && !is_json {
        check = Some(format!("json_valid({})", backticked(&text(row, 1))));
    }
    ColumnWords {
        default: shown.default.clone(),
        generated: shown.generated.clone(),
        collation: collation.filter(|_| !is_json),
        numbers: None,
        whole: Some(whole),
        on_update: shown.on_update.clone(),
        check,
        untold: untold(row),
    }
}

fn column_type(row: &[Option<String>], is_json: bool) -> ColumnType {
    // How a column is packed is no part of its type.
    let declared = without_width(text(row, 2).replace(" /*M!100301 COMPRESSED*/", "").as_str());
    // In an old character set it is a text that may be written in several codes.
    if is_json && text(row, 3) == "longtext" && has_one_code_each(&text(row, 11)) {
        return ColumnType::new("json", Type::JsonText);
    }
    let meaning = meaning(&text(row, 3), &declared, row);
    let charset = text(row, 11);
    let is_text = matches!(meaning, Type::Text { .. }) || is_list(&text(row, 3));
    let foreign = is_text && charset != "utf8mb4";
    let declared = if foreign { format!("{declared} CHARACTER SET {charset}") } else { declared };
    let meaning = if hides_words(&charset, &meaning) { Type::Other } else { meaning };
    ColumnType::new(declared, meaning)
}

/// Whether the catalog, which prints the words of a list in Unicode, may print two of them alike: bytes, of which
/// nothing says what they mean, and characters of old sets that have no Unicode form of their own.
fn hides_words(charset: &str, meaning: &Type) -> bool {
    let (Type::Enum { members } | Type::Set { members }) = meaning else { return false };
    let lost = |word: &String| word.contains(['?', '\u{fffd}']) || charset == "binary" && !word.is_ascii();
    let twice = || members.iter().collect::<HashSet<_>>().len() < members.len();
    !has_one_code_each(charset) && (members.iter().any(lost) || twice())
}

/// Whether the codes of a character set and Unicode's characters are one to one.
fn has_one_code_each(charset: &str) -> bool {
    matches!(charset, "" | "utf8mb4" | "utf8mb3" | "utf8" | "latin1" | "ascii" | "ucs2")
}

/// Since when and until when a row of a system-versioned table holds: the server's own, and only current rows are
/// looked at.
fn is_of_history(row: &[Option<String>]) -> bool {
    matches!(text(row, 13).as_str(), "ROW START" | "ROW END")
}

/// Types whose values are texts from a list.
fn is_list(word: &str) -> bool {
    matches!(word, "enum" | "set")
}

/// MariaDB prints `int(11)` and `year(4)` where MySQL prints `int` and `year`, and the widths mean nothing but in
/// `tinyint(1)`, which some clients take for a boolean, and with zeros in front.
fn without_width(declared: &str) -> String {
    let is_plain = ["smallint(", "mediumint(", "int(", "bigint(", "tinyint(", "year("]
        .iter()
        .any(|word| declared.starts_with(word));
    match (declared.split_once('('), declared.split_once(')')) {
        (Some((word, _)), Some((_, rest)))
            if is_plain && !declared.contains("zerofill") && declared != "tinyint(1)" =>
        {
            format!("{word}{rest}")
        }
        _ => declared.to_owned(),
    }
}

fn meaning(word: &str, declared: &str, row: &[Option<String>]) -> Type {
    let unsigned = declared.contains("unsigned");
    let integer = |bytes| Type::Integer { bytes, unsigned };
    let length: Option<u64> = number(row, 7);
    let digits = number(row, 10).unwrap_or(0);
    match word {
        "tinyint" => integer(1),
        "smallint" => integer(2),
        "mediumint" => integer(3),
        "int" => integer(4),
        "bigint" => integer(8),
        "decimal" => Type::Decimal { precision: number(row, 8), scale: number(row, 9) },
        "float" => Type::Float32,
        "double" => Type::Float64,
        "char" => Type::Text { chars_max: length, fixed: true },
        "varchar" | "tinytext" | "text" | "mediumtext" => Type::Text { chars_max: length, fixed: false },
        "longtext" => Type::Text { chars_max: None, fixed: false },
        "binary" => Type::Bytes { bytes_max: length, fixed: true },
        "varbinary" | "tinyblob" | "blob" | "mediumblob" => Type::Bytes { bytes_max: length, fixed: false },
        "longblob" => Type::Bytes { bytes_max: None, fixed: false },
        "date" => Type::Date,
        "time" => Type::Time { digits },
        "datetime" => Type::DateTime { digits },
        "timestamp" => Type::Instant { digits },
        "json" => Type::Json,
        "uuid" => Type::Uuid,
        "year" => Type::Year,
        "bit" => Type::Bits { length: number(row, 8).unwrap_or(1) },
        "enum" => list(declared).map_or(Type::Other, |members| Type::Enum { members }),
        "set" => list(declared).map_or(Type::Other, |members| Type::Set { members }),
        "inet4" => Type::Address { v4: true, v6: false, prefix: false },
        "inet6" => Type::Address { v4: false, v6: true, prefix: false },
        _ => Type::Other,
    }
}

/// The words of `enum('a','b')` and of a set.
fn list(declared: &str) -> Option<Vec<String>> {
    let (_, inner) = declared.split_once('(')?;
    let inner = inner.strip_suffix(')')?;
    let mut members = Vec::new();
    let mut start = 0;
    // A comma between two words stands behind a quote that closes: the number of quotes before it is even, but for
    // those behind a backslash.
    let (mut quotes, mut escaped) = (0, false);
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'\'' => quotes += 1,
            b',' if quotes % 2 == 0 => {
                members.push(unquoted(&inner[start..at])?);
                start = at + 1;
            }
            _ => {}
        }
    }
    members.push(unquoted(&inner[start..])?);
    Some(members)
}

fn default(engine: EngineName, row: &[Option<String>], extra: &str, meaning: &Type) -> Option<DefaultKind> {
    let on_update = extra.find("on update ").map(|at| text(row, 6)[at..].to_owned());
    let is_bits = text(row, 3) == "bit";
    let text = row.get(5).cloned().flatten().filter(|text| engine != EngineName::Mariadb || text != "NULL");
    let plain = match text {
        None => None,
        Some(text) if engine == EngineName::Mariadb => Some(mariadb_default(text)),
        Some(text) if extra.contains("default_generated") => Some(DefaultKind::Expression(text)),
        // MySQL shows bits and bytes as `b'101'` and `0x61`, and the bytes not always whole.
        Some(text) if matches!(meaning, Type::Bytes { .. }) || is_bits => Some(DefaultKind::Expression(text)),
        Some(text) => Some(DefaultKind::Literal(LiteralDefault::Text(text))),
    };
    let plain = plain.map(|default| as_number(default, meaning));
    // ON UPDATE has no place of its own in a column; it is part of the default's text.
    match (on_update, plain) {
        (None, plain) => plain,
        (Some(rule), Some(DefaultKind::Expression(text))) => {
            Some(DefaultKind::Expression(format!("{text} {rule}")))
        }
        (Some(rule), Some(DefaultKind::Literal(LiteralDefault::Text(text)))) => {
            Some(DefaultKind::Expression(format!("'{}' {rule}", text.replace('\'', "''"))))
        }
        (Some(rule), _) => Some(DefaultKind::Expression(format!("NULL {rule}"))),
    }
}

/// MariaDB prints the default as DDL writes it: text in quotes, all else as an expression.
fn mariadb_default(text: String) -> DefaultKind {
    match unquoted(&text) {
        Some(inner) => DefaultKind::Literal(LiteralDefault::Text(inner)),
        _ if text.parse::<f64>().is_ok() => DefaultKind::Literal(LiteralDefault::Number(text)),
        _ => DefaultKind::Expression(text),
    }
}

/// The text of one literal in quotes, in which the catalog escapes by doubling and by backslashes.
fn unquoted(literal: &str) -> Option<String> {
    let mut inner = literal.strip_prefix('\'')?.strip_suffix('\'')?.chars();
    let mut text = String::with_capacity(literal.len());
    while let Some(c) = inner.next() {
        text.push(match c {
            '\'' if inner.next()? == '\'' => '\'',
            '\'' => return None,
            '\\' => match inner.next()? {
                '0' => '\0',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'Z' => '\u{1a}',
                other => other,
            },
            other => other,
        });
    }
    Some(text)
}

fn as_number(default: DefaultKind, meaning: &Type) -> DefaultKind {
    let is_number =
        matches!(meaning, Type::Integer { .. } | Type::Decimal { .. } | Type::Float32 | Type::Float64);
    match default {
        DefaultKind::Literal(LiteralDefault::Text(text)) if is_number && text.parse::<f64>().is_ok() => {
            DefaultKind::Literal(LiteralDefault::Number(text))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_that_mean_nothing_are_not_part_of_a_type() {
        for (printed, kept) in [
            ("int(11)", "int"),
            ("bigint(20) unsigned", "bigint unsigned"),
            ("tinyint(4)", "tinyint"),
            ("tinyint(1)", "tinyint(1)"),
            ("tinyint(1) unsigned", "tinyint unsigned"),
            ("year(4)", "year"),
            ("int(5) unsigned zerofill", "int(5) unsigned zerofill"),
            ("varchar(20)", "varchar(20)"),
            ("decimal(10,2)", "decimal(10,2)"),
            ("enum('int(11)')", "enum('int(11)')"),
        ] {
            assert_eq!(without_width(printed), kept, "{printed}");
        }
    }

    #[test]
    fn lists_whose_words_the_catalog_cannot_print_are_no_lists_of_words() {
        let hides = |charset: &str, words: &[&str]| {
            let members = words.iter().map(|word| (*word).to_owned()).collect();
            hides_words(charset, &Type::Enum { members })
        };
        assert!(!hides("binary", &["a", "b c"]));
        assert!(hides("binary", &["a", "?"]) && hides("binary", &["é"]));
        assert!(hides("cp932", &["∵", "∵"]) && hides("sjis", &["?"]));
        assert!(!hides("cp932", &["∵", "a"]));
        assert!(!hides("utf8mb4", &["?", "é"]) && !hides("latin1", &["?"]));
    }

    #[test]
    fn the_words_of_a_list_are_read_with_their_escapes() {
        let words = |declared: &str| list(declared).map(|words| words.join("|"));
        assert_eq!(words("enum('a','b')").as_deref(), Some("a|b"));
        assert_eq!(words(r"enum('it''s','a,b','','\\','q\',''')").as_deref(), Some(r"it's|a,b||\|q','"));
        assert_eq!(words("set('x')").as_deref(), Some("x"));
        assert_eq!(words("point"), None);
    }

    #[test]
    fn defaults_of_text_are_read_with_their_escapes() {
        for (printed, text) in [
            ("''", Some("")),
            ("'it''s'", Some("it's")),
            (r"'it\'s \\ x'", Some(r"it's \ x")),
            (r"'a\0\n'", Some("a\0\n")),
            ("'a' + 'b'", None),
            ("'a", None),
            (r"'a\'", None),
            ("current_timestamp()", None),
        ] {
            assert_eq!(unquoted(printed).as_deref(), text, "{printed}");
        }
    }
}
