//! The rows of one side: made at random, and mended until every constraint of the model holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value as Json;

use super::schema::{Kind, Table, Unique};
use crate::random::Dice;
use crate::servers::Engine;

/// Rows of a table at most.
const ROWS_MAX: usize = 12;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    Null,
    Number(i64),
    Text(String),
}

pub type Row = Vec<Cell>;

/// The rows of every table, in no order.
#[derive(Clone, Debug)]
pub struct State(pub Vec<Vec<Row>>);

/// The values of some columns; `None` where one of them is NULL.
pub fn values(row: &Row, columns: &[usize]) -> Option<Row> {
    let values: Row = columns.iter().map(|column| row[*column].clone()).collect();
    (!values.contains(&Cell::Null)).then_some(values)
}

/// What no two rows may have in common; `None` where a row has nothing of the kind.
pub fn held(table: &Table, unique: &Unique, row: &Row) -> Option<Row> {
    let counts = !unique.partial || row[table.flag()] == Cell::Number(1);
    let mut held = values(row, &unique.columns).filter(|_| counts)?;
    for (cell, column) in held.iter_mut().zip(&unique.columns) {
        if let (Cell::Text(text), Kind::AnyCase) = (cell, table.columns[*column].kind) {
            *text = text.to_lowercase();
        }
    }
    Some(held)
}

impl State {
    /// A state in which everything holds.
    pub fn new(tables: &[Table], dice: &mut Dice) -> Self {
        let mut state = State(vec![Vec::new(); tables.len()]);
        for (table, rows) in tables.iter().zip(&mut state.0) {
            let count = dice.below(ROWS_MAX + 1).max(dice.below(ROWS_MAX + 1));
            rows.extend((0..count).map(|_| table.columns.iter().map(|_| Cell::Null).collect::<Row>()));
            for row in rows {
                fill(table, row, dice);
            }
        }
        for table in 0..tables.len() {
            for row in 0..state.0[table].len() {
                for reference in 0..tables[table].references.len() {
                    state.point(tables, (table, row), reference, dice);
                }
            }
        }
        state.mend(tables);
        state
    }

    /// A new row that points at what is there.
    pub fn insert(&mut self, tables: &[Table], table: usize, dice: &mut Dice) {
        let mut row: Row = tables[table].columns.iter().map(|_| Cell::Null).collect();
        fill(&tables[table], &mut row, dice);
        self.0[table].push(row);
        let last = self.0[table].len() - 1;
        for reference in 0..tables[table].references.len() {
            self.point(tables, (table, last), reference, dice);
        }
    }

    /// Lets a row point at another parent, or at none.
    pub fn point(
        &mut self,
        tables: &[Table],
        (table, row): (usize, usize),
        reference: usize,
        dice: &mut Dice,
    ) {
        let reference = &tables[table].references[reference];
        let parents = &self.0[reference.parent];
        let nullable = reference.columns.iter().all(|column| tables[table].columns[*column].nullable);
        if parents.is_empty() {
            return;
        }
        let whole = &parents[dice.below(parents.len())];
        let mut parent: Row = reference.to.iter().map(|column| whole[*column].clone()).collect();
        if nullable && dice.chance(25) {
            // One NULL is enough to point at nothing.
            let at = dice.below(parent.len());
            parent[at] = Cell::Null;
        }
        for (column, cell) in reference.columns.iter().zip(parent) {
            self.0[table][row][*column] = cell;
        }
    }

    /// Takes values away and rows out until everything holds. What stands first stays.
    pub fn mend(&mut self, tables: &[Table]) {
        while tables.iter().enumerate().any(|(at, table)| {
            self.mend_nulls(at, table) || self.mend_uniques(at, table) || self.mend_references(at, tables)
        }) {}
    }

    fn mend_nulls(&mut self, at: usize, table: &Table) -> bool {
        let before = self.0[at].len();
        let whole = |row: &Row| {
            row.iter().zip(&table.columns).all(|(cell, column)| column.nullable || *cell != Cell::Null)
        };
        self.0[at].retain(whole);
        self.0[at].len() < before
    }

    fn mend_uniques(&mut self, at: usize, table: &Table) -> bool {
        let mut mended = false;
        let mut keys = BTreeSet::new();
        let before = self.0[at].len();
        self.0[at].retain(|row| keys.insert(values(row, &table.key)));
        mended |= self.0[at].len() < before;
        for unique in &table.uniques {
            let mut seen = BTreeSet::new();
            let nullable = unique.columns.iter().find(|column| table.columns[**column].nullable);
            self.0[at].retain_mut(|row| {
                let Some(held) = held(table, unique, row) else { return true };
                if seen.insert(held) {
                    return true;
                }
                mended = true;
                nullable.inspect(|column| row[**column] = Cell::Null).is_some()
            });
        }
        mended
    }

    fn mend_references(&mut self, at: usize, tables: &[Table]) -> bool {
        let mut mended = false;
        for reference in &tables[at].references {
            let parents: BTreeSet<Row> =
                self.0[reference.parent].iter().filter_map(|row| values(row, &reference.to)).collect();
            let nullable = reference.columns.iter().find(|column| tables[at].columns[**column].nullable);
            self.0[at].retain_mut(|row| {
                let stands = values(row, &reference.columns).is_none_or(|to| parents.contains(&to));
                mended |= !stands;
                stands || nullable.inspect(|column| row[**column] = Cell::Null).is_some()
            });
        }
        mended
    }

    /// The rows by their keys.
    pub fn by_key(&self, table: usize, tables: &[Table]) -> BTreeMap<Row, Row> {
        let keyed = |row: &Row| (values(row, &tables[table].key).expect("a key is never NULL"), row.clone());
        self.0[table].iter().map(keyed).collect()
    }

    /// INSERTs of all rows.
    pub fn load(&self, tables: &[Table], engine: Engine) -> String {
        // SQLite looks at its foreign keys as rows come; the others get theirs later.
        let mut sql =
            String::from(if engine == Engine::Sqlite { "PRAGMA foreign_keys = OFF;\n" } else { "" });
        for (table, rows) in tables.iter().zip(&self.0).filter(|(_, rows)| !rows.is_empty()) {
            let rows: Vec<String> = rows
                .iter()
                .map(|row| {
                    format!("({})", row.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
                })
                .collect();
            sql += &format!("INSERT INTO {} VALUES {};\n", table.name, rows.join(", "));
        }
        sql
    }
}

/// Random values for all columns that point nowhere.
fn fill(table: &Table, row: &mut Row, dice: &mut Dice) {
    let points = |at: &usize| table.references.iter().any(|reference| reference.columns.contains(at));
    for at in (0..table.columns.len()).filter(|at| !points(at)) {
        row[at] = value(table, at, dice);
    }
}

/// A random value of a column.
pub fn value(table: &Table, at: usize, dice: &mut Dice) -> Cell {
    let column = &table.columns[at];
    if column.nullable && dice.chance(20) {
        return Cell::Null;
    }
    match column.kind {
        Kind::Integer if at == table.flag() => Cell::Number(dice.chance(60).into()),
        Kind::Integer => Cell::Number(dice.below(if table.key == [at] { 40 } else { 25 }) as i64),
        Kind::Text => Cell::Text(format!("{}{}", dice.pick(WORDS), dice.below(9))),
        Kind::AnyCase => Cell::Text(in_some_case(&format!("{}{}", dice.pick(WORDS), dice.below(4)), dice)),
    }
}

const WORDS: &[&str] = &["ant", "bee", "Cat", "dog", "it's", "elk", "Fox"];

/// The text with some letters in capitals.
pub fn in_some_case(text: &str, dice: &mut Dice) -> String {
    match dice.below(3) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        _ => text.to_owned(),
    }
}

impl fmt::Display for Cell {
    /// As SQL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Null => f.write_str("NULL"),
            Cell::Number(number) => write!(f, "{number}"),
            Cell::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
        }
    }
}

impl Cell {
    /// As a trigger writes it.
    pub fn bare(&self) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// As the document shows it.
    pub fn json(&self) -> Json {
        match self {
            Cell::Null => Json::Null,
            Cell::Number(number) => (*number).into(),
            Cell::Text(text) => text.as_str().into(),
        }
    }
}
