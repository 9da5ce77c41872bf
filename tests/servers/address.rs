//! Where a server listens, as the parts that a URL and a client program need.

/// Host, port and the administrator's login of a server.
#[derive(Clone, Debug)]
pub struct Address {
    pub scheme: String,
    pub user: String,
    pub password: String,
    pub host: String,
    pub port: u16,
    /// The database to log in to for administration.
    pub database: String,
    /// What followed the `?` of a given URL.
    pub parameters: String,
}

impl Address {
    /// The URL of `database` on this server.
    pub fn url(&self, database: &str) -> String {
        self.url_as(&self.user, &self.password, database)
    }

    /// The URL of `database` for another login.
    pub fn url_as(&self, user: &str, password: &str, database: &str) -> String {
        let Address { scheme, host, port, parameters, .. } = self;
        let query = if parameters.is_empty() { String::new() } else { format!("?{parameters}") };
        format!("{scheme}://{}:{}@{host}:{port}/{database}{query}", encode(user), encode(password))
    }

    /// Reads `scheme://user:password@host:port/database?parameters`; the user is required.
    pub fn parse(url: &str) -> Result<Address, String> {
        let (scheme, rest) = url.split_once("://").ok_or("no scheme")?;
        let default_port = match scheme {
            "postgres" | "postgresql" => 5432,
            "mysql" | "mariadb" => 3306,
            other => return Err(format!("unknown scheme {other}")),
        };
        let (login, rest) = rest.rsplit_once('@').ok_or("no user")?;
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (place, database) = place.split_once('/').unwrap_or((place, ""));
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| format!("port {port} is not a number"))?),
            None => (place, default_port),
        };
        let fallback = if default_port == 5432 { "postgres" } else { "mysql" };
        Ok(Address {
            scheme: scheme.into(),
            user: decode(user),
            password: decode(password),
            host: host.into(),
            port,
            database: if database.is_empty() { fallback.into() } else { database.into() },
            parameters: parameters.into(),
        })
    }
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => (b as char).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail
            .get(..2)
            .and_then(|h| std::str::from_utf8(h).ok())
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
