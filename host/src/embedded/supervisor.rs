//! The process between us and the server: it outlives us just long enough to clean up.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use super::account::Account;
use crate::error::{Code, Error, Result};

const SCRIPT: &str = include_str!("supervisor.sh");

/// The server's own immediate shutdown takes at most five seconds after the script's five.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A running `supervisor.sh`. Its life hangs on a pipe: where this is dropped or the whole process dies, the pipe ends.
#[derive(Debug)]
pub(super) struct Supervisor {
    child: Child,
    /// Close-on-exec like every pipe of std, so no other child of ours keeps it open.
    pipe: Option<ChildStdin>,
    folder: PathBuf,
}

impl Supervisor {
    /// Starts the script, which makes the folder and then waits for [`Supervisor::begin`].
    pub(super) fn spawn(
        base: &Path,
        bin: &Path,
        account: Option<&Account>,
        arguments: &[OsString],
    ) -> Result<Self> {
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(SCRIPT)
            .arg("wasmigrate-postgres")
            .args([base, bin])
            .args(arguments)
            .env("LC_ALL", "C")
            // the server's time zone would be the machine's
            .env("TZ", "UTC")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // a terminal's Ctrl-C goes to us, not to the server
            .process_group(0);
        for (name, _) in std::env::vars_os() {
            // PGPORT, PGDATA and the like are for clients; the server and initdb would take them for theirs
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        if let Some(account) = account {
            // std drops the supplementary groups as well when root changes the user
            command.uid(account.uid).gid(account.gid);
        }
        let failed = || {
            Error::new(
                Code::PostgresFailed,
                "failed to start the embedded PostgreSQL's supervisor",
            )
        };
        let mut child = command.spawn().map_err(|error| failed().cause(error))?;
        let mut folder = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut folder)
                .map_err(|error| failed().cause(error))?;
        }
        let Some(folder) = folder.strip_suffix('\n').map(PathBuf::from) else {
            let mut words = String::new();
            if let Some(mut stderr) = child.stderr.take() {
                let _ = stderr.read_to_string(&mut words);
            }
            let _ = child.wait();
            return Err(failed().cause(words.trim()));
        };
        let pipe = child.stdin.take();
        Ok(Supervisor {
            child,
            pipe,
            folder,
        })
    }

    /// Lets it make the cluster and start the server; whatever they need must be in the folder by now.
    pub(super) fn begin(&mut self) -> Result<()> {
        let written = self.pipe.as_mut().map(|pipe| pipe.write_all(b"begin\n"));
        match written {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(Error::new(
                Code::PostgresFailed,
                "failed to reach the embedded PostgreSQL's supervisor",
            )
            .cause(error)),
            None => Err(Error::new(
                Code::PostgresFailed,
                "the embedded PostgreSQL was stopped",
            )),
        }
    }

    /// The server's folder: its data, its socket, its log.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the server, or what should have started it, is gone.
    pub(super) fn ended(&mut self) -> bool {
        self.folder.join("ended").exists() || !matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends the pipe and waits until the server and its folder are gone.
    pub(super) fn stop(&mut self) -> Result<()> {
        if self.pipe.take().is_none() {
            return Ok(());
        }
        let deadline = Instant::now() + STOP_LIMIT;
        loop {
            match self.child.try_wait() {
                Ok(Some(_)) => break,
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5))
                }
                Ok(None) => {
                    return Err(Error::new(
                        Code::PostgresFailed,
                        format!(
                            "the embedded PostgreSQL did not stop within {} s",
                            STOP_LIMIT.as_secs()
                        ),
                    )
                    .cause(format!("its folder is {}", self.folder.display())));
                }
                Err(error) => {
                    return Err(Error::new(
                        Code::PostgresFailed,
                        "failed to wait for the embedded PostgreSQL's end",
                    )
                    .cause(error));
                }
            }
        }
        // only where somebody killed the supervisor; the server ends by itself when its folder is gone
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::new(
                Code::PostgresFailed,
                format!("failed to remove {}", self.folder.display()),
            )
            .cause(error)),
            _ => Ok(()),
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!(%error, "the embedded PostgreSQL was left behind");
        }
    }
}
