//! Sequences: identity columns, serial, `DEFAULT nextval('…')`. They take no part in transactions.

use super::super::sequence::{Numbering, Sequence};
use super::super::{Column, TableName};
use super::literal::quoted;
use super::{identifier, table};
use crate::value::Type;

/// PostgreSQL's sequences.
#[derive(Debug)]
pub(super) struct Sequences;

impl Numbering for Sequences {
    fn position(&self, _table: &TableName, sequence: &Sequence) -> String {
        match &sequence.name {
            Some(name) => format!("SELECT last_value::text, is_called::text FROM {}", table(name)),
            None => "SELECT NULL::text, NULL::text WHERE FALSE".to_owned(),
        }
    }

    fn furthest(&self, name: &TableName, column: &str, smallest: bool, scope: Option<&str>) -> String {
        let scope = scope.map(|scope| format!(" WHERE {scope}")).unwrap_or_default();
        let what = if smallest { "min" } else { "max" };
        format!("SELECT {what}({})::text FROM {}{scope}", identifier(column), table(name))
    }

    fn count_from(&self, name: &TableName, column: &str, smallest: bool, from: i128) -> String {
        let sign = if smallest { "<=" } else { ">=" };
        format!("SELECT count(*)::text FROM {} WHERE {} {sign} {from}", table(name), identifier(column))
    }

    fn set(&self, name: &TableName, sequence: &Sequence, next: i128) -> Vec<String> {
        let last = if sequence.descends() { sequence.min } else { sequence.max };
        let beyond = if sequence.descends() { next < last } else { next > last };
        let (value, called) = if beyond { (last, true) } else { (next, false) };
        let Some(own) = &sequence.name else {
            // Made by the plan itself; by now nobody knows its name but the server.
            let of = quoted(&table(name)).and_then(|table| Ok((table, quoted(&sequence.column)?)));
            let Ok((table, column)) = of else { return Vec::new() };
            return vec![format!(
                "SELECT setval(s, {value}, {called}) FROM pg_get_serial_sequence({table}, {column}) AS s \
                 WHERE coalesce(pg_sequence_last_value(s::regclass) + 1::numeric, 0) < {next}"
            )];
        };
        let Ok(text) = quoted(&table(own)) else { return Vec::new() };
        let sign = if sequence.descends() { ">" } else { "<" };
        // What was drawn since the plan was made is not given twice.
        vec![format!(
            "SELECT setval({text}, {value}, {called}) FROM {} \
             WHERE last_value + CASE WHEN is_called THEN {} ELSE 0 END::numeric {sign} {next}",
            table(own),
            sequence.increment
        )]
    }

    fn made(&self, column: &Column) -> Option<Sequence> {
        column.identity?;
        let bytes = match column.column_type.meaning {
            Type::Integer { bytes, unsigned: false } => bytes,
            _ => return None,
        };
        let max = match bytes {
            2 => i128::from(i16::MAX),
            4 => i128::from(i32::MAX),
            _ => i128::from(i64::MAX),
        };
        Some(Sequence::counter(&column.name, max))
    }

    fn counts_inserted(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_goes_on_and_never_back() {
        let name = TableName::qualified("public", "t");
        let own = Some(TableName::qualified("public", "it's"));
        let up = Sequence { name: own.clone(), ..Sequence::counter("id", 127) };
        let down = Sequence { increment: -2, min: -9, max: -1, ..up.clone() };
        insta::assert_snapshot!(Sequences.set(&name, &up, 51)[0], @r#"SELECT setval('"public"."it''s"', 51, false) FROM "public"."it's" WHERE last_value + CASE WHEN is_called THEN 1 ELSE 0 END::numeric < 51"#);
        insta::assert_snapshot!(Sequences.set(&name, &up, 128)[0], @r#"SELECT setval('"public"."it''s"', 127, true) FROM "public"."it's" WHERE last_value + CASE WHEN is_called THEN 1 ELSE 0 END::numeric < 128"#);
        insta::assert_snapshot!(Sequences.set(&name, &down, -5)[0], @r#"SELECT setval('"public"."it''s"', -5, false) FROM "public"."it's" WHERE last_value + CASE WHEN is_called THEN -2 ELSE 0 END::numeric > -5"#);
        let made = Sequence { name: None, ..up };
        insta::assert_snapshot!(Sequences.set(&name, &made, 5)[0], @r#"SELECT setval(s, 5, false) FROM pg_get_serial_sequence('"public"."t"', 'id') AS s WHERE coalesce(pg_sequence_last_value(s::regclass) + 1::numeric, 0) < 5"#);
    }
}
