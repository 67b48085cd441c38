//! A throwaway PostgreSQL: started in a folder of its own, gone without a trace when dropped or when this process dies.
//!
//! The server is reached by a Unix socket that only its account and root can open, as the superuser `postgres`, without a
//! password. It is meant for demonstrations, rehearsals and tests: nothing is flushed to the disk.
//!
//! No process and no folder stays behind, whichever way the caller ends. A small shell script between the two holds the
//! reading end of a pipe and cleans up when the pipe ends, which the kernel sees to even after SIGKILL.
//!
//! Everything here blocks; asynchronous callers use a blocking thread.

mod account;
mod programs;
mod supervisor;

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use self::account::Account;
use self::supervisor::Supervisor;
use crate::error::{Code, Error, Result};

/// initdb alone takes 2.5 s on a quiet machine.
const START_LIMIT: Duration = Duration::from_secs(180);

/// The port in the socket's name where nothing listens on TCP.
const SOCKET_PORT: u16 = 5432;

/// How often a free port is picked anew when another process was quicker.
const PORT_TRIES: usize = 5;

/// What a server is to be like; the default is an empty one on a Unix socket alone.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Server settings, as `postgres -c NAME=VALUE`; they win over the defaults of this module.
    pub settings: Vec<(String, String)>,
    /// The whole text of pg_hba.conf. Without it every connection is trusted.
    pub hba: Option<String>,
    /// Also listen on 127.0.0.1; port 0 picks a free one.
    pub tcp: Option<u16>,
    /// Files (name, content) put beside the data directory, readable by the server alone. A setting names one as
    /// `../NAME`, for example `ssl_key_file=../server.key`.
    pub files: Vec<(String, Vec<u8>)>,
    /// The folder of the server's programs, in place of `PG_BIN` and the search.
    pub bin_dir: Option<PathBuf>,
}

/// A running server. Dropping it stops it and removes its folder.
#[derive(Debug)]
pub struct Embedded {
    supervisor: Supervisor,
    bin_dir: PathBuf,
    version: String,
    port: u16,
    tcp: bool,
}

impl Embedded {
    /// Makes a cluster and starts a server on it; returns when it accepts connections.
    ///
    /// # Errors
    /// `postgres-not-found` where its programs are not on this machine, `postgres-failed` with the server's log where it
    /// does not start.
    pub fn start(options: &Options) -> Result<Self> {
        let bin_dir = programs::find(options.bin_dir.as_deref())?;
        let account = account::choose()?;
        if let Some(account) = &account
            && !account::reachable(&bin_dir)
        {
            return Err(Error::new(
                Code::PostgresFailed,
                format!("failed to start PostgreSQL as `{}`, who may not enter {}", account.name, bin_dir.display()),
            )
            .hint("PostgreSQL refuses to run as root: put its programs where every account can read them, or run as a plain user"));
        }
        let version = programs::version(&bin_dir)?;
        let mut tries = 0;
        loop {
            tries += 1;
            let (port, tcp) = match options.tcp {
                None => (SOCKET_PORT, false),
                Some(0) => (free_port()?, true),
                Some(port) => (port, true),
            };
            match launch(options, &bin_dir, account.as_ref(), port, tcp) {
                Ok(supervisor) => {
                    return Ok(Embedded {
                        supervisor,
                        bin_dir,
                        version,
                        port,
                        tcp,
                    });
                }
                Err(error)
                    if options.tcp == Some(0)
                        && tries < PORT_TRIES
                        && error.to_string().contains("Address already in use") => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The address of a database on this server as libpq's tools and ours take it, by the Unix socket, as `postgres`.
    pub fn url(&self, database: &str) -> String {
        let host = self.socket_dir().to_string_lossy();
        let port = if self.port == SOCKET_PORT {
            String::new()
        } else {
            format!(":{}", self.port)
        };
        format!(
            "postgresql://postgres@{}{port}/{}",
            utf8_percent_encode(&host, ESCAPED),
            utf8_percent_encode(database, ESCAPED)
        )
    }

    /// The folder of the Unix socket.
    pub fn socket_dir(&self) -> &Path {
        self.supervisor.folder()
    }

    /// The port on 127.0.0.1, where [`Options::tcp`] asked for one.
    pub fn tcp_port(&self) -> Option<u16> {
        self.tcp.then_some(self.port)
    }

    /// The folder of the server's programs: psql, pg_dump and pg_restore are there too.
    pub fn bin_dir(&self) -> &Path {
        &self.bin_dir
    }

    /// The server's version, for example `15.18`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What the server wrote to its log so far.
    pub fn log(&self) -> String {
        read_log(self.supervisor.folder())
    }

    /// Stops the server and removes its folder; dropping does the same, but cannot tell of a failure.
    pub fn stop(mut self) -> Result<()> {
        self.supervisor.stop()
    }
}

/// Everything but what a host name may hold.
const ESCAPED: &percent_encoding::AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

fn launch(
    options: &Options,
    bin_dir: &Path,
    account: Option<&Account>,
    port: u16,
    tcp: bool,
) -> Result<Supervisor> {
    let base = account::base_folder(account)?;
    let arguments = server_arguments(options, port, tcp);
    let mut supervisor = Supervisor::spawn(&base, bin_dir, account, &arguments)?;
    let hba = options
        .hba
        .as_ref()
        .map(|text| ("pg_hba.conf", text.as_bytes()));
    let files = options
        .files
        .iter()
        .map(|(name, content)| (name.as_str(), content.as_slice()));
    for (name, content) in hba.into_iter().chain(files) {
        let path = supervisor.folder().join(name);
        write_private(&path, content, account).map_err(|error| {
            Error::new(
                Code::PostgresFailed,
                format!("failed to write {}", path.display()),
            )
            .cause(error)
        })?;
    }
    supervisor.begin()?;
    wait_until_ready(&mut supervisor)?;
    Ok(supervisor)
}

fn server_arguments(options: &Options, port: u16, tcp: bool) -> Vec<OsString> {
    let own = [
        ("port", port.to_string()),
        (
            "listen_addresses",
            if tcp {
                Ipv4Addr::LOCALHOST.to_string()
            } else {
                String::new()
            },
        ),
        ("fsync", "off".to_owned()),
        ("synchronous_commit", "off".to_owned()),
        ("full_page_writes", "off".to_owned()),
        ("logging_collector", "off".to_owned()),
    ];
    let hba = options
        .hba
        .is_some()
        .then(|| ("hba_file", "../pg_hba.conf".to_owned()));
    let given = options
        .settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()));
    own.into_iter()
        .chain(hba)
        .chain(given)
        .flat_map(|(name, value)| {
            [
                OsString::from("-c"),
                OsString::from(format!("{name}={value}")),
            ]
        })
        .collect()
}

fn write_private(path: &Path, content: &[u8], account: Option<&Account>) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    std::io::Write::write_all(&mut file, content)?;
    match account {
        Some(account) => chown(path, Some(account.uid), Some(account.gid)),
        None => Ok(()),
    }
}

fn free_port() -> Result<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| {
            Error::new(
                Code::PostgresFailed,
                "failed to find a free port on 127.0.0.1",
            )
            .cause(error)
        })
}

fn wait_until_ready(supervisor: &mut Supervisor) -> Result<()> {
    let deadline = Instant::now() + START_LIMIT;
    let pid_file = supervisor.folder().join("data/postmaster.pid");
    loop {
        if supervisor.ended() {
            return Err(Error::new(
                Code::PostgresFailed,
                "the embedded PostgreSQL did not start",
            )
            .cause(log_tail(supervisor.folder())));
        }
        if std::fs::read_to_string(&pid_file).is_ok_and(|text| is_ready(&text)) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Error::new(
                Code::PostgresFailed,
                format!(
                    "the embedded PostgreSQL was not ready within {} s",
                    START_LIMIT.as_secs()
                ),
            )
            .cause(log_tail(supervisor.folder())));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether the server's pid file says that it accepts connections. Source: PostgreSQL, LOCK_FILE_LINE_PM_STATUS in
/// miscadmin.h; initdb's own pid file has fewer lines.
fn is_ready(pid_file: &str) -> bool {
    pid_file
        .lines()
        .nth(7)
        .is_some_and(|status| status.trim() == "ready")
}

fn read_log(folder: &Path) -> String {
    std::fs::read(folder.join("log"))
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

/// The last lines, enough to see why a start failed.
fn log_tail(folder: &Path) -> String {
    let log = read_log(folder);
    let lines: Vec<&str> = log.trim().lines().collect();
    match lines.len() {
        0 => "it wrote no log".to_owned(),
        count => lines[count.saturating_sub(12)..].join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_line_eight() {
        let text = "123\n/tmp/x/data\n1700000000\n5432\n/tmp/x\n\n  123 456\nready   \n";
        assert!(is_ready(text));
        assert!(!is_ready(&text.replace("ready   ", "starting")));
        assert!(!is_ready("-123\n/tmp/x/data\n1700000000\n"));
    }

    #[test]
    fn given_settings_come_after_ours() {
        let options = Options {
            settings: vec![("fsync".into(), "on".into())],
            ..Options::default()
        };
        let arguments = server_arguments(&options, 5432, false);
        let place = |text: &str| arguments.iter().position(|argument| argument == text);
        assert!(place("fsync=off") < place("fsync=on"));
        assert!(arguments.contains(&OsString::from("listen_addresses=")));
    }
}
