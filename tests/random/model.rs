//! A random table, the rows of both sides, and what the plan between them must be.

use std::collections::BTreeMap;

use serde_yaml::{Mapping, Value as Yaml};

use super::names::NAMES;
use super::native;
use super::scope::{Excuse, Scope};
use super::values::{KINDS, Kind, OPAQUE, Value, any, other};
use super::{Dice, ROUNDS, Seen};
use crate::servers::{Database, Engine};
use crate::types;

/// Rows of the primary at most.
const ROWS_MAX: usize = 40;

/// One column.
pub struct Column {
    pub name: String,
    /// The replica's name for it.
    pub replica_name: String,
    kind: Kind,
    /// Neither compared nor written.
    excluded: bool,
    /// Differences that do not count.
    excuse: Option<Excuse>,
}

/// One table on both sides.
pub struct Table {
    pub name: String,
    /// The replica's name for it.
    pub replica_name: String,
    /// Key columns first; none for a table without a key.
    pub columns: Vec<Column>,
    key_columns: usize,
    scope: Option<Scope>,
    /// Whether the spec names the columns that are compared, not those that are not.
    lists_columns: bool,
    primary: Vec<Vec<Value>>,
    replica: Vec<Vec<Value>>,
}

/// What the first table of a round must have, so that few rounds have met it all.
#[derive(Clone, Copy, PartialEq)]
pub enum Wish {
    NoKey,
    Where,
    Columns,
    Excluded,
    Compare,
}

impl Wish {
    /// One for each seed, in turn.
    pub fn of(seed: u64) -> Self {
        [Wish::NoKey, Wish::Where, Wish::Columns, Wish::Excluded, Wish::Compare][(seed % 5) as usize]
    }
}

/// Tables with names of their own.
pub fn tables(seed: u64, engines: (Engine, Engine), dice: &mut Dice, seen: &mut Seen) -> Vec<Table> {
    let mut names: Vec<&str> = NAMES.to_vec();
    let wish = |at: usize| (at == 0).then(|| Wish::of(seed));
    let mut tables = Vec::new();
    for at in 0..1 + dice.below(3) {
        tables.push(Table::new(dice.draw(&mut names), wish(at), engines, dice, seen));
    }
    tables.push(Table::of_odd_types(dice.draw(&mut names), seed, engines, dice, seen));
    tables
}

impl Table {
    fn new(
        name: &str,
        wish: Option<Wish>,
        engines: (Engine, Engine),
        dice: &mut Dice,
        seen: &mut Seen,
    ) -> Self {
        let key = match wish {
            Some(Wish::NoKey) => Vec::new(),
            Some(_) => loop {
                let key = key_kinds(dice);
                if !key.is_empty() {
                    break key;
                }
            },
            None => key_kinds(dice),
        };
        seen.count(format!("key {key:?}"));
        let columns = columns(&key, engines, dice);
        let renamed = dice.chance(20);
        let mut table = Table {
            name: name.to_owned(),
            replica_name: if renamed { format!("{name} too") } else { name.to_owned() },
            columns,
            key_columns: key.len(),
            scope: None,
            lists_columns: wish == Some(Wish::Columns) || wish != Some(Wish::Excluded) && dice.chance(50),
            primary: Vec::new(),
            replica: Vec::new(),
        };
        table.set_options(wish, dice, seen);
        for _ in 0..dice.below(ROWS_MAX) {
            table.add_row(dice, seen);
        }
        table.never_empty_the_replica();
        table
    }

    /// A table of types in turn, those that not every engine has too: as many rounds as are run have them all.
    fn of_odd_types(
        name: &str,
        seed: u64,
        engines: (Engine, Engine),
        dice: &mut Dice,
        seen: &mut Seen,
    ) -> Self {
        let mut names: Vec<&str> = NAMES.to_vec();
        let common = KINDS.iter().copied();
        let all: Vec<Kind> = native::kinds(engines, true).into_iter().chain(common).collect();
        let at_once = all.len().div_ceil(ROUNDS as usize);
        let chosen = all.chunks(at_once).nth((seed % ROUNDS) as usize).unwrap_or_default();
        let kinds = [Kind::Int].iter().chain(chosen);
        let column = |kind: &Kind| {
            let name = dice.draw(&mut names).to_owned();
            Column { replica_name: name.clone(), name, kind: *kind, excluded: false, excuse: None }
        };
        let mut table = Table {
            name: name.to_owned(),
            replica_name: name.to_owned(),
            columns: kinds.map(column).collect(),
            key_columns: 1,
            scope: None,
            lists_columns: false,
            primary: Vec::new(),
            replica: Vec::new(),
        };
        for _ in 0..12 {
            table.add_row(dice, seen);
        }
        table.never_empty_the_replica();
        table
    }

    /// Where the wish says so, and now and then: a scope, columns that are left out, differences that do not count.
    fn set_options(&mut self, wish: Option<Wish>, dice: &mut Dice, seen: &mut Seen) {
        let with_key = self.key_columns > 0;
        if let Some(area) = self.columns.iter().position(|column| column.kind == Kind::Area)
            && (wish == Some(Wish::Where) || dice.chance(30))
        {
            self.scope = Some(Scope::new(area, dice));
        }
        seen.count(if self.scope.is_some() { "table with where" } else { "table without where" });
        let wanted = [Wish::Columns, Wish::Excluded].map(Some).contains(&wish);
        if with_key && (wanted || dice.chance(15)) {
            let at = self.key_columns + dice.below(self.columns.len() - self.key_columns);
            let scoped = self.scope.as_ref().is_some_and(|scope| scope.column == at);
            if !scoped {
                self.columns[at].excluded = true;
                self.columns[at].replica_name = self.columns[at].name.clone();
                seen.count(if self.lists_columns {
                    "table with columns"
                } else {
                    "table with exclude_columns"
                });
            }
        }
        for at in self.key_columns..self.columns.len() {
            let column = &self.columns[at];
            let free = with_key && !column.excluded && column.kind != Kind::Area;
            let must = wish == Some(Wish::Compare) && at + 1 == self.columns.len();
            if free && (must || dice.chance(5)) {
                self.columns[at].excuse = Some(Excuse::new(column.kind, dice, seen));
                seen.count("column with compare");
            }
        }
    }

    /// A primary without rows is refused against a replica with rows; that has cases of its own.
    fn never_empty_the_replica(&mut self) {
        let in_scope =
            |scope: &Option<Scope>, row: &[Value]| scope.as_ref().is_none_or(|scope| scope.has(row));
        if !self.primary.iter().any(|row| in_scope(&self.scope, row)) {
            let scope = &self.scope;
            self.replica.retain(|row| !in_scope(scope, row));
        }
    }

    fn has(&self, row: &[Value]) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.has(row))
    }

    /// Whether both sides must hold the same rows in the end.
    pub fn is_whole(&self) -> bool {
        self.scope.is_none() && self.columns.iter().all(|column| !column.excluded && column.excuse.is_none())
    }

    /// Whether a column has another name on the replica.
    pub fn renames_columns(&self) -> bool {
        self.columns.iter().any(|column| column.name != column.replica_name)
    }

    /// What a session needs for values of native types.
    fn settings(&self, engine: Engine) -> &'static str {
        let native = self.columns.iter().any(|column| matches!(column.kind, Kind::Native(_)));
        if native { types::settings(engine).1 } else { "" }
    }

    /// Names of columns whose values the model cannot print.
    pub fn opaque_columns(&self) -> Vec<&str> {
        let opaque = |column: &&Column| column.excluded || matches!(column.kind, Kind::Native(_));
        self.columns.iter().filter(opaque).map(|column| column.name.as_str()).collect()
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
                changed[at] = match self.columns[at].excuse.filter(|_| dice.chance(60)) {
                    Some(excuse) => excuse.near(&row[at], dice),
                    None => other(self.columns[at].kind, &row[at], dice, seen),
                };
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
            // MariaDB makes a first TIMESTAMP NOT NULL unless told; the macro tells, and MySQL 9 takes it at its word.
            let declared = column.kind.declared(database);
            let declared = match at < self.key_columns {
                true => format!("{} NOT NULL", declared.trim_end_matches(" null")),
                false => declared,
            };
            format!("{} {declared}", identifier(name))
        });
        let mut parts: Vec<String> = declared.collect();
        if self.key_columns > 0 {
            let key: Vec<String> = columns[..self.key_columns].iter().map(|name| identifier(name)).collect();
            parts.push(format!("PRIMARY KEY ({})", key.join(", ")));
        }
        let zone = if database.engine == Engine::Mariadb { "SET time_zone = '+00:00';\n" } else { "" };
        let create = format!("CREATE TABLE {} ({})", identifier(name), parts.join(", "));
        let mut script = format!("{}{zone}{create};\n", self.settings(database.engine));
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
        if let Some(scope) = &self.scope {
            let name = identifier(&self.columns[scope.column].name);
            entry.insert("where".into(), scope.text(&name).into());
        }
        let names = |excluded: bool| -> Yaml {
            let columns = self.columns.iter().filter(|column| column.excluded == excluded);
            Yaml::Sequence(columns.map(|column| column.name.as_str().into()).collect())
        };
        match self.columns.iter().any(|column| column.excluded) {
            true if self.lists_columns => entry.insert("columns".into(), names(false)),
            true => entry.insert("exclude_columns".into(), names(true)),
            false => None,
        };
        let excuses = self.columns.iter().filter_map(|column| Some((column.name.as_str(), column.excuse?)));
        let excuses: Mapping = excuses.map(|(name, excuse)| (name.into(), excuse.entry())).collect();
        if !excuses.is_empty() {
            entry.insert("compare".into(), excuses.into());
        }
        Yaml::Mapping(entry)
    }

    /// The changes that the plan must hold, as a case writes them, and how many rows are excused; `stored`: between two
    /// SQLite files.
    pub fn changes(&self, stored: bool) -> (Vec<Yaml>, u64) {
        if self.key_columns == 0 {
            return (self.changes_of_copies(stored), 0);
        }
        let key = |row: &[Value]| row[..self.key_columns].to_vec();
        let of = |rows: &[Vec<Value>], wanted: &[Value]| rows.iter().find(|row| key(row) == wanted).cloned();
        let (mut changes, mut excused) = (Vec::new(), 0);
        for row in self.primary.iter().filter(|row| self.has(row)) {
            // Also where the row is out of scope there.
            let Some(before) = of(&self.replica, &key(row)) else {
                changes.push(mapping([("insert", self.row(row, false, stored))]));
                continue;
            };
            let differs = |at: &usize| before[*at] != row[*at] && !self.columns[*at].excluded;
            let all: Vec<usize> = (self.key_columns..row.len()).filter(differs).collect();
            let excuses = |at: &&usize| {
                self.columns[**at].excuse.is_some_and(|excuse| excuse.excuses(&row[**at], &before[**at]))
            };
            let left: Vec<usize> = all.iter().filter(|at| !excuses(at)).copied().collect();
            match (all.is_empty(), left.is_empty()) {
                (true, _) => {}
                // A column that is ignored is not looked at at all.
                (false, true) => {
                    let looked_at = |at: &usize| self.columns[*at].excuse != Some(Excuse::Ignore);
                    excused += u64::from(all.iter().any(looked_at));
                }
                (false, false) => changes.push(self.update(&before, row, &left, stored)),
            }
        }
        let kept = |row: &&Vec<Value>| of(&self.primary, &key(row)).is_some_and(|row| self.has(&row));
        let extra = self.replica.iter().filter(|row| self.has(row) && !kept(row));
        changes.extend(extra.map(|row| mapping([("delete", self.row(row, true, stored))])));
        (changes, excused)
    }

    fn changes_of_copies(&self, stored: bool) -> Vec<Yaml> {
        let mut copies: BTreeMap<String, (i64, &Vec<Value>)> = BTreeMap::new();
        for (rows, step) in [(&self.primary, 1), (&self.replica, -1)] {
            for row in rows.iter().filter(|row| self.has(row)) {
                copies.entry(format!("{row:?}")).or_insert((0, row)).0 += step;
            }
        }
        let change = |(copies, row): &(i64, &Vec<Value>)| {
            let verb = if *copies > 0 { "insert" } else { "delete" };
            mapping([(verb, self.row(row, false, stored)), ("copies", Yaml::from(copies.unsigned_abs()))])
        };
        copies.values().filter(|(copies, _)| *copies != 0).map(change).collect()
    }

    /// A row; `whole`: with what is neither compared nor written, which a delete takes along.
    fn row(&self, row: &[Value], whole: bool, stored: bool) -> Yaml {
        let columns = self.columns.iter().zip(row).filter(|(column, _)| whole || !column.excluded);
        let shown = columns.map(|(column, value)| {
            let value = match value {
                Value::Null => Yaml::Null,
                _ if column.excluded => Yaml::from(OPAQUE),
                value => value.expected(stored),
            };
            (Yaml::from(column.name.as_str()), value)
        });
        shown.collect::<Mapping>().into()
    }

    fn update(&self, before: &[Value], after: &[Value], columns: &[usize], stored: bool) -> Yaml {
        let (mut key, mut set) = (Mapping::new(), Mapping::new());
        for (at, column) in self.columns[..self.key_columns].iter().enumerate() {
            key.insert(column.name.clone().into(), after[at].expected(stored));
        }
        for at in columns {
            let both = vec![before[*at].expected(stored), after[*at].expected(stored)];
            set.insert(self.columns[*at].name.clone().into(), both.into());
        }
        mapping([("update", key.into()), ("set", set.into())])
    }

    /// Columns of key and all, for a report.
    pub fn told(&self) -> String {
        let columns: Vec<String> =
            self.columns.iter().map(|column| format!("{} {:?}", column.name, column.kind)).collect();
        let entry = serde_yaml::to_string(&self.entry()).unwrap_or_default();
        format!("{} ({}; {} of key)\n{entry}", self.name, columns.join(", "), self.key_columns)
    }
}

/// The key's columns, then others: of every engine, odd ones and native ones, and one that a scope may be over.
fn columns(key: &[Kind], engines: (Engine, Engine), dice: &mut Dice) -> Vec<Column> {
    let mut names: Vec<&str> = NAMES.to_vec();
    // Where one side keeps documents as text they tell no rows apart.
    let told_apart = |kind: &Kind| !key.is_empty() || *kind != Kind::Json;
    let common: Vec<Kind> = KINDS.iter().copied().filter(told_apart).collect();
    let special = native::kinds(engines, !key.is_empty());
    let others = (0..1 + dice.below(6)).map(|_| match dice.chance(40) {
        true => *dice.pick(&special),
        false => *dice.pick(&common),
    });
    let others: Vec<Kind> = others.collect();
    let kinds = key.iter().copied().chain([Kind::Area]).chain(others);
    let kinds: Vec<Kind> = kinds.collect();
    let column = |kind: Kind| {
        let name = dice.draw(&mut names).to_owned();
        let replica_name = if dice.chance(10) { format!("{name} too") } else { name.clone() };
        Column { name, replica_name, kind, excluded: false, excuse: None }
    };
    kinds.into_iter().map(column).collect()
}

/// The kinds of the key's columns; none for a table without a key.
fn key_kinds(dice: &mut Dice) -> Vec<Kind> {
    const ONE: &[Kind] = &[
        Kind::Int,
        Kind::Small,
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
