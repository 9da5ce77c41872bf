//! Reads: what is selected, in which order, and which rows.
//!
//! Keys of one side bound ranges on the other, so a bound may be no value of the column at all (a year 0, a
//! text with NUL, a number beyond the integer's range). Such a bound is moved to the nearest value the column
//! can hold, with the comparison changed to match, so that no row falls out of a range or into two.

use super::super::{Column, Select, SelectColumn, Selection, TableName, alike};
use super::literal::{
    STAMP_END, STAMP_FIRST, bytes_literal, date_text, float_text, quoted, stamp_text, uuid_text,
};
use super::{Postgres, identifier, table};
use crate::value::{Civil, ColumnType, Date, Domain, Key, KeyRange, Stamp, Type, Value, decode, fields};

const DAY: i64 = 86_400_000_000;

/// Which rows a table's name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Those of the table, without its inheritance children.
    Own,
    /// Those of its partitions.
    Parts,
    /// Whichever of the two is right, decided by the server: for SQL that is written before anyone asked.
    Either,
}

/// The statement of a read.
pub(crate) fn render(select: &Select, rows: Rows) -> String {
    let columns: Vec<String> = select.columns.iter().map(payload_expression).collect();
    let only = if rows == Rows::Own { "ONLY " } else { "" };
    let mut conditions = vec![key_condition(select)];
    conditions.extend(select.scope.as_ref().map(|scope| format!("({scope})")));
    if rows == Rows::Either {
        conditions.push(own_rows(&select.table, &table(&select.table)));
    }
    conditions.retain(|condition| condition != "TRUE");
    let mut sql = format!("SELECT {} FROM {only}{}", columns.join(", "), table(&select.table));
    if !conditions.is_empty() {
        sql.push_str(" WHERE ");
        sql.push_str(&conditions.join(" AND "));
    }
    if select.ordered && select.key_columns > 0 {
        sql.push_str(" ORDER BY ");
        sql.push_str(&key_order(select));
    }
    if select.locked {
        sql.push_str(" FOR UPDATE");
    }
    sql
}

/// Rows of the table itself or, of a partitioned table, of its partitions; never of inheritance children.
pub(super) fn own_rows(name: &TableName, alias: &str) -> String {
    let oid = quoted(&table(name)).unwrap_or_else(|_| "''".to_owned());
    format!(
        "({alias}.tableoid = {oid}::regclass OR \
         (SELECT relkind = 'p' FROM pg_catalog.pg_class WHERE oid = {oid}::regclass))"
    )
}

/// What is selected of a column so that the scanner can make the domain's payload of it.
pub(crate) fn payload_expression(column: &SelectColumn) -> String {
    let name = identifier(&column.column.name);
    let meaning = &column.column.column_type.meaning;
    match &column.domain {
        Domain::Native => printed(&name, &column.column.column_type),
        Domain::Text if !matches!(meaning, Type::Text { .. }) || is_citext(&column.column) => {
            printed(&name, &column.column.column_type)
        }
        // `oid` has no sign.
        Domain::Integer { .. } if matches!(meaning, Type::Integer { unsigned: true, .. }) => {
            format!("{name}::int8")
        }
        Domain::JsonText if *meaning != Type::JsonText => format!("{name}::text"),
        Domain::Json { canonical: false } if *meaning != Type::Json => format!("{name}::jsonb"),
        _ => name,
    }
}

/// The exact text of a value: by a cast, except where that says less or more than the type's own output.
pub(crate) fn printed(name: &str, column: &ColumnType) -> String {
    if matches!(column.meaning, Type::Address { .. }) {
        // The cast would print the prefix length of a whole address too.
        return format!("textin(inet_out({name}))");
    }
    if column.meaning != Type::Other {
        return format!("{name}::text");
    }
    match column.declared.as_str() {
        // The cast takes the blanks off.
        "bpchar" => format!("textin(bpcharout({name}))"),
        "\"char\"" => printed_char(name),
        declared => match catalog_of(declared) {
            Some(catalog) => printed_object(name, catalog),
            None => format!("{name}::text"),
        },
    }
}

/// Bytes that are no ASCII in octal, as PostgreSQL 16 has it.
fn printed_char(name: &str) -> String {
    let byte = format!("(({name})::int4 + 256)");
    format!(
        "CASE WHEN ({name})::int4 >= 0 THEN {name}::text ELSE E'\\\\' || ({byte} >> 6) || (({byte} >> 3) & 7) || \
         ({byte} & 7) END"
    )
}

/// The catalog whose objects a type names by the search path.
fn catalog_of(declared: &str) -> Option<&'static str> {
    Some(match declared {
        "regclass" => "pg_class",
        "regproc" | "regprocedure" => "pg_proc",
        "regoper" | "regoperator" => "pg_operator",
        "regtype" => "pg_type",
        "regcollation" => "pg_collation",
        "regconfig" => "pg_ts_config",
        "regdictionary" => "pg_ts_dict",
        _ => return None,
    })
}

/// The name with its schema, and the OID of what is not there (any more).
fn printed_object(name: &str, catalog: &str) -> String {
    format!(
        "CASE WHEN EXISTS (SELECT FROM pg_catalog.{catalog} o WHERE o.oid = {name}::oid) THEN \
         (pg_catalog.pg_identify_object('pg_catalog.{catalog}'::regclass, {name}::oid, 0)).identity \
         ELSE {name}::oid::text END"
    )
}

/// The ORDER BY list of the key columns.
pub(crate) fn key_order(select: &Select) -> String {
    let key = &select.columns[..select.key_columns];
    let terms: Vec<String> = key
        .iter()
        .map(|column| {
            // PostgreSQL orders nulls last, the common order has them first.
            let nulls = if column.column.nullable { " NULLS FIRST" } else { "" };
            format!("{}{nulls}", ordered_expression(column))
        })
        .collect();
    terms.join(", ")
}

/// The expression whose order is that of the domain's payloads.
fn ordered_expression(column: &SelectColumn) -> String {
    let name = identifier(&column.column.name);
    let meaning = &column.column.column_type.meaning;
    match (&column.domain, meaning) {
        (Domain::Text, Type::Text { .. }) => by_code_point(&name, &column.column),
        (Domain::Json { .. } | Domain::JsonText, _) => format!("{name}::text COLLATE \"C\""),
        (Domain::Text | Domain::Native, _) => {
            format!("({}) COLLATE \"C\"", printed(&name, &column.column.column_type))
        }
        (Domain::Integer { .. }, Type::Integer { unsigned: true, .. }) => format!("{name}::int8"),
        (Domain::Uuid, Type::Uuid) => name,
        (Domain::Uuid, _) => format!("{name}::uuid"),
        (Domain::Integer { .. }, Type::Boolean) => format!("{name}::integer"),
        (Domain::DateTime | Domain::Instant, Type::Date) => format!("{name}::timestamp"),
        _ => name,
    }
}

/// Whether a column is of `citext`, or of a domain over it: the catalog says so in place of its collation.
pub(super) fn is_citext(column: &Column) -> bool {
    column.collation.as_deref() == Some("citext")
}

pub(super) fn by_code_point(name: &str, column: &Column) -> String {
    match column.collation {
        // Its operators are not those of text.
        Some(_) if is_citext(column) => format!("{name}::text COLLATE \"C\""),
        Some(_) => format!("{name} COLLATE \"C\""),
        None => name.to_owned(),
    }
}

/// The condition of the rows that are selected, `TRUE` for all.
pub(crate) fn key_condition(select: &Select) -> String {
    let key = &select.columns[..select.key_columns];
    match &select.selection {
        Selection::Range(range) => range_condition(key, range),
        Selection::Keys(keys) => keys_condition(key, keys),
        Selection::Alike(keys) => alike::condition(&Postgres, key, keys, ""),
    }
}

fn range_condition(key: &[SelectColumn], range: &KeyRange) -> String {
    let ends = [(&range.from, End::From), (&range.to, End::To)];
    let conditions: Vec<String> = ends
        .into_iter()
        .filter_map(|(bound, end)| Some(end_condition(&terms(key, bound.as_ref()?), end)))
        .collect();
    if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") }
}

/// Which end of a range: keys from its bound on, or keys before its bound.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    From,
    To,
}

/// A key column beside one key's value of it.
struct Term {
    expression: String,
    bound: Bound,
    nullable: bool,
}

/// Where a value lies among those the column can hold.
enum Bound {
    Null,
    /// It is this literal.
    At(String),
    /// It lies just below this literal, which is the first above it that the column may hold.
    Below(String),
    /// It lies just above this literal, which is the last below it that the column may hold.
    Above(String),
}

fn terms(key: &[SelectColumn], bound: &Key) -> Vec<Term> {
    key.iter()
        .zip(fields(bound.bytes()))
        .map(|(column, field)| {
            let value = decode(&column.domain, field);
            let (expression, bound) = bound_of(column, &value);
            Term { expression, bound, nullable: column.column.nullable }
        })
        .collect()
}

fn end_condition(terms: &[Term], end: End) -> String {
    // A row comparison is one index condition on all columns; the expanded form would read a whole group of
    // equal leading values for every range in it.
    let plain = terms.iter().all(|term| matches!(term.bound, Bound::At(_)) && !term.nullable);
    if plain && !terms.is_empty() {
        let operator = if end == End::From { ">=" } else { "<" };
        let expressions: Vec<&str> = terms.iter().map(|term| term.expression.as_str()).collect();
        let literals: Vec<&str> = terms
            .iter()
            .filter_map(
                |term| if let Bound::At(literal) = &term.bound { Some(literal.as_str()) } else { None },
            )
            .collect();
        return match terms.len() {
            1 => format!("{} {operator} {}", expressions[0], literals[0]),
            _ => format!("({}) {operator} ({})", expressions.join(", "), literals.join(", ")),
        };
    }
    expanded(terms, end)
}

/// `k1 >= a AND (k1 > a OR …)`, so that the leading column is bounded on its own.
fn expanded(terms: &[Term], end: End) -> String {
    let Some((first, rest)) = terms.split_first() else {
        return if end == End::From { "TRUE" } else { "FALSE" }.to_owned();
    };
    let beyond = first.beyond(end);
    let Some(within) = first.equal_or_beyond(end) else { return beyond };
    if rest.is_empty() {
        return if end == End::From { within } else { beyond };
    }
    format!("({within} AND ({beyond} OR {}))", expanded(rest, end))
}

impl Term {
    /// Strictly on the range's side of the bound.
    fn beyond(&self, end: End) -> String {
        let expression = &self.expression;
        let condition = match (&self.bound, end) {
            (Bound::Null, End::From) => return format!("{expression} IS NOT NULL"),
            (Bound::Null, End::To) => return "FALSE".to_owned(),
            (Bound::At(literal) | Bound::Above(literal), End::From) => format!("{expression} > {literal}"),
            (Bound::Below(literal), End::From) => format!("{expression} >= {literal}"),
            (Bound::At(literal) | Bound::Below(literal), End::To) => format!("{expression} < {literal}"),
            (Bound::Above(literal), End::To) => format!("{expression} <= {literal}"),
        };
        self.with_nulls(condition, end)
    }

    /// On the range's side of the bound or at it; `None` where no value is at it.
    fn equal_or_beyond(&self, end: End) -> Option<String> {
        let expression = &self.expression;
        match (&self.bound, end) {
            (Bound::Null, End::From) => Some("TRUE".to_owned()),
            (Bound::Null, End::To) => Some(format!("{expression} IS NULL")),
            (Bound::At(literal), End::From) => Some(format!("{expression} >= {literal}")),
            (Bound::At(literal), End::To) => Some(self.with_nulls(format!("{expression} <= {literal}"), end)),
            (Bound::Below(_) | Bound::Above(_), _) => None,
        }
    }

    /// Nulls come before every value.
    fn with_nulls(&self, condition: String, end: End) -> String {
        if self.nullable && end == End::To {
            return format!("({condition} OR {} IS NULL)", self.expression);
        }
        condition
    }
}

/// The expression to compare and where the value lies among its values.
fn bound_of(column: &SelectColumn, value: &Value) -> (String, Bound) {
    let expression = ordered_expression(column);
    let meaning = &column.column.column_type.meaning;
    let bound = match value {
        Value::Null => Bound::Null,
        Value::Boolean(value) => Bound::At(match (meaning, value) {
            (Type::Boolean, true) => "TRUE".to_owned(),
            (Type::Boolean, false) => "FALSE".to_owned(),
            (_, value) => i32::from(*value).to_string(),
        }),
        Value::Integer(number) => Bound::At(number_literal(&number.to_string())),
        Value::Decimal(decimal) => Bound::At(format!("'{}'::numeric", decimal.as_str())),
        Value::Float32(number) => {
            Bound::At(format!("'{}'::real", float_text((*number).into(), format!("{number:?}"))))
        }
        Value::Float64(number) => {
            Bound::At(format!("'{}'::double precision", float_text(*number, format!("{number:?}"))))
        }
        Value::Text(text) | Value::Json(text) | Value::Native(text) => {
            return text_bound(column, expression, text.as_bytes());
        }
        Value::RawText(bytes) => return text_bound(column, expression, bytes),
        Value::Bytes(bytes) => Bound::At(bytes_literal(bytes)),
        Value::Date(date) => date_bound(*date),
        Value::Time(time) if time.0 < 0 => Bound::Below("'00:00'::time".to_owned()),
        Value::Time(time) if time.0 > DAY => Bound::Above("'24:00'::time".to_owned()),
        Value::Time(time) => Bound::At(format!("'{time}'::time")),
        Value::DateTime(stamp) | Value::Instant(stamp) => {
            stamp_bound(*stamp, matches!(meaning, Type::Instant { .. }))
        }
        Value::Uuid(bytes) => Bound::At(format!("'{}'::uuid", uuid_text(bytes))),
        Value::OtherStorage(value) => return bound_of(column, value),
    };
    (expression, bound)
}

fn number_literal(digits: &str) -> String {
    // A cast binds tighter than a sign, hence the parentheses.
    if digits.starts_with('-') { format!("({digits})") } else { digits.to_owned() }
}

/// Text that PostgreSQL cannot hold is compared as the bytes it is.
fn text_bound(column: &SelectColumn, expression: String, bytes: &[u8]) -> (String, Bound) {
    let fixed = matches!(column.column.column_type.meaning, Type::Text { fixed: true, .. });
    match std::str::from_utf8(bytes).ok().and_then(|text| quoted(text).ok()) {
        Some(literal) if fixed => (expression, Bound::At(format!("{literal}::bpchar"))),
        Some(literal) => (expression, Bound::At(format!("{literal}::text"))),
        None => {
            let printed = printed(&identifier(&column.column.name), &column.column.column_type);
            (format!("convert_to({printed}, 'UTF8')"), Bound::At(bytes_literal(bytes)))
        }
    }
}

fn date_bound(date: Date) -> Bound {
    match date.civil() {
        Civil::Impossible { .. } => Bound::Above("'-infinity'::date".to_owned()),
        Civil::Day { year, .. } if year < -4712 => Bound::Above("'-infinity'::date".to_owned()),
        Civil::Day { year, .. } if year > 5_874_897 => Bound::Below("'infinity'::date".to_owned()),
        _ => Bound::At(format!("'{}'::date", date_text(date))),
    }
}

fn stamp_bound(stamp: Stamp, zone: bool) -> Bound {
    let declared = if zone { "timestamptz" } else { "timestamp" };
    match stamp.0 {
        i64::MIN | i64::MAX | STAMP_FIRST..STAMP_END => {
            Bound::At(format!("'{}'::{declared}", stamp_text(stamp, zone)))
        }
        micros if micros < STAMP_FIRST => Bound::Above(format!("'-infinity'::{declared}")),
        _ => Bound::Below(format!("'infinity'::{declared}")),
    }
}

/// Rows with one of these keys. One column: a list, which an index serves; several: a join with VALUES.
fn keys_condition(key: &[SelectColumn], keys: &[Key]) -> String {
    let mut plain = Vec::new();
    let mut others = Vec::new();
    for terms in keys.iter().map(|bound| equality_terms(key, bound)) {
        match terms {
            Equality::Nothing => {}
            Equality::Plain(literals) => plain.push(literals),
            Equality::Other(condition) => others.push(condition),
        }
    }
    if !plain.is_empty() {
        others.push(plain_keys(key, &plain));
    }
    match others.len() {
        0 => "FALSE".to_owned(),
        1 => others.remove(0),
        _ => format!("({})", others.join(" OR ")),
    }
}

enum Equality {
    /// No row can have this key.
    Nothing,
    Plain(Vec<String>),
    Other(String),
}

fn equality_terms(key: &[SelectColumn], bound: &Key) -> Equality {
    let terms = terms(key, bound);
    if terms.iter().any(|term| matches!(term.bound, Bound::Below(_) | Bound::Above(_))) {
        return Equality::Nothing;
    }
    let as_bytes = terms.iter().any(|term| term.expression.starts_with("convert_to("));
    let null = terms.iter().any(|term| matches!(term.bound, Bound::Null));
    if as_bytes || null {
        let parts: Vec<String> = terms
            .iter()
            .map(|term| match &term.bound {
                Bound::At(literal) => format!("{} = {literal}", term.expression),
                _ => format!("{} IS NULL", term.expression),
            })
            .collect();
        return Equality::Other(format!("({})", parts.join(" AND ")));
    }
    let literals = terms.into_iter().filter_map(|term| match term.bound {
        Bound::At(literal) => Some(literal),
        _ => None,
    });
    Equality::Plain(literals.collect())
}

fn plain_keys(key: &[SelectColumn], keys: &[Vec<String>]) -> String {
    let expressions: Vec<String> = key.iter().map(equal_expression).collect();
    match expressions.as_slice() {
        [single] => {
            let list: Vec<&str> = keys.iter().map(|literals| literals[0].as_str()).collect();
            format!("{single} IN ({})", list.join(", "))
        }
        _ => {
            let rows: Vec<String> =
                keys.iter().map(|literals| format!("({})", literals.join(", "))).collect();
            format!("({}) IN (VALUES {})", expressions.join(", "), rows.join(", "))
        }
    }
}

/// The expression an index on the column serves: without COLLATE, equality is the same or wider.
fn equal_expression(column: &SelectColumn) -> String {
    match (&column.domain, &column.column.column_type.meaning) {
        // Also `citext`, beside which a text is one without regard to case.
        (Domain::Text, Type::Text { .. }) if !is_citext(&column.column) => identifier(&column.column.name),
        _ => ordered_expression(column),
    }
}
