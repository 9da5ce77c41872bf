//! The `where` expression for one side: text by code point, every literal typed as the column beside it.

use super::condition::by_code_point;
use super::{hex, identifier};
use crate::sql::Column;
use crate::sql::expression::{Expression, ExpressionError, Literal, Renderer};
use crate::value::{Date, Decimal, Stamp, Time, Type};

/// Renders an expression; `column` gives this side's column for a primary's name.
pub(super) fn render(
    expression: &Expression,
    column: &dyn Fn(&str) -> Option<Column>,
    now: jiff::Timestamp,
) -> Result<String, ExpressionError> {
    expression.render(&Scope { column }, now)
}

struct Scope<'a> {
    column: &'a dyn Fn(&str) -> Option<Column>,
}

fn error(message: impl Into<String>) -> ExpressionError {
    ExpressionError { message: message.into() }
}

impl Scope<'_> {
    fn find(&self, name: &str) -> Result<Column, ExpressionError> {
        (self.column)(name).ok_or_else(|| error(format!("there is no column `{name}`")))
    }
}

impl Renderer for Scope<'_> {
    fn column(&self, name: &str) -> Result<String, ExpressionError> {
        let column = self.find(name)?;
        let quoted = identifier(&column.name);
        match column.column_type.meaning {
            Type::Text { .. } => Ok(by_code_point(&quoted)),
            Type::Uuid => Ok(format!("CAST({quoted} AS CHAR)")),
            Type::Json | Type::JsonText | Type::Other => Err(error(format!(
                "column `{name}` of type {} cannot be compared in a condition",
                column.column_type.declared
            ))),
            _ => Ok(quoted),
        }
    }

    fn literal(&self, literal: &Literal, beside: Option<&str>) -> Result<String, ExpressionError> {
        let Some(name) = beside else { return alone(literal) };
        let column = self.find(name)?;
        let meaning = &column.column_type.meaning;
        beside_type(literal, meaning).ok_or_else(|| {
            let declared = &column.column_type.declared;
            error(format!("{} cannot be compared with column `{name}` of type {declared}", words(literal)))
        })
    }
}

fn words(literal: &Literal) -> String {
    match literal {
        Literal::Text(text) => format!("the text '{text}'"),
        Literal::Number(number) => format!("the number {number}"),
        Literal::Boolean(value) => value.to_string(),
        Literal::Date(text) | Literal::DateTime(text) | Literal::Instant(text) => text.clone(),
    }
}

fn alone(literal: &Literal) -> Result<String, ExpressionError> {
    match literal {
        Literal::Text(text) => Ok(hex(text.as_bytes())),
        Literal::Number(number) => {
            Decimal::parse(number).map(|number| number.to_string()).map_err(|_| error("not a number"))
        }
        Literal::Boolean(value) => Ok(value.to_string().to_uppercase()),
        Literal::Date(date) => Ok(format!("CAST('{date}' AS DATE)")),
        Literal::DateTime(stamp) | Literal::Instant(stamp) => Ok(format!("CAST('{stamp}' AS DATETIME(6))")),
    }
}

/// The literal as the type reads it; `None` where it cannot.
fn beside_type(literal: &Literal, meaning: &Type) -> Option<String> {
    match (meaning, literal) {
        (Type::Text { .. }, Literal::Text(text)) => Some(hex(text.as_bytes())),
        (Type::Uuid, Literal::Text(text)) => Some(super::literal::text(&text.to_lowercase())),
        (Type::Bytes { .. }, Literal::Text(text)) => Some(hex(text.as_bytes())),
        (Type::Boolean | Type::Integer { .. }, Literal::Boolean(value)) => Some(u8::from(*value).to_string()),
        (
            Type::Integer { .. } | Type::Year | Type::Decimal { .. },
            Literal::Number(text) | Literal::Text(text),
        ) => Decimal::parse(text.trim()).ok().filter(Decimal::is_finite).map(|number| number.to_string()),
        (Type::Float32 | Type::Float64, Literal::Number(text) | Literal::Text(text)) => {
            text.trim().parse::<f64>().ok().filter(|number| number.is_finite()).map(|n| format!("{n:e}"))
        }
        (Type::Date | Type::DateTime { .. } | Type::Instant { .. }, literal) => moment(literal),
        (Type::Time { .. }, Literal::Text(text)) => {
            Time::parse(text.trim()).map(|time| format!("CAST('{time}' AS TIME(6))"))
        }
        _ => None,
    }
}

fn moment(literal: &Literal) -> Option<String> {
    let text = match literal {
        Literal::Text(text) => text.trim(),
        Literal::Date(text) | Literal::DateTime(text) | Literal::Instant(text) => text.as_str(),
        Literal::Number(_) | Literal::Boolean(_) => return None,
    };
    if let Some(date) = Date::parse(text) {
        return Some(format!("CAST('{date}' AS DATE)"));
    }
    let (stamp, zone) = Stamp::parse(text)?;
    let (date, micros) = stamp.shifted(-i64::from(zone.unwrap_or(0))).parts();
    Some(format!("CAST('{}' AS DATETIME(6))", super::literal::stamp_text(date, micros)))
}
