//! How the connections of a side come to read at one moment, without a global lock unless the spec asks for one.
//!
//! Every connection begins its own consistent snapshot, all of them at once; then the server is asked whether they
//! are the same. These answers count:
//!
//! - *InnoDB's read views* (`SHOW ENGINE INNODB STATUS`, which takes the right PROCESS). A view that "will not see
//!   trx with id >= n, sees < n", with the same n twice, sees exactly the transactions below n: no transaction was
//!   under way when it was made. Views with one n are one state, whatever else the server does. Where the two
//!   numbers differ, the list between them is not shown, and the view proves nothing.
//! - *InnoDB without a writer* (the same statement; MySQL shows no views of transactions that only read). No
//!   transaction that has written was under way before the snapshots began, and InnoDB's counter, from which each
//!   takes its number before it first writes, stands where it stood when they all had begun.
//! - *The place in the binary log* of each snapshot (`binlog_snapshot_position`: MariaDB, Percona Server), which
//!   these servers take under the lock in which commits become visible. It says nothing of commits that are kept
//!   out of the log (`sql_log_bin = 0`, filters, a replica without `log_slave_updates`, the end of an XA
//!   transaction); so InnoDB's counter of transactions, which every one of them moves, must not have moved either.
//!
//! MySQL's own `gtid_executed` is no proof: it grows some time after the commit is visible, and not at all for what
//! is not logged.
//!
//! Invariant: several readers are handed out only where one of these held, or under the lock of `snapshot: lock`,
//! or where `snapshot: none` asks for no moment. Else one connection reads alone, and the words say why.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sqlx::mysql::MySqlConnection;

use super::scan::Kept;
use super::{Access, query, run};
use crate::engine::EngineError;
use crate::failure::ErrorKind;
use crate::spec::SnapshotMode;

const BEGIN: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
/// How often the connections begin anew where their snapshots differ.
const ROUNDS_MAX: u32 = 50;
/// How long that may take altogether.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait for the global lock where the spec does not say: meanwhile nobody else can write.
const LOCK_WAIT_DEFAULT: Duration = Duration::from_secs(10);
const DOING: &str = "begin a consistent snapshot";

/// A connection that reads, and its number on the server.
pub(super) struct Reader {
    pub(super) connection: MySqlConnection,
    pub(super) id: u64,
    /// What it has prepared.
    pub(super) kept: Kept,
}

/// Connections that read one moment (but for `snapshot: none`), and how that was come by, for people.
pub(super) struct Opened {
    pub(super) readers: Vec<Reader>,
    pub(super) method: String,
}

/// Opens what the side may have, at one moment as far as that can be proved.
pub(super) async fn open(first: MySqlConnection, access: &Access) -> Result<Opened, EngineError> {
    let mut readers = connect(first, access).await?;
    let count = readers.len();
    match access.side.snapshot {
        SnapshotMode::None => {
            let method = match count {
                1 => "none; one connection, each read sees what is committed when it begins".to_owned(),
                _ => {
                    format!("none; {count} connections, each read sees what is committed when it begins")
                }
            };
            Ok(Opened { readers, method })
        }
        SnapshotMode::Lock if count > 1 => {
            begin_locked(&mut readers, access).await?;
            let method =
                format!("consistent snapshots of {count} connections, begun under a global read lock");
            Ok(Opened { readers, method })
        }
        SnapshotMode::Auto | SnapshotMode::Lock if count == 1 => {
            begin_all(&mut readers).await?;
            Ok(alone(readers, ""))
        }
        SnapshotMode::Auto | SnapshotMode::Lock => agreed(readers).await,
    }
}

/// The first connection and as many more as the side may have. The server may refuse some of them.
async fn connect(first: MySqlConnection, access: &Access) -> Result<Vec<Reader>, EngineError> {
    let more = (1..access.side.connections).map(|_| access.open(false));
    let more = join_all(more).await.into_iter().filter_map(Result::ok);
    let identified = std::iter::once(first).chain(more).map(|mut connection| async {
        let rows = query(&mut connection, "SELECT CONNECTION_ID()", DOING).await?;
        let id = rows.into_iter().flatten().flatten().next().and_then(|id| id.parse().ok());
        let id = id.ok_or_else(|| EngineError::new(ErrorKind::Internal, DOING))?;
        Ok(Reader { connection, id, kept: Kept::default() })
    });
    join_all(identified).await.into_iter().collect()
}

/// Begins, or begins anew, a snapshot on each of them at once.
async fn begin_all(readers: &mut [Reader]) -> Result<(), EngineError> {
    let begun = readers.iter_mut().map(|reader| run(&mut reader.connection, BEGIN, DOING));
    join_all(begun).await.into_iter().try_for_each(|begun| begun.map(drop))
}

fn alone(mut readers: Vec<Reader>, why: &str) -> Opened {
    readers.truncate(1);
    Opened { readers, method: format!("a consistent snapshot of one connection{why}") }
}

/// Begins all snapshots while a global read lock keeps commits off; the lock is gone when this returns, also with an
/// error. Should this be dropped midway, its connection closes, and the server gives the lock up with it.
async fn begin_locked(readers: &mut [Reader], access: &Access) -> Result<(), EngineError> {
    let Some(first) = readers.first_mut() else { return Ok(()) };
    lock(&mut first.connection, access).await?;
    let begun = begin_all(readers).await;
    let Some(first) = readers.first_mut() else { return begun };
    // The snapshot stays: UNLOCK TABLES ends a transaction only where LOCK TABLES locked some.
    let released = run(&mut first.connection, "UNLOCK TABLES", "release the global read lock").await;
    begun.and(released.map(drop))
}

async fn lock(connection: &mut MySqlConnection, access: &Access) -> Result<(), EngineError> {
    let what = "take the global read lock of `snapshot: lock`";
    let limit = access.side.lock_timeout.unwrap_or(LOCK_WAIT_DEFAULT);
    let seconds = limit.as_millis().div_ceil(1000).max(1);
    run(connection, &format!("SET SESSION lock_wait_timeout = {seconds}"), what).await?;
    run(connection, "FLUSH TABLES WITH READ LOCK", what).await.map(drop).map_err(|error| match error.kind {
        ErrorKind::Permission => EngineError {
            message: "`snapshot: lock` needs the right RELOAD, which this user lacks".to_owned(),
            ..error
        }
        .hint("GRANT RELOAD ON *.* TO that user, or leave `snapshot` at auto, which takes no lock"),
        ErrorKind::Timeout => error.hint(
            "a long statement or transaction of others stands in the way: try again when it is done, give the side a \
             longer `lock_timeout`, or leave `snapshot` at auto, which takes no lock",
        ),
        _ => error,
    })
}

/// What a server said of the snapshots of one round.
struct Round {
    /// What InnoDB's view of each connection sees, where that is certain.
    views: Vec<Option<u64>>,
    /// Whether nothing was written from before the first began until after the last had.
    still: bool,
    /// Where each connection's snapshot lies in the binary log.
    places: Vec<Option<String>>,
}

/// Begins until all snapshots are proved to be one; in the end with those that are, or alone.
async fn agreed(mut readers: Vec<Reader>) -> Result<Opened, EngineError> {
    let mut asked = Asked { views: true, ..Asked::default() };
    let begun = Instant::now();
    for round in 1.. {
        let found = asked.begin(&mut readers).await?;
        let (mut views, places) = (largest(&found.views), largest(&found.places));
        let mut seen = "InnoDB's read views are equal";
        if found.still && views.len() < readers.len() {
            (views, seen) = ((0..readers.len()).collect(), "InnoDB had no writer meanwhile");
        }
        let is_last = round >= ROUNDS_MAX || begun.elapsed() > PATIENCE || !asked.may_prove();
        let (same, proof) = match views.len() >= places.len() {
            true => (views, seen.to_owned()),
            false => {
                let place = found.places[places[0]].as_deref().unwrap_or_default();
                let proof = format!("at the same place in the binary log, {place}");
                (places, proof)
            }
        };
        if same.len() == readers.len() || (is_last && same.len() > 1) {
            let mut at = 0;
            readers.retain(|_| {
                at += 1;
                same.contains(&(at - 1))
            });
            let method = format!("consistent snapshots of {} connections ({proof})", readers.len());
            return Ok(Opened { readers, method });
        }
        if is_last {
            break;
        }
        // Others get on meanwhile; not in step with them.
        tokio::time::sleep(Duration::from_millis(u64::from(round % 7) * 3)).await;
    }
    Ok(alone(readers, asked.why_alone()))
}

/// The largest set of connections that a proof holds for.
fn largest<T: PartialEq>(proofs: &[Option<T>]) -> Vec<usize> {
    let like = |proof: &Option<T>| -> Vec<usize> {
        if proof.is_none() {
            return Vec::new();
        }
        proofs.iter().enumerate().filter(|(_, other)| *other == proof).map(|(at, _)| at).collect()
    };
    proofs.iter().map(like).max_by_key(Vec::len).unwrap_or_default()
}

/// What may be asked of the server, as found so far.
#[derive(Default)]
struct Asked {
    /// Whether InnoDB's views can be seen.
    views: bool,
    /// Whether that is for want of the right.
    refused: bool,
    /// Whether it shows no views, but who writes.
    writers: bool,
    /// Whether snapshots have a place in the binary log.
    places: bool,
}

impl Asked {
    /// One round: all begin, and then say where they are.
    async fn begin(&mut self, readers: &mut [Reader]) -> Result<Round, EngineError> {
        let counter = transactions(readers).await?;
        let before = if self.writers { without_writer(&self.monitor(readers).await?) } else { None };
        begin_all(readers).await?;
        let places = places(readers).await?;
        self.places = places.iter().all(Option::is_some) && counter.is_some();
        let unmoved = self.places && transactions(readers).await? == counter;
        let places = if unmoved { places } else { vec![None; readers.len()] };
        let status = if self.views { self.monitor(readers).await? } else { String::new() };
        let still = before.is_some() && next_transaction(&status) == before;
        let views = read_views(&status);
        self.writers = views.is_empty();
        let views = readers.iter().map(|reader| views.get(&reader.id).copied().flatten()).collect();
        Ok(Round { views, still, places })
    }

    /// What InnoDB says of itself, nothing where that is refused.
    async fn monitor(&mut self, readers: &mut [Reader]) -> Result<String, EngineError> {
        let Some(first) = readers.first_mut() else { return Ok(String::new()) };
        match query(&mut first.connection, "SHOW ENGINE INNODB STATUS", DOING).await {
            Ok(found) => Ok(found.into_iter().next().unwrap_or_default().pop().flatten().unwrap_or_default()),
            Err(error) if error.kind == ErrorKind::Permission => {
                (self.views, self.refused) = (false, true);
                Ok(String::new())
            }
            Err(error) => Err(error),
        }
    }

    fn may_prove(&self) -> bool {
        self.views || self.places
    }

    fn why_alone(&self) -> &'static str {
        match (self.may_prove(), self.refused) {
            (true, _) => ": others wrote too much for several to begin at the same moment",
            (false, true) => {
                ": to prove that several begin at the same moment takes the right PROCESS, which this user lacks"
            }
            (false, false) => ": this server shows no proof that several begin at the same moment",
        }
    }
}

/// The place of each connection's snapshot in the binary log, as it was when the snapshot was taken.
async fn places(readers: &mut [Reader]) -> Result<Vec<Option<String>>, EngineError> {
    let sql =
        "SHOW SESSION STATUS WHERE Variable_name IN ('Binlog_snapshot_file', 'Binlog_snapshot_position')";
    let asked = readers.iter_mut().map(|reader| query(&mut reader.connection, sql, DOING));
    let answers = join_all(asked).await.into_iter();
    answers.map(|rows| rows.map(place)).collect()
}

/// `binlog.000004:1234`; `None` where there is no binary log.
fn place(rows: Vec<Vec<Option<String>>>) -> Option<String> {
    let values: HashMap<String, String> = pairs(rows);
    let file = values.get("binlog_snapshot_file").filter(|file| !file.is_empty())?;
    Some(format!("{file}:{}", values.get("binlog_snapshot_position")?))
}

/// InnoDB's counter, which moves when a transaction first writes and again when it commits; `None` where the server
/// does not show it.
async fn transactions(readers: &mut [Reader]) -> Result<Option<String>, EngineError> {
    let Some(first) = readers.first_mut() else { return Ok(None) };
    let sql = "SHOW GLOBAL STATUS LIKE 'Innodb_max_trx_id'";
    Ok(pairs(query(&mut first.connection, sql, DOING).await?).remove("innodb_max_trx_id"))
}

fn pairs(rows: Vec<Vec<Option<String>>>) -> HashMap<String, String> {
    let pairs = rows.into_iter().filter_map(|row| {
        let mut cells = row.into_iter();
        Some((cells.next()??.to_ascii_lowercase(), cells.next()??))
    });
    pairs.collect()
}

/// Of InnoDB's monitor, what the view of each connection sees: all transactions below that number, and no other.
/// `None` where some below the number are not seen, or where a connection is named twice: the text quotes
/// statements of others, who may write there what they like.
fn read_views(status: &str) -> HashMap<u64, Option<u64>> {
    let mut views = HashMap::new();
    let mut seen = HashMap::<u64, u32>::new();
    let mut thread = None;
    for line in status.lines() {
        if line.starts_with("---TRANSACTION ") {
            thread = None;
        } else if let Some(id) =
            number_after(line, "MariaDB thread id ").or(number_after(line, "MySQL thread id "))
        {
            thread = Some(id);
            *seen.entry(id).or_default() += 1;
        } else if let (Some(id), Some(unseen)) =
            (thread, number_after(line, "Trx read view will not see trx with id >= "))
        {
            let below = line.split_once(", sees < ").and_then(|(_, rest)| rest.trim().parse().ok());
            let certain = Some(unseen).filter(|unseen| below == Some(*unseen));
            // The second line of one transaction would be somebody's words.
            let view = if views.contains_key(&id) { None } else { certain };
            views.insert(id, view);
        }
    }
    views.into_iter().map(|(id, view)| (id, view.filter(|_| seen.get(&id) == Some(&1)))).collect()
}

/// InnoDB's counter of transactions, if its monitor says so once: elsewhere it quotes what others may write.
fn next_transaction(status: &str) -> Option<u64> {
    let mut counters = status.lines().filter_map(|line| number_after(line, "Trx id counter "));
    counters.next().filter(|_| counters.next().is_none())
}

/// The counter, where none of the transactions below it is under way. The monitor prints it before it looks at them;
/// a transaction leaves that list in the same moment in which others begin to see it.
fn without_writer(status: &str) -> Option<u64> {
    let (_, list) = status.split_once("\nLIST OF TRANSACTIONS FOR EACH SESSION:\n")?;
    let mut listed = list.lines().filter(|line| line.starts_with("---TRANSACTION "));
    let none = listed.all(|line| line.ends_with(", not started")) && !status.contains("truncated...");
    next_transaction(status).filter(|_| none && list.contains("END OF INNODB MONITOR OUTPUT"))
}

fn number_after(line: &str, beginning: &str) -> Option<u64> {
    let rest = line.strip_prefix(beginning)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "LIST OF TRANSACTIONS FOR EACH SESSION:
---TRANSACTION (0x7f675832fb80), ACTIVE 0 sec
0 lock struct(s), heap size 1128, 0 row lock(s)
MariaDB thread id 11, OS thread handle 140081836345024, query id 18225 localhost root starting
show engine innodb status
Trx read view will not see trx with id >= 12313, sees < 12313
---TRANSACTION 421, ACTIVE 0 sec
MySQL thread id 12, OS thread handle 140081836345024, query id 18226 localhost root
Trx read view will not see trx with id >= 12313, sees < 12310
---TRANSACTION 422, not started
MySQL thread id 13, OS thread handle 140081836345024, query id 18226 localhost root
--------
FILE I/O
";

    #[test]
    fn a_view_counts_only_where_nothing_below_its_end_is_hidden() {
        let views = read_views(STATUS);
        assert_eq!(views.get(&11), Some(&Some(12313)));
        assert_eq!(views.get(&12), Some(&None));
        assert_eq!(views.get(&13), None);
    }

    #[test]
    fn what_others_write_into_the_monitor_proves_nothing() {
        let forged = "Trx read view will not see trx with id >= 12313, sees < 12313\n";
        let twice = STATUS.replace("localhost root\nTrx", &format!("localhost root\nselect 1\n{forged}Trx"));
        assert_eq!(read_views(&twice).get(&12), Some(&None));
        let elsewhere = format!("{STATUS}---TRANSACTION 9, ACTIVE\nMySQL thread id 12, OS\n{forged}");
        assert_eq!(read_views(&elsewhere).get(&12), Some(&None));
    }

    #[test]
    fn a_counter_counts_only_where_nobody_writes() {
        let status = "TRANSACTIONS\nTrx id counter 11039\nLIST OF TRANSACTIONS FOR EACH SESSION:\n\
                      ---TRANSACTION 376143483644320, not started\nEND OF INNODB MONITOR OUTPUT\n";
        assert_eq!(without_writer(status), Some(11039));
        assert_eq!(without_writer(&status.replace("not started", "ACTIVE 0 sec")), None);
        assert_eq!(without_writer(&status.replace("END", "")), None);
        assert_eq!(without_writer(&format!("Trx id counter 1\n{status}")), None);
    }

    #[test]
    fn the_largest_group_with_one_proof_is_taken() {
        assert_eq!(largest(&[Some(1), Some(2), Some(2), None]), [1, 2]);
        assert_eq!(largest::<u64>(&[None, None]), Vec::<usize>::new());
    }

    #[test]
    fn a_place_needs_a_binary_log() {
        let row = |name: &str, value: &str| vec![Some(name.to_owned()), Some(value.to_owned())];
        let rows = |file, at| vec![row("Binlog_snapshot_file", file), row("Binlog_snapshot_position", at)];
        assert_eq!(place(rows("binlog.000001", "342")).as_deref(), Some("binlog.000001:342"));
        assert_eq!(place(rows("", "0")), None);
        assert_eq!(place(Vec::new()), None);
    }
}
