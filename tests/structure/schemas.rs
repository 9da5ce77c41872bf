//! Schemas of PostgreSQL that the replica lacks are created with the tables that go there, and never dropped.

use crate::pair::Pair;
use crate::servers::{Database, Engine};

fn schemas(database: &Database) -> Vec<Option<String>> {
    let rows = database
        .query("SELECT nspname::text FROM pg_namespace WHERE nspname !~ '^(pg_|information)' ORDER BY 1");
    rows.into_iter().map(|row| row[0].clone()).collect()
}

const BILLING: &str = "CREATE SCHEMA billing; CREATE SCHEMA \"Odd one\"; CREATE SCHEMA unasked;
    CREATE TYPE billing.state AS ENUM ('open', 'paid');
    CREATE TABLE billing.a (id int PRIMARY KEY, s billing.state DEFAULT 'open'); CREATE TABLE billing.b (id int PRIMARY KEY REFERENCES billing.a);
    CREATE TABLE \"Odd one\".c (id int PRIMARY KEY); CREATE TABLE d (id int PRIMARY KEY);
    INSERT INTO billing.a VALUES (1, 'paid'); INSERT INTO billing.b VALUES (1); INSERT INTO d VALUES (7);";

#[test]
fn schemas_are_created_once_and_stay() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.primary.execute_script(BILLING);
    pair.tables("[\"billing.*\", '\"Odd one\".c', d]");
    let before = schemas(&pair.replica);
    pair.exits(&["plan", "spec.yml", "-o", "there.plan"], 0);
    pair.exits(&["undo", "there.plan", "-o", "back.plan"], 0);
    pair.exits(&["apply", "there.plan", "-y"], 0);
    pair.exits(&["plan", "spec.yml", "--detailed-exitcode"], 0);
    let after = schemas(&pair.replica);
    assert_eq!(after.len(), before.len() + 2, "{after:?}");
    assert_eq!(pair.replica.query("SELECT id::text FROM d")[0][0].as_deref(), Some("7"));
    pair.exits(&["apply", "back.plan", "-y", "--allow", "all"], 0);
    assert_eq!(schemas(&pair.replica), after, "schemas stay");
    pair.exits(&["apply", "spec.yml", "-y"], 0);
}

#[test]
fn what_is_only_looked_at_creates_no_schema() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.primary.execute_script(BILLING);
    pair.tables("[{ table: \"billing.*\", schema: check }]");
    let before = schemas(&pair.replica);
    let planned = pair.exits(&["apply", "spec.yml", "-y"], 0);
    assert!(planned.stdout.contains("create schema billing"), "{}", planned.told());
    assert_eq!(schemas(&pair.replica), before);
}

#[test]
fn a_schema_that_only_the_spec_names_may_be_a_slip() {
    let pair = Pair::new(Engine::Postgres, Engine::Postgres);
    pair.primary.execute_script(BILLING);
    pair.tables("[{ table: d, to: elsewhere.d }]");
    let before = schemas(&pair.replica);
    let refused = pair.run(&["apply", "spec.yml", "-y"]);
    assert_eq!(refused.exit, Some(1), "{}", refused.told());
    assert!(refused.told().contains("no schema elsewhere"), "{}", refused.told());
    assert_eq!(schemas(&pair.replica), before);
}
