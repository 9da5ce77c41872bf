//! `where`: from SQL text to the tree that means the same on every engine.
//!
//! What is allowed, and nothing else:
//! - columns, written plain or in double quotes, exactly as the primary names them;
//! - `'text'`, numbers, `true`, `false`, `DATE '…'`, `TIMESTAMP '…'` (with a zone: an instant);
//! - `=` `<>` `!=` `<` `<=` `>` `>=`, `[NOT] IN (…)`, `[NOT] BETWEEN … AND …`, `IS [NOT] NULL`, `AND`, `OR`, `NOT`,
//!   and a boolean column by itself;
//! - `coalesce`, `nullif`, `abs`; `now()`, `current_timestamp` and `current_date`, also `± INTERVAL '30 days'`
//!   (seconds to weeks), which become one literal when the run starts.
//!
//! Left out, because engines differ: `lower` and `upper` (beyond ASCII), `length` (characters or bytes, NUL),
//! `LIKE` (case), arithmetic (integer division, decimals in SQLite, overflow), casts, and every function of the
//! clock's local time. Errors point at the place inside the scalar where that can be followed.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use sqlparser::ast::{
    BinaryOperator, DataType, DateTimeField, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Interval,
    Spanned, TypedString, UnaryOperator, Value,
};
use sqlparser::dialect::Dialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, Tokenizer};

use crate::sql::expression::{
    Comparison, Expression, Function, Literal, Moment, MomentKind, Operand, Predicate,
};

use super::read::Reader;
use super::yaml::{Kind, Node};
use super::{Located, Place};

/// The longest condition; also bounds how deep a chain of AND and OR can be.
const CHARACTERS_MAX: usize = 16_384;
/// The deepest nesting of parentheses and NOT.
const DEPTH_MAX: usize = 40;

const FUNCTIONS: &str = "the functions are coalesce, nullif, abs, now, current_timestamp and current_date";
const VALUES: &str = "a value is a column, 'text', a number, true, false, DATE '2024-01-31', TIMESTAMP '2024-01-31 12:00:00' or now()";

/// What is wrong, and where in the expression's own text (line and column from 1; 0 when not known).
struct Fault {
    at: Location,
    message: String,
    hint: Option<String>,
}

type Parsed<T> = Result<T, Box<Fault>>;

fn fault<T>(at: Location, message: impl Into<String>, hint: &str) -> Parsed<T> {
    let hint = (!hint.is_empty()).then(|| hint.to_owned());
    Err(Box::new(Fault { at, message: message.into(), hint }))
}

/// Double quotes around identifiers, nothing that only one engine knows.
#[derive(Debug)]
struct WhereDialect;

impl Dialect for WhereDialect {
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }
}

/// Reads `where`, or reports why not.
pub(super) fn read_expression(node: &Node, reader: &mut Reader<'_>) -> Option<Located<Expression>> {
    let text = reader.text(node, "`where`")?;
    match parse(&text.value) {
        Ok(root) => Some(Located::new(Expression { root }, node.place)),
        Err(fault) => {
            let place = place_in(node, &text.value, fault.at);
            reader.error_with_hint(place, format!("`where`: {}", fault.message), fault.hint);
            None
        }
    }
}

/// The place in the spec of a location in the expression.
fn place_in(node: &Node, text: &str, at: Location) -> Place {
    let Kind::Scalar(scalar) = &node.kind else { return node.place };
    if at.line == 0 || at.column == 0 {
        return node.place;
    }
    let before: usize =
        text.split('\n').take(at.line as usize - 1).map(|line| line.chars().count() + 1).sum();
    scalar.place_of(node.place, before + at.column as usize - 1)
}

fn parse(text: &str) -> Parsed<Predicate> {
    if text.chars().count() > CHARACTERS_MAX {
        return fault(UNKNOWN, format!("it is longer than {CHARACTERS_MAX} characters"), "");
    }
    let mut tokens = Vec::new();
    let mut tokenizer = Tokenizer::new(&WhereDialect, text);
    if let Err(error) = tokenizer.tokenize_with_location_into_buf(&mut tokens) {
        return fault(error.location, sentence(&error.message), "");
    }
    for token in &tokens {
        refuse_token(&token.token, token.span.start)?;
    }
    let mut parser =
        Parser::new(&WhereDialect).with_recursion_limit(DEPTH_MAX).with_tokens_with_locations(tokens);
    let expression = parser.parse_expr().map_err(|error| {
        // The parser has read the token it stumbled over, or stands before it.
        let token = parser.get_current_token();
        let at = if token.token == Token::EOF { end_of(text) } else { token.span.start };
        Box::new(syntax_fault(error, at))
    })?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        let message = format!("the expression ends before `{}`", rest.token);
        return fault(rest.span.start, message, "it is one condition; join several with AND or OR");
    }
    predicate(&expression)
}

const UNKNOWN: Location = Location { line: 0, column: 0 };

fn end_of(text: &str) -> Location {
    let line = text.split('\n').count() as u64;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() as u64 + 1;
    Location { line, column }
}

fn syntax_fault(error: ParserError, at: Location) -> Fault {
    match error {
        ParserError::RecursionLimitExceeded => {
            let message = format!("it is nested deeper than {DEPTH_MAX} levels");
            Fault { at: UNKNOWN, message, hint: None }
        }
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            let (message, at) = split_location(&message, at);
            let hint = "a name that is also a word of SQL goes in double quotes, text in single quotes";
            Fault { at, message: sentence(message), hint: Some(hint.to_owned()) }
        }
    }
}

/// Takes ` at Line: 1, Column: 5` off the parser's message; it knows better than we where it was.
fn split_location(message: &str, at: Location) -> (&str, Location) {
    let Some((head, tail)) = message.split_once(" at Line: ") else { return (message, at) };
    let numbers = tail.split_once(", Column: ").and_then(|(line, column)| {
        Some(Location { line: line.parse().ok()?, column: column.trim().parse().ok()? })
    });
    (head, numbers.unwrap_or(at))
}

fn sentence(message: &str) -> String {
    let message = message.replace("found: EOF", "found the end").replace("Expected: ", "expected ");
    let message = message.replace("found: ", "found ").replace("EOF", "the end");
    let mut characters = message.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => message,
    }
}

/// Tokens for which a better answer exists than a parser's.
fn refuse_token(token: &Token, at: Location) -> Parsed<()> {
    match token {
        Token::Placeholder(_) | Token::Colon => {
            fault(at, "placeholders cannot stand here", "write the value itself, or take it from `${NAME}`")
        }
        Token::Char('`') | Token::LBracket => {
            fault(at, "this is no way to quote a name here", "names are written plain or in double quotes")
        }
        Token::SemiColon => fault(at, "`;` cannot stand here", "it is one condition, not a statement"),
        Token::Word(word) if word.quote_style.is_none() && is_query(&word.value) => {
            fault(at, "sub-queries cannot stand here", "a condition may speak of the row's own columns only")
        }
        Token::Word(word) if word.quote_style == Some('"') && word.value.is_empty() => {
            fault(at, "this name is empty", "text stands in single quotes: ''")
        }
        _ => Ok(()),
    }
}

fn is_query(word: &str) -> bool {
    ["select", "exists"].iter().any(|query| word.eq_ignore_ascii_case(query))
}

/// Where an expression begins. A long chain of operators leans to the left: walk down instead of recursing.
fn start(expression: &Expr) -> Location {
    let mut first = expression;
    while let Expr::BinaryOp { left, .. } = first {
        first = left;
    }
    first.span().start
}

fn predicate(expression: &Expr) -> Parsed<Predicate> {
    match expression {
        Expr::Nested(inner) => predicate(inner),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => Ok(Predicate::Not(Box::new(predicate(expr)?))),
        Expr::BinaryOp { op: BinaryOperator::And, .. } => {
            Ok(Predicate::And(chain(expression, &BinaryOperator::And)?))
        }
        Expr::BinaryOp { op: BinaryOperator::Or, .. } => {
            Ok(Predicate::Or(chain(expression, &BinaryOperator::Or)?))
        }
        Expr::BinaryOp { left, op, right } => match comparison(op) {
            Some(operator) => {
                let (first, second) = (operand(left)?, operand(right)?);
                needs_column(&[&first, &second], start(expression))?;
                Ok(Predicate::Compare { first, operator, second })
            }
            None => refuse_operator(op, left),
        },
        Expr::InList { expr, list, negated } => {
            let value = operand(expr)?;
            let list = list.iter().map(operand).collect::<Parsed<Vec<_>>>()?;
            if list.is_empty() {
                return fault(start(expr), "the list of IN is empty", "");
            }
            needs_column(&std::iter::once(&value).chain(&list).collect::<Vec<_>>(), start(expr))?;
            Ok(Predicate::In { value, list, negated: *negated })
        }
        Expr::Between { expr, negated, low, high } => {
            let (value, low, high) = (operand(expr)?, operand(low)?, operand(high)?);
            needs_column(&[&value, &low, &high], start(expr))?;
            Ok(Predicate::Between { value, low, high, negated: *negated })
        }
        Expr::IsNull(value) => is_null(value, false),
        Expr::IsNotNull(value) => is_null(value, true),
        Expr::Identifier(_) => {
            let second = Operand::Literal(Literal::Boolean(true));
            Ok(Predicate::Compare { first: operand(expression)?, operator: Comparison::Equal, second })
        }
        _ => refuse_condition(expression),
    }
}

/// The parts of `a AND b AND c`, without recursion along the chain.
fn chain(expression: &Expr, word: &BinaryOperator) -> Parsed<Vec<Predicate>> {
    let mut parts = Vec::new();
    let mut rest = expression;
    while let Expr::BinaryOp { left, op, right } = rest {
        if op != word {
            break;
        }
        parts.push(right.as_ref());
        rest = left;
    }
    parts.push(rest);
    parts.into_iter().rev().map(predicate).collect()
}

fn is_null(value: &Expr, negated: bool) -> Parsed<Predicate> {
    let looked_at = operand(value)?;
    needs_column(&[&looked_at], start(value))?;
    Ok(Predicate::IsNull { value: looked_at, negated })
}

fn comparison(op: &BinaryOperator) -> Option<Comparison> {
    Some(match op {
        BinaryOperator::Eq => Comparison::Equal,
        BinaryOperator::NotEq => Comparison::NotEqual,
        BinaryOperator::Lt => Comparison::Less,
        BinaryOperator::LtEq => Comparison::LessOrEqual,
        BinaryOperator::Gt => Comparison::Greater,
        BinaryOperator::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

/// Literals alone have no type to be compared as, and say the same of every row.
fn needs_column(operands: &[&Operand], at: Location) -> Parsed<()> {
    fn speaks_of_column(operand: &Operand) -> bool {
        match operand {
            Operand::Column(_) => true,
            Operand::Call { arguments, .. } => arguments.iter().any(speaks_of_column),
            Operand::Literal(_) | Operand::Moment(_) => false,
        }
    }
    if operands.iter().any(|operand| speaks_of_column(operand)) {
        return Ok(());
    }
    fault(at, "this compares no column", "names of columns are written plain or in double quotes")
}

fn refuse_operator<T>(op: &BinaryOperator, left: &Expr) -> Parsed<T> {
    let message = format!("the operator `{op}` cannot stand here");
    let hint = match op {
        BinaryOperator::Spaceship => "write `=` together with IS NULL",
        BinaryOperator::Plus
        | BinaryOperator::Minus
        | BinaryOperator::Multiply
        | BinaryOperator::Divide
        | BinaryOperator::Modulo => {
            "arithmetic differs from engine to engine; a constant goes to the other side, as in `created_at >= now() - interval '30 days'`"
        }
        _ => "the operators are = <> < <= > >=, IN, BETWEEN, IS NULL, AND, OR and NOT",
    };
    fault(start(left), message, hint)
}

fn refuse_condition<T>(expression: &Expr) -> Parsed<T> {
    let at = start(expression);
    let (message, hint) = match expression {
        Expr::Like { .. } | Expr::ILike { .. } | Expr::SimilarTo { .. } | Expr::RLike { .. } => (
            "LIKE and its kin cannot stand here",
            "engines differ in whether they tell case apart; for a beginning write `name >= 'ab' AND name < 'ac'`",
        ),
        Expr::IsTrue(_) | Expr::IsFalse(_) | Expr::IsNotTrue(_) | Expr::IsNotFalse(_) => {
            ("IS TRUE and IS FALSE cannot stand here", "write `= true` or `= false`")
        }
        Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..) => {
            ("IS DISTINCT FROM cannot stand here", "write `<>` or `=` together with IS NULL")
        }
        Expr::InSubquery { .. } | Expr::Subquery(_) | Expr::Exists { .. } => {
            ("sub-queries cannot stand here", "a condition may speak of the row's own columns only")
        }
        Expr::Value(value) if matches!(value.value, Value::Boolean(_)) => {
            ("this says the same of every row", "leave `where` out to take all rows")
        }
        _ => {
            // A value, or something that cannot stand anywhere: the latter has its own answer.
            operand(expression)?;
            ("this is a value, not a condition", "compare it with something, as in `total > 0`")
        }
    };
    fault(at, message, hint)
}

fn operand(expression: &Expr) -> Parsed<Operand> {
    let at = start(expression);
    match expression {
        Expr::Nested(inner) => operand(inner),
        Expr::Identifier(name) => Ok(Operand::Column(name.value.clone())),
        Expr::CompoundIdentifier(_) | Expr::CompoundFieldAccess { .. } => {
            fault(at, "a column cannot be qualified here", "one table is meant: write the column alone")
        }
        Expr::Value(value) => literal(&value.value, at).map(Operand::Literal),
        Expr::TypedString(typed) => typed_literal(typed, at).map(Operand::Literal),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => signed(expr, "-"),
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } => signed(expr, ""),
        Expr::Function(function) => call(function, at),
        Expr::BinaryOp { left, op: op @ (BinaryOperator::Plus | BinaryOperator::Minus), right } => {
            shifted(left, op, right)
        }
        Expr::BinaryOp { left, op, .. } if comparison(op).is_none() && !is_connective(op) => {
            refuse_operator(op, left)
        }
        Expr::BinaryOp { .. }
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::InList { .. }
        | Expr::Between { .. } => fault(at, "a condition cannot stand where a value is needed", VALUES),
        Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => {
            fault(at, "sub-queries cannot stand here", "a condition may speak of the row's own columns only")
        }
        Expr::Cast { .. } | Expr::Convert { .. } => fault(at, "casts cannot stand here", VALUES),
        Expr::Case { .. } => fault(at, "CASE cannot stand here", "write the cases with AND and OR"),
        Expr::Interval(_) => fault(at, "an interval stands only after now() or current_date", VALUES),
        Expr::Tuple(_) => fault(at, "a list of values stands only after IN", "compare column by column"),
        _ => fault(at, format!("`{}` cannot stand here", shown(expression)), VALUES),
    }
}

fn is_connective(op: &BinaryOperator) -> bool {
    matches!(op, BinaryOperator::And | BinaryOperator::Or)
}

/// A short form of what is refused.
fn shown(expression: &Expr) -> String {
    let text: String = expression.to_string();
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn literal(value: &Value, at: Location) -> Parsed<Literal> {
    match value {
        Value::SingleQuotedString(text) if text.contains('\0') => fault(at, "text cannot hold NUL here", ""),
        Value::SingleQuotedString(text) => Ok(Literal::Text(text.clone())),
        Value::Number(number, false) => Ok(Literal::Number(number.clone())),
        Value::Boolean(boolean) => Ok(Literal::Boolean(*boolean)),
        Value::Null => {
            fault(at, "NULL equals nothing, so this is never true", "write IS NULL or IS NOT NULL")
        }
        _ => fault(at, "this kind of literal cannot stand here", VALUES),
    }
}

fn signed(number: &Expr, sign: &str) -> Parsed<Operand> {
    match operand(number)? {
        Operand::Literal(Literal::Number(number)) if !number.starts_with('-') => {
            Ok(Operand::Literal(Literal::Number(format!("{sign}{number}"))))
        }
        _ => fault(start(number), "a sign stands only before a number", VALUES),
    }
}

fn typed_literal(typed: &TypedString, at: Location) -> Parsed<Literal> {
    let Value::SingleQuotedString(text) = &typed.value.value else {
        return fault(at, "the text of a literal stands in single quotes", VALUES);
    };
    match &typed.data_type {
        DataType::Date => match text.parse::<Date>() {
            Ok(date) if text.len() == 10 => Ok(Literal::Date(date.to_string())),
            _ => fault(at, "this is no date", "write DATE '2024-01-31'"),
        },
        DataType::Timestamp(None, _) | DataType::Datetime(None) => timestamp_literal(text, at),
        other => fault(at, format!("a literal of type {other} cannot stand here"), VALUES),
    }
}

/// With a zone it is an instant, without one the date and time as written.
fn timestamp_literal(text: &str, at: Location) -> Parsed<Literal> {
    const FORM: &str = "write TIMESTAMP '2024-01-31 12:00:00', or with a zone '2024-01-31 12:00:00Z'";
    const TOO_FINE: &str = "this is finer than a microsecond";
    if let Ok(instant) = text.parse::<Timestamp>() {
        if instant.subsec_nanosecond() % 1000 != 0 {
            return fault(at, TOO_FINE, FORM);
        }
        let unshifted = Moment { kind: MomentKind::Instant, shift_seconds: 0 };
        return match unshifted.at(instant) {
            Ok(literal) => Ok(literal),
            Err(error) => fault(at, error.message, ""),
        };
    }
    // jiff would read over a zone it does not need: whatever holds one is no plain date and time.
    let plain = !text.contains(['Z', 'z', '+', '[']) && text.matches('-').count() == 2;
    match text.parse::<DateTime>() {
        Ok(date_time) if plain && date_time.subsec_nanosecond() % 1000 != 0 => fault(at, TOO_FINE, FORM),
        Ok(date_time) if plain => {
            let whole = date_time.strftime("%Y-%m-%d %H:%M:%S");
            let fraction = date_time.subsec_nanosecond() / 1000;
            Ok(Literal::DateTime(match fraction {
                0 => whole.to_string(),
                fraction => format!("{whole}.{fraction:06}"),
            }))
        }
        _ => fault(at, "this is no date and time", FORM),
    }
}

fn call(function: &sqlparser::ast::Function, at: Location) -> Parsed<Operand> {
    let name = function.name.to_string().to_ascii_lowercase();
    let arguments = arguments(function, at)?;
    if let "now" | "current_timestamp" | "current_date" = name.as_str() {
        if !arguments.is_empty() {
            return fault(at, format!("`{name}` takes no argument here"), FUNCTIONS);
        }
        let kind = if name == "current_date" { MomentKind::Date } else { MomentKind::Instant };
        return Ok(Operand::Moment(Moment { kind, shift_seconds: 0 }));
    }
    let (function, takes, counts) = match name.as_str() {
        "coalesce" => (Function::Coalesce, "two or more arguments", 2..=100),
        "nullif" => (Function::Nullif, "two arguments", 2..=2),
        "abs" => (Function::Abs, "one argument", 1..=1),
        _ => return refuse_function(&name, at),
    };
    if !counts.contains(&arguments.len()) {
        return fault(at, format!("`{name}` takes {takes}"), "");
    }
    Ok(Operand::Call { function, arguments })
}

fn refuse_function<T>(name: &str, at: Location) -> Parsed<T> {
    let why = match name {
        "lower" | "upper" | "lcase" | "ucase" => "engines differ in it beyond ASCII; ",
        "length" | "char_length" | "character_length" | "octet_length" => {
            "engines count characters or bytes; "
        }
        "current_time" | "localtime" | "localtimestamp" | "sysdate" | "getdate" => "every run is in UTC; ",
        _ => "",
    };
    let message = format!("the function `{name}` does not mean the same on every engine");
    fault(at, message, &format!("{why}{FUNCTIONS}"))
}

fn arguments(function: &sqlparser::ast::Function, at: Location) -> Parsed<Vec<Operand>> {
    let extras = function.over.is_some()
        || function.filter.is_some()
        || function.null_treatment.is_some()
        || !function.within_group.is_empty()
        || !matches!(function.parameters, FunctionArguments::None);
    let list = match &function.args {
        FunctionArguments::None => return Ok(Vec::new()),
        FunctionArguments::List(list)
            if !extras && list.clauses.is_empty() && list.duplicate_treatment.is_none() =>
        {
            list
        }
        FunctionArguments::Subquery(_) => return fault(at, "sub-queries cannot stand here", ""),
        FunctionArguments::List(_) => {
            return fault(at, "aggregates and windows cannot stand here", FUNCTIONS);
        }
    };
    list.args
        .iter()
        .map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => operand(expression),
            _ => fault(at, "this argument cannot stand here", VALUES),
        })
        .collect()
}

/// `now() - interval '30 days'`; every other sum is refused.
fn shifted(left: &Expr, op: &BinaryOperator, right: &Expr) -> Parsed<Operand> {
    let Expr::Interval(interval) = right else { return refuse_operator(op, left) };
    let Operand::Moment(moment) = operand(left)? else { return refuse_operator(op, left) };
    let at = start(right);
    let seconds = interval_seconds(interval, at)?;
    if moment.kind == MomentKind::Date && seconds % 86_400 != 0 {
        return fault(at, "a date moves by whole days only", "write now() instead of current_date");
    }
    let shift = if *op == BinaryOperator::Minus { -seconds } else { seconds };
    Ok(Operand::Moment(Moment { shift_seconds: moment.shift_seconds + shift, ..moment }))
}

/// About ten thousand years; with it no sum of a few shifts overflows.
const INTERVAL_SECONDS_MAX: i64 = 315_576_000_000;

fn interval_seconds(interval: &Interval, at: Location) -> Parsed<i64> {
    const FORM: &str = "write it like interval '30 days', with seconds, minutes, hours, days or weeks";
    let plain = interval.last_field.is_none()
        && interval.leading_precision.is_none()
        && interval.fractional_seconds_precision.is_none();
    let text = match interval.value.as_ref() {
        Expr::Value(value) if plain => match &value.value {
            Value::SingleQuotedString(text) => text.clone(),
            Value::Number(number, false) => number.clone(),
            _ => return fault(at, "this is no interval", FORM),
        },
        _ => return fault(at, "this is no interval", FORM),
    };
    let text = match &interval.leading_field {
        None => text,
        Some(field) => format!("{text} {}", unit_word(field)),
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() || words.len() % 2 == 1 {
        return fault(at, "this is no interval", FORM);
    }
    let mut seconds: i64 = 0;
    for pair in words.chunks(2) {
        let count: Option<i64> = pair[0].parse().ok();
        let Some(unit) = unit_seconds(pair[1]) else {
            return fault(at, format!("`{}` is no unit of fixed length", shorten(pair[1])), FORM);
        };
        let part =
            count.and_then(|count| count.checked_mul(unit)).filter(|part| part.abs() <= INTERVAL_SECONDS_MAX);
        let Some(part) = part else { return fault(at, "the number of this interval cannot be used", FORM) };
        seconds += part;
    }
    Ok(seconds)
}

fn shorten(word: &str) -> String {
    word.chars().take(20).collect()
}

fn unit_word(field: &DateTimeField) -> String {
    field.to_string().to_ascii_lowercase()
}

fn unit_seconds(unit: &str) -> Option<i64> {
    Some(match unit.to_ascii_lowercase().trim_end_matches('s') {
        "second" | "sec" => 1,
        "minute" | "min" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        "week" => 604_800,
        _ => return None,
    })
}
