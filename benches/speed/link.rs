//! A slow line between the product and a server: a proxy that delays what goes through, lets only so many bits pass in
//! a second, and counts the bytes.
//!
//! Each direction is one line that all connections share, as they would share a real one: a piece takes its place
//! behind those before it, and arrives half a round trip after its last bit was sent. What waits is bounded, so that a
//! sender that is too fast is held up.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Failed;

pub const BITS_PER_SECOND: u64 = 20_000_000;
pub const ROUND_TRIP: Duration = Duration::from_millis(50);

/// How much is sent at once; small, so that connections share the line evenly.
const PIECE_BYTES: usize = 8 << 10;
/// Pieces of a connection that are on their way.
const PIECES_WAITING: usize = 32;

/// A listening proxy; lives as long as the process.
pub struct Link {
    pub port: u16,
    received: Arc<AtomicU64>,
}

/// One direction.
struct Lane {
    /// When what was handed in so far will have been sent.
    free_at: Mutex<Instant>,
    bytes: Arc<AtomicU64>,
}

impl Lane {
    fn new(bytes: Arc<AtomicU64>) -> Arc<Lane> {
        Arc::new(Lane { free_at: Mutex::new(Instant::now()), bytes })
    }

    /// When a piece that is handed in now arrives.
    fn arrival(&self, bytes: usize) -> Instant {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        *free_at = (*free_at).max(Instant::now()) + time_to_send(bytes as u64);
        *free_at + ROUND_TRIP / 2
    }
}

/// How long a line of this rate is busy with so many bytes.
pub fn time_to_send(bytes: u64) -> Duration {
    Duration::from_secs_f64(bytes as f64 * 8.0 / BITS_PER_SECOND as f64)
}

impl Link {
    /// Listens on a port of its own for the server at `host:port`.
    pub fn start(server: String) -> Result<Link, Failed> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|why| why.to_string())?;
        let port = listener.local_addr().map_err(|why| why.to_string())?.port();
        let received = Arc::new(AtomicU64::new(0));
        let (up, down) = (Lane::new(Arc::default()), Lane::new(Arc::clone(&received)));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A connection that cannot be made is one that the client sees closed.
                let _ = serve(client, &server, &up, &down);
            }
        });
        Ok(Link { port, received })
    }

    /// Bytes that the server has sent since this was asked last.
    pub fn take_received(&self) -> u64 {
        self.received.swap(0, Ordering::Relaxed)
    }
}

fn serve(client: TcpStream, server: &str, up: &Arc<Lane>, down: &Arc<Lane>) -> std::io::Result<()> {
    let server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    carry(client.try_clone()?, server.try_clone()?, Arc::clone(up));
    carry(server, client, Arc::clone(down));
    Ok(())
}

/// Takes from one end in a thread of its own, and gives to the other in a second one when the time has come.
fn carry(mut from: TcpStream, to: TcpStream, lane: Arc<Lane>) {
    let (send, receive) = sync_channel(PIECES_WAITING);
    std::thread::spawn(move || deliver(to, &receive));
    std::thread::spawn(move || {
        let mut buffer = vec![0; PIECE_BYTES];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let piece = (lane.arrival(read), buffer[..read].to_vec());
            if send.send(piece).is_err() {
                break;
            }
        }
    });
}

fn deliver(mut to: TcpStream, pieces: &Receiver<(Instant, Vec<u8>)>) {
    for (arrival, piece) in pieces {
        std::thread::sleep(arrival.saturating_duration_since(Instant::now()));
        if to.write_all(&piece).is_err() {
            break;
        }
    }
    // Either end may be gone already.
    let _ = to.shutdown(Shutdown::Both);
}
