//! Sequences: identity columns, serial, `DEFAULT nextval('…')`. They take no part in transactions. Invariant: what moves
//! one never takes it back, whatever others draw from it meanwhile.

use super::super::sequence::{Numbering, Sequence};
use super::super::{Column, TableName};
use super::literal::quoted;
use super::{identifier, numbers, table};
use crate::value::Type;

/// So many numbers are drawn one by one, in a tenth of a second.
const DRAWN_MAX: u32 = 100_000;

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

    /// Nothing that a login may lock keeps others from drawing numbers, but what ALTER SEQUENCE takes: its owner's right,
    /// a change of structure for event triggers to see, and a wait for every open transaction that drew one, with all
    /// further inserts behind it. So the sequence is driven, not set, with the right that setting it takes: numbers are
    /// drawn until it stands there. What others draw meanwhile takes it further, never back, and no number is
    /// given twice. Only where more than [`DRAWN_MAX`] numbers lie between is it set, in the statement that drew the last
    /// one, which waits for nobody from there on: others would have to draw all of those in an instant (of a sequence
    /// with a CACHE as many parts of it). Numbers that were drawn leave a gap if the transaction is rolled back.
    fn set(&self, name: &TableName, sequence: &Sequence, next: i128) -> Vec<String> {
        let increment = sequence.increment;
        let last = if sequence.descends() { sequence.min } else { sequence.max };
        let beyond = if sequence.descends() { next < last } else { next > last };
        let (value, called) = if beyond { (last, true) } else { (next, false) };
        // How many more are to be drawn once `v` was.
        let steps = match beyond {
            true => format!("floor(({last} - v::numeric) / {increment})::bigint"),
            false => format!("ceil(({next} - v::numeric) / {increment})::bigint - 1"),
        };
        let go_on = |sequence: &str, from: &str| {
            let draw = format!("SELECT nextval({sequence}) AS n FROM generate_series(1, steps)");
            format!(
                "SELECT CASE WHEN steps <= {DRAWN_MAX} THEN (SELECT max(n) FROM ({draw}) AS more) \
                 ELSE setval({sequence}, {value}, {called}) END FROM ({from}) AS gap"
            )
        };
        let Some(own) = &sequence.name else {
            // Made by the plan itself; by now nobody knows its name but the server.
            let of = quoted(&table(name)).and_then(|table| Ok((table, quoted(&sequence.column)?)));
            let Ok((table, column)) = of else { return Vec::new() };
            let (sign, start) = (if sequence.descends() { ">" } else { "<" }, sequence.start.unwrap_or(1));
            let from = format!(
                "SELECT s, {steps} AS steps FROM (SELECT s, nextval(s) AS v \
                 FROM (SELECT pg_get_serial_sequence({table}, {column})::regclass AS s) AS own \
                 WHERE coalesce(pg_sequence_last_value(s) + {increment}::numeric, {start}) {sign} {next}) AS drawn"
            );
            return vec![go_on("s", &from)];
        };
        let Ok(text) = quoted(&table(own)) else { return Vec::new() };
        let sign = if sequence.descends() { ">" } else { "<" };
        let from = format!(
            "SELECT {steps} AS steps FROM (SELECT nextval({text}) AS v FROM {} \
             WHERE last_value + CASE WHEN is_called THEN {increment} ELSE 0 END::numeric {sign} {next}) AS drawn",
            table(own)
        );
        vec![go_on(&text, &from)]
    }

    fn makes_up(&self, name: &str, table: &str, column: &str) -> bool {
        numbers::makes_up(name, table, column)
    }

    fn made(&self, column: &Column) -> Option<Sequence> {
        if let Some(numbers) = &column.words.numbers {
            return Some(numbers.sequence(&column.name));
        }
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
        insta::assert_snapshot!(Sequences.set(&name, &up, 51)[0], @r#"SELECT CASE WHEN steps <= 100000 THEN (SELECT max(n) FROM (SELECT nextval('"public"."it''s"') AS n FROM generate_series(1, steps)) AS more) ELSE setval('"public"."it''s"', 51, false) END FROM (SELECT ceil((51 - v::numeric) / 1)::bigint - 1 AS steps FROM (SELECT nextval('"public"."it''s"') AS v FROM "public"."it's" WHERE last_value + CASE WHEN is_called THEN 1 ELSE 0 END::numeric < 51) AS drawn) AS gap"#);
        insta::assert_snapshot!(Sequences.set(&name, &up, 128)[0], @r#"SELECT CASE WHEN steps <= 100000 THEN (SELECT max(n) FROM (SELECT nextval('"public"."it''s"') AS n FROM generate_series(1, steps)) AS more) ELSE setval('"public"."it''s"', 127, true) END FROM (SELECT floor((127 - v::numeric) / 1)::bigint AS steps FROM (SELECT nextval('"public"."it''s"') AS v FROM "public"."it's" WHERE last_value + CASE WHEN is_called THEN 1 ELSE 0 END::numeric < 128) AS drawn) AS gap"#);
        insta::assert_snapshot!(Sequences.set(&name, &down, -5)[0], @r#"SELECT CASE WHEN steps <= 100000 THEN (SELECT max(n) FROM (SELECT nextval('"public"."it''s"') AS n FROM generate_series(1, steps)) AS more) ELSE setval('"public"."it''s"', -5, false) END FROM (SELECT ceil((-5 - v::numeric) / -2)::bigint - 1 AS steps FROM (SELECT nextval('"public"."it''s"') AS v FROM "public"."it's" WHERE last_value + CASE WHEN is_called THEN -2 ELSE 0 END::numeric > -5) AS drawn) AS gap"#);
        let made = Sequence { name: None, ..up };
        insta::assert_snapshot!(Sequences.set(&name, &made, 5)[0], @r#"SELECT CASE WHEN steps <= 100000 THEN (SELECT max(n) FROM (SELECT nextval(s) AS n FROM generate_series(1, steps)) AS more) ELSE setval(s, 5, false) END FROM (SELECT s, ceil((5 - v::numeric) / 1)::bigint - 1 AS steps FROM (SELECT s, nextval(s) AS v FROM (SELECT pg_get_serial_sequence('"public"."t"', 'id')::regclass AS s) AS own WHERE coalesce(pg_sequence_last_value(s) + 1::numeric, 1) < 5) AS drawn) AS gap"#);
    }
}
