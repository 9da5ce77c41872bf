//! Random tables that point at each other: keys of one and two columns, unique keys of every kind, and foreign keys with
//! every action, in circles and to the table itself. One model, written for each engine.
//!
//! What an engine does not have (partial indexes on MariaDB, foreign keys that wait on it) is left out of its tables
//! alone; the rows keep to the whole model on both sides.

use crate::case_runner::portable::expand;
use crate::random::Dice;
use crate::servers::{Database, Engine};

/// What values a column has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Integer,
    /// Told apart by bytes.
    Text,
    /// Told apart without regard to case by the unique keys over it.
    AnyCase,
}

#[derive(Debug)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    pub nullable: bool,
}

/// A unique key besides the primary key.
#[derive(Debug)]
pub struct Unique {
    pub columns: Vec<usize>,
    /// Holds only where the column `flag` is 1.
    pub partial: bool,
    /// Looked at when the transaction ends (PostgreSQL).
    deferred: bool,
}

/// What a foreign key does to rows that point at one that goes or changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    Refuse,
    Restrict,
    Cascade,
    SetNull,
}

/// A foreign key.
#[derive(Debug)]
pub struct Reference {
    pub columns: Vec<usize>,
    /// Index of the table that is pointed at.
    pub parent: usize,
    /// Its key, or the columns of a unique key.
    pub to: Vec<usize>,
    pub on_delete: Action,
    pub on_update: Action,
    /// DEFERRABLE, INITIALLY DEFERRED or IMMEDIATE.
    pub deferrable: Option<bool>,
}

/// A table of the model. Its key is its first columns; then come `note` and `flag`.
#[derive(Debug)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    pub key: Vec<usize>,
    pub uniques: Vec<Unique>,
    pub references: Vec<Reference>,
}

/// One to four tables.
pub fn tables(dice: &mut Dice) -> Vec<Table> {
    let count = *dice.pick(&[1, 2, 2, 3, 3, 4]);
    let mut tables: Vec<Table> = (0..count).map(|number| Table::new(number, dice)).collect();
    for child in 0..count {
        for _ in 0..*dice.pick(&[0, 1, 1, 2, 2, 3]) {
            let parent = if dice.chance(30) { child } else { dice.below(count) };
            let reference = reference(&tables, parent, dice);
            let kinds = kinds(&tables[parent]);
            let by_null = reference.to.iter().any(|column| tables[parent].columns[*column].nullable);
            tables[child].point(reference, &kinds, by_null, dice);
        }
    }
    tables
}

fn kinds(table: &Table) -> Vec<Kind> {
    table.columns.iter().map(|column| column.kind).collect()
}

/// Where a foreign key leads, and what it does; its own columns come later.
fn reference(tables: &[Table], parent: usize, dice: &mut Dice) -> Reference {
    let by_value = |unique: &&Unique| {
        let kinds = unique.columns.iter().map(|column| tables[parent].columns[*column].kind);
        !unique.partial && !unique.deferred && kinds.clone().all(|kind| kind == Kind::Integer)
    };
    let uniques: Vec<&Unique> = tables[parent].uniques.iter().filter(by_value).collect();
    let to = match uniques.is_empty() || dice.chance(65) {
        true => tables[parent].key.clone(),
        false => dice.pick(&uniques).columns.clone(),
    };
    let actions = [Action::Refuse, Action::Refuse, Action::Restrict, Action::Cascade, Action::SetNull];
    let deferrable = if dice.chance(50) { None } else { Some(dice.chance(50)) };
    Reference {
        columns: Vec::new(),
        parent,
        to,
        on_delete: *dice.pick(&actions),
        on_update: *dice.pick(&actions),
        deferrable,
    }
}

impl Table {
    fn new(number: usize, dice: &mut Dice) -> Self {
        let mut table = Table {
            name: format!("t{number}"),
            columns: Vec::new(),
            key: Vec::new(),
            uniques: Vec::new(),
            references: Vec::new(),
        };
        table.key = match dice.below(10) {
            0..6 => vec![table.column("id", Kind::Integer, false)],
            6..8 => vec![table.column("code", Kind::Text, false)],
            _ => vec![table.column("a", Kind::Integer, false), table.column("b", Kind::Integer, false)],
        };
        table.column("note", Kind::Text, true);
        table.column("flag", Kind::Integer, false);
        for _ in 0..*dice.pick(&[0, 1, 1, 2, 2, 3]) {
            let (columns, partial) = match dice.below(10) {
                0..4 => (vec![table.unique_column(Kind::Integer, dice)], false),
                4..6 => (vec![table.unique_column(Kind::AnyCase, dice)], false),
                6..8 => {
                    let columns = [Kind::Integer; 2].map(|kind| table.unique_column(kind, dice));
                    (columns.to_vec(), false)
                }
                _ => (vec![table.unique_column(Kind::Integer, dice)], true),
            };
            let by_index = partial || table.columns[columns[0]].kind == Kind::AnyCase;
            let deferred = !by_index && dice.chance(15);
            table.uniques.push(Unique { columns, partial, deferred });
        }
        table
    }

    fn column(&mut self, name: &str, kind: Kind, nullable: bool) -> usize {
        self.columns.push(Column { name: name.to_owned(), kind, nullable });
        self.columns.len() - 1
    }

    fn unique_column(&mut self, kind: Kind, dice: &mut Dice) -> usize {
        let name = format!("u{}", self.columns.len());
        self.column(&name, kind, dice.chance(50))
    }

    /// Adds a foreign key with columns of its own, or over the first column of a key of two.
    /// `by_null`: whether what is pointed at takes NULL.
    fn point(&mut self, mut reference: Reference, parent: &[Kind], by_null: bool, dice: &mut Dice) {
        let taken = self.references.iter().any(|other| other.columns == [self.key[0]]);
        let by_integer = reference.to.len() == 1 && parent[reference.to[0]] == Kind::Integer;
        let own = self.name == format!("t{}", reference.parent);
        if self.key.len() == 2 && by_integer && !own && !taken && dice.chance(50) {
            reference.columns = vec![self.key[0]];
        } else {
            let nullable = dice.chance(60);
            for to in &reference.to {
                let name = format!("r{}", self.columns.len());
                let column = self.column(&name, parent[*to], nullable);
                reference.columns.push(column);
            }
            if dice.chance(15) {
                let columns = reference.columns.clone();
                self.uniques.push(Unique { columns, partial: false, deferred: false });
            }
        }
        let nullable = reference.columns.iter().all(|column| self.columns[*column].nullable);
        for action in [&mut reference.on_delete, &mut reference.on_update] {
            if *action == Action::SetNull && !nullable {
                *action = Action::Cascade;
            }
        }
        // MariaDB takes no such key.
        if by_null && !nullable && reference.on_update == Action::Cascade {
            reference.on_update = Action::Refuse;
        }
        self.references.push(reference);
    }

    /// The position of `flag`.
    pub fn flag(&self) -> usize {
        self.key.len() + 1
    }

    /// The names of these columns, as SQL.
    pub fn names(&self, columns: &[usize]) -> String {
        columns.iter().map(|column| self.columns[*column].name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Makes the table without its foreign keys, unless they are SQLite's, which has them in the table alone.
    pub fn create(&self, tables: &[Table], database: &Database) -> String {
        let engine = database.engine;
        let mut parts: Vec<String> = self.columns.iter().map(|column| column.declared(engine)).collect();
        parts.push(format!("PRIMARY KEY ({})", self.names(&self.key)));
        let constraints = self.uniques.iter().filter(|unique| unique.deferred && engine == Engine::Postgres);
        parts.extend(
            constraints.map(|unique| {
                format!("UNIQUE ({}) DEFERRABLE INITIALLY DEFERRED", self.names(&unique.columns))
            }),
        );
        if engine == Engine::Sqlite {
            parts.extend(self.references.iter().map(|reference| reference.declared(self, tables, engine)));
        }
        let mut sql = format!("CREATE TABLE {} ({});\n", self.name, parts.join(", "));
        for (number, unique) in self.uniques.iter().enumerate() {
            if unique.deferred && engine == Engine::Postgres || unique.partial && engine == Engine::Mariadb {
                continue;
            }
            let condition = if unique.partial { " WHERE flag = 1" } else { "" };
            let indexed = |column: &usize| match self.columns[*column].kind {
                Kind::AnyCase if engine == Engine::Postgres => {
                    format!("lower({})", self.columns[*column].name)
                }
                _ => self.columns[*column].name.clone(),
            };
            let over: Vec<String> = unique.columns.iter().map(indexed).collect();
            let (table, over) = (&self.name, over.join(", "));
            sql += &format!("CREATE UNIQUE INDEX {table}_unique_{number} ON {table} ({over}){condition};\n");
        }
        expand(&sql, database)
    }

    /// Adds the foreign keys to a table that has its rows.
    pub fn add_references(&self, tables: &[Table], engine: Engine) -> String {
        if engine == Engine::Sqlite {
            return String::new();
        }
        let add = |reference: &Reference| {
            format!("ALTER TABLE {} ADD {};\n", self.name, reference.declared(self, tables, engine))
        };
        self.references.iter().map(add).collect()
    }
}

impl Column {
    fn declared(&self, engine: Engine) -> String {
        let kind = match (self.kind, engine) {
            (Kind::Integer, _) => "{{int}}",
            (Kind::Text, _) => "{{key_text}}",
            (Kind::AnyCase, Engine::Sqlite) => "text collate nocase",
            (Kind::AnyCase, Engine::Postgres) => "text",
            (Kind::AnyCase, Engine::Mariadb) => "varchar(60) collate utf8mb4_general_ci",
        };
        format!("{} {kind}{}", self.name, if self.nullable { "" } else { " NOT NULL" })
    }
}

impl Reference {
    fn declared(&self, table: &Table, tables: &[Table], engine: Engine) -> String {
        let parent = &tables[self.parent];
        let mut sql = format!(
            "FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {} ON UPDATE {}",
            table.names(&self.columns),
            parent.name,
            parent.names(&self.to),
            self.on_delete.sql(),
            self.on_update.sql()
        );
        match self.deferrable.filter(|_| engine != Engine::Mariadb) {
            Some(true) => sql += " DEFERRABLE INITIALLY DEFERRED",
            Some(false) => sql += " DEFERRABLE INITIALLY IMMEDIATE",
            None => {}
        }
        sql
    }
}

impl Action {
    fn sql(self) -> &'static str {
        match self {
            Action::Refuse => "NO ACTION",
            Action::Restrict => "RESTRICT",
            Action::Cascade => "CASCADE",
            Action::SetNull => "SET NULL",
        }
    }

    /// Whether rows that point are written along.
    pub fn carries_on(self) -> bool {
        matches!(self, Action::Cascade | Action::SetNull)
    }
}
