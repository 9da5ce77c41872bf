//! Rights, asked of the server itself: it checks them when a statement is prepared, and none of these is ever run.
//!
//! That knows of roles, of rights on databases, on columns and by wildcard, and of whatever a later version adds.
//! ALTER is not checked that early, on MySQL neither is CREATE: for these the user's grants are read. Where the
//! answer stays unclear nothing is called lacking.

use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use super::{error, query};
use crate::engine::{EngineError, Lack, Need, Right};
use crate::failure::ErrorKind;
use crate::sql::{Dialect, EngineName, TableName};

/// The needs that this user lacks. The connection must be allowed to write, for a read-only session refuses to
/// prepare a change; nothing is written.
pub(super) async fn lacking(
    connection: &mut MySqlConnection,
    dialect: &dyn Dialect,
    needs: &[Need],
) -> Result<Vec<Lack>, EngineError> {
    let (user, grants) = grants(connection, dialect.engine()).await?;
    let mut lacks = Vec::new();
    // Counters are no objects of their own here.
    for need in needs.iter().filter(|need| need.right != Right::Sequence) {
        let by_grants = need.right == Right::Alter
            || (need.right == Right::Create && dialect.engine() == EngineName::Mysql);
        let lacks_it = if by_grants {
            grants.as_ref().is_some_and(|grants| !is_granted(grants, need.right.as_str(), &need.table))
        } else {
            refused(connection, &statement(dialect, need)).await?
        };
        if lacks_it {
            let right = if need.right == Right::Lock { "UPDATE" } else { need.right.as_str() };
            let hint = format!("GRANT {right} ON {} TO {user}", dialect.table(&need.table));
            lacks.push(Lack { right: need.right, table: need.table.clone(), hint });
        }
    }
    Ok(lacks)
}

/// A statement that takes exactly this right (and SELECT).
fn statement(dialect: &dyn Dialect, need: &Need) -> String {
    let table = dialect.table(&need.table);
    let columns: Vec<String> = need.columns.iter().map(|column| dialect.identifier(column)).collect();
    let list = columns.join(", ");
    match need.right {
        Right::Select => format!("SELECT {list} FROM {table} WHERE FALSE"),
        Right::Lock => format!("SELECT 1 FROM {table} WHERE FALSE FOR UPDATE"),
        Right::Insert => {
            let nulls = vec!["NULL"; columns.len()].join(", ");
            // Of INSERT … SELECT the rights on single columns are checked only when it runs.
            format!("INSERT INTO {table} ({list}) VALUES ({nulls})")
        }
        Right::Update => {
            let same: Vec<String> = columns.iter().map(|column| format!("{column} = {column}")).collect();
            format!("UPDATE {table} SET {} WHERE FALSE", same.join(", "))
        }
        Right::Delete => format!("DELETE FROM {table} WHERE FALSE"),
        Right::Create | Right::Alter | Right::Sequence => format!("CREATE TABLE {table} (id INTEGER)"),
    }
}

/// Whether the server refuses to prepare a statement for want of a right. Any other objection says nothing about
/// rights.
async fn refused(connection: &mut MySqlConnection, sql: &str) -> Result<bool, EngineError> {
    match connection.prepare(AssertSqlSafe(sql).into_sql_str()).await {
        Ok(_) => Ok(false),
        Err(why) => {
            let failure = error::translate(why, "ask for the rights of this user");
            match failure.kind {
                ErrorKind::Permission => Ok(true),
                ErrorKind::Connect | ErrorKind::Timeout => Err(failure),
                _ => Ok(false),
            }
        }
    }
}

/// The user as GRANT names it, and its grants with those of the roles in force; `None` where they cannot be told.
pub(super) async fn grants(
    connection: &mut MySqlConnection,
    engine: EngineName,
) -> Result<(String, Option<Vec<String>>), EngineError> {
    let what = "read the user's rights";
    let first = |rows: Vec<Vec<Option<String>>>| rows.into_iter().flatten().flatten().next();
    let user = first(query(connection, "SELECT CURRENT_USER()", what).await?).unwrap_or_default();
    let (name, host) = user.rsplit_once('@').unwrap_or((&user, "%"));
    let user = format!("'{}'@'{}'", name.replace('\'', "''"), host.replace('\'', "''"));
    let mut show = "SHOW GRANTS".to_owned();
    if engine == EngineName::Mysql {
        // MariaDB shows the grants of the role in force of itself.
        let roles = first(query(connection, "SELECT CURRENT_ROLE()", what).await?).unwrap_or_default();
        if !matches!(roles.as_str(), "" | "NONE") {
            show = format!("SHOW GRANTS FOR CURRENT_USER() USING {roles}");
        }
    }
    let grants = query(connection, &show, what).await.ok();
    let grants = grants.map(|rows| rows.into_iter().flatten().flatten().collect());
    Ok((user, grants))
}

/// Whether one of these `GRANT … ON … TO …` gives a right on a table.
pub(super) fn is_granted(grants: &[String], right: &str, table: &TableName) -> bool {
    grants.iter().filter_map(|grant| parts(grant)).any(|(rights, object)| {
        let given = rights.starts_with("ALL PRIVILEGES") || rights.split(", ").any(|given| given == right);
        given && covers(object, table)
    })
}

/// The rights and the object of a grant; of a role's name, which has no object, nothing.
fn parts(grant: &str) -> Option<(&str, &str)> {
    let rest = grant.strip_prefix("GRANT ")?;
    let (rights, rest) = rest.split_once(" ON ")?;
    let (object, _) = rest.split_once(" TO ")?;
    Some((rights, object))
}

fn covers(object: &str, table: &TableName) -> bool {
    if object == "*.*" {
        return true;
    }
    let Some((database, name)) = object.strip_prefix('`').and_then(|rest| rest.split_once("`.")) else {
        return false;
    };
    let here = table.schema.as_deref().unwrap_or_default();
    let plain = |text: &str| text.replace("``", "`");
    if name == "*" {
        return is_like(&plain(database), here);
    }
    plain(database).eq_ignore_ascii_case(here)
        && plain(name.trim_matches('`')).eq_ignore_ascii_case(&table.name)
}

/// LIKE, as grants on databases mean it: `%`, `_`, and a backslash before either.
fn is_like(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('%') => text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .any(|at| is_like(rest.as_str(), &text[at..])),
        Some(first) => {
            let wanted = if first == '\\' { rest.next().unwrap_or('\\') } else { first };
            let any = first == '_';
            let mut left = text.chars();
            let found = left.next();
            found.is_some_and(|found| any || found.eq_ignore_ascii_case(&wanted))
                && is_like(rest.as_str(), left.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read_as_the_server_means_them() {
        let table = TableName::qualified("my_shop", "orders");
        let granted = |grant: &str| is_granted(&[grant.to_owned()], "ALTER", &table);
        for grant in [
            "GRANT ALL PRIVILEGES ON *.* TO `u`@`%` WITH GRANT OPTION",
            "GRANT SELECT, ALTER ON `my\\_shop`.* TO `u`@`%`",
            "GRANT ALTER ON `my%`.* TO `u`@`%`",
            "GRANT SELECT, INSERT, ALTER, DROP ON `my_shop`.`orders` TO `u`@`%`",
        ] {
            assert!(granted(grant), "{grant}");
        }
        for grant in [
            "GRANT USAGE ON *.* TO `u`@`%`",
            "GRANT `ALTER` TO `u`@`%`",
            "GRANT ALTER ON `my\\_store`.* TO `u`@`%`",
            "GRANT ALTER ON `my_shop`.`customers` TO `u`@`%`",
            "GRANT ALTER ROUTINE ON `my_shop`.* TO `u`@`%`",
        ] {
            assert!(!granted(grant), "{grant}");
        }
    }
}
