//! README cannot go stale: its tour is run, its sample output must be what the tool prints, its spec must parse,
//! and its exit codes must be those of `--help`. The library example is run too.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const README: &str = include_str!("../README.md");
/// What the sample specs take from the environment.
const VARIABLES: &str = "PGPASSWORD=a EU_PASSWORD=b US_PASSWORD=c";

/// The fenced blocks of one language, in order.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    README.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

fn shell(directory: &Path, line: &str) -> Output {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_trueup"));
    let folder = binary.parent().expect("a binary lies in a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let run = Command::new("bash").args(["-c", line]).current_dir(directory).env("PATH", path).output();
    run.expect("bash can be run")
}

/// The fenced blocks of a chapter with their languages, in order.
fn blocks_of(chapter: &str) -> Vec<(&'static str, &'static str)> {
    let text = README.split(&format!("\n## {chapter}\n")).nth(1).and_then(|rest| rest.split("\n## ").next());
    let fenced = text.expect("the chapter is there").split("```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}

/// A line without what depends on the day and the machine: moments, and the versions of servers.
fn masked(line: &str) -> String {
    let mask = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let digits = bare.chars().all(|c| c.is_ascii_digit() || "-:.TZ".contains(c));
        let moment = bare.len() == 20 && bare.ends_with('Z');
        if digits && (moment || bare.matches('.').count() == 2) {
            word.replace(bare, "*")
        } else {
            word.to_owned()
        }
    };
    line.split_whitespace().map(mask).collect::<Vec<_>>().join(" ")
}

/// Each command of the tour is run; it ends with 0 or what its comment says, and what README shows below it is
/// printed, in that order. README may leave lines out.
#[test]
fn the_tour_does_what_it_says() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut printed: Vec<String> = Vec::new();
    let mut shown = 0;
    for (language, block) in blocks_of("A tour") {
        if language == "sh" {
            printed.clear();
            for line in block.lines() {
                let code = line.split_once("# ends with ").map_or(Some(0), |(_, code)| code.parse().ok());
                let done = shell(directory.path(), line);
                let told = [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
                assert_eq!(done.status.code(), code, "{line}\n{}", told.join("\n"));
                printed.extend(told.iter().flat_map(|text| text.lines()).map(masked));
            }
        } else if language == "text" || language == "sql" {
            let mut rest = printed.iter();
            for line in block.lines().filter(|line| !["", "…"].contains(&line.trim())) {
                let wanted = masked(line);
                assert!(rest.any(|line| *line == wanted), "not printed here: {line}\n{}", printed.join("\n"));
                shown += 1;
            }
        }
    }
    assert!(shown > 20, "the tour shows output");
}

/// Options and commands that README shows exist, and none of the tool's commands is left out.
#[test]
fn every_command_is_described() {
    let help = String::from_utf8_lossy(&shell(Path::new("."), "trueup --help").stdout).into_owned();
    let commands = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
    // What a command does may go on in further lines, which are indented deeper.
    let names = commands.expect("a list of commands").lines().filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_whitespace().next());
    for name in names.filter(|name| !["help", "digest"].contains(name)) {
        assert!(README.contains(&format!("| `{name}")), "README's table of commands lacks {name}");
    }
}

#[test]
fn the_two_commands_are_the_ones_that_exist() {
    assert!(blocks("sh").contains(&"cargo run --release -- demo\n"));
    assert!(blocks("sh").contains(&"tests/run\n"));
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run").is_file());
}

#[test]
fn the_sample_spec_is_valid() {
    let spec = blocks("yaml").into_iter().next().expect("a spec");
    trueup::spec::Spec::parse(spec, "README.md", &|_| None).expect("README's spec parses");
}

#[test]
fn the_sample_specs_do_what_they_say() {
    let specs = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let run = |line: &str| shell(directory.path(), &format!("S={}; {line}", specs.display()));
    let code = |line: &str| run(line).status.code();
    for spec in std::fs::read_dir(&specs).expect("the folder of specs").filter_map(Result::ok) {
        let name = spec.file_name().to_string_lossy().into_owned();
        // The folder has a page about the specs beside them.
        if !name.ends_with(".yml") {
            continue;
        }
        let checked = run(&format!("{VARIABLES} trueup check --offline $S/{name}"));
        assert!(checked.status.success(), "{name}: {}", String::from_utf8_lossy(&checked.stderr));
    }
    run("sqlite3 shop.db 'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 2)'");
    assert_eq!(code("trueup verify $S/minimal.yml"), Some(2));
    assert_eq!(code("trueup apply $S/minimal.yml -y"), Some(0));
    assert_eq!(code("trueup verify $S/minimal.yml"), Some(0));
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let help = String::from_utf8_lossy(&shell(Path::new("."), "trueup --help").stdout).into_owned();
    let rows = README.split("## Exit codes").nth(1).expect("a table of exit codes");
    let in_readme = rows.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let numbers: Vec<&str> =
        in_readme.flat_map(|cell| cell.split(", ")).filter(|cell| cell.parse::<u8>().is_ok()).collect();
    assert_eq!(numbers, ["0", "1", "2", "3", "4", "5", "130", "143"]);
    for number in numbers {
        let told = help.lines().any(|line| line.trim_start().starts_with(&format!("{number}  ")));
        assert!(told, "--help does not explain {number}");
    }
}

#[test]
fn the_library_example_finds_drift() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    shell(directory.path(), "trueup demo");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let gate = |replica: &str| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["run", "-q", "--manifest-path", manifest, "--example", "drift_gate", "--"]);
        // What cargo tells a test of its package: build scripts of dependencies watch it (ring's does), and
        // would build everything again in here, and once more in the next run of the tests.
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
            {
                cargo.env_remove(name);
            }
        }
        let run = cargo.args(["trueup-demo/primary.db", replica]).current_dir(directory.path()).output();
        run.expect("cargo can be run").status.code()
    };
    assert_eq!(gate("trueup-demo/replica.db"), Some(0));
    shell(directory.path(), "sqlite3 trueup-demo/replica.db 'DELETE FROM orders WHERE id = 7'");
    assert_eq!(gate("trueup-demo/replica.db"), Some(2));
    assert_eq!(gate("trueup-demo/nothing.db"), Some(2), "a missing replica needs everything");
}
