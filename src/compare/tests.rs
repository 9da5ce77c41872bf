//! Cutting and comparing against brute force: whatever the keys, the sizes, the pieces and the order in which
//! they come, the changes are those of a map of rows, and the ranges hold them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::sides::{Side, Sides};
use crate::value::{Domain, Key, KeyOrder, KeyRange, Row, RowBlock, Value, encode};

const TEXT: Domain = Domain::Text;
const BIGINT: Domain = Domain::Integer { bytes: 8 };

fn encoded(domains: &[Domain], values: &[Value]) -> Vec<u8> {
    let mut row = Vec::new();
    for (domain, value) in domains.iter().zip(values) {
        encode(&mut row, domain, value).expect("the value is one of the domain");
    }
    row
}

fn block(rows: &[Vec<u8>]) -> RowBlock {
    let mut block = RowBlock::default();
    rows.iter().for_each(|row| block.push(row));
    block
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn exact(domains: &[Domain], key_columns: usize) -> RowRules {
    let columns = domains.iter().cloned().map(ColumnRule::exact).collect();
    RowRules::new(columns, key_columns, domains.len())
}

fn compared(rules: &RowRules, primary: &[Vec<u8>], replica: &[Vec<u8>]) -> BlockFinding {
    let pair = BlockPair { range: KeyRange::all(), primary: block(primary), replica: block(replica) };
    compare_blocks(&pair, rules).expect("the rows are in order")
}

/// A table pair to compare: both sides in key order, and how they come in.
#[derive(Clone, Debug)]
struct Case {
    domains: Vec<Domain>,
    key_columns: usize,
    compared: usize,
    rows: Sides<Vec<Vec<u8>>>,
    bounds: Bounds,
    /// Rows in a piece of a stream, used in turn.
    pieces: Vec<usize>,
    /// Which side is asked when both are wanted, used in turn.
    turns: Vec<bool>,
}

impl Case {
    fn rules(&self) -> RowRules {
        let columns = self.domains[..self.compared].iter().cloned().map(ColumnRule::exact).collect();
        RowRules::new(columns, self.key_columns, self.domains.len())
    }

    fn largest_row(&self) -> usize {
        self.rows.primary.iter().chain(&self.rows.replica).map(Vec::len).max().unwrap_or_default()
    }

    /// Plays the driver, and checks what is held on the way.
    fn pairs(&self) -> Vec<BlockPair> {
        let mut pairing = Pairing::new(self.rules().order().clone(), KeyRange::all(), self.bounds);
        let mut pieces = self.pieces.iter().cycle();
        let mut turns = self.turns.iter().cycle();
        let mut at = Sides::new(0, 0);
        let mut pairs = Vec::new();
        let largest_piece = self.pieces.iter().max().expect("there are pieces") * self.largest_row();
        let held_max = 4 * self.bounds.bytes_max + 2 * self.largest_row() + 2 * largest_piece;
        while !pairing.done() {
            if let Some(pair) = pairing.next_pair() {
                pairs.push(pair);
                continue;
            }
            let side = match (pairing.wants(Side::Primary), pairing.wants(Side::Replica)) {
                (true, true) if *turns.next().expect("turns go on") => Side::Primary,
                (true, false) => Side::Primary,
                (_, true) => Side::Replica,
                (false, false) => panic!("nothing is wanted, and nothing is done"),
            };
            let (rows, at) = (self.rows.get(side), at.get_mut(side));
            let to = rows.len().min(*at + pieces.next().expect("pieces go on"));
            if *at == to {
                pairing.finish(side);
            } else {
                pairing.push(side, block(&rows[*at..to]));
                *at = to;
            }
            assert!(pairing.bytes_held() <= held_max, "{} of {held_max}", pairing.bytes_held());
        }
        assert_eq!(at, self.rows.as_ref().map(Vec::len), "every row is read");
        pairs
    }

    /// The changes by brute force.
    fn changes(&self) -> Vec<RowChange> {
        let rules = self.rules();
        let by_key = |rows: &[Vec<u8>]| -> BTreeMap<Sorted, Vec<u8>> {
            let entry =
                |row: &Vec<u8>| (Sorted(rules.order().clone(), rules.order().key_of(row)), row.clone());
            rows.iter().map(entry).collect()
        };
        let both = self.rows.as_ref().map(|rows| by_key(rows));
        let keys: std::collections::BTreeSet<_> = both.primary.keys().chain(both.replica.keys()).collect();
        let change = |key: &Sorted| match (both.primary.get(key), both.replica.get(key)) {
            (Some(after), None) => Some(RowChange::Insert { after: Row::new(after.clone()) }),
            (None, Some(before)) => Some(RowChange::Delete { before: Row::new(before.clone()) }),
            (Some(after), Some(before)) => {
                let columns: Vec<u16> = crate::value::fields(after)
                    .zip(crate::value::fields(before))
                    .take(self.compared)
                    .enumerate()
                    .filter(|(_, (after, before))| after != before)
                    .map(|(index, _)| index as u16)
                    .collect();
                let update = RowChange::Update {
                    before: Row::new(before.clone()),
                    after: Row::new(after.clone()),
                    columns: columns.clone(),
                };
                (!columns.is_empty()).then_some(update)
            }
            (None, None) => None,
        };
        keys.into_iter().filter_map(change).collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Sorted(KeyOrder, Key);

impl Ord for Sorted {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.compare(self.1.bytes(), other.1.bytes())
    }
}

impl PartialOrd for Sorted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A key of some kind made of a number, so that keys are many, close together and hostile.
fn key(kind: usize, number: i64) -> Vec<Value> {
    let letters = ["", "a", "A", "é", "a ", "\u{10000}", "\u{ffff}", "b", "a#", "#"];
    let word = |number: i64| -> String {
        let digits = format!("{number}");
        digits.bytes().map(|digit| letters[usize::from(digit - b'0')]).collect::<String>() + "|" + &digits
    };
    match kind {
        0 => vec![Value::Integer(i128::from(number) - 150)],
        1 => vec![text(&word(number))],
        2 => vec![Value::Bytes(number.to_be_bytes()[6 - (number as usize % 3)..].to_vec())],
        3 => vec![Value::Uuid(
            (number as u128).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835).to_be_bytes(),
        )],
        _ => vec![Value::Integer(i128::from(number % 7) - 3), text(&word(number / 7))],
    }
}

fn key_domains(kind: usize) -> Vec<Domain> {
    match kind {
        0 => vec![BIGINT],
        1 => vec![TEXT],
        2 => vec![Domain::Bytes],
        3 => vec![Domain::Uuid],
        _ => vec![Domain::Integer { bytes: 4 }, TEXT],
    }
}

/// What happens to one row, by weight: mostly nothing.
fn fate() -> impl Strategy<Value = u8> {
    prop_oneof![30 => Just(0_u8), 1 => Just(1_u8), 1 => Just(2_u8), 1 => Just(3_u8), 1 => Just(4_u8), 2 => Just(5_u8)]
}

fn case() -> impl Strategy<Value = Case> {
    let rows = (proptest::collection::btree_map(0_i64..400, (fate(), 0_usize..60), 0..300), 0_usize..5);
    let ways = (
        1_usize..50,
        prop_oneof![20_usize..200, 200_usize..5_000],
        proptest::collection::vec(1_usize..40, 1..6),
        proptest::collection::vec(any::<bool>(), 1..9),
    );
    (rows, ways, (0_i64..400, 0_i64..150), any::<bool>(), 0_u8..8).prop_map(
        |((rows, kind), (rows_max, bytes_max, pieces, turns), (gap_from, gap), ignored, empty)| {
            let mut domains = key_domains(kind);
            let key_columns = domains.len();
            domains.extend([TEXT, BIGINT, Domain::Bytes]);
            let compared = domains.len() - usize::from(ignored);
            let mut sides: Sides<Vec<Vec<u8>>> = Sides::default();
            for (number, (fate, length)) in rows {
                let row = |changed: u8| {
                    let mut values = key(kind, number);
                    let body = "x".repeat(length);
                    values.push(if changed == 1 { Value::Null } else { text(&body) });
                    values.push(Value::Integer(i128::from(number) + i128::from(changed == 2)));
                    values.push(Value::Bytes(vec![7, u8::from(changed == 3)]));
                    encoded(&domains, &values)
                };
                // In the gap only the replica has rows.
                let fate = if (gap_from..gap_from + gap).contains(&number) { 5 } else { fate };
                if fate != 5 {
                    sides.primary.push(row(0));
                }
                if fate != 4 {
                    sides.replica.push(row(fate));
                }
            }
            if empty == 0 {
                sides.primary.clear();
            }
            if empty == 1 {
                sides.replica.clear();
            }
            let order = KeyOrder::new(domains[..key_columns].to_vec());
            sides.primary.sort_by(|a, b| order.compare(a, b));
            sides.replica.sort_by(|a, b| order.compare(a, b));
            let bounds = Bounds { rows_max, bytes_max };
            Case { domains, key_columns, compared, rows: sides, bounds, pieces, turns }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn findings_are_those_of_brute_force(case in case()) {
        let rules = case.rules();
        let pairs = case.pairs();
        let mut fold = DigestFold::new();
        let (mut changes, mut ranges, mut rows) = (Vec::new(), Vec::new(), Sides::new(0, 0));
        let mut all_equal = true;
        for pair in &pairs {
            let found = compare_blocks(pair, &rules).expect("the rows are in order");
            prop_assert_eq!(found.equal, found.digests.primary == found.digests.replica);
            prop_assert_eq!(found.equal, found.changes.is_empty());
            prop_assert_eq!(found.excused, 0);
            all_equal &= found.equal;
            fold.add(&found.digests);
            rows.primary += found.rows.primary as usize;
            rows.replica += found.rows.replica as usize;
            if !found.equal {
                ranges.push(RangeDrift { range: pair.range.clone(), rows: found.rows });
            }
            changes.extend(found.changes);
        }
        prop_assert_eq!(rows, case.rows.as_ref().map(Vec::len));
        let expected = case.changes();
        prop_assert_eq!(&changes, &expected);
        let digest = fold.finish();
        prop_assert_eq!(digest.primary == digest.replica, expected.is_empty());
        prop_assert_eq!(all_equal, expected.is_empty());
        let planned = |change: &RowChange| PlannedChange { change: change.clone(), withheld: false, extra: None, stored: None, copy: None };
        let list = changes.iter().map(planned).collect();
        holds_every_change(&rules, joined(ranges, &list, rules.order()).expect("in memory"), &changes);
    }

    #[test]
    fn cuts_depend_on_rows_and_bounds_alone(case in case(), pieces in proptest::collection::vec(1_usize..400, 1..4)) {
        let pairs = case.pairs();
        let turns = case.turns.iter().map(|turn| !turn).collect();
        let otherwise = Case { pieces, turns, ..case.clone() };
        prop_assert_eq!(&otherwise.pairs(), &pairs);
        check_cuts(&case, &pairs);
    }

    #[test]
    fn a_row_out_of_order_is_an_error(case in case(), at in any::<prop::sample::Index>(), on_replica: bool, twice: bool) {
        let side = if on_replica { Side::Replica } else { Side::Primary };
        let mut case = case;
        let rows = case.rows.get_mut(side);
        prop_assume!(rows.len() > 1);
        let index = at.index(rows.len() - 1);
        if twice {
            rows[index + 1] = rows[index].clone();
        } else {
            rows.swap(index, index + 1);
        }
        let (rules, pairs) = (case.rules(), case.pairs());
        let error = pairs.iter().find_map(|pair| compare_blocks(pair, &rules).err());
        let error = error.expect("the error is seen");
        match &error {
            OrderError::Duplicate { side: found, .. } | OrderError::Disorder { side: found, .. } => {
                // Where both sides' bytes are the same, the primary speaks for both.
                prop_assert!(*found == side || *found == Side::Primary);
            }
        }
        prop_assert_eq!(twice, matches!(error, OrderError::Duplicate { .. }));
    }
}

/// Ranges hold every change, ascend, do not touch and none is without a change.
fn holds_every_change(rules: &RowRules, ranges: Vec<RangeDrift>, changes: &[RowChange]) {
    for neighbours in ranges.windows(2) {
        let (to, from) = (neighbours[0].range.to.as_ref(), neighbours[1].range.from.as_ref());
        let (to, from) = (to.expect("closed"), from.expect("closed"));
        assert!(rules.order().compare(to.bytes(), from.bytes()).is_lt(), "ranges touch or overlap");
    }
    for change in changes {
        let holding =
            ranges.iter().filter(|drift| rules.order().contains(&drift.range, change.row().bytes()));
        assert_eq!(holding.count(), 1);
    }
    for drift in &ranges {
        assert!(changes.iter().any(|change| rules.order().contains(&drift.range, change.row().bytes())));
    }
}

/// Ranges follow each other from open to open, hold their rows, and blocks keep their bounds.
fn check_cuts(case: &Case, pairs: &[BlockPair]) {
    let rules = case.rules();
    let within = |block: &RowBlock, times: usize| {
        block.len() <= 1
            || (block.len() <= times * case.bounds.rows_max
                && block.bytes_len() <= times * case.bounds.bytes_max)
    };
    let mut from = None;
    let mut read = Sides::new(RowBlock::default(), RowBlock::default());
    for pair in pairs {
        assert_eq!(pair.range.from, from);
        assert!(within(&pair.primary, 1) && within(&pair.replica, 2));
        for row in pair.primary.rows().chain(pair.replica.rows()) {
            assert!(rules.order().contains(&pair.range, row));
        }
        read.primary.extend(&pair.primary, 0, pair.primary.len());
        read.replica.extend(&pair.replica, 0, pair.replica.len());
        from = pair.range.to.clone();
    }
    assert_eq!(from, None, "the last range is open");
    assert_eq!(read, case.rows.as_ref().map(|rows| block(rows)), "every row is read once, in order");
}

#[test]
fn a_wrong_byte_anywhere_is_seen() {
    let domains = [BIGINT, TEXT];
    let rules = exact(&domains, 1);
    let rows: Vec<_> =
        (0..50).map(|id| encoded(&domains, &[Value::Integer(id), text("some words")])).collect();
    let equal = compared(&rules, &rows, &rows);
    assert!(equal.equal && equal.changes.is_empty());
    for (index, row) in rows.iter().enumerate() {
        let last = row.len() - 1;
        let mut wrong = rows.clone();
        wrong[index][last] ^= 1;
        let found = compared(&rules, &rows, &wrong);
        assert!(!found.equal && found.digests.primary != found.digests.replica);
        assert_eq!(found.changes.len(), 1);
        assert!(matches!(&found.changes[0], RowChange::Update { columns, .. } if columns == &[1]));
    }
}

#[test]
fn swapped_values_separators_and_null_are_seen() {
    let domains = [BIGINT, TEXT, TEXT];
    let rules = exact(&domains, 1);
    let row = |id: i128, a: Value, b: Value| encoded(&domains, &[Value::Integer(id), a, b]);
    let cases = [
        (
            vec![row(1, text("aa"), text("x")), row(2, text("bb"), text("x"))],
            vec![row(1, text("bb"), text("x")), row(2, text("aa"), text("x"))],
            2,
        ),
        (vec![row(1, text("a#b"), text("c"))], vec![row(1, text("a"), text("b#c"))], 1),
        (vec![row(1, Value::Null, text("c"))], vec![row(1, text(""), text("c"))], 1),
        (vec![row(1, Value::Null, text("c"))], vec![row(1, text("c"), Value::Null)], 1),
        (vec![row(1, text("a"), text("c"))], vec![row(1, text("a "), text("c"))], 1),
    ];
    for (primary, replica, changes) in cases {
        let found = compared(&rules, &primary, &replica);
        assert!(!found.equal);
        assert_ne!(found.digests.primary, found.digests.replica);
        assert_eq!(found.changes.len(), changes);
        let moved = |rows: &[Vec<u8>]| compared(&rules, rows, rows).digests.primary;
        assert_eq!(moved(&primary), found.digests.primary);
        assert_eq!(moved(&replica), found.digests.replica);
    }
}

#[test]
fn excused_rows_are_counted_and_partly_excused_ones_updated() {
    let domains = [BIGINT, TEXT, TEXT, TEXT];
    let trim = Excuse { trim: true, ..Excuse::default() };
    let columns = vec![
        ColumnRule::exact(BIGINT),
        ColumnRule { domain: TEXT, excuse: Some(trim) },
        ColumnRule::exact(TEXT),
    ];
    let rules = RowRules::new(columns, 1, domains.len());
    let row = |id: i128, a: &str, b: &str, ignored: &str| {
        encoded(&domains, &[Value::Integer(id), text(a), text(b), text(ignored)])
    };
    let primary =
        [row(1, "a", "b", "x"), row(2, "a", "b", "x"), row(3, "a", "b", "x"), row(4, "a", "b", "x")];
    let replica =
        [row(1, "a ", "b", "x"), row(2, " a", "B", "y"), row(3, "a", "b", "z"), row(5, "a", "b", "x")];
    let found = compared(&rules, &primary, &replica);
    assert_eq!(found.excused, 1);
    let row = |row: &Vec<u8>| Row::new(row.clone());
    let expected = [
        RowChange::Update { before: row(&replica[1]), after: row(&primary[1]), columns: vec![2] },
        RowChange::Insert { after: row(&primary[3]) },
        RowChange::Delete { before: row(&replica[3]) },
    ];
    assert_eq!(found.changes, expected);
    // Ignored columns alone make no difference, neither in the digest nor in the rows.
    let ignored = compared(&rules, &primary[2..3], &replica[2..3]);
    assert!(ignored.equal && ignored.digests.primary == ignored.digests.replica);
}

#[test]
fn rows_outside_the_range_asked_for_are_an_error() {
    let rules = exact(&[BIGINT], 1);
    let row = |id: i128| encoded(&[BIGINT], &[Value::Integer(id)]);
    let range = KeyRange { from: Some(Key::new(row(10))), to: Some(Key::new(row(20))) };
    let pair = |primary: &[i128], replica: &[i128]| {
        let block = |ids: &[i128]| block(&ids.iter().map(|id| row(*id)).collect::<Vec<_>>());
        compare_blocks(
            &BlockPair { range: range.clone(), primary: block(primary), replica: block(replica) },
            &rules,
        )
    };
    assert!(pair(&[10, 19], &[11]).is_ok());
    for (primary, replica) in [(&[9_i128][..], &[10_i128][..]), (&[10], &[9]), (&[21], &[10]), (&[10], &[21])]
    {
        assert!(
            matches!(pair(primary, replica), Err(OrderError::Disorder { .. })),
            "{primary:?} {replica:?}"
        );
    }
    let mut pairing =
        Pairing::new(rules.order().clone(), range.clone(), Bounds { rows_max: 5, bytes_max: 999 });
    pairing.push(Side::Primary, block(&[row(11)]));
    pairing.push(Side::Replica, block(&[row(11), row(25)]));
    pairing.finish(Side::Primary);
    pairing.finish(Side::Replica);
    let last = pairing.next_pair().expect("all is read");
    assert_eq!(last.range, range);
    assert!(compare_blocks(&last, &rules).is_err(), "a stray row is not dropped");
}
