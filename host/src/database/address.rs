//! Where the database is and how to log in: from the connection string, the PG* variables, the
//! password file and `wasmigrate.toml`.
//!
//! As libpq, but: an empty connection string, an @ in a URL's host or database that is not
//! percent-encoded, and parameters that would be without effect are refused; an empty PG* variable
//! counts as not set; PGSERVICE is refused. No message repeats a piece of the connection string that
//! could belong to the password.

mod keys;
mod parameters;
mod syntax;

use super::tls;
use crate::error::Result;
use parameters::{Origin, Parameters, invalid};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::config::ChannelBinding;

/// A database's address and the login to it. Printing it never shows the password.
#[derive(Clone)]
pub struct Address {
    pub(super) targets: Vec<Target>,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) options: Option<String>,
    pub(super) application_name: Option<String>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) channel_binding: ChannelBinding,
    pub(super) session: Session,
    pub(super) keepalives: Keepalives,
    pub(super) tls: tls::Lazy,
}

/// One server of the list.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) place: Place,
    pub(super) port: u16,
    pub(super) password: Option<Password>,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The folder of the server's socket.
    Socket(PathBuf),
    /// A host, and its IP address where that was given apart (`hostaddr`).
    Host { name: String, ip: Option<IpAddr> },
}

#[derive(Clone)]
pub(super) struct Password {
    pub(super) bytes: Vec<u8>,
    /// Where it was found, for a message when the server refuses it.
    pub(super) origin: String,
}

/// `target_session_attrs`: which server of a list will do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Session {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

#[derive(Clone, Default)]
pub(super) struct Keepalives {
    pub(super) off: bool,
    pub(super) idle: Option<Duration>,
    pub(super) interval: Option<Duration>,
    pub(super) count: Option<u32>,
    pub(super) user_timeout: Option<Duration>,
}

impl Address {
    /// Finds the address. Each parameter is taken from the first of these that has it: the
    /// `explicit` connection string, its PG* variable, the `project` string of wasmigrate.toml,
    /// libpq's default.
    ///
    /// The project's string is read only where no `explicit` one is given. Its host, hostaddr and
    /// port belong together: PGHOST or PGHOSTADDR replace all three. Its password is used only
    /// for its own server and user. An empty PG* variable counts as not set.
    pub fn resolve(
        explicit: Option<&str>,
        project: Option<&str>,
        env: &impl Fn(&str) -> Option<String>,
    ) -> Result<Address> {
        let mut found = Parameters::default();
        if let Some(text) = explicit {
            if text.trim().is_empty() {
                return Err(invalid(Origin::Given)
                    .cause("it is empty")
                    .hint("give a connection string, or unset DATABASE_URL to use the PG* variables or wasmigrate.toml"));
            }
            found.add(text, Origin::Given, |_| true)?;
        }
        for key in keys::KEYS {
            let Some(variable) = key.variable else {
                continue;
            };
            if let Some(value) = env(variable).filter(|value| !value.is_empty()) {
                found.set(key.name, value, Origin::Variable(variable))?;
            }
        }
        if let (None, Some(text)) = (explicit, project) {
            let moved = found.has("host") || found.has("hostaddr");
            let other = moved || found.has("port") || found.has("user");
            found.add(text, Origin::Project, |key| match key {
                "host" | "hostaddr" | "port" => !moved,
                "password" => !other,
                _ => true,
            })?;
        }
        found.address(env)
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The login's name.
    pub fn user(&self) -> &str {
        &self.user
    }
}

/// What may stand in a printed address as it is.
const PRINTED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encode = |text: &str| utf8_percent_encode(text, PRINTED).to_string();
        write!(f, "postgres://{}@", encode(&self.user))?;
        let mut folder = None;
        for (index, target) in self.targets.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match &target.place {
                Place::Socket(path) if self.targets.len() == 1 => folder = Some(path),
                Place::Socket(path) => {
                    write!(f, "{}:{}", encode(&path.to_string_lossy()), target.port)?;
                }
                Place::Host { .. } => write!(f, "{target}")?,
            }
        }
        write!(f, "/{}", encode(&self.database))?;
        if let (Some(folder), Some(target)) = (folder, self.targets.first()) {
            write!(f, "?host={}", folder.display())?;
            if target.port != 5432 {
                write!(f, "&port={}", target.port)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Socket(folder) => write!(f, "{}/.s.PGSQL.{}", folder.display(), self.port),
            Place::Host { name, .. } if name.contains(':') => write!(f, "[{name}]:{}", self.port),
            Place::Host { name, .. } => write!(f, "{name}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests;
