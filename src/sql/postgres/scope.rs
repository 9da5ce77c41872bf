//! The `where` expression for one side.

use super::super::Column;
use super::super::expression::{ExpressionError, Literal, Renderer};
use super::identifier;
use super::literal::{date_text, quoted, stamp_text, uuid_text};
use super::select::{by_code_point, printed};
use crate::value::{Date, Decimal, Stamp, Time, Type};

/// The columns of one side by the primary's names.
pub(super) struct OneSide<'a> {
    pub(super) column: &'a dyn Fn(&str) -> Option<Column>,
}

impl Renderer for OneSide<'_> {
    fn column(&self, name: &str) -> Result<String, ExpressionError> {
        let column = self.find(name)?;
        let name = identifier(&column.name);
        Ok(match column.column_type.meaning {
            // BETWEEN takes no COLLATE outside parentheses.
            Type::Text { .. } => format!("({})", by_code_point(&name, &column)),
            Type::JsonText | Type::Json => format!("({name}::text COLLATE \"C\")"),
            _ if is_printed(&column.column_type.meaning) => {
                format!("(({}) COLLATE \"C\")", printed(&name, &column.column_type))
            }
            _ => name,
        })
    }

    fn literal(&self, literal: &Literal, beside: Option<&str>) -> Result<String, ExpressionError> {
        match beside {
            Some(name) => beside_column(literal, &self.find(name)?),
            None => alone(literal),
        }
    }
}

impl OneSide<'_> {
    fn find(&self, name: &str) -> Result<Column, ExpressionError> {
        (self.column)(name).ok_or_else(|| error(format!("there is no column `{name}` on this side")))
    }
}

/// What is compared as the text it prints.
fn is_printed(meaning: &Type) -> bool {
    use Type::{Address, Bits, Enum, Other, Printed, Set};
    matches!(meaning, Enum { .. } | Set { .. } | Bits { .. } | Address { .. } | Printed | Other)
}

fn error(message: impl Into<String>) -> ExpressionError {
    ExpressionError { message: message.into() }
}

fn text(text: &str) -> Result<String, ExpressionError> {
    quoted(text).map_err(|why| error(why.reason))
}

fn alone(literal: &Literal) -> Result<String, ExpressionError> {
    Ok(match literal {
        Literal::Text(value) => format!("({}::text COLLATE \"C\")", text(value)?),
        Literal::Number(number) => format!("({number})"),
        Literal::Boolean(value) => value.to_string().to_uppercase(),
        Literal::Date(value) => format!("{}::date", text(value)?),
        Literal::DateTime(value) => format!("{}::timestamp", text(value)?),
        Literal::Instant(value) => format!("{}::timestamptz", text(&format!("{value}+00"))?),
    })
}

fn beside_column(literal: &Literal, column: &Column) -> Result<String, ExpressionError> {
    let refused = |what: &str| {
        let (name, declared) = (&column.name, &column.column_type.declared);
        error(format!("{what} cannot be compared with column `{name}` of type {declared}"))
    };
    match &column.column_type.meaning {
        Type::Text { fixed, .. } => match literal {
            Literal::Text(value) => {
                let cast = if *fixed { "bpchar" } else { "text" };
                Ok(format!("({})", by_code_point(&format!("{}::{cast}", text(value)?), column)))
            }
            _ => Err(refused("only a text in quotes can: this")),
        },
        Type::Boolean => boolean(literal).ok_or_else(|| refused("only true and false can: this")),
        Type::Integer { .. } | Type::Year | Type::Decimal { .. } => {
            number(literal).ok_or_else(|| refused("a text that is no number"))
        }
        Type::Float32 | Type::Float64 => number(literal)
            .map(|number| format!("'{}'::{}", number.trim_matches(['(', ')']), column.column_type.declared))
            .ok_or_else(|| refused("a text that is no number")),
        Type::Date | Type::DateTime { .. } | Type::Zoned { .. } | Type::Instant { .. } => {
            moment(literal, &column.column_type.meaning).ok_or_else(|| refused("a text that is no date"))
        }
        Type::Time { .. } => match literal {
            Literal::Text(value) => Time::parse(value)
                .filter(|time| (0..=86_400_000_000).contains(&time.0))
                .map(|time| format!("'{time}'::time"))
                .ok_or_else(|| refused("a text that is no time")),
            _ => Err(refused("only a time in quotes can: this")),
        },
        Type::Uuid => match literal {
            Literal::Text(value) => uuid(value).ok_or_else(|| refused("a text that is no uuid")),
            _ => Err(refused("only a uuid in quotes can: this")),
        },
        meaning if is_printed(meaning) => match literal {
            Literal::Text(value) => Ok(format!("({}::text COLLATE \"C\")", text(value)?)),
            _ => Err(refused("only a text in quotes can: this")),
        },
        _ => Err(refused("a literal")),
    }
}

fn boolean(literal: &Literal) -> Option<String> {
    let value = match literal {
        Literal::Boolean(value) => *value,
        Literal::Number(number) | Literal::Text(number) => match number.to_ascii_lowercase().as_str() {
            "1" | "true" | "t" => true,
            "0" | "false" | "f" => false,
            _ => return None,
        },
        _ => return None,
    };
    Some(if value { "TRUE" } else { "FALSE" }.to_owned())
}

fn number(literal: &Literal) -> Option<String> {
    match literal {
        Literal::Number(text) | Literal::Text(text) => {
            let number = Decimal::parse(text.trim()).ok().filter(Decimal::is_finite)?;
            Some(format!("({})", number.as_str()))
        }
        Literal::Boolean(value) => Some(u8::from(*value).to_string()),
        _ => None,
    }
}

/// What has no zone is in UTC. A date column is compared with the whole moment, not with its date.
fn moment(literal: &Literal, meaning: &Type) -> Option<String> {
    let (stamp, shift) = match literal {
        Literal::Text(text) if text == "infinity" || text == "-infinity" => {
            let extreme = if text == "infinity" { i64::MAX } else { i64::MIN };
            (Stamp(extreme), None)
        }
        Literal::Text(text) | Literal::Date(text) | Literal::DateTime(text) | Literal::Instant(text) => {
            Stamp::parse(text.trim())?
        }
        _ => return None,
    };
    let stamp = stamp.shifted(-i64::from(shift.unwrap_or(0)));
    let (date, micros) = stamp.parts();
    if matches!(date.civil(), crate::value::Civil::Impossible { .. }) {
        return None;
    }
    Some(match meaning {
        Type::Date if micros == 0 => format!("'{}'::date", date_text(Date(date.0))),
        Type::Instant { .. } => format!("'{}'::timestamptz", stamp_text(stamp, true)),
        _ => format!("'{}'::timestamp", stamp_text(stamp, false)),
    })
}

fn uuid(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, '-' | '{' | '}')).collect();
    if digits.len() != 32 || !digits.is_ascii() {
        return None;
    }
    let mut bytes = [0; 16];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(format!("'{}'::uuid", uuid_text(&bytes)))
}
