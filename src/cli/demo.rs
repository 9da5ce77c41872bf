//! `trueup demo`: two small SQLite databases of a shop, one of them drifted, and a spec for them; then the
//! commands themselves.
//!
//! The data is the same every time: it comes from a counter and a mixer, not from chance or the clock. What
//! is shown runs through the same code as the commands that it prints.

mod shop;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};

use crate::engine;
use crate::failure::Failure;
use crate::report::{BOLD, counted};
use crate::spec::{Side, Spec, quote_scalar};

use super::Context;
use super::args::{Cli, DemoArgs};
use super::failure::CliError;
use super::output::print;

/// How a folder is known to hold an earlier demo: its spec begins with this line.
const MARK: &str =
    "# The spec of `trueup demo`: two SQLite files of a shop, the second of which has drifted.";
/// The files of a demo, those that SQLite may leave beside a database included.
const FILES: [&str; 3] = ["primary.db", "replica.db", "spec.yml"];
const SQLITE_COMPANIONS: [&str; 3] = ["-journal", "-wal", "-shm"];

/// Runs the command.
pub async fn run(args: &DemoArgs, context: &Context) -> Result<u8, CliError> {
    let demo = Demo::new(&args.dir)?;
    demo.make_folder()?;
    demo.write_spec()?;
    demo.fill().await?;
    print(&demo.made())?;
    for (command, options, why) in [
        ("plan", vec!["--rows", "6", "--chunk-rows", "500"], "What differs? Nothing is written."),
        ("apply", vec!["--rows", "0", "-y"], "Make the replica equal, in one transaction, and check."),
        ("verify", vec![], "Is it equal now? Every row is compared again."),
    ] {
        let code = demo.show(command, &options, why, args, context).await?;
        if code != 0 {
            return Ok(code);
        }
    }
    print(&demo.next(context))?;
    Ok(0)
}

struct Demo {
    /// The folder as given.
    dir: PathBuf,
    /// The same, from the root: the spec works in any working directory.
    absolute: String,
}

impl Demo {
    fn new(dir: &Path) -> Result<Self, CliError> {
        let absolute = std::path::absolute(dir).map_err(|error| CliError::file("find", dir, error))?;
        let Some(absolute) = absolute.to_str().map(str::to_owned) else {
            return Err(CliError::Usage {
                message: format!("the path {} is not UTF-8 text", dir.display()),
                hint: Some("give another folder: trueup demo DIR".to_owned()),
            });
        };
        Ok(Demo { dir: dir.to_owned(), absolute })
    }

    fn spec_path(&self) -> PathBuf {
        self.dir.join("spec.yml")
    }

    /// A new folder, or that of an earlier demo without its files.
    fn make_folder(&self) -> Result<(), CliError> {
        let failed = |error| CliError::file("make the folder", &self.dir, error);
        fs::create_dir_all(&self.dir).map_err(failed)?;
        let empty = fs::read_dir(&self.dir).map_err(failed)?.next().is_none();
        let marked = fs::read_to_string(self.spec_path()).is_ok_and(|spec| spec.starts_with(MARK));
        if !empty && !marked {
            return Err(CliError::Usage {
                message: format!("the folder {} is not empty, and no earlier demo", self.dir.display()),
                hint: Some("give another folder: trueup demo DIR".to_owned()),
            });
        }
        let companions = FILES[..2]
            .iter()
            .flat_map(|file| SQLITE_COMPANIONS.iter().map(move |companion| format!("{file}{companion}")));
        for file in FILES.iter().map(|file| (*file).to_owned()).chain(companions) {
            let path = self.dir.join(file);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(CliError::file("remove", &path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn write_spec(&self) -> Result<(), CliError> {
        let path = self.spec_path();
        fs::write(&path, self.spec_text()).map_err(|error| CliError::file("write", &path, error))
    }

    fn spec_text(&self) -> String {
        let url = |file: &str| {
            let path = Path::new(&self.absolute).join(file);
            quote_scalar(&format!("sqlite:{}", percent_encoded(&path.to_string_lossy())))
        };
        let (primary, replica) = (url("primary.db"), url("replica.db"));
        format!("{MARK}\n{}", SPEC.replace("PRIMARY", &primary).replace("REPLICA", &replica))
    }

    /// Makes both databases by the connections that the spec describes.
    async fn fill(&self) -> Result<(), CliError> {
        let spec = Spec::parse(&self.spec_text(), &self.spec_path().to_string_lossy(), &|_| None)
            .map_err(CliError::Spec)?;
        let failed = |error: engine::EngineError| CliError::Failure(Failure::from(error));
        write(&spec.primary, shop::primary).await.map_err(failed)?;
        write(&spec.replicas[0].side, shop::replica).await.map_err(failed)
    }

    fn made(&self) -> String {
        let rows = shop::rows();
        format!(
            "Made in {}:\n  primary.db  4 tables, {}\n  replica.db  a copy that has drifted\n  spec.yml    says that they are to be equal\n",
            self.dir.display(),
            counted(rows, "row")
        )
    }

    /// Prints a command and runs it.
    async fn show(
        &self,
        command: &str,
        options: &[&str],
        why: &str,
        args: &DemoArgs,
        context: &Context,
    ) -> Result<u8, CliError> {
        let spec = self.spec_path();
        let line = format!("$ trueup {command} {} {}", shell_quoted(&spec), options.join(" "));
        let title = context.terminal.out.on(BOLD, line.trim_end());
        print(&format!("\n{title}\n# {why}\n\n"))?;
        let path = spec.to_string_lossy().into_owned();
        let words = ["trueup", command].into_iter().chain(options.iter().copied()).map(str::to_owned);
        let words = words.chain(terminal_words(args)).chain(["--".to_owned(), path]);
        let cli = Cli::try_parse_from(words).expect("the demo's own commands are well-formed");
        Box::pin(super::dispatch(cli.command, context)).await
    }

    fn next(&self, context: &Context) -> String {
        let spec = shell_quoted(&self.spec_path());
        let replica = shell_quoted(&self.dir.join("replica.db"));
        let title = context.terminal.out.on(BOLD, "Try next:");
        format!(
            "\n{title}\n  \
             sqlite3 {replica} \"UPDATE customers SET city = 'Atlantis' WHERE id <= 3\"\n  \
             trueup plan {spec}\n  \
             trueup plan {spec} --format json\n  \
             trueup apply {spec}\n  \
             trueup verify {spec} --report json=report.json\n  \
             trueup plan --help\n\
             Read the spec, {}: it says what each line means. `trueup demo` again begins anew.\n",
            self.spec_path().display()
        )
    }
}

async fn write(
    side: &Side,
    statements: fn(&dyn crate::sql::Dialect) -> Vec<String>,
) -> Result<(), engine::EngineError> {
    let engine = engine::connect(side, true).await?;
    let mut writer = engine.writer().await?;
    writer.begin().await?;
    for statement in statements(engine.dialect()) {
        writer.execute(&statement).await?;
    }
    writer.commit().await
}

/// The demo's own terminal options, handed on.
fn terminal_words(args: &DemoArgs) -> Vec<String> {
    let word = |when: super::args::When| {
        when.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned())
    };
    let mut words = vec![
        format!("--color={}", word(args.terminal.color)),
        format!("--progress={}", word(args.terminal.progress)),
    ];
    words.extend(args.terminal.quiet.then(|| "--quiet".to_owned()));
    words.extend(args.terminal.verbose.then(|| "--verbose".to_owned()));
    words
}

/// What would end a URL's path or begin an escape in it.
fn percent_encoded(path: &str) -> String {
    path.chars()
        .map(|character| match character {
            '%' | '?' | '#' | '&' | ' ' => format!("%{:02X}", u32::from(character)),
            _ => character.to_string(),
        })
        .collect()
}

/// A path as a shell takes it for one word.
fn shell_quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = text.chars().all(|character| character.is_alphanumeric() || "/._-+,:@".contains(character));
    if plain { text.into_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

const SPEC: &str = r#"#
#   trueup plan   spec.yml    shows what would change
#   trueup apply  spec.yml    makes the replica equal
#   trueup verify spec.yml    compares, and ends with 2 where something differs
version: 1

primary: PRIMARY     # only ever read
replicas:
  copy: REPLICA      # made equal; the name is used in output and with --replica

# Refuse to apply more than this. A percentage is of each table's rows on the replica.
limits:
  deletes: 25%

tables:
  - customers                      # all columns and all rows, by the primary key
  - table: products
    # compare:                     # differences to excuse, for example:
    #   stock: ignore              #   never compared, still written when its row is inserted
  - table: orders
    # where: "placed_at >= '2026-01-01'"   # only rows in this scope
    # delete: false                # report extra rows, never delete them
  - order_items                    # its key has two columns
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spec_is_valid_wherever_the_folder_is() {
        for dir in ["demo", "/tmp/a b?#%/${X}/de'mo", "/tmp/naïve"] {
            let demo = Demo::new(Path::new(dir)).unwrap();
            let spec = Spec::parse(&demo.spec_text(), "spec.yml", &|_| None).unwrap();
            assert_eq!(spec.tables.len(), 4);
            let wanted = format!("{}/primary.db", demo.absolute);
            assert_eq!(spec.primary.url.database.as_deref(), Some(wanted.as_str()));
        }
    }

    #[test]
    fn a_folder_with_other_files_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("spec.yml"), "version: 1").unwrap();
        assert!(Demo::new(folder.path()).unwrap().make_folder().is_err());
        fs::write(folder.path().join("spec.yml"), MARK).unwrap();
        Demo::new(folder.path()).unwrap().make_folder().unwrap();
        assert!(!folder.path().join("spec.yml").exists());
    }

    #[test]
    fn paths_are_one_word_for_a_shell() {
        assert_eq!(shell_quoted(Path::new("a/b.yml")), "a/b.yml");
        assert_eq!(shell_quoted(Path::new("a b/it's")), "'a b/it'\\''s'");
    }
}
