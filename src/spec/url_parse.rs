//! From a URL's text to a [`SideUrl`], by sqlx's rules, with nothing ignored.
//!
//! An unknown parameter is an error. No message quotes a part of the URL that might belong to a password: a
//! `/`, `?`, `#` or `@` that someone forgot to encode moves the parts, so only words that look like words are shown.

use super::read::{did_you_mean, list};
use super::{EngineScheme, Place, Secret, SideUrl, Tls, TlsMode};

/// Why a URL cannot be used; never holds any part of a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UrlError {
    /// What is wrong, lower-case.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl UrlError {
    fn new<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, UrlError> {
        Err(UrlError { message: message.into(), hint: Some(hint.into()) })
    }
}

const FORMS: &str =
    "the forms are postgres://user@host/db, mysql://user@host/db, mariadb://user@host/db and sqlite:path";
const ENCODE: &str =
    "in user and password write `@` as %40, `:` as %3A, `/` as %2F, `?` as %3F, `#` as %23 and `%` as %25";

impl SideUrl {
    /// Reads a URL that stands at `place` (for one from the command line: [`Place::START`]).
    pub fn parse(text: &str, place: Place) -> Result<SideUrl, UrlError> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once(':') else {
            return UrlError::new("the URL has no scheme", format!("{FORMS}; for a file write sqlite:path"));
        };
        let scheme = engine(scheme)?;
        let mut url = empty(scheme, place);
        if scheme == EngineScheme::Sqlite {
            read_sqlite(&mut url, rest)?;
        } else {
            let Some(rest) = rest.strip_prefix("//") else {
                return UrlError::new(format!("`//` is missing after `{}:`", scheme.name()), FORMS);
            };
            read_server(&mut url, rest)?;
        }
        Ok(url)
    }
}

fn engine(scheme: &str) -> Result<EngineScheme, UrlError> {
    match scheme.to_ascii_lowercase().as_str() {
        "sqlite" => Ok(EngineScheme::Sqlite),
        "postgres" | "postgresql" => Ok(EngineScheme::Postgres),
        "mysql" => Ok(EngineScheme::Mysql),
        "mariadb" => Ok(EngineScheme::Mariadb),
        other if is_word(other) => {
            let known = ["sqlite", "postgres", "postgresql", "mysql", "mariadb"];
            let hint = match did_you_mean(other, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => FORMS.to_owned(),
            };
            UrlError::new(format!("unknown database engine `{other}` in the URL"), hint)
        }
        _ => UrlError::new("the URL does not begin with a known scheme", FORMS),
    }
}

fn empty(scheme: EngineScheme, place: Place) -> SideUrl {
    SideUrl {
        place,
        scheme,
        host: None,
        port: None,
        socket: None,
        user: None,
        password: None,
        database: None,
        read_only: false,
        tls: Tls::default(),
        application_name: None,
        options: Vec::new(),
        options_text: None,
        charset: None,
        collation: None,
    }
}

/// Whether a text is a plain word that can be shown in a message.
fn is_word(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-[].+".contains(c);
    !text.is_empty() && text.len() <= 40 && text.chars().all(fits)
}

fn read_sqlite(url: &mut SideUrl, rest: &str) -> Result<(), UrlError> {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if path == ":memory:" {
        return UrlError::new(
            "an in-memory SQLite database exists for one connection only and cannot be a side",
            "give the path of a file: sqlite:path",
        );
    }
    if path.is_empty() {
        return UrlError::new("the SQLite URL has no path", "write sqlite:path, for example sqlite:shop.db");
    }
    url.database = Some(decode(path)?);
    for (name, value) in pairs(query)? {
        match (name.as_str(), value.as_str()) {
            ("mode", "ro") => url.read_only = true,
            ("mode", "rw" | "rwc") => url.read_only = false,
            ("mode", _) => {
                return UrlError::new("`mode` must be one of `ro`, `rw` and `rwc`", "leave it out");
            }
            _ => return unknown(&name, url.scheme, &["mode"]),
        }
    }
    Ok(())
}

fn read_server(url: &mut SideUrl, rest: &str) -> Result<(), UrlError> {
    if rest.contains('#') {
        return UrlError::new("the URL holds a `#`, which ends it too early", ENCODE);
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    if !authority.contains('@') && tail.contains('@') {
        return UrlError::new("the part before `@` holds a `/` or `?`", ENCODE);
    }
    let (user_info, address) = match authority.rsplit_once('@') {
        Some((user_info, address)) => (Some(user_info), address),
        None => (None, authority),
    };
    if let Some(user_info) = user_info {
        let (user, password) = match user_info.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (user_info, None),
        };
        if user_info.contains('@') || password.is_some_and(|password| password.contains(':')) {
            return UrlError::new("the part before the last `@` holds an `@` or `:` of its own", ENCODE);
        }
        url.user = Some(decode(user)?).filter(|user| !user.is_empty());
        url.password = password.map(decode).transpose()?.map(Secret::new);
    }
    read_address(url, address)?;
    let database = path.trim_start_matches('/');
    if !database.is_empty() {
        url.database = Some(decode(database)?);
    }
    for (name, value) in pairs(query)? {
        if url.scheme == EngineScheme::Postgres {
            postgres_parameter(url, &name, value)?;
        } else {
            mysql_parameter(url, &name, value)?;
        }
    }
    Ok(())
}

/// `host`, `host:port`, `[::1]:port`, or for PostgreSQL a percent-encoded folder of a socket.
fn read_address(url: &mut SideUrl, address: &str) -> Result<(), UrlError> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) if port.starts_with(':') => (host, Some(&port[1..])),
            _ => {
                return UrlError::new("the brackets around the address are not balanced", "write [::1]:5432");
            }
        },
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    if let Some(port) = port.filter(|port| !port.is_empty()) {
        url.port = Some(read_port(port)?);
    }
    let host = decode(host)?;
    if host.starts_with('/') && url.scheme == EngineScheme::Postgres {
        url.socket = Some(host);
    } else if !host.is_empty() {
        url.host = Some(host);
    }
    Ok(())
}

fn read_port(port: &str) -> Result<u16, UrlError> {
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => UrlError::new("the port in the URL is not a number from 1 to 65535", ENCODE),
    }
}

fn postgres_parameter(url: &mut SideUrl, name: &str, value: String) -> Result<(), UrlError> {
    match name {
        "sslmode" | "ssl-mode" => url.tls.mode = Some(tls_mode(&value, POSTGRES_TLS)?),
        "sslrootcert" | "ssl-root-cert" | "ssl-ca" => url.tls.root_cert = Some(value),
        "sslcert" | "ssl-cert" => url.tls.client_cert = Some(value),
        "sslkey" | "ssl-key" => url.tls.client_key = Some(value),
        "host" if value.starts_with('/') => url.socket = Some(value),
        "host" | "hostaddr" => url.host = Some(value),
        "port" => url.port = Some(read_port(&value)?),
        "dbname" => url.database = Some(value),
        "user" => url.user = Some(value),
        "password" => url.password = Some(Secret::new(value)),
        "application_name" => url.application_name = Some(value),
        "options" => url.options_text = Some(value),
        _ => match name.strip_prefix("options[").and_then(|rest| rest.strip_suffix(']')) {
            Some(option) if is_word(option) => url.options.push((option.to_owned(), value)),
            _ => return unknown(name, url.scheme, POSTGRES_PARAMETERS),
        },
    }
    Ok(())
}

fn mysql_parameter(url: &mut SideUrl, name: &str, value: String) -> Result<(), UrlError> {
    match name {
        "sslmode" | "ssl-mode" => url.tls.mode = Some(tls_mode(&value, MYSQL_TLS)?),
        "sslca" | "ssl-ca" | "sslrootcert" => url.tls.root_cert = Some(value),
        "sslcert" | "ssl-cert" => url.tls.client_cert = Some(value),
        "sslkey" | "ssl-key" => url.tls.client_key = Some(value),
        "socket" => url.socket = Some(value),
        "charset" => url.charset = Some(value),
        "collation" => url.collation = Some(value),
        "timezone" | "time-zone" => {
            return UrlError::new("the time zone of a session cannot be set", "every session runs in UTC");
        }
        _ => return unknown(name, url.scheme, MYSQL_PARAMETERS),
    }
    Ok(())
}

const POSTGRES_PARAMETERS: &[&str] = &[
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];
const MYSQL_PARAMETERS: &[&str] =
    &["ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "socket", "charset", "collation"];

const POSTGRES_TLS: &[(&str, TlsMode)] = &[
    ("disable", TlsMode::Disable),
    ("allow", TlsMode::Allow),
    ("prefer", TlsMode::Prefer),
    ("require", TlsMode::Require),
    ("verify-ca", TlsMode::VerifyCa),
    ("verify-full", TlsMode::VerifyFull),
];
const MYSQL_TLS: &[(&str, TlsMode)] = &[
    ("disabled", TlsMode::Disable),
    ("preferred", TlsMode::Prefer),
    ("required", TlsMode::Require),
    ("verify_ca", TlsMode::VerifyCa),
    ("verify_identity", TlsMode::VerifyFull),
];

fn tls_mode(value: &str, modes: &[(&str, TlsMode)]) -> Result<TlsMode, UrlError> {
    if let Some((_, mode)) = modes.iter().find(|(word, _)| word.eq_ignore_ascii_case(value)) {
        return Ok(*mode);
    }
    let words: Vec<&str> = modes.iter().map(|(word, _)| *word).collect();
    UrlError::new("the TLS mode in the URL is not known", format!("it is one of {}", list(&words)))
}

fn unknown<T>(name: &str, scheme: EngineScheme, known: &[&str]) -> Result<T, UrlError> {
    if !is_word(name) {
        return UrlError::new("the URL holds a parameter that is not known", ENCODE);
    }
    let hint = match did_you_mean(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("a {} URL takes {}", scheme.name(), list(known)),
    };
    UrlError::new(format!("unknown parameter `{name}` in the URL"), hint)
}

/// The parameters, decoded as sqlx does it (`+` is a space); none may stand twice.
fn pairs(query: &str) -> Result<Vec<(String, String)>, UrlError> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(&name.replace('+', " "))?, decode(&value.replace('+', " "))?);
        if pairs.iter().any(|(other, _)| *other == name) {
            return UrlError::new("a parameter of the URL stands there twice", "keep one of them");
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

fn decode(text: &str) -> Result<String, UrlError> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'%' {
            decoded.push(bytes[at]);
            at += 1;
            continue;
        }
        let digit = |offset: usize| bytes.get(at + offset).and_then(|b| (*b as char).to_digit(16));
        let (Some(high), Some(low)) = (digit(1), digit(2)) else {
            return UrlError::new(
                "the URL holds a `%` without two hexadecimal digits after it",
                "write `%` as %25",
            );
        };
        decoded.push((high * 16 + low) as u8);
        at += 3;
    }
    match String::from_utf8(decoded) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => UrlError::new("the percent-encoded bytes of the URL are not UTF-8 text", ENCODE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> SideUrl {
        SideUrl::parse(text, Place::START).expect("a good url")
    }

    fn error(text: &str) -> UrlError {
        SideUrl::parse(text, Place::START).expect_err("a bad url")
    }

    #[test]
    fn servers_are_taken_apart_and_decoded() {
        let side =
            url("postgresql://an%40na:p%3Ass%2F@db.eu:5433/sh%20op?sslmode=verify-full&sslrootcert=/ca.pem");
        assert_eq!(side.scheme, EngineScheme::Postgres);
        assert_eq!(side.user.as_deref(), Some("an@na"));
        assert_eq!(side.password.as_ref().map(Secret::expose), Some("p:ss/"));
        assert_eq!((side.host.as_deref(), side.port), (Some("db.eu"), Some(5433)));
        assert_eq!(side.database.as_deref(), Some("sh op"));
        assert_eq!(side.tls.mode, Some(TlsMode::VerifyFull));
        assert_eq!(side.tls.root_cert.as_deref(), Some("/ca.pem"));
        assert_eq!(side.display(), "postgres://an@na@db.eu:5433/sh op");
        let side = url("mariadb://root@[::1]:3307/shop?socket=/run/m.sock&ssl-mode=REQUIRED&charset=utf8mb4");
        assert_eq!(side.host.as_deref(), Some("::1"));
        assert_eq!(side.socket.as_deref(), Some("/run/m.sock"));
        assert_eq!(side.tls.mode, Some(TlsMode::Require));
        assert_eq!(url("mysql://h/").database, None);
    }

    #[test]
    fn postgres_sockets_as_sqlx_takes_them() {
        assert_eq!(url("postgres://u@%2Ftmp%2Fpg/db").socket.as_deref(), Some("/tmp/pg"));
        let side = url("postgres:///db?host=/tmp/pg&port=5433&user=u&options[geqo]=off");
        assert_eq!((side.socket.as_deref(), side.port), (Some("/tmp/pg"), Some(5433)));
        assert_eq!(side.options, [("geqo".to_owned(), "off".to_owned())]);
        assert_eq!(side.display(), "postgres://u@/tmp/pg:5433/db");
    }

    #[test]
    fn sqlite_paths() {
        assert_eq!(url("sqlite:edge.db").database.as_deref(), Some("edge.db"));
        assert_eq!(url("sqlite://edge.db").database.as_deref(), Some("edge.db"));
        assert_eq!(url("sqlite:///var/a%20b.db?mode=ro").database.as_deref(), Some("/var/a b.db"));
        assert!(url("sqlite:///var/a.db?mode=ro").read_only);
        assert_eq!(url("sqlite:edge.db").display(), "sqlite:edge.db");
    }

    #[test]
    fn bad_urls_say_why_without_the_password() {
        for (text, message) in [
            ("edge.db", "the URL has no scheme"),
            ("mssql://h/db", "unknown database engine `mssql` in the URL"),
            (
                "sqlite::memory:",
                "an in-memory SQLite database exists for one connection only and cannot be a side",
            ),
            ("sqlite:", "the SQLite URL has no path"),
            ("sqlite:a.db?cache=shared", "unknown parameter `cache` in the URL"),
            ("sqlite:a.db?mode=memory", "`mode` must be one of `ro`, `rw` and `rwc`"),
            ("postgres:h/db", "`//` is missing after `postgres:`"),
            ("postgres://u:hunter2/x@h/db", "the part before `@` holds a `/` or `?`"),
            ("postgres://u:hun@ter2@h/db", "the part before the last `@` holds an `@` or `:` of its own"),
            ("postgres://u:hunter2#@h/db", "the URL holds a `#`, which ends it too early"),
            ("postgres://u:hunter2", "the port in the URL is not a number from 1 to 65535"),
            ("postgres://h:70000/db", "the port in the URL is not a number from 1 to 65535"),
            ("postgres://h/db?sslmod=require", "unknown parameter `sslmod` in the URL"),
            ("postgres://h/db?sslmode=REQUIRED", "the TLS mode in the URL is not known"),
            ("mysql://h/db?timezone=%2B02:00", "the time zone of a session cannot be set"),
            ("mysql://h/db?ssl-mode=required&ssl-mode=disabled", "a parameter of the URL stands there twice"),
            ("mysql://h/d%zz", "the URL holds a `%` without two hexadecimal digits after it"),
            ("mysql://h/d%ff", "the percent-encoded bytes of the URL are not UTF-8 text"),
        ] {
            let error = error(text);
            assert_eq!(error.message, message, "{text}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        assert_eq!(error("postgres://h/db?sslmod=x").hint.as_deref(), Some("did you mean `sslmode`?"));
    }

    #[test]
    fn secrets_never_print() {
        let side = url("mysql://u:hunter2@h/db");
        assert!(!format!("{side:?} {side}").contains("hunter2"));
        let side = url("postgres://h/db?password=hunter2");
        assert!(!format!("{side:?} {side}").contains("hunter2"));
    }
}
