//! How the triggers of a table can be kept from firing: by its owner, or by a login that may act as a replica's.
//!
//! As a replica the server leaves out its own triggers too, which foreign keys are made of: `orphans` checks what was
//! written then. Deferrable unique, primary key and exclusion constraints are made of them as well. Invariant: a table
//! with a constraint that nobody would check is not written this way.

use sqlx::postgres::{PgConnection, PgRow};

use super::super::{EngineError, Firing};
use super::orphans::quoted;
use super::{rows, text};
use crate::failure::ErrorKind;
use crate::sql::TableName;
use crate::sql::postgres::trigger::MADE_BY_USERS;

const DOING: &str = "looking at the triggers of the replica";

/// Since when the right to act as a replica can be given.
const PARAMETER_RIGHTS: u32 = 150_000;

/// `$tables`: number, schema and name. `$may_set`: whether the login may act as a replica. The partitions of a table
/// are its own.
const MEANS: &str = "WITH parts AS (
        SELECT w.number, c.oid AS root, p.relid AS oid
        FROM (VALUES $tables) AS w(number, schema_name, table_name)
        JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema_name
        JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.table_name AND c.relkind IN ('r', 'p')
        CROSS JOIN LATERAL (SELECT c.oid AS relid
            UNION SELECT t.relid::oid FROM pg_catalog.pg_partition_tree(c.oid) t) p),
    fired AS (
        SELECT a.number, g.tgname, g.tgenabled FROM parts a
        JOIN pg_catalog.pg_trigger g ON g.tgrelid = a.oid AND $made AND g.tgenabled <> 'D'),
    beside AS (
        SELECT DISTINCT a.number, e.oid FROM parts a
        JOIN pg_catalog.pg_constraint f ON f.contype = 'f' AND a.oid IN (f.conrelid, f.confrelid)
        CROSS JOIN LATERAL (VALUES (f.conrelid), (f.confrelid)) e(oid))
    SELECT a.number::text,
        EXISTS (SELECT FROM fired x WHERE x.number = a.number)::text,
        bool_and(pg_catalog.pg_has_role(k.relowner, 'USAGE'))::text,
        ($may_set)::text,
        (SELECT string_agg(x.tgname, ', ') FROM fired x WHERE x.number = a.number AND x.tgenabled IN ('A', 'R')),
        (SELECT string_agg(b.oid::regclass::text, ', ') FROM beside b WHERE b.number = a.number
            AND NOT (has_table_privilege(b.oid, 'SELECT') AND has_table_privilege(b.oid, 'UPDATE, DELETE, TRUNCATE'))),
        quote_ident(pg_get_userbyid((array_agg(k.relowner))[1])), quote_ident(current_user),
        (SELECT string_agg(DISTINCT quote_ident(d.conname), ', ') FROM parts b
            JOIN pg_catalog.pg_constraint d ON d.conrelid = b.oid AND d.contype IN ('p', 'u', 'x') AND d.condeferrable
            WHERE b.number = a.number)
    FROM parts a JOIN pg_catalog.pg_class k ON k.oid = a.oid GROUP BY a.number ORDER BY a.number";

/// How a table's triggers are kept from firing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// It has none that fire.
    Nothing,
    /// The login owns it, and switches them off.
    Owner,
    /// The login acts as a replica.
    Role,
    /// Not at all.
    None(Firing),
}

/// The means for each of these tables that is there.
pub(super) async fn means(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Vec<(TableName, Means)>, EngineError> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let can_be_granted = server_version(connection).await? >= PARAMETER_RIGHTS;
    let mut found = Vec::new();
    for row in rows(connection, &query(tables, can_be_granted), DOING).await? {
        let number = text(&row, 0)?.and_then(|number| number.parse::<usize>().ok());
        if let Some(table) = number.and_then(|number| tables.get(number)) {
            found.push((table.clone(), Standing::read(&row)?.means(table, can_be_granted)));
        }
    }
    Ok(found)
}

async fn server_version(connection: &mut PgConnection) -> Result<u32, EngineError> {
    let version = rows(connection, "SELECT current_setting('server_version_num')", DOING).await?;
    let version = version.first().map(|row| text(row, 0)).transpose()?.flatten();
    Ok(version.and_then(|number| number.parse().ok()).unwrap_or(0))
}

fn query(tables: &[TableName], can_be_granted: bool) -> String {
    let may_set = match can_be_granted {
        true => "has_parameter_privilege('session_replication_role', 'SET')",
        false => "(SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)",
    };
    let list: Vec<String> = tables
        .iter()
        .enumerate()
        .map(|(number, table)| {
            let schema = table.schema.as_deref().unwrap_or_default();
            format!("({number}, {}, {})", quoted(schema), quoted(&table.name))
        })
        .collect();
    let query = MEANS.replace("$tables", &list.join(", ")).replace("$may_set", may_set);
    query.replace("$made", MADE_BY_USERS)
}

/// How a login stands to one table: a row of [`MEANS`].
struct Standing {
    fires: bool,
    owns: bool,
    may_set_role: bool,
    /// Triggers that fire for replicas.
    always: Option<String>,
    /// Tables at the other ends of foreign keys that it may not lock.
    beside: Option<String>,
    owner: String,
    user: String,
    /// Constraints that are not enforced for replicas.
    deferrable: Option<String>,
}

impl Standing {
    fn read(row: &PgRow) -> Result<Self, EngineError> {
        let flag = |index| text(row, index).map(|value| value.as_deref() == Some("true"));
        Ok(Standing {
            fires: flag(1)?,
            owns: flag(2)?,
            may_set_role: flag(3)?,
            always: text(row, 4)?,
            beside: text(row, 5)?,
            owner: text(row, 6)?.unwrap_or_default(),
            user: text(row, 7)?.unwrap_or_default(),
            deferrable: text(row, 8)?,
        })
    }

    fn means(&self, table: &TableName, can_be_granted: bool) -> Means {
        if !self.fires {
            return Means::Nothing;
        }
        if self.owns {
            return Means::Owner;
        }
        match self.against_the_role(can_be_granted) {
            None => Means::Role,
            Some((reason, hint)) => {
                Means::None(Firing { table: table.clone(), kind: ErrorKind::Permission, reason, hint })
            }
        }
    }

    /// Why a login that is not the owner cannot act as a replica, and what would help.
    fn against_the_role(&self, can_be_granted: bool) -> Option<(String, String)> {
        let Standing { owner, user, .. } = self;
        let owning = format!("its owner may switch them off: GRANT {owner} TO {user}");
        if !self.may_set_role && can_be_granted {
            return Some((
                "this login neither owns the table nor may set session_replication_role".to_owned(),
                format!("{owning}; or GRANT SET ON PARAMETER session_replication_role TO {user}"),
            ));
        }
        if !self.may_set_role {
            return Some(("this login does not own the table".to_owned(), owning));
        }
        if let Some(always) = &self.always {
            let reason = format!("this login does not own the table, and {always} fires for replicas too");
            return Some((reason, owning));
        }
        if let Some(beside) = &self.beside {
            return Some((
                format!("this login does not own the table, and may not lock {beside} to check foreign keys"),
                format!("{owning}; or GRANT SELECT, UPDATE ON {beside} TO {user}"),
            ));
        }
        let deferrable = self.deferrable.as_ref()?;
        let reason = format!(
            "this login does not own the table, and the server does not enforce its deferrable {deferrable} for a \
             login that acts as a replica"
        );
        Some((reason, owning))
    }
}
