//! The advisory lock that keeps other trueups off a file.
//!
//! SQLite's own lock lasts as long as a transaction, ours as long as the apply. It is a lock of the operating
//! system on a file beside the database, so that it vanishes with its holder however that ends; the file's text
//! only says who holds it. Never a lock on the database file itself: closing that would drop SQLite's locks.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::engine::EngineError;
use crate::failure::{ErrorKind, system_words};

/// How often a lock that someone holds is tried again.
pub(super) const RETRY: Duration = Duration::from_millis(50);

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while still held, so that nobody's new file is; who opened it meanwhile looks again.
        let _ = std::fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

/// Where the lock of a database is.
fn lock_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-trueup-lock");
    PathBuf::from(name)
}

/// Takes the lock, waiting until `deadline`.
pub(super) fn take(database: &Path, deadline: Instant) -> Result<Lock, EngineError> {
    let path = lock_path(database);
    loop {
        let file = open(&path)?;
        match file.try_lock() {
            Ok(()) if is_at(&file, &path) => return hold(path, file),
            Ok(()) => continue,
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return Err(held(database, file)),
            Err(TryLockError::WouldBlock) => std::thread::sleep(RETRY),
            Err(TryLockError::Error(error)) => {
                let message = format!("the file system cannot lock `{}`", path.display());
                return Err(EngineError::new(ErrorKind::Internal, message).said(error));
            }
        }
    }
}

fn open(path: &Path) -> Result<File, EngineError> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(|error| {
        let message = format!("the lock file `{}` cannot be made", path.display());
        EngineError::new(ErrorKind::Permission, message)
            .said(system_words(&error))
            .hint("applying needs the right to write in the database's directory")
    })
}

/// Whether the file is still the one at the path: its last holder may have removed it.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let inode = |found: std::fs::Metadata| (found.dev(), found.ino());
    matches!(
        (file.metadata().map(inode), std::fs::metadata(path).map(inode)),
        (Ok(held), Ok(found)) if held == found
    )
}

/// Elsewhere a file that is open cannot be removed.
#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

fn hold(path: PathBuf, mut file: File) -> Result<Lock, EngineError> {
    let since = jiff::Timestamp::now().round(jiff::Unit::Second).unwrap_or_else(|_| jiff::Timestamp::now());
    let text = format!("process {} since {since}\n", std::process::id());
    let written = file.set_len(0).and_then(|()| file.write_all(text.as_bytes())).and_then(|()| file.flush());
    let lock = Lock { path, file };
    match written {
        Ok(()) => Ok(lock),
        Err(error) => {
            let message = format!("the lock file `{}` cannot be written", lock.path.display());
            Err(EngineError::new(ErrorKind::Internal, message).said(error))
        }
    }
}

fn held(database: &Path, mut file: File) -> EngineError {
    let mut text = String::new();
    let _ = file.rewind();
    let _ = file.read_to_string(&mut text);
    let holder = if text.trim().is_empty() { "a process that has not said which" } else { text.trim() };
    EngineError::new(
        ErrorKind::Locked,
        format!("another trueup is writing `{}`: {holder}", database.display()),
    )
    .hint("wait until it is done, or say how long to wait with --lock-timeout")
}
