//! A file that is either as it was or whole: written beside its place under another name, synced, renamed.
//!
//! Refuses to replace what is no plain file: a pipe, a terminal or `/dev/null` is written to as it stands. A
//! symbolic link stays one; what it points at is replaced.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Lets `fill` write the contents of `path`. On an error the file is as it was, and nothing is left beside it.
///
/// # Errors
/// What the file system says, and what `fill` says.
pub fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let present = match fs::metadata(path) {
        Ok(present) => Some(present),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    match present {
        Some(present) if !present.is_file() => {
            let file = OpenOptions::new().write(true).open(path)?;
            filled(file, fill).map(drop)
        }
        Some(present) => replace(&fs::canonicalize(path)?, Some(present.permissions()), fill),
        None => replace(path, None, fill),
    }
}

/// As [`write()`], but nobody other than the owner may read the file, from its first byte on, and the folder is
/// synced too: once this returns, the file is there whatever happens to the machine.
pub fn write_private(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&place).is_ok_and(|present| !present.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is there and no plain file"));
    }
    replace(&place, Some(Permissions::from_mode(0o600)), fill)?;
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

fn replace(
    path: &Path,
    permissions: Option<Permissions>,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    // Never more open than the file will be.
    let mode = permissions.as_ref().map_or(0o666, Permissions::mode);
    let (name, file) = beside(path, mode)?;
    let written = filled(file, fill).and_then(|file| {
        permissions.map_or(Ok(()), |permissions| file.set_permissions(permissions))?;
        file.sync_all()?;
        fs::rename(&name, path)
    });
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&name);
    }
    written
}

fn filled(file: File, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<File> {
    let mut out = BufWriter::with_capacity(1 << 16, file);
    fill(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)
}

/// A new file in the same folder, under a name that is free.
fn beside(path: &Path, mode: u32) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
    let process = std::process::id();
    for attempt in 0..100_u32 {
        // The file's own name may be as long as names can be.
        let start: String = name.to_string_lossy().chars().take(40).collect();
        let other = path.with_file_name(format!(".{start}.trueup-{process}-{attempt}"));
        match OpenOptions::new().write(true).create_new(true).mode(mode).open(&other) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (other, file)),
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_as_it_was_or_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        write(&path, |out| out.write_all(b"first")).unwrap();
        let failed = write(&path, |out| {
            out.write_all(&[0; 100_000])?;
            Err(io::Error::other("the spool is gone"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "the spool is gone");
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(names(folder.path()), ["report.json"]);
    }

    #[test]
    fn a_private_file_is_its_owners_alone_also_where_another_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan");
        fs::write(&path, "open to all").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        write_private(&path, |out| {
            let beside = names(folder.path()).into_iter().find(|name| name.starts_with('.')).unwrap();
            assert_eq!(mode(&folder.path().join(beside)), 0o600);
            out.write_all(b"mine")
        })
        .unwrap();
        assert_eq!((mode(&path), fs::read(&path).unwrap()), (0o600, b"mine".to_vec()));
        assert!(write_private(folder.path(), |_| Ok(())).is_err());
    }

    #[test]
    fn links_and_what_is_no_file_stay_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let (link, path) = (folder.path().join("link"), folder.path().join("file"));
        write(&path, |out| out.write_all(b"old")).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write(&link, |out| out.write_all(b"new")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        write(Path::new("/dev/null"), |out| out.write_all(b"gone")).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        assert!(write(folder.path(), |_| Ok(())).is_err());
        assert!(write(&folder.path().join("no/such/folder"), |_| Ok(())).is_err());
    }
}
