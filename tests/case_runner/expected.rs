//! Turns expected changes into the lines that the tool's document is turned into, too.
//!
//! Where the way a value is shown depends on the pair, a case tags it: `!decimal 9.50`, `!bool true`,
//! `!datetime 2026-11-22T12:34:56`, `!instant 2026-11-22T12:34:56Z`, `!bytes 00ff`, `!json '{"a": 1}'`.
//! Between two SQLite files the values are shown as SQLite stores them.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use serde_yaml::{Mapping, Value};

use super::case::Pair;
use crate::servers::Engine;

/// The lines of all changes a case expects, table by table. The names of tables may hold `${VARIABLES}`.
pub fn lines(
    plan: &Mapping,
    variables: &BTreeMap<String, String>,
    document: &Json,
    pair: Pair,
) -> Vec<String> {
    let mut lines = Vec::new();
    for (table, changes) in plan {
        let mut table = table.as_str().expect("table names are text").to_string();
        for (name, value) in variables {
            table = table.replace(&format!("${{{name}}}"), value);
        }
        let (table, key) = (table.as_str(), key_of(document, &table));
        for change in changes.as_sequence().expect("changes are a list") {
            lines.push(line(table, &key, change, pair));
        }
    }
    lines
}

/// The key columns that the tool says the table has.
fn key_of(document: &Json, table: &str) -> Vec<String> {
    let tables = document["replicas"][0]["tables"].as_array().into_iter().flatten();
    let named = tables.filter(|entry| entry["table"] == table).flat_map(|entry| entry["key"].as_array());
    named.flatten().filter_map(|name| name.as_str().map(str::to_string)).collect()
}

fn line(table: &str, key: &[String], change: &Value, pair: Pair) -> String {
    let withheld = change.get("withheld").and_then(Value::as_bool).unwrap_or(false);
    let mut shown = Map::new();
    if let Some(row) = change.get("insert") {
        let row = object(row, pair, pair.0);
        shown.insert("action".into(), "insert".into());
        shown.insert("key".into(), part(&row, key));
        shown.insert("after".into(), Json::Object(row));
    } else if let Some(row) = change.get("delete") {
        let row = object(row, pair, pair.1);
        shown.insert("action".into(), "delete".into());
        shown.insert("key".into(), part(&row, key));
        shown.insert("before".into(), Json::Object(row));
    } else {
        // The row that is found on the replica, as that side prints it.
        let key = object(change.get("update").expect("insert, update or delete"), pair, pair.1);
        let set = change.get("set").and_then(Value::as_mapping).expect("an update says what it sets");
        let side = |at: usize, engine: Engine| {
            let values = set.iter().map(|(name, both)| {
                let name = name.as_str().expect("column names are text").to_string();
                (name, value(&both[at], pair, engine))
            });
            Json::Object(values.collect())
        };
        shown.insert("action".into(), "update".into());
        shown.insert("key".into(), Json::Object(key));
        shown.insert("before".into(), side(0, pair.1));
        shown.insert("after".into(), side(1, pair.0));
    }
    if withheld {
        shown.insert("withheld".into(), true.into());
    }
    if let Some(copies) = change.get("copies").and_then(Value::as_u64) {
        shown.insert("copies".into(), copies.into());
        shown.insert("key".into(), Json::Null);
    }
    line_of(table, &Json::Object(shown))
}

/// One change of the document as a line: keys in a fixed order, so that lines can be held side by side.
pub fn line_of(table: &str, change: &Json) -> String {
    let mut line = format!("{table}: {}", change["action"].as_str().unwrap_or("?"));
    for part in ["key", "before", "after", "copies", "withheld"] {
        if let Some(value) = change.get(part) {
            line.push_str(&format!(" {part}={}", sorted(value)));
        }
    }
    line
}

fn sorted(value: &Json) -> Json {
    match value {
        Json::Object(map) => {
            let mut entries: Vec<_> = map.iter().map(|(k, v)| (k.clone(), sorted(v))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Json::Object(entries.into_iter().collect())
        }
        Json::Array(list) => Json::Array(list.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

fn part(row: &Map<String, Json>, key: &[String]) -> Json {
    Json::Object(
        row.iter().filter(|(name, _)| key.contains(name)).map(|(k, v)| (k.clone(), v.clone())).collect(),
    )
}

fn object(row: &Value, pair: Pair, engine: Engine) -> Map<String, Json> {
    let row = row.as_mapping().expect("a row is a mapping");
    let name =
        |name: &Value| name.as_str().map_or_else(|| panic!("column {name:?} is not text"), str::to_string);
    row.iter().map(|(column, cell)| (name(column), value(cell, pair, engine))).collect()
}

/// A value that was read on `engine`, as the document shows it for `pair`.
fn value(cell: &Value, pair: Pair, engine: Engine) -> Json {
    let Value::Tagged(tagged) = cell else {
        return serde_json::to_value(cell).expect("YAML values are JSON values here");
    };
    let stored = pair == (Engine::Sqlite, Engine::Sqlite);
    let text = match &tagged.value {
        Value::String(text) => text.clone(),
        other => serde_yaml::to_string(other).expect("it was just read").trim().to_string(),
    };
    match tagged.tag.to_string().as_str() {
        "!decimal" => decimal(&text, stored, engine),
        "!bool" if stored || pair == (Engine::Mariadb, Engine::Mariadb) => json!(i64::from(text == "true")),
        "!bool" => json!(text == "true"),
        "!datetime" | "!instant" if stored => json!(text.replace('T', " ").replace('Z', "+00:00")),
        "!datetime" | "!instant" => json!(text),
        "!bytes" => json!({ "base64": base64(&unhex(&text)) }),
        "!json" if stored => json!(text),
        "!json" => json!({ "json": serde_json::from_str::<Json>(&text).expect("the case holds valid JSON") }),
        other => panic!("no tag {other}"),
    }
}

/// Between two SQLite files the number that is stored; else as the side prints it: SQLite without zeros at the
/// end, the others with those of the declared scale.
fn decimal(text: &str, stored: bool, engine: Engine) -> Json {
    let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    match stored {
        true if short.contains('.') => json!(short.parse::<f64>().expect("a number")),
        true => json!(short.parse::<i64>().expect("a number")),
        false if engine == Engine::Sqlite => json!(short),
        false => json!(text),
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16));
    digits.collect::<Result<_, _>>().expect("bytes are written in hex")
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let chunk = |chunk: &[u8]| {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let letter = |at: usize| match at <= chunk.len() {
            true => LETTERS[(bits >> (18 - 6 * at) & 63) as usize] as char,
            false => '=',
        };
        [letter(0), letter(1), letter(2), letter(3)]
    };
    bytes.chunks(3).flat_map(chunk).collect()
}

#[test]
fn base64_is_the_standard_one() {
    let shown = ["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes()));
    assert_eq!(shown, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]);
}
