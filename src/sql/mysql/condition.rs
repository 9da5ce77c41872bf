//! Reads and conditions on keys: which rows, in which order, found through an index where there is one.
//!
//! The invariant: a condition selects exactly the keys that [`KeyOrder`](crate::value::KeyOrder) would. Text
//! compares by its bytes; where the column's collation does not, the comparison goes over an expression.

use super::{Family, hex, identifier, literal};
use crate::sql::{Column, Select, SelectColumn, Selection, alike};
use crate::value::{Civil, Date, Domain, KeyOrder, Stamp, Time, Type, Value, decode, fields};

/// The last moment of TIMESTAMP on every server of the family: 2038-01-19 03:14:07.999999.
const TIMESTAMP_END: &str = "2038-01-19T03:14:07.999999";
/// The first moment of TIMESTAMP; zero lies before it.
const TIMESTAMP_START: &str = "1970-01-01 00:00:01";

/// The SELECT of a read. The table's quoted name comes from the dialect.
pub(super) fn select(dialect: &Family, table: &str, select: &Select) -> String {
    let list: Vec<String> = select.columns.iter().map(projection).collect();
    let mut sql = format!("SELECT {} FROM {table}", list.join(", "));
    let key = &select.columns[..select.key_columns];
    let mut conditions = match &select.selection {
        Selection::Range(range) => {
            let order = KeyOrder::new(key.iter().map(|part| part.domain.clone()).collect::<Vec<_>>());
            let from = range.from.as_ref().map(|from| at_least(key, &order.values(from)));
            let to = range.to.as_ref().map(|to| less_than(key, &order.values(to)));
            from.into_iter().chain(to).collect()
        }
        Selection::Keys(keys) => {
            let keys: Vec<Vec<Value>> = keys.iter().map(|one| key_values(key, one.bytes())).collect();
            vec![one_of(key, &keys)]
        }
        Selection::Alike(keys) => vec![alike::condition(dialect, key, keys, "")],
    };
    conditions.extend(select.scope.as_ref().map(|scope| format!("({scope})")));
    if !conditions.is_empty() {
        sql.push_str(" WHERE ");
        sql.push_str(&conditions.join(" AND "));
    }
    if select.ordered && !key.is_empty() {
        let order: Vec<String> = key.iter().map(|part| ordering(&part.column)).collect();
        sql.push_str(" ORDER BY ");
        sql.push_str(&order.join(", "));
    }
    if select.locked {
        sql.push_str(" FOR UPDATE");
    }
    sql
}

fn key_values(key: &[SelectColumn], bytes: &[u8]) -> Vec<Value> {
    key.iter().zip(fields(bytes)).map(|(part, field)| decode(&part.domain, field)).collect()
}

/// What is read for a column: itself, or for a type that the protocol sends in no exact form, its text.
fn projection(part: &SelectColumn) -> String {
    let column = identifier(&part.column.name);
    match part.column.column_type.meaning {
        Type::Other => native_text(&column, &part.column.column_type.declared),
        Type::Text { .. } => match literal::many_coded(&part.column.column_type.declared) {
            Some(_) => text_bytes(&part.column),
            None => column,
        },
        _ => column,
    }
}

/// The exact text of a type of this family alone; [`literal::native`] writes it back.
fn native_text(column: &str, declared: &str) -> String {
    match literal::type_word(declared).as_str() {
        "bit" => format!("CAST({column} + 0 AS CHAR)"),
        // Index 0 is the value of a failed insert; its text is empty like that of a member `''`.
        "enum" => {
            format!("IF({column} + 0 = 0, _utf8mb4 x'00', CONVERT(CAST({column} AS CHAR) USING utf8mb4))")
        }
        "vector" => format!("HEX({column})"),
        word if literal::is_geometry(word) => {
            format!("CONCAT(ST_SRID({column}), ' ', HEX(ST_AsWKB({column})))")
        }
        _ => format!("CONVERT(CAST({column} AS CHAR) USING utf8mb4)"),
    }
}

/// Whether the plain column neither sorts nor compares as the common order does.
pub(super) fn needs_expression(column: &Column) -> bool {
    match column.column_type.meaning {
        Type::Text { fixed, .. } => fixed || column.collation.is_some(),
        // MariaDB's UUID sorts by its parts in another order than it prints them.
        Type::Uuid | Type::Json | Type::JsonText | Type::Other => true,
        _ => false,
    }
}

/// The expression that sorts and compares in the common order.
fn ordering(column: &Column) -> String {
    let name = identifier(&column.name);
    if !needs_expression(column) {
        return name;
    }
    match column.column_type.meaning {
        Type::Uuid => format!("CAST({name} AS CHAR)"),
        Type::Other => format!("CAST({} AS BINARY)", native_text(&name, &column.column_type.declared)),
        _ => text_bytes(column),
    }
}

/// A text column's bytes in UTF-8, which sort by code point. Several codes of an old character set may be one
/// character, and others none: such text is read as the mark, the name of the set, and its bytes
/// ([`literal::raw_text`] writes it back), so that two different values never read alike.
fn text_bytes(column: &Column) -> String {
    let name = identifier(&column.name);
    let utf8 = by_code_point(&name);
    let Some(charset) = literal::many_coded(&column.column_type.declared) else { return utf8 };
    let mark = hex(&literal::raw_mark(charset));
    format!(
        "IF(CAST(CONVERT(CONVERT({name} USING utf8mb4) USING {charset}) AS BINARY) = CAST({name} AS BINARY), {utf8}, \
         CONCAT({mark}, CAST({name} AS BINARY)))"
    )
}

/// Text as the bytes of its UTF-8, which sort by code point. `utf8mb4_bin` would not do: it pads.
pub(super) fn by_code_point(expression: &str) -> String {
    format!("CAST(CONVERT({expression} USING utf8mb4) AS BINARY)")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    Less,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    fn sql(self) -> &'static str {
        match self {
            Operator::Equal => "=",
            Operator::Less => "<",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
        }
    }
}

/// Where a value stands among those a column can hold.
enum Place {
    /// Before all of them.
    Below,
    /// This literal.
    At(String),
    /// Between two, the later of which is this literal.
    Before(String),
    /// After all of them.
    Above,
}

/// Key order as expanded comparisons: MariaDB reads the whole table for `(a, b) >= (1, 2)`. The leading column
/// is bounded on its own, so that the optimiser sees a range of the index.
fn at_least(key: &[SelectColumn], values: &[Value]) -> String {
    lexicographic(key, values, Operator::Greater, Operator::GreaterOrEqual)
}

fn less_than(key: &[SelectColumn], values: &[Value]) -> String {
    lexicographic(key, values, Operator::Less, Operator::Less)
}

fn lexicographic(key: &[SelectColumn], values: &[Value], strict: Operator, last: Operator) -> String {
    let at = |index: usize, operator| compare(&key[index], operator, &values[index]);
    let mut sql = at(key.len() - 1, last);
    for index in (0..key.len() - 1).rev() {
        sql = format!("({} OR ({} AND {sql}))", at(index, strict), at(index, Operator::Equal));
    }
    if key.len() == 1 {
        return sql;
    }
    let first = &values[0];
    let leading = match strict {
        Operator::Greater => compare(&key[0], Operator::GreaterOrEqual, first),
        _ => format!("({} OR {})", compare(&key[0], strict, first), compare(&key[0], Operator::Equal, first)),
    };
    // `a < 5 OR a = 5` is `a <= 5` to the optimiser.
    format!("{leading} AND {sql}")
}

/// One comparison; NULL comes before every value, as the server sorts it too.
fn compare(part: &SelectColumn, operator: Operator, value: &Value) -> String {
    let name = identifier(&part.column.name);
    let yes_no = |yes: bool| if yes { "TRUE".to_owned() } else { "FALSE".to_owned() };
    let expression = ordering(&part.column);
    let or_null = |sql: String| match operator {
        Operator::Less if part.column.nullable => format!("({sql} OR {name} IS NULL)"),
        _ => sql,
    };
    let is_less = operator == Operator::Less;
    if value.is_null() {
        return match operator {
            Operator::Equal => format!("{name} IS NULL"),
            Operator::Greater => format!("{name} IS NOT NULL"),
            Operator::Less | Operator::GreaterOrEqual => yes_no(!is_less),
        };
    }
    match (place(&part.column, needs_expression(&part.column), value), operator) {
        (Place::At(literal), _) => {
            let column = stamp_in_range(&part.column, value).unwrap_or(expression);
            or_null(format!("{column} {} {literal}", operator.sql()))
        }
        (_, Operator::Equal) => yes_no(false),
        (Place::Before(literal), Operator::Less) => or_null(format!("{expression} < {literal}")),
        (Place::Before(literal), _) => format!("{expression} >= {literal}"),
        (Place::Below, Operator::Less) => or_null(yes_no(false)),
        (Place::Below, _) => format!("{name} IS NOT NULL"),
        (Place::Above, Operator::Less) => yes_no(true),
        (Place::Above, _) => yes_no(false),
    }
}

/// Equal in the common domain; NULL equals NULL.
pub(super) fn equals(part: &SelectColumn, value: &Value) -> String {
    compare(part, Operator::Equal, value)
}

/// A TIMESTAMP is compared as DATETIME with moments that not every server's TIMESTAMP holds.
fn stamp_in_range(column: &Column, value: &Value) -> Option<String> {
    let (Type::Instant { .. }, Value::Instant(stamp)) = (&column.column_type.meaning, value) else {
        return None;
    };
    let (end, _) = Stamp::parse(TIMESTAMP_END)?;
    (*stamp > end).then(|| format!("CAST({} AS DATETIME(6))", identifier(&column.name)))
}

fn place(column: &Column, by_expression: bool, value: &Value) -> Place {
    match value {
        Value::Text(text) if by_expression => Place::At(hex(text.as_bytes())),
        Value::RawText(bytes) => Place::At(hex(bytes)),
        Value::Native(text) => Place::At(hex(text.as_bytes())),
        Value::Json(text) => Place::At(hex(text.as_bytes())),
        Value::Date(date) => place_date(*date),
        Value::Time(time) => place_time(*time),
        Value::Instant(moment) if matches!(column.column_type.meaning, Type::Zoned { .. }) => {
            place_stamp(column, in_zone_of(column, *moment))
        }
        Value::DateTime(stamp) | Value::Instant(stamp) => place_stamp(column, *stamp),
        _ => literal::operand(value).map_or(Place::Above, Place::At),
    }
}

/// A moment as the date and time it is in the column's zone.
fn in_zone_of(column: &Column, moment: Stamp) -> Stamp {
    match column.column_type.meaning {
        Type::Zoned { offset_minutes, .. } => moment.shifted(i64::from(offset_minutes) * 60),
        _ => moment,
    }
}

fn place_date(date: Date) -> Place {
    match date.civil() {
        Civil::NegativeInfinity => Place::Below,
        Civil::Infinity => Place::Above,
        Civil::Day { year: ..0, .. } => Place::Before("'0000-01-01'".to_owned()),
        Civil::Day { year: 10_000.., .. } => Place::Above,
        _ => Place::At(format!("'{date}'")),
    }
}

fn place_time(time: Time) -> Place {
    if time.0 > literal::TIME_MAX {
        Place::Above
    } else if time.0 < -literal::TIME_MAX {
        Place::Below
    } else {
        Place::At(format!("'{time}'"))
    }
}

fn place_stamp(column: &Column, stamp: Stamp) -> Place {
    let (date, micros) = stamp.parts();
    let day = match place_date(date) {
        Place::At(_) => literal::stamp_text(date, micros),
        Place::Before(_) => return Place::Before("'0000-01-01 00:00:00'".to_owned()),
        outside => return outside,
    };
    let is_timestamp = matches!(column.column_type.meaning, Type::Instant { .. });
    if is_timestamp && matches!(date.civil(), Civil::Day { .. }) && day.as_str() < TIMESTAMP_START {
        return Place::Before(format!("'{TIMESTAMP_START}'"));
    }
    Place::At(format!("'{day}'"))
}

/// The rows that have one of these keys, and no others.
pub(super) fn one_of(key: &[SelectColumn], keys: &[Vec<Value>]) -> String {
    let columns: Vec<(&Column, bool)> =
        key.iter().map(|part| (&part.column, needs_expression(&part.column))).collect();
    exactly(&columns, keys)
}

/// The rows whose key is one of these, for changes: the columns as they are, text by its bytes.
pub(super) fn keys_exactly(key: &[Column], keys: &[Vec<Value>]) -> String {
    let columns: Vec<(&Column, bool)> = key.iter().map(|column| (column, needs_expression(column))).collect();
    exactly(&columns, keys)
}

/// An equality that an index can answer and, where the collation holds different texts equal, a comparison of
/// the bytes beside it.
fn exactly(key: &[(&Column, bool)], keys: &[Vec<Value>]) -> String {
    if keys.is_empty() {
        return any(Vec::new());
    }
    if let [(column, by_expression)] = key
        && keys.iter().all(|values| !values[0].is_null())
    {
        return one_column(column, *by_expression, keys);
    }
    let integers = |(column, _): &(&Column, bool)| matches!(column.column_type.meaning, Type::Integer { .. });
    if key.len() > 1
        && key.iter().all(integers)
        && let Some(sql) = integer_tuples(key, keys)
    {
        return sql;
    }
    grouped(key, keys)
}

/// Keys of integers as tuples. MariaDB 10.11 needs seconds for thousands of `(a = 1 AND b = 2) OR …` over a leading
/// column of few values, and milliseconds for this; the leading column alone gives it an index range.
fn integer_tuples(key: &[(&Column, bool)], keys: &[Vec<Value>]) -> Option<String> {
    let mut leading = Vec::with_capacity(keys.len());
    let mut tuples = Vec::with_capacity(keys.len());
    for values in keys {
        let literals: Option<Vec<String>> = key
            .iter()
            .zip(values)
            .map(|((column, by_expression), value)| indexable(column, *by_expression, value))
            .collect();
        let literals = literals.filter(|_| values.iter().all(|value| !value.is_null()))?;
        tuples.push(format!("({})", literals.join(", ")));
        leading.extend(literals.into_iter().next());
    }
    if tuples.is_empty() {
        return None;
    }
    leading.sort();
    leading.dedup();
    let names: Vec<String> = key.iter().map(|(column, _)| identifier(&column.name)).collect();
    Some(format!(
        "{} IN ({}) AND ({}) IN ({})",
        names[0],
        leading.join(", "),
        names.join(", "),
        tuples.join(", ")
    ))
}

/// Other composite keys: those that share all but their last column together, so that its values are one list.
fn grouped(key: &[(&Column, bool)], keys: &[Vec<Value>]) -> String {
    let Some((last, prefix)) = key.split_last() else { return any(Vec::new()) };
    let mut groups: Vec<(String, Vec<Vec<Value>>)> = Vec::new();
    for values in keys {
        let (value, before) = match values.split_last() {
            Some(split) => split,
            None => continue,
        };
        let parts = prefix.iter().zip(before);
        let condition: Vec<String> =
            parts.map(|((column, by_expression), value)| equal(column, *by_expression, value)).collect();
        let condition = condition.join(" AND ");
        match groups.last_mut().filter(|(known, _)| *known == condition) {
            Some((_, values)) => values.push(vec![value.clone()]),
            None => groups.push((condition, vec![vec![value.clone()]])),
        }
    }
    let each = groups.into_iter().map(|(condition, values)| {
        let last = match values.iter().any(|value| value[0].is_null()) {
            true => any(values.iter().map(|value| equal(last.0, last.1, &value[0])).collect()),
            false => one_column(last.0, last.1, &values),
        };
        if condition.is_empty() { format!("({last})") } else { format!("({condition} AND {last})") }
    });
    any(each.collect())
}

fn any(conditions: Vec<String>) -> String {
    match conditions.as_slice() {
        [] => "FALSE".to_owned(),
        [one] => one.clone(),
        all => format!("({})", all.join(" OR ")),
    }
}

fn one_column(column: &Column, by_expression: bool, keys: &[Vec<Value>]) -> String {
    let name = identifier(&column.name);
    let mut plain = Vec::with_capacity(keys.len());
    let mut exact = Vec::new();
    for value in keys.iter().map(|values| &values[0]) {
        match indexable(column, by_expression, value) {
            Some(literal) => plain.push(literal),
            None => return any(keys.iter().map(|one| equal(column, by_expression, &one[0])).collect()),
        }
        exact.extend(exact_bytes(column, by_expression, value).map(|(_, bytes)| bytes));
    }
    if plain.is_empty() {
        return "FALSE".to_owned();
    }
    let indexed = format!("{name} IN ({})", plain.join(", "));
    if exact.is_empty() {
        return indexed;
    }
    format!("{indexed} AND {} IN ({})", text_bytes(column), exact.join(", "))
}

fn equal(column: &Column, by_expression: bool, value: &Value) -> String {
    let name = identifier(&column.name);
    if value.is_null() {
        return format!("{name} IS NULL");
    }
    let part = |domain| SelectColumn { column: column.clone(), domain };
    let Some(literal) = indexable(column, by_expression, value) else {
        return compare(&part(Domain::Text), Operator::Equal, value);
    };
    match exact_bytes(column, by_expression, value) {
        Some((expression, bytes)) => format!("{name} = {literal} AND {expression} = {bytes}"),
        None => format!("{name} = {literal}"),
    }
}

/// The literal that the plain column is compared with; `None` where only the expression will do.
fn indexable(column: &Column, by_expression: bool, value: &Value) -> Option<String> {
    match (&column.column_type.meaning, value) {
        (Type::Text { .. }, Value::Text(text)) => Some(literal::text(text)),
        (Type::Uuid, Value::Uuid(_)) => literal::operand(value),
        _ if by_expression => None,
        _ => match (place(column, false, value), stamp_in_range(column, value)) {
            (Place::At(literal), None) => Some(literal),
            _ => None,
        },
    }
}

fn exact_bytes(column: &Column, by_expression: bool, value: &Value) -> Option<(String, String)> {
    match (&column.column_type.meaning, value) {
        (Type::Text { .. }, Value::Text(text)) if by_expression => {
            Some((text_bytes(column), hex(text.as_bytes())))
        }
        _ => None,
    }
}
