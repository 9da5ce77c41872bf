//! A process that must not outlive this one, and the directory it works in.
//!
//! The server is the child of a small shell that reads a pipe whose other end only this process holds.
//! The pipe closes when this process ends, be it by return, panic, Ctrl-C or `kill -9`; the shell then
//! stops the server and removes the directory. It runs in a process group of its own, so that a Ctrl-C
//! at the terminal reaches this process alone, and the order stays: first the tests, then the server.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// `$1`: the directory to remove at the end; `$2`: the signal that stops the server; then its command.
const SCRIPT: &str = r#"
trap : HUP INT TERM
dir=$1 signal=$2
shift 2
(
    sh -c 'echo $$ >"$0/pid"; exec "$@"' "$dir" "$@" </dev/null >"$dir/log" 2>&1
    echo $? >"$dir/ended"
) &
cat >/dev/null
pid=$(cat "$dir/pid")
kill -s "$signal" "$pid" 2>/dev/null
tries=0
while [ ! -e "$dir/ended" ] && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
[ -e "$dir/ended" ] || kill -s KILL "$pid" 2>/dev/null
rm -rf "$dir"
"#;

/// A server process bound to the life of this process.
pub struct Watchdog {
    /// Its standard input is the pipe; dropping it stops the server.
    _shell: Child,
    pub directory: PathBuf,
}

impl Watchdog {
    /// Starts `command` with `directory` as its own; the directory is removed when the command is stopped.
    pub fn start(directory: &Path, signal: &str, command: &[String]) -> Watchdog {
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "trueup-test-watchdog"])
            .arg(directory)
            .arg(signal)
            .args(command)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh can be started");
        Watchdog { _shell: shell, directory: directory.to_path_buf() }
    }

    /// Asks `ready` until it says yes. An error, with the server's log, when the process ended or time ran out.
    pub fn wait_until(&self, ready: impl Fn() -> bool, limit: Duration) -> Result<(), String> {
        let deadline = Instant::now() + limit;
        while !ready() {
            if self.directory.join("ended").exists() {
                return Err(format!("it ended at once; its log:\n{}", self.log()));
            }
            if Instant::now() > deadline {
                return Err(format!("it did not answer within {limit:?}; its log:\n{}", self.log()));
            }
            std::thread::sleep(Duration::from_millis(40));
        }
        Ok(())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

/// A new directory directly below the temporary one, short enough for a unix socket's path (107 bytes),
/// which other users may enter (a server started by root runs as another user).
pub fn private_directory(prefix: &str) -> PathBuf {
    let base =
        Some(std::env::temp_dir()).filter(|dir| dir.as_os_str().len() <= 50).unwrap_or_else(|| "/tmp".into());
    let directory = tempfile::Builder::new()
        .prefix(&format!("trueup-{prefix}-"))
        .tempdir_in(base)
        .expect("a temporary directory can be made")
        .keep();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&directory, open).expect("the mode of our own directory can be set");
    directory
}

/// A loopback port that was free a moment ago; whoever loses the race for it starts again with another.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port can be had");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// Whether this process is root's, asked of `id` because the standard library does not say.
pub fn is_root() -> bool {
    output(Command::new("id").arg("-u")).trim() == "0"
}

/// Runs `command` to its end and gives its standard output; panics with both outputs when it fails.
pub fn output(command: &mut Command) -> String {
    let done = command.stdin(Stdio::null()).output().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{command:?} failed with {}\n{out}\n{err}", done.status);
    out.into_owned()
}

/// The first of `names` found in `PATH` or one of `directories`.
pub fn find_program(names: &[&str], directories: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = std::env::split_paths(&path).chain(directories.iter().cloned()).collect();
    names.iter().flat_map(|name| places.iter().map(move |place| place.join(name))).find(|file| file.is_file())
}

/// A data directory made once per engine, version and user below the build's temporary directory, and then
/// copied: initialising costs a second or two, a copy some milliseconds. `make` fills the directory it is
/// given; other test processes wait for it.
pub fn template(name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let base = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(&base).expect("the build's temporary directory can be made");
    let lock = fs::File::create(base.join(format!("{name}.lock"))).expect("a lock file can be made");
    lock.lock().expect("a lock file can be locked");
    let finished = base.join(name);
    if !finished.exists() {
        let scratch = private_directory("init");
        make(&scratch.join("data"));
        let partial = base.join(format!("{name}.partial"));
        let _ = fs::remove_dir_all(&partial);
        copy(&scratch.join("data"), &partial);
        fs::rename(&partial, &finished).expect("a finished template can be given its name");
        let _ = fs::remove_dir_all(&scratch);
    }
    finished
}

/// Copies a data directory with owners and modes.
pub fn copy(from: &Path, to: &Path) {
    output(Command::new("cp").arg("-a").arg(from).arg(to));
}
