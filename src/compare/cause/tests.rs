use proptest::prelude::*;

use super::*;
use crate::value::{Stamp, Time};

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn decimal(text: &str) -> Value {
    Value::Decimal(Decimal::parse(text).expect("a decimal"))
}

fn told(pairs: &[(Value, Value)]) -> Option<ColumnCause> {
    let mut tally = CauseTally::default();
    pairs.iter().for_each(|(primary, replica)| tally.add(3, Sides::new(primary, replica)));
    tally.finish().pop()
}

fn cause(pairs: &[(Value, Value)]) -> Option<(Cause, Option<String>)> {
    let found = told(pairs)?;
    assert_eq!((found.column, found.values, found.of), (3, pairs.len() as u64, pairs.len() as u64));
    Some((found.cause, found.option))
}

fn pairs<T>(pairs: &[(T, T)], value: impl Fn(&T) -> Value) -> Vec<(Value, Value)> {
    pairs.iter().map(|(primary, replica)| (value(primary), value(replica))).collect()
}

fn of_texts(values: &[(&str, &str)]) -> Option<(Cause, Option<String>)> {
    cause(&pairs(values, |value| text(value)))
}

fn of_decimals(values: &[(&str, &str)]) -> Option<(Cause, Option<String>)> {
    cause(&pairs(values, |value| decimal(value)))
}

fn option(option: &str) -> Option<String> {
    Some(option.to_owned())
}

#[test]
fn texts_have_their_causes() {
    assert_eq!(of_texts(&[("a", "a "), ("b\t", "b")]), Some((Cause::SpaceAtEnd, option("trim: true"))));
    assert_eq!(of_texts(&[("a", " a"), ("b", "b ")]), Some((Cause::Space, option("trim: true"))));
    assert_eq!(of_texts(&[("É", "é")]), Some((Cause::Case, option("case: ignore"))));
    assert_eq!(of_texts(&[("é", "e\u{301}")]), Some((Cause::Normalization, None)));
    let misread = Cause::Misread { side: Side::Replica };
    assert_eq!(of_texts(&[("é", "Ã©"), ("€", "â‚¬")]), Some((misread, None)));
    assert_eq!(of_texts(&[("Ã©", "é")]), Some((Cause::Misread { side: Side::Primary }, None)));
    assert_eq!(of_texts(&[("né 😀", "n? ?")]), Some((Cause::Replaced { side: Side::Replica }, None)));
    let cut = Cause::CutText { side: Side::Replica, chars: 3 };
    assert_eq!(of_texts(&[("abcd", "abc"), ("déjà", "déj"), ("xyz0123", "xyz")]), Some((cut, None)));
    assert_eq!(of_texts(&[("abcd", "abc"), ("defg", "def")]), None, "two values may end there by chance");
    assert_eq!(of_texts(&[("a", "b"), ("c", "d")]), None);
    assert_eq!(of_texts(&[("a", "?")]), None, "a letter of ASCII is lost to no character set");
}

#[test]
fn null_and_empty_are_told_apart() {
    let (empty, null) = (text(""), Value::Null);
    let found = cause(&[(null.clone(), empty.clone())]);
    assert_eq!(found, Some((Cause::EmptyForNull { empty: Side::Replica }, None)));
    let found = cause(&[(empty, null.clone())]);
    assert_eq!(found, Some((Cause::EmptyForNull { empty: Side::Primary }, None)));
    assert_eq!(cause(&[(null, text("a"))]), None);
}

#[test]
fn numbers_have_their_causes() {
    assert_eq!(of_decimals(&[("1.0", "1.00")]), Some((Cause::Zeros, option("tolerance: 0"))));
    let rounded = |digits| Cause::Rounded { side: Side::Replica, digits };
    assert_eq!(
        of_decimals(&[("1.239", "1.24"), ("-9.999", "-10"), ("0.5049", "0.50")]),
        Some((rounded(2), option("tolerance: 0.01")))
    );
    assert_eq!(
        of_decimals(&[("1.5", "2"), ("2.5", "2"), ("7.2", "7")]),
        Some((rounded(0), option("tolerance: 1")))
    );
    assert_eq!(
        of_decimals(&[("1.239", "1.23"), ("-9.999", "-9.99"), ("0.5099", "0.50")]),
        Some((Cause::CutDigits { side: Side::Replica, digits: 2 }, option("tolerance: 0.01")))
    );
    assert_eq!(of_decimals(&[("1.239", "1.23"), ("5", "6"), ("7", "8")]), None);
}

#[test]
fn floats_have_their_causes() {
    let single = |value: f64| (Value::Float64(value), Value::Float64(f64::from(value as f32)));
    let found = cause(&[single(0.1), single(1234.5678), single(-3e20)]);
    assert_eq!(found.map(|(cause, _)| cause), Some(Cause::SinglePrecision { side: Side::Replica }));
    let six = |value: f32| {
        (Value::Float32(value), Value::Float32(format!("{value:.5e}").parse().expect("a float")))
    };
    let found = cause(&[six(1.234_567), six(98_765.43), six(-0.333_333_3)]);
    let digits = Cause::SignificantDigits { side: Side::Replica, digits: 6 };
    assert_eq!(found, Some((digits, option("tolerance: 0.1"))));
    assert_eq!(cause(&[(Value::Float64(f64::NAN), Value::Float64(0.0))]), None);
}

#[test]
fn times_have_their_causes() {
    let stamp = |text: &str| Value::DateTime(Stamp::parse(text).expect("a stamp").0);
    let moved =
        [("2024-01-01 10:00:00", "2024-01-01 12:00:00"), ("1999-12-31 23:30:00", "2000-01-01 01:30:00")];
    let mut values = pairs(&moved, |text| stamp(text));
    assert_eq!(cause(&values), None, "any two values are some time apart");
    values.push((Value::Time(Time(0)), Value::Time(Time(7_200_000_000))));
    assert_eq!(cause(&values), Some((Cause::Offset { micros: 7_200_000_000 }, None)));
    let cut =
        [("2024-01-01 10:00:00.25", "2024-01-01 10:00:00"), ("2024-01-01 10:00:01.5", "2024-01-01 10:00:01")];
    let second = Cause::Fraction { unit_micros: 1_000_000 };
    assert_eq!(cause(&pairs(&cut, |text| stamp(text))), Some((second, option("precision: seconds"))));
    let written = [("2024-01-01 10:00:00", "2024-01-01 11:00:00"); 3];
    assert_eq!(
        cause(&pairs(&written, |value| text(value))).map(|(cause, _)| cause),
        Some(Cause::Offset { micros: 3_600_000_000 })
    );
    let infinite = (Value::Instant(Stamp(i64::MAX)), stamp("2024-01-01 00:00:00"));
    assert_eq!(cause(&[infinite.clone(), infinite.clone(), infinite]), None);
}

#[test]
fn storage_classes_and_json_forms_are_seen() {
    let other = Value::OtherStorage(Box::new(text("1")));
    assert_eq!(cause(&[(Value::Integer(1), other)]), Some((Cause::StorageClass, None)));
    assert_eq!(cause(&[(Value::Integer(1), Value::Float64(1.0))]), Some((Cause::StorageClass, None)));
    let json = |text: &str| Value::Json(text.to_owned());
    let found = cause(&[(json(r#"{"a":1,"b":[]}"#), json(r#"{ "b": [], "a": 1 }"#))]);
    assert_eq!(found, Some((Cause::JsonForm, None)));
}

#[test]
fn most_values_make_a_cause_and_the_rest_is_counted() {
    let mut values: Vec<_> = (0..9_000).map(|n| (text(&format!("v{n}")), text(&format!("V{n}")))).collect();
    values.extend((0..1_000).map(|n| (text(&format!("v{n}")), text(&format!("w{n}")))));
    let found = told(&values).expect("a cause");
    assert_eq!((found.cause, found.values, found.of), (Cause::Case, 9_000, 10_000));
    values.push((text("v"), text("w")));
    assert_eq!(told(&values), None);
}

#[test]
fn values_without_a_cause_are_soon_only_counted() {
    let mut tally = CauseTally::default();
    for n in 0..SUGGESTING_VALUES {
        assert!(tally.wants(0));
        tally.add(0, Sides::new(&Value::Integer(n.into()), &Value::Integer(-1)));
    }
    assert!(!tally.wants(0));
    tally.count(0);
    assert_eq!(tally.finish(), []);
}

fn a_value() -> impl Strategy<Value = Value> {
    let texts = prop_oneof!["[ aAéÉ?1.]{0,4}", "20[0-9]{2}-01-01 10:00:0[0-9](\\.[0-9]{1,3})?"];
    prop_oneof![
        texts.prop_map(Value::Text),
        (-2_000_i64..2_000, 0_u32..4).prop_map(|(n, scale)| decimal(&format!("{n}e-{scale}"))),
        (-30_i32..30).prop_map(|n| Value::Float64(f64::from(n) / 7.0)),
        (-30_i32..30).prop_map(|n| Value::Float32(n as f32 / 7.0)),
        (0_i64..5_000_000).prop_map(|micros| Value::DateTime(Stamp(micros))),
        Just(Value::Null),
    ]
}

proptest! {
    /// What the plan proposes must do what it says.
    #[test]
    fn the_named_option_accepts_what_the_cause_explains(primary in a_value(), replica in a_value()) {
        let values = Sides::new(&primary, &replica);
        let mut column = ColumnTally::default();
        column.add(values);
        let tolerance = column.tolerance.and_then(power_of_ten);
        for (cause, _) in column.candidates {
            prop_assert!(cause.explains(values));
            let Some(option) = cause.option(tolerance.as_ref().map(Decimal::as_str)) else { continue };
            let excuse = match option.split_once(": ") {
                Some(("trim", _)) => Excuse { trim: true, ..Excuse::default() },
                Some(("case", _)) => Excuse { ignore_case: true, ..Excuse::default() },
                Some(("precision", "seconds")) => Excuse { unit_micros: Some(time::SECOND), ..Excuse::default() },
                Some(("precision", _)) => Excuse { unit_micros: Some(time::MILLISECOND), ..Excuse::default() },
                Some(("tolerance", number)) => Excuse { tolerance: Decimal::parse(number).ok(), ..Excuse::default() },
                _ => panic!("{option}"),
            };
            prop_assert!(primary == replica || excuse.excuses(&primary, &replica), "{cause:?} {option}");
        }
    }
}
