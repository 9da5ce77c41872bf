//! The files of `--report FORMAT=PATH`.
//!
//! Where they are to stand is settled before anything is read from a database, so that a path that cannot be
//! written, or that two reports share, is wrong usage and not the end of an hour's work. Each file is whole or not
//! there at all; one that cannot be written does not keep the others from being.

use std::path::{Component, Path, PathBuf};

use crate::report::{Format, Paint, Report};
use crate::spec::{EngineScheme, Spec};

use super::args::ReportTo;
use super::atomic;
use super::failure::CliError;
use super::output::print_error;

/// In a path: the name of the replica that the report is of.
const PLACEHOLDER: &str = "{replica}";

/// The reports that are wanted, with their places.
#[derive(Clone, Debug, Default)]
pub struct ReportFiles {
    files: Vec<ReportFile>,
}

#[derive(Clone, Debug)]
struct ReportFile {
    format: Format,
    /// Only of this replica.
    replica: Option<String>,
    /// As given, with the replica's name.
    path: PathBuf,
}

impl ReportFiles {
    /// Settles the places. `only` names the replicas that are looked at; none means all.
    pub fn new(wanted: &[ReportTo], only: &[String], spec: &Spec) -> Result<Self, CliError> {
        let names = spec.replicas.iter().map(|replica| replica.name.value.as_str());
        let names: Vec<&str> =
            names.filter(|name| only.is_empty() || only.iter().any(|only| only == name)).collect();
        let files = ReportFiles { files: wanted.iter().flat_map(|to| expanded(to, &names)).collect() };
        files.refuse_twins()?;
        files.files.iter().try_for_each(|file| refuse_place(&file.path, &own_files(spec)))?;
        Ok(files)
    }

    /// Settles the places of what is shown of the saved plan at `own`.
    pub fn of_plan(wanted: &[ReportTo], names: &[&str], own: &Path) -> Result<Self, CliError> {
        let files = ReportFiles { files: wanted.iter().flat_map(|to| expanded(to, names)).collect() };
        files.refuse_twins()?;
        files.files.iter().try_for_each(|file| refuse_place(&file.path, &[own]))?;
        Ok(files)
    }

    fn refuse_twins(&self) -> Result<(), CliError> {
        for (index, file) in self.files.iter().enumerate() {
            let place = place(&file.path);
            if self.files[..index].iter().any(|other| self::place(&other.path) == place) && !is_device(&place)
            {
                return Err(CliError::Usage {
                    message: format!("two reports would be written to {}", file.path.display()),
                    hint: Some("give each --report a file of its own".to_owned()),
                });
            }
        }
        Ok(())
    }

    /// Writes every file. The first that cannot be written is the error; the others are told on standard error.
    pub fn write(&self, report: &Report<'_>) -> Result<(), CliError> {
        let mut errors = self.files.iter().filter_map(|file| file.write(report).err());
        let first = errors.next();
        errors.for_each(|error| print_error(&error.to_string()));
        first.map_or(Ok(()), Err)
    }
}

impl ReportFile {
    fn write(&self, report: &Report<'_>) -> Result<(), CliError> {
        let only = match &self.replica {
            None => report.only,
            Some(name) => match report.plan.replicas.iter().position(|replica| replica.name == *name) {
                Some(index) => Some(index),
                // It was not looked at: there is nothing to report.
                None => return Ok(()),
            },
        };
        let report = Report { only, ..*report };
        atomic::write(&self.path, |out| report.write(self.format, Paint::Plain, out))
            .map_err(|error| CliError::file("write", &self.path, error))
    }
}

fn expanded(to: &ReportTo, names: &[&str]) -> Vec<ReportFile> {
    if !to.path.contains(PLACEHOLDER) {
        return vec![ReportFile { format: to.format, replica: None, path: PathBuf::from(&to.path) }];
    }
    let file = |name: &&str| ReportFile {
        format: to.format,
        replica: Some((*name).to_owned()),
        path: PathBuf::from(to.path.replace(PLACEHOLDER, &as_file_name(name))),
    };
    names.iter().map(file).collect()
}

/// A replica's name as a part of a file's name: it can neither leave the folder nor become that of another replica.
fn as_file_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (index, character) in name.chars().enumerate() {
        if matches!(character, '/' | '\\' | '%') || character.is_control() || (index == 0 && character == '.')
        {
            let mut bytes = [0; 4];
            character.encode_utf8(&mut bytes).bytes().for_each(|byte| out.push_str(&format!("%{byte:02X}")));
        } else {
            out.push(character);
        }
    }
    out
}

/// What would surprise: a folder that is not there, and the files that the run itself works with.
fn refuse_place(path: &Path, own: &[&Path]) -> Result<(), CliError> {
    let usage = |message: String, hint: &str| Err(CliError::Usage { message, hint: Some(hint.to_owned()) });
    let shown = path.display();
    if path.is_dir() || path.as_os_str().to_string_lossy().ends_with('/') {
        return usage(
            format!("could not write {shown}: it is a folder"),
            "name a file: --report json=report.json",
        );
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return usage(
            format!("could not write {shown}: there is no folder {}", folder.display()),
            "make it first",
        );
    }
    if own.iter().any(|own| place(own) == place(path)) {
        let message = format!("could not write {shown}: the report would replace a file of this run");
        return usage(message, "give the report a file of its own");
    }
    Ok(())
}

/// The spec and the SQLite databases.
fn own_files(spec: &Spec) -> Vec<&Path> {
    let sides = std::iter::once(&spec.primary).chain(spec.replicas.iter().map(|replica| &replica.side));
    let databases = sides
        .filter(|side| side.url.scheme == EngineScheme::Sqlite)
        .filter_map(|side| side.url.database.as_deref());
    databases.chain([spec.path.as_str()]).map(Path::new).collect()
}

/// Devices and pipes may take several reports.
fn is_device(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| !found.is_file())
}

/// The same for two ways to write one path, as far as the file system tells.
fn place(path: &Path) -> PathBuf {
    if let Ok(place) = path.canonicalize() {
        return place;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.components().filter(|part| !matches!(part, Component::CurDir)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Spec {
        let text =
            "version: 1\nprimary: sqlite:p.db\nreplicas: { eu: sqlite:a.db, us: sqlite:b.db }\ntables: [t]\n";
        Spec::parse(text, "spec.yml", &|_| None).unwrap()
    }

    fn files(wanted: &[&str], only: &[&str]) -> Result<Vec<String>, String> {
        let wanted: Vec<ReportTo> = wanted.iter().map(|text| text.parse().unwrap()).collect();
        let only: Vec<String> = only.iter().map(|&name| name.to_owned()).collect();
        let files = ReportFiles::new(&wanted, &only, &spec()).map_err(|error| error.to_string())?;
        Ok(files.files.iter().map(|file| file.path.display().to_string()).collect())
    }

    #[test]
    fn a_file_for_each_replica() {
        assert_eq!(
            files(&["json=x.json", "text={replica}-{replica}.txt"], &[]).unwrap(),
            ["x.json", "eu-eu.txt", "us-us.txt"]
        );
        assert_eq!(files(&["json={replica}.json"], &["us"]).unwrap(), ["us.json"]);
        assert_eq!(
            [as_file_name("../a"), as_file_name("a/b%"), as_file_name("..")],
            ["%2E.%2Fa", "a%2Fb%25", "%2E."]
        );
    }

    #[test]
    fn two_reports_do_not_share_a_file() {
        for twins in [
            ["json=x", "text=x"],
            ["json=x", "text=./x"],
            ["json=x", "text=src/../x"],
            ["json=eu.txt", "text={replica}.txt"],
            ["json={replica}", "text={replica}"],
        ] {
            assert!(files(&twins, &[]).unwrap_err().contains("two reports would be written to"), "{twins:?}");
        }
        assert!(files(&["json=/dev/null", "text=/dev/null"], &[]).is_ok());
        assert!(files(&["json=eu.txt", "text={replica}.txt"], &["us"]).is_ok());
    }

    #[test]
    fn a_place_that_cannot_be_is_told_at_once() {
        for (path, why) in [
            ("json=no/such/folder/x", "there is no folder no/such/folder"),
            ("json=src", "it is a folder"),
            ("json=./spec.yml", "would replace a file of this run"),
            ("json=./b.db", "would replace a file of this run"),
        ] {
            let error = files(&[path], &[]).unwrap_err();
            assert!(error.contains(why), "{path}: {error}");
        }
    }
}
