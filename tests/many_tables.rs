//! Many small tables, several of which are compared at once: what is found of each does not depend on the others.

use crate::pair::Pair;
use crate::servers::Engine;

/// Tables of a few rows; in every third of them one row differs.
fn many(engine: Engine) -> Pair {
    let pair = Pair::new(engine, engine);
    let mut sql = String::new();
    for number in 0..60 {
        sql.push_str(&format!(
            "CREATE TABLE t{number:02} (id integer PRIMARY KEY, v varchar(20)); INSERT INTO t{number:02} VALUES (1, 'a'), (2, 'b'), (3, 'c');"
        ));
    }
    // A key that no order is common to is read another way.
    sql.push_str("CREATE TABLE keyless (v varchar(20)); INSERT INTO keyless VALUES ('a'), ('a'), ('b');");
    pair.both(&sql);
    let drift: Vec<String> = (0..60)
        .step_by(3)
        .map(|number| format!("UPDATE t{number:02} SET v = '{number}' WHERE id = 2;"))
        .collect();
    pair.primary.execute_script(&drift.concat());
    pair.primary.execute_script("INSERT INTO keyless VALUES ('a');");
    pair.tables("['*']");
    pair
}

#[test]
fn each_is_compared_as_if_it_were_alone() {
    for engine in Engine::all() {
        let pair = many(engine);
        let document = pair.document(&["plan", "spec.yml", "--detailed-exitcode"], 2);
        let tables = document["replicas"][0]["tables"].as_array().expect("there are tables");
        let names: Vec<&str> = tables.iter().filter_map(|table| table["table"].as_str()).collect();
        assert!(names.is_sorted(), "{}: {names:?}", engine.name());
        assert_eq!(names.len(), 61, "{}", engine.name());
        for (number, table) in tables.iter().skip(1).enumerate() {
            let updates = u64::from(number % 3 == 0);
            assert_eq!(table["summary"]["update"], updates, "{} {table}", engine.name());
            assert_eq!(table["rows"]["replica"], 3, "{} {table}", engine.name());
        }
        assert_eq!(tables[0]["summary"]["insert"], 1, "{}", engine.name());
        let one_by_one = pair.document(&["plan", "spec.yml", "--jobs", "1"], 0);
        assert_eq!(one_by_one["replicas"][0]["tables"], document["replicas"][0]["tables"]);
        pair.exits(&["apply", "spec.yml", "-y"], 0);
        pair.exits(&["verify", "spec.yml"], 0);
    }
}

/// A row that is too large for a part of the memory is none for all of it.
#[test]
fn a_table_has_all_the_memory_where_it_needs_it() {
    for engine in Engine::all() {
        let pair = many(engine);
        let wide = match engine {
            Engine::Sqlite | Engine::Postgres => "text",
            _ => "longtext",
        };
        let text = "x".repeat(1 << 20);
        pair.both(&format!(
            "CREATE TABLE wide (id integer PRIMARY KEY, v {wide}); INSERT INTO wide VALUES (1, '{text}');"
        ));
        pair.primary.execute_script("UPDATE wide SET id = 2;");
        let document = pair.document(&["plan", "spec.yml", "--memory", "16MiB", "--detailed-exitcode"], 2);
        let tables = document["replicas"][0]["tables"].as_array().expect("there are tables");
        let found = tables.iter().find(|table| table["table"] == "wide").expect("it is there");
        assert_eq!(found["error"], serde_json::Value::Null, "{}", engine.name());
        assert_eq!(found["summary"]["insert"], 1, "{}", engine.name());
        let run = pair.run(&["plan", "spec.yml", "--memory", "7MiB"]);
        assert_eq!(run.exit, Some(1), "{}", run.told());
        assert!(run.told().contains("--memory"), "{}", run.told());
    }
}
