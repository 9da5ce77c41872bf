//! Defaults across engines: as kinds, and literals by their value.
//!
//! Owns what of a default is carried over: a literal whose value the replica's column holds, the moment at which a row comes,
//! and a new uuid. Refuses to guess: an expression is neither carried over nor compared, and what the replica has of its own
//! is taken away only where it is known what it is.

use crate::sides::Sides;
use crate::sql::{Column, DefaultKind, Dialect, LiteralDefault};
use crate::value::{Civil, Decimal, Stamp, Time, Type};

/// What a default is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// None, or NULL.
    None,
    /// A value.
    Literal(Value),
    /// The moment at which a row comes.
    Now,
    /// The next number.
    Sequence,
    /// A new uuid.
    Uuid,
    /// What its engine alone can tell.
    Expression,
}

/// A literal by its value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Boolean(bool),
    Number(Decimal),
    Text(String),
    Bytes(Vec<u8>),
    Stamp(Stamp),
    Time(Time),
    Uuid(String),
    Json(serde_json::Value),
}

/// What becomes of the default of a column that is there.
#[derive(Debug, PartialEq)]
pub(super) enum Change {
    /// Nothing.
    Stays,
    /// This one comes, or goes.
    Becomes(Option<DefaultKind>),
    /// Nothing, and why a person should know.
    Note(String),
}

/// What a column that comes is created with; `None`: nothing.
pub fn carried(dialects: Sides<&dyn Dialect>, primary: &Column, replica: &Type) -> Option<DefaultKind> {
    match kind(dialects.primary, primary, replica) {
        Kind::None | Kind::Sequence | Kind::Expression => None,
        Kind::Now => dialects.replica.now(replica).map(DefaultKind::Expression),
        Kind::Uuid => dialects.replica.new_uuid(replica).map(DefaultKind::Expression),
        Kind::Literal(value) => {
            let literal = dialects.primary.said_default(primary);
            let has_place = has_place(&value, replica, dialects.replica.stores_any_class());
            literal.filter(|_| has_place).map(|literal| settled(&value, literal))
        }
    }
}

/// What the default of a column that is there becomes. `replica`: the column with the type that it is to have.
pub(super) fn change(dialects: Sides<&dyn Dialect>, primary: &Column, replica: &Column) -> Change {
    // What the primary computes is written as any other value.
    if primary.generated.is_some() {
        return Change::Stays;
    }
    let meaning = &replica.column_type.meaning;
    let wanted = kind(dialects.primary, primary, meaning);
    let found = kind(dialects.replica, replica, &primary.column_type.meaning);
    let note = |why: &str| Change::Note(format!("the default of the column {} {why}", replica.name));
    let is_given = dialects.replica.gives_moments() && matches!(meaning, Type::Instant { .. });
    match (wanted, found) {
        (_, Kind::Sequence) | (Kind::Sequence, _) | (Kind::None, Kind::None) => Change::Stays,
        (Kind::Now, Kind::Now) | (Kind::Uuid, Kind::Uuid) => Change::Stays,
        // The server's own, where nothing is said.
        (Kind::None, Kind::Now) if is_given && !replica.nullable => Change::Stays,
        // One that the replica sets by itself at every update is its own affair, from its first value on.
        (Kind::None, _) if replica.words.on_update.is_some() => Change::Stays,
        (Kind::None, Kind::Expression) => note("stays: the replica alone has one, and it is an expression"),
        (Kind::None, Kind::Literal(_) | Kind::Now | Kind::Uuid) => Change::Becomes(None),
        (Kind::Expression, Kind::Expression) => note("is not compared: it is an expression"),
        (Kind::Literal(one), Kind::Literal(other)) if one == other => Change::Stays,
        (Kind::Literal(_) | Kind::Now | Kind::Uuid | Kind::Expression, _) => {
            match carried(dialects, primary, meaning) {
                Some(default) => Change::Becomes(Some(default)),
                None => note("is left out: it has no exact counterpart"),
            }
        }
    }
}

/// What the default of a column is, beside one of another type.
fn kind(dialect: &dyn Dialect, column: &Column, beside: &Type) -> Kind {
    if column.identity.is_some() {
        return Kind::Sequence;
    }
    match dialect.said_default(column) {
        None | Some(DefaultKind::Null) => Kind::None,
        Some(DefaultKind::Expression(text)) if dialect.is_now(&text) => Kind::Now,
        Some(DefaultKind::Expression(text)) if dialect.is_new_uuid(&text) => Kind::Uuid,
        Some(DefaultKind::Expression(text)) if text.contains("nextval(") => Kind::Sequence,
        Some(DefaultKind::Expression(_)) => Kind::Expression,
        Some(DefaultKind::Literal(literal)) => {
            let meaning = &column.column_type.meaning;
            value(dialect, &literal, meaning, beside).map_or(Kind::Expression, Kind::Literal)
        }
    }
}

/// The value of a literal in a column of one type beside one of another; `None` where that cannot be told: moments as
/// texts mean what a zone makes of them.
fn value(dialect: &dyn Dialect, literal: &LiteralDefault, meaning: &Type, beside: &Type) -> Option<Value> {
    let is = |wanted: fn(&Type) -> bool| wanted(meaning) || wanted(beside);
    let words = match literal {
        LiteralDefault::Number(text) | LiteralDefault::Text(text) => text.clone(),
        LiteralDefault::Boolean(yes) => u8::from(*yes).to_string(),
    };
    if is(|one| matches!(one, Type::Instant { .. } | Type::Zoned { .. } | Type::Bits { .. } | Type::Other)) {
        return None;
    }
    if is(|one| *one == Type::Boolean) {
        return truth(&words).map(Value::Boolean);
    }
    if is(is_number) {
        let number = Decimal::parse(words.trim()).ok()?;
        return number.is_finite().then(|| Value::Number(number.trimmed()));
    }
    if is(|one| matches!(one, Type::Bytes { .. })) {
        return dialect.default_bytes(&words).map(Value::Bytes);
    }
    if is(|one| *one == Type::Uuid) {
        return Some(Value::Uuid(words.replace('-', "").to_ascii_lowercase()));
    }
    if is(|one| matches!(one, Type::Json | Type::JsonText)) {
        return serde_json::from_str(&words).ok().map(Value::Json);
    }
    if is(|one| matches!(one, Type::Date | Type::DateTime { .. })) {
        // Days that are none have no place on other engines.
        let (stamp, zone) = Stamp::parse(&words)?;
        let is_day = matches!(stamp.parts().0.civil(), Civil::Day { .. });
        return (is_day && zone.is_none()).then_some(Value::Stamp(stamp));
    }
    if is(|one| matches!(one, Type::Time { .. })) {
        return Time::parse(&words).map(Value::Time);
    }
    let fixed = is(|one| matches!(one, Type::Text { fixed: true, .. }));
    // What a text column makes of a number depends on how that is written.
    let is_plain = match literal {
        LiteralDefault::Text(_) => true,
        LiteralDefault::Number(text) => text.parse::<i64>().is_ok_and(|number| number.to_string() == *text),
        LiteralDefault::Boolean(_) => false,
    };
    let text = if fixed { words.trim_end_matches(' ').to_owned() } else { words };
    is_plain.then_some(Value::Text(text))
}

fn is_number(meaning: &Type) -> bool {
    matches!(
        meaning,
        Type::Integer { .. } | Type::Decimal { .. } | Type::Float32 | Type::Float64 | Type::Year
    )
}

fn truth(words: &str) -> Option<bool> {
    match words.to_ascii_lowercase().as_str() {
        "0" | "f" | "false" | "no" | "off" => Some(false),
        "1" | "t" | "true" | "yes" | "on" => Some(true),
        _ => None,
    }
}

/// Whether a column of that type holds the value as it is, so that its catalog tells the same again.
fn has_place(value: &Value, meaning: &Type, stores_any: bool) -> bool {
    let unit = |digits: u8| 10_i64.pow(6_u32.saturating_sub(u32::from(digits)));
    match (value, meaning) {
        (Value::Number(number), Type::Decimal { scale: Some(scale), .. }) => {
            i64::try_from(number.scale()).is_ok_and(|behind| behind <= i64::from(*scale))
        }
        (Value::Number(number), Type::Integer { .. } | Type::Year) => number.scale() == 0,
        (Value::Text(text), Type::Text { chars_max: Some(max), .. }) => text.chars().count() as u64 <= *max,
        (Value::Text(text), Type::Enum { members }) => members.contains(text),
        (Value::Time(time), Type::Time { digits }) => time.0 % unit(*digits) == 0,
        (Value::Stamp(stamp), Type::DateTime { digits }) => stamp.parts().1 % unit(*digits) == 0,
        (Value::Stamp(stamp), Type::Date) => stamp.parts().1 == 0,
        // A text in quotes is a text there, and no bytes.
        (Value::Bytes(bytes), _) => bytes.is_empty() || !stores_any && is_plain(bytes),
        _ => true,
    }
}

/// Whether bytes are letters that mean themselves in quotes on every engine.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'\''))
}

/// The literal as it is written: a truth as one, for not every engine takes a number for it.
fn settled(value: &Value, literal: DefaultKind) -> DefaultKind {
    match value {
        Value::Boolean(yes) => DefaultKind::Literal(LiteralDefault::Boolean(*yes)),
        Value::Number(_) => match literal {
            DefaultKind::Literal(LiteralDefault::Text(text)) => {
                DefaultKind::Literal(LiteralDefault::Number(text.trim().to_owned()))
            }
            other => other,
        },
        Value::Bytes(bytes) => {
            DefaultKind::Literal(LiteralDefault::Text(String::from_utf8_lossy(bytes).into_owned()))
        }
        Value::Text(_) | Value::Stamp(_) | Value::Time(_) | Value::Uuid(_) | Value::Json(_) => literal,
    }
}
