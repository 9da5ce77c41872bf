//! A server's data and the command that serves them: to be started, and for some tests ended with `kill -9` and started
//! again over the same data.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::session::Session;
use super::watchdog::{Watchdog, output};
use super::{Address, Database, Engine, Server, mariadb, postgres, unique_name};

/// What it takes to start a server.
pub struct Prepared {
    pub engine: Engine,
    pub directory: PathBuf,
    /// What stops it for good.
    pub signal: &'static str,
    pub command: Vec<String>,
    pub address: Address,
}

impl Prepared {
    /// Starts it and waits until it answers; its log where it does not.
    pub fn start(self) -> Result<(Address, Watchdog), String> {
        let (watchdog, answers) = self.begun();
        answers.map(|()| (self.address, watchdog))
    }

    fn begun(&self) -> (Watchdog, Result<(), String>) {
        let watchdog = Watchdog::start(&self.directory, self.signal, &self.command);
        let ready = || Session::connect(self.engine, &self.address, &self.address.database).is_ok();
        let answers = watchdog.wait_until(ready, Duration::from_secs(60));
        (watchdog, answers)
    }
}

/// A server of one test that may be killed. It is stopped for good when this process ends.
pub struct Mortal {
    server: &'static Server,
    prepared: Prepared,
    /// All that ever watched it: each removes the directory when it is dropped.
    watchdogs: Mutex<Vec<Watchdog>>,
}

impl Mortal {
    /// Starts one, whose commits outlive it.
    pub fn start(engine: Engine) -> &'static Mortal {
        let prepared = match engine {
            Engine::Postgres => postgres::prepare("on"),
            Engine::Mariadb => mariadb::prepare(),
            Engine::Sqlite => panic!("SQLite has no server"),
        };
        let (watchdog, answers) = prepared.begun();
        answers.unwrap_or_else(|why| panic!("{} does not start: {why}", engine.name()));
        let server = Server::new(engine, prepared.address.clone(), Some(watchdog));
        let server = Box::leak(Box::new(server));
        // For good: what watches it must not be dropped before this process ends.
        Box::leak(Box::new(Mortal { server, prepared, watchdogs: Mutex::default() }))
    }

    /// An empty database on it.
    pub fn fresh_database(&self, hint: &str) -> Database {
        Database::on_server(self.server, &unique_name(hint))
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&self) {
        let file = self.prepared.directory.join("pid");
        let id = std::fs::read_to_string(file).expect("its watchdog wrote it");
        output(Command::new("kill").args(["-s", "KILL", id.trim()]));
        let ended = self.prepared.directory.join("ended");
        let deadline = Instant::now() + Duration::from_secs(20);
        while !ended.exists() {
            assert!(Instant::now() < deadline, "the server outlives kill -9");
            std::thread::sleep(Duration::from_millis(5));
        }
        std::fs::remove_file(ended).expect("it was just there");
        self.server.forget_session();
    }

    /// Starts it again over the same data.
    pub fn restart(&self) {
        let mut failures = Vec::new();
        // PostgreSQL refuses to start while a process of the one before is still about to end.
        for _ in 0..40 {
            let (watchdog, answers) = self.prepared.begun();
            self.watchdogs.lock().expect("nobody panics with it").push(watchdog);
            match answers {
                Ok(()) => return,
                Err(why) => failures.push(why),
            }
            let _ = std::fs::remove_file(self.prepared.directory.join("ended"));
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the server does not start again: {}", failures.pop().unwrap_or_default());
    }
}
