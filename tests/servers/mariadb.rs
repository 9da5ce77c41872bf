//! Starts the private MariaDB server, with a row-format binary log (the audits of what was written read it).

use std::path::{Path, PathBuf};
use std::process::Command;

use super::prepared::Prepared;
use super::{Address, Engine, Server, watchdog};

const PASSWORD: &str = "My-s3cret/%";

/// Starts a server; panics with what to install when there is none, or with its log when it does not start.
pub fn start() -> Server {
    start_with(SETTINGS)
}

/// Starts one without a binary log.
pub fn start_unlogged() -> Server {
    let settings: Vec<&str> = SETTINGS.iter().filter(|one| !one.contains("binlog")).copied().collect();
    start_with(&settings)
}

fn start_with(settings: &[&str]) -> Server {
    let mut failures = Vec::new();
    for _ in 0..3 {
        match prepare_with(settings).start() {
            Ok((address, watchdog)) => return Server::new(Engine::Mariadb, address, Some(watchdog)),
            Err(why) => failures.push(why),
        }
    }
    panic!("MariaDB could not be started: {}", failures.join("\n"));
}

/// A directory with data, and the command that serves it so that a commit outlives the server's sudden end.
pub fn prepare() -> Prepared {
    let unlogged = SETTINGS.iter().filter(|one| !one.contains("binlog") && !one.contains("flush-log"));
    let settings: Vec<&str> = unlogged.copied().chain(["innodb-flush-log-at-trx-commit=1"]).collect();
    prepare_with(&settings)
}

fn prepare_with(settings: &[&str]) -> Prepared {
    let server = program(&["mariadbd"]);
    let template = template(&server);
    let directory = watchdog::private_directory("my");
    watchdog::copy(&template, &directory.join("data"));
    let port = watchdog::free_port();
    let login = directory.join("init.sql");
    std::fs::write(
        &login,
        format!(
            "CREATE OR REPLACE USER trueup@'%' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL PRIVILEGES ON *.* TO trueup@'%' WITH GRANT OPTION;\n"
        ),
    )
    .expect("a temporary file can be written");
    let place = directory.display();
    let mut command = vec![server.display().to_string(), "--no-defaults".into()];
    command.extend(run_as());
    command.extend([
        format!("--datadir={place}/data"),
        // A server that starts deletes the temporary tables of others in a shared directory.
        format!("--tmpdir={place}"),
        format!("--socket={place}/socket"),
        format!("--pid-file={place}/server-pid"),
        format!("--init-file={}", login.display()),
        format!("--port={port}"),
    ]);
    command.extend(settings.iter().map(|setting| format!("--{setting}")));
    let address = Address {
        scheme: "mysql".into(),
        user: "trueup".into(),
        password: PASSWORD.into(),
        host: "127.0.0.1".into(),
        port,
        database: "mysql".into(),
        parameters: String::new(),
    };
    Prepared { engine: Engine::Mariadb, directory, signal: "KILL", command, address }
}

const SETTINGS: &[&str] = &[
    "skip-networking=0",
    "bind-address=127.0.0.1",
    "skip-name-resolve",
    "character-set-server=utf8mb4",
    "collation-server=utf8mb4_general_ci",
    "max-connections=200",
    "innodb-log-file-size=8M",
    "innodb-buffer-pool-size=64M",
    "innodb-flush-log-at-trx-commit=0",
    "innodb-flush-method=nosync",
    "innodb-doublewrite=0",
    "server-id=1",
    "log-bin=binlog",
    "binlog-format=ROW",
    "sync-binlog=0",
    "local-infile=0",
];

const HOW_TO_INSTALL: &str =
    "run tests/run, or: apt-get install mariadb-server mariadb-client (or set TRUEUP_TEST_MYSQL_URL)";

fn program(names: &[&str]) -> PathBuf {
    let system = ["/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/local/bin"].map(PathBuf::from);
    watchdog::find_program(names, &system)
        .unwrap_or_else(|| panic!("no MariaDB server is installed ({}); {HOW_TO_INSTALL}", names[0]))
}

/// MariaDB refuses to run as root unless told so; there is no harm in it for a private server.
fn run_as() -> Option<String> {
    watchdog::is_root().then(|| "--user=root".to_string())
}

fn template(server: &Path) -> PathBuf {
    let version = watchdog::output(Command::new(server).arg("--version"));
    let number = version.split_whitespace().nth(2).unwrap_or("0").to_string();
    let user = if watchdog::is_root() { "root" } else { "self" };
    watchdog::template(&format!("mariadb-{number}-{user}-1"), |data| {
        let mut install = Command::new(program(&["mariadb-install-db"]));
        install.arg("--no-defaults").args(run_as()).arg(format!("--datadir={}", data.display()));
        install.args(["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]);
        watchdog::output(install.arg("--innodb-log-file-size=8M"));
    })
}
