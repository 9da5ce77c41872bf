//! A proxy between the tool and a server that knows where one statement ends and the next begins, and can cut every
//! connection there.
//!
//! Counting begins with the statement that takes the tool's lock, so that it is the same from run to run: what comes
//! before reads only.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::servers::Engine;

/// Where to cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before the server has seen the statement of this number.
    Before(usize),
    /// When the server has done the statement of this number, before the tool hears of it.
    After(usize),
}

/// A listening proxy; lives as long as the process.
pub struct Proxy {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    engine: Engine,
    server: String,
    cut: Option<Cut>,
    /// Statements since the one that takes the lock; 0 before.
    seen: usize,
    /// The text of the one at which the cut was made.
    cut_at: Option<String>,
    /// Nothing that a server says is handed on any more.
    deaf: bool,
    /// Both ends of every connection.
    streams: Vec<TcpStream>,
}

impl Proxy {
    /// Listens on a port of its own for a server at `host:port`.
    pub fn start(engine: Engine, server: String) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port can be had");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let state =
            State { engine, server, cut: None, seen: 0, cut_at: None, deaf: false, streams: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                serve(client, &shared);
            }
        });
        Proxy { port, state }
    }

    /// Begins to count anew, to cut there.
    pub fn arm(&self, cut: Cut) {
        let mut state = self.state.lock().expect("nobody panics with it");
        state.cut_all();
        (state.cut, state.seen, state.cut_at, state.deaf) = (Some(cut), 0, None, false);
    }

    /// The statement at which all connections were cut, if they were.
    pub fn cut_at(&self) -> Option<String> {
        self.state.lock().expect("nobody panics with it").cut_at.clone()
    }
}

impl State {
    fn cut_all(&mut self) {
        for stream in self.streams.drain(..) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Takes note of a statement; whether it may go on to the server.
    fn passes(&mut self, text: &str) -> bool {
        if self.seen == 0 && !text.contains("pg_try_advisory_lock") && !text.contains("GET_LOCK") {
            return true;
        }
        self.seen += 1;
        match self.cut {
            Some(Cut::Before(at)) if at == self.seen => {
                self.cut_at = Some(text.to_owned());
                self.cut = None;
                self.cut_all();
                false
            }
            Some(Cut::After(at)) if at == self.seen => {
                self.cut_at = Some(text.to_owned());
                self.deaf = true;
                true
            }
            _ => true,
        }
    }

    /// Whether an answer may go back; the first one that may not cuts all connections.
    fn hears(&mut self) -> bool {
        if self.deaf {
            self.deaf = false;
            self.cut = None;
            self.cut_all();
            return false;
        }
        true
    }
}

fn serve(client: TcpStream, state: &Arc<Mutex<State>>) {
    let (server, engine) = {
        let state = state.lock().expect("nobody panics with it");
        (state.server.clone(), state.engine)
    };
    let Ok(server) = TcpStream::connect(server) else { return };
    let copy = |stream: &TcpStream| stream.try_clone().expect("a socket has two handles");
    {
        let mut state = state.lock().expect("nobody panics with it");
        state.streams.extend([copy(&client), copy(&server)]);
    }
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a socket can be set so");
        stream.set_read_timeout(Some(Duration::from_secs(300))).expect("a socket can be set so");
    }
    let (from_client, to_server) = (copy(&client), copy(&server));
    let shared = Arc::clone(state);
    std::thread::spawn(move || {
        statements(engine, from_client, to_server, &shared);
    });
    let shared = Arc::clone(state);
    std::thread::spawn(move || answers(server, client, &shared));
}

fn answers(mut server: TcpStream, mut client: TcpStream, state: &Mutex<State>) {
    let mut buffer = [0; 1 << 16];
    while let Ok(read @ 1..) = server.read(&mut buffer) {
        if !state.lock().expect("nobody panics with it").hears() || client.write_all(&buffer[..read]).is_err()
        {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}

/// Hands on whole messages; ends with the connection or at the cut.
fn statements(
    engine: Engine,
    mut client: TcpStream,
    mut server: TcpStream,
    state: &Mutex<State>,
) -> Option<()> {
    let mut first = true;
    let mut pending = Vec::new();
    loop {
        let message = match engine {
            Engine::Postgres => postgres_message(&mut client, first),
            _ => mariadb_message(&mut client),
        };
        let Some(message) = message else {
            let _ = server.shutdown(Shutdown::Both);
            return None;
        };
        let ends = match engine {
            Engine::Postgres => !first && matches!(message.first(), Some(b'Q' | b'S' | b'c' | b'f')),
            // A command begins with packet 0; 1 is to leave, 25 is answered by nothing.
            _ => message.get(3) == Some(&0) && !matches!(message.get(4), Some(1 | 25)),
        };
        let starts_over = engine == Engine::Postgres && first;
        first = false;
        pending.extend_from_slice(&message);
        if ends {
            let text = String::from_utf8_lossy(&pending).into_owned();
            if !state.lock().expect("nobody panics with it").passes(&text) {
                return None;
            }
        }
        if ends || starts_over || engine != Engine::Postgres || is_flushed(&message) {
            server.write_all(&pending).ok()?;
            pending.clear();
        }
    }
}

/// Messages that the server answers before a Sync: Flush, the password, and the data of a COPY.
fn is_flushed(message: &[u8]) -> bool {
    matches!(message.first(), Some(b'H' | b'p' | b'd' | b'X'))
}

fn postgres_message(client: &mut TcpStream, first: bool) -> Option<Vec<u8>> {
    let mut message = vec![0; if first { 4 } else { 5 }];
    client.read_exact(&mut message).ok()?;
    let length = message.last_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes))? as usize;
    let head = message.len();
    message.resize(head + length.checked_sub(4)?, 0);
    client.read_exact(&mut message[head..]).ok()?;
    Some(message)
}

fn mariadb_message(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut message = vec![0; 4];
    client.read_exact(&mut message).ok()?;
    let length = usize::from(message[0]) | usize::from(message[1]) << 8 | usize::from(message[2]) << 16;
    message.resize(4 + length, 0);
    client.read_exact(&mut message[4..]).ok()?;
    Some(message)
}
