//! The `where` expression: a small tree that means the same on every engine, and its rendering.
//!
//! Owns the tree and how it becomes SQL, given a [`Renderer`] that knows one side of a table pair: quoting,
//! column names and types there. Refuses everything whose meaning depends on the engine (arithmetic, `LIKE`,
//! string functions): the tree has no node for it. The invariant: text compares by code point, which is why a
//! literal is always rendered with the column it stands beside.

use std::fmt;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// One condition over the primary's column names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    /// The condition.
    pub root: Predicate,
}

/// Something that is true, false or unknown for a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Predicate {
    /// All of them (at least one).
    And(Vec<Predicate>),
    /// Any of them (at least one).
    Or(Vec<Predicate>),
    /// The opposite; unknown stays unknown.
    Not(Box<Predicate>),
    /// Two values compared.
    Compare {
        /// Before the operator.
        first: Operand,
        /// The operator.
        operator: Comparison,
        /// After the operator.
        second: Operand,
    },
    /// `value [NOT] IN (list)`.
    In {
        /// What is looked for.
        value: Operand,
        /// Where, at least one.
        list: Vec<Operand>,
        /// With `NOT`.
        negated: bool,
    },
    /// `value [NOT] BETWEEN low AND high`.
    Between {
        /// What is compared.
        value: Operand,
        /// At least this.
        low: Operand,
        /// At most this.
        high: Operand,
        /// With `NOT`.
        negated: bool,
    },
    /// `value IS [NOT] NULL`.
    IsNull {
        /// What is looked at.
        value: Operand,
        /// With `NOT`.
        negated: bool,
    },
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// The operator in SQL, the same on every engine.
    pub fn sql(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// A column, by the primary's name.
    Column(String),
    /// A literal.
    Literal(Literal),
    /// `now()` and the like, one literal for the whole run.
    Moment(Moment),
    /// A function of the allow-list.
    Call {
        /// Which.
        function: Function,
        /// Its arguments, as many as it takes.
        arguments: Vec<Operand>,
    },
}

/// A literal of the expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// `'text'`; beside a column of another type it is read as that type's text.
    Text(String),
    /// A number in plain or exponent notation, with its sign, exactly as written.
    Number(String),
    /// `true` or `false`.
    Boolean(bool),
    /// `DATE '2024-01-01'`, as `YYYY-MM-DD`.
    Date(String),
    /// `TIMESTAMP '2024-01-01 00:00:00'` without a zone, as `YYYY-MM-DD HH:MM:SS[.ffffff]`.
    DateTime(String),
    /// An instant, in UTC: `YYYY-MM-DD HH:MM:SS[.ffffff]`. From `now()`, or a `TIMESTAMP` with a zone.
    Instant(String),
}

/// A moment that is fixed when the run starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// What is taken of it.
    pub kind: MomentKind,
    /// Seconds added to it: `now() - interval '30 days'` is −2,592,000.
    pub shift_seconds: i64,
}

/// What is taken of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MomentKind {
    /// `now()`, `current_timestamp`: the instant.
    Instant,
    /// `current_date`: the date in UTC.
    Date,
}

/// The functions with the same meaning on every engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// The first value that is not NULL; two or more arguments.
    Coalesce,
    /// NULL where both are equal; two arguments.
    Nullif,
    /// The number without its sign; one argument.
    Abs,
}

impl Function {
    /// The name in SQL, the same on every engine.
    pub fn sql(self) -> &'static str {
        match self {
            Function::Coalesce => "COALESCE",
            Function::Nullif => "NULLIF",
            Function::Abs => "ABS",
        }
    }
}

/// Why an expression cannot be rendered for a side: a column it lacks, a literal its type cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// What is wrong, lower-case.
    pub message: String,
}

/// One side of a table pair, as far as an expression needs it.
pub trait Renderer {
    /// The column in SQL, by the primary's name: renamed on a replica, quoted, and in the form that compares
    /// by code point where it is text (`COLLATE "C"`, a binary NOPAD collation …).
    fn column(&self, name: &str) -> Result<String, ExpressionError>;

    /// The literal in SQL, in the form that compares with the column it stands beside (the primary's name);
    /// `None` where it stands beside no column at all.
    fn literal(&self, literal: &Literal, beside: Option<&str>) -> Result<String, ExpressionError>;
}

impl Expression {
    /// The names of the columns it speaks of, each once, in the order of their first use.
    pub fn columns(&self) -> Vec<&str> {
        let mut columns = Vec::new();
        self.root.collect_columns(&mut columns);
        columns
    }

    /// The condition in SQL for one side, fully parenthesised. `now` is the start of the run, the same for
    /// all sides and tables.
    pub fn render(&self, renderer: &dyn Renderer, now: Timestamp) -> Result<String, ExpressionError> {
        self.root.render(&Rendering { renderer, now: Some(now) })
    }
}

/// The canonical text: the same for expressions that mean the same tree, different for all others. Moments
/// stay symbolic in it, so that it does not change from run to run.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text =
            self.root.render(&Rendering { renderer: &Canonical, now: None }).map_err(|_| fmt::Error)?;
        write!(f, "{text}")
    }
}

struct Canonical;

impl Renderer for Canonical {
    fn column(&self, name: &str) -> Result<String, ExpressionError> {
        Ok(format!("\"{}\"", name.replace('"', "\"\"")))
    }

    fn literal(&self, literal: &Literal, _beside: Option<&str>) -> Result<String, ExpressionError> {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        Ok(match literal {
            Literal::Text(text) => quoted(text),
            Literal::Number(number) => number.clone(),
            Literal::Boolean(boolean) => boolean.to_string(),
            Literal::Date(date) => format!("DATE {}", quoted(date)),
            Literal::DateTime(date_time) => format!("TIMESTAMP {}", quoted(date_time)),
            Literal::Instant(instant) => format!("TIMESTAMP {}", quoted(&format!("{instant}Z"))),
        })
    }
}

struct Rendering<'a> {
    renderer: &'a dyn Renderer,
    /// `None`: moments are rendered as `now()` and `current_date`, shifted by seconds.
    now: Option<Timestamp>,
}

fn remember<'a>(name: &'a str, columns: &mut Vec<&'a str>) {
    if !columns.contains(&name) {
        columns.push(name);
    }
}

impl Predicate {
    fn collect_columns<'a>(&'a self, columns: &mut Vec<&'a str>) {
        match self {
            Predicate::And(all) | Predicate::Or(all) => all.iter().for_each(|p| p.collect_columns(columns)),
            Predicate::Not(inner) => inner.collect_columns(columns),
            _ => self.operands().into_iter().for_each(|operand| operand.collect_columns(columns)),
        }
    }

    /// The values compared with one another here, none for the connectives.
    fn operands(&self) -> Vec<&Operand> {
        match self {
            Predicate::And(_) | Predicate::Or(_) | Predicate::Not(_) => Vec::new(),
            Predicate::Compare { first, second, .. } => vec![first, second],
            Predicate::In { value, list, .. } => std::iter::once(value).chain(list).collect(),
            Predicate::Between { value, low, high, .. } => vec![value, low, high],
            Predicate::IsNull { value, .. } => vec![value],
        }
    }

    fn render(&self, to: &Rendering<'_>) -> Result<String, ExpressionError> {
        let mut columns = Vec::new();
        self.operands().into_iter().for_each(|operand| operand.collect_columns(&mut columns));
        let beside = columns.first().copied();
        let value = |operand: &Operand| operand.render(to, beside);
        let not = |negated: bool| if negated { "NOT " } else { "" };
        Ok(match self {
            Predicate::And(all) => join(all, " AND ", to)?,
            Predicate::Or(all) => join(all, " OR ", to)?,
            Predicate::Not(inner) => format!("(NOT {})", inner.render(to)?),
            Predicate::Compare { first, operator, second } => {
                format!("({} {} {})", value(first)?, operator.sql(), value(second)?)
            }
            Predicate::In { value: looked_for, list, negated } => {
                let list = list.iter().map(value).collect::<Result<Vec<_>, _>>()?;
                format!("({} {}IN ({}))", value(looked_for)?, not(*negated), list.join(", "))
            }
            Predicate::Between { value: compared, low, high, negated } => {
                let (low, high) = (value(low)?, value(high)?);
                format!("({} {}BETWEEN {low} AND {high})", value(compared)?, not(*negated))
            }
            Predicate::IsNull { value: looked_at, negated } => {
                format!("({} IS {}NULL)", value(looked_at)?, not(*negated))
            }
        })
    }
}

fn join(all: &[Predicate], word: &str, to: &Rendering<'_>) -> Result<String, ExpressionError> {
    let parts = all.iter().map(|part| part.render(to)).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("({})", parts.join(word)))
}

impl Operand {
    fn collect_columns<'a>(&'a self, columns: &mut Vec<&'a str>) {
        match self {
            Operand::Column(name) => remember(name, columns),
            Operand::Call { arguments, .. } => {
                arguments.iter().for_each(|argument| argument.collect_columns(columns))
            }
            Operand::Literal(_) | Operand::Moment(_) => {}
        }
    }

    fn render(&self, to: &Rendering<'_>, beside: Option<&str>) -> Result<String, ExpressionError> {
        match self {
            Operand::Column(name) => to.renderer.column(name),
            Operand::Literal(literal) => to.renderer.literal(literal, beside),
            Operand::Moment(moment) => match to.now {
                Some(now) => to.renderer.literal(&moment.at(now)?, beside),
                None => Ok(moment.symbol()),
            },
            Operand::Call { function, arguments } => {
                let arguments =
                    arguments.iter().map(|a| a.render(to, beside)).collect::<Result<Vec<_>, _>>()?;
                Ok(format!("{}({})", function.sql(), arguments.join(", ")))
            }
        }
    }
}

impl Moment {
    fn symbol(self) -> String {
        let name = match self.kind {
            MomentKind::Instant => "now()",
            MomentKind::Date => "current_date",
        };
        match self.shift_seconds {
            0 => name.to_owned(),
            seconds => format!("{name} + interval '{seconds} seconds'"),
        }
    }

    /// The literal it stands for in a run that started at `now`, to the microsecond.
    pub fn at(self, now: Timestamp) -> Result<Literal, ExpressionError> {
        let shifted = now.checked_add(SignedDuration::from_secs(self.shift_seconds)).map_err(|_| {
            ExpressionError { message: "the interval leads to a date out of range".to_owned() }
        })?;
        let civil = shifted.to_zoned(TimeZone::UTC).datetime();
        if self.kind == MomentKind::Date {
            return Ok(Literal::Date(civil.date().to_string()));
        }
        let whole = civil.strftime("%Y-%m-%d %H:%M:%S");
        let microseconds = civil.subsec_nanosecond() / 1000;
        Ok(Literal::Instant(match microseconds {
            0 => whole.to_string(),
            fraction => format!("{whole}.{fraction:06}"),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows what the renderer was asked.
    struct Asked;

    impl Renderer for Asked {
        fn column(&self, name: &str) -> Result<String, ExpressionError> {
            match name {
                "missing" => Err(ExpressionError { message: "no column `missing`".to_owned() }),
                _ => Ok(format!("`{name}`")),
            }
        }

        fn literal(&self, literal: &Literal, beside: Option<&str>) -> Result<String, ExpressionError> {
            Ok(format!("<{literal:?} beside {}>", beside.unwrap_or("nothing")))
        }
    }

    fn column(name: &str) -> Operand {
        Operand::Column(name.to_owned())
    }

    fn rendered(root: Predicate) -> Result<String, ExpressionError> {
        let now = Timestamp::from_microsecond(1_700_000_000_250_000).expect("an instant");
        Expression { root }.render(&Asked, now)
    }

    #[test]
    fn literals_know_the_column_they_stand_beside() {
        let value = Operand::Call {
            function: Function::Coalesce,
            arguments: vec![column("note"), Operand::Literal(Literal::Text(String::new()))],
        };
        let root = Predicate::In {
            value,
            list: vec![Operand::Literal(Literal::Text("x".to_owned()))],
            negated: true,
        };
        assert_eq!(
            rendered(root).as_deref(),
            Ok("(COALESCE(`note`, <Text(\"\") beside note>) NOT IN (<Text(\"x\") beside note>))")
        );
    }

    #[test]
    fn moments_become_one_literal() {
        let moment = |kind, shift_seconds| Operand::Moment(Moment { kind, shift_seconds });
        let root = Predicate::Between {
            value: column("at"),
            low: moment(MomentKind::Date, -86_400),
            high: moment(MomentKind::Instant, 0),
            negated: false,
        };
        assert_eq!(
            rendered(root).as_deref(),
            Ok(
                "(`at` BETWEEN <Date(\"2023-11-13\") beside at> AND <Instant(\"2023-11-14 22:13:20.250000\") beside at>)"
            )
        );
        let far = Moment { kind: MomentKind::Instant, shift_seconds: i64::MAX };
        assert!(far.at(Timestamp::UNIX_EPOCH).is_err());
    }

    #[test]
    fn a_renderer_can_refuse() {
        let root = Predicate::IsNull { value: column("missing"), negated: false };
        assert_eq!(rendered(root).map_err(|error| error.to_string()), Err("no column `missing`".to_owned()));
    }
}
