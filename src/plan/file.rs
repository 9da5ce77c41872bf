//! The form of a saved plan: what is written, and what is believed when it is read.
//!
//! A magic line, a head (JSON: everything but row changes), the pages of row changes table by table, and a
//! trailer: the length of all that, its blake3 digest and an end mark. Both ways are streams: the changes of a plan
//! that is read stay in its file. Owns no file: it writes to and reads from what it is handed. Invariant: what
//! does not end with the mark, or whose digest is another, is an error and never a shorter plan.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::compare::{ChangeList, ChangeNumber, CopyCount, RowChange};
use crate::failure::{ErrorKind, Failure};
use crate::spool::Stored;
use crate::sql::SelectColumn;
use crate::value::{Digest, Domain, Row, fields, is_field};

use super::{Plan, TablePlan};

/// The first bytes of a saved plan, which tell it from a spec.
pub const MAGIC: &[u8] = b"trueup plan 1\n";
/// What every version begins with.
const MAGIC_WORDS: &[u8] = b"trueup plan ";
const END: &[u8] = b"\ntrueup plan end\n";
/// Length and digest before the end mark.
const TRAILER_BYTES: usize = 8 + 32 + END.len();
/// How much is hashed at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Why a file is no plan that could be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It could not be read.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// Another form.
    #[error("it is a plan of another version of trueup; plan again with this one")]
    Version,
    /// Not a plan.
    #[error("it is not a saved plan")]
    NoPlan,
    /// The end is missing.
    #[error("it is truncated: the file ends before the plan does")]
    Truncated,
    /// The content is not what was written.
    #[error("it is damaged: its content does not match its checksum")]
    Damaged,
    /// The content is what was written, and cannot be: this program writes no such plan.
    #[error("it is damaged: table {table} has {what}")]
    Unsound {
        /// The table.
        table: String,
        /// What it has.
        what: &'static str,
    },
}

impl From<PlanFileError> for Failure {
    fn from(error: PlanFileError) -> Self {
        Failure::new(ErrorKind::Value, error.to_string()).hint("plan again")
    }
}

/// Whether a file that begins like this says that it is a plan.
pub fn is_plan(first_bytes: &[u8]) -> bool {
    first_bytes.starts_with(MAGIC_WORDS)
}

/// Everything but row changes.
#[derive(Serialize, Deserialize)]
struct Head {
    trueup_version: String,
    plan: Plan,
    /// For each replica and table the pages of its changes: bytes, and number of changes.
    pages: Vec<Vec<Vec<(usize, ChangeNumber)>>>,
}

/// Writes a plan.
///
/// # Errors
/// Where the changes cannot be read or the plan cannot be written.
pub fn write(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let mut out = Hashing { out, hasher: blake3::Hasher::new(), length: 0 };
    let head = Head {
        trueup_version: env!("CARGO_PKG_VERSION").to_owned(),
        plan: without_urls(plan.clone()),
        pages: plan.replicas.iter().map(|replica| replica.tables.iter().map(directory).collect()).collect(),
    };
    let head = serde_json::to_vec(&head)?;
    out.write_all(MAGIC)?;
    out.write_all(&(head.len() as u64).to_be_bytes())?;
    out.write_all(&head)?;
    let mut buffer = Vec::new();
    for table in plan.replicas.iter().flat_map(|replica| &replica.tables) {
        for (page, _) in table.changes.pages() {
            page.read(&mut buffer)?;
            out.write_all(&buffer)?;
        }
    }
    let Hashing { out, hasher, length } = out;
    out.write_all(&length.to_be_bytes())?;
    out.write_all(hasher.finalize().as_bytes())?;
    out.write_all(END)
}

fn directory(table: &TablePlan) -> Vec<(usize, ChangeNumber)> {
    table.changes.pages().map(|(page, changes)| (page.len(), changes)).collect()
}

/// Messages of connections that failed name the URL, which a plan does not hold.
fn without_urls(mut plan: Plan) -> Plan {
    for failure in plan.replicas.iter_mut().filter_map(|replica| replica.error.as_mut()) {
        if failure.kind == ErrorKind::Connect {
            *failure = Failure::new(ErrorKind::Connect, "it could not be reached when the plan was made");
        }
    }
    plan
}

struct Hashing<'a> {
    out: &'a mut dyn Write,
    hasher: blake3::Hasher,
    length: u64,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Reads a plan, whose row changes stay in the file. All of the file is looked at first.
///
/// # Errors
/// Where it is no plan, truncated, damaged or of another version.
pub fn read(file: &Stored) -> Result<Plan, PlanFileError> {
    let end = check(file)?;
    let start = MAGIC.len() as u64;
    let mut length = [0; 8];
    file.read(&mut length, start)?;
    let head_end = (start + 8).checked_add(u64::from_be_bytes(length)).filter(|at| *at <= end);
    let head_end = head_end.ok_or(PlanFileError::Damaged)?;
    let mut head = vec![0; usize::try_from(head_end - start - 8).map_err(|_| PlanFileError::Damaged)?];
    file.read(&mut head, start + 8)?;
    // The digest holds: what cannot be understood was written by another version.
    let Head { mut plan, pages, .. } = serde_json::from_slice(&head).map_err(|_| PlanFileError::Version)?;
    let mut at = head_end;
    for (replica, tables) in plan.replicas.iter_mut().zip(pages) {
        for (table, pages) in replica.tables.iter_mut().zip(tables) {
            let mut listed = Vec::with_capacity(pages.len());
            for (length, changes) in pages {
                listed.push((file.page(at, length), changes));
                at += length as u64;
            }
            table.changes = ChangeList::of_pages(listed).map_err(|_| PlanFileError::Damaged)?;
        }
    }
    if at != end {
        return Err(PlanFileError::Damaged);
    }
    plan.replicas.iter().flat_map(|replica| &replica.tables).try_for_each(check_table)?;
    Ok(plan)
}

/// Whoever reads a change later relies on what its pair says of columns and copies.
fn check_table(table: &TablePlan) -> Result<(), PlanFileError> {
    let unsound = |what| PlanFileError::Unsound { table: table.table.clone(), what };
    let Some(pair) = &table.pair else { return Ok(()) };
    if pair.key_columns > pair.compared_columns || pair.compared_columns > pair.columns.len() {
        return Err(unsound("more columns in its key than there are"));
    }
    let key: Vec<Domain> = pair.key().iter().map(|column| column.domain.clone()).collect();
    let mut bounds = table.ranges.iter().flat_map(|drift| [&drift.range.from, &drift.range.to]).flatten();
    if !bounds.all(|bound| has_fields(bound.bytes(), &key, true)) {
        return Err(unsound("a range of keys that its columns cannot hold"));
    }
    let domains = pair.domains();
    let of = |parts: &[SelectColumn]| parts.iter().map(|part| part.domain.clone()).collect::<Vec<Domain>>();
    let (extra, stored) = (of(&pair.replica_extra), of(&pair.stored_parts()));
    for planned in table.changes.iter() {
        let planned = planned.map_err(|_| PlanFileError::Damaged)?;
        let fits = |row: &Option<Row>, domains: &[Domain]| {
            row.as_ref().is_none_or(|row| has_fields(row.bytes(), domains, true))
        };
        if !has_columns(&planned.change, &domains) || !fits(&planned.extra, &extra) {
            return Err(unsound("a row that its columns cannot hold"));
        }
        if !fits(&planned.stored, &stored) {
            return Err(unsound("a spelling that its columns cannot hold"));
        }
        let deletes = matches!(planned.change, RowChange::Delete { .. });
        let mut counts = planned.copy.into_iter().flat_map(|copy| [copy.image, copy.row]);
        if !counts.all(|count| can_be(count, deletes)) {
            return Err(unsound("a copy of a row that cannot be"));
        }
    }
    Ok(())
}

/// Of a row that goes, columns that the replica lacks may be missing.
fn has_columns(change: &RowChange, domains: &[Domain]) -> bool {
    match change {
        RowChange::Insert { after } => has_fields(after.bytes(), domains, true),
        RowChange::Delete { before } => has_fields(before.bytes(), domains, false),
        RowChange::Update { before, after, columns } => {
            columns.iter().all(|column| usize::from(*column) < domains.len())
                && [before, after].into_iter().all(|row| has_fields(row.bytes(), domains, true))
        }
    }
}

/// Whether these are fields of these domains; `all`: one of each.
fn has_fields(row: &[u8], domains: &[Domain], all: bool) -> bool {
    let count = fields(row).count();
    (if all { count == domains.len() } else { count <= domains.len() })
        && domains.iter().zip(fields(row)).all(|(domain, field)| is_field(domain, field))
}

fn can_be(count: CopyCount, deletes: bool) -> bool {
    let CopyCount { there, number, of } = count;
    number < of && there.checked_add(of).is_some() && (!deletes || of <= there)
}

/// The digest of a plan that was read, which no other plan has.
///
/// # Errors
/// Where the end of the file cannot be read.
pub fn digest(file: &Stored) -> io::Result<Digest> {
    let mut digest = [0; 32];
    file.read(&mut digest, file.len().saturating_sub(TRAILER_BYTES as u64 - 8))?;
    Ok(Digest::of(&digest))
}

/// Checks mark and digest, and says where the trailer begins.
fn check(file: &Stored) -> Result<u64, PlanFileError> {
    let mut magic = vec![0; MAGIC.len().min(usize::try_from(file.len()).unwrap_or(usize::MAX))];
    file.read(&mut magic, 0)?;
    if !is_plan(&magic) {
        return Err(PlanFileError::NoPlan);
    }
    if magic.len() == MAGIC.len() && magic != MAGIC {
        return Err(PlanFileError::Version);
    }
    let end = file.len().checked_sub(TRAILER_BYTES as u64).ok_or(PlanFileError::Truncated)?;
    let mut trailer = [0; TRAILER_BYTES];
    file.read(&mut trailer, end)?;
    let (length, rest) = trailer.split_at(8);
    let (digest, mark) = rest.split_at(32);
    if mark != END || length != end.to_be_bytes() {
        return Err(PlanFileError::Truncated);
    }
    let mut hasher = blake3::Hasher::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut at = 0;
    while at < end {
        let wanted = PIECE_BYTES.min(usize::try_from(end - at).unwrap_or(PIECE_BYTES));
        file.read(&mut piece[..wanted], at)?;
        hasher.update(&piece[..wanted]);
        at += wanted as u64;
    }
    if hasher.finalize().as_bytes() == digest { Ok(end) } else { Err(PlanFileError::Damaged) }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom};

    use super::*;
    use crate::plan::testing::*;
    use crate::report::samples;

    fn stored(bytes: &[u8]) -> Stored {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(bytes).expect("it takes bytes");
        file.seek(SeekFrom::Start(0)).expect("it is a file");
        Stored::new(file).expect("it has a length")
    }

    fn saved(plan: &Plan) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(plan, &mut bytes).expect("memory takes it");
        bytes
    }

    #[test]
    fn what_is_saved_is_read() {
        let mut plan = samples::plan();
        let many = (0..5_000).map(|id| insert(&[id, id])).collect();
        plan.replicas.push(with_tables(vec![with_changes(table("many"), many)]));
        let read = read(&stored(&saved(&plan))).expect("it is whole");
        assert_eq!(format!("{:#?}", Comparable(&read)), format!("{:#?}", Comparable(&plan)));
        let both = plan.replicas.iter().zip(&read.replicas);
        let tables = both.flat_map(|(written, read)| written.tables.iter().zip(&read.tables));
        for (written, read) in tables {
            assert_eq!(changes_of(&read.changes), changes_of(&written.changes));
        }
    }

    /// Everything but where the changes are, and what a plan does not hold.
    struct Comparable<'a>(&'a Plan);

    impl std::fmt::Debug for Comparable<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            let mut plan = without_urls(self.0.clone());
            plan.primary.display.clear();
            for replica in &mut plan.replicas {
                if let Some(server) = &mut replica.server {
                    server.display.clear();
                    server.read_only = None;
                }
                replica.tables.iter_mut().for_each(|table| table.changes = ChangeList::default());
            }
            plan.fmt(f)
        }
    }

    #[test]
    fn whatever_is_cut_or_changed_is_noticed() {
        let bytes = saved(&samples::plan());
        for length in [0, 5, MAGIC.len(), MAGIC.len() + 4, bytes.len() / 2, bytes.len() - 1] {
            let error = read(&stored(&bytes[..length])).expect_err("it is cut");
            let told = matches!(error, PlanFileError::Truncated | PlanFileError::NoPlan);
            assert!(told, "{length}: {error}");
        }
        for at in [MAGIC.len() + 3, MAGIC.len() + 50, bytes.len() / 2, bytes.len() - TRAILER_BYTES - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(matches!(read(&stored(&changed)), Err(PlanFileError::Damaged)), "byte {at}");
        }
        let other = [b"trueup plan 9\n", &bytes[MAGIC.len()..]].concat();
        assert!(matches!(read(&stored(&other)), Err(PlanFileError::Version)));
        assert!(matches!(read(&stored(b"version: 1\n")), Err(PlanFileError::NoPlan)));
    }

    #[test]
    fn what_no_column_can_hold_is_noticed() {
        use crate::compare::{CopyNumber, PlannedChange, RangeDrift};
        use crate::sides::Sides;
        use crate::value::{Key, KeyRange, put_field};

        let refused = |table: TablePlan| {
            let mut plan = samples::plan();
            plan.replicas = vec![with_tables(vec![table])];
            let error = read(&stored(&saved(&plan))).expect_err("no such plan is written");
            assert!(matches!(error, PlanFileError::Unsound { .. }), "{error}");
            error.to_string()
        };
        let short = |widths: &[usize]| {
            let mut bytes = Vec::new();
            widths.iter().for_each(|width| put_field(&mut bytes, &vec![1; *width]));
            bytes
        };
        for widths in [[3].as_slice(), &[8, 8], &[]] {
            let mut table = table("t");
            let range = KeyRange { from: Some(Key::new(short(widths))), to: None };
            table.ranges = vec![RangeDrift { range, rows: Sides::new(1, 1) }];
            assert_eq!(
                refused(table),
                "it is damaged: table t has a range of keys that its columns cannot hold"
            );
        }
        for widths in [[8, 3].as_slice(), &[8], &[8, 8, 8]] {
            let change = RowChange::Insert { after: Row::new(short(widths)) };
            let table = with_changes(table("t"), vec![change]);
            assert_eq!(refused(table), "it is damaged: table t has a row that its columns cannot hold");
        }
        let count = |there, number, of| CopyCount { there, number, of };
        for wrong in [count(1, 0, 2), count(1, 1, 1), count(u64::MAX, 0, 1)] {
            let copy = Some(CopyNumber { image: count(1, 0, 1), row: wrong });
            let change = delete(&[1, 1]);
            let planned = PlannedChange { change, withheld: false, extra: None, stored: None, copy };
            let table = TablePlan { changes: [planned].into_iter().collect(), ..table("t") };
            assert_eq!(refused(table), "it is damaged: table t has a copy of a row that cannot be");
        }
    }
}
