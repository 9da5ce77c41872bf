//! The bytes of two files held against each other.
//!
//! A process that closes any descriptor of a file gives up all its POSIX locks on that file, SQLite's among them
//! (<https://sqlite.org/howtocorrupt.html>, "Posix advisory locks canceled by a separate thread doing close()"). Invariant:
//! what is opened here is never closed, and each file is opened once.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{File, metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use crate::sides::Sides;
use crate::value::Digest;

/// Bytes held against each other at once.
const STEP_BYTES: usize = 1 << 20;

/// Open files, by device and inode.
type Open = HashMap<(u64, u64), Arc<File>>;

static OPEN: LazyLock<Mutex<Open>> = LazyLock::new(Mutex::default);

/// Whether nothing that belongs to a file stands beside it, in a journal that is not rolled back or a log that is not
/// written into it.
pub(super) fn is_whole(path: &Path) -> bool {
    ["-journal", "-wal"].iter().all(|ending| {
        let mut beside = OsString::from(path);
        beside.push(ending);
        match metadata(beside) {
            Ok(found) => found.len() == 0,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    })
}

/// The digest of two files that are equal in all bytes; `None` where they differ, or `goes_on` says no. They must not
/// be written meanwhile.
///
/// # Errors
/// Where one of them cannot be read.
pub(super) fn of_equal(files: &Sides<PathBuf>, goes_on: &dyn Fn() -> bool) -> io::Result<Option<Digest>> {
    let Sides { primary, replica } = files.as_ref().map(|path| open(path));
    let (primary, replica) = (primary?, replica?);
    let bytes = primary.metadata()?.len();
    if replica.metadata()?.len() != bytes {
        return Ok(None);
    }
    let mut hasher = blake3::Hasher::new();
    let (mut one, mut other) = (vec![0; STEP_BYTES], vec![0; STEP_BYTES]);
    let mut at = 0;
    while at < bytes {
        let step = usize::try_from(bytes - at).unwrap_or(STEP_BYTES).min(STEP_BYTES);
        primary.read_exact_at(&mut one[..step], at)?;
        replica.read_exact_at(&mut other[..step], at)?;
        if one[..step] != other[..step] || !goes_on() {
            return Ok(None);
        }
        hasher.update(&one[..step]);
        at += step as u64;
    }
    Ok(Some(Digest::from_bytes(*hasher.finalize().as_bytes())))
}

fn open(path: &Path) -> io::Result<Arc<File>> {
    let found = metadata(path)?;
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(file) = open.get(&(found.dev(), found.ino())) {
        return Ok(Arc::clone(file));
    }
    let file = Arc::new(File::open(path)?);
    // Another file may have this name by now, one that is open already: two are kept then, and neither is closed.
    let is = file.metadata()?;
    let before = open.insert((is.dev(), is.ino()), Arc::clone(&file));
    std::mem::forget(before);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    fn files(directory: &Path, sql: &str) -> Sides<PathBuf> {
        let files = Sides::new(directory.join("a.db"), directory.join("b.db"));
        Connection::open(&files.primary).unwrap().execute_batch(sql).unwrap();
        std::fs::copy(&files.primary, &files.replica).unwrap();
        files
    }

    #[test]
    fn equal_files_are_equal_and_others_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path(), "CREATE TABLE t(v); INSERT INTO t VALUES (zeroblob(3000000))");
        let equal = of_equal(&files, &|| true).unwrap();
        assert!(equal.is_some());
        assert_eq!(of_equal(&files, &|| false).unwrap(), None);
        let mut bytes = std::fs::read(&files.replica).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&files.replica, &bytes).unwrap();
        assert_eq!(of_equal(&files, &|| true).unwrap(), None);
        bytes.push(0);
        std::fs::write(&files.replica, &bytes).unwrap();
        assert_eq!(of_equal(&files, &|| true).unwrap(), None);
    }

    #[test]
    fn what_stands_beside_a_file_belongs_to_it() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path(), "CREATE TABLE t(v)");
        assert!(is_whole(&files.primary));
        for ending in ["-journal", "-wal"] {
            let beside = directory.path().join(format!("a.db{ending}"));
            std::fs::write(&beside, "").unwrap();
            assert!(is_whole(&files.primary));
            std::fs::write(&beside, "x").unwrap();
            assert!(!is_whole(&files.primary));
            std::fs::remove_file(&beside).unwrap();
        }
    }

    /// The locks of this process on a file, as the kernel lists them.
    #[cfg(target_os = "linux")]
    fn locks(path: &Path) -> usize {
        let inode = format!(":{}", metadata(path).unwrap().ino());
        let process = std::process::id().to_string();
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        let is_ours = |line: &&str| {
            let mut words = line.split_whitespace();
            words.any(|word| word == process) && words.any(|word| word.ends_with(&inode))
        };
        locks.lines().filter(is_ours).count()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn locks_outlast_the_reading() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path(), "CREATE TABLE t(v)");
        let connection = Connection::open(&files.primary).unwrap();
        connection.execute_batch("BEGIN; SELECT * FROM t").unwrap();
        let held = locks(&files.primary);
        assert!(held > 0);
        for _ in 0..2 {
            assert!(of_equal(&files, &|| true).unwrap().is_some());
            assert_eq!(locks(&files.primary), held);
        }
    }
}
