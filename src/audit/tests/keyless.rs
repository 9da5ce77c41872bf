//! Tables without a key, and keys without an order in common, against counting by hand.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::fake::{FakeTable, INT, Pair, TEXT, int, text};
use super::*;

type Counts = BTreeMap<(i128, String), u64>;

fn counted(rows: &[(i128, &str)]) -> Counts {
    let mut counts = Counts::new();
    rows.iter().for_each(|(number, word)| *counts.entry((*number, (*word).to_owned())).or_default() += 1);
    counts
}

fn log() -> TablePair {
    Pair::new(0, &[("a", INT), ("b", TEXT)]).done()
}

fn table(pair: &TablePair, rows: &[(i128, &str)]) -> FakeTable {
    FakeTable::new(pair, rows.iter().map(|(number, word)| vec![int(*number), text(word)]).collect())
}

/// Letters, rows and how many, equal changes put together; checks what every copy says of itself.
fn told(pair: &TablePair, found: &TableFinding, counts: &Sides<Counts>) -> Vec<(char, String, u64)> {
    let mut told: Vec<(char, String, u64)> = Vec::new();
    for planned in all(found) {
        let letter = if matches!(planned.change, RowChange::Insert { .. }) { '+' } else { '-' };
        let row = crate::schema::row_text(pair, planned.change.row().bytes());
        let copy = planned.copy.expect("a copy has its number");
        match told.last_mut() {
            Some(last) if last.0 == letter && last.1 == row => {
                assert_eq!(copy.image.number, last.2);
                last.2 += 1;
            }
            _ => {
                assert_eq!(copy.image.number, 0);
                told.push((letter, row, 1));
            }
        }
        let word = |(number, word): &(i128, String)| format!("a = {number}, b = '{word}'");
        let there: u64 = counts
            .replica
            .iter()
            .filter(|(row_of, _)| word(row_of) == told[told.len() - 1].1)
            .map(|(_, n)| *n)
            .sum();
        assert_eq!(copy.image.there, there);
    }
    told
}

fn expected(counts: &Sides<Counts>) -> Vec<(char, String, u64)> {
    let rows: std::collections::BTreeSet<_> = counts.primary.keys().chain(counts.replica.keys()).collect();
    let change = |row: &&(i128, String)| {
        let count = |counts: &Counts| counts.get(*row).copied().unwrap_or_default();
        let (primary, replica) = (count(&counts.primary), count(&counts.replica));
        let letter = if primary > replica { '+' } else { '-' };
        (letter, format!("a = {}, b = '{}'", row.0, row.1), primary.abs_diff(replica))
    };
    rows.iter().map(change).filter(|(_, _, copies)| *copies > 0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn copies_are_those_of_counting(
        primary in proptest::collection::vec((0..6_i128, "[ab]{0,2}"), 0..120),
        replica in proptest::collection::vec((0..6_i128, "[ab]{0,2}"), 0..120),
        memory_bytes in prop_oneof![Just(1_024_u64), Just(20_000), Just(256 << 20)],
        piece_rows in 1..40_usize,
    ) {
        fn borrowed(rows: &[(i128, String)]) -> Vec<(i128, &str)> {
            rows.iter().map(|(number, word)| (*number, word.as_str())).collect()
        }
        let pair = log();
        let rows = Sides::new(borrowed(&primary), borrowed(&replica));
        let tables = rows.as_ref().map(|rows| {
            let mut table = table(&pair, rows);
            table.piece_rows = piece_rows;
            table
        });
        let options = AuditOptions { memory_bytes, spool: spool(memory_bytes), ..AuditOptions::default() };
        let found = audit(&pair, &tables, &options).expect("both sides can be read");
        let counts = rows.as_ref().map(|rows| counted(rows));
        let wanted = expected(&counts);
        prop_assert_eq!(told(&pair, &found, &counts), wanted.clone());
        prop_assert_eq!(found.digest.primary == found.digest.replica, wanted.is_empty());
        prop_assert_eq!(found.rows, rows.as_ref().map(|rows| rows.len() as u64));
        prop_assert_eq!(found.ranges.len(), usize::from(!wanted.is_empty()));
        prop_assert!(!found.truncated && found.excused == 0);
    }
}

#[test]
fn thousands_of_equal_rows_beside_many_others_take_little_memory() {
    let pair = log();
    let mut rows = vec![(7, "the same"); 20_000];
    rows.extend((1_000..3_000).map(|number| (number, "another")));
    let mut replica = rows.clone();
    replica.truncate(19_000);
    replica.extend([(5, "extra"); 3]);
    let memory_bytes = 64 << 10;
    let options = AuditOptions { memory_bytes, spool: spool(memory_bytes), ..AuditOptions::default() };
    let tables = Sides::new(table(&pair, &rows), table(&pair, &replica));
    let found = audit(&pair, &tables, &options).expect("both sides can be read");
    let counts = Sides::new(counted(&rows), counted(&replica));
    assert_eq!(told(&pair, &found, &counts), expected(&counts));
    assert_eq!(found.changes.len(), 1_000 + 2_000 + 3);
}

#[test]
fn a_missing_table_and_an_empty_one_are_all_inserts() {
    let mut pair = log();
    let rows = [(1, "x"), (2, "y"), (1, "x")];
    let empty = Sides::new(table(&pair, &rows), table(&pair, &[]));
    let counts = Sides::new(counted(&rows), Counts::new());
    let of = |pair: &TablePair| {
        let found = audit(pair, &empty, &AuditOptions::default()).expect("both sides can be read");
        told(pair, &found, &counts)
    };
    assert_eq!(of(&pair), expected(&counts));
    pair.replica_missing = true;
    pair.columns.iter_mut().for_each(|column| column.on_replica = false);
    assert_eq!(of(&pair), expected(&counts));
}

#[test]
fn looking_stops_after_so_many_copies() {
    let pair = log();
    let tables = Sides::new(table(&pair, &[(1, "x"); 50]), table(&pair, &[(2, "y"); 50]));
    let options = AuditOptions { changes_max: Some(7), ..AuditOptions::default() };
    let found = audit(&pair, &tables, &options).expect("both sides can be read");
    assert_eq!((found.changes.len(), found.truncated), (7, true));
    let options = AuditOptions { changes_max: Some(100), ..AuditOptions::default() };
    let found = audit(&pair, &tables, &options).expect("both sides can be read");
    assert_eq!((found.changes.len(), found.truncated), (100, false));
}

#[test]
fn a_delete_says_which_of_equal_rows_goes() {
    let pair = Pair::new(0, &[("a", INT)]).with_extra("own", TEXT).done();
    for memory_bytes in [1_024, 256 << 20] {
        let primary = FakeTable::new(&pair, vec![vec![int(1), text("")], vec![int(2), text("")]]);
        let own = ["c", "a", "b", "a", "b", "b"];
        let mut rows: Vec<_> = own.iter().map(|word| vec![int(1), text(word)]).collect();
        rows.push(vec![int(3), text("z")]);
        let tables = Sides::new(primary, FakeTable::new(&pair, rows));
        let options = AuditOptions { memory_bytes, spool: spool(memory_bytes), ..AuditOptions::default() };
        let found = audit(&pair, &tables, &options).expect("both sides can be read");
        let told: Vec<String> = all(&found)
            .iter()
            .map(|planned| {
                let extra = planned
                    .extra
                    .as_ref()
                    .and_then(|extra| extra.fields().next().flatten().map(<[u8]>::to_vec));
                let copy = planned.copy.expect("a copy");
                format!(
                    "{} {:?} {} of {}, {} there",
                    crate::schema::row_text(&pair, planned.change.row().bytes()),
                    extra.map(|extra| String::from_utf8(extra).expect("text")),
                    copy.image.number,
                    copy.image.of,
                    copy.image.there
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                r#"a = 1 Some("a") 0 of 2, 2 there"#,
                r#"a = 1 Some("a") 1 of 2, 2 there"#,
                r#"a = 1 Some("b") 0 of 3, 3 there"#,
                r#"a = 1 Some("b") 1 of 3, 3 there"#,
                r#"a = 1 Some("b") 2 of 3, 3 there"#,
                r#"a = 2 None 0 of 1, 0 there"#,
                r#"a = 3 Some("z") 0 of 1, 1 there"#,
            ]
        );
    }
}

#[test]
fn keys_without_a_common_order_are_joined_too() {
    let pair = Pair::new(1, &[("id", Domain::Json { canonical: true }), ("note", TEXT)]).done();
    assert!(!pair.is_ordered());
    let document = |word: &str| Value::Json(word.to_owned());
    let row = |id: &str, note: &str| vec![document(id), text(note)];
    let primary = vec![row("c", "1"), row("a", "2"), row("b", "3"), row("e", "5")];
    let replica = vec![row("e", "5"), row("b", "changed"), row("d", "4"), row("a", "2")];
    for memory_bytes in [1_024, 256 << 20] {
        let tables =
            Sides::new(FakeTable::new(&pair, primary.clone()), FakeTable::new(&pair, replica.clone()));
        let options = AuditOptions { memory_bytes, spool: spool(memory_bytes), ..AuditOptions::default() };
        let found = audit(&pair, &tables, &options).expect("both sides can be read");
        let of = |letter, id: &str| (letter, format!("id = '{id}'"));
        assert_eq!(ids(&pair, &all(&found)), [of('~', "b"), of('+', "c"), of('-', "d")]);
        assert!(found.digest.primary != found.digest.replica);
    }
    let mut twice = replica;
    twice.push(row("b", "again"));
    let tables = Sides::new(FakeTable::new(&pair, primary), FakeTable::new(&pair, twice));
    let failure = audit(&pair, &tables, &AuditOptions::default()).expect_err("two rows of one key");
    assert_eq!((failure.kind, failure.key.as_deref()), (ErrorKind::Key, Some("id = 'b'")));
}

#[test]
fn the_check_afterwards_counts_copies() {
    let pair = log();
    let tables = Sides::new(
        table(&pair, &[(1, "x"), (1, "x"), (2, "y")]),
        table(&pair, &[(1, "x"), (2, "y"), (9, "z")]),
    );
    let digest = |number, word: &str| Digest::of(&fake::encoded(&[INT, TEXT], &[int(number), text(word)]));
    let differ = |rows: Vec<Digest>| {
        let snapshots = tables.as_ref().map(FakeTable::snapshot);
        let options = AuditOptions::default();
        wait(copies_that_differ(&pair, rows, snapshots, &options, &silent(), &Stop::default()))
            .expect("they can be read")
    };
    assert_eq!(differ(vec![digest(1, "x"), digest(2, "y")]), 1);
    assert_eq!(differ(vec![digest(2, "y")]), 0);
    assert_eq!(differ(vec![digest(1, "x"), digest(9, "z")]), 2);
}
