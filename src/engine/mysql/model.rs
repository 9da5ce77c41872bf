//! A declared model, loaded into a database that is made for it, or into the one that the spec names.
//!
//! These servers take no CREATE back, so what is made is dropped by name. Invariant: a table with a mark of ours stands in
//! the database before the first statement of the file and until the last table is gone, and a lock is held as long as
//! somebody works there: what has the mark and nobody's lock was left by a crash, and nothing else is ever dropped.

use sqlx::Connection;
use sqlx::mysql::MySqlConnection;

use super::{Access, EngineError, connect, options, query, quoted, run};
use crate::engine::model::{ModelLoad, ModelPlace, Unloaded};
use crate::failure::ErrorKind;
use crate::schema::{Catalog, Table};
use crate::spec::Side;
use crate::sql::Dialect;
use crate::sql::mysql::MARIADB;

const DOING: &str = "make a database for the schema file";
const LOADING: &str = "load the schema file";
/// The table that says whose the database is.
const MARKER: &str = "_trueup_scratch";
const MARK: &str = "trueup: holds a schema file for a moment";
/// What a name of ours looks like: the second in which it was made, and what no other run makes.
const NAME: &str =
    "SELECT CONCAT('trueup_scratch_', UNIX_TIMESTAMP(), '_', LEFT(MD5(CONCAT(RAND(), UUID())), 12))";
const PATTERN: &str = "'^trueup_scratch_[0-9]+_[0-9a-f]{12}$'";
/// How long to wait for somebody else's load in the same `scratch`, in seconds.
const PATIENCE: u32 = 60;
/// What a client that loads a dump has, for the file is written for one.
const FILE_SETTINGS: &str = "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', \
    SESSION foreign_key_checks = 0";

/// See [`load_model`](crate::engine::load_model).
pub(super) async fn load(place: ModelPlace, load: &ModelLoad) -> Result<Catalog, Unloaded> {
    match place {
        ModelPlace::In(side) => {
            let mut keeper = open(&side).await?;
            let loaded = match begin(&mut keeper).await {
                Ok(()) => in_database(&side, load).await,
                Err(error) => return Err(error.into()),
            };
            let emptied = empty(&mut keeper).await;
            keeper.close().await.ok();
            let catalog = loaded?;
            emptied?;
            Ok(catalog)
        }
        ModelPlace::Beside(side) => {
            let mut keeper = open(&side).await?;
            sweep(&mut keeper).await?;
            let name = make(&mut keeper).await?;
            let mut own = side.clone();
            own.url.database = Some(name.clone());
            let loaded = match mark(&mut keeper, &name).await {
                Ok(()) => in_database(&own, load).await,
                Err(error) => Err(error.into()),
            };
            let drop = format!("DROP DATABASE IF EXISTS {}", identifier(&name));
            let dropped = run(&mut keeper, &drop, "drop the database of the schema file").await;
            keeper.close().await.ok();
            let catalog = loaded?;
            dropped?;
            Ok(catalog)
        }
    }
}

fn identifier(name: &str) -> String {
    MARIADB.identifier(name)
}

async fn open(side: &Side) -> Result<MySqlConnection, EngineError> {
    let access = Access { options: options(&side.url), side: side.clone(), writable: true };
    access.open(true).await
}

/// The first value of a query.
async fn one(connection: &mut MySqlConnection, sql: &str) -> Result<String, EngineError> {
    let rows = query(connection, sql, DOING).await?;
    let unanswered = || EngineError::new(ErrorKind::Internal, format!("{DOING}: the server did not answer"));
    rows.into_iter().next().and_then(|row| row.into_iter().next().flatten()).ok_or_else(unanswered)
}

/// Drops what crashed runs left: ours by name and mark, older than an hour, and with nobody at work.
async fn sweep(connection: &mut MySqlConnection) -> Result<(), EngineError> {
    let sql = format!(
        "SELECT TABLE_SCHEMA FROM information_schema.TABLES WHERE TABLE_NAME = '{MARKER}' AND TABLE_COMMENT = '{MARK}' \
         AND TABLE_SCHEMA REGEXP {PATTERN} AND IS_FREE_LOCK(TABLE_SCHEMA) = 1 \
         AND CAST(SUBSTRING_INDEX(SUBSTRING_INDEX(TABLE_SCHEMA, '_', 3), '_', -1) AS UNSIGNED) < UNIX_TIMESTAMP() - 3600"
    );
    for name in query(connection, &sql, DOING).await?.into_iter().flatten().flatten() {
        let drop = format!("DROP DATABASE IF EXISTS {}", identifier(&name));
        run(connection, &drop, DOING).await.ok();
    }
    Ok(())
}

/// Makes an empty database with the character set of the session's, and gives its name.
async fn make(connection: &mut MySqlConnection) -> Result<String, EngineError> {
    let name = one(connection, NAME).await?;
    one(connection, &format!("SELECT GET_LOCK({}, 0)", quoted(&name))).await?;
    let sql = "SELECT CONCAT(' CHARACTER SET ', @@character_set_database, ' COLLATE ', @@collation_database)";
    let words = one(connection, sql).await?;
    run(connection, &format!("CREATE DATABASE {}{words}", identifier(&name)), DOING).await.map_err(|error| {
        match error.kind {
            ErrorKind::Permission => error.hint(
                "GRANT ALL ON `trueup\\_scratch\\_%`.* TO this user, or name an empty database with `scratch:`",
            ),
            _ => error,
        }
    })?;
    Ok(name)
}

async fn mark(connection: &mut MySqlConnection, database: &str) -> Result<(), EngineError> {
    let table = format!("{}.{}", identifier(database), identifier(MARKER));
    let sql = format!("CREATE TABLE {table} (id int) COMMENT = '{MARK}'");
    run(connection, &sql, DOING).await.map(drop)
}

/// Takes the session's own database, if it is empty or was left by a crash.
async fn begin(connection: &mut MySqlConnection) -> Result<(), EngineError> {
    const NONE: &str = "looking whether `scratch` is empty";
    let database = one(connection, "SELECT coalesce(DATABASE(), '')").await?;
    if database.is_empty() {
        return Err(EngineError::new(ErrorKind::Missing, "the URL of `scratch` names no database")
            .hint("put its name behind the host: mysql://user@host/database"));
    }
    let lock =
        format!("SELECT coalesce(GET_LOCK(MD5({}), {PATIENCE}), 0)", quoted(&format!("trueup {database}")));
    if one(connection, &lock).await? != "1" {
        let message =
            format!("another trueup has been loading into the database of `scratch` for {PATIENCE} seconds");
        return Err(EngineError::new(ErrorKind::Locked, message));
    }
    let found = query(
        connection,
        "SELECT TABLE_NAME, TABLE_COMMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME",
        NONE,
    )
    .await?;
    let is_mark = |row: &Vec<Option<String>>| {
        let cell = |at: usize| row.get(at).and_then(Option::as_deref);
        cell(0) == Some(MARKER) && cell(1) == Some(MARK)
    };
    if found.iter().any(is_mark) {
        empty(connection).await?;
    } else if let Some(first) = found.into_iter().flatten().flatten().next() {
        let message = format!("the database of `scratch` is not empty: it has {first}");
        return Err(EngineError::new(ErrorKind::Type, message)
            .hint("give it a database of its own: CREATE DATABASE …"));
    }
    mark(connection, &database).await
}

/// Drops all that stands in the session's own database, which is ours by its mark; the mark last.
async fn empty(connection: &mut MySqlConnection) -> Result<(), EngineError> {
    const EMPTYING: &str = "empty the database of `scratch`";
    run(connection, "SET SESSION foreign_key_checks = 0", EMPTYING).await?;
    let sql = format!(
        "SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
         ORDER BY TABLE_NAME = '{MARKER}', TABLE_NAME"
    );
    for row in query(connection, &sql, EMPTYING).await? {
        let mut cells = row.into_iter().flatten();
        let (Some(name), Some(kind)) = (cells.next(), cells.next()) else { continue };
        let kind = match kind.as_str() {
            "SEQUENCE" => "SEQUENCE",
            "VIEW" => "VIEW",
            _ => "TABLE",
        };
        run(connection, &format!("DROP {kind} {}", identifier(&name)), EMPTYING).await?;
    }
    Ok(())
}

/// Runs the statements in the side's database, and reads what they leave.
async fn in_database(side: &Side, load: &ModelLoad) -> Result<Catalog, Unloaded> {
    let mut connection = open(side).await?;
    run(&mut connection, FILE_SETTINGS, LOADING).await?;
    for (index, statement) in load.statements.iter().enumerate() {
        if !(load.goes_on)() {
            return Err(EngineError::new(ErrorKind::Interrupted, "stopped before all was loaded").into());
        }
        run(&mut connection, &statement.sql, "the server refuses this statement")
            .await
            .map_err(|error| Unloaded::by(index, error))?;
    }
    connection.close().await.ok();
    // A session with the settings by which the primary is read.
    let engine = connect(side, true).await?;
    let catalog = engine.catalog(&[None]).await?;
    Ok(named(catalog, load.default_schema.as_deref()))
}

/// The catalog as if its database were the primary's.
fn named(mut catalog: Catalog, database: Option<&str>) -> Catalog {
    let Some(own) = catalog.default_schema.take() else { return catalog };
    let database = database.map(str::to_owned);
    let rename = |schema: &mut Option<String>| {
        if schema.as_deref() == Some(&*own) {
            schema.clone_from(&database);
        }
    };
    let mut tables: Vec<Table> =
        catalog.tables.iter().filter(|one| one.name.name != MARKER).cloned().collect();
    for Table { name, foreign_keys, attachments, .. } in &mut tables {
        rename(&mut name.schema);
        foreign_keys.iter_mut().for_each(|key| rename(&mut key.table.schema));
        let targets = attachments.iter_mut().filter_map(|one| one.target.as_mut());
        targets.for_each(|target| rename(&mut target.table.schema));
    }
    Catalog { default_schema: database, tables: tables.into(), ..catalog }
}
