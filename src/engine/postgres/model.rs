//! A declared model, loaded in one transaction that is rolled back.
//!
//! In a database that is made for it and dropped, or in the one that the spec names, which must be empty. Invariant: of the
//! statements nothing is left behind in any case, for they are never committed; a database that a crash left is known by its
//! name, its comment and its age, and goes with the next load.

use std::sync::Arc;

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::sync::Semaphore;

use super::introspect::{self, required, text_literal};
use super::{DIALECT, EngineError, Pool, connect_options, rows, run, settings, text};
use crate::engine::model::{ModelLoad, ModelPlace, Unloaded};
use crate::failure::ErrorKind;
use crate::schema::Catalog;
use crate::spec::Side;
use crate::sql::{Dialect, ModelStatement};

const DOING: &str = "making a database for the schema file";
/// What a database of ours says of itself.
const MARK: &str =
    "trueup: made to load a schema file, and dropped at once; what is older than an hour may be dropped";
/// A name that no other run makes, with the second in which it was made.
const NAME: &str = "SELECT 'trueup_scratch_' || extract(epoch FROM clock_timestamp())::bigint || '_'
    || substr(md5(random()::text || pg_catalog.pg_backend_pid()::text), 1, 12)";
/// How the database of the session spells and sorts texts.
const LOCALE: &str = "SELECT pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate::text, d.datctype::text,
    coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'), coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')
    FROM pg_catalog.pg_database d WHERE d.datname = current_database()";
/// What crashed runs left: ours by name, mark and owner, nobody in them, and too old to be at work.
const LEFT: &str = "SELECT d.datname::text FROM pg_catalog.pg_database d
    WHERE d.datname ~ '^trueup_scratch_[0-9]+_[0-9a-f]{12}$'
      AND pg_catalog.shobj_description(d.oid, 'pg_database') = $mark
      AND d.datdba = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)
      AND split_part(d.datname, '_', 3)::numeric < extract(epoch FROM clock_timestamp()) - 3600
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)";
/// What anybody has made in this database.
const OBJECTS: &str = "SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
    UNION ALL SELECT n.nspname || '.' || t.typname FROM pg_catalog.pg_type t
        JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
        WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
    UNION ALL SELECT n.nspname || '.' || p.proname FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
    UNION ALL SELECT n.nspname::text FROM pg_catalog.pg_namespace n
        WHERE n.nspname NOT IN ('information_schema', 'public') AND n.nspname NOT LIKE 'pg\\_%'
    LIMIT 1";

/// See [`load_model`](crate::engine::load_model).
pub(super) async fn load(place: ModelPlace, load: &ModelLoad) -> Result<Catalog, Unloaded> {
    match place {
        ModelPlace::In(side) => {
            let mut connection = open(&side, None).await?;
            refuse_full(&mut connection).await?;
            let loaded = within(&mut connection, load).await;
            // Whatever was run is rolled back with the session.
            connection.close().await.ok();
            loaded
        }
        ModelPlace::Beside(side) => {
            let mut beside = open(&side, None).await?;
            sweep(&mut beside).await?;
            let name = make(&mut beside).await?;
            let loaded = in_own(&side, &name, load).await;
            let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", DIALECT.identifier(&name));
            let dropped = run(&mut beside, &drop, &format!("dropping the database {name}")).await;
            beside.close().await.ok();
            let catalog = loaded?;
            dropped?;
            Ok(catalog)
        }
    }
}

async fn in_own(side: &Side, name: &str, load: &ModelLoad) -> Result<Catalog, Unloaded> {
    let mut connection = open(side, Some(name)).await?;
    let loaded = within(&mut connection, load).await;
    connection.close().await.ok();
    loaded
}

/// A session as the replica's, with no schema of the spec's; in another database of its server where one is named.
async fn open(side: &Side, database: Option<&str>) -> Result<PgConnection, EngineError> {
    let side = Side { search_path: Vec::new(), ..side.clone() };
    let mut options = connect_options(&side.url)?;
    if let Some(name) = database {
        options = options.database(name);
    }
    let pool = Pool {
        options,
        settings: settings(&side, true),
        display: side.url.display(),
        idle: Default::default(),
        slots: Arc::new(Semaphore::new(1)),
        size: 1,
    };
    pool.open().await
}

async fn refuse_full(connection: &mut PgConnection) -> Result<(), EngineError> {
    let found = rows(connection, OBJECTS, "looking whether `scratch` is empty").await?;
    let Some(first) = found.first() else { return Ok(()) };
    let message = format!("the database of `scratch` is not empty: it has {}", required(first, 0)?);
    Err(EngineError::new(ErrorKind::Type, message).hint("give it a database of its own: CREATE DATABASE …"))
}

/// Drops what crashed runs left. What somebody else drops at the same time is gone too.
async fn sweep(connection: &mut PgConnection) -> Result<(), EngineError> {
    let left = LEFT.replace("$mark", &text_literal(MARK));
    for row in rows(connection, &left, DOING).await? {
        let drop = format!("DROP DATABASE IF EXISTS {}", DIALECT.identifier(&required(&row, 0)?));
        run(connection, &drop, DOING).await.ok();
    }
    Ok(())
}

/// Makes an empty database that spells and sorts as the session's does, and gives its name.
async fn make(connection: &mut PgConnection) -> Result<String, EngineError> {
    let name = rows(connection, NAME, DOING).await?;
    let name = required(name.first().ok_or_else(unanswered)?, 0)?;
    let locale = rows(connection, LOCALE, DOING).await?;
    let locale = locale.first().ok_or_else(unanswered)?;
    let mut sql = format!(
        "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}",
        DIALECT.identifier(&name),
        text_literal(&required(locale, 0)?),
        text_literal(&required(locale, 1)?),
        text_literal(&required(locale, 2)?),
    );
    if let Some(own) = text(locale, 4)? {
        match required(locale, 3)?.as_str() {
            "i" => sql += &format!(" LOCALE_PROVIDER icu ICU_LOCALE {}", text_literal(&own)),
            "b" => sql += &format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}", text_literal(&own)),
            _ => {}
        }
    }
    run(connection, &sql, DOING).await.map_err(|error| match error.kind {
        ErrorKind::Permission => error.hint(
            "give this login the right (ALTER ROLE … CREATEDB), or name an empty database with `scratch:`",
        ),
        _ => error,
    })?;
    let mark = format!("COMMENT ON DATABASE {} IS {}", DIALECT.identifier(&name), text_literal(MARK));
    // Without it nobody would know the database for ours after a crash; it is dropped all the same.
    run(connection, &mark, DOING).await.ok();
    Ok(name)
}

fn unanswered() -> EngineError {
    EngineError::new(ErrorKind::Internal, format!("{DOING}: the server did not answer"))
}

/// Runs the statements in a transaction, and reads the catalog in it.
async fn within(connection: &mut PgConnection, load: &ModelLoad) -> Result<Catalog, Unloaded> {
    let doing = "loading the schema file";
    let default = load.default_schema.as_deref();
    let path = path(&load.search_path, default);
    run(connection, "BEGIN", doing).await?;
    if let Some(schema) = &load.default_schema {
        run(connection, &format!("CREATE SCHEMA IF NOT EXISTS {}", DIALECT.identifier(schema)), doing)
            .await?;
    }
    let first = default.map(str::to_owned).into_iter().chain(path.iter().cloned());
    run(connection, &set_path(first), doing).await?;
    for (index, statement) in load.statements.iter().enumerate() {
        if !(load.goes_on)() {
            return Err(EngineError::new(ErrorKind::Interrupted, "stopped before all was loaded").into());
        }
        if is_there(statement, default) {
            continue;
        }
        run(connection, &statement.sql, "the server refuses this statement")
            .await
            .map_err(|error| Unloaded::by(index, error))?;
    }
    // What the file says of names is for the file.
    run(connection, &set_path(path.into_iter()), doing).await?;
    Ok(introspect::read(connection, &load.schemas).await?)
}

/// Where the primary's session looks for names: as the spec says, else in its default schema and in that which every
/// database has. By this its server prints names with their schemas or without.
fn path(search_path: &[String], default: Option<&str>) -> Vec<String> {
    let mut path = search_path.to_vec();
    if path.is_empty() {
        path.extend(default.map(str::to_owned));
        path.extend((default != Some("public")).then(|| "public".to_owned()));
    }
    path
}

fn set_path(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.map(|name| DIALECT.identifier(&name)).collect();
    format!("SET search_path = {}", names.join(", "))
}

/// A schema that was there before the file: the primary's default one, and that which every database has.
fn is_there(statement: &ModelStatement, default: Option<&str>) -> bool {
    let mut words = statement.sql.split_whitespace();
    let made = [words.next(), words.next()].map(|word| word.unwrap_or_default().to_ascii_uppercase());
    let name = words.next().unwrap_or_default().trim_matches('"');
    made == ["CREATE", "SCHEMA"] && words.next().is_none() && (name == "public" || Some(name) == default)
}
