//! Rows of one table that point at each other, laid out so that what is pointed at comes first.
//!
//! Works on encoded rows by value. Invariant: a row is in a later layer than every row of the set that it
//! points at; a row that points at itself waits for nobody.

use std::collections::HashMap;

use crate::compare::RowChange;
use crate::schema::TablePair;
use crate::value::{Decimal, Domain, Row, Value, decode};

use super::TablePlan;

/// A foreign key from a table to itself, as columns of its pair with their domains.
pub(super) struct SelfReference {
    from: Vec<(usize, Domain)>,
    to: Vec<(usize, Domain)>,
}

/// The foreign keys of a pair's replica table that point at itself and whose columns are all in scope:
/// where one is not, its values are not ours to write.
pub(super) fn self_references(pair: &TablePair) -> Vec<SelfReference> {
    let here = &pair.names.replica;
    let own = pair
        .foreign_keys
        .iter()
        .filter(|key| key.table.schema == here.schema && key.table.name.eq_ignore_ascii_case(&here.name));
    own.filter_map(|key| {
        Some(SelfReference { from: placed(pair, &key.columns)?, to: placed(pair, &key.referenced)? })
    })
    .collect()
}

fn placed(pair: &TablePair, names: &[String]) -> Option<Vec<(usize, Domain)>> {
    let find = |name: &String| {
        let exact = pair.columns.iter().position(|column| column.sides.replica.name == *name);
        let index = exact.or_else(|| {
            pair.columns.iter().position(|column| column.sides.replica.name.eq_ignore_ascii_case(name))
        })?;
        Some((index, pair.columns[index].domain.clone()))
    };
    names.iter().map(find).collect()
}

/// The rows' indexes in layers: those that point at no row of the set, then those that only point at the
/// first layer, and so on (Kahn's algorithm). `None` where rows point at each other in a circle.
pub(super) fn sorted_layers(references: &[SelfReference], rows: &[&Row]) -> Option<Vec<Vec<usize>>> {
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); rows.len()];
    let mut waiting = vec![0_usize; rows.len()];
    for reference in references {
        let parents: HashMap<Vec<u8>, usize> = rows
            .iter()
            .enumerate()
            .filter_map(|(index, row)| Some((picked(row, &reference.to)?, index)))
            .collect();
        for (child, row) in rows.iter().enumerate() {
            let parent = picked(row, &reference.from).and_then(|values| parents.get(&values).copied());
            if let Some(parent) = parent.filter(|parent| *parent != child) {
                children[parent].push(child);
                waiting[child] += 1;
            }
        }
    }
    let mut layer: Vec<usize> = (0..rows.len()).filter(|row| waiting[*row] == 0).collect();
    let (mut layers, mut placed) = (Vec::new(), 0);
    while !layer.is_empty() {
        let mut next = Vec::new();
        for child in layer.iter().flat_map(|row| &children[*row]) {
            waiting[*child] -= 1;
            if waiting[*child] == 0 {
                next.push(*child);
            }
        }
        next.sort_unstable();
        placed += layer.len();
        layers.push(std::mem::replace(&mut layer, next));
    }
    (placed == rows.len()).then_some(layers)
}

/// Updates in layers: a row that takes a unique value comes after the row that gives it up. Rows in a circle of
/// such values come last, in one layer, where the database refuses them.
pub(super) fn unique_layers(table: &TablePlan, updates: &[usize]) -> Vec<Vec<usize>> {
    let Some(pair) = table.pair.as_ref().filter(|pair| !pair.unique_keys.is_empty()) else {
        return vec![updates.to_vec()];
    };
    let rows: Vec<(&Row, &Row)> = updates
        .iter()
        .filter_map(|index| match &table.changes[*index].change {
            RowChange::Update { before, after, .. } => Some((before, after)),
            RowChange::Insert { .. } | RowChange::Delete { .. } => None,
        })
        .collect();
    let mut takers: Vec<Vec<usize>> = vec![Vec::new(); rows.len()];
    let mut waiting = vec![0_usize; rows.len()];
    for columns in pair.unique_keys.iter().filter_map(|key| placed(pair, &key.columns)) {
        let givers: HashMap<Vec<u8>, usize> = rows
            .iter()
            .enumerate()
            .filter_map(|(index, (before, _))| Some((picked(before, &columns)?, index)))
            .collect();
        for (taker, (_, after)) in rows.iter().enumerate() {
            let giver = picked(after, &columns).and_then(|values| givers.get(&values).copied());
            if let Some(giver) = giver.filter(|giver| *giver != taker) {
                takers[giver].push(taker);
                waiting[taker] += 1;
            }
        }
    }
    let mut layer: Vec<usize> = (0..rows.len()).filter(|row| waiting[*row] == 0).collect();
    let mut layers = Vec::new();
    while !layer.is_empty() {
        let mut next = Vec::new();
        for taker in layer.iter().flat_map(|giver| &takers[*giver]) {
            waiting[*taker] -= 1;
            if waiting[*taker] == 0 {
                next.push(*taker);
            }
        }
        next.sort_unstable();
        layers.push(layer.iter().map(|row| updates[*row]).collect());
        layer = next;
    }
    let circle: Vec<usize> =
        (0..rows.len()).filter(|row| waiting[*row] > 0).map(|row| updates[row]).collect();
    layers.extend((!circle.is_empty()).then_some(circle));
    layers
}

/// The values of some columns in a form that is equal where they are; `None` where one is NULL, for such a
/// row points at nothing.
fn picked(row: &Row, columns: &[(usize, Domain)]) -> Option<Vec<u8>> {
    let fields: Vec<Option<&[u8]>> = row.fields().collect();
    let mut bytes = Vec::new();
    for (index, domain) in columns {
        let payload = comparable(domain, fields.get(*index).copied().flatten()?);
        bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        bytes.extend_from_slice(&payload);
    }
    Some(bytes)
}

/// A pointing column may be wider than the one it points at, or print other zeros.
fn comparable(domain: &Domain, payload: &[u8]) -> Vec<u8> {
    match decode(domain, Some(payload)) {
        Value::Integer(value) => value.to_be_bytes().to_vec(),
        Value::Decimal(value) => without_zeros(&value).into_bytes(),
        Value::OtherStorage(value) if matches!(*value, Value::Integer(_)) => match *value {
            Value::Integer(value) => value.to_be_bytes().to_vec(),
            _ => payload.to_vec(),
        },
        _ => payload.to_vec(),
    }
}

fn without_zeros(value: &Decimal) -> String {
    match value.as_str().split_once('.') {
        Some((whole, fraction)) => match fraction.trim_end_matches('0') {
            "" => whole.to_owned(),
            fraction => format!("{whole}.{fraction}"),
        },
        None => value.as_str().to_owned(),
    }
}
