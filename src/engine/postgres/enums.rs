//! Enum types: their words, the columns that are of them, and what else speaks of them.
//!
//! Owns what of it would go with a type that is made anew, or keep it from being so. Invariant: what is not known to come
//! along by itself is named.

use std::collections::HashMap;

use sqlx::postgres::{PgConnection, PgRow};

use super::super::EngineError;
use super::introspect::{DOING, names, required};
use super::{rows, text};
use crate::sql::{EnumColumn, EnumType, TableName};

const TYPES: &str = "SELECT t.oid::text, pg_catalog.format_type(t.oid, NULL),
    (SELECT coalesce(json_agg(e.enumlabel ORDER BY e.enumsortorder), '[]')::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)
    FROM pg_catalog.pg_type t WHERE t.typtype = 'e' ORDER BY t.oid";

/// The columns of tables, and what else depends on a type or on its arrays. Partitions go with their roots; indexes,
/// constraints and defaults of tables are known again by who makes the type anew.
const USES: &str = "WITH enums AS (
        SELECT t.oid AS type, t.oid AS used FROM pg_catalog.pg_type t WHERE t.typtype = 'e'
        UNION ALL SELECT t.oid, t.typarray FROM pg_catalog.pg_type t WHERE t.typtype = 'e'),
    columns AS (
        SELECT e.type, e.used <> e.type AS listed, n.nspname, c.relname, c.oid, a.attname, a.attnum, a.attgenerated, c.relispartition,
            EXISTS (SELECT FROM pg_catalog.pg_partitioned_table p WHERE p.partrelid = c.oid AND a.attnum = ANY (p.partattrs)) AS parts
        FROM enums e JOIN pg_catalog.pg_attribute a ON a.atttypid = e.used AND NOT a.attisdropped
        JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace)
    SELECT k.type::text, k.nspname::text, k.relname::text, k.attname::text, k.listed::text,
        CASE WHEN k.attgenerated <> '' THEN 'the generated ' || pg_catalog.pg_describe_object('pg_catalog.pg_class'::regclass, k.oid, k.attnum)
             WHEN k.parts THEN 'the partition key of ' || pg_catalog.pg_describe_object('pg_catalog.pg_class'::regclass, k.oid, 0) END
    FROM columns k WHERE NOT k.relispartition
    UNION ALL
    SELECT e.type::text, NULL, NULL, NULL, NULL, pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
    FROM enums e JOIN pg_catalog.pg_depend d
      ON d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid = e.used AND d.deptype IN ('n', 'a')
    WHERE NOT (d.classid = 'pg_catalog.pg_type'::regclass AND d.objid IN (SELECT used FROM enums))
      AND NOT (d.classid = 'pg_catalog.pg_class'::regclass AND d.objsubid > 0
        AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = d.objid AND c.relkind IN ('r', 'p')))
      AND NOT (d.classid = 'pg_catalog.pg_class'::regclass AND d.objsubid = 0
        AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = d.objid AND c.relkind IN ('i', 'I')))
      AND NOT (d.classid = 'pg_catalog.pg_constraint'::regclass
        AND EXISTS (SELECT FROM pg_catalog.pg_constraint c LEFT JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
            WHERE c.oid = d.objid AND c.conrelid <> 0 AND (NOT r.relispartition OR c.coninhcount > 0)))
      AND NOT (d.classid = 'pg_catalog.pg_attrdef'::regclass
        AND EXISTS (SELECT FROM pg_catalog.pg_attrdef f JOIN columns k ON k.oid = f.adrelid AND k.attnum = f.adnum
            WHERE f.oid = d.objid AND k.type = e.type AND (NOT k.relispartition OR k.attgenerated = '')))
    ORDER BY 1, 2, 3, 4, 6";

/// All enum types.
pub(super) async fn read(connection: &mut PgConnection) -> Result<Vec<EnumType>, EngineError> {
    let mut enums = Vec::new();
    let mut places = HashMap::new();
    for row in rows(connection, TYPES, DOING).await? {
        places.insert(required(&row, 0)?, enums.len());
        let (printed, words) = (required(&row, 1)?, names(&row, 2)?);
        enums.push(EnumType { printed, words, columns: Vec::new(), others: Vec::new() });
    }
    if enums.is_empty() {
        return Ok(enums);
    }
    for row in rows(connection, USES, DOING).await? {
        let place = places.get(&required(&row, 0)?).copied();
        let Some(one) = place.and_then(|place| enums.get_mut(place)) else { continue };
        one.columns.extend(column(&row)?);
        if let Some(other) = text(&row, 5)?.filter(|other| !one.others.contains(other)) {
            one.others.push(other);
        }
    }
    Ok(enums)
}

fn column(row: &PgRow) -> Result<Option<EnumColumn>, EngineError> {
    let Some(schema) = text(row, 1)? else { return Ok(None) };
    Ok(Some(EnumColumn {
        table: TableName::qualified(schema, required(row, 2)?),
        name: required(row, 3)?,
        array: required(row, 4)? == "true",
    }))
}
