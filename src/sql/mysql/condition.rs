//! Reads and conditions on keys: which rows, in which order, found through an index where there is one.
//!
//! The invariant: a condition selects exactly the keys that [`KeyOrder`](crate::value::KeyOrder) would. Text
//! compares by its bytes; where the column's collation does not, the comparison goes over an expression ([`Form`]
//! says for each domain which). The two zeros of a float, which MySQL stores and holds equal, are told apart by
//! their text.

use super::{Family, document, hex, identifier, literal};
use crate::sql::Dialect;
use crate::sql::statement::told_columns;
use crate::sql::{Column, Select, SelectColumn, Selection, alike};
use crate::value::{
    Civil, ColumnType, Date, Decimal, Domain, KeyOrder, Stamp, Time, Type, Value, decode, fields,
};

/// The last moment of TIMESTAMP on every server of the family: 2038-01-19 03:14:07.999999.
const TIMESTAMP_END: &str = "2038-01-19T03:14:07.999999";
/// The first moment of TIMESTAMP; zero lies before it.
const TIMESTAMP_START: &str = "1970-01-01 00:00:01";

/// The SELECT of a read. The table's quoted name comes from the dialect.
pub(super) fn select(dialect: &Family, table: &str, select: &Select) -> String {
    let list: Vec<String> = select.columns.iter().map(projection).collect();
    listing(dialect, table, select, &list.join(", "))
}

/// The same, in any order: behind a number, and with so many columns before and behind its own that are NULL.
pub(super) fn among_others(
    dialect: &Family,
    table: &str,
    select: &Select,
    number: usize,
    (before, behind): (usize, usize),
) -> String {
    let null = || "NULL".to_owned();
    let own = select.columns.iter().map(projection);
    let list = std::iter::once(number.to_string()).chain(std::iter::repeat_with(null).take(before));
    let list: Vec<String> = list.chain(own).chain(std::iter::repeat_with(null).take(behind)).collect();
    let select = Select { ordered: false, locked: false, ..select.clone() };
    listing(dialect, table, &select, &list.join(", "))
}

fn listing(dialect: &Family, table: &str, select: &Select, list: &str) -> String {
    let mut sql = format!("SELECT {list} FROM {table}");
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
            by_comparable_columns(key, &keys)
        }
        Selection::Alike(keys) => vec![alike::condition(dialect, key, keys, "")],
        Selection::AlikeUnder(index, keys) => {
            let (columns, rows) = alike::rows(key, keys);
            vec![dialect.alike_under(index, &columns, &rows)]
        }
        Selection::Copies(rows) => vec![dialect.among(told_columns(&select.columns, rows), rows)],
    };
    conditions.extend(select.scope.as_ref().map(|scope| format!("({scope})")));
    if !conditions.is_empty() {
        sql.push_str(" WHERE ");
        sql.push_str(&conditions.join(" AND "));
    }
    if select.ordered && !key.is_empty() {
        let order: Vec<String> = key.iter().map(order_term).collect();
        sql.push_str(" ORDER BY ");
        sql.push_str(&order.join(", "));
    }
    if select.locked {
        sql.push_str(" FOR UPDATE");
    }
    sql
}

/// The rows of a select, with this in place of its columns.
pub(super) fn listing_of(dialect: &Family, select: &Select, list: &str) -> String {
    listing(dialect, &dialect.table(&select.table), select, list)
}

/// What the rows are ordered by.
pub(super) fn order_terms(select: &Select) -> String {
    let key = &select.columns[..select.key_columns];
    key.iter().map(order_term).collect::<Vec<_>>().join(", ")
}

/// In which form a digest takes a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digested {
    /// As a reader gets it.
    AsRead,
    /// Its text in UTF-8, as bytes.
    AsBytes,
}

/// What is read for a column, or the bytes of that.
pub(super) fn projected(part: &SelectColumn, form: Digested) -> String {
    match (form, &part.column.column_type.meaning) {
        (Digested::AsRead, _) => projection(part),
        (Digested::AsBytes, Type::Text { .. }) => text_bytes(&part.column),
        (Digested::AsBytes, _) => by_code_point(&projection(part)),
    }
}

/// The rows with one of these keys by those of its columns in which the server's equality is no narrower than the
/// domain's; the reader drops the others.
fn by_comparable_columns(key: &[SelectColumn], keys: &[Vec<Value>]) -> Vec<String> {
    let parts: Vec<SelectColumn> = key.iter().filter(|part| !is_incomparable(part)).cloned().collect();
    let values = |one: &Vec<Value>| {
        key.iter()
            .zip(one)
            .filter(|(part, _)| !is_incomparable(part))
            .map(|(_, value)| value.clone())
            .collect()
    };
    let keys: Vec<Vec<Value>> = keys.iter().map(values).collect();
    if parts.is_empty() { Vec::new() } else { vec![one_of(&parts, &keys)] }
}

/// Whether no condition finds all rows that hold a value of the domain: documents whose numbers or escapes are
/// written differently, and addresses kept as text.
pub(crate) fn is_incomparable(part: &SelectColumn) -> bool {
    match part.domain {
        Domain::Json { canonical } => canonical,
        Domain::Address => matches!(part.column.column_type.meaning, Type::Text { .. }),
        _ => false,
    }
}

fn key_values(key: &[SelectColumn], bytes: &[u8]) -> Vec<Value> {
    key.iter().zip(fields(bytes)).map(|(part, field)| decode(&part.domain, field)).collect()
}

/// What is read for a column: itself, or for a type that the protocol sends in no exact form, its text.
fn projection(part: &SelectColumn) -> String {
    let column = identifier(&part.column.name);
    match part.column.column_type.meaning {
        Type::Other | Type::Enum { .. } | Type::Set { .. } | Type::Address { .. } => {
            native_text(&column, &part.column.column_type)
        }
        Type::Text { .. } => match literal::many_coded(&part.column.column_type.declared) {
            Some(_) => text_bytes(&part.column),
            None => column,
        },
        _ => column,
    }
}

/// The exact text of a type of this family alone; [`literal::native`] writes it back.
fn native_text(column: &str, column_type: &ColumnType) -> String {
    match literal::type_word(&column_type.declared).as_str() {
        // Words that have no text of their own: their bytes.
        "enum" if column_type.meaning == Type::Other => {
            format!("IF({column} + 0 = 0, _utf8mb4 x'00', HEX({column}))")
        }
        "set" if column_type.meaning == Type::Other => format!("HEX({column})"),
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

/// What of a column sorts and compares in the order of its domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The column itself, and so an index on it.
    Plain,
    /// Its text as bytes of UTF-8.
    CodePoints,
    /// The exact text of a type of this family alone, as bytes.
    NativeText,
    /// MariaDB's UUID, which sorts by its parts in another order than it prints them, as text.
    UuidText,
    /// A UUID kept as text, in any case, as its sixteen bytes.
    SpelledUuid,
}

fn form(column: &Column, domain: &Domain) -> Form {
    let meaning = &column.column_type.meaning;
    match domain {
        Domain::Boolean
        | Domain::Integer { .. }
        | Domain::Decimal { .. }
        | Domain::Float32
        | Domain::Float64
        | Domain::Bytes
        | Domain::Date
        | Domain::Time
        | Domain::DateTime
        | Domain::Instant => Form::Plain,
        Domain::Uuid => match meaning {
            Type::Uuid => Form::UuidText,
            Type::Text { .. } => Form::SpelledUuid,
            _ => Form::Plain,
        },
        Domain::Text
        | Domain::Bits
        | Domain::Address
        | Domain::JsonText
        | Domain::Json { .. }
        | Domain::Native
        | Domain::Storage { .. } => match meaning {
            Type::Text { fixed, .. } if !fixed && column.collation.is_none() => Form::Plain,
            Type::Bytes { .. } => Form::Plain,
            Type::Bits { .. } | Type::Address { .. } => Form::Plain,
            // Enums and sets sort by the order of their words in the declaration.
            Type::Other | Type::Enum { .. } | Type::Set { .. } => Form::NativeText,
            _ => Form::CodePoints,
        },
    }
}

/// Whether the plain column neither sorts nor compares as the common order does.
pub(super) fn needs_expression(column: &Column, domain: &Domain) -> bool {
    form(column, domain) != Form::Plain
}

/// Whether no index on the plain column gives the common order. MySQL has to sort for the sign of a zero.
pub(super) fn needs_sort(column: &Column, domain: &Domain) -> bool {
    needs_expression(column, domain) || is_float(domain)
}

/// Whether the column keeps UUIDs as text, of which several are one.
pub(super) fn is_spelled_uuid(part: &SelectColumn) -> bool {
    form(&part.column, &part.domain) == Form::SpelledUuid
}

fn is_float(domain: &Domain) -> bool {
    matches!(domain, Domain::Float32 | Domain::Float64)
}

/// The expression that sorts and compares in the common order.
fn ordering(part: &SelectColumn) -> String {
    let name = identifier(&part.column.name);
    match form(&part.column, &part.domain) {
        Form::Plain => name,
        Form::CodePoints => text_bytes(&part.column),
        Form::NativeText => {
            format!("CAST({} AS BINARY)", native_text(&name, &part.column.column_type))
        }
        Form::UuidText => format!("CAST({name} AS CHAR)"),
        // UNHEX does not read the wide character sets.
        Form::SpelledUuid => format!("UNHEX(REPLACE(CONVERT({name} USING latin1), '-', ''))"),
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

/// What to sort by. MariaDB stores no negative zero and reads over the comment, so that its index gives the order.
fn order_term(part: &SelectColumn) -> String {
    match is_float(&part.domain) {
        true => {
            let name = identifier(&part.column.name);
            let zero = zero_of(&name, false);
            // Within a comment quotes do not keep a name from beginning or ending one. Without the comment MariaDB
            // sorts, which is only slower.
            match name.contains("/*") || name.contains("*/") {
                true => format!("{name}, {zero}"),
                false => format!("{name} /*!80000 , {zero} */"),
            }
        }
        false => ordering(part),
    }
}

/// Whether a float is that zero. Not by `=` (nor BETWEEN, which becomes one): MySQL then takes the constant for the
/// column everywhere in the condition, and the constant's sign for the row's.
pub(super) fn zero_of(name: &str, negative: bool) -> String {
    let like = if negative { "LIKE" } else { "NOT LIKE" };
    format!("({name} >= 0e0 AND {name} <= 0e0 AND CAST({name} AS CHAR) {like} '-%')")
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
    /// Between two, the earlier of which is this literal.
    After(String),
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
    let expression = ordering(part);
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
    if let (Operator::Equal, Some(same)) = (operator, same_meaning(part, value)) {
        return same;
    }
    if let Some(negative) = zero(value).filter(|_| is_float(&part.domain)) {
        return or_null(compare_to_zero(&name, operator, negative));
    }
    match (place(part, value), operator) {
        (Place::At(literal), _) => {
            let column = stamp_in_range(&part.column, value).unwrap_or(expression);
            or_null(format!("{column} {} {literal}", operator.sql()))
        }
        (_, Operator::Equal) => yes_no(false),
        (Place::Before(literal), Operator::Less) => or_null(format!("{expression} < {literal}")),
        (Place::Before(literal), _) => format!("{expression} >= {literal}"),
        (Place::After(literal), Operator::Less) => or_null(format!("{expression} <= {literal}")),
        (Place::After(literal), _) => format!("{expression} > {literal}"),
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

/// Equality of what may be spelled in more ways than can be listed: documents by structure, addresses kept as text.
fn same_meaning(part: &SelectColumn, value: &Value) -> Option<String> {
    let name = identifier(&part.column.name);
    let meaning = &part.column.column_type.meaning;
    match (&part.domain, meaning, value) {
        (Domain::Json { canonical: true }, Type::Json, Value::Json(text)) => {
            Some(format!("{name} = CAST({} AS JSON)", document::literal(text)))
        }
        // JSON_EQUALS came with MariaDB 10.7 (before it only the same spelling will do), and takes NULL for equal.
        (Domain::Json { canonical: true }, _, Value::Json(text)) => Some(format!(
            "({} = {} /*M!100700 OR ({name} IS NOT NULL AND JSON_EQUALS({name}, {})) */)",
            by_code_point(&name),
            hex(text.as_bytes()),
            literal::text(text)
        )),
        (Domain::Address, Type::Text { .. }, Value::Native(text)) => {
            let whole = if text.contains(':') { "128" } else { "32" };
            let (address, prefix) = text.split_once('/').unwrap_or((text, whole));
            let own_whole = format!("IF(LOCATE(':', {name}), '128', '32')");
            Some(format!(
                "(INET6_ATON(SUBSTRING_INDEX({name}, '/', 1)) = INET6_ATON({}) AND \
                 IF(LOCATE('/', {name}), SUBSTRING_INDEX({name}, '/', -1), {own_whole}) = {})",
                literal::text(address),
                literal::text(prefix)
            ))
        }
        _ => None,
    }
}

/// Whether a float is zero, and then whether it is the negative one.
fn zero(value: &Value) -> Option<bool> {
    match value {
        Value::Float32(number) => (*number == 0.0).then(|| number.is_sign_negative()),
        Value::Float64(number) => (*number == 0.0).then(|| number.is_sign_negative()),
        _ => None,
    }
}

/// The server holds the zeros equal; here the negative one comes first.
fn compare_to_zero(name: &str, operator: Operator, negative: bool) -> String {
    match (operator, negative) {
        (Operator::Equal, _) => zero_of(name, negative),
        (Operator::Less, true) => format!("{name} < 0e0"),
        (Operator::Less, false) => format!("({name} < 0e0 OR {})", zero_of(name, true)),
        (Operator::Greater, false) => format!("{name} > 0e0"),
        (Operator::GreaterOrEqual, true) => format!("{name} >= 0e0"),
        (Operator::Greater, true) | (Operator::GreaterOrEqual, false) => {
            format!("({name} > 0e0 OR {})", zero_of(name, false))
        }
    }
}

/// A TIMESTAMP is compared as DATETIME with moments that not every server's TIMESTAMP holds.
fn stamp_in_range(column: &Column, value: &Value) -> Option<String> {
    let (Type::Instant { .. }, Value::Instant(stamp)) = (&column.column_type.meaning, value) else {
        return None;
    };
    let (end, _) = Stamp::parse(TIMESTAMP_END)?;
    (*stamp > end).then(|| format!("CAST({} AS DATETIME(6))", identifier(&column.name)))
}

fn place(part: &SelectColumn, value: &Value) -> Place {
    let column = &part.column;
    match value {
        Value::Uuid(bytes)
            if is_spelled_uuid(part) || matches!(column.column_type.meaning, Type::Bytes { .. }) =>
        {
            Place::At(hex(bytes))
        }
        Value::Text(text) if needs_expression(column, &part.domain) => Place::At(hex(text.as_bytes())),
        Value::RawText(bytes) => Place::At(hex(bytes)),
        Value::Native(digits) if matches!(column.column_type.meaning, Type::Bits { .. }) => {
            Place::At(format!("b'{digits}'"))
        }
        Value::Native(text) if matches!(column.column_type.meaning, Type::Address { .. }) => {
            Place::At(literal::text(text))
        }
        Value::Native(text) => Place::At(hex(text.as_bytes())),
        Value::Json(text) => Place::At(hex(text.as_bytes())),
        Value::Decimal(decimal) => place_decimal(column, decimal),
        Value::Float32(number) => place_float(f64::from(*number), value),
        Value::Float64(number) => place_float(*number, value),
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

/// No longer literal than the column's own numbers: the server cuts those of more than 65 digits.
fn place_decimal(column: &Column, decimal: &Decimal) -> Place {
    let (precision, scale) = match column.column_type.meaning {
        Type::Decimal { precision, scale } => (precision.unwrap_or(65), scale.unwrap_or(30)),
        _ => (20, 0),
    };
    let scale = usize::try_from(scale).unwrap_or(0);
    let number = decimal.trimmed();
    let negative = number.as_str().starts_with('-');
    if !number.is_finite() || number.whole_digits() + scale > precision as usize {
        return if negative { Place::Below } else { Place::Above };
    }
    match (number.as_str().split_once('.'), negative) {
        (Some((whole, fraction)), _) if fraction.len() > scale => {
            // Towards zero, which lies above a negative number.
            let point = if scale == 0 { "" } else { "." };
            let cut = format!("{whole}{point}{}", &fraction[..scale]);
            if negative { Place::Before(cut) } else { Place::After(cut) }
        }
        _ => Place::At(number.to_string()),
    }
}

fn place_float(number: f64, value: &Value) -> Place {
    match literal::operand(value) {
        Some(literal) => Place::At(literal),
        None if number == f64::NEG_INFINITY => Place::Below,
        None => Place::Above,
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

/// The rows that have one of these keys, and no others: an equality that an index can answer and, where the
/// collation holds different texts equal, a comparison of the bytes beside it.
pub(super) fn one_of(key: &[SelectColumn], keys: &[Vec<Value>]) -> String {
    if keys.is_empty() {
        return any(Vec::new());
    }
    if let [part] = key
        && keys.iter().all(|values| !values[0].is_null())
    {
        return one_column(part, keys);
    }
    let integers = |part: &SelectColumn| matches!(part.column.column_type.meaning, Type::Integer { .. });
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
fn integer_tuples(key: &[SelectColumn], keys: &[Vec<Value>]) -> Option<String> {
    let mut leading = Vec::with_capacity(keys.len());
    let mut tuples = Vec::with_capacity(keys.len());
    for values in keys {
        let literals: Option<Vec<String>> =
            key.iter().zip(values).map(|(part, value)| indexable(part, value)).collect();
        let literals = literals.filter(|_| values.iter().all(|value| !value.is_null()))?;
        tuples.push(format!("({})", literals.join(", ")));
        leading.extend(literals.into_iter().next());
    }
    if tuples.is_empty() {
        return None;
    }
    leading.sort();
    leading.dedup();
    let names: Vec<String> = key.iter().map(|part| identifier(&part.column.name)).collect();
    Some(format!(
        "{} IN ({}) AND ({}) IN ({})",
        names[0],
        leading.join(", "),
        names.join(", "),
        tuples.join(", ")
    ))
}

/// Other composite keys: those that share all but their last column together, so that its values are one list.
fn grouped(key: &[SelectColumn], keys: &[Vec<Value>]) -> String {
    let Some((last, prefix)) = key.split_last() else { return any(Vec::new()) };
    let mut groups: Vec<(String, Vec<Vec<Value>>)> = Vec::new();
    for values in keys {
        let (value, before) = match values.split_last() {
            Some(split) => split,
            None => continue,
        };
        let condition: Vec<String> =
            prefix.iter().zip(before).map(|(part, value)| equal(part, value)).collect();
        let condition = condition.join(" AND ");
        match groups.last_mut().filter(|(known, _)| *known == condition) {
            Some((_, values)) => values.push(vec![value.clone()]),
            None => groups.push((condition, vec![vec![value.clone()]])),
        }
    }
    let each = groups.into_iter().map(|(condition, values)| {
        let last = match values.iter().any(|value| value[0].is_null()) {
            true => any(values.iter().map(|value| equal(last, &value[0])).collect()),
            false => one_column(last, &values),
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

fn one_column(part: &SelectColumn, keys: &[Vec<Value>]) -> String {
    let name = identifier(&part.column.name);
    let mut plain = Vec::with_capacity(keys.len());
    let mut exact = Vec::new();
    let mut others = Vec::new();
    for value in keys.iter().map(|values| &values[0]) {
        match indexable(part, value) {
            Some(literal) => {
                plain.push(literal);
                exact.extend(exact_bytes(part, value).map(|(_, bytes)| bytes));
            }
            None => others.push(compare(part, Operator::Equal, value)),
        }
    }
    others.retain(|condition| condition != "FALSE");
    if !plain.is_empty() {
        let mut indexed = format!("{name} IN ({})", plain.join(", "));
        if !exact.is_empty() {
            indexed = format!("{indexed} AND {} IN ({})", text_bytes(&part.column), exact.join(", "));
        }
        if !others.is_empty() {
            indexed = format!("({indexed})");
        }
        others.insert(0, indexed);
    }
    any(others)
}

fn equal(part: &SelectColumn, value: &Value) -> String {
    let name = identifier(&part.column.name);
    if value.is_null() {
        return format!("{name} IS NULL");
    }
    let Some(literal) = indexable(part, value) else {
        return compare(part, Operator::Equal, value);
    };
    match exact_bytes(part, value) {
        Some((expression, bytes)) => format!("{name} = {literal} AND {expression} = {bytes}"),
        None => format!("{name} = {literal}"),
    }
}

/// The literal that the plain column is compared with; `None` where only the expression will do.
fn indexable(part: &SelectColumn, value: &Value) -> Option<String> {
    let column = &part.column;
    match (&column.column_type.meaning, value) {
        (Type::Text { .. }, Value::Text(text)) => {
            literal::comparable_text(text, &column.column_type.declared).then(|| literal::text(text))
        }
        (Type::Uuid, Value::Uuid(_)) => literal::operand(value),
        (_, Value::Float32(_) | Value::Float64(_)) if zero(value).is_some() => None,
        _ if same_meaning(part, value).is_some() => None,
        _ if needs_expression(column, &part.domain) => None,
        _ => match (place(part, value), stamp_in_range(column, value)) {
            (Place::At(literal), None) => Some(literal),
            _ => None,
        },
    }
}

fn exact_bytes(part: &SelectColumn, value: &Value) -> Option<(String, String)> {
    match (&part.column.column_type.meaning, value) {
        (Type::Text { .. }, Value::Text(text)) if needs_expression(&part.column, &part.domain) => {
            Some((text_bytes(&part.column), hex(text.as_bytes())))
        }
        _ => None,
    }
}
