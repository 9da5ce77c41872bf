//! Reads cases. What depends on the pair of engines is settled here, so that the rest sees plain values.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_yaml::{Mapping, Value};

use crate::servers::{Engine, runs_on};

pub type Pair = (Engine, Engine);

/// A case as it is for one pair of engines.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// `file: name`, set by the reader.
    #[serde(skip)]
    pub title: String,
    #[serde(rename = "name")]
    _name: String,
    #[serde(default, rename = "about")]
    _about: String,
    /// Patterns of pairs; see [`valid_for`].
    #[serde(default)]
    engines: Vec<String>,
    /// What must stand behind the engine (`mariadb`, `mysql`), with why; else the case is told as not run.
    #[serde(default)]
    needs: BTreeMap<String, String>,
    /// SQL run on both sides, before their own.
    #[serde(default)]
    pub both: Script,
    #[serde(default)]
    pub primary: Script,
    #[serde(default)]
    pub replica: Script,
    /// A mapping, to which the runner adds version and sides, or the whole text.
    pub spec: Value,
    /// Variables of the tool's environment; the URLs are PRIMARY_URL and REPLICA_URL.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Arguments of every command, and of `apply` alone.
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub apply_args: Vec<String>,
    pub expect: Expect,
    /// Queries on the replica after `apply`.
    #[serde(default)]
    pub after: Vec<Check>,
    /// Whether both databases must dump alike after `apply` (same engine only).
    #[serde(default = "yes")]
    pub alike_after: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum Script {
    Portable(String),
    PerEngine(BTreeMap<String, String>),
}

impl Default for Script {
    fn default() -> Script {
        Script::Portable(String::new())
    }
}

impl Script {
    pub fn for_engine(&self, engine: Engine) -> &str {
        match self {
            Script::Portable(sql) => sql,
            Script::PerEngine(map) => {
                let own = map.get("mysql").filter(|_| is_mysql(engine));
                let script = own.or_else(|| map.get(engine.name())).or_else(|| map.get("default"));
                script.map_or("", String::as_str)
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    pub sql: Script,
    pub rows: Vec<Vec<Option<String>>>,
}

/// Exactly one of `in_sync`, `plan`/`schema`, `error`, `fails`; `refused` goes with a plan.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    pub in_sync: bool,
    /// Table name → changes.
    pub plan: Mapping,
    /// Schema changes, `action object`, with ` withheld` behind those that are.
    pub schema: Vec<String>,
    /// Rows whose differences the spec excuses.
    pub excused: u64,
    /// Causes that differences share, `table.column: cause, 2 of 3 (option)`; `[none]` where there must be none;
    /// not looked at without.
    pub causes: Vec<String>,
    pub refused: Option<Refused>,
    pub error: Option<Failure>,
    pub fails: Option<Failure>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// `plan` does not know of it: an option of `apply` is the reason.
    #[serde(default)]
    pub by_apply_alone: bool,
    #[serde(default)]
    pub table: Option<String>,
    #[serde(default)]
    pub contains: Vec<String>,
}

/// `error`: stands in the document; `fails`: only a message, and standard output stays empty.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    #[serde(default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub table: Option<String>,
    #[serde(default)]
    pub contains: Vec<String>,
    /// What stands on standard error, hints included.
    #[serde(default)]
    pub says: Vec<String>,
    #[serde(default = "one")]
    pub exit: i32,
}

fn one() -> i32 {
    1
}

/// Every case that is valid for `pair`, in the order of files and documents.
pub fn all_for(pair: Pair) -> Vec<Case> {
    documents().into_iter().filter_map(|(title, value)| for_pair(&title, value, pair)).collect()
}

impl Case {
    /// Whether what it needs is there; says it where not.
    pub fn can_run(&self, (primary, replica): Pair) -> bool {
        let has = |(product, why): (&String, &String)| {
            assert!(["mariadb", "mysql"].contains(&product.as_str()), "{}: no product {product}", self.title);
            let what = format!("{} [{}/{}]", self.title, primary.name(), replica.name());
            (primary != Engine::Mariadb && replica != Engine::Mariadb)
                || runs_on(Engine::Mariadb, product, &what, why)
        };
        self.needs.iter().all(has)
    }
}

fn is_mysql(engine: Engine) -> bool {
    engine == Engine::Mariadb && engine.product().is_mysql()
}

/// Every case's title.
pub fn titles() -> Vec<String> {
    documents().into_iter().map(|(title, _)| title).collect()
}

fn for_pair(title: &str, value: Value, pair: Pair) -> Option<Case> {
    let settled = settle(value, pair);
    let mut case: Case = serde_yaml::from_value(settled).unwrap_or_else(|why| panic!("{title}: {why}"));
    case.title = title.to_string();
    let valid = case.engines.is_empty() || case.engines.iter().any(|pattern| valid_for(pattern, pair));
    valid.then_some(case)
}

/// `same`, `different`, `primary/replica` with `*` for any; a lone name is both sides. `mariadb` is also MySQL,
/// where that stands behind it; `mysql` is MySQL alone.
fn valid_for(pattern: &str, (primary, replica): Pair) -> bool {
    let (first, second) = match pattern {
        "same" => return primary == replica,
        "different" => return primary != replica,
        _ => pattern.split_once('/').unwrap_or((pattern, pattern)),
    };
    let matches = |wanted: &str, engine: Engine| {
        let known = Engine::all().iter().any(|engine| engine.name() == wanted);
        assert!(known || wanted == "*" || wanted == "mysql", "`{pattern}` is no pair of engines");
        wanted == "*" || wanted == engine.name() || (wanted == "mysql" && is_mysql(engine))
    };
    // Both are evaluated, so that a misspelt name is always seen.
    matches(first, primary) & matches(second, replica)
}

/// Replaces each `{$pair: {pattern: value, default: value}}` with the value of the first pattern that fits.
fn settle(value: Value, pair: Pair) -> Value {
    match value {
        Value::Mapping(mut map) if map.len() == 1 && map.contains_key("$pair") => {
            let Some(Value::Mapping(choices)) = map.remove("$pair") else { panic!("$pair wants a mapping") };
            let fits = |pattern: &Value| {
                let pattern = pattern.as_str().expect("patterns are text");
                pattern == "default" || valid_for(pattern, pair)
            };
            let chosen = choices.into_iter().find(|(pattern, _)| fits(pattern));
            settle(chosen.map_or(Value::Null, |(_, value)| value), pair)
        }
        Value::Mapping(map) => Value::Mapping(map.into_iter().map(|(k, v)| (k, settle(v, pair))).collect()),
        Value::Sequence(list) => Value::Sequence(list.into_iter().map(|v| settle(v, pair)).collect()),
        other => other,
    }
}

/// Every document of every file below `tests/cases`, with its title.
fn documents() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    files.iter().flat_map(|file| read(&root, file)).collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the cases are readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
}

fn read(root: &Path, file: &Path) -> Vec<(String, Value)> {
    let short = file.strip_prefix(root).expect("the file was found below it").display().to_string();
    let text = fs::read_to_string(file).expect("cases are readable UTF-8");
    serde_yaml::Deserializer::from_str(&text)
        .map(|document| {
            let value = Value::deserialize(document).unwrap_or_else(|why| panic!("{short}: {why}"));
            let name = value
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_else(|| panic!("{short}: a case has no name"));
            (format!("{short}: {name}"), value)
        })
        .collect()
}
