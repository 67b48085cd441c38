//! The `[limits]` table: what a migration may use up, with defaults and hard maxima.

use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::error::Result;
use crate::toml_text::Document;

const MIB: u64 = 1024 * 1024;
const DAY: u64 = 24 * 60 * 60;

/// What a migration may use up. The defaults suit nearly every migration; an author raises a limit in
/// `[limits]`, up to its maximum, and a reviewer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `memory`: bytes of linear memory, of all memories together. Default 256MiB, at most 2GiB.
    pub memory: u64,
    /// `guest-time`: how long the guest's own code may compute, with what the host takes to judge its statements
    /// and without the server's time. Default 60s, at most 1h.
    pub guest_time: Duration,
    /// `stack`: bytes of the guest's call stack. Default 1MiB, at most 8MiB.
    pub stack: u64,
    /// `call-bytes`: bytes that one call may hand to the host. Default 64MiB, at most 512MiB.
    pub call_bytes: u64,
    /// `handles`: open rows and bulk writes at once. Default 64, at most 4096.
    pub handles: u64,
    /// `rows`: rows read in a run. Default 100 million, at most 1000 billion.
    pub rows: u64,
    /// `row-bytes`: bytes of one batch of rows. Default 64MiB, at most 512MiB.
    pub row_bytes: u64,
    /// `statements`: statements and checks in a run. Default 1 million, at most 1 billion.
    pub statements: u64,
    /// `wall-time`: how long a run may take in all, the server's time with it. Default 1day, at most 30days.
    pub wall_time: Duration,
    /// `statement-time`: how long the server may take over one statement with what is asked about it, over one batch of
    /// rows, and over a bulk write from its opening to its end. Default as `wall-time`, at most 24days.
    pub statement_time: Duration,
    /// `log-bytes`: bytes of log messages and findings in a run, with a line's end each. Default 1MiB, at most 64MiB.
    pub log_bytes: u64,
    /// `step-bytes`: bytes that the answer of one call takes in the journal in stepwise mode. Default 1MiB, at most
    /// 64MiB.
    pub step_bytes: u64,
}

impl Limits {
    /// The hard maxima.
    pub const MAX: Limits = Limits {
        memory: 2048 * MIB,
        guest_time: Duration::from_secs(3600),
        stack: 8 * MIB,
        call_bytes: 512 * MIB,
        handles: 4096,
        rows: 1_000_000_000_000,
        row_bytes: 512 * MIB,
        statements: 1_000_000_000,
        wall_time: Duration::from_secs(30 * DAY),
        // the server counts milliseconds in 32 bits
        statement_time: Duration::from_secs(24 * DAY),
        log_bytes: 64 * MIB,
        step_bytes: 64 * MIB,
    };

    /// Every limit as its key and its value in the manifest's notation.
    pub fn shown(&self) -> [(&'static str, String); 12] {
        [
            ("memory", size(self.memory)),
            ("guest-time", time(self.guest_time)),
            ("stack", size(self.stack)),
            ("call-bytes", size(self.call_bytes)),
            ("handles", self.handles.to_string()),
            ("rows", self.rows.to_string()),
            ("row-bytes", size(self.row_bytes)),
            ("statements", self.statements.to_string()),
            ("wall-time", time(self.wall_time)),
            ("statement-time", time(self.statement_time)),
            ("log-bytes", size(self.log_bytes)),
            ("step-bytes", size(self.step_bytes)),
        ]
    }

    /// After how long the server is to stop a statement; none where the run's own end comes first.
    pub fn statement_timeout(&self) -> Option<Duration> {
        Some(self.statement_time).filter(|most| *most < self.wall_time)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: 256 * MIB,
            guest_time: Duration::from_secs(60),
            stack: MIB,
            call_bytes: 64 * MIB,
            handles: 64,
            rows: 100_000_000,
            row_bytes: 64 * MIB,
            statements: 1_000_000,
            wall_time: Duration::from_secs(DAY),
            statement_time: Duration::from_secs(DAY),
            log_bytes: MIB,
            step_bytes: MIB,
        }
    }
}

impl Serialize for Limits {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.shown())
    }
}

/// A size in the largest unit that leaves a whole number, as the manifest writes it.
pub fn size(bytes: u64) -> String {
    match bytes.trailing_zeros() {
        30.. if bytes > 0 => format!("{}GiB", bytes >> 30),
        20..30 => format!("{}MiB", bytes >> 20),
        10..20 => format!("{}KiB", bytes >> 10),
        _ => format!("{bytes}B"),
    }
}

/// A duration as the manifest writes it.
pub fn time(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

/// The table as it is written.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct RawLimits {
    memory: Option<Spanned<String>>,
    guest_time: Option<Spanned<String>>,
    stack: Option<Spanned<String>>,
    call_bytes: Option<Spanned<String>>,
    handles: Option<Spanned<i64>>,
    rows: Option<Spanned<i64>>,
    row_bytes: Option<Spanned<String>>,
    statements: Option<Spanned<i64>>,
    wall_time: Option<Spanned<String>>,
    statement_time: Option<Spanned<String>>,
    log_bytes: Option<Spanned<String>>,
    step_bytes: Option<Spanned<String>>,
}

impl RawLimits {
    /// The limits, each written one checked against its maximum.
    pub(crate) fn resolve(&self, document: &Document<'_>) -> Result<Limits> {
        let (default, max) = (Limits::default(), Limits::MAX);
        let sized = |raw: &Option<Spanned<String>>, default, max| {
            limit(
                document,
                raw,
                default,
                max,
                |text| parse_size(text),
                |bytes| size(*bytes),
            )
        };
        let counted = |raw: &Option<Spanned<i64>>, default, max| {
            let parse = |count: &i64| u64::try_from(*count).map_err(|_| "the limit is negative");
            limit(document, raw, default, max, parse, u64::to_string)
        };
        let timed = |raw: &Option<Spanned<String>>, default, max| {
            let parse = |text: &String| {
                humantime::parse_duration(text)
                    .map_err(|_| "a duration is written like 90s, 5m or 1h")
            };
            limit(document, raw, default, max, parse, |value| time(*value))
        };
        let wall_time = timed(&self.wall_time, default.wall_time, max.wall_time)?;
        Ok(Limits {
            memory: sized(&self.memory, default.memory, max.memory)?,
            guest_time: timed(&self.guest_time, default.guest_time, max.guest_time)?,
            stack: sized(&self.stack, default.stack, max.stack)?,
            call_bytes: sized(&self.call_bytes, default.call_bytes, max.call_bytes)?,
            handles: counted(&self.handles, default.handles, max.handles)?,
            rows: counted(&self.rows, default.rows, max.rows)?,
            row_bytes: sized(&self.row_bytes, default.row_bytes, max.row_bytes)?,
            statements: counted(&self.statements, default.statements, max.statements)?,
            wall_time,
            statement_time: timed(&self.statement_time, wall_time, max.statement_time)?,
            log_bytes: sized(&self.log_bytes, default.log_bytes, max.log_bytes)?,
            step_bytes: sized(&self.step_bytes, default.step_bytes, max.step_bytes)?,
        })
    }
}

fn limit<R, T: Default + PartialOrd>(
    document: &Document<'_>,
    raw: &Option<Spanned<R>>,
    default: T,
    max: T,
    parse: impl Fn(&R) -> Result<T, &'static str>,
    show: impl Fn(&T) -> String,
) -> Result<T> {
    let Some(raw) = raw else { return Ok(default) };
    let wrong = |message: &str| document.error(raw.span(), message);
    let value = parse(raw.get_ref()).map_err(wrong)?;
    if value == T::default() {
        return Err(wrong("a limit cannot be 0"));
    }
    if value > max {
        return Err(wrong(&format!(
            "{} is over the maximum of {}",
            show(&value),
            show(&max)
        )));
    }
    Ok(value)
}

/// Whole bytes, KiB, MiB or GiB: no fractions, and no units of 1000 to be mistaken for those of 1024.
fn parse_size(text: &str) -> Result<u64, &'static str> {
    const EXPECTED: &str = "a size is a whole number of B, KiB, MiB or GiB, for example 64MiB";
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    if !matches!(unit, "" | "B" | "KiB" | "MiB" | "GiB") {
        return Err(EXPECTED);
    }
    text.parse()
        .map(|ByteSize(bytes)| bytes)
        .map_err(|_| EXPECTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;

    fn read(entry: &str) -> Result<Limits> {
        let text = format!("version = \"1\"\nname = \"a\"\n[limits]\n{entry}\n");
        Manifest::parse("m", &text).map(|manifest| manifest.limits)
    }

    #[test]
    fn each_limit_is_accepted_at_its_maximum_and_refused_past_it() {
        for (key, at, past) in [
            ("memory", "\"2GiB\"", "\"2147483649\""),
            ("guest-time", "\"1h\"", "\"3601s\""),
            ("stack", "\"8MiB\"", "\"8193KiB\""),
            ("call-bytes", "\"512MiB\"", "\"513MiB\""),
            ("handles", "4096", "4097"),
            ("rows", "1000000000000", "1000000000001"),
            ("row-bytes", "\"512MiB\"", "\"536870913B\""),
            ("statements", "1000000000", "1000000001"),
            ("wall-time", "\"30days\"", "\"2592001s\""),
            ("statement-time", "\"24days\"", "\"2073601s\""),
            ("log-bytes", "\"64MiB\"", "\"65MiB\""),
            ("step-bytes", "\"64MiB\"", "\"65MiB\""),
        ] {
            assert!(read(&format!("{key} = {at}")).is_ok(), "{key}");
            let error = read(&format!("{key} = {past}")).unwrap_err();
            assert!(
                error
                    .message()
                    .contains(&format!("line 4, column {}", key.len() + 4)),
                "{error}"
            );
            assert!(
                error.message().contains(&format!("(`limits.{key}`)")),
                "{error}"
            );
            assert!(error.message().contains("over the maximum of"), "{error}");
        }
    }

    #[test]
    fn zero_and_nonsense_are_refused() {
        for entry in [
            "memory = \"0\"",
            "memory = \"0MiB\"",
            "guest-time = \"0s\"",
            "handles = 0",
            "handles = -1",
            "rows = 1.5",
            "memory = \"1.5MiB\"",
            "memory = \"1MB\"",
            "memory = \"1 MiB\"",
            "memory = \"MiB\"",
            "memory = \"\"",
            "memory = \"-1\"",
            "memory = \"99999999999999999999GiB\"",
            "memory = 5",
            "guest-time = \"soon\"",
            "guest-time = 5",
        ] {
            assert!(read(entry).is_err(), "{entry}");
        }
    }

    #[test]
    fn a_statement_may_take_as_long_as_its_run_where_nothing_less_is_said() {
        let timeout = |entry: &str| {
            let limits = read(entry).unwrap();
            limits.statement_timeout().map(time)
        };
        assert_eq!(timeout(""), None);
        assert_eq!(timeout("wall-time = \"30days\""), None);
        assert_eq!(timeout("wall-time = \"1s\""), None);
        assert_eq!(timeout("statement-time = \"24days\""), None);
        assert_eq!(timeout("statement-time = \"1s\"").as_deref(), Some("1s"));
        let less = "wall-time = \"30days\"\nstatement-time = \"24days\"";
        assert_eq!(timeout(less).as_deref(), Some("24days"));
    }

    #[test]
    fn sizes_are_shown_as_they_are_written() {
        for text in ["1B", "1023B", "1KiB", "65MiB", "2GiB", "1025B"] {
            assert_eq!(size(parse_size(text).unwrap()), text);
        }
        assert_eq!(size(0), "0B");
        assert_eq!(
            Limits::default().shown()[1],
            ("guest-time", "1m".to_owned())
        );
    }
}
