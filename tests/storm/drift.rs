//! How a replica comes to differ: what people and programs do to rows that hang together, and what makes a plan hard.
//! Each is done to the rows as a whole, and what then does not hold is mended, so that both sides are valid.

use super::schema::{Kind, Reference, Table};
use super::state::{Cell, Row, State, in_some_case, value, values};
use crate::random::Dice;

/// What is done.
type Change = fn(&mut State, &[Table], usize, &mut Dice);

/// The ways in which rows change, as often as they stand here.
const CHANGES: &[Change] = &[
    note,
    swap_unique,
    swap_unique,
    turn_three,
    turn_three,
    repoint,
    repoint,
    exchange_parents,
    exchange_parents,
    delete_subtree,
    delete_subtree,
    rename_key,
    rename_key,
    swap_keys,
    insert,
    insert,
    take_over,
    take_over,
    rename_referenced,
    other_case,
    ring,
    ring,
];

/// Another state, some changes away from `state`.
pub fn drifted(state: &State, tables: &[Table], dice: &mut Dice) -> State {
    let mut drifted = state.clone();
    for _ in 0..1 + dice.below(8) {
        let table = dice.below(tables.len());
        dice.pick(CHANGES)(&mut drifted, tables, table, dice);
        drifted.mend(tables);
    }
    drifted
}

fn rows(state: &State, table: usize, count: usize, dice: &mut Dice) -> Option<Vec<usize>> {
    let mut all: Vec<usize> = (0..state.0[table].len()).collect();
    (all.len() >= count).then(|| (0..count).map(|_| dice.draw(&mut all)).collect())
}

fn note(state: &mut State, tables: &[Table], table: usize, dice: &mut Dice) {
    if let Some(row) = rows(state, table, 1, dice) {
        let at = tables[table].key.len();
        state.0[table][row[0]][at] = value(&tables[table], at, dice);
    }
}

/// Moves the values of these columns round among some rows.
fn turn(state: &mut State, table: usize, columns: &[usize], rows: &[usize]) {
    for pair in rows.windows(2) {
        for column in columns {
            let (a, b) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
            let (front, back) = state.0[table].split_at_mut(b);
            std::mem::swap(&mut front[a][*column], &mut back[0][*column]);
        }
    }
}

fn turn_unique(state: &mut State, tables: &[Table], table: usize, count: usize, dice: &mut Dice) {
    // Whoever points at such values stays where it points: no order of single rows leads there.
    let referenced = |columns: &[usize]| {
        let all = tables.iter().flat_map(|table| &table.references);
        all.filter(|other| other.parent == table).any(|other| other.to == columns)
    };
    let free: Vec<_> = tables[table].uniques.iter().filter(|unique| !referenced(&unique.columns)).collect();
    if !free.is_empty()
        && let Some(rows) = rows(state, table, count, dice)
    {
        turn(state, table, &dice.pick(&free).columns, &rows);
    }
}

fn swap_unique(state: &mut State, tables: &[Table], table: usize, dice: &mut Dice) {
    turn_unique(state, tables, table, 2, dice);
}

fn turn_three(state: &mut State, tables: &[Table], table: usize, dice: &mut Dice) {
    turn_unique(state, tables, table, 3, dice);
}

fn any_reference<'t>(tables: &'t [Table], table: usize, dice: &mut Dice) -> Option<(usize, &'t Reference)> {
    let references = &tables[table].references;
    if references.is_empty() {
        return None;
    }
    let at = dice.below(references.len());
    Some((at, &references[at]))
}

fn repoint(state: &mut State, tables: &[Table], table: usize, dice: &mut Dice) {
    if let (Some((at, _)), Some(row)) = (any_reference(tables, table, dice), rows(state, table, 1, dice)) {
        state.point(tables, (table, row[0]), at, dice);
    }
}

fn exchange_parents(state: &mut State, tables: &[Table], table: usize, dice: &mut Dice) {
    if let (Some((_, reference)), Some(rows)) =
        (any_reference(tables, table, dice), rows(state, table, 2, dice))
    {
        turn(state, table, &reference.columns, &rows);
    }
}

/// What points at the row goes with it, or lets go, as `mend` sees to.
fn delete_subtree(state: &mut State, _: &[Table], table: usize, dice: &mut Dice) {
    if let Some(row) = rows(state, table, 1, dice) {
        state.0[table].remove(row[0]);
    }
}

/// Sets values of a row, and lets everything that points at it follow.
fn rename(state: &mut State, tables: &[Table], (table, row): (usize, usize), columns: &[usize], new: &Row) {
    let old = state.0[table][row].clone();
    for (column, cell) in columns.iter().zip(new) {
        state.0[table][row][*column] = cell.clone();
    }
    let renamed = state.0[table][row].clone();
    for (child, child_table) in tables.iter().enumerate() {
        for reference in child_table.references.iter().filter(|other| other.parent == table) {
            let (Some(from), to) = (values(&old, &reference.to), reference.to.iter()) else { continue };
            let to: Row = to.map(|column| renamed[*column].clone()).collect();
            let pointing = state.0[child]
                .iter_mut()
                .filter(|row| values(row, &reference.columns).as_ref() == Some(&from));
            for row in pointing {
                for (column, cell) in reference.columns.iter().zip(&to) {
                    row[*column] = cell.clone();
                }
            }
        }
    }
}

fn rename_key(state: &mut State, tables: &[Table], table: usize, dice: &mut Dice) {
    let key = &tables[table].key;
    let Some(row) = rows(state, table, 1, dice) else { return };
    let mut new: Row = key.iter().map(|column| state.0[table][row[0]][*column].clone()).collect();
    let points = |column: &usize| tables[table].references.iter().any(|other| other.columns.contains(column));
    for (cell, column) in new.iter_mut().zip(key).filter(|(_, column)| !points(column)) {
        *cell = value(&tables[table], *column, dice);
    }
    let key_of = |row: &Row| values(row, key);
    let free = !state.0[table].iter().any(|row| key_of(row).as_ref() == Some(&new));
    if free {
        rename(state, tables, (table, row[0]), key, &new);
    }
}

/// Two rows exchange everything but their keys: under a unique key, both change hands.
fn swap_keys(state: &mut State, tables: &[Table], table: usize, dice: &mut Dice) {
    let pointed_at = tables.iter().flat_map(|table| &table.references);
    let by_value =
        pointed_at.filter(|other| other.parent == table).any(|other| other.to != tables[table].key);
    if let (Some(rows), false) = (rows(state, table, 2, dice), by_value) {
        let points =
            |column: &usize| tables[table].references.iter().any(|other| other.columns.contains(column));
        let key: Vec<usize> = tables[table].key.iter().copied().filter(|column| !points(column)).collect();
        if key.len() == tables[table].key.len() {
            turn(state, table, &key, &rows);
        }
    }
}

fn insert(state: &mut State, tables: &[Table], table: usize, dice: &mut Dice) {
    state.insert(tables, table, dice);
}

/// A row goes and another takes its unique values, under another key.
fn take_over(state: &mut State, tables: &[Table], table: usize, dice: &mut Dice) {
    let Some(row) = rows(state, table, 1, dice) else { return };
    let mut heir = state.0[table].remove(row[0]);
    for column in &tables[table].key {
        heir[*column] = value(&tables[table], *column, dice);
    }
    state.0[table].push(heir);
}

/// A unique value that others point at becomes another, and they follow.
fn rename_referenced(state: &mut State, tables: &[Table], table: usize, dice: &mut Dice) {
    let all = tables.iter().flat_map(|table| &table.references);
    let by_value: Vec<&Reference> =
        all.filter(|other| other.parent == table && other.to != tables[table].key).collect();
    if by_value.is_empty() {
        return;
    }
    let to = &dice.pick(&by_value).to;
    let points = |column: &usize| tables[table].references.iter().any(|other| other.columns.contains(column));
    if let (Some(row), false) = (rows(state, table, 1, dice), to.iter().any(points)) {
        let new: Row = to.iter().map(|_| Cell::Number(30 + dice.below(20) as i64)).collect();
        let taken = state.0[table].iter().any(|row| values(row, to).as_ref() == Some(&new));
        if !taken {
            rename(state, tables, (table, row[0]), to, &new);
        }
    }
}

/// The same letters in another case, which a unique key takes for the same.
fn other_case(state: &mut State, tables: &[Table], table: usize, dice: &mut Dice) {
    let any_case =
        (0..tables[table].columns.len()).filter(|at| tables[table].columns[*at].kind == Kind::AnyCase);
    for at in any_case.collect::<Vec<_>>() {
        if let Some(row) = rows(state, table, 1, dice)
            && let Cell::Text(text) = &state.0[table][row[0]][at]
        {
            state.0[table][row[0]][at] = Cell::Text(in_some_case(text, dice));
        }
    }
}

/// New rows that point at each other, through tables that do.
fn ring(state: &mut State, tables: &[Table], table: usize, dice: &mut Dice) {
    let count = 1 + dice.below(2);
    let first: Vec<usize> = state.0.iter().map(Vec::len).collect();
    for at in 0..tables.len() {
        if at == table || dice.chance(70) {
            (0..count).for_each(|_| state.insert(tables, at, dice));
        }
    }
    // Those that are new point at those that are new.
    for child in 0..tables.len() {
        for row in first[child]..state.0[child].len() {
            for reference in &tables[child].references {
                let new = first[reference.parent]..state.0[reference.parent].len();
                if !new.is_empty() {
                    let parent = state.0[reference.parent][new.start + dice.below(new.len())].clone();
                    for (column, to) in reference.columns.iter().zip(&reference.to) {
                        state.0[child][row][*column] = parent[*to].clone();
                    }
                }
            }
        }
    }
}
