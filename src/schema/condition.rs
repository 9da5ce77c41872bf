//! Whether the values that a `where` holds against each other are of one kind, on one side.
//!
//! Engines disagree about what a number is beside a text, or a date beside a moment: one refuses it, one converts
//! the one, one the other. Refused here, before any of them is asked; the invariant is that columns in one
//! comparison have one [`Kind`]. Literals are the dialect's business, which reads each as the column beside it.

use crate::sql::Column;
use crate::sql::expression::{Expression, Function, Operand, Predicate};
use crate::value::Type;

/// What values can be held against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Truth,
    Number,
    Text,
    Bytes,
    Date,
    Time,
    /// With or without a zone: sessions are in UTC.
    Moment,
    Uuid,
    Json,
    /// What only the engine itself understands.
    Native,
}

impl Kind {
    fn of(meaning: &Type) -> Kind {
        match meaning {
            Type::Boolean => Kind::Truth,
            Type::Year | Type::Integer { .. } | Type::Decimal { .. } | Type::Float32 | Type::Float64 => {
                Kind::Number
            }
            Type::Text { .. } => Kind::Text,
            Type::Bytes { .. } => Kind::Bytes,
            Type::Date => Kind::Date,
            Type::Time { .. } => Kind::Time,
            Type::DateTime { .. } | Type::Instant { .. } | Type::Zoned { .. } => Kind::Moment,
            Type::Uuid => Kind::Uuid,
            Type::Json | Type::JsonText => Kind::Json,
            Type::Enum { .. }
            | Type::Set { .. }
            | Type::Bits { .. }
            | Type::Address { .. }
            | Type::Printed
            | Type::Other => Kind::Native,
        }
    }
}

/// Checks every comparison of a condition; `column` gives this side's column for a primary's name, and a column
/// that is not there is not this check's business.
///
/// # Errors
/// The first two columns of different kinds in one comparison, or a function over a kind that it does not take.
pub(super) fn check_kinds(
    expression: &Expression,
    column: &dyn Fn(&str) -> Option<Column>,
) -> Result<(), String> {
    check(&expression.root, column)
}

fn check(predicate: &Predicate, column: &dyn Fn(&str) -> Option<Column>) -> Result<(), String> {
    let compared: Vec<&Operand> = match predicate {
        Predicate::And(all) | Predicate::Or(all) => {
            return all.iter().try_for_each(|part| check(part, column));
        }
        Predicate::Not(inner) => return check(inner, column),
        Predicate::Compare { first, second, .. } => vec![first, second],
        Predicate::In { value, list, .. } => std::iter::once(value).chain(list).collect(),
        Predicate::Between { value, low, high, .. } => vec![value, low, high],
        Predicate::IsNull { value, .. } => vec![value],
    };
    let mut found: Option<Column> = None;
    compared.into_iter().try_for_each(|operand| check_operand(operand, column, &mut found))
}

fn check_operand(
    operand: &Operand,
    column: &dyn Fn(&str) -> Option<Column>,
    found: &mut Option<Column>,
) -> Result<(), String> {
    match operand {
        Operand::Literal(_) | Operand::Moment(_) => Ok(()),
        Operand::Column(name) => {
            let Some(next) = column(name) else { return Ok(()) };
            match found {
                Some(first) if kind(first) != kind(&next) => Err(format!(
                    "column {} of type {} cannot be compared with column {} of type {}",
                    first.name, first.column_type.declared, next.name, next.column_type.declared
                )),
                Some(_) => Ok(()),
                None => {
                    *found = Some(next);
                    Ok(())
                }
            }
        }
        Operand::Call { function, arguments } => {
            arguments.iter().try_for_each(|argument| check_operand(argument, column, found))?;
            match found {
                Some(of) if *function == Function::Abs && kind(of) != Kind::Number => Err(format!(
                    "abs takes a number, and column {} is of type {}",
                    of.name, of.column_type.declared
                )),
                _ => Ok(()),
            }
        }
    }
}

fn kind(column: &Column) -> Kind {
    Kind::of(&column.column_type.meaning)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::expression::{Comparison, Literal};
    use crate::value::ColumnType;

    fn table(name: &str) -> Option<Column> {
        let meaning = match name {
            "id" | "n" => Type::Decimal { precision: None, scale: None },
            "s" => Type::Text { chars_max: None, fixed: false },
            "day" => Type::Date,
            "at" => Type::DateTime { digits: 6 },
            "zoned" => Type::Instant { digits: 6 },
            _ => return None,
        };
        Some(Column {
            name: name.to_owned(),
            column_type: ColumnType::new("some type", meaning),
            nullable: true,
            default: None,
            generated: None,
            identity: None,
            collation: None,
            words: Default::default(),
        })
    }

    fn column(name: &str) -> Operand {
        Operand::Column(name.to_owned())
    }

    fn compared(first: Operand, second: Operand) -> Result<(), String> {
        let root = Predicate::Compare { first, operator: Comparison::Equal, second };
        let root = Predicate::Not(Box::new(Predicate::And(vec![root])));
        check_kinds(&Expression { root }, &table)
    }

    fn abs(of: Operand) -> Operand {
        Operand::Call { function: Function::Abs, arguments: vec![of] }
    }

    #[test]
    fn columns_of_one_kind_are_compared() {
        assert_eq!(compared(column("id"), column("n")), Ok(()));
        assert_eq!(compared(column("at"), column("zoned")), Ok(()));
        assert_eq!(compared(column("s"), Operand::Literal(Literal::Text("x".to_owned()))), Ok(()));
        assert_eq!(compared(column("s"), column("nowhere")), Ok(()));
    }

    #[test]
    fn columns_of_two_kinds_are_refused() {
        assert!(compared(column("id"), column("s")).is_err_and(|why| why.contains("column id of type")));
        assert!(compared(column("day"), column("at")).is_err());
        assert!(compared(abs(column("s")), Operand::Literal(Literal::Number("1".to_owned()))).is_err());
        assert!(compared(abs(column("n")), column("id")).is_ok());
        let coalesce = Operand::Call {
            function: Function::Coalesce,
            arguments: vec![column("s"), column("day"), Operand::Literal(Literal::Text(String::new()))],
        };
        assert!(compared(coalesce, Operand::Literal(Literal::Text("x".to_owned()))).is_err());
    }
}
