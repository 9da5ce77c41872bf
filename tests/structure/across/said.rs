//! What an engine itself says of its tables, in words that all share.

use std::collections::BTreeSet;

use crate::servers::{Database, Engine};

const POSTGRES: &str = "
SELECT CASE WHEN x.indisprimary THEN 'primary ' WHEN x.indisunique THEN 'unique ' ELSE 'index ' END || t.relname || ' (' ||
       (SELECT string_agg(a.attname || CASE WHEN x.indoption[k - 1] & 1 = 1 THEN ' DESC' ELSE '' END, ', ' ORDER BY k)
        FROM generate_series(1, x.indnkeyatts) k JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[k - 1]) || ')'
FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid WHERE t.relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'foreign ' || t.relname || ' (' ||
       (SELECT string_agg(a.attname, ', ' ORDER BY o) FROM unnest(f.conkey) WITH ORDINALITY k(n, o)
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = n) || ') -> ' || p.relname || ' (' ||
       (SELECT string_agg(a.attname, ', ' ORDER BY o) FROM unnest(f.confkey) WITH ORDINALITY k(n, o)
        JOIN pg_attribute a ON a.attrelid = p.oid AND a.attnum = n) || ') ' || translate(f.confdeltype::text || f.confupdtype::text, 'r', 'a')
FROM pg_constraint f JOIN pg_class t ON t.oid = f.conrelid JOIN pg_class p ON p.oid = f.confrelid WHERE f.contype = 'f'
UNION ALL
SELECT 'null ' || t.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid
WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped AND NOT a.attnotnull";

const MARIADB: &str = "
SELECT CONCAT(CASE WHEN index_name = 'PRIMARY' THEN 'primary ' WHEN MAX(non_unique) = 0 THEN 'unique ' ELSE 'index ' END,
       table_name, ' (', GROUP_CONCAT(column_name, CASE WHEN collation = 'D' THEN ' DESC' ELSE '' END
       ORDER BY seq_in_index SEPARATOR ', '), ')')
FROM information_schema.statistics WHERE table_schema = database() GROUP BY table_name, index_name
UNION ALL
SELECT CONCAT('foreign ', k.table_name, ' (', GROUP_CONCAT(k.column_name ORDER BY k.ordinal_position SEPARATOR ', '), ') -> ',
       k.referenced_table_name, ' (', GROUP_CONCAT(k.referenced_column_name ORDER BY k.ordinal_position SEPARATOR ', '), ') ',
       CASE r.delete_rule WHEN 'CASCADE' THEN 'c' WHEN 'SET NULL' THEN 'n' ELSE 'a' END,
       CASE r.update_rule WHEN 'CASCADE' THEN 'c' WHEN 'SET NULL' THEN 'n' ELSE 'a' END)
FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r
     ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name
WHERE k.table_schema = database() AND k.referenced_table_name IS NOT NULL
GROUP BY k.table_name, k.constraint_name, k.referenced_table_name, r.delete_rule, r.update_rule
UNION ALL
SELECT CONCAT('null ', table_name, '.', column_name) FROM information_schema.columns
WHERE table_schema = database() AND is_nullable = 'YES'";

const SQLITE: &str = "
WITH t AS (SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%')
SELECT 'primary ' || t.name || ' (' || (SELECT group_concat(c.name, ', ' ORDER BY c.pk) FROM pragma_table_info(t.name) c
       WHERE c.pk > 0) || ')' FROM t WHERE EXISTS (SELECT 1 FROM pragma_table_info(t.name) c WHERE c.pk > 0)
UNION ALL
SELECT CASE WHEN i.\"unique\" THEN 'unique ' ELSE 'index ' END || t.name || ' (' ||
       (SELECT group_concat(x.name || CASE WHEN x.desc THEN ' DESC' ELSE '' END, ', ' ORDER BY x.seqno)
        FROM pragma_index_xinfo(i.name) x WHERE x.key) || ')'
FROM t, pragma_index_list(t.name) i WHERE i.origin <> 'pk'
UNION ALL
SELECT 'foreign ' || t.name || ' (' || group_concat(f.\"from\", ', ' ORDER BY f.seq) || ') -> ' || f.\"table\" || ' (' ||
       group_concat(f.\"to\", ', ' ORDER BY f.seq) || ') ' ||
       CASE f.on_delete WHEN 'CASCADE' THEN 'c' WHEN 'SET NULL' THEN 'n' ELSE 'a' END ||
       CASE f.on_update WHEN 'CASCADE' THEN 'c' WHEN 'SET NULL' THEN 'n' ELSE 'a' END
FROM t, pragma_foreign_key_list(t.name) f GROUP BY t.name, f.id
UNION ALL
SELECT 'null ' || t.name || '.' || c.name FROM t, pragma_table_info(t.name) c WHERE c.\"notnull\" = 0 AND c.pk = 0";

/// Keys, indexes and foreign keys of all tables, and the columns that take NULL.
pub fn said(database: &Database) -> BTreeSet<String> {
    let sql = match database.engine {
        Engine::Postgres => POSTGRES,
        Engine::Mariadb => MARIADB,
        Engine::Sqlite => SQLITE,
    };
    let lines = database.query(sql).into_iter().filter_map(|row| row[0].clone());
    lines.filter(|line| !line.is_empty()).collect()
}
