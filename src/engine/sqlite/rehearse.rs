//! Structural changes tried on an empty copy of the schema, in memory.
//!
//! SQLite changes a table without a look at the views and triggers that speak of it, and says so when they are next
//! used. Owns finding those that work now and would not any more. Invariant: the file is only read, and what works
//! neither before nor afterwards is nobody's fault here.

use std::collections::BTreeSet;

use rusqlite::{Connection, Result};

use super::{functions, index, introspect};
use crate::engine::EngineError;
use crate::failure::ErrorKind;
use crate::schema::Catalog;
use crate::sql::Dialect;
use crate::sql::RowEvent;
use crate::sql::sqlite::{BEFORE_REBUILD, Sqlite};

/// Something that another table's structure can break.
struct Dependent {
    kind: String,
    name: String,
    /// The table or view that a trigger is on.
    table: String,
    sql: String,
}

impl Dependent {
    fn is_trigger(&self) -> bool {
        self.kind == "trigger"
    }

    fn is(&self, other: &Dependent) -> bool {
        self.kind == other.kind && self.name == other.name
    }

    fn words(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }
}

/// An error that names the first view or trigger that the statements would break, or says which of them fails.
pub(super) fn rehearse(
    connection: &Connection,
    renames: &[String],
    statements: &[String],
) -> Result<std::result::Result<(), EngineError>> {
    let scratch = Connection::open_in_memory()?;
    functions::register(&scratch)?;
    scratch.execute_batch(BEFORE_REBUILD)?;
    let dependents = load(connection, &scratch)?;
    let renamed_dependents: Vec<Dependent>;
    let works = |dependent: &Dependent| attempt(&scratch, dependent);
    let sound: Vec<&Dependent> = dependents.iter().filter(|dependent| works(dependent).is_ok()).collect();
    let triggers: Vec<&Dependent> = dependents.iter().filter(|dependent| dependent.is_trigger()).collect();
    for trigger in &triggers {
        // One that cannot be made here cannot be made there either.
        let _ = scratch.execute_batch(&trigger.sql);
    }
    // What speaks of a table or a column follows its name.
    scratch.execute_batch(FOLLOWING)?;
    for sql in renames {
        if let Err(why) = scratch.execute_batch(sql) {
            return Ok(Err(not_renamed(&why)));
        }
    }
    let sound = match renames.is_empty() {
        true => sound,
        false => {
            renamed_dependents = dependents_now(&scratch)?;
            renamed_dependents.iter().filter(|dependent| sound.iter().any(|one| one.is(dependent))).collect()
        }
    };
    scratch.execute_batch(BEFORE_REBUILD)?;
    for sql in statements {
        if let Err(why) = scratch.execute_batch(sql) {
            let message = format!("the structural change would fail: {why}");
            return Ok(Err(EngineError::new(ErrorKind::Type, message)));
        }
    }
    let made: BTreeSet<String> = scratch
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_>>()?;
    for name in made {
        scratch.execute_batch(&format!("DROP TRIGGER {}", Sqlite.identifier(&name)))?;
    }
    let tables: BTreeSet<String> = scratch
        .prepare("SELECT lower(name) FROM sqlite_schema WHERE type IN ('table', 'view')")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_>>()?;
    for dependent in sound {
        // A trigger goes with its table.
        if dependent.is_trigger() && !tables.contains(&dependent.table.to_ascii_lowercase()) {
            continue;
        }
        if let Err(why) = works(dependent) {
            let message = format!("the {} would not work any more: {why}", dependent.words());
            let error = EngineError::new(ErrorKind::Type, message);
            return Ok(Err(
                error.hint(format!("drop the {} on the replica, or write it anew", dependent.kind))
            ));
        }
    }
    Ok(Ok(()))
}

/// Names followed by what speaks of them, as they are where nothing is made anew.
const FOLLOWING: &str = "PRAGMA legacy_alter_table = OFF";

fn not_renamed(why: &rusqlite::Error) -> EngineError {
    EngineError::new(ErrorKind::Type, format!("the new name cannot be given: {why}"))
}

/// The catalog of a copy of the schema in which these statements gave names to tables and columns.
pub(super) fn renamed(
    connection: &Connection,
    statements: &[String],
) -> Result<std::result::Result<Catalog, EngineError>> {
    let scratch = Connection::open_in_memory()?;
    functions::register(&scratch)?;
    scratch.execute_batch("PRAGMA foreign_keys = OFF")?;
    for trigger in load(connection, &scratch)?.iter().filter(|dependent| dependent.is_trigger()) {
        let _ = scratch.execute_batch(&trigger.sql);
    }
    for sql in statements {
        if let Err(why) = scratch.execute_batch(sql) {
            return Ok(Err(not_renamed(&why)));
        }
    }
    introspect::catalog(&scratch, &[None]).map(Ok)
}

/// The views and triggers that the copy has, those that are renamed by their new texts.
fn dependents_now(scratch: &Connection) -> Result<Vec<Dependent>> {
    let mut statement = scratch.prepare(
        "SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE type IN ('view', 'trigger')",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Dependent { kind: row.get(0)?, name: row.get(1)?, table: row.get(2)?, sql: row.get(3)? })
    })?;
    rows.collect()
}

/// Makes the schema's tables, indexes and views on an empty database, as far as they can be made; gives views and
/// triggers.
fn load(connection: &Connection, scratch: &Connection) -> Result<Vec<Dependent>> {
    let mut statement = connection.prepare(
        "SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' \
         ESCAPE '\\' ORDER BY rowid",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Dependent { kind: row.get(0)?, name: row.get(1)?, table: row.get(2)?, sql: row.get(3)? })
    })?;
    let mut dependents = Vec::new();
    for row in rows {
        let row = row?;
        if !row.is_trigger() {
            // A virtual table may need a module that is not here.
            let _ = scratch.execute_batch(&row.sql);
        }
        if row.is_trigger() || row.kind == "view" {
            dependents.push(row);
        }
    }
    // A table that counts is there once one was made.
    let counters =
        "CREATE TABLE _trueup_counted (id INTEGER PRIMARY KEY AUTOINCREMENT); DROP TABLE _trueup_counted";
    scratch.execute_batch(counters)?;
    Ok(dependents)
}

/// Whether a view can be read, or the statements that fire a trigger be prepared with it alone.
fn attempt(scratch: &Connection, dependent: &Dependent) -> Result<()> {
    if !dependent.is_trigger() {
        return scratch.prepare(&format!("SELECT * FROM {}", Sqlite.identifier(&dependent.name))).map(drop);
    }
    scratch.execute_batch(&dependent.sql)?;
    let fired = fire(scratch, dependent);
    scratch.execute_batch(&format!("DROP TRIGGER {}", Sqlite.identifier(&dependent.name)))?;
    fired
}

fn fire(scratch: &Connection, trigger: &Dependent) -> Result<()> {
    let table = Sqlite.identifier(&trigger.table);
    let sql = match index::trigger_event(&trigger.sql).1 {
        RowEvent::Insert => format!("INSERT INTO {table} DEFAULT VALUES"),
        RowEvent::Delete => format!("DELETE FROM {table}"),
        RowEvent::Update => {
            let columns: Vec<String> = scratch
                .prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0")?
                .query_map([&trigger.table], |row| row.get::<_, String>(0))?
                .collect::<Result<_>>()?;
            let set: Vec<String> =
                columns.iter().map(|name| format!("{0} = {0}", Sqlite.identifier(name))).collect();
            format!("UPDATE {table} SET {}", set.join(", "))
        }
    };
    scratch.prepare(&sql).map(drop)
}
