//! Scripts for `sqlite3`.
//!
//! What must hold is written into temporary tables whose CHECK constraint is named with what to say when it does
//! not; `.bail on` ends the client there, and the open transaction with it. Nothing here uses a function that
//! only our own connections have: values that may be spelled in several ways (moments, UUIDs, JSON) are brought
//! to one spelling by SQLite's own functions, which may refuse an unusual spelling but never take another value
//! for the planned one.

use super::super::{
    Column, Expect, Guard, KnownSpellings, Script, ScriptChunk, SelectColumn, TableName, Unwritable,
};
use super::declared::Affinity;
use super::literal::{self, hex, moment, plain};
use super::rebuild::{BEFORE, BEHIND};
use super::spelling::{SpelledKeys, bare_uuid, date_time, trimmed, without_zeros};
use super::{
    copies::{self, Told},
    identifier, select, table,
};
use crate::value::{Domain, Type, Value};

/// The script of a SQLite replica.
#[derive(Clone, Debug, Default)]
pub(super) struct SqliteScript {
    /// The messages for which there is a table already.
    messages: Vec<String>,
    /// Whether triggers are switched off.
    suppressed: bool,
}

const OPENING: &str = ".bail on
.timeout 5000
PRAGMA foreign_keys = ON;
PRAGMA synchronous = FULL;
CREATE TEMP TABLE \"_trueup_rows\" (\"rows\" INTEGER);
";

/// What guards call the table: a qualified name that is not there is never taken for a text.
pub(super) const ALIAS: &str = "t";

impl Script for SqliteScript {
    fn usage(&self) -> &'static str {
        "sqlite3 DATABASE < FILE"
    }

    fn chunk(&self) -> ScriptChunk {
        ScriptChunk { rows_max: 500, bytes_max: 256 << 10 }
    }

    fn opening(&mut self, _search_path: &[String]) -> String {
        OPENING.to_owned()
    }

    fn stop(&mut self, message: &str) -> String {
        self.check("0", "1", message)
    }

    fn begin(&mut self) -> String {
        "BEGIN IMMEDIATE;\nPRAGMA defer_foreign_keys = ON;\n".to_owned()
    }

    fn begin_rebuild(&mut self) -> String {
        format!("{};\nBEGIN IMMEDIATE;\n", BEFORE.replace("; ", ";\n"))
    }

    fn commit_rebuild(&mut self) -> String {
        format!("COMMIT;\n{};\n", BEHIND.replace("; ", ";\n"))
    }

    fn abandon(&mut self) -> String {
        // A rollback would take the temporary tables along that the checks have made.
        "COMMIT;\n".to_owned()
    }

    fn commit(&mut self) -> String {
        "COMMIT;\n".to_owned()
    }

    fn guard(&mut self, guard: &Guard<'_>) -> Result<String, Unwritable> {
        let key: Vec<Column> =
            guard.columns[..guard.key_columns].iter().map(|part| part.column.clone()).collect();
        if let Expect::Copies(counts) = guard.expect {
            let found = copies::miscounted(guard, counts)?;
            return sound(self.check("0", &found, guard.message));
        }
        let name = format!("{} AS t", table(guard.table));
        if guard.expect != Expect::AsGiven {
            let found = select::matching(&key, guard.rows, ALIAS);
            return sound(self.check(
                &guard.expect.rows(guard.rows.len()).to_string(),
                &format!("(SELECT count(*) FROM {name} WHERE {found})"),
                guard.message,
            ));
        }
        let keys: Vec<Vec<Value>> = guard.rows.iter().map(|row| row[..guard.key_columns].to_vec()).collect();
        let spelled_keys = SpelledKeys::new(&key, &keys);
        let parts = &guard.columns[guard.key_columns..];
        let mut lines = Vec::new();
        for (row, key_values) in guard.rows.iter().zip(&keys) {
            let values: Vec<String> = parts
                .iter()
                .zip(&row[guard.key_columns..])
                .map(|(part, value)| planned(part, value))
                .collect();
            let spelled = spelled_keys.rows(key_values);
            lines.extend(
                spelled.into_iter().map(|key| format!("({})", [key, values.clone()].concat().join(","))),
            );
        }
        let found_by = spelled_keys.expressions(Some(ALIAS));
        let equals = if keys.iter().flatten().any(Value::is_null) { "IS" } else { "=" };
        let mut conditions: Vec<String> = found_by
            .iter()
            .enumerate()
            .map(|(at, expression)| format!("{expression} {equals} v.column{}", at + 1))
            .collect();
        for (at, part) in parts.iter().enumerate() {
            let zero = guard.rows.iter().any(|row| is_zero(&row[guard.key_columns + at]));
            let value = format!("v.column{}", found_by.len() + at + 1);
            conditions.push(as_compared(part, &value, zero));
        }
        let found = format!(
            "(SELECT count(*) FROM (VALUES\n{}\n) AS v CROSS JOIN {name} WHERE {})",
            lines.join(",\n"),
            all(&conditions)
        );
        sound(self.check(&guard.rows.len().to_string(), &found, guard.message))
    }

    fn guard_in_any_spelling(
        &mut self,
        guard: &Guard<'_>,
        known: KnownSpellings<'_>,
    ) -> Result<String, Unwritable> {
        let Expect::Copies(counts) = guard.expect else { return self.guard(guard) };
        let mut sql = String::new();
        for told in [Told::Certainly(known), Told::Perhaps] {
            let found = copies::miscounted_spellings(guard, counts, told)?;
            sql.push_str(&self.check("0", &found, guard.message));
        }
        sound(sql)
    }

    fn write(&mut self, statements: &[String], rows: usize, message: &str) -> Result<String, Unwritable> {
        if let [statement] = statements {
            return sound(format!("{statement};\n{}", self.check(&rows.to_string(), "changes()", message)));
        }
        let mut sql = String::new();
        for statement in statements {
            sql.push_str(statement);
            sql.push_str(";\nINSERT INTO temp.\"_trueup_rows\" VALUES (changes());\n");
        }
        let sum = "(SELECT sum(\"rows\") FROM temp.\"_trueup_rows\")";
        sql.push_str(&self.check(&rows.to_string(), sum, message));
        sql.push_str("DELETE FROM temp.\"_trueup_rows\";\n");
        sound(sql)
    }

    fn define(&mut self, statement: &str) -> Result<String, Unwritable> {
        sound(format!("{statement};\n"))
    }

    fn empty(&mut self, name: &TableName, message: &str) -> Result<String, Unwritable> {
        sound(self.check("0", &format!("(SELECT count(*) FROM {})", table(name)), message))
    }

    fn has_rows(&mut self, name: &TableName, rows: u64, message: &str) -> Result<String, Unwritable> {
        sound(self.check(&rows.to_string(), &format!("(SELECT count(*) FROM {})", table(name)), message))
    }

    /// The switch is the connection's, so it is turned with every table.
    fn suppress(&mut self, _tables: &[TableName]) -> Result<String, Unwritable> {
        Ok(String::new())
    }

    fn writes_to(&mut self, suppressed: bool) -> String {
        if suppressed == self.suppressed {
            return String::new();
        }
        self.suppressed = suppressed;
        format!(".dbconfig enable_trigger {}\n", if suppressed { "off" } else { "on" })
    }

    fn restore(&mut self) -> String {
        self.writes_to(false)
    }

    fn foreign_keys(&mut self, table: &TableName, message: &str) -> String {
        let name = literal::text(&table.name);
        self.check("0", &format!("(SELECT count(*) FROM pragma_foreign_key_check({name}, 'main'))"), message)
    }
}

impl SqliteScript {
    /// Stops unless the number found is the number planned. The first check with a message makes its table.
    fn check(&mut self, planned: &str, found: &str, message: &str) -> String {
        let known = self.messages.iter().position(|known| known == message);
        let number = known.unwrap_or(self.messages.len()) + 1;
        let mut sql = String::new();
        if known.is_none() {
            self.messages.push(message.to_owned());
            sql = format!(
                "CREATE TEMP TABLE \"_trueup_check_{number}\" (\"planned\" INTEGER, \"found\" INTEGER,\n  \
                 CONSTRAINT {} CHECK (\"found\" IS \"planned\"));\n",
                identifier(&format!("trueup: {message}"))
            );
        }
        sql + &format!("INSERT INTO temp.\"_trueup_check_{number}\" SELECT {planned}, {found};\n")
    }
}

/// The client takes the carriage return of a line's end away, also within a name, and ends at a NUL.
fn sound(sql: String) -> Result<String, Unwritable> {
    if sql.contains("\r\n") || sql.contains('\0') {
        let reason = "the SQLite client cannot read a name that holds CR LF or NUL".to_owned();
        return Err(Unwritable { reason });
    }
    Ok(sql)
}

/// A balanced tree of AND, for SQLite limits how deep expressions nest.
pub(super) fn all(conditions: &[String]) -> String {
    if conditions.len() <= 16 {
        return conditions.join(" AND ");
    }
    let (first, second) = conditions.split_at(conditions.len() / 2);
    format!("({}) AND ({})", all(first), all(second))
}

/// A value as guards write it: what [`as_compared`] brings the stored one to.
pub(super) fn planned(part: &SelectColumn, value: &Value) -> String {
    match (&part.domain, value) {
        (Domain::Decimal { .. }, Value::Decimal(_)) => {
            literal::stored(value, &part.column.column_type).unwrap_or_else(|_| plain(value))
        }
        (_, Value::Time(time)) => trimmed(&time.to_string()),
        (_, Value::Instant(stamp)) => trimmed(&moment(literal::in_zone_of(&part.column.column_type, *stamp))),
        (_, Value::DateTime(stamp)) => trimmed(&moment(*stamp)),
        (_, Value::Uuid(bytes)) => format!("'{}'", hex(bytes).trim_matches(['x', '\''])),
        _ => plain(value),
    }
}

/// The condition under which a column holds a planned value, in the pair's domain. `zero`: some planned value is
/// a floating-point zero.
pub(super) fn as_compared(part: &SelectColumn, value: &str, zero: bool) -> String {
    let column = format!("{ALIAS}.{}", identifier(&part.column.name));
    let binary = if part.column.collation.is_some() { " COLLATE BINARY" } else { "" };
    let is = format!("{column}{binary} IS {value}");
    let class = |classes: &str| format!("typeof({column}) IN ({classes}, 'null') AND {is}");
    // Only a column without affinity keeps -0.0, which neither compares nor prints as anything but 0.0.
    let keeps_sign = Affinity::of(&part.column.column_type.declared) == Affinity::Blob;
    let sign = match zero && keeps_sign {
        true => format!(
            " AND ({column} IS NOT 0.0 OR typeof({column}) <> 'real' \
             OR (atan2({column}, -1.0) < 0) = (atan2({value}, -1.0) < 0))"
        ),
        false => String::new(),
    };
    match &part.domain {
        Domain::Boolean | Domain::Integer { .. } => class("'integer'"),
        Domain::Decimal { .. } => class("'integer', 'real', 'text'"),
        Domain::Float32 | Domain::Float64 => class("'integer', 'real'") + &sign,
        Domain::Time => format!("({} IS {value} OR {column} || ':00' IS {value})", without_zeros(&column)),
        Domain::DateTime => format!("{} IS {value}", date_time(&column, false)),
        Domain::Instant if matches!(part.column.column_type.meaning, Type::Zoned { .. }) => {
            format!("{} IS {value}", date_time(&column, false))
        }
        Domain::Instant => same_instant(&column, value),
        Domain::Uuid => format!("{} IS {value}", bare_uuid(&column)),
        Domain::Json { .. } => same_json(&column, value),
        // The text itself, which a column of JSON's numeric affinity may keep as a number.
        Domain::JsonText => is,
        _ => format!("typeof({column}) = typeof({value}) AND {is}{sign}"),
    }
}

pub(super) fn is_zero(value: &Value) -> bool {
    match value {
        Value::Float32(number) => *number == 0.0,
        Value::Float64(number) => *number == 0.0,
        Value::OtherStorage(inner) => is_zero(inner),
        _ => false,
    }
}

/// Another zone than UTC is left to `strftime`, which reads `±HH:MM` behind whole seconds; the fraction is
/// compared as text.
fn same_instant(column: &str, value: &str) -> String {
    format!(
        "({} IS {value} OR ({column} GLOB '*[+-][0-9][0-9]:[0-9][0-9]' \
         AND strftime('%Y-%m-%d %H:%M:%S', substr({column}, 1, 19) || substr({column}, -6)) = substr({value}, 1, 19) \
         AND rtrim(rtrim(substr({column}, 20, length({column}) - 25), '0'), '.') = substr({value}, 20)))",
        date_time(column, true)
    )
}

/// The same text, or the same members and elements wherever a member stands in its object.
fn same_json(column: &str, value: &str) -> String {
    let parts = |json: &str| format!("SELECT fullkey, type, atom FROM json_tree({json})");
    format!(
        "({column} IS {value} OR CASE WHEN json_valid({column}) \
         THEN NOT EXISTS ({stored} EXCEPT {planned}) AND NOT EXISTS ({planned} EXCEPT {stored}) END)",
        stored = parts(column),
        planned = parts(value),
    )
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::sql::sqlite::column_type;
    use crate::value::Stamp;

    fn part(name: &str, declared: &str, domain: Domain) -> SelectColumn {
        let column = Column {
            name: name.to_owned(),
            column_type: column_type(declared),
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
    fn a_guard_tells_classes_apart_and_knows_every_spelling() {
        let columns = [
            part("id", "INTEGER", Domain::Integer { bytes: 8 }),
            part("any", "", Domain::Storage { expected: None }),
            part("at", "TIMESTAMPTZ", Domain::Instant),
            part("u", "UUID", Domain::Uuid),
        ];
        let stamp = Stamp::parse("2024-01-02 03:04:05.5").expect("a moment").0;
        let row = vec![Value::Integer(1), Value::Float64(-0.0), Value::Instant(stamp), Value::Uuid([7; 16])];
        let guard = Guard {
            table: &TableName::plain("t\"t"),
            columns: &columns,
            key_columns: 1,
            rows: &[row],
            expect: Expect::AsGiven,
            scope: None,
            locked: true,
            message: "it's gone",
        };
        assert_snapshot!(SqliteScript::default().guard(&guard).expect("literals"), @r#"
        CREATE TEMP TABLE "_trueup_check_1" ("planned" INTEGER, "found" INTEGER,
          CONSTRAINT "trueup: it's gone" CHECK ("found" IS "planned"));
        INSERT INTO temp."_trueup_check_1" SELECT 1, (SELECT count(*) FROM (VALUES
        (1,-0.0,'2024-01-02 03:04:05.5','07070707070707070707070707070707')
        ) AS v CROSS JOIN "t""t" AS t WHERE "t"."id" = v.column1 AND typeof(t."any") = typeof(v.column2) AND t."any" IS v.column2 AND (t."any" IS NOT 0.0 OR typeof(t."any") <> 'real' OR (atan2(t."any", -1.0) < 0) = (atan2(v.column2, -1.0) < 0)) AND ((SELECT CASE WHEN instr(x, '.') THEN rtrim(rtrim(x, '0'), '.') ELSE x || substr(' 00:00:00', length(x) - 9) END FROM (SELECT CASE WHEN x LIKE '%Z' THEN substr(x, 1, length(x) - 1) WHEN x LIKE '%+00:00' THEN substr(x, 1, length(x) - 6) WHEN x LIKE '%+00' THEN substr(x, 1, length(x) - 3) ELSE x END AS x FROM (SELECT replace(t."at", 'T', ' ') AS x))) IS v.column3 OR (t."at" GLOB '*[+-][0-9][0-9]:[0-9][0-9]' AND strftime('%Y-%m-%d %H:%M:%S', substr(t."at", 1, 19) || substr(t."at", -6)) = substr(v.column3, 1, 19) AND rtrim(rtrim(substr(t."at", 20, length(t."at") - 25), '0'), '.') = substr(v.column3, 20))) AND CASE typeof(t."u") WHEN 'blob' THEN lower(hex(t."u")) WHEN 'text' THEN lower(replace(t."u", '-', '')) END IS v.column4);
        "#);
    }

    #[test]
    fn a_message_has_one_table() {
        let mut script = SqliteScript::default();
        assert_snapshot!(script.write(&["DELETE FROM t".to_owned()], 2, "gone").expect("text"), @r#"
        DELETE FROM t;
        CREATE TEMP TABLE "_trueup_check_1" ("planned" INTEGER, "found" INTEGER,
          CONSTRAINT "trueup: gone" CHECK ("found" IS "planned"));
        INSERT INTO temp."_trueup_check_1" SELECT 2, changes();
        "#);
        let statements = ["DELETE FROM t".to_owned(), "DELETE FROM u".to_owned()];
        assert_snapshot!(script.write(&statements, 3, "gone").expect("text"), @r#"
        DELETE FROM t;
        INSERT INTO temp."_trueup_rows" VALUES (changes());
        DELETE FROM u;
        INSERT INTO temp."_trueup_rows" VALUES (changes());
        INSERT INTO temp."_trueup_check_1" SELECT 3, (SELECT sum("rows") FROM temp."_trueup_rows");
        DELETE FROM temp."_trueup_rows";
        "#);
        assert_snapshot!(script.foreign_keys(&TableName::plain("t"), "orphans"), @r#"
        CREATE TEMP TABLE "_trueup_check_2" ("planned" INTEGER, "found" INTEGER,
          CONSTRAINT "trueup: orphans" CHECK ("found" IS "planned"));
        INSERT INTO temp."_trueup_check_2" SELECT 0, (SELECT count(*) FROM pragma_foreign_key_check('t', 'main'));
        "#);
    }

    #[test]
    fn what_the_client_would_not_read_as_it_is_is_refused() {
        let mut script = SqliteScript::default();
        assert!(script.define("CREATE TABLE \"a\r\nb\" (c)").is_err());
        assert!(script.define("CREATE TABLE \"a\nb\" (c)").is_ok());
    }
}
