//! What tables have besides columns: keys, indexes, checks, foreign keys and comments, each read with one query for
//! all tables.
//!
//! Owns what of an index or a constraint is told apart; refuses to reprint what the server prints (expressions and
//! conditions are its own text). The invariant: what is described is made again by the same description.

use sqlx::postgres::PgRow;

use super::super::EngineError;
use super::introspect::{DOING, names, required};
use super::text;
use crate::failure::ErrorKind;
use crate::sql::{Attachment, AttachmentKind, AttachmentPart, TableName, Target};

/// Indexes, those of constraints included, but for the exclusion constraints'. An operator class is told where it is not
/// the one that the column's type takes by itself, a collation where it is not the column's.
const INDEXES: &str = "SELECT t.oid::text, i.relname::text, x.indisprimary::text, x.indisunique::text,
    (x.indisvalid AND x.indisready)::text, (c.oid IS NOT NULL)::text, m.amname::text,
    pg_catalog.pg_get_expr(x.indpred, x.indrelid),
    (SELECT json_agg(json_build_array(a.attname,
        CASE WHEN x.indkey[k.place - 1] = 0 THEN pg_catalog.pg_get_indexdef(x.indexrelid, k.place::int, false) END,
        CASE WHEN x.indcollation[k.place - 1] <> 0 AND (a.attnum IS NULL OR x.indcollation[k.place - 1] <> a.attcollation)
             THEN ' COLLATE ' || quote_ident(ln.nspname) || '.' || quote_ident(l.collname) ELSE '' END
        || CASE WHEN o.opcdefault AND own.attoptions IS NULL AND (o.opcintype = y.oid
                     OR y.oid = 1043 AND o.opcintype = 25 OR oy.typtype = 'p') THEN ''
                ELSE ' ' || quote_ident(n.nspname) || '.' || quote_ident(o.opcname)
                     || coalesce(' (' || array_to_string(own.attoptions, ', ') || ')', '') END
        || CASE WHEN x.indoption[k.place - 1] & 3 = 3 THEN ' DESC' WHEN x.indoption[k.place - 1] & 3 = 1 THEN ' DESC NULLS LAST'
                WHEN x.indoption[k.place - 1] & 3 = 2 THEN ' NULLS FIRST' ELSE '' END) ORDER BY k.place)::text
     FROM generate_series(1, x.indnkeyatts) k(place)
     JOIN pg_catalog.pg_attribute own ON own.attrelid = x.indexrelid AND own.attnum = k.place
     JOIN pg_catalog.pg_type owned ON owned.oid = own.atttypid
     JOIN pg_catalog.pg_type y ON y.oid = CASE owned.typtype WHEN 'd' THEN owned.typbasetype ELSE owned.oid END
     JOIN pg_catalog.pg_opclass o ON o.oid = x.indclass[k.place - 1]
     JOIN pg_catalog.pg_type oy ON oy.oid = o.opcintype
     JOIN pg_catalog.pg_namespace n ON n.oid = o.opcnamespace
     LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[k.place - 1] AND a.attnum > 0
     LEFT JOIN pg_catalog.pg_collation l ON l.oid = x.indcollation[k.place - 1]
     LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace),
    (SELECT coalesce(json_agg(a.attname ORDER BY k.place), '[]')::text
     FROM generate_series(x.indnkeyatts + 1, x.indnatts) k(place)
     JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[k.place - 1]),
    CASE WHEN coalesce(to_jsonb(x) ->> 'indnullsnotdistinct', 'false') = 'true' THEN ' NULLS NOT DISTINCT' ELSE '' END,
    coalesce(' WITH (' || (SELECT string_agg(setting, ', ' ORDER BY setting) FROM unnest(i.reloptions) setting) || ')', ''),
    CASE WHEN c.condeferred THEN ' DEFERRABLE INITIALLY DEFERRED' WHEN c.condeferrable THEN ' DEFERRABLE' ELSE '' END,
    (SELECT coalesce(json_agg(a.attname ORDER BY a.attnum), '[]')::text FROM pg_catalog.pg_attribute a
     WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND (a.attnum = ANY (x.indkey::int2[])
        OR EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass
            AND d.objid = x.indexrelid AND d.refclassid = 'pg_catalog.pg_class'::regclass
            AND d.refobjid = t.oid AND d.refobjsubid = a.attnum)))
    FROM tables t JOIN pg_catalog.pg_index x ON x.indrelid = t.oid
    JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
    JOIN pg_catalog.pg_am m ON m.oid = i.relam
    LEFT JOIN pg_catalog.pg_constraint c ON c.conindid = x.indexrelid AND c.conrelid = t.oid AND c.contype IN ('p', 'u')
    WHERE NOT x.indisexclusion
    ORDER BY t.oid, NOT x.indisprimary, i.relname";

/// Checks and exclusion constraints in the server's words.
const CHECKS: &str = "SELECT t.oid::text, c.conname::text, pg_catalog.pg_get_constraintdef(c.oid),
    (SELECT coalesce(json_agg(a.attname ORDER BY a.attnum), '[]')::text FROM pg_catalog.pg_attribute a
     WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND (a.attnum = ANY (c.conkey)
        OR EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid IN (c.oid, c.conindid) AND d.refobjid = t.oid
            AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid = a.attnum))),
    c.convalidated::text
    FROM tables t JOIN pg_catalog.pg_constraint c ON c.conrelid = t.oid AND c.contype IN ('c', 'x')
    ORDER BY t.oid, c.conname";

const FOREIGN_KEYS: &str = "SELECT t.oid::text, f.conname::text, n.nspname::text, r.relname::text,
    (SELECT json_agg(a.attname ORDER BY k.place)::text FROM unnest(f.conkey) WITH ORDINALITY k(number, place)
     JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number),
    (SELECT json_agg(a.attname ORDER BY k.place)::text FROM unnest(f.confkey) WITH ORDINALITY k(number, place)
     JOIN pg_catalog.pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.number),
    CASE f.confmatchtype WHEN 'f' THEN ' MATCH FULL' ELSE '' END
    || CASE f.confupdtype WHEN 'c' THEN ' ON UPDATE CASCADE' WHEN 'n' THEN ' ON UPDATE SET NULL'
        WHEN 'd' THEN ' ON UPDATE SET DEFAULT' WHEN 'r' THEN ' ON UPDATE RESTRICT' ELSE '' END
    || CASE f.confdeltype WHEN 'c' THEN ' ON DELETE CASCADE' WHEN 'n' THEN ' ON DELETE SET NULL'
        WHEN 'd' THEN ' ON DELETE SET DEFAULT' WHEN 'r' THEN ' ON DELETE RESTRICT' ELSE '' END
    || coalesce((SELECT ' (' || string_agg(quote_ident(a.attname), ', ' ORDER BY s.place) || ')'
        FROM jsonb_array_elements_text(nullif(to_jsonb(f) -> 'confdelsetcols', 'null'::jsonb)) WITH ORDINALITY s(number, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = s.number::int), '')
    || CASE WHEN f.condeferred THEN ' DEFERRABLE INITIALLY DEFERRED' WHEN f.condeferrable THEN ' DEFERRABLE' ELSE '' END
    || CASE WHEN to_jsonb(f) ->> 'conenforced' = 'false' THEN ' NOT ENFORCED' ELSE '' END,
    f.convalidated::text
    FROM tables t JOIN pg_catalog.pg_constraint f ON f.conrelid = t.oid AND f.contype = 'f' AND f.conparentid = 0
    JOIN pg_catalog.pg_class r ON r.oid = coalesce(pg_catalog.pg_partition_root(f.confrelid)::oid, f.confrelid)
    JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
    ORDER BY t.oid, f.conname";

/// Comments of tables and columns.
const COMMENTS: &str = "SELECT t.oid::text, a.attname::text, d.description
    FROM tables t JOIN pg_catalog.pg_description d ON d.objoid = t.oid AND d.classoid = 'pg_catalog.pg_class'::regclass
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.objsubid AND d.objsubid > 0
    WHERE d.objsubid = 0 OR a.attnum IS NOT NULL
    ORDER BY t.oid, d.objsubid";

type Reader = fn(&PgRow) -> Result<Attachment, EngineError>;

/// The queries behind the tables, and what reads their rows.
pub(super) const QUERIES: [(&str, Reader); 4] =
    [(INDEXES, index), (CHECKS, check), (FOREIGN_KEYS, foreign_key), (COMMENTS, comment)];

/// What is told of a part of an index: the column's name or its expression, and the rest.
type ToldPart = (Option<String>, Option<String>, String);

fn index(row: &PgRow) -> Result<Attachment, EngineError> {
    let told: Vec<ToldPart> = serde_json::from_str(&required(row, 8)?)
        .map_err(|why| EngineError::new(ErrorKind::Internal, format!("{DOING}: an index")).said(why))?;
    let part = |(name, expression, suffix): ToldPart| match (name, expression) {
        (Some(name), None) => AttachmentPart::Column { name, suffix },
        (_, expression) => {
            AttachmentPart::Expression(format!("({}){suffix}", expression.unwrap_or_default()))
        }
    };
    let (is_primary, is_unique) = (required(row, 2)? == "true", required(row, 3)? == "true");
    let (of_constraint, nulls) = (required(row, 5)? == "true", required(row, 10)?);
    let (storage, timing) = (required(row, 11)?, required(row, 12)?);
    let kind = match (is_primary, is_unique) {
        (true, _) => AttachmentKind::PrimaryKey,
        (_, true) => AttachmentKind::Unique,
        _ => AttachmentKind::Index,
    };
    let (method, rest) = match (is_primary, of_constraint) {
        (true, _) => ("PRIMARY KEY".to_owned(), format!("{storage}{timing}")),
        (_, true) => (format!("UNIQUE{nulls}"), format!("{storage}{timing}")),
        _ => (format!("USING {}", required(row, 6)?), format!("{nulls}{storage}")),
    };
    Ok(Attachment {
        method,
        parts: told.into_iter().map(part).collect(),
        included: names(row, 9)?,
        condition: text(row, 7)?,
        rest,
        columns: names(row, 13)?,
        valid: required(row, 4)? == "true",
        ..Attachment::over(kind, required(row, 1)?, &[])
    })
}

fn check(row: &PgRow) -> Result<Attachment, EngineError> {
    let definition = required(row, 2)?;
    let definition = definition.strip_suffix(" NOT VALID").unwrap_or(&definition);
    Ok(Attachment {
        condition: Some(definition.to_owned()),
        columns: names(row, 3)?,
        valid: required(row, 4)? == "true",
        ..Attachment::over(AttachmentKind::Check, required(row, 1)?, &[])
    })
}

fn foreign_key(row: &PgRow) -> Result<Attachment, EngineError> {
    let table = TableName::qualified(required(row, 2)?, required(row, 3)?);
    Ok(Attachment {
        target: Some(Target { table, columns: names(row, 5)? }),
        rest: required(row, 6)?,
        valid: required(row, 7)? == "true",
        ..Attachment::over(AttachmentKind::ForeignKey, required(row, 1)?, &names(row, 4)?)
    })
}

fn comment(row: &PgRow) -> Result<Attachment, EngineError> {
    let columns: Vec<String> = text(row, 1)?.into_iter().collect();
    Ok(Attachment {
        condition: Some(required(row, 2)?),
        ..Attachment::over(AttachmentKind::Comment, "", &columns)
    })
}

/// The longest name that is not cut off.
const NAME_BYTES_MAX: usize = 63;

/// Whether the name is the one that the server gives where none is said. Of names that had to be cut off nothing is
/// known; a table that was renamed kept them.
pub(super) fn is_made_up(attachment: &Attachment, table: &str) -> bool {
    let label = match attachment.kind {
        AttachmentKind::PrimaryKey => "pkey",
        AttachmentKind::Unique if attachment.method.starts_with("UNIQUE") => "key",
        AttachmentKind::Unique | AttachmentKind::Index => "idx",
        AttachmentKind::Check
            if attachment.condition.as_deref().is_some_and(|text| text.starts_with("EXCLUDE")) =>
        {
            "excl"
        }
        AttachmentKind::Check => "check",
        AttachmentKind::ForeignKey => "fkey",
        AttachmentKind::Comment => return true,
    };
    let over: Vec<&str> = match attachment.kind {
        AttachmentKind::PrimaryKey => Vec::new(),
        AttachmentKind::Check if label == "check" && attachment.columns.len() != 1 => Vec::new(),
        AttachmentKind::Check => attachment.columns.iter().map(String::as_str).collect(),
        _ => attachment
            .parts
            .iter()
            .map(part_name)
            .chain(attachment.included.iter().map(String::as_str))
            .collect(),
    };
    let middle = if over.is_empty() { String::new() } else { format!("_{}", over.join("_")) };
    let name = format!("{table}{middle}_{label}");
    let digits = attachment.name.strip_prefix(&name);
    name.len() <= NAME_BYTES_MAX
        && digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn part_name(part: &AttachmentPart) -> &str {
    match part {
        AttachmentPart::Column { name, .. } => name,
        AttachmentPart::Expression(_) => "expr",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_server_gives_are_known() {
        let unique = |name: &str| Attachment {
            method: "UNIQUE".to_owned(),
            ..Attachment::over(AttachmentKind::Unique, name, &["a".to_owned(), "b".to_owned()])
        };
        assert!(is_made_up(&unique("t_a_b_key"), "t"));
        assert!(is_made_up(&unique("t_a_b_key1"), "t"));
        assert!(!is_made_up(&unique("t_a_key"), "t"));
        assert!(!is_made_up(&unique("t_a_b_keys"), "t"));
        let key = Attachment::over(AttachmentKind::PrimaryKey, "t_pkey", &["a".to_owned()]);
        assert!(is_made_up(&key, "t") && !is_made_up(&key, "u"));
    }
}
