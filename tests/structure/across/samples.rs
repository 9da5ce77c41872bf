//! Two sample schemas of others, as each engine's own scripts make them, into an empty database of each other engine.
//!
//! The scripts lie beside the repository and are no part of it; without them there is nothing to run.

use std::path::{Path, PathBuf};

use super::keys::crossing;
use crate::pair::Pair;
use crate::servers::{Database, Engine, not_run};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name)
}

fn read(folder: &str, file: &str) -> String {
    let path = self::folder(folder).join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let text = text.trim_start_matches('\u{feff}');
    // Into a database that is there.
    let own = |line: &&str| {
        let line = line.trim_start().to_uppercase();
        !["DROP DATABASE", "CREATE DATABASE", "USE ", "\\C "].iter().any(|word| line.starts_with(word))
    };
    text.lines().filter(own).collect::<Vec<_>>().join("\n")
}

fn chinook(database: &Database) {
    let file = match database.engine {
        Engine::Postgres => "Chinook_PostgreSql.sql",
        Engine::Mariadb => "Chinook_MySql.sql",
        Engine::Sqlite => "Chinook_Sqlite.sql",
    };
    database.execute_script(&read("chinook", file));
}

fn mediawiki(database: &Database) {
    let script = match database.engine {
        Engine::Postgres => format!(
            "{}\n{}\nCOMMIT;",
            read("mediawiki", "postgres-tables-generated.sql"),
            read("mediawiki", "postgres-tables.sql")
        ),
        Engine::Mariadb => {
            format!(
                "ALTER DATABASE CHARACTER SET binary;\n{}",
                read("mediawiki", "mysql-tables-generated.sql")
            )
        }
        Engine::Sqlite => read("mediawiki", "sqlite-tables-generated.sql"),
    };
    database.execute_script(&script);
}

/// Created, filled, verified, and nothing left to do; every pair that fails is told.
fn settles_everywhere(name: &str, load: fn(&Database)) {
    if !folder(name).is_dir() {
        return not_run(Engine::Sqlite, name, "its scripts do not lie beside the repository");
    }
    let mut wrong = Vec::new();
    for (primary, replica) in crossing() {
        let pair = Pair::new(primary, replica);
        load(&pair.primary);
        pair.tables("['*']");
        let steps: [(&[&str], &str); 3] = [
            (&["apply", "spec.yml", "-y", "--allow", "all"], "apply"),
            (&["plan", "spec.yml", "--detailed-exitcode"], "plan"),
            (&["verify", "spec.yml"], "verify"),
        ];
        for (args, step) in steps {
            let run = pair.run_patiently(args);
            println!("{name}, {} to {}, {step}: {:?}", primary.name(), replica.name(), run.exit);
            if run.exit != Some(0) {
                wrong.push(format!("{} to {}, {step}: {}", primary.name(), replica.name(), run.told()));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{name}: {} pairs:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn chinook_into_an_empty_database() {
    settles_everywhere("chinook", chinook);
}

#[test]
fn mediawiki_into_an_empty_database() {
    settles_everywhere("mediawiki", mediawiki);
}
