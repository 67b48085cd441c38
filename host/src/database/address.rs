//! Where the database is and how to log in: from the connection string, the PG* variables, the
//! password file and `wasmigrate.toml`.

mod keys;
mod syntax;

use super::passfile;
use super::tls::{self, SslMode};
use crate::error::{Code, Error, Result};
use keys::Use;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::config::ChannelBinding;

/// How long one attempt to connect may take where `connect_timeout` does not say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a server without `host` is looked for: the folders of Debian and of PostgreSQL's sources.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

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

/// Where a parameter was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Given,
    Variable(&'static str),
    Project,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Given => "the connection string (--database-url or DATABASE_URL)",
            Origin::Variable(name) => name,
            Origin::Project => "wasmigrate.toml",
        })
    }
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
        let mut settings = Settings::default();
        if let Some(text) = explicit {
            if text.trim().is_empty() {
                return Err(invalid(Origin::Given)
                    .cause("it is empty")
                    .hint("give a connection string, or unset DATABASE_URL to use the PG* variables or wasmigrate.toml"));
            }
            settings.add(text, Origin::Given, |_| true)?;
        }
        for key in keys::KEYS {
            let Some(variable) = key.variable else {
                continue;
            };
            if let Some(value) = env(variable).filter(|value| !value.is_empty()) {
                settings.set(key.name, value, Origin::Variable(variable))?;
            }
        }
        if let (None, Some(text)) = (explicit, project) {
            let moved = settings.has("host") || settings.has("hostaddr");
            let other = moved || settings.has("port") || settings.has("user");
            settings.add(text, Origin::Project, |key| match key {
                "host" | "hostaddr" | "port" => !moved,
                "password" => !other,
                _ => true,
            })?;
        }
        settings.address(env)
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The login's name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The same server and login, another database.
    pub fn with_database(&self, name: &str) -> Address {
        Address {
            database: name.to_owned(),
            ..self.clone()
        }
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

fn invalid(origin: Origin) -> Error {
    Error::new(Code::ConfigInvalid, format!("failed to read {origin}"))
}

#[derive(Default)]
struct Settings(BTreeMap<&'static str, (String, Origin)>);

impl Settings {
    fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Reads a connection string; what is there already stays.
    fn add(&mut self, text: &str, origin: Origin, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let pairs = syntax::parse(text).map_err(|why| invalid(origin).cause(why))?;
        let mut read = Settings::default();
        for (name, value) in pairs {
            let Some(key) = keys::find(&name) else {
                let name = if syntax::is_word(&name) {
                    &name
                } else {
                    "of an odd name"
                };
                return Err(invalid(origin).cause(format!("there is no parameter {name}")));
            };
            read.0.remove(key.name);
            read.set(key.name, value, origin)?;
        }
        for (key, found) in read.0 {
            if wanted(key) {
                self.0.entry(key).or_insert(found);
            }
        }
        Ok(())
    }

    /// Sets what is not set yet, and refuses what cannot be honoured.
    fn set(&mut self, name: &'static str, value: String, origin: Origin) -> Result<()> {
        let refuse = |why: String| {
            let place = match origin {
                Origin::Variable(_) => String::new(),
                _ => format!("{name}: "),
            };
            Err(invalid(origin).cause(format!("{place}{why}")))
        };
        if value.contains('\0') {
            return refuse("it holds a zero byte".into());
        }
        match keys::find(name).map(|key| &key.usage) {
            Some(Use::Yes) => {
                self.0.entry(name).or_insert((value, origin));
                Ok(())
            }
            Some(Use::Only(values)) if !values.contains(&value.as_str()) => {
                refuse(format!("only {} is supported", values.join(" or ")))
            }
            Some(Use::Refused(why)) => refuse((*why).to_owned()),
            Some(Use::Only(_) | Use::Ignored) | None => Ok(()),
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0
            .get(key)
            .map(|(value, _)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn wrong(&self, key: &str, why: impl fmt::Display) -> Error {
        match self.0.get(key) {
            Some((_, origin @ Origin::Variable(_))) => invalid(*origin).cause(why),
            Some((_, origin)) => invalid(*origin).cause(format!("{key}: {why}")),
            None => Error::new(Code::ConfigInvalid, format!("failed to read {key}")).cause(why),
        }
    }

    fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)], default: T) -> Result<T> {
        let Some(value) = self.text(key) else {
            return Ok(default);
        };
        match choices.iter().find(|(name, _)| *name == value) {
            Some((_, choice)) => Ok(*choice),
            None => {
                let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
                Err(self.wrong(key, format_args!("it must be one of {}", names.join(", "))))
            }
        }
    }

    fn number(&self, key: &str) -> Result<Option<i64>> {
        self.text(key)
            .map(|value| value.trim().parse())
            .transpose()
            .map_err(|_| self.wrong(key, "it must be a whole number"))
    }

    fn seconds(&self, key: &str) -> Result<Option<Duration>> {
        let number = self
            .number(key)?
            .and_then(|number| u64::try_from(number).ok());
        Ok(number.filter(|number| *number > 0).map(Duration::from_secs))
    }

    fn list(&self, key: &str) -> Vec<&str> {
        self.text(key)
            .map(|value| value.split(',').map(str::trim).collect())
            .unwrap_or_default()
    }

    fn address(&self, env: &impl Fn(&str) -> Option<String>) -> Result<Address> {
        let user = match self.text("user") {
            Some(user) => user.to_owned(),
            None => whoami::username().map_err(|error| {
                Error::new(
                    Code::ConfigInvalid,
                    "failed to find out the name to log in with",
                )
                .cause(error)
                .hint("give the user in the connection string or PGUSER")
            })?,
        };
        let database = self.text("dbname").unwrap_or(&user).to_owned();
        let home = env("HOME")
            .filter(|home| !home.is_empty())
            .map(PathBuf::from);
        let home = home.or_else(std::env::home_dir);
        let mut targets = self.targets()?;
        self.passwords(&mut targets, &user, &database, home.as_deref());
        let connect_timeout = match self.number("connect_timeout")? {
            None => Some(CONNECT_TIMEOUT),
            Some(_) => self.seconds("connect_timeout")?,
        };
        let name = self
            .text("application_name")
            .or(self.text("fallback_application_name"));
        Ok(Address {
            targets,
            options: self.text("options").map(str::to_owned),
            application_name: name.map(str::to_owned),
            connect_timeout,
            channel_binding: self.choice(
                "channel_binding",
                &[
                    ("disable", ChannelBinding::Disable),
                    ("prefer", ChannelBinding::Prefer),
                    ("require", ChannelBinding::Require),
                ],
                ChannelBinding::Prefer,
            )?,
            session: self.choice(
                "target_session_attrs",
                &[
                    ("any", Session::Any),
                    ("read-write", Session::ReadWrite),
                    ("read-only", Session::ReadOnly),
                    ("primary", Session::Primary),
                    ("standby", Session::Standby),
                    ("prefer-standby", Session::PreferStandby),
                ],
                Session::Any,
            )?,
            keepalives: Keepalives {
                off: self.number("keepalives")? == Some(0),
                idle: self.seconds("keepalives_idle")?,
                interval: self.seconds("keepalives_interval")?,
                count: self
                    .number("keepalives_count")?
                    .and_then(|count| u32::try_from(count).ok()),
                user_timeout: self
                    .number("tcp_user_timeout")?
                    .and_then(|number| u64::try_from(number).ok())
                    .filter(|number| *number > 0)
                    .map(Duration::from_millis),
            },
            tls: tls::Lazy::new(self.tls(home)?),
            user,
            database,
        })
    }

    fn tls(&self, home: Option<PathBuf>) -> Result<tls::Options> {
        let system = self.text("sslrootcert") == Some("system");
        let default = if system {
            SslMode::VerifyFull
        } else {
            SslMode::Prefer
        };
        let mode = self.choice("sslmode", SslMode::NAMES, default)?;
        if system && mode != SslMode::VerifyFull {
            return Err(self.wrong(
                "sslmode",
                "with sslrootcert=system only verify-full is strong enough",
            ));
        }
        let file = |key| self.text(key).map(PathBuf::from);
        Ok(tls::Options {
            mode,
            roots: match file("sslrootcert") {
                Some(_) if system => Some(tls::Roots::System),
                file => file.map(tls::Roots::File),
            },
            certificate: file("sslcert"),
            key: file("sslkey"),
            send_certificate: self.choice(
                "sslcertmode",
                &[("allow", true), ("disable", false)],
                true,
            )?,
            server_name: self.choice("sslsni", &[("1", true), ("0", false)], true)?,
            only_tls13: self.choice(
                "ssl_min_protocol_version",
                &[
                    ("TLSv1", false),
                    ("TLSv1.1", false),
                    ("TLSv1.2", false),
                    ("TLSv1.3", true),
                ],
                false,
            )?,
            home,
        })
    }

    fn targets(&self) -> Result<Vec<Target>> {
        let (hosts, ips, ports) = (self.list("host"), self.list("hostaddr"), self.list("port"));
        let count = hosts.len().max(ips.len()).max(1);
        if !hosts.is_empty() && !ips.is_empty() && hosts.len() != ips.len() {
            return Err(self.wrong(
                "hostaddr",
                "it must list as many addresses as there are hosts",
            ));
        }
        if ports.len() > 1 && ports.len() != count {
            return Err(self.wrong("port", "it must list one port, or one for each host"));
        }
        let one = |index: usize| {
            let text = ports
                .get(index)
                .or(ports.first())
                .copied()
                .unwrap_or_default();
            let port = match text {
                "" => 5432,
                digits => match digits.parse::<u16>() {
                    Ok(port) if port > 0 => port,
                    _ => return Err(self.wrong("port", "it must be a number from 1 to 65535")),
                },
            };
            let ip = match ips.get(index).copied().unwrap_or_default() {
                "" => None,
                ip => Some(
                    ip.parse::<IpAddr>()
                        .map_err(|_| self.wrong("hostaddr", "it must be an IP address"))?,
                ),
            };
            let host = hosts.get(index).copied().unwrap_or_default();
            let place = match (host, ip) {
                ("", None) => default_place(port),
                ("", Some(ip)) => Place::Host {
                    name: ip.to_string(),
                    ip: Some(ip),
                },
                (folder, None) if folder.starts_with('/') => Place::Socket(folder.into()),
                (host, _)
                    if host.contains(|c: char| {
                        c == '@' || c == '/' || c.is_whitespace() || c.is_control()
                    }) =>
                {
                    return Err(self.wrong(
                        "host",
                        "it is neither a host's name nor a folder that starts with /",
                    ));
                }
                (host, ip) => Place::Host {
                    name: host.to_owned(),
                    ip,
                },
            };
            Ok(Target {
                place,
                port,
                password: None,
            })
        };
        (0..count).map(one).collect()
    }

    fn passwords(
        &self,
        targets: &mut [Target],
        user: &str,
        database: &str,
        home: Option<&std::path::Path>,
    ) {
        if let Some((password, origin)) =
            self.0.get("password").filter(|(text, _)| !text.is_empty())
        {
            let bytes = password.as_bytes().to_vec();
            let password = Password {
                bytes,
                origin: origin.to_string(),
            };
            targets
                .iter_mut()
                .for_each(|target| target.password = Some(password.clone()));
            return;
        }
        let path = match self.text("passfile") {
            Some(path) => Some(PathBuf::from(path)),
            None => home.map(|home| home.join(".pgpass")),
        };
        let Some((path, file)) = path
            .and_then(|path| Some((passfile::read(&path)?, path)))
            .map(|(file, path)| (path, file))
        else {
            return;
        };
        for target in targets {
            let host = match &target.place {
                Place::Socket(folder)
                    if SOCKET_FOLDERS
                        .iter()
                        .any(|usual| folder.as_os_str() == *usual) =>
                {
                    "localhost".into()
                }
                Place::Socket(folder) => folder.to_string_lossy(),
                Place::Host { name, .. } => name.as_str().into(),
            };
            let login = passfile::Login {
                host: &host,
                port: target.port,
                database,
                user,
            };
            target.password = passfile::password(&file, &login).map(|bytes| Password {
                bytes,
                origin: path.display().to_string(),
            });
        }
    }
}

/// The socket folder that holds a socket of that port, or else localhost.
fn default_place(port: u16) -> Place {
    let folder = SOCKET_FOLDERS
        .iter()
        .map(PathBuf::from)
        .find(|folder| folder.join(format!(".s.PGSQL.{port}")).exists());
    match folder {
        Some(folder) => Place::Socket(folder),
        None => Place::Host {
            name: "localhost".into(),
            ip: None,
        },
    }
}

#[cfg(test)]
mod tests;
