//! The texts and numbers that one value may be stored as: a UUID, a moment and a decimal have several.
//!
//! A key column with several is looked up by all of them, so that an index serves. From the second such column on
//! the lists would multiply: these are brought to one form by functions that every SQLite has, behind the columns
//! that an index has found already. An unusual spelling may be missed, never another value taken.

use super::declared::Affinity;
use super::identifier;
use super::literal::{Neighbour, hex, moment, neighbour, plain, text, uuid};
use super::script::{ALIAS, as_compared};
use crate::sql::{Column, SelectColumn};
use crate::value::{Domain, Type, Value};

/// How rows are found by their keys.
pub(super) struct SpelledKeys<'a> {
    key: &'a [Column],
    /// For each column what brings its values to one form, where they are not listed in all.
    forms: Vec<Option<Form>>,
    /// For each column whether its storage class must be matched too: in a column without affinity 1 and 1.0 are two.
    classes: Vec<bool>,
}

/// What has several spellings.
#[derive(Clone, Copy)]
enum Form {
    Uuid,
    Time,
    DateTime,
    Instant,
}

impl<'a> SpelledKeys<'a> {
    /// For these keys.
    pub(super) fn new(key: &'a [Column], keys: &[Vec<Value>]) -> Self {
        let form = |at: usize| keys.iter().find_map(|values| Form::of(&values[at]));
        let mut forms: Vec<Option<Form>> = (0..key.len()).map(form).collect();
        // The first is listed.
        if let Some(first) = forms.iter_mut().find(|form| form.is_some()) {
            *first = None;
        }
        let has_classes = |(at, column): (usize, &Column)| {
            Affinity::of(&column.column_type.declared) == Affinity::Blob
                && keys.iter().any(|values| matches!(type_name(&values[at]), "integer" | "real"))
        };
        SpelledKeys { key, forms, classes: key.iter().enumerate().map(has_classes).collect() }
    }

    /// What a row's literals are compared with. `table` qualifies the columns, for a table may itself have a column
    /// `column1`.
    pub(super) fn expressions(&self, table: Option<&str>) -> Vec<String> {
        let table = table.map(|table| format!("{}.", identifier(table))).unwrap_or_default();
        let mut expressions = Vec::new();
        for ((column, form), with_class) in self.key.iter().zip(&self.forms).zip(&self.classes) {
            let name = format!("{table}{}", identifier(&column.name));
            expressions.push(match form {
                Some(form) => form.expression(&name),
                None if column.collation.is_some() => format!("{name} COLLATE BINARY"),
                None => name.clone(),
            });
            if *with_class {
                expressions.push(format!("typeof({name})"));
            }
        }
        expressions
    }

    /// The rows of literals, one of which the expressions of the key's row equal.
    pub(super) fn rows(&self, values: &[Value]) -> Vec<Vec<String>> {
        let mut rows: Vec<Vec<String>> = vec![Vec::new()];
        let columns = self.key.iter().zip(&self.forms).zip(&self.classes);
        for (((column, form), with_class), value) in columns.zip(values) {
            let class = with_class.then(|| format!("'{}'", type_name(value)));
            let spellings = match form {
                Some(form) => vec![form.literal(value)],
                None => spellings(value, &column.column_type.meaning),
            };
            let longer = |row: Vec<String>| {
                let spelled = |spelling: &String| {
                    [row.as_slice(), std::slice::from_ref(spelling), class.as_slice()].concat()
                };
                spellings.iter().map(spelled).collect::<Vec<_>>()
            };
            rows = rows.into_iter().flat_map(longer).collect();
        }
        rows
    }
}

impl Form {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Uuid(_) => Some(Form::Uuid),
            Value::Time(_) => Some(Form::Time),
            Value::DateTime(_) => Some(Form::DateTime),
            Value::Instant(_) => Some(Form::Instant),
            _ => None,
        }
    }

    /// The stored value in one form.
    fn expression(self, column: &str) -> String {
        match self {
            Form::Uuid => bare_uuid(column),
            Form::Time => format!(
                "CASE WHEN {column} LIKE '%:%:%' THEN {} ELSE {column} || ':00' END",
                without_zeros(column)
            ),
            Form::DateTime => date_time(column, false),
            Form::Instant => date_time(column, true),
        }
    }

    /// A value in this form.
    fn literal(self, value: &Value) -> String {
        match value {
            Value::Uuid(bytes) => format!("'{}'", uuid(bytes).replace('-', "")),
            Value::Time(time) => trimmed(&time.to_string()),
            Value::DateTime(stamp) | Value::Instant(stamp) => trimmed(&moment(*stamp)),
            value => plain(value),
        }
    }
}

/// A stored UUID as 32 lower-case digits.
pub(super) fn bare_uuid(column: &str) -> String {
    format!(
        "CASE typeof({column}) WHEN 'blob' THEN lower(hex({column})) \
         WHEN 'text' THEN lower(replace({column}, '-', '')) END"
    )
}

/// A text as a literal, without the zeros at the end of its fraction.
pub(super) fn trimmed(value: &str) -> String {
    text(if value.contains('.') { value.trim_end_matches('0').trim_end_matches('.') } else { value })
}

/// The same of an expression.
pub(super) fn without_zeros(x: &str) -> String {
    format!("CASE WHEN instr({x}, '.') THEN rtrim(rtrim({x}, '0'), '.') ELSE {x} END")
}

/// A stored date and time as `YYYY-MM-DD HH:MM:SS[.f]` with the fewest digits; `utc` takes a zone that says UTC
/// away.
pub(super) fn date_time(column: &str, utc: bool) -> String {
    let bare = match utc {
        false => format!("SELECT replace({column}, 'T', ' ') AS x"),
        true => format!(
            "SELECT CASE WHEN x LIKE '%Z' THEN substr(x, 1, length(x) - 1) \
             WHEN x LIKE '%+00:00' THEN substr(x, 1, length(x) - 6) \
             WHEN x LIKE '%+00' THEN substr(x, 1, length(x) - 3) ELSE x END AS x \
             FROM (SELECT replace({column}, 'T', ' ') AS x)"
        ),
    };
    format!(
        "(SELECT CASE WHEN instr(x, '.') THEN rtrim(rtrim(x, '0'), '.') \
         ELSE x || substr(' 00:00:00', length(x) - 9) END FROM ({bare}))"
    )
}

/// The condition that a column holds a value in a spelling that SQLite can tell: never true of another value.
pub(super) fn certainly_is(part: &SelectColumn, value: &str, zero: bool) -> String {
    let column = format!("{ALIAS}.{}", identifier(&part.column.name));
    match &part.domain {
        // Years of more digits than four, and a plus; a year before 0 begins with a minus.
        Domain::Date => format!("ltrim({column}, '+0') IS ltrim({value}, '+0')"),
        Domain::Address => format!(
            "(lower({column}) IS {value}              OR lower({column}) = {value} || CASE WHEN instr({value}, ':') THEN '/128' ELSE '/32' END)"
        ),
        Domain::Json { .. } => format!(
            "({column} IS {value} OR CASE WHEN {} AND {} THEN {} ELSE 0 END)",
            is_plain_document(&column),
            is_plain_document(value),
            same_tree(&column, value)
        ),
        _ => as_compared(part, value, zero),
    }
}

/// The condition that a column may hold a value: never false where it does, in whatever spelling.
pub(super) fn may_be(part: &SelectColumn, value: &str, zero: bool) -> String {
    let (same, column) =
        (certainly_is(part, value, zero), format!("{ALIAS}.{}", identifier(&part.column.name)));
    let untold = match &part.domain {
        Domain::Date => format!("NOT {}", is_usual_date(&column)),
        Domain::Time => format!("NOT {}", is_usual_time(&column)),
        Domain::DateTime => format!("NOT {}", is_usual_date_time(&column)),
        Domain::Instant if matches!(part.column.column_type.meaning, Type::Zoned { .. }) => {
            format!("NOT {}", is_usual_date_time(&column))
        }
        Domain::Instant => format!("NOT {}", is_usual_instant(&column)),
        Domain::Json { .. } => {
            format!("NOT ({} AND {})", is_plain_document(&column), is_plain_document(value))
        }
        Domain::Address => format!("instr({column}, ':') AND instr({value}, ':')"),
        // Equal numbers are close to each other also where a text of many digits is not rounded well.
        Domain::Decimal { .. } => format!(
            "coalesce(abs(CAST({column} AS REAL) - CAST({value} AS REAL)) <= abs(CAST({value} AS REAL)) * 1e-9, 1)"
        ),
        _ => return same,
    };
    format!("({same} OR ({column} IS NOT NULL AND {value} IS NOT NULL AND ({untold})))")
}

fn is_usual_date(x: &str) -> String {
    format!("({x} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]')")
}

/// `HH:MM[:SS[.f]]`.
fn is_usual_time(x: &str) -> String {
    format!(
        "({x} GLOB '[0-9][0-9]:[0-5][0-9]' OR {x} GLOB '[0-9][0-9]:[0-5][0-9]:[0-5][0-9]' \
         OR ({x} GLOB '[0-9][0-9]:[0-5][0-9]:[0-5][0-9].[0-9]*' AND substr({x}, 10) NOT GLOB '*[^0-9]*'))"
    )
}

/// A date, or a date and a time behind a blank or a T.
fn is_usual_date_time(x: &str) -> String {
    format!(
        "({} OR ({} AND substr({x}, 11, 1) IN (' ', 'T') AND {}))",
        is_usual_date(x),
        is_usual_date(&format!("substr({x}, 1, 10)")),
        is_usual_time(&format!("substr({x}, 12)"))
    )
}

/// The same with the zones that a guard knows: another one than UTC only behind whole seconds or their fraction.
fn is_usual_instant(x: &str) -> String {
    let bare = format!(
        "SELECT CASE WHEN {x} GLOB '*Z' THEN substr({x}, 1, length({x}) - 1) \
         WHEN {x} GLOB '*+00:00' THEN substr({x}, 1, length({x}) - 6) \
         WHEN {x} GLOB '*+00' THEN substr({x}, 1, length({x}) - 3) \
         WHEN {x} GLOB '*[+-][01][0-9]:[0-5][0-9]' AND length({x}) >= 25 AND substr({x}, -5, 2) <= '14' \
         THEN substr({x}, 1, length({x}) - 6) ELSE {x} END AS x"
    );
    format!("(SELECT {} FROM ({bare}))", is_usual_date_time("x"))
}

/// Whether a document is one of which SQLite's own functions tell every member: no escapes, no name twice, and no
/// number that a double rounds.
fn is_plain_document(x: &str) -> String {
    let digits = "[0-9.]".repeat(16);
    format!(
        "CASE WHEN json_valid({x}) THEN typeof({x}) <> 'real' AND instr({x}, '\\') = 0 \
         AND {x} NOT GLOB '*{digits}*' AND {x} NOT GLOB '*[eE][0-9][0-9]*' AND {x} NOT GLOB '*[eE][+-][0-9][0-9]*' \
         AND {x} NOT GLOB '-0*' AND {x} NOT GLOB '*[[:, ]-0*' \
         AND (SELECT count(*) = count(DISTINCT fullkey) FROM json_tree({x})) ELSE 0 END"
    )
}

/// The same members and elements, of plain documents; numbers are equal by their values.
fn same_tree(a: &str, b: &str) -> String {
    let parts = |json: &str| {
        format!(
            "SELECT fullkey, CASE WHEN type IN ('integer', 'real') THEN 'number' ELSE type END, atom \
             FROM json_tree({json})"
        )
    };
    let (a, b) = (parts(a), parts(b));
    format!("NOT EXISTS ({a} EXCEPT {b}) AND NOT EXISTS ({b} EXCEPT {a})")
}

/// What SQLite's `typeof` says of a value.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Boolean(_) | Value::Integer(_) => "integer",
        Value::Float32(_) | Value::Float64(_) => "real",
        Value::Bytes(_) => "blob",
        Value::OtherStorage(inner) => type_name(inner),
        _ => "text",
    }
}

/// The ways in which a value may be stored.
fn spellings(value: &Value, meaning: &Type) -> Vec<String> {
    match value {
        Value::Uuid(bytes) => {
            let lower = uuid(bytes);
            let bare = lower.replace('-', "");
            let texts = [lower.to_uppercase(), bare.to_uppercase(), bare, lower];
            let mut literals: Vec<String> = texts.iter().map(|text| format!("'{text}'")).collect();
            literals.push(hex(bytes));
            literals.sort();
            literals.dedup();
            literals
        }
        Value::Time(time) => {
            time_spellings(&time.to_string()).into_iter().map(|time| format!("'{time}'")).collect()
        }
        Value::DateTime(stamp) => moment_spellings(&moment(*stamp), &[""]),
        Value::Instant(stamp) => moment_spellings(&moment(*stamp), &["", "Z", "+00:00", "+00"]),
        Value::Decimal(number) => {
            let number_literals = [false, true].map(|reals_only| match neighbour(number, reals_only) {
                Neighbour::At(literal) => Some(literal),
                Neighbour::Below(_) | Neighbour::Above(_) => None,
            });
            let mut literals: Vec<String> = number_literals.into_iter().flatten().collect();
            literals.dedup();
            if matches!(meaning, Type::Text { .. } | Type::Other) {
                literals.push(format!("'{number}'"));
            }
            // What no number of SQLite stands for is not found; a blob equals none.
            if literals.is_empty() {
                literals.push("x''".to_owned());
            }
            literals
        }
        value => vec![plain(value)],
    }
}

/// `2024-01-01 00:00:00[.ffffff]` with either separator, shortened where zeros end it, with and without a zone
/// that says UTC.
fn moment_spellings(canonical: &str, zones: &[&str]) -> Vec<String> {
    let Some((date, time)) = canonical.split_once(' ') else { return vec![format!("'{canonical}'")] };
    let mut literals = Vec::new();
    for separator in [" ", "T"] {
        for time in time_spellings(time) {
            for zone in zones {
                literals.push(format!("'{date}{separator}{time}{zone}'"));
            }
        }
    }
    if time == "00:00:00" {
        literals.push(format!("'{date}'"));
    }
    literals
}

/// `HH:MM:SS[.ffffff]` with every fraction that says the same, and without seconds where they are zero.
fn time_spellings(canonical: &str) -> Vec<String> {
    let (whole, fraction) = canonical.split_once('.').unwrap_or((canonical, "000000"));
    let kept = fraction.trim_end_matches('0').len();
    let mut times: Vec<String> =
        (kept.max(1)..=6).map(|digits| format!("{whole}.{}", &fraction[..digits])).collect();
    if kept == 0 {
        times.push(whole.to_owned());
        times.extend(whole.strip_suffix(":00").map(str::to_owned));
    }
    times
}
