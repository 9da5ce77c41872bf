//! Texts that a foreign key of the replica takes for one although they are spelled otherwise: by accents, say.
//!
//! Owns which texts a plan moves at both ends of a key, and what the replica said of them; asking it is the conductor's.
//! Only what letters' case and blanks at the end do not tell is kept, for that much the order of rows knows itself.
//! Invariant: two texts have one mark exactly where the replica compares them equal.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::links::{comparable, placed};
use super::{ReplicaPlan, RowChange, TablePlan};
use crate::schema::TablePair;
use crate::spool::SpoolError;
use crate::sql::{Column, Dialect, ForeignKey};
use crate::value::{Domain, Value, decode};

/// What the replica said of the texts at both ends of a foreign key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Equated {
    /// The foreign key.
    pub key: ForeignKey,
    /// For each of its columns, the marks of the texts that are another's equal.
    pub marks: Vec<BTreeMap<String, String>>,
}

/// A foreign key of the replica between tables of a plan whose rows may wait for each other, with texts to ask about.
#[derive(Clone, Debug)]
pub struct Questions {
    /// The index of the table that points.
    pub child: usize,
    /// The key.
    pub key: ForeignKey,
    /// For each of its columns what to ask; nothing where the replica tells all texts apart.
    pub columns: Vec<Option<Question>>,
}

/// What to ask for one column of a foreign key.
#[derive(Clone, Debug)]
pub struct Question {
    /// The index of the table that has the column by which the replica compares.
    pub table: usize,
    /// That column.
    pub column: Column,
    /// The texts that rows come to have or have no longer.
    pub texts: BTreeSet<String>,
}

/// What the replica has to be asked so that the order of a plan's rows is known.
///
/// # Errors
/// Where the changes cannot be read.
pub fn questions(replica: &ReplicaPlan, dialect: &dyn Dialect) -> Result<Vec<Questions>, SpoolError> {
    let mut questions = Vec::new();
    for (child, table) in replica.tables.iter().enumerate() {
        let Some(pair) = written(table) else { continue };
        for key in &pair.foreign_keys {
            let parent = replica
                .tables
                .iter()
                .position(|table| written(table).is_some_and(|pair| pair.names.replica == key.table));
            let Some(parent) = parent.filter(|parent| may_wait(replica, child, *parent, key)) else {
                continue;
            };
            questions.extend(asked(replica, child, parent, key, dialect)?);
        }
    }
    Ok(questions)
}

fn written(table: &TablePlan) -> Option<&TablePair> {
    table.pair.as_ref().filter(|_| table.error.is_none() && table.summary.total() > 0)
}

/// Whether rows at one end may have to be written between rows at the other: the keys go round, or what is pointed at
/// changes, or passes to another row.
fn may_wait(replica: &ReplicaPlan, child: usize, parent: usize, key: &ForeignKey) -> bool {
    let name = |table: usize| replica.tables[table].pair.as_ref().map(|pair| &pair.names.replica);
    let (mut seen, mut reached) = (BTreeSet::from([parent]), vec![parent]);
    while let Some(table) = reached.pop() {
        if table == child {
            return true;
        }
        let keys = replica.tables[table].pair.iter().flat_map(|pair| &pair.foreign_keys);
        for key in keys {
            let next = (0..replica.tables.len()).find(|table| name(*table) == Some(&key.table));
            reached.extend(next.filter(|table| seen.insert(*table)));
        }
    }
    let rows = replica.tables[parent].summary;
    if rows.delete > 0 && rows.insert > 0 {
        return true;
    }
    let pair = replica.tables[parent].pair.as_ref();
    let pointed_at = pair.and_then(|pair| placed(pair, &key.referenced)).unwrap_or_default();
    replica.tables[parent].changes.iter().any(|planned| match planned.map(|planned| planned.change) {
        Ok(RowChange::Update { columns, .. }) => columns.iter().any(|column| pointed_at.contains(column)),
        Ok(_) => false,
        // Whoever reads them next says so.
        Err(_) => true,
    })
}

fn asked(
    replica: &ReplicaPlan,
    child: usize,
    parent: usize,
    key: &ForeignKey,
    dialect: &dyn Dialect,
) -> Result<Option<Questions>, SpoolError> {
    let ends = [(child, &key.columns), (parent, &key.referenced)];
    let mut columns: Vec<Option<Question>> = vec![None; key.columns.len()];
    let mut moved = Vec::new();
    for (table, names) in ends {
        let Some(pair) = &replica.tables[table].pair else { return Ok(None) };
        let Some(places) = placed(pair, names) else { return Ok(None) };
        for (column, place) in columns.iter_mut().zip(&places) {
            // Where the two differ, the one that is pointed at says what is equal.
            let there = pair.replica_part(usize::from(*place)).column;
            if dialect.equates(&there) {
                *column = Some(Question { table, column: there, texts: BTreeSet::new() });
            }
        }
        moved.push((table, places));
    }
    if columns.iter().all(Option::is_none) {
        return Ok(None);
    }
    for (table, places) in moved {
        if !add_texts(&replica.tables[table], &places, &mut columns)? {
            return Ok(None);
        }
    }
    Ok(Some(Questions { child, key: key.clone(), columns }))
}

/// Adds the texts that rows of a table come to have in these columns, or have no longer; whether there is any.
fn add_texts(
    table: &TablePlan,
    places: &[u16],
    columns: &mut [Option<Question>],
) -> Result<bool, SpoolError> {
    let Some(pair) = &table.pair else { return Ok(false) };
    let domains: Vec<Domain> =
        places.iter().map(|place| pair.replica_part(usize::from(*place)).domain).collect();
    let mut any = false;
    for planned in table.changes.iter() {
        let planned = planned?;
        let rows: Vec<Vec<Option<&[u8]>>> = match &planned.change {
            _ if planned.withheld => continue,
            RowChange::Update { before, after, columns } => {
                if !places.iter().any(|place| columns.contains(place)) {
                    continue;
                }
                vec![before.fields().collect(), after.fields().collect()]
            }
            RowChange::Insert { .. } | RowChange::Delete { .. } => vec![planned.fields()],
        };
        any = true;
        for row in rows {
            for ((column, place), domain) in columns.iter_mut().zip(places).zip(&domains) {
                let field = row.get(usize::from(*place)).copied().flatten();
                if let (Some(question), Value::Text(text)) = (column, decode(domain, field)) {
                    question.texts.insert(text);
                }
            }
        }
    }
    Ok(any)
}

impl Equated {
    /// What is to be known of a key's columns, whose texts the replica gave these marks; `None` where letters' case and
    /// blanks say as much.
    pub fn of(key: ForeignKey, marked: Vec<Vec<(String, String)>>) -> Option<Self> {
        let marks: Vec<BTreeMap<String, String>> = marked.into_iter().map(told_otherwise).collect();
        marks.iter().any(|marks| !marks.is_empty()).then_some(Equated { key, marks })
    }
}

/// Those texts with a mark that others have too, not all of which are one but for case and blanks.
fn told_otherwise(marked: Vec<(String, String)>) -> BTreeMap<String, String> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (text, mark) in marked {
        groups.entry(mark).or_default().push(text);
    }
    let folded = |text: &String| comparable(&Domain::Text, text.as_bytes(), true);
    let differs = |texts: &Vec<String>| texts.iter().any(|text| folded(text) != folded(&texts[0]));
    let groups = groups.into_iter().filter(|(_, texts)| differs(texts));
    groups.flat_map(|(mark, texts)| texts.into_iter().map(move |text| (text, mark.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_case_does_not_tell_is_kept() {
        let marked = |rows: &[(&str, &str)]| {
            rows.iter().map(|(text, mark)| ((*text).to_owned(), (*mark).to_owned())).collect::<Vec<_>>()
        };
        let told = told_otherwise(marked(&[("a", "1"), ("A ", "1"), ("b", "2"), ("zé", "3"), ("ZE", "3")]));
        assert_eq!(told.keys().collect::<Vec<_>>(), ["ZE", "zé"]);
        assert_eq!(told["ZE"], told["zé"]);
    }
}
