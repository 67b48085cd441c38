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

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
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

/// The time that passes within each wall, where one is not within another, and how often it is entered.
#[derive(Clone, Default)]
struct Walls(Arc<Mutex<BTreeMap<&'static str, (Duration, u32)>>>);

impl Walls {
    fn reset(&self) {
        self.0.lock().unwrap().clear();
    }

    fn sum(&self) -> Duration {
        self.0.lock().unwrap().values().map(|(time, _)| *time).sum()
    }
}

struct Since(Instant);

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Walls {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let is_wall = |name: &str| name == "wasmigrate::walls";
        let outer = span.scope().skip(1);
        let within = outer
            .into_iter()
            .any(|outer| is_wall(outer.metadata().target()));
        if is_wall(span.metadata().target()) && !within {
            span.extensions_mut().insert(Since(Instant::now()));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).unwrap();
        if let Some(since) = span.extensions().get::<Since>() {
            let mut walls = self.0.lock().unwrap();
            let (time, entered) = walls.entry(span.name()).or_default();
            *time += since.0.elapsed();
            *entered += 1;
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
        walls.reset();
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
        (whole, walls.sum())
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
    let mut best = None;
    let shares = Pairs::measure(PAIRS, || {
        let (whole, part) = bench.walls(&walls);
        if best.as_ref().is_none_or(|(least, _)| part < *least) {
            best = Some((part, walls.0.lock().unwrap().clone()));
        }
        (whole, part)
    });
    println!("\n| wall | at best | entered |\n|---|---|---|");
    for (name, (time, entered)) in best.unwrap().1 {
        println!(
            "| {name} | {:.1} ms | {entered} |",
            time.as_secs_f64() * 1e3
        );
    }
    let (whole, part) = shares.milliseconds();
    let share = shares.ratio() * 100.0;
    println!("\nof {whole:.0} ms in one process the walls take {part:.0} ms: {share:.0} %");
}
