//! Stops a run at one of its points, does something to it, and compares what the next run makes of it.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::support::Database;

/// What is done to a run that has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// SIGKILL: the server goes on with the statement, if it has one.
    Kill,
    /// Its work session is ended by the server; then it goes on.
    Cut,
    /// Both sessions are ended, as by a restart of the server; then it goes on.
    CutOff,
}

/// Each of them.
pub const HOWS: [How; 3] = [How::Kill, How::Cut, How::CutOff];

/// A command whose points are tried.
pub struct Case<'a> {
    /// The database as it is before.
    pub before: &'a Database,
    /// The folder of components.
    pub folder: &'a Path,
    /// The verb and its options.
    pub args: &'a [&'a str],
}

/// What a database holds, as far as two runs must agree on it.
#[derive(Debug, PartialEq, Eq)]
pub struct Picture {
    schema: String,
    rows: Vec<String>,
    history: String,
    left: String,
}

/// Takes the picture of a database.
pub fn picture(database: &Database) -> Picture {
    let tables = database.sql(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
    );
    let rows = tables.iter().map(|row| {
        let table = row[0].as_deref().unwrap_or_default();
        // when a row was made or changed is not what is compared
        database.value(&format!(
            "SELECT '{table} ' || md5(coalesce(string_agg(j, chr(10) ORDER BY j), '')) FROM (SELECT \
               (to_jsonb(t) - 'createdAt' - 'updatedAt')::text AS j FROM {table} t) s"
        ))
    });
    Picture {
        schema: database.schema(),
        rows: rows.collect(),
        history: database.value("SELECT string_agg(version || mode, ' ' ORDER BY version) FROM wasmigrate.migration"),
        left: database.value(
            "SELECT concat_ws(' ', (SELECT count(*) FROM pg_index WHERE NOT indisvalid OR NOT indisready), \
               (SELECT count(*) FROM wasmigrate.journal), \
               (SELECT count(*) FROM wasmigrate.run WHERE state IN ('running', 'stopped')), \
               (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'wasmigrate_run_%'))",
        ),
    }
}

impl Case<'_> {
    fn command(&self, database: &Database) -> Command {
        let mut command = database.command(self.folder, self.args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// The points of an undisturbed run, by name, and what it leaves.
    pub fn undisturbed(&self) -> (Vec<String>, Picture) {
        let database = self.before.copy();
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut command = self.command(&database);
        let status = command.env("WASMIGRATE_POINTS", file.path()).status();
        assert!(
            status.unwrap().success(),
            "{:?} fails undisturbed",
            self.args
        );
        let points = std::fs::read_to_string(file.path()).unwrap();
        assert!(!points.is_empty(), "the binary has no points to stop at");
        let named = |line: &str| line.split_once(' ').map(|(_, name)| name.to_owned());
        (
            points.lines().filter_map(named).collect(),
            picture(&database),
        )
    }

    /// Stops a run at a point, counted from 1, does that to it, and runs the command again; what is left is to be
    /// compared. With it comes whether there was that point.
    pub fn disturbed(&self, point: usize, how: How) -> (bool, Picture) {
        let database = self.before.copy();
        let mut command = self.command(&database);
        let mut child = command
            .env("WASMIGRATE_STOP_AT", point.to_string())
            .spawn()
            .unwrap();
        if !stopped(&mut child) {
            // a run that met contention has more points than one that did not
            assert!(
                child.wait().unwrap().success(),
                "{:?} before point {point}",
                self.args
            );
            return (false, picture(&database));
        }
        let status = match how {
            How::Kill => {
                child.kill().unwrap();
                child.wait().unwrap()
            }
            How::Cut | How::CutOff => {
                let which = match how {
                    How::Cut => "= 'wasmigrate'",
                    _ => "LIKE 'wasmigrate%'",
                };
                database.sql(&format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE datname = current_database() AND application_name {which}"
                ));
                signal(&child, "CONT");
                child.wait().unwrap()
            }
        };
        self.told_truly(&database, status, point, how);
        let again = self
            .command(&database)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert!(
            again.status.success(),
            "{:?} after {how:?} at point {point}: {}",
            self.args,
            String::from_utf8_lossy(&again.stderr)
        );
        (true, picture(&database))
    }

    /// Kills a run at a point and undoes what it has done with another command; the schema that this leaves, and what is
    /// left open.
    pub fn undone(&self, point: usize, undo: &[&str]) -> (String, String) {
        let database = self.before.copy();
        let mut child = self
            .command(&database)
            .env("WASMIGRATE_STOP_AT", point.to_string())
            .spawn()
            .unwrap();
        if stopped(&mut child) {
            child.kill().unwrap();
        }
        child.wait().unwrap();
        let undone = database.command(self.folder, undo).output().unwrap();
        assert!(
            undone.status.success(),
            "{undo:?} after a kill at point {point}: {}",
            String::from_utf8_lossy(&undone.stderr)
        );
        let left = match &database.value("SELECT to_regclass('wasmigrate.journal')")[..] {
            "" => "0 0 0".to_owned(),
            // a run that had only asked is nobody's work: it stays until the next one, which sets it aside
            _ => database.value(
                "SELECT concat_ws(' ', (SELECT count(*) FROM pg_index WHERE NOT indisvalid OR NOT indisready), \
                   (SELECT count(*) FROM wasmigrate.journal WHERE changes), \
                   (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'wasmigrate_run_%'))",
            ),
        };
        (database.schema(), left)
    }

    /// The exit status says what became of the run: 9 where steps are committed and it is open.
    fn told_truly(&self, database: &Database, status: ExitStatus, point: usize, how: How) {
        let open = "SELECT coalesce((SELECT count(*) FROM wasmigrate.journal WHERE changes), 0)";
        match status.code() {
            None | Some(0) => {}
            Some(9) => assert_ne!(database.value(open), "0", "{:?} {how:?} {point}", self.args),
            Some(8) => {
                let there = database.value("SELECT to_regclass('wasmigrate.journal') IS NOT NULL");
                if there == "t" {
                    assert_eq!(database.value(open), "0", "{:?} {how:?} {point}", self.args);
                }
            }
            other => panic!(
                "{:?} after {how:?} at point {point} exits with {other:?}",
                self.args
            ),
        }
    }
}

/// Waits until a process has stopped itself; false where it has ended.
pub fn stopped(child: &mut Child) -> bool {
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
        let state = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.trim_start().chars().next());
        if state == Some('T') {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Sends a process a signal.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([format!("-{name}"), child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// Which of so many points are tried: all, or a sample of the size CRASH_POINTS that a seed fixes.
pub fn chosen(count: usize, seed: u64) -> Vec<usize> {
    let wanted = std::env::var("CRASH_POINTS").unwrap_or_default();
    let sample = match &wanted[..] {
        "all" => count,
        wanted => wanted.parse().unwrap_or(5),
    };
    if count <= sample {
        return (1..=count).collect();
    }
    // the numbers of a linear congruential generator (Knuth's MMIX)
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % count + 1
    };
    let mut points: Vec<usize> = (0..sample).map(|_| next()).collect();
    points.sort_unstable();
    points.dedup();
    points
}
