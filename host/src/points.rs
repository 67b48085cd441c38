//! Points at which a test stops the process, to kill it there or to cut its connections.
//!
//! Only a build with the feature `stopping-points`, which nothing but tests asks for, has them: WASMIGRATE_POINTS
//! names a file to which each point that is reached adds a line, and at the one whose number WASMIGRATE_STOP_AT is,
//! counted from 1, the process stops itself until it gets SIGCONT.

/// A point is reached.
#[cfg(not(feature = "stopping-points"))]
#[inline(always)]
pub fn reached(_: &str) {}

/// A point is reached.
#[cfg(feature = "stopping-points")]
pub fn reached(name: &str) {
    use std::io::Write as _;
    use std::process::Command;
    use std::sync::atomic::{AtomicU64, Ordering};

    static REACHED: AtomicU64 = AtomicU64::new(0);
    let number = REACHED.fetch_add(1, Ordering::Relaxed) + 1;
    if let Some(file) = std::env::var_os("WASMIGRATE_POINTS")
        && let Ok(mut file) = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(file)
    {
        let _ = writeln!(file, "{number} {name}");
    }
    let stop = std::env::var("WASMIGRATE_STOP_AT").ok();
    if stop.and_then(|stop| stop.parse().ok()) == Some(number) {
        let id = std::process::id().to_string();
        let _ = Command::new("kill").args(["-STOP", &id]).status();
    }
}
