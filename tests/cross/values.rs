//! The values of the cross-matrix, once for all engines: per domain, runs of near misses.
//!
//! In a run each value is altered to the next one that the altered side can hold, the last one to the first. Where a
//! value has two spellings that mean the same they stand as `one ≡ other`, and the sides get one each. Values that a
//! type cannot hold are left out for it, and where the primary alone can hold one, planning must say so.

use super::kind::{Form, Kind};

/// NULL, which is also a neighbour.
pub const NULL: &str = "␀";

/// A run: each value's neighbour is the next.
pub type Run = &'static [&'static str];

/// The words of an enum, and the words of another one in another order, not all of them the same.
pub const WORDS: &[&str] = &[
    "sad", "Sad", "ok", "Happy", "happy", "it's", "a,b", "", "NULL", "ünder", "under", "1", "2", "0", "x y",
    "a\\b",
];
pub const WORDS_TURNED: &[&str] = &[
    "0", "1", "other", "NULL", "under", "ünder", "happy", "Happy", "ok", "Sad", "sad", "", "it's", "a,b",
    "SAD",
];

/// The members of a set, of one with fewer in the same order, and of one in another order.
pub const SET: &[&str] = &["a", "b", "A", "c d", "é", "it's", "e", "1"];
pub const SET_LESS: &[&str] = &["a", "b", "A", "é", "e", "1"];
pub const SET_TURNED: &[&str] = &["1", "b", "a", "A", "e", "c d", "é"];

const TRUTHS: &[Run] = &[&["1", "0", NULL]];

const INTEGERS: &[Run] = &[
    &[NULL, "0", "-1", "1"],
    &["126", "127", "128", "129"],
    &["-127", "-128", "-129"],
    &["2", "3", "12", "21", "10", "100"],
    &["-2", "-10", "-100"],
    &["254", "255", "256"],
    &["32766", "32767", "32768"],
    &["-32767", "-32768", "-32769"],
    &["65534", "65535", "65536"],
    &["8388606", "8388607", "8388608"],
    &["-8388607", "-8388608", "-8388609"],
    &["16777214", "16777215", "16777216", "16777217"],
    &["2147483646", "2147483647", "2147483648"],
    &["-2147483647", "-2147483648", "-2147483649"],
    &["4294967294", "4294967295", "4294967296", "4294967297"],
    &["9007199254740991", "9007199254740992", "9007199254740993"],
    &["9223372036854775806", "9223372036854775807", "9223372036854775808"],
    &["-9223372036854775807", "-9223372036854775808", "-9223372036854775809"],
    &["18446744073709551614", "18446744073709551615", "18446744073709551616"],
];

const YEARS: &[Run] = &[
    &[NULL, "0", "1"],
    &["1901", "1902", "1900"],
    &["2155", "2154", "2156"],
    &["1999", "2000", "2001"],
    &["1969", "1970", "1971"],
    &["2024", "2042", "2025"],
];

const DECIMALS: &[Run] = &[
    &[NULL, "0 ≡ 0.00", "0.01", "-0.01", "1"],
    &["9.50 ≡ 9.5", "-9.50", "9.51", "9.49"],
    &["99999999.99", "99999999.98", "-99999999.99", "100000000"],
    &["1 ≡ 1.000", "10", "100", "1000", "10000", "100000000"],
    &["-1", "-10 ≡ -10.0", "-10000"],
    &["2", "20", "12345678", "12345679", "-12345678"],
    &["0.1 ≡ 0.10", "0.11", "0.10000000000000000001"],
    &["0.3", "0.30000000000000004", "0.29"],
    &["0.01", "0.02", "0.001"],
    &["1234.56", "1234.57", "1235.56", "-1234.56"],
    &["99999999999999999999", "99999999999999999998", "100000000000000000000"],
    &["9007199254740993", "9007199254740992"],
    &["18446744073709551615", "18446744073709551616"],
    &["123456789012345678901234567.123456789012", "123456789012345678901234567.123456789013"],
    &["0.000000000000000000000000000001", "0.000000000000000000000000000002"],
    &["1234567890.12345", "1234567890.12346"],
    &["NaN", "Infinity", "-Infinity"],
];

/// Doubles, those that are also singles among them: numbers and the next ones of single and of double precision.
const FLOATS: &[Run] = &[
    &[NULL, "0.0", "-0.0", "1.401298464324817e-45", "5e-324"],
    &["1.0", "1.0000001192092896", "1.0000000000000002", "0.9999999403953552"],
    &["0.10000000149011612", "0.1", "0.10000000894069672", "0.30000001192092896", "0.30000000000000004"],
    &["16777216.0", "16777218.0", "16777217.0", "16777215.0"],
    &["3.4028234663852886e38", "3.4028232635611926e38", "3.402823466385289e38"],
    &["-3.4028234663852886e38", "-3.4028232635611926e38"],
    &["1.1754943508222875e-38", "1.1754942106924411e-38"],
    &["-1.5", "1.5", "-1.5000001192092896"],
    &["123456.703125", "123456.7109375", "123456.7"],
    &["1.7976931348623157e308", "1.7976931348623155e308"],
    &["2.2250738585072014e-308", "2.225073858507201e-308"],
    &["9007199254740992.0", "9007199254740994.0"],
    &["123456789.12345679", "123456789.1234568"],
    &["1e15", "1000000000000000.1", "1e22", "1e23"],
    &["NaN", "inf", "-inf"],
];

const TEXTS: &[Run] = &[
    &[NULL, "", " ", "NULL", "null", "0", "\0", "<null>", "false"],
    &["a", "A", "a ", "á", " a", "ａ", "a\0", "ä", "b", "a\t", "ab"],
    &["é", "e\u{301}", "e", "É", "è"],
    &["ß", "ss", "ẞ", "s"],
    &["🦀", "🦁", "?", "\u{fffd}", "??"],
    &["a\nb", "a\r\nb", "a\rb", "a\\nb", "a b"],
    &["it's", "it''s", "it\"s", "it`s", "it\\'s"],
    &["%", "_", "%%", "\\%"],
    &["1", "1.0", "01", "1e0", "+1"],
    &["a#b", "a|b", "a,b", "a;b"],
    &["\\", "\\\\", "/"],
    &["$1", "{}", "${x}", ":x"],
    &["\u{feff}a", "a\u{200b}", "a\u{a0}"],
    &["\u{1}", "\u{7f}", "\u{85}", "\u{1b}[0m"],
    &["ı", "i", "İ", "I"],
    &["ﬀ", "ff"],
    &["한", "\u{1112}\u{1161}\u{11ab}", "글"],
    &[
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxy",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ],
    &[A_255, A_256],
];

/// 255 and 256 characters of one byte each.
const A_256: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const A_255: &str = A_256.split_at(255).0;

const WORD_RUNS: &[Run] = &[
    &[NULL, "", "NULL", "null", "0"],
    &["sad", "Sad", "SAD", "sad "],
    &["ok", "OK", "other"],
    &["Happy", "happy"],
    &["ünder", "under", "u\u{308}nder"],
    &["1", "2", "01"],
    &["it's", "its", "a,b", "x y", "a\\b", "a\\\\b"],
];

const SETS: &[Run] = &[
    &[NULL, "", "a", ","],
    &["a", "A", "b", "a "],
    &["a,b", "a,A", "a,b,A", "b,a", "a,b,"],
    &["é", "e", "é,e"],
    &["c d", "a,c d", "cd"],
    &["1", "A,1", "b,1", "é,1", "1,b", "0"],
    &["a,b,A,é,e,1", "a,b,A,é,1"],
    &["a,b,A,c d,é,it's,e,1", "a,b,A,c d,é,it's,e"],
    &["A,e", "b,e", "b,A,e", "a,e"],
];

const BYTES: &[Run] = &[
    &[NULL, "", "00", "20"],
    &["0000", "000000", "0001"],
    &["61", "41", "6100", "6120", "60"],
    &["ff", "fe", "7f"],
    &["c328", "c329", "c3a9"],
    &["27", "5c", "22", "5c27"],
    &["0a", "0d0a", "0d"],
    &[
        "00000000000000000000000000000000",
        "00000000000000000000000000000001",
        "000000000000000000000000000000",
    ],
    &[
        "ffffffffffffffffffffffffffffffff",
        "fffffffffffffffffffffffffffffffe",
        "7fffffffffffffffffffffffffffffff",
    ],
    &[
        "00112233445566778899aabbccddeeff",
        "00112233445566778899aabbccddeefe",
        "00112233445566778899aabbccddee",
    ],
    &["61000000000000000000000000000000", "41000000000000000000000000000000", "61"],
    &[
        "6162636465666768696a6b6c6d6e6f70",
        "6162636465666768696a6b6c6d6e6f7020",
        "6162636465666768696a6b6c6d6e6f50",
    ],
    &["20202020202020202020202020202020", "20202020202020202020202020202000"],
    &["0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728", "01020304"],
];

const BITS: &[Run] = &[
    &[NULL, "0", "1", "00", ""],
    &["000000000", "000000001", "00000000", "0000000000"],
    &["100000000", "110000000", "10000000"],
    &["111111111", "111111110", "011111111"],
    &["010101010", "101010101", "010101011"],
    &["000010000", "000100000", "000011000"],
    &[
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000001",
        "000000000000000000000000000000000000000000000000000000000000000",
    ],
    &[
        "1000000000000000000000000000000000000000000000000000000000000000",
        "1111111111111111111111111111111111111111111111111111111111111111",
        "1111111111111111111111111111111111111111111111111111111111111110",
        "0111111111111111111111111111111111111111111111111111111111111111",
    ],
    &[
        "0101010101010101010101010101010101010101010101010101010101010101",
        "1010101010101010101010101010101010101010101010101010101010101010",
        "0000000000000000000000000000000100000000000000000000000000000000",
        "0000000000000000000000000000000010000000000000000000000000000000",
        "0000000000000000000000001111111100000000000000000000000000000000",
    ],
];

const DATES: &[Run] = &[
    &[NULL, "0001-01-01", "9999-12-31", "0001-01-02"],
    &["2024-02-29", "2024-02-28", "2024-03-01", "2024-02-31"],
    &["1970-01-01", "1969-12-31", "1970-01-02"],
    &["2000-01-01", "1999-12-31", "2001-01-01"],
    &["1582-10-15", "1582-10-14", "1582-10-04", "1582-10-05"],
    &["1900-02-28", "1900-03-01"],
    &["1000-01-01", "0999-12-31"],
    &["2026-11-22", "2026-11-23", "2025-11-22", "2026-12-22"],
    &["0000-00-00", "2024-00-10", "2024-02-00", "0000-01-01", "0000-02-29", "0001-03-01"],
    &["0044-03-15 BC", "0044-03-15", "0045-03-15 BC"],
    &["infinity", "-infinity", "10000-01-01", "5874897-12-31"],
];

const TIMES: &[Run] = &[
    &[NULL, "00:00:00", "00:00:00.000001", "00:00:01", "-00:00:01"],
    &["12:34:56", "12:34:57", "12:34:56.000001", "12:34:56.1", "12:34:55"],
    &["24:00:00", "23:59:59", "23:59:59.999999", "24:00:01"],
    &["12:34:56.789", "12:34:56.788", "12:34:56.79", "12:34:56.78"],
    &["01:00:00", "10:00:00", "00:01:00", "00:10:00"],
    &["09:09:09", "09:09:08", "09:08:09"],
    &["838:59:59", "838:59:58", "-838:59:59"],
    &["-00:00:00.000001", "-12:00:00", "100:00:00"],
];

const DATE_TIMES: &[Run] = &[
    &[NULL, "0001-01-01 00:00:00", "0001-01-01 00:00:01", "0000-00-00 00:00:00"],
    &["2024-02-29 12:34:56", "2024-02-29 12:34:57", "2024-02-29 12:34:56.000001", "2024-02-29 13:34:56"],
    &["2024-02-29 12:34:56.789", "2024-02-29 12:34:56.788"],
    &["2024-02-29 12:34:56.123456", "2024-02-29 12:34:56.123457", "2024-02-29 12:34:56.123455"],
    &["2024-03-31 02:30:00", "2024-03-31 03:30:00", "2024-03-31 01:30:00"],
    &["1970-01-01 00:00:00", "1969-12-31 23:59:59", "1969-12-31 23:59:59.999999", "1970-01-01 00:00:01"],
    &["9999-12-31 23:59:59", "9999-12-31 23:59:58", "9999-12-31 23:59:59.999999"],
    &["1000-01-01 00:00:00", "0999-12-31 23:59:59", "0000-01-01 00:00:00", "0000-12-31 23:59:59.999999"],
    &["2000-01-01 00:00:00", "2000-01-01 01:11:34.967296", "1999-12-31 23:59:59"],
    &["2038-01-19 03:14:07", "2038-01-19 03:14:08"],
    &["infinity", "-infinity", "294276-12-31 23:59:59.999999"],
    &["0044-03-15 00:00:00 BC", "0044-03-15 00:00:00"],
];

const INSTANTS: &[Run] = &[
    &[NULL, "1970-01-01 00:00:01", "1970-01-01 00:00:02", "1970-01-01 00:00:00", "0000-00-00 00:00:00"],
    &["2038-01-19 03:14:07", "2038-01-19 03:14:06", "2038-01-19 03:14:08"],
    &["2024-02-29 12:34:56", "2024-02-29 12:34:57", "2024-02-29 12:34:56.000001", "2024-02-29 13:34:56"],
    &["2024-02-29 12:34:56.789", "2024-02-29 12:34:56.788", "2024-02-29 12:34:56.78"],
    &["2024-02-29 12:34:56.123456", "2024-02-29 12:34:56.123457"],
    &["2024-03-31 00:30:00", "2024-03-31 01:30:00", "2024-03-31 02:30:00"],
    &["2024-10-27 00:30:00", "2024-10-27 01:30:00"],
    &["2000-01-01 00:00:00", "2000-01-01 01:11:34.967296", "1999-12-31 23:59:59"],
    &["2001-09-09 01:46:40", "2001-09-09 01:46:39"],
    &["2038-01-19 03:14:07.999999", "2038-01-19 03:14:07.999998"],
    &["9999-12-31 23:59:59", "9999-12-31 23:59:58", "1000-01-01 00:00:00"],
    &["infinity", "-infinity", "294276-12-31 23:59:59.999999", "0044-03-15 00:00:00 BC"],
];

/// Moments that are also two hours later a date and time of every engine.
const ZONED: &[Run] = &[
    &[NULL, "1970-01-01 00:00:01", "1970-01-01 02:00:01"],
    &["2038-01-19 03:14:07", "2038-01-19 03:14:06"],
    &["2024-02-29 12:34:56", "2024-02-29 12:34:57", "2024-02-29 14:34:56", "2024-02-29 10:34:56"],
    &["2024-02-29 12:34:56.789", "2024-02-29 12:34:56.788"],
    &["2024-02-29 12:34:56.123456", "2024-02-29 12:34:56.123457"],
    &["2024-03-31 00:30:00", "2024-03-31 01:30:00"],
    &["2024-12-31 22:00:00", "2024-12-31 21:59:59", "2025-01-01 00:00:00"],
    &["2000-01-01 00:00:00", "1999-12-31 22:00:00"],
];

const UUIDS: &[Run] = &[
    &[NULL, "00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000001"],
    &[
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8 ≡ 6BA7B810-9DAD-11D1-80B4-00C04FD430C8",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c9",
        "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
    ],
    &[
        "ffffffff-ffff-ffff-ffff-ffffffffffff ≡ FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
        "ffffffff-ffff-ffff-ffff-fffffffffffe",
    ],
    &[
        "123e4567-e89b-42d3-a456-426614174000 ≡ 123E4567E89B42D3A456426614174000",
        "67453e12-9be8-d342-a456-426614174000",
    ],
    &["01888888-1111-7abc-8def-0123456789ab", "01888888-1111-7abc-8def-0123456789ac"],
    &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a10"],
    &["00112233-4455-6677-c899-aabbccddeeff", "00112233-4455-6677-c899-aabbccddeefe"],
    &["00112233-4455-8677-8099-aabbccddeeff", "00112233-4455-f677-0199-aabbccddeeff"],
];

const DOCUMENTS: &[Run] = &[
    &[NULL, "null ≡  null ", "\"\"", "\"null\"", "{}", "[]", "[null]", "{\"\":null}"],
    &[
        "{\"a\":1} ≡ { \"a\" : 1.0 }",
        "{\"a\":2}",
        "{\"a\":\"1\"}",
        "{\"a\":null}",
        "{\"A\":1}",
        "{\"a\":[1]}",
        "{\"a\":true}",
    ],
    &["1 ≡ 1.0", "1.5", "\"1\"", "[1]", "true", "-1", "\"true\""],
    &["[1,2] ≡ [1, 2]", "[2,1]", "[1,2,3]", "[[1,2]]", "[1,\"2\"]", "[12]"],
    &["9007199254740993", "9007199254740992", "9007199254740994"],
    &["18446744073709551615", "18446744073709551614", "18446744073709551616"],
    &["0.1 ≡ 1e-1", "0.10000000000000001", "0.2"],
    &["1e300", "2e300"],
    &["\"é\" ≡ \"\\u00e9\"", "\"e\u{301}\"", "\"É\""],
    &["\"🦀\" ≡ \"\\ud83e\\udd80\"", "\"🦁\""],
    &["\"a\\u0000\"", "\"a\"", "\"a \""],
    &["\"\\\\\"", "\"/\" ≡ \"\\/\"", "\"\\\"\""],
    &["{\"a\":1,\"b\":2} ≡ {\"b\":2,\"a\":1}", "{\"a\":2,\"b\":1}", "{\"b\":2}", "{\"a\":{\"b\":2}}"],
    &[
        "{\"a\":{\"b\":[1,{\"c\":false}]}}",
        "{\"a\":{\"b\":[1,{\"c\":0}]}}",
        "{\"a\":{\"b\":[1,{\"c\":null}]}}",
    ],
    &["\"a\\nb\"", "\"a\\\\nb\"", "\"a\\r\\nb\""],
];

const ADDRESSES: &[Run] = &[
    &[NULL, "0.0.0.0", "0.0.0.1", "0.0.0.0/0"],
    &["10.0.0.1 ≡ 10.0.0.1/32", "10.0.0.2", "10.0.0.1/8", "10.0.0.1/31"],
    &["255.255.255.255", "255.255.255.254"],
    &["127.0.0.1", "127.0.0.2", "127.0.0.0/8"],
    &["192.168.0.1", "192.168.0.10", "192.168.1.0"],
    &["8.8.8.8", "8.8.4.4"],
    &["::", "::1", "::/0", "::2"],
    &["::ffff:1.2.3.4", "1.2.3.4", "::1.2.3.4", "::ffff:1.2.3.5"],
    &["2001:db8::1 ≡ 2001:DB8:0:0::1", "2001:db8::2", "2001:db8::1/64", "2001:db8:0:1::1"],
    &["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"],
    &["fe80::1:0:0:1", "fe80::1:0:0:2", "fe80::1:0:1"],
    &["1:0:2:0:3:0:4:0", "1:0:2:0:3:0:4:1"],
];

/// More values of PostgreSQL's types whose samples alone are fewer than ten.
pub const LISTED: &[(&str, &[&str])] = &[
    ("cidr", &["'10.128.0.0/9'", "'192.168.1.0/24'", "'192.168.1.0/25'", "'2001:db8::/33'"]),
    (
        "macaddr",
        &[
            "'08:00:2b:01:02:04'",
            "'08:00:2b:01:03:03'",
            "'18:00:2b:01:02:03'",
            "'00:00:00:00:00:01'",
            "'ff:ff:ff:ff:ff:fe'",
            "'02:01:2b:00:08:03'",
        ],
    ),
    ("hstore", &["'a=>2'"]),
    ("int4range", &["'[1,3)'", "'[2,10)'", "'[2147483646,2147483647)'"]),
    ("xml", &["'<a b=\"2\"/>'"]),
    ("pair", &["row(1,'A')"]),
    ("timetz", &["'12:00:00+01'"]),
];

/// The runs of two types; the printed text of a type of PostgreSQL alone is a run of its own.
pub fn runs(domain: &str, one: &Kind, other: &Kind) -> Vec<Vec<&'static str>> {
    let fixed = |runs: &[&[Run]]| runs.iter().flat_map(|runs| runs.iter().map(|run| run.to_vec())).collect();
    let is = |form: fn(&Form) -> bool| form(&one.form) || form(&other.form);
    for kind in [one, other] {
        if let Form::Printed(values) = kind.form {
            let texts = values.iter().map(|(text, _)| text.as_str());
            return vec![std::iter::once(NULL).chain(texts).collect()];
        }
    }
    match domain {
        "boolean" => fixed(&[TRUTHS]),
        "integer" if is(|form| matches!(form, Form::Year)) => fixed(&[YEARS]),
        "integer" => fixed(&[INTEGERS]),
        "decimal" if is(|form| matches!(form, Form::Integer { .. })) => fixed(&[DECIMALS, INTEGERS]),
        "decimal" => fixed(&[DECIMALS]),
        "float" if is_single(one, other) => {
            let exact = |value: &&str| value.parse().map_or(*value == NULL, is_exactly_single);
            FLOATS.iter().map(|run| run.iter().copied().filter(exact).collect()).collect()
        }
        "float" => fixed(&[FLOATS]),
        "text" if is(|form| matches!(form, Form::Enum(_))) => fixed(&[WORD_RUNS]),
        "text" if is(|form| matches!(form, Form::Set(_))) => fixed(&[SETS]),
        "text" => fixed(&[TEXTS]),
        "bytes" => fixed(&[BYTES]),
        "bits" => fixed(&[BITS]),
        "date" => fixed(&[DATES]),
        "time" => fixed(&[TIMES]),
        "date-time" => fixed(&[DATE_TIMES]),
        "instant" if is(|form| matches!(form, Form::DateTime(_))) => fixed(&[ZONED]),
        "instant" => fixed(&[INSTANTS]),
        "uuid" => fixed(&[UUIDS]),
        "json" => fixed(&[DOCUMENTS]),
        "address" => fixed(&[ADDRESSES]),
        _ => panic!("tests/cross has no values for pairs that are compared as {domain}"),
    }
}

/// Whether a pair is compared in single precision, though SQLite keeps doubles for it.
pub fn is_single(one: &Kind, other: &Kind) -> bool {
    let single = |one: &Kind, other: &Kind| {
        matches!(one.form, Form::Single)
            && (matches!(other.form, Form::Single)
                || (matches!(other.form, Form::Double) && other.product == "sqlite"))
    };
    single(one, other) || single(other, one)
}

fn is_exactly_single(number: f64) -> bool {
    number.is_nan() || f64::from(number as f32).to_bits() == number.to_bits()
}

/// How many values a pair of types must share: ten, or all where it has fewer.
pub fn values_min(domain: &str, one: &Kind, other: &Kind) -> usize {
    match (domain, &one.form, &other.form) {
        // True, false and NULL.
        ("boolean", ..) | ("bits", Form::Bits(1), Form::Bits(1) | Form::Text { .. }) => 3,
        ("bits", Form::Text { .. }, Form::Bits(1)) => 3,
        // Too narrow for any year but 0.
        ("integer", Form::Integer { high: ..1901, .. }, Form::Year)
        | ("integer", Form::Year, Form::Integer { high: ..1901, .. }) => 2,
        // Comparable, and never equal but for NULL.
        ("bits", Form::Bits(one), Form::Bits(other)) if one != other => 1,
        ("address", Form::Address { v6: false, .. }, Form::Address { v4: false, .. })
        | ("address", Form::Address { v4: false, .. }, Form::Address { v6: false, .. }) => 1,
        // The types that the document names have ten; of the others, all that their samples have.
        (_, Form::Printed(values), _) | (_, _, Form::Printed(values)) => (values.len() + 1).min(10),
        _ => 10,
    }
}

/// Which engines have a value: every one, or SQLite, where any column holds any class of value.
#[derive(Clone, Copy, PartialEq)]
pub enum Where {
    Every,
    Sqlite,
}

/// A domain, the types of it, where, and literals.
pub type Unreadable = (&'static str, fn(&Form) -> bool, Where, &'static [&'static str]);

/// Native literals that are no value of the domain though the type holds them: reading one is an error on either
/// side.
pub const UNREADABLE: &[Unreadable] = {
    use Where::{Every, Sqlite};
    &[
        ("boolean", |form| matches!(form, Form::Integer { .. }), Every, &["2", "127"]),
        ("boolean", |form| matches!(form, Form::Boolean), Sqlite, &["2", "'t'", "0.5", "-1"]),
        ("integer", |form| matches!(form, Form::Integer { .. }), Sqlite, &["'x'", "1.5", "x'31'"]),
        ("decimal", |form| matches!(form, Form::Integer { .. }), Sqlite, &["'x'", "x'31'"]),
        (
            "decimal",
            |form| matches!(form, Form::Decimal { scale: 2, .. }),
            Sqlite,
            &["0.001", "'x'", "9e999"],
        ),
        ("decimal", |form| matches!(form, Form::Double), Sqlite, &["'x'", "x'31'", "9e999"]),
        ("float", |form| matches!(form, Form::Single), Sqlite, &["'x'", "x'00'"]),
        (
            "single",
            |form| matches!(form, Form::Single | Form::Double),
            Sqlite,
            &["0.1", "1e39", "1.0000000000000002"],
        ),
        ("float", |form| matches!(form, Form::Double), Sqlite, &["'x'", "x'00'"]),
        ("text", |form| matches!(form, Form::Text { .. }), Sqlite, &["x'61'", "CAST(x'61ff' AS TEXT)"]),
        ("bytes", |form| matches!(form, Form::Bytes { .. }), Sqlite, &["'a'", "1"]),
        ("bits", |form| matches!(form, Form::Text { .. }), Every, &["'012'", "' 1'", "'a'"]),
        (
            "date",
            |form| matches!(form, Form::Date),
            Sqlite,
            &["'2024-13-01'", "20240101", "'2024-01-01 00:00:00'", "'infinite'", "''"],
        ),
        (
            "time",
            |form| matches!(form, Form::Time(_)),
            Sqlite,
            &["'25'", "0.5", "'12:60:00'", "'12:34:56.1234567'"],
        ),
        (
            "date-time",
            |form| matches!(form, Form::DateTime(_)),
            Sqlite,
            &["'2024-01-01 00:00:00Z'", "1704067200", "'2024-01-01 25:00:00'"],
        ),
        (
            "instant",
            |form| matches!(form, Form::Instant(_)),
            Sqlite,
            &["1704067200", "'x'", "'2024-01-01 00:00:00.0000001'"],
        ),
        (
            "uuid",
            |form| matches!(form, Form::Text { .. }),
            Every,
            &[
                "'none'",
                "''",
                "'6ba7b810-9dad-11d1-80b4-00c04fd430c'",
                "'g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
            ],
        ),
        ("uuid", |form| matches!(form, Form::Uuid), Sqlite, &["'none'", "x'00'", "5"]),
        (
            "json",
            |form| matches!(form, Form::Text { .. }),
            Every,
            &["'not json'", "''", "'{\"a\":1'", "'[1,]'"],
        ),
        ("json", |form| matches!(form, Form::Json { .. }), Sqlite, &["'not json'", "x'7b7d'"]),
        (
            "address",
            |form| matches!(form, Form::Text { .. }),
            Every,
            &["'10.0.0'", "''", "'10.0.0.1/33'", "'fe80::1%eth0'"],
        ),
    ]
};
