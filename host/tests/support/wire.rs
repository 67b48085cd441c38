//! A wire that counts what goes over it.
#![allow(dead_code, reason = "each test counts one thing")]

use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Between a session and the server: counts how often the session speaks after having been answered, and the bytes
/// of the answers.
pub struct Wire {
    port: u16,
    turns: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
}

impl Wire {
    /// For one session with the server whose sockets are in that folder.
    pub fn open(socket_dir: &Path) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let turns = Arc::new(AtomicUsize::new(0));
        let bytes = Arc::new(AtomicUsize::new(0));
        let (counted, weighed) = (turns.clone(), bytes.clone());
        let socket = socket_dir.join(".s.PGSQL.5432");
        std::thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            let server = UnixStream::connect(socket).unwrap();
            let answered = Arc::new(AtomicBool::new(true));
            let (from, to, seen) = (
                client.try_clone().unwrap(),
                server.try_clone().unwrap(),
                answered.clone(),
            );
            std::thread::spawn(move || speak(from, to, &seen, &counted));
            answer(server, client, &answered, &weighed);
        });
        Wire { port, turns, bytes }
    }

    /// Where the session connects to.
    pub fn url(&self) -> String {
        format!(
            "postgresql://postgres@127.0.0.1:{}/postgres?sslmode=disable",
            self.port
        )
    }

    /// How many bytes the server has answered.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::SeqCst)
    }

    /// How often the session spoke.
    pub fn turns(&self) -> usize {
        self.turns.load(Ordering::SeqCst)
    }
}

fn speak(mut from: TcpStream, mut to: UnixStream, answered: &AtomicBool, turns: &AtomicUsize) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if answered.swap(false, Ordering::SeqCst) {
            turns.fetch_add(1, Ordering::SeqCst);
        }
        if to.write_all(&bytes[..length]).is_err() {
            return;
        }
    }
}

fn answer(mut from: UnixStream, mut to: TcpStream, answered: &AtomicBool, weighed: &AtomicUsize) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        weighed.fetch_add(length, Ordering::SeqCst);
        // so that all that was sent at once has passed
        std::thread::sleep(Duration::from_millis(20));
        answered.store(true, Ordering::SeqCst);
        if to.write_all(&bytes[..length]).is_err() {
            return;
        }
    }
}
