//! Scripts for `mysql` and `mariadb`.
//!
//! There are no anonymous blocks here, so `@trueup_done` counts what went well: every guard and every write
//! adds one when it is as planned, and the next statement (`SET sql_mode = …`) is an error with words of ours
//! unless the count is right. The client stops there. Where it was told not to (`--force`), the count never
//! becomes right again, and every later transaction ends in ROLLBACK: the word is chosen by the count too.
//!
//! Text literals hold neither backslashes nor control characters. A statement that does (an identifier can) is
//! handed over as hex and prepared, so that the client does not read it.

use super::super::{Expect, ForeignKey, Guard, KnownSpellings, Script, ScriptChunk, TableName, Unwritable};
use super::condition;
use super::literal;
use super::sequence;
use super::{Family, SQL_MODE, hex};
use crate::sql::{Dialect, EngineName};
use crate::value::Value;

/// The script of a MySQL or MariaDB replica.
#[derive(Clone, Copy, Debug)]
pub(super) struct FamilyScript {
    family: &'static Family,
    /// What `@trueup_done` is when all went well so far.
    done: u64,
}

const OPENING: &str = "SET time_zone = '+00:00', autocommit = 1, foreign_key_checks = 1, unique_checks = 1, sql_safe_updates = 0, sql_big_selects = 1, sql_auto_is_null = 0, completion_type = 0;
SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
";

/// Long lists of keys stay ranges of the index; history is not looked at; CHECK constraints are.
const OPENING_MARIADB: &str = "SET SESSION in_predicate_conversion_threshold = 0, SESSION system_versioning_asof = DEFAULT, SESSION check_constraint_checks = 1;\n";

impl FamilyScript {
    /// A script of that server.
    pub(super) fn new(family: &'static Family) -> Self {
        FamilyScript { family, done: 0 }
    }

    /// Adds one to the count where the condition holds, and stops where it does not.
    fn step(&mut self, condition: &str, message: &str) -> String {
        self.done += 1;
        format!(
            "SET @trueup_done = @trueup_done + ({condition});\n\
             SET sql_mode = IF(@trueup_done = {}, @@sql_mode, {});\n",
            self.done,
            message_literal(message)
        )
    }

    /// Stops unless a query counts so many rows.
    fn counted(&mut self, count: &str, expected: usize, message: &str) -> String {
        if needs_hex(count) {
            // A sub-query cannot be prepared on its own; what is counted goes through a variable.
            let counted = format!("SET @trueup_rows = ({count})");
            let sql = format!("SET @trueup_rows = NULL;\n{}", prepared(&counted));
            return sql + &self.step(&format!("@trueup_rows <=> {expected}"), message);
        }
        self.step(&format!("({count}) = {expected}"), message)
    }

    /// Runs a statement only where all went well so far.
    fn if_all_well(&self, statement: &str, otherwise: &str) -> String {
        self.if_all_well_and("", statement, otherwise)
    }

    /// `more` goes on in the condition.
    fn if_all_well_and(&self, more: &str, statement: &str, otherwise: &str) -> String {
        format!(
            "SET @trueup_do = IF(@trueup_done = {}{more}, {}, '{otherwise}');\n{PREPARED}",
            self.done,
            script_text(statement)
        )
    }
}

/// MySQL 8 remembers a counter for a day.
const STATISTICS_NOW: &str = "/*!80003 SET SESSION information_schema_stats_expiry = 0 */;\n";

const PREPARED: &str =
    "PREPARE trueup_do FROM @trueup_do;\nEXECUTE trueup_do;\nDEALLOCATE PREPARE trueup_do;\n";

impl Script for FamilyScript {
    fn usage(&self) -> &'static str {
        match self.family.engine {
            EngineName::Mariadb => "mariadb DATABASE < FILE",
            _ => "mysql DATABASE < FILE",
        }
    }

    fn chunk(&self) -> ScriptChunk {
        // A guard is one condition a row; more of them take the optimiser longer than two statements.
        ScriptChunk { rows_max: 100, bytes_max: 128 << 10 }
    }

    fn opening(&mut self, _search_path: &[String]) -> String {
        let own = if self.family.engine == EngineName::Mariadb { OPENING_MARIADB } else { "" };
        format!("SET NAMES utf8mb4;\nSET sql_mode = '{SQL_MODE}';\n{OPENING}{own}SET @trueup_done = 0;\n")
    }

    fn stop(&mut self, message: &str) -> String {
        format!("SET @trueup_done = NULL;\nSET sql_mode = {};\n", message_literal(message))
    }

    fn begin(&mut self) -> String {
        "START TRANSACTION READ WRITE;\n".to_owned()
    }

    fn abandon(&mut self) -> String {
        "ROLLBACK;\n".to_owned()
    }

    fn commit(&mut self) -> String {
        self.if_all_well("COMMIT", "ROLLBACK")
    }

    fn guard(&mut self, guard: &Guard<'_>) -> Result<String, Unwritable> {
        if let Expect::Copies(counts) = guard.expect {
            let counted = guard.rows.iter().zip(counts).map(|(row, copies)| {
                let count = self.family.count_copies(guard, row);
                self.counted(&count, *copies as usize, guard.message)
            });
            return Ok(counted.collect());
        }
        let key = &guard.columns[..guard.key_columns];
        let keys: Vec<Vec<Value>> = guard.rows.iter().map(|row| row[..guard.key_columns].to_vec()).collect();
        let mut condition = condition::one_of(key, &keys);
        if guard.expect == Expect::AsGiven {
            let rows: Vec<String> = guard.rows.iter().map(|row| self.row_condition(guard, row)).collect();
            condition = format!("{condition}\nAND ({}\n)", rows.join("\nOR "));
        }
        let expected = guard.expect.rows(guard.rows.len());
        let lock = if guard.locked { " FOR UPDATE" } else { "" };
        let table = self.family.table(guard.table);
        let count = format!("SELECT COUNT(*) FROM {table} WHERE {condition}{lock}");
        Ok(self.counted(&count, expected, guard.message))
    }

    fn guard_in_any_spelling(
        &mut self,
        guard: &Guard<'_>,
        known: KnownSpellings<'_>,
    ) -> Result<String, Unwritable> {
        let Expect::Copies(counts) = guard.expect else { return self.guard(guard) };
        let mut sql = String::new();
        for ((row, copies), spelled) in guard.rows.iter().zip(counts).zip(known.rows) {
            for count in self.family.count_spellings(guard, row, (known.columns, spelled)) {
                sql.push_str(&self.counted(&count, *copies as usize, guard.message));
            }
        }
        Ok(sql)
    }

    fn write(&mut self, statements: &[String], rows: usize, message: &str) -> Result<String, Unwritable> {
        let mut sql = String::new();
        if let [statement] = statements {
            sql.push_str(&terminated(statement, "SET @trueup_rows = ROW_COUNT();\n"));
        } else {
            sql.push_str("SET @trueup_rows = 0;\n");
            for statement in statements {
                let count = "SET @trueup_rows = @trueup_rows + ROW_COUNT();\n";
                sql.push_str(&terminated(statement, count));
            }
        }
        Ok(sql + &self.step(&format!("@trueup_rows = {rows}"), message))
    }

    fn define(&mut self, statement: &str) -> Result<String, Unwritable> {
        Ok(self.if_all_well(statement, "DO 0"))
    }

    fn set_sequence(&mut self, table: &TableName, statement: &str) -> Result<String, Unwritable> {
        let Some(condition) = sequence::moves_on(table, statement) else { return self.define(statement) };
        let statistics = if self.family.engine == EngineName::Mariadb { "" } else { STATISTICS_NOW };
        let moved = self.if_all_well_and(&format!(" AND {condition}"), statement, "DO 0");
        Ok(format!("{statistics}{moved}"))
    }

    fn empty(&mut self, table: &TableName, message: &str) -> Result<String, Unwritable> {
        let count = format!("SELECT COUNT(*) FROM {} FOR UPDATE", self.family.table(table));
        Ok(self.counted(&count, 0, message))
    }

    fn has_rows(&mut self, table: &TableName, rows: u64, message: &str) -> Result<String, Unwritable> {
        let count = format!("SELECT COUNT(*) FROM {} FOR UPDATE", self.family.table(table));
        Ok(self.counted(&count, usize::try_from(rows).unwrap_or(usize::MAX), message))
    }

    /// Nothing: a table that has triggers to be suppressed is in error.
    fn suppress(&mut self, _tables: &[TableName]) -> Result<String, Unwritable> {
        Ok(String::new())
    }

    fn restore(&mut self) -> String {
        String::new()
    }

    fn foreign_keys(&mut self, _table: &TableName, _message: &str) -> String {
        String::new()
    }

    fn orphans(&mut self, table: &TableName, key: &ForeignKey, message: &str) -> String {
        let count = format!("SELECT COUNT(*) FROM {}", orphans(self.family, table, key));
        self.counted(&count, 0, message)
    }
}

/// The rows of a table, as `c`, that point at nothing with this key.
pub(crate) fn orphans(dialect: &dyn Dialect, table: &TableName, key: &ForeignKey) -> String {
    let pairs = || key.columns.iter().zip(&key.referenced);
    let equal: Vec<String> = pairs()
        .map(|(here, there)| format!("p.{} = c.{}", dialect.identifier(there), dialect.identifier(here)))
        .collect();
    let present: Vec<String> =
        pairs().map(|(here, _)| format!("c.{} IS NOT NULL", dialect.identifier(here))).collect();
    format!(
        "{} c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} p WHERE {})",
        dialect.table(table),
        present.join(" AND "),
        dialect.table(&key.table),
        equal.join(" AND ")
    )
}

impl FamilyScript {
    fn row_condition(&self, guard: &Guard<'_>, row: &[Value]) -> String {
        let columns = guard.columns.iter().zip(row);
        let conditions: Vec<String> =
            columns.map(|(part, value)| self.family.as_compared(part, value)).collect();
        format!("({})", conditions.join(" AND "))
    }
}

/// Whether the client would read more than text into it, or leave an optimiser hint out as a comment.
fn needs_hex(sql: &str) -> bool {
    sql.contains("/*+") || sql.bytes().any(|byte| byte == b'\\' || (byte.is_ascii_control() && byte != b'\n'))
}

/// A statement and what follows it at once; prepared from hex where the client must not read it.
fn terminated(statement: &str, then: &str) -> String {
    if !needs_hex(statement) {
        return format!("{statement};\n{then}");
    }
    format!(
        "SET @trueup_do = _utf8mb4 {};\nPREPARE trueup_do FROM @trueup_do;\nEXECUTE trueup_do;\n{then}\
         DEALLOCATE PREPARE trueup_do;\n",
        hex(statement.as_bytes())
    )
}

fn prepared(statement: &str) -> String {
    terminated(statement, "")
}

/// A statement as a text: readable where the client leaves it alone.
fn script_text(statement: &str) -> String {
    let plain = statement.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n') && byte != b'\\');
    match plain {
        true => format!("'{}'", statement.replace('\'', "''")),
        false => format!("_utf8mb4 {}", hex(statement.as_bytes())),
    }
}

/// The server shows about a hundred and fifty characters of it.
fn message_literal(message: &str) -> String {
    literal::text(&format!("trueup: {message}"))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::super::{MARIADB, MYSQL};
    use super::*;
    use crate::sql::Column;
    use crate::sql::SelectColumn;
    use crate::value::{ColumnType, Domain, Type};

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

    fn guarded(family: &'static Family, text_name: &str) -> String {
        let columns = [
            part("id", "int", Type::Integer { bytes: 4, unsigned: false }, Domain::Integer { bytes: 4 }),
            part("f", "double", Type::Float64, Domain::Float64),
            part("j", "json", Type::Json, Domain::Json { canonical: true }),
            part(text_name, "text", Type::Text { chars_max: None, fixed: false }, Domain::Text),
        ];
        let row = |id, text: Value| {
            vec![Value::Integer(id), Value::Float64(-0.0), Value::Json("{}".to_owned()), text]
        };
        let guard = Guard {
            table: &TableName::plain("t"),
            columns: &columns,
            key_columns: 1,
            rows: &[row(1, Value::Null), row(2, Value::Text("é\n".to_owned()))],
            expect: Expect::AsGiven,
            scope: None,
            locked: true,
            message: "it's gone",
        };
        FamilyScript::new(family).guard(&guard).expect("literals")
    }

    #[test]
    fn a_guard_tells_apart_what_equality_does_not() {
        assert_snapshot!(guarded(&MYSQL, "text"), @r#"
        SET @trueup_done = @trueup_done + ((SELECT COUNT(*) FROM `t` WHERE `id` IN (1, 2)
        AND ((`id` = 1 AND (`f` >= 0e0 AND `f` <= 0e0 AND CAST(`f` AS CHAR) LIKE '-%') AND `j` = CAST('{}' AS JSON) AND `text` IS NULL)
        OR (`id` = 2 AND (`f` >= 0e0 AND `f` <= 0e0 AND CAST(`f` AS CHAR) LIKE '-%') AND `j` = CAST('{}' AS JSON) AND `text` = _utf8mb4 x'c3a90a')
        ) FOR UPDATE) = 2);
        SET sql_mode = IF(@trueup_done = 1, @@sql_mode, 'trueup: it''s gone');
        "#);
    }

    #[test]
    fn what_the_client_would_read_is_handed_over_as_hex() {
        let sql = guarded(&MARIADB, "a\\b");
        assert!(!sql.contains('\\'));
        assert!(sql.starts_with("SET @trueup_rows = NULL;\nSET @trueup_do = _utf8mb4 x'534554"), "{sql}");
        assert!(sql.ends_with("'trueup: it''s gone');\n"), "{sql}");
    }

    #[test]
    fn nothing_is_committed_or_defined_unless_all_went_well() {
        let mut script = FamilyScript::new(&MARIADB);
        assert_snapshot!(script.stop("refused"), @r#"
        SET @trueup_done = NULL;
        SET sql_mode = 'trueup: refused';
        "#);
        assert_snapshot!(script.define("ALTER TABLE `t` ADD COLUMN `a` int DEFAULT 'x'").expect("text"), @r#"
        SET @trueup_do = IF(@trueup_done = 0, 'ALTER TABLE `t` ADD COLUMN `a` int DEFAULT ''x''', 'DO 0');
        PREPARE trueup_do FROM @trueup_do;
        EXECUTE trueup_do;
        DEALLOCATE PREPARE trueup_do;
        "#);
        let statements = ["DELETE FROM `t`".to_owned(), "DELETE FROM `\\`".to_owned()];
        assert_snapshot!(script.write(&statements, 3, "gone").expect("text"), @r#"
        SET @trueup_rows = 0;
        DELETE FROM `t`;
        SET @trueup_rows = @trueup_rows + ROW_COUNT();
        SET @trueup_do = _utf8mb4 x'44454c4554452046524f4d20605c60';
        PREPARE trueup_do FROM @trueup_do;
        EXECUTE trueup_do;
        SET @trueup_rows = @trueup_rows + ROW_COUNT();
        DEALLOCATE PREPARE trueup_do;
        SET @trueup_done = @trueup_done + (@trueup_rows = 3);
        SET sql_mode = IF(@trueup_done = 1, @@sql_mode, 'trueup: gone');
        "#);
        assert_snapshot!(script.commit(), @r#"
        SET @trueup_do = IF(@trueup_done = 1, 'COMMIT', 'ROLLBACK');
        PREPARE trueup_do FROM @trueup_do;
        EXECUTE trueup_do;
        DEALLOCATE PREPARE trueup_do;
        "#);
    }
}
