//! SQL written once for all engines: `{{int}}` and the like become each engine's own type.

use crate::servers::{Database, Engine};

/// Name, then the type on SQLite, PostgreSQL and MariaDB.
const TYPES: &[(&str, [&str; 3])] = &[
    ("smallint", ["smallint", "smallint", "smallint"]),
    ("int", ["integer", "integer", "integer"]),
    ("bigint", ["bigint", "bigint", "bigint"]),
    ("text", ["text", "text", "longtext"]),
    // Ordered by bytes; 190 characters are what an index of MariaDB holds in any row format.
    ("key_text", ["text", "text collate \"C\"", "varchar(190) collate utf8mb4_nopad_bin"]),
    // Ordered as people do, regardless of case on two of them.
    ("locale_text", ["text", "text collate \"en-x-icu\"", "varchar(190) collate utf8mb4_uca1400_as_cs"]),
    ("bytes", ["blob", "bytea", "longblob"]),
    ("key_bytes", ["blob", "bytea", "varbinary(190)"]),
    ("decimal", ["decimal(12,2)", "decimal(12,2)", "decimal(12,2)"]),
    ("double", ["double precision", "double precision", "double precision"]),
    // SQLite stores doubles there, too; the name says that other engines hold singles.
    ("single", ["float4", "real", "float"]),
    ("bool", ["boolean", "boolean", "boolean"]),
    ("date", ["date", "date", "date"]),
    ("time", ["time", "time", "time(6)"]),
    ("timestamp", ["datetime", "timestamp", "datetime(6)"]),
    ("instant", ["timestamptz", "timestamptz", "timestamp(6) null"]),
    ("uuid", ["uuid", "uuid", "uuid"]),
    ("json", ["json", "jsonb", "json"]),
];

/// What MySQL has instead of MariaDB's type.
const ON_MYSQL: &[(&str, &str)] = &[
    ("key_text", "varchar(190) collate utf8mb4_0900_bin"),
    ("locale_text", "varchar(190) collate utf8mb4_0900_as_cs"),
    ("uuid", "char(36)"),
];

/// `sql` for the engine of `database`; `{{hex 00ff}}` becomes a bytes literal, `{{database}}` its name. Panics on a
/// macro it does not know.
pub fn expand(sql: &str, database: &Database) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, tail) = after.split_once("}}").unwrap_or_else(|| panic!("`{{{{` without `}}}}` in {sql}"));
        out.push_str(before);
        match name.trim() {
            "database" => out.push_str(&database.name),
            name => out.push_str(&one(name, database.engine)),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn one(name: &str, engine: Engine) -> String {
    if let Some(hex) = name.strip_prefix("hex").map(str::trim) {
        return if engine == Engine::Postgres { format!("'\\x{hex}'::bytea") } else { format!("x'{hex}'") };
    }
    if let Some((_, own)) = ON_MYSQL.iter().find(|(known, _)| *known == name)
        && engine == Engine::Mariadb
        && engine.product().is_mysql()
    {
        return own.to_string();
    }
    let (_, types) =
        TYPES.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no macro `{name}`"));
    types[engine as usize].to_string()
}
