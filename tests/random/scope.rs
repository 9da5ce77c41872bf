//! What an entry of the spec may say beyond its names: which rows are in scope, which columns are compared, what is
//! excused. Each also says what that means for the rows of the model.

use serde_yaml::{Mapping, Value as Yaml};

use super::values::{Kind, Value};
use super::{Dice, Seen};

/// A condition over a column of small integers and NULL, with the rows that it holds for.
pub struct Scope {
    /// The column's place.
    pub column: usize,
    /// SQL with `{}` for the column.
    text: &'static str,
    holds: fn(Option<i64>) -> bool,
}

/// A condition and what it says of a value.
type Condition = (&'static str, fn(Option<i64>) -> bool);

const CONDITIONS: &[Condition] = &[
    ("{} = 1", |area| area == Some(1)),
    ("{} <> 2", |area| area.is_some_and(|area| area != 2)),
    ("{} in (0, 1, 3)", |area| area.is_some_and(|area| [0, 1, 3].contains(&area))),
    ("not ({} = 1)", |area| area.is_some_and(|area| area != 1)),
    ("{} is null or {} > 1", |area| area.is_none_or(|area| area > 1)),
    ("{} between 1 and 2 and {} is not null", |area| area.is_some_and(|area| area == 1 || area == 2)),
    ("coalesce({}, 0) <= 1", |area| area.unwrap_or(0) <= 1),
    ("abs({}) >= 1 and not ({} = 3)", |area| area.is_some_and(|area| area == 1 || area == 2)),
];

impl Scope {
    /// One of the conditions, over the column at this place.
    pub fn new(column: usize, dice: &mut Dice) -> Self {
        let (text, holds) = *dice.pick(CONDITIONS);
        Scope { column, text, holds }
    }

    /// As the spec writes it; `name`: the column, quoted.
    pub fn text(&self, name: &str) -> String {
        self.text.replace("{}", name)
    }

    /// Whether a row is in scope.
    pub fn has(&self, row: &[Value]) -> bool {
        let area = match &row[self.column] {
            Value::Int(area) => Some(*area),
            _ => None,
        };
        (self.holds)(area)
    }
}

/// An option of `compare:`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Excuse {
    Ignore,
    Tolerance,
    Seconds,
    Trim,
    Case,
}

impl Excuse {
    /// One that fits the column's kind.
    pub fn new(kind: Kind, dice: &mut Dice, seen: &mut Seen) -> Self {
        let fitting = match kind {
            Kind::Decimal => Excuse::Tolerance,
            Kind::Time | Kind::Timestamp | Kind::Instant => Excuse::Seconds,
            Kind::Text | Kind::KeyText => *dice.pick(&[Excuse::Trim, Excuse::Case]),
            _ => Excuse::Ignore,
        };
        let excuse = if dice.chance(25) { Excuse::Ignore } else { fitting };
        seen.count(format!("compare {excuse:?}"));
        excuse
    }

    /// As the spec writes it.
    pub fn entry(self) -> Yaml {
        let (option, value): (&str, Yaml) = match self {
            Excuse::Ignore => return "ignore".into(),
            // Half a unit.
            Excuse::Tolerance => ("tolerance", 0.5.into()),
            Excuse::Seconds => ("precision", "seconds".into()),
            Excuse::Trim => ("trim", true.into()),
            Excuse::Case => ("case", "ignore".into()),
        };
        [(Yaml::from(option), value)].into_iter().collect::<Mapping>().into()
    }

    /// Whether two values that differ are near enough.
    pub fn excuses(self, one: &Value, other: &Value) -> bool {
        let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<String>();
        match (self, one, other) {
            (Excuse::Ignore, ..) => true,
            (Excuse::Tolerance, Value::Decimal(one), Value::Decimal(other)) => one.abs_diff(*other) <= 50,
            (Excuse::Seconds, Value::Written(_, one), Value::Written(_, other)) => {
                seconds(one) == seconds(other)
            }
            (Excuse::Trim, Value::Text(one), Value::Text(other)) => one.trim() == other.trim(),
            (Excuse::Case, Value::Text(one), Value::Text(other)) => lower(one) == lower(other),
            _ => false,
        }
    }

    /// A value that is near this one, or just too far.
    pub fn near(self, value: &Value, dice: &mut Dice) -> Value {
        match (self, value) {
            (Excuse::Tolerance, Value::Decimal(value)) => Value::Decimal(
                (value + *dice.pick(&[1, -1, 50, -50, 51, -51])).clamp(-999_999_999_999, 999_999_999_999),
            ),
            (Excuse::Seconds, Value::Written(kind, text)) => {
                Value::Written(*kind, format!("{}{}", seconds(text), dice.pick(&["", ".000001", ".900000"])))
            }
            (Excuse::Trim, Value::Text(text)) => {
                Value::Text(format!("{}{text} ", dice.pick(&["", " ", "\n", "x"])))
            }
            (Excuse::Case, Value::Text(text)) => {
                Value::Text(if dice.chance(50) { text.to_uppercase() } else { text.to_lowercase() })
            }
            _ => value.clone(),
        }
    }
}

fn seconds(text: &str) -> &str {
    text.split('.').next().unwrap_or(text)
}
