//! What the sandbox costs: reading and writing 1,000,000 rows through a guest and by a native client, and a
//! call that does nothing. `cargo bench -p wasmigrate` measures and prints the ratios as a table at its end.
//!
//! A scan is measured in the client's CPU time, a bulk write in wall time: reading waits for the server in
//! a way that batches change, while writing is bound by it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout
)]

mod pairs;
mod silent;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes, BytesMut};
use cpu_time::ProcessTime;
use criterion::{Criterion, SamplingMode};
use futures_util::{SinkExt as _, TryStreamExt as _};
use pairs::Pairs;
use silent::Silent;
use tokio::runtime::Runtime;
use wasmigrate::database::address::Address;
use wasmigrate::database::{Connection, Session};
use wasmigrate::embedded::{Embedded, Options};
use wasmigrate::guard::Held;
use wasmigrate::migration::{Migration, Mode, Phase};
use wasmigrate::sandbox::{self, Compiler, Job, Prepared, Verdict};

const ROWS: u64 = 1_000_000;
const ROUNDS: usize = 15;

struct Bench {
    runtime: Runtime,
    address: Address,
    migration: Migration,
    prepared: Prepared,
    _server: Embedded,
}

impl Bench {
    fn new() -> Self {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let folder = tempfile::tempdir().unwrap();
        let built = Command::new(env!("CARGO_BIN_EXE_wasmigrate"))
            .current_dir(root)
            .args(["build", "-q", "migrations-wasm/bench", "--migrations"])
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(built.success());
        let migration = wasmigrate::source::read(folder.path()).unwrap().remove(0);
        let prepared = Compiler::new(None).prepare(&migration).unwrap();
        let server = Embedded::start(&Options::default()).unwrap();
        let address =
            Address::resolve(Some(&server.url("postgres")), None, &|_: &str| None).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let bench = Bench {
            runtime,
            address,
            migration,
            prepared,
            _server: server,
        };
        bench.runtime.block_on(async {
            let client = bench.connect().await;
            let fill = format!(
                "CREATE TABLE public.bench_source (id bigint, amount double precision, name text);
                 CREATE UNLOGGED TABLE public.bench_target (LIKE public.bench_source);
                 INSERT INTO public.bench_source
                 SELECT n, n * 0.5, 'a name of some length' FROM generate_series(1, {ROWS}) AS n;
                 VACUUM ANALYZE public.bench_source"
            );
            for statement in fill.split(';') {
                client.client.batch_execute(statement).await.unwrap();
            }
        });
        bench
    }

    async fn connect(&self) -> Connection {
        self.address.connect("bench").await.unwrap()
    }

    /// Runs `work` in a guest, in a transaction of its own that is rolled back.
    async fn guest(&self, work: &str) {
        let session = Session::new(self.connect().await);
        session.batch("BEGIN").await.unwrap();
        let job = Job {
            phase: Phase::Up,
            mode: Mode::Transactional,
            held: Held::Grants(self.migration.manifest.grants.up.clone()),
            limits: self.migration.manifest.limits,
            settings: BTreeMap::from([("work".to_owned(), work.to_owned())]),
            remembered: BTreeMap::new(),
            role: "wasmigrate_run_bench".to_owned(),
            pins: "SET LOCAL search_path = pg_catalog, pg_temp".to_owned(),
            steps: None,
            events: Arc::new(Silent),
        };
        let ended = sandbox::run(&self.prepared, session, job).await;
        assert!(
            matches!(ended.verdict, Verdict::Done),
            "{:?}",
            ended.verdict
        );
        ended.session.batch("ROLLBACK").await.unwrap();
    }

    async fn native_scan(&self) {
        let connection = self.connect().await;
        let no_params: [&str; 0] = [];
        let sql = "SELECT id, amount, name FROM public.bench_source";
        let rows = connection.client.query_raw(sql, no_params).await.unwrap();
        let mut rows = std::pin::pin!(rows);
        let (mut ids, mut amounts, mut letters) = (0i64, 0f64, 0usize);
        while let Some(row) = rows.try_next().await.unwrap() {
            ids = ids.wrapping_add(row.get::<_, i64>(0));
            amounts += row.get::<_, f64>(1);
            letters += row.get::<_, &str>(2).len();
        }
        std::hint::black_box((ids, amounts, letters));
    }

    /// A binary COPY written by hand, the fastest that a native client has.
    async fn native_bulk(&self) {
        let connection = self.connect().await;
        connection.client.batch_execute("BEGIN").await.unwrap();
        let sql = "COPY public.bench_target (id, amount, name) FROM STDIN BINARY";
        let sink = connection.client.copy_in::<_, Bytes>(sql).await.unwrap();
        let mut sink = std::pin::pin!(sink);
        let mut buffer = BytesMut::new();
        buffer.put_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        for id in 0..ROWS as i64 {
            buffer.put_i16(3);
            buffer.put_i32(8);
            buffer.put_i64(id);
            buffer.put_i32(8);
            buffer.put_f64(id as f64 * 0.5);
            let name = b"a name of some length";
            buffer.put_i32(name.len() as i32);
            buffer.put_slice(name);
            if buffer.len() > 256 << 10 {
                sink.feed(buffer.split().freeze()).await.unwrap();
            }
        }
        buffer.put_i16(-1);
        sink.feed(buffer.freeze()).await.unwrap();
        sink.as_mut().finish().await.unwrap();
        connection.client.batch_execute("ROLLBACK").await.unwrap();
    }
}

/// The time that `work` takes: this process's CPU, or by the clock.
fn timed(runtime: &Runtime, cpu: bool, rounds: u64, work: impl AsyncFn()) -> Duration {
    runtime.block_on(async {
        let (wall, used) = (Instant::now(), ProcessTime::now());
        for _ in 0..rounds {
            work().await;
        }
        if cpu { used.elapsed() } else { wall.elapsed() }
    })
}

fn main() {
    let bench = Bench::new();
    let runtime = &bench.runtime;
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("guest");
    group
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .measurement_time(Duration::from_secs(15));
    group.bench_function("scan-native", |b| {
        b.iter_custom(|rounds| timed(runtime, true, rounds, async || bench.native_scan().await));
    });
    group.bench_function("scan-guest", |b| {
        b.iter_custom(|rounds| timed(runtime, true, rounds, async || bench.guest("scan").await));
    });
    group.bench_function("bulk-native", |b| {
        b.iter_custom(|rounds| timed(runtime, false, rounds, async || bench.native_bulk().await));
    });
    group.bench_function("bulk-guest", |b| {
        b.iter_custom(|rounds| timed(runtime, false, rounds, async || bench.guest("bulk").await));
    });
    group.bench_function("nothing", |b| {
        b.iter_custom(|rounds| timed(runtime, true, rounds, async || bench.guest("nothing").await));
    });
    group.bench_function("call", |b| {
        b.iter_custom(|rounds| timed(runtime, true, rounds, async || bench.guest("call").await));
    });
    group.finish();
    criterion.final_summary();
    table(&bench);
}

/// The ratios, from rounds in turns, and the time of a call, from what criterion has written.
fn table(bench: &Bench) {
    let runtime = &bench.runtime;
    let scan = Pairs::measure(ROUNDS, || {
        let native = timed(runtime, true, 1, async || bench.native_scan().await);
        (
            native,
            timed(runtime, true, 1, async || bench.guest("scan").await),
        )
    });
    let bulk = Pairs::measure(ROUNDS, || {
        let native = timed(runtime, false, 1, async || bench.native_bulk().await);
        (
            native,
            timed(runtime, false, 1, async || bench.guest("bulk").await),
        )
    });
    println!("\n| 1,000,000 rows | native | guest | ratio |\n|---|---|---|---|");
    println!("{}", scan.row("scan, client CPU"));
    println!("{}", bulk.row("bulk write, wall"));
    // criterion writes below the target directory, or below the current one where it can't find that
    let folders = [
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "../target".into(), PathBuf::from),
        PathBuf::from("target"),
    ];
    let median = |name: &str| -> Option<f64> {
        let file = |folder: &PathBuf| {
            let file = folder
                .join("criterion/guest")
                .join(name)
                .join("new/estimates.json");
            std::fs::read_to_string(file).ok()
        };
        let text = folders.iter().find_map(file)?;
        let estimates: serde_json::Value = serde_json::from_str(&text).ok()?;
        estimates.pointer("/median/point_estimate")?.as_f64()
    };
    if let (Some(call), Some(nothing)) = (median("call"), median("nothing")) {
        println!(
            "\na call that does nothing: {:.0} ns",
            (call - nothing) / 1e6
        );
    }
}
