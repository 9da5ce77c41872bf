//! The top of the spec: from text to [`Spec`], with all errors in one go.

use super::model::read_schema_file;
use super::read::{Keys, Reader, list};
use super::side::{Role, check_distinct, check_scratch, read_replicas, read_side};
use super::table::{Shared, read_defaults, read_pattern, read_tables, read_type};
use super::yaml::{Node, Plain};
use super::{
    ALL_HAZARDS, BATCH_ROWS_DEFAULT, Cast, HAZARDS, Limit, Limits, Located, Place, Source, Spec, SpecError,
    SpecErrors, TablePattern, yaml,
};
use crate::sql::NamedType;

/// The most a spec may hold; a larger file is not a spec.
const TEXT_BYTES_MAX: usize = 16 << 20;
/// The form of a spec that this version reads.
const VERSION: u64 = 1;
/// The most changes a transaction may be asked to hold.
const BATCH_ROWS_MAX: u64 = 1_000_000_000;

const SPEC_KEYS: Keys = Keys {
    known: &[
        "version",
        "primary",
        "replicas",
        "defaults",
        "limits",
        "allow",
        "tables",
        "skip_tables",
        "cast",
        "schema_file",
        "scratch",
        "apply",
    ],
    reserved: &["throttle", "wait_for_replica", "snapshot_max", "recheck"],
    refused: &[
        ("source", "unknown key `source`", "the side that is only read is called `primary`"),
        ("target", "unknown key `target`", "the sides to be made equal are called `replicas`"),
        ("targets", "unknown key `targets`", "the sides to be made equal are called `replicas`"),
        (
            "replica",
            "unknown key `replica`",
            "write `replicas:` with a name for each: `replicas: { eu: mysql://db.eu/shop }`",
        ),
    ],
};
const CAST_KEYS: Keys = Keys { known: &["from", "to"], reserved: &[], refused: &[] };
const LIMITS_KEYS: Keys = Keys { known: &["deletes", "changes"], reserved: &[], refused: &[] };
const APPLY_KEYS: Keys = Keys { known: &["batch_rows"], reserved: &[], refused: &[] };

impl Spec {
    /// Reads a spec. `path` is what errors begin with; `environment` looks up variables for `${NAME}`.
    /// All errors that can be found in one go come together.
    pub fn parse(
        text: &str,
        path: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Spec, SpecErrors> {
        let body = text.strip_prefix('\u{feff}').unwrap_or(text);
        if body.len() > TEXT_BYTES_MAX {
            return Err(SpecError::new(path, "", Place::START, "the file is larger than 16 MiB").into());
        }
        if let Some(error) = control_character(body, path) {
            return Err(error.into());
        }
        let mut reader = Reader::new(path, body);
        let spec = yaml::read(body, &mut reader, environment)
            .and_then(|root| read_spec(&root, path, body, &mut reader));
        match (spec, SpecErrors::from_list(reader.into_errors())) {
            (_, Some(errors)) => Err(errors),
            (Some(spec), None) => Ok(spec),
            (None, None) => Err(SpecError::new(path, body, Place::START, "this is not a spec").into()),
        }
    }
}

/// YAML allows no control characters; the parser's own words for them help nobody.
fn control_character(text: &str, path: &str) -> Option<SpecError> {
    for (index, line) in text.lines().enumerate() {
        let bad = line.chars().position(|c| c.is_control() && c != '\t' && c != '\u{85}');
        if let Some(column) = bad {
            let place = Place { line: index as u32 + 1, column: column as u32 + 1 };
            return Some(SpecError::new(path, text, place, "a control character cannot stand in YAML"));
        }
    }
    None
}

fn read_spec(root: &Node, path: &str, text: &str, reader: &mut Reader<'_>) -> Option<Spec> {
    let fields = reader.fields(root, "a spec", &SPEC_KEYS)?;
    let required = ["version", "primary", "replicas", "tables"];
    let missing: Vec<&str> = required.into_iter().filter(|key| fields.get(key).is_none()).collect();
    if !missing.is_empty() {
        let verb = if missing.len() == 1 { "is" } else { "are" };
        reader.error(root.place, format!("{} {verb} missing", list(&missing)));
    }
    if let Some(version) = fields.get("version") {
        check_version(version, reader);
    }
    let primary =
        fields.get("primary").and_then(|node| read_side(node, "the primary", Role::Primary, reader));
    let replicas = fields.get("replicas").map(|node| read_replicas(node, reader)).unwrap_or_default();
    if let Some(primary) = &primary {
        check_distinct(primary, &replicas, reader);
    }
    let defaults = match fields.get_filled("defaults") {
        Some(node) => read_defaults(node, reader),
        None => Shared::default(),
    };
    let limits = fields.get_filled("limits").map(|node| read_limits(node, reader)).unwrap_or_default();
    let tables = fields.get("tables").map(|node| read_tables(node, &defaults, reader)).unwrap_or_default();
    let skip_tables =
        fields.get_filled("skip_tables").map(|node| read_skip(node, reader)).unwrap_or_default();
    let allow = fields.get_filled("allow").map(|node| read_allow(node, reader)).unwrap_or_default();
    let cast = fields.get_filled("cast").map(|node| read_casts(node, reader)).unwrap_or_default();
    let (schema_file, scratch) = read_schema_file(&fields, primary.as_ref(), reader);
    if let (Some(primary), Some(scratch)) = (&primary, &scratch) {
        check_scratch(scratch, primary, &replicas, reader);
    }
    let batch_rows = fields.get_filled("apply").and_then(|node| read_batch_rows(node, reader));
    if reader.has_errors() {
        return None;
    }
    Some(Spec {
        path: path.to_owned(),
        primary: primary?,
        replicas,
        limits,
        allow,
        tables,
        skip_tables,
        cast,
        schema_file,
        model: None,
        scratch,
        batch_rows: batch_rows.unwrap_or(BATCH_ROWS_DEFAULT),
        source: Source(text.to_owned()),
    })
}

fn check_version(node: &Node, reader: &mut Reader<'_>) {
    let Some(scalar) = reader.scalar(node, "`version`", "the number 1") else { return };
    if scalar.resolve() != Plain::Integer {
        let message = format!("`version` must be the number 1, not {}", node.describe());
        return reader.error_with_hint(node.place, message, Some("write `version: 1`".to_owned()));
    }
    if scalar.text.parse() != Ok(VERSION) {
        let message = format!("version {} of the spec is not supported", scalar.text);
        reader.error_with_hint(node.place, message, Some("this trueup reads `version: 1`".to_owned()));
    }
}

fn read_limits(node: &Node, reader: &mut Reader<'_>) -> Limits {
    let Some(fields) = reader.fields(node, "`limits`", &LIMITS_KEYS) else { return Limits::default() };
    let mut limit = |key: &str| -> Option<Located<Limit>> {
        let node = fields.get(key)?;
        reader.parsed(node, &format!("`{key}`"), "a number of rows or a percentage", Limit::parse)
    };
    Limits { deletes: limit("deletes"), changes: limit("changes") }
}

/// The hazards that are allowed; `all` stands for each of them.
fn read_allow(node: &Node, reader: &mut Reader<'_>) -> Vec<String> {
    let Some(items) = reader.sequence(node, "`allow`") else { return Vec::new() };
    let names: Vec<(&str, &str)> =
        HAZARDS.iter().map(|(name, _)| (*name, *name)).chain([(ALL_HAZARDS, ALL_HAZARDS)]).collect();
    let mut allowed = Vec::new();
    for item in items {
        match reader.choice(item, "an item of `allow`", &names) {
            Some(ALL_HAZARDS) => allowed.extend(HAZARDS.iter().map(|(name, _)| (*name).to_owned())),
            Some(name) => allowed.push(name.to_owned()),
            None => {}
        }
    }
    allowed
}

/// A type of the primary and what it becomes, each once.
fn read_casts(node: &Node, reader: &mut Reader<'_>) -> Vec<Cast> {
    let Some(items) = reader.sequence(node, "`cast`") else { return Vec::new() };
    let mut casts: Vec<Cast> = Vec::new();
    for item in items {
        let Some(fields) = reader.fields(item, "an item of `cast`", &CAST_KEYS) else { continue };
        let mut read = |key: &str| match fields.get(key) {
            Some(node) => read_type(node, &format!("`{key}`"), reader),
            None => {
                reader.error(item.place, format!("`{key}` is missing in this item of `cast`"));
                None
            }
        };
        let (from, to) = (read("from"), read("to"));
        let (Some(from), Some(to)) = (from, to) else { continue };
        let named = |text: &Located<String>| NamedType::read(&text.value);
        if let Some(other) = casts.iter().find(|other| named(&other.from) == named(&from)) {
            let message = format!("`{}` is cast already, in line {}", from.value, other.from.place.line);
            reader.error(from.place, message);
            continue;
        }
        casts.push(Cast { from, to });
    }
    casts
}

fn read_skip(node: &Node, reader: &mut Reader<'_>) -> Vec<Located<TablePattern>> {
    let Some(items) = reader.sequence(node, "`skip_tables`") else { return Vec::new() };
    items.iter().filter_map(|item| read_pattern(item, "an item of `skip_tables`", reader)).collect()
}

fn read_batch_rows(node: &Node, reader: &mut Reader<'_>) -> Option<u64> {
    let fields = reader.fields(node, "`apply`", &APPLY_KEYS)?;
    reader.integer(fields.get("batch_rows")?, "`batch_rows`", 1, BATCH_ROWS_MAX)
}
