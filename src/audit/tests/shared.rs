//! Several replicas that share one read of the primary: what each finds does not depend on the others.

use futures_util::future::join_all;

use super::super::shared::shared_within;
use super::*;

/// Compares all replicas beside each other.
fn audit_all(
    pairs: &[TablePair],
    primary: &FakeTable,
    replicas: &[FakeTable],
    patience: Duration,
) -> Vec<Result<TableFinding, Failure>> {
    wait(async {
        let primary = primary.snapshot();
        let replicas: Vec<Arc<dyn Snapshot>> = replicas.iter().map(FakeTable::snapshot).collect();
        let audits: Vec<_> = pairs.iter().zip(&replicas).collect();
        let primaries = shared_within(patience, &primary, &audits);
        let options = AuditOptions { memory_bytes: 1 << 30, ..small(100) }.beside(replicas.len());
        let each = pairs.iter().zip(replicas).zip(primaries).map(async |((pair, replica), primary)| {
            let snapshots = Sides::new(primary, replica);
            audit_table(pair, "one", snapshots, &options, &silent(), &Stop::default()).await
        });
        join_all(each).await
    })
}

const LONG: Duration = Duration::from_secs(60);

/// Three replicas, of which the first is as the primary, the second lacks rows, and the third has others.
fn three(pair: &TablePair, readers: usize) -> (FakeTable, Vec<FakeTable>) {
    let mut other = rows(0..20_000);
    other.iter_mut().step_by(1_000).for_each(|row| row[1] = text("other words"));
    let make = |rows| {
        let mut table = FakeTable::new(pair, rows);
        table.readers = readers;
        table
    };
    let replicas =
        vec![make(rows(0..20_000)), make(rows((0..20_000).filter(|id| id % 4_000 != 7))), make(other)];
    (make(rows(0..20_000)), replicas)
}

fn changes_of(found: &[Result<TableFinding, Failure>]) -> Vec<Result<usize, ErrorKind>> {
    let changes = |found: &Result<TableFinding, Failure>| match found {
        Ok(found) => Ok(found.changes.len()),
        Err(failure) => Err(failure.kind),
    };
    found.iter().map(changes).collect()
}

#[test]
fn one_read_serves_all_replicas() {
    for readers in [1, 3] {
        let pair = plain().done();
        let (primary, replicas) = three(&pair, readers);
        let pairs = vec![pair.clone(); 3];
        let found = audit_all(&pairs, &primary, &replicas, LONG);
        assert_eq!(changes_of(&found), [Ok(0), Ok(5), Ok(20)]);
        assert_eq!(primary.scans(), replicas[0].scans(), "as many as one replica's");
        for (found, replica) in found.into_iter().zip(replicas) {
            let found = found.expect("it could be read");
            let alone =
                audit(&pair, &Sides::new(primary.clone(), replica), &small(100)).expect("it can be read");
            assert_eq!(found.rows, alone.rows);
            assert_eq!(found.digest.primary == found.digest.replica, alone.changes.is_empty());
            assert_eq!(all(&found), all(&alone));
        }
    }
}

/// Where one can only be read as a whole, so are all; it is one read still.
#[test]
fn the_parts_are_those_that_all_can_read() {
    let pair = plain().done();
    let (primary, mut replicas) = three(&pair, 4);
    replicas[1].readers = 1;
    let found = audit_all(&vec![pair; 3], &primary, &replicas, LONG);
    assert_eq!(changes_of(&found), [Ok(0), Ok(5), Ok(20)]);
    assert_eq!(primary.scans(), 1);
}

#[test]
fn a_missing_replica_shares_too() {
    let pair = plain().done();
    let (primary, replicas) = three(&pair, 2);
    let mut missing = pair.clone();
    missing.replica_missing = true;
    let found = audit_all(&[pair.clone(), missing, pair], &primary, &replicas, LONG);
    assert_eq!(changes_of(&found), [Ok(0), Ok(20_000), Ok(20)]);
    assert_eq!((primary.scans(), replicas[1].scans()), (2, 0));
}

#[test]
fn rows_in_no_order_are_read_once_too() {
    let pair = Pair::new(0, &[("id", INT), ("note", TEXT)]).done();
    let (primary, replicas) = three(&pair, 1);
    let same = replicas[0].clone();
    let found = audit_all(&vec![pair; 3], &primary, &[same.clone(), same.clone(), same], LONG);
    assert_eq!(changes_of(&found), [Ok(0), Ok(0), Ok(0)]);
    assert_eq!(primary.scans(), 1);
}

/// What one wants in another form, it reads by itself.
#[test]
fn who_wants_other_columns_reads_by_itself() {
    let pair = plain().done();
    let (primary, replicas) = three(&pair, 1);
    let mut narrow = pair.clone();
    narrow.columns.truncate(1);
    narrow.compared_columns = 1;
    let found = audit_all(&[pair.clone(), pair, narrow], &primary, &replicas, LONG);
    assert_eq!(changes_of(&found), [Ok(0), Ok(5), Ok(0)]);
    assert_eq!(primary.scans(), 2);
}

#[test]
fn an_error_of_one_replica_is_nothing_to_the_others() {
    let pair = plain().done();
    for after in [0, 1, 9_999, 20_000] {
        for readers in [1, 3] {
            let (primary, mut replicas) = three(&pair, readers);
            replicas[0].fails_after = Some((after, ErrorKind::Connect));
            let found = audit_all(&vec![pair.clone(); 3], &primary, &replicas, LONG);
            assert_eq!(changes_of(&found), [Err(ErrorKind::Connect), Ok(5), Ok(20)], "{after}, {readers}");
            assert_eq!(primary.scans(), readers);
        }
    }
}

#[test]
fn an_error_of_the_primary_is_that_of_all() {
    let pair = plain().done();
    for after in [0, 1, 9_999, 20_000] {
        for readers in [1, 3] {
            let (mut primary, replicas) = three(&pair, readers);
            primary.fails_after = Some((after, ErrorKind::Connect));
            let found = audit_all(&vec![pair.clone(); 3], &primary, &replicas, LONG);
            assert_eq!(changes_of(&found), [Err(ErrorKind::Connect); 3], "{after}, {readers}");
        }
    }
}

/// A replica that gives nothing keeps the others waiting only so long, and is never taken to be in sync.
#[test]
fn a_replica_that_keeps_the_others_waiting_is_let_go() {
    let pair = plain().done();
    for opens in [0, 3] {
        let (primary, mut replicas) = three(&pair, 1);
        let gate = replicas[0].gate();
        gate.add_permits(opens);
        let found = wait(async {
            let primary = primary.snapshot();
            let snapshots: Vec<Arc<dyn Snapshot>> = replicas.iter().map(FakeTable::snapshot).collect();
            let audits: Vec<_> = snapshots.iter().map(|replica| (&pair, replica)).collect();
            let primaries = shared_within(Duration::from_secs(2), &primary, &audits);
            let options = AuditOptions { memory_bytes: 1 << 20, ..small(100) };
            let each = snapshots.iter().zip(primaries).map(async |(replica, primary)| {
                let snapshots = Sides::new(primary, Arc::clone(replica));
                let found = audit_table(&pair, "one", snapshots, &options, &silent(), &Stop::default()).await;
                // Whoever is done lets the slow one go on, in the end.
                gate.add_permits(1_000);
                found
            });
            join_all(each).await
        });
        assert_eq!(changes_of(&found), [Err(ErrorKind::Timeout), Ok(5), Ok(20)], "{opens}");
    }
}

/// Who stops early, or never reads at all, keeps nobody.
#[test]
fn who_goes_away_keeps_nobody() {
    let pair = plain().done();
    let (primary, replicas) = three(&pair, 2);
    let found = wait(async {
        let primary = primary.snapshot();
        let snapshots: Vec<Arc<dyn Snapshot>> = replicas.iter().map(FakeTable::snapshot).collect();
        let audits: Vec<_> = snapshots.iter().map(|replica| (&pair, replica)).collect();
        let mut primaries = shared_within(LONG, &primary, &audits);
        drop(primaries.remove(0));
        let max = [None, Some(1)];
        let each =
            snapshots[1..].iter().zip(primaries).zip(max).map(async |((replica, primary), changes_max)| {
                let snapshots = Sides::new(primary, Arc::clone(replica));
                let options = AuditOptions { changes_max, ..small(10) };
                audit_table(&pair, "one", snapshots, &options, &silent(), &Stop::default()).await
            });
        join_all(each).await
    });
    assert_eq!(changes_of(&found), [Ok(5), Ok(1)]);
    assert_eq!(primary.scans(), 2);
}

/// A second look at the same rows is a read of its own, from the first row on.
#[test]
fn a_second_read_is_a_whole_one() {
    let pair = plain().done();
    let (primary, replicas) = three(&pair, 1);
    wait(async {
        let primary = primary.snapshot();
        let snapshots: Vec<Arc<dyn Snapshot>> = replicas.iter().map(FakeTable::snapshot).collect();
        let audits: Vec<_> = snapshots.iter().map(|replica| (&pair, replica)).collect();
        let mut primaries = shared_within(LONG, &primary, &audits);
        primaries.truncate(1);
        for _ in 0..2 {
            let select = pair.select(Side::Primary, Selection::Range(KeyRange::all()), true);
            let mut stream = primaries[0].scan(select).await.expect("it can be read");
            let mut rows = 0;
            while let Some(block) = stream.next().await.expect("it can be read") {
                rows += block.len();
            }
            assert_eq!(rows, 20_000);
        }
    });
    assert_eq!(primary.scans(), 2);
}
