//! Frozen examples of the encoding: what they say was compared, hashed and saved in plans before, and must never
//! change; those of PostgreSQL's types are what its `…_send` functions say. And random values of every domain, to show that the encoding is injective.

use proptest::prelude::*;

use super::{Date, Decimal, Domain, Stamp, StorageClass, Time, Value, decode, encode, fields};

/// The domain, a value, and its field in hexadecimal digits: length, then payload.
type Vector = (Domain, Value, &'static str);

fn decimal(text: &str) -> Value {
    Value::Decimal(Decimal::parse(text).expect("a decimal"))
}

fn date(text: &str) -> Date {
    Date::parse(text).expect("a date")
}

fn stamp(text: &str) -> Stamp {
    Stamp::parse(text).expect("a stamp").0
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn native(text: &str) -> Value {
    Value::Native(text.to_owned())
}

fn json(text: &str) -> Value {
    Value::Json(text.to_owned())
}

fn numbers() -> Vec<Vector> {
    let integer = |bytes, value, hex| (Domain::Integer { bytes }, Value::Integer(value), hex);
    let with_scale = |text, hex| (Domain::Decimal { with_scale: true }, decimal(text), hex);
    let by_value = |text, hex| (Domain::Decimal { with_scale: false }, decimal(text), hex);
    vec![
        (Domain::Boolean, Value::Boolean(false), "00000001 00"),
        (Domain::Boolean, Value::Boolean(true), "00000001 01"),
        (Domain::Boolean, Value::Null, "ffffffff"),
        integer(2, -1, "00000002 ffff"),
        integer(2, 255, "00000002 00ff"),
        integer(4, i128::from(i32::MIN), "00000004 80000000"),
        integer(4, 1, "00000004 00000001"),
        integer(8, 1, "00000008 0000000000000001"),
        integer(8, 4_294_967_296, "00000008 0000000100000000"),
        integer(16, i128::from(u64::MAX), "00000010 0000000000000000ffffffffffffffff"),
        integer(16, -1, "00000010 ffffffffffffffffffffffffffffffff"),
        with_scale("0", "00000008 0000000000000000"),
        with_scale("0.00", "00000008 0000000000000002"),
        with_scale("1", "0000000a 00010000000000000001"),
        with_scale("1.00", "0000000a 00010000000000020001"),
        with_scale("-9.50", "0000000c 0002000040000002 00091388"),
        with_scale("10000", "0000000a 00010001000000000001"),
        with_scale("0.0001", "0000000a 0001ffff000000040001"),
        with_scale("NaN", "00000008 00000000c0000000"),
        with_scale("Infinity", "00000008 00000000d0000000"),
        with_scale("-Infinity", "00000008 00000000f0000000"),
        by_value("9.5", "0000000c 0002000000000001 00091388"),
        by_value("-9.5", "0000000c 0002000040000001 00091388"),
        by_value("1", "0000000a 00010000000000000001"),
        (Domain::Float32, Value::Float32(1.5), "00000004 3fc00000"),
        (Domain::Float32, Value::Float32(-0.0), "00000004 80000000"),
        (Domain::Float32, Value::Float32(0.0), "00000004 00000000"),
        (Domain::Float64, Value::Float64(0.1), "00000008 3fb999999999999a"),
        (Domain::Float64, Value::Float64(-0.0), "00000008 8000000000000000"),
        (Domain::Float64, Value::Float64(0.0), "00000008 0000000000000000"),
        (Domain::Float64, Value::Float64(f64::INFINITY), "00000008 7ff0000000000000"),
    ]
}

fn times() -> Vec<Vector> {
    vec![
        (Domain::Date, Value::Date(date("2000-01-01")), "00000004 00000000"),
        (Domain::Date, Value::Date(date("1999-12-31")), "00000004 ffffffff"),
        (Domain::Date, Value::Date(date("2026-11-22")), "00000004 0000265e"),
        (Domain::Date, Value::Date(date("-0043-03-15")), "00000004 fff49d7b"),
        (Domain::Date, Value::Date(date("0000-00-00")), "00000004 80000001"),
        (Domain::Date, Value::Date(date("2024-02-00")), "00000004 800fd041"),
        (Domain::Date, Value::Date(Date(i32::MAX)), "00000004 7fffffff"),
        (Domain::Date, Value::Date(Date(i32::MIN)), "00000004 80000000"),
        (Domain::Time, Value::Time(Time(0)), "00000008 0000000000000000"),
        (Domain::Time, Value::Time(Time(86_400_000_000)), "00000008 000000141dd76000"),
        (Domain::Time, Value::Time(Time(-1)), "00000008 ffffffffffffffff"),
        (Domain::DateTime, Value::DateTime(stamp("2000-01-01 00:00:00.000001")), "00000008 0000000000000001"),
        (Domain::DateTime, Value::DateTime(stamp("2026-11-22 12:34:56")), "00000008 000303db792f5c00"),
        (Domain::DateTime, Value::DateTime(stamp("0000-00-00 00:00:00")), "00000008 8000000000000001"),
        (Domain::DateTime, Value::DateTime(Stamp(i64::MAX)), "00000008 7fffffffffffffff"),
        (Domain::Instant, Value::Instant(stamp("2026-11-22 12:34:56")), "00000008 000303db792f5c00"),
        (Domain::Instant, Value::Instant(Stamp(i64::MIN)), "00000008 8000000000000000"),
    ]
}

fn texts() -> Vec<Vector> {
    let storage = |expected, value, hex| (Domain::Storage { expected }, value, hex);
    let uuid =
        [0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];
    vec![
        (Domain::Text, text(""), "00000000"),
        (Domain::Text, text("NULL"), "00000004 4e554c4c"),
        (Domain::Text, text("a\0"), "00000002 6100"),
        (Domain::Text, text("é"), "00000002 c3a9"),
        (Domain::Text, text("e\u{301}"), "00000003 65cc81"),
        (Domain::Text, Value::RawText(vec![0xff]), "00000001 ff"),
        (Domain::Text, Value::Null, "ffffffff"),
        (Domain::Bytes, Value::Bytes(vec![]), "00000000"),
        (Domain::Bytes, Value::Bytes(vec![0, 0xff]), "00000002 00ff"),
        (Domain::Uuid, Value::Uuid(uuid), "00000010 00112233445566778899aabbccddeeff"),
        (Domain::Json { canonical: true }, json("{\"a\":1}"), "00000008 01 7b2261223a317d"),
        (Domain::Json { canonical: false }, json("[]"), "00000003 01 5b5d"),
        (Domain::JsonText, json("[ ]"), "00000003 5b205d"),
        (Domain::Native, native("{1,NULL}"), "00000008 7b312c4e554c4c7d"),
        (Domain::Bits, native(""), "00000004 00000000"),
        (Domain::Bits, native("0"), "00000005 00000001 00"),
        (Domain::Bits, native("101"), "00000005 00000003 a0"),
        (Domain::Bits, native("111111111"), "00000006 00000009 ff80"),
        (Domain::Address, native("10.0.0.1"), "00000008 02200004 0a000001"),
        (Domain::Address, native("10.0.0.1/8"), "00000008 02080004 0a000001"),
        (Domain::Address, native("::1"), "00000014 03800010 00000000000000000000000000000001"),
        storage(Some(StorageClass::Integer), Value::Integer(1), "00000009 69 0000000000000001"),
        storage(None, Value::Float64(1.0), "00000009 72 3ff0000000000000"),
        storage(Some(StorageClass::Text), text("1"), "00000002 74 31"),
        storage(
            Some(StorageClass::Text),
            Value::OtherStorage(Box::new(Value::Bytes(vec![0x31]))),
            "00000002 62 31",
        ),
        storage(None, Value::Null, "ffffffff"),
    ]
}

fn vectors() -> Vec<Vector> {
    [numbers(), times(), texts()].concat()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

fn field(domain: &Domain, value: &Value) -> Vec<u8> {
    let mut row = Vec::new();
    encode(&mut row, domain, value).expect("a value of the domain");
    row
}

#[test]
fn the_encoding_is_what_it_was() {
    for (domain, value, hex) in vectors() {
        let row = field(&domain, &value);
        let shown: String = row.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(row, bytes(hex), "{domain:?} {value:?}: {shown}");
        let back = decode(&domain, fields(&row).next().flatten());
        assert_eq!(back, value, "{domain:?}");
    }
}

/// How many domains there are; a new one is told from the others here, and has its vectors above.
fn number(domain: &Domain) -> usize {
    match domain {
        Domain::Boolean => 0,
        Domain::Integer { .. } => 1,
        Domain::Decimal { .. } => 2,
        Domain::Float32 => 3,
        Domain::Float64 => 4,
        Domain::Text => 5,
        Domain::Bytes => 6,
        Domain::Date => 7,
        Domain::Time => 8,
        Domain::DateTime => 9,
        Domain::Instant => 10,
        Domain::Uuid => 11,
        Domain::Json { .. } => 12,
        Domain::JsonText => 13,
        Domain::Storage { .. } => 14,
        Domain::Native => 15,
        Domain::Bits => 16,
        Domain::Address => 17,
    }
}

const DOMAINS: usize = 18;

#[test]
fn every_domain_has_vectors_and_a_tag_of_its_own() {
    let mut tags = vec![Vec::new(); DOMAINS];
    for (domain, ..) in vectors() {
        tags[number(&domain)].push(domain.tag());
    }
    assert!(tags.iter().all(|tags| !tags.is_empty()), "{tags:?}");
    for (first, second) in (0..DOMAINS).flat_map(|first| (0..first).map(move |second| (first, second))) {
        assert!(tags[first].iter().all(|tag| !tags[second].contains(tag)), "{first} and {second}");
    }
}

#[test]
fn no_two_vectors_of_a_domain_are_alike() {
    let all = vectors();
    for (at, (domain, value, hex)) in all.iter().enumerate() {
        for (other_domain, other, other_hex) in &all[..at] {
            if domain == other_domain && value != other {
                assert_ne!(bytes(hex), bytes(other_hex), "{value:?} and {other:?}");
            }
        }
    }
}

/// A domain and a value of it, NULL included.
fn any_value() -> impl Strategy<Value = (Domain, Value)> {
    let widths = prop_oneof![Just(2_u8), Just(4), Just(8), Just(16)];
    let integers = (widths, any::<i128>())
        .prop_map(|(bytes, value)| (bytes, value >> (128 - 8 * u32::from(bytes))))
        .prop_map(|(bytes, value)| (Domain::Integer { bytes }, Value::Integer(value)));
    let decimals = ("-?[0-9]{1,30}(\\.[0-9]{1,20})?", any::<bool>()).prop_map(|(text, with_scale)| {
        let number = Decimal::parse(&text).expect("a decimal");
        // The form in which the domain gives it back.
        let number = Decimal::from_wire(&number.to_wire(with_scale));
        (Domain::Decimal { with_scale }, Value::Decimal(number))
    });
    let address = prop_oneof![
        (any::<[u8; 4]>(), 0_u8..=32).prop_map(|(bytes, prefix)| [&[2, prefix, 0, 4], &bytes[..]].concat()),
        (any::<[u8; 16]>(), 0_u8..=128)
            .prop_map(|(bytes, prefix)| [&[3, prefix, 0, 16], &bytes[..]].concat()),
    ];
    let addresses = address.prop_map(|payload| (Domain::Address, decode(&Domain::Address, Some(&payload))));
    let storage = prop_oneof![
        any::<i64>().prop_map(|number| Value::Integer(number.into())),
        any::<f64>().prop_map(Value::Float64),
        ".*".prop_map(Value::Text),
        any::<Vec<u8>>().prop_map(Value::Bytes),
    ];
    prop_oneof![
        any::<bool>().prop_map(|value| (Domain::Boolean, Value::Boolean(value))),
        integers,
        decimals,
        any::<f32>().prop_map(|value| (Domain::Float32, Value::Float32(value))),
        any::<f64>().prop_map(|value| (Domain::Float64, Value::Float64(value))),
        ".*".prop_map(|value| (Domain::Text, Value::Text(value))),
        any::<Vec<u8>>().prop_map(|value| (Domain::Bytes, Value::Bytes(value))),
        any::<i32>().prop_map(|value| (Domain::Date, Value::Date(Date(value)))),
        any::<i64>().prop_map(|value| (Domain::Time, Value::Time(Time(value)))),
        any::<i64>().prop_map(|value| (Domain::DateTime, Value::DateTime(Stamp(value)))),
        any::<i64>().prop_map(|value| (Domain::Instant, Value::Instant(Stamp(value)))),
        any::<[u8; 16]>().prop_map(|value| (Domain::Uuid, Value::Uuid(value))),
        ".*".prop_map(|value| (Domain::Native, Value::Native(value))),
        "[01]{0,40}".prop_map(|value| (Domain::Bits, Value::Native(value))),
        ".*".prop_map(|value| (Domain::JsonText, Value::Json(value))),
        ".*".prop_map(|value| (Domain::Json { canonical: true }, Value::Json(value))),
        storage.prop_map(|value| (Domain::Storage { expected: None }, value)),
        addresses,
        Just((Domain::Text, Value::Null)),
    ]
}

proptest! {
    /// A row of values comes back whole, whatever its neighbours hold: no separator, no length can be mistaken.
    #[test]
    fn rows_come_back(columns in proptest::collection::vec(any_value(), 0..8)) {
        let row: Vec<u8> = columns.iter().flat_map(|(domain, value)| field(domain, value)).collect();
        let back: Vec<Value> =
            columns.iter().zip(fields(&row)).map(|((domain, _), field)| decode(domain, field)).collect();
        let values: Vec<Value> = columns.iter().map(|(_, value)| value.clone()).collect();
        let again: Vec<u8> = columns.iter().zip(&back).flat_map(|((domain, _), value)| field(domain, value)).collect();
        prop_assert_eq!(again, row);
        // NaN equals nothing, not even itself; its bytes were compared above.
        if !format!("{values:?}").contains("NaN") {
            prop_assert_eq!(back, values);
        }
    }
}
