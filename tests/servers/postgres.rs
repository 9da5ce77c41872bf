//! Starts the private PostgreSQL server.
//!
//! PostgreSQL refuses to run as root, so root starts it as `postgres` (or `nobody`) through `setpriv`.
//! Where the version can (15 and later), the default collation is an ICU one: the suite then meets what
//! most databases have, a text order that is not the bytes'.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::prepared::Prepared;
use super::{Address, Engine, Server, watchdog};

const PASSWORD: &str = "Pg-s3cret/%";

/// Starts a server; panics with what to install when there is none, or with its log when it does not start.
pub fn start() -> Server {
    let mut failures = Vec::new();
    for _ in 0..3 {
        match prepare("off").start() {
            Ok((address, watchdog)) => return Server::new(Engine::Postgres, address, Some(watchdog)),
            Err(why) => failures.push(why),
        }
    }
    panic!("PostgreSQL could not be started: {}", failures.join("\n"));
}

/// A directory with data, and the command that serves it. `commits`: whether a commit outlives the server's sudden
/// end.
pub fn prepare(commits: &str) -> Prepared {
    let (programs, run_as) = (program_directory(), run_as());
    let template = template(&programs, &run_as);
    let directory = watchdog::private_directory("pg");
    watchdog::copy(&template, &directory.join("data"));
    if let Some(user) = user_name(&run_as) {
        watchdog::output(Command::new("chown").arg(user).arg(&directory));
    }
    let port = watchdog::free_port();
    let text = |path: &Path| path.display().to_string();
    let mut command = run_as;
    command.extend([text(&programs.join("postgres")), "-D".into(), text(&directory.join("data"))]);
    let settings = [
        format!("port={port}"),
        "listen_addresses=127.0.0.1".into(),
        format!("unix_socket_directories={}", text(&directory)),
        "fsync=off".into(),
        format!("synchronous_commit={commits}"),
        "full_page_writes=off".into(),
        "max_connections=200".into(),
        "shared_buffers=32MB".into(),
        "wal_level=logical".into(),
        "autovacuum=off".into(),
        "jit=off".into(),
    ];
    command.extend(settings.into_iter().flat_map(|setting| ["-c".into(), setting]));
    let address = Address {
        scheme: "postgres".into(),
        user: "trueup".into(),
        password: PASSWORD.into(),
        host: "127.0.0.1".into(),
        port,
        database: "postgres".into(),
        parameters: String::new(),
    };
    Prepared { engine: Engine::Postgres, directory, signal: "QUIT", command, address }
}

const HOW_TO_INSTALL: &str =
    "run tests/run, or: apt-get install postgresql postgresql-client (or set TRUEUP_TEST_POSTGRES_URL)";

/// The directory with `postgres` and `initdb`: the newest below /usr/lib/postgresql, else where PATH says.
fn program_directory() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = installed
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin): &(u32, PathBuf)| bin.join("initdb").is_file())
        .collect();
    versions.sort();
    versions
        .pop()
        .map(|(_, bin)| bin)
        .or_else(|| {
            watchdog::find_program(&["initdb"], &[])?.canonicalize().ok()?.parent().map(Path::to_path_buf)
        })
        .unwrap_or_else(|| panic!("no PostgreSQL server is installed; {HOW_TO_INSTALL}"))
}

/// What to put before a command so that it does not run as root; nothing for another user.
fn run_as() -> Vec<String> {
    if !watchdog::is_root() {
        return Vec::new();
    }
    let exists = |user: &str| Command::new("id").arg(user).output().is_ok_and(|done| done.status.success());
    let user = if exists("postgres") { "postgres" } else { "nobody" };
    let group = watchdog::output(Command::new("id").args(["-g", user]));
    let options = [format!("--reuid={user}"), format!("--regid={}", group.trim()), "--clear-groups".into()];
    ["setpriv".to_string()].into_iter().chain(options).chain(["--".into()]).collect()
}

fn user_name(run_as: &[String]) -> Option<&str> {
    run_as.iter().find_map(|word| word.strip_prefix("--reuid="))
}

fn command(run_as: &[String], program: &Path) -> Command {
    match run_as.split_first() {
        None => Command::new(program),
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    }
}

fn template(programs: &Path, run_as: &[String]) -> PathBuf {
    let version = watchdog::output(Command::new(programs.join("postgres")).arg("--version"));
    let number = version.split_whitespace().nth(2).unwrap_or("0").to_string();
    let major: u32 = number.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    let user = user_name(run_as).unwrap_or("self");
    watchdog::template(&format!("postgres-{number}-{user}-2"), |data| {
        let parent = data.parent().expect("the data directory is inside a directory");
        let password_file = parent.join("password");
        std::fs::write(&password_file, PASSWORD).expect("a temporary file can be written");
        if let Some(user) = user_name(run_as) {
            watchdog::output(Command::new("chown").arg("-R").arg(user).arg(parent));
        }
        let mut initdb = command(run_as, &programs.join("initdb"));
        initdb.current_dir(parent).args(["-U", "trueup", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
        // The server checks the password itself: the client's side of SCRAM takes long in a debug build.
        initdb.args(["--auth-local=trust", "--auth-host=password"]).arg("--pwfile").arg(&password_file);
        if major >= 15 {
            initdb.args(["--locale-provider=icu", "--icu-locale=en-US"]);
        }
        watchdog::output(initdb.arg("-D").arg(data));
    })
}
