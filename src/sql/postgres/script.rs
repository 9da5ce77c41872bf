//! Scripts for `psql`.
//!
//! Guards and writes are `DO` blocks, so that they can count rows and raise an error with words of ours. What
//! stands between dollar quotes is nothing to `psql`: no backslash command, no `:variable`, no semicolon. The
//! quotes' tag is one that the block does not hold. `ON_ERROR_STOP` is set by the script itself; a transaction
//! that failed could not be committed either way.

use super::super::{Column, Expect, Guard, Script, ScriptChunk, TableName, Unwritable};
use super::literal::{literal, quoted};
use super::select::own_rows;
use super::{change, copies, identifier, table, trigger};

/// The script of a PostgreSQL replica.
#[derive(Clone, Copy, Debug)]
pub(super) struct PostgresScript;

const OPENING: &str = "\\set ON_ERROR_STOP on
\\set ON_ERROR_ROLLBACK off
\\set AUTOCOMMIT on
\\encoding UTF8
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, MDY';
SET IntervalStyle = 'postgres';
SET bytea_output = 'hex';
SET extra_float_digits = 3;
SET lc_monetary = 'C';
SET xmloption = 'content';
SET row_security = off;
SET array_nulls = on;
SET transform_null_equals = off;
";

/// As a replica the session would leave foreign keys unenforced; only who may set the role can set it back.
const ENFORCING: &str = "BEGIN
  IF current_setting('session_replication_role') = 'replica' THEN
    PERFORM set_config('session_replication_role', 'origin', false);
  END IF;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
    MESSAGE = 'trueup: session_replication_role is replica for this login, which may not set it back: foreign keys would not be enforced',
    HINT = 'ALTER ROLE or ALTER DATABASE … RESET session_replication_role';
END
";

impl Script for PostgresScript {
    fn usage(&self) -> &'static str {
        "psql -X -q -f FILE DATABASE"
    }

    fn chunk(&self) -> ScriptChunk {
        ScriptChunk { rows_max: 1_000, bytes_max: 256 << 10 }
    }

    fn opening(&mut self, search_path: &[String]) -> String {
        let opening = format!("{OPENING}{}", block(ENFORCING));
        let schemas: Vec<String> = search_path.iter().map(|schema| identifier(schema)).collect();
        let Ok(schemas) = quoted(&schemas.join(", ")) else { return opening };
        if search_path.is_empty() {
            return opening;
        }
        // What the session has stays behind it, for types that are elsewhere.
        let path = format!("concat_ws(', ', {schemas}, nullif(current_setting('search_path'), ''))");
        let set = block(&format!("BEGIN\n  PERFORM set_config('search_path', {path}, false);\nEND\n"));
        format!("{opening}{set}")
    }

    fn stop(&mut self, message: &str) -> String {
        block(&format!("BEGIN\n  {};\nEND\n", raise(message)))
    }

    fn begin(&mut self) -> String {
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;\n".to_owned()
    }

    fn abandon(&mut self) -> String {
        "ROLLBACK;\n".to_owned()
    }

    fn commit(&mut self) -> String {
        "COMMIT;\n".to_owned()
    }

    fn guard(&mut self, guard: &Guard<'_>) -> Result<String, Unwritable> {
        if let Expect::Copies(counts) = guard.expect {
            return Ok(block(&copies::guard(guard, counts, &raise(guard.message))?));
        }
        let found = matching_rows(guard)?;
        let expected = guard.expect.rows(guard.rows.len());
        let body = format!(
            "#variable_conflict use_column\nDECLARE\n  _trueup_rows bigint;\nBEGIN\n\
             SELECT count(*) INTO _trueup_rows FROM (\n{found}\n) AS found;\n\
             IF _trueup_rows <> {expected} THEN\n  {};\nEND IF;\nEND\n",
            raise(guard.message)
        );
        Ok(block(&body))
    }

    fn write(&mut self, statements: &[String], rows: usize, message: &str) -> Result<String, Unwritable> {
        let mut body = "#variable_conflict use_column\nDECLARE\n  _trueup_rows bigint;\n  \
                        _trueup_sum bigint := 0;\nBEGIN\n"
            .to_owned();
        for statement in statements {
            // A statement that only shows what it has done has no place in a block but this.
            match statement.starts_with("WITH ") {
                true => body.push_str(&format!("EXECUTE {}", quoted(statement)?)),
                false => body.push_str(statement),
            }
            body.push_str(
                ";\nGET DIAGNOSTICS _trueup_rows = ROW_COUNT;\n_trueup_sum := _trueup_sum + _trueup_rows;\n",
            );
        }
        body.push_str(&format!("IF _trueup_sum <> {rows} THEN\n  {};\nEND IF;\nEND\n", raise(message)));
        Ok(block(&body))
    }

    fn define(&mut self, statement: &str) -> Result<String, Unwritable> {
        // A query would print what it gives.
        Ok(match statement.strip_prefix("SELECT ") {
            Some(query) => block(&format!("BEGIN\n  PERFORM {query};\nEND\n")),
            None => format!("{statement};\n"),
        })
    }

    fn suppress(&mut self, tables: &[TableName]) -> Result<String, Unwritable> {
        trigger::suppress(tables)
    }

    fn restore(&mut self) -> String {
        trigger::restore().concat()
    }

    fn empty(&mut self, name: &TableName, message: &str) -> Result<String, Unwritable> {
        let name = table(name);
        let body = format!(
            "BEGIN\nLOCK TABLE {name} IN SHARE MODE;\n\
             IF EXISTS (SELECT FROM {name}) THEN\n  {};\nEND IF;\nEND\n",
            raise(message)
        );
        Ok(block(&body))
    }

    fn has_rows(&mut self, name: &TableName, rows: u64, message: &str) -> Result<String, Unwritable> {
        let name = table(name);
        let body = format!(
            "BEGIN\nLOCK TABLE {name} IN ACCESS EXCLUSIVE MODE;\n\
             IF (SELECT count(*) FROM {name}) <> {rows} THEN\n  {};\nEND IF;\nEND\n",
            raise(message)
        );
        Ok(block(&body))
    }

    fn foreign_keys(&mut self, _table: &TableName, _message: &str) -> String {
        String::new()
    }
}

/// A `DO` statement.
pub(super) fn block(body: &str) -> String {
    let tags = std::iter::once("$trueup$".to_owned()).chain((1..).map(|number| format!("$trueup{number}$")));
    let tag = tags.into_iter().find(|tag| !body.contains(tag.as_str())).unwrap_or_default();
    format!("DO {tag}\n{body}{tag};\n")
}

fn raise(message: &str) -> String {
    let message = quoted(&format!("trueup: {message}")).unwrap_or_else(|_| "'trueup: stopped'".to_owned());
    format!("RAISE EXCEPTION USING MESSAGE = {message}, ERRCODE = 'serialization_failure'")
}

/// The rows of the table that equal one of the guard's.
fn matching_rows(guard: &Guard<'_>) -> Result<String, Unwritable> {
    let columns: Vec<&Column> = guard.columns.iter().map(|part| &part.column).collect();
    let mut nulls = vec![false; columns.len()];
    let mut lines = Vec::with_capacity(guard.rows.len());
    for row in guard.rows {
        nulls.iter_mut().zip(row).for_each(|(null, value)| *null |= value.is_null());
        let literals = columns.iter().zip(row).map(|(column, value)| {
            literal(value, &column.column_type)
                .map_err(|why| Unwritable { reason: format!("column `{}`: {}", column.name, why.reason) })
        });
        let literals = literals.collect::<Result<Vec<_>, _>>()?;
        lines.push(change::typed_tuple(&columns, &literals, lines.is_empty()));
    }
    let names: Vec<String> = (0..columns.len()).map(|index| format!("c{index}")).collect();
    let mut conditions: Vec<String> = guard
        .columns
        .iter()
        .zip(nulls)
        .enumerate()
        .map(|(index, (part, null))| {
            let same = change::same(part, &format!("v.c{index}"), null);
            // As a plain equality each would be something to join by, and the planner would read the table
            // rather than look up its keys.
            if index < guard.key_columns { same } else { format!("({same}) IS TRUE") }
        })
        .collect();
    conditions.push(own_rows(guard.table, "t"));
    // What is not there cannot be locked, and asking to takes a right that inserting does not.
    let lock = if guard.locked && guard.expect == Expect::AsGiven { "\nFOR UPDATE OF t" } else { "" };
    Ok(format!(
        "SELECT 1 FROM (VALUES\n{}\n) AS v ({})\nJOIN {} AS t ON {}{lock}",
        lines.join(",\n"),
        names.join(", "),
        table(guard.table),
        conditions.join(" AND ")
    ))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::sql::SelectColumn;
    use crate::value::{ColumnType, Decimal, Domain, Type, Value};

    fn part(name: &str, declared: &str, meaning: Type, domain: Domain) -> SelectColumn {
        let column = Column {
            name: name.to_owned(),
            column_type: ColumnType::new(declared, meaning),
            nullable: true,
            default: None,
            generated: None,
            identity: None,
            collation: None,
            words: Default::default(),
        };
        SelectColumn { column, domain }
    }

    #[test]
    fn a_guard_tells_apart_what_equality_does_not() {
        let numeric = Type::Decimal { precision: None, scale: None };
        let mut text = part("te\"xt", "text", Type::Text { chars_max: None, fixed: false }, Domain::Text);
        text.column.collation = Some("default".to_owned());
        let columns = [
            part("id", "integer", Type::Integer { bytes: 4, unsigned: false }, Domain::Integer { bytes: 4 }),
            part("n", "numeric", numeric.clone(), Domain::Decimal { with_scale: true }),
            part("m", "numeric", numeric, Domain::Decimal { with_scale: false }),
            part("f", "double precision", Type::Float64, Domain::Float64),
            part("j", "json", Type::JsonText, Domain::JsonText),
            part("k", "json", Type::JsonText, Domain::Json { canonical: true }),
            part("o", "mood", Type::Other, Domain::Native),
            text,
        ];
        let decimal = || Value::Decimal(Decimal::parse("1.00").expect("a decimal"));
        let row = vec![
            Value::Integer(1),
            decimal(),
            decimal(),
            Value::Float64(-0.0),
            Value::Json("{ }".to_owned()),
            Value::Json("{}".to_owned()),
            Value::Null,
            Value::Text("$trueup$ \\ :x\n".to_owned()),
        ];
        let guard = Guard {
            table: &TableName::plain("t"),
            columns: &columns,
            key_columns: 1,
            rows: &[row],
            expect: Expect::AsGiven,
            scope: None,
            locked: true,
            message: "it's gone",
        };
        assert_snapshot!(PostgresScript.guard(&guard).expect("literals"), @r#"
        DO $trueup1$
        #variable_conflict use_column
        DECLARE
          _trueup_rows bigint;
        BEGIN
        SELECT count(*) INTO _trueup_rows FROM (
        SELECT 1 FROM (VALUES
        (CAST(1 AS integer), CAST(1.00 AS numeric), CAST(1.00 AS numeric), CAST('-0.0'::double precision AS double precision), CAST('{ }'::json AS json), CAST('{}'::json AS json), CAST(NULL AS mood), CAST(E'$trueup$ \\ :x\x0A' AS text))
        ) AS v (c0, c1, c2, c3, c4, c5, c6, c7)
        JOIN "t" AS t ON t."id" = v.c0 AND (t."n" = v.c1 AND t."n"::text = v.c1::text) IS TRUE AND (t."m" = v.c2) IS TRUE AND (t."f" = v.c3 AND float8send(t."f") = float8send(v.c3)) IS TRUE AND (t."j"::text = v.c4::text) IS TRUE AND (t."k"::jsonb = v.c5::jsonb) IS TRUE AND ((t."o"::text = v.c6::text OR (t."o"::text IS NULL AND v.c6::text IS NULL))) IS TRUE AND (t."te""xt" = v.c7 AND t."te""xt" COLLATE "C" = v.c7) IS TRUE AND (t.tableoid = '"t"'::regclass OR (SELECT relkind = 'p' FROM pg_catalog.pg_class WHERE oid = '"t"'::regclass))
        FOR UPDATE OF t
        ) AS found;
        IF _trueup_rows <> 1 THEN
          RAISE EXCEPTION USING MESSAGE = 'trueup: it''s gone', ERRCODE = 'serialization_failure';
        END IF;
        END
        $trueup1$;
        "#);
    }
}
