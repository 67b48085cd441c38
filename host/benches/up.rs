//! What an `up` of the four White Cross migrations costs, at 1,000 rows a table and with compiled code cached:
//! against `psql -f` of the same SQL in pairs, and how much of it are the walls. `cargo bench -p wasmigrate --bench up`
//! prints both.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

#[path = "../../tests/e2e/plain.rs"]
mod plain;

mod pairs;
mod silent;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pairs::Pairs;
use silent::Silent;
use tokio::runtime::Runtime;
use tracing::span::{Attributes, Id};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use wasmigrate::database::Session;
use wasmigrate::database::address::Address;
use wasmigrate::embedded::{Embedded, Options};
use wasmigrate::migrator;
use wasmigrate::operate::white_cross;
use wasmigrate::sandbox::Compiler;

const WASMIGRATE: &str = env!("CARGO_BIN_EXE_wasmigrate");
const ROWS: u64 = 1000;
const ORPHANS: u64 = 20;
const PAIRS: usize = 15;

/// The time that passes within the walls, where one is not within another.
#[derive(Clone, Default)]
struct Walls(Arc<AtomicU64>);

struct Since(Instant);

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Walls {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        if span.metadata().target() == "wasmigrate::walls" && span.parent().is_none() {
            span.extensions_mut().insert(Since(Instant::now()));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if let Some(since) = context.span(&id).unwrap().extensions().get::<Since>() {
            let nanos = u64::try_from(since.0.elapsed().as_nanos()).unwrap();
            self.0.fetch_add(nanos, Ordering::Relaxed);
        }
    }
}

struct Bench {
    runtime: Runtime,
    server: Embedded,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let built = Command::new(WASMIGRATE)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .args(["build", "-q", "--migrations"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(built.success());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let server = Embedded::start(&Options::default()).unwrap();
        let bench = Bench {
            runtime,
            server,
            folder,
        };
        bench.sql(&["CREATE DATABASE loaded"]);
        let loaded = address(&bench.server.url("loaded"));
        bench
            .runtime
            .block_on(white_cross::load(&loaded, ROWS, ORPHANS))
            .unwrap();
        std::fs::write(bench.script(), plain::plain_sql(plain::PLACEHOLDER)).unwrap();
        bench
    }

    fn script(&self) -> PathBuf {
        self.folder.path().join("plain.sql")
    }

    fn sql(&self, statements: &[&str]) {
        self.runtime.block_on(async {
            let address = address(&self.server.url("postgres"));
            let session = Session::new(address.connect("bench").await.unwrap());
            for statement in statements {
                session.batch(statement).await.unwrap();
            }
            session.close_connection().await;
        });
    }

    /// A database as before the migrations.
    fn fresh(&self) -> String {
        self.sql(&[
            "DROP DATABASE IF EXISTS fresh",
            "CREATE DATABASE fresh TEMPLATE loaded",
            "CHECKPOINT",
        ]);
        self.server.url("fresh")
    }

    fn up(&self) -> Duration {
        let mut command = Command::new(WASMIGRATE);
        command
            .arg("-q")
            .arg("up")
            .arg("--migrations")
            .arg(self.folder.path());
        timed(command.env("DATABASE_URL", self.fresh()))
    }

    fn psql(&self, program: &Path) -> Duration {
        let mut command = Command::new(program);
        command.args([
            "-qX",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            "SET search_path = public",
            "-f",
        ]);
        timed(command.arg(self.script()).arg("-d").arg(self.fresh()))
    }

    /// The whole of an `up` in this process, and the walls in it.
    fn walls(&self, walls: &Walls) -> (Duration, Duration) {
        let address = address(&self.fresh());
        let mut compiler = Compiler::new(Some(self.folder.path().join("compiled")));
        let options = migrator::Options::default();
        walls.0.store(0, Ordering::Relaxed);
        let since = Instant::now();
        let migrations = wasmigrate::source::read(self.folder.path()).unwrap();
        let up = migrator::up(
            &address,
            &migrations,
            &mut compiler,
            &options,
            Arc::new(Silent),
        );
        let summary = self.runtime.block_on(up);
        let whole = since.elapsed();
        assert!(summary.error.is_none(), "{:?}", summary.error);
        (whole, Duration::from_nanos(walls.0.load(Ordering::Relaxed)))
    }
}

fn address(url: &str) -> Address {
    Address::resolve(Some(url), None, &|_: &str| None).unwrap()
}

fn timed(command: &mut Command) -> Duration {
    let since = Instant::now();
    let status = command.stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?}");
    since.elapsed()
}

fn main() {
    let bench = Bench::new();
    let walls = Walls::default();
    let subscriber = tracing_subscriber::registry().with(walls.clone());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let programs = [
        ("psql -f", PathBuf::from("psql")),
        (
            "psql -f, without a wrapper",
            bench.server.bin_dir().join("psql"),
        ),
    ];
    bench.up();
    bench.walls(&walls);
    println!("| the four at {ROWS} rows | psql | up | ratio |\n|---|---|---|---|");
    for (name, program) in programs {
        let pairs = Pairs::measure(PAIRS, || (bench.psql(&program), bench.up()));
        println!("{}", pairs.row(name));
    }
    let walls = Pairs::measure(PAIRS, || bench.walls(&walls));
    let (whole, part) = walls.milliseconds();
    let share = walls.ratio() * 100.0;
    println!("\nof {whole:.0} ms in one process the walls take {part:.0} ms: {share:.0} %");
}
