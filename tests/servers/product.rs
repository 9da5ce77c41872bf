//! What a server is, asked of itself, and what is left out because of it: told aloud, never silently.

use std::io::Write;

use super::Engine;
use super::session::Session;

/// A server's brand and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// As the tool's output calls the engine: `sqlite`, `postgres`, `mariadb`, `mysql`.
    pub name: &'static str,
    /// As the server says it, without what a distribution adds.
    pub version: String,
}

impl Product {
    pub(super) const SQLITE: Product = Product { name: "sqlite", version: String::new() };

    pub(super) fn ask(engine: Engine, session: &mut Session) -> Product {
        let sql = if engine == Engine::Postgres { "SHOW server_version" } else { "SELECT version()" };
        let rows = session.run(sql).unwrap_or_else(|why| panic!("{sql}: {why}"));
        let banner = rows.into_iter().flatten().flatten().next().unwrap_or_default();
        let name = match engine {
            Engine::Postgres => "postgres",
            _ if banner.to_ascii_lowercase().contains("mariadb") => "mariadb",
            _ => "mysql",
        };
        let version = banner.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        Product { name, version }
    }

    /// The first number of the version.
    pub fn major(&self) -> u32 {
        self.version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0)
    }

    /// The first two numbers of the version.
    pub fn release(&self) -> (u32, u32) {
        let mut numbers = self.version.split('.').map(|number| number.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }

    pub fn is_mysql(&self) -> bool {
        self.name == "mysql"
    }

    /// Scripts are written for MariaDB; MySQL has another name for the collation by code point, and no
    /// `seq_1_to_N` to select from.
    pub(super) fn adapted(&self, sql: &str) -> String {
        if !self.is_mysql() {
            return sql.to_owned();
        }
        let sql = sql.replace("utf8mb4_nopad_bin", "utf8mb4_0900_bin");
        let mut parts = sql.split("FROM seq_1_to_");
        let mut adapted = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            let (count, rest) = part.split_at(digits);
            adapted.push_str(&format!(
                "FROM (WITH RECURSIVE n AS (SELECT 1 AS seq UNION ALL SELECT seq + 1 FROM n WHERE seq < {count}) \
                 SELECT seq FROM n) numbers{rest}"
            ));
        }
        adapted
    }

    /// One line about the server, where `tests/matrix` looks for it.
    pub(super) fn tell(&self, given: bool) {
        let whose = if given { "given" } else { "private" };
        say(&format!("{whose} server: {} {}", self.name, self.version));
    }
}

/// Says that `what` cannot be shown on the server behind `engine`, and why.
pub fn not_run(engine: Engine, what: &str, why: &str) {
    let Product { name, version } = engine.product();
    say(&format!("not run on {name} {version}: {what}: {why}"));
}

/// Whether the server behind `engine` is a `wanted` (`mariadb`, `mysql`); where not, `what` is told as not run.
pub fn runs_on(engine: Engine, wanted: &str, what: &str, why: &str) -> bool {
    let runs = engine.product().name == wanted;
    if !runs {
        not_run(engine, what, why);
    }
    runs
}

/// Past the capture of test output, which only the print macros go through; one write, so that lines stay whole.
fn say(line: &str) {
    // Without a standard error nobody could be told anyway.
    let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}
