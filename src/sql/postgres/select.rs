//! Reads: what is selected, in which order, and which rows.
//!
//! Keys of one side bound ranges on the other, so a bound may be no value of the column at all (a year 0, a
//! text with NUL, a number beyond the integer's range). Such a bound is moved to the nearest value the column
//! can hold, with the comparison changed to match, so that no row falls out of a range or into two.
//!
//! Where PostgreSQL holds values equal that the domain does not (1.0 and 1.00, −0.0 and 0.0), a second expression
//! breaks the tie; an index on the column still serves, for what it leaves open is sorted tie by tie.

use super::super::statement::told_columns;
use super::super::{Column, Select, SelectColumn, Selection, TableName, alike};
use super::literal::{
    STAMP_END, STAMP_FIRST, bytes_literal, date_text, float_text, quoted, stamp_text, uuid_text,
};
use super::{Postgres, copies, identifier, table, unique};
use crate::value::{
    Civil, ColumnType, Date, Decimal, Domain, Key, KeyRange, Stamp, Type, Value, decode, fields,
};

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
    rendered(select, rows, &columns.join(", "))
}

/// The statement that reads several tables in one go, in any order: for each row the number of its select, and the
/// row's columns with their types, as `record_send` puts them together.
pub(crate) fn render_together<'a>(selects: impl Iterator<Item = (usize, &'a Select)>) -> String {
    let parts = selects.map(|(number, select)| {
        let columns: Vec<String> = select.columns.iter().map(payload_expression).collect();
        let row = format!("{number}::int4, pg_catalog.record_send(ROW({}))", columns.join(", "));
        rendered(&Select { ordered: false, locked: false, ..select.clone() }, Rows::Own, &row)
    });
    parts.collect::<Vec<_>>().join(" UNION ALL ")
}

/// The read of these expressions.
pub(super) fn rendered(select: &Select, rows: Rows, columns: &str) -> String {
    let only = if rows == Rows::Own { "ONLY " } else { "" };
    let mut conditions = vec![key_condition(select)];
    conditions.extend(select.scope.as_ref().map(|scope| format!("({scope})")));
    if rows == Rows::Either {
        let copies = matches!(select.selection, Selection::Copies(_));
        let alias = if copies { "t".to_owned() } else { table(&select.table) };
        conditions.push(own_rows(&select.table, &alias));
    }
    conditions.retain(|condition| condition != "TRUE");
    // The copies are looked for under an alias.
    let alias = if matches!(select.selection, Selection::Copies(_)) { " AS t" } else { "" };
    let mut sql = format!("SELECT {columns} FROM {only}{}{alias}", table(&select.table));
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
        // Of a type that this database numbered itself.
        _ if is_citext(&column.column) => printed(&name, &column.column.column_type),
        Domain::Text if !matches!(meaning, Type::Text { .. }) => printed(&name, &column.column.column_type),
        // The cast takes the padding off, which no reading of another meaning expects.
        Domain::Uuid | Domain::Bits | Domain::Address
            if matches!(meaning, Type::Text { fixed: true, .. }) =>
        {
            format!("{name}::text")
        }
        // `oid` has no sign.
        _ if matches!(meaning, Type::Integer { unsigned: true, .. }) => format!("{name}::int8"),
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
    let terms = key.iter().map(|column| {
        // PostgreSQL orders nulls last, the common order has them first.
        let nulls = if column.column.nullable { " NULLS FIRST" } else { "" };
        let tie = Tie::of(column).map(|tie| format!(", {}", tie.expression(column)));
        format!("{}{nulls}{}", ordered_expression(column), tie.unwrap_or_default())
    });
    terms.collect::<Vec<_>>().join(", ")
}

/// What tells apart values that PostgreSQL holds equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tie {
    /// The digits after the point.
    Scale,
    /// Whether it is the zero without a minus.
    PositiveZero,
}

impl Tie {
    fn of(column: &SelectColumn) -> Option<Self> {
        match (&column.domain, &column.column.column_type.meaning) {
            // With a precision all values have the same scale.
            (Domain::Decimal { with_scale: true }, Type::Decimal { precision: None, .. }) => Some(Tie::Scale),
            (Domain::Float32 | Domain::Float64, _) => Some(Tie::PositiveZero),
            _ => None,
        }
    }

    fn expression(self, column: &SelectColumn) -> String {
        let name = identifier(&column.column.name);
        match self {
            Tie::Scale => format!("scale({name})"),
            Tie::PositiveZero => format!("(float8send({name}) = {})", bytes_literal(&[0; 8])),
        }
    }

    /// What the expression is for this value; `None` where nothing else equals it.
    fn bound(self, value: &Value) -> Option<Bound> {
        let sign = |negative: bool| Bound::At(if negative { "FALSE" } else { "TRUE" }.to_owned());
        match (self, value) {
            (Tie::Scale, Value::Decimal(number)) if number.is_finite() => {
                Some(Bound::At(number.scale().to_string()))
            }
            (Tie::PositiveZero, Value::Float32(number)) if *number == 0.0 => {
                Some(sign(number.is_sign_negative()))
            }
            (Tie::PositiveZero, Value::Float64(number)) if *number == 0.0 => {
                Some(sign(number.is_sign_negative()))
            }
            _ => None,
        }
    }
}

/// Whether an index on the plain column does not give the order.
pub(super) fn needs_sort(column: &Column, domain: &Domain) -> bool {
    let meaning = &column.column_type.meaning;
    let by_expression = match domain {
        // Another type that is read as text: no index has that order.
        Domain::Text => match meaning {
            Type::Text { .. } => column.collation.is_some(),
            _ => true,
        },
        Domain::Uuid | Domain::Bits => matches!(meaning, Type::Text { .. }),
        // `oid` is read as another type than it is.
        Domain::Integer { .. } => matches!(meaning, Type::Integer { unsigned: true, .. }),
        Domain::Native
        | Domain::Address
        | Domain::Json { .. }
        | Domain::JsonText
        | Domain::Storage { .. } => true,
        Domain::Boolean
        | Domain::Decimal { .. }
        | Domain::Float32
        | Domain::Float64
        | Domain::Bytes
        | Domain::Date
        | Domain::Time
        | Domain::DateTime
        | Domain::Instant => false,
    };
    // An index orders nulls last, the common order has them first.
    by_expression || column.nullable
}

/// The expression whose order is that of the domain's payloads.
fn ordered_expression(column: &SelectColumn) -> String {
    let name = identifier(&column.column.name);
    let meaning = &column.column.column_type.meaning;
    let as_text = |name: &str| format!("({}) COLLATE \"C\"", printed(name, &column.column.column_type));
    match (&column.domain, meaning) {
        (Domain::Text | Domain::Bits, Type::Text { .. }) => by_code_point(&name, &column.column),
        (Domain::Json { canonical: true }, _) => format!("{name}::jsonb"),
        (Domain::Json { .. } | Domain::JsonText, _) => format!("{name}::text COLLATE \"C\""),
        (Domain::Address, Type::Text { .. }) => format!("{name}::inet"),
        (Domain::Text | Domain::Native | Domain::Address | Domain::Storage { .. }, _) => as_text(&name),
        (_, Type::Integer { unsigned: true, .. }) => format!("{name}::int8"),
        (Domain::Integer { .. }, Type::Boolean) => format!("{name}::integer"),
        (Domain::Uuid, Type::Text { .. }) => format!("{name}::uuid"),
        (Domain::DateTime | Domain::Instant, Type::Date) => format!("{name}::timestamp"),
        (
            Domain::Boolean
            | Domain::Integer { .. }
            | Domain::Decimal { .. }
            | Domain::Float32
            | Domain::Float64
            | Domain::Bytes
            | Domain::Bits
            | Domain::Date
            | Domain::Time
            | Domain::DateTime
            | Domain::Instant
            | Domain::Uuid,
            _,
        ) => name,
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
        Selection::AlikeUnder(index, keys) => {
            let (columns, rows) = alike::rows(key, keys);
            unique::condition(&select.table, index, &columns, &rows)
        }
        Selection::Copies(rows) => copies::among(told_columns(&select.columns, rows), rows),
    }
}

fn range_condition(key: &[SelectColumn], range: &KeyRange) -> String {
    let ends = [(&range.from, End::From), (&range.to, End::To)];
    let conditions: Vec<String> = ends
        .into_iter()
        .filter_map(|(bound, end)| Some(end_condition(&terms_with_ties(key, bound.as_ref()?), end)))
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
    let values = key.iter().zip(fields(bound.bytes()));
    values.map(|(column, field)| term(column, &decode(&column.domain, field))).collect()
}

fn term(column: &SelectColumn, value: &Value) -> Term {
    let (expression, bound) = bound_of(column, value);
    Term { expression, bound, nullable: column.column.nullable }
}

/// [`terms`], with those that break ties behind their columns'.
fn terms_with_ties(key: &[SelectColumn], bound: &Key) -> Vec<Term> {
    let mut terms = Vec::with_capacity(key.len());
    for (column, field) in key.iter().zip(fields(bound.bytes())) {
        let value = decode(&column.domain, field);
        terms.push(term(column, &value));
        if let Some((tie, bound)) = Tie::of(column).and_then(|tie| Some((tie, tie.bound(&value)?))) {
            terms.push(Term { expression: tie.expression(column), bound, nullable: false });
        }
    }
    terms
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
            (Type::Bits { .. }, value) => format!("B'{}'", i32::from(*value)),
            (_, value) => i32::from(*value).to_string(),
        }),
        Value::Integer(number) => Bound::At(number_literal(&number.to_string())),
        Value::Decimal(decimal) => match meaning {
            Type::Integer { .. } => whole_bound(decimal),
            _ => Bound::At(format!("'{}'::numeric", decimal.as_str())),
        },
        Value::Float32(number) => {
            Bound::At(format!("'{}'::real", float_text((*number).into(), format!("{number:?}"))))
        }
        Value::Float64(number) => {
            Bound::At(format!("'{}'::double precision", float_text(*number, format!("{number:?}"))))
        }
        Value::Native(digits) if matches!(meaning, Type::Bits { .. }) => Bound::At(format!("B'{digits}'")),
        Value::Native(text) | Value::Json(text) if is_cast(column) => {
            let cast = if column.domain == Domain::Address { "inet" } else { "jsonb" };
            match quoted(text) {
                Ok(literal) => Bound::At(format!("{literal}::{cast}")),
                Err(_) => Bound::Above("NULL".to_owned()),
            }
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
        Value::Uuid(bytes) if matches!(meaning, Type::Bytes { .. }) => Bound::At(bytes_literal(bytes)),
        Value::Uuid(bytes) => Bound::At(format!("'{}'::uuid", uuid_text(bytes))),
        Value::OtherStorage(value) => return bound_of(column, value),
    };
    (expression, bound)
}

/// Whether values are held against the column as another type of PostgreSQL: documents by structure, addresses that
/// are kept as text.
fn is_cast(column: &SelectColumn) -> bool {
    match column.domain {
        Domain::Address => matches!(column.column.column_type.meaning, Type::Text { .. }),
        Domain::Json { canonical } => canonical,
        _ => false,
    }
}

/// Where a decimal lies among integers: compared with a numeric, an integer's index would not serve.
fn whole_bound(decimal: &Decimal) -> Bound {
    let number = decimal.trimmed();
    let negative = number.as_str().starts_with('-');
    let (whole, fraction) = number.as_str().split_once('.').unwrap_or((number.as_str(), ""));
    match whole.parse::<i64>() {
        Ok(whole) if fraction.is_empty() => Bound::At(number_literal(&whole.to_string())),
        // Towards zero, which lies above a negative number.
        Ok(whole) if negative => Bound::Below(number_literal(&whole.to_string())),
        Ok(whole) => Bound::Above(whole.to_string()),
        Err(_) if negative => Bound::Below(format!("'{}'::bigint", i64::MIN)),
        Err(_) => Bound::Above(i64::MAX.to_string()),
    }
}

fn number_literal(digits: &str) -> String {
    // A cast binds tighter than a sign, hence the parentheses.
    if digits.starts_with('-') { format!("({digits})") } else { digits.to_owned() }
}

fn is_fixed_text(column: &SelectColumn) -> bool {
    matches!(column.column.column_type.meaning, Type::Text { fixed: true, .. })
}

/// Text that PostgreSQL cannot hold is compared as the bytes it is.
fn text_bound(column: &SelectColumn, expression: String, bytes: &[u8]) -> (String, Bound) {
    let fixed = is_fixed_text(column);
    if fixed && bytes.ends_with(b" ") {
        // Among char(n) a space at the end means nothing; as a text it does.
        let name = identifier(&column.column.name);
        let literal = std::str::from_utf8(bytes).ok().and_then(|text| quoted(text).ok());
        if let Some(literal) = literal {
            return (format!("{name}::text COLLATE \"C\""), Bound::At(format!("{literal}::text")));
        }
    }
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
    let padded = |(column, field): (&SelectColumn, Option<&[u8]>)| {
        is_fixed_text(column) && field.is_some_and(|text| text.ends_with(b" "))
    };
    if key.iter().zip(fields(bound.bytes())).any(padded) {
        return Equality::Nothing;
    }
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
