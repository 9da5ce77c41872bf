//! `trueup init`: connects to two databases and writes a commented spec, to standard output or a new file.
//!
//! A file that exists is never touched. The URLs come from the command line, so nothing here may repeat them as
//! they were given; what the spec says of them is decided where it is drafted.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::failure::{ErrorKind, Failure};
use crate::init::{self, Database, Draft};
use crate::reconcile;
use crate::report::{counted, thousands};
use crate::sides::{self, Sides};
use crate::spec::{Place, Side, SideUrl};

use super::Context;
use super::args::InitArgs;
use super::failure::CliError;
use super::output::print;

/// What the commands in the head of a spec call it that went to standard output.
const USUAL_NAME: &str = "spec.yml";

/// Runs the command.
pub async fn run(args: &InitArgs, context: &Context) -> Result<u8, CliError> {
    if let Some(path) = &args.out {
        refuse_existing(path)?;
    }
    let urls = Sides::new(
        read_url(&args.primary, sides::Side::Primary)?,
        read_url(&args.replica, sides::Side::Replica)?,
    );
    let draft = tokio::select! {
        draft = draft(args, &urls) => draft?,
        () = context.signals.wait() => {
            return Err(Failure::new(ErrorKind::Interrupted, "interrupted; nothing was written").into());
        }
    };
    match &args.out {
        None => print(&draft.text)?,
        Some(path) => {
            write_new(path, &draft.text).map_err(|error| existing(path, error))?;
            print(&written(path, &draft, &urls))?;
        }
    }
    Ok(0)
}

fn read_url(text: &str, side: sides::Side) -> Result<SideUrl, CliError> {
    SideUrl::parse(text, Place::START).map_err(|error| CliError::Usage {
        message: format!("the URL of the {side} cannot be used: {}", error.message),
        hint: error.hint,
    })
}

async fn draft(args: &InitArgs, urls: &Sides<SideUrl>) -> Result<Draft, CliError> {
    let seen = reconcile::look_at(&urls.clone().map(Side::from_url)).await?;
    let written = Sides::new(args.primary.as_str(), args.replica.as_str());
    let sides = urls.as_ref().zip(written).zip(seen.as_ref()).map(|((url, written), seen)| Database {
        url,
        written,
        server: &seen.server,
        dialect: seen.dialect,
        catalog: &seen.catalog,
        unreadable: &seen.unreadable,
    });
    let path = args.out.as_deref().map_or(USUAL_NAME.into(), Path::to_string_lossy);
    Ok(init::draft(&sides, &path)?)
}

fn written(path: &Path, draft: &Draft, urls: &Sides<SideUrl>) -> String {
    let tables = counted(draft.entries as u64, "table");
    let mut text = format!("{} is written: {tables} to compare", path.display());
    if draft.to_look_at > 0 {
        text += &format!(", {} of them with a NOTE to look at", thousands(draft.to_look_at as u64));
    }
    if draft.refused > 0 {
        text += &format!("; {} more left out, with the reason", thousands(draft.refused as u64));
    }
    let variables = init::variables(&urls.as_ref())
        .into_iter()
        .map(|(name, display)| format!("export {name}=…   # {display}, with its password"));
    let next: Vec<String> = variables.chain([format!("trueup check {}", path.display())]).collect();
    format!("{text}.\nNext: {}\n", next.join("\n      "))
}

fn refuse_existing(path: &Path) -> Result<(), CliError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(existing(path, io::ErrorKind::AlreadyExists.into())),
        Err(_) => Ok(()),
    }
}

fn existing(path: &Path, error: io::Error) -> CliError {
    if error.kind() != io::ErrorKind::AlreadyExists {
        return CliError::file("write", path, error);
    }
    CliError::Usage {
        message: format!("{} exists already, and init overwrites nothing", path.display()),
        hint: Some("give another name with -o, or move the file away".to_owned()),
    }
}

/// Writes a file that does not exist, whole or not at all: into a file beside it first, which then gets its name.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let draft = draft_name(path)?;
    let written = File::create_new(&draft)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| give_name(&draft, path));
    // After a link it is a second name; after an error it is rubbish; after a rename it is gone.
    let _ = fs::remove_file(&draft);
    written?;
    File::open(folder)?.sync_all()
}

fn draft_name(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    Ok(path.with_file_name(hidden))
}

/// A link fails where the name is taken; where the file system has no links, the name is looked for first.
fn give_name(draft: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => match fs::symlink_metadata(path) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(draft, path),
        },
        linked => linked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_once_and_never_overwritten() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("spec.yml");
        write_new(&path, "one").expect("it is new");
        let again = write_new(&path, "two").expect_err("it exists");
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "one");
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 1, "nothing is left behind");
        let nowhere = write_new(&folder.path().join("no/spec.yml"), "x").expect_err("no such folder");
        assert_eq!(nowhere.kind(), io::ErrorKind::NotFound);
    }
}
