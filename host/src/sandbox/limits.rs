//! What a guest has used up, and the way in which running into a limit ends it.

use std::fmt;
use std::time::{Duration, Instant};

use wasmtime::{CallHook, ResourceLimiter};

use crate::error::{Code, Error};
use crate::limits::{Limits, size, time};

/// Ends the guest at once; it does not get to see why.
#[derive(Debug, Clone)]
pub enum Stop {
    /// The run has failed with this error.
    Failed(Error),
    /// The server had contention; another attempt on a fresh instance may succeed.
    Contention(Error),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Failed(error) | Stop::Contention(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Stop {}

/// Says which limit was reached and which key raises it.
pub fn exceeded(code: Code, what: &str, key: &str, limit: &str) -> Error {
    Error::new(
        code,
        format!("failed to go on: the migration {what} ({key} = {limit})"),
    )
    .hint(format!(
        "raise `{key}` in [limits] of its migration.toml, if it should be allowed"
    ))
}

/// The run took longer than its `wall-time`.
pub fn took_too_long(most: Duration) -> Error {
    let what = "takes longer than allowed";
    exceeded(Code::LimitWallTime, what, "wall-time", &time(most))
}

/// A statement took longer than the run's `statement-time`.
pub fn statement_took_too_long(limits: &Limits) -> Error {
    let what = "runs a statement that takes longer than allowed";
    let limit = time(limits.statement_time);
    exceeded(Code::LimitStatementTime, what, "statement-time", &limit)
}

/// What a guest uses up, counted on the host's side.
#[derive(Debug)]
pub struct Meter {
    limits: Limits,
    guest_time: Duration,
    guest_since: Option<Instant>,
    rows: u64,
    statements: u64,
    /// Since when the last statement runs, or is asked about.
    statement_since: Option<Instant>,
    log_bytes: u64,
    memory: u64,
    table_elements: usize,
}

impl Meter {
    /// Nothing used yet.
    pub fn new(limits: Limits) -> Self {
        Meter {
            limits,
            guest_time: Duration::ZERO,
            guest_since: None,
            rows: 0,
            statements: 0,
            statement_since: None,
            log_bytes: 0,
            memory: 0,
            table_elements: 0,
        }
    }

    /// The limits that it measures against.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Keeps the guest's own time apart from the host's and the server's.
    pub fn hook(&mut self, hook: CallHook) {
        match hook {
            CallHook::CallingWasm | CallHook::ReturningFromHost => {
                self.guest_since = Some(Instant::now());
            }
            CallHook::CallingHost | CallHook::ReturningFromWasm => {
                self.guest_time += self
                    .guest_since
                    .take()
                    .map_or(Duration::ZERO, |at| at.elapsed());
            }
        }
    }

    /// Whether the guest has computed for too long.
    pub fn check_time(&self) -> Result<(), Stop> {
        let running = self.guest_since.map_or(Duration::ZERO, |at| at.elapsed());
        if self.guest_time + running <= self.limits.guest_time {
            return Ok(());
        }
        let limit = time(self.limits.guest_time);
        Err(Stop::Failed(exceeded(
            Code::LimitGuestTime,
            "computes longer than allowed",
            "guest-time",
            &limit,
        )))
    }

    /// Counts what the host took over something of the guest's making as the guest's own time.
    pub fn add_time(&mut self, taken: Duration) -> Result<(), Stop> {
        self.guest_time = self.guest_time.saturating_add(taken);
        self.check_time()
    }

    /// Whether the journal takes an answer of so many bytes.
    pub fn fits_journal(&self, bytes: usize) -> bool {
        bytes as u64 <= self.limits.step_bytes
    }

    /// Counts a statement or a check.
    pub fn add_statement(&mut self) -> Result<(), Error> {
        self.statements = self.statements.saturating_add(1);
        self.statement_since = Some(Instant::now());
        if self.statements <= self.limits.statements {
            return Ok(());
        }
        let limit = self.limits.statements.to_string();
        Err(exceeded(
            Code::LimitStatements,
            "runs more statements than allowed",
            "statements",
            &limit,
        ))
    }

    /// Whether a statement that the server has cancelled was stopped for the time that it took: somebody else may cancel
    /// one too.
    pub fn is_over_statement_time(&self) -> bool {
        let took = self.statement_since.map(|since| since.elapsed());
        took.is_some_and(|took| {
            let most = self.limits.statement_timeout();
            most.is_some_and(|most| took >= most)
        })
    }

    /// Counts rows that were read.
    pub fn add_rows(&mut self, rows: usize) -> Result<(), Error> {
        self.rows = self.rows.saturating_add(rows as u64);
        if self.rows <= self.limits.rows {
            return Ok(());
        }
        let limit = self.limits.rows.to_string();
        Err(exceeded(
            Code::LimitRows,
            "reads more rows than allowed",
            "rows",
            &limit,
        ))
    }

    /// Counts a log message, and a byte for the end of its line: an empty message is a line too.
    pub fn add_log(&mut self, bytes: usize) -> Result<(), Error> {
        let line = (bytes as u64).saturating_add(1);
        self.log_bytes = self.log_bytes.saturating_add(line);
        if self.log_bytes <= self.limits.log_bytes {
            return Ok(());
        }
        let limit = size(self.limits.log_bytes);
        Err(exceeded(
            Code::LimitLogBytes,
            "logs more than allowed",
            "log-bytes",
            &limit,
        ))
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // a component may have several memories: the limit is on all of them together
        let more = desired.saturating_sub(current) as u64;
        self.memory = self.memory.saturating_add(more);
        if self.memory <= self.limits.memory {
            return Ok(true);
        }
        let limit = size(self.limits.memory);
        let what = "wants more memory than allowed";
        Err(Stop::Failed(exceeded(Code::LimitMemory, what, "memory", &limit)).into())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // tables hold the guest's function pointers; 100,000 in all are far more than code of ours needs
        let more = desired.saturating_sub(current);
        self.table_elements = self.table_elements.saturating_add(more);
        Ok(self.table_elements <= 100_000)
    }

    fn instances(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter() -> Meter {
        Meter::new(Limits {
            rows: 10,
            statements: 1,
            log_bytes: 10,
            memory: 65_536,
            ..Limits::default()
        })
    }

    #[test]
    fn each_limit_holds_at_its_value_and_ends_one_past_it() {
        let mut meter = meter();
        assert!(meter.add_rows(10).is_ok());
        assert_eq!(meter.add_rows(1).unwrap_err().code(), Code::LimitRows);
        assert!(meter.add_statement().is_ok());
        let error = meter.add_statement().unwrap_err();
        assert_eq!(error.code(), Code::LimitStatements);
        assert!(meter.add_log(9).is_ok());
        assert_eq!(meter.add_log(0).unwrap_err().code(), Code::LimitLogBytes);
        assert!(meter.memory_growing(0, 65_535, None).unwrap());
        assert!(meter.memory_growing(65_535, 65_536, None).unwrap());
        // of a second memory
        assert!(meter.memory_growing(0, 1, None).is_err());
        assert!(meter.table_growing(0, 100_000, None).unwrap());
        assert!(!meter.table_growing(0, 1, None).unwrap());
    }

    #[test]
    fn the_servers_time_is_not_the_guests() {
        let mut meter = Meter::new(Limits {
            guest_time: Duration::from_millis(1),
            ..Limits::default()
        });
        assert!(meter.add_time(Duration::from_millis(1)).is_ok());
        meter.hook(CallHook::CallingHost);
        std::thread::sleep(Duration::from_millis(5));
        assert!(meter.check_time().is_ok());
        meter.hook(CallHook::ReturningFromHost);
        std::thread::sleep(Duration::from_millis(5));
        assert!(meter.check_time().is_err());
        assert!(meter.add_time(Duration::ZERO).is_err());
    }
}
