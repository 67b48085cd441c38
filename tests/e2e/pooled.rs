//! A pooler between wasmigrate and the server: with a session for each client it is none of our business, with one
//! for each transaction no lock can be held.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::connection::servers::SERVER;
use crate::guests::{Small, folder_of};
use crate::support::{Ended, bare};

/// A running PgBouncer, until it is dropped.
struct Pooler {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts one with this pool_mode; none where PgBouncer is not installed.
fn pooler(mode: &str) -> Option<Pooler> {
    let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]
        .into_iter()
        .find(|program| Path::new(program).exists())?;
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let server = SERVER.embedded.tcp_port().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users");
    std::fs::write(&users, "\"postgres\" \"\"\n").unwrap();
    let config = folder.path().join("pgbouncer.ini");
    std::fs::write(
        &config,
        format!(
            "[databases]\n* = host=127.0.0.1 port={server} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             auth_type = any\nauth_file = {}\npool_mode = {mode}\nunix_socket_dir =\n\
             ignore_startup_parameters = extra_float_digits,search_path,options\n",
            users.display()
        ),
    )
    .unwrap();
    let mut command = Command::new(program);
    // it refuses to be root
    if std::fs::metadata("/proc/self").is_ok_and(|us| std::os::unix::fs::MetadataExt::uid(&us) == 0)
    {
        std::os::unix::fs::chown(folder.path(), Some(65534), Some(65534)).unwrap();
        command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", program]);
    }
    let child = command
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pooler = Pooler {
        child,
        port,
        _folder: folder,
    };
    for _ in 0..500 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some(pooler);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("pgbouncer does not listen");
}

fn up(pooler: &Pooler, folder: &Path, database: &str) -> Ended {
    let url = format!(
        "postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable",
        pooler.port
    );
    let mut command = bare(&["up", "--migrations"]);
    Ended::of(
        command
            .arg(folder)
            .env("DATABASE_URL", url)
            .output()
            .unwrap(),
    )
}

#[test]
fn a_pool_by_transaction_is_refused_and_one_by_session_serves() {
    let folder = folder_of(&[Small::new("1", "one").requires("plpgsql")]);
    let name = format!("pooled_{}", std::process::id());
    crate::connection::servers::run_sql(&SERVER.embedded, &format!("CREATE DATABASE {name};"));
    let Some(by_transaction) = pooler("transaction") else {
        println!("pgbouncer is not installed: nothing is tried");
        return;
    };
    for _ in 0..3 {
        up(&by_transaction, folder.path(), &name).failed(8, "connection-pooled");
    }
    drop(by_transaction);
    let by_session = pooler("session").unwrap();
    // no lock was left behind by what was refused
    up(&by_session, folder.path(), &name).ok();
}
