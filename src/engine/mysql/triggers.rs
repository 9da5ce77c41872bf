//! Triggers that cannot be kept from firing: this family has no switch for them. A table without any is fine, and
//! whether it has any only a user with the right TRIGGER is told.

use sqlx::mysql::MySqlConnection;

use super::{query, quoted, rights};
use crate::engine::{EngineError, Firing};
use crate::failure::ErrorKind;
use crate::sql::{Dialect, TableName};

/// Those of these tables whose triggers would fire.
pub(super) async fn firing(
    connection: &mut MySqlConnection,
    dialect: &dyn Dialect,
    tables: &[TableName],
) -> Result<Vec<Firing>, EngineError> {
    let (user, grants) = rights::grants(connection, dialect.engine()).await?;
    let mut firing = Vec::new();
    for table in tables {
        let schema = table.schema.as_deref().map_or("DATABASE()".to_owned(), quoted);
        let sql = format!(
            "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = {schema} \
             AND EVENT_OBJECT_TABLE = {} ORDER BY TRIGGER_NAME",
            quoted(&table.name)
        );
        let rows = query(connection, &sql, "look at the triggers of the replica").await?;
        let names: Vec<String> = rows.into_iter().filter_map(|row| row.into_iter().next()?).collect();
        let (kind, reason, hint) = if !names.is_empty() {
            let reason = format!(
                "{} cannot keep triggers from firing, and the table has {}",
                dialect.engine(),
                names.join(", ")
            );
            let hint = "set `triggers: fire`, and `compare: { column: ignore }` where they rewrite a column; or drop \
                        them for the time of the apply";
            (ErrorKind::Type, reason, hint.to_owned())
        } else if grants.as_ref().is_some_and(|grants| !rights::is_granted(grants, "TRIGGER", table)) {
            let reason =
                "this user may not know whether the table has triggers, which could not be kept from firing";
            (
                ErrorKind::Permission,
                reason.to_owned(),
                format!("GRANT TRIGGER ON {} TO {user}", dialect.table(table)),
            )
        } else {
            continue;
        };
        firing.push(Firing { table: table.clone(), kind, reason, hint });
    }
    Ok(firing)
}
