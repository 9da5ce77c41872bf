//! What is really written to a replica, told by its own triggers.

use std::collections::BTreeMap;

use super::schema::Table;
use super::shape::Shape;
use crate::servers::{Database, Engine};

/// Sets triggers on all tables, also for sessions of PostgreSQL that silence others.
pub fn watch(tables: &[Table], replica: &Database) {
    let mut sql = String::from("CREATE TABLE audit_log (line varchar(200));\n");
    for table in tables {
        for (event, row) in [("insert", "new"), ("update", "new"), ("delete", "old")] {
            sql += &trigger(table, event, row, replica.engine);
        }
    }
    replica.execute_script(&sql);
}

fn trigger(table: &Table, event: &str, row: &str, engine: Engine) -> String {
    let name = &table.name;
    let key: Vec<String> =
        table.key.iter().map(|column| format!("{row}.{}", table.columns[*column].name)).collect();
    let line = match engine {
        Engine::Sqlite => format!("'{name} {event} ' || {}", key.join(" || ',' || ")),
        _ => format!("concat('{name} {event} ', concat_ws(',', {}))", key.join(", ")),
    };
    let head = format!("CREATE TRIGGER audit_{name}_{event} AFTER {event} ON {name} FOR EACH ROW");
    let insert = format!("INSERT INTO audit_log VALUES ({line})");
    match engine {
        Engine::Sqlite => format!("{head} BEGIN {insert}; END;\n"),
        Engine::Mariadb => format!("{head} {insert};\n"),
        Engine::Postgres => format!(
            "CREATE FUNCTION audit_{name}_{event}() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN {insert}; RETURN NULL; END $$; {head} EXECUTE FUNCTION audit_{name}_{event}(); \
             ALTER TABLE {name} ENABLE ALWAYS TRIGGER audit_{name}_{event};\n"
        ),
    }
}

/// What was written that need not have been, and what was not written.
pub fn complaints(tables: &[Table], shape: &Shape, replica: &Database) -> Vec<String> {
    let mut written: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in replica.query("SELECT line FROM audit_log").into_iter().flatten().flatten() {
        let (table, rest) = line.split_once(' ').expect("the triggers write three words");
        let (event, key) = rest.split_once(' ').expect("the triggers write three words");
        written.entry(format!("{table} {key}")).or_default().push(event.to_owned());
    }
    let mut complaints = Vec::new();
    for (number, change) in shape.changes.iter().enumerate() {
        let key: Vec<String> = change.key.iter().map(|cell| cell.bare()).collect();
        let row = format!("{} {}", tables[change.table].name, key.join(","));
        let events = written.remove(&row).unwrap_or_default();
        let most = shape.writes_max(number);
        let right = if most == 1 {
            events == [change.action()]
        } else {
            !events.is_empty() && events.len() as u64 <= most
        };
        if !right {
            complaints.push(format!("{row}: written by {events:?}, planned to {}", change.action()));
        }
    }
    complaints
        .extend(written.iter().map(|(row, events)| format!("{row}: written by {events:?}, not planned")));
    complaints
}
