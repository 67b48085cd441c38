//! What the tests share: one server, a database for each test, the built components, the real binary.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use wasmigrate::embedded::{Embedded, Options};

/// The binary under test.
pub const WASMIGRATE: &str = env!("CARGO_BIN_EXE_wasmigrate");
/// The four migrations, by version.
pub const VERSIONS: [&str; 4] = [
    "20251106000000",
    "20251106000001",
    "20251106000002",
    "20251106000003",
];

const SCHEMA: &str = include_str!("../../migrations-wasm/white-cross/schema.sql");
const SEED: &str = include_str!("../../migrations-wasm/white-cross/seed.sql");

static SERVER: LazyLock<Embedded> =
    LazyLock::new(|| Embedded::start(&Options::default()).expect("a PostgreSQL to test on"));
/// Drives the tests' own sessions.
pub static RUNTIME: LazyLock<&'static Runtime> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let runtime: &'static Runtime = Box::leak(Box::new(runtime));
    // so that sessions are served also while no test asks anything
    std::thread::spawn(|| runtime.block_on(std::future::pending::<()>()));
    runtime
});
static NEXT: AtomicU32 = AtomicU32::new(1);

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The server that the tests share.
pub fn server() -> &'static Embedded {
    &SERVER
}

/// The folder with the four White Cross components, built once by the real `wasmigrate build`.
pub fn white_cross() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| build("white-cross", &[]));
    &FOLDER
}

/// The statements that make White Cross's tables and fill them.
pub fn white_cross_sql(rows: u32, orphans: u32) -> String {
    let seed: Vec<&str> = SEED
        .lines()
        .filter(|line| !line.starts_with('\\'))
        .collect();
    let seed = seed.join("\n");
    let seed = seed.replace(":rows", &rows.to_string());
    format!(
        "{SCHEMA}\n{}",
        seed.replace(":orphans", &orphans.to_string())
    )
}

/// Builds guest crates (folders below the root; none means those of wasmigrate.toml) into a folder of
/// that name below `target/e2e`.
pub fn build(name: &str, crates: &[&str]) -> PathBuf {
    let folder = root().join("target/e2e").join(name);
    let output = Command::new(WASMIGRATE)
        .current_dir(root())
        .arg("build")
        .args(crates)
        .arg("--migrations")
        .arg(&folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    folder
}

/// A folder that holds copies of the components of these versions.
pub fn only(folder: &Path, versions: &[&str]) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if versions.iter().any(|version| name.starts_with(version)) {
            std::fs::copy(entry.path(), copy.path().join(name)).unwrap();
        }
    }
    copy
}

/// A database of its own for a test.
pub struct Database {
    pub name: String,
    pub url: String,
}

impl Database {
    /// An empty one.
    pub fn empty() -> Self {
        Database::create("template1")
    }

    /// One that equals this one, to the last value; no session may be open on this one.
    pub fn copy(&self) -> Self {
        Database::create(&self.name)
    }

    fn create(template: &str) -> Self {
        let name = format!(
            "t{}_{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let server = server();
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
        run_sql(&server.url("postgres"), &sql);
        let url = server.url(&name);
        Database { name, url }
    }

    /// One with White Cross's tables, filled.
    pub fn white_cross(rows: u32, orphans: u32) -> Self {
        let database = Database::empty();
        database.sql(&white_cross_sql(rows, orphans));
        database
    }

    /// Runs SQL, several statements if need be, and returns the rows of all as text.
    pub fn sql(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        run_sql(&self.url, sql)
    }

    /// The first value of the first row.
    pub fn value(&self, sql: &str) -> String {
        let rows = self.sql(sql);
        rows.first()
            .and_then(|row| row.first().cloned().flatten())
            .unwrap_or_default()
    }

    /// The same, as this login.
    pub fn of(&self, login: &str) -> Self {
        Database {
            name: self.name.clone(),
            url: self.url.replacen("postgres@", &format!("{login}@"), 1),
        }
    }

    /// Gives the tables and views of `public` to an owner; returns it as a login that is a member of that one and may
    /// create. With `CREATEROLE` among its attributes it is the least login.
    pub fn owned(&self, attributes: &str) -> Self {
        let [owner, login] = ["o", "l"].map(|letter| format!("{letter}_{}", self.name));
        self.sql(&format!(
            "CREATE ROLE {owner}; CREATE ROLE {login} LOGIN {attributes} IN ROLE {owner};
             GRANT CREATE ON DATABASE {} TO {login}; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
             GRANT USAGE, CREATE ON SCHEMA public TO {owner}, {login};
             DO $$ DECLARE r record; BEGIN
                 FOR r IN SELECT oid::regclass AS t FROM pg_class
                     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') LOOP
                     EXECUTE format('ALTER TABLE %s OWNER TO {owner}', r.t);
                 END LOOP;
             END $$;",
            self.name
        ));
        self.of(&login)
    }

    /// `pg_dump -s -n public`, without what differs from run to run.
    pub fn schema(&self) -> String {
        let output = Command::new(server().bin_dir().join("pg_dump"))
            .args(["-s", "-n", "public", "-d", &self.url])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).unwrap();
        // newer releases print a random key in \restrict
        let kept = |line: &&str| !line.starts_with('\\') && !line.starts_with("--");
        text.lines().filter(kept).collect::<Vec<_>>().join("\n")
    }

    /// Every row of a table, as one checksum.
    pub fn checksum(&self, table: &str) -> String {
        self.value(&format!("SELECT md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '')) FROM {table} AS t"))
    }

    /// The command with this database and a folder of components; add the rest.
    pub fn command(&self, folder: &Path, args: &[&str]) -> Command {
        let mut command = bare(args);
        command
            .env("DATABASE_URL", &self.url)
            .arg("--migrations")
            .arg(folder);
        command
    }

    /// Runs the binary to its end.
    pub fn run(&self, folder: &Path, args: &[&str]) -> Ended {
        Ended::of(self.command(folder, args).output().unwrap())
    }

    /// Starts the binary and lets it run.
    pub fn spawn(&self, folder: &Path, args: &[&str]) -> Child {
        let mut command = self.command(folder, args);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

/// The binary with these arguments and nothing of the caller's database settings.
pub fn bare(args: &[&str]) -> Command {
    let mut command = Command::new(WASMIGRATE);
    for (name, _) in std::env::vars() {
        if name.starts_with("PG") && name != "PG_BIN" {
            command.env_remove(name);
        }
    }
    command
        .current_dir(std::env::temp_dir())
        .env_remove("DATABASE_URL")
        .env_remove("WASMIGRATE_ENV")
        .env("NO_COLOR", "1")
        .env("XDG_CACHE_HOME", root().join("target/e2e/cache"))
        .args(args);
    command
}

/// How a run of the binary ended.
#[derive(Debug)]
pub struct Ended {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// From a process's output; -1 stands for an end by a signal.
    pub fn of(output: Output) -> Self {
        Ended {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Fails the test unless it ended well.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.status, 0, "{self:?}");
        self
    }

    /// Fails the test unless it ended with that status and that code in a human-readable error.
    #[track_caller]
    pub fn failed(self, status: i32, code: &str) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.stderr.contains(&format!("error[{code}]")), "{self:?}");
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn run_sql(url: &str, sql: &str) -> Vec<Vec<Option<String>>> {
    RUNTIME.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        let rows = ask(&client, sql).await;
        drop(client);
        let _ = driver.await;
        rows
    })
}

/// Runs SQL on a session that is already open.
pub fn run_on(client: &Client, sql: &str) -> Vec<Vec<Option<String>>> {
    RUNTIME.block_on(ask(client, sql))
}

async fn ask(client: &Client, sql: &str) -> Vec<Vec<Option<String>>> {
    let messages = client
        .simple_query(sql)
        .await
        .unwrap_or_else(|error| panic!("{error:?}: {sql}"));
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(
            (0..row.len())
                .map(|place| row.get(place).map(str::to_owned))
                .collect(),
        ),
        _ => None,
    });
    rows.collect()
}
