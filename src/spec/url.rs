//! The URL of a side, taken apart; its password is a secret type that prints as `***`.

use std::fmt;

use crate::sql::EngineName;

use super::Place;

/// Which engine a URL asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EngineScheme {
    /// `sqlite:`
    Sqlite,
    /// `postgres://` or `postgresql://`
    Postgres,
    /// `mysql://`
    Mysql,
    /// `mariadb://`
    Mariadb,
}

impl EngineScheme {
    /// Whether the server speaks the MySQL protocol. `mysql://` may reach a MariaDB server and the other
    /// way round; only the server's own version says which it is.
    pub fn is_mysql_family(self) -> bool {
        matches!(self, EngineScheme::Mysql | EngineScheme::Mariadb)
    }

    /// The engine that the scheme alone promises; see [`is_mysql_family`](Self::is_mysql_family).
    pub fn engine(self) -> EngineName {
        match self {
            EngineScheme::Sqlite => EngineName::Sqlite,
            EngineScheme::Postgres => EngineName::Postgres,
            EngineScheme::Mysql => EngineName::Mysql,
            EngineScheme::Mariadb => EngineName::Mariadb,
        }
    }

    /// The scheme as written in [`SideUrl::display`].
    pub fn name(self) -> &'static str {
        match self {
            EngineScheme::Sqlite => "sqlite",
            EngineScheme::Postgres => "postgres",
            EngineScheme::Mysql => "mysql",
            EngineScheme::Mariadb => "mariadb",
        }
    }
}

/// A text that must never be shown: both `Debug` and `Display` print `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself, for the connection alone.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "***")
    }
}

/// How much TLS a connection needs, the same words for both server families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Never.
    Disable,
    /// PostgreSQL only: plain first, TLS where the server wants it.
    Allow,
    /// TLS where the server has it.
    Prefer,
    /// TLS, any certificate.
    Require,
    /// TLS, the certificate's authority is checked.
    VerifyCa,
    /// TLS, authority and host name are checked.
    VerifyFull,
}

/// TLS parameters of a URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// `sslmode` / `ssl-mode`; `None` is sqlx's default, which prefers TLS.
    pub mode: Option<TlsMode>,
    /// File with the authorities' certificates: `sslrootcert` / `ssl-ca`.
    pub root_cert: Option<String>,
    /// File with the client's certificate: `sslcert` / `ssl-cert`.
    pub client_cert: Option<String>,
    /// File with the client's key: `sslkey` / `ssl-key`.
    pub client_key: Option<String>,
}

/// A side's URL in parts, percent-decoded. Made by the parser; shown only through [`SideUrl::display`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideUrl {
    /// Where the URL stands in the spec.
    pub place: Place,
    /// The engine it asks for.
    pub scheme: EngineScheme,
    /// Host name or address (IPv6 without brackets); none for SQLite and where the URL has none.
    pub host: Option<String>,
    /// TCP port, where given.
    pub port: Option<u16>,
    /// Folder (PostgreSQL) or file (MySQL family) of a Unix socket; wins over `host`.
    pub socket: Option<String>,
    /// User name, where given.
    pub user: Option<String>,
    /// Password, where given.
    pub password: Option<Secret>,
    /// Database name; for SQLite the file's path, always given.
    pub database: Option<String>,
    /// SQLite only: `?mode=ro`.
    pub read_only: bool,
    /// TLS parameters.
    pub tls: Tls,
    /// PostgreSQL's `application_name`.
    pub application_name: Option<String>,
    /// PostgreSQL run-time parameters: `options[name]=value`.
    pub options: Vec<(String, String)>,
    /// PostgreSQL's raw `options` text, such as `-c geqo=off`.
    pub options_text: Option<String>,
    /// MySQL family: connection character set.
    pub charset: Option<String>,
    /// MySQL family: connection collation.
    pub collation: Option<String>,
}

impl SideUrl {
    /// The URL without password and parameters, for messages: `postgres://user@host:5432/db`.
    pub fn display(&self) -> String {
        if self.scheme == EngineScheme::Sqlite {
            return format!("sqlite:{}", self.database.as_deref().unwrap_or_default());
        }
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let host = match (&self.socket, &self.host) {
            (Some(socket), _) => socket.clone(),
            (None, Some(host)) if host.contains(':') => format!("[{host}]"),
            (None, Some(host)) => host.clone(),
            (None, None) => "localhost".to_owned(),
        };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let database = self.database.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
        format!("{}://{user}{host}{port}{database}", self.scheme.name())
    }
}

impl fmt::Display for SideUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.display())
    }
}
