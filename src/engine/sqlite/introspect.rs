//! The catalog: what SQLite's schema says, in a few queries for all tables.
//!
//! Ordinary tables only: no views, no virtual tables and what is theirs, none of SQLite's own. Queries run in
//! one read transaction, so that the answer is of one moment.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Result};

use super::index;
use crate::schema::{Catalog, Folding, Table, UniqueKey};
use crate::sql::sqlite::{Sqlite, column_type, structure};
use crate::sql::{
    Alike, AttachmentKind, Column, DefaultKind, Dialect, ForeignKey, ForeignKeyAction, Generated, Identity,
    IndexPart, LiteralDefault, Sequence, StoredText, TableName, Trigger, UniqueIndex,
};

/// The tables in the order of their names. The other queries begin from the same list, for SQLite fails on the
/// columns of a virtual table whose module it does not have.
macro_rules! ordinary {
    () => {
        "pragma_table_list l WHERE l.schema = 'main' AND l.type = 'table' AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    };
}
const TABLES: &str = concat!("SELECT l.name, l.wr, l.strict FROM ", ordinary!(), " ORDER BY l.name");
const COLUMNS: &str = concat!(
    "WITH t AS MATERIALIZED (SELECT l.name FROM ",
    ordinary!(),
    ") SELECT t.name, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk, c.hidden \
     FROM t, pragma_table_xinfo(t.name, 'main') c ORDER BY t.name, c.cid"
);
/// Partial indexes and those over expressions are no keys.
const KEYS: &str = concat!(
    "WITH t AS MATERIALIZED (SELECT l.name FROM ",
    ordinary!(),
    ") SELECT t.name, i.name, i.origin = 'pk', c.name \
     FROM t, pragma_index_list(t.name, 'main') i, pragma_index_xinfo(i.name, 'main') c \
     WHERE i.\"unique\" AND NOT i.partial AND c.key ORDER BY t.name, i.name, c.seqno"
);
/// All unique indexes, with the texts that made them; those of constraints have none.
const UNIQUE_INDEXES: &str = concat!(
    "WITH t AS MATERIALIZED (SELECT l.name FROM ",
    ordinary!(),
    ") SELECT t.name, i.name, i.partial, c.name, c.coll, s.sql \
     FROM t, pragma_index_list(t.name, 'main') i, pragma_index_xinfo(i.name, 'main') c \
     LEFT JOIN main.sqlite_schema s ON s.type = 'index' AND s.name = i.name \
     WHERE i.\"unique\" AND c.key ORDER BY t.name, i.name, c.seqno"
);
const FOREIGN_KEYS: &str = concat!(
    "WITH t AS MATERIALIZED (SELECT l.name FROM ",
    ordinary!(),
    ") SELECT t.name, f.id, f.\"table\", f.\"from\", f.\"to\", f.on_update, f.on_delete \
     FROM t, pragma_foreign_key_list(t.name, 'main') f ORDER BY t.name, f.id, f.seq"
);
const TRIGGERS: &str =
    "SELECT tbl_name, name, sql FROM main.sqlite_schema WHERE type = 'trigger' ORDER BY tbl_name, name";
/// What made the tables, their indexes and their triggers, in that order.
const TEXTS: &str = "SELECT type, tbl_name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid";
const ESTIMATES: &str = "SELECT tbl, max(CAST(stat AS INTEGER)) FROM sqlite_stat1 GROUP BY tbl";

/// A table while its parts come together.
#[derive(Default)]
struct Draft {
    without_rowid: bool,
    strict: bool,
    columns: Vec<Column>,
    /// Columns of the primary key with their place in it.
    primary: Vec<(i64, String)>,
    keys: Vec<UniqueKey>,
    unique_indexes: Vec<UniqueIndex>,
    foreign_keys: Vec<(i64, ForeignKey)>,
    sequences: Vec<Sequence>,
    triggers: Vec<Trigger>,
    checked: Vec<String>,
    stored: StoredText,
    indexes: Vec<String>,
    rows_estimate: Option<u64>,
}

/// The tables of the main database, for each of the schemas that is one of its names.
pub(super) fn catalog(connection: &Connection, schemas: &[Option<String>]) -> Result<Catalog> {
    connection.execute_batch("BEGIN")?;
    let mut drafts = tables(connection)?;
    read_columns(connection, &mut drafts)?;
    read_keys(connection, &mut drafts)?;
    read_unique_indexes(connection, &mut drafts)?;
    read_foreign_keys(connection, &mut drafts)?;
    read_triggers(connection, &mut drafts)?;
    read_checked(connection, &mut drafts)?;
    read_texts(connection, &mut drafts)?;
    read_estimates(connection, &mut drafts)?;
    connection.execute_batch("COMMIT")?;
    let primary_keys: BTreeMap<String, Vec<String>> = drafts
        .iter()
        .map(|(name, draft)| {
            (name.to_ascii_lowercase(), draft.primary.iter().map(|(_, name)| name.clone()).collect())
        })
        .collect();
    let mut tables = Vec::new();
    for schema in schemas {
        if schema.as_deref().is_some_and(|name| !name.eq_ignore_ascii_case("main")) {
            continue;
        }
        for (name, draft) in &drafts {
            let name = TableName { schema: schema.clone(), name: name.clone() };
            tables.push(finished(name, draft, &primary_keys));
        }
    }
    describe(&mut tables, &drafts);
    as_defined(&mut tables);
    Ok(Catalog { tables: tables.into(), folding: Folding::Ascii, ..Catalog::default() })
}

fn tables(connection: &Connection) -> Result<BTreeMap<String, Draft>> {
    let mut statement = connection.prepare(TABLES)?;
    let rows = statement.query_map([], |row| {
        let draft = Draft { without_rowid: row.get(1)?, strict: row.get(2)?, ..Draft::default() };
        Ok((row.get::<_, String>(0)?, draft))
    })?;
    rows.collect()
}

fn read_columns(connection: &Connection, drafts: &mut BTreeMap<String, Draft>) -> Result<()> {
    let mut statement = connection.prepare(COLUMNS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let table: String = row.get(0)?;
        let Some(draft) = drafts.get_mut(&table) else { continue };
        let name: String = row.get(1)?;
        let declared: String = row.get(2)?;
        // ANY in a STRICT table keeps every value as it is, which elsewhere only a column without type does.
        let declared =
            if draft.strict && declared.eq_ignore_ascii_case("ANY") { String::new() } else { declared };
        let default: Option<String> = row.get(4)?;
        let (place, hidden): (i64, i64) = (row.get(5)?, row.get(6)?);
        if place > 0 {
            draft.primary.push((place, name.clone()));
        }
        let (_, collation, _, _, numbers) =
            connection.column_metadata(Some("main"), table.as_str(), name.as_str())?;
        if numbers {
            draft.sequences.push(Sequence::counter(&name, i64::MAX.into()));
        }
        let collation = collation.map(|name| name.to_string_lossy().into_owned());
        draft.columns.push(Column {
            column_type: column_type(&declared),
            nullable: !row.get::<_, bool>(3)?,
            default: default.as_deref().map(default_kind),
            generated: match hidden {
                2 => Some(Generated::Virtual),
                3 => Some(Generated::Stored),
                _ => None,
            },
            identity: None,
            collation: collation.filter(|name| !name.eq_ignore_ascii_case("BINARY")),
            words: Default::default(),
            name,
        });
    }
    for draft in drafts.values_mut() {
        draft.primary.sort();
    }
    Ok(())
}

fn read_keys(connection: &Connection, drafts: &mut BTreeMap<String, Draft>) -> Result<()> {
    let mut statement = connection.prepare(KEYS)?;
    let mut rows = statement.query([])?;
    let mut over_expressions: Vec<(String, String)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (table, index): (String, String) = (row.get(0)?, row.get(1)?);
        let Some(draft) = drafts.get_mut(&table) else { continue };
        let Some(column) = row.get::<_, Option<String>>(3)? else {
            over_expressions.push((table, index));
            continue;
        };
        match draft.keys.last_mut() {
            Some(key) if key.name == index => key.columns.push(column),
            _ => draft.keys.push(UniqueKey {
                name: index,
                columns: vec![column],
                primary: row.get(2)?,
                total: false,
                deferrable: false,
            }),
        }
    }
    for (table, index) in over_expressions {
        if let Some(draft) = drafts.get_mut(&table) {
            draft.keys.retain(|key| key.name != index);
        }
    }
    for draft in drafts.values_mut() {
        finish_keys(draft);
    }
    Ok(())
}

/// Adds the key that has no index, and says which keys no row is missing from.
fn finish_keys(draft: &mut Draft) {
    let has_index = draft.keys.iter().any(|key| key.primary);
    if let ([(_, name)], false) = (draft.primary.as_slice(), has_index) {
        // Without an index of its own it is the rowid under another name, and never NULL.
        let name = name.clone();
        if let Some(column) = draft.columns.iter_mut().find(|column| column.name == name) {
            column.nullable = false;
            column.identity = Some(Identity::ByDefault);
        }
        let key = UniqueKey {
            name: "PRIMARY KEY".to_owned(),
            columns: vec![name],
            primary: true,
            total: true,
            deferrable: false,
        };
        draft.keys.push(key);
    }
    if draft.without_rowid || draft.strict {
        // Both enforce NOT NULL on the primary key; other tables, for old times' sake, do not.
        for (_, name) in &draft.primary {
            if let Some(column) = draft.columns.iter_mut().find(|column| column.name == *name) {
                column.nullable = false;
            }
        }
    }
    let columns = &draft.columns;
    for key in &mut draft.keys {
        key.total = key
            .columns
            .iter()
            .all(|name| columns.iter().any(|column| column.name == *name && !column.nullable));
    }
    draft.keys.sort_by(|a, b| b.primary.cmp(&a.primary).then_with(|| a.name.cmp(&b.name)));
}

/// A unique index while it is read.
struct IndexDraft {
    name: String,
    partial: bool,
    sql: Option<String>,
    /// The columns, `None` for an expression, and their collations.
    parts: Vec<(Option<String>, String)>,
}

/// The unique indexes of which the columns alone do not say what is one to them.
fn read_unique_indexes(connection: &Connection, drafts: &mut BTreeMap<String, Draft>) -> Result<()> {
    let mut statement = connection.prepare(UNIQUE_INDEXES)?;
    let mut rows = statement.query([])?;
    let mut indexes: BTreeMap<String, Vec<IndexDraft>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (table, name): (String, String) = (row.get(0)?, row.get(1)?);
        let indexes = indexes.entry(table).or_default();
        if indexes.last().is_none_or(|last| last.name != name) {
            indexes.push(IndexDraft { name, partial: row.get(2)?, sql: row.get(5)?, parts: Vec::new() });
        }
        if let Some(index) = indexes.last_mut() {
            index.parts.push((row.get(3)?, row.get(4)?));
        }
    }
    for (table, draft) in drafts {
        let indexes = indexes.remove(table).unwrap_or_default();
        draft.unique_indexes =
            indexes.iter().filter_map(|index| unique_index(index, &draft.columns)).collect();
    }
    Ok(())
}

/// `None` where it is just a key over columns.
fn unique_index(index: &IndexDraft, columns: &[Column]) -> Option<UniqueIndex> {
    let own = |name: &str| {
        let column = columns.iter().find(|column| column.name == name);
        column.and_then(|column| column.collation.as_deref()).unwrap_or("BINARY")
    };
    let plain = |(name, collation): &(Option<String>, String)| {
        name.as_deref().is_some_and(|name| own(name).eq_ignore_ascii_case(collation))
    };
    if !index.partial && index.parts.iter().all(plain) {
        return None;
    }
    let definition = index.sql.as_deref().and_then(index::definition);
    let written = definition.as_ref().filter(|definition| definition.parts.len() == index.parts.len());
    let part = |(at, (name, collation)): (usize, &(Option<String>, String))| {
        let sql = match name {
            Some(name) => Sqlite.identifier(name),
            None => format!("({})", written?.parts[at]),
        };
        Some(IndexPart { sql, alike: Alike::Collation(collation.clone()) })
    };
    let parts: Option<Vec<IndexPart>> = index.parts.iter().enumerate().map(part).collect();
    let condition = written.and_then(|definition| definition.condition.clone());
    let read = parts.filter(|_| !index.partial || condition.is_some());
    let untold = read.is_none().then(|| "its definition is not understood".to_owned());
    let parts = read.unwrap_or_default();
    let text = parts.iter().map(|part| part.sql.as_str()).chain(condition.as_deref());
    let text = text.collect::<Vec<_>>().join(" ");
    let columns = index::mentioned(&text, columns.iter().map(|column| column.name.as_str()));
    Some(UniqueIndex { name: index.name.clone(), parts, condition, nulls_are_one: false, columns, untold })
}

fn read_foreign_keys(connection: &Connection, drafts: &mut BTreeMap<String, Draft>) -> Result<()> {
    let mut statement = connection.prepare(FOREIGN_KEYS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let table: String = row.get(0)?;
        let Some(draft) = drafts.get_mut(&table) else { continue };
        let id: i64 = row.get(1)?;
        if draft.foreign_keys.last().is_none_or(|(last, _)| *last != id) {
            let key = ForeignKey {
                name: String::new(),
                columns: Vec::new(),
                table: TableName::plain(row.get::<_, String>(2)?),
                referenced: Vec::new(),
                on_update: action(&row.get::<_, String>(5)?),
                on_delete: action(&row.get::<_, String>(6)?),
                // Declared so or not: every transaction of ours puts them off.
                deferrable: true,
                whole: false,
            };
            draft.foreign_keys.push((id, key));
        }
        if let Some((_, key)) = draft.foreign_keys.last_mut() {
            key.columns.push(row.get(3)?);
            key.referenced.extend(row.get::<_, Option<String>>(4)?);
        }
    }
    Ok(())
}

/// A trigger keeps the name of its table as it was written.
fn read_triggers(connection: &Connection, drafts: &mut BTreeMap<String, Draft>) -> Result<()> {
    let mut statement = connection.prepare(TRIGGERS)?;
    let mut rows = statement.query([])?;
    let mut drafts = in_any_letters(drafts);
    while let Some(row) = rows.next()? {
        let (table, name, sql): (String, String, Option<String>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if let (Some(draft), Some(sql)) = (drafts.get_mut(&table.to_ascii_lowercase()), sql) {
            let (timing, event) = index::trigger_event(&sql);
            draft.triggers.push(Trigger {
                name,
                timing: timing.to_owned(),
                events: vec![event],
                fires: true,
                body: index::trigger_body(&sql).to_owned(),
            });
        }
    }
    Ok(())
}

/// The columns of which the checks in a table's text speak; all of them where it cannot be read.
fn read_checked(connection: &Connection, drafts: &mut BTreeMap<String, Draft>) -> Result<()> {
    let mut statement = connection
        .prepare("SELECT name, sql FROM main.sqlite_schema WHERE type = 'table' AND sql LIKE '%check%'")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (table, sql): (String, String) = (row.get(0)?, row.get(1)?);
        let Some(draft) = drafts.get_mut(&table) else { continue };
        let names = || draft.columns.iter().map(|column| column.name.as_str());
        draft.checked = match index::checks(&sql) {
            Some(checks) => index::mentioned(&checks.join(" "), names()),
            None => names().map(str::to_owned).collect(),
        };
    }
    Ok(())
}

fn read_texts(connection: &Connection, drafts: &mut BTreeMap<String, Draft>) -> Result<()> {
    let mut statement = connection.prepare(TEXTS)?;
    let mut rows = statement.query([])?;
    let mut drafts = in_any_letters(drafts);
    while let Some(row) = rows.next()? {
        let (kind, table, sql): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let Some(draft) = drafts.get_mut(&table.to_ascii_lowercase()) else { continue };
        match kind.as_str() {
            "table" => draft.stored.table = Some(sql),
            "index" => draft.indexes.push(sql),
            "trigger" => draft.stored.triggers.push(sql),
            _ => {}
        }
    }
    Ok(())
}

/// The drafts by their names in small letters: SQLite knows none by two that differ in letters alone.
fn in_any_letters(drafts: &mut BTreeMap<String, Draft>) -> BTreeMap<String, &mut Draft> {
    drafts.iter_mut().map(|(name, draft)| (name.to_ascii_lowercase(), draft)).collect()
}

/// What the texts say of the tables; of those that cannot be read, why.
fn describe(tables: &mut [Table], drafts: &BTreeMap<String, Draft>) {
    let in_any_letters = |schema: &Option<String>, name: &str| (schema.clone(), name.to_ascii_lowercase());
    let keys: BTreeMap<(Option<String>, String), (TableName, Vec<String>)> = tables
        .iter()
        .map(|table| {
            let key = table.keys.iter().find(|key| key.primary);
            let key = (table.name.clone(), key.map(|key| key.columns.clone()).unwrap_or_default());
            (in_any_letters(&table.name.schema, &table.name.name), key)
        })
        .collect();
    for table in tables {
        let Some(draft) = drafts.get(&table.name.name) else { continue };
        let parents = |name: &str| keys.get(&in_any_letters(&table.name.schema, name)).cloned();
        let sql = draft.stored.table.as_deref().unwrap_or_default();
        table.stored = draft.stored.clone();
        match structure::described(sql, &draft.indexes, &draft.columns, &parents) {
            Ok(described) => take(table, draft, described),
            Err(why) => table.stored.unread = Some(why.to_string()),
        }
    }
}

/// Takes what the texts say, where the pragmas say the same.
fn take(table: &mut Table, draft: &Draft, described: structure::Described) {
    let of = |kind| described.attachments.iter().filter(move |one| one.kind == kind);
    let key: Vec<&String> = draft.primary.iter().map(|(_, name)| name).collect();
    let read: Vec<&String> = of(AttachmentKind::PrimaryKey).flat_map(|one| &one.columns).collect();
    let is_strict = described.options.as_deref().unwrap_or_default().contains("STRICT");
    if key != read
        || of(AttachmentKind::ForeignKey).count() > draft.foreign_keys.len()
        || is_strict != draft.strict
    {
        table.stored.unread = Some("its text says something else than SQLite".to_owned());
        return;
    }
    for (column, words) in table.columns.iter_mut().zip(described.words) {
        column.words = words;
    }
    (table.attachments, table.options) = (described.attachments, described.options);
}

fn action(words: &str) -> ForeignKeyAction {
    match words {
        "CASCADE" => ForeignKeyAction::Cascade,
        "SET NULL" => ForeignKeyAction::SetNull,
        "SET DEFAULT" => ForeignKeyAction::SetDefault,
        "RESTRICT" => ForeignKeyAction::Restrict,
        _ => ForeignKeyAction::NoAction,
    }
}

/// The largest rowid, which costs one step down the tree; better, what ANALYZE left, if it ran.
fn read_estimates(connection: &Connection, drafts: &mut BTreeMap<String, Draft>) -> Result<()> {
    for (name, draft) in drafts.iter_mut().filter(|(_, draft)| !draft.without_rowid) {
        let taken = |alias: &&str| draft.columns.iter().any(|column| column.name.eq_ignore_ascii_case(alias));
        let Some(rowid) = ["rowid", "_rowid_", "oid"].into_iter().find(|alias| !taken(alias)) else {
            continue;
        };
        let sql = format!("SELECT max({rowid}) FROM main.{}", Sqlite.identifier(name));
        let largest: Option<i64> = connection.query_row(&sql, [], |row| row.get(0))?;
        draft.rows_estimate = u64::try_from(largest.unwrap_or(0)).ok();
    }
    let analysed = connection
        .query_row("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'", [], |_| Ok(()))
        .optional()?;
    if analysed.is_none() {
        return Ok(());
    }
    let mut statement = connection.prepare(ESTIMATES)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(draft) = drafts.get_mut(&row.get::<_, String>(0)?) {
            draft.rows_estimate = row.get::<_, Option<i64>>(1)?.and_then(|rows| u64::try_from(rows).ok());
        }
    }
    Ok(())
}

fn finished(name: TableName, draft: &Draft, primary_keys: &BTreeMap<String, Vec<String>>) -> Table {
    let foreign_keys = draft.foreign_keys.iter().map(|(_, key)| {
        let mut key = key.clone();
        key.table.schema = name.schema.clone();
        if key.referenced.is_empty() {
            key.referenced =
                primary_keys.get(&key.table.name.to_ascii_lowercase()).cloned().unwrap_or_default();
        }
        key
    });
    Table {
        columns: draft.columns.clone(),
        keys: draft.keys.clone(),
        unique_indexes: draft.unique_indexes.clone(),
        foreign_keys: foreign_keys.collect(),
        sequences: draft.sequences.clone(),
        attachments: Vec::new(),
        stored: Default::default(),
        options: None,
        triggers: draft.triggers.clone(),
        checked: draft.checked.clone(),
        layout: Default::default(),
        rows_estimate: draft.rows_estimate,
        hidden_rows: None,
        name,
    }
}

/// Names by their small letters.
type Names = BTreeMap<String, String>;

/// Foreign keys name tables and columns in any letters: here in those of their definitions.
fn as_defined(tables: &mut [Table]) {
    let fold = str::to_ascii_lowercase;
    let names = |table: &Table| -> Names {
        table.columns.iter().map(|column| (fold(&column.name), column.name.clone())).collect()
    };
    let defined: BTreeMap<(Option<String>, String), (String, Names)> = tables
        .iter()
        .map(|table| {
            let TableName { schema, name } = &table.name;
            ((schema.clone(), fold(name)), (name.clone(), names(table)))
        })
        .collect();
    let rename = |columns: &mut [String], known: &Names| {
        for column in columns {
            if let Some(name) = known.get(&fold(column)) {
                column.clone_from(name);
            }
        }
    };
    for table in tables {
        let own = names(table);
        for key in &mut table.foreign_keys {
            rename(&mut key.columns, &own);
            if let Some((name, columns)) = defined.get(&(key.table.schema.clone(), fold(&key.table.name))) {
                key.table.name.clone_from(name);
                rename(&mut key.referenced, columns);
            }
        }
        for target in table.attachments.iter_mut().filter_map(|one| one.target.as_mut()) {
            if let Some((_, columns)) = defined.get(&(target.table.schema.clone(), fold(&target.table.name)))
            {
                rename(&mut target.columns, columns);
            }
        }
    }
}

/// What a default's text says; SQLite gives it as it was written.
fn default_kind(text: &str) -> DefaultKind {
    let text = text.trim();
    let upper = text.to_ascii_uppercase();
    match upper.as_str() {
        "NULL" => return DefaultKind::Null,
        "TRUE" | "FALSE" => return DefaultKind::Literal(LiteralDefault::Boolean(upper == "TRUE")),
        _ => {}
    }
    if is_number(text) {
        let number = text.strip_prefix('+').unwrap_or(text);
        return DefaultKind::Literal(LiteralDefault::Number(number.to_owned()));
    }
    match quoted(text) {
        Some(text) => DefaultKind::Literal(LiteralDefault::Text(text)),
        None => DefaultKind::Expression(text.to_owned()),
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']);
    text.len() - digits.len() <= 1
        && digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && crate::value::Decimal::parse(text).is_ok()
}

/// The text between single quotes, if that is all there is.
fn quoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let unescaped = inner.replace("''", "\u{0}");
    (!unescaped.contains('\'') && !inner.contains('\u{0}')).then(|| unescaped.replace('\u{0}', "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_told_apart() {
        let text = |text: &str| DefaultKind::Literal(LiteralDefault::Text(text.to_owned()));
        let number = |text: &str| DefaultKind::Literal(LiteralDefault::Number(text.to_owned()));
        assert_eq!(default_kind("'it''s'"), text("it's"));
        assert_eq!(default_kind("''"), text(""));
        assert_eq!(default_kind("-1.50"), number("-1.50"));
        assert_eq!(default_kind("+3"), number("3"));
        assert_eq!(default_kind("null"), DefaultKind::Null);
        assert_eq!(default_kind("TRUE"), DefaultKind::Literal(LiteralDefault::Boolean(true)));
        for expression in ["CURRENT_TIMESTAMP", "'a' || 'b'", "x'00'", "1 + 1", "NaN"] {
            assert_eq!(default_kind(expression), DefaultKind::Expression(expression.to_owned()));
        }
    }
}
