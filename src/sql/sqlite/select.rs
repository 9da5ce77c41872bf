//! The read of rows: columns, scope, range or keys, order.
//!
//! Owns how [`KeyOrder`](crate::value::KeyOrder) is asked of SQLite: each key column becomes one or two order
//! terms, and a bound compares term by term. Where a plain column does not sort as the domain does (dates as
//! text, UUIDs in any spelling, text of a UTF-16 database), the term is [`ORDER_FUNCTION`], which the engine
//! registers on its connections. A value that the function cannot read sorts at an end, so that the scan that
//! covers that end meets it and reports it; no row falls between two ranges.

use super::declared::Affinity;
use super::literal::{Neighbour, hex, in_zone_of, neighbour, plain};
use super::spelling::SpelledKeys;
use super::{Sqlite, identifier, table, unique};
use crate::sql::statement::told_columns;
use crate::sql::{Column, Select, SelectColumn, Selection, alike};
use crate::value::{Decimal, Domain, Key, Row, Type, Value, address_payload, decode, fields};

/// `_trueup_order(kind, value)`: the value in an order that equals the domain's.
pub(crate) const ORDER_FUNCTION: &str = "_trueup_order";

/// What [`ORDER_FUNCTION`] is asked to do, by its first argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderKind {
    /// Days.
    Date,
    /// Microseconds of a time of day.
    Time,
    /// Microseconds of a date and time without zone.
    DateTime,
    /// Microseconds of a moment.
    Instant,
    /// Sixteen bytes.
    Uuid,
    /// Text as UTF-8 bytes.
    Text,
    /// Any storage class, text as UTF-8 bytes.
    Storage,
    /// Integer, −0.0, other real: what SQLite's order holds for equal.
    Class,
    /// A decimal that may be kept as text, as bytes that sort by its value.
    Decimal,
    /// A document by its structure; says no more than which are equal.
    Json,
    /// An IP address with its prefix length; says no more than which are equal.
    Address,
}

impl OrderKind {
    /// All of them.
    pub(crate) const ALL: [OrderKind; 11] = [
        OrderKind::Date,
        OrderKind::Time,
        OrderKind::DateTime,
        OrderKind::Instant,
        OrderKind::Uuid,
        OrderKind::Text,
        OrderKind::Storage,
        OrderKind::Class,
        OrderKind::Decimal,
        OrderKind::Json,
        OrderKind::Address,
    ];

    /// The word in SQL.
    pub(crate) fn word(self) -> &'static str {
        match self {
            OrderKind::Date => "date",
            OrderKind::Time => "time",
            OrderKind::DateTime => "date-time",
            OrderKind::Instant => "instant",
            OrderKind::Uuid => "uuid",
            OrderKind::Text => "text",
            OrderKind::Storage => "storage",
            OrderKind::Class => "class",
            OrderKind::Decimal => "decimal",
            OrderKind::Json => "json",
            OrderKind::Address => "address",
        }
    }
}

/// How a database keeps its text; decides how it sorts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Sorts by code point.
    Utf8,
    /// Sorts by the bytes of UTF-16, the low one of a unit first.
    Utf16Le,
    /// The same, the high one first.
    Utf16Be,
}

impl Encoding {
    /// Whether it is one of the two that SQLite converts whenever it hands text out.
    pub(crate) fn is_utf16(self) -> bool {
        self != Encoding::Utf8
    }
}

/// One expression to order by, and how a key compares with it.
struct Term<'a> {
    expression: String,
    nullable: bool,
    /// `None`: the column itself.
    kind: Option<OrderKind>,
    column: &'a SelectColumn,
}

fn by_spelling(select: &Select, keys: &[Key]) -> Vec<String> {
    let key = &select.columns[..select.key_columns];
    let columns: Vec<Column> = key.iter().map(|column| column.column.clone()).collect();
    let values: Vec<Vec<Value>> = keys.iter().map(|key_bytes| values(key, key_bytes)).collect();
    vec![matching(&columns, &values, &select.table.name)]
}

/// The SELECT.
pub(crate) fn render(select: &Select, encoding: Encoding) -> String {
    let key = &select.columns[..select.key_columns];
    let terms: Vec<Term<'_>> = key.iter().flat_map(|column| terms(column, encoding)).collect();
    let mut conditions = Vec::new();
    match &select.selection {
        Selection::Range(range) => {
            let from = range.from.as_ref().map(|from| bounds(&terms, key, from));
            let to = range.to.as_ref().map(|to| bounds(&terms, key, to));
            let from_value = from.as_ref().is_some_and(|bounds| bounds.first().is_some_and(Option::is_some));
            conditions.extend(from.map(|from| lower(&terms, &from)));
            conditions.extend(to.map(|to| upper(&terms, &to, !from_value)));
        }
        Selection::Copies(rows) => {
            conditions.push(among(told_columns(&select.columns, rows), rows, encoding));
        }
        Selection::Keys(keys) if key.iter().any(is_freely_spelled) => {
            let rows: Vec<_> = keys.iter().map(|bytes| bounds(&terms, key, bytes)).collect();
            conditions.extend(plain_list(&terms, &rows));
            conditions.push(matching_terms(&terms, &rows));
        }
        Selection::Keys(keys) => conditions = by_spelling(select, keys),
        Selection::AlikeUnder(index, keys) => {
            let (columns, rows) = alike::rows(key, keys);
            conditions.push(unique::condition(index, &columns, &rows));
        }
        Selection::Alike(keys) => conditions.push(alike::condition(&Sqlite, key, keys, "VALUES ")),
    }
    statement(select, encoding, conditions)
}

/// The columns of the rows in scope for which all this holds, in the order that is asked for.
fn statement(select: &Select, encoding: Encoding, conditions: Vec<String>) -> String {
    let columns: Vec<String> = select.columns.iter().map(|column| selected(column, encoding)).collect();
    let scope = select.scope.iter().map(|scope| format!("({scope})"));
    let conditions: Vec<String> = scope.chain(conditions).collect();
    let mut sql = format!("SELECT {} FROM {}", columns.join(", "), table(&select.table));
    if !conditions.is_empty() {
        sql.push_str(" WHERE ");
        sql.push_str(&conditions.join(" AND "));
    }
    let key = &select.columns[..select.key_columns];
    let terms: Vec<String> =
        key.iter().flat_map(|column| terms(column, encoding)).map(|term| term.expression).collect();
    if select.ordered && !terms.is_empty() {
        sql.push_str(" ORDER BY ");
        sql.push_str(&terms.join(", "));
    }
    sql
}

/// What is read of a column: itself. Of a database in UTF-16 the text as its bytes, and whether it is one, for
/// SQLite makes other characters of what is not valid when it hands out text.
fn selected(column: &SelectColumn, encoding: Encoding) -> String {
    let name = identifier(&column.column.name);
    match encoding.is_utf16() {
        false => name,
        true => {
            let is_text = format!("typeof({name}) = 'text'");
            format!("CASE WHEN {is_text} THEN CAST({name} AS BLOB) ELSE {name} END, {is_text}")
        }
    }
}

/// Whether an index on the plain column does not give the key order.
pub(crate) fn needs_sort(column: &Column, domain: &Domain) -> bool {
    match domain {
        Domain::Text | Domain::Bits | Domain::Storage { .. } => column.collation.is_some(),
        Domain::Boolean | Domain::Integer { .. } | Domain::Bytes | Domain::Float32 | Domain::Float64 => false,
        Domain::Decimal { .. } => !sorts_decimals(column),
        Domain::Date
        | Domain::Time
        | Domain::DateTime
        | Domain::Instant
        | Domain::Uuid
        | Domain::Address
        | Domain::Json { .. }
        | Domain::JsonText
        | Domain::Native => true,
    }
}

/// Whether SQLite sorts the column's decimals by value: as numbers, which a column of numeric affinity makes of
/// every text that is one.
fn sorts_decimals(column: &Column) -> bool {
    Affinity::of(&column.column_type.declared).is_numeric()
}

fn terms(column: &SelectColumn, encoding: Encoding) -> Vec<Term<'_>> {
    let name = compared(&column.column, &column.domain);
    let nullable = column.column.nullable;
    let term = |expression: String, kind| Term { expression, nullable, kind, column };
    let function = |kind: OrderKind, argument: &str| {
        term(format!("{ORDER_FUNCTION}('{}', {argument})", kind.word()), Some(kind))
    };
    let plain_name = identifier(&column.column.name);
    match (&column.domain, encoding) {
        (Domain::Date, _) => vec![function(OrderKind::Date, &plain_name)],
        (Domain::Time, _) => vec![function(OrderKind::Time, &plain_name)],
        (Domain::DateTime, _) => vec![function(OrderKind::DateTime, &plain_name)],
        // What such a column says is of its own zone.
        (Domain::Instant, _) if is_zoned(&column.column) => {
            vec![function(OrderKind::DateTime, &plain_name)]
        }
        (Domain::Instant, _) => vec![function(OrderKind::Instant, &plain_name)],
        (Domain::Uuid, _) => vec![function(OrderKind::Uuid, &plain_name)],
        (Domain::Json { .. }, _) => vec![function(OrderKind::Json, &plain_name)],
        (Domain::Address, _) => vec![function(OrderKind::Address, &plain_name)],
        (Domain::Text | Domain::Bits, Encoding::Utf16Le | Encoding::Utf16Be) => {
            vec![function(OrderKind::Text, &plain_name)]
        }
        (Domain::Storage { .. }, _) => {
            let first = match encoding {
                Encoding::Utf8 => term(name, None),
                Encoding::Utf16Le | Encoding::Utf16Be => function(OrderKind::Storage, &plain_name),
            };
            // 1 and 1.0 are equal to SQLite; only a column without affinity can hold both.
            if Affinity::of(&column.column.column_type.declared) == Affinity::Blob {
                let class = function(OrderKind::Class, &plain_name);
                vec![first, Term { nullable: false, ..class }]
            } else {
                vec![first]
            }
        }
        (Domain::Decimal { .. }, _) if !sorts_decimals(&column.column) => {
            vec![function(OrderKind::Decimal, &plain_name)]
        }
        // A column of affinity REAL, as every one that means a float has, keeps no negative zero.
        (
            Domain::Boolean
            | Domain::Integer { .. }
            | Domain::Decimal { .. }
            | Domain::Float32
            | Domain::Float64
            | Domain::Text
            | Domain::Bits
            | Domain::Bytes
            | Domain::JsonText
            | Domain::Native,
            _,
        ) => vec![term(name, None)],
    }
}

/// The rows that equal one of these in all columns, in whatever spelling.
fn among(columns: &[SelectColumn], rows: &[Row], encoding: Encoding) -> String {
    let terms: Vec<Term<'_>> = columns.iter().flat_map(|column| terms(column, encoding)).collect();
    if terms.is_empty() {
        return "1".to_owned();
    }
    let bounds_of = |row: &Row| bounds(&terms, columns, &Key::new(row.bytes()));
    let rows: Vec<Vec<Option<Bound>>> = rows.iter().map(bounds_of).collect();
    let among = matching_terms(&terms, &rows);
    // A list with a NULL in it is gone through row by row: a column without one narrows it down first.
    match telling_term(&terms, &rows).filter(|_| rows.iter().flatten().any(Option::is_none)) {
        Some(listed) => format!("{listed} AND {among}"),
        None => among,
    }
}

/// `a IN (…)` over a column of a composite key that is compared as it is, for which an index may serve.
fn plain_list(terms: &[Term<'_>], rows: &[Vec<Option<Bound>>]) -> Option<String> {
    let plain = |(at, term): &(usize, &Term<'_>)| {
        let as_it_is = |row: &Vec<Option<Bound>>| {
            row[*at]
                .as_ref()
                .is_some_and(|bound| bound.lies == Lies::At && bound.expression == term.expression)
        };
        term.kind.is_none() && rows.iter().all(as_it_is)
    };
    let (at, term) = terms.iter().enumerate().find(plain)?;
    let mut literals: Vec<&str> =
        rows.iter().flat_map(|row| &row[at]).map(|bound| bound.literal.as_str()).collect();
    literals.sort_unstable();
    literals.dedup();
    (!literals.is_empty()).then(|| format!("{} IN ({})", term.expression, literals.join(", ")))
}

/// `a IN (…)` over the term that is NULL in no row and tells most of them apart.
fn telling_term(terms: &[Term<'_>], rows: &[Vec<Option<Bound>>]) -> Option<String> {
    let listed = terms.iter().enumerate().filter_map(|(index, term)| {
        let literals = rows.iter().map(|row| row[index].as_ref().map(|bound| bound.literal.as_str()));
        let mut literals = literals.collect::<Option<Vec<&str>>>()?;
        literals.sort_unstable();
        literals.dedup();
        Some((literals.len(), format!("{} IN ({})", term.expression, literals.join(", "))))
    });
    listed.max_by_key(|(distinct, _)| *distinct).map(|(_, sql)| sql)
}

/// Whether one value may be stored as too many texts to list them: such keys are looked up by what they mean,
/// which reads the whole table.
pub(super) fn has_endless_spellings(column: &Column, domain: &Domain) -> bool {
    match domain {
        Domain::Date
        | Domain::Time
        | Domain::DateTime
        | Domain::Instant
        | Domain::Uuid
        | Domain::Json { .. }
        | Domain::Address => true,
        Domain::Decimal { .. } => !sorts_decimals(column),
        // One storage class and one form of it, or the stored value itself.
        Domain::Boolean
        | Domain::Integer { .. }
        | Domain::Float32
        | Domain::Float64
        | Domain::Text
        | Domain::Bytes
        | Domain::Bits
        | Domain::JsonText
        | Domain::Storage { .. }
        | Domain::Native => false,
    }
}

fn is_zoned(column: &Column) -> bool {
    matches!(column.column_type.meaning, Type::Zoned { .. })
}

fn is_freely_spelled(part: &SelectColumn) -> bool {
    has_endless_spellings(&part.column, &part.domain)
}

/// The rows whose order terms equal one of these rows of bounds.
fn matching_terms(terms: &[Term<'_>], rows: &[Vec<Option<Bound>>]) -> String {
    let literal = |bound: &Option<Bound>| match bound {
        Some(bound) => bound.literal.clone(),
        None => "NULL".to_owned(),
    };
    // A bound between two values is no row's key.
    let at = |row: &&Vec<Option<Bound>>| row.iter().flatten().all(|bound| bound.lies == Lies::At);
    let rows: Vec<&Vec<Option<Bound>>> = rows.iter().filter(at).collect();
    if rows.is_empty() {
        return "0".to_owned();
    }
    let list: Vec<String> = rows
        .iter()
        .map(|row| format!("({})", row.iter().map(literal).collect::<Vec<_>>().join(", ")))
        .collect();
    let list = list.join(", ");
    let expressions: Vec<&str> = terms.iter().map(|term| term.expression.as_str()).collect();
    if rows.iter().copied().flatten().all(Option::is_some) {
        return format!("({}) IN (VALUES {list})", expressions.join(", "));
    }
    let names: Vec<String> = (1..=terms.len()).map(|at| format!("_trueup_{at}")).collect();
    let pairs: Vec<String> =
        expressions.iter().zip(&names).map(|(expression, name)| format!("{expression} IS {name}")).collect();
    format!(
        "EXISTS (WITH _trueup_keys({}) AS (VALUES {list}) SELECT 1 FROM _trueup_keys WHERE {})",
        names.join(", "),
        pairs.join(" AND ")
    )
}

/// The column in the form that compares and sorts by code point.
fn compared(column: &Column, domain: &Domain) -> String {
    let name = identifier(&column.name);
    let is_text = matches!(domain, Domain::Text | Domain::Storage { .. } | Domain::JsonText | Domain::Bits);
    if is_text && column.collation.is_some() { format!("{name} COLLATE BINARY") } else { name }
}

fn values(key: &[SelectColumn], bytes: &Key) -> Vec<Value> {
    key.iter().zip(fields(bytes.bytes())).map(|(column, field)| decode(&column.domain, field)).collect()
}

/// The literal of each term at a key; `None` is NULL.
fn bounds(terms: &[Term<'_>], key: &[SelectColumn], bytes: &Key) -> Vec<Option<Bound>> {
    let values = values(key, bytes);
    let value_of = |column: &SelectColumn| {
        let at = key.iter().position(|other| std::ptr::eq(other, column));
        at.map_or(&Value::Null, |at| &values[at])
    };
    terms.iter().map(|term| bound(term, value_of(term.column))).collect()
}

/// A literal, and the expression that compares with it without a conversion of either.
struct Bound {
    literal: String,
    expression: String,
    lies: Lies,
}

/// Where a bound lies, seen from its literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lies {
    At,
    /// Between the literal and the value before it.
    Below,
    /// Between the literal and the value behind it.
    Above,
}

impl Bound {
    /// `operator` is one of `>=`, `>`, `<=`, `<`; where no value is at the bound, it depends on its side alone.
    fn compare(&self, operator: &'static str) -> String {
        let operator = match (self.lies, operator) {
            (Lies::At, operator) => operator,
            (Lies::Below, ">" | ">=") => ">=",
            (Lies::Below, _) => "<",
            (Lies::Above, ">" | ">=") => ">",
            (Lies::Above, _) => "<=",
        };
        format!("{} {operator} {}", self.expression, self.literal)
    }
}

fn bound(term: &Term<'_>, value: &Value) -> Option<Bound> {
    let value = match value {
        Value::OtherStorage(inner) => inner,
        value => value,
    };
    if let Value::Decimal(number) = value {
        return Some(decimal_bound(term, number));
    }
    let literal = match (term.kind, value) {
        // The last number, before every text.
        (None, Value::Float32(number)) if number.is_nan() => {
            return Some(Bound {
                literal: "''".to_owned(),
                expression: term.expression.clone(),
                lies: Lies::Below,
            });
        }
        (None, Value::Float64(number)) if number.is_nan() => {
            return Some(Bound {
                literal: "''".to_owned(),
                expression: term.expression.clone(),
                lies: Lies::Below,
            });
        }
        (Some(OrderKind::Class), value) => class(value).to_string(),
        (_, Value::Null) => return None,
        (None, value) => plain(value),
        (Some(_), Value::Date(date)) => date.0.to_string(),
        (Some(_), Value::Time(time)) => time.0.to_string(),
        (Some(_), Value::DateTime(stamp) | Value::Instant(stamp)) => {
            let stamp = in_zone_of(&term.column.column.column_type, *stamp);
            plain(&Value::Integer(stamp.0.into()))
        }
        (Some(_), Value::Uuid(bytes)) => hex(bytes),
        (Some(OrderKind::Json), Value::Json(text)) => hex(text.as_bytes()),
        (Some(OrderKind::Address), Value::Native(text)) => hex(&address_payload(text).unwrap_or_default()),
        (Some(OrderKind::Text), Value::Text(text) | Value::Native(text)) => hex(text.as_bytes()),
        (Some(OrderKind::Text), Value::RawText(text)) => hex(text),
        (Some(_), Value::Text(text)) => hex(&[&[1], text.as_bytes()].concat()),
        (Some(_), Value::RawText(text)) => hex(&[&[1], text.as_slice()].concat()),
        (Some(_), Value::Bytes(bytes)) => hex(&[&[2], bytes.as_slice()].concat()),
        (Some(_), value) => plain(value),
    };
    let affinity = Affinity::of(&term.column.column.column_type.declared);
    let converts = match value {
        Value::Text(_) | Value::RawText(_) => affinity.is_numeric(),
        Value::Integer(_) | Value::Float64(_) => affinity == Affinity::Text,
        _ => false,
    };
    // A unary plus takes the column's affinity away, and with it the index: right before fast.
    let plus = if converts && term.kind.is_none() { "+" } else { "" };
    let lies =
        if term.kind.is_none() { lies_among_classes(&term.column.domain, affinity, value) } else { Lies::At };
    Some(Bound { literal, expression: format!("{plus}{}", term.expression), lies })
}

/// Where a number of another column lies, beside which this column's affinity keeps its equal in another class: an
/// integer comes before the real that is the same number.
fn lies_among_classes(domain: &Domain, affinity: Affinity, value: &Value) -> Lies {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if !matches!(domain, Domain::Storage { .. }) {
        return Lies::At;
    }
    match (affinity, value) {
        (Affinity::Integer | Affinity::Numeric, Value::Float64(real))
            if real.fract() == 0.0 && real.abs() < TWO_63 =>
        {
            Lies::Above
        }
        (Affinity::Real, Value::Integer(_)) => Lies::Below,
        (Affinity::Real, Value::Float64(real)) if *real == 0.0 && real.is_sign_negative() => Lies::Below,
        _ => Lies::At,
    }
}

fn decimal_bound(term: &Term<'_>, number: &Decimal) -> Bound {
    let expression = term.expression.clone();
    if term.kind == Some(OrderKind::Decimal) {
        return Bound { literal: hex(&number.sortable()), expression, lies: Lies::At };
    }
    let reals_only = Affinity::of(&term.column.column.column_type.declared) == Affinity::Real;
    let (literal, lies) = match neighbour(number, reals_only) {
        Neighbour::At(literal) => (literal, Lies::At),
        Neighbour::Below(literal) => (literal, Lies::Below),
        Neighbour::Above(literal) => (literal, Lies::Above),
    };
    Bound { literal, expression, lies }
}

/// The rank that [`OrderKind::Class`] gives a value.
fn class(value: &Value) -> u8 {
    match value {
        Value::Float64(value) if *value == 0.0 && value.is_sign_negative() => 1,
        Value::Float64(_) => 2,
        _ => 0,
    }
}

/// `(a, b) >= (1, 2)`, which is one range of an index on all its columns; the expanded form is one of the first column
/// alone, so that it would read a whole group of equal ones. `None` where a bound is NULL.
fn row_value(terms: &[Term<'_>], bounds: &[Option<Bound>], operator: &str) -> Option<String> {
    if terms.len() < 2 {
        return None;
    }
    let bounds: Option<Vec<&Bound>> = bounds.iter().map(Option::as_ref).collect();
    let (expressions, literals): (Vec<&str>, Vec<&str>) =
        bounds?.into_iter().map(|bound| (bound.expression.as_str(), bound.literal.as_str())).unzip();
    Some(format!("({}) {operator} ({})", expressions.join(", "), literals.join(", ")))
}

/// Whether the next term is below its bound, a NULL, for no row, and above it or there for all.
fn is_lowest(terms: &[Term<'_>], bounds: &[Option<Bound>]) -> bool {
    matches!((terms.first(), bounds.first()), (Some(Term { nullable: false, .. }), Some(None)))
}

/// `key >= bounds`: the first term is bounded on its own, so that an index serves the range.
fn lower(terms: &[Term<'_>], bounds: &[Option<Bound>]) -> String {
    // A NULL in the table makes no row too many: it comes before every bound.
    if let Some(sql) = row_value(terms, bounds, ">=") {
        return sql;
    }
    let (Some((term, terms)), Some((bound, bounds))) = (terms.split_first(), bounds.split_first()) else {
        return "1".to_owned();
    };
    let (at_least, above) = match bound {
        None => ("1".to_owned(), format!("{} IS NOT NULL", term.expression)),
        Some(bound) => (bound.compare(">="), bound.compare(">")),
    };
    if terms.is_empty() || is_lowest(terms, bounds) {
        return at_least;
    }
    format!("{at_least} AND ({above} OR ({}))", lower(terms, bounds))
}

/// `key < bounds`; NULL comes first, so a column that may be NULL is below every value. `nulls`: a NULL in the
/// first term is not excluded by the other bound already.
fn upper(terms: &[Term<'_>], bounds: &[Option<Bound>], nulls: bool) -> String {
    if terms.iter().all(|term| !term.nullable)
        && let Some(sql) = row_value(terms, bounds, "<")
    {
        return sql;
    }
    let (Some((term, terms)), Some((bound, bounds))) = (terms.split_first(), bounds.split_first()) else {
        return "0".to_owned();
    };
    let or_null = |condition: String| {
        if term.nullable && nulls {
            format!("({} IS NULL OR {condition})", term.expression)
        } else {
            condition
        }
    };
    let (at_most, below) = match bound {
        None => (format!("{} IS NULL", term.expression), "0".to_owned()),
        Some(bound) => (or_null(bound.compare("<=")), or_null(bound.compare("<"))),
    };
    if terms.is_empty() || is_lowest(terms, bounds) {
        return below;
    }
    format!("{at_most} AND ({below} OR ({}))", upper(terms, bounds, true))
}

/// The rows that have one of these keys; `table_name` as the statement calls the table.
pub(super) fn matching(key: &[Column], keys: &[Vec<Value>], table_name: &str) -> String {
    if keys.is_empty() {
        return "0".to_owned();
    }
    let spelled = SpelledKeys::new(key, keys);
    let rows: Vec<Vec<String>> = keys.iter().flat_map(|values| spelled.rows(values)).collect();
    let list = rows.iter().map(|row| format!("({})", row.join(", "))).collect::<Vec<_>>().join(", ");
    if keys.iter().flatten().any(Value::is_null) {
        // Nothing in the list has a name of the table's columns: its own are `column1` and so on, qualified.
        let columns = spelled.expressions(Some(table_name));
        let pairs = columns
            .iter()
            .enumerate()
            .map(|(at, column)| format!("{column} IS _trueup_keys.column{}", at + 1));
        let pairs = pairs.collect::<Vec<_>>().join(" AND ");
        return format!("EXISTS (SELECT 1 FROM (VALUES {list}) AS _trueup_keys WHERE {pairs})");
    }
    match spelled.expressions(None).as_slice() {
        [column] => {
            let list = rows.iter().map(|row| row.concat()).collect::<Vec<_>>().join(", ");
            format!("{column} IN ({list})")
        }
        columns => format!("({}) IN (VALUES {list})", columns.join(", ")),
    }
}
