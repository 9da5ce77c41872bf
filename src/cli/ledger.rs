//! The progress of a saved plan, kept beside it as `PLAN.progress` while it is not whole: which of its changes are in.
//!
//! A line a committed batch, with a checksum, appended and synced before the next batch begins; what a sudden end
//! cut off is a line that does not count. Bound to the plan's digest and to each replica's identity: what is of
//! another plan says nothing of this one. Holds names of tables and numbers, never rows or URLs; mode 0600.
//! Invariant: nothing that is not ours is ever replaced.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::apply::{Committed, Ledger};
use crate::failure::{ErrorKind, Failure, system_hint, system_words};
use crate::plan::{Applied, ChangeNumber, Outcome, Plan, ReplicaPlan};
use crate::report;
use crate::value::Digest;

use super::atomic;
use super::output::Terminal;

/// The first line of the file.
const MAGIC: &str = "trueup progress 1";
/// Hexadecimal digits of a line's checksum.
const CHECKSUM_DIGITS: usize = 32;

/// The progress of one saved plan.
pub struct PlanLedger {
    path: PathBuf,
    plan_digest: String,
    /// What the whole plan is to write: replica, table, changes.
    whole: Vec<(String, Vec<(String, u64)>)>,
    /// How many changes the plan has, withheld ones too: numbers are below that.
    lengths: BTreeMap<String, BTreeMap<String, usize>>,
    /// Open for appending, once it is needed.
    file: Mutex<Option<File>>,
}

/// One committed batch, as a line of the file.
#[derive(Serialize, Deserialize)]
struct Record {
    replica: String,
    /// The digest of the database's identity.
    identity: String,
    /// Ranges of numbers of changes: the first, and the one behind the last.
    tables: BTreeMap<String, Vec<(ChangeNumber, ChangeNumber)>>,
}

/// What is there already.
enum Kept {
    /// No file.
    Nothing,
    /// Of another plan, or of another version.
    OfAnother,
    /// These batches.
    Records(Vec<Record>),
}

impl PlanLedger {
    /// The progress of the plan in this file, whose digest is known.
    pub fn new(plan_path: &Path, plan_digest: &Digest, plan: &Plan) -> Self {
        let mut path = plan_path.as_os_str().to_owned();
        path.push(".progress");
        PlanLedger {
            path: PathBuf::from(path),
            plan_digest: plan_digest.hex(),
            whole: plan.replicas.iter().map(to_write).collect(),
            lengths: plan.replicas.iter().map(lengths).collect(),
            file: Mutex::default(),
        }
    }

    /// Tells what earlier runs have done. Nothing is changed.
    pub fn tell(&self, plan: &Plan, terminal: &Terminal) -> Result<(), Failure> {
        let name = self.path.display();
        match self.kept()? {
            Kept::Nothing => {}
            Kept::OfAnother => {
                terminal.note(&format!(
                    "{name} is of another plan and says nothing of this one: it is left out."
                ));
            }
            Kept::Records(records) => {
                for replica in &plan.replicas {
                    let (done, of) = (committed(&records, replica).total(), self.total(&replica.name));
                    if done > 0 {
                        let done = report::counted(done, "change");
                        let replica = report::name(&replica.name);
                        terminal.note(&format!(
                            "{replica}: {done} of {of} are in since an earlier run ({name})."
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes the file once all of the plan is in, and no row that an earlier run wrote was found to hold something
    /// else without a check that it is right so.
    pub fn finish(&self, plan: &Plan, applied: &[Applied]) -> Result<(), Failure> {
        let ended = |applied: &Applied| match applied.outcome {
            Outcome::InSync => true,
            _ => applied.batches.0 > 0 && applied.batches.0 == applied.batches.1,
        };
        let as_written = |applied: &Applied| applied.rewritten == 0 || applied.verified == Some(true);
        let Kept::Records(records) = self.kept()? else { return Ok(()) };
        let whole = self.whole.iter().all(|(name, tables)| {
            let of: Vec<&Record> = records.iter().filter(|record| record.replica == *name).collect();
            let mut done = Committed::default();
            of.into_iter().for_each(|record| record.add_to(&mut done));
            tables.iter().all(|(table, changes)| done.count(table) >= *changes)
        });
        if whole
            && plan.replicas.len() == applied.len()
            && applied.iter().all(|applied| ended(applied) && as_written(applied))
        {
            fs::remove_file(&self.path).map_err(|error| self.failed("remove", error))?;
        }
        Ok(())
    }

    fn total(&self, replica: &str) -> u64 {
        let tables = self.whole.iter().filter(|(name, _)| name == replica).flat_map(|(_, tables)| tables);
        tables.map(|(_, changes)| changes).sum()
    }

    fn kept(&self) -> Result<Kept, Failure> {
        let mut text = Vec::new();
        match File::open(&self.path).and_then(|mut file| file.read_to_end(&mut text)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::Nothing),
            read => read.map_err(|error| self.failed("read", error))?,
        };
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.split('\n');
        let first = lines.next().unwrap_or_default();
        if !first.starts_with("trueup progress ") {
            let message = format!("{} is there and holds no progress of a plan", self.path.display());
            return Err(Failure::new(ErrorKind::Value, message).hint("move it away: that name is needed"));
        }
        if first != MAGIC || lines.next() != Some(&format!("plan {}", self.plan_digest)) {
            return Ok(Kept::OfAnother);
        }
        // What was cut off has no checksum that fits; its batch is for the guards to find.
        let records: Vec<Record> = lines.filter_map(Record::of_line).collect();
        match records.iter().all(|record| self.is_of_the_plan(record)) {
            true => Ok(Kept::Records(records)),
            false => {
                let message = format!("{} tells of changes that the plan does not have", self.path.display());
                let hint = "it was not written by trueup; move it away, or plan again";
                Err(Failure::new(ErrorKind::Value, message).hint(hint))
            }
        }
    }

    /// Whether the plan has all these changes. Nothing is reckoned with numbers that it has not.
    fn is_of_the_plan(&self, record: &Record) -> bool {
        let Some(lengths) = self.lengths.get(&record.replica) else { return false };
        record.tables.iter().all(|(table, ranges)| {
            let length = lengths.get(table).copied().unwrap_or(0);
            ranges.iter().all(|(_, end)| *end as usize <= length)
        })
    }

    /// A file with its head, open to be appended to.
    fn opened(&self, anew: bool) -> io::Result<File> {
        if anew {
            let head = format!("{MAGIC}\nplan {}\n", self.plan_digest);
            atomic::write_private(&self.path, |out| out.write_all(head.as_bytes()))?;
        }
        let mut file = OpenOptions::new().read(true).append(true).open(&self.path)?;
        let length = file.seek(SeekFrom::End(0))?;
        let mut last = [b'\n'];
        if length > 0 {
            file.seek(SeekFrom::Start(length - 1))?;
            file.read_exact(&mut last)?;
        }
        if last != [b'\n'] {
            file.write_all(b"\n")?;
        }
        Ok(file)
    }

    fn failed(&self, verb: &str, error: io::Error) -> Failure {
        let kind = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Permission,
            _ => ErrorKind::Internal,
        };
        let words = system_words(&error);
        let message = format!("could not {verb} the plan's progress in {}: {words}", self.path.display());
        let hint = match kind {
            ErrorKind::Permission => {
                "a plan of several batches keeps its progress beside it: copy it to a folder that can be written"
            }
            _ => system_hint(&error).unwrap_or("look at the disk that the plan is on"),
        };
        Failure::new(kind, message).hint(hint)
    }
}

impl Ledger for PlanLedger {
    fn open(&self, replica: &ReplicaPlan, batches: usize) -> Result<Committed, Failure> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = self.kept()?;
        let (records, there) = match kept {
            Kept::Records(records) => (records, true),
            Kept::Nothing | Kept::OfAnother => (Vec::new(), false),
        };
        // One transaction that is all of the plan is in or it is not.
        let needed = there || batches > 1 || self.whole.len() > 1;
        if file.is_none() && needed {
            let opened = self.opened(!there).map_err(|error| self.failed("keep", error))?;
            *file = Some(opened);
        }
        Ok(committed(&records, replica))
    }

    fn note(&self, replica: &ReplicaPlan, committed: &Committed) -> Result<(), Failure> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = file.as_mut() else { return Ok(()) };
        let record = Record::new(replica, committed);
        let written =
            record.line().and_then(|line| file.write_all(line.as_bytes())).and_then(|()| file.sync_data());
        written.map_err(|error| self.failed("keep", error))
    }
}

/// The changes that a replica's plan is to write.
fn to_write(replica: &ReplicaPlan) -> (String, Vec<(String, u64)>) {
    let sound = replica.tables.iter().filter(|table| table.error.is_none() && replica.error.is_none());
    let tables = sound.map(|table| (table.table.clone(), table.summary.total()));
    (replica.name.clone(), tables.filter(|(_, changes)| *changes > 0).collect())
}

fn lengths(replica: &ReplicaPlan) -> (String, BTreeMap<String, usize>) {
    let tables = replica.tables.iter().map(|table| (table.table.clone(), table.changes.len()));
    (replica.name.clone(), tables.collect())
}

fn committed(records: &[Record], replica: &ReplicaPlan) -> Committed {
    let mut committed = Committed::default();
    let identity = identity(replica);
    let of = |record: &&Record| record.replica == replica.name && record.identity == identity;
    records.iter().filter(of).for_each(|record| record.add_to(&mut committed));
    committed
}

fn identity(replica: &ReplicaPlan) -> String {
    let identity = replica.server.as_ref().map(|server| server.identity.as_bytes()).unwrap_or_default();
    Digest::of(identity).hex()
}

impl Record {
    fn new(replica: &ReplicaPlan, committed: &Committed) -> Self {
        let numbers = |(table, ranges): (&str, Vec<std::ops::Range<ChangeNumber>>)| {
            (table.to_owned(), ranges.into_iter().map(|range| (range.start, range.end)).collect())
        };
        Record {
            replica: replica.name.clone(),
            identity: identity(replica),
            tables: committed.ranges().map(numbers).collect(),
        }
    }

    fn line(&self) -> io::Result<String> {
        let text = serde_json::to_string(self)?;
        Ok(format!("{} {text}\n", checksum(&text)))
    }

    fn of_line(line: &str) -> Option<Self> {
        let (sum, text) = line.split_once(' ')?;
        if sum == checksum(text) { serde_json::from_str(text).ok() } else { None }
    }

    fn add_to(&self, committed: &mut Committed) {
        for (table, ranges) in &self.tables {
            ranges.iter().for_each(|(first, end)| committed.insert(table, *first..*end));
        }
    }
}

fn checksum(text: &str) -> String {
    Digest::of(text.as_bytes()).hex()[..CHECKSUM_DIGITS].to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::plan::testing::{insert, table, with_changes};
    use crate::report::samples;

    /// With a table `t` of nine changes.
    fn sample() -> Plan {
        let mut plan = samples::plan();
        let changes = (1..=9).map(|id| insert(&[id, id])).collect();
        plan.replicas[0].tables.push(with_changes(table("t"), changes));
        plan
    }

    fn ledger(folder: &Path, plan: &Plan, of: &str) -> PlanLedger {
        PlanLedger::new(&folder.join("a.plan"), &Digest::of(of.as_bytes()), plan)
    }

    fn some(table: &str, numbers: std::ops::Range<ChangeNumber>) -> Committed {
        let mut committed = Committed::default();
        committed.insert(table, numbers);
        committed
    }

    #[test]
    fn what_is_noted_is_there_again() {
        let (folder, plan) = (tempfile::tempdir().expect("a folder"), sample());
        let replica = &plan.replicas[0];
        let first = ledger(folder.path(), &plan, "plan");
        assert_eq!(first.open(replica, 2).expect("it can be made"), Committed::default());
        first.note(replica, &some("t", 0..3)).expect("it can be noted");
        first.note(replica, &some("t", 5..6)).expect("it can be noted");
        let path = folder.path().join("a.plan.progress");
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // Cut off in the middle of a line.
        let mut file = OpenOptions::new().append(true).open(&path).expect("it is there");
        file.write_all(&Record::new(replica, &some("t", 7..9)).line().expect("it is text").as_bytes()[..50])
            .expect("it takes bytes");
        let second = ledger(folder.path(), &plan, "plan");
        let mut expected = some("t", 0..3);
        expected.insert("t", 5..6);
        assert_eq!(second.open(replica, 1).expect("it can be read"), expected);
        second.note(replica, &some("t", 7..8)).expect("it can be noted");
        expected.insert("t", 7..8);
        assert_eq!(ledger(folder.path(), &plan, "plan").open(replica, 1).expect("it can be read"), expected);
        // Another database under the same name, and another plan.
        let mut other = replica.clone();
        other.server.as_mut().expect("it has one").identity = "other".to_owned();
        assert_eq!(second.open(&other, 1).expect("it can be read"), Committed::default());
        let another = ledger(folder.path(), &plan, "another");
        assert_eq!(another.open(replica, 2).expect("it is left out"), Committed::default());
    }

    #[test]
    fn what_is_not_ours_stays() {
        let (folder, plan) = (tempfile::tempdir().expect("a folder"), samples::plan());
        fs::write(folder.path().join("a.plan.progress"), "my notes").expect("it can be written");
        let ledger = ledger(folder.path(), &plan, "plan");
        let failure = ledger.open(&plan.replicas[0], 2).expect_err("it is not ours");
        assert!(failure.message.ends_with("is there and holds no progress of a plan"), "{failure}");
        let kept = fs::read_to_string(folder.path().join("a.plan.progress")).expect("it is there");
        assert_eq!(kept, "my notes");
    }

    #[test]
    fn changes_that_the_plan_does_not_have_are_refused() {
        let (folder, plan) = (tempfile::tempdir().expect("a folder"), sample());
        let replica = &plan.replicas[0];
        let path = folder.path().join("a.plan.progress");
        for (table, range) in [("t", (0, ChangeNumber::MAX)), ("t", (8, 10)), ("u", (0, 1))] {
            let first = ledger(folder.path(), &plan, "plan");
            first.open(replica, 2).expect("it can be made");
            let tables = [(table.to_owned(), vec![range])].into();
            let record = Record { replica: replica.name.clone(), identity: identity(replica), tables };
            let mut file = OpenOptions::new().append(true).open(&path).expect("it is there");
            file.write_all(record.line().expect("it is text").as_bytes()).expect("it takes bytes");
            let failure = ledger(folder.path(), &plan, "plan").open(replica, 2).expect_err("it is not ours");
            assert!(failure.message.ends_with("tells of changes that the plan does not have"), "{failure}");
            fs::remove_file(&path).expect("it is there");
        }
    }

    #[test]
    fn it_is_kept_where_rows_were_rewritten_and_no_check_found_them_equal() {
        for (rewritten, verified, kept) in [
            (0, None, false),
            (0, Some(false), false),
            (3, None, true),
            (3, Some(false), true),
            (3, Some(true), false),
        ] {
            let (folder, mut plan) = (tempfile::tempdir().expect("a folder"), sample());
            plan.replicas.truncate(1);
            plan.replicas[0].tables.retain(|table| table.table == "t");
            let ledger = ledger(folder.path(), &plan, "plan");
            ledger.open(&plan.replicas[0], 2).expect("it can be made");
            ledger.note(&plan.replicas[0], &some("t", 0..9)).expect("it can be noted");
            let ended = Applied::nothing(Outcome::Applied, None);
            let applied = Applied { rewritten, verified, batches: (2, 2), ..ended };
            ledger.finish(&plan, &[applied]).expect("it can be removed");
            assert_eq!(folder.path().join("a.plan.progress").exists(), kept, "{rewritten} {verified:?}");
        }
    }
}
