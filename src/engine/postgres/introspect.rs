//! The catalog: tables, columns, keys and foreign keys, each read with one query for all tables.
//!
//! Reads `pg_catalog` alone, because `information_schema` hides what the role has no right to, and what is hidden
//! must become an error at the scan instead. Refuses views, foreign and temporary tables and partitions (their
//! root stands for them). The invariant: a table that is named is described whole.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::postgres::{PgConnection, PgRow};

use super::super::EngineError;
use super::{attachments, enums, numbers, rows, run, text};
use crate::failure::ErrorKind;
use crate::schema::{Catalog, Dependent, Folding, Table, UniqueKey};
use crate::sql::{
    Alike, Column, ColumnWords, DefaultKind, ForeignKey, ForeignKeyAction, Generated, Identity, IndexPart,
    Layout, LiteralDefault, Partition, RowEvent, Sequence, TableName, Trigger, UniqueIndex,
};
use crate::value::{ColumnType, Type};

pub(super) const DOING: &str = "reading the catalog";

/// The tables looked at, by OID; `$schemas` stands for the list of schemas.
const TABLES: &str = "WITH tables AS MATERIALIZED (
    SELECT c.oid, n.nspname, c.relname, c.relkind, c.reltuples, c.relpages
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
      AND n.nspname IN ($schemas) AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%')\n";

/// Rows by the density of the last ANALYZE and today's size, as the planner reckons; before the first one, by
/// 128 bytes a row.
const TABLE_ROWS: &str = "SELECT t.oid::text, t.nspname::text, t.relname::text,
    (SELECT CASE WHEN sum(size) = 0 THEN 0
                 ELSE round(sum(CASE WHEN known THEN estimate ELSE size / 128.0 END)) END::bigint::text
     FROM (SELECT pg_catalog.pg_relation_size(l.oid) AS size,
                  l.reltuples >= 0 AND (l.relpages > 0 OR pg_catalog.pg_relation_size(l.oid) = 0) AS known,
                  CASE WHEN l.relpages > 0 THEN greatest(l.reltuples, 0)::numeric / l.relpages
                       * (pg_catalog.pg_relation_size(l.oid) / current_setting('block_size')::numeric)
                       ELSE 0 END AS estimate
           FROM (SELECT t.oid WHERE t.relkind = 'r'
                 UNION ALL SELECT p.relid FROM pg_catalog.pg_partition_tree(t.oid) p WHERE t.relkind = 'p' AND p.isleaf) own
           JOIN pg_catalog.pg_class l ON l.oid = own.oid) leaves),
    pg_catalog.row_security_active(t.oid)::text
    FROM tables t ORDER BY t.nspname, t.relname";

const COLUMNS: &str = "SELECT t.oid::text, a.attname::text,
    pg_catalog.format_type(a.atttypid, a.atttypmod), a.atttypid::oid::int8::text, a.atttypmod::text,
    a.attnotnull::text, a.attidentity::text, a.attgenerated::text,
    pg_catalog.pg_get_expr(d.adbin, d.adrelid),
    (EXISTS (SELECT FROM pg_catalog.pg_depend uses
        JOIN pg_catalog.pg_depend owned ON owned.classid = uses.refclassid AND owned.objid = uses.refobjid
         AND owned.deptype = 'a' AND owned.refclassid = 'pg_catalog.pg_class'::regclass
         AND owned.refobjid = a.attrelid AND owned.refobjsubid = a.attnum
        WHERE uses.classid = 'pg_catalog.pg_attrdef'::regclass AND uses.objid = d.oid
          AND uses.refclassid = 'pg_catalog.pg_class'::regclass))::text,
    CASE WHEN a.attcollation = 0 THEN NULL
         WHEN l.collname = 'default' AND l.collnamespace = 'pg_catalog'::regnamespace THEN
            (SELECT CASE WHEN coalesce(to_jsonb(db) ->> 'datlocprovider', 'c') = 'b' THEN NULL
                         WHEN coalesce(to_jsonb(db) ->> 'datlocprovider', 'c') = 'c'
                              AND db.datcollate IN ('C', 'POSIX') THEN NULL
                         ELSE 'default' END
             FROM pg_catalog.pg_database db WHERE db.datname = current_database())
         WHEN l.collprovider = 'b' THEN NULL
         WHEN l.collprovider = 'c' AND l.collcollate IN ('C', 'POSIX') THEN NULL
         ELSE l.collname::text END,
    CASE WHEN a.attcollation <> y.typcollation
         THEN quote_ident(ln.nspname) || '.' || quote_ident(l.collname) END
    FROM tables t
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
    LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace
    ORDER BY t.oid, a.attnum";

/// Types of users that mean something else than themselves: domains, enums, and text without regard to case.
const TYPES: &str = "SELECT t.oid::int8::text, t.typtype::text, t.typbasetype::int8::text, t.typtypmod::text,
    t.typnotnull::text,
    (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder)::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)
    FROM pg_catalog.pg_type t
    WHERE t.typtype IN ('d', 'e') OR (t.typname = 'citext' AND t.typtype = 'b' AND t.typelem = 0)";

/// All types as columns name them, without and with no modifier: `character` and `bpchar` are one.
const TYPE_NAMES: &str = "SELECT pg_catalog.format_type(t.oid, NULL) FROM pg_catalog.pg_type t
    UNION SELECT pg_catalog.format_type(t.oid, -1) FROM pg_catalog.pg_type t";

/// Types of extensions.
const EXTENSION_TYPES: &str = "SELECT pg_catalog.format_type(t.oid, NULL), x.extname::text
    FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_type t ON t.oid = d.objid
    JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
    WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::regclass";

const KEYS: &str = "SELECT t.oid::text, i.relname::text, x.indisprimary::text,
    (SELECT bool_and(a.attnotnull)::text FROM unnest(x.indkey[0:x.indnkeyatts - 1]) k
     JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = k),
    (SELECT json_agg(a.attname ORDER BY k.place)::text
     FROM unnest(x.indkey[0:x.indnkeyatts - 1]) WITH ORDINALITY k(number, place)
     JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number), x.indimmediate::text
    FROM tables t JOIN pg_catalog.pg_index x ON x.indrelid = t.oid
    JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
    WHERE x.indisunique AND x.indisvalid AND x.indisready AND x.indpred IS NULL AND x.indexprs IS NULL
    ORDER BY t.oid, NOT x.indisprimary, i.relname";

/// Unique indexes that are more than a list of columns that compare as they do elsewhere: each part's expression with
/// its collation, and how its values compare where that is known.
const UNIQUE_INDEXES: &str = "SELECT t.oid::text, i.relname::text, pg_catalog.pg_get_expr(x.indpred, x.indrelid),
    coalesce(to_jsonb(x) ->> 'indnullsnotdistinct', 'false'), x.indisexclusion::text,
    (SELECT coalesce(json_agg(a.attname ORDER BY a.attnum), '[]')::text FROM pg_catalog.pg_attribute a
     WHERE a.attrelid = t.oid AND a.attnum > 0 AND (a.attnum = ANY (x.indkey[0:x.indnkeyatts - 1]::int2[])
        OR EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass
            AND d.objid = x.indexrelid AND d.refclassid = 'pg_catalog.pg_class'::regclass
            AND d.refobjid = t.oid AND d.refobjsubid = a.attnum))),
    (SELECT json_agg(json_build_array(
        '(' || pg_catalog.pg_get_indexdef(x.indexrelid, k.place::int, false) || ')'
            || coalesce(' COLLATE ' || quote_ident(n.nspname) || '.' || quote_ident(l.collname), ''),
        CASE WHEN m.amname <> 'btree' OR NOT (o.opcdefault OR o.opcname LIKE '%pattern\\_ops') THEN NULL
             WHEN y.typname = 'citext' OR y.typcollation <> 0 AND y.typcategory = 'S' THEN 'text'
             WHEN y.oid = 1700 THEN 'number'
             WHEN y.oid IN (700, 701) THEN 'float'
             WHEN y.typtype = 'e' OR y.oid IN (16, 17, 20, 21, 23, 26, 1082, 1083, 1114, 1184, 2950) THEN 'printed'
        END) ORDER BY k.place)::text
     FROM generate_series(1, x.indnkeyatts) k(place)
     JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indexrelid AND a.attnum = k.place
     JOIN pg_catalog.pg_type own ON own.oid = a.atttypid
     JOIN pg_catalog.pg_type y ON y.oid = CASE own.typtype WHEN 'd' THEN own.typbasetype ELSE own.oid END
     JOIN pg_catalog.pg_opclass o ON o.oid = x.indclass[k.place - 1]
     LEFT JOIN pg_catalog.pg_collation l ON l.oid = x.indcollation[k.place - 1]
     LEFT JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace)
    FROM tables t JOIN pg_catalog.pg_index x ON x.indrelid = t.oid
    JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
    JOIN pg_catalog.pg_am m ON m.oid = i.relam
    WHERE (x.indisunique OR x.indisexclusion) AND x.indisready
      AND (x.indpred IS NOT NULL OR x.indexprs IS NOT NULL OR x.indisexclusion
           OR to_jsonb(x) ->> 'indnullsnotdistinct' = 'true'
           OR EXISTS (SELECT FROM generate_series(0, x.indnkeyatts - 1) k(place)
                JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[k.place]
                WHERE a.attcollation <> x.indcollation[k.place]))
    ORDER BY t.oid, i.relname";

const FOREIGN_KEYS: &str = "SELECT t.oid::text, f.conname::text, n.nspname::text, r.relname::text,
    f.confdeltype::text, f.confupdtype::text,
    (SELECT json_agg(a.attname ORDER BY k.place)::text FROM unnest(f.conkey) WITH ORDINALITY k(number, place)
     JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number),
    (SELECT json_agg(a.attname ORDER BY k.place)::text FROM unnest(f.confkey) WITH ORDINALITY k(number, place)
     JOIN pg_catalog.pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.number),
    f.condeferrable::text, f.confmatchtype::text
    FROM tables t JOIN pg_catalog.pg_constraint f ON f.conrelid = t.oid AND f.contype = 'f' AND f.conparentid = 0
    JOIN pg_catalog.pg_class r ON r.oid = coalesce(pg_catalog.pg_partition_root(f.confrelid)::oid, f.confrelid)
    JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
    ORDER BY t.oid, f.conname";

/// The foreign keys of the whole database that point at some tables. Of a partition its root is told.
const DEPENDENTS: &str = "SELECT cn.nspname::text, f.conname::text, n.nspname::text, r.relname::text,
    f.confdeltype::text, f.confupdtype::text,
    (SELECT json_agg(a.attname ORDER BY k.place)::text FROM unnest(f.conkey) WITH ORDINALITY k(number, place)
     JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number),
    (SELECT json_agg(a.attname ORDER BY k.place)::text FROM unnest(f.confkey) WITH ORDINALITY k(number, place)
     JOIN pg_catalog.pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.number),
    f.condeferrable::text, f.confmatchtype::text, c.relname::text
    FROM pg_catalog.pg_constraint f
    JOIN pg_catalog.pg_class r ON r.oid = coalesce(pg_catalog.pg_partition_root(f.confrelid)::oid, f.confrelid)
    JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
    JOIN pg_catalog.pg_class c ON c.oid = coalesce(pg_catalog.pg_partition_root(f.conrelid)::oid, f.conrelid)
    JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
    WHERE f.contype = 'f' AND f.conparentid = 0
      AND (n.nspname, r.relname) IN ($tables) ORDER BY cn.nspname, c.relname, f.conname";

/// What numbers columns: the sequence of an identity, and the one that a default draws from, whoever owns it.
const SEQUENCES: &str = "SELECT t.oid::text, a.attname::text, n.nspname::text, s.relname::text, q.seqincrement::text,
    q.seqmin::text, q.seqmax::text, q.seqcycle::text,
    (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_sequence_privilege(s.oid, 'SELECT'))::text,
    pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(s.relname) || ' TO '
        || pg_catalog.quote_ident(current_user)
    FROM tables t JOIN (
        SELECT d.refobjid AS relation, d.refobjsubid AS number, d.objid AS sequence FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
          AND d.deptype = 'i'
        UNION
        SELECT f.adrelid, f.adnum, d.refobjid FROM pg_catalog.pg_attrdef f JOIN pg_catalog.pg_depend d
          ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = f.oid
         AND d.refclassid = 'pg_catalog.pg_class'::regclass
        WHERE pg_catalog.pg_get_expr(f.adbin, f.adrelid) LIKE 'nextval(''%''::regclass)'
    ) u ON u.relation = t.oid
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = u.number
    JOIN pg_catalog.pg_class s ON s.oid = u.sequence AND s.relkind = 'S'
    JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
    JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
    ORDER BY t.oid, a.attnum";

/// What tables inherit and the partitions that they have, by level.
const LAYOUTS: &str = "SELECT t.oid::text,
    (SELECT coalesce(json_agg(json_build_array(n.nspname, c.relname) ORDER BY i.inhseqno), '[]')::text
     FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhparent
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE i.inhrelid = t.oid),
    pg_catalog.pg_get_partkeydef(t.oid),
    (SELECT coalesce(json_agg(json_build_array(n.nspname, c.relname,
        CASE WHEN p.parentrelid = t.oid THEN NULL ELSE pn.nspname END, pc.relname,
        pg_catalog.pg_get_expr(c.relpartbound, c.oid), pg_catalog.pg_get_partkeydef(c.oid))
        ORDER BY p.level, n.nspname, c.relname), '[]')::text
     FROM pg_catalog.pg_partition_tree(t.oid) p JOIN pg_catalog.pg_class c ON c.oid = p.relid
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_catalog.pg_class pc ON pc.oid = p.parentrelid JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace
     WHERE t.relkind = 'p' AND p.level > 0)
    FROM tables t WHERE t.relkind = 'p' OR EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = t.oid)";

/// Row and statement triggers of users; those that a foreign key or a deferred key is made of are the server's.
const TRIGGERS: &str = "SELECT t.oid::text, g.tgname::text, g.tgtype::int::text, g.tgenabled::text, p.prosrc
    FROM tables t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
    JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
    ORDER BY t.oid, g.tgname";

/// The columns of which CHECK constraints speak, those of their types (domains, over domains maybe) included.
const CHECKED: &str = "SELECT t.oid::text, a.attname::text FROM tables t
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
    WHERE y.typtype = 'd' OR EXISTS (SELECT FROM pg_catalog.pg_constraint c
        WHERE c.conrelid = t.oid AND c.contype = 'c' AND (a.attnum = ANY (c.conkey) OR c.conkey IS NULL OR 0 = ANY (c.conkey)))
    ORDER BY t.oid, a.attnum";

/// Schemas that are not the server's own and that the role may look into.
const SCHEMAS: &str = "SELECT n.nspname::text FROM pg_catalog.pg_namespace n
    WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
      AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') ORDER BY n.nspname";

/// See [`Engine::dependents`](crate::engine::Engine::dependents). The tables are named with their schemas.
pub(super) async fn dependents(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Vec<Dependent>, EngineError> {
    let names = tables.iter().map(|table| {
        format!(
            "({}, {})",
            text_literal(table.schema.as_deref().unwrap_or_default()),
            text_literal(&table.name)
        )
    });
    let names: Vec<String> = names.collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let found = rows(connection, &DEPENDENTS.replace("$tables", &names.join(", ")), DOING).await?;
    let dependent = |row: &PgRow| {
        let table = TableName::qualified(required(row, 0)?, required(row, 10)?);
        Ok(Dependent { table, key: foreign_key(row)? })
    };
    found.iter().map(dependent).collect()
}

/// The schemas that a catalog can be read of.
pub(super) async fn schemas(connection: &mut PgConnection) -> Result<Vec<Option<String>>, EngineError> {
    rows(connection, SCHEMAS, DOING).await?.iter().map(|row| required(row, 0).map(Some)).collect()
}

/// Reads the catalog in one transaction.
pub(super) async fn catalog(
    connection: &mut PgConnection,
    schemas: &[Option<String>],
) -> Result<Catalog, EngineError> {
    run(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", DOING).await?;
    let catalog = read(connection, schemas).await;
    run(connection, "ROLLBACK", DOING).await?;
    catalog
}

/// As [`catalog`], in the transaction that the session is in.
pub(super) async fn read(
    connection: &mut PgConnection,
    schemas: &[Option<String>],
) -> Result<Catalog, EngineError> {
    let found = rows(connection, "SELECT current_schema()::text", DOING).await?;
    let default_schema = found.first().map(|row| text(row, 0)).transpose()?.flatten();
    let list = schema_list(schemas, default_schema.as_deref())?;
    let query = |body: &str| TABLES.replace("$schemas", &list) + body;
    let mut tables = Vec::new();
    let mut places = HashMap::new();
    for row in rows(connection, &query(TABLE_ROWS), DOING).await? {
        places.insert(required(&row, 0)?, tables.len());
        tables.push(table(&row)?);
    }
    let mut each = |row: &PgRow, add: &mut dyn FnMut(&mut Table) -> Result<(), EngineError>| {
        let place = places.get(&required(row, 0)?).copied();
        place.and_then(|place| tables.get_mut(place)).map_or(Ok(()), add)
    };
    let types = user_types(connection).await?;
    for row in rows(connection, &query(COLUMNS), DOING).await? {
        let column = column(&row, &types)?;
        each(&row, &mut |table| {
            table.columns.push(column.clone());
            Ok(())
        })?;
    }
    for row in rows(connection, &query(numbers::NUMBERS), DOING).await? {
        each(&row, &mut |table| numbers::add(&row, table))?;
    }
    for row in rows(connection, &query(KEYS), DOING).await? {
        each(&row, &mut |table| {
            table.keys.push(UniqueKey {
                name: required(&row, 1)?,
                columns: names(&row, 4)?,
                primary: required(&row, 2)? == "true",
                total: required(&row, 3)? == "true",
                deferrable: required(&row, 5)? == "false",
            });
            Ok(())
        })?;
    }
    for row in rows(connection, &query(UNIQUE_INDEXES), DOING).await? {
        each(&row, &mut |table| {
            table.unique_indexes.push(unique_index(&row)?);
            Ok(())
        })?;
    }
    for row in rows(connection, &query(FOREIGN_KEYS), DOING).await? {
        each(&row, &mut |table| {
            table.foreign_keys.push(foreign_key(&row)?);
            Ok(())
        })?;
    }
    for row in rows(connection, &query(SEQUENCES), DOING).await? {
        each(&row, &mut |table| {
            table.sequences.push(sequence(&row)?);
            Ok(())
        })?;
    }
    for row in rows(connection, &query(LAYOUTS), DOING).await? {
        each(&row, &mut |table| {
            table.layout = layout(&row)?;
            Ok(())
        })?;
    }
    for row in rows(connection, &query(TRIGGERS), DOING).await? {
        each(&row, &mut |table| {
            table.triggers.push(trigger(&row)?);
            Ok(())
        })?;
    }
    for row in rows(connection, &query(CHECKED), DOING).await? {
        each(&row, &mut |table| {
            table.checked.push(required(&row, 1)?);
            Ok(())
        })?;
    }
    for (sql, read) in attachments::QUERIES {
        for row in rows(connection, &query(sql), DOING).await? {
            each(&row, &mut |table| {
                let mut attachment = read(&row)?;
                attachment.name_made_up = attachments::is_made_up(&attachment, &table.name.name);
                table.attachments.push(attachment);
                Ok(())
            })?;
        }
    }
    let mut names = BTreeSet::new();
    for row in rows(connection, TYPE_NAMES, DOING).await? {
        names.insert(required(&row, 0)?);
    }
    let enums = enums::read(connection).await?;
    let mut extensions = BTreeMap::new();
    for row in rows(connection, EXTENSION_TYPES, DOING).await? {
        extensions.insert(required(&row, 0)?, required(&row, 1)?);
    }
    let (tables, types, problems) = (tables.into(), Some(names), BTreeMap::new());
    Ok(Catalog { default_schema, tables, folding: Folding::None, types, enums, extensions, problems })
}

fn schema_list(schemas: &[Option<String>], default: Option<&str>) -> Result<String, EngineError> {
    let mut list: Vec<String> =
        schemas.iter().filter_map(|schema| schema.as_deref().or(default)).map(text_literal).collect();
    list.sort();
    list.dedup();
    if list.is_empty() && !schemas.is_empty() {
        let message =
            format!("{DOING}: no schema of the search path exists, or the login has no right to any");
        return Err(EngineError::new(ErrorKind::Missing, message)
            .hint("name the schema in the tables, or set `search_path` of this side"));
    }
    Ok(if list.is_empty() { "NULL".to_owned() } else { list.join(", ") })
}

pub(super) fn text_literal(name: &str) -> String {
    format!("E'{}'", name.replace('\\', "\\\\").replace('\'', "''"))
}

pub(super) fn required(row: &PgRow, index: usize) -> Result<String, EngineError> {
    text(row, index)?.ok_or_else(|| EngineError::new(ErrorKind::Internal, format!("{DOING}: a name is NULL")))
}

pub(super) fn names(row: &PgRow, index: usize) -> Result<Vec<String>, EngineError> {
    let json = required(row, index)?;
    serde_json::from_str(&json)
        .map_err(|why| EngineError::new(ErrorKind::Internal, format!("{DOING}: a list of names")).said(why))
}

fn table(row: &PgRow) -> Result<Table, EngineError> {
    let hidden = required(row, 4)? == "true";
    let hidden = hidden.then(|| "row-level security may hide rows from this login".to_owned());
    Ok(Table {
        name: TableName::qualified(required(row, 1)?, required(row, 2)?),
        columns: Vec::new(),
        keys: Vec::new(),
        unique_indexes: Vec::new(),
        foreign_keys: Vec::new(),
        sequences: Vec::new(),
        attachments: Vec::new(),
        stored: Default::default(),
        options: None,
        triggers: Vec::new(),
        checked: Vec::new(),
        layout: Default::default(),
        rows_estimate: text(row, 3)?.and_then(|rows| rows.parse().ok()),
        hidden_rows: hidden,
    })
}

fn unique_index(row: &PgRow) -> Result<UniqueIndex, EngineError> {
    let listed: Vec<(String, Option<String>)> = serde_json::from_str(&required(row, 6)?)
        .map_err(|why| EngineError::new(ErrorKind::Internal, format!("{DOING}: an index")).said(why))?;
    let part = |(sql, alike): &(String, Option<String>)| {
        let alike = match alike.as_deref()? {
            "text" => Alike::Text,
            "number" => Alike::Number,
            "float" => Alike::Float,
            _ => Alike::Printed,
        };
        Some(IndexPart { sql: sql.clone(), alike })
    };
    let excludes = required(row, 4)? == "true";
    let parts: Option<Vec<IndexPart>> = listed.iter().map(part).collect();
    let parts = parts.filter(|_| !excludes);
    let why =
        if excludes { "it is an exclusion constraint" } else { "it is over values of a type of its own" };
    Ok(UniqueIndex {
        name: required(row, 1)?,
        untold: parts.is_none().then(|| why.to_owned()),
        parts: parts.unwrap_or_default(),
        condition: text(row, 2)?,
        nulls_are_one: required(row, 3)? == "true",
        columns: names(row, 5)?,
    })
}

fn foreign_key(row: &PgRow) -> Result<ForeignKey, EngineError> {
    let action = |code: String| match code.as_str() {
        "c" => ForeignKeyAction::Cascade,
        "n" => ForeignKeyAction::SetNull,
        "d" => ForeignKeyAction::SetDefault,
        "r" => ForeignKeyAction::Restrict,
        _ => ForeignKeyAction::NoAction,
    };
    Ok(ForeignKey {
        name: required(row, 1)?,
        columns: names(row, 6)?,
        table: TableName::qualified(required(row, 2)?, required(row, 3)?),
        referenced: names(row, 7)?,
        on_delete: action(required(row, 4)?),
        on_update: action(required(row, 5)?),
        deferrable: required(row, 8)? == "true",
        whole: required(row, 9)? == "f",
    })
}

/// What is told of a partition: its name, its parent's, its bounds, how it is cut itself.
type ToldPartition = (String, String, Option<String>, String, String, Option<String>);

fn layout(row: &PgRow) -> Result<Layout, EngineError> {
    let wrong = |why: serde_json::Error| {
        EngineError::new(ErrorKind::Internal, format!("{DOING}: a partition")).said(why)
    };
    let inherits: Vec<(String, String)> = serde_json::from_str(&required(row, 1)?).map_err(wrong)?;
    let told: Vec<ToldPartition> = serde_json::from_str(&required(row, 3)?).map_err(wrong)?;
    let partition = |(schema, name, parent_schema, parent, bounds, by): ToldPartition| Partition {
        name: TableName::qualified(schema, name),
        parent: parent_schema.map(|schema| TableName::qualified(schema, parent)),
        bounds,
        by,
    };
    Ok(Layout {
        inherits: inherits.into_iter().map(|(schema, name)| TableName::qualified(schema, name)).collect(),
        by: text(row, 2)?,
        partitions: told.into_iter().map(partition).collect(),
    })
}

fn trigger(row: &PgRow) -> Result<Trigger, EngineError> {
    let kind: u32 = required(row, 2)?.parse().unwrap_or(0);
    let events = [(4, RowEvent::Insert), (16, RowEvent::Update), (8, RowEvent::Delete)];
    Ok(Trigger {
        name: required(row, 1)?,
        timing: if kind & 2 == 0 { "AFTER" } else { "BEFORE" }.to_owned(),
        events: events.into_iter().filter(|(bit, _)| kind & bit != 0).map(|(_, event)| event).collect(),
        fires: matches!(required(row, 3)?.as_str(), "O" | "A"),
        body: text(row, 4)?.unwrap_or_default(),
    })
}

fn sequence(row: &PgRow) -> Result<Sequence, EngineError> {
    let number = |index| required(row, index).map(|text| text.parse::<i64>().unwrap_or(1));
    Ok(Sequence {
        column: required(row, 1)?,
        name: Some(TableName::qualified(required(row, 2)?, required(row, 3)?)),
        increment: number(4)?,
        min: number(5)?.into(),
        max: number(6)?.into(),
        cycles: required(row, 7)? == "true",
        start: None,
        hidden: match required(row, 8)?.as_str() {
            "true" => None,
            _ => Some(format!("GRANT SELECT ON SEQUENCE {}", required(row, 9)?)),
        },
    })
}

/// A type of a user that means something else than itself.
#[derive(Clone, Debug)]
enum UserType {
    /// Another type, with that one's modifier.
    Domain {
        base: i64,
        modifier: i64,
        not_null: bool,
    },
    Enum(Vec<String>),
    /// `citext`.
    WithoutCase,
}

/// By OID.
type UserTypes = HashMap<i64, UserType>;

async fn user_types(connection: &mut PgConnection) -> Result<UserTypes, EngineError> {
    let mut types = UserTypes::new();
    for row in rows(connection, TYPES, DOING).await? {
        let number = |index| required(&row, index).map(|text| text.parse::<i64>().unwrap_or(-1));
        let user_type = match required(&row, 1)?.as_str() {
            "d" => UserType::Domain {
                base: number(2)?,
                modifier: number(3)?,
                not_null: required(&row, 4)? == "true",
            },
            "e" if text(&row, 5)?.is_none() => UserType::Enum(Vec::new()),
            "e" => UserType::Enum(names(&row, 5)?),
            _ => UserType::WithoutCase,
        };
        types.insert(number(0)?, user_type);
    }
    Ok(types)
}

/// What a column's type comes down to.
struct Resolved {
    meaning: Type,
    /// A domain on the way takes no NULL.
    not_null: bool,
    without_case: bool,
}

/// Follows domains to what they are over; only the innermost has a modifier.
fn resolve(oid: i64, modifier: i64, types: &UserTypes) -> Resolved {
    let mut resolved = Resolved { meaning: Type::Other, not_null: false, without_case: false };
    let (mut oid, mut modifier) = (oid, modifier);
    while let Some(UserType::Domain { base, modifier: own, not_null }) = types.get(&oid) {
        resolved.not_null |= not_null;
        (oid, modifier) = (*base, *own);
    }
    resolved.meaning = match types.get(&oid) {
        Some(UserType::Enum(members)) => Type::Enum { members: members.clone() },
        Some(UserType::WithoutCase) => {
            resolved.without_case = true;
            Type::Text { chars_max: None, fixed: false }
        }
        _ => meaning(oid, modifier),
    };
    resolved
}

fn column(row: &PgRow, types: &UserTypes) -> Result<Column, EngineError> {
    let number = |index| required(row, index).map(|text| text.parse::<i64>().unwrap_or(-1));
    let Resolved { meaning, not_null, without_case } = resolve(number(3)?, number(4)?, types);
    let generated = match required(row, 7)?.as_str() {
        "s" => Some(Generated::Stored),
        "v" => Some(Generated::Virtual),
        _ => None,
    };
    let expression = text(row, 8)?.filter(|_| generated.is_none());
    let serial = required(row, 9)? == "true";
    let identity = match required(row, 6)?.as_str() {
        "a" => Some(Identity::Always),
        "d" => Some(Identity::ByDefault),
        _ if serial && expression.as_deref().is_some_and(is_nextval) => Some(Identity::ByDefault),
        _ => None,
    };
    let expression = expression.filter(|_| identity.is_none());
    let words = ColumnWords {
        // What draws from a sequence of the database's own says nothing to another one.
        default: expression.clone().filter(|text| !text.contains("nextval(")),
        generated: text(row, 8)?.filter(|_| generated.is_some()),
        collation: text(row, 11)?,
        ..ColumnWords::default()
    };
    let default = expression.map(|text| default(&text, &meaning));
    Ok(Column {
        name: required(row, 1)?,
        column_type: ColumnType::new(required(row, 2)?, meaning),
        nullable: required(row, 5)? != "true" && !not_null,
        default,
        generated,
        identity,
        collation: if without_case { Some("citext".to_owned()) } else { text(row, 10)? },
        words,
    })
}

fn is_nextval(expression: &str) -> bool {
    expression.starts_with("nextval('") && expression.ends_with("'::regclass)")
}

/// Built-in types by OID (src/include/catalog/pg_type.dat). What is not listed prints exactly; what is `Other`
/// needs an expression of its own to do so, or prints by settings of its database.
fn meaning(oid: i64, modifier: i64) -> Type {
    // text-like modifiers count their own four bytes.
    let length = u64::try_from(modifier - 4).ok().filter(|_| modifier >= 4);
    let digits = u8::try_from(modifier).unwrap_or(6).min(6);
    let integer = |bytes| Type::Integer { bytes, unsigned: false };
    match oid {
        16 => Type::Boolean,
        // "char", money; regproc and the others that print a name by the search path.
        18 | 790 | 24 | 2202..=2206 | 3734 | 3769 | 4191 => Type::Other,
        17 => Type::Bytes { bytes_max: None, fixed: false },
        20 => integer(8),
        21 => integer(2),
        23 => integer(4),
        25 => Type::Text { chars_max: None, fixed: false },
        26 => Type::Integer { bytes: 4, unsigned: true },
        114 => Type::JsonText,
        700 => Type::Float32,
        701 => Type::Float64,
        869 => Type::Address { v4: true, v6: true, prefix: true },
        // `bpchar` alone keeps the blanks it was given.
        1042 if length.is_none() => Type::Other,
        1042 => Type::Text { chars_max: length, fixed: true },
        1043 => Type::Text { chars_max: length, fixed: false },
        1082 => Type::Date,
        1083 => Type::Time { digits },
        1114 => Type::DateTime { digits },
        1184 => Type::Instant { digits },
        1560 if modifier > 0 => Type::Bits { length: modifier as u32 },
        1700 if modifier >= 4 => {
            let packed = modifier - 4;
            // Eleven bits with a sign, since version 15; before, the same bits were never negative.
            let scale = ((packed & 0x7ff) ^ 1024) - 1024;
            Type::Decimal { precision: Some(((packed >> 16) & 0xffff) as u32), scale: Some(scale as i32) }
        }
        1700 => Type::Decimal { precision: None, scale: None },
        2950 => Type::Uuid,
        3802 => Type::Json,
        _ => Type::Printed,
    }
}

/// A default as `pg_get_expr` prints it: a literal where it certainly is one.
fn default(expression: &str, meaning: &Type) -> DefaultKind {
    literal_default(expression, meaning).unwrap_or_else(|| DefaultKind::Expression(expression.to_owned()))
}

fn literal_default(expression: &str, meaning: &Type) -> Option<DefaultKind> {
    let numeric =
        matches!(meaning, Type::Integer { .. } | Type::Decimal { .. } | Type::Float32 | Type::Float64);
    match expression {
        "true" | "false" => return Some(DefaultKind::Literal(LiteralDefault::Boolean(expression == "true"))),
        _ => {}
    }
    let number = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && digits.matches('.').count() <= 1;
        is_number.then(|| DefaultKind::Literal(LiteralDefault::Number(text.to_owned())))
    };
    let bare = expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(expression);
    if let Some(found) = number(bare).filter(|_| numeric) {
        return Some(found);
    }
    if expression == "NULL" || expression.strip_prefix("NULL::").is_some_and(is_type_name) {
        return Some(DefaultKind::Null);
    }
    let (content, cast) = quoted(expression)?;
    match cast {
        Some(cast) if !is_type_name(cast) => None,
        // An integer's or numeric's cast may round, so only one to the column's own kind is a literal.
        _ if numeric => {
            number(&content).filter(|_| !content.contains('.') || !matches!(meaning, Type::Integer { .. }))
        }
        _ => Some(DefaultKind::Literal(LiteralDefault::Text(content))),
    }
}

/// A leading `'…'` or `E'…'` without its quotes, and the type it is cast to; `None` if anything else follows.
fn quoted(expression: &str) -> Option<(String, Option<&str>)> {
    let (escapes, rest) = match expression.strip_prefix("E'") {
        Some(rest) => (true, rest),
        None => (false, expression.strip_prefix('\'')?),
    };
    let mut content = String::new();
    let mut characters = rest.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            '\'' if characters.peek().is_some_and(|(_, next)| *next == '\'') => {
                characters.next();
                content.push('\'');
            }
            '\'' => {
                let after = &rest[at + 1..];
                return match after.strip_prefix("::") {
                    Some(cast) => Some((content, Some(cast))),
                    None if after.is_empty() => Some((content, None)),
                    None => None,
                };
            }
            // pg_get_expr escapes nothing but backslashes.
            '\\' if escapes => content.push(characters.next()?.1),
            c => content.push(c),
        }
    }
    None
}

/// `character varying(40)`, `"My"."Type"`, `integer[]`: a type alone, no further cast or operator.
fn is_type_name(text: &str) -> bool {
    !text.contains("::") && !text.contains('\'') && {
        let plain =
            |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '"' | '.' | '(' | ')' | ',' | '[' | ']');
        text.chars().all(plain) && !text.contains(" COLLATE ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> LiteralDefault {
        LiteralDefault::Text(text.to_owned())
    }

    #[test]
    fn literal_defaults_are_told_from_expressions() {
        let text = Type::Text { chars_max: None, fixed: false };
        let integer = Type::Integer { bytes: 4, unsigned: false };
        let cases = [
            ("'a''b'::text", &text, Some(literal("a'b"))),
            ("'x'::character varying", &text, Some(literal("x"))),
            ("E'a\\\\b'::text", &text, Some(literal("a\\b"))),
            ("('a'::text || 'b'::text)", &text, None),
            ("'5'::text::integer", &integer, None),
            ("5", &integer, Some(LiteralDefault::Number("5".into()))),
            ("'-5'::integer", &integer, Some(LiteralDefault::Number("-5".into()))),
            ("(-5)", &integer, Some(LiteralDefault::Number("-5".into()))),
            ("(5 + 1)", &integer, None),
            ("true", &Type::Boolean, Some(LiteralDefault::Boolean(true))),
            ("now()", &Type::Instant { digits: 6 }, None),
            ("CURRENT_DATE", &Type::Date, None),
            ("'2024-01-01'::date", &Type::Date, Some(literal("2024-01-01"))),
            ("lower('A'::text)", &text, None),
        ];
        for (expression, meaning, expected) in cases {
            let expected = match expected {
                Some(literal) => DefaultKind::Literal(literal),
                None => DefaultKind::Expression(expression.to_owned()),
            };
            assert_eq!(default(expression, meaning), expected, "{expression}");
        }
        assert_eq!(default("NULL::character varying", &text), DefaultKind::Null);
    }

    #[test]
    fn modifiers_become_limits() {
        assert_eq!(meaning(1043, 44), Type::Text { chars_max: Some(40), fixed: false });
        assert_eq!(meaning(1700, (12 << 16) + 2 + 4), Type::Decimal { precision: Some(12), scale: Some(2) });
        assert_eq!(
            meaning(1700, (5 << 16) + 2046 + 4),
            Type::Decimal { precision: Some(5), scale: Some(-2) }
        );
        assert_eq!(meaning(1184, 3), Type::Instant { digits: 3 });
        assert_eq!(meaning(1114, -1), Type::DateTime { digits: 6 });
        assert_eq!(meaning(1186, -1), Type::Printed);
        assert_eq!(meaning(1560, 3), Type::Bits { length: 3 });
        assert_eq!(meaning(1042, -1), Type::Other);
    }
}
