//! What a look-up costs: round trips, counted on the wire, and no time.

use std::io::{Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::{SERVER, run};
use wasmigrate::touched::{Verb, Write};

/// Between a session and the server, counting how often the session speaks after having been answered.
struct Wire {
    port: u16,
    turns: Arc<AtomicUsize>,
}

impl Wire {
    fn open() -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = turns.clone();
        let socket = SERVER.socket_dir().join(".s.PGSQL.5432");
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
            answer(server, client, &answered);
        });
        Wire { port, turns }
    }

    fn turns(&self) -> usize {
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

fn answer(mut from: UnixStream, mut to: TcpStream, answered: &AtomicBool) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        // so that all that was sent at once has passed
        std::thread::sleep(Duration::from_millis(20));
        answered.store(true, Ordering::SeqCst);
        if to.write_all(&bytes[..length]).is_err() {
            return;
        }
    }
}

#[test]
fn a_look_up_of_what_is_plain_is_one_round_trip() {
    let wire = Wire::open();
    let url = format!(
        "postgresql://postgres@127.0.0.1:{}/postgres?sslmode=disable",
        wire.port
    );
    run(url, async |session| {
        session.open_temporary().await.unwrap();
        session
            .batch("BEGIN; SET LOCAL search_path = pg_catalog, pg_temp")
            .await
            .unwrap();
        let sql = "UPDATE s.plain SET v = $1 WHERE id = $2";
        let types = session.parameter_types(sql).await.unwrap();
        let writes = [Write {
            schema: "s".into(),
            table: "plain".into(),
            verb: Verb::Update(None),
        }];
        // the first of a session is prepared
        session.touches(sql, &types).await.unwrap();
        session.effects(&writes).await.unwrap();
        for _ in 0..2 {
            let before = wire.turns();
            session.touches(sql, &types).await.unwrap();
            let between = wire.turns();
            session.effects(&writes).await.unwrap();
            assert_eq!((between - before, wire.turns() - between), (1, 1));
            session
                .touches("SELECT nothing FROM s.a", &[])
                .await
                .unwrap_err();
            let before = wire.turns();
            let (touched, effects) =
                tokio::join!(biased; session.touches(sql, &types), session.effects(&writes));
            touched.unwrap();
            effects.unwrap();
            assert_eq!(wire.turns() - before, 1, "both at once");
        }
    });
}
