//! Rows of one table that point at each other, laid out so that what is pointed at comes first.
//!
//! Works on encoded rows by value; what is held for a row are some numbers. Invariant: a row is in a later layer than every row of the set that it
//! points at; a row that points at itself waits for nobody.

use std::collections::HashMap;

use crate::compare::{ChangeNumber, RowChange};
use crate::schema::TablePair;
use crate::spool::SpoolError;
use crate::sql::SelectColumn;
use crate::value::{BlockHasher, Decimal, Domain, Value, decode};

use super::TablePlan;

/// A foreign key from a table to itself, as columns of its pair with their domains.
pub(super) struct SelfReference {
    from: Vec<(usize, Domain)>,
    to: Vec<(usize, Domain)>,
}

/// The foreign keys of a pair's replica table that point at itself. A row without values for one of the columns
/// (it is out of scope) points at nothing, as far as is known.
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

/// Indexes of [`TablePair::replica_part`].
fn placed(pair: &TablePair, names: &[String]) -> Option<Vec<(usize, Domain)>> {
    let parts: Vec<SelectColumn> =
        (0..pair.columns.len() + pair.replica_extra.len()).map(|index| pair.replica_part(index)).collect();
    let find = |name: &String| {
        let exact = parts.iter().position(|part| part.column.name == *name);
        let index =
            exact.or_else(|| parts.iter().position(|part| part.column.name.eq_ignore_ascii_case(name)))?;
        Some((index, parts[index].domain.clone()))
    };
    names.iter().map(find).collect()
}

/// The rows of these changes in layers: those that point at no row of the set, then those that only point at
/// the first layer, and so on. `None` where rows point at each other in a circle.
///
/// # Errors
/// Where the changes cannot be read.
pub(super) fn sorted_layers(
    references: &[SelfReference],
    table: &TablePlan,
    changes: &[ChangeNumber],
) -> Result<Option<Vec<Vec<ChangeNumber>>>, SpoolError> {
    let mut edges = Edges::default();
    for reference in references {
        let (mut parents, mut pointing) = (HashMap::new(), Vec::new());
        for (index, picked) in (0_u32..).zip(table.changes.pick(changes.iter().copied())) {
            let (_, planned) = picked?;
            let row = planned.fields();
            parents.extend(fingerprint(&row, &reference.to).map(|values| (values, index)));
            pointing.extend(fingerprint(&row, &reference.from).map(|values| (values, index)));
        }
        let found = pointing.iter().filter_map(|(values, child)| Some((*parents.get(values)?, *child)));
        edges.extend(found);
    }
    let (layers, circle) = edges.layers(changes);
    Ok(circle.is_empty().then_some(layers))
}

/// Updates in layers: a row that takes a unique value comes after the row that gives it up. Rows in a circle of
/// such values come last, in one layer, where the database refuses them.
///
/// # Errors
/// Where the changes cannot be read.
pub(super) fn unique_layers(
    table: &TablePlan,
    updates: Vec<ChangeNumber>,
) -> Result<Vec<Vec<ChangeNumber>>, SpoolError> {
    let keys: Vec<Vec<(usize, Domain)>> = match &table.pair {
        Some(pair) => pair.unique_keys.iter().filter_map(|key| placed(pair, &key.columns)).collect(),
        None => Vec::new(),
    };
    if keys.is_empty() {
        return Ok(vec![updates]);
    }
    let mut givers: Vec<HashMap<u128, u32>> = vec![HashMap::new(); keys.len()];
    let mut takers: Vec<Vec<(u128, u32)>> = vec![Vec::new(); keys.len()];
    for (index, picked) in (0_u32..).zip(table.changes.pick(updates.iter().copied())) {
        let (_, planned) = picked?;
        let RowChange::Update { before, after, columns } = &planned.change else { continue };
        let (before, after): (Vec<_>, Vec<_>) = (before.fields().collect(), after.fields().collect());
        for (key, columns_of_key) in keys.iter().enumerate() {
            // A row that keeps its value neither gives nor takes.
            if columns_of_key.iter().any(|(column, _)| columns.iter().any(|set| usize::from(*set) == *column))
            {
                givers[key].extend(fingerprint(&before, columns_of_key).map(|values| (values, index)));
                takers[key].extend(fingerprint(&after, columns_of_key).map(|values| (values, index)));
            }
        }
    }
    let mut edges = Edges::default();
    for (givers, takers) in givers.iter().zip(&takers) {
        edges.extend(takers.iter().filter_map(|(values, taker)| Some((*givers.get(values)?, *taker))));
    }
    if edges.0.is_empty() {
        return Ok(vec![updates]);
    }
    let (mut layers, circle) = edges.layers(&updates);
    layers.extend((!circle.is_empty()).then_some(circle));
    Ok(layers)
}

/// Which row, by its place in a list, comes before which; a row never waits for itself.
#[derive(Default)]
struct Edges(Vec<(u32, u32)>);

impl Edges {
    fn extend(&mut self, edges: impl Iterator<Item = (u32, u32)>) {
        self.0.extend(edges.filter(|(first, then)| first != then));
    }

    /// Kahn's algorithm by layers: the changes in layers, and those that wait in a circle.
    fn layers(mut self, changes: &[ChangeNumber]) -> (Vec<Vec<ChangeNumber>>, Vec<ChangeNumber>) {
        self.0.sort_unstable();
        let mut waiting = vec![0_u32; changes.len()];
        self.0.iter().for_each(|(_, then)| waiting[*then as usize] += 1);
        let number = |row: &u32| changes[*row as usize];
        let rows = || 0..changes.len() as u32;
        let mut layer: Vec<u32> = rows().filter(|row| waiting[*row as usize] == 0).collect();
        let mut layers = Vec::new();
        while !layer.is_empty() {
            let mut next = Vec::new();
            for row in &layer {
                let from = self.0.partition_point(|(first, _)| first < row);
                for (_, then) in self.0[from..].iter().take_while(|(first, _)| first == row) {
                    waiting[*then as usize] -= 1;
                    if waiting[*then as usize] == 0 {
                        next.push(*then);
                    }
                }
            }
            next.sort_unstable();
            layers.push(layer.iter().map(number).collect());
            layer = next;
        }
        (layers, rows().filter(|row| waiting[*row as usize] > 0).map(|row| number(&row)).collect())
    }
}

/// The values of some columns, as a number that is equal where they are (of 128 bits of blake3: two values that
/// share one would only wait for each other); `None` where one is NULL or not known, for such a row points at
/// nothing.
fn fingerprint(fields: &[Option<&[u8]>], columns: &[(usize, Domain)]) -> Option<u128> {
    let mut hasher = BlockHasher::new([]);
    for (index, domain) in columns {
        let payload = comparable(domain, fields.get(*index).copied().flatten()?);
        hasher.update(&(payload.len() as u64).to_be_bytes());
        hasher.update(&payload);
    }
    hasher.finish().bytes().first_chunk::<16>().map(|bytes| u128::from_be_bytes(*bytes))
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
