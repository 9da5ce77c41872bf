//! A random table, the rows of both sides, and what the plan between them must be.

use std::collections::BTreeMap;

use serde_yaml::{Mapping, Value as Yaml};

use super::names::NAMES;
use super::values::{KINDS, Kind, Value, any, other};
use super::{Dice, Seen};
use crate::case_runner::portable::expand;
use crate::servers::{Database, Engine};

/// Rows of the primary at most.
const ROWS_MAX: usize = 40;

/// One column.
pub struct Column {
    pub name: String,
    /// The replica's name for it.
    pub replica_name: String,
    kind: Kind,
}

/// One table on both sides.
pub struct Table {
    pub name: String,
    /// The replica's name for it.
    pub replica_name: String,
    /// Key columns first; none for a table without a key.
    pub columns: Vec<Column>,
    key_columns: usize,
    primary: Vec<Vec<Value>>,
    replica: Vec<Vec<Value>>,
}

/// Tables with names of their own.
pub fn tables(dice: &mut Dice, seen: &mut Seen) -> Vec<Table> {
    let mut names: Vec<&str> = NAMES.to_vec();
    (0..1 + dice.below(3)).map(|_| Table::new(dice.draw(&mut names), dice, seen)).collect()
}

impl Table {
    fn new(name: &str, dice: &mut Dice, seen: &mut Seen) -> Self {
        let mut names: Vec<&str> = NAMES.to_vec();
        let key = key_kinds(dice);
        seen.count(format!("key {key:?}"));
        let others = (if key.is_empty() { 1 } else { 0 }) + dice.below(7);
        // Where one side keeps documents as text they tell no rows apart.
        let told_apart = |kind: &Kind| !key.is_empty() || *kind != Kind::Json;
        let of_others: Vec<Kind> = KINDS.iter().copied().filter(told_apart).collect();
        let kinds =
            key.iter().copied().chain((0..others).map(|_| *dice.pick(&of_others))).collect::<Vec<_>>();
        let columns = kinds.into_iter().map(|kind| {
            let name = dice.draw(&mut names).to_owned();
            let replica_name = if dice.chance(10) { format!("{name} too") } else { name.clone() };
            Column { name, replica_name, kind }
        });
        let columns: Vec<Column> = columns.collect();
        let renamed = dice.chance(20);
        let mut table = Table {
            name: name.to_owned(),
            replica_name: if renamed { format!("{name} too") } else { name.to_owned() },
            columns,
            key_columns: key.len(),
            primary: Vec::new(),
            replica: Vec::new(),
        };
        for _ in 0..dice.below(ROWS_MAX) {
            table.add_row(dice, seen);
        }
        table
    }

    /// A row that may be on both sides, differ, or be on one side alone.
    fn add_row(&mut self, dice: &mut Dice, seen: &mut Seen) {
        let columns = self.columns.iter().enumerate();
        let row: Vec<Value> =
            columns.map(|(at, column)| any(column.kind, at >= self.key_columns, dice, seen)).collect();
        let key = &row[..self.key_columns];
        let taken = |rows: &[Vec<Value>]| rows.iter().any(|other| &other[..key.len()] == key);
        if !key.is_empty() && (taken(&self.primary) || taken(&self.replica)) {
            return;
        }
        let fate = match dice.below(10) {
            0..=3 => "row equal",
            4 | 5 => "row insert",
            6 | 7 => "row delete",
            _ if key.is_empty() || key.len() == row.len() => "row equal",
            _ => "row update",
        };
        seen.count(fate);
        // Without a key, some rows are there several times.
        let copies = if key.is_empty() && dice.chance(30) { 1 + dice.below(4) } else { 1 };
        for _ in 0..copies {
            match fate {
                "row insert" => self.primary.push(row.clone()),
                "row delete" => self.replica.push(row.clone()),
                "row update" => {
                    self.replica.push(self.changed(&row, dice, seen));
                    self.primary.push(row.clone());
                }
                _ => {
                    self.primary.push(row.clone());
                    self.replica.push(row.clone());
                }
            }
        }
    }

    /// The row with at least one other value behind its key.
    fn changed(&self, row: &[Value], dice: &mut Dice, seen: &mut Seen) -> Vec<Value> {
        let mut changed = row.to_vec();
        let must = self.key_columns + dice.below(row.len() - self.key_columns);
        for at in self.key_columns..row.len() {
            if at == must || dice.chance(20) {
                changed[at] = other(self.columns[at].kind, &row[at], dice, seen);
            }
        }
        changed
    }

    /// Makes and fills the table on the primary.
    pub fn load_primary(&self, database: &Database, dice: &mut Dice) {
        let names = self.columns.iter().map(|column| column.name.as_str());
        self.load(database, &self.name, names.collect(), self.primary.clone(), dice);
    }

    /// … and on a replica.
    pub fn load_replica(&self, database: &Database, dice: &mut Dice) {
        let names = self.columns.iter().map(|column| column.replica_name.as_str());
        self.load(database, &self.replica_name, names.collect(), self.replica.clone(), dice);
    }

    fn load(
        &self,
        database: &Database,
        name: &str,
        columns: Vec<&str>,
        rows: Vec<Vec<Value>>,
        dice: &mut Dice,
    ) {
        let declared = columns.iter().zip(&self.columns).enumerate().map(|(at, (name, column))| {
            let null = match (at < self.key_columns, column.kind) {
                (true, _) => " NOT NULL",
                // MariaDB makes a first TIMESTAMP NOT NULL unless told; the macro tells.
                (false, _) => "",
            };
            format!("{} {}{null}", identifier(name), column.kind.declared())
        });
        let mut parts: Vec<String> = declared.collect();
        if self.key_columns > 0 {
            let key: Vec<String> = columns[..self.key_columns].iter().map(|name| identifier(name)).collect();
            parts.push(format!("PRIMARY KEY ({})", key.join(", ")));
        }
        let zone = if database.engine == Engine::Mariadb { "SET time_zone = '+00:00';\n" } else { "" };
        let create = format!("CREATE TABLE {} ({})", identifier(name), parts.join(", "));
        let mut script = format!("{zone}{};\n", expand(&create, database));
        // The order of rows in the table is not that of the other side.
        let mut rows = rows;
        while !rows.is_empty() {
            let row = dice.draw(&mut rows);
            let values: Vec<String> = row.iter().map(|value| value.literal(database.engine)).collect();
            script += &format!("INSERT INTO {} VALUES ({});\n", identifier(name), values.join(", "));
        }
        database.execute_script(&script);
    }

    /// The table as the spec writes it.
    pub fn label(&self) -> String {
        spec_name(&self.name)
    }

    /// The entry of the spec.
    pub fn entry(&self) -> Yaml {
        let mut entry = Mapping::new();
        entry.insert("table".into(), self.label().into());
        if self.replica_name != self.name {
            entry.insert("to".into(), spec_name(&self.replica_name).into());
        }
        let renamed = self.columns.iter().filter(|column| column.name != column.replica_name);
        let renamed: Mapping = renamed
            .map(|column| (Yaml::from(column.name.as_str()), Yaml::from(column.replica_name.as_str())))
            .collect();
        if !renamed.is_empty() {
            entry.insert("rename".into(), renamed.into());
        }
        Yaml::Mapping(entry)
    }

    /// The changes that the plan must hold, as a case writes them; `stored`: between two SQLite files.
    pub fn changes(&self, stored: bool) -> Vec<Yaml> {
        if self.key_columns == 0 {
            return self.changes_of_copies(stored);
        }
        let key = |row: &[Value]| row[..self.key_columns].to_vec();
        let of = |rows: &[Vec<Value>], wanted: &[Value]| rows.iter().find(|row| key(row) == wanted).cloned();
        let mut changes = Vec::new();
        for row in &self.primary {
            match of(&self.replica, &key(row)) {
                None => changes.push(mapping([("insert", self.row(row, stored))])),
                Some(before) if before != *row => changes.push(self.update(&before, row, stored)),
                Some(_) => {}
            }
        }
        let extra = self.replica.iter().filter(|row| of(&self.primary, &key(row)).is_none());
        changes.extend(extra.map(|row| mapping([("delete", self.row(row, stored))])));
        changes
    }

    fn changes_of_copies(&self, stored: bool) -> Vec<Yaml> {
        let mut copies: BTreeMap<String, (i64, &Vec<Value>)> = BTreeMap::new();
        for (rows, step) in [(&self.primary, 1), (&self.replica, -1)] {
            for row in rows {
                copies.entry(format!("{row:?}")).or_insert((0, row)).0 += step;
            }
        }
        let change = |(copies, row): &(i64, &Vec<Value>)| {
            let verb = if *copies > 0 { "insert" } else { "delete" };
            mapping([(verb, self.row(row, stored)), ("copies", Yaml::from(copies.unsigned_abs()))])
        };
        copies.values().filter(|(copies, _)| *copies != 0).map(change).collect()
    }

    fn row(&self, row: &[Value], stored: bool) -> Yaml {
        self.columns
            .iter()
            .zip(row)
            .map(|(column, value)| (column.name.clone().into(), value.expected(stored)))
            .collect::<Mapping>()
            .into()
    }

    fn update(&self, before: &[Value], after: &[Value], stored: bool) -> Yaml {
        let (mut key, mut set) = (Mapping::new(), Mapping::new());
        for (at, column) in self.columns.iter().enumerate() {
            if at < self.key_columns {
                key.insert(column.name.clone().into(), after[at].expected(stored));
            } else if before[at] != after[at] {
                let both = vec![before[at].expected(stored), after[at].expected(stored)];
                set.insert(column.name.clone().into(), both.into());
            }
        }
        mapping([("update", key.into()), ("set", set.into())])
    }

    /// Columns of key and all, for a report.
    pub fn told(&self) -> String {
        let columns: Vec<String> =
            self.columns.iter().map(|column| format!("{} {:?}", column.name, column.kind)).collect();
        format!("{} ({}; {} of key)", self.name, columns.join(", "), self.key_columns)
    }
}

/// The kinds of the key's columns; none for a table without a key.
fn key_kinds(dice: &mut Dice) -> Vec<Kind> {
    const ONE: &[Kind] = &[
        Kind::Int,
        Kind::Int,
        Kind::KeyText,
        Kind::KeyText,
        Kind::Uuid,
        Kind::KeyBytes,
        Kind::Date,
        Kind::Timestamp,
        Kind::Instant,
        Kind::Time,
        Kind::Decimal,
        Kind::Double,
    ];
    if dice.chance(30) {
        return Vec::new();
    }
    let columns = if dice.chance(30) { 2 + dice.below(3) } else { 1 };
    (0..columns).map(|_| *dice.pick(ONE)).collect()
}

fn mapping<const N: usize>(entries: [(&str, Yaml); N]) -> Yaml {
    entries.into_iter().map(|(name, value)| (Yaml::from(name), value)).collect::<Mapping>().into()
}

/// What would mean something else in the spec is quoted there.
fn spec_name(name: &str) -> String {
    if name.contains(['.', '*', '?', '"']) { identifier(name) } else { name.to_owned() }
}

/// Every engine of the harness takes double quotes.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
