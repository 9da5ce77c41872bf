//! Reads `primary`, `replicas` and the options of a side.

use std::time::Duration;

use super::amounts::parse_duration;
use super::read::{Fields, Keys, Reader, list};
use super::yaml::{Kind, Node};
use super::{CONNECTIONS_DEFAULT, EngineScheme, Located, ReplicaSpec, Side, SideUrl, SnapshotMode};

const IN_URL: &str = "it belongs into the url: postgres://user@host:5432/db, the password best as ${NAME}";

const SIDE_KEYS: Keys = Keys {
    known: &["url", "search_path", "connections", "statement_timeout", "lock_timeout", "snapshot", "binlog"],
    reserved: &[],
    refused: &[
        ("password", "a side has no key `password`", IN_URL),
        ("user", "a side has no key `user`", IN_URL),
        ("host", "a side has no key `host`", IN_URL),
        ("port", "a side has no key `port`", IN_URL),
        ("database", "a side has no key `database`", IN_URL),
    ],
};

/// The most connections a side may ask for.
const CONNECTIONS_MAX: u64 = 1000;
/// PostgreSQL keeps its time-outs as signed 32-bit milliseconds.
const TIMEOUT_MAX: Duration = Duration::from_millis(i32::MAX as u64);

/// Which of the two a side is; some options fit only one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Primary,
    Replica,
}

/// Reads a side: a URL, or a mapping with `url`.
pub(super) fn read_side(node: &Node, what: &str, role: Role, reader: &mut Reader<'_>) -> Option<Side> {
    if matches!(node.kind, Kind::Scalar(_)) && !node.is_null() {
        return read_url(node, &format!("the url of {what}"), reader).map(plain_side);
    }
    if !matches!(node.kind, Kind::Mapping(_)) {
        let expected = "must be a URL, or a mapping with `url`";
        reader.error(node.place, format!("{what} {expected}, not {}", node.describe()));
        return None;
    }
    let fields = reader.fields(node, what, &SIDE_KEYS)?;
    let url = match fields.get("url") {
        Some(url) => read_url(url, &format!("the url of {what}"), reader),
        None => {
            reader.error(node.place, format!("`url` is missing in {what}"));
            None
        }
    };
    let options = read_options(&fields, reader);
    let mut side = plain_side(url?);
    check_fit(&side.url, what, role, &fields, reader);
    side.search_path = options.search_path.unwrap_or_default();
    side.connections = options.connections.unwrap_or(CONNECTIONS_DEFAULT);
    side.statement_timeout = options.statement_timeout;
    side.lock_timeout = options.lock_timeout;
    side.snapshot = options.snapshot.unwrap_or_default();
    side.binlog = options.binlog;
    Some(side)
}

impl Side {
    /// A side with nothing but a URL, as `trueup init` is given them.
    pub fn from_url(url: SideUrl) -> Side {
        plain_side(url)
    }
}

fn plain_side(url: SideUrl) -> Side {
    Side {
        url,
        search_path: Vec::new(),
        connections: CONNECTIONS_DEFAULT,
        statement_timeout: None,
        lock_timeout: None,
        snapshot: SnapshotMode::Auto,
        binlog: None,
    }
}

fn read_url(node: &Node, what: &str, reader: &mut Reader<'_>) -> Option<SideUrl> {
    let text = reader.text(node, what)?;
    match SideUrl::parse(&text.value, node.place) {
        Ok(url) => Some(url),
        Err(error) => {
            reader.error_with_hint(
                node.place,
                format!("{what} cannot be used: {}", error.message),
                error.hint,
            );
            None
        }
    }
}

/// The options by themselves, each `None` where it is absent or wrong.
struct Options {
    search_path: Option<Vec<Located<String>>>,
    connections: Option<u32>,
    statement_timeout: Option<Duration>,
    lock_timeout: Option<Duration>,
    snapshot: Option<SnapshotMode>,
    binlog: Option<bool>,
}

fn read_options(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Options {
    let snapshots =
        [("auto", SnapshotMode::Auto), ("lock", SnapshotMode::Lock), ("none", SnapshotMode::None)];
    let connections =
        fields.get("connections").and_then(|node| reader.integer(node, "`connections`", 1, CONNECTIONS_MAX));
    Options {
        search_path: fields.get("search_path").and_then(|node| read_search_path(node, reader)),
        connections: connections.map(|count| count as u32),
        statement_timeout: read_timeout(fields, "statement_timeout", reader),
        lock_timeout: read_timeout(fields, "lock_timeout", reader),
        snapshot: fields.get("snapshot").and_then(|node| reader.choice(node, "`snapshot`", &snapshots)),
        binlog: fields.get("binlog").and_then(|node| {
            let words = [("on", true), ("off", false), ("true", true), ("false", false)];
            reader.choice(node, "`binlog`", &words)
        }),
    }
}

/// A list of schemas, or as in PostgreSQL itself a text with commas.
fn read_search_path(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<Located<String>>> {
    if !matches!(node.kind, Kind::Scalar(_)) {
        return reader.texts(node, "`search_path`");
    }
    let text = reader.text(node, "`search_path`")?;
    let names: Vec<Located<String>> = text
        .value
        .split(',')
        .map(|name| name.trim())
        .map(|name| match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(quoted) => quoted.replace("\"\"", "\""),
            None => name.to_owned(),
        })
        .map(|name| Located::new(name, node.place))
        .collect();
    if names.iter().any(|name| name.value.is_empty()) {
        reader.error(node.place, "`search_path` holds an empty name");
        return None;
    }
    Some(names)
}

fn read_timeout(fields: &Fields<'_>, key: &str, reader: &mut Reader<'_>) -> Option<Duration> {
    let node = fields.get(key)?;
    let what = format!("`{key}`");
    let duration = reader.parsed(node, &what, "a duration", parse_duration)?.value;
    if duration.is_zero() {
        let hint = "leave it out for no limit".to_owned();
        reader.error_with_hint(node.place, format!("{what} must be more than nothing"), Some(hint));
        return None;
    }
    if duration > TIMEOUT_MAX {
        reader.error(node.place, format!("{what} must be at most 24 days"));
        return None;
    }
    Some(duration)
}

/// Options that the engine or the role has no use for are errors, so that nobody relies on them.
fn check_fit(url: &SideUrl, what: &str, role: Role, fields: &Fields<'_>, reader: &mut Reader<'_>) {
    let engine = url.scheme.name();
    if let Some(place) = fields.key_place("search_path").filter(|_| url.scheme != EngineScheme::Postgres) {
        let message = format!("`search_path` is for PostgreSQL, {what} is {engine}");
        let hint = "name the schema in the tables instead, as in `shop.orders`".to_owned();
        reader.error_with_hint(place, message, (url.scheme != EngineScheme::Sqlite).then_some(hint));
    }
    let Some(place) = fields.key_place("binlog") else { return };
    if !url.scheme.is_mysql_family() {
        reader.error(place, format!("`binlog` is for MySQL and MariaDB, {what} is {engine}"));
    } else if role == Role::Primary {
        reader.error(place, "`binlog` is for replicas, the primary is never written");
    }
}

/// Reads `replicas`: names with sides.
pub(super) fn read_replicas(node: &Node, reader: &mut Reader<'_>) -> Vec<ReplicaSpec> {
    if let Kind::Sequence(_) = &node.kind {
        let hint = "give each a name: `eu: mysql://db.eu/shop`".to_owned();
        reader.error_with_hint(node.place, "`replicas` must be a mapping, not a list", Some(hint));
        return Vec::new();
    }
    let Some(entries) = reader.mapping(node, "`replicas`") else { return Vec::new() };
    if entries.is_empty() {
        reader.error(node.place, "`replicas` names no replica");
    }
    let mut replicas = Vec::new();
    for (name, side) in entries {
        check_name(name, reader);
        let what =
            if is_name(&name.value) { format!("replica `{}`", name.value) } else { "a replica".to_owned() };
        if let Some(side) = read_side(side, &what, Role::Replica, reader) {
            replicas.push(ReplicaSpec { name: name.clone(), side });
        }
    }
    replicas
}

fn is_name(name: &str) -> bool {
    let first_fits = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    first_fits && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

/// Names become parts of file names and options, hence few characters.
fn check_name(name: &Located<String>, reader: &mut Reader<'_>) {
    if is_name(&name.value) {
        return;
    }
    let keys: Vec<&str> = SIDE_KEYS.known.to_vec();
    let hint = format!("a side's own keys ({}) stand one level deeper, under its name", list(&keys));
    let message =
        "a replica's name is made of letters, digits, `_`, `.` and `-`, and begins with none of the last two";
    reader.error_with_hint(name.place, message, name.value.contains("://").then_some(hint));
}

/// Two sides with the same address are certainly the same database; others are told apart when connected.
pub(super) fn check_distinct(primary: &Side, replicas: &[ReplicaSpec], reader: &mut Reader<'_>) {
    let mut seen: Vec<(String, &SideUrl)> = vec![("the primary".to_owned(), &primary.url)];
    for replica in replicas {
        let url = &replica.side.url;
        if let Some((other, _)) = seen.iter().find(|(_, other)| same_address(url, other)) {
            let message = format!("replica `{}` is the same database as {other}", replica.name.value);
            reader.error(url.place, message);
        }
        seen.push((format!("replica `{}`", replica.name.value), url));
    }
}

/// What is loaded for a look must never be loaded into what it is held against.
pub(super) fn check_scratch(
    scratch: &Side,
    primary: &Side,
    replicas: &[ReplicaSpec],
    reader: &mut Reader<'_>,
) {
    let sides = replicas.iter().map(|replica| (format!("replica `{}`", replica.name.value), &replica.side));
    let mut sides = std::iter::once(("the primary".to_owned(), primary)).chain(sides);
    if let Some((other, _)) = sides.find(|(_, side)| same_address(&scratch.url, &side.url)) {
        let hint = "give it a database of its own, which is empty".to_owned();
        let message = format!("`scratch` is the same database as {other}");
        reader.error_with_hint(scratch.url.place, message, Some(hint));
    }
}

fn same_address(a: &SideUrl, b: &SideUrl) -> bool {
    let family = |url: &SideUrl| if url.scheme.is_mysql_family() { EngineScheme::Mysql } else { url.scheme };
    if family(a) != family(b) || a.database != b.database {
        return false;
    }
    // Without a database the user decides which one it is (PostgreSQL); in the MySQL family the tables' own
    // names do, so nothing is certain.
    let same_default =
        a.database.is_some() || (family(a) == EngineScheme::Postgres && a.user.is_some() && a.user == b.user);
    let same_socket = a.socket.is_some() && a.socket == b.socket;
    let same_host = a.socket.is_none() && b.socket.is_none() && a.host == b.host;
    let default_port = if family(a) == EngineScheme::Postgres { 5432 } else { 3306 };
    let port = |url: &SideUrl| url.port.unwrap_or(default_port);
    // MySQL's socket is a file, its port means nothing; PostgreSQL's is a folder with a file a port.
    let same_port = port(a) == port(b) || (same_socket && family(a) == EngineScheme::Mysql);
    same_default && (same_socket || same_host) && same_port
}
