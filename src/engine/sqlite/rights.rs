//! Rights on a file, which are those of the operating system. SQLite itself knows none.
//!
//! Asks the system and tries nothing: a file that is opened for writing may already have been changed by it.

use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat};

/// Why the replica at `path` cannot be written, if it cannot: the file, or the directory, in which SQLite keeps
/// its journal and makes a file that is missing.
pub(super) fn why_not_writable(path: &Path, missing: bool) -> Option<String> {
    let may_write = |path: &Path| accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok();
    if !missing && !may_write(path) {
        return Some("the file may not be written".to_owned());
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    let needed_for = if missing { "the file would be made" } else { "SQLite keeps its journal" };
    (!may_write(directory))
        .then(|| format!("the directory `{}`, where {needed_for}, may not be written", directory.display()))
}
