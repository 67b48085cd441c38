//! The answer to COMMIT is lost: the history says what became of it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use crate::connection::servers::{SERVER, run_sql};
use crate::guests::{Small, folder_of};
use crate::probe::{self, Script};
use crate::support::{Database, Ended, bare};

/// The message that asks for a commit and for nothing else.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// A way to the server that breaks once, at the commit of that number: before it reaches the server, or after the
/// server has answered. Gives its port, and how many commits are to come before it breaks; below 0 it has.
fn breaking(number: i32, after_the_answer: bool) -> (u16, Arc<AtomicI32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let left = Arc::new(AtomicI32::new(number - 1));
    let still_left = Arc::clone(&left);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let to = SERVER.embedded.tcp_port().unwrap();
            let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            serve(client.unwrap(), server, &left, after_the_answer);
        }
    });
    (port, still_left)
}

fn serve(client: TcpStream, server: TcpStream, left: &Arc<AtomicI32>, after_the_answer: bool) {
    let silent = Arc::new(AtomicBool::new(false));
    let close = |a: &TcpStream, b: &TcpStream| {
        for stream in [a, b] {
            let _ = stream.shutdown(Shutdown::Both);
        }
    };
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (left, silence) = (Arc::clone(left), Arc::clone(&silent));
    std::thread::spawn(move || {
        let mut bytes = [0; 8192];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            if &bytes[..length] == COMMIT && left.fetch_sub(1, Ordering::SeqCst) == 0 {
                if !after_the_answer {
                    break;
                }
                silence.store(true, Ordering::SeqCst);
            }
            if to.write_all(&bytes[..length]).is_err() {
                break;
            }
        }
        close(&from, &to);
    });
    let (mut from, mut to) = (server, client);
    std::thread::spawn(move || {
        let mut bytes = [0; 8192];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            if silent.load(Ordering::SeqCst) || to.write_all(&bytes[..length]).is_err() {
                break;
            }
        }
        close(&from, &to);
    });
}

/// Applies two migrations over such a way.
fn up(name: &str, after_the_answer: bool) -> (Database, Ended, tempfile::TempDir) {
    let name = format!("commit_{name}_{}", std::process::id());
    run_sql(&SERVER.embedded, &format!("CREATE DATABASE {name};"));
    let url = SERVER.embedded.url(&name);
    let (port, left) = breaking(1, after_the_answer);
    let folder = folder_of(&[
        Small::new("1", "one").requires("plpgsql"),
        Small::new("2", "two"),
    ]);
    let way = format!("postgres://postgres@127.0.0.1:{port}/{name}?sslmode=disable");
    let mut command = bare(&["up", "--migrations"]);
    let output = command.arg(folder.path()).env("DATABASE_URL", way).output();
    assert!(left.load(Ordering::SeqCst) < 0, "no commit came by");
    (Database { name, url }, Ended::of(output.unwrap()), folder)
}

const RUNS: &str = "SELECT string_agg(concat_ws(' ', version, state, error_code), ', ' ORDER BY id) FROM wasmigrate.run";
const APPLIED: &str = "SELECT string_agg(version, ' ' ORDER BY version) FROM wasmigrate.migration";

#[test]
fn a_commit_that_happened_is_no_failure() {
    let (database, up, _) = up("happened", true);
    let up = up.ok();
    assert_eq!(up.stdout.matches("applied, verified").count(), 2, "{up:?}");
    assert_eq!(database.value(APPLIED), "1 2");
    assert_eq!(database.value(RUNS), "1 committed, 2 committed");
}

#[test]
fn a_commit_that_did_not_happen_is_told() {
    let (database, up, folder) = up("not", false);
    let up = up.failed(8, "database-lost");
    assert!(up.stderr.contains("failed to commit"), "{up:?}");
    assert_eq!(database.value(APPLIED), "");
    assert_eq!(database.value(RUNS), "1 failed database-lost");
    database.run(folder.path(), &["up"]).ok();
    assert_eq!(database.value(APPLIED), "1 2");
}

/// A run in steps connects anew and goes on, whichever commit it was and whatever became of it.
#[test]
fn a_step_whose_commit_is_lost_is_done_once() {
    for after_the_answer in [false, true] {
        for number in 1.. {
            let name = format!(
                "commit_step_{number}_{after_the_answer}_{}",
                std::process::id()
            );
            run_sql(&SERVER.embedded, &format!("CREATE DATABASE {name};"));
            let url = SERVER.embedded.url(&name);
            let database = Database { name, url };
            database.sql("CREATE TABLE public.t (n int)");
            Script::default()
                .up("execute", &["INSERT INTO public.t VALUES (1)"])
                .up("execute", &["CREATE INDEX CONCURRENTLY ix ON public.t (n)"])
                .up("execute", &["INSERT INTO public.t VALUES (2)"])
                .write(&database);
            let (port, left) = breaking(number, after_the_answer);
            let way = format!(
                "postgres://postgres@127.0.0.1:{port}/{}?sslmode=disable",
                database.name
            );
            let mut command = bare(&["up", "--mode", "stepwise", "--migrations"]);
            let output = command
                .arg(probe::folder())
                .env("DATABASE_URL", way)
                .output();
            let ended = Ended::of(output.unwrap()).ok();
            assert_eq!(
                database.value("SELECT string_agg(n::text, ' ' ORDER BY n) FROM t"),
                "1 2",
                "{number} {after_the_answer} {ended:?}"
            );
            assert_eq!(
                database.value(RUNS),
                format!("{} committed", probe::VERSION)
            );
            assert_eq!(
                database.value("SELECT count(*) FROM wasmigrate.journal"),
                "0"
            );
            if left.load(Ordering::SeqCst) >= 0 {
                assert!(number > 5, "too few commits came by: {number}");
                break;
            }
        }
    }
}
