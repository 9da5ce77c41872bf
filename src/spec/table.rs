//! Reads `defaults` and the entries of `tables`, and merges them.

use super::expression::read_expression;
use super::read::{Fields, Keys, Reader};
use super::yaml::{Kind, Node};
use super::{
    CompareEntry, Glob, Located, NameError, OWN_PREFIX, Place, QualifiedName, RenamedFrom, SchemaMode,
    TableEntry, TablePattern, TriggerMode,
};
use super::{compare, read};
use crate::sql::NamedType;

const RESERVED: &[&str] = &["incremental"];

const TABLE_KEYS: Keys = Keys {
    known: &[
        "table",
        "to",
        "key",
        "columns",
        "exclude_columns",
        "rename",
        "cast",
        "renamed_from",
        "where",
        "compare",
        "schema",
        "drop",
        "online",
        "triggers",
        "insert",
        "update",
        "delete",
    ],
    reserved: RESERVED,
    refused: &[],
};

const ONE_TABLE: &str = "it speaks of one table: write it in that table's entry";

const DEFAULTS_KEYS: Keys = Keys {
    known: &["exclude_columns", "compare", "schema", "online", "triggers", "insert", "update", "delete"],
    reserved: RESERVED,
    refused: &[
        ("table", "`table` may not stand in `defaults`", ONE_TABLE),
        ("to", "`to` may not stand in `defaults`", ONE_TABLE),
        ("key", "`key` may not stand in `defaults`", ONE_TABLE),
        ("columns", "`columns` may not stand in `defaults`", ONE_TABLE),
        ("cast", "`cast` may not stand in `defaults`", ONE_TABLE),
        ("rename", "`rename` may not stand in `defaults`", ONE_TABLE),
        ("where", "`where` may not stand in `defaults`", ONE_TABLE),
        ("renamed_from", "`renamed_from` may not stand in `defaults`", ONE_TABLE),
        (
            "drop",
            "`drop` may not stand in `defaults`",
            "it speaks of the tables that a glob matches: write it beside that glob",
        ),
    ],
};

/// Keys that a glob has no use for.
const ONE_TABLE_KEYS: &[&str] = &["to", "key", "columns", "rename", "renamed_from", "cast", "where"];

/// What `defaults` and an entry have in common; `None` where nothing is said.
#[derive(Debug, Default)]
pub(super) struct Shared {
    exclude_columns: Option<Vec<Located<String>>>,
    compare: Vec<CompareEntry>,
    schema: Option<SchemaMode>,
    online: Option<bool>,
    triggers: Option<TriggerMode>,
    insert: Option<bool>,
    update: Option<bool>,
    delete: Option<bool>,
}

/// Reads `defaults`.
pub(super) fn read_defaults(node: &Node, reader: &mut Reader<'_>) -> Shared {
    match reader.fields(node, "`defaults`", &DEFAULTS_KEYS) {
        Some(fields) => read_shared(&fields, true, reader),
        None => Shared::default(),
    }
}

fn read_shared(fields: &Fields<'_>, from_defaults: bool, reader: &mut Reader<'_>) -> Shared {
    let modes = [("sync", SchemaMode::Sync), ("check", SchemaMode::Check), ("ignore", SchemaMode::Ignore)];
    let triggers = [("fire", TriggerMode::Fire), ("suppress", TriggerMode::Suppress)];
    let mut boolean = |key: &str| fields.get(key).and_then(|node| reader.boolean(node, &format!("`{key}`")));
    let (insert, update, delete) = (boolean("insert"), boolean("update"), boolean("delete"));
    let online = boolean("online");
    Shared {
        exclude_columns: fields
            .get("exclude_columns")
            .and_then(|node| reader.texts(node, "`exclude_columns`")),
        compare: fields
            .get("compare")
            .map(|node| compare::read_compare(node, from_defaults, reader))
            .unwrap_or_default(),
        schema: fields.get("schema").and_then(|node| reader.choice(node, "`schema`", &modes)),
        online,
        triggers: fields.get("triggers").and_then(|node| reader.choice(node, "`triggers`", &triggers)),
        insert,
        update,
        delete,
    }
}

/// Reads `tables`: names, globs and long entries, each merged with the defaults.
pub(super) fn read_tables(node: &Node, defaults: &Shared, reader: &mut Reader<'_>) -> Vec<TableEntry> {
    let Some(items) = reader.sequence(node, "`tables`") else { return Vec::new() };
    if items.is_empty() {
        let hint = "`tables: [\"*\"]` takes every table of the default schema".to_owned();
        reader.error_with_hint(node.place, "`tables` names no table", Some(hint));
    }
    let mut entries: Vec<(TableEntry, bool)> = Vec::new();
    for item in items {
        let short = matches!(item.kind, Kind::Scalar(_));
        let Some(entry) = read_entry(item, defaults, reader) else { continue };
        if !is_repeated(&entry, short, &entries, reader) {
            entries.push((entry, short));
        }
    }
    let entries: Vec<TableEntry> = entries.into_iter().map(|(entry, _)| entry).collect();
    check_counterparts(&entries, reader);
    entries
}

/// A name written twice in short form is one entry; with options it is unclear which ones hold.
fn is_repeated(
    entry: &TableEntry,
    short: bool,
    earlier: &[(TableEntry, bool)],
    reader: &mut Reader<'_>,
) -> bool {
    let same = |other: &&(TableEntry, bool)| other.0.table.value == entry.table.value;
    let Some((other, other_short)) = earlier.iter().find(same) else { return false };
    if !(short && *other_short) {
        let message =
            format!("`{}` has an entry already, in line {}", entry.table.value, other.table.place.line);
        reader.error_with_hint(entry.table.place, message, Some("keep one of the two".to_owned()));
    }
    true
}

/// Two primary tables cannot both decide what one replica table holds.
fn check_counterparts(entries: &[TableEntry], reader: &mut Reader<'_>) {
    let mut seen: Vec<&Located<QualifiedName>> = Vec::new();
    for to in entries.iter().filter_map(|entry| entry.to.as_ref()) {
        match seen.iter().find(|other| other.value == to.value) {
            Some(other) => {
                let message = format!(
                    "the entry in line {} goes to the replica's table `{}` too",
                    other.place.line, to.value
                );
                reader.error(to.place, message);
            }
            None => seen.push(to),
        }
    }
}

fn read_entry(node: &Node, defaults: &Shared, reader: &mut Reader<'_>) -> Option<TableEntry> {
    if matches!(node.kind, Kind::Scalar(_)) {
        let table = read_table(node, "a table", reader)?;
        return Some(merge(table, Shared::default(), defaults));
    }
    if !matches!(node.kind, Kind::Mapping(_)) {
        let message = format!(
            "an entry of `tables` must be a name, or a mapping with `table`, not {}",
            node.describe()
        );
        reader.error(node.place, message);
        return None;
    }
    if let Some(name) = name_as_key(node) {
        let hint = format!("write `- table: {}` with its options beside `table`", name.value);
        reader.error_with_hint(name.place, "the name of a table cannot be a key here", Some(hint));
        return None;
    }
    let fields = reader.fields(node, "an entry of `tables`", &TABLE_KEYS)?;
    let table = match fields.get("table") {
        Some(table) => read_table(table, "`table`", reader),
        None => {
            reader.error(node.place, "`table` is missing in this entry of `tables`");
            None
        }
    };
    if let Some(table) = table.as_ref().filter(|table| table.value.is_glob()) {
        refuse_with_glob(table, &fields, reader);
    }
    let shared = read_shared(&fields, false, reader);
    if let (Some(_), Some(place)) = (fields.get("columns"), fields.key_place("exclude_columns")) {
        let hint = "`columns` already says which ones; drop one of the two".to_owned();
        reader.error_with_hint(place, "`columns` and `exclude_columns` cannot stand together", Some(hint));
    }
    let to = fields.get("to").and_then(|node| read_name(node, "`to`", reader));
    let key = fields.get("key").and_then(|node| reader.texts(node, "`key`"));
    let columns = fields.get("columns").and_then(|node| reader.texts(node, "`columns`"));
    let rename = fields.get("rename").map(|node| read_rename(node, reader)).unwrap_or_default();
    let cast = fields.get("cast").map(|node| read_cast(node, reader)).unwrap_or_default();
    let drop = fields.get("drop").and_then(|node| reader.boolean(node, "`drop`")).unwrap_or(false);
    let filter = fields.get("where").and_then(|node| read_expression(node, reader));
    let mut entry = merge(table?, shared, defaults);
    entry.drop = drop;
    entry.renamed_from = fields.get("renamed_from").and_then(|node| read_renamed_from(node, reader));
    if let (Some(_), SchemaMode::Ignore) = (&entry.renamed_from, entry.schema) {
        let place = fields.key_place("renamed_from").unwrap_or(node.place);
        let hint = "names are structure, which is not looked at there";
        let message = "`renamed_from` cannot stand beside `schema: ignore`";
        reader.error_with_hint(place, message, Some(hint.to_owned()));
    }
    if let Some(place) = fields.key_place("drop").filter(|_| drop) {
        check_drop(&entry, place, reader);
    }
    entry.to = to;
    entry.key = key;
    entry.rename = rename;
    entry.cast = cast;
    let written = fields.get("where").filter(|_| filter.is_some());
    entry.filter_text = written.and_then(|node| reader.text(node, "`where`")).map(|text| text.value);
    entry.filter = filter;
    if columns.is_some() && entry.exclude_from_defaults {
        // An explicit choice wins over what `defaults` leaves out everywhere else.
        entry.exclude_columns.clear();
        entry.exclude_from_defaults = false;
    }
    entry.columns = columns;
    check_columns(&entry, reader);
    Some(entry)
}

/// Reads `cast`: a column and the type that it is created with.
fn read_cast(node: &Node, reader: &mut Reader<'_>) -> Vec<(Located<String>, Located<String>)> {
    let Some(columns) = reader.mapping(node, "`cast`") else { return Vec::new() };
    let mut casts = Vec::new();
    for (column, named) in columns {
        casts.extend(
            read_type(named, &format!("`cast` of `{}`", column.value), reader).map(|to| (column.clone(), to)),
        );
    }
    casts
}

/// Reads the name of a type.
pub(super) fn read_type(node: &Node, what: &str, reader: &mut Reader<'_>) -> Option<Located<String>> {
    let text = reader.text(node, what)?;
    if NamedType::read(&text.value).is_none() {
        let hint = "a type is words and numbers, for example `varchar(40)` or `bigint unsigned`".to_owned();
        reader.error_with_hint(text.place, format!("{what} is no name of a type"), Some(hint));
        return None;
    }
    Some(text)
}

/// `- users: { key: [id] }`, which other tools take, or `- users:`.
fn name_as_key(node: &Node) -> Option<&Located<String>> {
    let Kind::Mapping(entries) = &node.kind else { return None };
    let [(name, value)] = &entries[..] else { return None };
    let known = TABLE_KEYS.known.contains(&name.value.as_str()) || RESERVED.contains(&name.value.as_str());
    let looks_so = value.is_null() || matches!(value.kind, Kind::Mapping(_));
    (looks_so && !known).then_some(name)
}

fn refuse_with_glob(table: &Located<TablePattern>, fields: &Fields<'_>, reader: &mut Reader<'_>) {
    for key in ONE_TABLE_KEYS {
        if let Some(place) = fields.key_place(key) {
            let message = format!("`{key}` cannot stand beside the glob `{}`", table.value);
            let hint =
                "it speaks of one table: give that table an entry of its own, which wins over the glob";
            reader.error_with_hint(place, message, Some(hint.to_owned()));
        }
    }
}

/// Tables that only the replica has are those that a glob matches there and not on the primary.
fn check_drop(entry: &TableEntry, place: Place, reader: &mut Reader<'_>) {
    let table = &entry.table.value;
    if !table.is_glob() {
        let message = format!("`drop` cannot stand beside `{table}`, which is no glob");
        let hint = "it drops the replica's tables that a glob matches and that the primary has not";
        reader.error_with_hint(place, message, Some(hint.to_owned()));
    } else if entry.schema == SchemaMode::Ignore {
        let hint = "`schema: check` reports the tables that only the replica has, `sync` drops them";
        let message = "`drop` cannot stand beside `schema: ignore`";
        reader.error_with_hint(place, message, Some(hint.to_owned()));
    }
}

fn merge(table: Located<TablePattern>, own: Shared, defaults: &Shared) -> TableEntry {
    let mut compare = own.compare;
    for entry in &defaults.compare {
        if !compare.iter().any(|other| other.column.value == entry.column.value) {
            compare.push(entry.clone());
        }
    }
    let exclude_from_defaults = own.exclude_columns.is_none() && defaults.exclude_columns.is_some();
    TableEntry {
        table,
        to: None,
        key: None,
        columns: None,
        exclude_columns: own.exclude_columns.or_else(|| defaults.exclude_columns.clone()).unwrap_or_default(),
        exclude_from_defaults,
        rename: Vec::new(),
        cast: Vec::new(),
        filter: None,
        filter_text: None,
        drop: false,
        renamed_from: None,
        compare,
        schema: own.schema.or(defaults.schema).unwrap_or_default(),
        online: own.online.or(defaults.online).unwrap_or_default(),
        triggers: own.triggers.or(defaults.triggers).unwrap_or_default(),
        insert: own.insert.or(defaults.insert).unwrap_or(true),
        update: own.update.or(defaults.update).unwrap_or(true),
        delete: own.delete.or(defaults.delete).unwrap_or(true),
    }
}

/// Reads what an entry speaks of, which is never one of the tool's own tables.
fn read_table(node: &Node, what: &str, reader: &mut Reader<'_>) -> Option<Located<TablePattern>> {
    let table = read_pattern(node, what, reader)?;
    if table.value.exact().is_some_and(|table| table.name.starts_with(OWN_PREFIX)) {
        reader.error(table.place, format!("tables that begin with `{OWN_PREFIX}` are trueup's own"));
        return None;
    }
    if table.value.schema.as_ref().is_some_and(Glob::is_glob) {
        let message = format!("{what}: a glob cannot stand for the schema");
        let hint = "name each schema in an entry of its own, as in `billing.*`".to_owned();
        reader.error_with_hint(table.place, message, Some(hint));
        return None;
    }
    Some(table)
}

/// Reads a name or glob.
pub(super) fn read_pattern(
    node: &Node,
    what: &str,
    reader: &mut Reader<'_>,
) -> Option<Located<TablePattern>> {
    let text = reader.text(node, what)?;
    named(TablePattern::parse(&text.value), what, text.place, reader)
}

fn read_name(node: &Node, what: &str, reader: &mut Reader<'_>) -> Option<Located<QualifiedName>> {
    let text = reader.text(node, what)?;
    named(QualifiedName::parse(&text.value), what, text.place, reader)
}

fn named<T>(
    name: Result<T, NameError>,
    what: &str,
    place: Place,
    reader: &mut Reader<'_>,
) -> Option<Located<T>> {
    match name {
        Ok(name) => Some(Located::new(name, place)),
        Err(error) => {
            let hint =
                matches!(error, NameError::TooManyParts | NameError::Quotes | NameError::Glob).then(|| {
                    "a `.`, `*` or `?` of the name itself goes in double quotes: '\"my.table\"'".to_owned()
                });
            reader.error_with_hint(place, format!("{what} is not a table's name: {error}"), hint);
            None
        }
    }
}

fn read_rename(node: &Node, reader: &mut Reader<'_>) -> Vec<(Located<String>, Located<String>)> {
    let Some(entries) = reader.mapping(node, "`rename`") else { return Vec::new() };
    let mut renames: Vec<(Located<String>, Located<String>)> = Vec::new();
    for (column, name) in entries {
        let Some(name) = reader.text(name, &format!("the new name of `{}`", column.value)) else { continue };
        if let Some((other, _)) = renames.iter().find(|(_, other)| other.value == name.value) {
            let message =
                format!("`{}` and `{}` are both renamed to `{}`", other.value, column.value, name.value);
            reader.error(name.place, message);
            continue;
        }
        renames.push((column.clone(), name));
    }
    renames
}

const RENAMED_FROM_KEYS: Keys = Keys { known: &["table", "columns"], reserved: &[], refused: &[] };

/// What the replica's table, and columns of it, were called before.
fn read_renamed_from(node: &Node, reader: &mut Reader<'_>) -> Option<RenamedFrom> {
    let fields = reader.fields(node, "`renamed_from`", &RENAMED_FROM_KEYS)?;
    let table = fields.get("table").and_then(|node| read_name(node, "`table`", reader)).and_then(|table| {
        if table.value.schema.is_some() {
            let hint = "a table that gets another name stays in its schema".to_owned();
            reader.error_with_hint(table.place, "`table` is the old name, without a schema", Some(hint));
            return None;
        }
        Some(Located::new(table.value.name, table.place))
    });
    let columns = fields.get("columns").map(|node| read_rename(node, reader)).unwrap_or_default();
    if fields.get("table").is_none() && columns.is_empty() {
        let hint = "as in `renamed_from: { table: old_name, columns: { new: old } }`".to_owned();
        reader.error_with_hint(node.place, "`renamed_from` names nothing", Some(hint));
        return None;
    }
    Some(RenamedFrom { table, columns })
}

/// What the file alone can tell about columns that contradict each other.
fn check_columns(entry: &TableEntry, reader: &mut Reader<'_>) {
    for column in entry.key.iter().flatten() {
        refuse_out_of_scope(entry, column, "the key", reader);
    }
    for (column, _) in &entry.cast {
        refuse_out_of_scope(entry, column, "`cast`", reader);
    }
    for (column, _) in &entry.rename {
        refuse_out_of_scope(entry, column, "`rename`", reader);
    }
    for (column, _) in entry.renamed_from.iter().flat_map(|from| &from.columns) {
        refuse_out_of_scope(entry, column, "`renamed_from`", reader);
    }
    for rule in &entry.compare {
        if !rule.from_defaults {
            refuse_out_of_scope(entry, &rule.column, "`compare`", reader);
        }
        let key = entry.key.iter().flatten().find(|key| key.value == rule.column.value);
        let Some(key) = key else { continue };
        let message = format!("the key column `{}` cannot have a `compare` option", key.value);
        let hint = match rule.from_defaults {
            true => format!("the option stands in `defaults`, line {}", rule.column.place.line),
            false => "rows are told apart by their key, so it is always compared exactly".to_owned(),
        };
        let place = if rule.from_defaults { key.place } else { rule.column.place };
        reader.error_with_hint(place, message, Some(hint));
    }
}

fn refuse_out_of_scope(
    entry: &TableEntry,
    column: &Located<String>,
    named_by: &str,
    reader: &mut Reader<'_>,
) {
    if let Some(columns) = &entry.columns {
        let names: Vec<&str> = columns.iter().map(|column| column.value.as_str()).collect();
        if !names.contains(&column.value.as_str()) {
            let hint = read::did_you_mean(&column.value, names).map(|near| format!("did you mean `{near}`?"));
            let message = format!("{named_by} names `{}`, which `columns` does not list", column.value);
            reader.error_with_hint(column.place, message, hint);
        }
    }
    let excluded = entry.exclude_columns.iter().find(|excluded| excluded.value == column.value);
    if let Some(excluded) = excluded {
        let message = format!(
            "{named_by} names `{}`, which `exclude_columns` leaves out in line {}",
            column.value, excluded.place.line
        );
        reader.error(column.place, message);
    }
}
