//! Reads `compare:`, the differences a spec excuses.

use super::amounts::parse_tolerance;
use super::read::{Fields, Keys, Reader};
use super::yaml::{Kind, Node};
use super::{CompareEntry, CompareOptions, CompareRule, Precision, Zone};

const OPTION_KEYS: Keys = Keys {
    known: &["tolerance", "precision", "zone", "trim", "case"],
    reserved: &[],
    refused: &[("ignore", "`ignore` is not an option but a rule of its own", "write `column: ignore`")],
};

/// Reads the mapping from columns to rules.
pub(super) fn read_compare(node: &Node, from_defaults: bool, reader: &mut Reader<'_>) -> Vec<CompareEntry> {
    let Some(columns) = reader.mapping(node, "`compare`") else { return Vec::new() };
    let mut entries = Vec::new();
    for (column, rule) in columns {
        if let Some(rule) = read_rule(&column.value, rule, reader) {
            entries.push(CompareEntry { column: column.clone(), rule, from_defaults });
        }
    }
    entries
}

fn read_rule(column: &str, node: &Node, reader: &mut Reader<'_>) -> Option<CompareRule> {
    let what = format!("`compare` of `{column}`");
    match &node.kind {
        Kind::Scalar(_) if node.is_broken() => None,
        Kind::Scalar(scalar) if scalar.text == "ignore" => Some(CompareRule::Ignore),
        Kind::Mapping(entries) if !entries.is_empty() => {
            let fields = reader.fields(node, &what, &OPTION_KEYS)?;
            let options = read_options(&fields, reader);
            check_together(&fields, &what, node, reader);
            Some(CompareRule::Options(options))
        }
        _ => {
            let hint =
                "for example `{ tolerance: 0.005 }`, `{ precision: seconds }` or `{ trim: true }`".to_owned();
            let message = format!("{what} must be `ignore` or a mapping of options");
            reader.error_with_hint(node.place, message, Some(hint));
            None
        }
    }
}

fn read_options(fields: &Fields<'_>, reader: &mut Reader<'_>) -> CompareOptions {
    let precisions = [
        ("seconds", Precision::Seconds),
        ("milliseconds", Precision::Milliseconds),
        ("microseconds", Precision::Microseconds),
    ];
    let tolerance = fields
        .get("tolerance")
        .and_then(|node| reader.parsed(node, "`tolerance`", "a decimal number", parse_tolerance));
    let zone =
        fields.get("zone").and_then(|node| reader.parsed(node, "`zone`", "an offset from UTC", Zone::parse));
    CompareOptions {
        tolerance: tolerance.map(|tolerance| tolerance.value),
        precision: fields.get("precision").and_then(|node| reader.choice(node, "`precision`", &precisions)),
        zone: zone.map(|zone| zone.value),
        trim: fields.get("trim").and_then(|node| reader.boolean(node, "`trim`")).unwrap_or(false),
        ignore_case: fields
            .get("case")
            .and_then(|node| reader.choice(node, "`case`", &[("ignore", true)]))
            .unwrap_or(false),
    }
}

/// A column is a number, a time or a text; options for two of them contradict each other.
fn check_together(fields: &Fields<'_>, what: &str, node: &Node, reader: &mut Reader<'_>) {
    let groups = [
        ("numbers", &["tolerance"][..]),
        ("dates and times", &["precision", "zone"][..]),
        ("text", &["trim", "case"][..]),
    ];
    let given: Vec<&str> = groups
        .iter()
        .filter(|(_, keys)| keys.iter().any(|key| fields.get(key).is_some()))
        .map(|(name, _)| *name)
        .collect();
    if given.len() > 1 {
        let message = format!("{what} mixes options for {}; a column is one of them", given.join(" and "));
        reader.error(node.place, message);
    }
}
