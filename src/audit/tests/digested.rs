//! Digests that databases make, and databases whose digests are wrong.

use super::*;
use crate::value::{Digest, DigestMethod};

/// Compares tables that digest by this.
fn digested(
    pair: &TablePair,
    rows: [Vec<Vec<Value>>; 2],
    digests: fn(&[u8]) -> Digest,
    chunk_rows: usize,
) -> Result<TableFinding, Failure> {
    let [primary, replica] = rows.map(|rows| {
        let mut table = FakeTable::new(pair, rows);
        table.digests = Some(digests);
        table
    });
    let options = AuditOptions { digest: DigestMethod::Database, ..small(chunk_rows) };
    audit(pair, &Sides::new(primary, replica), &options)
}

/// Takes all rows for the same.
fn blind(_rows: &[u8]) -> Digest {
    Digest::of(b"")
}

/// Sees no change of a text: the sum of all bytes of a row is what it was.
fn sums(rows: &[u8]) -> Digest {
    let sum: u64 = rows.iter().map(|byte| u64::from(*byte)).sum();
    Digest::of(&sum.to_be_bytes())
}

fn changed(ids: impl IntoIterator<Item = i128>, note: &str) -> Vec<Vec<Value>> {
    ids.into_iter().map(|id| vec![int(id), text(note)]).collect()
}

#[test]
fn sound_digests_find_every_change() {
    let pair = plain().done();
    for drift in [0, 1, 499, 500, 999] {
        let mut replica = rows(0..1_000);
        replica[drift][1] = text("other words");
        for chunk_rows in [50, 300, 5_000] {
            let found = digested(&pair, [rows(0..1_000), replica.clone()], Digest::of, chunk_rows)
                .expect("digests that are right");
            assert_eq!(found.not_digested, None);
            assert_eq!(ids(&pair, &all(&found)), [('~', format!("id = {drift}"))]);
        }
    }
}

/// The rows that are read as a check differ, whatever the databases say of them.
#[test]
fn a_wrong_equal_is_an_error_where_rows_are_read_as_a_check() {
    let pair = plain().done();
    // The same bytes in another order.
    let swapped = changed(0..1_000, "words some");
    for (digests, replica) in
        [(blind as fn(&[u8]) -> Digest, changed(0..1_000, "other words")), (sums, swapped)]
    {
        for chunk_rows in [50, 300, 5_000] {
            let found = digested(&pair, [rows(0..1_000), replica.clone()], digests, chunk_rows);
            let failure = found.expect_err("digests that are wrong are never in sync");
            assert_eq!(failure.kind, ErrorKind::Changed);
            assert!(failure.message.contains("and its rows are not"), "{}", failure.message);
        }
    }
}

#[test]
fn who_makes_no_digests_is_read() {
    let pair = plain().done();
    let tables = Sides::new(rows(0..100), changed(0..100, "other")).map(|rows| FakeTable::new(&pair, rows));
    let options = AuditOptions { digest: DigestMethod::Database, ..small(30) };
    let found = audit(&pair, &tables, &options).expect("it is read");
    assert_eq!(found.not_digested.as_deref(), Some("on the primary nobody digests here"));
    assert_eq!(all(&found).len(), 100);
}
