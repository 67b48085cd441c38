//! What goes on at the same time: a run that is watched and signalled, a session that stands in its way.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::guests::{change_manifest, file_of};
use crate::support::{Database, Ended, RUNTIME, VERSIONS, build, run_on};

/// After this long a test gives up waiting; no right outcome depends on it.
pub const LONG: Duration = Duration::from_secs(90);

/// A run of the binary that goes on beside the test.
pub struct Running {
    child: Child,
    said: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Running {
    /// Starts it.
    pub fn start(database: &Database, folder: &Path, args: &[&str]) -> Self {
        let mut child = database.spawn(folder, args);
        let said = Arc::new(Mutex::new(String::new()));
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let into = Arc::clone(&said);
        let reader = std::thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).unwrap() > 0 {
                into.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        Running {
            child,
            said,
            reader,
        }
    }

    /// Waits until it has said this on standard error.
    #[track_caller]
    pub fn until_said(&self, text: &str) {
        let started = Instant::now();
        while !self.said.lock().unwrap().contains(text) {
            assert!(
                started.elapsed() < LONG && !self.reader.is_finished(),
                "never said {text:?}: {:?}",
                self.said.lock().unwrap()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a query gives a value, which it does while this goes on.
    #[track_caller]
    pub fn until(&self, database: &Database, sql: &str) -> String {
        let started = Instant::now();
        loop {
            let value = database.value(sql);
            if !value.is_empty() {
                return value;
            }
            assert!(
                started.elapsed() < LONG && !self.reader.is_finished(),
                "no answer to {sql}: {:?}",
                self.said.lock().unwrap()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends it a signal: `INT`, `TERM`, `KILL`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let mut stdout = String::new();
        let mut pipe = self.child.stdout.take().unwrap();
        pipe.read_to_string(&mut stdout).unwrap();
        self.reader.join().unwrap();
        let stderr = self.said.lock().unwrap().clone();
        let status = self.child.wait().unwrap().code().unwrap_or(-1);
        Ended {
            status,
            stdout,
            stderr,
        }
    }
}

/// A session that stays open; it ends, and rolls back, when dropped.
pub struct Other {
    client: tokio_postgres::Client,
    /// Its process id on the server.
    pub pid: String,
}

impl Other {
    /// Opens one and runs this on it.
    pub fn open(database: &Database, sql: &str) -> Self {
        let client = RUNTIME.block_on(async {
            let connected = tokio_postgres::connect(&database.url, tokio_postgres::NoTls).await;
            let (client, connection) = connected.unwrap();
            tokio::spawn(connection);
            client
        });
        let pid = run_on(&client, "SELECT pg_backend_pid()");
        run_on(&client, sql);
        let pid = pid[0][0].clone().unwrap();
        Other { client, pid }
    }

    /// Runs SQL on it.
    pub fn run(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        run_on(&self.client, sql)
    }
}

/// Waits until a query gives a value.
#[track_caller]
pub fn until(database: &Database, sql: &str) -> String {
    let started = Instant::now();
    loop {
        let value = database.value(sql);
        if !value.is_empty() {
            return value;
        }
        assert!(started.elapsed() < LONG, "no answer to {sql}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The four migrations, granted what [`slow_insertions`] adds.
pub fn slowed() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = build("slowed", &[]);
        change_manifest(&file_of(&folder, VERSIONS[0]), |manifest| {
            manifest.replacen("up = [", "up = [\"fires public.slow()\", ", 1)
        });
        folder
    });
    &FOLDER
}

/// Makes every insertion of medications take this long in the server, which then does not notice that its
/// client is gone; [`hurry`] makes the next ones quick.
pub fn slow_insertions(database: &Database, seconds: u32) {
    database.sql(&format!(
        "CREATE TABLE public.slow AS SELECT {seconds} AS seconds;
         CREATE FUNCTION public.slow() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN
             PERFORM pg_catalog.set_config('client_connection_check_interval', '0', false);
             PERFORM pg_catalog.pg_sleep(seconds) FROM public.slow;
             RETURN NULL;
         END $$;
         CREATE TRIGGER slow BEFORE INSERT ON public.medications EXECUTE FUNCTION public.slow()"
    ));
}

/// Ends what [`slow_insertions`] began, for statements to come.
pub fn hurry(database: &Database) {
    database.sql("DELETE FROM public.slow");
}

/// Waits until a statement sleeps in the server and its run is recorded, which happens beside it; gives the
/// process id of the statement.
#[track_caller]
pub fn until_asleep(database: &Database) -> String {
    let pid = until(database, ASLEEP);
    until(
        database,
        "SELECT 'made' WHERE to_regclass('wasmigrate.run') IS NOT NULL",
    );
    until(
        database,
        "SELECT state FROM wasmigrate.run WHERE state = 'running' LIMIT 1",
    );
    pid
}

/// The process id of the statement that sleeps in the server.
pub const ASLEEP: &str = "SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event = 'PgSleep'";
