//! Rows that point at nothing: foreign keys checked by query, of tables that are written as a replica would, where the
//! server does not enforce them. Nobody else may write the tables at either end meanwhile.
//!
//! A row may have pointed at nothing before (its foreign key is NOT VALID, or others wrote as replicas): it may stay so,
//! as under an enforced key, also where other columns of it are written. It is known again by its key and its columns
//! that point. A table without a key has only the place where a row lies, which an UPDATE moves: there an old
//! one that is written counts as new. Invariant: a row that came to point at nothing is found before the commit.

use std::collections::HashSet;

use sqlx::postgres::PgConnection;

use super::super::{EngineError, Violation};
use super::{DIALECT, rows, run, text};
use crate::failure::ErrorKind;
use crate::sql::{Dialect, TableName};

const DOING: &str = "checking the foreign keys of what is written";

/// Reads that each give the rows of one foreign key that point at nothing, in words and by what they are known again, of
/// all those with an end among `$oids`; and the foreign key's name. One that is NOT ENFORCED (PostgreSQL 18) is none.
const CHECKS: &str = "SELECT format('SELECT %L || concat_ws('', '', %s), %s FROM %s%s c WHERE (%s) AND NOT EXISTS \
        (SELECT FROM %s%s p WHERE %s)', f.conrelid::regclass::text || ': ',
        string_agg(format('%L || c.%I::text', a.attname || ' = ', a.attname), ', ' ORDER BY k.place),
        CASE WHEN own.columns IS NULL THEN 'c.tableoid || '' '' || c.ctid' ELSE
            format('ROW(%s, %s)::text', own.columns, string_agg(format('c.%I', a.attname), ', ' ORDER BY k.place)) END,
        CASE WHEN r.relkind = 'r' THEN 'ONLY ' END, f.conrelid::regclass,
        string_agg(format('c.%I IS NOT NULL', a.attname), CASE f.confmatchtype WHEN 'f' THEN ' OR ' ELSE ' AND ' END),
        CASE WHEN q.relkind = 'r' THEN 'ONLY ' END, f.confrelid::regclass,
        string_agg(format('p.%I = c.%I', b.attname, a.attname), ' AND ')),
        format('%I of %s', f.conname, f.conrelid::regclass)
    FROM pg_catalog.pg_constraint f
    CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY k(own, other, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.own
    JOIN pg_catalog.pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = k.other
    JOIN pg_catalog.pg_class r ON r.oid = f.conrelid JOIN pg_catalog.pg_class q ON q.oid = f.confrelid
    CROSS JOIN LATERAL (
        SELECT string_agg(format('c.%I', o.attname), ', ' ORDER BY u.place) AS columns
        FROM (SELECT x.indkey::int2[] AS numbers, x.indnkeyatts AS many FROM pg_catalog.pg_index x
            WHERE x.indrelid = f.conrelid AND x.indisunique AND x.indimmediate AND x.indisvalid
                AND x.indpred IS NULL AND x.indexprs IS NULL
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute n WHERE n.attrelid = f.conrelid
                    AND n.attnum = ANY ((x.indkey::int2[])[0:x.indnkeyatts - 1]) AND NOT n.attnotnull)
            ORDER BY x.indisprimary DESC, x.indnkeyatts, x.indexrelid LIMIT 1) i
        CROSS JOIN LATERAL unnest(i.numbers) WITH ORDINALITY u(number, place)
        JOIN pg_catalog.pg_attribute o ON o.attrelid = f.conrelid AND o.attnum = u.number
        WHERE u.place <= i.many) own
    WHERE f.contype = 'f' AND f.conparentid = 0 AND (f.conrelid IN ($oids) OR f.confrelid IN ($oids))
        AND to_jsonb(f) ->> 'conenforced' IS DISTINCT FROM 'false'
    GROUP BY f.oid, f.conname, f.conrelid, f.confrelid, f.confmatchtype, r.relkind, q.relkind, own.columns
    ORDER BY f.oid";

/// Rows that point at nothing, by foreign key: what each is known by, and its words.
pub(super) type Orphans = Vec<Vec<(String, String)>>;

/// So many rows that pointed at nothing before are known again.
const STANDING_MAX: usize = 100_000;

pub(super) fn quoted(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn oids(tables: &[TableName]) -> String {
    let named = |table: &TableName| {
        let name = quoted(&DIALECT.table(table));
        format!(
            "SELECT {name}::regclass::oid UNION SELECT t.relid::oid FROM pg_catalog.pg_partition_tree({name}::regclass) t"
        )
    };
    tables.iter().map(named).collect::<Vec<_>>().join(" UNION ")
}

/// Keeps everybody else from writing these tables and those that foreign keys tie to them.
pub(super) async fn lock(connection: &mut PgConnection, tables: &[TableName]) -> Result<(), EngineError> {
    let query = format!(
        "SELECT DISTINCT e.oid::regclass::text FROM pg_catalog.pg_constraint f \
         CROSS JOIN LATERAL (VALUES (f.conrelid), (f.confrelid)) e(oid) \
         WHERE f.contype = 'f' AND f.conparentid = 0 AND (f.conrelid IN ({0}) OR f.confrelid IN ({0})) ORDER BY 1",
        oids(tables)
    );
    for row in rows(connection, &query, DOING).await? {
        if let Some(name) = text(&row, 0)? {
            run(connection, &format!("LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE"), DOING).await?;
        }
    }
    Ok(())
}

/// Rows that break a foreign key with an end in one of these tables before anything is written.
pub(super) async fn standing(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Orphans, EngineError> {
    let mut standing = Vec::new();
    for check in checks(connection, tables).await? {
        let found = check.rows(connection, STANDING_MAX + 1).await?;
        if found.len() > STANDING_MAX {
            let message = format!(
                "{DOING}: more than {STANDING_MAX} rows break the foreign key {} already, so that new ones could not be \
                 told from them",
                check.name
            );
            return Err(EngineError::new(ErrorKind::Key, message)
                .hint("repair or delete them, or apply as the owner of the table that is written"));
        }
        standing.push(found);
    }
    Ok(standing)
}

/// Rows that break a foreign key with an end in one of these tables and did not before, at most so many, shown by
/// their columns that point.
pub(super) async fn violations(
    connection: &mut PgConnection,
    tables: &[TableName],
    before: &Orphans,
    most: usize,
) -> Result<Vec<Violation>, EngineError> {
    let mut new = Vec::new();
    for (number, check) in checks(connection, tables).await?.into_iter().enumerate() {
        let stood = before.get(number).map_or(&[][..], Vec::as_slice);
        let known: HashSet<&str> = stood.iter().map(|(mark, _)| mark.as_str()).collect();
        // No two rows are known by the same: among one more than there were, one is new.
        let found = check.rows(connection, stood.len() + most).await?;
        let found = found.into_iter().filter(|(mark, _)| !known.contains(mark.as_str()));
        new.extend(
            found.map(|(_, words)| Violation { words: format!("{words} points at no row"), known_by: None }),
        );
    }
    new.truncate(most);
    Ok(new)
}

/// One foreign key's.
struct Check {
    sql: String,
    name: String,
}

impl Check {
    async fn rows(
        &self,
        connection: &mut PgConnection,
        most: usize,
    ) -> Result<Vec<(String, String)>, EngineError> {
        let found = rows(connection, &format!("{} LIMIT {most}", self.sql), DOING).await?;
        let read = |row| Ok((text(row, 1)?.unwrap_or_default(), text(row, 0)?.unwrap_or_default()));
        found.iter().map(read).collect()
    }
}

async fn checks(connection: &mut PgConnection, tables: &[TableName]) -> Result<Vec<Check>, EngineError> {
    let found = rows(connection, &CHECKS.replace("$oids", &oids(tables)), DOING).await?;
    let mut checks = Vec::new();
    for row in &found {
        let internal = || EngineError::new(ErrorKind::Internal, format!("{DOING}: no query was made"));
        checks.push(Check {
            sql: text(row, 0)?.ok_or_else(internal)?,
            name: text(row, 1)?.unwrap_or_default(),
        });
    }
    Ok(checks)
}
